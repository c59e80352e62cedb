# Metrohm titrators and meters with the "$" commands and the "&" tree: 848 Titrino plus, 785 DMP Titrino, 780 and 781 meters.
# The Titrino plus is best set to 19200 baud, 8 N 1, software handshake.
[profile]
title = 'Metrohm titrator'

[serial]
baud = 19200
bits = 8
parity = none
stop = 1
flow = xonxoff

[line]
send_end   = '<CR><LF>'
reply      = line '<CR><LF>'
first_byte = 3s
gap        = 1s

# The instrument has no identity; its state shows that no earlier reply is on its way.
[resync]
send   = '$D'
expect = '{:one(Ready|Busy|Hold)};{:int}'

# The reply to a start command does not show whether it worked: query the state afterwards.
[command state]
help   = 'What it does: Ready, Busy or Hold. A code from 10 to 119 with Busy: a message waits for the operator'
class  = safe
send   = '$D'
expect = '{state:one(Ready=ready|Busy=busy|Hold=hold)};{code:int}'

[command start]
help   = 'Start the method (no reply)'
class  = once
send   = '$G'
reply  = none

[command stop]
help   = 'Stop (no reply)'
class  = idempotent
send   = '$S'
reply  = none

[command hold]
help   = 'Hold (no reply)'
class  = idempotent
send   = '$H'
reply  = none

[command continue]
help   = 'Go on after a hold (no reply)'
class  = once
send   = '$C'
reply  = none

[command query]
help   = 'The value of one node of the tree, such as Config.Aux.Language'
class  = safe
send   = '&{path} $Q'
input  = path text 1 to 80 without '$&;" '
expect = '{value}'

# AutoInfo messages and acknowledgements, if switched on.
[listen auto-info]
help  = 'AutoInfo messages'
match = '!{info}'
match = ' !{info}'
match = 'OK'
as    = ignore

# The PC/LIMS report: parts from "$S" to "$E", one within the other. The whole of it is one result.
[listen report]
help  = 'A report, sent at the end of a determination or by the Print key'
match = '$S {}'
until = '$E'
as    = text

[procedure run]
help   = 'Start the method and wait until the instrument is ready again'
do     = start
wait   = 2s
do     = state at most 7200 times until state is ready every 1s
result = state
limit  = 125m

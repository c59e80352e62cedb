# Balances and scales with MT-SICS, level 0 and 1: Mettler-Toledo, and the same grammar at Ohaus, KERN (KCP) and
# some Sartorius scales.
#
# A command is NAME[ PARAMETER]... CR LF in upper case. A reply with a weight is ID, status, the weight right-aligned in ten
# characters, unit, CR LF: "S S     100.00 g". A line that lost a digit on the way has nine, and is no weight. One command at
# a time.
[profile]
title = 'MT-SICS balance'

[serial]
baud = 9600
bits = 8
parity = none
stop = 1
flow = xonxoff

[line]
send_end   = '<CR><LF>'
reply      = line '<CR><LF>'
first_byte = 3s
gap        = 500ms
quiet      = 300ms
max_reply  = 64KB
never      = '"'

# Lines that do not echo the command: it was not executed.
[errors]
error = 'ES' permanent 'the balance does not know this command (syntax error)'
error = 'ET' transient 'the balance received a damaged command (transmission error): check baud rate, parity and cable'
error = 'EL' permanent 'the balance cannot carry out this command (logical error)'

# '@' cancels a running command, stops continuous output and answers with the serial number. It may also clear the tare: after
# a lost connection the load on the pan is unknown.
[identify]
send   = '@'
expect = 'I4 A "{identity}"'

[command weigh]
help       = 'The weight, once it is stable'
class      = safe
send       = 'S'
first_byte = 60s
expect     = 'S S\ {value:real:>10} {unit:word}'
error      = 'S I' busy 'the weight did not become stable in time, or the balance is busy'
error      = 'S +' person 'overload: take weight off the pan'
error      = 'S -' person 'underload: is the pan in place?'

# Some simulators and clones answer "SI S ..." where balances answer "S S ...".
[command weigh-now]
help        = 'The weight as it is now, stable or not'
class       = safe
provisional = yes
send        = 'SI'
expect      = 'S {stability:one(S=stable|D=dynamic)}\ {value:real:>10} {unit:word}'
expect      = 'SI {stability:one(S=stable|D=dynamic)}\ {value:real:>10} {unit:word}'
error       = 'S I' busy 'the balance is busy'
error       = 'S +' person 'overload: take weight off the pan'
error       = 'S -' person 'underload: is the pan in place?'
error       = 'SI I' busy 'the balance is busy'
error       = 'SI +' person 'overload: take weight off the pan'
error       = 'SI -' person 'underload: is the pan in place?'

[command tare]
help       = 'Tare with the stable weight on the pan; gives the tare weight'
class      = once
send       = 'T'
first_byte = 60s
expect     = 'T S\ {value:real:>10} {unit:word}'
error      = 'T I' busy 'not tared: the weight did not become stable in time, or the balance is busy'
error      = 'T +' person 'not tared: above the taring range'
error      = 'T -' person 'not tared: below the taring range'

[command tare-now]
help   = 'Tare at once, with the weight as it is'
class  = once
send   = 'TI'
expect = 'TI {stability:one(S=stable|D=dynamic)}\ {value:real:>10} {unit:word}'
error  = 'TI I' busy 'not tared: the balance is busy'
error  = 'TI L' permanent 'not tared: the balance does not offer this'
error  = 'TI +' person 'not tared: above the taring range'
error  = 'TI -' person 'not tared: below the taring range'

[command read-tare]
help   = 'The tare weight in use'
class  = safe
send   = 'TA'
expect = 'TA A\ {value:real:>10} {unit:word}'
error  = 'TA I' busy 'the balance is busy'

[command set-tare]
help   = 'Set the tare weight to a known value'
class  = idempotent
send   = 'TA {value} {unit}'
input  = value real 0 to 1000000
input  = unit one of g, kg, mg
expect = 'TA A\ {value:real:>10} {unit:word}'
error  = 'TA I' busy 'the balance is busy'
error  = 'TA L' permanent 'the balance does not accept this tare weight'

[command clear-tare]
help   = 'Forget the tare weight'
class  = idempotent
send   = 'TAC'
expect = 'TAC A'
error  = 'TAC I' busy 'the balance is busy'
error  = 'TAC L' permanent 'the balance does not offer this'

[command zero]
help       = 'Set zero with the stable, empty pan'
class      = once
send       = 'Z'
first_byte = 60s
expect     = 'Z A'
error      = 'Z I' busy 'not zeroed: the weight did not become stable in time, or the balance is busy'
error      = 'Z +' person 'not zeroed: above the zero range; empty the pan'
error      = 'Z -' person 'not zeroed: below the zero range; is the pan in place?'

[command zero-now]
help   = 'Set zero at once'
class  = once
send   = 'ZI'
expect = 'ZI {stability:one(S=stable|D=dynamic)}'
error  = 'ZI I' busy 'not zeroed: the balance is busy'
error  = 'ZI +' person 'not zeroed: above the zero range; empty the pan'
error  = 'ZI -' person 'not zeroed: below the zero range; is the pan in place?'

[command display]
help   = 'Show a text on the display'
class  = idempotent
send   = 'D "{text}"'
input  = text text 0 to 20
expect = 'D A'
error  = 'D I' busy 'the balance is busy'
error  = 'D L' permanent 'the balance does not accept this text'

[command display-weight]
help   = 'Show the weight on the display again'
class  = idempotent
send   = 'DW'
expect = 'DW A'
error  = 'DW I' busy 'the balance is busy'

[command cancel-all]
help   = 'Cancel everything that runs'
class  = idempotent
send   = 'C'
more   = 'C B'
expect = 'C A'

[command list-commands]
help   = 'The commands that this balance knows'
class  = safe
send   = 'I0'
more   = 'I0 B {level:int} "{name}"'
expect = 'I0 A {level:int} "{name}"'
error  = 'I0 I' busy 'the balance is busy'

[command model]
help   = 'Model and capacity'
class  = safe
send   = 'I2'
expect = 'I2 A "{model}"'
error  = 'I2 I' busy 'the balance is busy'

[command software]
help   = 'Software version'
class  = safe
send   = 'I3'
expect = 'I3 A "{software}"'
error  = 'I3 I' busy 'the balance is busy'

[command serial-number]
help   = 'Serial number'
class  = safe
send   = 'I4'
expect = 'I4 A "{serial}"'
error  = 'I4 I' busy 'the balance is busy'

# The Print key, and continuous output if switched on. Only stable weights become results.
[listen printed]
help  = 'A stable weight, sent by the Print key'
match = 'S S\ {value:real:>10} {unit:word}'
as    = csv

[listen moving]
help  = 'Weights that are not stable, and the balance being switched on'
match = 'S D\ {value:real:>10} {unit:word}'
match = 'S I'
match = 'S +'
match = 'S -'
match = 'I4 A "{serial}"'
as    = ignore

[procedure weigh]
help   = 'One stable weight'
do     = weigh
result = value as weight
result = unit
sign   = reloaded

# Set the bound below your lightest sample; it is in the unit of the display.
[procedure reloaded]
help   = 'Has the load been taken off the pan, and the next one put on within five minutes?'
do     = weigh-now at most 2 times until value below 0.002 every 500ms as empty
do     = weigh-now at most 600 times until value above 0.002 every 500ms as loaded
result = loaded.value as value
limit  = 6m

[procedure weigh-when-steady]
help   = 'A weight that the balance itself calls stable, looked at every half second for a minute'
do     = weigh-now at most 120 times until stability is stable every 500ms
result = value as weight
result = unit
sign   = reloaded

[procedure tare-and-weigh]
help   = 'Tare what is on the pan, wait for the filling, then weigh it'
do     = tare
do     = weigh-now at most 1200 times until value above 0.01 every 500ms as filling
do     = weigh
result = tare.value as tare
result = weigh.value as weight
result = weigh.unit as unit
sign   = reloaded
limit  = 12m

[procedure weigh-repeatedly]
help   = 'Ten stable weights, one after the other, for repeatability'
do     = weigh 10 times every 1s
result = value as weight
result = unit

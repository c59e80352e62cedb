# Ismatec Reglo ICC peristaltic pumps: "channel COMMAND [value] CR". The answer is one character without a line end
# ("*" done, "#" failed, "+" and "-" for yes and no), or data and CR LF.
[profile]
title = 'Ismatec Reglo ICC pump'
input = channel int 1 to 4 default 1

[line]
send_end   = '<CR>'
reply      = one of '*#+-'
first_byte = 1s
gap        = 300ms

[errors]
error = '#' permanent 'the pump refused the command'

# Type and firmware.
[identify]
send   = '{channel}#'
reply  = line '<CR><LF>'
expect = '{identity}'

[command start]
help   = 'Start the channel'
class  = once
send   = '{channel}H'
expect = '*'
error  = '-' permanent 'the channel cannot start with these settings'

[command stop]
help   = 'Stop the channel'
class  = idempotent
send   = '{channel}I'
expect = '*'

[command is-running]
help   = 'Does the channel run?'
class  = safe
send   = '{channel}E'
expect = '{running:bool(+|-)}'

[command clockwise]
help   = 'Turn clockwise'
class  = idempotent
send   = '{channel}J'
expect = '*'

[command counter-clockwise]
help   = 'Turn counter-clockwise'
class  = idempotent
send   = '{channel}K'
expect = '*'

[command speed]
help   = 'Speed in rpm'
class  = safe
send   = '{channel}S'
reply  = line '<CR><LF>' or one of '#'
expect = '{speed:real}'

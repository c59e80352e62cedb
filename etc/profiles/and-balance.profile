# A&D balances: header, comma, nine characters of number with sign, three characters of unit: "ST,+001.2346 kg".
#
# For balances with acknowledgement and error codes switched on in the menu: <ACK> comes at once, and again when re-zero or tare
# is done. A line that lost a character on the way does not fill its columns, and is no weight.
[profile]
title = 'A&D balance'

[line]
send_end   = '<CR><LF>'
reply      = line '<CR><LF>'
first_byte = 3s
gap        = 500ms

[errors]
error = 'EC,E0' transient 'communication error: check baud rate, parity and cable'
error = 'EC,E1' permanent 'the balance does not know this command'
error = 'EC,E2' busy 'the balance is not ready'
error = 'EC,E4' permanent 'the command is too long'
error = 'EC,E6' permanent 'the format of the command is wrong'
error = 'EC,E7' permanent 'a value in the command is out of range'
error = 'EC,E{code}' permanent 'the balance reports an error'

[command weigh-now]
help        = 'The value as it is now, stable or not'
class       = safe
provisional = yes
send        = 'Q'
expect      = '{stability:one(ST=stable|QT=stable count|US=unstable)},{value:real:>9}{unit:text:>3}'
error       = 'OL,{:text}' person 'out of range: too much or too little on the pan'

[command zero]
help       = 'Re-zero; acknowledged at once and again when it is done'
class      = once
send       = 'Z'
first_byte = 60s
reply      = line '<CR><LF>' or one of '<ACK>' times 2
expect     = '<ACK>'

[command tare]
help       = 'Tare; acknowledged at once and again when it is done'
class      = once
send       = 'T'
first_byte = 60s
reply      = line '<CR><LF>' or one of '<ACK>' times 2
expect     = '<ACK>'

[listen printed]
help  = 'A stable value, sent by the Print key'
match = 'ST,{value:real:>9}{unit:text:>3}'
match = 'QT,{value:real:>9}{unit:text:>3}'
as    = csv

[listen moving]
help  = 'Values that are not stable or out of range'
match = 'US,{}'
match = 'OL,{}'
as    = ignore

[procedure weigh]
help   = 'A stable value, looked at every half second for a minute'
do     = weigh-now at most 120 times until stability is not unstable every 500ms
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

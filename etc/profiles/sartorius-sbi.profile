# Sartorius balances with SBI commands, 16- or 22-character output (a setting in the balance's menu).
#
# A command is ESC and a letter. A value is sign, nine characters of number, blank, three characters of unit, CR LF; with 22
# characters, six that say what it is ("N" net, "G" gross, "T1" tare) precede it. A blank unit means that the value is not
# stable. Taring and zeroing give no reply: read the balance afterwards.
[profile]
title = 'Sartorius balance, SBI'

[line]
send_end   = '<CR><LF>'
reply      = line '<CR><LF>'
first_byte = 3s
gap        = 500ms

# Special lines, padded with blanks on both sides; with 22 characters they begin with "Stat". Older models say H, L and C, newer
# ones High, Low and Cal.
[errors]
error = ' {:one(High|H)}' person 'overload: take weight off the pan'
error = ' {:one(Low|L)}' person 'underload: is the pan in place?'
error = ' {:one(C|Cal.|CAL)}{}' busy 'the balance is calibrating'
error = ' {:one(--|- -)}' busy 'the balance has no value to show yet'
error = '{:one(Err|ERR)} {code}' permanent 'the balance reports an error'
error = ' {:one(Err|ERR)} {code}' permanent 'the balance reports an error'
error = 'Stat {:one(High|H)}' person 'overload: take weight off the pan'
error = 'Stat {:one(Low|L)}' person 'underload: is the pan in place?'
error = 'Stat {:one(C|Cal.|CAL)}{}' busy 'the balance is calibrating'
error = 'Stat {:one(--|- -)}' busy 'the balance has no value to show yet'
error = 'Stat {:one(Err|ERR)} {code}' permanent 'the balance reports an error'

# ESC x1_ prints the model.
[identify]
send   = '<ESC>x1_'
expect = ' {identity:word}'
expect = '{identity:word}'

[command weigh-now]
help        = 'The value as it is now; the unit is missing while it is not stable'
class       = safe
provisional = yes
send        = '<ESC>P'
expect      = '{value:real:>10}\ {unit:word}'
expect      = '{value:real:>10}'
expect      = '{:text:6}{value:real:>10}\ {unit:word}'
expect      = '{:text:6}{value:real:>10}'

[command weigh]
help       = 'A stable value; busy while it moves'
class      = safe
send       = '<ESC>P'
expect     = '{value:real:>10}\ {unit:word}'
expect     = '{:text:6}{value:real:>10}\ {unit:word}'
error      = '{:real:>10}' busy 'the weight is not stable'
error      = '{:text:6}{:real:>10}' busy 'the weight is not stable'

[command tare]
help  = 'Tare (no reply)'
class = once
send  = '<ESC>U'
reply = none

[command zero]
help  = 'Set zero (no reply)'
class = once
send  = '<ESC>V'
reply = none

[command tare-and-zero]
help  = 'What the Tare key does: zero or tare (no reply)'
class = once
send  = '<ESC>T'
reply = none

[command restart]
help  = 'Restart the balance (no reply)'
class = once
send  = '<ESC>S'
reply = none

[listen printed]
help  = 'A stable value, sent by the Print key'
match = '{value:real:>10}\ {unit:word}'
match = '{:text:6}{value:real:>10}\ {unit:word}'
as    = csv

[listen moving]
help  = 'Values that are not stable'
match = '{:real:>10}'
match = '{:text:6}{:real:>10}'
as    = ignore

[procedure weigh]
help   = 'A stable value, looked at every half second for a minute'
do     = weigh at most 120 times until done every 500ms
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

[procedure tare]
help   = 'Tare, then wait until the balance shows a stable net value'
do     = tare
wait   = 1s
do     = weigh at most 60 times until done every 500ms
result = value as net
result = unit

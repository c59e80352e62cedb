# Instruments with SCPI (IEEE 488.2) over a raw socket (port 5025) or a serial port: multimeters, supplies, scopes.
#
# Commands and replies end with LF; a reply that begins with '#' is a block of data that begins with its length. After every
# setting command the error queue is queried. Copy this file and add the instrument's own commands.
[profile]
title = 'SCPI instrument'

[line]
send_end   = '<LF>'
reply      = block '<LF>'
first_byte = 5s
gap        = 2s
max_reply  = 1MB
never      = ';'

# What comes in the place of a number when there is none (SCPI 1999, 7.2.1.4), and what some makers send instead.
[errors]
not_a_value = 9.9E37 'overload: outside the measuring range'
not_a_value = 9.91E37 'the instrument has no reading (not a number)'
not_a_value = 9.99999E37 'overload: outside the measuring range'
not_a_value = 1E38 'overload: outside the measuring range'
not_a_value = NAN 'the instrument has no reading (not a number)'
not_a_value = INF 'overload: outside the measuring range'
not_a_value = INFINITY 'overload: outside the measuring range'
not_a_value = '+INF' 'overload: outside the measuring range'
not_a_value = '-INF' 'overload: outside the measuring range'
not_a_value = OVLD 'overload: outside the measuring range'
not_a_value = OVERLOAD 'overload: outside the measuring range'
not_a_value = OVERFLOW 'overload: outside the measuring range'

# '*IDN?' also shows that no earlier reply is on its way: no measured value looks like four fields.
[identify]
send     = '*IDN?'
expect   = '{maker},{model},{serial},{version}'
identity = '{maker} {model} {serial}'

[command idn]
help   = 'Maker, model, serial number and version'
class  = safe
send   = '*IDN?'
expect = '{maker},{model},{serial},{version}'

[command next-error]
help   = 'The oldest entry of the error queue; code 0: no error'
class  = safe
send   = 'SYST:ERR?'
expect = '{code:int},"{message}"'

# Any code except 0 is a failure, with the instrument's own text.
[command check-errors]
help   = 'Is the error queue empty?'
class  = safe
send   = 'SYST:ERR?'
error  = '-{:int},{}' permanent 'an entry of the error queue'
error  = '{:one(1|2|3|4|5|6|7|8|9)}{}' permanent 'an entry of the error queue'
error  = '+{:one(1|2|3|4|5|6|7|8|9)}{}' permanent 'an entry of the error queue'
expect = '{code:int},"{message}"'

[command clear]
help   = 'Clear status and error queue'
class  = idempotent
send   = '*CLS'
reply  = none

[command reset]
help   = 'Settings back to those after switching on, and the answer when that is done'
class  = once
send   = '*RST;*OPC?'
first_byte = 60s
expect = '1'

[command self-test]
help   = 'Self-test; 0: passed'
class  = once
send   = '*TST?'
first_byte = 120s
expect = '{result:int}'

[command operation-complete]
help   = '1 when all that was begun has ended'
class  = safe
send   = '*OPC?'
first_byte = 60s
expect = '1'

[command trigger]
help   = 'Trigger'
class  = once
send   = '*TRG'
reply  = none

[command read]
help   = 'Begin a measurement and read its value'
class  = idempotent
send   = 'READ?'
first_byte = 60s
expect = '{value:real}'

[command fetch]
help   = 'The latest value, without a new measurement'
class  = safe
send   = 'FETC?'
expect = '{value:real}'

[command measure-voltage]
help   = 'Configure for DC voltage, measure and read'
class  = idempotent
send   = 'MEAS:VOLT:DC?'
first_byte = 60s
expect = '{value:real}'

[command measure-current]
help   = 'Configure for DC current, measure and read'
class  = idempotent
send   = 'MEAS:CURR:DC?'
first_byte = 60s
expect = '{value:real}'

[command measure-resistance]
help   = 'Configure for two-wire resistance, measure and read'
class  = idempotent
send   = 'MEAS:RES?'
first_byte = 60s
expect = '{value:real}'

[procedure measure-voltage]
help   = 'One DC voltage, refused when the instrument reports an error'
do     = clear
do     = measure-voltage
do     = check-errors
result = measure-voltage.value as voltage

[procedure read]
help   = 'One reading as the instrument is set; refused when it reports an error'
do     = clear
do     = read
do     = check-errors
result = read.value as value

[procedure drain-errors]
help   = 'Read the error queue until it is empty'
do     = next-error at most 100 times until code is 0
result = code

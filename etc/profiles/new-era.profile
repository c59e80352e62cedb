# New Era NE-xxx syringe pumps, Basic mode: "[address]COMMAND CR"; the pump answers "STX address status [data] ETX".
#
# Status: I infusing, W withdrawing, S stopped, P paused, T timed pause, U waiting for a trigger, X purging. "A?x" is an
# alarm: R power lost, S stalled, T safe-mode time-out, E program error, O program out of range.
[profile]
title = 'New Era syringe pump, Basic mode'
input = address int 0 to 99 digits 2 default 0

[line]
send_end   = '<CR>'
reply      = frame '<STX>' to '<ETX>'
first_byte = 1s
gap        = 300ms

# An alarm is reported instead of executing the command. A person must check whether a running motion was cut short.
[errors]
error = '{:int:2}A?R' person 'the pump lost power since the last command; its program may be gone'
error = '{:int:2}A?S' person 'the pump is stalled'
error = '{:int:2}A?T' person 'the pump had no command in time (safe mode)'
error = '{:int:2}A?E' person 'the pumping program has an error'
error = '{:int:2}A?O' person 'the pumping program is out of range'
error = '{:int:2}{:one(I|W|S|P|T|U|X)}?NA' permanent 'the command cannot be carried out now'
error = '{:int:2}{:one(I|W|S|P|T|U|X)}?OOR' permanent 'a value is out of range'
error = '{:int:2}{:one(I|W|S|P|T|U|X)}?COM' transient 'the pump received a damaged command'
error = '{:int:2}{:one(I|W|S|P|T|U|X)}?' permanent 'the pump does not know this command'

# The firmware version; the pump has no serial number to query.
[identify]
send   = '{address}VER'
expect = '{:int:2}{:one(I|W|S|P|T|U|X)}{identity:word}'

# A pump that raised an alarm answers with it once; a second query shows whether it is in step.
[resync]
send   = '{address}'
expect = '{:int:2}{}'

[command state]
help   = 'What the pump does'
class  = safe
send   = '{address}'
expect = '{:int:2}{state:one(I=infusing|W=withdrawing|S=stopped|P=paused|T=timed pause|U=waiting for trigger|X=purging)}'

[command set-diameter]
help   = 'Inside diameter of the syringe in mm'
class  = idempotent
send   = '{address}DIA{diameter}'
input  = diameter real 0.1 to 50
expect = '{:int:2}{:one(S|P)}'

[command set-rate]
help   = 'Pumping rate'
class  = idempotent
send   = '{address}RAT{rate}{unit}'
input  = rate real 0.001 to 9999
input  = unit one of UM, MM, UH, MH default MM
expect = '{:int:2}{:one(I|W|S|P)}'

[command set-volume]
help   = 'Volume to dispense, in the unit that the syringe sets'
class  = idempotent
send   = '{address}VOL{volume}'
input  = volume real 0.001 to 9999
expect = '{:int:2}{:one(S|P)}'

[command set-direction]
help   = 'INF infuses, WDR withdraws'
class  = idempotent
send   = '{address}DIR{direction}'
input  = direction one of INF, WDR
expect = '{:int:2}{:one(I|W|S|P)}'

[command run]
help   = 'Start pumping'
class  = once
send   = '{address}RUN'
expect = '{:int:2}{state:one(I=infusing|W=withdrawing)}'

[command stop]
help   = 'Stop pumping'
class  = idempotent
send   = '{address}STP'
expect = '{:int:2}{state:one(P=paused|S=stopped)}'
error  = '{:int:2}{:one(S|P)}?NA' done 'it had stopped already'

[command dispensed]
help   = 'Volumes infused and withdrawn'
class  = safe
send   = '{address}DIS'
expect = '{:int:2}{:one(I|W|S|P|T|U|X)}I{infused:real}W{withdrawn:real}{unit:word}'

[procedure dispense]
help   = 'Pump one volume and wait until the pump has stopped'
input  = volume real 0.001 to 9999
input  = rate real 0.001 to 9999
do     = set-direction direction=INF
do     = set-rate rate={rate}
do     = set-volume volume={volume}
do     = run
do     = state at most 3600 times until state is stopped every 1s
do     = dispensed
finally = stop
result = infused
result = unit
limit  = 65m

/* Inside src/os/linux: the parts of a serial port. serial.c opens and locks it, serial_line.c sets the line,
 * serial_rate.c sets rates that termios cannot name, serial_list.c lists the ports and finds out who has one.
 */
#ifndef LF_OS_LINUX_SERIAL_H
#define LF_OS_LINUX_SERIAL_H

#include "os/serial.h"

/* Raw mode, rate, bits, parity, stop bits and flow control; bad bytes made visible; a close that leaves DTR
 * alone. */
enum lf_status os__line_set(int fd, const struct lf_serial_settings *line, const char *name,
                            struct lf_error *err);
/* Reads the settings back. A pseudo terminal has no line and silently drops some: that is only logged for
 * debugging. On a real port a difference is an error that names the setting. */
enum lf_status os__line_verify(int fd, const struct lf_serial_settings *line, bool pseudo, const char *name,
                               struct lf_error *err);
/* Raises or drops DTR and RTS as asked. */
enum lf_status os__line_signals(int fd, const struct lf_serial_settings *line, bool pseudo, const char *name,
                                struct lf_error *err);

/* Any bit rate. -1 and errno on failure. */
int os__rate_set(int fd, unsigned baud);
int os__rate_get(int fd, unsigned *baud);

/* Names the first process that has the device open ("minicom (pid 812)", or this program itself); false if
 * none is visible to us. */
bool os__port_holder(const char *device, char *who, size_t room);

#endif

/* Inside of drivers/stream: the parts of a serial port. serial.c finds and claims it, line_settings.c sets
 * the line with termios, termios2.c sets rates that termios cannot name, holder.c finds out who has a port,
 * ports.c lists them.
 */
#ifndef LABFERRY_STREAM_SERIAL_H
#define LABFERRY_STREAM_SERIAL_H

#include "base/setting.h"
#include "drivers/stream/stream.h"

enum lf_parity { LF_PARITY_NONE, LF_PARITY_EVEN, LF_PARITY_ODD, LF_PARITY_MARK, LF_PARITY_SPACE };
enum lf_flow { LF_FLOW_NONE, LF_FLOW_XONXOFF, LF_FLOW_RTSCTS };

/* How a serial line is set. */
struct lf_line_settings {
    unsigned baud;
    int bits; /* 5 to 8 */
    enum lf_parity parity;
    int stop; /* 1 or 2 */
    enum lf_flow flow;
    bool dtr, rts; /* raised while the port is open; rts means nothing with LF_FLOW_RTSCTS */
};

extern const struct lf_setting stream__line_table[];

enum lf_status stream__line_from_values(const struct lf_values *values, struct lf_line_settings *line,
                                        struct lf_error *err);
/* "9600 8N1", "19200 7E1 xonxoff": for people. */
void stream__line_text(const struct lf_line_settings *line, char *text, size_t room);

/* Sets raw mode, rate, bits, parity and stop bits by termios alone: what libserialport does where it can. */
enum lf_status stream__line_apply(int fd, const struct lf_line_settings *line, const char *name,
                                  struct lf_error *err);
/* What every port gets whoever set the line: flow control (libserialport 0.1.1 puts CRTSCTS into the wrong
 * word, and lets any byte end XOFF), CLOCAL, no HUPCL, bad bytes made visible, reads that tell "nothing yet"
 * from "hung up". */
enum lf_status stream__line_tidy(int fd, const struct lf_line_settings *line, const char *name,
                                 struct lf_error *err);
/* Reads the settings back. A pseudo terminal has no line and silently drops some: that is only a debug note.
 * On a real port a difference is an error that names the setting. */
enum lf_status stream__line_verify(int fd, const struct lf_line_settings *line, bool pseudo, const char *name,
                                   struct lf_error *err);
/* Raises or drops DTR and RTS as asked. */
enum lf_status stream__line_signals(int fd, const struct lf_line_settings *line, bool pseudo,
                                    const char *name, struct lf_error *err);

/* Any bit rate. -1 and errno on failure. */
int stream__termios2_set_baud(int fd, unsigned baud);
int stream__termios2_get_baud(int fd, unsigned *baud);

/* Names the first process that has the device open ("minicom (pid 812)", or this agent itself); false if none
 * is visible to us. */
bool stream__port_holder(const char *device, char *who, size_t room);

/* What libserialport knows of the machine's ports. Calls `each` for every one, with texts that are valid for
 * the call; description, usb and serial may be NULL. Stops when each does not return LF_OK. */
struct lf_port_facts {
    const char *path, *description, *serial;
    bool usb;
    int vendor, product;
};
enum lf_status stream__serial_scan(enum lf_status (*each)(void *context, const struct lf_port_facts *facts,
                                                          struct lf_error *err),
                                   void *context, struct lf_error *err);

#endif

/* Serial ports: listing, opening for us alone, bytes and the line. A port belongs to one thread. */
#ifndef LF_OS_SERIAL_H
#define LF_OS_SERIAL_H

#include "os/wait.h"

enum lf_parity { LF_PARITY_NONE, LF_PARITY_EVEN, LF_PARITY_ODD, LF_PARITY_MARK, LF_PARITY_SPACE };
enum lf_flow { LF_FLOW_NONE, LF_FLOW_XONXOFF, LF_FLOW_RTSCTS };

struct lf_serial_settings {
    unsigned baud; /* any rate */
    int bits;      /* 5 to 8 */
    enum lf_parity parity;
    int stop; /* 1 or 2 */
    enum lf_flow flow;
    int dtr, rts; /* not 0: raised while the port is open; rts has no meaning with LF_FLOW_RTSCTS */
};

struct lf_serial;
enum { LF_SERIAL_PATH = 256 }; /* bytes in a path or device name, the NUL included */

/* The device that a path leads to, links followed: one name for each port. The path itself where nothing is
 * plugged in. LF_INVALID: it cannot be the path of a port. */
enum lf_status lf_serial_device(const char *path, char device[LF_SERIAL_PATH], struct lf_error *err);

/* Opens and sets the line, never waiting; what arrived before is dropped. No other program can open the port
 * until it is closed. Returns owned. LF_NOT_FOUND or LF_DISCONNECTED (not plugged in), LF_BUSY (the text says
 * who has it, where that can be seen), LF_DENIED (needs a person), LF_INVALID (not a serial port),
 * LF_UNSUPPORTED (the port did not take a setting). */
enum lf_status lf_serial_open(const char *path, const struct lf_serial_settings *settings,
                              struct lf_serial **serial, struct lf_error *err);
void lf_serial_close(struct lf_serial *serial); /* drops what is queued; never waits */
struct lf_waitable lf_serial_waitable(const struct lf_serial *serial);

/* Neither waits. LF_OK with *count > 0; LF_BUSY: nothing now, wait for it; LF_DISCONNECTED with the reason
 * alone as its text. A byte that arrives with a parity or frame error is read as NUL. */
enum lf_status lf_serial_read(struct lf_serial *serial, void *data, size_t room, size_t *count,
                              struct lf_error *err);
enum lf_status lf_serial_write(struct lf_serial *serial, const void *data, size_t len, size_t *count,
                               struct lf_error *err);
size_t lf_serial_unsent(const struct lf_serial *serial); /* bytes written that are not on the wire yet */
void lf_serial_drop_unsent(struct lf_serial *serial);

/* A serial port of this machine, for `labferry ports`. */
struct lf_port {
    char *path;        /* /dev/ttyUSB0 */
    char *by_id;       /* stable link under /dev/serial/by-id, or by-path, or NULL */
    char *description; /* "USB FT232R ..." */
    char *usb;         /* "0403:6001 serial A50285BI", or NULL */
    char *hint;        /* a warning: no serial number, ModemManager, brltty ...; or NULL */
};
/* Returns an owned array of *count ports (lf_ports_free). */
enum lf_status lf_ports_list(struct lf_port **ports, size_t *count, struct lf_error *err);
void lf_ports_free(struct lf_port *ports, size_t count);

#endif

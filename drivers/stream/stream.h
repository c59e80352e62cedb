/* Streams: byte connections under a driver. Named by a URL-like text:
 *
 *   serial:/dev/serial/by-id/usb-...?baud=9600&bits=8&parity=none&stop=1&flow=xonxoff
 *   tcp:192.0.2.7:8001          tcp:[::1]:8001
 *   unix:/run/balance.sock
 *
 * A stream belongs to one thread. Every wait has a deadline and a cancel.
 */
#ifndef LABFERRY_STREAM_H
#define LABFERRY_STREAM_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "os/serial.h"
#include "os/wait.h"

struct lf_stream;

/* Checks the text without touching a device. `resource` (room bytes, may be NULL) gets a canonical name of
 * what only one instrument may use: "serial /dev/ttyUSB0" (links resolved), "tcp HOST:PORT", "unix PATH".
 * Class of errors: permanent. */
enum lf_status lf_stream_check(const char *spec, char *resource, size_t room, struct lf_error *err);

/* Opens. `line` ("baud=9600&flow=xonxoff", may be NULL) holds the settings of a serial port that `spec` does
 * not set itself. cancel is borrowed until close and may be NULL. Returns owned. Errors: LF_NOT_FOUND /
 * LF_DISCONNECTED (transient: not plugged in, refused), LF_BUSY (another program uses the port), LF_DENIED,
 * LF_INVALID, LF_TIMEOUT. */
enum lf_status lf_stream_open(const char *spec, const char *line, int64_t deadline,
                              const struct lf_cancel *cancel, struct lf_stream **stream,
                              struct lf_error *err);
void lf_stream_close(struct lf_stream *stream); /* NULL is fine; does not wait long */

/* Writes all bytes or fails. *written (may be NULL) is how many have left this machine. On a serial port
 * LF_OK means that they are on the wire, and bytes still queued at a failure are discarded, so that they
 * cannot leave late. A socket cannot discard: close it after a failure. */
enum lf_status lf_stream_write(struct lf_stream *stream, const void *data, size_t len, int64_t deadline,
                               size_t *written, struct lf_error *err);
/* Reads at least one byte, at most room. LF_TIMEOUT: the deadline passed; LF_DISCONNECTED: the other end
 * has gone. */
enum lf_status lf_stream_read(struct lf_stream *stream, void *data, size_t room, int64_t deadline,
                              size_t *got, struct lf_error *err);
/* Discards what has arrived, without waiting. */
enum lf_status lf_stream_drain(struct lf_stream *stream, struct lf_error *err);
/* Waits until something can be read, the deadline, or `wake` (may be NULL). LF_OK: readable or woken;
 * *readable says which. */
enum lf_status lf_stream_wait(struct lf_stream *stream, const struct lf_wake *wake, int64_t deadline,
                              bool *readable, struct lf_error *err);
/* From now on waits watch this one, borrowed until close; NULL: none. For what must be sent after a cancel.
 */
void lf_stream_watch(struct lf_stream *stream, const struct lf_cancel *cancel);
/* For people: "/dev/ttyUSB0 at 9600 8N1", "192.0.2.7:8001". Borrowed. */
const char *lf_stream_name(const struct lf_stream *stream);

#endif

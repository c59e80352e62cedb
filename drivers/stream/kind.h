/* Inside drivers/stream: what a kind of stream (serial, tcp, unix) gives to stream.c, which reads, writes
 * and waits for all of them.
 */
#ifndef LABFERRY_STREAM_KIND_H
#define LABFERRY_STREAM_KIND_H

#include "base/setting.h"
#include "drivers/stream/stream.h"
#include "os/net.h"

enum { LF_STREAM_NAME_MAX = 320 };

struct lf_stream {
    struct lf_serial *serial; /* the connection: this, or the socket */
    struct lf_socket socket;
    const struct lf_cancel *cancel; /* borrowed; may be NULL */
    char name[LF_STREAM_NAME_MAX];  /* for people */
};

struct lf_stream_kind {
    const char *name;                  /* "serial": what stands before the first ':' */
    const char *example;               /* for error messages */
    const struct lf_setting *settings; /* the options after '?'; NULL: it has none */

    /* Checks the place (what stands between ':' and '?') and the values; touches no device. Fills resource,
     * which may be NULL with room 0. */
    enum lf_status (*check)(const char *place, const struct lf_values *values, char *resource, size_t room,
                            struct lf_error *err);
    /* Connects: fills serial or socket, and name, of *stream, whose cancel is set. The place and the values
     * have been checked. Leaves nothing open when it fails. */
    enum lf_status (*open)(const char *place, const struct lf_values *values, int64_t deadline,
                           struct lf_stream *stream, struct lf_error *err);
};

extern const struct lf_stream_kind stream__serial, stream__tcp, stream__unix;

/* tcp.c: connects stream->socket to the addresses, which it frees; adds to an error what to check at the
 * instrument. */
enum lf_status stream__connect(struct lf_stream *stream, struct lf_addresses *addresses, int64_t deadline,
                               struct lf_error *err);

#endif

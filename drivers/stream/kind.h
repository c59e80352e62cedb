/* Inside of drivers/stream: what a kind of stream (serial, tcp, unix) gives to stream.c.
 *
 * A kind opens a non-blocking descriptor; reading, writing and waiting are the same for all and live in
 * stream.c.
 */
#ifndef LABFERRY_STREAM_KIND_H
#define LABFERRY_STREAM_KIND_H

#include "base/setting.h"
#include "drivers/stream/stream.h"

enum { LF_STREAM_NAME_MAX = 320 };

struct lf_stream_kind;

struct lf_stream {
    const struct lf_stream_kind *kind;
    int fd;                         /* non-blocking; -1 while closed */
    void *port;                     /* what the kind keeps beside the descriptor; NULL for sockets */
    const struct lf_cancel *cancel; /* borrowed; may be NULL */
    char name[LF_STREAM_NAME_MAX];  /* for people */
};

struct lf_stream_kind {
    const char *name;                  /* "serial": what stands before the first ':' */
    const char *example;               /* for error messages */
    bool terminal;                     /* a tty (its output queue can be asked and flushed), not a socket */
    const struct lf_setting *settings; /* the options after '?' */

    /* Checks the place (what stands between ':' and '?') and the values; touches no device. Fills resource
     * (room > 0). */
    enum lf_status (*check)(const char *place, const struct lf_values *values, char *resource, size_t room,
                            struct lf_error *err);
    /* Opens: fills fd, port and name of *stream, whose kind and cancel are set. Leaves nothing open when it
     * fails. */
    enum lf_status (*open)(const char *place, const struct lf_values *values, int64_t deadline,
                           struct lf_stream *stream, struct lf_error *err);
    void (*close)(struct lf_stream *stream);
};

extern const struct lf_stream_kind stream__serial, stream__tcp, stream__unix;

/* Connects a socket: makes it non-blocking, waits for the deadline or the cancel. Returns the descriptor in
 * *fd. `what` names the peer in messages. Shared by tcp.c and unix.c. */
struct sockaddr;
enum lf_status stream__socket_connect(const struct sockaddr *address, unsigned address_len, int64_t deadline,
                                      const struct lf_cancel *cancel, const char *what, int *fd,
                                      struct lf_error *err);
void stream__socket_close(struct lf_stream *stream);

/* Looks a host and port up, without waiting beyond the deadline or the cancel. Returns an owned list
 * (freeaddrinfo). */
struct addrinfo;
enum lf_status stream__resolve(const char *host, const char *port, int64_t deadline,
                               const struct lf_cancel *cancel, struct addrinfo **list, struct lf_error *err);

#endif

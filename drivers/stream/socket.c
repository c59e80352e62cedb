/* What tcp.c and unix.c share: connecting with a deadline, and closing. */
#include "drivers/stream/kind.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum lf_status connect_failed(const char *what, int number, struct lf_error *err)
{
    char room[80];
    const char *reason = strerror_r(number, room, sizeof room);
    switch (number) {
    case ECONNREFUSED:
        return lf_fail(
            err, LF_DISCONNECTED, LF_TRANSIENT,
            "%s refused the connection; is the instrument on, and is its interface set to this port?", what);
    case ENOENT:
        return lf_fail(err, LF_NOT_FOUND, LF_TRANSIENT,
                       "%s is not there; is the program that makes it running?", what);
    case EACCES:
    case EPERM:
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON, "%s: %s; this user may not connect there", what,
                       reason);
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                       "%s: %s; this machine has no network that leads there", what, reason);
    case ETIMEDOUT:
        return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "%s does not answer; is the instrument on and cabled?",
                       what);
    default: return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "cannot connect to %s: %s", what, reason);
    }
}

/* Waits for a connection that was begun. Returns 0 or the errno it ended with; *status tells of deadline and
 * cancel. */
static int finish_connect(int fd, int64_t deadline, const struct lf_cancel *cancel, enum lf_status *status)
{
    *status = lf_wait(lf_waitable_socket(fd), LF_WRITABLE, deadline, cancel, NULL);
    if (*status == LF_TIMEOUT)
        return ETIMEDOUT;
    if (*status)
        return errno;
    int number = 0;
    socklen_t len = sizeof number;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) ? errno : number;
}

enum lf_status stream__socket_connect(const struct sockaddr *address, unsigned address_len, int64_t deadline,
                                      const struct lf_cancel *cancel, const char *what, int *fd,
                                      struct lf_error *err)
{
    enum lf_status status = LF_OK;
    int number = 0;
    *fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return connect_failed(what, errno, err);
    if (connect(*fd, address, address_len))
        number = errno;
    if (number == EINPROGRESS || number == EINTR)
        number = finish_connect(*fd, deadline, cancel, &status);
    else if (number == EAGAIN) /* a Unix socket whose queue of waiting clients is full */
        number = ECONNREFUSED;
    if (number == 0 && status == LF_OK)
        return LF_OK;
    close(*fd);
    *fd = -1;
    if (status == LF_CANCELLED)
        return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "%s: stopped while connecting", what);
    return connect_failed(what, number, err);
}

void stream__socket_close(struct lf_stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

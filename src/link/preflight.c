/* Can the broker be reached at all? libmosquitto connects in a blocking call that nothing can end before
 * the kernel gives up, after two minutes or so; this asks first, with a deadline and a cancel. */
#include "link/session.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int try_address(const struct addrinfo *address, int64_t deadline, const struct lf_cancel *cancel)
{
    int error = 0;
    socklen_t len = sizeof error;
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
        error = errno;
    if (error == EINPROGRESS) {
        enum lf_status status = lf_wait(lf_waitable_socket(fd), LF_WRITABLE, deadline, cancel, NULL);
        error = status == LF_CANCELLED ? ECANCELED : ETIMEDOUT;
        if (status == LF_OK && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
            error = errno;
    }
    close(fd);
    return error;
}

enum lf_status link__preflight(struct lf_link *link, int64_t deadline, struct lf_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    char port[12];
    snprintf(port, sizeof port, "%d", link->port);
    int failed = getaddrinfo(link->host, port, &hints, &addresses);
    if (failed)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "cannot find the broker %s: %s", link->host,
                       gai_strerror(failed));
    int error = EHOSTUNREACH;
    for (const struct addrinfo *at = addresses; at && error && error != ECANCELED; at = at->ai_next)
        error = try_address(at, deadline, &link->stop);
    freeaddrinfo(addresses);
    if (error == ECANCELED)
        return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "stopping");
    if (error)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "cannot reach the broker %s:%d: %s", link->host,
                       link->port, strerror(error));
    return LF_OK;
}

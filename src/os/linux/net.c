/* Sockets, and looking up names without blocking the caller.
 *
 * getaddrinfo() has neither deadline nor cancel, and a dead name server holds it for half a minute. So a name
 * (not a number: that needs no network) is looked up in a thread of its own. The lookup is shared by that
 * thread and the waiter, and freed by the last of them, so that the waiter may give up at any time.
 */
#include "os/net.h"

#include "base/clock.h"
#include "os/linux/native.h"
#include "os/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    KEEPALIVE_IDLE_S = 15,
    KEEPALIVE_INTERVAL_S = 5,
    KEEPALIVE_COUNT = 4, /* a cable pulled out of a switch is noticed within 35 s */
};

_Static_assert(sizeof((struct sockaddr_un *)0)->sun_path == LF_LOCAL_PATH_MAX + 1, "as the kernel has it");

struct lf_addresses {
    struct addrinfo *list; /* of getaddrinfo, or `local` */
    struct addrinfo local;
    struct sockaddr_un path;
};

struct lookup {
    char host[256], port[8];
    struct lf_wake done;
    atomic_int users;
    atomic_bool finished; /* set after result and list */
    int result;
    struct addrinfo *list;
};

/* ---- addresses ---- */

static void release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->users, 1) > 1)
        return;
    if (lookup->list)
        freeaddrinfo(lookup->list);
    lf_wake_close(&lookup->done);
    free(lookup);
}

static void *run(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    lookup->result = getaddrinfo(lookup->host, lookup->port, &hints, &list);
    lookup->list = lookup->result == 0 ? list : NULL;
    lookup->finished = true;
    lf_wake_up(&lookup->done);
    release(lookup);
    return NULL;
}

static enum lf_status begin(const char *host, const char *port, struct lookup **out, struct lf_error *err)
{
    struct lf_thread thread;
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return lf_fail_memory(err, "looking up a host name");
    strncpy(lookup->host, host, sizeof lookup->host - 1);
    strncpy(lookup->port, port, sizeof lookup->port - 1);
    lookup->users = 1;
    enum lf_status status = lf_wake_open(&lookup->done, err);
    if (status == LF_OK) {
        lookup->users = 2;
        status = lf_thread_start(&thread, "lookup", run, lookup, err);
    }
    if (status != LF_OK) {
        lookup->users = 1;
        release(lookup);
        return status;
    }
    lf_thread_detach(&thread);
    *out = lookup;
    return LF_OK;
}

static enum lf_status explain(const char *host, int result, struct lf_error *err)
{
    if (result == EAI_NONAME || result == EAI_FAIL)
        return lf_fail(err, LF_NOT_FOUND, LF_TRANSIENT,
                       "no address is known for '%s'; check the name and the name server", host);
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "cannot look up '%s': %s", host, gai_strerror(result));
}

static enum lf_status look_up(const char *host, const char *port, int64_t deadline,
                              const struct lf_cancel *cancel, struct addrinfo **list, struct lf_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct lookup *lookup = NULL;
    if (getaddrinfo(host, port, &hints, list) == 0)
        return LF_OK;
    *list = NULL;
    enum lf_status status = begin(host, port, &lookup, err);
    if (status != LF_OK)
        return status;
    status = lf_wake_wait(&lookup->done, deadline, cancel);
    if (status == LF_CANCELLED) {
        lf_fail(err, status, LF_TRANSIENT, "stopped while looking up '%s'", host);
    } else if (status != LF_OK || !lookup->finished) {
        status = lf_fail(err, LF_TIMEOUT, LF_TRANSIENT,
                         "the name server did not answer for '%s' in the time allowed", host);
    } else if (lookup->result) {
        status = explain(host, lookup->result, err);
    } else {
        *list = lookup->list;
        lookup->list = NULL;
    }
    release(lookup);
    return status;
}

enum lf_status lf_net_lookup(const char *host, const char *port, int64_t deadline,
                             const struct lf_cancel *cancel, struct lf_addresses **addresses,
                             struct lf_error *err)
{
    *addresses = calloc(1, sizeof **addresses);
    if (!*addresses)
        return lf_fail_memory(err, "looking up a host name");
    enum lf_status status = look_up(host, port, deadline, cancel, &(*addresses)->list, err);
    if (status != LF_OK) {
        free(*addresses);
        *addresses = NULL;
    }
    return status;
}

enum lf_status lf_net_local(const char *path, struct lf_addresses **addresses, struct lf_error *err)
{
    *addresses = NULL;
    if (strlen(path) > LF_LOCAL_PATH_MAX)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the path of the socket is too long: %.200s", path);
    struct lf_addresses *local = calloc(1, sizeof *local);
    if (!local)
        return lf_fail_memory(err, "a Unix socket");
    local->path.sun_family = AF_UNIX;
    memcpy(local->path.sun_path, path, strlen(path));
    local->local = (struct addrinfo){.ai_family = AF_UNIX,
                                     .ai_addr = (struct sockaddr *)&local->path,
                                     .ai_addrlen = sizeof local->path};
    local->list = &local->local;
    *addresses = local;
    return LF_OK;
}

void lf_addresses_free(struct lf_addresses *addresses)
{
    if (addresses && addresses->list != &addresses->local)
        freeaddrinfo(addresses->list);
    free(addresses);
}

size_t lf_net_parse(const char *text, unsigned char bytes[16])
{
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

/* ---- connecting ---- */

static enum lf_status connect_failed(const char *what, int number, struct lf_error *err)
{
    char room[80];
    const char *reason = strerror_r(number, room, sizeof room);
    switch (number) {
    case ECANCELED: return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "%s: stopped while connecting", what);
    case EAGAIN: /* a Unix socket whose queue of waiting clients is full */
    case ECONNREFUSED: return lf_fail(err, LF_REFUSED, LF_TRANSIENT, "%s refused the connection", what);
    case ENOENT: return lf_fail(err, LF_NOT_FOUND, LF_TRANSIENT, "%s does not exist", what);
    case EACCES:
    case EPERM:
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON, "%s: %s; this user may not connect there", what,
                       reason);
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return lf_fail(err, LF_UNSUPPORTED, LF_TRANSIENT, "%s: %s; this machine has no network route to it",
                       what, reason);
    case ETIMEDOUT: return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "%s does not answer", what);
    default: return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "cannot connect to %s: %s", what, reason);
    }
}

/* Small commands must leave at once, and a vanished peer must be noticed even while we only listen. */
static void tune(int fd)
{
    int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, count = KEEPALIVE_COUNT;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* Waits for a connection that was begun. Returns 0 or the errno that it ended with. */
static int finish_connect(int fd, int64_t deadline, const struct lf_cancel *cancel)
{
    int number = 0;
    socklen_t len = sizeof number;
    switch (lf_wait(os__waitable(fd), LF_WRITABLE, deadline, cancel, NULL)) {
    case LF_OK: return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) ? errno : number;
    case LF_TIMEOUT: return ETIMEDOUT;
    case LF_CANCELLED: return ECANCELED;
    default: return errno;
    }
}

/* Returns 0 or an errno. */
static int connect_one(const struct addrinfo *address, int64_t deadline, const struct lf_cancel *cancel,
                       int *fd)
{
    int number = 0;
    *fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return errno;
    if (connect(*fd, address->ai_addr, address->ai_addrlen))
        number = errno;
    if (number == EINPROGRESS || number == EINTR)
        number = finish_connect(*fd, deadline, cancel);
    if (number) {
        close(*fd);
        *fd = -1;
    } else if (address->ai_family != AF_UNIX) {
        tune(*fd);
    }
    return number;
}

/* This address's share of the time, when `others` more follow: one dead address (mostly an IPv6 one
 * without a route) must not use up the time of those that work. */
static int64_t share(int64_t deadline, int others)
{
    return deadline == LF_NEVER ? LF_NEVER : lf_deadline_in(lf_deadline_left(deadline) / (others + 1));
}

enum lf_status lf_socket_connect(struct lf_socket *socket, const struct lf_addresses *addresses,
                                 int64_t deadline, const struct lf_cancel *cancel, const char *what,
                                 struct lf_error *err)
{
    int others = 0, number = EHOSTUNREACH, fd = -1;
    for (const struct addrinfo *item = addresses->list; item; item = item->ai_next)
        others++;
    for (const struct addrinfo *item = addresses->list; item && number && number != ECANCELED;
         item = item->ai_next)
        number = connect_one(item, share(deadline, --others), cancel, &fd);
    socket->waitable = os__waitable(fd);
    return number ? connect_failed(what, number, err) : LF_OK;
}

void lf_socket_close(struct lf_socket *socket)
{
    if (socket->waitable.os)
        close(os__fd(socket->waitable));
    *socket = (struct lf_socket){0};
}

/* ---- bytes ---- */

enum lf_status os__moved(ssize_t result, size_t *count, struct lf_error *err)
{
    char room[80];
    *count = result > 0 ? (size_t)result : 0;
    if (result > 0)
        return LF_OK;
    if (result == 0)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the connection was closed");
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return LF_BUSY;
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s", strerror_r(errno, room, sizeof room));
}

enum lf_status lf_socket_read(const struct lf_socket *socket, void *data, size_t room, size_t *count,
                              struct lf_error *err)
{
    return os__moved(recv(os__fd(socket->waitable), data, room, MSG_DONTWAIT), count, err);
}

enum lf_status lf_socket_write(const struct lf_socket *socket, const void *data, size_t len, size_t *count,
                               struct lf_error *err)
{
    return os__moved(send(os__fd(socket->waitable), data, len, MSG_NOSIGNAL | MSG_DONTWAIT), count, err);
}

/* ---- sockets of libraries ---- */

enum lf_status lf_socket_share(intptr_t native, struct lf_socket *copy)
{
    copy->waitable = os__waitable(native >= 0 ? fcntl((int)native, F_DUPFD_CLOEXEC, 0) : -1);
    return copy->waitable.os ? LF_OK : LF_IO;
}

void lf_socket_linger(struct lf_socket *socket, int64_t deadline)
{
    char unread[4096];
    size_t count;
    struct lf_error ended;
    enum lf_status status = LF_OK;
    shutdown(os__fd(socket->waitable), SHUT_WR);
    while (status == LF_OK && lf_wait(socket->waitable, LF_READABLE, deadline, NULL, NULL) == LF_OK)
        status = lf_socket_read(socket, unread, sizeof unread, &count, &ended);
    lf_socket_close(socket);
}

intptr_t lf_socket_make(int family, int type, int protocol)
{
    return socket(family, type | SOCK_CLOEXEC, protocol);
}

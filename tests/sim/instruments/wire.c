#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

/* ---- pseudo terminal ---- */

/* Makes `place` a link to the terminal, at once and only over another link. */
static enum lf_status link_terminal(const char *place, const char *terminal, struct lf_error *err)
{
    char next[sizeof((struct wire *)NULL)->place + 16];
    struct stat info;
    if (lstat(place, &info) == 0 && !S_ISLNK(info.st_mode))
        return lf_fail(err, LF_EXISTS, LF_PERMANENT,
                       "%s exists and is not a link: choose another path for --pty", place);
    snprintf(next, sizeof next, "%s.%d", place, (int)getpid());
    unlink(next);
    if (symlink(terminal, next) || rename(next, place)) {
        enum lf_status status = lf_fail_errno(err, "cannot make the link %s", place);
        unlink(next);
        return status;
    }
    return LF_OK;
}

static enum lf_status plug_pty(struct wire *wire, struct lf_error *err)
{
    char terminal[64];
    struct termios raw;
    if (openpty(&wire->fd, &wire->slave, terminal, NULL, NULL))
        return lf_fail_errno(err, "cannot make a pseudo terminal");
    tcgetattr(wire->slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(wire->slave, TCSANOW, &raw);
    fcntl(wire->fd, F_SETFL, O_NONBLOCK);
    fcntl(wire->fd, F_SETFD, FD_CLOEXEC);
    fcntl(wire->slave, F_SETFD, FD_CLOEXEC);
    return link_terminal(wire->place, terminal, err);
}

/* ---- sockets ---- */

static enum lf_status plug_tcp(struct wire *wire, struct lf_error *err)
{
    char host[sizeof wire->place], *colon;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *list = NULL;
    snprintf(host, sizeof host, "%s", wire->place);
    colon = strrchr(host, ':');
    if (!colon || colon == host)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "--tcp %s: write HOST:PORT, for example 127.0.0.1:0",
                       wire->place);
    *colon = '\0';
    size_t len = strlen(host);
    bool brackets = host[0] == '[' && host[len - 1] == ']';
    if (brackets)
        host[len - 1] = '\0';
    int failed = getaddrinfo(brackets ? host + 1 : host, colon + 1, &hints, &list);
    if (failed)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "--tcp %s: %s", wire->place, gai_strerror(failed));
    int on = 1;
    enum lf_status status = LF_OK;
    wire->listener = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->listener >= 0)
        setsockopt(wire->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (wire->listener < 0 || bind(wire->listener, list->ai_addr, list->ai_addrlen)
        || listen(wire->listener, 4)) {
        status = lf_fail_errno(err, "cannot listen on %s", wire->place);
    } else {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        char port[8] = "0";
        getsockname(wire->listener, (struct sockaddr *)&address, &size);
        getnameinfo((struct sockaddr *)&address, size, NULL, 0, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
        snprintf(wire->place, sizeof wire->place, brackets ? "[%.200s]:%s" : "%.200s:%s",
                 brackets ? host + 1 : host, port);
    }
    freeaddrinfo(list);
    return status;
}

int wire_listen_unix(const char *path, struct lf_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        lf_fail(err, LF_INVALID, LF_PERMANENT, "the socket path is longer than %zu bytes: %s",
                sizeof address.sun_path - 1, path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct stat info;
    if (fd >= 0 && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)
        && connect(fd, (struct sockaddr *)&address, sizeof address) && errno == ECONNREFUSED)
        unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8)) {
        lf_fail_errno(err, "cannot listen on %s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

bool wire_accept(struct wire *wire)
{
    int fd = accept4(wire->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0)
        return false;
    if (wire->kind == WIRE_TCP)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wire->fd = fd;
    return true;
}

void wire_drop_client(struct wire *wire)
{
    if (wire->kind == WIRE_PTY || wire->fd < 0)
        return;
    close(wire->fd);
    wire->fd = -1;
}

/* ---- all ---- */

enum lf_status wire_open(struct wire *wire, enum wire_kind kind, const char *place, struct lf_error *err)
{
    *wire = (struct wire){.kind = kind, .fd = -1, .listener = -1, .slave = -1};
    if (strlen(place) >= sizeof wire->place)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the path is too long: %.100s...", place);
    strcpy(wire->place, place);
    return wire_plug(wire, err);
}

enum lf_status wire_plug(struct wire *wire, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    if (wire->plugged)
        return LF_OK;
    if (wire->kind == WIRE_PTY) {
        status = plug_pty(wire, err);
    } else if (wire->kind == WIRE_TCP) {
        status = plug_tcp(wire, err);
    } else {
        wire->listener = wire_listen_unix(wire->place, err);
        status = wire->listener < 0 ? LF_IO : LF_OK;
    }
    wire->plugged = true; /* also half: wire_unplug then closes what is there */
    if (status)
        wire_unplug(wire);
    return status;
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void wire_unplug(struct wire *wire)
{
    char terminal[64] = "", target[64] = "";
    if (!wire->plugged)
        return;
    if (wire->slave >= 0) { /* take only our own link away */
        int unnamed = ttyname_r(wire->slave, terminal, sizeof terminal);
        ssize_t len = readlink(wire->place, target, sizeof target - 1);
        if (!unnamed && len > 0 && !strcmp(terminal, target))
            unlink(wire->place);
    }
    if (wire->kind == WIRE_UNIX && wire->listener >= 0)
        unlink(wire->place);
    close_if_open(&wire->fd);
    close_if_open(&wire->slave);
    close_if_open(&wire->listener);
    wire->plugged = false;
}

ssize_t wire_read(struct wire *wire, void *data, size_t room)
{
    ssize_t count = read(wire->fd, data, room);
    if (count < 0 && errno != EAGAIN && errno != EINTR)
        return wire->kind == WIRE_PTY ? -1 : 0;
    return count;
}

ssize_t wire_write(struct wire *wire, const void *data, size_t len)
{
    return wire->kind == WIRE_PTY ? write(wire->fd, data, len) : send(wire->fd, data, len, MSG_NOSIGNAL);
}

void wire_stream_name(const struct wire *wire, char *text, size_t room)
{
    static const char *const names[] = {"none", "serial", "tcp", "unix"};
    snprintf(text, room, "%s:%s", names[wire->kind], wire->place);
}

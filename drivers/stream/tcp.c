/* TCP: tcp:192.0.2.7:8001, tcp:balance.lab.example:4001, tcp:[2001:db8::7]:8001.
 *
 * A name may have several addresses: each gets its share of the time that is left, so that one dead address
 * (an IPv6 one that leads nowhere, mostly) does not eat the time of those that work.
 */
#include "drivers/stream/kind.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    HOST_MAX = 254, /* RFC 1035: 253 characters */
    KEEPALIVE_IDLE_S = 15,
    KEEPALIVE_INTERVAL_S = 5,
    KEEPALIVE_COUNT = 4, /* a cable pulled out of a switch is noticed within 35 s */
};

static const struct lf_setting settings[] = {{0}};

struct address {
    char host[HOST_MAX];
    char port[6];
    bool v6; /* was in brackets */
};

static enum lf_status bad_address(const char *place, const char *why, struct lf_error *err)
{
    return lf_fail(err, LF_INVALID, LF_PERMANENT,
                   "tcp:%.200s: %s; write tcp:HOST:PORT, or tcp:[ADDRESS]:PORT for IPv6", place, why);
}

static enum lf_status parse_port(const char *place, const char *text, struct address *out,
                                 struct lf_error *err)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || text[len] || len >= sizeof out->port)
        return bad_address(place, "the port is not a number from 1 to 65535", err);
    long port = strtol(text, NULL, 10);
    if (port < 1 || port > 65535)
        return bad_address(place, "the port is not a number from 1 to 65535", err);
    snprintf(out->port, sizeof out->port, "%u", (unsigned)port & 0xffffu);
    return LF_OK;
}

static enum lf_status parse_address(const char *place, struct address *out, struct lf_error *err)
{
    const char *host = place, *end, *colon;
    memset(out, 0, sizeof *out);
    if (place[0] == '[') {
        host = place + 1;
        end = strchr(host, ']');
        if (!end || end[1] != ':')
            return bad_address(place, "']:' is missing after the address", err);
        colon = end + 1;
        out->v6 = true;
    } else {
        end = colon = strrchr(place, ':');
        if (!colon)
            return bad_address(place, "the port is missing", err);
        if (memchr(place, ':', (size_t)(colon - place)))
            return bad_address(place, "an IPv6 address must stand in brackets", err);
    }
    size_t len = (size_t)(end - host);
    if (len == 0 || len >= sizeof out->host)
        return bad_address(place, len ? "the host name is too long" : "the host is missing", err);
    memcpy(out->host, host, len);
    if (strpbrk(out->host, " /@#"))
        return bad_address(place, "this is not a host name", err);
    return parse_port(place, colon + 1, out, err);
}

static void address_text(const struct address *address, char *text, size_t room)
{
    snprintf(text, room, address->v6 ? "[%s]:%s" : "%s:%s", address->host, address->port);
}

static enum lf_status check_tcp(const char *place, const struct lf_values *values, char *resource,
                                size_t room, struct lf_error *err)
{
    struct address address;
    char text[LF_STREAM_NAME_MAX];
    (void)values;
    enum lf_status status = parse_address(place, &address, err);
    if (status != LF_OK)
        return status;
    address_text(&address, text, sizeof text);
    snprintf(resource, room, "tcp %s", text);
    return LF_OK;
}

/* Small commands must leave at once; a peer that vanished must be noticed while we only listen. */
static void tune(int fd)
{
    int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, count = KEEPALIVE_COUNT;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* This address's share of the time, when `others` more follow. */
static int64_t share(int64_t deadline, int others)
{
    if (deadline == LF_NEVER)
        return LF_NEVER;
    return lf_deadline_in(lf_deadline_left(deadline) / (others + 1));
}

static enum lf_status connect_any(const struct addrinfo *list, int64_t deadline, struct lf_stream *stream,
                                  struct lf_error *err)
{
    enum lf_status status = LF_DISCONNECTED;
    int others = 0;
    for (const struct addrinfo *item = list; item; item = item->ai_next)
        others++;
    for (const struct addrinfo *item = list; item; item = item->ai_next) {
        others--;
        status = stream__socket_connect(item->ai_addr, item->ai_addrlen, share(deadline, others),
                                        stream->cancel, stream->name, &stream->fd, err);
        if (status == LF_OK || status == LF_CANCELLED)
            break;
    }
    return status;
}

static enum lf_status open_tcp(const char *place, const struct lf_values *values, int64_t deadline,
                               struct lf_stream *stream, struct lf_error *err)
{
    struct address address;
    struct addrinfo *list = NULL;
    (void)values;
    enum lf_status status = parse_address(place, &address, err);
    if (status != LF_OK)
        return status;
    address_text(&address, stream->name, sizeof stream->name);
    status = stream__resolve(address.host, address.port, deadline, stream->cancel, &list, err);
    if (status != LF_OK)
        return status;
    status = connect_any(list, deadline, stream, err);
    freeaddrinfo(list);
    if (status == LF_OK)
        tune(stream->fd);
    return status;
}

const struct lf_stream_kind stream__tcp = {
    .name = "tcp",
    .example = "tcp:192.0.2.7:8001",
    .settings = settings,
    .check = check_tcp,
    .open = open_tcp,
    .close = stream__socket_close,
};

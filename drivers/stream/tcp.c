/* TCP: tcp:192.0.2.7:8001, tcp:balance.lab.example:4001, tcp:[2001:db8::7]:8001. */
#include "drivers/stream/kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX = 254 /* RFC 1035: 253 characters */ };

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
    long port = len < sizeof out->port && !text[len] ? strtol(text, NULL, 10) : 0;
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

static const char *advice(enum lf_status status)
{
    switch (status) {
    case LF_REFUSED: return "; is the instrument on, and is its interface set to this port?";
    case LF_TIMEOUT: return "; is the instrument on and cabled?";
    case LF_NOT_FOUND: return "; is the program that makes it running?";
    default: return "";
    }
}

enum lf_status stream__connect(struct lf_stream *stream, struct lf_addresses *addresses, int64_t deadline,
                               struct lf_error *err)
{
    struct lf_error why = {0};
    enum lf_status status = lf_socket_connect(&stream->socket, addresses, deadline, stream->cancel,
                                              stream->name, &why);
    lf_addresses_free(addresses);
    if (status == LF_OK)
        return LF_OK;
    bool away = status == LF_REFUSED || status == LF_UNSUPPORTED;
    return lf_fail(err, away ? LF_DISCONNECTED : status, why.class, "%s%s", why.text, advice(status));
}

static enum lf_status open_tcp(const char *place, const struct lf_values *values, int64_t deadline,
                               struct lf_stream *stream, struct lf_error *err)
{
    struct address address;
    struct lf_addresses *addresses;
    (void)values;
    enum lf_status status = parse_address(place, &address, err);
    if (status != LF_OK)
        return status;
    address_text(&address, stream->name, sizeof stream->name);
    status = lf_net_lookup(address.host, address.port, deadline, stream->cancel, &addresses, err);
    return status == LF_OK ? stream__connect(stream, addresses, deadline, err) : status;
}

const struct lf_stream_kind stream__tcp = {
    .name = "tcp",
    .example = "tcp:192.0.2.7:8001",
    .check = check_tcp,
    .open = open_tcp,
};

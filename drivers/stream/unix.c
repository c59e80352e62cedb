/* Unix sockets: unix:/run/balance.sock, for simulators and for bridges on this machine. */
#include "drivers/stream/kind.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const struct lf_setting settings[] = {{0}};

static enum lf_status check_unix(const char *place, const struct lf_values *values, char *resource,
                                 size_t room, struct lf_error *err)
{
    (void)values;
    size_t limit = sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (strlen(place) >= limit)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the path of a Unix socket may have %zu bytes, this one has %zu: %.200s", limit - 1,
                       strlen(place), place);
    if (place[0] != '/')
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "unix:%.100s is not an absolute path; write unix:/...",
                       place);
    snprintf(resource, room, "unix %s", place);
    return LF_OK;
}

static enum lf_status open_unix(const char *place, const struct lf_values *values, int64_t deadline,
                                struct lf_stream *stream, struct lf_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)values;
    memcpy(address.sun_path, place, strlen(place)); /* check_unix has seen that it fits with its NUL */
    snprintf(stream->name, sizeof stream->name, "%s", place);
    return stream__socket_connect((const struct sockaddr *)&address, sizeof address, deadline, stream->cancel,
                                  stream->name, &stream->fd, err);
}

const struct lf_stream_kind stream__unix = {
    .name = "unix",
    .example = "unix:/run/balance.sock",
    .settings = settings,
    .check = check_unix,
    .open = open_unix,
    .close = stream__socket_close,
};

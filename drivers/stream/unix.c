/* Unix sockets: unix:/run/balance.sock, for simulators and for bridges on this machine. */
#include "drivers/stream/kind.h"

#include <stdio.h>
#include <string.h>

static enum lf_status check_unix(const char *place, const struct lf_values *values, char *resource,
                                 size_t room, struct lf_error *err)
{
    (void)values;
    if (strlen(place) > LF_LOCAL_PATH_MAX)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the path of a Unix socket may have %d bytes, this one has %zu: %.200s",
                       LF_LOCAL_PATH_MAX, strlen(place), place);
    if (place[0] != '/')
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "unix:%.100s is not an absolute path; write unix:/...",
                       place);
    snprintf(resource, room, "unix %s", place);
    return LF_OK;
}

static enum lf_status open_unix(const char *place, const struct lf_values *values, int64_t deadline,
                                struct lf_stream *stream, struct lf_error *err)
{
    struct lf_addresses *addresses;
    (void)values;
    snprintf(stream->name, sizeof stream->name, "%s", place);
    enum lf_status status = lf_net_local(place, &addresses, err);
    return status == LF_OK ? stream__connect(stream, addresses, deadline, err) : status;
}

const struct lf_stream_kind stream__unix = {
    .name = "unix",
    .example = "unix:/run/balance.sock",
    .check = check_unix,
    .open = open_unix,
};

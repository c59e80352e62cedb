#include "pour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POUR_BLOCK = 64 * 1024, POUR_SLICE_MS = 100 };

struct pour {
    struct sim *sim;
    struct MHD_Connection *connection;
    struct sim_reply reply;
    struct sim_hit hit;
};

static ssize_t source(const struct pour *pour, int64_t at, char *out, size_t want)
{
    int64_t left = pour->reply.size - at;
    size_t len = left < (int64_t)want ? (size_t)left : want;
    if (pour->reply.fd >= 0)
        return pread(pour->reply.fd, out, len, pour->reply.offset + at);
    memcpy(out, pour->reply.text + at, len);
    return (ssize_t)len;
}

/* The place in the body where a fault strikes. */
static int64_t breaking_point(const struct pour *pour)
{
    int64_t middle = pour->reply.size / 2;
    return pour->hit.bytes > 0 && pour->hit.bytes < pour->reply.size ? pour->hit.bytes : middle;
}

/* The bytes again from their start, without end. */
static ssize_t endless(const struct pour *pour, uint64_t pos, char *out, size_t max)
{
    if (pour->reply.size == 0) {
        memset(out, ' ', max);
        return (ssize_t)max;
    }
    size_t filled = 0;
    while (filled < max) {
        ssize_t len = source(pour, (int64_t)((pos + filled) % (uint64_t)pour->reply.size), out + filled,
                             max - filled);
        if (len <= 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        filled += (size_t)len;
    }
    return (ssize_t)max;
}

static ssize_t read_block(void *cls, uint64_t pos, char *out, size_t max)
{
    struct pour *pour = cls;
    int64_t at = (int64_t)pos;
    bool breaks = pour->hit.kind == SIM_FAULT_TRUNCATED || pour->hit.kind == SIM_FAULT_RESET_MID;
    if (pour->hit.kind == SIM_FAULT_ENDLESS)
        return endless(pour, pos, out, max);
    if (breaks && at >= breaking_point(pour)) {
        if (pour->hit.kind == SIM_FAULT_RESET_MID)
            sim_http_reset(pour->connection);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (breaks && (int64_t)max > breaking_point(pour) - at)
        max = (size_t)(breaking_point(pour) - at);
    if (pour->hit.kind == SIM_FAULT_SLOW) {
        int64_t slice = pour->hit.bytes_per_second * POUR_SLICE_MS / 1000;
        max = slice < 1 ? 1 : slice < (int64_t)max ? (size_t)slice : max;
        sim_faults_wait(pour->sim, slice < 1 ? 1000 / pour->hit.bytes_per_second : POUR_SLICE_MS);
    }
    ssize_t len = source(pour, at, out, max);
    if (len <= 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    int64_t victim = breaking_point(pour);
    if (pour->hit.kind == SIM_FAULT_WRONG_DIGEST && at <= victim && victim < at + len)
        out[victim - at] = (char)(out[victim - at] ^ 1);
    return len;
}

static void pour_free(void *cls)
{
    struct pour *pour = cls;
    sim_reply_free(&pour->reply);
    free(pour);
}

struct MHD_Response *sim_pour_response(struct sim *sim, struct MHD_Connection *connection,
                                       struct sim_reply *reply, const struct sim_hit *hit)
{
    struct pour *pour = sim_alloc(sizeof *pour);
    *pour = (struct pour){.sim = sim, .connection = connection, .reply = *reply, .hit = *hit};
    if (hit->kind == SIM_FAULT_WRONG_LENGTH && pour->reply.size > 0)
        pour->reply.size--;
    uint64_t size = hit->kind == SIM_FAULT_ENDLESS ? MHD_SIZE_UNKNOWN : (uint64_t)pour->reply.size;
    *reply = (struct sim_reply){.fd = -1};
    struct MHD_Response *response = MHD_create_response_from_callback(size, POUR_BLOCK, read_block, pour,
                                                                      pour_free);
    if (!response)
        pour_free(pour);
    return response;
}

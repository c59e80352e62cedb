#include "drivers/line/dialogue_io.h"

#include "base/log.h"
#include "base/setting.h"
#include "base/units.h"
#include "drivers/line/show.h"
#include "drivers/line/unsolicited.h"

#include <string.h>

enum {
    CHUNK = 4096,
    WRITE_MS = 5000, /* on top of the time the bytes take at 300 baud */
    WRITE_MS_PER_BYTE = 34,
    SETTLE_MAX_MS = 5000, /* on top of the required silence */
};

static void trace(struct lf_line_dialogue *dialogue, enum lf_line_trace what, struct lf_slice bytes)
{
    static const char *const words[] = {"sent", "received", "dropped"};
    char room[LF_SHOW_ROOM];
    if (!bytes.len)
        return;
    if (dialogue->trace)
        dialogue->trace(dialogue->self, what, bytes);
    if (lf_log_wants(LF_LOG_DEBUG))
        lf_log_debug(dialogue->instrument, "%s %s", words[what], line__show(bytes, room));
}

enum lf_status line__dialogue_fill(struct lf_line_dialogue *dialogue, int64_t deadline, struct lf_error *err)
{
    size_t got;
    char *room = lf_buffer_reserve(&dialogue->in, CHUNK);
    if (!room)
        return lf_fail_memory(err, "reading a reply");
    if (dialogue->limit)
        deadline = lf_deadline_sooner(deadline, dialogue->limit);
    enum lf_status status = lf_stream_read(dialogue->stream, room, CHUNK, deadline, &got, err);
    if (status != LF_OK)
        return status;
    dialogue->mute = false;
    dialogue->in.len += got;
    dialogue->in.data[dialogue->in.len] = '\0';
    trace(dialogue, LF_TRACE_RECEIVED, lf_slice(dialogue->in.data + dialogue->in.len - got, got));
    return LF_OK;
}

enum lf_status line__dialogue_send(struct lf_line_dialogue *dialogue, struct lf_slice bytes, size_t *written,
                                   struct lf_error *err)
{
    int64_t deadline = lf_deadline_in(WRITE_MS + (int64_t)bytes.len * WRITE_MS_PER_BYTE);
    if (dialogue->limit)
        deadline = lf_deadline_sooner(deadline, dialogue->limit);
    enum lf_status status = lf_stream_write(dialogue->stream, bytes.data, bytes.len, deadline, written, err);
    trace(dialogue, LF_TRACE_SENT, lf_slice(bytes.data, *written));
    return status;
}

bool line__dialogue_look(struct lf_line_dialogue *dialogue, const struct lf_line_ending *ending, bool quiet,
                         struct lf_line_frame *unit)
{
    return line__frame_find(ending, lf_buffer_slice(&dialogue->in), quiet, unit) != LF_FRAME_MORE;
}

/* After waiting so long for the next byte, or at the deadline of the whole answer. */
static enum lf_status silent(struct lf_line_dialogue *dialogue, int64_t waited, int64_t deadline,
                             struct lf_error *err)
{
    char room[LF_SHOW_ROOM], time[32];
    lf_duration_format(waited, time, sizeof time);
    dialogue->mute = !dialogue->in.len;
    if (dialogue->mute)
        return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "no answer within %s on %s", time,
                       lf_stream_name(dialogue->stream));
    line__show(lf_buffer_slice(&dialogue->in), room);
    if (lf_deadline_passed(deadline))
        return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT,
                       "the answer did not end in the time that it has (total); it begins with '%s'", room);
    return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "the answer stopped for %s after '%s'", time, room);
}

enum lf_status line__dialogue_read(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                   int64_t deadline, struct lf_line_frame *unit, struct lf_error *err)
{
    const struct lf_line_ending *ending = &command->ending;
    const struct lf_line_times *times = &command->times;
    while (!line__dialogue_look(dialogue, ending, false, unit)) {
        if (dialogue->in.len > dialogue->profile->max_reply)
            return lf_fail(err, LF_TOO_LARGE, LF_TRANSIENT,
                           "the answer has no end within max_reply (%zu bytes)",
                           dialogue->profile->max_reply);
        bool idle = ending->unit == LF_UNIT_IDLE && dialogue->in.len;
        int64_t wait = idle ? ending->idle_ms : dialogue->in.len ? times->gap : times->first_byte;
        enum lf_status status = line__dialogue_fill(dialogue,
                                                    lf_deadline_sooner(deadline, lf_deadline_in(wait)), err);
        if (status == LF_OK)
            continue;
        if (status == LF_TIMEOUT && line__dialogue_look(dialogue, ending, true, unit))
            return LF_OK;
        return status == LF_TIMEOUT ? silent(dialogue, wait, deadline, err) : status;
    }
    return LF_OK;
}

void line__dialogue_drop(struct lf_line_dialogue *dialogue)
{
    trace(dialogue, LF_TRACE_DROPPED, lf_buffer_slice(&dialogue->in));
    line__unsolicited_dropped(dialogue, lf_buffer_slice(&dialogue->in));
    lf_buffer_clear(&dialogue->in);
}

enum lf_status line__dialogue_settle(struct lf_line_dialogue *dialogue, int64_t quiet_ms,
                                     struct lf_error *err)
{
    int64_t give_up = lf_deadline_in(quiet_ms + SETTLE_MAX_MS);
    for (;;) {
        line__dialogue_drop(dialogue);
        enum lf_status status = line__dialogue_fill(dialogue, lf_deadline_in(quiet_ms), err);
        if (status == LF_TIMEOUT)
            return LF_OK;
        if (status != LF_OK)
            return status;
        if (lf_deadline_passed(give_up))
            return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                           "%s: the instrument keeps sending; turn off its continuous output "
                           "or check the baud rate",
                           lf_stream_name(dialogue->stream));
    }
}

/* Contract
 *
 * States: closed (stream NULL), in step (doubt false), in doubt. `doubt` is set before the
 * first byte of a command leaves, and cleared when its reply has been read to its end. So whatever
 * interrupts a command in between (time-out, cancel, garbage, unplugged cable) leaves it set. A failed
 * handshake ends in LF_DISCONNECTED: the host closes the dialogue and connects again later.
 *
 * Bytes in `in` while in step are unsolicited lines; they are reported before the next command is sent. Bytes
 * that arrive while in doubt may be a late reply and are dropped.
 */
#include "drivers/line/dialogue.h"

#include "drivers/line/dialogue_io.h"
#include "drivers/line/in_step.h"
#include "drivers/line/reply_match.h"
#include "drivers/line/show.h"
#include "drivers/line/unsolicited.h"

#include <stdlib.h>
#include <string.h>

enum {
    MISREADS_MAX = 3, /* replies in a row that cannot be understood, before a person must look */
    DOUBT_QUIET_MAX_MS = 10000,
    CLEAR_MAX_MS = 5000,
};

/* ---- opening ---- */

enum lf_status line__dialogue_open(struct lf_line_dialogue *dialogue, const char *stream, int64_t deadline,
                                   struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    dialogue->in.max = profile->max_reply + (size_t)64 * 1024;
    dialogue->doubt = true;
    dialogue->doubt_quiet_ms = profile->quiet_ms;
    return lf_stream_open(stream, profile->serial, deadline, dialogue->cancel, &dialogue->stream, err);
}

void line__dialogue_close(struct lf_line_dialogue *dialogue)
{
    line__unsolicited_forget(dialogue);
    lf_stream_close(dialogue->stream);
    dialogue->stream = NULL;
    lf_buffer_free(&dialogue->in);
}

/* Before a command: reports what the instrument has sent, and waits for the end of a line or report that is
 * arriving. */
static enum lf_status clear_input(struct lf_line_dialogue *dialogue, int64_t deadline, struct lf_error *err)
{
    deadline = lf_deadline_sooner(deadline, lf_deadline_in(CLEAR_MAX_MS));
    for (;;) {
        int64_t until = dialogue->in.len          ? lf_deadline_in(dialogue->profile->times.gap)
                        : dialogue->report.listen ? line__unsolicited_due(dialogue)
                                                  : lf_deadline_in(0);
        enum lf_status status = line__dialogue_fill(dialogue, lf_deadline_sooner(deadline, until), err);
        if (status != LF_OK && status != LF_TIMEOUT)
            return status;
        enum lf_status reported = line__unsolicited_report(dialogue, status == LF_TIMEOUT, err);
        if (reported != LF_OK)
            return reported;
        if (status == LF_TIMEOUT && !dialogue->report.listen) {
            line__unsolicited_drop_rest(dialogue);
            return LF_OK;
        }
        if (dialogue->in.len > dialogue->profile->max_reply || lf_deadline_passed(deadline))
            return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                           "the instrument keeps sending; the command was not sent");
    }
}

/* Before a wait for the next line: what has arrived already is older. The beginning of a line stays. */
static enum lf_status skip_arrived(struct lf_line_dialogue *dialogue, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    while (status == LF_OK && dialogue->in.len <= dialogue->profile->max_reply) {
        status = line__dialogue_fill(dialogue, lf_deadline_in(0), err);
        enum lf_status reported = line__unsolicited_report(dialogue, false, err);
        if (reported != LF_OK)
            return reported;
    }
    return status == LF_TIMEOUT ? LF_OK : status;
}

/* ---- one command ---- */

/* What a unit means to the command that is waiting for its reply. */
enum reply_meaning {
    MEANS_MORE,
    MEANS_DONE,
    MEANS_REFUSED,
    MEANS_NO_VALUE,
    MEANS_UNASKED,
    MEANS_NOTHING,
    MEANS_FAILURE
};

static const struct lf_line_error_rule *
first_error(struct lf_line_dialogue *dialogue, const struct lf_line_error_rules *rules, struct lf_slice line)
{
    for (size_t i = 0; i < rules->count; i++)
        if (line__reply_pattern_match(dialogue->profile, &rules->items[i].pattern, line, NULL,
                                      &(struct lf_error){0})
            == LF_OK)
            return &rules->items[i];
    return NULL;
}

static enum lf_status refused(const struct lf_line_command *command, const struct lf_line_error_rule *rule,
                              struct lf_slice line, struct lf_error *err)
{
    char room[LF_SHOW_ROOM];
    enum lf_status status = rule->says == LF_SAYS_BUSY ? LF_BUSY : LF_REFUSED;
    enum lf_class class = LF_TRANSIENT;
    if (rule->says == LF_SAYS_PERMANENT)
        class = LF_PERMANENT;
    else if (rule->says == LF_SAYS_PERSON)
        class = LF_NEEDS_PERSON;
    else if (rule->says == LF_SAYS_UNKNOWN && command->repeat == LF_ONCE)
        class = LF_UNKNOWN_OUTCOME;
    return lf_fail(err, status, class, "the instrument answered '%s'%s%s", line__show(line, room),
                   rule->message ? ": " : "", rule->message ? rule->message : "");
}

/* The instrument did what it was asked and has no value to give. */
static void no_value(const struct lf_line_command *command, struct lf_slice line, struct lf_error *err)
{
    char room[LF_SHOW_ROOM];
    if (command->repeat == LF_ONCE)
        err->class = LF_UNKNOWN_OUTCOME;
    lf_error_prefix(err, "the instrument answered '%s'", line__show(line, room));
}

/* Error lines come first: "S I" must not be read as a weight. */
static enum reply_meaning understand(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                     struct lf_slice line, struct lf_outcome *values, struct lf_error *err)
{
    const struct lf_line_error_rule *rule = first_error(dialogue, &command->errors, line);
    if (!rule)
        rule = first_error(dialogue, &dialogue->profile->errors, line);
    if (rule && rule->says == LF_SAYS_DONE)
        return MEANS_DONE;
    if (rule)
        return refused(command, rule, line, err), MEANS_REFUSED;
    const struct lf_line_profile *profile = dialogue->profile;
    enum lf_status status = line__reply_first_match(profile, &command->mores, line, values, err);
    if (status == LF_OK)
        return MEANS_MORE;
    if (status == LF_MISMATCH) {
        status = line__reply_first_match(profile, &command->expects, line, values, err);
        if (status == LF_OK)
            return MEANS_DONE;
    }
    if (status == LF_REFUSED)
        return no_value(command, line, err), MEANS_NO_VALUE;
    bool taken = false;
    if (status == LF_MISMATCH)
        status = line__unsolicited_take(dialogue, line, &taken, err);
    return status != LF_OK ? MEANS_FAILURE : taken ? MEANS_UNASKED : MEANS_NOTHING;
}

static enum lf_status not_understood(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                     const struct lf_line_frame *unit, struct lf_error *err)
{
    char room[LF_SHOW_ROOM];
    struct lf_slice came = unit->why ? lf_buffer_slice(&dialogue->in) : unit->body;
    const char *advice = line__advice(came, dialogue->profile->encoding);
    dialogue->garbled = true;
    if (unit->why)
        return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "the instrument answered '%s': %s. %s",
                       line__show(came, room), unit->why, advice);
    return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "the instrument answered '%s'; expected '%s'%s. %s",
                   line__show(came, room), command->expects.items[0].source,
                   command->expects.count > 1 ? " or another of the command's patterns" : "", advice);
}

/* A stray line end between replies: harmless, although nothing matches it. */
static bool is_stray(const struct lf_line_command *command, const struct lf_line_frame *unit)
{
    return !unit->why && !unit->body.len && command->ending.unit == LF_UNIT_LINE;
}

static bool is_long(const struct lf_line_command *command)
{
    return command->mores.count || command->ending.until_blank || command->ending.times > 1;
}

/* Reads units until the reply is complete. */
static enum lf_status read_reply(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                 int64_t deadline, struct lf_outcome *values, struct lf_error *err)
{
    const struct lf_line_ending *ending = &command->ending;
    size_t done = 0, bytes = 0;
    for (size_t lines = 0; lines < dialogue->profile->max_lines && bytes <= dialogue->profile->max_reply;
         lines++) {
        struct lf_line_frame unit;
        enum lf_status status = line__dialogue_read(dialogue, command, deadline, &unit, err);
        if (status != LF_OK) {
            dialogue->garbled = status == LF_TOO_LARGE || (status == LF_TIMEOUT && dialogue->in.len);
            return status;
        }
        bytes += unit.used;
        bool last_blank = ending->until_blank && is_stray(command, &unit) && done > 0;
        enum reply_meaning meaning = unit.why ? MEANS_NOTHING : MEANS_DONE;
        if (!unit.why && !last_blank)
            meaning = understand(dialogue, command, unit.body, values, err);
        if (meaning == MEANS_NOTHING && !is_stray(command, &unit))
            status = not_understood(dialogue, command, &unit, err);
        if (meaning == MEANS_REFUSED && done > 0 && command->repeat == LF_ONCE)
            err->class = LF_UNKNOWN_OUTCOME; /* it had already accepted the command */
        lf_buffer_consume(&dialogue->in, unit.used);
        if (meaning == MEANS_NO_VALUE || meaning == MEANS_REFUSED)
            return dialogue->doubt = meaning == MEANS_NO_VALUE && is_long(command), err->status;
        if (meaning == MEANS_FAILURE || status != LF_OK)
            return err->status;
        done += meaning == MEANS_DONE;
        if (last_blank || (meaning == MEANS_DONE && !ending->until_blank && done == ending->times))
            return dialogue->doubt = false, LF_OK;
    }
    return lf_fail(err, LF_TOO_LARGE, LF_TRANSIENT, "the answer is longer than max_lines or max_reply");
}

/* ---- sending ---- */

enum lf_status line__dialogue_wire(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                   const struct lf_line_input_set *inputs, struct lf_buffer *wire,
                                   struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    struct lf_buffer payload = {0};
    struct lf_line_input_set all = *inputs;
    all.fixed = dialogue->fixed;
    enum lf_status status = line__command_bytes(profile, command, &all,
                                                profile->send_framed ? &payload : wire, err);
    if (status == LF_OK && profile->send_framed)
        status = line__frame_wrap(&profile->ending, lf_buffer_slice(&payload), wire, err);
    else if (status == LF_OK
             && lf_buffer_append(wire, profile->send_end.data, profile->send_end.len) != LF_OK)
        status = lf_fail_memory(err, "making a command");
    lf_buffer_free(&payload);
    return status;
}

static void set_doubt(struct lf_line_dialogue *dialogue, const struct lf_line_command *command)
{
    int64_t quiet = command->times.first_byte < DOUBT_QUIET_MAX_MS ? command->times.first_byte
                                                                   : DOUBT_QUIET_MAX_MS;
    dialogue->doubt = true;
    dialogue->doubt_quiet_ms = quiet > dialogue->profile->quiet_ms ? quiet : dialogue->profile->quiet_ms;
}

static enum lf_status send_and_read(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                    struct lf_slice wire, int64_t deadline, struct lf_outcome *values,
                                    size_t *written, struct lf_error *err)
{
    set_doubt(dialogue, command);
    enum lf_status status = line__dialogue_send(dialogue, wire, written, err);
    if (status != LF_OK) {
        dialogue->doubt = *written > 0;
        return status;
    }
    if (command->ending.unit == LF_UNIT_NONE) {
        dialogue->doubt = false;
        dialogue->expecting = true;
        return LF_OK;
    }
    return read_reply(dialogue, command, lf_deadline_sooner(deadline, lf_deadline_in(command->times.total)),
                      values, err);
}

/* ---- waiting for a line ---- */

/* What comes and does not fit is ignored: the instrument talks by itself. */
static enum lf_status await_line(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                 int64_t deadline, struct lf_outcome *values, struct lf_error *err)
{
    char time[32];
    deadline = lf_deadline_sooner(deadline, lf_deadline_in(command->times.first_byte));
    while (!lf_deadline_passed(deadline)) {
        struct lf_line_frame unit;
        enum lf_status status = line__dialogue_read(dialogue, command, deadline, &unit, err);
        if (status == LF_TIMEOUT || status == LF_TOO_LARGE) {
            line__dialogue_drop(dialogue);
            continue;
        }
        if (status != LF_OK)
            return status;
        enum reply_meaning meaning = unit.why ? MEANS_NOTHING
                                              : understand(dialogue, command, unit.body, values, err);
        lf_buffer_consume(&dialogue->in, unit.used);
        if (meaning == MEANS_DONE)
            return LF_OK;
        if (meaning == MEANS_REFUSED || meaning == MEANS_NO_VALUE || meaning == MEANS_FAILURE)
            return err->status;
    }
    lf_duration_format(command->times.first_byte, time, sizeof time);
    return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "no line that fits '%s' came within %s",
                   command->expects.items[0].source, time);
}

/* ---- a command from end to end ---- */

/* Nothing has been sent yet, so an error here keeps its class. */
static enum lf_status prepare(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                              int64_t deadline, struct lf_error *err)
{
    bool expecting = dialogue->expecting;
    dialogue->expecting = false;
    if (!dialogue->stream)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the instrument is not connected");
    if (dialogue->doubt) {
        enum lf_status status = line__get_in_step(dialogue, err);
        if (status != LF_OK)
            return status;
    }
    if (command->awaits)
        return expecting ? LF_OK : skip_arrived(dialogue, err);
    int64_t ready = dialogue->last_end + dialogue->profile->pause_ms;
    if (dialogue->last_end && !lf_deadline_passed(ready)
        && lf_sleep_until(ready, dialogue->cancel) == LF_CANCELLED)
        return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "cancelled; nothing was sent");
    return clear_input(dialogue, deadline, err);
}

static enum lf_status finish(const struct lf_line_command *command, size_t written, struct lf_error *err)
{
    bool refused = err->status == LF_REFUSED || err->status == LF_BUSY;
    if (command->repeat == LF_ONCE && written && !refused && err->class != LF_UNKNOWN_OUTCOME) {
        err->class = LF_UNKNOWN_OUTCOME;
        lf_error_prefix(err, "it may or may not have done this; look at the instrument");
    }
    return lf_error_prefix(err, "%s", command->name);
}

/* After an error: may the command be sent again at once? A reply that cannot be understood may have been
 * damaged on the line; after three in a row a person must look. */
static bool ask_again(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                      struct lf_error *err)
{
    if (!dialogue->garbled)
        return false;
    dialogue->misreads = dialogue->misread == command ? dialogue->misreads + 1 : 1;
    dialogue->misread = command;
    if (command->repeat == LF_ONCE)
        return false;
    if (dialogue->misreads < MISREADS_MAX)
        return !lf_cancel_is_set(dialogue->cancel);
    dialogue->misreads = 0;
    err->class = LF_NEEDS_PERSON;
    lf_error_prefix(err, "its reply was not understood, %d times in a row", MISREADS_MAX);
    return false;
}

static enum lf_status one_try(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                              struct lf_slice wire, int64_t deadline, struct lf_outcome *values,
                              size_t *written, struct lf_error *err)
{
    dialogue->garbled = false;
    enum lf_status status = prepare(dialogue, command, deadline, err);
    if (status != LF_OK)
        return status;
    return command->awaits ? await_line(dialogue, command, deadline, values, err)
                           : send_and_read(dialogue, command, wire, deadline, values, written, err);
}

enum lf_status line__dialogue_command(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_command *command,
                                      const struct lf_line_input_set *inputs, int64_t deadline,
                                      struct lf_outcome *values, struct lf_error *err)
{
    struct lf_buffer wire = {0};
    size_t written = 0, before = values->count;
    enum lf_status status = line__dialogue_wire(dialogue, command, inputs, &wire, err);
    while (status == LF_OK) {
        status = one_try(dialogue, command, lf_buffer_slice(&wire), deadline, values, &written, err);
        if (status == LF_OK || !ask_again(dialogue, command, err))
            break;
        line__drop_values(values, before); /* of lines that were understood */
        status = LF_OK;
    }
    if (status == LF_OK && dialogue->misread == command)
        dialogue->misreads = 0;
    lf_buffer_free(&wire);
    dialogue->last_end = lf_clock_mono_ms();
    return status == LF_OK ? LF_OK : finish(command, written, err);
}

enum lf_status line__dialogue_insist(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                     const struct lf_line_input_set *inputs, struct lf_error *err)
{
    struct lf_outcome values = {0};
    if (dialogue->stream && dialogue->doubt && command->repeat != LF_ONCE) {
        struct lf_buffer wire = {0};
        struct lf_error blind;
        size_t written;
        line__dialogue_drop(dialogue);
        if (line__dialogue_wire(dialogue, command, inputs, &wire, &blind) == LF_OK)
            line__dialogue_send(dialogue, lf_buffer_slice(&wire), &written, &blind);
        lf_buffer_free(&wire);
    }
    enum lf_status status = line__dialogue_command(dialogue, command, inputs, LF_NEVER, &values, err);
    lf_outcome_free(&values);
    return status;
}

enum lf_status line__dialogue_raw(struct lf_line_dialogue *dialogue, struct lf_slice bytes, int64_t listen_ms,
                                  struct lf_error *err)
{
    size_t written;
    int64_t deadline = lf_deadline_in(listen_ms);
    dialogue->doubt = true;
    enum lf_status status = line__dialogue_send(dialogue, bytes, &written, err);
    while (status == LF_OK) {
        status = line__dialogue_fill(dialogue, deadline, err);
        lf_buffer_clear(&dialogue->in);
    }
    return status == LF_TIMEOUT ? LF_OK : status;
}

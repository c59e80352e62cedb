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

#include "base/log.h"
#include "drivers/line/dialogue_io.h"
#include "drivers/line/reply_match.h"
#include "drivers/line/show.h"

#include <stdlib.h>
#include <string.h>

enum {
    HANDSHAKE_TRIES = 3,
    HANDSHAKE_UNITS_MAX = 1000, /* unrelated lines that may come before the answer to a handshake */
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
    lf_stream_close(dialogue->stream);
    dialogue->stream = NULL;
    lf_buffer_free(&dialogue->in);
}

/* ---- unsolicited lines ---- */

/* Warns at the 1st, 2nd, 4th, 8th ... dropped line: a chattering instrument must not fill the log. */
static void drop_unit(struct lf_line_dialogue *dialogue, struct lf_slice line)
{
    char room[LF_SHOW_ROOM];
    uint64_t count = ++dialogue->dropped;
    if ((count & (count - 1)) == 0)
        lf_log_warning(dialogue->instrument,
                       "ignored '%s': nothing in the profile matches it (%llu ignored so far)",
                       line__show(line, room), (unsigned long long)count);
}

static enum lf_status first_match(struct lf_line_dialogue *dialogue, const struct lf_line_patterns *patterns,
                                  struct lf_slice line, struct lf_outcome *values, struct lf_error *err)
{
    enum lf_status status = LF_MISMATCH;
    for (size_t i = 0; i < patterns->count && status == LF_MISMATCH; i++)
        status = line__reply_pattern_match(dialogue->profile, &patterns->items[i], line, values, err);
    return status;
}

/* Reports the line if it matches a [listen]. */
static enum lf_status try_unsolicited(struct lf_line_dialogue *dialogue, struct lf_slice line, bool *taken,
                                      struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    *taken = false;
    for (size_t i = 0; i < profile->listen_count; i++) {
        const struct lf_line_listen *listen = &profile->listens[i];
        struct lf_outcome values = {0};
        enum lf_status status = first_match(dialogue, &listen->matches, line, &values, err);
        if (status == LF_OK && listen->form != LF_FORM_NONE && dialogue->unsolicited)
            status = dialogue->unsolicited(dialogue->self, listen, line, &values, err);
        lf_outcome_free(&values);
        *taken = status == LF_OK;
        if (status != LF_MISMATCH)
            return status;
    }
    return LF_OK;
}

/* Reports all complete lines in the buffer. A line that could not be reported stays there. */
static enum lf_status report_unsolicited(struct lf_line_dialogue *dialogue, bool quiet, struct lf_error *err)
{
    const struct lf_line_ending *ending = &dialogue->profile->ending;
    struct lf_line_frame unit;
    while (ending->unit != LF_UNIT_NONE && dialogue->in.len
           && line__dialogue_look(dialogue, ending, quiet, &unit)) {
        bool taken = !unit.why && !unit.body.len;
        enum lf_status status = unit.why || taken ? LF_OK : try_unsolicited(dialogue, unit.body, &taken, err);
        if (status != LF_OK)
            return status;
        if (!taken)
            drop_unit(dialogue, unit.why ? lf_buffer_slice(&dialogue->in) : unit.body);
        lf_buffer_consume(&dialogue->in, unit.used);
    }
    return LF_OK;
}

/* Drops an incomplete line that has stopped arriving. */
static void drop_rest(struct lf_line_dialogue *dialogue)
{
    if (dialogue->in.len)
        drop_unit(dialogue, lf_buffer_slice(&dialogue->in));
    line__dialogue_drop(dialogue);
}

/* Before a command: reports what the instrument has sent, and waits for the end of a line that is arriving.
 */
static enum lf_status clear_input(struct lf_line_dialogue *dialogue, int64_t deadline, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    deadline = lf_deadline_sooner(deadline, lf_deadline_in(CLEAR_MAX_MS));
    do {
        int64_t wait = dialogue->in.len ? dialogue->profile->times.gap : 0;
        status = line__dialogue_fill(dialogue, lf_deadline_in(wait), err);
        if (status == LF_OK || status == LF_TIMEOUT) {
            enum lf_status reported = report_unsolicited(dialogue, status == LF_TIMEOUT, err);
            if (reported != LF_OK)
                return reported;
        }
        if (status == LF_OK
            && (dialogue->in.len > dialogue->profile->max_reply || lf_deadline_passed(deadline)))
            return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                           "the instrument keeps sending; the command was not sent");
    } while (status == LF_OK);
    if (status != LF_TIMEOUT)
        return status;
    drop_rest(dialogue);
    return LF_OK;
}

/* ---- one command ---- */

/* What a unit means to the command that is waiting for its reply. */
enum reply_meaning { MEANS_MORE, MEANS_DONE, MEANS_REFUSED, MEANS_UNASKED, MEANS_NOTHING, MEANS_FAILURE };

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

/* Error lines come first: "S I" must not be read as a weight. */
static enum reply_meaning understand(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                     struct lf_slice line, struct lf_outcome *values, struct lf_error *err)
{
    const struct lf_line_error_rule *rule = first_error(dialogue, &command->errors, line);
    if (!rule)
        rule = first_error(dialogue, &dialogue->profile->errors, line);
    if (rule)
        return refused(command, rule, line, err), MEANS_REFUSED;
    enum lf_status status = first_match(dialogue, &command->mores, line, values, err);
    if (status == LF_OK)
        return MEANS_MORE;
    if (status == LF_MISMATCH) {
        status = first_match(dialogue, &command->expects, line, values, err);
        if (status == LF_OK)
            return MEANS_DONE;
    }
    bool taken = false;
    if (status == LF_MISMATCH)
        status = try_unsolicited(dialogue, line, &taken, err);
    return status != LF_OK ? MEANS_FAILURE : taken ? MEANS_UNASKED : MEANS_NOTHING;
}

static enum lf_status not_understood(const struct lf_line_command *command, const struct lf_line_frame *unit,
                                     struct lf_slice bytes, struct lf_error *err)
{
    char room[LF_SHOW_ROOM];
    if (unit->why)
        return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "unusable answer '%s': %s", line__show(bytes, room),
                       unit->why);
    return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "the instrument answered '%s'; expected '%s'%s",
                   line__show(unit->body, room), command->expects.items[0].source,
                   command->expects.count > 1 ? " or another of the command's patterns" : "");
}

/* A stray line end between replies: harmless, although nothing matches it. */
static bool is_stray(const struct lf_line_command *command, const struct lf_line_frame *unit)
{
    return !unit->why && !unit->body.len && command->ending.unit == LF_UNIT_LINE;
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
        if (status != LF_OK)
            return status;
        bytes += unit.used;
        bool last_blank = ending->until_blank && is_stray(command, &unit) && done > 0;
        enum reply_meaning meaning = unit.why ? MEANS_NOTHING : MEANS_DONE;
        if (!unit.why && !last_blank)
            meaning = understand(dialogue, command, unit.body, values, err);
        if (meaning == MEANS_NOTHING && !is_stray(command, &unit))
            status = not_understood(command, &unit, lf_buffer_slice(&dialogue->in), err);
        if (meaning == MEANS_REFUSED && done > 0 && command->repeat == LF_ONCE)
            err->class = LF_UNKNOWN_OUTCOME; /* it had already accepted the command */
        lf_buffer_consume(&dialogue->in, unit.used);
        if (meaning == MEANS_FAILURE || meaning == MEANS_REFUSED || status != LF_OK)
            return dialogue->doubt = meaning != MEANS_REFUSED, err->status;
        done += meaning == MEANS_DONE;
        if (last_blank || (meaning == MEANS_DONE && !ending->until_blank && done == ending->times))
            return dialogue->doubt = false, LF_OK;
    }
    return lf_fail(err, LF_TOO_LARGE, LF_TRANSIENT, "the answer is longer than max_lines or max_reply");
}

/* The bytes on the wire. */
static enum lf_status wire_bytes(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
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
        return LF_OK;
    }
    return read_reply(dialogue, command, lf_deadline_sooner(deadline, lf_deadline_in(command->times.total)),
                      values, err);
}

/* ---- getting in step ---- */

static enum lf_status await_handshake(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_command *command, struct lf_outcome *values,
                                      struct lf_error *err)
{
    int64_t deadline = lf_deadline_in(command->times.total);
    for (int units = 0; units < HANDSHAKE_UNITS_MAX; units++) {
        struct lf_line_frame unit;
        enum lf_status status = line__dialogue_read(dialogue, command, deadline, &unit, err);
        if (status != LF_OK)
            return status;
        status = unit.why ? LF_MISMATCH : first_match(dialogue, &command->expects, unit.body, values, err);
        lf_buffer_consume(&dialogue->in, unit.used);
        if (status != LF_MISMATCH)
            return status;
    }
    return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                   "the instrument keeps sending and does not answer the handshake");
}

/* Sends the handshake until it is answered: the instrument may hold half a command, late replies may be on
 * their way, or both. */
static enum lf_status handshake(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                struct lf_outcome *values, struct lf_error *err)
{
    struct lf_buffer wire = {0};
    enum lf_status status = wire_bytes(dialogue, command, &(struct lf_line_input_set){0}, &wire, err);
    for (int attempt = 0; status == LF_OK && attempt < HANDSHAKE_TRIES; attempt++) {
        size_t written;
        if (attempt)
            status = line__dialogue_settle(dialogue, dialogue->profile->quiet_ms, err);
        line__dialogue_drop(dialogue);
        if (status == LF_OK || status == LF_PROTOCOL)
            status = lf_stream_drain(dialogue->stream, err);
        if (status == LF_OK)
            status = line__dialogue_send(dialogue, lf_buffer_slice(&wire), &written, err);
        if (status == LF_OK)
            status = await_handshake(dialogue, command, values, err);
        if (status == LF_OK)
            break;
        bool again = status == LF_TIMEOUT || status == LF_PROTOCOL || status == LF_TOO_LARGE;
        if (again && attempt + 1 < HANDSHAKE_TRIES)
            status = LF_OK;
    }
    lf_buffer_free(&wire);
    if (status == LF_OK)
        status = line__dialogue_settle(dialogue, dialogue->profile->quiet_ms, err);
    return status;
}

static enum lf_status get_in_step(struct lf_line_dialogue *dialogue, struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    const struct lf_line_command *command = profile->resync ? profile->resync : profile->identify;
    struct lf_outcome values = {0};
    enum lf_status status = command ? handshake(dialogue, command, &values, err)
                                    : line__dialogue_settle(dialogue, dialogue->doubt_quiet_ms, err);
    lf_outcome_free(&values);
    if (status == LF_OK) {
        dialogue->doubt = false;
        return LF_OK;
    }
    if (status == LF_CANCELLED || status == LF_DISCONNECTED)
        return status;
    lf_error_prefix(err, "cannot get back in step with the instrument; nothing was sent");
    err->class = LF_TRANSIENT;
    return err->status = LF_DISCONNECTED;
}

static enum lf_status compose_identity(const struct lf_line_command *identify,
                                       const struct lf_outcome *values, struct lf_buffer *identity,
                                       struct lf_error *err)
{
    struct lf_line_part only = {.kind = LF_PART_VALUE, .name = (char[]){"identity"}};
    struct lf_line_pattern plain = {.parts = &only, .count = 1};
    const struct lf_line_pattern *pattern = identify->identity.source ? &identify->identity : &plain;
    for (size_t i = 0; i < pattern->count; i++) {
        const char *value = pattern->parts[i].name ? line__last_value(values, pattern->parts[i].name) : NULL;
        struct lf_slice text = value ? lf_slice_text(value) : pattern->parts[i].bytes;
        if (lf_buffer_append(identity, text.data, text.len) != LF_OK)
            return lf_fail_memory(err, "identifying the instrument");
    }
    return LF_OK;
}

enum lf_status line__dialogue_begin(struct lf_line_dialogue *dialogue, struct lf_buffer *identity,
                                    struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    struct lf_outcome values = {0};
    enum lf_status status = LF_OK;
    lf_buffer_clear(identity);
    if (profile->resync || !profile->identify)
        status = get_in_step(dialogue, err);
    if (status == LF_OK && profile->identify)
        status = handshake(dialogue, profile->identify, &values, err);
    if (status == LF_OK && profile->identify)
        status = compose_identity(profile->identify, &values, identity, err);
    lf_outcome_free(&values);
    if (status == LF_OK)
        dialogue->doubt = false;
    else if (status == LF_TIMEOUT)
        lf_error_prefix(err, "the instrument does not answer; check cable, power, baud rate and profile");
    return status;
}

/* ---- listening ---- */

enum lf_status line__dialogue_listen(struct lf_line_dialogue *dialogue, const struct lf_wake *wake,
                                     int64_t deadline, struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    const struct lf_line_ending *ending = &profile->ending;
    /* A late reply that looks like a line of the Print key must not become a result. */
    enum lf_status ready = dialogue->doubt ? get_in_step(dialogue, err) : LF_OK;
    while (ready == LF_OK) {
        bool readable, partial = dialogue->in.len > 0;
        int64_t pause = ending->unit == LF_UNIT_IDLE ? ending->idle_ms : profile->times.gap;
        int64_t until = partial ? lf_deadline_sooner(deadline, lf_deadline_in(pause)) : deadline;
        enum lf_status status = lf_stream_wait(dialogue->stream, wake, until, &readable, err);
        if (status == LF_OK && !readable)
            return LF_OK; /* woken */
        if (status == LF_OK)
            status = line__dialogue_fill(dialogue, deadline, err);
        if (status == LF_TIMEOUT && partial && (deadline == LF_NEVER || !lf_deadline_passed(deadline))) {
            status = report_unsolicited(dialogue, true, err);
            if (status == LF_OK)
                drop_rest(dialogue);
        } else if (status == LF_OK) {
            status = report_unsolicited(dialogue, false, err);
            if (dialogue->in.len > profile->max_reply)
                drop_rest(dialogue);
        }
        if (status != LF_OK)
            return status == LF_TIMEOUT ? LF_OK : status;
    }
    return ready;
}

/* ---- a command from end to end ---- */

/* Nothing has been sent yet, so an error here keeps its class. */
static enum lf_status prepare(struct lf_line_dialogue *dialogue, int64_t deadline, struct lf_error *err)
{
    if (!dialogue->stream)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the instrument is not connected");
    if (dialogue->doubt) {
        enum lf_status status = get_in_step(dialogue, err);
        if (status != LF_OK)
            return status;
    }
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

enum lf_status line__dialogue_command(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_command *command,
                                      const struct lf_line_input_set *inputs, int64_t deadline,
                                      struct lf_outcome *values, struct lf_error *err)
{
    struct lf_buffer wire = {0};
    size_t written = 0;
    enum lf_status status = wire_bytes(dialogue, command, inputs, &wire, err);
    if (status == LF_OK)
        status = prepare(dialogue, deadline, err);
    if (status == LF_OK)
        status = send_and_read(dialogue, command, lf_buffer_slice(&wire), deadline, values, &written, err);
    lf_buffer_free(&wire);
    dialogue->last_end = lf_clock_mono_ms();
    return status == LF_OK ? LF_OK : finish(command, written, err);
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

/* The handshake, and what it proves: see dialogue.h. A wrong answer and no answer are different errors,
 * because the remedy differs.
 */
#include "drivers/line/in_step.h"

#include "drivers/line/dialogue_io.h"
#include "drivers/line/reply_match.h"
#include "drivers/line/show.h"
#include "drivers/line/unsolicited.h"

#include <string.h>

enum {
    HANDSHAKE_TRIES = 3,
    HANDSHAKE_UNITS_MAX = 1000, /* unrelated lines that may come before the answer to a handshake */
};

/* What came in place of the answer. */
struct heard {
    char text[LF_SHOW_ROOM];
    const char *advice; /* NULL: nothing has come */
};

static void hear(struct heard *heard, const struct lf_line_dialogue *dialogue, struct lf_slice bytes)
{
    if (!bytes.len)
        return;
    line__show(bytes, heard->text);
    heard->advice = line__advice(bytes, dialogue->profile->encoding);
}

static enum lf_status await_handshake(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_command *command, struct lf_outcome *values,
                                      struct heard *heard, struct lf_error *err)
{
    int64_t deadline = lf_deadline_in(command->times.total);
    for (int units = 0; units < HANDSHAKE_UNITS_MAX; units++) {
        struct lf_line_frame unit;
        enum lf_status status = line__dialogue_read(dialogue, command, deadline, &unit, err);
        if (status != LF_OK)
            return status;
        status = unit.why
                     ? LF_MISMATCH
                     : line__reply_first_match(dialogue->profile, &command->expects, unit.body, values, err);
        if (status == LF_MISMATCH) {
            hear(heard, dialogue, lf_slice(dialogue->in.data, unit.used));
            line__unsolicited_dropped(dialogue, lf_slice(dialogue->in.data, unit.used));
        }
        lf_buffer_consume(&dialogue->in, unit.used);
        if (status != LF_MISMATCH)
            return status;
    }
    return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                   "the instrument keeps sending and does not answer the handshake");
}

/* What has arrived so far, without waiting; a device that never pauses is not read for ever. */
static enum lf_status drop_arrived(struct lf_line_dialogue *dialogue, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    line__dialogue_drop(dialogue);
    while (status == LF_OK && dialogue->in.len <= dialogue->profile->max_reply)
        status = line__dialogue_fill(dialogue, lf_deadline_in(0), err);
    line__dialogue_drop(dialogue);
    return status == LF_TIMEOUT ? LF_OK : status;
}

static bool is_mute_or_strange(enum lf_status status)
{
    return status == LF_TIMEOUT || status == LF_PROTOCOL || status == LF_TOO_LARGE;
}

/* Sends the handshake until it is answered: the instrument may hold half a command, late replies may be on
 * their way, or both. */
static enum lf_status handshake(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                struct lf_outcome *values, struct lf_error *err)
{
    struct lf_buffer wire = {0};
    struct heard heard = {.advice = NULL};
    enum lf_status status = line__dialogue_wire(dialogue, command, &(struct lf_line_input_set){0}, &wire,
                                                err);
    for (int attempt = 0; status == LF_OK && attempt < HANDSHAKE_TRIES; attempt++) {
        size_t written;
        if (attempt)
            status = line__dialogue_settle(dialogue, dialogue->profile->quiet_ms, err);
        if (status == LF_OK || status == LF_PROTOCOL)
            status = drop_arrived(dialogue, err);
        if (status == LF_OK)
            status = line__dialogue_send(dialogue, lf_buffer_slice(&wire), &written, err);
        if (status == LF_OK)
            status = await_handshake(dialogue, command, values, &heard, err);
        if (status == LF_OK)
            break;
        hear(&heard, dialogue, lf_buffer_slice(&dialogue->in));
        if (is_mute_or_strange(status) && attempt + 1 < HANDSHAKE_TRIES)
            status = LF_OK;
    }
    lf_buffer_free(&wire);
    if (status == LF_OK)
        return line__dialogue_settle(dialogue, dialogue->profile->quiet_ms, err);
    if ((status == LF_TIMEOUT || status == LF_TOO_LARGE) && heard.advice)
        return lf_fail(
            err, LF_PROTOCOL, LF_TRANSIENT,
            "the instrument answers, but not as the profile says: '%s' came, '%s' was expected. %s",
            heard.text, command->expects.items[0].source, heard.advice);
    return status;
}

/* An instrument that only talks sends no late replies: the next line end is as good as silence. */
static enum lf_status settle_without_handshake(struct lf_line_dialogue *dialogue, struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    struct lf_line_command first = {.ending = profile->ending, .times = profile->times};
    struct lf_line_frame unit;
    enum lf_status status = line__dialogue_settle(dialogue, dialogue->doubt_quiet_ms, err);
    if (status != LF_PROTOCOL || !profile->only_listens)
        return status;
    status = line__dialogue_read(dialogue, &first, lf_deadline_in(profile->times.total), &unit, err);
    if (status == LF_OK)
        lf_buffer_consume(&dialogue->in, unit.used);
    return status;
}

enum lf_status line__get_in_step(struct lf_line_dialogue *dialogue, struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    const struct lf_line_command *command = profile->resync ? profile->resync : profile->identify;
    struct lf_outcome values = {0};
    enum lf_status status = command ? handshake(dialogue, command, &values, err)
                                    : settle_without_handshake(dialogue, err);
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
        status = line__get_in_step(dialogue, err);
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

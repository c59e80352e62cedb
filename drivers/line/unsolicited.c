/* A line that matches `match` of a [listen] is a result. With `until` or `until_quiet` it opens a *report*:
 * it and all lines up to the end are one result. Only one report is open at a time, and while it is, every
 * line that no command waits for belongs to it.
 */
#include "drivers/line/unsolicited.h"

#include "base/log.h"
#include "drivers/line/dialogue_io.h"
#include "drivers/line/in_step.h"
#include "drivers/line/reply_match.h"
#include "drivers/line/show.h"

#include <string.h>

/* DROPPED_LOOKS_MAX: lines that are looked at when many are dropped at once. */
enum { REPORT_SILENCE_MS = 10000, NAME_ROOM = 128, DROPPED_LOOKS_MAX = 50 };

/* ---- lines that match nothing ---- */

/* Warns at the 1st, 2nd, 4th, 8th ... dropped line: a chattering instrument must not fill the log. */
static void drop_unit(struct lf_line_dialogue *dialogue, struct lf_slice line, const char *why)
{
    char room[LF_SHOW_ROOM];
    uint64_t count = ++dialogue->dropped;
    if ((count & (count - 1)) == 0)
        lf_log_warning(dialogue->instrument, "ignored '%s': %s (%llu ignored so far)", line__show(line, room),
                       why, (unsigned long long)count);
    if (dialogue->unmatched)
        dialogue->unmatched(dialogue->self, line, why);
}

static const char nothing_matches[] = "nothing in the profile matches it";

void line__unsolicited_drop_rest(struct lf_line_dialogue *dialogue)
{
    if (dialogue->in.len)
        drop_unit(dialogue, lf_buffer_slice(&dialogue->in), nothing_matches);
    line__dialogue_drop(dialogue);
}

static bool matches(const struct lf_line_dialogue *dialogue, const struct lf_line_patterns *patterns,
                    struct lf_slice line)
{
    return line__reply_first_match(dialogue->profile, patterns, line, NULL, &(struct lf_error){0}) == LF_OK;
}

static bool looks_like_a_result(const struct lf_line_dialogue *dialogue, struct lf_slice line)
{
    const struct lf_line_profile *profile = dialogue->profile;
    for (size_t i = 0; i < profile->listen_count; i++)
        if (matches(dialogue, &profile->listens[i].matches, line))
            return profile->listens[i].form != LF_FORM_NONE;
    return false;
}

void line__unsolicited_dropped(struct lf_line_dialogue *dialogue, struct lf_slice bytes)
{
    struct lf_line_frame unit;
    for (int i = 0;
         i < DROPPED_LOOKS_MAX && dialogue->profile->listen_count
         && line__frame_find(&dialogue->profile->ending, bytes, false, &unit) != LF_FRAME_MORE && unit.used;
         i++) {
        if (!unit.why && looks_like_a_result(dialogue, unit.body))
            drop_unit(dialogue, unit.body,
                      "it came before the instrument was in step: a result, or a late reply; print it again");
        bytes = lf_slice(bytes.data + unit.used, bytes.len - unit.used);
    }
}

/* ---- reports of many lines ---- */

int64_t line__unsolicited_due(const struct lf_line_dialogue *dialogue)
{
    const struct lf_line_listen *listen = dialogue->report.listen;
    if (!listen)
        return LF_NEVER;
    return dialogue->report.last + (listen->quiet_ms ? listen->quiet_ms : REPORT_SILENCE_MS);
}

static void close_report(struct lf_line_report *report)
{
    lf_outcome_free(&report->values);
    lf_buffer_free(&report->text);
    *report = (struct lf_line_report){0};
}

static enum lf_status give(struct lf_line_dialogue *dialogue, const struct lf_line_listen *listen,
                           struct lf_slice bytes, const struct lf_outcome *values, struct lf_error *err)
{
    if (listen->form == LF_FORM_NONE || !dialogue->unsolicited)
        return LF_OK;
    return dialogue->unsolicited(dialogue->self, listen, bytes, values, err);
}

/* `why` NULL: it is complete. One that is not is kept under another name. */
static enum lf_status give_report(struct lf_line_dialogue *dialogue, const char *why, struct lf_error *err)
{
    struct lf_line_report *report = &dialogue->report;
    struct lf_line_listen partial = *report->listen;
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "%s-incomplete", partial.name);
    partial.name = name;
    enum lf_status status = give(dialogue, why ? &partial : report->listen, lf_buffer_slice(&report->text),
                                 &report->values, err);
    if (status != LF_OK)
        return status;
    if (why)
        drop_unit(dialogue, lf_buffer_slice(&report->text), why);
    close_report(report);
    return LF_OK;
}

enum lf_status line__unsolicited_end(struct lf_line_dialogue *dialogue, struct lf_error *err)
{
    int64_t due = line__unsolicited_due(dialogue);
    if (due == LF_NEVER || !lf_deadline_passed(due))
        return LF_OK;
    return give_report(dialogue,
                       dialogue->report.listen->quiet_ms ? NULL
                                                         : "a report stopped before its last line; what came "
                                                           "is kept as incomplete",
                       err);
}

void line__unsolicited_forget(struct lf_line_dialogue *dialogue)
{
    struct lf_error err;
    if (dialogue->report.listen
        && give_report(dialogue, "the connection ended within a report; what came is kept as incomplete",
                       &err)
               != LF_OK)
        close_report(&dialogue->report);
}

/* A line that looks like the first one opens a part of the report with a last line of its own. */
static enum lf_status add_to_report(struct lf_line_dialogue *dialogue, struct lf_slice line,
                                    struct lf_error *err)
{
    struct lf_line_report *report = &dialogue->report;
    struct lf_slice end = dialogue->profile->ending.end;
    size_t before = report->text.len;
    if (report->text.len + line.len + end.len > dialogue->profile->max_reply)
        return give_report(dialogue, "a report is longer than max_reply; its beginning is kept as incomplete",
                           err);
    if (lf_buffer_append(&report->text, line.data, line.len) != LF_OK
        || lf_buffer_append(&report->text, end.data, end.len) != LF_OK)
        return lf_fail_memory(err, "keeping a report");
    bool last = before && matches(dialogue, &report->listen->untils, line);
    size_t depth = report->depth;
    report->last = lf_clock_mono_ms();
    if (last)
        report->depth--;
    else if (matches(dialogue, &report->listen->matches, line))
        report->depth++;
    if (report->depth)
        return LF_OK;
    enum lf_status status = give_report(dialogue, NULL, err);
    if (status != LF_OK) { /* the line will be offered again */
        report->text.len = before;
        report->depth = depth;
    }
    return status;
}

/* `values` become the report's. */
static enum lf_status open_report(struct lf_line_dialogue *dialogue, const struct lf_line_listen *listen,
                                  struct lf_slice line, struct lf_outcome *values, struct lf_error *err)
{
    dialogue->report = (struct lf_line_report){.listen = listen, .values = *values};
    dialogue->report.text.max = dialogue->profile->max_reply;
    *values = (struct lf_outcome){0};
    return add_to_report(dialogue, line, err);
}

/* ---- lines ---- */

enum lf_status line__unsolicited_take(struct lf_line_dialogue *dialogue, struct lf_slice line, bool *taken,
                                      struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    enum lf_status status = line__unsolicited_end(dialogue, err);
    *taken = status == LF_OK && dialogue->report.listen;
    if (status != LF_OK || *taken)
        return status != LF_OK ? status : add_to_report(dialogue, line, err);
    for (size_t i = 0; i < profile->listen_count; i++) {
        const struct lf_line_listen *listen = &profile->listens[i];
        struct lf_outcome values = {0};
        status = line__reply_first_match(profile, &listen->matches, line, &values, err);
        if (status == LF_OK)
            status = listen->untils.count || listen->quiet_ms
                         ? open_report(dialogue, listen, line, &values, err)
                         : give(dialogue, listen, line, &values, err);
        lf_outcome_free(&values);
        *taken = status == LF_OK || status == LF_REFUSED;
        if (status == LF_REFUSED) /* it is no value */
            drop_unit(dialogue, line, err->text);
        if (status != LF_MISMATCH)
            return *taken ? LF_OK : status;
    }
    return LF_OK;
}

enum lf_status line__unsolicited_report(struct lf_line_dialogue *dialogue, bool quiet, struct lf_error *err)
{
    const struct lf_line_ending *ending = &dialogue->profile->ending;
    struct lf_line_frame unit;
    while (ending->unit != LF_UNIT_NONE && dialogue->in.len
           && line__dialogue_look(dialogue, ending, quiet, &unit)) {
        bool taken = !unit.why && !unit.body.len && !dialogue->report.listen;
        enum lf_status status = unit.why || taken ? LF_OK
                                                  : line__unsolicited_take(dialogue, unit.body, &taken, err);
        if (status != LF_OK)
            return status;
        if (!taken)
            drop_unit(dialogue, unit.why ? lf_buffer_slice(&dialogue->in) : unit.body,
                      unit.why ? unit.why : nothing_matches);
        lf_buffer_consume(&dialogue->in, unit.used);
    }
    return line__unsolicited_end(dialogue, err);
}

/* ---- listening ---- */

static enum lf_status take_arrived(struct lf_line_dialogue *dialogue, bool quiet, struct lf_error *err)
{
    enum lf_status status = line__unsolicited_report(dialogue, quiet, err);
    if (status == LF_OK && (quiet || dialogue->in.len > dialogue->profile->max_reply))
        line__unsolicited_drop_rest(dialogue);
    return status;
}

enum lf_status line__dialogue_listen(struct lf_line_dialogue *dialogue, const struct lf_wake *wake,
                                     int64_t deadline, struct lf_error *err)
{
    const struct lf_line_profile *profile = dialogue->profile;
    const struct lf_line_ending *ending = &profile->ending;
    /* A late reply that looks like a line of the Print key must not become a result. */
    enum lf_status ready = dialogue->doubt ? line__get_in_step(dialogue, err) : LF_OK;
    while (ready == LF_OK) {
        bool readable;
        int64_t pause = ending->unit == LF_UNIT_IDLE ? ending->idle_ms : profile->times.gap;
        int64_t pending = dialogue->in.len ? lf_deadline_in(pause) : line__unsolicited_due(dialogue);
        enum lf_status status = lf_stream_wait(dialogue->stream, wake, lf_deadline_sooner(deadline, pending),
                                               &readable, err);
        if (status == LF_OK && !readable)
            return LF_OK; /* woken */
        if (status == LF_OK)
            status = line__dialogue_fill(dialogue, deadline, err);
        if (status == LF_OK)
            status = take_arrived(dialogue, false, err);
        else if (status == LF_TIMEOUT && (deadline == LF_NEVER || !lf_deadline_passed(deadline)))
            status = take_arrived(dialogue, true, err);
        if (status != LF_OK)
            return status == LF_TIMEOUT ? LF_OK : status;
    }
    return ready;
}

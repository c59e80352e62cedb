/* The intake thread: asking the API for events, and completing those that lack properties (reread.c).
 *
 * Two reasons to ask, each with its place kept in the journal:
 * - regular asking (cloud.events = "poll" or "both") continues from "poll.after", the id of the last event
 *   taken in here; before there is one, from "poll.since", the time of the first start. The list is in the
 *   order of processing, so an id is a safe place to continue from.
 * - a gap in MQTT (nobody knows what the broker kept while we were away) is filled from "poll.gap", the time
 *   of the newest event known when the session came up, less an overlap. It is noted before the first message
 *   of the new session is read, and kept, across restarts, until a round is complete.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "intake/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_DEADLINE_MS = 2 * 60 * 1000, PAGES_MAX = 10000, OVERLAP_MS = 10 * 60 * 1000 };

static bool is_regular(const struct lf_intake *intake)
{
    return intake->options.config->cloud.events != LF_SOURCE_MQTT;
}

/* ---- one round ---- */

static enum lf_status take_page(struct lf_intake *intake, const cJSON *events, struct lf_error *err)
{
    const cJSON *event;
    const char *last = NULL;
    enum lf_status status = intake__begin(intake, err);
    if (status != LF_OK)
        return status;
    cJSON_ArrayForEach (event, events) {
        char *text = status == LF_OK ? lf_json_print(event) : NULL;
        if (status == LF_OK)
            status = text ? lf_intake_add(intake, "poll", NULL, lf_slice_text(text), err)
                          : lf_fail_memory(err, "taking in events");
        free(text);
        last = lf_json_text_or(event, "id", last);
    }
    if (status == LF_OK && last)
        status = lf_journal_set(intake->journal, "poll.after", last, err);
    status = lf_journal_end(intake->journal, status, err);
    if (status != LF_OK)
        return status;
    lf_mutex_lock(&intake->poll.mutex);
    intake->poll.taken += cJSON_GetArraySize(events);
    lf_mutex_unlock(&intake->poll.mutex);
    return LF_OK;
}

/* The types that routes want, as the API's comma list. *list is owned; NULL: all. */
static enum lf_status wanted_types(const struct lf_config *config, char **list, struct lf_error *err)
{
    struct lf_buffer types = {0};
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < config->event_types.count; i++)
        status = lf_buffer_format(&types, "%s%s", i ? "," : "", config->event_types.items[i]);
    *list = status == LF_OK && types.len ? lf_buffer_take(&types) : NULL;
    lf_buffer_free(&types);
    return status == LF_OK ? LF_OK : lf_fail_memory(err, "asking for events");
}

/* Where to begin. Both owned; after is NULL when asking by time. */
struct place {
    char *after, *since;
};

/* A time in the future was noted by a wrong clock; asking from there would find nothing. */
static void limit_to_now(char **since)
{
    char latest[LF_TIME_TEXT], *copy;
    lf_time_format(lf_clock_best_ms() - OVERLAP_MS, latest);
    if (strcmp(*since, latest) <= 0 || !(copy = strdup(latest)))
        return;
    lf_log_warning("poll", "the stored time to ask for events from, %s, is in the future: asking from %s",
                   *since, latest);
    free(*since);
    *since = copy;
}

/* The time of the first start, by the clock as it is now: it may have been set since. Final once the clock is
 * known to be right. */
static void correct_beginning(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    struct lf_error err;
    char since[LF_TIME_TEXT];
    bool sure = lf_clock_learned();
    if (!poll->began)
        return;
    lf_time_format(lf_clock_best_ms() - (lf_clock_mono_ms() - poll->began) - OVERLAP_MS, since);
    if (lf_journal_set(intake->journal, "poll.since", since, &err) == LF_OK && sure)
        poll->began = 0;
}

static enum lf_status begin_at(struct lf_intake *intake, struct place *place, struct lf_error *err)
{
    struct lf_journal *journal = intake->journal;
    correct_beginning(intake);
    enum lf_status status = lf_journal_get(journal, "poll.gap", &place->since, err);
    if (status == LF_OK && !place->since && is_regular(intake))
        status = lf_journal_get(journal, "poll.after", &place->after, err);
    if (status == LF_OK && !place->since && !place->after)
        status = lf_journal_get(journal, "poll.since", &place->since, err);
    if (place->since)
        limit_to_now(&place->since);
    return status;
}

/* Page by page to the last, which has no token: a page without events may be followed by others. Not reaching
 * it is an error, since only then is a gap filled. */
static enum lf_status ask_pages(struct lf_intake *intake, const struct place *place, const char *types,
                                struct lf_error *err)
{
    enum lf_status status = LF_OK;
    char *next = NULL;
    bool more = true;
    for (int pages = 0; status == LF_OK && more && pages < PAGES_MAX; pages++) {
        struct lf_call call = {.deadline = lf_deadline_in(PAGE_DEADLINE_MS),
                               .cancel = &intake->poll.worker.cancel};
        cJSON *page = NULL;
        status = lf_cloud_get_events(intake->options.cloud, place->after, place->after ? NULL : place->since,
                                     types, next, &call, &page, err);
        const cJSON *events = cJSON_GetObjectItemCaseSensitive(page, "events");
        if (status == LF_OK && cJSON_GetArraySize(events) > 0)
            status = take_page(intake, events, err);
        const char *token = lf_json_text_or(page, "nextToken", "");
        more = status == LF_OK && *token && !(next && !strcmp(next, token));
        free(next);
        next = more ? strdup(token) : NULL;
        if (more && !next)
            status = lf_fail_memory(err, "asking for events");
        cJSON_Delete(page);
    }
    free(next);
    if (status == LF_OK && more)
        status = lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "the list of events does not end after %d pages",
                         PAGES_MAX);
    return status;
}

/* A round that was asked for meanwhile may find what came after the pages of this one: it starts at the same
 * place. */
static enum lf_status close_gap(struct lf_intake *intake, struct lf_error *err)
{
    struct intake_poll *poll = &intake->poll;
    lf_mutex_lock(&poll->mutex);
    enum lf_status status = poll->open || poll->asked
                                ? LF_OK
                                : lf_journal_set(intake->journal, "poll.gap", NULL, err);
    lf_mutex_unlock(&poll->mutex);
    return status;
}

static enum lf_status ask_round(struct lf_intake *intake, struct lf_error *err)
{
    struct place place = {0};
    char *types = NULL;
    enum lf_status status = begin_at(intake, &place, err);
    if (status == LF_OK)
        status = wanted_types(intake->options.config, &types, err);
    if (status == LF_OK)
        status = ask_pages(intake, &place, types, err);
    if (status != LF_OK && place.after && err->class == LF_PERMANENT) {
        struct lf_error ignored;
        lf_log_warning("poll", "cannot continue the event list from %s (%s); asking by time from now on",
                       place.after, err->text);
        lf_journal_set(intake->journal, "poll.after", NULL, &ignored);
    }
    if (status == LF_OK && !place.after)
        status = close_gap(intake, err);
    free(place.after);
    free(place.since);
    free(types);
    return status;
}

/* ---- the thread ---- */

static void note_outcome(struct intake_poll *poll, enum lf_status status, const struct lf_error *err)
{
    const char *trouble = status == LF_OK ? "" : err->text;
    lf_mutex_lock(&poll->mutex);
    bool news = *trouble && strcmp(poll->error, trouble) != 0;
    snprintf(poll->error, sizeof poll->error, "%s", trouble);
    if (status == LF_OK)
        poll->last_ms = lf_clock_wall_ms();
    lf_mutex_unlock(&poll->mutex);
    if (news)
        lf_log_warning("poll", "cannot ask for events: %s", trouble);
}

static void ask(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    struct lf_error err = {0};
    enum lf_status status = ask_round(intake, &err);
    if (status == LF_CANCELLED)
        return;
    note_outcome(poll, status, &err);
    int64_t wait = lf_backoff_ms(poll->attempt, LF_PACE_CLOUD);
    poll->attempt = status == LF_OK ? 0 : poll->attempt + 1;
    if (status != LF_OK) /* with or without regular asking: a gap may be open */
        poll->next = lf_deadline_in(wait > err.retry_after_ms ? wait : err.retry_after_ms);
    else
        poll->next = is_regular(intake) ? lf_deadline_in(intake->options.config->cloud.poll_interval_ms)
                                        : LF_NEVER;
}

/* One round and one incomplete event at a time, so that neither keeps the other waiting for long. */
static int64_t work(void *context)
{
    struct lf_intake *intake = context;
    struct intake_poll *poll = &intake->poll;
    int64_t next_event = LF_NEVER;
    lf_mutex_lock(&poll->mutex);
    bool asked = poll->asked;
    poll->asked = false;
    lf_mutex_unlock(&poll->mutex);
    if (asked || lf_deadline_passed(poll->next))
        ask(intake);
    if (!lf_cancel_is_set(&poll->worker.cancel) && intake__reread_one(intake, &next_event))
        return 0;
    return lf_deadline_sooner(poll->next, next_event);
}

/* Also one of an earlier run. If the journal cannot be read, there may be one. */
static bool has_gap(struct lf_intake *intake)
{
    struct lf_error err;
    char *gap;
    bool known = lf_journal_get(intake->journal, "poll.gap", &gap, &err) == LF_OK, open = gap != NULL;
    free(gap);
    return open || !known;
}

/* Remembers when this agent began: nothing older is asked for. */
enum lf_status intake__poll_open(struct lf_intake *intake, struct lf_error *err)
{
    char *since = NULL, now[LF_TIME_TEXT];
    lf_time_format(lf_clock_best_ms() - OVERLAP_MS, now);
    enum lf_status status = lf_worker_open(&intake->poll.worker, err);
    if (status == LF_OK)
        status = lf_journal_get(intake->journal, "poll.since", &since, err);
    intake->poll.began = since ? 0 : lf_clock_mono_ms();
    if (status == LF_OK && !since)
        status = lf_journal_set(intake->journal, "poll.since", now, err);
    if (status == LF_OK && !since)
        lf_log_info("poll", "first start: events from %s on are asked for, %d minutes before now", now,
                    OVERLAP_MS / 60 / 1000);
    free(since);
    return status;
}

enum lf_status lf_intake_start(struct lf_intake *intake, struct lf_error *err)
{
    bool at_once = is_regular(intake) || (has_gap(intake) && !intake->options.config->link.used);
    intake->poll.next = at_once ? 0 : LF_NEVER; /* for a gap the link says when */
    return lf_worker_start(&intake->poll.worker, "intake", work, intake, err);
}

void intake__poll_close(struct lf_intake *intake)
{
    lf_worker_close(&intake->poll.worker);
    lf_mutex_destroy(&intake->poll.mutex);
}

/* ---- gaps ---- */

/* A gap that is still to be filled begins earlier, and stays. */
static enum lf_status note_gap(struct lf_journal *journal, struct lf_error *err)
{
    char *known, *since = NULL, text[LF_TIME_TEXT];
    enum lf_status status = lf_journal_get(journal, "poll.gap", &known, err);
    if (status == LF_OK && !known)
        status = lf_journal_get(journal, "poll.since", &since, err);
    if (status == LF_OK && !known) {
        int64_t newest = lf_journal_event_newest(journal);
        lf_time_format(newest - OVERLAP_MS, text);
        status = lf_journal_set(journal, "poll.gap", newest > 0 ? text : since, err);
    }
    free(known);
    free(since);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot note that events may have been missed");
}

enum lf_status lf_intake_gap(struct lf_intake *intake, struct lf_error *err)
{
    lf_mutex_lock(&intake->poll.mutex);
    intake->poll.open = true;
    enum lf_status status = note_gap(intake->journal, err);
    lf_mutex_unlock(&intake->poll.mutex);
    return status;
}

void lf_intake_fill(struct lf_intake *intake, bool closed)
{
    lf_mutex_lock(&intake->poll.mutex);
    bool gap = has_gap(intake); /* with the mutex, or a round could close it before `asked` is seen */
    intake->poll.open = !closed;
    intake->poll.asked = intake->poll.asked || gap;
    lf_mutex_unlock(&intake->poll.mutex);
    if (gap)
        lf_worker_kick(&intake->poll.worker);
}

cJSON *lf_intake_poll_health(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    struct lf_error err;
    cJSON *health = cJSON_CreateObject();
    char *after;
    lf_journal_get(intake->journal, "poll.after", &after, &err);
    lf_mutex_lock(&poll->mutex);
    lf_json_set_time(health, "last", poll->last_ms);
    lf_json_set_text(health, "after", after);
    lf_json_set_int(health, "taken", poll->taken);
    lf_json_set_text(health, "error", poll->error[0] ? poll->error : NULL);
    lf_mutex_unlock(&poll->mutex);
    free(after);
    return health;
}

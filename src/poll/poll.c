/* The poll thread.
 *
 * Two reasons to ask, each with its place kept in the journal:
 * - regular asking (cloud.events = "poll" or "both") goes on from "poll.after", the id of the last event
 * taken in here; before there is one, from "poll.since", the time of the first start. The list is in the
 * order of processing, so an id is a sound place.
 * - a gap in MQTT (we were away, and who knows what the broker kept of that time) is filled from "poll.gap",
 * a time: that of the newest event known when the session came up, less an overlap. It is noted before the
 * first message of the new session is read, and kept until a round has come to its end, over restarts.
 */
#include "poll/poll.h"

#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "config/config.h"
#include "intake/intake.h"
#include "journal/journal.h"
#include "os/wait.h"

#include "os/thread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_BASE_MS = 2000,
    RETRY_CAP_MS = 5 * 60 * 1000,
    PAGE_DEADLINE_MS = 2 * 60 * 1000,
    PAGES_MAX = 10000,
    OVERLAP_MS = 10 * 60 * 1000
};

struct lf_poll {
    struct lf_poll_options options;
    struct lf_cancel cancel;
    struct lf_thread thread;
    bool started;
    int64_t
        began; /* monotonic: the first start of all, while we are not sure of its date; else 0. Poll thread */
    struct lf_mutex mutex; /* guards the rest */
    struct lf_cond told;
    bool gap, stopping;
    bool keep; /* events are still being missed: the gap stays, though it was asked for */
    uint64_t
        gaps; /* counts gaps noted; the journal is asked with the mutex held, never the other way round */
    int64_t last_ms; /* wall, of the last complete round */
    int64_t taken;   /* events taken in since the start */
    char error[LF_ERROR_TEXT];
};

static enum lf_status take_page(struct lf_poll *poll, const cJSON *events, struct lf_error *err)
{
    struct lf_journal *journal = poll->options.journal;
    const cJSON *event;
    const char *last = NULL;
    int jobs = 0, taken = 0;
    enum lf_status status = lf_journal_room(journal, LF_ROOM_WORK, err);
    if (status == LF_OK)
        status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    cJSON_ArrayForEach (event, events) {
        char *text = status == LF_OK ? lf_json_print(event) : NULL;
        if (status == LF_OK && !text)
            status = lf_fail_memory(err, "taking in events");
        if (status == LF_OK)
            status = lf_intake_add(poll->options.intake, "poll", NULL, lf_slice_text(text), &jobs, err);
        free(text);
        last = lf_json_text(event, "id") ? lf_json_text(event, "id") : last;
        taken++;
    }
    if (status == LF_OK && last)
        status = lf_journal_set(journal, "poll.after", last, err);
    if (status != LF_OK) {
        lf_journal_rollback(journal);
        return status;
    }
    status = lf_journal_commit(journal, err);
    if (status != LF_OK)
        return status;
    lf_mutex_lock(&poll->mutex);
    poll->taken += taken;
    lf_mutex_unlock(&poll->mutex);
    if (jobs)
        poll->options.jobs(poll->options.context);
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

/* A time that lies ahead was noted by a clock that was wrong: nothing would ever be found from there on. */
static void not_ahead(char **since)
{
    char latest[LF_TIME_TEXT], *copy;
    lf_time_format(lf_clock_best_ms() - OVERLAP_MS, latest);
    if (strcmp(*since, latest) <= 0 || !(copy = strdup(latest)))
        return;
    lf_log_warning("poll", "%s, from which on events are to be asked for, lies ahead: asking from %s on",
                   *since, latest);
    free(*since);
    *since = copy;
}

/* When was the beginning? By the clock of now, which may have been set since; for good once we know that it
 * is right. */
static void correct_beginning(struct lf_poll *poll)
{
    char since[LF_TIME_TEXT];
    bool sure = lf_clock_learned();
    if (!poll->began)
        return;
    lf_time_format(lf_clock_best_ms() - (lf_clock_mono_ms() - poll->began) - OVERLAP_MS, since);
    if (lf_journal_set(poll->options.journal, "poll.since", since, NULL) == LF_OK && sure)
        poll->began = 0;
}

static enum lf_status begin_at(struct lf_poll *poll, bool regular, struct place *place, struct lf_error *err)
{
    struct lf_journal *journal = poll->options.journal;
    correct_beginning(poll);
    enum lf_status status = lf_journal_get(journal, "poll.gap", &place->since, err);
    if (status == LF_OK && !place->since && regular)
        status = lf_journal_get(journal, "poll.after", &place->after, err);
    if (status == LF_OK && !place->since && !place->after)
        status = lf_journal_get(journal, "poll.since", &place->since, err);
    if (place->since)
        not_ahead(&place->since);
    return status;
}

/* Page by page to the end, which is a page without a token: one without events may still be followed by
 * others. Not to have come to the end is an error, since a gap counts as filled only then. */
static enum lf_status ask_pages(struct lf_poll *poll, const struct place *place, const char *types,
                                struct lf_error *err)
{
    enum lf_status status = LF_OK;
    char *next = NULL;
    bool more = true;
    for (int pages = 0; status == LF_OK && more && pages < PAGES_MAX; pages++) {
        struct lf_call call = {.deadline = lf_deadline_in(PAGE_DEADLINE_MS), .cancel = &poll->cancel};
        cJSON *page = NULL;
        status = lf_cloud_get_events(poll->options.cloud, place->after, place->after ? NULL : place->since,
                                     types, next, &call, &page, err);
        const cJSON *events = cJSON_GetObjectItemCaseSensitive(page, "events");
        if (status == LF_OK && cJSON_GetArraySize(events) > 0)
            status = take_page(poll, events, err);
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

static uint64_t gaps_now(struct lf_poll *poll)
{
    lf_mutex_lock(&poll->mutex);
    uint64_t gaps = poll->gaps;
    lf_mutex_unlock(&poll->mutex);
    return gaps;
}

/* A gap noted since the round began starts at the same place, which stays until it has been asked for, too.
 */
static enum lf_status close_gap(struct lf_poll *poll, uint64_t gaps, struct lf_error *err)
{
    lf_mutex_lock(&poll->mutex);
    enum lf_status status = poll->gaps == gaps && !poll->keep
                                ? lf_journal_set(poll->options.journal, "poll.gap", NULL, err)
                                : LF_OK;
    lf_mutex_unlock(&poll->mutex);
    return status;
}

static enum lf_status ask_round(struct lf_poll *poll, bool regular, struct lf_error *err)
{
    struct lf_journal *journal = poll->options.journal;
    uint64_t gaps = gaps_now(poll);
    struct place place = {0};
    char *types = NULL;
    enum lf_status status = begin_at(poll, regular, &place, err);
    if (status == LF_OK)
        status = wanted_types(poll->options.config, &types, err);
    if (status == LF_OK)
        status = ask_pages(poll, &place, types, err);
    if (status != LF_OK && place.after && err->class == LF_PERMANENT) {
        lf_log_warning("poll", "the event list does not go on from %s (%s); asking by time from now on",
                       place.after, err->text);
        lf_journal_set(journal, "poll.after", NULL, NULL);
    }
    if (status == LF_OK && !place.after)
        status = close_gap(poll, gaps, err);
    free(place.after);
    free(place.since);
    free(types);
    return status;
}

static void note_outcome(struct lf_poll *poll, enum lf_status status, const struct lf_error *err)
{
    lf_mutex_lock(&poll->mutex);
    bool news = strcmp(poll->error, status == LF_OK ? "" : err->text) != 0;
    snprintf(poll->error, sizeof poll->error, "%s", status == LF_OK ? "" : err->text);
    if (status == LF_OK)
        poll->last_ms = lf_clock_wall_ms();
    lf_mutex_unlock(&poll->mutex);
    if (status == LF_OK || !news)
        return;
    lf_log_warning("poll", "cannot ask for events: %s", err->text);
}

/* Waits for the deadline or a gap. False: stop. */
static bool wait_for_turn(struct lf_poll *poll, int64_t deadline)
{
    lf_mutex_lock(&poll->mutex);
    while (!poll->stopping && !poll->gap && lf_cond_wait(&poll->told, &poll->mutex, deadline))
        ;
    poll->gap = false;
    bool go_on = !poll->stopping;
    lf_mutex_unlock(&poll->mutex);
    return go_on;
}

/* One of an earlier life, too. Whether there is one may not be known for want of memory: then it is looked
 * for. */
static bool has_gap(struct lf_poll *poll)
{
    char *gap;
    bool known = lf_journal_get(poll->options.journal, "poll.gap", &gap, NULL) == LF_OK, open = gap != NULL;
    free(gap);
    return open || !known;
}

static void *run(void *arg)
{
    struct lf_poll *poll = arg;
    const struct lf_config_cloud *cloud = &poll->options.config->cloud;
    bool regular = cloud->events != LF_SOURCE_MQTT;
    int64_t next = regular || (has_gap(poll) && !poll->options.config->link.used)
                       ? 0
                       : LF_NEVER; /* else the link says when */
    int attempt = 0;
    while (wait_for_turn(poll, next)) {
        struct lf_error err = {0};
        enum lf_status status = ask_round(poll, regular, &err);
        if (status == LF_CANCELLED)
            continue;
        note_outcome(poll, status, &err);
        int64_t wait = lf_backoff_ms(attempt, RETRY_BASE_MS, RETRY_CAP_MS);
        attempt = status == LF_OK ? 0 : attempt + 1;
        if (status
            != LF_OK) /* a gap that could not be filled is tried again, with or without regular asking */
            next = lf_deadline_in(wait > err.retry_after_ms ? wait : err.retry_after_ms);
        else
            next = regular ? lf_deadline_in(cloud->poll_interval_ms) : LF_NEVER;
    }
    return NULL;
}

/* Remembers when this agent began: nothing older is asked for. */
static enum lf_status note_beginning(struct lf_poll *poll, struct lf_error *err)
{
    struct lf_journal *journal = poll->options.journal;
    char *since, now[LF_TIME_TEXT];
    lf_time_format(lf_clock_best_ms() - OVERLAP_MS, now);
    enum lf_status status = lf_journal_get(journal, "poll.since", &since, err);
    poll->began = since ? 0 : lf_clock_mono_ms();
    if (status == LF_OK && !since)
        status = lf_journal_set(journal, "poll.since", now, err);
    free(since);
    return status;
}

enum lf_status lf_poll_open(const struct lf_poll_options *options, struct lf_poll **out, struct lf_error *err)
{
    struct lf_poll *poll = calloc(1, sizeof *poll);
    if (!poll)
        return lf_fail_memory(err, "opening the poll");
    poll->options = *options;
    lf_mutex_init(&poll->mutex);
    lf_cond_init(&poll->told);
    enum lf_status status = lf_cancel_open(&poll->cancel, err);
    if (status == LF_OK)
        status = note_beginning(poll, err);
    if (status == LF_OK)
        status = lf_thread_start(&poll->thread, "poll", run, poll, err);
    poll->started = status == LF_OK;
    if (status != LF_OK) {
        lf_poll_close(poll);
        return status;
    }
    *out = poll;
    return LF_OK;
}

void lf_poll_close(struct lf_poll *poll)
{
    if (!poll)
        return;
    lf_mutex_lock(&poll->mutex);
    poll->stopping = true;
    lf_cond_broadcast(&poll->told);
    lf_mutex_unlock(&poll->mutex);
    if (poll->started) {
        lf_cancel_set(&poll->cancel);
        lf_thread_join(&poll->thread);
    }
    lf_cancel_close(&poll->cancel);
    lf_cond_destroy(&poll->told);
    lf_mutex_destroy(&poll->mutex);
    free(poll);
}

/* A gap that waits to be filled begins earlier and stays. */
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

enum lf_status lf_poll_gap(struct lf_poll *poll, struct lf_error *err)
{
    lf_mutex_lock(&poll->mutex);
    poll->gaps++;
    enum lf_status status = note_gap(poll->options.journal, err);
    lf_mutex_unlock(&poll->mutex);
    return status;
}

void lf_poll_fill(struct lf_poll *poll, bool whole)
{
    bool open = has_gap(poll);
    lf_mutex_lock(&poll->mutex);
    poll->keep = !whole;
    poll->gap = poll->gap || open;
    lf_cond_broadcast(&poll->told);
    lf_mutex_unlock(&poll->mutex);
}

cJSON *lf_poll_health(struct lf_poll *poll)
{
    cJSON *health = cJSON_CreateObject();
    char *after, last[LF_TIME_TEXT];
    lf_journal_get(poll->options.journal, "poll.after", &after, NULL);
    lf_mutex_lock(&poll->mutex);
    if (poll->last_ms) {
        lf_time_format(poll->last_ms, last);
        lf_json_set_text(health, "last", last);
    }
    lf_json_set_text(health, "after", after);
    lf_json_set_int(health, "taken", poll->taken);
    lf_json_set_text(health, "error", poll->error[0] ? poll->error : NULL);
    lf_mutex_unlock(&poll->mutex);
    free(after);
    return health;
}

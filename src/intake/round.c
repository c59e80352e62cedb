/* One round of asking for events: from the end of the last completed round to the end of the list.
 *
 * The list is in the order in which the cloud has processed the events, not of their dates. So the place to
 * ask from is an event, "poll.after" in the journal, and beside it its date, "poll.since", for when the list
 * no longer has that event (it keeps about two weeks). Before there is one, the date is that of the first
 * start. The place moves only when a round is complete, and stays a little behind (OVERLAP_MS): events are
 * known by their ids, so asking twice does no harm.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "intake/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_DEADLINE_MS = 2 * 60 * 1000,
    PAGES_MAX = 10000,
    OVERLAP_MS = 2 * 60 * 1000,
    EARLIER_MS = 10 * 60 * 1000,        /* when asking by date: dates are not in the order of the list */
    KEPT_MS = 15 * 24 * 60 * 60 * 1000, /* the list keeps about two weeks */
    FORGET_TYPES_MS = 24 * 60 * 60 * 1000,
};

/* Where a round begins, and what it has read. */
struct round {
    char *after, *since; /* owned; after is NULL when asking by date */
    char *types;         /* owned; NULL: all */
    char *next;          /* owned: token of the next page */
    bool more;
};

static void round_free(struct round *round)
{
    free(round->after);
    free(round->since);
    free(round->types);
    free(round->next);
}

/* ---- pages ---- */

static enum lf_status take_events(struct lf_intake *intake, const cJSON *events, int64_t *added,
                                  struct lf_error *err)
{
    const cJSON *event;
    enum lf_status status = intake__begin(intake, err);
    if (status != LF_OK)
        return status;
    cJSON_ArrayForEach (event, events) {
        char *text = status == LF_OK ? lf_json_print(event) : NULL;
        if (status == LF_OK)
            status = text ? intake__add(intake, INTAKE_LIST, NULL, lf_slice_text(text), added, err)
                          : lf_fail_memory(err, "taking in events");
        free(text);
    }
    return lf_journal_end(intake->journal, status, err);
}

/* Remembers the last event of a page: the next round continues there if this one is not completed. */
static enum lf_status take_page(struct lf_intake *intake, const cJSON *events, struct lf_error *err)
{
    struct intake_poll *poll = &intake->poll;
    const cJSON *last = cJSON_GetArrayItem(events, cJSON_GetArraySize(events) - 1);
    const char *id = lf_json_text(last, "id"), *date = lf_json_text(last, "createdAt");
    int64_t added = 0;
    enum lf_status status = take_events(intake, events, &added, err);
    if (status != LF_OK)
        return status;
    lf_mutex_lock(&poll->mutex);
    poll->taken += added;
    lf_mutex_unlock(&poll->mutex);
    if (!id)
        return LF_OK;
    struct intake_place reached = {.after = strdup(id), .since = date ? strdup(date) : NULL};
    if (!reached.after || (date && !reached.since)) {
        intake__place_free(&reached);
        return lf_fail_memory(err, "taking in events");
    }
    intake__place_free(&poll->reached);
    poll->reached = reached;
    return LF_OK;
}

static enum lf_status get_page(struct lf_intake *intake, const struct round *round, const char *types,
                               cJSON **page, struct lf_error *err)
{
    struct lf_call call = {.deadline = lf_deadline_in(PAGE_DEADLINE_MS),
                           .cancel = &intake->poll.worker.cancel};
    return lf_cloud_get_events(intake->options.cloud, round->after, round->after ? NULL : round->since, types,
                               round->next, &call, page, err);
}

static enum lf_status ask_page(struct lf_intake *intake, struct round *round, struct lf_error *err)
{
    cJSON *page = NULL;
    enum lf_status status = get_page(intake, round, round->types, &page, err);
    const cJSON *events = cJSON_GetObjectItemCaseSensitive(page, "events");
    if (status == LF_OK && cJSON_GetArraySize(events) > 0)
        status = take_page(intake, events, err);
    const char *token = lf_json_text_or(page, "nextToken", "");
    round->more = status == LF_OK && *token && !(round->next && !strcmp(round->next, token));
    free(round->next);
    round->next = round->more ? strdup(token) : NULL;
    if (round->more && !round->next)
        status = lf_fail_memory(err, "asking for events");
    cJSON_Delete(page);
    return status;
}

/* Page by page to the last, which has no token: a page without events may be followed by others. */
static enum lf_status ask_pages(struct lf_intake *intake, struct round *round, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    round->more = true;
    for (int pages = 0; status == LF_OK && round->more; pages++)
        status = pages < PAGES_MAX ? ask_page(intake, round, err)
                                   : lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                                             "the list of events does not end after %d pages", PAGES_MAX);
    return status;
}

/* ---- types ---- */

static bool is_unknown(const struct lf_intake *intake, const char *type)
{
    return cJSON_HasObjectItem(intake->poll.unknown_types, type);
}

bool intake__round_asks(const struct lf_intake *intake, const char *type)
{
    const struct lf_texts *types = &intake->options.config->event_types;
    for (size_t i = 0; i < types->count; i++)
        if (!strcmp(types->items[i], type))
            return true;
    return false;
}

/* The types from one to another that routes want and the tenant knows, as the API's comma list; *list is
 * owned; NULL: none. */
static enum lf_status wanted_types(const struct lf_intake *intake, size_t from, size_t to, char **list,
                                   struct lf_error *err)
{
    const struct lf_texts *wanted = &intake->options.config->event_types;
    struct lf_buffer types = {0};
    enum lf_status status = LF_OK;
    for (size_t i = from; status == LF_OK && i < to; i++)
        if (!is_unknown(intake, wanted->items[i]))
            status = lf_buffer_format(&types, "%s%s", types.len ? "," : "", wanted->items[i]);
    *list = status == LF_OK && types.len ? lf_buffer_take(&types) : NULL;
    lf_buffer_free(&types);
    return status == LF_OK ? LF_OK : lf_fail_memory(err, "asking for events");
}

/* Which of these types does the tenant refuse? Halves them until single ones are left. */
static enum lf_status find_unknown(struct lf_intake *intake, const struct round *round, size_t from,
                                   size_t to, struct lf_error *err)
{
    char *types = NULL;
    cJSON *page = NULL;
    enum lf_status status = wanted_types(intake, from, to, &types, err);
    if (status == LF_OK && types)
        status = get_page(intake, round, types, &page, err);
    cJSON_Delete(page);
    free(types);
    if (status == LF_OK || err->class != LF_PERMANENT)
        return status;
    if (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        status = find_unknown(intake, round, from, middle, err);
        return status == LF_OK ? find_unknown(intake, round, middle, to, err) : status;
    }
    const char *type = intake->options.config->event_types.items[from];
    return lf_json_set_text(intake->poll.unknown_types, type, err->text)
               ? LF_OK
               : lf_fail_memory(err, "asking for events");
}

static void report_unknown(struct lf_intake *intake)
{
    const cJSON *type;
    char about[200], text[LF_ERROR_TEXT + 300];
    cJSON_ArrayForEach (type, intake->poll.unknown_types) {
        snprintf(about, sizeof about, "type %.180s", type->string);
        snprintf(
            text, sizeof text,
            "the tenant does not list events of type %.100s, so those that the broker drops are lost: %s",
            type->string, type->valuestring);
        lf_log_warning("poll", "%s", text);
        intake__stands(
            intake, about, text,
            "If the tenant never sends this type, nothing has to be done, or name the version in the "
            "route: `on = \"v2.NAME\"`. If it does, ask Benchling why it cannot be listed");
    }
}

static bool forget_unknown(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    const cJSON *type;
    char about[200];
    cJSON_ArrayForEach (type, poll->unknown_types) {
        snprintf(about, sizeof about, "type %.180s", type->string);
        intake__stands(intake, about, NULL, NULL);
    }
    cJSON_Delete(poll->unknown_types);
    poll->unknown_types = cJSON_CreateObject();
    poll->types_until = LF_NEVER;
    return poll->unknown_types != NULL;
}

/* The request was refused. If that is because of some of its types, the round goes on without them. Refused
 * without any of them: the types are not the reason. */
static enum lf_status leave_out_unknown(struct lf_intake *intake, struct round *round, struct lf_error *err)
{
    struct intake_poll *poll = &intake->poll;
    struct lf_error why = *err;
    size_t count = intake->options.config->event_types.count;
    int before = cJSON_GetArraySize(poll->unknown_types);
    enum lf_status status = find_unknown(intake, round, 0, count, err);
    if (status == LF_OK && cJSON_GetArraySize(poll->unknown_types) == before)
        status = lf_fail(err, why.status, why.class, "%s", why.text);
    if (status == LF_OK && (size_t)cJSON_GetArraySize(poll->unknown_types) == count) {
        forget_unknown(intake);
        status = lf_fail(err, why.status, why.class, "%s", why.text);
    }
    if (status != LF_OK)
        return status;
    report_unknown(intake);
    poll->types_until = lf_deadline_in(FORGET_TYPES_MS);
    free(round->types);
    round->types = NULL;
    return wanted_types(intake, 0, count, &round->types, err);
}

/* ---- the place ---- */

void intake__place_free(struct intake_place *place)
{
    free(place->after);
    free(place->since);
    *place = (struct intake_place){0};
}

/* How far back the first round asks. */
static int64_t reach(const struct lf_intake *intake)
{
    return intake->options.config->agent.first_start == LF_FIRST_IGNORE ? EARLIER_MS : KEPT_MS;
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
    lf_time_format(lf_clock_best_ms() - (lf_clock_mono_ms() - poll->began) - reach(intake), since);
    intake__earlier_correct(intake);
    if (lf_journal_set(intake->journal, LF_SMALL_POLL_SINCE, since, &err) == LF_OK && sure)
        poll->began = 0;
}

/* A time in the future was noted by a wrong clock; asking from there would find nothing. */
static void limit_to_now(char **since)
{
    char latest[LF_TIME_TEXT], *copy;
    lf_time_format(lf_clock_best_ms() - EARLIER_MS, latest);
    if (strcmp(*since, latest) <= 0 || !(copy = strdup(latest)))
        return;
    lf_log_warning("poll", "the stored time to ask for events from, %s, is in the future: asking from %s",
                   *since, latest);
    free(*since);
    *since = copy;
}

static enum lf_status begin_at(struct lf_intake *intake, struct round *round, struct lf_error *err)
{
    correct_beginning(intake);
    enum lf_status status = lf_journal_get(intake->journal, LF_SMALL_POLL_SINCE, &round->since, err);
    if (status == LF_OK && intake->poll.reached.after) {
        round->after = strdup(intake->poll.reached.after);
        status = round->after ? LF_OK : lf_fail_memory(err, "asking for events");
    } else if (status == LF_OK) {
        status = lf_journal_get(intake->journal, "poll.after", &round->after, err);
    }
    if (status == LF_OK && round->since)
        limit_to_now(&round->since);
    return status;
}

static enum lf_status save_place(struct lf_intake *intake, const struct intake_place *place,
                                 struct lf_error *err)
{
    int64_t ms;
    char since[LF_TIME_TEXT];
    enum lf_status status = lf_journal_begin(intake->journal, err);
    if (status != LF_OK)
        return status;
    status = lf_journal_set(intake->journal, "poll.after", place->after, err);
    if (status == LF_OK && place->since && lf_time_parse(place->since, &ms) == LF_OK) {
        lf_time_format(ms - EARLIER_MS, since);
        status = lf_journal_set(intake->journal, LF_SMALL_POLL_SINCE, since, err);
        intake->poll.began = 0;
    }
    return lf_journal_end(intake->journal, status, err);
}

/* The round is complete. Its last event becomes the place of a later round. */
static enum lf_status move_place(struct lf_intake *intake, struct lf_error *err)
{
    struct intake_poll *poll = &intake->poll;
    if (poll->tail.after && !lf_deadline_passed(poll->tail_until)) {
        intake__place_free(&poll->reached);
        return LF_OK;
    }
    enum lf_status status = poll->tail.after ? save_place(intake, &poll->tail, err) : LF_OK;
    if (status != LF_OK)
        return status;
    intake__place_free(&poll->tail);
    poll->tail = poll->reached;
    poll->reached = (struct intake_place){0};
    poll->tail_until = lf_deadline_in(OVERLAP_MS);
    return LF_OK;
}

/* ---- rounds ---- */

/* The list does not continue from the event that the round began at: it is asked by date instead. */
static enum lf_status ask_by_date(struct lf_intake *intake, struct round *round, struct lf_error *err)
{
    lf_log_warning("poll", "cannot continue the list of events from %s (%s); asking by date", round->after,
                   err->text);
    intake__place_free(&intake->poll.reached);
    intake__place_free(&intake->poll.tail);
    free(round->after);
    free(round->next);
    round->after = round->next = NULL;
    enum lf_status status = lf_journal_set(intake->journal, "poll.after", NULL, err);
    return status == LF_OK ? ask_pages(intake, round, err) : status;
}

enum lf_status intake__round(struct lf_intake *intake, struct lf_error *err)
{
    struct intake_poll *poll = &intake->poll;
    struct round round = {0};
    int64_t began = lf_clock_mono_ms();
    /* After a day the types are tried again: the tenant may have been updated. */
    bool made = poll->unknown_types && (!lf_deadline_passed(poll->types_until) || forget_unknown(intake));
    enum lf_status status = made ? begin_at(intake, &round, err) : lf_fail_memory(err, "asking for events");
    if (status == LF_OK)
        status = wanted_types(intake, 0, intake->options.config->event_types.count, &round.types, err);
    if (status == LF_OK)
        status = ask_pages(intake, &round, err);
    if (status != LF_OK && round.after && err->class == LF_PERMANENT)
        status = ask_by_date(intake, &round, err);
    if (status != LF_OK && round.types && err->class == LF_PERMANENT) {
        status = leave_out_unknown(intake, &round, err);
        if (status == LF_OK)
            status = ask_pages(intake, &round, err);
    }
    if (status == LF_OK)
        status = move_place(intake, err);
    if (status == LF_OK)
        intake__proof_round(intake, began);
    round_free(&round);
    return status;
}

/* Remembers when this agent began. */
enum lf_status intake__round_open(struct lf_intake *intake, struct lf_error *err)
{
    struct intake_poll *poll = &intake->poll;
    char *since = NULL, now[LF_TIME_TEXT];
    poll->unknown_types = cJSON_CreateObject();
    poll->types_until = LF_NEVER;
    lf_time_format(lf_clock_best_ms() - reach(intake), now);
    enum lf_status status = lf_journal_get(intake->journal, LF_SMALL_POLL_SINCE, &since, err);
    if (status == LF_OK)
        status = intake__earlier_open(intake, !since, err);
    poll->began = since ? 0 : lf_clock_mono_ms();
    if (status == LF_OK && !since)
        status = lf_journal_set(intake->journal, LF_SMALL_POLL_SINCE, now, err);
    if (status == LF_OK && !since)
        lf_log_info("poll", "first start: the list of events is asked from %s on", now);
    free(since);
    return status;
}

void intake__round_close(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    cJSON_Delete(poll->unknown_types);
    intake__place_free(&poll->reached);
    intake__place_free(&poll->tail);
}

/* Taking in: decode, store, route.
 *
 * Every message ends as exactly one row in the journal (or one more count on a known row), with a fate. What
 * is kept in memory only decides what is logged: which kinds of bad events and which deprecated types are
 * new.
 */
#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "event/key.h"
#include "intake/parts.h"
#include "journal/concern.h"
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALSO_DIGITS = 32,           /* so many that nobody can make two events of one id alike */
    ALSO_MAX = ALSO_DIGITS + 2, /* with "~" and the end */
    NAMES_MAX = 200,
    BAD_BODY_MAX = 256 * 1024,
};

enum lf_status lf_intake_open(const struct lf_intake_options *options, struct lf_intake **out,
                              struct lf_error *err)
{
    struct lf_intake *intake = calloc(1, sizeof *intake);
    if (!intake)
        return lf_fail_memory(err, "opening the intake");
    lf_mutex_init(&intake->mutex);
    lf_mutex_init(&intake->poll.mutex);
    intake->options = *options;
    intake->journal = options->journal;
    intake->deprecated = cJSON_CreateObject();
    intake->bad = cJSON_CreateObject();
    enum lf_status status = intake->deprecated && intake->bad ? LF_OK
                                                              : lf_fail_memory(err, "opening the intake");
    if (status == LF_OK)
        status = intake__routes_compile(intake, err);
    if (status == LF_OK)
        status = intake__poll_open(intake, err);
    if (status != LF_OK) {
        lf_intake_close(intake);
        return status;
    }
    *out = intake;
    return LF_OK;
}

void lf_intake_close(struct lf_intake *intake)
{
    if (!intake)
        return;
    intake__poll_close(intake);
    intake__routes_free(intake);
    cJSON_Delete(intake->deprecated);
    cJSON_Delete(intake->bad);
    lf_mutex_destroy(&intake->mutex);
    free(intake);
}

bool intake__count_first(struct lf_intake *intake, cJSON *counts, const char *name)
{
    lf_mutex_lock(&intake->mutex);
    cJSON *item = cJSON_GetObjectItemCaseSensitive(counts, name);
    bool first = !item && cJSON_GetArraySize(counts) < NAMES_MAX;
    if (item)
        cJSON_SetNumberHelper(item, item->valuedouble + 1);
    else if (first)
        lf_json_set_int(counts, name, 1);
    lf_mutex_unlock(&intake->mutex);
    return first;
}

static const char *source_of(enum intake_way way)
{
    return way == INTAKE_LIST ? "poll" : "mqtt";
}

void intake__stands(struct lf_intake *intake, const char *about, const char *text, const char *todo)
{
    struct lf_error err = {0};
    struct lf_concern concern = {.source = INTAKE_CONCERN,
                                 .about = about,
                                 .stands = true,
                                 .text = text,
                                 .todo = todo};
    enum lf_status status = text ? lf_journal_concern(intake->journal, &concern, &err)
                                 : lf_journal_concern_over(intake->journal, INTAKE_CONCERN, about, &err);
    if (status != LF_OK)
        lf_log_warning("intake", "cannot store a concern (%s): %s", text ? text : about, err.text);
}

/* One concern for each topic, however many bad messages come. */
static enum lf_status report_bad(struct lf_intake *intake, const char *from, const char *why, const char *id,
                                 struct lf_error *err)
{
    char text[LF_ERROR_TEXT + 300], todo[200];
    snprintf(text, sizeof text, "a message on %.200s is not an event that can be used: %s", from, why);
    snprintf(todo, sizeof todo, "correct what publishes it; labferry event %s shows it", id);
    return lf_journal_concern(
        intake->journal,
        &(struct lf_concern){.source = INTAKE_CONCERN, .about = from, .text = text, .todo = todo}, err);
}

static enum lf_status keep_bad(struct lf_intake *intake, const char *source, const char *topic,
                               struct lf_slice message, const char *why, struct lf_error *err)
{
    char digest[LF_SHA256_HEX], id[LF_SHA256_HEX + 8], kind[LF_ERROR_TEXT];
    if (lf_digest_bytes(LF_SHA256, message.data, message.len, digest) != LF_OK)
        return lf_fail_memory(err, "storing a bad event");
    snprintf(id, sizeof id, "bad:%s", digest);
    snprintf(kind, sizeof kind, "%s: %.300s", topic ? topic : source, why);
    if (intake__count_first(intake, intake->bad, kind))
        lf_log_warning("intake", "ignoring unusable event on %s: %s. It is kept as %s (labferry event)",
                       topic ? topic : source, why, id);
    struct lf_event_row row = {
        .id = id,
        .source = (char *)source,
        .note = (char *)why,
        .received_ms = lf_clock_best_ms(),
        .fate = LF_FATE_BAD,
        .body = (char *)message.data,
        .body_len = message.len < BAD_BODY_MAX ? message.len : BAD_BODY_MAX,
    };
    enum lf_status status = lf_journal_event_add(intake->journal, &row, err);
    if (status == LF_OK)
        status = report_bad(intake, topic ? topic : source, why, id, err);
    return status == LF_EXISTS ? LF_OK : status;
}

/* A message with the id of another event, which says something else, must not hide that one, or be hidden by
 * it: it gets a row of its own. One of the two may be forged or broken, unless one of them leaves something
 * out. */
static enum lf_status store_also(struct lf_intake *intake, const struct lf_event *event,
                                 struct lf_event_row *row, struct lf_error *err)
{
    struct lf_event_row known;
    struct lf_event *first = NULL;
    struct lf_error ignored;
    enum lf_status status = lf_journal_event_get(intake->journal, event->id, &known, err);
    if (status != LF_OK)
        return status;
    bool whole = lf_event_is_whole(event)
                 && lf_event_decode_completed(lf_slice(known.body, known.body_len), &first, &ignored) == LF_OK
                 && lf_event_is_whole(first);
    lf_event_free(first);
    lf_event_row_free(&known);
    snprintf(row->id, strlen(event->id) + ALSO_MAX, "%s" LF_EVENT_ALSO "%.*s", event->id, ALSO_DIGITS,
             row->digest);
    status = lf_journal_event_add(intake->journal, row, err);
    if (status != LF_OK || !whole)
        return status;
    char text[300];
    snprintf(text, sizeof text,
             "two messages with the event id %.80s say different things; both were taken in. One of them is "
             "not what Benchling sent",
             event->id);
    struct lf_concern concern =
        {.source = INTAKE_CONCERN,
         .about = "one id, two events",
         .text = text,
         .todo = "compare them (`labferry events`, `labferry event ID`), and look who may publish on the "
                 "topics of the events"};
    lf_log_warning("intake", "%s", text);
    return lf_journal_concern(intake->journal, &concern, err);
}

/* *id: the id of its row, owned. */
static enum lf_status store(struct lf_intake *intake, const struct lf_event *event, enum intake_way way,
                            struct lf_slice message, bool lacking, char **id, struct lf_error *err)
{
    char digest[LF_SHA256_HEX], *key = lf_key_event(event);
    *id = malloc(strlen(event->id) + ALSO_MAX);
    enum lf_status status = key && *id ? lf_event_digest(event, digest, err)
                                       : lf_fail_memory(err, "storing an event");
    if (status == LF_OK) {
        struct lf_event_row row = {
            .id = strcpy(*id, event->id),
            .key = key,
            .type = event->type,
            .resource_id = event->resource_id,
            .source = (char *)source_of(way),
            .created_ms = event->created_ms,
            .received_ms = lf_clock_best_ms(),
            .fate = lacking ? LF_FATE_REREAD : LF_FATE_UNROUTED,
            .body = (char *)message.data,
            .body_len = message.len,
            .digest = digest,
        };
        status = lf_journal_event_add(intake->journal, &row, err);
        if (status == LF_MISMATCH)
            status = store_also(intake, event, &row, err);
    }
    free(key);
    return status;
}

static void kick(void *intake, int64_t number, const char *text)
{
    (void)number;
    (void)text;
    lf_worker_kick(&((struct lf_intake *)intake)->poll.worker);
}

static enum lf_status take_new(struct lf_intake *intake, const struct lf_event *event, const char *id,
                               bool lacking, struct lf_error *err)
{
    if (event->deprecated && intake__count_first(intake, intake->deprecated, event->type))
        lf_log_warning("intake",
                       "Benchling has deprecated events of type %s: plan to change the routes that use them",
                       event->type);
    if (!lacking)
        return intake__route(intake, event, id, err);
    lf_journal_after_commit(intake->journal, kick, intake, 0, NULL);
    return LF_OK;
}

static enum lf_status take(struct lf_intake *intake, enum intake_way way, const struct lf_event *event,
                           struct lf_slice message, int64_t *added, struct lf_error *err)
{
    char *id;
    /* Before the clock is known to be right, nothing is too early: reading the resource teaches it. */
    bool unsure = !lf_clock_learned() && intake__earlier(intake, event);
    bool lacking = (!lf_event_is_whole(event) || unsure) && intake__routes_name(intake, event);
    enum lf_status status = store(intake, event, way, message, lacking, &id, err);
    if (status == LF_OK || status == LF_EXISTS)
        intake__proof_see(intake, event->id, event->type, way, status == LF_OK);
    if (status == LF_OK) {
        *added += 1;
        status = take_new(intake, event, id, lacking, err);
    } else if (status == LF_EXISTS) {
        status = LF_OK; /* resent: known, counted, nothing to do */
    }
    free(id);
    return status;
}

/* The list has no limit of size: an event that is too large for its envelope is complete there. */
static enum lf_status decode(enum intake_way way, struct lf_slice message, struct lf_event **event,
                             struct lf_error *err)
{
    return way == INTAKE_LIST ? lf_event_decode_completed(message, event, err)
                              : lf_event_decode(message, event, err);
}

enum lf_status intake__add(struct lf_intake *intake, enum intake_way way, const char *topic,
                           struct lf_slice message, int64_t *added, struct lf_error *err)
{
    struct lf_event *event = NULL;
    struct lf_error why = {0};
    int64_t ignored = 0;
    enum lf_status status = decode(way, message, &event, &why);
    if (status == LF_NO_MEMORY)
        return lf_fail(err, status, why.class, "%s", why.text);
    if (status != LF_OK)
        return keep_bad(intake, source_of(way), topic, message, why.text, err);
    status = take(intake, way, event, message, added ? added : &ignored, err);
    lf_event_free(event);
    return status;
}

/* The broker keeps a subscription of an earlier configuration until it is ended, and what it has queued for
 * it. */
static enum lf_status note_unasked(struct lf_intake *intake, const char *topic, struct lf_error *err)
{
    char text[400];
    snprintf(text, sizeof text,
             "a message on %.200s was ignored: the configuration does not name this topic. It comes from a "
             "subscription of an earlier configuration, or one that the broker makes by itself",
             topic);
    struct lf_concern concern = {.source = INTAKE_CONCERN,
                                 .about = "topic not configured",
                                 .text = text,
                                 .todo = "if its events are wanted, add the topic to link.topics"};
    lf_log_warning("intake", "%s", text);
    return lf_journal_concern(intake->journal, &concern, err);
}

static enum lf_status take_message(struct lf_intake *intake, const struct lf_message *message,
                                   struct lf_error *err)
{
    bool taken = false;
    enum lf_status status = intake->options.other
                                ? intake->options.other(intake->options.context, message, &taken, err)
                                : LF_OK;
    if (status != LF_OK || taken)
        return status;
    if (message->unasked)
        return note_unasked(intake, message->topic, err);
    if (!message->too_large)
        return intake__add(intake, INTAKE_MQTT, message->topic, message->payload, NULL, err);
    char why[160]; /* only its size is known */
    snprintf(why, sizeof why, "it has %lld bytes; an event has at most %d",
             (long long)message->too_large_size, LF_EVENT_MAX_BYTES);
    return keep_bad(intake, "mqtt", message->topic, lf_slice_text(why), why, err);
}

enum lf_status intake__begin(struct lf_intake *intake, struct lf_error *err)
{
    enum lf_status status = lf_journal_room(intake->journal, LF_ROOM_WORK, err);
    return status == LF_OK ? lf_journal_begin(intake->journal, err) : status;
}

enum lf_status lf_intake_batch(struct lf_intake *intake, const struct lf_message *messages, size_t count,
                               struct lf_error *err)
{
    LF_FAILPOINT("batch.received");
    enum lf_status status = intake__begin(intake, err);
    if (status != LF_OK)
        return status;
    for (size_t i = 0; status == LF_OK && i < count; i++)
        status = take_message(intake, &messages[i], err);
    LF_FAILPOINT("batch.stored");
    status = lf_journal_end(intake->journal, status, err);
    LF_FAILPOINT("batch.committed");
    return status;
}

cJSON *lf_intake_health(struct lf_intake *intake)
{
    cJSON *health = cJSON_CreateObject();
    if (!health)
        return NULL;
    lf_json_set(health, "events", lf_journal_event_counts(intake->journal));
    lf_mutex_lock(&intake->mutex);
    lf_json_set(health, "deprecated", cJSON_Duplicate(intake->deprecated, true));
    lf_json_set(health, "bad", cJSON_Duplicate(intake->bad, true));
    lf_mutex_unlock(&intake->mutex);
    return health;
}

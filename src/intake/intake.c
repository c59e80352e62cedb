/* Taking in events.
 *
 * Every message ends as exactly one row (or one more count on a known row) in the journal, with a fate. What
 * is kept in memory is only for telling: which kinds of bad events and which deprecated types have been
 * logged already.
 */
#include "intake/intake.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "event/key.h"
#include "intake/routes.h"

#include "os/dir.h"
#include "os/thread.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD_MAX = 200, BAD_BODY_MAX = 256 * 1024 };

struct lf_intake {
    const struct lf_config *config;
    struct lf_journal *journal;
    struct routes routes;
    struct lf_mutex mutex; /* guards the counts */
    cJSON *deprecated;     /* type: count */
    cJSON *bad;            /* kind: count */
};

enum lf_status lf_intake_open(const struct lf_config *config, struct lf_journal *journal,
                              struct lf_intake **out, struct lf_error *err)
{
    struct lf_intake *intake = calloc(1, sizeof *intake);
    if (!intake)
        return lf_fail_memory(err, "opening the intake");
    lf_mutex_init(&intake->mutex);
    intake->config = config;
    intake->journal = journal;
    intake->deprecated = cJSON_CreateObject();
    intake->bad = cJSON_CreateObject();
    enum lf_status status = intake->deprecated && intake->bad ? LF_OK
                                                              : lf_fail_memory(err, "opening the intake");
    if (status == LF_OK)
        status = intake__routes_compile(config, &intake->routes, err);
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
    intake__routes_free(&intake->routes);
    cJSON_Delete(intake->deprecated);
    cJSON_Delete(intake->bad);
    lf_mutex_destroy(&intake->mutex);
    free(intake);
}

/* Counts under a name; true for its first time. */
static bool count_first(struct lf_intake *intake, cJSON *counts, const char *name)
{
    lf_mutex_lock(&intake->mutex);
    cJSON *item = cJSON_GetObjectItemCaseSensitive(counts, name);
    bool first = !item && cJSON_GetArraySize(counts) < TOLD_MAX;
    if (item)
        cJSON_SetNumberHelper(item, item->valuedouble + 1);
    else if (first)
        lf_json_set_int(counts, name, 1);
    lf_mutex_unlock(&intake->mutex);
    return first;
}

/* ---- bad events ---- */

static enum lf_status keep_bad(struct lf_intake *intake, const char *source, const char *topic,
                               struct lf_slice message, const char *why, struct lf_error *err)
{
    char digest[LF_SHA256_HEX], id[LF_SHA256_HEX + 8], kind[LF_ERROR_TEXT];
    if (lf_digest_bytes(LF_SHA256, message.data, message.len, digest) != LF_OK)
        return lf_fail_memory(err, "keeping a bad event");
    snprintf(id, sizeof id, "bad:%s", digest);
    snprintf(kind, sizeof kind, "%s: %.300s", topic ? topic : source, why);
    if (count_first(intake, intake->bad, kind))
        lf_log_warning("intake",
                       "a message on %s is no event that can be used: %s. It is kept as %s (labferry events)",
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
    return status == LF_EXISTS ? LF_OK : status;
}

enum lf_status lf_intake_too_large(struct lf_intake *intake, const char *source, const char *topic,
                                   int64_t size, struct lf_error *err)
{
    char why[160];
    snprintf(why, sizeof why, "%lld bytes are more than the %d that an event may have", (long long)size,
             LF_EVENT_MAX_BYTES);
    return keep_bad(intake, source, topic, lf_slice_text(why), why, err);
}

/* ---- routing ---- */

/* What has become of an event so far. */
struct routed {
    enum lf_fate fate; /* the foremost of all that happened to it; LF_FATE_LOST: nothing has */
    int64_t first;     /* job made of it; 0: none */
    char note[LF_ERROR_TEXT];
};

static void add_note(struct routed *routed, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_note(struct routed *routed, const char *format, ...)
{
    size_t len = strlen(routed->note);
    va_list args;
    va_start(args, format);
    if (len && len < sizeof routed->note - 3)
        len += (size_t)snprintf(routed->note + len, sizeof routed->note - len, "; ");
    vsnprintf(routed->note + len, sizeof routed->note - len, format, args);
    va_end(args);
}

static void raise_fate(struct routed *routed, enum lf_fate fate)
{
    if (fate < routed->fate)
        routed->fate = fate;
}

static enum lf_status link_job(struct lf_intake *intake, const struct lf_event *event, enum lf_fate fate,
                               int64_t job, struct routed *routed, struct lf_error *err)
{
    raise_fate(routed, fate);
    return lf_journal_event_job(intake->journal, event->id, fate, job, err);
}

/* A processor that has completed wakes the collect job that waits for it. */
static enum lf_status wake_waiting(struct lf_intake *intake, const struct lf_event *event,
                                   struct routed *routed, int *jobs, struct lf_error *err)
{
    int count = 0;
    int64_t job = 0;
    if (strcmp(event->name, "automationOutputProcessor.completed") != 0 || !event->resource_id)
        return LF_OK;
    char *wake = lf_key_wake_processor(event->resource_id);
    if (!wake)
        return lf_fail_memory(err, "waking a job");
    enum lf_status status = lf_journal_job_wake(intake->journal, wake, &count, &job, err);
    free(wake);
    if (status == LF_OK && count)
        status = link_job(intake, event, LF_FATE_WOKE, job, routed, err);
    *jobs += count;
    return status;
}

static enum lf_status add_job(struct lf_intake *intake, const struct lf_config_route *route,
                              const struct lf_event *event, struct lf_job *job, int64_t *earlier,
                              struct lf_error *err)
{
    char text[200];
    enum lf_status status = lf_journal_job_add(intake->journal, job, earlier, err);
    if (status != LF_OK)
        return status;
    snprintf(text, sizeof text, "made from event %s (%s) by route %s", event->id, event->type, route->name);
    status = lf_journal_history_add(intake->journal, job->id, "agent", text, err);
    if (status == LF_OK)
        lf_log_info("intake", "event %s (%s) made %s job %lld%s%s", event->id, event->type, job->kind,
                    (long long)job->id, *job->instrument ? " for " : "", job->instrument);
    return status;
}

/* A job that exists: made a moment ago by another route that wants the same, or by an earlier event. */
static enum lf_status known_job(struct lf_intake *intake, const struct lf_config_route *route,
                                const struct lf_event *event, int64_t job, struct routed *routed,
                                struct lf_error *err)
{
    if (routed->first && job >= routed->first) {
        add_note(routed, "route \"%s\" wants the same as another route: job %lld", route->name,
                 (long long)job);
        return LF_OK;
    }
    add_note(routed, "an earlier event reported the same: job %lld", (long long)job);
    return link_job(intake, event, LF_FATE_TWIN, job, routed, err);
}

static enum lf_status take_route(struct lf_intake *intake, const struct lf_config_route *route,
                                 const struct lf_event *event, struct routed *routed, int *jobs,
                                 struct lf_error *err)
{
    struct lf_job job;
    int64_t earlier = 0;
    struct lf_error why = {0};
    enum lf_status status = intake__routes_job(route, event, &job, &why);
    if (status == LF_INVALID) {
        add_note(routed, "%s", why.text);
        raise_fate(routed, LF_FATE_BAD);
        return LF_OK;
    }
    if (status != LF_OK)
        return lf_fail(err, status, why.class, "%s", why.text);
    status = add_job(intake, route, event, &job, &earlier, err);
    if (status == LF_EXISTS) {
        status = known_job(intake, route, event, earlier, routed, err);
    } else if (status == LF_OK) {
        routed->first = routed->first ? routed->first : job.id;
        status = link_job(intake, event, LF_FATE_JOB, job.id, routed, err);
        (*jobs)++;
    }
    lf_job_free(&job);
    return status;
}

/* Every route that wants the event makes its job. */
static enum lf_status route_event(struct lf_intake *intake, const struct lf_event *event, int *jobs,
                                  struct lf_error *err)
{
    int unwanted = 0;
    jobs = jobs ? jobs : &unwanted;
    struct routed routed = {.fate = LF_FATE_LOST};
    enum lf_status status = wake_waiting(intake, event, &routed, jobs, err);
    for (size_t i = 0; status == LF_OK && i < intake->config->route_count; i++)
        if (intake__routes_match(&intake->routes, i, event))
            status = take_route(intake, &intake->config->routes[i], event, &routed, jobs, err);
    if (status != LF_OK)
        return status;
    if (routed.fate == LF_FATE_LOST)
        routed.fate = event->known ? LF_FATE_UNROUTED : LF_FATE_UNKNOWN;
    if (routed.fate == LF_FATE_UNKNOWN && count_first(intake, intake->bad, event->type))
        lf_log_info("intake", "events of type %s are unknown to this version; they are stored and counted",
                    event->type);
    return lf_journal_event_fate(intake->journal, event->id, routed.fate, *routed.note ? routed.note : NULL,
                                 err);
}

/* ---- taking in ---- */

static enum lf_status store(struct lf_intake *intake, const struct lf_event *event, const char *source,
                            struct lf_slice message, bool lacking, struct lf_error *err)
{
    char *key = lf_key_event(event);
    if (!key)
        return lf_fail_memory(err, "storing an event");
    struct lf_event_row row = {
        .id = event->id,
        .key = key,
        .type = event->type,
        .resource_id = event->resource_id,
        .source = (char *)source,
        .created_ms = event->created_ms,
        .received_ms = lf_clock_best_ms(),
        .fate = lacking ? LF_FATE_REREAD : LF_FATE_UNROUTED,
        .body = (char *)message.data,
        .body_len = message.len,
    };
    enum lf_status status = lf_journal_event_add(intake->journal, &row, err);
    free(key);
    return status;
}

enum lf_status lf_intake_add(struct lf_intake *intake, const char *source, const char *topic,
                             struct lf_slice message, int *jobs, struct lf_error *err)
{
    struct lf_event *event = NULL;
    struct lf_error why = {0};
    enum lf_status status = lf_event_decode(message, &event, &why);
    if (status == LF_NO_MEMORY)
        return lf_fail(err, status, why.class, "%s", why.text);
    if (status != LF_OK)
        return keep_bad(intake, source, topic, message, why.text, err);
    bool lacking = (event->thin || event->excluded_count > 0 || !event->payload)
                   && intake__routes_name(&intake->routes, event);
    status = store(intake, event, source, message, lacking, err);
    if (status == LF_OK && event->deprecated && count_first(intake, intake->deprecated, event->type))
        lf_log_warning("intake",
                       "Benchling marks events of type %s as deprecated: plan to move the routes that use it",
                       event->type);
    if (status == LF_EXISTS)
        status = LF_OK; /* resent: known, counted, nothing to do */
    else if (status == LF_OK && lacking && jobs)
        (*jobs)++; /* a courier reads what it lacks */
    else if (status == LF_OK && !lacking)
        status = route_event(intake, event, jobs, err);
    lf_event_free(event);
    return status;
}

/* The event as it would have been had nothing been left out. Returns owned text. */
static char *completed(const struct lf_event *event, const cJSON *resource)
{
    cJSON *whole = cJSON_Duplicate(event->whole, true);
    cJSON *detail = cJSON_GetObjectItemCaseSensitive(whole, "detail");
    char *text = NULL;
    if (detail && lf_json_set(detail, event->resource, cJSON_Duplicate(resource, true))
        && lf_json_set(detail, "excludedProperties", cJSON_CreateArray()))
        text = lf_json_print(whole);
    cJSON_Delete(whole);
    return text;
}

enum lf_status lf_intake_reread(struct lf_intake *intake, const struct lf_event_row *row,
                                const cJSON *resource, int *jobs, struct lf_error *err)
{
    struct lf_event *event = NULL, *whole = NULL;
    char *text = NULL;
    enum lf_status status = lf_event_decode(lf_slice(row->body, row->body_len), &event, err);
    if (status != LF_OK)
        goto done;
    text = completed(event, resource);
    if (!text) {
        status = lf_fail_memory(err, "completing an event");
        goto done;
    }
    status = lf_event_decode_completed(lf_slice_text(text), &whole, err);
    if (status == LF_OK)
        status = route_event(intake, whole, jobs, err);
done:
    free(text);
    lf_event_free(event);
    lf_event_free(whole);
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

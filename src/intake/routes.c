/* Routing: as with EventBridge rules, every route that matches an event makes its job. */
#include "base/log.h"
#include "event/key.h"
#include "event/pattern.h"
#include "intake/parts.h"
#include "job/birth.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum lf_status intake__routes_compile(struct lf_intake *intake, struct lf_error *err)
{
    const struct lf_config *config = intake->options.config;
    intake->patterns = calloc(config->route_count + 1, sizeof *intake->patterns);
    if (!intake->patterns)
        return lf_fail_memory(err, "reading the routes");
    for (size_t i = 0; i < config->route_count; i++) {
        const struct lf_config_route *route = &config->routes[i];
        if (route->pattern && lf_pattern_compile(route->pattern, &intake->patterns[i], err) != LF_OK)
            return lf_error_prefix(err, "%s: route \"%s\"", route->at, route->name);
    }
    return LF_OK;
}

void intake__routes_free(struct lf_intake *intake)
{
    for (size_t i = 0; intake->patterns && i < intake->options.config->route_count; i++)
        lf_pattern_free(intake->patterns[i]);
    free(intake->patterns);
}

static bool named(const struct lf_config_route *route, const struct lf_event *event)
{
    for (size_t i = 0; i < route->on.count; i++)
        if (lf_event_is_on(event, route->on.items[i]))
            return true;
    return false;
}

bool intake__routes_name(const struct lf_intake *intake, const struct lf_event *event)
{
    for (size_t i = 0; i < intake->options.config->route_count; i++)
        if (named(&intake->options.config->routes[i], event))
            return true;
    return false;
}

/* An event while it is routed. */
struct routing {
    struct lf_intake *intake;
    const struct lf_event *event;
    const char *row;   /* the id of its row */
    bool earlier;      /* it is from before the first start: its jobs are held */
    char *happening;   /* its key */
    enum lf_fate fate; /* the first of enum lf_fate that applies; LF_FATE_LOST: none so far */
    int64_t first;     /* the first job made of it; 0: none */
    char note[LF_ERROR_TEXT];
};

__attribute__((format(printf, 2, 3))) static void add_note(struct routing *routing, const char *format, ...)
{
    size_t len = strlen(routing->note);
    va_list args;
    va_start(args, format);
    if (len && len < sizeof routing->note - 3)
        len += (size_t)snprintf(routing->note + len, sizeof routing->note - len, "; ");
    vsnprintf(routing->note + len, sizeof routing->note - len, format, args);
    va_end(args);
}

static enum lf_status link_job(struct routing *routing, enum lf_fate fate, int64_t job, struct lf_error *err)
{
    routing->fate = fate < routing->fate ? fate : routing->fate;
    return lf_journal_event_job(routing->intake->journal, routing->row, fate, job, err);
}

/* A processor that has completed wakes the collect job that waits for it. */
static enum lf_status wake_waiting(struct routing *routing, struct lf_error *err)
{
    const struct lf_event *event = routing->event;
    int64_t job = 0;
    if (strcmp(event->name, "automationOutputProcessor.completed") != 0 || !event->resource_id)
        return LF_OK;
    char *wake = lf_key_wake_processor(event->resource_id);
    if (!wake)
        return lf_fail_memory(err, "waking a job");
    enum lf_status status = lf_journal_job_wake(routing->intake->journal, wake, &job, err);
    free(wake);
    if (status != LF_OK || !job)
        return status;
    lf_jobs_kick(routing->intake->options.jobs);
    return link_job(routing, LF_FATE_WOKE, job, err);
}

/* The job exists: another route that wants the same made it a moment ago, or an earlier event did. */
static enum lf_status known_job(struct routing *routing, const struct lf_config_route *route, int64_t job,
                                struct lf_error *err)
{
    if (routing->first && job >= routing->first) {
        add_note(routing, "route \"%s\" wants the same as another route: job %lld", route->name,
                 (long long)job);
        return LF_OK;
    }
    add_note(routing, "an earlier event reported the same: job %lld", (long long)job);
    return link_job(routing, LF_FATE_TWIN, job, err);
}

static enum lf_status new_job(struct routing *routing, const struct lf_config_route *route, int64_t job,
                              struct lf_error *err)
{
    const struct lf_event *event = routing->event;
    if (!routing->first)
        routing->first = job;
    lf_log_info("intake", "event %s (%s) made %s job %lld%s%s", routing->row, event->type, route->kind->name,
                (long long)job, route->instrument ? " for " : "", route->instrument ? route->instrument : "");
    return link_job(routing, LF_FATE_JOB, job, err);
}

#define EARLIER                                                                                               \
    "its event is from before the first start of this agent (agent.first_start = \"ask\"). `labferry retry` " \
    "does it, `labferry cancel` does not"

static enum lf_status take_route(struct routing *routing, const struct lf_config_route *route,
                                 struct lf_error *err)
{
    const struct lf_event *event = routing->event;
    char history[200];
    int64_t job;
    struct lf_error why = {0};
    snprintf(history, sizeof history, "made from event %s (%s) by route %s", routing->row, event->type,
             route->name);
    struct lf_birth birth = {
        .kind = lf_job_kind_find(route->kind->name),
        .happening = routing->happening,
        .instrument = route->instrument,
        .history = history,
        .route = route,
        .event_id = routing->row,
        .resource = event->payload,
        .not_after_ms = routing->earlier ? 0 : route->not_after_ms, /* a person decides */
        .happened_ms = event->created_ms,
        .held = routing->earlier ? EARLIER : NULL,
    };
    switch (lf_jobs_birth(routing->intake->options.jobs, &birth, &job, &why)) {
    case LF_OK: return new_job(routing, route, job, err);
    case LF_EXISTS: return known_job(routing, route, job, err);
    case LF_INVALID:
        add_note(routing, "route \"%s\": %s", route->name, why.text);
        routing->fate = routing->fate < LF_FATE_BAD ? routing->fate : LF_FATE_BAD;
        return LF_OK;
    default: return lf_fail(err, why.status, why.class, "%s", why.text);
    }
}

static enum lf_status take_routes(struct routing *routing, struct lf_error *err)
{
    struct lf_intake *intake = routing->intake;
    const struct lf_config *config = intake->options.config;
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < config->route_count; i++)
        if (named(&config->routes[i], routing->event)
            && (!intake->patterns[i] || lf_pattern_match(intake->patterns[i], routing->event->root)))
            status = take_route(routing, &config->routes[i], err);
    return status;
}

/* Two events of the same type never report the same occurrence, whatever their dates. */
static enum lf_status find_occurrence(struct routing *routing, struct lf_error *err)
{
    const struct lf_event *event = routing->event;
    struct lf_journal *journal = routing->intake->journal;
    struct lf_event_row row = {.id = event->id,
                               .key = routing->happening,
                               .type = event->type,
                               .created_ms = event->created_ms};
    char *key = NULL;
    enum lf_status status = lf_journal_event_happening(journal, &row, LF_KEY_TWINS_MS, &key, err);
    if (status == LF_OK && !key && !(key = lf_key_occurrence(routing->happening, event->id)))
        status = lf_fail_memory(err, "routing an event");
    if (status == LF_OK)
        status = lf_journal_event_key(journal, routing->row, key, err);
    if (status != LF_OK) {
        free(key);
        return status;
    }
    free(routing->happening);
    routing->happening = key;
    return LF_OK;
}

static enum lf_status ignore(struct routing *routing, struct lf_error *err)
{
    add_note(routing, "it is from before the first start of this agent (agent.first_start)");
    return intake__earlier_ignore(routing->intake, routing->event, err);
}

enum lf_status intake__route(struct lf_intake *intake, const struct lf_event *event, const char *row,
                             struct lf_error *err)
{
    struct routing routing = {.intake = intake,
                              .event = event,
                              .row = row,
                              .earlier = intake__earlier(intake, event),
                              .fate = LF_FATE_LOST,
                              .happening = lf_key_event(event)};
    enum lf_status status = routing.happening ? wake_waiting(&routing, err)
                                              : lf_fail_memory(err, "routing an event");
    bool wanted = intake__routes_name(intake, event);
    if (status == LF_OK && wanted && lf_key_recurs(event))
        status = find_occurrence(&routing, err);
    bool ignored = wanted && routing.earlier && intake->options.config->agent.first_start == LF_FIRST_IGNORE;
    if (status == LF_OK && ignored)
        status = ignore(&routing, err);
    else if (status == LF_OK)
        status = take_routes(&routing, err);
    free(routing.happening);
    if (status != LF_OK)
        return status;
    if (routing.fate == LF_FATE_LOST)
        routing.fate = event->known ? LF_FATE_UNROUTED : LF_FATE_UNKNOWN;
    if (routing.fate == LF_FATE_UNKNOWN && intake__count_first(intake, intake->bad, event->type))
        lf_log_info("intake", "this version does not know events of type %s; they are stored and counted",
                    event->type);
    return lf_journal_event_fate(intake->journal, row, routing.fate, *routing.note ? routing.note : NULL,
                                 err);
}

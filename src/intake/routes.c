#include "intake/routes.h"

#include "base/clock.h"
#include "event/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum lf_status intake__routes_compile(const struct lf_config *config, struct routes *routes,
                                      struct lf_error *err)
{
    *routes = (struct routes){.config = config};
    routes->patterns = calloc(config->route_count + 1, sizeof *routes->patterns);
    if (!routes->patterns)
        return lf_fail_memory(err, "reading the routes");
    for (size_t i = 0; i < config->route_count; i++) {
        const struct lf_config_route *route = &config->routes[i];
        if (!route->pattern)
            continue;
        enum lf_status status = lf_pattern_compile(route->pattern, &routes->patterns[i], err);
        if (status != LF_OK) {
            lf_error_prefix(err, "%s: route \"%s\"", route->at, route->name);
            intake__routes_free(routes);
            return status;
        }
    }
    return LF_OK;
}

void intake__routes_free(struct routes *routes)
{
    for (size_t i = 0; routes->patterns && i < routes->config->route_count; i++)
        lf_pattern_free(routes->patterns[i]);
    free(routes->patterns);
    routes->patterns = NULL;
}

static bool named(const struct lf_config_route *route, const struct lf_event *event)
{
    for (size_t i = 0; i < route->on.count; i++)
        if (lf_event_is_on(event, route->on.items[i]))
            return true;
    return false;
}

bool intake__routes_match(const struct routes *routes, size_t index, const struct lf_event *event)
{
    const struct lf_pattern *pattern = routes->patterns[index];
    return named(&routes->config->routes[index], event)
           && (!pattern || lf_pattern_match(pattern, event->whole));
}

bool intake__routes_name(const struct routes *routes, const struct lf_event *event)
{
    for (size_t i = 0; i < routes->config->route_count; i++)
        if (named(&routes->config->routes[i], event))
            return true;
    return false;
}

/* ---- the job of an event ---- */

/* What each kind of job begins with, what it works on, and which fields it takes from the event's resource.
 */
struct birth {
    const char *job;
    const char *step, *resource;
    enum lf_job_field detail; /* tells two jobs of one happening for one instrument apart */
    struct {
        enum lf_job_field field;
        const char *path;
    } takes[8];
};

static const struct birth births[] = {
    {"deliver",
     "resolve",
     "automationInputGenerator",
     LF_JOB_FILE,
     {{LF_JOB_GENERATOR, "id"},
      {LF_JOB_FILE, "file.id"},
      {LF_JOB_FILE_NAME, "file.name"},
      {LF_JOB_RUN, "assayRunId"},
      {LF_JOB_CONFIG, "automationFileConfig.name"}}},
    {"collect",
     "adopt",
     "automationOutputProcessor",
     LF_JOB_BLOB,
     {{LF_JOB_PROCESSOR, "id"},
      {LF_JOB_BLOB, "file.id"},
      {LF_JOB_FILE_NAME, "file.name"},
      {LF_JOB_RUN, "assayRunId"},
      {LF_JOB_CONFIG, "automationFileConfig.name"}}},
    {"task",
     "check",
     "workflowTask",
     LF_JOB_PROCEDURE,
     {{LF_JOB_WORKFLOW_TASK, "id"}, {LF_JOB_DISPLAY, "displayId"}, {LF_JOB_STATUS, "status.id"}}},
    {0},
};

static enum lf_status take_fields(const struct birth *birth, const struct lf_event *event, struct lf_job *job,
                                  struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < sizeof birth->takes / sizeof *birth->takes && birth->takes[i].path; i++) {
        const char *value = lf_json_text(event->payload, birth->takes[i].path);
        if (value && status == LF_OK)
            status = lf_job_set_text(job, birth->takes[i].field, value, err);
    }
    return status;
}

/* Counted from when it happened, not from when it was heard of: that is what makes a late event late. As long
 * as nobody knows whether our clock is right, it is counted from now, and the rest is left to the runner
 * (LF_JOB_HAPPENED): a clock that is ahead must not make all work too late, nor one that is behind let the
 * work of last week begin. */
static bool set_expiry(const struct lf_config_route *route, const struct lf_event *event, struct lf_job *job,
                       struct lf_error *err)
{
    bool sure = lf_clock_learned();
    lf_job_expire_after(job, sure ? event->created_ms : 0, route->not_after_ms);
    return sure || event->created_ms <= 0
           || lf_job_set_int(job, LF_JOB_HAPPENED, event->created_ms, err) == LF_OK;
}

enum lf_status intake__routes_job(const struct lf_config_route *route, const struct lf_event *event,
                                  struct lf_job *job, struct lf_error *err)
{
    memset(job, 0, sizeof *job);
    const struct birth *birth = births;
    while (birth->job && strcmp(birth->job, route->kind->name) != 0)
        birth++;
    if (!birth->job || strcmp(event->resource, birth->resource) != 0 || !lf_json_text(event->payload, "id"))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "route \"%s\" makes %s jobs, which work on a %s with an id; this event has none",
                       route->name, route->kind->name, birth->resource ? birth->resource : "resource");
    job->kind = strdup(route->kind->name);
    job->route = strdup(route->name);
    job->instrument = strdup(route->instrument ? route->instrument : "");
    job->event_id = strdup(event->id);
    snprintf(job->step, sizeof job->step, "%s", birth->step);
    job->fields = cJSON_CreateObject();
    bool good = job->kind && job->route && job->instrument && job->event_id && job->fields
                && take_fields(birth, event, job, err) == LF_OK && set_expiry(route, event, job, err);
    if (good && route->procedure)
        good = lf_job_set_text(job, LF_JOB_PROCEDURE, route->procedure, err) == LF_OK;
    char *happening = good ? lf_key_event(event) : NULL;
    if (happening)
        job->key = lf_key_job(happening, job->instrument, job->kind, lf_job_text(job, birth->detail));
    free(happening);
    if (job->key)
        return LF_OK;
    lf_job_free(job);
    return lf_fail_memory(err, "making a job");
}

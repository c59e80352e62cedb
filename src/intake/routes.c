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

/* What each kind of job begins with, what it works on, and which facts it takes from the event's resource. */
struct birth {
    enum lf_config_job job;
    const char *step, *resource;
    const char *detail; /* the fact that tells two jobs of one happening for one instrument apart */
    struct {
        const char *fact, *path;
    } facts[8];
};

static const struct birth births[] = {
    {LF_CONFIG_DELIVER,
     "resolve",
     "automationInputGenerator",
     "file",
     {{"generator", "id"},
      {"file", "file.id"},
      {"file_name", "file.name"},
      {"run", "assayRunId"},
      {"config", "automationFileConfig.name"}}},
    {LF_CONFIG_COLLECT,
     "adopt",
     "automationOutputProcessor",
     "blob",
     {{"processor", "id"},
      {"blob", "file.id"},
      {"file_name", "file.name"},
      {"run", "assayRunId"},
      {"config", "automationFileConfig.name"}}},
    {LF_CONFIG_TASK,
     "check",
     "workflowTask",
     "procedure",
     {{"workflow_task", "id"}, {"display", "displayId"}, {"status", "status.id"}}},
};

static enum lf_status copy_facts(const struct birth *birth, const struct lf_event *event, cJSON *facts)
{
    for (size_t i = 0; i < sizeof birth->facts / sizeof *birth->facts && birth->facts[i].fact; i++) {
        const char *value = lf_json_text(event->payload, birth->facts[i].path);
        if (value && !lf_json_set_text(facts, birth->facts[i].fact, value))
            return LF_NO_MEMORY;
    }
    return LF_OK;
}

/* Counted from when it happened, not from when it was heard of: that is what makes a late event late. As long
 * as nobody knows whether our clock is right, it is counted from now, and the rest is left to the runner
 * (LF_FACT_HAPPENED): a clock that is ahead must not make all work too late, nor one that is behind let the
 * work of last week begin. */
static bool set_expiry(const struct lf_config_route *route, const struct lf_event *event, struct lf_job *job)
{
    bool sure = lf_clock_learned();
    lf_job_expire_after(job, sure ? event->created_ms : 0, route->not_after_ms);
    return sure || event->created_ms <= 0 || lf_json_set_int(job->facts, LF_FACT_HAPPENED, event->created_ms);
}

enum lf_status intake__routes_job(const struct lf_config_route *route, const struct lf_event *event,
                                  struct lf_job *job, struct lf_error *err)
{
    memset(job, 0, sizeof *job);
    const struct birth *birth = births;
    while (birth->job != route->job)
        birth++;
    if (strcmp(event->resource, birth->resource) != 0 || !lf_json_text(event->payload, "id"))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "route \"%s\" makes %s jobs, which work on a %s with an id; this event has none",
                       route->name, lf_config_job_name(route->job), birth->resource);
    job->kind = strdup(lf_config_job_name(route->job));
    job->route = strdup(route->name);
    job->instrument = strdup(route->instrument ? route->instrument : "");
    job->event_id = strdup(event->id);
    snprintf(job->step, sizeof job->step, "%s", birth->step);
    job->facts = cJSON_CreateObject();
    bool good = job->kind && job->route && job->instrument && job->event_id && job->facts
                && copy_facts(birth, event, job->facts) == LF_OK && set_expiry(route, event, job);
    if (good && route->job == LF_CONFIG_TASK)
        good = lf_json_set_text(job->facts, "procedure", route->procedure);
    char *happening = good ? lf_key_event(event) : NULL;
    if (happening)
        job->key = lf_key_job(happening, job->instrument, job->kind, lf_json_text(job->facts, birth->detail));
    free(happening);
    if (job->key)
        return LF_OK;
    lf_job_free(job);
    return lf_fail_memory(err, "making a job");
}

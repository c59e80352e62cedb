#include "control/terms.h"
#include "control/verbs.h"

#include "base/log.h"
#include "base/units.h"
#include "config/config.h"
#include "job/job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A device of the instrument's driver that is never connected: it knows its procedures without. */
struct twin {
    const struct lf_driver *driver;
    struct lf_host host;
    void *device;
};

/* False: it cannot be opened, since its profile, say, was edited since the agent started. Then nothing is
 * known about names and values, and the device that is in use decides. */
static bool twin_open(struct lf_context *context, struct lf_instrument *instrument, struct twin *twin)
{
    const char *name = lf_instrument_name(instrument);
    const struct lf_config_instrument *config = lf_config_instrument(context->config, name);
    struct lf_error err = {0};
    *twin = (struct twin){.driver = lf_instrument_driver(instrument),
                          .host = {.instrument = config->name, .agent = context->config->agent.name}};
    if (twin->driver->open(config->settings, &twin->host, &twin->device, &err) == LF_OK)
        return true;
    lf_log_warning(name, "inputs and values are not checked beforehand: %s", err.text);
    return false;
}

/* ---- run ---- */

static enum lf_status accept(const struct twin *twin, const char *procedure, const cJSON *inputs,
                             struct lf_error *err)
{
    struct lf_input given[ARG_MEMBERS_MAX];
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = procedure, .inputs = given};
    enum lf_repeat repeat;
    const cJSON *input;
    cJSON_ArrayForEach (input, inputs)
        if (action.input_count < ARG_MEMBERS_MAX)
            given[action.input_count++] = (struct lf_input){input->string, input->valuestring};
    enum lf_status status = twin->driver->repeat(twin->device, &action, &repeat, err);
    return status == LF_OK && twin->driver->accept ? twin->driver->accept(twin->device, &action, err)
                                                   : status;
}

enum lf_status control__accept_run(struct lf_context *context, const char *name, const char *procedure,
                                   const cJSON *inputs, struct lf_error *err)
{
    struct lf_instrument *instrument;
    struct twin twin;
    enum lf_status status = control__find_instrument(context, name, &instrument, err);
    if (status != LF_OK || !(lf_instrument_driver(instrument)->can & LF_CAN_RUN))
        return status; /* lf_jobs_run says what is wrong */
    if (!twin_open(context, instrument, &twin))
        return LF_OK;
    status = accept(&twin, procedure, inputs, err);
    twin.driver->close(twin.device);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "%s", name);
}

/* ---- confirm ---- */

struct values {
    const cJSON *given;
    const struct lf_config_route *route; /* NULL: nothing is needed */
    const char *procedure;
    cJSON *known; /* names that the procedure can report */
    enum lf_status status;
    struct lf_error *err;
};

static bool is_needed(const struct values *values, const char *name, bool always)
{
    const struct lf_config_route *route = values->route;
    if (!route || !route->kind->claims) /* only a workflow task reports values */
        return false;
    for (size_t i = 0; i < route->output_count; i++)
        if (!strcmp(route->outputs[i].name, name))
            return true;
    return !route->output_count && always;
}

static bool fits(enum lf_capture_type type, const char *text)
{
    char *end;
    switch (type) {
    case LF_CAPTURE_INT: return *text && (strtoll(text, &end, 10), !*end);
    case LF_CAPTURE_REAL:
        return *text && strspn(text, "+-.0123456789eE") == strlen(text) && isfinite(strtod(text, &end))
               && !*end;
    case LF_CAPTURE_BOOL: return !strcmp(text, "true") || !strcmp(text, "false");
    case LF_CAPTURE_TEXT: break;
    }
    return true;
}

static const char *form_of(enum lf_capture_type type)
{
    switch (type) {
    case LF_CAPTURE_INT: return "a whole number";
    case LF_CAPTURE_REAL: return "a number such as -12.5";
    case LF_CAPTURE_BOOL: return "true or false";
    case LF_CAPTURE_TEXT: break;
    }
    return "a text";
}

static void takes_nothing(void *context, const char *input, bool needed)
{
    (void)context, (void)input, (void)needed;
}

static void check_value(void *context, const char *name, enum lf_capture_type type, bool always)
{
    struct values *values = context;
    const char *text = lf_json_text(values->given, name);
    if (!lf_json_set_bool(values->known, name, true) && values->status == LF_OK)
        values->status = lf_fail_memory(values->err, "checking values");
    if (values->status != LF_OK)
        return;
    if (!text && is_needed(values, name, always))
        values->status =
            lf_fail(values->err, LF_INVALID, LF_PERMANENT,
                    "the workflow task needs the value \"%.60s\" of the procedure \"%.60s\": add "
                    "%.60s=...",
                    name, values->procedure, name);
    else if (text && !fits(type, text))
        values->status = lf_fail(values->err, LF_INVALID, LF_PERMANENT, "\"%.60s\" must be %s, not \"%.60s\"",
                                 name, form_of(type), text);
}

static enum lf_status refuse_unknown(const struct values *values, struct lf_error *err)
{
    const cJSON *given, *known;
    cJSON_ArrayForEach (given, values->given) {
        char list[300] = "", hint[LF_HINT];
        struct lf_nearest nearest = {.word = given->string};
        if (cJSON_GetObjectItemCaseSensitive(values->known, given->string))
            continue;
        cJSON_ArrayForEach (known, values->known) {
            lf_list_add(list, sizeof list, known->string);
            lf_nearest_try(&nearest, known->string);
        }
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the procedure \"%.60s\" reports no value \"%.60s\", but %s%s", values->procedure,
                       given->string, *list ? list : "nothing", lf_nearest_hint(&nearest, "", hint));
    }
    return LF_OK;
}

/* Unknown names first: one of them may be what is missing, misspelt. */
static enum lf_status check_values(const struct twin *twin, struct values *values, struct lf_error *err)
{
    struct lf_error missing = {0};
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = values->procedure};
    struct lf_terms terms = {.context = values, .takes = takes_nothing, .gives = check_value};
    values->err = &missing;
    enum lf_status status = twin->driver->describe(twin->device, &action, &terms, err);
    if (status == LF_NOT_FOUND
        || status == LF_UNSUPPORTED) /* the profile has changed: the person knows better */
        return LF_OK;
    if (status == LF_OK)
        status = refuse_unknown(values, err);
    if (status == LF_OK && values->status != LF_OK)
        status = lf_fail(err, missing.status, missing.class, "%s", missing.text);
    return status;
}

static enum lf_status check_job(struct lf_context *context, const struct lf_job *job, const cJSON *given,
                                struct lf_error *err)
{
    struct lf_instrument *instrument = lf_jobs_instrument(context->jobs, job->instrument);
    struct values values = {.given = given,
                            .procedure = lf_job_text(job, LF_JOB_PROCEDURE),
                            .route = job->route ? lf_config_route(context->config, job->route) : NULL};
    struct twin twin;
    if (!values.procedure && cJSON_GetArraySize(given))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "job %lld has no values: it is a %s job",
                       (long long)job->id, job->kind);
    if (!values.procedure || !instrument || !lf_instrument_driver(instrument)->describe
        || !twin_open(context, instrument, &twin))
        return LF_OK;
    values.known = cJSON_CreateObject();
    enum lf_status status = check_values(&twin, &values, err);
    cJSON_Delete(values.known);
    twin.driver->close(twin.device);
    return status;
}

enum lf_status control__accept_values(struct lf_context *context, int64_t id, const cJSON *values,
                                      struct lf_error *err)
{
    struct lf_job job;
    enum lf_status status = lf_journal_job_get(context->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    /* Of any other job lf_jobs_confirm says why it cannot be confirmed. */
    if (lf_job_can_confirm(&job))
        status = check_job(context, &job, values, err);
    lf_job_free(&job);
    return status;
}

/* Verbs that do something. */
#include "control/verbs.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "config/config.h"
#include "control/config_hooks.h"
#include "job/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What most of them answer: the job as it is now. */
static enum lf_status answer_job(struct lf_context *context, int64_t id, cJSON **result, struct lf_error *err)
{
    struct lf_job job;
    enum lf_status status = lf_journal_job_get(context->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    *result = lf_job_to_json(context->jobs, &job, false);
    lf_job_free(&job);
    return *result ? LF_OK : lf_fail_memory(err, "telling about a job");
}

/* ---- new work ---- */

enum lf_status control__verb_send(struct lf_context *context, const struct lf_request_to_verb *request,
                                  cJSON **result, struct lf_error *err)
{
    struct lf_file_info info;
    int64_t id = 0;
    if (!request->file)
        return lf_fail(
            err, LF_INVALID, LF_PERMANENT,
            "send needs the open file itself: use `labferry send INSTRUMENT FILE` on the agent's machine");
    enum lf_status status = lf_file_look(request->file, &info, err);
    if (status != LF_OK)
        return lf_error_prefix(err, "cannot look at the file to send");
    if (info.kind != LF_KIND_FILE)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "only regular files can be sent, no folders, pipes or devices");
    status = lf_jobs_send(context->jobs, arg_text(request, "instrument"), arg_text(request, "name"),
                          request->file, request->who, &id, err);
    return status == LF_OK ? answer_job(context, id, result, err) : status;
}

/* What the instrument cannot do is refused now, not later as a job that fails. */
static enum lf_status check_procedure(struct lf_context *context, const struct lf_request_to_verb *request,
                                      struct lf_error *err)
{
    struct lf_instrument *instrument;
    enum lf_status status = control__find_instrument(context, arg_text(request, "instrument"), &instrument,
                                                     err);
    const struct lf_config_instrument *config = status == LF_OK
                                                    ? lf_config_instrument(context->config,
                                                                           lf_instrument_name(instrument))
                                                    : NULL;
    if (!config || !(lf_instrument_driver(instrument)->can & LF_CAN_RUN))
        return status; /* lf_jobs_run says what is wrong */
    status = lf_control_config_hooks()->procedure_check(config->driver, config->settings,
                                                        arg_text(request, "procedure"), err);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "%s", config->name);
}

enum lf_status control__verb_run(struct lf_context *context, const struct lf_request_to_verb *request,
                                 cJSON **result, struct lf_error *err)
{
    int64_t id = 0;
    enum lf_status status = check_procedure(context, request, err);
    if (status == LF_OK)
        status = lf_jobs_run(context->jobs, arg_text(request, "instrument"), arg_text(request, "procedure"),
                             arg_object(request, "inputs"), request->who, &id, err);
    return status == LF_OK ? answer_job(context, id, result, err) : status;
}

/* ---- ask ---- */

static cJSON *captures_report(const struct lf_outcome *outcome)
{
    cJSON *report = cJSON_CreateObject(), *values = cJSON_CreateArray();
    bool good = lf_json_set(report, "values", values);
    for (size_t i = 0; good && i < outcome->count; i++) {
        const struct lf_capture *capture = &outcome->captures[i];
        cJSON *value = cJSON_CreateObject();
        good = value && lf_json_set_text(value, "name", capture->name)
               && lf_json_set_text(value, "value", capture->value)
               && lf_json_set_text(value, "type", lf_capture_type_name(capture->type));
        cJSON_AddItemToArray(values, value);
    }
    if (good)
        return report;
    cJSON_Delete(report);
    return NULL;
}

enum lf_status control__verb_ask(struct lf_context *context, const struct lf_request_to_verb *request,
                                 cJSON **result, struct lf_error *err)
{
    struct lf_input inputs[ARG_MEMBERS_MAX];
    struct lf_instrument *instrument;
    struct lf_outcome outcome = {0};
    const char *command = arg_text(request, "command");
    size_t count = 0;
    enum lf_status status = control__find_instrument(context, arg_text(request, "instrument"), &instrument,
                                                     err);
    if (status != LF_OK)
        return status;
    if (!(lf_instrument_driver(instrument)->can & LF_CAN_ASK))
        return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "the driver \"%s\" of %s takes no commands",
                       lf_instrument_driver(instrument)->name, lf_instrument_name(instrument));
    const cJSON *input;
    cJSON_ArrayForEach (input, arg_object(request, "inputs"))
        if (count < ARG_MEMBERS_MAX)
            inputs[count++] = (struct lf_input){input->string, input->valuestring};
    int64_t seconds = arg_int(request, "timeout_s", ASK_SECONDS);
    if (seconds > ASK_SECONDS_MAX)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "ask: \"timeout_s\" may be %d at most",
                       ASK_SECONDS_MAX);
    lf_log_info(lf_instrument_name(instrument), "%s asks %s", request->who, command);
    status = lf_instrument_ask(instrument, command, inputs, count, lf_json_bool(request->args, "once", false),
                               lf_deadline_in(seconds * 1000), &outcome, err);
    if (status == LF_OK && !(*result = captures_report(&outcome)))
        status = lf_fail(err, LF_NO_MEMORY, LF_UNKNOWN_OUTCOME,
                         "%s was done, but memory is too short to tell the answer", command);
    lf_outcome_free(&outcome);
    return status;
}

/* ---- jobs that are there ---- */

enum lf_status control__verb_retry(struct lf_context *context, const struct lf_request_to_verb *request,
                                   cJSON **result, struct lf_error *err)
{
    int64_t id = arg_int(request, "id", 0);
    enum lf_status status = lf_jobs_retry(context->jobs, id, request->who, err);
    return status == LF_OK ? answer_job(context, id, result, err) : status;
}

enum lf_status control__verb_confirm(struct lf_context *context, const struct lf_request_to_verb *request,
                                     cJSON **result, struct lf_error *err)
{
    int64_t id = arg_int(request, "id", 0);
    enum lf_status status = lf_jobs_confirm(context->jobs, id, arg_object(request, "values"), request->who,
                                            err);
    return status == LF_OK ? answer_job(context, id, result, err) : status;
}

enum lf_status control__verb_cancel(struct lf_context *context, const struct lf_request_to_verb *request,
                                    cJSON **result, struct lf_error *err)
{
    int64_t id = arg_int(request, "id", 0);
    enum lf_status status = lf_jobs_cancel(context->jobs, id, arg_text(request, "why"), request->who, err);
    return status == LF_OK ? answer_job(context, id, result, err) : status;
}

enum lf_status control__verb_assign(struct lf_context *context, const struct lf_request_to_verb *request,
                                    cJSON **result, struct lf_error *err)
{
    int64_t id = arg_int(request, "id", 0);
    enum lf_status status = lf_jobs_assign(context->jobs, id, arg_text(request, "run"),
                                           arg_text(request, "config"), request->who, err);
    return status == LF_OK ? answer_job(context, id, result, err) : status;
}

/* ---- pause and resume ---- */

/* The journal remembers it under "paused.NAME", so that it stays so after a restart: why null means not
 * paused. */
static enum lf_status set_paused(struct lf_context *context, struct lf_instrument *instrument,
                                 const char *why, struct lf_error *err)
{
    char *key = lf_format("paused.%s", lf_instrument_name(instrument));
    enum lf_status status = key ? lf_journal_set(context->journal, key, why, err)
                                : lf_fail_memory(err, "pausing");
    free(key);
    if (status != LF_OK)
        return status;
    if (why)
        lf_instrument_pause(instrument, why);
    else
        lf_instrument_resume(instrument);
    lf_log_info(lf_instrument_name(instrument), "%s", why ? why : "resumed");
    return LF_OK;
}

static enum lf_status each_paused(struct lf_context *context, const struct lf_request_to_verb *request,
                                  const char *why, cJSON **result, struct lf_error *err)
{
    const char *name = arg_text(request, "instrument");
    struct lf_instrument *only = NULL;
    enum lf_status status = strcmp(name, "all") != 0 ? control__find_instrument(context, name, &only, err)
                                                     : LF_OK;
    cJSON *list = status == LF_OK ? cJSON_CreateArray() : NULL;
    for (size_t i = 0; status == LF_OK && i < lf_jobs_instrument_count(context->jobs); i++) {
        struct lf_instrument *instrument = lf_jobs_instrument_at(context->jobs, i);
        if (only && only != instrument)
            continue;
        status = set_paused(context, instrument, why, err);
        cJSON_AddItemToArray(list, lf_instrument_info_paused(instrument, why));
    }
    if (status == LF_OK)
        *result = list;
    else
        cJSON_Delete(list);
    return status;
}

enum lf_status control__verb_pause(struct lf_context *context, const struct lf_request_to_verb *request,
                                   cJSON **result, struct lf_error *err)
{
    const char *why = arg_text(request, "why");
    char text[300];
    snprintf(text, sizeof text, "paused by %.80s%s%.180s", request->who, why ? ": " : "", why ? why : "");
    return each_paused(context, request, text, result, err);
}

enum lf_status control__verb_resume(struct lf_context *context, const struct lf_request_to_verb *request,
                                    cJSON **result, struct lf_error *err)
{
    return each_paused(context, request, NULL, result, err);
}

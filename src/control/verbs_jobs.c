/* Verbs for jobs that are there, and for what a person has seen.
 *
 * A verb for several jobs is one transaction: if one job refuses, nothing is changed, and the error names it.
 */
#include "control/terms.h"
#include "control/verbs.h"

#include "job/job.h"
#include "journal/concern.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which jobs ---- */

/* One job, its number in the request. */
typedef enum lf_status one_job(struct lf_jobs *jobs, int64_t id, const struct lf_verb_request *request,
                               struct lf_error *err);

struct choice {
    struct lf_buffer ids; /* int64_t each */
    enum lf_status status;
};

static void choose(void *context, const struct lf_job *job)
{
    struct choice *choice = context;
    if (choice->status == LF_OK)
        choice->status = lf_buffer_append(&choice->ids, &job->id, sizeof job->id);
}

/* All that fit: without a state, those that have not ended. */
static enum lf_status choose_all(struct lf_context *context, const struct lf_verb_request *request,
                                 struct choice *choice, struct lf_error *err)
{
    struct lf_instrument *found;
    const char *state = arg_text(request, "state");
    struct lf_job_filter filter = {
        .state = state ? state : "open",
        .kind = arg_text(request, "kind"),
        .instrument = arg_text(request, "instrument"),
        .limit = INT_MAX,
    };
    if (!state && !filter.kind && !filter.instrument)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "%s: say of which jobs: \"all\" needs \"instrument\", \"state\" or \"kind\"",
                       request->verb);
    enum lf_status status = lf_journal_job_list(context->journal, &filter, choose, choice, err);
    if (status == LF_OK && !choice->ids.len && filter.instrument)
        status = control__find_instrument(context, filter.instrument, &found, err);
    return status == LF_OK && choice->status != LF_OK ? lf_fail_memory(err, "choosing jobs") : status;
}

static enum lf_status choose_numbered(const cJSON *given, struct choice *choice, struct lf_error *err)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, given) {
        int64_t id = lf_json_int(item, "", 0);
        if (lf_buffer_append(&choice->ids, &id, sizeof id) != LF_OK)
            return lf_fail_memory(err, "choosing jobs");
    }
    return LF_OK;
}

static enum lf_status each_of(struct lf_context *context, const struct lf_verb_request *request,
                              const struct choice *choice, one_job *one, cJSON **result, struct lf_error *err)
{
    cJSON *list = cJSON_CreateArray();
    enum lf_status status = LF_OK;
    for (size_t at = 0; status == LF_OK && at < choice->ids.len; at += sizeof(int64_t)) {
        int64_t id;
        cJSON *job = NULL;
        memcpy(&id, choice->ids.data + at, sizeof id);
        status = one(context->jobs, id, request, err);
        status = control__answer_job(status, context, id, false, &job, err);
        if (status == LF_OK)
            lf_json_add(&list, job);
        else if (choice->ids.len > sizeof id)
            lf_error_prefix(err, "nothing was changed");
    }
    return control__answer_list(status, list, result, err);
}

static enum lf_status each_job(struct lf_context *context, const struct lf_verb_request *request,
                               one_job *one, cJSON **result, struct lf_error *err)
{
    const cJSON *given = lf_json_at(request->args, "job");
    struct choice choice = {0};
    bool all = lf_json_bool(request->args, "all", false);
    if (!all && !cJSON_IsArray(given)) {
        int64_t id = lf_json_int(given, "", 0);
        return control__answer_job(one(context->jobs, id, request, err), context, id, false, result, err);
    }
    enum lf_status status = all ? choose_all(context, request, &choice, err)
                                : choose_numbered(given, &choice, err);
    if (status == LF_OK)
        status = each_of(context, request, &choice, one, result, err);
    lf_buffer_free(&choice.ids);
    return status;
}

/* ---- the verbs ---- */

static enum lf_status retry(struct lf_jobs *jobs, int64_t id, const struct lf_verb_request *request,
                            struct lf_error *err)
{
    return lf_json_bool(request->args, "unchecked", false)
               ? lf_jobs_retry_unchecked(jobs, id, request->who, err)
               : lf_jobs_retry(jobs, id, request->who, err);
}

static enum lf_status perform_retry(struct lf_context *context, const struct lf_verb_request *request,
                                    cJSON **result, struct lf_error *err)
{
    return each_job(context, request, retry, result, err);
}

static enum lf_status cancel(struct lf_jobs *jobs, int64_t id, const struct lf_verb_request *request,
                             struct lf_error *err)
{
    return lf_jobs_cancel(jobs, id, arg_text(request, "why"), request->who, err);
}

static enum lf_status perform_cancel(struct lf_context *context, const struct lf_verb_request *request,
                                     cJSON **result, struct lf_error *err)
{
    return each_job(context, request, cancel, result, err);
}

static enum lf_status perform_start(struct lf_context *context, const struct lf_verb_request *request,
                                    cJSON **result, struct lf_error *err)
{
    int64_t id = lf_json_int(request->args, "job", 0);
    enum lf_status status = lf_jobs_begin(context->jobs, id, request->who, err);
    status = control__answer_job(status, context, id, false, result, err);
    if (status == LF_OK)
        cJSON_DeleteItemFromObjectCaseSensitive(*result, "note"); /* that it waited for its sample */
    return status;
}

static enum lf_status perform_confirm(struct lf_context *context, const struct lf_verb_request *request,
                                      cJSON **result, struct lf_error *err)
{
    int64_t id = lf_json_int(request->args, "job", 0);
    const cJSON *values = lf_json_at(request->args, "values");
    enum lf_status status = control__accept_values(context, id, values, err);
    if (status == LF_OK)
        status = lf_jobs_confirm(context->jobs, id, values, request->who, err);
    return control__answer_job(status, context, id, false, result, err);
}

static enum lf_status perform_assign(struct lf_context *context, const struct lf_verb_request *request,
                                     cJSON **result, struct lf_error *err)
{
    int64_t id = lf_json_int(request->args, "job", 0);
    enum lf_status status = lf_jobs_assign(context->jobs, id, arg_text(request, "run"),
                                           arg_text(request, "output"), request->who, err);
    return control__answer_job(status, context, id, false, result, err);
}

/* ---- acknowledge ---- */

static void add_id(void *list, const struct lf_concern *concern)
{
    if (!concern->stands)
        lf_json_add(list, cJSON_CreateNumber((double)concern->id));
}

static enum lf_status perform_acknowledge(struct lf_context *context, const struct lf_verb_request *request,
                                          cJSON **result, struct lf_error *err)
{
    bool all = lf_json_bool(request->args, "all", false);
    const cJSON *given = lf_json_at(request->args, "need"), *item;
    cJSON *ids = cJSON_IsArray(given) ? cJSON_Duplicate(given, true) : cJSON_CreateArray();
    if (given && !cJSON_IsArray(given))
        lf_json_add(&ids, cJSON_Duplicate(given, true));
    enum lf_status status = all ? lf_journal_concern_list(context->journal, add_id, &ids, err) : LF_OK;
    cJSON_ArrayForEach (item, ids)
        if (status == LF_OK)
            status = lf_journal_concern_acknowledge(context->journal, lf_json_int(item, "", 0), request->who,
                                                    arg_text(request, "why"), err);
    if (status != LF_OK && cJSON_GetArraySize(ids) > 1)
        lf_error_prefix(err, "nothing was changed");
    cJSON *answer = cJSON_CreateObject();
    bool made = status == LF_OK && ids && lf_json_set_int(answer, "acknowledged", cJSON_GetArraySize(ids));
    *result = lf_json_made(answer, made);
    cJSON_Delete(ids);
    return status == LF_OK && !*result ? lf_fail_memory(err, "acknowledging") : status;
}

/* ---- the table ---- */

const struct lf_verb control__verbs_jobs[] = {
    {.name = "retry",
     .summary = "Repeat the step of a held job: it did not happen, or its cause is fixed.",
     .about =
         "A job looks at Benchling right before it acts, and waits while Benchling cannot be reached. With\n"
         "--unchecked you decide that its work is still wanted: it acts once without that look.",
     .args = LF_ARGS(ARGS_CHOICE,
                     {"unchecked", LF_ARG_BOOL, 0,
                      .help = "act without asking Benchling whether it is still wanted"},
                     ARGS_WAIT),
     .examples = "labferry retry 12\nlabferry retry 12 --wait\nlabferry retry 12 --unchecked\n"
                 "labferry retry 12 13 14\n"
                 "labferry retry --all --instrument hamilton-1 --state held",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC | LF_VERB_JOB,
     .perform = perform_retry},
    {.name = "start",
     .summary = "Start a task that waits for its sample: it is on the instrument now.",
     .about = "Where a person changes samples, a task begins only once the sample was changed. Either the\n"
              "instrument shows that, or this command says it (see the setting start of the task's route).",
     .args = LF_ARGS(ARG_JOB, ARGS_WAIT),
     .examples = "labferry start 12",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC | LF_VERB_JOB,
     .perform = perform_start},
    {.name = "confirm",
     .summary = "Confirm that the step of a held job did happen, and continue.",
     .about = "Values are what the instrument would have reported.",
     .args = LF_ARGS(ARG_JOB,
                     {"values", LF_ARG_OBJECT, LF_ARG_POSITIONAL,
                      .help = "what the instrument would have reported"},
                     ARGS_WAIT),
     .examples = "labferry confirm 12 weight=12.345\nlabferry confirm 12",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC | LF_VERB_JOB,
     .perform = perform_confirm},
    {.name = "cancel",
     .summary = "Cancel a job, or several.",
     .about =
         "A step that is running is asked to stop. If the job has claimed its workflow task, the task is\n"
         "first set to failed in Benchling.",
     .args = LF_ARGS(ARGS_CHOICE, ARG_WHY, ARGS_WAIT),
     .examples = "labferry cancel 12 --why \"plate was dropped\"\nlabferry cancel 1400 1401\n"
                 "labferry cancel --all --instrument hamilton-1 --state held",
     .wanted = "cancelled",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC | LF_VERB_JOB,
     .perform = perform_cancel},
    {.name = "assign",
     .summary = "Assign a held result to a run.",
     .args = LF_ARGS(ARG_JOB,
                     {"run", LF_ARG_TEXT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL,
                      .help = "id of the run, as Benchling shows it"},
                     {"output", LF_ARG_TEXT, LF_ARG_POSITIONAL,
                      .help = "name of the output file configuration", .fallback = "that of the instrument"},
                     ARGS_WAIT),
     .examples = "labferry assign 12 4dc3c7bf-1a2b-4c5d-8e9f-000000000001\n"
                 "labferry assign 12 4dc3c7bf-1a2b-4c5d-8e9f-000000000001 \"Plate reader\"",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC | LF_VERB_JOB,
     .perform = perform_assign},
    {.name = "acknowledge",
     .summary = "Say that you have seen what needed attention.",
     .about = "It leaves the list of labferry status. An entry without a number cannot be acknowledged: it\n"
              "leaves the list when its cause is gone.",
     .args = LF_ARGS({"need", LF_ARG_INT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL | LF_ARG_MANY,
                      .help = "number in labferry status, or several", .not_with = {"all"}},
                     {"all", LF_ARG_BOOL, 0, .help = "everything that can be acknowledged"}, ARG_WHY),
     .examples = "labferry acknowledge 3 --why \"plate repeated by hand\"\nlabferry acknowledge --all",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC,
     .perform = perform_acknowledge},
    {0},
};

/* task: a workflow task wants something done on an instrument.
 *
 * check -> claim -> run -> report -> settle. Facts: workflow_task, display, status (in which it was found),
 * procedure; inputs; claiming, claimed; captures; outputs_before, output; end and failed (when it ends badly
 * and the workflow task has to be told). An operator's own run (`labferry run`) starts at run and has no
 * workflow task: report and settle have nothing to do.
 */
#include "job/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool local(const struct job_work *work)
{
    return lf_job_text(work->job, LF_JOB_WORKFLOW_TASK) == NULL;
}

static enum lf_status need_route(const struct job_work *work, struct lf_error *err)
{
    if (work->route)
        return LF_OK;
    return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                   "the route \"%s\" is not in the configuration any more. Put it back and `labferry retry "
                   "%lld`, or cancel",
                   work->job->route ? work->job->route : "", (long long)work->job->id);
}

static bool reports_file(const struct job_work *work)
{
    return work->route && work->route->report == LF_REPORT_FILE;
}

/* ---- check: is it still ours to do? ---- */

/* *text is owned. LF_NOT_FOUND: the task has no value in this field. */
static enum lf_status field_text(const cJSON *task, const char *field, char **text, struct lf_error *err)
{
    const cJSON *fields = cJSON_GetObjectItemCaseSensitive(task, "fields");
    return job__json_text(cJSON_GetObjectItemCaseSensitive(fields, field), text, err);
}

static enum lf_status read_inputs(struct job_work *work, const cJSON *task, struct lf_error *err)
{
    cJSON *inputs = cJSON_CreateObject();
    enum lf_status status = lf_job_set_object(work->job, LF_JOB_INPUTS, inputs, err);
    for (size_t i = 0; status == LF_OK && i < work->route->input_count; i++) {
        const struct lf_config_map *map = &work->route->inputs[i];
        char *text = NULL;
        status = field_text(task, map->field, &text, err);
        if (status == LF_NOT_FOUND)
            return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                           "workflow task %s has no value in the field \"%s\", which the input \"%s\" needs. "
                           "Fill it in and "
                           "`labferry retry %lld`, or cancel",
                           lf_job_text_or(work->job, LF_JOB_DISPLAY, ""), map->field, map->name,
                           (long long)work->job->id);
        if (status == LF_OK && !lf_json_set_text(inputs, map->name, text))
            status = lf_fail_memory(err, "reading a workflow task");
        free(text);
    }
    if (status != LF_OK || !reports_file(work))
        return status;
    char *run;
    status = field_text(task, work->route->run_field, &run, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_RUN, run, err);
    else if (status == LF_NOT_FOUND)
        lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                "workflow task %s names no run in the field \"%s\" (run_field). Fill it in and `labferry "
                "retry %lld`, or cancel",
                lf_job_text_or(work->job, LF_JOB_DISPLAY, ""), work->route->run_field,
                (long long)work->job->id);
    free(run);
    return status;
}

static bool over(const char *type)
{
    return !strcmp(type, "COMPLETED") || !strcmp(type, "FAILED") || !strcmp(type, "CANCELLED")
           || !strcmp(type, "INVALID");
}

static enum lf_status still_ours(struct job_work *work, const cJSON *task, struct lf_error *err)
{
    const char *status_id = lf_json_text_or(task, "status.id", ""),
               *told = lf_job_text(work->job, LF_JOB_STATUS);
    const char *type = lf_json_text_or(task, "status.statusType", ""),
               *name = lf_json_text_or(task, "status.displayName", type);
    int64_t other = 0;
    if (cJSON_IsObject(lf_json_at(task, "archiveRecord")))
        return job__end(work, LF_JOB_CANCELLED, "the workflow task has been archived");
    if (over(type))
        return job__end(work, LF_JOB_CANCELLED, "the workflow task is %s already", name);
    enum lf_status status = lf_journal_job_with_field(work->jobs->journal, "task", LF_JOB_WORKFLOW_TASK,
                                                      lf_json_text_or(task, "id", ""), true, work->job->id,
                                                      &other, err);
    if (status != LF_OK && status != LF_NOT_FOUND)
        return status;
    if (status == LF_OK && other < work->job->id)
        return job__end(work, LF_JOB_CANCELLED, "job %lld is at this workflow task", (long long)other);
    if (told && strcmp(told, status_id) != 0)
        return job__end(work, LF_JOB_CANCELLED, "the workflow task has moved on to %s", name);
    status = lf_job_set_text(work->job, LF_JOB_STATUS, status_id, err);
    return status == LF_OK ? read_inputs(work, task, err) : status;
}

static enum lf_status get_task(struct job_work *work, cJSON **task, struct lf_error *err)
{
    const char *id;
    enum lf_status status = need_route(work, err);
    if (status == LF_OK)
        status = job__need(work, LF_JOB_WORKFLOW_TASK, &id, err);
    return status == LF_OK ? lf_cloud_get_workflow_task(work->jobs->cloud, id, &work->call, task, err)
                           : status;
}

static enum lf_status check(struct job_work *work, struct lf_error *err)
{
    cJSON *task = NULL;
    enum lf_status status = get_task(work, &task, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_DISPLAY,
                                 lf_json_text_or(task, "displayId", lf_job_text(work->job, LF_JOB_DISPLAY)),
                                 err);
    if (status == LF_OK)
        status = still_ours(work, task, err);
    cJSON_Delete(task);
    return status;
}

/* ---- claim and settle: statuses ---- */

/* Brings a workflow task to the status that is called so. LF_EXISTS: it is there already. */
static enum lf_status move_to(struct job_work *work, const cJSON *task, const char *wanted,
                              struct lf_error *err)
{
    cJSON *updated = NULL;
    char *status_id = NULL;
    enum lf_status status = lf_cloud_resolve_status(work->jobs->cloud, task, wanted, &work->call, &status_id,
                                                    err);
    if (status == LF_OK)
        status = lf_cloud_set_task_status(work->jobs->cloud, lf_json_text(task, "id"), status_id, &work->call,
                                          &updated, err);
    free(status_id);
    cJSON_Delete(updated);
    return status;
}

static bool as_found(const struct job_work *work, const cJSON *task)
{
    const char *found = lf_job_text(work->job, LF_JOB_STATUS);
    return found && !strcmp(found, lf_json_text_or(task, "status.id", ""));
}

static enum lf_status note_claiming(struct job_work *work, struct lf_error *err)
{
    enum lf_status status = lf_job_set_bool(work->job, LF_JOB_CLAIMING, true, err);
    return status == LF_OK ? job__save(work->jobs, work->job, "agent", NULL, err) : status;
}

/* "claiming" is committed before Benchling is asked: if the task is in progress without it, somebody else was
 * faster. */
static enum lf_status claim(struct job_work *work, struct lf_error *err)
{
    cJSON *task = NULL;
    enum lf_status status = get_task(work, &task, err);
    bool ours = lf_job_bool(work->job, LF_JOB_CLAIMING);
    if (status == LF_OK && !ours && !as_found(work, task)) {
        status = job__end(work, LF_JOB_CANCELLED, "somebody else was faster: the workflow task is %s by now",
                          lf_json_text_or(task, "status.displayName", "in another status"));
        cJSON_Delete(task);
        return status;
    }
    if (status == LF_OK && !ours)
        status = note_claiming(work, err);
    if (status == LF_OK)
        status = move_to(work, task, work->route->claim_status, err);
    if (status == LF_EXISTS)
        status = LF_OK;
    if (status == LF_OK)
        status = lf_job_set_bool(work->job, LF_JOB_CLAIMED, true, err);
    if (status == LF_OK)
        job__note(work, "%s is %s",
                  lf_job_text_or(work->job, LF_JOB_DISPLAY, lf_job_text(work->job, LF_JOB_WORKFLOW_TASK)),
                  work->route->claim_status);
    cJSON_Delete(task);
    return status;
}

/* It ends badly, and Benchling has been told nothing: a retry begins from the start. */
static enum lf_status end_untold(struct job_work *work, enum lf_job_state end, const char *failed)
{
    job__end(work, end, "%s", failed);
    lf_job_clear(work->job, LF_JOB_FAILURE);
    lf_job_clear(work->job, LF_JOB_END);
    lf_job_clear(work->job, LF_JOB_CLAIMING);
    job__set_step(work->job, job__step_find(&job__kind_task, "check"));
    return LF_OK;
}

static enum lf_status settle(struct job_work *work, struct lf_error *err)
{
    if (local(work))
        return job__end(work, LF_JOB_DONE, "%s", lf_job_text_or(work->job, LF_JOB_SUMMARY, "done"));
    cJSON *task = NULL;
    const char *failed = lf_job_text(work->job, LF_JOB_FAILURE);
    enum lf_status status = get_task(work, &task, err);
    /* Asked to claim it, but it never came to that: then there is nothing to take back. */
    bool untouched = status == LF_OK && failed && !lf_job_bool(work->job, LF_JOB_CLAIMED)
                     && as_found(work, task);
    if (status == LF_OK && !untouched)
        status = move_to(work, task, failed ? work->route->failed_status : work->route->done_status, err);
    cJSON_Delete(task);
    if (status != LF_OK && status != LF_EXISTS)
        return status;
    if (!failed)
        return job__end(work, LF_JOB_DONE, "%s", lf_job_text_or(work->job, LF_JOB_SUMMARY, "done"));
    enum lf_job_state end = LF_JOB_FAILED;
    lf_job_state_parse(lf_job_text(work->job, LF_JOB_END), &end);
    if (untouched)
        return end_untold(work, end, failed);
    return job__end(work, end, "%s", failed);
}

/* A claimed workflow task must not be left in progress: settle sets it to failed before the job ends. */
static enum lf_status on_bad_end(struct lf_job *job, enum lf_job_state end, const char *why,
                                 const char **step, struct lf_error *err)
{
    if (!lf_job_bool(job, LF_JOB_CLAIMING) || lf_job_text(job, LF_JOB_FAILURE))
        return LF_OK;
    enum lf_status status = lf_job_set_text(job, LF_JOB_END, lf_job_state_name(end), err);
    if (status == LF_OK)
        status = lf_job_set_text(job, LF_JOB_FAILURE, why, err);
    if (status != LF_OK)
        return status;
    job->expires_mono = 0;
    *step = "settle";
    return LF_OK;
}

/* ---- report: a workflow output with the captured values ---- */

/* False when out of memory. */
static bool is_json_number(const char *text, bool *is)
{
    *is = false;
    if (!strchr("-0123456789", *text))
        return true;
    cJSON *number = NULL;
    enum lf_status status = lf_json_parse(lf_slice_text(text), &number, NULL);
    *is = status == LF_OK && cJSON_IsNumber(number);
    cJSON_Delete(number);
    return status != LF_NO_MEMORY;
}

/* Numbers go as the instrument wrote them: "100.00" stays 100.00. */
static cJSON *field_value(const char *type, const char *value)
{
    bool number;
    if (!is_json_number(value, &number))
        return NULL;
    cJSON *field = cJSON_CreateObject(), *item;
    if ((!strcmp(type, "real") || !strcmp(type, "int")) && number)
        item = cJSON_CreateRaw(value);
    else if (!strcmp(type, "bool"))
        item = cJSON_CreateBool(!strcmp(value, "true"));
    else
        item = cJSON_CreateString(value);
    if (field && lf_json_set(field, "value", item))
        return field;
    cJSON_Delete(field);
    return NULL;
}

/* Where a captured value goes; NULL: nowhere. */
static const char *output_field(const struct job_work *work, const char *capture)
{
    if (work->route->output_count == 0)
        return capture;
    for (size_t i = 0; i < work->route->output_count; i++)
        if (!strcmp(work->route->outputs[i].name, capture))
            return work->route->outputs[i].field;
    return NULL;
}

/* A value captured several times reports its last. */
static enum lf_status output_fields(const struct job_work *work, cJSON **fields, struct lf_error *err)
{
    *fields = cJSON_CreateObject();
    const cJSON *capture;
    cJSON_ArrayForEach (capture, lf_job_object(work->job, LF_JOB_CAPTURES)) {
        const char *name = lf_json_text(capture, "name"), *value = lf_json_text(capture, "value");
        const char *field = name && value ? output_field(work, name) : NULL;
        if (field
            && !lf_json_set(*fields, field, field_value(lf_json_text_or(capture, "type", "text"), value)))
            return lf_fail_memory(err, "making a workflow output");
    }
    return *fields ? LF_OK : lf_fail_memory(err, "making a workflow output");
}

static enum lf_status same_value(const cJSON *sent, const cJSON *there, bool *same, struct lf_error *err)
{
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(sent, "value"),
                *b = cJSON_GetObjectItemCaseSensitive(there, "value");
    cJSON *number = NULL; /* a raw number compares as a number */
    *same = false;
    if (!a || !b)
        return LF_OK;
    char *left = lf_json_print(a);
    enum lf_status status = left ? lf_json_parse(lf_slice_text(left), &number, err)
                                 : lf_fail_memory(err, "comparing outputs");
    if (status == LF_OK)
        *same = cJSON_Compare(number, b, true) || (cJSON_IsString(b) && !strcmp(left, b->valuestring));
    cJSON_Delete(number);
    free(left);
    return status == LF_NO_MEMORY ? status : LF_OK;
}

static enum lf_status has_fields(const cJSON *output, const cJSON *fields, bool *has, struct lf_error *err)
{
    const cJSON *theirs = cJSON_GetObjectItemCaseSensitive(output, "fields"), *field;
    enum lf_status status = LF_OK;
    *has = true;
    cJSON_ArrayForEach (field, fields)
        if (status == LF_OK && *has)
            status = same_value(field, cJSON_GetObjectItemCaseSensitive(theirs, field->string), has, err);
    return status;
}

static bool listed(const cJSON *ids, const char *id)
{
    const cJSON *known;
    cJSON_ArrayForEach (known, ids)
        if (cJSON_IsString(known) && !strcmp(known->valuestring, id))
            return true;
    return false;
}

/* Made by somebody else: it was there before we began, or belongs to another job. */
static enum lf_status not_ours(const struct job_work *work, const char *id, bool * not, struct lf_error *err)
{
    int64_t other;
    *not = listed(lf_job_object(work->job, LF_JOB_OUTPUTS_BEFORE), id);
    if (*not )
        return LF_OK;
    enum lf_status status = lf_journal_job_with_field(work->jobs->journal, "task", LF_JOB_OUTPUT, id, false,
                                                      work->job->id, &other, err);
    *not = status == LF_OK;
    return status == LF_NOT_FOUND ? LF_OK : status;
}

/* After an answer that was lost: an output that came since and says the same is ours. One that came since and
 * says something else may be ours, as Benchling keeps it, or a person's: that is for a person to tell; a
 * retry then counts it as not ours. */
static enum lf_status look_for_output(struct job_work *work, const char *task, const cJSON *fields,
                                      struct lf_error *err)
{
    cJSON *outputs = NULL, *before = lf_job_object(work->job, LF_JOB_OUTPUTS_BEFORE);
    enum lf_status status = lf_cloud_list_outputs(work->jobs->cloud, task, &work->call, &outputs, err);
    const cJSON *output;
    cJSON_ArrayForEach (output, outputs) {
        const char *id = lf_json_text(output, "id");
        bool not = false, same = false;
        enum lf_status looked = id ? not_ours(work, id, &not, err) : LF_OK;
        if (looked == LF_OK && (!id || not ))
            continue;
        if (looked == LF_OK)
            looked = has_fields(output, fields, &same, err);
        if (looked != LF_OK || same) {
            status = looked == LF_OK ? lf_job_set_text(work->job, LF_JOB_OUTPUT, id, err) : looked;
            break;
        }
        cJSON_AddItemToArray(before, cJSON_CreateString(id));
        status = lf_fail(err, LF_MISMATCH, LF_NEEDS_PERSON,
                         "while the workflow output was being created, the answer was lost, and %s appeared "
                         "with other values. If it "
                         "is not this one (%.200s), `labferry retry %lld` creates it; else cancel",
                         id, lf_job_text_or(work->job, LF_JOB_SUMMARY, ""), (long long)work->job->id);
    }
    cJSON_Delete(outputs);
    return status;
}

/* Which outputs there are before ours is created: whatever comes later and is not listed may be ours. */
static enum lf_status note_outputs(struct job_work *work, const char *task, struct lf_error *err)
{
    cJSON *outputs = NULL, *before = cJSON_CreateArray();
    enum lf_status status = before
                                ? lf_cloud_list_outputs(work->jobs->cloud, task, &work->call, &outputs, err)
                                : lf_fail_memory(err, "noting workflow outputs");
    const cJSON *output;
    cJSON_ArrayForEach (output, outputs) {
        const char *id = lf_json_text(output, "id");
        if (id && !cJSON_AddItemToArray(before, cJSON_CreateString(id)))
            status = lf_fail_memory(err, "noting workflow outputs");
    }
    cJSON_Delete(outputs);
    if (status != LF_OK)
        cJSON_Delete(before);
    else
        status = lf_job_set_object(work->job, LF_JOB_OUTPUTS_BEFORE, before, err);
    return status == LF_OK ? job__save(work->jobs, work->job, "agent", NULL, err) : status;
}

static enum lf_status create_output(struct job_work *work, const char *task, const cJSON *fields,
                                    struct lf_error *err)
{
    cJSON *output = NULL;
    enum lf_status status = lf_cloud_create_output(work->jobs->cloud, task, fields, &work->call, &output,
                                                   err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_OUTPUT, lf_json_text(output, "id"), err);
    cJSON_Delete(output);
    return status;
}

static enum lf_status report(struct job_work *work, struct lf_error *err)
{
    if (local(work) || lf_job_text(work->job, LF_JOB_OUTPUT))
        return LF_OK;
    const char *task;
    cJSON *fields = NULL;
    enum lf_status status = need_route(work, err);
    if (status == LF_OK && reports_file(work))
        return job__values_to_result(work, err);
    if (status == LF_OK)
        status = job__need(work, LF_JOB_WORKFLOW_TASK, &task, err);
    if (status == LF_OK)
        status = output_fields(work, &fields, err);
    if (status == LF_OK && cJSON_GetArraySize(fields) == 0) {
        job__note(work, "the procedure has no values to report");
        cJSON_Delete(fields);
        return LF_OK;
    }
    bool begun = cJSON_IsArray(lf_job_object(work->job, LF_JOB_OUTPUTS_BEFORE));
    if (status == LF_OK)
        status = begun ? look_for_output(work, task, fields, err) : note_outputs(work, task, err);
    if (status == LF_OK && !lf_job_text(work->job, LF_JOB_OUTPUT))
        status = create_output(work, task, fields, err);
    if (status == LF_OK)
        job__note(work, "workflow output %s: %s", lf_job_text(work->job, LF_JOB_OUTPUT),
                  lf_job_text_or(work->job, LF_JOB_SUMMARY, ""));
    cJSON_Delete(fields);
    return status;
}

static const struct job_step steps[] = {
    {.name = "check", .run = check},
    {.name = "claim", .checks_first = true, .run = claim},
    {.name = "run", .bench = true, .action = job__procedure_action, .acted = job__procedure_ran},
    {.name = "report", .checks_first = true, .hold_on_permanent = true, .run = report},
    {.name = "settle", .checks_first = true, .hold_on_permanent = true, .run = settle},
    {0},
};

static const char *const settings[] = {"procedure",    "inputs",      "outputs",
                                       "claim_status", "done_status", "failed_status",
                                       "report",       "run_field",   NULL};

const struct lf_job_kind job__kind_task = {
    .config = {.name = "task", .resource = "workflowTask", .ability = LF_CAN_RUN, .settings = settings},
    .takes = {{LF_JOB_WORKFLOW_TASK, "id"}, {LF_JOB_DISPLAY, "displayId"}, {LF_JOB_STATUS, "status.id"}},
    .detail = LF_JOB_PROCEDURE,
    .steps = steps,
    .on_bad_end = on_bad_end,
};

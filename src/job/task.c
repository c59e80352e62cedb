/* task: a workflow task asks for something to be done on an instrument.
 *
 * check -> turn -> claim -> run -> report -> settle. It is claimed only when its turn has come. When a
 * claimed task ends badly, settle sets the workflow task to failed before the job ends.
 */
#include "job/captures.h"
#include "job/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- check: is it still ours to do? ---- */

/* *text is owned: the value of this field of the task. Without a value the job is held for a person. */
static enum lf_status field_text(const struct job_work *work, const cJSON *task, const char *field,
                                 const char *needed_by, char **text, struct lf_error *err)
{
    const cJSON *fields = cJSON_GetObjectItemCaseSensitive(task, "fields");
    enum lf_status status = job__json_text(cJSON_GetObjectItemCaseSensitive(fields, field), text, err);
    if (status != LF_NOT_FOUND)
        return status;
    return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                   "workflow task %s has no value in the field \"%s\", which is needed as %s. Fill it in and "
                   "`labferry retry %lld`, or cancel",
                   lf_job_text_or(work->job, LF_JOB_DISPLAY, ""), field, needed_by, (long long)work->job->id);
}

static enum lf_status read_inputs(struct job_work *work, const cJSON *task, struct lf_error *err)
{
    const struct lf_config_route *route = work->route;
    cJSON *inputs = cJSON_CreateObject();
    char *text = NULL, needed_by[140];
    enum lf_status status = lf_job_set_json(work->job, LF_JOB_INPUTS, inputs, err);
    for (size_t i = 0; status == LF_OK && i < route->input_count; i++) {
        snprintf(needed_by, sizeof needed_by, "the input \"%.100s\"", route->inputs[i].name);
        status = field_text(work, task, route->inputs[i].field, needed_by, &text, err);
        if (status == LF_OK && !lf_json_set_text(inputs, route->inputs[i].name, text))
            status = lf_fail_memory(err, "reading a workflow task");
        free(text);
    }
    if (status != LF_OK || route->report != LF_REPORT_FILE)
        return status;
    status = field_text(work, task, route->run_field, "the run (run_field)", &text, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_RUN, text, err);
    free(text);
    return status;
}

static bool is_over(const char *type)
{
    return !strcmp(type, "COMPLETED") || !strcmp(type, "FAILED") || !strcmp(type, "CANCELLED")
           || !strcmp(type, "INVALID");
}

/* In the status in which this job found it, or in the one in which it put it. */
static bool as_left(const struct job_work *work, const cJSON *task)
{
    const char *there = lf_json_text_or(task, "status.id", "");
    const char *claimed = lf_job_text(work->job, LF_JOB_CLAIM_STATUS);
    return !strcmp(lf_job_text_or(work->job, LF_JOB_STATUS, there), there)
           || (claimed ? !strcmp(claimed, there) : lf_job_bool(work->job, LF_JOB_CLAIMING));
}

static enum lf_status still_ours(struct job_work *work, const cJSON *task, struct lf_error *err)
{
    const char *type = lf_json_text_or(task, "status.statusType", "");
    const char *name = lf_json_text_or(task, "status.displayName", type);
    int64_t other = 0;
    if (cJSON_IsObject(lf_json_at(task, "archiveRecord")))
        return job__end(work, LF_JOB_CANCELLED, "the workflow task has been archived");
    if (is_over(type))
        return job__end(work, LF_JOB_CANCELLED, "the workflow task is already %s", name);
    enum lf_status status = lf_journal_job_with_field(work->jobs->journal, work->job->kind,
                                                      LF_JOB_WORKFLOW_TASK, lf_json_text_or(task, "id", ""),
                                                      true, work->job->id, &other, err);
    if (status != LF_OK && status != LF_NOT_FOUND)
        return status;
    if (status == LF_OK && other < work->job->id)
        return job__end(work, LF_JOB_CANCELLED, "job %lld is already working on this workflow task",
                        (long long)other);
    if (!as_left(work, task))
        return job__end(work, LF_JOB_CANCELLED, "the workflow task has moved on to %s", name);
    return read_inputs(work, task, err);
}

static enum lf_status get_task(struct job_work *work, cJSON **task, struct lf_error *err)
{
    return lf_cloud_get(work->jobs->cloud, LF_CLOUD_WORKFLOW_TASK,
                        lf_job_text(work->job, LF_JOB_WORKFLOW_TASK), &work->call, task, err);
}

static enum lf_status check_task(struct job_work *work, struct lf_error *err)
{
    cJSON *task = NULL;
    enum lf_status status = get_task(work, &task, err);
    const char *display = lf_json_text(task, "displayId");
    if (display)
        status = lf_job_set_text(work->job, LF_JOB_DISPLAY, display, err);
    if (status == LF_OK)
        status = still_ours(work, task, err);
    if (status == LF_OK && work->follow == FOLLOW_NEXT)
        status = job__rematch(work, task, err);
    if (status == LF_OK && work->follow == FOLLOW_NEXT)
        status = lf_job_set_text(work->job, LF_JOB_STATUS, lf_json_text_or(task, "status.id", ""), err);
    cJSON_Delete(task);
    return status;
}

/* ---- claim and settle: statuses ---- */

/* Moves the workflow task to the status with this name or type, and calls `before` (may be NULL) with
 * its id just before. LF_OK also if it already has it. */
static enum lf_status move_to(struct job_work *work, const cJSON *task, const char *wanted,
                              enum lf_status (*before)(struct job_work *work, const char *status_id,
                                                       struct lf_error *err),
                              struct lf_error *err)
{
    cJSON *updated = NULL;
    char *status_id = NULL;
    enum lf_status status = lf_cloud_resolve_status(work->jobs->cloud, task, wanted, &work->call, &status_id,
                                                    err);
    if (status == LF_OK && before)
        status = before(work, status_id, err);
    if (status == LF_OK)
        status = lf_cloud_set_task_status(work->jobs->cloud, lf_json_text(task, "id"), status_id, &work->call,
                                          &updated, err);
    free(status_id);
    cJSON_Delete(updated);
    return status == LF_EXISTS ? LF_OK : status;
}

static bool as_found(const struct job_work *work, const cJSON *task)
{
    return !strcmp(lf_job_text_or(work->job, LF_JOB_STATUS, ""), lf_json_text_or(task, "status.id", ""));
}

/* Committed before the status is set in Benchling: if the task is in progress without it, somebody else was
 * faster. */
static enum lf_status note_claiming(struct job_work *work, const char *status_id, struct lf_error *err)
{
    enum lf_status status = lf_job_set_bool(work->job, LF_JOB_CLAIMING, true, err);
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_CLAIM_STATUS, status_id, err);
    return status == LF_OK ? job__save(work->jobs, work->job, "agent", NULL, err) : status;
}

static enum lf_status claim_it(struct job_work *work, const cJSON *task, struct lf_error *err)
{
    if (!lf_job_bool(work->job, LF_JOB_CLAIMING) && !as_found(work, task)
        && !is_over(lf_json_text_or(task, "status.statusType", "")))
        return job__end(work, LF_JOB_CANCELLED, "somebody else was faster: the workflow task is now %s",
                        lf_json_text_or(task, "status.displayName", "in another status"));
    enum lf_status status = still_ours(work, task, err);
    if (status != LF_OK || work->follow != FOLLOW_NEXT)
        return status;
    status = move_to(work, task, work->route->claim_status, note_claiming, err);
    if (status == LF_OK)
        status = lf_job_set_bool(work->job, LF_JOB_CLAIMED, true, err);
    if (status == LF_OK)
        job__note(work, "%s is %s",
                  lf_job_text_or(work->job, LF_JOB_DISPLAY, lf_job_text(work->job, LF_JOB_WORKFLOW_TASK)),
                  work->route->claim_status);
    return status;
}

/* The last look before the instrument acts, and the claim. Looks again at what is claimed already. */
static enum lf_status claim_task(struct job_work *work, struct lf_error *err)
{
    cJSON *task = NULL;
    enum lf_status status = get_task(work, &task, err);
    if (status == LF_OK)
        status = claim_it(work, task, err);
    cJSON_Delete(task);
    return job__cannot_look(status, err);
}

/* The task was never claimed, so nothing is set to failed in Benchling, and a retry starts from the
 * beginning.
 */
static enum lf_status end_unclaimed(struct job_work *work, enum lf_job_state end, const char *failed)
{
    job__end(work, end, "%s", failed);
    lf_job_clear(work->job, LF_JOB_FAILURE);
    lf_job_clear(work->job, LF_JOB_END);
    lf_job_clear(work->job, LF_JOB_CLAIMING);
    job__set_step(work->job, lf_job_kind_find(work->job->kind)->steps);
    return LF_OK;
}

/* The claim of a task that was done unchecked: from where it was found, no transition may lead to its end. */
static enum lf_status claim_late(struct job_work *work, cJSON **task, struct lf_error *err)
{
    if (!lf_job_bool(work->job, LF_JOB_CLAIMED) || !as_found(work, *task))
        return LF_OK;
    enum lf_status status = move_to(work, *task, work->route->claim_status, NULL, err);
    cJSON_Delete(*task);
    *task = NULL;
    return status == LF_OK ? get_task(work, task, err) : status;
}

static enum lf_status settle_task(struct job_work *work, struct lf_error *err)
{
    cJSON *task = NULL;
    const char *failed = lf_job_text(work->job, LF_JOB_FAILURE);
    enum lf_status status = get_task(work, &task, err);
    if (status == LF_OK)
        status = claim_late(work, &task, err);
    bool unclaimed = status == LF_OK && failed && !lf_job_bool(work->job, LF_JOB_CLAIMED)
                     && as_found(work, task);
    if (status == LF_OK && !unclaimed)
        status = move_to(work, task, failed ? work->route->failed_status : work->route->done_status, NULL,
                         err);
    cJSON_Delete(task);
    if (status != LF_OK)
        return status;
    if (!failed)
        return job__end(work, LF_JOB_DONE, "%s", lf_job_text_or(work->job, LF_JOB_SUMMARY, "done"));
    enum lf_job_state end = LF_JOB_FAILED;
    lf_job_state_parse(lf_job_text(work->job, LF_JOB_END), &end);
    return unclaimed ? end_unclaimed(work, end, failed) : job__end(work, end, "%s", failed);
}

/* ---- report: a workflow output with the captured values ---- */

/* Adds a captured value to the fields of a workflow output. Numbers are sent as the instrument wrote them:
 * "100.00" stays 100.00. */
static enum lf_status add_value(cJSON *fields, const char *field, const struct lf_capture *capture,
                                struct lf_error *err)
{
    const char *value = capture->value;
    bool number = capture->type == LF_CAPTURE_REAL || capture->type == LF_CAPTURE_INT;
    enum lf_status status = number ? job__is_number(value, &number, err) : LF_OK;
    if (status != LF_OK)
        return status;
    cJSON *object = cJSON_CreateObject();
    if (lf_json_set(fields, field, object)
        && lf_json_set(object, "value",
                       number                             ? cJSON_CreateRaw(value)
                       : capture->type == LF_CAPTURE_BOOL ? cJSON_CreateBool(!strcmp(value, "true"))
                                                          : cJSON_CreateString(value)))
        return LF_OK;
    return lf_fail_memory(err, "making a workflow output");
}

/* The output field for a captured value; NULL: none. */
static const char *output_field(const struct job_work *work, const char *capture)
{
    if (work->route->output_count == 0)
        return capture;
    for (size_t i = 0; i < work->route->output_count; i++)
        if (!strcmp(work->route->outputs[i].name, capture))
            return work->route->outputs[i].field;
    return NULL;
}

/* A value that the route names must be there: a task is not completed without it. */
static enum lf_status check_values(const struct job_work *work, struct lf_error *err)
{
    const struct lf_config_route *route = work->route;
    for (size_t i = 0; i < route->output_count; i++) {
        const cJSON *entry;
        struct lf_capture capture;
        bool there = false;
        cJSON_ArrayForEach (entry, lf_job_json(work->job, LF_JOB_CAPTURES))
            there = there
                    || (lf_captures_read(entry, &capture) && !strcmp(capture.name, route->outputs[i].name));
        if (!there)
            return lf_fail(
                err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                "the procedure \"%.60s\" was done, but gave no \"%.60s\" for the field \"%.60s\". If "
                "the field may stay empty, take it out of \"outputs\" of route \"%.60s\", restart "
                "labferryd and `labferry retry %lld`; or cancel, which sets the workflow task to %.40s",
                lf_job_text_or(work->job, LF_JOB_PROCEDURE, ""), route->outputs[i].name,
                route->outputs[i].field, route->name, (long long)work->job->id, route->failed_status);
    }
    return LF_OK;
}

/* Of a value captured several times, the last is reported. */
static enum lf_status output_fields(const struct job_work *work, cJSON **fields, struct lf_error *err)
{
    enum lf_status status = check_values(work, err);
    const cJSON *entry;
    struct lf_capture capture;
    *fields = cJSON_CreateObject();
    cJSON_ArrayForEach (entry, lf_job_json(work->job, LF_JOB_CAPTURES)) {
        const char *field = lf_captures_read(entry, &capture) ? output_field(work, capture.name) : NULL;
        if (status == LF_OK && field)
            status = add_value(*fields, field, &capture, err);
    }
    return *fields ? status : lf_fail_memory(err, "making a workflow output");
}

/* A number may come back as a number or a text. */
static bool same_value(const cJSON *sent, const cJSON *there)
{
    if (!cJSON_IsRaw(sent))
        return cJSON_Compare(sent, there, true);
    if (cJSON_IsString(there))
        return !strcmp(sent->valuestring, there->valuestring);
    cJSON number = {.type = cJSON_Number, .valuedouble = strtod(sent->valuestring, NULL)};
    return cJSON_Compare(&number, there, true);
}

static bool has_fields(const cJSON *output, const cJSON *fields)
{
    const cJSON *theirs = cJSON_GetObjectItemCaseSensitive(output, "fields"), *field;
    cJSON_ArrayForEach (field, fields) {
        const cJSON *there = cJSON_GetObjectItemCaseSensitive(theirs, field->string);
        if (!same_value(cJSON_GetObjectItemCaseSensitive(field, "value"),
                        cJSON_GetObjectItemCaseSensitive(there, "value")))
            return false;
    }
    return true;
}

/* *foreign: it existed before ours was created, or it belongs to another job. */
static enum lf_status is_foreign(const struct job_work *work, const char *id, bool *foreign,
                                 struct lf_error *err)
{
    const cJSON *known;
    int64_t other;
    *foreign = true;
    cJSON_ArrayForEach (known, lf_job_json(work->job, LF_JOB_OUTPUTS_BEFORE))
        if (cJSON_IsString(known) && !strcmp(known->valuestring, id))
            return LF_OK;
    enum lf_status status = lf_journal_job_with_field(work->jobs->journal, work->job->kind, LF_JOB_OUTPUT, id,
                                                      false, work->job->id, &other, err);
    *foreign = status == LF_OK;
    return status == LF_NOT_FOUND ? LF_OK : status;
}

/* After a lost answer: an output that has appeared since then with the same values is ours. One with other
 * values may be ours, as Benchling stored it, or a person's: a person decides, and a retry counts it as
 * foreign. */
static enum lf_status look_for_output(struct job_work *work, const char *task, const cJSON *fields,
                                      struct lf_error *err)
{
    cJSON *outputs = NULL, *before = lf_job_json(work->job, LF_JOB_OUTPUTS_BEFORE);
    enum lf_status status = lf_cloud_list_outputs(work->jobs->cloud, task, &work->call, &outputs, err);
    const cJSON *output;
    cJSON_ArrayForEach (output, outputs) {
        const char *id = lf_json_text(output, "id");
        bool foreign = true;
        enum lf_status looked = id ? is_foreign(work, id, &foreign, err) : LF_OK;
        if (looked == LF_OK && foreign)
            continue;
        if (looked != LF_OK || has_fields(output, fields)) {
            status = looked == LF_OK ? lf_job_set_text(work->job, LF_JOB_OUTPUT, id, err) : looked;
            break;
        }
        cJSON_AddItemToArray(before, cJSON_CreateString(id));
        status = lf_fail(err, LF_MISMATCH, LF_NEEDS_PERSON,
                         "the answer to creating the workflow output was lost, and %s appeared with other "
                         "values. If it is this job's output (%.200s), cancel; if not, `labferry retry %lld` "
                         "creates it",
                         id, lf_job_text_or(work->job, LF_JOB_SUMMARY, ""), (long long)work->job->id);
    }
    cJSON_Delete(outputs);
    return status;
}

/* Notes which outputs exist before ours is created: one that appears later may be ours. */
static enum lf_status note_outputs(struct job_work *work, const char *task, struct lf_error *err)
{
    cJSON *outputs = NULL, *before = cJSON_CreateArray();
    const cJSON *output;
    enum lf_status status = lf_job_set_json(work->job, LF_JOB_OUTPUTS_BEFORE, before, err);
    if (status == LF_OK)
        status = lf_cloud_list_outputs(work->jobs->cloud, task, &work->call, &outputs, err);
    cJSON_ArrayForEach (output, outputs) {
        const char *id = lf_json_text(output, "id");
        if (id && !cJSON_AddItemToArray(before, cJSON_CreateString(id)))
            status = lf_fail_memory(err, "noting workflow outputs");
    }
    cJSON_Delete(outputs);
    if (status == LF_OK)
        return job__save(work->jobs, work->job, "agent", NULL, err);
    lf_job_clear(work->job, LF_JOB_OUTPUTS_BEFORE);
    return status;
}

static enum lf_status report_task(struct job_work *work, struct lf_error *err)
{
    const char *task = lf_job_text(work->job, LF_JOB_WORKFLOW_TASK);
    cJSON *fields = NULL, *output = NULL;
    if (lf_job_text(work->job, LF_JOB_OUTPUT))
        return LF_OK;
    if (work->route->report == LF_REPORT_FILE)
        return job__values_to_result(work, err);
    enum lf_status status = output_fields(work, &fields, err);
    if (status == LF_OK && !fields->child) {
        job__note(work, "the procedure has no values to report");
        cJSON_Delete(fields);
        return LF_OK;
    }
    if (status == LF_OK)
        status = lf_job_json(work->job, LF_JOB_OUTPUTS_BEFORE) ? look_for_output(work, task, fields, err)
                                                               : note_outputs(work, task, err);
    if (status == LF_OK && !lf_job_text(work->job, LF_JOB_OUTPUT)) {
        status = lf_cloud_create_output(work->jobs->cloud, task, fields, &work->call, &output, err);
        if (status == LF_OK)
            status = lf_job_set_text(work->job, LF_JOB_OUTPUT, lf_json_text(output, "id"), err);
    }
    if (status == LF_OK)
        job__note(work, "workflow output %s: %s", lf_job_text(work->job, LF_JOB_OUTPUT),
                  lf_job_text_or(work->job, LF_JOB_SUMMARY, ""));
    cJSON_Delete(output);
    cJSON_Delete(fields);
    return status;
}

/* ---- the kind ---- */

/* What has been done for a task is ours, even if Benchling could not be asked (`retry --unchecked`). */
static enum lf_status count_as_claimed(struct lf_job *job, struct lf_error *err)
{
    enum lf_status status = lf_job_set_bool(job, LF_JOB_CLAIMING, true, err);
    return status == LF_OK ? lf_job_set_bool(job, LF_JOB_CLAIMED, true, err) : status;
}

static enum lf_status task_ran(struct job_work *work, const struct lf_outcome *outcome, struct lf_error *err)
{
    enum lf_status status = job__procedure_ran(work, outcome, err);
    return status == LF_OK ? count_as_claimed(work->job, err) : status;
}

/* A claimed workflow task must not stay in progress: settle sets it to failed before the job ends. */
static enum lf_status on_bad_end(struct lf_job *job, enum lf_job_state end, const char *why,
                                 const char **step, struct lf_error *err)
{
    bool may_have_run = job->acting || job->class == LF_UNKNOWN_OUTCOME;
    if ((!lf_job_bool(job, LF_JOB_CLAIMING) && !may_have_run) || lf_job_text(job, LF_JOB_FAILURE))
        return LF_OK;
    enum lf_status status = may_have_run ? count_as_claimed(job, err) : LF_OK;
    if (status == LF_OK)
        status = lf_job_set_text(job, LF_JOB_END, lf_job_state_name(end), err);
    if (status == LF_OK)
        status = lf_job_set_text(job, LF_JOB_FAILURE, why, err);
    if (status != LF_OK)
        return status;
    job->expires_mono = 0;
    *step = "settle";
    return LF_OK;
}

/* clang-format off */
static const struct job_step steps[] = {
    {.name = "check",  .run = check_task,  .needs_route = true, .needs = {LF_JOB_WORKFLOW_TASK}, .turn = LF_TURN_COMES},
    {.name = "turn", .bench = true, .run = job__take_turn, .turn = LF_TURN_WANTED},
    {.name = "claim",  .run = claim_task,  .needs_route = true, .needs = {LF_JOB_WORKFLOW_TASK}, .turn = LF_TURN_TAKEN, .looks = true, .checks_first = true},
    {.name = "run", .bench = true, .turn = LF_TURN_TAKEN, .action = job__procedure_action, .acted = task_ran, .needs = {LF_JOB_PROCEDURE}},
    {.name = "report", .run = report_task, .needs_route = true, .needs = {LF_JOB_WORKFLOW_TASK}, .checks_first = true, .hold_on_permanent = true},
    {.name = "settle", .run = settle_task, .needs_route = true, .needs = {LF_JOB_WORKFLOW_TASK}, .checks_first = true, .hold_on_permanent = true},
    {0},
};
/* clang-format on */

static const char *const settings[] =
    {"procedure", "inputs",    "outputs", "only_agent", "claim_status", "done_status", "failed_status",
     "report",    "run_field", "start",   NULL};

/* The type of a status is the same for all agents, and so is the schema that they all work on. */
static const char *const selectors[] = {"detail.workflowTask.fields", "detail.workflowTask.assignee",
                                        "detail.workflowTask.status.displayName",
                                        "detail.workflowTask.status.id", NULL};

const struct lf_job_kind job__kind_task = {
    .config = {.name = "task",
               .resource = "workflowTask",
               .ability = LF_CAN_RUN,
               .claims = true,
               .selectors = selectors,
               .settings = settings},
    .takes = {{LF_JOB_WORKFLOW_TASK, "id"}, {LF_JOB_DISPLAY, "displayId"}, {LF_JOB_STATUS, "status.id"}},
    .detail = LF_JOB_PROCEDURE,
    .in_order = true,
    .steps = steps,
    .on_bad_end = on_bad_end,
};

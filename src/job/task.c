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

enum { INPUTS_MAX = 64 };

static bool local(const struct work *work)
{
    return job__fact(work, "workflow_task") == NULL;
}

static enum lf_status need_route(const struct work *work, struct lf_error *err)
{
    if (work->route)
        return LF_OK;
    return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                   "the route \"%s\" is not in the configuration any more. Put it back and `labferry retry "
                   "%lld`, or cancel",
                   work->job->route ? work->job->route : "", (long long)work->job->id);
}

static bool reports_file(const struct work *work)
{
    return work->route && work->route->report == LF_REPORT_FILE;
}

/* ---- check: is it still ours to do? ---- */

/* Field values are texts, numbers, truths or objects; procedures take texts. *text is owned. LF_NOT_FOUND: no
 * value. */
static enum lf_status field_text(const cJSON *task, const char *field, char **text, struct lf_error *err)
{
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(task, "fields"),
                                                          field);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, "value");
    bool plain = cJSON_IsNumber(value) || cJSON_IsBool(value);
    const char *shown = cJSON_IsString(value) ? value->valuestring : lf_json_text(entry, "textValue");
    *text = plain ? lf_json_print(value) : shown ? strdup(shown) : NULL;
    if (*text)
        return LF_OK;
    return plain || shown ? lf_fail_memory(err, "reading a workflow task") : LF_NOT_FOUND;
}

static enum lf_status read_inputs(struct work *work, const cJSON *task, struct lf_error *err)
{
    cJSON *inputs = cJSON_CreateObject();
    if (!inputs || !lf_json_set(work->job->facts, "inputs", inputs))
        return lf_fail_memory(err, "reading a workflow task");
    for (size_t i = 0; i < work->route->input_count; i++) {
        const struct lf_config_map *map = &work->route->inputs[i];
        char *text;
        enum lf_status status = field_text(task, map->field, &text, err);
        if (status == LF_NOT_FOUND)
            return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                           "workflow task %s has no value in the field \"%s\", which the input \"%s\" needs. "
                           "Fill it in and "
                           "`labferry retry %lld`, or cancel",
                           job__fact(work, "display") ? job__fact(work, "display") : "", map->field,
                           map->name, (long long)work->job->id);
        if (status == LF_OK && !lf_json_set_text(inputs, map->name, text))
            status = lf_fail_memory(err, "reading a workflow task");
        free(text);
        if (status != LF_OK)
            return status;
    }
    if (!reports_file(work))
        return LF_OK;
    char *run;
    enum lf_status status = field_text(task, work->route->run_field, &run, err);
    if (status == LF_OK)
        status = job__fact_set(work, "run", run, err);
    else if (status == LF_NOT_FOUND)
        lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                "workflow task %s names no run in the field \"%s\" (run_field). Fill it in and `labferry "
                "retry %lld`, or cancel",
                job__fact(work, "display") ? job__fact(work, "display") : "", work->route->run_field,
                (long long)work->job->id);
    free(run);
    return status;
}

static bool over(const char *type)
{
    return !strcmp(type, "COMPLETED") || !strcmp(type, "FAILED") || !strcmp(type, "CANCELLED")
           || !strcmp(type, "INVALID");
}

static enum lf_status still_ours(struct work *work, const cJSON *task, struct lf_error *err)
{
    const char *status_id = lf_json_text_or(task, "status.id", ""), *told = job__fact(work, "status");
    const char *type = lf_json_text_or(task, "status.statusType", ""),
               *name = lf_json_text_or(task, "status.displayName", type);
    int64_t other = 0;
    if (cJSON_IsObject(lf_json_at(task, "archiveRecord")))
        return job__end(work, LF_JOB_CANCELLED, "the workflow task has been archived");
    if (over(type))
        return job__end(work, LF_JOB_CANCELLED, "the workflow task is %s already", name);
    enum lf_status status = lf_journal_job_with_fact(work->jobs->journal, "task", "workflow_task",
                                                     lf_json_text_or(task, "id", ""), true, work->job->id,
                                                     &other, err);
    if (status != LF_OK && status != LF_NOT_FOUND)
        return status;
    if (status == LF_OK && other < work->job->id)
        return job__end(work, LF_JOB_CANCELLED, "job %lld is at this workflow task", (long long)other);
    if (told && strcmp(told, status_id) != 0)
        return job__end(work, LF_JOB_CANCELLED, "the workflow task has moved on to %s", name);
    status = job__fact_set(work, "status", status_id, err);
    return status == LF_OK ? read_inputs(work, task, err) : status;
}

static enum lf_status get_task(struct work *work, cJSON **task, struct lf_error *err)
{
    const char *id;
    enum lf_status status = need_route(work, err);
    if (status == LF_OK)
        status = job__fact_need(work, "workflow_task", &id, err);
    return status == LF_OK ? lf_cloud_get_workflow_task(work->jobs->cloud, id, &work->call, task, err)
                           : status;
}

static enum lf_status check(struct work *work, struct lf_error *err)
{
    cJSON *task = NULL;
    enum lf_status status = get_task(work, &task, err);
    if (status == LF_OK)
        status = job__fact_set(work, "display",
                               lf_json_text_or(task, "displayId", job__fact(work, "display")), err);
    if (status == LF_OK)
        status = still_ours(work, task, err);
    cJSON_Delete(task);
    return status;
}

/* ---- claim and settle: statuses ---- */

/* Brings a workflow task to the status that is called so. LF_EXISTS: it is there already. */
static enum lf_status move_to(struct work *work, const cJSON *task, const char *wanted, struct lf_error *err)
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

static bool as_found(const struct work *work, const cJSON *task)
{
    const char *found = job__fact(work, "status");
    return found && !strcmp(found, lf_json_text_or(task, "status.id", ""));
}

static enum lf_status note_claiming(struct work *work, struct lf_error *err)
{
    if (!lf_json_set_bool(work->job->facts, "claiming", true))
        return lf_fail_memory(err, "noting a fact");
    return job__save(work->jobs, work->job, "agent", NULL, err);
}

/* "claiming" is committed before Benchling is asked: if the task is in progress without it, somebody else was
 * faster. */
static enum lf_status claim(struct work *work, struct lf_error *err)
{
    cJSON *task = NULL;
    enum lf_status status = get_task(work, &task, err);
    bool ours = lf_json_bool(work->job->facts, "claiming", false);
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
    if (status == LF_OK && !lf_json_set_bool(work->job->facts, "claimed", true))
        status = lf_fail_memory(err, "noting a fact");
    if (status == LF_OK)
        job__note(work, "%s is %s",
                  job__fact(work, "display") ? job__fact(work, "display") : job__fact(work, "workflow_task"),
                  work->route->claim_status);
    cJSON_Delete(task);
    return status;
}

/* It ends badly, and Benchling has been told nothing: a retry begins from the start. */
static enum lf_status end_untold(struct work *work, enum lf_job_state end, const char *failed)
{
    job__end(work, end, "%s", failed);
    cJSON_DeleteItemFromObjectCaseSensitive(work->job->facts, "failed");
    cJSON_DeleteItemFromObjectCaseSensitive(work->job->facts, "end");
    cJSON_DeleteItemFromObjectCaseSensitive(work->job->facts, "claiming");
    job__set_step(work->job, job__step_find(&job__kind_task, "check"));
    return LF_OK;
}

static enum lf_status settle(struct work *work, struct lf_error *err)
{
    if (local(work))
        return job__end(work, LF_JOB_DONE, "%s", lf_json_text_or(work->job->facts, "summary", "done"));
    cJSON *task = NULL;
    const char *failed = job__fact(work, "failed");
    enum lf_status status = get_task(work, &task, err);
    /* Asked to claim it, but it never came to that: then there is nothing to take back. */
    bool untouched = status == LF_OK && failed && !lf_json_bool(work->job->facts, "claimed", false)
                     && as_found(work, task);
    if (status == LF_OK && !untouched)
        status = move_to(work, task, failed ? work->route->failed_status : work->route->done_status, err);
    cJSON_Delete(task);
    if (status != LF_OK && status != LF_EXISTS)
        return status;
    if (!failed)
        return job__end(work, LF_JOB_DONE, "%s", lf_json_text_or(work->job->facts, "summary", "done"));
    enum lf_job_state end = LF_JOB_FAILED;
    lf_job_state_parse(job__fact(work, "end"), &end);
    if (untouched)
        return end_untold(work, end, failed);
    return job__end(work, end, "%s", failed);
}

/* A claimed workflow task must not be left in progress: tell Benchling before the job ends badly. */
static const char *last_words(struct lf_job *job, enum lf_job_state end, const char *why, bool *no_memory)
{
    if (!lf_json_bool(job->facts, "claiming", false) || lf_json_text(job->facts, "failed"))
        return NULL;
    *no_memory = !lf_json_set_text(job->facts, "end", lf_job_state_name(end))
                 || !lf_json_set_text(job->facts, "failed", why);
    if (*no_memory)
        return NULL;
    job->expires_mono = 0;
    return "settle";
}

/* ---- run ---- */

static _Thread_local struct lf_input inputs[INPUTS_MAX];

static enum lf_status run_action(struct work *work, struct lf_action *action, struct lf_error *err)
{
    enum lf_status status = job__fact_need(work, "procedure", &action->name, err);
    action->kind = LF_ACTION_RUN;
    action->inputs = inputs;
    const cJSON *input;
    cJSON_ArrayForEach (input, cJSON_GetObjectItemCaseSensitive(work->job->facts, "inputs")) {
        if (status == LF_OK && action->input_count == INPUTS_MAX)
            status = lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "more than %d inputs", INPUTS_MAX);
        if (status == LF_OK && cJSON_IsString(input))
            inputs[action->input_count++] = (struct lf_input){input->string, input->valuestring};
    }
    return status;
}

static enum lf_status ran(struct work *work, const struct lf_outcome *outcome, struct lf_error *err)
{
    cJSON *captures = cJSON_CreateArray();
    char summary[300] = "";
    bool good = captures && lf_json_set(work->job->facts, "captures", captures);
    for (size_t i = 0; good && i < outcome->count; i++) {
        const struct lf_capture *capture = &outcome->captures[i];
        cJSON *entry = cJSON_CreateObject();
        good = entry && cJSON_AddItemToArray(captures, entry)
               && lf_json_set_text(entry, "name", capture->name)
               && lf_json_set_text(entry, "value", capture->value)
               && lf_json_set_text(entry, "type", lf_capture_type_name(capture->type));
        size_t used = strlen(summary);
        snprintf(summary + used, sizeof summary - used, "%s%.60s %.60s", used ? ", " : "", capture->name,
                 capture->value);
    }
    if (!good || !lf_json_set_text(work->job->facts, "summary", *summary ? summary : "done"))
        return lf_fail_memory(err, "keeping what the instrument said");
    if (!*work->note)
        job__note(work, "%s", *summary ? summary : "done");
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
static const char *output_field(const struct work *work, const char *capture)
{
    if (work->route->output_count == 0)
        return capture;
    for (size_t i = 0; i < work->route->output_count; i++)
        if (!strcmp(work->route->outputs[i].name, capture))
            return work->route->outputs[i].field;
    return NULL;
}

/* A value captured several times reports its last. */
static enum lf_status output_fields(const struct work *work, cJSON **fields, struct lf_error *err)
{
    *fields = cJSON_CreateObject();
    const cJSON *capture;
    cJSON_ArrayForEach (capture, cJSON_GetObjectItemCaseSensitive(work->job->facts, "captures")) {
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
static enum lf_status not_ours(const struct work *work, const char *id, bool * not, struct lf_error *err)
{
    int64_t other;
    *not = listed(cJSON_GetObjectItemCaseSensitive(work->job->facts, "outputs_before"), id);
    if (*not )
        return LF_OK;
    enum lf_status status = lf_journal_job_with_fact(work->jobs->journal, "task", "output", id, false,
                                                     work->job->id, &other, err);
    *not = status == LF_OK;
    return status == LF_NOT_FOUND ? LF_OK : status;
}

/* After an answer that was lost: an output that came since and says the same is ours. One that came since and
 * says something else may be ours, as Benchling keeps it, or a person's: that is for a person to tell; a
 * retry then counts it as not ours. */
static enum lf_status look_for_output(struct work *work, const char *task, const cJSON *fields,
                                      struct lf_error *err)
{
    cJSON *outputs = NULL, *before = cJSON_GetObjectItemCaseSensitive(work->job->facts, "outputs_before");
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
            status = looked == LF_OK ? job__fact_set(work, "output", id, err) : looked;
            break;
        }
        cJSON_AddItemToArray(before, cJSON_CreateString(id));
        status = lf_fail(err, LF_MISMATCH, LF_NEEDS_PERSON,
                         "while the workflow output was being created, the answer was lost, and %s appeared "
                         "with other values. If it "
                         "is not this one (%.200s), `labferry retry %lld` creates it; else cancel",
                         id, lf_json_text_or(work->job->facts, "summary", ""), (long long)work->job->id);
    }
    cJSON_Delete(outputs);
    return status;
}

/* Which outputs there are before ours is created: whatever comes later and is not listed may be ours. */
static enum lf_status note_outputs(struct work *work, const char *task, struct lf_error *err)
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
    else if (!lf_json_set(work->job->facts, "outputs_before", before))
        status = lf_fail_memory(err, "noting workflow outputs");
    return status == LF_OK ? job__save(work->jobs, work->job, "agent", NULL, err) : status;
}

static enum lf_status create_output(struct work *work, const char *task, const cJSON *fields,
                                    struct lf_error *err)
{
    cJSON *output = NULL;
    enum lf_status status = lf_cloud_create_output(work->jobs->cloud, task, fields, &work->call, &output,
                                                   err);
    if (status == LF_OK)
        status = job__fact_set(work, "output", lf_json_text(output, "id"), err);
    cJSON_Delete(output);
    return status;
}

static enum lf_status report(struct work *work, struct lf_error *err)
{
    if (local(work) || job__fact(work, "output"))
        return LF_OK;
    const char *task;
    cJSON *fields = NULL;
    enum lf_status status = need_route(work, err);
    if (status == LF_OK && reports_file(work))
        return job__values_to_result(work, err);
    if (status == LF_OK)
        status = job__fact_need(work, "workflow_task", &task, err);
    if (status == LF_OK)
        status = output_fields(work, &fields, err);
    if (status == LF_OK && cJSON_GetArraySize(fields) == 0) {
        job__note(work, "the procedure has no values to report");
        cJSON_Delete(fields);
        return LF_OK;
    }
    bool begun = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(work->job->facts, "outputs_before"));
    if (status == LF_OK)
        status = begun ? look_for_output(work, task, fields, err) : note_outputs(work, task, err);
    if (status == LF_OK && !job__fact(work, "output"))
        status = create_output(work, task, fields, err);
    if (status == LF_OK)
        job__note(work, "workflow output %s: %s", job__fact(work, "output"),
                  lf_json_text_or(work->job->facts, "summary", ""));
    cJSON_Delete(fields);
    return status;
}

static const struct step steps[] = {
    {.name = "check", .run = check},
    {.name = "claim", .looks = true, .run = claim},
    {.name = "run", .bench = true, .action = run_action, .acted = ran},
    {.name = "report", .looks = true, .keeps = true, .run = report},
    {.name = "settle", .looks = true, .keeps = true, .run = settle},
    {0},
};

const struct kind job__kind_task = {.name = "task", .steps = steps, .last_words = last_words};

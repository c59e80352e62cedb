/* procedure: an event or an operator (`labferry run`) wants a procedure to be run on an instrument.
 *
 * run -> report. The captured values stay in the job; nothing in Benchling changes. The kind `task` runs its
 * procedure with the same step.
 */
#include "job/captures.h"
#include "job/steps.h"

#include <stdio.h>
#include <string.h>

/* ---- run ---- */

static enum lf_status check_inputs(const struct job_work *work, struct lf_error *err)
{
    const cJSON *inputs = lf_job_json(work->job, LF_JOB_INPUTS);
    for (size_t i = 0; work->route && i < work->route->input_count; i++) {
        const struct lf_config_map *map = &work->route->inputs[i];
        if (!cJSON_GetObjectItemCaseSensitive(inputs, map->name))
            return lf_fail(
                err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                "the event has no value at \"%.100s\", which the input \"%.100s\" needs. Cancel the "
                "job and use `labferry run`, or correct the inputs of route \"%s\"",
                map->field, map->name, work->route->name);
    }
    return LF_OK;
}

enum lf_status job__procedure_action(struct job_work *work, struct lf_action *action, struct lf_error *err)
{
    const cJSON *input;
    action->kind = LF_ACTION_RUN;
    action->name = lf_job_text(work->job, LF_JOB_PROCEDURE);
    action->inputs = work->inputs;
    cJSON_ArrayForEach (input, lf_job_json(work->job, LF_JOB_INPUTS)) {
        if (action->input_count == INPUTS_MAX)
            return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "a procedure takes at most %d inputs",
                           INPUTS_MAX);
        if (cJSON_IsString(input))
            work->inputs[action->input_count++] = (struct lf_input){input->string, input->valuestring};
    }
    return check_inputs(work, err);
}

enum lf_status job__procedure_ran(struct job_work *work, const struct lf_outcome *outcome,
                                  struct lf_error *err)
{
    char summary[300] = "";
    enum lf_status status = lf_job_set_json(work->job, LF_JOB_CAPTURES, lf_captures_list(outcome), err);
    for (size_t i = 0; i < outcome->count; i++) {
        const struct lf_capture *capture = &outcome->captures[i];
        size_t used = strlen(summary);
        snprintf(summary + used, sizeof summary - used, "%s%.60s %.60s", used ? ", " : "", capture->name,
                 capture->value);
    }
    if (status == LF_OK)
        status = lf_job_set_text(work->job, LF_JOB_SUMMARY, *summary ? summary : "done", err);
    if (!*work->note)
        job__note(work, "%s", *summary ? summary : "done");
    return status;
}

/* ---- report: the job's last report has the values ---- */

static enum lf_status report_values(struct job_work *work, struct lf_error *err)
{
    (void)err;
    return job__end(work, LF_JOB_DONE, "%s", lf_job_text_or(work->job, LF_JOB_SUMMARY, "done"));
}

static const struct job_step steps[] = {
    {.name = "run",
     .bench = true,
     .turn = LF_TURN_WANTED,
     .action = job__procedure_action,
     .acted = job__procedure_ran,
     .needs = {LF_JOB_PROCEDURE}},
    {.name = "report", .run = report_values},
    {0},
};

static const char *const settings[] = {"procedure", "inputs", NULL};

const struct lf_job_kind job__kind_procedure = {
    .config = {.name = "procedure", .ability = LF_CAN_RUN, .settings = settings},
    .in_order = true,
    .event_inputs = true,
    .detail = LF_JOB_PROCEDURE,
    .steps = steps,
};

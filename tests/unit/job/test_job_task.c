/* Workflow tasks: claimed once, measured once, reported once, and never left in progress. */
#include "job_case.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct job_case c;

static void begin(void)
{
    case_open(&c);
    c.device->says = "12.340";
    case_start(&c);
}

static const char *output(void)
{
    static char text[300];
    char *printed = lf_json_print(cJSON_GetArrayItem(fake_cloud.outputs, 0));
    snprintf(text, sizeof text, "%s", printed ? printed : "");
    free(printed);
    return text;
}

enum then { LEFT_ALONE, RETRIED, CANCELLED };

/* Measured once and reported once. */
#define REPORTED                                                                                             \
    {                                                                                                        \
        LF_JOB_DONE, "weight 12.340", "st_COMPLETED", .acts = 1, .outputs = 1                                \
    }

static const struct {
    struct unit_row row;
    /* Set up: how the cloud and the action fail, the status of the workflow task, a status that no
     * transition leads to. */
    struct case_failure fails;
    enum lf_class act_fails;
    const char *status, *no_transition;
    /* What happens: the job becomes this first, and then a person does that. */
    struct {
        enum lf_job_state state;
        const char *says, *task_status;
    } first;
    enum then then;
    /* Expected. */
    struct {
        enum lf_job_state state;
        const char *says, *task_status;
        int acts, outputs;
    } end;
} ways[] = {
    {{"a task is claimed, measured, reported and completed"}, .end = REPORTED},
    {{"a task that has moved on is left alone"},
     .status = "st_COMPLETED",
     .end = {LF_JOB_CANCELLED, "already COMPLETED", "st_COMPLETED"}},
    {{"if the answer to the claim is lost, the task is still the agent's"},
     .fails = {"set_task_status", true, LF_TRANSIENT},
     .end = REPORTED},
    {{"if the answer to the report is lost, no second output is created"},
     .fails = {"create_output", true, LF_UNKNOWN_OUTCOME},
     .first = {LF_JOB_WAITING, "the cloud says no", "st_IN_PROGRESS"},
     .then = RETRIED,
     .end = REPORTED},
    {{"a measured value is kept until Benchling takes it, and not measured again"},
     .fails = {"create_output", false, LF_PERMANENT},
     .first = {LF_JOB_HELD, "the cloud says no", "st_IN_PROGRESS"},
     .then = RETRIED,
     .end = REPORTED},
    {{"a status that no transition leads to holds the job, with its result"},
     .no_transition = "COMPLETED",
     .first = {LF_JOB_HELD, "does not lead", "st_IN_PROGRESS"},
     .then = RETRIED,
     .end = REPORTED},
    {{"a claimed task that an operator cancels is not left in progress"},
     .act_fails = LF_NEEDS_PERSON,
     .first = {LF_JOB_HELD, "the device says no", "st_IN_PROGRESS"},
     .then = CANCELLED,
     .end = {LF_JOB_CANCELLED, "pan is broken", "st_FAILED", .acts = 1}},
    {{"a task whose claim has an unknown outcome is not left in progress"},
     .fails = {"set_task_status", true, LF_NEEDS_PERSON},
     .first = {LF_JOB_HELD, "the cloud says no", "st_IN_PROGRESS"},
     .then = CANCELLED,
     .end = {LF_JOB_CANCELLED, "pan is broken", "st_FAILED"}},
    {{"a task that was never claimed keeps its status"},
     .fails = {"set_task_status", false, LF_NEEDS_PERSON},
     .first = {LF_JOB_HELD, "the cloud says no", "st_TODO"},
     .then = CANCELLED,
     .end = {LF_JOB_CANCELLED, "pan is broken", "st_TODO"}},
    {{"a task whose action fails is set to failed in Benchling"},
     .act_fails = LF_PERMANENT,
     .end = {LF_JOB_FAILED, "the device says no", "st_FAILED", .acts = 1}},
};

static void tasks(void)
{
    const typeof(*ways) *row = unit_row();
    begin();
    case_cloud_fails(&row->fails);
    if (row->status)
        fake_cloud.task_status = row->status;
    fake_cloud.refused_transition = row->no_transition;
    case_act_fails(&c, row->act_fails);
    int64_t id = case_task(&c, "weigh");
    if (row->first.says) {
        CHECK(case_says(&c, id, row->first.state, row->first.says));
        CHECK_STR(fake_cloud.task_status, row->first.task_status);
    }
    fake_cloud.refused_transition = NULL;
    if (row->then == RETRIED)
        CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    if (row->then == CANCELLED)
        CHECK_INT(lf_jobs_cancel(c.jobs, id, "pan is broken", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_says(&c, id, row->end.state, row->end.says));
    CHECK_STR(fake_cloud.task_status, row->end.task_status);
    CHECK_INT(c.device->acts, row->end.acts);
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), row->end.outputs);
    CHECK_INT(fake_cloud.written, row->end.outputs);
    if (row->end.outputs)
        CHECK_HAS(output(), "\"Mass\":{\"value\":12.34");
    /* Benchling knows of the failure, so a retry here would not change the task there. */
    if (!strcmp(row->end.task_status, "st_FAILED")) {
        struct lf_job job = core_job(c.journal, id);
        CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_REFUSED);
        CHECK_HAS(lf_job_help(&job), row->end.state == LF_JOB_FAILED ? "set the workflow task back" : "");
        lf_job_free(&job);
    }
    case_close(&c);
}

/* Another agent, or a person: the task is in progress before it is claimed here. */
static void somebody_was_faster(void)
{
    case_open(&c);
    int64_t id = case_task(&c, "weigh");
    struct lf_job job = core_job(c.journal, id);
    snprintf(job.step, sizeof job.step, "%s", "claim");
    case_save(&c, &job);
    fake_cloud.task_status = "st_IN_PROGRESS";
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_HAS(case_note(&c, id), "somebody else");
    CHECK_INT(c.device->acts, 0);
    CHECK_STR(fake_cloud.task_status, "st_IN_PROGRESS");
    case_close(&c);
}

/* The answer is lost, and the output that is there has other values (rounded by the cloud, or a person's). */
static void report_answer_lost_and_changed(void)
{
    begin();
    case_cloud_fails(&(struct case_failure){"create_output", true, LF_UNKNOWN_OUTCOME});
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    pthread_mutex_lock(&fake_cloud.mutex);
    cJSON *made = cJSON_GetArrayItem(fake_cloud.outputs, 0);
    lf_json_set(made, "fields", cJSON_Parse("{\"weight\":{\"value\":99}}"));
    pthread_mutex_unlock(&fake_cloud.mutex);
    lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "out_1");
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 1);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK); /* a person says: it is not this one */
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 2);
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* ---- outputs that are not this job's ---- */

static void add_output(void)
{
    pthread_mutex_lock(&fake_cloud.mutex);
    cJSON_AddItemToArray(fake_cloud.outputs,
                         cJSON_Parse("{\"id\":\"out_other\",\"fields\":{\"Mass\":{\"value\":12.34}}}"));
    pthread_mutex_unlock(&fake_cloud.mutex);
}

/* Another job of this agent created it meanwhile. */
static void add_output_of_another_job(void)
{
    struct lf_job job = {.kind = (char *)"task",
                         .instrument = (char *)"robot",
                         .key = (char *)"task|2",
                         .step = "settle",
                         .state = LF_JOB_DONE,
                         .fields = cJSON_Parse("{\"workflow_task\":\"wft_1\",\"output\":\"out_other\"}")};
    NEED(lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    add_output();
}

static const struct {
    struct unit_row row;
    void (*before)(void);    /* the report */
    void (*meanwhile)(void); /* after its request, before the look for what came of it */
} foreign[] = {
    {{"an output that was there before the report is not taken for it, even with the same values"},
     .before = add_output},
    {{"an output of another job is not taken for this one's, even with the same values"},
     .meanwhile = add_output_of_another_job},
};

/* The request to create the output is lost. */
static void outputs_of_others(void)
{
    const typeof(*foreign) *row = unit_row();
    begin();
    if (row->before)
        row->before();
    case_cloud_fails(&(struct case_failure){"create_output", false, LF_UNKNOWN_OUTCOME});
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    if (row->meanwhile)
        row->meanwhile();
    lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR); /* refused if it looks on its own right now */
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "output"), "out_1");
    CHECK_INT(fake_cloud.written, 1);
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void expired_in_progress(void)
{
    begin();
    case_act_fails(&c, LF_TRANSIENT);
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    CHECK_STR(fake_cloud.task_status, "st_IN_PROGRESS");
    UNIT_TIME_PASSES(3600000);
    CHECK(case_becomes(&c, id, LF_JOB_EXPIRED));
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_REFUSED);
    case_close(&c);
}

static void confirmed_with_values(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    case_act_fails(&c, LF_UNKNOWN_OUTCOME);
    case_start(&c);
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    cJSON *values = cJSON_Parse("{\"weight\":\"7.5\"}");
    CHECK_INT(lf_jobs_confirm(c.jobs, id, values, "maria", UNIT_ERROR), LF_OK);
    cJSON_Delete(values);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_HAS(output(), "\"Mass\":{\"value\":7.5");
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* Returns the job of another event of the same task. */
static int64_t second_task(void)
{
    struct lf_job job = {.kind = (char *)"task",
                         .route = (char *)"weigh",
                         .instrument = (char *)"robot",
                         .key = (char *)"task|2",
                         .step = "check",
                         .fields = cJSON_Parse("{\"workflow_task\":\"wft_1\",\"procedure\":\"weigh\"}")};
    NEED(lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    lf_jobs_kick(c.jobs);
    return job.id;
}

static void second_job_steps_back(void)
{
    begin();
    c.device->stuck = true;
    int64_t first = case_task(&c, "weigh");
    NEED(fake_reached(&c.device->acts, 1));
    int64_t second = second_task();
    CHECK(case_says(&c, second, LF_JOB_CANCELLED, "job 1 is already working"));
    c.device->stuck = false;
    CHECK(case_becomes(&c, first, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void task_set_back(void)
{
    begin();
    int64_t first = case_task(&c, "weigh");
    CHECK(case_becomes(&c, first, LF_JOB_DONE));
    fake_cloud.task_status = "st_TODO";
    CHECK(case_becomes(&c, second_task(), LF_JOB_DONE));
    CHECK_INT(c.device->acts, 2);
    case_close(&c);
}

static void operators_cancel(void)
{
    begin();
    c.device->stuck = true;
    int64_t id = case_task(&c, "weigh");
    NEED(fake_reached(&c.device->acts, 1));
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "stop", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    struct lf_error err = {0};
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "stop", "maria", &err), LF_REFUSED);
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "maria", &err), LF_REFUSED);
    case_close(&c);
}

static void cancelled_while_claimed(void)
{
    case_open(&c); /* and not started: the job stays at settle */
    int64_t id = case_task(&c, "weigh");
    struct lf_job job = core_job(c.journal, id);
    NEED(lf_job_set_bool(&job, LF_JOB_CLAIMING, true, UNIT_ERROR) == LF_OK);
    case_save(&c, &job);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "maria", UNIT_ERROR), LF_OK);
    job = core_job(c.journal, id);
    cJSON *report = lf_job_to_json(c.jobs, &job, false);
    CHECK_STR(lf_json_text(report, "step"), "settle");
    CHECK_STR(lf_json_text(report, "ending"), "cancelled");
    cJSON_Delete(report);
    lf_job_free(&job);
    case_close(&c);
}

static void note_concern(void *context, const struct lf_concern *concern)
{
    snprintf(context, LF_ERROR_TEXT, "%s: %s", concern->source, concern->text);
}

/* What Benchling has is not what the event said. */
static void not_as_the_event_said(void)
{
    char told[LF_ERROR_TEXT] = "";
    struct lf_event_row event = {.id = (char *)"evt_1",
                                 .fate = LF_FATE_UNROUTED,
                                 .body =
                                     (char *)"{\"id\":\"evt_1\",\"eventType\":\"v2.workflowTask.created\","
                                             "\"workflowTask\":{\"id\":\"wft_1\",\"status\":{\"id\":"
                                             "\"st_URGENT\"}}}"};
    struct lf_job job = {.kind = (char *)"task",
                         .route = (char *)"urgent",
                         .instrument = (char *)"robot",
                         .key = (char *)"task|forged",
                         .step = "check",
                         .event_id = event.id};
    event.body_len = strlen(event.body);
    case_config =
        "instruments = ( { name = \"robot\"; driver = \"fake\"; } );\n"
        "routes = ( { name = \"urgent\"; on = \"workflowTask.created\"; job = \"task\"; instrument = "
        "\"robot\";\n"
        " procedure = \"weigh\"; only_agent = true; where = { workflowTask = { status = { id = [ \"st_URGENT\" ]; }; }; }; } );\n";
    case_open(&c);
    case_config = NULL;
    NEED(lf_journal_event_add(c.journal, &event, UNIT_ERROR) == LF_OK);
    job.fields = cJSON_Parse("{\"workflow_task\":\"wft_1\",\"procedure\":\"weigh\"}");
    NEED(lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    case_start(&c);
    CHECK(case_says(&c, job.id, LF_JOB_CANCELLED, "does not match the route"));
    CHECK_INT(lf_journal_concern_list(c.journal, note_concern, told, UNIT_ERROR), LF_OK);
    CHECK_HAS(told, "job: job 1 was cancelled before it did anything");
    case_close(&c);
}

UNIT_TESTS("job, workflow tasks", UNIT_ROWS(ways, tasks), UNIT_ROWS(foreign, outputs_of_others),
           {"a job that settles its workflow task first reports how it will end", cancelled_while_claimed},
           {"a task that somebody else has claimed in the meantime is left alone", somebody_was_faster},
           {"if the answer to the report is lost and other values are there, a person decides",
            report_answer_lost_and_changed},
           {"a task that does not match its route in Benchling is left alone, with a concern",
            not_as_the_event_said},
           {"a claimed task that expires is not left in progress", expired_in_progress},
           {"an action with an unknown outcome continues with the values that a person gives",
            confirmed_with_values},
           {"two events of one task do not measure twice", second_job_steps_back},
           {"a task that a person sets back after it was done is done again", task_set_back},
           {"an operator's cancel stops a running action", operators_cancel}, )

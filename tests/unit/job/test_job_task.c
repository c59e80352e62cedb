/* Workflow tasks: claimed once, measured once, reported once, and never left in progress. */
#include "job_case.h"

#include "base/clock.h"

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

static void weighed(void)
{
    begin();
    int64_t id = case_task(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(fake_cloud.task_status, "st_COMPLETED");
    CHECK_INT(fake_cloud.written, 1);
    CHECK_HAS(output(), "\"Mass\":{\"value\":12.34");
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void moved_on(void)
{
    begin();
    fake_cloud.task_status = "st_COMPLETED";
    int64_t id = case_task(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(fake_cloud.patched, 0);
    case_close(&c);
}

/* Two agents, or a person: the task is in progress when we come to claim it, and it was not us. */
static void somebody_was_faster(void)
{
    case_open(&c);
    int64_t id = case_task(&c, "weigh");
    struct lf_job job = core_job(c.journal, id);
    snprintf(job.step, sizeof job.step, "%s", "claim");
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    fake_cloud.task_status = "st_IN_PROGRESS";
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_HAS(case_note(&c, id), "somebody else");
    CHECK_INT(c.device->acts, 0);
    CHECK_STR(fake_cloud.task_status, "st_IN_PROGRESS");
    case_close(&c);
}

static void claim_answer_lost(void)
{
    begin();
    fake_cloud_fail("set_task_status", 1, true, LF_TIMEOUT, LF_TRANSIENT);
    int64_t id = case_task(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_DONE)); /* in progress, and it was us */
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void report_answer_lost(void)
{
    begin();
    fake_cloud_fail("create_output", 1, true, LF_TIMEOUT, LF_UNKNOWN_OUTCOME);
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 1);
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* The answer is lost, and what is there afterwards says something else (rounded by the cloud, or a person's
 * own). */
static void report_answer_lost_and_changed(void)
{
    begin();
    fake_cloud_fail("create_output", 1, true, LF_TIMEOUT, LF_UNKNOWN_OUTCOME);
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

static void orphan_is_held(void)
{
    case_open(&c);
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)"gone",
                         .key = (char *)"k",
                         .step = "deliver",
                         .bench = true};
    NEED(lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    case_start(&c);
    CHECK(case_becomes(&c, job.id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, job.id), "gone is no longer in the configuration");
    case_close(&c);
}

static void failed_is_told(void)
{
    begin();
    c.device->act_status = LF_REFUSED;
    c.device->act_class = LF_PERMANENT;
    int64_t id = case_task(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_FAILED));
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    CHECK_HAS(case_note(&c, id), "the device says no");
    struct lf_error err = {0};
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", &err), LF_REFUSED); /* Benchling was told that it failed */
    struct lf_job job = core_job(c.journal, id);
    CHECK_HAS(lf_job_help(&job), "set the workflow task back");
    lf_job_free(&job);
    case_close(&c);
}

static void cancelled_is_told(void)
{
    begin();
    c.device->act_status = LF_IO;
    c.device->act_class = LF_NEEDS_PERSON;
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_STR(fake_cloud.task_status, "st_IN_PROGRESS");
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "pan is broken", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    CHECK_HAS(case_note(&c, id), "pan is broken");
    case_close(&c);
}

static bool task_is(const char *status)
{
    pthread_mutex_lock(&fake_cloud.mutex);
    bool is = !strcmp(fake_cloud.task_status, status);
    pthread_mutex_unlock(&fake_cloud.mutex);
    return is;
}

static void expired_is_told(void)
{
    case_open(&c);
    lf_instrument_pause(c.robot, "test");
    case_start(&c);
    int64_t id = case_task(&c, "weigh");
    for (int i = 0; i < 500 && !task_is("st_IN_PROGRESS"); i++)
        lf_sleep_until(lf_deadline_in(10), NULL);
    NEED(case_becomes(&c, id, LF_JOB_READY)); /* at run, on an instrument that is paused */
    struct lf_job job = core_job(c.journal, id);
    CHECK_STR(job.step, "run");
    job.expires_mono = lf_deadline_in(100);
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    lf_jobs_kick(c.jobs);
    CHECK(case_becomes(&c, id, LF_JOB_EXPIRED));
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    CHECK_INT(c.device->acts, 0);
    struct lf_error err = {0};
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", &err), LF_REFUSED);
    case_close(&c);
}

/* The claim was asked for but its answer is not known; then the operator cancels: the task must not stay in
 * progress. */
static void cancelled_while_claiming(void)
{
    begin();
    fake_cloud_fail("set_task_status", 1, true, LF_IO, LF_NEEDS_PERSON);
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_STR(fake_cloud.task_status, "st_IN_PROGRESS");
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "no", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    case_close(&c);
}

static void cancelled_before_the_claim(void)
{
    begin();
    fake_cloud_fail("set_task_status", 1, false, LF_IO, LF_NEEDS_PERSON);
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_STR(fake_cloud.task_status, "st_TODO");
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "no", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_STR(fake_cloud.task_status, "st_TODO"); /* it never was ours */
    case_close(&c);
}

static void measured_values_are_kept(void)
{
    begin();
    fake_cloud_fail("create_output", 1, false, LF_REFUSED, LF_PERMANENT);
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_HELD)); /* the field is wrong, the value is not lost */
    CHECK_STR(case_fact(&c, id, "summary"), "weight 12.340");
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 1);
    case_close(&c);
}

static void settle_refused(void)
{
    begin();
    fake_cloud.refused_transition = "COMPLETED";
    int64_t id = case_task(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "does not lead");
    fake_cloud.refused_transition = NULL;
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 1);
    case_close(&c);
}

static void confirmed_with_values(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->act_status = LF_TIMEOUT;
    c.device->act_class = LF_UNKNOWN_OUTCOME;
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

static void second_job_steps_back(void)
{
    begin();
    c.device->stuck = true;
    int64_t first = case_task(&c, "weigh");
    NEED(fake_reached(&c.device->acts, 1));
    struct lf_job job = {.kind = (char *)"task",
                         .route = (char *)"weigh",
                         .instrument = (char *)"robot",
                         .key = (char *)"task|2",
                         .step = "check",
                         .fields = cJSON_Parse("{\"workflow_task\":\"wft_1\",\"procedure\":\"weigh\"}")};
    NEED(lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK); /* another event of the same task */
    cJSON_Delete(job.fields);
    lf_jobs_kick(c.jobs);
    CHECK(case_becomes(&c, job.id, LF_JOB_CANCELLED));
    c.device->stuck = false;
    CHECK(case_becomes(&c, first, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
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

UNIT_TESTS(
    "job, workflow tasks",
    {"a task is claimed, measured, reported with the digits of the instrument, and completed", weighed},
    {"a task that has moved on is left alone", moved_on},
    {"a task that somebody else has taken meanwhile is left alone", somebody_was_faster},
    {"the answer to the claim is lost: it is ours all the same", claim_answer_lost},
    {"the answer to the report is lost: no second output", report_answer_lost},
    {"the answer to the report is lost and other values are there: a person decides",
     report_answer_lost_and_changed},
    {"a job whose instrument has left the configuration is held, not forgotten", orphan_is_held},
    {"a task that fails is told so, and not tried again here", failed_is_told},
    {"a claimed task that an operator cancels is not left in progress", cancelled_is_told},
    {"a claimed task that expires is not left in progress", expired_is_told},
    {"a task whose claim was in doubt is not left in progress", cancelled_while_claiming},
    {"a task that was never claimed is left as it was", cancelled_before_the_claim},
    {"a measured value is kept until Benchling takes it, and not measured again", measured_values_are_kept},
    {"a status that no transition leads to holds the job, with its result", settle_refused},
    {"an action of unknown outcome goes on with the values that a person gives", confirmed_with_values},
    {"two events of one task do not measure twice", second_job_steps_back},
    {"an operator's cancel stops what runs", operators_cancel}, )

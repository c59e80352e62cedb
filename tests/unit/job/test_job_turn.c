/* Whose turn it is at an instrument, and the look at the cloud right before it acts. */
#include "job_case.h"

#include "base/clock.h"
#include "journal/concern.h"

#include <stdio.h>
#include <string.h>

static struct job_case c;

static void begin(void)
{
    case_open(&c);
    case_start(&c);
}

/* ---- the look ---- */

static void fake_set(const char **what, const char *value)
{
    pthread_mutex_lock(&fake_cloud.mutex);
    *what = value;
    pthread_mutex_unlock(&fake_cloud.mutex);
}

static void superseded_while_paused(void)
{
    begin();
    lf_instrument_pause(c.robot, "test");
    int64_t old = case_deliver(&c, "file_1");
    NEED(case_reaches(&c, old, "turn"));
    fake_set(&fake_cloud.file, "file_2");
    lf_instrument_resume(c.robot);
    CHECK(case_says(&c, old, LF_JOB_CANCELLED, "file_2"));
    CHECK(case_becomes(&c, old + 1, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, old + 1, "file"), "file_2");
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void task_ended_while_paused(void)
{
    begin();
    lf_instrument_pause(c.robot, "test");
    int64_t id = case_task(&c, "weigh");
    NEED(case_reaches(&c, id, "turn"));
    CHECK_STR(fake_cloud.task_status, "st_TODO"); /* not claimed before its turn */
    fake_set(&fake_cloud.task_status, "st_FAILED");
    lf_instrument_resume(c.robot);
    CHECK(case_says(&c, id, LF_JOB_CANCELLED, "already FAILED"));
    CHECK_INT(c.device->acts, 0);
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    case_close(&c);
}

/* It was claimed, and the instrument could not do it yet. */
static void claimed_task_ended(void)
{
    begin();
    case_act_fails(&c, LF_TRANSIENT);
    int64_t id = case_task(&c, "weigh");
    NEED(case_says(&c, id, LF_JOB_WAITING, "the device says no"));
    CHECK_STR(fake_cloud.task_status, "st_IN_PROGRESS");
    fake_set(&fake_cloud.task_status, "st_COMPLETED");
    int acts = c.device->acts;
    case_act_fails(&c, LF_CLASS_NONE);
    case_minute_passes(&c);
    CHECK(case_says(&c, id, LF_JOB_CANCELLED, "COMPLETED"));
    CHECK_INT(c.device->acts, acts);
    CHECK_STR(fake_cloud.task_status, "st_COMPLETED");
    case_close(&c);
}

static void cloud_away(void)
{
    begin();
    lf_instrument_pause(c.robot, "test");
    int64_t id = case_deliver(&c, "file_1");
    NEED(case_reaches(&c, id, "turn"));
    fake_cloud_fail("get_generator", 1000, false, LF_TIMEOUT, LF_TRANSIENT);
    lf_instrument_resume(c.robot);
    CHECK(case_says(&c, id, LF_JOB_WAITING, "waits for Benchling"));
    case_minute_passes(&c);
    CHECK_INT(c.device->acts, 0);
}

static void waits_for_the_cloud(void)
{
    cloud_away();
    fake_cloud_fail(NULL, 0, false, LF_OK, LF_CLASS_NONE);
    case_minute_passes(&c);
    CHECK(case_becomes(&c, 1, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void unchecked(void)
{
    cloud_away();
    NEED(case_becomes(&c, 1, LF_JOB_WAITING)); /* it may be looking right now */
    CHECK_INT(lf_jobs_retry_unchecked(c.jobs, 1, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, 1, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK(core_history_has(c.journal, 1, "--unchecked"));
    case_close(&c);
}

/* What a person decided is for the action, not for an attempt to prepare it. */
static void unchecked_until_it_acts(void)
{
    cloud_away();
    c.device->repeat = LF_ONCE;
    c.device->prepare_fails = 1;
    NEED(case_becomes(&c, 1, LF_JOB_WAITING));
    CHECK_INT(lf_jobs_retry_unchecked(c.jobs, 1, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_says(&c, 1, LF_JOB_WAITING, "the share is slow"));
    case_minute_passes(&c);
    CHECK(case_becomes(&c, 1, LF_JOB_DONE)); /* the cloud is still away */
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* The answer tells how things were when it was asked for. */
static void slow_look(void)
{
    begin();
    lf_instrument_pause(c.robot, "test");
    int64_t id = case_deliver(&c, "file_1");
    NEED(case_reaches(&c, id, "turn"));
    pthread_mutex_lock(&fake_cloud.mutex);
    fake_cloud.slow_ms = 20000;
    pthread_mutex_unlock(&fake_cloud.mutex);
    lf_instrument_resume(c.robot);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK(core_history_has(c.journal, id, "too old"));
    CHECK_INT(fake_cloud_get(&fake_cloud.generators), 3); /* to resolve it, and two looks */
    case_close(&c);
}

static void unchecked_too_early(void)
{
    struct lf_error err = {0};
    begin();
    fake_cloud_fail("get_generator", 1000, false, LF_TIMEOUT, LF_TRANSIENT);
    int64_t id = case_deliver(&c, "file_1");
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    CHECK_INT(lf_jobs_retry_unchecked(c.jobs, id, "maria", &err), LF_REFUSED);
    CHECK_HAS(err.text, "is at resolve");
    case_close(&c);
}

/* ---- the order ---- */

static void first_holds_up_the_second(void)
{
    begin();
    case_act_fails(&c, LF_TRANSIENT);
    int64_t first = case_run(&c, "weigh");
    NEED(case_becomes(&c, first, LF_JOB_WAITING));
    int64_t second = case_run(&c, "weigh"), plate = case_deliver(&c, "file_1");
    NEED(case_becomes(&c, plate, LF_JOB_WAITING)); /* it has tried: deliveries pass */
    struct lf_job job = core_job(c.journal, second);
    CHECK_INT(job.state, LF_JOB_READY);
    CHECK_INT(job.attempt, 0);
    lf_job_free(&job);
    int64_t behind;
    enum lf_turn turn;
    CHECK_INT(lf_journal_job_behind(c.journal, second, &behind, &turn, UNIT_ERROR), LF_OK);
    CHECK_INT(behind, first);
    case_act_fails(&c, LF_CLASS_NONE);
    UNIT_TIME_PASSES(60000);
    CHECK(case_becomes(&c, first, LF_JOB_DONE));
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK(case_becomes(&c, plate, LF_JOB_DONE));
    case_close(&c);
}

static const struct {
    struct unit_row row;
    enum { CONFIRMED, RETRIED, CANCELLED } answer;
    int acts;
} answers[] = {
    {{"an unknown outcome stops the instrument until a person confirms"}, CONFIRMED, 2},
    {{"an unknown outcome stops the instrument until a person retries"}, RETRIED, 3},
    {{"an unknown outcome stops the instrument until a person cancels"}, CANCELLED, 2},
};

static void doubt_stops_the_instrument(void)
{
    const typeof(*answers) *row = unit_row();
    int64_t sent = 0;
    begin();
    c.device->repeat = LF_ONCE;
    case_act_fails(&c, LF_UNKNOWN_OUTCOME);
    int64_t first = case_run(&c, "weigh");
    NEED(case_becomes(&c, first, LF_JOB_HELD));
    case_act_fails(&c, LF_CLASS_NONE);
    NEED(case_send(&c, "robot", "plate.csv", &sent, UNIT_ERROR) == LF_OK);
    case_minute_passes(&c);
    int64_t result = case_result(&c, "R-run_1.csv", "whole", 1);
    CHECK(case_becomes(&c, result, LF_JOB_DONE)); /* results are still collected */
    CHECK_INT(c.device->acts, 1);
    CHECK_INT(lf_journal_job_in_doubt(c.journal, "robot"), first);
    if (row->answer == CONFIRMED)
        CHECK_INT(lf_jobs_confirm(c.jobs, first, NULL, "maria", UNIT_ERROR), LF_OK);
    if (row->answer == RETRIED)
        CHECK_INT(lf_jobs_retry(c.jobs, first, "maria", UNIT_ERROR), LF_OK);
    if (row->answer == CANCELLED)
        CHECK_INT(lf_jobs_cancel(c.jobs, first, "", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, sent, LF_JOB_DONE));
    CHECK(case_becomes(&c, first, row->answer == CANCELLED ? LF_JOB_CANCELLED : LF_JOB_DONE));
    CHECK_INT(c.device->acts, row->acts);
    CHECK_INT(lf_journal_job_in_doubt(c.journal, "robot"), 0);
    case_close(&c);
}

/* ---- the sample ---- */

/* One task is done: its sample lies on the instrument. */
static int64_t second_task(void)
{
    case_open(&c);
    c.device->signs = true;
    c.device->says = "12.340";
    c.device->unchanged = true;
    case_start(&c);
    NEED(case_becomes(&c, case_task(&c, "weigh"), LF_JOB_DONE)); /* the first of all needs no sign */
    fake_set(&fake_cloud.task_status, "st_TODO");
    int64_t id = case_task(&c, "weigh");
    CHECK(case_says(&c, id, LF_JOB_WAITING, "put the sample of T-1 (sample S-1) on robot"));
    CHECK_HAS(case_note(&c, id), "labferry start 2");
    case_minute_passes(&c);
    CHECK_INT(c.device->acts, 1);
    CHECK_STR(fake_cloud.task_status, "st_TODO"); /* not claimed before its turn */
    return id;
}

static void the_instrument_shows_it(void)
{
    int64_t id = second_task();
    c.device->unchanged = false;
    case_minute_passes(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 2);
    case_close(&c);
}

static int64_t due_in_ms(int64_t id)
{
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    struct lf_job job = core_job(c.journal, id);
    int64_t in = job.due_mono - lf_clock_mono_ms();
    lf_job_free(&job);
    return in;
}

/* Each look is two commits, and the next sample may come tomorrow. */
static void looks_less_often(void)
{
    int64_t id = second_task(), last = 0;
    CHECK(due_in_ms(id) <= 2000);
    for (int i = 0; i < 40; i++) {
        int before = c.device->looks;
        UNIT_TIME_PASSES(31000);
        NEED(fake_reached(&c.device->looks, before + 1));
        last = due_in_ms(id);
        CHECK(last <= 30000);
    }
    CHECK(last > 20000);
    c.device->unchanged = false;
    case_minute_passes(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

static void a_person_says_so(void)
{
    struct lf_error err = {0};
    int64_t id = second_task();
    CHECK_INT(lf_jobs_begin(c.jobs, id, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 2);
    CHECK(core_history_has(c.journal, id, "start"));
    CHECK_INT(lf_jobs_begin(c.jobs, id, "maria", &err), LF_REFUSED);
    case_close(&c);
}

static void need_sign(int64_t id)
{
    CHECK(case_says(&c, id, LF_JOB_WAITING, "put the sample of T-1"));
    case_close(&c);
}

/* Its sample lies there still, although nobody remembers the job. */
static void jobs_were_pruned(void)
{
    case_open(&c);
    c.device->signs = c.device->unchanged = true;
    c.device->says = "12.340";
    case_start(&c);
    NEED(case_becomes(&c, case_task(&c, "weigh"), LF_JOB_DONE));
    case_restart(&c);
    core_sql("DELETE FROM job");
    case_start(&c);
    fake_set(&fake_cloud.task_status, "st_TODO");
    need_sign(case_task(&c, "weigh"));
}

/* Nobody knows whether it was done, so its sample may lie there. */
static void first_was_cancelled(void)
{
    case_open(&c);
    c.device->signs = c.device->unchanged = true;
    c.device->repeat = LF_ONCE;
    case_act_fails(&c, LF_UNKNOWN_OUTCOME);
    case_start(&c);
    int64_t first = case_task(&c, "weigh");
    NEED(case_becomes(&c, first, LF_JOB_HELD));
    CHECK_INT(lf_jobs_cancel(c.jobs, first, "", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, first, LF_JOB_CANCELLED));
    fake_set(&fake_cloud.task_status, "st_TODO");
    need_sign(case_task(&c, "weigh"));
}

/* Whoever works at the instrument by hand is not held up by what waits for them. */
static void own_runs_pass(void)
{
    int64_t id = second_task();
    CHECK(case_becomes(&c, case_run(&c, "tare"), LF_JOB_DONE));
    CHECK(case_becomes(&c, id, LF_JOB_WAITING));
    case_close(&c);
}

/* ---- a newer file ---- */

static void withdrawn(void)
{
    begin();
    lf_instrument_pause(c.robot, "test");
    int64_t old = case_deliver(&c, "file_1");
    NEED(case_reaches(&c, old, "turn"));
    fake_set(&fake_cloud.file, "file_2");
    int64_t new = case_deliver(&c, "file_2");
    CHECK(case_says(&c, old, LF_JOB_CANCELLED, "withdrawn: job 2 brings plate.csv"));
    lf_instrument_resume(c.robot);
    CHECK(case_becomes(&c, new, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static char concern[1000];

static void note_concern(void *context, const struct lf_concern *it)
{
    (void)context;
    snprintf(concern, sizeof concern, "%s: %s", it->source, it->text);
}

static void older_lies_there(void)
{
    begin();
    int64_t old = case_deliver(&c, "file_1");
    NEED(case_becomes(&c, old, LF_JOB_DONE));
    fake_set(&fake_cloud.file_name, "plate-2.csv");
    fake_set(&fake_cloud.file, "file_2");
    int64_t new = case_deliver(&c, "file_2");
    CHECK(case_becomes(&c, new, LF_JOB_DONE));
    *concern = '\0';
    NEED(lf_journal_concern_list(c.journal, note_concern, NULL, UNIT_ERROR) == LF_OK);
    CHECK_HAS(concern, "instrument/robot: plate.csv (job 1)");
    CHECK_HAS(concern, "before plate-2.csv (job 2)");
    CHECK(core_history_has(c.journal, old, "plate-2.csv"));
    case_close(&c);
}

/* ---- the breaker ---- */

static void three_alike(void)
{
    begin();
    case_act_fails(&c, LF_PERMANENT);
    int64_t ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = case_run(&c, "weigh");
    for (int i = 0; i < 3; i++)
        CHECK(case_becomes(&c, ids[i], LF_JOB_FAILED));
    case_act_fails(&c, LF_CLASS_NONE);
    cJSON *info = lf_instrument_info(c.robot, NULL);
    CHECK_STR(lf_json_text(info, "state"), "paused");
    CHECK_HAS(lf_json_text_or(info, "note", ""), "3 jobs in a row failed alike at run");
    CHECK_HAS(lf_json_text_or(info, "note", ""), "the device says no");
    cJSON_Delete(info);
    CHECK_INT(c.device->acts, 3);
    lf_instrument_resume(c.robot);
    CHECK(case_becomes(&c, ids[4], LF_JOB_DONE));
    case_close(&c);
}

/* ---- what people are told ---- */

static bool waits_for(int64_t id, const char *text)
{
    struct lf_job job = core_job(c.journal, id);
    cJSON *report = lf_job_to_json(c.jobs, &job, false);
    bool there = strstr(lf_json_text_or(report, "waits_for", ""), text) != NULL;
    if (!there)
        printf("\n      job %lld waits for: %s", (long long)id,
               lf_json_text_or(report, "waits_for", "nothing"));
    cJSON_Delete(report);
    lf_job_free(&job);
    return there;
}

static void says_what_it_waits_for(void)
{
    begin();
    lf_instrument_pause(c.robot, "changing tips");
    int64_t first = case_run(&c, "weigh"), second = case_run(&c, "weigh");
    CHECK(waits_for(first, "robot, which is paused (changing tips)"));
    c.device->repeat = LF_ONCE;
    case_act_fails(&c, LF_UNKNOWN_OUTCOME);
    lf_instrument_resume(c.robot);
    NEED(case_becomes(&c, first, LF_JOB_HELD));
    CHECK(waits_for(first, "a person"));
    CHECK(waits_for(second, "robot, which job 1 holds"));
    cJSON *info = lf_instrument_info(c.robot, NULL);
    CHECK_STR(lf_json_text(info, "state"), "held");
    CHECK_INT(lf_json_int(info, "held_by", 0), first);
    cJSON_Delete(info);
    case_act_fails(&c, LF_TRANSIENT);
    CHECK_INT(lf_jobs_retry(c.jobs, first, "maria", UNIT_ERROR), LF_OK);
    NEED(case_becomes(&c, first, LF_JOB_WAITING));
    CHECK(waits_for(first, "robot"));
    CHECK(waits_for(second, "robot, where job 1 comes first"));
    case_close(&c);
}

UNIT_TESTS(
    "whose turn it is at an instrument",
    {"a worklist that is superseded while it waits is not delivered, the new one is",
     superseded_while_paused},
    {"a task that a person ends while it waits is not done, and keeps its status", task_ended_while_paused},
    {"a claimed task that a person ends is not done, and keeps its status", claimed_task_ended},
    {"while the cloud cannot be asked, a worklist waits and says so", waits_for_the_cloud},
    {"a person may let a job act without a look, once", unchecked},
    {"a job that a person lets act without a look needs none until it acts", unchecked_until_it_acts},
    {"a look that the cloud answers late is too old", slow_look},
    {"a job that has not got its file yet cannot go on unchecked", unchecked_too_early},
    {"a procedure that waits for its instrument comes before later ones, and deliveries pass",
     first_holds_up_the_second},
    {"a second task waits until the instrument shows that the sample was changed", the_instrument_shows_it},
    {"the longer a task waits for its sample, the less often it looks, twice a minute at the least",
     looks_less_often},
    {"a second task waits until a person says that the sample was changed", a_person_says_so},
    {"a task needs a sign although the jobs before it were pruned", jobs_were_pruned},
    {"a task needs a sign when the first was cancelled with an unknown outcome", first_was_cancelled},
    {"a person's own procedure passes a task that waits for its sample", own_runs_pass},
    {"a newer file withdraws the older one that is not on its instrument yet", withdrawn},
    {"an older file that lies on the instrument is named with the newer one, and stays", older_lies_there},
    {"an instrument on which three jobs in a row fail alike pauses itself", three_alike},
    {"a job that does not move says what it waits for", says_what_it_waits_for},
    UNIT_ROWS(answers, doubt_stops_the_instrument))

/* A cancel at each moment of a job: noted, carried out after the commit or by the next start, or refused. */
#include "job_case.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static struct job_case c;
static struct lf_error err;

static int64_t runs_at_the_bench(enum lf_repeat repeat)
{
    case_open(&c);
    c.device->stuck = true;
    c.device->repeat = repeat;
    case_start(&c);
    int64_t id = case_run(&c, "weigh");
    NEED(fake_reached(&c.device->acts, 1));
    return id;
}

/* Why job `id` was asked to stop, as the next start would read it. Until the next call. */
static const char *stop_noted(int64_t id)
{
    static char text[300];
    struct lf_job job = core_job(c.journal, id);
    snprintf(text, sizeof text, "%s", job.stop ? job.stop : "");
    lf_job_free(&job);
    return text;
}

static void not_cancelled_after_all(void)
{
    int64_t id = runs_at_the_bench(LF_IDEMPOTENT);
    NEED(lf_journal_begin(c.journal, &err) == LF_OK);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", &err), LF_OK);
    CHECK_STR(stop_noted(id), "cancelled by test"); /* a crash after the commit would not lose it */
    lf_journal_rollback(c.journal);
    CHECK_STR(stop_noted(id), "");
    c.device->stuck = false;
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK(!core_history_has(c.journal, id, "to stop"));
    case_close(&c);
}

/* As if the process had been killed between the commit and the effect. */
static int64_t cut_short(bool acting)
{
    case_open(&c);
    int64_t id = 0;
    NEED(case_send(&c, "robot", "plate.csv", &id, &err) == LF_OK);
    if (acting)
        case_killed_while_acting(&c, id, "deliver");
    NEED(lf_journal_job_stop(c.journal, id, "cancelled by test", &err) == LF_OK);
    case_restart(&c);
    case_start(&c);
    return id;
}

static void cancelled_by_the_next_start(void)
{
    int64_t id = cut_short(false);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_STR(case_note(&c, id), "cancelled by test");
    CHECK_INT(c.device->acts, 0);
    CHECK(case_spool_empties());
    case_close(&c);
}

static void held_by_the_next_start(void)
{
    int64_t id = cut_short(true);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "cancelled by test");
    CHECK_HAS(case_note(&c, id), "labferry confirm");
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", &err), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_restart(&c);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE)); /* the cancel is carried out only once */
    case_close(&c);
}

static void cancelled_at_a_courier(void)
{
    case_open(&c);
    case_start(&c);
    pthread_mutex_lock(&fake_cloud.mutex); /* the cloud does not answer yet */
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_RUNNING));
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", &err), LF_BUSY);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "cancel it again in a moment");
    CHECK(!core_history_has(c.journal, id, "to stop"));
    pthread_mutex_unlock(&fake_cloud.mutex);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

/* The disk takes no more: the journal cannot commit. */
static void no_more_writes(bool none)
{
    static struct rlimit before;
    struct rlimit now = {.rlim_cur = 1};
    if (none)
        getrlimit(RLIMIT_FSIZE, &before);
    now.rlim_max = before.rlim_max;
    signal(SIGXFSZ, none ? SIG_IGN : SIG_DFL);
    setrlimit(RLIMIT_FSIZE, none ? &now : &before);
}

static void cancel_not_kept(void)
{
    case_open(&c);
    case_start(&c);
    int64_t id = case_result(&c, "plate.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    no_more_writes(true);
    enum lf_status status = lf_jobs_cancel(c.jobs, id, "", "maria", UNIT_ERROR);
    no_more_writes(false);
    CHECK(status != LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(core_spool_bytes(), 7);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_spool_empties());
    case_close(&c);
}

/* The task stays in progress in Benchling until the job has set it to failed. */
static void cancelled_twice(void)
{
    case_open(&c);
    case_act_fails(&c, LF_NEEDS_PERSON);
    case_start(&c);
    int64_t id = case_task(&c, "weigh");
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    fake_cloud_fail("set_task_status", 1000, false, LF_TIMEOUT, LF_TRANSIENT);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "pan is broken", "maria", &err), LF_OK);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "now!", "maria", &err), LF_REFUSED);
    CHECK_HAS(err.text, "ending already");
    fake_cloud_fail(NULL, 0, false, LF_OK, LF_CLASS_NONE);
    case_minute_passes(&c);
    CHECK(case_says(&c, id, LF_JOB_CANCELLED, "pan is broken"));
    CHECK_STR(fake_cloud.task_status, "st_FAILED");
    case_close(&c);
}

UNIT_TESTS(
    "job, cancel", {"a second cancel does not leave the workflow task in progress", cancelled_twice},
    {"a cancel that is not possible right now is refused, and the history does not claim otherwise",
     cancelled_at_a_courier},
    {"a cancel of what runs is noted for the next start; rolled back it stops nothing on the instrument",
     not_cancelled_after_all},
    {"a cancel that was cut short by a crash is carried out at the next start", cancelled_by_the_next_start},
    {"a cancel that was cut short after the action had begun holds the job", held_by_the_next_start},
    {"a cancel that cannot be written to the journal leaves the result as it is", cancel_not_kept}, )

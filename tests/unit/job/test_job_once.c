/* The rule for physical actions, and deliveries. */
#include "job_case.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct job_case c;

static void delivered(void)
{
    case_open(&c);
    c.device->verdict = LF_VERDICT_DONE;
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_STR(case_fact(&c, id, "file_name"), "plate.csv");
    CHECK_STR(case_fact(&c, id, "sha256"), case_fact(&c, id, "sha256_there"));
    CHECK(case_spool_empties()); /* nothing is left behind */
    case_close(&c);
}

/* ---- killed between "about to act" and "acted" ---- */

static int64_t killed(enum lf_verdict verdict, enum lf_status status, enum lf_class class)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->verdict = verdict;
    c.device->verify_status = status;
    c.device->verify_class = class;
    c.device->says = "12.34";
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    case_killed_while_acting(&c, id, "run");
    case_start(&c);
    return id;
}

static void interrupted_and_done(void)
{
    int64_t id = killed(LF_VERDICT_DONE, LF_OK, LF_CLASS_NONE);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    CHECK_STR(case_fact(&c, id, "summary"), "weight 12.34");
    struct lf_job job = core_job(c.journal, id);
    CHECK_INT(job.expires_mono, 0); /* it has acted: nothing may let it expire */
    lf_job_free(&job);
    case_close(&c);
}

static void interrupted_and_not_done(void)
{
    int64_t id = killed(LF_VERDICT_NOT_DONE, LF_OK, LF_CLASS_NONE);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void interrupted_and_unknown(void)
{
    int64_t id = killed(LF_VERDICT_UNKNOWN, LF_OK, LF_CLASS_NONE);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(c.device->acts, 0);
    CHECK_HAS(case_note(&c, id), "labferry confirm");
    struct lf_job job = core_job(c.journal, id);
    CHECK_INT(job.class, LF_UNKNOWN_OUTCOME);
    CHECK(job.acting);
    CHECK_HAS(lf_job_help(&job), "confirm");
    cJSON *told = lf_job_to_json(c.jobs, &job, false);
    char *can = lf_json_print(cJSON_GetObjectItemCaseSensitive(told, "can"));
    CHECK_STR(can, "[\"confirm\",\"retry\",\"cancel\"]");
    free(can);
    cJSON_Delete(told);
    lf_job_free(&job);
    case_restart(&c); /* the doubt outlives a restart */
    case_start(&c);
    lf_sleep_until(lf_deadline_in(200), NULL);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void retried_by_a_person(void)
{
    int64_t id = killed(LF_VERDICT_UNKNOWN, LF_OK, LF_CLASS_NONE);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK(core_told(c.journal, id, "retry"));
    case_close(&c);
}

/* "retry" of a job that waits means "now", not "it did not happen". */
static void retry_while_it_waits_keeps_the_doubt(void)
{
    int64_t id = killed(LF_VERDICT_UNKNOWN, LF_DISCONNECTED, LF_TRANSIENT);
    NEED(fake_reached(&c.device->verifies, 1));
    for (int i = 0; i < 5; i++) {
        lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR);
        lf_sleep_until(lf_deadline_in(100), NULL);
    }
    CHECK_INT(c.device->acts, 0);
    c.device->verify_status = LF_OK;
    c.device->verdict = LF_VERDICT_DONE;
    lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void interrupted_and_too_late(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->verdict = LF_VERDICT_NOT_DONE;
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    struct lf_job job = core_job(c.journal, id);
    job.expires_mono = 1; /* the time limit passed while the agent was down */
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    case_killed_while_acting(&c, id, "run");
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_EXPIRED));
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(c.device->verifies, 1);
    case_close(&c);
}

static void interrupted_and_unheard_of(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "unheard-of", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    case_killed_while_acting(&c, id, "run");
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD)); /* not failed: it may have happened */
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void idempotent_is_done_again(void)
{
    case_open(&c);
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    struct lf_job job = core_job(c.journal, id);
    job.state = LF_JOB_RUNNING; /* killed in the middle: no mark is set for what may be repeated */
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    case_restart(&c);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_INT(c.device->verifies, 0);
    case_close(&c);
}

/* ---- what a failing action leads to ---- */

static int64_t failing(enum lf_status status, enum lf_class class)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->act_status = status;
    c.device->act_class = class;
    case_start(&c);
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    return id;
}

static void classes_decide(void)
{
    static const struct {
        enum lf_class class;
        enum lf_job_state state;
        bool acting;
    } rows[] = {
        {LF_TRANSIENT, LF_JOB_WAITING, false},
        {LF_PERMANENT, LF_JOB_FAILED, false},
        {LF_UNKNOWN_OUTCOME, LF_JOB_HELD, true},
        {LF_NEEDS_PERSON, LF_JOB_HELD, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t id = failing(LF_IO, rows[i].class);
        CHECK(case_becomes(&c, id, rows[i].state));
        struct lf_job job = core_job(c.journal, id);
        CHECK_INT(job.class, rows[i].class);
        CHECK_INT(job.acting, rows[i].acting);
        lf_job_free(&job);
        CHECK_HAS(case_note(&c, id), "the device says no");
        if (rows[i].class == LF_TRANSIENT) {
            c.device->act_status = LF_OK;
            CHECK(case_becomes(&c, id, LF_JOB_DONE)); /* by itself */
        } else {
            lf_sleep_until(lf_deadline_in(100), NULL);
            CHECK_INT(c.device->acts, 1); /* never on its own */
        }
        case_close(&c);
        static const char *const files[] = {"", "-wal", "-shm", ".lock"}; /* the next row begins anew */
        for (size_t n = 0; n < sizeof files / sizeof *files; n++) {
            char path[600];
            snprintf(path, sizeof path, "%s/journal.db%s", unit_folder(), files[n]);
            unlink(path);
        }
    }
}

/* What it ends with looks for its instrument among all of them (found by the soak: the first was gone by
 * then). */
static void stop_waits_for_all(void)
{
    struct lf_instrument *slow = NULL;
    struct lf_instrument_options options = {.name = "slow", .driver = &fake_driver};
    case_open(&c);
    struct lf_instrument_hooks hooks = {.context = c.jobs,
                                        .work = lf_jobs_work,
                                        .found = lf_jobs_found,
                                        .changed = lf_jobs_instrument_changed};
    struct fake_device *device = fake_device("slow");
    device->stuck = true;
    device->lingers_ms = 300;
    NEED(lf_instrument_open(&options, &hooks, &slow, UNIT_ERROR) == LF_OK);
    NEED(lf_jobs_add_instrument(c.jobs, slow, UNIT_ERROR) == LF_OK);
    case_start(&c);
    NEED(lf_instrument_start(slow, UNIT_ERROR) == LF_OK);
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "slow", "weigh", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    NEED(fake_reached(&device->acts, 1));
    lf_jobs_stop(c.jobs);
    struct lf_job job = core_job(c.journal, id);
    CHECK_INT(job.state, LF_JOB_READY); /* whatever it had to write down is written */
    lf_job_free(&job);
    case_close(&c);
}

static void stopped_while_acting(void)
{
    case_open(&c);
    c.device->stuck = true;
    case_start(&c);
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    NEED(fake_reached(&c.device->acts, 1));
    case_restart(&c); /* the agent stops in good order while it runs */
    c.device->stuck = false;
    CHECK(case_becomes(&c, id, LF_JOB_READY)); /* not taken for an operator's cancel */
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

static void stopped_in_doubt(void)
{
    case_open(&c);
    c.device->stuck = true;
    c.device->repeat = LF_ONCE;
    c.device->act_class = LF_UNKNOWN_OUTCOME;
    case_start(&c);
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "dispense", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    NEED(fake_reached(&c.device->acts, 1));
    case_restart(&c);
    c.device->stuck = false;
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    lf_sleep_until(lf_deadline_in(200), NULL);
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void expires(void)
{
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    struct lf_job job = core_job(c.journal, id);
    job.expires_mono = lf_deadline_in(300);
    job.bench = true;
    snprintf(job.step, sizeof job.step, "%s", "deliver");
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    c.device->connect_fails = 1000; /* the instrument is not there */
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_EXPIRED));
    CHECK_INT(c.device->acts, 0);
    CHECK_HAS(case_note(&c, id), "not_after");
    case_close(&c);
}

/* ---- deliveries ---- */

static void newer_file(void)
{
    case_open(&c);
    c.device->verdict = LF_VERDICT_DONE;
    fake_cloud.file = "file_2"; /* the generator ran again; that event may be lost */
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK(case_becomes(&c, id + 1, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id + 1, "file"), "file_2");
    CHECK_INT(c.device->acts, 1);
    struct lf_job late = core_job(c.journal, id + 1); /* its event comes after all: the same work */
    CHECK_STR(late.key, "automationInputGenerator.completed|aig_1|file_2|robot|deliver|file_2");
    CHECK_INT(lf_journal_job_add(c.journal, &late, NULL, UNIT_ERROR), LF_EXISTS);
    lf_job_free(&late);
    case_close(&c);
}

static void not_stored_yet(void)
{
    case_open(&c);
    fake_cloud.upload_status = "IN_PROGRESS";
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_WAITING));
    CHECK_INT(fake_cloud_get(&fake_cloud.downloads), 0);
    fake_cloud.upload_status = "COMPLETE";
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

static void hostile_names(void)
{
    static const char *const names[] = {"../etc/passwd", "a/b.csv", "CON", "..", "nul.csv", "a\\u0007b"};
    case_open(&c);
    case_start(&c);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char file[20];
        snprintf(file, sizeof file, "file_%zu", i);
        pthread_mutex_lock(&fake_cloud.mutex);
        fake_cloud.file = file;
        fake_cloud.file_name = names[i];
        pthread_mutex_unlock(&fake_cloud.mutex);
        int64_t id = case_deliver(&c, file);
        CHECK(case_becomes(&c, id, LF_JOB_HELD)); /* a person renames it */
        CHECK(strlen(case_note(&c, id)) > 10);
    }
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(fake_cloud_get(&fake_cloud.downloads), 0);
    case_close(&c);
}

static void damage(const char *job_file)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", c.config->agent.spool_dir, job_file);
    NEED(truncate(path, 1) == 0);
}

static void damaged_before(void)
{
    case_open(&c);
    c.device->verdict = LF_VERDICT_DONE;
    lf_instrument_pause(c.robot, "test");
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    for (int i = 0; i < 500 && !strcmp(case_fact(&c, id, "sha256"), ""); i++)
        lf_sleep_until(lf_deadline_in(10), NULL);
    char name[40];
    snprintf(name, sizeof name, "job-%lld", (long long)id);
    lf_sleep_until(lf_deadline_in(50), NULL);
    damage(name);
    lf_instrument_resume(c.robot);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud_get(&fake_cloud.downloads), 2); /* fetched anew */
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* The instrument may have used the file: a copy that is damaged or gone afterwards must not lead to a second
 * delivery. */
static void damaged_after(bool gone)
{
    case_open(&c);
    c.device->verdict = LF_VERDICT_UNKNOWN;
    c.device->verify_status = LF_IO;
    c.device->verify_class = LF_TRANSIENT;
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    NEED(fake_reached(&c.device->verifies, 1)); /* at confirm */
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    char name[40];
    snprintf(name, sizeof name, "job-%lld", (long long)id);
    if (gone)
        NEED(lf_journal_parcel_drop(c.journal, id, UNIT_ERROR) == LF_OK);
    else
        damage(name);
    c.device->verify_status = LF_OK;
    c.device->verdict = LF_VERDICT_DONE;
    lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_INT(fake_cloud_get(&fake_cloud.downloads), 1);
    case_close(&c);
}

static void damaged_after_delivery(void)
{
    damaged_after(false);
}

static void gone_after_delivery(void)
{
    damaged_after(true);
}

UNIT_TESTS("job, the rule for physical actions",
           {"a generated file reaches the instrument once, read back, and the spool is empty again",
            delivered},
           {"killed while acting, the instrument says done: it goes on and acts no more",
            interrupted_and_done},
           {"killed while acting, the instrument says not done: it is done, once", interrupted_and_not_done},
           {"killed while acting, nobody knows: held, over restarts, until a person says that it happened",
            interrupted_and_unknown},
           {"killed while acting, nobody knows: done again only when a person says that it did not happen",
            retried_by_a_person},
           {"a job that waits to ask the instrument is not acted on by a retry",
            retry_while_it_waits_keeps_the_doubt},
           {"killed while acting and not done: past its time limit it expires instead of acting late",
            interrupted_and_too_late},
           {"killed while acting and the driver knows the action no more: held, not failed",
            interrupted_and_unheard_of},
           {"what may be repeated is done again after a kill", idempotent_is_done_again},
           {"the class of an error decides what follows", classes_decide, UNIT_SLOW},
           {"an action interrupted by the end of the agent is ready at the next start, not cancelled",
            stopped_while_acting},
           {"the agent's end waits for every instrument before any of them goes", stop_waits_for_all},
           {"a once-action interrupted by the end of the agent is held", stopped_in_doubt},
           {"a job whose instrument is away expires at its time limit", expires},
           {"a generator that has a newer file by now: that one is delivered, once", newer_file},
           {"a file that Benchling is still storing is waited for", not_stored_yet},
           {"file names that could do harm are refused with the reason", hostile_names},
           {"a spool file damaged before the delivery is fetched anew", damaged_before},
           {"a spool file damaged after the delivery does not lead to a second one", damaged_after_delivery},
           {"a spool file lost after the delivery does not lead to a second one", gone_after_delivery}, )

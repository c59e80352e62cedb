/* The rule for physical actions, and deliveries. */
#include "job_case.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    CHECK_STR(case_fact(&c, id, "mime"), "text/csv");
    CHECK_STR(case_fact(&c, id, "run"), "run_1");
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
    int64_t id = case_run(&c, "weigh");
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
    cJSON *report = lf_job_to_json(c.jobs, &job, false);
    char *can = lf_json_print(cJSON_GetObjectItemCaseSensitive(report, "can"));
    CHECK_STR(can, "[\"confirm\",\"retry\",\"cancel\"]");
    free(can);
    cJSON_Delete(report);
    lf_job_free(&job);
    case_restart(&c); /* the doubt outlives a restart */
    case_start(&c);
    case_minute_passes(&c);
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
    CHECK(core_history_has(c.journal, id, "retry"));
    case_close(&c);
}

/* "retry" of a job that waits means "now", not "it did not happen". */
static void retry_while_it_waits_keeps_the_doubt(void)
{
    int64_t id = killed(LF_VERDICT_UNKNOWN, LF_DISCONNECTED, LF_TRANSIENT);
    for (int looks = 1; looks < 5; looks++) {
        NEED(fake_reached(&c.device->verifies, looks));
        NEED(case_becomes(&c, id, LF_JOB_WAITING));
        lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR); /* refused if it looks on its own right now */
        UNIT_TIME_PASSES(60000);                       /* it connects again */
    }
    CHECK_INT(c.device->acts, 0);
    c.device->verdict = LF_VERDICT_DONE;
    c.device->verify_status = LF_OK; /* last: it may be looking right now */
    case_minute_passes(&c);          /* a look that was under way has ended */
    case_minute_passes(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void interrupted_and_too_late(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->verdict = LF_VERDICT_NOT_DONE;
    int64_t id = case_run(&c, "weigh");
    struct lf_job job = core_job(c.journal, id);
    job.expires_mono = 1; /* the time limit passed while the agent was down */
    case_save(&c, &job);
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
    int64_t id = case_run(&c, "unheard-of");
    case_killed_while_acting(&c, id, "run");
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD)); /* not failed: it may have happened */
    struct lf_job job = core_job(c.journal, id);
    CHECK_INT(job.class, LF_NEEDS_PERSON);
    CHECK_HAS(lf_job_help(&job), "confirm");
    lf_job_free(&job);
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void idempotent_is_done_again(void)
{
    case_open(&c);
    int64_t id = case_run(&c, "weigh");
    struct lf_job job = core_job(c.journal, id);
    job.state = LF_JOB_RUNNING; /* killed in the middle: no mark is set for what may be repeated */
    case_save(&c, &job);
    case_restart(&c);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_INT(c.device->verifies, 0);
    case_close(&c);
}

/* ---- what a failing action leads to ---- */

static const struct {
    struct unit_row row;
    enum lf_class class;
    enum lf_job_state state;
    bool acting, again; /* it may have happened; it is done again on its own */
} classes[] = {
    {{"an action that fails with a transient error is repeated later"},
     LF_TRANSIENT,
     LF_JOB_WAITING,
     false,
     true},
    {{"an action that can never work fails the job"}, LF_PERMANENT, LF_JOB_FAILED, false, false},
    {{"an action whose outcome is unknown holds the job and is never repeated on its own"},
     LF_UNKNOWN_OUTCOME,
     LF_JOB_HELD,
     true,
     false},
    {{"an action that needs a person holds the job"}, LF_NEEDS_PERSON, LF_JOB_HELD, false, false},
};

static void class_decides(void)
{
    const typeof(*classes) *row = unit_row();
    case_open(&c);
    c.device->repeat = LF_ONCE;
    case_act_fails(&c, row->class);
    case_start(&c);
    int64_t id = case_run(&c, "weigh");
    CHECK(case_says(&c, id, row->state, "the device says no"));
    struct lf_job job = core_job(c.journal, id);
    CHECK_INT(job.class, row->class);
    CHECK_INT(job.acting, row->acting);
    lf_job_free(&job);
    case_act_fails(&c, LF_CLASS_NONE);
    case_minute_passes(&c);
    CHECK(case_becomes(&c, id, row->again ? LF_JOB_DONE : row->state));
    CHECK(row->again ? c.device->acts > 1 : c.device->acts == 1);
    case_close(&c);
}

/* Days later. What happened must not expire. */
static void confirmed_after_its_time(void)
{
    int64_t id = killed(LF_VERDICT_UNKNOWN, LF_OK, LF_CLASS_NONE);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    struct lf_job job = core_job(c.journal, id);
    job.expires_mono = 1;
    case_save(&c, &job);
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

/* A driver from elsewhere may answer what the contract does not know, or forget to fill in the error. */
static void careless_driver(void)
{
    int64_t id = killed((enum lf_verdict)7, LF_OK, LF_CLASS_NONE);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, "", "test", UNIT_ERROR), LF_OK);
    case_close(&c);
    static const enum lf_class garbage[] = {LF_CLASS_NONE, (enum lf_class)7};
    for (int i = 0; i < 2; i++) {
        case_open(&c);
        c.device->repeat = (enum lf_repeat)7;
        c.device->act_status = LF_IO;
        c.device->act_class = garbage[i];
        case_start(&c);
        id = case_run(&c, "weigh");
        CHECK(case_says(&c, id, LF_JOB_HELD, "the device says no"));
        struct lf_job job = core_job(c.journal, id);
        CHECK_INT(job.class, LF_UNKNOWN_OUTCOME);
        CHECK(job.acting);
        lf_job_free(&job);
        CHECK_INT(c.device->acts, 1);
        CHECK_INT(lf_jobs_cancel(c.jobs, id, "", "test", UNIT_ERROR), LF_OK);
        case_close(&c);
    }
    case_open(&c);
    c.device->repeat_class = (enum lf_class)7;
    case_start(&c);
    id = case_run(&c, "weigh");
    CHECK(case_says(&c, id, LF_JOB_WAITING, "it does not know"));
    c.device->repeat_class = LF_CLASS_NONE;
    case_minute_passes(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

/* A job that ends late looks for its instrument among all of them: the first must not be closed by then. */
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
    CHECK_INT(job.state, LF_JOB_READY); /* everything is saved */
    lf_job_free(&job);
    case_close(&c);
}

static void stopped_while_acting(void)
{
    case_open(&c);
    c.device->stuck = true;
    case_start(&c);
    int64_t id = case_run(&c, "weigh");
    NEED(fake_reached(&c.device->acts, 1));
    case_restart(&c); /* the agent stops cleanly while it runs */
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
    int64_t id = case_run(&c, "dispense");
    NEED(fake_reached(&c.device->acts, 1));
    case_restart(&c);
    c.device->stuck = false;
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    case_minute_passes(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* With a fast clock the event seems to come from the future: that gives no more time. */
static void expires(void)
{
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    struct lf_job job = core_job(c.journal, id);
    job.expires_mono = lf_deadline_in(60000);
    NEED(lf_job_set_int(&job, LF_JOB_HAPPENED, lf_clock_wall_ms() + 3600000, UNIT_ERROR) == LF_OK);
    job.bench = true;
    snprintf(job.step, sizeof job.step, "%s", "deliver");
    case_save(&c, &job);
    c.device->connect_fails = 1000; /* the instrument is not there */
    case_start(&c);
    NEED(fake_reached(&c.device->connects, 1));
    CHECK(case_becomes(&c, id, LF_JOB_READY));
    UNIT_TIME_PASSES(60000);
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
    struct lf_job older = core_job(c.journal, id), newer = core_job(c.journal, id + 1);
    CHECK_STR(newer.route, older.route); /* the same wish, with the same time limit */
    CHECK_STR(newer.event_id, older.event_id);
    CHECK(older.expires_ms && llabs(newer.expires_ms - older.expires_ms) < 60000);
    lf_job_free(&older);
    lf_job_free(&newer);
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

static const struct {
    struct unit_row row;
    void (*damage)(struct job_case *c, int64_t id);
} damages[] = {
    {{"a spool file cut short before the delivery is fetched again"}, case_damage_spool},
    {{"a spool file of which a bit has changed before the delivery is fetched again"}, case_flip_spool_bit},
};

static void damaged_before(void)
{
    const typeof(*damages) *row = unit_row();
    case_open(&c);
    c.device->verdict = LF_VERDICT_DONE;
    lf_instrument_pause(c.robot, "test");
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    NEED(case_reaches(&c, id, "turn"));
    row->damage(&c, id);
    lf_instrument_resume(c.robot);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud_get(&fake_cloud.downloads), 2); /* fetched again */
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* Fetching it again would lead to a second delivery. */
static void lost_while_acting(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    int64_t id = case_deliver(&c, "file_1");
    case_killed_while_acting(&c, id, "deliver"); /* no row in the journal knows its file */
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "no file in the spool");
    CHECK_HAS(case_note(&c, id), "`labferry confirm 1` (it happened)");
    struct lf_job job = core_job(c.journal, id);
    CHECK(job.acting);
    lf_job_free(&job);
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(fake_cloud_get(&fake_cloud.downloads), 0);
    case_close(&c);
}

/* The instrument may have used the file: a copy that is damaged or gone afterwards must not lead to a second
 * delivery. */
static const struct {
    struct unit_row row;
    bool gone;
} copies[] = {
    {{"a spool file damaged after the delivery does not lead to a second one"}, false},
    {{"a spool file lost after the delivery does not lead to a second one"}, true},
};

static void damaged_after(void)
{
    const typeof(*copies) *row = unit_row();
    case_open(&c);
    c.device->verdict = LF_VERDICT_UNKNOWN;
    c.device->verify_status = LF_IO;
    c.device->verify_class = LF_TRANSIENT;
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    NEED(fake_reached(&c.device->verifies, 1)); /* at confirm */
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    if (row->gone)
        NEED(lf_journal_parcel_drop(c.journal, id, UNIT_ERROR) == LF_OK);
    else
        case_damage_spool(&c, id);
    c.device->verdict = LF_VERDICT_DONE;
    c.device->verify_status = LF_OK; /* last: it may be looking right now */
    UNIT_TIME_PASSES(60000);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_INT(fake_cloud_get(&fake_cloud.downloads), 1);
    case_close(&c);
}

UNIT_TESTS(
    "job, the rule for physical actions",
    {"a generated file reaches the instrument once, is read back, and the spool is empty again", delivered},
    {"killed while acting, the instrument says done: the job continues without acting again",
     interrupted_and_done},
    {"killed while acting, the instrument says not done: it is done, once", interrupted_and_not_done},
    {"killed while acting, nobody knows: held, over restarts, until a person says that it happened",
     interrupted_and_unknown},
    {"an action that a person confirms after its time limit is done, not expired", confirmed_after_its_time},
    {"killed while acting, nobody knows: repeated only when a person says that it did not happen",
     retried_by_a_person},
    {"a retry of a job that waits to ask the instrument does not act", retry_while_it_waits_keeps_the_doubt},
    {"killed while acting and not done: past its time limit it expires instead of acting late",
     interrupted_and_too_late},
    {"killed while acting, and the driver no longer knows the action: held, not failed",
     interrupted_and_unheard_of},
    {"an action that may be repeated is repeated after a kill", idempotent_is_done_again},
    UNIT_ROWS(classes, class_decides),
    {"what a driver answers against its contract is taken for an unknown outcome", careless_driver},
    {"an action interrupted by the end of the agent is ready at the next start, not cancelled",
     stopped_while_acting},
    {"the agent's end waits for all instruments before it closes any of them", stop_waits_for_all},
    {"a once action interrupted by the end of the agent is held", stopped_in_doubt},
    {"a job whose instrument is away expires at its time limit", expires},
    {"if the generator has a newer file by now, that one is delivered, once", newer_file},
    {"a file that Benchling is still storing is waited for", not_stored_yet},
    {"file names that could do harm are refused with the reason", hostile_names},
    UNIT_ROWS(damages, damaged_before),
    {"a file lost between \"about to act\" and \"acted\" is not fetched again", lost_while_acting},
    UNIT_ROWS(copies, damaged_after), )

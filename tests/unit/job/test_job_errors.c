/* The journal fails under a job: each use of each statement that couriers and bench give to SQLite fails in
 * turn, once. Whichever it is, the job ends or is held, nothing is done twice, and nothing is left behind.
 *
 * Uses are counted for each statement separately, because the number of looks for work differs from run to
 * run.
 *
 * sqlite3_step is wrapped for threads other than the test's own; the agent's pauses are wrapped and cut
 * short.
 */
#include "job_case.h"

#include "base/clock.h"
#include "os/wait.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATEMENTS_MAX = 100, USES_MAX = 25, SQL_MAX = 1600, PAUSE_MS = 5, LIMIT_MS = 20000 };

static struct job_case c;
static pthread_t tester;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* for what follows */
static char statements[STATEMENTS_MAX][SQL_MAX];
static int uses[STATEMENTS_MAX]; /* in this run */
static int statement_count;
static int failing = -1, failing_use; /* this use of this statement fails; -1: none does */

/* Counts a use; true if it is the one that fails. */
static bool fails(const char *sql)
{
    int at = 0;
    pthread_mutex_lock(&mutex);
    while (at < statement_count && strcmp(statements[at], sql) != 0)
        at++;
    if (at == statement_count && at < STATEMENTS_MAX)
        snprintf(statements[statement_count++], SQL_MAX, "%s", sql);
    bool fail = at < STATEMENTS_MAX && ++uses[at] == failing_use && at == failing;
    if (fail)
        failing = -1;
    pthread_mutex_unlock(&mutex);
    return fail;
}

static void fail_use(int statement, int use)
{
    pthread_mutex_lock(&mutex);
    memset(uses, 0, sizeof uses);
    failing = statement;
    failing_use = use;
    pthread_mutex_unlock(&mutex);
}

/* No further use fails in this run. Has the chosen one failed? */
static bool has_failed(void)
{
    pthread_mutex_lock(&mutex);
    bool done = failing < 0;
    failing = -1;
    NEED(statement_count < STATEMENTS_MAX);
    pthread_mutex_unlock(&mutex);
    return done;
}

int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt)
{
    bool begun = sqlite3_stmt_busy(stmt); /* abandoned halfway, SQLite would commit it */
    return !begun && !pthread_equal(pthread_self(), tester) && fails(sqlite3_sql(stmt))
               ? SQLITE_IOERR
               : __real_sqlite3_step(stmt);
}

enum lf_status __real_lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel);
enum lf_status __wrap_lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel);
enum lf_status __wrap_lf_sleep_until(int64_t deadline, const struct lf_cancel *cancel)
{
    int64_t soon = lf_deadline_in(PAUSE_MS);
    return __real_lf_sleep_until(deadline < soon ? deadline : soon, cancel);
}

/* Waits until the job has ended or is held; a waiting job is made ready at once. */
static enum lf_job_state outcome(int64_t id)
{
    int64_t deadline = lf_deadline_in(LIMIT_MS);
    for (;;) {
        struct lf_job job = core_job(c.journal, id);
        enum lf_job_state state = job.state;
        if (state == LF_JOB_WAITING) {
            job.state = LF_JOB_READY;
            lf_journal_job_save(c.journal, &job, UNIT_ERROR);
        }
        lf_job_free(&job);
        if (state == LF_JOB_HELD || lf_job_state_final(state) || lf_deadline_passed(deadline))
            return state;
        lf_jobs_kick(c.jobs);
        lf_instrument_kick(c.robot);
        lf_sleep_until(lf_deadline_in(PAUSE_MS), NULL);
    }
}

static void remove_journal(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    char path[600];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s/journal.db%s", unit_folder(), endings[i]);
        unlink(path);
    }
}

/* One run, in which one use of a statement fails. False: there was no such use. */
static bool one_run(int statement, int use, int64_t (*make)(void), void (*right)(int64_t id),
                    enum lf_repeat repeat)
{
    case_open(&c);
    c.device->says = "12.340";
    c.device->repeat = repeat;
    c.device->verdict = LF_VERDICT_UNKNOWN;
    case_start(&c);
    fail_use(statement, use);
    int64_t id = make();
    enum lf_job_state state = outcome(id);
    bool failed = has_failed();
    char told[700];
    snprintf(told, sizeof told, "use %d of %.60s: %s, %s", use, statements[statement],
             lf_job_state_name(state), case_note(&c, id));
    if (state == LF_JOB_HELD) {
        CHECK_INT(repeat, LF_ONCE); /* only then can the outcome be unknown */
        CHECK_HAS(told, "labferry confirm");
        CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
        state = outcome(id);
    }
    if (state != LF_JOB_DONE)
        CHECK_STR(told, "done");
    right(id);
    case_restart(&c); /* a file whose row could not be dropped is swept at the next start */
    CHECK_INT(core_spool_bytes(), 0);
    case_close(&c);
    remove_journal();
    return failed;
}

/* make: makes the job while all threads run. right: checks what it did, after its end. */
static void every_statement(int64_t (*make)(void), void (*right)(int64_t id), enum lf_repeat repeat)
{
    int most = getenv("LF_EMULATED") ? 1 : USES_MAX; /* an emulator takes long */
    tester = pthread_self();
    for (int statement = 0; statement == 0 || statement < statement_count; statement++)
        for (int use = 1; use <= most && one_run(statement, use, make, right, repeat); use++)
            ;
}

static int64_t make_run(void)
{
    return case_run(&c, "weigh");
}

static void acted_once(int64_t id)
{
    (void)id;
    CHECK_INT(c.device->acts, 1);
}

static int64_t make_delivery(void)
{
    return case_deliver(&c, "file_1");
}

static int64_t make_task(void)
{
    return case_task(&c, "weigh");
}

static void reported_once(int64_t id)
{
    acted_once(id);
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 1);
    CHECK_STR(fake_cloud.task_status, "st_COMPLETED");
}

static int64_t make_table(void)
{
    return case_task(&c, "table");
}

static void uploaded_once(int64_t id)
{
    acted_once(id);
    CHECK_STR(fake_cloud.task_status, "st_COMPLETED");
    CHECK_INT(outcome(id + 1), LF_JOB_DONE); /* the result with the values */
    CHECK_INT(fake_cloud_get(&fake_cloud.created), 1);
    CHECK_STR(fake_cloud.last_upload, "sample,weight\r\nS-1,12.340\r\n");
}

static int64_t make_result(void)
{
    return case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
}

static void attached_once(int64_t id)
{
    (void)id;
    CHECK_INT(fake_cloud_get(&fake_cloud.created), 1);
    CHECK_INT(fake_cloud_get(&fake_cloud.started), 1);
}

static void once(void)
{
    every_statement(make_run, acted_once, LF_ONCE);
}
static void delivery(void)
{
    every_statement(make_delivery, acted_once, LF_ONCE);
}
static void task(void)
{
    every_statement(make_task, reported_once, LF_ONCE);
}
static void table(void)
{
    every_statement(make_table, uploaded_once, LF_ONCE);
}
static void result(void)
{
    every_statement(make_result, attached_once, LF_IDEMPOTENT);
}

UNIT_TESTS("job errors",
           {"whichever statement fails, an action is done once, or is held with what a person can do", once,
            UNIT_SLOW},
           {"whichever statement fails, a file is delivered once, or is held", delivery, UNIT_SLOW},
           {"whichever statement fails, a task is measured once and reported once, or is held", task,
            UNIT_SLOW},
           {"whichever statement fails, the values of a task become one result, once", table, UNIT_SLOW},
           {"whichever statement fails, a result is attached and processed once", result, UNIT_SLOW}, )

/* Ways that a job seldom goes: facts that are missing, files that turn out to be damaged, disks that do not
 * sync, tasks without values. Each ends where a person would look for it.
 *
 * fsync and rename are wrapped (CMakeLists.txt).
 */
#include "job_case.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct job_case c;
static struct lf_error err;
static atomic_int bad_fsyncs, bad_renames; /* so many fail */

static bool fails(atomic_int *left)
{
    if (atomic_load(left) <= 0)
        return false;
    atomic_fetch_sub(left, 1);
    errno = EIO;
    return true;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails(&bad_fsyncs) ? -1 : __real_fsync(fd);
}

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return fails(&bad_renames) ? -1 : __real_renameat(from_dir, from, to_dir, to);
}

static void begin(void)
{
    case_open(&c);
    err = (struct lf_error){0};
    case_start(&c);
}

/* Before the start: a job in the middle of its way. Takes facts. */
static int64_t add(const char *kind, const char *step, const char *route, bool bench, cJSON *facts)
{
    static int number;
    char key[20];
    snprintf(key, sizeof key, "key %d", ++number);
    struct lf_job job = {.kind = (char *)kind,
                         .route = (char *)route,
                         .instrument = (char *)"robot",
                         .key = key,
                         .bench = bench,
                         .fields = facts};
    snprintf(job.step, sizeof job.step, "%s", step);
    NEED(facts && lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(facts);
    return job.id;
}

static int64_t send_file(void)
{
    char path[600];
    int64_t id = 0;
    snprintf(path, sizeof path, "%s/sent", unit_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    NEED(fd >= 0 && pwrite(fd, "A1,5\n", 5, 0) == 5);
    enum lf_status status = lf_jobs_send(c.jobs, "robot", "plate.csv", UNIT_FILE(fd), "cli:maria", &id, &err);
    close(fd);
    return status == LF_OK ? id : 0;
}

/* As a bad disk does. */
static void damage_spool(void)
{
    DIR *dir = opendir(c.config->agent.spool_dir);
    NEED(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[600];
        snprintf(path, sizeof path, "%.300s/%.200s", c.config->agent.spool_dir, entry->d_name);
        if (!strncmp(entry->d_name, "job-", 4))
            NEED(truncate(path, 2) == 0);
    }
    closedir(dir);
}

/* ---- what is missing in the journal ---- */

static void missing_facts(void)
{
    static const struct {
        const char *kind, *step;
    } at[] = {{"deliver", "resolve"}, {"collect", "attach"}, {"collect", "process"}, {"task", "check"}};
    enum { COUNT = sizeof at / sizeof *at };
    int64_t ids[COUNT];
    case_open(&c);
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = add(at[i].kind, at[i].step, i == 3 ? "weigh" : NULL, false, cJSON_CreateObject());
    case_start(&c);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(case_becomes(&c, ids[i], LF_JOB_HELD));
        CHECK_HAS(case_note(&c, ids[i]), "which its step");
    }
    case_close(&c);
}

static void unknown_kind(void)
{
    case_open(&c);
    int64_t id = add("juggle", "run", NULL, true, cJSON_CreateObject());
    struct lf_job job = core_job(c.journal, id);
    job.acting = true;
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "does not know this step. Install");
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", &err), LF_REFUSED);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", &err), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    case_close(&c);
}

static void damaged_row(void)
{
    char path[600];
    sqlite3 *db;
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_busy_timeout(db, 10000) == SQLITE_OK);
    NEED(sqlite3_exec(db, "UPDATE job SET facts = '{broken'", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    int64_t deadline = lf_deadline_in(
        15000); /* whoever reads it takes it for held; the courier keeps it so */
    while (!core_told(c.journal, id, "labferry journal-check") && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(10), NULL);
    CHECK(core_told(c.journal, id, "labferry journal-check"));
    CHECK_INT(fake_cloud_get(&fake_cloud.generators), 0);
    case_close(&c);
}

static void no_such_job(void)
{
    begin();
    CHECK_INT(lf_jobs_retry(c.jobs, 999, "test", &err), LF_NOT_FOUND);
    CHECK_INT(lf_jobs_confirm(c.jobs, 999, NULL, "test", &err), LF_NOT_FOUND);
    CHECK_INT(lf_jobs_cancel(c.jobs, 999, NULL, "test", &err), LF_NOT_FOUND);
    CHECK_INT(lf_jobs_assign(c.jobs, 999, "run_1", NULL, "test", &err), LF_NOT_FOUND);
    CHECK_HAS(err.text, "labferry jobs");
    case_close(&c);
}

static void journal_gone(void)
{
    char path[600], away[620];
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    snprintf(away, sizeof away, "%s.away", path);
    begin();
    NEED(rename(path, away) == 0);
    CHECK_INT(send_file(), 0);
    CHECK_HAS(err.text, "is gone");
    CHECK_INT(lf_jobs_retry(c.jobs, 1, "test", &err), LF_IO);
    CHECK_INT(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &(int64_t){0}, &err), LF_IO);
    CHECK_INT(core_spool_bytes(), 5); /* swept at the next start */
    NEED(rename(away, path) == 0);
    CHECK(case_becomes(&c, send_file(), LF_JOB_DONE));
    case_restart(&c);
    case_start(&c);
    CHECK(case_spool_empties());
    case_close(&c);
}

static void end_while_gone(void)
{
    char path[600], away[620];
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    snprintf(away, sizeof away, "%s.away", path);
    begin();
    pthread_mutex_lock(&fake_cloud.mutex);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_RUNNING));
    NEED(rename(path, away) == 0);
    pthread_mutex_unlock(&fake_cloud.mutex);
    lf_sleep_until(lf_deadline_in(300), NULL); /* it tries to keep what it has found out */
    int64_t before = lf_clock_mono_ms();
    lf_jobs_stop(c.jobs);
    CHECK(lf_clock_mono_ms() - before < 10000);
    NEED(rename(away, path) == 0);
    case_restart(&c);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void too_many_instruments(void)
{
    case_open(&c);
    struct lf_instrument_options options = {.name = "robot", .driver = &fake_driver};
    struct lf_instrument_hooks hooks = {.context = c.jobs, .work = lf_jobs_work};
    struct lf_instrument *last = NULL;
    int count = 1;
    do
        NEED(lf_instrument_open(&options, &hooks, &last, UNIT_ERROR) == LF_OK);
    while (lf_jobs_add_instrument(c.jobs, last, &err) == LF_OK && ++count < 1000);
    CHECK_INT(count, 256);
    CHECK_INT(err.status, LF_FULL);
    lf_instrument_close(last); /* the others are closed with the jobs */
    CHECK_HAS(err.text, "more than 256 instruments");
    case_close(&c);
}

/* The journal takes the job, but not its file. */
static void sent_in_part(void)
{
    char path[600];
    sqlite3 *db;
    begin();
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_busy_timeout(db, 10000) == SQLITE_OK);
    NEED(sqlite3_exec(db,
                      "CREATE TRIGGER refuse BEFORE INSERT ON parcel BEGIN SELECT RAISE (ABORT, 'no'); END",
                      NULL, NULL, NULL)
         == SQLITE_OK);
    sqlite3_close(db);
    CHECK_INT(send_file(), 0);
    struct lf_job job;
    CHECK_INT(lf_journal_job_get(c.journal, 1, &job, UNIT_ERROR), LF_NOT_FOUND);
    CHECK_INT(core_spool_bytes(), 0);
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

/* ---- deliveries ---- */

static void no_file_any_more(void)
{
    case_open(&c);
    fake_cloud.file = NULL;
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_HAS(case_note(&c, id), "no longer has a file");
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void not_as_it_should_be(void)
{
    case_open(&c);
    c.device->verdict = LF_VERDICT_NOT_DONE;
    case_start(&c);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "is not there as expected");
    c.device->verdict = LF_VERDICT_DONE;
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void sent_and_damaged(void)
{
    case_open(&c);
    int64_t id = send_file();
    damage_spool();
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "Cancel the job and send the file again");
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_spool_empties());
    case_close(&c);
}

static void looked_for_there(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    int64_t id = send_file();
    case_killed_while_acting(&c, id, "deliver");
    damage_spool(); /* to look for it, its name is enough */
    c.device->verdict = LF_VERDICT_DONE;
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void expired_and_wanted(void)
{
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    struct lf_job job = core_job(c.journal, id);
    job.expires_mono = 1;
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_EXPIRED));
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static int64_t runs_at_the_bench(enum lf_repeat repeat)
{
    case_open(&c);
    c.device->stuck = true;
    c.device->repeat = repeat;
    case_start(&c);
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &id, &err) == LF_OK);
    NEED(fake_reached(&c.device->acts, 1));
    return id;
}

static void not_cancelled_after_all(void)
{
    int64_t id = runs_at_the_bench(LF_IDEMPOTENT);
    NEED(lf_journal_begin(c.journal, &err) == LF_OK);
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", &err), LF_OK);
    lf_journal_rollback(c.journal);
    c.device->stuck = false;
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK(!core_told(c.journal, id, "asked to stop"));
    case_close(&c);
}

/* As if the process had been killed between the commit and the effect. */
static int64_t cut_short(bool acting)
{
    case_open(&c);
    int64_t id = send_file();
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
    CHECK(case_becomes(&c, id, LF_JOB_DONE)); /* it was carried out once */
    case_close(&c);
}

static void cancelled_at_a_courier(void)
{
    begin();
    pthread_mutex_lock(&fake_cloud.mutex); /* the cloud does not answer yet */
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_RUNNING));
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", &err), LF_BUSY);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "cancel it again in a moment");
    CHECK(!core_told(c.journal, id, "asked to stop"));
    pthread_mutex_unlock(&fake_cloud.mutex);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

static void waiting_is_reported(void)
{
    begin();
    fake_cloud_fail("get_generator", 1000, false, LF_DISCONNECTED, LF_TRANSIENT);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_WAITING));
    struct lf_job job = core_job(c.journal, id);
    CHECK_HAS(lf_job_help(&job), "continues on its own");
    lf_job_free(&job);
    case_close(&c);
}

/* ---- results ---- */

static void sidecars(void)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"{\"run\":\"\"}", "the run found for R.csv is empty"},
        {"{\"run\":\"run_1\\u0007\"}", "the run found for R.csv has control characters"},
        {"{\"config\":\"Reader\"}", "names no \"run\""},
    };
    enum { COUNT = sizeof bad / sizeof *bad };
    int64_t ids[COUNT];
    case_open(&c);
    for (size_t i = 0; i < COUNT; i++) {
        cJSON *facts = cJSON_Parse("{\"file_name\":\"R.csv\"}");
        lf_json_set_text(facts, "sidecar", bad[i].text);
        ids[i] = add("collect", "match", NULL, false, facts);
    }
    case_start(&c);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(case_becomes(&c, ids[i], LF_JOB_HELD));
        CHECK_HAS(case_note(&c, ids[i]), bad[i].why);
    }
    CHECK_INT(fake_cloud.created, 0);
    case_close(&c);
}

static void endless_expression(void)
{
    static const char *const rule[] = {"filename:^R(a+)+b(?<run>.)"};
    case_open(&c);
    struct lf_config_collect *collect = (struct lf_config_collect *)&c.config->instruments[0].collect[0];
    struct lf_texts before = collect->match;
    collect->match = (struct lf_texts){rule, 1};
    int64_t id = add(
        "collect", "match", NULL, false,
        cJSON_Parse("{\"file_name\":\"Raaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bb.csv\"}"));
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "takes too long; simplify it");
    collect->match = before;
    case_close(&c);
}

static void damaged_before_the_match(void)
{
    begin();
    int64_t id = case_result(&c, "C.csv", "nothing\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    damage_spool();
    c.device->bytes = "run=run_7\n"; /* the instrument has written the rest meanwhile */
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "run"), "run_7");
    CHECK_STR(fake_cloud.last_upload, "run=run_7\n");
    case_close(&c);
}

static void uploaded_already(void)
{
    case_open(&c);
    /* Of somebody else, not started: it is not taken over. */
    cJSON_AddItemToArray(
        fake_cloud.processors,
        cJSON_Parse("{\"id\":\"aop_0\",\"run\":\"run_1\",\"config\":\"Reader\",\"status\":\"NOT_STARTED\"}"));
    int64_t id = add(
        "collect", "upload", NULL, false,
        cJSON_Parse("{\"file_name\":\"R.csv\",\"run\":\"run_1\",\"config\":\"Reader\",\"blob\":\"blob_7\"}"));
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_WAITING)); /* for the processing, as one that was uploaded by hand */
    CHECK_INT(fake_cloud.uploads, 0);
    CHECK_INT(fake_cloud.created, 1);
    case_close(&c);
}

static void processed_by_hand(void)
{
    case_open(&c);
    int64_t id = add("collect", "errors", NULL, false,
                     cJSON_Parse("{\"file_name\":\"R.csv\",\"processor\":\"aop_1\"}"));
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE)); /* nothing is archived: no instrument has it */
    CHECK_INT(c.device->files, 0);
    case_close(&c);
}

static void parts_refused(void)
{
    case_open(&c);
    fake_cloud.parts = true;
    case_start(&c);
    fake_cloud_fail("upload_part", 1, false, LF_NOT_FOUND, LF_PERMANENT);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_STR(case_fact(&c, id, "parts_blob"), "");
    CHECK_INT(fake_cloud.aborted, 1);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 2); /* begun anew */
    CHECK_STR(case_fact(&c, id, "blob"), "blob_2");
    CHECK_INT(fake_cloud.created, 1);
    case_close(&c);
}

static void spool_not_kept(atomic_int *bad, const char *word)
{
    begin();
    atomic_store(bad, 1);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_WAITING));
    CHECK_HAS(case_note(&c, id), word);
    CHECK_INT(fake_cloud.uploads, 0);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK(case_spool_empties());
    case_close(&c);
}

static void not_synced(void)
{
    spool_not_kept(&bad_fsyncs, "cannot sync");
}
static void not_renamed(void)
{
    spool_not_kept(&bad_renames, "cannot rename");
}

static void error_file_in_the_way(void)
{
    char path[500];
    case_open(&c);
    int64_t id = add("collect", "errors", NULL, false,
                     cJSON_Parse("{\"file_name\":\"R.csv\",\"error_blob\":\"blob_1\"}"));
    snprintf(path, sizeof path, "%s/errors", c.config->agent.state_dir);
    NEED(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/errors/job-%lld-errors.csv", c.config->agent.state_dir, (long long)id);
    NEED(mkdir(path, 0700) == 0);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "cannot create");
    CHECK_HAS(case_note(&c, id), path);
    NEED(rmdir(path) == 0);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "error_file"), path);
    case_close(&c);
}

static void old_error_files(void)
{
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char dir[400], path[2][500];
    begin();
    int64_t id = case_deliver(&c, "file_1");
    NEED(case_becomes(&c, id, LF_JOB_DONE));
    snprintf(dir, sizeof dir, "%s/errors", c.config->agent.state_dir);
    NEED(mkdir(dir, 0700) == 0);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/job-%lld-errors.csv", dir, (long long)(i ? 999 : id));
        FILE *file = fopen(path[i], "w");
        NEED(file && fclose(file) == 0 && utimensat(AT_FDCWD, path[i], old, 0) == 0);
    }
    lf_jobs_tidy(c.jobs);
    CHECK(access(path[0], F_OK) == 0);
    CHECK(access(path[1], F_OK) != 0);
    case_close(&c);
}

/* ---- tasks ---- */

static void archived(void)
{
    case_open(&c);
    fake_cloud.archived = true;
    case_start(&c);
    int64_t id = case_task(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    CHECK_HAS(case_note(&c, id), "archived");
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void without_values(void)
{
    begin(); /* the device says nothing */
    int64_t id = case_task(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK(core_told(c.journal, id, "the procedure has no values to report"));
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 0);
    CHECK_STR(fake_cloud.task_status, "st_COMPLETED");
    case_close(&c);
}

static void by_their_names(void)
{
    case_open(&c);
    struct lf_config_route *route = (struct lf_config_route *)&c.config->routes[1];
    size_t count = route->output_count;
    route->output_count = 0;
    int64_t id = add("task", "report", "weigh", false,
                     cJSON_Parse("{\"workflow_task\":\"wft_1\",\"captures\":[{\"name\":\"weight\",\"type\":"
                                 "\"real\",\"value\":\"1.50\"},"
                                 "{\"name\":\"stable\",\"type\":\"bool\",\"value\":\"true\"},"
                                 "{\"name\":\"empty\",\"type\":\"bool\",\"value\":\"false\"}]}"));
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    char *text = lf_json_print(lf_json_at(cJSON_GetArrayItem(fake_cloud.outputs, 0), "fields"));
    CHECK_STR(text, "{\"weight\":{\"value\":1.5},\"stable\":{\"value\":true},\"empty\":{\"value\":false}}");
    free(text);
    route->output_count = count;
    case_close(&c);
}

/* Facts of a task that reports a file, with so many inputs and captures. */
static cJSON *many(int inputs, int captures)
{
    char name[20];
    cJSON *facts = cJSON_Parse(
        "{\"workflow_task\":\"wft_1\",\"run\":\"run_1\",\"display\":\"T-1\",\"procedure\":\"weigh\"}");
    cJSON *in = cJSON_AddObjectToObject(facts, "inputs"), *out = cJSON_AddArrayToObject(facts, "captures");
    for (int i = 0; i < inputs; i++) {
        snprintf(name, sizeof name, "i%d", i);
        cJSON_AddStringToObject(in, name, "x");
    }
    for (int i = 0; i < captures; i++) {
        cJSON *entry = cJSON_CreateObject();
        snprintf(name, sizeof name, "c%d", i);
        cJSON_AddStringToObject(entry, "name", name);
        cJSON_AddStringToObject(entry, "value", "1");
        cJSON_AddItemToArray(out, entry);
    }
    return facts;
}

static void too_many_values(void)
{
    static const struct {
        const char *step, *why;
        int inputs, captures;
    } at[] = {{"report", "at most 64 columns", 65, 1},
              {"report", "at most 64 columns", 60, 5},
              {"run", "at most 64 inputs", 65, 0}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        case_open(&c);
        int64_t id = add("task", at[i].step, "table", !strcmp(at[i].step, "run"),
                         many(at[i].inputs, at[i].captures));
        case_start(&c);
        CHECK(case_becomes(&c, id, i == 2 ? LF_JOB_FAILED : LF_JOB_HELD));
        CHECK_HAS(case_note(&c, id), at[i].why);
        CHECK_INT(c.device->acts, 0);
        case_close(&c);
    }
}

static void name_of_the_values(void)
{
    case_open(&c);
    fake_cloud.display = "a/b";
    c.device->says = "1";
    case_start(&c);
    int64_t task = case_task(&c, "table");
    CHECK(case_becomes(&c, task, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, task + 1, "file_name"), "job-1.csv");
    case_close(&c);
}

UNIT_TESTS(
    "job, seldom ways", {"a job whose facts are missing is held, and says what is missing", missing_facts},
    {"a job of a kind that this version does not know is held, and can be cancelled", unknown_kind},
    {"a job whose row is damaged is held with what to do, and nothing is done for it", damaged_row},
    {"whatever is asked of a job that does not exist is refused, saying where the jobs are listed",
     no_such_job},
    {"while the journal is gone nothing is taken from an operator, and says so", journal_gone},
    {"the agent ends although it cannot keep what it has just found out, and finds it out again",
     end_while_gone},
    {"more instruments than there is room for are refused", too_many_instruments},
    {"a sent file that the journal does not take leaves neither a job nor a file", sent_in_part},
    {"a generator that has lost its file ends the delivery without an action", no_file_any_more},
    {"a file that is not on the instrument as it should be is held, and not delivered again by itself",
     not_as_it_should_be},
    {"a sent file that is damaged in the spool is not delivered; it must be sent again", sent_and_damaged},
    {"killed while delivering, what became of it is asked of the instrument, even if the spool is damaged",
     looked_for_there},
    {"an expired job is done once a person wants it all the same", expired_and_wanted},
    {"what cannot be stopped right now is told so, and its history does not claim otherwise",
     cancelled_at_a_courier},
    {"a cancel that is rolled back stops nothing on the instrument", not_cancelled_after_all},
    {"a cancel that a crash cut short is carried out at the next start", cancelled_by_the_next_start},
    {"if the action had begun by then, the job is held", held_by_the_next_start},
    {"a waiting job tells that it goes on by itself", waiting_is_reported},
    {"a sidecar with a run that cannot be one holds the result, with why", sidecars},
    {"a regular expression without an end holds the result instead of the agent", endless_expression},
    {"a result damaged in the spool before its run was known is taken from the instrument anew",
     damaged_before_the_match},
    {"what is uploaded is not uploaded again", uploaded_already},
    {"what was uploaded by hand ends with its processing, and nothing is archived for it", processed_by_hand},
    {"an upload in parts that the cloud refuses is given up there, and begun anew by a retry", parts_refused},
    {"a result that could not be synced to the disk is not called kept, and is taken again", not_synced},
    {"a result that could not get its name in the spool is taken again", not_renamed},
    {"where the file with the refused rows cannot be made, the job is held and says where",
     error_file_in_the_way},
    {"old files with refused rows leave with their job, and not before", old_error_files},
    {"an archived task is left alone", archived},
    {"a task whose procedure gives no values is completed, without an output", without_values},
    {"without a list of outputs, values are reported under their own names", by_their_names},
    {"more values than a file or a procedure takes are refused, none is left out in silence",
     too_many_values},
    {"values of a task whose name is no file name are named after the job", name_of_the_values}, )

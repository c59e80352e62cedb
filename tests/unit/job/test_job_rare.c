/* Rare cases: missing fields, damaged files, disks that do not sync, tasks without values. Each ends where a
 * person looks for it.
 *
 * fsync and rename are wrapped (CMakeLists.txt).
 */
#include "job_case.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct job_case c;
static struct lf_error err;
static atomic_int bad_fsyncs, bad_renames; /* how many fail from now on */

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

/* Before the start: a job in the middle of its way. Takes fields. */
static int64_t add(const char *kind, const char *step, const char *route, bool bench, cJSON *fields)
{
    static int number;
    char key[20];
    snprintf(key, sizeof key, "key %d", ++number);
    struct lf_job job = {.kind = (char *)kind,
                         .route = (char *)route,
                         .instrument = (char *)"robot",
                         .key = key,
                         .bench = bench,
                         .fields = fields};
    snprintf(job.step, sizeof job.step, "%s", step);
    NEED(fields && lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(fields);
    return job.id;
}

static int64_t send_file(void)
{
    int64_t id = 0;
    return case_send(&c, "robot", "plate.csv", &id, &err) == LF_OK ? id : 0;
}

/* ---- a job in the middle of its way ---- */

#define RESULT "{\"file_name\":\"R.csv\"}"
#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10
#define TABLE "{\"workflow_task\":\"wft_1\",\"run\":\"run_1\",\"display\":\"T-1\",\"procedure\":\"weigh\"}"

static const struct {
    struct unit_row row;
    /* Set up: a job of this kind and route, at this step, with these fields and what is added to them. */
    struct {
        const char *kind, *step, *route, *fields;
    } job;
    const char *sidecar;
    struct {
        int inputs, captures; /* so many */
    } many;
    /* Expected: of the job, of the cloud. No row acts, uploads or archives. */
    struct {
        enum lf_job_state state;
        const char *says;
    } becomes;
    int created;
    const char *output;
} midway[] = {
    {{"a delivery without its generator is held, and says so"},
     {"deliver", "resolve", NULL, "{}"},
     .becomes = {LF_JOB_HELD, "has no generator, which its step"}},
    {{"a result without its run is held before it is attached, and says so"},
     {"collect", "attach", NULL, "{}"},
     .becomes = {LF_JOB_HELD, "has no run, which its step"}},
    {{"a result without its processor is held before it is processed, and says so"},
     {"collect", "process", NULL, "{}"},
     .becomes = {LF_JOB_HELD, "has no processor, which its step"}},
    {{"a task without its workflow task is held, and says so"},
     {"task", "check", "weigh", "{}"},
     .becomes = {LF_JOB_HELD, "has no workflow_task, which its step"}},

    {{"a sidecar with an empty run holds the result with the reason"},
     {"collect", "match", NULL, RESULT},
     .sidecar = "{\"run\":\"\"}",
     .becomes = {LF_JOB_HELD, "the run found for R.csv is empty"}},
    {{"a sidecar with control characters in the run holds the result with the reason"},
     {"collect", "match", NULL, RESULT},
     .sidecar = "{\"run\":\"run_1\\u0007\"}",
     .becomes = {LF_JOB_HELD, "the run found for R.csv has control characters"}},
    {{"a configuration in the file name that is too long holds the result, and no other is taken for it"},
     {"collect", "match", NULL, "{\"file_name\":\"N-run_1-" A100 A100 ".csv\"}"},
     .becomes = {LF_JOB_HELD, "is too long. Name the run: `labferry assign 1 RUN CONFIG`"}},
    {{"a sidecar without a run holds the result with the reason"},
     {"collect", "match", NULL, RESULT},
     .sidecar = "{\"config\":\"Reader\"}",
     .becomes = {LF_JOB_HELD, "names no \"run\""}},
    {{"a sidecar that is not JSON holds the result with the reason"},
     {"collect", "match", NULL, RESULT},
     .sidecar = "run_1",
     .becomes = {LF_JOB_HELD, "cannot be read: not JSON"}},
    {{"a regular expression that never ends holds the result, not the agent"},
     {"collect", "match", NULL,
      "{\"file_name\":\"Eaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bb.csv\"}"},
     .becomes = {LF_JOB_HELD, "takes too long; simplify it"}},
    {{"an uploaded result is not uploaded again, and does not take over another's processor"},
     {"collect", "upload", NULL,
      "{\"file_name\":\"R.csv\",\"run\":\"run_1\",\"config\":\"Reader\",\"blob\":\"blob_7\"}"},
     .becomes = {LF_JOB_WAITING, "is processing it"},
     .created = 1},
    {{"a job for an upload by hand ends with its processing, and archives nothing"},
     {"collect", "errors", NULL, RESULT},
     .becomes = {LF_JOB_DONE, ""}},

    {{"more inputs than a result file has columns are refused, none is left out"},
     {"task", "report", "table", TABLE},
     .many = {65, 1},
     .becomes = {LF_JOB_HELD, "at most 64 columns"}},
    {{"more values than a result file has columns are refused, none is left out"},
     {"task", "report", "table", TABLE},
     .many = {60, 5},
     .becomes = {LF_JOB_HELD, "at most 64 columns"}},
    {{"more inputs than a procedure takes are refused, none is left out"},
     {"task", "run", "table", "{\"procedure\":\"weigh\",\"unchecked\":true}"},
     .many = {65, 0},
     .becomes = {LF_JOB_FAILED, "at most 64 inputs"}},
    {{"without a list of outputs, values are reported under their own names"},
     {"task", "report", "names",
      "{\"workflow_task\":\"wft_1\",\"captures\":[{\"name\":\"weight\",\"type\":\"real\",\"value\":\"1.50\"},"
      "{\"name\":\"stable\",\"type\":\"bool\",\"value\":\"true\"},"
      "{\"name\":\"empty\",\"type\":\"bool\",\"value\":\"false\"}]}"},
     .becomes = {LF_JOB_DONE, ""},
     .output = "{\"weight\":{\"value\":1.5},\"stable\":{\"value\":true},\"empty\":{\"value\":false}}"},
};

static cJSON *fields_of(const typeof(*midway) *row)
{
    char name[20];
    cJSON *fields = cJSON_Parse(row->job.fields), *in = cJSON_CreateObject(), *out = cJSON_CreateArray();
    for (int i = 0; i < row->many.inputs; i++) {
        snprintf(name, sizeof name, "i%d", i);
        lf_json_set_text(in, name, "x");
    }
    for (int i = 0; i < row->many.captures; i++) {
        cJSON *entry = cJSON_CreateObject();
        snprintf(name, sizeof name, "c%d", i);
        NEED(lf_json_set_text(entry, "name", name) && lf_json_set_text(entry, "value", "1"));
        cJSON_AddItemToArray(out, entry);
    }
    if (row->sidecar)
        lf_json_set_text(fields, "sidecar", row->sidecar);
    if (row->many.inputs)
        NEED(lf_json_set(fields, "inputs", in) && lf_json_set(fields, "captures", out));
    else
        cJSON_Delete(in), cJSON_Delete(out);
    return fields;
}

static void from_the_middle(void)
{
    const typeof(*midway) *row = unit_row();
    case_open(&c);
    /* Somebody else's, not started. */
    cJSON_AddItemToArray(
        fake_cloud.processors,
        cJSON_Parse("{\"id\":\"aop_0\",\"run\":\"run_1\",\"config\":\"Reader\",\"status\":\"NOT_STARTED\"}"));
    int64_t id = add(row->job.kind, row->job.step, row->job.route, !strcmp(row->job.step, "run"),
                     fields_of(row));
    case_start(&c);
    CHECK(case_says(&c, id, row->becomes.state, row->becomes.says));
    if (row->output) {
        char *text = lf_json_print(lf_json_at(cJSON_GetArrayItem(fake_cloud.outputs, 0), "fields"));
        CHECK_STR(text, row->output);
        free(text);
    }
    CHECK_INT(fake_cloud.created, row->created);
    CHECK_INT(fake_cloud.uploads, 0);
    CHECK_INT(c.device->acts, 0);
    CHECK_INT(c.device->files, 0);
    case_close(&c);
}

/* ---- a delivery or a task from its start ---- */

static void generator_without_file(void)
{
    fake_cloud.file = NULL;
}

static void task_archived(void)
{
    fake_cloud.archived = true;
}

static void not_there(void)
{
    c.device->verdict = LF_VERDICT_NOT_DONE;
}

static void there_after_all(int64_t id)
{
    c.device->verdict = LF_VERDICT_DONE;
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
}

static void cloud_away(void)
{
    fake_cloud_fail("get_generator", 1000, false, LF_DISCONNECTED, LF_TRANSIENT);
}

static void cloud_back(int64_t id)
{
    (void)id;
    fake_cloud_fail(NULL, 0, false, LF_OK, LF_CLASS_NONE);
    UNIT_TIME_PASSES(60000);
}

static const struct {
    struct unit_row row;
    void (*set_up)(void);
    const char *task; /* its route; NULL: a delivery */
    struct {
        enum lf_job_state state;
        const char *says, *help;
    } becomes;
    void (*fixed)(int64_t id); /* then it is done; NULL: this is its end */
    int acts;
    const char *task_status;
} starts[] = {
    {{"a generator that has lost its file ends the delivery without an action"},
     .set_up = generator_without_file,
     .becomes = {LF_JOB_CANCELLED, "no longer has a file", ""}},
    {{"an archived task is left alone"},
     .set_up = task_archived,
     .task = "weigh",
     .becomes = {LF_JOB_CANCELLED, "archived", ""},
     .task_status = "st_TODO"},
    {{"a task whose procedure captures no values is completed, without an output"},
     .task = "names",
     .becomes = {LF_JOB_DONE, "done", ""},
     .acts = 1,
     .task_status = "st_COMPLETED"},
    {{"a task is not completed without a value that its route names"},
     .task = "weigh",
     .becomes = {LF_JOB_HELD, "gave no \"weight\" for the field \"Mass\"", "retry"},
     .acts = 1,
     .task_status = "st_IN_PROGRESS"},
    {{"a file that is not on the instrument as it should be is held, and not delivered again by a retry"},
     .set_up = not_there,
     .becomes = {LF_JOB_HELD, "is not there as expected", "retry"},
     .fixed = there_after_all,
     .acts = 1},
    {{"a waiting job says that it continues on its own, and does"},
     .set_up = cloud_away,
     .becomes = {LF_JOB_WAITING, "the cloud says no", "continues on its own"},
     .fixed = cloud_back,
     .acts = 1},
};

static void from_the_start(void)
{
    const typeof(*starts) *row = unit_row();
    case_open(&c);
    if (row->set_up)
        row->set_up();
    case_start(&c);
    int64_t id = row->task ? case_task(&c, row->task) : case_deliver(&c, "file_1");
    CHECK(case_says(&c, id, row->becomes.state, row->becomes.says));
    struct lf_job job = core_job(c.journal, id);
    CHECK_HAS(lf_job_help(&job), row->becomes.help);
    lf_job_free(&job);
    if (row->fixed) {
        row->fixed(id);
        CHECK(case_becomes(&c, id, LF_JOB_DONE));
    }
    CHECK_INT(c.device->acts, row->acts);
    if (row->task)
        CHECK_STR(fake_cloud.task_status, row->task_status);
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 0);
    case_close(&c);
}

/* ---- the journal ---- */

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

static void unknown_step(void)
{
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    struct lf_job job = core_job(c.journal, id);
    snprintf(job.step, sizeof job.step, "teleport");
    case_save(&c, &job);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "does not know this step");
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    case_close(&c);
}

static void unknown_kind(void)
{
    case_open(&c);
    int64_t id = add("juggle", "run", NULL, true, cJSON_CreateObject());
    struct lf_job job = core_job(c.journal, id);
    job.acting = true;
    case_save(&c, &job);
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
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    core_sql("UPDATE job SET facts = '{broken'");
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    /* Every reader sees it as held; a courier saves it as held. */
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    while (!core_history_has(c.journal, id, "labferry journal-check") && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(10), NULL);
    CHECK(core_history_has(c.journal, id, "labferry journal-check"));
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
    begin();
    core_move_journal(true);
    CHECK_INT(send_file(), 0);
    CHECK_HAS(err.text, "is gone");
    CHECK_INT(lf_jobs_retry(c.jobs, 1, "test", &err), LF_IO);
    CHECK_INT(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &(int64_t){0}, &err), LF_IO);
    CHECK_INT(core_spool_bytes(), 5); /* swept at the next start */
    core_move_journal(false);
    CHECK(case_becomes(&c, send_file(), LF_JOB_DONE));
    case_restart(&c);
    case_start(&c);
    CHECK(case_spool_empties());
    case_close(&c);
}

static void end_while_gone(void)
{
    begin();
    pthread_mutex_lock(&fake_cloud.mutex);
    int64_t id = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, id, LF_JOB_RUNNING));
    core_move_journal(true);
    pthread_mutex_unlock(&fake_cloud.mutex);
    lf_sleep_until(lf_deadline_in(300), NULL); /* it tries to save what it has found out */
    int64_t before = lf_clock_mono_ms();
    lf_jobs_stop(c.jobs);
    CHECK(lf_clock_mono_ms() - before < 10000);
    core_move_journal(false);
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
    begin();
    core_sql("CREATE TRIGGER refuse BEFORE INSERT ON parcel BEGIN SELECT RAISE (ABORT, 'no'); END");
    CHECK_INT(send_file(), 0);
    struct lf_job job;
    CHECK_INT(lf_journal_job_get(c.journal, 1, &job, UNIT_ERROR), LF_NOT_FOUND);
    CHECK_INT(core_spool_bytes(), 0);
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

/* ---- deliveries ---- */

static void sent_and_damaged(void)
{
    case_open(&c);
    int64_t id = send_file();
    case_damage_spool(&c, id);
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
    case_damage_spool(&c, id); /* its name is enough to look for it */
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
    NEED(lf_job_set_int(&job, LF_JOB_HAPPENED, 1, UNIT_ERROR)
         == LF_OK); /* long ago; a retry counts from its own time */
    case_save(&c, &job);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_EXPIRED));
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

/* The action has not begun, so there is no doubt about it. */
static void not_noted_not_done(void)
{
    int64_t id = 0;
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->verdict = LF_VERDICT_UNKNOWN;
    core_sql("CREATE TRIGGER no BEFORE INSERT ON audit WHEN NEW.what = 'acting'"
             " BEGIN SELECT RAISE(ABORT, 'no'); END");
    case_start(&c);
    id = case_run(&c, "weigh");
    CHECK(case_becomes(&c, id, LF_JOB_FAILED)); /* the trigger's error is permanent */
    struct lf_job job = core_job(c.journal, id);
    CHECK(!job.acting);
    lf_job_free(&job);
    CHECK_INT(c.device->acts, 0);
    core_sql("DROP TRIGGER no");
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    case_close(&c);
}

static void retry_starts_over(void)
{
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    struct lf_job job = core_job(c.journal, id);
    job.state = LF_JOB_HELD;
    job.attempt = 7; /* the next failure would wait for long */
    case_save(&c, &job);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    job = core_job(c.journal, id);
    CHECK_INT(job.state, LF_JOB_READY);
    CHECK_INT(job.attempt, 0);
    lf_job_free(&job);
    case_close(&c);
}

/* ---- results ---- */

static const struct {
    struct unit_row row;
    atomic_int *fails;
    const char *says;
} bad_disk[] = {
    {{"a result that cannot be synced to the disk does not count as saved, and is read again"},
     &bad_fsyncs,
     "cannot sync"},
    {{"a result that cannot get its name in the spool is read again"}, &bad_renames, "cannot rename"},
};

static void spooled_again(void)
{
    const typeof(*bad_disk) *row = unit_row();
    begin();
    atomic_store(row->fails, 1000);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    CHECK(case_says(&c, id, LF_JOB_WAITING, row->says));
    CHECK_INT(fake_cloud.uploads, 0);
    atomic_store(row->fails, 0);
    UNIT_TIME_PASSES(60000);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK(c.device->takes >= 2);
    CHECK(case_spool_empties());
    case_close(&c);
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
    "job, rare cases", UNIT_ROWS(midway, from_the_middle), UNIT_ROWS(starts, from_the_start),
    UNIT_ROWS(bad_disk, spooled_again),
    {"a job whose instrument has left the configuration is held, not forgotten", orphan_is_held},
    {"a job at a step that this version does not know is held", unknown_step},
    {"a job of a kind that this version does not know is held, and can be cancelled", unknown_kind},
    {"a job whose row is damaged is held with what to do, and nothing is done for it", damaged_row},
    {"a verb for a job that does not exist is refused, and says where the jobs are listed", no_such_job},
    {"while the journal is gone nothing is accepted from an operator, with the reason", journal_gone},
    {"the agent ends even if it cannot save what it has just found out, and finds it out again",
     end_while_gone},
    {"more instruments than fit are refused", too_many_instruments},
    {"a sent file that the journal does not take leaves neither a job nor a file", sent_in_part},
    {"a sent file that is damaged in the spool is not delivered; it must be sent again", sent_and_damaged},
    {"killed while delivering, the instrument is asked for the outcome even if the spool is damaged",
     looked_for_there},
    {"an expired job runs if a person still wants it", expired_and_wanted},
    {"a retry counts its attempts from the beginning", retry_starts_over},
    {"what cannot be noted as about to act is not done, and not in doubt", not_noted_not_done},
    {"if the file with the failed rows cannot be made, the job is held and says where",
     error_file_in_the_way},
    {"old files with failed rows are removed with their job, and not before", old_error_files},
    {"if the name of a task is not a file name, its values are named after the job", name_of_the_values}, )

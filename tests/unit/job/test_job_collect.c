/* Results on their way to the cloud: none lost, none twice, none by guess. */
#include "job_case.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct job_case c;

static void begin(void)
{
    case_open(&c);
    case_start(&c);
}

static void result_goes_up(void)
{
    begin();
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "run"), "run_1");
    CHECK_STR(case_fact(&c, id, "config"), "Reader");
    CHECK_STR(fake_cloud.last_upload, "A1,0.5\n");
    CHECK_INT(fake_cloud.created, 1);
    CHECK_INT(fake_cloud.started, 1);
    CHECK_INT(c.device->files, 1);
    CHECK_HAS(case_note(&c, id), "3 rows succeeded");
    CHECK(case_spool_empties());
    case_close(&c);
}

/* ---- answers that are lost ---- */

static void lost_answer(const char *call)
{
    begin();
    fake_cloud_fail(call, 1, true, LF_TIMEOUT, LF_UNKNOWN_OUTCOME);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud.created, 1);
    CHECK_INT(fake_cloud_size(&fake_cloud.processors), 1);
    CHECK_INT(fake_cloud.started, 1);
    case_close(&c);
}

static void create_answer_lost(void)
{
    lost_answer("create_processor");
}

static void process_answer_lost(void)
{
    lost_answer("process");
}

static void killed_after_create(void)
{
    begin();
    fake_cloud_fail("create_processor", 1, true, LF_TIMEOUT, LF_UNKNOWN_OUTCOME);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    case_restart(&c);
    struct lf_job job = core_job(c.journal, id);
    job.state = LF_JOB_READY;
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud.created, 1);
    CHECK_INT(fake_cloud.uploads, 1);
    case_close(&c);
}

static void refused_is_held(void)
{
    begin();
    fake_cloud_fail("create_processor", 1, false, LF_REFUSED, LF_PERMANENT);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD)); /* a result never fails on its own */
    CHECK_INT(c.device->files, 0);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 1);
    case_close(&c);
}

static void processing_failed(void)
{
    begin();
    fake_cloud.processed = "FAILED";
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR); /* look now, not in ten seconds */
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "could not process");
    CHECK_INT(c.device->files, 0);
    case_close(&c);
}

/* ---- seen twice ---- */

static void same_content(void)
{
    begin();
    int64_t first = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, first, LF_JOB_DONE));
    int64_t second = case_result(&c, "R-run_1.csv", "A1,0.5\n",
                                 2); /* touched: a new version of the same bytes */
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 1);
    CHECK_HAS(case_note(&c, second), "not uploaded again");
    CHECK_INT(c.device->files, 2);
    case_close(&c);
}

/* Two blank plates: the same bytes, two results. */
static void same_content_other_run(void)
{
    begin();
    int64_t first = case_result(&c, "R-run_1.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, first, LF_JOB_DONE));
    int64_t second = case_result(&c, "R-run_2.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 2);
    CHECK_INT(fake_cloud.created, 2);
    case_close(&c);
}

/* The first is stopped before it is attached: whether the second is needed, nobody knows yet. */
static void same_content_waits(void)
{
    begin();
    fake_cloud_fail("upload_blob", 1, false, LF_IO, LF_PERMANENT);
    int64_t first = case_result(&c, "R-run_1.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, first, LF_JOB_HELD));
    int64_t second = case_result(&c, "R-run_1-copy.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, second, LF_JOB_WAITING));
    CHECK_HAS(case_note(&c, second), "the same content");
    CHECK_INT(lf_jobs_cancel(c.jobs, first, "", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 1);
    CHECK_INT(fake_cloud.created, 1);
    case_close(&c);
}

static void count_line(void *context, int64_t at_ms, const char *who, const char *text)
{
    (void)at_ms;
    (void)who;
    (void)text;
    (*(int *)context)++;
}

static int history_lines(int64_t id)
{
    int lines = 0;
    NEED(lf_journal_history_list(c.journal, id, count_line, &lines, UNIT_ERROR) == LF_OK);
    return lines;
}

static int64_t due_at(int64_t id)
{
    struct lf_job job = core_job(c.journal, id);
    int64_t due = job.due_mono;
    lf_job_free(&job);
    return due;
}

/* Lets time pass until the job is due, and waits until it has looked and is due again. */
static void looks_again(int64_t id)
{
    int64_t due = due_at(id), end = lf_deadline_in(UNIT_SOON_MS);
    UNIT_TIME_PASSES(lf_deadline_left(due));
    while (due_at(id) == due && !lf_deadline_passed(end))
        lf_sleep_until(lf_deadline_in(1), NULL);
    CHECK(due_at(id) > due);
}

/* It looks every two seconds whether it can go on, and may do so for a week. */
static void waits_silently(void)
{
    UNIT_TIME_PASSES(0);
    begin();
    fake_cloud_fail("upload_blob", 1, false, LF_IO, LF_PERMANENT);
    int64_t first = case_result(&c, "R-run_1.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, first, LF_JOB_HELD));
    int64_t second = case_result(&c, "R-run_1-copy.csv", "A1,0\n", 1);
    CHECK(case_becomes(&c, second, LF_JOB_WAITING));
    int lines = history_lines(second);
    for (int look = 0; look < 3; look++)
        looks_again(second);
    CHECK(case_becomes(&c, second, LF_JOB_WAITING));
    CHECK_INT(history_lines(second), lines);
    case_close(&c);
}

static void said_twice(void)
{
    begin();
    c.device->as_data = true;
    int64_t first = case_result(&c, "R-run_1-a.csv", "S S 12.34 g\n", 1);
    CHECK(case_becomes(&c, first, LF_JOB_DONE));
    int64_t second = case_result(&c, "R-run_1-b.csv", "S S 12.34 g\n",
                                 1); /* weighed again: the same weight */
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 2);
    CHECK_INT(fake_cloud.created, 2);
    CHECK_INT(c.device->takes, 0);
    case_close(&c);
}

static void told_again(void)
{
    begin();
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_DONE));
    case_restart(&c);
    case_start(&c);
    c.device->result = "R-run_1.csv"; /* a scan after the restart sees it again */
    for (int i = 0; i < 500 && c.device->result; i++) {
        lf_instrument_kick(c.robot);
        lf_sleep_until(lf_deadline_in(10), NULL);
    }
    CHECK(c.device->result == NULL); /* taken note of */
    CHECK_INT(core_count(lf_journal_job_counts(c.journal, NULL), "done"), 1);
    CHECK_INT(fake_cloud.uploads, 1);
    case_close(&c);
}

static void newer_version(void)
{
    begin();
    fake_cloud_fail("process", 1, false, LF_IO,
                    LF_PERMANENT); /* the first one stops before it is processed */
    int64_t first = case_result(&c, "R-run_1.csv", "half", 1);
    NEED(case_becomes(&c, first, LF_JOB_HELD));
    int64_t second = case_result(&c, "R-run_1.csv", "whole", 2);
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK_INT(fake_cloud.created, 1);
    CHECK_INT(fake_cloud.replaced, 1);
    case_close(&c);
}

static void same_name_other_file(void)
{
    begin();
    fake_cloud_fail("process", 1, false, LF_IO, LF_PERMANENT);
    int64_t first = case_result(&c, "R-run_1.csv", "one", 1);
    NEED(case_becomes(&c, first, LF_JOB_HELD));
    /* Another file of the same run (the cloud knows both as r.csv): it must not take the first one's place.
     */
    int64_t second = case_result(&c, "R-run_1-other.csv", "two", 1);
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK_INT(fake_cloud.created, 2);
    CHECK_INT(fake_cloud.replaced, 0);
    case_close(&c);
}

static void changed_while_read(void)
{
    case_open(&c);
    lf_instrument_pause(c.robot, "test");
    case_start(&c);
    int64_t first = case_result(&c, "R-run_1.csv", "half", 1);
    c.device->version = 2;
    lf_instrument_resume(c.robot);
    CHECK(case_becomes(&c, first, LF_JOB_CANCELLED));
    int64_t second = case_result(&c, "R-run_1.csv", "whole", 2);
    CHECK(case_becomes(&c, second, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 1);
    CHECK_STR(fake_cloud.last_upload, "whole");
    case_close(&c);
}

static void gone_and_back(void)
{
    case_open(&c);
    lf_instrument_pause(c.robot, "test");
    case_start(&c);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    c.device->bytes = NULL;
    lf_instrument_resume(c.robot);
    CHECK(case_becomes(&c, id, LF_JOB_CANCELLED));
    c.device->bytes = "A1,0.5\n";
    c.device->result = "R-run_1.csv";
    lf_instrument_kick(c.robot);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(fake_cloud.uploads, 1);
    CHECK_STR(fake_cloud.last_upload, "A1,0.5\n");
    case_close(&c);
}

/* Done, gone, and put back: as long as it lies there it must not become a second job. */
static void done_and_back(void)
{
    int64_t dropped = 0;
    begin();
    c.device->file_status = LF_BUSY;
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    c.device->bytes = NULL;
    c.device->file_status = LF_OK;
    NEED(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR) == LF_OK);
    NEED(case_becomes(&c, id, LF_JOB_DONE));
    struct lf_finding again = {.id = "R-run_1.csv", .version = "1", .name = "R-run_1.csv"};
    NEED(lf_jobs_found(c.jobs, c.robot, &again, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_prune(c.journal, -3600000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_finding_job(c.journal, "robot", "R-run_1.csv", "1"), id);
    CHECK_INT(fake_cloud.uploads, 1);
    case_close(&c);
}

/* ---- spool ---- */

static void damaged_spool(void)
{
    begin();
    fake_cloud_fail("upload_blob", 1, false, LF_IO, LF_PERMANENT);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    char path[600];
    snprintf(path, sizeof path, "%s/job-%lld", c.config->agent.spool_dir, (long long)id);
    NEED(truncate(path, 2) == 0);
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->takes, 2);
    CHECK_STR(fake_cloud.last_upload, "A1,0.5\n");
    case_close(&c);
}

/* What was archived may leave the journal; what still lies there would be taken for a new result. */
static void leaves_when_archived(bool archived)
{
    int64_t dropped = 0;
    begin();
    c.device->file_status = LF_BUSY; /* so that it waits there */
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    if (archived)
        c.device->bytes = NULL;
    c.device->file_status = LF_OK;
    NEED(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR) == LF_OK);
    NEED(case_becomes(&c, id, LF_JOB_DONE));
    NEED(lf_journal_finding_job(c.journal, "robot", "R-run_1.csv", "1") == id);
    NEED(lf_journal_prune(c.journal, -3600000, &dropped, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_finding_job(c.journal, "robot", "R-run_1.csv", "1"), archived ? 0 : id);
    case_close(&c);
}

static void archived_leaves(void)
{
    leaves_when_archived(true);
    leaves_when_archived(false);
}

static void damaged_and_gone(void)
{
    begin();
    fake_cloud_fail("upload_blob", 1, false, LF_IO, LF_PERMANENT);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    char path[600];
    snprintf(path, sizeof path, "%s/job-%lld", c.config->agent.spool_dir, (long long)id);
    NEED(unlink(path) == 0);
    c.device->bytes = NULL;
    CHECK_INT(lf_jobs_retry(c.jobs, id, "test", UNIT_ERROR), LF_OK);
    lf_sleep_until(lf_deadline_in(300), NULL);
    CHECK(case_becomes(&c, id, LF_JOB_HELD)); /* a person may have a copy; nothing is given up in silence */
    CHECK_HAS(case_note(&c, id), "Restore");
    case_close(&c);
}

/* ---- which run? ---- */

static void no_match(void)
{
    begin();
    int64_t id = case_result(&c, "R-unknown.csv", "A1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "tried: filename:");
    CHECK_HAS(case_note(&c, id), "labferry assign");
    CHECK_INT(fake_cloud.uploads, 0);
    struct lf_error err = {0};
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", &err), LF_REFUSED);
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_7", NULL, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "run"), "run_7");
    CHECK_STR(case_fact(&c, id, "assigned"), "maria");
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_8", NULL, "maria", &err), LF_REFUSED);
    case_close(&c);
}

static void no_rule(void)
{
    begin();
    int64_t id = case_result(&c, "Z.csv", "A1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "collect list");
    case_close(&c);
}

static void run_unknown_to_the_cloud(void)
{
    begin();
    int64_t id = case_result(&c, "R-unknown.csv", "A1\n", 1);
    NEED(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(lf_jobs_assign(c.jobs, id, "nonsense", NULL, "maria", UNIT_ERROR), LF_OK);
    lf_sleep_until(lf_deadline_in(300), NULL);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "no run nonsense");
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_2", NULL, "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

static void by_content(void)
{
    begin();
    int64_t id = case_result(&c, "C.csv", "# made by reader\nrun=run_5\nA1,1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "run"), "run_5");
    CHECK_INT(fake_cloud.created, 1);
    CHECK_INT(fake_cloud.started, 0); /* process = false */
    case_close(&c);
}

static void by_last_job(void)
{
    begin();
    int64_t early = case_result(&c, "L0.csv", "before any worklist\n", 1);
    CHECK(case_becomes(&c, early, LF_JOB_HELD));
    /* The delivery cannot be confirmed yet, but the instrument has the file and has made its result of it. */
    c.device->verdict = LF_VERDICT_UNKNOWN;
    c.device->verify_status = LF_IO;
    c.device->verify_class = LF_TRANSIENT;
    int64_t deliver = case_deliver(&c, "file_1");
    NEED(fake_reached(&c.device->verifies, 1));
    int64_t id = case_result(&c, "L1.csv", "A1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "run"), "run_1");
    c.device->verify_status = LF_OK;
    c.device->verdict = LF_VERDICT_DONE;
    CHECK(case_becomes(&c, deliver, LF_JOB_DONE));
    case_close(&c);
}

static void delivery_in_doubt(void)
{
    begin();
    int64_t first = case_deliver(&c, "file_1");
    NEED(case_becomes(&c, first, LF_JOB_DONE));
    c.device->act_status = LF_IO;
    c.device->act_class = LF_UNKNOWN_OUTCOME;
    fake_cloud.file = "file_2";
    int64_t doubtful = case_deliver(&c, "file_2");
    NEED(case_becomes(&c, doubtful, LF_JOB_HELD));
    int64_t id = case_result(&c, "L1.csv", "A1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_WAITING)); /* the first delivery's run would be a guess */
    CHECK_HAS(case_note(&c, id), "not known yet");
    CHECK_INT(fake_cloud.created, 0);
    CHECK_INT(lf_jobs_confirm(c.jobs, doubtful, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

static void config_missing(void)
{
    begin();
    int64_t id = case_result(&c, "N-run_1.csv", "A1\n", 1);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "assign");
    CHECK_INT(lf_jobs_assign(c.jobs, id, "run_1", "Reader", "maria", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    case_close(&c);
}

/* ---- uploaded by hand, or by us? ---- */

static int64_t uploaded_event(const char *processor, const char *blob)
{
    char key[100], facts[200];
    struct lf_job job = {.kind = (char *)"collect", .instrument = (char *)"", .step = "adopt", .key = key};
    snprintf(key, sizeof key, "automationOutputProcessor.uploaded|%s|%s", processor, blob);
    snprintf(facts, sizeof facts, "{\"processor\":\"%s\",\"blob\":\"%s\",\"file_name\":\"r.csv\"}", processor,
             blob);
    job.fields = cJSON_Parse(facts);
    NEED(lf_journal_job_add(c.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    lf_jobs_kick(c.jobs);
    return job.id;
}

/* Somebody clears /var/lib with the agent in it. With a file in its place the folder cannot be made anew. */
static void spool_folder(bool file)
{
    begin();
    const char *dir = c.config->agent.spool_dir;
    NEED(rmdir(dir) == 0);
    if (file)
        NEED(fclose(fopen(dir, "w")) == 0);
    int64_t id = case_result(&c, "R-run_1.csv", "A1,0.5\n", 1), down = case_deliver(&c, "file_1");
    if (file) {
        CHECK(case_becomes(&c, id, LF_JOB_WAITING));
        CHECK_HAS(case_note(&c, id), "cannot create");
        CHECK(case_becomes(&c, down, LF_JOB_WAITING));
        NEED(unlink(dir) == 0);
    }
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(fake_cloud.last_upload, "A1,0.5\n");
    CHECK(case_becomes(&c, down, LF_JOB_DONE));
    case_close(&c);
}

static void no_spool_folder(void)
{
    spool_folder(false);
}

static void file_for_spool_folder(void)
{
    spool_folder(true);
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
    begin();
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

static void echo_of_our_own(void)
{
    begin();
    int64_t ours = case_result(&c, "R-run_1.csv", "A1\n", 1);
    NEED(case_becomes(&c, ours, LF_JOB_DONE));
    int64_t echo = uploaded_event("aop_1", "blob_1");
    CHECK(case_becomes(&c, echo, LF_JOB_CANCELLED));
    CHECK_INT(fake_cloud.started, 1);
    case_close(&c);
}

static void by_hand(void)
{
    begin();
    int64_t id = uploaded_event("aop_9", "blob_by_hand");
    NEED(case_becomes(&c, id, LF_JOB_WAITING));
    CHECK_INT(fake_cloud.started, 1);
    CHECK_INT(fake_cloud.uploads, 0);
    case_close(&c);
}

UNIT_TESTS(
    "job, results", {"a result goes up, is attached once, processed and archived", result_goes_up},
    {"the answer to creating a processor is lost: no second one", create_answer_lost},
    {"the answer to starting it is lost: it is not started twice", process_answer_lost},
    {"killed after creating a processor: no second one, no second upload", killed_after_create},
    {"a result that the cloud refuses is held, not failed, and not archived", refused_is_held},
    {"a file that cannot be processed is held and not archived", processing_failed},
    {"the same content is not uploaded twice into a run", same_content},
    {"the same content in another run is another result", same_content_other_run},
    {"a job that waits for a person looks again and again, and tells it once", waits_silently, UNIT_SLOW},
    {"the same content waits until the first is attached, and takes its place if it is cancelled",
     same_content_waits, UNIT_SLOW},
    {"what the instrument says twice is reported twice", said_twice},
    {"a result that is seen again after a restart is known", told_again},
    {"a later version of an unprocessed file takes its place", newer_version},
    {"another file never takes the place of one that waits", same_name_other_file},
    {"a file that changed while it was read is taken in its new version", changed_while_read},
    {"a result that was done with and lies there again stays known", done_and_back},
    {"a result that went away before it could be read is taken when it comes back", gone_and_back},
    {"a damaged spool file is collected anew", damaged_spool},
    {"a result that was archived leaves the journal when it is old, one that still lies there does not",
     archived_leaves},
    {"damaged here and gone there: held, saying so", damaged_and_gone},
    {"no rule finds the run: held with what was tried, until somebody assigns it", no_match},
    {"a result that no collect entry fits is held", no_rule},
    {"a run that the cloud does not know is held", run_unknown_to_the_cloud},
    {"the run is found in the content", by_content},
    {"the run of the last delivery, confirmed or not; none before the first", by_last_job},
    {"as long as a delivery is in doubt, nobody knows whose a result is, and it waits", delivery_in_doubt},
    {"a run without a configuration is held until both are said", config_missing},
    {"a spool folder that was removed is made anew; nothing is taken for missing", no_spool_folder},
    {"while the spool has no folder, jobs wait, say so, and go on by themselves", file_for_spool_folder},
    {"a cancel that cannot be written down leaves the result where it is", cancel_not_kept},
    {"the echo of our own upload is recognised", echo_of_our_own},
    {"an upload by hand is processed and not uploaded", by_hand}, )

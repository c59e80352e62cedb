/* What an operator asks for and what a task reports as a file: done once, or refused with what to do instead.
 */
#include "job_case.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct job_case c;
static struct lf_error err;

static void begin(void)
{
    case_open(&c);
    err = (struct lf_error){0};
    case_start(&c);
}

static enum lf_status send_file(const char *instrument, const char *name, int64_t *id)
{
    char path[600];
    snprintf(path, sizeof path, "%s/sent", unit_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    NEED(fd >= 0 && pwrite(fd, "A1,5\n", 5, 0) == 5);
    enum lf_status status = lf_jobs_send(c.jobs, instrument, name, UNIT_FILE(fd), "cli:maria", id, &err);
    close(fd);
    return status;
}

static void sent(void)
{
    begin();
    int64_t id = 0;
    CHECK_INT(send_file("robot", "plate.csv", &id), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK(core_told(c.journal, id, "plate.csv sent to robot by cli:maria"));
    CHECK(case_spool_empties());
    case_close(&c);
}

static void not_sent(void)
{
    begin();
    int64_t id = 0;
    CHECK_INT(send_file("roboter", "plate.csv", &id), LF_NOT_FOUND);
    CHECK_HAS(err.text, "labferry instruments");
    CHECK_INT(send_file("robot", "../plate.csv", &id), LF_INVALID);
    CHECK_HAS(err.text, "../plate.csv");
    struct lf_journal_limits limits = {.reserve = INT64_MAX, .spool_dir = c.config->agent.spool_dir};
    lf_journal_limit(c.journal, &limits);
    CHECK_INT(send_file("robot", "plate.csv", &id), LF_FULL);
    CHECK_INT(err.class, LF_TRANSIENT);
    limits.reserve = 1;
    lf_journal_limit(c.journal, &limits);
    c.config->agent.file_max = 4;
    CHECK_INT(send_file("robot", "plate.csv", &id), LF_TOO_LARGE);
    struct lf_job job;
    CHECK_INT(lf_journal_job_get(c.journal, 1, &job, UNIT_ERROR), LF_NOT_FOUND);
    CHECK(case_spool_empties());
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

/* RFC 4180: a cell with commas or quotes stands in quotes, quotes are doubled, lines end in CRLF. */
static void values_as_file(void)
{
    begin();
    c.device->says = "a,\"b\"";
    int64_t task = case_task(&c, "table");
    CHECK(case_becomes(&c, task, LF_JOB_DONE));
    CHECK_STR(fake_cloud.task_status, "st_COMPLETED");
    CHECK_INT(fake_cloud_size(&fake_cloud.outputs), 0);
    int64_t result = task + 1; /* made after it */
    CHECK(case_becomes(&c, result, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, result, "run"), "run_1");
    CHECK_STR(case_fact(&c, result, "file_name"), "T-1.csv");
    CHECK_STR(fake_cloud.last_upload, "sample,weight\r\nS-1,\"a,\"\"b\"\"\"\r\n");
    CHECK_INT(fake_cloud.uploads, 1);
    CHECK_INT(c.device->acts, 1);
    CHECK(case_spool_empties());
    case_close(&c);
}

static void task_without_run(void)
{
    begin();
    fake_cloud.no_run = true;
    int64_t task = case_task(&c, "table");
    CHECK(case_becomes(&c, task, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, task), "no value in the field \"Run\", which is needed as the run");
    CHECK_INT(c.device->acts, 0);
    fake_cloud.no_run = false;
    CHECK_INT(lf_jobs_retry(c.jobs, task, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, task, LF_JOB_DONE));
    case_close(&c);
}

static void route_gone(void)
{
    begin();
    int64_t task = case_task(&c, "no such route");
    CHECK(case_becomes(&c, task, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, task), "no such route");
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

static void rules(void)
{
    bool names_config;
    static const struct {
        const char *rule, *why;
    } bad[] = {
        {"filename:(", "error at character"},
        {"content:run=([0-9]+)", "(?<run>...)"},
        {"guess", "\"filename:REGEX\", \"content:REGEX\", \"last-job\" or \"sidecar\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (struct lf_error){0};
        CHECK_INT(lf_match_check(bad[i].rule, &names_config, &err), LF_INVALID);
        CHECK_HAS(err.text, bad[i].why);
    }
    static const struct {
        const char *rule;
        bool names_config;
    } good[] = {
        {"last-job", false},
        {"sidecar", true},
        {"filename:(?<run>x)", false},
        {"content:(?<run>x)(?<config>y)", true},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_INT(lf_match_check(good[i].rule, &names_config, &err), LF_OK);
        CHECK_INT(names_config, good[i].names_config);
    }
}

static void unknown_step(void)
{
    case_open(&c);
    int64_t id = case_deliver(&c, "file_1");
    struct lf_job job = core_job(c.journal, id);
    snprintf(job.step, sizeof job.step, "teleport");
    NEED(lf_journal_job_save(c.journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "does not know this step");
    CHECK_INT(lf_jobs_cancel(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    case_close(&c);
}

static void values_must_be_texts(void)
{
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->verdict = LF_VERDICT_UNKNOWN;
    int64_t id = 0;
    NEED(lf_jobs_run(c.jobs, "robot", "weigh", NULL, "test", &id, UNIT_ERROR) == LF_OK);
    case_killed_while_acting(&c, id, "run");
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    cJSON *values = cJSON_Parse("{\"weight\":12}");
    err = (struct lf_error){0};
    CHECK_INT(lf_jobs_confirm(c.jobs, id, values, "test", &err), LF_INVALID);
    CHECK_HAS(err.text, "must be a text");
    cJSON_Delete(values);
    values = cJSON_CreateObject();
    for (int i = 0; i <= LF_CAPTURES_MAX; i++) {
        char name[20];
        snprintf(name, sizeof name, "v%d", i);
        cJSON_AddStringToObject(values, name, "1");
    }
    CHECK_INT(lf_jobs_confirm(c.jobs, id, values, "test", &err), LF_TOO_LARGE);
    cJSON_Delete(values);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

UNIT_TESTS(
    "job operate",
    {"a file that an operator sends reaches the instrument once, and the spool is empty again", sent},
    {"a file that cannot be sent is refused with the reason, and leaves nothing", not_sent},
    {"the values of a task become a result file of the run that the task names", values_as_file},
    {"a task that names no run is held before anything is done", task_without_run},
    {"a task whose route has left the configuration is held", route_gone},
    {"a wrong way to match is refused with what is wrong", rules},
    {"a job at a step that this version does not know is held", unknown_step},
    {"values that a person gives for a doubtful action must be texts, and not too many; else it stays held",
     values_must_be_texts}, )

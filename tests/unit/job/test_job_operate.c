/* What an operator asks for, and what a task reports as a file: done once, or refused with what to do
 * instead. */
#include "job_case.h"

#include <stdio.h>

static struct job_case c;
static struct lf_error err;

static void begin(void)
{
    case_open(&c);
    err = (struct lf_error){0};
    case_start(&c);
}

static void sent(void)
{
    begin();
    int64_t id = 0;
    CHECK_INT(case_send(&c, "robot", "plate.csv", &id, &err), LF_OK);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK(core_history_has(c.journal, id, "plate.csv sent to robot by cli:maria"));
    CHECK(case_spool_empties());
    case_close(&c);
}

static const struct {
    struct unit_row row;
    const char *instrument, *name; /* NULL: "robot", "plate.csv" */
    int64_t reserve, file_max;     /* 0: as configured */
    enum lf_status status;
    enum lf_class class;
    const char *why;
} refused[] = {
    {{"a file for an unknown instrument is refused"},
     .instrument = "roboter",
     .status = LF_NOT_FOUND,
     .class = LF_PERMANENT,
     .why = "labferry instruments"},
    {{"a file whose name leaves the folder is refused"},
     .name = "../plate.csv",
     .status = LF_INVALID,
     .class = LF_NEEDS_PERSON,
     .why = "../plate.csv"},
    {{"a file is refused while the disk is full"},
     .reserve = INT64_MAX,
     .status = LF_FULL,
     .class = LF_TRANSIENT,
     .why = "free"},
    {{"a file larger than file_max is refused"},
     .file_max = 4,
     .status = LF_TOO_LARGE,
     .class = LF_NEEDS_PERSON,
     .why = "4 bytes"},
};

static void not_sent(void)
{
    const typeof(*refused) *row = unit_row();
    begin();
    int64_t id = 0;
    struct lf_journal_limits limits = {.reserve = row->reserve, .spool_dir = c.config->agent.spool_dir};
    if (row->reserve)
        lf_journal_limit(c.journal, &limits);
    if (row->file_max)
        c.config->agent.file_max = row->file_max;
    CHECK_INT(case_send(&c, row->instrument ? row->instrument : "robot", row->name ? row->name : "plate.csv",
                        &id, &err),
              row->status);
    CHECK_INT(err.class, row->class);
    CHECK_HAS(err.text, row->why);
    struct lf_job job;
    CHECK_INT(lf_journal_job_get(c.journal, 1, &job, UNIT_ERROR), LF_NOT_FOUND);
    CHECK(case_spool_empties());
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

/* RFC 4180: a cell with commas or quotes is quoted, quotes are doubled, lines end in CRLF. */
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

/* The answer was lost, and then the run could not be looked at: it may have the file. */
static void in_doubt_not_assigned(void)
{
    begin();
    c.device->says = "1";
    fake_cloud.fail_then = "find_processors";
    case_cloud_fails(&(struct case_failure){"create_processor", true, LF_UNKNOWN_OUTCOME});
    int64_t result = case_task(&c, "table") + 1;
    CHECK(case_becomes(&c, result - 1, LF_JOB_DONE));
    CHECK(case_becomes(&c, result, LF_JOB_HELD));
    CHECK_INT(lf_jobs_assign(c.jobs, result, "run_7", NULL, "maria", &err), LF_REFUSED);
    CHECK_INT(lf_jobs_retry(c.jobs, result, "maria", &err), LF_OK);
    CHECK(case_becomes(&c, result, LF_JOB_DONE));
    CHECK_INT(fake_cloud.created, 1);
    case_close(&c);
}

static void values_assigned(void)
{
    begin();
    c.device->says = "1";
    case_cloud_fails(&(struct case_failure){"create_processor", false, LF_PERMANENT});
    int64_t result = case_task(&c, "table") + 1;
    CHECK(case_becomes(&c, result - 1, LF_JOB_DONE));
    CHECK(case_becomes(&c, result, LF_JOB_HELD));
    CHECK_INT(lf_jobs_assign(c.jobs, result, "run_7", NULL, "maria", &err), LF_OK);
    CHECK(case_becomes(&c, result, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, result, "run"), "run_7");
    case_close(&c);
}

static const struct {
    struct unit_row row;
    const char *route;
    bool no_run;
    const char *says;
    enum lf_job_state retried; /* what it becomes by a retry once the task names a run */
} incomplete[] = {
    {{"a task that names no run is held before anything is done, and continues when it names one"},
     "table",
     true,
     "no value in the field \"Run\", which is needed as the run",
     LF_JOB_DONE},
    {{"a task whose route has left the configuration is held"},
     "no such route",
     false,
     "no such route",
     LF_JOB_HELD},
};

static void task_held(void)
{
    const typeof(*incomplete) *row = unit_row();
    begin();
    fake_cloud.no_run = row->no_run;
    int64_t task = case_task(&c, row->route);
    CHECK(case_says(&c, task, LF_JOB_HELD, row->says));
    CHECK_INT(c.device->acts, 0);
    fake_cloud.no_run = false;
    CHECK_INT(lf_jobs_retry(c.jobs, task, "test", UNIT_ERROR), LF_OK);
    CHECK(case_becomes(&c, task, row->retried));
    CHECK_INT(c.device->acts, row->retried == LF_JOB_DONE ? 1 : 0);
    case_close(&c);
}

static const struct {
    struct unit_row row;
    const char *rule, *why; /* why it is refused; NULL: it is not */
    bool names_config;
} rules[] = {
    {{"a match rule with a broken expression is refused"}, "filename:(", "error at character"},
    {{"a match rule that captures no run is refused"}, "content:run=([0-9]+)", "(?<run>...)"},
    {{"an unknown match rule is refused, and the known ones are listed"},
     "guess",
     "\"filename:REGEX\", \"content:REGEX\", \"last-job\" or \"sidecar\""},
    {{"last-job finds no configuration"}, "last-job", NULL, false},
    {{"a sidecar may name the configuration"}, "sidecar", NULL, true},
    {{"an expression with only a run finds no configuration"}, "filename:(?<run>x)", NULL, false},
    {{"an expression may capture the configuration"}, "content:(?<run>x)(?<config>y)", NULL, true},
};

static void rule_checked(void)
{
    const typeof(*rules) *row = unit_row();
    bool names_config = false;
    err = (struct lf_error){0};
    CHECK_INT(lf_match_check(row->rule, &names_config, &err), row->why ? LF_INVALID : LF_OK);
    CHECK_HAS(err.text, row->why ? row->why : "");
    CHECK_INT(names_config, row->names_config);
}

static const struct {
    struct unit_row row;
    const char *values; /* JSON */
    int many;           /* and so many more */
    enum lf_status status;
    const char *why, *summary;
} confirmed[] = {
    {{"values that a person confirms an action with must be strings; otherwise it stays held"},
     "{\"weight\":12}",
     0,
     LF_INVALID,
     "must be a string",
     "done"},
    {{"more values than an action can capture are refused, and it stays held"},
     "{}",
     LF_CAPTURES_MAX + 1,
     LF_TOO_LARGE,
     "",
     "done"},
    {{"the values that a person confirms an action with become its captured values"},
     "{\"weight\":\"12.50\",\"unit\":\"g\"}",
     0,
     LF_OK,
     "",
     "weight 12.50, unit g"},
};

static void confirmed_with_values(void)
{
    const typeof(*confirmed) *row = unit_row();
    case_open(&c);
    c.device->repeat = LF_ONCE;
    c.device->verdict = LF_VERDICT_UNKNOWN;
    int64_t id = case_run(&c, "weigh");
    case_killed_while_acting(&c, id, "run");
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    cJSON *values = cJSON_Parse(row->values);
    for (int i = 0; i < row->many; i++) {
        char name[20];
        snprintf(name, sizeof name, "v%d", i);
        cJSON_AddStringToObject(values, name, "1");
    }
    err = (struct lf_error){0};
    CHECK_INT(lf_jobs_confirm(c.jobs, id, values, "test", &err), row->status);
    CHECK_HAS(err.text, row->why);
    cJSON_Delete(values);
    if (row->status != LF_OK) {
        CHECK(case_becomes(&c, id, LF_JOB_HELD));
        CHECK_INT(lf_jobs_confirm(c.jobs, id, NULL, "test", UNIT_ERROR), LF_OK);
    }
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_fact(&c, id, "summary"), row->summary);
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

UNIT_TESTS("job, operators",
           {"a file that an operator sends reaches the instrument once, and the spool is empty again", sent},
           UNIT_ROWS(refused, not_sent),
           {"the values of a task become a result file of the run that the task names", values_as_file},
           {"captured values that cannot be attached can be assigned to another run", values_assigned},
           {"a result that may be attached already is not assigned to another run, and a retry finds it",
            in_doubt_not_assigned},
           UNIT_ROWS(incomplete, task_held), UNIT_ROWS(rules, rule_checked),
           UNIT_ROWS(confirmed, confirmed_with_values), )

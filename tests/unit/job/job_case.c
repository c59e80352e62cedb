#include "job_case.h"

#include "base/clock.h"
#include "job/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char more[] =
    "instruments = ( { name = \"robot\"; driver = \"fake\"; collect = (\n"
    "  { files = \"R*.csv\"; match = [ \"filename:^R-(?<run>run_[0-9]+)\", \"sidecar\" ]; config = "
    "\"Reader\"; },\n"
    "  { files = \"L*.csv\"; match = [ \"last-job\" ]; config = \"Reader\"; },\n"
    "  { files = \"C*.csv\"; match = [ \"content:^run=(?<run>run_[0-9]+)\" ]; config = \"Reader\"; process = "
    "false; },\n"
    "  { files = \"E*.csv\"; match = [ \"filename:^E(a+)+b(?<run>.)\" ]; config = \"Reader\"; },\n"
    "  { files = \"T*.csv\"; match = [ \"last-job\" ]; config = \"Reader\"; },\n"
    "  { files = \"N*.csv\"; match = [ \"filename:^N-(?<run>run_[0-9]+)(-(?<config>[a-z]+))?\" ]; } ); } );\n"
    "routes = (\n"
    " { name = \"plates\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "
    "\"robot\"; },\n"
    " { name = \"weigh\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; instrument = \"robot\"; procedure = "
    "\"weigh\";\n"
    "   inputs = { sample = \"Sample\"; }; outputs = { weight = \"Mass\"; };\n"
    "   claim_status = \"IN_PROGRESS\"; done_status = \"COMPLETED\"; failed_status = \"FAILED\"; },\n"
    " { name = \"names\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; instrument = \"robot\"; procedure = "
    "\"weigh\";\n"
    "   claim_status = \"IN_PROGRESS\"; done_status = \"COMPLETED\"; failed_status = \"FAILED\"; },\n"
    " { name = \"label\"; on = \"entity.registered\"; job = \"procedure\"; instrument = \"robot\"; procedure = "
    "\"print\";\n"
    "   inputs = { title = \"name\"; copies = \"fields.Copies\"; }; },\n"
    " { name = \"table\"; on = \"workflowTask.created\"; job = \"task\"; only_agent = true; instrument = \"robot\"; procedure = "
    "\"weigh\";\n"
    "   inputs = { sample = \"Sample\"; }; report = \"file\"; run_field = \"Run\";\n"
    "   claim_status = \"IN_PROGRESS\"; done_status = \"COMPLETED\"; failed_status = \"FAILED\"; } );\n";

const char *case_config;

static void open_jobs(struct job_case *c)
{
    c->journal = core_journal();
    struct lf_jobs_options options = {.config = c->config, .journal = c->journal};
    NEED(lf_jobs_open(&options, &c->jobs, UNIT_ERROR) == LF_OK);
    struct lf_instrument_options instrument = {.name = "robot",
                                               .driver = &fake_driver,
                                               .journal = c->journal};
    struct lf_instrument_hooks hooks = {.context = c->jobs,
                                        .work = lf_jobs_work,
                                        .found = lf_jobs_found,
                                        .changed = lf_jobs_instrument_changed};
    NEED(lf_instrument_open(&instrument, &hooks, &c->robot, UNIT_ERROR) == LF_OK);
    NEED(lf_jobs_add_instrument(c->jobs, c->robot, UNIT_ERROR) == LF_OK);
}

void case_open(struct job_case *c)
{
    UNIT_TIME_PASSES(0);
    fake_cloud_reset();
    *c = (struct job_case){.config = core_config(case_config ? case_config : more),
                           .device = fake_device("robot")};
    open_jobs(c);
}

void case_start(struct job_case *c)
{
    NEED(lf_jobs_start(c->jobs, UNIT_ERROR) == LF_OK);
    NEED(lf_instrument_start(c->robot, UNIT_ERROR) == LF_OK);
}

static void close_jobs(struct job_case *c)
{
    lf_jobs_stop(c->jobs);
    for (size_t i = 0; i < lf_jobs_instrument_count(c->jobs); i++)
        lf_instrument_close(lf_jobs_instrument_at(c->jobs, i));
    lf_jobs_close(c->jobs);
    lf_journal_close(c->journal);
}

void case_close(struct job_case *c)
{
    close_jobs(c);
    lf_config_free(c->config);
    fake_devices_free();
    fake_cloud_reset();
    cJSON_Delete(fake_cloud.processors);
    cJSON_Delete(fake_cloud.outputs);
    fake_cloud.processors = fake_cloud.outputs = NULL;
}

void case_restart(struct job_case *c)
{
    close_jobs(c);
    open_jobs(c);
}

static int64_t add(struct job_case *c, struct lf_job *job, const char *key, const char *facts)
{
    job->instrument = (char *)"robot";
    job->key = (char *)key;
    job->fields = cJSON_Parse(facts);
    job->expires_ms = lf_clock_wall_ms() + 3600000;
    job->expires_mono = lf_deadline_in(3600000);
    NEED(job->fields != NULL);
    job__place(job);
    NEED(lf_journal_job_add(c->journal, job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job->fields);
    lf_jobs_kick(c->jobs);
    return job->id;
}

enum lf_status case_send(struct job_case *c, const char *instrument, const char *name, int64_t *id,
                         struct lf_error *err)
{
    char path[600];
    snprintf(path, sizeof path, "%s/sent", unit_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    NEED(fd >= 0 && pwrite(fd, "A1,5\n", 5, 0) == 5);
    enum lf_status status = lf_jobs_send(c->jobs, instrument, name, UNIT_FILE(fd), NULL, "cli:maria", id,
                                         err);
    close(fd);
    return status;
}

int64_t case_deliver(struct job_case *c, const char *file)
{
    char key[120], facts[200];
    struct lf_job job = {.kind = (char *)"deliver", .route = (char *)"plates", .step = "resolve"};
    snprintf(key, sizeof key, "automationInputGenerator.completed|aig_1|%s|robot|deliver|%s", file, file);
    snprintf(facts, sizeof facts, "{\"generator\":\"aig_1\",\"file\":\"%s\"}", file);
    return add(c, &job, key, facts);
}

int64_t case_task(struct job_case *c, const char *route)
{
    struct lf_job job = {.kind = (char *)"task", .route = (char *)route, .step = "check"};
    char key[40];
    static int tasks;
    snprintf(key, sizeof key, "task|%d", ++tasks);
    return add(c, &job, key, "{\"workflow_task\":\"wft_1\",\"procedure\":\"weigh\",\"status\":\"st_TODO\"}");
}

int64_t case_run(struct job_case *c, const char *procedure)
{
    int64_t id = 0;
    NEED(lf_jobs_run(c->jobs, "robot", procedure, NULL, "test", &id, UNIT_ERROR) == LF_OK);
    return id;
}

static void newest(void *context, const struct lf_job *job)
{
    *(int64_t *)context = job->id;
}

int64_t case_result(struct job_case *c, const char *name, const char *bytes, int version)
{
    struct lf_job_filter filter = {.kind = "collect", .limit = 1};
    int64_t before = 0, id = 0, deadline = lf_deadline_in(UNIT_SOON_MS);
    lf_journal_job_list(c->journal, &filter, newest, &before, UNIT_ERROR);
    c->device->bytes = bytes;
    c->device->version = version;
    c->device->result = name;
    lf_instrument_kick(c->robot);
    do {
        lf_sleep_until(lf_deadline_in(5), NULL);
        lf_journal_job_list(c->journal, &filter, newest, &id, UNIT_ERROR);
    } while (id == before && !lf_deadline_passed(deadline));
    NEED(id != before);
    return id;
}

void case_cloud_fails(const struct case_failure *failure)
{
    fake_cloud_fail(failure->call, failure->call ? 1 : 0, failure->lost, LF_IO, failure->class);
}

void case_act_fails(struct job_case *c, enum lf_class class)
{
    c->device->act_class = class;
    c->device->act_status = class == LF_CLASS_NONE ? LF_OK : LF_IO;
}

void case_save(struct job_case *c, struct lf_job *job)
{
    job__place(job);
    NEED(lf_journal_job_save(c->journal, job, UNIT_ERROR) == LF_OK);
    lf_job_free(job);
}

/* What the cloud's event would do: wakes the job, as what it waits for has come. */
static void complete(struct job_case *c, const char *wake)
{
    int64_t woken;
    lf_journal_job_wake(c->journal, wake, &woken, UNIT_ERROR);
    lf_jobs_kick(c->jobs);
    lf_instrument_kick(c->robot);
}

bool case_becomes(struct job_case *c, int64_t id, enum lf_job_state state)
{
    return case_says(c, id, state, "");
}

bool case_says(struct job_case *c, int64_t id, enum lf_job_state state, const char *text)
{
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    struct lf_job job;
    bool there;
    for (;;) {
        job = core_job(c->journal, id);
        there = job.state == state && strstr(job.note ? job.note : "", text);
        if (there || lf_deadline_passed(deadline))
            break;
        if (job.state == LF_JOB_WAITING && job.wake)
            complete(c, job.wake);
        lf_job_free(&job);
        lf_sleep_until(lf_deadline_in(10), NULL);
    }
    if (!there)
        printf("\n      job %lld is %s at %s: %s", (long long)id, lf_job_state_name(job.state), job.step,
               job.note ? job.note : "");
    lf_job_free(&job);
    return there;
}

bool case_reaches(struct job_case *c, int64_t id, const char *step)
{
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    for (;;) {
        struct lf_job job = core_job(c->journal, id);
        bool there = !strcmp(job.step, step);
        lf_job_free(&job);
        if (there || lf_deadline_passed(deadline))
            return there;
        lf_sleep_until(lf_deadline_in(5), NULL);
    }
}

void case_minute_passes(struct job_case *c)
{
    UNIT_TIME_PASSES(60000);
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    /* The second listen from here began after a look for work that began after the minute. */
    int before = c->device->listens;
    while (c->device->listens < before + 2 && !lf_deadline_passed(deadline)) {
        lf_instrument_kick(c->robot);
        lf_sleep_until(lf_deadline_in(1), NULL);
    }
    NEED(c->device->listens >= before + 2);
}

static const char *spool_file(struct job_case *c, int64_t id)
{
    static char path[600];
    struct lf_parcel_row row;
    NEED(lf_journal_parcel_get(c->journal, id, &row, UNIT_ERROR) == LF_OK);
    snprintf(path, sizeof path, "%s/%s", c->config->agent.spool_dir, row.file);
    lf_parcel_row_free(&row);
    return path;
}

void case_damage_spool(struct job_case *c, int64_t id)
{
    NEED(truncate(spool_file(c, id), 2) == 0);
}

void case_flip_spool_bit(struct job_case *c, int64_t id)
{
    FILE *file = fopen(spool_file(c, id), "r+");
    int byte = file ? fgetc(file) : EOF;
    NEED(byte != EOF && fseek(file, 0, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF && fclose(file) == 0);
}

bool case_spool_empties(void)
{
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    while (core_spool_bytes() != 0 && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(10), NULL);
    return core_spool_bytes() == 0;
}

void case_killed_while_acting(struct job_case *c, int64_t id, const char *step)
{
    struct lf_job job = core_job(c->journal, id);
    snprintf(job.step, sizeof job.step, "%s", step);
    job.bench = true;
    job.acting = true;
    job.state = LF_JOB_RUNNING;
    case_save(c, &job);
    case_restart(c);
}

static char text[1000];

const char *case_fact(struct job_case *c, int64_t id, const char *name)
{
    struct lf_job job = core_job(c->journal, id);
    snprintf(text, sizeof text, "%s", lf_json_text_or(job.fields, name, ""));
    lf_job_free(&job);
    return text;
}

const char *case_note(struct job_case *c, int64_t id)
{
    struct lf_job job = core_job(c->journal, id);
    snprintf(text, sizeof text, "%s", job.note ? job.note : "");
    lf_job_free(&job);
    return text;
}

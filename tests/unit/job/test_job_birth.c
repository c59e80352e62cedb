/* How jobs are made: in one way, whatever asks for them. */
#include "job_case.h"

#include "job/birth.h"

#include <stdio.h>

static struct job_case c;
static struct lf_error err;

static void begin(void)
{
    case_open(&c);
    c.config->link.used = true;
    c.config->link.base = "labferry/lab/agents/bench-1";
    err = (struct lf_error){0};
}

static const struct lf_config_route *route(const char *name)
{
    return lf_config_route(c.config, name);
}

/* As intake does for an event about this resource. */
static enum lf_status event_birth(const char *of_route, const char *key, const char *resource, int64_t *id)
{
    cJSON *json = cJSON_Parse(resource);
    NEED(json != NULL);
    struct lf_birth birth = {.kind = lf_job_kind_find(route(of_route)->kind->name),
                             .key = key,
                             .instrument = "robot",
                             .history = "made from event evt_1",
                             .route = route(of_route),
                             .event_id = "evt_1",
                             .resource = json,
                             .not_after_ms = 3600000};
    enum lf_status status = lf_jobs_birth(c.jobs, &birth, id, &err);
    cJSON_Delete(json);
    return status;
}

/* The payload of the only report that waits; NULL: there is none. Until the next call. */
static cJSON *reported(void)
{
    static cJSON *payload;
    struct lf_outbox_row row;
    cJSON_Delete(payload);
    payload = NULL;
    if (lf_journal_outbox_next(c.journal, 0, &row, &err) != LF_OK)
        return NULL;
    payload = cJSON_Parse(row.payload);
    CHECK(lf_journal_outbox_next(c.journal, row.seq, &(struct lf_outbox_row){0}, &err) == LF_NOT_FOUND);
    lf_outbox_row_free(&row);
    return payload;
}

static const char generator[] =
    "{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"f_1\",\"name\":\"a.csv\"},"
    "\"automationFileConfig\":{\"name\":\"Plates\"},\"other\":7}";

static void reported_at_birth(void)
{
    begin();
    int64_t id = 0;
    CHECK_INT(event_birth("plates", "k", generator, &id),
              LF_OK); /* no thread runs: no step has reported it */
    CHECK(core_history_has(c.journal, id, "made from event evt_1"));
    const cJSON *report = reported();
    CHECK_INT(lf_json_int(report, "id", 0), id);
    CHECK_STR(lf_json_text(report, "state"), "ready");
    CHECK_STR(lf_json_text(report, "step"), "resolve");
    CHECK_STR(lf_json_text(report, "event"), "evt_1");
    case_close(&c);
}

/* ---- whatever asks for it ---- */

static int64_t by_operator(void)
{
    return case_run(&c, "weigh");
}

static int64_t by_sent_file(void)
{
    int64_t id = 0;
    CHECK_INT(case_send(&c, "robot", "plate.csv", &id, &err), LF_OK);
    return id;
}

static int64_t by_result(void)
{
    struct lf_finding finding = {.id = "R-run_1.csv", .version = "1", .name = "R-run_1.csv"};
    CHECK_INT(lf_jobs_found(c.jobs, c.robot, &finding, &err), LF_OK);
    return lf_journal_finding_job(c.journal, "robot", finding.id, finding.version);
}

static int64_t by_newer_file(void)
{
    fake_cloud.file = "file_2";
    case_start(&c);
    int64_t older = case_deliver(&c, "file_1");
    CHECK(case_becomes(&c, older, LF_JOB_CANCELLED));
    return older + 1;
}

static int64_t by_values(void)
{
    c.device->says = "1";
    case_start(&c);
    int64_t task = case_task(&c, "table");
    CHECK(case_becomes(&c, task, LF_JOB_DONE));
    return task + 1;
}

static const struct {
    struct unit_row row;
    int64_t (*birth)(void);
    const char *kind;
} births[] = {
    {{"an operator's run is reported when it is born"}, by_operator, "procedure"},
    {{"the delivery of a sent file is reported when it is born"}, by_sent_file, "deliver"},
    {{"the job of a result is reported when it is born"}, by_result, "collect"},
    {{"the delivery of a newer file is reported when it is born"}, by_newer_file, "deliver"},
    {{"the job for a file of values is reported when it is born"}, by_values, "collect"},
};

static void reported_first(void)
{
    const typeof(*births) *row = unit_row();
    struct lf_outbox_row report;
    bool found = false;
    begin();
    int64_t id = row->birth();
    for (int64_t seq = 0; !found && lf_journal_outbox_next(c.journal, seq, &report, &err) == LF_OK;) {
        cJSON *job = cJSON_Parse(report.payload);
        found = lf_json_int(job, "id", 0) == id;
        if (found) {
            CHECK_STR(lf_json_text(job, "state"), "ready");
            CHECK_STR(lf_json_text(job, "kind"), row->kind);
        }
        cJSON_Delete(job);
        seq = report.seq;
        lf_outbox_row_free(&report);
    }
    CHECK(found);
    case_close(&c);
}

/* If row, history, audit or report fails, nothing is left. */
static void all_or_nothing(void)
{
    static const char *const tables[] = {"job", "history", "audit", "outbox"};
    char sql[200];
    int64_t id = 0;
    begin();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(sql, sizeof sql,
                 "CREATE TRIGGER no BEFORE INSERT ON %s BEGIN SELECT RAISE(ABORT, 'no'); END", tables[i]);
        core_sql(sql);
        CHECK(event_birth("plates", "k", generator, &id) != LF_OK);
        core_sql("DROP TRIGGER no");
        CHECK(reported() == NULL);
        CHECK_INT(core_count(lf_journal_job_counts(c.journal, NULL), "ready"), 0);
    }
    CHECK_INT(event_birth("plates", "k", generator, &id), LF_OK); /* and the key is free */
    CHECK(reported() != NULL);
    case_close(&c);
}

static void one_key_one_job(void)
{
    begin();
    int64_t first = 0, second = 0;
    CHECK_INT(event_birth("plates", "k", generator, &first), LF_OK);
    CHECK_INT(event_birth("plates", "k", generator, &second), LF_EXISTS);
    CHECK_INT(second, first);
    CHECK(reported() != NULL); /* one report, not two */
    CHECK_INT(event_birth("plates", "k2", generator, &second), LF_OK);
    CHECK(second != first);
    case_close(&c);
}

static void fields_of_the_resource(void)
{
    begin();
    int64_t id = 0;
    CHECK_INT(event_birth("plates", "k", generator, &id), LF_OK);
    struct lf_job job = core_job(c.journal, id);
    CHECK_STR(lf_job_text(&job, LF_JOB_GENERATOR), "aig_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_FILE), "f_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_RUN), "run_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_CONFIG), "Plates");
    CHECK_INT(cJSON_GetArraySize(job.fields), 5);
    CHECK(job.expires_ms > 0);
    lf_job_free(&job);
    CHECK_INT(event_birth("plates", "k3", "{\"file\":{\"id\":\"f_1\"}}", &id), LF_INVALID);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK_HAS(err.text, "automationInputGenerator");
    case_close(&c);
}

static void procedure_of_an_event(void)
{
    begin();
    int64_t id = 0;
    c.device->says = "100.00";
    CHECK_INT(event_birth("label", "k", "{\"name\":\"Plate 7\",\"fields\":{\"Copies\":{\"value\":2}}}", &id),
              LF_OK);
    struct lf_job job = core_job(c.journal, id);
    CHECK_STR(lf_json_text(lf_job_json(&job, LF_JOB_INPUTS), "title"), "Plate 7");
    CHECK_STR(lf_json_text(lf_job_json(&job, LF_JOB_INPUTS), "copies"), "2");
    lf_job_free(&job);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_INT(c.device->acts, 1);
    CHECK_STR(case_note(&c, id), "weight 100.00");
    job = core_job(c.journal, id);
    cJSON *report = lf_job_to_json(c.jobs, &job, false); /* what goes out over MQTT */
    const cJSON *value = cJSON_GetArrayItem(cJSON_GetObjectItem(report, "values"), 0);
    CHECK_STR(lf_json_text(value, "name"), "weight");
    CHECK_STR(lf_json_text(value, "value"), "100.00");
    cJSON_Delete(report);
    lf_job_free(&job);
    CHECK_INT(fake_cloud.patched + fake_cloud.written, 0); /* nothing in Benchling changes */
    case_close(&c);
}

static void procedure_without_its_input(void)
{
    begin();
    int64_t id = 0;
    CHECK_INT(event_birth("label", "k", "{\"name\":\"Plate 7\"}", &id), LF_OK);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_HELD));
    CHECK_HAS(case_note(&c, id), "\"fields.Copies\"");
    CHECK_INT(c.device->acts, 0);
    case_close(&c);
}

UNIT_TESTS("job, its birth",
           {"a job of an event is reported when it is born, not when its first step ends", reported_at_birth},
           UNIT_ROWS(births, reported_first),
           {"row, history, audit entry and report of a new job come together or not at all", all_or_nothing},
           {"one key makes one job, and a second birth returns its id", one_key_one_job},
           {"a job takes the fields of its kind from the event's resource, and no others",
            fields_of_the_resource},
           {"a procedure runs for any event, with inputs from its resource", procedure_of_an_event},
           {"a procedure whose input the event lacks is held and not run", procedure_without_its_input})

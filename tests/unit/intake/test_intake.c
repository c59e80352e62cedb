/* From messages to rows and jobs: real configuration, real journal. */
#include "base/clock.h"
#include "core.h"
#include "event/event.h"
#include "fake_cloud.h"
#include "intake/parts.h"
#include "job/job.h"
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTRUMENTS                                                                                          \
    "instruments = ( { name = \"robot\"; driver = \"fake\"; }, { name = \"balance\"; driver = \"fake\"; } "  \
    ");\n"
#define ROUTES                                                                                               \
    "routes = (\n"                                                                                           \
    " { name = \"first\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "     \
    "\"robot\";\n"                                                                                           \
    "   where = { automationInputGenerator = { assayRunId = [ \"run_1\" ]; }; }; },\n"                       \
    " { name = \"other\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "     \
    "\"balance\";\n"                                                                                         \
    "   where = { automationInputGenerator = { assayRunId = ( { anything-but = [ \"run_1\" ]; } ); }; };\n"  \
    "   not_after = \"2h\"; },\n"                                                                            \
    " { name = \"weigh\"; on = \"workflowTask.updated.status\"; job = \"task\"; instrument = \"balance\";\n" \
    "   procedure = \"weigh\"; },\n"                                                                         \
    " { name = \"by-hand\"; on = \"automationOutputProcessor.uploaded\"; job = \"collect\"; }\n"             \
    ");\n"

static struct lf_config *config;
static struct lf_journal *journal;
static struct lf_intake *intake;
static struct lf_jobs *jobs;

static void open_with(const char *text)
{
    struct lf_error err;
    config = core_config(text);
    struct lf_jobs_options options = {.config = config, .journal = journal};
    NEED(lf_jobs_open(&options, &jobs, &err) == LF_OK);
    NEED(lf_intake_open(&(struct lf_intake_options){.config = config, .journal = journal, .jobs = jobs},
                        &intake, &err)
         == LF_OK);
}

static void open_all(void)
{
    fake_cloud_reset();
    journal = core_journal();
    open_with(INSTRUMENTS ROUTES);
}

static void close_all(void)
{
    lf_intake_close(intake);
    lf_jobs_close(jobs);
    lf_journal_close(journal);
    lf_config_free(config);
}

static enum lf_status take(const char *text)
{
    struct lf_error err = {0};
    struct lf_message message = {.topic = "labferry/lab/events/x", .payload = lf_slice_text(text)};
    enum lf_status status = lf_intake_batch(intake, &message, 1, &err);
    CHECK_STR(status == LF_OK ? "" : err.text, "");
    return status;
}

static const char *ago(int64_t ms)
{
    static char text[LF_TIME_TEXT];
    lf_time_format(lf_clock_wall_ms() - ms, text);
    return text;
}

/* An event as EventBridge brings it. `resource`: name and object, "\"workflowTask\":{...}". */
static enum lf_status take_event(const char *id, const char *type, const char *created, const char *excluded,
                                 const char *resource)
{
    char *text = lf_format(
        "{\"version\":\"0\",\"id\":\"aws-%s\",\"detail-type\":\"%s\",\"source\":\"aws.partner/benchling.com/"
        "acme\",\"account\":\"1\",\"time\":\"%s\",\"region\":\"us-west-1\",\"resources\":[],\"detail\":{"
        "\"id\":\"%s\",\"eventType\":\"%s\",\"createdAt\":\"%s\",\"deprecated\":false,"
        "\"excludedProperties\":[%s],%s}}",
        id, type, created, id, type, created, excluded, resource);
    NEED(text != NULL);
    enum lf_status status = take(text);
    free(text);
    return status;
}

#define GENERATOR(run, file)                                                                                 \
    "\"automationInputGenerator\":{\"id\":\"aig_1\",\"assayRunId\":\"" run                                   \
    "\",\"automationFileConfig\":{\"name\":\"Worklist"                                                       \
    "\"},\"file\":{\"id\":\"" file "\",\"name\":\"w.csv\"}}"

static void check_fate(const char *id, enum lf_fate fate, int64_t job)
{
    struct lf_event_row row = core_event(journal, id);
    CHECK_STR(lf_fate_name(row.fate), lf_fate_name(fate));
    char jobs_text[40] = "[]";
    if (job)
        snprintf(jobs_text, sizeof jobs_text, "[%lld]", (long long)job);
    CHECK_STR(row.jobs, jobs_text);
    lf_event_row_free(&row);
}

static int64_t job_count(void)
{
    cJSON *counts = lf_journal_job_counts(journal, NULL);
    int64_t total = 0;
    NEED(counts != NULL);
    for (const cJSON *count = counts->child; count; count = count->next)
        total += (int64_t)count->valuedouble;
    cJSON_Delete(counts);
    return total;
}

static void event_becomes_a_job(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_1", "file_1")),
              LF_OK);
    check_fate("evt_1", LF_FATE_JOB, 1);
    struct lf_job job = core_job(journal, 1);
    CHECK_STR(job.kind, "deliver");
    CHECK_STR(job.instrument, "robot");
    CHECK_STR(job.step, "resolve");
    CHECK_STR(job.event_id, "evt_1");
    CHECK_INT(job.state, LF_JOB_READY);
    CHECK_STR(lf_job_text(&job, LF_JOB_GENERATOR), "aig_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_FILE), "file_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_RUN), "run_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_CONFIG), "Worklist");
    lf_job_free(&job);
    CHECK(core_told(journal, 1, "event evt_1"));
    close_all();
}

static void twins(void)
{
    open_all();
    CHECK_INT(take_event("evt_a", "v2-beta.automationInputGenerator.completed", ago(1000), "",
                         GENERATOR("run_1", "file_1")),
              LF_OK);
    CHECK_INT(take_event("evt_b", "v2.automationInputGenerator.completed", ago(900), "",
                         GENERATOR("run_1", "file_1")),
              LF_OK);
    CHECK_INT(take_event("evt_c", "v2-alpha.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_1", "file_1")),
              LF_OK);
    CHECK_INT(job_count(), 1);
    check_fate("evt_a", LF_FATE_JOB, 1);
    check_fate("evt_b", LF_FATE_TWIN, 1);
    check_fate("evt_c", LF_FATE_TWIN, 1);
    CHECK_INT(take_event("evt_d", "v2.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_1", "file_2")),
              LF_OK);
    CHECK_INT(job_count(), 2); /* generated anew: another happening */
    close_all();
}

static void resent(void)
{
    open_all();
    for (int i = 0; i < 3; i++)
        CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(1), "",
                             GENERATOR("run_1", "file_1")),
                  LF_OK);
    struct lf_event_row row = core_event(journal, "evt_1");
    CHECK_INT(row.times, 3);
    CHECK_INT(row.fate, LF_FATE_JOB);
    lf_event_row_free(&row);
    CHECK_INT(job_count(), 1);
    close_all();
}

static void resent_in_another_envelope(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(1), "",
                         GENERATOR("run_1", "file_1")),
              LF_OK);
    struct lf_error err = {0};
    CHECK_INT(lf_intake_add(intake, "poll", NULL,
                            lf_slice_text("{\"id\":\"evt_1\",\"eventType\":\"v2.automationInputGenerator."
                                          "completed\",\"createdAt\":\"2026-05-04T09:42:00Z\"," GENERATOR(
                                              "run_1", "file_1") "}"),
                            &err),
              LF_OK);
    CHECK_INT(job_count(), 1);
    close_all();
}

static void out_of_order(void)
{
    open_all();
    CHECK_INT(take_event("evt_2", "v2.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_1", "file_2")),
              LF_OK);
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(60000), "",
                         GENERATOR("run_1", "file_1")),
              LF_OK);
    check_fate("evt_2", LF_FATE_JOB, 1);
    check_fate("evt_1", LF_FATE_JOB,
               2); /* whether its file is still the generator's is found out at the first step */
    close_all();
}

/* `again` wants the same as `first`. */
#define MORE_ROUTES                                                                                          \
    " { name = \"again\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "     \
    "\"robot\"; },\n"                                                                                        \
    " { name = \"both\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "      \
    "\"balance\"; },\n"                                                                                      \
    " { name = \"tare\"; on = \"workflowTask.*\"; job = \"task\"; instrument = \"balance\"; procedure = "    \
    "\"tare\"; },\n"

static void check_job(int64_t id, const char *route, const char *instrument)
{
    struct lf_job job = core_job(journal, id);
    CHECK_STR(job.route, route);
    CHECK_STR(job.instrument, instrument);
    lf_job_free(&job);
}

static void every_route(void)
{
    char *text = lf_format("%sroutes = (\n" MORE_ROUTES "%s", INSTRUMENTS, strchr(ROUTES, '(') + 1);
    journal = core_journal();
    open_with(text);
    free(text);
    CHECK_INT(take_event("evt_1", "v2.workflowTask.updated.status", ago(0), "",
                         "\"workflowTask\":{\"id\":\"wft_1\",\"status\":{\"id\":\"st\"}}"),
              LF_OK);
    struct lf_event_row row = core_event(journal, "evt_1"); /* one instrument and kind, two procedures */
    CHECK_STR(row.jobs, "[1,2]");
    CHECK_STR(row.note, NULL);
    lf_event_row_free(&row);
    CHECK_INT(take_event("evt_2", "v2.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_1", "f1")),
              LF_OK);
    CHECK_INT(job_count(), 4);
    check_job(3, "again", "robot");
    check_job(4, "both", "balance");
    row = core_event(journal, "evt_2");
    CHECK_STR(lf_fate_name(row.fate), "job");
    CHECK_STR(row.jobs, "[3,4]");
    CHECK_STR(row.note, "route \"first\" wants the same as another route: job 3");
    lf_event_row_free(&row);
    CHECK_INT(take_event("evt_3", "v2-beta.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_1", "f1")),
              LF_OK);
    row = core_event(journal, "evt_3");
    CHECK_STR(lf_fate_name(row.fate), "twin");
    CHECK_STR(row.jobs, "[3,4]");
    lf_event_row_free(&row);
    CHECK_INT(job_count(), 4);
    close_all();
}

/* A route added since makes its job, even of a happening that is known. */
static void known_to_some_routes(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_2", "f1")),
              LF_OK);
    CHECK_INT(job_count(), 1);
    lf_intake_close(intake);
    lf_jobs_close(jobs);
    lf_config_free(config);
    open_with(INSTRUMENTS "routes = ({ name = \"new\"; on = \"automationInputGenerator.completed\"; job = "
                          "\"deliver\"; instrument = \"robot\"; }, { name = \"other\"; on = "
                          "\"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "
                          "\"balance\"; });");
    CHECK_INT(take_event("evt_2", "v2-beta.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_2", "f1")),
              LF_OK);
    struct lf_event_row row = core_event(journal, "evt_2");
    CHECK_STR(lf_fate_name(row.fate), "job");
    CHECK_STR(row.jobs, "[1,2]");
    CHECK_STR(row.note, "an earlier event reported the same: job 1");
    lf_event_row_free(&row);
    close_all();
}

static void expiry_unsure(void)
{
    open_all();
    int64_t hour = 60 * 60 * 1000;
    CHECK(!lf_clock_learned());
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(72 * hour), "",
                         GENERATOR("run_2", "f1")),
              LF_OK);
    int64_t now = lf_clock_mono_ms();
    struct lf_job job = core_job(journal, 1);
    CHECK(job.expires_mono > now + hour && job.expires_mono <= now + 2 * hour);
    CHECK(llabs(lf_job_int(&job, LF_JOB_HAPPENED, 0) - (lf_clock_wall_ms() - 72 * hour)) < 60000);
    lf_job_free(&job);
    lf_clock_learn(lf_clock_wall_ms() - 72 * hour); /* it is our clock that is ahead */
    CHECK_INT(take_event("evt_2", "v2.automationInputGenerator.completed", ago(73 * hour), "",
                         GENERATOR("run_2", "f2")),
              LF_OK);
    job = core_job(journal, 2);
    CHECK(job.expires_mono > now + hour - 60000 && job.expires_mono <= now + hour + 60000);
    CHECK_INT(lf_job_int(&job, LF_JOB_HAPPENED, 0), 0);
    lf_job_free(&job);
    close_all();
}

static void expiry(void)
{
    open_all();
    lf_clock_learn(lf_clock_wall_ms());
    int64_t hour = 60 * 60 * 1000;
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(hour), "",
                         GENERATOR("run_2", "f1")),
              LF_OK);
    CHECK_INT(take_event("evt_2", "v2.automationInputGenerator.completed", ago(72 * hour), "",
                         GENERATOR("run_2", "f2")),
              LF_OK);
    CHECK_INT(take_event("evt_3", "v2.automationInputGenerator.completed", ago(-72 * hour), "",
                         GENERATOR("run_2", "f3")),
              LF_OK);
    int64_t now = lf_clock_mono_ms();
    struct lf_job job = core_job(journal, 1);
    CHECK(job.expires_mono > now + hour - 60000 && job.expires_mono <= now + hour);
    lf_job_free(&job);
    job = core_job(journal, 2);
    CHECK(job.expires_mono > 0 && job.expires_mono < now);
    lf_job_free(&job);
    job = core_job(journal, 3); /* a date in the future gives no more time than the route allows */
    CHECK(job.expires_mono > now + hour && job.expires_mono <= now + 2 * hour);
    lf_job_free(&job);
    close_all();
}

static void excluded(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(0), "\"file\"",
                         "\"automationInputGenerator\":{\"id\":\"aig_1\"}"),
              LF_OK);
    check_fate("evt_1", LF_FATE_REREAD, 0);
    CHECK_INT(job_count(), 0);
    fake_cloud.resource = "{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"file_1\"}}";
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    CHECK(!intake__reread_one(intake, &next));
    CHECK(next == LF_NEVER);
    check_fate("evt_1", LF_FATE_JOB, 1);
    struct lf_job job = core_job(journal, 1);
    CHECK_STR(job.route, "first"); /* its pattern looks at what had been left out */
    CHECK_STR(lf_job_text(&job, LF_JOB_FILE), "file_1");
    lf_job_free(&job);
    close_all();
}

static void excluded_without_a_route(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.entry.updated.fields", ago(0), "\"entry\"", "\"other\":1"), LF_OK);
    check_fate("evt_1", LF_FATE_UNROUTED, 0); /* nobody wants it: nothing is asked of Benchling */
    close_all();
}

static void thin(void)
{
    open_all();
    CHECK_INT(
        take("{\"version\":\"0\",\"baseURL\":\"https://"
             "acme.benchling.com\",\"tenantId\":\"ten_1\",\"app\":{\"id\":\"app_1\"},"
             "\"appDefinition\":{\"id\":null},\"channel\":\"events\",\"message\":{\"id\":\"evt_1\",\"type\":"
             "\"v2.workflowTask.updated.status\",\"createdAt\":\"2026-05-04T09:42:00.250Z\",\"deprecated\":"
             "false,"
             "\"resourceId\":\"wftask_1\",\"schema\":{\"id\":\"s\"}}}"),
        LF_OK);
    check_fate("evt_1", LF_FATE_REREAD, 0);
    fake_cloud.resource = "{\"id\":\"wftask_1\",\"displayId\":\"T1\",\"status\":{\"id\":\"st_1\"}}";
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    struct lf_job job = core_job(journal, 1);
    CHECK_STR(job.kind, "task");
    CHECK_STR(lf_job_text(&job, LF_JOB_WORKFLOW_TASK), "wftask_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_STATUS), "st_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_PROCEDURE), "weigh");
    lf_job_free(&job);
    close_all();
}

static void unknown_and_unrouted(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v9.robot.danced", ago(0), "", "\"robot\":{\"id\":\"r\"}"), LF_OK);
    CHECK_INT(take_event("evt_2", "v2.assayRun.created", ago(0), "", "\"assayRun\":{\"id\":\"r\"}"), LF_OK);
    check_fate("evt_1", LF_FATE_UNKNOWN, 0);
    check_fate("evt_2", LF_FATE_UNROUTED, 0);
    struct lf_event_row row = core_event(journal, "evt_1");
    CHECK_HAS(row.body, "v9.robot.danced");
    lf_event_row_free(&row);
    close_all();
}

static void deprecated(void)
{
    open_all();
    for (int i = 0; i < 3; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "{\"id\":\"evt_%d\",\"eventType\":\"v2-beta.entry.created\",\"deprecated\":true,"
                 "\"entry\":{\"id\":\"etr_%d\"}}",
                 i, i);
        CHECK_INT(take(text), LF_OK);
    }
    cJSON *health = lf_intake_health(intake);
    const cJSON *counts = cJSON_GetObjectItem(health, "deprecated"); /* by type; a type has dots in it */
    CHECK_INT(cJSON_GetNumberValue(cJSON_GetObjectItem(counts, "v2-beta.entry.created")), 3);
    cJSON_Delete(health);
    close_all();
}

static int bad_rows;
static char bad_why[400], bad_id[100];

static void see_bad(void *context, const struct lf_event_row *row)
{
    (void)context;
    bad_rows++;
    snprintf(bad_why, sizeof bad_why, "%s", row->note ? row->note : "");
    snprintf(bad_id, sizeof bad_id, "%s", row->id);
}

static void bad_messages(void)
{
    static const char *const messages[] = {"",
                                           "\0\xff\xfe",
                                           "{",
                                           "[]",
                                           "null",
                                           "{\"detail\":7}",
                                           "{\"eventType\":{}}",
                                           "{\"detail-type\":\"v2.entry.created\",\"detail\":[]}",
                                           "\xc3\x28"};
    open_all();
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        CHECK_INT(take(messages[i]), LF_OK); /* acknowledged: it would be bad for ever */
        bad_rows = 0;
        lf_journal_event_list(journal, "bad", 1, see_bad, NULL, UNIT_ERROR);
        CHECK_INT(bad_rows, 1);
        CHECK(strlen(bad_why) > 10);
    }
    CHECK_INT(take("not JSON"), LF_OK);
    CHECK_INT(take("not JSON"), LF_OK);
    lf_journal_event_list(journal, "bad", 1, see_bad, NULL, UNIT_ERROR);
    struct lf_event_row row = core_event(journal, bad_id);
    CHECK_BYTES(row.body, row.body_len, "not JSON", 8);
    CHECK_INT(row.times, 2);
    lf_event_row_free(&row);
    CHECK_INT(job_count(), 0);
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(0), "",
                         GENERATOR("run_1", "f")),
              LF_OK);
    CHECK_INT(job_count(), 1); /* the rest goes on */
    close_all();
}

static void deeply_nested(void)
{
    open_all();
    char *text = malloc(100001);
    NEED(text != NULL);
    memset(text, '[', 100000);
    text[100000] = '\0';
    CHECK_INT(take(text), LF_OK);
    free(text);
    CHECK_INT(core_count(lf_journal_event_counts(journal), "bad"), 1);
    close_all();
}

static void too_large(void)
{
    open_all();
    struct lf_error err = {0};
    struct lf_message message = {.topic = "labferry/lab/events/x",
                                 .too_large = true,
                                 .too_large_size = 5000000};
    CHECK_INT(lf_intake_batch(intake, &message, 1, &err), LF_OK);
    lf_journal_event_list(journal, "bad", 1, see_bad, NULL, UNIT_ERROR);
    CHECK_HAS(bad_why, "5000000 bytes");
    close_all();
}

static void routed_but_unfit(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.workflowTask.updated.status", ago(0), "", "\"workflowTask\":{}"),
              LF_OK);
    check_fate("evt_1", LF_FATE_BAD, 0);
    struct lf_event_row row = core_event(journal, "evt_1");
    CHECK_HAS(row.note, "route \"weigh\"");
    lf_event_row_free(&row);
    close_all();
}

static void completed_wakes(void)
{
    open_all();
    struct lf_job job = {.kind = (char *)"collect",
                         .instrument = (char *)"robot",
                         .key = (char *)"k",
                         .step = "process",
                         .state = LF_JOB_READY};
    int64_t next;
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_job_claim(journal, NULL, &job, &next, UNIT_ERROR) == LF_OK);
    job.state = LF_JOB_WAITING;
    job.due_mono = LF_NEVER;
    job.wake = strdup("processor:aop_1");
    NEED(lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    lf_job_free(&job);
    CHECK_INT(take_event("evt_1", "v2.automationOutputProcessor.completed", ago(0), "",
                         "\"automationOutputProcessor\":{\"id\":\"aop_2\",\"status\":\"SUCCEEDED\"}"),
              LF_OK);
    CHECK_INT(take_event("evt_2", "v2.automationOutputProcessor.completed", ago(0), "",
                         "\"automationOutputProcessor\":{\"id\":\"aop_1\",\"status\":\"SUCCEEDED\"}"),
              LF_OK);
    check_fate("evt_1", LF_FATE_UNROUTED, 0);
    check_fate("evt_2", LF_FATE_WOKE, 1);
    job = core_job(journal, 1);
    CHECK_INT(job.state, LF_JOB_READY);
    lf_job_free(&job);
    close_all();
}

static void by_hand(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.automationOutputProcessor.uploaded", ago(0), "",
                         "\"automationOutputProcessor\":{\"id\":\"aop_1\",\"assayRunId\":\"run_1\",\"file\":{"
                         "\"id\":\"blob_1\","
                         "\"name\":\"r.csv\"}}"),
              LF_OK);
    struct lf_job job = core_job(journal, 1);
    CHECK_STR(job.kind, "collect");
    CHECK_STR(job.step, "adopt");
    CHECK_STR(lf_job_text(&job, LF_JOB_PROCESSOR), "aop_1");
    CHECK_STR(lf_job_text(&job, LF_JOB_BLOB), "blob_1");
    lf_job_free(&job);
    close_all();
}

static void journal_error_is_told(void)
{
    open_all();
    struct lf_error err = {0};
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    NEED(lf_intake_add(intake, "mqtt", NULL,
                       lf_slice_text("{\"id\":\"evt_1\",\"eventType\":\"v2.entry.created\"}"), &err)
         == LF_OK);
    lf_journal_rollback(journal); /* as when a later message of the batch cannot be stored */
    struct lf_event_row row;
    CHECK_INT(lf_journal_event_get(journal, "evt_1", &row, UNIT_ERROR), LF_NOT_FOUND);
    CHECK_INT(take("{\"id\":\"evt_1\",\"eventType\":\"v2.entry.created\"}"), LF_OK);
    check_fate("evt_1", LF_FATE_UNROUTED, 0);
    row = core_event(journal, "evt_1");
    CHECK_INT(row.times, 1);
    lf_event_row_free(&row);
    close_all();
}

static void add_incomplete(const char *id, const char *body)
{
    struct lf_event_row row = {.id = (char *)id,
                               .type = (char *)"v2.entry.created",
                               .source = (char *)"mqtt",
                               .fate = LF_FATE_REREAD,
                               .body = (char *)body,
                               .body_len = strlen(body)};
    NEED(lf_journal_event_add(journal, &row, UNIT_ERROR) == LF_OK);
}

static void never_readable(void)
{
    open_all();
    int64_t next = 0;
    add_incomplete("junk", "no event");
    add_incomplete("nameless", "{\"id\":\"nameless\",\"eventType\":\"v2.entry.created\",\"entry\":{}}");
    while (intake__reread_one(intake, &next))
        ;
    check_fate("junk", LF_FATE_LOST, 0);
    struct lf_event_row row = core_event(journal, "nameless");
    CHECK_HAS(row.note, "does not name the id");
    lf_event_row_free(&row);
    close_all();
}

static void move_journal(const char *from, const char *to)
{
    char old[600], new[600];
    snprintf(old, sizeof old, "%s/%s", unit_folder(), from);
    snprintf(new, sizeof new, "%s/%s", unit_folder(), to);
    NEED(rename(old, new) == 0);
}

static void take_journal_away(void)
{
    move_journal("journal.db", "away.db");
}

static void read_but_not_stored(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(0), "\"file\"",
                         "\"automationInputGenerator\":{\"id\":\"aig_1\"}"),
              LF_OK);
    fake_cloud.resource = "{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"file_1\"}}";
    fake_cloud.on_resource = take_journal_away;
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    move_journal("away.db", "journal.db");
    fake_cloud.on_resource = NULL;
    check_fate("evt_1", LF_FATE_REREAD, 0);
    CHECK_INT(job_count(), 0);
    NEED(lf_journal_event_put_off(journal, "evt_1", 0, UNIT_ERROR) == LF_OK);
    CHECK(intake__reread_one(intake, &next));
    CHECK_INT(job_count(), 1);
    close_all();
}

/* What the thread does with a gap; where it is asked from was noted before. */
static void gap_is_filled(void)
{
    open_all();
    struct lf_error err;
    struct lf_event_row row = {0};
    CHECK_INT(take_event("evt_1", "v2.entry.created", "2026-01-01T01:00:00Z", "", "\"entry\":{\"id\":\"e\"}"),
              LF_OK);
    fake_cloud.events = "{\"events\":[{\"id\":\"evt_2\",\"eventType\":\"v2.entry.created\",\"entry\":{\"id\":"
                        "\"f\"}}],\"nextToken\":\"\"}";
    CHECK_INT(lf_intake_gap(intake, &err), LF_OK);
    NEED(lf_intake_start(intake, &err) == LF_OK);
    lf_intake_fill(intake, true);
    char *gap = NULL;
    int64_t deadline = lf_deadline_in(60000);
    do {
        free(gap);
        lf_sleep_until(lf_deadline_in(5), NULL);
        CHECK_INT(lf_journal_get(journal, "poll.gap", &gap, &err), LF_OK);
    } while (gap && !lf_deadline_passed(deadline));
    CHECK_STR(gap, NULL);
    CHECK_INT(lf_journal_event_get(journal, "evt_2", &row, &err), LF_OK);
    CHECK_STR(row.source, "poll");
    CHECK_STR(fake_cloud.asked_from, "2026-01-01T00:50:00.000Z"); /* ten minutes before the newest event */
    lf_event_row_free(&row);
    close_all();
}

/* Takes what is on the topic "command", as control does; refuses one that says "no". */
static enum lf_status take_command(void *context, const struct lf_message *message, bool *taken,
                                   struct lf_error *err)
{
    *taken = !strcmp(message->topic, "command");
    *(int *)context += *taken;
    return *taken && lf_slice_is(message->payload, "no") ? lf_fail(err, LF_IO, LF_TRANSIENT, "no") : LF_OK;
}

static void batches(void)
{
    open_all();
    int commands = 0;
    struct lf_error err = {0};
    struct lf_event_row row;
    intake->options.other = take_command;
    intake->options.context = &commands;
    struct lf_message messages[] = {
        {.topic = "e", .payload = lf_slice_text("{\"id\":\"evt_1\",\"eventType\":\"v2.entry.created\"}")},
        {.topic = "command", .payload = lf_slice_text("no")},
        {.topic = "e", .payload = lf_slice_text("{\"id\":\"evt_2\",\"eventType\":\"v2.entry.created\"}")},
    };
    CHECK_INT(lf_intake_batch(intake, messages, 3, &err), LF_IO);
    CHECK_INT(lf_journal_event_get(journal, "evt_1", &row, &err), LF_NOT_FOUND);
    messages[1].payload = lf_slice_text("yes");
    CHECK_INT(lf_intake_batch(intake, messages, 3, &err), LF_OK);
    CHECK_INT(commands, 2);
    check_fate("evt_1", LF_FATE_UNROUTED, 0);
    check_fate("evt_2", LF_FATE_UNROUTED, 0);
    CHECK_INT(core_count(lf_journal_event_counts(journal), "bad"), 0); /* the command was not taken for one */
    close_all();
}

static void incomplete_for_good(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v2.automationInputGenerator.completed", ago(0), "\"file\"",
                         "\"automationInputGenerator\":{\"id\":\"aig_1\"}"),
              LF_OK);
    fake_cloud_fail("get_resource", 1, false, LF_DISCONNECTED, LF_TRANSIENT);
    int64_t next = 0;
    CHECK(intake__reread_one(intake, &next));
    check_fate("evt_1", LF_FATE_REREAD, 0);
    CHECK(!intake__reread_one(intake, &next)); /* not at once */
    CHECK(next > lf_clock_mono_ms() && next != LF_NEVER);
    NEED(lf_journal_event_put_off(journal, "evt_1", 0, UNIT_ERROR) == LF_OK);
    fake_cloud_fail("get_resource", 1, false, LF_NOT_FOUND, LF_PERMANENT);
    CHECK(intake__reread_one(intake, &next));
    check_fate("evt_1", LF_FATE_LOST, 0);
    close_all();
}

/* As the agent does it: what fails is rolled back and not acknowledged. */
static void taken_or_refused(void)
{
    open_all();
    int64_t there = 0;
    bool last = false;
    for (unsigned n = 1; unit_failing(n); n++) {
        char id[32], text[900];
        struct lf_error err = {0};
        snprintf(id, sizeof id, "evt_%u", n);
        snprintf(
            text, sizeof text,
            "{\"eventType\":\"v2.automationInputGenerator.completed\",\"id\":\"%s\",\"createdAt\":\"%s\","
            "\"automationInputGenerator\":{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"file_"
            "%u\",\"name\":"
            "\"w.csv\"},\"automationFileConfig\":{\"name\":\"Worklist\"}}}",
            id, ago(0), n);
        enum lf_status status = lf_journal_begin(journal, &err);
        if (status == LF_OK) {
            status = lf_intake_add(intake, "mqtt", "labferry/lab/events/x", lf_slice_text(text), &err);
            if (status == LF_OK)
                status = lf_journal_end(journal, LF_OK, &err);
            else
                lf_journal_rollback(journal);
        }
        unit_failing_over();
        there += status == LF_OK;
        CHECK_INT(job_count(), there);
        struct lf_event_row row = {0};
        CHECK_INT(lf_journal_event_get(journal, id, &row, UNIT_ERROR),
                  status == LF_OK ? LF_OK : LF_NOT_FOUND);
        if (status == LF_OK) {
            CHECK_STR(lf_fate_name(row.fate), "job");
            struct lf_job job = core_job(journal, there);
            CHECK_STR(job.route, "first");
            CHECK_STR(lf_job_text(&job, LF_JOB_RUN), "run_1");
            CHECK_STR(lf_job_text(&job, LF_JOB_FILE_NAME), "w.csv");
            lf_job_free(&job);
        } else {
            CHECK_INT(err.class, LF_TRANSIENT);
        }
        lf_event_row_free(&row);
        last = status == LF_OK;
    }
    CHECK(last);
    close_all();
}

UNIT_TESTS(
    "intake",
    {"for want of memory an event is refused whole, to be sent again; taken, it is taken whole",
     taken_or_refused},
    {"an event that a route wants becomes a job with what the event told", event_becomes_a_job},
    {"v2, v2-beta and v2-alpha events of one happening make one job; a new happening makes another", twins},
    {"an event that is sent again is counted and makes nothing new", resent},
    {"an event that comes by MQTT and by GET /events is one event", resent_in_another_envelope},
    {"events out of order each get their job, which finds out what is still true", out_of_order},
    {"every route that matches makes its job, and routes that want the same make one", every_route},
    {"a route that is added later makes its job of a happening that is known", known_to_some_routes},
    {"while nobody knows whether our clock is right, no work is taken for too late by it", expiry_unsure},
    {"the time limit counts from when it happened, not from when it was heard of", expiry},
    {"properties that were dropped for size are read again before routing", excluded},
    {"an event that can never be completed is lost, and says why", never_readable},
    {"an event that was completed but could not be stored is routed later", read_but_not_stored},
    {"a gap is asked for from before the newest event, and is forgotten once it is filled", gap_is_filled},
    {"what no route names is not read again", excluded_without_a_route},
    {"an event that cannot be completed now is tried again later; one that never can is lost, and says so",
     incomplete_for_good},
    {"a batch is stored and acknowledged as one, and its commands are not taken for events", batches},
    {"a webhook's thin event is filled in before routing", thin},
    {"unknown and unwanted events are kept, each under its fate", unknown_and_unrouted},
    {"deprecated types are counted", deprecated},
    {"what is no event is kept with the reason, and the rest goes on", bad_messages},
    {"a message nested a hundred thousand deep is a bad message", deeply_nested},
    {"a message that was too large is told with its size", too_large},
    {"an event that a route wants but no job can be made of says why", routed_but_unfit},
    {"a processor that has completed wakes the job that waits for it, and no other", completed_wakes},
    {"an upload by hand becomes a collect job at its last steps", by_hand},
    {"a batch that could not be committed is not known when it comes again", journal_error_is_told}, )

/* From messages to rows and jobs: real configuration, real journal. */
#include "base/clock.h"
#include "event/event.h"
#include "intake_case.h"
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void event_becomes_a_job(void)
{
    open_all();
    generated("v2", "evt_1", 0, "run_1", "file_1");
    check_fate("evt_1", LF_FATE_JOB, "[1]");
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
    CHECK(core_history_has(journal, 1, "event evt_1"));
    close_all();
}

static void twins(void)
{
    open_all();
    generated("v2-beta", "evt_a", 1000, "run_1", "file_1");
    generated("v2", "evt_b", 900, "run_1", "file_1");
    generated("v2-alpha", "evt_c", 0, "run_1", "file_1");
    CHECK_INT(job_count(), 1);
    check_fate("evt_a", LF_FATE_JOB, "[1]");
    check_fate("evt_b", LF_FATE_TWIN, "[1]");
    check_fate("evt_c", LF_FATE_TWIN, "[1]");
    generated("v2", "evt_d", 0, "run_1", "file_2");
    CHECK_INT(job_count(), 2); /* a new file: another happening */
    close_all();
}

static void resent(void)
{
    open_all();
    for (int i = 0; i < 3; i++)
        CHECK_INT(
            take_event("evt_1", "v2.automationInputGenerator.completed", "2026-05-04T09:42:00Z", "",
                       "\"automationInputGenerator\":{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{"
                       "\"id\":\"file_1\",\"name\":\"w.csv\"}}"),
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
    generated("v2", "evt_1", 1, "run_1", "file_1");
    struct lf_error err = {0};
    CHECK_INT(intake__add(intake, INTAKE_LIST, NULL,
                          lf_slice_text("{\"id\":\"evt_1\",\"eventType\":\"v2.automationInputGenerator."
                                        "completed\",\"createdAt\":\"2026-05-04T09:42:00Z\","
                                        "\"automationInputGenerator\":{\"id\":\"aig_1\",\"assayRunId\":"
                                        "\"run_1\",\"file\":{\"id\":\"file_1\"}}}"),
                          NULL, &err),
              LF_OK);
    CHECK_INT(job_count(), 1);
    close_all();
}

static void out_of_order(void)
{
    open_all();
    generated("v2", "evt_2", 0, "run_1", "file_2");
    generated("v2", "evt_1", 60000, "run_1", "file_1");
    check_fate("evt_2", LF_FATE_JOB, "[1]");
    check_fate("evt_1", LF_FATE_JOB,
               "[2]"); /* whether its file is still the generator's is found out at the first step */
    close_all();
}

/* `again` wants the same as `first`. */
#define MORE_ROUTES                                                                                                          \
    " { name = \"again\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "                     \
    "\"robot\"; },\n"                                                                                                        \
    " { name = \"both\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "                      \
    "\"balance\"; },\n"                                                                                                      \
    " { name = \"tare\"; on = \"workflowTask.*\"; job = \"task\"; only_agent = true; instrument = \"balance\"; procedure = " \
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
    check_fate("evt_1", LF_FATE_JOB, "[1,2]"); /* one instrument and kind, two procedures */
    check_note("evt_1", NULL);
    generated("v2", "evt_2", 0, "run_1", "f1");
    CHECK_INT(job_count(), 4);
    check_job(3, "again", "robot");
    check_job(4, "both", "balance");
    check_fate("evt_2", LF_FATE_JOB, "[3,4]");
    check_note("evt_2", "route \"first\" wants the same as another route: job 3");
    generated("v2-beta", "evt_3", 0, "run_1", "f1");
    check_fate("evt_3", LF_FATE_TWIN, "[3,4]");
    CHECK_INT(job_count(), 4);
    close_all();
}

/* A route added since makes its job, even of a happening that is known. */
static void known_to_some_routes(void)
{
    open_all();
    generated("v2", "evt_1", 0, "run_2", "f1");
    CHECK_INT(job_count(), 1);
    lf_intake_close(intake);
    lf_jobs_close(jobs);
    lf_config_free(config);
    open_with(INSTRUMENTS "routes = ({ name = \"new\"; on = \"automationInputGenerator.completed\"; job = "
                          "\"deliver\"; instrument = \"robot\"; }, { name = \"other\"; on = "
                          "\"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "
                          "\"balance\"; });");
    generated("v2-beta", "evt_2", 0, "run_2", "f1");
    check_fate("evt_2", LF_FATE_JOB, "[1,2]");
    check_note("evt_2", "an earlier event reported the same: job 1");
    close_all();
}

static void expiry_unsure(void)
{
    open_all();
    int64_t hour = 60 * 60 * 1000;
    CHECK(!lf_clock_learned());
    generated("v2", "evt_1", 72 * hour, "run_2", "f1");
    int64_t now = lf_clock_mono_ms();
    struct lf_job job = core_job(journal, 1);
    CHECK(job.expires_mono > now + hour && job.expires_mono <= now + 2 * hour);
    CHECK(llabs(lf_job_int(&job, LF_JOB_HAPPENED, 0) - (lf_clock_wall_ms() - 72 * hour)) < 60000);
    lf_job_free(&job);
    lf_clock_learn(lf_clock_wall_ms() - 72 * hour); /* it is our clock that is ahead */
    generated("v2", "evt_2", 73 * hour, "run_2", "f2");
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
    generated("v2", "evt_1", hour, "run_2", "f1");
    generated("v2", "evt_2", 72 * hour, "run_2", "f2");
    generated("v2", "evt_3", -72 * hour, "run_2", "f3");
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

static void unknown_and_unrouted(void)
{
    open_all();
    CHECK_INT(take_event("evt_1", "v9.robot.danced", ago(0), "", "\"robot\":{\"id\":\"r\"}"), LF_OK);
    CHECK_INT(take_event("evt_2", "v2.assayRun.created", ago(0), "", "\"assayRun\":{\"id\":\"r\"}"), LF_OK);
    check_fate("evt_1", LF_FATE_UNKNOWN, "[]");
    check_fate("evt_2", LF_FATE_UNROUTED, "[]");
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
        CHECK_INT(take(messages[i]), LF_OK); /* acknowledged: it will never be valid */
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
    generated("v2", "evt_1", 0, "run_1", "f");
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
    check_fate("evt_1", LF_FATE_BAD, "[]");
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
    check_fate("evt_1", LF_FATE_UNROUTED, "[]");
    check_fate("evt_2", LF_FATE_WOKE, "[1]");
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

static void rolled_back_is_new(void)
{
    open_all();
    struct lf_error err = {0};
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    NEED(intake__add(intake, INTAKE_MQTT, NULL,
                     lf_slice_text("{\"id\":\"evt_1\",\"eventType\":\"v2.entry.created\"}"), NULL, &err)
         == LF_OK);
    lf_journal_rollback(journal); /* as when a later message of the batch cannot be stored */
    struct lf_event_row row;
    CHECK_INT(lf_journal_event_get(journal, "evt_1", &row, UNIT_ERROR), LF_NOT_FOUND);
    CHECK_INT(take("{\"id\":\"evt_1\",\"eventType\":\"v2.entry.created\"}"), LF_OK);
    check_fate("evt_1", LF_FATE_UNROUTED, "[]");
    row = core_event(journal, "evt_1");
    CHECK_INT(row.times, 1);
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
    check_fate("evt_1", LF_FATE_UNROUTED, "[]");
    check_fate("evt_2", LF_FATE_UNROUTED, "[]");
    CHECK_INT(core_count(lf_journal_event_counts(journal), "bad"), 0); /* the command was not stored as one */
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
            status = intake__add(intake, INTAKE_MQTT, "labferry/lab/events/x", lf_slice_text(text), NULL,
                                 &err);
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

UNIT_TESTS("intake",
           {"when memory runs out an event is refused as a whole, to be sent again, or stored as a whole",
            taken_or_refused},
           {"an event that a route wants becomes a job with the fields of the event", event_becomes_a_job},
           {"v2, v2-beta and v2-alpha events of one happening make one job; a new happening makes another",
            twins},
           {"an event that is sent again is counted and makes nothing new", resent},
           {"an event that comes by MQTT and by GET /events is one event", resent_in_another_envelope},
           {"events out of order each get their job, which finds out what is still true", out_of_order},
           {"every route that matches makes its job, and routes that want the same make one", every_route},
           {"a route that is added later makes its job of a known happening", known_to_some_routes},
           {"as long as our clock may be wrong, no job expires by it", expiry_unsure},
           {"the time limit counts from when the work arose, not from when its event came", expiry},
           {"a batch is stored and acknowledged as one, and its commands are not stored as events", batches},
           {"unknown and unwanted events are stored, each under its fate", unknown_and_unrouted},
           {"deprecated types are counted", deprecated},
           {"bad events are stored with the reason, and the others are taken", bad_messages},
           {"a message nested a hundred thousand levels deep is a bad event", deeply_nested},
           {"a message that was too large is recorded with its size", too_large},
           {"an event that a route wants but that makes no job says why", routed_but_unfit},
           {"a processor that has completed wakes the job that waits for it, and no other", completed_wakes},
           {"an upload by hand becomes a collect job at its last steps", by_hand},
           {"a batch that could not be committed is new when it comes again", rolled_back_is_new}, )

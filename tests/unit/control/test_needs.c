// Whatever needs a person is in the list of needs, with what to do; nothing else is.
#include "ground.h"

#include "base/clock.h"
#include "control/needs.h"
#include "core.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ground ground;

/* With parts of the agent's status. */
static cJSON *needs_beside(const char *parts)
{
    cJSON *status = cJSON_Parse(parts);
    NEED(lf_json_set(status, "needs", cJSON_CreateArray())
         && lf_json_set(status, "jobs", lf_journal_job_counts(ground.context.journal, NULL)));
    control__add_needs(&ground.context, status);
    cJSON *list = cJSON_DetachItemFromObjectCaseSensitive(status, "needs");
    cJSON_Delete(status);
    return list;
}

static cJSON *needs(void)
{
    return needs_beside("{}");
}

// The only entry, or NULL; owned.
static cJSON *only(void)
{
    cJSON *list = needs(), *first = cJSON_DetachItemFromArray(list, 0);
    CHECK_INT(cJSON_GetArraySize(list), 0);
    cJSON_Delete(list);
    return first;
}

static void add_job(enum lf_job_state state, const char *note, int64_t failing_ms)
{
    char facts[200];
    snprintf(facts, sizeof facts, "{\"file_name\":\"plate.csv\",\"failing_since\":%lld}",
             (long long)(lf_clock_best_ms() - failing_ms));
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)"balance-1",
                         .key = (char *)note,
                         .state = state,
                         .step = "fetch",
                         .note = (char *)note,
                         .due_mono = lf_deadline_in(60 * 1000),
                         .fields = cJSON_Parse(facts)};
    NEED(lf_journal_job_add(ground.context.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
}

static void held_jobs(void)
{
    ground_open(&ground);
    add_job(LF_JOB_HELD, "whose is it?", 0);
    cJSON *need = only();
    CHECK_STR(lf_json_text(need, "what"),
              "job 1 (deliver of plate.csv, balance-1) is held at fetch: whose is it?");
    CHECK_HAS(lf_json_text(need, "do"), "labferry job 1, then retry");
    CHECK(lf_json_text(need, "since") != NULL);
    cJSON_Delete(need);
    ground_close(&ground);
}

static void failing_jobs(void)
{
    ground_open(&ground);
    add_job(LF_JOB_WAITING, "briefly away", 119 * 1000);
    add_job(LF_JOB_WAITING, "no answer for hours", 121 * 1000);
    cJSON *need = only();
    CHECK_STR(lf_json_text(need, "what"),
              "job 2 (deliver of plate.csv, balance-1) keeps failing at fetch: no answer for hours");
    CHECK_HAS(lf_json_text(need, "do"), "labferry retry 2: now; labferry cancel 2: no more");
    CHECK(lf_json_text(need, "since") != NULL && lf_json_text(need, "next") != NULL);
    cJSON_Delete(need);
    ground_close(&ground);
}

static void wants_a_sample(void)
{
    struct lf_job job = {.kind = (char *)"task",
                         .instrument = (char *)"balance-1",
                         .key = (char *)"k",
                         .state = LF_JOB_RUNNING, // the instrument looks for it
                         .step = "turn",
                         .fields = cJSON_Parse("{\"display\":\"WF-7\",\"sample_since\":1764450000000}")};
    ground_open(&ground);
    NEED(lf_journal_job_add(ground.context.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    cJSON *need = only();
    CHECK_STR(lf_json_text(need, "what"),
              "job 1 (task of WF-7, balance-1) waits for its sample: a person must put it on balance-1");
    CHECK_HAS(lf_json_text(need, "do"), "labferry start 1; or labferry cancel 1");
    CHECK_HAS(lf_json_text(need, "since"), "2025-11-29T");
    cJSON_Delete(need);
    job.state = LF_JOB_CANCELLED;
    NEED(lf_journal_job_save(ground.context.journal, &job, UNIT_ERROR) == LF_OK);
    need = only();
    CHECK(need == NULL);
    cJSON_Delete(job.fields);
    ground_close(&ground);
}

static void many_jobs(void)
{
    char note[30];
    ground_open(&ground);
    for (int i = 0; i < 25; i++) {
        snprintf(note, sizeof note, "held %d", i);
        add_job(LF_JOB_HELD, note, 0);
    }
    cJSON *list = needs();
    CHECK_INT(cJSON_GetArraySize(list), 21);
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(list, 20), "what"), "5 more jobs are held");
    cJSON_Delete(list);
    ground_close(&ground);
}

static void concerns(void)
{
    ground_open(&ground);
    struct lf_concern line = {.source = "instrument/balance-1",
                              .about = "line",
                              .text = "it sent \"XY\"",
                              .todo = "correct the profile"};
    for (int i = 0; i < 3; i++)
        NEED(lf_journal_concern(ground.context.journal, &line, UNIT_ERROR) == LF_OK);
    cJSON *need = only();
    CHECK_STR(lf_json_text(need, "what"), "balance-1: it sent \"XY\" (3 times)");
    CHECK_STR(lf_json_text(need, "do"), "correct the profile; once you have seen it: labferry acknowledge 1");
    CHECK_STR(lf_json_text(need, "instrument"), "balance-1");
    CHECK_INT(lf_json_int(need, "id", 0), 1);
    cJSON_Delete(need);
    NEED(lf_journal_concern_acknowledge(ground.context.journal, 1, "cli:ada", NULL, UNIT_ERROR) == LF_OK);
    struct lf_concern topic = {.source = "link",
                               .about = "t",
                               .stands = true,
                               .text = "topic t is forbidden",
                               .todo = "allow it"};
    NEED(lf_journal_concern(ground.context.journal, &topic, UNIT_ERROR) == LF_OK);
    need = only();
    CHECK_STR(lf_json_text(need, "what"), "topic t is forbidden");
    CHECK_STR(lf_json_text(need, "do"), "allow it");
    CHECK(lf_json_at(need, "id") == NULL);
    cJSON_Delete(need);
    ground_close(&ground);
}

#define OFFLINE                                                                                                 \
    "{\"instruments\": [{\"name\": \"balance-1\", \"state\": \"offline\", \"note\": \"no answer\", \"since\": " \
    "\"2020-01-01T00:00:00.000Z\"}]}"

static void offline_once(void)
{
    ground_open(&ground);
    cJSON *list = needs_beside(OFFLINE);
    CHECK_INT(cJSON_GetArraySize(list), 1);
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(list, 0), "what"), "balance-1 is offline: no answer");
    cJSON_Delete(list);
    struct lf_concern told = {.source = "instrument/balance-1",
                              .about = "connection",
                              .stands = true,
                              .text = "another reason",
                              .todo = "look at its power"};
    NEED(lf_journal_concern(ground.context.journal, &told, UNIT_ERROR) == LF_OK);
    list = needs_beside(OFFLINE);
    CHECK_INT(cJSON_GetArraySize(list), 2);
    cJSON_Delete(list);
    told.text = "no answer";
    NEED(lf_journal_concern(ground.context.journal, &told, UNIT_ERROR) == LF_OK);
    list = needs_beside(OFFLINE);
    CHECK_INT(cJSON_GetArraySize(list), 1);
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(list, 0), "do"), "look at its power");
    cJSON_Delete(list);
    ground_close(&ground);
}

static void since_when(void)
{
    ground_open(&ground);
    cJSON *list = needs_beside(
        "{\"instruments\": [{\"name\": \"balance-1\", \"state\": \"paused\", \"paused\": true, \"since\": "
        "\"2020-01-01T00:00:00.000Z\"}], \"cloud\": {\"state\": \"failing\", \"last_error\": \"refused\", \"since\": "
        "\"2020-01-02T00:00:00.000Z\"}}");
    CHECK_INT(cJSON_GetArraySize(list), 2);
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(list, 0), "since"), "2020-01-01T00:00:00.000Z");
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(list, 1), "since"), "2020-01-02T00:00:00.000Z");
    cJSON_Delete(list);
    ground_close(&ground);
}

UNIT_TESTS("needs", {"a held job is listed with its reason and what can be done", held_jobs},
           {"a job that has failed for two minutes is listed with its next try; one that just began is not",
            failing_jobs},
           {"a task that waits for its sample is listed until it starts or ends", wants_a_sample},
           {"of many held jobs the first are listed, and the rest is counted", many_jobs},
           {"what has happened is listed with its number to acknowledge; what stands has none", concerns},
           {"an instrument whose driver says why it is offline is listed once", offline_once},
           {"a pause and an outage of Benchling are listed with since when", since_when}, )

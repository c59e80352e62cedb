#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char PROCESSOR[] =
    "{\"id\":\"aop_1\",\"assayRunId\":\"r1\",\"automationFileConfig\":{\"name\":\"Reader\"},"
    "\"file\":{\"id\":\"b1\",\"name\":\"n.csv\",\"uploadStatus\":\"COMPLETE\"},\"status\":\"NOT_STARTED\"}";

static enum lf_status create(struct fake *fake)
{
    cJSON *out = NULL;
    struct lf_new_processor processor = {.run_id = "r1", .config_name = "Reader", .file_id = "b1"};
    memset(&fake->err, 0, sizeof fake->err);
    enum lf_status status = lf_cloud_create_processor(fake->cloud, &processor, &fake->call, &out, &fake->err);
    CHECK((out != NULL) == (status == LF_OK));
    cJSON_Delete(out);
    return status;
}

static enum lf_status read_run(struct fake *fake)
{
    cJSON *out = NULL;
    memset(&fake->err, 0, sizeof fake->err);
    enum lf_status status = lf_cloud_get(fake->cloud, LF_CLOUD_RUN, "r1", &fake->call, &out, &fake->err);
    CHECK((out != NULL) == (status == LF_OK));
    cJSON_Delete(out);
    return status;
}

static void creates(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 201, NULL, PROCESSOR);
    CHECK_INT(create(&fake), LF_OK);
    CHECK_STR(fake.asked, "POST /api/v2/automation-output-processors [Bearer token-1]\n");
    CHECK_STR(fake.body, "{\"assayRunId\":\"r1\",\"automationFileConfigName\":\"Reader\",\"fileId\":\"b1\","
                         "\"completeWithErrors\":false}");
    fake_close(&fake);
}

static void create_gives(struct fake *fake, int status, const char *body, enum lf_class class)
{
    fake_clear(fake);
    fake_will(fake, status, NULL, body);
    create(fake);
    if (!CHECK_INT(fake->err.class, class))
        CHECK_INT(status, 0);
    CHECK_HAS(fake->err.text, "creating an output processor");
    CHECK_INT(fake->calls, 1);
}

static void doubt(void)
{
    struct fake fake;
    fake_open(&fake);
    create_gives(&fake, 0, "", LF_UNKNOWN_OUTCOME);
    create_gives(&fake, -1, "{\"id\":", LF_UNKNOWN_OUTCOME);
    create_gives(&fake, 500, "{}", LF_UNKNOWN_OUTCOME);
    create_gives(&fake, 504, "<html>", LF_UNKNOWN_OUTCOME);
    create_gives(&fake, 201, "not json", LF_UNKNOWN_OUTCOME);
    create_gives(&fake, 201, "{\"id\":7}", LF_UNKNOWN_OUTCOME);
    create_gives(&fake, 200, "<html>hello</html>", LF_UNKNOWN_OUTCOME);
    create_gives(&fake, 400, "{}", LF_PERMANENT);
    create_gives(&fake, 409, "{}", LF_PERMANENT);
    create_gives(&fake, 429, "{}", LF_TRANSIENT);
    create_gives(&fake, 403, "{}", LF_NEEDS_PERSON);
    fake_clear(&fake);
    fake_will(&fake, -2, NULL, "");
    fake.call.deadline = lf_deadline_in(500);
    create(&fake);
    CHECK_INT(fake.err.status, LF_TIMEOUT);
    CHECK_INT(fake.err.class, LF_UNKNOWN_OUTCOME);
    fake.call.deadline = lf_deadline_in(20000);
    server_close(fake.server);
    fake.server = NULL;
    create(&fake);
    CHECK_INT(fake.err.class, LF_TRANSIENT); /* nothing was sent */
    fake_close(&fake);
}

static void create_after_401(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 401, NULL, "{}");
    fake_will(&fake, 201, NULL, PROCESSOR);
    CHECK_INT(create(&fake), LF_OK);
    CHECK_INT(fake.calls, 2);
    fake_close(&fake);
}

static void process(void)
{
    struct fake fake;
    char *task = NULL;
    fake_open(&fake);
    fake_will(&fake, 202, NULL, "{\"taskId\":\"task_1\"}");
    NEED(lf_cloud_process(fake.cloud, "aop_1", &fake.call, &task, &fake.err) == LF_OK);
    CHECK_STR(task, "task_1");
    CHECK_HAS(fake.asked, "POST /api/v2/automation-output-processors/aop_1:process-output [");
    free(task);
    fake_will(&fake, 0, NULL, "");
    CHECK_INT(lf_cloud_process(fake.cloud, "aop_1", &fake.call, &task, &fake.err), LF_DISCONNECTED);
    CHECK_INT(fake.err.class, LF_UNKNOWN_OUTCOME);
    CHECK(task == NULL);
    fake_close(&fake);
}

static void read_gives(struct fake *fake, int status, const char *body, enum lf_class class)
{
    fake_clear(fake);
    fake_will(fake, status, NULL, body);
    read_run(fake);
    if (!CHECK_INT(fake->err.class, class))
        CHECK_INT(status, 0);
}

static void reading(void)
{
    struct fake fake;
    fake_open(&fake);
    read_gives(&fake, 200, "{\"id\":\"r1\"}", LF_CLASS_NONE);
    read_gives(&fake, 0, "", LF_TRANSIENT);
    read_gives(&fake, -1, "{\"id\":", LF_TRANSIENT);
    read_gives(&fake, 200, "<html>", LF_TRANSIENT);
    read_gives(&fake, 200, "{\"id\":", LF_TRANSIENT);
    read_gives(&fake, 200, "", LF_TRANSIENT);
    read_gives(&fake, 200, "{\"id\":\"\xff\"}", LF_TRANSIENT);
    read_gives(&fake, 200, "[1]", LF_TRANSIENT);
    read_gives(&fake, 200, "{\"id\":null}", LF_TRANSIENT);
    read_gives(&fake, 404, "{\"error\":{\"invalidId\":\"r1\"}}", LF_PERMANENT);
    CHECK_INT(fake.err.status, LF_NOT_FOUND);
    read_gives(&fake, 500, "", LF_TRANSIENT);
    fake_close(&fake);
}

static void endless(void)
{
    struct fake fake;
    size_t len = 9 * 1024 * 1024;
    char *huge = malloc(len + 1);
    NEED(huge != NULL);
    memset(huge, ' ', len);
    huge[len] = '\0';
    fake_open(&fake);
    fake_will(&fake, 200, NULL, huge);
    CHECK_INT(read_run(&fake), LF_TOO_LARGE);
    fake_close(&fake);
    char *deep = malloc(200001);
    NEED(deep != NULL);
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    fake_open(&fake);
    fake_will(&fake, 200, NULL, deep);
    CHECK_INT(read_run(&fake), LF_PROTOCOL);
    fake_close(&fake);
    free(deep);
    free(huge);
}

static void rate_limit(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 200, "x-rate-limit-limit: 60\r\nx-rate-limit-remaining: 0\r\nx-rate-limit-reset: 1\r\n",
              "{\"id\":\"r1\"}");
    fake_will(&fake, 200, NULL, "{\"id\":\"r1\"}");
    CHECK_INT(read_run(&fake), LF_OK);
    int64_t start = lf_clock_mono_ms();
    CHECK_INT(read_run(&fake), LF_OK);
    CHECK(lf_clock_mono_ms() - start >= 900);
    fake_will(&fake, 429, "x-rate-limit-limit: 60\r\nx-rate-limit-remaining: 0\r\nx-rate-limit-reset: 25\r\n",
              "{\"error\":{\"message\":\"Rate limit exceeded.\"}}");
    CHECK_INT(read_run(&fake), LF_BUSY);
    CHECK_INT(fake.err.class, LF_TRANSIENT);
    CHECK_INT(fake.err.retry_after_ms, 25000);
    int calls = fake.calls;
    fake.call.deadline = lf_deadline_in(1000);
    CHECK_INT(read_run(&fake), LF_BUSY);
    CHECK(fake.err.retry_after_ms > 20000);
    CHECK_INT(fake.calls, calls); /* the cloud was spared */
    fake_close(&fake);
}

static void ids(void)
{
    struct fake fake;
    cJSON *out = NULL;
    fake_open(&fake);
    fake_will(&fake, 404, NULL, "{}");
    lf_cloud_get(fake.cloud, LF_CLOUD_BLOB, "../tasks/a?b=c#d e", &fake.call, &out, &fake.err);
    CHECK_STR(fake.asked, "GET /api/v2/blobs/..%2Ftasks%2Fa%3Fb%3Dc%23d%20e [Bearer token-1]\n");
    CHECK_INT(lf_cloud_get(fake.cloud, LF_CLOUD_BLOB, "..", &fake.call, &out, &fake.err), LF_INVALID);
    CHECK_INT(lf_cloud_get(fake.cloud, LF_CLOUD_BLOB, "", &fake.call, &out, &fake.err), LF_INVALID);
    CHECK_INT(lf_cloud_get(fake.cloud, LF_CLOUD_BLOB, NULL, &fake.call, &out, &fake.err), LF_INVALID);
    CHECK_INT(lf_cloud_get_resource(fake.cloud, "aliquot", "x", &fake.call, &out, &fake.err), LF_UNSUPPORTED);
    CHECK_INT(fake.calls, 1);
    fake_close(&fake);
}

static void finds(void)
{
    struct fake fake;
    cJSON *array = NULL;
    char page[1024];
    fake_open(&fake);
    snprintf(page, sizeof page,
             "{\"automationOutputProcessors\":[%s,{\"id\":\"aop_2\",\"assayRunId\":\"r1\","
             "\"automationFileConfig\":{\"name\":\"Reader\"},\"file\":null,\"status\":\"NOT_STARTED\"}],"
             "\"nextToken\":\"t 1\"}",
             PROCESSOR);
    fake_will(&fake, 200, NULL, page);
    fake_will(&fake, 200, NULL, "{\"automationOutputProcessors\":[],\"nextToken\":\"t2\"}");
    fake_will(&fake, 200, NULL,
              "{\"automationOutputProcessors\":[{\"id\":\"aop_3\",\"assayRunId\":\"r1\","
              "\"automationFileConfig\":{\"name\":\"Reader\"},\"file\":{\"id\":\"b3\"},\"status\":\"FAILED\"}"
              "],\"nextToken\":\"\"}");
    CHECK_INT(lf_cloud_find_processors(fake.cloud, "r1", "Rea & der", &fake.call, &array, &fake.err), LF_OK);
    CHECK_INT(cJSON_GetArraySize(array), 0); /* another config's: not ours */
    cJSON_Delete(array);
    CHECK_STR(
        fake.asked,
        "GET /api/v2/automation-output-processors?assayRunId=r1&automationFileConfigName=Rea%20%26%20der "
        "[Bearer token-1]\n"
        "GET "
        "/api/v2/"
        "automation-output-processors?assayRunId=r1&automationFileConfigName=Rea%20%26%20der&nextToken=t%201 "
        "[Bearer token-1]\n"
        "GET "
        "/api/v2/"
        "automation-output-processors?assayRunId=r1&automationFileConfigName=Rea%20%26%20der&nextToken=t2 "
        "[Bearer token-1]\n");
    fake.line_at = 0;
    CHECK_INT(lf_cloud_find_processors(fake.cloud, "r1", "Reader", &fake.call, &array, &fake.err), LF_OK);
    CHECK_INT(cJSON_GetArraySize(array), 2);
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(array, 0), "id"), "aop_1");
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(array, 1), "id"), "aop_3");
    cJSON_Delete(array);
    fake_close(&fake);
}

static void list_without_end(void)
{
    struct fake fake;
    cJSON *array = NULL;
    fake_open(&fake);
    for (int i = 0; i < FAKE_LINES; i++)
        fake_will(&fake, 200, NULL, "{\"workflowOutputs\":[],\"nextToken\":\"same\"}");
    CHECK_INT(lf_cloud_list_outputs(fake.cloud, "t1", &fake.call, &array, &fake.err), LF_PROTOCOL);
    CHECK_INT(fake.calls, 2);
    CHECK(array == NULL);
    fake_clear(&fake);
    fake_will(&fake, 200, NULL, "{\"workflowOutputs\":[{}]}");
    CHECK_INT(lf_cloud_list_outputs(fake.cloud, "t1", &fake.call, &array, &fake.err), LF_PROTOCOL);
    CHECK_INT(fake.err.class, LF_TRANSIENT);
    fake_clear(&fake);
    fake_will(&fake, 200, NULL, "{\"workflowOutputs\":null}");
    CHECK_INT(lf_cloud_list_outputs(fake.cloud, "t1", &fake.call, &array, &fake.err), LF_PROTOCOL);
    fake_close(&fake);
}

static void events(void)
{
    struct fake fake;
    cJSON *page = NULL;
    fake_open(&fake);
    fake_will(&fake, 200, NULL, "{\"events\":[{\"id\":\"evt_1\"}],\"nextToken\":\"n\"}");
    CHECK_INT(lf_cloud_get_events(fake.cloud, "evt_0", "2026-11-22T00:00:00+01:00", "v2.a,v2.b", NULL,
                                  &fake.call, &page, &fake.err),
              LF_OK);
    CHECK_STR(lf_json_text(page, "nextToken"), "n");
    CHECK_STR(
        fake.asked,
        "GET /api/v2/events?pageSize=100&startingAfter=evt_0&createdAt.gte=2026-11-22T00%3A00%3A00%2B01%3A00"
        "&eventTypes=v2.a%2Cv2.b [Bearer token-1]\n");
    cJSON_Delete(page);
    fake_close(&fake);
}

static void health(void)
{
    struct fake fake;
    fake_open(&fake);
    cJSON *health = lf_cloud_health(fake.cloud);
    CHECK_STR(lf_json_text(health, "state"), "not asked yet");
    cJSON_Delete(health);
    fake_will(&fake, 200,
              "x-rate-limit-limit: 60\r\nx-rate-limit-remaining: 57\r\nx-rate-limit-reset: 21\r\n",
              "{\"id\":\"r1\"}");
    fake_will(&fake, 404, NULL, "{}");
    fake_will(&fake, 503, NULL, "{}");
    read_run(&fake);
    read_run(&fake);
    health = lf_cloud_health(fake.cloud);
    CHECK_STR(lf_json_text(health, "state"), "ok");
    CHECK_INT(lf_json_int(health, "rate_limit", -1), 60);
    CHECK(lf_json_int(health, "token_left_ms", -1) > 800000);
    cJSON_Delete(health);
    read_run(&fake);
    health = lf_cloud_health(fake.cloud);
    CHECK_STR(lf_json_text(health, "state"), "failing");
    CHECK_STR(lf_json_text(health, "last_error_class"), "transient");
    CHECK_HAS(lf_json_text(health, "last_error"), "503");
    CHECK_INT(lf_json_int(health, "calls", -1), 3);
    cJSON_Delete(health);
    fake_close(&fake);
}

UNIT_TESTS("cloud api", {"a processor is created with the fields the API requires, and no others", creates},
           {"creating with a lost or doubtful answer is an unknown outcome, and never repeated", doubt},
           {"after a refused token nothing was created, so the call is repeated", create_after_401},
           {"processing is started once", process}, {"failures to read have the right class", reading},
           {"endless and endlessly nested answers are refused", endless},
           {"the rate limit is respected before it is hit", rate_limit, UNIT_SLOW},
           {"ids are encoded and never become a path", ids},
           {"processors with a file and of the config are found on all pages", finds},
           {"a list that does not end, or has other items, is refused", list_without_end},
           {"events are requested after an event, since a time, and by type", events},
           {"the operator sees whether the cloud works", health}, )

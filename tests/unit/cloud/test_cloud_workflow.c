#include "fake.h"

#include <stdlib.h>
#include <string.h>

#define STATUS(id, name, type) "{\"id\":\"" id "\",\"displayName\":\"" name "\",\"statusType\":\"" type "\"}"
#define PENDING STATUS("wfts_p", "Pending", "PENDING")
#define RUNNING STATUS("wfts_r", "In Progress", "IN_PROGRESS")
#define REVIEW STATUS("wfts_v", "Reviewed", "COMPLETED")
#define DONE STATUS("wfts_d", "Done", "COMPLETED")
#define FAILED STATUS("wfts_f", "Broken", "FAILED")
#define STEP(from, to) "{\"from\":" from ",\"to\":" to "}"

static const char SCHEMA[] =
    "{\"id\":\"s1\",\"name\":\"Weigh\",\"statusLifecycle\":{\"id\":\"l\",\"statuses\":[" PENDING "," RUNNING
    "," REVIEW "," DONE "," FAILED
    "],\"transitions\":[" STEP(PENDING, RUNNING) "," STEP(RUNNING, DONE) "," STEP(RUNNING, FAILED) "]}}";

/* Before somebody added 'Broken'. */
static const char OLD_SCHEMA[] =
    "{\"id\":\"s1\",\"name\":\"Weigh\",\"statusLifecycle\":{\"id\":\"l\",\"statuses\":[" PENDING "," RUNNING
    "," DONE "],\"transitions\":[" STEP(PENDING, RUNNING) "," STEP(RUNNING, DONE) "]}}";

static cJSON *task_in(const char *status)
{
    char *text = lf_format("{\"id\":\"wftask_1\",\"status\":%s,\"schema\":{\"id\":\"s1\"},\"fields\":{}}",
                           status);
    cJSON *task = cJSON_Parse(text);
    free(text);
    NEED(task != NULL);
    return task;
}

static void resolves(struct fake *fake, const char *now, const char *wanted, enum lf_status expected,
                     const char *id)
{
    cJSON *task = task_in(now);
    char *found = NULL;
    CHECK_INT(lf_cloud_resolve_status(fake->cloud, task, wanted, &fake->call, &found, &fake->err), expected);
    CHECK_STR(found, id);
    free(found);
    cJSON_Delete(task);
}

static void statuses(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 200, NULL, SCHEMA);
    resolves(&fake, PENDING, "IN_PROGRESS", LF_OK, "wfts_r");
    resolves(&fake, PENDING, "in progress", LF_OK, "wfts_r");
    resolves(&fake, RUNNING, "COMPLETED", LF_OK,
             "wfts_d"); /* 'Reviewed' comes first but is not reached from here */
    resolves(&fake, RUNNING, "broken", LF_OK, "wfts_f");
    resolves(&fake, RUNNING, "In Progress", LF_EXISTS, NULL);
    CHECK_INT(fake.calls, 1);
    CHECK_STR(fake.asked, "GET /api/v2/workflow-task-schemas/s1 [Bearer token-1]\n");
    fake_close(&fake);
}

static void refused(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 200, NULL, SCHEMA);
    resolves(&fake, PENDING, "COMPLETED", LF_REFUSED, NULL);
    CHECK_INT(fake.err.class, LF_NEEDS_PERSON);
    CHECK_HAS(fake.err.text, "from 'Pending' to 'COMPLETED'");
    CHECK_HAS(fake.err.text, "it leads to: 'In Progress'.");
    fake_will(&fake, 200, NULL, SCHEMA);
    resolves(&fake, PENDING, "Weighed", LF_REFUSED, NULL);
    CHECK_HAS(fake.err.text, "'Pending', 'In Progress', 'Reviewed', 'Done', 'Broken'");
    fake_close(&fake);
}

static void changed(void)
{
    struct fake fake;
    fake_open(&fake);
    fake_will(&fake, 200, NULL, OLD_SCHEMA);
    resolves(&fake, PENDING, "IN_PROGRESS", LF_OK, "wfts_r");
    fake_will(&fake, 200, NULL, SCHEMA);
    resolves(&fake, RUNNING, "FAILED", LF_OK, "wfts_f");
    resolves(&fake, RUNNING, "FAILED", LF_OK, "wfts_f");
    CHECK_INT(fake.calls, 2);
    fake_close(&fake);
}

static void odd_schemas(void)
{
    static const char *const odd[] = {
        "{\"id\":\"s1\"}",
        "{\"id\":\"s1\",\"statusLifecycle\":null}",
        "{\"id\":\"s1\",\"statusLifecycle\":{\"statuses\":{}}}",
    };
    struct fake fake;
    fake_open(&fake);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        fake_will(&fake, 200, NULL, odd[i]);
        resolves(&fake, PENDING, "IN_PROGRESS", LF_PROTOCOL, NULL);
    }
    fake_will(&fake, 200, NULL,
              "{\"id\":\"s1\",\"statusLifecycle\":{\"statuses\":[1,null,{},[]],\"transitions\":[7,{}]}}");
    resolves(&fake, PENDING, "IN_PROGRESS", LF_REFUSED, NULL);
    fake_close(&fake);
}

static void sets(void)
{
    struct fake fake;
    cJSON *out = NULL;
    fake_open(&fake);
    fake_will(&fake, 200, NULL, "{\"id\":\"wftask_1\",\"status\":" RUNNING ",\"schema\":{\"id\":\"s1\"}}");
    CHECK_INT(lf_cloud_set_task_status(fake.cloud, "wftask_1", "wfts_r", &fake.call, &out, &fake.err), LF_OK);
    CHECK_STR(fake.asked, "PATCH /api/v2/workflow-tasks/wftask_1 [Bearer token-1]\n");
    CHECK_STR(fake.body, "{\"statusId\":\"wfts_r\"}");
    cJSON_Delete(out);
    fake_close(&fake);
}

static void outputs(void)
{
    struct fake fake;
    cJSON *out = NULL, *fields = cJSON_Parse("{\"Mass\":{\"value\":\"12.3\"}}");
    fake_open(&fake);
    fake_will(&fake, 201, NULL, "{\"id\":\"wfout_1\",\"fields\":{}}");
    NEED(lf_cloud_create_output(fake.cloud, "wftask_1", fields, &fake.call, &out, &fake.err) == LF_OK);
    CHECK_STR(fake.body, "{\"workflowTaskId\":\"wftask_1\",\"fields\":{\"Mass\":{\"value\":\"12.3\"}}}");
    cJSON_Delete(out);
    fake_will(&fake, 500, NULL, "{}");
    CHECK_INT(lf_cloud_create_output(fake.cloud, "wftask_1", fields, &fake.call, &out, &fake.err), LF_IO);
    CHECK_INT(fake.err.class, LF_UNKNOWN_OUTCOME);
    fake_clear(&fake);
    fake_will(&fake, 200, NULL, "{\"workflowOutputs\":[{\"id\":\"wfout_1\"}],\"nextToken\":\"n\"}");
    fake_will(&fake, 200, NULL, "{\"workflowOutputs\":[{\"id\":\"wfout_2\"}]}");
    CHECK_INT(lf_cloud_list_outputs(fake.cloud, "wftask_1", &fake.call, &out, &fake.err), LF_OK);
    CHECK_INT(cJSON_GetArraySize(out), 2);
    CHECK_STR(
        fake.asked,
        "GET /api/v2/workflow-outputs?workflowTaskIds=wftask_1&pageSize=100 [Bearer token-1]\n"
        "GET /api/v2/workflow-outputs?workflowTaskIds=wftask_1&pageSize=100&nextToken=n [Bearer token-1]\n");
    cJSON_Delete(out);
    cJSON_Delete(fields);
    fake_close(&fake);
}

UNIT_TESTS("cloud workflow",
           {"a status is found by name or type, reachable ones first, and the schema is read once", statuses},
           {"a missing transition needs a person, and the error explains it", refused},
           {"a life cycle that changed is read again before anything is refused", changed},
           {"odd life cycles do no harm", odd_schemas}, {"a status is set by its id", sets},
           {"outputs are created once, and listed over all pages", outputs}, )

/* What can be read by its id. Source: the OpenAPI document. */
#include "cloud/api.h"

#include <string.h>

static const char *const task_states[] = {"RUNNING", "SUCCEEDED", "FAILED", NULL};

static const struct cloud_field run[] = {
    {"id", LF_FIELD_TEXT, LF_NEEDED, NULL},       {"v3Id", LF_FIELD_TEXT, LF_MAYBE, NULL},
    {"fields", LF_FIELD_OBJECT, LF_MAYBE, NULL},  {"schema", LF_FIELD_OBJECT, LF_MAYBE, NULL},
    {"schema.id", LF_FIELD_TEXT, LF_MAYBE, NULL}, {NULL, 0, 0, NULL},
};

static const struct cloud_field task[] = {
    {"status", LF_FIELD_TEXT, LF_NEEDED, task_states},
    {"message", LF_FIELD_TEXT, LF_MAYBE, NULL},
    {"response", LF_FIELD_OBJECT, LF_MAYBE, NULL},
    {NULL, 0, 0, NULL},
};

static const struct cloud_field task_schema[] = {
    {"id", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"statusLifecycle", LF_FIELD_OBJECT, LF_NEEDED, NULL},
    {"statusLifecycle.statuses", LF_FIELD_ARRAY, LF_NEEDED, NULL},
    {"statusLifecycle.transitions", LF_FIELD_ARRAY, LF_MAYBE, NULL},
    {NULL, 0, 0, NULL},
};

static const struct cloud_field with_id[] = {{"id", LF_FIELD_TEXT, LF_NEEDED, NULL}, {NULL, 0, 0, NULL}};

/* key: of the payload of events about it; NULL: there are none. */
static const struct resource {
    const char *key, *path, *doing;
    const struct cloud_field *shape;
} resources[] = {
    [LF_CLOUD_GENERATOR] = {"automationInputGenerator", "/automation-input-generators/",
                            "reading an input generator", cloud__schema_automation_file},
    [LF_CLOUD_PROCESSOR] = {"automationOutputProcessor", "/automation-output-processors/",
                            "reading an output processor", cloud__schema_processor},
    [LF_CLOUD_TRANSFORM] = {"automationFileTransform", "/automation-file-transforms/",
                            "reading a file transform", with_id},
    [LF_CLOUD_RUN] = {"assayRun", "/assay-runs/", "reading a run", run},
    [LF_CLOUD_BLOB] = {NULL, "/blobs/", "reading a blob", cloud__schema_blob},
    [LF_CLOUD_TASK] = {NULL, "/tasks/", "reading a long-running task", task},
    [LF_CLOUD_WORKFLOW_TASK] = {"workflowTask", "/workflow-tasks/", "reading a workflow task",
                                cloud__schema_workflow_task},
    [LF_CLOUD_WORKFLOW_GROUP] = {"workflowTaskGroup", "/workflow-task-groups/",
                                 "reading a workflow task group", with_id},
    [LF_CLOUD_WORKFLOW_OUTPUT] = {"workflowOutput", "/workflow-outputs/", "reading a workflow output",
                                  cloud__schema_workflow_output},
    [LF_CLOUD_TASK_SCHEMA] = {NULL, "/workflow-task-schemas/", "reading the schema of a workflow task",
                              task_schema},
};

enum lf_status lf_cloud_get(struct lf_cloud *cloud, enum lf_cloud_resource what, const char *id,
                            const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    const struct resource *resource = &resources[what];
    struct lf_api_request request = {.doing = resource->doing,
                                     .method = "GET",
                                     .path = resource->path,
                                     .id = id,
                                     .after = "",
                                     .shape = resource->shape};
    return cloud__api_call(cloud, &request, call, out, err);
}

enum lf_status lf_cloud_get_resource(struct lf_cloud *cloud, const char *key, const char *id,
                                     const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++)
        if (resources[i].key && !strcmp(resources[i].key, key))
            return lf_cloud_get(cloud, (enum lf_cloud_resource)i, id, call, out, err);
    return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "Labferry cannot read a '%s' from the cloud", key);
}

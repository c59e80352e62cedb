/* Workflow tasks and outputs, resources of events, and the list of events. Source: tags "Workflow Tasks",
 * "Workflow Outputs" and "Events" of the OpenAPI document. Statuses of tasks are resolved in status.c.
 */
#include "cloud/api.h"

#include <stdlib.h>
#include <string.h>

enum lf_status lf_cloud_get_workflow_task(struct lf_cloud *cloud, const char *id, const struct lf_call *call,
                                          cJSON **out, struct lf_error *err)
{
    return cloud__api_get(cloud, "reading a workflow task", "/workflow-tasks/", id,
                          cloud__schema_workflow_task, call, out, err);
}

enum lf_status lf_cloud_set_task_status(struct lf_cloud *cloud, const char *task_id, const char *status_id,
                                        const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    cJSON *body = cJSON_CreateObject();
    bool made = lf_json_set_text(body, "statusId", status_id);
    struct lf_api_request request = {.doing = "setting the status of a workflow task",
                                     .method = "PATCH",
                                     .path = "/workflow-tasks/",
                                     .id = task_id,
                                     .after = "",
                                     .shape = cloud__schema_workflow_task};
    return cloud__api_send(cloud, &request, body, made, call, out, err);
}

enum lf_status lf_cloud_create_output(struct lf_cloud *cloud, const char *task_id, const cJSON *fields,
                                      const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    cJSON *body = cJSON_CreateObject();
    bool made = lf_json_set_text(body, "workflowTaskId", task_id)
                && lf_json_set(body, "fields", fields ? cJSON_Duplicate(fields, true) : cJSON_CreateObject());
    struct lf_api_request request = {.doing = "creating a workflow output",
                                     .method = "POST",
                                     .path = "/workflow-outputs",
                                     .once = true,
                                     .shape = cloud__schema_workflow_output};
    return cloud__api_send(cloud, &request, body, made, call, out, err);
}

enum lf_status lf_cloud_list_outputs(struct lf_cloud *cloud, const char *task_id, const struct lf_call *call,
                                     cJSON **array, struct lf_error *err)
{
    struct lf_buffer path = {0};
    enum lf_status status;
    *array = NULL;
    if (lf_buffer_text(&path, "/workflow-outputs") == LF_OK
        && cloud__api_query(&path, "workflowTaskIds", task_id) && cloud__api_query(&path, "pageSize", "100"))
        status = cloud__api_list(cloud, "listing the outputs of a workflow task", path.data,
                                 "workflowOutputs", cloud__schema_workflow_output, call, array, err);
    else
        status = lf_fail_memory(err, "listing the outputs of a workflow task");
    lf_buffer_free(&path);
    return status;
}

/* Payload keys of events whose resource can be read, and where. */
static const struct {
    const char *resource, *path, *doing;
    const struct cloud_field *shape;
} resources[] = {
    {"automationInputGenerator", "/automation-input-generators/", "reading an input generator",
     cloud__schema_automation_file},
    {"automationOutputProcessor", "/automation-output-processors/", "reading an output processor",
     cloud__schema_processor},
    {"automationFileTransform", "/automation-file-transforms/", "reading a file transform",
     cloud__schema_resource},
    {"assayRun", "/assay-runs/", "reading a run", cloud__schema_run},
    {"workflowTask", "/workflow-tasks/", "reading a workflow task", cloud__schema_workflow_task},
    {"workflowTaskGroup", "/workflow-task-groups/", "reading a workflow task group", cloud__schema_resource},
    {"workflowOutput", "/workflow-outputs/", "reading a workflow output", cloud__schema_workflow_output},
};

enum lf_status lf_cloud_get_resource(struct lf_cloud *cloud, const char *resource, const char *id,
                                     const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++)
        if (!strcmp(resources[i].resource, resource))
            return cloud__api_get(cloud, resources[i].doing, resources[i].path, id, resources[i].shape, call,
                                  out, err);
    return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "Labferry cannot read a '%s' from the cloud", resource);
}

enum lf_status lf_cloud_get_events(struct lf_cloud *cloud, const char *starting_after, const char *since,
                                   const char *types, const char *next_token, const struct lf_call *call,
                                   cJSON **page, struct lf_error *err)
{
    struct lf_buffer path = {0};
    enum lf_status status;
    *page = NULL;
    if (lf_buffer_text(&path, "/events") == LF_OK && cloud__api_query(&path, "pageSize", "100")
        && cloud__api_query(&path, "startingAfter", starting_after)
        && cloud__api_query(&path, "createdAt.gte", since) && cloud__api_query(&path, "eventTypes", types)
        && cloud__api_query(&path, "nextToken", next_token)) {
        struct lf_api_request request = {.doing = "asking for events",
                                         .method = "GET",
                                         .path = path.data,
                                         .shape = cloud__schema_events,
                                         .max_answer = LF_API_EVENTS_MAX};
        status = cloud__api_call(cloud, &request, call, page, err);
    } else {
        status = lf_fail_memory(err, "asking for events");
    }
    lf_buffer_free(&path);
    return status;
}

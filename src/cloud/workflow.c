/* Workflow tasks and outputs, and the list of events. Source: tags "Workflow Tasks", "Workflow Outputs" and
 * "Events" of the OpenAPI document. Statuses of tasks are resolved in status.c.
 */
#include "cloud/api.h"

#include <stdlib.h>
#include <string.h>

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
    struct lf_api_request request = {.doing = "listing the outputs of a workflow task",
                                     .method = "GET",
                                     .path = "/workflow-outputs",
                                     .query = {{"workflowTaskIds", task_id}, {"pageSize", "100"}},
                                     .shape = cloud__schema_workflow_output};
    return cloud__api_list(cloud, &request, "workflowOutputs", call, array, err);
}

enum lf_status lf_cloud_get_events(struct lf_cloud *cloud, const char *starting_after, const char *since,
                                   const char *types, const char *next_token, const struct lf_call *call,
                                   cJSON **page, struct lf_error *err)
{
    struct lf_api_request request = {.doing = "asking for events",
                                     .method = "GET",
                                     .path = "/events",
                                     .query = {{"pageSize", "100"},
                                               {"startingAfter", starting_after},
                                               {"createdAt.gte", since},
                                               {"eventTypes", types},
                                               {"nextToken", next_token}},
                                     .shape = cloud__schema_events,
                                     .max_answer = LF_API_EVENTS_MAX};
    return cloud__api_call(cloud, &request, call, page, err);
}

/* Output processors. Source: tag "Lab Automation" of the OpenAPI document. */
#include "cloud/api.h"

#include <stdlib.h>
#include <string.h>

static bool holds_file(const cJSON *processor, const char *config_name)
{
    return lf_json_text(processor, "file.id") && !cJSON_IsObject(lf_json_at(processor, "archiveRecord"))
           && !strcmp(lf_json_text_or(processor, "automationFileConfig.name", ""), config_name);
}

enum lf_status lf_cloud_find_processors(struct lf_cloud *cloud, const char *run_id, const char *config_name,
                                        const struct lf_call *call, cJSON **array, struct lf_error *err)
{
    struct lf_api_request request = {.doing = "looking for output processors",
                                     .method = "GET",
                                     .path = "/automation-output-processors",
                                     .query = {{"assayRunId", run_id},
                                               {"automationFileConfigName", config_name}},
                                     .shape = cloud__schema_processor};
    enum lf_status status = cloud__api_list(cloud, &request, "automationOutputProcessors", call, array, err);
    for (int i = status == LF_OK ? cJSON_GetArraySize(*array) - 1 : -1; i >= 0; i--)
        if (!holds_file(cJSON_GetArrayItem(*array, i), config_name))
            cJSON_DeleteItemFromArray(*array, i);
    return status;
}

static bool set_if(cJSON *object, const char *key, const char *text)
{
    return !text || lf_json_set_text(object, key, text);
}

enum lf_status lf_cloud_create_processor(struct lf_cloud *cloud, const struct lf_new_processor *processor,
                                         const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    cJSON *body = cJSON_CreateObject();
    bool made = lf_json_set_text(body, "assayRunId", processor->run_id)
                && lf_json_set_text(body, "automationFileConfigName", processor->config_name)
                && lf_json_set_text(body, "fileId", processor->file_id)
                && lf_json_set_bool(body, "completeWithErrors", processor->complete_with_errors)
                && set_if(body, "folderId", processor->folder_id)
                && set_if(body, "locationId", processor->location_id)
                && set_if(body, "timezone", processor->timezone);
    struct lf_api_request request = {.doing = "creating an output processor",
                                     .method = "POST",
                                     .path = "/automation-output-processors",
                                     .once = true,
                                     .shape = cloud__schema_processor};
    return cloud__api_send(cloud, &request, body, made, call, out, err);
}

enum lf_status lf_cloud_set_processor_file(struct lf_cloud *cloud, const char *id, const char *file_id,
                                           const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    cJSON *body = cJSON_CreateObject();
    bool made = lf_json_set_text(body, "fileId", file_id);
    struct lf_api_request request = {.doing = "setting the file of an output processor",
                                     .method = "PATCH",
                                     .path = "/automation-output-processors/",
                                     .id = id,
                                     .after = "",
                                     .shape = cloud__schema_processor};
    return cloud__api_send(cloud, &request, body, made, call, out, err);
}

enum lf_status lf_cloud_process(struct lf_cloud *cloud, const char *processor_id, const struct lf_call *call,
                                char **task_id, struct lf_error *err)
{
    cJSON *answer = NULL;
    *task_id = NULL;
    struct lf_api_request request = {.doing = "starting an output processor",
                                     .method = "POST",
                                     .path = "/automation-output-processors/",
                                     .id = processor_id,
                                     .after = ":process-output",
                                     .once = true,
                                     .shape = cloud__schema_task_link};
    enum lf_status status = cloud__api_call(cloud, &request, call, &answer, err);
    if (status == LF_OK && !(*task_id = strdup(lf_json_text_or(answer, "taskId", ""))))
        status = lf_fail(err, LF_NO_MEMORY, LF_UNKNOWN_OUTCOME,
                         "out of memory: the processor was started, but its task is unknown");
    cJSON_Delete(answer);
    return status;
}

#include "event.h"
#include "list.h"
#include "workflow.h"

#include <stdio.h>
#include <string.h>

static struct sim_item *task_of(const struct sim *sim, const struct sim_item *output)
{
    return sim_table_find(&sim->tasks, lf_json_text(output->json, "workflowTask.id"));
}

static const cJSON *definitions_for(const struct sim *sim, const struct sim_item *task)
{
    return lf_json_at(sim_task_schema_of(sim, task)->json, "workflowOutputSchema.fieldDefinitions");
}

static void emit(struct sim *sim, const struct sim_item *output, const char *type, const cJSON *fields)
{
    char name[200];
    const cJSON *field, *schema = sim_task_schema_of(sim, task_of(sim, output))->json;
    cJSON *updates = fields ? cJSON_CreateArray() : NULL;
    cJSON_ArrayForEach (field, fields) {
        snprintf(name, sizeof name, "fields.%s", field->string);
        cJSON_AddItemToArray(updates, cJSON_CreateString(name));
    }
    struct sim_news news = {.type = type,
                            .key = "workflowOutput",
                            .resource = output->json,
                            .schema = lf_json_at(schema, "workflowOutputSchema"),
                            .updates = updates};
    sim_event_emit(sim, &news);
    cJSON_Delete(updates);
}

static cJSON *output_json(struct sim *sim, const struct sim_item *task)
{
    static const char *const lists[] = {"nextOutputs", "nextTasks", "sourceOutputs", "sourceTasks"};
    char id[SIM_ID], text[400];
    cJSON *json = cJSON_CreateObject();
    sim_new_id(id, "wfout");
    sim_set_text(json, "id", id);
    snprintf(text, sizeof text, "O%zu", sim->outputs.count + 1);
    sim_set_text(json, "displayId", text);
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    sim_stamp(json, "createdAt");
    sim_stamp(json, "modifiedAt");
    sim_set(json, "fields", cJSON_CreateObject());
    sim_set(json, "workflowTask", sim_summary(task->json, "displayId"));
    sim_set(json, "workflowTaskGroup", cJSON_Duplicate(lf_json_at(task->json, "workflowTaskGroup"), true));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        sim_array(json, lists[i]);
    snprintf(text, sizeof text, "%s/simulator/workflow-outputs/%s", sim->base_url, id);
    sim_set_text(json, "webURL", text);
    return json;
}

struct sim_reply sim_output_create(struct sim_request *request)
{
    char why[300];
    struct sim *sim = request->sim;
    const char *task_id = lf_json_text_or(request->body, "workflowTaskId", "");
    const cJSON *fields = lf_json_at(request->body, "fields");
    struct sim_item *task = sim_table_find(&sim->tasks, task_id);
    if (!task)
        return sim_reply_missing_400("Workflow task", task_id);
    if (!lf_json_at(sim_task_schema_of(sim, task)->json, "workflowOutputSchema.id"))
        return sim_reply_error(400, "The task's schema has no outputs");
    if (sim_fields_check(definitions_for(sim, task), fields, why, sizeof why))
        return sim_reply_error(400, "%s", why);
    struct sim_item *output = sim_table_add(&sim->outputs, output_json(sim, task), NULL);
    sim_fields_merge(cJSON_GetObjectItemCaseSensitive(output->json, "fields"), definitions_for(sim, task),
                     fields);
    cJSON_AddItemToArray(sim_array(task->json, "outputs"), sim_summary(output->json, "displayId"));
    cJSON_AddItemToArray(sim_array(task->json, "workflowOutputs"), sim_summary(output->json, "displayId"));
    sim_stamp(task->json, "modifiedAt");
    emit(sim, output, "v2.workflowOutput.created", NULL);
    return sim_reply_item(201, output->json);
}

struct sim_reply sim_output_update(struct sim_request *request)
{
    char why[300];
    struct sim *sim = request->sim;
    const cJSON *fields = lf_json_at(request->body, "fields");
    struct sim_item *output = sim_table_find(&sim->outputs, request->params[0]);
    if (!output)
        return sim_reply_missing("Workflow output", request->params[0]);
    const cJSON *definitions = definitions_for(sim, task_of(sim, output));
    if (sim_fields_check(definitions, fields, why, sizeof why))
        return sim_reply_error(400, "%s", why);
    sim_fields_merge(cJSON_GetObjectItemCaseSensitive(output->json, "fields"), definitions, fields);
    sim_stamp(output->json, "modifiedAt");
    if (cJSON_GetArraySize(fields) > 0)
        emit(sim, output, "v2.workflowOutput.updated.fields", fields);
    return sim_reply_item(200, output->json);
}

struct sim_reply sim_output_get(struct sim_request *request)
{
    const struct sim_item *output = sim_table_find(&request->sim->outputs, request->params[0]);
    return output ? sim_reply_item(200, output->json)
                  : sim_reply_missing("Workflow output", request->params[0]);
}

static bool output_wanted(const struct sim_request *request, const struct sim_item *output)
{
    const struct sim_item *task = task_of(request->sim, output);
    return sim_list_has_id(request, "ids", output->id)
           && sim_list_has_id(request, "workflowTaskIds", task->id)
           && sim_list_has_id(request, "workflowTaskGroupIds",
                              lf_json_text(task->json, "workflowTaskGroup.id"))
           && sim_list_has_id(request, "displayIds", lf_json_text(output->json, "displayId"))
           && sim_list_equals(request, "schemaId",
                              lf_json_text(sim_task_schema_of(request->sim, task)->json,
                                           "workflowOutputSchema.id"))
           && sim_list_archive(request, output) && sim_list_modified(request, output);
}

struct sim_reply sim_output_list(struct sim_request *request)
{
    struct sim_list list = {"workflowOutputs", &request->sim->outputs, output_wanted, NULL};
    return sim_list_reply(request, &list);
}

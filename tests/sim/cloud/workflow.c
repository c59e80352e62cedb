/* Workflow task schemas, the status lifecycle, groups, and fields. Tasks and outputs are in workflow_task.c
 * and workflow_output.c. */
#include "workflow.h"

#include "event.h"
#include "list.h"

#include <stdio.h>
#include <string.h>

/* ---- fields ---- */

static const cJSON *definition_named(const cJSON *definitions, const char *name)
{
    const cJSON *definition;
    cJSON_ArrayForEach (definition, definitions)
        if (!strcmp(lf_json_text_or(definition, "name", ""), name))
            return definition;
    return NULL;
}

static bool value_fits(const char *type, const cJSON *value)
{
    if (cJSON_IsNull(value))
        return true;
    if (!strcmp(type, "float") || !strcmp(type, "integer")) {
        return cJSON_IsNumber(value)
               && (type[0] == 'f' || value->valuedouble == (double)(int64_t)value->valuedouble);
    }
    if (!strcmp(type, "boolean"))
        return cJSON_IsBool(value);
    return !strcmp(type, "json") ? true : cJSON_IsString(value);
}

const char *sim_fields_check(const cJSON *definitions, const cJSON *fields, char *why, size_t why_size)
{
    const cJSON *field;
    cJSON_ArrayForEach (field, fields) {
        const cJSON *definition = definition_named(definitions, field->string);
        if (!definition) {
            snprintf(why, why_size, "The schema has no field \"%.80s\"", field->string);
            return why;
        }
        const char *type = lf_json_text_or(definition, "type", "text");
        if (!value_fits(type, cJSON_GetObjectItemCaseSensitive(field, "value"))) {
            snprintf(why, why_size, "Field \"%.80s\" must be of type %s", field->string, type);
            return why;
        }
    }
    return NULL;
}

static void set_display(cJSON *field, const cJSON *value)
{
    char text[40];
    const char *shown = cJSON_GetStringValue(value);
    if (cJSON_IsNumber(value)) {
        snprintf(text, sizeof text, "%.15g", value->valuedouble);
        shown = text;
    } else if (cJSON_IsBool(value)) {
        shown = cJSON_IsTrue(value) ? "true" : "false";
    }
    sim_set_text(field, "displayValue", shown);
    sim_set_text(field, "textValue", shown);
}

void sim_fields_merge(cJSON *into, const cJSON *definitions, const cJSON *fields)
{
    const cJSON *given;
    cJSON_ArrayForEach (given, fields) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(given, "value");
        cJSON *field = cJSON_CreateObject();
        sim_set(field, "value", cJSON_Duplicate(value, true));
        sim_set_bool(field, "isMulti", false);
        sim_set_text(field, "type",
                     lf_json_text_or(definition_named(definitions, given->string), "type", "text"));
        set_display(field, value);
        sim_set(into, given->string, field);
    }
}

/* ---- schemas and their lifecycle ---- */

const cJSON *sim_status_find(const struct sim_item *schema, const char *id_or_name)
{
    const cJSON *status;
    cJSON_ArrayForEach (status, lf_json_at(schema->json, "statusLifecycle.statuses"))
        if (id_or_name
            && (!strcmp(lf_json_text_or(status, "id", ""), id_or_name)
                || !strcmp(lf_json_text_or(status, "displayName", ""), id_or_name)))
            return status;
    return NULL;
}

bool sim_transition_allowed(const struct sim_item *schema, const char *from_id, const char *to_id)
{
    const cJSON *transition;
    if (!strcmp(from_id, to_id))
        return true;
    cJSON_ArrayForEach (transition, lf_json_at(schema->json, "statusLifecycle.transitions"))
        if (!strcmp(lf_json_text_or(transition, "from.id", ""), from_id)
            && !strcmp(lf_json_text_or(transition, "to.id", ""), to_id))
            return true;
    return false;
}

struct sim_reply sim_task_schema_get(struct sim_request *request)
{
    const struct sim_item *schema = sim_table_find(&request->sim->task_schemas, request->params[0]);
    return schema ? sim_reply_item(200, schema->json)
                  : sim_reply_missing("Workflow task schema", request->params[0]);
}

struct sim_reply sim_task_schema_list(struct sim_request *request)
{
    struct sim_list list = {"workflowTaskSchemas", &request->sim->task_schemas, sim_list_modified, NULL};
    return sim_list_reply(request, &list);
}

/* ---- groups ---- */

static cJSON *folder_json(const char *id)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "id", id);
    sim_set_text(json, "name", "Simulated folder");
    sim_set_text(json, "parentFolderId", NULL);
    sim_set_text(json, "projectId", "src_simulate");
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    return json;
}

static void emit_group(struct sim *sim, const struct sim_item *group, const char *type, const cJSON *updates)
{
    struct sim_news news = {.type = type,
                            .key = "workflowTaskGroup",
                            .resource = group->json,
                            .schema = lf_json_at(group->json, "workflowTaskSchema"),
                            .updates = updates};
    sim_event_emit(sim, &news);
}

struct sim_item *sim_group_make(struct sim *sim, const struct sim_item *schema, const char *name,
                                const char *folder)
{
    char id[SIM_ID], text[400];
    cJSON *json = cJSON_CreateObject();
    sim_new_id(id, "prs");
    sim_set_text(json, "id", id);
    snprintf(text, sizeof text, "%s%zu", lf_json_text_or(schema->json, "taskGroupPrefix", "G"),
             sim->task_groups.count + 1);
    sim_set_text(json, "displayId", text);
    sim_set_text(json, "name", name ? name : text);
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    sim_stamp(json, "createdAt");
    sim_stamp(json, "modifiedAt");
    sim_set_text(json, "executionType", "DIRECT");
    sim_set(json, "folder", folder_json(folder));
    sim_array(json, "outputs");
    sim_array(json, "workflowOutputs");
    sim_array(json, "watchers");
    sim_array(json, "workflowTasks");
    sim_array(json, "flowchartTaskGroups");
    sim_set(json, "responsibleTeam", cJSON_CreateNull());
    sim_set(json, "workflowTaskSchema", sim_summary(schema->json, "name"));
    snprintf(text, sizeof text, "%s/simulator/workflow-task-groups/%s", sim->base_url, id);
    sim_set_text(json, "webURL", text);
    struct sim_item *group = sim_table_add(&sim->task_groups, json, NULL);
    emit_group(sim, group, "v2.workflowTaskGroup.created", NULL);
    return group;
}

struct sim_reply sim_group_get(struct sim_request *request)
{
    const struct sim_item *group = sim_table_find(&request->sim->task_groups, request->params[0]);
    return group ? sim_reply_item(200, group->json)
                 : sim_reply_missing("Workflow task group", request->params[0]);
}

static bool group_wanted(const struct sim_request *request, const struct sim_item *group)
{
    return sim_list_has_id(request, "ids", group->id)
           && sim_list_equals(request, "schemaId", lf_json_text(group->json, "workflowTaskSchema.id"))
           && sim_list_equals(request, "folderId", lf_json_text(group->json, "folder.id"))
           && sim_list_has_id(request, "displayIds", lf_json_text(group->json, "displayId"))
           && sim_list_equals(request, "name", lf_json_text(group->json, "name"))
           && sim_list_archive(request, group) && sim_list_modified(request, group);
}

struct sim_reply sim_group_list(struct sim_request *request)
{
    struct sim_list list = {"workflowTaskGroups", &request->sim->task_groups, group_wanted, NULL};
    return sim_list_reply(request, &list);
}

static void set_watchers(struct sim_item *group, const cJSON *ids)
{
    cJSON *watchers = cJSON_CreateArray();
    const cJSON *id;
    cJSON_ArrayForEach (id, ids) {
        cJSON *user = cJSON_CreateObject();
        sim_set_text(user, "id", id->valuestring);
        sim_set_text(user, "handle", id->valuestring);
        sim_set_text(user, "name", id->valuestring);
        cJSON_AddItemToArray(watchers, user);
    }
    sim_set(group->json, "watchers", watchers);
}

struct sim_reply sim_group_create(struct sim_request *request)
{
    const char *schema_id = lf_json_text_or(request->body, "schemaId", "");
    const struct sim_item *schema = sim_table_find(&request->sim->task_schemas, schema_id);
    if (!schema)
        return sim_reply_missing_400("Workflow task schema", schema_id);
    struct sim_item *group = sim_group_make(request->sim, schema, lf_json_text(request->body, "name"),
                                            lf_json_text_or(request->body, "folderId", ""));
    set_watchers(group, lf_json_at(request->body, "watcherIds"));
    return sim_reply_item(201, group->json);
}

struct sim_reply sim_group_update(struct sim_request *request)
{
    struct sim_item *group = sim_table_find(&request->sim->task_groups, request->params[0]);
    const char *name = lf_json_text(request->body, "name"), *folder = lf_json_text(request->body, "folderId");
    const cJSON *watchers = lf_json_at(request->body, "watcherIds");
    if (!group)
        return sim_reply_missing("Workflow task group", request->params[0]);
    if (folder && (name || watchers))
        return sim_reply_error(400, "folderId cannot be changed together with other properties");
    if (folder)
        sim_set(group->json, "folder", folder_json(folder));
    if (name)
        sim_set_text(group->json, "name", name);
    sim_stamp(group->json, "modifiedAt");
    if (watchers) {
        cJSON *updates = cJSON_CreateArray();
        cJSON_AddItemToArray(updates, cJSON_CreateString("watchers"));
        set_watchers(group, watchers);
        emit_group(request->sim, group, "v2.workflowTaskGroup.updated.watchers", updates);
        cJSON_Delete(updates);
    }
    return sim_reply_item(200, group->json);
}

/* Workflow tasks: PATCH checks everything first and changes nothing when something is wrong. */
#include "event.h"
#include "list.h"
#include "task.h"
#include "timer.h"
#include "workflow.h"

#include <stdio.h>
#include <string.h>

struct sim_item *sim_task_schema_of(const struct sim *sim, const struct sim_item *task)
{
    return sim_table_find(&sim->task_schemas, lf_json_text(task->json, "schema.id"));
}

static cJSON *person(const char *id)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "handle", id);
    sim_set_text(json, "id", id);
    sim_set_text(json, "name", id);
    return json;
}

/* A task as its events carry it, which is not as the API shows it: without dates and links. The members are
 * those of an event that a real tenant sent. */
static cJSON *event_json(const cJSON *task)
{
    static const char *const members[] = {"id",
                                          "fields",
                                          "schema",
                                          "status",
                                          "creator",
                                          "assignee",
                                          "displayId",
                                          "clonedFrom",
                                          "scheduledOn",
                                          "archiveRecord",
                                          "executionType",
                                          "workflowOutputs",
                                          "workflowTaskGroup"};
    cJSON *json = cJSON_CreateObject(), *origin = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        sim_set(json, members[i], cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(task, members[i]), true));
    sim_set_text(origin, "originId", NULL);
    sim_set_text(origin, "originType", "API");
    sim_set_text(origin, "application", "PROCESSES");
    sim_set_text(origin, "originModalUuid", NULL);
    sim_set(json, "creationOrigin", origin);
    sim_set(json, "executionOrigin", cJSON_CreateNull());
    return json;
}

/* "v2.workflowTask.<what>"; field: the changed member, "fields" for all of the names in `fields`. */
static void emit(struct sim *sim, const struct sim_item *task, const char *what, const char *member,
                 const cJSON *fields)
{
    char type[80], name[200];
    const cJSON *field;
    cJSON *updates = member ? cJSON_CreateArray() : NULL;
    snprintf(type, sizeof type, "v2.workflowTask.%s", what);
    if (member && !fields)
        cJSON_AddItemToArray(updates, cJSON_CreateString(member));
    cJSON_ArrayForEach (field, fields) {
        snprintf(name, sizeof name, "fields.%s", field->string);
        cJSON_AddItemToArray(updates, cJSON_CreateString(name));
    }
    struct sim_news news = {.type = type,
                            .key = "workflowTask",
                            .resource = event_json(task->json),
                            .schema = lf_json_at(task->json, "schema"),
                            .updates = updates};
    sim_event_emit(sim, &news);
    cJSON_Delete((cJSON *)news.resource);
    cJSON_Delete(updates);
}

static cJSON *origin_json(void)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "entryId", NULL);
    sim_set_text(json, "originModalUuid", NULL);
    sim_set_text(json, "type", "API");
    return json;
}

static cJSON *task_json(struct sim *sim, const struct sim_item *schema, const struct sim_item *group)
{
    static const char *const lists[] = {"outputs",     "workflowOutputs", "nextTasks",         "nextOutputs",
                                        "sourceTasks", "sourceOutputs",   "responsibleParties"};
    char id[SIM_ID], text[400];
    cJSON *json = cJSON_CreateObject();
    sim_new_id(id, "wftask");
    sim_set_text(json, "id", id);
    snprintf(text, sizeof text, "%s%zu", lf_json_text_or(schema->json, "prefix", "T"), sim->tasks.count + 1);
    sim_set_text(json, "displayId", text);
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    sim_set(json, "assignee", cJSON_CreateNull());
    sim_set(json, "clonedFrom", cJSON_CreateNull());
    sim_stamp(json, "createdAt");
    sim_stamp(json, "modifiedAt");
    sim_set(json, "creator", person("ent_simulate"));
    sim_set(json, "executionOrigin", origin_json());
    sim_set_text(json, "executionType", "DIRECT");
    sim_set(json, "fields", cJSON_CreateObject());
    sim_set_text(json, "scheduledOn", NULL);
    sim_set(json, "schema", sim_summary(schema->json, "name"));
    sim_set(json, "status", cJSON_Duplicate(lf_json_at(schema->json, "statusLifecycle.initialStatus"), true));
    cJSON *group_summary = sim_summary(group->json, "displayId");
    sim_set_text(group_summary, "name", lf_json_text_or(group->json, "name", ""));
    sim_set(json, "workflowTaskGroup", group_summary);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        sim_array(json, lists[i]);
    snprintf(text, sizeof text, "%s/simulator/workflow-tasks/%s", sim->base_url, id);
    sim_set_text(json, "webURL", text);
    return json;
}

struct sim_item *sim_workflow_task_make(struct sim *sim, struct sim_item *group, const cJSON *fields)
{
    const struct sim_item *schema = sim_table_find(&sim->task_schemas,
                                                   lf_json_text(group->json, "workflowTaskSchema.id"));
    struct sim_item *task = sim_table_add(&sim->tasks, task_json(sim, schema, group), NULL);
    sim_fields_merge(cJSON_GetObjectItemCaseSensitive(task->json, "fields"),
                     lf_json_at(schema->json, "fieldDefinitions"), fields);
    cJSON_AddItemToArray(sim_array(group->json, "workflowTasks"), sim_summary(task->json, "displayId"));
    emit(sim, task, "created", NULL, NULL);
    emit(sim, task, "updated.status", "status", NULL);
    return task;
}

void sim_workflow_task_move(struct sim *sim, struct sim_item *task, const cJSON *status)
{
    sim_set(task->json, "status", cJSON_Duplicate(status, true));
    sim_stamp(task->json, "modifiedAt");
    emit(sim, task, "updated.status", "status", NULL);
}

/* ---- updates ---- */

/* NULL when the update can be made, else what is wrong (in why). */
static const char *check_update(const struct sim *sim, const struct sim_item *task, const cJSON *body,
                                char *why, size_t why_size)
{
    const struct sim_item *schema = sim_task_schema_of(sim, task);
    const char *wanted = lf_json_text(body, "statusId");
    const char *now = lf_json_text_or(task->json, "status.id", "");
    if (lf_json_at(task->json, "archiveRecord.reason")) {
        snprintf(why, why_size, "The task is archived");
        return why;
    }
    if (wanted && (strncmp(wanted, "wfts_", 5) != 0 || !sim_status_find(schema, wanted))) {
        snprintf(why, why_size, "The task's lifecycle has no status with id \"%.80s\"", wanted);
        return why;
    }
    if (wanted && !sim_transition_allowed(schema, now, wanted)) {
        snprintf(why, why_size, "The lifecycle has no transition from %.60s to %.60s",
                 lf_json_text_or(task->json, "status.displayName", ""),
                 lf_json_text_or(sim_status_find(schema, wanted), "displayName", ""));
        return why;
    }
    return sim_fields_check(lf_json_at(schema->json, "fieldDefinitions"), lf_json_at(body, "fields"), why,
                            why_size);
}

static void apply_update(struct sim *sim, struct sim_item *task, const cJSON *body)
{
    const struct sim_item *schema = sim_task_schema_of(sim, task);
    const cJSON *fields = lf_json_at(body, "fields");
    const char *status = lf_json_text(body, "statusId"), *assignee = lf_json_text(body, "assigneeId");
    const char *scheduled = lf_json_text(body, "scheduledOn");
    sim_stamp(task->json, "modifiedAt");
    if (cJSON_GetArraySize(fields) > 0) {
        sim_fields_merge(cJSON_GetObjectItemCaseSensitive(task->json, "fields"),
                         lf_json_at(schema->json, "fieldDefinitions"), fields);
        emit(sim, task, "updated.fields", "fields", fields);
    }
    if (assignee) {
        sim_set(task->json, "assignee", person(assignee));
        emit(sim, task, "updated.assignee", "assignee", NULL);
    }
    if (scheduled) {
        sim_set_text(task->json, "scheduledOn", scheduled);
        emit(sim, task, "updated.scheduledOn", "scheduledOn", NULL);
    }
    if (status && strcmp(status, lf_json_text_or(task->json, "status.id", "")) != 0)
        sim_workflow_task_move(sim, task, sim_status_find(schema, status));
}

struct sim_reply sim_workflow_task_update(struct sim_request *request)
{
    char why[300];
    struct sim_item *task = sim_table_find(&request->sim->tasks, request->params[0]);
    if (!task)
        return sim_reply_missing("Workflow task", request->params[0]);
    if (check_update(request->sim, task, request->body, why, sizeof why))
        return sim_reply_error(400, "%s", why);
    apply_update(request->sim, task, request->body);
    return sim_reply_item(200, task->json);
}

/* Timer call: the task's hidden "updates" are applied, all or none. */
static void run_bulk_update(struct sim *sim, const char *task_id)
{
    char why[300];
    struct sim_item *job = sim_table_find(&sim->async_tasks, task_id);
    const cJSON *update, *updates = lf_json_at(job->hidden, "updates");
    cJSON *done = cJSON_CreateObject(), *list = sim_array(done, "workflowTasks");
    int index = 0;
    cJSON_ArrayForEach (update, updates) {
        const char *id = lf_json_text_or(update, "workflowTaskId", "");
        const struct sim_item *task = sim_table_find(&sim->tasks, id);
        const char *wrong = task ? check_update(sim, task, update, why, sizeof why) : "No such workflow task";
        if (wrong) {
            cJSON *errors = cJSON_CreateObject();
            sim_set_int(errors, "index", index);
            sim_set_text(errors, "message", wrong);
            sim_task_fail(job, "Your request was invalid.", errors);
            cJSON_Delete(done);
            return;
        }
        index++;
    }
    cJSON_ArrayForEach (update, updates) {
        struct sim_item *task = sim_table_find(&sim->tasks, lf_json_text(update, "workflowTaskId"));
        apply_update(sim, task, update);
        cJSON_AddItemToArray(list, cJSON_Duplicate(task->json, true));
    }
    sim_task_succeed(job, done);
}

struct sim_reply sim_workflow_task_bulk_update(struct sim_request *request)
{
    struct sim_item *job = sim_task_start(request->sim, "bulk-update");
    cJSON *updates = cJSON_DetachItemFromObjectCaseSensitive(request->body, "workflowTasks");
    sim_set(job->hidden, "updates", updates ? updates : cJSON_CreateArray());
    sim_timer_after(request->sim, request->sim->options.process_ms, run_bulk_update, job->id);
    return sim_task_link(job);
}

/* ---- reading and making ---- */

struct sim_reply sim_workflow_task_get(struct sim_request *request)
{
    const struct sim_item *task = sim_table_find(&request->sim->tasks, request->params[0]);
    return task ? sim_reply_item(200, task->json) : sim_reply_missing("Workflow task", request->params[0]);
}

static bool task_wanted(const struct sim_request *request, const struct sim_item *task)
{
    return sim_list_has_id(request, "ids", task->id)
           && sim_list_equals(request, "schemaId", lf_json_text(task->json, "schema.id"))
           && sim_list_has_id(request, "statusIds", lf_json_text(task->json, "status.id"))
           && sim_list_has_id(request, "workflowTaskGroupIds",
                              lf_json_text(task->json, "workflowTaskGroup.id"))
           && sim_list_has_id(request, "assigneeIds", lf_json_text(task->json, "assignee.id"))
           && sim_list_has_id(request, "displayIds", lf_json_text(task->json, "displayId"))
           && sim_list_archive(request, task) && sim_list_modified(request, task);
}

struct sim_reply sim_workflow_task_list(struct sim_request *request)
{
    struct sim_list list = {"workflowTasks", &request->sim->tasks, task_wanted, NULL};
    return sim_list_reply(request, &list);
}

struct sim_reply sim_workflow_task_create(struct sim_request *request)
{
    char why[300];
    struct sim *sim = request->sim;
    const char *group_id = lf_json_text_or(request->body, "workflowTaskGroupId", "");
    struct sim_item *group = sim_table_find(&sim->task_groups, group_id);
    if (!group)
        return sim_reply_missing_400("Workflow task group", group_id);
    const struct sim_item *schema = sim_table_find(&sim->task_schemas,
                                                   lf_json_text(group->json, "workflowTaskSchema.id"));
    const cJSON *fields = lf_json_at(request->body, "fields");
    if (sim_fields_check(lf_json_at(schema->json, "fieldDefinitions"), fields, why, sizeof why))
        return sim_reply_error(400, "%s", why);
    struct sim_item *task = sim_workflow_task_make(sim, group, fields);
    cJSON_DeleteItemFromObjectCaseSensitive(request->body, "fields");
    apply_update(sim, task, request->body);
    return sim_reply_item(201, task->json);
}

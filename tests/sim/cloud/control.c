#include "control.h"

#include "auth.h"
#include "automation.h"
#include "event.h"
#include "relay.h"
#include "requests.h"
#include "scenario.h"
#include "timer.h"
#include "workflow.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- state ---- */

static cJSON *table_json(struct sim *sim, const struct sim_table *table,
                         cJSON *(*show)(struct sim *sim, const struct sim_item *item))
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < table->count; i++) {
        cJSON_AddItemToArray(list, show ? show(sim, table->items[i])
                                        : cJSON_Duplicate(table->items[i]->json, true));
    }
    return list;
}

/* A long-running task, with the id and subject that its API shape does not have. */
static cJSON *show_async_task(struct sim *sim, const struct sim_item *task)
{
    (void)sim;
    cJSON *json = cJSON_Duplicate(task->json, true);
    sim_set_text(json, "id", task->id);
    sim_set_text(json, "subject", lf_json_text(task->hidden, "subject"));
    return json;
}

struct sim_reply sim_control_state(struct sim_request *request)
{
    struct sim *sim = request->sim;
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "baseURL", sim->base_url);
    sim_set(json, "runSchemas", table_json(sim, &sim->run_schemas, NULL));
    sim_set(json, "runs", table_json(sim, &sim->runs, NULL));
    sim_set(json, "generators", table_json(sim, &sim->generators, sim_automation_show));
    sim_set(json, "processors", table_json(sim, &sim->processors, sim_automation_show));
    sim_set(json, "transforms", table_json(sim, &sim->transforms, NULL));
    sim_set(json, "results", table_json(sim, &sim->results, NULL));
    sim_set(json, "blobs", sim_blobs_state(sim));
    sim_set(json, "tasks", table_json(sim, &sim->async_tasks, show_async_task));
    sim_set(json, "workflowTaskSchemas", table_json(sim, &sim->task_schemas, NULL));
    sim_set(json, "workflowTaskGroups", table_json(sim, &sim->task_groups, NULL));
    sim_set(json, "workflowTasks", table_json(sim, &sim->tasks, NULL));
    sim_set(json, "workflowOutputs", table_json(sim, &sim->outputs, NULL));
    sim_set_int(json, "events", sim_events_total(sim));
    sim_set_int(json, "tokens", (int64_t)sim_auth_tokens(sim));
    sim_set(json, "relay", sim_relay_state(sim));
    sim_set(json, "requests", sim_requests_counts(sim));
    return sim_reply_json(200, json);
}

struct sim_reply sim_control_requests(struct sim_request *request)
{
    cJSON *json = sim_requests_counts(request->sim);
    sim_set(json, "requests", sim_requests_list(request->sim, lf_json_int(request->query, "since", 0)));
    return sim_reply_json(200, json);
}

struct sim_reply sim_control_forget_requests(struct sim_request *request)
{
    sim_requests_clear(request->sim);
    return sim_reply_json(200, cJSON_CreateObject());
}

struct sim_reply sim_control_scenario(struct sim_request *request)
{
    char problem[300];
    if (!sim_scenario_load(request->sim, request->body, problem, sizeof problem))
        return sim_reply_error(400, "%s", problem);
    return sim_reply_json(201, cJSON_CreateObject());
}

struct sim_reply sim_control_revoke(struct sim_request *request)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_int(json, "revoked", (int64_t)sim_auth_revoke(request->sim));
    return sim_reply_json(200, json);
}

struct sim_reply sim_control_blob_bytes(struct sim_request *request)
{
    char path[SIM_BLOB_PATH];
    const struct sim_blob *blob = sim_blob_find(request->sim, request->params[0]);
    if (!blob || blob->state != SIM_BLOB_COMPLETE)
        return sim_reply_missing("Complete blob", request->params[0]);
    sim_blob_path(request->sim, blob->id, path);
    struct sim_reply reply = {.status = 200, .size = blob->size, .mime = "application/octet-stream"};
    reply.fd = open(path, O_RDONLY | O_CLOEXEC);
    return reply.fd >= 0 ? reply : sim_reply_missing("File of blob", blob->id);
}

/* ---- runs and their files ---- */

struct sim_reply sim_control_run(struct sim_request *request)
{
    struct sim *sim = request->sim;
    const char *name = lf_json_text(request->body, "schema"), *id = lf_json_text(request->body, "id");
    const struct sim_item *schema = name                         ? sim_table_named(&sim->run_schemas, name)
                                    : sim->run_schemas.count > 0 ? sim->run_schemas.items[0]
                                                                 : NULL;
    if (!schema)
        return sim_reply_missing("Run schema", name ? name : "(any)");
    if (id && (sim_table_find(&sim->runs, id) || strlen(id) >= SIM_ID))
        return sim_reply_error(409, "There is a run already with id %s, or the id is too long", id);
    return sim_reply_item(201, sim_run_make(sim, schema, id, lf_json_at(request->body, "fields"))->json);
}

/* The bytes a request carries: "content" (text), "content64", or, when neither is there, NULL in data. */
static bool take_content(const struct sim_request *request, struct lf_buffer *bytes, struct sim_reply *reply)
{
    const char *text = lf_json_text(request->body, "content"),
               *base64 = lf_json_text(request->body, "content64");
    bytes->max = (size_t)request->sim->options.max_body;
    if (base64 && lf_base64_decode(lf_slice_text(base64), bytes) != LF_OK) {
        *reply = sim_reply_error(400, "content64 is not valid base64");
        return false;
    }
    if (text && lf_buffer_text(bytes, text) != LF_OK) {
        *reply = sim_reply_error(413, "content is too long");
        return false;
    }
    return true;
}

/* Timer call: an upload that was slow to arrive is there. */
static void complete_blob(struct sim *sim, const char *id)
{
    sim_blob_find(sim, id)->state = SIM_BLOB_COMPLETE;
}

struct sim_reply sim_control_input(struct sim_request *request)
{
    struct sim *sim = request->sim;
    char name[300];
    struct lf_buffer bytes = {0};
    struct sim_reply reply = {.fd = -1};
    struct sim_item *generator = sim_generator_of(sim, request->params[0],
                                                  lf_json_text(request->body, "config"));
    if (!generator)
        return sim_reply_missing("Input generator of run", request->params[0]);
    if (!take_content(request, &bytes, &reply))
        goto done;
    if (!bytes.data) {
        char *text = sim_generator_worklist(sim, generator, lf_json_int(request->body, "rows", -1));
        if (lf_buffer_text(&bytes, text ? text : "") != LF_OK)
            sim_die("out of memory (a worklist)");
        free(text);
    }
    sim_generator_file_name(sim, generator, name, sizeof name);
    struct sim_blob *blob = sim_blob_make(sim, lf_json_text_or(request->body, "name", name),
                                          lf_json_text_or(request->body, "mimeType", "text/csv"), bytes.data,
                                          bytes.len);
    int64_t wait = lf_json_int(request->body, "completeAfterMs", 0);
    if (wait > 0) {
        blob->state = SIM_BLOB_IN_PROGRESS;
        sim_timer_after(sim, wait, complete_blob, blob->id);
    }
    sim_generator_give(sim, generator, blob, lf_json_bool(request->body, "emit", true));
    cJSON *json = sim_automation_show(sim, generator);
    sim_set_text(json, "sha256", blob->sha256);
    sim_set_int(json, "size", blob->size);
    reply = sim_reply_json(201, json);
done:
    lf_buffer_free(&bytes);
    return reply;
}

struct sim_reply sim_control_output(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct lf_buffer bytes = {0};
    struct sim_reply reply = {.fd = -1};
    const struct sim_item *run = sim_table_find(&sim->runs, request->params[0]);
    if (!run)
        return sim_reply_missing("Run", request->params[0]);
    const cJSON *configs = lf_json_at(sim_run_schema_of(sim, run)->hidden, "outputFileConfigs");
    const char *first = lf_json_text_or(cJSON_GetArrayItem(configs, 0), "name", "");
    const char *config = lf_json_text_or(request->body, "config", first);
    if (!sim_file_config(sim_run_schema_of(sim, run), "outputFileConfigs", config))
        return sim_reply_missing("Output file config", config);
    if (take_content(request, &bytes, &reply)) {
        const struct sim_blob *blob = sim_blob_make(sim,
                                                    lf_json_text_or(request->body, "name", "by-hand.csv"),
                                                    lf_json_text_or(request->body, "mimeType", "text/csv"),
                                                    bytes.data ? bytes.data : "", bytes.len);
        bool with_errors = lf_json_bool(request->body, "completeWithErrors", false);
        reply = sim_reply_json(201, sim_automation_show(sim, sim_processor_make(sim, run, config, blob,
                                                                                with_errors)));
    }
    lf_buffer_free(&bytes);
    return reply;
}

/* ---- workflow tasks ---- */

struct sim_reply sim_control_task(struct sim_request *request)
{
    char problem[300];
    struct sim *sim = request->sim;
    cJSON *scenario = cJSON_CreateObject(), *task = cJSON_Duplicate(request->body, true);
    if (!lf_json_text(task, "schema") && sim->task_schemas.count > 0)
        sim_set_text(task, "schema", lf_json_text(sim->task_schemas.items[0]->json, "name"));
    cJSON_AddItemToArray(sim_array(scenario, "tasks"), task);
    bool good = sim_scenario_load(sim, scenario, problem, sizeof problem);
    cJSON_Delete(scenario);
    return good ? sim_reply_item(201, sim->tasks.items[sim->tasks.count - 1]->json)
                : sim_reply_error(400, "%s", problem);
}

struct sim_reply sim_control_status(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct sim_item *task = sim_table_find(&sim->tasks, request->params[0]);
    const char *wanted = lf_json_text_or(request->body, "status", "");
    if (!task)
        return sim_reply_missing("Workflow task", request->params[0]);
    const struct sim_item *schema = sim_task_schema_of(sim, task);
    const cJSON *status = sim_status_find(schema, wanted);
    if (!status)
        return sim_reply_missing("Status", wanted);
    if (!lf_json_bool(request->body, "force", false)
        && !sim_transition_allowed(schema, lf_json_text_or(task->json, "status.id", ""),
                                   lf_json_text_or(status, "id", ""))) {
        return sim_reply_error(400,
                               "The lifecycle has no such transition; \"force\": true makes it all the same");
    }
    sim_workflow_task_move(sim, task, status);
    return sim_reply_item(200, task->json);
}

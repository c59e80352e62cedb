/* Automation output processors: the API's side. What processing does is in process.c. */
#include "automation.h"
#include "event.h"
#include "list.h"
#include "task.h"
#include "timer.h"

#include <stdlib.h>
#include <string.h>

static void set_progress(cJSON *json)
{
    cJSON *stats = cJSON_CreateObject();
    sim_set_int(stats, "rowsSucceeded", 0);
    sim_set_int(stats, "rowsFailed", 0);
    sim_set_int(stats, "rowsUnprocessed", 0);
    sim_set(json, "progressStats", stats);
}

/* A (new) file starts the processor's life again. */
static void attach(struct sim *sim, struct sim_item *processor, const struct sim_blob *blob)
{
    sim_set(processor->json, "file", sim_blob_json(blob));
    sim_set(processor->json, "errorFile", cJSON_CreateNull());
    sim_set_text(processor->json, "status", "NOT_STARTED");
    set_progress(processor->json);
    sim_stamp(processor->json, "modifiedAt");
    sim_automation_emit(sim, processor, "automationOutputProcessor", "uploaded");
}

struct sim_item *sim_processor_make(struct sim *sim, const struct sim_item *run, const char *config,
                                    const struct sim_blob *blob, bool complete_with_errors)
{
    cJSON *json = sim_automation_file(sim, "aop", "automation-output-processors", run->id, config);
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    sim_set_bool(json, "completeWithErrors", complete_with_errors);
    struct sim_item *processor = sim_table_add(&sim->processors, json, cJSON_CreateObject());
    attach(sim, processor, blob);
    return processor;
}

struct sim_reply sim_processor_create(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct sim_reply reply = {.fd = -1};
    const char *run_id = lf_json_text_or(request->body, "assayRunId", "");
    const char *config = lf_json_text_or(request->body, "automationFileConfigName", "");
    const struct sim_item *run = sim_table_find(&sim->runs, run_id);
    if (!run)
        return sim_reply_missing_400("Run", run_id);
    if (!sim_file_config(sim_run_schema_of(sim, run), "outputFileConfigs", config))
        return sim_reply_error(400, "The run's schema has no output file config named \"%.100s\"", config);
    const struct sim_blob *blob = sim_attachable(sim, lf_json_text_or(request->body, "fileId", ""), &reply);
    if (!blob)
        return reply;
    bool with_errors = lf_json_bool(request->body, "completeWithErrors", false);
    const struct sim_item *processor = sim_processor_make(sim, run, config, blob, with_errors);
    return sim_reply_json(201, sim_automation_show(sim, processor));
}

static struct sim_item *find(const struct sim_request *request, struct sim_reply *reply)
{
    struct sim_item *processor = sim_table_find(&request->sim->processors, request->params[0]);
    if (!processor)
        *reply = sim_reply_missing_400("Automation output processor", request->params[0]);
    return processor;
}

static bool has_status(const struct sim_item *processor, const char *status)
{
    return !strcmp(lf_json_text_or(processor->json, "status", ""), status);
}

struct sim_reply sim_processor_get(struct sim_request *request)
{
    struct sim_reply reply = {.fd = -1};
    const struct sim_item *processor = find(request, &reply);
    return processor ? sim_reply_json(200, sim_automation_show(request->sim, processor)) : reply;
}

struct sim_reply sim_processor_update(struct sim_request *request)
{
    struct sim_reply reply = {.fd = -1};
    struct sim_item *processor = find(request, &reply);
    if (!processor)
        return reply;
    if (has_status(processor, "RUNNING"))
        return sim_reply_error(400, "The processor is running; its file cannot be changed now");
    const struct sim_blob *blob = sim_attachable(request->sim, lf_json_text_or(request->body, "fileId", ""),
                                                 &reply);
    if (!blob)
        return reply;
    attach(request->sim, processor, blob);
    return sim_reply_json(200, sim_automation_show(request->sim, processor));
}

static bool processor_wanted(const struct sim_request *request, const struct sim_item *processor)
{
    return sim_list_equals(request, "assayRunId", lf_json_text(processor->json, "assayRunId"))
           && sim_list_equals(request, "automationFileConfigName",
                              lf_json_text(processor->json, "automationFileConfig.name"))
           && sim_list_archive(request, processor) && sim_list_modified(request, processor);
}

struct sim_reply sim_processor_list(struct sim_request *request)
{
    struct sim_list list = {"automationOutputProcessors", &request->sim->processors, processor_wanted,
                            sim_automation_show};
    return sim_list_reply(request, &list);
}

struct sim_reply sim_processor_process(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct sim_reply reply = {.fd = -1};
    struct sim_item *processor = find(request, &reply);
    if (!processor)
        return reply;
    if (has_status(processor, "RUNNING") || has_status(processor, "SUCCEEDED")) {
        return sim_reply_error(400, "The file %s already",
                               has_status(processor, "RUNNING") ? "is being processed"
                                                                : "has been processed");
    }
    if (lf_json_at(processor->json, "archiveRecord.reason"))
        return sim_reply_error(400, "The processor is archived");
    sim_set_text(processor->json, "status", "RUNNING");
    sim_stamp(processor->json, "modifiedAt");
    reply = sim_task_link(sim_task_start(sim, processor->id));
    sim_timer_after(sim, sim->options.process_ms, sim_process, processor->id);
    return reply;
}

/* ---- archive ---- */

static void archive(struct sim_item *item, const char *reason)
{
    cJSON *record = reason ? cJSON_CreateObject() : cJSON_CreateNull();
    if (reason)
        sim_set_text(record, "reason", reason);
    sim_set(item->json, "archiveRecord", record);
    sim_stamp(item->json, "modifiedAt");
}

/* reason NULL: unarchive. Linked results go the same way. */
static struct sim_reply change_archival(struct sim_request *request, const char *reason)
{
    struct sim *sim = request->sim;
    cJSON *json = cJSON_CreateObject(), *done = sim_array(json, "automationOutputProcessorIds");
    cJSON *results = sim_array(json, "resultIds");
    const cJSON *id, *ids = lf_json_at(request->body, "automationOutputProcessorIds");
    cJSON_ArrayForEach (id, ids) {
        if (!sim_table_find(&sim->processors, id->valuestring)) {
            cJSON_Delete(json);
            return sim_reply_missing_400("Automation output processor", id->valuestring);
        }
    }
    cJSON_ArrayForEach (id, ids) {
        archive(sim_table_find(&sim->processors, id->valuestring), reason);
        cJSON_AddItemToArray(done, cJSON_CreateString(id->valuestring));
        for (size_t i = 0; i < sim->results.count; i++) {
            struct sim_item *result = sim->results.items[i];
            if (!strcmp(lf_json_text_or(result->hidden, "processor", ""), id->valuestring)) {
                archive(result, reason);
                cJSON_AddItemToArray(results, cJSON_CreateString(result->id));
            }
        }
    }
    return sim_reply_json(200, json);
}

struct sim_reply sim_processor_archive(struct sim_request *request)
{
    return change_archival(request, lf_json_text_or(request->body, "reason", "Other"));
}

struct sim_reply sim_processor_unarchive(struct sim_request *request)
{
    return change_archival(request, NULL);
}

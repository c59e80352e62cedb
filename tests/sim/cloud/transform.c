/* Custom transforms: an output file config with "transform": true makes processing wait until somebody
 * PATCHes the transform with a blob (processing goes on with it) or with errors (the processor fails). */
#include "automation.h"
#include "event.h"
#include "timer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static struct sim_item *transform_of(const struct sim *sim, const struct sim_item *processor)
{
    const char *id = lf_json_text(processor->hidden, "transform");
    return id ? sim_table_find(&sim->transforms, id) : NULL;
}

const char *sim_transform_result(const struct sim *sim, const struct sim_item *processor)
{
    const struct sim_item *transform = transform_of(sim, processor);
    const char *blob = transform ? lf_json_text(transform->json, "blobId") : NULL;
    return blob ? blob : lf_json_text_or(processor->json, "file.id", "");
}

/* Sets the status and emits the event that reports it; the event's word may differ ("pending" has no
 * status). */
static void set_status(struct sim *sim, struct sim_item *transform, const char *status, const char *word)
{
    char type[120];
    sim_set_text(transform->json, "status", status);
    sim_stamp(transform->json, "modifiedAt");
    snprintf(type, sizeof type, "v2.automationFileTransform.updated.status.%s", word);
    struct sim_news news = {.type = type, .key = "automationFileTransform", .resource = transform->json};
    sim_event_emit(sim, &news);
}

static cJSON *transform_json(const struct sim *sim, const struct sim_item *processor)
{
    char id[SIM_ID], custom[SIM_ID], url[400];
    cJSON *json = cJSON_CreateObject(), *errors = cJSON_CreateObject();
    sim_new_id(id, "aft");
    sim_new_uuid(custom);
    snprintf(url, sizeof url, "%s/api/v2/automation-file-transforms/%s", sim->base_url, id);
    sim_set_text(json, "id", id);
    sim_set_text(json, "apiURL", url);
    sim_set_text(json, "blobId", NULL);
    sim_set_text(json, "customTransformId", custom);
    sim_array(errors, "topLevelErrors");
    sim_set(json, "errors", errors);
    sim_set_text(json, "inputGeneratorId", NULL);
    sim_set_text(json, "outputProcessorId", processor->id);
    return json;
}

bool sim_transform_begin(struct sim *sim, struct sim_item *processor)
{
    const struct sim_item *run = sim_table_find(&sim->runs, lf_json_text(processor->json, "assayRunId"));
    const cJSON *config = sim_file_config(sim_run_schema_of(sim, run), "outputFileConfigs",
                                          lf_json_text(processor->json, "automationFileConfig.name"));
    const struct sim_item *done = transform_of(sim, processor);
    if (!lf_json_bool(config, "transform", false) || (done && lf_json_text(done->json, "blobId")))
        return false;
    struct sim_item *transform = sim_table_add(&sim->transforms, transform_json(sim, processor), NULL);
    sim_set_text(processor->hidden, "transform", transform->id);
    set_status(sim, transform, "NOT_STARTED", "pending");
    set_status(sim, transform, "RUNNING", "running");
    return true;
}

struct sim_reply sim_transform_get(struct sim_request *request)
{
    const struct sim_item *transform = sim_table_find(&request->sim->transforms, request->params[0]);
    return transform ? sim_reply_item(200, transform->json)
                     : sim_reply_missing("Transform", request->params[0]);
}

static void take_errors(struct sim_item *transform, const cJSON *errors)
{
    cJSON *list = sim_array(cJSON_GetObjectItemCaseSensitive(transform->json, "errors"), "topLevelErrors");
    const cJSON *error;
    cJSON_ArrayForEach (error, errors) {
        cJSON *entry = cJSON_CreateObject();
        sim_set_text(entry, "errorMessage", lf_json_text_or(error, "message", ""));
        cJSON_AddItemToArray(list, entry);
    }
}

struct sim_reply sim_transform_update(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct sim_reply reply = {.fd = -1};
    struct sim_item *transform = sim_table_find(&sim->transforms, request->params[0]);
    const char *blob_id = lf_json_text(request->body, "blobId");
    const cJSON *errors = lf_json_at(request->body, "errors");
    if (!transform)
        return sim_reply_missing_400("Transform", request->params[0]);
    if (strcmp(lf_json_text_or(transform->json, "status", ""), "RUNNING") != 0)
        return sim_reply_error(400, "The transform has ended already");
    if (!blob_id == !errors)
        return sim_reply_error(400, "Give either blobId or errors");
    struct sim_item *processor = sim_table_find(&sim->processors,
                                                lf_json_text(transform->json, "outputProcessorId"));
    if (errors) {
        take_errors(transform, errors);
        set_status(sim, transform, "FAILED", "failed");
        sim_process_fail(sim, processor, "The custom transform failed", NULL);
    } else if (!sim_attachable(sim, blob_id, &reply)) {
        return reply;
    } else {
        sim_set_text(transform->json, "blobId", blob_id);
        set_status(sim, transform, "SUCCEEDED", "succeeded");
        sim_timer_after(sim, sim->options.process_ms, sim_process, processor->id);
    }
    return sim_reply_item(200, transform->json);
}

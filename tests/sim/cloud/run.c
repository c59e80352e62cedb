/* Run schemas, runs, results. */
#include "automation.h"
#include "event.h"
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- run schemas ---- */

struct sim_reply sim_run_schema_get(struct sim_request *request)
{
    const struct sim_item *schema = sim_table_find(&request->sim->run_schemas, request->params[0]);
    return schema ? sim_reply_item(200, schema->json) : sim_reply_missing("Run schema", request->params[0]);
}

struct sim_reply sim_run_schema_list(struct sim_request *request)
{
    struct sim_list list = {"assayRunSchemas", &request->sim->run_schemas, sim_list_modified, NULL};
    return sim_list_reply(request, &list);
}

struct sim_item *sim_run_schema_of(const struct sim *sim, const struct sim_item *run)
{
    return sim_table_find(&sim->run_schemas, lf_json_text(run->json, "schema.id"));
}

const cJSON *sim_file_config(const struct sim_item *schema, const char *kind, const char *name)
{
    const cJSON *config;
    cJSON_ArrayForEach (config, lf_json_at(schema->hidden, kind))
        if (name && !strcmp(lf_json_text_or(config, "name", ""), name))
            return config;
    return NULL;
}

/* ---- runs ---- */

static cJSON *creator(void)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "handle", "simulator");
    sim_set_text(json, "id", "ent_simulate");
    sim_set_text(json, "name", "Cloud Simulator");
    return json;
}

static void make_generators(struct sim *sim, const struct sim_item *schema, const char *run_id)
{
    const cJSON *config;
    cJSON_ArrayForEach (config, lf_json_at(schema->hidden, "inputFileConfigs")) {
        cJSON *json = sim_automation_file(sim, "aif", "automation-input-generators", run_id,
                                          lf_json_text_or(config, "name", ""));
        sim_table_add(&sim->generators, json, NULL);
    }
}

static cJSON *run_json(struct sim *sim, const struct sim_item *schema, const char *id, const cJSON *fields)
{
    char text[400];
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "id", id);
    snprintf(text, sizeof text, "run_%.8s", id);
    sim_set_text(json, "v3Id", text);
    snprintf(text, sizeof text, "%s/api/v2/assay-runs/%s", sim->base_url, id);
    sim_set_text(json, "apiURL", text);
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    sim_stamp(json, "createdAt");
    sim_set(json, "creator", creator());
    sim_set_text(json, "entryId", "etr_simulate");
    sim_set_text(json, "equipmentId", NULL);
    sim_set(json, "fields", fields ? cJSON_Duplicate(fields, true) : cJSON_CreateObject());
    sim_set_bool(json, "isReviewed", false);
    sim_set_text(json, "projectId", "src_simulate");
    sim_set(json, "schema", sim_summary(schema->json, "name"));
    sim_set_text(json, "validationComment", NULL);
    sim_set_text(json, "validationStatus", "VALID");
    return json;
}

struct sim_item *sim_run_make(struct sim *sim, const struct sim_item *schema, const char *id,
                              const cJSON *fields)
{
    char uuid[SIM_ID];
    if (!id) {
        sim_new_uuid(uuid);
        id = uuid;
    }
    struct sim_item *run = sim_table_add(&sim->runs, run_json(sim, schema, id, fields), NULL);
    make_generators(sim, schema, id);
    struct sim_news news = {.type = "v2.assayRun.created",
                            .key = "assayRun",
                            .resource = run->json,
                            .schema = schema->json};
    sim_event_emit(sim, &news);
    return run;
}

struct sim_reply sim_run_get(struct sim_request *request)
{
    const struct sim_item *run = sim_table_find(&request->sim->runs, request->params[0]);
    return run ? sim_reply_item(200, run->json) : sim_reply_missing_400("Run", request->params[0]);
}

static bool run_wanted(const struct sim_request *request, const struct sim_item *run)
{
    int64_t created = 0;
    sim_list_time(lf_json_text_or(run->json, "createdAt", ""), &created);
    return sim_list_equals(request, "schemaId", lf_json_text(run->json, "schema.id"))
           && sim_list_has_id(request, "ids", run->id)
           && created / 1000 >= lf_json_int(request->query, "minCreatedTime", INT64_MIN)
           && created / 1000 <= lf_json_int(request->query, "maxCreatedTime", INT64_MAX);
}

struct sim_reply sim_run_list(struct sim_request *request)
{
    struct sim_list list = {"assayRuns", &request->sim->runs, run_wanted, NULL};
    return sim_list_reply(request, &list);
}

struct sim_reply sim_run_update(struct sim_request *request)
{
    struct sim_item *run = sim_table_find(&request->sim->runs, request->params[0]);
    const cJSON *field;
    if (!run)
        return sim_reply_missing_400("Run", request->params[0]);
    if (cJSON_GetObjectItemCaseSensitive(request->body, "equipmentId"))
        return sim_reply_error(400, "equipmentId: the equipment feature is not enabled");
    cJSON *fields = cJSON_GetObjectItemCaseSensitive(run->json, "fields"), *updates = cJSON_CreateArray();
    cJSON_ArrayForEach (field, lf_json_at(request->body, "fields")) {
        char name[200];
        snprintf(name, sizeof name, "fields.%s", field->string);
        cJSON_AddItemToArray(updates, cJSON_CreateString(name));
        sim_set(fields, field->string, cJSON_Duplicate(field, true));
    }
    if (cJSON_GetArraySize(updates) > 0) {
        struct sim_news news = {.type = "v2.assayRun.updated.fields",
                                .key = "assayRun",
                                .resource = run->json,
                                .schema = lf_json_at(run->json, "schema"),
                                .updates = updates};
        sim_event_emit(request->sim, &news);
    }
    cJSON_Delete(updates);
    return sim_reply_item(200, run->json);
}

/* ---- results ---- */

struct sim_reply sim_result_get(struct sim_request *request)
{
    const struct sim_item *result = sim_table_find(&request->sim->results, request->params[0]);
    return result ? sim_reply_item(200, result->json) : sim_reply_missing_400("Result", request->params[0]);
}

static bool result_wanted(const struct sim_request *request, const struct sim_item *result)
{
    return sim_list_equals(request, "automationOutputProcessorId", lf_json_text(result->hidden, "processor"))
           && sim_list_equals(request, "schemaId", lf_json_text(result->json, "schema.id"))
           && sim_list_has_id(request, "assayRunIds", lf_json_text(result->hidden, "run"))
           && sim_list_has_id(request, "ids", result->id) && sim_list_archive(request, result);
}

struct sim_reply sim_result_list(struct sim_request *request)
{
    struct sim_list list = {"assayResults", &request->sim->results, result_wanted, NULL};
    if (!sim_query(request, "automationOutputProcessorId") && !sim_query(request, "schemaId"))
        return sim_reply_error(400, "Name a schemaId or an automationOutputProcessorId");
    if (sim_query(request, "automationOutputProcessorId") && sim_query(request, "assayRunIds"))
        return sim_reply_error(400, "automationOutputProcessorId and assayRunIds exclude each other");
    return sim_list_reply(request, &list);
}

/* Automation input generators, and what they share with output processors. */
#include "automation.h"
#include "event.h"
#include "list.h"
#include "task.h"
#include "timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKLIST_ROWS = 8, WORKLIST_MOST = 1000000 };

/* ---- shared ---- */

cJSON *sim_automation_file(struct sim *sim, const char *prefix, const char *path, const char *run_id,
                           const char *config)
{
    char id[SIM_ID], url[400];
    cJSON *json = cJSON_CreateObject(), *name = cJSON_CreateObject();
    sim_new_id(id, prefix);
    snprintf(url, sizeof url, "%s/api/v2/%s/%s", sim->base_url, path, id);
    sim_set_text(json, "id", id);
    sim_set_text(json, "apiURL", url);
    sim_set_text(json, "assayRunId", run_id);
    sim_set_text(name, "name", config);
    sim_set(json, "automationFileConfig", name);
    sim_set(json, "file", cJSON_CreateNull());
    sim_set_text(json, "status", "NOT_STARTED");
    sim_array(json, "transforms");
    sim_stamp(json, "createdAt");
    sim_stamp(json, "modifiedAt");
    return json;
}

static void refresh_file(const struct sim *sim, cJSON *json, const char *key)
{
    const struct sim_blob *blob = sim_blob_find(sim, lf_json_text(cJSON_GetObjectItemCaseSensitive(json, key),
                                                                  "id"));
    if (blob)
        sim_set(json, key, sim_blob_json(blob));
}

static void refresh_transforms(const struct sim *sim, const struct sim_item *item, cJSON *json)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < sim->transforms.count; i++) {
        const cJSON *transform = sim->transforms.items[i]->json;
        if (!strcmp(lf_json_text_or(transform, "outputProcessorId", ""), item->id))
            cJSON_AddItemToArray(list, cJSON_Duplicate(transform, true));
    }
    sim_set(json, "transforms", list);
}

cJSON *sim_automation_show(struct sim *sim, const struct sim_item *item)
{
    cJSON *json = cJSON_Duplicate(item->json, true);
    refresh_file(sim, json, "file");
    refresh_file(sim, json, "errorFile");
    refresh_transforms(sim, item, json);
    return json;
}

void sim_automation_emit(struct sim *sim, const struct sim_item *item, const char *key, const char *action)
{
    static const char *const members[] = {"id", "assayRunId", "automationFileConfig", "file", "status"};
    char type[120];
    const struct sim_item *run = sim_table_find(&sim->runs, lf_json_text(item->json, "assayRunId"));
    cJSON *whole = sim_automation_show(sim, item), *file = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        sim_set(file, members[i], cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(whole, members[i]), true));
    snprintf(type, sizeof type, "v2.%s.%s", key, action);
    struct sim_news news = {.type = type,
                            .key = key,
                            .resource = file,
                            .schema = run ? lf_json_at(run->json, "schema") : NULL};
    sim_event_emit(sim, &news);
    cJSON_Delete(whole);
    cJSON_Delete(file);
}

const struct sim_blob *sim_attachable(const struct sim *sim, const char *id, struct sim_reply *reply)
{
    const struct sim_blob *blob = sim_blob_find(sim, id);
    if (!blob) {
        *reply = sim_reply_missing_400("File", id);
    } else if (blob->state != SIM_BLOB_COMPLETE) {
        *reply = sim_reply_error(400, "The upload of file %s is not complete", id);
        blob = NULL;
    }
    return blob;
}

/* ---- worklists ---- */

struct sim_item *sim_generator_of(const struct sim *sim, const char *run_id, const char *config)
{
    for (size_t i = 0; i < sim->generators.count; i++) {
        const cJSON *json = sim->generators.items[i]->json;
        if (!strcmp(lf_json_text_or(json, "assayRunId", ""), run_id)
            && (!config || !strcmp(lf_json_text_or(json, "automationFileConfig.name", ""), config)))
            return sim->generators.items[i];
    }
    return NULL;
}

static const cJSON *generator_config(const struct sim *sim, const struct sim_item *generator)
{
    const struct sim_item *run = sim_table_find(&sim->runs, lf_json_text(generator->json, "assayRunId"));
    return sim_file_config(sim_run_schema_of(sim, run), "inputFileConfigs",
                           lf_json_text(generator->json, "automationFileConfig.name"));
}

static void append(struct lf_buffer *out, const char *text, size_t len)
{
    if (lf_buffer_append(out, text, len) != LF_OK)
        sim_die("a worklist became too large");
}

/* A column's value for row n: {n} is the row's number, {well} its well on a 96-well plate, {run} the run's
 * id. */
static void append_value(struct lf_buffer *out, const char *value, int64_t n, const char *run_id)
{
    char text[64];
    while (*value) {
        size_t plain = strcspn(value, "{");
        append(out, value, plain);
        value += plain;
        if (!strncmp(value, "{n}", 3)) {
            snprintf(text, sizeof text, "%03lld", (long long)n + 1);
        } else if (!strncmp(value, "{well}", 6)) {
            snprintf(text, sizeof text, "%c%d", (char)('A' + n % 8), (int)(n / 8 % 12) + 1);
        } else if (!strncmp(value, "{run}", 5)) {
            snprintf(text, sizeof text, "%s", run_id);
        } else if (*value) {
            append(out, value++, 1);
            continue;
        } else {
            break;
        }
        append(out, text, strlen(text));
        value += strcspn(value, "}") + 1;
    }
}

static void append_row(struct lf_buffer *out, const cJSON *columns, const char *delimiter, int64_t n,
                       const char *run)
{
    const cJSON *column;
    cJSON_ArrayForEach (column, columns) {
        if (column->prev && column != columns->child)
            append(out, delimiter, strlen(delimiter));
        if (n < 0) {
            const char *name = lf_json_text_or(column, "name", "");
            append(out, name, strlen(name));
        } else {
            append_value(out, lf_json_text_or(column, "value", "{n}"), n, run);
        }
    }
    append(out, "\n", 1);
}

char *sim_generator_worklist(struct sim *sim, const struct sim_item *generator, int64_t rows)
{
    const cJSON *config = generator_config(sim, generator), *columns = lf_json_at(config, "columns");
    const char *delimiter = lf_json_text_or(config, "delimiter", ",");
    struct lf_buffer out = {.max = (size_t)sim->options.max_body};
    rows = rows >= 0 ? rows : lf_json_int(config, "rows", WORKLIST_ROWS);
    for (int64_t n = -1; n < rows && n < WORKLIST_MOST; n++)
        append_row(&out, columns, delimiter, n, lf_json_text_or(generator->json, "assayRunId", ""));
    return lf_buffer_take(&out);
}

void sim_generator_file_name(const struct sim *sim, const struct sim_item *generator, char *name, size_t size)
{
    const cJSON *config = generator_config(sim, generator);
    snprintf(name, size, "%s_%s.%s", lf_json_text_or(generator->json, "automationFileConfig.name", ""),
             lf_json_text_or(generator->json, "assayRunId", ""),
             lf_json_text_or(config, "fileExtension", "csv"));
    for (char *p = name; *p; p++)
        *p = *p == ' ' ? '_' : *p;
}

void sim_generator_give(struct sim *sim, struct sim_item *generator, const struct sim_blob *blob,
                        bool announce)
{
    sim_set(generator->json, "file", sim_blob_json(blob));
    sim_set_text(generator->json, "status", "SUCCEEDED");
    sim_stamp(generator->json, "modifiedAt");
    if (announce)
        sim_automation_emit(sim, generator, "automationInputGenerator", "completed");
}

/* ---- API ---- */

static bool generator_wanted(const struct sim_request *request, const struct sim_item *generator)
{
    return !strcmp(lf_json_text_or(generator->json, "assayRunId", ""), request->params[0])
           && sim_list_modified(request, generator);
}

struct sim_reply sim_generator_list(struct sim_request *request)
{
    struct sim_list list = {"automationInputGenerators", &request->sim->generators, generator_wanted,
                            sim_automation_show};
    if (!sim_table_find(&request->sim->runs, request->params[0]))
        return sim_reply_missing_400("Run", request->params[0]);
    return sim_list_reply(request, &list);
}

struct sim_reply sim_generator_get(struct sim_request *request)
{
    const struct sim_item *generator = sim_table_find(&request->sim->generators, request->params[0]);
    return generator ? sim_reply_json(200, sim_automation_show(request->sim, generator))
                     : sim_reply_missing_400("Automation input generator", request->params[0]);
}

struct sim_reply sim_generator_update(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct sim_reply reply = {.fd = -1};
    struct sim_item *generator = sim_table_find(&sim->generators, request->params[0]);
    if (!generator)
        return sim_reply_missing_400("Automation input generator", request->params[0]);
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(request->body, "fileId");
    if (cJSON_IsNull(file)) {
        sim_set(generator->json, "file", cJSON_CreateNull());
        sim_set_text(generator->json, "status", "NOT_STARTED");
        sim_stamp(generator->json, "modifiedAt");
    } else if (file) {
        const struct sim_blob *blob = sim_attachable(sim, file->valuestring, &reply);
        if (!blob)
            return reply;
        sim_generator_give(sim, generator, blob, false);
    }
    return sim_reply_json(200, sim_automation_show(sim, generator));
}

static void generate(struct sim *sim, const char *id)
{
    char name[300];
    struct sim_item *generator = sim_table_find(&sim->generators, id);
    char *text = sim_generator_worklist(sim, generator, -1);
    sim_generator_file_name(sim, generator, name, sizeof name);
    const struct sim_blob *blob = sim_blob_make(sim, name, "text/csv", text, strlen(text));
    free(text);
    struct sim_item *task = sim_task_of(sim, id);
    sim_generator_give(sim, generator, blob, true);
    sim_task_succeed(task, sim_automation_show(sim, generator));
}

struct sim_reply sim_generator_generate(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct sim_item *generator = sim_table_find(&sim->generators, request->params[0]);
    if (!generator)
        return sim_reply_missing_400("Automation input generator", request->params[0]);
    if (sim_task_of(sim, generator->id))
        return sim_reply_error(400, "The input file is being generated already");
    sim_set_text(generator->json, "status", "RUNNING");
    sim_stamp(generator->json, "modifiedAt");
    struct sim_reply reply = sim_task_link(sim_task_start(sim, generator->id));
    sim_timer_after(sim, sim->options.generate_ms, generate, generator->id);
    return reply;
}

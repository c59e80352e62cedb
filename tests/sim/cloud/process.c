/* Processing an output file: delimited text with a header line. A row fails when it has another number of
 * cells than the header, when a required column is empty, or when a number column holds no number (the
 * columns are those of the scenario's output file config; further columns are taken as text). With
 * completeWithErrors, good rows become results and failed rows go to an error file; without, one failed row
 * means that nothing is committed.
 *
 * The file is read line by line, so its size does not matter; of very long files the first RESULTS_MOST good
 * rows become results, and all rows are counted. */
#include "automation.h"
#include "event.h"
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS_MOST = 256, RESULTS_MOST = 5000, ERRORS_MOST = 100, ERROR_FILE_MOST = 8 * 1024 * 1024 };

struct table {
    struct sim *sim;
    struct sim_item *processor;
    const cJSON *columns;
    char delimiter;
    char *header, *names[CELLS_MOST];
    size_t width;
    int64_t succeeded, failed;
    cJSON *results, *errors;
    struct lf_buffer error_file;
};

/* Cuts a line into cells, in place; quotes round a cell are taken off. */
static size_t split(char *line, char delimiter, char *cells[CELLS_MOST])
{
    size_t count = 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (char *p = line; p && count < CELLS_MOST;) {
        char *end;
        if (*p == '"' && (end = strchr(p + 1, '"')) != NULL) {
            *end = '\0';
            cells[count++] = p + 1;
            p = strchr(end + 1, delimiter);
        } else {
            cells[count++] = p;
            p = strchr(p, delimiter);
            if (p)
                *p = '\0';
        }
        p = p ? p + 1 : NULL;
    }
    return count;
}

static const cJSON *column_named(const struct table *table, const char *name)
{
    const cJSON *column;
    cJSON_ArrayForEach (column, table->columns)
        if (!strcmp(lf_json_text_or(column, "name", ""), name))
            return column;
    return NULL;
}

static bool is_number(const char *text, bool whole)
{
    char *rest;
    (void)(whole ? (double)strtoll(text, &rest, 10) : strtod(text, &rest));
    return *text && *rest == '\0';
}

/* What is wrong with a cell; NULL if nothing is. */
static const char *check_cell(const cJSON *column, const char *cell)
{
    const char *type = lf_json_text_or(column, "type", "text");
    if (!*cell)
        return lf_json_bool(column, "required", false) ? "is required" : NULL;
    if (!strcmp(type, "float") || !strcmp(type, "integer"))
        return is_number(cell, type[0] == 'i') ? NULL : "is not a number";
    return NULL;
}

static bool check_row(const struct table *table, char *const cells[], size_t count, char *why,
                      size_t why_size)
{
    if (count != table->width) {
        snprintf(why, why_size, "%zu cells where the header has %zu", count, table->width);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const cJSON *column = column_named(table, table->names[i]);
        const char *wrong = column ? check_cell(column, cells[i]) : NULL;
        if (wrong) {
            snprintf(why, why_size, "%.80s %s", table->names[i], wrong);
            return false;
        }
    }
    return true;
}

static cJSON *cell_field(const cJSON *column, const char *cell)
{
    const char *type = lf_json_text_or(column, "type", "text");
    bool number = !strcmp(type, "float") || !strcmp(type, "integer");
    cJSON *field = cJSON_CreateObject();
    sim_set(field, "value",
            !*cell   ? cJSON_CreateNull()
            : number ? cJSON_CreateNumber(strtod(cell, NULL))
                     : cJSON_CreateString(cell));
    sim_set_text(field, "textValue", cell);
    sim_set_text(field, "displayValue", cell);
    sim_set_bool(field, "isMulti", false);
    sim_set_text(field, "type", type);
    return field;
}

static void keep_result(struct table *table, char *const cells[], size_t count)
{
    if (table->succeeded++ >= RESULTS_MOST)
        return;
    cJSON *fields = cJSON_CreateObject();
    for (size_t i = 0; i < count; i++)
        sim_set(fields, table->names[i], cell_field(column_named(table, table->names[i]), cells[i]));
    cJSON_AddItemToArray(table->results, fields);
}

static void keep_error(struct table *table, int64_t index, const char *line, const char *why)
{
    table->failed++;
    if (cJSON_GetArraySize(table->errors) < ERRORS_MOST) {
        cJSON *error = cJSON_CreateObject();
        sim_set_int(error, "index", index);
        sim_set_text(error, "message", why);
        cJSON_AddItemToArray(table->errors, error);
    }
    (void)lf_buffer_format(&table->error_file, "%s%c%s\n", line, table->delimiter, why);
}

static void read_row(struct table *table, int64_t index, char *line)
{
    char *cells[CELLS_MOST], why[200];
    line[strcspn(line, "\r\n")] = '\0';
    if (!*line)
        return;
    char *copy = sim_text(line);
    size_t count = split(copy, table->delimiter, cells);
    if (check_row(table, cells, count, why, sizeof why))
        keep_result(table, cells, count);
    else
        keep_error(table, index, line, why);
    free(copy);
}

/* NULL when the header is fine, else what is wrong (in why). */
static const char *read_header(struct table *table, char *line, char *why, size_t why_size)
{
    const cJSON *column;
    if (!strncmp(line, "\xef\xbb\xbf", 3))
        line += 3;
    table->header = sim_text(line);
    line[strcspn(line, "\r\n")] = '\0';
    (void)lf_buffer_format(&table->error_file, "%s%cError\n", line, table->delimiter);
    table->width = split(table->header, table->delimiter, table->names);
    cJSON_ArrayForEach (column, table->columns) {
        const char *name = lf_json_text_or(column, "name", "");
        bool found = false;
        for (size_t i = 0; i < table->width; i++)
            found = found || !strcmp(table->names[i], name);
        if (!found && lf_json_bool(column, "required", false)) {
            snprintf(why, why_size, "Column \"%.80s\" is missing from the file", name);
            return why;
        }
    }
    return NULL;
}

/* Runs without the lock. NULL when the file could be read as a table, else what is wrong. */
static const char *read_table(struct table *table, const char *path, char *why, size_t why_size)
{
    char *line = NULL;
    size_t room = 0;
    const char *wrong = NULL;
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(why, why_size, "The file cannot be read: %s", strerror(errno));
        return why;
    }
    if (getline(&line, &room, file) < 0 || !line[strspn(line, "\r\n")])
        wrong = "The file is empty";
    else
        wrong = read_header(table, line, why, why_size);
    for (int64_t index = 0; !wrong && getline(&line, &room, file) >= 0; index++)
        read_row(table, index, line);
    free(line);
    fclose(file);
    return wrong;
}

/* ---- outcomes ---- */

static void finish(struct sim *sim, struct sim_item *processor, const char *status)
{
    sim_set_text(processor->json, "status", status);
    sim_stamp(processor->json, "modifiedAt");
    sim_automation_emit(sim, processor, "automationOutputProcessor", "completed");
}

static void set_progress(struct sim_item *processor, int64_t succeeded, int64_t failed, int64_t unprocessed)
{
    cJSON *stats = cJSON_GetObjectItemCaseSensitive(processor->json, "progressStats");
    sim_set_int(stats, "rowsSucceeded", succeeded);
    sim_set_int(stats, "rowsFailed", failed);
    sim_set_int(stats, "rowsUnprocessed", unprocessed);
}

void sim_process_fail(struct sim *sim, struct sim_item *processor, const char *message, cJSON *errors)
{
    struct sim_item *task = sim_task_of(sim, processor->id);
    finish(sim, processor, "FAILED");
    sim_task_fail(task, message, errors);
}

static cJSON *result_json(cJSON *fields)
{
    char id[SIM_ID], v3[SIM_ID];
    cJSON *json = cJSON_CreateObject(), *schema = cJSON_CreateObject();
    sim_new_uuid(id);
    snprintf(v3, sizeof v3, "res_%.8s", id);
    sim_set_text(json, "id", id);
    sim_set_text(json, "v3Id", v3);
    sim_set(json, "archiveRecord", cJSON_CreateNull());
    sim_stamp(json, "createdAt");
    sim_stamp(json, "modifiedAt");
    sim_set_text(json, "entryId", "etr_simulate");
    sim_set(json, "fields", fields);
    sim_set(json, "fieldValidation", cJSON_CreateObject());
    sim_set_bool(json, "isReviewed", false);
    sim_set_text(json, "projectId", "src_simulate");
    sim_set_text(schema, "id", "assaysch_simulate");
    sim_set_text(schema, "name", "Simulated result");
    sim_set(json, "schema", schema);
    return json;
}

static void commit_results(struct table *table)
{
    cJSON *fields;
    while ((fields = cJSON_DetachItemFromArray(table->results, 0)) != NULL) {
        cJSON *hidden = cJSON_CreateObject();
        sim_set_text(hidden, "processor", table->processor->id);
        sim_set_text(hidden, "run", lf_json_text(table->processor->json, "assayRunId"));
        sim_table_add(&table->sim->results, result_json(fields), hidden);
    }
}

static void attach_error_file(struct table *table)
{
    char name[300];
    snprintf(name, sizeof name, "errors_%.250s",
             lf_json_text_or(table->processor->json, "file.name", "file.csv"));
    const struct sim_blob *blob = sim_blob_make(table->sim, name, "text/csv", table->error_file.data,
                                                table->error_file.len);
    sim_set(table->processor->json, "errorFile", sim_blob_json(blob));
}

static void conclude(struct table *table, const char *wrong)
{
    struct sim *sim = table->sim;
    struct sim_item *processor = table->processor;
    bool tolerant = lf_json_bool(processor->json, "completeWithErrors", false);
    if (wrong) {
        sim_process_fail(sim, processor, wrong, NULL);
        return;
    }
    if (table->failed > 0)
        attach_error_file(table);
    if (table->failed > 0 && !tolerant) {
        set_progress(processor, 0, table->failed, table->succeeded);
        sim_process_fail(sim, processor, "Some rows could not be processed; nothing was committed",
                         cJSON_Duplicate(table->errors, true));
        return;
    }
    set_progress(processor, table->succeeded, table->failed, 0);
    commit_results(table);
    struct sim_item *task = sim_task_of(sim, processor->id);
    finish(sim, processor, "SUCCEEDED");
    sim_task_succeed(task, sim_automation_show(sim, processor));
}

static void table_free(struct table *table)
{
    cJSON_Delete(table->results);
    cJSON_Delete(table->errors);
    lf_buffer_free(&table->error_file);
    free(table->header);
}

void sim_process(struct sim *sim, const char *processor_id)
{
    char path[SIM_BLOB_PATH], why[200];
    struct sim_item *processor = sim_table_find(&sim->processors, processor_id);
    if (strcmp(lf_json_text_or(processor->json, "status", ""), "RUNNING") != 0
        || sim_transform_begin(sim, processor))
        return;
    const struct sim_item *run = sim_table_find(&sim->runs, lf_json_text(processor->json, "assayRunId"));
    const cJSON *config = sim_file_config(sim_run_schema_of(sim, run), "outputFileConfigs",
                                          lf_json_text(processor->json, "automationFileConfig.name"));
    struct table table = {.sim = sim,
                          .processor = processor,
                          .columns = lf_json_at(config, "columns"),
                          .delimiter = lf_json_text_or(config, "delimiter", ",")[0],
                          .results = cJSON_CreateArray(),
                          .errors = cJSON_CreateArray(),
                          .error_file = {.max = ERROR_FILE_MOST}};
    sim_blob_path(sim, sim_transform_result(sim, processor), path);
    sim_unlock(sim);
    const char *wrong = read_table(&table, path, why, sizeof why);
    sim_lock(sim);
    conclude(&table, wrong);
    table_free(&table);
}

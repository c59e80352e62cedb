/* Captured values as a result file, for task routes with report = "file". A table with a column for each
 * input and each captured name, and a row for each repetition, becomes the parcel of a collect job whose run
 * is known from the start. */
#include "job/captures.h"
#include "job/spool.h"

#include "base/file.h"
#include "drivers/kit/captures.h"
#include "event/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64 };

struct value_table {
    const char *names[COLUMNS_MAX];
    size_t inputs, columns, rows;
};

/* The n-th value captured under this name; NULL. */
static const char *nth_value(const cJSON *captures, const char *name, size_t n)
{
    const cJSON *entry;
    struct lf_capture capture;
    cJSON_ArrayForEach (entry, captures)
        if (lf_captures_read(entry, &capture) && !strcmp(capture.name, name) && n-- == 0)
            return capture.value;
    return NULL;
}

/* False: it has too many columns. */
static bool lay_out(const cJSON *inputs, const cJSON *captures, struct value_table *table)
{
    const cJSON *item;
    struct lf_capture capture;
    cJSON_ArrayForEach (item, inputs) {
        if (table->columns == COLUMNS_MAX)
            return false;
        table->names[table->columns++] = item->string;
    }
    table->inputs = table->columns;
    cJSON_ArrayForEach (item, captures) {
        size_t at = table->inputs;
        if (!lf_captures_read(item, &capture))
            continue;
        while (at < table->columns && strcmp(table->names[at], capture.name) != 0)
            at++;
        if (at == COLUMNS_MAX)
            return false;
        if (at == table->columns)
            table->names[table->columns++] = capture.name;
        while (nth_value(captures, capture.name, table->rows))
            table->rows++;
    }
    return true;
}

static enum lf_status add_cell(struct lf_buffer *csv, const char *text, bool last)
{
    enum lf_status status = lf_csv_cell(csv, text);
    return status == LF_OK ? lf_buffer_text(csv, last ? "\r\n" : ",") : status;
}

static enum lf_status write_csv(const struct job_work *work, struct lf_buffer *csv, struct lf_error *err)
{
    const cJSON *captures = lf_job_json(work->job, LF_JOB_CAPTURES);
    const cJSON *inputs = lf_job_json(work->job, LF_JOB_INPUTS);
    struct value_table table = {0};
    enum lf_status status = LF_OK;
    if (!lay_out(inputs, captures, &table))
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT,
                       "a result file has at most %d columns; the inputs and captured values need more",
                       COLUMNS_MAX);
    for (size_t i = 0; status == LF_OK && i < table.columns; i++)
        status = add_cell(csv, table.names[i], i + 1 == table.columns);
    for (size_t row = 0; row < table.rows; row++)
        for (size_t i = 0; status == LF_OK && i < table.columns; i++) {
            const cJSON *input = i < table.inputs ? cJSON_GetObjectItemCaseSensitive(inputs, table.names[i])
                                                  : NULL;
            const char *value = i < table.inputs ? cJSON_GetStringValue(input)
                                                 : nth_value(captures, table.names[i], row);
            status = add_cell(csv, value ? value : "", i + 1 == table.columns);
        }
    return status == LF_OK ? LF_OK : lf_fail_memory(err, "writing captured values to a file");
}

/* Adds job and file in one transaction. LF_EXISTS: they were added before a restart. */
static enum lf_status add_with_file(struct job_work *work, const struct lf_birth *birth,
                                    const struct lf_buffer *csv, int64_t *id, struct lf_error *err)
{
    struct lf_journal *journal = work->jobs->journal;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = lf_jobs_birth(work->jobs, birth, id, err);
    if (status == LF_OK)
        status = job__spool_bytes(work->jobs, *id, birth->texts[0].text, "text/csv", csv->data, csv->len,
                                  err);
    return lf_journal_end(journal, status, err);
}

enum lf_status job__values_to_result(struct job_work *work, struct lf_error *err)
{
    const char *run = lf_job_text(work->job, LF_JOB_RUN);
    char name[240], history[160];
    struct lf_buffer csv = {0};
    int64_t id = 0;
    snprintf(history, sizeof history, "values captured by job %lld", (long long)work->job->id);
    snprintf(name, sizeof name, "%.200s.csv", lf_job_text_or(work->job, LF_JOB_DISPLAY, ""));
    if (lf_name_check(name, &(struct lf_error){0}) != LF_OK)
        snprintf(name, sizeof name, "job-%lld.csv", (long long)work->job->id);
    char *key = lf_key_values(work->job->id);
    enum lf_status status = job__need(work, LF_JOB_RUN, err);
    if (status == LF_OK)
        status = write_csv(work, &csv, err);
    if (status == LF_OK) {
        struct lf_birth birth = {.kind = &job__kind_collect,
                                 .step = "match",
                                 .key = key,
                                 .instrument = work->job->instrument,
                                 .history = history,
                                 .texts = {{LF_JOB_FILE_NAME, name},
                                           {LF_JOB_RUN, run},
                                           {LF_JOB_ASSIGNED, work->job->route}}};
        status = add_with_file(work, &birth, &csv, &id, err);
    }
    if (status == LF_OK || status == LF_EXISTS)
        job__note(work, "job %lld uploads the values as %s for run %s", (long long)id, name, run);
    free(key);
    lf_buffer_free(&csv);
    return status == LF_EXISTS ? LF_OK : status;
}

#include "journal/job_fields.h"

#include "journal/journal.h"

#include <assert.h>
#include <stdio.h>

enum field_type { TEXT, INT, BOOL, JSON };

static const struct {
    const char *name;
    enum field_type type;
} rows[] = {
#define X(member, name, type, help) [LF_JOB_##member] = {name, type},
    LF_JOB_FIELDS(X)
#undef X
};

static const char *name_of(enum lf_job_field field, enum field_type type)
{
    assert(rows[field].type == type);
    (void)type;
    return rows[field].name;
}

const char *lf_job_field_name(enum lf_job_field field)
{
    return rows[field].name;
}

bool lf_job_field_is_flag(enum lf_job_field field)
{
    return rows[field].type == BOOL;
}

const char *lf_job_text(const struct lf_job *job, enum lf_job_field field)
{
    return lf_json_text(job->fields, name_of(field, TEXT));
}

const char *lf_job_text_or(const struct lf_job *job, enum lf_job_field field, const char *fallback)
{
    const char *text = lf_job_text(job, field);
    return text ? text : fallback;
}

int64_t lf_job_int(const struct lf_job *job, enum lf_job_field field, int64_t fallback)
{
    return lf_json_int(job->fields, name_of(field, INT), fallback);
}

bool lf_job_bool(const struct lf_job *job, enum lf_job_field field)
{
    return lf_json_bool(job->fields, name_of(field, BOOL), false);
}

cJSON *lf_job_json(const struct lf_job *job, enum lf_job_field field)
{
    return cJSON_GetObjectItemCaseSensitive(job->fields, name_of(field, JSON));
}

static enum lf_status was_set(bool ok, enum lf_job_field field, struct lf_error *err)
{
    char doing[64];
    snprintf(doing, sizeof doing, "noting the job's %s", rows[field].name);
    return ok ? LF_OK : lf_fail_memory(err, doing);
}

enum lf_status lf_job_set_text(struct lf_job *job, enum lf_job_field field, const char *text,
                               struct lf_error *err)
{
    if (text)
        return was_set(lf_json_set_text(job->fields, name_of(field, TEXT), text), field, err);
    lf_job_clear(job, field);
    return LF_OK;
}

enum lf_status lf_job_set_int(struct lf_job *job, enum lf_job_field field, int64_t number,
                              struct lf_error *err)
{
    return was_set(lf_json_set_int(job->fields, name_of(field, INT), number), field, err);
}

enum lf_status lf_job_set_bool(struct lf_job *job, enum lf_job_field field, bool truth, struct lf_error *err)
{
    return was_set(lf_json_set_bool(job->fields, name_of(field, BOOL), truth), field, err);
}

enum lf_status lf_job_set_json(struct lf_job *job, enum lf_job_field field, cJSON *object,
                               struct lf_error *err)
{
    return was_set(object && lf_json_set(job->fields, name_of(field, JSON), object), field, err);
}

void lf_job_clear(struct lf_job *job, enum lf_job_field field)
{
    cJSON_DeleteItemFromObjectCaseSensitive(job->fields, rows[field].name);
}

const char *lf_job_about(const struct lf_job *job)
{
    return lf_job_text_or(job, LF_JOB_DISPLAY,
                          lf_job_text_or(job, LF_JOB_FILE_NAME, lf_job_text_or(job, LF_JOB_PROCEDURE, "")));
}

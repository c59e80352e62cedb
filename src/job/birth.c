#include "job/birth.h"

#include "base/clock.h"
#include "event/key.h"
#include "job/steps.h"

#include <stdlib.h>
#include <string.h>

/* A missing input is not an error here: the run step says which one is missing. */
static enum lf_status take_inputs(struct lf_job *job, const struct lf_birth *birth, struct lf_error *err)
{
    cJSON *inputs = birth->inputs ? cJSON_Duplicate(birth->inputs, true) : cJSON_CreateObject();
    enum lf_status status = lf_job_set_json(job, LF_JOB_INPUTS, inputs, err);
    size_t count = birth->route && birth->resource ? birth->route->input_count : 0;
    for (size_t i = 0; status == LF_OK && i < count; i++) {
        const struct lf_config_map *map = &birth->route->inputs[i];
        char *text = NULL;
        status = job__json_text(lf_json_at(birth->resource, map->field), &text, err);
        if (status == LF_OK && !lf_json_set_text(inputs, map->name, text))
            status = lf_fail_memory(err, "reading the inputs of a procedure");
        if (status == LF_NOT_FOUND)
            status = LF_OK;
        free(text);
    }
    return status;
}

enum lf_status job__take(struct lf_job *job, const struct lf_job_kind *kind, const cJSON *resource,
                         struct lf_error *err)
{
    const struct lf_job_taken *takes = kind->takes;
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < LF_JOB_TAKES_MAX && takes[i].path; i++)
        status = lf_job_set_text(job, takes[i].field, lf_json_text(resource, takes[i].path), err);
    return status;
}

static enum lf_status take_fields(struct lf_job *job, const struct lf_birth *birth, struct lf_error *err)
{
    job->fields = birth->older ? cJSON_Duplicate(birth->older->fields, true) : cJSON_CreateObject();
    if (!job->fields)
        return lf_fail_memory(err, "making a job");
    enum lf_status status = birth->resource ? job__take(job, birth->kind, birth->resource, err) : LF_OK;
    for (size_t i = 0; status == LF_OK && i < LF_BIRTH_TEXTS_MAX; i++) {
        enum lf_job_field field = birth->texts[i].field;
        if (birth->texts[i].text)
            status = lf_job_field_is_flag(field) ? lf_job_set_bool(job, field, true, err)
                                                 : lf_job_set_text(job, field, birth->texts[i].text, err);
    }
    if (status == LF_OK && birth->route && birth->route->procedure)
        status = lf_job_set_text(job, LF_JOB_PROCEDURE, birth->route->procedure, err);
    if (status == LF_OK && (birth->inputs || birth->kind->event_inputs))
        status = take_inputs(job, birth, err);
    return status;
}

/* The time limit counts from when it happened, not from when the agent heard of it, so that a late event is
 * late. Until the clock is known to be right it counts from now, and the runner corrects it later
 * (LF_JOB_HAPPENED): with a fast clock all work would be too late, and with a slow one last week's work would
 * start. */
static enum lf_status set_expiry(struct lf_job *job, const struct lf_birth *birth, struct lf_error *err)
{
    bool sure = lf_clock_learned();
    if (birth->not_after_ms)
        lf_job_expire_after(job, sure ? birth->happened_ms : 0, birth->not_after_ms);
    return sure || birth->happened_ms <= 0 ? LF_OK
                                           : lf_job_set_int(job, LF_JOB_HAPPENED, birth->happened_ms, err);
}

static enum lf_status check_resource(const struct lf_birth *birth, struct lf_error *err)
{
    const char *needed = birth->kind->config.resource;
    if (!birth->resource || !needed || lf_json_text(birth->resource, "id"))
        return LF_OK;
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "a %s job works on a %s with an id; this event has none",
                   birth->kind->config.name, needed);
}

static enum lf_status add_job(struct lf_jobs *jobs, const struct lf_birth *birth, struct lf_job *job,
                              int64_t *id, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(jobs->journal, err);
    if (status != LF_OK)
        return status;
    status = lf_journal_job_add(jobs->journal, job, id, err);
    if (status == LF_OK) {
        *id = job->id;
        status = lf_journal_history_add(jobs->journal, job->id, birth->who ? birth->who : "agent",
                                        birth->history, err);
    }
    if (status == LF_OK)
        status = job__report(jobs, job, err);
    bool known = status == LF_EXISTS; /* not a failure: the caller's transaction continues */
    if (!known)
        job__changed(jobs, job, LF_TURN_NONE);
    status = lf_journal_end(jobs->journal, known ? LF_OK : status, err);
    return known && status == LF_OK ? LF_EXISTS : status;
}

enum lf_status lf_jobs_birth(struct lf_jobs *jobs, const struct lf_birth *birth, int64_t *id,
                             struct lf_error *err)
{
    const struct job_step *step = birth->step ? job__step_find(birth->kind, birth->step) : birth->kind->steps;
    const struct lf_job none = {.instrument = (char *)""}, *older = birth->older ? birth->older : &none;
    struct lf_job job = {
        .kind = (char *)birth->kind->config.name,
        .key = (char *)birth->key,
        .instrument = birth->instrument ? (char *)birth->instrument : older->instrument,
        .route = birth->route ? (char *)birth->route->name : older->route,
        .event_id = birth->event_id ? (char *)birth->event_id : older->event_id,
        .state = birth->held ? LF_JOB_HELD : LF_JOB_READY,
        .note = (char *)birth->held,
        .expires_ms = older->expires_ms,
        .expires_mono = older->expires_mono,
    };
    job__set_step(&job, step);
    job__place(&job);
    *id = 0;
    enum lf_status status = check_resource(birth, err);
    if (status == LF_OK)
        status = take_fields(&job, birth, err);
    if (status == LF_OK)
        status = set_expiry(&job, birth, err);
    const enum lf_job_field detail = birth->kind->detail;
    char *key = NULL;
    if (status == LF_OK && birth->happening)
        job.key = key = lf_key_job(birth->happening, job.instrument, job.kind,
                                   detail ? lf_job_text(&job, detail) : NULL);
    if (status == LF_OK && !job.key)
        status = lf_fail_memory(err, "making a job");
    if (status == LF_OK)
        status = add_job(jobs, birth, &job, id, err);
    free(key);
    cJSON_Delete(job.fields);
    return status;
}

/* Saves jobs: row, history and report in one transaction, then kicks the thread that runs the next step. */
#include "job/spool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool job__set_text(char **field, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return false;
    free(*field);
    *field = copy;
    return true;
}

void job__set_step(struct lf_job *job, const struct job_step *step)
{
    const struct job_step *before = job__step_find(lf_job_kind_find(job->kind), job->step);
    /* A job that goes back to wait for its turn keeps its count of attempts. */
    if (!before || before->turn < LF_TURN_WANTED || step->turn < LF_TURN_WANTED)
        job->attempt = 0;
    snprintf(job->step, sizeof job->step, "%s", step->name);
    job->bench = step->bench;
    job->acting = false;
}

/* The next job at the instrument may be able to start. `had` is the turn that this one had before. */
static void kick_next(struct lf_jobs *jobs, const struct lf_job *job, enum lf_turn had)
{
    struct lf_instrument *instrument = had || job->turn || job->bench
                                           ? lf_jobs_instrument(jobs, job->instrument)
                                           : NULL;
    if (instrument)
        lf_instrument_kick(instrument);
    if (job->state != LF_JOB_READY && job->state != LF_JOB_WAITING)
        return;
    if (!job->bench || !instrument || job->expires_mono > 0) /* a courier ends it if it expires first */
        lf_jobs_kick(jobs);
}

void job__changed(struct lf_jobs *jobs, const struct lf_job *job, enum lf_turn had)
{
    kick_next(jobs, job, had);
    job__reported(jobs);
}

/* The instrument is held from now on, or no longer. */
static enum lf_status report_holder(struct lf_jobs *jobs, const struct lf_job *job, struct lf_error *err)
{
    struct lf_instrument *instrument = job->state != LF_JOB_RUNNING
                                           ? lf_jobs_instrument(jobs, job->instrument)
                                           : NULL;
    return instrument ? job__report_instrument(jobs, instrument, err) : LF_OK;
}

enum lf_status job__save(struct lf_jobs *jobs, struct lf_job *job, const char *who, const char *history,
                         struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(jobs->journal, err);
    if (status != LF_OK)
        return status;
    enum lf_turn had = job->turn;
    job__place(job);
    if (history && *history)
        status = lf_journal_history_add(jobs->journal, job->id, who, history, err);
    job->by = who;
    if (status == LF_OK)
        status = lf_journal_job_save(jobs->journal, job, err);
    job->by = NULL;
    if (status == LF_OK)
        status = job__report(jobs, job, err);
    if (status == LF_OK)
        status = job__report_end(jobs, job, err);
    if (status == LF_OK && (had == LF_TURN_DOUBT || job->turn == LF_TURN_DOUBT))
        status = report_holder(jobs, job, err);
    if (status == LF_OK && (job->state == LF_JOB_DONE || job->state == LF_JOB_CANCELLED))
        status = job__spool_drop(jobs, job, err);
    job__changed(jobs, job, had);
    return lf_journal_end(jobs->journal, status, err);
}

enum lf_status job__save_unreported(struct lf_jobs *jobs, struct lf_job *job, struct lf_error *err)
{
    enum lf_turn had = job->turn;
    job__place(job);
    enum lf_status status = lf_journal_job_save(jobs->journal, job, err);
    if (status == LF_OK)
        kick_next(jobs, job, had);
    return status;
}

enum lf_status job__need(const struct job_work *work, enum lf_job_field field, struct lf_error *err)
{
    if (lf_job_text(work->job, field))
        return LF_OK;
    return lf_fail(
        err, LF_INVALID, LF_NEEDS_PERSON,
        "job %lld has no %s, which its step \"%s\" needs. If its route was changed, change it back "
        "and `labferry retry %lld`; otherwise cancel",
        (long long)work->job->id, lf_job_field_name(field), work->job->step, (long long)work->job->id);
}

enum lf_status job__json_text(const cJSON *value, char **text, struct lf_error *err)
{
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(value, "value");
    const char *shown = lf_json_text(value, "textValue");
    if (cJSON_IsString(inner) || cJSON_IsNumber(inner) || cJSON_IsBool(inner))
        value = inner;
    if (cJSON_IsString(value))
        shown = value->valuestring;
    *text = NULL;
    if (!shown && !cJSON_IsNumber(value) && !cJSON_IsBool(value))
        return LF_NOT_FOUND;
    *text = shown ? strdup(shown) : lf_json_print(value);
    return *text ? LF_OK : lf_fail_memory(err, "reading a value");
}

enum lf_status job__is_number(const char *text, bool *number, struct lf_error *err)
{
    cJSON *value = NULL;
    struct lf_error why = {0};
    enum lf_status status = lf_json_parse(lf_slice_text(text), &value, &why);
    *number = cJSON_IsNumber(value);
    cJSON_Delete(value);
    return status == LF_NO_MEMORY ? lf_fail_memory(err, "reading a value") : LF_OK;
}

/* Formats the arguments of the function that uses it as the note. They may point into the note itself. */
#define NOTE(work, format)                                                                                   \
    do {                                                                                                     \
        va_list args;                                                                                        \
        char text[LF_ERROR_TEXT];                                                                            \
        va_start(args, format);                                                                              \
        vsnprintf(text, sizeof text, format, args);                                                          \
        va_end(args);                                                                                        \
        memcpy((work)->note, text, sizeof text);                                                             \
    } while (0)

void job__note(struct job_work *work, const char *format, ...)
{
    NOTE(work, format);
}

enum lf_status job__end(struct job_work *work, enum lf_job_state end, const char *format, ...)
{
    NOTE(work, format);
    work->follow = FOLLOW_END;
    work->end = end;
    return LF_OK;
}

enum lf_status job__wait(struct job_work *work, int64_t ms, const char *format, ...)
{
    NOTE(work, format);
    work->follow = FOLLOW_WAIT;
    work->wait_ms = ms;
    return LF_OK;
}

enum lf_status job__go(struct job_work *work, const char *step, const char *format, ...)
{
    NOTE(work, format);
    work->follow = FOLLOW_GO;
    work->go = step;
    return LF_OK;
}

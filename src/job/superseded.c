/* A generator that runs again writes a newer file. Jobs that would bring an older one are withdrawn; one that
 * the instrument has already is named, and never removed: it may be in use.
 */
#include "event/key.h"
#include "job/steps.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct older {
    const struct lf_job *newer;
    struct lf_buffer coming; /* int64_t each: jobs that are not at the instrument yet */
    int64_t there;           /* the newest job that has put its file on the instrument; 0: none */
    enum lf_status status;
};

static void sort_older(void *context, const struct lf_job *job)
{
    struct older *older = context;
    const struct job_step *step = job__step_find(lf_job_kind_find(job->kind), job->step);
    const char *file = lf_job_text(job, LF_JOB_FILE), *ours = lf_job_text_or(older->newer, LF_JOB_FILE, "");
    if (!file || !strcmp(file, ours) || strcmp(job->kind, older->newer->kind) != 0
        || strcmp(job->instrument, older->newer->instrument) != 0)
        return;
    bool open = job->state == LF_JOB_READY || job->state == LF_JOB_WAITING || job->state == LF_JOB_HELD;
    if (step && !step->turn) /* past its action, however it ended */
        older->there = job->id > older->there ? job->id : older->there;
    else if (open && step && job->turn != LF_TURN_DOUBT && older->status == LF_OK)
        older->status = lf_buffer_append(&older->coming, &job->id, sizeof job->id);
}

/* In a transaction. */
static enum lf_status find_older(struct job_work *work, struct older *older, struct lf_error *err)
{
    char *prefix = lf_key_generator(lf_job_text_or(work->job, LF_JOB_GENERATOR, ""));
    *older = (struct older){.newer = work->job};
    enum lf_status status = prefix ? lf_journal_job_list_keys(work->jobs->journal, prefix, sort_older, older,
                                                              err)
                                   : lf_fail_memory(err, "looking for superseded files");
    if (status == LF_OK && older->status != LF_OK)
        status = lf_fail_memory(err, "looking for superseded files");
    free(prefix);
    return status;
}

static enum lf_status withdraw(struct job_work *work, int64_t id, struct lf_error *err)
{
    struct lf_job job;
    char why[LF_ERROR_TEXT];
    enum lf_status status = lf_journal_job_get(work->jobs->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    snprintf(why, sizeof why, "withdrawn: job %lld brings %.200s, a newer file of the same generator",
             (long long)work->job->id, lf_job_about(work->job));
    job__set_state(&job, LF_JOB_CANCELLED, LF_CLASS_NONE, why);
    status = job__save(work->jobs, &job, "agent", why, err);
    lf_job_free(&job);
    return status;
}

enum lf_status job__withdraw_older(struct job_work *work, struct lf_error *err)
{
    struct older older;
    enum lf_status status = lf_journal_begin(work->jobs->journal, err);
    if (status != LF_OK)
        return status;
    status = find_older(work, &older, err);
    for (size_t at = 0; status == LF_OK && at < older.coming.len; at += sizeof(int64_t)) {
        int64_t id;
        memcpy(&id, older.coming.data + at, sizeof id);
        status = withdraw(work, id, err);
    }
    lf_buffer_free(&older.coming);
    return lf_journal_end(work->jobs->journal, status, err);
}

static enum lf_status name_it(struct job_work *work, int64_t id, struct lf_error *err)
{
    struct lf_job job;
    char source[LF_CONCERN_SOURCE], about[240], text[LF_ERROR_TEXT];
    enum lf_status status = lf_journal_job_get(work->jobs->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    snprintf(about, sizeof about, "superseded %.200s", lf_job_about(&job));
    snprintf(text, sizeof text,
             "%.160s (job %lld), an earlier file of the same generator, was put on %.80s before %.160s (job "
             "%lld)",
             lf_job_about(&job), (long long)id, job.instrument, lf_job_about(work->job),
             (long long)work->job->id);
    status = lf_journal_concern(work->jobs->journal,
                                &(struct lf_concern){.source = lf_concern_instrument(job.instrument, source),
                                                     .about = about,
                                                     .text = text,
                                                     .todo = "if the earlier file still lies there and must "
                                                             "not be run, remove it by hand"},
                                err);
    if (status == LF_OK)
        status = lf_journal_history_add(work->jobs->journal, id, "agent", text, err);
    if (status == LF_OK)
        status = lf_journal_history_add(work->jobs->journal, work->job->id, "agent", text, err);
    lf_job_free(&job);
    return status;
}

enum lf_status job__name_superseded(struct job_work *work, struct lf_error *err)
{
    struct older older;
    if (!lf_job_text(work->job, LF_JOB_GENERATOR))
        return LF_OK;
    enum lf_status status = lf_journal_begin(work->jobs->journal, err);
    if (status != LF_OK)
        return status;
    status = find_older(work, &older, err);
    if (status == LF_OK && older.there && older.there < work->job->id)
        status = name_it(work, older.there, err);
    lf_buffer_free(&older.coming);
    return lf_journal_end(work->jobs->journal, status, err);
}

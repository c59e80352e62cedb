/* Later versions of a result: a file that goes on growing after it was processed, or is written over in its
 * place. Uploading it would bring rows a second time, so a person decides. Of several such versions only the
 * last waits: one whose bytes it begins with is part of it. */
#include "job/spool.h"

#include "base/digest.h"

#include <stdio.h>
#include <string.h>

enum { HELD_MAX = 1000 };

static enum lf_status digest_start(const struct lf_file *file, int64_t size, char sha256[LF_SHA256_HEX],
                                   struct lf_error *err)
{
    char block[16 * 1024];
    struct lf_digest *digest = lf_digest_new(LF_SHA256);
    enum lf_status status = digest ? LF_OK : lf_fail_memory(err, "comparing a result");
    for (int64_t at = 0; status == LF_OK && at < size; at += (int64_t)sizeof block) {
        size_t got = 0, want = size - at < (int64_t)sizeof block ? (size_t)(size - at) : sizeof block;
        status = lf_file_read_at(file, at, block, want, &got, err);
        lf_digest_add(digest, block, got);
    }
    if (status == LF_OK)
        lf_digest_finish(digest, sha256);
    else
        lf_digest_free(digest);
    return status;
}

/* Does the result begin with all that the earlier job brought? If its copy cannot be read, that is not known,
 * and counts as no. */
static enum lf_status begins_with(struct job_work *work, const struct lf_job *earlier, bool *begins,
                                  struct lf_error *err)
{
    struct lf_file file;
    char sha256[LF_SHA256_HEX];
    int64_t size = lf_job_int(earlier, LF_JOB_SIZE, 0);
    *begins = false;
    if (size <= 0 || size >= lf_job_int(work->job, LF_JOB_SIZE, 0))
        return LF_OK;
    enum lf_status status = job__spool_open(work, &file, err);
    if (status != LF_OK)
        return status == LF_CORRUPT || status == LF_NOT_FOUND ? LF_OK : status;
    status = digest_start(&file, size, sha256, err);
    lf_file_close(&file);
    *begins = status == LF_OK && !strcmp(sha256, lf_job_text_or(earlier, LF_JOB_SHA256, ""));
    return status;
}

/* ---- versions in between ---- */

static bool waits_there(const struct lf_job *job, const struct lf_job *later)
{
    return job->state == LF_JOB_HELD && !strcmp(job->step, later->step) && job->id < later->id
           && !lf_job_text(job, LF_JOB_ASSIGNED) && !lf_job_bool(job, LF_JOB_ATTACHING)
           && !strcmp(lf_job_text_or(job, LF_JOB_FINDING, ""), lf_job_text_or(later, LF_JOB_FINDING, ""))
           && !strcmp(lf_job_text_or(job, LF_JOB_RUN, ""), lf_job_text_or(later, LF_JOB_RUN, ""));
}

struct held {
    const struct lf_job *later;
    int64_t newest; /* 0: none */
};

static void note_held(void *context, const struct lf_job *job)
{
    struct held *held = context;
    if (!held->newest && waits_there(job, held->later))
        held->newest = job->id;
}

/* In one transaction: a person may be deciding on it right now. */
static enum lf_status end_held(struct job_work *work, int64_t id, struct lf_error *err)
{
    struct lf_job job;
    char text[100];
    snprintf(text, sizeof text, "job %lld has a later version, which begins with this one",
             (long long)work->job->id);
    enum lf_status status = lf_journal_begin(work->jobs->journal, err);
    if (status != LF_OK)
        return status;
    status = lf_journal_job_get(work->jobs->journal, id, &job, err);
    if (status == LF_OK) {
        if (waits_there(&job, work->job)) {
            job__set_state(&job, LF_JOB_CANCELLED, LF_CLASS_NONE, text);
            status = job__save(work->jobs, &job, "agent", text, err);
        }
        lf_job_free(&job);
    }
    return lf_journal_end(work->jobs->journal, status, err);
}

static enum lf_status end_part(struct job_work *work, struct lf_error *err)
{
    struct held held = {.later = work->job};
    struct lf_job_filter filter = {.state = "held",
                                   .kind = work->job->kind,
                                   .instrument = work->job->instrument,
                                   .before = work->job->id,
                                   .limit = HELD_MAX};
    enum lf_status status = lf_journal_job_list(work->jobs->journal, &filter, note_held, &held, err);
    struct lf_job job;
    bool begins = false;
    if (status != LF_OK || !held.newest)
        return status;
    status = lf_journal_job_get(work->jobs->journal, held.newest, &job, err);
    if (status != LF_OK)
        return status;
    status = begins_with(work, &job, &begins, err);
    lf_job_free(&job);
    return status == LF_OK && begins ? end_held(work, held.newest, err) : status;
}

/* ---- the earlier version that was processed ---- */

static enum lf_status hold(struct job_work *work, const struct lf_job *earlier, bool begins,
                           struct lf_error *err)
{
    enum lf_status status = end_part(work, err);
    if (status != LF_OK)
        return status;
    return lf_fail(
        err, LF_EXISTS, LF_NEEDS_PERSON,
        "%.100s is a later version of what job %lld brought, which Benchling has processed (rows "
        "processed: %lld): this one would bring %s again. `labferry cancel %lld`, or upload it all "
        "the same: `labferry assign %lld %.80s`",
        lf_job_text(work->job, LF_JOB_FILE_NAME), (long long)earlier->id,
        (long long)lf_job_int(earlier, LF_JOB_ROWS_SUCCEEDED, 0), begins ? "all of them" : "them",
        (long long)work->job->id, (long long)work->job->id, lf_job_text(work->job, LF_JOB_RUN));
}

enum lf_status job__no_earlier_version(struct job_work *work, struct lf_error *err)
{
    struct lf_job earlier;
    int64_t id = 0;
    bool in_place = false, begins = false;
    struct lf_journal *journal = work->jobs->journal;
    if (lf_job_text(work->job, LF_JOB_ASSIGNED) || lf_job_bool(work->job, LF_JOB_SAID))
        return LF_OK;
    enum lf_status status = lf_journal_finding_earlier(journal, work->job->id,
                                                       lf_job_text(work->job, LF_JOB_RUN),
                                                       lf_job_text(work->job, LF_JOB_CONFIG), &id, &in_place,
                                                       err);
    if (status == LF_OK)
        status = lf_journal_job_get(journal, id, &earlier, err);
    if (status != LF_OK)
        return status == LF_NOT_FOUND ? LF_OK : status;
    status = begins_with(work, &earlier, &begins, err);
    if (status == LF_OK && (in_place || begins))
        status = hold(work, &earlier, begins, err);
    lf_job_free(&earlier);
    return status;
}

/* Results that instruments report become collect jobs. */
#include "job/spool.h"

#include "base/log.h"
#include "event/key.h"

#include <stdio.h>
#include <stdlib.h>

static enum lf_status new_result(struct lf_jobs *jobs, const char *instrument,
                                 const struct lf_finding *finding, int64_t *id, struct lf_error *err)
{
    char history[300], written[LF_TIME_TEXT];
    char *key = lf_key_result(instrument, finding->id, finding->version);
    struct lf_birth birth = {.kind = &job__kind_collect,
                             .step = "spool",
                             .key = key,
                             .instrument = instrument,
                             .history = history,
                             .texts = {{LF_JOB_FINDING, finding->id},
                                       {LF_JOB_VERSION, finding->version},
                                       {LF_JOB_FILE_NAME, finding->name},
                                       {LF_JOB_SAID, finding->data ? "yes" : NULL},
                                       {LF_JOB_SIDECAR, finding->sidecar},
                                       {LF_JOB_WRITTEN, finding->written_ms > 0 ? written : NULL}}};
    lf_time_format(finding->written_ms, written);
    snprintf(history, sizeof history, "result %.200s seen on %s", finding->name, instrument);
    enum lf_status status = lf_jobs_birth(jobs, &birth, id, err);
    free(key);
    return status;
}

/* The driver reports a known result again. If it disappeared before it could be read, it is back: network
 * shares do that. */
static enum lf_status found_again(struct lf_jobs *jobs, int64_t id, const char *instrument,
                                  const struct lf_finding *finding, struct lf_error *err)
{
    struct lf_job job;
    /* Data without a file does not come back. */
    enum lf_status status = finding->data ? LF_OK
                                          : lf_journal_finding_gone(jobs->journal, instrument, finding->id,
                                                                    finding->version, false, err);
    if (status == LF_OK)
        status = lf_journal_job_get(jobs->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    if (job.state == LF_JOB_CANCELLED && lf_job_bool(&job, LF_JOB_GONE)) {
        lf_job_clear(&job, LF_JOB_GONE);
        job__enter_step(&job, job__step_find(&job__kind_collect, "spool"));
        char text[120];
        snprintf(text, sizeof text, "the result is on %.80s again", instrument);
        status = job__save(jobs, &job, "agent", text, err);
    }
    lf_job_free(&job);
    return status;
}

enum lf_status lf_jobs_found(void *context, struct lf_instrument *instrument,
                             const struct lf_finding *finding, struct lf_error *err)
{
    struct lf_jobs *jobs = context;
    const char *name = lf_instrument_name(instrument);
    int64_t id = 0;
    /* A file can wait on the instrument; data without a file cannot be sent again. */
    enum lf_status status = finding->data ? LF_OK : lf_journal_room(jobs->journal, LF_ROOM_WORK, err);
    if (status == LF_OK)
        status = lf_journal_begin(jobs->journal, err);
    if (status != LF_OK)
        return status;
    /* The finding's row needs the id of its job, so the job is made first. */
    int64_t known = lf_journal_finding_job(jobs->journal, name, finding->id, finding->version);
    if (known) {
        lf_journal_rollback(jobs->journal);
        return found_again(jobs, known, name, finding, err);
    }
    status = new_result(jobs, name, finding, &id, err);
    if (status == LF_OK)
        status = lf_journal_finding_add(jobs->journal, name, finding->id, finding->version, id, err);
    if (status == LF_OK && finding->data)
        status = job__spool_bytes(jobs, id, finding->name, NULL, finding->data, finding->len, err);
    status = lf_journal_end(jobs->journal, status, err);
    if (status == LF_OK)
        lf_log_info(name, "result %s found: collect job %lld", finding->name, (long long)id);
    return status;
}

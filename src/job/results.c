/* Results that instruments report become collect jobs. */
#include "job/spool.h"

#include "base/log.h"
#include "event/key.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- results from before the first connection ---- */

/* A journal without a first start is new, or older than this distinction: then every instrument was met. */
static enum lf_status is_new(struct lf_jobs *jobs, bool *new, struct lf_error *err)
{
    char *since = NULL, *first = NULL;
    enum lf_status status = lf_journal_get(jobs->journal, LF_SMALL_POLL_SINCE, &since, err);
    if (status == LF_OK)
        status = lf_journal_get(jobs->journal, LF_SMALL_FIRST_START, &first, err);
    *new = first || !since;
    free(since);
    free(first);
    return status;
}

enum lf_status job__results_added(struct lf_jobs *jobs, size_t index, struct lf_error *err)
{
    char room[LF_PAUSED_NAME], *met = NULL;
    bool new = false;
    const char *name = lf_journal_met(lf_instrument_name(jobs->instruments[index]), room);
    enum lf_status status = is_new(jobs, &new, err);
    if (status == LF_OK)
        status = lf_journal_get(jobs->journal, name, &met, err);
    jobs->first[index] = new && !met;
    if (status == LF_OK && !new && !met)
        status = lf_journal_set(jobs->journal, name, "yes", err);
    free(met);
    return status;
}

static atomic_bool *first_of(struct lf_jobs *jobs, const struct lf_instrument *instrument)
{
    for (size_t i = 0; i < jobs->instrument_count; i++)
        if (jobs->instruments[i] == instrument)
            return &jobs->first[i];
    return NULL;
}

/* Met before anything is found: if the agent dies meanwhile, the rest is taken rather than lost. */
void job__results_changed(struct lf_jobs *jobs, struct lf_instrument *instrument)
{
    char room[LF_PAUSED_NAME], *met = NULL;
    struct lf_error err = {0};
    atomic_bool *first = first_of(jobs, instrument);
    if (!first || !*first || lf_instrument_connections(instrument) == 0)
        return;
    const char *name = lf_journal_met(lf_instrument_name(instrument), room);
    enum lf_status status = lf_journal_get(jobs->journal, name, &met, &err);
    if (status == LF_OK && !met)
        status = lf_journal_set(jobs->journal, name, "yes", &err);
    if (status != LF_OK)
        *first = false;
    free(met);
}

static bool is_earlier(struct lf_jobs *jobs, struct lf_instrument *instrument,
                       const struct lf_finding *finding)
{
    const atomic_bool *first = first_of(jobs, instrument);
    return first && *first && finding->early && lf_instrument_connections(instrument) <= 1
           && jobs->config->agent.first_start != LF_FIRST_TAKE;
}

/* Known from now on, without a job. A new version of it is taken. */
static enum lf_status leave_alone(struct lf_jobs *jobs, const char *instrument,
                                  const struct lf_finding *finding, struct lf_error *err)
{
    char source[LF_CONCERN_SOURCE], text[400];
    snprintf(text, sizeof text,
             "results that lay on %.80s when it was connected for the first time were left alone "
             "(agent.first_start), the last of them %.200s",
             instrument, finding->name);
    struct lf_concern concern =
        {.source = lf_concern_instrument(instrument, source),
         .about = "results before the first connection",
         .text = text,
         .todo = "upload those that are still wanted by hand, or touch them: a new version "
                 "is collected"};
    enum lf_status status = lf_journal_finding_add(jobs->journal, instrument, finding->id, finding->version,
                                                   LF_FINDING_NO_JOB, err);
    return status == LF_OK ? lf_journal_concern(jobs->journal, &concern, err) : status;
}

/* ---- results ---- */

#define EARLIER                                                                                                   \
    "it lay there when the instrument was connected for the first time (agent.first_start = \"ask\"). `labferry " \
    "retry` collects it, `labferry cancel` does not"

static enum lf_status new_result(struct lf_jobs *jobs, const char *instrument,
                                 const struct lf_finding *finding, bool held, int64_t *id,
                                 struct lf_error *err)
{
    char history[300], written[LF_TIME_TEXT];
    char *key = lf_key_result(instrument, finding->id, finding->version);
    struct lf_birth birth = {.kind = &job__kind_collect,
                             .step = "spool",
                             .key = key,
                             .instrument = instrument,
                             .history = history,
                             .held = held ? EARLIER : NULL,
                             .texts = {{LF_JOB_FINDING, finding->id},
                                       {LF_JOB_VERSION, finding->version},
                                       {LF_JOB_FILE_NAME, finding->name},
                                       {LF_JOB_SAID, finding->data ? "yes" : NULL},
                                       {LF_JOB_ORIGINAL, finding->original},
                                       {LF_JOB_SIDECAR, finding->sidecar},
                                       {LF_JOB_WRITTEN, finding->written_ms > 0 ? written : NULL}}};
    lf_time_format(finding->written_ms, written);
    if (finding->original)
        snprintf(history, sizeof history, "result %.140s seen on %.60s, carried as %.80s", finding->original,
                 instrument, finding->name);
    else
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
    if (known == LF_FINDING_NO_JOB)
        return lf_journal_end(jobs->journal, LF_OK, err);
    if (known) {
        lf_journal_rollback(jobs->journal);
        return found_again(jobs, known, name, finding, err);
    }
    bool earlier = is_earlier(jobs, instrument, finding);
    if (earlier && jobs->config->agent.first_start == LF_FIRST_IGNORE)
        return lf_journal_end(jobs->journal, leave_alone(jobs, name, finding, err), err);
    status = new_result(jobs, name, finding, earlier, &id, err);
    if (status == LF_OK)
        status = lf_journal_finding_add(jobs->journal, name, finding->id, finding->version, id, err);
    if (status == LF_OK && finding->data)
        status = job__spool_bytes(jobs, id, finding->name, NULL, finding->data, finding->len, err);
    status = lf_journal_end(jobs->journal, status, err);
    if (status == LF_OK)
        lf_log_info(name, "result %s found: collect job %lld", finding->name, (long long)id);
    return status;
}

/* Opening, couriers, and the hooks that instruments call. */
#include "job/spool.h"

#include "base/digest.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "event/key.h"
#include "intake/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_JOURNAL_WAIT_MS = 5000 };

enum lf_status lf_jobs_open(const struct lf_jobs_options *options, struct lf_jobs **out, struct lf_error *err)
{
    struct lf_jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return lf_fail_memory(err, "opening jobs");
    jobs->options = *options;
    jobs->config = options->config;
    jobs->journal = options->journal;
    jobs->cloud = options->cloud;
    lf_mutex_init(&jobs->mutex);
    lf_cond_init(&jobs->kicked);
    enum lf_status status = lf_cancel_open(&jobs->cancel, err);
    if (status != LF_OK) {
        lf_jobs_close(jobs);
        return status;
    }
    job__spool_sweep(jobs);
    *out = jobs;
    return LF_OK;
}

enum lf_status lf_jobs_add_instrument(struct lf_jobs *jobs, struct lf_instrument *instrument,
                                      struct lf_error *err)
{
    if (jobs->instrument_count == INSTRUMENTS_MAX)
        return lf_fail(err, LF_FULL, LF_NEEDS_PERSON, "more than %d instruments", INSTRUMENTS_MAX);
    jobs->instruments[jobs->instrument_count++] = instrument;
    return LF_OK;
}

struct lf_instrument *lf_jobs_instrument(struct lf_jobs *jobs, const char *name)
{
    for (size_t i = 0; i < jobs->instrument_count; i++)
        if (!strcmp(lf_instrument_name(jobs->instruments[i]), name))
            return jobs->instruments[i];
    return NULL;
}

size_t lf_jobs_instrument_count(const struct lf_jobs *jobs)
{
    return jobs->instrument_count;
}

struct lf_instrument *lf_jobs_instrument_at(const struct lf_jobs *jobs, size_t index)
{
    return jobs->instruments[index];
}

/* ---- couriers ---- */

/* Waits for a kick that came after `seen`, or for the deadline. False: stop. */
static bool wait_for_kick(struct lf_jobs *jobs, uint64_t *seen, int64_t deadline)
{
    lf_mutex_lock(&jobs->mutex);
    while (!jobs->stopping && jobs->kicks == *seen && lf_cond_wait(&jobs->kicked, &jobs->mutex, deadline))
        ;
    *seen = jobs->kicks;
    bool go_on = !jobs->stopping;
    lf_mutex_unlock(&jobs->mutex);
    return go_on;
}

/* The report of an instrument is its state for all who are not here: it must not stay an old one because the
 * journal was in trouble when it changed. Returns when to try again. */
static int64_t report_again(struct lf_jobs *jobs)
{
    struct lf_error err = {0};
    enum lf_status status = LF_OK;
    if (!atomic_exchange(&jobs->unreported, false))
        return LF_NEVER;
    for (size_t i = 0; status == LF_OK && i < jobs->instrument_count; i++)
        status = job__report_instrument(jobs, jobs->instruments[i], &err);
    if (status == LF_OK)
        job__reported(jobs);
    jobs->unreported = jobs->unreported || status != LF_OK;
    return status == LF_OK ? LF_NEVER : lf_deadline_in(NO_JOURNAL_WAIT_MS);
}

/* Does one piece of cloud work. *next: when there may be more. */
static bool courier_work(struct lf_jobs *jobs, int64_t *next)
{
    struct lf_job job;
    struct lf_error err = {0};
    int64_t next_event = LF_NEVER;
    if (job__reread_one(jobs, &next_event))
        return true;
    enum lf_status status = lf_journal_job_claim(jobs->journal, NULL, &job, next, &err);
    if (status == LF_OK) {
        job__run_step(jobs, &job, NULL);
        lf_job_free(&job);
        return true;
    }
    if (status != LF_NOT_FOUND) {
        lf_log_error("jobs", "cannot look for work: %s", err.text);
        *next = lf_deadline_in(NO_JOURNAL_WAIT_MS);
    }
    *next = lf_deadline_sooner(lf_deadline_sooner(*next, next_event), report_again(jobs));
    return false;
}

static void *courier(void *arg)
{
    struct lf_jobs *jobs = arg;
    uint64_t seen = 0;
    int64_t next = 0;
    while (wait_for_kick(jobs, &seen, next))
        while (!lf_cancel_is_set(&jobs->cancel) && courier_work(jobs, &next))
            ;
    return NULL;
}

struct orphans {
    struct lf_jobs *jobs;
    int64_t ids[256];
    size_t count;
};

static void find_orphan(void *context, const struct lf_job *job)
{
    struct orphans *orphans = context;
    if (job->state != LF_JOB_HELD && *job->instrument && !lf_jobs_instrument(orphans->jobs, job->instrument)
        && orphans->count < sizeof orphans->ids / sizeof *orphans->ids)
        orphans->ids[orphans->count++] = job->id;
}

static enum lf_status hold_orphan(struct lf_jobs *jobs, int64_t id, struct lf_error *err)
{
    struct lf_job job;
    char why[300];
    enum lf_status status = lf_journal_job_get(jobs->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    snprintf(why, sizeof why,
             "the instrument %.80s is not in the configuration any more. Put it back and `labferry retry "
             "%lld`, or cancel",
             job.instrument, (long long)id);
    job.state = LF_JOB_HELD;
    job.class = job.acting ? LF_UNKNOWN_OUTCOME : LF_NEEDS_PERSON;
    status = job__set_text(&job.note, why) ? job__save(jobs, &job, "agent", why, err)
                                           : lf_fail_memory(err, "holding a job");
    lf_job_free(&job);
    return status;
}

/* Jobs for instruments that have left the configuration would wait for ever, and nobody would know. */
static enum lf_status hold_orphans(struct lf_jobs *jobs, struct lf_error *err)
{
    struct lf_job_filter open = {.state = "open", .limit = 1000000};
    struct orphans orphans;
    enum lf_status status;
    do {
        orphans = (struct orphans){.jobs = jobs};
        status = lf_journal_job_list(jobs->journal, &open, find_orphan, &orphans, err);
        for (size_t i = 0; status == LF_OK && i < orphans.count; i++)
            status = hold_orphan(jobs, orphans.ids[i], err);
    } while (status == LF_OK && orphans.count > 0);
    return status;
}

enum lf_status lf_jobs_start(struct lf_jobs *jobs, struct lf_error *err)
{
    enum lf_status held = hold_orphans(jobs, err);
    if (held != LF_OK)
        return held;
    for (int i = 0; i < jobs->config->agent.couriers && i < COURIERS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "courier-%d", (i + 1) % 1000);
        enum lf_status status = lf_thread_start(&jobs->couriers[i], name, courier, jobs, err);
        if (status != LF_OK)
            return status;
        jobs->courier_count++;
    }
    return LF_OK;
}

void lf_jobs_stop(struct lf_jobs *jobs)
{
    lf_mutex_lock(&jobs->mutex);
    jobs->stopping = true;
    lf_cond_broadcast(&jobs->kicked);
    lf_mutex_unlock(&jobs->mutex);
    lf_cancel_set(&jobs->cancel);
    for (int i = 0; i < jobs->courier_count; i++)
        lf_thread_join(&jobs->couriers[i]);
    jobs->courier_count = 0;
    for (size_t i = 0; i < jobs->instrument_count; i++)
        lf_instrument_stop(jobs->instruments[i]);
    for (size_t i = 0; i < jobs->instrument_count; i++)
        lf_instrument_join(jobs->instruments[i]);
}

void lf_jobs_close(struct lf_jobs *jobs)
{
    if (!jobs)
        return;
    lf_cancel_close(&jobs->cancel);
    lf_cond_destroy(&jobs->kicked);
    lf_mutex_destroy(&jobs->mutex);
    free(jobs);
}

static void kick(void *context, int64_t number, const char *text)
{
    (void)number, (void)text;
    struct lf_jobs *jobs = context;
    LF_FAILPOINT("effect.kick");
    lf_mutex_lock(&jobs->mutex);
    jobs->kicks++;
    lf_cond_broadcast(&jobs->kicked);
    lf_mutex_unlock(&jobs->mutex);
}

void lf_jobs_kick(struct lf_jobs *jobs)
{
    lf_journal_after_commit(jobs->journal, kick, jobs, 0, NULL);
}

static void reported(void *context, int64_t number, const char *text)
{
    (void)number, (void)text;
    struct lf_jobs *jobs = context;
    jobs->options.reported(jobs->options.context);
}

void job__reported(struct lf_jobs *jobs)
{
    if (jobs->options.reported)
        lf_journal_after_commit(jobs->journal, reported, jobs, 0, NULL);
}

/* ---- hooks of instruments ---- */

bool lf_jobs_work(void *context, struct lf_instrument *instrument, int64_t *next_mono)
{
    struct lf_jobs *jobs = context;
    struct lf_job job;
    struct lf_error err = {0};
    if (lf_cancel_is_set(&jobs->cancel))
        return false;
    enum lf_status status = lf_journal_job_claim(jobs->journal, lf_instrument_name(instrument), &job,
                                                 next_mono, &err);
    if (status == LF_NOT_FOUND)
        return false;
    if (status != LF_OK) {
        lf_log_error(lf_instrument_name(instrument), "cannot look for work: %s", err.text);
        *next_mono = lf_deadline_in(NO_JOURNAL_WAIT_MS);
        return false;
    }
    job__run_step(jobs, &job, instrument);
    lf_job_free(&job);
    return true;
}

static enum lf_status keep_data(struct lf_jobs *jobs, int64_t job, const struct lf_finding *finding,
                                struct lf_error *err)
{
    struct spool_file file;
    char sha256[LF_SHA256_HEX];
    enum lf_status status = job__spool_create(jobs, job, &file, err);
    if (status == LF_OK)
        status = lf_file_append(&file.file, finding->data, finding->len, err);
    if (status == LF_OK && lf_digest_bytes(LF_SHA256, finding->data, finding->len, sha256) != LF_OK)
        status = lf_fail_memory(err, "keeping a result");
    if (status == LF_OK)
        status = job__spool_parcel(jobs, job, &file, finding->name, NULL, sha256, (int64_t)finding->len, err);
    job__spool_discard(&file);
    return status;
}

static enum lf_status new_result(struct lf_jobs *jobs, const char *instrument,
                                 const struct lf_finding *finding, int64_t *id, struct lf_error *err)
{
    char history[300];
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
                                       {LF_JOB_SIDECAR, finding->sidecar}}};
    snprintf(history, sizeof history, "result %.200s seen on %s", finding->name, instrument);
    enum lf_status status = lf_jobs_birth(jobs, &birth, id, err);
    free(key);
    return status;
}

/* A known result is told again. If it had gone away before it could be read, it has come back: a share does
 * that. */
static enum lf_status found_again(struct lf_jobs *jobs, int64_t id, const char *instrument,
                                  const struct lf_finding *finding, struct lf_error *err)
{
    struct lf_job job;
    /* What was said once and lies nowhere stays gone. */
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
        snprintf(text, sizeof text, "it is on %.80s again", instrument);
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
    /* A file can wait on the instrument; what is only said is never said again. */
    enum lf_status status = finding->data ? LF_OK : lf_journal_room(jobs->journal, LF_ROOM_WORK, err);
    if (status == LF_OK)
        status = lf_journal_begin(jobs->journal, err);
    if (status != LF_OK)
        return status;
    /* The finding's row needs its job and the job must not be there twice, so: known? then job, row, data. */
    int64_t known = lf_journal_finding_job(jobs->journal, name, finding->id, finding->version);
    if (known) {
        lf_journal_rollback(jobs->journal);
        return found_again(jobs, known, name, finding, err);
    }
    status = new_result(jobs, name, finding, &id, err);
    if (status == LF_OK)
        status = lf_journal_finding_add(jobs->journal, name, finding->id, finding->version, id, err);
    if (status == LF_OK && finding->data)
        status = keep_data(jobs, id, finding, err);
    if (status != LF_OK) {
        lf_journal_rollback(jobs->journal);
        return status;
    }
    status = lf_journal_commit(jobs->journal, err);
    if (status == LF_OK)
        lf_log_info(name, "result %s found: collect job %lld", finding->name, (long long)id);
    return status;
}

void lf_jobs_instrument_changed(void *context, struct lf_instrument *instrument)
{
    struct lf_jobs *jobs = context;
    struct lf_error err = {0};
    if (job__report_instrument(jobs, instrument, &err) != LF_OK) {
        lf_log_warning(lf_instrument_name(instrument), "cannot queue a report, it will be tried again: %s",
                       err.text);
        jobs->unreported = true;
        lf_jobs_kick(jobs);
    } else {
        job__reported(jobs);
    }
}

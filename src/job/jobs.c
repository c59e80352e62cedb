/* Opening and closing, couriers, and the hooks that instruments call. */
#include "job/spool.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BULK_PATIENCE_MS: for one of many small transfers to end; if none does for so long, they are slow, and the
 * courier does short calls meanwhile. */
enum { NO_JOURNAL_WAIT_MS = 5000, BULK_PATIENCE_MS = 1000 };

enum lf_status lf_jobs_open(const struct lf_jobs_options *options, struct lf_jobs **out, struct lf_error *err)
{
    struct lf_jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return lf_fail_memory(err, "opening jobs");
    jobs->options = *options;
    jobs->config = options->config;
    jobs->journal = options->journal;
    jobs->cloud = options->cloud;
    lf_mutex_init(&jobs->breaker_mutex);
    enum lf_status status = lf_cancel_open(&jobs->cancel, err);
    lf_mutex_init(&jobs->bulk_mutex);
    lf_cond_init(&jobs->bulk_free);
    /* One more, which no transfer occupies. */
    int count = options->config->agent.couriers < COURIERS_MAX ? options->config->agent.couriers + 1
                                                               : COURIERS_MAX;
    for (; status == LF_OK && jobs->courier_count < count; jobs->courier_count++)
        status = lf_worker_open(&jobs->couriers[jobs->courier_count], err);
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
    jobs->benches[jobs->instrument_count].runs = (int64_t)lf_random_below(1ull << 40)
                                                 + 1; /* a job keeps it as JSON */
    jobs->instruments[jobs->instrument_count++] = instrument;
    return job__results_added(jobs, jobs->instrument_count - 1, err);
}

struct lf_instrument *lf_jobs_instrument(struct lf_jobs *jobs, const char *name)
{
    for (size_t i = 0; i < jobs->instrument_count; i++)
        if (!strcmp(lf_instrument_name(jobs->instruments[i]), name))
            return jobs->instruments[i];
    return NULL;
}

struct job_bench *job__bench(struct lf_jobs *jobs, const char *instrument)
{
    for (size_t i = 0; i < jobs->instrument_count; i++)
        if (!strcmp(lf_instrument_name(jobs->instruments[i]), instrument))
            return &jobs->benches[i];
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

/* Queues the reports that could not be queued when instruments changed. Returns when to try again. */
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

bool lf_jobs_work(void *context, struct lf_instrument *instrument, int64_t *next_mono)
{
    struct lf_jobs *jobs = context;
    struct lf_job job;
    struct lf_error err = {0};
    const char *name = instrument ? lf_instrument_name(instrument) : NULL;
    if (lf_cancel_is_set(&jobs->cancel))
        return false;
    enum lf_status status = lf_journal_job_claim(jobs->journal, name, &job, next_mono, &err);
    if (status == LF_OK) {
        job__run_step(jobs, &job, instrument);
        lf_job_free(&job);
    } else if (status != LF_NOT_FOUND) {
        lf_log_error(name ? name : "jobs", "cannot look for work: %s", err.text);
        *next_mono = lf_deadline_in(NO_JOURNAL_WAIT_MS);
    }
    return status == LF_OK;
}

bool job__bulk_begin(struct lf_jobs *jobs)
{
    int most = jobs->courier_count > 1 ? jobs->courier_count - 1 : 1;
    lf_mutex_lock(&jobs->bulk_mutex);
    while (jobs->bulk >= most && !lf_cancel_is_set(&jobs->cancel)
           && lf_cond_wait(&jobs->bulk_free, &jobs->bulk_mutex, jobs->bulk_changed + BULK_PATIENCE_MS))
        ;
    bool free = jobs->bulk < most;
    if (free)
        jobs->bulk++;
    if (free)
        jobs->bulk_changed = lf_clock_mono_ms();
    lf_mutex_unlock(&jobs->bulk_mutex);
    return free;
}

void job__bulk_end(struct lf_jobs *jobs)
{
    lf_mutex_lock(&jobs->bulk_mutex);
    jobs->bulk--;
    jobs->bulk_changed = lf_clock_mono_ms();
    lf_cond_signal(&jobs->bulk_free);
    lf_mutex_unlock(&jobs->bulk_mutex);
}

static int64_t run_courier(void *context)
{
    struct lf_jobs *jobs = context;
    int64_t next = LF_NEVER;
    while (!lf_cancel_is_set(&jobs->cancel) && lf_jobs_work(jobs, NULL, &next))
        ;
    return lf_deadline_sooner(next, report_again(jobs));
}

/* ---- what the last run of the agent left behind ---- */

struct left_over {
    struct lf_jobs *jobs;
    struct lf_buffer ids; /* int64_t each */
    enum lf_status status;
};

static bool is_orphan(struct lf_jobs *jobs, const struct lf_job *job)
{
    return job->state != LF_JOB_HELD && *job->instrument && !lf_jobs_instrument(jobs, job->instrument);
}

static void find_left_over(void *context, const struct lf_job *job)
{
    struct left_over *left = context;
    struct lf_job placed = *job;
    job__place(&placed);
    bool elsewhere = placed.turn != job->turn || placed.in_order != job->in_order; /* an older version's */
    if ((job->stop || elsewhere || is_orphan(left->jobs, job)) && left->status == LF_OK)
        left->status = lf_buffer_append(&left->ids, &job->id, sizeof job->id);
}

static enum lf_status settle_left_over(struct lf_jobs *jobs, int64_t id, struct lf_error *err)
{
    struct lf_job job;
    char why[LF_ERROR_TEXT];
    enum lf_status status = lf_journal_job_get(jobs->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    if (!job.stop && !is_orphan(jobs, &job)) {
        /* One whose row is damaged counts as held, and is not known to be yet. */
        status = job.state == LF_JOB_HELD ? job__save(jobs, &job, "agent", job.note, err)
                                          : job__save_unreported(jobs, &job, err);
        lf_job_free(&job);
        return status;
    }
    if (job.stop)
        snprintf(why, sizeof why, "%.200s%s", job.stop,
                 job.acting
                     ? "; the agent ended before the action stopped, so it may have happened. Check "
                       "the instrument, then `labferry confirm` (it happened), `retry` (it did not) or "
                       "`cancel`"
                     : "");
    else
        snprintf(why, sizeof why,
                 "the instrument %.80s is no longer in the configuration. Restore it and `labferry retry "
                 "%lld`, or cancel",
                 job.instrument, (long long)id);
    if (job.stop && !job.acting)
        job__end_badly(lf_job_kind_find(job.kind), &job, LF_JOB_CANCELLED, LF_CLASS_NONE, why);
    else
        job__set_state(&job, LF_JOB_HELD, job.acting ? LF_UNKNOWN_OUTCOME : LF_NEEDS_PERSON, why);
    status = job__save(jobs, &job, "agent", why, err);
    lf_job_free(&job);
    return status;
}

/* Otherwise, jobs that were being cancelled when the agent ended would run again, and jobs for instruments
 * that are no longer configured would wait forever, unseen. */
static enum lf_status settle_all_left_over(struct lf_jobs *jobs, struct lf_error *err)
{
    struct lf_job_filter open = {.state = "open", .limit = 1000000};
    struct left_over left = {.jobs = jobs};
    enum lf_status status = lf_journal_job_list(jobs->journal, &open, find_left_over, &left, err);
    if (status == LF_OK && left.status != LF_OK)
        status = lf_fail_memory(err, "settling jobs");
    for (size_t at = 0; status == LF_OK && at < left.ids.len; at += sizeof(int64_t)) {
        int64_t id;
        memcpy(&id, left.ids.data + at, sizeof id);
        status = settle_left_over(jobs, id, err);
    }
    lf_buffer_free(&left.ids);
    return status;
}

enum lf_status lf_jobs_start(struct lf_jobs *jobs, struct lf_error *err)
{
    enum lf_status status = settle_all_left_over(jobs, err);
    for (int i = 0; status == LF_OK && i < jobs->courier_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "courier-%d", (i + 1) % 1000);
        status = lf_worker_start(&jobs->couriers[i], name, run_courier, jobs, err);
    }
    return status;
}

bool lf_jobs_stop(struct lf_jobs *jobs)
{
    bool ended = true;
    lf_cancel_set(&jobs->cancel);
    for (int i = 0; i < jobs->courier_count; i++)
        lf_worker_stop(&jobs->couriers[i]);
    for (int i = 0; i < jobs->courier_count; i++)
        lf_worker_join(&jobs->couriers[i]);
    for (size_t i = 0; i < jobs->instrument_count; i++)
        lf_instrument_stop(jobs->instruments[i]);
    for (size_t i = 0; i < jobs->instrument_count; i++)
        ended = lf_instrument_join(jobs->instruments[i]) && ended;
    return ended;
}

void lf_jobs_close(struct lf_jobs *jobs)
{
    if (!jobs)
        return;
    for (int i = 0; i < jobs->courier_count; i++)
        lf_worker_close(&jobs->couriers[i]);
    lf_cond_destroy(&jobs->bulk_free);
    lf_mutex_destroy(&jobs->bulk_mutex);
    lf_cancel_close(&jobs->cancel);
    lf_mutex_destroy(&jobs->breaker_mutex);
    free(jobs);
}

static void kick_couriers(void *context, int64_t number, const char *text)
{
    (void)number, (void)text;
    struct lf_jobs *jobs = context;
    LF_FAILPOINT("effect.kick");
    for (int i = 0; i < jobs->courier_count; i++)
        lf_worker_kick(&jobs->couriers[i]);
}

void lf_jobs_kick(struct lf_jobs *jobs)
{
    lf_journal_after_commit(jobs->journal, kick_couriers, jobs, 0, NULL);
}

static void notify_outbox(void *context, int64_t number, const char *text)
{
    (void)number, (void)text;
    struct lf_jobs *jobs = context;
    jobs->options.reported(jobs->options.context);
}

void job__reported(struct lf_jobs *jobs)
{
    if (jobs->options.reported)
        lf_journal_after_commit(jobs->journal, notify_outbox, jobs, 0, NULL);
}

/* ---- hooks of instruments ---- */

void lf_jobs_instrument_changed(void *context, struct lf_instrument *instrument)
{
    struct lf_jobs *jobs = context;
    struct lf_error err = {0};
    job__results_changed(jobs, instrument);
    if (job__report_instrument(jobs, instrument, &err) != LF_OK) {
        lf_log_warning(lf_instrument_name(instrument), "cannot queue a report, trying again later: %s",
                       err.text);
        jobs->unreported = true;
        lf_jobs_kick(jobs);
    } else {
        job__reported(jobs);
    }
}

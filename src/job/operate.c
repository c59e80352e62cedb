/* What an operator can do with jobs. Each verb is one transaction: read the job, check that the verb is
 * allowed, write the job. A running job belongs to its thread, and is only asked to stop. */
#include "job/spool.h"

#include "base/digest.h"
#include "base/file.h"
#include "event/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- new jobs ---- */

static enum lf_status check_ability(struct lf_jobs *jobs, const char *name, uint32_t ability,
                                    const char *what, struct lf_error *err)
{
    struct lf_instrument *instrument = lf_jobs_instrument(jobs, name);
    if (!instrument)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT,
                       "unknown instrument \"%.80s\". `labferry instruments` lists them", name);
    if (!(lf_instrument_driver(instrument)->can & ability))
        return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "the driver \"%s\" of %s cannot %s",
                       lf_instrument_driver(instrument)->name, name, what);
    return LF_OK;
}

/* An operator's own job is never the same work as another. */
static enum lf_status own_job(struct lf_jobs *jobs, struct lf_birth *birth, int64_t *id, struct lf_error *err)
{
    char *key = lf_key_operator(lf_clock_best_ms(), lf_random_below(UINT64_MAX));
    birth->key = key;
    birth->not_after_ms = jobs->config->agent.not_after_ms;
    enum lf_status status = lf_jobs_birth(jobs, birth, id, err);
    free(key);
    return status;
}

/* The bytes are read first: the sender may be slow, and a transaction must not wait for it. A file without a
 * row is swept. */
static enum lf_status spool_sent(struct lf_jobs *jobs, struct lf_birth *birth, const char *name,
                                 const struct lf_file *from, const struct lf_cancel *cancel, int64_t *id,
                                 struct lf_error *err)
{
    struct spool_file file;
    struct lf_error ignored;
    struct lf_parcel_row *row = &file.row;
    enum lf_status status = job__spool_create(jobs, 0, name, NULL, &file, err);
    if (status == LF_OK)
        status = lf_file_copy(from, &file.file, jobs->config->agent.file_max, cancel, row->sha256, &row->size,
                              err);
    if (status == LF_OK)
        status = job__spool_keep(&file, err);
    if (status == LF_OK)
        status = lf_journal_begin(jobs->journal, err);
    if (status != LF_OK) {
        job__spool_discard(&file);
        return status;
    }
    status = own_job(jobs, birth, id, err);
    row->job = *id;
    if (status == LF_OK)
        status = lf_journal_parcel_add(jobs->journal, row, err);
    status = lf_journal_end(jobs->journal, status, err);
    if (status != LF_OK)
        lf_file_remove(file.final, &ignored);
    job__spool_discard(&file);
    return status;
}

enum lf_status lf_jobs_send(struct lf_jobs *jobs, const char *instrument, const char *name,
                            const struct lf_file *from, const struct lf_cancel *cancel, const char *who,
                            int64_t *id, struct lf_error *err)
{
    char history[300];
    struct lf_birth birth = {.kind = &job__kind_deliver,
                             .step = "deliver",
                             .instrument = instrument,
                             .who = who,
                             .history = history,
                             .texts = {{LF_JOB_FILE_NAME, name}}};
    snprintf(history, sizeof history, "%.200s sent to %s by %s", name, instrument, who);
    enum lf_status status = check_ability(jobs, instrument, LF_CAN_DELIVER, "take files", err);
    if (status == LF_OK)
        status = lf_name_check(name, err);
    if (status == LF_OK)
        status = lf_journal_room(jobs->journal, LF_ROOM_FILE, err);
    return status == LF_OK ? spool_sent(jobs, &birth, name, from, cancel, id, err) : status;
}

enum lf_status lf_jobs_run(struct lf_jobs *jobs, const char *instrument, const char *procedure,
                           const cJSON *inputs, const char *who, int64_t *id, struct lf_error *err)
{
    char history[300];
    struct lf_birth birth = {.kind = &job__kind_procedure,
                             .instrument = instrument,
                             .who = who,
                             .history = history,
                             .inputs = inputs,
                             .texts = {{LF_JOB_PROCEDURE, procedure}}};
    snprintf(history, sizeof history, "run of %.100s on %.80s requested by %.80s", procedure, instrument,
             who);
    enum lf_status status = check_ability(jobs, instrument, LF_CAN_RUN, "run procedures", err);
    return status == LF_OK ? own_job(jobs, &birth, id, err) : status;
}

/* ---- existing jobs ---- */

/* Opens a transaction with the job read. On failure none is open. */
static enum lf_status take_up(struct lf_jobs *jobs, int64_t id, struct lf_job *job, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(jobs->journal, err);
    if (status != LF_OK)
        return status;
    status = lf_journal_job_get(jobs->journal, id, job, err);
    if (status != LF_OK)
        lf_journal_rollback(jobs->journal);
    return status;
}

static enum lf_status put_down(struct lf_jobs *jobs, struct lf_job *job, enum lf_status status,
                               const char *who, const char *text, struct lf_error *err)
{
    if (status == LF_OK)
        status = job__save(jobs, job, who, text, err);
    lf_job_free(job);
    return lf_journal_end(jobs->journal, status, err);
}

static enum lf_status not_now(const struct lf_job *job, const char *what, struct lf_error *err)
{
    return lf_fail(err, LF_REFUSED, LF_PERMANENT, "job %lld is %s at %s; it cannot be %s%s%s",
                   (long long)job->id, lf_job_state_name(job->state), job->step, what,
                   *lf_job_help(job) ? ". What can be done: " : "", lf_job_help(job));
}

static void make_ready(struct lf_jobs *jobs, struct lf_job *job)
{
    if (job->state == LF_JOB_EXPIRED) {
        lf_job_expire_after(job, 0, jobs->config->agent.not_after_ms);
        lf_job_clear(job, LF_JOB_HAPPENED);
    }
    /* Retrying a held job says "it did not happen"; a waiting one asks the instrument. */
    if (job->state != LF_JOB_WAITING)
        job->acting = false;
    job->attempt = 0;
    lf_job_clear(job, LF_JOB_FAILING_SINCE);
    job__set_state(job, LF_JOB_READY, LF_CLASS_NONE, NULL);
}

static bool can_retry(const struct lf_job *job, bool unchecked)
{
    return job->state == LF_JOB_HELD || job->state == LF_JOB_FAILED || job->state == LF_JOB_WAITING
           || job->state == LF_JOB_EXPIRED || (unchecked && job->state == LF_JOB_READY && !job->acting);
}

static enum lf_status retry(struct lf_jobs *jobs, int64_t id, bool unchecked, const char *who,
                            struct lf_error *err)
{
    struct lf_job job;
    enum lf_status status = take_up(jobs, id, &job, err);
    if (status != LF_OK)
        return status;
    if (job__cloud_knows_failure(&job))
        status = lf_fail(err, LF_REFUSED, LF_PERMANENT,
                         "the workflow task of job %lld was set to failed in Benchling. To run it again, set "
                         "it back there",
                         (long long)id);
    else if (!can_retry(&job, unchecked) || (unchecked && job.state == LF_JOB_WAITING && job.acting))
        status = not_now(&job, "retried: only one that is held, waiting, failed or expired can be", err);
    else {
        make_ready(jobs, &job);
        if (unchecked)
            status = job__unchecked(&job, err);
    }
    return put_down(
        jobs, &job, status, who,
        unchecked ? "retry --unchecked: it acts once without asking Benchling whether it is still wanted"
                  : "retry",
        err);
}

enum lf_status lf_jobs_retry(struct lf_jobs *jobs, int64_t id, const char *who, struct lf_error *err)
{
    return retry(jobs, id, false, who, err);
}

enum lf_status lf_jobs_retry_unchecked(struct lf_jobs *jobs, int64_t id, const char *who,
                                       struct lf_error *err)
{
    return retry(jobs, id, true, who, err);
}

static enum lf_status outcome_of(const cJSON *values, struct lf_outcome *outcome, struct lf_error *err)
{
    const cJSON *value;
    cJSON_ArrayForEach (value, values) {
        if (!cJSON_IsString(value))
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "the value of \"%s\" must be a string",
                           value->string);
        bool real = false;
        enum lf_status status = job__is_number(value->valuestring, &real, err);
        if (status == LF_OK)
            status = lf_outcome_add(outcome, value->string, real ? LF_CAPTURE_REAL : LF_CAPTURE_TEXT,
                                    value->valuestring, err);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

static enum lf_status go_on_as_done(struct lf_jobs *jobs, struct lf_job *job, const cJSON *values,
                                    struct lf_error *err)
{
    const struct lf_job_kind *kind = lf_job_kind_find(job->kind);
    const struct job_step *step = job__step_find(kind, job->step);
    struct job_work work = {.jobs = jobs, .job = job};
    struct lf_outcome outcome = {0};
    enum lf_status status = outcome_of(values, &outcome, err);
    if (status == LF_OK)
        status = step->acted(&work, &outcome, err);
    lf_outcome_free(&outcome);
    if (status == LF_OK) {
        job->expires_mono = 0;
        job__enter_step(job, &step[1]);
    }
    return status;
}

enum lf_status lf_jobs_confirm(struct lf_jobs *jobs, int64_t id, const cJSON *values, const char *who,
                               struct lf_error *err)
{
    struct lf_job job;
    enum lf_status status = take_up(jobs, id, &job, err);
    if (status != LF_OK)
        return status;
    if (!lf_job_can_confirm(&job))
        status = not_now(&job, "confirmed: only a held action of an instrument can be", err);
    else
        status = go_on_as_done(jobs, &job, values, err);
    return put_down(jobs, &job, status, who, "confirmed: it happened", err);
}

/* An action on the bench can be interrupted; a courier's step soon ends on its own. */
static enum lf_status interrupt_action(struct lf_jobs *jobs, const struct lf_job *job, struct lf_error *err)
{
    struct lf_instrument *instrument = job->bench ? lf_jobs_instrument(jobs, job->instrument) : NULL;
    if (instrument && lf_instrument_cancel(instrument, job->id))
        return LF_OK;
    return lf_fail(err, LF_BUSY, LF_TRANSIENT, "job %lld is at %s right now; cancel it again in a moment",
                   (long long)job->id, job->step);
}

/* It ends badly, and its workflow task must not stay in progress. Once Benchling has refused to set it to
 * failed, the job is held, and a person may cancel it. */
static bool is_settling(const struct lf_job *job)
{
    return lf_job_text(job, LF_JOB_FAILURE) && !lf_job_state_final(job->state) && job->state != LF_JOB_HELD;
}

enum lf_status lf_jobs_cancel(struct lf_jobs *jobs, int64_t id, const char *why, const char *who,
                              struct lf_error *err)
{
    struct lf_job job;
    char text[300];
    snprintf(text, sizeof text, "cancelled by %.80s%s%.160s", who, why && *why ? ": " : "", why ? why : "");
    enum lf_status status = take_up(jobs, id, &job, err);
    if (status != LF_OK)
        return status;
    if (is_settling(&job)) {
        status = lf_fail(err, LF_REFUSED, LF_PERMANENT,
                         "job %lld is ending already: first it sets its workflow task to failed in "
                         "Benchling, and it tries until it can",
                         (long long)id);
        return put_down(jobs, &job, status, who, text, err);
    }
    if (job.state == LF_JOB_RUNNING) {
        status = interrupt_action(jobs, &job, err);
        if (status == LF_OK)
            status = lf_journal_job_stop(jobs->journal, id, text, err);
        if (status == LF_OK)
            status = lf_journal_history_add(jobs->journal, id, who, "asked the running step to stop", err);
        lf_job_free(&job);
        return lf_journal_end(jobs->journal, status, err);
    }
    if (lf_job_state_final(job.state))
        status = not_now(&job, "cancelled", err);
    else /* also a job whose kind this version does not know */
        job__end_badly(lf_job_kind_find(job.kind), &job, LF_JOB_CANCELLED, LF_CLASS_NONE, text);
    return put_down(jobs, &job, status, who, text, err);
}

static void sign_is_given(void *context, int64_t job, const char *text)
{
    struct job_bench *bench = context;
    (void)text;
    bench->started = job;
}

/* The bench is running the procedure that looks for the sign: it is stopped, and once this is committed the
 * sign counts as given. */
static enum lf_status sign_while_it_looks(struct lf_jobs *jobs, const struct lf_job *job,
                                          struct job_bench *bench, const char *who, struct lf_error *err)
{
    lf_journal_after_commit(jobs->journal, sign_is_given, bench, job->id, NULL);
    enum lf_status status = interrupt_action(jobs, job, err);
    if (status != LF_OK)
        return lf_fail(err, LF_BUSY, LF_TRANSIENT,
                       "%s is checking for its sample right now; repeat the command in a few seconds",
                       job->instrument);
    return lf_journal_history_add(jobs->journal, job->id, who, "start: its sample is on the instrument", err);
}

enum lf_status lf_jobs_begin(struct lf_jobs *jobs, int64_t id, const char *who, struct lf_error *err)
{
    struct lf_job job;
    enum lf_status status = take_up(jobs, id, &job, err);
    if (status != LF_OK)
        return status;
    struct job_bench *bench = job__bench(jobs, job.instrument);
    if (bench && job.state == LF_JOB_RUNNING && job.turn == LF_TURN_WANTED && !strcmp(job.step, "turn")) {
        status = sign_while_it_looks(jobs, &job, bench, who, err);
        lf_job_free(&job);
        return lf_journal_end(jobs->journal, status, err);
    }
    if (!bench || !job__awaits_sign(&job))
        status = not_now(&job, "started: only a task that waits for its sample can be", err);
    else
        status = lf_job_set_int(&job, LF_JOB_SIGNED, bench->runs, err);
    if (status == LF_OK) {
        lf_job_clear(&job, LF_JOB_SAMPLE_SINCE);
        job__set_state(&job, LF_JOB_READY, LF_CLASS_NONE, NULL);
    }
    return put_down(jobs, &job, status, who, "start: its sample is on the instrument", err);
}

enum lf_status lf_jobs_assign(struct lf_jobs *jobs, int64_t id, const char *run, const char *config,
                              const char *who, struct lf_error *err)
{
    struct lf_job job;
    char text[300];
    snprintf(text, sizeof text, "assigned to run %.100s%s%.100s", run, config ? ", " : "",
             config ? config : "");
    enum lf_status status = take_up(jobs, id, &job, err);
    if (status != LF_OK)
        return status;
    const struct lf_job_kind *kind = lf_job_kind_find(job.kind);
    if (!job__can_assign(&job))
        status = not_now(&job, "assigned: only a held result that is not attached yet can be", err);
    if (status == LF_OK)
        status = lf_job_set_text(&job, LF_JOB_RUN, run, err);
    lf_job_clear(&job, LF_JOB_CONFIG); /* an earlier one may be wrong; without one it is the instrument's */
    if (status == LF_OK && config)
        status = lf_job_set_text(&job, LF_JOB_CONFIG, config, err);
    if (status == LF_OK)
        status = lf_job_set_text(&job, LF_JOB_ASSIGNED, who, err);
    if (status == LF_OK)
        job__enter_step(&job, job__step_find(kind, kind->assign_step));
    return put_down(jobs, &job, status, who, text, err);
}

/* One step of a job, and what follows from it.
 *
 * The rule for physical actions whose class is `once`: prepare (the instrument does not notice) -> commit
 * "about to act" (job->acting) -> act -> commit the outcome. A job claimed with acting set was interrupted in
 * between: the driver's verify decides, and if it does not know, the job is held.
 *
 * What follows from an error is decided by its class alone (see after_error); a step never retries by itself.
 */
#include "job/spool.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LOOK_AGAIN_MS: after an unknown outcome in the cloud; what was created may take a moment to appear.
 * STEP_DEADLINE_MS: for the cloud calls of one step; each request has its own, shorter deadlines. */
enum { LOOK_AGAIN_MS = 5000, STEP_DEADLINE_MS = 6 * 60 * 60 * 1000, BULK_WAIT_MS = 5000 };

/* ---- what follows a step ---- */

void job__set_state(struct lf_job *job, enum lf_job_state state, enum lf_class class, const char *note)
{
    job->state = state;
    job->class = class;
    if (!job__set_text(&job->note, note && *note ? note : NULL))
        job__set_text(&job->note, NULL); /* the history has it; the old note would mislead */
    job__set_text(&job->wake, NULL);
    job->due_mono = 0;
}

static void log_state(const struct lf_job *job)
{
    bool trouble = job->state == LF_JOB_HELD || job->state == LF_JOB_FAILED || job->state == LF_JOB_EXPIRED;
    lf_log(trouble ? LF_LOG_WARNING : LF_LOG_INFO, *job->instrument ? job->instrument : "jobs",
           "%s job %lld %s at %s%s%s", job->kind, (long long)job->id, lf_job_state_name(job->state),
           job->step, job->note ? ": " : "", job->note ? job->note : "");
}

void job__enter_step(struct lf_job *job, const struct job_step *step)
{
    job__set_step(job, step);
    job__set_state(job, LF_JOB_READY, LF_CLASS_NONE, NULL);
}

void job__end_badly(const struct lf_job_kind *kind, struct lf_job *job, enum lf_job_state state,
                    enum lf_class class, const char *why)
{
    struct lf_error err = {0};
    const char *step = NULL;
    if (kind && kind->on_bad_end)
        kind->on_bad_end(job, state, why, &step, &err);
    /* After an error the task would stay in progress in Benchling: a person has to end the job. */
    if (step)
        job__enter_step(job, job__step_find(kind, step));
    else if (err.status != LF_OK)
        job__set_state(job, LF_JOB_HELD, LF_NEEDS_PERSON, why);
    else
        job__set_state(job, state, class, why);
}

static void wait_and_retry(struct lf_job *job, int64_t least_ms, const char *why)
{
    int64_t wait = lf_backoff_ms(job->attempt, LF_PACE_CLOUD);
    job__set_state(job, LF_JOB_WAITING, LF_TRANSIENT, why);
    job->due_mono = lf_deadline_in(wait > least_ms ? wait : least_ms);
    job->attempt++;
    if (!lf_job_int(job, LF_JOB_FAILING_SINCE, 0)) /* without memory it is noted next time */
        lf_job_set_int(job, LF_JOB_FAILING_SINCE, lf_clock_best_ms(), &(struct lf_error){0});
}

static void after_error(const struct lf_job_kind *kind, const struct job_step *step, struct lf_job *job,
                        const struct lf_error *err)
{
    switch (err->class) {
    case LF_CLASS_NONE:
    default: /* a number that a driver made up */
    case LF_TRANSIENT: wait_and_retry(job, err->retry_after_ms, err->text); break;
    case LF_UNKNOWN_OUTCOME:
        if (step->checks_first)
            wait_and_retry(job, LOOK_AGAIN_MS, err->text);
        else
            job__set_state(job, LF_JOB_HELD, LF_UNKNOWN_OUTCOME, err->text);
        break;
    case LF_PERMANENT:
        if (step->hold_on_permanent)
            job__set_state(job, LF_JOB_HELD, LF_PERMANENT, err->text);
        else
            job__end_badly(kind, job, LF_JOB_FAILED, LF_PERMANENT, err->text);
        break;
    case LF_NEEDS_PERSON: job__set_state(job, LF_JOB_HELD, LF_NEEDS_PERSON, err->text); break;
    }
}

static void after_success(const struct lf_job_kind *kind, const struct job_step *step, struct job_work *work)
{
    struct lf_job *job = work->job;
    lf_job_clear(job, LF_JOB_FAILING_SINCE);
    switch (work->follow) {
    case FOLLOW_NEXT:
        if (step[1].name)
            job__enter_step(job, &step[1]);
        else
            job__set_state(job, LF_JOB_DONE, LF_CLASS_NONE, work->note);
        break;
    case FOLLOW_GO: job__enter_step(job, job__step_find(kind, work->go)); break;
    case FOLLOW_WAIT:
        job__set_state(job, LF_JOB_WAITING, LF_CLASS_NONE, work->note);
        job__set_text(&job->wake, work->wake);
        job->due_mono = lf_deadline_in(work->wait_ms);
        break;
    case FOLLOW_END:
        job->acting = false;
        job__set_state(job, work->end, work->end == LF_JOB_FAILED ? LF_PERMANENT : LF_CLASS_NONE, work->note);
        break;
    }
}

/* ---- physical actions ---- */

/* Interrupted by a crash between "about to act" and "acted": the driver's verify decides. If it was not done,
 * the step starts over like any other, because the job may have expired meanwhile. */
static enum lf_status ask_verify(struct job_work *work, const struct job_step *step,
                                 const struct lf_action *action, struct lf_error *err)
{
    struct lf_outcome outcome = {0};
    struct lf_error why = {0};
    enum lf_status status = LF_OK;
    switch (lf_instrument_verify(work->instrument, action, &outcome, &why)) {
    case LF_VERDICT_DONE:
        work->job->expires_mono = 0;
        job__note(work, "done before the interruption, as the instrument confirms");
        status = step->acted(work, &outcome, err);
        break;
    case LF_VERDICT_NOT_DONE:
        work->job->acting = false;
        job__go(work, step->name, "not done before the interruption, as the instrument confirms");
        break;
    case LF_VERDICT_UNKNOWN:
        if (why.status == LF_DISCONNECTED || why.status == LF_CANCELLED)
            status = lf_fail(err, why.status, LF_TRANSIENT, "%s", why.text);
        else
            status = lf_fail(err, LF_IO, LF_UNKNOWN_OUTCOME,
                             "the agent was interrupted while it acted on %s, and it is unknown whether the "
                             "action happened (%s). Check the instrument, then `labferry confirm %lld` (it "
                             "happened), `retry` (it did not) or `cancel`",
                             work->job->instrument, why.text[0] ? why.text : "no answer",
                             (long long)work->job->id);
        break;
    }
    lf_outcome_free(&outcome);
    return status;
}

static enum lf_status check_needs(const struct job_work *work, const struct job_step *step,
                                  struct lf_error *err)
{
    enum lf_status status = LF_OK;
    if (step->needs_route && !work->route)
        return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                       "the route \"%s\" is no longer in the configuration. Restore it and `labferry retry "
                       "%lld`, or cancel",
                       work->job->route ? work->job->route : "", (long long)work->job->id);
    for (size_t i = 0; status == LF_OK && i < NEEDS_MAX && step->needs[i]; i++)
        status = job__need(work, step->needs[i], err);
    return status;
}

/* "About to act", committed before an action of class once. On failure it has not begun, and what a person
 * decided still holds. */
static enum lf_status about_to_act(struct job_work *work, const struct lf_action *action,
                                   enum lf_repeat repeat, struct lf_error *err)
{
    struct lf_job *job = work->job;
    struct lf_journal *journal = work->jobs->journal;
    bool unchecked = lf_job_bool(job, LF_JOB_UNCHECKED);
    enum lf_status status = repeat == LF_ONCE ? lf_instrument_prepare(work->instrument, action, err) : LF_OK;
    if (status == LF_OK)
        status = repeat == LF_ONCE ? lf_journal_begin(journal, err) : job__note_sample(work, err);
    if (status != LF_OK)
        return status;
    lf_job_clear(job, LF_JOB_UNCHECKED); /* that was for this time */
    if (repeat != LF_ONCE)
        return LF_OK;
    job->acting = true;
    status = job__note_sample(work, err);
    if (status == LF_OK)
        status = job__save(work->jobs, job, "agent", NULL, err);
    status = lf_journal_end(journal, status, err);
    if (status == LF_OK)
        return LF_OK;
    job->acting = false;
    if (unchecked) /* without memory it is looked at first */
        lf_job_set_bool(job, LF_JOB_UNCHECKED, true, &(struct lf_error){0});
    return status;
}

static enum lf_status act_once_at_most(struct job_work *work, const struct job_step *step,
                                       struct lf_error *err)
{
    struct lf_job *job = work->job;
    struct lf_action action = {.job = job->id};
    enum lf_repeat repeat = LF_ONCE;
    if (!job->acting && !job__looked(work))
        return LF_OK;
    enum lf_status status = step->action(work, &action, err);
    if (status == LF_OK && work->follow != FOLLOW_NEXT) /* an earlier step comes first */
        return LF_OK;
    if (status == LF_OK)
        status = lf_instrument_repeat(work->instrument, &action, &repeat, err);
    /* It may have happened, so it has not failed. */
    if (status != LF_OK && job->acting && err->class == LF_PERMANENT)
        err->class = LF_NEEDS_PERSON;
    if (status == LF_OK && job->acting)
        return ask_verify(work, step, &action, err);
    if (status == LF_OK)
        status = about_to_act(work, &action, repeat, err);
    if (status != LF_OK)
        return status;
    LF_FAILPOINT("act.about");
    struct lf_outcome outcome = {0};
    status = lf_instrument_act(work->instrument, &action, &outcome, err);
    LF_FAILPOINT("act.acted");
    if (action.kind == LF_ACTION_RUN && (status == LF_OK || err->class != LF_TRANSIENT))
        job__has_run(work);
    /* Any other class means that the instrument did nothing, or nothing that a repeat would do twice. */
    if (status != LF_OK && err->class != LF_UNKNOWN_OUTCOME)
        job->acting = false;
    if (status == LF_OK) {
        job->expires_mono = 0;
        struct lf_error late = {0};
        status = step->acted(work, &outcome, &late);
        if (status != LF_OK) /* it happened, so it must never run again */
            status = lf_fail(err, status, LF_UNKNOWN_OUTCOME,
                             "it was done, but its outcome could not be saved: %s", late.text);
    }
    lf_outcome_free(&outcome);
    return status;
}

/* ---- one step ---- */

static bool has_expired(const struct lf_job *job)
{
    return job->expires_mono > 0 && !job->acting && lf_clock_mono_ms() >= job->expires_mono;
}

/* The time limit counts from when the agent heard of the work, because its clock was not known to be right.
 * Makes it count from when the work arose once the clock is known, or at the latest before an instrument
 * acts.
 */
static void count_from_event(const struct lf_jobs *jobs, const struct job_step *step, struct lf_job *job)
{
    int64_t happened = lf_job_int(job, LF_JOB_HAPPENED, 0);
    const struct lf_config_route *route = job->route ? lf_config_route(jobs->config, job->route) : NULL;
    if (!happened || (!lf_clock_learned() && step->run))
        return;
    int64_t latest = job->expires_mono;
    if (route && latest > 0) {
        lf_job_expire_after(job, happened, route->not_after_ms);
        job->expires_mono = lf_deadline_sooner(job->expires_mono, latest);
    }
    lf_job_clear(job, LF_JOB_HAPPENED);
}

static void end_expired(const struct lf_job_kind *kind, struct lf_job *job)
{
    char when[LF_TIME_TEXT], clock[LF_CLOCK_TEXT], why[200 + LF_CLOCK_TEXT];
    lf_time_format(job->expires_ms, when);
    lf_clock_words(clock);
    snprintf(why, sizeof why,
             "it did not start on its instrument before %s, the time limit of its route (not_after); %s",
             when, clock);
    job__end_badly(kind, job, LF_JOB_EXPIRED, LF_CLASS_NONE, why);
    if (job->state != LF_JOB_HELD) /* a held job stays expired */
        job->expires_mono = 0;
}

/* The agent is stopping: the job stays as it was before the step, for the next start. */
static bool agent_stops(struct lf_jobs *jobs, enum lf_status status)
{
    return status == LF_CANCELLED && lf_cancel_is_set(&jobs->cancel);
}

/* Otherwise a job that polls every few seconds would fill history, audit trail and outbox. */
static bool waits_as_before(const struct job_work *work)
{
    const char *note = work->job->note; /* still that of the last poll */
    return work->follow == FOLLOW_WAIT && note && !strcmp(note, work->note);
}

/* history NULL: nothing to report. */
static void save_state(struct lf_jobs *jobs, struct lf_job *job, const char *history)
{
    struct lf_error err = {0};
    /* If the disk is full, the job stays claimed in the journal until this succeeds or the agent restarts. */
    for (int attempt = 0;; attempt++) {
        if ((history ? job__save(jobs, job, "agent", history, &err) : job__save_unreported(jobs, job, &err))
            == LF_OK)
            return;
        lf_log_error("jobs", "cannot save the state of job %lld: %s", (long long)job->id, err.text);
        if (lf_sleep_until(lf_deadline_in(1000 + lf_backoff_ms(attempt, LF_PACE_DEVICE)), &jobs->cancel)
            == LF_CANCELLED)
            return;
    }
}

/* Saves the job as held or expired if its step must not run. False: it can run. */
static bool put_off(struct lf_jobs *jobs, const struct lf_job_kind *kind, const struct job_step *step,
                    struct lf_job *job)
{
    bool readable = job->state != LF_JOB_HELD; /* otherwise the note has the journal's reason */
    if (readable && !step)
        job__set_state(job, LF_JOB_HELD, LF_NEEDS_PERSON,
                       "this version of the agent does not know this step. Install the version that made the "
                       "job, or cancel it");
    if (readable && step) {
        count_from_event(jobs, step, job);
        if (!has_expired(job))
            return false;
        end_expired(kind, job);
        log_state(job);
    }
    save_state(jobs, job, job->note ? job->note : "");
    return true;
}

/* Decides what follows a step, and writes its line of history. */
static void conclude(struct job_work *work, const struct lf_job_kind *kind, const struct job_step *step,
                     enum lf_status status, const struct lf_error *err, char *history, size_t size)
{
    struct lf_job *job = work->job;
    bool unknown = err->class == LF_UNKNOWN_OUTCOME;
    if (status == LF_OK) {
        if (*work->note)
            snprintf(history, size, "%s: %s", step->name, work->note);
        after_success(kind, step, work);
        return;
    }
    if (agent_stops(work->jobs, status) && !unknown) {
        job->state = LF_JOB_READY;
        return;
    }
    snprintf(history, size, "%s: %s (%s)", step->name, err->text, lf_class_name(err->class));
    if (status == LF_CANCELLED && !unknown)
        job__end_badly(kind, job, LF_JOB_CANCELLED, LF_CLASS_NONE, "an operator cancelled it while it ran");
    else
        after_error(kind, step, job, err);
}

static enum lf_status run_courier_step(struct job_work *work, const struct job_step *step,
                                       struct lf_error *err)
{
    if (!step->bulk)
        return step->run(work, err);
    if (!job__bulk_begin(work->jobs)) /* not all at once again */
        return job__wait(work, BULK_WAIT_MS + (int64_t)lf_random_below(BULK_WAIT_MS),
                         "waits for one of the transfers that run to end");
    enum lf_status status = step->run(work, err);
    job__bulk_end(work->jobs);
    return status;
}

void job__run_step(struct lf_jobs *jobs, struct lf_job *job, struct lf_instrument *instrument)
{
    const struct lf_job_kind *kind = lf_job_kind_find(job->kind);
    const struct job_step *step = job__step_find(kind, job->step);
    if (put_off(jobs, kind, step, job))
        return;
    struct job_work work = {
        .jobs = jobs,
        .job = job,
        .instrument = instrument,
        .route = job->route ? lf_config_route(jobs->config, job->route) : NULL,
        .call = {.deadline = lf_deadline_in(STEP_DEADLINE_MS), .cancel = &jobs->cancel},
    };
    struct lf_error err = {0};
    char history[LF_ERROR_TEXT + 64] = "";
    lf_log_debug("jobs", "job %lld: %s", (long long)job->id, step->name);
    int64_t asked = lf_clock_mono_ms(); /* what is read may be changed as soon as the request has left */
    enum lf_status status = check_needs(&work, step, &err);
    if (status == LF_OK)
        status = step->run ? run_courier_step(&work, step, &err) : act_once_at_most(&work, step, &err);
    if (step->looks)
        job->looked_mono = status == LF_OK ? asked : 0;
    bool silent = status == LF_OK && waits_as_before(&work);
    conclude(&work, kind, step, status, &err, history, sizeof history);
    if (lf_job_state_final(job->state) || job->state == LF_JOB_HELD)
        log_state(job);
    else if (*history && !silent)
        lf_log_info(*job->instrument ? job->instrument : "jobs", "job %lld: %s", (long long)job->id, history);
    job__breaker(&work, step, status, &err);
    LF_FAILPOINT("step.done");
    save_state(jobs, job, silent ? NULL : history);
    LF_FAILPOINT("step.kept");
    job__spool_forget(&work);
    free(work.wake);
}

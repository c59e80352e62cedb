/* Turns: an instrument does one physical action at a time, in order, and none that Benchling no longer wants.
 *
 * A job asks for its turn at the bench (step "turn"), then a courier looks at Benchling (a step that
 * `looks`), then the bench acts. While a job has its turn the bench does nothing else for its instrument; see
 * enum lf_turn and lf_journal_job_claim for who comes first. Right before it acts the look must be fresh;
 * otherwise the job asks for its turn again. An operator's own job does not ask Benchling.
 */
#include "job/steps.h"

/* A look that is older is not "right before". */
enum { LOOK_FRESH_MS = 10 * 1000 };

/* NULL: the kind never looks. */
static const struct job_step *step_that_looks(const struct lf_job_kind *kind)
{
    const struct job_step *step = kind ? kind->steps : NULL;
    while (step && step->name && !step->looks)
        step++;
    return step && step->name ? step : NULL;
}

bool job__must_look(const struct lf_job *job)
{
    return job->route && step_that_looks(lf_job_kind_find(job->kind));
}

static enum lf_turn turn_of(const struct lf_job *job)
{
    const struct job_step *step = job__step_find(lf_job_kind_find(job->kind), job->step);
    if (lf_job_state_final(job->state) || !*job->instrument)
        return LF_TURN_NONE;
    bool unknown = job->state == LF_JOB_HELD && job->class == LF_UNKNOWN_OUTCOME && step && step->action;
    if (job->acting || unknown)
        return LF_TURN_DOUBT;
    if (job->state == LF_JOB_HELD || !step)
        return LF_TURN_NONE;
    return step->action && !job__must_look(job) ? LF_TURN_WANTED : step->turn;
}

void job__place(struct lf_job *job)
{
    const struct lf_job_kind *kind = lf_job_kind_find(job->kind);
    job->turn = turn_of(job);
    job->in_order = kind && kind->in_order;
}

enum lf_status job__take_turn(struct job_work *work, struct lf_error *err)
{
    const struct job_step *look = step_that_looks(lf_job_kind_find(work->job->kind));
    enum lf_status status = job__await_sign(work, err);
    if (status != LF_OK || work->follow != FOLLOW_NEXT)
        return status;
    if (lf_job_bool(work->job, LF_JOB_UNCHECKED))
        return job__go(work, look[1].name, "a person decided that it acts without asking Benchling again");
    return LF_OK;
}

bool job__looked(struct job_work *work)
{
    struct lf_job *job = work->job;
    int64_t looked = job->looked_mono;
    bool there = job__sample_is_there(work);
    if (there && (!job__must_look(job) || lf_job_bool(job, LF_JOB_UNCHECKED)))
        return true;
    if (there && looked && looked > lf_instrument_steady_since(work->instrument)
        && lf_clock_mono_ms() - looked <= LOOK_FRESH_MS)
        return true;
    job->looked_mono = 0;
    job__go(work, "turn", "%s",
            !there ? "something else has run on the instrument since its sample was put there"
            : looked
                ? "the last look at Benchling is too old, or the instrument was away since: looking again"
                : "");
    return false;
}

enum lf_status job__cannot_look(enum lf_status status, struct lf_error *err)
{
    if (status == LF_OK || status == LF_CANCELLED || err->class != LF_TRANSIENT)
        return status;
    return lf_error_prefix(err, "waits for Benchling to say whether it is still wanted");
}

enum lf_status job__unchecked(struct lf_job *job, struct lf_error *err)
{
    const struct lf_job_kind *kind = lf_job_kind_find(job->kind);
    const struct job_step *step = job__step_find(kind, job->step);
    if (!job__must_look(job))
        return lf_fail(err, LF_REFUSED, LF_PERMANENT,
                       "job %lld does not ask Benchling before it acts, so there is no check to leave out",
                       (long long)job->id);
    if (!step || step->turn < LF_TURN_WANTED)
        return lf_fail(err, LF_REFUSED, LF_PERMANENT,
                       "job %lld is at %s; only one that has all it needs and waits for its instrument or "
                       "for a last look at Benchling can go on unchecked",
                       (long long)job->id, job->step);
    enum lf_status status = lf_job_set_bool(job, LF_JOB_UNCHECKED, true, err);
    if (status == LF_OK)
        job__enter_step(job, job__step_find(kind, "turn"));
    return status;
}

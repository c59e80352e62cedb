/* The sample of a task: where a person has to change it, the task begins only after a sign that it was
 * changed, so that one load is not weighed for three samples. The sign is given by the instrument (a safe
 * procedure of its profile) or by a person (`labferry start`). It holds until something runs on the
 * instrument. Only the first task of all on an instrument needs none; the journal remembers that there was
 * one, since jobs are pruned.
 */
#include "job/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ASK_..._MS: between two looks for the sign, each of which is two commits: twice as long after every
 * ASK_ALIKE of them. Without a sign a person wakes the job. */
enum { ASK_FIRST_MS = 2000, ASK_LAST_MS = 30 * 1000, ASK_ALIKE = 8, DAY_MS = 24 * 60 * 60 * 1000 };

bool job__awaits_sign(const struct lf_job *job)
{
    return job->state == LF_JOB_WAITING && job->turn == LF_TURN_WANTED && job->wake;
}

static void give_sign(struct job_work *work)
{
    struct job_bench *bench = job__bench(work->jobs, work->job->instrument);
    if (bench)
        lf_job_set_int(work->job, LF_JOB_SIGNED, bench->runs, &(struct lf_error){0}); /* else asked again */
}

bool job__sample_is_there(const struct job_work *work)
{
    const struct job_bench *bench = job__bench(work->jobs, work->job->instrument);
    int64_t sign = lf_job_int(work->job, LF_JOB_SIGNED, 0);
    return !sign || !bench || sign == bench->runs;
}

void job__has_run(struct job_work *work)
{
    struct job_bench *bench = job__bench(work->jobs, work->job->instrument);
    if (!bench)
        return;
    bench->runs++;
    if (lf_job_int(work->job, LF_JOB_SIGNED, 0)) /* its own sample is still there */
        give_sign(work);
}

enum lf_status job__note_sample(struct job_work *work, struct lf_error *err)
{
    char room[LF_PAUSED_NAME], *known = NULL;
    const struct lf_job_kind *kind = lf_job_kind_find(work->job->kind);
    const char *name = lf_journal_sampled(work->job->instrument, room);
    if (!kind || !kind->config.claims)
        return LF_OK;
    enum lf_status status = lf_journal_get(work->jobs->journal, name, &known, err);
    if (status == LF_OK && !known)
        status = lf_journal_set(work->jobs->journal, name, "yes", err);
    free(known);
    return status;
}

/* If it cannot be read, there is one. */
static bool may_have_sample(const struct job_work *work)
{
    char room[LF_PAUSED_NAME], *known = NULL;
    const char *name = lf_journal_sampled(work->job->instrument, room);
    bool none = lf_journal_get(work->jobs->journal, name, &known, &(struct lf_error){0}) == LF_OK && !known;
    free(known);
    return !none;
}

static int64_t ask_again_ms(const struct job_work *work)
{
    struct job_bench *bench = job__bench(work->jobs, work->job->instrument);
    int64_t wait = ASK_FIRST_MS;
    if (!bench)
        return ASK_LAST_MS;
    if (bench->asked.job != work->job->id)
        bench->asked = (typeof(bench->asked)){.job = work->job->id};
    for (int i = bench->asked.times++ / ASK_ALIKE; i > 0 && wait < ASK_LAST_MS; i--)
        wait *= 2;
    return wait < ASK_LAST_MS ? wait : ASK_LAST_MS;
}

static enum lf_status wait_for_sign(struct job_work *work, const char *sign, const char *why,
                                    struct lf_error *err)
{
    char sample[200] = "";
    const cJSON *input;
    cJSON_ArrayForEach (input, lf_job_json(work->job, LF_JOB_INPUTS)) {
        size_t used = strlen(sample);
        snprintf(sample + used, sizeof sample - used, "%s%.40s %.60s", used ? ", " : " (", input->string,
                 cJSON_IsString(input) ? input->valuestring : "");
    }
    work->wake = lf_format("start:%lld", (long long)work->job->id);
    if (!work->wake)
        return lf_fail_memory(err, "waiting for a sample");
    return job__wait(
        work, sign ? ask_again_ms(work) : DAY_MS,
        "waits for a person: put the sample of %.60s%s%s on %.80s%s `labferry start %lld`%s%.120s",
        lf_job_about(work->job), sample, *sample ? ")" : "", work->job->instrument,
        sign ? "; if it does not notice," : ", then", (long long)work->job->id,
        *why ? ". It cannot be asked: " : "", why);
}

/* The sign is looked for. LF_OK: it is there. */
static enum lf_status ask_for_sign(struct job_work *work, const char *sign, struct lf_error *err)
{
    struct lf_action action = {.job = work->job->id, .kind = LF_ACTION_RUN, .name = sign};
    struct lf_outcome outcome = {0};
    enum lf_repeat repeat = LF_ONCE;
    enum lf_status status = lf_instrument_repeat(work->instrument, &action, &repeat, err);
    if (status == LF_OK && repeat != LF_SAFE)
        status = lf_fail(err, LF_INVALID, LF_PERMANENT, "its sign \"%s\" is not safe to repeat", sign);
    if (status == LF_OK)
        status = lf_instrument_act(work->instrument, &action, &outcome, err);
    lf_outcome_free(&outcome);
    return status;
}

static enum lf_status look_for_sign(struct job_work *work, const char *sign, struct lf_error *err)
{
    struct job_bench *bench = job__bench(work->jobs, work->job->instrument);
    struct lf_error why = {0};
    enum lf_status status = ask_for_sign(work, sign, &why);
    int64_t id = work->job->id; /* a person may have said so meanwhile, or just after the last look */
    if ((bench && atomic_compare_exchange_strong(&bench->started, &id, 0)) || status == LF_OK) {
        give_sign(work);
        return LF_OK;
    }
    if (status == LF_CANCELLED || status == LF_DISCONNECTED)
        return lf_fail(err, status, LF_TRANSIENT, "%s", why.text);
    bool not_yet = status == LF_BUSY || status == LF_TIMEOUT;
    return wait_for_sign(work, sign, not_yet ? "" : why.text, err);
}

enum lf_status job__await_sign(struct job_work *work, struct lf_error *err)
{
    const struct lf_config_route *route = work->route;
    const struct lf_job *job = work->job;
    if (!route || !route->kind->claims || route->start == LF_START_AT_ONCE)
        return LF_OK;
    if (lf_job_int(job, LF_JOB_SIGNED, 0) && job__sample_is_there(work))
        return LF_OK;
    if (route->start == LF_START_OPERATOR)
        return wait_for_sign(work, NULL, "", err);
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = lf_job_text(job, LF_JOB_PROCEDURE)};
    const char *sign = action.name ? lf_instrument_sign(work->instrument, &action) : NULL;
    if (!sign && route->start == LF_START_AUTO)
        return LF_OK;
    if (!may_have_sample(work)) {
        give_sign(work);
        return LF_OK;
    }
    return sign ? look_for_sign(work, sign, err) : wait_for_sign(work, NULL, "", err);
}

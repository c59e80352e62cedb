/* What a job waits for that does not move, for people. */
#include "job/steps.h"

#include <stdio.h>
#include <string.h>

/* The instrument's own reasons; "" if it has none. */
static void instrument_waits(struct lf_instrument *instrument, int64_t job, char *text, size_t size)
{
    cJSON *info = lf_instrument_info(instrument, NULL);
    const char *state = lf_json_text_or(info, "state", ""), *note = lf_json_text_or(info, "note", "");
    const char *name = lf_instrument_name(instrument);
    int64_t busy = lf_json_int(info, "job", 0);
    *text = '\0';
    if (!strcmp(state, lf_instrument_state_name(LF_INSTRUMENT_OFFLINE)))
        snprintf(text, size, "%s, which is offline: %s", name, note);
    else if (lf_json_bool(info, "paused", false))
        snprintf(text, size, strncmp(note, "paused by ", 10) ? "%s, which is paused (%s)" : "%s, which is %s",
                 name, note);
    else if (busy && busy != job)
        snprintf(text, size, "%s, which is busy with job %lld", name, (long long)busy);
    cJSON_Delete(info);
}

static void bench_waits(struct lf_jobs *jobs, const struct lf_job *job, char *text, size_t size)
{
    struct lf_instrument *instrument = lf_jobs_instrument(jobs, job->instrument);
    int64_t other = 0;
    enum lf_turn turn = LF_TURN_NONE;
    if (!instrument) {
        snprintf(text, size, "%s, which is not in the configuration", job->instrument);
        return;
    }
    instrument_waits(instrument, job->id, text, size);
    if (*text || lf_journal_job_behind(jobs->journal, job->id, &other, &turn, &(struct lf_error){0}) != LF_OK)
        return;
    if (other && turn == LF_TURN_DOUBT)
        snprintf(text, size, "%s, which job %lld holds until a person says whether its action happened",
                 job->instrument, (long long)other);
    else if (other)
        snprintf(text, size,
                 turn == LF_TURN_TAKEN ? "%s, where it is the turn of job %lld"
                                       : "%s, where job %lld comes first",
                 job->instrument, (long long)other);
    else
        snprintf(text, size, "%s", job->instrument);
}

void job__waits_for(struct lf_jobs *jobs, const struct lf_job *job, char *text, size_t size)
{
    *text = '\0';
    if (job->state == LF_JOB_HELD)
        snprintf(text, size, "a person");
    else if (job__awaits_sign(job))
        snprintf(text, size, "a person at %s", job->instrument);
    else if ((job->state == LF_JOB_READY || job->state == LF_JOB_WAITING) && job->bench)
        bench_waits(jobs, job, text, size);
    else if (job->state == LF_JOB_WAITING)
        snprintf(text, size, "Benchling");
}

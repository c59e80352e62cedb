/* The breaker: when three jobs in a row fail alike on an instrument, the cause is hardly the jobs. The
 * instrument is paused, as a person would do it, before all that wait fail too.
 */
#include "base/log.h"
#include "job/steps.h"

#include <stdio.h>
#include <string.h>

enum { ALIKE = 3 };

/* True: that was one too many. */
static bool count_failure(struct job_bench *bench, const char *kind, int64_t job)
{
    bool alike = !strcmp(bench->breaker.kind, kind), again = bench->breaker.job == job;
    snprintf(bench->breaker.kind, sizeof bench->breaker.kind, "%s", kind);
    bench->breaker.count = alike ? bench->breaker.count + !again : 1;
    bench->breaker.job = job;
    bool open = bench->breaker.count >= ALIKE;
    if (open)
        bench->breaker.count = 0;
    return open;
}

static void pause_it(struct lf_jobs *jobs, struct lf_instrument *instrument, const char *step,
                     const struct lf_error *why)
{
    struct lf_error err = {0};
    char name[LF_PAUSED_NAME], text[LF_ERROR_TEXT];
    snprintf(text, sizeof text, "paused itself: %d jobs in a row failed alike at %s, the last with: %.280s",
             ALIKE, step, why->text);
    lf_log_warning(lf_instrument_name(instrument), "%s", text);
    if (lf_journal_set(jobs->journal, lf_journal_paused(lf_instrument_name(instrument), name), text, &err)
        != LF_OK)
        lf_log_warning(lf_instrument_name(instrument), "the pause will not outlast a restart: %s", err.text);
    lf_instrument_pause(instrument, text);
}

void job__breaker(const struct job_work *work, const struct job_step *step, enum lf_status status,
                  const struct lf_error *err)
{
    struct lf_jobs *jobs = work->jobs;
    struct job_bench *bench = step->turn >= LF_TURN_WANTED ? job__bench(jobs, work->job->instrument) : NULL;
    bool failed = status != LF_OK && status != LF_CANCELLED
                  && (err->class == LF_PERMANENT || err->class == LF_NEEDS_PERSON);
    bool acted = status == LF_OK && step->action && work->follow == FOLLOW_NEXT;
    bool open = false;
    char kind[sizeof bench->breaker.kind];
    if (!bench || (!failed && !acted))
        return;
    snprintf(kind, sizeof kind, "%s %d %d", step->name, (int)status, (int)err->class);
    lf_mutex_lock(&jobs->breaker_mutex);
    if (failed)
        open = count_failure(bench, kind, work->job->id);
    else
        bench->breaker.count = 0;
    lf_mutex_unlock(&jobs->breaker_mutex);
    if (open)
        pause_it(jobs, lf_jobs_instrument(jobs, work->job->instrument), step->name, err);
}

/* An event comes without proof of who sent it: it may have been forged, or changed since. What a job of a
 * route is about is read from the cloud before anything is done, and the route must match that, too.
 */
#include "job/steps.h"

#include "base/log.h"
#include "event/event.h"
#include "event/pattern.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>

/* *match: also if the journal no longer has the event, or the route has no pattern. */
static enum lf_status matches(const struct job_work *work, const cJSON *resource, bool *match,
                              struct lf_error *err)
{
    struct lf_event_row row;
    struct lf_event *event = NULL, *whole = NULL;
    struct lf_pattern *pattern = NULL;
    *match = true;
    if (!work->job->event_id || !work->route || !work->route->pattern)
        return LF_OK;
    enum lf_status status = lf_journal_event_get(work->jobs->journal, work->job->event_id, &row, err);
    if (status == LF_NOT_FOUND)
        return LF_OK;
    if (status == LF_OK)
        status = lf_event_decode_completed(lf_slice(row.body, row.body_len), &event, err);
    if (status == LF_OK)
        status = lf_event_with(event, resource, &whole, err);
    if (status == LF_OK)
        status = lf_pattern_compile(work->route->pattern, &pattern, err);
    if (status == LF_OK)
        *match = lf_pattern_match(pattern, whole->root);
    lf_pattern_free(pattern);
    lf_event_free(whole);
    lf_event_free(event);
    lf_event_row_free(&row);
    return status;
}

static void kick_intake(void *context, int64_t number, const char *text)
{
    (void)number, (void)text;
    struct lf_jobs *jobs = context;
    if (jobs->options.reread)
        jobs->options.reread(jobs->options.context);
}

static enum lf_status disown(struct job_work *work, struct lf_error *err)
{
    struct lf_journal *journal = work->jobs->journal;
    char about[60], text[400];
    /* "job N" is over when the job ends as cancelled; this is not. */
    snprintf(about, sizeof about, "event of job %lld", (long long)work->job->id);
    snprintf(text, sizeof text,
             "job %lld was cancelled before it did anything: what Benchling has does not match its route "
             "\"%.80s\". It was changed since event %.80s, or that event is not genuine",
             (long long)work->job->id, work->job->route, work->job->event_id);
    struct lf_concern concern = {.source = "job",
                                 .about = about,
                                 .text = text,
                                 .todo = "if nobody changed it in Benchling, look who may publish on the "
                                         "topics of the events"};
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = lf_journal_job_disown(journal, work->job->id, err);
    if (status == LF_OK)
        status = lf_journal_concern(journal, &concern, err);
    lf_journal_after_commit(journal, kick_intake, work->jobs, 0, NULL);
    return lf_journal_end(journal, status, err);
}

enum lf_status job__rematch(struct job_work *work, const cJSON *resource, struct lf_error *err)
{
    bool match;
    enum lf_status status = matches(work, resource, &match, err);
    if (status == LF_OK && !match)
        status = disown(work, err);
    return status != LF_OK || match
               ? status
               : job__end(
                   work, LF_JOB_CANCELLED,
                   "what Benchling has does not match the route \"%s\": it was changed since the event, "
                   "or the event is not genuine",
                   work->job->route);
}

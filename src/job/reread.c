/* Events that lack properties (dropped for size, or a thin webhook): read the resource from the API, then
 * route. */
#include "job/steps.h"

#include "base/log.h"
#include "event/event.h"
#include "intake/intake.h"

enum { REREAD_DEADLINE_MS = 5 * 60 * 1000, REREAD_CAP_MS = 5 * 60 * 1000, NO_JOURNAL_WAIT_MS = 5000 };

static enum lf_status read_resource(struct lf_jobs *jobs, const struct lf_event_row *row, cJSON **resource,
                                    struct lf_error *err)
{
    struct lf_event *event = NULL;
    enum lf_status status = lf_event_decode(lf_slice(row->body, row->body_len), &event, err);
    if (status != LF_OK)
        return status;
    struct lf_call call = {.deadline = lf_deadline_in(REREAD_DEADLINE_MS), .cancel = &jobs->cancel};
    if (event->resource_id)
        status = lf_cloud_get_resource(jobs->cloud, event->resource, event->resource_id, &call, resource,
                                       err);
    else
        status = lf_fail(err, LF_INVALID, LF_PERMANENT, "the event does not name the id of its %s",
                         event->resource);
    lf_event_free(event);
    return status;
}

static enum lf_status route_again(struct lf_jobs *jobs, const struct lf_event_row *row, const cJSON *resource,
                                  struct lf_error *err)
{
    int made = 0;
    enum lf_status status = lf_journal_begin(jobs->journal, err);
    if (status != LF_OK)
        return status;
    status = lf_intake_reread(jobs->options.intake, row, resource, &made, err);
    if (status != LF_OK) {
        lf_journal_rollback(jobs->journal);
        return status;
    }
    status = lf_journal_commit(jobs->journal, err);
    if (status == LF_OK && made)
        lf_jobs_kick(jobs);
    return status;
}

bool job__reread_one(struct lf_jobs *jobs, int64_t *next_mono)
{
    struct lf_event_row row;
    struct lf_error err = {0};
    int64_t again = lf_deadline_in(REREAD_DEADLINE_MS
                                   + REREAD_CAP_MS); /* should this process be killed now */
    enum lf_status status = lf_journal_event_claim_reread(jobs->journal, again, &row, next_mono, &err);
    if (status != LF_OK && status != LF_NOT_FOUND) {
        lf_log_error("jobs", "cannot look for events to be read again: %s", err.text);
        *next_mono = lf_deadline_in(NO_JOURNAL_WAIT_MS);
    }
    if (status != LF_OK)
        return false;
    cJSON *resource = NULL;
    status = read_resource(jobs, &row, &resource, &err);
    if (status == LF_OK)
        status = route_again(jobs, &row, resource, &err);
    if (status != LF_OK && err.class == LF_PERMANENT) {
        lf_log_warning("jobs", "event %s lacks properties that cannot be read: %s", row.id, err.text);
        lf_journal_event_fate(jobs->journal, row.id, LF_FATE_LOST, err.text, NULL);
    } else if (status != LF_OK) {
        lf_log_info("jobs", "event %s is read again later: %s", row.id, err.text);
        int64_t wait = lf_backoff_ms(row.attempt, 1000, REREAD_CAP_MS);
        lf_journal_event_put_off(jobs->journal, row.id,
                                 lf_deadline_in(wait > err.retry_after_ms ? wait : err.retry_after_ms), NULL);
    }
    cJSON_Delete(resource);
    lf_event_row_free(&row);
    return true;
}

/* Events that lack properties (dropped for size, or a thin webhook), and those whose job found that the
 * resource is not what they said: their resource is read from the API, then they are routed. On the intake
 * thread. */
#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "intake/parts.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    READ_DEADLINE_MS = 5 * 60 * 1000,
    RETRY_CAP_MS = 5 * 60 * 1000,
    NO_JOURNAL_WAIT_MS = 5000,
};

static enum lf_status read_resource(struct lf_intake *intake, const struct lf_event *event, cJSON **resource,
                                    struct lf_error *err)
{
    struct lf_call call = {.deadline = lf_deadline_in(READ_DEADLINE_MS),
                           .cancel = &intake->poll.worker.cancel};
    if (event->resource_id)
        return lf_cloud_get_resource(intake->options.cloud, event->resource, event->resource_id, &call,
                                     resource, err);
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "the event does not name the id of its %s",
                   event->resource);
}

static enum lf_status reread(struct lf_intake *intake, const struct lf_event_row *row, struct lf_error *err)
{
    struct lf_event *event = NULL, *whole = NULL;
    cJSON *resource = NULL;
    enum lf_status status = lf_event_decode_completed(lf_slice(row->body, row->body_len), &event, err);
    if (status == LF_OK)
        status = read_resource(intake, event, &resource, err);
    if (status == LF_OK)
        status = lf_event_with(event, resource, &whole, err);
    if (status == LF_OK)
        status = lf_journal_begin(intake->journal, err);
    if (status == LF_OK)
        status = lf_journal_end(intake->journal, intake__route(intake, whole, row->id, err), err);
    cJSON_Delete(resource);
    lf_event_free(event);
    lf_event_free(whole);
    return status;
}

/* If it cannot be written now, the event is read again later. */
static void give_up(struct lf_intake *intake, const struct lf_event_row *row, const struct lf_error *why)
{
    char about[300], text[LF_ERROR_TEXT + 400], todo[300];
    struct lf_error err;
    snprintf(about, sizeof about, "event %.250s", row->id);
    snprintf(text, sizeof text, "%s (%s) was incomplete, and its resource cannot be read: %s", about,
             row->type ? row->type : "unknown type", why->text);
    snprintf(todo, sizeof todo, "see in Benchling what it was about; labferry %s", about);
    struct lf_concern concern = {.source = INTAKE_CONCERN, .about = about, .text = text, .todo = todo};
    enum lf_status status = lf_journal_begin(intake->journal, &err);
    if (status != LF_OK)
        return;
    status = lf_journal_event_fate(intake->journal, row->id, LF_FATE_LOST, why->text, &err);
    if (status == LF_OK)
        status = lf_journal_concern(intake->journal, &concern, &err);
    lf_journal_end(intake->journal, status, &err);
}

static void after_error(struct lf_intake *intake, const struct lf_event_row *row, const struct lf_error *why)
{
    struct lf_error err;
    if (why->class == LF_PERMANENT) {
        lf_log_warning("intake", "event %s was incomplete and could not be re-fetched: %s", row->id,
                       why->text);
        give_up(intake, row, why);
        return;
    }
    lf_log_info("intake", "event %s is incomplete and will be re-fetched later: %s", row->id, why->text);
    int64_t wait = lf_backoff_ms(row->attempt, LF_PACE_CLOUD);
    lf_journal_event_put_off(intake->journal, row->id,
                             lf_deadline_in(wait > why->retry_after_ms ? wait : why->retry_after_ms), &err);
}

bool intake__reread_one(struct lf_intake *intake, int64_t *next_mono)
{
    struct lf_event_row row;
    struct lf_error err = {0};
    int64_t again = lf_deadline_in(READ_DEADLINE_MS + RETRY_CAP_MS); /* if this process is killed now */
    enum lf_status status = lf_journal_event_claim_reread(intake->journal, again, &row, next_mono, &err);
    if (status != LF_OK) {
        if (status != LF_NOT_FOUND) {
            lf_log_error("intake", "cannot look for incomplete events: %s", err.text);
            *next_mono = lf_deadline_in(NO_JOURNAL_WAIT_MS);
        }
        return false;
    }
    if (reread(intake, &row, &err) != LF_OK)
        after_error(intake, &row, &err);
    lf_event_row_free(&row);
    return true;
}

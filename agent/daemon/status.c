#include "agent/daemon/status.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "intake/intake.h"
#include "job/job.h"
#include "journal/audit.h"
#include "link/link.h"

#include <stdlib.h>

enum { NEEDS_SENT = 50 };

/* False: no memory. */
static bool set_duplicate(cJSON *status, struct lf_context *context)
{
    cJSON *health = context->link ? lf_link_health(context->link) : NULL;
    const char *text = lf_json_text(health, "duplicate");
    bool good = !text || lf_json_set_text(status, "duplicate", text);
    cJSON_Delete(health);
    return good;
}

/* How many instruments are in each state. */
static cJSON *instrument_counts(struct lf_jobs *jobs)
{
    cJSON *counts = cJSON_CreateObject();
    for (size_t i = 0; counts && i < lf_jobs_instrument_count(jobs); i++) {
        const char *state = lf_instrument_state_name(lf_instrument_state(lf_jobs_instrument_at(jobs, i)));
        lf_json_set_int(counts, state, lf_json_int(counts, state, 0) + 1);
    }
    return counts;
}

static cJSON *outbox_counts(struct lf_journal *journal)
{
    struct lf_journal_use use;
    cJSON *counts = cJSON_CreateObject();
    lf_journal_use(journal, &use);
    return lf_json_made(counts, lf_json_set_int(counts, "waiting", use.outbox)
                                    && lf_json_set_int(counts, "dropped", use.outbox_dropped));
}

/* The head of the audit trail, noted where this machine cannot change it unseen. Not part of the status,
 * which the last will replaces. */
static bool queue_audit_head(struct lf_context *context, struct lf_error *err)
{
    struct lf_audit_head head;
    char at[LF_TIME_TEXT], text[LF_AUDIT_HEAD];
    if (lf_journal_audit_head(context->journal, &head, err) != LF_OK)
        return false;
    lf_time_format(lf_clock_wall_ms(), at);
    lf_audit_head_text(&head, text);
    const char *topic = context->config->link.audit_topic;
    char *note = lf_format("{\"head\":\"%s\",\"at\":\"%s\"}", text, at);
    enum lf_status status = note ? lf_journal_outbox_add(context->journal, topic, note, true, err)
                                 : lf_fail_memory(err, "publishing the head of the audit trail");
    free(note);
    return status == LF_OK;
}

/* The first of what needs attention, as the verb status lists it, and how many there are. */
static bool add_needs(cJSON *status, struct lf_context *context)
{
    cJSON *whole = lf_control_status(context),
          *needs = cJSON_DetachItemFromObjectCaseSensitive(whole, "needs");
    int count = cJSON_GetArraySize(needs);
    cJSON_Delete(whole);
    for (int i = count - 1; i >= NEEDS_SENT; i--)
        cJSON_DeleteItemFromArray(needs, i);
    return lf_json_set(status, "needs", needs) && lf_json_set_int(status, "needs_count", count);
}

char *status_needs(struct lf_context *context)
{
    cJSON *status = lf_control_status(context), *need;
    struct lf_buffer text = {0};
    cJSON_ArrayForEach (need, lf_json_at(status, "needs"))
        lf_buffer_format(&text, "%s\n", lf_json_text_or(need, "what", ""));
    cJSON_Delete(status);
    return lf_buffer_take(&text);
}

static bool queue(struct lf_context *context, const char *topic, const char *text, bool with_head,
                  struct lf_error *err)
{
    if (lf_journal_begin(context->journal, err) != LF_OK)
        return false;
    enum lf_status status = lf_journal_outbox_add(context->journal, topic, text, true, err);
    if (status == LF_OK && with_head && !queue_audit_head(context, err))
        status = err->status;
    return lf_journal_end(context->journal, status, err) == LF_OK;
}

bool status_queue_head(struct lf_context *context)
{
    struct lf_error err = {0};
    bool good = queue_audit_head(context, &err);
    if (!good)
        lf_log_warning("agent", "the head of the audit trail could not be queued: %s", err.text);
    return good;
}

bool status_queue(struct lf_context *context, bool with_head)
{
    char *text = NULL;
    struct lf_error err = {0}, trouble = {0};
    cJSON *status = cJSON_CreateObject();
    bool good = lf_json_set_text(status, "state", "online") && lf_json_set_text(status, "version", LF_VERSION)
                && lf_json_set_text(status, "config", context->config->digest)
                && lf_json_set_time(status, "started", context->started_ms) && set_duplicate(status, context)
                && lf_json_set(status, "instruments", instrument_counts(context->jobs))
                && lf_json_set(status, "jobs", lf_journal_job_counts(context->journal, NULL))
                && lf_json_set(status, "events", lf_journal_event_counts(context->journal))
                && lf_json_set(status, "outbox", outbox_counts(context->journal))
                && lf_json_set_text(status, "trouble",
                                    lf_journal_room(context->journal, LF_ROOM_WORK, &trouble) == LF_OK
                                        ? NULL
                                        : trouble.text)
                && add_needs(status, context) && (text = lf_json_print(status));
    if (!good)
        lf_fail_memory(&err, "making the status message");
    if (good)
        good = queue(context, context->config->link.status_topic, text, with_head, &err);
    if (!good)
        lf_log_warning("agent", "the status message could not be queued: %s", err.text);
    free(text);
    cJSON_Delete(status);
    return good;
}

/* Performs verbs for every kind of caller and records them in the audit trail.
 *
 * Verbs that only look are not audited. A verb that changes only the journal ("atomic") runs in one
 * transaction with its audit entry and with what the caller records; if it fails, that transaction is rolled
 * back and the failure is recorded in another. Any other verb is recorded as running before it starts and
 * with its outcome after it; until the outcome can be recorded, the trail says "running".
 */
#include "control/perform.h"

#include "base/clock.h"
#include "base/log.h"
#include "journal/audit.h"
#include "journal/journal.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 5000 }; /* between attempts to record an outcome */

const char *control__state_name(enum lf_verb_state state)
{
    static const char *const names[] = {"accepted", "running", "succeeded", "failed"};
    return names[state];
}

/* ---- audit ---- */

/* The job or the instrument that the arguments name. */
static const char *audit_subject(const cJSON *args, char room[32])
{
    int64_t job = lf_json_int(args, "job", 0);
    if (job <= 0)
        return lf_json_text(args, "instrument");
    snprintf(room, 32, "job %lld", (long long)job);
    return room;
}

enum lf_status control__audit(struct lf_journal *journal, const char *who, const char *verb,
                              const cJSON *args, enum lf_verb_state state, const struct lf_error *why,
                              struct lf_error *err)
{
    char about[32];
    bool may_have_changed = state == LF_VERB_RUNNING || state == LF_VERB_SUCCEEDED
                            || (why && why->class != LF_PERMANENT);
    if (!may_have_changed && lf_journal_command_flood(journal))
        return LF_OK; /* or a broken publisher would fill the trail, which keeps everything */
    bool has_args = cJSON_IsObject(args) && args->child;
    char *json = has_args ? lf_json_print(args) : NULL;
    /* Long arguments are cut, the outcome never is. */
    char *text = json || !has_args ? lf_format("%.40s%s%.1200s: %s%s%s", verb ? verb : "invalid command",
                                               json ? " " : "", json ? json : "", control__state_name(state),
                                               why ? ": " : "", why ? why->text : "")
                                   : NULL;
    enum lf_status status = text ? lf_journal_audit_add(journal, who, "command", audit_subject(args, about),
                                                        text, err)
                                 : lf_fail_memory(err, "recording a command");
    free(text);
    free(json);
    return status;
}

/* ---- recording states ---- */

struct work {
    struct lf_context *context;
    const struct lf_verb_request *request;
    const struct lf_verb *verb; /* NULL: there is no such verb */
};

static bool is_audited(const struct work *work)
{
    return work->verb && work->verb->flags & LF_VERB_CHANGES;
}

static enum lf_status call_record(const struct work *work, enum lf_verb_state state, const cJSON *result,
                                  const struct lf_error *why, struct lf_error *err)
{
    const struct lf_verb_request *request = work->request;
    return request->record ? request->record(request->context, state, result, why, err) : LF_OK;
}

static enum lf_status add_state(const struct work *work, enum lf_verb_state state, const cJSON *result,
                                const struct lf_error *why, struct lf_error *err)
{
    const struct lf_verb_request *request = work->request;
    enum lf_status status = is_audited(work) ? control__audit(work->context->journal, request->who,
                                                              request->verb, request->args, state, why, err)
                                             : LF_OK;
    return status == LF_OK ? call_record(work, state, result, why, err) : status;
}

static enum lf_status commit_state(const struct work *work, enum lf_verb_state state, const cJSON *result,
                                   const struct lf_error *why, struct lf_error *err)
{
    struct lf_journal *journal = work->context->journal;
    if (!is_audited(work) && !work->request->record)
        return LF_OK;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    return lf_journal_end(journal, add_state(work, state, result, why, err), err);
}

/* An outcome must be recorded however long the journal is in trouble, as long as the caller can wait. */
static bool commit_outcome(const struct work *work, const cJSON *result, const struct lf_error *why)
{
    const struct lf_verb_request *request = work->request;
    struct lf_error err = {0};
    while (commit_state(work, why ? LF_VERB_FAILED : LF_VERB_SUCCEEDED, result, why, &err) != LF_OK) {
        lf_log_error("control", "the outcome of %s by %s cannot be recorded: %s",
                     request->verb ? request->verb : "a request", request->who, err.text);
        if (!request->cancel || lf_sleep_until(lf_deadline_in(RETRY_MS), request->cancel) != LF_OK)
            return false;
    }
    return true;
}

/* ---- performing ---- */

static enum lf_status perform_atomic(const struct work *work, bool *settled, cJSON **result,
                                     struct lf_error *err)
{
    struct lf_journal *journal = work->context->journal;
    bool refused = false;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = call_record(work, LF_VERB_RUNNING, NULL, NULL, err);
    if (status == LF_OK) {
        status = work->verb->perform(work->context, work->request, result, err);
        refused = status != LF_OK;
    }
    if (status == LF_OK)
        status = add_state(work, LF_VERB_SUCCEEDED, *result, NULL, err);
    status = lf_journal_end(journal, status, err);
    *settled = status == LF_OK;
    if (status == LF_OK)
        return LF_OK;
    cJSON_Delete(*result);
    *result = NULL;
    /* A caller with records of its own performs it again when the journal works. */
    if (refused || !work->request->record)
        *settled = commit_outcome(work, NULL, err);
    return status;
}

static enum lf_status perform_open(const struct work *work, bool *settled, cJSON **result,
                                   struct lf_error *err)
{
    enum lf_status status = commit_state(work, LF_VERB_RUNNING, NULL, NULL, err);
    if (status != LF_OK)
        return status;
    status = work->verb->perform(work->context, work->request, result, err);
    *settled = commit_outcome(work, *result, status == LF_OK ? NULL : err);
    return status;
}

enum lf_status lf_verb_perform(struct lf_context *context, const struct lf_verb_request *request,
                               bool *settled, cJSON **result, struct lf_error *err)
{
    struct work work = {context, request, lf_verb_find(request->verb)};
    const struct lf_verb *checked;
    *result = NULL;
    *settled = false;
    enum lf_status status = lf_verb_check(lf_verb_at, request->verb, request->args, &checked, err);
    if (is_audited(&work) && request->denied)
        status = lf_fail(err, LF_DENIED, LF_NEEDS_PERSON, "%s may not `%s`: %s", request->who, request->verb,
                         request->denied);
    if (status == LF_OK)
        return work.verb->flags & LF_VERB_ATOMIC ? perform_atomic(&work, settled, result, err)
                                                 : perform_open(&work, settled, result, err);
    *settled = commit_outcome(&work, NULL, err);
    return status;
}

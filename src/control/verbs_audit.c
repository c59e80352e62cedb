/* Verbs about the audit trail. */
#include "control/verbs.h"

#include "base/clock.h"
#include "journal/audit.h"

#include <inttypes.h>
#include <stdio.h>

struct entry_list {
    cJSON *array;
    bool short_of_memory;
};

static void list_entry(void *context, const struct lf_audit_entry *entry)
{
    struct entry_list *list = context;
    cJSON *json = lf_audit_entry_json(entry);
    if (!json || !cJSON_AddItemToArray(list->array, json)) {
        cJSON_Delete(json);
        list->short_of_memory = true;
    }
}

static enum lf_status read_filter(const struct lf_request_to_verb *request, struct lf_audit_filter *filter,
                                  char about[32], struct lf_error *err)
{
    const char *since = arg_text(request, "since");
    int64_t job = arg_int(request, "job", 0), limit = arg_int(request, "limit", LIST_LIMIT);
    *filter = (struct lf_audit_filter){.about = arg_text(request, "about"),
                                       .what = arg_text(request, "what"),
                                       .from = arg_int(request, "from", 0),
                                       .limit = limit > LIST_LIMIT_MAX ? LIST_LIMIT_MAX : (int)limit};
    if (job && filter->about)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "audit: \"job\" and \"about\" exclude each other");
    if ((job || filter->about) && filter->from)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "audit: \"from\" goes without \"job\" and \"about\"");
    if (job) {
        snprintf(about, 32, "job %" PRId64, job);
        filter->about = about;
    }
    if (since && lf_time_parse(since, &filter->since_ms) != LF_OK)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "audit: \"since\" must be a time like 2026-11-22T06:09:34Z, not \"%.40s\"", since);
    return LF_OK;
}

enum lf_status control__verb_audit(struct lf_context *context, const struct lf_request_to_verb *request,
                                   cJSON **result, struct lf_error *err)
{
    struct lf_audit_filter filter;
    char about[32];
    enum lf_status status = read_filter(request, &filter, about, err);
    if (status != LF_OK)
        return status;
    struct entry_list list = {.array = cJSON_CreateArray()};
    status = list.array ? lf_journal_audit_list(context->journal, &filter, list_entry, &list, err) : LF_OK;
    if (status == LF_OK && (!list.array || list.short_of_memory))
        status = lf_fail_memory(err, "making a list");
    if (status == LF_OK)
        *result = list.array;
    else
        cJSON_Delete(list.array);
    return status;
}

enum lf_status control__verb_audit_verify(struct lf_context *context,
                                          const struct lf_request_to_verb *request, cJSON **result,
                                          struct lf_error *err)
{
    struct lf_audit_head noted;
    struct lf_audit_verdict verdict;
    char head[LF_SHA256_HEX + 24];
    const char *text = arg_text(request, "noted");
    if (text && !lf_audit_head_parse(text, &noted))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "audit_verify: \"noted\" must be a head as it was told: NUMBER:DIGEST");
    enum lf_status status = lf_journal_audit_verify(context->journal, text ? &noted : NULL, &verdict, err);
    if (status != LF_OK)
        return status;
    snprintf(head, sizeof head, "%" PRId64 ":%s", verdict.head.seq, verdict.head.hash);
    *result = cJSON_CreateObject();
    if (*result && lf_json_set_int(*result, "entries", verdict.count)
        && lf_json_set_int(*result, "first", verdict.first) && lf_json_set_text(*result, "head", head))
        return LF_OK;
    cJSON_Delete(*result);
    *result = NULL;
    return lf_fail_memory(err, "telling about the audit trail");
}

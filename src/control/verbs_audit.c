/* Verbs about the audit trail. */
#include "control/verbs.h"

#include "config/config.h"
#include "journal/audit.h"

#include <inttypes.h>
#include <stdio.h>

static void list_entry(void *list, const struct lf_audit_entry *entry)
{
    lf_json_add(list, lf_audit_entry_json(entry));
}

static void read_filter(const struct lf_verb_request *request, struct lf_audit_filter *filter, char about[32])
{
    const char *since = arg_text(request, "since");
    int64_t job = lf_json_int(request->args, "job", 0);
    *filter = (struct lf_audit_filter){.about = arg_text(request, "about"),
                                       .what = arg_text(request, "what"),
                                       .from = lf_json_int(request->args, "from", 0),
                                       .limit = control__arg_limit(request)};
    if (job) {
        snprintf(about, 32, "job %" PRId64, job);
        filter->about = about;
    }
    if (since)
        control__parse_time(since, &filter->since_ms);
}

static enum lf_status perform_audit(struct lf_context *context, const struct lf_verb_request *request,
                                    cJSON **result, struct lf_error *err)
{
    struct lf_audit_filter filter;
    char about[32];
    cJSON *list = cJSON_CreateArray();
    read_filter(request, &filter, about);
    enum lf_status status = lf_journal_audit_list(context->journal, &filter, list_entry, &list, err);
    return control__answer_list(status, list, result, err);
}

static enum lf_status perform_audit_verify(struct lf_context *context, const struct lf_verb_request *request,
                                           cJSON **result, struct lf_error *err)
{
    struct lf_audit_head noted;
    struct lf_audit_verdict verdict;
    const char *text = arg_text(request, "noted");
    if (text && !lf_audit_head_parse(text, &noted))
        return lf_fail(
            err, LF_INVALID, LF_PERMANENT,
            "audit-verify: \"noted\" must be a chain head as printed by audit-verify: NUMBER:DIGEST");
    enum lf_status status = lf_journal_audit_verify(context->journal, text ? &noted : NULL,
                                                    context->config->agent.audit_keep_ms, &verdict, err);
    if (status != LF_OK)
        return status;
    *result = lf_audit_verdict_json(&verdict);
    return *result ? LF_OK : lf_fail_memory(err, "describing the audit trail");
}

const struct lf_verb control__verbs_audit[] = {
    {.name = "audit",
     .summary = "Show the audit trail: who did what and when, oldest first.",
     .args = LF_ARGS({"job", LF_ARG_INT, 0, .help = "only entries about this job"},
                     {"about", LF_ARG_TEXT, 0, .help = "only entries about this event or instrument",
                      .value = "NAME", .not_with = {"job"}},
                     {"what", LF_ARG_TEXT, 0, .help = "only entries of this kind", .choice = lf_audit_kind_at,
                      .value = "KIND"},
                     {"since", LF_ARG_TIME, 0,
                      .help = "only entries since this time: 2h (ago), 2026-11-22T06:00:00Z",
                      .value = "TIME"},
                     {"from", LF_ARG_INT, 0, .help = "the first entries from this number on, not the newest",
                      .value = "ENTRY", .not_with = {"job", "about"}},
                     ARG_LIMIT),
     .examples = "labferry audit --job 12\nlabferry audit --what command --since 24h",
     .perform = perform_audit},
    {.name = "audit-verify",
     .summary = "Verify that the audit trail is complete and unchanged.",
     .about =
         "Names the first entry that was changed. Anyone who can write to the journal could compute a new\n"
         "trail from the start: only a head noted elsewhere proves that nobody did. The retained MQTT\n"
         "message on .../audit is such a note.",
     .args = LF_ARGS({"file", LF_ARG_TEXT, LF_ARG_POSITIONAL | LF_ARG_LOCAL, .help = "an export or a journal",
                      .fallback = "the running agent is asked"},
                     {"noted", LF_ARG_TEXT, 0,
                      .help = "a head noted earlier, which must be part of the trail", .value = "HEAD"}),
     .examples = "labferry audit-verify\nlabferry audit-verify audit-2026.jsonl\n"
                 "labferry audit-verify /var/lib/labferry/journal.db",
     .flags = LF_VERB_SLOW,
     .perform = perform_audit_verify},
    {0},
};

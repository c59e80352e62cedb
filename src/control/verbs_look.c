/* Verbs that only look. */
#include "control/verbs.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/setting.h"
#include "base/units.h"
#include "config/config.h"
#include "job/job.h"
#include "job/kinds.h"

#include <stdlib.h>
#include <string.h>

int control__arg_limit(const struct lf_verb_request *request)
{
    return (int)lf_json_int(request->args, "limit", LIST_LIMIT);
}

enum lf_status control__answer_list(enum lf_status status, cJSON *list, cJSON **result, struct lf_error *err)
{
    if (status == LF_OK && !list)
        status = lf_fail_memory(err, "making a list");
    *result = lf_json_made(list, status == LF_OK);
    return status;
}

/* ---- instruments ---- */

enum lf_status control__find_instrument(struct lf_context *context, const char *name,
                                        struct lf_instrument **instrument, struct lf_error *err)
{
    char names[300] = "", hint[LF_HINT];
    struct lf_nearest nearest = {.word = name};
    *instrument = lf_jobs_instrument(context->jobs, name);
    if (*instrument)
        return LF_OK;
    for (size_t i = 0; i < lf_jobs_instrument_count(context->jobs); i++) {
        lf_list_add(names, sizeof names, lf_instrument_name(lf_jobs_instrument_at(context->jobs, i)));
        lf_nearest_try(&nearest, lf_instrument_name(lf_jobs_instrument_at(context->jobs, i)));
    }
    return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT,
                   "there is no instrument \"%.80s\"; the instruments are %s%s", name,
                   *names ? names : "none", lf_nearest_hint(&nearest, "", hint));
}

static cJSON *instrument_report(struct lf_context *context, struct lf_instrument *instrument)
{
    cJSON *report = lf_instrument_info(instrument, NULL), *can = cJSON_CreateArray();
    for (int i = 0; lf_ability_names[i]; i++)
        if (lf_instrument_driver(instrument)->can & 1u << i)
            lf_json_add(&can, cJSON_CreateString(lf_ability_names[i]));
    return lf_json_made(report, lf_json_set(report, "can", can)
                                    && lf_json_set(report, "jobs",
                                                   lf_journal_job_counts(context->journal,
                                                                         lf_instrument_name(instrument))));
}

static enum lf_status perform_instruments(struct lf_context *context, const struct lf_verb_request *request,
                                          cJSON **result, struct lf_error *err)
{
    const char *name = arg_text(request, "instrument");
    struct lf_instrument *only = NULL;
    enum lf_status status = name ? control__find_instrument(context, name, &only, err) : LF_OK;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; status == LF_OK && i < lf_jobs_instrument_count(context->jobs); i++) {
        struct lf_instrument *instrument = lf_jobs_instrument_at(context->jobs, i);
        if (!only || only == instrument)
            lf_json_add(&list, instrument_report(context, instrument));
    }
    return control__answer_list(status, list, result, err);
}

/* ---- jobs ---- */

struct job_list {
    struct lf_jobs *jobs;
    cJSON *array;
};

static void list_job(void *context, const struct lf_job *job)
{
    struct job_list *list = context;
    lf_json_add(&list->array, lf_job_to_json(list->jobs, job, false));
}

const char *control__state_choice(int index)
{
    return index == 0                    ? "open"
           : index - 1 <= LF_JOB_EXPIRED ? lf_job_state_name((enum lf_job_state)(index - 1))
                                         : NULL;
}

const char *control__kind_choice(int index)
{
    return lf_job_kinds[index] ? lf_job_kinds[index]->config.name : NULL;
}

static enum lf_status perform_jobs(struct lf_context *context, const struct lf_verb_request *request,
                                   cJSON **result, struct lf_error *err)
{
    struct lf_job_filter filter = {
        .state = arg_text(request, "state"),
        .kind = arg_text(request, "kind"),
        .instrument = arg_text(request, "instrument"),
        .before = lf_json_int(request->args, "before", 0),
        .limit = control__arg_limit(request),
    };
    struct job_list list = {context->jobs, cJSON_CreateArray()};
    enum lf_status status = lf_journal_job_list(context->journal, &filter, list_job, &list, err);
    struct lf_instrument *found;
    /* One that is no longer configured may have jobs. */
    if (status == LF_OK && filter.instrument && !cJSON_GetArraySize(list.array))
        status = control__find_instrument(context, filter.instrument, &found, err);
    return control__answer_list(status, list.array, result, err);
}

enum lf_status control__answer_job(enum lf_status status, struct lf_context *context, int64_t id,
                                   bool history, cJSON **result, struct lf_error *err)
{
    struct lf_job job;
    if (status == LF_OK)
        status = lf_journal_job_get(context->journal, id, &job, err);
    if (status != LF_OK)
        return status;
    *result = lf_job_to_json(context->jobs, &job, history);
    lf_job_free(&job);
    return *result ? LF_OK : lf_fail_memory(err, "describing a job");
}

static enum lf_status perform_job(struct lf_context *context, const struct lf_verb_request *request,
                                  cJSON **result, struct lf_error *err)
{
    return control__answer_job(LF_OK, context, lf_json_int(request->args, "job", 0), true, result, err);
}

/* ---- events ---- */

static cJSON *event_report(const struct lf_event_row *row)
{
    cJSON *report = cJSON_CreateObject();
    bool made = lf_json_set_text(report, "id", row->id) && lf_json_set_text(report, "type", row->type)
                && lf_json_set_text(report, "resource", row->resource_id)
                && lf_json_set_text(report, "source", row->source)
                && lf_json_set_text(report, "fate", lf_fate_name(row->fate))
                && lf_json_set_text(report, "note", row->note)
                && lf_json_set_time(report, "created", row->created_ms)
                && lf_json_set_time(report, "received", row->received_ms)
                && lf_json_set_int(report, "times", row->times)
                && lf_json_set(report, "jobs", cJSON_Parse(row->jobs));
    return lf_json_made(report, made);
}

static void list_event(void *list, const struct lf_event_row *row)
{
    lf_json_add(list, event_report(row));
}

static enum lf_status perform_events(struct lf_context *context, const struct lf_verb_request *request,
                                     cJSON **result, struct lf_error *err)
{
    cJSON *list = cJSON_CreateArray();
    enum lf_status status = lf_journal_event_list(context->journal, arg_text(request, "fate"),
                                                  control__arg_limit(request), list_event, &list, err);
    return control__answer_list(status, list, result, err);
}

/* The body as JSON if it is, as text if it is, else as base64. */
static bool add_body(cJSON *report, const struct lf_event_row *row)
{
    cJSON *json = NULL;
    struct lf_error not_json;
    struct lf_slice body = lf_slice(row->body, row->body_len);
    if (!row->body)
        return true;
    if (lf_json_parse(body, &json, &not_json) == LF_OK)
        return lf_json_set(report, "body", json);
    if (lf_utf8_valid(body) && !memchr(body.data, '\0', body.len)) {
        char *text = lf_format("%.*s", (int)body.len, body.data);
        bool good = text && lf_json_set_text(report, "body_text", text);
        free(text);
        return good;
    }
    struct lf_buffer coded = {0};
    bool good = lf_base64_append(&coded, body.data, body.len) == LF_OK
                && lf_json_set_text(report, "body_base64", coded.data ? coded.data : "");
    lf_buffer_free(&coded);
    return good;
}

static enum lf_status perform_event(struct lf_context *context, const struct lf_verb_request *request,
                                    cJSON **result, struct lf_error *err)
{
    struct lf_event_row row;
    enum lf_status status = lf_journal_event_get(context->journal, arg_text(request, "event"), &row, err);
    if (status != LF_OK)
        return status;
    cJSON *report = event_report(&row);
    *result = lf_json_made(report, report && add_body(report, &row));
    lf_event_row_free(&row);
    return *result ? LF_OK : lf_fail_memory(err, "describing an event");
}

/* ---- the table ---- */

static const char *fate_choice(int index)
{
    return index <= LF_FATE_LOST ? lf_fate_name((enum lf_fate)index) : NULL;
}

const struct lf_verb control__verbs_look[] = {
    {.name = "instruments",
     .summary = "Show the instruments and what they are doing.",
     .args = LF_ARGS({"instrument", LF_ARG_TEXT, LF_ARG_POSITIONAL, .help = "only this one"}),
     .examples = "labferry instruments\nlabferry instruments balance-1",
     .perform = perform_instruments},
    {.name = "jobs",
     .summary = "List jobs, newest first.",
     .args = LF_ARGS(
         {"state", LF_ARG_TEXT, 0, .help = "only jobs in this state", .choice = control__state_choice},
         {"kind", LF_ARG_TEXT, 0, .help = "only jobs of this kind", .choice = control__kind_choice},
         {"instrument", LF_ARG_TEXT, 0, .help = "only jobs of this instrument"},
         {"before", LF_ARG_INT, 0, .help = "only jobs with a lower number: the next page", .value = "JOB"},
         ARG_LIMIT),
     .examples = "labferry jobs --state held\n"
                 "labferry jobs --instrument hamilton-1 --limit 5\n"
                 "labferry jobs --state open --json",
     .perform = perform_jobs},
    {.name = "job",
     .summary = "Show one job with its history, or wait for its end.",
     .args = LF_ARGS(ARG_JOB, ARGS_WAIT),
     .examples = "labferry job 12\nlabferry job 12 --wait --timeout 10m && echo done",
     .flags = LF_VERB_JOB,
     .perform = perform_job},
    {.name = "events",
     .summary = "List events and what became of them, newest first.",
     .args = LF_ARGS({"fate", LF_ARG_TEXT, 0, .help = "only events with this fate", .choice = fate_choice},
                     ARG_LIMIT),
     .examples = "labferry events --fate bad\nlabferry events",
     .perform = perform_events},
    {.name = "event",
     .summary = "Show one event as it was received.",
     .args = LF_ARGS({"event", LF_ARG_TEXT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL, .help = "id of the event"}),
     .examples = "labferry event evt_Vq4jMZ1x\nlabferry event evt_Vq4jMZ1x --json",
     .perform = perform_event},
    {0},
};

/* Verbs that do something. */
#include "control/verbs.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/setting.h"
#include "base/units.h"
#include "config/config.h"
#include "control/terms.h"
#include "job/captures.h"
#include "job/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 30 * 1000, ASK_MS_MAX = 600 * 1000 }; /* until the instrument is free */

/* ---- new work ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum lf_status perform_send(struct lf_context *context, const struct lf_verb_request *request,
                                   cJSON **result, struct lf_error *err)
{
    struct lf_file_info info;
    int64_t id = 0;
    const char *name = arg_text(request, "name");
    if (!request->file)
        return lf_fail(
            err, LF_INVALID, LF_PERMANENT,
            "send needs the open file itself: use `labferry send INSTRUMENT FILE` on the agent's machine");
    enum lf_status status = lf_file_look(request->file, &info, err);
    if (status != LF_OK)
        return lf_error_prefix(err, "cannot look at the file to send");
    if (info.kind != LF_KIND_FILE)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "only regular files can be sent, not folders, pipes or devices");
    status = lf_jobs_send(context->jobs, arg_text(request, "instrument"),
                          name ? name : base_name(arg_text(request, "file")), request->file, request->gone,
                          request->who, &id, err);
    return control__answer_job(status, context, id, false, result, err);
}

static enum lf_status perform_run(struct lf_context *context, const struct lf_verb_request *request,
                                  cJSON **result, struct lf_error *err)
{
    int64_t id = 0;
    enum lf_status status = control__accept_run(context, arg_text(request, "instrument"),
                                                arg_text(request, "procedure"),
                                                lf_json_at(request->args, "inputs"), err);
    if (status == LF_OK)
        status = lf_jobs_run(context->jobs, arg_text(request, "instrument"), arg_text(request, "procedure"),
                             lf_json_at(request->args, "inputs"), request->who, &id, err);
    return control__answer_job(status, context, id, false, result, err);
}

/* ---- ask ---- */

static cJSON *captures_report(const struct lf_outcome *outcome)
{
    cJSON *report = cJSON_CreateObject();
    return lf_json_made(report, lf_json_set(report, "values", lf_captures_list(outcome)));
}

static enum lf_status perform_ask(struct lf_context *context, const struct lf_verb_request *request,
                                  cJSON **result, struct lf_error *err)
{
    struct lf_input inputs[ARG_MEMBERS_MAX];
    struct lf_instrument *instrument;
    struct lf_outcome outcome = {0};
    const char *command = arg_text(request, "command");
    size_t count = 0;
    enum lf_status status = control__find_instrument(context, arg_text(request, "instrument"), &instrument,
                                                     err);
    if (status != LF_OK)
        return status;
    if (!(lf_instrument_driver(instrument)->can & LF_CAN_ASK))
        return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "the driver \"%s\" of %s does not take commands",
                       lf_instrument_driver(instrument)->name, lf_instrument_name(instrument));
    const cJSON *input;
    cJSON_ArrayForEach (input, lf_json_at(request->args, "inputs"))
        if (count < ARG_MEMBERS_MAX)
            inputs[count++] = (struct lf_input){input->string, input->valuestring};
    const char *timeout = arg_text(request, "timeout");
    int64_t timeout_ms = ASK_MS;
    if (timeout)
        lf_duration_parse(timeout, &timeout_ms);
    lf_log_info(lf_instrument_name(instrument), "%s asks %s", request->who, command);
    status = lf_instrument_ask(instrument, command, inputs, count, lf_json_bool(request->args, "once", false),
                               lf_deadline_in(timeout_ms), &outcome, err);
    if (status == LF_OK && !(*result = captures_report(&outcome)))
        status = lf_fail(err, LF_NO_MEMORY, LF_UNKNOWN_OUTCOME,
                         "%s was done, but there was no memory for its answer", command);
    lf_outcome_free(&outcome);
    return status;
}

/* ---- pause and resume ---- */

/* Kept in the journal, so that a restart does not resume it. why NULL: resume. */
static enum lf_status set_paused(struct lf_context *context, struct lf_instrument *instrument,
                                 const char *why, struct lf_error *err)
{
    char name[LF_PAUSED_NAME];
    enum lf_status status = lf_journal_set(context->journal,
                                           lf_journal_paused(lf_instrument_name(instrument), name), why, err);
    if (status != LF_OK)
        return status;
    if (why)
        lf_instrument_pause(instrument, why);
    else
        lf_instrument_resume(instrument);
    lf_log_info(lf_instrument_name(instrument), "%s", why ? why : "resumed");
    return LF_OK;
}

static bool is_paused(struct lf_context *context, const struct lf_instrument *instrument)
{
    char name[LF_PAUSED_NAME], *why = NULL;
    struct lf_error ignored;
    bool paused = lf_journal_get(context->journal, lf_journal_paused(lf_instrument_name(instrument), name),
                                 &why, &ignored)
                      == LF_OK
                  && why;
    free(why);
    return paused;
}

/* One by its name, or "all". keep: one that is paused already keeps its reason. */
static enum lf_status pause_named(struct lf_context *context, const char *name, const char *why, bool keep,
                                  cJSON **list, struct lf_error *err)
{
    struct lf_instrument *only = NULL;
    enum lf_status status = strcmp(name, "all") != 0 ? control__find_instrument(context, name, &only, err)
                                                     : LF_OK;
    for (size_t i = 0; status == LF_OK && i < lf_jobs_instrument_count(context->jobs); i++) {
        struct lf_instrument *instrument = lf_jobs_instrument_at(context->jobs, i);
        if (only && only != instrument)
            continue;
        bool kept = keep && is_paused(context, instrument);
        if (!kept)
            status = set_paused(context, instrument, why, err);
        lf_json_add(list, lf_instrument_info(instrument, kept ? NULL : why ? why : ""));
    }
    return status;
}

static enum lf_status each_paused(struct lf_context *context, const struct lf_verb_request *request,
                                  const char *why, cJSON **result, struct lf_error *err)
{
    const cJSON *given = lf_json_at(request->args, "instrument"), *name;
    bool keep = why && !arg_text(request, "why");
    enum lf_status status = LF_OK;
    cJSON *list = cJSON_CreateArray();
    if (!cJSON_IsArray(given))
        status = pause_named(context, cJSON_GetStringValue(given), why, keep, &list, err);
    else
        cJSON_ArrayForEach (name, given)
            if (status == LF_OK)
                status = pause_named(context, name->valuestring, why, keep, &list, err);
    return control__answer_list(status, list, result, err);
}

static enum lf_status perform_pause(struct lf_context *context, const struct lf_verb_request *request,
                                    cJSON **result, struct lf_error *err)
{
    const char *why = arg_text(request, "why");
    char text[300];
    snprintf(text, sizeof text, "paused by %.80s%s%.180s", request->who, why ? ": " : "", why ? why : "");
    return each_paused(context, request, text, result, err);
}

static enum lf_status perform_resume(struct lf_context *context, const struct lf_verb_request *request,
                                     cJSON **result, struct lf_error *err)
{
    return each_paused(context, request, NULL, result, err);
}

/* ---- the table ---- */

const struct lf_verb control__verbs_act[] = {
    {.name = "send",
     .summary = "Send a file from this machine to an instrument.",
     .about = "The agent keeps a copy, and needs no permission to read the original.",
     .args = LF_ARGS(ARG_INSTRUMENT("where the file goes"),
                     {"file", LF_ARG_FILE, LF_ARG_REQUIRED | LF_ARG_POSITIONAL, .help = "the file"},
                     {"name", LF_ARG_TEXT, 0, .help = "its name on the instrument", .fallback = "its own"},
                     ARGS_WAIT),
     .examples = "labferry send hamilton-1 plate-7.csv\n"
                 "labferry send hamilton-1 /tmp/x --name plate-7.csv --wait",
     .flags = LF_VERB_CHANGES | LF_VERB_JOB | LF_VERB_SLOW,
     .perform = perform_send},
    {.name = "run",
     .summary = "Run a procedure on an instrument, as a job.",
     .args = LF_ARGS(ARG_INSTRUMENT("which instrument"),
                     {"procedure", LF_ARG_TEXT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL, .help = "what to run"},
                     {"inputs", LF_ARG_OBJECT, LF_ARG_POSITIONAL, .help = "values that the procedure needs"},
                     ARGS_WAIT),
     .examples = "labferry run pump-1 dispense volume=50\nlabferry run balance-1 weigh --wait --timeout 5m",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC | LF_VERB_JOB,
     .perform = perform_run},
    {.name = "ask",
     .summary = "Send one command to an instrument and show its answer.",
     .about = "The command runs between jobs. One that moves, consumes or prints something needs --once and\n"
              "is never repeated.",
     .args = LF_ARGS(ARG_INSTRUMENT("which instrument"),
                     {"command", LF_ARG_TEXT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL,
                      .help = "a command of its profile"},
                     {"inputs", LF_ARG_OBJECT, LF_ARG_POSITIONAL, .help = "values that the command needs"},
                     {"once", LF_ARG_BOOL, 0, .help = "allow a command that moves or consumes something"},
                     {"timeout", LF_ARG_DURATION, 0, .help = "how long to wait for the instrument to be free",
                      .fallback = "30s", .value = "TIME", .max = ASK_MS_MAX}),
     .examples = "labferry ask balance-1 weigh\nlabferry ask balance-1 tare --once",
     .flags = LF_VERB_CHANGES | LF_VERB_SLOW,
     .perform = perform_ask},
    {.name = "pause",
     .summary = "Let an instrument finish what it is doing and start nothing new.",
     .about = "It stays paused until it is resumed, even after a restart. Results are noted, and\n"
              "copied after resume.",
     .args = LF_ARGS(ARG_INSTRUMENTS, ARG_WHY),
     .examples = "labferry pause hamilton-1 --why \"changing tips\"\nlabferry pause balance-1 balance-2\n"
                 "labferry pause all",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC,
     .perform = perform_pause},
    {.name = "resume",
     .summary = "Resume a paused instrument.",
     .args = LF_ARGS(ARG_INSTRUMENTS),
     .examples = "labferry resume hamilton-1",
     .flags = LF_VERB_CHANGES | LF_VERB_ATOMIC,
     .perform = perform_resume},
    {0},
};

/* The table of verbs, and checking a request against it. */
#include "control/verbs.h"

#include "base/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END                                                                                                  \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

static const struct lf_arg no_args[] = {END};
static const struct lf_arg instruments_args[] = {{"name", LF_ARG_TEXT, false, "only this instrument"}, END};
static const struct lf_arg jobs_args[] = {
    {"state", LF_ARG_TEXT, false, "ready, running, waiting, held, done, failed, cancelled, expired, or open"},
    {"kind", LF_ARG_TEXT, false, "deliver, collect or task"},
    {"instrument", LF_ARG_TEXT, false, "only jobs of this instrument"},
    {"before", LF_ARG_INT, false, "only jobs with a lower number: the next page"},
    {"limit", LF_ARG_INT, false, "how many at most"},
    END};
static const struct lf_arg id_args[] = {{"id", LF_ARG_INT, true, "number of the job"}, END};
static const struct lf_arg events_args[] = {{"fate", LF_ARG_TEXT, false,
                                             "job, twin, woke, unrouted, unknown, bad, reread or lost"},
                                            {"limit", LF_ARG_INT, false, "how many at most"},
                                            END};
static const struct lf_arg event_args[] = {{"id", LF_ARG_TEXT, true, "id of the event"}, END};
static const struct lf_arg audit_args[] = {{"job", LF_ARG_INT, false, "only what is about this job"},
                                           {"about", LF_ARG_TEXT, false,
                                            "only what is about this: the id of an event, an instrument"},
                                           {"what", LF_ARG_TEXT, false,
                                            "agent, clock, config, event, job, acting, held, done, failed, "
                                            "cancelled, expired, file, command, pruned or audit"},
                                           {"since", LF_ARG_TEXT, false, "only from this time on (RFC 3339)"},
                                           {"from", LF_ARG_INT, false,
                                            "the first ones from this number on, not the last"},
                                           {"limit", LF_ARG_INT, false, "how many at most"},
                                           END};
static const struct lf_arg audit_verify_args[] = {{"noted", LF_ARG_TEXT, false,
                                                   "a head that was noted earlier (NUMBER:DIGEST)"},
                                                  END};
static const struct lf_arg send_args[] = {{"instrument", LF_ARG_TEXT, true, "where the file goes"},
                                          {"name", LF_ARG_TEXT, true, "its name on the instrument"},
                                          END};
static const struct lf_arg run_args[] = {{"instrument", LF_ARG_TEXT, true, "which instrument"},
                                         {"procedure", LF_ARG_TEXT, true, "what it is to do"},
                                         {"inputs", LF_ARG_OBJECT, false, "values that the procedure needs"},
                                         END};
static const struct lf_arg ask_args[] = {{"instrument", LF_ARG_TEXT, true, "which instrument"},
                                         {"command", LF_ARG_TEXT, true, "a command of its profile"},
                                         {"inputs", LF_ARG_OBJECT, false, "values that the command needs"},
                                         {"once", LF_ARG_BOOL, false,
                                          "also a command that moves or consumes something"},
                                         {"timeout_s", LF_ARG_INT, false,
                                          "how long to wait until the instrument is free"},
                                         END};
static const struct lf_arg confirm_args[] = {{"id", LF_ARG_INT, true, "number of the job"},
                                             {"values", LF_ARG_OBJECT, false,
                                              "what the instrument would have said"},
                                             END};
static const struct lf_arg cancel_args[] = {{"id", LF_ARG_INT, true, "number of the job"},
                                            {"why", LF_ARG_TEXT, false, "for the history"},
                                            END};
static const struct lf_arg assign_args[] =
    {{"id", LF_ARG_INT, true, "number of the job"},
     {"run", LF_ARG_TEXT, true, "id of the run, as Benchling shows it"},
     {"config", LF_ARG_TEXT, false, "output file configuration, if the instrument's own is not right"},
     END};
static const struct lf_arg pause_args[] = {{"instrument", LF_ARG_TEXT, true, "its name, or all"},
                                           {"why", LF_ARG_TEXT, false, "for those who wonder"},
                                           END};
static const struct lf_arg resume_args[] = {{"instrument", LF_ARG_TEXT, true, "its name, or all"}, END};

const struct lf_verb lf_verbs[] = {
    {.name = "status",
     .help = "How the agent is, and what needs a person.",
     .args = no_args,
     .remote = true,
     .perform = control__verb_status},
    {.name = "instruments",
     .help = "The instruments and what they do.",
     .args = instruments_args,
     .remote = true,
     .perform = control__verb_instruments},
    {.name = "jobs",
     .help = "Jobs, newest first.",
     .args = jobs_args,
     .remote = true,
     .perform = control__verb_jobs},
    {.name = "job",
     .help = "One job with its history.",
     .args = id_args,
     .remote = true,
     .perform = control__verb_job},
    {.name = "events",
     .help = "Events and what became of them, newest first.",
     .args = events_args,
     .remote = true,
     .perform = control__verb_events},
    {.name = "event",
     .help = "One event as it was received.",
     .args = event_args,
     .remote = true,
     .perform = control__verb_event},
    {.name = "audit",
     .help = "The audit trail: who did what and when, oldest first.",
     .args = audit_args,
     .remote = true,
     .perform = control__verb_audit},
    {.name = "audit_verify",
     .help = "Is the audit trail whole and unchanged?",
     .args = audit_verify_args,
     .remote = true,
     .perform = control__verb_audit_verify},
    {.name = "send",
     .help = "Send a file of this machine to an instrument.",
     .args = send_args,
     .changes = true,
     .perform = control__verb_send},
    {.name = "run",
     .help = "Run a procedure on an instrument, as a job.",
     .args = run_args,
     .changes = true,
     .remote = true,
     .atomic = true,
     .perform = control__verb_run},
    {.name = "ask",
     .help = "Send an instrument one command and show its answer.",
     .args = ask_args,
     .changes = true,
     .remote = true,
     .perform = control__verb_ask},
    {.name = "retry",
     .help = "Do the step of a job again: it did not happen, or its cause is mended.",
     .args = id_args,
     .changes = true,
     .remote = true,
     .atomic = true,
     .perform = control__verb_retry},
    {.name = "confirm",
     .help = "What nobody knew did happen: go on with the job.",
     .args = confirm_args,
     .changes = true,
     .remote = true,
     .atomic = true,
     .perform = control__verb_confirm},
    {.name = "cancel",
     .help = "End a job.",
     .args = cancel_args,
     .changes = true,
     .remote = true,
     .atomic = true,
     .perform = control__verb_cancel},
    {.name = "assign",
     .help = "Say to which run a held result belongs.",
     .args = assign_args,
     .changes = true,
     .remote = true,
     .atomic = true,
     .perform = control__verb_assign},
    {.name = "pause",
     .help = "Let an instrument finish what runs and start nothing new.",
     .args = pause_args,
     .changes = true,
     .remote = true,
     .atomic = true,
     .perform = control__verb_pause},
    {.name = "resume",
     .help = "Let a paused instrument work again.",
     .args = resume_args,
     .changes = true,
     .remote = true,
     .atomic = true,
     .perform = control__verb_resume},
    END,
};

const struct lf_verb *lf_verb_find(const char *name)
{
    for (const struct lf_verb *verb = lf_verbs; name && verb->name; verb++)
        if (!strcmp(verb->name, name))
            return verb;
    return NULL;
}

/* ---- refusals ---- */

enum { LIST_ROOM = 240 };

static void add_name(char room[LIST_ROOM], const char *name)
{
    size_t used = strlen(room);
    snprintf(room + used, LIST_ROOM - used, "%s%s", used ? ", " : "", name);
}

static enum lf_status refuse_verb(const char *name, struct lf_error *err)
{
    char list[LIST_ROOM] = "";
    const char *nearest = NULL;
    for (const struct lf_verb *verb = lf_verbs; verb->name; verb++) {
        add_name(list, verb->name);
        if (!nearest && lf_edit_distance(name, verb->name) <= 2)
            nearest = verb->name;
    }
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "there is no verb \"%.40s\"%s%s%s There are %s", name,
                   nearest ? ": did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : ".", list);
}

static enum lf_status refuse_arg(const struct lf_verb *verb, const char *name, struct lf_error *err)
{
    char list[LIST_ROOM] = "";
    const char *nearest = NULL;
    for (const struct lf_arg *arg = verb->args; arg->name; arg++) {
        add_name(list, arg->name);
        if (!nearest && lf_edit_distance(name, arg->name) <= 2)
            nearest = arg->name;
    }
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s has no argument \"%.40s\"%s%s%s It takes %s",
                   verb->name, name, nearest ? ": did you mean \"" : "", nearest ? nearest : "",
                   nearest ? "\"?" : ".", *list ? list : "no arguments");
}

/* ---- checking ---- */

static enum lf_status check_members(const struct lf_verb *verb, const struct lf_arg *arg, const cJSON *value,
                                    struct lf_error *err)
{
    const cJSON *member;
    if (cJSON_GetArraySize(value) > ARG_MEMBERS_MAX)
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "%s: \"%s\" may have %d members", verb->name,
                       arg->name, ARG_MEMBERS_MAX);
    cJSON_ArrayForEach (member, value)
        if (!cJSON_IsString(member) || strlen(member->valuestring) > ARG_TEXT_MAX)
            return lf_fail(
                err, LF_INVALID, LF_PERMANENT,
                "%s: \"%.40s\" in \"%s\" must be a text of at most %d bytes; numbers too go as text: \"50\"",
                verb->name, member->string, arg->name, ARG_TEXT_MAX);
    return LF_OK;
}

static enum lf_status check_value(const struct lf_verb *verb, const struct lf_arg *arg, const cJSON *value,
                                  struct lf_error *err)
{
    static const char *const wanted[] = {[LF_ARG_TEXT] = "a text, not empty and of at most 4096 bytes",
                                         [LF_ARG_INT] = "a whole number above 0",
                                         [LF_ARG_BOOL] = "true or false",
                                         [LF_ARG_OBJECT] = "an object of texts, like {\"volume\": \"50\"}"};
    bool good = false;
    switch (arg->type) {
    case LF_ARG_TEXT:
        good = cJSON_IsString(value) && *value->valuestring && strlen(value->valuestring) <= ARG_TEXT_MAX;
        break;
    case LF_ARG_INT: good = lf_json_int(value, "", -1) > 0; break;
    case LF_ARG_BOOL: good = cJSON_IsBool(value); break;
    case LF_ARG_OBJECT: good = cJSON_IsObject(value); break;
    }
    if (!good)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"%s\" (%s) must be %s", verb->name, arg->name,
                       arg->help, wanted[arg->type]);
    return arg->type == LF_ARG_OBJECT ? check_members(verb, arg, value, err) : LF_OK;
}

enum lf_status lf_verb_check(const char *name, const cJSON *args, const struct lf_verb **out,
                             struct lf_error *err)
{
    const struct lf_verb *verb = lf_verb_find(name);
    const cJSON *value;
    enum lf_status status = LF_OK;
    if (!name || !*name)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the verb is missing: {\"verb\": \"status\"}");
    if (!verb)
        return refuse_verb(name, err);
    if (args && !cJSON_IsNull(args) && !cJSON_IsObject(args))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: \"args\" must be an object", name);
    cJSON_ArrayForEach (value, args) {
        const struct lf_arg *arg = verb->args;
        while (arg->name && strcmp(arg->name, value->string) != 0)
            arg++;
        if (status == LF_OK)
            status = arg->name ? check_value(verb, arg, value, err) : refuse_arg(verb, value->string, err);
    }
    for (const struct lf_arg *arg = verb->args; status == LF_OK && arg->name; arg++)
        if (arg->required && !cJSON_GetObjectItemCaseSensitive(args, arg->name))
            status = lf_fail(err, LF_INVALID, LF_PERMANENT, "%s needs the argument \"%s\": %s", verb->name,
                             arg->name, arg->help);
    *out = status == LF_OK ? verb : NULL;
    return status;
}

enum lf_status lf_verb_perform(struct lf_context *context, const struct lf_request_to_verb *request,
                               cJSON **result, struct lf_error *err)
{
    const struct lf_verb *verb = NULL;
    *result = NULL;
    enum lf_status status = lf_verb_check(request->verb, request->args, &verb, err);
    return verb ? verb->perform(context, request, result, err) : status;
}

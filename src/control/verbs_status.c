/* status: how the agent is doing; what needs a person comes first. */
#include "control/verbs.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "config/config.h"
#include "intake/intake.h"
#include "job/job.h"
#include "link/link.h"
#include "os/dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HELD_SHOWN = 20,
    NEAR_PERCENT = 90,
    GRACE_MS = 10 * 1000, /* an instrument or broker that is away longer needs a person */
};

/* ---- what needs a person ---- */

/* Takes what. */
static void need(cJSON *list, char *what, const char *todo)
{
    cJSON *entry = what ? cJSON_CreateObject() : NULL;
    if (entry && lf_json_set_text(entry, "what", what) && lf_json_set_text(entry, "do", todo))
        cJSON_AddItemToArray(list, entry);
    else
        cJSON_Delete(entry);
    free(what);
}

static void need_job(void *list, const struct lf_job *job)
{
    const char *what = lf_job_about(job);
    char todo[400];
    snprintf(todo, sizeof todo, "labferry job %lld, then %s", (long long)job->id, lf_job_help(job));
    need(list,
         lf_format("job %lld (%s%s%s%s%s) is held at %s: %s", (long long)job->id, job->kind,
                   *what ? " of " : "", what, *job->instrument ? ", " : "", job->instrument, job->step,
                   job->note ? job->note : "no reason noted"),
         todo);
}

static void need_jobs(struct lf_context *context, cJSON *list, const cJSON *counts)
{
    struct lf_error ignored;
    struct lf_job_filter held = {.state = "held", .limit = HELD_SHOWN};
    lf_journal_job_list(context->journal, &held, need_job, list, &ignored);
    int64_t count = lf_json_int(counts, "held", 0);
    if (count > HELD_SHOWN)
        need(list, lf_format("%lld more jobs are held", (long long)count - HELD_SHOWN),
             "labferry jobs --state held");
}

/* Short outages usually recover on their own. */
static bool just_now(const cJSON *since)
{
    int64_t at, age;
    if (!cJSON_IsString(since) || lf_time_parse(since->valuestring, &at) != LF_OK)
        return false;
    age = lf_clock_wall_ms() - at;
    return age >= 0 && age < GRACE_MS;
}

static void need_resume(struct lf_context *context, cJSON *list, const char *name)
{
    struct lf_error ignored;
    char key[LF_PAUSED_NAME], *why, todo[120];
    lf_journal_get(context->journal, lf_journal_paused(name, key), &why, &ignored);
    snprintf(todo, sizeof todo, "labferry resume %.80s", name);
    need(list, lf_format("%s is %s", name, why ? why : "paused by the configuration"), todo);
    free(why);
}

static void need_instruments(struct lf_context *context, cJSON *list, const cJSON *instruments)
{
    const cJSON *info;
    cJSON_ArrayForEach (info, instruments) {
        const char *name = lf_json_text_or(info, "name", "");
        bool offline = !strcmp(lf_json_text_or(info, "state", ""), "offline");
        if (offline && !just_now(lf_json_at(info, "since")))
            need(list, lf_format("%s is offline: %s", name, lf_json_text_or(info, "note", "no reason known")),
                 "check power, cable and settings; the agent keeps trying to connect");
        if (lf_json_bool(info, "paused", false))
            need_resume(context, list, name);
    }
}

static void need_clock(cJSON *list)
{
    char clock[LF_CLOCK_TEXT];
    lf_clock_words(clock);
    if (lf_clock_ahead_ms())
        need(
            list, strdup(clock),
            "set the clock, or start time synchronisation. If it is right, the tenant or a proxy sends a wrong "
            "date. Until both agree, nothing old is removed from the journal");
}

static void need_disk(struct lf_context *context, cJSON *list)
{
    struct lf_error err = {0};
    if (lf_journal_works(context->journal, &err) != LF_OK)
        need(list, strdup(err.text),
             err.status == LF_CORRUPT ? "stop the agent, then labferry journal-check"
                                      : "fix the disk; the agent continues as soon as it can write");
    else if (lf_journal_room(context->journal, LF_ROOM_WORK, &err) != LF_OK)
        need(list, strdup(err.text), "make room; until then nothing new is accepted");
}

/* Warns before the limit is reached and work stops. */
static void need_room(cJSON *list, const cJSON *storage, const char *used, const char *max, const char *what,
                      const char *todo)
{
    int64_t use = lf_json_int(storage, used, 0), limit = lf_json_int(storage, max, 0);
    if (limit && use < limit && use >= limit / 100 * NEAR_PERCENT)
        need(list, lf_format("%s: %lld %% of %s is used", what, (long long)(use * 100 / limit), max), todo);
}

static void need_rooms(cJSON *list, const cJSON *storage)
{
    static const char end_held[] =
        "retry or cancel held jobs (labferry jobs --state held), or raise agent.spool_max";
    need_room(list, storage, "journal_bytes", "journal_max", "the journal is almost full",
              "shorten agent.keep or raise agent.journal_max; when it is full, nothing new is accepted");
    need_room(list, storage, "spool_bytes", "spool_max", "the spool is almost full", end_held);
    int64_t spool = lf_json_int(storage, "spool_bytes", 0);
    if (spool >= lf_json_int(storage, "spool_max", INT64_MAX))
        need(list, strdup("the spool is full: no file is fetched or collected"), end_held);
    int64_t reports = lf_json_int(storage, "outbox", 0);
    if (reports >= lf_json_int(storage, "outbox_max", INT64_MAX))
        need(list,
             lf_format("%lld reports are waiting for the broker, which is the limit: the oldest job reports "
                       "are dropped (%lld so far; the audit trail has all of them)",
                       (long long)reports, (long long)lf_json_int(storage, "outbox_dropped", 0)),
             "connect the broker");
}

static void need_ways_out(struct lf_context *context, cJSON *list, const cJSON *status)
{
    const char *error = lf_json_text(status, "link.error"),
               *duplicate = lf_json_text(status, "link.duplicate");
    bool offline = context->link && lf_link_state(context->link) != LF_LINK_ONLINE;
    if (duplicate)
        need(list, strdup(duplicate),
             "find the other agent; stop it, or give one of them another agent.name (and link.client_id)");
    else if (offline && !just_now(lf_json_at(status, "link.since")))
        need(list, lf_format("no connection to the broker%s%s", error ? ": " : "", error ? error : ""),
             "check link.broker and its credentials; the agent keeps trying to connect");
    else if (context->link && !offline && error)
        need(list, strdup(error), "check the broker's access rules for this agent");
    if (!strcmp(lf_json_text_or(status, "cloud.state", ""), "failing"))
        need(list, lf_format("Benchling cannot be used: %s", lf_json_text_or(status, "cloud.last_error", "")),
             "check the network, cloud.tenant and its credentials; the agent keeps trying, and jobs waiting "
             "for it continue on their own");
    int64_t lost = lf_json_int(status, "intake.events.lost", 0);
    if (lost)
        need(list,
             lf_format("%lld event%s incomplete and could not be re-fetched", (long long)lost,
                       lost > 1 ? "s were" : " was"),
             "labferry events --fate lost");
}

/* ---- the parts ---- */

static cJSON *agent_part(const struct lf_context *context)
{
    const struct lf_config *config = context->config;
    cJSON *agent = cJSON_CreateObject();
    bool made = lf_json_set_text(agent, "name", config->agent.name)
                && lf_json_set_text(agent, "site", config->agent.site)
                && lf_json_set_text(agent, "version", LF_VERSION)
                && lf_json_set_time(agent, "started", context->started_ms)
                && lf_json_set_int(agent, "up_ms", lf_clock_mono_ms() - context->started_mono)
                && lf_json_set_text(agent, "config", config->digest);
    return lf_json_made(agent, made);
}

static cJSON *instruments_part(struct lf_context *context)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < lf_jobs_instrument_count(context->jobs); i++)
        lf_json_add(&list, lf_instrument_info(lf_jobs_instrument_at(context->jobs, i), NULL));
    return list;
}

/* Use and limit of everything that is bounded, and what was dropped. */
static cJSON *storage_part(struct lf_context *context)
{
    const struct lf_config_agent *config = &context->config->agent;
    struct lf_journal_use use;
    lf_journal_use(context->journal, &use);
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"journal_bytes", use.bytes},
        {"journal_max", config->journal_max},
        {"unused_bytes", use.unused},
        {"unused_max", use.limits.unused},
        {"unused_dropped", use.unused_dropped},
        {"spool_bytes", use.spool},
        {"spool_max", config->spool_max},
        {"journal_disk_free", use.disk_free},
        {"spool_disk_free", use.spool_disk_free},
        {"reserve", config->disk_reserve},
        {"outbox", use.outbox},
        {"outbox_max", use.limits.outbox},
        {"outbox_dropped", use.outbox_dropped},
        {"commands", lf_journal_command_count(context->journal, LF_COMMAND_ACCEPTED)},
        {"commands_max", LF_COMMANDS_MAX},
        {"commands_refused", context->commands ? lf_commands_refused(context->commands) : 0},
        {"log_left_out", lf_log_left_out()},
    };
    cJSON *storage = cJSON_CreateObject();
    bool made = true;
    for (size_t i = 0; made && i < sizeof numbers / sizeof *numbers; i++)
        made = lf_json_set_int(storage, numbers[i].name, numbers[i].value);
    return lf_json_made(storage, made);
}

static enum lf_status perform_status(struct lf_context *context, const struct lf_verb_request *request,
                                     cJSON **result, struct lf_error *err)
{
    (void)request;
    cJSON *status = cJSON_CreateObject(), *needs = cJSON_CreateArray();
    bool good = lf_json_set(status, "needs", needs) && lf_json_set(status, "agent", agent_part(context))
                && lf_json_set(status, "link",
                               context->link ? lf_link_health(context->link) : cJSON_CreateNull())
                && lf_json_set(status, "cloud", lf_cloud_health(context->cloud))
                && lf_json_set(status, "poll", lf_intake_poll_health(context->intake))
                && lf_json_set(status, "intake", lf_intake_health(context->intake))
                && lf_json_set(status, "jobs", lf_journal_job_counts(context->journal, NULL))
                && lf_json_set(status, "instruments", instruments_part(context))
                && lf_json_set(status, "storage", storage_part(context));
    if (!good) {
        cJSON_Delete(status);
        return lf_fail_memory(err, "reporting the status");
    }
    need_disk(context, needs);
    need_rooms(needs, lf_json_at(status, "storage"));
    need_jobs(context, needs, lf_json_at(status, "jobs"));
    need_instruments(context, needs, lf_json_at(status, "instruments"));
    need_ways_out(context, needs, status);
    need_clock(needs);
    *result = status;
    return LF_OK;
}

const struct lf_verb control__verbs_status[] = {
    {.name = "status",
     .summary = "Show how the agent is doing and what needs attention.",
     .examples = "labferry status\nlabferry status --json | jq .needs",
     .perform = perform_status},
    {0},
};

/* status: how the agent is doing; what needs a person comes first. */
#include "control/needs.h"
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
        {"dismissed_bytes", use.dismissed},
        {"dismissed_max", use.limits.dismissed},
        {"dismissed_dropped", use.dismissed_dropped},
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

cJSON *lf_control_status(struct lf_context *context)
{
    cJSON *status = cJSON_CreateObject();
    bool good = lf_json_set(status, "needs", cJSON_CreateArray())
                && lf_json_set(status, "agent", agent_part(context))
                && lf_json_set(status, "link",
                               context->link ? lf_link_health(context->link) : cJSON_CreateNull())
                && lf_json_set(status, "cloud", lf_cloud_health(context->cloud))
                && lf_json_set(status, "poll", lf_intake_poll_health(context->intake))
                && lf_json_set(status, "intake", lf_intake_health(context->intake))
                && lf_json_set(status, "jobs", lf_journal_job_counts(context->journal, NULL))
                && lf_json_set(status, "instruments", instruments_part(context))
                && lf_json_set(status, "storage", storage_part(context));
    if (good)
        control__add_needs(context, status);
    return lf_json_made(status, good);
}

static enum lf_status perform_status(struct lf_context *context, const struct lf_verb_request *request,
                                     cJSON **result, struct lf_error *err)
{
    (void)request;
    *result = lf_control_status(context);
    return *result ? LF_OK : lf_fail_memory(err, "reporting the status");
}

const struct lf_verb control__verbs_status[] = {
    {.name = "status",
     .summary = "Show how the agent is doing and what needs attention.",
     .args = LF_ARGS(
         {"check", LF_ARG_BOOL, LF_ARG_LOCAL,
          .help = "end with exit status 8 if something needs attention, for cron and monitoring"}),
     .examples = "labferry status\nlabferry status --check\n"
                 "labferry status --json | jq .needs",
     .perform = perform_status},
    {0},
};

/* Wiring: every part is opened in order, and closed in the opposite one. Threads start last and stop first.
 * What the parts call upwards is in hooks.c. */
#include "agent/daemon/wiring.h"

#include "agent/daemon/agent.h"
#include "agent/daemon/filters.h"
#include "agent/daemon/starts.h"
#include "agent/daemon/status.h"
#include "agent/daemon/witness.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "config/config.h"
#include "control/control.h"
#include "drivers/driver.h"
#include "intake/intake.h"
#include "job/job.h"
#include "journal/audit.h"
#include "link/link.h"
#include "transfer/transfer.h"

#include "os/dir.h"
#include "os/thread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATUS_PACE_MS = 5000, /* the status message is sent at most this often */
    PRUNE_PACE_MS = 60 * 60 * 1000,
    LOOK_PACE_MS = 60 * 1000, /* at the clock */
    OUTBOX_MAX = 100 * 1000,  /* reports: weeks of them */
    OUTBOX_LEAST = 1000,
    REPORT_SHARE = 20 * 1000,     /* one report for so many bytes of journal_max: a twentieth of it or so */
    UNUSED_SHARE = 20,            /* events that made no job may fill 1/20 of journal_max */
    DISMISSED_SHARE = 40,         /* commands that changed nothing 1/40 */
    STALL_TIMEOUT_MS = 60 * 1000, /* the longest silence of a server that still works on an upload */
};

/* ---- opening ---- */

static int64_t outbox_max(int64_t journal_max)
{
    int64_t share = journal_max / REPORT_SHARE;
    return share < OUTBOX_LEAST ? OUTBOX_LEAST : share > OUTBOX_MAX ? OUTBOX_MAX : share;
}

static enum lf_status open_journal(struct agent *agent, struct lf_error *err)
{
    const struct lf_config_agent *config = &agent->context.config->agent;
    enum lf_status status = lf_dir_make(config->state_dir, LF_GROUP, err);
    if (status == LF_OK)
        status = lf_dir_make(config->spool_dir, LF_PRIVATE, err);
    char *path = status == LF_OK ? lf_format("%s/journal.db", config->state_dir) : NULL;
    if (status == LF_OK && !path)
        status = lf_fail_memory(err, "opening the journal");
    if (status == LF_OK)
        status = lf_journal_open(path, &agent->context.journal, err);
    free(path);
    struct lf_journal_limits limits = {
        .bytes = config->journal_max,
        .outbox = LF_LIMIT("LF_OUTBOX_MAX", outbox_max(config->journal_max)),
        .unused = LF_LIMIT("LF_UNUSED_MAX", config->journal_max / UNUSED_SHARE),
        .dismissed = LF_LIMIT("LF_DISMISSED_MAX", config->journal_max / DISMISSED_SHARE),
        .spool = config->spool_max,
        .reserve = config->disk_reserve,
        .spool_dir = config->spool_dir,
    };
    if (status == LF_OK)
        lf_journal_limit(agent->context.journal, &limits);
    if (status == LF_OK)
        status = starts_note_start(agent->context.journal, agent->context.config, err);
    return status == LF_OK ? witness_open(&agent->context, &agent->witness, err) : status;
}

static enum lf_status open_cloud(struct agent *agent, struct lf_error *err)
{
    const struct lf_config_cloud *config = &agent->context.config->cloud;
    struct lf_transfer_options transfer = {
        .ca_file = config->ca_file,
        .proxy = config->proxy,
        .connect_timeout_ms = config->connect_timeout_ms,
        .stall_timeout_ms = LF_LIMIT("LF_STALL_MS", STALL_TIMEOUT_MS),
    };
    enum lf_status status = lf_transfer_open(&transfer, &agent->transfer, err);
    return status == LF_OK ? lf_cloud_open(config, agent->transfer, &agent->context.cloud, err) : status;
}

static enum lf_status open_instrument(struct agent *agent, const struct lf_config_instrument *config,
                                      struct lf_error *err)
{
    char name[LF_PAUSED_NAME], *paused;
    enum lf_status status = lf_journal_get(agent->context.journal, lf_journal_paused(config->name, name),
                                           &paused, err);
    /* An instrument must not start before it is known whether a person has paused it. */
    const struct lf_driver *driver = status == LF_OK ? lf_driver_find(config->driver, err) : NULL;
    struct lf_instrument_options options = {
        .name = config->name,
        .agent = agent->context.config->agent.name,
        .driver = driver,
        .values = config->settings,
        .expect_identity = config->expect_identity,
        .paused = paused           ? paused
                  : config->paused ? "paused by the configuration"
                                   : NULL,
        .journal = agent->context.journal,
        .transfer = agent->transfer,
    };
    struct lf_instrument_hooks hooks = hooks_of_instrument(agent);
    struct lf_instrument *instrument = NULL;
    status = driver ? lf_instrument_open(&options, &hooks, &instrument, err) : err->status;
    if (status == LF_OK)
        status = lf_jobs_add_instrument(agent->context.jobs, instrument, err);
    if (status != LF_OK)
        lf_instrument_close(instrument);
    free(paused);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "%s: instrument \"%s\"", config->at, config->name);
}

static enum lf_status open_work(struct agent *agent, struct lf_error *err)
{
    struct lf_jobs_options options = {
        .config = agent->context.config,
        .journal = agent->context.journal,
        .cloud = agent->context.cloud,
        .reported = hooks_reported,
        .reread = hooks_reread,
        .context = agent,
    };
    enum lf_status status = lf_jobs_open(&options, &agent->context.jobs, err);
    for (size_t i = 0; status == LF_OK && i < agent->context.config->instrument_count; i++)
        status = open_instrument(agent, &agent->context.config->instruments[i], err);
    return status;
}

static enum lf_status open_link(struct agent *agent, struct lf_error *err)
{
    const struct lf_config_link *config = &agent->context.config->link;
    if (!config->used)
        return LF_OK;
    enum lf_status status = lf_outbox_open(agent->context.journal, &agent->context.outbox, err);
    if (status == LF_OK && config->commands)
        status = lf_commands_open(&agent->context, &agent->context.commands, err);
    if (status == LF_OK)
        status = filters_note(agent->context.journal, config, &agent->former, err);
    struct lf_link_options options = {.will_payload = STATUS_LOST,
                                      .former = &agent->former,
                                      .goodbye_payload = STATUS_STOPPED,
                                      .folder = agent->context.config->agent.state_dir,
                                      .duplicate_payload = STATUS_DUPLICATE};
    struct lf_link_hooks hooks = hooks_of_link(agent);
    if (status == LF_OK)
        status = lf_link_open(config, &options, &hooks, &agent->context.link, err);
    if (status == LF_OK)
        lf_outbox_attach(agent->context.outbox, agent->context.link);
    return status;
}

static enum lf_status open_intake(struct agent *agent, struct lf_error *err)
{
    struct lf_intake_options options = {
        .config = agent->context.config,
        .journal = agent->context.journal,
        .jobs = agent->context.jobs,
        .cloud = agent->context.cloud,
        .other = hooks_take_command,
        .context = agent,
    };
    enum lf_status status = lf_intake_open(&options, &agent->context.intake, err);
    return status == LF_OK ? lf_intake_start(agent->context.intake, err) : status;
}

static enum lf_status start(struct agent *agent, struct lf_error *err)
{
    struct lf_jobs *jobs = agent->context.jobs;
    enum lf_status status = lf_jobs_start(jobs, err);
    for (size_t i = 0; status == LF_OK && i < lf_jobs_instrument_count(jobs); i++)
        status = lf_instrument_start(lf_jobs_instrument_at(jobs, i), err);
    return status;
}

static enum lf_status open_server(struct agent *agent, struct lf_error *err)
{
    return lf_server_open(&agent->context, &agent->server, err);
}

/* In this order: each uses those before it, and work starts last. */
static enum lf_status (*const openers[])(struct agent *agent, struct lf_error *err) = {
    open_journal, open_cloud, open_work, open_intake, open_link, open_server, start,
};

enum lf_status agent_open(const struct lf_config *config, struct agent **out, struct lf_error *err)
{
    struct agent *agent = calloc(1, sizeof *agent);
    if (!agent)
        return lf_fail_memory(err, "starting the agent");
    lf_mutex_init(&agent->batch_mutex);
    agent->context.config = config;
    agent->context.started_ms = lf_clock_wall_ms();
    agent->context.started_mono = lf_clock_mono_ms();
    agent->clock_offset = agent->context.started_ms - agent->context.started_mono;
    enum lf_status status = lf_wake_open(&agent->changed, err);
    for (size_t i = 0; status == LF_OK && i < sizeof openers / sizeof *openers; i++)
        status = openers[i](agent, err);
    if (status != LF_OK) {
        agent_close(agent);
        return status;
    }
    *out = agent;
    return LF_OK;
}

/* ---- running and closing ---- */

static bool is_step(int64_t ms)
{
    return ms > LF_CLOCK_TOLERANCE_MS || ms < -LF_CLOCK_TOLERANCE_MS;
}

/* Timers do not care about the wall clock, but people who read times do. */
static void look_at_clock(struct agent *agent)
{
    int64_t offset = lf_clock_wall_ms() - lf_clock_mono_ms(), step = offset - agent->clock_offset;
    bool wrong = lf_clock_ahead_ms() != 0;
    struct lf_error err = {0};
    if (lf_journal_clock_look(agent->context.journal, &err) != LF_OK)
        lf_log_warning("agent", "cannot store the time: %s", err.text); /* tried again */
    if (!is_step(step) && wrong == agent->clock_wrong)
        return;
    if (starts_note_clock(agent->context.journal, is_step(step) ? step : 0, &err) != LF_OK
        || lf_journal_clock_stepped(agent->context.journal, &err) != LF_OK) {
        lf_log_warning("agent", "cannot record that the clock was set: %s", err.text); /* tried again */
        return;
    }
    agent->clock_offset = offset;
    agent->clock_wrong = wrong;
}

/* Only called while the clocks agree: one that is ten years ahead would remove everything, including
 * what distinguishes a repeated event or command from a new one. */
static void prune(struct agent *agent)
{
    int64_t dropped = 0;
    struct lf_error err = {0};
    if (lf_journal_prune(agent->context.journal, agent->context.config->agent.keep_ms, &dropped, &err)
        != LF_OK)
        lf_log_warning("agent", "cannot prune the journal: %s", err.text);
    else if (dropped)
        lf_log_info("agent", "removed %lld finished entries from the journal that were older than agent.keep",
                    (long long)dropped);
    lf_jobs_tidy(agent->context.jobs);
    if (lf_journal_audit_prune(agent->context.journal, agent->context.config->agent.audit_keep_ms, &dropped,
                               &err)
        != LF_OK)
        lf_log_warning("agent", "cannot prune the audit trail: %s", err.text);
    else if (dropped)
        lf_log_info("agent",
                    "removed %lld entries from the audit trail that were older than agent.audit_keep",
                    (long long)dropped);
}

/* Some needs arise because nothing happens. */
static bool needs_changed(struct agent *agent)
{
    char *now = status_needs(&agent->context);
    bool changed = strcmp(now ? now : "", agent->needs ? agent->needs : "") != 0;
    free(agent->needs);
    agent->needs = now;
    return changed;
}

static bool is_online(const struct agent *agent)
{
    return agent->context.link && lf_link_state(agent->context.link) == LF_LINK_ONLINE;
}

/* As soon as an action has begun: what the broker keeps must not be older than what was done. */
static void publish_head(struct agent *agent)
{
    int64_t acted = lf_journal_audit_acted(agent->context.journal);
    if (acted == agent->published || !is_online(agent) || !witness_lets_publish(agent->witness))
        return;
    if (status_queue_head(&agent->context)) {
        agent->published = acted;
        lf_outbox_kick(agent->context.outbox);
    }
}

void agent_run(struct agent *agent, const struct lf_cancel *stop)
{
    int64_t next_prune = lf_clock_mono_ms(), next_status = next_prune;
    bool news = false;
    while (!lf_cancel_is_set(stop)) {
        look_at_clock(agent);
        for (size_t i = 0; i < lf_jobs_instrument_count(agent->context.jobs); i++)
            lf_instrument_watch(lf_jobs_instrument_at(agent->context.jobs, i));
        if (lf_deadline_passed(next_prune) && lf_clock_agree()) {
            prune(agent);
            next_prune = lf_deadline_in(PRUNE_PACE_MS);
        }
        enum lf_status woken = lf_wake_wait(&agent->changed,
                                            news ? next_status : lf_deadline_in(LOOK_PACE_MS), stop);
        if (woken == LF_OK) {
            lf_wake_clear(&agent->changed);
            publish_head(agent);
        }
        news = news || woken == LF_OK || needs_changed(agent);
        if (!news || !lf_deadline_passed(next_status))
            continue;
        if (is_online(agent) && status_queue(&agent->context, witness_lets_publish(agent->witness)))
            lf_outbox_kick(agent->context.outbox);
        next_status = lf_deadline_in(STATUS_PACE_MS);
        news = false;
    }
}

static void refuse_batches(struct agent *agent)
{
    lf_mutex_lock(&agent->batch_mutex);
    agent->closing = true;
    lf_mutex_unlock(&agent->batch_mutex);
}

/* Work stops first. Then everything is closed, each part before those it uses. */
bool agent_close(struct agent *agent)
{
    if (!agent)
        return true;
    bool ended = true;
    struct lf_context *context = &agent->context;
    size_t count = context->jobs ? lf_jobs_instrument_count(context->jobs) : 0;
    refuse_batches(agent);
    if (context->jobs)
        ended = lf_jobs_stop(context->jobs);
    lf_server_close(agent->server);
    lf_commands_stop(context->commands);
    if (context->outbox)
        lf_outbox_attach(context->outbox, NULL);
    lf_link_close(context->link);
    lf_commands_close(context->commands); /* the link's status counts what they refused */
    filters_free(&agent->former);
    lf_intake_close(context->intake);
    for (size_t i = 0; i < count; i++)
        lf_instrument_close(lf_jobs_instrument_at(context->jobs, i));
    lf_outbox_close(context->outbox);
    if (ended)
        lf_jobs_close(context->jobs);
    lf_cloud_close(context->cloud);
    lf_transfer_close(agent->transfer);
    if (context->journal)
        starts_note_stop(context->journal);
    lf_journal_close(context->journal);
    if (!ended) /* the stuck thread still knows the rest */
        return false;
    witness_close(agent->witness);
    lf_wake_close(&agent->changed);
    lf_mutex_destroy(&agent->batch_mutex);
    free(agent->needs);
    free(agent);
    return true;
}

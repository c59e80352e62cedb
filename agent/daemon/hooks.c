/* How data flows, as callbacks: link -> batch() -> intake (which hands commands to control) -> jobs ->
 * instruments; jobs and instruments -> outbox -> link. A part knows only those below it; calls upwards pass
 * through here. */
#include "agent/daemon/agent.h"

#include "agent/daemon/filters.h"
#include "agent/daemon/neighbours.h"
#include "agent/daemon/status.h"
#include "agent/daemon/witness.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "intake/intake.h"
#include "job/job.h"
#include "journal/concern.h"

#include <string.h>

enum { YIELDS_MS = 1000 };

void hooks_reported(void *context)
{
    struct agent *agent = context;
    if (agent->context.outbox)
        lf_outbox_kick(agent->context.outbox);
    lf_wake_up(&agent->changed);
}

void hooks_reread(void *context)
{
    struct agent *agent = context;
    lf_intake_kick(agent->context.intake);
}

enum lf_status hooks_take_command(void *context, const struct lf_message *message, bool *taken,
                                  struct lf_error *err)
{
    struct agent *agent = context;
    *taken = agent->context.commands && !strcmp(message->topic, agent->context.config->link.command_topic);
    return *taken ? lf_commands_take(agent->context.commands, message, err) : LF_OK;
}

/* Messages come until the link is closed, and commands, which may ask about the link, are stopped before it.
 */
static enum lf_status batch(void *context, const struct lf_message *messages, size_t count,
                            struct lf_error *err)
{
    struct agent *agent = context;
    lf_mutex_lock(&agent->batch_mutex);
    enum lf_status status = agent->closing ? lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "the agent is stopping")
                                           : lf_intake_batch(agent->context.intake, messages, count, err);
    lf_mutex_unlock(&agent->batch_mutex);
    return status;
}

static void online(void *context)
{
    struct agent *agent = context;
    witness_online(agent->witness);
    lf_intake_connected(agent->context.intake);
    status_queue(&agent->context, witness_lets_publish(agent->witness));
    neighbours_queue(&agent->context);
    lf_outbox_online(agent->context.outbox);
}

static void other(void *context, const char *name, struct lf_slice routes)
{
    struct agent *agent = context;
    neighbours_seen(&agent->context, name, routes);
}

static void unsubscribed(void *context)
{
    struct agent *agent = context;
    filters_settle(agent->context.journal, &agent->context.config->link);
}

static void offline(void *context, const struct lf_error *why)
{
    struct agent *agent = context;
    if (why->status == LF_BUSY) /* another agent has our name */
        lf_intake_yield(agent->context.intake);
}

static void duplicate(void *context)
{
    struct agent *agent = context;
    lf_wake_up(&agent->changed);
}

static void published(void *context, int64_t ticket, enum lf_publish_outcome outcome)
{
    struct agent *agent = context;
    lf_outbox_published(agent->context.outbox, ticket, outcome);
}

static void link_concern(void *context, const char *about, bool stands, const char *text, const char *todo)
{
    struct agent *agent = context;
    struct lf_error err = {0};
    struct lf_concern concern = {.source = "link",
                                 .about = about,
                                 .stands = stands,
                                 .text = text,
                                 .todo = todo};
    enum lf_status status = text ? lf_journal_concern(agent->context.journal, &concern, &err)
                                 : lf_journal_concern_over(agent->context.journal, "link", about, &err);
    if (status != LF_OK)
        lf_log_warning("agent", "what concerns the broker cannot be noted: %s", err.text);
}

struct concern_search {
    const char *about;
    bool found;
};

static void compare_concern(void *context, const struct lf_concern *concern)
{
    struct concern_search *search = context;
    search->found = search->found
                    || (!concern->stands && !strcmp(concern->source, "link")
                        && !strcmp(concern->about, search->about));
}

static bool link_given_up(void *context, const char *about)
{
    struct agent *agent = context;
    struct concern_search search = {.about = about};
    struct lf_error ignored;
    lf_journal_concern_list(agent->context.journal, compare_concern, &search, &ignored);
    return search.found;
}

static bool heard(void *context, enum lf_link_heard what, struct lf_slice payload)
{
    struct agent *agent = context;
    bool doubts = witness_hear(agent->witness, what, payload);
    lf_wake_up(&agent->changed);
    return doubts;
}

/* While another agent of our name has the connection, its work may be ours. */
static bool work(void *context, struct lf_instrument *instrument, int64_t *next_mono)
{
    struct agent *agent = context;
    if (lf_intake_yields(agent->context.intake)) {
        *next_mono = lf_deadline_in(YIELDS_MS);
        return false;
    }
    return witness_allows(agent->witness, instrument, next_mono)
           && lf_jobs_work(agent->context.jobs, instrument, next_mono);
}

static enum lf_status found(void *context, struct lf_instrument *instrument, const struct lf_finding *finding,
                            struct lf_error *err)
{
    struct agent *agent = context;
    return lf_jobs_found(agent->context.jobs, instrument, finding, err);
}

static void instrument_changed(void *context, struct lf_instrument *instrument)
{
    struct agent *agent = context;
    lf_jobs_instrument_changed(agent->context.jobs, instrument);
}

struct lf_link_hooks hooks_of_link(struct agent *agent)
{
    return (struct lf_link_hooks){.context = agent,
                                  .batch = batch,
                                  .online = online,
                                  .offline = offline,
                                  .unsubscribed = unsubscribed,
                                  .heard = heard,
                                  .published = published,
                                  .other = other,
                                  .concern = link_concern,
                                  .given_up = link_given_up,
                                  .duplicate = duplicate};
}

struct lf_instrument_hooks hooks_of_instrument(struct agent *agent)
{
    return (struct lf_instrument_hooks){.context = agent,
                                        .work = work,
                                        .found = found,
                                        .changed = instrument_changed};
}

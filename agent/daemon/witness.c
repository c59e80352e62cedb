/* Instruments wait for an answer, at most until `until`: two seconds if nothing suggests that the state is
 * old (ten once a session came up), a minute if something does (the machine was restarted, the file is
 * another one). Without an answer they are then paused until a person has looked or the answer comes. */
#include "agent/daemon/witness.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "config/config.h"
#include "job/job.h"
#include "journal/audit.h"
#include "journal/concern.h"
#include "os/thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORDINARY_MS = 2000, /* a broker that is there answers in some 10 ms */
    DOUBT_MS = 60 * 1000,
    ONLINE_MS = 10 * 1000,   /* once a session came up, even if it was lost before the answer */
    OWN_HEAD_MS = 30 * 1000, /* after which our own head is published, heard or not */
};

#define SOURCE "state folder"
#define NOTED "witness.noted" /* in the journal: the head that a person was asked about last */
#define OLDER                                                                                                  \
    "paused: the state folder is older than what was done, so that would be done again. Check the open jobs, " \
    "cancel those that were done, then resume"
#define UNSURE                                                                                               \
    "paused: the state folder may be older than what was done, and no witness outside could be asked. "      \
    "Check the open jobs, cancel those that were done, then resume"

struct witness {
    struct lf_context *context;
    struct lf_mutex mutex; /* guards the rest; taken before the journal's */
    bool open;             /* instruments may act, unless they are paused */
    bool heard, agreed;    /* by the broker */
    bool pending; /* the head that the broker keeps is not compared, or what follows from it is not written */
    struct lf_audit_head kept; /* that head */
    bool told;      /* instruments were paused for it, so a person compares the jobs before resuming */
    bool *asked;    /* what its share remembers, by the instrument's place in the configuration */
    int64_t newest; /* job, when the journal was opened */
    int64_t until, own_head; /* monotonic */
};

/* So that a person is asked about this head once. Ours must not replace it meanwhile: another agent of our
 * name, whose it may be, would doubt its own state. */
static enum lf_status note_kept(struct witness *witness, const struct lf_audit_head *kept,
                                struct lf_error *err)
{
    const struct lf_config *config = witness->context->config;
    char text[LF_AUDIT_HEAD];
    lf_audit_head_text(kept, text);
    enum lf_status status = lf_journal_set(witness->context->journal, NOTED, text, err);
    return status == LF_OK
               ? lf_journal_outbox_withdraw(witness->context->journal, config->link.audit_topic, err)
               : status;
}

static bool was_noted(struct witness *witness, const struct lf_audit_head *kept)
{
    char text[LF_AUDIT_HEAD], *noted = NULL;
    struct lf_error ignored;
    lf_audit_head_text(kept, text);
    bool same = lf_journal_get(witness->context->journal, NOTED, &noted, &ignored) == LF_OK && noted
                && !strcmp(noted, text);
    free(noted);
    return same;
}

/* Is any instrument still paused because the state is older? If that cannot be read: yes. */
static bool is_paused_as_older(struct witness *witness)
{
    const struct lf_config *config = witness->context->config;
    bool paused = false;
    for (size_t i = 0; !paused && i < config->instrument_count; i++) {
        char name[LF_PAUSED_NAME], *why = NULL;
        struct lf_error ignored;
        lf_journal_paused(config->instruments[i].name, name);
        paused = lf_journal_get(witness->context->journal, name, &why, &ignored) != LF_OK
                 || (why && !strcmp(why, OLDER));
        free(why);
    }
    return paused;
}

/* kept: the head that speaks against our state; NULL: none does. */
static enum lf_status pause_all(struct witness *witness, const char *why, const char *text,
                                const struct lf_audit_head *kept, struct lf_error *err)
{
    struct lf_context *context = witness->context;
    const struct lf_config *config = context->config;
    char name[LF_PAUSED_NAME];
    lf_log_error("agent", "%s", text);
    enum lf_status status = lf_journal_begin(context->journal, err);
    if (status != LF_OK)
        return status;
    status = lf_journal_audit_add(context->journal, "agent", "audit", NULL, text, err);
    for (size_t i = 0; status == LF_OK && i < config->instrument_count; i++) {
        struct lf_instrument *instrument = context->jobs ? lf_jobs_instrument(context->jobs,
                                                                              config->instruments[i].name)
                                                         : NULL;
        status = lf_journal_set(context->journal, lf_journal_paused(config->instruments[i].name, name), why,
                                err);
        if (instrument)
            lf_instrument_pause(instrument, why);
    }
    struct lf_concern concern =
        {.source = SOURCE,
         .about = "older",
         .text = text,
         .todo =
             "compare the open jobs (labferry jobs) with what the instruments did, labferry cancel what was "
             "done, then labferry resume all"};
    if (status == LF_OK)
        status = lf_journal_concern(context->journal, &concern, err);
    if (status == LF_OK && kept)
        status = note_kept(witness, kept, err);
    if (status == LF_OK)
        status = lf_journal_doubt_over(context->journal, err); /* the pauses have it now */
    status = lf_journal_end(context->journal, status, err);
    witness->told = witness->told || status == LF_OK;
    return status;
}

/* Resumes the instruments that were paused because no witness had answered. */
static enum lf_status resume_unsure(struct witness *witness, struct lf_error *err)
{
    struct lf_context *context = witness->context;
    enum lf_status status = LF_OK;
    bool any = false;
    for (size_t i = 0; status == LF_OK && i < lf_jobs_instrument_count(context->jobs); i++) {
        struct lf_instrument *instrument = lf_jobs_instrument_at(context->jobs, i);
        char name[LF_PAUSED_NAME], *why = NULL;
        lf_journal_paused(lf_instrument_name(instrument), name);
        status = lf_journal_get(context->journal, name, &why, err);
        bool ours = why && !strcmp(why, UNSURE);
        free(why);
        if (status == LF_OK && ours && (status = lf_journal_set(context->journal, name, NULL, err)) == LF_OK)
            lf_instrument_resume(instrument);
        any = any || ours;
    }
    if (status == LF_OK && any)
        status = lf_journal_concern_over(context->journal, SOURCE, "older", err);
    return status;
}

/* With the mutex held. */
static void let_work(struct witness *witness)
{
    struct lf_jobs *jobs = witness->context->jobs;
    witness->open = true;
    for (size_t i = 0; jobs && i < lf_jobs_instrument_count(jobs); i++)
        lf_instrument_kick(lf_jobs_instrument_at(jobs, i));
}

/* What could not be read or written is tried again; nothing acts until then. */
static void settle(struct witness *witness, enum lf_status status, const struct lf_error *err)
{
    if (status == LF_OK) {
        witness->pending = false;
        let_work(witness);
        return;
    }
    witness->open = false;
    lf_log_warning("agent", "it is not settled yet whether the state folder is up to date: %s", err->text);
    witness->until = lf_deadline_in(ORDINARY_MS);
}

static void older(struct witness *witness, const char *text, const struct lf_audit_head *kept)
{
    struct lf_error err = {0};
    settle(witness, pause_all(witness, OLDER, text, kept, &err), &err);
}

/* By the broker; only this resumes instruments that were paused for it. */
static void confirmed(struct witness *witness)
{
    struct lf_journal *journal = witness->context->journal;
    struct lf_error err = {0};
    enum lf_status status = lf_journal_begin(journal, &err);
    if (status == LF_OK) {
        status = resume_unsure(witness, &err);
        if (status == LF_OK && lf_journal_doubt(journal))
            status = lf_journal_doubt_over(journal, &err);
        status = lf_journal_end(journal, status, &err);
    }
    settle(witness, status, &err);
}

/* Nobody could be asked. */
static void unheard(struct witness *witness)
{
    struct lf_journal *journal = witness->context->journal;
    struct lf_error err = {0};
    enum lf_doubt doubt = lf_journal_doubt(journal);
    bool reachable = witness->heard || !witness->context->config->link.used;
    char text[400];
    if (!doubt || (doubt == LF_DOUBT_BOOT && reachable)) {
        settle(witness, doubt ? lf_journal_doubt_over(journal, &err) : LF_OK, &err);
        return;
    }
    snprintf(text, sizeof text,
             "%s, and %s: whether the state folder is older than what was done is not known, so all "
             "instruments are paused",
             doubt == LF_DOUBT_COPY ? "the journal's file is not the one it was (a copy, or restored)"
                                    : "the machine was restarted",
             !witness->context->config->link.used ? "there is no broker to keep the head of the audit trail"
             : witness->heard                     ? "the broker keeps no head of the audit trail"
                              : "the broker, which keeps the head of the audit trail, is not reached");
    settle(witness, pause_all(witness, UNSURE, text, NULL, &err), &err);
}

/* ---- what is heard ---- */

static void tell_missing(struct witness *witness, const struct lf_audit_head *kept)
{
    int64_t first = lf_journal_audit_opened(witness->context->journal) + 1;
    char missing[80], text[500];
    if (first <= kept->seq)
        snprintf(missing, sizeof missing, "entries %" PRId64 " to %" PRId64 " are missing", first, kept->seq);
    else
        snprintf(missing, sizeof missing, "our entry %" PRId64 " is another one", kept->seq);
    snprintf(
        text, sizeof text,
        "the state folder is older than the head of the audit trail that the broker keeps: %s; or another "
        "agent with this name has worked. What was done would be done again, so all instruments are paused",
        missing);
    older(witness, text, kept);
}

/* True: what the broker keeps is not of our trail, and no person has compared since. */
static bool compare(struct witness *witness)
{
    const struct lf_audit_head *kept = &witness->kept;
    struct lf_error err = {0};
    bool has;
    enum lf_status status = lf_journal_audit_has(witness->context->journal, kept, &has, &err);
    if (status != LF_OK) {
        settle(witness, status, &err);
        return false;
    }
    if (has) {
        witness->agreed = true;
        confirmed(witness);
        return false;
    }
    if (was_noted(witness, kept))
        settle(witness, LF_OK, &err);
    else
        tell_missing(witness, kept);
    return is_paused_as_older(witness);
}

bool witness_hear(struct witness *witness, enum lf_link_heard heard, struct lf_slice payload)
{
    struct lf_audit_head kept;
    cJSON *json = NULL;
    struct lf_error ignored;
    bool doubts = false;
    bool good = heard == LF_LINK_HEARD && lf_json_parse(payload, &json, &ignored) == LF_OK
                && lf_audit_head_parse(lf_json_text_or(json, "head", ""), &kept);
    cJSON_Delete(json);
    lf_mutex_lock(&witness->mutex);
    witness->heard = witness->heard || heard != LF_LINK_AWAY;
    if (good) {
        witness->kept = kept;
        witness->pending = true;
        doubts = compare(witness);
    } else if (!witness->open && !witness->pending
               && (heard != LF_LINK_AWAY || !lf_journal_doubt(witness->context->journal)))
        unheard(witness);
    lf_mutex_unlock(&witness->mutex);
    return doubts;
}

void witness_online(struct witness *witness)
{
    int64_t until = lf_deadline_in(ONLINE_MS);
    lf_mutex_lock(&witness->mutex);
    if (!witness->open && until > witness->until)
        witness->until = until;
    lf_mutex_unlock(&witness->mutex);
}

/* ---- what the shares of instruments remember ---- */

struct remembered {
    const char *agent;
    int64_t newest, count; /* deliveries of jobs of this agent that are newer than `after` */
    int64_t after;
    char name[200];
};

static void see_delivery(void *context, const struct lf_witness *delivery)
{
    struct remembered *seen = context;
    if (strcmp(delivery->agent, seen->agent) != 0 || delivery->job <= seen->after)
        return;
    seen->count++;
    if (delivery->job > seen->newest) {
        seen->newest = delivery->job;
        snprintf(seen->name, sizeof seen->name, "%s", delivery->name);
    }
}

static enum lf_status never_made(struct witness *witness, const char *instrument,
                                 const struct remembered *seen)
{
    struct lf_journal *journal = witness->context->journal;
    struct lf_error err = {0};
    char text[500];
    snprintf(text, sizeof text,
             "the state folder is older than what was done: the folder of %.80s remembers %" PRId64
             " deliveries of jobs that are missing here, the last of %.100s (job %" PRId64
             "). It would be delivered again, so all instruments are paused",
             instrument, seen->count, seen->name, seen->newest);
    bool told = witness->told;
    enum lf_status status = lf_journal_begin(journal, &err);
    if (status == LF_OK) {
        /* No job gets a number that it remembers. */
        status = lf_journal_job_skip(journal, seen->newest, &err);
        if (status == LF_OK && !told)
            status = pause_all(witness, OLDER, text, NULL, &err);
        status = lf_journal_end(journal, status, &err);
    }
    if (status != LF_OK)
        witness->told = told;
    settle(witness, status, &err);
    return status;
}

/* False: the share cannot be read now. Called by the instrument's own thread, until it has returned true
 * once. */
static bool ask_share(struct witness *witness, struct lf_instrument *instrument, size_t at)
{
    struct lf_error err = {0};
    /* `newest` stays as it was when the journal was opened. */
    struct remembered seen = {.agent = witness->context->config->agent.name, .after = witness->newest};
    enum lf_status status = lf_instrument_witnessed(instrument, see_delivery, &seen, &err);
    if (status != LF_OK && status != LF_UNSUPPORTED) {
        lf_log_warning(lf_instrument_name(instrument), "cannot read which deliveries it remembers: %s",
                       err.text);
        return false;
    }
    lf_mutex_lock(&witness->mutex);
    bool told = witness->told;
    if (seen.newest)
        status = never_made(witness, lf_instrument_name(instrument), &seen);
    witness->asked[at] = status == LF_OK || status == LF_UNSUPPORTED;
    bool may = witness->asked[at] && (told || seen.newest == 0); /* else it is paused now */
    lf_mutex_unlock(&witness->mutex);
    return may;
}

bool witness_allows(struct witness *witness, struct lf_instrument *instrument, int64_t *next_mono)
{
    const struct lf_config *config = witness->context->config;
    size_t at = 0;
    while (at < config->instrument_count
           && strcmp(config->instruments[at].name, lf_instrument_name(instrument)) != 0)
        at++;
    lf_mutex_lock(&witness->mutex);
    if (!witness->open && lf_deadline_passed(witness->until)) {
        if (witness->pending)
            compare(witness);
        else
            unheard(witness);
    }
    bool open = witness->open, ask = open && !witness->agreed && !witness->asked[at];
    *next_mono = witness->until;
    lf_mutex_unlock(&witness->mutex);
    if (!ask || ask_share(witness, instrument, at))
        return open;
    *next_mono = lf_deadline_in(ORDINARY_MS);
    return false;
}

bool witness_lets_publish(struct witness *witness)
{
    lf_mutex_lock(&witness->mutex);
    bool may = !witness->pending && (witness->heard || lf_deadline_passed(witness->own_head))
               && !is_paused_as_older(witness);
    lf_mutex_unlock(&witness->mutex);
    return may;
}

/* ---- opening ---- */

/* The lock file beside the journal knows of actions that the journal does not. */
static enum lf_status compare_lock(struct witness *witness, struct lf_error *err)
{
    char text[300];
    int64_t missing = lf_journal_missing(witness->context->journal);
    if (!missing)
        return LF_OK;
    snprintf(text, sizeof text,
             "the journal is an older copy: it lacks %" PRId64
             " entries that were there when the last action began. All instruments are paused",
             missing);
    enum lf_status status = pause_all(witness, OLDER, text, NULL, err);
    if (status == LF_OK)
        lf_journal_missing_noted(witness->context->journal);
    return status;
}

/* Still paused for it since an earlier run? */
static enum lf_status look_for_pauses(struct witness *witness, struct lf_error *err)
{
    const struct lf_config *config = witness->context->config;
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < config->instrument_count; i++) {
        char name[LF_PAUSED_NAME], *why = NULL;
        lf_journal_paused(config->instruments[i].name, name);
        status = lf_journal_get(witness->context->journal, name, &why, err);
        witness->told = witness->told || (why && (!strcmp(why, OLDER) || !strcmp(why, UNSURE)));
        free(why);
    }
    return status;
}

enum lf_status witness_open(struct lf_context *context, struct witness **out, struct lf_error *err)
{
    struct witness *witness = calloc(1, sizeof *witness);
    if (!witness)
        return lf_fail_memory(err, "starting the agent");
    *out = witness;
    lf_mutex_init(&witness->mutex);
    witness->context = context;
    bool used = context->config->link.used, doubt = lf_journal_doubt(context->journal) != LF_DOUBT_NONE;
    witness->own_head = lf_deadline_in(OWN_HEAD_MS);
    witness->until = lf_deadline_in(!used ? 0 : doubt ? LF_LIMIT("LF_WITNESS_MS", DOUBT_MS) : ORDINARY_MS);
    witness->asked = calloc(context->config->instrument_count + 1, sizeof *witness->asked);
    enum lf_status status = witness->asked ? lf_journal_job_newest(context->journal, &witness->newest, err)
                                           : lf_fail_memory(err, "starting the agent");
    if (status == LF_OK)
        status = look_for_pauses(witness, err);
    if (status == LF_OK && used) /* a head that waits to be sent is no newer than the one to be read */
        status = lf_journal_outbox_withdraw(context->journal, context->config->link.audit_topic, err);
    return status == LF_OK ? compare_lock(witness, err) : status;
}

void witness_close(struct witness *witness)
{
    if (!witness)
        return;
    lf_mutex_destroy(&witness->mutex);
    free(witness->asked);
    free(witness);
}

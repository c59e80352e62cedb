/* MQTT and the list check each other: each event that routes want should come both ways.
 *
 * An event that has come one way waits in a table of fixed size for the other. If the list has events that
 * MQTT does not bring, the broker drops messages, and the list is asked sooner. If completed rounds lack
 * events that MQTT brought, the list cannot be relied on, and a person must know. Only the monotonic clock is
 * used. An event that leaves the table early (it is full, or the agent restarts) is not judged.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "intake/parts.h"

#include <stdio.h>

enum {
    PUSH_MS = 30 * 1000,     /* MQTT should bring an event this long after the list */
    LIST_MS = 5 * 60 * 1000, /* the list should have an event this long after MQTT */
    FEW = 3,                 /* events that prove nothing yet */
    MANY = 40,               /* judgements after which old ones count half */
};

/* FNV-1a: a wrong match would only leave an event unjudged. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = 14695981039346656037u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211u;
    return hash ? hash : 1;
}

bool intake__proof_used(const struct lf_intake *intake)
{
    const struct lf_config *config = intake->options.config;
    return config->link.used && config->cloud.events != LF_SOURCE_POLL;
}

void intake__proof_see(struct lf_intake *intake, const char *id, const char *type, enum intake_way way,
                       bool added)
{
    struct intake_proof *proof = &intake->proof;
    uint64_t hash = hash_of(id);
    if (!intake__proof_used(intake) || !intake__round_asks(intake, type))
        return;
    lf_mutex_lock(&intake->poll.mutex);
    for (size_t i = 0; i < PROOF_MAX; i++) {
        struct intake_seen *seen = &proof->seen[i];
        if (seen->hash != hash)
            continue;
        if (seen->way != way) { /* it came both ways */
            seen->hash = 0;
            proof->held++;
        }
        added = false;
        break;
    }
    if (added) {
        proof->seen[proof->at] = (struct intake_seen){hash, lf_clock_mono_ms(), way};
        proof->at = (proof->at + 1) % PROOF_MAX;
    }
    lf_mutex_unlock(&intake->poll.mutex);
}

static void report_missed(struct lf_intake *intake, int64_t missed)
{
    char text[300];
    snprintf(
        text, sizeof text,
        "MQTT did not bring %lld event%s that the list of events has; %s taken from the list, later than "
        "usual",
        (long long)missed, missed == 1 ? "" : "s", missed == 1 ? "it was" : "they were");
    lf_log_warning("poll", "%s", text);
    intake__stands(intake, "missed by MQTT", text,
                   "look at the relay, and at the limits of the broker (mosquitto: max_queued_messages), "
                   "which drops messages when its queues are full");
    intake->proof.dropped = true;
}

bool intake__proof_missed(struct lf_intake *intake, int64_t *next)
{
    struct intake_proof *proof = &intake->proof;
    int64_t missed = 0, wait = LF_LIMIT("LF_PUSH_MS", PUSH_MS);
    *next = 0;
    lf_mutex_lock(&intake->poll.mutex);
    for (size_t i = 0; i < PROOF_MAX; i++) {
        struct intake_seen *seen = &proof->seen[i];
        if (!seen->hash || seen->way != INTAKE_LIST)
            continue;
        if (!lf_deadline_passed(seen->at_mono + wait)) {
            *next = seen->at_mono + wait > *next ? seen->at_mono + wait : *next; /* all of a burst at once */
            continue;
        }
        seen->hash = 0;
        missed++;
    }
    *next = *next ? *next : LF_NEVER;
    intake->poll.missed += missed;
    lf_mutex_unlock(&intake->poll.mutex);
    if (missed)
        report_missed(intake, missed);
    return missed > 0;
}

void intake__proof_calm(struct lf_intake *intake)
{
    if (intake->proof.dropped)
        intake__stands(intake, "missed by MQTT", NULL, NULL);
    intake->proof.dropped = false;
}

static void report_unreliable(struct lf_intake *intake, int lacking, int all)
{
    char text[300];
    snprintf(text, sizeof text,
             "the list of events (GET /events) answers, but is unreliable: it lacks %d of the last %d events "
             "that MQTT brought. What the broker drops may be lost",
             lacking, all);
    lf_log_warning("poll", "%s", text);
    intake__stands(intake, "list unreliable", text,
                   "ask Benchling whether the tenant's list of events is enabled and the app may see all "
                   "projects; look with `labferry events` whether the events on MQTT are genuine");
}

void intake__proof_round(struct lf_intake *intake, int64_t began_mono)
{
    struct intake_proof *proof = &intake->proof;
    int64_t wait = LF_LIMIT("LF_LIST_MS", LIST_MS);
    lf_mutex_lock(&intake->poll.mutex);
    for (size_t i = 0; i < PROOF_MAX; i++) {
        struct intake_seen *seen = &proof->seen[i];
        if (!seen->hash || seen->way != INTAKE_MQTT || seen->at_mono + wait > began_mono)
            continue;
        seen->hash = 0;
        proof->lacking++;
    }
    if (proof->held + proof->lacking > MANY) {
        proof->held /= 2;
        proof->lacking /= 2;
    }
    bool bad = proof->lacking >= FEW && proof->lacking > proof->held;
    int held = proof->held, lacking = proof->lacking;
    lf_mutex_unlock(&intake->poll.mutex);
    if (bad && !proof->bad)
        report_unreliable(intake, lacking, held + lacking);
    if (!bad && proof->bad)
        intake__stands(intake, "list unreliable", NULL, NULL);
    proof->bad = bad;
}

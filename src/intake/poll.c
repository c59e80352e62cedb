/* The intake thread: when to ask the API for events (round.c asks), and completing those that lack properties
 * (reread.c).
 *
 * A broker drops messages without a word when its queue is full, also those of a connected client, and
 * forgets sessions. So the list is asked
 * - soon after each connection, with jitter, since many agents connect at once when a broker comes back;
 * later if it is one of many in a row;
 * - at a slow pace, whatever the link does;
 * - sooner, and then ever more slowly, when a round found events that MQTT did not bring (proof.c).
 * With cloud.events = "poll" or "both" it is asked every cloud.poll_interval instead.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "intake/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PACE_MS = 5 * 60 * 1000, /* while nothing is missed */
    SOONER_MS = 10 * 1000,   /* once something was missed; doubles up to the pace */
    JITTER_MS = 5 * 1000,    /* after a connection, at most */
    CALM = 6,                /* rounds without anything missed, after which all is well */
    CALM_MAX = 30,           /* more need no counting */
};

static bool is_regular(const struct lf_intake *intake)
{
    return intake->options.config->cloud.events != LF_SOURCE_MQTT;
}

/* Between two rounds that succeed. The pace is exceeded by up to a fifth, so that agents spread. */
static int64_t pace(const struct lf_intake *intake)
{
    int64_t slow = LF_LIMIT("LF_ASK_PACE_MS", PACE_MS), sooner = SOONER_MS;
    if (is_regular(intake))
        return intake->options.config->cloud.poll_interval_ms;
    for (int i = 0; i < intake->poll.calm && sooner < slow; i++)
        sooner *= 2;
    return sooner < slow ? sooner : slow + (int64_t)lf_random_below((uint64_t)slow / 5 + 1);
}

static void note_outcome(struct lf_intake *intake, enum lf_status status, const struct lf_error *err)
{
    struct intake_poll *poll = &intake->poll;
    const char *trouble = status == LF_OK ? "" : err->text;
    lf_mutex_lock(&poll->mutex);
    bool news = *trouble && strcmp(poll->error, trouble) != 0;
    snprintf(poll->error, sizeof poll->error, "%s", trouble);
    if (status == LF_OK)
        poll->last_ms = lf_clock_wall_ms();
    lf_mutex_unlock(&poll->mutex);
    if (news)
        lf_log_warning("poll", "cannot ask for events: %s", trouble);
    if (news
        && err->class != LF_TRANSIENT) /* what keeps all requests from the tenant is reported elsewhere */
        intake__stands(intake, "list refused", trouble,
                       "until the list of events (GET /events) can be read, events that the broker drops are "
                       "lost. Check the app's permissions in Benchling");
    if (status == LF_OK && poll->refused)
        intake__stands(intake, "list refused", NULL, NULL);
    poll->refused = status != LF_OK && (poll->refused || err->class != LF_TRANSIENT);
}

static void ask(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    struct lf_error err = {0};
    enum lf_status status = intake__round(intake, &err);
    if (status == LF_CANCELLED)
        return;
    note_outcome(intake, status, &err);
    poll->calm += status == LF_OK && poll->calm < CALM_MAX;
    if (poll->calm > CALM)
        intake__proof_calm(intake);
    int64_t wait = lf_backoff_ms(poll->attempt, LF_PACE_CLOUD);
    poll->attempt = status == LF_OK ? 0 : poll->attempt + 1;
    if (status != LF_OK)
        poll->next = lf_deadline_in(wait > err.retry_after_ms ? wait : err.retry_after_ms);
    else
        poll->next = lf_deadline_in(pace(intake));
}

/* Is it time? A connection during a round wants another one: the broker may have dropped events since. */
static bool is_due(struct intake_poll *poll)
{
    lf_mutex_lock(&poll->mutex);
    bool yields = poll->yields, asked = !yields && lf_deadline_passed(poll->asked);
    if (asked)
        poll->asked = LF_NEVER;
    lf_mutex_unlock(&poll->mutex);
    return asked || (!yields && lf_deadline_passed(poll->next));
}

/* When the next round is due. */
static int64_t due_by(struct intake_poll *poll)
{
    lf_mutex_lock(&poll->mutex);
    int64_t by = poll->yields ? LF_NEVER : lf_deadline_sooner(poll->next, poll->asked);
    lf_mutex_unlock(&poll->mutex);
    return by;
}

/* One round and one incomplete event at a time, so that neither keeps the other waiting for long. */
int64_t intake__poll_work(void *context)
{
    struct lf_intake *intake = context;
    struct intake_poll *poll = &intake->poll;
    int64_t next_event = LF_NEVER, judged = LF_NEVER;
    if (is_due(poll))
        ask(intake);
    if (intake__proof_missed(intake, &judged)) {
        poll->calm = 0;
        lf_mutex_lock(&poll->mutex);
        poll->connections = 0;
        lf_mutex_unlock(&poll->mutex);
        poll->next = lf_deadline_sooner(poll->next, lf_deadline_in(pace(intake)));
    }
    if (!lf_cancel_is_set(&poll->worker.cancel) && intake__reread_one(intake, &next_event))
        return 0;
    return lf_deadline_sooner(due_by(poll), lf_deadline_sooner(judged, next_event));
}

enum lf_status intake__poll_open(struct lf_intake *intake, struct lf_error *err)
{
    intake->poll.calm = CALM_MAX;
    intake->poll.asked = LF_NEVER;
    /* With a link the first connection says when; without a connection the pace does. */
    if (intake->options.config->link.used && !is_regular(intake))
        intake->poll.next = lf_deadline_in(pace(intake));
    enum lf_status status = lf_worker_open(&intake->poll.worker, err);
    return status == LF_OK ? intake__round_open(intake, err) : status;
}

enum lf_status lf_intake_start(struct lf_intake *intake, struct lf_error *err)
{
    return lf_worker_start(&intake->poll.worker, "intake", intake__poll_work, intake, err);
}

void intake__poll_close(struct lf_intake *intake)
{
    lf_worker_close(&intake->poll.worker);
    intake__round_close(intake);
    lf_mutex_destroy(&intake->poll.mutex);
}

void lf_intake_yield(struct lf_intake *intake)
{
    lf_mutex_lock(&intake->poll.mutex);
    intake->poll.yields = true;
    lf_mutex_unlock(&intake->poll.mutex);
}

bool lf_intake_yields(struct lf_intake *intake)
{
    lf_mutex_lock(&intake->poll.mutex);
    bool yields = intake->poll.yields;
    lf_mutex_unlock(&intake->poll.mutex);
    return yields;
}

void lf_intake_connected(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    int64_t most = LF_LIMIT("LF_ASK_JITTER_MS", JITTER_MS), now = lf_clock_mono_ms();
    lf_mutex_lock(&poll->mutex);
    if (now - poll->connected_at > PACE_MS)
        poll->connections = 0;
    for (int i = 0; i < poll->connections && most < PACE_MS; i++)
        most *= 2;
    poll->connected_at = now;
    poll->yields = false;
    poll->connections += poll->connections < CALM_MAX;
    int64_t by = now + (int64_t)lf_random_below((uint64_t)(most < PACE_MS ? most : PACE_MS) + 1);
    poll->asked = lf_deadline_sooner(poll->asked, by);
    lf_mutex_unlock(&poll->mutex);
    lf_worker_kick(&poll->worker);
}

void lf_intake_kick(struct lf_intake *intake)
{
    lf_worker_kick(&intake->poll.worker);
}

cJSON *lf_intake_poll_health(struct lf_intake *intake)
{
    struct intake_poll *poll = &intake->poll;
    struct lf_error err;
    cJSON *health = cJSON_CreateObject();
    char *after;
    lf_journal_get(intake->journal, "poll.after", &after, &err);
    lf_mutex_lock(&poll->mutex);
    lf_json_set_time(health, "last", poll->last_ms);
    lf_json_set_text(health, "after", after);
    lf_json_set_int(health, "taken", poll->taken);
    lf_json_set_int(health, "missed", poll->missed);
    lf_json_set_text(health, "error", poll->error[0] ? poll->error : NULL);
    lf_mutex_unlock(&poll->mutex);
    free(after);
    return health;
}

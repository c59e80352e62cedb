/* Publications on their way: what may be sent now, and what came of it.
 *
 * Pace: a broker that says that its quota is used up gets half as many a second, and each second without such
 * an answer one more, until the limit is forgotten.
 */
#include "link/session.h"

#include "base/log.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RATE_ASSUMED = 100, /* publications a second, before the broker complained: AWS IoT Core's limit */
    RATE_MAX = 400,     /* above this no limit is kept */
    PAUSE_MS = 1000,
    AGAIN_MAX = 5, /* tries of a publication that the broker refuses for no reason that we know */
};

/* ---- the pace ---- */

void link__pace_slower(struct lf_link *link)
{
    int64_t now = lf_clock_mono_ms();
    if (now < link->send_at && link->slowed) /* the answers to one burst are one sign */
        return;
    lf_mutex_lock(&link->mutex);
    int rate = link->rate ? link->rate : RATE_ASSUMED;
    link->rate = rate > 1 ? rate / 2 : 1;
    lf_mutex_unlock(&link->mutex);
    link->slowed = true;
    link->send_at = now + PAUSE_MS + (int64_t)lf_random_below(PAUSE_MS);
    link->faster_at = link->send_at + PAUSE_MS;
    lf_log_warning("link", "the broker's quota is used up: sending at most %d messages a second", link->rate);
}

static void count_pace(struct lf_link *link)
{
    int64_t now = lf_clock_mono_ms();
    link->slowed = false;
    if (!link->rate)
        return;
    link->send_at = now + 1000 / link->rate;
    if (now < link->faster_at)
        return;
    link->faster_at = now + PAUSE_MS;
    lf_mutex_lock(&link->mutex);
    link->rate = link->rate < RATE_MAX ? link->rate + 1 : 0;
    lf_mutex_unlock(&link->mutex);
}

/* ---- what came of it ---- */

static void report(struct lf_link *link, int64_t number, enum lf_publish_outcome outcome)
{
    if (number > 0 && link->hooks.published)
        link->hooks.published(link->hooks.context, number, outcome);
}

void link__drop(struct lf_link *link, int64_t number, const char *topic, const char *why)
{
    char about[TOPIC_ABOUT], text[LF_ERROR_TEXT];
    snprintf(about, sizeof about, "reports that the broker refused on %.200s", topic);
    snprintf(text, sizeof text, "the broker refused a report on %.300s: %s. It was dropped", topic, why);
    lf_log_warning("link", "%s", text);
    link__concern(link, about, false, text,
                  "check the broker's access rules and limits. What the "
                  "report said is in `labferry jobs` and `labferry audit`");
    report(link, number, LF_PUBLISH_DROPPED);
}

/* Everything that was not sent yet waits with what the broker has put off, so that the order stays. That one
 * is reported last: the outbox begins again once it knows of all. */
static void put_off(struct lf_link *link, int64_t number)
{
    for (struct outgoing *outgoing; (outgoing = link__queue_take(link));) {
        report(link, outgoing->ticket, LF_PUBLISH_LATER);
        link__outgoing_free(outgoing);
    }
    report(link, number, LF_PUBLISH_LATER);
}

static void try_again(struct lf_link *link, const struct publish_ticket *ticket, const char *why)
{
    if (link->again_number != ticket->number)
        link->again_count = 0;
    link->again_number = ticket->number;
    if (++link->again_count > AGAIN_MAX) {
        link__drop(link, ticket->number, ticket->topic, why);
        return;
    }
    link->send_at = lf_deadline_in(PAUSE_MS + lf_backoff_ms(link->again_count, LF_PACE_BROKER));
    put_off(link, ticket->number);
}

static void judge(struct lf_link *link, const struct publish_ticket *ticket, int reason)
{
    char about[TOPIC_ABOUT];
    const char *why = reason < MQTT_RC_UNSPECIFIED ? mosquitto_strerror(reason)
                                                   : mosquitto_reason_string(reason);
    switch (link__verdict(reason)) {
    case VERDICT_TAKEN:
        if (ticket->qos > 0)
            link__topic_taken(link, link__topic_about(link, ticket->topic, about));
        report(link, ticket->number, LF_PUBLISH_TAKEN);
        break;
    case VERDICT_SLOWER:
        link__pace_slower(link);
        put_off(link, ticket->number);
        break;
    case VERDICT_AGAIN: try_again(link, ticket, why); break;
    case VERDICT_TOPIC:
    case VERDICT_MESSAGE: link__drop(link, ticket->number, ticket->topic, why); break;
    }
}

void link__published(struct lf_link *link, int mid, int reason)
{
    for (size_t i = 0; i < link->ticket_count; i++) {
        if (link->tickets[i].mid != mid)
            continue;
        struct publish_ticket ticket = link->tickets[i];
        memmove(&link->tickets[i], &link->tickets[i + 1], (--link->ticket_count - i) * sizeof ticket);
        judge(link, &ticket, reason);
        free(ticket.topic);
        return;
    }
}

void link__tickets_clear(struct lf_link *link)
{
    while (link->ticket_count)
        free(link->tickets[--link->ticket_count].topic);
}

/* ---- sending ---- */

static int publish(struct lf_link *link, const struct outgoing *outgoing, int *mid)
{
    mosquitto_property *properties = NULL;
    int code = MOSQ_ERR_SUCCESS;
    if (link->config->status_topic && !strcmp(outgoing->topic, link->config->status_topic))
        link__duplicate_tag(link, false, &properties); /* out of memory: it is sent without a tag */
    if (outgoing->correlation.len)
        code = mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA,
                                             outgoing->correlation.data, (uint16_t)outgoing->correlation.len);
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_publish_v5(link->mosq, mid, outgoing->topic, (int)outgoing->payload.len,
                                    outgoing->payload.data, outgoing->qos,
                                    outgoing->retain && !link->retain_refused, properties);
    mosquitto_property_free_all(&properties);
    return code;
}

static void send_one(struct lf_link *link, struct outgoing *outgoing)
{
    struct publish_ticket ticket = {.qos = outgoing->qos,
                                    .number = outgoing->ticket,
                                    .topic = outgoing->topic,
                                    .bytes = outgoing->payload.len};
    int code = publish(link, outgoing, &ticket.mid);
    count_pace(link);
    if (code == MOSQ_ERR_SUCCESS) {
        link->tickets[link->ticket_count++] = ticket;
        outgoing->topic = NULL;
        lf_mutex_lock(&link->mutex);
        link->messages_out++;
        lf_mutex_unlock(&link->mutex);
    } else if (code == MOSQ_ERR_NOMEM) {
        link->out_of_memory = true; /* ends this session; the outbox sends it again in the next */
    } else if (code != MOSQ_ERR_NO_CONN) {
        judge(link, &ticket, code);
    }
}

/* Is it the turn of the first in the queue? If it will never be, that is reported. */
static bool may_send(struct lf_link *link, const struct outgoing *first, enum topic_state *state)
{
    char about[TOPIC_ABOUT];
    if (!lf_deadline_passed(link->send_at))
        return false;
    *state = link__topic_state(link, link__topic_about(link, first->topic, about));
    if (*state == TOPIC_TAKEN)
        return !link->tries_alone;
    return *state != TOPIC_UNKNOWN || link->ticket_count == 0;
}

void link__send_queued(struct lf_link *link)
{
    enum topic_state state;
    const struct outgoing *first;
    link->tries_alone = link->tries_alone && link->ticket_count > 0;
    while (link->ticket_count < QUEUE_MAX && (first = link__queue_first(link))
           && may_send(link, first, &state)) {
        struct outgoing *outgoing = link__queue_take(link);
        if (state == TOPIC_ASIDE || state == TOPIC_GIVEN_UP) {
            report(link, outgoing->ticket, state == TOPIC_ASIDE ? LF_PUBLISH_ASIDE : LF_PUBLISH_DROPPED);
        } else {
            link->tries_alone = state == TOPIC_UNKNOWN && outgoing->qos > 0;
            send_one(link, outgoing);
        }
        link__outgoing_free(outgoing);
    }
}

int64_t link__send_due(struct lf_link *link)
{
    return link__queue_first(link) && !lf_deadline_passed(link->send_at) ? link->send_at : LF_NEVER;
}

/* The library's callbacks. All run on the link thread, within mosquitto_loop_read or mosquitto_loop_write.
 * Messages are only copied here; session.c hands them over and acknowledges them when the batch is complete.
 */
#include "link/session.h"

#include "base/log.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

static void incoming_free(struct incoming *incoming)
{
    free(incoming->topic);
    free(incoming->response_topic);
    free(incoming->payload);
    free(incoming->correlation);
}

void link__batch_clear(struct lf_link *link)
{
    for (size_t i = 0; i < link->batch_count; i++)
        incoming_free(&link->batch[i]);
    link->batch_count = 0;
    link->batch_bytes = 0;
}

static bool copy_message(struct lf_link *link, struct incoming *to, const struct mosquitto_message *from)
{
    *to = (struct incoming){.topic = strdup(from->topic)};
    size_t len = (size_t)from->payloadlen;
    to->message.too_large = (int64_t)len > link->options.max_message;
    to->message.too_large_size = (int64_t)len;
    if (to->message.too_large)
        len = 0;
    to->payload = malloc(len + 1);
    if (!to->topic || !to->payload)
        return false;
    if (len)
        memcpy(to->payload, from->payload, len);
    to->message.topic = to->topic;
    to->message.payload = lf_slice(to->payload, len);
    to->message.retained = from->retain;
    to->message.expiry_s = -1;
    return true;
}

/* False: out of memory. The library then reports the property as missing, so it is asked twice.
 */
static bool copy_properties(struct incoming *to, const mosquitto_property *properties)
{
    uint16_t len = 0;
    uint32_t expiry = 0;
    if (mosquitto_property_read_string(properties, MQTT_PROP_RESPONSE_TOPIC, NULL, false)
        && !mosquitto_property_read_string(properties, MQTT_PROP_RESPONSE_TOPIC, &to->response_topic, false))
        return false;
    to->message.response_topic = to->response_topic;
    if (mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, NULL, NULL, false)
        && !mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &to->correlation, &len,
                                           false))
        return false;
    to->message.correlation = lf_slice(to->correlation, len);
    if (mosquitto_property_read_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, &expiry, false))
        to->message.expiry_s = expiry;
    return true;
}

static void on_message(struct mosquitto *mosq, void *context, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    (void)mosq;
    struct lf_link *link = context;
    if (link->config->status_topic && !strcmp(message->topic, link->config->status_topic)) {
        link__duplicate_read(link, properties);
        return;
    }
    struct incoming *grown = realloc(link->batch, (link->batch_count + 1) * sizeof *grown);
    if (!grown) {
        link->out_of_memory = true;
        return;
    }
    link->batch = grown;
    struct incoming *incoming = &grown[link->batch_count];
    if (!copy_message(link, incoming, message) || !copy_properties(incoming, properties)) {
        incoming_free(incoming);
        link->out_of_memory = true;
        return;
    }
    link->batch_count++;
    link->batch_bytes += incoming->message.payload.len;
    lf_mutex_lock(&link->mutex);
    link->messages_in++;
    link->bytes_in += (uint64_t)message->payloadlen;
    lf_mutex_unlock(&link->mutex);
}

/* ---- the session ---- */

enum { RETRY_LEAST_MS = 1000 }; /* of refused subscriptions */

static void session_up(struct lf_link *link)
{
    link__set_state(link, LF_LINK_ONLINE, link->refusal);
    if (!link->connected_at)
        lf_log_info("link", "connected to %s:%d%s", link->config->host, link->config->port,
                    link->session_present ? ", session resumed" : ", new session");
    else if (!link->refusal[0])
        lf_log_info("link", "the broker now grants all subscriptions");
    if (!link->connected_at)
        link->connected_at = lf_clock_mono_ms();
    link->retry_at = link->refusal[0]
                         ? lf_deadline_in(RETRY_LEAST_MS + lf_backoff_ms(link->retries++, LF_PACE_BROKER))
                         : LF_NEVER;
    if (link->hooks.online)
        link->hooks.online(link->hooks.context, !link->gap_open);
}

static enum lf_status record_gap(struct lf_link *link)
{
    return link->hooks.gap ? link->hooks.gap(link->hooks.context, &link->gap_error) : LF_OK;
}

static void on_connect(struct mosquitto *mosq, void *context, int reason, int flags,
                       const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct lf_link *link = context;
    if (reason != 0) {
        link->ended = true;
        link->end_reason = reason;
        return;
    }
    link->session_present = flags & 1;
    link->gap_unrecorded = record_gap(link) != LF_OK;
    if (!link->gap_unrecorded)
        link__session_subscribe(link);
}

/* The filters: those of the events, then the commands', then our own status; NULL: there is none. */
static const char *filter_of(const struct lf_link *link, size_t index)
{
    const struct lf_texts *events = &link->config->topics;
    if (index < events->count)
        return events->items[index];
    return index == events->count ? link->config->command_topic : link->config->status_topic;
}

void link__session_subscribe(struct lf_link *link)
{
    link->refusal[0] = '\0';
    link->gap_open = false;
    link->unanswered = 0;
    for (size_t i = 0; i < link->config->topics.count + 2; i++) {
        const char *filter = filter_of(link, i);
        bool own_status = filter && filter == link->config->status_topic;
        if (!filter)
            continue;
        /* Our own status: asked for at every connect, and not queued for us while we are away. All others:
         * retained messages come once, when the subscription is new. */
        if (mosquitto_subscribe_v5(link->mosq, &link->filter_mids[i], filter, own_status ? 0 : 1,
                                   own_status ? MQTT_SUB_OPT_SEND_RETAIN_ALWAYS
                                              : MQTT_SUB_OPT_SEND_RETAIN_NEW,
                                   NULL)
            != MOSQ_ERR_SUCCESS)
            link->out_of_memory = true; /* filters were checked: only memory can run out */
        link->unanswered++;
    }
    if (link->unanswered == 0)
        session_up(link);
}

static void on_disconnect(struct mosquitto *mosq, void *context, int reason,
                          const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct lf_link *link = context;
    if (!link->ended) /* the first reason counts: a refused CONNECT is followed by "protocol error" */
        link->end_reason = reason;
    link->ended = true;
}

/* Logged as an error once per session, not at every retry. */
static void subscription_refused(struct lf_link *link, int mid, int reason)
{
    size_t which = 0, events = link->config->topics.count;
    while (which < events + 1 && link->filter_mids[which] != mid)
        which++;
    const char *filter = filter_of(link, which);
    snprintf(link->refusal, sizeof link->refusal, "the broker refuses the subscription to %s: %s",
             filter ? filter : "?", mosquitto_reason_string(reason));
    lf_log(link->connected_at ? LF_LOG_DEBUG : LF_LOG_ERROR, "link",
           "%s. Check its access rules for this agent", link->refusal);
    link->gap_open = link->gap_open || which < events;
}

static void on_subscribe(struct mosquitto *mosq, void *context, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct lf_link *link = context;
    for (int i = 0; i < count; i++)
        if (granted[i] >= 0x80)
            subscription_refused(link, mid, granted[i]);
    if (link->unanswered == 0 || --link->unanswered > 0)
        return;
    link->gap_unrecorded = link->gap_open && record_gap(link) != LF_OK;
    if (!link->gap_unrecorded)
        session_up(link);
}

static void on_publish(struct mosquitto *mosq, void *context, int mid, int reason,
                       const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct lf_link *link = context;
    for (size_t i = 0; i < link->ticket_count; i++) {
        if (link->tickets[i].mid != mid)
            continue;
        int64_t number = link->tickets[i].number;
        link->tickets[i] = link->tickets[--link->ticket_count];
        if (link->hooks.published)
            link->hooks.published(link->hooks.context, number,
                                  reason >= 0x80 ? mosquitto_reason_string(reason) : NULL);
        return;
    }
}

static void on_log(struct mosquitto *mosq, void *context, int level, const char *text)
{
    (void)mosq;
    struct lf_link *link = context;
    if (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING)
        snprintf(link->detail, sizeof link->detail, "%s", text);
}

void link__session_callbacks(struct lf_link *link)
{
    mosquitto_connect_v5_callback_set(link->mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(link->mosq, on_disconnect);
    mosquitto_message_v5_callback_set(link->mosq, on_message);
    mosquitto_subscribe_v5_callback_set(link->mosq, on_subscribe);
    mosquitto_publish_v5_callback_set(link->mosq, on_publish);
    mosquitto_log_callback_set(link->mosq, on_log);
}

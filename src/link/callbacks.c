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
    free(incoming->user);
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

/* The first property that says who sent it; owned, NULL: none does. */
static char *copy_user(const mosquitto_property *properties)
{
    char *name, *value;
    const mosquitto_property *at = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY,
                                                                       &name, &value, false);
    while (at) {
        bool found = !strcmp(name, "user") || !strcmp(name, "who");
        free(name);
        if (found)
            return value;
        free(value);
        at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, true);
    }
    return NULL;
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
    to->message.user = to->user = copy_user(properties);
    return true;
}

/* Does a message on this topic come because of this filter? A shared one has its group in front. */
static bool fits(const char *filter, const char *topic)
{
    const char *own = !strncmp(filter, "$share/", 7) ? strchr(filter + 7, '/') : NULL;
    bool match = false;
    mosquitto_topic_matches_sub(own ? own + 1 : filter, topic, &match);
    return match;
}

static bool is_asked(const struct lf_link *link, const char *topic)
{
    const struct lf_texts *events = &link->config->topics;
    bool asked = link->config->command_topic && !strcmp(topic, link->config->command_topic);
    for (size_t i = 0; !asked && i < events->count; i++)
        asked = fits(events->items[i], topic);
    return asked;
}

void link__heard(struct lf_link *link, enum lf_link_heard heard, struct lf_slice payload)
{
    if (!link->heard && link->hooks.heard && link->config->audit_topic)
        link->doubts = link->hooks.heard(link->hooks.context, heard, payload);
    link->heard = true;
}

/* True if the message has an agent's task routes. Those of other agents are passed on. */
static bool take_routes(struct lf_link *link, const struct mosquitto_message *message)
{
    static const char head[] = "/agents/", tail[] = "/routes";
    const struct lf_config_link *config = link->config;
    size_t len = config->site_topic ? strlen(config->site_topic) : 0;
    if (!len || strncmp(message->topic, config->site_topic, len) != 0
        || strncmp(message->topic + len, head, sizeof head - 1) != 0)
        return false;
    char name[100];
    const char *begin = message->topic + len + sizeof head - 1;
    size_t name_len = strcspn(begin, "/");
    if (strcmp(begin + name_len, tail) != 0)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)name_len, begin);
    if (strcmp(message->topic, config->routes_topic) != 0 && link->hooks.other)
        link->hooks.other(link->hooks.context, name, lf_slice(message->payload, (size_t)message->payloadlen));
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
    if (link->config->audit_topic && !strcmp(message->topic, link->config->audit_topic)) {
        if (message->retain)
            link__heard(link, LF_LINK_HEARD, lf_slice(message->payload, (size_t)message->payloadlen));
        return;
    }
    if (take_routes(link, message))
        return;
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
    incoming->message.unasked = !is_asked(link, incoming->topic);
    link->batch_count++;
    link->batch_bytes += incoming->message.payload.len;
    lf_mutex_lock(&link->mutex);
    link->messages_in++;
    link->bytes_in += (uint64_t)message->payloadlen;
    lf_mutex_unlock(&link->mutex);
}

/* ---- the session ---- */

enum {
    RETRY_LEAST_MS = 1000, /* of refused subscriptions */
    CONNACK_3_VERSION = 1, /* what MQTT 3 brokers answer to a version that they do not know */
};

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
        link->hooks.online(link->hooks.context);
}

static void note_retain(struct lf_link *link, const mosquitto_property *properties)
{
    uint8_t available = 1;
    mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &available, false);
    link->retain_refused = link->retain_refused || !available;
    link__concern(
        link, "retained messages", true,
        link->retain_refused
            ? "the broker keeps no retained messages: who connects to it later does not see the state "
              "of this agent and its instruments until it changes, and the head of the audit trail is "
              "noted nowhere outside this machine"
            : NULL,
        "use a broker with retained messages, or enable them there; everything else works without");
}

static void note_expiry(const struct lf_link *link, const mosquitto_property *properties)
{
    uint32_t kept = 0, wanted = (uint32_t)(link->config->session_expiry_ms / 1000);
    if (mosquitto_property_read_int32(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, &kept, false)
        && kept < wanted)
        lf_log_info("link",
                    "the broker keeps events for %u s while this agent is away, not for %u s "
                    "(link.session_expiry); what it drops is read from Benchling",
                    (unsigned)kept, (unsigned)wanted);
}

/* First of all: what still comes on former filters is marked as unasked. */
static void unsubscribe(struct lf_link *link)
{
    const struct lf_texts *former = link->options.former;
    link->leaving = 0;
    for (size_t i = 0; former && i < former->count; i++) {
        if (mosquitto_unsubscribe_v5(link->mosq, NULL, former->items[i], NULL) != MOSQ_ERR_SUCCESS)
            link->out_of_memory = true; /* filters were checked: only memory can run out */
        link->leaving++;
    }
}

static void on_unsubscribe(struct mosquitto *mosq, void *context, int mid,
                           const mosquitto_property *properties)
{
    (void)mosq, (void)mid, (void)properties;
    struct lf_link *link = context;
    if (link->leaving > 0 && --link->leaving == 0 && link->hooks.unsubscribed)
        link->hooks.unsubscribed(link->hooks.context);
}

static void on_connect(struct mosquitto *mosq, void *context, int reason, int flags,
                       const mosquitto_property *properties)
{
    (void)mosq;
    struct lf_link *link = context;
    link->answered = true;
    link->closed_unanswered = 0;
    if (reason != 0) {
        link->ended = true;
        link->end_reason = reason == CONNACK_3_VERSION ? MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION : reason;
        return;
    }
    uint8_t qos = 2;
    mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &qos, false);
    if (qos < 1) {
        link->ended = true;
        link->end_reason = MQTT_RC_QOS_NOT_SUPPORTED;
        return;
    }
    note_retain(link, properties);
    note_expiry(link, properties);
    link->session_present = flags & 1;
    unsubscribe(link);
    link__session_subscribe(link);
}

/* The filters: those of the events, then the commands', our own audit head and status, and the task routes of
 * others; NULL: there is none. */
static const char *filter_of(const struct lf_link *link, size_t index)
{
    const struct lf_texts *events = &link->config->topics;
    const char *const own[OWN_FILTERS] = {link->config->command_topic, link->config->audit_topic,
                                          link->config->status_topic, link->config->others_filter};
    return index < events->count ? events->items[index] : own[index - events->count];
}

/* Without the task routes of others everything works: a broker may keep them to itself. */
static void subscription_refused(struct lf_link *link, size_t index, const char *why)
{
    if (filter_of(link, index) == link->config->others_filter)
        return;
    snprintf(link->refusal, sizeof link->refusal, "the broker refuses the subscription to %s: %s",
             filter_of(link, index), why);
    /* Logged as an error once per session, not at every retry. */
    lf_log(link->connected_at ? LF_LOG_DEBUG : LF_LOG_ERROR, "link",
           "%s. Check its access rules for this agent", link->refusal);
    if (filter_of(link, index) == link->config->audit_topic)
        link__heard(link, LF_LINK_NOTHING, (struct lf_slice){0});
}

/* One after the other: when the broker ends the session over one, it is known which. */
static void subscribe_next(struct lf_link *link)
{
    for (link->asked_filter = NULL; link->next_filter < link->config->topics.count + OWN_FILTERS;) {
        size_t index = link->next_filter++;
        const char *filter = filter_of(link, index);
        bool state = filter
                     && (filter == link->config->status_topic || filter == link->config->audit_topic
                         || filter == link->config->others_filter);
        if (!filter)
            continue;
        if (link__filter_is_given_up(link, filter)) {
            subscription_refused(link, index, "it ended the session over it");
            continue;
        }
        /* The state of agents: asked for at every connect, and not queued for us while we are away. All
         * others: retained messages come once, when the subscription is new. */
        if (mosquitto_subscribe_v5(link->mosq, NULL, filter, state ? 0 : 1,
                                   state ? MQTT_SUB_OPT_SEND_RETAIN_ALWAYS : MQTT_SUB_OPT_SEND_RETAIN_NEW,
                                   NULL)
            != MOSQ_ERR_SUCCESS)
            link->out_of_memory = true; /* filters were checked: only memory can run out */
        link->asked_filter = filter;
        return;
    }
    session_up(link);
}

void link__session_subscribe(struct lf_link *link)
{
    link->refusal[0] = '\0';
    link->next_filter = 0;
    subscribe_next(link);
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

static void on_subscribe(struct mosquitto *mosq, void *context, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    (void)mosq;
    (void)mid;
    (void)properties;
    struct lf_link *link = context;
    if (!link->asked_filter || count < 1)
        return;
    if (granted[0] >= 0x80)
        subscription_refused(link, link->next_filter - 1, mosquitto_reason_string(granted[0]));
    link__filter_answered(link, link->asked_filter);
    subscribe_next(link);
}

static void on_publish(struct mosquitto *mosq, void *context, int mid, int reason,
                       const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    link__published(context, mid, reason);
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
    mosquitto_unsubscribe_v5_callback_set(link->mosq, on_unsubscribe);
    mosquitto_publish_v5_callback_set(link->mosq, on_publish);
    mosquitto_log_callback_set(link->mosq, on_log);
}

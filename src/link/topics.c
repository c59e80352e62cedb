/* Which topics does the broker take?
 *
 * AWS IoT Core and others end the session over one publication or subscription that they do not allow. Tried
 * again after each reconnection, it would keep the link down for good. So a topic that this process has not
 * seen accepted yet is published on alone: when the session ends then, it is known why. A broker that names a
 * reason is believed at once: the topic is *given up*, noted as a concern that outlives a restart, and tried
 * again once a person has acknowledged that. One that closes without a word may have done so for any cause:
 * the topic is *set aside*, its reports wait, and it is given up only if a second try, in a session that has
 * lasted, ends in the same way. A connection that drops often drops while it subscribes: that has to happen
 * at the same filter twice in a row before it counts.
 *
 * Topics that one access rule is about count as one, and so do those beyond what AWS IoT Core and Azure Event
 * Grid publish as their limits: 8 levels, 256 bytes.
 */
#include "link/session.h"

#include "base/log.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEVELS_MAX = 8,
    TOPIC_BYTES_MAX = 256,
    ASIDE_MS = 2 * 60 * 1000,
    LASTED_MS = 10 * 1000, /* a session that is as old as this does not end by chance when a topic is tried */
};

static const char todo_topic[] =
    "allow it in the broker's access rules for this agent, or have the command ask for its answer elsewhere; the "
    "agent tries again once this was acknowledged";

/* ---- names ---- */

static bool is_below(const char *topic, const char *base, const char *folder)
{
    size_t len = base ? strlen(base) : 0;
    return len && !strncmp(topic, base, len) && !strncmp(topic + len, folder, strlen(folder));
}

static int levels(const char *topic)
{
    int count = 1;
    for (const char *at = topic; *at; at++)
        count += *at == '/';
    return count;
}

const char *link__topic_about(const struct lf_link *link, const char *topic, char room[TOPIC_ABOUT])
{
    const char *base = link->config->base;
    if (strlen(topic) > TOPIC_BYTES_MAX)
        snprintf(room, TOPIC_ABOUT, "publish on topics of more than %d bytes", TOPIC_BYTES_MAX);
    else if (levels(topic) > LEVELS_MAX)
        snprintf(room, TOPIC_ABOUT, "publish on topics of more than %d levels", LEVELS_MAX);
    else if (is_below(topic, base, "/jobs/"))
        snprintf(room, TOPIC_ABOUT, "publish on %s/jobs/+", base);
    else if (is_below(topic, base, "/reply/"))
        snprintf(room, TOPIC_ABOUT, "publish on %s/reply/+", base);
    else
        snprintf(room, TOPIC_ABOUT, "publish on %s", topic);
    return room;
}

static const char *filter_about(const char *filter, char room[TOPIC_ABOUT])
{
    snprintf(room, TOPIC_ABOUT, "subscribe to %.*s", TOPIC_BYTES_MAX, filter);
    return room;
}

/* ---- what is known ---- */

static struct known_topic *find(struct lf_link *link, const char *about)
{
    for (size_t i = 0; i < link->known_count; i++)
        if (!strcmp(link->known[i].about, about))
            return &link->known[i];
    return NULL;
}

/* Out of memory: it stays unknown. The table is full: the oldest is forgotten, and will be tried alone again.
 */
static void learn(struct lf_link *link, const char *about, int64_t aside_until)
{
    struct known_topic *known = find(link, about);
    if (!known) {
        char *copy = strdup(about);
        if (!copy)
            return;
        if (link->known_count == KNOWN_TOPICS_MAX) {
            free(link->known[0].about);
            memmove(link->known, link->known + 1, --link->known_count * sizeof *link->known);
        }
        known = &link->known[link->known_count++];
        known->about = copy;
    }
    known->aside_until = aside_until;
}

static void forget(struct lf_link *link, const char *about)
{
    struct known_topic *known = find(link, about);
    if (!known)
        return;
    free(known->about);
    *known = link->known[--link->known_count];
}

void link__topics_clear(struct lf_link *link)
{
    while (link->known_count)
        free(link->known[--link->known_count].about);
}

static bool is_given_up(const struct lf_link *link, const char *about)
{
    return link->hooks.given_up && link->hooks.given_up(link->hooks.context, about);
}

enum topic_state link__topic_state(struct lf_link *link, const char *about)
{
    const struct known_topic *known = find(link, about);
    if (known && !known->aside_until)
        return TOPIC_TAKEN;
    bool lasted = link->connected_at && lf_clock_mono_ms() - link->connected_at >= LASTED_MS;
    if (known && (!lasted || !lf_deadline_passed(known->aside_until)))
        return TOPIC_ASIDE;
    return is_given_up(link, about) ? TOPIC_GIVEN_UP : TOPIC_UNKNOWN;
}

bool link__filter_is_given_up(struct lf_link *link, const char *filter)
{
    char about[TOPIC_ABOUT];
    enum topic_state state = link__topic_state(link, filter_about(filter, about));
    return state == TOPIC_GIVEN_UP || state == TOPIC_ASIDE;
}

void link__topic_taken(struct lf_link *link, const char *about)
{
    const struct known_topic *known = find(link, about);
    if (known && !known->aside_until)
        return;
    if (known)
        link__concern(link, about, false, NULL, NULL);
    learn(link, about, 0);
}

void link__filter_answered(struct lf_link *link, const char *filter)
{
    char about[TOPIC_ABOUT];
    link->silent_filter = NULL;
    if (find(link, filter_about(filter, about))) {
        link__concern(link, about, false, NULL, NULL);
        forget(link, about);
    }
}

void link__concern(struct lf_link *link, const char *about, bool stands, const char *text, const char *todo)
{
    if (link->hooks.concern)
        link->hooks.concern(link->hooks.context, about, stands, text, todo);
}

/* ---- a session has ended ---- */

static void give_up(struct lf_link *link, const char *about, const char *topic, const char *did,
                    const char *why)
{
    char text[LF_ERROR_TEXT];
    snprintf(
        text, sizeof text,
        "the broker %s:%d ends the session when this agent %s %.300s: %s. That is left out; everything else "
        "goes on",
        link->config->host, link->config->port, did, topic, why);
    lf_log_error("link", "%s", text);
    forget(link, about);
    link__concern(link, about, false, text, todo_topic);
}

static void set_aside(struct lf_link *link, const char *about, const char *topic, const char *did)
{
    static const char silent[] = "it closes the connection without a reason";
    char text[LF_ERROR_TEXT];
    if (find(link, about)) {
        give_up(link, about, topic, did, silent);
        return;
    }
    snprintf(
        text, sizeof text,
        "the broker %s:%d closed the connection without a reason when this agent %s %.300s. That waits for some "
        "minutes and is then tried once more; everything else goes on",
        link->config->host, link->config->port, did, topic);
    lf_log_warning("link", "%s", text);
    learn(link, about, lf_deadline_in(ASIDE_MS));
    link__concern(link, about, true, text, "check the broker's access rules for this agent, and its log");
}

/* The publication that was tried alone; NULL: none was. One on a topic that was taken before may have been on
 * its way by chance, when the broker ended the session for another reason. */
static const struct publish_ticket *suspect(const struct lf_link *link)
{
    return link->tries_alone && link->ticket_count == 1 ? link->tickets : NULL;
}

static const struct publish_ticket *largest(const struct lf_link *link)
{
    const struct publish_ticket *found = link->ticket_count ? link->tickets : NULL;
    for (size_t i = 1; i < link->ticket_count; i++)
        if (link->tickets[i].bytes > found->bytes)
            found = &link->tickets[i];
    return found;
}

static bool blame_filter(struct lf_link *link, bool silent, const char *why)
{
    const char *filter = link->asked_filter;
    char about[TOPIC_ABOUT];
    if (!filter || link->ticket_count)
        return false;
    filter_about(filter, about);
    if (silent && link->silent_filter != filter && !find(link, about)) {
        link->silent_filter = filter;
        return false;
    }
    if (silent)
        set_aside(link, about, filter, "subscribes to");
    else
        give_up(link, about, filter, "subscribes to", why);
    return true;
}

static bool blame_topic(struct lf_link *link, bool silent, const char *why)
{
    char about[TOPIC_ABOUT];
    const struct publish_ticket *ticket = suspect(link);
    if (!ticket) {
        if (!silent) /* each is tried alone in the next session */
            link__topics_clear(link);
        return false;
    }
    link__topic_about(link, ticket->topic, about);
    if (silent)
        set_aside(link, about, ticket->topic, "publishes on");
    else
        give_up(link, about, ticket->topic, "publishes on", why);
    return true;
}

bool link__topics_blame(struct lf_link *link, int reason)
{
    bool silent = reason == MOSQ_ERR_CONN_LOST || reason == 0;
    enum publish_verdict verdict = link__verdict(reason);
    const char *why = mosquitto_reason_string(reason);
    if (reason == MQTT_RC_RETAIN_NOT_SUPPORTED && !link->retain_refused)
        return link->retain_refused = true;
    if (!silent && reason < MQTT_RC_UNSPECIFIED)
        return false;
    if (verdict == VERDICT_SLOWER && link->connected_at) {
        link__pace_slower(link);
        return true;
    }
    const struct publish_ticket *large = verdict == VERDICT_MESSAGE ? largest(link) : NULL;
    if (large) {
        link__drop(link, large->number, large->topic, why);
        return true;
    }
    if (!silent && verdict != VERDICT_TOPIC)
        return false;
    return blame_filter(link, silent, why) || (link->connected_at && blame_topic(link, silent, why));
}

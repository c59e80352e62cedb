/* Is there another agent with the name or the client id of this one?
 *
 * Some brokers report when a session is taken over; mosquitto 2.0 closes the connection silently, and two
 * agents would disconnect each other forever. So each agent adds a random id of its process (a tag, in an
 * MQTT 5 user property) to what it retains on its status topic, and reads that topic. The broker puts the
 * messages of a topic into one order, which both see, and this decides:
 *
 *   The agent that finds a foreign tag after its own yields: it leaves a notice on the topic and stays
 *   disconnected for a few minutes. The agent that finds the notice stays. So exactly one of them yields.
 *
 * An agent that doubts whether it knows all that was done under its name (its audit trail lacks what the
 * broker keeps) has paused its instruments. It says so beside its tag, and an agent without doubts does not
 * yield to it: else nobody would work.
 *
 * A tag from before our own first one proves nothing: it may come from an earlier run, or from a machine that
 * was replaced. For the same reason our own tags are forgotten after yielding: when the pause is over, the
 * foreign tag may be all that is left of the other agent. If it is still running, the two change places once
 * per pause, and each reports it.
 *
 * Events are acknowledged once per session, by the agent that has it. None is lost, but an event that one has
 * committed and not acknowledged is delivered to the other, too, which does not know the first one's journal.
 * Only the cloud (is the task still to be claimed?) then prevents doing it twice. That is why it is reported
 * as an error.
 */
#include "link/session.h"

#include "base/log.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG "labferry-mark"
#define YIELDS "labferry-stands-back"
#define DOUBTS "labferry-in-doubt"

enum {
    REMEMBERED_MS = 2 * TAKEN_OVER_WAIT_MS
                    + 5 * 60 * 1000, /* an agent that yielded has reconnected by then */
    SUSPECT = 3,                     /* so many short sessions in a row are reported */
};

void link__duplicate_open(struct lf_link *link)
{
    snprintf(link->tag, sizeof link->tag, "%016llx", (unsigned long long)lf_random_below(UINT64_MAX));
}

static bool add_mark(mosquitto_property **properties, const char *name)
{
    return mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY, name, "yes")
           == MOSQ_ERR_SUCCESS;
}

enum lf_status link__duplicate_tag(struct lf_link *link, bool yields, mosquitto_property **properties)
{
    char tag[64];
    snprintf(tag, sizeof tag, "%s-%ld", link->tag, ++link->tags_sent);
    if (mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY, TAG, tag) != MOSQ_ERR_SUCCESS)
        return LF_NO_MEMORY;
    bool added = (!yields || add_mark(properties, YIELDS)) && (!link->doubts || add_mark(properties, DOUBTS));
    return added ? LF_OK : LF_NO_MEMORY;
}

enum lf_status link__duplicate_fail(const struct lf_link *link, struct lf_error *err)
{
    return lf_fail(
        err, LF_BUSY, LF_NEEDS_PERSON,
        "two agents have the same name: another one has the client id %s%s%s. It stays connected; this one "
        "disconnects and starts nothing on its instruments for a few minutes. Stop one of them, or give it another agent.name (and link.client_id)",
        link->config->client_id, link->config->status_topic ? " or the status topic " : "",
        link->config->status_topic ? link->config->status_topic : "");
}

void link__duplicate_seen(struct lf_link *link)
{
    lf_mutex_lock(&link->mutex);
    link->duplicate_until = lf_deadline_in(REMEMBERED_MS);
    lf_mutex_unlock(&link->mutex);
    if (link->hooks.duplicate)
        link->hooks.duplicate(link->hooks.context);
}

static void found_notice(struct lf_link *link)
{
    lf_log_error("link",
                 "two agents have the same name: another one with the client id %s or the status topic %s "
                 "was connected and "
                 "yields. Stop one of them, or give it another agent.name (and link.client_id)",
                 link->config->client_id, link->config->status_topic);
    link__duplicate_seen(link);
}

/* A foreign tag came after ours. One of us yields: the one in doubt, else this one. */
static void found_foreign(struct lf_link *link, bool other_doubts)
{
    if (other_doubts && !link->doubts)
        link__duplicate_seen(link); /* which publishes our status, and so our tag, after the other's */
    else
        link->yields = true;
}

void link__duplicate_read(struct lf_link *link, const mosquitto_property *properties)
{
    char *name, *value;
    bool own = false, strange = false, notice = false, doubts = false;
    const mosquitto_property *at = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY,
                                                                       &name, &value, false);
    while (at) {
        if (!strcmp(name, TAG)) {
            size_t len = strlen(link->tag);
            own = !strncmp(value, link->tag, len) && value[len] == '-';
            strange = !own;
            if (own)
                link->tags_seen = strtol(value + len + 1, NULL, 10);
        }
        notice = notice || !strcmp(name, YIELDS);
        doubts = doubts || !strcmp(name, DOUBTS);
        free(name);
        free(value);
        at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, true);
    }
    if (own) /* what was retained on the audit topic would have come before */
        link__heard(link, LF_LINK_NOTHING, (struct lf_slice){0});
    if (own)
        link->tagged = true;
    else if (strange && notice)
        found_notice(link);
    else if (strange && link->tagged && link->tags_seen >= link->tags_sent)
        found_foreign(link, doubts);
}

void link__duplicate_count(struct lf_link *link, bool is_short)
{
    lf_mutex_lock(&link->mutex);
    link->short_sessions = is_short ? link->short_sessions + 1 : 0;
    lf_mutex_unlock(&link->mutex);
}

char *link__duplicate_text(const struct lf_link *link)
{
    if (link->duplicate_until && !lf_deadline_passed(link->duplicate_until))
        return lf_format(
            "two agents have the same name: another one uses the client id %s%s%s, and work meant "
            "for one may be done by the other, or by both",
            link->config->client_id, link->config->status_topic ? " or the status topic " : "",
            link->config->status_topic ? link->config->status_topic : "");
    if (link->short_sessions >= SUSPECT)
        return lf_format("the broker or the network ended the last %d sessions soon after they came up; "
                         "another client may have the id %s too",
                         link->short_sessions, link->config->client_id);
    return NULL;
}

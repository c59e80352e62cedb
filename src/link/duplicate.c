/* Is there a namesake: another agent with the name or the client id of this one?
 *
 * Some brokers say so when a session is taken over; mosquitto 2.0 closes the connection without a word, and
 * two agents would throw each other out for ever. So each agent marks what it retains on its status topic
 * with a random id of its process (an MQTT 5 user property), and reads that topic. The broker puts the
 * messages of a topic into one order, which both see, and this decides:
 *
 *   Who finds that the newest mark is a strange one, and has had its own there before, stands back: it leaves
 * a notice on the topic, and stays away for long. Who finds the notice stays. So it is never both and never
 * none.
 *
 * What was here before our own first mark proves nothing: it may be of our own earlier life, or of a machine
 * that was replaced. For the same reason own marks are forgotten after standing back: when the wait is over,
 * the strange mark may be all that is left of the other. If it is not, the two change places, once per wait,
 * and each says so.
 *
 * Events are acknowledged once per session, to whichever of the two has it: none is lost, but the two know
 * nothing of each other's journals, and an event that one has committed and not acknowledged goes to the
 * other, too. Only the cloud (is the task still to be claimed?) stands between them then. This is why it is
 * said so loudly.
 */
#include "link/session.h"

#include "base/log.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "labferry-mark"
#define STANDS_BACK "labferry-stands-back"

enum {
    REMEMBERED_MS = 2 * TAKEN_OVER_WAIT_MS + 5 * 60 * 1000, /* one that stood back has come again by then */
    SUSPECT = 3,                                            /* so many short sessions in a row are told */
};

void link__duplicate_open(struct lf_link *link)
{
    snprintf(link->mark, sizeof link->mark, "%016llx", (unsigned long long)lf_random_below(UINT64_MAX));
}

enum lf_status link__duplicate_tag(struct lf_link *link, bool stands_back, mosquitto_property **properties)
{
    char mark[64];
    snprintf(mark, sizeof mark, "%s-%ld", link->mark, ++link->marks_sent);
    if (mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY, MARK, mark)
        != MOSQ_ERR_SUCCESS)
        return LF_NO_MEMORY;
    if (stands_back
        && mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY, STANDS_BACK, "yes")
               != MOSQ_ERR_SUCCESS)
        return LF_NO_MEMORY;
    return LF_OK;
}

enum lf_status link__duplicate_fail(const struct lf_link *link, struct lf_error *err)
{
    return lf_fail(
        err, LF_BUSY, LF_NEEDS_PERSON,
        "two agents have the same name: another one has the client id %s%s%s. It stays connected; this one "
        "stays away for some minutes. Stop one of them, or give it another agent.name (and link.client_id)",
        link->config->client_id, link->config->status_topic ? " or the status topic " : "",
        link->config->status_topic ? link->config->status_topic : "");
}

void link__duplicate_seen(struct lf_link *link)
{
    lf_mutex_lock(&link->mutex);
    link->namesake_until = lf_deadline_in(REMEMBERED_MS);
    lf_mutex_unlock(&link->mutex);
    if (link->hooks.namesake)
        link->hooks.namesake(link->hooks.context);
}

static void found_notice(struct lf_link *link)
{
    lf_log_error("link",
                 "two agents have the same name: another one with the client id %s or the status topic %s "
                 "was here and "
                 "stands back. Stop one of them, or give it another agent.name (and link.client_id)",
                 link->config->client_id, link->config->status_topic);
    link__duplicate_seen(link);
}

void link__duplicate_read(struct lf_link *link, const mosquitto_property *properties)
{
    char *name, *value;
    bool own = false, strange = false, notice = false;
    const mosquitto_property *at = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY,
                                                                       &name, &value, false);
    while (at) {
        if (!strcmp(name, MARK)) {
            size_t len = strlen(link->mark);
            own = !strncmp(value, link->mark, len) && value[len] == '-';
            strange = !own;
            if (own)
                link->marks_seen = strtol(value + len + 1, NULL, 10);
        }
        notice = notice || !strcmp(name, STANDS_BACK);
        free(name);
        free(value);
        at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, true);
    }
    if (own)
        link->marked = true;
    else if (strange && notice)
        found_notice(link);
    else if (strange && link->marked && link->marks_seen >= link->marks_sent)
        link->stands_back = true;
}

void link__duplicate_count(struct lf_link *link, bool is_short)
{
    lf_mutex_lock(&link->mutex);
    link->short_sessions = is_short ? link->short_sessions + 1 : 0;
    lf_mutex_unlock(&link->mutex);
}

char *link__duplicate_told(const struct lf_link *link)
{
    if (link->namesake_until && !lf_deadline_passed(link->namesake_until))
        return lf_format("two agents have the same name: another one uses the client id %s%s%s, and events "
                         "meant for one may be "
                         "done by the other, or by both",
                         link->config->client_id, link->config->status_topic ? " or the status topic " : "",
                         link->config->status_topic ? link->config->status_topic : "");
    if (link->short_sessions >= SUSPECT)
        return lf_format("the broker or the network ended the last %d sessions soon after they came up; "
                         "perhaps another client "
                         "has the id %s, too",
                         link->short_sessions, link->config->client_id);
    return NULL;
}

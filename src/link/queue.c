/* The queue of publications from other threads. */
#include "link/session.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void link__outgoing_free(struct outgoing *outgoing)
{
    if (!outgoing)
        return;
    free(outgoing->topic);
    lf_buffer_free(&outgoing->payload);
    lf_buffer_free(&outgoing->correlation);
    free(outgoing);
}

struct outgoing *link__queue_take(struct lf_link *link)
{
    lf_mutex_lock(&link->mutex);
    struct outgoing *outgoing = link->first;
    if (outgoing) {
        link->first = outgoing->next;
        if (!link->first)
            link->last = &link->first;
        link->queued--;
    }
    lf_mutex_unlock(&link->mutex);
    return outgoing;
}

const struct outgoing *link__queue_first(struct lf_link *link)
{
    lf_mutex_lock(&link->mutex);
    const struct outgoing *first = link->first; /* only the link thread removes it */
    lf_mutex_unlock(&link->mutex);
    return first;
}

void link__queue_clear(struct lf_link *link)
{
    for (struct outgoing *outgoing; (outgoing = link__queue_take(link));)
        link__outgoing_free(outgoing);
}

static struct outgoing *copy(const struct lf_publication *publication)
{
    struct outgoing *outgoing = calloc(1, sizeof *outgoing);
    if (!outgoing)
        return NULL;
    outgoing->topic = strdup(publication->topic);
    outgoing->qos = publication->qos;
    outgoing->retain = publication->retain;
    outgoing->ticket = publication->ticket;
    bool ok = outgoing->topic
              && lf_buffer_append(&outgoing->payload, publication->payload.data, publication->payload.len)
                     == LF_OK
              && lf_buffer_append(&outgoing->correlation, publication->correlation.data,
                                  publication->correlation.len)
                     == LF_OK;
    if (ok)
        return outgoing;
    link__outgoing_free(outgoing);
    return NULL;
}

enum lf_status lf_link_publish(struct lf_link *link, const struct lf_publication *publication,
                               struct lf_error *err)
{
    if (publication->correlation.len > UINT16_MAX)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the correlation data has %zu bytes; MQTT allows 65535",
                       publication->correlation.len);
    struct outgoing *outgoing = copy(publication);
    if (!outgoing)
        return lf_fail_memory(err, "publishing");
    enum lf_status status = LF_OK;
    lf_mutex_lock(&link->mutex);
    if (link->state != LF_LINK_ONLINE) {
        status = lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "not connected to the broker");
    } else if (link->queued >= QUEUE_MAX) {
        status = lf_fail(err, LF_FULL, LF_TRANSIENT, "%d messages are queued for the broker already",
                         QUEUE_MAX);
    } else {
        *link->last = outgoing;
        link->last = &outgoing->next;
        link->queued++;
        outgoing = NULL;
    }
    lf_mutex_unlock(&link->mutex);
    link__outgoing_free(outgoing);
    if (status == LF_OK)
        lf_wake_up(&link->wake);
    return status;
}

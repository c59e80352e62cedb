/* Link: the MQTT 5 session. One thread owns libmosquitto and calls the hooks.
 *
 * Acknowledge after commit: the link reads a batch of messages, hands it to `batch`, and only when that
 * returns LF_OK do the acknowledgements leave. If `batch` fails, the connection is dropped without
 * acknowledging and re-established (with back-off), so that the broker redelivers the messages. The session
 * is persistent: fixed client id, clean start false.
 */
#ifndef LF_LINK_LINK_H
#define LF_LINK_LINK_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "config/config.h"
#include "os/wait.h"

struct lf_link;

/* What becomes of a publication. */
enum lf_publish_outcome {
    LF_PUBLISH_TAKEN,   /* the broker acknowledged it */
    LF_PUBLISH_LATER,   /* it may not be sent now: send it again, and everything after it */
    LF_PUBLISH_ASIDE,   /* nothing is sent on this topic for some minutes; others may go ahead */
    LF_PUBLISH_DROPPED, /* the broker will never take it; a concern says so */
};

/* What the link needs beside its configuration. Texts are borrowed until lf_link_close. */
struct lf_link_options {
    const char *will_payload;      /* retained last will on config->status_topic, QoS 1 */
    const char *goodbye_payload;   /* left there at a clean stop; NULL: the last will is published instead */
    const char *duplicate_payload; /* left there when yielding to another agent of the same name */
    const struct lf_texts *former; /* filters of an earlier configuration that the broker may still hold for
                                      this client: they are unsubscribed at each connect. NULL: none */
    const char *folder;  /* where a socket for the way through a proxy may be made; as short as can be */
    int64_t max_message; /* bytes; a larger message arrives empty, with too_large set. 0: 272 KiB */
    int receive_maximum; /* messages that the broker may send before they are acknowledged: bounds a batch.
                            0: 200 */
};

struct lf_message { /* borrowed for the callback */
    const char *topic;
    struct lf_slice payload;
    bool retained, too_large;
    bool unasked; /* its topic fits no filter of the configuration: left from an earlier one */
    int64_t too_large_size;
    const char *response_topic;  /* MQTT 5; NULL: none */
    const char *user;            /* MQTT 5 user property "user" or "who", which anyone can set; NULL: none */
    struct lf_slice correlation; /* MQTT 5 correlation data; len 0: none */
    int64_t expiry_s;            /* message expiry left; -1: none */
};

/* What is retained on config->audit_topic. */
enum lf_link_heard {
    LF_LINK_HEARD,   /* the payload has it */
    LF_LINK_NOTHING, /* nothing, or the broker does not let us read it */
    LF_LINK_AWAY,    /* not known: a session could not be brought up */
};

enum lf_link_state { LF_LINK_CONNECTING, LF_LINK_ONLINE, LF_LINK_WAITING };

struct lf_link_hooks {
    void *context;
    /* Commit all messages. Not LF_OK: nothing of the batch is acknowledged. */
    enum lf_status (*batch)(void *context, const struct lf_message *messages, size_t count,
                            struct lf_error *err);
    /* The session is up and every subscription was answered. The broker may have dropped messages before,
     * also of a session that it kept, for lack of room (mosquitto: max_queued_messages, 1000). Called again
     * when refused subscriptions were tried again. */
    void (*online)(void *context);
    /* Once in each session, and after each that did not come up. The payload is borrowed. True: it speaks
     * against our own state, and we yield to an agent of the same name without such a doubt. */
    bool (*heard)(void *context, enum lf_link_heard heard, struct lf_slice payload);
    /* A session that was up has ended, or the name was left to another agent (LF_BUSY). */
    void (*offline)(void *context, const struct lf_error *why);
    /* The broker has forgotten all former filters. May be NULL. */
    void (*unsubscribed)(void *context);
    /* Another agent has the same name or client id: the `duplicate` of lf_link_health has changed. */
    void (*duplicate)(void *context);
    /* What became of a publication given with a ticket above 0. */
    void (*published)(void *context, int64_t ticket, enum lf_publish_outcome outcome);
    /* The task routes of another agent of the site, as it has published them; on the link's thread. */
    void (*other)(void *context, const char *name, struct lf_slice routes);
    /* Something that a person must know (journal/concern.h); text NULL: it is over. */
    void (*concern)(void *context, const char *about, bool stands, const char *text, const char *todo);
    /* Was such a concern noted with `stands` false, and no person has acknowledged it since? */
    bool (*given_up)(void *context, const char *about);
};

/* Starts the link's thread; it keeps a session with config's broker until lf_link_close. Borrows config until
 * then. A subscription that the broker refuses is retried. *link is set before the first callback. */
enum lf_status lf_link_open(const struct lf_config_link *config, const struct lf_link_options *options,
                            const struct lf_link_hooks *hooks, struct lf_link **link, struct lf_error *err);
/* Publishes the goodbye, disconnects cleanly and waits for the thread. */
void lf_link_close(struct lf_link *link);

struct lf_publication { /* everything is copied */
    const char *topic;
    struct lf_slice payload;
    int qos;
    bool retain;
    struct lf_slice correlation; /* len 0: none */
    int64_t ticket;              /* > 0: reported by `published`. 0: not reported */
};

/* Queues a publication; any thread; in order. Only while online: LF_DISCONNECTED otherwise. A lost connection
 * drops everything queued or unacknowledged (the journal's outbox is the durable queue). LF_FULL: the queue
 * is full. */
enum lf_status lf_link_publish(struct lf_link *link, const struct lf_publication *publication,
                               struct lf_error *err);

enum lf_link_state lf_link_state(struct lf_link *link);
/* For the operator: state, since when, broker, last error, messages and bytes in and out, reconnects,
 * takeovers, and duplicate: a text while another agent seems to have the same name, else null. Returns owned.
 */
cJSON *lf_link_health(struct lf_link *link);

#endif

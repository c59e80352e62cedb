/* Inside the link: one MQTT session from CONNECT to its end, on the link thread. Not for other folders. */
#ifndef LF_LINK_SESSION_H
#define LF_LINK_SESSION_H

#include "link/bridge.h"
#include "link/link.h"

#include "os/thread.h"
#include <mosquitto.h>

enum {
    QUEUE_MAX = 1000,
    BATCH_BYTES_MAX = 8 * 1024 * 1024,
    OWN_FILTERS = 4,                    /* subscriptions beside those of the events */
    TAKEN_OVER_WAIT_MS = 5 * 60 * 1000, /* and up to as much again */
};

/* A publication that waits to be handed to the library; owned. */
struct outgoing {
    struct outgoing *next;
    char *topic;
    struct lf_buffer payload, correlation;
    int qos;
    bool retain;
    int64_t ticket;
};

/* A message that was read and is not committed yet; owned. */
struct incoming {
    struct lf_message message;
    char *topic, *response_topic, *user;
    void *payload, *correlation;
};

/* A publication that was sent and is not acknowledged yet; in the order of sending. */
struct publish_ticket {
    int mid; /* message id, given by the library */
    int qos;
    int64_t number;
    char *topic; /* owned */
    size_t bytes;
};

/* reasons.c: what becomes of a publication that was answered with a reason code. */
enum publish_verdict {
    VERDICT_TAKEN,
    VERDICT_SLOWER,  /* again, with everything after it, at a slower pace */
    VERDICT_AGAIN,   /* the same, a few times */
    VERDICT_TOPIC,   /* nothing may be published there */
    VERDICT_MESSAGE, /* only this one is refused */
};
enum publish_verdict link__verdict(int reason);

/* topics.c */
enum topic_state { TOPIC_UNKNOWN, TOPIC_TAKEN, TOPIC_ASIDE, TOPIC_GIVEN_UP };
struct known_topic {
    char *about;         /* owned */
    int64_t aside_until; /* monotonic; 0: it was accepted */
};
enum { KNOWN_TOPICS_MAX = 100, TOPIC_ABOUT = 300 };

struct lf_link {
    /* set at opening, then read only */
    const struct lf_config_link *config;
    struct lf_link_options options;
    struct lf_link_hooks hooks;
    char tag[17];            /* random, identifies this process; see duplicate.c */
    struct lf_worker worker; /* the link thread; its work is one session */
    struct lf_wake wake;     /* something was queued */

    /* link thread only */
    int attempt;                  /* since a session made progress: lengthens the pauses */
    char reported[LF_ERROR_TEXT]; /* the failure that was logged last; empty once a session came up */
    struct mosquitto *mosq;
    struct lf_bridge *bridge; /* the way through the proxy; NULL: none is used */
    struct incoming *batch;
    size_t batch_count, batch_bytes;
    struct publish_ticket tickets[QUEUE_MAX];
    size_t ticket_count;
    struct known_topic known[KNOWN_TOPICS_MAX];
    size_t known_count;
    bool tries_alone;      /* what is on its way is the first on its topic: nothing else is sent */
    bool retain_refused;   /* the broker keeps no retained messages */
    bool blamed;           /* the session ended over something that is left out from now on */
    bool answered;         /* CONNECT was, in this session */
    bool unfit;            /* the broker lacks what the agent cannot do without */
    int closed_unanswered; /* connections in a row */
    bool slowed;           /* a quota was exceeded, and nothing was sent since */
    int64_t send_at;       /* monotonic; nothing is sent before */
    int64_t faster_at;     /* monotonic; when the rate rises */
    int64_t again_number;  /* the ticket that is tried again, */
    int again_count;       /* and how often it was */
    bool out_of_memory;    /* a message could not be kept: the batch must not be committed */
    bool session_present;
    char refusal[200];  /* the subscription that was refused last; empty: none */
    int retries;        /* in this session */
    int64_t retry_at;   /* monotonic; when refused subscriptions are retried; LF_NEVER: none was refused */
    size_t next_filter; /* to subscribe to; see filter_of */
    const char *silent_filter; /* an earlier session ended while this was asked for; NULL: none did */
    const char *asked_filter;  /* the one that is not answered yet; NULL: none */
    int64_t connected_at;      /* monotonic; 0: this session is not up yet */
    size_t leaving;            /* former filters whose end the broker has not confirmed */
    bool made_progress;        /* this session has committed a batch, or lasted for a while */
    bool tagged;               /* our own tag has been on the status topic */
    long tags_sent,
        tags_seen;    /* numbers of the newest; they differ while our newest tag has not come back yet */
    bool heard;       /* what is retained on the audit topic, or that nothing is */
    bool doubts;      /* our state may be older than what was done under our name; see duplicate.c */
    bool yields;      /* a foreign tag came after ours: this session ends with a notice */
    int64_t taken_at; /* monotonic; when the broker last reported a takeover; 0: never */
    bool ended;       /* the broker has ended the session */
    int end_reason;   /* MQTT reason code */
    char detail[200]; /* last error line of the library */

    struct lf_mutex mutex; /* guards everything below */
    enum lf_link_state state;
    struct outgoing *first, **last;
    size_t queued;
    int64_t since_ms;
    char error[LF_ERROR_TEXT];
    int64_t duplicate_until; /* monotonic; 0: no other agent was seen */
    uint64_t sessions;       /* begun so far */
    int short_sessions;      /* in a row, ended by the broker without a reason */
    int rate;                /* publications a second; 0: no limit. Written by the link thread only */
    uint64_t messages_in, bytes_in, messages_out, reconnects, takeovers, refused_batches;
};

/* One session: connects, works until it ends, and cleans up. *online: it came up. The error says why it
 * ended: LF_CANCELLED when asked to stop; LF_BUSY when another client took the session over. */
enum lf_status link__session_run(struct lf_link *link, bool *online, struct lf_error *err);

/* callbacks.c: registers the library's callbacks. */
void link__session_callbacks(struct lf_link *link);
void link__batch_clear(struct lf_link *link);
void link__set_state(struct lf_link *link, enum lf_link_state state, const char *error);

/* callbacks.c: tells the hook, the first time in this session. */
void link__heard(struct lf_link *link, enum lf_link_heard heard, struct lf_slice payload);

/* preflight.c: LF_OK when something listens at the broker's address. */
enum lf_status link__preflight(struct lf_link *link, int64_t deadline, struct lf_error *err);

/* Sends all subscriptions. */
void link__session_subscribe(struct lf_link *link);

/* topics.c. The name under which a topic is known, in room. */
const char *link__topic_about(const struct lf_link *link, const char *topic, char room[TOPIC_ABOUT]);
enum topic_state link__topic_state(struct lf_link *link, const char *about);
void link__topic_taken(struct lf_link *link, const char *about);
bool link__filter_is_given_up(struct lf_link *link, const char *filter);
void link__filter_answered(struct lf_link *link, const char *filter);
/* The session has ended for this reason (MQTT, or the library's). True: it is known over what, and that is
 * left out from now on. */
bool link__topics_blame(struct lf_link *link, int reason);
void link__topics_clear(struct lf_link *link);
/* Notes a concern; text NULL: it is over. */
void link__concern(struct lf_link *link, const char *about, bool stands, const char *text, const char *todo);

/* publish.c */
void link__send_queued(struct lf_link *link);
int64_t link__send_due(struct lf_link *link); /* when to send what waits for the pace alone; else LF_NEVER */
void link__published(struct lf_link *link, int mid, int reason);
void link__drop(struct lf_link *link, int64_t number, const char *topic, const char *why);
void link__tickets_clear(struct lf_link *link);
void link__pace_slower(struct lf_link *link);

/* duplicate.c: other agents with the same name or client id. */
void link__duplicate_open(struct lf_link *link);
/* Adds our tag to a publication on the status topic. */
enum lf_status link__duplicate_tag(struct lf_link *link, bool yields, mosquitto_property **properties);
/* A message arrived on the status topic. */
void link__duplicate_read(struct lf_link *link, const mosquitto_property *properties);
void link__duplicate_seen(struct lf_link *link);
void link__duplicate_count(struct lf_link *link, bool is_short);
enum lf_status link__duplicate_fail(const struct lf_link *link, struct lf_error *err);
/* For the operator; call with the mutex held. Owned; NULL: no other agent. */
char *link__duplicate_text(const struct lf_link *link);

/* queue.c */
struct outgoing *link__queue_take(struct lf_link *link);        /* owned; NULL: empty */
const struct outgoing *link__queue_first(struct lf_link *link); /* stays there; NULL: empty */
void link__queue_clear(struct lf_link *link);
void link__outgoing_free(struct outgoing *outgoing);

#endif

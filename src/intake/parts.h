/* Inside intake: what its files share. Not for other folders. */
#ifndef LF_INTAKE_PARTS_H
#define LF_INTAKE_PARTS_H

#include "config/config.h"
#include "event/event.h"
#include "intake/intake.h"
#include "journal/journal.h"
#include "os/thread.h"

struct lf_pattern;

/* How an event comes in. */
enum intake_way { INTAKE_MQTT, INTAKE_LIST };

/* proof.c: events that have come over MQTT or in the list, but not yet both ways. */
enum { PROOF_MAX = 2048 };
struct intake_proof { /* guarded by the mutex of struct intake_poll, but for `bad` */
    struct intake_seen {
        uint64_t hash; /* of the event's id; 0: free */
        int64_t at_mono;
        enum intake_way way;
    } seen[PROOF_MAX];
    size_t at;         /* the next to be used */
    int held, lacking; /* of the events that MQTT brought: the list has them; completed rounds do not */
    bool bad, dropped; /* intake thread only: reported: the list is unreliable; MQTT lacks events */
};

/* A place in the list of events. Owned; after NULL: none. */
struct intake_place {
    char *after; /* the id of the event before it */
    char *since; /* that event's date; may be NULL */
};

/* poll.c and round.c: asking for events. */
struct intake_poll {
    struct lf_worker worker;
    /* Of the intake thread alone: */
    int64_t began; /* monotonic: the first start of all, until its date is certain; then 0 */
    int64_t next;  /* when to ask again */
    int attempt;
    int calm;                    /* rounds since events were missed */
    bool refused;                /* reported: the tenant refuses to list events */
    struct intake_place reached; /* in a round that is not complete */
    struct intake_place tail;    /* end of a completed round, which becomes the place at tail_until */
    int64_t tail_until;
    cJSON *unknown_types; /* type: what the tenant says; left out until types_until */
    int64_t types_until;
    struct lf_mutex mutex; /* guards the rest; nothing else is called with it held */
    int64_t asked;         /* a connection wants a round by then; LF_NEVER: it does not */
    int64_t connected_at;  /* monotonic: the last connection */
    int connections;       /* that came soon after each other */
    bool yields;           /* to another agent of the same name: nothing is asked */
    int64_t last_ms;       /* wall time of the last complete round */
    int64_t taken, missed; /* events taken in since the start; those of them that MQTT did not bring */
    char error[LF_ERROR_TEXT];
};

struct lf_intake {
    struct lf_intake_options options;
    struct lf_journal *journal;
    struct lf_pattern **patterns; /* one per route; NULL: every event that `on` names */
    struct intake_poll poll;
    struct intake_proof proof;
    int64_t first_mono;    /* this is the agent's first run: when it began; else 0 */
    int64_t first_ms;      /* if not: its first start, wall */
    struct lf_mutex mutex; /* guards the counts */
    cJSON *deprecated;     /* type: count */
    cJSON *bad;            /* kind: count */
};

/* intake.c: begins a transaction if there is room for new work. */
enum lf_status intake__begin(struct lf_intake *intake, struct lf_error *err);
/* Takes in one message that should be an event, in the caller's transaction if there is one. `topic` (may be
 * NULL) is for messages. Bad events are kept, counted and LF_OK: only a journal that cannot store gives an
 * error. Adds to *added (may be NULL) if the event is new. */
enum lf_status intake__add(struct lf_intake *intake, enum intake_way way, const char *topic,
                           struct lf_slice message, int64_t *added, struct lf_error *err);
/* Counts under a name; true the first time. */
bool intake__count_first(struct lf_intake *intake, cJSON *counts, const char *name);

/* Notes a standing concern about the list of events; text NULL: it is over. */
#define INTAKE_CONCERN "events"
void intake__stands(struct lf_intake *intake, const char *about, const char *text, const char *todo);

/* routes.c */
enum lf_status intake__routes_compile(struct lf_intake *intake, struct lf_error *err);
void intake__routes_free(struct lf_intake *intake);
/* Does any route's `on` name it, whatever its pattern says? */
bool intake__routes_name(const struct lf_intake *intake, const struct lf_event *event);
/* Makes the jobs of a stored event, in the caller's transaction, and settles its fate. row: the id of its
 * row. */
enum lf_status intake__route(struct lf_intake *intake, const struct lf_event *event, const char *row,
                             struct lf_error *err);

/* poll.c */
enum lf_status intake__poll_open(struct lf_intake *intake, struct lf_error *err);
void intake__poll_close(struct lf_intake *intake);
/* What the intake thread does when it wakes. Returns when to call it next. */
int64_t intake__poll_work(void *intake);

/* round.c */
enum lf_status intake__round_open(struct lf_intake *intake, struct lf_error *err);
void intake__round_close(struct lf_intake *intake);
/* Asks for the events since the last completed round. LF_OK: this one is completed. */
enum lf_status intake__round(struct lf_intake *intake, struct lf_error *err);
/* Does a round ask for events of this type? */
bool intake__round_asks(const struct lf_intake *intake, const char *type);
void intake__place_free(struct intake_place *place);

/* earlier.c. is_first: the journal is new. */
enum lf_status intake__earlier_open(struct lf_intake *intake, bool is_first, struct lf_error *err);
/* The clock is known better. */
void intake__earlier_correct(struct lf_intake *intake);
/* Is the event from before the first start, and not simply taken? */
bool intake__earlier(const struct lf_intake *intake, const struct lf_event *event);
/* Makes a concern: it is ignored. */
enum lf_status intake__earlier_ignore(struct lf_intake *intake, const struct lf_event *event,
                                      struct lf_error *err);

/* proof.c. Can events come both ways at all? */
bool intake__proof_used(const struct lf_intake *intake);
/* An event came. added: the journal did not know it. */
void intake__proof_see(struct lf_intake *intake, const char *id, const char *type, enum intake_way way,
                       bool added);
/* Has MQTT failed to bring what the list has? *next: when to look again. */
bool intake__proof_missed(struct lf_intake *intake, int64_t *next);
/* Nothing was missed for a while. */
void intake__proof_calm(struct lf_intake *intake);
/* A round that began then is completed: does the list have what MQTT brought? */
void intake__proof_round(struct lf_intake *intake, int64_t began_mono);

/* reread.c: completes and routes one event that is due. False: none is, and *next_mono says when. */
bool intake__reread_one(struct lf_intake *intake, int64_t *next_mono);

#endif

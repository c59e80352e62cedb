/* The journal: the SQLite database of everything the agent has promised. WAL, synchronous=FULL: what a call
 * has committed survives a power cut. The permanent record, with who and when, is the audit trail: audit.h.
 *
 * Any thread may call; calls are serialised. Between lf_journal_begin and lf_journal_end the calling thread
 * owns the journal, and everything it writes is kept together or not at all. Texts in filled structs
 * are owned by the struct and freed by its _free function. Errors: LF_FULL, LF_IO (transient: disk),
 * LF_CORRUPT (needs a person), LF_NO_MEMORY.
 */
#ifndef LF_JOURNAL_JOURNAL_H
#define LF_JOURNAL_JOURNAL_H

#include "base/buffer.h"
#include "base/json.h"
#include "journal/job_fields.h"
#include "journal/small_names.h"

struct lf_journal;

/* Opens or creates. Refuses a damaged file (LF_CORRUPT), one of a newer program (LF_UNSUPPORTED), and one
 * that another process has open (LF_BUSY). After a crash: running jobs become ready again. */
enum lf_status lf_journal_open(const char *path, struct lf_journal **journal, struct lf_error *err);
void lf_journal_close(struct lf_journal *journal);

/* Transactions nest; only the outermost commit writes, and it fails if an inner part was rolled back. On
 * failure everything is rolled back. */
enum lf_status lf_journal_begin(struct lf_journal *journal, struct lf_error *err);
void lf_journal_rollback(struct lf_journal *journal);
/* Commits if status is LF_OK, otherwise rolls back. Returns the result of the commit, or status. */
enum lf_status lf_journal_end(struct lf_journal *journal, enum lf_status status, struct lf_error *err);

/* An effect: something that happens outside the journal because of a change in it, such as a file that is
 * removed, a thread that is woken, an instrument that is paused. */
typedef void lf_journal_effect(void *context, int64_t number, const char *text);
/* Registers an effect in the transaction that this thread has open. It runs on this thread once the outermost
 * commit is on disk, in the order of registration, without the journal's mutex, and may begin transactions.
 * After a rollback it does not run. Outside a transaction, and if journal is NULL, it runs at once.
 *
 * The text is copied (NULL becomes ""); the context is borrowed until the effect has run. Of equal effects
 * in one transaction only the last runs. If memory is short the transaction cannot be committed any more.
 * Effects of transactions on different threads are not ordered. An effect is lost if the process dies first:
 * the next start must find what is left to do from the journal alone. */
void lf_journal_after_commit(struct lf_journal *journal, lf_journal_effect *effect, void *context,
                             int64_t number, const char *text);

/* LF_OK if the journal can be written now; after a failed attempt this tries. Otherwise why not: no room,
 * damage found while running (nothing is written any more), file gone or replaced. */
enum lf_status lf_journal_works(struct lf_journal *journal, struct lf_error *err);

/* How many audit entries are missing that existed when the last action began: the journal is an older copy
 * and does not know what was done since. 0: none. Each opening finds them until lf_journal_missing_noted is
 * called, once the audit trail has an entry about it. */
int64_t lf_journal_missing(const struct lf_journal *journal);
void lf_journal_missing_noted(struct lf_journal *journal);

/* Why the journal may be older than what was done, although it is undamaged. Every opening reports it until
 * lf_journal_doubt_over is called: a witness outside was asked, or `needs` has it. */
enum lf_doubt {
    LF_DOUBT_NONE,
    LF_DOUBT_BOOT, /* the machine was restarted */
    LF_DOUBT_COPY, /* its file is not the one it was: a copy, or restored */
};
enum lf_doubt lf_journal_doubt(const struct lf_journal *journal);
enum lf_status lf_journal_doubt_over(struct lf_journal *journal, struct lf_error *err);

/* ---- limits and free space: journal/room.c ---- */

/* 0 and NULL: no limit. */
struct lf_journal_limits {
    int64_t bytes;         /* of the journal, free pages not counted */
    int64_t outbox;        /* waiting reports; beyond it the oldest job reports are dropped, then replies */
    int64_t unused;        /* bytes of events that made no job; beyond it bad ones are removed first, then
                              unknown, unrouted, twins and lost ones, the oldest first */
    int64_t dismissed;     /* bytes of commands that changed nothing; beyond it the oldest are removed */
    int64_t spool;         /* bytes of all files in spool_dir */
    int64_t reserve;       /* bytes that stay free on the disks of the journal and of the spool */
    const char *spool_dir; /* borrowed until lf_journal_close */
};
void lf_journal_limit(struct lf_journal *journal, const struct lf_journal_limits *limits);

struct lf_journal_use {
    struct lf_journal_limits limits; /* as set */
    int64_t bytes, outbox, unused, dismissed, spool;
    int64_t outbox_dropped, unused_dropped,
        dismissed_dropped;              /* rows removed early since the journal was created */
    int64_t disk_free, spool_disk_free; /* bytes; -1 here and above: unknown */
};
void lf_journal_use(struct lf_journal *journal, struct lf_journal_use *use);

enum lf_room {
    LF_ROOM_WORK, /* events, findings, commands: anything that adds to the journal */
    LF_ROOM_FILE, /* a file in the spool */
};
/* Is there room for more of that? LF_FULL (transient) if not; err says what is full and what to do. Open jobs
 * go on. */
enum lf_status lf_journal_room(struct lf_journal *journal, enum lf_room room, struct lf_error *err);

/* Small named values; small_names.h has the names that rooms share. get: *value is owned, NULL when not set.
 */
enum lf_status lf_journal_set(struct lf_journal *journal, const char *name, const char *value,
                              struct lf_error *err);
enum lf_status lf_journal_get(struct lf_journal *journal, const char *name, char **value,
                              struct lf_error *err);

/* ---- events ---- */

enum lf_fate {
    LF_FATE_JOB,      /* made at least one job */
    LF_FATE_TWIN,     /* reports what an earlier event reported, whose jobs it names */
    LF_FATE_WOKE,     /* woke a waiting job */
    LF_FATE_UNROUTED, /* no route wants it */
    LF_FATE_UNKNOWN,  /* type that this version does not know, and no route wants it */
    LF_FATE_BAD,      /* could not be decoded; body kept for inspection */
    LF_FATE_REREAD,   /* waits until the properties it lacks have been read from the API */
    LF_FATE_LOST,     /* its resource could not be read; note says why */
};
const char *lf_fate_name(enum lf_fate fate);

struct lf_event_row {
    int64_t seq;
    char *id, *key, *type, *resource_id, *source, *note;
    int64_t created_ms, received_ms; /* wall */
    enum lf_fate fate;
    char *jobs;    /* a JSON array: the jobs it made or woke, or that existed for what it reports */
    int64_t times; /* how often it was received */
    int attempt;   /* of rereading */
    char *body;    /* as received; may be NULL in lists */
    size_t body_len;
    const char *digest; /* of what it says; only for adding, borrowed. NULL: not compared */
};
void lf_event_row_free(struct lf_event_row *row);

/* What follows the id of an event, and then a digest, when another event has the same id. */
#define LF_EVENT_ALSO "~"

/* Stores a new event and fills seq. LF_EXISTS: the id is known; only its count goes up. LF_MISMATCH: the id
 * is known, but that event says something else; nothing changes. */
enum lf_status lf_journal_event_add(struct lf_journal *journal, struct lf_event_row *row,
                                    struct lf_error *err);
/* The key of the occurrence that an event reports: event->key is the key of its happening without the
 * occurrence (event/key.h), event->id its own id. Another message of that id has it, or a twin: an event of
 * another type, less than window_ms apart, whose occurrence has no event of this type yet. *key is owned;
 * NULL: the occurrence is new. */
enum lf_status lf_journal_event_happening(struct lf_journal *journal, const struct lf_event_row *event,
                                          int64_t window_ms, char **key, struct lf_error *err);
enum lf_status lf_journal_event_key(struct lf_journal *journal, const char *id, const char *key,
                                    struct lf_error *err);
enum lf_status lf_journal_event_fate(struct lf_journal *journal, const char *id, enum lf_fate fate,
                                     const char *note, struct lf_error *err);
/* Adds a job to those of the event. fate: what the event was to this job. */
enum lf_status lf_journal_event_job(struct lf_journal *journal, const char *id, enum lf_fate fate,
                                    int64_t job, struct lf_error *err);
enum lf_status lf_journal_event_get(struct lf_journal *journal, const char *id, struct lf_event_row *row,
                                    struct lf_error *err);
/* Newest first; fate_filter NULL: all. Calls each with a borrowed row without body. */
enum lf_status lf_journal_event_list(struct lf_journal *journal, const char *fate_filter, int limit,
                                     void (*each)(void *context, const struct lf_event_row *row),
                                     void *context, struct lf_error *err);
/* Counts by fate as a JSON object {"job": 12, ...}. Returns owned. */
cJSON *lf_journal_event_counts(struct lf_journal *journal);
/* A job is not what its events asked for: their resources are read again, then they are routed again. The
 * job's key is free for another. */
enum lf_status lf_journal_job_disown(struct lf_journal *journal, int64_t job, struct lf_error *err);
/* The next event of fate reread that is due; postpones it to `again_mono` so that no other thread takes it,
 * and counts the attempt. LF_NOT_FOUND with *next_mono (when the next is due; LF_NEVER). */
enum lf_status lf_journal_event_claim_reread(struct lf_journal *journal, int64_t again_mono,
                                             struct lf_event_row *row, int64_t *next_mono,
                                             struct lf_error *err);

/* Sets when a claimed one may be tried again. */
enum lf_status lf_journal_event_put_off(struct lf_journal *journal, const char *id, int64_t until_mono,
                                        struct lf_error *err);

/* ---- jobs ---- */

enum lf_job_state {
    LF_JOB_READY,
    LF_JOB_RUNNING,
    LF_JOB_WAITING,
    LF_JOB_HELD,
    LF_JOB_DONE,
    LF_JOB_FAILED,
    LF_JOB_CANCELLED,
    LF_JOB_EXPIRED,
};
const char *lf_job_state_name(enum lf_job_state state);
bool lf_job_state_parse(const char *name, enum lf_job_state *state);
bool lf_job_state_final(enum lf_job_state state);

enum { LF_STEP_NAME = 16 };

/* What a job is to its instrument, which does one physical action at a time and in order. */
enum lf_turn {
    LF_TURN_NONE,   /* nothing: it has acted, waits for a person, or does not act */
    LF_TURN_COMES,  /* it is on its way to the instrument */
    LF_TURN_WANTED, /* it waits for its turn */
    LF_TURN_TAKEN,  /* it is its turn: while it is ready or running, the instrument does nothing else */
    LF_TURN_DOUBT,  /* it acts, or may have acted: the instrument does nothing else until that is answered */
};

/* A job whose look at the cloud has failed this often holds up no others. */
enum { LF_TURN_PATIENCE = 5 };

struct lf_job {
    int64_t id;
    char *kind;  /* "deliver": a name of job/kinds.h */
    char *route; /* name of the route; NULL for an operator's own job and for results */
    char *instrument;
    char *key;      /* the same work has the same key */
    char *event_id; /* NULL: no event */
    enum lf_job_state state;
    char step[LF_STEP_NAME];        /* name of the step it is at */
    bool bench;                     /* the step runs on the bench (else on a courier) */
    bool acting;                    /* "about to act" was committed and "acted" was not */
    enum lf_turn turn;              /* set by job/turn.c whenever the job is saved */
    bool in_order;                  /* jobs of its kind act in the order in which they arrived */
    int64_t looked_mono;            /* when the cloud last said that it is still wanted; 0: not in this run */
    int attempt;                    /* of this step */
    int64_t created_ms, updated_ms; /* wall */
    int64_t due_mono;               /* waiting: not before */
    int64_t expires_ms;             /* wall; 0: never. Its action may not begin after this */
    int64_t expires_mono; /* the same on the monotonic clock, which decides; 0: never, or it has acted */
    enum lf_class class;  /* of the last error */
    char *note;           /* why it waits, is held or failed; its outcome */
    char *wake;           /* waiting: what would wake it ("processor:aop_1") */
    char *stop;           /* running: by whom and why it was asked to stop; NULL: it was not */
    cJSON *fields;        /* see job_fields.h; an object */
    const char *by;       /* who changes it now, for the audit trail; NULL: the agent. Borrowed, not stored */
};
void lf_job_free(struct lf_job *job); /* the struct's contents */
/* Sets when it expires: not_after_ms after the work arose, at happened_ms (wall; 0 or in the future: now). */
void lf_job_expire_after(struct lf_job *job, int64_t happened_ms, int64_t not_after_ms);

/* Adds a job (id is filled; job->fields is borrowed). LF_EXISTS: the key is known; *existing (may be NULL) is
 * its id. */
enum lf_status lf_journal_job_add(struct lf_journal *journal, struct lf_job *job, int64_t *existing,
                                  struct lf_error *err);
/* Writes state, step, bench, acting, turn, attempt, due, expires, class, note, wake, fields, instrument; sets
 * updated_ms. The audit trail records when it is about to act, is held, and ends. */
enum lf_status lf_journal_job_save(struct lf_journal *journal, struct lf_job *job, struct lf_error *err);
/* Notes that a running job was asked to stop (job->stop); saving the job clears it. If the agent dies before
 * that, the next start carries it out. */
enum lf_status lf_journal_job_stop(struct lf_journal *journal, int64_t id, const char *text,
                                   struct lf_error *err);
enum lf_status lf_journal_job_get(struct lf_journal *journal, int64_t id, struct lf_job *job,
                                  struct lf_error *err);

struct lf_job_filter {
    const char *state, *kind, *instrument; /* NULL: any. state may be "open": not final */
    int64_t before;                        /* ids below this; 0: newest */
    int64_t failing_before_ms; /* their step has failed again and again since before this; 0: any */
    bool wants_sample;         /* they wait for a person to put their sample on the instrument */
    int limit;
};
/* Newest first; each gets a borrowed job. */
enum lf_status lf_journal_job_list(struct lf_journal *journal, const struct lf_job_filter *filter,
                                   void (*each)(void *context, const struct lf_job *job), void *context,
                                   struct lf_error *err);
/* Those whose key begins with `prefix`, which ends with '|'. */
enum lf_status lf_journal_job_list_keys(struct lf_journal *journal, const char *prefix,
                                        void (*each)(void *context, const struct lf_job *job), void *context,
                                        struct lf_error *err);
/* {"ready": 1, "held": 2, ...}. Returns owned; NULL if they cannot be counted now. instrument NULL: all. */
cJSON *lf_journal_job_counts(struct lf_journal *journal, const char *instrument);

/* Takes the oldest job that can run now and marks it running: courier steps (instrument NULL) or bench steps
 * of the instrument. A step that acts on the instrument, or asks for its turn, comes after the jobs that are
 * before it (see enum lf_turn); other bench steps do not wait. Couriers are also given bench jobs that have
 * expired before they acted. LF_NOT_FOUND with *next_mono: when the next waiting one is due (LF_NEVER: none).
 */
enum lf_status lf_journal_job_claim(struct lf_journal *journal, const char *instrument, struct lf_job *job,
                                    int64_t *next_mono, struct lf_error *err);
/* The job that a job at the bench waits for: it has the turn, comes first, or is in doubt (*turn). 0: none.
 */
enum lf_status lf_journal_job_behind(struct lf_journal *journal, int64_t job, int64_t *other,
                                     enum lf_turn *turn, struct lf_error *err);
/* The held job whose action is in doubt and that stops the instrument; 0: none, or it cannot be read. */
int64_t lf_journal_job_in_doubt(struct lf_journal *journal, const char *instrument);
/* The number of the newest job there ever was, pruned ones included; 0: none. */
enum lf_status lf_journal_job_newest(struct lf_journal *journal, int64_t *id, struct lf_error *err);
/* The next job gets a number above that. */
enum lf_status lf_journal_job_skip(struct lf_journal *journal, int64_t id, struct lf_error *err);
/* Makes jobs that wait for `wake` ready; *job is one of them, 0: none did. */
enum lf_status lf_journal_job_wake(struct lf_journal *journal, const char *wake, int64_t *job,
                                   struct lf_error *err);
/* Calls `each` with the jobs of that kind that have reached the step on the instrument, or may have, newest
 * first, at most `limit`. `answered`: a job of kind `answer`, other than `but` and not ended badly, has the
 * same run. */
enum lf_status lf_journal_job_answers(struct lf_journal *journal, const char *instrument, const char *kind,
                                      const char *step, const char *answer, int64_t but, int limit,
                                      void (*each)(void *context, const struct lf_job *job, bool answered),
                                      void *context, struct lf_error *err);

/* The oldest job of that kind, other than `but`, whose field has this text; `open`: only one that is not
 * final. LF_NOT_FOUND. */
enum lf_status lf_journal_job_with_field(struct lf_journal *journal, const char *kind,
                                         enum lf_job_field field, const char *value, bool open, int64_t but,
                                         int64_t *job, struct lf_error *err);

/* The newest earlier job that brought another version of the same finding to this run and is attached.
 * *in_place: that version was left in its place, so the new one replaced it there. LF_NOT_FOUND. */
enum lf_status lf_journal_finding_earlier(struct lf_journal *journal, int64_t job, const char *run,
                                          const char *config, int64_t *earlier, bool *in_place,
                                          struct lf_error *err);

/* What happened to a job, when and by whom ("agent", "cli:maria", "mqtt:..."). Goes into the audit trail as
 * well. */
enum lf_status lf_journal_history_add(struct lf_journal *journal, int64_t job, const char *who,
                                      const char *text, struct lf_error *err);
enum lf_status lf_journal_history_list(struct lf_journal *journal, int64_t job,
                                       void (*each)(void *context, int64_t at_ms, const char *who,
                                                    const char *text),
                                       void *context, struct lf_error *err);

/* ---- parcels ---- */

struct lf_parcel_row {
    int64_t id, job;
    char *name, *file; /* file: name below the spool folder */
    char *mime;        /* NULL: unknown */
    char sha256[65];
    int64_t size;
};
void lf_parcel_row_free(struct lf_parcel_row *row);
enum lf_status lf_journal_parcel_add(struct lf_journal *journal, struct lf_parcel_row *row,
                                     struct lf_error *err);
enum lf_status lf_journal_parcel_get(struct lf_journal *journal, int64_t job, struct lf_parcel_row *row,
                                     struct lf_error *err);
enum lf_status lf_journal_parcel_drop(struct lf_journal *journal, int64_t job, struct lf_error *err);
/* Does a job need this spool file, or might a retry? For sweeping the spool. */
bool lf_journal_parcel_knows(struct lf_journal *journal, const char *file);

/* Parts of a multipart upload that the cloud has acknowledged. */
enum lf_status lf_journal_part_add(struct lf_journal *journal, int64_t job, int number, const char *etag,
                                   struct lf_error *err);
/* etags[number - 1] is set for each known part (owned texts); count entries. */
enum lf_status lf_journal_part_list(struct lf_journal *journal, int64_t job, char **etags, int count,
                                    struct lf_error *err);
enum lf_status lf_journal_part_clear(struct lf_journal *journal, int64_t job, struct lf_error *err);

/* ---- findings: results seen on instruments ---- */

/* The job of a known result; 0: it is not known; LF_FINDING_NO_JOB: it is, and nothing is to be done. */
enum { LF_FINDING_NO_JOB = -1 };
int64_t lf_journal_finding_job(struct lf_journal *journal, const char *instrument, const char *id,
                               const char *version);
/* Remembers a result and its job. LF_EXISTS: known. */
enum lf_status lf_journal_finding_add(struct lf_journal *journal, const char *instrument, const char *id,
                                      const char *version, int64_t job, struct lf_error *err);
/* Notes the digest of the content of a job's finding. */
enum lf_status lf_journal_finding_digest(struct lf_journal *journal, int64_t job, const char *sha256,
                                         struct lf_error *err);
/* Another job of the same instrument with the same content for this run and output file configuration: one
 * that has attached it (*attached), or an earlier one that still may. LF_NOT_FOUND. */
enum lf_status lf_journal_finding_same(struct lf_journal *journal, int64_t job, const char *run,
                                       const char *config, int64_t *other, bool *attached,
                                       struct lf_error *err);

/* gone: the instrument no longer shows it, and it may be pruned when it is old. Not gone: it shows it again.
 */
enum lf_status lf_journal_finding_gone(struct lf_journal *journal, const char *instrument, const char *id,
                                       const char *version, bool gone, struct lf_error *err);

/* ---- outbox: reports on their way to the broker ---- */

/* Queues a report. A retained report replaces waiting ones of the same topic. Beyond the limit old ones are
 * dropped and counted. */
enum lf_status lf_journal_outbox_add(struct lf_journal *journal, const char *topic, const char *payload,
                                     bool retain, struct lf_error *err);
/* The same for the reply to a command, with its MQTT correlation data (len 0: none). */
enum lf_status lf_journal_outbox_add_reply(struct lf_journal *journal, const char *topic, const char *payload,
                                           struct lf_slice correlation, struct lf_error *err);
/* Withdraws a retained report that waits. */
enum lf_status lf_journal_outbox_withdraw(struct lf_journal *journal, const char *topic,
                                          struct lf_error *err);
struct lf_outbox_row {
    int64_t seq;
    char *topic, *payload;
    bool retain;
    struct lf_slice correlation; /* owned like the texts; len 0: none */
};
/* The next one after seq `after`, in order; LF_NOT_FOUND. */
enum lf_status lf_journal_outbox_next(struct lf_journal *journal, int64_t after, struct lf_outbox_row *row,
                                      struct lf_error *err);
void lf_outbox_row_free(struct lf_outbox_row *row);
enum lf_status lf_journal_outbox_remove(struct lf_journal *journal, int64_t seq, struct lf_error *err);

/* ---- commands ---- */

enum lf_command_state {
    LF_COMMAND_ACCEPTED,  /* waiting */
    LF_COMMAND_RUNNING,   /* begun; after a crash its outcome is unknown */
    LF_COMMAND_FINISHED,  /* has its answer */
    LF_COMMAND_DISMISSED, /* the same, and changed nothing: refused, or it only looked. Removed early when
                             there are many */
};

struct lf_command_row {
    int64_t seq; /* commands are done in this order */
    char *id;
    char *verb, *args;           /* NULL: could not be parsed; args is JSON, NULL: none */
    char *reply;                 /* topic of the answer */
    char *who;                   /* the sender, as the message names it; NULL: it does not */
    struct lf_slice correlation; /* owned like the texts; len 0: none */
    int64_t expires_ms;          /* wall; 0: never */
    enum lf_command_state state;
    char *answer; /* JSON; NULL until it is finished */
};
void lf_command_row_free(struct lf_command_row *row);

/* Stores a new one (seq is filled). LF_EXISTS: this id is known; nothing changes. */
enum lf_status lf_journal_command_add(struct lf_journal *journal, struct lf_command_row *row,
                                      struct lf_error *err);
/* Writes state, reply, correlation and answer. */
enum lf_status lf_journal_command_save(struct lf_journal *journal, const struct lf_command_row *row,
                                       struct lf_error *err);
/* Are there so many dismissed ones that they push each other out? Then the audit trail need not have each. */
bool lf_journal_command_flood(struct lf_journal *journal);
int64_t lf_journal_command_count(struct lf_journal *journal, enum lf_command_state state); /* -1: unknown */
/* By id, and the oldest in a state. LF_NOT_FOUND. */
enum lf_status lf_journal_command_get(struct lf_journal *journal, const char *id, struct lf_command_row *row,
                                      struct lf_error *err);
enum lf_status lf_journal_command_next(struct lf_journal *journal, enum lf_command_state state,
                                       struct lf_command_row *row, struct lf_error *err);

/* After the wall clock was set or is known better: recomputes expires_ms of open jobs, which only a reboot
 * uses, from expires_mono. */
enum lf_status lf_journal_clock_stepped(struct lf_journal *journal, struct lf_error *err);

/* To be called every minute or so: what the clocks say about how old things are. */
enum lf_status lf_journal_clock_look(struct lf_journal *journal, struct lf_error *err);

/* Removes what is past its keeping time (ms): final jobs with their history, events without open jobs,
 * finished commands. Findings stay until they are gone from the instrument, or a file would count as new.
 * *dropped counts rows. Many small transactions. Nothing is removed while the clocks differ, nor what is only
 * old by a clock that jumped (see journal/age.c). */
enum lf_status lf_journal_prune(struct lf_journal *journal, int64_t keep_ms, int64_t *dropped,
                                struct lf_error *err);

#endif

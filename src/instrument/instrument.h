/* Instruments: hosting drivers. Each configured instrument has one bench thread that connects, works, and
 * listens between jobs. A hung instrument does not delay any other.
 */
#ifndef LF_INSTRUMENT_INSTRUMENT_H
#define LF_INSTRUMENT_INSTRUMENT_H

#include "base/json.h"
#include "drivers/driver.h"
#include "journal/journal.h"
#include "transfer/transfer.h"

struct lf_instrument;

struct lf_instrument_options {
    const char *name;
    const char *agent; /* the agent's name, for the driver; borrowed until lf_instrument_close */
    const struct lf_driver *driver;
    const struct lf_values *values; /* borrowed until lf_instrument_close */
    const char *expect_identity;    /* NULL: any; else the identity must be this or contain it */
    const char *paused;             /* why it starts paused; NULL: it does not */
    struct lf_journal *journal;     /* see "steering"; NULL: effects are immediate */
    struct lf_transfer *transfer;   /* for requests of the driver; borrowed until lf_instrument_close */
};

struct lf_instrument_hooks {
    void *context;
    /* On the bench thread, connected and not paused: do at most one piece of work. True: something was done,
     * ask again. False: nothing to do before *next_mono or lf_instrument_kick. */
    bool (*work)(void *context, struct lf_instrument *instrument, int64_t *next_mono);
    /* On the bench thread: see lf_host.found. */
    enum lf_status (*found)(void *context, struct lf_instrument *instrument, const struct lf_finding *finding,
                            struct lf_error *err);
    /* State, identity or note changed; on the bench thread or the caller's of pause, resume and watch. */
    void (*changed)(void *context, struct lf_instrument *instrument);
};

/* Makes the device (no I/O yet). options' texts are copied. Returns owned. */
enum lf_status lf_instrument_open(const struct lf_instrument_options *options,
                                  const struct lf_instrument_hooks *hooks, struct lf_instrument **instrument,
                                  struct lf_error *err);
/* Starts the bench thread. */
enum lf_status lf_instrument_start(struct lf_instrument *instrument, struct lf_error *err);
/* Asks the thread to end; what runs is cancelled. */
void lf_instrument_stop(struct lf_instrument *instrument);
/* Waits until it has ended. False: it is stuck in a call that the system does not end (lf_pulse), and the
 * process must end without it. */
bool lf_instrument_join(struct lf_instrument *instrument);
/* Stops and joins it if necessary, and frees it, unless it is stuck. NULL is fine. No other instrument's
 * thread may be running: it may look up this one. */
void lf_instrument_close(struct lf_instrument *instrument);

const char *lf_instrument_name(const struct lf_instrument *instrument);
const struct lf_driver *lf_instrument_driver(const struct lf_instrument *instrument);

/* ---- steering, from any thread. In a transaction of the journal these four take effect once the outermost
 * commit is on disk, and not at all after a rollback ---- */

/* There may be work: wakes the bench. */
void lf_instrument_kick(struct lf_instrument *instrument);
/* A paused instrument finishes what runs and then starts nothing new; it stays connected and keeps finding
 * results. */
void lf_instrument_pause(struct lf_instrument *instrument, const char *why);
void lf_instrument_resume(struct lf_instrument *instrument);
/* Cancels the action that runs for `job`. False: nothing runs for it at this moment. */
bool lf_instrument_cancel(struct lf_instrument *instrument, int64_t job);

enum lf_instrument_state {
    LF_INSTRUMENT_OFFLINE,
    LF_INSTRUMENT_IDLE,
    LF_INSTRUMENT_BUSY,
    LF_INSTRUMENT_PAUSED,
    LF_INSTRUMENT_SILENT, /* the system has not returned from a call of its driver for half a minute */
    LF_INSTRUMENT_HELD,   /* by a job whose outcome is unknown, until a person answers */
};
const char *lf_instrument_state_name(enum lf_instrument_state state);
/* For reports: name, driver, state, identity, since, note, job, held_by, progress. `paused` NULL: as it is;
 * else as if it were paused for that reason ("": as if it were not), to answer a pause or resume that has not
 * been committed yet. Returns owned; any thread. */
cJSON *lf_instrument_info(struct lf_instrument *instrument, const char *paused);
enum lf_instrument_state lf_instrument_state(struct lf_instrument *instrument);
/* Since when it has been connected and not paused, without a break (monotonic); LF_NEVER: it is not. Any
 * thread. */
int64_t lf_instrument_steady_since(struct lf_instrument *instrument);

/* How often it has been connected since it was opened. Any thread. */
int64_t lf_instrument_connections(struct lf_instrument *instrument);

/* Notices, notes in the journal and reports that the instrument has stopped answering, or answers again. Call
 * it about once a minute; any thread but the bench, and no other one at the same time. */
void lf_instrument_watch(struct lf_instrument *instrument);

/* Runs one command for an operator, on the bench between jobs; blocks until the deadline. Any thread but the
 * bench. A `once` command needs allow_once. LF_BUSY, LF_TIMEOUT: it was not begun. */
enum lf_status lf_instrument_ask(struct lf_instrument *instrument, const char *command,
                                 const struct lf_input *inputs, size_t input_count, bool allow_once,
                                 int64_t deadline, struct lf_outcome *outcome, struct lf_error *err);

/* ---- bench thread only: the driver's calls, with bookkeeping (busy, progress, disconnect on
 * LF_DISCONNECTED) ---- */
enum lf_status lf_instrument_repeat(struct lf_instrument *instrument, const struct lf_action *action,
                                    enum lf_repeat *repeat, struct lf_error *err);
/* See lf_driver.prepare and lf_driver.witnessed. LF_UNSUPPORTED: nothing outside the agent remembers. */
enum lf_status lf_instrument_prepare(struct lf_instrument *instrument, const struct lf_action *action,
                                     struct lf_error *err);
enum lf_status lf_instrument_witnessed(struct lf_instrument *instrument,
                                       void (*each)(void *context, const struct lf_witness *delivery),
                                       void *context, struct lf_error *err);
/* The safe procedure that shows that a person has changed the sample after this action; NULL: none. */
const char *lf_instrument_sign(struct lf_instrument *instrument, const struct lf_action *action);
enum lf_status lf_instrument_act(struct lf_instrument *instrument, const struct lf_action *action,
                                 struct lf_outcome *outcome, struct lf_error *err);
enum lf_verdict lf_instrument_verify(struct lf_instrument *instrument, const struct lf_action *action,
                                     struct lf_outcome *outcome, struct lf_error *err);
enum lf_status lf_instrument_take(struct lf_instrument *instrument, const char *id, const char *version,
                                  const struct lf_file *to, int64_t max, struct lf_error *err);
enum lf_status lf_instrument_archive(struct lf_instrument *instrument, const char *id, const char *version,
                                     struct lf_error *err);

#endif

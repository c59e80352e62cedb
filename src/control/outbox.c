/* Sends the journal's outbox to the broker. A worker of its own, because a report is queued in the middle of
 * a journal transaction.
 *
 * `sent` is the newest row handed to the link in this session, `in_flight` how many of those are not
 * acknowledged. A new session starts at the oldest row again: QoS 1 means that a report may arrive twice,
 * never that one is missing or out of order. So does a report that the broker puts off (its quota is used
 * up): once all that is on its way was answered, everything from there on is sent again. `mutex` is never
 * held while the journal or the link is called; `using_link` is held then, by the worker alone, so that the
 * link is not closed while it is in use. Lock order: using_link, mutex.
 */
#include "control/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "link/link.h"
#include "os/thread.h"

#include <stdlib.h>

enum { WINDOW = 50, RETRY_MS = 5000, ASIDE_LOOK_MS = 60 * 1000 };

struct lf_outbox {
    struct lf_journal *journal;
    struct lf_worker worker;
    struct lf_mutex using_link;
    struct lf_mutex mutex; /* guards the rest */
    struct lf_link *link;
    int64_t sent;
    int in_flight;
    bool rewinds;     /* one was put off: nothing is sent until all were answered, then from the oldest on */
    bool left_behind; /* rows on topics that are set aside were passed over */
    int64_t look_again_at; /* for them; monotonic */
    uint64_t session;      /* counts sessions and rewinds: a row read before does not count after */
};

/* Once nothing is on its way: begins at the oldest row again. A row that was read before does not count. With
 * the mutex locked. */
static void rewind_when_answered(struct lf_outbox *outbox)
{
    if (!outbox->rewinds || outbox->in_flight > 0)
        return;
    outbox->rewinds = false;
    outbox->sent = 0;
    outbox->session++;
}

/* Takes a row into the window of its session, or out again. False: a new session has begun. */
static bool count_sent(struct lf_outbox *outbox, uint64_t session, int64_t sent, int more)
{
    lf_mutex_lock(&outbox->mutex);
    bool same = outbox->session == session;
    if (same) {
        outbox->sent = sent;
        outbox->in_flight += more;
        rewind_when_answered(outbox);
    }
    lf_mutex_unlock(&outbox->mutex);
    return same;
}

/* Nothing newer waits. What was passed over is tried again after a while, once nothing is on its way. */
static int64_t wait_for_rows(struct lf_outbox *outbox)
{
    lf_mutex_lock(&outbox->mutex);
    int64_t next = outbox->left_behind && outbox->in_flight == 0 ? outbox->look_again_at : LF_NEVER;
    if (lf_deadline_passed(next)) {
        outbox->left_behind = false;
        outbox->sent = next = 0;
    }
    lf_mutex_unlock(&outbox->mutex);
    return next;
}

static int64_t send_next(struct lf_outbox *outbox)
{
    lf_mutex_lock(&outbox->mutex);
    struct lf_link *link = outbox->link;
    int64_t after = outbox->sent;
    uint64_t session = outbox->session;
    bool room = outbox->in_flight < WINDOW && !outbox->rewinds;
    lf_mutex_unlock(&outbox->mutex);
    if (!link || !room || lf_link_state(link) != LF_LINK_ONLINE)
        return LF_NEVER;
    struct lf_outbox_row row;
    struct lf_error err = {0};
    enum lf_status status = lf_journal_outbox_next(outbox->journal, after, &row, &err);
    if (status == LF_NOT_FOUND)
        return wait_for_rows(outbox);
    if (status != LF_OK) {
        lf_log_warning("outbox", "%s", err.text);
        return lf_deadline_in(RETRY_MS);
    }
    struct lf_publication publication = {.topic = row.topic,
                                         .payload = lf_slice_text(row.payload),
                                         .qos = 1,
                                         .retain = row.retain,
                                         .correlation = row.correlation,
                                         .ticket = row.seq};
    /* Counted before it is sent: the acknowledgement may be faster than this thread. */
    if (count_sent(outbox, session, row.seq, 1)) {
        status = lf_link_publish(link, &publication, &err);
        if (status != LF_OK)
            count_sent(outbox, session, after, -1);
    }
    lf_outbox_row_free(&row);
    if (status == LF_OK)
        return 0;
    return status == LF_DISCONNECTED ? LF_NEVER : lf_deadline_in(RETRY_MS); /* nothing kicks then */
}

static int64_t pump(void *context)
{
    struct lf_outbox *outbox = context;
    lf_mutex_lock(&outbox->using_link);
    int64_t next = send_next(outbox);
    lf_mutex_unlock(&outbox->using_link);
    return next;
}

enum lf_status lf_outbox_open(struct lf_journal *journal, struct lf_outbox **out, struct lf_error *err)
{
    struct lf_outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return lf_fail_memory(err, "opening the outbox");
    outbox->journal = journal;
    lf_mutex_init(&outbox->using_link);
    lf_mutex_init(&outbox->mutex);
    enum lf_status status = lf_worker_open(&outbox->worker, err);
    if (status == LF_OK)
        status = lf_worker_start(&outbox->worker, "outbox", pump, outbox, err);
    if (status != LF_OK) {
        lf_outbox_close(outbox);
        return status;
    }
    *out = outbox;
    return LF_OK;
}

void lf_outbox_close(struct lf_outbox *outbox)
{
    if (!outbox)
        return;
    lf_worker_close(&outbox->worker);
    lf_mutex_destroy(&outbox->mutex);
    lf_mutex_destroy(&outbox->using_link);
    free(outbox);
}

void lf_outbox_attach(struct lf_outbox *outbox, struct lf_link *link)
{
    lf_mutex_lock(&outbox->using_link);
    lf_mutex_lock(&outbox->mutex);
    outbox->link = link;
    lf_mutex_unlock(&outbox->mutex);
    lf_mutex_unlock(&outbox->using_link);
    lf_outbox_kick(outbox);
}

static void kick_worker(void *worker, int64_t number, const char *text)
{
    (void)number, (void)text;
    lf_worker_kick(worker);
}

void lf_outbox_kick(struct lf_outbox *outbox)
{
    lf_journal_after_commit(outbox->journal, kick_worker, &outbox->worker, 0, NULL);
}

void lf_outbox_online(struct lf_outbox *outbox)
{
    lf_mutex_lock(&outbox->mutex);
    outbox->session++;
    outbox->sent = 0;
    outbox->in_flight = 0;
    outbox->rewinds = outbox->left_behind = false;
    lf_mutex_unlock(&outbox->mutex);
    lf_outbox_kick(outbox);
}

/* Counts an answer. True: its row has done its work. */
static bool count_answer(struct lf_outbox *outbox, enum lf_publish_outcome outcome)
{
    lf_mutex_lock(&outbox->mutex);
    if (outbox->in_flight > 0)
        outbox->in_flight--;
    outbox->rewinds = outbox->rewinds || outcome == LF_PUBLISH_LATER;
    if (outcome == LF_PUBLISH_ASIDE && !outbox->left_behind) {
        outbox->left_behind = true;
        outbox->look_again_at = lf_deadline_in(ASIDE_LOOK_MS);
    }
    /* What was taken after one that is put off is sent again behind it. */
    bool done = outcome == LF_PUBLISH_DROPPED || (outcome == LF_PUBLISH_TAKEN && !outbox->rewinds);
    rewind_when_answered(outbox);
    lf_mutex_unlock(&outbox->mutex);
    return done;
}

void lf_outbox_published(struct lf_outbox *outbox, int64_t ticket, enum lf_publish_outcome outcome)
{
    struct lf_error err = {0};
    if (count_answer(outbox, outcome) && lf_journal_outbox_remove(outbox->journal, ticket, &err) != LF_OK)
        lf_log_warning("outbox", "report %lld was sent but cannot be removed, so it will be sent again: %s",
                       (long long)ticket, err.text);
    lf_outbox_kick(outbox);
}

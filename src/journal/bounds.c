/* Tables that are bounded, and what is removed when they are full.
 *
 * The tally follows each change in memory, is rolled back with its transaction, and is recounted when the
 * journal is opened or pruned. The number of removed rows is stored.
 */
#include "journal/concern.h"
#include "journal/db.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROW_BYTES = 1000, /* of a row, its index entries and its entry in the audit trail, beside its body */
    DROPS_AT_ONCE = 100,
};

/* Of events that made no job, in the order in which they leave. */
static const enum lf_fate unused_fates[] = {LF_FATE_BAD, LF_FATE_UNKNOWN, LF_FATE_UNROUTED};
enum { UNUSED_FATES = sizeof unused_fates / sizeof *unused_fates };

int64_t journal__bounds_cost(enum lf_fate fate, int64_t body_len)
{
    for (size_t i = 0; i < UNUSED_FATES; i++)
        if (fate == unused_fates[i])
            return ROW_BYTES + body_len;
    return 0;
}

/* ---- counting ---- */

static enum lf_status keep_number(struct lf_journal *journal, const char *name, int64_t number,
                                  struct lf_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    return lf_journal_set(journal, name, text, err);
}

enum lf_status journal__bounds_load(struct lf_journal *journal, struct lf_error *err)
{
    struct query query = journal__query(
        journal,
        "SELECT (SELECT count(*) FROM outbox),"
        " (SELECT count(*) * ?1 + coalesce(sum(length(body)), 0) FROM event WHERE fate IN (?2, ?3, ?4)),"
        " (SELECT value FROM small WHERE name = 'outbox.dropped'),"
        " (SELECT value FROM small WHERE name = 'unused.dropped')",
        "ittt", (int64_t)ROW_BYTES, lf_fate_name(unused_fates[0]), lf_fate_name(unused_fates[1]),
        lf_fate_name(unused_fates[2]));
    if (journal__query_row(&query))
        journal->tally = (struct tally){
            .outbox = journal__column_int(&query, 0),
            .unused = journal__column_int(&query, 1),
            .outbox_dropped = journal__column_int(&query, 2),
            .unused_dropped = journal__column_int(&query, 3),
        };
    return journal__query_end(&query, err);
}

/* ---- removing ---- */

static enum lf_status drop_oldest_report(struct lf_journal *journal, char **topic, struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "DELETE FROM outbox WHERE seq = (SELECT seq FROM outbox WHERE NOT "
                                        "retain ORDER BY reply, seq LIMIT 1) RETURNING topic",
                                        "");
    bool found = journal__query_row(&query);
    free(*topic);
    *topic = found ? journal__column_text(&query, 0) : NULL;
    return journal__query_end(&query, err);
}

static enum lf_status note_dropped(struct lf_journal *journal, const char *topic, struct lf_error *err)
{
    char text[LF_ERROR_TEXT];
    snprintf(
        text, sizeof text,
        "%lld reports are waiting for the broker, which is the limit: the oldest are dropped, the last one was "
        "for %.200s",
        (long long)journal->limits.outbox, topic);
    struct lf_concern concern =
        {.source = "outbox",
         .about = "reports dropped",
         .text = text,
         .todo = "connect the broker, then `labferry acknowledge` this entry. What the reports said is in "
                 "`labferry jobs` and `labferry audit`"};
    enum lf_status status = keep_number(journal, "outbox.dropped", journal->tally.outbox_dropped, err);
    return status == LF_OK ? lf_journal_concern(journal, &concern, err) : status;
}

/* Retained reports stay: there is one for each topic, and it is the state. */
enum lf_status journal__bounds_outbox(struct lf_journal *journal, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    char *topic = NULL, *last = NULL;
    while (status == LF_OK && journal->limits.outbox && journal->tally.outbox > journal->limits.outbox) {
        status = drop_oldest_report(journal, &topic, err);
        if (status != LF_OK || !topic)
            break;
        journal->tally.outbox--;
        journal->tally.outbox_dropped++;
        free(last);
        last = topic;
        topic = NULL;
    }
    if (status == LF_OK && last)
        status = note_dropped(journal, last, err);
    free(topic);
    free(last);
    return status;
}

/* The oldest of a fate, if it is older than `newest`. LF_NOT_FOUND: there is none. */
static enum lf_status drop_oldest(struct lf_journal *journal, const char *fate, int64_t newest,
                                  struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "SELECT seq, length(body) FROM event WHERE fate = ?1 AND seq < ?2 "
                                        "ORDER BY due_mono, seq LIMIT 1",
                                        "ti", fate, newest);
    bool found = journal__query_row(&query);
    int64_t seq = found ? journal__column_int(&query, 0) : 0,
            len = found ? journal__column_int(&query, 1) : 0;
    enum lf_status status = journal__query_end(&query, err);
    if (status != LF_OK || !found)
        return status == LF_OK ? LF_NOT_FOUND : status;
    status = journal__query_do(journal, err, "DELETE FROM event WHERE seq = ?1", "i", seq);
    journal->tally.unused -= ROW_BYTES + len;
    journal->tally.unused_dropped++;
    return status;
}

enum lf_status journal__bounds_unused(struct lf_journal *journal, int64_t newest, int64_t *dropped,
                                      struct lf_error *err)
{
    enum lf_status status = LF_OK;
    int64_t before = journal->tally.unused_dropped;
    size_t fate = 0;
    for (int i = 0;
         i < DROPS_AT_ONCE && journal->limits.unused && journal->tally.unused > journal->limits.unused; i++) {
        status = drop_oldest(journal, lf_fate_name(unused_fates[fate]), newest, err);
        if (status == LF_NOT_FOUND && ++fate < UNUSED_FATES)
            continue;
        if (status != LF_OK)
            break;
    }
    *dropped = journal->tally.unused_dropped > before ? journal->tally.unused_dropped : 0;
    if (status == LF_NOT_FOUND)
        status = LF_OK;
    if (status == LF_OK && *dropped)
        status = keep_number(journal, "unused.dropped", *dropped, err);
    return status;
}

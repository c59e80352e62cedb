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
    ROW_BYTES = 1000, /* of a row and its index entries, beside its body or arguments and answer */
    DROPS_AT_ONCE = 100,
};

/* Of events that made no job, in the order in which they leave. */
static const enum lf_fate unused_fates[] = {LF_FATE_BAD, LF_FATE_UNKNOWN, LF_FATE_UNROUTED, LF_FATE_TWIN,
                                            LF_FATE_LOST};
_Static_assert(sizeof unused_fates / sizeof *unused_fates == 5, "journal__bounds_load binds each");
/* What a command takes: ?1 is ROW_BYTES. */
#define COMMAND_BYTES "?1 + coalesce(length(args), 0) + coalesce(length(answer), 0)"
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
        " (SELECT count(*) * ?1 + coalesce(sum(length(body)), 0) FROM event WHERE fate IN (?2, ?3, ?4, ?5, ?6)),"
        " (SELECT value FROM small WHERE name = 'outbox.dropped'),"
        " (SELECT value FROM small WHERE name = 'unused.dropped'),"
        " (SELECT sum(" COMMAND_BYTES ") FROM command WHERE state = 'dismissed'),"
        " (SELECT value FROM small WHERE name = 'dismissed.dropped')",
        "ittttt", (int64_t)ROW_BYTES, lf_fate_name(unused_fates[0]), lf_fate_name(unused_fates[1]),
        lf_fate_name(unused_fates[2]), lf_fate_name(unused_fates[3]), lf_fate_name(unused_fates[4]));
    if (journal__query_row(&query))
        journal->tally = (struct tally){
            .outbox = journal__column_int(&query, 0),
            .unused = journal__column_int(&query, 1),
            .outbox_dropped = journal__column_int(&query, 2),
            .unused_dropped = journal__column_int(&query, 3),
            .dismissed = journal__column_int(&query, 4),
            .dismissed_dropped = journal__column_int(&query, 5),
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
    struct lf_concern concern = {.source = "outbox",
                                 .about = "reports dropped",
                                 .text = text,
                                 .todo = "connect the broker. What the reports said is in "
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

enum lf_status journal__bounds_unused(struct lf_journal *journal, int64_t newest, struct lf_error *err)
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
    if (status == LF_NOT_FOUND)
        status = LF_OK;
    if (status == LF_OK && journal->tally.unused_dropped > before)
        status = keep_number(journal, "unused.dropped", journal->tally.unused_dropped, err);
    return status;
}

/* The oldest command that was dismissed, before `newest`. LF_NOT_FOUND: there is none. */
static enum lf_status drop_dismissed(struct lf_journal *journal, int64_t newest, struct lf_error *err)
{
    int64_t bytes = 0;
    enum lf_status status = journal__query_int(
        journal, &bytes, err,
        "DELETE FROM command WHERE seq = (SELECT seq FROM command WHERE state = 'dismissed' AND seq < ?2 "
        "ORDER BY seq LIMIT 1) RETURNING " COMMAND_BYTES,
        "ii", (int64_t)ROW_BYTES, newest);
    if (status != LF_OK || !bytes)
        return status == LF_OK ? LF_NOT_FOUND : status;
    journal->tally.dismissed -= bytes;
    journal->tally.dismissed_dropped++;
    return LF_OK;
}

enum lf_status journal__bounds_dismissed(struct lf_journal *journal, int64_t newest, struct lf_error *err)
{
    int64_t bytes = 0, before = journal->tally.dismissed_dropped, limit = journal->limits.dismissed;
    enum lf_status status = journal__query_int(journal, &bytes, err,
                                               "SELECT " COMMAND_BYTES " FROM command WHERE seq = ?2", "ii",
                                               (int64_t)ROW_BYTES, newest);
    journal->tally.dismissed += bytes;
    for (int i = 0; status == LF_OK && i < DROPS_AT_ONCE && limit && journal->tally.dismissed > limit; i++)
        status = drop_dismissed(journal, newest, err);
    if (status == LF_NOT_FOUND)
        status = LF_OK;
    if (status == LF_OK && journal->tally.dismissed_dropped > before)
        status = keep_number(journal, "dismissed.dropped", journal->tally.dismissed_dropped, err);
    return status;
}

bool lf_journal_command_flood(struct lf_journal *journal)
{
    lf_mutex_lock(&journal->mutex);
    bool flood = journal->limits.dismissed && journal->tally.dismissed >= journal->limits.dismissed / 10 * 9;
    lf_mutex_unlock(&journal->mutex);
    return flood;
}

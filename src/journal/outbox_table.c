/* Reports on their way to the broker. */
#include "journal/db.h"

#include <stdlib.h>
#include <string.h>

enum lf_status lf_journal_outbox_withdraw(struct lf_journal *journal, const char *topic, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(journal, err, "DELETE FROM outbox WHERE topic = ?1 AND retain", "t", topic);
    journal->tally.outbox -= status == LF_OK ? sqlite3_changes64(journal->db) : 0;
    return lf_journal_end(journal, status, err);
}

static enum lf_status add(struct lf_journal *journal, const char *topic, const char *payload, bool retain,
                          bool reply, struct lf_slice correlation, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    if (retain)
        status = lf_journal_outbox_withdraw(journal, topic, err);
    if (status == LF_OK)
        status = journal__query_do(
            journal, err,
            "INSERT INTO outbox (topic, payload, retain, reply, correlation) VALUES (?1, ?2, ?3, ?4, ?5)",
            "ttiib", topic, payload, (int64_t)retain, (int64_t)reply, correlation.data, correlation.len);
    if (status == LF_OK) {
        journal->tally.outbox++;
        status = journal__bounds_outbox(journal, err);
    }
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_outbox_add(struct lf_journal *journal, const char *topic, const char *payload,
                                     bool retain, struct lf_error *err)
{
    return add(journal, topic, payload, retain, false, (struct lf_slice){0}, err);
}

enum lf_status lf_journal_outbox_add_reply(struct lf_journal *journal, const char *topic, const char *payload,
                                           struct lf_slice correlation, struct lf_error *err)
{
    return add(journal, topic, payload, false, true, correlation, err);
}

enum lf_status lf_journal_outbox_next(struct lf_journal *journal, int64_t after, struct lf_outbox_row *row,
                                      struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "SELECT seq, topic, payload, retain, correlation FROM outbox "
                                        "WHERE seq > ?1 ORDER BY seq LIMIT 1",
                                        "i", after);
    memset(row, 0, sizeof *row);
    bool found = journal__query_row(&query);
    if (found)
        *row = (struct lf_outbox_row){.seq = journal__column_int(&query, 0),
                                      .topic = journal__column_text(&query, 1),
                                      .payload = journal__column_text(&query, 2),
                                      .retain = journal__column_int(&query, 3) != 0,
                                      .correlation = journal__column_bytes(&query, 4)};
    enum lf_status status = journal__query_end(&query, err);
    if (status != LF_OK)
        lf_outbox_row_free(row);
    return status == LF_OK && !found ? lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "the outbox is empty")
                                     : status;
}

void lf_outbox_row_free(struct lf_outbox_row *row)
{
    free(row->topic);
    free(row->payload);
    free((char *)row->correlation.data);
    memset(row, 0, sizeof *row);
}

enum lf_status lf_journal_outbox_remove(struct lf_journal *journal, int64_t seq, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(journal, err, "DELETE FROM outbox WHERE seq = ?1", "i", seq);
    journal->tally.outbox -= status == LF_OK ? sqlite3_changes64(journal->db) : 0;
    return lf_journal_end(journal, status, err);
}

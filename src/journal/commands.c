/* Commands that came over MQTT, with their answers. */
#include "journal/db.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [LF_COMMAND_ACCEPTED] = "accepted",
    [LF_COMMAND_RUNNING] = "running",
    [LF_COMMAND_FINISHED] = "finished",
    [LF_COMMAND_DISMISSED] = "dismissed",
};

void lf_command_row_free(struct lf_command_row *row)
{
    free(row->id);
    free(row->verb);
    free(row->args);
    free(row->reply);
    free(row->who);
    free((char *)row->correlation.data);
    free(row->answer);
    memset(row, 0, sizeof *row);
}

static int64_t finished_at(const struct lf_command_row *row)
{
    return row->state >= LF_COMMAND_FINISHED ? lf_clock_best_ms() : 0;
}

enum lf_status lf_journal_command_add(struct lf_journal *journal, struct lf_command_row *row,
                                      struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(journal, err,
                               "INSERT INTO command (id, verb, args, reply, correlation, expires_ms, state, "
                               "received_ms, finished_ms, answer, who) "
                               "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, nullif(?9, 0), ?10, ?11)",
                               "ttttbitiitt", row->id, row->verb, row->args, row->reply,
                               row->correlation.data, row->correlation.len, row->expires_ms,
                               state_names[row->state], lf_clock_best_ms(), finished_at(row), row->answer,
                               row->who);
    row->seq = sqlite3_last_insert_rowid(journal->db);
    if (status == LF_OK && row->state == LF_COMMAND_DISMISSED)
        status = journal__bounds_dismissed(journal, row->seq, err);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_command_save(struct lf_journal *journal, const struct lf_command_row *row,
                                       struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(
        journal, err,
        "UPDATE command SET state = ?2, reply = ?3, correlation = ?4, answer = ?5, finished_ms = nullif(?6, "
        "0) WHERE seq = ?1",
        "ittbti", row->seq, state_names[row->state], row->reply, row->correlation.data, row->correlation.len,
        row->answer, finished_at(row));
    if (status == LF_OK && row->state == LF_COMMAND_DISMISSED)
        status = journal__bounds_dismissed(journal, row->seq, err);
    return lf_journal_end(journal, status, err);
}

/* ---- reading ---- */

#define COMMAND_COLUMNS "seq, id, verb, args, reply, correlation, expires_ms, state, answer, who"

/* Ends the query. LF_NOT_FOUND if it has no row. */
static enum lf_status read_one(struct query query, struct lf_command_row *row, struct lf_error *err)
{
    memset(row, 0, sizeof *row);
    bool found = journal__query_row(&query);
    if (found) {
        *row = (struct lf_command_row){
            .seq = journal__column_int(&query, 0),
            .id = journal__column_text(&query, 1),
            .verb = journal__column_text(&query, 2),
            .args = journal__column_text(&query, 3),
            .reply = journal__column_text(&query, 4),
            .correlation = journal__column_bytes(&query, 5),
            .expires_ms = journal__column_int(&query, 6),
            .state = LF_COMMAND_RUNNING,
            .answer = journal__column_text(&query, 8),
            .who = journal__column_text(&query, 9),
        };
        const char *state = journal__column_peek(&query, 7);
        for (size_t i = 0; state && i < sizeof state_names / sizeof *state_names; i++)
            if (!strcmp(state, state_names[i]))
                row->state = (enum lf_command_state)i;
    }
    enum lf_status status = journal__query_end(&query, err);
    if (status != LF_OK)
        lf_command_row_free(row);
    return status == LF_OK && !found ? lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "there is no such command")
                                     : status;
}

enum lf_status lf_journal_command_get(struct lf_journal *journal, const char *id, struct lf_command_row *row,
                                      struct lf_error *err)
{
    return read_one(journal__query(journal, "SELECT " COMMAND_COLUMNS " FROM command WHERE id = ?1", "t", id),
                    row, err);
}

enum lf_status lf_journal_command_next(struct lf_journal *journal, enum lf_command_state state,
                                       struct lf_command_row *row, struct lf_error *err)
{
    return read_one(journal__query(journal,
                                   "SELECT " COMMAND_COLUMNS
                                   " FROM command WHERE state = ?1 ORDER BY seq LIMIT 1",
                                   "t", state_names[state]),
                    row, err);
}

int64_t lf_journal_command_count(struct lf_journal *journal, enum lf_command_state state)
{
    struct lf_error err;
    int64_t count = 0;
    enum lf_status status = journal__query_int(journal, &count, &err,
                                               "SELECT count(*) FROM command WHERE state = ?1", "t",
                                               state_names[state]);
    return status == LF_OK ? count : -1;
}

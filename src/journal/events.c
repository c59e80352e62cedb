/* Events as they were received, and what became of them. */
#include "journal/audit.h"
#include "journal/db.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fate_names[] = {
    [LF_FATE_JOB] = "job",           [LF_FATE_TWIN] = "twin",       [LF_FATE_WOKE] = "woke",
    [LF_FATE_UNROUTED] = "unrouted", [LF_FATE_UNKNOWN] = "unknown", [LF_FATE_BAD] = "bad",
    [LF_FATE_REREAD] = "reread",     [LF_FATE_LOST] = "lost",
};

const char *lf_fate_name(enum lf_fate fate)
{
    return fate_names[fate];
}

static enum lf_fate fate_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof fate_names / sizeof *fate_names; i++)
        if (!strcmp(name, fate_names[i]))
            return (enum lf_fate)i;
    return LF_FATE_BAD;
}

void lf_event_row_free(struct lf_event_row *row)
{
    free(row->id);
    free(row->key);
    free(row->type);
    free(row->resource_id);
    free(row->source);
    free(row->note);
    free(row->jobs);
    free(row->body);
    memset(row, 0, sizeof *row);
}

static enum lf_status audit_received(struct lf_journal *journal, const struct lf_event_row *row,
                                     struct lf_error *err)
{
    char text[LF_ERROR_TEXT + 200];
    snprintf(text, sizeof text, "received by %.40s: %.120s%s%s", row->source ? row->source : "?",
             row->type ? row->type : lf_fate_name(row->fate), row->note ? ": " : "",
             row->note ? row->note : "");
    return lf_journal_audit_add(journal, "agent", "event", row->id, text, err);
}

/* LF_EXISTS: one more of a known one. */
static enum lf_status insert_event(struct lf_journal *journal, struct lf_event_row *row, struct lf_error *err)
{
    struct query query;
    enum lf_status status = journal__query_start(
        journal, &query, err,
        "INSERT INTO event (id, key, type, resource_id, source, note, "
        "created_ms, received_ms, fate, body) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT "
        "(id) DO UPDATE SET times = times + 1 "
        "RETURNING seq, times",
        "ttttttiitb", row->id, row->key, row->type, row->resource_id, row->source, row->note, row->created_ms,
        row->received_ms, fate_names[row->fate], row->body, row->body_len);
    if (status != LF_OK)
        return status;
    if (journal__query_row(&query)) {
        row->seq = journal__column_int(&query, 0);
        row->times = journal__column_int(&query, 1);
        journal__query_row(&query); /* to its end: only then is it done */
    }
    status = journal__query_end(&query, err);
    if (status == LF_OK && row->times > 1)
        return lf_fail(err, LF_EXISTS, LF_CLASS_NONE, "event %s is known", row->id);
    return status;
}

/* In a flood of messages that are no events the trail tells of each thousandth that had to leave, not of each
 * that came. */
enum { TELL_DROPPED = 1000 };

static enum lf_status audit_new(struct lf_journal *journal, const struct lf_event_row *row, int64_t dropped,
                                struct lf_error *err)
{
    char text[120];
    if (!dropped || row->fate != LF_FATE_BAD)
        return audit_received(journal, row, err);
    if (dropped % TELL_DROPPED)
        return LF_OK;
    snprintf(text, sizeof text,
             "%lld messages that made no job have left the journal early (a twentieth of agent.journal_max)",
             (long long)dropped);
    return lf_journal_audit_add(journal, "agent", "event", NULL, text, err);
}

enum lf_status lf_journal_event_add(struct lf_journal *journal, struct lf_event_row *row,
                                    struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = insert_event(journal, row, err);
    bool known = status == LF_EXISTS;
    int64_t dropped = 0;
    if (status == LF_OK) {
        journal->tally.unused += journal__bounds_cost(row->fate, (int64_t)row->body_len);
        status = journal__bounds_unused(journal, row->seq, &dropped, err);
    }
    if (status == LF_OK)
        status = audit_new(journal, row, dropped, err);
    status = lf_journal_end(journal, known ? LF_OK : status, err);
    return status == LF_OK && known ? LF_EXISTS : status;
}

static enum lf_status cost_now(struct lf_journal *journal, const char *id, int64_t *len, int64_t *cost,
                               struct lf_error *err)
{
    struct query query;
    *len = *cost = 0;
    enum lf_status status = journal__query_start(journal, &query, err,
                                                 "SELECT fate, length(body) FROM event WHERE id = ?1", "t",
                                                 id);
    if (status != LF_OK)
        return status;
    if (journal__query_row(&query)) {
        *len = journal__column_int(&query, 1);
        *cost = journal__bounds_cost(fate_of(journal__column_peek(&query, 0)), *len);
    }
    return journal__query_end(&query, err);
}

enum lf_status lf_journal_event_fate(struct lf_journal *journal, const char *id, enum lf_fate fate,
                                     const char *note, struct lf_error *err)
{
    char text[LF_ERROR_TEXT + 300];
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    int64_t len, cost;
    status = cost_now(journal, id, &len, &cost, err);
    if (status == LF_OK)
        status = journal__query_do(journal, err, "UPDATE event SET fate = ?2, note = ?3 WHERE id = ?1", "ttt",
                                   id, fate_names[fate], note);
    journal->tally.unused += journal__bounds_cost(fate, len) - cost;
    snprintf(text, sizeof text, "event %.200s: %s%s%s", id, fate_names[fate], note ? ": " : "",
             note ? note : "");
    if (status == LF_OK && (fate > LF_FATE_WOKE || note)) /* its jobs have entries of their own */
        status = lf_journal_audit_add(journal, "agent", "event", id, text, err);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_event_job(struct lf_journal *journal, const char *id, enum lf_fate fate,
                                    int64_t job, struct lf_error *err)
{
    char about[32], text[300];
    snprintf(about, sizeof about, "job %lld", (long long)job);
    snprintf(text, sizeof text, "event %.200s: %s", id, fate_names[fate]);
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(journal, err,
                               "INSERT OR IGNORE INTO event_job SELECT seq, ?2 FROM event WHERE id = ?1",
                               "ti", id, job);
    if (status == LF_OK)
        status = lf_journal_audit_add(journal, "agent", "event", about, text, err);
    return lf_journal_end(journal, status, err);
}

#define EVENT_COLUMNS                                                                                        \
    "seq, id, key, type, resource_id, source, note, created_ms, received_ms, fate, "                         \
    "(SELECT json_group_array(job) FROM event_job WHERE event_job.event = event.seq), times, attempt"

/* Fills everything but the body. False when out of memory. */
static bool read_event(struct query *query, struct lf_event_row *row)
{
    memset(row, 0, sizeof *row);
    row->seq = journal__column_int(query, 0);
    row->id = journal__column_text(query, 1);
    row->key = journal__column_text(query, 2);
    row->type = journal__column_text(query, 3);
    row->resource_id = journal__column_text(query, 4);
    row->source = journal__column_text(query, 5);
    row->note = journal__column_text(query, 6);
    row->created_ms = journal__column_int(query, 7);
    row->received_ms = journal__column_int(query, 8);
    row->fate = fate_of(journal__column_peek(query, 9));
    row->jobs = journal__column_text(query, 10);
    row->times = journal__column_int(query, 11);
    row->attempt = (int)journal__column_int(query, 12);
    return row->id != NULL && !query->no_memory;
}

static bool read_body(struct query *query, int column, struct lf_event_row *row)
{
    const void *body = sqlite3_column_blob(query->stmt, column);
    row->body_len = (size_t)sqlite3_column_bytes(query->stmt, column);
    row->body = malloc(row->body_len + 1);
    if (!row->body)
        return false;
    if (row->body_len)
        memcpy(row->body, body, row->body_len);
    row->body[row->body_len] = '\0';
    return true;
}

enum lf_status lf_journal_event_get(struct lf_journal *journal, const char *id, struct lf_event_row *row,
                                    struct lf_error *err)
{
    memset(row, 0, sizeof *row);
    struct query query;
    enum lf_status status = journal__query_start(journal, &query, err,
                                                 "SELECT " EVENT_COLUMNS ", body FROM event WHERE id = ?1",
                                                 "t", id);
    if (status != LF_OK)
        return status;
    bool found = journal__query_row(&query);
    bool good = !found || (read_event(&query, row) && read_body(&query, 13, row));
    status = journal__query_end(&query, err);
    if (status == LF_OK && !good)
        status = lf_fail_memory(err, "reading an event");
    if (status == LF_OK && !found)
        status = lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "no event with the id %s is in the journal", id);
    if (status != LF_OK)
        lf_event_row_free(row);
    return status;
}

enum lf_status lf_journal_event_list(struct lf_journal *journal, const char *fate_filter, int limit,
                                     void (*each)(void *context, const struct lf_event_row *row),
                                     void *context, struct lf_error *err)
{
    struct query query;
    enum lf_status status = journal__query_start(journal, &query, err,
                                                 "SELECT " EVENT_COLUMNS
                                                 " FROM event WHERE ?1 IS NULL OR fate = ?1 "
                                                 "ORDER BY seq DESC LIMIT ?2",
                                                 "ti", fate_filter, (int64_t)limit);
    if (status != LF_OK)
        return status;
    while (journal__query_row(&query)) {
        struct lf_event_row row;
        if (read_event(&query, &row))
            each(context, &row);
        lf_event_row_free(&row);
    }
    return journal__query_end(&query, err);
}

int64_t lf_journal_event_newest(struct lf_journal *journal)
{
    struct query query;
    if (journal__query_start(journal, &query, NULL,
                             "SELECT max(min(created_ms, received_ms)) FROM event WHERE fate <> 'bad'", "")
        != LF_OK)
        return 0;
    int64_t newest = journal__query_row(&query) ? journal__column_int(&query, 0) : 0;
    journal__query_end(&query, NULL);
    return newest;
}

cJSON *lf_journal_event_counts(struct lf_journal *journal)
{
    struct query query;
    bool started = journal__query_start(journal, &query, NULL,
                                        "SELECT fate, count(*) FROM event GROUP BY fate", "")
                   == LF_OK;
    return started ? journal__query_counts(&query) : NULL;
}

static enum lf_status next_reread(struct lf_journal *journal, int64_t *next, struct lf_error *err)
{
    struct query query;
    enum lf_status status = journal__query_start(journal, &query, err,
                                                 "SELECT min(due_mono) FROM event WHERE fate = 'reread'", "");
    if (status != LF_OK)
        return status;
    if (journal__query_row(&query) && journal__column_peek(&query, 0))
        *next = journal__column_int(&query, 0);
    return journal__query_end(&query, err);
}

enum lf_status lf_journal_event_claim_reread(struct lf_journal *journal, int64_t again_mono,
                                             struct lf_event_row *row, int64_t *next_mono,
                                             struct lf_error *err)
{
    memset(row, 0, sizeof *row);
    *next_mono = LF_NEVER;
    struct query query;
    enum lf_status status = journal__query_start(
        journal, &query, err,
        "UPDATE event SET attempt = attempt + 1, due_mono = ?1 WHERE seq = (SELECT seq FROM "
        "event WHERE fate = 'reread' "
        "AND due_mono <= ?2 ORDER BY due_mono, seq LIMIT 1) RETURNING " EVENT_COLUMNS ", body",
        "ii", again_mono, lf_clock_mono_ms());
    if (status != LF_OK)
        return status;
    bool found = journal__query_row(&query);
    bool good = !found || (read_event(&query, row) && read_body(&query, 13, row));
    if (found)
        journal__query_row(&query);
    status = journal__query_end(&query, err);
    if (status == LF_OK && !good)
        status = lf_fail_memory(err, "reading an event");
    if (status == LF_OK && !found) {
        status = next_reread(journal, next_mono, err);
        if (status == LF_OK)
            status = lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "no event waits to be read again");
    }
    if (status != LF_OK)
        lf_event_row_free(row);
    return status;
}

enum lf_status lf_journal_event_put_off(struct lf_journal *journal, const char *id, int64_t until_mono,
                                        struct lf_error *err)
{
    return journal__query_do(journal, err, "UPDATE event SET due_mono = ?2 WHERE id = ?1 AND fate = 'reread'",
                             "ti", id, until_mono);
}

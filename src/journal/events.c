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

/* Or counts one more of a known one: row->times. *other: its id is that of another event. */
static enum lf_status insert_event(struct lf_journal *journal, struct lf_event_row *row, bool *other,
                                   struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "INSERT INTO event (id, key, type, resource_id, source, note, "
                                        "created_ms, received_ms, fate, body, digest) VALUES (?1, ?2, ?3, "
                                        "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO UPDATE SET "
                                        "times = times + (coalesce(digest, ?11, '') = coalesce(?11, digest, "
                                        "'')) RETURNING seq, times, coalesce(digest, ?11, '') <> "
                                        "coalesce(?11, digest, '')",
                                        "ttttttiitbt", row->id, row->key, row->type, row->resource_id,
                                        row->source, row->note, row->created_ms, row->received_ms,
                                        fate_names[row->fate], row->body, row->body_len, row->digest);
    *other = false;
    if (journal__query_row(&query)) {
        row->seq = journal__column_int(&query, 0);
        row->times = journal__column_int(&query, 1);
        *other = journal__column_int(&query, 2);
    }
    return journal__query_end(&query, err);
}

/* What made no job is kept and counted in its table alone: it is bounded there, and the trail is not. So the
 * first job of an event brings the entry about its arrival. */
static enum lf_status audit_arrival(struct lf_journal *journal, const char *id, struct lf_error *err)
{
    char text[LF_ERROR_TEXT + 200] = "";
    struct query query = journal__query(journal,
                                        "SELECT source, type FROM event WHERE id = ?1 AND NOT EXISTS "
                                        "(SELECT 1 FROM event_job WHERE event_job.event = event.seq)",
                                        "t", id);
    if (journal__query_row(&query)) {
        const char *source = journal__column_peek(&query, 0), *type = journal__column_peek(&query, 1);
        snprintf(text, sizeof text, "received by %.40s: %.120s", source ? source : "?", type ? type : "?");
    }
    enum lf_status status = journal__query_end(&query, err);
    return status == LF_OK && *text ? lf_journal_audit_add(journal, "agent", "event", id, text, err) : status;
}

enum lf_status lf_journal_event_add(struct lf_journal *journal, struct lf_event_row *row,
                                    struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    bool other = false;
    status = insert_event(journal, row, &other, err);
    bool known = row->times > 1 || other;
    if (status == LF_OK && !known) {
        journal->tally.unused += journal__bounds_cost(row->fate, (int64_t)row->body_len);
        status = journal__bounds_unused(journal, row->seq, err);
    }
    status = lf_journal_end(journal, status, err);
    if (status == LF_OK && other)
        return lf_fail(err, LF_MISMATCH, LF_CLASS_NONE, "another event has the id %s", row->id);
    if (status == LF_OK && known)
        return lf_fail(err, LF_EXISTS, LF_CLASS_NONE, "event %s is known", row->id);
    return status;
}

static enum lf_status cost_now(struct lf_journal *journal, const char *id, int64_t *len, int64_t *cost,
                               struct lf_error *err)
{
    struct query query = journal__query(journal, "SELECT fate, length(body) FROM event WHERE id = ?1", "t",
                                        id);
    *len = *cost = 0;
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
    if (status == LF_OK && note && journal__bounds_cost(fate, len) == 0) /* its jobs have their own entries */
        status = lf_journal_audit_add(journal, "agent", "event", id, text, err);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_event_job(struct lf_journal *journal, const char *id, enum lf_fate fate,
                                    int64_t job, struct lf_error *err)
{
    char text[300];
    snprintf(text, sizeof text, "event %.200s: %s", id, fate_names[fate]);
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    if (fate != LF_FATE_TWIN)
        status = audit_arrival(journal, id, err);
    if (status == LF_OK)
        status = journal__query_do(journal, err,
                                   "INSERT OR IGNORE INTO event_job SELECT seq, ?2 FROM event WHERE id = ?1",
                                   "ti", id, job);
    if (status == LF_OK && fate != LF_FATE_TWIN)
        status = journal__audit_job(journal, job, "agent", "event", text, err);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_event_happening(struct lf_journal *journal, const struct lf_event_row *event,
                                          int64_t window_ms, char **key, struct lf_error *err)
{
    /* The border '@' follows the key: nothing else that begins like it can stand between these two. */
    struct query own =
        journal__query(journal,
                       "SELECT key FROM event WHERE (id = ?1 OR (id > ?1 || '~' AND id < ?1 || "
                       "char(127))) AND key > ?2 || '@' AND key < ?2 || 'A' LIMIT 1",
                       "tt", event->id, event->key);
    *key = journal__query_row(&own) ? journal__column_text(&own, 0) : NULL;
    enum lf_status status = journal__query_end(&own, err);
    if (status != LF_OK || *key || event->created_ms <= 0)
        return status;
    struct query twin = journal__query(
        journal,
        "SELECT key FROM event AS it WHERE key > ?1 || '@' AND key < ?1 || 'A' AND type <> ?2 AND created_ms > 0 "
        "AND abs(created_ms - ?3) < ?4 AND NOT EXISTS (SELECT 1 FROM event AS mine WHERE mine.key = it.key AND "
        "mine.type = ?2) ORDER BY abs(created_ms - ?3), seq LIMIT 1",
        "ttii", event->key, event->type, event->created_ms, window_ms);
    *key = journal__query_row(&twin) ? journal__column_text(&twin, 0) : NULL;
    return journal__query_end(&twin, err);
}

enum lf_status lf_journal_event_key(struct lf_journal *journal, const char *id, const char *key,
                                    struct lf_error *err)
{
    return journal__query_do(journal, err, "UPDATE event SET key = ?2 WHERE id = ?1", "tt", id, key);
}

/* The key is set free, since the job stands for nothing. */
enum lf_status lf_journal_job_disown(struct lf_journal *journal, int64_t job, struct lf_error *err)
{
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = journal__query_do(journal, err, "UPDATE job SET key = key || '|disowned|' || id WHERE id = ?1",
                               "i", job);
    if (status == LF_OK)
        status =
            journal__query_do(journal, err,
                              "UPDATE event SET fate = 'reread', due_mono = 0 WHERE seq IN (SELECT event "
                              "FROM event_job WHERE job = ?1)",
                              "i", job);
    return lf_journal_end(journal, status, err);
}

#define EVENT_COLUMNS                                                                                        \
    "seq, id, key, type, resource_id, source, note, created_ms, received_ms, fate, "                         \
    "(SELECT json_group_array(job) FROM event_job WHERE event_job.event = event.seq), times, attempt"

/* Everything but the body. */
static struct lf_event_row read_event(struct query *query)
{
    return (struct lf_event_row){
        .seq = journal__column_int(query, 0),
        .id = journal__column_text(query, 1),
        .key = journal__column_text(query, 2),
        .type = journal__column_text(query, 3),
        .resource_id = journal__column_text(query, 4),
        .source = journal__column_text(query, 5),
        .note = journal__column_text(query, 6),
        .created_ms = journal__column_int(query, 7),
        .received_ms = journal__column_int(query, 8),
        .fate = fate_of(journal__column_peek(query, 9)),
        .jobs = journal__column_text(query, 10),
        .times = journal__column_int(query, 11),
        .attempt = (int)journal__column_int(query, 12),
    };
}

/* Reads the row of a query for EVENT_COLUMNS and body, and ends it. LF_NOT_FOUND without filling err. */
static enum lf_status read_one(struct query query, struct lf_event_row *row, struct lf_error *err)
{
    memset(row, 0, sizeof *row);
    bool found = journal__query_row(&query);
    if (found) {
        *row = read_event(&query);
        struct lf_slice body = journal__column_bytes(&query, 13);
        row->body = (char *)body.data;
        row->body_len = body.len;
    }
    enum lf_status status = journal__query_end(&query, err);
    if (status != LF_OK)
        lf_event_row_free(row);
    return status == LF_OK && !found ? LF_NOT_FOUND : status;
}

enum lf_status lf_journal_event_get(struct lf_journal *journal, const char *id, struct lf_event_row *row,
                                    struct lf_error *err)
{
    enum lf_status status = read_one(journal__query(journal,
                                                    "SELECT " EVENT_COLUMNS ", body FROM event WHERE id = ?1",
                                                    "t", id),
                                     row, err);
    if (status == LF_NOT_FOUND)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "the journal has no event %s", id);
    return status;
}

enum lf_status lf_journal_event_list(struct lf_journal *journal, const char *fate_filter, int limit,
                                     void (*each)(void *context, const struct lf_event_row *row),
                                     void *context, struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "SELECT " EVENT_COLUMNS " FROM event WHERE ?1 IS NULL OR fate = ?1 "
                                        "ORDER BY seq DESC LIMIT ?2",
                                        "ti", fate_filter, (int64_t)limit);
    while (journal__query_row(&query)) {
        struct lf_event_row row = read_event(&query);
        if (!query.no_memory)
            each(context, &row);
        lf_event_row_free(&row);
    }
    return journal__query_end(&query, err);
}

cJSON *lf_journal_event_counts(struct lf_journal *journal)
{
    struct query query = journal__query(journal, "SELECT fate, count(*) FROM event GROUP BY fate", "");
    return journal__query_counts(&query);
}

enum lf_status lf_journal_event_claim_reread(struct lf_journal *journal, int64_t again_mono,
                                             struct lf_event_row *row, int64_t *next_mono,
                                             struct lf_error *err)
{
    *next_mono = LF_NEVER;
    enum lf_status status = read_one(
        journal__query(journal,
                       "UPDATE event SET attempt = attempt + 1, due_mono = ?1 WHERE seq = (SELECT seq FROM "
                       "event WHERE fate = 'reread' AND due_mono <= ?2 ORDER BY due_mono, seq LIMIT 1) "
                       "RETURNING " EVENT_COLUMNS ", body",
                       "ii", again_mono, lf_clock_mono_ms()),
        row, err);
    if (status != LF_NOT_FOUND)
        return status;
    status = journal__query_int(journal, next_mono, err,
                                "SELECT min(due_mono) FROM event WHERE fate = 'reread'", "");
    return status == LF_OK ? lf_fail(err, LF_NOT_FOUND, LF_CLASS_NONE, "no event waits to be re-read")
                           : status;
}

enum lf_status lf_journal_event_put_off(struct lf_journal *journal, const char *id, int64_t until_mono,
                                        struct lf_error *err)
{
    return journal__query_do(journal, err, "UPDATE event SET due_mono = ?2 WHERE id = ?1 AND fate = 'reread'",
                             "ti", id, until_mono);
}

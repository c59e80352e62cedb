/* The audit trail in the database.
 *
 * `audit` has the entries; the small value "audit.head" is "SEQ:HASH" of the newest. Both are written
 * together, so if they disagree another program has written. New entries then continue from the kept head
 * (with a number above both): verifying keeps showing the break, and journal__audit_recover adds an entry
 * about it.
 */
#include "journal/audit_chain.h"
#include "journal/db.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERIFY_BATCH = 500 }; /* rows read before other threads get the journal */

/* ---- writing ---- */

/* What the next entry follows. */
struct tail {
    struct lf_audit_head kept, last; /* last: of the table */
    bool has_kept;
};

static enum lf_status read_tail(struct lf_journal *journal, struct tail *tail, struct lf_error *err)
{
    *tail = (struct tail){.kept.hash = AUDIT_GENESIS, .last.hash = AUDIT_GENESIS};
    struct query query =
        journal__query(journal,
                       "SELECT (SELECT value FROM small WHERE name = 'audit.head'), seq, hash "
                       "FROM (SELECT 1) LEFT JOIN (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1)",
                       "");
    if (journal__query_row(&query)) {
        const char *kept = journal__column_peek(&query, 0), *hash = journal__column_peek(&query, 2);
        tail->has_kept = kept && lf_audit_head_parse(kept, &tail->kept);
        tail->last.seq = journal__column_int(&query, 1);
        if (hash)
            snprintf(tail->last.hash, sizeof tail->last.hash, "%s", hash);
    }
    return journal__query_end(&query, err);
}

static bool agrees(const struct tail *tail)
{
    return tail->has_kept ? tail->kept.seq == tail->last.seq && !strcmp(tail->kept.hash, tail->last.hash)
                          : tail->last.seq == 0;
}

static enum lf_status append(struct lf_journal *journal, struct lf_audit_entry entry, int64_t at_ms,
                             struct lf_error *err)
{
    struct tail tail;
    struct lf_audit_head head;
    char text[LF_AUDIT_HEAD];
    enum lf_status status = read_tail(journal, &tail, err);
    if (status != LF_OK)
        return status;
    int64_t newest = tail.kept.seq > tail.last.seq ? tail.kept.seq : tail.last.seq;
    if (newest == INT64_MAX) /* only another program can have written it */
        return lf_fail(err, LF_CORRUPT, LF_NEEDS_PERSON,
                       "the audit trail was changed by another program: it has an entry %" PRId64
                       ", which must be the last possible one. "
                       "`labferry journal-export` reads the journal; restore it from a copy",
                       newest);
    entry.seq = head.seq = newest + 1;
    entry.prev = tail.has_kept ? tail.kept.hash : tail.last.hash;
    status = journal__audit_hash(&entry, head.hash, err);
    if (status == LF_OK)
        status = journal__query_do(journal, err,
                                   "INSERT INTO audit (seq, at_ms, who, what, about, text, prev, hash) "
                                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                   "iitttttt", entry.seq, at_ms, entry.who, entry.what, entry.about,
                                   entry.text, entry.prev, head.hash);
    journal->audited = entry.seq;
    if (status != LF_OK)
        return status;
    lf_audit_head_text(&head, text);
    return lf_journal_set(journal, "audit.head", text, err);
}

/* A copy of at most max bytes that ends with a complete character. Returns owned. */
static char *bounded(const char *text, size_t max)
{
    char *copy = lf_format("%.*s", (int)max, text ? text : "");
    if (copy)
        lf_utf8_repair(copy);
    return copy;
}

const char *lf_audit_kind_at(int index)
{
    static const char *const kinds[] = {"agent",   "clock",        "config", "event",     "job",     "acting",
                                        "held",    "done",         "failed", "cancelled", "expired", "file",
                                        "command", "acknowledged", "pruned", "audit",     NULL};
    return kinds[index];
}

enum lf_status lf_journal_audit_add(struct lf_journal *journal, const char *who, const char *what,
                                    const char *about, const char *text, struct lf_error *err)
{
    int64_t now = lf_clock_best_ms();
    int kind = 0;
    while (lf_audit_kind_at(kind) && strcmp(lf_audit_kind_at(kind), what) != 0)
        kind++;
    assert(lf_audit_kind_at(kind)); /* or `audit --what` would refuse the kind of this entry */
    char at[LF_TIME_TEXT];
    char *by = bounded(who, LF_AUDIT_NAME_MAX), *of = bounded(about, LF_AUDIT_NAME_MAX),
         *said = bounded(text, LF_AUDIT_TEXT_MAX);
    enum lf_status status = by && of && said ? lf_journal_begin(journal, err)
                                             : lf_fail_memory(err, "the audit trail");
    if (status == LF_OK) {
        lf_time_format(now, at);
        struct lf_audit_entry entry = {.at = at, .who = by, .what = what, .about = of, .text = said};
        status = lf_journal_end(journal, append(journal, entry, now, err), err);
    }
    free(by);
    free(of);
    free(said);
    return status;
}

enum lf_status journal__audit_job(struct lf_journal *journal, int64_t job, const char *who, const char *what,
                                  const char *text, struct lf_error *err)
{
    char about[32];
    snprintf(about, sizeof about, "job %" PRId64, job);
    return lf_journal_audit_add(journal, who, what, about, text, err);
}

enum lf_status journal__audit_recover(struct lf_journal *journal, struct lf_error *err)
{
    struct tail tail;
    char text[300];
    enum lf_status status = read_tail(journal, &tail, err);
    if (status != LF_OK || agrees(&tail))
        return status;
    if (tail.has_kept)
        snprintf(text, sizeof text,
                 "the journal was changed by another program: its last entry is %" PRId64
                 " (%.12s), but the agent wrote %" PRId64 " (%.12s) last",
                 tail.last.seq, tail.last.hash, tail.kept.seq, tail.kept.hash);
    else
        snprintf(text, sizeof text,
                 "the journal was changed by another program: the stored head of the audit trail is missing");
    lf_log_error("journal", "%s. See `labferry audit-verify`", text);
    return lf_journal_audit_add(journal, "agent", "audit", NULL, text, err);
}

/* ---- reading ---- */

#define AUDIT_COLUMNS "seq, at_ms, who, what, about, text, prev, hash"

static const char *text_at(struct query *query, int column)
{
    const char *text = journal__column_peek(query, column);
    return text ? text : "";
}

/* Is all that is stored in what read_entry makes of it? */
static bool is_plain(struct query *query)
{
    bool plain = true;
    for (int i = 0; plain && i < 8; i++) {
        plain = sqlite3_column_type(query->stmt, i) == (i < 2 ? SQLITE_INTEGER : SQLITE_TEXT);
        if (plain && i >= 2)
            plain = strlen(text_at(query, i)) == (size_t)sqlite3_column_bytes(query->stmt, i);
    }
    return plain;
}

/* Borrowed until the next row. */
static struct lf_audit_entry read_entry(struct query *query, char at[LF_TIME_TEXT])
{
    lf_time_format(journal__column_int(query, 1), at);
    return (struct lf_audit_entry){.seq = journal__column_int(query, 0),
                                   .at = at,
                                   .who = text_at(query, 2),
                                   .what = text_at(query, 3),
                                   .about = text_at(query, 4),
                                   .text = text_at(query, 5),
                                   .prev = text_at(query, 6),
                                   .hash = text_at(query, 7)};
}

#define AUDIT_FILTER "at_ms >= ?2 AND (?3 IS NULL OR what = ?3)"
#define AUDIT_LAST(where)                                                                                    \
    "SELECT * FROM (SELECT " AUDIT_COLUMNS " FROM audit WHERE " where " AND " AUDIT_FILTER                   \
    " ORDER BY seq DESC LIMIT ?4) ORDER BY seq"

enum lf_status lf_journal_audit_list(struct lf_journal *journal, const struct lf_audit_filter *filter,
                                     void (*each)(void *context, const struct lf_audit_entry *entry),
                                     void *context, struct lf_error *err)
{
    char at[LF_TIME_TEXT];
    int64_t since = filter->since_ms ? filter->since_ms : INT64_MIN, limit = filter->limit;
    struct query query = filter->about /* "about <> ''" is the condition of its index */
                             ? journal__query(journal, AUDIT_LAST("about = ?1 AND about <> ''"), "titi",
                                              filter->about, since, filter->what, limit)
                             : filter->from ? journal__query(journal,
                                                             "SELECT " AUDIT_COLUMNS
                                                             " FROM audit WHERE seq >= ?1 AND " AUDIT_FILTER
                                                             " ORDER BY seq LIMIT ?4",
                                                             "iiti", filter->from, since, filter->what, limit)
                                            : journal__query(journal, AUDIT_LAST("seq >= ?1"), "iiti",
                                                             filter->from, since, filter->what, limit);
    while (journal__query_row(&query)) {
        struct lf_audit_entry entry = read_entry(&query, at);
        each(context, &entry);
    }
    return journal__query_end(&query, err);
}

enum lf_status lf_journal_audit_head(struct lf_journal *journal, struct lf_audit_head *head,
                                     struct lf_error *err)
{
    struct tail tail;
    enum lf_status status = read_tail(journal, &tail, err);
    *head = status == LF_OK ? tail.kept : (struct lf_audit_head){0};
    return status;
}

enum lf_status lf_journal_audit_has(struct lf_journal *journal, const struct lf_audit_head *head, bool *has,
                                    struct lf_error *err)
{
    struct query query = journal__query(
        journal, "SELECT (SELECT hash FROM audit WHERE seq = ?1), min(seq) > ?1 FROM audit", "i", head->seq);
    *has = false;
    if (journal__query_row(&query)) {
        const char *hash = journal__column_peek(&query, 0);
        *has = hash ? !strcmp(hash, head->hash) : journal__column_int(&query, 1) != 0;
    }
    return journal__query_end(&query, err);
}

int64_t lf_journal_audit_opened(const struct lf_journal *journal)
{
    return journal->opened;
}

int64_t lf_journal_audit_acted(struct lf_journal *journal)
{
    lf_mutex_lock(&journal->mutex);
    int64_t acted = journal->acted;
    lf_mutex_unlock(&journal->mutex);
    return acted;
}

/* ---- verifying ---- */

static enum lf_status head_is_gone(struct audit_check *check, struct lf_error *err)
{
    check->verdict->wrong = check->verdict->head.seq;
    return lf_fail(err, LF_CORRUPT, LF_NEEDS_PERSON,
                   "the audit trail is broken: the agent's copy of its head is missing, so entry %" PRId64
                   " cannot be confirmed as the last",
                   check->verdict->head.seq);
}

/* Continues the check; *more: there may be more entries. At the end of the table the kept head decides, read
 * before anyone else can write. */
static enum lf_status verify_batch(struct lf_journal *journal, struct audit_check *check, bool *more,
                                   struct lf_error *err)
{
    struct tail tail;
    struct lf_error ignored;
    char at[LF_TIME_TEXT];
    int rows = 0;
    lf_mutex_lock(&journal->mutex);
    struct query query = journal__query(journal,
                                        "SELECT " AUDIT_COLUMNS
                                        " FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
                                        "ii",
                                        check->verdict->count ? check->verdict->head.seq + 1 : INT64_MIN,
                                        (int64_t)VERIFY_BATCH);
    enum lf_status fits = LF_OK;
    while (fits == LF_OK && journal__query_row(&query)) {
        bool plain = is_plain(&query);
        struct lf_audit_entry entry = read_entry(&query, at);
        fits = plain ? journal__audit_check_entry(check, &entry, err)
                     : journal__audit_more(check, entry.seq, err);
        rows++;
    }
    enum lf_status status = journal__query_end(&query, fits == LF_OK ? err : &ignored);
    if (fits != LF_OK)
        status = fits;
    *more = rows == VERIFY_BATCH;
    if (status == LF_OK && !*more) {
        status = read_tail(journal, &tail, err);
        if (status == LF_OK)
            status = journal__audit_check_end(check,
                                              tail.has_kept || !check->verdict->count ? &tail.kept : NULL,
                                              err);
        if (status == LF_OK && !tail.has_kept && check->verdict->count)
            status = head_is_gone(check, err);
    }
    lf_mutex_unlock(&journal->mutex);
    return status;
}

enum lf_status lf_journal_audit_verify(struct lf_journal *journal, const struct lf_audit_head *noted,
                                       int64_t keep_ms, struct lf_audit_verdict *verdict,
                                       struct lf_error *err)
{
    struct audit_check check = {.noted = noted, .verdict = verdict, .keep_ms = keep_ms};
    enum lf_status status = LF_OK;
    memset(verdict, 0, sizeof *verdict);
    for (bool more = true; status == LF_OK && more;)
        status = verify_batch(journal, &check, &more, err);
    return status;
}

/* ---- pruning ---- */

/* What is to be removed: everything before the newest of the old entries, up to the first that is young
 * enough. first > last: nothing. */
struct cut {
    int64_t first, last, from_ms, to_ms;
    char hash[LF_SHA256_HEX];
};

static enum lf_status find_cut(struct lf_journal *journal, int64_t before_ms, struct cut *cut,
                               struct lf_error *err)
{
    struct query query = journal__query(journal, "SELECT seq, at_ms, hash FROM audit ORDER BY seq LIMIT ?1",
                                        "i", (int64_t)LF_AUDIT_PRUNE_MAX);
    struct cut old = {.first = 1};
    *cut = old;
    while (journal__query_row(&query) && journal__column_int(&query, 1) < before_ms) {
        const char *hash = journal__column_peek(&query, 2);
        *cut = old; /* without this one */
        if (!old.last) {
            old.first = journal__column_int(&query, 0);
            old.from_ms = journal__column_int(&query, 1);
        }
        old.last = journal__column_int(&query, 0);
        old.to_ms = journal__column_int(&query, 1);
        snprintf(old.hash, sizeof old.hash, "%s", hash ? hash : "");
    }
    return journal__query_end(&query, err);
}

static enum lf_status remove_cut(struct lf_journal *journal, const struct cut *cut, int64_t *dropped,
                                 struct lf_error *err)
{
    char about[24], text[300], from[LF_TIME_TEXT], to[LF_TIME_TEXT];
    lf_time_format(cut->from_ms, from);
    lf_time_format(cut->to_ms, to);
    snprintf(about, sizeof about, "%" PRId64, cut->last);
    snprintf(text, sizeof text,
             "entries %" PRId64 " to %" PRId64
             ", of %s to %s, were older than agent.audit_keep and were removed; the last had the digest %s",
             cut->first, cut->last, from, to, cut->hash);
    enum lf_status status = lf_journal_audit_add(journal, "agent", "pruned", about, text, err);
    if (status == LF_OK) /* the trigger allows what an entry "pruned" names */
        status = journal__query_do(journal, err, "DELETE FROM audit WHERE seq <= ?1", "i", cut->last);
    if (status == LF_OK)
        *dropped = sqlite3_changes64(journal->db);
    return status;
}

enum lf_status lf_journal_audit_prune(struct lf_journal *journal, int64_t keep_ms, int64_t *dropped,
                                      struct lf_error *err)
{
    struct cut cut;
    *dropped = 0;
    int64_t now = journal__age_now(journal);
    if (keep_ms == 0 || now == 0)
        return LF_OK;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = find_cut(journal, now - keep_ms, &cut, err);
    if (status == LF_OK && cut.first <= cut.last)
        status = remove_cut(journal, &cut, dropped, err);
    return lf_journal_end(journal, status, err);
}

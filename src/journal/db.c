/* Opening, transactions and statements.
 *
 * State: one connection, used by one thread at a time (the recursive mutex). depth > 0 means that the thread
 * which holds the mutex has a transaction open; every statement outside of one commits by itself. A rolled
 * back inner part poisons the outer.
 */
#include "journal/db.h"

#include "os/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The system's error number for the file (the WAL or the database) where SQLite only says "disk I/O error".
 * 0: none. */
static int system_error(struct lf_journal *journal, int code)
{
    sqlite3_file *wal = NULL;
    int number = 0;
    if (!journal->db || ((code & 0xFF) != SQLITE_IOERR && (code & 0xFF) != SQLITE_CANTOPEN))
        return 0;
    if (sqlite3_file_control(journal->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal
        && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &number);
    if (!number)
        sqlite3_file_control(journal->db, NULL, SQLITE_FCNTL_LAST_ERRNO, &number);
    return number ? number : sqlite3_system_errno(journal->db);
}

enum lf_status journal__sqlite_fail(struct lf_journal *journal, int code, const char *doing,
                                    struct lf_error *err)
{
    char why[256];
    int system = system_error(journal, code);
    snprintf(why, sizeof why, "%s%s%s%s", journal->db ? sqlite3_errmsg(journal->db) : sqlite3_errstr(code),
             system ? " (" : "", system ? strerror(system) : "", system ? ")" : "");
    journal__health_note(journal, code);
    if (journal->damaged)
        return journal__health_damaged(journal, doing, why, err);
    switch (code & 0xFF) {
    case SQLITE_CONSTRAINT: return lf_fail(err, LF_EXISTS, LF_PERMANENT, "journal: %s: %s", doing, why);
    case SQLITE_FULL:
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "journal: %s: no room on the disk. Free some space",
                       doing);
    case SQLITE_NOMEM: return lf_fail_memory(err, "journal");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON, "journal: %s: %s. Check the folder's owner and mode",
                       doing, why);
    default: return lf_fail(err, LF_IO, LF_TRANSIENT, "journal: %s: %s", doing, why);
    }
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(struct lf_journal *journal, struct query *query, const char *sql)
{
    struct statement *slot = journal->cache, *end = slot + STATEMENT_CACHE;
    while (slot < end && slot->sql && slot->sql != sql)
        slot++;
    if (slot == end || slot->busy)
        slot = NULL;
    if (slot && slot->sql) {
        slot->busy = true;
        query->cached = slot;
        return slot->stmt;
    }
    sqlite3_stmt *stmt = NULL;
    query->code = sqlite3_prepare_v3(journal->db, sql, -1, slot ? SQLITE_PREPARE_PERSISTENT : 0, &stmt, NULL);
    if (query->code == SQLITE_OK && slot) {
        *slot = (struct statement){sql, stmt, true};
        query->cached = slot;
    }
    return stmt;
}

static void roll_back(struct lf_journal *journal)
{
    if (!sqlite3_get_autocommit(
            journal->db)) /* SQLite may have rolled back on its own, when the disk was full */
        sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
    journal->tally = journal->tally_before;
    journal->acts = false;
}

static int bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
    int code = SQLITE_OK;
    for (int i = 1; code == SQLITE_OK && types[i - 1]; i++) {
        switch (types[i - 1]) {
        case 'i': code = sqlite3_bind_int64(stmt, i, va_arg(args, int64_t)); break;
        case 't': code = sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_STATIC); break;
        default: { /* 'b' */
            const void *data = va_arg(args, const void *);
            size_t len = va_arg(args, size_t);
            code = sqlite3_bind_blob64(stmt, i, data, len, SQLITE_STATIC);
            break;
        }
        }
    }
    return code;
}

struct query journal__query(struct lf_journal *journal, const char *sql, const char *types, ...)
{
    va_list args;
    lf_mutex_lock(&journal->mutex);
    struct query query = {.journal = journal, .code = SQLITE_OK};
    if (journal->depth == 0 && !sqlite3_get_autocommit(journal->db)) /* the last rollback failed */
        roll_back(journal);
    query.stmt = prepare(journal, &query, sql);
    va_start(args, types);
    if (query.stmt)
        query.code = bind(query.stmt, types, args);
    va_end(args);
    return query;
}

bool journal__query_row(struct query *query)
{
    if (query->code == SQLITE_OK || query->code == SQLITE_ROW)
        query->code = sqlite3_step(query->stmt);
    return query->code == SQLITE_ROW;
}

enum lf_status journal__query_end(struct query *query, struct lf_error *err)
{
    struct lf_journal *journal = query->journal;
    while (query->code == SQLITE_ROW && !sqlite3_stmt_readonly(query->stmt)) /* the last step may commit */
        journal__query_row(query);
    bool failed = query->code != SQLITE_OK && query->code != SQLITE_ROW && query->code != SQLITE_DONE;
    enum lf_status status = failed ? journal__sqlite_fail(journal, query->code, "a statement failed", err)
                            : query->no_memory ? lf_fail_memory(err, "reading the journal")
                                               : LF_OK;
    if (query->cached) {
        sqlite3_reset(query->stmt);
        sqlite3_clear_bindings(query->stmt);
        query->cached->busy = false;
    } else {
        sqlite3_finalize(query->stmt);
    }
    lf_mutex_unlock(&journal->mutex);
    return status;
}

enum lf_status journal__query_all(struct query query, struct lf_error *err)
{
    while (journal__query_row(&query))
        ;
    return journal__query_end(&query, err);
}

enum lf_status journal__query_number(struct query query, int64_t *number, struct lf_error *err)
{
    if (journal__query_row(&query) && sqlite3_column_type(query.stmt, 0) != SQLITE_NULL)
        *number = journal__column_int(&query, 0);
    return journal__query_end(&query, err);
}

int64_t journal__column_int(struct query *query, int column)
{
    return sqlite3_column_int64(query->stmt, column);
}

const char *journal__column_peek(struct query *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query->stmt, column);
    query->no_memory = query->no_memory || (!text && sqlite3_column_type(query->stmt, column) != SQLITE_NULL);
    return text;
}

cJSON *journal__query_counts(struct query *query)
{
    cJSON *counts = cJSON_CreateObject();
    bool good = true;
    while (journal__query_row(query)) {
        const char *name = journal__column_peek(query, 0);
        good = good && name && lf_json_set_int(counts, name, journal__column_int(query, 1));
    }
    enum lf_status status = journal__query_end(query, &(struct lf_error){0});
    return lf_json_made(counts, good && status == LF_OK);
}

char *journal__column_text(struct query *query, int column)
{
    const char *text = journal__column_peek(query, column);
    char *copy = text ? strdup(text) : NULL;
    query->no_memory = query->no_memory || (text && !copy);
    return copy;
}

struct lf_slice journal__column_bytes(struct query *query, int column)
{
    const void *data = sqlite3_column_blob(query->stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(query->stmt, column);
    char *copy = len && !data ? NULL : malloc(len + 1);
    query->no_memory = query->no_memory || !copy;
    if (!copy)
        return (struct lf_slice){0};
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return (struct lf_slice){copy, len};
}

/* ---- transactions ---- */

enum lf_status lf_journal_begin(struct lf_journal *journal, struct lf_error *err)
{
    lf_mutex_lock(&journal->mutex);
    if (journal->depth++ > 0)
        return LF_OK;
    if (!sqlite3_get_autocommit(journal->db)) /* the last rollback failed */
        roll_back(journal);
    journal->broken = LF_OK;
    journal->tally_before = journal->tally;
    enum lf_status status = journal__health_check(journal, err);
    if (status == LF_OK)
        status = journal__query_do(journal, err, "BEGIN IMMEDIATE", "");
    if (status != LF_OK) {
        journal->depth--;
        lf_mutex_unlock(&journal->mutex);
        return status;
    }
    journal__effects_begin(journal);
    return LF_OK;
}

static enum lf_status commit(struct lf_journal *journal, struct lf_error *err)
{
    if (journal->damaged)
        return journal__health_damaged(journal, "refused", "found while the agent ran", err);
    if (journal->broken == LF_NO_MEMORY)
        return lf_fail_memory(err, "journal: registering an effect");
    if (journal->broken || sqlite3_get_autocommit(journal->db))
        return lf_fail(err, LF_IO, LF_TRANSIENT,
                       "journal: part of the transaction failed; nothing was saved");
    enum lf_status status = journal__query_do(journal, err, "COMMIT", "");
    if (status == LF_OK) {
        journal->trouble = false;
        if (journal->acts)
            journal__health_acts(journal);
    }
    return status;
}

enum lf_status lf_journal_end(struct lf_journal *journal, enum lf_status status, struct lf_error *err)
{
    struct effect *effects = NULL;
    if (journal->depth > 1) {
        if (status != LF_OK)
            journal->broken = LF_IO;
    } else {
        if (status == LF_OK)
            status = commit(journal, err);
        if (status != LF_OK)
            roll_back(journal);
        effects = journal__effects_take(journal);
    }
    journal->depth--;
    lf_mutex_unlock(&journal->mutex);
    journal__effects_end(effects, status == LF_OK);
    return status;
}

void lf_journal_rollback(struct lf_journal *journal)
{
    lf_journal_end(journal, LF_CANCELLED, &(struct lf_error){0});
}

/* ---- opening ---- */

static enum lf_status in_use(const char *path, struct lf_error *err)
{
    return lf_fail(err, LF_BUSY, LF_NEEDS_PERSON,
                   "the journal %s is in use by another labferryd. Stop that one first", path);
}

static enum lf_status take_lock(struct lf_journal *journal, struct lf_error *err)
{
    char *lock = lf_format("%s.lock", journal->path);
    if (!lock)
        return lf_fail_memory(err, "opening the journal");
    enum lf_status status = lf_file_open(lock, LF_FILE_KEEP, LF_PRIVATE, &journal->lock, err);
    if (status != LF_OK)
        lf_error_prefix(err, "cannot create %s", lock);
    else if (lf_file_lock(&journal->lock, err) != LF_OK)
        status = in_use(journal->path, err);
    free(lock);
    return status;
}

/* If somebody removes the lock file of a running agent, a second agent could start and take over the jobs
 * that the first has under way. So the database is locked as well, where the system can do that. */
static enum lf_status lock_database(struct lf_journal *journal, struct lf_error *err)
{
    char *real = lf_path_real(journal->path); /* the database may lie behind a link */
    struct lf_error ignored;
    bool held = lf_file_open(real ? real : journal->path, LF_FILE_KEEP, LF_PRIVATE, &journal->file, &ignored)
                    == LF_OK
                && lf_file_lock(&journal->file, &ignored) == LF_BUSY;
    free(real);
    if (held)
        return in_use(journal->path, err);
    return LF_OK; /* SQLite reports whatever else is wrong with the file */
}

static enum lf_status check_integrity(struct lf_journal *journal, struct lf_error *err)
{
    struct query query = journal__query(journal, "PRAGMA quick_check(1)", "");
    char found[200] = "no answer";
    if (journal__query_row(&query))
        snprintf(found, sizeof found, "%s", journal__column_peek(&query, 0));
    enum lf_status status = journal__query_end(&query, err);
    if (status != LF_OK || !strcmp(found, "ok"))
        return status;
    return lf_fail(
        err, LF_CORRUPT, LF_NEEDS_PERSON,
        "the journal is damaged (%s). Keep the file. `labferry journal-check FILE` shows what is wrong, "
        "`labferry journal-export FILE` saves what is still readable. The agent never starts on an empty "
        "journal by itself",
        found);
}

static enum lf_status open_database(struct lf_journal *journal, struct lf_error *err)
{
    int code = sqlite3_open_v2(journal->path, &journal->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return journal__sqlite_fail(journal, code, "cannot open the database", err);
    sqlite3_extended_result_codes(journal->db, 1);
    sqlite3_busy_timeout(journal->db, 5000);
    static const char *const pragmas[] = {
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA trusted_schema=OFF",
        "PRAGMA journal_size_limit=16777216",
        "PRAGMA cell_size_check=ON",
    };
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < sizeof pragmas / sizeof *pragmas; i++)
        status = journal__query_do(journal, err, pragmas[i], "");
    return status;
}

struct lf_journal *journal__new(struct lf_error *err)
{
    struct lf_journal *journal = calloc(1, sizeof *journal);
    if (!journal) {
        lf_fail_memory(err, "opening the journal");
        return NULL;
    }
    lf_mutex_init_recursive(&journal->mutex);
    return journal;
}

enum lf_status lf_journal_open(const char *path, struct lf_journal **out, struct lf_error *err)
{
    struct lf_journal *journal = journal__new(err);
    if (!journal)
        return LF_NO_MEMORY;
    static enum lf_status (*const steps[])(struct lf_journal *, struct lf_error *) = {
        take_lock,
        journal__health_not_missing,
        lock_database,
        open_database,
        check_integrity,
        journal__schema_apply,
        journal__age_load,
        journal__health_compare,
        journal__concern_recover,
        journal__jobs_recover,
        journal__doubt_load,
        journal__audit_recover,
        journal__bounds_load,
        journal__health_begun,
    };
    journal->path = strdup(path);
    enum lf_status status = journal->path ? LF_OK : lf_fail_memory(err, "opening the journal");
    for (size_t i = 0; status == LF_OK && i < sizeof steps / sizeof *steps; i++)
        status = steps[i](journal, err);
    if (status != LF_OK) {
        lf_error_prefix(err, "%s", path);
        lf_journal_close(journal);
        return status;
    }
    *out = journal;
    return LF_OK;
}

void lf_journal_close(struct lf_journal *journal)
{
    if (!journal)
        return;
    for (size_t i = 0; i < STATEMENT_CACHE; i++)
        sqlite3_finalize(journal->cache[i].stmt);
    sqlite3_close(journal->db);
    lf_file_close(&journal->file);
    lf_file_close(&journal->lock);
    lf_mutex_destroy(&journal->mutex);
    free(journal->path);
    free(journal);
}

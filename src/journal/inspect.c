/* Reading journal files that may be damaged. */
#include "journal/inspect.h"

#include "journal/audit.h"
#include "journal/db.h"
#include "os/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 64, TABLE_NAME_MAX = 64, PROBLEMS_MAX = 50 };

/* ---- opening ---- */

static bool has_content(const char *path, const char *suffix)
{
    struct lf_file_info info;
    struct lf_error ignored;
    char *name = lf_format("%s%s", path, suffix);
    bool there = name && lf_path_look(name, &info, &ignored) == LF_OK && info.size > 0;
    free(name);
    return there;
}

/* SQLite reads no byte before the first statement. */
static enum lf_status open_with(const char *name, int flags, struct lf_journal **out, struct lf_error *err)
{
    struct lf_journal *journal = journal__new(err);
    if (!journal)
        return LF_NO_MEMORY;
    int code = sqlite3_open_v2(name, &journal->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | flags, NULL);
    enum lf_status status = code == SQLITE_OK
                                ? LF_OK
                                : journal__sqlite_fail(journal, code, "cannot open the file", err);
    if (status == LF_OK) {
        sqlite3_extended_result_codes(journal->db, 1);
        sqlite3_busy_timeout(journal->db, 5000);
        journal->depth = 1; /* ended only by closing */
        status = journal__query_do(journal, err, "BEGIN", "");
    }
    if (status == LF_OK)
        status = journal__query_do(journal, err, "SELECT count(*) FROM sqlite_master", "");
    if (status == LF_OK) {
        *out = journal;
        return LF_OK;
    }
    if (status == LF_CORRUPT)
        lf_fail(
            err, LF_CORRUPT, LF_NEEDS_PERSON,
            "not a journal, or too damaged to be read (%s). The journal is journal.db in agent.state_dir. If "
            "this is it, keep the file, and put back a copy",
            sqlite3_errmsg(journal->db));
    lf_journal_close(journal);
    return status;
}

/* SQLite cannot share a file in a folder that it may not write to; then it is read as one that does not
 * change. */
static enum lf_status open_unchanging(const char *path, struct lf_journal **journal, struct lf_error *err)
{
    struct lf_buffer uri = {0};
    if (has_content(path, "-wal"))
        return lf_fail(
            err, LF_DENIED, LF_NEEDS_PERSON,
            "%s-wal has changes that belong to it, but its folder is not writable: copy both into a folder "
            "that is",
            path);
    bool good = lf_buffer_text(&uri, "file:") == LF_OK;
    for (const char *c = path; good && *c; c++)
        good = (strchr("%?#", *c) ? lf_buffer_format(&uri, "%%%02X", (unsigned char)*c)
                                  : lf_buffer_append(&uri, c, 1))
               == LF_OK;
    good = good && lf_buffer_text(&uri, "?immutable=1") == LF_OK;
    enum lf_status status = good ? open_with(uri.data, SQLITE_OPEN_URI, journal, err)
                                 : lf_fail_memory(err, "opening the journal");
    lf_buffer_free(&uri);
    return status;
}

enum lf_status journal__open_to_read(const char *path, struct lf_journal **journal, struct lf_error *err)
{
    struct lf_file_info info;
    *journal = NULL;
    if (lf_path_look(path, &info, err) != LF_OK)
        return lf_error_prefix(err, "cannot open %s", path);
    if (info.kind != LF_KIND_FILE)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s is not a regular file", path);
    enum lf_status status = open_with(path, 0, journal, err);
    return status == LF_DENIED ? open_unchanging(path, journal, err) : status;
}

/* ---- tables ---- */

struct copied_table {
    char name[TABLE_NAME_MAX];
    bool rowids;
};

static enum lf_status list_tables(struct lf_journal *journal, struct copied_table *tables, size_t *count,
                                  struct lf_error *err)
{
    *count = 0;
    struct query query =
        journal__query(journal,
                       "SELECT name, sql NOT LIKE '%WITHOUT ROWID' FROM sqlite_master WHERE type = 'table' "
                       "AND name NOT LIKE 'sqlite%' ORDER BY name",
                       "");
    while (*count < TABLES_MAX && journal__query_row(&query)) {
        const char *name = journal__column_peek(&query, 0);
        if (!name || strlen(name) >= TABLE_NAME_MAX || strchr(name, '"'))
            continue;
        snprintf(tables[*count].name, TABLE_NAME_MAX, "%s", name);
        tables[(*count)++].rowids = journal__column_int(&query, 1) != 0;
    }
    return journal__query_end(&query, err);
}

/* A statement whose text is built for this run. Ends by sqlite3_finalize. */
__attribute__((format(printf, 2, 3))) static sqlite3_stmt *prepare(struct lf_journal *journal,
                                                                   const char *format, ...)
{
    sqlite3_stmt *stmt = NULL;
    char sql[300];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    return sqlite3_prepare_v2(journal->db, sql, -1, &stmt, NULL) == SQLITE_OK ? stmt : NULL;
}

/* ---- checking ---- */

__attribute__((format(printf, 2, 3))) static void add_problem(cJSON *problems, const char *format, ...)
{
    char text[LF_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lf_utf8_repair(text);
    if (cJSON_GetArraySize(problems) < PROBLEMS_MAX)
        cJSON_AddItemToArray(problems, cJSON_CreateString(text));
}

static void check_pages(struct lf_journal *journal, cJSON *problems)
{
    sqlite3_stmt *stmt = prepare(journal, "PRAGMA integrity_check(%d)", PROBLEMS_MAX);
    int code = SQLITE_ERROR;
    while (stmt && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text && strcmp(text, "ok") != 0)
            add_problem(problems, "%s", text);
    }
    if (code != SQLITE_DONE)
        add_problem(problems, "the check stopped early: %s", sqlite3_errmsg(journal->db));
    sqlite3_finalize(stmt);
}

/* Ends the statement; -1: it gives no number. */
static int64_t number_of(sqlite3_stmt *stmt)
{
    int64_t number = stmt && sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return number;
}

static bool check_rows(struct lf_journal *journal, cJSON *report, cJSON *problems)
{
    struct copied_table tables[TABLES_MAX];
    size_t count = 0;
    struct lf_error err = {0};
    cJSON *rows = cJSON_CreateObject();
    if (list_tables(journal, tables, &count, &err) != LF_OK)
        add_problem(problems, "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        int64_t number = number_of(prepare(journal, "SELECT count(*) FROM \"%s\"", tables[i].name));
        if (number < 0)
            add_problem(problems, "cannot count the rows of %s", tables[i].name);
        lf_json_set_int(rows, tables[i].name, number);
    }
    return lf_json_set(report, "rows", rows);
}

static bool check_audit(struct lf_journal *journal, cJSON *report, cJSON *problems)
{
    struct lf_audit_verdict verdict;
    struct lf_error err = {0};
    char head[LF_AUDIT_HEAD];
    cJSON *audit = cJSON_CreateObject();
    if (lf_journal_audit_verify(journal, NULL, LF_AUDIT_KEEP_UNKNOWN, &verdict, &err) != LF_OK)
        add_problem(problems, "%s", err.text);
    lf_audit_head_text(&verdict.head, head);
    bool good = lf_json_set_int(audit, "entries", verdict.count) && lf_json_set_text(audit, "head", head)
                && (!verdict.wrong || lf_json_set_int(audit, "wrong", verdict.wrong));
    return lf_json_set(report, "audit", audit) && good;
}

static void check_version(int64_t version, cJSON *problems)
{
    if (version > SCHEMA_VERSION)
        add_problem(problems, "version %" PRId64 " was written by a newer labferryd; this one knows up to %d",
                    version, SCHEMA_VERSION);
    else if (version < 0)
        add_problem(problems, "cannot read the version");
    else if (version == 0)
        add_problem(
            problems,
            "not a journal of labferryd: it has no version. The journal is journal.db in agent.state_dir");
}

enum lf_status lf_journal_check_file(const char *path, cJSON **out, struct lf_error *err)
{
    struct lf_journal *journal = NULL;
    *out = NULL;
    enum lf_status status = journal__open_to_read(path, &journal, err);
    if (status != LF_OK)
        return lf_error_prefix(err, "%s", path);
    cJSON *report = cJSON_CreateObject(), *problems = cJSON_CreateArray();
    int64_t version = number_of(prepare(journal, "PRAGMA user_version"));
    bool good = lf_json_set(report, "problems", problems) && lf_json_set_text(report, "file", path)
                && lf_json_set_int(report, "version", version);
    if (good) {
        check_version(version, problems);
        check_pages(journal, problems);
        good = check_rows(journal, report, problems)
               && (version < 2 || check_audit(journal, report, problems));
    }
    lf_journal_close(journal);
    if (!good) {
        cJSON_Delete(report);
        return lf_fail_memory(err, "checking the journal");
    }
    *out = report;
    int count = cJSON_GetArraySize(problems);
    return count == 0 ? LF_OK
                      : lf_fail(err, LF_CORRUPT, LF_NEEDS_PERSON, "%s: %d problem%s", path, count,
                                count == 1 ? "" : "s");
}

/* ---- exporting ---- */

enum lf_status journal__write_line(FILE *out, cJSON *json, struct lf_error *err)
{
    char *text = json ? lf_json_print(json) : NULL;
    cJSON_Delete(json);
    if (!text)
        return lf_fail_memory(err, "writing the export");
    bool written = fprintf(out, "%s\n", text) > 0;
    free(text);
    return written ? LF_OK : lf_fail_errno(err, "cannot write the export");
}

static cJSON *bytes_value(const void *data, size_t len)
{
    struct lf_buffer text = {0};
    cJSON *value = NULL;
    bool plain = lf_utf8_valid(lf_slice(data, len)) && !(len && memchr(data, '\0', len));
    if (plain && lf_buffer_append(&text, data, len) == LF_OK)
        value = cJSON_CreateString(text.data ? text.data : "");
    else if (!plain && lf_base64_append(&text, data, len) == LF_OK && (value = cJSON_CreateObject()))
        lf_json_set_text(value, "base64", text.data);
    lf_buffer_free(&text);
    return value;
}

static cJSON *column_value(sqlite3_stmt *stmt, int column)
{
    const void *data;
    int64_t number;
    char digits[24];
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        number = sqlite3_column_int64(stmt, column);
        snprintf(digits, sizeof digits, "%" PRId64, number);
        return cJSON_CreateRaw(digits); /* exact, whatever its size */
    case SQLITE_FLOAT: return cJSON_CreateNumber(sqlite3_column_double(stmt, column));
    case SQLITE_NULL: return cJSON_CreateNull();
    default:
        data = sqlite3_column_blob(stmt, column);
        return bytes_value(data ? data : "", (size_t)sqlite3_column_bytes(stmt, column));
    }
}

struct export
{
    struct lf_journal *journal;
    FILE *out;
    struct lf_journal_export *done;
};

/* Takes value. */
static enum lf_status write_line(struct export *export, const char *table, const char *name, cJSON *value,
                                 struct lf_error *err)
{
    cJSON *line = cJSON_CreateObject();
    bool made = lf_json_set_text(line, "table", table);
    made = lf_json_set(line, name, value) && made;
    return journal__write_line(export->out, lf_json_made(line, made), err);
}

static enum lf_status write_row(struct export *export, const char *table, sqlite3_stmt *stmt, int first,
                                struct lf_error *err)
{
    cJSON *row = cJSON_CreateObject();
    bool made = true;
    for (int i = first; made && i < sqlite3_column_count(stmt); i++)
        made = lf_json_set(row, sqlite3_column_name(stmt, i), column_value(stmt, i));
    export->done->rows++;
    return write_line(export, table, "row", lf_json_made(row, made), err);
}

static enum lf_status write_gap(struct export *export, const char *table, const char *what,
                                struct lf_error *err)
{
    char text[LF_ERROR_TEXT];
    snprintf(text, sizeof text, "%s: %s", what, sqlite3_errmsg(export->journal->db));
    lf_utf8_repair(text);
    export->done->gaps++;
    return write_line(export, table, "lost", cJSON_CreateString(text), err);
}

/* Writes the rows that a statement gives; its first column is the rowid. *code is SQLITE_DONE when all could
 * be read. */
static enum lf_status write_rows(struct export *export, const struct copied_table *table, sqlite3_stmt *stmt,
                                 int64_t *last, int *code, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    *code = SQLITE_ERROR;
    while (stmt && status == LF_OK && (*code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (table->rowids)
            *last = sqlite3_column_int64(stmt, 0);
        status = write_row(export, table->name, stmt, table->rowids ? 1 : 0, err);
    }
    return status;
}

/* From the start, and where that breaks off, from the end back to there: a damaged page costs its own rows
 * only. */
static enum lf_status write_table(struct export *export, const struct copied_table *table,
                                  struct lf_error *err)
{
    int64_t reached = INT64_MIN, back = INT64_MAX;
    int code;
    char what[120];
    sqlite3_stmt *stmt = table->rowids ? prepare(export->journal,
                                                 "SELECT rowid, * FROM \"%s\" ORDER BY rowid", table->name)
                                       : prepare(export->journal, "SELECT * FROM \"%s\"", table->name);
    enum lf_status status = write_rows(export, table, stmt, &reached, &code, err);
    if (status == LF_OK && code != SQLITE_DONE && !table->rowids)
        status = write_gap(export, table->name, "cannot read what follows", err);
    sqlite3_finalize(stmt);
    if (status != LF_OK || code == SQLITE_DONE || !table->rowids)
        return status;
    stmt = prepare(export->journal,
                   "SELECT rowid, * FROM \"%s\" WHERE rowid > %" PRId64 " ORDER BY rowid DESC", table->name,
                   reached);
    status = write_rows(export, table, stmt, &back, &code, err);
    if (status == LF_OK) {
        snprintf(what, sizeof what, "cannot read the rows after %" PRId64 " and before %" PRId64 "",
                 reached == INT64_MIN ? 0 : reached, back);
        if (back == INT64_MAX)
            snprintf(what, sizeof what, "cannot read the rows after %" PRId64 "",
                     reached == INT64_MIN ? 0 : reached);
        status = write_gap(export, table->name, what, err);
    }
    sqlite3_finalize(stmt);
    return status;
}

enum lf_status lf_journal_export_file(const char *path, FILE *out, struct lf_journal_export *done,
                                      struct lf_error *err)
{
    struct export export = {.out = out, .done = done};
    struct copied_table tables[TABLES_MAX];
    size_t count = 0;
    *done = (struct lf_journal_export){0};
    enum lf_status status = journal__open_to_read(path, &export.journal, err);
    if (status == LF_OK)
        status = list_tables(export.journal, tables, &count, err);
    for (size_t i = 0; status == LF_OK && i < count; i++)
        status = write_table(&export, &tables[i], err);
    lf_journal_close(export.journal);
    if (status == LF_OK && fflush(out) != 0)
        status = lf_fail_errno(err, "cannot write the export");
    if (status != LF_OK)
        lf_error_prefix(err, "%s", path);
    return status;
}

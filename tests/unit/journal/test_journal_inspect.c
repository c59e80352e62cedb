/* What is looked at from outside is not always a journal, not always whole, and not always where it may be
 * written. */
#include "journal/audit_chain.h"
#include "journal/inspect.h"
#include "journal/journal.h"
#include "unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534, PAGE = 4096 };

static char path[600];
static struct lf_error err;

static void set_path(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
    err = (struct lf_error){0};
}

static void sql(const char *text)
{
    sqlite3 *db;
    NEED(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
}

static void make_journal(void)
{
    struct lf_journal *journal = NULL;
    NEED(lf_journal_open(path, &journal, &err) == LF_OK);
    NEED(lf_journal_audit_add(journal, "cli:maria", "command", NULL, "one", UNIT_ERROR) == LF_OK);
    lf_journal_close(journal);
}

/* The problems that a check finds, as JSON. Owned. */
static char *problems(void)
{
    cJSON *report = NULL;
    CHECK_INT(lf_journal_check_file(path, &report, &err), LF_CORRUPT);
    NEED(report != NULL);
    char *text = lf_json_print(lf_json_at(report, "problems"));
    cJSON_Delete(report);
    NEED(text != NULL);
    return text;
}

/* An export as text. Owned. */
static char *export(struct lf_journal_export *done)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    NEED(out != NULL);
    CHECK_INT(lf_journal_export_file(path, out, done, &err), LF_OK);
    fclose(out);
    NEED(text != NULL);
    return text;
}

static void strangers(void)
{
    set_path("other.db");
    sql("CREATE TABLE t (a)");
    char *found = problems();
    CHECK_HAS(found, "not a journal of labferryd");
    free(found);
    set_path("newer.db");
    make_journal();
    sql("PRAGMA user_version = 99");
    found = problems();
    CHECK_HAS(found, "version 99 was written by a newer labferryd");
    free(found);
    struct lf_journal *journal = NULL;
    CHECK_INT(lf_journal_open(path, &journal, &err), LF_UNSUPPORTED);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "written by a newer labferryd");
    set_path("");
    cJSON *report = NULL;
    CHECK_INT(lf_journal_check_file(path, &report, &err), LF_INVALID);
    CHECK_HAS(err.text, "is not a regular file");
    CHECK(report == NULL);
    set_path("text.db");
    FILE *file = fopen(path, "w");
    NEED(file && fputs("hello, this is a text and not a journal\n", file) >= 0 && fclose(file) == 0);
    CHECK_INT(lf_journal_check_file(path, &report, &err), LF_CORRUPT);
    CHECK_HAS(err.text, "not a journal");
    CHECK(!strstr(err.text, "journal-check"));
    set_path("folder.db");
    NEED(mkdir(path, 0700) == 0);
    CHECK(lf_journal_open(path, &journal, &err) != LF_OK);
    CHECK_HAS(err.text, "cannot open the database");
}

static void all_values(void)
{
    struct lf_journal_export done;
    set_path("values.db");
    sql("CREATE TABLE t (a, b, c, d, e); CREATE TABLE \"not\"\"ours\" (a); INSERT INTO \"not\"\"ours\" "
        "VALUES (77);"
        "INSERT INTO t VALUES (9007199254740993, 0.25, NULL, x'00ff', 'f\xc3\xbcnf'), (CAST(x'ff' AS TEXT), "
        "'', x'', -1, 12345678.5)");
    char *text = export(&done);
    CHECK_INT(done.rows, 2);
    CHECK_INT(done.gaps, 0);
    CHECK_STR(
        text,
        "{\"table\":\"t\",\"row\":{\"a\":9007199254740993,\"b\":0.25,\"c\":null,\"d\":{\"base64\":\"AP8=\"},"
        "\"e\":\"f\xc3\xbcnf\"}}\n"
        "{\"table\":\"t\",\"row\":{\"a\":{\"base64\":\"/"
        "w==\"},\"b\":\"\",\"c\":\"\",\"d\":-1,\"e\":12345678.5}}\n");
    free(text);
}

static int64_t root_page(const char *table)
{
    sqlite3 *db;
    sqlite3_stmt *stmt = NULL;
    NEED(sqlite3_open(path, &db) == SQLITE_OK);
    NEED(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_master WHERE name = ?1", -1, &stmt, NULL)
         == SQLITE_OK);
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    NEED(sqlite3_step(stmt) == SQLITE_ROW);
    int64_t page = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return page;
}

static void ruin(int64_t page)
{
    char junk[PAGE];
    memset(junk, 0x5A, sizeof junk);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    NEED(fd >= 0 && pwrite(fd, junk, sizeof junk, (page - 1) * PAGE) == PAGE);
    close(fd);
}

static void tables_lost_as_a_whole(void)
{
    struct lf_journal_export done;
    set_path("ruined.db");
    sql("PRAGMA page_size = 4096; CREATE TABLE a (x); INSERT INTO a VALUES (1); CREATE TABLE b (x PRIMARY "
        "KEY) WITHOUT ROWID;"
        "INSERT INTO b VALUES (2); CREATE TABLE c (x); INSERT INTO c VALUES (3)");
    int64_t a = root_page("a"), b = root_page("b");
    ruin(a);
    ruin(b);
    char *text = export(&done);
    CHECK_INT(done.rows, 1);
    CHECK_INT(done.gaps, 2);
    CHECK_HAS(text, "{\"table\":\"a\",\"lost\":\"cannot read the rows after 0: ");
    CHECK_HAS(text, "{\"table\":\"b\",\"lost\":\"cannot read what follows: ");
    CHECK_HAS(text, "{\"table\":\"c\",\"row\":{\"x\":3}}");
    free(text);
}

/* Root may write everywhere. */
static void become(uid_t user)
{
    if (getuid() == 0)
        NEED(seteuid(user) == 0);
}

static void note_state(void *found, const struct lf_job *job)
{
    *(enum lf_job_state *)found = job->state;
}

static void note_fate(void *found, const struct lf_event_row *row)
{
    *(enum lf_fate *)found = row->fate;
}

static void words_nobody_knows(void)
{
    struct lf_journal *journal = NULL;
    struct lf_event_row row = {.id = (char *)"evt_1",
                               .source = (char *)"mqtt",
                               .fate = LF_FATE_UNROUTED,
                               .body = (char *)"{}",
                               .body_len = 2};
    struct lf_job job = {.kind = (char *)"collect",
                         .instrument = (char *)"reader",
                         .key = (char *)"k",
                         .step = "match",
                         .fields = cJSON_CreateObject()};
    struct lf_job_filter all = {.limit = 9};
    enum lf_job_state state = LF_JOB_READY;
    enum lf_fate fate = LF_FATE_UNROUTED;
    int64_t next;
    set_path("words.db");
    NEED(lf_journal_open(path, &journal, &err) == LF_OK);
    NEED(lf_journal_event_add(journal, &row, &err) == LF_OK);
    NEED(lf_journal_job_add(journal, &job, NULL, &err) == LF_OK);
    cJSON_Delete(job.fields);
    lf_journal_close(journal);
    sql("UPDATE job SET state = 'rEady'; UPDATE event SET fate = 'unrOuted'");
    NEED(lf_journal_open(path, &journal, &err) == LF_OK);
    CHECK_INT(lf_journal_job_list(journal, &all, note_state, &state, &err), LF_OK);
    CHECK_INT(state, LF_JOB_HELD);
    CHECK_INT(lf_journal_event_list(journal, NULL, 9, note_fate, &fate, &err), LF_OK);
    CHECK_INT(fate, LF_FATE_BAD);
    CHECK_INT(lf_journal_job_claim(journal, NULL, &job, &next, &err), LF_NOT_FOUND);
    lf_journal_close(journal);
}

struct lists {
    struct lf_journal *journal;
    int within, count;
};

static void count_job(void *context, const struct lf_job *job)
{
    struct lists *lists = context;
    struct lf_job_filter all = {.limit = 9};
    lists->count++;
    CHECK_STR(job->kind, "collect");
    if (lists->within++ == 0)
        CHECK_INT(lf_journal_job_list(lists->journal, &all, count_job, lists, &err), LF_OK);
}

static void a_list_within_a_list(void)
{
    struct lists lists = {0};
    set_path("lists.db");
    NEED(lf_journal_open(path, &lists.journal, &err) == LF_OK);
    for (int i = 0; i < 3; i++) {
        struct lf_job job = {.kind = (char *)"collect",
                             .instrument = (char *)"reader",
                             .key = (char *)(i == 0   ? "a"
                                             : i == 1 ? "b"
                                                      : "c"),
                             .step = "match",
                             .fields = cJSON_CreateObject()};
        NEED(lf_journal_job_add(lists.journal, &job, NULL, &err) == LF_OK);
        cJSON_Delete(job.fields);
    }
    struct lf_job_filter all = {.limit = 9};
    CHECK_INT(lf_journal_job_list(lists.journal, &all, count_job, &lists, &err), LF_OK);
    CHECK_INT(lists.count, 6);
    lf_journal_close(lists.journal);
}

static void where_nothing_may_be_written(void)
{
    if (getenv("LF_EMULATED")) /* an emulator looks into its sysroot first, which may be closed to another
                                  user */
        return;
    struct lf_journal_export done;
    char folder[560], wal[640];
    cJSON *report = NULL;
    snprintf(folder, sizeof folder, "%s/kept", unit_folder());
    NEED(mkdir(folder, 0755) == 0);
    set_path("kept/50%#a?b.db");
    make_journal();
    snprintf(wal, sizeof wal, "%s-wal", path);
    NEED(chmod(unit_folder(), 0711) == 0 && chmod(path, 0444) == 0 && chmod(folder, 0555) == 0);
    become(NOBODY);
    enum lf_status status = lf_journal_check_file(path, &report, &err);
    char *text = export(&done);
    become(0);
    CHECK_INT(status, LF_OK);
    CHECK_INT(lf_json_int(report, "audit.entries", -1), 1);
    CHECK_HAS(text, "\"text\":\"one\"");
    free(text);
    cJSON_Delete(report);
    NEED(chmod(folder, 0755) == 0);
    FILE *beside = fopen(wal, "w");
    NEED(beside && fputs("x", beside) >= 0 && fclose(beside) == 0);
    NEED(chmod(wal, 0444) == 0 && chmod(folder, 0555) == 0);
    become(NOBODY);
    status = lf_journal_check_file(path, &report, &err);
    become(0);
    NEED(chmod(folder, 0755) == 0);
    CHECK_INT(status, LF_DENIED); /* without them it would be an older journal */
    CHECK_HAS(err.text, "copy both");
}

static void nowhere_to_write(void)
{
    struct lf_journal_export done;
    struct lf_audit_head head;
    set_path("journal.db");
    make_journal();
    for (int buffered = 0; buffered < 2; buffered++) {
        FILE *out = fopen("/dev/full", "we");
        NEED(out != NULL);
        if (!buffered)
            setvbuf(out, NULL, _IONBF, 0);
        CHECK(lf_journal_export_file(path, out, &done, &err) != LF_OK);
        CHECK_HAS(err.text, "cannot write the export");
        CHECK_HAS(err.text, "No space left");
        fclose(out);
        out = fopen("/dev/full", "we");
        NEED(out != NULL);
        if (!buffered)
            setvbuf(out, NULL, _IONBF, 0);
        CHECK(lf_audit_export_file(path, out, &head, &err) != LF_OK);
        CHECK_HAS(err.text, "No space left");
        fclose(out);
    }
}

/* ---- exports of the audit trail ---- */

static void verify_wrong(int64_t named, const char *words)
{
    struct lf_audit_verdict verdict;
    err = (struct lf_error){0};
    CHECK_INT(lf_audit_verify_file(path, NULL, &verdict, &err), LF_CORRUPT);
    CHECK_INT(verdict.wrong, named);
    CHECK_HAS(err.text, words);
}

static void write_lines(const char *name, cJSON *first, cJSON *second, cJSON *third)
{
    cJSON *lines[] = {first, second, third};
    set_path(name);
    FILE *out = fopen(path, "we");
    NEED(out != NULL);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *text = lines[i] ? lf_json_print(lines[i]) : NULL;
        if (text)
            fprintf(out, "%s\n", text);
        free(text);
        cJSON_Delete(lines[i]);
    }
    fclose(out);
}

static void forged_exports(void)
{
    char hash[LF_SHA256_HEX];
    struct lf_audit_entry entry = {.seq = 1,
                                   .at = "2026-01-01T00:00:00Z",
                                   .who = "a",
                                   .what = "b",
                                   .about = "",
                                   .text = "",
                                   .prev = AUDIT_GENESIS,
                                   .hash = hash};
    struct lf_audit_head head = {.seq = 1};
    struct lf_audit_verdict verdict;
    NEED(journal__audit_hash(&entry, hash, UNIT_ERROR) == LF_OK);
    memcpy(head.hash, hash, sizeof hash);
    write_lines("good.jsonl", lf_audit_entry_json(&entry), lf_audit_end_json(&head), NULL);
    CHECK_INT(lf_audit_verify_file(path, NULL, &verdict, &err), LF_OK);
    CHECK_STR(err.text, "");
    write_lines("longer.jsonl", lf_audit_entry_json(&entry), lf_audit_end_json(&head),
                lf_audit_entry_json(&entry));
    verify_wrong(2, "line 3: there is more after the end");
    entry.prev = "1111111111111111111111111111111111111111111111111111111111111111";
    NEED(journal__audit_hash(&entry, hash, UNIT_ERROR) == LF_OK);
    memcpy(head.hash, hash, sizeof hash);
    write_lines("beheaded.jsonl", lf_audit_entry_json(&entry), lf_audit_end_json(&head), NULL);
    verify_wrong(1, "entry 1 is not the first");
}

static void unreadable_exports(void)
{
    struct lf_audit_verdict verdict;
    struct lf_audit_head head;
    set_path("none.jsonl");
    CHECK_INT(lf_audit_verify_file(path, NULL, &verdict, &err), LF_NOT_FOUND);
    CHECK_HAS(err.text, path);
    set_path("");
    CHECK(lf_audit_verify_file(path, NULL, &verdict, &err) != LF_OK);
    CHECK_HAS(err.text, "cannot read the export");
    static const char *const heads[] =
        {"", "7", "7:", "7:abc", "x:", "-1:" AUDIT_GENESIS, "7:" AUDIT_GENESIS "0", "7:G" AUDIT_GENESIS};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        CHECK(!lf_audit_head_parse(heads[i], &head));
    CHECK(lf_audit_head_parse("7:" AUDIT_GENESIS, &head) && head.seq == 7
          && !strcmp(head.hash, AUDIT_GENESIS));
}

UNIT_TESTS(
    "journal inspect",
    {"a file that is not a journal, or one of a newer program, is refused by name and left alone", strangers},
    {"an export has every value as it is: integers, fractions, bytes and null", all_values},
    {"a table that is lost as a whole is named in the export, and the others are in it",
     tables_lost_as_a_whole},
    {"a state or fate that this program does not know never counts as work to do", words_nobody_knows},
    {"a list can be read inside a list of the same kind", a_list_within_a_list},
    {"a journal in a read-only folder is read, unless part of it is still in its WAL",
     where_nothing_may_be_written},
    {"an export for which there is no room fails, and is never reported as complete", nowhere_to_write},
    {"an export to which something was added, or whose beginning was removed, does not verify",
     forged_exports},
    {"a file that cannot be read gives no verdict, and a mistyped head is refused", unreadable_exports}, )

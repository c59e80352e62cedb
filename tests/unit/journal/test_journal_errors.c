/* What a disk does to the journal: each statement of each call fails in turn. The call must say so, nothing
 * of it may be half there, and the same call must do its work once the disk is good again.
 *
 * sqlite3_step, sqlite3_prepare_v3, sqlite3_exec and fsync are wrapped (CMakeLists.txt). Every run starts
 * from a copy of one journal.
 */
#include "base/clock.h"
#include "base/file.h"
#include "journal/audit.h"
#include "journal/db.h"
#include "journal/inspect.h"
#include "unit.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS_MAX = 200, TEXT_MAX = 600 };

static char model[TEXT_MAX], path[TEXT_MAX];

/* ---- the disk ---- */

static int good_calls; /* so many go well, then one fails; -1: all go well */
static bool goes_on;   /* and all after it fail as well */
static bool has_failed;
static bool stays_open; /* the next way back fails as well: SQLite leaves the transaction open */

static bool fails(void)
{
    if (has_failed)
        return goes_on;
    has_failed = good_calls == 0;
    if (good_calls > 0)
        good_calls--;
    return has_failed;
}

static void break_after(int calls, bool onwards)
{
    good_calls = calls;
    goes_on = onwards;
    has_failed = false;
}

static void repair(void)
{
    break_after(-1, false);
}

int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt)
{
    /* What has begun to write has done it: were it only left, SQLite would commit it, which a failing disk
     * does not. */
    bool begun = sqlite3_stmt_busy(stmt) && !sqlite3_stmt_readonly(stmt);
    return !begun && fails() ? SQLITE_IOERR : __real_sqlite3_step(stmt);
}

int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags, sqlite3_stmt **stmt,
                              const char **rest);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags, sqlite3_stmt **stmt,
                              const char **rest);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags, sqlite3_stmt **stmt,
                              const char **rest)
{
    *stmt = NULL;
    return fails() ? SQLITE_IOERR : __real_sqlite3_prepare_v3(db, sql, len, flags, stmt, rest);
}

int __real_sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback each, void *context, char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback each, void *context, char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback each, void *context, char **error)
{
    bool back = !strcmp(sql, "ROLLBACK");
    if (back ? stays_open : fails()) {
        stays_open = false;
        return SQLITE_IOERR;
    }
    return __real_sqlite3_exec(db, sql, each, context, error);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    errno = EIO;
    return fails() ? -1 : __real_fsync(fd);
}

/* ---- the model ---- */

static enum lf_status add_event(struct lf_journal *journal, const char *id, enum lf_fate fate,
                                struct lf_error *err)
{
    struct lf_event_row row = {.id = (char *)id,
                               .type = (char *)"v2.assayRun.created",
                               .source = (char *)"mqtt",
                               .received_ms = 1000,
                               .created_ms = 900,
                               .fate = fate,
                               .body = (char *)"{}",
                               .body_len = 2};
    return lf_journal_event_add(journal, &row, err);
}

static enum lf_status job__add(struct lf_journal *journal, const char *key, bool bench, struct lf_error *err)
{
    struct lf_job job = {.kind = (char *)"collect",
                         .instrument = (char *)"reader",
                         .key = (char *)key,
                         .event_id = (char *)"evt_1",
                         .step = "match",
                         .bench = bench,
                         .fields = cJSON_Parse("{\"run\":\"r-1\"}")};
    enum lf_status status = lf_journal_job_add(journal, &job, NULL, err);
    cJSON_Delete(job.fields);
    return status;
}

static enum lf_status change_job(struct lf_journal *journal, int64_t id, enum lf_job_state state, bool acting,
                                 const char *wake, struct lf_error *err)
{
    struct lf_job job = {0};
    enum lf_status status = lf_journal_job_get(journal, id, &job, err);
    if (status == LF_OK) {
        job.state = state;
        job.acting = acting;
        free(job.wake);
        job.wake = wake ? strdup(wake) : NULL;
        job.due_mono = wake ? LF_NEVER : 0;
        status = lf_journal_job_save(journal, &job, err);
    }
    lf_job_free(&job);
    return status;
}

static enum lf_status add_parcel(struct lf_journal *journal, int64_t job, struct lf_error *err)
{
    char file[20];
    snprintf(file, sizeof file, "%lld.csv", (long long)job);
    struct lf_parcel_row row = {.job = job, .name = (char *)"a.csv", .file = file, .size = 1};
    memset(row.sha256, 'a', 64);
    return lf_journal_parcel_add(journal, &row, err);
}

static enum lf_status add_command(struct lf_journal *journal, const char *id, struct lf_error *err)
{
    struct lf_command_row row = {.id = (char *)id,
                                 .verb = (char *)"status",
                                 .reply = (char *)"a/reply",
                                 .correlation = lf_slice_text("c")};
    return lf_journal_command_add(journal, &row, err);
}

/* Jobs: 1 ready on a courier, 2 ready on the bench, 3 waits for "it", 4 is done; each with what may belong to
 * a job. */
static void make_model(void)
{
    struct lf_journal *journal;
    snprintf(model, sizeof model, "%s/model.db", unit_folder());
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    repair();
    NEED(lf_journal_open(model, &journal, UNIT_ERROR) == LF_OK);
    NEED(add_event(journal, "evt_1", LF_FATE_JOB, UNIT_ERROR) == LF_OK);
    NEED(add_event(journal, "evt_2", LF_FATE_REREAD, UNIT_ERROR) == LF_OK);
    for (int i = 1; i <= 4; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        NEED(job__add(journal, key, i == 2, UNIT_ERROR) == LF_OK);
        NEED(lf_journal_finding_add(journal, "reader", key, "1", i, UNIT_ERROR) == LF_OK);
        NEED(lf_journal_finding_digest(journal, i, "d1", UNIT_ERROR) == LF_OK);
    }
    NEED(change_job(journal, 3, LF_JOB_WAITING, false, "it", UNIT_ERROR) == LF_OK);
    NEED(change_job(journal, 4, LF_JOB_DONE, false, NULL, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_history_add(journal, 1, "agent", "made", UNIT_ERROR) == LF_OK);
    NEED(add_parcel(journal, 1, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_part_add(journal, 1, 1, "etag", UNIT_ERROR) == LF_OK);
    NEED(lf_journal_outbox_add(journal, "a/status", "{}", true, UNIT_ERROR) == LF_OK);
    NEED(add_command(journal, "c1", UNIT_ERROR) == LF_OK);
    lf_clock_learn(lf_clock_wall_ms());
    NEED(lf_journal_clock_look(journal, UNIT_ERROR) == LF_OK); /* or nothing would be pruned */
    lf_journal_close(journal);
}

static void remove_copy(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    char name[TEXT_MAX + 8];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

static struct lf_journal *open_copy(void)
{
    struct lf_buffer bytes = {0};
    struct lf_journal *journal = NULL;
    remove_copy();
    NEED(lf_file_read(model, 64 * 1024 * 1024, &bytes, UNIT_ERROR) == LF_OK);
    FILE *copy = fopen(path, "wb");
    NEED(copy && fwrite(bytes.data, 1, bytes.len, copy) == bytes.len && fclose(copy) == 0);
    lf_buffer_free(&bytes);
    NEED(lf_journal_open(path, &journal, UNIT_ERROR) == LF_OK);
    return journal;
}

/* How many rows each table has; the check finds nothing wrong. Closes the journal. Owned. */
static char *rows_of(struct lf_journal *journal)
{
    cJSON *report = NULL;
    lf_journal_close(journal);
    CHECK_INT(lf_journal_check_file(path, &report, UNIT_ERROR), LF_OK);
    char *rows = cJSON_PrintUnformatted(cJSON_GetObjectItem(report, "rows"));
    cJSON_Delete(report);
    return rows;
}

/* ---- the calls ---- */

typedef enum lf_status call(struct lf_journal *journal, struct lf_error *err);

static void each_event(void *context, const struct lf_event_row *row)
{
    (void)context, (void)row;
}
static void each_job(void *context, const struct lf_job *job)
{
    (void)context, (void)job;
}
static void each_history(void *context, int64_t at, const char *who, const char *text)
{
    (void)context, (void)at, (void)who, (void)text;
}
static void each_entry(void *context, const struct lf_audit_entry *entry)
{
    (void)context, (void)entry;
}

#define CALL(name, ...)                                                                                      \
    static enum lf_status name(struct lf_journal *journal, struct lf_error *err)                             \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

CALL(set, return lf_journal_set(journal, "name", "value", err);)
CALL(event_add, return add_event(journal, "evt_3", LF_FATE_UNROUTED, err);)
CALL(event_again, return add_event(journal, "evt_1", LF_FATE_JOB, err);)
CALL(event_fate, return lf_journal_event_fate(journal, "evt_2", LF_FATE_LOST, "gone", err);)
CALL(event_get, struct lf_event_row row;
     enum lf_status status = lf_journal_event_get(journal, "evt_1", &row, err); lf_event_row_free(&row);
     return status;)
CALL(event_list, return lf_journal_event_list(journal, NULL, 9, each_event, NULL, err);)
CALL(event_reread, struct lf_event_row row; int64_t next;
     enum lf_status status = lf_journal_event_claim_reread(journal, 0, &row, &next, err);
     lf_event_row_free(&row); return status;)
CALL(event_put_off, return lf_journal_event_put_off(journal, "evt_2", 0, err);)
CALL(event_no_reread, struct lf_event_row row; int64_t next;
     enum lf_status status = lf_journal_event_put_off(journal, "evt_2", LF_NEVER, err);
     return status == LF_OK ? lf_journal_event_claim_reread(journal, 0, &row, &next, err) : status;)
CALL(event_drops, struct lf_journal_limits limits = {.unused = 1};
     enum lf_status status = add_event(journal, "evt_3", LF_FATE_UNROUTED, err);
     lf_journal_limit(journal, &limits);
     return status == LF_OK || status == LF_EXISTS ? add_event(journal, "evt_4", LF_FATE_BAD, err) : status;)
CALL(job_add, return job__add(journal, "k5", false, err);)
CALL(job_add_known, return job__add(journal, "k1", false, err);)
CALL(job_hold, return change_job(journal, 1, LF_JOB_HELD, false, NULL, err);)
CALL(job_act, return change_job(journal, 2, LF_JOB_RUNNING, true, NULL, err);)
CALL(job_end, return change_job(journal, 1, LF_JOB_DONE, false, NULL, err);)
CALL(job_list, struct lf_job_filter filter = {.state = "open", .limit = 9};
     return lf_journal_job_list(journal, &filter, each_job, NULL, err);)
CALL(job_claim, struct lf_job job = {0}; int64_t next;
     enum lf_status status = lf_journal_job_claim(journal, NULL, &job, &next, err); lf_job_free(&job);
     return status;)
CALL(job_claim_bench, struct lf_job job = {0}; int64_t next;
     enum lf_status status = lf_journal_job_claim(journal, "reader", &job, &next, err); lf_job_free(&job);
     return status;)
CALL(job_claim_none, struct lf_job job = {0}; int64_t next;
     return lf_journal_job_claim(journal, "another", &job, &next, err);)
CALL(job_wake, int64_t job; return lf_journal_job_wake(journal, "it", &job, err);)
static void each_answer(void *context, const struct lf_job *job, bool answered)
{
    (void)context;
    CHECK(job->id > 0 && !answered);
}

CALL(job_answers, return lf_journal_job_answers(journal, "reader", "collect", "spool", "collect", 1, 9,
                                                each_answer, NULL, err);)
CALL(job_with_field, int64_t job;
     return lf_journal_job_with_field(journal, "collect", LF_JOB_RUN, "r-1", true, 0, &job, err);)
CALL(history_add, return lf_journal_history_add(journal, 1, "cli:maria", "looked at", err);)
CALL(history_list, return lf_journal_history_list(journal, 1, each_history, NULL, err);)
CALL(parcel_add, return add_parcel(journal, 2, err);)
CALL(parcel_get, struct lf_parcel_row row = {0};
     enum lf_status status = lf_journal_parcel_get(journal, 1, &row, err); lf_parcel_row_free(&row);
     return status;)
CALL(parcel_drop, return lf_journal_parcel_drop(journal, 1, err);)
CALL(part_add, return lf_journal_part_add(journal, 1, 2, "etag", err);)
CALL(part_list, char *etags[2] = {0}; enum lf_status status = lf_journal_part_list(journal, 1, etags, 2, err);
     free(etags[0]); return status;)
CALL(part_clear, return lf_journal_part_clear(journal, 1, err);)
CALL(finding_add, return lf_journal_finding_add(journal, "reader", "new", "1", 1, err);)
CALL(finding_digest, return lf_journal_finding_digest(journal, 1, "d2", err);)
CALL(finding_same, int64_t other; bool attached;
     return lf_journal_finding_same(journal, 1, "r-1", "c", &other, &attached, err);)
CALL(finding_earlier, int64_t other; bool in_place;
     return lf_journal_finding_earlier(journal, 1, "r-1", "c", &other, &in_place, err);)
CALL(outbox_add, return lf_journal_outbox_add(journal, "a/status", "{\"new\":1}", true, err);)
CALL(outbox_reply, return lf_journal_outbox_add_reply(journal, "a/reply", "{}", lf_slice_text("c"), err);)
CALL(outbox_next, struct lf_outbox_row row = {0};
     enum lf_status status = lf_journal_outbox_next(journal, 0, &row, err); lf_outbox_row_free(&row);
     return status;)
CALL(outbox_remove, return lf_journal_outbox_remove(journal, 1, err);)
CALL(command_add, return add_command(journal, "c2", err);)
CALL(command_next, struct lf_command_row row = {0};
     enum lf_status status = lf_journal_command_next(journal, LF_COMMAND_ACCEPTED, &row, err);
     lf_command_row_free(&row); return status;)
CALL(command_save, struct lf_command_row row = {0};
     enum lf_status status = lf_journal_command_get(journal, "c1", &row, err);
     row.state = LF_COMMAND_FINISHED;
     if (status == LF_OK) status = lf_journal_command_save(journal, &row, err); lf_command_row_free(&row);
     return status;)
CALL(prune, int64_t dropped; return lf_journal_prune(journal, -1000, &dropped, err);)
CALL(clock_look, lf_clock_know(1); enum lf_status status = lf_journal_clock_look(journal, err);
     lf_clock_know(lf_clock_wall_ms()); return status;)
CALL(job_newest, int64_t id; return lf_journal_job_newest(journal, &id, err);)
CALL(job_skip, return lf_journal_job_skip(journal, 40, err);)
CALL(outbox_withdraw, return lf_journal_outbox_withdraw(journal, "a/status", err);)
CALL(doubt_over, return lf_journal_doubt_over(journal, err);)
CALL(audit_has, bool has; struct lf_audit_head head = {.seq = 1};
     return lf_journal_audit_has(journal, &head, &has, err);)
CALL(audit_add, return lf_journal_audit_add(journal, "agent", "agent", NULL, "says", err);)
CALL(audit_list, struct lf_audit_filter filter = {.limit = 9};
     return lf_journal_audit_list(journal, &filter, each_entry, NULL, err);)
CALL(audit_head, struct lf_audit_head head; return lf_journal_audit_head(journal, &head, err);)
CALL(audit_prune, int64_t dropped; usleep(2000); return lf_journal_audit_prune(journal, 1, &dropped, err);)
CALL(audit_verify, struct lf_audit_verdict verdict;
     return lf_journal_audit_verify(journal, NULL, LF_AUDIT_KEEP_UNKNOWN, &verdict, err);)

static const struct {
    const char *name;
    call *run;
    enum lf_status good; /* what it gives when nothing fails */
} calls[] = {
#define GIVES(name, status)                                                                                  \
    {                                                                                                        \
#name, name, status                                                                                  \
    }
    GIVES(set, LF_OK),
    GIVES(event_add, LF_OK),
    GIVES(event_again, LF_EXISTS),
    GIVES(event_fate, LF_OK),
    GIVES(event_get, LF_OK),
    GIVES(event_list, LF_OK),
    GIVES(event_reread, LF_OK),
    GIVES(event_put_off, LF_OK),
    GIVES(event_no_reread, LF_NOT_FOUND),
    GIVES(event_drops, LF_OK),
    GIVES(job_add, LF_OK),
    GIVES(job_add_known, LF_EXISTS),
    GIVES(job_hold, LF_OK),
    GIVES(job_act, LF_OK),
    GIVES(job_end, LF_OK),
    GIVES(job_list, LF_OK),
    GIVES(job_claim, LF_OK),
    GIVES(job_claim_bench, LF_OK),
    GIVES(job_claim_none, LF_NOT_FOUND),
    GIVES(job_wake, LF_OK),
    GIVES(job_answers, LF_OK),
    GIVES(job_with_field, LF_OK),
    GIVES(history_add, LF_OK),
    GIVES(history_list, LF_OK),
    GIVES(parcel_add, LF_OK),
    GIVES(parcel_get, LF_OK),
    GIVES(parcel_drop, LF_OK),
    GIVES(part_add, LF_OK),
    GIVES(part_list, LF_OK),
    GIVES(part_clear, LF_OK),
    GIVES(finding_add, LF_OK),
    GIVES(finding_digest, LF_OK),
    GIVES(finding_same, LF_NOT_FOUND),
    GIVES(finding_earlier, LF_NOT_FOUND),
    GIVES(outbox_add, LF_OK),
    GIVES(outbox_reply, LF_OK),
    GIVES(outbox_next, LF_OK),
    GIVES(outbox_remove, LF_OK),
    GIVES(command_add, LF_OK),
    GIVES(command_next, LF_OK),
    GIVES(command_save, LF_OK),
    GIVES(prune, LF_OK),
    GIVES(clock_look, LF_OK),
    GIVES(job_newest, LF_OK),
    GIVES(job_skip, LF_OK),
    GIVES(outbox_withdraw, LF_OK),
    GIVES(doubt_over, LF_OK),
    GIVES(audit_has, LF_OK),
    GIVES(audit_add, LF_OK),
    GIVES(audit_list, LF_OK),
    GIVES(audit_head, LF_OK),
    GIVES(audit_prune, LF_OK),
    GIVES(audit_verify, LF_OK),
};

static void broken_call(size_t i, bool onwards)
{
    struct lf_journal *journal = open_copy();
    CHECK_INT(calls[i].run(journal, UNIT_ERROR), calls[i].good);
    char *expected = rows_of(journal);
    for (int good = 0; good < CALLS_MAX; good++) {
        char told[LF_ERROR_TEXT + 80];
        struct lf_error err = {0};
        journal = open_copy();
        break_after(good, onwards);
        enum lf_status status = calls[i].run(journal, &err);
        bool broke = has_failed;
        repair();
        if (broke) {
            snprintf(told, sizeof told, "%s, statement call %d: %s", calls[i].name, good + 1,
                     status == LF_IO && err.class == LF_TRANSIENT ? "told"
                     : status == LF_OK                            ? "nothing"
                                                                  : err.text);
            snprintf(told + strlen(told), sizeof told - strlen(told), "; then %d",
                     (int)calls[i].run(journal, &err));
            char wanted[120];
            snprintf(wanted, sizeof wanted, "%s, statement call %d: told; then %d", calls[i].name, good + 1,
                     (int)calls[i].good);
            CHECK_STR(told, wanted);
        }
        char *rows = rows_of(journal);
        CHECK_STR(rows, expected);
        free(rows);
        if (!broke)
            break;
        CHECK(good + 1 < CALLS_MAX);
    }
    free(expected);
}

static void one_failure(void)
{
    make_model();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        broken_call(i, false);
}

static void no_disk(void)
{
    make_model();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        broken_call(i, true);
}

static void opening(void)
{
    int spared = 0; /* where the last boot's name cannot be read, all is taken as after a reboot */
    make_model();
    for (int existing = 0; existing < 2; existing++)
        for (int good = 0; good < CALLS_MAX; good++) {
            struct lf_journal *journal;
            struct lf_error err = {0};
            if (existing)
                lf_journal_close(open_copy());
            else
                remove_copy();
            break_after(good, false);
            enum lf_status status = lf_journal_open(path, &journal, &err);
            bool broke = has_failed;
            repair();
            spared += broke && status == LF_OK;
            NEED(broke || status == LF_OK);
            if (status != LF_OK) {
                CHECK_INT(status, LF_IO);
                CHECK_HAS(err.text, path);
                NEED(lf_journal_open(path, &journal, &err) == LF_OK);
            }
            CHECK_INT(add_event(journal, "evt_new", LF_FATE_UNROUTED, UNIT_ERROR), LF_OK);
            free(rows_of(journal));
            if (!broke)
                break;
            CHECK(good + 1 < CALLS_MAX);
        }
    CHECK(spared <= 4);
}

/* These have no status: what they say must do no harm. */
static void without_status(void)
{
    make_model();
    struct lf_journal *journal = open_copy();
    for (int good = 0; good < 2; good++) {
        break_after(good, true);
        CHECK(lf_journal_parcel_knows(journal, "1.csv"));
        CHECK(lf_journal_parcel_knows(
            journal, "unknown.csv")); /* a spool file is swept only if surely nobody needs it */
        repair();
        CHECK(!lf_journal_parcel_knows(journal, "unknown.csv"));
    }
    lf_journal_close(journal);
}

static void no_counts(void)
{
    struct lf_journal_use use;
    make_model();
    for (int good = 0; good < 2; good++) {
        struct lf_journal *journal = open_copy(); /* its statements are not prepared yet */
        break_after(good, true);
        cJSON *jobs = lf_journal_job_counts(journal, NULL);
        break_after(good, true);
        cJSON *events = lf_journal_event_counts(journal);
        break_after(good, true);
        int64_t commands = lf_journal_command_count(journal, LF_COMMAND_ACCEPTED);
        break_after(good, true);
        int64_t job = lf_journal_finding_job(journal, "reader", "k1", "1");
        break_after(good, true);
        lf_journal_use(journal, &use);
        repair();
        CHECK(jobs == NULL && events == NULL);
        CHECK_INT(commands, -1);
        CHECK_INT(job, 0);
        CHECK_INT(use.bytes, -1);
        jobs = lf_journal_job_counts(journal, NULL);
        events = lf_journal_event_counts(journal);
        lf_journal_use(journal, &use);
        CHECK_INT(lf_json_int(jobs, "ready", -1), 2);
        CHECK_INT(lf_json_int(events, "job", -1), 1);
        CHECK_INT(lf_journal_command_count(journal, LF_COMMAND_ACCEPTED), 1);
        CHECK_INT(lf_journal_finding_job(journal, "reader", "k1", "1"), 1);
        CHECK(use.bytes > 0);
        cJSON_Delete(jobs);
        cJSON_Delete(events);
        lf_journal_close(journal);
    }
}

/* What is asked for after it must not be added to what was to be undone. */
static void no_way_back(void)
{
    make_model();
    for (int within = 0; within < 2; within++) {
        struct lf_journal *journal = open_copy();
        char *undone = NULL, *done = NULL;
        NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
        NEED(lf_journal_set(journal, "undone", "1", UNIT_ERROR) == LF_OK);
        stays_open = true;
        lf_journal_rollback(journal);
        NEED(!stays_open);
        if (within)
            NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
        CHECK_INT(lf_journal_set(journal, "done", "1", UNIT_ERROR), LF_OK);
        if (within)
            CHECK_INT(lf_journal_end(journal, LF_OK, UNIT_ERROR), LF_OK);
        lf_journal_close(journal);
        NEED(lf_journal_open(path, &journal, UNIT_ERROR) == LF_OK);
        lf_journal_get(journal, "undone", &undone, UNIT_ERROR);
        lf_journal_get(journal, "done", &done, UNIT_ERROR);
        CHECK(undone == NULL && done != NULL);
        free(undone);
        free(done);
        lf_journal_close(journal);
    }
}

/* Before each look at a journal: a statement fails in it. */
static void looked_at(void)
{
    make_model();
    lf_journal_close(open_copy());
    bool broke = true;
    for (int good = 0; broke && good < CALLS_MAX; good++) {
        struct lf_journal_export done = {0};
        cJSON *report = NULL;
        FILE *out = fopen("/dev/null", "we");
        NEED(out != NULL);
        break_after(good, false);
        enum lf_status status = lf_journal_check_file(path, &report, UNIT_ERROR);
        broke = has_failed;
        CHECK_INT(status == LF_OK, !broke);
        char *text = report ? lf_json_print(lf_json_at(report, "problems")) : NULL;
        CHECK(!text || !strstr(text, "not a journal of labferryd")); /* that is not what was found */
        free(text);
        cJSON_Delete(report);
        break_after(good, false);
        status = lf_journal_export_file(path, out, &done, UNIT_ERROR);
        CHECK_INT(status == LF_OK && done.gaps == 0, !has_failed);
        broke = broke || has_failed;
        repair();
        fclose(out);
    }
    CHECK(!broke);
}

static void one_moment(void)
{
    make_model();
    struct lf_journal *writer = open_copy(), *reader = NULL;
    struct lf_audit_head before, after;
    NEED(journal__open_to_read(path, &reader, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_audit_head(reader, &before, UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_audit_add(writer, "agent", "agent", NULL, "meanwhile", UNIT_ERROR), LF_OK);
    CHECK_INT(lf_journal_audit_head(reader, &after, UNIT_ERROR), LF_OK);
    CHECK_INT(after.seq, before.seq);
    lf_journal_close(reader);
    lf_journal_close(writer);
}

static int refuse(void *context)
{
    (void)context;
    return 1;
}

static void commit_of_one(void)
{
    make_model();
    struct lf_journal *journal = open_copy();
    struct lf_event_row row = {0};
    struct lf_error err = {0};
    int64_t next;
    NEED(add_event(journal, "evt_half", LF_FATE_REREAD, &err) == LF_OK);
    sqlite3_commit_hook(journal->db, refuse, NULL);
    CHECK(lf_journal_event_claim_reread(journal, LF_NEVER, &row, &next, &err) != LF_OK);
    CHECK_STR(row.id, NULL);
    sqlite3_commit_hook(journal->db, NULL, NULL);
    CHECK_INT(lf_journal_event_claim_reread(journal, LF_NEVER, &row, &next, &err), LF_OK);
    lf_event_row_free(&row);
    lf_journal_close(journal);
}

UNIT_TESTS("journal errors",
           {"a statement that fails is reported, leaves nothing half done, and the same call works later",
            one_failure, UNIT_SLOW},
           {"the same when all later statements fail too, the rollback included", no_disk, UNIT_SLOW},
           {"opening that fails is reported, and works the next time", opening, UNIT_SLOW},
           {"a statement that commits on its own is done only if its commit is", commit_of_one},
           {"a spool file whose job cannot be looked up counts as needed", without_status},
           {"what cannot be counted is not reported as none", no_counts},
           {"what was to be rolled back is never part of the next transaction, even if the rollback failed",
            no_way_back},
           {"a check or an export that could not read everything never says that all is well", looked_at,
            UNIT_SLOW},
           {"a reader of a journal file sees one moment of it, whatever the agent writes meanwhile",
            one_moment}, )

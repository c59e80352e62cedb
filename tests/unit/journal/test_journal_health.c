/* The journal in trouble: damaged, gone, or on a disk that takes nothing. */
#include "base/file.h"
#include "journal/audit.h"
#include "journal/journal.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[512];

static enum lf_status try_open(struct lf_journal **journal, struct lf_error *err)
{
    *err = (struct lf_error){0};
    *journal = NULL;
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    return lf_journal_open(path, journal, err);
}

static struct lf_journal *open_journal(void)
{
    struct lf_journal *journal;
    struct lf_error err;
    NEED(try_open(&journal, &err) == LF_OK);
    return journal;
}

static enum lf_status add_event(struct lf_journal *journal, int number, size_t len, struct lf_error *err)
{
    char id[32], *body = calloc(1, len + 1);
    snprintf(id, sizeof id, "evt_%d", number);
    struct lf_event_row row = {.id = id,
                               .source = (char *)"mqtt",
                               .fate = LF_FATE_JOB,
                               .body = body,
                               .body_len = len};
    enum lf_status status = lf_journal_event_add(journal, &row, err);
    free(body);
    return status;
}

/* Larger than what SQLite keeps in memory, so that it has to read again. */
static void fill(struct lf_journal *journal)
{
    for (int i = 0; i < 60; i++)
        NEED(add_event(journal, i, 200000, UNIT_ERROR) == LF_OK);
}

static void found_while_running(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    struct lf_event_row row;
    fill(journal);
    lf_journal_close(journal);
    journal = open_journal();
    int fd = open(path, O_RDWR);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    static char junk[64 * 1024];
    memset(junk, 0x5A, sizeof junk);
    for (off_t at = 200 * 1024; at < size; at += (off_t)sizeof junk)
        NEED(pwrite(fd, junk, sizeof junk, at) == (ssize_t)sizeof junk);
    close(fd);
    bool seen = false;
    for (int i = 0; i < 60; i++) {
        char id[32];
        snprintf(id, sizeof id, "evt_%d", i);
        seen = lf_journal_event_get(journal, id, &row, &err) == LF_CORRUPT || seen;
        lf_event_row_free(&row);
    }
    NEED(seen);
    CHECK_INT(lf_journal_begin(journal, &err), LF_CORRUPT);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "labferry journal-export");
    CHECK_INT(add_event(journal, 1000, 10, &err), LF_CORRUPT);
    CHECK(lf_journal_set(journal, "a", "b", &err) != LF_OK); /* outside of a transaction as well */
    CHECK_INT(lf_journal_works(journal, &err), LF_CORRUPT);
    lf_journal_close(journal);
}

static void in_the_middle_of_a_transaction(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    struct lf_event_row row;
    fill(journal);
    lf_journal_close(journal);
    journal = open_journal();
    NEED(lf_journal_begin(journal, &err) == LF_OK);
    NEED(lf_journal_set(journal, "promise", "made", &err) == LF_OK);
    NEED(truncate(path, 300 * 1024) == 0);
    bool seen = false;
    for (int i = 0; i < 60; i++) {
        char id[32];
        snprintf(id, sizeof id, "evt_%d", i);
        enum lf_status status = lf_journal_event_get(journal, id, &row, &err);
        seen = status == LF_CORRUPT || seen;
        lf_event_row_free(&row);
    }
    NEED(seen);
    CHECK_INT(lf_journal_end(journal, LF_OK, &err), LF_CORRUPT); /* nothing is promised any more */
    lf_journal_close(journal);
}

static void gone_and_back(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    char away[600];
    snprintf(away, sizeof away, "%s/away.db", unit_folder());
    NEED(add_event(journal, 1, 10, UNIT_ERROR) == LF_OK);
    NEED(rename(path, away) == 0);
    CHECK_INT(add_event(journal, 2, 10, &err), LF_IO);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "is gone or was replaced");
    CHECK_INT(lf_journal_works(journal, &err), LF_IO);
    unit_write(path, "another");
    CHECK_INT(add_event(journal, 2, 10, &err), LF_IO);
    NEED(rename(away, path) == 0);
    CHECK_INT(add_event(journal, 2, 10, &err), LF_OK);
    CHECK_INT(lf_journal_works(journal, &err), LF_OK);
    char wal[600];
    snprintf(wal, sizeof wal, "%s-wal", path);
    NEED(rename(wal, away) == 0);
    CHECK_INT(add_event(journal, 3, 10, &err), LF_IO);
    NEED(rename(away, wal) == 0);
    CHECK_INT(add_event(journal, 3, 10, &err), LF_OK);
    lf_journal_close(journal);
}

static void missing_at_the_start(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err;
    struct stat st;
    char lock[600], away[600];
    snprintf(lock, sizeof lock, "%s.lock", path);
    snprintf(away, sizeof away, "%s/away.db", unit_folder());
    NEED(add_event(journal, 1, 10, UNIT_ERROR) == LF_OK);
    lf_journal_close(journal);
    NEED(rename(path, away) == 0);
    CHECK_INT(try_open(&journal, &err), LF_NOT_FOUND);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "there was one");
    CHECK_HAS(err.text, "remove ");
    CHECK(stat(path, &st) != 0);
    unit_write(path, ""); /* an empty file would be an empty database */
    CHECK_INT(try_open(&journal, &err), LF_NOT_FOUND);
    NEED(rename(away, path) == 0);
    CHECK_INT(try_open(&journal, &err), LF_OK);
    lf_journal_close(journal);
    NEED(unlink(path) == 0 && unlink(lock) == 0); /* meant so */
    CHECK_INT(try_open(&journal, &err), LF_OK);
    lf_journal_close(journal);
}

static void no_room_for_a_while(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    struct rlimit before, small;
    NEED(add_event(journal, 1, 10, UNIT_ERROR) == LF_OK);
    signal(SIGXFSZ, SIG_IGN);
    NEED(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = 4096;
    NEED(setrlimit(RLIMIT_FSIZE, &small) == 0);
    enum lf_status status = add_event(journal, 2, 100000, &err),
                   works = lf_journal_works(journal, UNIT_ERROR);
    NEED(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(status == LF_IO || status == LF_FULL);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, status == LF_IO ? strerror(EFBIG) : "no room");
    CHECK(works == LF_IO || works == LF_FULL);
    CHECK_INT(lf_journal_works(journal, &err), LF_OK);
    CHECK_INT(add_event(journal, 2, 100000, &err), LF_OK);
    lf_journal_close(journal);
}

/* Somebody takes the lock file for one left behind, and removes it. */
static void lock_file_removed(void)
{
    struct lf_journal *first = open_journal(), *second;
    struct lf_error err;
    char lock[600];
    snprintf(lock, sizeof lock, "%s.lock", path);
    struct lf_job job = {.kind = (char *)"task",
                         .instrument = (char *)"robot",
                         .key = (char *)"k",
                         .step = "run",
                         .state = LF_JOB_RUNNING};
    NEED(lf_journal_job_add(first, &job, NULL, UNIT_ERROR) == LF_OK);
    NEED(unlink(lock) == 0);
    CHECK_INT(try_open(&second, &err), LF_BUSY);
    CHECK_HAS(err.text, "in use by another labferryd");
    struct lf_job seen;
    NEED(lf_journal_job_get(first, job.id, &seen, UNIT_ERROR) == LF_OK);
    CHECK_INT(seen.state, LF_JOB_RUNNING); /* nobody has taken it up */
    lf_job_free(&seen);
    lf_journal_close(first);
    CHECK_INT(try_open(&second, &err), LF_OK);
    lf_journal_close(second);
}

static void acts(int number)
{
    struct lf_journal *journal = open_journal();
    char key[20];
    snprintf(key, sizeof key, "job %d", number);
    struct lf_job job = {.kind = (char *)"task",
                         .instrument = (char *)"robot",
                         .key = key,
                         .step = "run",
                         .state = LF_JOB_RUNNING};
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    job.acting = true;
    NEED((job.fields = cJSON_CreateObject()) && lf_journal_job_save(journal, &job, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    CHECK_INT(lf_journal_missing(journal), 0);
    lf_journal_close(journal);
}

/* Entries that were rolled back are not missing. */
static void acted_and_rolled_back(void)
{
    acts(1);
    struct lf_journal *journal = open_journal();
    struct lf_job job;
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_job_get(journal, 1, &job, UNIT_ERROR) == LF_OK);
    for (int i = 0; i < 2; i++) {
        job.acting = !job.acting;
        CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK);
    }
    lf_job_free(&job);
    lf_journal_rollback(journal);
    CHECK_INT(lf_journal_set(journal, "small", "thing", UNIT_ERROR), LF_OK);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_set(journal, "small", "other thing", UNIT_ERROR), LF_OK);
    NEED(lf_journal_end(journal, LF_OK, UNIT_ERROR) == LF_OK);
    lf_journal_close(journal);
    acts(2); /* finds nothing missing */
}

static void copy_file(const char *from, const char *to)
{
    struct lf_buffer bytes = {0};
    NEED(lf_file_read(from, 1 << 26, &bytes, UNIT_ERROR) == LF_OK);
    FILE *file = fopen(to, "wb");
    NEED(file && fwrite(bytes.data, 1, bytes.len, file) == bytes.len && fclose(file) == 0);
    lf_buffer_free(&bytes);
}

static void older_copy(void)
{
    char copy[600];
    struct lf_journal *journal;
    acts(1);
    snprintf(copy, sizeof copy, "%s.copy", path);
    copy_file(path, copy);
    acts(2);
    copy_file(copy, path);
    journal = open_journal();
    CHECK(lf_journal_missing(journal) > 0);
    lf_journal_close(journal); /* nothing was recorded about it */
    journal = open_journal();
    CHECK(lf_journal_missing(journal) > 0);
    NEED(lf_journal_audit_add(journal, "agent", "audit", NULL, "an older copy", UNIT_ERROR) == LF_OK);
    lf_journal_missing_noted(journal);
    lf_journal_close(journal);
    acts(3); /* it goes on, from where it stands */
    acts(4);
}

/* What earlier versions wrote. */
static const char old_lock[] = "A journal was begun here. Without it the agent does not start here.\n"
                               "The last action was noted as entry 0000000000000000009 of its audit trail.\n";

static void lock_file_format(void)
{
    struct lf_buffer bytes = {0};
    struct lf_error err;
    struct lf_journal *journal;
    char lock[600];
    acts(1);
    snprintf(lock, sizeof lock, "%s.lock", path);
    NEED(lf_file_read(lock, 1000, &bytes, UNIT_ERROR) == LF_OK);
    char *text = lf_buffer_take(&bytes);
    CHECK_STR(text, "A journal was begun here. Without it the agent does not start here.\n"
                    "The last action was noted as entry 0000000000000000001 of its audit "
                    "trail.\n");
    free(text);
    FILE *file = fopen(lock, "wb");
    NEED(file && fputs(old_lock, file) >= 0 && fclose(file) == 0);
    journal = open_journal();
    CHECK_INT(lf_journal_missing(journal), 8);
    lf_journal_close(journal);
    unlink(path);
    CHECK_INT(try_open(&journal, &err), LF_NOT_FOUND);
}

UNIT_TESTS("journal health", {"the lock file stays as earlier versions wrote it", lock_file_format},
           {"an older copy of a journal is recognised by the action that it lacks", older_copy},
           {"an action that was rolled back is not missed", acted_and_rolled_back},
           {"no second agent opens a journal in use, even when its lock file was removed", lock_file_removed},
           {"damage found while running ends all writing, and the error says what to do",
            found_while_running},
           {"a transaction in which damage is found is not committed", in_the_middle_of_a_transaction},
           {"a journal that is moved away or replaced accepts nothing until it is back", gone_and_back},
           {"a journal that is missing is never silently replaced by an empty one", missing_at_the_start},
           {"a disk that is full for a while is reported, and work goes on afterwards",
            no_room_for_a_while}, )

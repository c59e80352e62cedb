/* Can the journal be written, and is it still the file that it was?
 *
 * Damage found while the agent runs ends all writing: from then on SQLite refuses it (query_only); reading
 * goes on. Trouble with the disk is temporary: what fails is rolled back, and the caller tries again.
 *
 * The lock file says whether a journal was ever created, so a start without one knows that it is missing. It
 * also has the number of the audit entry of the last action, so a start on an older copy of the journal knows
 * that there were actions the copy does not know of and would repeat.
 */
#include "journal/audit.h"
#include "journal/db.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "os/dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void journal__health_note(struct lf_journal *journal, int code)
{
    switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: journal->damaged = true; break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: journal->trouble = true; break;
    }
    if (journal->damaged && journal->path)
        sqlite3_exec(journal->db, "PRAGMA query_only = ON", NULL, NULL, NULL);
}

enum lf_status journal__health_damaged(const struct lf_journal *journal, const char *doing, const char *why,
                                       struct lf_error *err)
{
    return lf_fail(
        err, LF_CORRUPT, LF_NEEDS_PERSON,
        "journal: %s: the database%s%s is damaged (%s). No work is accepted or done. Stop the agent and keep "
        "the file. `labferry journal-check FILE` shows what is wrong, `labferry journal-export FILE` saves "
        "what is still readable. The agent never starts on an empty journal by itself",
        doing, journal->path ? " " : "", journal->path ? journal->path : "", why);
}

/* SQLite would go on writing to a file that was moved or removed. */
static bool moved(struct lf_journal *journal)
{
    int gone = 0;
    struct lf_file_info info;
    struct lf_error ignored;
    char wal[4200];
    snprintf(wal, sizeof wal, "%s-wal", journal->path); /* PATH_MAX is less */
    return sqlite3_file_control(journal->db, NULL, SQLITE_FCNTL_HAS_MOVED, &gone) == SQLITE_OK
           && (gone || (journal->ready && lf_path_look(wal, &info, &ignored) != LF_OK));
}

enum lf_status journal__health_check(struct lf_journal *journal, struct lf_error *err)
{
    if (journal->damaged)
        return journal__health_damaged(journal, "refused", "found while the agent ran", err);
    if (!moved(journal))
        return LF_OK;
    journal->trouble = true;
    return lf_fail(
        err, LF_IO, LF_NEEDS_PERSON,
        "the journal %s is gone or was replaced. No work is accepted or done until the original file (with "
        "its -wal) is back. If it is lost, stop the agent and restore a copy",
        journal->path);
}

enum lf_status lf_journal_works(struct lf_journal *journal, struct lf_error *err)
{
    char now[LF_TIME_TEXT];
    enum lf_status status = LF_OK;
    lf_mutex_lock(&journal->mutex);
    if (!journal->trouble) {
        status = journal__health_check(journal, err);
    } else if ((status = lf_journal_begin(journal, err)) == LF_OK) {
        lf_time_format(lf_clock_wall_ms(), now);
        status = lf_journal_end(journal, lf_journal_set(journal, "journal.tried", now, err), err);
    }
    lf_mutex_unlock(&journal->mutex);
    return status;
}

/* ---- a journal that is missing ---- */

/* The lock file, as all versions write and read it: BEGUN from its start, the last action at ACTED_AT. */
#define BEGUN "A journal was begun here. Without it the agent does not start here.\n"
#define ACTED "The last action was noted as entry "
enum { ACTED_AT = 68 };
_Static_assert(sizeof BEGUN - 1 == ACTED_AT, "BEGUN ends where the last action begins");

enum lf_status journal__health_not_missing(struct lf_journal *journal, struct lf_error *err)
{
    struct lf_file_info lock, file;
    if (lf_file_look(&journal->lock, &lock, err) != LF_OK || lock.size == 0
        || (lf_path_look(journal->path, &file, err) == LF_OK && file.size > 0))
        return LF_OK;
    return lf_fail(
        err, LF_NOT_FOUND, LF_NEEDS_PERSON,
        "the journal is missing or empty, but there was one: without it the agent would forget its jobs. Put "
        "it back (with its -wal, if there is one) or restore a copy. To start over with an empty journal, "
        "remove %s.lock",
        journal->path);
}

enum lf_status journal__health_begun(struct lf_journal *journal, struct lf_error *err)
{
    struct lf_file_info lock;
    journal->ready = true;
    if (lf_file_look(&journal->lock, &lock, err) != LF_OK || lock.size > 0)
        return LF_OK;
    enum lf_status status = lf_dir_sync_parent(journal->path,
                                               err); /* the mark must not exist before the journal does */
    if (status == LF_OK)
        status = lf_file_append(&journal->lock, BEGUN, ACTED_AT, err);
    if (status == LF_OK)
        status = lf_file_sync(&journal->lock, err);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot write the lock file of the journal");
}

/* ---- a journal that is older than it was ---- */

void journal__health_acts(struct lf_journal *journal)
{
    char text[80];
    struct lf_error err;
    journal->acts = false;
    journal->acted = journal->audited;
    int len = snprintf(text, sizeof text, ACTED "%019" PRId64 " of its audit trail.\n", journal->audited);
    if (lf_file_write_at(&journal->lock, ACTED_AT, text, (size_t)len, &err) != LF_OK)
        lf_log_warning(
            "journal",
            "cannot note the last action in %s.lock: an older copy of the journal would go unnoticed",
            journal->path);
}

enum lf_status journal__health_compare(struct lf_journal *journal, struct lf_error *err)
{
    struct lf_audit_head head;
    struct lf_error unread;
    char text[80] = "";
    enum lf_status status = lf_journal_audit_head(journal, &head, err);
    size_t len;
    journal->opened = head.seq;
    if (status != LF_OK
        || lf_file_read_at(&journal->lock, ACTED_AT, text, sizeof text - 1, &len, &unread) != LF_OK
        || strncmp(text, ACTED, sizeof ACTED - 1) != 0)
        return status;
    int64_t acted = strtoll(text + sizeof ACTED - 1, NULL, 10);
    journal->missing = acted > head.seq ? acted - head.seq : 0;
    return LF_OK;
}

int64_t lf_journal_missing(const struct lf_journal *journal)
{
    return journal->missing;
}

void lf_journal_missing_noted(struct lf_journal *journal)
{
    lf_mutex_lock(&journal->mutex);
    if (journal->audited)
        journal__health_acts(journal);
    lf_mutex_unlock(&journal->mutex);
}

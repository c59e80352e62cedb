/* Limits and free space: the only place that decides whether there is room for more. */
#include "journal/db.h"

#include "os/dir.h"

enum { MB = 1000000 };

void lf_journal_limit(struct lf_journal *journal, const struct lf_journal_limits *limits)
{
    lf_mutex_lock(&journal->mutex);
    journal->limits = *limits;
    lf_mutex_unlock(&journal->mutex);
}

static int64_t journal_bytes(struct lf_journal *journal)
{
    struct lf_error err;
    int64_t bytes = -1;
    enum lf_status status = journal__query_int(
        journal, &bytes, &err,
        "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, "
        "pragma_page_size",
        "");
    return status == LF_OK ? bytes : -1;
}

/* -1 if the folder cannot be read. */
static int64_t folder_bytes(const char *path)
{
    struct lf_dir dir;
    struct lf_dir_list *list = NULL;
    struct lf_file_info info;
    struct lf_error err;
    int64_t total = -1;
    if (lf_dir_open(path, &dir, &err) == LF_OK && lf_dir_list(&dir, &list, &err) == LF_OK)
        for (total = 0; lf_dir_next(list, &info, &err);)
            total += info.kind == LF_KIND_FILE ? info.size : 0;
    lf_dir_list_close(list);
    lf_dir_close(&dir);
    return total;
}

void lf_journal_use(struct lf_journal *journal, struct lf_journal_use *use)
{
    lf_mutex_lock(&journal->mutex);
    const char *spool = journal->limits.spool_dir;
    *use = (struct lf_journal_use){
        .limits = journal->limits,
        .bytes = journal_bytes(journal),
        .outbox = journal->tally.outbox,
        .unused = journal->tally.unused,
        .outbox_dropped = journal->tally.outbox_dropped,
        .unused_dropped = journal->tally.unused_dropped,
        .dismissed = journal->tally.dismissed,
        .dismissed_dropped = journal->tally.dismissed_dropped,
        .disk_free = lf_disk_free(journal->path),
    };
    lf_mutex_unlock(&journal->mutex);
    use->spool = spool ? folder_bytes(spool) : -1;
    use->spool_disk_free = spool ? lf_disk_free(spool) : -1;
}

static enum lf_status check_limit(int64_t used, int64_t limit, const char *what, const char *setting,
                                  const char *next, struct lf_error *err)
{
    if (!limit || used < limit)
        return LF_OK;
    return lf_fail(err, LF_FULL, LF_TRANSIENT, "%s holds %lld MB of at most %lld MB (%s): %s", what,
                   (long long)(used / MB), (long long)(limit / MB), setting, next);
}

enum lf_status lf_journal_room(struct lf_journal *journal, enum lf_room room, struct lf_error *err)
{
    lf_mutex_lock(&journal->mutex);
    struct lf_journal_limits limits = journal->limits;
    int64_t bytes = room == LF_ROOM_WORK && limits.bytes ? journal_bytes(journal) : 0;
    lf_mutex_unlock(&journal->mutex);
    const char *disk = room == LF_ROOM_WORK ? journal->path : limits.spool_dir;
    enum lf_status status =
        room == LF_ROOM_WORK
            ? check_limit(bytes, limits.bytes, "the journal", "agent.journal_max",
                          "no new work is accepted until old entries are removed (agent.keep, "
                          "agent.audit_keep)",
                          err)
            : check_limit(limits.spool ? folder_bytes(disk) : 0, limits.spool, "the spool", "agent.spool_max",
                          "files are accepted again when jobs that hold files have ended", err);
    int64_t left = limits.reserve ? lf_disk_free(disk) : -1;
    if (status != LF_OK || left < 0 || left >= limits.reserve)
        return status;
    return lf_fail(err, LF_FULL, LF_TRANSIENT,
                   "the disk of %s has %lld MB free and %lld MB are kept in reserve (agent.disk_reserve): no "
                   "new %s accepted. Free some space",
                   disk, (long long)(left / MB), (long long)(limits.reserve / MB),
                   room == LF_ROOM_WORK ? "work is" : "files are");
}

/* Archiving a result that the cloud has: <archive>/<day the result was written>/<its path below the outbox>.
 *
 * Nothing in the archive is ever replaced: a taken name gets "~2", "~3" ... before its ending, unless the
 * same bytes lie there already. Every step may be cut off and the whole called again: a result that is gone
 * was archived; one that is there and in the archive with the same bytes (the copy to another file system was
 * finished) is only removed. The companions go first: a done marker left behind would declare the next result
 * of that name finished too early.
 *
 * Between looking at the version and moving, the instrument may have written a new one; what was moved is
 * looked at again and put back if it is not what the cloud has. */
#include "beneath.h"
#include "folder.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS_MAX = 1000, NAME_ROOM = 300 };

/* plate.csv, plate~2.csv, plate~3.csv ... */
static void numbered(const char *name, int number, char out[NAME_ROOM])
{
    const char *dot = strrchr(name, '.');
    if (number == 1)
        snprintf(out, NAME_ROOM, "%s", name);
    else if (!dot || dot == name)
        snprintf(out, NAME_ROOM, "%s~%d", name, number);
    else
        snprintf(out, NAME_ROOM, "%.*s~%d%s", (int)(dot - name), name, number, dot);
}

/* LF_OK, LF_EXISTS, or LF_IO with errno (EXDEV: another file system). */
static enum lf_status move_new(int from_dir, const char *from, int to_dir, const char *to)
{
    struct stat st;
    enum lf_status status = lf_rename_new(from_dir, from, to_dir, to);
    if (status != LF_UNSUPPORTED)
        return status;
    if (linkat(from_dir, from, to_dir, to, 0) == 0)
        return unlinkat(from_dir, from, 0) == 0 ? LF_OK : LF_IO;
    if (errno == EEXIST)
        return LF_EXISTS;
    if (errno == EXDEV)
        return LF_IO;
    if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return LF_EXISTS;
    return renameat(from_dir, from, to_dir, to) == 0 ? LF_OK : LF_IO;
}

static bool same_bytes(struct lf_folder *folder, int a_dir, const char *a, int b_dir, const char *b)
{
    char left[LF_SHA256_HEX], right[LF_SHA256_HEX];
    struct lf_error ignored;
    struct stat a_st, b_st;
    if (fstatat(a_dir, a, &a_st, AT_SYMLINK_NOFOLLOW) != 0
        || fstatat(b_dir, b, &b_st, AT_SYMLINK_NOFOLLOW) != 0 || a_st.st_size != b_st.st_size)
        return false;
    return folder__beneath_digest(a_dir, a, folder->host->cancel, left, &ignored) == LF_OK
           && folder__beneath_digest(b_dir, b, folder->host->cancel, right, &ignored) == LF_OK
           && !strcmp(left, right);
}

/* Copies to a hidden name in the archive, durable and read back; then the copy can be renamed there. */
static enum lf_status copy_over(struct lf_folder *folder, int from_dir, const char *name, int to_dir,
                                const char *part, struct lf_error *err)
{
    char sha256[LF_SHA256_HEX], back[LF_SHA256_HEX];
    struct stat st;
    int64_t size;
    int to = -1;
    enum lf_status status = LF_OK;
    int from = folder__beneath_open(from_dir, name, &st);
    if (from >= 0)
        to = openat(to_dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (to < 0) {
        status = lf_fail_errno(err, "cannot copy %s to the archive", name);
        goto done;
    }
    status = lf_file_copy(from, to, INT64_MAX, folder->host->cancel, sha256, &size, err);
    if (status == LF_OK) {
        int ignored = futimens(to, (struct timespec[2]){st.st_atim, st.st_mtim});
        (void)ignored;
        status = folder__beneath_sync(to, err);
    }
    if (close(to) != 0 && status == LF_OK)
        status = lf_fail_errno(err, "cannot finish the copy of %s in the archive", name);
    if (status == LF_OK) {
        /* hidden names are not for folder__beneath_open's path rule: read back through the descriptor's
         * folder */
        int again = openat(to_dir, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        status = again < 0 ? lf_fail_errno(err, "cannot read the archived copy of %s", name)
                           : lf_file_copy(again, -1, INT64_MAX, folder->host->cancel, back, NULL, err);
        if (again >= 0)
            close(again);
        if (status == LF_OK && strcmp(sha256, back) != 0)
            status = lf_fail(err, LF_MISMATCH, LF_TRANSIENT, "the archived copy of %s reads back differently",
                             name);
    }
done:
    if (from >= 0)
        close(from);
    return status;
}

/* Removes a file whose bytes are in the archive; not if it has become another version meanwhile. */
static enum lf_status remove_original(struct lf_folder *folder, int dir, const char *name,
                                      const char *version, struct lf_error *err)
{
    char now[LF_VERSION_TEXT];
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? LF_OK : lf_fail_errno(err, "cannot look at %s", name);
    folder__version(folder, &st, now);
    if (version && strcmp(now, version) != 0)
        return LF_OK; /* a new version has come: it stays, and is found */
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return lf_fail_errno(err, "cannot remove %s after archiving it", name);
    return LF_OK;
}

/* Moves within one file system to the first free number. out: the name it got; empty when the bytes were
 * there already. */
static enum lf_status move_numbered(struct lf_folder *folder, int from_dir, const char *from, int to_dir,
                                    const char *name, const char *version, char out[NAME_ROOM],
                                    struct lf_error *err)
{
    for (int number = 1; number <= NUMBERS_MAX; number++) {
        numbered(name, number, out);
        switch (move_new(from_dir, from, to_dir, out)) {
        case LF_OK: return LF_OK;
        case LF_EXISTS: break;
        default:
            return errno == EXDEV ? LF_UNSUPPORTED
                                  : lf_fail_errno(err, "cannot move %s to the archive", name);
        }
        if (from[0] != '.' && same_bytes(folder, from_dir, from, to_dir, out)) {
            out[0] = '\0';
            return remove_original(folder, from_dir, from, version, err);
        }
    }
    return lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON, "the archive has %d files named like %s: tidy it up",
                   (int)NUMBERS_MAX, name);
}

static enum lf_status move_across(struct lf_folder *folder, int from_dir, const char *name, int to_dir,
                                  const char *version, struct lf_error *err)
{
    char part[NAME_ROOM], out[NAME_ROOM];
    struct stat st;
    for (int number = 1; number <= NUMBERS_MAX; number++) { /* was the copy finished before? */
        numbered(name, number, out);
        if (fstatat(to_dir, out, &st, AT_SYMLINK_NOFOLLOW) != 0)
            break;
        if (same_bytes(folder, from_dir, name, to_dir, out))
            return remove_original(folder, from_dir, name, version, err);
    }
    snprintf(part, sizeof part, ".%.250s.part-archive", name);
    enum lf_status status = copy_over(folder, from_dir, name, to_dir, part, err);
    if (status == LF_OK)
        status = move_numbered(folder, to_dir, part, to_dir, name, NULL, out, err);
    if (status == LF_OK)
        status = lf_dir_sync(to_dir, err);
    if (status != LF_OK) {
        unlinkat(to_dir, part, 0);
        return status;
    }
    return remove_original(folder, from_dir, name, version, err);
}

/* version NULL: any. */
static enum lf_status archive_one(struct lf_folder *folder, int from_dir, const char *name, int to_dir,
                                  const char *version, struct lf_error *err)
{
    char out[NAME_ROOM], now[LF_VERSION_TEXT];
    struct stat st;
    enum lf_status status = move_numbered(folder, from_dir, name, to_dir, name, version, out, err);
    if (status == LF_UNSUPPORTED)
        return move_across(folder, from_dir, name, to_dir, version, err);
    if (status != LF_OK || !version || !out[0])
        return status;
    if (fstatat(to_dir, out, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return lf_fail_errno(err, "cannot look at the archived %s", name);
    folder__version(folder, &st, now);
    if (!strcmp(now, version))
        return LF_OK;
    char back[NAME_ROOM];
    status = move_numbered(folder, to_dir, out, from_dir, name, NULL, back, err);
    return status == LF_OK ? lf_fail(err, LF_MISMATCH, LF_TRANSIENT,
                                     "%s was written anew while it was archived: it was put "
                                     "back and is found again",
                                     name)
                           : status;
}

/* ---- where to ---- */

static int open_archive(struct lf_folder *folder, const char *id, const struct stat *st, struct lf_error *err)
{
    char day[32] = "undated";
    struct tm local;
    int fd = -1, parent = -1;
    const char *archive = folder->options.archive;
    char *whole = archive[0] == '/' ? strdup(archive) : lf_format("%s/%s", folder->options.outbox, archive);
    time_t when = st->st_mtime;
    if (localtime_r(&when, &local))
        strftime(day, sizeof day, "%Y-%m-%d", &local);
    char *target = lf_format("%s/%s", day, id);
    if (!whole || !target) {
        lf_fail_memory(err, "archiving a result");
        goto done;
    }
    if (lf_dir_make(whole, 0775, err) != LF_OK)
        goto done;
    fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        parent = folder__beneath_parent(fd, target, true);
    if (parent < 0)
        lf_fail_errno(err, "cannot make the folder for %s in the archive %s", target, whole);
done:
    if (fd >= 0)
        close(fd);
    free(whole);
    free(target);
    return parent;
}

static void archive_companion(struct lf_folder *folder, int from_dir, const char *name, const char *pattern,
                              int to_dir)
{
    struct lf_error err = {0};
    struct stat st;
    char *companion = pattern ? folder__companion(name, pattern) : NULL;
    int fd = companion ? folder__beneath_open(from_dir, companion, &st) : -1;
    if (fd >= 0 && archive_one(folder, from_dir, companion, to_dir, NULL, &err) != LF_OK)
        lf_log_warning(folder->host->instrument, "the file %s beside a result was not archived: %s",
                       companion, err.text);
    if (fd >= 0)
        close(fd);
    free(companion);
}

enum lf_status folder__file(struct lf_folder *folder, const char *id, const char *version,
                            struct lf_error *err)
{
    char now[LF_VERSION_TEXT];
    struct stat st;
    int from_dir = -1, to_dir = -1;
    const char *name = folder__beneath_base(id);
    if (!folder->options.archive)
        return LF_OK;
    enum lf_status status = folder__alive(folder, err);
    if (status != LF_OK)
        return status;
    from_dir = folder__beneath_parent(folder->outbox, id, false);
    if (from_dir < 0 || fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        status = errno == ENOENT ? LF_OK : lf_fail_errno(err, "cannot archive %s", id);
        goto done;
    }
    folder__version(folder, &st, now);
    if (strcmp(now, version) != 0) {
        lf_log_info(folder->host->instrument,
                    "%s has been written anew: the new version stays and is collected", id);
        goto done;
    }
    to_dir = open_archive(folder, id, &st, err);
    if (to_dir < 0) {
        status = err->status;
        goto done;
    }
    archive_companion(folder, from_dir, name, folder->options.sidecar, to_dir);
    archive_companion(folder, from_dir, name, folder->options.done_marker, to_dir);
    status = archive_one(folder, from_dir, name, to_dir, version, err);
    if (status == LF_OK)
        status = lf_dir_sync(to_dir, err);
    if (status == LF_OK)
        status = lf_dir_sync(from_dir, err);
done:
    if (from_dir >= 0)
        close(from_dir);
    if (to_dir >= 0)
        close(to_dir);
    return status;
}

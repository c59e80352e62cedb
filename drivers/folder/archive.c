/* Archiving a result that the cloud has: <archive>/<day the result was written>/<its path below the outbox>.
 *
 * Nothing in the archive is ever replaced: a taken name gets "~2", "~3" ... before its extension, unless the
 * same bytes are there already. Any step may be interrupted and all of it called again: a result that is gone
 * was archived; one that is in the archive too, with the same bytes (the copy to another file system was
 * finished), is only removed. The companions go first: a done marker left behind would declare the next
 * result of that name finished too early.
 *
 * Between the check of the version and the move, the instrument may have written a new one: what was moved is
 * checked again, and put back if it is not what the cloud has. */
#include "beneath.h"
#include "folder.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 1000, NAME_ROOM = 300 };

/* plate.csv, plate~2.csv, plate~3.csv ... */
static void numbered(const char *name, int number, char out[NAME_ROOM])
{
    const char *dot = strrchr(name, '.');
    int stem = (int)(dot && dot != name ? (size_t)(dot - name) : strlen(name));
    if (number == 1)
        snprintf(out, NAME_ROOM, "%s", name);
    else
        snprintf(out, NAME_ROOM, "%.*s~%d%s", stem, name, number, name + stem);
}

/* LF_EXISTS: the name is taken; LF_MISMATCH: another file system. */
static enum lf_status move_new(const struct lf_dir *from_dir, const char *from, const struct lf_dir *to_dir,
                               const char *to, struct lf_error *err)
{
    struct lf_file_info info;
    enum lf_status status = lf_dir_rename_new(from_dir, from, to_dir, to, err);
    if (status != LF_UNSUPPORTED)
        return status;
    status = lf_dir_link(from_dir, from, to_dir, to, err);
    if (status == LF_OK)
        return lf_dir_remove(from_dir, from, err);
    if (status == LF_EXISTS || status == LF_MISMATCH)
        return status;
    if (lf_dir_look(to_dir, to, &info, err) == LF_OK)
        return LF_EXISTS;
    return lf_dir_rename_replace(from_dir, from, to_dir, to, err);
}

static bool same_bytes(struct lf_folder *folder, const struct lf_dir *a_dir, const char *a,
                       const struct lf_dir *b_dir, const char *b)
{
    char left[LF_SHA256_HEX], right[LF_SHA256_HEX];
    struct lf_error ignored;
    struct lf_file_info a_info, b_info;
    return lf_dir_look(a_dir, a, &a_info, &ignored) == LF_OK
           && lf_dir_look(b_dir, b, &b_info, &ignored) == LF_OK && a_info.size == b_info.size
           && folder__digest(a_dir, a, folder->host->cancel, left, &ignored) == LF_OK
           && folder__digest(b_dir, b, folder->host->cancel, right, &ignored) == LF_OK
           && !strcmp(left, right);
}

/* Copies to a hidden name in the archive, durable and read back; then the copy can be renamed there. */
static enum lf_status copy_over(struct lf_folder *folder, const struct lf_dir *from_dir, const char *name,
                                const struct lf_dir *to_dir, const char *part, struct lf_error *err)
{
    const struct lf_cancel *cancel = folder->host->cancel;
    char sha256[LF_SHA256_HEX], back[LF_SHA256_HEX];
    struct lf_file from, to = {0};
    struct lf_file_info info;
    bool copied = folder__beneath_open(from_dir, name, &from, &info, err) == LF_OK
                  && lf_dir_open_file(to_dir, part, LF_FILE_REPLACE, LF_PUBLIC, &to, err) == LF_OK
                  && lf_file_copy(&from, &to, INT64_MAX, cancel, sha256, NULL, err) == LF_OK;
    if (copied)
        lf_file_set_times(&to, &info);
    bool durable = copied && lf_file_sync(&to, err) == LF_OK && lf_file_finish(&to, err) == LF_OK;
    lf_file_close(&from);
    lf_file_close(&to);
    if (!durable || folder__digest(to_dir, part, cancel, back, err) != LF_OK)
        return lf_error_prefix(err, "cannot copy %s to the archive", name);
    if (strcmp(sha256, back) != 0)
        return lf_fail(err, LF_MISMATCH, LF_TRANSIENT, "the archived copy of %s reads back differently",
                       name);
    return LF_OK;
}

/* After archiving. The instrument may have written a new version meanwhile: that one stays, and is
 * collected. version NULL: any. */
static enum lf_status remove_original(struct lf_folder *folder, const struct lf_dir *dir, const char *name,
                                      const char *version, struct lf_error *err)
{
    struct lf_file_info info;
    enum lf_status status = lf_dir_look(dir, name, &info, err);
    if (status != LF_OK)
        return status == LF_NOT_FOUND ? LF_OK : lf_error_prefix(err, "cannot look at %s", name);
    if (version && !folder__is_version(folder, &info, version))
        return LF_OK;
    status = lf_dir_remove(dir, name, err);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot remove %s after archiving it", name);
}

/* Moves within one file system to the first free number. out: the name it got; empty when the bytes were
 * there already. LF_MISMATCH: another file system. */
static enum lf_status move_numbered(struct lf_folder *folder, const struct lf_dir *from_dir, const char *from,
                                    const struct lf_dir *to_dir, const char *name, const char *version,
                                    char out[NAME_ROOM], struct lf_error *err)
{
    struct lf_error ignored;
    struct lf_file_info info;
    for (int number = 1; number <= NUMBERS_MAX; number++) {
        enum lf_status status = LF_EXISTS;
        numbered(name, number, out);
        /* A move to another file system fails before it can find the name taken. */
        if (lf_dir_look(to_dir, out, &info, &ignored) != LF_OK)
            status = move_new(from_dir, from, to_dir, out, err);
        if (status == LF_OK || status == LF_MISMATCH)
            return status;
        if (status != LF_EXISTS)
            return lf_error_prefix(err, "cannot move %s to the archive", name);
        if (from[0] != '.' && same_bytes(folder, from_dir, from, to_dir, out)) {
            out[0] = '\0';
            return remove_original(folder, from_dir, from, version, err);
        }
    }
    return lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON,
                   "the archive has %d files named like %s: move some of them away", (int)NUMBERS_MAX, name);
}

static enum lf_status move_across(struct lf_folder *folder, const struct lf_dir *from_dir, const char *name,
                                  const struct lf_dir *to_dir, const char *version, struct lf_error *err)
{
    char part[NAME_ROOM], out[NAME_ROOM];
    struct lf_error ignored;
    snprintf(part, sizeof part, ".%.250s.part-archive", name);
    if (copy_over(folder, from_dir, name, to_dir, part, err) == LF_OK
        && move_numbered(folder, to_dir, part, to_dir, name, NULL, out, err) == LF_OK
        && lf_dir_sync(to_dir, err) == LF_OK)
        return remove_original(folder, from_dir, name, version, err);
    lf_dir_remove(to_dir, part, &ignored);
    return err->status;
}

/* version NULL: any. */
static enum lf_status archive_one(struct lf_folder *folder, const struct lf_dir *from_dir, const char *name,
                                  const struct lf_dir *to_dir, const char *version, struct lf_error *err)
{
    char out[NAME_ROOM], back[NAME_ROOM];
    struct lf_file_info info;
    enum lf_status status = move_numbered(folder, from_dir, name, to_dir, name, version, out, err);
    if (status == LF_MISMATCH)
        return move_across(folder, from_dir, name, to_dir, version, err);
    if (status != LF_OK || !version || !out[0])
        return status;
    if (lf_dir_look(to_dir, out, &info, err) != LF_OK)
        return lf_error_prefix(err, "cannot look at the archived %s", name);
    if (folder__is_version(folder, &info, version))
        return LF_OK;
    if (move_numbered(folder, to_dir, out, from_dir, name, NULL, back, err) != LF_OK)
        return err->status;
    return lf_fail(err, LF_MISMATCH, LF_TRANSIENT,
                   "%s was written again while it was archived: it was put back and is collected again",
                   name);
}

/* ---- where to ---- */

static enum lf_status open_archive(struct lf_folder *folder, const char *id, const struct lf_file_info *info,
                                   struct lf_dir *parent, struct lf_error *err)
{
    char day[LF_TIME_TEXT];
    struct lf_dir dir = {0};
    char *archive = lf_path_join(folder->options.outbox, folder->options.archive);
    lf_time_format_local(info->written_ns / 1000000, day);
    char *target = lf_format("%.10s/%s", day, id);
    enum lf_status status = LF_OK;
    if (!archive || !target)
        status = lf_fail_memory(err, "archiving a result");
    else if (lf_dir_make(archive, LF_SHARED, err) != LF_OK || lf_dir_open(archive, &dir, err) != LF_OK
             || folder__beneath_parent(&dir, target, true, parent, err) != LF_OK)
        status = lf_error_prefix(err, "cannot make the folder for %s in the archive %s", target, archive);
    lf_dir_close(&dir);
    free(archive);
    free(target);
    return status;
}

static void archive_companion(struct lf_folder *folder, const struct lf_dir *from_dir, const char *name,
                              const char *pattern, const struct lf_dir *to_dir)
{
    struct lf_error err;
    struct lf_file file;
    struct lf_file_info info;
    char *companion = folder__companion(name, pattern);
    if (companion && folder__beneath_open(from_dir, companion, &file, &info, &err) == LF_OK) {
        if (archive_one(folder, from_dir, companion, to_dir, NULL, &err) != LF_OK)
            lf_log_warning(folder->host->instrument, "the file %s beside a result was not archived: %s",
                           companion, err.text);
        lf_file_close(&file);
    }
    free(companion);
}

static enum lf_status archive_found(struct lf_folder *folder, const struct lf_dir *from, const char *id,
                                    const struct lf_file_info *info, const char *version,
                                    struct lf_error *err)
{
    struct lf_dir to = {0};
    const char *name = folder__beneath_base(id);
    if (!folder__is_version(folder, info, version)) {
        lf_log_info(folder->host->instrument,
                    "%s has been written again: the new version stays and is collected", id);
        return LF_OK;
    }
    enum lf_status status = open_archive(folder, id, info, &to, err);
    if (status == LF_OK) {
        archive_companion(folder, from, name, folder->options.sidecar, &to);
        archive_companion(folder, from, name, folder->options.done_marker, &to);
        status = archive_one(folder, from, name, &to, version, err);
    }
    if (status == LF_OK)
        status = lf_dir_sync(&to, err);
    lf_dir_close(&to);
    return status == LF_OK ? lf_dir_sync(from, err) : status;
}

enum lf_status folder__archive(void *device, const char *id, const char *version, struct lf_error *err)
{
    struct lf_folder *folder = device;
    struct lf_file_info info;
    struct lf_dir from;
    if (!folder->options.archive)
        return LF_OK;
    enum lf_status status = folder__alive(folder, err);
    if (status != LF_OK)
        return status;
    status = folder__beneath_parent(&folder->outbox, id, false, &from, err);
    if (status == LF_OK)
        status = lf_dir_look(&from, folder__beneath_base(id), &info, err);
    if (status == LF_OK)
        status = archive_found(folder, &from, id, &info, version, err);
    else
        status = status == LF_NOT_FOUND ? LF_OK : lf_error_prefix(err, "cannot archive %s", id);
    lf_dir_close(&from);
    return status;
}

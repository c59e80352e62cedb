/* Archiving a result that the cloud has: <archive>/<day the result was written>/<its path below the outbox>.
 *
 * Nothing in the archive is ever replaced: a taken name gets "~2", "~3" ... before its extension, unless the
 * same bytes are there already. Any step may be interrupted and all of it called again: a result that is gone
 * was archived; one that is in the archive too, with the same bytes (the copy to another file system was
 * finished), is only removed. The companions go first: a done marker left behind would declare the next
 * result of that name finished too early.
 *
 * Between the check of the version and the move, the instrument may have written a new one: what was moved is
 * checked again, with the digest of what was read, and put back if it is not what the cloud has. A program
 * that still has the file open can even write later: what was moved is looked at once more after a minute,
 * and put back if it has grown. If hundreds are moved within that minute, the oldest of them are looked at
 * sooner; if the agent ends, they are not. Of a copy on another file system there is nothing to look at
 * later: the original is removed only if it is still that version and no program has it open for writing, as
 * far as that is known. */
#include "beneath.h"
#include "folder.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 1000, NAME_ROOM = 300, LOOK_AGAIN_MS = 60 * 1000 };

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

static enum lf_status not_written(struct lf_folder *folder, const char *path, struct lf_error *err)
{
    bool known, written = false;
    struct lf_error ignored;
    struct lf_file file;
    struct lf_file_info info;
    if (folder->options.finish == LF_FINISH_STABLE
        && folder__beneath_open(&folder->outbox, path, &file, &info, &ignored) == LF_OK) {
        written = folder__is_written(folder, path, &file, &known);
        lf_file_close(&file);
    }
    return written
               ? lf_fail(err, LF_BUSY, LF_TRANSIENT,
                         "a program has %s open for writing: it is archived once that has closed it", path)
               : LF_OK;
}

/* What is to be archived. */
struct original {
    const struct lf_dir *dir;
    const char *name;
    const char *path;    /* below the outbox; NULL: a companion */
    const char *version; /* NULL: any */
    const char *sha256;  /* of what was read; NULL or empty: not known */
};

/* The copy takes its time: the original is looked at again before it is removed. */
static enum lf_status move_across(struct lf_folder *folder, const struct original *what,
                                  const struct lf_dir *to_dir, struct lf_error *err)
{
    char part[NAME_ROOM], out[NAME_ROOM];
    struct lf_error ignored;
    snprintf(part, sizeof part, ".%.250s.part-archive", what->name);
    if (copy_over(folder, what->dir, what->name, to_dir, part, err) != LF_OK
        || (what->path && not_written(folder, what->path, err) != LF_OK)
        || move_numbered(folder, to_dir, part, to_dir, what->name, NULL, out, err) != LF_OK
        || lf_dir_sync(to_dir, err) != LF_OK) {
        lf_dir_remove(to_dir, part, &ignored);
        return err->status;
    }
    return remove_original(folder, what->dir, what->name, what->version, err);
}

static bool is_what_was_read(struct lf_folder *folder, const struct lf_dir *dir, const char *name,
                             const char *version, const char *sha256)
{
    char now[LF_SHA256_HEX];
    struct lf_error ignored;
    struct lf_file_info info;
    return lf_dir_look(dir, name, &info, &ignored) == LF_OK && folder__is_version(folder, &info, version)
           && (!sha256 || !*sha256 || folder__digest(dir, name, folder->host->cancel, now, &ignored) != LF_OK
               || !strcmp(now, sha256));
}

/* out: its name in the archive; empty when it was copied, or the bytes were there already. */
static enum lf_status archive_one(struct lf_folder *folder, const struct original *what,
                                  const struct lf_dir *to_dir, char out[NAME_ROOM], struct lf_error *err)
{
    char back[NAME_ROOM];
    const char *name = what->name;
    enum lf_status status = move_numbered(folder, what->dir, name, to_dir, name, what->version, out, err);
    if (status == LF_MISMATCH) {
        out[0] = '\0';
        return move_across(folder, what, to_dir, err);
    }
    if (status != LF_OK || !what->version || !out[0]
        || is_what_was_read(folder, to_dir, out, what->version, what->sha256))
        return status;
    if (move_numbered(folder, to_dir, out, what->dir, name, NULL, back, err) != LF_OK)
        return err->status;
    return lf_fail(err, LF_MISMATCH, LF_TRANSIENT,
                   "%s was written again while it was archived: it was put back and is collected again",
                   name);
}

/* ---- where to ---- */

/* What the configuration says is below the outbox stays there, whatever lies at its path. */
enum lf_status folder__archive_open(const struct lf_folder *folder, bool make, struct lf_dir *dir,
                                    struct lf_error *err)
{
    const char *archive = folder->options.archive;
    lf_error_clear(err);
    if (!lf_path_is_absolute(archive))
        folder__beneath_enter(&folder->outbox, archive, make, dir, err);
    else if (!make || lf_dir_make(archive, LF_SHARED, err) == LF_OK)
        lf_dir_open(archive, dir, err);
    return err->status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot use %s as archive folder", archive);
}

static enum lf_status open_target(struct lf_folder *folder, const char *path, const struct lf_file_info *info,
                                  struct lf_dir *parent, char **target, struct lf_error *err)
{
    char day[LF_TIME_TEXT];
    struct lf_dir dir = {0};
    lf_time_format_local(info->written_ns / 1000000, day);
    *target = lf_format("%.10s/%s", day, path);
    enum lf_status status = *target ? folder__archive_open(folder, true, &dir, err)
                                    : lf_fail_memory(err, "archiving a result");
    if (status == LF_OK && (status = folder__beneath_parent(&dir, *target, true, parent, err)) != LF_OK)
        status = lf_error_prefix(err, "cannot make the folder for %s in the archive %s", *target,
                                 folder->options.archive);
    lf_dir_close(&dir);
    return status;
}

static void archive_companion(struct lf_folder *folder, const struct lf_dir *from_dir, const char *name,
                              const char *pattern, const struct lf_dir *to_dir)
{
    char out[NAME_ROOM];
    struct lf_error err;
    struct lf_file file;
    struct lf_file_info info;
    char *companion = folder__companion(name, pattern);
    if (companion && folder__beneath_open(from_dir, companion, &file, &info, &err) == LF_OK) {
        if (archive_one(folder, &(struct original){.dir = from_dir, .name = companion}, to_dir, out, &err)
            != LF_OK)
            lf_log_warning(folder->host->instrument, "the file %s beside a result was not archived: %s",
                           companion, err.text);
        lf_file_close(&file);
    }
    free(companion);
}

/* ---- once more ---- */

/* `target`: where it was to lie; `name`: the name it got there; empty if it was copied, or was there. */
static void look_again_later(struct lf_folder *folder, const char *id, const char *version,
                             const char *target, const char *name)
{
    struct lf_taken *taken = *name ? folder__taken(folder, id, version) : NULL;
    if (!taken && *name) /* it was taken before the last start, or long ago */
        taken = folder__taken_add(folder, id, version, "");
    if (!taken)
        return;
    free(taken->archived);
    taken->archived = lf_format("%.*s%s", (int)(folder__beneath_base(target) - target), target, name);
    taken->look_again = lf_deadline_in(LOOK_AGAIN_MS);
}

static void put_back(struct lf_folder *folder, const struct lf_taken *taken, const struct lf_dir *from)
{
    char back[NAME_ROOM] = "", about[300], text[LF_ERROR_TEXT];
    struct lf_error err = {0};
    struct lf_dir to = {0};
    const struct lf_host *host = folder->host;
    const char *name = folder__beneath_base(taken->archived);
    char *path = folder__id_path(taken->id);
    bool moved = path && folder__beneath_parent(&folder->outbox, path, true, &to, &err) == LF_OK
                 && move_numbered(folder, from, name, &to, folder__beneath_base(path), NULL, back, &err)
                        == LF_OK
                 && lf_dir_sync(&to, &err) == LF_OK && lf_dir_sync(from, &err) == LF_OK;
    snprintf(about, sizeof about, "archived result %.270s", taken->id);
    snprintf(text, sizeof text, "%.120s was written after it was uploaded and archived; %s%.200s", about,
             moved ? "it was put back, and is collected as a later version"
                   : "it lies in the archive, since ",
             moved ? "" : err.text);
    lf_log_warning(host->instrument, "%s", text);
    host->concern(host->self, about, false, text,
                  "compare what Benchling has with the file, and have the instrument close its results");
    lf_dir_close(&to);
    free(path);
}

void folder__archive_check(struct lf_folder *folder, const struct lf_taken *taken)
{
    struct lf_error ignored;
    struct lf_dir archive = {0}, parent = {0};
    struct lf_file_info info;
    bool there = folder__archive_open(folder, false, &archive, &ignored) == LF_OK
                 && folder__beneath_parent(&archive, taken->archived, false, &parent, &ignored) == LF_OK
                 && lf_dir_look(&parent, folder__beneath_base(taken->archived), &info, &ignored) == LF_OK;
    if (there && !folder__is_version(folder, &info, taken->version))
        put_back(folder, taken, &parent);
    lf_dir_close(&parent);
    lf_dir_close(&archive);
}

/* ---- the slot ---- */

static enum lf_status archive_found(struct lf_folder *folder, const struct lf_dir *from, const char *path,
                                    const struct lf_file_info *info, const char *id, const char *version,
                                    struct lf_error *err)
{
    const struct lf_taken *taken = folder__taken(folder, id, version);
    struct original what = {from, folder__beneath_base(path), path, version, taken ? taken->sha256 : NULL};
    char out[NAME_ROOM] = "", *target = NULL;
    struct lf_dir to = {0};
    enum lf_status status = not_written(folder, path, err);
    if (status == LF_OK)
        status = open_target(folder, path, info, &to, &target, err);
    if (status == LF_OK) {
        archive_companion(folder, from, what.name, folder->options.sidecar, &to);
        archive_companion(folder, from, what.name, folder->options.done_marker, &to);
        status = archive_one(folder, &what, &to, out, err);
    }
    if (status == LF_OK)
        look_again_later(folder, id, version, target, out);
    if (status == LF_OK)
        status = lf_dir_sync(&to, err);
    lf_dir_close(&to);
    free(target);
    return status == LF_OK ? lf_dir_sync(from, err) : status;
}

enum lf_status folder__archive(void *device, const char *id, const char *version, struct lf_error *err)
{
    struct lf_folder *folder = device;
    struct lf_file_info info;
    struct lf_dir from = {0};
    if (!folder->options.archive)
        return LF_OK;
    enum lf_status status = folder__alive(folder, err);
    if (status != LF_OK)
        return status;
    char *path = folder__id_path(id);
    if (!path)
        return lf_fail_memory(err, "archiving a result");
    status = folder__beneath_parent(&folder->outbox, path, false, &from, err);
    if (status == LF_OK)
        status = lf_dir_look(&from, folder__beneath_base(path), &info, err);
    if (status == LF_OK && !folder__is_version(folder, &info, version))
        lf_log_info(folder->host->instrument,
                    "%s has been written again: the new version stays and is collected", id);
    else if (status == LF_OK)
        status = archive_found(folder, &from, path, &info, id, version, err);
    else
        status = status == LF_NOT_FOUND ? LF_OK : lf_error_prefix(err, "cannot archive %s", id);
    lf_dir_close(&from);
    free(path);
    return status;
}

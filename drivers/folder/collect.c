/* Taking a result into the spool: the very version that was told, whole, or an error. */
#include "beneath.h"
#include "folder.h"

#include "base/digest.h"
#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* On network mounts inode numbers may change with every mount, which would make every file look new. */
static void format_version(const struct lf_folder *folder, int64_t size, int64_t mtime_ns, uint64_t inode,
                           char *text)
{
    snprintf(text, LF_VERSION_TEXT, "%" PRId64 "-%" PRId64 "-%" PRIu64, size, mtime_ns,
             folder->outbox_remote ? 0 : inode);
}

void folder__version(const struct lf_folder *folder, const struct stat *st, char text[LF_VERSION_TEXT])
{
    format_version(folder, (int64_t)st->st_size,
                   (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec, (uint64_t)st->st_ino,
                   text);
}

void folder__entry_version(const struct lf_folder *folder, const struct lf_entry *entry,
                           char text[LF_VERSION_TEXT])
{
    format_version(folder, entry->size, entry->mtime_ns, entry->inode, text);
}

static enum lf_status changed(const char *id, struct lf_error *err)
{
    return lf_fail(err, LF_MISMATCH, LF_TRANSIENT,
                   "the result %s has changed since it was found: it will be found anew when it is finished",
                   id);
}

static enum lf_status open_failed(const char *id, struct lf_error *err)
{
    int number = errno;
    if (number == EACCES || number == EPERM) /* a share says so also while another program holds the file */
        return lf_fail(
            err, LF_BUSY, LF_TRANSIENT,
            "the result %s cannot be read now: the instrument holds it, or the agent's user may not read it",
            id);
    if (number == EINVAL || number == ELOOP || number == ENOTDIR)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "the result %s is not a plain file below the outbox",
                       id);
    return lf_fail_errno(err, "cannot open the result %s", id);
}

enum lf_status folder__take(struct lf_folder *folder, const char *id, const char *version, int to,
                            int64_t max, struct lf_error *err)
{
    char now[LF_VERSION_TEXT], sha256[LF_SHA256_HEX];
    struct stat st;
    int64_t size = 0;
    enum lf_status status = folder__alive(folder, err);
    if (status != LF_OK)
        return status;
    int fd = folder__beneath_open(folder->outbox, id, &st);
    if (fd < 0)
        return open_failed(id, err);
    folder__version(folder, &st, now);
    if (strcmp(now, version) != 0) {
        status = changed(id, err);
        goto done;
    }
    if ((int64_t)st.st_size > max) {
        status = lf_fail(err, LF_TOO_LARGE, LF_NEEDS_PERSON,
                         "the result %s has %lld bytes, more than the limit of %lld", id,
                         (long long)st.st_size, (long long)max);
        goto done;
    }
    status = lf_file_copy(fd, to, max, folder->host->cancel, sha256, &size, err);
    if (status != LF_OK) {
        lf_error_prefix(err, "the result %s", id);
        goto done;
    }
    if (fstat(fd, &st) != 0) {
        status = lf_fail_errno(err, "cannot look at the result %s", id);
        goto done;
    }
    folder__version(folder, &st, now);
    if (strcmp(now, version) != 0 || size != (int64_t)st.st_size)
        status = changed(id, err);
done:
    close(fd);
    return status;
}

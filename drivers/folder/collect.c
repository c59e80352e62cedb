/* Taking a result into the spool: the very version that was reported, complete, or an error. */
#include "beneath.h"
#include "folder.h"

#include "base/digest.h"
#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* On network mounts ids may change with every mount, which would make every file look new. */
void folder__version(const struct lf_folder *folder, const struct lf_file_info *info,
                     char text[LF_VERSION_TEXT])
{
    snprintf(text, LF_VERSION_TEXT, "%" PRId64 "-%" PRId64 "-%" PRIu64, info->size, info->written_ns,
             folder->outbox_remote ? 0 : info->id);
}

bool folder__is_version(const struct lf_folder *folder, const struct lf_file_info *info, const char *version)
{
    char now[LF_VERSION_TEXT];
    folder__version(folder, info, now);
    return !strcmp(now, version);
}

static enum lf_status open_failed(const char *id, struct lf_error *err)
{
    if (err->status == LF_DENIED) /* a share also reports this while another program holds the file */
        return lf_fail(err, LF_BUSY, LF_TRANSIENT,
                       "the result %s cannot be read now: the instrument holds it, or the agent's user may "
                       "not read it",
                       id);
    if (err->status == LF_INVALID)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "the result %s is not a regular file in the outbox",
                       id);
    return lf_error_prefix(err, "cannot open the result %s", id);
}

static enum lf_status not_the_version(const char *id, struct lf_error *err)
{
    return lf_fail(err, LF_MISMATCH, LF_TRANSIENT,
                   "the result %s has changed since it was found: it is collected again once it is finished",
                   id);
}

static enum lf_status copy_version(struct lf_folder *folder, const char *id, const char *version,
                                   const struct lf_file *file, const struct lf_file *to, int64_t max,
                                   struct lf_error *err)
{
    char sha256[LF_SHA256_HEX];
    struct lf_file_info info;
    int64_t size = 0;
    if (lf_file_copy(file, to, max, folder->host->cancel, sha256, &size, err) != LF_OK)
        return lf_error_prefix(err, "the result %s", id);
    if (lf_file_look(file, &info, err) != LF_OK)
        return lf_error_prefix(err, "cannot look at the result %s", id);
    if (!folder__is_version(folder, &info, version) || size != info.size)
        return not_the_version(id, err);
    if (to)
        folder__taken_add(folder, id, version, sha256);
    return LF_OK;
}

static enum lf_status take_open(struct lf_folder *folder, const char *id, const char *path,
                                const char *version, const struct lf_file *file,
                                const struct lf_file_info *info, const struct lf_file *to, int64_t max,
                                struct lf_error *err)
{
    bool known;
    if (!folder__is_version(folder, info, version))
        return not_the_version(id, err);
    if (info->size > max)
        return lf_fail(err, LF_TOO_LARGE, LF_NEEDS_PERSON,
                       "the result %s has %lld bytes, more than the limit of %lld", id, (long long)info->size,
                       (long long)max);
    /* Looked at again right before reading: a program may have opened it since it was found. */
    if (to && folder->options.finish == LF_FINISH_STABLE && folder__is_written(folder, path, file, &known))
        return lf_fail(err, LF_BUSY, LF_TRANSIENT,
                       "a program has the result %s open for writing: it is taken once that has closed it",
                       id);
    return copy_version(folder, id, version, file, to, max, err);
}

enum lf_status folder__take(void *device, const char *id, const char *version, const struct lf_file *to,
                            int64_t max, struct lf_error *err)
{
    struct lf_folder *folder = device;
    struct lf_file file;
    struct lf_file_info info;
    enum lf_status status = folder__alive(folder, err);
    if (status != LF_OK)
        return status;
    char *path = folder__id_path(id);
    if (!path)
        return lf_fail_memory(err, "taking a result");
    if (folder__beneath_open(&folder->outbox, path, &file, &info, err) != LF_OK)
        status = open_failed(id, err);
    else
        status = take_open(folder, id, path, version, &file, &info, to, max, err);
    lf_file_close(&file);
    free(path);
    return status;
}

#include "base/file.h"

#include "base/digest.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static enum lf_status read_rest(int fd, const char *path, size_t max, struct lf_buffer *out,
                                struct lf_error *err)
{
    enum { STEP = 64 * 1024 };
    out->max = max + STEP;
    for (;;) {
        char *room = lf_buffer_reserve(out, STEP);
        if (!room)
            return lf_fail_memory(err, "reading a file");
        ssize_t got = read(fd, room, STEP);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lf_fail_errno(err, "cannot read %s", path);
        if (got == 0)
            break;
        out->len += (size_t)got;
        if (out->len > max)
            return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT,
                           "%s is larger than %zu bytes, the most that is read here", path, max);
    }
    out->data[out->len] = '\0';
    return LF_OK;
}

enum lf_status lf_file_read(const char *path, size_t max, struct lf_buffer *out, struct lf_error *err)
{
    lf_buffer_clear(out);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return lf_fail_errno(err, "cannot open %s", path);
    enum lf_status status = read_rest(fd, path, max, out, err);
    close(fd);
    return status;
}

static enum lf_status check_secret(int fd, const char *path, struct lf_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return lf_fail_errno(err, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s holds a secret and must be a plain file", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "%s holds a secret but others may read it (mode %04o): run chmod 600 %s", path,
                       (unsigned)(st.st_mode & 07777), path);
    return LF_OK;
}

enum lf_status lf_file_check_secret(const char *path, struct lf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return lf_fail_errno(err, "cannot open %s", path);
    enum lf_status status = check_secret(fd, path, err);
    close(fd);
    return status;
}

enum lf_status lf_file_read_secret(const char *path, struct lf_buffer *out, struct lf_error *err)
{
    enum { SECRET_MAX = 64 * 1024 };
    lf_buffer_clear(out);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return lf_fail_errno(err, "cannot open %s", path);
    enum lf_status status = check_secret(fd, path, err);
    if (status == LF_OK)
        status = read_rest(fd, path, SECRET_MAX, out, err);
    close(fd);
    if (status != LF_OK)
        return status;
    if (out->len && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    if (out->len && out->data[out->len - 1] == '\r')
        out->data[--out->len] = '\0';
    if (!out->len)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s is empty; it should hold the secret", path);
    return LF_OK;
}

enum lf_status lf_file_write_all(int fd, const void *data, size_t len, struct lf_error *err)
{
    const char *at = data;
    while (len) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return lf_fail_errno(err, "cannot write");
        at += put;
        len -= (size_t)put;
    }
    return LF_OK;
}

enum lf_status lf_dir_sync(int dir_fd, struct lf_error *err)
{
    /* Some network file systems cannot sync a folder and say EINVAL; there is nothing more to be done then.
     */
    if (fsync(dir_fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        return lf_fail_errno(err, "cannot sync a folder");
    return LF_OK;
}

enum lf_status lf_file_sync_parent(const char *path, struct lf_error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return lf_fail_memory(err, "syncing a folder");
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return lf_fail_errno(err, "cannot open the folder of %s", path);
    enum lf_status status = lf_dir_sync(fd, err);
    close(fd);
    return status;
}

enum lf_status lf_file_replace(const char *path, const void *data, size_t len, unsigned mode,
                               struct lf_error *err)
{
    enum lf_status status = LF_OK;
    char *temporary = lf_format("%s.new-%d", path, (int)getpid());
    if (!temporary)
        return lf_fail_memory(err, "writing a file");
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) {
        status = lf_fail_errno(err, "cannot create %s", temporary);
        goto done;
    }
    status = lf_file_write_all(fd, data, len, err);
    if (status == LF_OK && fsync(fd) != 0)
        status = lf_fail_errno(err, "cannot sync %s", temporary);
    if (close(fd) != 0 && status == LF_OK)
        status = lf_fail_errno(err, "cannot close %s", temporary);
    if (status == LF_OK && rename(temporary, path) != 0)
        status = lf_fail_errno(err, "cannot rename %s to %s", temporary, path);
    if (status == LF_OK)
        status = lf_file_sync_parent(path, err);
    else
        unlink(temporary);
done:
    free(temporary);
    return status;
}

enum lf_status lf_file_copy(int from, int to, int64_t max, const struct lf_cancel *cancel, char sha256[65],
                            int64_t *size, struct lf_error *err)
{
    enum { CHUNK = 128 * 1024 };
    enum lf_status status = LF_OK;
    struct lf_digest *digest = lf_digest_new(LF_SHA256);
    char *chunk = malloc(CHUNK);
    int64_t total = 0;
    if (!digest || !chunk) {
        status = lf_fail_memory(err, "copying a file");
        goto done;
    }
    for (;;) {
        if (lf_cancel_is_set(cancel)) {
            status = lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "asked to stop while copying a file");
            goto done;
        }
        ssize_t got = read(from, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = lf_fail_errno(err, "cannot read while copying");
            goto done;
        }
        if (got == 0)
            break;
        total += got;
        if (total > max) {
            status = lf_fail(err, LF_TOO_LARGE, LF_NEEDS_PERSON,
                             "the file is larger than the limit of %lld bytes", (long long)max);
            goto done;
        }
        lf_digest_add(digest, chunk, (size_t)got);
        if (to >= 0 && (status = lf_file_write_all(to, chunk, (size_t)got, err)) != LF_OK)
            goto done;
    }
    lf_digest_finish(digest, sha256);
    digest = NULL;
    if (size)
        *size = total;
done:
    lf_digest_free(digest);
    free(chunk);
    return status;
}

enum lf_status lf_dir_make(const char *path, unsigned mode, struct lf_error *err)
{
    if (!*path)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "cannot create a folder without a name");
    char *copy = strdup(path);
    if (!copy)
        return lf_fail_memory(err, "creating a folder");
    enum lf_status status = LF_OK;
    for (char *at = copy + 1; status == LF_OK; at++) {
        if (*at && *at != '/')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(copy, (mode_t)mode) == 0)
            status = lf_file_sync_parent(copy, err);
        else if (errno != EEXIST)
            status = lf_fail_errno(err, "cannot create the folder %s", copy);
        else if (!kept) /* we may have been killed between making and syncing it; where it is not ours we may
                           not look */
            lf_file_sync_parent(copy, NULL);
        *at = kept;
        if (!kept)
            break;
    }
    struct stat st;
    if (status == LF_OK && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        status = lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s is not a folder", path);
    free(copy);
    return status;
}

int64_t lf_disk_free(const char *path)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0)
        return -1;
    return (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

static bool windows_reserved(const char *name)
{
    static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", NULL};
    size_t stem = strcspn(name, ".");
    while (stem && name[stem - 1] == ' ')
        stem--;
    for (size_t i = 0; names[i]; i++)
        if (stem == strlen(names[i]) && !strncasecmp(name, names[i], stem))
            return true;
    return stem == 4 && (!strncasecmp(name, "COM", 3) || !strncasecmp(name, "LPT", 3)) && name[3] >= '1'
           && name[3] <= '9';
}

static enum lf_status refuse_name(struct lf_error *err, const char *name, const char *why)
{
    char shown[80];
    size_t used = 0;
    for (; *name && used + 5 < sizeof shown; name++) {
        unsigned char c = (unsigned char)*name;
        if (c < 0x20 || c >= 0x7F)
            used += (size_t)snprintf(shown + used, sizeof shown - used, "\\x%02X", c);
        else
            shown[used++] = *name;
    }
    shown[used] = '\0';
    return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                   "the file name \"%s\" is refused: %s. Rename it where it is made", shown, why);
}

enum lf_status lf_name_check(const char *name, struct lf_error *err)
{
    enum { NAME_MAX_BYTES = 200 };
    size_t len = strlen(name);
    if (!len)
        return refuse_name(err, name, "it is empty");
    if (len > NAME_MAX_BYTES)
        return refuse_name(err, name, "it is longer than 200 bytes");
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return refuse_name(err, name, "it means a folder");
    for (const char *at = name; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            return refuse_name(err, name, "it has a control character");
        if (strchr("/<>:\"\\|?*", *at))
            return refuse_name(err, name,
                               "it has one of the characters / \\ < > : \" | ? *, which name folders, "
                               "streams or patterns");
    }
    if (!lf_utf8_valid(lf_slice(name, len)))
        return refuse_name(err, name, "it is not valid UTF-8");
    if (strchr(".- ", name[0]))
        return refuse_name(err, name, "it begins with a dot, a dash or a space");
    if (strchr(". ", name[len - 1]))
        return refuse_name(err, name, "it ends in a dot or a space, which Windows drops");
    if (windows_reserved(name))
        return refuse_name(err, name, "Windows reserves it for a device");
    return LF_OK;
}

bool lf_glob_match(const char *glob, const char *name, bool ignore_case)
{
    return fnmatch(glob, name, FNM_NOESCAPE | (ignore_case ? FNM_CASEFOLD : 0)) == 0;
}

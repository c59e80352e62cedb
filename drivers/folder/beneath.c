#include "beneath.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

bool folder__beneath_path_ok(const char *path)
{
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");
        if (!len || at[0] == '.')
            return false;
        for (size_t i = 0; i < len; i++)
            if ((unsigned char)at[i] < 0x20 || at[i] == 0x7F)
                return false;
        at += len;
        if (!*at)
            return true;
    }
}

const char *folder__beneath_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int enter(int dir, const char *name, bool make)
{
    int fd = openat(dir, name, OPEN_FOLDER);
    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    if (mkdirat(dir, name, 0777) != 0 && errno != EEXIST)
        return -1;
    struct lf_error ignored;
    if (lf_dir_sync(dir, &ignored) != LF_OK)
        return -1;
    return openat(dir, name, OPEN_FOLDER);
}

int folder__beneath_parent(int dir, const char *path, bool make)
{
    if (!folder__beneath_path_ok(path)) {
        errno = EINVAL;
        return -1;
    }
    int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    for (const char *slash; at >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char name[256];
        size_t len = (size_t)(slash - path);
        int next = -1;
        if (len < sizeof name) {
            memcpy(name, path, len);
            name[len] = '\0';
            next = enter(at, name, make);
        } else {
            errno = ENAMETOOLONG;
        }
        int kept = errno;
        close(at);
        errno = kept;
        at = next;
    }
    return at;
}

int folder__beneath_open(int dir, const char *path, struct stat *st)
{
    int fd = -1;
    int parent = folder__beneath_parent(dir, path, false);
    if (parent < 0)
        return -1;
    /* O_NONBLOCK: a FIFO must not hold us up; it has no effect on plain files. */
    fd = openat(parent, folder__beneath_base(path),
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int kept = errno;
    if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        goto done;
    if (fd >= 0) {
        close(fd);
        fd = -1;
        kept = EINVAL;
    }
done:
    close(parent);
    errno = kept;
    return fd;
}

enum lf_status folder__beneath_digest(int dir, const char *path, const struct lf_cancel *cancel, char *sha256,
                                      struct lf_error *err)
{
    struct stat st;
    int fd = folder__beneath_open(dir, path, &st);
    if (fd < 0)
        return lf_fail_errno(err, "cannot read %s", path);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    enum lf_status status = lf_file_copy(fd, -1, INT64_MAX, cancel, sha256, NULL, err);
    close(fd);
    return status;
}

enum lf_status folder__beneath_sync(int fd, struct lf_error *err)
{
    if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        return lf_fail_errno(err, "cannot sync a file");
    return LF_OK;
}

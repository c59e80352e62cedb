#include "os/dir.h"

#include "os/linux/file.h"
#include "os/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

static int fd_of(const struct lf_dir *dir)
{
    return os__descriptor(dir->os);
}

static enum lf_status opened(int fd, struct lf_dir *dir, struct lf_error *err)
{
    dir->os = os__handle(fd);
    return fd < 0 ? os__fail(err) : LF_OK;
}

enum lf_status lf_dir_open(const char *path, struct lf_dir *dir, struct lf_error *err)
{
    os__pulse_begin();
    return opened(open(path, OPEN_FOLDER), dir, err);
}

static mode_t folder_mode(unsigned access)
{
    return (mode_t)(access | (access >> 2 & 0111)); /* who may read may enter */
}

enum lf_status lf_dir_enter(const struct lf_dir *dir, const char *name, bool make, struct lf_dir *inner,
                            struct lf_error *err)
{
    inner->os = 0;
    int fd = openat(fd_of(dir), name, OPEN_FOLDER | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make) {
        if (mkdirat(fd_of(dir), name, folder_mode(LF_OPEN)) != 0 && errno != EEXIST)
            return opened(-1, inner, err);
        enum lf_status status = lf_dir_sync(dir, err);
        if (status != LF_OK)
            return status;
        fd = openat(fd_of(dir), name, OPEN_FOLDER | O_NOFOLLOW);
    }
    return opened(fd, inner, err);
}

bool lf_dir_is_open(const struct lf_dir *dir)
{
    return dir->os != 0;
}

void lf_dir_close(struct lf_dir *dir)
{
    if (dir->os)
        close(fd_of(dir));
    dir->os = 0;
}

enum lf_status lf_dir_open_file(const struct lf_dir *dir, const char *name, enum lf_file_mode mode,
                                unsigned access, struct lf_file *file, struct lf_error *err)
{
    return os__open_file(fd_of(dir), name, mode, O_NOFOLLOW, access, file, err);
}

static enum lf_status look_at(int dir, const char *name, int flags, struct lf_file_info *info,
                              struct lf_error *err)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | flags) != 0)
        return os__fail(err);
    os__info(&st, info);
    return LF_OK;
}

enum lf_status lf_dir_look(const struct lf_dir *dir, const char *name, struct lf_file_info *info,
                           struct lf_error *err)
{
    return look_at(fd_of(dir), name, 0, info, err);
}

enum lf_status lf_dir_look_self(const struct lf_dir *dir, struct lf_file_info *info, struct lf_error *err)
{
    return look_at(fd_of(dir), "", AT_EMPTY_PATH, info, err);
}

/* ---- listing: struct lf_dir_list is a DIR ---- */

enum lf_status lf_dir_list(const struct lf_dir *dir, struct lf_dir_list **list, struct lf_error *err)
{
    *list = NULL;
    int fd = openat(fd_of(dir), ".", OPEN_FOLDER);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (!names) {
        enum lf_status status = os__fail(err);
        if (fd >= 0)
            close(fd);
        return status;
    }
    *list = (struct lf_dir_list *)names;
    return LF_OK;
}

const char *lf_dir_next(struct lf_dir_list *list, struct lf_file_info *info, struct lf_error *err)
{
    DIR *names = (DIR *)list;
    for (;;) {
        errno = 0;
        os__pulse_begin();
        const struct dirent *entry = readdir(names);
        if (!entry) {
            *err = (struct lf_error){0};
            if (errno)
                os__fail(err);
            return NULL;
        }
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        if (!info || look_at(dirfd(names), name, 0, info, err) == LF_OK)
            return name; /* else it was removed in the meantime */
    }
}

void lf_dir_list_close(struct lf_dir_list *list)
{
    if (list)
        closedir((DIR *)list);
}

/* ---- changing ---- */

/* Distinguishes what callers must distinguish. */
static enum lf_status rename_failed(struct lf_error *err)
{
    switch (errno) {
    case EXDEV: return lf_fail(err, LF_MISMATCH, LF_TRANSIENT, "the folders are on different file systems");
    case EINVAL:
    case ENOSYS:
    case EPERM: /* or not allowed: then no other way is either */
    case ENOTSUP: return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "the file system does not support this");
    default: return os__fail(err);
    }
}

enum lf_status lf_dir_rename_new(const struct lf_dir *from, const char *name, const struct lf_dir *to,
                                 const char *new_name, struct lf_error *err)
{
    if (syscall(SYS_renameat2, fd_of(from), name, fd_of(to), new_name, RENAME_NOREPLACE) == 0)
        return LF_OK;
    return rename_failed(err);
}

enum lf_status lf_dir_rename_replace(const struct lf_dir *from, const char *name, const struct lf_dir *to,
                                     const char *new_name, struct lf_error *err)
{
    if (renameat(fd_of(from), name, fd_of(to), new_name) == 0)
        return LF_OK;
    return errno == EXDEV ? rename_failed(err) : os__fail(err);
}

enum lf_status lf_dir_link(const struct lf_dir *from, const char *name, const struct lf_dir *to,
                           const char *new_name, struct lf_error *err)
{
    if (linkat(fd_of(from), name, fd_of(to), new_name, 0) == 0)
        return LF_OK;
    if (errno == EMLINK)
        errno = ENOTSUP;
    return rename_failed(err);
}

enum lf_status lf_dir_remove(const struct lf_dir *dir, const char *name, struct lf_error *err)
{
    return unlinkat(fd_of(dir), name, 0) == 0 || errno == ENOENT ? LF_OK : os__fail(err);
}

enum lf_status lf_file_remove(const char *path, struct lf_error *err)
{
    return unlink(path) == 0 || errno == ENOENT ? LF_OK : os__fail(err);
}

enum lf_status lf_dir_sync(const struct lf_dir *dir, struct lf_error *err)
{
    return os__sync(fd_of(dir), err);
}

enum lf_status lf_dir_sync_parent(const char *path, struct lf_error *err)
{
    struct lf_dir dir = {0};
    char *parent = lf_path_parent(path);
    enum lf_status status = parent ? lf_dir_open(parent, &dir, err) : lf_fail_memory(err, "syncing a folder");
    free(parent);
    if (status == LF_OK)
        status = lf_dir_sync(&dir, err);
    lf_dir_close(&dir);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot sync the folder of %s", path);
}

/* Makes the last folder of `path`. */
static enum lf_status make_one(const char *path, bool last, unsigned access, struct lf_error *err)
{
    struct lf_error ignored;
    if (mkdir(path, folder_mode(access)) == 0)
        return lf_dir_sync_parent(path, err);
    if (errno != EEXIST)
        return lf_fail_errno(err, "cannot create the folder %s", path);
    if (last) /* we may have been killed between making and syncing it; a folder that is not ours may refuse
               */
        lf_dir_sync_parent(path, &ignored);
    return LF_OK;
}

enum lf_status lf_dir_make(const char *path, unsigned access, struct lf_error *err)
{
    struct stat st;
    if (!*path)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "cannot create a folder without a name");
    char *copy = strdup(path);
    if (!copy)
        return lf_fail_memory(err, "creating a folder");
    enum lf_status status = LF_OK;
    for (char *at = copy, kept = '/'; status == LF_OK && kept;) {
        at += 1 + strcspn(at + 1, "/");
        kept = *at;
        *at = '\0';
        status = make_one(copy, !kept, access, err);
        *at = kept;
    }
    free(copy);
    if (status == LF_OK && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        status = lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s is not a folder", path);
    return status;
}

/* ---- asking ---- */

enum lf_status lf_dir_check_writable(const struct lf_dir *dir, struct lf_error *err)
{
    return faccessat(fd_of(dir), ".", W_OK | X_OK, AT_EACCESS) == 0 ? LF_OK : os__fail(err);
}

static int64_t free_room(int failed, const struct statvfs *fs)
{
    return failed || !fs->f_blocks ? -1 : (int64_t)fs->f_bavail * (int64_t)fs->f_frsize;
}

int64_t lf_dir_free_room(const struct lf_dir *dir)
{
    struct statvfs fs;
    return free_room(fstatvfs(fd_of(dir), &fs), &fs);
}

int64_t lf_disk_free(const char *path)
{
    struct statvfs fs;
    return free_room(statvfs(path, &fs), &fs);
}

bool lf_dir_is_remote(const struct lf_dir *dir)
{
    /* From statfs(2) and linux/magic.h: NFS, SMB, CIFS, SMB2, FUSE, 9p, AFS, Ceph, Coda, NCP, VirtualBox
     * shares. */
    static const uint32_t remote[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x65735546, 0x01021997,
                                      0x5346414F, 0x00C36400, 0x73757245, 0x564C,     0x786F4256};
    struct statfs fs;
    if (fstatfs(fd_of(dir), &fs) != 0)
        return true;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if ((uint32_t)fs.f_type == remote[i])
            return true;
    return false;
}

#include "os/watch.h"

#include "os/linux/native.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum lf_status lf_watch_open(struct lf_watch *watch, struct lf_error *err)
{
    watch->changed = os__waitable(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    return watch->changed.os ? LF_OK : lf_fail_errno(err, "cannot watch folders");
}

enum lf_status lf_watch_add(struct lf_watch *watch, const char *path, struct lf_error *err)
{
    /* No IN_MODIFY: a large file being written would wake us for every block. */
    uint32_t mask = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF
                    | IN_MOVE_SELF | IN_ONLYDIR;
    if (inotify_add_watch(os__fd(watch->changed), path, mask) >= 0)
        return LF_OK;
    if (errno == ENOSPC)
        return lf_fail(err, LF_FULL, LF_TRANSIENT,
                       "cannot watch %s: the system's limit is reached (raise fs.inotify.max_user_watches)",
                       path);
    return lf_fail_errno(err, "cannot watch %s", path);
}

bool lf_watch_drain(struct lf_watch *watch)
{
    _Alignas(struct inotify_event) char events[4096];
    bool any = false;
    while (watch->changed.os && read(os__fd(watch->changed), events, sizeof events) > 0)
        any = true;
    return any;
}

void lf_watch_close(struct lf_watch *watch)
{
    if (watch->changed.os)
        close(os__fd(watch->changed));
    watch->changed = (struct lf_waitable){0};
}

bool lf_folder_is_remote(int dir_fd)
{
    /* From statfs(2) and linux/magic.h: NFS, SMB, CIFS, SMB2, FUSE, 9p, AFS, Ceph, Coda, NCP, VirtualBox
     * shares. */
    static const uint32_t remote[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x65735546, 0x01021997,
                                      0x5346414F, 0x00C36400, 0x73757245, 0x564C,     0x786F4256};
    struct statfs fs;
    if (fstatfs(dir_fd, &fs) != 0)
        return true;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if ((uint32_t)fs.f_type == remote[i])
            return true;
    return false;
}

enum lf_status lf_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
    if (syscall(SYS_renameat2, from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return LF_OK;
    switch (errno) {
    case EEXIST: return LF_EXISTS;
    case EINVAL:
    case ENOSYS:
    case ENOTSUP: return LF_UNSUPPORTED;
    default: return LF_IO;
    }
}

enum lf_status lf_lock_take(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return LF_OK;
    switch (errno) {
    case EWOULDBLOCK: return LF_BUSY;
    case ENOLCK:
    case ENOSYS:
    case ENOTSUP:
    case EINVAL: return LF_UNSUPPORTED;
    default: return LF_IO;
    }
}

bool lf_boot_name(char name[LF_BOOT_TEXT])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file)
        return false;
    bool got = fgets(name, LF_BOOT_TEXT, file) != NULL;
    fclose(file);
    if (got)
        name[strcspn(name, "\n")] = '\0';
    return got && name[0];
}

/* The calls of interest. Libraries (SQLite, libcurl, libmosquitto) reach libc through the dynamic linker, so
 * their calls come here too.
 *
 * Each is counted if it touches the world outside (count_is_outside), then made; those that change files are
 * also passed to durable.c.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* ---- bytes ---- */

#define MAY_FAIL(counted)                                                                                    \
    do {                                                                                                     \
        int error_now = (counted);                                                                           \
        if (error_now) {                                                                                     \
            errno = error_now;                                                                               \
            return -1;                                                                                       \
        }                                                                                                    \
    } while (0)

#define COUNTED(fd, real)                                                                                    \
    bool outside = count_is_outside(fd);                                                                     \
    if (outside)                                                                                             \
        MAY_FAIL(count_before(__func__, fd, NULL));                                                          \
    __auto_type result = real;                                                                               \
    if (outside)                                                                                             \
        count_after();                                                                                       \
    return result

#define COUNTED_WRITE(fd, len, real)                                                                         \
    bool outside = count_is_outside(fd);                                                                     \
    if (outside)                                                                                             \
        MAY_FAIL(count_write(__func__, fd, &len));                                                           \
    __auto_type result = real;                                                                               \
    if (outside)                                                                                             \
        count_after();                                                                                       \
    return result

ssize_t write(int fd, const void *data, size_t len)
{
    COUNTED_WRITE(fd, len, REAL(write)(fd, data, len));
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    COUNTED_WRITE(fd, len, REAL(pwrite)(fd, data, len, at));
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    COUNTED_WRITE(fd, len, REAL(pwrite64)(fd, data, len, at));
}

ssize_t writev(int fd, const struct iovec *parts, int parts_count)
{
    COUNTED(fd, REAL(writev)(fd, parts, parts_count));
}

ssize_t pwritev(int fd, const struct iovec *parts, int parts_count, off_t at)
{
    COUNTED(fd, REAL(pwritev)(fd, parts, parts_count, at));
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    COUNTED_WRITE(fd, len, REAL(send)(fd, data, len, flags));
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
    COUNTED_WRITE(fd, len, REAL(sendto)(fd, data, len, flags, to, to_len));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    COUNTED(fd, REAL(sendmsg)(fd, message, flags));
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    COUNTED(fd, REAL(recv)(fd, data, len, flags));
}

ssize_t recvfrom(int fd, void *data, size_t len, int flags, struct sockaddr *from, socklen_t *from_len)
{
    COUNTED(fd, REAL(recvfrom)(fd, data, len, flags, from, from_len));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    COUNTED(fd, REAL(recvmsg)(fd, message, flags));
}

/* libmosquitto and the serial line receive by read; reading a file changes nothing, and is not counted. */
ssize_t read(int fd, void *data, size_t len)
{
    struct stat st;
    if (fd < 3 || fstat(fd, &st) != 0 || !(S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode)))
        return REAL(read)(fd, data, len);
    COUNTED(fd, REAL(read)(fd, data, len));
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    COUNTED(fd, REAL(connect)(fd, to, len));
}

int ftruncate(int fd, off_t size)
{
    COUNTED(fd, REAL(ftruncate)(fd, size));
}

int ftruncate64(int fd, off64_t size)
{
    COUNTED(fd, REAL(ftruncate64)(fd, size));
}

/* A sync covers what was written before the call. */
int fsync(int fd)
{
    if (count_is_outside(fd))
        MAY_FAIL(count_before(__func__, fd, NULL));
    durable_sync(fd);
    int result = REAL(fsync)(fd);
    count_after();
    return result;
}

int fdatasync(int fd)
{
    if (count_is_outside(fd))
        MAY_FAIL(count_before(__func__, fd, NULL));
    durable_sync(fd);
    int result = REAL(fdatasync)(fd);
    count_after();
    return result;
}

/* ---- names ---- */

static int moved(int result, int to_dir, const char *to)
{
    int error = errno;
    if (result == 0)
        durable_came(to_dir, to);
    count_after();
    errno = error;
    return result;
}

int rename(const char *from, const char *to)
{
    MAY_FAIL(count_before(__func__, -1, to));
    durable_gone(AT_FDCWD, from);
    durable_gone(AT_FDCWD, to);
    return moved(REAL(rename)(from, to), AT_FDCWD, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    MAY_FAIL(count_before(__func__, -1, to));
    durable_gone(from_dir, from);
    durable_gone(to_dir, to);
    return moved(REAL(renameat)(from_dir, from, to_dir, to), to_dir, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    MAY_FAIL(count_before(__func__, -1, to));
    durable_gone(from_dir, from);
    durable_gone(to_dir, to);
    return moved(REAL(renameat2)(from_dir, from, to_dir, to, flags), to_dir, to);
}

/* The agent renames without replacing by the number of the call: not every libc has a function for it. */
long syscall(long number, ...)
{
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_renameat2)
        return renameat2((int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3], (unsigned)a[4]);
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int link(const char *from, const char *to)
{
    MAY_FAIL(count_before(__func__, -1, to));
    return moved(REAL(link)(from, to), AT_FDCWD, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    MAY_FAIL(count_before(__func__, -1, to));
    return moved(REAL(linkat)(from_dir, from, to_dir, to, flags), to_dir, to);
}

int unlink(const char *path)
{
    MAY_FAIL(count_before(__func__, -1, path));
    durable_gone(AT_FDCWD, path);
    int result = REAL(unlink)(path);
    count_after();
    return result;
}

int unlinkat(int dir, const char *path, int flags)
{
    MAY_FAIL(count_before(__func__, -1, path));
    durable_gone(dir, path);
    int result = REAL(unlinkat)(dir, path, flags);
    count_after();
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    MAY_FAIL(count_before(__func__, -1, path));
    return moved(REAL(mkdir)(path, mode), AT_FDCWD, path);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
    MAY_FAIL(count_before(__func__, -1, path));
    return moved(REAL(mkdirat)(dir, path, mode), dir, path);
}

/* ---- another boot ---- */

/* After a power cut the time since the boot starts again: LF_CRASH_BOOTED_NS is when that was, on the real
 * clock. The monotonic clock goes on, as the C library waits by it. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    enum { NS = 1000000000 };
    const char *booted = id == CLOCK_BOOTTIME ? getenv("LF_CRASH_BOOTED_NS") : NULL;
    if (syscall(SYS_clock_gettime, id, now) != 0)
        return -1;
    if (booted) {
        long long at = now->tv_sec * (long long)NS + now->tv_nsec - atoll(booted);
        now->tv_sec = at / NS;
        now->tv_nsec = at % NS;
    }
    return 0;
}

/* And the machine has another boot id: LF_CRASH_BOOT_ID names the file that has it. */
static const char *renamed(const char *path)
{
    const char *other = strcmp(path, "/proc/sys/kernel/random/boot_id") ? NULL : getenv("LF_CRASH_BOOT_ID");
    return other ? other : path;
}

/* ---- opening ---- */

static int opened(int fd, int dir, const char *path, const struct opening *opening)
{
    int error = errno;
    durable_after_open(opening, fd);
    if (fd >= 0 && opening->tracked && !opening->existed)
        durable_came(dir, path);
    count_after();
    errno = error;
    return fd;
}

#define OPENED(dir, path, flags, real)                                                                       \
    struct opening opening;                                                                                  \
    va_list args;                                                                                            \
    va_start(args, flags);                                                                                   \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;                                  \
    va_end(args);                                                                                            \
    if (flags & O_CREAT)                                                                                     \
        MAY_FAIL(count_create(__func__, path));                                                              \
    durable_before_open(dir, path, flags, &opening);                                                         \
    return opened(real, dir, path, &opening)

int open(const char *path, int flags, ...)
{
    OPENED(AT_FDCWD, path, flags, REAL(open)(renamed(path), flags, mode));
}

int open64(const char *path, int flags, ...)
{
    OPENED(AT_FDCWD, path, flags, REAL(open64)(renamed(path), flags, mode));
}

int openat(int dir, const char *path, int flags, ...)
{
    OPENED(dir, path, flags, REAL(openat)(dir, path, flags, mode));
}

int openat64(int dir, const char *path, int flags, ...)
{
    OPENED(dir, path, flags, REAL(openat64)(dir, path, flags, mode));
}

FILE *fopen(const char *path, const char *mode)
{
    return REAL(fopen)(renamed(path), mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return REAL(fopen64)(renamed(path), mode);
}

/* Counting calls, and ending the process at one of them.
 *
 * The count lies in a file that is mapped, so that it can be read while the process runs and after it was killed. Once the call
 * has come at which the process ends, no other thread gets through another one: they wait for the end.
 */
#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum how { BEFORE, AFTER, TORN };

static _Atomic int64_t *count;
static int64_t end_at;
static enum how how;
static __thread bool ends_now;

void *shim_next(void **slot, const char *name)
{
    if (!*slot)
        *slot = dlsym(RTLD_NEXT, name);
    return *slot;
}

__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("LF_CRASH_COUNT_FILE"), *at = getenv("LF_CRASH_AT"), *way = getenv("LF_CRASH_HOW");
    if (!file)
        return;
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *map = MAP_FAILED;
    if (fd >= 0 && REAL(ftruncate)(fd, sizeof *count) == 0)
        map = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        dprintf(2, "libcrash: cannot count in %s\n", file);
        abort();
    }
    close(fd);
    end_at = at ? atoll(at) : 0;
    how = way && !strcmp(way, "after") ? AFTER : way && !strcmp(way, "torn") ? TORN : BEFORE;
    count = map;
}

bool count_is_outside(int fd)
{
    struct stat st;
    if (!count || fd < 3 || fstat(fd, &st) != 0)
        return false;
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return true;
    if (S_ISCHR(st.st_mode))
        return isatty(fd);
    int domain = AF_UNIX;
    socklen_t len = sizeof domain;
    return S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain != AF_UNIX;
}

/* For the report: "12 fsync /home/state/journal.db-wal". */
static void tell(const char *call, int fd, const char *path)
{
    const char *file = getenv("LF_CRASH_LOG");
    char target[512] = "", link[64], line[700];
    if (!file)
        return;
    if (path)
        snprintf(target, sizeof target, "%s", path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (fd >= 0 && !path) {
        ssize_t len = readlink(link, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
    }
    int len = snprintf(line, sizeof line, "%s %s\n", call, target);
    int to = REAL(open)(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to >= 0 && REAL(write)(to, line, (size_t)len) != len)
        abort();
}

__attribute__((noreturn)) static void end(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* True: this is the call. */
static bool reached(const char *call, int fd, const char *path)
{
    int64_t now = count ? ++*count : 0;
    if (!end_at || now < end_at)
        return false;
    if (now > end_at)
        for (;;)
            pause();
    tell(call, fd, path);
    return true;
}

void count_before(const char *call, int fd, const char *path)
{
    if (!reached(call, fd, path))
        return;
    if (how == BEFORE)
        end();
    ends_now = true;
}

size_t count_write(const char *call, int fd, size_t len)
{
    if (!reached(call, fd, NULL))
        return len;
    if (how == BEFORE)
        end();
    ends_now = true;
    return how == TORN && len > 1 ? len / 2 : len;
}

void count_after(void)
{
    if (ends_now)
        end();
}

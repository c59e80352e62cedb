/* Counting calls, and ending the process at one of them.
 *
 * The count lies in a file that is mapped, so that it can be read while the process runs and after it was
 * killed. Once the process reaches the call at which it ends, no other thread completes another call: they
 * wait for the end.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum how {
    BEFORE,
    AFTER,
    TORN,
    FAIL /* the process goes on, the call fails */
};

static _Atomic int64_t *count;
static int64_t end_at;
static const char *only;
static enum how how;
static int error; /* FAIL: errno; and for how long after the first failure, 0: only that one */
static int64_t fail_ms;
static _Atomic int64_t fail_until;
static __thread bool ends_now;

static const struct {
    const char *name;
    int error;
} errors[] = {{"enospc", ENOSPC}, {"eio", EIO}, {"erofs", EROFS}};

void *shim_next(void **slot, const char *name)
{
    if (!*slot)
        *slot = dlsym(RTLD_NEXT, name);
    return *slot;
}

__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("LF_CRASH_COUNT_FILE"), *at = getenv("LF_CRASH_AT"),
               *way = getenv("LF_CRASH_HOW");
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
    only = getenv("LF_CRASH_ONLY");
    how = way && !strcmp(way, "after") ? AFTER : way && !strcmp(way, "torn") ? TORN : BEFORE;
    for (size_t i = 0; way && i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(way, errors[i].name)) {
            how = FAIL;
            error = errors[i].error;
        }
    fail_ms = getenv("LF_CRASH_FOR") ? atoll(getenv("LF_CRASH_FOR")) : 0;
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
    return S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0
           && domain != AF_UNIX;
}

/* "fsync /home/state/journal.db-wal", "send network", "write serial line": what is matched and reported. */
static void describe(const char *call, int fd, const char *path, char *out, size_t size)
{
    char target[PATH_MAX] = "", link[64];
    struct stat st = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (path)
        snprintf(target, sizeof target, "%s", path);
    else if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
        strcpy(target, "network");
    else if (S_ISCHR(st.st_mode))
        strcpy(target, "serial line");
    else if (readlink(link, target, sizeof target - 1) < 0)
        strcpy(target, "?");
    snprintf(out, size, "%s %s", call, target);
}

static void tell(const char *what)
{
    const char *file = getenv("LF_CRASH_LOG");
    int to = file ? REAL(open)(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (file && (to < 0 || REAL(write)(to, what, strlen(what)) != (ssize_t)strlen(what)))
        abort();
}

__attribute__((noreturn)) static void end(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Does it contain all the words of LF_CRASH_ONLY? */
static bool wanted(const char *what)
{
    char words[256], *rest = words;
    snprintf(words, sizeof words, "%s", only);
    for (char *word; (word = strsep(&rest, " "));)
        if (!strstr(what, word))
            return false;
    return true;
}

/* True: the process ends at this call. */
static bool reached(const char *call, int fd, const char *path)
{
    char what[PATH_MAX + 64] = "";
    if (!count)
        return false;
    if (only) {
        describe(call, fd, path, what, sizeof what);
        if (!wanted(what))
            return false;
    }
    int64_t now = ++*count;
    if (!end_at || now < end_at)
        return false;
    if (now > end_at)
        for (;;)
            pause();
    describe(call, fd, path, what, sizeof what);
    tell(what);
    return true;
}

/* ---- calls that fail ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Disks fail, but a full disk still lets files be removed. */
static bool of_a_disk(const char *call, int fd, const char *path)
{
    struct stat st;
    if (error == ENOSPC && !strncmp(call, "unlink", 6))
        return false;
    if (!strncmp(call, "mkdir", 5) && path[0] == '/' && stat(path, &st) == 0)
        return false; /* an existing file is noticed first */
    return path || (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)));
}

static int failing(const char *call, int fd, const char *path)
{
    char what[PATH_MAX + 64] = "";
    if (!of_a_disk(call, fd, path))
        return 0;
    if (fail_until)
        return now_ms() < fail_until ? error : 0;
    describe(call, fd, path, what, sizeof what);
    if ((only && !wanted(what)) || ++*count != end_at)
        return 0;
    fail_until = now_ms() + fail_ms;
    tell(what);
    return error;
}

int count_create(const char *call, const char *path)
{
    return count && how == FAIL ? failing(call, -1, path) : 0;
}

int count_before(const char *call, int fd, const char *path)
{
    if (count && how == FAIL)
        return failing(call, fd, path);
    if (!reached(call, fd, path))
        return 0;
    if (how == BEFORE)
        end();
    ends_now = true;
    return 0;
}

int count_write(const char *call, int fd, size_t *len)
{
    if (count && how == FAIL)
        return failing(call, fd, NULL);
    if (!reached(call, fd, NULL))
        return 0;
    if (how == BEFORE)
        end();
    ends_now = true;
    if (how == TORN && *len > 1)
        *len /= 2;
    return 0;
}

void count_after(void)
{
    if (ends_now)
        end();
}

/* What a power cut at this moment would leave: only what was synced.
 *
 * In LF_CRASH_STORE lie, by inode number, "i-N": the content of a file below LF_CRASH_ROOT when it was last
 * synced (or when this process first opened it to write), and "d-N": a folder's names when it was last synced
 * (or at the start): "inode mode name" a line. "log" has, a line each: "wrote INODE", "gone FOLDER NAME",
 * "came FOLDER NAME", "sync FOLDER", in order. From these powercut.py makes the tree that a cut
 * leaves.
 *
 * With LF_CRASH_NO_SYNC nothing is ever synced: a disk that lies, to prove that a sweep notices it.
 * What others do to these folders is not tracked: the instrument's computer has its own power.
 */
#include "shim.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[PATH_MAX], store[PATH_MAX];
static size_t root_len;
static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the store */

/* The absolute path that a call names; false: it is not below the root. */
static bool below(int dir, const char *path, char out[PATH_MAX])
{
    char base[PATH_MAX] = "", link[64];
    if (log_fd < 0)
        return false;
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        snprintf(link, sizeof link, dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
        ssize_t len = readlink(link, base, sizeof base - 1);
        base[len > 0 ? len : 0] = '\0';
        if (strlen(base) + strlen(path) + 2 > PATH_MAX)
            return false;
        strcat(strcat(strcpy(out, base), "/"), path);
    }
    return !strncmp(out, root, root_len) && (out[root_len] == '/' || !out[root_len]);
}

static void put(int fd, const char *data, size_t len)
{
    if (REAL(write)(fd, data, len) != (ssize_t)len) {
        dprintf(2, "libcrash: the store %s is full\n", store);
        abort();
    }
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    char line[PATH_MAX + 64];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    put(log_fd, line, (size_t)len);
}

/* Store files are replaced atomically: the process may be killed at any time. */
static int store_begin(char part[PATH_MAX])
{
    snprintf(part, PATH_MAX, "%.3000s/part", store);
    int fd = REAL(open)(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        abort();
    return fd;
}

static void store_end(int fd, const char *part, char kind, ino_t inode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.3000s/%c-%ju", store, kind, (uintmax_t)inode);
    close(fd);
    if (REAL(rename)(part, path) != 0)
        abort();
}

static bool store_has(char kind, ino_t inode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.3000s/%c-%ju", store, kind, (uintmax_t)inode);
    return access(path, F_OK) == 0;
}

static void store_drop(char kind, ino_t inode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.3000s/%c-%ju", store, kind, (uintmax_t)inode);
    REAL(unlink)(path);
}

static void keep_file(const char *path, ino_t inode)
{
    static char block[65536]; /* under the mutex */
    char part[PATH_MAX];
    int from = REAL(open)(path, O_RDONLY | O_CLOEXEC), to = store_begin(part);
    for (ssize_t len; from >= 0 && (len = REAL(read)(from, block, sizeof block)) > 0;)
        put(to, block, (size_t)len);
    if (from >= 0)
        close(from);
    store_end(to, part, 'i', inode);
}

static void keep_file_at(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && !store_has('i', st.st_ino)
        && !store_has('w', st.st_ino))
        keep_file(path, st.st_ino);
}

static void keep_folder(const char *path, ino_t inode)
{
    char part[PATH_MAX], line[PATH_MAX];
    DIR *dir = opendir(path);
    if (!dir)
        return;
    int to = store_begin(part);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")
            || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        int len = snprintf(line, sizeof line, "%ju %o %s\n", (uintmax_t)st.st_ino, st.st_mode, entry->d_name);
        put(to, line, (size_t)len);
    }
    store_end(to, part, 'd', inode);
    closedir(dir);
}

static int keep_first(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)place;
    if (type == FTW_D)
        keep_folder(path, st->st_ino);
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *where = getenv("LF_CRASH_ROOT"), *to = getenv("LF_CRASH_STORE");
    char path[PATH_MAX];
    if (!where || !to || !realpath(where, root))
        return;
    root_len = strlen(root);
    snprintf(store, sizeof store, "%s", to);
    snprintf(path, sizeof path, "%.3000s/log", to);
    nftw(root, keep_first, 16, FTW_PHYS);
    log_fd = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        abort();
}

/* ---- called by calls.c ---- */

void durable_before_open(int dir, const char *path, int flags, struct opening *opening)
{
    char whole[PATH_MAX];
    struct stat st;
    *opening = (struct opening){0};
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) || !below(dir, path, whole))
        return;
    opening->tracked = true;
    opening->existed = lstat(whole, &st) == 0;
    pthread_mutex_lock(&mutex);
    if (opening->existed)
        keep_file_at(whole);
    pthread_mutex_unlock(&mutex);
}

void durable_after_open(const struct opening *opening, int fd)
{
    struct stat st;
    if (!opening->tracked || fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    pthread_mutex_lock(&mutex);
    if (!opening->existed) /* the inode number may have been another file's */
        store_drop('i', st.st_ino);
    if (!opening->existed || !store_has('w', st.st_ino)) {
        char part[PATH_MAX];
        store_end(store_begin(part), part, 'w', st.st_ino);
        note("wrote %ju\n", (uintmax_t)st.st_ino);
    }
    pthread_mutex_unlock(&mutex);
}

static void note_name(const char *what, int dir, const char *path)
{
    char whole[PATH_MAX], copy[PATH_MAX];
    struct stat st;
    if (!below(dir, path, whole))
        return;
    pthread_mutex_lock(&mutex);
    if (!strcmp(what, "gone"))
        keep_file_at(whole);
    strcpy(copy, whole);
    char *slash = strrchr(copy, '/');
    *slash = '\0';
    if (stat(copy, &st) == 0)
        note("%s %ju %s\n", what, (uintmax_t)st.st_ino, slash + 1);
    pthread_mutex_unlock(&mutex);
}

void durable_gone(int dir, const char *path)
{
    note_name("gone", dir, path);
}

void durable_came(int dir, const char *path)
{
    note_name("came", dir, path);
}

void durable_sync(int fd)
{
    char path[PATH_MAX], link[64];
    struct stat st;
    if (log_fd < 0 || getenv("LF_CRASH_NO_SYNC") || fstat(fd, &st) != 0)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    if (strncmp(path, root, root_len) != 0)
        return;
    pthread_mutex_lock(&mutex);
    if (S_ISDIR(st.st_mode)) {
        keep_folder(link, st.st_ino);
        note("sync %ju\n", (uintmax_t)st.st_ino);
    } else if (S_ISREG(st.st_mode)) {
        keep_file(link, st.st_ino);
    }
    pthread_mutex_unlock(&mutex);
}

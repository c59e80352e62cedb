#include "os/file.h"

#include "os/linux/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t nanoseconds(struct timespec when)
{
    return (int64_t)when.tv_sec * 1000000000 + when.tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
    struct timespec when = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    if (when.tv_nsec < 0) {
        when.tv_nsec += 1000000000;
        when.tv_sec--;
    }
    return when;
}

void os__info(const struct stat *st, struct lf_file_info *info)
{
    *info = (struct lf_file_info){
        .kind = S_ISREG(st->st_mode)   ? LF_KIND_FILE
                : S_ISDIR(st->st_mode) ? LF_KIND_FOLDER
                                       : LF_KIND_OTHER,
        .size = (int64_t)st->st_size,
        .read_ns = nanoseconds(st->st_atim),
        .written_ns = nanoseconds(st->st_mtim),
        .volume = (uint64_t)st->st_dev,
        .id = (uint64_t)st->st_ino,
        .names = (unsigned)st->st_nlink,
    };
}

enum lf_status os__open_file(int dir, const char *path, enum lf_file_mode mode, int flags, unsigned access,
                             struct lf_file *file, struct lf_error *err)
{
    static const int how[] = {
        [LF_FILE_READ] = O_RDONLY,
        [LF_FILE_REGULAR] = O_RDONLY | O_NOFOLLOW | O_NONBLOCK, /* opening a FIFO would block */
        [LF_FILE_CHANGE] = O_RDWR | O_NOFOLLOW,
        [LF_FILE_CREATE] = O_RDWR | O_NOFOLLOW | O_CREAT | O_EXCL,
        [LF_FILE_REPLACE] = O_RDWR | O_NOFOLLOW | O_CREAT | O_TRUNC,
        [LF_FILE_KEEP] = O_RDWR | O_NOFOLLOW | O_CREAT,
    };
    struct stat st;
    *file = (struct lf_file){0};
    os__pulse_begin();
    int fd = openat(dir, path, how[mode] | flags | O_NOCTTY | O_CLOEXEC, (mode_t)access);
    if (fd < 0)
        return os__fail(err);
    if (mode == LF_FILE_REGULAR && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "not a regular file");
    }
    file->os = os__handle(fd);
    return LF_OK;
}

enum lf_status lf_file_open(const char *path, enum lf_file_mode mode, unsigned access, struct lf_file *file,
                            struct lf_error *err)
{
    return os__open_file(AT_FDCWD, path, mode, 0, access, file, err);
}

bool lf_file_is_open(const struct lf_file *file)
{
    return file->os != 0;
}

void lf_file_close(struct lf_file *file)
{
    if (file->os)
        close(os__descriptor(file->os));
    file->os = 0;
}

enum lf_status lf_file_finish(struct lf_file *file, struct lf_error *err)
{
    int failed = close(os__descriptor(file->os));
    file->os = 0;
    return failed ? os__fail(err) : LF_OK;
}

enum lf_status lf_file_read_at(const struct lf_file *file, int64_t offset, void *data, size_t room,
                               size_t *got, struct lf_error *err)
{
    for (*got = 0; *got < room;) {
        char *to = (char *)data + *got;
        ssize_t count = pread(os__descriptor(file->os), to, room - *got, (off_t)offset + (off_t)*got);
        if (count < 0 && errno == ESPIPE)
            count = read(os__descriptor(file->os), to, room - *got);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return os__fail(err);
        if (count == 0)
            break;
        *got += (size_t)count;
    }
    return LF_OK;
}

enum lf_status lf_file_write_at(const struct lf_file *file, int64_t offset, const void *data, size_t len,
                                struct lf_error *err)
{
    for (const char *at = data; len;) {
        ssize_t put = pwrite(os__descriptor(file->os), at, len, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return os__fail(err);
        at += put;
        offset += put;
        len -= (size_t)put;
    }
    return LF_OK;
}

enum lf_status lf_file_append(const struct lf_file *file, const void *data, size_t len, struct lf_error *err)
{
    struct lf_file_info info = {0};
    enum lf_status status = lf_file_look(file, &info, err);
    return status == LF_OK ? lf_file_write_at(file, info.size, data, len, err) : status;
}

enum lf_status lf_file_truncate(const struct lf_file *file, int64_t size, struct lf_error *err)
{
    return ftruncate(os__descriptor(file->os), (off_t)size) == 0 ? LF_OK : os__fail(err);
}

enum lf_status os__sync(int fd, struct lf_error *err)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? LF_OK : os__fail(err);
}

enum lf_status lf_file_sync(const struct lf_file *file, struct lf_error *err)
{
    return os__sync(os__descriptor(file->os), err);
}

void lf_file_uncache(const struct lf_file *file)
{
    posix_fadvise(os__descriptor(file->os), 0, 0, POSIX_FADV_DONTNEED);
}

/* A read lease is only given while nobody has the file open for writing. It is let go at once; a writer that
 * comes in between has us signalled, by one that does nothing by default. */
enum lf_status lf_file_check_unwritten(const struct lf_file *file)
{
    int fd = os__descriptor(file->os);
    if (fcntl(fd, F_SETSIG, SIGURG) != 0)
        return LF_UNSUPPORTED;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
        return fcntl(fd, F_SETLEASE, F_UNLCK) == 0 ? LF_OK : LF_UNSUPPORTED;
    return errno == EAGAIN ? LF_BUSY : LF_UNSUPPORTED;
}

enum lf_status lf_file_lock(const struct lf_file *file, struct lf_error *err)
{
    if (flock(os__descriptor(file->os), LOCK_EX | LOCK_NB) == 0)
        return LF_OK;
    switch (errno) {
    case ENOLCK:
    case ENOSYS:
    case ENOTSUP:
    case EINVAL: return lf_fail(err, LF_UNSUPPORTED, LF_NEEDS_PERSON, "the file system has no locks");
    default: return os__fail(err); /* EWOULDBLOCK: LF_BUSY */
    }
}

enum lf_status lf_file_look(const struct lf_file *file, struct lf_file_info *info, struct lf_error *err)
{
    struct stat st;
    if (fstat(os__descriptor(file->os), &st) != 0)
        return os__fail(err);
    os__info(&st, info);
    return LF_OK;
}

int64_t lf_file_born_ns(const struct lf_file *file)
{
    struct statx info;
    if (!lf_file_is_open(file) || statx(os__descriptor(file->os), "", AT_EMPTY_PATH, STATX_BTIME, &info) != 0
        || !(info.stx_mask & STATX_BTIME))
        return 0;
    return info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec;
}

enum lf_status lf_path_look(const char *path, struct lf_file_info *info, struct lf_error *err)
{
    struct stat st;
    os__pulse_begin();
    if (stat(path, &st) != 0)
        return os__fail(err);
    os__info(&st, info);
    return LF_OK;
}

enum lf_status lf_path_check_readable(const char *path, struct lf_error *err)
{
    return access(path, R_OK) == 0 ? LF_OK : os__fail(err);
}

bool lf_file_is_same(const struct lf_file_info *a, const struct lf_file_info *b)
{
    return a->volume == b->volume && a->id == b->id;
}

void lf_file_set_times(const struct lf_file *file, const struct lf_file_info *like)
{
    const struct timespec times[2] = {timespec_of(like->read_ns), timespec_of(like->written_ns)};
    int ignored = futimens(os__descriptor(file->os), times);
    (void)ignored;
}

void lf_file_set_access(const struct lf_file *file, unsigned access)
{
    int ignored = fchmod(os__descriptor(file->os), (mode_t)access);
    (void)ignored;
}

FILE *lf_file_stream(struct lf_file *file, struct lf_error *err)
{
    FILE *stream = fdopen(os__descriptor(file->os), "r+");
    if (stream)
        file->os = 0;
    else
        os__fail(err);
    lf_file_close(file);
    return stream;
}

enum lf_status lf_stream_sync(FILE *stream, struct lf_error *err)
{
    struct lf_file file = {os__handle(fileno(stream))};
    return fflush(stream) == 0 ? lf_file_sync(&file, err) : os__fail(err);
}

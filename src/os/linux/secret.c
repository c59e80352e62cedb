#include "os/secret.h"

#include "os/linux/file.h"

#include <fcntl.h>

static enum lf_status check(int fd, const char *path, struct lf_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return lf_fail_errno(err, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s must be a regular file, since it holds a secret",
                       path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "%s holds a secret but others may read it (mode %04o): run chmod 600 %s", path,
                       (unsigned)(st.st_mode & 07777), path);
    return LF_OK;
}

enum lf_status lf_secret_open(const char *path, struct lf_file *file, struct lf_error *err)
{
    /* O_NONBLOCK: opening a FIFO would block. */
    if (os__open_file(AT_FDCWD, path, LF_FILE_READ, O_NONBLOCK, 0, file, err) != LF_OK)
        return lf_error_prefix(err, "cannot open %s", path);
    enum lf_status status = check(os__descriptor(file->os), path, err);
    if (status != LF_OK)
        lf_file_close(file);
    return status;
}

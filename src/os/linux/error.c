#include "os/linux/native.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct meaning {
    int number;
    enum lf_status status;
    enum lf_class class;
} meanings[] = {
    {ENOENT, LF_NOT_FOUND, LF_PERMANENT},
    {EEXIST, LF_EXISTS, LF_PERMANENT},
    {EACCES, LF_DENIED, LF_NEEDS_PERSON},
    {EPERM, LF_DENIED, LF_NEEDS_PERSON},
    {EROFS, LF_DENIED, LF_TRANSIENT}, /* a failing disk becomes so by itself */
    {ENOSPC, LF_FULL, LF_TRANSIENT},
    {EDQUOT, LF_FULL, LF_TRANSIENT},
    {EMFILE, LF_FULL, LF_TRANSIENT},
    {ENFILE, LF_FULL, LF_TRANSIENT},
    {ENOMEM, LF_NO_MEMORY, LF_TRANSIENT},
    {ETIMEDOUT, LF_TIMEOUT, LF_TRANSIENT},
    {ECANCELED, LF_CANCELLED, LF_TRANSIENT},
    {EBUSY, LF_BUSY, LF_TRANSIENT},
    {EAGAIN, LF_BUSY, LF_TRANSIENT},
    {ETXTBSY, LF_BUSY, LF_TRANSIENT},
    {ECONNREFUSED, LF_DISCONNECTED, LF_TRANSIENT},
    {ECONNRESET, LF_DISCONNECTED, LF_TRANSIENT},
    {EPIPE, LF_DISCONNECTED, LF_TRANSIENT},
    {ENOTCONN, LF_DISCONNECTED, LF_TRANSIENT},
    {EHOSTUNREACH, LF_DISCONNECTED, LF_TRANSIENT},
    {ENETUNREACH, LF_DISCONNECTED, LF_TRANSIENT},
    {ENODEV, LF_DISCONNECTED, LF_TRANSIENT},
    {ENXIO, LF_DISCONNECTED, LF_TRANSIENT},
    {EFBIG, LF_TOO_LARGE, LF_PERMANENT},
    {ENAMETOOLONG, LF_TOO_LARGE, LF_PERMANENT},
    {EINVAL, LF_INVALID, LF_PERMANENT},
    {ENOTDIR, LF_INVALID, LF_PERMANENT},
    {EISDIR, LF_INVALID, LF_PERMANENT},
    {ELOOP, LF_INVALID, LF_PERMANENT},
};

enum lf_status os__fail(struct lf_error *err)
{
    int number = errno;
    char reason[80];
    const char *text = strerror_r(number, reason, sizeof reason);
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].number == number)
            return lf_fail(err, meanings[i].status, meanings[i].class, "%s", text);
    return lf_fail(err, LF_IO, LF_TRANSIENT, "%s", text);
}

#undef lf_fail_errno /* error.h may have put a macro before it */
enum lf_status lf_fail_errno(struct lf_error *err, const char *format, ...)
{
    struct lf_error reason;
    char text[LF_ERROR_TEXT - 96];
    va_list args;
    os__fail(&reason);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return lf_fail(err, reason.status, reason.class, "%s: %s", text, reason.text);
}

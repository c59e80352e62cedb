#include "os/linux/native.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Everything else is LF_IO and transient. */
static const struct meaning {
    enum lf_status status;
    enum lf_class class;
    int numbers[9]; /* ends with 0 */
} meanings[] = {
    {LF_NOT_FOUND, LF_PERMANENT, {ENOENT}},
    {LF_EXISTS, LF_PERMANENT, {EEXIST}},
    {LF_DENIED, LF_NEEDS_PERSON, {EACCES, EPERM}},
    {LF_DENIED, LF_TRANSIENT, {EROFS}}, /* a failing disk is remounted read-only */
    {LF_FULL, LF_TRANSIENT, {ENOSPC, EDQUOT, EMFILE, ENFILE}},
    {LF_NO_MEMORY, LF_TRANSIENT, {ENOMEM}},
    {LF_TIMEOUT, LF_TRANSIENT, {ETIMEDOUT}},
    {LF_CANCELLED, LF_TRANSIENT, {ECANCELED}},
    {LF_BUSY, LF_TRANSIENT, {EBUSY, EAGAIN, ETXTBSY}},
    {LF_DISCONNECTED,
     LF_TRANSIENT,
     {ECONNREFUSED, ECONNRESET, EPIPE, ENOTCONN, EHOSTUNREACH, ENETUNREACH, ENODEV, ENXIO}},
    {LF_TOO_LARGE, LF_PERMANENT, {EFBIG, ENAMETOOLONG}},
    {LF_INVALID, LF_PERMANENT, {EINVAL, ENOTDIR, EISDIR, ELOOP}},
};

enum lf_status os__fail(struct lf_error *err)
{
    int number = errno;
    char reason[80];
    const char *text = strerror_r(number, reason, sizeof reason);
    for (const struct meaning *row = meanings; row < meanings + sizeof meanings / sizeof *meanings; row++)
        for (const int *known = row->numbers; *known; known++)
            if (*known == number)
                return lf_fail(err, row->status, row->class, "%s", text);
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

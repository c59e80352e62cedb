#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* error.h may have put macros before these. */
#undef lf_fail
#undef lf_fail_memory
enum lf_status lf_fail(struct lf_error *err, enum lf_status status, enum lf_class class, const char *format,
                       ...)
{
    va_list args;
    struct lf_error error = {.status = status, .class = class}; /* arguments may point into err->text */
    va_start(args, format);
    vsnprintf(error.text, sizeof error.text, format, args);
    va_end(args);
    *err = error;
    return status;
}

enum lf_status lf_fail_memory(struct lf_error *err, const char *what)
{
    return lf_fail(err, LF_NO_MEMORY, LF_TRANSIENT, "out of memory: %s", what);
}

enum lf_status lf_error_prefix(struct lf_error *err, const char *format, ...)
{
    va_list args;
    char text[LF_ERROR_TEXT];
    va_start(args, format);
    int used = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (used < 0)
        used = 0;
    if ((size_t)used < sizeof text
        && snprintf(text + used, sizeof text - (size_t)used, ": %s", err->text) < 0)
        text[used] = '\0';
    memcpy(err->text, text, sizeof text);
    return err->status;
}

void lf_error_clear(struct lf_error *err)
{
    memset(err, 0, sizeof *err);
}

const char *lf_status_name(enum lf_status status)
{
    static const char *const names[] = {
        [LF_OK] = "ok",
        [LF_INVALID] = "invalid",
        [LF_NOT_FOUND] = "not found",
        [LF_EXISTS] = "exists",
        [LF_DENIED] = "denied",
        [LF_IO] = "i/o error",
        [LF_FULL] = "full",
        [LF_NO_MEMORY] = "no memory",
        [LF_TIMEOUT] = "timeout",
        [LF_CANCELLED] = "cancelled",
        [LF_DISCONNECTED] = "disconnected",
        [LF_PROTOCOL] = "protocol error",
        [LF_REFUSED] = "refused",
        [LF_BUSY] = "busy",
        [LF_CORRUPT] = "corrupt",
        [LF_TOO_LARGE] = "too large",
        [LF_UNSUPPORTED] = "unsupported",
        [LF_MISMATCH] = "mismatch",
    };
    size_t index = (size_t)status;
    return index < sizeof names / sizeof *names ? names[index] : "unknown status";
}

static const char *const class_names[] = {
    [LF_CLASS_NONE] = "none",
    [LF_TRANSIENT] = "transient",
    [LF_PERMANENT] = "permanent",
    [LF_UNKNOWN_OUTCOME] = "unknown outcome",
    [LF_NEEDS_PERSON] = "needs a person",
};

const char *lf_class_name(enum lf_class class)
{
    size_t index = (size_t) class;
    return index < sizeof class_names / sizeof *class_names ? class_names[index] : "none";
}

enum lf_class lf_class_from_name(const char *name)
{
    for (size_t i = 0; name && i < sizeof class_names / sizeof *class_names; i++)
        if (!strcmp(name, class_names[i]))
            return (enum lf_class)i;
    return LF_CLASS_NONE;
}

/* Errors. A call that can fail returns enum lf_status and fills a struct lf_error.
 *
 * The *status* says what kind of error it is, for code that must distinguish cases. The *class* alone decides
 * what happens to a job. The *text* is for people: what happened, where, and what to do next. Never put a
 * secret in it.
 */
#ifndef LF_BASE_ERROR_H
#define LF_BASE_ERROR_H

#include <stdint.h>

enum lf_status {
    LF_OK = 0,
    LF_INVALID, /* the input breaks a rule */
    LF_NOT_FOUND,
    LF_EXISTS, /* already there; nothing was changed */
    LF_DENIED, /* permission, authentication */
    LF_IO,     /* a read, write or system call failed */
    LF_FULL,   /* no room: disk, queue, limit reached */
    LF_NO_MEMORY,
    LF_TIMEOUT,
    LF_CANCELLED,    /* asked to stop */
    LF_DISCONNECTED, /* device, broker or server is gone */
    LF_PROTOCOL,     /* the peer sent something invalid */
    LF_REFUSED,      /* the peer understood and refused */
    LF_BUSY,
    LF_CORRUPT, /* stored data is damaged */
    LF_TOO_LARGE,
    LF_UNSUPPORTED,
    LF_MISMATCH, /* digest, length or identity differs from what was expected */
};

enum lf_class {
    LF_CLASS_NONE = 0,
    LF_TRANSIENT,       /* may work later: wait and retry */
    LF_PERMANENT,       /* will never work: fail */
    LF_UNKNOWN_OUTCOME, /* may or may not have happened: hold, never retry automatically */
    LF_NEEDS_PERSON,    /* needs a person: hold */
};

enum { LF_ERROR_TEXT = 512 };

struct lf_error {
    enum lf_status status;
    enum lf_class class;
    int64_t retry_after_ms; /* the peer asked us to wait this long; 0 if it did not */
    char text[LF_ERROR_TEXT];
};

/* Fills *err, which is never NULL, and returns status. Long texts are cut at LF_ERROR_TEXT - 1 bytes. */
enum lf_status lf_fail(struct lf_error *err, enum lf_status status, enum lf_class class, const char *format,
                       ...) __attribute__((nonnull(1), format(printf, 4, 5)));

/* The same for a failed call of the C library: appends ": <reason>" and derives status and class from errno
 * (ENOSPC: full and transient; ENOENT: not found; EACCES: denied and needs a person ...). */
enum lf_status lf_fail_errno(struct lf_error *err, const char *format, ...)
    __attribute__((nonnull(1), format(printf, 2, 3)));

/* Out of memory while doing `what`: transient. */
enum lf_status lf_fail_memory(struct lf_error *err, const char *what) __attribute__((nonnull(1)));

/* Prepends context to an error that is passed up: "<context>: <text>". Returns err->status. */
enum lf_status lf_error_prefix(struct lf_error *err, const char *format, ...)
    __attribute__((nonnull(1), format(printf, 2, 3)));

void lf_error_clear(struct lf_error *err);

/* Stable lower-case names ("not found", "transient"), for reports and logs. Never NULL. */
const char *lf_status_name(enum lf_status status);
const char *lf_class_name(enum lf_class class);

/* The class with that name, LF_CLASS_NONE if there is none. */
enum lf_class lf_class_from_name(const char *name);

#ifdef __clang_analyzer__
/* clang-tidy sees one file at a time; this is what it has to know of error.c: a failure is never LF_OK. */
static inline enum lf_status lf_never_ok(enum lf_status status)
{
    if (status == LF_OK)
        __builtin_unreachable();
    return status;
}
#define lf_fail(...) lf_never_ok(lf_fail(__VA_ARGS__))
#define lf_fail_errno(...) lf_never_ok(lf_fail_errno(__VA_ARGS__))
#define lf_fail_memory(...) lf_never_ok(lf_fail_memory(__VA_ARGS__))
#endif

#endif

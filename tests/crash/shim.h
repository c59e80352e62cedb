/* Between labferryd and its system calls. Loaded by LD_PRELOAD; see README.md.
 *
 * calls.c has a wrapper for every call of interest; count.c counts them and ends the process at one of them;
 * durable.c keeps what would survive a power cut.
 */
#ifndef CRASH_SHIM_H
#define CRASH_SHIM_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The function of that name in the library behind us. */
#define REAL(name)                                                                                           \
    ({                                                                                                       \
        static void *slot;                                                                                   \
        (__typeof__(&name))shim_next(&slot, #name);                                                          \
    })
void *shim_next(void **slot, const char *name);

/* ---- count.c: environment LF_CRASH_COUNT_FILE, LF_CRASH_AT, LF_CRASH_HOW, LF_CRASH_FOR, LF_CRASH_ONLY,
 * LF_CRASH_LOG ---- */

/* A call that touches the world outside the process is about to be made: on fd, or on path (NULL: none). Does
 * not return if the process ends here. Else 0, or the error with which the call fails instead of being
 * made. */
int count_before(const char *call, int fd, const char *path);
/* The same for a call that writes *len bytes. Changes *len to how many of them to write: all, unless the
 * write is to be torn. */
int count_write(const char *call, int fd, size_t *len);
/* The same for creating a file: counted only when calls are to fail. */
int count_create(const char *call, const char *path);
/* After the call. Does not return if the process ends here. */
void count_after(void);
/* Is fd outside the process: a file, a serial line, a network socket? Pipes, wake-ups, logs and the control
 * socket are not. */
bool count_is_outside(int fd);

/* ---- durable.c: environment LF_CRASH_ROOT, LF_CRASH_STORE, LF_CRASH_NO_SYNC ---- */

struct opening {
    bool tracked, existed;
};
/* Around an open: the present content of an existing file below the root counts as durable; a new file has
 * none. */
void durable_before_open(int dir, const char *path, int flags, struct opening *opening);
void durable_after_open(const struct opening *opening, int fd);
/* A name is removed (call before) or added (call after). */
void durable_gone(int dir, const char *path);
void durable_came(int dir, const char *path);
/* fsync or fdatasync of a file or folder. */
void durable_sync(int fd);

#endif

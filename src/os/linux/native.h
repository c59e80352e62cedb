/* Inside src/os/linux, and for tests: what is in the types of the contract. A zeroed handle is empty, so a
 * descriptor is stored as its number plus one. */
#ifndef LF_OS_LINUX_NATIVE_H
#define LF_OS_LINUX_NATIVE_H

#include "base/error.h"
#include "os/wait.h"

#include <stdint.h>
#include <sys/types.h>

/* thread.c: the calling thread is about to enter the file system, or to wait for something else. */
void os__pulse_begin(void);
void os__pulse_rest(void);

/* The descriptor for a call that is about to be made. */
static inline int os__descriptor(intptr_t os)
{
    os__pulse_begin();
    return (int)os - 1;
}

static inline intptr_t os__handle(int fd)
{
    return fd >= 0 ? (intptr_t)fd + 1 : 0;
}

static inline int os__fd(struct lf_waitable what)
{
    return os__descriptor(what.os);
}

static inline struct lf_waitable os__waitable(int fd)
{
    return (struct lf_waitable){os__handle(fd)};
}

/* net.c: turns the result of a non-blocking read or write into what lf_socket_read returns. */
enum lf_status os__moved(ssize_t result, size_t *count, struct lf_error *err);

/* Fills *err from errno: the reason as text, with the status and class that follow from it. */
enum lf_status os__fail(struct lf_error *err);

/* wait.c: a deadline for poll(): -1 for LF_NEVER, else the ms left, at most INT_MAX. */
int os__poll_ms(int64_t deadline);

#endif

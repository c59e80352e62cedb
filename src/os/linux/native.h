/* Inside src/os/linux: what is in the types of the contract. A zeroed handle holds nothing, so that a
 * descriptor is kept as its number plus one. */
#ifndef LF_OS_LINUX_NATIVE_H
#define LF_OS_LINUX_NATIVE_H

#include "os/wait.h"

#include <sys/types.h>

static inline int os__fd(struct lf_waitable what)
{
    return (int)what.os - 1;
}

static inline struct lf_waitable os__waitable(int fd)
{
    return (struct lf_waitable){fd >= 0 ? (intptr_t)fd + 1 : 0};
}

/* net.c: what a read or write without waiting has returned, as lf_socket_read says it. */
enum lf_status os__moved(ssize_t result, size_t *count, struct lf_error *err);

#endif

#include "base/failpoint.h"

#ifdef LF_FAILPOINTS
#include "os/service.h"
#include "os/thread.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct lf_mutex mutex = LF_MUTEX_INIT;

enum { ENTRIES_MAX = 16, WAIT_SLICE_MS = 5 };
static int passed[ENTRIES_MAX]; /* how often each entry of LF_DIE_AT was passed */

/* Does this entry, "name:count", name the point, and is this the pass that it counts to? */
static bool due(const char *entry, size_t len, const char *name, int *times)
{
    const char *colon = memchr(entry, ':', len);
    size_t named = colon ? (size_t)(colon - entry) : len;
    if (named != strlen(name) || strncmp(entry, name, named) != 0)
        return false;
    return ++*times == (colon ? strtol(colon + 1, NULL, 10) : 1);
}

void lf_failpoint(const char *name)
{
    const char *entry = getenv("LF_DIE_AT");
    if (!entry)
        return;
    lf_mutex_lock(&mutex);
    for (size_t i = 0; i < ENTRIES_MAX && *entry; i++) {
        size_t len = strcspn(entry, "|");
        if (due(entry, len, name, &passed[i]))
            lf_service_crash();
        entry += len + (entry[len] == '|');
    }
    lf_mutex_unlock(&mutex);
}

int64_t lf_test_limit(const char *variable, int64_t number)
{
    const char *given = getenv(variable);
    return given ? strtoll(given, NULL, 10) : number;
}

static _Atomic int64_t time_passed, waits;
static _Atomic bool time_moves;

void lf_test_time_passes(int64_t ms)
{
    time_moves = true;
    time_passed += ms;
}

int64_t lf_test_time_passed(void)
{
    return time_passed;
}

int64_t lf_test_wait_slice(int64_t ms)
{
    waits += ms > 0;
    return time_moves && ms > WAIT_SLICE_MS ? WAIT_SLICE_MS : ms;
}

int64_t lf_test_waits(void)
{
    return waits;
}
#else
typedef int lf_no_points; /* ISO C requires a declaration in each file */
#endif

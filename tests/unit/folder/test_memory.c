// Running out of memory at any moment is an error like others: nothing half done, nothing lost, no crash.
//
// The linker sends allocations here first (see CMakeLists.txt); the n-th from now fails.
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Of the test's own thread: what another one allocates meanwhile (a watch) is not counted, so that the n-th
// is the same in each run.
static _Thread_local long fail_at, count;

static bool fails(void)
{
    return fail_at && ++count == fail_at;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t items, size_t size);
void *__wrap_calloc(size_t items, size_t size);
void *__wrap_calloc(size_t items, size_t size)
{
    return fails() ? NULL : __real_calloc(items, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static struct bench bench;
static struct lf_error err;

static void begin(long n)
{
    memset(&err, 0, sizeof err);
    count = 0;
    fail_at = n;
}

// True when the failure was reached.
static bool end(void)
{
    bool reached = fail_at && count >= fail_at;
    fail_at = 0;
    return reached;
}

static void delivering(const char *const *settings)
{
    struct lf_outcome outcome = {0};
    long n = 1;
    bench_connect(&bench, settings);
    for (bool reached = true; reached && n < 100; n++) {
        char name[32];
        snprintf(name, sizeof name, "w%ld.csv", n);
        const struct lf_action *action = bench_parcel(&bench, n, name, "a\nb\n");
        begin(n);
        enum lf_status status = lf_driver_folder.act(bench.device, action, &outcome, &err);
        reached = end();
        bool visible = bench_exists(bench.inbox, name);
        CHECK_INT(visible, status == LF_OK || err.class == LF_UNKNOWN_OUTCOME);
        if (status != LF_OK && !visible)
            CHECK_INT(err.class, LF_TRANSIENT);
        lf_outcome_free(&outcome);
        if (visible) // else the host knows that nothing happened, and does not ask
            CHECK_INT(lf_driver_folder.verify(bench.device, action, &outcome, &err), LF_VERDICT_DONE);
        lf_outcome_free(&outcome);
    }
    CHECK(n > 3 && n < 100);
    bench_close(&bench);
}

static void deliver(void)
{
    delivering(NULL);
}

static void deliver_converted(void)
{
    delivering((const char *[]){"inbox", bench.inbox, "eol", "crlf", "encoding", "windows-1252", NULL});
}

enum { LOOK_MS = 3600 * 1000 }; // after that long a look at the outbox is due, watched or not

static void collect(void)
{
    long n = 1;
    bench_connect(&bench, (const char *[]){"finish", "rename", NULL});
    for (bool reached = true; reached && n < 100; n++) {
        char name[32], path[BENCH_PATH + 32];
        snprintf(name, sizeof name, "r%ld.csv", n);
        bench_write(bench.outbox, "r.csv.labferry.json", "{}");
        bench_write(bench.outbox, name, "a");
        UNIT_TIME_PASSES(LOOK_MS);
        begin(n);
        enum lf_status status = lf_driver_folder.listen(bench.device, 0, &err);
        reached = end();
        CHECK(status == LF_OK || err.class == LF_TRANSIENT);
        UNIT_TIME_PASSES(LOOK_MS); // the next look finds what that one missed
        CHECK_INT(bench_listen(&bench, 0, &err), LF_OK);
        const struct bench_finding *found = bench_found(&bench, name);
        NEED(found != NULL);
        snprintf(path, sizeof path, "%s/copy", bench.spool);
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        begin(n);
        status = lf_driver_folder.take(bench.device, found->id, found->version, UNIT_FILE(fd), 1000, &err);
        reached = end() || reached;
        CHECK(status == LF_OK || err.class == LF_TRANSIENT);
        close(fd);
        begin(n);
        status = lf_driver_folder.archive(bench.device, found->id, found->version, &err);
        reached = end() || reached;
        CHECK(status == LF_OK || err.class == LF_TRANSIENT);
        CHECK_INT(lf_driver_folder.archive(bench.device, found->id, found->version, &err), LF_OK);
        CHECK(!bench_exists(bench.outbox, name));
    }
    CHECK(n > 3 && n < 100);
    bench_close(&bench);
}

UNIT_TESTS("folder: memory",
           {"out of memory anywhere in a delivery: not done and repeatable, or done and verified as done",
            deliver},
           {"the same with conversion", deliver_converted},
           {"out of memory anywhere while collecting: the result is found, taken and archived later",
            collect}, )

// States of the parent: for each test, one counting run in this process, then up to TOGETHER runs at a time
// (a slot each) until no allocation is left. The children share nothing but `struct told` with it.
#include "torture.h"

#include "failing.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TOGETHER = 4,
    LARGE = 4096,       // allocations; mostly those of opening a journal, which many tests do
    SOON_MS = 3000,     // to wait in a run; the one that counts has all the time of an ordinary one
    FAILED_MS = 200,    // once a check has failed: what follows will hardly happen
    SHOWN_FAILURES = 5, // of one test; the rest is counted
    SHOWN_BYTES = 6000,
    THREADS_END_MS = 3000, // a thread that hangs does not end
};

// What a child tells, in shared memory.
struct told {
    uint64_t counted, failed;
};

struct slot {
    pid_t pid; // 0: free
    uint64_t nth;
    bool onwards;
    FILE *output;
    struct told *told;
};

static struct slot slots[TOGETHER];
static struct told *child; // in a child: where it tells
static unsigned passed, failed;
static uint64_t runs, injected;

void __lsan_do_leak_check(void) __attribute__((weak));

static void tell(void)
{
    child->counted = failing_stop(&child->failed);
}

void torture_need(void)
{
    if (child == NULL)
        return;
    tell();
    fflush(stdout);
    if (__lsan_do_leak_check)
        __lsan_do_leak_check();
    _exit(0);
}

void torture_failed(void)
{
    if (child != NULL)
        unit_soon_ms = FAILED_MS;
}

static bool before_failed; // an allocation failed in the turn before

bool unit_failing(unsigned nth)
{
    if (nth > 1 && !before_failed)
        return false;
    if (child == NULL) // a run of torture has its own allocation that fails
        failing_start(nth, false);
    return true;
}

void unit_failing_over(void)
{
    uint64_t count = 0;
    if (child == NULL)
        failing_stop(&count);
    before_failed = count > 0;
}

static void must(bool done, const char *what)
{
    if (!done) {
        fprintf(stderr, "torture: cannot %s: %s\n", what, strerror(errno));
        exit(2);
    }
}

static void start(struct slot *slot, const struct torture *torture, const struct unit_test *test,
                  uint64_t nth, bool onwards)
{
    slot->nth = nth;
    slot->onwards = onwards;
    *slot->told = (struct told){0};
    slot->output = tmpfile();
    must(slot->output != NULL, "make a file for output");
    fflush(stdout);
    slot->pid = fork();
    must(slot->pid >= 0, "start a process");
    if (slot->pid > 0)
        return;
    setpgid(0, 0);
    dup2(fileno(slot->output), STDOUT_FILENO);
    dup2(fileno(slot->output), STDERR_FILENO);
    child = slot->told;
    unit_soon_ms = SOON_MS;
    failing_start(nth, onwards);
    torture->run(test);
    tell();
    exit(0); // looks for leaks
}

static void show_end(FILE *output)
{
    char text[SHOWN_BYTES + 1];
    fseek(output, 0, SEEK_END);
    long size = ftell(output);
    fseek(output, size > SHOWN_BYTES ? size - SHOWN_BYTES : 0, SEEK_SET);
    text[fread(text, 1, SHOWN_BYTES, output)] = '\0';
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        printf("      | %s\n", line);
}

// Waits for any child of this test. True if its run was good.
static bool reap(const struct torture *torture, const struct unit_test *test, bool show)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);
    must(pid > 0, "wait for a run");
    struct slot *slot = slots;
    while (slot < slots + TOGETHER && slot->pid != pid)
        slot++;
    must(slot < slots + TOGETHER, "tell which run has ended");
    slot->pid = 0;
    kill(-pid, SIGKILL); // what the test itself had started
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    runs++;
    injected += slot->told->failed;
    if (!good && show) {
        printf("\n    allocation %" PRIu64 "%s: %s %d; again: %s --fail %" PRIu64 "%s \"%s\"\n", slot->nth,
               slot->onwards ? " and all after it" : "", WIFSIGNALED(status) ? "signal" : "exit status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), torture->program, slot->nth,
               slot->onwards ? "+" : "", test->promise);
        show_end(slot->output);
    }
    fclose(slot->output);
    return good;
}

static struct slot *free_slot(void)
{
    for (size_t i = 0; i < TOGETHER; i++)
        if (slots[i].pid == 0)
            return &slots[i];
    return NULL;
}

static int threads(void)
{
    int count = -2; // "." and ".."
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && readdir(tasks))
        count++;
    if (tasks)
        closedir(tasks);
    return count;
}

// A fork while another thread allocates copies its lock, which nobody opens in the child: that would hang
// there.
static void wait_for_threads(void)
{
    for (int ms = 0; threads() > 1 && ms < THREADS_END_MS; ms++)
        usleep(1000);
}

// How many allocations the test makes. Libraries make themselves ready at their first use, and some leak or
// stay broken when they cannot: that is theirs. This run, in this process, does it for all that follow.
static uint64_t count_allocations(const struct torture *torture, const struct unit_test *test)
{
    uint64_t none;
    fflush(stdout);
    int out = dup(STDOUT_FILENO), error = dup(STDERR_FILENO);
    FILE *output = tmpfile();
    must(out >= 0 && error >= 0 && output != NULL, "make a file for output");
    dup2(fileno(output), STDOUT_FILENO);
    dup2(fileno(output), STDERR_FILENO);
    failing_start(0, false);
    torture->run(test);
    uint64_t count = failing_stop(&none);
    wait_for_threads();
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    close(out);
    close(error);
    fclose(output);
    return count;
}

// Of a large test `some` takes one of the points 1, 16, 256, 4096; the tests of a program take turns.
static uint64_t first_point(const struct torture *torture, const struct unit_test *test, bool one)
{
    return one ? UINT64_C(1) << 4 * ((test - torture->tests) % 4) : 1;
}

// The point after nth. Points do not depend on how fast this machine is: the same ones are chosen everywhere.
static uint64_t next_point(uint64_t nth, enum torture_points points, bool one)
{
    switch (points) {
    case TORTURE_SOME: return one ? UINT64_MAX : nth * 16;
    case TORTURE_MANY: return nth + 1 + nth / 12;
    default: return nth + 1;
    }
}

static void torture_test(const struct torture *torture, const struct unit_test *test,
                         enum torture_points points)
{
    printf("  %s ...", test->promise);
    fflush(stdout);
    if (test->slow && points == TORTURE_SOME) {
        puts(" left out: slow");
        return;
    }
    uint64_t bad = 0, running = 0, runs_before = runs;
    uint64_t total = count_allocations(torture, test);
    bool one = points == TORTURE_SOME && total > LARGE;
    bool onwards = one && (test - torture->tests) / 4 % 2 != 0;
    for (uint64_t nth = first_point(torture, test, one); nth <= total; onwards = !onwards) {
        if (running == TOGETHER) {
            bad += !reap(torture, test, bad < SHOWN_FAILURES);
            running--;
        }
        start(free_slot(), torture, test, nth, onwards);
        running++;
        if (onwards || points == TORTURE_SOME) // there, the two ways take turns
            nth = next_point(nth, points, one);
    }
    for (; running > 0; running--)
        bad += !reap(torture, test, bad < SHOWN_FAILURES);
    printf(" %s (%" PRIu64 " allocations, %" PRIu64 " runs", bad == 0 ? "ok" : "FAIL", total,
           runs - runs_before);
    printf(bad > 0 ? ", %" PRIu64 " of them bad)\n" : ")\n", bad);
    *(bad == 0 ? &passed : &failed) += 1;
}

static bool promises(const struct unit_test *test, const char *words)
{
    return words == NULL || strstr(test->promise, words) != NULL;
}

int torture(const struct torture *torture, enum torture_points points)
{
    if (!failing_possible()) {
        puts("allocations fail on purpose only in a build by gcc with AddressSanitizer: toolchain/build "
             "debug");
        return 2;
    }
    struct told *shared = mmap(NULL, TOGETHER * sizeof *shared, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED, "share memory");
    for (size_t i = 0; i < TOGETHER; i++)
        slots[i].told = &shared[i];
    for (size_t i = 0; i < torture->count; i++)
        if (promises(&torture->tests[i], torture->words))
            torture_test(torture, &torture->tests[i], points);
    printf("%" PRIu64 " runs, %" PRIu64 " allocations failed on purpose\n", runs, injected);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

int torture_once(const struct torture *torture, const char *which)
{
    static struct told told;
    char *end = NULL;
    uint64_t nth = strtoull(which, &end, 10);
    for (size_t i = 0; i < torture->count; i++) {
        if (promises(&torture->tests[i], torture->words)) {
            child = &told;
            unit_soon_ms = SOON_MS;
            failing_start(nth, *end == '+');
            torture->run(&torture->tests[i]);
            tell();
            printf("%" PRIu64 " allocations, %" PRIu64 " of them failed on purpose\n", told.counted,
                   told.failed);
            return 0;
        }
    }
    return 2;
}

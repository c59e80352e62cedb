// Marks and unfinished files do not pile up, and none is removed while the host may still ask about it.
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static const int64_t MINUTE = 60 * 1000;

static struct bench bench;
static struct lf_error err;

static void start(void)
{
    memset(&err, 0, sizeof err);
    bench_connect(&bench, (const char *[]){"outbox", "", NULL});
}

static void sweep_after(int64_t ms)
{
    UNIT_TIME_PASSES(ms);
    CHECK_INT(lf_driver_folder.listen(bench.device, 0, &err), LF_OK);
}

static void deliver(int64_t job, const char *name)
{
    struct lf_outcome outcome = {0};
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, job, name, "abc"), &outcome, &err),
              LF_OK);
    lf_outcome_free(&outcome);
}

static void leave(const char *name, int days)
{
    char path[BENCH_PATH + 300];
    struct timeval times[2];
    bench_write(bench.inbox, name, "labferry delivery mark\n");
    snprintf(path, sizeof path, "%s/%s", bench.inbox, name);
    gettimeofday(&times[0], NULL);
    times[0].tv_sec -= days * 24 * 3600;
    times[1] = times[0];
    CHECK_INT(utimes(path, times), 0);
}

static void answered(void)
{
    start();
    deliver(1, "plate.csv");
    sweep_after(30 * MINUTE);
    CHECK_INT(bench_count(bench.inbox, ".mark"), 1); // the host may not have committed yet
    sweep_after(31 * MINUTE);
    sweep_after(61 * MINUTE);
    CHECK_INT(bench_count(bench.inbox, ".mark"), 0);
    CHECK(bench_exists(bench.inbox, "plate.csv"));
    bench_close(&bench);
}

static void left_by_crashes(void)
{
    start();
    leave(".labferry-7-0123456789abcdef.mark", 31);
    leave(".labferry-8-0123456789abcdef.mark", 29);
    leave(".old.csv.part-7", 31);
    leave(".new.csv.part-8", 29);
    leave("other.csv.part-7", 31); // not hidden: not ours
    leave(".other.part-7b", 31);   // not of our form
    leave("worklist.csv", 365);
    sweep_after(59 * MINUTE);
    CHECK_INT(bench_count(bench.inbox, ".mark"), 2); // the host may still ask about it
    sweep_after(2 * MINUTE);
    CHECK(!bench_exists(bench.inbox, ".labferry-7-0123456789abcdef.mark"));
    CHECK(bench_exists(bench.inbox, ".labferry-8-0123456789abcdef.mark"));
    CHECK(!bench_exists(bench.inbox, ".old.csv.part-7"));
    CHECK(bench_exists(bench.inbox, ".new.csv.part-8"));
    CHECK(bench_exists(bench.inbox, "other.csv.part-7"));
    CHECK(bench_exists(bench.inbox, ".other.part-7b"));
    CHECK(bench_exists(bench.inbox, "worklist.csv"));
    bench_close(&bench);
}

static void bounded(void)
{
    char name[64];
    start();
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, ".labferry-%d-0123456789abcdef.mark", i);
        leave(name, i < 44 ? 5 : 1);
    }
    sweep_after(61 * MINUTE);
    CHECK_INT(bench_count(bench.inbox, ".mark"), 256);
    CHECK(!bench_exists(bench.inbox, ".labferry-0-0123456789abcdef.mark")); // the oldest went
    CHECK(bench_exists(bench.inbox, ".labferry-299-0123456789abcdef.mark"));
    bench_close(&bench);
}

static void many_in_an_hour(void)
{
    char name[64];
    start();
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "w%d.csv", i);
        deliver(i + 1, name);
    }
    CHECK_INT(bench_count(bench.inbox, ".mark"), 256);
    CHECK_INT(bench_count(bench.inbox, ".csv"), 300);
    bench_close(&bench);
}

UNIT_TESTS("folder: sweep",
           {"the mark of a delivery is removed an hour after its answer, not before", answered},
           {"leftovers of crashes are removed after 30 days, once the host has had an hour to ask",
            left_by_crashes},
           {"of more than 256 leftover marks the oldest are removed first", bounded},
           {"a busy hour leaves no more than 256 marks", many_in_an_hour, UNIT_SLOW}, )

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

static void leave(const char *folder, const char *name, int days)
{
    char path[BENCH_PATH + 300];
    struct timeval times[2];
    bench_write(folder, name, "labferry delivery mark\n");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gettimeofday(&times[0], NULL);
    times[0].tv_sec -= days * 24 * 3600;
    times[1] = times[0];
    CHECK_INT(utimes(path, times), 0);
}

// The instrument's software sees nothing of ours, and what was delivered stays known.
static void unseen(void)
{
    start();
    deliver(1, "plate.csv");
    sweep_after(30 * MINUTE);
    CHECK_INT(bench_count(bench.inbox, ""), 1);
    for (int hour = 0; hour < 6; hour++)
        sweep_after(61 * MINUTE);
    CHECK_INT(bench_count(bench.marks, ".mark"), 1);
    bench_close(&bench);
}

static void left_by_crashes(void)
{
    start();
    leave(bench.marks, "bench-3-7-0123456789abcdef.mark", 10 * 365);
    leave(bench.inbox, ".old.csv.part-7", 31);
    leave(bench.inbox, ".new.csv.part-8", 29);
    leave(bench.inbox, "other.csv.part-7", 31); // not hidden: not ours
    leave(bench.inbox, ".other.part-7b", 31);   // not of our form
    leave(bench.inbox, "worklist.csv", 365);
    sweep_after(59 * MINUTE);
    CHECK(bench_exists(bench.inbox, ".old.csv.part-7")); // the host may still ask about it
    sweep_after(2 * MINUTE);
    CHECK(bench_exists(bench.marks, "bench-3-7-0123456789abcdef.mark")); // whatever the clock says
    CHECK(!bench_exists(bench.inbox, ".old.csv.part-7"));
    CHECK(bench_exists(bench.inbox, ".new.csv.part-8"));
    CHECK(bench_exists(bench.inbox, "other.csv.part-7"));
    CHECK(bench_exists(bench.inbox, ".other.part-7b"));
    CHECK(bench_exists(bench.inbox, "worklist.csv"));
    bench_close(&bench);
}

static void bounded(void)
{
    enum { KEPT = 4096, MORE = 44 };
    char name[64];
    start();
    for (int i = 0; i < KEPT + MORE; i++) {
        snprintf(name, sizeof name, "bench-3-%d-0123456789abcdef.mark", i);
        leave(bench.marks, name, i < MORE ? 5 : 1);
    }
    leave(bench.marks, "lock", 900); // not a mark
    sweep_after(61 * MINUTE);
    CHECK_INT(bench_count(bench.marks, ".mark"), KEPT);
    CHECK(!bench_exists(bench.marks, "bench-3-0-0123456789abcdef.mark")); // the oldest went
    CHECK(bench_exists(bench.marks, "bench-3-4139-0123456789abcdef.mark"));
    CHECK(bench_exists(bench.marks, "lock"));
    bench_close(&bench);
}

// ---- what the marks tell ----

static char told[4096];

static void tell(void *context, const struct lf_witness *delivery)
{
    (void)context;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s %lld %s %s %.8s\n", delivery->agent,
             (long long)delivery->job, delivery->name, delivery->done ? "done" : "begun", delivery->sha256);
    CHECK(delivery->at_ms > 0);
}

static void witnessed(void)
{
    told[0] = '\0';
    start();
    CHECK_INT(lf_driver_folder.witnessed(bench.device, tell, NULL, &err), LF_OK);
    CHECK_STR(told, "");
    deliver(1, "plate.csv");
    bench_write(bench.marks, "left-over-9-0123456789abcdef.mark",
                "labferry delivery mark\nname b.csv\n"
                "sha256 0000000000000000000000000000000000000000000000000000000000000000\nabout\n");
    bench_write(bench.marks, "bench-3-10-0123456789abcdef.mark", "labferry delivery mark\nname c.csv\n");
    CHECK_INT(lf_driver_folder.witnessed(bench.device, tell, NULL, &err), LF_OK);
    CHECK_HAS(told, "bench-3 1 plate.csv done ba7816bf\n"); // sha256 of "abc"
    CHECK_HAS(told, "left-over 9 b.csv begun \n");
    CHECK(!strstr(told, "c.csv")); // cut short before it counted
    bench_close(&bench);
}

// An earlier version left its marks and its lock in the inbox.
static void adopted(void)
{
    struct lf_outcome outcome = {0};
    start();
    bench_close(&bench);
    bench_write(bench.inbox, ".labferry-12-ba7816bf8f01cfea.mark",
                "labferry delivery mark\nname plate.csv\n"
                "sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
                "boot x\nabout\ndone\n");
    bench_write(bench.inbox, ".labferry.lock", "labferry instrument reader\n");
    start();
    CHECK_INT(bench_count(bench.inbox, ""), 0);
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                      &err),
              LF_VERDICT_DONE);
    lf_outcome_free(&outcome);
    bench_close(&bench);
}

UNIT_TESTS("folder: marks", {"the agent's marks and lock lie beside the inbox, not in it, and stay", unseen},
           {"leftovers of crashes are removed after 30 days, once the host has had an hour to ask",
            left_by_crashes},
           {"of more than 4096 marks the oldest are removed", bounded, UNIT_SLOW},
           {"the share remembers deliveries, of all agents", witnessed},
           {"marks and lock of an earlier version are found and moved", adopted}, )

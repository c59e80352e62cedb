// A result that the cloud has is moved away: nothing lost, nothing replaced, repeatable.
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct bench bench;
static struct lf_error err;
static char archive[2 * BENCH_PATH]; // today's folder

static void start(const char *const *settings)
{
    char day[32];
    time_t now = time(NULL);
    struct tm local;
    memset(&err, 0, sizeof err);
    bench_connect(&bench, settings);
    strftime(day, sizeof day, "%Y-%m-%d", localtime_r(&now, &local));
    snprintf(archive, sizeof archive, "%s/archive/%s", bench.outbox, day);
}

// Finds the newest version of id; archives it.
static enum lf_status archive_result(const char *id, const char *text)
{
    bench_write(bench.outbox, id, text);
    bench_listen_for(&bench, bench.found_count + 1);
    const struct bench_finding *found = bench_found(&bench, id);
    NEED(found != NULL);
    return lf_driver_folder.archive(bench.device, id, found->version, &err);
}

static const char *const QUICK[] = {"finish", "rename", "scan_interval", "100ms", "depth", "1", NULL};

static void moved_by_day(void)
{
    start(QUICK);
    CHECK_INT(archive_result("plate.csv", "a"), LF_OK);
    CHECK(!bench_exists(bench.outbox, "plate.csv"));
    CHECK_STR(bench_text(archive, "plate.csv"), "a");
    bench_after(&bench, 3600 * 1000,
                1); // nothing in the archive is a result, though it lies below the outbox
    bench_close(&bench);
}

static void repeatable(void)
{
    start(QUICK);
    CHECK_INT(archive_result("plate.csv", "a"), LF_OK);
    CHECK_INT(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err), LF_OK);
    CHECK_INT(bench_count(archive, ""), 1);
    bench_close(&bench);
}

static void same_name_kept(void)
{
    start(QUICK);
    CHECK_INT(archive_result("plate.csv", "first"), LF_OK);
    CHECK_INT(archive_result("plate.csv", "second one"), LF_OK);
    CHECK_INT(archive_result("plate.csv", "third of them"), LF_OK);
    CHECK_STR(bench_text(archive, "plate.csv"), "first");
    CHECK_STR(bench_text(archive, "plate~2.csv"), "second one");
    CHECK_STR(bench_text(archive, "plate~3.csv"), "third of them");
    bench_close(&bench);
}

static void same_bytes_kept_once(void)
{
    start(QUICK);
    CHECK_INT(archive_result("plate.csv", "first"), LF_OK);
    CHECK_INT(archive_result("plate.csv", "first"), LF_OK);
    CHECK(!bench_exists(bench.outbox, "plate.csv"));
    CHECK_INT(bench_count(archive, ""), 1);
    bench_close(&bench);
}

static void newer_version_stays(void)
{
    start(QUICK);
    bench_write(bench.outbox, "plate.csv", "old");
    bench_listen_for(&bench, 1);
    bench_write(bench.outbox, "plate.csv", "newer");
    CHECK_INT(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err), LF_OK);
    CHECK_STR(bench_text(bench.outbox, "plate.csv"), "newer");
    bench_listen_for(&bench, 2);
    bench_close(&bench);
}

static void folders_are_kept(void)
{
    char sub[BENCH_PATH + 32], kept[3 * BENCH_PATH];
    start(QUICK);
    snprintf(sub, sizeof sub, "%s/run7", bench.outbox);
    mkdir(sub, 0755);
    CHECK_INT(archive_result("run7/plate.csv", "a"), LF_OK);
    snprintf(kept, sizeof kept, "%s/run7", archive);
    CHECK_STR(bench_text(kept, "plate.csv"), "a");
    bench_close(&bench);
}

static void companions_go_along(void)
{
    start((const char *[]){"finish", "marker", "done_marker", "{name}.done", "scan_interval", "100ms", NULL});
    bench_write(bench.outbox, "plate.csv.labferry.json", "{}");
    bench_write(bench.outbox, "plate.csv.done", "");
    CHECK_INT(archive_result("plate.csv", "a"), LF_OK);
    CHECK_INT(bench_count(bench.outbox, "plate"), 0);
    CHECK(bench_exists(archive, "plate.csv.done"));
    CHECK(bench_exists(archive, "plate.csv.labferry.json"));
    bench_close(&bench);
}

static void none_leaves_it(void)
{
    start((const char *[]){"finish", "rename", "archive", "none", "scan_interval", "100ms", NULL});
    CHECK_INT(archive_result("plate.csv", "a"), LF_OK);
    CHECK(bench_exists(bench.outbox, "plate.csv"));
    bench_after(&bench, 3600 * 1000, 1);
    bench_close(&bench);
}

// Another file system, if this machine has one that can be written to.
static bool other_file_system(char *path, size_t size)
{
    struct stat here, there;
    snprintf(path, size, "/dev/shm/labferry-test-XXXXXX");
    if (!mkdtemp(path))
        return false;
    return stat(path, &there) == 0 && stat(unit_folder(), &here) == 0 && here.st_dev != there.st_dev;
}

static void across_file_systems(void)
{
    char other[64], kept[128], command[128];
    if (!other_file_system(other, sizeof other)) {
        printf("    (skipped: no second file system here)\n");
        return;
    }
    start((const char *[]){"finish", "rename", "archive", other, "scan_interval", "100ms", NULL});
    snprintf(kept, sizeof kept, "%s/%s", other, strrchr(archive, '/') + 1);
    CHECK_INT(archive_result("plate.csv", "first"), LF_OK);
    CHECK_INT(archive_result("plate.csv", "second one"), LF_OK);
    CHECK(!bench_exists(bench.outbox, "plate.csv"));
    CHECK_STR(bench_text(kept, "plate.csv"), "first");
    CHECK_STR(bench_text(kept, "plate~2.csv"), "second one");
    // killed after the copy was finished, before the original was removed
    CHECK_INT(archive_result("plate.csv", "second one"), LF_OK);
    CHECK(!bench_exists(bench.outbox, "plate.csv"));
    CHECK_INT(bench_count(kept, ""), 2);
    // killed in the middle of the copy
    bench_write(kept, ".other.csv.part-archive", "oth");
    CHECK_INT(archive_result("other.csv", "other"), LF_OK);
    CHECK_STR(bench_text(kept, "other.csv"), "other");
    CHECK_INT(bench_count(kept, ".part-"), 0);
    bench_close(&bench);
    snprintf(command, sizeof command, "rm -rf '%s'", other);
    CHECK_INT(system(command), 0);
}

static void unwritable_archive(void)
{
    start((const char *[]){"finish", "rename", "archive", "/proc/no", "scan_interval", "100ms", NULL});
    CHECK(archive_result("plate.csv", "a") != LF_OK);
    CHECK_HAS(err.text, "/proc/no");
    CHECK_STR(bench_text(bench.outbox, "plate.csv"), "a");
    bench_close(&bench);
}

UNIT_TESTS("folder: archive", {"a result moves to the archive folder of its day", moved_by_day},
           {"archiving a result again changes nothing", repeatable},
           {"results of the same name are all kept", same_name_kept},
           {"the same bytes under the same name are kept once", same_bytes_kept_once},
           {"a version that the cloud does not have stays in the outbox", newer_version_stays},
           {"the archive has the same folders as the outbox", folders_are_kept},
           {"a result's marker and sidecar go with it", companions_go_along},
           {"without an archive, results stay and are not reported again", none_leaves_it},
           {"an archive on another file system gets a complete copy, also after a crash",
            across_file_systems},
           {"an archive that cannot be written leaves the result where it is", unwritable_archive}, )

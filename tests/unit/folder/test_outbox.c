// What lies in an outbox and is no result yet: still written, under an odd or temporary name, without its
// marker, in a folder that nobody reads. Nothing is taken too early, and nothing lies there in silence.
#include "bench.h"

#include "os/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bench bench;
static struct lf_error err;
static const int64_t SECOND = 1000, MINUTE = 60 * 1000, HOUR = 60 * MINUTE;

static void start(const char *const *settings)
{
    memset(&err, 0, sizeof err);
    bench_connect(&bench, settings);
}

static const char *in_outbox(const char *name)
{
    static char path[BENCH_PATH + 300];
    snprintf(path, sizeof path, "%s/%s", bench.outbox, name);
    return path;
}

static int open_result(const char *name, const char *text)
{
    int fd = open(in_outbox(name), O_WRONLY | O_CREAT | O_APPEND, 0644);
    NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

static enum lf_status take(const char *id, const char *version)
{
    char path[BENCH_PATH + 32];
    snprintf(path, sizeof path, "%s/taken", bench.spool);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(fd >= 0);
    enum lf_status status = lf_driver_folder.take(bench.device, id, version, UNIT_FILE(fd), 1000, &err);
    close(fd);
    return status;
}

// ---- open for writing ----

static void open_for_writing(void)
{
    start((const char *[]){"stable_for", "10s", NULL});
    int fd = open_result("plate.csv", "A1,1\n");
    for (int i = 0; i < 20; i++) // a row every 25 s
        bench_after(&bench, 25 * SECOND, 0);
    CHECK(write(fd, "A2,2\n", 5) == 5);
    for (int i = 0; i < 30; i++)
        bench_after(&bench, 25 * SECOND, 0);
    CHECK_HAS(bench_concern(&bench, "result plate.csv"), "open for writing");
    CHECK_HAS(bench.way, "lease");
    close(fd);
    bench_listen_for(&bench, 1);
    CHECK_STR(bench_concern(&bench, "result plate.csv"), "");
    bench_close(&bench);
}

static void opened_again(void)
{
    start((const char *[]){"stable_for", "1s", NULL});
    bench_write(bench.outbox, "plate.csv", "A1,1\n");
    for (int i = 0; i < 4; i++)
        UNIT_TIME_PASSES(SECOND), bench_listen(&bench, 0, &err);
    bench_listen_for(&bench, 1);
    int fd = open(in_outbox("plate.csv"), O_WRONLY | O_APPEND);
    NEED(fd >= 0);
    CHECK_INT(take("plate.csv", bench.found[0].version), LF_BUSY);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_INT(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err), LF_BUSY);
    close(fd);
    CHECK_INT(take("plate.csv", bench.found[0].version), LF_OK);
    CHECK_INT(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err), LF_OK);
    bench_close(&bench);
}

// As a service that may not take leases on the files of the instrument's user.
static void after_without_lease(int64_t ms, size_t count)
{
    CHECK_INT(seteuid(65534), 0);
    bench_after(&bench, ms, count);
    CHECK_INT(seteuid(0), 0);
}

static void quiet_without_lease(void)
{
    if (geteuid() != 0) {
        printf("    (skipped: only root can play another user)\n");
        return;
    }
    CHECK_INT(chmod(unit_folder(), 0755), 0);
    setenv("LF_WATCH", "0", 1);
    start((const char *[]){"stable_for", "10s", "scan_interval", "1s", NULL});
    unsetenv("LF_WATCH");
    bench_write(bench.outbox, "plate.csv", "A1,1\n");
    for (int i = 0; i < 9; i++)
        after_without_lease(SECOND, 0);
    close(open_result("plate.csv", "A2,2\n"));
    for (int i = 0; i < 15; i++) // it has paused for 8 s before: some seconds more than 10 prove nothing
        after_without_lease(SECOND, 0);
    CHECK_HAS(bench.way, "quiet for a while");
    for (int i = 0; i < 30; i++)
        UNIT_TIME_PASSES(SECOND), CHECK_INT(seteuid(65534), 0), bench_listen(&bench, 0, &err),
            CHECK_INT(seteuid(0), 0);
    CHECK_INT(bench.found_count, 1);
    bench_close(&bench);
}

// Without the right to a lease, the watch has seen who wrote.
static void watched_writer(void)
{
    struct lf_watch watch = {0};
    struct lf_dir dir;
    start(NULL);
    NEED(lf_dir_open(bench.outbox, &dir, &err) == LF_OK);
    NEED(lf_watch_open(&watch, &err) == LF_OK && lf_watch_add(&watch, &dir, "", &err) == LF_OK);
    int fd = open_result("plate.csv", "A1,1\n");
    int64_t soon = lf_deadline_in(UNIT_SOON_MS);
    while (!lf_watch_writing(&watch, "plate.csv") && !lf_deadline_passed(soon))
        usleep(1000);
    CHECK(lf_watch_writing(&watch, "plate.csv"));
    CHECK(!lf_watch_writing(&watch, "sub/plate.csv"));
    close(fd);
    while (lf_watch_writing(&watch, "plate.csv") && !lf_deadline_passed(soon))
        usleep(1000);
    CHECK(!lf_watch_writing(&watch, "plate.csv"));
    lf_watch_close(&watch);
    lf_dir_close(&dir);
    bench_close(&bench);
}

enum { CROWD = 300 }; // the system allows 128 for each user

static void many_watches(void)
{
    static struct lf_watch watches[CROWD];
    struct lf_dir dir;
    start(NULL);
    NEED(lf_dir_open(bench.outbox, &dir, &err) == LF_OK);
    for (size_t i = 0; i < CROWD; i++)
        NEED(lf_watch_open(&watches[i], &err) == LF_OK && lf_watch_add(&watches[i], &dir, "", &err) == LF_OK);
    bench_write(bench.outbox, "plate.csv", "a");
    for (size_t i = 0; i < CROWD; i++)
        CHECK_INT(lf_wait(watches[i].changed, LF_READABLE, lf_deadline_in(UNIT_SOON_MS), NULL, NULL), LF_OK);
    for (size_t i = 0; i < CROWD; i++)
        lf_watch_close(&watches[i]);
    lf_dir_close(&dir);
    bench_close(&bench);
}

static void written_after_archiving(void)
{
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    int fd = open_result("plate.csv", "A1,1\n");
    bench_listen_for(&bench, 1);
    CHECK_INT(take("plate.csv", bench.found[0].version), LF_OK);
    CHECK_INT(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err), LF_OK);
    CHECK(!bench_exists(bench.outbox, "plate.csv"));
    CHECK(write(fd, "A2,2\n", 5) == 5);
    close(fd);
    UNIT_TIME_PASSES(5 * MINUTE);
    bench_listen(&bench, 0, &err);
    CHECK_STR(bench_text(bench.outbox, "plate.csv"), "A1,1\nA2,2\n");
    CHECK_HAS(bench_concern(&bench, "archived result plate.csv"),
              "result plate.csv was written after it was uploaded");
    bench_listen_for(&bench, 2); // and it is a new version
    bench_close(&bench);
}

// More results than are remembered within a minute: the first are looked at at once, and the last in time.
static void many_are_archived(void)
{
    enum { BATCH = 60, BATCHES = 9 };
    char name[32];
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    int first = open_result("first.csv", "A1,1\n");
    bench_listen_for(&bench, 1);
    CHECK_INT(lf_driver_folder.archive(bench.device, "first.csv", bench.found[0].version, &err), LF_OK);
    CHECK(write(first, "A2,2\n", 5) == 5);
    close(first);
    for (int batch = 0; batch < BATCHES; batch++) {
        bench.found_count = 0;
        for (int i = 0; i < BATCH; i++) {
            snprintf(name, sizeof name, "r%d-%d.csv", batch, i);
            bench_write(bench.outbox, name, "A1,1\n");
        }
        bench_listen_for(&bench, BATCH);
        for (size_t i = 0; i < BATCH; i++)
            CHECK_INT(lf_driver_folder.archive(bench.device, bench.found[i].id, bench.found[i].version, &err),
                      LF_OK);
    }
    CHECK_STR(bench_text(bench.outbox, "first.csv"), "A1,1\nA2,2\n");
    CHECK_HAS(bench_concern(&bench, "archived result first.csv"), "was put back");
    bench_close(&bench);
}

// ---- names ----

static const struct {
    struct unit_row row;
    const char *file, *name, *original;
} names[] = {
    {{"a name with a colon is carried with another character"},
     "2026-11-29T22:01:00_a.csv",
     "2026-11-29T22_01_00_a.csv",
     "2026-11-29T22:01:00_a.csv"},
    {{"a name that is not UTF-8 is carried, and read by its own"},
     "Gr\xf6\xdf"
     "e.csv",
     "Gr__e.csv",
     "Gr\\xF6\\xDFe.csv"},
    {{"a name with a line feed is carried"}, "a\nb.csv", "a_b.csv", "a\\x0Ab.csv"},
    {{"a name with a per cent sign is itself"}, "100%20.csv", "100%20.csv", ""},
};

static void odd_name(void)
{
    const typeof(*names) *row = unit_row();
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    bench_write(bench.outbox, row->file, "A1,1\n");
    bench_listen_for(&bench, 1);
    CHECK_STR(bench.found[0].name, row->name);
    CHECK_STR(bench.found[0].original, row->original);
    CHECK_INT(take(bench.found[0].id, bench.found[0].version), LF_OK);
    CHECK_STR(bench_text(bench.spool, "taken"), "A1,1\n");
    CHECK_INT(lf_driver_folder.archive(bench.device, bench.found[0].id, bench.found[0].version, &err), LF_OK);
    CHECK(!bench_exists(bench.outbox, row->file));
    bench_close(&bench);
}

static void long_names_differ(void)
{
    char name[2][256];
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    for (int i = 0; i < 2; i++) {
        snprintf(name[i], sizeof name[i], "%0240d_%d.csv", 0, i);
        bench_write(bench.outbox, name[i], "a");
    }
    bench_listen_for(&bench, 2);
    CHECK(strlen(bench.found[0].name) <= 200);
    CHECK(strcmp(bench.found[0].name, bench.found[1].name) != 0);
    CHECK_HAS(bench.found[0].name, ".csv");
    bench_close(&bench);
}

static void temporary_names(void)
{
    static const char *const temporary[] = {"a.csv.part",   "a.csv.PARTIAL", "a.tmp", "~$a.csv",
                                            "a.crdownload", "a.filepart",    "a.ldb", "b.bin.aBcDeF"};
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++)
        bench_write(bench.outbox, temporary[i], "a");
    bench_write(bench.outbox, "plate.v1.backup", "a"); // no mixture of cases
    bench_listen_for(&bench, 1);
    bench_after(&bench, MINUTE, 1);
    bench_after(&bench, HOUR, 1);
    CHECK_STR(bench.found[0].id, "plate.v1.backup");
    CHECK_HAS(bench_concern(&bench, "result b.bin.aBcDeF"), "temporary");
    bench_close(&bench);
}

static void case_is_ignored(void)
{
    start((const char *[]){"finish", "rename", "results", "*.CSV", "ignore", "TEST*", NULL});
    bench_write(bench.outbox, "test.csv", "a");
    bench_write(bench.outbox, "plate.csv", "a");
    bench_listen_for(&bench, 1);
    CHECK_STR(bench.found[0].id, "plate.csv");
    bench_close(&bench);
}

// ---- what lies there ----

static void left_lying(void)
{
    start((const char *[]){"finish", "marker", "done_marker", "{name}.done", "scan_interval", "1h", NULL});
    bench_write(bench.outbox, "plate.csv", "a");
    bench_after(&bench, 0, 0);
    CHECK_STR(bench_concern(&bench, "result plate.csv"), "");
    bench_after(&bench, 40 * SECOND, 0);
    CHECK_HAS(bench_concern(&bench, "result plate.csv"), "marker has not come");
    bench_write(bench.outbox, "plate.csv.done", "");
    bench_listen_for(&bench, 1);
    CHECK_STR(bench_concern(&bench, "result plate.csv"), "");
    bench_close(&bench);
}

static void empty_result(void)
{
    start((const char *[]){"stable_for", "1s", NULL});
    bench_write(bench.outbox, "plate.csv", "");
    bench_after(&bench, 0, 0);
    bench_after(&bench, 40 * SECOND, 0);
    CHECK_HAS(bench_concern(&bench, "result plate.csv"), "empty");
    CHECK_INT(unlink(in_outbox("plate.csv")), 0);
    bench_after(&bench, HOUR, 0);
    CHECK_STR(bench_concern(&bench, "result plate.csv"), "");
    bench_close(&bench);
}

static void unread_folder(void)
{
    start((const char *[]){"finish", "rename", "ignore", "logs", "scan_interval", "100ms", NULL});
    NEED(mkdir(in_outbox("SampleA.D"), 0755) == 0 && mkdir(in_outbox("logs"), 0755) == 0);
    bench_after(&bench, HOUR, 0);
    CHECK_HAS(bench_concern(&bench, "folder SampleA.D"), "nobody reads");
    CHECK_STR(bench_concern(&bench, "folder logs"), "");
    CHECK_STR(bench_concern(&bench, "folder archive"), "");
    CHECK_INT(rmdir(in_outbox("SampleA.D")), 0);
    bench_after(&bench, HOUR, 0);
    CHECK_STR(bench_concern(&bench, "folder SampleA.D"), "");
    bench_close(&bench);
}

static void folder_marker(void)
{
    start((const char *[]){"finish", "marker", "done_marker", "CopyComplete.txt", "depth", "3",
                           "scan_interval", "100ms", NULL});
    NEED(mkdir(in_outbox("run7"), 0755) == 0 && mkdir(in_outbox("run7/data"), 0755) == 0);
    bench_write(bench.outbox, "run7/data/a.csv", "a");
    bench_after(&bench, HOUR, 0);
    bench_write(bench.outbox, "run7/CopyComplete.txt", "");
    bench_listen_for(&bench, 1);
    CHECK_STR(bench.found[0].id, "run7/data/a.csv");
    CHECK_STR(bench.found[0].original, "run7/data/a.csv"); // for rules that look at the folder's name
    bench_close(&bench);
}

// ---- links ----

static const struct {
    struct unit_row row;
    const char *archive; // "": below the outbox, as an absolute path
} links[] = {
    {{"an archive folder that is a link is not followed"}, "archive"},
    {{"nor is one above the archive folder"}, "archive/of/results"},
    {{"nor one that the configuration names by its whole path"}, ""},
};

static void archive_is_a_link(void)
{
    const typeof(*links) *row = unit_row();
    char path[BENCH_PATH + 32], victim[BENCH_PATH];
    snprintf(path, sizeof path, "%s/outbox/archive", unit_folder());
    snprintf(victim, sizeof victim, "%s/victim", unit_folder());
    mkdir(victim, 0755);
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", "archive",
                           *row->archive ? row->archive : path, NULL});
    CHECK_INT(symlink(victim, path), 0);
    bench_write(bench.outbox, "plate.csv", "a");
    bench_listen_for(&bench, 1);
    CHECK(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err) != LF_OK);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "is a link");
    CHECK_INT(bench_count(victim, ""), 0);
    CHECK_STR(bench_text(bench.outbox, "plate.csv"), "a");
    bench_close(&bench);
    unlink(path);
}

static void marker_is_a_link(void)
{
    static const char *const settings[] = {"mount_marker", "reader.id", NULL};
    bench_open(&bench, settings);
    memset(&err, 0, sizeof err);
    CHECK_INT(symlink("/etc/hostname", in_outbox("reader.id")), 0);
    bench_write(bench.inbox, "reader.id", "SN-1");
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_DISCONNECTED);
    bench_close(&bench);
    unlink(in_outbox("reader.id"));
}

UNIT_TESTS(
    "folder: what lies in the outbox",
    {"a result that a program has open for writing is not taken, however long it pauses", open_for_writing},
    {"a result that is opened for writing again is neither taken nor archived before it is closed",
     opened_again},
    {"where a writer cannot be told, a result that grows in steps must be quiet for longer",
     quiet_without_lease},
    {"a watched file counts as written until its writer closes it", watched_writer},
    {"any number of folders can be watched", many_watches},
    {"what is written to an archived result comes back, and a person is told", written_after_archiving},
    {"what is written to an archived result comes back although hundreds follow it", many_are_archived},
    UNIT_ROWS(names, odd_name), {"names that are too long are cut, and stay different", long_names_differ},
    {"temporary names are no results; a random one that stays is told", temporary_names},
    {"patterns ignore the case of letters", case_is_ignored},
    {"a result whose marker does not come is told, until it comes", left_lying},
    {"an empty result is told, until it is gone", empty_result},
    {"a folder that nobody reads is told, unless it is to be ignored", unread_folder},
    {"one marker can finish a whole folder", folder_marker}, UNIT_ROWS(links, archive_is_a_link),
    {"a mount marker that is a link is none", marker_is_a_link}, )

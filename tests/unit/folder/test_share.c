// What a share does that a disk does not: files that change under the reader, crowds of files, names of all
// kinds, rights that go.
#include "bench.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct bench bench;
static struct lf_error err;

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

// ---- while a file is copied ----

enum { SIZE = 600 * 1000 }; // more than the driver reads at once

static void (*meanwhile)(void); // done once, in the midst of reading
static bool reading;

ssize_t __real_pread64(int fd, void *to, size_t room, off_t at);
ssize_t __wrap_pread64(int fd, void *to, size_t room, off_t at);
ssize_t __wrap_pread64(int fd, void *to, size_t room, off_t at)
{
    ssize_t got = __real_pread64(fd, to, room, at);
    if (reading && got > 1000 && meanwhile) {
        void (*now)(void) = meanwhile;
        meanwhile = NULL;
        now();
    }
    return got;
}

static void put(const char *name, char fill, size_t size)
{
    int fd = open(in_outbox(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    char *data = malloc(size);
    NEED(fd >= 0 && data);
    memset(data, fill, size);
    CHECK(write(fd, data, size) == (ssize_t)size);
    free(data);
    close(fd);
}

static void shrinks(void)
{
    CHECK_INT(truncate(in_outbox("plate.csv"), 100), 0);
}

static void grows(void)
{
    int fd = open(in_outbox("plate.csv"), O_WRONLY | O_APPEND);
    CHECK(write(fd, "more", 4) == 4);
    close(fd);
}

static void is_written_over(void)
{
    int fd = open(in_outbox("plate.csv"), O_WRONLY);
    CHECK(pwrite(fd, "other", 5, SIZE - 100) == 5);
    close(fd);
}

static void is_replaced(void)
{
    put("new", 'b', SIZE);
    char to[BENCH_PATH + 300];
    snprintf(to, sizeof to, "%s", in_outbox("plate.csv"));
    CHECK_INT(rename(in_outbox("new"), to), 0);
}

static void goes(void)
{
    CHECK_INT(unlink(in_outbox("plate.csv")), 0);
}

// The status of a take in whose midst that happens.
static enum lf_status take_while(void (*what)(void))
{
    char path[BENCH_PATH + 32];
    start((const char *[]){"finish", "rename", NULL});
    put("plate.csv", 'a', SIZE);
    bench_listen_for(&bench, 1);
    snprintf(path, sizeof path, "%s/taken", bench.spool);
    int to = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(to >= 0);
    usleep(20000); // the clock of files ticks every few ms
    meanwhile = what;
    reading = true;
    enum lf_status status = lf_driver_folder.take(bench.device, "plate.csv", bench.found[0].version,
                                                  UNIT_FILE(to), SIZE * 2, &err);
    reading = false;
    CHECK(meanwhile == NULL); // it did happen
    if (status == LF_OK) {    // then it is the version that was reported, complete
        char *text = malloc(SIZE);
        NEED(text != NULL);
        CHECK_INT(lseek(to, 0, SEEK_END), SIZE);
        CHECK_INT(pread(to, text, SIZE, 0), SIZE);
        CHECK(text[0] == 'a' && !memcmp(text, text + 1, SIZE - 1));
        free(text);
    }
    close(to);
    return status;
}

static void changed_while_copied(void)
{
    void (*const changes[])(void) = {shrinks, grows, is_written_over};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        CHECK_INT(take_while(changes[i]), LF_MISMATCH);
        CHECK_INT(err.class, LF_TRANSIENT);
        bench.found_count = 0; // and it is found again, as another version
        bench_listen_for(&bench, 1);
        CHECK_INT(bench.found_count, 1);
        bench_close(&bench);
        unlink(in_outbox("plate.csv"));
    }
}

static void replaced_while_copied(void)
{
    CHECK_INT(take_while(is_replaced), LF_OK);
    bench.found_count = 0;
    bench_listen_for(&bench, 1);
    CHECK_INT(bench.found_count, 1);
    bench_close(&bench);
    unlink(in_outbox("plate.csv"));
    CHECK_INT(take_while(goes), LF_OK);
    bench_close(&bench);
}

// ---- crowds ----

enum { CROWD = 10 * 1000 };

static unsigned char reports[CROWD];
static int report_count;

static enum lf_status count_found(void *self, const struct lf_finding *finding, struct lf_error *error)
{
    (void)self;
    (void)error;
    int number = atoi(finding->name);
    NEED(number >= 0 && number < CROWD);
    reports[number]++;
    report_count++;
    return LF_OK;
}

static void crowd(void)
{
    char name[32];
    memset(reports, 0, sizeof reports);
    report_count = 0;
    start((const char *[]){"finish", "rename", NULL});
    bench.host.found = count_found;
    for (int i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "%05d.csv", i);
        bench_write(bench.outbox, name, "A1,0.5\n");
    }
    for (int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
         report_count < CROWD && !lf_deadline_passed(deadline);)
        CHECK_INT(bench_listen(&bench, 200, &err), LF_OK);
    CHECK_INT(bench_listen(&bench, 200, &err), LF_OK);
    CHECK_INT(report_count, CROWD);
    for (int i = 0; i < CROWD; i++)
        if (reports[i] != 1)
            CU_FAIL("not reported once");
    bench_close(&bench);
    for (int i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "%05d.csv", i);
        unlink(in_outbox(name));
    }
}

// ---- names ----

static enum lf_status check_name(void *self, const struct lf_finding *finding, struct lf_error *error)
{
    (void)self;
    CHECK_INT(lf_name_check(finding->name, error), LF_OK);
    CHECK(lf_utf8_valid(lf_slice(finding->id, strlen(finding->id))));
    /* And it is read by its id. */
    CHECK_INT(lf_driver_folder.take(bench.device, finding->id, finding->version, NULL, 100, error), LF_OK);
    report_count++;
    return LF_OK;
}

static void name_bombs(void)
{
    static const char *const bad[] = {"-rf.csv", "a\nb.csv",     "a\x1b[2J.csv", "CON.csv",
                                      "a .csv ", "\xff\xfe.csv", "a:b.csv",      "%n%s.csv"};
    enum { BAD = sizeof bad / sizeof *bad, MANY = 300 };
    char name[300];
    report_count = 0;
    start((const char *[]){"finish", "rename", "results", "*", NULL});
    bench.host.found = check_name;
    for (size_t i = 0; i < BAD; i++)
        put(bad[i], 'x', 1);
    for (int i = 0; i < MANY; i++) { // 255 bytes each
        snprintf(name, sizeof name, "%05d-%0245d.csv", i, 0);
        put(name, 'x', 1);
    }
    CHECK_INT(bench_listen(&bench, 300, &err), LF_OK);
    CHECK_INT(report_count, BAD + MANY);
    CHECK_INT(bench_count(bench.outbox, ".csv"), BAD + MANY); // all stay where they are
    bench_close(&bench);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%05d-%0245d.csv", i, 0);
        unlink(in_outbox(name));
    }
    for (size_t i = 0; i < BAD; i++)
        unlink(in_outbox(bad[i]));
}

static void no_plain_files(void)
{
    start((const char *[]){"finish", "rename", "results", "*", NULL});
    CHECK_INT(mkfifo(in_outbox("pipe.csv"), 0644), 0);
    CHECK_INT(symlink("/dev/zero", in_outbox("endless.csv")), 0);
    CHECK_INT(symlink(".", in_outbox("loop")), 0);
    bool device = mknod(in_outbox("null.csv"), S_IFCHR | 0644, makedev(1, 5))
                  == 0; // where the kernel lets us
    bench_write(bench.outbox, "good.csv", "x");
    bench_listen_for(&bench, 1);
    bench_listen(&bench, 200, &err);
    CHECK_INT(bench.found_count, 1);
    CHECK_STR(bench.found[0].name, "good.csv");
    static const char *const names[] = {"pipe.csv", "endless.csv", "null.csv"};
    for (size_t i = 0; i < 3; i++)
        CHECK(lf_driver_folder.take(bench.device, names[i], "1-2-3", NULL, 100, &err) != LF_OK);
    bench_close(&bench);
    unlink(in_outbox("pipe.csv"));
    unlink(in_outbox("endless.csv"));
    unlink(in_outbox("loop"));
    if (device)
        unlink(in_outbox("null.csv"));
}

// ---- rights ----

static void rights_go(void)
{
    bool root = geteuid() == 0;
    CHECK_INT(chmod(unit_folder(), 0755), 0);
    start((const char *[]){"finish", "rename", NULL});
    CHECK_INT(chmod(bench.outbox, 0), 0);
    if (root && seteuid(65534) != 0) // root may read everything
        root = false;
    enum lf_status status = bench_listen(&bench, 3000, &err);
    if (root)
        CHECK_INT(seteuid(0), 0);
    CHECK_INT(status, LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, bench.outbox);
    lf_driver_folder.disconnect(bench.device);
    CHECK_INT(chmod(bench.outbox, 0755), 0);
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_OK);
    bench_write(bench.outbox, "later.csv", "x");
    bench_listen_for(&bench, 1);
    CHECK_INT(bench.found_count, 1);
    bench_close(&bench);
}

// ---- while it is archived to another file system ----

static int writer = -1;

static void opens_it(void)
{
    writer = open(in_outbox("plate.csv"), O_WRONLY | O_APPEND);
}

static const struct {
    struct unit_row row;
    void (*what)(void);
    enum lf_status status;
} changes[] = {
    {{"a result that grows while it is copied to the archive stays, to be collected again"}, grows, LF_OK},
    {{"a result that a program opens while it is copied to the archive stays until it is closed"},
     opens_it,
     LF_BUSY},
};

static void changed_while_archived(void)
{
    const typeof(*changes) *row = unit_row();
    struct stat here, there;
    char other[] = "/dev/shm/labferry-test-XXXXXX", command[80];
    bool two = mkdtemp(other) && stat(other, &there) == 0 && stat(unit_folder(), &here) == 0
               && here.st_dev != there.st_dev;
    if (!two) {
        printf("    (skipped: no second file system here)\n");
        return;
    }
    start((const char *[]){"stable_for", "1s", "scan_interval", "100ms", "archive", other, NULL});
    put("plate.csv", 'a', SIZE);
    for (int i = 0; i < 4; i++)
        UNIT_TIME_PASSES(1000), bench_listen(&bench, 0, &err);
    bench_listen_for(&bench, 1);
    meanwhile = row->what;
    reading = true;
    CHECK_INT(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err), row->status);
    reading = false;
    CHECK(meanwhile == NULL);
    CHECK(bench_exists(bench.outbox, "plate.csv"));
    if (writer >= 0) {
        close(writer);
        writer = -1;
        CHECK_INT(lf_driver_folder.archive(bench.device, "plate.csv", bench.found[0].version, &err), LF_OK);
        CHECK(!bench_exists(bench.outbox, "plate.csv"));
    }
    bench_close(&bench);
    snprintf(command, sizeof command, "rm -rf '%s'", other);
    CHECK_INT(system(command), 0);
}

UNIT_TESTS("folder, as shares are",
           {"a result that changes while it is copied is not taken, and is found again",
            changed_while_copied},
           {"a result that is replaced or removed while it is copied is taken complete, as it was",
            replaced_while_copied},
           {"ten thousand results at once are reported, each once", crowd, UNIT_SLOW},
           {"names of all kinds are carried, under a name that can be used everywhere", name_bombs},
           {"links, pipes and devices are neither results nor read", no_plain_files},
           {"an outbox that becomes unreadable is a lost connection, and comes back", rights_go},
           UNIT_ROWS(changes, changed_while_archived))

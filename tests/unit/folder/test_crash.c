// The driver is killed before every call that changes the disk, one after the other, and restarted as the
// host would do it: after a kill while it prepared, prepare and act; after one while it acted, verify, and
// act again only if it was not done. The instrument takes the file whenever it sees one. In the end it must
// have run the worklist exactly once; "unknown" is allowed only between the rename and the mark's last line.
//
// The linker sends these calls here first (see CMakeLists.txt).
#include "bench.h"

#include "os/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long calls, kill_at; // 0: never
static int rename_new_fails, link_fails, sync_fails_at, syncs;
static bool link_answer_lost; // the link is made, and the second try of the system finds it
static const char *boot_name;
static const char *rival; // appears in the last moment before publishing; a path

static void step(void)
{
    if (kill_at && ++calls == kill_at)
        kill(getpid(), SIGKILL);
}

static void rival_comes(void)
{
    FILE *file = rival ? fopen(rival, "w") : NULL;
    if (file) {
        fputs("older", file);
        fclose(file);
    }
}

int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    if (flags & O_CREAT)
        step();
    return __real_openat64(dir, path, flags, mode);
}

ssize_t __real_pwrite64(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t at)
{
    step();
    return __real_pwrite64(fd, data, len, at);
}

// Does nothing: what a power cut would lose cannot be seen here anyway, and the tests run many times faster.
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd;
    step();
    if (sync_fails_at && ++syncs == sync_fails_at) {
        errno = EIO;
        return -1;
    }
    return 0;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    step();
    return __real_close(fd);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    step();
    return __real_fchmod(fd, mode);
}

int __real_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags)
{
    step();
    return __real_unlinkat(dir, path, flags);
}

int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    step();
    rival_comes();
    if (link_fails) {
        errno = link_fails;
        return -1;
    }
    if (link_answer_lost)
        __real_linkat(from_dir, from, to_dir, to, flags);
    return __real_linkat(from_dir, from, to_dir, to, flags);
}

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    step();
    return __real_renameat(from_dir, from, to_dir, to);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list args;
    va_start(args, number);
    int from_dir = va_arg(args, int);
    const char *from = va_arg(args, const char *);
    int to_dir = va_arg(args, int);
    const char *to = va_arg(args, const char *);
    unsigned flags = va_arg(args, unsigned);
    va_end(args);
    step();
    if (!rename_new_fails)
        rival_comes();
    if (number == SYS_renameat2 && rename_new_fails) {
        errno = rename_new_fails;
        return -1;
    }
    return __real_syscall(number, from_dir, from, to_dir, to, flags);
}

bool __real_lf_boot_name(char name[LF_BOOT_TEXT]);
bool __wrap_lf_boot_name(char name[LF_BOOT_TEXT]);
bool __wrap_lf_boot_name(char name[LF_BOOT_TEXT])
{
    if (!boot_name)
        return __real_lf_boot_name(name);
    snprintf(name, LF_BOOT_TEXT, "%s", boot_name);
    return true;
}

// ---- the instrument, the agent, the host ----

static struct bench bench;
static struct lf_outcome outcome;
static struct lf_error err;

static void reset(void)
{
    kill_at = calls = 0;
    rename_new_fails = link_fails = sync_fails_at = syncs = 0;
    link_answer_lost = false;
    boot_name = NULL;
    rival = NULL;
    memset(&err, 0, sizeof err);
    lf_outcome_free(&outcome);
}

// Takes the file if it is there; returns how many runs that made.
static int instrument_takes(void)
{
    char path[BENCH_PATH + 32];
    snprintf(path, sizeof path, "%s/plate.csv", bench.inbox);
    if (strcmp(bench_text(bench.inbox, "plate.csv"), "abc") != 0) {
        CHECK(!bench_exists(bench.inbox, "plate.csv")); // never a part of it
        return 0;
    }
    CHECK_INT(unlink(path), 0);
    return 1;
}

static void empty_inbox(void)
{
    char command[BENCH_PATH + 64];
    snprintf(command, sizeof command, "rm -rf '%s' '%s'", bench.inbox, bench.marks);
    CHECK_INT(system(command), 0);
}

static enum lf_status prepare(const struct lf_action *action)
{
    return lf_driver_folder.prepare(bench.device, action, &err);
}

static enum lf_status act(const struct lf_action *action)
{
    return lf_driver_folder.act(bench.device, action, &outcome, &err);
}

static enum lf_status counted(enum lf_status (*call)(const struct lf_action *), bool counts, long n,
                              const struct lf_action *action)
{
    calls = 0;
    kill_at = counts ? n : 0;
    enum lf_status status = call(action);
    kill_at = 0;
    return status;
}

static bool preparing; // the kill comes while it prepares, not while it acts

// An agent that is killed before its n-th call. True: it was; false: it lived to the end.
static bool agent_killed_at(long n)
{
    pid_t child = fork();
    if (child == 0) {
        bench_connect(&bench, NULL);
        const struct lf_action *action = bench_parcel(&bench, 12, "plate.csv", "abc");
        enum lf_status status = counted(prepare, preparing, n, action);
        if (status == LF_OK)
            status = counted(act, !preparing, n, action);
        _exit(status == LF_OK ? 0 : 1);
    }
    int result = 0;
    CHECK(waitpid(child, &result, 0) == child);
    if (WIFSIGNALED(result))
        return true;
    CHECK_INT(WEXITSTATUS(result), 0);
    return false;
}

// What the host does after a restart. Returns the runs that this makes; *unknown counts the held jobs.
static int recover(bool takes_first, int *unknown)
{
    int runs = 0;
    if (takes_first)
        runs += instrument_takes();
    bench_connect(&bench, NULL);
    const struct lf_action *action = bench_parcel(&bench, 12, "plate.csv", "abc");
    switch (preparing ? LF_VERDICT_NOT_DONE : lf_driver_folder.verify(bench.device, action, &outcome, &err)) {
    case LF_VERDICT_NOT_DONE:
        CHECK_INT(prepare(action), LF_OK);
        CHECK_INT(act(action), LF_OK);
        break;
    case LF_VERDICT_DONE: break;
    default: ++*unknown; runs = -1000;
    }
    bench_close(&bench);
    return runs + instrument_takes();
}

// The worklist must have run exactly once, unless the job is held for a person.
static void expect_once(int runs, bool held, long n)
{
    if (held || runs == 1)
        return;
    printf("    killed before call %ld: the worklist ran %d times\n", n, runs);
    CU_FAIL("not exactly once");
}

// Calls between the rename and the durable line "done": sync of the folder; write, sync and close of the
// mark.
enum { UNSURE = 4, UNSURE_LINK = 7 };

static void kill_everywhere(bool takes_first, int unknown_allowed)
{
    int unknown = 0;
    long n = 1;
    bench_connect(&bench, NULL);
    bench_close(&bench);
    for (bool killed = true; killed && n < 200; n++) {
        empty_inbox();
        mkdir(bench.inbox, 0755);
        killed = agent_killed_at(n);
        int before = unknown, runs = recover(takes_first, &unknown);
        expect_once(runs, unknown > before, n);
    }
    CHECK(n > 8 && n < 200); // it was killed in many places, and lived in the end
    CHECK(unknown <= unknown_allowed);
}

static void killed_untaken(void)
{
    reset();
    kill_everywhere(false, 0);
}

static void killed_taken(void)
{
    reset();
    kill_everywhere(true, UNSURE);
}

static void killed_preparing(void)
{
    int unknown = 0;
    reset();
    preparing = true;
    for (long n = 1, killed = true; killed; n++) {
        empty_inbox();
        mkdir(bench.inbox, 0755);
        killed = agent_killed_at(n);
        if (killed)
            expect_once(recover(true, &unknown), false, n);
        CHECK(n > 8 || killed);
    }
    preparing = false;
}

// Killed, restarted, and killed again while the second attempt clears up after the first.
static void killed_twice(void)
{
    int unknown = 0, attempts = 0;
    reset();
    bench_connect(&bench, NULL);
    bench_close(&bench);
    for (long first = 1; first < 40; first++)
        for (long second = 1; second < 6; second++) {
            empty_inbox();
            mkdir(bench.inbox, 0755);
            if (!agent_killed_at(first))
                goto lived;
            bench_connect(&bench, NULL);
            enum lf_verdict verdict = lf_driver_folder.verify(bench.device,
                                                              bench_parcel(&bench, 12, "plate.csv", "abc"),
                                                              &outcome, &err);
            bench_close(&bench);
            if (verdict == LF_VERDICT_NOT_DONE && agent_killed_at(second))
                attempts++;
            int before = unknown, runs = recover(true, &unknown);
            expect_once(runs, unknown > before, first * 100 + second);
        }
lived:
    CHECK(attempts > 20);
    CHECK(unknown <= UNSURE * 5);
}

static void killed_linking(void)
{
    reset();
    rename_new_fails = EINVAL;
    kill_everywhere(false, UNSURE_LINK); // around the link itself
    kill_everywhere(true, UNSURE_LINK);
}

static void killed_plain(void)
{
    reset();
    rename_new_fails = EINVAL;
    link_fails = EPERM;
    kill_everywhere(false, UNSURE_LINK); // it tried links first
    kill_everywhere(true, UNSURE_LINK);
}

// ---- file systems without some ability ----

static void deliver_with(int rename_error, int link_error)
{
    reset();
    rename_new_fails = rename_error;
    link_fails = link_error;
    empty_inbox();
    bench_connect(&bench, NULL);
    bench_write(bench.inbox, "taken.csv", "older");
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, 1, "plate.csv", "abc"), &outcome, &err),
              LF_OK);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "abc");
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, 2, "taken.csv", "abc"), &outcome, &err),
              LF_EXISTS);
    CHECK_STR(bench_text(bench.inbox, "taken.csv"), "older");
    CHECK_INT(bench_count(bench.inbox, ".part-"), 0);
    bench_close(&bench);
    reset();
}

static void poor_file_systems(void)
{
    deliver_with(EINVAL, 0);       // FUSE, NFS
    deliver_with(ENOSYS, EPERM);   // old kernel, exFAT
    deliver_with(EINVAL, ENOTSUP); // CIFS
    deliver_with(EIO, 0);
    deliver_with(EINVAL, EIO); // rclone
    deliver_with(EIO, EIO);
    deliver_with(EPERM, EPERM);
}

// As NFS does over a bad line.
static void answer_lost(void)
{
    reset();
    empty_inbox();
    bench_connect(&bench, NULL);
    rename_new_fails = EINVAL;
    link_answer_lost = true;
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, 1, "plate.csv", "abc"), &outcome, &err),
              LF_OK);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "abc");
    CHECK_INT(bench_count(bench.inbox, ".part-"), 0);
    CHECK_INT(bench_count(bench.marks, ".mark"), 1);
    bench_close(&bench);
    reset();
}

// Somebody else's file comes under the same name after we looked.
static void rival_in_last_moment(int rename_error, int link_error)
{
    char path[BENCH_PATH + 32];
    reset();
    bench_connect(&bench, NULL);
    snprintf(path, sizeof path, "%s/plate.csv", bench.inbox);
    rename_new_fails = rename_error;
    link_fails = link_error;
    rival = path;
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, 1, "plate.csv", "abc"), &outcome, &err),
              LF_EXISTS);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "older");
    CHECK_INT(bench_count(bench.inbox, ".part-"), 0);
    CHECK_INT(bench_count(bench.marks, ".mark"), 0);
    bench_close(&bench);
    CHECK_INT(unlink(path), 0);
    reset();
}

static void rivals(void)
{
    rival_in_last_moment(0, 0);
    rival_in_last_moment(EINVAL, 0);
    rival_in_last_moment(EINVAL, EPERM);
}

static void rename_refused(void)
{
    reset();
    bench_connect(&bench, NULL);
    rename_new_fails = ENOSPC; // the disk shows that nothing happened
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, 1, "plate.csv", "abc"), &outcome, &err),
              LF_FULL);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK(!bench_exists(bench.inbox, "plate.csv"));
    CHECK_INT(bench_count(bench.marks, ".mark"), 0);
    bench_close(&bench);
    reset();
}

static void sync_fails_with(int rename_error)
{
    int held = 0, transient = 0;
    for (int at = 1; at < 20; at++) {
        reset();
        bench_connect(&bench, NULL);
        rename_new_fails = rename_error;
        sync_fails_at = at;
        enum lf_status status = lf_driver_folder.act(bench.device,
                                                     bench_parcel(&bench, 1, "plate.csv", "abc"), &outcome,
                                                     &err);
        bool visible = bench_exists(bench.inbox, "plate.csv");
        if (status != LF_OK && visible) {
            CHECK_INT(err.class, LF_UNKNOWN_OUTCOME);
            held++;
        } else if (status != LF_OK) {
            CHECK_INT(err.class, LF_TRANSIENT);
            transient++;
        }
        CHECK_INT(visible, status == LF_OK || err.class == LF_UNKNOWN_OUTCOME);
        bench_close(&bench);
        empty_inbox();
        mkdir(bench.inbox, 0755);
    }
    CHECK(transient >= 3); // part, folder, mark ...
    CHECK(held >= 1);      // ... and after the rename
    reset();
}

static void sync_fails(void)
{
    sync_fails_with(0);
    sync_fails_with(EINVAL); // links
}

static void power_cut_mid_way(void)
{
    int unknown = 0;
    reset();
    bench_connect(&bench, NULL);
    bench_close(&bench);
    for (long n = 1; n < 60; n++) {
        empty_inbox();
        mkdir(bench.inbox, 0755);
        boot_name = "before";
        agent_killed_at(n);
        boot_name = "after";
        int before = unknown, runs = recover(true, &unknown);
        if (unknown == before)
            CHECK_INT(runs, 1);
    }
    CHECK(unknown >= 1 && unknown < 12); // only close to the rename
    reset();
}

UNIT_TESTS(
    "folder: crash", {"killed at any call, the file is delivered exactly once", killed_untaken, UNIT_SLOW},
    {"killed at any call with an instrument that takes the file at once, the worklist runs once or is held",
     killed_taken, UNIT_SLOW},
    {"killed at any call while it prepares, the worklist runs exactly once", killed_preparing, UNIT_SLOW},
    {"killed again while it cleans up after the first kill, the worklist runs once or is held", killed_twice,
     UNIT_SLOW},
    {"the same where files are published by links, or the job is held", killed_linking, UNIT_SLOW},
    {"the same where the file system has neither links nor exclusive renames", killed_plain, UNIT_SLOW},
    {"nothing is overwritten on file systems that lack exclusive renames or links", poor_file_systems},
    {"a link that was made although the answer says that the name is taken is a delivery", answer_lost},
    {"a file that appears under the same name at the last moment is not overwritten", rivals},
    {"after a failed rename the disk is checked, and no trace is left if nothing happened", rename_refused},
    {"a sync that fails is retried before the rename, and held after it", sync_fails},
    {"after a power cut the worklist runs once or the job is held", power_cut_mid_way, UNIT_SLOW}, )

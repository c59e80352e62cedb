// Results are found when they are finished, reported once, and taken whole or not at all.
#include "bench.h"

#include "os/dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct bench bench;
static struct lf_error err;

static void start(const char *const *settings)
{
    memset(&err, 0, sizeof err);
    bench_connect(&bench, settings);
}

static const int64_t MINUTE = 60 * 1000, HOUR = 60 * MINUTE;

static void stable_result(void)
{
    start((const char *[]){"stable_for", "1h", NULL});
    bench_write(bench.outbox, "plate.csv", "well,value\nA1,0.5\n");
    bench_after(&bench, 0, 0);
    bench_after(&bench, 31 * MINUTE, 0);
    bench_after(&bench, 28 * MINUTE, 0);
    bench_after(&bench, 3 * MINUTE, 1);
    CHECK_STR(bench.found[0].id, "plate.csv");
    CHECK_STR(bench.found[0].name, "plate.csv");
    CHECK(!bench.found[0].has_sidecar);
    bench_after(&bench, 5 * HOUR, 1); // reported once
    bench_close(&bench);
}

static void growing_result(void)
{
    char path[BENCH_PATH + 32];
    start((const char *[]){"stable_for", "1h", NULL});
    snprintf(path, sizeof path, "%s/plate.csv", bench.outbox);
    for (int i = 0; i < 6; i++) {
        FILE *file = fopen(path, "a");
        NEED(file != NULL);
        fprintf(file, "A%d,0.5\n", i);
        fclose(file);
        bench_after(&bench, 40 * MINUTE, 0);
    }
    bench_after(&bench, 31 * MINUTE, 0);
    bench_after(&bench, 31 * MINUTE, 1);
    CHECK_INT(strlen(bench_text(bench.outbox, "plate.csv")), 42);
    CHECK(!strncmp(bench.found[0].version, "42-", 3)); // the version of the whole file
    bench_close(&bench);
}

static void empty_result_waits(void)
{
    setenv("LF_WATCH", "0", 1); /* whose thread would report the write at some later look */
    start((const char *[]){"stable_for", "1h", NULL});
    unsetenv("LF_WATCH");
    bench_write(bench.outbox, "plate.csv", "");
    for (int i = 0; i < 4; i++)
        bench_after(&bench, 2 * HOUR, 0);
    bench_write(bench.outbox, "plate.csv", "a");
    bench_after(&bench, HOUR, 0);
    bench_after(&bench, 31 * MINUTE, 0);
    bench_after(&bench, 31 * MINUTE, 1);
    bench_close(&bench);
}

static void polling_sees_it_too(void)
{
    setenv("LF_WATCH", "0", 1);
    start((const char *[]){"scan_interval", "1h", "finish", "rename", NULL});
    unsetenv("LF_WATCH");
    bench_after(&bench, 0, 0);
    bench_write(bench.outbox, "plate.csv", "a");
    bench_after(&bench, 30 * MINUTE, 0);
    bench_after(&bench, 31 * MINUTE, 1);
    bench_close(&bench);
}

// A network or user-space file system reports no changes; there is nothing to test on one.
static bool changes_are_reported(void)
{
    struct lf_dir dir;
    NEED(lf_dir_open(unit_folder(), &dir, &err) == LF_OK);
    bool reported = !lf_dir_is_remote(&dir);
    lf_dir_close(&dir);
    if (!reported)
        printf("    (skipped: this file system reports no changes)\n");
    return reported;
}

static void watching_is_prompt(void)
{
    if (!changes_are_reported())
        return;
    // without a report of the file system, the next look is due in half a day
    char from[BENCH_PATH + 32], to[BENCH_PATH + 32];
    start((const char *[]){"finish", "rename", "results", "*.csv", "scan_interval", "1h", NULL});
    bench_after(&bench, 0, 0);
    bench_write(bench.outbox, "plate.writing", "a");
    CHECK_INT(bench_listen(&bench, 20, &err), LF_OK);
    bench_after(&bench, 1000, 0);
    snprintf(from, sizeof from, "%s/plate.writing", bench.outbox);
    snprintf(to, sizeof to, "%s/plate.csv", bench.outbox);
    CHECK_INT(rename(from, to), 0);
    bench_listen_for(&bench, 1);
    bench_close(&bench);
}

static void new_folders_are_watched(void)
{
    if (!changes_are_reported())
        return;
    char sub[BENCH_PATH + 32];
    start((const char *[]){"finish", "rename", "depth", "2", "scan_interval", "1h", NULL});
    bench_after(&bench, 0, 0);
    snprintf(sub, sizeof sub, "%s/run7", bench.outbox);
    mkdir(sub, 0755);
    CHECK_INT(bench_listen(&bench, 20, &err), LF_OK);
    bench_after(&bench, 1000, 0);
    bench_write(sub, "plate.csv", "a");
    bench_listen_for(&bench, 1);
    CHECK_STR(bench.found[0].id, "run7/plate.csv");
    CHECK_STR(bench.found[0].name, "plate.csv");
    bench_close(&bench);
}

static void done_marker(void)
{
    start((const char *[]){"finish", "marker", "done_marker", "{stem}.done", "scan_interval", "100ms", NULL});
    bench_write(bench.outbox, "plate.csv", "a");
    bench_after(&bench, HOUR, 0);
    bench_write(bench.outbox, "plate.done", "");
    bench_after(&bench, HOUR, 1);
    CHECK_STR(bench.found[0].id, "plate.csv");
    bench_after(&bench, HOUR, 1); // the marker is not a result
    bench_close(&bench);
}

static void end_marker(void)
{
    start((const char *[]){"finish", "marker", "end_marker", "#END", "scan_interval", "100ms", NULL});
    bench_write(bench.outbox, "plate.csv", "#END of header\nA1,0.5\n");
    bench_after(&bench, HOUR, 0);
    bench_write(bench.outbox, "plate.csv", "#END of header\nA1,0.5\n#END\r\n\r\n");
    bench_after(&bench, HOUR, 1);
    bench_close(&bench);
}

static void sidecar(void)
{
    start((const char *[]){"finish", "rename", "sidecar_required", "true", "scan_interval", "100ms", NULL});
    bench_write(bench.outbox, "plate.csv", "a");
    bench_after(&bench, HOUR, 0);
    bench_write(bench.outbox, "plate.csv.labferry.json", "{\"run\": \"R1\"}");
    bench_after(&bench, HOUR, 1);
    CHECK_STR(bench.found[0].sidecar, "{\"run\": \"R1\"}");
    bench_after(&bench, HOUR, 1);
    bench_close(&bench);
}

static void unusable_sidecar(void)
{
    start((const char *[]){"finish", "rename", NULL});
    bench_write(bench.outbox, "plate.csv.labferry.json", "\xff\xfe");
    bench_write(bench.outbox, "plate.csv", "a");
    bench_listen_for(&bench, 1);
    CHECK(!bench.found[0].has_sidecar);
    bench_close(&bench);
}

static void names_that_count(void)
{
    start((const char *[]){"finish", "rename", "results", "*.csv", "results", "*.txt", "ignore", "test*",
                           NULL});
    static const char *const names[] = {"a.CSV",   "b.txt",  "c.xml",     "test1.csv",
                                        "~$a.csv", ".a.csv", "Thumbs.db", NULL};
    for (size_t i = 0; names[i]; i++)
        bench_write(bench.outbox, names[i], "a");
    bench_listen_for(&bench, 2);
    bench_after(&bench, HOUR, 2);
    CHECK(bench_found(&bench, "a.CSV") != NULL);
    CHECK(bench_found(&bench, "b.txt") != NULL);
    bench_close(&bench);
}

static void refused_results(void)
{
    char path[BENCH_PATH + 32];
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    bench_write(bench.spool, "secret", "s");
    bench_write(bench.outbox, "line\nbreak.csv", "a");
    bench_write(bench.outbox, "-rf", "a");
    bench_write(bench.outbox, "\xff\xfe.csv", "a");
    bench_write(bench.outbox, "nul.csv", "a");
    snprintf(path, sizeof path, "%s/link.csv", bench.outbox);
    CHECK_INT(symlink("../spool/secret", path), 0);
    snprintf(path, sizeof path, "%s/pipe.csv", bench.outbox);
    CHECK_INT(mkfifo(path, 0644), 0);
    bench_write(bench.outbox, "good.csv", "a");
    bench_listen_for(&bench, 5);
    bench_after(&bench, HOUR, 5);
    CHECK(bench_found(&bench, "good.csv") != NULL);
    CHECK(bench_exists(bench.outbox, "line\nbreak.csv")); // nothing is removed
    CHECK_HAS(bench_concern(&bench, "result link.csv"), "not a regular file");
    CHECK_HAS(bench_concern(&bench, "result pipe.csv"), "not a regular file");
    snprintf(path, sizeof path, "%s/link.csv", bench.outbox);
    CHECK_INT(unlink(path), 0);
    bench_after(&bench, HOUR, 5);
    CHECK_STR(bench_concern(&bench, "result link.csv"), "");
    bench_close(&bench);
}

static void new_version(void)
{
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    bench_write(bench.outbox, "plate.csv", "a");
    bench_listen_for(&bench, 1);
    bench_write(bench.outbox, "plate.csv", "longer");
    bench_listen_for(&bench, 2);
    CHECK(strcmp(bench.found[0].version, bench.found[1].version) != 0);
    bench_close(&bench);
}

static void reported_again_after_failure(void)
{
    start((const char *[]){"finish", "rename", "scan_interval", "100ms", NULL});
    bench.refuse_findings = true;
    bench_write(bench.outbox, "plate.csv", "a");
    bench_after(&bench, HOUR, 0);
    bench.refuse_findings = false;
    bench_after(&bench, HOUR, 1);
    bench_close(&bench);
}

static void host_calls(void)
{
    start(NULL);
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    lf_wake_up(&bench.wake);
    CHECK_INT(lf_driver_folder.listen(bench.device, deadline, &err), LF_OK);
    lf_wake_clear(&bench.wake);
    lf_cancel_set(&bench.cancel);
    CHECK_INT(lf_driver_folder.listen(bench.device, deadline, &err), LF_OK);
    CHECK(!lf_deadline_passed(deadline));
    bench_close(&bench);
}

static void idle_does_not_spin(void)
{
    struct timespec before, after;
    start(NULL);
    bench_write(bench.outbox, "plate.csv", ""); // never finished
    bench_after(&bench, 0, 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    CHECK_INT(bench_listen(&bench, 1000, &err), LF_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 200);
    bench_close(&bench);
}

// ---- take ----

static enum lf_status take(const char *id, const char *version, int64_t max)
{
    int fd = bench_spool_file(&bench);
    enum lf_status status = lf_driver_folder.take(bench.device, id, version, UNIT_FILE(fd), max, &err);
    close(fd);
    return status;
}

static void taken_whole(void)
{
    start((const char *[]){"finish", "rename", "depth", "1", NULL});
    char sub[BENCH_PATH + 32];
    snprintf(sub, sizeof sub, "%s/run", bench.outbox);
    mkdir(sub, 0755);
    bench_write(sub, "plate.csv", "A1,0.5\n");
    bench_listen_for(&bench, 1);
    CHECK_INT(take("run/plate.csv", bench.found[0].version, 1000), LF_OK);
    CHECK_STR(bench_text(bench.spool, "taken"), "A1,0.5\n");
    bench_close(&bench);
}

static void not_taken(void)
{
    start((const char *[]){"finish", "rename", NULL});
    bench_write(bench.outbox, "plate.csv", "A1,0.5\n");
    bench_listen_for(&bench, 1);
    const char *version = bench.found[0].version;
    CHECK_INT(take("plate.csv", version, 3), LF_TOO_LARGE);
    CHECK_INT(take("gone.csv", version, 1000), LF_NOT_FOUND);
    bench_write(bench.outbox, "plate.csv", "changed since");
    CHECK_INT(take("plate.csv", version, 1000), LF_MISMATCH);
    CHECK_INT(err.class, LF_TRANSIENT);
    bench_close(&bench);
}

static void never_above_the_outbox(void)
{
    static const char *const ids[] =
        {"../spool/secret", "/etc/passwd", "a/../../spool/secret", "", "a//b", ".hidden", "link/secret",
         "link.csv",        NULL};
    char path[BENCH_PATH + 32];
    start(NULL);
    bench_write(bench.spool, "secret", "s");
    bench_write(bench.outbox, ".hidden", "s");
    snprintf(path, sizeof path, "%s/link", bench.outbox);
    CHECK_INT(symlink("../spool", path), 0);
    snprintf(path, sizeof path, "%s/link.csv", bench.outbox);
    CHECK_INT(symlink("../spool/secret", path), 0);
    for (size_t i = 0; ids[i]; i++) {
        enum lf_status status = take(ids[i], "1-1-1", 1000);
        CHECK(status == LF_INVALID || status == LF_NOT_FOUND);
        CHECK_STR(bench_text(bench.spool, "taken"), "");
    }
    bench_close(&bench);
}

// ---- the way to the folder ----

static void missing_folder(void)
{
    char gone[BENCH_PATH + 8];
    bench_open(&bench, NULL);
    snprintf(gone, sizeof gone, "%s.gone", bench.outbox);
    CHECK_INT(rename(bench.outbox, gone), 0);
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "mounted");
    lf_driver_folder.disconnect(bench.device);
    CHECK_INT(rename(gone, bench.outbox), 0);
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_OK);
    CHECK_INT(rename(bench.outbox, gone), 0);
    CHECK_INT(bench_listen(&bench, 5000, &err), LF_DISCONNECTED);
    bench_close(&bench);
}

static void mount_marker(void)
{
    static const char *const settings[] = {"mount_marker", "reader.id", NULL};
    bench_open(&bench, settings);
    memset(&err, 0, sizeof err);
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_DISCONNECTED);
    CHECK_HAS(err.text, "reader.id");
    lf_driver_folder.disconnect(bench.device);
    bench_write(bench.inbox, "reader.id", "SN-1234\r\nsecond line");
    bench_write(bench.outbox, "reader.id", "SN-1234");
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_OK);
    CHECK_STR(bench.identity, "SN-1234");
    lf_driver_folder.disconnect(bench.device);
    bench_write(bench.inbox, "reader.id", "wrong");
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_MISMATCH);
    bench_close(&bench);
}

static void second_agent(void)
{
    static struct bench second;
    start(NULL);
    bench_open(&second, NULL);
    CHECK_INT(lf_driver_folder.connect(second.device, &err), LF_BUSY);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK_HAS(err.text, "another agent");
    lf_driver_folder.disconnect(second.device);
    bench_close(&bench);
    CHECK_INT(lf_driver_folder.connect(second.device, &err), LF_OK);
    bench_close(&second);
}

static void one_folder_for_both(void)
{
    char both[BENCH_PATH];
    struct lf_outcome outcome = {0};
    snprintf(both, sizeof both, "%s/both", unit_folder());
    mkdir(both, 0755);
    start((const char *[]){"inbox", both, "outbox", both, "results", "*_out.csv", "finish", "rename", NULL});
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, 1, "plate.csv", "abc"), &outcome, &err),
              LF_OK);
    bench_write(both, "plate_out.csv", "a");
    bench_listen_for(&bench, 1);
    bench_after(&bench, HOUR, 1);
    CHECK_STR(bench.found[0].id, "plate_out.csv");
    lf_outcome_free(&outcome);
    bench_close(&bench);
}

static void remembered_over_reconnection(void)
{
    start((const char *[]){"finish", "rename", NULL});
    bench_write(bench.outbox, "plate.csv", "a");
    bench_listen_for(&bench, 1);
    lf_driver_folder.disconnect(bench.device);
    CHECK_INT(lf_driver_folder.connect(bench.device, &err), LF_OK);
    bench_after(&bench, HOUR, 1);
    bench_close(&bench);
}

UNIT_TESTS("folder: collect",
           {"a result is reported once, when it has been unchanged for long enough", stable_result},
           {"a result that grows is not reported before it is complete", growing_result},
           {"an empty file is not a finished result", empty_result_waits},
           {"where the file system reports no changes, looking finds the result", polling_sees_it_too},
           {"where it reports changes, a rename is seen without waiting for the next look",
            watching_is_prompt},
           {"folders that appear below the outbox are watched too", new_folders_are_watched},
           {"a done marker finishes its result and is not a result itself", done_marker},
           {"an end marker counts only at the end of the text", end_marker},
           {"a required sidecar is waited for, reported with its result, and is not a result itself",
            sidecar},
           {"a sidecar that is not text does not hold its result back", unusable_sidecar},
           {"only names that the configuration asks for are results", names_that_count},
           {"links and pipes are refused, stay where they are, and are a concern until they are gone",
            refused_results},
           {"new content under a known name is a new version", new_version},
           {"what the host could not store is reported again", reported_again_after_failure},
           {"listening ends when the host calls or cancels", host_calls},
           {"an idle outbox costs no processor time", idle_does_not_spin, UNIT_SLOW},
           {"a result is taken complete", taken_whole},
           {"a result that is gone, changed or too large is not taken, and the error says why", not_taken},
           {"nothing outside the outbox can be taken", never_above_the_outbox},
           {"a folder that does not exist, or disappears, is a lost connection", missing_folder},
           {"the mount marker guards against an empty mount point and names the instrument", mount_marker},
           {"a second agent is kept out of the folder", second_agent},
           {"one folder may be both inbox and outbox", one_folder_for_both},
           {"what was reported is remembered across a reconnection", remembered_over_reconnection}, )

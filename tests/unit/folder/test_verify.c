// What the driver concludes after a crash, for every state that the disk can be in (the table at the top of
// deliver.c). The states are made by hand. "Other boot" is a mark that names another run of the machine.
#include "bench.h"

#include "os/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// SHA-256 of "abc" (FIPS 180-4).
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
static const char MARK[] = "bench-3-12-ba7816bf8f01cfea.mark";
static const char PART[] = ".plate.csv.part-12";

enum boot { SAME_BOOT, OTHER_BOOT };
enum file { ABSENT, OURS, OTHER };

static struct bench bench;
static struct lf_outcome outcome;

// lines: what the mark says after its head; NULL: no mark.
static void make_mark(const char *lines, enum boot boot)
{
    char text[1024], name[LF_BOOT_TEXT];
    if (!lines)
        return;
    CHECK(lf_boot_name(name));
    snprintf(text, sizeof text, "labferry delivery mark\nname plate.csv\nsha256 " ABC "\nboot %s\n%s",
             boot == SAME_BOOT ? name : "00000000-0000-0000-0000-000000000000", lines);
    bench_write(bench.marks, MARK, text);
}

static enum lf_verdict verdict_of(const char *lines, enum boot boot, bool part, enum file file)
{
    struct lf_error err = {0};
    bench_connect(&bench, NULL);
    make_mark(lines, boot);
    if (part)
        bench_write(bench.inbox, PART, "abc");
    if (file != ABSENT)
        bench_write(bench.inbox, "plate.csv", file == OURS ? "abc" : "another");
    lf_outcome_free(&outcome);
    enum lf_verdict verdict = lf_driver_folder.verify(bench.device,
                                                      bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                                      &err);
    return verdict;
}

// Also ends the state.
static void expect(enum lf_verdict verdict, enum lf_verdict expected, const char *what)
{
    if (verdict != expected)
        printf("    %s:\n", what);
    CHECK_INT(verdict, expected);
    bench_close(&bench);
    for (const char *const *name = (const char *const[]){MARK, PART, "plate.csv", NULL}; *name; name++) {
        char path[BENCH_PATH + 64];
        snprintf(path, sizeof path, "%s/%s", *name == MARK ? bench.marks : bench.inbox, *name);
        unlink(path);
    }
}

static void without_mark(void)
{
    expect(verdict_of(NULL, SAME_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN, "nothing there");
    expect(verdict_of(NULL, SAME_BOOT, false, OURS), LF_VERDICT_UNKNOWN, "an equal file, whose is unknown");
    expect(verdict_of("", SAME_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN, "mark cut short, part removed");
    expect(verdict_of(NULL, SAME_BOOT, true, ABSENT), LF_VERDICT_NOT_DONE, "part only");
    expect(verdict_of(NULL, SAME_BOOT, true, OTHER), LF_VERDICT_NOT_DONE, "another file");
    expect(verdict_of("", SAME_BOOT, true, ABSENT), LF_VERDICT_NOT_DONE, "mark cut short");
    expect(verdict_of("abou", OTHER_BOOT, true, ABSENT), LF_VERDICT_NOT_DONE, "mark cut in its last word");
    expect(verdict_of("about", OTHER_BOOT, true, ABSENT), LF_VERDICT_NOT_DONE,
           "mark cut before its line end");
}

static void finished(void)
{
    expect(verdict_of("about\ndone\n", SAME_BOOT, false, OURS), LF_VERDICT_DONE, "there");
    expect(verdict_of("about\ndone\n", OTHER_BOOT, false, ABSENT), LF_VERDICT_DONE,
           "taken, then a power cut");
    expect(verdict_of("about\ndone\n", OTHER_BOOT, false, OTHER), LF_VERDICT_DONE,
           "changed, then a power cut");
}

static void killed_before(void)
{
    expect(verdict_of("about\n", SAME_BOOT, true, ABSENT), LF_VERDICT_NOT_DONE, "killed before the rename");
    expect(verdict_of("about\n", SAME_BOOT, true, OTHER), LF_VERDICT_NOT_DONE, "another file there");
}

static void killed_after(void)
{
    expect(verdict_of("about\n", SAME_BOOT, false, OURS), LF_VERDICT_DONE, "there");
    expect(verdict_of("about\n", SAME_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN, "taken, or inbox emptied");
    expect(verdict_of("about\n", SAME_BOOT, false, OTHER), LF_VERDICT_UNKNOWN, "replaced");
    expect(verdict_of("about\ndo", SAME_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN,
           "killed while writing done");
}

static void power_cut(void)
{
    expect(verdict_of("about\n", OTHER_BOOT, false, OURS), LF_VERDICT_DONE, "there");
    expect(verdict_of("about\n", OTHER_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN, "taken, or lost");
    expect(verdict_of("about\ndo", OTHER_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN, "done not durable");
    expect(verdict_of("about\n", OTHER_BOOT, true, ABSENT), LF_VERDICT_UNKNOWN,
           "the rename may have been seen, then lost");
}

static void linking(void)
{
    expect(verdict_of("about\nlinking\n", SAME_BOOT, true, OURS), LF_VERDICT_DONE, "both names");
    expect(verdict_of("about\nlinking\n", SAME_BOOT, true, ABSENT), LF_VERDICT_UNKNOWN,
           "not linked, or taken");
    expect(verdict_of("about\nlinking\n", SAME_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN,
           "taken, or inbox emptied");
    expect(verdict_of("about\nlinking\nrenaming\n", SAME_BOOT, true, ABSENT), LF_VERDICT_NOT_DONE,
           "no links, killed before the rename");
    expect(verdict_of("about\nlinking\n", OTHER_BOOT, false, ABSENT), LF_VERDICT_UNKNOWN, "taken, or lost");
}

static void linked_and_moved(void)
{
    char from[BENCH_PATH + 64], to[BENCH_PATH + 64];
    struct lf_error err = {0};
    bench_connect(&bench, NULL);
    make_mark("about\nlinking\n", SAME_BOOT);
    bench_write(bench.inbox, PART, "abc");
    snprintf(from, sizeof from, "%s/%s", bench.inbox, PART);
    snprintf(to, sizeof to, "%s/taken.csv", bench.outbox); // the instrument moved it away
    CHECK_INT(link(from, to), 0);
    expect(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                   &err),
           LF_VERDICT_DONE, "its second name is elsewhere");
    CHECK(!bench_exists(bench.inbox, PART));
}

static void outcome_is_filled(void)
{
    CHECK_INT(verdict_of("about\n", SAME_BOOT, false, OURS), LF_VERDICT_DONE);
    CHECK_STR(outcome.sha256, ABC);
    CHECK_HAS(outcome.place, "/inbox/plate.csv");
    expect(LF_VERDICT_DONE, LF_VERDICT_DONE, "");
    CHECK_INT(verdict_of("about\ndone\n", SAME_BOOT, false, ABSENT), LF_VERDICT_DONE);
    CHECK_STR(outcome.sha256, "");
    CHECK_HAS(outcome.place, "taken");
    expect(LF_VERDICT_DONE, LF_VERDICT_DONE, "");
    lf_outcome_free(&outcome);
}

static void other_jobs_do_not_count(void)
{
    struct lf_error err = {0};
    bench_connect(&bench, NULL);
    make_mark("about\ndone\n", SAME_BOOT);
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 13, "plate.csv", "abc"), &outcome,
                                      &err),
              LF_VERDICT_UNKNOWN);
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abd"), &outcome,
                                      &err),
              LF_VERDICT_UNKNOWN);
    bench.host.agent = "bench-4";
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                      &err),
              LF_VERDICT_UNKNOWN);
    bench_close(&bench);
}

static void answer_survives(void)
{
    struct lf_error err = {0};
    char path[BENCH_PATH + 64];
    bench_connect(&bench, NULL);
    CHECK_INT(lf_driver_folder.act(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                   &err),
              LF_OK);
    bench_close(&bench);
    snprintf(path, sizeof path, "%s/plate.csv", bench.inbox);
    CHECK_INT(unlink(path), 0); // the instrument ran it
    bench_connect(&bench, NULL);
    expect(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                   &err),
           LF_VERDICT_DONE, "killed before the host committed");
    lf_outcome_free(&outcome);
}

static void mark_of_garbage(void)
{
    struct lf_error err = {0};
    char path[BENCH_PATH + 64];
    bench_connect(&bench, NULL);
    bench_write(bench.marks, MARK, "\x01\x02 not a mark\nabout\ndone\n");
    bench_write(bench.inbox, PART, "abc");
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                      &err),
              LF_VERDICT_NOT_DONE);
    snprintf(path, sizeof path, "%s/%s", bench.marks, MARK);
    unlink(path);
    CHECK_INT(symlink("/etc/hostname", path), 0); // a link is not our mark, and proves nothing
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                      &err),
              LF_VERDICT_UNKNOWN);
    bench_close(&bench);
}

static void not_connected(void)
{
    struct lf_error err = {0};
    bench_open(&bench, NULL);
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 12, "plate.csv", "abc"), &outcome,
                                      &err),
              LF_VERDICT_UNKNOWN);
    bench_close(&bench);
}

UNIT_TESTS("folder: verify",
           {"without a complete mark only our own unfinished file shows that it was not done", without_mark},
           {"a mark that says done is believed, whatever became of the file", finished},
           {"killed before the rename: not done", killed_before},
           {"killed after the rename: done while the file is there, and unknown when it is gone",
            killed_after},
           {"after a power cut the verdict is unknown unless it is certain", power_cut},
           {"where files are published by links, what cannot be known is unknown", linking},
           {"a linked file that the instrument moved away was delivered", linked_and_moved},
           {"verify fills the outcome as the delivery would have", outcome_is_filled},
           {"the mark of another job, content or agent does not count", other_jobs_do_not_count},
           {"a delivery whose answer was lost is verified as done after a restart", answer_survives},
           {"a damaged mark counts as none, and a link in its place as unknown", mark_of_garbage},
           {"verify without a connection says unknown", not_connected}, )

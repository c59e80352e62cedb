// A parcel becomes a file in the inbox: whole, checked, never in the place of another.
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// From FIPS 180-4's example: SHA-256 of "abc".
static const char ABC[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static struct bench bench;
static struct lf_outcome outcome;
static struct lf_error err;

static void start(const char *const *settings)
{
    memset(&err, 0, sizeof err);
    bench_connect(&bench, settings);
}

static void end(void)
{
    lf_outcome_free(&outcome);
    bench_close(&bench);
}

static enum lf_status deliver(const struct lf_action *action)
{
    lf_outcome_free(&outcome);
    memset(&err, 0, sizeof err);
    return lf_driver_folder.act(bench.device, action, &outcome, &err);
}

static void delivered_whole(void)
{
    start(NULL);
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_OK);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "abc");
    CHECK_STR(outcome.sha256, ABC);
    CHECK_HAS(outcome.place, "/inbox/plate.csv");
    CHECK_INT(bench_count(bench.inbox, ".part-"), 0);
    end();
}

static void class_is_once(void)
{
    enum lf_repeat repeat = LF_SAFE;
    start(NULL);
    CHECK_INT(lf_driver_folder.repeat(bench.device, bench_parcel(&bench, 1, "a.csv", "a"), &repeat, &err),
              LF_OK);
    CHECK_INT(repeat, LF_ONCE);
    struct lf_action run = {.kind = LF_ACTION_RUN, .name = "weigh"};
    CHECK_INT(lf_driver_folder.repeat(bench.device, &run, &repeat, &err), LF_NOT_FOUND);
    CHECK_INT(deliver(&run), LF_NOT_FOUND);
    end();
}

static void mode_is_as_set(void)
{
    char path[BENCH_PATH + 32];
    struct stat st;
    mode_t before = umask(0077);
    start((const char *[]){"file_mode", "0640", NULL});
    CHECK_INT(deliver(bench_parcel(&bench, 1, "plate.csv", "abc")), LF_OK);
    snprintf(path, sizeof path, "%s/plate.csv", bench.inbox);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0640);
    umask(before);
    end();
}

static int unlink_there(void)
{
    char path[BENCH_PATH + 32];
    snprintf(path, sizeof path, "%s/plate.csv", bench.inbox);
    return unlink(path);
}

static enum lf_status prepare(const struct lf_action *action)
{
    memset(&err, 0, sizeof err);
    return lf_driver_folder.prepare(bench.device, action, &err);
}

// The same worklist for two runs, say a daily control: the instrument must not miss the second, and nobody
// may run the first twice.
static void equal_file_is_asked_about(void)
{
    start(NULL);
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_OK);
    CHECK_INT(prepare(bench_parcel(&bench, 13, "plate.csv", "abc")), LF_EXISTS);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "equal");
    CHECK_HAS(err.text, "put there by job 12 at ");
    CHECK_HAS(err.text, "labferry retry 13");
    CHECK_HAS(err.text, "labferry confirm 13");
    CHECK_INT(bench_count(bench.inbox, ".part-"), 0);
    // a person confirms: what `deliver` left and what the step after it reads agree
    CHECK_INT(lf_driver_folder.verify(bench.device, bench_parcel(&bench, 13, "plate.csv", "abc"), &outcome,
                                      &err),
              LF_VERDICT_DONE);
    CHECK_STR(outcome.sha256, ABC);
    // or removes it and retries
    CHECK_INT(unlink_there(), 0);
    CHECK_INT(deliver(bench_parcel(&bench, 13, "plate.csv", "abc")), LF_OK);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "abc");
    end();
}

static void equal_file_of_others(void)
{
    start(NULL);
    bench_write(bench.inbox, "plate.csv", "abc");
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_EXISTS);
    CHECK_HAS(err.text, "not put there by an agent, as far as is known");
    bench.host.agent = "bench-4";
    CHECK_INT(unlink_there(), 0);
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_OK);
    bench.host.agent = "bench-3";
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_EXISTS);
    CHECK_HAS(err.text, "put there by job 12 of the agent bench-4 at ");
    end();
}

static void prepared_is_unseen(void)
{
    start(NULL);
    const struct lf_action *action = bench_parcel(&bench, 12, "plate.csv", "abc");
    CHECK_INT(prepare(action), LF_OK);
    CHECK(!bench_exists(bench.inbox, "plate.csv"));
    CHECK_INT(lf_driver_folder.verify(bench.device, action, &outcome, &err), LF_VERDICT_NOT_DONE);
    CHECK_INT(prepare(action), LF_OK);
    CHECK_INT(deliver(action), LF_OK);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "abc");
    CHECK_INT(bench_count(bench.inbox, ""), 1);
    end();
}

static void other_content_is_refused(void)
{
    start(NULL);
    bench_write(bench.inbox, "plate.csv", "older");
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_EXISTS);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "overwrite = true");
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "older");
    CHECK_INT(bench_count(bench.inbox, ".part-"), 0);
    CHECK_INT(bench_count(bench.marks, ".mark"), 0);
    // the same length is no shortcut
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "newer")), LF_EXISTS);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "older");
    end();
}

static void overwrites_when_configured(void)
{
    start((const char *[]){"overwrite", "true", NULL});
    bench_write(bench.inbox, "plate.csv", "older");
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_OK);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "abc");
    end();
}

static void twin_in_other_case(void)
{
    start(NULL);
    bench_write(bench.inbox, "Plate.CSV", "abc");
    CHECK_INT(deliver(bench_parcel(&bench, 12, "plate.csv", "abc")), LF_EXISTS);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "Plate.CSV");
    CHECK(!bench_exists(bench.inbox, "plate.csv"));
    end();
}

static void bad_names(void)
{
    static const char *const names[] = {"../plate.csv", "a/b.csv",     "..",       "",          ".hidden",
                                        "-rf",          "con.csv",     "LPT1",     "tab\t.csv", "star*.csv",
                                        "dot.",         "C:plate.csv", "\xff.csv", NULL};
    start(NULL);
    int before = bench_count(bench.inbox, "");
    for (size_t i = 0; names[i]; i++) {
        CHECK_INT(deliver(bench_parcel(&bench, 1, names[i], "abc")), LF_INVALID);
        CHECK_INT(err.class, LF_NEEDS_PERSON);
    }
    CHECK_INT(deliver(bench_parcel(&bench, 1, "Größe.csv", "abc")), LF_INVALID);
    CHECK_HAS(err.text, "names = \"utf-8\"");
    CHECK_INT(bench_count(bench.inbox, ""), before);
    end();
}

static void utf8_names_when_allowed(void)
{
    start((const char *[]){"names", "utf-8", NULL});
    CHECK_INT(deliver(bench_parcel(&bench, 1, "Größe.csv", "abc")), LF_OK);
    CHECK(bench_exists(bench.inbox, "Größe.csv"));
    end();
}

static void link_in_the_way(void)
{
    char path[BENCH_PATH + 32];
    start((const char *[]){"overwrite", "true", NULL});
    bench_write(bench.spool, "victim", "secret");
    snprintf(path, sizeof path, "%s/plate.csv", bench.inbox);
    CHECK_INT(symlink("../spool/victim", path), 0);
    CHECK_INT(deliver(bench_parcel(&bench, 1, "plate.csv", "abc")), LF_EXISTS);
    CHECK_STR(bench_text(bench.spool, "victim"), "secret");
    end();
}

static void damaged_spool(void)
{
    start(NULL);
    const struct lf_action *action = bench_parcel(&bench, 1, "plate.csv", "abc");
    bench_write(bench.spool, "parcel", "abd");
    CHECK_INT(deliver(action), LF_CORRUPT);
    CHECK(!bench_exists(bench.inbox, "plate.csv"));
    CHECK_INT(bench_count(bench.inbox, ".part-"), 0);
    end();
}

static void conversion_is_reported(void)
{
    start((const char *[]){"eol", "crlf", NULL});
    CHECK_INT(deliver(bench_parcel(&bench, 1, "plate.csv", "a\nb\n")), LF_OK);
    CHECK_STR(bench_text(bench.inbox, "plate.csv"), "a\r\nb\r\n");
    const char *parcel = NULL, *sent = NULL, *how = NULL;
    for (size_t i = 0; i < outcome.count; i++) {
        const struct lf_capture *c = &outcome.captures[i];
        parcel = strcmp(c->name, "parcel_sha256") ? parcel : c->value;
        sent = strcmp(c->name, "delivered_sha256") ? sent : c->value;
        how = strcmp(c->name, "conversion") ? how : c->value;
    }
    // sha256sum of "a\nb\n"
    CHECK_STR(parcel, "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2");
    CHECK_STR(sent, outcome.sha256);
    CHECK_STR(how, "eol crlf, encoding keep");
    end();
}

static void cancelled(void)
{
    start(NULL);
    const struct lf_action *action = bench_parcel(&bench, 1, "plate.csv", "abc");
    lf_cancel_set(&bench.cancel);
    CHECK_INT(deliver(action), LF_CANCELLED);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK(!bench_exists(bench.inbox, "plate.csv"));
    end();
}

static void no_inbox(void)
{
    start((const char *[]){"inbox", "", NULL});
    CHECK_INT(deliver(bench_parcel(&bench, 1, "plate.csv", "abc")), LF_NOT_FOUND);
    CHECK_HAS(err.text, "no inbox");
    end();
}

static void folder_gone(void)
{
    start(NULL);
    char moved[BENCH_PATH];
    snprintf(moved, sizeof moved, "%s/elsewhere", unit_folder());
    CHECK_INT(rename(bench.inbox, moved), 0);
    CHECK_INT(deliver(bench_parcel(&bench, 1, "plate.csv", "abc")), LF_DISCONNECTED);
    CHECK_INT(err.class, LF_TRANSIENT);
    // another folder under the same name is not the one that was opened: an unmounted mount point
    mkdir(bench.inbox, 0755);
    CHECK_INT(deliver(bench_parcel(&bench, 1, "plate.csv", "abc")), LF_DISCONNECTED);
    CHECK_HAS(err.text, "mounted");
    CHECK(!bench_exists(bench.inbox, "plate.csv"));
    end();
}

UNIT_TESTS("folder: deliver",
           {"a parcel arrives in the inbox complete and read back, with nothing left beside it",
            delivered_whole},
           {"delivering is an action that is never repeated automatically", class_is_once},
           {"a delivered file has the configured permissions whatever the umask", mode_is_as_set},
           {"an equal file under the same name is asked about, with whose it is; confirmed it is done",
            equal_file_is_asked_about},
           {"an equal file of another agent, or of nobody known, is named as that", equal_file_of_others},
           {"what was prepared is not visible, proves that nothing was, and is delivered once",
            prepared_is_unseen},
           {"other content under the same name is never overwritten and asks for a person",
            other_content_is_refused},
           {"a file is overwritten when the configuration says so", overwrites_when_configured},
           {"a name that Windows treats as another file's is refused", twin_in_other_case},
           {"names that are unsafe on any target are refused with the reason and leave no trace", bad_names},
           {"letters outside ASCII pass when the configuration allows them", utf8_names_when_allowed},
           {"a link in the inbox is never written through", link_in_the_way},
           {"a damaged spool file is not delivered", damaged_spool},
           {"a converted file is reported with both digests", conversion_is_reported},
           {"a cancelled delivery leaves nothing visible", cancelled},
           {"an instrument without inbox refuses files and says so", no_inbox},
           {"an inbox that was unmounted or replaced is noticed and gets no file", folder_gone}, )

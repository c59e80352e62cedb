// Mistakes in the configuration are named before anything runs.
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct lf_error err;
static char resources[1024];

static void on_resource(void *context, const char *resource)
{
    (void)context;
    strncat(resources, resource, sizeof resources - strlen(resources) - 1);
    strncat(resources, "|", sizeof resources - strlen(resources) - 1);
}

// Checks settings (pairs, ended by NULL) as `labferry check` does.
static enum lf_status check(const char *const *settings)
{
    struct lf_values *values = lf_values_new(lf_driver_folder.settings, "instrument \"reader\"");
    NEED(values != NULL);
    memset(&err, 0, sizeof err);
    resources[0] = '\0';
    enum lf_status status = LF_OK;
    for (; status == LF_OK && *settings; settings += 2)
        status = lf_values_set(values, settings[0], settings[1], "labferry.conf:7", &err);
    if (status == LF_OK)
        status = lf_values_finish(values, &err);
    if (status == LF_OK)
        status = lf_driver_folder.check(values, on_resource, NULL, &err);
    lf_values_free(values);
    return status;
}

static void refuse(const char *const *settings, const char *part)
{
    CHECK_INT(check(settings), LF_INVALID);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK_HAS(err.text, part);
}

static void good_ones(void)
{
    CHECK_INT(check((const char *[]){"inbox", "/no/such/in", "outbox", "/no/such/out", NULL}), LF_OK);
    CHECK_STR(resources, "folder /no/such/in|folder /no/such/out|");
    CHECK_INT(check(
                  (const char *[]){"outbox", "/no/such/out", "finish", "marker", "end_marker", "END", NULL}),
              LF_OK);
    CHECK_INT(check((const char *[]){"inbox", "/in", "encoding", "windows-1252", "eol", "crlf", NULL}),
              LF_OK);
}

static void mistakes(void)
{
    refuse((const char *[]){NULL}, "needs an inbox");
    refuse((const char *[]){"inbox", "relative/in", NULL}, "labferry.conf:7: inbox: give an absolute path");
    refuse((const char *[]){"inbox", "/in", "file_mode", "rw-r--r--", NULL}, "file_mode");
    refuse((const char *[]){"inbox", "/in", "file_mode", "4755", NULL}, "file_mode");
    refuse((const char *[]){"inbox", "/in", "eol", "cr", NULL}, "eol");
    refuse((const char *[]){"inbox", "/in", "work_dir", "/w", NULL}, "\"work_dir\" is no longer needed");
    refuse((const char *[]){"outbox", "/out", "watch", "poll", NULL}, "\"watch\" is no longer needed");
    refuse((const char *[]){"outbox", "/out", "finish", "marker", NULL}, "done_marker or end_marker");
    refuse((const char *[]){"outbox", "/out", "end_marker", "END", NULL}, "finish = \"marker\"");
    refuse((const char *[]){"outbox", "/out", "finish", "marker", "done_marker", "{name}", NULL},
           "{name}.done");
    refuse((const char *[]){"outbox", "/out", "archive", "../done", NULL}, "absolute path");
    refuse((const char *[]){"outbox", "/out", "sidecar", "{name}", NULL}, "{name}.done");
    refuse((const char *[]){"outbox", "/out", "sidecar", "../{name}.json", NULL}, "without '/'");
    refuse((const char *[]){"outbox", "/out", "results", "sub/*.csv", NULL}, "without '/'");
    refuse((const char *[]){"outbox", "/out", "archive", "/out", NULL}, "must not be the outbox");
    refuse((const char *[]){"inbox", "/x", "outbox", "/x", NULL}, "results");
    refuse((const char *[]){"outbox", "/out", "stable_for", "soon", NULL}, "stable_for");
    refuse((const char *[]){"inbx", "/in", NULL}, "inbox"); // the nearest name
}

static void same_folder_by_two_names(void)
{
    char real[BENCH_PATH], other[BENCH_PATH], wanted[BENCH_PATH + 32];
    snprintf(real, sizeof real, "%s/in", unit_folder());
    snprintf(other, sizeof other, "%s/link", unit_folder());
    mkdir(real, 0755);
    CHECK_INT(symlink(real, other), 0);
    snprintf(wanted, sizeof wanted, "folder %s|", real);
    CHECK_INT(check((const char *[]){"inbox", other, NULL}), LF_OK);
    CHECK_STR(resources, wanted);
}

static void every_row_has_help(void)
{
    for (const struct lf_setting *row = lf_driver_folder.settings; row->name; row++)
        CHECK(row->help && strlen(row->help) > 20
              && (row->type == LF_REMOVED || row->help[strlen(row->help) - 1] == '.'));
}

UNIT_TESTS("folder: options", {"good settings pass, also for folders that are not mounted yet", good_ones},
           {"every mistake is refused with the setting, its place and what to do", mistakes},
           {"a folder is the same resource under each of its names", same_folder_by_two_names},
           {"every setting has a sentence of help", every_row_has_help}, )

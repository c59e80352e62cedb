#include "options.h"

#include <getopt.h>
#include <stdio.h>

enum { ROWS_MAX = 64 };

static const struct stage_row ways[] = {
    {"pty", "LINK", "speak on a pseudo terminal, with a link to it at this path", {0}},
    {"tcp", "HOST:PORT", "listen on TCP; port 0 takes a free one", {0}},
    {"unix", "PATH", "listen on a Unix socket", {0}},
    {"control", "PATH", "take commands on this Unix socket", {0}},
    {"state", "FILE", "keep this JSON file up to date: counters and transcript", {0}},
    {"verbose", NULL, "show the transcript on standard error", {0}},
    {"help", NULL, "show this", {0}},
    {0},
};

static void show_rows(const struct stage_row *rows)
{
    for (; rows->name; rows++) {
        char left[48];
        snprintf(left, sizeof left, "--%s %s", rows->name, rows->value ? rows->value : "");
        printf("  %-24s %s\n", left, rows->help);
    }
}

static void show_faults(const struct fault_kind *kinds)
{
    for (; kinds->name; kinds++)
        printf("  %-24s %s\n", kinds->name, kinds->help);
}

void options_help(const struct stage_instrument *instrument)
{
    printf("usage: %s (--pty LINK | --tcp HOST:PORT | --unix PATH) [options]\n"
           "       %s --tell CONTROL-SOCKET COMMAND [VALUE]\n\n%s\n"
           "Prints 'ready STREAM' when it can be connected to, and runs until SIGTERM.\n\nWhere:\n",
           instrument->program, instrument->program, instrument->about);
    show_rows(ways);
    printf("\nThe instrument (each also a command of the control socket, without the dashes):\n");
    show_rows(instrument->rows);
    show_rows(stage_common);
    printf("\nThe control socket knows besides: state, transcript, help, quit.\n"
           "\nFaults, as 'NAME[=VALUE] [times=N] [after=N] [on=COMMAND]':\n");
    show_faults(fault_common);
    show_faults(instrument->faults);
}

static size_t add_options(struct option *options, size_t count, const struct stage_row *rows)
{
    for (; rows->name && count < ROWS_MAX; rows++)
        options[count++] = (struct option){rows->name, rows->value ? required_argument : no_argument, NULL,
                                           0};
    return count;
}

enum lf_status options_take(int argc, char **argv, const struct stage_instrument *instrument,
                            enum lf_status (*take)(void *context, const char *name, const char *value,
                                                   struct lf_error *err),
                            void *context, struct lf_error *err)
{
    struct option options[ROWS_MAX + 1] = {0};
    size_t count = add_options(options, 0, ways);
    count = add_options(options, count, instrument->rows);
    add_options(options, count, stage_common);
    for (;;) {
        int index = 0, got = getopt_long(argc, argv, "", options, &index);
        if (got == -1)
            break;
        if (got == '?')
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "see %s --help", instrument->program);
        enum lf_status status = take(context, options[index].name, optarg ? optarg : "", err);
        if (status)
            return status;
    }
    if (optind < argc)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "'%s' is too much; see --help", argv[optind]);
    return LF_OK;
}

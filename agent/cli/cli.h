/* Inside the command line program: commands, asking the agent, and writing for people. One thread. */
#ifndef LF_AGENT_CLI_H
#define LF_AGENT_CLI_H

#include "control/control.h"
#include "os/file.h"

#include <stdio.h>

/* Exit statuses; help.c explains them. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1, /* refused, failed, or something is wrong with what was checked */
    CLI_USAGE = 2,
    CLI_NO_AGENT = 3,
    CLI_NOT_ALLOWED = 4,
    CLI_UNKNOWN = 5, /* it may have happened or not */
    CLI_HELD = 6,    /* --wait: the job waits for a person */
    CLI_NOT_YET = 7, /* --wait: not ended within the time */
    CLI_NEEDS = 8,   /* status --check: something needs attention */
};

struct cli {
    const struct lf_verb *verb;
    cJSON *args;                 /* arguments and common options, checked; owned */
    const char *config, *socket; /* common options; NULL: not given */
    bool json, colour;           /* colour: standard output is a terminal that wants it */
    int width;                   /* of the terminal; 0: no terminal, nothing is cut */
};

struct cli_field;

/* A command of the command line. For one of the agent's verbs only verb.name is set: its row is in control.
 * Without a row here such a verb is performed and its result shown in a general way. */
struct cli_command {
    struct lf_verb verb;
    enum cli_exit (*run)(struct cli *cli);                    /* NULL: the agent performs the verb */
    void (*show)(const struct cli *cli, const cJSON *result); /* NULL: in a general way, or */
    const struct cli_field *columns;                          /* as a table with these */
    const char *needs;                                        /* NULL: no running agent */
};

/* Each ends with verb.name NULL. */
extern const struct cli_command cli_views[], cli_local_commands[], cli_profile_commands[],
    cli_record_commands[];

/* ---- args.c ---- */

/* The options that every command takes, without --json for one that has no JSON output. */
const struct lf_arg *cli_common(const struct lf_verb *verb);
/* All that can be typed: the agent's verbs, then what needs no agent. */
lf_verb_list cli_verb_at;
/* NULL: none of ours. */
const struct cli_command *cli_command_find(const char *name);
/* Fills *cli from the command line. CLI_USAGE: the mistake was reported. */
enum cli_exit cli_read(struct cli *cli, int argc, char **argv);

const char *cli_text(const struct cli *cli, const char *arg); /* NULL: not given */
bool cli_flag(const struct cli *cli, const char *arg);
/* Reports a wrong use of the command, as cli_failed does. Returns CLI_USAGE. */
enum cli_exit cli_misuse(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- help.c ---- */

void cli_help(FILE *out);
void cli_help_verb(const struct lf_verb *verb, FILE *out);
enum cli_exit cli_run_help(struct cli *cli);

/* ---- ask.c ---- */

enum { CLI_ASK_MS = 20000, CLI_SLOW_MS = 24 * 3600 * 1000 };
/* Asks the agent. Takes args (may be NULL). CLI_DONE: *result is owned. Otherwise the error was reported. */
enum cli_exit cli_ask(const struct cli *cli, const char *verb, cJSON *args, const struct lf_file *file,
                      int64_t deadline, cJSON **result);
/* Reports an error: text on standard error, or {"ok": false, "error": ...} on standard output with --json. */
enum cli_exit cli_failed(const struct cli *cli, const struct lf_error *err);
/* Prints JSON on standard output, indented on a terminal. Takes value. */
enum cli_exit cli_print_json(const struct cli *cli, cJSON *value);

/* ---- perform.c ---- */

/* Has the agent perform the verb and shows the result; waits for a job if that is asked for. */
enum cli_exit cli_perform(struct cli *cli);

/* ---- show.c ---- */

enum cli_colour { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GREEN, CLI_YELLOW, CLI_RED, CLI_BLUE };
enum { CLI_STATE = 100, CLI_AGO, CLI_WHEN }; /* further styles of fields: by its word; times */

/* A column of a table, or a line. Values may be texts, numbers, lists of texts, or counts by name. */
struct cli_field {
    const char *title;
    const char *path; /* in the entry: "note"; "note|identity": the first that is there */
    int style;        /* a colour, or one of the styles */
};

/* Both end with title NULL; at most CLI_COLUMNS_MAX columns. On a narrow terminal the last column of a
 * table is cut first. */
void cli_show_list(const struct cli *cli, const cJSON *list, const struct cli_field *fields);
void cli_show_lines(const struct cli *cli, const cJSON *object, const struct cli_field *lines);
/* Anything: a table for a list of objects, lines for an object. */
void cli_show_any(const struct cli *cli, const cJSON *value);
/* One line: a title and a text; nothing for NULL and "". */
void cli_show_line(const struct cli *cli, const char *name, enum cli_colour colour, const char *text);
extern const struct cli_field cli_instrument_columns[], cli_job_columns[];
/* show_status.c */
void cli_show_status(const struct cli *cli, const cJSON *status);
/* A job with everything that is known of it; or in one sentence. */
void cli_show_job(const struct cli *cli, const cJSON *job);
void cli_show_outcome(const struct cli *cli, const cJSON *job);

/* ---- text.c ---- */

void cli_setup_terminal(struct cli *cli);
/* Prints text from outside: control characters and those that change the direction of writing are shown as
 * '?'. NULL prints nothing. */
void cli_print(const struct cli *cli, enum cli_colour colour, const char *text);
void cli_print_to(FILE *out, const char *text);
/* A colour for the name of a state of jobs, instruments, link or cloud, or a fate. */
enum cli_colour cli_state_colour(const char *state);

enum { CLI_TIME_ROOM = 48 };
/* "2 min ago" from RFC 3339; "" for NULL. */
const char *cli_ago(const char *time, char room[CLI_TIME_ROOM]);
/* "2026-11-22 07:09:34" in local time. */
const char *cli_when(const char *time, char room[CLI_TIME_ROOM]);

/* Returns memory, which may be NULL when it ran out: then the program ends. */
void *cli_must(void *memory);

enum { CLI_COLUMNS_MAX = 16 };
struct cli_cell {
    char *text;
    enum cli_colour colour;
};
/* A table, row by row, cut to the terminal's width. */
void cli_print_table(const struct cli *cli, const struct cli_cell *cells, int rows, int columns);

#endif

/* Inside the command line program: commands and their arguments, asking the agent, and writing for people.
 * One thread. */
#ifndef LF_AGENT_CLI_H
#define LF_AGENT_CLI_H

#include "base/json.h"
#include "os/file.h"

#include <stdio.h>

/* What the program ends with; explained by `labferry help exit-codes`. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1, /* refused, failed, or something is wrong with what was looked at */
    CLI_USAGE = 2,
    CLI_NO_AGENT = 3,
    CLI_NOT_ALLOWED = 4,
    CLI_UNKNOWN = 5, /* it may have happened or not */
    CLI_HELD = 6,    /* --wait: the job waits for a person */
    CLI_NOT_YET = 7, /* --wait: not at its end within the time */
};

enum { CLI_OPTIONS_MAX = 8, CLI_ARGS_MAX = 80 };

struct cli_option {
    const char *name;  /* without the dashes */
    const char *value; /* what its value is called in help; NULL: it takes none */
    const char *help;
};

struct cli;

struct cli_command {
    const char *name;     /* "status"; "profile check" has two words */
    const char *synopsis; /* arguments: "INSTRUMENT FILE"; NULL: none */
    const char *summary;  /* one line */
    const char *about;    /* more, for --help; lines of their own; may be NULL */
    const char *examples; /* lines */
    int min_args, max_args;
    struct cli_option options[CLI_OPTIONS_MAX]; /* ends with name NULL */
    enum cli_exit (*run)(struct cli *cli);
};

/* The tables, each ends with name NULL. */
extern const struct cli_command cli_look_commands[], cli_act_commands[], cli_alone_commands[],
    cli_profile_commands[], cli_audit_commands[];

struct cli {
    const struct cli_command *command;
    const char *args[CLI_ARGS_MAX];
    int arg_count;
    const char *values[CLI_OPTIONS_MAX]; /* of the command's options, in their order; "" for flags */
    const char *config, *socket;         /* global options; NULL: not given */
    bool json, help, colour;             /* colour: standard output is a terminal that wants it */
    int width;                           /* of the terminal; 0: no terminal, nothing is cut */
};

/* ---- cli_args.c ---- */

/* Fills *cli from the command line and finds its command. CLI_USAGE: the mistake was told. command NULL:
 * none was given; args[0] may be what `help` asks about. */
enum cli_exit cli_parse(struct cli *cli, int argc, char **argv);
const char *cli_value(const struct cli *cli, const char *option); /* NULL: not given */
bool cli_flag(const struct cli *cli, const char *option);
const struct cli_command *cli_find(const char *word, const char *second);

/* Tells a wrong use of the command on standard error. Returns CLI_USAGE. */
enum cli_exit cli_misuse(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "name=value" arguments from args[first] on, as an object of texts. NULL: told. */
cJSON *cli_pairs(const struct cli *cli, int first);
/* A whole number above 0; 0: told. */
int64_t cli_number(const struct cli *cli, const char *what, const char *text);
/* A duration ("30s"); -1: told. */
int64_t cli_duration(const struct cli *cli, const char *what, const char *text);

void cli_help_command(const struct cli_command *command, FILE *out);
void cli_help(FILE *out);
void cli_help_exit_codes(FILE *out);

/* ---- cli_agent.c ---- */

/* Asks the agent. Takes args (may be NULL). CLI_DONE: *result is owned. Otherwise what went wrong was
 * told. */
enum cli_exit cli_ask(struct cli *cli, const char *verb, cJSON *args, const struct lf_file *file,
                      int64_t deadline, cJSON **result);
enum { CLI_ASK_MS = 20000 };
/* Tells an error: text on standard error, or {"ok": false, "error": ...} on standard output with --json. */
enum cli_exit cli_failed(const struct cli *cli, const struct lf_error *err);
/* Prints JSON on standard output, indented on a terminal. Takes value. */
enum cli_exit cli_print_json(const struct cli *cli, cJSON *value);
/* Waits for the end of a job, telling what changes; prints the job then. */
/* Prints a job with all that is known of it. Takes job. */
void cli_show_job(const struct cli *cli, cJSON *job);
enum cli_exit cli_wait_job(struct cli *cli, int64_t id, int64_t deadline);

/* ---- cli_text.c ---- */

enum cli_colour { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GREEN, CLI_YELLOW, CLI_RED, CLI_BLUE };

void cli_setup_terminal(struct cli *cli);
/* Prints text from outside: control characters and those that turn the direction of writing are shown as
 * '?'. NULL prints nothing. */
void cli_print(const struct cli *cli, enum cli_colour colour, const char *text);
void cli_print_to(const struct cli *cli, FILE *out, const char *text);
/* A colour for the name of a state of jobs, instruments, link or cloud, or a fate. */
enum cli_colour cli_state_colour(const char *state);

enum { CLI_TIME_ROOM = 48 };
/* "2 min ago" from RFC 3339; "" for NULL. */
const char *cli_ago(const char *time, char room[CLI_TIME_ROOM]);
/* "2026-11-22 07:09:34" in local time. */
const char *cli_when(const char *time, char room[CLI_TIME_ROOM]);

/* A table: cells are added row by row. The flexible column is cut to the terminal's width.
 * Without memory the program ends. */
struct cli_table;
struct cli_table *cli_table_new(const char *const *headings, int columns, int flexible);
void cli_cell(struct cli_table *table, enum cli_colour colour, const char *text); /* copies; NULL: "-" */
void cli_table_print(const struct cli *cli, struct cli_table *table);             /* and frees */

#endif

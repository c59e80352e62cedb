#include "sim.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "labferry-sim-folder --inbox DIR --outbox DIR [OPTION...]\n"
    "\n"
    "A simulated liquid handler with plate reader. Takes worklists (delimited text with a header) from the\n"
    "inbox as soon as they are there, runs one after the other, and writes a result for each to the outbox:\n"
    "Well,Sample,Absorbance,Run,Worklist.\n"
    "\n"
    "Worklists\n"
    "  --match GLOB          names that are worklists; names with a leading dot never are (*.csv)\n"
    "  --take HOW            what becomes of a worklist: move (to INBOX/processed), delete, keep (move)\n"
    "  --run-time SECONDS    how long a run takes (2)\n"
    "  --look MS             how often it looks into the inbox (100)\n"
    "Results\n"
    "  --name TEMPLATE       name, with {stem} or {name} of the worklist, {run}, {date} ({stem}_{run}.csv)\n"
    "  --run-prefix TEXT     runs are TEXT0001, TEXT0002 ... (RUN)\n"
    "  --write HOW           atomic (hidden name, then renamed), slow (many small pieces), parts (atomic)\n"
    "  --write-time SECONDS  how long slow and parts take (2)\n"
    "  --parts N             pieces of parts (3)\n"
    "  --eol lf|crlf         line ends (lf)\n"
    "  --sidecar TEMPLATE    also write a JSON file before the result, like {name}.labferry.json; here and\n"
    "                        below {name} and {stem} are the result's\n"
    "  --done-marker TEMPLATE  also write an empty file after the result, like {name}.done\n"
    "  --end-marker TEXT     last line of every result\n"
    "Faults\n"
    "  --bad-every N         every N-th result has a row without a number\n"
    "  --lose-every N        every N-th run ends without a result\n"
    "Other\n"
    "  --state FILE          counts of everything it did, as JSON; goes on from it when started again\n"
    "  --runs N              end after so many runs\n"
    "  --quiet               print only \"ready INBOX\"; otherwise also a line for each thing it does\n"
    "  --help\n"
    "\n"
    "Ends with 0 on SIGTERM, SIGINT and after --runs; 2 for wrong arguments.\n";

static double number(const char *option, const char *text, double max)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= max)) {
        fprintf(stderr, "labferry-sim-folder: --%s \"%s\": give a number from 0 to %g\n", option, text, max);
        exit(2);
    }
    return value;
}

static int choice(const char *option, const char *text, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(text, names[i]))
            return i;
    fprintf(stderr, "labferry-sim-folder: --%s \"%s\": give one of", option, text);
    for (int i = 0; names[i]; i++)
        fprintf(stderr, " %s", names[i]);
    fputc('\n', stderr);
    exit(2);
}

enum option_id {
    INBOX = 1000,
    OUTBOX,
    MATCH,
    TAKE,
    RUN_TIME,
    LOOK,
    NAME,
    PREFIX,
    WRITE,
    WRITE_TIME,
    PARTS,
    EOL,
    SIDECAR,
    DONE_MARKER,
    END_MARKER,
    BAD_EVERY,
    LOSE_EVERY,
    STATE,
    RUNS,
    QUIET,
    HELP_WANTED,
};

static const struct option table[] = {
    {"inbox", required_argument, NULL, INBOX},
    {"outbox", required_argument, NULL, OUTBOX},
    {"match", required_argument, NULL, MATCH},
    {"take", required_argument, NULL, TAKE},
    {"run-time", required_argument, NULL, RUN_TIME},
    {"look", required_argument, NULL, LOOK},
    {"name", required_argument, NULL, NAME},
    {"run-prefix", required_argument, NULL, PREFIX},
    {"write", required_argument, NULL, WRITE},
    {"write-time", required_argument, NULL, WRITE_TIME},
    {"parts", required_argument, NULL, PARTS},
    {"eol", required_argument, NULL, EOL},
    {"sidecar", required_argument, NULL, SIDECAR},
    {"done-marker", required_argument, NULL, DONE_MARKER},
    {"end-marker", required_argument, NULL, END_MARKER},
    {"bad-every", required_argument, NULL, BAD_EVERY},
    {"lose-every", required_argument, NULL, LOSE_EVERY},
    {"state", required_argument, NULL, STATE},
    {"runs", required_argument, NULL, RUNS},
    {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, HELP_WANTED},
    {0},
};

static void set(struct options *o, int id, const char *name, const char *value)
{
    static const char *const takes[] = {"move", "delete", "keep", NULL};
    static const char *const writes[] = {"atomic", "slow", "parts", NULL};
    static const char *const eols[] = {"lf", "crlf", NULL};
    enum { SLOW_PIECES = 40, MANY = 1000000000 };
    switch (id) {
    case INBOX: o->inbox = value; break;
    case OUTBOX: o->outbox = value; break;
    case MATCH: o->match = value; break;
    case TAKE: o->take = (enum take)choice(name, value, takes); break;
    case RUN_TIME: o->run_ms = (int64_t)(1000 * number(name, value, 86400)); break;
    case LOOK: o->look_ms = 1 + (int64_t)number(name, value, 60000); break;
    case NAME: o->result_name = value; break;
    case PREFIX: o->prefix = value; break;
    case WRITE: {
        int how = choice(name, value, writes);
        o->atomic = how == 0;
        o->parts = how == 1 ? SLOW_PIECES : o->parts;
        break;
    }
    case WRITE_TIME: o->write_ms = (int64_t)(1000 * number(name, value, 86400)); break;
    case PARTS: o->parts = (int64_t)number(name, value, 100000); break;
    case EOL: o->crlf = choice(name, value, eols) == 1; break;
    case SIDECAR: o->sidecar = value; break;
    case DONE_MARKER: o->done_marker = value; break;
    case END_MARKER: o->end_marker = value; break;
    case BAD_EVERY: o->bad_every = (int64_t)number(name, value, MANY); break;
    case LOSE_EVERY: o->lose_every = (int64_t)number(name, value, MANY); break;
    case STATE: o->state = value; break;
    case RUNS: o->runs = (int64_t)number(name, value, MANY); break;
    case QUIET: o->quiet = true; break;
    case HELP_WANTED: fputs(HELP, stdout); exit(0);
    default: fputs("Try labferry-sim-folder --help\n", stderr); exit(2);
    }
}

void options_read(struct options *options, int argc, char **argv)
{
    *options = (struct options){.match = "*.csv",
                                .result_name = "{stem}_{run}.csv",
                                .prefix = "RUN",
                                .atomic = true,
                                .run_ms = 2000,
                                .write_ms = 2000,
                                .look_ms = 100,
                                .parts = 3};
    int index = 0;
    for (int id; (id = getopt_long(argc, argv, "", table, &index)) != -1;)
        set(options, id, id >= INBOX ? table[index].name : "", optarg);
    if (optind < argc || !options->inbox || !options->outbox) {
        fputs("labferry-sim-folder: give --inbox DIR and --outbox DIR; try --help\n", stderr);
        exit(2);
    }
    if (options->parts < 1)
        options->parts = 1;
    if (strchr(options->result_name, '/') || !strstr(options->result_name, "{")) {
        fputs("labferry-sim-folder: --name: use a placeholder, so that results differ, and no '/'\n", stderr);
        exit(2);
    }
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("labferry-sim-folder: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* Reading the command line. */
#include "agent/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_command *const tables[] = {cli_views, cli_local_commands, cli_profile_commands,
                                                   cli_record_commands};
enum { TABLES = sizeof tables / sizeof *tables };

static const struct lf_arg common[] = {
    {"json", LF_ARG_BOOL, 0, .help = "print JSON, for programs"},
    {"config", LF_ARG_TEXT, 0, .help = "configuration of the agent to talk to (-c)", .value = "FILE"},
    {"socket", LF_ARG_TEXT, 0, .help = "control socket of the agent to talk to", .value = "PATH"},
    {"help", LF_ARG_BOOL, 0, .help = "print this help (-h)"},
    {"version", LF_ARG_BOOL, 0, .help = "print the version (-V)"},
    {0},
};

const struct lf_arg *cli_common(const struct lf_verb *verb)
{
    return verb && verb->flags & LF_VERB_TEXT ? common + 1 : common;
}

/* ---- finding ---- */

const struct cli_command *cli_command_find(const char *name)
{
    for (int i = 0; i < TABLES; i++)
        for (const struct cli_command *command = tables[i]; command->verb.name; command++)
            if (!strcmp(command->verb.name, name))
                return command;
    return NULL;
}

const struct lf_verb *cli_verb_at(size_t index)
{
    const struct lf_verb *verb;
    size_t count = 0;
    for (; (verb = lf_verb_at(count)); count++)
        if (count == index)
            return verb;
    for (int i = 0; i < TABLES; i++)
        for (const struct cli_command *command = tables[i]; command->verb.name; command++)
            if (command->verb.summary && count++ == index)
                return &command->verb;
    return NULL;
}

/* Of one word, or of two: "audit verify". Says in *count how many. */
static const struct lf_verb *find_verb(const char *const words[2], int *count)
{
    char *both = words[1] ? lf_format("%s %s", words[0], words[1]) : NULL;
    const struct lf_verb *verb = both ? lf_verb_find_in(cli_verb_at, both) : NULL;
    free(both);
    *count = verb ? 2 : 1;
    return verb ? verb : lf_verb_find_in(cli_verb_at, words[0]);
}

/* The first word may be that of a group ("audit"): then both words together are the unknown name. */
static enum cli_exit refuse_verb(const struct cli *cli, const char *const words[2])
{
    struct lf_error err;
    size_t len = strlen(words[0]);
    const struct lf_verb *verb;
    bool group = false;
    for (size_t i = 0; words[1] && (verb = cli_verb_at(i)); i++)
        group |= !strncmp(verb->name, words[0], len) && verb->name[len] == '-';
    char *both = group ? lf_format("%s-%s", words[0], words[1]) : NULL;
    lf_verb_refuse(cli_verb_at, both ? both : words[0], &err);
    free(both);
    return cli_misuse(cli, "%s", err.text);
}

/* ---- reading ---- */

enum cli_exit cli_misuse(const struct cli *cli, const char *format, ...)
{
    va_list list;
    struct lf_error err = {.status = LF_INVALID, .class = LF_PERMANENT};
    char *synopsis = cli->verb && !cli->json ? lf_verb_synopsis(cli->verb) : NULL;
    va_start(list, format);
    vsnprintf(err.text, sizeof err.text, format, list);
    va_end(list);
    cli_failed(cli, &err);
    if (synopsis)
        fprintf(stderr, "usage: labferry %s   (--help says more)\n", synopsis);
    else if (!cli->json)
        fputs("See `labferry help`\n", stderr);
    free(synopsis);
    return CLI_USAGE;
}

static const char *long_option(const char *word)
{
    static const char *const pairs[][2] = {{"-c", "--config"}, {"-h", "--help"}, {"-V", "--version"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!strcmp(word, pairs[i][0]))
            return pairs[i][1];
    return word;
}

/* Finds the verb, the first words that are not options, and takes it out of the words. Without one cli->verb
 * stays NULL. */
static enum cli_exit take_verb(struct cli *cli, const char **words, int *count)
{
    const char *found[2] = {NULL, NULL};
    int at[2] = {0, 0}, used = 0, kept = 0;
    for (int i = 0; i < *count && used < 2 && strcmp(words[i], "--") != 0; i++) {
        if (!strcmp(words[i], "--config") || !strcmp(words[i], "--socket")) {
            i++;
        } else if (words[i][0] != '-') {
            found[used] = words[i];
            at[used++] = i;
        } else if (used == 1) {
            break; /* two words of a name stand together */
        }
    }
    if (!used)
        return CLI_DONE;
    cli->verb = find_verb(found, &used);
    if (!cli->verb)
        return refuse_verb(cli, found);
    for (int i = 0; i < *count; i++)
        if (i != at[0] && (used < 2 || i != at[1]))
            words[kept++] = words[i];
    *count = kept;
    return CLI_DONE;
}

enum cli_exit cli_read(struct cli *cli, int argc, char **argv)
{
    static const struct lf_verb no_verb = {.name = "labferry"};
    struct lf_error err = {0};
    int count = argc - 1;
    const char **words = cli_must(calloc((size_t)argc, sizeof *words));
    for (int i = 0; i < count; i++) {
        words[i] = long_option(argv[i + 1]);
        cli->json |= !strcmp(words[i], "--json"); /* already for the report of a mistake */
    }
    enum cli_exit code = take_verb(cli, words, &count);
    if (code == CLI_DONE
        && lf_verb_read_words(cli->verb ? cli->verb : &no_verb, cli_common(cli->verb), count, words,
                              &cli->args, &err)
               != LF_OK)
        code = cli_misuse(cli, "%s", err.text);
    if (!cli->verb)
        cli->verb = lf_verb_find_in(cli_verb_at, "help");
    free(words);
    cli->config = cli_text(cli, "config");
    cli->socket = cli_text(cli, "socket");
    cli->json = cli_flag(cli, "json");
    return code;
}

const char *cli_text(const struct cli *cli, const char *arg)
{
    return lf_json_text(cli->args, arg);
}

bool cli_flag(const struct cli *cli, const char *arg)
{
    return lf_json_bool(cli->args, arg, false);
}

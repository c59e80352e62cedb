/* Reading the command line, and helping with it. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "base/setting.h"
#include "config/config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_command *const tables[] = {cli_look_commands, cli_act_commands, cli_alone_commands,
                                                   cli_profile_commands, cli_audit_commands};
enum { TABLES = sizeof tables / sizeof *tables };

/* Every command takes these. */
static const struct cli_option common[] = {
    {"json", NULL, "print JSON, for programs"},
    {"config", "FILE", "configuration of the agent to speak to (-c)"},
    {"socket", "PATH", "control socket of the agent to speak to"},
    {"help", NULL, "print this (-h)"},
    {NULL, NULL, NULL},
};

/* ---- finding ---- */

/* Does a command's name consist of this word, or of these two? */
static bool is_named(const struct cli_command *command, const char *word, const char *second)
{
    size_t len = strlen(word);
    if (strncmp(command->name, word, len) != 0)
        return false;
    return command->name[len] == '\0'
           || (command->name[len] == ' ' && second && !strcmp(command->name + len + 1, second));
}

const struct cli_command *cli_find(const char *word, const char *second)
{
    for (int i = 0; i < TABLES; i++)
        for (const struct cli_command *command = tables[i]; command->name; command++)
            if (is_named(command, word, second))
                return command;
    return NULL;
}

/* The first word names a group of commands. */
static void refuse_second(const char *word, const char *second)
{
    size_t len = strlen(word);
    fprintf(stderr, "labferry: %s %s: use %s with", word, second ? second : "", word);
    for (int i = 0; i < TABLES; i++)
        for (const struct cli_command *command = tables[i]; command->name; command++)
            if (!strncmp(command->name, word, len) && command->name[len] == ' ')
                fprintf(stderr, " %s", command->name + len + 1);
    fputs(". See `labferry help`\n", stderr);
}

static enum cli_exit refuse_command(const char *word, const char *second)
{
    const char *nearest = NULL;
    bool group = false;
    size_t best = 3, len = strlen(word);
    for (int i = 0; i < TABLES; i++)
        for (const struct cli_command *command = tables[i]; command->name; command++) {
            size_t distance = lf_edit_distance(word, command->name);
            group |= !strncmp(command->name, word, len) && command->name[len] == ' ';
            if (distance < best) {
                best = distance;
                nearest = command->name;
            }
        }
    if (group)
        refuse_second(word, second);
    else
        fprintf(stderr, "labferry: there is no command \"%.40s\"%s%s%s. See `labferry help`\n", word,
                nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    return CLI_USAGE;
}

/* ---- parsing ---- */

enum cli_exit cli_misuse(const struct cli *cli, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "labferry%s%s: ", cli->command ? " " : "", cli->command ? cli->command->name : "");
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    if (cli->command)
        fprintf(stderr, "\nusage: labferry %s %s   (--help says more)\n", cli->command->name,
                cli->command->synopsis ? cli->command->synopsis : "");
    else
        fputs("\nSee `labferry help`\n", stderr);
    return CLI_USAGE;
}

/* Puts a value where it belongs. */
static void store(struct cli *cli, const char *name, const char *value)
{
    if (!strcmp(name, "json"))
        cli->json = true;
    else if (!strcmp(name, "help"))
        cli->help = true;
    else if (!strcmp(name, "config"))
        cli->config = value;
    else if (!strcmp(name, "socket"))
        cli->socket = value;
    for (int i = 0; cli->command && i < CLI_OPTIONS_MAX && cli->command->options[i].name; i++)
        if (!strcmp(cli->command->options[i].name, name))
            cli->values[i] = value;
}

static const struct cli_option *option_named(const struct cli_option *options, int max, const char *name,
                                             size_t len)
{
    for (int i = 0; i < max && options[i].name; i++)
        if (strlen(options[i].name) == len && !strncmp(options[i].name, name, len))
            return &options[i];
    return NULL;
}

static enum cli_exit parse_option(struct cli *cli, int argc, char **argv, int *at)
{
    const char *word = argv[*at], *name = word + 2;
    if (word[1] != '-') {
        name = !strcmp(word, "-h") ? "help" : !strcmp(word, "-c") ? "config" : "";
        if (!*name)
            return cli_misuse(cli, "there is no option \"%.40s\"", word);
    }
    size_t len = strcspn(name, "=");
    const struct cli_option *option = option_named(common, CLI_OPTIONS_MAX, name, len);
    if (!option && cli->command)
        option = option_named(cli->command->options, CLI_OPTIONS_MAX, name, len);
    if (!option)
        return cli_misuse(cli, "there is no option \"--%.*s\"", (int)(len < 40 ? len : 40), name);
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    if (option->value && !value && *at + 1 < argc)
        value = argv[++*at];
    if (option->value && (!value || !*value))
        return cli_misuse(cli, "--%s needs a value: --%s %s", option->name, option->name, option->value);
    if (!option->value && value)
        return cli_misuse(cli, "--%s takes no value", option->name);
    store(cli, option->name, value ? value : "");
    return CLI_DONE;
}

/* The first words that are no options are the command. Global options may stand before them. */
static enum cli_exit find_command(struct cli *cli, int argc, char **argv)
{
    const char *words[2] = {NULL, NULL};
    int count = 0;
    for (int i = 1; i < argc && count < 2; i++) {
        bool takes_value = !strcmp(argv[i], "-c") || !strcmp(argv[i], "--config")
                           || !strcmp(argv[i], "--socket");
        if (argv[i][0] != '-')
            words[count++] = argv[i];
        else if (takes_value)
            i++;
    }
    if (!words[0] || !strcmp(words[0], "help"))
        return CLI_DONE;
    cli->command = cli_find(words[0], words[1]);
    return cli->command ? CLI_DONE : refuse_command(words[0], words[1]);
}

static enum cli_exit parse_words(struct cli *cli, int argc, char **argv)
{
    int skip = !cli->command ? 0 : strchr(cli->command->name, ' ') ? 2 : 1;
    bool only_args = false;
    for (int i = 1; i < argc; i++) {
        if (!only_args && !strcmp(argv[i], "--")) {
            only_args = true;
        } else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
            enum cli_exit code = parse_option(cli, argc, argv, &i);
            if (code != CLI_DONE)
                return code;
        } else if (skip > 0) {
            skip--;
        } else if (cli->arg_count == CLI_ARGS_MAX) {
            return cli_misuse(cli, "more than %d arguments", CLI_ARGS_MAX);
        } else {
            cli->args[cli->arg_count++] = argv[i];
        }
    }
    return CLI_DONE;
}

static bool takes_wait(const struct cli_command *command)
{
    return option_named(command->options, CLI_OPTIONS_MAX, "wait", strlen("wait")) != NULL;
}

enum cli_exit cli_parse(struct cli *cli, int argc, char **argv)
{
    enum cli_exit code = find_command(cli, argc, argv);
    if (code == CLI_DONE)
        code = parse_words(cli, argc, argv);
    if (code != CLI_DONE || cli->help || !cli->command)
        return code;
    if (cli->arg_count < cli->command->min_args)
        return cli_misuse(cli, "something is missing");
    if (cli->arg_count > cli->command->max_args)
        return cli_misuse(cli, "\"%.60s\" is one too many", cli->args[cli->command->max_args]);
    if (takes_wait(cli->command) && cli_flag(cli, "timeout") && !cli_flag(cli, "wait"))
        return cli_misuse(cli, "--timeout goes with --wait");
    return CLI_DONE;
}

const char *cli_value(const struct cli *cli, const char *name)
{
    for (int i = 0; i < CLI_OPTIONS_MAX && cli->command->options[i].name; i++)
        if (!strcmp(cli->command->options[i].name, name))
            return cli->values[i];
    return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
    return cli_value(cli, name) != NULL;
}

cJSON *cli_pairs(const struct cli *cli, int first)
{
    cJSON *object = cJSON_CreateObject();
    for (int i = first; object && i < cli->arg_count; i++) {
        char *name = strdup(cli->args[i]), *equals = name ? strchr(name, '=') : NULL;
        bool good = equals && equals != name && lf_utf8_valid(lf_slice_text(cli->args[i]));
        if (good) {
            *equals = '\0';
            good = lf_json_set_text(object, name, equals + 1);
        }
        free(name);
        if (!good) {
            cli_misuse(cli, "\"%.60s\" must look like name=value", cli->args[i]);
            cJSON_Delete(object);
            return NULL;
        }
    }
    return object;
}

int64_t cli_number(const struct cli *cli, const char *what, const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (*text >= '1' && *text <= '9' && !*end && number > 0 && number <= (1LL << 53))
        return number;
    cli_misuse(cli, "%s must be a whole number above 0, not \"%.40s\"", what, text);
    return 0;
}

int64_t cli_duration(const struct cli *cli, const char *what, const char *text)
{
    int64_t ms;
    if (lf_duration_parse(text, &ms) == LF_OK && ms >= 0)
        return ms;
    cli_misuse(cli, "%s must be a time like 30s, 5m or 2h, not \"%.40s\"", what, text);
    return -1;
}

/* ---- help ---- */

static void print_options(const struct cli_option *options, FILE *out)
{
    for (int i = 0; i < CLI_OPTIONS_MAX && options[i].name; i++) {
        char left[60];
        snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        fprintf(out, "  %-22s %s\n", left, options[i].help);
    }
}

static void print_indented(const char *text, FILE *out)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        fprintf(out, "  %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

void cli_help_command(const struct cli_command *command, FILE *out)
{
    fprintf(out, "usage: labferry %s%s%s [options]\n\n%s\n", command->name, command->synopsis ? " " : "",
            command->synopsis ? command->synopsis : "", command->summary);
    if (command->about)
        fprintf(out, "\n%s\n", command->about);
    fputs("\noptions:\n", out);
    print_options(command->options, out);
    print_options(common, out);
    fputs("\nexamples:\n", out);
    print_indented(command->examples, out);
    fputs("\nexit status: 0 done, 1 refused or failed, 2 wrong usage; `labferry help exit-codes` has all\n",
          out);
}

void cli_help(FILE *out)
{
    static const char *const titles[] = {"Look", "Act", "Without an agent", "Profiles", "For the record"};
    fputs("usage: labferry COMMAND [arguments] [options]\n\n"
          "Speaks to the Labferry agent of this machine (labferryd).\n",
          out);
    for (int i = 0; i < TABLES; i++) {
        fprintf(out, "\n%s:\n", titles[i]);
        for (const struct cli_command *command = tables[i]; command->name; command++)
            fprintf(out, "  %-15s %s\n", command->name, command->summary);
    }
    fputs("\noptions for all:\n", out);
    print_options(common, out);
    fputs("  --version              print the version (-V)\n"
          "\n`labferry COMMAND --help` and `labferry help COMMAND` say more; `labferry help exit-codes` what "
          "it\n"
          "ends with. The socket is that of --socket, of the environment's LABFERRY_SOCKET, or of the\n"
          "configuration (" LF_CONFIG_PATH ").\n",
          out);
}

void cli_help_exit_codes(FILE *out)
{
    fputs("What labferry ends with:\n"
          "  0  done; with --wait: the job is done\n"
          "  1  refused or failed; `check`, `match`, `profile check`: something is wrong with the file\n"
          "  2  wrong usage\n"
          "  3  no agent can be reached on the control socket\n"
          "  4  not allowed: not an operator, or the socket may not be opened\n"
          "  5  the outcome is unknown: it may have happened or not; look before you repeat it\n"
          "  6  with --wait: the job is held and needs a person\n"
          "  7  with --wait: the job did not come to its end within the time\n",
          out);
}

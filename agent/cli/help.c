/* Help for people. What it says about a command comes from the command's row. */
#include "agent/cli/cli.h"

#include "config/config.h"

#include <stdlib.h>
#include <string.h>

/* ---- one command ---- */

static void print_arg(const struct lf_arg *arg, FILE *out)
{
    char left[80], value[LF_ARG_SHOWN], bound[LF_ARG_SHOWN], choices[400];
    if (arg->flags & LF_ARG_POSITIONAL)
        snprintf(left, sizeof left, "%s", lf_arg_value(arg, value));
    else
        snprintf(left, sizeof left, "--%s%s%s", arg->name, arg->type == LF_ARG_BOOL ? "" : " ",
                 arg->type == LF_ARG_BOOL ? "" : lf_arg_value(arg, value));
    fprintf(out, "  %-22s %s%s", left, arg->help, lf_arg_bound(arg, bound));
    if (arg->choice) {
        lf_arg_choices(arg, choices, sizeof choices);
        fprintf(out, ": %s", choices);
    }
    if (arg->fallback)
        fprintf(out, " (default: %s)", arg->fallback);
    fputc('\n', out);
}

/* Those by position, or the options. */
static void print_args(const char *title, const struct lf_arg *args, bool positional, FILE *out)
{
    bool any = false;
    for (; args && args->name; args++) {
        if (!(args->flags & LF_ARG_POSITIONAL) == positional)
            continue;
        if (!any && title)
            fprintf(out, "\n%s:\n", title);
        any = true;
        print_arg(args, out);
    }
}

static void print_indented(const char *text, FILE *out)
{
    for (size_t len; *text; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        fprintf(out, "  %.*s\n", (int)len, text);
    }
}

static void print_way_in(const struct lf_verb *verb, FILE *out)
{
    const struct cli_command *command = cli_command_find(verb->name);
    if (!verb->perform)
        fprintf(out, "\nneeds %s\n", command && command->needs ? command->needs : "no running agent");
    else if (lf_verb_file(verb))
        fputs("\nonly on the agent's machine; only for operators\n", out);
    else
        fprintf(out, "\nalso over MQTT (`labferry help mqtt`)%s\n",
                verb->flags & LF_VERB_CHANGES ? "; on the control socket only for operators" : "");
}

void cli_help_verb(const struct lf_verb *verb, FILE *out)
{
    char *synopsis = lf_verb_synopsis(verb);
    fprintf(out, "usage: labferry %s [options]\n\n%s\n", synopsis ? synopsis : verb->name, verb->summary);
    free(synopsis);
    if (verb->about)
        fprintf(out, "%s\n", verb->about);
    print_args("arguments", verb->args, true, out);
    fputs("\noptions:\n", out);
    print_args(NULL, verb->args, false, out);
    print_args(NULL, cli_common(verb), false, out);
    fputs("\nexamples:\n", out);
    print_indented(verb->examples, out);
    print_way_in(verb, out);
    fputs("exit status: 0 done, 1 refused or failed, 2 wrong usage; see `labferry help exit-codes`\n", out);
}

/* ---- everything ---- */

void cli_help(FILE *out)
{
    static const char *const titles[] = {"Look", "Act", "Without an agent"};
    fputs("usage: labferry COMMAND [arguments] [options]\n\n"
          "Talks to the Labferry agent of this machine (labferryd).\n",
          out);
    for (int group = 0; group < 3; group++) {
        const struct lf_verb *verb;
        fprintf(out, "\n%s:\n", titles[group]);
        for (size_t i = 0; (verb = cli_verb_at(i)); i++)
            if (group == (!verb->perform ? 2 : verb->flags & LF_VERB_CHANGES ? 1 : 0))
                fprintf(out, "  %-15s %s\n", verb->name, verb->summary);
    }
    fputs("\noptions for all commands:\n", out);
    print_args(NULL, cli_common(NULL), false, out);
    fputs(
        "\n`labferry COMMAND --help` and `labferry help COMMAND` say more, `labferry help exit-codes` what\n"
        "the exit status means, `labferry help mqtt` how to send commands over MQTT. The control socket is\n"
        "that of --socket, else of --config, else of LABFERRY_SOCKET in the environment, else of\n" LF_CONFIG_PATH
        ".\n",
        out);
}

static void help_exit_codes(FILE *out)
{
    static const char *const meanings[] = {
        [CLI_DONE] = "done; with --wait: the job is done (cancel --wait: it is cancelled)",
        [CLI_REFUSED] = "refused or failed; check, match, profile-check, journal-check: problems were found",
        [CLI_USAGE] = "wrong usage",
        [CLI_NO_AGENT] = "no agent can be reached on the control socket",
        [CLI_NOT_ALLOWED] = "not allowed: not an operator, or no permission to open the socket",
        [CLI_UNKNOWN] = "the outcome is unknown: it may have happened; check before you repeat it",
        [CLI_HELD] = "with --wait: the job is held and needs a person",
        [CLI_NOT_YET] = "with --wait: the job did not end within the time",
        [CLI_NEEDS] = "status --check: something needs attention",
    };
    fputs("Exit statuses of labferry:\n", out);
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        fprintf(out, "  %zu  %s\n", i, meanings[i]);
}

/* ---- MQTT ---- */

static const char mqtt_text[] =
    "Commands over MQTT. BASE is labferry/SITE/agents/AGENT, with agent.site and agent.name.\n"
    "\n"
    "Publish a command with QoS 1, not retained, to BASE/command, as a JSON object:\n"
    "  id       your own id, a string of 1 to 128 bytes. A repeated command gets the stored answer and is\n"
    "           never performed twice; another command with the same id is refused\n"
    "  verb     what to do: see below\n"
    "  args     an object with the arguments of the verb; may be left out\n"
    "  expires  a time like 2026-11-22T06:09:34Z (RFC 3339), after which the command is not performed;\n"
    "           may be left out. The message expiry interval of MQTT 5 counts as well\n"
    "Name yourself in a user property \"user\" of the message: the audit trail says who asked.\n"
    "\n"
    "Answers are published with QoS 1 to the response topic of the command (MQTT 5), else to\n"
    "BASE/reply/ID, with '_' for each '+', '#' and '/' of the id. A response topic must not be one of events\n"
    "or of an agent, except agents/NAME/reply/.... Answers carry the command's correlation data.\n"
    "An answer is {\"id\", \"verb\", \"state\", \"at\"}, with \"result\" or \"error\" at the end:\n"
    "  accepted   stored: it survives a restart of the agent\n"
    "  running    being performed\n"
    "  succeeded  with \"result\"; a verb that makes a job has succeeded when the job exists\n"
    "  failed     with \"error\": {\"status\", \"class\", \"text\"}. The class says what to do: transient: send\n"
    "             it again later, with a new id unless it was refused for lack of room; permanent: correct\n"
    "             it, and give it a new id; unknown outcome: it may have happened, check before you repeat\n"
    "             it; needs a person\n"
    "\n"
    "Rights needed at the broker. labferry/SITE is link.topic_prefix and agent.site.\n"
    "  the agent subscribes to\n"
    "    labferry/SITE/events/#         events, or what link.topics names in its place\n"
    "    BASE/command                   commands; not with link.commands = false\n"
    "    BASE/status                    its own: another agent with its name would be seen there\n"
    "    BASE/audit                     its own: shows whether the state folder is up to date\n"
    "    labferry/SITE/agents/+/routes  other agents that take the same tasks; only if it has task routes\n"
    "  and publishes on\n"
    "    BASE/status, BASE/audit, BASE/routes, BASE/instruments/+   retained\n"
    "    BASE/jobs/+, BASE/reply/+ and the response topics of commands\n"
    "  a client publishes on BASE/command, and subscribes to its response topic or BASE/reply/+\n"
    "A client that may publish on BASE/command may do everything that an operator may.\n"
    "\n"
    "An example of each verb; `labferry help VERB` explains its arguments:\n";

static bool print_example(const struct lf_verb *verb, FILE *out)
{
    cJSON *command = cJSON_CreateObject(), *args = NULL;
    struct lf_error err = {0};
    bool ok = lf_json_set_text(command, "id", "my-17") && lf_json_set_text(command, "verb", verb->name)
              && lf_verb_example(verb, &args, &err) == LF_OK
              && (!cJSON_GetArraySize(args) || lf_json_set(command, "args", cJSON_Duplicate(args, true)));
    char *text = ok ? lf_json_print(command) : NULL;
    if (text)
        fprintf(out, "  %s\n", text);
    free(text);
    cJSON_Delete(args);
    cJSON_Delete(command);
    return text != NULL;
}

static enum cli_exit help_mqtt(FILE *out)
{
    const struct lf_verb *verb;
    fputs(mqtt_text, out);
    for (size_t i = 0; (verb = lf_verb_remote_at(i)); i++)
        if (!print_example(verb, out))
            return CLI_REFUSED;
    return CLI_DONE;
}

/* ---- help ---- */

static enum cli_exit help_json(const struct cli *cli, const struct lf_verb *only)
{
    cJSON *list = cJSON_CreateArray();
    const struct lf_verb *verb;
    for (size_t i = 0; (verb = cli_verb_at(i)); i++)
        if (!only || only == verb)
            cJSON_AddItemToArray(list, lf_verb_json(verb));
    return cli_print_json(cli, list);
}

enum cli_exit cli_run_help(struct cli *cli)
{
    const char *topic = cli_text(cli, "topic");
    const struct lf_verb *verb = lf_verb_find_in(cli_verb_at, topic);
    struct lf_error err;
    bool mqtt = topic && !strcmp(topic, "mqtt");
    if (topic && !verb && !mqtt && strcmp(topic, "exit-codes") != 0) {
        lf_verb_refuse(cli_verb_at, topic, &err);
        return cli_misuse(cli, "%s", err.text);
    }
    if (cli->json && topic && !verb)
        return cli_misuse(cli,
                          "`labferry help %s` has no JSON output; `labferry help --json` has all commands",
                          topic);
    if (cli->json)
        return help_json(cli, verb);
    if (mqtt)
        return help_mqtt(stdout);
    if (verb)
        cli_help_verb(verb, stdout);
    else if (topic)
        help_exit_codes(stdout);
    else
        cli_help(stdout);
    return CLI_DONE;
}

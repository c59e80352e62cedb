/* Commands about profiles; they need no agent. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "drivers/line/profile.h"
#include "os/service.h"

#include <stdlib.h>
#include <string.h>

/* ---- check ---- */

/* What lf_profile_check has printed, as a list of lines. */
static cJSON *lines_json(FILE *printed)
{
    struct lf_buffer line = {0};
    cJSON *list = cJSON_CreateArray();
    rewind(printed);
    while (lf_stream_line(printed, &line)) {
        line.data[strcspn(line.data, "\n")] = '\0';
        cJSON_AddItemToArray(list, cJSON_CreateString(line.data));
    }
    lf_buffer_free(&line);
    return list;
}

static enum cli_exit run_check(struct cli *cli)
{
    struct lf_error err = {0};
    if (!cli->json) {
        enum lf_status status = lf_profile_check(cli_text(cli, "profile"), stdout, &err);
        if (status != LF_OK && status != LF_INVALID) /* those were printed */
            cli_failed(cli, &err);
        return status == LF_OK ? CLI_DONE : CLI_REFUSED;
    }
    FILE *printed = tmpfile();
    if (!printed) {
        lf_fail_errno(&err, "cannot create a temporary file");
        return cli_failed(cli, &err);
    }
    enum lf_status status = lf_profile_check(cli_text(cli, "profile"), printed, &err);
    cJSON *answer = cJSON_CreateObject();
    lf_json_set_bool(answer, "ok", status == LF_OK);
    lf_json_set_text(answer, "error", status == LF_OK ? NULL : err.text);
    lf_json_set(answer, "lines", lines_json(printed));
    fclose(printed);
    enum cli_exit code = cli_print_json(cli, answer);
    return status == LF_OK ? code : CLI_REFUSED;
}

/* ---- show ---- */

static cJSON *inputs_json(const struct lf_line_input_rules *rules)
{
    static const char *const types[] =
        {[LF_INPUT_TEXT] = "text", [LF_INPUT_INT] = "int", [LF_INPUT_REAL] = "real", [LF_INPUT_ONE] = "one"};
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < rules->count; i++) {
        const struct lf_line_input_rule *rule = &rules->items[i];
        cJSON *entry = cJSON_CreateObject();
        lf_json_set_text(entry, "name", rule->name);
        lf_json_set_text(entry, "type", types[rule->type]);
        lf_json_set_text(entry, "default", rule->fallback);
        cJSON_AddItemToArray(list, entry);
    }
    return list;
}

static void add_action(cJSON *list, const char *name, const char *help, enum lf_repeat repeat,
                       const struct lf_line_input_rules *inputs)
{
    cJSON *entry = cJSON_CreateObject();
    lf_json_set_text(entry, "name", name);
    lf_json_set_text(entry, "help", help);
    lf_json_set_text(entry, "class", lf_repeat_name(repeat));
    lf_json_set(entry, "inputs", inputs_json(inputs));
    cJSON_AddItemToArray(list, entry);
}

static cJSON *profile_json(const struct lf_line_profile *profile)
{
    cJSON *answer = cJSON_CreateObject(), *commands = cJSON_CreateArray(), *procedures = cJSON_CreateArray();
    for (size_t i = 0; i < profile->command_count; i++) {
        const struct lf_line_command *command = &profile->commands[i];
        add_action(commands, command->name, command->help, command->repeat, &command->inputs);
    }
    for (size_t i = 0; i < profile->procedure_count; i++) {
        const struct lf_line_procedure *procedure = &profile->procedures[i];
        add_action(procedures, procedure->name, procedure->help, procedure->repeat, &procedure->inputs);
    }
    lf_json_set_text(answer, "name", profile->name);
    lf_json_set_text(answer, "title", profile->title);
    lf_json_set(answer, "inputs", inputs_json(&profile->inputs));
    lf_json_set(answer, "commands", commands);
    lf_json_set(answer, "procedures", procedures);
    return answer;
}

static struct lf_line_profile *load(const struct cli *cli)
{
    struct lf_line_profile *profile = NULL;
    struct lf_error err = {0};
    if (lf_profile_load(cli_text(cli, "profile"), &profile, &err) != LF_OK)
        cli_failed(cli, &err);
    return profile;
}

static enum cli_exit run_show(struct cli *cli)
{
    struct lf_line_profile *profile = load(cli);
    enum cli_exit code = profile ? CLI_DONE : CLI_REFUSED;
    if (profile && cli->json)
        code = cli_print_json(cli, profile_json(profile));
    else if (profile)
        lf_profile_describe(profile, stdout);
    lf_profile_free(profile);
    return code;
}

/* ---- try ---- */

static struct lf_cancel interrupted;

/* --input NAME=VALUE ..., as texts. Returned owned. */
static struct lf_texts inputs_of(const struct cli *cli)
{
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(cli->args, "input"), *input;
    size_t count = 0;
    const char **texts = cli_must(calloc((size_t)cJSON_GetArraySize(object) + 1, sizeof *texts));
    cJSON_ArrayForEach (input, object)
        texts[count++] = cli_must(lf_format("%s=%s", input->string, input->valuestring));
    return (struct lf_texts){texts, count};
}

static void free_texts(struct lf_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free((char *)texts->items[i]);
    free((char **)texts->items);
}

static enum cli_exit run_try(struct cli *cli)
{
    const char *stream = cli_text(cli, "stream");
    struct lf_error err = {0};
    struct lf_line_profile *profile = load(cli);
    if (!profile)
        return CLI_REFUSED;
    enum cli_exit code = CLI_DONE;
    struct lf_texts inputs = inputs_of(cli);
    enum lf_status status = lf_service_stop_on_signals(&interrupted, true, &err);
    if (status == LF_OK)
        status = lf_profile_try(profile, stream, &inputs, stdin, stdout, &interrupted, &err);
    lf_cancel_close(&interrupted);
    free_texts(&inputs);
    if (status != LF_OK) {
        cli_failed(cli, &err);
        code = CLI_REFUSED;
    }
    lf_profile_free(profile);
    return code;
}

/* ---- the table ---- */

#define ARG_PROFILE                                                                                          \
    {                                                                                                        \
        "profile", LF_ARG_TEXT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL,                                         \
            .help = "a path (with a '/'), or the name of an installed profile"                               \
    }
#define SEARCH_PATH "LABFERRY_PROFILE_PATH names the folders to search instead of the installed ones."

const struct cli_command cli_profile_commands[] = {
    {{.name = "profile-check",
      .summary = "Check a profile and report every problem with line and column.",
      .about = SEARCH_PATH,
      .args = LF_ARGS(ARG_PROFILE),
      .examples = "labferry profile-check ./my-balance.profile\nlabferry profile-check mt-sics"},
     .run = run_check},
    {{.name = "profile-show",
      .summary = "Show what an instrument with this profile can do.",
      .about = SEARCH_PATH,
      .args = LF_ARGS(ARG_PROFILE),
      .examples = "labferry profile-show mt-sics"},
     .run = run_show},
    {{.name = "profile-try",
      .summary = "Talk to an instrument from the terminal.",
      .about = SEARCH_PATH " The agent must not\n"
                           "use the same port meanwhile. Type help for what can be typed, quit to end. If\n"
                           "anything fails, the exit code is not 0.",
      .args = LF_ARGS(ARG_PROFILE,
                      {"stream", LF_ARG_TEXT, LF_ARG_REQUIRED,
                       .help = "serial:PATH?baud=9600, tcp:HOST:PORT or unix:PATH; see labferry ports"},
                      {"input", LF_ARG_OBJECT, 0,
                       .help = "an input of the profile itself, such as its address", .value = "NAME=VALUE"}),
      .examples = "labferry profile-try mt-sics --stream serial:/dev/ttyUSB0\n"
                  "echo weigh | labferry profile-try mt-sics --stream tcp:192.0.2.7:8001",
      .flags = LF_VERB_TEXT},
     .run = run_try},
    {.verb.name = NULL},
};

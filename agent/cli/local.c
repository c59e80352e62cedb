/* Commands that need no agent: help, check, match, ports, drivers. */
#include "agent/cli/cli.h"

#include "base/units.h"
#include "control/config_hooks.h"
#include "drivers/driver.h"
#include "event/pattern_try.h"
#include "os/serial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- check ---- */

static cJSON *problems_json(const struct lf_config_report *report)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < report->count; i++) {
        const struct lf_config_problem *problem = &report->problems[i];
        cJSON *entry = cJSON_CreateObject();
        lf_json_set_text(entry, "severity", problem->severity == LF_CONFIG_ERROR ? "error" : "warning");
        lf_json_set_text(entry, "file", problem->file);
        lf_json_set_int(entry, "line", problem->line);
        lf_json_set_text(entry, "text", problem->text);
        cJSON_AddItemToArray(list, entry);
    }
    return list;
}

static enum cli_exit run_check(struct cli *cli)
{
    const char *file = cli_text(cli, "file");
    const char *path = file ? file : cli->config ? cli->config : LF_CONFIG_PATH;
    struct lf_config *config = NULL;
    struct lf_config_report report = {0};
    struct lf_error err = {0};
    enum lf_status status = lf_config_load(path, lf_control_config_hooks(), &config, &report, &err);
    enum cli_exit code = status == LF_OK ? CLI_DONE : CLI_REFUSED;
    if (cli->json) {
        cJSON *answer = cJSON_CreateObject();
        lf_json_set_bool(answer, "ok", status == LF_OK);
        lf_json_set_text(answer, "file", path);
        if (config) {
            lf_json_set_text(answer, "digest", config->digest);
            lf_json_set_int(answer, "instruments", (int64_t)config->instrument_count);
            lf_json_set_int(answer, "routes", (int64_t)config->route_count);
        } else {
            lf_json_set_text(answer, "error", err.text);
        }
        lf_json_set(answer, "problems", problems_json(&report));
        lf_json_set_bool(answer, "more", report.more);
        if (cli_print_json(cli, answer) != CLI_DONE)
            code = CLI_REFUSED;
    } else {
        lf_config_report_print(&report, stdout);
        if (config)
            printf("%s: OK: %zu instrument%s, %zu route%s%s\n", path, config->instrument_count,
                   config->instrument_count == 1 ? "" : "s", config->route_count,
                   config->route_count == 1 ? "" : "s", report.count ? "; see the warnings" : "");
        else if (!report.count)
            cli_failed(cli, &err);
    }
    lf_config_report_free(&report);
    lf_config_free(config);
    return code;
}

/* ---- match ---- */

/* "-" is standard input. */
static FILE *open_file(const struct cli *cli, const char *path)
{
    FILE *file = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;
    if (!file) {
        struct lf_error err;
        lf_fail_errno(&err, "cannot open %s", path);
        cli_failed(cli, &err);
    }
    return file;
}

static enum cli_exit run_match(struct cli *cli)
{
    const char *pattern_path = cli_text(cli, "pattern"), *events_path = cli_text(cli, "events");
    if (!strcmp(pattern_path, "-") && !strcmp(events_path, "-"))
        return cli_misuse(cli, "only one of --pattern and --events can be standard input");
    FILE *pattern = open_file(cli, pattern_path), *events = pattern ? open_file(cli, events_path) : NULL;
    struct lf_error err = {0};
    struct lf_try_count count;
    enum lf_try_style style = cli->json                  ? LF_TRY_JSON
                              : cli_flag(cli, "explain") ? LF_TRY_EXPLAIN
                                                         : LF_TRY_PLAIN;
    enum cli_exit code = CLI_REFUSED;
    if (events && lf_pattern_try(pattern, events, stdout, style, &count, &err) == LF_OK)
        code = CLI_DONE;
    else if (events)
        cli_failed(cli, &err);
    if (pattern && pattern != stdin)
        fclose(pattern);
    if (events && events != stdin)
        fclose(events);
    return code;
}

/* ---- ports ---- */

static cJSON *ports_json(const struct lf_port *ports, size_t count)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        cJSON *entry = cJSON_CreateObject();
        lf_json_set_text(entry, "path", ports[i].path);
        lf_json_set_text(entry, "by_id", ports[i].by_id);
        lf_json_set_text(entry, "description", ports[i].description);
        lf_json_set_text(entry, "usb", ports[i].usb);
        lf_json_set_text(entry, "hint", ports[i].hint);
        cJSON_AddItemToArray(list, entry);
    }
    return list;
}

static void print_ports(const struct cli *cli, const struct lf_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cli_print(cli, CLI_BOLD, ports[i].path);
        fputs("  ", stdout);
        cli_print(cli, CLI_PLAIN, ports[i].description);
        if (ports[i].usb) {
            fputs("  USB ", stdout);
            cli_print(cli, CLI_DIM, ports[i].usb);
        }
        fputs("\n  stream = \"serial:", stdout);
        cli_print(cli, CLI_PLAIN, ports[i].by_id ? ports[i].by_id : ports[i].path);
        puts("\"");
        if (ports[i].hint) {
            fputs("  ", stdout);
            cli_print(cli, CLI_YELLOW, ports[i].hint);
            putchar('\n');
        }
    }
    if (!count)
        puts("This machine has no serial ports, or none that you may access.");
}

static enum cli_exit run_ports(struct cli *cli)
{
    struct lf_port *ports = NULL;
    size_t count = 0;
    struct lf_error err = {0};
    if (lf_ports_list(&ports, &count, &err) != LF_OK) {
        cli_failed(cli, &err);
        return CLI_REFUSED;
    }
    if (cli->json)
        cli_print_json(cli, ports_json(ports, count));
    else
        print_ports(cli, ports, count);
    lf_ports_free(ports, count);
    return CLI_DONE;
}

/* ---- drivers ---- */

static const char *type_name(enum lf_setting_type type)
{
    static const char *const names[] = {[LF_TEXT] = "text",         [LF_PATH] = "path",
                                        [LF_FILE] = "file",         [LF_SECRET_FILE] = "secret file",
                                        [LF_INT] = "int",           [LF_BOOL] = "bool",
                                        [LF_DURATION] = "duration", [LF_SIZE] = "size",
                                        [LF_CHOICE] = "choice",     [LF_LIST] = "list",
                                        [LF_NESTED] = "group"};
    return names[type];
}

static cJSON *driver_json(const struct lf_driver *driver)
{
    cJSON *entry = cJSON_CreateObject(), *can = cJSON_CreateArray(), *settings = cJSON_CreateArray();
    for (int i = 0; lf_ability_names[i]; i++)
        if (driver->can & 1u << i)
            cJSON_AddItemToArray(can, cJSON_CreateString(lf_ability_names[i]));
    for (const struct lf_setting *row = driver->settings; row->name; row++) {
        if (row->type == LF_REMOVED)
            continue;
        cJSON *setting = cJSON_CreateObject();
        lf_json_set_text(setting, "name", row->name);
        lf_json_set_text(setting, "type", type_name(row->type));
        lf_json_set_bool(setting, "required", row->fallback == LF_REQUIRED);
        lf_json_set_text(setting, "default", row->fallback == LF_REQUIRED ? NULL : row->fallback);
        lf_json_set_text(setting, "help", row->help);
        if (row->choices) {
            cJSON *choices = cJSON_CreateArray();
            for (int i = 0; row->choices[i].name; i++)
                cJSON_AddItemToArray(choices, cJSON_CreateString(row->choices[i].name));
            lf_json_set(setting, "choices", choices);
        }
        cJSON_AddItemToArray(settings, setting);
    }
    lf_json_set_text(entry, "name", driver->name);
    lf_json_set_text(entry, "help", driver->help);
    lf_json_set(entry, "can", can);
    lf_json_set(entry, "settings", settings);
    return entry;
}

static void print_driver(const struct cli *cli, const struct lf_driver *driver, bool settings)
{
    cli_print(cli, CLI_BOLD, driver->name);
    printf("  %s\n  can ", driver->help);
    const char *between = "";
    for (int i = 0; lf_ability_names[i]; i++)
        if (driver->can & 1u << i) {
            printf("%s%s", between, lf_ability_names[i]);
            between = ", ";
        }
    putchar('\n');
    if (settings) {
        puts("\nSettings of an instrument with this driver, in addition to the common ones:");
        lf_config_print_rows(driver->settings, 2, stdout);
    }
}

struct driver_list {
    struct cli *cli;
    bool settings;
    cJSON *json;
};

/* One that cannot be used stands in the list with the reason. */
static void list_driver(void *context, const char *name)
{
    const struct driver_list *list = context;
    struct lf_error err;
    const struct lf_driver *driver = lf_driver_find(name, &err);
    if (list->cli->json) {
        cJSON *entry = driver ? driver_json(driver) : cJSON_CreateObject();
        if (!driver) {
            lf_json_set_text(entry, "name", name);
            lf_json_set_text(entry, "error", err.text);
        }
        cJSON_AddItemToArray(list->json, entry);
    } else if (driver) {
        print_driver(list->cli, driver, list->settings);
    } else {
        cli_print(list->cli, CLI_BOLD, name);
        fputs("  cannot be used: ", stdout);
        cli_print_to(stdout, err.text);
        putchar('\n');
    }
}

static enum cli_exit run_drivers(struct cli *cli)
{
    const char *name = cli_text(cli, "driver");
    struct driver_list list = {.cli = cli, .settings = name};
    struct lf_error err;
    if (name && !lf_driver_find(name, &err)) {
        cli_failed(cli, &err);
        return CLI_REFUSED;
    }
    if (cli->json)
        list.json = cJSON_CreateArray();
    if (name)
        list_driver(&list, name);
    else
        lf_driver_list(list_driver, &list);
    if (cli->json)
        return cli_print_json(cli, list.json);
    if (!name)
        puts("\n`labferry drivers DRIVER` shows the settings of one.");
    return CLI_DONE;
}

/* ---- the table ---- */

const struct cli_command cli_local_commands[] = {
    {{.name = "help",
      .summary = "Explain the commands, one command, the exit codes, or the MQTT commands.",
      .args = LF_ARGS(
          {"topic", LF_ARG_TEXT, LF_ARG_POSITIONAL | LF_ARG_REST, .help = "a command, exit-codes or mqtt"}),
      .examples = "labferry help\nlabferry help run\nlabferry help mqtt\nlabferry help --json"},
     .run = cli_run_help},
    {{.name = "check",
      .summary = "Check a configuration and everything that it names.",
      .about =
          "Nothing is connected. The agent refuses what does not pass this check. Run it as the agent's\n"
          "user: files and folders are tested with the rights of the user who runs it.",
      .args = LF_ARGS({"file", LF_ARG_TEXT, LF_ARG_POSITIONAL, .help = "the configuration",
                       .fallback = "that of --config, or " LF_CONFIG_PATH}),
      .examples = "labferry check\nlabferry check ./labferry.conf --json"},
     .run = run_check},
    {{.name = "match",
      .summary = "Try an EventBridge pattern on events: print 1 or 0 for each.",
      .about = "A bad pattern is refused with where and why. \"-\" is standard input.",
      .args = LF_ARGS({"pattern", LF_ARG_TEXT, LF_ARG_REQUIRED, .help = "the pattern, as JSON",
                       .value = "FILE"},
                      {"events", LF_ARG_TEXT, LF_ARG_REQUIRED, .help = "events, one JSON value per line",
                       .value = "FILE"},
                      {"explain", LF_ARG_BOOL, 0, .help = "say which field did not match"}),
      .examples = "labferry event evt_Vq4jMZ1x --json | jq -c .body > recorded.jsonl\n"
                  "labferry match --pattern route.json --events recorded.jsonl\n"
                  "tail -f events.jsonl | labferry match --pattern route.json --events - --explain"},
     .run = run_match},
    {{.name = "ports",
      .summary = "List the serial ports of this machine and how to name them.",
      .examples = "labferry ports"},
     .run = run_ports},
    {{.name = "drivers",
      .summary = "List the drivers, or show one with its settings.",
      .about =
          "LABFERRY_DRIVER_PATH names other folders (with ':' between them) for drivers that are not built "
          "in.",
      .args = LF_ARGS({"driver", LF_ARG_TEXT, LF_ARG_POSITIONAL, .help = "only this one, with its settings"}),
      .examples = "labferry drivers\nlabferry drivers folder"},
     .run = run_drivers},
    {.verb.name = NULL},
};

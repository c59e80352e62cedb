/* Asking the agent over its control socket. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "config/config.h"
#include "control/control.h"

#include <stdlib.h>
#include <string.h>

/* Returns owned; NULL: reported. */
static char *find_socket(const struct cli *cli, enum cli_exit *code)
{
    const char *environment = getenv("LABFERRY_SOCKET");
    const char *given = cli->socket                   ? cli->socket
                        : cli->config                 ? NULL
                        : environment && *environment ? environment
                                                      : NULL;
    struct lf_error err = {0};
    char *path = NULL;
    if (given)
        path = strdup(given);
    else if (lf_config_place(cli->config ? cli->config : LF_CONFIG_PATH, "socket", &path, &err) != LF_OK) {
        if (cli->config) {
            cli_failed(cli, &err);
            *code = err.status == LF_DENIED ? CLI_NOT_ALLOWED : CLI_REFUSED;
            return NULL;
        }
        path = strdup(LF_SOCKET_PATH);
    }
    if (!path) {
        lf_fail_memory(&err, "finding the socket");
        *code = cli_failed(cli, &err);
    }
    return path;
}

static enum cli_exit code_of(const struct lf_error *err, bool reached)
{
    if (!reached
        && (err->status == LF_NOT_FOUND || err->status == LF_DISCONNECTED || err->status == LF_EXISTS))
        return CLI_NO_AGENT;
    if (err->status == LF_DENIED)
        return CLI_NOT_ALLOWED;
    return err->class == LF_UNKNOWN_OUTCOME ? CLI_UNKNOWN : CLI_REFUSED;
}

static void print_error(const struct cli *cli, const char *text, const char *status, const char *class)
{
    if (cli->json) {
        cJSON *answer = cJSON_CreateObject(), *error = cJSON_CreateObject();
        if (error && lf_json_set_text(error, "status", status) && lf_json_set_text(error, "class", class)
            && lf_json_set_text(error, "text", text) && lf_json_set_bool(answer, "ok", false)
            && cJSON_AddItemToObject(answer, "error", error))
            cli_print_json(cli, answer);
        return;
    }
    fflush(stdout);
    fputs("labferry: ", stderr);
    cli_print_to(stderr, text);
    fputc('\n', stderr);
}

enum cli_exit cli_failed(const struct cli *cli, const struct lf_error *err)
{
    print_error(cli, err->text, lf_status_name(err->status), lf_class_name(err->class));
    return code_of(err, true);
}

/* The agent refused. */
static enum cli_exit refused(const struct cli *cli, const cJSON *answer)
{
    const char *status = lf_json_text_or(answer, "error.status", ""),
               *class = lf_json_text_or(answer, "error.class", "");
    print_error(cli, lf_json_text_or(answer, "error.text", "the agent refused and gave no reason"), status,
                class);
    struct lf_error err = {.class = lf_class_from_name(class)};
    if (!strcmp(status, lf_status_name(LF_DENIED)))
        err.status = LF_DENIED;
    return code_of(&err, true);
}

enum cli_exit cli_ask(const struct cli *cli, const char *verb, cJSON *args, const struct lf_file *file,
                      int64_t deadline, cJSON **result)
{
    enum cli_exit code = CLI_DONE;
    struct lf_error err = {0};
    cJSON *answer = NULL;
    *result = NULL;
    char *path = find_socket(cli, &code);
    if (path && lf_control_request(path, verb, args, file, deadline, &answer, &err) != LF_OK) {
        cli_failed(cli, &err);
        code = code_of(&err, false);
    } else if (path && !lf_json_bool(answer, "ok", false)) {
        code = refused(cli, answer);
    } else if (path) {
        *result = cJSON_DetachItemFromObjectCaseSensitive(answer, "result");
    }
    cJSON_Delete(answer);
    cJSON_Delete(args);
    free(path);
    return code;
}

enum cli_exit cli_print_json(const struct cli *cli, cJSON *value)
{
    char *text = cli->width ? cJSON_Print(value) : cJSON_PrintUnformatted(value);
    cJSON_Delete(value);
    if (!text) {
        fputs("labferry: out of memory\n", stderr);
        return CLI_REFUSED;
    }
    puts(text);
    free(text);
    return CLI_DONE;
}

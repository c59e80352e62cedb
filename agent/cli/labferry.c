/* labferry: the command line. */
#include "agent/cli/cli.h"
#include "os/service.h"

#include <string.h>

static enum cli_exit run(struct cli *cli)
{
    const struct cli_command *command = cli_command_find(cli->verb->name);
    struct lf_error err = {0};
    if (cli_flag(cli, "version")) {
        puts("labferry " LF_VERSION);
        return CLI_DONE;
    }
    if (cli_flag(cli, "help") && strcmp(cli->verb->name, "help") != 0) {
        cli_help_verb(cli->verb, stdout);
        return CLI_DONE;
    }
    if (lf_verb_check_complete(cli->verb, cli->args, &err) != LF_OK)
        return cli_misuse(cli, "%s", err.text);
    return command && command->run ? command->run(cli) : cli_perform(cli);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    if (!lf_service_begin())
        return CLI_REFUSED;
    cli_setup_terminal(&cli);
    enum cli_exit code = CLI_USAGE;
    if (argc < 2)
        cli_help(stderr);
    else
        code = cli_read(&cli, argc, argv);
    if (code == CLI_DONE)
        code = run(&cli);
    cJSON_Delete(cli.args);
    if (fflush(stdout) != 0 && code == CLI_DONE)
        code = CLI_REFUSED; /* a full disk or a closed pipe must not look like success */
    return (int)code;
}

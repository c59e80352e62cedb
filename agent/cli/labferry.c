/* labferry: the command line. Commands are rows in the tables of cli_look.c, cli_act.c, cli_alone.c,
 * cli_profile.c and cli_audit.c. */
#include "agent/cli/cli.h"
#include "os/service.h"

#include <string.h>

static enum cli_exit help(const struct cli *cli)
{
    const struct cli_command *command;
    if (cli->arg_count < 2) {
        cli_help(stdout);
        return CLI_DONE;
    }
    if (!strcmp(cli->args[1], "exit-codes")) {
        cli_help_exit_codes(stdout);
        return CLI_DONE;
    }
    command = cli_find(cli->args[1], cli->arg_count > 2 ? cli->args[2] : "check");
    if (!command && cli->arg_count == 2)
        command = cli_find(cli->args[1], "show");
    if (!command) {
        fprintf(stderr, "labferry: there is no command \"%.40s\". See `labferry help`\n", cli->args[1]);
        return CLI_USAGE;
    }
    cli_help_command(command, stdout);
    return CLI_DONE;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    if (!lf_service_begin())
        return CLI_REFUSED;
    for (int i = 1; i < argc && argv[i][0] == '-'; i++)
        if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-V")) {
            puts("labferry " LF_VERSION);
            return CLI_DONE;
        }
    cli_setup_terminal(&cli);
    enum cli_exit code = cli_parse(&cli, argc, argv);
    if (code == CLI_DONE && !cli.command && !cli.help && !cli.arg_count) {
        cli_help(stderr);
        code = CLI_USAGE;
    } else if (code == CLI_DONE && !cli.command) {
        code = help(&cli);
    } else if (code == CLI_DONE && cli.help) {
        cli_help_command(cli.command, stdout);
    } else if (code == CLI_DONE) {
        code = cli.command->run(&cli);
    }
    if (fflush(stdout) != 0 && code == CLI_DONE)
        code = CLI_REFUSED; /* a full disk or a closed pipe must not look like success */
    return (int)code;
}

/* Commands that make the running agent do something. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "os/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEND_MS = 3600 * 1000 };

/* ---- what came of it ---- */

/* Verbs about jobs answer with the job as it is now. Takes job. */
static enum cli_exit show_outcome(struct cli *cli, cJSON *job)
{
    int64_t id = lf_json_int(job, "id", 0);
    const char *timeout = cli_value(cli, "timeout");
    int64_t wait_ms = timeout ? cli_duration(cli, "--timeout", timeout) : -1;
    if (cli_flag(cli, "wait")) {
        cJSON_Delete(job);
        return cli_wait_job(cli, id, timeout && wait_ms >= 0 ? lf_deadline_in(wait_ms) : LF_NEVER);
    }
    if (cli->json)
        return cli_print_json(cli, job);
    const char *state = lf_json_text_or(job, "state", "?"), *note = lf_json_text(job, "note");
    printf("Job %" PRId64 " is ", id);
    cli_print(cli, cli_state_colour(state), state);
    printf(" at %s", lf_json_text_or(job, "step", "?"));
    if (note) {
        fputs(": ", stdout);
        cli_print(cli, CLI_PLAIN, note);
    }
    printf(". `labferry job %" PRId64 "` shows it.\n", id);
    cJSON_Delete(job);
    return CLI_DONE;
}

static enum cli_exit act_on_job(struct cli *cli, const char *verb, cJSON *args, const struct lf_file *file,
                                int64_t deadline)
{
    cJSON *job;
    const char *timeout = cli_value(cli, "timeout");
    if (timeout && cli_duration(cli, "--timeout", timeout) < 0) {
        cJSON_Delete(args);
        return CLI_USAGE;
    }
    enum cli_exit code = cli_ask(cli, verb, args, file, deadline, &job);
    return code == CLI_DONE ? show_outcome(cli, job) : code;
}

/* ---- send, run, ask ---- */

/* The agent gets the open file, so that it needs no right of its own to read it. */
static enum cli_exit run_send(struct cli *cli)
{
    const char *path = cli->args[1], *slash = strrchr(path, '/'), *name = cli_value(cli, "name");
    struct lf_file file;
    struct lf_error err;
    /* The path may be a link, which LF_FILE_REGULAR refuses. */
    char *real = lf_path_real(path);
    if (lf_file_open(real ? real : path, LF_FILE_REGULAR, 0, &file, &err) != LF_OK) {
        lf_error_prefix(&err, "cannot open %s", path);
        free(real);
        cli_failed(cli, &err);
        return CLI_REFUSED;
    }
    cJSON *args = cJSON_CreateObject();
    lf_json_set_text(args, "instrument", cli->args[0]);
    lf_json_set_text(args, "name", name ? name : slash ? slash + 1 : path);
    enum cli_exit code = act_on_job(cli, "send", args, &file, lf_deadline_in(SEND_MS));
    lf_file_close(&file);
    free(real);
    return code;
}

static enum cli_exit run_run(struct cli *cli)
{
    cJSON *args = cJSON_CreateObject(), *inputs = cli_pairs(cli, 2);
    if (!inputs) {
        cJSON_Delete(args);
        return CLI_USAGE;
    }
    lf_json_set_text(args, "instrument", cli->args[0]);
    lf_json_set_text(args, "procedure", cli->args[1]);
    lf_json_set(args, "inputs", inputs);
    return act_on_job(cli, "run", args, NULL, lf_deadline_in(CLI_ASK_MS));
}

static enum cli_exit run_ask(struct cli *cli)
{
    const char *timeout = cli_value(cli, "timeout");
    int64_t ms = timeout ? cli_duration(cli, "--timeout", timeout) : 30000;
    cJSON *answer, *value, *inputs = ms >= 0 ? cli_pairs(cli, 2) : NULL;
    if (!inputs)
        return CLI_USAGE;
    cJSON *args = cJSON_CreateObject();
    lf_json_set_text(args, "instrument", cli->args[0]);
    lf_json_set_text(args, "command", cli->args[1]);
    lf_json_set(args, "inputs", inputs);
    lf_json_set_bool(args, "once", cli_flag(cli, "once"));
    lf_json_set_int(args, "timeout_s", ms < 1000 ? 1 : ms / 1000);
    /* Once it is sent to the instrument, the driver's own deadlines bound it. */
    enum cli_exit code = cli_ask(cli, "ask", args, NULL, LF_NEVER, &answer);
    if (code != CLI_DONE)
        return code;
    if (cli->json)
        return cli_print_json(cli, answer);
    cJSON_ArrayForEach (value, lf_json_at(answer, "values")) {
        cli_print(cli, CLI_DIM, lf_json_text(value, "name"));
        fputs(" = ", stdout);
        cli_print(cli, CLI_BOLD, lf_json_text(value, "value"));
        putchar('\n');
    }
    if (!cJSON_GetArraySize(lf_json_at(answer, "values")))
        puts("Done; it reports no values.");
    cJSON_Delete(answer);
    return CLI_DONE;
}

/* ---- jobs that are there ---- */

/* {"id": N} of the first argument; NULL: told. */
static cJSON *job_args(const struct cli *cli)
{
    int64_t id = cli_number(cli, "the job", cli->args[0]);
    cJSON *args = id ? cJSON_CreateObject() : NULL;
    if (args)
        lf_json_set_int(args, "id", id);
    return args;
}

static enum cli_exit run_retry(struct cli *cli)
{
    cJSON *args = job_args(cli);
    return args ? act_on_job(cli, "retry", args, NULL, lf_deadline_in(CLI_ASK_MS)) : CLI_USAGE;
}

static enum cli_exit run_confirm(struct cli *cli)
{
    cJSON *args = job_args(cli), *values = args ? cli_pairs(cli, 1) : NULL;
    if (!values) {
        cJSON_Delete(args);
        return CLI_USAGE;
    }
    if (cJSON_GetArraySize(values))
        lf_json_set(args, "values", values);
    else
        cJSON_Delete(values);
    return act_on_job(cli, "confirm", args, NULL, lf_deadline_in(CLI_ASK_MS));
}

static enum cli_exit run_cancel(struct cli *cli)
{
    cJSON *args = job_args(cli);
    if (!args)
        return CLI_USAGE;
    if (cli->arg_count > 1)
        lf_json_set_text(args, "why", cli->args[1]);
    return act_on_job(cli, "cancel", args, NULL, lf_deadline_in(CLI_ASK_MS));
}

static enum cli_exit run_assign(struct cli *cli)
{
    cJSON *args = job_args(cli);
    if (!args)
        return CLI_USAGE;
    lf_json_set_text(args, "run", cli->args[1]);
    if (cli->arg_count > 2)
        lf_json_set_text(args, "config", cli->args[2]);
    return act_on_job(cli, "assign", args, NULL, lf_deadline_in(CLI_ASK_MS));
}

/* ---- pause, resume ---- */

static enum cli_exit steer(struct cli *cli, const char *verb)
{
    cJSON *list, *info, *args = cJSON_CreateObject();
    lf_json_set_text(args, "instrument", cli->args[0]);
    if (cli->arg_count > 1)
        lf_json_set_text(args, "why", cli->args[1]);
    enum cli_exit code = cli_ask(cli, verb, args, NULL, lf_deadline_in(CLI_ASK_MS), &list);
    if (code != CLI_DONE)
        return code;
    if (cli->json)
        return cli_print_json(cli, list);
    cJSON_ArrayForEach (info, list) {
        const char *state = lf_json_text_or(info, "state", "?");
        bool paused = lf_json_bool(info, "paused", false);
        cli_print(cli, CLI_BOLD, lf_json_text(info, "name"));
        fputs(paused ? " is paused" : " works", stdout);
        if (paused ? !strcmp(state, "busy") : strcmp(state, "idle") != 0) {
            fputs(paused ? ", after what runs now" : "; it is ", stdout);
            cli_print(cli, cli_state_colour(state), paused ? "" : state);
        }
        puts(".");
    }
    cJSON_Delete(list);
    return CLI_DONE;
}

static enum cli_exit run_pause(struct cli *cli)
{
    return steer(cli, "pause");
}

static enum cli_exit run_resume(struct cli *cli)
{
    return steer(cli, "resume");
}

/* ---- the table ---- */

#define WAIT_OPTIONS                                                                                         \
    {"wait", NULL, "wait until the job ends or is held; the exit status tells which"},                       \
    {                                                                                                        \
        "timeout", "TIME", "with --wait: at most so long (30s, 10m, 2h)"                                     \
    }

const struct cli_command cli_act_commands[] = {
    {.name = "send",
     .synopsis = "INSTRUMENT FILE",
     .min_args = 2,
     .max_args = 2,
     .summary = "Sends a file of this machine to an instrument.",
     .about = "The file is handed over as open file: the agent keeps a copy and needs no right to read the\n"
              "original.",
     .options = {{"name", "NAME", "its name on the instrument, if not its own"}, WAIT_OPTIONS},
     .examples = "labferry send hamilton-1 plate-7.csv\n"
                 "labferry send hamilton-1 /tmp/x --name plate-7.csv --wait",
     .run = run_send},
    {.name = "run",
     .synopsis = "INSTRUMENT PROCEDURE [NAME=VALUE ...]",
     .min_args = 2,
     .max_args = CLI_ARGS_MAX,
     .summary = "Runs a procedure on an instrument, as a job.",
     .options = {WAIT_OPTIONS},
     .examples = "labferry run balance-1 weigh --wait\n"
                 "labferry run pump-1 dispense volume=50 --wait --timeout 5m",
     .run = run_run},
    {.name = "ask",
     .synopsis = "INSTRUMENT COMMAND [NAME=VALUE ...]",
     .min_args = 2,
     .max_args = CLI_ARGS_MAX,
     .summary = "Sends an instrument one command and shows its answer.",
     .about = "The command runs between jobs. What moves, consumes or prints something needs --once, and is\n"
              "never repeated.",
     .options = {{"once", NULL, "also a command that moves or consumes something"},
                 {"timeout", "TIME", "how long to wait until the instrument is free (30s; at most 10m)"}},
     .examples = "labferry ask balance-1 weigh\nlabferry ask balance-1 tare --once",
     .run = run_ask},
    {.name = "retry",
     .synopsis = "JOB",
     .min_args = 1,
     .max_args = 1,
     .summary = "Does the step of a job again: it did not happen, or its cause is mended.",
     .options = {WAIT_OPTIONS},
     .examples = "labferry retry 12\nlabferry retry 12 --wait",
     .run = run_retry},
    {.name = "confirm",
     .synopsis = "JOB [NAME=VALUE ...]",
     .min_args = 1,
     .max_args = CLI_ARGS_MAX,
     .summary = "What nobody knew did happen: goes on with the job.",
     .about = "Values stand for what the instrument would have said.",
     .options = {WAIT_OPTIONS},
     .examples = "labferry confirm 12\nlabferry confirm 12 weight=12.345",
     .run = run_confirm},
    {.name = "cancel",
     .synopsis = "JOB [WHY]",
     .min_args = 1,
     .max_args = 2,
     .summary = "Ends a job.",
     .options = {WAIT_OPTIONS},
     .examples = "labferry cancel 12 \"plate was dropped\"",
     .run = run_cancel},
    {.name = "assign",
     .synopsis = "JOB RUN [CONFIG]",
     .min_args = 2,
     .max_args = 3,
     .summary = "Says to which run a held result belongs.",
     .about = "CONFIG is the name of the output file configuration, if the instrument's own is not right.",
     .options = {WAIT_OPTIONS},
     .examples = "labferry assign 12 4dc3c7bf-1a2b-4c5d-8e9f-000000000001\n"
                 "labferry assign 12 4dc3c7bf-1a2b-4c5d-8e9f-000000000001 \"Plate reader\"",
     .run = run_assign},
    {.name = "pause",
     .synopsis = "INSTRUMENT|all [WHY]",
     .min_args = 1,
     .max_args = 2,
     .summary = "Lets an instrument finish what runs and start nothing new.",
     .about = "It stays paused, also after a restart, until it is resumed. Results are still collected.",
     .examples = "labferry pause hamilton-1 \"tips are being changed\"\nlabferry pause all",
     .run = run_pause},
    {.name = "resume",
     .synopsis = "INSTRUMENT|all",
     .min_args = 1,
     .max_args = 1,
     .summary = "Lets a paused instrument work again.",
     .examples = "labferry resume hamilton-1",
     .run = run_resume},
    {0},
};

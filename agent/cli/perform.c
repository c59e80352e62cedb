/* Verbs that the agent performs. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "base/setting.h"
#include "base/units.h"
#include "journal/journal.h"
#include "os/path.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_LOOK_MS = 100, LOOK_MS = 1000 };

/* ---- waiting for a job ---- */

/* CLI_NOT_YET: it goes on. */
static enum cli_exit end_of_job(const struct cli *cli, const cJSON *job)
{
    const char *name = lf_json_text_or(job, "state", ""), *wanted = cli->verb->wanted;
    enum lf_job_state state;
    if (!strcmp(name, wanted ? wanted : "done"))
        return CLI_DONE;
    if (!lf_job_state_parse(name, &state))
        return CLI_NOT_YET;
    return state == LF_JOB_HELD ? CLI_HELD : lf_job_state_final(state) ? CLI_REFUSED : CLI_NOT_YET;
}

/* Reports a change on standard error, so that standard output has only the job. */
static void report_change(const struct cli *cli, const cJSON *job, char **last)
{
    const char *note = lf_json_text_or(job, "note", "");
    char *now = lf_format("%s at %s%s%s", lf_json_text_or(job, "state", ""), lf_json_text_or(job, "step", ""),
                          *note ? ": " : "", note);
    if (now && !cli->json && (!*last || strcmp(now, *last) != 0)) {
        char stamp[LF_TIME_TEXT];
        lf_time_format_local(lf_clock_wall_ms(), stamp);
        fprintf(stderr, "%s  ", stamp + strlen("2026-11-22 "));
        cli_print_to(stderr, now);
        fputc('\n', stderr);
    }
    free(*last);
    *last = now;
}

static int64_t wait_deadline(const struct cli *cli)
{
    int64_t ms;
    const char *timeout = cli_text(cli, "timeout");
    return timeout && lf_duration_parse(timeout, &ms) == LF_OK ? lf_deadline_in(ms) : LF_NEVER;
}

/* *job: as it is, or NULL; owned. */
static enum cli_exit wait_job(const struct cli *cli, int64_t id, cJSON **job)
{
    char *last = NULL;
    int64_t deadline = wait_deadline(cli), pause = FIRST_LOOK_MS;
    enum cli_exit code;
    for (;;) {
        cJSON *args = cJSON_CreateObject();
        lf_json_set_int(args, "job", id);
        cJSON_Delete(*job);
        code = cli_ask(cli, "job", args, NULL, lf_deadline_in(CLI_ASK_MS), job);
        if (code == CLI_DONE) {
            code = end_of_job(cli, *job);
            report_change(cli, *job, &last);
        }
        if (code != CLI_NOT_YET || lf_deadline_passed(deadline))
            break;
        lf_sleep_until(lf_deadline_sooner(deadline, lf_deadline_in(pause)), NULL);
        pause = pause * 2 < LOOK_MS ? pause * 2 : LOOK_MS;
    }
    free(last);
    return code;
}

/* ---- performing ---- */

/* The agent gets the open file, so it needs no right of its own to read it. False: reported. */
static bool open_file(const struct cli *cli, const char *path, struct lf_file *file)
{
    struct lf_error err;
    char *real = lf_path_real(path); /* the path may be a link, which LF_FILE_REGULAR refuses */
    bool ok = lf_file_open(real ? real : path, LF_FILE_REGULAR, 0, file, &err) == LF_OK;
    free(real);
    if (!ok) {
        lf_error_prefix(&err, "cannot open %s", path);
        cli_failed(cli, &err);
    }
    return ok;
}

/* What the agent takes, without the arguments of the command line itself. */
static cJSON *sent_args(const struct cli *cli)
{
    cJSON *args = cJSON_CreateObject();
    for (const struct lf_arg *arg = cli->verb->args; arg && arg->name; arg++) {
        const cJSON *value = lf_json_at(cli->args, arg->name);
        if (value && !(arg->flags & LF_ARG_LOCAL))
            lf_json_set(args, arg->name, cJSON_Duplicate(value, true));
    }
    return args;
}

static void show(const struct cli *cli, const cJSON *result, bool waited)
{
    const struct cli_command *view = cli_command_find(cli->verb->name);
    if (waited)
        cli_show_job(cli, result);
    else if (cli->verb->flags & LF_VERB_JOB && cJSON_IsArray(result))
        cli_show_list(cli, result, cli_job_columns);
    else if (view && view->show)
        view->show(cli, result);
    else if (view && view->columns)
        cli_show_list(cli, result, view->columns);
    else if (cli->verb->flags & LF_VERB_JOB)
        cli_show_outcome(cli, result);
    else
        cli_show_any(cli, result);
}

enum cli_exit cli_perform(struct cli *cli)
{
    const struct lf_arg *file_arg = lf_verb_file(cli->verb);
    bool wait = cli->verb->flags & LF_VERB_JOB && cli_flag(cli, "wait");
    cJSON *result = NULL;
    struct lf_file file = {0};
    if (cli->verb->flags & LF_VERB_JOB && cli_text(cli, "timeout") && !wait)
        return cli_misuse(cli, "--timeout goes with --wait");
    if (wait && (cli_flag(cli, "all") || cJSON_IsArray(lf_json_at(cli->args, "job"))))
        return cli_misuse(cli, "--wait goes with one job");
    if (file_arg && !open_file(cli, cli_text(cli, file_arg->name), &file))
        return CLI_REFUSED;
    enum cli_exit code = cli_ask(cli, cli->verb->name, sent_args(cli), file_arg ? &file : NULL,
                                 lf_deadline_in(cli->verb->flags & LF_VERB_SLOW ? CLI_SLOW_MS : CLI_ASK_MS),
                                 &result);
    lf_file_close(&file);
    if (code == CLI_DONE && wait)
        code = wait_job(cli, lf_json_int(result, "id", 0), &result);
    if (code == CLI_DONE && cli_flag(cli, "check") && cJSON_GetArraySize(lf_json_at(result, "needs")))
        code = CLI_NEEDS;
    if (result && cli->json)
        return cli_print_json(cli, result) == CLI_DONE ? code : CLI_REFUSED;
    if (result)
        show(cli, result, wait);
    cJSON_Delete(result);
    return code;
}

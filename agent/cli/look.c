/* Commands that look at the running agent: status, instruments, jobs, job, events, event. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "base/setting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *text_or(const cJSON *value, const char *path, const char *fallback)
{
    return lf_json_text_or(value, path, fallback);
}

/* Asks and prints as JSON if that is wanted; else *result is what to show. */
static enum cli_exit look(struct cli *cli, const char *verb, cJSON *args, cJSON **result)
{
    enum cli_exit code = cli_ask(cli, verb, args, NULL, lf_deadline_in(CLI_ASK_MS), result);
    if (code == CLI_DONE && cli->json) {
        code = cli_print_json(cli, *result);
        *result = NULL;
    }
    return code;
}

/* Passes options on as arguments of the verb. */
static cJSON *option_args(const struct cli *cli, const char *const *names)
{
    cJSON *args = cJSON_CreateObject();
    for (int i = 0; names[i]; i++)
        if (cli_value(cli, names[i]))
            lf_json_set_text(args, names[i], cli_value(cli, names[i]));
    return args;
}

/* --limit; false: told. */
static bool add_limit(const struct cli *cli, cJSON *args)
{
    const char *text = cli_value(cli, "limit");
    int64_t limit = text ? cli_number(cli, "--limit", text) : 0;
    return !text || (limit && lf_json_set_int(args, "limit", limit));
}

/* ---- parts ---- */

static void heading(const struct cli *cli, const char *text)
{
    putchar('\n');
    cli_print(cli, CLI_BOLD, text);
    putchar('\n');
}

static void line(const struct cli *cli, const char *name, enum cli_colour colour, const char *text)
{
    if (!text || !*text)
        return;
    printf("  %-12s ", name);
    cli_print(cli, colour, text);
    putchar('\n');
}

static void time_line(const struct cli *cli, const char *name, const char *time)
{
    char when[CLI_TIME_ROOM], ago[CLI_TIME_ROOM], text[2 * CLI_TIME_ROOM + 4];
    if (!time)
        return;
    snprintf(text, sizeof text, "%s (%s)", cli_when(time, when), cli_ago(time, ago));
    line(cli, name, CLI_PLAIN, text);
}

/* "2 done, 1 held": counts as people read them. Returns room. */
static const char *count_text(const cJSON *counts, char *room, size_t size)
{
    const cJSON *count;
    size_t used = 0;
    snprintf(room, size, "none");
    cJSON_ArrayForEach (count, counts)
        if (cJSON_IsNumber(count) && count->valuedouble > 0 && used < size)
            used += (size_t)snprintf(room + used, size - used, "%s%.0f %s", used ? ", " : "",
                                     count->valuedouble, count->string);
    return room;
}

static void instrument_table(const struct cli *cli, const cJSON *list)
{
    static const char *const headings[] = {"INSTRUMENT", "STATE", "SINCE", "JOB", "DRIVER", "WHO / WHAT"};
    struct cli_table *table = cli_table_new(headings, 6, 5);
    const cJSON *info;
    char ago[CLI_TIME_ROOM], job[24];
    cJSON_ArrayForEach (info, list) {
        const char *state = text_or(info, "state", "?");
        int64_t id = lf_json_int(info, "job", 0);
        snprintf(job, sizeof job, "%" PRId64, id);
        cli_cell(table, CLI_BOLD, lf_json_text(info, "name"));
        cli_cell(table, cli_state_colour(state), state);
        cli_cell(table, CLI_PLAIN, cli_ago(lf_json_text(info, "since"), ago));
        cli_cell(table, CLI_PLAIN, id ? job : NULL);
        cli_cell(table, CLI_PLAIN, lf_json_text(info, "driver"));
        cli_cell(table, CLI_PLAIN,
                 text_or(info, "progress", text_or(info, "note", text_or(info, "identity", NULL))));
    }
    cli_table_print(cli, table);
}

static void job_table(const struct cli *cli, const cJSON *list)
{
    static const char *const headings[] = {"JOB",        "STATE",   "KIND", "STEP",
                                           "INSTRUMENT", "CHANGED", "WHAT", "NOTE"};
    struct cli_table *table = cli_table_new(headings, 8, 7);
    const cJSON *job;
    char ago[CLI_TIME_ROOM], id[24];
    cJSON_ArrayForEach (job, list) {
        const char *state = text_or(job, "state", "?");
        snprintf(id, sizeof id, "%" PRId64, lf_json_int(job, "id", 0));
        cli_cell(table, CLI_BOLD, id);
        cli_cell(table, cli_state_colour(state), state);
        cli_cell(table, CLI_PLAIN, lf_json_text(job, "kind"));
        cli_cell(table, CLI_PLAIN, lf_json_text(job, "step"));
        cli_cell(table, CLI_PLAIN, lf_json_text(job, "instrument"));
        cli_cell(table, CLI_PLAIN, cli_ago(lf_json_text(job, "updated"), ago));
        cli_cell(table, CLI_PLAIN, lf_json_text(job, "what"));
        cli_cell(table, CLI_PLAIN, lf_json_text(job, "note"));
    }
    cli_table_print(cli, table);
}

/* ---- status ---- */

static void show_needs(const struct cli *cli, const cJSON *needs)
{
    const cJSON *need;
    if (!cJSON_GetArraySize(needs)) {
        cli_print(cli, CLI_GREEN, "Nothing needs a person.");
        putchar('\n');
        return;
    }
    cli_print(cli, CLI_RED, cJSON_GetArraySize(needs) == 1 ? "This needs a person:" : "These need a person:");
    putchar('\n');
    cJSON_ArrayForEach (need, needs) {
        fputs("  - ", stdout);
        cli_print(cli, CLI_PLAIN, lf_json_text(need, "what"));
        fputs("\n      ", stdout);
        cli_print(cli, CLI_DIM, lf_json_text(need, "do"));
        putchar('\n');
    }
}

static void show_agent(const struct cli *cli, const cJSON *agent)
{
    char text[300], up[32], digest[16];
    lf_duration_format(lf_json_int(agent, "up_ms", 0), up, sizeof up);
    snprintf(digest, sizeof digest, "%.12s", text_or(agent, "config", ""));
    snprintf(text, sizeof text, "%.100s at %.100s, version %.20s, up %s, configuration %s",
             text_or(agent, "name", ""), text_or(agent, "site", ""), text_or(agent, "version", ""), up,
             digest);
    line(cli, "agent", CLI_PLAIN, text);
}

static void show_health(const struct cli *cli, const char *name, const cJSON *health, const char *detail)
{
    char text[700], ago[CLI_TIME_ROOM];
    const char *state = lf_json_text(health, "state");
    if (!state)
        return;
    cli_ago(lf_json_text(health, "since"), ago);
    snprintf(text, sizeof text, "%s%s%s%s%s", state, *ago ? ", since " : "", ago,
             detail && *detail ? ", " : "", detail ? detail : "");
    line(cli, name, cli_state_colour(state), text);
}

static void show_poll(const struct cli *cli, const cJSON *poll)
{
    char text[400], ago[CLI_TIME_ROOM];
    if (!lf_json_text(poll, "last") && !lf_json_text(poll, "error"))
        return;
    cli_ago(lf_json_text(poll, "last"), ago);
    snprintf(text, sizeof text, "%" PRId64 " events taken%s%s%s%.250s", lf_json_int(poll, "taken", 0),
             *ago ? ", asked " : "", ago, lf_json_text(poll, "error") ? ", error: " : "",
             text_or(poll, "error", ""));
    line(cli, "event list", lf_json_text(poll, "error") ? CLI_YELLOW : CLI_PLAIN, text);
}

/* "1.2 MB of 2 GB"; counts without a unit. Returns room. */
static const char *of_limit(const cJSON *storage, const char *used, const char *max, bool bytes,
                            char room[80])
{
    char use[32], limit[32];
    int64_t numbers[] = {lf_json_int(storage, used, 0), lf_json_int(storage, max, 0)};
    char *texts[] = {use, limit};
    for (int i = 0; i < 2; i++)
        if (bytes)
            lf_size_format(numbers[i], texts[i], sizeof use);
        else
            snprintf(texts[i], sizeof use, "%" PRId64, numbers[i]);
    snprintf(room, 80, "%s of %s", use, limit);
    return room;
}

/* ", 12 dropped so far" if there are any. Returns room. */
static const char *lost(const cJSON *storage, const char *name, const char *word, char room[60])
{
    int64_t count = lf_json_int(storage, name, 0);
    room[0] = '\0';
    if (count)
        snprintf(room, 60, ", %" PRId64 " %s", count, word);
    return room;
}

static void show_storage(const struct cli *cli, const cJSON *storage)
{
    char use[80], more[60], more_use[80], free_room[32], text[400];
    int64_t journal_free = lf_json_int(storage, "journal_disk_free", -1),
            spool_free = lf_json_int(storage, "spool_disk_free", -1);
    lf_size_format(journal_free >= 0 && journal_free < spool_free ? journal_free : spool_free, free_room,
                   sizeof free_room);
    snprintf(text, sizeof text, "%s, of which events without a job %s%s",
             of_limit(storage, "journal_bytes", "journal_max", true, use),
             of_limit(storage, "unused_bytes", "unused_max", true, more_use),
             lost(storage, "unused_dropped", "left early", more));
    line(cli, "journal", CLI_PLAIN, text);
    snprintf(text, sizeof text, "%s, %s of disk free",
             of_limit(storage, "spool_bytes", "spool_max", true, use), free_room);
    line(cli, "spool", CLI_PLAIN, text);
    snprintf(text, sizeof text, "%s reports wait for the broker%s",
             of_limit(storage, "outbox", "outbox_max", false, use),
             lost(storage, "outbox_dropped", "dropped so far", more));
    line(cli, "outbox", CLI_PLAIN, text);
    if (lf_json_int(storage, "commands", 0) || lf_json_int(storage, "commands_refused", 0)) {
        snprintf(text, sizeof text, "%s wait%s", of_limit(storage, "commands", "commands_max", false, use),
                 lost(storage, "commands_refused", "refused", more));
        line(cli, "commands", CLI_PLAIN, text);
    }
    if (lf_json_int(storage, "log_left_out", 0)) {
        snprintf(text, sizeof text, "%" PRId64 " lines left out", lf_json_int(storage, "log_left_out", 0));
        line(cli, "log", CLI_PLAIN, text);
    }
}

static enum cli_exit show_status(struct cli *cli)
{
    cJSON *status;
    char counts[300];
    enum cli_exit code = look(cli, "status", NULL, &status);
    if (status == LF_OK)
        return code;
    show_needs(cli, lf_json_at(status, "needs"));
    putchar('\n');
    show_agent(cli, lf_json_at(status, "agent"));
    show_health(cli, "broker", lf_json_at(status, "link"), lf_json_text(status, "link.broker"));
    show_health(cli, "Benchling", lf_json_at(status, "cloud"), NULL);
    show_poll(cli, lf_json_at(status, "poll"));
    line(cli, "jobs", CLI_PLAIN, count_text(lf_json_at(status, "jobs"), counts, sizeof counts));
    line(cli, "events", CLI_PLAIN, count_text(lf_json_at(status, "intake.events"), counts, sizeof counts));
    const cJSON *deprecated;
    cJSON_ArrayForEach (deprecated, lf_json_at(status, "intake.deprecated"))
        line(cli, "deprecated", CLI_YELLOW, deprecated->string);
    show_storage(cli, lf_json_at(status, "storage"));
    putchar('\n');
    instrument_table(cli, lf_json_at(status, "instruments"));
    cJSON_Delete(status);
    return CLI_DONE;
}

/* ---- instruments, jobs ---- */

static enum cli_exit show_instruments(struct cli *cli)
{
    cJSON *list, *args = cJSON_CreateObject();
    if (cli->arg_count)
        lf_json_set_text(args, "name", cli->args[0]);
    enum cli_exit code = look(cli, "instruments", args, &list);
    if (!list)
        return code;
    instrument_table(cli, list);
    if (cli->arg_count) {
        const cJSON *info = cJSON_GetArrayItem(list, 0), *can;
        char counts[300], abilities[100] = "";
        cJSON_ArrayForEach (can, lf_json_at(info, "can")) {
            size_t used = strlen(abilities);
            snprintf(abilities + used, sizeof abilities - used, "%s%s", used ? ", " : "",
                     lf_json_text_or(can, "", ""));
        }
        putchar('\n');
        line(cli, "identity", CLI_PLAIN, lf_json_text(info, "identity"));
        line(cli, "note", CLI_PLAIN, lf_json_text(info, "note"));
        line(cli, "can", CLI_PLAIN, abilities);
        line(cli, "jobs", CLI_PLAIN, count_text(lf_json_at(info, "jobs"), counts, sizeof counts));
        time_line(cli, "since", lf_json_text(info, "since"));
    }
    cJSON_Delete(list);
    return CLI_DONE;
}

static enum cli_exit show_jobs(struct cli *cli)
{
    static const char *const names[] = {"state", "kind", "instrument", NULL};
    cJSON *list, *args = option_args(cli, names);
    const char *before = cli_value(cli, "before");
    int64_t number = before ? cli_number(cli, "--before", before) : 0;
    if (number)
        lf_json_set_int(args, "before", number);
    if (!add_limit(cli, args) || (before && !number)) {
        cJSON_Delete(args);
        return CLI_USAGE;
    }
    enum cli_exit code = look(cli, "jobs", args, &list);
    if (!list)
        return code;
    if (cJSON_GetArraySize(list))
        job_table(cli, list);
    else
        puts("No such jobs.");
    cJSON_Delete(list);
    return CLI_DONE;
}

/* ---- job ---- */

static void show_history(const struct cli *cli, const cJSON *history)
{
    const cJSON *entry;
    char when[CLI_TIME_ROOM];
    heading(cli, "History");
    cJSON_ArrayForEach (entry, history) {
        printf("  %s  ", cli_when(lf_json_text(entry, "at"), when));
        cli_print(cli, CLI_DIM, text_or(entry, "who", ""));
        fputs("  ", stdout);
        cli_print(cli, CLI_PLAIN, text_or(entry, "text", ""));
        putchar('\n');
    }
}

static void show_values(const struct cli *cli, const cJSON *captures)
{
    const cJSON *capture;
    if (!cJSON_GetArraySize(captures))
        return;
    heading(cli, "Values");
    cJSON_ArrayForEach (capture, captures)
        line(cli, text_or(capture, "name", "?"), CLI_PLAIN, lf_json_text(capture, "value"));
}

static void show_facts(const struct cli *cli, const cJSON *facts)
{
    const cJSON *fact;
    heading(cli, "Facts");
    cJSON_ArrayForEach (fact, facts) {
        if (!strcmp(fact->string, "captures"))
            continue;
        char *json = cJSON_IsString(fact) ? NULL : lf_json_print(fact);
        line(cli, fact->string, CLI_PLAIN, json ? json : fact->valuestring);
        free(json);
    }
}

static void show_file(const struct cli *cli, const cJSON *file)
{
    char size[32], text[600];
    if (!file)
        return;
    lf_size_format(lf_json_int(file, "size", 0), size, sizeof size);
    snprintf(text, sizeof text, "%.300s, %s, sha256 %s", text_or(file, "name", ""), size,
             text_or(file, "sha256", ""));
    line(cli, "file", CLI_PLAIN, text);
}

void cli_show_job(const struct cli *cli, cJSON *job)
{
    char text[300];
    const char *state = text_or(job, "state", "?");
    if (cli->json) {
        cli_print_json(cli, job);
        return;
    }
    snprintf(text, sizeof text, "Job %" PRId64 ": %s %.200s", lf_json_int(job, "id", 0),
             text_or(job, "kind", ""), text_or(job, "what", ""));
    cli_print(cli, CLI_BOLD, text);
    putchar('\n');
    snprintf(text, sizeof text, "%s at %s", state, text_or(job, "step", "?"));
    line(cli, "state", cli_state_colour(state), text);
    line(cli, "note", CLI_PLAIN, lf_json_text(job, "note"));
    line(cli, "what to do", CLI_YELLOW, lf_json_text(job, "help"));
    line(cli, "instrument", CLI_PLAIN, lf_json_text(job, "instrument"));
    line(cli, "route", CLI_PLAIN, lf_json_text(job, "route"));
    line(cli, "event", CLI_PLAIN, lf_json_text(job, "event"));
    show_file(cli, lf_json_at(job, "file"));
    time_line(cli, "created", lf_json_text(job, "created"));
    time_line(cli, "changed", lf_json_text(job, "updated"));
    if (strcmp(state, "done") != 0)
        time_line(cli, "not after", lf_json_text(job, "not_after"));
    show_values(cli, lf_json_at(job, "facts.captures"));
    show_facts(cli, lf_json_at(job, "facts"));
    show_history(cli, lf_json_at(job, "history"));
    cJSON_Delete(job);
}

static enum cli_exit show_job(struct cli *cli)
{
    int64_t id = cli_number(cli, "the job", cli->args[0]);
    const char *timeout = cli_value(cli, "timeout");
    int64_t wait_ms = timeout ? cli_duration(cli, "--timeout", timeout) : -1;
    if (!id || (timeout && wait_ms < 0))
        return CLI_USAGE;
    if (cli_flag(cli, "wait"))
        return cli_wait_job(cli, id, timeout ? lf_deadline_in(wait_ms) : LF_NEVER);
    cJSON *job, *args = cJSON_CreateObject();
    lf_json_set_int(args, "id", id);
    enum cli_exit code = cli_ask(cli, "job", args, NULL, lf_deadline_in(CLI_ASK_MS), &job);
    if (job)
        cli_show_job(cli, job);
    return code;
}

/* ---- events ---- */

/* "3 4 ..."; NULL: none. */
static const char *jobs_text(const cJSON *event, char text[80])
{
    const cJSON *job;
    size_t len = 0;
    cJSON_ArrayForEach (job, cJSON_GetObjectItemCaseSensitive(event, "jobs"))
        if (len < 60)
            len += (size_t)snprintf(text + len, 80 - len, "%s%.0f", len ? " " : "", job->valuedouble);
        else if (len < 76) {
            snprintf(text + len, 80 - len, " ...");
            len = 76;
        }
    return len ? text : NULL;
}

static enum cli_exit show_events(struct cli *cli)
{
    static const char *const headings[] = {"EVENT", "RECEIVED", "TIMES", "FATE", "JOBS", "TYPE", "NOTE"};
    static const char *const names[] = {"fate", NULL};
    cJSON *list, *args = option_args(cli, names);
    const cJSON *event;
    char ago[CLI_TIME_ROOM], times[24], jobs[80];
    if (!add_limit(cli, args)) {
        cJSON_Delete(args);
        return CLI_USAGE;
    }
    enum cli_exit code = look(cli, "events", args, &list);
    if (!list)
        return code;
    struct cli_table *table = cli_table_new(headings, 7, 6);
    cJSON_ArrayForEach (event, list) {
        const char *fate = text_or(event, "fate", "?");
        snprintf(times, sizeof times, "%" PRId64, lf_json_int(event, "times", 0));
        cli_cell(table, CLI_BOLD, lf_json_text(event, "id"));
        cli_cell(table, CLI_PLAIN, cli_ago(lf_json_text(event, "received"), ago));
        cli_cell(table, CLI_PLAIN, times);
        cli_cell(table, cli_state_colour(fate), fate);
        cli_cell(table, CLI_PLAIN, jobs_text(event, jobs));
        cli_cell(table, CLI_PLAIN, lf_json_text(event, "type"));
        cli_cell(table, CLI_PLAIN, lf_json_text(event, "note"));
    }
    cli_table_print(cli, table);
    cJSON_Delete(list);
    return CLI_DONE;
}

static enum cli_exit show_event(struct cli *cli)
{
    cJSON *event, *args = cJSON_CreateObject();
    lf_json_set_text(args, "id", cli->args[0]);
    enum cli_exit code = look(cli, "event", args, &event);
    if (!event)
        return code;
    const char *fate = text_or(event, "fate", "?");
    line(cli, "id", CLI_BOLD, lf_json_text(event, "id"));
    line(cli, "type", CLI_PLAIN, lf_json_text(event, "type"));
    line(cli, "about", CLI_PLAIN, lf_json_text(event, "resource"));
    line(cli, "fate", cli_state_colour(fate), fate);
    line(cli, "note", CLI_PLAIN, lf_json_text(event, "note"));
    line(cli, "came by", CLI_PLAIN, lf_json_text(event, "source"));
    time_line(cli, "created", lf_json_text(event, "created"));
    time_line(cli, "received", lf_json_text(event, "received"));
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, lf_json_int(event, "times", 0));
    line(cli, "times", CLI_PLAIN, number);
    char jobs[80];
    line(cli, "jobs", CLI_PLAIN, jobs_text(event, jobs));
    heading(cli, "Body");
    const cJSON *body = lf_json_at(event, "body");
    char *text = body ? cJSON_Print(body) : NULL;
    /* Line by line: the ends of lines are cJSON's own, those inside of texts are escaped. */
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, '\n');
        if (next)
            *next++ = '\0';
        for (char *tab = at; *tab == '\t'; tab++)
            *tab = ' ';
        cli_print(cli, CLI_PLAIN, at);
        putchar('\n');
    }
    free(text);
    cli_print(cli, CLI_PLAIN, text_or(event, "body_text", text_or(event, "body_base64", "")));
    if (!body)
        putchar('\n');
    cJSON_Delete(event);
    return CLI_DONE;
}

/* ---- the table ---- */

const struct cli_command cli_look_commands[] = {
    {.name = "status",
     .summary = "Shows how the agent is; what needs a person comes first.",
     .examples = "labferry status\nlabferry status --json | jq .needs",
     .run = show_status},
    {.name = "instruments",
     .synopsis = "[NAME]",
     .max_args = 1,
     .summary = "Shows the instruments and what they do.",
     .examples = "labferry instruments\nlabferry instruments balance-1",
     .run = show_instruments},
    {.name = "jobs",
     .summary = "Lists jobs, newest first.",
     .options = {{"state", "STATE", "open, or ready running waiting held done failed cancelled expired"},
                 {"kind", "KIND", "deliver, collect or task"},
                 {"instrument", "NAME", "only this instrument's"},
                 {"before", "JOB", "only older ones than this: the next page"},
                 {"limit", "N", "how many (50; at most 1000)"}},
     .examples = "labferry jobs --state held\n"
                 "labferry jobs --instrument hamilton-1 --limit 5\n"
                 "labferry jobs --state open --json",
     .run = show_jobs},
    {.name = "job",
     .synopsis = "JOB",
     .min_args = 1,
     .max_args = 1,
     .summary = "Shows one job with its facts and history, or waits for its end.",
     .options = {{"wait", NULL, "wait until the job ends or is held; the exit status tells which"},
                 {"timeout", "TIME", "with --wait: at most so long (30s, 10m, 2h)"}},
     .examples = "labferry job 12\nlabferry job 12 --wait --timeout 10m && echo done",
     .run = show_job},
    {.name = "events",
     .summary = "Lists events and what became of them, newest first.",
     .options = {{"fate", "FATE", "job twin woke unrouted unknown bad reread lost"},
                 {"limit", "N", "how many (50; at most 1000)"}},
     .examples = "labferry events\nlabferry events --fate bad",
     .run = show_events},
    {.name = "event",
     .synopsis = "EVENT",
     .min_args = 1,
     .max_args = 1,
     .summary = "Shows one event as it was received.",
     .examples = "labferry event evt_Vq4jMZ1x\nlabferry event evt_Vq4jMZ1x --json",
     .run = show_event},
    {0},
};

/* How the status is shown to people: what needs attention comes first. */
#include "agent/cli/cli.h"

#include "base/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void show_need(const struct cli *cli, const cJSON *need)
{
    char ago[CLI_TIME_ROOM], next[CLI_TIME_ROOM];
    fputs("  - ", stdout);
    cli_print(cli, CLI_PLAIN, lf_json_text(need, "what"));
    cli_ago(lf_json_text(need, "since"), ago);
    cli_when(lf_json_text(need, "next"), next);
    if (*ago || *next)
        printf(" (%s%s%s%s)", ago, *ago && *next ? "; " : "", *next ? "next try " : "", next);
    fputs("\n      ", stdout);
    cli_print(cli, CLI_DIM, lf_json_text(need, "do"));
    putchar('\n');
}

static void show_needs(const struct cli *cli, const cJSON *needs)
{
    const cJSON *need;
    bool none = !cJSON_GetArraySize(needs);
    cli_print(cli, none ? CLI_GREEN : CLI_RED, none ? "Nothing needs attention." : "Needs attention:");
    putchar('\n');
    cJSON_ArrayForEach (need, needs)
        show_need(cli, need);
}

static void show_agent(const struct cli *cli, const cJSON *agent)
{
    char text[300], up[32];
    lf_duration_format(lf_json_int(agent, "up_ms", 0), up, sizeof up);
    snprintf(text, sizeof text, "%.100s at %.100s, version %.20s, up %s, configuration %.12s",
             lf_json_text_or(agent, "name", ""), lf_json_text_or(agent, "site", ""),
             lf_json_text_or(agent, "version", ""), up, lf_json_text_or(agent, "config", ""));
    cli_show_line(cli, "agent", CLI_PLAIN, text);
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
    cli_show_line(cli, name, cli_state_colour(state), text);
}

static void show_poll(const struct cli *cli, const cJSON *poll)
{
    char text[400], ago[CLI_TIME_ROOM];
    const char *last = lf_json_text(poll, "last"), *error = lf_json_text(poll, "error");
    if (!last && !error)
        return;
    cli_ago(last, ago);
    snprintf(text, sizeof text, "%" PRId64 " events taken%s%s%s%.250s", lf_json_int(poll, "taken", 0),
             *ago ? ", asked " : "", ago, error ? ", error: " : "", error ? error : "");
    cli_show_line(cli, "event list", error ? CLI_YELLOW : CLI_PLAIN, text);
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
static const char *count_of(const cJSON *storage, const char *name, const char *word, char room[60])
{
    int64_t count = lf_json_int(storage, name, 0);
    room[0] = '\0';
    if (count)
        snprintf(room, 60, ", %" PRId64 " %s", count, word);
    return room;
}

/* ", 12 GB free on disk": what the fuller disk has, of those whose free space is known. Returns room. */
static const char *disk_free(const cJSON *storage, char room[60])
{
    char size[32];
    int64_t journal = lf_json_int(storage, "journal_disk_free", -1),
            spool = lf_json_int(storage, "spool_disk_free", -1),
            least = spool < 0 || (journal >= 0 && journal < spool) ? journal : spool;
    lf_size_format(least, size, sizeof size);
    room[0] = '\0';
    if (least >= 0)
        snprintf(room, 60, ", %s free on disk", size);
    return room;
}

static void show_storage(const struct cli *cli, const cJSON *storage)
{
    char use[80], more[60], more_use[80], free_room[60], text[400];
    snprintf(text, sizeof text, "%s, of which events without a job %s%s",
             of_limit(storage, "journal_bytes", "journal_max", true, use),
             of_limit(storage, "unused_bytes", "unused_max", true, more_use),
             count_of(storage, "unused_dropped", "dropped early", more));
    cli_show_line(cli, "journal", CLI_PLAIN, text);
    snprintf(text, sizeof text, "%s%s", of_limit(storage, "spool_bytes", "spool_max", true, use),
             disk_free(storage, free_room));
    cli_show_line(cli, "spool", CLI_PLAIN, text);
    snprintf(text, sizeof text, "%s reports waiting for the broker%s",
             of_limit(storage, "outbox", "outbox_max", false, use),
             count_of(storage, "outbox_dropped", "dropped so far", more));
    cli_show_line(cli, "outbox", CLI_PLAIN, text);
    if (lf_json_int(storage, "commands", 0) || lf_json_int(storage, "commands_refused", 0)) {
        snprintf(text, sizeof text, "%s waiting%s", of_limit(storage, "commands", "commands_max", false, use),
                 count_of(storage, "commands_refused", "refused", more));
        cli_show_line(cli, "commands", CLI_PLAIN, text);
    }
    if (lf_json_int(storage, "log_left_out", 0)) {
        snprintf(text, sizeof text, "%" PRId64 " lines left out", lf_json_int(storage, "log_left_out", 0));
        cli_show_line(cli, "log", CLI_PLAIN, text);
    }
}

void cli_show_status(const struct cli *cli, const cJSON *status)
{
    static const struct cli_field counts[] = {{"jobs", "jobs", CLI_PLAIN},
                                              {"events", "intake.events", CLI_PLAIN},
                                              {0}};
    const cJSON *deprecated;
    show_needs(cli, lf_json_at(status, "needs"));
    putchar('\n');
    show_agent(cli, lf_json_at(status, "agent"));
    show_health(cli, "broker", lf_json_at(status, "link"), lf_json_text(status, "link.broker"));
    show_health(cli, "Benchling", lf_json_at(status, "cloud"), NULL);
    show_poll(cli, lf_json_at(status, "poll"));
    cli_show_lines(cli, status, counts);
    cJSON_ArrayForEach (deprecated, lf_json_at(status, "intake.deprecated"))
        cli_show_line(cli, "deprecated", CLI_YELLOW, deprecated->string);
    show_storage(cli, lf_json_at(status, "storage"));
    putchar('\n');
    cli_show_list(cli, lf_json_at(status, "instruments"), cli_instrument_columns);
}

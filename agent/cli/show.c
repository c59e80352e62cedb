/* How results are shown to people: rows say what is in a table or on a line. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "base/setting.h"
#include "base/units.h"
#include "job/captures.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

/* "deliver, run" or "3, 4" from a list; "2 done, 1 held" from counts by name. */
static char *join(const cJSON *value)
{
    struct lf_buffer text = {.max = 2000};
    const cJSON *item;
    cJSON_ArrayForEach (item, value) {
        const char *between = text.len ? ", " : "";
        if (cJSON_IsString(item))
            lf_buffer_format(&text, "%s%s", between, item->valuestring);
        else if (cJSON_IsNumber(item) && item->valuedouble > 0)
            lf_buffer_format(&text, "%s%.0f%s%s", between, item->valuedouble, item->string ? " " : "",
                             item->string ? item->string : "");
    }
    return text.len ? text.data : cJSON_IsObject(value) ? strdup("none") : NULL;
}

static bool is_flat(const cJSON *value)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, value)
        if (!cJSON_IsNumber(item) && (!cJSON_IsString(item) || cJSON_IsObject(value)))
            return false;
    return true;
}

/* Returns owned; NULL: nothing to show. */
static char *value_text(const cJSON *value)
{
    if (!value || cJSON_IsNull(value))
        return NULL;
    if (cJSON_IsString(value))
        return strdup(value->valuestring);
    if (cJSON_IsBool(value))
        return strdup(cJSON_IsTrue(value) ? "yes" : "no");
    if (cJSON_IsNumber(value) && value->valuedouble == (double)(int64_t)value->valuedouble)
        return lf_format("%" PRId64, (int64_t)value->valuedouble);
    return cJSON_IsNumber(value) || !is_flat(value) ? lf_json_print(value) : join(value);
}

/* The first of "note|waits for=waits_for" that is there, after its words. */
static char *field_text(const cJSON *entry, const char *path)
{
    char *text = NULL, name[64];
    for (const char *at = path; !text && *at;) {
        size_t len = strcspn(at, "|"), words = strcspn(at, "=|");
        const char *from = words < len ? at + words + 1 : at;
        snprintf(name, sizeof name, "%.*s", (int)(at + len - from), from);
        text = value_text(lf_json_at(entry, name));
        if (text && from != at) {
            char *bare = text;
            text = lf_format("%.*s %s", (int)words, at, bare);
            free(bare);
        }
        at += len + (at[len] == '|');
    }
    return text;
}

static enum cli_colour colour_of(const struct cli_field *field, const char *text)
{
    if (field->style == CLI_STATE)
        return cli_state_colour(text);
    return field->style < CLI_STATE ? (enum cli_colour)field->style : CLI_PLAIN;
}

/* ---- tables and lines ---- */

static struct cli_cell cell_of(const struct cli_field *column, const cJSON *entry)
{
    char *text = field_text(entry, column->path), time[CLI_TIME_ROOM];
    const char *shown = column->style == CLI_AGO    ? cli_ago(text, time)
                        : column->style == CLI_WHEN ? cli_when(text, time)
                                                    : text;
    struct cli_cell cell = {cli_must(strdup(shown && *shown ? shown : "-")), colour_of(column, text)};
    free(text);
    return cell;
}

void cli_show_list(const struct cli *cli, const cJSON *list, const struct cli_field *fields)
{
    const cJSON *entry;
    int rows = 1 + cJSON_GetArraySize(list), columns = 0, count = 0;
    while (columns < CLI_COLUMNS_MAX && fields[columns].title)
        columns++;
    if (rows == 1) {
        puts("Nothing found.");
        return;
    }
    struct cli_cell *cells = cli_must(calloc((size_t)rows * (size_t)columns, sizeof *cells));
    while (count < columns) {
        cells[count] = (struct cli_cell){cli_must(strdup(fields[count].title)), CLI_DIM};
        count++;
    }
    cJSON_ArrayForEach (entry, list)
        for (int i = 0; i < columns; i++)
            cells[count++] = cell_of(&fields[i], entry);
    cli_print_table(cli, cells, rows, columns);
    while (count > 0)
        free(cells[--count].text);
    free(cells);
}

void cli_show_line(const struct cli *cli, const char *name, enum cli_colour colour, const char *text)
{
    if (!text || !*text)
        return;
    fputs("  ", stdout);
    cli_print(cli, CLI_PLAIN, name);
    printf("%*s ", (int)(strlen(name) < 12 ? 12 - strlen(name) : 0), "");
    cli_print(cli, colour, text);
    putchar('\n');
}

static void show_line(const struct cli *cli, const cJSON *object, const struct cli_field *field)
{
    char when[CLI_TIME_ROOM], ago[CLI_TIME_ROOM], both[2 * CLI_TIME_ROOM + 4];
    char *text = field_text(object, field->path);
    if (text && field->style == CLI_WHEN) {
        snprintf(both, sizeof both, "%s (%s)", cli_when(text, when), cli_ago(text, ago));
        cli_show_line(cli, field->title, CLI_PLAIN, both);
    } else {
        cli_show_line(cli, field->title, colour_of(field, text), text);
    }
    free(text);
}

void cli_show_lines(const struct cli *cli, const cJSON *object, const struct cli_field *lines)
{
    for (; lines->title; lines++)
        show_line(cli, object, lines);
}

static void heading(const struct cli *cli, const char *text)
{
    putchar('\n');
    cli_print(cli, CLI_BOLD, text);
    putchar('\n');
}

/* Every member of an object by its own name. */
static void show_members(const struct cli *cli, const cJSON *object)
{
    const cJSON *member;
    cJSON_ArrayForEach (member, object) {
        char *text = value_text(member);
        cli_show_line(cli, member->string, CLI_PLAIN, text);
        free(text);
    }
}

void cli_show_any(const struct cli *cli, const cJSON *value)
{
    struct cli_field columns[CLI_COLUMNS_MAX + 1] = {{0}};
    const cJSON *member;
    int count = 0;
    if (cJSON_IsObject(value)) {
        show_members(cli, value);
        return;
    }
    cJSON_ArrayForEach (member, cJSON_GetArrayItem(value, 0))
        if (count < CLI_COLUMNS_MAX && member->string)
            columns[count++] = (struct cli_field){member->string, member->string, CLI_PLAIN};
    if (cJSON_IsArray(value) && (count || !cJSON_GetArraySize(value))) {
        cli_show_list(cli, value, columns);
        return;
    }
    char *text = value_text(value);
    cli_print(cli, CLI_PLAIN, text ? text : "Done.");
    putchar('\n');
    free(text);
}

/* ---- instruments, one job ---- */

const struct cli_field cli_instrument_columns[] = {
    {"INSTRUMENT", "name", CLI_BOLD},
    {"STATE", "state", CLI_STATE},
    {"SINCE", "since", CLI_AGO},
    {"JOB", "job", CLI_PLAIN},
    {"DRIVER", "driver", CLI_PLAIN},
    {"DETAILS", "progress|note|identity", CLI_PLAIN},
    {0},
};

static void show_instruments(const struct cli *cli, const cJSON *list)
{
    static const struct cli_field lines[] = {{"identity", "identity", CLI_PLAIN},
                                             {"note", "note", CLI_PLAIN},
                                             {"way", "way", CLI_PLAIN},
                                             {"can", "can", CLI_PLAIN},
                                             {"jobs", "jobs", CLI_PLAIN},
                                             {"since", "since", CLI_WHEN},
                                             {0}};
    cli_show_list(cli, list, cli_instrument_columns);
    if (!cli_text(cli, "instrument"))
        return;
    putchar('\n');
    cli_show_lines(cli, cJSON_GetArrayItem(list, 0), lines);
}

static void show_values(const struct cli *cli, const cJSON *captures)
{
    const cJSON *entry;
    struct lf_capture capture;
    cJSON_ArrayForEach (entry, captures)
        if (lf_captures_read(entry, &capture))
            cli_show_line(cli, capture.name, CLI_PLAIN, capture.value);
}

static void show_history(const struct cli *cli, const cJSON *history)
{
    const cJSON *entry;
    char when[CLI_TIME_ROOM];
    heading(cli, "History");
    cJSON_ArrayForEach (entry, history) {
        printf("  %s  ", cli_when(lf_json_text(entry, "at"), when));
        cli_print(cli, CLI_DIM, lf_json_text_or(entry, "who", ""));
        fputs("  ", stdout);
        cli_print(cli, CLI_PLAIN, lf_json_text_or(entry, "text", ""));
        putchar('\n');
    }
}

static void show_file(const struct cli *cli, const cJSON *file)
{
    char size[32], text[600];
    if (!file)
        return;
    lf_size_format(lf_json_int(file, "size", 0), size, sizeof size);
    snprintf(text, sizeof text, "%.300s, %s, sha256 %s", lf_json_text_or(file, "name", ""), size,
             lf_json_text_or(file, "sha256", ""));
    cli_show_line(cli, "file", CLI_PLAIN, text);
}

void cli_show_job(const struct cli *cli, const cJSON *job)
{
    static const struct cli_field top[] = {{"state", "state", CLI_STATE},
                                           {"step", "step", CLI_PLAIN},
                                           {"note", "note", CLI_PLAIN},
                                           {"waits for", "waits_for", CLI_PLAIN},
                                           {"next try", "next_try", CLI_WHEN},
                                           {"what to do", "help", CLI_YELLOW},
                                           {"instrument", "instrument", CLI_PLAIN},
                                           {"route", "route", CLI_PLAIN},
                                           {"event", "event", CLI_PLAIN},
                                           {0}},
                                  times[] = {{"created", "created", CLI_WHEN},
                                             {"changed", "updated", CLI_WHEN},
                                             {0}},
                                  limit[] = {{"not after", "not_after", CLI_WHEN}, {0}};
    char title[300];
    snprintf(title, sizeof title, "Job %" PRId64 ": %s %.200s", lf_json_int(job, "id", 0),
             lf_json_text_or(job, "kind", ""), lf_json_text_or(job, "what", ""));
    cli_print(cli, CLI_BOLD, title);
    putchar('\n');
    cli_show_lines(cli, job, top);
    show_file(cli, lf_json_at(job, "file"));
    cli_show_lines(cli, job, times);
    if (strcmp(lf_json_text_or(job, "state", ""), "done") != 0)
        cli_show_lines(cli, job, limit);
    const cJSON *fields = lf_json_at(job, "fields"), *captures = lf_json_at(fields, "captures");
    if (cJSON_GetArraySize(captures))
        heading(cli, "Values");
    show_values(cli, captures);
    heading(cli, "Fields");
    cJSON *others = cJSON_Duplicate(fields, true);
    cJSON_DeleteItemFromObjectCaseSensitive(others, "captures");
    show_members(cli, others);
    cJSON_Delete(others);
    show_history(cli, lf_json_at(job, "history"));
}

void cli_show_outcome(const struct cli *cli, const cJSON *job)
{
    int64_t id = lf_json_int(job, "id", 0);
    const char *state = lf_json_text_or(job, "state", "?"), *note = lf_json_text(job, "note");
    printf("Job %" PRId64 " is ", id);
    cli_print(cli, cli_state_colour(state), state);
    printf(" at ");
    cli_print(cli, CLI_PLAIN, lf_json_text_or(job, "step", "?"));
    fputs(note ? ": " : "", stdout);
    cli_print(cli, CLI_PLAIN, note);
    printf(". `labferry job %" PRId64 "` shows it.\n", id);
}

/* One that runs, or has to settle its workflow task, is cancelled soon. */
static void show_cancelled(const struct cli *cli, const cJSON *job)
{
    int64_t id = lf_json_int(job, "id", 0);
    if (lf_json_text(job, "ending"))
        printf("Job %" PRId64 " is being cancelled; its workflow task becomes failed. ", id);
    else if (!strcmp(lf_json_text_or(job, "state", ""), "running"))
        printf("Job %" PRId64 " was asked to stop. ", id);
    else {
        cli_show_outcome(cli, job);
        return;
    }
    printf("`labferry job %" PRId64 "` shows it.\n", id);
}

static void show_asked(const struct cli *cli, const cJSON *answer)
{
    const cJSON *values = lf_json_at(answer, "values");
    show_values(cli, values);
    if (!cJSON_GetArraySize(values))
        puts("Done; it reports no values.");
}

/* ---- one event ---- */

static void show_event(const struct cli *cli, const cJSON *event)
{
    static const struct cli_field lines[] = {
        {"id", "id", CLI_BOLD},
        {"type", "type", CLI_PLAIN},
        {"about", "resource", CLI_PLAIN},
        {"fate", "fate", CLI_STATE},
        {"note", "note", CLI_PLAIN},
        {"source", "source", CLI_PLAIN},
        {"created", "created", CLI_WHEN},
        {"received", "received", CLI_WHEN},
        {"times", "times", CLI_PLAIN},
        {"jobs", "jobs", CLI_PLAIN},
        {0},
    };
    cli_show_lines(cli, event, lines);
    heading(cli, "Body");
    const cJSON *body = lf_json_at(event, "body");
    char *text = body ? cJSON_Print(body) : NULL;
    /* Line by line: the ends of lines are cJSON's own, those inside texts are escaped. */
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
    cli_print(cli, CLI_PLAIN, lf_json_text_or(event, "body_text", lf_json_text_or(event, "body_base64", "")));
    if (!body)
        putchar('\n');
}

/* ---- the table ---- */

const struct cli_field cli_job_columns[] = {
    {"JOB", "id", CLI_BOLD},     {"STATE", "state", CLI_STATE},           {"KIND", "kind", CLI_PLAIN},
    {"STEP", "step", CLI_PLAIN}, {"INSTRUMENT", "instrument", 0},         {"CHANGED", "updated", CLI_AGO},
    {"WHAT", "what", CLI_PLAIN}, {"NOTE", "note|waits for=waits_for", 0}, {0},
};

static const struct cli_field event_columns[] = {
    {"EVENT", "id", CLI_BOLD},     {"RECEIVED", "received", CLI_AGO},
    {"TIMES", "times", CLI_PLAIN}, {"FATE", "fate", CLI_STATE},
    {"JOBS", "jobs", CLI_PLAIN},   {"TYPE", "type", CLI_PLAIN},
    {"NOTE", "note", CLI_PLAIN},   {0},
};

static const struct cli_field audit_columns[] = {
    {"ENTRY", "seq", CLI_DIM},
    {"WHEN", "at", CLI_WHEN},
    {"WHO", "who", CLI_BOLD},
    {"WHAT", "what", CLI_STATE},
    {"ABOUT", "about", CLI_PLAIN},
    {"TEXT", "text", CLI_PLAIN},
    {0},
};

const struct cli_command cli_views[] = {
    {{.name = "status"}, .show = cli_show_status},
    {{.name = "instruments"}, .show = show_instruments},
    {{.name = "jobs"}, .columns = cli_job_columns},
    {{.name = "job"}, .show = cli_show_job},
    {{.name = "events"}, .columns = event_columns},
    {{.name = "event"}, .show = show_event},
    {{.name = "audit"}, .columns = audit_columns},
    {{.name = "ask"}, .show = show_asked},
    {{.name = "cancel"}, .show = show_cancelled},
    {{.name = "pause"}, .columns = cli_instrument_columns},
    {{.name = "resume"}, .columns = cli_instrument_columns},
    {.verb.name = NULL},
};

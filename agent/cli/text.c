/* Writing for people: safe texts, colours, times, tables. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "os/text.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH_MIN = 40, WIDTH_MAX = 10000, GAP = 2, LAST_MIN = 12, COLUMN_MIN = 2 };

static const char *const codes[] = {
    [CLI_PLAIN] = "",          [CLI_BOLD] = "\033[1m", [CLI_DIM] = "\033[2m",   [CLI_GREEN] = "\033[32m",
    [CLI_YELLOW] = "\033[33m", [CLI_RED] = "\033[31m", [CLI_BLUE] = "\033[36m",
};

void cli_setup_terminal(struct cli *cli)
{
    const char *none = getenv("NO_COLOR"), *kind = getenv("TERM"), *columns = getenv("COLUMNS");
    int width = lf_terminal_columns();
    if (!width)
        return;
    cli->colour = !(none && *none) && kind && strcmp(kind, "dumb") != 0;
    long asked = columns ? strtol(columns, NULL, 10) : 0;
    cli->width = asked > 0 && asked <= WIDTH_MAX ? (int)asked : width;
    if (cli->width < WIDTH_MIN)
        cli->width = WIDTH_MIN;
}

enum cli_colour cli_state_colour(const char *state)
{
    static const struct {
        const char *name;
        enum cli_colour colour;
    } colours[] = {
        {"done", CLI_GREEN},      {"idle", CLI_GREEN},     {"online", CLI_GREEN},   {"ok", CLI_GREEN},
        {"job", CLI_GREEN},       {"running", CLI_BLUE},   {"busy", CLI_BLUE},      {"ready", CLI_BLUE},
        {"connecting", CLI_BLUE}, {"woke", CLI_GREEN},     {"waiting", CLI_YELLOW}, {"paused", CLI_YELLOW},
        {"reread", CLI_YELLOW},   {"unknown", CLI_YELLOW}, {"held", CLI_RED},       {"failed", CLI_RED},
        {"offline", CLI_RED},     {"failing", CLI_RED},    {"bad", CLI_RED},        {"lost", CLI_RED},
        {"cancelled", CLI_DIM},   {"expired", CLI_RED},    {"twin", CLI_DIM},       {"unrouted", CLI_DIM},
    };
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (state && !strcmp(colours[i].name, state))
            return colours[i].colour;
    return CLI_PLAIN;
}

/* ---- texts from outside ---- */

/* The next character of text; *len bytes long, *width columns wide. False: it must not be printed as it
 * is. */
static bool next_character(const char *text, size_t *len, int *width)
{
    uint32_t c;
    if (lf_text_character(text, len, &c, width) && !lf_character_misleads(c))
        return true;
    *width = 1;
    return false;
}

static int width_of(const char *text)
{
    int total = 0, width;
    for (size_t len; *text; text += len) {
        next_character(text, &len, &width);
        total += width;
    }
    return total;
}

/* At most `room` columns (0: no bound), ending in "..." if that is too little. */
static void print_cut(FILE *out, const char *text, int room)
{
    bool cut = room > 0 && width_of(text) > room;
    int left = cut ? room - 1 : 0, width;
    for (size_t len; *text; text += len) {
        bool safe = next_character(text, &len, &width);
        if (cut && (left -= width) < 0)
            break;
        if (safe)
            fwrite(text, 1, len, out);
        else
            fputc(*text == '\n' || *text == '\t' ? ' ' : '?', out);
    }
    if (cut)
        fputs("\u2026", out);
}

void cli_print_to(FILE *out, const char *text)
{
    print_cut(out, text, 0);
}

static void print_coloured(const struct cli *cli, enum cli_colour colour, const char *text, int room)
{
    bool coloured = cli->colour && colour != CLI_PLAIN;
    if (coloured)
        fputs(codes[colour], stdout);
    print_cut(stdout, text, room);
    if (coloured)
        fputs("\033[0m", stdout);
}

void cli_print(const struct cli *cli, enum cli_colour colour, const char *text)
{
    if (text)
        print_coloured(cli, colour, text, 0);
}

/* ---- times ---- */

const char *cli_ago(const char *time, char room[CLI_TIME_ROOM])
{
    int64_t at, ms;
    *room = '\0';
    if (!time || lf_time_parse(time, &at) != LF_OK)
        return room;
    ms = lf_clock_wall_ms() - at;
    int64_t seconds = (ms < 0 ? -ms : ms) / 1000, count = seconds;
    const char *unit = "s";
    if (seconds >= INT64_C(2) * 86400)
        count = seconds / 86400, unit = "days";
    else if (seconds >= INT64_C(2) * 3600)
        count = seconds / 3600, unit = "h";
    else if (seconds >= 60)
        count = seconds / 60, unit = "min";
    if (seconds < 2)
        snprintf(room, CLI_TIME_ROOM, "now");
    else
        snprintf(room, CLI_TIME_ROOM, ms < 0 ? "in %lld %s" : "%lld %s ago", (long long)count, unit);
    return room;
}

const char *cli_when(const char *time, char room[CLI_TIME_ROOM])
{
    int64_t at;
    char local[LF_TIME_TEXT];
    *room = '\0';
    if (time && lf_time_parse(time, &at) == LF_OK) {
        lf_time_format_local(at, local);
        snprintf(room, CLI_TIME_ROOM, "%s", local);
    }
    return room;
}

/* ---- tables ---- */

void *cli_must(void *memory)
{
    if (!memory) {
        fputs("labferry: out of memory\n", stderr);
        exit(CLI_REFUSED);
    }
    return memory;
}

/* Fits a table to the terminal: the last column shrinks first, then the widest. */
static void shrink(const struct cli *cli, int *widths, int columns)
{
    int total = GAP * (columns - 1);
    for (int i = 0; i < columns; i++)
        total += widths[i];
    for (; cli->width && total > cli->width; total--) {
        int give = columns - 1;
        if (widths[give] <= LAST_MIN)
            for (int i = 0; i < columns; i++)
                if (widths[i] > widths[give])
                    give = i;
        if (widths[give] <= COLUMN_MIN)
            return;
        widths[give]--;
    }
}

static void print_row(const struct cli *cli, const struct cli_cell *row, const int *widths, int columns)
{
    for (int i = 0; i < columns; i++) {
        int width = width_of(row[i].text);
        print_coloured(cli, row[i].colour, row[i].text, cli->width ? widths[i] : 0);
        if (width > widths[i])
            width = widths[i];
        if (i + 1 < columns)
            printf("%*s", widths[i] - width + GAP, "");
    }
    putchar('\n');
}

void cli_print_table(const struct cli *cli, const struct cli_cell *cells, int rows, int columns)
{
    int widths[CLI_COLUMNS_MAX] = {0};
    for (int i = 0; i < rows * columns; i++) {
        int width = width_of(cells[i].text);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    shrink(cli, widths, columns);
    for (int row = 0; row < rows; row++)
        print_row(cli, &cells[row * columns], widths, columns);
}

/* A result is made from the worklist's columns, found by their names: the last one with "well" in it is where
 * the sample ends up; "sample" is the sample. A worklist without them is measured in the order A1, B1 ...
 * H12. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELL_MAX = 200 };

/* The n-th cell of a line; "" when there is none. */
static void cell(const char *line, size_t len, char separator, int64_t n, char out[CELL_MAX])
{
    const char *at = line, *end = line + len;
    for (; n > 0 && at < end; n--) {
        const char *next = memchr(at, separator, (size_t)(end - at));
        at = next ? next + 1 : end;
    }
    size_t wide = n > 0 ? 0 : (size_t)(end - at);
    const char *next = wide ? memchr(at, separator, wide) : NULL;
    if (next)
        wide = (size_t)(next - at);
    while (wide && strchr("\r \"", at[wide - 1]))
        wide--;
    while (wide && strchr(" \"", at[0]))
        at++, wide--;
    snprintf(out, CELL_MAX, "%.*s", (int)(wide < CELL_MAX ? wide : CELL_MAX - 1), at);
}

static int64_t column(const char *line, size_t len, char separator, const char *word)
{
    int64_t found = -1;
    char name[CELL_MAX];
    for (int64_t n = 0; n < 200; n++) {
        cell(line, len, separator, n, name);
        if (strcasestr(name, word))
            found = n;
    }
    return found;
}

/* FNV-1a; gives 0.050 to 2.049. */
static double absorbance(const char *sample, const char *well)
{
    uint32_t hash = 2166136261u;
    for (const char *text = sample; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    for (const char *text = well; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return 0.050 + (double)(hash % 2000) / 1000;
}

static void must(enum lf_status status)
{
    if (status != LF_OK)
        die("out of memory, or a result too large");
}

static void add_row(const struct options *options, const struct worklist *worklist, const char *run,
                    const char *well, const char *sample, bool bad, struct lf_buffer *out)
{
    const char *eol = options->crlf ? "\r\n" : "\n";
    if (bad)
        must(lf_buffer_format(out, "%s,%s,OVRFLW,%s,%s%s", well, sample, run, worklist->name, eol));
    else
        must(lf_buffer_format(out, "%s,%s,%.3f,%s,%s%s", well, sample, absorbance(sample, well), run,
                              worklist->name, eol));
}

void result_make(const struct options *options, const struct worklist *worklist, const char *run, bool bad,
                 struct lf_buffer *out)
{
    const char *at = worklist->text.data, *end = at + worklist->text.len;
    const char *eol = options->crlf ? "\r\n" : "\n";
    char separator = ',';
    int64_t well_column = -1, sample_column = -1;
    must(lf_buffer_format(out, "Well,Sample,Absorbance,Run,Worklist%s", eol));
    for (int64_t row = -1; at < end; row++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        size_t len = next ? (size_t)(next - at) : (size_t)(end - at);
        char well[CELL_MAX] = "", sample[CELL_MAX] = "";
        if (row < 0) {
            separator = memchr(at, ';', len) ? ';' : memchr(at, '\t', len) ? '\t' : ',';
            well_column = column(at, len, separator, "well");
            sample_column = column(at, len, separator, "sample");
        } else {
            if (well_column >= 0)
                cell(at, len, separator, well_column, well);
            else
                snprintf(well, sizeof well, "%c%d", (char)('A' + row % 8), (int)(row / 8 % 12 + 1));
            if (sample_column >= 0)
                cell(at, len, separator, sample_column, sample);
            add_row(options, worklist, run, well, sample, bad && row == worklist->rows / 2, out);
        }
        at += len + (next ? 1 : 0);
    }
    if (options->end_marker)
        must(lf_buffer_format(out, "%s%s", options->end_marker, eol));
}

char *result_name(const char *template, const char *worklist, const char *run)
{
    struct lf_buffer out = {.max = 4096};
    const char *dot = strrchr(worklist, '.');
    size_t stem = dot && dot != worklist ? (size_t)(dot - worklist) : strlen(worklist);
    char date[16];
    time_t now = time(NULL);
    struct tm local;
    strftime(date, sizeof date, "%Y%m%d", localtime_r(&now, &local));
    for (const char *at = template; *at;)
        if (!strncmp(at, "{stem}", 6))
            must(lf_buffer_append(&out, worklist, stem)), at += 6;
        else if (!strncmp(at, "{name}", 6))
            must(lf_buffer_text(&out, worklist)), at += 6;
        else if (!strncmp(at, "{run}", 5))
            must(lf_buffer_text(&out, run)), at += 5;
        else if (!strncmp(at, "{date}", 6))
            must(lf_buffer_text(&out, date)), at += 6;
        else
            must(lf_buffer_append(&out, at++, 1));
    char *name = lf_buffer_take(&out);
    if (!name)
        die("out of memory");
    return name;
}

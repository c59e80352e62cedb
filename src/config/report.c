/* The list of problems that loading finds. */
#include "config/load.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void add_problem(struct lf_load *load, enum lf_config_severity severity, const char *file, int line,
                        const char *text)
{
    struct lf_config_report *report = load->report;
    report->errors += severity == LF_CONFIG_ERROR;
    if (report->count >= LF_CONFIG_PROBLEMS_MAX)
        return; /* counted, but not kept */
    struct lf_config_problem *grown = realloc(report->problems, (report->count + 1) * sizeof *grown);
    if (!grown) {
        load->no_memory = true;
        return;
    }
    report->problems = grown;
    struct lf_config_problem *problem = &grown[report->count];
    *problem = (struct lf_config_problem){severity, strdup(file), line, strdup(text)};
    if (!problem->file || !problem->text) {
        free(problem->file);
        free(problem->text);
        load->no_memory = true;
        return;
    }
    report->count++;
}

void config__load_problem(struct lf_load *load, enum lf_config_severity severity, const config_setting_t *at,
                          const char *format, ...)
{
    char text[2 * LF_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *file = at ? config__load_file_of(load, at) : load->path;
    add_problem(load, severity, file, at ? (int)config_setting_source_line(at) : 0, text);
}

void config__load_error_in(struct lf_load *load, const char *file, int line, const char *text)
{
    add_problem(load, LF_CONFIG_ERROR, file, line, text);
}

void config__load_note(struct lf_load *load, const struct lf_error *err)
{
    load->no_memory = load->no_memory || err->status == LF_NO_MEMORY;
}

/* The main file first, then the included ones by name; within a file by line. Insertion sort is stable. */
static bool comes_after(const struct lf_config_problem *a, const struct lf_config_problem *b,
                        const char *path)
{
    int order = strcmp(a->file, b->file);
    if (order != 0)
        return !strcmp(b->file, path) || (strcmp(a->file, path) != 0 && order > 0);
    return a->line > b->line;
}

void config__report_sort(struct lf_config_report *report, const char *path)
{
    for (size_t i = 1; i < report->count; i++) {
        struct lf_config_problem moving = report->problems[i];
        size_t j = i;
        for (; j > 0 && comes_after(&report->problems[j - 1], &moving, path); j--)
            report->problems[j] = report->problems[j - 1];
        report->problems[j] = moving;
    }
}

void lf_config_report_free(struct lf_config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->problems[i].file);
        free(report->problems[i].text);
    }
    free(report->problems);
    *report = (struct lf_config_report){0};
}

void lf_config_report_print(const struct lf_config_report *report, FILE *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct lf_config_problem *problem = &report->problems[i];
        const char *word = problem->severity == LF_CONFIG_ERROR ? "error" : "warning";
        shown += problem->severity == LF_CONFIG_ERROR;
        if (problem->line > 0)
            fprintf(out, "%s:%d: %s: %s\n", problem->file, problem->line, word, problem->text);
        else
            fprintf(out, "%s: %s: %s\n", problem->file, word, problem->text);
    }
    if (report->errors > shown)
        fprintf(out, "... and %zu more errors\n", report->errors - shown);
    if (report->more)
        fprintf(out, "more may follow once these are fixed\n");
}

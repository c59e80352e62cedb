/* Rows of settings as comments of a configuration: help, choices or bounds, and the default. */
#include "config/config.h"

#include <string.h>

enum { WIDTH = 100 };

/* A comment, wrapped between words. */
static void print_comment(const char *text, int indent, FILE *out)
{
    int column = WIDTH;
    bool first = true;
    while (*text) {
        int len = (int)strcspn(text, " ");
        if (column + 1 + len > WIDTH) {
            if (!first)
                fputc('\n', out);
            fprintf(out, "%*s#", indent, "");
            column = indent + 1;
        }
        fprintf(out, " %.*s", len, text);
        column += 1 + len;
        text += len;
        text += *text == ' ';
        first = false;
    }
    fputc('\n', out);
}

/* Its choices or bounds, as a second comment line. */
static void print_allowed(const struct lf_setting *row, int indent, FILE *out)
{
    if (row->choices) {
        fprintf(out, "%*s# One of", indent, "");
        for (size_t i = 0; row->choices[i].name; i++)
            fprintf(out, "%s \"%s\"", i ? "," : "", row->choices[i].name);
        fputs(".\n", out);
    } else if (row->min || row->max) {
        char min[32], max[32];
        lf_setting_format(row->type, row->min, min, sizeof min);
        lf_setting_format(row->type, row->max, max, sizeof max);
        fprintf(out, "%*s# From %s to %s.\n", indent, "", min, max);
    }
}

static bool is_quoted(enum lf_setting_type type)
{
    return type != LF_INT && type != LF_BOOL && type != LF_NESTED;
}

static const char *placeholder(enum lf_setting_type type)
{
    return type == LF_NESTED ? "{ ... }"
           : type == LF_LIST ? "[ \"...\" ]"
           : is_quoted(type) ? "\"...\""
                             : "...";
}

void lf_config_print_rows(const struct lf_setting *rows, int indent, FILE *out)
{
    for (const struct lf_setting *row = rows; row->name; row++) {
        bool required = row->fallback == LF_REQUIRED, defaulted = row->fallback && !required;
        const char *quote = defaulted && is_quoted(row->type) ? "\"" : "";
        if (row->type == LF_REMOVED)
            continue;
        if (row != rows)
            fputc('\n', out);
        print_comment(row->help, indent, out);
        print_allowed(row, indent, out);
        fprintf(out, "%*s#%s = %s%s%s;%s\n", indent, "", row->name, quote,
                defaulted ? row->fallback : placeholder(row->type), quote, required ? " (required)" : "");
    }
}

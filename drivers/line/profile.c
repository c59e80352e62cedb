/* Finding, loading and describing profiles. */
#include "drivers/line/profile.h"

#include "base/file.h"
#include "base/search.h"
#include "drivers/line/scan.h"

#include <stdlib.h>
#include <string.h>

static const char suffix[] = ".profile";

enum { NAMES_ROOM = 300 };

static const char *name_of(const void *items, size_t size, size_t i)
{
    const char *name;
    memcpy(&name, (const char *)items + i * size, sizeof name);
    return name;
}

void *line__find(const void *items, size_t count, size_t size, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(name_of(items, size, i), name))
            return (char *)items + i * size;
    return NULL;
}

void line__nearest(struct lf_nearest *nearest, const void *items, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        lf_nearest_try(nearest, name_of(items, size, i));
}

const struct lf_line_command *line__profile_command(const struct lf_line_profile *profile, const char *name)
{
    return LINE_FIND(profile->commands, profile->command_count, name);
}

const struct lf_line_procedure *line__profile_procedure(const struct lf_line_profile *profile,
                                                        const char *name)
{
    return LINE_FIND(profile->procedures, profile->procedure_count, name);
}

static const char *folders(void)
{
    return lf_search_folders("LABFERRY_PROFILE_PATH", LF_PROFILE_PATH);
}

static void add_name(void *names, const char *name)
{
    lf_list_add(names, NAMES_ROOM, name);
}

static enum lf_status refuse_missing(const char *name, struct lf_error *err)
{
    char names[NAMES_ROOM] = "";
    struct lf_file_info info;
    if (lf_path_look(name, &info, err) == LF_OK && info.kind == LF_KIND_FILE)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT,
                       "no profile '%.60s' is installed; write ./%.60s for the one in this folder", name,
                       name);
    lf_search_list(folders(), suffix, add_name, names);
    return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT,
                   "no profile '%.60s' in %.150s. LABFERRY_PROFILE_PATH names other folders; a file of your "
                   "own is a path with a '/'. Available: %s",
                   name, folders(), *names ? names : "none");
}

static enum lf_status find(const char *which, char path[LF_SEARCH_PATH], struct lf_error *err)
{
    if (!strchr(which, '/'))
        return lf_search_find(folders(), which, suffix, path) ? LF_OK : refuse_missing(which, err);
    snprintf(path, LF_SEARCH_PATH, "%s", which);
    return LF_OK;
}

static enum lf_status load(const char *which, const struct lf_line_profile_report *report,
                           struct lf_line_profile **profile, struct lf_error *err)
{
    char path[LF_SEARCH_PATH];
    struct lf_buffer text = {0};
    *profile = NULL;
    enum lf_status status = find(which, path, err);
    if (status == LF_OK)
        status = lf_file_read(path, LF_PROFILE_BYTES_MAX, &text, err);
    if (status == LF_OK)
        status = line__profile_parse(lf_buffer_slice(&text), path, report, profile, err);
    lf_buffer_free(&text);
    return status;
}

enum lf_status lf_profile_load(const char *which, struct lf_line_profile **profile, struct lf_error *err)
{
    return load(which, NULL, profile, err);
}

struct checking {
    FILE *out;
    const char *which;
};

static void print_problem(void *self, int line, int column, const char *text)
{
    struct checking *checking = self;
    fprintf(checking->out, "%s:%d:%d: %s\n", checking->which, line, column, text);
}

enum lf_status lf_profile_check(const char *which, FILE *out, struct lf_error *err)
{
    struct lf_line_profile *profile;
    struct checking checking = {out, which};
    struct lf_line_profile_report report = {&checking, print_problem};
    enum lf_status status = load(which, &report, &profile, err);
    if (status != LF_OK)
        return status;
    fprintf(out, "%s: OK. %s: %zu commands, %zu procedures, %zu unsolicited messages%s\n", which,
            profile->title ? profile->title : "no title", profile->command_count, profile->procedure_count,
            profile->listen_count, profile->identify ? "" : "; cannot identify the instrument");
    lf_profile_free(profile);
    return LF_OK;
}

static void describe_inputs(const struct lf_line_input_rules *rules, FILE *out)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct lf_line_input_rule *rule = &rules->items[i];
        fprintf(out, "      %s: ", rule->name);
        switch (rule->type) {
        case LF_INPUT_TEXT: fprintf(out, "text of %g to %g characters", rule->min, rule->max); break;
        case LF_INPUT_INT: fprintf(out, "whole number, %.15g to %.15g", rule->min, rule->max); break;
        case LF_INPUT_REAL: fprintf(out, "number, %g to %g", rule->min, rule->max); break;
        case LF_INPUT_ONE:
            for (size_t k = 0; k < rule->choice_count; k++)
                fprintf(out, "%s%s", k ? " | " : "", rule->choices[k]);
            break;
        }
        if (rule->fallback)
            fprintf(out, ", else '%s'", rule->fallback);
        fputc('\n', out);
    }
}

static void describe_item(const char *name, const char *kind, const char *help, FILE *out)
{
    fprintf(out, "  %-20s %-10s  %s\n", name, kind, help ? help : "");
}

void lf_profile_describe(const struct lf_line_profile *profile, FILE *out)
{
    fprintf(out, "%s (%s)\n", profile->title ? profile->title : "no title", profile->name);
    if (profile->serial)
        fprintf(out, "  serial port: %s unless the stream sets its own\n", profile->serial);
    if (profile->inputs.count)
        fprintf(out, "inputs of the instrument (inputs = [\"name=value\"] in its configuration)\n");
    describe_inputs(&profile->inputs, out);
    if (profile->command_count)
        fprintf(out, "commands\n");
    for (size_t i = 0; i < profile->command_count; i++) {
        const struct lf_line_command *command = &profile->commands[i];
        describe_item(command->name, lf_repeat_name(command->repeat), command->help, out);
        describe_inputs(&command->inputs, out);
    }
    if (profile->procedure_count)
        fprintf(out, "procedures\n");
    for (size_t i = 0; i < profile->procedure_count; i++) {
        const struct lf_line_procedure *procedure = &profile->procedures[i];
        describe_item(procedure->name, lf_repeat_name(procedure->repeat), procedure->help, out);
        describe_inputs(&procedure->inputs, out);
        for (size_t k = 0; k < procedure->final_count; k++)
            fprintf(out, "      ends in any case with %s\n", procedure->finals[k].command_name);
        if (procedure->sign)
            fprintf(out, "      the sample was changed: %s\n", procedure->sign);
    }
    if (profile->listen_count)
        fprintf(out, "unsolicited messages\n");
    static const char *const forms[] = {"json", "csv", "text", "ignored"};
    for (size_t i = 0; i < profile->listen_count; i++)
        describe_item(profile->listens[i].name, forms[profile->listens[i].form], profile->listens[i].help,
                      out);
}

/* Profiles: any text is a good profile, or refused with a place and a reason. */
#include "fuzz.h"

#include "drivers/line/profile.h"
#include "drivers/line/reply_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    size_t problems;
    size_t lines; /* of the text */
    char first[LF_ERROR_TEXT];
};

static void problem(void *self, int line, int column, const char *text)
{
    struct seen *seen = self;
    MUST(line >= 1 && column >= 1, "at %d:%d: %s", line, column, text);
    MUST((size_t)line <= seen->lines + 1, "line %d of %zu: %s", line, seen->lines, text);
    MUST(text && *text, "a problem without a text at %d:%d", line, column);
    if (!seen->problems++)
        snprintf(seen->first, sizeof seen->first, "fuzzed:%d:%d: %s", line, column, text);
}

static struct lf_line_profile *parse(struct lf_slice text, struct seen *seen, struct lf_error *err)
{
    struct lf_line_profile *profile = NULL;
    struct lf_line_profile_report report = {seen, problem};
    enum lf_status status = line__profile_parse(text, "fuzzed", &report, &profile, err);
    fuzz_check_error(status, err);
    MUST((status == LF_OK) == (profile != NULL), "status %s", lf_status_name(status));
    MUST(status != LF_OK || !seen->problems, "accepted with problems: %s", seen->first);
    MUST(status != LF_INVALID || seen->problems <= LF_PROFILE_PROBLEMS_MAX, "%zu problems", seen->problems);
    return profile;
}

static void check_command(const struct lf_line_profile *profile, const struct lf_line_command *command)
{
    const struct lf_line_ending *ending = &command->ending;
    MUST(command->name && *command->name, "a command without a name");
    MUST(line__profile_command(profile, command->name), "%s is not found", command->name);
    MUST(ending->unit == LF_UNIT_NONE || command->expects.count, "%s: a reply, but nothing is expected",
         command->name);
    MUST(ending->unit == LF_UNIT_NONE || ending->times >= 1 || ending->until_blank, "%s: no units",
         command->name);
    MUST((ending->unit != LF_UNIT_LINE && ending->unit != LF_UNIT_PROMPT && ending->unit != LF_UNIT_CHAR)
             || ending->end.len,
         "%s: a line without an end", command->name);
    MUST(ending->unit != LF_UNIT_FIXED || ending->size, "%s: a unit of no bytes", command->name);
    MUST(command->times.total > 0 || ending->unit == LF_UNIT_NONE, "%s: no time", command->name);
    for (size_t i = 0; i < command->expects.count; i++) {
        struct lf_error err;
        enum lf_status status = line__reply_pattern_match(profile, &command->expects.items[i],
                                                          lf_slice_text("S S 100.00 g"), NULL, &err);
        MUST(status == LF_OK || status == LF_MISMATCH, "%s: %s", command->name, lf_status_name(status));
    }
}

static void check_profile(const struct lf_line_profile *profile)
{
    FILE *nowhere = fopen("/dev/null", "w");
    fuzz_need(nowhere, "no /dev/null");
    lf_profile_describe(profile, nowhere);
    fclose(nowhere);
    for (size_t i = 0; i < profile->command_count; i++)
        check_command(profile, &profile->commands[i]);
    for (size_t i = 0; i < profile->procedure_count; i++) {
        const struct lf_line_procedure *procedure = &profile->procedures[i];
        MUST(line__profile_procedure(profile, procedure->name), "%s is not found", procedure->name);
        for (size_t k = 0; k < procedure->step_count; k++) {
            const struct lf_line_step *step = &procedure->steps[k];
            MUST(!step->command_name || step->command, "%s: a step without its command", procedure->name);
            MUST(!step->command || step->command->repeat <= procedure->repeat,
                 "%s: repeats more than %s allows", procedure->name, step->command_name);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lf_slice text = lf_slice((const char *)data, size);
    struct seen seen = {.lines = 1}, again = {0};
    struct lf_error err = {0}, second = {0};
    for (size_t i = 0; i < size; i++)
        seen.lines += data[i] == '\n' || data[i] == '\r';
    again.lines = seen.lines;
    struct lf_line_profile *profile = parse(text, &seen, &err);
    if (profile) {
        check_profile(profile);
    } else {
        MUST(!parse(text, &again, &second) && !strcmp(err.text, second.text)
                 && seen.problems == again.problems,
             "%s, then %s", err.text, second.text);
        MUST(!seen.problems || !strncmp(err.text, "fuzzed:", 7), "no place: %s", err.text);
    }
    lf_profile_free(profile);
    return 0;
}

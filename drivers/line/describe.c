#include "drivers/line/describe.h"

#include "drivers/line/inputs.h"
#include "drivers/line/profile_parts.h"
#include "drivers/line/reply_match.h"

#include <string.h>

/* ---- inputs ---- */

static void tell_input(const struct lf_line_input_rule *rule, const struct lf_texts *fixed,
                       const struct lf_terms *terms)
{
    struct lf_error ignored;
    struct lf_line_input_set set = {.fixed = *fixed};
    terms->takes(terms->context, rule->name, !line__input_value(rule, &set, &ignored));
}

/* ---- values ---- */

/* What these patterns of a command capture; with a result, only what it reports. */
static void tell_values(const struct lf_line_command *command, const struct lf_line_patterns *patterns,
                        const struct lf_line_result *result, const struct lf_terms *terms)
{
    for (size_t i = 0; i < patterns->count; i++)
        for (size_t k = 0; k < patterns->items[i].count; k++) {
            const struct lf_line_part *part = &patterns->items[i].parts[k];
            if (part->name && (!result || !strcmp(part->name, result->capture)))
                terms->gives(terms->context, result ? result->as : part->name, line__capture_type(part),
                             result ? !result->optional : line__command_always_captures(command, part->name));
        }
}

static void tell_captures(const struct lf_line_command *command, const struct lf_line_result *result,
                          const struct lf_terms *terms)
{
    tell_values(command, &command->expects, result, terms);
    tell_values(command, &command->mores, result, terms);
}

static void tell_result(const struct lf_line_procedure *procedure, const struct lf_line_result *result,
                        const struct lf_terms *terms)
{
    for (size_t i = 0; i < procedure->step_count; i++) {
        const struct lf_line_step *step = &procedure->steps[i];
        if (step->command && (!result->label || !strcmp(result->label, step->label)))
            tell_captures(step->command, result, terms);
    }
}

/* ---- both ---- */

void line__describe_command(const struct lf_line_profile *profile, const struct lf_line_command *command,
                            const struct lf_texts *fixed, const struct lf_terms *terms)
{
    for (size_t i = 0; i < command->send.count; i++)
        if (command->send.parts[i].name)
            tell_input(line__input_rule(profile, &command->inputs, command->send.parts[i].name), fixed,
                       terms);
    tell_captures(command, NULL, terms);
}

void line__describe_procedure(const struct lf_line_procedure *procedure, const struct lf_texts *fixed,
                              const struct lf_terms *terms)
{
    for (size_t i = 0; i < procedure->inputs.count; i++)
        tell_input(&procedure->inputs.items[i], fixed, terms);
    for (size_t i = 0; i < procedure->result_count; i++)
        tell_result(procedure, &procedure->results[i], terms);
    for (size_t i = 0; !procedure->result_count && i < procedure->step_count; i++)
        if (procedure->steps[i].command)
            tell_captures(procedure->steps[i].command, NULL, terms);
}

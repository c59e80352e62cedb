/* Procedures: reads their steps and links them to the commands they name. */
#include "drivers/line/profile_parts.h"

#include "base/units.h"
#include "drivers/line/inputs.h"

#include <ctype.h>
#include <string.h>

enum { STEADY_MAX = 100, EVERY_MAX_MS = 60 * 60 * 1000 };

/* A value for a command's input: '...' with {inputs} in it, {input}, or a bare word. */
static bool read_argument_value(struct lf_line_scan *scan, struct lf_line_pattern *value)
{
    const char *start = line__scan_skip(scan);
    if (start < scan->end && (*start == '\'' || *start == '"'))
        return line__parse_pattern(scan, "a value", false, value);
    char *word = NULL;
    struct lf_line_part *part = line__scan_add(scan, &value->parts, sizeof *part);
    if (!part || !line__scan_value(scan, "a value", &word))
        return false;
    size_t len = strlen(word);
    value->source = word;
    if (len > 2 && word[0] == '{' && word[len - 1] == '}')
        part->name = line__scan_copy(scan, lf_slice(word + 1, len - 2));
    if (!part->name)
        part->bytes = lf_slice(word, len);
    if (strpbrk(part->name ? part->name : word, "{}"))
        return line__scan_problem(scan, start, "put quotes around it: '%s'", word);
    return true;
}

/* Takes the NAME of NAME=VALUE; empty, and nothing is taken, when something else comes next. */
static struct lf_slice take_input_name(struct lf_line_scan *scan)
{
    const char *start = scan->at;
    while (scan->at < scan->end && (isalnum((unsigned char)*scan->at) || *scan->at == '_'))
        scan->at++;
    struct lf_slice name = lf_slice(start, (size_t)(scan->at - start));
    if (name.len && line__scan_accept_char(scan, '='))
        return name;
    scan->at = start;
    return (struct lf_slice){0};
}

static bool read_argument(struct lf_line_scan *scan, struct lf_line_step *step, struct lf_slice name)
{
    char *input = line__scan_copy(scan, name);
    if (input && LINE_FIND(step->arguments, step->argument_count, input))
        return line__scan_problem(scan, name.data, "'%s' is given twice", input);
    struct lf_line_argument *argument = line__scan_add(scan, &step->arguments, sizeof *argument);
    if (!argument || !input)
        return false;
    argument->input = input;
    return read_argument_value(scan, &argument->value);
}

static bool read_times(struct lf_line_scan *scan, struct lf_line_step *step)
{
    return line__scan_count(scan, "a number of times", 1, LF_REPEAT_MAX, &step->times)
           && line__scan_expect(scan, "times", "3 times");
}

/* within X [over N] */
static bool read_steady(struct lf_line_scan *scan, struct lf_line_condition *until)
{
    until->over = 2;
    if (!line__scan_expect(scan, "within", "until value steady within 0.001 over 3"))
        return false;
    const char *start = scan->at;
    if (!line__scan_real(scan, "a difference", &until->number))
        return false;
    if (until->number < 0)
        return line__scan_problem(scan, start, "the difference must not be negative");
    return !line__scan_accept(scan, "over")
           || line__scan_count(scan, "a number of readings", 2, STEADY_MAX, &until->over);
}

static bool read_condition(struct lf_line_scan *scan, struct lf_line_condition *until)
{
    static const char *const words[] = {"is", "above", "below", "steady", NULL}; /* as in the enum */
    size_t word;
    until->kind = LF_UNTIL_DONE;
    if (line__scan_accept(scan, "done"))
        return true;
    if (!line__scan_name(scan, "the name of a captured value, or 'done',", &until->capture)
        || !line__scan_choice(scan, "a comparison", words, &word))
        return false;
    until->kind = LF_UNTIL_IS + (unsigned)word;
    if (until->kind == LF_UNTIL_STEADY)
        return read_steady(scan, until);
    if (until->kind != LF_UNTIL_IS)
        return line__scan_real(scan, "a number", &until->number);
    if (line__scan_accept(scan, "not"))
        until->kind = LF_UNTIL_IS_NOT;
    return line__scan_value(scan, "a value", &until->text);
}

static bool read_until(struct lf_line_scan *scan, struct lf_line_step *step)
{
    static const char example[] = "at most 20 times until stability is stable";
    return line__scan_expect(scan, "most", example) && read_times(scan, step)
           && line__scan_expect(scan, "until", example) && read_condition(scan, &step->until);
}

/* COMMAND [NAME=VALUE]... [as LABEL] [N times | at most N times until CONDITION] [every TIME] */
bool line__parse_step(struct lf_line_scan *scan, struct lf_line_step *step)
{
    step->place = line__scan_place(scan, scan->at);
    step->times = 1;
    if (!line__scan_name(scan, "the name of a command", &step->command_name))
        return false;
    while (!line__scan_at_end(scan)) {
        bool good;
        struct lf_slice input = take_input_name(scan);
        if (input.len)
            good = read_argument(scan, step, input);
        else if (isdigit((unsigned char)*scan->at))
            good = read_times(scan, step);
        else if (line__scan_accept(scan, "at"))
            good = read_until(scan, step);
        else if (line__scan_accept(scan, "every"))
            good = line__scan_duration(scan, 1, EVERY_MAX_MS, &step->wait_ms);
        else if (line__scan_accept(scan, "as"))
            good = line__scan_name(scan, "a label", &step->label);
        else
            return line__scan_problem(scan, scan->at,
                                      "expected: input=VALUE, 'as LABEL', 'N times', 'at most N times until "
                                      "...' or 'every TIME'");
        if (!good)
            return false;
    }
    if (!step->label)
        step->label = step->command_name;
    return true;
}

/* [LABEL.]CAPTURE [as NAME] [optional] */
bool line__parse_result(struct lf_line_scan *scan, struct lf_line_result *result)
{
    result->place = line__scan_place(scan, scan->at);
    if (!line__scan_name(scan, "the name of a captured value", &result->capture))
        return false;
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        result->label = result->capture;
        if (!line__scan_name(scan, "the name of a captured value", &result->capture))
            return false;
    }
    result->as = result->capture;
    if (line__scan_accept(scan, "as") && !line__scan_name(scan, "a name", &result->as))
        return false;
    result->optional = line__scan_accept(scan, "optional");
    return true;
}

/* ---- linking ---- */

bool line__pattern_has(const struct lf_line_pattern *pattern, const char *name)
{
    for (size_t i = 0; i < pattern->count; i++)
        if (pattern->parts[i].name && !strcmp(pattern->parts[i].name, name))
            return true;
    return false;
}

/* How many of the patterns capture it? */
static size_t capturing(const struct lf_line_patterns *patterns, const char *name)
{
    size_t having = 0;
    for (size_t i = 0; i < patterns->count; i++)
        having += line__pattern_has(&patterns->items[i], name);
    return having;
}

bool line__command_always_captures(const struct lf_line_command *command, const char *name)
{
    return command->expects.count && capturing(&command->expects, name) == command->expects.count;
}

static bool link_command(struct lf_line_scan *scan, struct lf_line_step *step)
{
    const struct lf_line_profile *profile = scan->profile;
    struct lf_nearest nearest = {.word = step->command_name};
    char hint[LF_HINT];
    step->command = line__profile_command(profile, step->command_name);
    if (step->command)
        return true;
    LINE_NEAREST(&nearest, profile->commands, profile->command_count);
    return line__scan_problem_at(scan, step->place, "unknown command '%s'%s", step->command_name,
                                 lf_nearest_hint(&nearest, "", hint));
}

static bool link_argument(struct lf_line_scan *scan, const struct lf_line_procedure *procedure,
                          const struct lf_line_step *step, const struct lf_line_argument *argument)
{
    const struct lf_line_pattern *value = &argument->value;
    const struct lf_line_input_rule *rule = line__input_rule(scan->profile, &step->command->inputs,
                                                             argument->input);
    if (!rule)
        return line__scan_problem_at(scan, step->place, "'%s' has no input '%s'", step->command->name,
                                     argument->input);
    bool literal = true;
    for (size_t i = 0; i < value->count; i++) {
        const char *input = value->parts[i].name;
        literal = literal && !input;
        if (input && !LINE_FIND(procedure->inputs.items, procedure->inputs.count, input))
            return line__scan_problem_at(scan, step->place,
                                         "undeclared input '%s'; add to the procedure: input = %s ...", input,
                                         input);
    }
    struct lf_error err;
    if (literal /* one part at most, with a NUL after it: it can be checked now */
        && line__input_append(scan->profile, rule, value->count ? value->parts[0].bytes.data : "", 0, NULL,
                              &err)
               != LF_OK)
        line__scan_problem_at(scan, step->place, "%s", err.text);
    return true;
}

static bool link_arguments(struct lf_line_scan *scan, const struct lf_line_procedure *procedure,
                           const struct lf_line_step *step)
{
    const struct lf_line_input_rules *rules = &step->command->inputs;
    for (size_t i = 0; i < step->argument_count; i++)
        if (!link_argument(scan, procedure, step, &step->arguments[i]))
            return false;
    for (size_t i = 0; i < rules->count; i++) {
        const char *name = rules->items[i].name;
        if (!rules->items[i].fallback && !LINE_FIND(step->arguments, step->argument_count, name))
            return line__scan_problem_at(scan, step->place, "'%s' needs the input '%s': write %s=...",
                                         step->command->name, name, name);
    }
    return true;
}

static bool link_step(struct lf_line_scan *scan, struct lf_line_procedure *procedure,
                      struct lf_line_step *step)
{
    if (!step->command_name)
        return true;
    if (!link_command(scan, step) || !link_arguments(scan, procedure, step))
        return false;
    if (step->command->repeat > procedure->repeat)
        procedure->repeat = step->command->repeat;
    if (step->until.kind == LF_UNTIL_NOTHING)
        return true;
    if (step->command->repeat == LF_ONCE)
        return line__scan_problem_at(scan, step->place,
                                     "'%s' has class once: it cannot be repeated until a condition holds",
                                     step->command->name);
    return step->until.kind == LF_UNTIL_DONE
           || line__command_always_captures(step->command, step->until.capture)
           || line__scan_problem_at(scan, step->place, "'%s' does not capture '%s' in every expect",
                                    step->command->name, step->until.capture);
}

/* It must work when nothing else does: no repetitions, nothing to wait for. */
static bool link_final(struct lf_line_scan *scan, struct lf_line_procedure *procedure,
                       struct lf_line_step *row)
{
    if (!link_step(scan, procedure, row))
        return false;
    if (row->times > 1 || row->until.kind || row->command->awaits)
        return line__scan_problem_at(scan, row->place,
                                     "finally: one command, sent once, as in: finally = stop");
    return true;
}

/* A reading that is not a result by itself; "until done" does not make it stable. */
static bool is_provisional(const struct lf_line_step *step)
{
    return step->command && step->command->provisional && step->until.kind <= LF_UNTIL_DONE;
}

static bool link_result(struct lf_line_scan *scan, const struct lf_line_procedure *procedure,
                        const struct lf_line_result *result)
{
    struct lf_line_place place = result->place;
    for (size_t i = procedure->step_count; i-- > 0;) {
        const struct lf_line_step *step = &procedure->steps[i];
        if (!step->command || (result->label && strcmp(result->label, step->label) != 0)
            || !(capturing(&step->command->expects, result->capture)
                 || capturing(&step->command->mores, result->capture)))
            continue;
        if (is_provisional(step))
            return line__scan_problem_at(scan, place,
                                         "'%s' gives provisional readings: repeat it until they are stable "
                                         "(at most N times until ...)",
                                         step->command->name);
        return result->optional || line__command_always_captures(step->command, result->capture)
               || line__scan_problem_at(scan, place, "not every expect of '%s' captures '%s': add 'optional'",
                                        step->command->name, result->capture);
    }
    return line__scan_problem_at(scan, place, "no step%s%s captures '%s'", result->label ? " labelled " : "",
                                 result->label ? result->label : "", result->capture);
}

static bool check_inputs_used(struct lf_line_scan *scan, const struct lf_line_procedure *procedure)
{
    for (size_t i = 0; i < procedure->inputs.count; i++) {
        const char *name = procedure->inputs.items[i].name;
        bool used = false;
        for (size_t s = 0; s < procedure->step_count; s++)
            for (size_t a = 0; a < procedure->steps[s].argument_count; a++)
                used = used || line__pattern_has(&procedure->steps[s].arguments[a].value, name);
        for (size_t s = 0; s < procedure->final_count; s++)
            for (size_t a = 0; a < procedure->finals[s].argument_count; a++)
                used = used || line__pattern_has(&procedure->finals[s].arguments[a].value, name);
        if (!used)
            return line__scan_problem_at(scan, procedure->place, "no step uses the input '%s'", name);
    }
    return true;
}

static bool link_procedure(struct lf_line_scan *scan, struct lf_line_procedure *procedure)
{
    bool good = true, acts = false, provisional = false;
    for (size_t i = 0; i < procedure->step_count; i++) {
        struct lf_line_step *step = &procedure->steps[i];
        good = link_step(scan, procedure, step) && good;
        acts = acts || step->command_name;
        provisional = provisional || is_provisional(step);
    }
    for (size_t i = 0; i < procedure->final_count; i++)
        good = link_final(scan, procedure, &procedure->finals[i]) && good;
    if (!acts)
        return line__scan_problem_at(scan, procedure->place,
                                     "the procedure '%s' has no steps: add do = COMMAND", procedure->name);
    if (provisional && !procedure->result_count)
        return line__scan_problem_at(scan, procedure->place,
                                     "the procedure '%s' has provisional readings: name the ones that "
                                     "count with result = ...",
                                     procedure->name);
    for (size_t i = 0; good && i < procedure->result_count; i++)
        good = link_result(scan, procedure, &procedure->results[i]);
    return good && check_inputs_used(scan, procedure);
}

/* The agent runs it on its own, over and over: it must change nothing and need nothing. */
static bool link_sign(struct lf_line_scan *scan, const struct lf_line_procedure *procedure)
{
    const struct lf_line_profile *profile = scan->profile;
    if (!procedure->sign)
        return true;
    const struct lf_line_procedure *sign = line__profile_procedure(profile, procedure->sign);
    struct lf_nearest nearest = {.word = procedure->sign};
    char hint[LF_HINT];
    if (!sign) {
        LINE_NEAREST(&nearest, profile->procedures, profile->procedure_count);
        return line__scan_problem_at(scan, procedure->place, "sign: unknown procedure '%s'%s",
                                     procedure->sign, lf_nearest_hint(&nearest, "", hint));
    }
    if (sign->repeat != LF_SAFE)
        return line__scan_problem_at(scan, procedure->place, "sign: '%s' is not safe", sign->name);
    for (size_t i = 0; i < sign->inputs.count; i++)
        if (!sign->inputs.items[i].fallback)
            return line__scan_problem_at(scan, procedure->place, "sign: '%s' needs the input '%s'",
                                         sign->name, sign->inputs.items[i].name);
    return true;
}

bool line__link_procedures(struct lf_line_scan *scan)
{
    bool good = true;
    for (size_t i = 0; i < scan->profile->procedure_count; i++)
        good = link_procedure(scan, &scan->profile->procedures[i]) && good;
    for (size_t i = 0; good && i < scan->profile->procedure_count; i++)
        good = link_sign(scan, &scan->profile->procedures[i]);
    return good;
}

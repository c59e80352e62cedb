/* Reply endings, checksums and inputs. */
#include "drivers/line/profile_parts.h"

#include <math.h>
#include <string.h>

enum { FIXED_MAX = 1024 * 1024, TEXT_MAX = 4096, DIGITS_MAX = 15 };

static bool need_bytes(struct lf_line_scan *scan, const char *what, struct lf_slice *bytes)
{
    line__scan_skip(scan);
    const char *start = scan->at;
    if (!line__scan_bytes(scan, what, bytes))
        return false;
    return bytes->len ? true : line__scan_problem(scan, start, "%s must not be empty", what);
}

static bool parse_one_of(struct lf_line_scan *scan, struct lf_slice *set)
{
    return line__scan_expect(scan, "of", "one of \"*#\"") && need_bytes(scan, "a set of characters", set);
}

static bool parse_prompt(struct lf_line_scan *scan, struct lf_line_ending *ending)
{
    ending->unit = LF_UNIT_PROMPT;
    return line__scan_expect(scan, "one", "prompt one of \":<>\"") && parse_one_of(scan, &ending->end);
}

/* frame "<STX>" [length] to "<ETX>" [tail "\r\n"] */
static bool parse_frame(struct lf_line_scan *scan, struct lf_line_ending *ending)
{
    if (!need_bytes(scan, "the start of the frame", &ending->start))
        return false;
    ending->length_byte = line__scan_accept(scan, "length");
    if (!line__scan_expect(scan, "to", "frame \"<STX>\" to \"<ETX>\"")
        || !need_bytes(scan, "the end of the frame", &ending->end))
        return false;
    return !line__scan_accept(scan, "tail") || need_bytes(scan, "the tail of the frame", &ending->tail);
}

static bool parse_unit(struct lf_line_scan *scan, struct lf_line_ending *ending)
{
    static const char *const units[] = {"none",  "line", "prompt", "one", "fixed",
                                        "frame", "idle", "block",  NULL};
    size_t index;
    if (!line__scan_choice(scan, "a way a reply ends", units, &index))
        return false;
    ending->unit = (enum lf_line_unit)index;
    switch (ending->unit) {
    case LF_UNIT_NONE: return true;
    case LF_UNIT_LINE:
    case LF_UNIT_BLOCK: return need_bytes(scan, "the end of a line", &ending->end);
    case LF_UNIT_PROMPT: return parse_prompt(scan, ending);
    case LF_UNIT_CHAR: return parse_one_of(scan, &ending->end);
    case LF_UNIT_FIXED: return line__scan_count(scan, "a number of bytes", 1, FIXED_MAX, &ending->size);
    case LF_UNIT_FRAME: return parse_frame(scan, ending);
    case LF_UNIT_IDLE: return line__scan_duration(scan, 1, 60000, &ending->idle_ms);
    }
    return false;
}

static bool parse_many(struct lf_line_scan *scan, struct lf_line_ending *ending)
{
    const char *start = scan->at;
    if (line__scan_accept(scan, "until")) {
        if (!line__scan_expect(scan, "blank", "line \"\\r\\n\" until blank"))
            return false;
        if (ending->unit != LF_UNIT_LINE)
            return line__scan_problem(scan, start, "'until blank' works only with 'line'");
        ending->until_blank = true;
    } else if (line__scan_accept(scan, "times")) {
        return line__scan_count(scan, "a number of times", 1, LF_REPLY_LINES_MAX, &ending->times);
    }
    return true;
}

bool line__parse_ending(struct lf_line_scan *scan, struct lf_line_ending *ending)
{
    *ending = (struct lf_line_ending){.times = 1};
    if (!parse_unit(scan, ending))
        return false;
    if (line__scan_accept(scan, "or")
        && (!line__scan_expect(scan, "one", "line \"\\r\\n\" or one of \"#\"")
            || !parse_one_of(scan, &ending->alone)))
        return false;
    if (!parse_many(scan, ending))
        return false;
    if (ending->unit == LF_UNIT_NONE && (ending->times > 1 || ending->alone.len))
        return line__scan_problem(scan, scan->at, "'none' cannot be combined");
    return !line__scan_accept(scan, "checksum") || line__parse_checksum(scan, &ending->check);
}

/* NAME [hex] [low first | high first] [after end] [with start] */
bool line__parse_checksum(struct lf_line_scan *scan, struct lf_line_check *check)
{
    size_t index;
    if (!line__scan_choice(scan, "a checksum", line__checksum_names, &index))
        return false;
    *check = (struct lf_line_check){.kind = (enum line__checksum)(index + 1)};
    check->low_first = check->kind == LF_CHECKSUM_CRC16_MODBUS;
    while (!line__scan_at_end(scan)) {
        static const char *const words[] = {"hex", "low", "high", "after", "with", NULL};
        static const char *const seconds[] = {NULL, "first", "first", "end", "start"};
        size_t word;
        if (!line__scan_choice(scan, "a property of a checksum", words, &word))
            return false;
        if (seconds[word] && !line__scan_accept(scan, seconds[word]))
            return line__scan_problem(scan, scan->at, "expected '%s', as in: %s %s", seconds[word],
                                      words[word], seconds[word]);
        switch (word) {
        case 0: check->hex = true; break;
        case 1: check->low_first = true; break;
        case 2: check->low_first = false; break;
        case 3: check->after_end = true; break;
        default: check->with_start = true; break;
        }
    }
    return true;
}

static bool parse_bounds(struct lf_line_scan *scan, struct lf_line_input_rule *rule)
{
    line__scan_skip(scan);
    const char *start = scan->at;
    if (!line__scan_real(scan, "the lower bound", &rule->min) || !line__scan_expect(scan, "to", "0.1 to 250")
        || !line__scan_real(scan, "the upper bound", &rule->max))
        return false;
    if (rule->min > rule->max)
        return line__scan_problem(scan, start, "the lower bound is greater than the upper bound");
    if (rule->type == LF_INPUT_TEXT
        && (rule->min < 0 || rule->max > TEXT_MAX || rule->min != floor(rule->min)))
        return line__scan_problem(scan, start,
                                  "the bounds of a text are its length: whole numbers from 0 to %d",
                                  TEXT_MAX);
    if (rule->type == LF_INPUT_INT
        && (rule->min != floor(rule->min) || rule->max != floor(rule->max) || fabs(rule->min) > 9e15
            || fabs(rule->max) > 9e15))
        return line__scan_problem(scan, start, "the bounds of an int must be whole numbers up to 9e15");
    return true;
}

static bool parse_words(struct lf_line_scan *scan, struct lf_line_input_rule *rule)
{
    if (!line__scan_expect(scan, "of", "one of g, kg"))
        return false;
    do {
        char **word = line__scan_add(scan, &rule->choices, &rule->choice_count, sizeof *rule->choices);
        if (!word || !line__scan_value(scan, "a word", word))
            return false;
    } while (line__scan_accept_char(scan, ','));
    return true;
}

static bool parse_small(struct lf_line_scan *scan, const char *what, int *value)
{
    int64_t number;
    if (!line__scan_int(scan, what, 0, DIGITS_MAX, &number))
        return false;
    *value = (int)number;
    return true;
}

/* [digits N] [decimals N] [without "chars"] [default VALUE] */
static bool parse_extras(struct lf_line_scan *scan, struct lf_line_input_rule *rule)
{
    while (!line__scan_at_end(scan)) {
        static const char *const words[] = {"digits", "decimals", "without", "default", NULL};
        size_t word;
        line__scan_skip(scan);
        const char *start = scan->at;
        if (!line__scan_choice(scan, "a property of an input", words, &word))
            return false;
        enum lf_line_input_type only = word == 0 ? LF_INPUT_INT : word == 1 ? LF_INPUT_REAL : LF_INPUT_TEXT;
        if (word < 3 && rule->type != only)
            return line__scan_problem(scan, start, "'%s' does not apply to this type of input", words[word]);
        bool good = word == 0   ? parse_small(scan, "a number of digits", &rule->digits)
                    : word == 1 ? parse_small(scan, "a number of decimals", &rule->decimals)
                    : word == 2 ? line__scan_bytes(scan, "a set of characters", &rule->never)
                                : line__scan_value(scan, "a default", &rule->fallback);
        if (!good)
            return false;
    }
    return true;
}

/* NAME TYPE BOUNDS EXTRAS */
bool line__parse_input(struct lf_line_scan *scan, struct lf_line_input_rule *rule)
{
    static const char *const types[] = {"text", "int", "real", "one", NULL};
    size_t type;
    line__scan_skip(scan);
    const char *start = scan->at;
    if (!line__scan_name(scan, "the name of an input", &rule->name))
        return false;
    if (strchr(rule->name, '-'))
        return line__scan_problem(scan, start, "an input's name cannot contain '-': use '_'");
    if (!line__scan_choice(scan, "a type of input", types, &type))
        return false;
    rule->type = (enum lf_line_input_type)type;
    rule->decimals = -1;
    return (rule->type == LF_INPUT_ONE ? parse_words(scan, rule) : parse_bounds(scan, rule))
           && parse_extras(scan, rule);
}

const struct lf_line_input_rule *line__input_rule_find(const struct lf_line_input_rule *rules, size_t count,
                                                       const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(rules[i].name, name))
            return &rules[i];
    return NULL;
}

const struct lf_line_input_rule *line__input_rule(const struct lf_line_profile *profile,
                                                  const struct lf_line_input_rule *own, size_t count,
                                                  const char *name)
{
    const struct lf_line_input_rule *rule = line__input_rule_find(own, count, name);
    return rule ? rule : line__input_rule_find(profile->inputs, profile->input_count, name);
}

/* Reply endings, checksums and inputs. */
#include "drivers/line/profile_parts.h"

#include <math.h>
#include <string.h>

enum { FIXED_MAX = 1024 * 1024, TEXT_MAX = 4096, DIGITS_MAX = 15 };

static bool need_bytes(struct lf_line_scan *scan, const char *what, struct lf_slice *bytes)
{
    const char *start = line__scan_skip(scan);
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

/* NAME [hex] [low first | high first] [after end] [with start] */
static bool parse_checksum(struct lf_line_scan *scan, struct lf_line_check *check)
{
    size_t index;
    if (!line__scan_choice(scan, "a checksum", line__checksum_names, &index))
        return false;
    *check = (struct lf_line_check){.kind = (enum line__checksum)(index + 1)};
    check->low_first = check->kind == LF_CHECKSUM_CRC16_MODBUS;
    while (!line__scan_at_end(scan)) {
        static const char *const words[] = {"hex", "low", "high", "after", "with", NULL};
        static const char *const whole[] = {"hex", "low first", "high first", "after end", "with start"};
        bool *const flags[] = {&check->hex, &check->low_first, &check->low_first, &check->after_end,
                               &check->with_start};
        size_t word;
        if (!line__scan_choice(scan, "a property of a checksum", words, &word))
            return false;
        const char *second = strchr(whole[word], ' ');
        if (second && !line__scan_expect(scan, second + 1, whole[word]))
            return false;
        *flags[word] = strcmp(words[word], "high") != 0;
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
    return !line__scan_accept(scan, "checksum") || parse_checksum(scan, &ending->check);
}

static bool parse_bounds(struct lf_line_scan *scan, struct lf_line_input_rule *rule)
{
    const char *start = line__scan_skip(scan);
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
        char **word = line__scan_add(scan, &rule->choices, sizeof *rule->choices);
        if (!word || !line__scan_value(scan, "a word", word))
            return false;
    } while (line__scan_accept_char(scan, ','));
    return true;
}

/* [digits N] [decimals N] [without "chars"] [default VALUE] */
static bool parse_extras(struct lf_line_scan *scan, struct lf_line_input_rule *rule)
{
    while (!line__scan_at_end(scan)) {
        static const char *const words[] = {"digits", "decimals", "without", "default", NULL};
        size_t word;
        const char *start = scan->at;
        if (!line__scan_choice(scan, "a property of an input", words, &word))
            return false;
        enum lf_line_input_type only = word == 0 ? LF_INPUT_INT : word == 1 ? LF_INPUT_REAL : LF_INPUT_TEXT;
        if (word < 3 && rule->type != only)
            return line__scan_problem(scan, start, "'%s' does not apply to this type of input", words[word]);
        bool good = word == 0   ? line__scan_int(scan, "a number of digits", 0, DIGITS_MAX, &rule->digits)
                    : word == 1 ? line__scan_int(scan, "a number of decimals", 0, DIGITS_MAX, &rule->decimals)
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
    const char *start = line__scan_skip(scan);
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

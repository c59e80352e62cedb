/* Patterns and texts to send. Both are read from the raw text between the quotes, because an escaped
 * '{' or blank stands for itself. */
#include "drivers/line/profile_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_MAX = 1000 };

/* The text between the quotes, and the bytes collected for the part that is being read. */
struct text {
    struct lf_line_scan *scan;
    const char *at, *end;
    char *bytes; /* room for all of the text */
    size_t len;  /* bytes collected */
};

static bool at_char(const struct text *text, char c)
{
    return text->at < text->end && *text->at == c;
}

/* Takes the character if it comes next. */
static bool take(struct text *text, char c)
{
    bool found = at_char(text, c);
    text->at += found;
    return found;
}

/* The collected bytes; collecting goes on after them. */
static struct lf_slice take_bytes(struct text *text)
{
    struct lf_slice bytes = lf_slice(text->bytes, text->len);
    text->bytes += text->len;
    text->len = 0;
    return bytes;
}

static struct lf_line_part *add_part(struct text *text, struct lf_line_pattern *pattern)
{
    if (pattern->count >= LF_PROFILE_PARTS_MAX) {
        line__scan_problem(text->scan, text->at, "this text has more than %d parts", LF_PROFILE_PARTS_MAX);
        return NULL;
    }
    return line__scan_add(text->scan, &pattern->parts, sizeof *pattern->parts);
}

static bool end_bytes(struct text *text, struct lf_line_pattern *pattern)
{
    struct lf_line_part *part = text->len ? add_part(text, pattern) : NULL;
    if (part)
        *part = (struct lf_line_part){.kind = LF_PART_BYTES, .bytes = take_bytes(text)};
    return part || !text->len;
}

/* The name before ':' or '}'; stays NULL if there is none. */
static bool read_name(struct text *text, char **name)
{
    const char *start = text->at;
    while (text->at < text->end && (isalnum((unsigned char)*text->at) || *text->at == '_'))
        text->at++;
    if (text->at == start)
        return true;
    if (isdigit((unsigned char)*start) || text->at - start > 64)
        return line__scan_problem(text->scan, start,
                                  "a name starts with a letter and has at most 64 characters");
    *name = line__scan_copy(text->scan, lf_slice(start, (size_t)(text->at - start)));
    return *name != NULL;
}

/* A word of one(...) up to '=', '|' or ')'. */
static bool read_choice_word(struct text *text, bool stop_at_equals, struct lf_slice *word)
{
    const char *start = text->at;
    while (text->at < text->end && !at_char(text, '|') && !at_char(text, ')')
           && !(stop_at_equals && at_char(text, '=')))
        if (!line__scan_char(text->scan, &text->at, text->end, &text->bytes[text->len++]))
            return false;
    *word = take_bytes(text);
    return word->len
           || line__scan_problem(text->scan, start, "expected a word, as in one(S=stable|D=dynamic)");
}

static bool read_choice(struct text *text, struct lf_line_part *part)
{
    struct lf_line_choice *choice = line__scan_add(text->scan, &part->choices, sizeof *choice);
    if (!choice || !read_choice_word(text, part->type == LF_VALUE_ONE, &choice->said))
        return false;
    struct lf_slice means = choice->said;
    const char *start = text->at;
    if (part->type == LF_VALUE_BOOL)
        means = lf_slice_text(part->choice_count == 1 ? "true" : "false");
    else if (take(text, '=') && !read_choice_word(text, false, &means))
        return false;
    for (size_t i = 0; i < means.len; i++)
        if ((unsigned char)means.data[i] < 0x20 || (unsigned char)means.data[i] >= 0x7f)
            return line__scan_problem(text->scan, start,
                                      "the reported word must be printable ASCII: write one(\\x06=done)");
    choice->means = line__scan_copy(text->scan, means);
    return choice->means != NULL;
}

static bool read_choices(struct text *text, struct lf_line_part *part)
{
    const char *start = text->at;
    if (!at_char(text, '('))
        return line__scan_problem(text->scan, start, "missing words, as in: %s",
                                  part->type == LF_VALUE_ONE ? "one(S=stable|D=dynamic)" : "bool(ON|OFF)");
    do {
        text->at++;
        if (!read_choice(text, part))
            return false;
    } while (at_char(text, '|'));
    if (!take(text, ')'))
        return line__scan_problem(text->scan, start, "missing closing ')'");
    if (part->type == LF_VALUE_BOOL && part->choice_count != 2)
        return line__scan_problem(text->scan, start, "bool(...) needs two words: true first, then false");
    return true;
}

static bool read_type(struct text *text, struct lf_line_part *part)
{
    static const char *const types[] = {"text", "word", "int", "real", "hex", "data", "bool", "one", NULL};
    const char *start = text->at;
    size_t type;
    while (text->at < text->end && islower((unsigned char)*text->at))
        text->at++;
    if (!line__scan_pick(text->scan, lf_slice(start, (size_t)(text->at - start)), "a type", types, &type))
        return false;
    part->type = (enum lf_line_value_type)type;
    return part->type < LF_VALUE_BOOL || read_choices(text, part);
}

static bool read_width(struct text *text, struct lf_line_part *part)
{
    part->right = take(text, '>');
    const char *start = text->at;
    size_t width = 0;
    for (; text->at < text->end && isdigit((unsigned char)*text->at) && width <= WIDTH_MAX; text->at++)
        width = width * 10 + (size_t)(*text->at - '0');
    part->width = width;
    return (width && width <= WIDTH_MAX)
           || line__scan_problem(text->scan, start, "expected a width: 1 to %d characters", WIDTH_MAX);
}

/* After the '{' of {name:type:width}. */
static bool read_capture(struct text *text, struct lf_line_pattern *pattern, struct lf_line_part *part)
{
    const char *start = text->at;
    if (!read_name(text, &part->name))
        return false;
    if (take(text, ':') && (!read_type(text, part) || (take(text, ':') && !read_width(text, part))))
        return false;
    if (!take(text, '}'))
        return line__scan_problem(text->scan, text->at,
                                  "expected '}', as in {value:real} (a brace itself: \\{)");
    if (part->right && pattern->count > 1 && part[-1].kind == LF_PART_BLANKS)
        return line__scan_problem(text->scan, start,
                                  "the blanks before this column would take its own: write '\\ ' for exactly "
                                  "one blank");
    for (size_t i = 0; part->name && i + 1 < pattern->count; i++)
        if (pattern->parts[i].name && !strcmp(pattern->parts[i].name, part->name))
            return line__scan_problem(text->scan, start, "'%s' is captured twice in one pattern", part->name);
    return true;
}

/* After the '{' of {input}. */
static bool read_input(struct text *text, struct lf_line_part *part)
{
    const char *brace = text->at - 1;
    if (!read_name(text, &part->name))
        return false;
    return (part->name && take(text, '}'))
           || line__scan_problem(text->scan, brace,
                                 "expected the name of an input, as in {volume} (a brace itself: \\{)");
}

/* A run of blanks, or what stands in braces. */
static bool read_special(struct text *text, bool reply, struct lf_line_pattern *pattern)
{
    struct lf_line_part *part = add_part(text, pattern);
    if (!part)
        return false;
    if (take(text, '{')) {
        part->kind = LF_PART_VALUE;
        return reply ? read_capture(text, pattern, part) : read_input(text, part);
    }
    part->kind = LF_PART_BLANKS;
    while (take(text, ' '))
        continue;
    return true;
}

bool line__parse_pattern(struct lf_line_scan *scan, const char *what, bool reply,
                         struct lf_line_pattern *pattern)
{
    struct lf_slice raw;
    if (!line__scan_quoted(scan, what, &raw))
        return false;
    pattern->source = line__scan_copy(scan, raw);
    struct text text = {scan, raw.data, raw.data + raw.len, line__scan_memory(scan, raw.len + 1), 0};
    if (!pattern->source || !text.bytes)
        return false;
    while (text.at < text.end) {
        if (at_char(&text, '{') || (reply && at_char(&text, ' '))) {
            if (!end_bytes(&text, pattern) || !read_special(&text, reply, pattern))
                return false;
        } else if (at_char(&text, '}')) {
            return line__scan_problem(scan, text.at, "'}' without '{' (a brace itself: \\})");
        } else if (!line__scan_char(scan, &text.at, text.end, &text.bytes[text.len++])) {
            return false;
        }
    }
    return end_bytes(&text, pattern);
}

bool line__parse_error_rule(struct lf_line_scan *scan, struct lf_line_error_rule *rule)
{
    static const char *const says[] = {"transient", "busy", "permanent", "person", "unknown", "done", NULL};
    size_t index;
    if (!line__parse_pattern(scan, "a pattern", true, &rule->pattern)
        || !line__scan_choice(scan, "what the answer means", says, &index))
        return false;
    rule->says = (enum lf_line_says)index;
    return line__scan_at_end(scan) || line__scan_text(scan, "a message for people", &rule->message);
}

bool line__parse_no_value(struct lf_line_scan *scan, struct lf_line_no_value *none)
{
    if (!line__scan_value(scan, "what is not a value, such as 9.9E37 or OVLD", &none->said))
        return false;
    char *stop;
    none->number = strtod(none->said, &stop);
    none->is_number = !*stop && stop != none->said && isfinite(none->number);
    return line__scan_at_end(scan) || line__scan_text(scan, "a message for people", &none->message);
}

/* Patterns and texts to send. Both are read from the raw text between the quotes, because an
 * escaped '{' or blank has another meaning. */
#include "base/units.h"
#include "drivers/line/profile_parts.h"

#include <ctype.h>
#include <string.h>

enum { WIDTH_MAX = 1000 };

/* The text between the quotes, and the bytes collected for the part that is being read. */
struct text {
    struct lf_line_scan *scan;
    const char *at, *end;
    char *bytes; /* room for all of the text */
    size_t len;  /* bytes collected */
};

static bool begin(struct lf_line_scan *scan, const char *what, struct text *text, char **source)
{
    struct lf_slice raw;
    if (!line__scan_quoted(scan, what, &raw))
        return false;
    *source = line__scan_copy(scan, raw);
    *text = (struct text){scan, raw.data, raw.data + raw.len, line__scan_memory(scan, raw.len + 1), 0};
    return *source && text->bytes;
}

/* The collected bytes; collecting goes on after them. */
static struct lf_slice take_bytes(struct text *text)
{
    struct lf_slice bytes = lf_slice(text->bytes, text->len);
    text->bytes += text->len;
    text->len = 0;
    return bytes;
}

static struct lf_line_reply_part *add_part(struct text *text, struct lf_line_reply_pattern *pattern)
{
    if (pattern->count >= LF_PROFILE_PARTS_MAX) {
        line__scan_problem(text->scan, text->at, "this pattern has more than %d parts", LF_PROFILE_PARTS_MAX);
        return NULL;
    }
    return line__scan_add(text->scan, &pattern->parts, &pattern->count, sizeof *pattern->parts);
}

static bool end_bytes(struct text *text, struct lf_line_reply_pattern *pattern)
{
    if (!text->len)
        return true;
    struct lf_line_reply_part *part = add_part(text, pattern);
    if (!part)
        return false;
    part->kind = LF_PART_BYTES;
    part->bytes = take_bytes(text);
    return true;
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
    bool plain;
    while (text->at < text->end) {
        const char *before = text->at;
        char byte;
        if (!line__scan_char(text->scan, &text->at, text->end, &byte, &plain))
            return false;
        if (plain && (byte == '|' || byte == ')' || (byte == '=' && stop_at_equals))) {
            text->at = before;
            break;
        }
        text->bytes[text->len++] = byte;
    }
    *word = take_bytes(text);
    return word->len
               ? true
               : line__scan_problem(text->scan, start, "expected a word, as in one(S=stable|D=dynamic)");
}

static bool read_choice(struct text *text, struct lf_line_reply_part *part)
{
    struct lf_line_choice *choice = line__scan_add(text->scan, &part->choices, &part->choice_count,
                                                   sizeof *choice);
    if (!choice || !read_choice_word(text, part->type == LF_VALUE_ONE, &choice->said))
        return false;
    struct lf_slice means = choice->said;
    const char *start = text->at;
    if (part->type == LF_VALUE_BOOL) {
        means = lf_slice_text(part->choice_count == 1 ? "true" : "false");
    } else if (text->at < text->end && *text->at == '=') {
        text->at++;
        if (!read_choice_word(text, false, &means))
            return false;
    }
    for (size_t i = 0; i < means.len; i++)
        if ((unsigned char)means.data[i] < 0x20 || (unsigned char)means.data[i] >= 0x7f)
            return line__scan_problem(text->scan, start,
                                      "the reported word must be printable ASCII: write one(\\x06=done)");
    choice->means = line__scan_copy(text->scan, means);
    return choice->means != NULL;
}

static bool read_choices(struct text *text, struct lf_line_reply_part *part)
{
    const char *start = text->at;
    if (text->at == text->end || *text->at != '(')
        return line__scan_problem(text->scan, start, "missing words, as in: %s",
                                  part->type == LF_VALUE_ONE ? "one(S=stable|D=dynamic)" : "bool(ON|OFF)");
    do {
        text->at++;
        if (!read_choice(text, part))
            return false;
    } while (text->at < text->end && *text->at == '|');
    if (text->at == text->end || *text->at != ')')
        return line__scan_problem(text->scan, start, "missing closing ')'");
    text->at++;
    if (part->type == LF_VALUE_BOOL && part->choice_count != 2)
        return line__scan_problem(text->scan, start, "bool(...) needs two words: true first, then false");
    return true;
}

static const char *const type_names[] = {"text", "word", "int", "real", "hex", "data", "bool", "one", NULL};

static bool read_type(struct text *text, struct lf_line_reply_part *part)
{
    const char *start = text->at;
    while (text->at < text->end && islower((unsigned char)*text->at))
        text->at++;
    struct lf_slice word = lf_slice(start, (size_t)(text->at - start));
    for (size_t i = 0; type_names[i]; i++) {
        if (!lf_slice_is(word, type_names[i]))
            continue;
        part->type = (enum lf_line_value_type)i;
        return part->type < LF_VALUE_BOOL || read_choices(text, part);
    }
    char copy[32], hint[LF_HINT_ROOM];
    snprintf(copy, sizeof copy, "%.*s", (int)(word.len > 30 ? 30 : word.len), word.data);
    return line__scan_problem(text->scan, start,
                              "'%s' is not a type%s: use text, word, int, real, hex, data, bool(..|..), "
                              "one(..|..)",
                              copy, line__did_you_mean(copy, type_names, hint));
}

static bool read_width(struct text *text, struct lf_line_reply_part *part)
{
    const char *start = text->at;
    size_t width = 0;
    for (; text->at < text->end && isdigit((unsigned char)*text->at) && width <= WIDTH_MAX; text->at++)
        width = width * 10 + (size_t)(*text->at - '0');
    if (!width || width > WIDTH_MAX)
        return line__scan_problem(text->scan, start, "expected a width: 1 to %d characters", WIDTH_MAX);
    part->width = width;
    return true;
}

static bool at_colon(struct text *text)
{
    if (text->at == text->end || *text->at != ':')
        return false;
    text->at++;
    return true;
}

/* After the '{' of {name:type:width}. */
static bool read_value(struct text *text, struct lf_line_reply_pattern *pattern)
{
    const char *start = text->at;
    struct lf_line_reply_part *part = add_part(text, pattern);
    if (!part)
        return false;
    part->kind = LF_PART_VALUE;
    part->type = LF_VALUE_TEXT;
    if (!read_name(text, &part->name))
        return false;
    if (at_colon(text) && (!read_type(text, part) || (at_colon(text) && !read_width(text, part))))
        return false;
    if (text->at == text->end || *text->at != '}')
        return line__scan_problem(text->scan, text->at,
                                  "expected '}', as in {value:real} (a brace itself: \\{)");
    text->at++;
    for (size_t i = 0; part->name && i + 1 < pattern->count; i++)
        if (pattern->parts[i].name && !strcmp(pattern->parts[i].name, part->name))
            return line__scan_problem(text->scan, start, "'%s' is captured twice in one pattern", part->name);
    return true;
}

static bool read_blanks(struct text *text, struct lf_line_reply_pattern *pattern)
{
    while (text->at < text->end && *text->at == ' ')
        text->at++;
    struct lf_line_reply_part *part = add_part(text, pattern);
    if (part)
        part->kind = LF_PART_BLANKS;
    return part != NULL;
}

bool line__parse_pattern(struct lf_line_scan *scan, struct lf_line_reply_pattern *pattern)
{
    struct text text;
    if (!begin(scan, "a pattern", &text, &pattern->source))
        return false;
    while (text.at < text.end) {
        if (*text.at == '{') {
            if (!end_bytes(&text, pattern))
                return false;
            text.at++;
            if (!read_value(&text, pattern))
                return false;
        } else if (*text.at == ' ') {
            if (!end_bytes(&text, pattern) || !read_blanks(&text, pattern))
                return false;
        } else if (*text.at == '}') {
            return line__scan_problem(scan, text.at, "'}' without '{' (a brace itself: \\})");
        } else {
            bool plain;
            if (!line__scan_char(scan, &text.at, text.end, &text.bytes[text.len], &plain))
                return false;
            text.len++;
        }
    }
    return end_bytes(&text, pattern);
}

static bool add_template_part(struct text *text, struct lf_line_template *template, char *input)
{
    if (!input && !text->len)
        return true;
    if (template->count >= LF_PROFILE_PARTS_MAX)
        return line__scan_problem(text->scan, text->at, "this text has more than %d parts",
                                  LF_PROFILE_PARTS_MAX);
    struct lf_line_template_part *part = line__scan_add(text->scan, &template->parts, &template->count,
                                                        sizeof *template->parts);
    if (!part)
        return false;
    part->input = input;
    if (!input)
        part->bytes = take_bytes(text);
    return true;
}

static bool read_reference(struct text *text, struct lf_line_template *template)
{
    char *name = NULL;
    const char *start = text->at++;
    if (!read_name(text, &name))
        return false;
    if (!name || text->at == text->end || *text->at != '}')
        return line__scan_problem(text->scan, start,
                                  "expected the name of an input, as in {volume} (a brace itself: \\{)");
    text->at++;
    return add_template_part(text, template, name);
}

bool line__parse_template(struct lf_line_scan *scan, const char *what, struct lf_line_template *template)
{
    struct text text;
    if (!begin(scan, what, &text, &template->source))
        return false;
    while (text.at < text.end) {
        bool plain;
        if (*text.at == '{') {
            if (!add_template_part(&text, template, NULL) || !read_reference(&text, template))
                return false;
        } else if (*text.at == '}') {
            return line__scan_problem(scan, text.at, "'}' without '{' (a brace itself: \\})");
        } else if (!line__scan_char(scan, &text.at, text.end, &text.bytes[text.len], &plain)) {
            return false;
        } else {
            text.len++;
        }
    }
    return add_template_part(&text, template, NULL);
}

bool line__parse_error_rule(struct lf_line_scan *scan, struct lf_line_error_rule *rule)
{
    static const char *const says[] = {"transient", "busy", "permanent", "person", "unknown", NULL};
    size_t index;
    if (!line__parse_pattern(scan, &rule->pattern)
        || !line__scan_choice(scan, "what the answer means", says, &index))
        return false;
    rule->says = (enum lf_line_says)index;
    return line__scan_at_end(scan) || line__scan_text(scan, "a message for people", &rule->message);
}

#include "drivers/line/inputs.h"

#include "base/json.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_ROOM = 64, NAME_ROOM = 128 };

static enum lf_status refuse(const struct lf_line_input_rule *rule, const char *value, const char *why,
                             struct lf_error *err)
{
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "input '%s': '%.80s' %s", rule->name, value, why);
}

static enum lf_status append(struct lf_buffer *out, const void *data, size_t len, struct lf_error *err)
{
    return !out || lf_buffer_append(out, data, len) == LF_OK ? LF_OK
                                                             : lf_fail_memory(err, "making a command");
}

static bool within(const struct lf_line_input_rule *rule, double number)
{
    return number >= rule->min && number <= rule->max;
}

static enum lf_status refuse_bounds(const struct lf_line_input_rule *rule, const char *value,
                                    struct lf_error *err)
{
    char why[100];
    snprintf(why, sizeof why, "is out of bounds: %.10g to %.10g", rule->min, rule->max);
    return refuse(rule, value, why, err);
}

/* strtod and strtoll accept much more ("inf", "0x1p3", leading blanks). */
static bool number_shaped(const char *value, const char *allowed)
{
    return *value && strlen(value) < NUMBER_ROOM && value[strspn(value, allowed)] == '\0';
}

static enum lf_status append_int(const struct lf_line_input_rule *rule, const char *value,
                                 struct lf_buffer *out, struct lf_error *err)
{
    char *stop, text[NUMBER_ROOM];
    errno = 0;
    long long number = number_shaped(value, "+-0123456789") ? strtoll(value, &stop, 10) : (stop = "x", 0LL);
    if (*stop || errno)
        return refuse(rule, value, "is not a whole number", err);
    if (!within(rule, (double)number))
        return refuse_bounds(rule, value, err);
    int len = snprintf(text, sizeof text, "%s%0*llu", number < 0 ? "-" : "",
                       rule->digits ? (int)rule->digits : 1,
                       number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number);
    return append(out, text, (size_t)len, err);
}

static enum lf_status append_real(const struct lf_line_profile *profile,
                                  const struct lf_line_input_rule *rule, const char *value,
                                  struct lf_buffer *out, struct lf_error *err)
{
    char *stop, text[NUMBER_ROOM * 2];
    double number = number_shaped(value, "+-.0123456789") ? strtod(value, &stop) : (stop = "x", 0.0);
    if (*stop || !isfinite(number))
        return refuse(rule, value, "is not a number such as -12.5", err);
    if (!within(rule, number))
        return refuse_bounds(rule, value, err);
    if (rule->decimals >= 0)
        snprintf(text, sizeof text, "%.*f", (int)rule->decimals, number);
    else
        snprintf(text, sizeof text, "%s", *value == '+' ? value + 1 : value);
    if (strtod(text, NULL) != number) /* never send a number other than the one asked for */
        return refuse(rule, value, "has more decimals than the instrument takes", err);
    char *point = profile->decimal_comma ? strchr(text, '.') : NULL;
    if (point)
        *point = ',';
    return append(out, text, strlen(text), err);
}

static bool holds(struct lf_slice set, char c)
{
    return set.len && memchr(set.data, c, set.len);
}

/* Control characters are refused: line ends, STX, ETX, ESC, XON and XOFF are among them. */
static bool may_send(const struct lf_line_profile *profile, const struct lf_line_input_rule *rule,
                     unsigned char next, char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 0x20 && byte != 0x7f && !(next && byte == next) && !holds(rule->never, c)
           && !holds(profile->never, c) && !holds(profile->send_end, c)
           && !(profile->send_framed && (holds(profile->ending.start, c) || holds(profile->ending.end, c)));
}

/* Reads one character of valid UTF-8. */
static unsigned take_rune(const char **at)
{
    unsigned char first = (unsigned char)*(*at)++;
    int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    unsigned rune = more ? first & (0x3Fu >> more) : first;
    while (more-- > 0)
        rune = rune << 6 | ((unsigned char)*(*at)++ & 0x3Fu);
    return rune;
}

static enum lf_status append_text(const struct lf_line_profile *profile,
                                  const struct lf_line_input_rule *rule, const char *value,
                                  unsigned char next, struct lf_buffer *out, struct lf_error *err)
{
    size_t count = 0;
    if (!lf_utf8_valid(lf_slice_text(value)))
        return refuse(rule, "...", "is not valid UTF-8", err);
    for (const char *at = value; *at; count++) {
        const char *start = at;
        unsigned rune = take_rune(&at);
        if (rune < 0x80 ? !may_send(profile, rule, next, *start) : rune < 0xA0)
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "input '%s' must not contain the character 0x%02x",
                           rule->name, rune);
        if (rune >= 0x80
            && (profile->encoding == LF_ENCODING_ASCII
                || (profile->encoding == LF_ENCODING_LATIN1 && rune > 0xFF)))
            return refuse(rule, value, "has a character that the instrument does not know", err);
        char latin = (char)rune;
        bool whole = rune < 0x80 || profile->encoding == LF_ENCODING_UTF8;
        enum lf_status status = append(out, whole ? start : &latin, whole ? (size_t)(at - start) : 1, err);
        if (status != LF_OK)
            return status;
    }
    if (within(rule, (double)count))
        return LF_OK;
    return lf_fail(err, LF_INVALID, LF_PERMANENT,
                   "input '%s': '%.80s' is too short or too long: %g to %g characters", rule->name, value,
                   rule->min, rule->max);
}

static enum lf_status append_word(const struct lf_line_input_rule *rule, const char *value,
                                  struct lf_buffer *out, struct lf_error *err)
{
    char list[200] = "";
    for (size_t i = 0; i < rule->choice_count; i++) {
        if (!strcmp(rule->choices[i], value))
            return append(out, value, strlen(value), err);
        lf_list_add(list, sizeof list, rule->choices[i]);
    }
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "input '%s': '%.80s' is none of %s", rule->name, value,
                   list);
}

enum lf_status line__input_append(const struct lf_line_profile *profile,
                                  const struct lf_line_input_rule *rule, const char *value,
                                  unsigned char next, struct lf_buffer *out, struct lf_error *err)
{
    switch (rule->type) {
    case LF_INPUT_INT: return append_int(rule, value, out, err);
    case LF_INPUT_REAL: return append_real(profile, rule, value, out, err);
    case LF_INPUT_ONE: return append_word(rule, value, out, err);
    case LF_INPUT_TEXT: break;
    }
    return append_text(profile, rule, value, next, out, err);
}

const struct lf_line_input_rule *line__input_rule(const struct lf_line_profile *profile,
                                                  const struct lf_line_input_rules *own, const char *name)
{
    const struct lf_line_input_rule *rule = LINE_FIND(own->items, own->count, name);
    return rule ? rule : LINE_FIND(profile->inputs.items, profile->inputs.count, name);
}

static const char *find_fixed(const struct lf_texts *fixed, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < fixed->count; i++)
        if (!strncmp(fixed->items[i], name, len) && fixed->items[i][len] == '=')
            return fixed->items[i] + len + 1;
    return NULL;
}

const char *line__input_value(const struct lf_line_input_rule *rule, const struct lf_line_input_set *set,
                              struct lf_error *err)
{
    const struct lf_input *given = LINE_FIND(set->given, set->given_count, rule->name);
    const char *value = find_fixed(&set->fixed, rule->name);
    if (!value)
        value = given ? given->value : rule->fallback;
    if (!value)
        lf_fail(err, LF_INVALID, LF_PERMANENT, "missing input '%s': add %s=...", rule->name, rule->name);
    return value;
}

/* The first byte that follows part i; 0: none, or it belongs to another input. */
static unsigned char byte_behind(const struct lf_line_pattern *template, size_t i)
{
    if (i + 1 >= template->count || !template->parts[i + 1].bytes.len)
        return 0;
    return (unsigned char)template->parts[i + 1].bytes.data[0];
}

enum lf_status line__command_bytes(const struct lf_line_profile *profile,
                                   const struct lf_line_command *command, const struct lf_line_input_set *set,
                                   struct lf_buffer *out, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < command->send.count && status == LF_OK; i++) {
        const struct lf_line_part *part = &command->send.parts[i];
        if (!part->name) {
            status = append(out, part->bytes.data, part->bytes.len, err);
            continue;
        }
        const struct lf_line_input_rule *rule = line__input_rule(profile, &command->inputs, part->name);
        const char *value = line__input_value(rule, set, err);
        if (!value)
            return LF_INVALID;
        status = line__input_append(profile, rule, value, byte_behind(&command->send, i), out, err);
    }
    return status;
}

enum lf_status line__template_fill(const struct lf_line_pattern *template,
                                   const struct lf_line_input_rules *rules,
                                   const struct lf_line_input_set *set, struct lf_buffer *out,
                                   struct lf_error *err)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct lf_line_part *part = &template->parts[i];
        struct lf_slice bytes = part->bytes;
        if (part->name) {
            const char *value = line__input_value(LINE_FIND(rules->items, rules->count, part->name), set,
                                                  err);
            if (!value)
                return LF_INVALID;
            bytes = lf_slice_text(value);
        }
        if (append(out, bytes.data, bytes.len, err) != LF_OK)
            return LF_NO_MEMORY;
    }
    return LF_OK;
}

enum lf_status line__inputs_known(const struct lf_line_profile *profile,
                                  const struct lf_line_input_rules *rules,
                                  const struct lf_line_input_set *set, struct lf_error *err)
{
    for (size_t i = 0; i < set->given_count; i++) {
        struct lf_nearest nearest = {.word = set->given[i].name};
        char hint[LF_HINT], list[200] = "";
        if (line__input_rule(profile, rules, nearest.word))
            continue;
        LINE_NEAREST(&nearest, rules->items, rules->count);
        LINE_NEAREST(&nearest, profile->inputs.items, profile->inputs.count);
        for (size_t k = 0; k < rules->count; k++)
            lf_list_add(list, sizeof list, rules->items[k].name);
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "unknown input '%.60s'%s%s%s", nearest.word,
                       lf_nearest_hint(&nearest, ". Inputs: ", hint), nearest.name ? "" : list,
                       nearest.name || *list ? "" : "none");
    }
    return LF_OK;
}

static enum lf_status check_fixed(const struct lf_line_profile *profile, const char *text,
                                  struct lf_error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "'%.80s' must look like \"name=value\"", text);
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    struct lf_line_input_set one = {.given = &(struct lf_input){name, equals + 1}, .given_count = 1};
    enum lf_status status = line__inputs_known(profile, &profile->inputs, &one, err);
    if (status != LF_OK)
        return status;
    return line__input_append(profile, line__input_rule(profile, &profile->inputs, name), equals + 1, 0, NULL,
                              err);
}

enum lf_status line__inputs_fixed(const struct lf_line_profile *profile, const struct lf_texts *fixed,
                                  struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < fixed->count; i++)
        status = check_fixed(profile, fixed->items[i], err);
    struct lf_line_input_set set = {.fixed = *fixed};
    for (size_t i = 0; status == LF_OK && i < profile->inputs.count; i++)
        if (!line__input_value(&profile->inputs.items[i], &set, err))
            status = lf_fail(err, LF_INVALID, LF_PERMANENT,
                             "the profile needs its input '%s': inputs = [\"%s=...\"] in the configuration",
                             profile->inputs.items[i].name, profile->inputs.items[i].name);
    return status;
}

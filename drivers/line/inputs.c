#include "drivers/line/inputs.h"

#include "base/json.h"
#include "base/units.h"
#include "drivers/line/profile_parts.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_ROOM = 64 };

static enum lf_status refuse(const struct lf_line_input_rule *rule, const char *value, const char *why,
                             struct lf_error *err)
{
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "input '%s': '%.80s' %s", rule->name, value, why);
}

static enum lf_status append(struct lf_buffer *out, const void *data, size_t len, struct lf_error *err)
{
    return lf_buffer_append(out, data, len) == LF_OK ? LF_OK : lf_fail_memory(err, "making a command");
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

/* Only digits, sign, point and exponent: strtod knows much more ("inf", "0x1p3"). */
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
    int len = snprintf(text, sizeof text, "%s%0*llu", number < 0 ? "-" : "", rule->digits ? rule->digits : 1,
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
        snprintf(text, sizeof text, "%.*f", rule->decimals, number);
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

/* Reads one UTF-8 character; the text was checked. */
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
    return within(rule, (double)count) ? LF_OK : refuse(rule, value, "is too short or too long", err);
}

static enum lf_status append_word(const struct lf_line_input_rule *rule, const char *value,
                                  struct lf_buffer *out, struct lf_error *err)
{
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < rule->choice_count; i++) {
        if (!strcmp(rule->choices[i], value))
            return append(out, value, strlen(value), err);
        if (used < sizeof list - 1)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "is none of ",
                                     rule->choices[i]);
    }
    return refuse(rule, value, list, err);
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

static const char *find(const struct lf_input *inputs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(inputs[i].name, name))
            return inputs[i].value;
    return NULL;
}

const char *line__input_value(const struct lf_line_input_rule *rule, const struct lf_line_input_set *set,
                              struct lf_error *err)
{
    const char *value = find(set->fixed, set->fixed_count, rule->name);
    if (!value)
        value = find(set->given, set->given_count, rule->name);
    if (!value)
        value = rule->fallback;
    if (!value)
        lf_fail(err, LF_INVALID, LF_PERMANENT, "missing input '%s': add %s=...", rule->name, rule->name);
    return value;
}

/* The character that follows part i on the wire; 0: none, or another input. */
static unsigned char byte_behind(const struct lf_line_template *template, size_t i)
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
        const struct lf_line_template_part *part = &command->send.parts[i];
        if (!part->input) {
            status = append(out, part->bytes.data, part->bytes.len, err);
            continue;
        }
        const struct lf_line_input_rule *rule = line__input_rule(profile, command->inputs,
                                                                 command->input_count, part->input);
        const char *value = line__input_value(rule, set, err);
        if (!value)
            return LF_INVALID;
        status = line__input_append(profile, rule, value, byte_behind(&command->send, i), out, err);
    }
    return status;
}

enum lf_status line__template_fill(const struct lf_line_template *template,
                                   const struct lf_line_input_rule *rules, size_t rule_count,
                                   const struct lf_line_input_set *set, struct lf_buffer *out,
                                   struct lf_error *err)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct lf_line_template_part *part = &template->parts[i];
        struct lf_slice bytes = part->bytes;
        if (part->input) {
            const char *value = line__input_value(line__input_rule_find(rules, rule_count, part->input), set,
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

static enum lf_status refuse_unknown(const struct lf_line_profile *profile,
                                     const struct lf_line_input_rule *rules, size_t count, const char *name,
                                     struct lf_error *err)
{
    const char *names[LF_PROFILE_ITEMS_MAX + 1];
    char hint[LF_HINT_ROOM];
    size_t used = 0;
    for (size_t i = 0; i < count && used < LF_PROFILE_ITEMS_MAX; i++)
        names[used++] = rules[i].name;
    for (size_t i = 0; i < profile->input_count && used < LF_PROFILE_ITEMS_MAX; i++)
        names[used++] = profile->inputs[i].name;
    names[used] = NULL;
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "unknown input '%.60s'%s", name,
                   line__did_you_mean(name, names, hint));
}

enum lf_status line__inputs_known(const struct lf_line_profile *profile,
                                  const struct lf_line_input_rule *rules, size_t count,
                                  const struct lf_input *given, size_t given_count, struct lf_error *err)
{
    for (size_t i = 0; i < given_count; i++)
        if (!line__input_rule(profile, rules, count, given[i].name))
            return refuse_unknown(profile, rules, count, given[i].name, err);
    return LF_OK;
}

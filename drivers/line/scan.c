#include "drivers/line/scan.h"

#include "base/json.h"
#include "base/setting.h"
#include "base/units.h"
#include "drivers/line/show.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64 };

/* The profile's memory: a list of blocks, freed together. */
struct block {
    struct block *next;
    max_align_t bytes[];
};

void *line__scan_memory(struct lf_line_scan *scan, size_t size)
{
    struct block *block = calloc(1, sizeof *block + size);
    if (!block) {
        scan->no_memory = true;
        return NULL;
    }
    block->next = scan->profile->memory;
    scan->profile->memory = block;
    return block->bytes;
}

void lf_profile_free(struct lf_line_profile *profile)
{
    if (!profile)
        return;
    for (struct block *block = profile->memory, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(profile);
}

void *line__scan_add(struct lf_line_scan *scan, void *list, size_t item_size)
{
    void *array;
    size_t *count = (size_t *)(void *)((char *)list + sizeof array);
    memcpy(&array, list, sizeof array);
    if (*count >= LF_PROFILE_ITEMS_MAX) {
        line__scan_problem(scan, scan->line_start, "too many: at most %d are allowed", LF_PROFILE_ITEMS_MAX);
        return NULL;
    }
    if ((*count & (*count - 1)) == 0) { /* full whenever the count is 0 or a power of two */
        void *grown = line__scan_memory(scan, item_size * (*count ? *count * 2 : 1));
        if (!grown)
            return NULL;
        if (*count)
            memcpy(grown, array, *count * item_size);
        array = grown;
        memcpy(list, &array, sizeof array);
    }
    return (char *)array + (*count)++ * item_size;
}

char *line__scan_copy(struct lf_line_scan *scan, struct lf_slice text)
{
    char *copy = line__scan_memory(scan, text.len + 1);
    if (copy && text.len)
        memcpy(copy, text.data, text.len);
    return copy;
}

struct lf_line_place line__scan_place(const struct lf_line_scan *scan, const char *at)
{
    return (struct lf_line_place){scan->line, (int)(at - scan->line_start) + 1};
}

bool line__scan_problem_at(struct lf_line_scan *scan, struct lf_line_place place, const char *format, ...)
{
    char text[LF_ERROR_TEXT - 128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!scan->problems)
        lf_fail(scan->err, LF_INVALID, LF_PERMANENT, "%s:%d:%d: %s", scan->profile->name, place.line,
                place.column, text);
    if (scan->report && scan->problems < LF_PROFILE_PROBLEMS_MAX)
        scan->report->problem(scan->report->self, place.line, place.column, text);
    scan->problems++;
    return false;
}

const char *line__scan_skip(struct lf_line_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t'))
        scan->at++;
    return scan->at;
}

bool line__scan_at_end(struct lf_line_scan *scan)
{
    return line__scan_skip(scan) == scan->end || *scan->at == '#';
}

bool line__scan_finish(struct lf_line_scan *scan)
{
    if (line__scan_at_end(scan))
        return true;
    int shown = (int)(scan->end - scan->at);
    return line__scan_problem(scan, scan->at, "unexpected '%.*s'", shown > 40 ? 40 : shown, scan->at);
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* The bare word that comes next; empty when none does. */
static struct lf_slice peek_word(struct lf_line_scan *scan)
{
    line__scan_skip(scan);
    const char *stop = scan->at;
    while (stop < scan->end && is_name_char(*stop))
        stop++;
    return lf_slice(scan->at, (size_t)(stop - scan->at));
}

bool line__scan_accept(struct lf_line_scan *scan, const char *word)
{
    struct lf_slice next = peek_word(scan);
    if (!lf_slice_is(next, word))
        return false;
    scan->at += next.len;
    return true;
}

bool line__scan_expect(struct lf_line_scan *scan, const char *word, const char *example)
{
    return line__scan_accept(scan, word)
           || line__scan_problem(scan, scan->at, "expected '%s', as in: %s", word, example);
}

bool line__scan_accept_char(struct lf_line_scan *scan, char c)
{
    line__scan_skip(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

bool line__scan_name(struct lf_line_scan *scan, const char *what, char **name)
{
    struct lf_slice word = peek_word(scan);
    if (!word.len || !isalpha((unsigned char)*word.data))
        return line__scan_problem(scan, scan->at, "expected %s: letters, digits, '-' and '_', a letter first",
                                  what);
    if (word.len > WORD_MAX)
        return line__scan_problem(scan, scan->at, "%s is too long: at most %d characters", what, WORD_MAX);
    scan->at += word.len;
    *name = line__scan_copy(scan, word);
    return *name != NULL;
}

bool line__scan_pick(struct lf_line_scan *scan, struct lf_slice word, const char *what,
                     const char *const *words, size_t *index)
{
    char list[200] = "", copy[WORD_MAX + 1], hint[LF_HINT];
    snprintf(copy, sizeof copy, "%.*s", (int)(word.len > WORD_MAX ? WORD_MAX : word.len), word.data);
    struct lf_nearest nearest = {.word = copy};
    for (*index = 0; words[*index]; (*index)++) {
        if (lf_slice_is(word, words[*index]))
            return true;
        lf_nearest_try(&nearest, words[*index]);
        lf_list_add(list, sizeof list, words[*index]);
    }
    if (!word.len)
        return line__scan_problem(scan, word.data, "expected %s: one of %s", what, list);
    return line__scan_problem(scan, word.data, "'%s' is not %s (%s)%s", copy, what, list,
                              lf_nearest_hint(&nearest, "", hint));
}

bool line__scan_choice(struct lf_line_scan *scan, const char *what, const char *const *words, size_t *index)
{
    struct lf_slice word = peek_word(scan);
    if (!line__scan_pick(scan, word, what, words, index))
        return false;
    scan->at += word.len;
    return true;
}

bool line__scan_quoted(struct lf_line_scan *scan, const char *what, struct lf_slice *raw)
{
    line__scan_skip(scan);
    if (scan->at == scan->end || (*scan->at != '\'' && *scan->at != '"'))
        return line__scan_problem(scan, scan->at, "expected %s in quotes: '...' or \"...\"", what);
    const char *open = scan->at, *at = open + 1;
    while (at < scan->end && *at != *open)
        at += *at == '\\' && at + 1 < scan->end ? 2 : 1;
    if (at >= scan->end)
        return line__scan_problem(scan, open, "missing closing %c", *open);
    *raw = lf_slice(open + 1, (size_t)(at - open - 1));
    scan->at = at + 1;
    return true;
}

static bool scan_control_name(const char **at, const char *end, char *byte)
{
    const char *close = memchr(*at, '>', (size_t)(end - *at));
    if (!close)
        return false;
    struct lf_slice name = lf_slice(*at + 1, (size_t)(close - *at - 1));
    for (unsigned char code = 0; line__control_name(code); code++)
        if (lf_slice_is(name, line__control_name(code))) {
            *byte = (char)code;
            *at = close + 1;
            return true;
        }
    return false;
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

static bool scan_escape(struct lf_line_scan *scan, const char **at, const char *end, char *byte)
{
    static const char letters[] = "rnte0\\'\"{}< ", means[] = "\r\n\t\x1b\0\\'\"{}< ";
    if (*at + 1 >= end)
        return line__scan_problem(scan, *at, "missing character after '\\'");
    char letter = (*at)[1];
    const char *found = strchr(letters, letter);
    if (found && letter) {
        *byte = means[found - letters];
        *at += 2;
        return true;
    }
    if (letter != 'x')
        return line__scan_problem(
            scan, *at, "unknown escape '\\%c': use \\r \\n \\t \\e \\0 \\xHH \\\\ \\' \\\" \\{ \\} \\<",
            isprint((unsigned char)letter) ? letter : '?');
    if (*at + 3 >= end || hex_digit((*at)[2]) < 0 || hex_digit((*at)[3]) < 0)
        return line__scan_problem(scan, *at, "'\\x' needs two hexadecimal digits, such as \\x0d");
    *byte = (char)(hex_digit((*at)[2]) << 4 | hex_digit((*at)[3]));
    *at += 4;
    return true;
}

bool line__scan_char(struct lf_line_scan *scan, const char **at, const char *end, char *byte)
{
    if (**at == '\\')
        return scan_escape(scan, at, end, byte);
    if (**at == '<' && scan_control_name(at, end, byte))
        return true;
    *byte = *(*at)++;
    return true;
}

bool line__scan_bytes(struct lf_line_scan *scan, const char *what, struct lf_slice *bytes)
{
    struct lf_slice raw = {0};
    if (!line__scan_quoted(scan, what, &raw))
        return false;
    char *copy = line__scan_memory(scan, raw.len + 1);
    if (!copy)
        return false;
    size_t len = 0;
    for (const char *at = raw.data; at < raw.data + raw.len; len++)
        if (!line__scan_char(scan, &at, raw.data + raw.len, &copy[len]))
            return false;
    *bytes = lf_slice(copy, len);
    return true;
}

bool line__scan_text(struct lf_line_scan *scan, const char *what, char **text)
{
    struct lf_slice bytes;
    const char *start = line__scan_skip(scan);
    if (!line__scan_bytes(scan, what, &bytes))
        return false;
    bool good = lf_utf8_valid(bytes);
    for (size_t i = 0; i < bytes.len; i++)
        good = good && (unsigned char)bytes.data[i] >= 0x20 && bytes.data[i] != 0x7f;
    if (!good)
        return line__scan_problem(scan, start, "%s must be printable text (UTF-8)", what);
    *text = (char *)bytes.data; /* made by line__scan_bytes: ours, with a NUL behind it */
    return true;
}

bool line__scan_value(struct lf_line_scan *scan, const char *what, char **text)
{
    line__scan_skip(scan);
    if (scan->at < scan->end && (*scan->at == '\'' || *scan->at == '"'))
        return line__scan_text(scan, what, text);
    const char *start = scan->at;
    while (scan->at < scan->end && !strchr(" \t,#=", *scan->at) && (unsigned char)*scan->at > 0x20)
        scan->at++;
    if (scan->at == start)
        return line__scan_problem(scan, start, "expected %s", what);
    struct lf_slice word = lf_slice(start, (size_t)(scan->at - start));
    if (!lf_utf8_valid(word))
        return line__scan_problem(scan, start, "%s is not valid UTF-8", what);
    *text = line__scan_copy(scan, word);
    return *text != NULL;
}

/* The run of characters up to the next blank, copied: for numbers with units. */
static bool peek_number(struct lf_line_scan *scan, const char *what, char room[WORD_MAX])
{
    line__scan_skip(scan);
    size_t len = 0;
    while (scan->at + len < scan->end && len < WORD_MAX - 1 && !strchr(" \t,#", scan->at[len])
           && scan->at[len])
        len++;
    if (!len)
        return line__scan_problem(scan, scan->at, "expected %s", what);
    memcpy(room, scan->at, len);
    room[len] = '\0';
    return true;
}

bool line__scan_int(struct lf_line_scan *scan, const char *what, int64_t min, int64_t max, int64_t *value)
{
    char text[WORD_MAX], *stop;
    if (!peek_number(scan, what, text))
        return false;
    errno = 0;
    long long number = strtoll(text, &stop, 10);
    if (*stop || errno || number < min || number > max)
        return line__scan_problem(scan, scan->at, "'%s' is not %s: a whole number from %lld to %lld", text,
                                  what, (long long)min, (long long)max);
    scan->at += strlen(text);
    *value = number;
    return true;
}

bool line__scan_count(struct lf_line_scan *scan, const char *what, int64_t min, int64_t max, size_t *count)
{
    int64_t number = 0;
    bool ok = line__scan_int(scan, what, min, max, &number);
    *count = (size_t)number;
    return ok;
}

bool line__scan_real(struct lf_line_scan *scan, const char *what, double *value)
{
    char text[WORD_MAX], *stop;
    if (!peek_number(scan, what, text))
        return false;
    *value = strtod(text, &stop);
    if (*stop || !isfinite(*value) || strpbrk(text, "xXnN"))
        return line__scan_problem(scan, scan->at, "'%s' is not %s: a number", text, what);
    scan->at += strlen(text);
    return true;
}

/* A number with a unit, and how it is read and shown. */
struct measure {
    const char *what;
    enum lf_status (*parse)(const char *text, int64_t *value);
    void (*format)(int64_t value, char *text, size_t room);
};

static bool scan_unit(struct lf_line_scan *scan, const struct measure *measure, int64_t min, int64_t max,
                      int64_t *value)
{
    char text[WORD_MAX], low[32], high[32];
    if (!peek_number(scan, measure->what, text))
        return false;
    if (measure->parse(text, value) != LF_OK)
        return line__scan_problem(scan, scan->at, "'%s' is not %s", text, measure->what);
    measure->format(min, low, sizeof low);
    measure->format(max, high, sizeof high);
    if (*value < min || *value > max)
        return line__scan_problem(scan, scan->at, "%s is out of bounds: from %s to %s", text, low, high);
    scan->at += strlen(text);
    return true;
}

bool line__scan_duration(struct lf_line_scan *scan, int64_t min, int64_t max, int64_t *ms)
{
    static const struct measure time = {"a time such as 500ms, 3s or 2m", lf_duration_parse,
                                        lf_duration_format};
    return scan_unit(scan, &time, min, max, ms);
}

bool line__scan_size(struct lf_line_scan *scan, int64_t min, int64_t max, size_t *bytes)
{
    static const struct measure size = {"a size such as 512, 64KB or 1MB", lf_size_parse, lf_size_format};
    int64_t number = 0;
    bool ok = scan_unit(scan, &size, min, max, &number);
    *bytes = (size_t)number;
    return ok;
}

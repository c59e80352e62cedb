/* The profile parser: sections, and the keys each of them knows.
 *
 * A line is a section "[command weigh]", a setting "key = value", a comment or empty. The rows of `keys` say
 * which key goes where and who reads its value. When all lines have been read, profile_check.c checks the
 * profile as a whole.
 */
#include "drivers/line/parse_profile.h"

#include "base/json.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

enum {
    IN_PROFILE = 1,
    IN_SERIAL = 2,
    IN_LINE = 4,
    IN_ERRORS = 8,
    IN_IDENTIFY = 16,
    IN_RESYNC = 32,
    IN_COMMAND = 64,
    IN_LISTEN = 128,
    IN_PROCEDURE = 256,
    IN_DIALOGUE = IN_IDENTIFY | IN_RESYNC | IN_COMMAND,
};

/* The section that is being filled. */
struct section {
    size_t which;  /* row of `section_names` */
    unsigned kind; /* 0: none has begun */
    uint64_t seen; /* rows of `keys` that were used, by bit */
    void *item;    /* what it describes: a command, listen or procedure; else the profile */
};

struct key {
    const char *name;
    unsigned where;
    enum {
        READ_TEXT,
        READ_BYTES,
        READ_TEMPLATE,
        READ_SEND,
        READ_YES_NO,
        READ_CHOICE,
        READ_COUNT,
        READ_SIZE,
        READ_TIME,
        READ_SERIAL,
        READ_ENDING,
        READ_CLASS,
        READ_PATTERN,
        READ_ERROR,
        READ_NO_VALUE,
        READ_INPUT,
        READ_STEP,
        READ_RESULT,
        READ_NAME,
    } how;
    const char *what; /* for messages */
    size_t at;        /* where it goes in the section's item */
    int64_t min, max;
    const char *const *words;
    size_t
        item_size; /* not 0: `at` is a list, its count follows its pointer; each use of the key adds to it */
};

/* The serial settings are kept in the form that streams read: "baud=9600&flow=xonxoff". */
static bool read_serial(struct lf_line_scan *scan, const struct key *key)
{
    char **serial = &scan->profile->serial, text[200], value[24];
    int64_t number = 0;
    size_t index = 0;
    if (key->words ? !line__scan_choice(scan, key->what, key->words, &index)
                   : !line__scan_int(scan, key->what, key->min, key->max, &number))
        return false;
    snprintf(value, sizeof value, "%lld", (long long)number);
    int len = snprintf(text, sizeof text, "%s%s%s=%s", *serial ? *serial : "", *serial ? "&" : "", key->name,
                       key->words ? key->words[index] : value);
    *serial = line__scan_copy(scan, lf_slice(text, (size_t)len));
    return *serial != NULL;
}

static bool read_class(struct lf_line_scan *scan, struct lf_line_command *command)
{
    static const char *const words[] = {"safe", "idempotent", "once", NULL};
    size_t index = 0;
    command->has_class = line__scan_choice(scan, "a class", words, &index);
    command->repeat = (enum lf_repeat)index;
    return command->has_class;
}

/* '...', or the word nothing: wait for what comes. */
static bool read_send(struct lf_line_scan *scan, const struct key *key, struct lf_line_command *command)
{
    command->awaits = line__scan_accept(scan, "nothing");
    return command->awaits || line__parse_pattern(scan, key->what, false, &command->send);
}

/* `before`: how many rules precede it in its list. */
static bool read_input(struct lf_line_scan *scan, struct lf_line_input_rule *rule, size_t before)
{
    const char *start = scan->at;
    return line__parse_input(scan, rule)
           && (!LINE_FIND(rule - before, before, rule->name)
               || line__scan_problem(scan, start, "the input '%s' is declared twice", rule->name));
}

/* Reads to `at`; `before`: how many items precede it in its list. */
static bool read_value(struct lf_line_scan *scan, const struct key *key, void *at, size_t before)
{
    size_t index = 0;
    bool ok;
    switch (key->how) {
    case READ_TEXT: return line__scan_text(scan, key->what, at);
    case READ_BYTES: return line__scan_bytes(scan, key->what, at);
    case READ_TEMPLATE: return line__parse_pattern(scan, key->what, false, at);
    case READ_SEND: return read_send(scan, key, at);
    case READ_TIME: return line__scan_duration(scan, key->min, key->max, at);
    case READ_SERIAL: return read_serial(scan, key);
    case READ_ENDING: return line__parse_ending(scan, at);
    case READ_CLASS: return read_class(scan, at);
    case READ_PATTERN: return line__parse_pattern(scan, "a pattern", true, at);
    case READ_ERROR: return line__parse_error_rule(scan, at);
    case READ_NO_VALUE: return line__parse_no_value(scan, at);
    case READ_INPUT: return read_input(scan, at, before);
    case READ_STEP: return line__parse_step(scan, at);
    case READ_NAME: return line__scan_name(scan, key->what, at);
    case READ_RESULT: return line__parse_result(scan, at);
    case READ_CHOICE:
        ok = line__scan_choice(scan, key->what, key->words, &index);
        *(unsigned *)at = ok ? (unsigned)index : 0;
        return ok;
    case READ_YES_NO:
        ok = line__scan_choice(scan, "yes or no", (const char *const[]){"no", "yes", NULL}, &index);
        *(bool *)at = ok && index;
        return ok;
    case READ_COUNT: return line__scan_count(scan, key->what, key->min, key->max, at);
    case READ_SIZE: return line__scan_size(scan, key->min, key->max, at);
    }
    return false;
}

/* The count of a list follows its pointer. */
static size_t *count_of(void *list)
{
    return (size_t *)(void *)((char *)list + sizeof(void *));
}

static bool read_item(struct lf_line_scan *scan, const struct key *key, void *list)
{
    size_t *count = count_of(list);
    void *item = line__scan_add(scan, list, key->item_size);
    if (!item)
        return false;
    bool ok = read_value(scan, key, item, *count - 1);
    *count -= !ok; /* later checks must not see half an item */
    return ok;
}

/* What [command], [listen] and [procedure] have in common stands at the same place in all of them. */
#define SAME_PLACE(type)                                                                                     \
    _Static_assert(offsetof(type, name) == 0 && offsetof(type, help) == HELP_AT                              \
                       && offsetof(type, place) == PLACE_AT,                                                 \
                   #type)
enum { HELP_AT = offsetof(struct lf_line_command, help), PLACE_AT = offsetof(struct lf_line_command, place) };
SAME_PLACE(struct lf_line_listen);
SAME_PLACE(struct lf_line_procedure);

/* clang-format off */
#define PROFILE(member) .at = offsetof(struct lf_line_profile, member)
#define COMMAND(member) .at = offsetof(struct lf_line_command, member)
#define LISTEN(member) .at = offsetof(struct lf_line_listen, member)
#define PROCEDURE(member) .at = offsetof(struct lf_line_procedure, member)
#define WORDS(...) .words = (const char *const[]){__VA_ARGS__, NULL}
#define LIST_OF(type) .item_size = sizeof(struct type)

static const struct key keys[] = {
    {"title", IN_PROFILE, READ_TEXT, "a title", PROFILE(title)},
    {"encoding", IN_PROFILE, READ_CHOICE, "an encoding", PROFILE(encoding), WORDS("ascii", "latin1", "utf8")},
    {"decimal", IN_PROFILE, READ_CHOICE, "a decimal sign", PROFILE(decimal_comma), WORDS("point", "comma")},
    {"baud", IN_SERIAL, READ_SERIAL, "baud", .min = 50, .max = 4000000},
    {"bits", IN_SERIAL, READ_SERIAL, "bits", .min = 5, .max = 8},
    {"parity", IN_SERIAL, READ_SERIAL, "a parity", WORDS("none", "even", "odd", "mark", "space")},
    {"stop", IN_SERIAL, READ_SERIAL, "stop", .min = 1, .max = 2},
    {"flow", IN_SERIAL, READ_SERIAL, "a flow control", WORDS("none", "xonxoff", "rtscts")},
    {"send_end", IN_LINE, READ_BYTES, "the end of a command", PROFILE(send_end)},
    {"send_framed", IN_LINE, READ_YES_NO, PROFILE(send_framed)},
    {"never", IN_LINE, READ_BYTES, "a set of characters", PROFILE(never)},
    {"quiet", IN_LINE, READ_TIME, PROFILE(quiet_ms), .min = 10, .max = 60000},
    {"pause", IN_LINE, READ_TIME, PROFILE(pause_ms), .min = 0, .max = 60000},
    {"max_reply", IN_LINE, READ_SIZE, PROFILE(max_reply), .min = 1, .max = LF_REPLY_BYTES_MAX},
    {"max_lines", IN_LINE, READ_COUNT, "a number of lines", PROFILE(max_lines), .min = 1, .max = LF_REPLY_LINES_MAX},
    {"reply", IN_LINE, READ_ENDING, PROFILE(ending)},
    {"reply", IN_DIALOGUE, READ_ENDING, COMMAND(ending)},
    {"first_byte", IN_LINE, READ_TIME, PROFILE(times.first_byte), .min = 1, .max = DAY_MS},
    {"first_byte", IN_DIALOGUE, READ_TIME, COMMAND(times.first_byte), .min = 1, .max = DAY_MS},
    {"gap", IN_LINE, READ_TIME, PROFILE(times.gap), .min = 1, .max = DAY_MS},
    {"gap", IN_DIALOGUE, READ_TIME, COMMAND(times.gap), .min = 1, .max = DAY_MS},
    {"total", IN_LINE, READ_TIME, PROFILE(times.total), .min = 1, .max = DAY_MS},
    {"total", IN_DIALOGUE, READ_TIME, COMMAND(times.total), .min = 1, .max = DAY_MS},
    {"help", IN_COMMAND | IN_LISTEN | IN_PROCEDURE, READ_TEXT, "a help text", .at = HELP_AT},
    {"class", IN_COMMAND, READ_CLASS, .at = 0},
    {"provisional", IN_COMMAND, READ_YES_NO, COMMAND(provisional)},
    {"send", IN_DIALOGUE, READ_SEND, "what to send", .at = 0},
    {"expect", IN_DIALOGUE, READ_PATTERN, COMMAND(expects), LIST_OF(lf_line_pattern)},
    {"more", IN_COMMAND, READ_PATTERN, COMMAND(mores), LIST_OF(lf_line_pattern)},
    {"error", IN_ERRORS, READ_ERROR, PROFILE(errors), LIST_OF(lf_line_error_rule)},
    {"error", IN_COMMAND, READ_ERROR, COMMAND(errors), LIST_OF(lf_line_error_rule)},
    {"not_a_value", IN_ERRORS, READ_NO_VALUE, PROFILE(no_values), LIST_OF(lf_line_no_value)},
    {"input", IN_PROFILE, READ_INPUT, PROFILE(inputs), LIST_OF(lf_line_input_rule)},
    {"input", IN_COMMAND, READ_INPUT, COMMAND(inputs), LIST_OF(lf_line_input_rule)},
    {"input", IN_PROCEDURE, READ_INPUT, PROCEDURE(inputs), LIST_OF(lf_line_input_rule)},
    {"identity", IN_IDENTIFY, READ_TEMPLATE, "an identity such as '{maker} {serial}'", COMMAND(identity)},
    {"match", IN_LISTEN, READ_PATTERN, LISTEN(matches), LIST_OF(lf_line_pattern)},
    {"until", IN_LISTEN, READ_PATTERN, LISTEN(untils), LIST_OF(lf_line_pattern)},
    {"until_quiet", IN_LISTEN, READ_TIME, LISTEN(quiet_ms), .min = 10, .max = 600000},
    {"as", IN_LISTEN, READ_CHOICE, "a form", LISTEN(form), WORDS("json", "csv", "text", "ignore")},
    {"do", IN_PROCEDURE, READ_STEP, PROCEDURE(steps), LIST_OF(lf_line_step)},
    {"wait", IN_PROCEDURE, READ_TIME, PROCEDURE(steps), LIST_OF(lf_line_step), .min = 1, .max = DAY_MS},
    {"finally", IN_PROCEDURE, READ_STEP, PROCEDURE(finals), LIST_OF(lf_line_step)},
    {"result", IN_PROCEDURE, READ_RESULT, PROCEDURE(results), LIST_OF(lf_line_result)},
    {"sign", IN_PROCEDURE, READ_NAME, "the name of a procedure", PROCEDURE(sign)},
    {"limit", IN_PROCEDURE, READ_TIME, PROCEDURE(limit_ms), .min = 1, .max = 7 * (int64_t)DAY_MS},
};
/* clang-format on */

enum { KEY_COUNT = sizeof keys / sizeof *keys };
_Static_assert(KEY_COUNT <= 64, "section.seen has one bit for each key");

static const char *const section_names[] = {"profile", "serial",  "line",   "errors",    "identify",
                                            "resync",  "command", "listen", "procedure", NULL};
enum { IDENTIFY_ROW = 4 };
_Static_assert(1 << IDENTIFY_ROW == IN_IDENTIFY, "section_names is in the order of IN_...");

static bool refuse_key(struct lf_line_scan *scan, const struct section *section, const char *start,
                       const char *name)
{
    struct lf_nearest nearest = {.word = name};
    char hint[LF_HINT], known[200] = "";
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].where & section->kind) {
            lf_nearest_try(&nearest, keys[i].name);
            lf_list_add(known, sizeof known, keys[i].name);
        }
    return line__scan_problem(scan, start, "[%s] has no setting '%s' (%s)%s", section_names[section->which],
                              name, known, lf_nearest_hint(&nearest, "", hint));
}

static bool read_setting(struct lf_line_scan *scan, struct section *section)
{
    char *name = NULL;
    const char *start = scan->at;
    if (!line__scan_name(scan, "a setting", &name))
        return false;
    if (!section->kind)
        return line__scan_problem(scan, start, "'%s' is outside any section; start with [profile]", name);
    size_t i = 0;
    while (i < KEY_COUNT && !((keys[i].where & section->kind) && !strcmp(keys[i].name, name)))
        i++;
    if (i == KEY_COUNT)
        return refuse_key(scan, section, start, name);
    if (!keys[i].item_size && section->seen & (uint64_t)1 << i)
        return line__scan_problem(scan, start, "'%s' is already set in this section", name);
    section->seen |= (uint64_t)1 << i;
    if (!line__scan_accept_char(scan, '='))
        return line__scan_problem(scan, scan->at, "expected '=', as in: %s = ...", name);
    line__scan_skip(scan);
    void *at = (char *)section->item + keys[i].at;
    return (keys[i].item_size ? read_item(scan, &keys[i], at) : read_value(scan, &keys[i], at, 0))
           && line__scan_finish(scan);
}

/* A section with a name of its own: one more item at the end of a list. The item begins with its name. */
static bool begin_named(struct lf_line_scan *scan, struct section *section, void *list, size_t size,
                        char *name)
{
    void *items;
    memcpy(&items, list, sizeof items);
    if (line__find(items, *count_of(list), size, name))
        return line__scan_problem(scan, scan->line_start, "there is already a [%s %s]",
                                  section_names[section->which], name);
    char *item = line__scan_add(scan, list, size);
    if (!item)
        return false;
    *(char **)(void *)item = name;
    *(struct lf_line_place *)(void *)(item + PLACE_AT) = line__scan_place(scan, scan->line_start);
    section->item = item;
    return true;
}

/* [identify] and [resync] are commands without a name of their own. */
static bool begin_handshake(struct lf_line_scan *scan, struct section *section,
                            struct lf_line_command **which)
{
    struct lf_line_command *command = section->item = *which = line__scan_memory(scan, sizeof **which);
    if (!command)
        return false;
    command->name = line__scan_copy(scan, lf_slice_text(section_names[section->which]));
    command->place = line__scan_place(scan, scan->line_start);
    command->has_class = true;
    return command->name != NULL;
}

static bool begin_item(struct lf_line_scan *scan, struct section *section, char *name)
{
    struct lf_line_profile *profile = scan->profile;
    section->item = profile;
    switch (section->kind) {
    case IN_IDENTIFY: return begin_handshake(scan, section, &profile->identify);
    case IN_RESYNC: return begin_handshake(scan, section, &profile->resync);
    case IN_COMMAND: return begin_named(scan, section, &profile->commands, sizeof *profile->commands, name);
    case IN_LISTEN: return begin_named(scan, section, &profile->listens, sizeof *profile->listens, name);
    case IN_PROCEDURE:
        return begin_named(scan, section, &profile->procedures, sizeof *profile->procedures, name);
    }
    return true;
}

static bool begin_section(struct lf_line_scan *scan, struct section *section, unsigned *seen)
{
    size_t index;
    char *name = NULL;
    *section = (struct section){0};
    if (!line__scan_choice(scan, "a section", section_names, &index))
        return false;
    unsigned kind = 1u << index;
    if (kind >= IN_COMMAND && !line__scan_name(scan, "a name for it, as in [command weigh],", &name))
        return false;
    if (!line__scan_accept_char(scan, ']'))
        return line__scan_problem(scan, scan->at, "expected ']'");
    if (kind < IN_COMMAND && *seen & kind)
        return line__scan_problem(scan, scan->line_start, "there is already a [%s]", section_names[index]);
    *seen |= kind;
    section->which = index;
    section->kind = kind;
    return begin_item(scan, section, name) && line__scan_finish(scan);
}

/* The settings of a section whose first line is wrong are skipped: they would only repeat the problem. */
static void read_line(struct lf_line_scan *scan, struct section *section, unsigned *seen, bool *skipping)
{
    if (line__scan_at_end(scan))
        return;
    if (line__scan_accept_char(scan, '['))
        *skipping = !begin_section(scan, section, seen);
    else if (!*skipping)
        read_setting(scan, section);
}

static void read_lines(struct lf_line_scan *scan, struct lf_slice text)
{
    struct section section = {0};
    unsigned seen = 0;
    bool skipping = false;
    const char *at = text.data, *stop = text.data + text.len;
    while (at < stop && !scan->no_memory) {
        const char *newline = memchr(at, '\n', (size_t)(stop - at));
        const char *end = newline ? newline : stop;
        scan->line++;
        scan->line_start = scan->at = at;
        scan->end = end > at && end[-1] == '\r' ? end - 1 : end;
        read_line(scan, &section, &seen, &skipping);
        at = newline ? newline + 1 : stop;
    }
}

static enum lf_status read_all(struct lf_line_scan *scan, struct lf_slice text, const char *name)
{
    scan->profile->name = line__scan_copy(scan, lf_slice_text(name));
    if (!scan->profile->name)
        return lf_fail_memory(scan->err, "reading a profile");
    if (text.len > LF_PROFILE_BYTES_MAX)
        return lf_fail(scan->err, LF_TOO_LARGE, LF_PERMANENT, "%s: a profile has at most %d bytes", name,
                       LF_PROFILE_BYTES_MAX);
    if (!lf_utf8_valid(text))
        return lf_fail(scan->err, LF_INVALID, LF_PERMANENT, "%s: a profile must be UTF-8 text", name);
    read_lines(scan, text);
    if (!scan->no_memory && !scan->problems) /* only once the spelling is right: no problem causes another */
        line__check_profile(scan);
    if (scan->no_memory)
        return lf_fail_memory(scan->err, "reading a profile");
    return scan->problems ? LF_INVALID : LF_OK;
}

enum lf_status line__profile_parse(struct lf_slice text, const char *name,
                                   const struct lf_line_profile_report *report,
                                   struct lf_line_profile **profile, struct lf_error *err)
{
    *profile = NULL;
    struct lf_line_scan scan = {.profile = calloc(1, sizeof *scan.profile), .report = report, .err = err};
    if (!scan.profile)
        return lf_fail_memory(err, "reading a profile");
    *scan.profile = (struct lf_line_profile){
        .times = {.first_byte = 3000, .gap = 500, .total = 30000},
        .quiet_ms = 300,
        .max_reply = LF_REPLY_BYTES_DEFAULT,
        .max_lines = LF_REPLY_LINES_DEFAULT,
    };
    enum lf_status status = read_all(&scan, text, name);
    if (status == LF_OK)
        *profile = scan.profile;
    else
        lf_profile_free(scan.profile);
    return status;
}

enum lf_status line__profile_identify(struct lf_line_profile *profile, const struct lf_texts *lines,
                                      struct lf_error *err)
{
    struct lf_line_scan scan = {.profile = profile, .err = err};
    struct section section = {.which = IDENTIFY_ROW, .kind = IN_IDENTIFY};
    char *name = profile->name;
    profile->name = line__scan_copy(&scan, lf_slice_text("identify"));
    bool ok = profile->name && begin_handshake(&scan, &section, &profile->identify);
    for (size_t i = 0; ok && i < lines->count; i++) {
        scan.line = (int)i + 1;
        scan.line_start = scan.at = lines->items[i];
        scan.end = scan.at + strlen(scan.at);
        if (!line__scan_at_end(&scan))
            read_setting(&scan, &section);
    }
    if (ok && !scan.problems)
        line__check_profile(&scan);
    if (profile->name)
        profile->name = name;
    if (scan.no_memory || !ok)
        return lf_fail_memory(err, "reading a handshake");
    return scan.problems ? LF_INVALID : LF_OK;
}

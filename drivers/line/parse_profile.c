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
    unsigned kind;
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
        READ_YES_NO,
        READ_CHOICE,
        READ_COUNT,
        READ_SIZE,
        READ_TIME,
        READ_SERIAL,
        READ_PATTERN, /* one more of a list */
        READ_BY,      /* the function `read` */
    } how;
    const char *what; /* for messages */
    size_t at;        /* where it goes in the section's item */
    int64_t min, max;
    const char *const *words;
    bool (*read)(struct lf_line_scan *scan, const struct section *section);
};

/* The serial settings are kept in the form streams want them: "baud=9600&flow=xonxoff". */
static bool read_serial(struct lf_line_scan *scan, const struct key *key)
{
    char **serial = &scan->profile->serial, text[200], number_text[24];
    const char *value = number_text;
    int64_t number = 0;
    size_t index = 0;
    if (key->words ? !line__scan_choice(scan, key->what, key->words, &index)
                   : !line__scan_int(scan, key->what, key->min, key->max, &number))
        return false;
    snprintf(number_text, sizeof number_text, "%lld", (long long)number);
    if (key->words)
        value = key->words[index];
    int len = snprintf(text, sizeof text, "%s%s%s=%s", *serial ? *serial : "", *serial ? "&" : "", key->name,
                       value);
    *serial = line__scan_copy(scan, lf_slice(text, (size_t)len));
    return *serial != NULL;
}

/* The list's count follows its pointer. */
static bool read_pattern(struct lf_line_scan *scan, struct lf_line_reply_pattern **list)
{
    struct lf_line_reply_pattern *pattern = line__scan_add(scan, list, (size_t *)(void *)(list + 1),
                                                           sizeof *pattern);
    return pattern && line__parse_pattern(scan, pattern);
}

static bool read_value(struct lf_line_scan *scan, const struct key *key, const struct section *section)
{
    void *at = (char *)section->item + key->at;
    int64_t number = 0;
    size_t index = 0;
    bool ok = true;
    switch (key->how) {
    case READ_TEXT: return line__scan_text(scan, key->what, at);
    case READ_BYTES: return line__scan_bytes(scan, key->what, at);
    case READ_TEMPLATE: return line__parse_template(scan, key->what, at);
    case READ_YES_NO: return line__scan_yes_no(scan, at);
    case READ_TIME: return line__scan_duration(scan, key->min, key->max, at);
    case READ_SERIAL: return read_serial(scan, key);
    case READ_PATTERN: return read_pattern(scan, at);
    case READ_BY: return key->read(scan, section);
    case READ_CHOICE:
        ok = line__scan_choice(scan, key->what, key->words, &index);
        *(unsigned *)at = ok ? (unsigned)index : 0;
        return ok;
    case READ_COUNT: ok = line__scan_int(scan, key->what, key->min, key->max, &number); break;
    case READ_SIZE: ok = line__scan_size(scan, key->min, key->max, &number); break;
    }
    *(size_t *)at = (size_t)number;
    return ok;
}

/* The command that the section describes; NULL in the sections about the instrument. */
static struct lf_line_command *command_of(const struct section *section)
{
    return section->kind & IN_DIALOGUE ? section->item : NULL;
}

static bool read_reply(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_command *command = command_of(section);
    return line__parse_ending(scan, command ? &command->ending : &scan->profile->ending);
}

static struct lf_line_times *times_of(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_command *command = command_of(section);
    return command ? &command->times : &scan->profile->times;
}

static bool read_first_byte(struct lf_line_scan *scan, const struct section *section)
{
    return line__scan_duration(scan, 1, DAY_MS, &times_of(scan, section)->first_byte);
}

static bool read_gap(struct lf_line_scan *scan, const struct section *section)
{
    return line__scan_duration(scan, 1, DAY_MS, &times_of(scan, section)->gap);
}

static bool read_total(struct lf_line_scan *scan, const struct section *section)
{
    return line__scan_duration(scan, 1, DAY_MS, &times_of(scan, section)->total);
}

static bool read_class(struct lf_line_scan *scan, const struct section *section)
{
    static const char *const words[] = {"safe", "idempotent", "once", NULL};
    struct lf_line_command *command = section->item;
    size_t index = 0;
    command->has_class = line__scan_choice(scan, "a class", words, &index);
    command->repeat = (enum lf_repeat)index;
    return command->has_class;
}

static bool read_error(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_command *command = command_of(section);
    struct lf_line_error_rule *rule = command ? line__scan_add(scan, &command->errors, &command->error_count,
                                                               sizeof *rule)
                                              : line__scan_add(scan, &scan->profile->errors,
                                                               &scan->profile->error_count, sizeof *rule);
    return rule && line__parse_error_rule(scan, rule);
}

static bool read_input(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_profile *profile = scan->profile;
    struct lf_line_command *command = command_of(section);
    struct lf_line_procedure *procedure = section->kind == IN_PROCEDURE ? section->item : NULL;
    struct lf_line_input_rule **rules = command     ? &command->inputs
                                        : procedure ? &procedure->inputs
                                                    : &profile->inputs;
    size_t *count = command     ? &command->input_count
                    : procedure ? &procedure->input_count
                                : &profile->input_count;
    const char *start = scan->at;
    struct lf_line_input_rule *rule = line__scan_add(scan, rules, count, sizeof *rule);
    if (!rule || !line__parse_input(scan, rule)) {
        *count -= rule ? 1 : 0; /* later checks must not see half a rule */
        return false;
    }
    if (line__input_rule_find(*rules, *count - 1, rule->name))
        return line__scan_problem(scan, start, "the input '%s' is declared twice", rule->name);
    return true;
}

static struct lf_line_step *add_step(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_procedure *procedure = section->item;
    return line__scan_add(scan, &procedure->steps, &procedure->step_count, sizeof *procedure->steps);
}

static bool read_do(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_step *step = add_step(scan, section);
    return step && line__parse_step(scan, step);
}

static bool read_wait(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_step *step = add_step(scan, section);
    return step && line__scan_duration(scan, 1, DAY_MS, &step->wait_ms);
}

static bool read_result(struct lf_line_scan *scan, const struct section *section)
{
    struct lf_line_procedure *procedure = section->item;
    struct lf_line_result *result = line__scan_add(scan, &procedure->results, &procedure->result_count,
                                                   sizeof *result);
    return result && line__parse_result(scan, result);
}

/* What [command], [listen] and [procedure] have in common stands at the same place in all of them. */
#define SAME_PLACE(type)                                                                                     \
    _Static_assert(offsetof(type, name) == 0 && offsetof(type, help) == HELP_AT                              \
                       && offsetof(type, line) == LINE_AT,                                                   \
                   #type)
enum { HELP_AT = offsetof(struct lf_line_command, help), LINE_AT = offsetof(struct lf_line_command, line) };
SAME_PLACE(struct lf_line_listen);
SAME_PLACE(struct lf_line_procedure);

enum { SEVERAL_TIMES = IN_PROCEDURE << 1 }; /* in `where`: the key may be repeated in its section */

/* clang-format off */
#define PROFILE(member) .at = offsetof(struct lf_line_profile, member)
#define COMMAND(member) .at = offsetof(struct lf_line_command, member)
#define LISTEN(member) .at = offsetof(struct lf_line_listen, member)
#define WORDS(...) (const char *const[]){__VA_ARGS__, NULL}

static const struct key keys[] = {
    {"title", IN_PROFILE, READ_TEXT, "a title", PROFILE(title)},
    {"encoding", IN_PROFILE, READ_CHOICE, "an encoding", PROFILE(encoding), .words = WORDS("ascii", "latin1", "utf8")},
    {"decimal", IN_PROFILE, READ_CHOICE, "a decimal sign", PROFILE(decimal_comma), .words = WORDS("point", "comma")},
    {"baud", IN_SERIAL, READ_SERIAL, "baud", .min = 50, .max = 4000000},
    {"bits", IN_SERIAL, READ_SERIAL, "bits", .min = 5, .max = 8},
    {"parity", IN_SERIAL, READ_SERIAL, "a parity", .words = WORDS("none", "even", "odd", "mark", "space")},
    {"stop", IN_SERIAL, READ_SERIAL, "stop", .min = 1, .max = 2},
    {"flow", IN_SERIAL, READ_SERIAL, "a flow control", .words = WORDS("none", "xonxoff", "rtscts")},
    {"send_end", IN_LINE, READ_BYTES, "the end of a command", PROFILE(send_end)},
    {"send_framed", IN_LINE, READ_YES_NO, PROFILE(send_framed)},
    {"never", IN_LINE, READ_BYTES, "a set of characters", PROFILE(never)},
    {"quiet", IN_LINE, READ_TIME, PROFILE(quiet_ms), .min = 10, .max = 60000},
    {"pause", IN_LINE, READ_TIME, PROFILE(pause_ms), .min = 0, .max = 60000},
    {"max_reply", IN_LINE, READ_SIZE, PROFILE(max_reply), .min = 1, .max = LF_REPLY_BYTES_MAX},
    {"max_lines", IN_LINE, READ_COUNT, "a number of lines", PROFILE(max_lines), .min = 1, .max = LF_REPLY_LINES_MAX},
    {"reply", IN_LINE | IN_DIALOGUE, READ_BY, .read = read_reply},
    {"first_byte", IN_LINE | IN_DIALOGUE, READ_BY, .read = read_first_byte},
    {"gap", IN_LINE | IN_DIALOGUE, READ_BY, .read = read_gap},
    {"total", IN_LINE | IN_DIALOGUE, READ_BY, .read = read_total},
    {"help", IN_COMMAND | IN_LISTEN | IN_PROCEDURE, READ_TEXT, "a help text", .at = HELP_AT},
    {"class", IN_COMMAND, READ_BY, .read = read_class},
    {"provisional", IN_COMMAND, READ_YES_NO, COMMAND(provisional)},
    {"send", IN_DIALOGUE, READ_TEMPLATE, "what to send", COMMAND(send)},
    {"expect", IN_DIALOGUE | SEVERAL_TIMES, READ_PATTERN, COMMAND(expects)},
    {"more", IN_COMMAND | SEVERAL_TIMES, READ_PATTERN, COMMAND(mores)},
    {"error", IN_ERRORS | IN_COMMAND | SEVERAL_TIMES, READ_BY, .read = read_error},
    {"input", IN_PROFILE | IN_COMMAND | IN_PROCEDURE | SEVERAL_TIMES, READ_BY, .read = read_input},
    {"identity", IN_IDENTIFY, READ_TEMPLATE, "an identity such as '{maker} {serial}'", COMMAND(identity)},
    {"match", IN_LISTEN | SEVERAL_TIMES, READ_PATTERN, LISTEN(matches)},
    {"as", IN_LISTEN, READ_CHOICE, "a form", LISTEN(form), .words = WORDS("json", "csv", "text", "ignore")},
    {"do", IN_PROCEDURE | SEVERAL_TIMES, READ_BY, .read = read_do},
    {"wait", IN_PROCEDURE | SEVERAL_TIMES, READ_BY, .read = read_wait},
    {"result", IN_PROCEDURE | SEVERAL_TIMES, READ_BY, .read = read_result},
    {"limit", IN_PROCEDURE, READ_TIME, .at = offsetof(struct lf_line_procedure, limit_ms), .min = 1, .max = 7 * (int64_t)DAY_MS},
};
/* clang-format on */

enum { KEY_COUNT = sizeof keys / sizeof *keys };
_Static_assert(KEY_COUNT <= 64, "section.seen has one bit for each key");

static const char *const section_names[] = {"profile", "serial",  "line",   "errors",    "identify",
                                            "resync",  "command", "listen", "procedure", NULL};

static const char *section_name(unsigned kind)
{
    size_t index = 0;
    while (!(kind & 1u << index))
        index++;
    return section_names[index];
}

static bool refuse_key(struct lf_line_scan *scan, const char *start, const char *name, unsigned where)
{
    const char *known[KEY_COUNT + 1];
    size_t count = 0;
    char hint[LF_HINT_ROOM];
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].where & where)
            known[count++] = keys[i].name;
    known[count] = NULL;
    return line__scan_problem(scan, start, "[%s] has no setting '%s'%s", section_name(where), name,
                              line__did_you_mean(name, known, hint));
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
        return refuse_key(scan, start, name, section->kind);
    if (!(keys[i].where & SEVERAL_TIMES) && section->seen & (uint64_t)1 << i)
        return line__scan_problem(scan, start, "'%s' is already set in this section", name);
    section->seen |= (uint64_t)1 << i;
    if (!line__scan_accept_char(scan, '='))
        return line__scan_problem(scan, scan->at, "expected '=', as in: %s = ...", name);
    line__scan_skip(scan);
    return read_value(scan, &keys[i], section) && line__scan_finish(scan);
}

/* A section with a name of its own: one more item at the end of a list. The item begins with its name. */
static bool begin_named(struct lf_line_scan *scan, struct section *section, void *list, size_t *count,
                        size_t size, char *name)
{
    char *first;
    memcpy(&first, list, sizeof first);
    for (size_t i = 0; i < *count; i++)
        if (!strcmp(*(char **)(void *)(first + i * size), name))
            return line__scan_problem(scan, scan->line_start, "there is already a [%s %s]",
                                      section_name(section->kind), name);
    char *item = line__scan_add(scan, list, count, size);
    if (!item)
        return false;
    *(char **)(void *)item = name;
    *(int *)(void *)(item + LINE_AT) = scan->line;
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
    command->name = line__scan_copy(scan, lf_slice_text(section_name(section->kind)));
    command->line = scan->line;
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
    case IN_COMMAND:
        return begin_named(scan, section, &profile->commands, &profile->command_count,
                           sizeof *profile->commands, name);
    case IN_LISTEN:
        return begin_named(scan, section, &profile->listens, &profile->listen_count, sizeof *profile->listens,
                           name);
    case IN_PROCEDURE:
        return begin_named(scan, section, &profile->procedures, &profile->procedure_count,
                           sizeof *profile->procedures, name);
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
    section->kind = kind;
    return begin_item(scan, section, name) && line__scan_finish(scan);
}

/* The settings of a section that could not be begun are skipped: they would only repeat the problem. */
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

/* "folder/mt-sics.profile" -> "mt-sics" is for people; problems name the file as given. */
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
    if (!scan->no_memory
        && !scan->problems) /* first the spelling, then the sense: no problem causes another */
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
    enum lf_status status = read_all(&scan, text, name);
    if (status == LF_OK)
        *profile = scan.profile;
    else
        lf_profile_free(scan.profile);
    return status;
}

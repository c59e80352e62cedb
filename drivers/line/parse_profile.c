/* The profile parser: sections, and the keys each of them knows.
 *
 * A line is a section "[command weigh]", a setting "key = value", a comment or empty. The rows of `keys` say
 * which key goes where and who reads its value. When all lines are read, profile_check.c looks at the whole.
 */
#include "drivers/line/parse_profile.h"

#include "base/json.h"

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

/* The section that is being filled; the pointer that fits `kind` is set. */
struct section {
    unsigned kind;
    uint64_t seen; /* rows of `keys` that were used, by bit */
    struct lf_line_command *command;
    struct lf_line_listen *listen;
    struct lf_line_procedure *procedure;
};

static bool read_title(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return line__scan_text(scan, "a title", &scan->profile->title);
}

static bool read_encoding(struct lf_line_scan *scan, struct section *section)
{
    static const char *const words[] = {"ascii", "latin1", "utf8", NULL};
    size_t index = 0;
    (void)section;
    if (!line__scan_choice(scan, "an encoding", words, &index))
        return false;
    scan->profile->encoding = (enum lf_line_encoding)index;
    return true;
}

static bool read_decimal(struct lf_line_scan *scan, struct section *section)
{
    static const char *const words[] = {"point", "comma", NULL};
    size_t index = 0;
    (void)section;
    if (!line__scan_choice(scan, "a decimal sign", words, &index))
        return false;
    scan->profile->decimal_comma = index == 1;
    return true;
}

/* The serial settings are kept in the form streams want them: "baud=9600&flow=xonxoff". */
static bool add_serial(struct lf_line_scan *scan, const char *key, const char *value)
{
    struct lf_line_profile *profile = scan->profile;
    char text[200];
    int len = snprintf(text, sizeof text, "%s%s%s=%s", profile->serial ? profile->serial : "",
                       profile->serial ? "&" : "", key, value);
    profile->serial = line__scan_copy(scan, lf_slice(text, (size_t)len));
    return profile->serial != NULL;
}

static bool serial_number(struct lf_line_scan *scan, const char *key, int64_t min, int64_t max)
{
    int64_t number;
    char text[24];
    if (!line__scan_int(scan, key, min, max, &number))
        return false;
    snprintf(text, sizeof text, "%lld", (long long)number);
    return add_serial(scan, key, text);
}

static bool read_baud(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return serial_number(scan, "baud", 50, 4000000);
}

static bool read_bits(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return serial_number(scan, "bits", 5, 8);
}

static bool read_stop(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return serial_number(scan, "stop", 1, 2);
}

static bool read_parity(struct lf_line_scan *scan, struct section *section)
{
    static const char *const words[] = {"none", "even", "odd", "mark", "space", NULL};
    size_t index;
    (void)section;
    return line__scan_choice(scan, "a parity", words, &index) && add_serial(scan, "parity", words[index]);
}

static bool read_flow(struct lf_line_scan *scan, struct section *section)
{
    static const char *const words[] = {"none", "xonxoff", "rtscts", NULL};
    size_t index;
    (void)section;
    return line__scan_choice(scan, "a flow control", words, &index) && add_serial(scan, "flow", words[index]);
}

static bool read_send_end(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return line__scan_bytes(scan, "the end of a command", &scan->profile->send_end);
}

static bool read_send_framed(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return line__scan_yes_no(scan, &scan->profile->send_framed);
}

static bool read_never(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return line__scan_bytes(scan, "a set of characters", &scan->profile->never);
}

static bool read_quiet(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return line__scan_duration(scan, 10, 60000, &scan->profile->quiet_ms);
}

static bool read_pause(struct lf_line_scan *scan, struct section *section)
{
    (void)section;
    return line__scan_duration(scan, 0, 60000, &scan->profile->pause_ms);
}

static bool read_max_reply(struct lf_line_scan *scan, struct section *section)
{
    int64_t bytes;
    (void)section;
    if (!line__scan_size(scan, 1, LF_REPLY_BYTES_MAX, &bytes))
        return false;
    scan->profile->max_reply = (size_t)bytes;
    return true;
}

static bool read_max_lines(struct lf_line_scan *scan, struct section *section)
{
    int64_t lines;
    (void)section;
    if (!line__scan_int(scan, "a number of lines", 1, LF_REPLY_LINES_MAX, &lines))
        return false;
    scan->profile->max_lines = (size_t)lines;
    return true;
}

static bool read_reply(struct lf_line_scan *scan, struct section *section)
{
    if (section->command)
        section->command->has_ending = true;
    else
        scan->profile->has_ending = true;
    return line__parse_ending(scan, section->command ? &section->command->ending : &scan->profile->ending);
}

static struct lf_line_times *times_of(struct lf_line_scan *scan, struct section *section)
{
    return section->command ? &section->command->times : &scan->profile->times;
}

static bool read_first_byte(struct lf_line_scan *scan, struct section *section)
{
    return line__scan_duration(scan, 1, DAY_MS, &times_of(scan, section)->first_byte);
}

static bool read_gap(struct lf_line_scan *scan, struct section *section)
{
    return line__scan_duration(scan, 1, DAY_MS, &times_of(scan, section)->gap);
}

static bool read_total(struct lf_line_scan *scan, struct section *section)
{
    return line__scan_duration(scan, 1, DAY_MS, &times_of(scan, section)->total);
}

static bool read_help(struct lf_line_scan *scan, struct section *section)
{
    char **help = section->command  ? &section->command->help
                  : section->listen ? &section->listen->help
                                    : &section->procedure->help;
    return line__scan_text(scan, "a help text", help);
}

static bool read_class(struct lf_line_scan *scan, struct section *section)
{
    static const char *const words[] = {"safe", "idempotent", "once", NULL};
    size_t index = 0;
    if (!line__scan_choice(scan, "a class", words, &index))
        return false;
    section->command->repeat = (enum lf_repeat)index;
    return section->command->has_class = true;
}

static bool read_provisional(struct lf_line_scan *scan, struct section *section)
{
    return line__scan_yes_no(scan, &section->command->provisional);
}

static bool read_send(struct lf_line_scan *scan, struct section *section)
{
    section->command->has_send = true;
    return line__parse_template(scan, "what to send", &section->command->send);
}

static bool read_identity(struct lf_line_scan *scan, struct section *section)
{
    section->command->has_identity = true;
    return line__parse_template(scan, "an identity such as '{maker} {serial}'", &section->command->identity);
}

static bool add_pattern(struct lf_line_scan *scan, struct lf_line_reply_pattern **patterns, size_t *count)
{
    struct lf_line_reply_pattern *pattern = line__scan_add(scan, patterns, count, sizeof *pattern);
    return pattern && line__parse_pattern(scan, pattern);
}

static bool read_expect(struct lf_line_scan *scan, struct section *section)
{
    return add_pattern(scan, &section->command->expects, &section->command->expect_count);
}

static bool read_more(struct lf_line_scan *scan, struct section *section)
{
    return add_pattern(scan, &section->command->mores, &section->command->more_count);
}

static bool read_error(struct lf_line_scan *scan, struct section *section)
{
    struct lf_line_command *command = section->command;
    struct lf_line_error_rule *rule = command ? line__scan_add(scan, &command->errors, &command->error_count,
                                                               sizeof *rule)
                                              : line__scan_add(scan, &scan->profile->errors,
                                                               &scan->profile->error_count, sizeof *rule);
    return rule && line__parse_error_rule(scan, rule);
}

static bool read_input(struct lf_line_scan *scan, struct section *section)
{
    struct lf_line_profile *profile = scan->profile;
    struct lf_line_input_rule **rules = section->command     ? &section->command->inputs
                                        : section->procedure ? &section->procedure->inputs
                                                             : &profile->inputs;
    size_t *count = section->command     ? &section->command->input_count
                    : section->procedure ? &section->procedure->input_count
                                         : &profile->input_count;
    const char *start = scan->at;
    struct lf_line_input_rule *rule = line__scan_add(scan, rules, count, sizeof *rule);
    if (!rule || !line__parse_input(scan, rule)) {
        *count -= rule ? 1 : 0; /* half a rule would trip those who look for it later */
        return false;
    }
    if (line__input_rule_find(*rules, *count - 1, rule->name))
        return line__scan_problem(scan, start, "the input '%s' is declared twice", rule->name);
    return true;
}

static bool read_match(struct lf_line_scan *scan, struct section *section)
{
    return add_pattern(scan, &section->listen->matches, &section->listen->match_count);
}

static bool read_form(struct lf_line_scan *scan, struct section *section)
{
    static const char *const words[] = {"json", "csv", "text", "ignore", NULL};
    size_t index = 0;
    if (!line__scan_choice(scan, "a form", words, &index))
        return false;
    section->listen->form = (enum lf_form)index;
    return true;
}

static bool read_do(struct lf_line_scan *scan, struct section *section)
{
    struct lf_line_procedure *procedure = section->procedure;
    struct lf_line_step *step = line__scan_add(scan, &procedure->steps, &procedure->step_count, sizeof *step);
    return step && line__parse_step(scan, step);
}

static bool read_wait(struct lf_line_scan *scan, struct section *section)
{
    struct lf_line_procedure *procedure = section->procedure;
    struct lf_line_step *step = line__scan_add(scan, &procedure->steps, &procedure->step_count, sizeof *step);
    return step && line__scan_duration(scan, 1, DAY_MS, &step->wait_ms);
}

static bool read_result(struct lf_line_scan *scan, struct section *section)
{
    struct lf_line_procedure *procedure = section->procedure;
    struct lf_line_result *result = line__scan_add(scan, &procedure->results, &procedure->result_count,
                                                   sizeof *result);
    return result && line__parse_result(scan, result);
}

static bool read_limit(struct lf_line_scan *scan, struct section *section)
{
    return line__scan_duration(scan, 1, 7 * (int64_t)DAY_MS, &section->procedure->limit_ms);
}

static const struct key {
    const char *name;
    unsigned where;
    bool again; /* may come more than once */
    bool (*read)(struct lf_line_scan *scan, struct section *section);
} keys[] = {
    {"title", IN_PROFILE, false, read_title},
    {"encoding", IN_PROFILE, false, read_encoding},
    {"decimal", IN_PROFILE, false, read_decimal},
    {"baud", IN_SERIAL, false, read_baud},
    {"bits", IN_SERIAL, false, read_bits},
    {"parity", IN_SERIAL, false, read_parity},
    {"stop", IN_SERIAL, false, read_stop},
    {"flow", IN_SERIAL, false, read_flow},
    {"send_end", IN_LINE, false, read_send_end},
    {"send_framed", IN_LINE, false, read_send_framed},
    {"never", IN_LINE, false, read_never},
    {"quiet", IN_LINE, false, read_quiet},
    {"pause", IN_LINE, false, read_pause},
    {"max_reply", IN_LINE, false, read_max_reply},
    {"max_lines", IN_LINE, false, read_max_lines},
    {"reply", IN_LINE | IN_DIALOGUE, false, read_reply},
    {"first_byte", IN_LINE | IN_DIALOGUE, false, read_first_byte},
    {"gap", IN_LINE | IN_DIALOGUE, false, read_gap},
    {"total", IN_LINE | IN_DIALOGUE, false, read_total},
    {"help", IN_COMMAND | IN_LISTEN | IN_PROCEDURE, false, read_help},
    {"class", IN_COMMAND, false, read_class},
    {"provisional", IN_COMMAND, false, read_provisional},
    {"send", IN_DIALOGUE, false, read_send},
    {"expect", IN_DIALOGUE, true, read_expect},
    {"more", IN_COMMAND, true, read_more},
    {"error", IN_ERRORS | IN_COMMAND, true, read_error},
    {"input", IN_PROFILE | IN_COMMAND | IN_PROCEDURE, true, read_input},
    {"identity", IN_IDENTIFY, false, read_identity},
    {"match", IN_LISTEN, true, read_match},
    {"as", IN_LISTEN, false, read_form},
    {"do", IN_PROCEDURE, true, read_do},
    {"wait", IN_PROCEDURE, true, read_wait},
    {"result", IN_PROCEDURE, true, read_result},
    {"limit", IN_PROCEDURE, false, read_limit},
};

enum { KEY_COUNT = sizeof keys / sizeof *keys };
_Static_assert(KEY_COUNT <= 64, "section.seen has one bit for each key");

static const char *const section_names[] = {"profile", "serial",  "line",   "errors",    "identify",
                                            "resync",  "command", "listen", "procedure", NULL};

static bool refuse_key(struct lf_line_scan *scan, const char *start, const char *name, unsigned where)
{
    const char *known[KEY_COUNT + 1];
    size_t count = 0;
    char hint[LF_HINT_ROOM];
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].where & where)
            known[count++] = keys[i].name;
    known[count] = NULL;
    size_t section = 0;
    while (!(where & 1u << section))
        section++;
    return line__scan_problem(scan, start, "[%s] has no setting '%s'%s", section_names[section], name,
                              line__did_you_mean(name, known, hint));
}

static bool read_setting(struct lf_line_scan *scan, struct section *section)
{
    char *name = NULL;
    const char *start = scan->at;
    if (!line__scan_name(scan, "a setting", &name))
        return false;
    if (!section->kind)
        return line__scan_problem(scan, start, "'%s' stands before the first section; begin with [profile]",
                                  name);
    size_t i = 0;
    while (i < KEY_COUNT && !((keys[i].where & section->kind) && !strcmp(keys[i].name, name)))
        i++;
    if (i == KEY_COUNT)
        return refuse_key(scan, start, name, section->kind);
    if (!keys[i].again && section->seen & (uint64_t)1 << i)
        return line__scan_problem(scan, start, "'%s' is already set in this section", name);
    section->seen |= (uint64_t)1 << i;
    if (!line__scan_accept_char(scan, '='))
        return line__scan_problem(scan, scan->at, "'=' is expected here, as in: %s = ...", name);
    line__scan_skip(scan);
    return keys[i].read(scan, section) && line__scan_finish(scan);
}

static bool begin_command(struct lf_line_scan *scan, struct section *section, char *name)
{
    struct lf_line_profile *profile = scan->profile;
    if (line__profile_command(profile, name))
        return line__scan_problem(scan, scan->line_start, "there is a command '%s' already", name);
    section->command = line__scan_add(scan, &profile->commands, &profile->command_count,
                                      sizeof *section->command);
    if (!section->command)
        return false;
    section->command->name = name;
    section->command->line = scan->line;
    return true;
}

static bool begin_listen(struct lf_line_scan *scan, struct section *section, char *name)
{
    struct lf_line_profile *profile = scan->profile;
    for (size_t i = 0; i < profile->listen_count; i++)
        if (!strcmp(profile->listens[i].name, name))
            return line__scan_problem(scan, scan->line_start, "there is a [listen %s] already", name);
    section->listen = line__scan_add(scan, &profile->listens, &profile->listen_count,
                                     sizeof *section->listen);
    if (!section->listen)
        return false;
    section->listen->name = name;
    section->listen->line = scan->line;
    return true;
}

static bool begin_procedure(struct lf_line_scan *scan, struct section *section, char *name)
{
    struct lf_line_profile *profile = scan->profile;
    if (line__profile_procedure(profile, name))
        return line__scan_problem(scan, scan->line_start, "there is a procedure '%s' already", name);
    section->procedure = line__scan_add(scan, &profile->procedures, &profile->procedure_count,
                                        sizeof *section->procedure);
    if (!section->procedure)
        return false;
    section->procedure->name = name;
    section->procedure->line = scan->line;
    return true;
}

/* [identify] and [resync] are commands without a name of their own. */
static bool begin_handshake(struct lf_line_scan *scan, struct section *section,
                            struct lf_line_command **which, const char *name)
{
    if (!(*which = line__scan_memory(scan, sizeof **which)))
        return false;
    (*which)->name = line__scan_copy(scan, lf_slice_text(name));
    (*which)->line = scan->line;
    (*which)->has_class = true;
    section->command = *which;
    return (*which)->name != NULL;
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
        return line__scan_problem(scan, scan->at, "']' is expected here");
    if (kind < IN_COMMAND && *seen & kind)
        return line__scan_problem(scan, scan->line_start, "there is a [%s] already", section_names[index]);
    *seen |= kind;
    bool good = kind == IN_IDENTIFY    ? begin_handshake(scan, section, &scan->profile->identify, "identify")
                : kind == IN_RESYNC    ? begin_handshake(scan, section, &scan->profile->resync, "resync")
                : kind == IN_COMMAND   ? begin_command(scan, section, name)
                : kind == IN_LISTEN    ? begin_listen(scan, section, name)
                : kind == IN_PROCEDURE ? begin_procedure(scan, section, name)
                                       : true;
    if (good)
        section->kind = kind;
    return good && line__scan_finish(scan);
}

/* After a section that could not be begun, its settings are skipped: they would only repeat the problem. */
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

/* "folder/mt-sics.profile" -> "mt-sics" is for people; problems name the file as it was given. */
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
    struct lf_error local;
    *profile = NULL;
    struct lf_line_scan scan = {.profile = calloc(1, sizeof *scan.profile),
                                .report = report,
                                .err = err ? err : &local};
    if (!scan.profile)
        return lf_fail_memory(err, "reading a profile");
    enum lf_status status = read_all(&scan, text, name);
    if (status == LF_OK)
        *profile = scan.profile;
    else
        lf_profile_free(scan.profile);
    return status;
}

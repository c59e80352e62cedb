/* Checks that need the complete profile: is anything missing or contradictory? */
#include "drivers/line/parse_profile.h"

#include "drivers/line/inputs.h"

#include <string.h>

enum { TOTAL_OVER_FIRST_MS = 10000, PROCEDURE_LIMIT_MS = 10 * 60 * 1000 };

static const struct lf_line_place top = {1, 1};

static bool wrong(struct lf_line_scan *scan, struct lf_line_place place, const char *name, const char *what)
{
    return line__scan_problem_at(scan, place, "%s: %s", name, what);
}

static void fill_times(const struct lf_line_profile *profile, struct lf_line_times *times)
{
    times->first_byte = times->first_byte ? times->first_byte : profile->times.first_byte;
    times->gap = times->gap ? times->gap : profile->times.gap;
    if (!times->total)
        times->total = profile->times.total > times->first_byte + TOTAL_OVER_FIRST_MS
                           ? profile->times.total
                           : times->first_byte + TOTAL_OVER_FIRST_MS;
}

static bool check_ending(struct lf_line_scan *scan, const struct lf_line_ending *ending,
                         struct lf_line_place place, const char *name)
{
    const struct lf_line_check *check = &ending->check;
    bool frame = ending->unit == LF_UNIT_FRAME;
    if (check->kind != LF_CHECKSUM_NONE && !frame && ending->unit != LF_UNIT_LINE
        && ending->unit != LF_UNIT_FIXED && ending->unit != LF_UNIT_IDLE)
        return wrong(scan, place, name, "a checksum works only with line, fixed, frame and idle");
    if ((check->after_end || check->with_start) && !frame)
        return wrong(scan, place, name, "'after end' and 'with start' work only with frame");
    if (check->after_end && ending->length_byte)
        return wrong(scan, place, name, "a frame with a length byte has its checksum before the end");
    if (ending->size > scan->profile->max_reply)
        return wrong(scan, place, name, "the fixed length is greater than max_reply");
    return true;
}

static bool check_line_section(struct lf_line_scan *scan)
{
    const struct lf_line_profile *profile = scan->profile;
    if (!profile->ending.times)
        return wrong(scan, top, "[line]", "set where a reply ends: reply = line \"\\r\\n\"");
    if (profile->send_framed && profile->ending.unit != LF_UNIT_FRAME)
        return wrong(scan, top, "[line]", "send_framed needs reply = frame ...");
    if (profile->send_framed && profile->send_end.len)
        return wrong(scan, top, "[line]", "send_framed and send_end cannot be used together");
    if (profile->listen_count && (profile->ending.unit == LF_UNIT_NONE || profile->ending.until_blank))
        return wrong(scan, top, "[line]", "[listen] does not work with this kind of reply");
    return check_ending(scan, &profile->ending, top, "[line]");
}

static bool check_fallbacks(struct lf_line_scan *scan, const struct lf_line_input_rules *rules,
                            struct lf_line_place place, const char *name)
{
    struct lf_error err;
    for (size_t i = 0; i < rules->count; i++) {
        const char *fallback = rules->items[i].fallback;
        if (fallback && line__input_append(scan->profile, &rules->items[i], fallback, 0, NULL, &err) != LF_OK)
            return wrong(scan, place, name, err.text);
    }
    return true;
}

static bool check_command_inputs(struct lf_line_scan *scan, const struct lf_line_command *command)
{
    const struct lf_line_input_rules *rules = &command->inputs;
    for (size_t i = 0; i < command->send.count; i++) {
        const char *input = command->send.parts[i].name;
        if (input && !line__input_rule(scan->profile, rules, input))
            return line__scan_problem_at(
                scan, command->place,
                "%s: undeclared input '%s'; declare it, as in: input = %s real 0 to 100", command->name,
                input, input);
    }
    for (size_t i = 0; i < rules->count; i++)
        if (!line__pattern_has(&command->send, rules->items[i].name))
            return line__scan_problem_at(scan, command->place, "%s: 'send' does not use the input '%s'",
                                         command->name, rules->items[i].name);
    return check_fallbacks(scan, rules, command->place, command->name);
}

static bool check_replies(struct lf_line_scan *scan, const struct lf_line_command *command)
{
    const struct lf_line_ending *ending = &command->ending;
    if (ending->unit == LF_UNIT_NONE
        && (command->expects.count || command->mores.count || command->errors.count))
        return wrong(scan, command->place, command->name, "with 'reply = none' there is nothing to expect");
    if (ending->unit != LF_UNIT_NONE && !command->expects.count)
        return wrong(scan, command->place, command->name, "add what a good reply looks like: expect = '...'");
    for (size_t i = 0; i < command->errors.count; i++)
        if (command->errors.items[i].says == LF_SAYS_DONE && command->repeat == LF_ONCE)
            return wrong(scan, command->place, command->name,
                         "an action of class once cannot be so already: use another meaning than done");
    if (command->mores.count && (ending->unit != LF_UNIT_LINE || ending->until_blank || ending->times > 1))
        return wrong(scan, command->place, command->name, "'more' works only with reply = line \"...\"");
    return check_ending(scan, ending, command->place, command->name);
}

/* What sends nothing changes nothing, and one line answers it. */
static bool check_awaiting(struct lf_line_scan *scan, const struct lf_line_command *command)
{
    const struct lf_line_ending *ending = &command->ending;
    if (command->repeat != LF_SAFE)
        return wrong(scan, command->place, command->name, "it sends nothing, so its class is safe");
    if (ending->unit == LF_UNIT_NONE || ending->times > 1 || ending->until_blank || command->mores.count)
        return wrong(scan, command->place, command->name, "it waits for one line: reply = line '...'");
    return true;
}

static bool check_command(struct lf_line_scan *scan, struct lf_line_command *command)
{
    struct lf_line_profile *profile = scan->profile;
    if (!command->has_class)
        return wrong(scan, command->place, command->name,
                     "set whether it may be repeated: class = safe, idempotent or once");
    if (!command->send.source && !command->awaits)
        return wrong(scan, command->place, command->name,
                     "set what to send: send = '...', or send = nothing to wait for the next line that fits");
    command->awaits = command->awaits || (!command->send.count && !profile->send_end.len);
    if (!command->ending.times)
        command->ending = profile->ending;
    fill_times(profile, &command->times);
    if (command->awaits && !check_awaiting(scan, command))
        return false;
    if (command->times.total < command->times.first_byte)
        return wrong(scan, command->place, command->name, "'total' is shorter than 'first_byte'");
    return check_replies(scan, command) && check_command_inputs(scan, command);
}

/* [identify] and [resync] prove that the instrument listens: they need an answer, and no input from a job. */
static bool check_handshake(struct lf_line_scan *scan, struct lf_line_command *command)
{
    if (!command)
        return true;
    if (!check_command(scan, command))
        return false;
    if (command->ending.unit == LF_UNIT_NONE || command->awaits)
        return wrong(scan, command->place, command->name, "it needs something to send, and a reply");
    if (command->ending.times > 1 || command->ending.until_blank)
        return wrong(scan, command->place, command->name,
                     "its reply must be one line, frame or block: set reply = ...");
    return true;
}

static bool check_identity(struct lf_line_scan *scan, const struct lf_line_command *identify)
{
    if (!identify)
        return true;
    if (!identify->identity.source)
        return line__command_always_captures(identify, "identity")
               || wrong(scan, identify->place, "identify",
                        "capture {identity} in every expect, or set identity = '{serial}'");
    for (size_t i = 0; i < identify->identity.count; i++) {
        const char *name = identify->identity.parts[i].name;
        if (name && !line__command_always_captures(identify, name))
            return line__scan_problem_at(scan, identify->place, "identify: not every expect captures '%s'",
                                         name);
    }
    return true;
}

static bool check_listen(struct lf_line_scan *scan, const struct lf_line_listen *listen)
{
    if (!listen->matches.count)
        return wrong(scan, listen->place, listen->name, "set what to listen for: match = '...'");
    if (listen->untils.count && listen->quiet_ms)
        return wrong(scan, listen->place, listen->name, "use either until or until_quiet");
    if ((listen->untils.count || listen->quiet_ms) && scan->profile->ending.unit != LF_UNIT_LINE)
        return wrong(scan, listen->place, listen->name,
                     "a report of many lines needs [line] reply = line ...");
    if ((listen->untils.count || listen->quiet_ms) && listen->form == LF_FORM_CSV)
        return wrong(scan, listen->place, listen->name, "a report of many lines is kept as text or json");
    return true;
}

void line__check_profile(struct lf_line_scan *scan)
{
    struct lf_line_profile *profile = scan->profile;
    for (size_t i = 0; i < profile->procedure_count; i++)
        if (!profile->procedures[i].limit_ms)
            profile->procedures[i].limit_ms = PROCEDURE_LIMIT_MS;
    if (!check_line_section(scan))
        return;
    check_fallbacks(scan, &profile->inputs, top, "[profile]");
    bool good = check_handshake(scan, profile->identify) && check_identity(scan, profile->identify);
    good = check_handshake(scan, profile->resync) && good;
    for (size_t i = 0; i < profile->command_count; i++)
        good = check_command(scan, &profile->commands[i]) && good;
    profile->only_listens = !profile->identify && !profile->resync;
    for (size_t i = 0; i < profile->command_count; i++)
        profile->only_listens = profile->only_listens && profile->commands[i].awaits;
    for (size_t i = 0; i < profile->listen_count; i++)
        check_listen(scan, &profile->listens[i]);
    if (!profile->command_count && !profile->listen_count)
        line__scan_problem_at(scan, top, "the profile has neither a [command] nor a [listen]");
    if (good)
        line__link_procedures(scan);
}

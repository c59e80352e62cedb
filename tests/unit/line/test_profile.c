/* The profile language: what it accepts, and how it says what is wrong. */
#include "drivers/line/profile.h"

#include "drivers/line/inputs.h"
#include "drivers/line/reply_match.h"
#include "unit.h"

#include <string.h>

#define HEAD "[profile]\ntitle = 'T'\n[line]\nsend_end = '<CR><LF>'\nreply = line '<CR><LF>'\n"
#define COMMAND "[command weigh]\nclass = safe\nsend = 'S'\nexpect = 'S S {value:real} {unit:word}'\n"

static struct lf_line_profile *good(const char *text)
{
    struct lf_line_profile *profile;
    struct lf_error err = {0};
    line__profile_parse(lf_slice_text(text), "p", NULL, &profile, &err);
    CHECK_STR(err.text, "");
    return profile;
}

static void bad(const char *text, const char *expected)
{
    struct lf_line_profile *profile;
    struct lf_error err = {0};
    CHECK_INT(line__profile_parse(lf_slice_text(text), "p", NULL, &profile, &err), LF_INVALID);
    CHECK_HAS(err.text, expected);
    CHECK(profile == NULL);
    CHECK_INT(err.class, LF_PERMANENT);
    lf_profile_free(profile);
}

static void small_profile(void)
{
    struct lf_line_profile *profile = good(
        HEAD COMMAND "[procedure p]\ndo = weigh 3 times every 1s\nresult = value as weight\n");
    NEED(profile != NULL);
    CHECK_BYTES(profile->send_end.data, profile->send_end.len, "\r\n", 2);
    const struct lf_line_command *command = line__profile_command(profile, "weigh");
    CHECK_INT(command->repeat, LF_SAFE);
    CHECK_INT(command->times.first_byte, 3000);
    const struct lf_line_procedure *procedure = line__profile_procedure(profile, "p");
    CHECK_INT(procedure->steps[0].times, 3);
    CHECK_INT(procedure->steps[0].wait_ms, 1000);
    CHECK(procedure->steps[0].command == command);
    CHECK_STR(procedure->results[0].as, "weight");
    lf_profile_free(profile);
}

static void misspelt_words(void)
{
    bad(HEAD "[command weigh]\nclas = safe\n",
        "p:7:1: [command] has no setting 'clas' (reply, first_byte, gap, total, help, class, provisional, "
        "send, expect, more, error, input); did you mean \"class\"?");
    bad("[procedure p]\nstep = weigh\n",
        "p:2:1: [procedure] has no setting 'step' (help, input, do, wait, finally, result, sign, limit)");
    bad(HEAD "[comand weigh]\n", "p:6:2: 'comand' is not a section (profile, serial, line, errors, identify, "
                                 "resync, command, listen, procedure); did you mean \"command\"?");
    bad(HEAD "[command weigh]\nclass = saef\n",
        "p:7:9: 'saef' is not a class (safe, idempotent, once); did you mean \"safe\"?");
    bad(HEAD "[command weigh]\nclass = safe\nsend = 'S'\nexpect = 'S {value:reel}'\n",
        "p:9:20: 'reel' is not a type (text, word, int, real, hex, data, bool, one); did you mean \"real\"?");
    bad(HEAD COMMAND "[procedure p]\ndo = wiegh\n",
        "p:11:6: unknown command 'wiegh'; did you mean \"weigh\"?");
    bad("[line]\nsend_ends = ''\n", "p:2:1: [line] has no setting 'send_ends' (send_end, send_framed, ");
}

static void broken_texts(void)
{
    bad(HEAD "[command w]\nsend = 'S\n", "p:7:8: missing closing '");
    bad(HEAD "[command w]\nsend = 'S\\q'\n", "p:7:10: unknown escape '\\q'");
    bad(HEAD "[command w]\nsend = 'S\\x0g'\n", "'\\x' needs two hexadecimal digits");
    bad(HEAD "[command w]\nexpect = 'S {value:real'\n", "p:7:24: expected '}'");
    bad(HEAD "[command w]\nexpect = 'S {a} {a}'\n", "'a' is captured twice");
    bad(HEAD "[command w]\nsend = S\n", "in quotes");
    bad(HEAD "[command w]\nclass = safe trailing\n", "p:7:14: unexpected 'trailing'");
    bad("a = b\n", "p:1:1: 'a' is outside any section");
    bad("[line]\nreply line\n", "expected '='");
    bad("[line]\ngap = 3 parsecs\n", "p:2:7: '3'");
    bad("[line]\ngap = 3s\ngap = 4s\n", "p:3:1: 'gap' is already set");
    bad("\xff\xfe", "UTF-8");
}

static void missing_parts(void)
{
    bad(HEAD, "neither a [command] nor a [listen]");
    bad("[profile]\n[command w]\nclass = safe\nsend = 'S'\nexpect = 'S'\n", "set where a reply ends");
    bad(HEAD "[command w]\nsend = 'S'\nexpect = 'S'\n", "p:6:1: w: set whether it may be repeated");
    bad(HEAD "[command w]\nclass = safe\nexpect = 'S'\n", "set what to send");
    bad(HEAD "[command w]\nclass = safe\nsend = 'S'\n", "add what a good reply looks like");
    bad(HEAD "[command w]\nclass = safe\nsend = 'S {x}'\nexpect = 'S'\n", "undeclared input 'x'");
    bad(HEAD "[command w]\nclass = safe\nsend = 'S'\ninput = x int 0 to 9\nexpect = 'S'\n",
        "does not use the input 'x'");
    bad(HEAD "[command w]\nclass = safe\nsend = 'S{x}'\ninput = x int 0 to 9 default 10\nexpect = 'S'\n",
        "out of bounds");
    bad(HEAD COMMAND "[identify]\nsend = '@'\nexpect = 'I4 {serial}'\n", "capture {identity}");
}

static void careless_procedures(void)
{
    bad(HEAD COMMAND "[procedure p]\ndo = weigh\nresult = wieght\n", "p:12:10: no step captures 'wieght'");
    bad(HEAD COMMAND "[procedure p]\nwait = 1s\n", "has no steps");
    bad(HEAD "[command t]\nclass = once\nsend = 'T'\nexpect = 'T {v:real}'\n"
             "[procedure p]\ndo = t at most 3 times until v above 1\n",
        "class once: it cannot be repeated until");
    bad(HEAD "[command n]\nclass = safe\nprovisional = yes\nsend = 'SI'\nexpect = 'S {v:real}'\n"
             "[procedure p]\ndo = n\nresult = v\n",
        "provisional");
    bad(HEAD "[command s]\nclass = safe\nsend = 'S{x}'\ninput = x int 0 to 9\nexpect = 'S'\n"
             "[procedure p]\ndo = s\n",
        "'s' needs the input 'x'");
    bad(HEAD "[command s]\nclass = safe\nsend = 'S{x}'\ninput = x int 0 to 9\nexpect = 'S'\n"
             "[procedure p]\ndo = s x=12\n",
        "out of bounds");
    bad(HEAD COMMAND "[procedure p]\ndo = weigh 100000 times\n", "whole number from 1 to 10000");
}

static void count_problem(void *self, int line, int column, const char *text)
{
    int *lines = self;
    (void)column, (void)text;
    lines[0]++;
    lines[lines[0]] = line;
}

static void all_problems(void)
{
    int lines[60] = {0};
    struct lf_line_profile_report report = {lines, count_problem};
    struct lf_line_profile *profile;
    line__profile_parse(lf_slice_text(HEAD
                                      "[command w]\nclas = safe\nsend = 'S\nexpect = 'S'\ntimeout = 3s\n"),
                        "p", &report, &profile, UNIT_ERROR);
    CHECK_INT(lines[0], 3);
    CHECK_INT(lines[1], 7);
    CHECK_INT(lines[2], 8);
    CHECK_INT(lines[3], 10);
}

static void procedure_class(void)
{
    struct lf_line_profile *profile = good(
        HEAD COMMAND
        "[command t]\nclass = once\nsend = 'T'\nexpect = 'T'\n[command d]\nclass = idempotent\n"
        "send = 'D'\nexpect = 'D'\n[procedure a]\ndo = weigh\n[procedure b]\ndo = weigh\ndo = d\n"
        "[procedure c]\ndo = t\ndo = d\ndo = weigh\n");
    NEED(profile != NULL);
    CHECK_INT(line__profile_procedure(profile, "a")->repeat, LF_SAFE);
    CHECK_INT(line__profile_procedure(profile, "b")->repeat, LF_IDEMPOTENT);
    CHECK_INT(line__profile_procedure(profile, "c")->repeat, LF_ONCE);
    lf_profile_free(profile);
}

/* ---- inputs ---- */

#define DISPLAY                                                                                              \
    HEAD "[command d]\nclass = idempotent\nsend = 'D \"{text}\" {number} {count} {unit}'\nexpect = 'D A'\n"  \
         "input = text text 0 to 10\ninput = number real -1 to 10 decimals 2 default 1\n"                    \
         "input = count int 0 to 99 digits 3 default 7\ninput = unit one of g, kg default g\n"

static void command_is(const char *name, const char *value, const char *expected)
{
    struct lf_line_profile *profile = good(DISPLAY);
    NEED(profile != NULL);
    struct lf_input inputs[] = {{"text", "hi"}, {name, value}};
    if (!strcmp(name, "text"))
        inputs[0].value = value;
    struct lf_line_input_set set = {.given = inputs, .given_count = 2};
    struct lf_buffer out = {0};
    struct lf_error err = {0};
    enum lf_status status = line__command_bytes(profile, line__profile_command(profile, "d"), &set, &out,
                                                &err);
    CHECK_INT(status, *expected == 'D' ? LF_OK : LF_INVALID);
    if (*expected == 'D')
        CHECK_STR(out.data, expected);
    else
        CHECK_HAS(err.text, expected);
    lf_buffer_free(&out);
    lf_profile_free(profile);
}

static void inputs_are_written(void)
{
    command_is("text", "hello", "D \"hello\" 1.00 007 g");
    command_is("number", "-0.5", "D \"hi\" -0.50 007 g");
    command_is("count", "42", "D \"hi\" 1.00 042 g");
    command_is("unit", "kg", "D \"hi\" 1.00 007 kg");
}

static void inputs_cannot_escape(void)
{
    command_is("text", "a\r\nZ", "must not contain the character 0x0d");
    command_is("text", "a\x1bP", "0x1b");
    command_is("text", "a\" Z", "must not contain the character 0x22");
    command_is("text", "a\xc2\x85", "0x85");
    command_is("text", "\xc2\xb5g", "does not know");
    command_is("text", "\xff", "UTF-8");
    command_is("text", "12345678901", "too short or too long: 0 to 10 characters");
    command_is("number", "nan", "is not a number");
    command_is("number", "0x10", "is not a number");
    command_is("number", "1\r\nZ", "is not a number");
    command_is("number", "11", "out of bounds");
    command_is("number", "1.234", "more decimals");
    command_is("count", "4.5", "is not a whole number");
    command_is("count", "100", "out of bounds");
    command_is("unit", "lb", "is none of g, kg");
}

static void inputs_must_be_known(void)
{
    struct lf_line_profile *profile = good(DISPLAY);
    NEED(profile != NULL);
    const struct lf_line_command *command = line__profile_command(profile, "d");
    struct lf_line_input_set set = {.given = &(struct lf_input){"txet", "x"}, .given_count = 1};
    struct lf_error err;
    CHECK_INT(line__inputs_known(profile, &command->inputs, &set, &err), LF_INVALID);
    CHECK_HAS(err.text, "did you mean \"text\"?");
    struct lf_buffer out = {0};
    CHECK_INT(line__command_bytes(profile, command, &(struct lf_line_input_set){0}, &out, &err), LF_INVALID);
    CHECK_HAS(err.text, "missing input 'text'");
    lf_buffer_free(&out);
    lf_profile_free(profile);
}

/* ---- patterns ---- */

static void matches(const char *extra, const char *pattern, const char *line, size_t len,
                    const char *expected)
{
    char text[600], got[300] = "";
    snprintf(text, sizeof text,
             "[profile]\n%s[line]\nsend_end='x'\nreply = line 'x'\n[command c]\nclass = safe\nsend = 'c'\n"
             "expect = '%s'\n",
             extra, pattern);
    struct lf_line_profile *profile = good(text);
    NEED(profile != NULL);
    struct lf_outcome values = {0};
    enum lf_status status = line__reply_pattern_match(profile, &profile->commands[0].expects.items[0],
                                                      lf_slice(line, len), &values, UNIT_ERROR);
    for (size_t i = 0; i < values.count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s=%s", i ? " " : "",
                 values.captures[i].name, values.captures[i].value);
    CHECK_STR(status == LF_OK ? got : "no", expected);
    lf_outcome_free(&values);
    lf_profile_free(profile);
}

#define MATCHES(pattern, line, expected) matches("", pattern, line, sizeof(line) - 1, expected)

static void numbers(void)
{
    MATCHES("S S {v:real} {u:word}", "S S     100.00 g", "v=100.00 u=g");
    MATCHES("S S {v:real} {u:word}", "S S    -100.00 g", "v=-100.00 u=g");
    MATCHES("S S {v:real} {u:word}", "S D     129.07 g", "no");
    MATCHES("{v:real}", "+001.2346", "v=1.2346");
    MATCHES("{v:real}", "-.5", "v=-0.5");
    MATCHES("{v:real}", "+1.23456E-03", "v=1.23456E-03");
    MATCHES("{v:real}", "5.", "v=5");
    MATCHES("{v:real}", "1.2.3", "no");
    MATCHES("{v:real}", "nan", "no");
    MATCHES("{v:real}", "1e999", "no");
    MATCHES("{v:real}", "- 5", "no");
    MATCHES("{v:int}", "-007", "v=-7");
    MATCHES("{v:int}", "0", "v=0");
    MATCHES("{v:int}", "99999999999999999999", "no");
    MATCHES("{v:hex}", "1aF", "v=431");
    matches("decimal = comma\n", "{v:real}", "12,50", 5, "v=12.50");
    matches("decimal = comma\n", "{v:real}", "12.50", 5, "no");
}

static void columns(void)
{
    MATCHES("{v:real:10} {u:text:3}", "+   123.45 g  ", "v=123.45 u=g");
    MATCHES("{v:real:10} {u:word:3}", "-     0.45 mg", "v=-0.45 u=mg");
    MATCHES("{v:real:10} {u:word:3}", "-     0.45", "no");
    MATCHES("ST,{v:real:9}{u:word:3}", "ST,+001.2346 kg", "v=1.2346 u=kg");
    MATCHES("{id:word:6}{v:real:10} {u:word:3}", "N     +   100.00 g  ", "id=N v=100.00 u=g");
}

static void words_and_texts(void)
{
    MATCHES("I4 A \"{id}\"", "I4 A \"B021002593\"", "id=B021002593");
    MATCHES("I4 A \"{id}\"", "I4 A \"a \"quoted\" one\"", "id=a \"quoted\" one");
    MATCHES("{a},{b},{c},{d}", "ACME,X-1,,1.0", "a=ACME b=X-1 c= d=1.0");
    MATCHES("{a},{b}", "one", "no");
    MATCHES("{s:one(S=stable|D=dynamic)} {v:int}", "D 4", "s=dynamic v=4");
    MATCHES("{s:one(S|SS=super)}", "SS", "s=super");
    MATCHES("{on:bool(ON|OFF)}", "OFF", "on=false");
    MATCHES("{:int} {v:int}", "1 2", "v=2");
    MATCHES("{a:text}", "with\x01garbage", "no");
    MATCHES("{a:text}", "caf\xe9", "no");
    matches("encoding = latin1\n", "{a:text}", "\xb5g", 2, "a=\xc2\xb5g");
    matches("encoding = utf8\n", "{a:text}", "\xc2\xb5g", 3, "a=\xc2\xb5g");
    matches("encoding = utf8\n", "{a:text}", "\xb5g", 2, "no");
    MATCHES("{d:data}", "\x00\x01\xff", "d=AAH/");
    MATCHES("\\{{a}\\}", "{x}", "a=x");
    MATCHES("a\\ b", "a  b", "no");
    MATCHES("a b", "a \t b", "");
}

static void long_lines(void)
{
    static char line[60000];
    memset(line, 'a', sizeof line);
    matches("", "{a}a{b}a{c}a{d}a{e}a{f}a{g}b", line, sizeof line, "no");
}

UNIT_TESTS("profile", {"a small profile is read as it is written", small_profile},
           {"a misspelt word is reported with its place and the nearest word", misspelt_words},
           {"a malformed text is reported with its place", broken_texts},
           {"a missing setting is reported with what to add", missing_parts},
           {"a careless procedure is refused", careless_procedures},
           {"all problems of a file are reported at once", all_problems},
           {"a procedure is as strict as its strictest command", procedure_class},
           {"inputs are formatted as the instrument expects them", inputs_are_written},
           {"an input can neither end a command nor begin another", inputs_cannot_escape},
           {"an unknown input is refused, and so is a missing one", inputs_must_be_known},
           {"numbers keep all their digits", numbers}, {"columns of fixed width are read", columns},
           {"words and texts are read", words_and_texts},
           {"a pattern full of free texts takes bounded time", long_lines}, )

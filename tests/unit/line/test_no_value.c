/* What stands in the place of a number and is none, and numbers that lost a digit on the line. */
#include "drivers/line/reply_match.h"

#include "talk.h"
#include "unit.h"

#define METER                                                                                                \
    "[line]\nsend_end = '<LF>'\nreply = line '<LF>'\n[errors]\nnot_a_value = 9.9E37 'overload'\n"            \
    "not_a_value = OVLD\n[command read]\nclass = safe\nsend = 'R?'\nexpect = '{value:real}'\n"               \
    "[command start]\nclass = once\nsend = 'S'\nexpect = '{volume:real}'\n"                                  \
    "[command more]\nclass = safe\nsend = 'M'\nreply = line '<LF>' times 2\nexpect = '{value:real}'\n"

static void refused(struct talk *talk, const char *command, enum lf_class class, const char *says)
{
    say(talk, command);
    CHECK_INT(talk->err.status, LF_REFUSED);
    CHECK_INT(talk->err.class, class);
    CHECK_HAS(talk->err.text, says);
    CHECK_INT(talk->values.count, 0);
}

static void sentinels(void)
{
    TALK(METER, {E("R?\n"), R("+9.90000000E+37\n")}, {E("R?\n"), R("-9.89999994E+37\n")},
         {E("R?\n"), R("ovld\n")}, {E("R?\n"), R("9.8E37\n")}, {E("R?\n"), R("OVLDX\n")},
         {E("R?\n"), R("1\n")});
    refused(&talk, "read", LF_NEEDS_PERSON, "'9.9E37' is not a value: overload");
    refused(&talk, "read", LF_NEEDS_PERSON, "the instrument answered '-9.89999994E+37'");
    refused(&talk, "read", LF_NEEDS_PERSON, "'OVLD' is not a value");
    say(&talk, "read");
    CHECK_STR(value_of(&talk.values, "value"), "9.8E37");
    say(&talk, "read"); /* neither a value nor a known word: asked again */
    CHECK_STR(value_of(&talk.values, "value"), "1");
    end(&talk);
}

static void after_an_action(void)
{
    TALK(METER, {E("S\n"), R("9.9E37\n")});
    refused(&talk, "start", LF_UNKNOWN_OUTCOME, "overload");
    end(&talk);
}

/* The second line of the reply is still to come: it must not answer the next command. */
static void within_a_long_reply(void)
{
    TALK(METER, {E("M\n"), R("9.9E37\n7\n")}, {E("R?\n"), R("8\n")});
    refused(&talk, "more", LF_NEEDS_PERSON, "overload");
    say(&talk, "read");
    CHECK_STR(value_of(&talk.values, "value"), "8");
    end(&talk);
}

/* Every line but the first lost one character of its number, or its point. */
static void lost_digits(void)
{
    static const char *const lost[] = {"S S    100.00 g", "S S     10.00 g", "S S     10000 g",
                                       "S S     100.0 g", "S S    100.00 g "};
    struct lf_line_profile *profile = need_profile(
        "[line]\nsend_end = '<LF>'\nreply = line '<LF>'\n[command weigh]\nclass = safe\nsend = 'S'\n"
        "expect = 'S S\\ {value:real:>10} {unit:word}'\n");
    const struct lf_line_pattern *pattern = &profile->commands[0].expects.items[0];
    struct lf_error err;
    CHECK_INT(line__reply_pattern_match(profile, pattern, lf_slice_text("S S     100.00 g"), NULL, &err),
              LF_OK);
    CHECK_INT(line__reply_pattern_match(profile, pattern, lf_slice_text("S S -123456.78 g"), NULL, &err),
              LF_OK);
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        CHECK_INT(line__reply_pattern_match(profile, pattern, lf_slice_text(lost[i]), NULL, &err),
                  LF_MISMATCH);
    lf_profile_free(profile);
}

static void wrong_columns(void)
{
    struct lf_line_profile *profile;
    struct lf_error err;
    static const char text[] =
        "[line]\nsend_end = '<LF>'\nreply = line '<LF>'\n[command weigh]\nclass = safe\n"
        "send = 'S'\nexpect = 'S S {value:real:>10} {unit:word}'\n";
    CHECK_INT(line__profile_parse(lf_slice_text(text), "p", NULL, &profile, &err), LF_INVALID);
    CHECK_HAS(err.text, "p:7:16: the blanks before this column would take its own: write '\\ '");
}

static void group_separators(void)
{
    TALK("[line]\nsend_end = '<CR>'\nreply = line '<CR>'\n[command code]\nclass = safe\nsend = 'R'\n"
         "expect = '{code:word}'\n",
         {E("R\r"), R("0104012345678901\x1d"
                      "10ABC\r")});
    say(&talk, "code");
    CHECK_STR(value_of(&talk.values, "code"), "0104012345678901\x1d"
                                              "10ABC");
    end(&talk);
}

UNIT_TESTS("values that are no values",
           {"a sentinel or word in the place of a number is an error, never a value", sentinels},
           {"an action that gives no value was done: a person decides", after_an_action},
           {"the rest of a reply without value answers nothing", within_a_long_reply},
           {"a weight that lost a character on the line is no weight", lost_digits},
           {"blanks that would take those of a column are refused", wrong_columns},
           {"a GS1 barcode keeps its group separators", group_separators})

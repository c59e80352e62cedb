#include "base/setting.h"
#include "base/units.h"
#include "unit.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum colour { RED = 7, GREEN = 4 };

struct options {
    const char *broker, *folder, *key_file, *mood;
    int64_t timeout, room;
    int count, any;
    bool loud;
    enum colour colour;
    struct lf_texts tags;
    int guard; /* no row's: must stay as it was */
};

#define INTO(type, member) LF_INTO(type, struct options, member)

static const struct lf_choice colours[] = {{"red", RED}, {"green", GREEN}, {0}};
static const struct lf_choice moods[] = {{"glad", 0}, {"sad", 0}, {0}};

static const struct lf_setting table[] = {
    {"broker", INTO(LF_TEXT, broker), LF_REQUIRED, "Address of the broker."},
    {"timeout", INTO(LF_DURATION, timeout), "30s", .min = 1000, .max = 60000},
    {"room", INTO(LF_SIZE, room), "1KB"},
    {"count", INTO(LF_INT, count), .min = -3, .max = 5},
    {"any", INTO(LF_INT, any)},
    {"loud", INTO(LF_BOOL, loud), "true"},
    {"colour", INTO(LF_CHOICE, colour), "red", .choices = colours},
    {"mood", INTO(LF_TEXT, mood), .choices = moods},
    {"folder", INTO(LF_PATH, folder)},
    {"key_file", INTO(LF_SECRET_FILE, key_file)},
    {"tags", INTO(LF_LIST, tags), "a,b"},
    {"inner", .type = LF_NESTED},
    {"brokers", .type = LF_REMOVED, .help = "one broker is enough"},
    {0},
};

static struct lf_values *fresh(void)
{
    struct lf_values *values = lf_values_new(table, "link");
    NEED(values != NULL);
    return values;
}

static void set(struct lf_values *values, const char *name, const char *text)
{
    struct lf_error err = {0};
    CHECK_INT(lf_values_set(values, name, text, "f:1", &err), LF_OK);
    CHECK_STR(err.text, "");
}

static struct options filled(const struct lf_values *values)
{
    struct options options = {.guard = 42};
    lf_values_fill(values, &options);
    CHECK_INT(options.guard, 42);
    return options;
}

static void values_have_units(void)
{
    struct lf_values *values = fresh();
    set(values, "broker", "b");
    set(values, "timeout", "5s");
    set(values, "room", "2KiB");
    set(values, "count", "-3");
    set(values, "any", "-2147483648");
    set(values, "loud", "false");
    set(values, "colour", "green");
    set(values, "folder", "/x");
    CHECK_INT(lf_values_finish(values, UNIT_ERROR), LF_OK);
    struct options options = filled(values);
    CHECK_STR(options.broker, "b");
    CHECK_INT(options.timeout, 5000);
    CHECK_INT(options.room, 2048);
    CHECK_INT(options.count, -3);
    CHECK_INT(options.any, INT_MIN);
    CHECK(!options.loud);
    CHECK_INT(options.colour, GREEN);
    CHECK_STR(lf_values_at(values, "broker"), "f:1");
    CHECK(lf_values_given(values, "loud"));
    lf_values_free(values);
}

static void bounds_belong(void)
{
    static const char *const in[] = {"1s", "60s", "1m", "60000ms"};
    for (size_t i = 0; i < 4; i++) {
        struct lf_values *values = fresh();
        set(values, "timeout", in[i]);
        set(values, "count", i % 2 ? "5" : "-3");
        lf_values_free(values);
    }
}

static void left_out(void)
{
    struct lf_values *values = fresh();
    set(values, "broker", "b");
    CHECK_INT(lf_values_finish(values, UNIT_ERROR), LF_OK);
    struct options options = filled(values);
    CHECK_INT(options.timeout, 30000);
    CHECK_INT(options.room, 1000);
    CHECK(options.loud);
    CHECK_INT(options.colour, RED);
    CHECK(!lf_values_given(values, "timeout"));
    CHECK_STR(lf_values_at(values, "timeout"), NULL);
    CHECK_STR(options.folder, NULL);
    CHECK_INT(options.count, 0);
    NEED(options.tags.count == 2);
    CHECK_STR(options.tags.items[1], "b");
    lf_values_free(values);
}

static void lists_grow(void)
{
    struct lf_values *values = fresh();
    set(values, "broker", "b");
    set(values, "tags", "x,y");
    set(values, "tags", "z");
    CHECK_INT(lf_values_finish(values, UNIT_ERROR), LF_OK);
    struct options options = filled(values);
    NEED(options.tags.count == 2);
    CHECK_STR(options.tags.items[0], "x,y");
    CHECK_STR(options.tags.items[1], "z");
    lf_values_free(values);
}

static void refused(const char *name, const char *text, const char *words)
{
    struct lf_values *values = fresh();
    struct lf_error err;
    CHECK_INT(lf_values_set(values, name, text, "labferry.conf:12", &err), LF_INVALID);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK_HAS(err.text, "labferry.conf:12: link: ");
    CHECK_HAS(err.text, words);
    lf_values_free(values);
}

static void wrong_values(void)
{
    refused("timeout", "61s", "\"timeout\" must be between 1 s and 1 min, not \"61s\"");
    refused("timeout", "999ms", "between 1 s and 1 min");
    refused("timeout", "fast", "a time with its unit");
    refused("room", "-1", "\"room\" must be a size");
    refused("count", "6", "between -3 and 5");
    refused("count", "-4", "between -3 and 5");
    refused("any", "9223372036854775808", "whole number");
    refused("any", "2147483648", "between -2147483648 and 2147483647");
    refused("any", "1.5", "whole number");
    refused("any", "", "whole number");
    refused("any", "-", "whole number");
    refused("any", " 1", "whole number");
    refused("any", "+1", "whole number");
    refused("any", "1x", "whole number");
    refused("loud", "yes", "true or false");
    refused("colour", "blue", "\"red\", \"green\", not \"blue\"");
    refused("colour", "Red", "\"red\"");
    refused("mood", "angry", "\"glad\", \"sad\", not \"angry\"");
    refused("folder", "", "path of a file or folder");
    refused("key_file", "", "path of a file or folder");
    refused("inner", "x", "group or list");
}

static void unknown_names(void)
{
    refused("brokr", "x", "unknown setting \"brokr\"; did you mean \"broker\"?");
    refused("brkoer", "x", "\"broker\"");
    refused("BROKER", "x", "\"broker\"");
    refused("broker_url", "x", "\"broker\"");
    refused("time_out", "x", "\"timeout\"");
    refused("zzz", "x", "unknown setting \"zzz\"; remove it");
    refused("", "x", "unknown setting \"\"");
    CHECK(lf_setting_find(table, "room") == &table[2]);
    CHECK(lf_setting_find(table, "Room") == NULL);
}

static void removed(void)
{
    refused("brokers", "x", "\"brokers\" is no longer needed: one broker is enough; remove it");
    refused("broker_s", "x", "did you mean \"broker\"?");
}

static void nearest_name(void)
{
    struct lf_nearest nearest = {.word = "weigth"};
    char hint[LF_HINT];
    lf_nearest_try(&nearest, "height");
    lf_nearest_try(&nearest, NULL);
    lf_nearest_try(&nearest, "volume");
    CHECK_STR(lf_nearest_hint(&nearest, "", hint), "; did you mean \"height\"?");
    lf_nearest_try(&nearest, "weight");
    lf_nearest_try(&nearest, "wait");
    CHECK_STR(nearest.name, "weight");
    struct lf_nearest far = {.word = "zzzzzz"};
    lf_nearest_setting(&far, table);
    CHECK_STR(lf_nearest_hint(&far, "; remove it", hint), "; remove it");
}

static void choice_names(void)
{
    CHECK_STR(lf_choice_name(colours, GREEN), "green");
    CHECK_STR(lf_choice_name(colours, 0), "?");
}

static void twice(void)
{
    struct lf_values *values = fresh();
    struct lf_error err;
    set(values, "broker", "a");
    CHECK_INT(lf_values_set(values, "broker", "b", NULL, &err), LF_INVALID);
    CHECK_STR(err.text, "link: \"broker\" is given twice; keep one");
    CHECK_STR(filled(values).broker, "a");
    lf_values_free(values);
}

static void missing(void)
{
    struct lf_values *values = fresh();
    struct lf_error err;
    CHECK_INT(lf_values_finish(values, &err), LF_INVALID);
    CHECK_STR(err.text, "link: missing \"broker\" (Address of the broker.); add it");
    lf_values_free(values);
}

static void outside_text_is_bounded(void)
{
    struct lf_values *values = fresh();
    struct lf_error err;
    char *text = malloc(100001);
    NEED(text != NULL);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    CHECK_INT(lf_values_set(values, text, "1", "f:1", &err), LF_INVALID);
    CHECK(strlen(err.text) < 300);
    CHECK_INT(lf_values_set(values, "timeout", text, "f:1", &err), LF_INVALID);
    CHECK_INT(lf_values_set(values, "broker", text, "f:1", &err), LF_INVALID);
    CHECK_HAS(err.text, "longer than 65536 bytes");
    for (int i = 0; i < 1000; i++)
        set(values, "tags", "t");
    CHECK_INT(lf_values_set(values, "tags", "t", NULL, &err), LF_INVALID);
    CHECK_HAS(err.text, "more than 1000 entries");
    free(text);
    lf_values_free(values);
}

// A reader's misspelt name is found by the first run, not by a user.
static void wrong_reader_aborts(void)
{
    struct lf_values *values = fresh();
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        FILE *quiet = freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        lf_values_at(values, "no such setting");
        _exit(quiet != NULL);
    }
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) > 1);
    lf_values_free(values);
    lf_values_free(NULL);
}

UNIT_TESTS("setting",
           {"values arrive in ms, bytes and whole numbers, with their place in the file", values_have_units},
           {"bounds are inclusive", bounds_belong},
           {"a setting that is left out gets its default or stays unset", left_out},
           {"values are appended to a list and replace its default", lists_grow},
           {"a wrong value is refused with its place and name, and what is allowed", wrong_values},
           {"an unknown name is refused with the nearest known one", unknown_names},
           {"a removed setting is refused with the reason, and never suggested", removed},
           {"the nearest of several names is suggested, but none that is far off", nearest_name},
           {"a choice's value has a name", choice_names},
           {"a second value is refused and the first one is kept", twice},
           {"a missing setting is named with its help", missing},
           {"names, values and lists are bounded", outside_text_is_bounded},
           {"asking for a setting that is not in the table aborts", wrong_reader_aborts}, )

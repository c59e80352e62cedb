#include "base/file.h"
#include "event/rules.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cJSON *json_of(const char *text)
{
    cJSON *json = NULL;
    struct lf_error err = {0};
    if (lf_json_parse(lf_slice_text(text), &json, &err))
        fprintf(stderr, "%s: %s\n", text, err.text);
    return json;
}

/* Are all of the space-separated words in the text? */
static bool all_words(const char *text, char *words)
{
    for (char *rest = words, *word; (word = strsep(&rest, " "));)
        if (!strstr(text, word))
            return false;
    return true;
}

struct table {
    struct lf_pattern *pattern;
    struct lf_error err;
    enum lf_status status;
    int answers, refusals;
};

static void take_line(struct table *t, char *line, int number)
{
    char place[64];
    snprintf(place, sizeof place, "patterns.txt:%d", number);
    if (line[0] == '=') {
        lf_pattern_free(t->pattern);
        lf_error_clear(&t->err);
        t->status = event__pattern_parse(lf_slice_text(line + 2), &t->pattern, &t->err);
    } else if (line[0] == '!') {
        bool right = t->status == LF_INVALID && t->err.class == LF_PERMANENT
                     && all_words(t->err.text, line + 2);
        CU_assertImplementation(right, (unsigned)number, t->status ? t->err.text : "accepted", place, "",
                                CU_FALSE);
        t->refusals++;
    } else if (line[0] == '1' || line[0] == '0') {
        cJSON *event = json_of(line + 2);
        bool right = t->pattern && event && lf_pattern_match(t->pattern, event) == (line[0] == '1');
        CU_assertImplementation(right, (unsigned)number, t->status ? t->err.text : line, place, "", CU_FALSE);
        cJSON_Delete(event);
        t->answers++;
    }
}

static void table_holds(void)
{
    struct lf_buffer text = {0};
    struct table t = {0};
    NEED(lf_file_read(unit_source("tests/unit/event/patterns.txt"), 1 << 20, &text, UNIT_ERROR) == LF_OK);
    int number = 1;
    for (char *rest = text.data, *line; (line = strsep(&rest, "\n")); number++)
        take_line(&t, line, number);
    CHECK(t.answers > 280);
    CHECK(t.refusals > 60);
    lf_pattern_free(t.pattern);
    lf_buffer_free(&text);
}

static void says_which_field(void)
{
    struct lf_pattern *pattern;
    NEED(event__pattern_parse(lf_slice_text("{\"a\":[1],\"detail\":{\"b\":[2],\"c\":[3]}}"), &pattern,
                              UNIT_ERROR)
         == LF_OK);
    cJSON *event = json_of("{\"a\":1,\"detail\":{\"b\":2,\"c\":4}}");
    CHECK_STR(event__pattern_mismatch(pattern, event), "detail.c");
    cJSON_Delete(event);
    event = json_of("{\"a\":1,\"detail\":{\"b\":2,\"c\":3}}");
    CHECK_STR(event__pattern_mismatch(pattern, event), NULL);
    cJSON_Delete(event);
    event = json_of("[1]");
    CHECK_HAS(event__pattern_mismatch(pattern, event), "not an object");
    cJSON_Delete(event);
    lf_pattern_free(pattern);
}

/* {"a": [N times {"k": 1, "v": ...}], ...}: each of these would take centuries if alternatives multiplied. */
static cJSON *siblings(const char *const *keys, int count, const char *leaf)
{
    cJSON *event = cJSON_CreateObject();
    for (; *keys; keys++) {
        cJSON *array = cJSON_AddArrayToObject(event, *keys);
        for (int i = 0; i < count; i++) {
            cJSON *element = cJSON_CreateObject();
            cJSON_AddNumberToObject(element, leaf, 1);
            cJSON_AddItemToArray(array, element);
        }
    }
    return event;
}

static void siblings_do_not_multiply(void)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", NULL};
    struct lf_pattern *pattern;
    NEED(event__pattern_parse(lf_slice_text(
                                  "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":{\"k\":[1]},\"d\":{\"k\":[1]},"
                                  "\"e\":{\"k\":[1]},\"f\":{\"k\":[1]},\"z\":[1]}"),
                              &pattern, UNIT_ERROR)
         == LF_OK);
    cJSON *event = siblings(keys, 1000, "k");
    CHECK(!lf_pattern_match(pattern, event));
    cJSON_AddNumberToObject(event, "z", 1);
    CHECK(lf_pattern_match(pattern, event));
    cJSON_Delete(event);
    lf_pattern_free(pattern);
}

static void nested_siblings_do_not_multiply(void)
{
    static const char *const keys[] = {"b", "c", "d", "e", NULL};
    struct lf_pattern *pattern;
    NEED(event__pattern_parse(
             lf_slice_text("{\"a\":{\"b\":{\"k\":[1]},\"c\":{\"k\":[1]},\"d\":{\"k\":[1]},\"e\":{\"k\":[1]},"
                           "\"x\":[{\"exists\":false}],\"z\":[1]}}"),
             &pattern, UNIT_ERROR)
         == LF_OK);
    cJSON *event = cJSON_CreateObject(), *array = cJSON_AddArrayToObject(event, "a");
    for (int i = 0; i < 20; i++)
        cJSON_AddItemToArray(array, siblings(keys, 200, "k"));
    CHECK(!lf_pattern_match(pattern, event));
    cJSON_AddNumberToObject(cJSON_GetArrayItem(array, 19), "z", 1);
    CHECK(lf_pattern_match(pattern, event));
    cJSON_AddNumberToObject(cJSON_GetArrayItem(array, 19), "x", 1);
    CHECK(!lf_pattern_match(pattern, event));
    cJSON_Delete(event);
    lf_pattern_free(pattern);
}

static void wildcards_take_linear_time(void)
{
    char *text = malloc(260 * 1024 + 1);
    NEED(text != NULL);
    memset(text, 'a', 260 * 1024);
    text[260 * 1024] = '\0';
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "a", text);
    free(text);
    struct lf_pattern *pattern;
    NEED(event__pattern_parse(lf_slice_text("{\"a\":[{\"wildcard\":\"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b*\"}]}"),
                              &pattern, UNIT_ERROR)
         == LF_OK);
    CHECK(!lf_pattern_match(pattern, event));
    lf_pattern_free(pattern);
    NEED(event__pattern_parse(lf_slice_text("{\"a\":[{\"wildcard\":\"*aaaaaaaaaaaaaaaaaaaaaaaaaaaaab*\"}]}"),
                              &pattern, UNIT_ERROR)
         == LF_OK);
    CHECK(!lf_pattern_match(pattern, event));
    lf_pattern_free(pattern);
    cJSON_Delete(event);
}

static void too_many_are_refused(void)
{
    struct lf_buffer text = {0};
    struct lf_pattern *pattern;
    struct lf_error err = {0};
    lf_buffer_text(&text, "{");
    for (int i = 0; i < 13; i++)
        lf_buffer_format(&text, "%s\"n%d\":{\"$or\":[{\"a\":[1]},{\"b\":[1]}]}", i ? "," : "", i);
    lf_buffer_text(&text, "}");
    CHECK_INT(event__pattern_parse(lf_buffer_slice(&text), &pattern, &err), LF_INVALID);
    CHECK_HAS(err.text, "combinations");
    lf_buffer_clear(&text);
    lf_buffer_text(&text, "{\"f\":[1]");
    for (int i = 0; i < LF_RULE_MAX_FIELDS; i++)
        lf_buffer_format(&text, ",\"n%d\":[1]", i);
    lf_buffer_text(&text, "}");
    CHECK_INT(event__pattern_parse(lf_buffer_slice(&text), &pattern, &err), LF_INVALID);
    CHECK_HAS(err.text, "128 fields");
    lf_buffer_clear(&text);
    for (int i = 0; i < 5000; i++)
        lf_buffer_text(&text, "{\"a\":");
    CHECK_INT(event__pattern_parse(lf_buffer_slice(&text), &pattern, &err), LF_INVALID);
    CHECK_HAS(err.text, "nested");
    lf_buffer_clear(&text);
    lf_buffer_text(&text, "{\"a\":[\"");
    for (int i = 0; i < 300; i++)
        lf_buffer_format(&text, "%01000d", 0);
    lf_buffer_text(&text, "\"]}");
    CHECK_INT(event__pattern_parse(lf_buffer_slice(&text), &pattern, &err), LF_TOO_LARGE);
    lf_buffer_free(&text);
}

UNIT_TESTS("pattern", {"every pattern of the table is matched or refused as AWS does", table_holds},
           {"a mismatch names the field that could not be satisfied", says_which_field},
           {"sibling arrays do not multiply the time", siblings_do_not_multiply},
           {"sibling arrays inside an array do not multiply the time", nested_siblings_do_not_multiply},
           {"wildcards take time in proportion to the text", wildcards_take_linear_time},
           {"patterns with too many combinations, fields, levels or bytes are refused",
            too_many_are_refused}, )

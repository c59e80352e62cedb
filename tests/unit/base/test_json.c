#include "base/json.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static cJSON *parse(const char *text)
{
    cJSON *json = NULL;
    struct lf_error err;
    if (lf_json_parse(lf_slice_text(text), &json, &err) != LF_OK) {
        CHECK(json == NULL);
        CHECK_INT(err.class, LF_PERMANENT);
        CHECK_INT(err.status, LF_INVALID);
    }
    return json;
}

static void refuses(const char *data, size_t len, const char *words)
{
    cJSON *json = NULL;
    struct lf_error err;
    char *copy = malloc(len + 1); // exact size, so that reading beyond is seen
    NEED(copy != NULL);
    memcpy(copy, data, len);
    CHECK_INT(lf_json_parse(lf_slice(copy, len), &json, &err), LF_INVALID);
    CHECK(json == NULL);
    CHECK_HAS(err.text, words);
    free(copy);
    cJSON_Delete(json);
}

static void one_value(void)
{
    cJSON *json = parse(" {\"a\": [1, 2.5, true, null, \"\\u00e9\"]} \n");
    NEED(json != NULL);
    char *text = lf_json_print(json);
    CHECK_STR(text, "{\"a\":[1,2.5,true,null,\"\xc3\xa9\"]}");
    free(text);
    cJSON_Delete(json);
    json = parse("7");
    CHECK(cJSON_IsNumber(json));
    cJSON_Delete(json);
}

static void broken(void)
{
    refuses("", 0, "not JSON");
    refuses("{\"a\":", 5, "byte");
    refuses("{\"a\":1,}", 8, "byte 7");
    refuses("{} {}", 5, "something follows the value at byte 3");
    refuses("[1]x", 4, "at byte 3");
    refuses("{\"a\":\"\xff\"}", 9, "UTF-8");
    refuses("{\"a\":\"b\0c\"}", 11, "NUL");
    refuses("{}\0", 3, "NUL");
    refuses("\"abc", 4, "not JSON");
    refuses("'a'", 3, "not JSON");
}

static void depth_is_bounded(void)
{
    char text[2 * LF_JSON_MAX_DEPTH + 3];
    for (int depth = LF_JSON_MAX_DEPTH; depth <= LF_JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        cJSON *json = parse(text);
        CHECK((json != NULL) == (depth == LF_JSON_MAX_DEPTH));
        cJSON_Delete(json);
    }
    cJSON *json = parse("\"[[[[\\\"[[[[\"");
    CHECK(json != NULL);
    cJSON_Delete(json);
    char *many = malloc(1000000);
    NEED(many != NULL);
    memset(many, '[', 1000000);
    refuses(many, 1000000, "levels deep");
    free(many);
}

static void paths(void)
{
    cJSON *json = parse("{\"file\": {\"id\": \"f1\", \"n\": 5, \"ok\": true, \"big\": 9007199254740992, "
                        "\"half\": 0.5}, \"Case\": 1}");
    NEED(json != NULL);
    CHECK_STR(lf_json_text(json, "file.id"), "f1");
    CHECK_STR(lf_json_text(json, "file.n"), NULL);
    CHECK_STR(lf_json_text(json, "file.id.more"), NULL);
    CHECK_STR(lf_json_text(json, "none.id"), NULL);
    CHECK_STR(lf_json_text(NULL, "file.id"), NULL);
    CHECK_STR(lf_json_text_or(json, "none", "else"), "else");
    CHECK_INT(lf_json_int(json, "file.n", -1), 5);
    CHECK_INT(lf_json_int(json, "file.big", -1), INT64_C(9007199254740992));
    CHECK_INT(lf_json_int(json, "file.half", -1), -1);
    CHECK_INT(lf_json_int(json, "file.id", -1), -1);
    CHECK_INT(lf_json_int(json, "case", -1), -1);
    CHECK(lf_json_bool(json, "file.ok", false));
    CHECK(lf_json_bool(json, "file.n", true));
    char path[300];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK(lf_json_at(json, path) == NULL);
    cJSON_Delete(json);
}

static void setting_replaces(void)
{
    cJSON *json = cJSON_CreateObject();
    NEED(json != NULL);
    CHECK(lf_json_set_text(json, "a", "x"));
    CHECK(lf_json_set_text(json, "a", "y"));
    CHECK(lf_json_set_int(json, "n", INT64_C(1763792400123)));
    CHECK(lf_json_set_bool(json, "b", true));
    CHECK(lf_json_set_text(json, "z", NULL));
    CHECK(!lf_json_set(json, "q", NULL));
    char *text = lf_json_print(json);
    CHECK_STR(text, "{\"a\":\"y\",\"n\":1763792400123,\"b\":true,\"z\":null}");
    free(text);
    cJSON_Delete(json);
}

// Boundaries from RFC 3629 section 4 and Unicode's list of ill-formed sequences.
static void utf8(void)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] =
        {"\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",     "\xed\xa0\x80",
         "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
         "\xc2",         "\xe1\x80",         "\xf1\x80\x80",     "\xe1\x80q",        "a\xc2\xc2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(lf_utf8_valid(lf_slice_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!lf_utf8_valid(lf_slice_text(bad[i])));
}

static void memory_is_not_syntax(void)
{
    static const char text[] = "{\"a\": [1, \"two\", {\"b\": null}]}";
    for (unsigned n = 1; unit_failing(n); n++) {
        cJSON *value = NULL;
        struct lf_error err = {0};
        enum lf_status status = lf_json_parse(lf_slice_text(text), &value, &err);
        unit_failing_over();
        CHECK(status == LF_OK ? cJSON_IsObject(value)
                              : status == LF_NO_MEMORY && err.class == LF_TRANSIENT && !value);
        cJSON_Delete(value);
    }
}

static void set_or_as_before(void)
{
    for (unsigned n = 1; unit_failing(n); n++) {
        cJSON *object = cJSON_CreateObject();
        bool first = object && lf_json_set_text(object, "a", "old");
        bool second = first && lf_json_set_text(object, "a", "new");
        unit_failing_over();
        if (first)
            CHECK_STR(lf_json_text(object, "a"), second ? "new" : "old");
        cJSON_Delete(object);
    }
}

UNIT_TESTS("json", {"out of memory is never reported as bad JSON", memory_is_not_syntax},
           {"out of memory, a member keeps its value", set_or_as_before},
           {"one JSON value is read, with white space around it", one_value},
           {"anything but exactly one JSON value is refused, with the position", broken},
           {"nesting is checked before parsing, and brackets in strings do not count", depth_is_bounded},
           {"paths find members of the right type only", paths},
           {"setting a member replaces it, and whole numbers stay exact", setting_replaces},
           {"UTF-8 is valid exactly as RFC 3629 defines", utf8}, )

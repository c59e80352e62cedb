/* JSON from outside: parsing, printing, lookup by path, valid UTF-8. */
#include "fuzz.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* What is printed reads as the same value again, numbers included. */
static void check_round(const cJSON *value)
{
    cJSON *again = NULL;
    struct lf_error err = {0};
    char *first = lf_json_print(value);
    MUST(first, "a parsed value cannot be printed");
    MUST(lf_json_parse(lf_slice_text(first), &again, &err) == LF_OK, "printed as %s: %s", first, err.text);
    char *second = lf_json_print(again);
    MUST(second && !strcmp(first, second), "printed as %s, then as %s", first, second);
    cJSON_Delete(again);
    free(second);
    free(first);
}

static void look_around(const cJSON *value)
{
    int64_t whole = lf_json_int(value, "id", -7);
    MUST(whole == -7 || llabs((long long)whole) <= INT64_C(1) << 53, "not exact: %lld", (long long)whole);
    lf_json_bool(value, "a.b", true);
    const char *text = lf_json_text(value, "file.id");
    MUST(!text || lf_utf8_valid(lf_slice_text(text)), "a text that is not UTF-8");
    if (value->child && value->child->string)
        MUST(strchr(value->child->string, '.') || strlen(value->child->string) >= 128
                 || !*value->child->string || lf_json_at(value, value->child->string),
             "there is no member %s", value->child->string);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lf_slice text = lf_slice((const char *)data, size);
    struct lf_error err = {0};
    cJSON *value = NULL;
    enum lf_status status = lf_json_parse(text, &value, &err);
    fuzz_check_error(status, &err);
    MUST((status == LF_OK) == (value != NULL), "status %d and %p", (int)status, (void *)value);
    if (value) {
        MUST(lf_utf8_valid(text) && !memchr(data, 0, size), "accepted text that is not UTF-8 or has a NUL");
        if (!memmem(data, size, "\\u0000", 6)) { /* cJSON ends a text there */
            check_round(value);
            look_around(value);
        }
    }
    cJSON_Delete(value);
    return 0;
}

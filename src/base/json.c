#include "base/json.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Depth is bounded before cJSON recurses; strings are skipped so that brackets inside them do not count. */
static bool too_deep(struct lf_slice text)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LF_JSON_MAX_DEPTH)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

enum lf_status lf_json_parse(struct lf_slice text, cJSON **out, struct lf_error *err)
{
    *out = NULL;
    if (too_deep(text))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "JSON is nested more than %d levels deep",
                       LF_JSON_MAX_DEPTH);
    if (text.len
        && memchr(text.data, '\0', text.len)) /* cJSON would read them as spaces, and cut texts at them */
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "not JSON: it holds NUL bytes");
    if (!lf_utf8_valid(text))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "text is not valid UTF-8");
    const char *end = NULL;
    errno = 0; /* cJSON does not report why it fails; a failed allocation sets errno */
    cJSON *value = cJSON_ParseWithLengthOpts(text.data, text.len, &end, 0);
    if (!value && errno == ENOMEM)
        return lf_fail_memory(err, "reading JSON");
    if (!value) {
        size_t at = end && end >= text.data ? (size_t)(end - text.data) : 0;
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "not JSON: error at byte %zu of %zu", at, text.len);
    }
    for (size_t i = (size_t)(end - text.data); i < text.len; i++)
        if (!strchr(" \t\r\n", text.data[i]) || text.data[i] == '\0') {
            cJSON_Delete(value);
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "not JSON: something follows the value at byte %zu",
                           i);
        }
    *out = value;
    return LF_OK;
}

char *lf_json_print(const cJSON *value)
{
    return cJSON_PrintUnformatted(value);
}

const cJSON *lf_json_at(const cJSON *value, const char *path)
{
    while (value && *path) {
        const char *dot = path + strcspn(path, ".");
        char key[128];
        size_t len = (size_t)(dot - path);
        if (len >= sizeof key)
            return NULL;
        memcpy(key, path, len);
        key[len] = '\0';
        value = cJSON_GetObjectItemCaseSensitive(value, key);
        path = *dot ? dot + 1 : dot;
    }
    return value;
}

const char *lf_json_text(const cJSON *value, const char *path)
{
    const cJSON *item = lf_json_at(value, path);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

const char *lf_json_text_or(const cJSON *value, const char *path, const char *fallback)
{
    const char *text = lf_json_text(value, path);
    return text ? text : fallback;
}

int64_t lf_json_int(const cJSON *value, const char *path, int64_t fallback)
{
    const cJSON *item = lf_json_at(value, path);
    if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble)
        || fabs(item->valuedouble) > 9007199254740992.0)
        return fallback;
    return (int64_t)item->valuedouble;
}

bool lf_json_bool(const cJSON *value, const char *path, bool fallback)
{
    const cJSON *item = lf_json_at(value, path);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

bool lf_json_repeats(const cJSON *object, const cJSON *member)
{
    return cJSON_GetObjectItemCaseSensitive(object, member->string) != member;
}

bool lf_json_set(cJSON *object, const char *key, cJSON *item)
{
    if (!item)
        return false;
    cJSON *before = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_AddItemToObject(object, key, item)) {
        cJSON_Delete(item);
        return false;
    }
    if (before)
        cJSON_Delete(cJSON_DetachItemViaPointer(object, before));
    return true;
}

bool lf_json_set_text(cJSON *object, const char *key, const char *text)
{
    return lf_json_set(object, key, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

bool lf_json_set_int(cJSON *object, const char *key, int64_t number)
{
    return lf_json_set(object, key, cJSON_CreateNumber((double)number));
}

bool lf_json_set_bool(cJSON *object, const char *key, bool truth)
{
    return lf_json_set(object, key, cJSON_CreateBool(truth));
}

bool lf_json_set_time(cJSON *object, const char *key, int64_t wall_ms)
{
    char text[LF_TIME_TEXT];
    lf_time_format(wall_ms, text);
    return wall_ms == 0 || lf_json_set_text(object, key, text);
}

void lf_json_add(cJSON **list, cJSON *item)
{
    if (item && cJSON_AddItemToArray(*list, item))
        return;
    cJSON_Delete(item);
    cJSON_Delete(*list);
    *list = NULL;
}

cJSON *lf_json_made(cJSON *value, bool made)
{
    if (made)
        return value;
    cJSON_Delete(value);
    return NULL;
}

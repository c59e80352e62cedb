#include "event/text.h"

#include <string.h>

static bool has_nul(struct lf_slice text, size_t *at)
{
    for (size_t i = 0; i < text.len; i++) {
        *at = i;
        if (text.data[i] == '\0')
            return true;
        if (text.data[i] != '\\')
            continue;
        if (text.len - i >= 6 && !memcmp(text.data + i + 1, "u0000", 5))
            return true;
        i++;
    }
    return false;
}

enum lf_status event__text_parse(struct lf_slice text, cJSON **json, struct lf_error *err)
{
    size_t at;
    *json = NULL;
    if (has_nul(text, &at))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "a NUL character at byte %zu of %zu", at, text.len);
    return lf_json_parse(text, json, err);
}

const char *event__type_name(const cJSON *json)
{
    return cJSON_IsString(json)   ? "text"
           : cJSON_IsNumber(json) ? "a number"
           : cJSON_IsBool(json)   ? "true or false"
           : cJSON_IsNull(json)   ? "null"
           : cJSON_IsArray(json)  ? "a list"
                                  : "an object";
}

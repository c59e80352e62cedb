#include "job/captures.h"

#include <string.h>

cJSON *lf_captures_list(const struct lf_outcome *outcome)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < outcome->count; i++) {
        const struct lf_capture *capture = &outcome->captures[i];
        cJSON *entry = cJSON_CreateObject();
        bool made = lf_json_set_text(entry, "name", capture->name)
                    && lf_json_set_text(entry, "value", capture->value)
                    && lf_json_set_text(entry, "type", lf_capture_type_name(capture->type));
        lf_json_add(&list, lf_json_made(entry, made));
    }
    return list;
}

bool lf_captures_read(const cJSON *entry, struct lf_capture *capture)
{
    const char *type = lf_json_text_or(entry, "type", "");
    *capture = (struct lf_capture){.name = cJSON_GetStringValue(lf_json_at(entry, "name")),
                                   .value = cJSON_GetStringValue(lf_json_at(entry, "value")),
                                   .type = LF_CAPTURE_BOOL};
    while (capture->type != LF_CAPTURE_TEXT && strcmp(lf_capture_type_name(capture->type), type) != 0)
        capture->type--;
    return capture->name && capture->value;
}

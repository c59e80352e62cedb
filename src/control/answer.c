#include "control/answer.h"

cJSON *control__answer_error(const struct lf_error *err)
{
    cJSON *error = cJSON_CreateObject();
    return lf_json_made(error, lf_json_set_text(error, "status", lf_status_name(err->status))
                                   && lf_json_set_text(error, "class", lf_class_name(err->class))
                                   && lf_json_set_text(error, "text", err->text));
}

cJSON *control__answer_of(enum lf_status status, cJSON *result, const struct lf_error *err)
{
    cJSON *answer = cJSON_CreateObject();
    bool made = lf_json_set_bool(answer, "ok", status == LF_OK);
    if (status == LF_OK)
        return lf_json_made(answer,
                            lf_json_set(answer, "result", result ? result : cJSON_CreateNull()) && made);
    cJSON_Delete(result);
    return lf_json_made(answer, made && lf_json_set(answer, "error", control__answer_error(err)));
}

char *control__answer_print(const cJSON *value)
{
    char *text = lf_json_print(value);
    if (text)
        lf_utf8_repair(text);
    return text;
}

#include "control/answer.h"

cJSON *control__answer_error(const struct lf_error *err)
{
    cJSON *error = cJSON_CreateObject();
    if (error && lf_json_set_text(error, "status", lf_status_name(err->status))
        && lf_json_set_text(error, "class", lf_class_name(err->class))
        && lf_json_set_text(error, "text", err->text))
        return error;
    cJSON_Delete(error);
    return NULL;
}

cJSON *control__answer_of(enum lf_status status, cJSON *result, const struct lf_error *err)
{
    cJSON *answer = cJSON_CreateObject();
    bool good = answer && lf_json_set_bool(answer, "ok", status == LF_OK);
    if (status == LF_OK)
        good = lf_json_set(answer, "result", result ? result : cJSON_CreateNull()) && good;
    else {
        cJSON_Delete(result);
        good = lf_json_set(answer, "error", control__answer_error(err)) && good;
    }
    if (good)
        return answer;
    cJSON_Delete(answer);
    return NULL;
}

char *control__answer_print(const cJSON *value)
{
    char *text = lf_json_print(value);
    if (text)
        lf_utf8_mend(text);
    return text;
}

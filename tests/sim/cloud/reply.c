#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sim_reply sim_reply_text(unsigned status, const char *mime, char *text)
{
    return (struct sim_reply){.status = status,
                              .text = text,
                              .fd = -1,
                              .size = (int64_t)strlen(text),
                              .mime = mime};
}

struct sim_reply sim_reply_json(unsigned status, cJSON *json)
{
    char *text = lf_json_print(json);
    cJSON_Delete(json);
    if (!text)
        sim_die("out of memory (printing an answer)");
    return sim_reply_text(status, "application/json", text);
}

struct sim_reply sim_reply_item(unsigned status, const cJSON *json)
{
    return sim_reply_json(status, cJSON_Duplicate(json, true));
}

static cJSON *error_json(const char *type, const char *message)
{
    cJSON *json = cJSON_CreateObject(), *error = cJSON_AddObjectToObject(json, "error");
    sim_set_text(error, "message", message);
    sim_set_text(error, "type", type);
    sim_set_text(error, "userMessage", message);
    return json;
}

struct sim_reply sim_reply_error_typed(unsigned status, const char *type, const char *message)
{
    return sim_reply_json(status, error_json(type, message));
}

struct sim_reply sim_reply_error(unsigned status, const char *format, ...)
{
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return sim_reply_error_typed(status, "invalid_request_error", message);
}

static struct sim_reply missing(unsigned status, const char *what, const char *id)
{
    char message[200];
    snprintf(message, sizeof message, "%s not found: %.80s", what, id);
    cJSON *json = error_json("invalid_request_error", message);
    sim_set_text(cJSON_GetObjectItemCaseSensitive(json, "error"), "invalidId", id);
    return sim_reply_json(status, json);
}

struct sim_reply sim_reply_missing(const char *what, const char *id)
{
    return missing(404, what, id);
}

struct sim_reply sim_reply_missing_400(const char *what, const char *id)
{
    return missing(400, what, id);
}

void sim_reply_free(struct sim_reply *reply)
{
    free(reply->text);
    if (reply->fd >= 0)
        close(reply->fd);
    *reply = (struct sim_reply){.fd = -1};
}

/* What an event says as a whole: is anything left out, what it would be with its resource as the API has it,
 * and whether another message says the same. */
#include "event/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static bool write_value(struct lf_buffer *out, const cJSON *value);

/* Members in the order of their names: their order in the text means nothing. */
static bool write_object(struct lf_buffer *out, const cJSON *object)
{
    size_t count = (size_t)cJSON_GetArraySize(object), i = 0;
    const cJSON *member, **members = calloc(count + 1, sizeof *members);
    bool good = members && lf_buffer_text(out, "{") == LF_OK;
    cJSON_ArrayForEach (member, object)
        if (good)
            members[i++] = member;
    if (good && count)
        qsort(members, count, sizeof *members, by_name);
    for (i = 0; good && i < count; i++)
        good = lf_buffer_format(out, "%zu:%s=", strlen(members[i]->string), members[i]->string) == LF_OK
               && write_value(out, members[i]);
    free(members);
    return good && lf_buffer_text(out, "}") == LF_OK;
}

static bool write_value(struct lf_buffer *out, const cJSON *value)
{
    const cJSON *item;
    if (cJSON_IsObject(value))
        return write_object(out, value);
    if (cJSON_IsArray(value)) {
        bool good = lf_buffer_text(out, "[") == LF_OK;
        cJSON_ArrayForEach (item, value)
            good = good && write_value(out, item) && lf_buffer_text(out, ",") == LF_OK;
        return good && lf_buffer_text(out, "]") == LF_OK;
    }
    char *text = lf_json_print(value);
    bool good = text && lf_buffer_text(out, text) == LF_OK;
    free(text);
    return good;
}

enum lf_status lf_event_digest(const struct lf_event *event, char digest[LF_SHA256_HEX], struct lf_error *err)
{
    struct lf_buffer text = {0};
    bool good = write_value(&text, cJSON_GetObjectItemCaseSensitive(event->root, "detail"))
                && lf_digest_bytes(LF_SHA256, text.data, text.len, digest) == LF_OK;
    lf_buffer_free(&text);
    return good ? LF_OK : lf_fail_memory(err, "storing an event");
}

bool lf_event_is_whole(const struct lf_event *event)
{
    return event->payload && !event->thin && event->excluded_count == 0;
}

/* Members that the API does not have stay as the event has them: what is absent proves nothing. */
static cJSON *overlay(const cJSON *payload, const cJSON *resource)
{
    cJSON *both = payload ? cJSON_Duplicate(payload, true) : cJSON_CreateObject();
    const cJSON *member;
    bool good = both != NULL;
    cJSON_ArrayForEach (member, resource)
        good = good && lf_json_set(both, member->string, cJSON_Duplicate(member, true));
    if (good)
        return both;
    cJSON_Delete(both);
    return NULL;
}

enum lf_status lf_event_with(const struct lf_event *event, const cJSON *resource, struct lf_event **whole,
                             struct lf_error *err)
{
    cJSON *root = cJSON_Duplicate(event->root, true);
    cJSON *detail = cJSON_GetObjectItemCaseSensitive(root, "detail");
    char *text = NULL;
    *whole = NULL;
    if (detail && lf_json_set(detail, event->resource, overlay(event->payload, resource))
        && lf_json_set(detail, "excludedProperties", cJSON_CreateArray()))
        text = lf_json_print(root);
    cJSON_Delete(root);
    enum lf_status status = text ? lf_event_decode_completed(lf_slice_text(text), whole, err)
                                 : lf_fail_memory(err, "completing an event");
    free(text);
    return status;
}

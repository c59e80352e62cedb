/* Decoding: find the envelope, check every field that is used, build what patterns look at. */
#include "event/event.h"

#include "base/clock.h"
#include "base/digest.h"
#include "event/kind.h"
#include "event/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(...) lf_fail(err, LF_INVALID, LF_PERMANENT, __VA_ARGS__)

/* Where each envelope keeps things; `where` prefixes names in messages. */
struct source {
    const char *where; /* "detail.", "message." or "" */
    const char *type_key;
    const char *body; /* the member that holds the event; NULL: the message itself */
};

static const struct source eventbridge = {"detail.", "eventType", "detail"};
static const struct source bare = {"", "eventType", NULL};
static const struct source webhook = {"message.", "type", "message"};

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Null counts as missing. */
static enum lf_status check(const cJSON *item, const char *where, const char *key, int types,
                            const char *expected, struct lf_error *err)
{
    if (!item || item->type & (types | cJSON_NULL))
        return LF_OK;
    return REFUSE("%s%.120s: expected %s, found %s", where, key, expected, event__type_name(item));
}

/* Points *out to a text member; NULL if it is missing or null. */
static enum lf_status take_text(const cJSON *object, const char *where, const char *key, char **out,
                                struct lf_error *err)
{
    const cJSON *item = member(object, key);
    *out = cJSON_GetStringValue(item);
    return check(item, where, key, cJSON_String, "text", err);
}

static enum lf_status take_type(struct lf_event *event, const struct source *from, const cJSON *body,
                                const cJSON *message, struct lf_error *err)
{
    enum lf_status status = take_text(body, from->where, from->type_key, &event->type, err);
    if (status == LF_OK && !event->type && from == &eventbridge)
        status = take_text(message, "", "detail-type", &event->type, err);
    if (status != LF_OK)
        return status;
    if (!event->type || !*event->type)
        return REFUSE("%s%s: missing or empty", from->where, from->type_key);
    event->name = event__name_of(event->type);
    const struct lf_event_kind *kind = event__kind_find(event->name);
    event->known = kind != NULL;
    event->resource = kind ? strdup(kind->resource)
                           : lf_format("%.*s", (int)strcspn(event->name, "."), event->name);
    return event->resource ? LF_OK : lf_fail_memory(err, "decoding an event");
}

/* Only a webhook may lack an id: the digest of its bytes stands in, so that at least a resend is recognised.
 */
static enum lf_status take_id(struct lf_event *event, const struct source *from, const cJSON *body,
                              struct lf_slice message, struct lf_error *err)
{
    char hex[LF_SHA256_HEX];
    enum lf_status status = take_text(body, from->where, "id", &event->id, err);
    if (status != LF_OK || (event->id && *event->id))
        return status;
    if (from != &webhook || member(body, "id"))
        return REFUSE("%sid: missing or empty", from->where);
    if (lf_digest_bytes(LF_SHA256, message.data, message.len, hex) != LF_OK)
        return lf_fail_memory(err, "decoding an event");
    snprintf(event->made_id, sizeof event->made_id, "sha256:%s", hex);
    event->id = event->made_id;
    return LF_OK;
}

static enum lf_status take_created(struct lf_event *event, const struct source *from, const cJSON *body,
                                   struct lf_error *err)
{
    enum lf_status status = take_text(body, from->where, "createdAt", &event->created_at, err);
    if (status == LF_OK && event->created_at && lf_time_parse(event->created_at, &event->created_ms))
        return REFUSE("%screatedAt: \"%.60s\" is not a time such as 2026-11-22T06:09:34Z", from->where,
                      event->created_at);
    return status;
}

static enum lf_status take_flags(struct lf_event *event, const struct source *from, const cJSON *body,
                                 struct lf_error *err)
{
    static const struct {
        const char *path;
        int types;
        const char *expected;
    } members[] = {
        {"schema", cJSON_Object, "an object"},
        {"schema.id", cJSON_String, "text"},
        {"schema.name", cJSON_String, "text"},
        {"deprecated", cJSON_False | cJSON_True, "true or false"},
        {"excludedProperties", cJSON_Array, "a list"},
    };
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < sizeof members / sizeof *members; i++)
        status = check(lf_json_at(body, members[i].path), from->where, members[i].path, members[i].types,
                       members[i].expected, err);
    const cJSON *item, *excluded = member(body, "excludedProperties");
    event->deprecated = cJSON_IsTrue(member(body, "deprecated"));
    cJSON_ArrayForEach (item, excluded) {
        if (status == LF_OK && !cJSON_IsString(item))
            return REFUSE("%sexcludedProperties[%zu]: expected text, found %s", from->where,
                          event->excluded_count, event__type_name(item));
        event->excluded_count++;
    }
    return status;
}

static enum lf_status take_resource(struct lf_event *event, const struct source *from, const cJSON *body,
                                    struct lf_error *err)
{
    const cJSON *payload = member(body, event->resource);
    char where[200];
    enum lf_status status = check(payload, from->where, event->resource, cJSON_Object, "an object", err);
    if (status == LF_OK && cJSON_IsObject(payload)) {
        snprintf(where, sizeof where, "%s%.120s.", from->where, event->resource);
        event->payload = payload;
        return take_text(payload, where, "id", &event->resource_id, err);
    }
    if (status == LF_OK)
        status = take_text(body, from->where, "resourceId", &event->resource_id, err);
    event->thin = event->resource_id != NULL;
    return status;
}

static enum lf_status find_source(cJSON *message, const struct source **from, const cJSON **body,
                                  struct lf_error *err)
{
    cJSON *inner;
    if (!cJSON_IsObject(message))
        return REFUSE("expected a JSON object, found %s", event__type_name(message));
    if (member(message, "detail-type") || member(message, "detail"))
        *from = &eventbridge;
    else if (member(message, "eventType"))
        *from = &bare;
    else if (member(message, "message"))
        *from = &webhook;
    else
        return REFUSE(
            "not an event: it has neither \"detail-type\" and \"detail\" (EventBridge) nor \"eventType\" "
            "(GET /events) nor \"message\" (webhook)");
    const char *key = (*from)->body;
    *body = inner = key ? cJSON_GetObjectItemCaseSensitive(message, key) : message;
    if (!cJSON_IsObject(inner))
        return REFUSE("%s: expected an object, found %s", key, inner ? event__type_name(inner) : "nothing");
    /* A webhook's own eventType means nothing: patterns get ours. Removed before anything points into it. */
    while (*from == &webhook && member(inner, "eventType"))
        cJSON_DeleteItemFromObjectCaseSensitive(inner, "eventType");
    return LF_OK;
}

/* Wraps the event of another envelope as EventBridge does, which is what patterns look at. */
static bool make_whole(struct lf_event *event, const struct source *from)
{
    cJSON *message = event->root, *detail = message;
    event->root = cJSON_CreateObject();
    if (from == &webhook) {
        detail = cJSON_DetachItemFromObjectCaseSensitive(message, "message");
        cJSON_Delete(message);
    }
    bool made = lf_json_set(event->root, "detail", detail);
    return made && (from == &bare || lf_json_set_text(detail, "eventType", event->type))
           && lf_json_set_text(event->root, "version", "0") && lf_json_set_text(event->root, "id", event->id)
           && lf_json_set_text(event->root, "detail-type", event->type)
           && lf_json_set_text(event->root, "source", "benchling")
           && (!event->created_at || lf_json_set_text(event->root, "time", event->created_at))
           && lf_json_set(event->root, "resources", cJSON_CreateArray());
}

/* event->root is the message. */
static enum lf_status decode(struct lf_event *event, struct lf_slice text, struct lf_error *err)
{
    const struct source *from = NULL;
    const cJSON *message = event->root, *body = NULL;
    enum lf_status status;
    if ((status = find_source(event->root, &from, &body, err)) == LF_OK
        && (status = check(member(message, "account"), "", "account", cJSON_String | cJSON_Number,
                           "text or a number", err))
               == LF_OK
        && (status = take_type(event, from, body, message, err)) == LF_OK
        && (status = take_id(event, from, body, text, err)) == LF_OK
        && (status = take_created(event, from, body, err)) == LF_OK
        && (status = take_flags(event, from, body, err)) == LF_OK)
        status = take_resource(event, from, body, err);
    return status != LF_OK || from == &eventbridge || make_whole(event, from)
               ? status
               : lf_fail_memory(err, "decoding an event");
}

enum lf_status lf_event_decode(struct lf_slice message, struct lf_event **event, struct lf_error *err)
{
    *event = NULL;
    if (message.len > LF_EVENT_MAX_BYTES)
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "the event has %zu bytes; at most %d are allowed",
                       message.len, LF_EVENT_MAX_BYTES);
    return lf_event_decode_completed(message, event, err);
}

enum lf_status lf_event_decode_completed(struct lf_slice message, struct lf_event **event,
                                         struct lf_error *err)
{
    cJSON *json;
    *event = NULL;
    enum lf_status status = event__text_parse(message, &json, err);
    if (status != LF_OK)
        return status;
    struct lf_event *made = calloc(1, sizeof *made);
    if (!made) {
        cJSON_Delete(json);
        return lf_fail_memory(err, "decoding an event");
    }
    made->root = json;
    status = decode(made, message, err);
    if (status != LF_OK)
        lf_event_free(made);
    else
        *event = made;
    return status;
}

void lf_event_free(struct lf_event *event)
{
    if (!event)
        return;
    free(event->resource);
    cJSON_Delete(event->root);
    free(event);
}

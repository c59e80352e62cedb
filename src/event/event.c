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
    enum lf_envelope envelope;
    const char *where; /* "detail.", "message." or "" */
    const char *type_key;
    const char *body; /* the member that holds the event; NULL: the message itself */
};

static const struct source sources[] = {
    [LF_ENVELOPE_EVENTBRIDGE] = {LF_ENVELOPE_EVENTBRIDGE, "detail.", "eventType", "detail"},
    [LF_ENVELOPE_BARE] = {LF_ENVELOPE_BARE, "", "eventType", NULL},
    [LF_ENVELOPE_WEBHOOK] = {LF_ENVELOPE_WEBHOOK, "message.", "type", "message"},
};

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Copies a text member into *out; NULL if it is missing or null. */
static enum lf_status take_text(const cJSON *object, const char *where, const char *key, char **out,
                                struct lf_error *err)
{
    const cJSON *item = member(object, key);
    if (!item || cJSON_IsNull(item))
        return LF_OK;
    if (!cJSON_IsString(item))
        return REFUSE("%s%s: expected text, found %s", where, key, event__type_name(item));
    *out = strdup(item->valuestring);
    return *out ? LF_OK : lf_fail_memory(err, "decoding an event");
}

static enum lf_status take_type(struct lf_event *event, const struct source *from, const cJSON *body,
                                const cJSON *message, struct lf_error *err)
{
    enum lf_status status = take_text(body, from->where, from->type_key, &event->type, err);
    if (status == LF_OK && !event->type && from->envelope == LF_ENVELOPE_EVENTBRIDGE)
        status = take_text(message, "", "detail-type", &event->type, err);
    if (status != LF_OK)
        return status;
    if (!event->type || !*event->type)
        return REFUSE("%s%s: missing or empty", from->where, from->type_key);
    const char *name = event__name_of(event->type);
    const struct lf_event_kind *kind = event__kind_find(name);
    event->known = kind != NULL;
    event->name = strdup(name);
    event->resource = kind ? strdup(kind->resource) : lf_format("%.*s", (int)strcspn(name, "."), name);
    if (name != event->type)
        event->version = lf_format("%.*s", (int)(name - event->type) - 1, event->type);
    bool copied = event->name && event->resource && (name == event->type || event->version);
    return copied ? LF_OK : lf_fail_memory(err, "decoding an event");
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
    if (from->envelope != LF_ENVELOPE_WEBHOOK || member(body, "id"))
        return REFUSE("%sid: missing or empty", from->where);
    if (lf_digest_bytes(LF_SHA256, message.data, message.len, hex) == LF_OK)
        event->id = lf_format("sha256:%s", hex);
    return event->id ? LF_OK : lf_fail_memory(err, "decoding an event");
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

static enum lf_status take_schema(struct lf_event *event, const struct source *from, const cJSON *body,
                                  struct lf_error *err)
{
    const cJSON *schema = member(body, "schema");
    char where[32];
    if (!schema || cJSON_IsNull(schema))
        return LF_OK;
    if (!cJSON_IsObject(schema))
        return REFUSE("%sschema: expected an object, found %s", from->where, event__type_name(schema));
    snprintf(where, sizeof where, "%sschema.", from->where);
    enum lf_status status = take_text(schema, where, "id", &event->schema_id, err);
    return status ? status : take_text(schema, where, "name", &event->schema_name, err);
}

static enum lf_status take_flags(struct lf_event *event, const struct source *from, const cJSON *body,
                                 struct lf_error *err)
{
    const cJSON *deprecated = member(body, "deprecated");
    if (deprecated && !cJSON_IsBool(deprecated) && !cJSON_IsNull(deprecated))
        return REFUSE("%sdeprecated: expected true or false, found %s", from->where,
                      event__type_name(deprecated));
    event->deprecated = cJSON_IsTrue(deprecated);
    const cJSON *excluded = member(body, "excludedProperties");
    if (!excluded || cJSON_IsNull(excluded))
        return LF_OK;
    if (!cJSON_IsArray(excluded))
        return REFUSE("%sexcludedProperties: expected a list, found %s", from->where,
                      event__type_name(excluded));
    event->excluded = calloc((size_t)cJSON_GetArraySize(excluded) + 1, sizeof *event->excluded);
    if (!event->excluded)
        return lf_fail_memory(err, "decoding an event");
    for (const cJSON *item = excluded->child; item; item = item->next) {
        if (!cJSON_IsString(item))
            return REFUSE("%sexcludedProperties[%zu]: expected text, found %s", from->where,
                          event->excluded_count, event__type_name(item));
        if (!(event->excluded[event->excluded_count] = strdup(item->valuestring)))
            return lf_fail_memory(err, "decoding an event");
        event->excluded_count++;
    }
    return LF_OK;
}

static enum lf_status take_resource(struct lf_event *event, const struct source *from, const cJSON *body,
                                    struct lf_error *err)
{
    const cJSON *payload = member(body, event->resource);
    char where[200];
    if (payload && !cJSON_IsNull(payload)) {
        if (!cJSON_IsObject(payload))
            return REFUSE("%s%.120s: expected an object, found %s", from->where, event->resource,
                          event__type_name(payload));
        snprintf(where, sizeof where, "%s%.120s.", from->where, event->resource);
        event->payload = payload;
        return take_text(payload, where, "id", &event->resource_id, err);
    }
    enum lf_status status = take_text(body, from->where, "resourceId", &event->resource_id, err);
    event->thin = event->resource_id != NULL;
    return status;
}

static enum lf_status check_account(const cJSON *message, struct lf_error *err)
{
    const cJSON *account = member(message, "account");
    if (account && !cJSON_IsString(account) && !cJSON_IsNumber(account) && !cJSON_IsNull(account))
        return REFUSE("account: expected text or a number, found %s", event__type_name(account));
    return LF_OK;
}

static enum lf_status find_source(const cJSON *message, const struct source **from, const cJSON **body,
                                  struct lf_error *err)
{
    if (!cJSON_IsObject(message))
        return REFUSE("expected a JSON object, found %s", event__type_name(message));
    if (member(message, "detail-type") || member(message, "detail"))
        *from = &sources[LF_ENVELOPE_EVENTBRIDGE];
    else if (member(message, "eventType"))
        *from = &sources[LF_ENVELOPE_BARE];
    else if (member(message, "message"))
        *from = &sources[LF_ENVELOPE_WEBHOOK];
    else
        return REFUSE(
            "not an event: it has neither \"detail-type\" and \"detail\" (EventBridge) nor \"eventType\" "
            "(GET /events) nor \"message\" (webhook)");
    const char *key = (*from)->body;
    *body = key ? member(message, key) : message;
    if (!cJSON_IsObject(*body))
        return REFUSE("%s: expected an object, found %s", key, *body ? event__type_name(*body) : "nothing");
    return LF_OK;
}

/* Wraps the event of another envelope as EventBridge does, which is what patterns look at. */
static bool make_whole(struct lf_event *event)
{
    cJSON *message = event->root, *detail = message;
    event->root = cJSON_CreateObject();
    if (event->envelope
        == LF_ENVELOPE_WEBHOOK) { /* a webhook has no eventType of its own meaning; patterns get ours */
        detail = cJSON_DetachItemFromObjectCaseSensitive(message, "message");
        cJSON_Delete(message);
        while (member(detail, "eventType"))
            cJSON_DeleteItemFromObjectCaseSensitive(detail, "eventType");
    }
    bool made = lf_json_set(event->root, "detail", detail);
    event->detail = member(event->root, "detail");
    return made && (event->envelope == LF_ENVELOPE_BARE || lf_json_set_text(detail, "eventType", event->type))
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
    if ((status = find_source(message, &from, &body, err)) == LF_OK
        && (status = check_account(message, err)) == LF_OK
        && (status = take_type(event, from, body, message, err)) == LF_OK
        && (status = take_id(event, from, body, text, err)) == LF_OK
        && (status = take_created(event, from, body, err)) == LF_OK
        && (status = take_schema(event, from, body, err)) == LF_OK
        && (status = take_flags(event, from, body, err)) == LF_OK)
        status = take_resource(event, from, body, err);
    if (status != LF_OK)
        return status;
    event->envelope = from->envelope;
    event->detail = body;
    if (event->envelope == LF_ENVELOPE_EVENTBRIDGE || make_whole(event))
        return LF_OK;
    return lf_fail_memory(err, "decoding an event");
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
    char *texts[] = {event->id,         event->type,      event->version,
                     event->name,       event->resource,  event->resource_id,
                     event->created_at, event->schema_id, event->schema_name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    for (size_t i = 0; i < event->excluded_count; i++)
        free(event->excluded[i]);
    free(event->excluded);
    cJSON_Delete(event->root);
    free(event);
}

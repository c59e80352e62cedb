/* Events in all three envelopes. */
#include "fuzz.h"

#include "event/event.h"
#include "event/key.h"

#include <stdlib.h>
#include <string.h>

static void check_texts(const struct lf_event *event)
{
    MUST(event->id && *event->id, "no id");
    MUST(event->type && *event->type, "no type");
    MUST(event->name && event->resource, "no name or resource for type %s", event->type);
    MUST(strstr(event->type, event->name), "the name %s is not in the type %s", event->name, event->type);
    MUST(cJSON_IsObject(lf_json_at(event->root, "detail")), "no detail in the root");
    MUST(!event->payload || cJSON_IsObject(event->payload), "the payload is not an object");
    MUST(!event->thin || !event->payload, "thin and with a payload");
    /* An envelope may contradict itself, or name the type in one of the two places only. */
    const char *inner = lf_json_text_or(event->root, "detail.eventType", "");
    const char *outer = lf_json_text_or(event->root, "detail-type", "");
    MUST(!strcmp(inner, event->type) || !strcmp(outer, event->type),
         "the root is of type \"%s\" or \"%s\", not %s", inner, outer, event->type);
}

static void each(void *context, const char *type)
{
    const struct lf_event *event = context;
    MUST(type && *type, "a route on %s has no type", event->name);
}

static void check_routes(const struct lf_event *event)
{
    struct lf_error err = {0};
    MUST(lf_event_is_on(event, event->type), "a route on %s does not name it", event->type);
    size_t versioned = (size_t)(event->name - event->type);
    bool ours = !versioned || !strncmp(event->type, "v2.", versioned)
                || !strncmp(event->type, "v2-beta.", versioned)
                || !strncmp(event->type, "v2-alpha.", versioned);
    MUST(!event->known || lf_event_is_on(event, event->name) == ours, "a route on %s, of type %s",
         event->name, event->type);
    MUST(lf_event_is_on(event, "*") == ours, "a route on *, of type %s", event->type);
    enum lf_status status = lf_event_on_check(event->name, &err);
    fuzz_check_error(status, &err);
    MUST((status == LF_OK) || !event->known, "%s is known, but no route may name it: %s", event->name,
         err.text);
    if (status == LF_OK)
        lf_event_on_types(event->name, each, (void *)(uintptr_t)event);
}

/* The envelope that patterns match against reports the same happening. (A webhook without an id has one of
 * its bytes, which are others there.) */
static void check_key(const struct lf_event *event)
{
    if (!lf_json_at(event->root, "detail.id"))
        return;
    struct lf_event *again = NULL;
    struct lf_error err = {0};
    char *key = lf_key_event(event), *text = lf_json_print(event->root);
    MUST(key && *key, "no key");
    MUST(text, "cannot print");
    enum lf_status status = lf_event_decode(lf_slice_text(text), &again, &err);
    MUST(status == LF_OK || status == LF_TOO_LARGE, "its own root is refused: %s: %s", err.text, text);
    if (status == LF_OK) {
        char *second = lf_key_event(again);
        MUST(!strcmp(event->id, again->id) && !strcmp(event->type, again->type), "another id or type: %s",
             text);
        MUST(second && !strcmp(key, second), "the key %s became %s: %s", key, second, text);
        free(second);
    }
    lf_event_free(again);
    free(text);
    free(key);
}

static void check_again(const struct lf_event *event, struct lf_slice message)
{
    struct lf_event *again = NULL;
    char *first = lf_key_event(event);
    MUST(first && *first, "no key");
    MUST(lf_event_decode(message, &again, &(struct lf_error){0}) == LF_OK, "refused the second time");
    char *second = lf_key_event(again);
    MUST(second && !strcmp(first, second) && !strcmp(event->id, again->id), "the key %s became %s", first,
         second);
    lf_event_free(again);
    free(second);
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lf_event *event = NULL;
    struct lf_error err = {0};
    enum lf_status status = lf_event_decode(lf_slice((const char *)data, size), &event, &err);
    fuzz_check_error(status, &err);
    MUST((status == LF_OK) == (event != NULL), "status %s", lf_status_name(status));
    if (event) {
        check_texts(event);
        check_routes(event);
        check_key(event);
        check_again(event, lf_slice((const char *)data, size));
    } else {
        MUST(err.class == LF_PERMANENT, "a bad event is not permanent: %s", err.text);
    }
    lf_event_free(event);
    return 0;
}

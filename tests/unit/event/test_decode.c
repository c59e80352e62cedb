#include "event/kind.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char detail_start[] =
    "{\"createdAt\":\"2026-05-04T09:42:00.250000+00:00\",\"deprecated\":false,\"excludedProperties\":[],"
    "\"id\":\"evt_1\",\"schema\":{\"id\":\"sch_1\",\"name\":\"Weighing\"},\"eventType\":\"%s\"";

static enum lf_status decode(const char *text, struct lf_event **event, struct lf_error *err)
{
    lf_error_clear(err);
    return lf_event_decode(lf_slice_text(text), event, err);
}

enum envelope { EVENTBRIDGE, BARE, WEBHOOK };

/* The message of one type in one envelope, with a resource {"id": "res_1"}. Returns owned. */
static char *message(enum envelope envelope, const char *type, const char *resource)
{
    char *start = lf_format(detail_start, type), *text = NULL;
    if (envelope == EVENTBRIDGE)
        text = lf_format("{\"version\":\"0\",\"id\":\"aws-1\",\"detail-type\":\"%s\",\"source\":\"aws."
                         "partner/benchling.com/x\","
                         "\"account\":123123123123,\"time\":\"2026-05-04T09:42:01Z\",\"region\":\"us-west-"
                         "1\",\"resources\":[],"
                         "\"detail\":%s,\"%s\":{\"id\":\"res_1\"}}}",
                         type, start, resource);
    else if (envelope == BARE)
        text = lf_format("%s,\"%s\":{\"id\":\"res_1\"}}", start, resource);
    else
        text = lf_format(
            "{\"version\":\"0\",\"baseURL\":\"https://"
            "x.benchling.com\",\"tenantId\":\"ten_1\",\"app\":{\"id\":"
            "\"app_1\"},\"appDefinition\":{\"id\":null},\"channel\":\"events\",\"message\":{\"id\":\"evt_1\","
            "\"type\":\"%s\",\"createdAt\":\"2026-05-04T09:42:00.250Z\",\"deprecated\":false,"
            "\"resourceId\":\"res_1\",\"schema\":{\"id\":\"sch_1\"}}}",
            type);
    free(start);
    return text;
}

static void check_one(const struct lf_event_kind *kind, const char *version, enum envelope envelope)
{
    char *type = lf_format("%s.%s", version, kind->name), *text = message(envelope, type, kind->resource);
    struct lf_event *event;
    struct lf_error err;
    if (CHECK_INT(decode(text, &event, &err), LF_OK)) {
        bool thin = envelope == WEBHOOK;
        CHECK_STR(event->id, "evt_1");
        CHECK_STR(event->type, type);
        CHECK_STR(event->name, kind->name);
        CHECK_STR(event->resource, kind->resource);
        CHECK_STR(event->resource_id, "res_1");
        CHECK_INT(event->created_ms, 1777887720250);
        CHECK(event->known && !event->deprecated && event->thin == thin && (event->payload == NULL) == thin);
        CHECK_STR(lf_json_text(event->root, "detail-type"), type);
        CHECK_STR(lf_json_text(event->root, "detail.eventType"), type);
        lf_event_free(event);
    }
    free(text);
    free(type);
}

static void every_kind_in_every_envelope(void)
{
    static const char *const versions[] = {"v2", "v2-beta", "v2-alpha"};
    for (const struct lf_event_kind *kind = event__kinds; kind->name; kind++)
        for (int v = 0; v < 3; v++)
            for (enum envelope e = EVENTBRIDGE; e <= WEBHOOK; e++)
                check_one(kind, versions[v], e);
}

static void account_as_text_or_number(void)
{
    struct lf_event *event;
    struct lf_error err;
    NEED(decode("{\"detail-type\":\"v2.entry.created\",\"account\":\"123\",\"detail\":{\"id\":\"e\"}}",
                &event, &err)
         == LF_OK);
    CHECK_STR(event->type, "v2.entry.created");
    CHECK(event->payload == NULL && !event->thin);
    lf_event_free(event);
    CHECK_INT(decode("{\"detail-type\":\"v2.entry.created\",\"account\":[],\"detail\":{\"id\":\"e\"}}",
                     &event, &err),
              LF_INVALID);
    CHECK_STR(err.text, "account: expected text or a number, found a list");
}

static void unknown_types(void)
{
    struct lf_event *event;
    struct lf_error err;
    NEED(decode("{\"eventType\":\"v7-gamma.robot.danced.twice\",\"id\":\"evt_9\",\"robot\":{\"id\":\"r\"}}",
                &event, &err)
         == LF_OK);
    CHECK(!event->known);
    CHECK_STR(event->name, "robot.danced.twice");
    CHECK_STR(event->resource, "robot");
    CHECK_STR(event->resource_id, "r");
    lf_event_free(event);
    NEED(decode("{\"eventType\":\"victory\",\"id\":\"evt_9\"}", &event, &err) == LF_OK);
    CHECK_STR(event->name, "victory");
    CHECK_STR(event->resource, "victory");
    lf_event_free(event);
}

static void app_signal_without_id(void)
{
    static const char text[] =
        "{\"version\":\"0\",\"message\":{\"type\":\"v2.canvas.userInteracted\",\"deprecated\":true,"
        "\"excludedProperties\":[],\"canvasId\":\"cnvs_1\"}}";
    struct lf_event *event, *again;
    struct lf_error err;
    NEED(decode(text, &event, &err) == LF_OK);
    NEED(decode(text, &again, &err) == LF_OK);
    CHECK_HAS(event->id, "sha256:");
    CHECK_STR(event->id, again->id);
    CHECK(event->known && event->deprecated && !event->thin);
    CHECK_STR(lf_json_text(event->root, "detail.canvasId"), "cnvs_1");
    lf_event_free(event);
    lf_event_free(again);
}

static void stray_type_in_a_webhook(void)
{
    struct lf_event *event;
    struct lf_error err;
    NEED(decode("{\"message\":{\"type\":\"v2.entry.created\",\"id\":\"evt_1\",\"eventType\":\"v2.x.y\","
                "\"eventType\":3}}",
                &event, &err)
         == LF_OK);
    CHECK_STR(event->type, "v2.entry.created");
    CHECK_STR(lf_json_text(event->root, "detail-type"), "v2.entry.created");
    CHECK_STR(lf_json_text(event->root, "detail.eventType"), "v2.entry.created");
    lf_event_free(event);
    static const char as_resource[] = "{\"message\":{\"type\":\"v2.eventType.made\",\"id\":\"evt_1\","
                                      "\"eventType\":{\"id\":\"a resource of this name?\"}}}";
    NEED(decode(as_resource, &event, &err) == LF_OK);
    CHECK(!event->payload);
    CHECK_STR(event->resource_id, NULL);
    CHECK_STR(lf_json_text(event->root, "detail.eventType"), "v2.eventType.made");
    lf_event_free(event);
}

static void excluded_properties(void)
{
    struct lf_event *event;
    struct lf_error err;
    NEED(decode(
             "{\"eventType\":\"v2.workflowTask.created\",\"id\":\"evt_9\",\"excludedProperties\":[\"fields\","
             "\"workflowTask.outputs\",\"creator.name\"],\"workflowTask\":{\"id\":\"w\"}}",
             &event, &err)
         == LF_OK);
    CHECK_INT(event->excluded_count, 3);
    lf_event_free(event);
    NEED(decode("{\"eventType\":\"v2.workflowTask.created\",\"id\":\"evt_9\",\"excludedProperties\":["
                "\"workflowTask\"]}",
                &event, &err)
         == LF_OK);
    CHECK(event->excluded_count == 1 && event->payload == NULL);
    lf_event_free(event);
}

static void wrong_types_are_named(void)
{
    static const char *const cases[][2] = {
        {"nonsense", "not JSON"},
        {"", "not JSON"},
        {"[]", "expected a JSON object, found a list"},
        {"\"x\"", "expected a JSON object, found text"},
        {"{}", "not an event"},
        {"{\"detail-type\":\"v2.x.y\"}", "detail: expected an object, found nothing"},
        {"{\"detail\":[]}", "detail: expected an object, found a list"},
        {"{\"message\":\"hi\"}", "message: expected an object, found text"},
        {"{\"detail-type\":\"v2.x.y\",\"detail\":{\"id\":5}}", "detail.id: expected text, found a number"},
        {"{\"detail-type\":\"v2.x.y\",\"detail\":{\"id\":\"\"}}", "detail.id: missing or empty"},
        {"{\"detail-type\":\"v2.x.y\",\"detail\":{}}", "detail.id: missing or empty"},
        {"{\"detail-type\":7,\"detail\":{\"id\":\"e\"}}", "detail-type: expected text, found a number"},
        {"{\"detail\":{\"id\":\"e\"}}", "detail.eventType: missing or empty"},
        {"{\"eventType\":\"\",\"id\":\"e\"}", "eventType: missing or empty"},
        {"{\"eventType\":{},\"id\":\"e\"}", "eventType: expected text, found an object"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"createdAt\":12}",
         "createdAt: expected text, found a number"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"createdAt\":\"yesterday\"}",
         "createdAt: \"yesterday\" is not a time"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"schema\":\"s\"}",
         "schema: expected an object, found text"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"schema\":{\"name\":true}}",
         "schema.name: expected text, found true or false"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"deprecated\":\"no\"}",
         "deprecated: expected true or false, found text"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"excludedProperties\":\"x\"}",
         "excludedProperties: expected a list, found text"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"excludedProperties\":[\"x\",1]}",
         "excludedProperties[1]: expected text, found a number"},
        {"{\"eventType\":\"v2.entry.created\",\"id\":\"e\",\"entry\":\"x\"}",
         "entry: expected an object, found text"},
        {"{\"eventType\":\"v2.entry.created\",\"id\":\"e\",\"entry\":{\"id\":1}}",
         "entry.id: expected text, found a number"},
        {"{\"message\":{\"type\":\"v2.entry.created\",\"id\":\"e\",\"resourceId\":1}}",
         "message.resourceId: expected text, found a number"},
        {"{\"eventType\":\"v2.a.b\",\"id\":\"e\\u0000vil\"}", "NUL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_event *event;
        struct lf_error err;
        CHECK_INT(decode(cases[i][0], &event, &err), LF_INVALID);
        CHECK_INT(err.class, LF_PERMANENT);
        CHECK_HAS(err.text, cases[i][1]);
        CHECK(event == NULL);
        lf_event_free(event);
    }
}

static void null_means_not_told(void)
{
    struct lf_event *event;
    struct lf_error err;
    NEED(decode("{\"eventType\":\"v2.entry.created\",\"id\":\"e\",\"schema\":null,\"createdAt\":null,"
                "\"deprecated\":null,"
                "\"excludedProperties\":null,\"entry\":null}",
                &event, &err)
         == LF_OK);
    CHECK(!event->created_at && !event->payload && !event->deprecated && !event->excluded_count
          && event->created_ms == 0);
    lf_event_free(event);
}

static void size_and_depth_are_bounded(void)
{
    struct lf_buffer text = {0};
    struct lf_event *event;
    struct lf_error err;
    lf_buffer_text(&text,
                   "{\"eventType\":\"v2.entry.created\",\"id\":\"e\",\"entry\":{\"id\":\"x\",\"fields\":\"");
    while (text.len < 256 * 1024 - 3)
        NEED(lf_buffer_text(&text, "x") == LF_OK);
    size_t body = text.len;
    lf_buffer_text(&text, "\"}}");
    NEED(lf_event_decode(lf_buffer_slice(&text), &event, &err) == LF_OK);
    CHECK_STR(event->resource_id, "x");
    lf_event_free(event);
    text.len = body;
    while (text.len < LF_EVENT_MAX_BYTES)
        NEED(lf_buffer_text(&text, "x") == LF_OK);
    lf_buffer_text(&text, "\"}}");
    CHECK_INT(lf_event_decode(lf_buffer_slice(&text), &event, &err), LF_TOO_LARGE);
    lf_buffer_clear(&text);
    lf_buffer_text(&text, "{\"eventType\":\"v2.a.b\",\"id\":\"e\",\"a\":");
    for (int i = 0; i < 100000; i++)
        lf_buffer_text(&text, "[");
    CHECK_INT(lf_event_decode(lf_buffer_slice(&text), &event, &err), LF_INVALID);
    CHECK_HAS(err.text, "nested");
    lf_buffer_free(&text);
}

/* Every cut and many damaged bytes of a good message: refused or decoded, never a crash (the build checks
 * memory). */
static void damaged_messages(void)
{
    char *text = message(EVENTBRIDGE, "v2.workflowTask.updated.status", "workflowTask");
    size_t len = strlen(text);
    struct lf_event *event;
    for (size_t cut = 0; cut < len; cut++) {
        CHECK(lf_event_decode(lf_slice(text, cut), &event, UNIT_ERROR) != LF_OK);
        lf_event_free(event);
    }
    for (size_t i = 0; i < len; i++) {
        static const char bytes[] = {'\0', '"', '{', '}', '[', ',', '\\', '\x80', '\xff', '0'};
        char good = text[i];
        for (size_t b = 0; b < sizeof bytes; b++) {
            text[i] = bytes[b];
            lf_event_decode(lf_slice(text, len), &event, UNIT_ERROR);
            lf_event_free(event);
        }
        text[i] = good;
    }
    free(text);
}

UNIT_TESTS("decode", {"every known type is decoded from every envelope", every_kind_in_every_envelope},
           {"the account may be a text or a number", account_as_text_or_number},
           {"unknown types are decoded and marked", unknown_types},
           {"an app signal without an id gets one that a resend shares", app_signal_without_id},
           {"a webhook's event has one type, whatever else its message calls a type",
            stray_type_in_a_webhook},
           {"dropped properties are counted", excluded_properties},
           {"a wrong type is refused with the field's name", wrong_types_are_named},
           {"null is the same as left out", null_means_not_told},
           {"events up to 256 KB are taken; larger and deeper ones are refused", size_and_depth_are_bounded},
           {"cut and damaged messages never crash", damaged_messages}, )

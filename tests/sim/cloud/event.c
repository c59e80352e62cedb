/* Events are kept in the order of processing; event number n (never reused) lies at n - first. When
 * --max-events are kept, the oldest tenth goes. */
#include "event.h"

#include "list.h"
#include "relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DETAIL_MAX = 256 * 1024 - 1024 /* room for the envelope */
};

struct sim_events {
    struct sim_event *items;
    size_t count, room;
    int64_t first;
};

struct sim_events *sim_events_new(void)
{
    return sim_alloc(sizeof(struct sim_events));
}

static void event_clear(struct sim_event *event)
{
    free(event->type);
    free(event->detail);
}

void sim_events_free(struct sim_events *events)
{
    for (size_t i = 0; i < events->count; i++)
        event_clear(&events->items[i]);
    free(events->items);
    free(events);
}

size_t sim_events_count(const struct sim *sim)
{
    return sim->events->count;
}

const struct sim_event *sim_events_at(const struct sim *sim, size_t i)
{
    return &sim->events->items[i];
}

int64_t sim_events_total(const struct sim *sim)
{
    return sim->events->first + (int64_t)sim->events->count;
}

/* ---- emitting ---- */

static char *print(const cJSON *json)
{
    char *text = lf_json_print(json);
    if (!text)
        sim_die("out of memory (printing an event)");
    return text;
}

static void drop(cJSON *detail, cJSON *resource, const char *name)
{
    cJSON_AddItemToArray(sim_array(detail, "excludedProperties"), cJSON_CreateString(name));
    cJSON_DeleteItemFromObjectCaseSensitive(resource, name);
}

/* Drops the largest member of the resource; false when none is left but id. */
static bool drop_largest(cJSON *detail, cJSON *resource)
{
    const char *largest = NULL;
    size_t most = 0;
    const cJSON *member;
    cJSON_ArrayForEach (member, resource) {
        char *text = print(member);
        if (strlen(text) > most && strcmp(member->string, "id") != 0) {
            most = strlen(text);
            largest = member->string;
        }
        free(text);
    }
    if (!largest)
        return false;
    char *name = sim_text(largest);
    drop(detail, resource, name);
    free(name);
    return true;
}

/* With microseconds and an offset, as real events have it. Overwritten by the next call. */
static const char *created_at(void)
{
    static char text[LF_TIME_TEXT];
    lf_time_format(lf_clock_wall_ms(), text);
    snprintf(text + strlen(text) - 1, 10, "000+00:00"); /* in place of the Z */
    return text;
}

static cJSON *detail_json(const struct sim_news *news, const char *type, const char *id)
{
    cJSON *detail = cJSON_CreateObject(), *resource = cJSON_Duplicate(news->resource, true);
    const cJSON *name;
    sim_set_text(detail, "id", id);
    sim_set_text(detail, "createdAt", created_at());
    sim_set_bool(detail, "deprecated", false);
    sim_set_text(detail, "eventType", type);
    sim_array(detail, "excludedProperties");
    sim_set(detail, "schema", news->schema ? sim_summary(news->schema, "name") : cJSON_CreateNull());
    if (news->updates)
        sim_set(detail, "updates", cJSON_Duplicate(news->updates, true));
    sim_set(detail, news->key, resource);
    cJSON_ArrayForEach (name, news->exclude)
        drop(detail, resource, name->valuestring);
    return detail;
}

static char *detail_text(const struct sim_news *news, const char *type, const char *id)
{
    cJSON *detail = detail_json(news, type, id);
    cJSON *resource = cJSON_GetObjectItemCaseSensitive(detail, news->key);
    char *text = print(detail);
    while (strlen(text) > DETAIL_MAX && drop_largest(detail, resource)) {
        free(text);
        text = print(detail);
    }
    cJSON_Delete(detail);
    return text;
}

static void forget_oldest(struct sim *sim)
{
    struct sim_events *events = sim->events;
    size_t gone = (size_t)sim->options.max_events / 10 + 1;
    if (events->count < (size_t)sim->options.max_events || events->count < gone)
        return;
    for (size_t i = 0; i < gone; i++)
        event_clear(&events->items[i]);
    events->count -= gone;
    memmove(events->items, events->items + gone, events->count * sizeof *events->items);
    events->first += (int64_t)gone;
}

static const struct sim_event *emit_one(struct sim *sim, const struct sim_news *news, const char *type)
{
    struct sim_events *events = sim->events;
    forget_oldest(sim);
    events->items = sim_grow(events->items, events->count, &events->room, sizeof *events->items);
    struct sim_event *event = &events->items[events->count++];
    *event = (struct sim_event){.wall_ms = lf_clock_wall_ms(), .type = sim_text(type)};
    sim_new_id(event->id, "evt");
    sim_new_uuid(event->aws_id);
    event->detail = detail_text(news, type, event->id);
    sim_relay_push(sim, event);
    return event;
}

const struct sim_event *sim_event_emit(struct sim *sim, const struct sim_news *news)
{
    size_t at = sim->events->count;
    int64_t number = sim->events->first + (int64_t)at;
    emit_one(sim, news, news->type);
    if (sim->options.twins && sim_glob("v2.automation*put*", news->type)) {
        char twin[120];
        snprintf(twin, sizeof twin, "v2-beta.%s", news->type + 3);
        emit_one(sim, news, twin);
    }
    return &sim->events->items[number - sim->events->first];
}

/* ---- GET /events ---- */

/* The number of the first event that is asked for; false with reply filled. */
static bool find_start(const struct sim_request *request, int64_t *number, struct sim_reply *reply)
{
    const struct sim_events *events = request->sim->events;
    const char *after = sim_query(request, "startingAfter");
    *number = events->first;
    if (sim_query(request, "nextToken"))
        return sim_list_start(request, number, reply);
    for (size_t i = 0; after && i <= events->count; i++) {
        if (i == events->count) {
            *reply = sim_reply_error(400, "startingAfter: there is no event %.60s", after);
            return false;
        }
        if (!strcmp(events->items[i].id, after)) {
            *number = events->first + (int64_t)i + 1;
            break;
        }
    }
    return true;
}

static bool find_time(const struct sim_request *request, int64_t *since, struct sim_reply *reply)
{
    const char *text = sim_query(request, "createdAt.gte");
    *since = 0;
    if (text && !sim_list_time(text, since)) {
        *reply = sim_reply_error(400, "createdAt.gte must be an RFC 3339 time");
        return false;
    }
    return true;
}

struct sim_reply sim_event_list(struct sim_request *request)
{
    const struct sim_events *events = request->sim->events;
    const char *types = sim_query(request, "eventTypes");
    int64_t number, since, last = sim_events_total(request->sim), taken = 0;
    int64_t page = lf_json_int(request->query, "pageSize", SIM_PAGE_DEFAULT);
    struct sim_reply reply = {.fd = -1};
    if (!find_start(request, &number, &reply) || !find_time(request, &since, &reply))
        return reply;
    number = number < events->first ? events->first : number;
    cJSON *json = cJSON_CreateObject(), *list = sim_array(json, "events");
    for (; number < last && taken < page; number++) {
        const struct sim_event *event = &events->items[number - events->first];
        if (event->wall_ms >= since && (!types || sim_in_list(types, event->type))) {
            cJSON_AddItemToArray(list, cJSON_CreateRaw(event->detail));
            taken++;
        }
    }
    sim_list_finish(json, number < last || lf_json_bool(request->query, "poll", false), number);
    return sim_reply_json(200, json);
}

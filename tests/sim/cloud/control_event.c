/* Events made by hand, in masses, again, in another order, and oversize; and the relay. */
#include "control.h"

#include "event.h"
#include "relay.h"

#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "v2.workflowTask.updated.status" -> "workflowTask" */
static void key_of_type(const char *type, char *key, size_t size)
{
    const char *dot = strchr(type, '.');
    const char *from = dot ? dot + 1 : type;
    snprintf(key, size, "%.*s", (int)strcspn(from, "."), from);
}

/* Is there a resource of that id in the tenant? Then its present state. */
static const cJSON *resource_by_id(const struct sim *sim, const char *id)
{
    const struct sim_table *const tables[] = {&sim->runs,       &sim->generators, &sim->processors,
                                              &sim->transforms, &sim->tasks,      &sim->outputs,
                                              &sim->task_groups};
    for (size_t i = 0; id && i < sizeof tables / sizeof *tables; i++) {
        const struct sim_item *item = sim_table_find(tables[i], id);
        if (item)
            return item->json;
    }
    return NULL;
}

struct sim_reply sim_control_emit(struct sim_request *request)
{
    char key[80];
    const cJSON *body = request->body;
    const char *id = lf_json_text(body, "resourceId");
    const cJSON *resource = id ? resource_by_id(request->sim, id) : lf_json_at(body, "resource");
    cJSON *empty = cJSON_CreateObject();
    key_of_type(lf_json_text_or(body, "type", ""), key, sizeof key);
    if (id && !resource) {
        cJSON_Delete(empty);
        return sim_reply_missing("Resource", id);
    }
    struct sim_news news = {.type = lf_json_text_or(body, "type", ""),
                            .key = lf_json_text_or(body, "key", key),
                            .resource = resource ? resource : empty,
                            .schema = lf_json_at(body, "schema") ? lf_json_at(body, "schema")
                                                                 : lf_json_at(resource, "schema"),
                            .updates = lf_json_at(body, "updates"),
                            .exclude = lf_json_at(body, "exclude")};
    const struct sim_event *event = sim_event_emit(request->sim, &news);
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "id", event->id);
    sim_set(json, "detail", cJSON_CreateRaw(event->detail));
    cJSON_Delete(empty);
    return sim_reply_json(201, json);
}

struct sim_reply sim_control_load(struct sim_request *request)
{
    char key[80], id[SIM_ID], first[SIM_ID] = "", last[SIM_ID] = "";
    const char *type = lf_json_text_or(request->body, "type", "v2.entity.registered");
    int64_t count = lf_json_int(request->body, "count", 0), pad = lf_json_int(request->body, "bytes", 0);
    cJSON *resource = cJSON_CreateObject();
    if (pad > 0) {
        char *text = sim_alloc((size_t)pad + 1);
        memset(text, 'x', (size_t)pad);
        sim_set_text(resource, "name", text);
        free(text);
    }
    key_of_type(type, key, sizeof key);
    for (int64_t i = 0; i < count; i++) {
        sim_new_id(id, "sim");
        sim_set_text(resource, "id", id);
        sim_set_int(resource, "number", i);
        struct sim_news news = {.type = type, .key = key, .resource = resource};
        const struct sim_event *event = sim_event_emit(request->sim, &news);
        memcpy(i == 0 ? first : last, event->id, SIM_ID);
    }
    cJSON_Delete(resource);
    cJSON *json = cJSON_CreateObject();
    sim_set_int(json, "emitted", count);
    sim_set_text(json, "first", first);
    sim_set_text(json, "last", last[0] ? last : first);
    return sim_reply_json(201, json);
}

/* ---- again ---- */

static void shuffle(size_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)lf_random_below(i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static void reverse(size_t *order, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        size_t kept = order[i];
        order[i] = order[count - 1 - i];
        order[count - 1 - i] = kept;
    }
}

static bool id_listed(const cJSON *ids, const char *id)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, ids)
        if (!strcmp(entry->valuestring, id))
            return true;
    return false;
}

/* The kept events a replay means: those of "ids", or of "types", the last "last" of them. Fills order;
 * returns how many. */
static size_t choose(const struct sim_request *request, size_t *order)
{
    const cJSON *ids = lf_json_at(request->body, "ids");
    const char *types = lf_json_text(request->body, "types");
    size_t count = 0, last = (size_t)lf_json_int(request->body, "last", INT32_MAX);
    for (size_t i = 0; i < sim_events_count(request->sim); i++) {
        const struct sim_event *event = sim_events_at(request->sim, i);
        if ((!ids || id_listed(ids, event->id)) && (!types || sim_in_list(types, event->type)))
            order[count++] = i;
    }
    if (count > last) {
        memmove(order, order + (count - last), last * sizeof *order);
        count = last;
    }
    return count;
}

struct sim_reply sim_control_replay(struct sim_request *request)
{
    struct sim *sim = request->sim;
    const char *how = lf_json_text_or(request->body, "order", "same");
    int64_t times = lf_json_int(request->body, "times", 1);
    if (!sim->relay)
        return sim_reply_error(409, "There is no relay: the simulator was started without --broker");
    size_t *order = sim_alloc((sim_events_count(sim) + 1) * sizeof *order);
    size_t count = choose(request, order);
    if (!strcmp(how, "reverse"))
        reverse(order, count);
    else if (!strcmp(how, "shuffle"))
        shuffle(order, count);
    for (int64_t round = 0; round < times; round++)
        for (size_t i = 0; i < count; i++)
            sim_relay_push(sim, sim_events_at(sim, order[i]));
    free(order);
    cJSON *json = cJSON_CreateObject();
    sim_set_int(json, "replayed", (int64_t)count * times);
    return sim_reply_json(200, json);
}

/* ---- the relay ---- */

struct sim_reply sim_control_publish(struct sim_request *request)
{
    const char *payload = lf_json_text(request->body, "payload"),
               *base64 = lf_json_text(request->body, "payload64");
    struct lf_buffer bytes = {.max = (size_t)request->sim->options.max_body};
    if (base64 && lf_base64_decode(lf_slice_text(base64), &bytes) != LF_OK)
        return sim_reply_error(400, "payload64 is not valid base64");
    if (!base64 && lf_buffer_text(&bytes, payload ? payload : "") != LF_OK)
        return sim_reply_error(413, "payload is too long");
    bool queued = sim_relay_push_raw(request->sim, lf_json_text(request->body, "topic"),
                                     bytes.data ? bytes.data : "", bytes.len);
    lf_buffer_free(&bytes);
    return queued ? sim_reply_json(202, cJSON_CreateObject())
                  : sim_reply_error(409, "There is no relay: the simulator was started without --broker");
}

struct sim_reply sim_control_relay(struct sim_request *request)
{
    if (!request->sim->relay)
        return sim_reply_error(409, "There is no relay: the simulator was started without --broker");
    sim_relay_pause(request->sim, lf_json_bool(request->body, "paused", false));
    return sim_reply_json(200, sim_relay_state(request->sim));
}

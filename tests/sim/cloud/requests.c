/* The last KEPT requests lie in a ring; number n lies at n % KEPT. Counts cover all since the last clear. */
#include "requests.h"

#include "auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 20000 };

struct note {
    int64_t wall_ms, received, rule;
    char method[16], path[160];
    const char *operation, *fault;
    unsigned status;
    int identity;
};

struct sim_requests {
    struct note *ring;
    int64_t total;
    cJSON *counts;
};

struct sim_requests *sim_requests_new(void)
{
    struct sim_requests *requests = sim_alloc(sizeof *requests);
    requests->ring = sim_alloc(KEPT * sizeof *requests->ring);
    requests->counts = cJSON_CreateObject();
    return requests;
}

void sim_requests_free(struct sim_requests *requests)
{
    cJSON_Delete(requests->counts);
    free(requests->ring);
    free(requests);
}

static void count(struct sim_requests *requests, const char *operation, unsigned status)
{
    char key[16];
    cJSON *by_status = cJSON_GetObjectItemCaseSensitive(requests->counts, operation);
    if (!by_status)
        by_status = cJSON_AddObjectToObject(requests->counts, operation);
    snprintf(key, sizeof key, "%u", status);
    sim_set_int(by_status, status ? key : "reset", lf_json_int(by_status, status ? key : "reset", 0) + 1);
}

void sim_requests_note(struct sim_request *request, unsigned status)
{
    const struct sim_route *route = request->route;
    if (route && route->flags & SIM_CONTROL)
        return;
    struct sim *sim = request->sim;
    sim_lock(sim);
    struct note *note = &sim->requests->ring[sim->requests->total++ % KEPT];
    *note = (struct note){.wall_ms = lf_clock_wall_ms(),
                          .received = request->received,
                          .rule = request->hit.rule,
                          .operation = route ? route->operation : "unknown",
                          .fault = sim_fault_name(request->hit.kind),
                          .status = status,
                          .identity = request->identity};
    memcpy(note->method, request->method, sizeof note->method);
    snprintf(note->path, sizeof note->path, "%.159s", request->path);
    count(sim->requests, note->operation, status);
    sim_unlock(sim);
    if (!sim->options.quiet) {
        bool hit = request->hit.kind != SIM_FAULT_NONE;
        fprintf(stderr, "%s %.159s -> %u%s%s\n", request->method, request->path, status,
                hit ? ", fault " : "", hit ? sim_fault_name(request->hit.kind) : "");
    }
}

static cJSON *note_json(const struct note *note, int64_t number)
{
    static const char *const who[SIM_IDENTITIES] = {"nobody", "app", "key"};
    char time[LF_TIME_TEXT];
    cJSON *json = cJSON_CreateObject();
    lf_time_format(note->wall_ms, time);
    sim_set_int(json, "number", number);
    sim_set_text(json, "time", time);
    sim_set_text(json, "method", note->method);
    sim_set_text(json, "path", note->path);
    sim_set_text(json, "operation", note->operation);
    sim_set_int(json, "status", note->status);
    sim_set_int(json, "bodyBytes", note->received);
    sim_set_text(json, "by", who[note->identity]);
    if (note->rule > 0) {
        sim_set_text(json, "fault", note->fault);
        sim_set_int(json, "faultId", note->rule);
    }
    return json;
}

cJSON *sim_requests_counts(const struct sim *sim)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_int(json, "total", sim->requests->total);
    sim_set(json, "byOperation", cJSON_Duplicate(sim->requests->counts, true));
    return json;
}

cJSON *sim_requests_list(const struct sim *sim, int64_t since)
{
    const struct sim_requests *requests = sim->requests;
    cJSON *list = cJSON_CreateArray();
    int64_t oldest = requests->total > KEPT ? requests->total - KEPT : 0;
    for (int64_t n = since > oldest ? since : oldest; n < requests->total; n++)
        cJSON_AddItemToArray(list, note_json(&requests->ring[n % KEPT], n));
    return list;
}

void sim_requests_clear(struct sim *sim)
{
    cJSON_Delete(sim->requests->counts);
    sim->requests->counts = cJSON_CreateObject();
    sim->requests->total = 0;
}

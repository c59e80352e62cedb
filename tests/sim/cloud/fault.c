/* Rules are asked in the order they were set; the first that hits wins. A rule hits after `after` matching
 * requests, at most `count` times (0: always), each time with `probability`. */
#include "fault_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [SIM_FAULT_NONE] = "none",
    [SIM_FAULT_STATUS] = "status",
    [SIM_FAULT_HTML] = "html",
    [SIM_FAULT_RESET_BEFORE] = "reset-before",
    [SIM_FAULT_RESET_REQUEST] = "reset-request",
    [SIM_FAULT_RESET_MID] = "reset-mid",
    [SIM_FAULT_RESET_AFTER] = "reset-after",
    [SIM_FAULT_LATENCY] = "latency",
    [SIM_FAULT_SLOW] = "slow",
    [SIM_FAULT_TRUNCATED] = "truncated",
    [SIM_FAULT_ENDLESS] = "endless",
    [SIM_FAULT_WRONG_DIGEST] = "wrong-digest",
    [SIM_FAULT_WRONG_LENGTH] = "wrong-length",
    [SIM_FAULT_NOT_JSON] = "not-json",
    [SIM_FAULT_WRONG_SCHEMA] = "wrong-schema",
};

enum { KINDS = sizeof names / sizeof *names };

struct rule {
    int64_t id;
    char method[16], path[200];
    int64_t after, count, matched, hits;
    double probability;
    struct sim_hit hit;
};

struct sim_faults {
    struct rule *rules;
    size_t count, room;
    int64_t last_id;
    /* Waiting: its own lock, since waiters do not hold the simulator's. */
    pthread_mutex_t mutex;
    pthread_cond_t hurry;
    uint64_t generation;
};

struct sim_faults *sim_faults_new(void)
{
    struct sim_faults *faults = sim_alloc(sizeof *faults);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&faults->mutex, NULL);
    pthread_cond_init(&faults->hurry, &attr);
    pthread_condattr_destroy(&attr);
    return faults;
}

void sim_faults_free(struct sim_faults *faults)
{
    pthread_cond_destroy(&faults->hurry);
    pthread_mutex_destroy(&faults->mutex);
    free(faults->rules);
    free(faults);
}

void sim_faults_wait(struct sim *sim, int64_t ms)
{
    struct sim_faults *faults = sim->faults;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&faults->mutex);
    uint64_t generation = faults->generation;
    while (generation == faults->generation)
        if (pthread_cond_timedwait(&faults->hurry, &faults->mutex, &until) != 0)
            break;
    pthread_mutex_unlock(&faults->mutex);
}

void sim_faults_hurry(struct sim *sim)
{
    pthread_mutex_lock(&sim->faults->mutex);
    sim->faults->generation++;
    pthread_cond_broadcast(&sim->faults->hurry);
    pthread_mutex_unlock(&sim->faults->mutex);
}

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return names[kind];
}

/* ---- picking ---- */

static bool rule_hits(struct rule *rule, const char *method, const char *path)
{
    if (!sim_glob(rule->method, method) || !sim_glob(rule->path, path))
        return false;
    rule->matched++;
    if (rule->matched <= rule->after || (rule->count > 0 && rule->hits >= rule->count))
        return false;
    if (rule->probability < 1 && (double)lf_random_below(1000000) >= rule->probability * 1000000)
        return false;
    rule->hits++;
    return true;
}

struct sim_hit sim_faults_pick(struct sim *sim, const char *method, const char *path)
{
    for (size_t i = 0; i < sim->faults->count; i++)
        if (rule_hits(&sim->faults->rules[i], method, path))
            return sim->faults->rules[i].hit;
    return (struct sim_hit){.kind = SIM_FAULT_NONE};
}

/* ---- answers that faults put in place ---- */

static struct sim_reply status_reply(unsigned status)
{
    static const struct {
        unsigned status;
        const char *type, *message;
    } known[] = {
        {401, "authentication_error", "Failed to authenticate"},
        {403, "invalid_request_error", "You do not have permission to do that"},
        {404, "invalid_request_error", "Not found"},
        {409, "invalid_request_error", "The resource was changed by somebody else"},
        {413, "invalid_request_error", "Request entity too large"},
        {429, "invalid_request_error", "Rate limit exceeded."},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return sim_reply_error_typed(status, known[i].type, known[i].message);
    return sim_reply_error_typed(status, status < 500 ? "invalid_request_error" : "internal_server_error",
                                 status < 500 ? "The request was refused" : "Something went wrong");
}

bool sim_fault_replaces(const struct sim_hit *hit, struct sim_reply *reply)
{
    switch (hit->kind) {
    case SIM_FAULT_STATUS: *reply = status_reply(hit->status); return true;
    case SIM_FAULT_HTML:
        *reply = sim_reply_text(hit->status, "text/html",
                                sim_text("<!DOCTYPE html><html><head><title>Sign in</title></head>"
                                         "<body><h1>Sign in to continue</h1></body></html>"));
        return true;
    case SIM_FAULT_NOT_JSON:
        *reply = sim_reply_text(200, "application/json", sim_text("upstream said: {\"id\": \"aop_"));
        return true;
    case SIM_FAULT_WRONG_SCHEMA:
        *reply = sim_reply_text(
            200, "application/json",
            sim_text("{\"id\":17,\"status\":{\"no\":\"status\"},\"file\":[],\"events\":\"none\","
                     "\"taskId\":null,\"access_token\":false,\"parts\":{}}"));
        return true;
    default: return false;
    }
}

/* ---- the rules, for the control API ---- */

static enum sim_fault_kind kind_of(const char *name)
{
    for (size_t i = 1; name && i < KINDS; i++)
        if (!strcmp(names[i], name))
            return (enum sim_fault_kind)i;
    return SIM_FAULT_NONE;
}

static bool acts_by_default(enum sim_fault_kind kind)
{
    return kind != SIM_FAULT_STATUS && kind != SIM_FAULT_HTML && kind != SIM_FAULT_RESET_BEFORE
           && kind != SIM_FAULT_RESET_REQUEST;
}

static cJSON *rule_json(const struct rule *rule)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_int(json, "id", rule->id);
    sim_set_text(json, "method", rule->method);
    sim_set_text(json, "path", rule->path);
    sim_set_text(json, "kind", names[rule->hit.kind]);
    sim_set_bool(json, "act", rule->hit.act);
    sim_set_int(json, "status", rule->hit.status);
    sim_set_int(json, "after", rule->after);
    sim_set_int(json, "count", rule->count);
    sim_set(json, "probability", cJSON_CreateNumber(rule->probability));
    sim_set_int(json, "ms", rule->hit.ms);
    sim_set_int(json, "bytes", rule->hit.bytes);
    sim_set_int(json, "bytesPerSecond", rule->hit.bytes_per_second);
    sim_set_int(json, "matched", rule->matched);
    sim_set_int(json, "hits", rule->hits);
    return json;
}

static struct rule rule_from(const cJSON *json)
{
    struct rule rule = {.after = lf_json_int(json, "after", 0), .count = lf_json_int(json, "count", 1)};
    const cJSON *probability = lf_json_at(json, "probability");
    rule.probability = cJSON_IsNumber(probability) ? probability->valuedouble : 1;
    rule.hit = (struct sim_hit){
        .kind = kind_of(lf_json_text(json, "kind")),
        .headers = lf_json_bool(json, "headers", true),
        .bytes = lf_json_int(json, "bytes", 0),
        .bytes_per_second = lf_json_int(json, "bytesPerSecond", 1000),
        .ms = lf_json_int(json, "ms", 0),
        .retry_after = lf_json_int(json, "retryAfter", 0),
        .reset = lf_json_int(json, "reset", 0),
    };
    rule.hit.act = lf_json_bool(json, "act", acts_by_default(rule.hit.kind));
    rule.hit.status = (unsigned)lf_json_int(json, "status", rule.hit.kind == SIM_FAULT_HTML ? 200 : 503);
    snprintf(rule.method, sizeof rule.method, "%s", lf_json_text_or(json, "method", "*"));
    snprintf(rule.path, sizeof rule.path, "%s", lf_json_text_or(json, "path", "*"));
    return rule;
}

static struct sim_reply unknown_kind(void)
{
    char list[300] = "";
    for (size_t i = 1; i < KINDS; i++) {
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, "%s%s", i > 1 ? ", " : "", names[i]);
    }
    return sim_reply_error(400, "\"kind\" must be one of: %s", list);
}

struct sim_reply sim_faults_create(struct sim_request *request)
{
    struct sim_faults *faults = request->sim->faults;
    struct rule rule = rule_from(request->body);
    if (rule.hit.kind == SIM_FAULT_NONE)
        return unknown_kind();
    if (rule.hit.kind == SIM_FAULT_LATENCY && rule.hit.ms <= 0)
        return sim_reply_error(400, "latency needs \"ms\" above 0");
    if (rule.probability < 0 || rule.probability > 1)
        return sim_reply_error(400, "\"probability\" must be between 0 and 1");
    rule.id = ++faults->last_id;
    faults->rules = sim_grow(faults->rules, faults->count, &faults->room, sizeof rule);
    faults->rules[faults->count++] = rule;
    faults->rules[faults->count - 1].hit.rule = rule.id;
    return sim_reply_json(201, rule_json(&rule));
}

struct sim_reply sim_faults_list(struct sim_request *request)
{
    cJSON *json = cJSON_CreateObject(), *list = sim_array(json, "faults");
    for (size_t i = 0; i < request->sim->faults->count; i++)
        cJSON_AddItemToArray(list, rule_json(&request->sim->faults->rules[i]));
    return sim_reply_json(200, json);
}

struct sim_reply sim_faults_clear(struct sim_request *request)
{
    struct sim_faults *faults = request->sim->faults;
    int64_t id = lf_json_int(request->query, "id", 0);
    size_t kept = 0, before = faults->count;
    for (size_t i = 0; i < before; i++)
        if (id && faults->rules[i].id != id)
            faults->rules[kept++] = faults->rules[i];
    faults->count = kept;
    sim_faults_hurry(request->sim);
    cJSON *json = cJSON_CreateObject();
    sim_set_int(json, "removed", (int64_t)(before - kept));
    return sim_reply_json(200, json);
}

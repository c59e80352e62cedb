#include "task.h"

#include <string.h>

struct sim_item *sim_task_start(struct sim *sim, const char *subject)
{
    char id[SIM_ID];
    cJSON *json = cJSON_CreateObject(), *hidden = cJSON_CreateObject();
    sim_new_uuid(id);
    sim_set_text(json, "id", id);
    sim_set_text(json, "status", "RUNNING");
    sim_set_text(hidden, "subject", subject);
    struct sim_item *task = sim_table_add(&sim->async_tasks, json, hidden);
    /* The vendor's document wants exactly one of three schemas to fit, two of which take no unknown member
     * while all three take every known one. Only an answer with a further member can satisfy it: this one
     * tells the id. */
    sim_set_text(json, "taskId", id);
    cJSON_DeleteItemFromObjectCaseSensitive(json, "id");
    return task;
}

static bool is(const struct sim_item *task, const char *status)
{
    return !strcmp(lf_json_text_or(task->json, "status", ""), status);
}

struct sim_item *sim_task_of(const struct sim *sim, const char *subject)
{
    for (size_t i = sim->async_tasks.count; i-- > 0;) {
        struct sim_item *task = sim->async_tasks.items[i];
        if (is(task, "RUNNING") && !strcmp(lf_json_text_or(task->hidden, "subject", ""), subject))
            return task;
    }
    return NULL;
}

static void end(struct sim_item *task, const char *status)
{
    sim_set_text(task->json, "status", status);
    sim_set_int(task->hidden, "ended", lf_clock_mono_ms());
}

void sim_task_succeed(struct sim_item *task, cJSON *response)
{
    if (!task) {
        cJSON_Delete(response);
        return;
    }
    end(task, "SUCCEEDED");
    sim_set(task->json, "response", response ? response : cJSON_CreateObject());
}

void sim_task_fail(struct sim_item *task, const char *message, cJSON *errors)
{
    if (!task) {
        cJSON_Delete(errors);
        return;
    }
    end(task, "FAILED");
    sim_set_text(task->json, "message", message);
    if (errors)
        sim_set(task->json, "errors", errors);
}

struct sim_reply sim_task_link(const struct sim_item *task)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "taskId", task->id);
    return sim_reply_json(202, json);
}

struct sim_reply sim_task_get(struct sim_request *request)
{
    const struct sim_item *task = sim_table_find(&request->sim->async_tasks, request->params[0]);
    int64_t ended = task ? lf_json_int(task->hidden, "ended", 0) : 0;
    if (!task || (ended && lf_clock_mono_ms() > ended + request->sim->options.task_seconds * 1000))
        return sim_reply_missing("Task", request->params[0]);
    return sim_reply_item(200, task->json);
}

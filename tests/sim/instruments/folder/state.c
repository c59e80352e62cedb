#include "sim.h"

#include "base/file.h"
#include "tests/sim/instruments/replace.h"

#include <errno.h>
#include <string.h>

enum { RUNS_KEPT = 1000, STATE_MAX = 4 * 1024 * 1024 };

static void abort_running(struct state *state)
{
    cJSON *run;
    cJSON_ArrayForEach (run, state->runs)
        if (!strcmp(lf_json_text_or(run, "state", ""), "running")) {
            lf_json_set_text(run, "state", "aborted");
            state->aborted++;
        }
}

void state_load(struct state *state, const char *path)
{
    struct lf_buffer text = {0};
    struct lf_error err;
    cJSON *json = NULL;
    *state = (struct state){.path = path};
    if (path && lf_file_read(path, STATE_MAX, &text, &err) == LF_OK) {
        if (lf_json_parse(lf_buffer_slice(&text), &json, &err) != LF_OK)
            die("%s is not a state file: %s", path, err.text);
        state->seen = lf_json_int(json, "seen", 0);
        state->started = lf_json_int(json, "started", 0);
        state->finished = lf_json_int(json, "finished", 0);
        state->broken = lf_json_int(json, "broken", 0);
        state->results = lf_json_int(json, "results", 0);
        state->repeated = lf_json_int(json, "repeated", 0);
        state->aborted = lf_json_int(json, "aborted", 0);
        state->runs = cJSON_DetachItemFromObject(json, "runs");
    }
    cJSON_Delete(json);
    lf_buffer_free(&text);
    if (!cJSON_IsArray(state->runs)) {
        cJSON_Delete(state->runs);
        state->runs = cJSON_CreateArray();
    }
    if (!state->runs)
        die("out of memory");
    abort_running(state);
}

void state_save(const struct state *state, const struct options *options)
{
    if (!state->path)
        return;
    cJSON *json = cJSON_CreateObject(), *runs = cJSON_Duplicate(state->runs, true);
    bool good = json && runs && lf_json_set_text(json, "inbox", options->inbox)
                && lf_json_set_text(json, "outbox", options->outbox)
                && lf_json_set_int(json, "seen", state->seen)
                && lf_json_set_int(json, "started", state->started)
                && lf_json_set_int(json, "finished", state->finished)
                && lf_json_set_int(json, "broken", state->broken)
                && lf_json_set_int(json, "results", state->results)
                && lf_json_set_int(json, "repeated", state->repeated)
                && lf_json_set_int(json, "aborted", state->aborted) && lf_json_set(json, "runs", runs);
    char *text = good ? lf_json_print(json) : NULL;
    if (!text)
        die("out of memory");
    if (!sim_replace_file(state->path, text))
        die("cannot write %s: %s", state->path, strerror(errno));
    cJSON_free(text);
    cJSON_Delete(json);
}

cJSON *state_add_run(struct state *state, const char *run, const struct worklist *worklist)
{
    char now[LF_TIME_TEXT];
    const cJSON *before;
    bool again = false;
    cJSON_ArrayForEach (before, state->runs)
        again = again || !strcmp(lf_json_text_or(before, "sha256", ""), worklist->sha256);
    state->repeated += again;
    state->started++;
    lf_time_format(lf_clock_wall_ms(), now);
    cJSON *json = cJSON_CreateObject();
    bool good = json && lf_json_set_text(json, "run", run)
                && lf_json_set_text(json, "worklist", worklist->name)
                && lf_json_set_text(json, "sha256", worklist->sha256)
                && lf_json_set_int(json, "bytes", (int64_t)worklist->text.len)
                && lf_json_set_int(json, "rows", worklist->rows) && lf_json_set_text(json, "state", "running")
                && lf_json_set_text(json, "started", now) && cJSON_AddItemToArray(state->runs, json);
    if (!good)
        die("out of memory");
    while (cJSON_GetArraySize(state->runs) > RUNS_KEPT)
        cJSON_DeleteItemFromArray(state->runs, 0);
    return json;
}

bool state_knows(const struct state *state, const char *name, const char *sha256)
{
    const cJSON *run;
    cJSON_ArrayForEach (run, state->runs)
        if (!strcmp(lf_json_text_or(run, "worklist", ""), name)
            && !strcmp(lf_json_text_or(run, "sha256", ""), sha256))
            return true;
    return false;
}

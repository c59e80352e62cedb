/* The caller's end of the control socket. */
#include "control/control.h"

#include "base/clock.h"
#include "os/local.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 256 * 1024 * 1024, READ_BYTES = 64 * 1024 };

static enum lf_status connect_to(const char *path, int64_t deadline, struct lf_socket *agent,
                                 struct lf_error *err)
{
    enum lf_status status = lf_local_connect(path, deadline, agent, err);
    if (status == LF_NOT_FOUND || status == LF_DISCONNECTED)
        return lf_fail(err, status, LF_NEEDS_PERSON,
                       "no agent listens on %s. Start it with labferryd --config FILE; if it runs, name its "
                       "configuration with --config FILE",
                       path);
    if (status == LF_DENIED)
        return lf_fail(err, status, LF_NEEDS_PERSON,
                       "not allowed to open %s: become root, or a member of the group in agent.operators",
                       path);
    return status;
}

static enum lf_status send_request(const struct lf_socket *agent, const char *verb, const cJSON *args,
                                   const struct lf_file *file, int64_t deadline, struct lf_error *err)
{
    cJSON *request = cJSON_CreateObject();
    bool good = lf_json_set_text(request, "verb", verb)
                && (!args || lf_json_set(request, "args", cJSON_Duplicate(args, true)));
    char *text = good ? lf_json_print(request) : NULL;
    char *line = text ? lf_format("%s\n", text) : NULL;
    size_t len = line ? strlen(line) : 0;
    enum lf_status status = line ? LF_OK : lf_fail_memory(err, "making a request");
    if (status == LF_OK && len > LF_CONTROL_MAX)
        status = lf_fail(err, LF_TOO_LARGE, LF_PERMANENT,
                         "the request is too large: %zu bytes, at most %d are allowed", len, LF_CONTROL_MAX);
    if (status == LF_OK)
        status = lf_local_send(agent, line, len, file, deadline, NULL, err);
    free(line);
    free(text);
    cJSON_Delete(request);
    return status;
}

static enum lf_status read_answer(const struct lf_socket *agent, int64_t deadline, cJSON **answer,
                                  struct lf_error *err)
{
    struct lf_buffer in = {.max = ANSWER_MAX};
    char *end = NULL;
    enum lf_status status = LF_OK;
    while (status == LF_OK && !end) {
        char *room = lf_buffer_reserve(&in, READ_BYTES);
        size_t got = 0;
        struct lf_file ignored = {0};
        status = room ? lf_local_receive(agent, room, READ_BYTES, deadline, NULL, &got, &ignored, err)
                      : lf_fail_memory(err, "reading the agent's answer");
        lf_file_close(&ignored);
        if (status == LF_OK && got == 0)
            status = lf_fail(
                err, LF_PROTOCOL, LF_UNKNOWN_OUTCOME,
                "the agent closed the connection without an answer: it is not known whether the request was performed. "
                "Check `labferry jobs`");
        if (status == LF_OK)
            end = memchr(in.data + in.len, '\n', got);
        in.len += status == LF_OK ? got : 0;
    }
    if (status == LF_TIMEOUT)
        lf_fail(err, status, LF_UNKNOWN_OUTCOME,
                "the agent did not answer in time: it is not known whether the request was performed. "
                "Check `labferry jobs`");
    if (status == LF_OK)
        status = lf_json_parse(lf_slice(in.data, (size_t)(end - in.data)), answer, err);
    if (status == LF_OK && !cJSON_IsBool(lf_json_at(*answer, "ok"))) {
        cJSON_Delete(*answer);
        *answer = NULL;
        status = lf_fail(err, LF_PROTOCOL, LF_PERMANENT, "the socket is not a Labferry agent");
    }
    lf_buffer_free(&in);
    return status;
}

enum lf_status lf_control_request(const char *socket_path, const char *verb, const cJSON *args,
                                  const struct lf_file *file, int64_t deadline, cJSON **answer,
                                  struct lf_error *err)
{
    struct lf_socket agent;
    *answer = NULL;
    enum lf_status status = connect_to(socket_path, deadline, &agent, err);
    if (status == LF_OK) {
        status = send_request(&agent, verb, args, file, deadline, err);
        /* A rejected caller has an answer waiting, although its request was never read. */
        if (status == LF_OK || status == LF_DISCONNECTED)
            status = read_answer(&agent, deadline, answer, err);
    }
    lf_socket_close(&agent);
    return status;
}

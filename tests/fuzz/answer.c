/* Every call of the cloud's API, with a server that answers anything, in place of the transfer engine.
 *
 * The first byte: bit 0, the token's answer is fuzzed too. Then calls and answers, one after the other: a
 * call takes a byte; an answer takes a byte for its status, one for what is strange about it, and its body
 * up to a NUL. When nothing is left, the server cannot be reached.
 */
#include "fuzz.h"
#include "fuzz_clock.h"

#include "base/digest.h"
#include "base/file.h"
#include "cloud/api.h"
#include "os/linux/native.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TENANT "https://acme.example"
#define SECRET "t0psecret"

enum { CALLS_MAX = 8 };
enum {
    STRANGE_SENT = 1,
    STRANGE_REDIRECTED = 2,
    STRANGE_HTML = 4,
    STRANGE_WAIT = 8,
    STRANGE_RATE = 16,
    STRANGE_LOST = 32
};

static const int statuses[] = {200, 201, 202, 204, 302, 400, 401, 403, 404, 409,
                               413, 422, 429, 500, 502, 503, 504, 418, 0,   999};

static struct {
    struct fuzz_input input;
    bool fuzz_token;
    struct lf_cloud *cloud;
    int file; /* to upload from, and to download into */
} server;

enum lf_status __wrap_lf_transfer_perform(struct lf_transfer *transfer, const struct lf_request *request,
                                          struct lf_answer *answer, bool *sent, struct lf_error *err);

static void read_body(const struct lf_body *body)
{
    char piece[4096];
    int64_t total = 0;
    size_t got;
    MUST(body->rewind(body->context), "cannot begin the body");
    while ((got = body->read(body->context, piece, sizeof piece)) > 0) {
        MUST(got <= sizeof piece, "the body does not end or cannot be read");
        total += (int64_t)got;
    }
    MUST(total == body->size, "a body of %lld bytes was announced as %lld", (long long)total,
         (long long)body->size);
}

static void fill(struct lf_answer *answer, const struct lf_request *request, uint8_t strange,
                 struct lf_slice body)
{
    *answer = (struct lf_answer){.status = 200,
                                 .retry_after_ms = -1,
                                 .rate_limit = -1,
                                 .rate_remaining = -1,
                                 .rate_reset_s = -1,
                                 .size = (int64_t)body.len,
                                 .redirected = strange & STRANGE_REDIRECTED};
    snprintf(answer->content_type, sizeof answer->content_type, "%s",
             strange & STRANGE_HTML ? "text/html" : "application/json");
    if (strange & STRANGE_WAIT)
        answer->retry_after_ms = 30000;
    if (strange & STRANGE_RATE)
        answer->rate_limit = strange, answer->rate_remaining = strange >> 6, answer->rate_reset_s = 60;
    if (request->to) {
        fuzz_need(lf_file_write_at(request->to, 0, body.data, body.len, &(struct lf_error){0}) == LF_OK,
                  "cannot write a file");
        lf_digest_bytes(LF_SHA256, body.data, body.len, answer->sha256);
        lf_digest_bytes(LF_MD5, body.data, body.len, answer->md5);
    } else {
        fuzz_need(lf_buffer_append(&answer->text, body.data, body.len) == LF_OK, "out of memory");
    }
}

enum lf_status __wrap_lf_transfer_perform(struct lf_transfer *transfer, const struct lf_request *request,
                                          struct lf_answer *answer, bool *sent, struct lf_error *err)
{
    static const char token[] = "{\"access_token\":\"" SECRET
                                "\",\"expires_in\":3600,\"token_type\":\"Bearer\"}";
    (void)transfer;
    bool ignored;
    sent = sent ? sent : &ignored;
    *sent = false;
    MUST(!strncmp(request->url, TENANT "/api/v2/", strlen(TENANT "/api/v2/")), "credentials go to %s",
         request->url);
    MUST(request->method && request->authorization, "no method or credentials for %s", request->url);
    MUST(!strpbrk(request->url, " \r\n\t#"), "the URL \"%s\"", request->url);
    MUST(request->deadline != LF_NEVER, "%s has no deadline", request->url);
    if (!strcmp(request->url, TENANT "/api/v2/token") && !server.fuzz_token) {
        fill(answer, request, 0, lf_slice_text(token));
        return LF_OK;
    }
    if (request->body)
        read_body(request->body);
    if (!server.input.left)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the server cannot be reached");
    int status = statuses[fuzz_byte(&server.input) % (sizeof statuses / sizeof *statuses)];
    uint8_t strange = fuzz_byte(&server.input);
    struct lf_slice body = fuzz_until(&server.input, '\0');
    if (strange & STRANGE_LOST) {
        *sent = strange & STRANGE_SENT;
        return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "the answer was lost");
    }
    *sent = true;
    fill(answer, request, strange, body);
    answer->status = status;
    return LF_OK;
}

/* ---- calls ---- */

static enum lf_status read_only(uint8_t what, const struct lf_call *call, const char *id, cJSON **out,
                                struct lf_error *err)
{
    struct lf_cloud *cloud = server.cloud;
    switch (what) {
    case 0: return lf_cloud_get(cloud, LF_CLOUD_GENERATOR, id, call, out, err);
    case 1: return lf_cloud_list_outputs(cloud, id, call, out, err);
    case 2: return lf_cloud_get(cloud, LF_CLOUD_RUN, id, call, out, err);
    case 3: return lf_cloud_get_resource(cloud, "workflowTask", id, call, out, err);
    case 4: return lf_cloud_get_resource(cloud, id, id, call, out, err);
    case 5: return lf_cloud_get(cloud, LF_CLOUD_BLOB, id, call, out, err);
    case 6: return lf_cloud_find_processors(cloud, id, "config", call, out, err);
    case 7: return lf_cloud_get(cloud, LF_CLOUD_PROCESSOR, id, call, out, err);
    case 8: return lf_cloud_get(cloud, LF_CLOUD_TASK, id, call, out, err);
    case 9: return lf_cloud_get(cloud, LF_CLOUD_WORKFLOW_TASK, id, call, out, err);
    default: return lf_cloud_get_events(cloud, id, NULL, "v2.entry.created", NULL, call, out, err);
    }
}

static enum lf_status changing(uint8_t what, const struct lf_call *call, const char *id, cJSON **out,
                               struct lf_error *err)
{
    struct lf_cloud *cloud = server.cloud;
    struct lf_new_processor processor = {.run_id = id, .config_name = "config", .file_id = "file_1"};
    cJSON *fields = cJSON_Parse("{\"Mass\":{\"value\":\"12.3\"}}");
    enum lf_status status;
    switch (what) {
    case 0: status = lf_cloud_create_processor(cloud, &processor, call, out, err); break;
    case 1: status = lf_cloud_create_output(cloud, id, fields, call, out, err); break;
    case 2: status = lf_cloud_set_processor_file(cloud, id, "file_1", call, out, err); break;
    default: status = lf_cloud_set_task_status(cloud, id, "wfts_1", call, out, err); break;
    }
    cJSON_Delete(fields);
    return status;
}

static enum lf_status with_file(uint8_t what, const struct lf_call *call, const char *id, char **text,
                                struct lf_error *err)
{
    struct lf_cloud *cloud = server.cloud;
    const struct lf_file spooled = {.os = os__handle(server.file)};
    struct lf_upload_file file = {.file = &spooled,
                                  .size = 20,
                                  .name = "result.csv",
                                  .type = "RAW_FILE",
                                  .part_size = lf_cloud_part_size(cloud, 20)};
    const char *const etags[] = {"\"a\"", "\"b\""};
    char sha256[LF_SHA256_HEX];
    int64_t size = 0;
    fuzz_need(ftruncate(server.file, 0) == 0 && ftruncate(server.file, 20) == 0, "no file");
    switch (what) {
    case 0: return lf_cloud_upload_blob(cloud, &file, call, text, err);
    case 1: return lf_cloud_start_parts(cloud, &file, call, text, err);
    case 2: return lf_cloud_upload_part(cloud, id, &file, 1, call, text, err);
    case 3: return lf_cloud_complete_parts(cloud, id, etags, 2, call, err);
    case 4: return lf_cloud_abort_parts(cloud, id, call, err);
    case 5: return lf_cloud_process(cloud, id, call, text, err);
    default: return lf_cloud_download(cloud, id, &spooled, 1 << 20, call, sha256, &size, err);
    }
}

static enum lf_status resolve(const struct lf_call *call, const char *id, char **text, struct lf_error *err)
{
    cJSON *task = NULL;
    enum lf_status status = lf_cloud_get(server.cloud, LF_CLOUD_WORKFLOW_TASK, id, call, &task, err);
    if (status == LF_OK)
        status = lf_cloud_resolve_status(server.cloud, task, "IN_PROGRESS", call, text, err);
    cJSON_Delete(task);
    return status;
}

static void call_one(void)
{
    struct lf_call call = {.deadline = lf_deadline_in(600000)};
    struct lf_error err = {0};
    cJSON *out = NULL;
    char *text = NULL;
    uint8_t what = fuzz_byte(&server.input);
    const char *id = what & 128 ? "../x y?#\n" : "res_1";
    enum lf_status status = what % 4 == 0   ? changing((what / 4) % 4, &call, id, &out, &err)
                            : what % 4 == 1 ? with_file((what / 4) % 7, &call, id, &text, &err)
                            : what % 8 == 2 ? resolve(&call, id, &text, &err)
                                            : read_only((what / 4) % 11, &call, id, &out, &err);
    fuzz_check_error(status, &err);
    MUST(!strstr(err.text, SECRET), "a secret in: %s", err.text);
    MUST(status == LF_OK || (!out && !text), "failed, but returned something: %s", err.text);
    MUST(!out || cJSON_IsObject(out) || cJSON_IsArray(out), "neither object nor list");
    MUST(!text || *text, "an empty id");
    free(text);
    cJSON_Delete(out);
}

static void open_cloud(void)
{
    static char *secret_file;
    struct lf_error err = {0};
    if (!secret_file) {
        secret_file = lf_format("%s/secret", fuzz_folder());
        fuzz_write(secret_file, SECRET "\n");
        server.file = memfd_create("file", MFD_CLOEXEC);
        fuzz_need(server.file >= 0, "no file");
    }
    static struct lf_config_cloud config = {.tenant = TENANT, .client_id = "id", .request_timeout_ms = 60000};
    config.client_secret_file = secret_file;
    fuzz_need(lf_cloud_open(&config, (struct lf_transfer *)&server, &server.cloud, &err) == LF_OK, err.text);
    server.cloud->part_size = 12;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_clock_start();
    open_cloud();
    server.input = fuzz_input(data, size);
    server.fuzz_token = fuzz_byte(&server.input) & 1;
    for (int calls = 0; calls < CALLS_MAX && server.input.left; calls++)
        call_one();
    cJSON_Delete(lf_cloud_health(server.cloud));
    lf_cloud_close(server.cloud);
    return 0;
}

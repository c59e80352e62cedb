/* Reading blobs: their particulars, and their bytes by a signed URL that, like S3, takes no second kind of
 * authentication. */
#include "blob_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sim_reply sim_blob_get(struct sim_request *request)
{
    const struct sim_blob *blob = sim_blob_find(request->sim, request->params[0]);
    return blob ? sim_reply_json(200, sim_blob_json(blob)) : sim_reply_missing("Blob", request->params[0]);
}

struct sim_reply sim_blob_bulk_get(struct sim_request *request)
{
    const struct sim *sim = request->sim;
    const char *ids = sim_query(request, "blobIds");
    cJSON *json = cJSON_CreateObject(), *list = sim_array(json, "blobs");
    for (size_t i = 0; ids && i < sim->blobs->count; i++)
        if (sim_in_list(ids, sim->blobs->items[i]->id))
            cJSON_AddItemToArray(list, sim_blob_json(sim->blobs->items[i]));
    return sim_reply_json(200, json);
}

/* ---- signed URLs ---- */

static void sign(const struct sim *sim, const char *id, int64_t expires, char hex[LF_SHA256_HEX])
{
    char text[200];
    snprintf(text, sizeof text, "%s|%lld|%s", id, (long long)expires, sim->blobs->secret);
    if (lf_digest_bytes(LF_SHA256, text, strlen(text), hex) != LF_OK)
        sim_die("out of memory (signing)");
}

static int64_t signed_url(const struct sim *sim, const struct sim_blob *blob, char *url, size_t size)
{
    char signature[LF_SHA256_HEX];
    int64_t expires = lf_clock_wall_ms() / 1000 + sim->options.url_seconds;
    sign(sim, blob->id, expires, signature);
    snprintf(url, size, "%s/presigned/%s?X-Sim-Expires=%lld&X-Sim-Signature=%s", sim->download_url, blob->id,
             (long long)expires, signature);
    return expires;
}

/* The blob, if its bytes can be had; NULL with reply filled. */
static const struct sim_blob *readable(const struct sim_request *request, struct sim_reply *reply)
{
    const struct sim_blob *blob = sim_blob_find(request->sim, request->params[0]);
    if (!blob) {
        *reply = sim_reply_missing("Blob", request->params[0]);
    } else if (blob->state != SIM_BLOB_COMPLETE) {
        *reply = sim_reply_missing("A complete upload of blob", request->params[0]);
        blob = NULL;
    }
    return blob;
}

struct sim_reply sim_blob_download_url(struct sim_request *request)
{
    struct sim_reply reply = {.fd = -1};
    char url[600];
    const struct sim_blob *blob = readable(request, &reply);
    if (!blob)
        return reply;
    cJSON *json = cJSON_CreateObject();
    sim_set_int(json, "expiresAt", signed_url(request->sim, blob, url, sizeof url));
    sim_set_text(json, "downloadURL", url);
    return sim_reply_json(200, json);
}

struct sim_reply sim_blob_download(struct sim_request *request)
{
    struct sim_reply reply = {.fd = -1};
    const struct sim_blob *blob = readable(request, &reply);
    if (blob) {
        reply = sim_reply_text(302, "text/plain", sim_text(""));
        signed_url(request->sim, blob, reply.location, sizeof reply.location);
    }
    return reply;
}

static struct sim_reply xml_error(unsigned status, const char *code, const char *message)
{
    char *text =
        lf_format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>"
                  "</Error>",
                  code, message);
    if (!text)
        sim_die("out of memory (an error's text)");
    return sim_reply_text(status, "application/xml", text);
}

/* "bytes=A-B", "bytes=A-" or "bytes=-N" into offset and size; false when it cannot be satisfied. */
static bool parse_range(const char *range, int64_t total, int64_t *offset, int64_t *size)
{
    char *rest;
    if (strncmp(range, "bytes=", 6) != 0)
        return false;
    if (range[6] == '-') {
        int64_t tail = strtoll(range + 7, NULL, 10);
        *size = tail < total ? tail : total;
        *offset = total - *size;
        return *size > 0;
    }
    *offset = strtoll(range + 6, &rest, 10);
    int64_t last = *rest == '-' && rest[1] ? strtoll(rest + 1, NULL, 10) : total - 1;
    last = last < total ? last : total - 1;
    *size = last - *offset + 1;
    return *rest == '-' && *offset >= 0 && *offset<total && * size> 0;
}

static struct sim_reply open_bytes(const struct sim_request *request, const struct sim_blob *blob)
{
    char path[SIM_BLOB_PATH];
    const char *range = sim_request_header(request, "Range");
    struct sim_reply reply = {.status = 200, .fd = -1, .size = blob->size, .ranges = true};
    if (range && !parse_range(range, blob->size, &reply.offset, &reply.size))
        return xml_error(416, "InvalidRange", "The requested range is not satisfiable");
    sim_blob_path(request->sim, blob->id, path);
    reply.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reply.fd < 0)
        return xml_error(404, "NoSuchKey", "The specified key does not exist.");
    if (range) {
        reply.status = 206;
        snprintf(reply.range, sizeof reply.range, "bytes %lld-%lld/%lld", (long long)reply.offset,
                 (long long)(reply.offset + reply.size - 1), (long long)blob->size);
    }
    snprintf(reply.mime_own, sizeof reply.mime_own, "%s", blob->mime);
    snprintf(reply.etag, sizeof reply.etag, "\"%s\"", blob->md5);
    return reply;
}

struct sim_reply sim_blob_presigned(struct sim_request *request)
{
    char signature[LF_SHA256_HEX];
    const char *expires = sim_query(request, "X-Sim-Expires"), *given = sim_query(request, "X-Sim-Signature");
    const struct sim_blob *blob = sim_blob_find(request->sim, request->params[0]);
    if (sim_request_header(request, "Authorization")) {
        return xml_error(400, "InvalidArgument",
                         "Only one auth mechanism allowed; only the X-Sim-Signature query "
                         "string parameter or the Authorization header should be specified");
    }
    sign(request->sim, request->params[0], expires ? strtoll(expires, NULL, 10) : 0, signature);
    if (!blob || !expires || !given || strcmp(signature, given) != 0)
        return xml_error(403, "SignatureDoesNotMatch", "The signature does not match");
    if (strtoll(expires, NULL, 10) < lf_clock_wall_ms() / 1000)
        return xml_error(403, "AccessDenied", "Request has expired");
    return open_bytes(request, blob);
}

/* Uploads: in one request, or in parts. The long work (decoding, digests, writing) goes on without the lock;
 * while parts are put together the blob is SIM_BLOB_ASSEMBLING, which nothing else touches. */
#include "blob_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPY_BLOCK = 256 * 1024 };

/* Bytes of a request, decoded and checked against the md5 sent with them. */
static bool decode(const cJSON *body, struct lf_buffer *bytes, struct sim_reply *reply)
{
    char md5[LF_MD5_HEX];
    const char *text = lf_json_text_or(body, "data64", "");
    if (lf_base64_decode(lf_slice_text(text), bytes) != LF_OK) {
        *reply = sim_reply_error(400, "data64 is not valid base64");
        return false;
    }
    if (lf_digest_bytes(LF_MD5, bytes->data ? bytes->data : "", bytes->len, md5) != LF_OK)
        sim_die("out of memory (digest)");
    if (strcasecmp(md5, lf_json_text_or(body, "md5", "")) != 0) {
        *reply = sim_reply_error(400, "md5 does not match the data: %s was computed", md5);
        return false;
    }
    return true;
}

static struct sim_reply disk_trouble(const char *what)
{
    return sim_reply_error_typed(500, "internal_server_error", what);
}

struct sim_reply sim_blob_create(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct lf_buffer bytes = {.max = (size_t)sim->options.max_body};
    struct sim_reply reply = {.fd = -1};
    if (!decode(request->body, &bytes, &reply))
        goto done;
    if ((int64_t)bytes.len > sim->options.max_single) {
        reply = sim_reply_error(400, "The file has %zu bytes; above %lld it must be uploaded in parts",
                                bytes.len, (long long)sim->options.max_single);
        goto done;
    }
    struct sim_blob *blob = sim_blob_make(sim, lf_json_text_or(request->body, "name", ""),
                                          lf_json_text_or(request->body, "mimeType",
                                                          "application/octet-stream"),
                                          bytes.data, bytes.len);
    blob->from_client = true;
    free(blob->type);
    blob->type = sim_text(lf_json_text_or(request->body, "type", "RAW_FILE"));
    reply = sim_reply_json(200, sim_blob_json(blob));
done:
    lf_buffer_free(&bytes);
    return reply;
}

struct sim_reply sim_blob_start(struct sim_request *request)
{
    struct sim_blob *blob = sim_blob_add(request->sim, lf_json_text_or(request->body, "name", ""),
                                         lf_json_text_or(request->body, "mimeType",
                                                         "application/octet-stream"),
                                         lf_json_text_or(request->body, "type", ""));
    blob->from_client = true;
    return sim_reply_json(200, sim_blob_json(blob));
}

/* The blob of a request that must still be open for parts; NULL with reply filled. */
static struct sim_blob *open_blob(const struct sim_request *request, struct sim_reply *reply)
{
    struct sim_blob *blob = sim_blob_find(request->sim, request->params[0]);
    if (!blob) {
        *reply = sim_reply_missing_400("Blob", request->params[0]);
    } else if (blob->state != SIM_BLOB_IN_PROGRESS) {
        *reply = sim_reply_error(400, "The upload of blob %s is %s", blob->id,
                                 blob->state == SIM_BLOB_ABORTED ? "aborted" : "complete");
        blob = NULL;
    }
    return blob;
}

static struct sim_part *find_part(struct sim_blob *blob, int number)
{
    for (size_t i = 0; i < blob->part_count; i++)
        if (blob->parts[i].number == number)
            return &blob->parts[i];
    return NULL;
}

/* A part sent again replaces the first one. */
static void keep_part(struct sim_blob *blob, const struct sim_part *part)
{
    struct sim_part *known = find_part(blob, part->number);
    if (!known) {
        blob->parts = sim_grow(blob->parts, blob->part_count, &blob->part_room, sizeof *part);
        known = &blob->parts[blob->part_count++];
    }
    *known = *part;
}

static cJSON *part_json(const struct sim_part *part)
{
    char etag[LF_MD5_HEX + 2];
    cJSON *json = cJSON_CreateObject();
    snprintf(etag, sizeof etag, "\"%s\"", part->md5);
    sim_set_int(json, "partNumber", part->number);
    sim_set_text(json, "eTag", etag);
    return json;
}

struct sim_reply sim_blob_part(struct sim_request *request)
{
    struct sim *sim = request->sim;
    char path[SIM_BLOB_PATH], fresh[SIM_BLOB_PATH + SIM_ID], uuid[SIM_ID];
    struct lf_buffer bytes = {.max = (size_t)sim->options.max_body};
    struct sim_reply reply = {.fd = -1};
    struct sim_part part = {.number = (int)lf_json_int(request->body, "partNumber", 1)};
    if (!open_blob(request, &reply))
        return reply;
    sim_blob_part_path(sim, request->params[0], part.number, path);
    sim_new_uuid(uuid);
    snprintf(fresh, sizeof fresh, "%s.%s", path, uuid);
    sim_unlock(sim);
    bool good = decode(request->body, &bytes, &reply);
    if (good && !sim_blob_write(fresh, bytes.data, bytes.len)) {
        reply = disk_trouble("The part could not be stored");
        good = false;
    }
    sim_lock(sim);
    struct sim_blob *blob = good ? open_blob(request, &reply) : NULL;
    if (blob) {
        part.size = (int64_t)bytes.len;
        snprintf(part.md5, sizeof part.md5, "%s", lf_json_text_or(request->body, "md5", ""));
        rename(fresh, path);
        keep_part(blob, &part);
        reply = sim_reply_json(200, part_json(&part));
    } else {
        unlink(fresh);
    }
    lf_buffer_free(&bytes);
    return reply;
}

/* ---- putting together ---- */

static int by_number(const void *a, const void *b)
{
    const struct sim_part *one = a, *two = b;
    return (one->number > two->number) - (one->number < two->number);
}

/* The parts the client names, in the file's order. NULL with reply filled. Returned owned. */
static struct sim_part *named_parts(const struct sim *sim, struct sim_blob *blob, const cJSON *body,
                                    size_t *count, struct sim_reply *reply)
{
    const cJSON *list = lf_json_at(body, "parts"), *entry;
    struct sim_part *parts = sim_alloc(sizeof *parts * (size_t)(cJSON_GetArraySize(list) + 1));
    *count = 0;
    cJSON_ArrayForEach (entry, list) {
        int number = (int)lf_json_int(entry, "partNumber", 0);
        struct sim_part *part = find_part(blob, number);
        char etag[LF_MD5_HEX + 2];
        snprintf(etag, sizeof etag, "\"%s\"", part ? part->md5 : "");
        if (!part || strcmp(etag, lf_json_text_or(entry, "eTag", "")) != 0) {
            *reply = sim_reply_error(400, "Part %d was never uploaded, or its eTag is another one", number);
            goto refuse;
        }
        parts[(*count)++] = *part;
    }
    qsort(parts, *count, sizeof *parts, by_number);
    for (size_t i = 0; i < *count; i++) {
        if (i > 0 && parts[i].number == parts[i - 1].number) {
            *reply = sim_reply_error(400, "Part %d is named twice", parts[i].number);
            goto refuse;
        }
        if (i + 1 < *count && parts[i].size < sim->options.min_part) {
            *reply = sim_reply_error(400, "Part %d has %lld bytes; all but the last need %lld",
                                     parts[i].number, (long long)parts[i].size,
                                     (long long)sim->options.min_part);
            goto refuse;
        }
    }
    if (*count > 0)
        return parts;
    *reply = sim_reply_error(400, "No parts are named");
refuse:
    free(parts);
    return NULL;
}

static bool append_part(int out, const char *path, char *block, struct lf_digest *md5,
                        struct lf_digest *sha256)
{
    int in = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    while (in >= 0 && (n = read(in, block, COPY_BLOCK)) > 0) {
        lf_digest_add(md5, block, (size_t)n);
        lf_digest_add(sha256, block, (size_t)n);
        if (write(out, block, (size_t)n) != n) {
            n = -1;
            break;
        }
    }
    if (in >= 0)
        close(in);
    return n == 0;
}

/* Runs without the lock; the blob is ASSEMBLING. */
static bool assemble(const struct sim *sim, const char *id, const struct sim_part *parts, size_t count,
                     char *md5_hex, char *sha256_hex)
{
    char path[SIM_BLOB_PATH];
    char *block = sim_alloc(COPY_BLOCK);
    struct lf_digest *md5 = lf_digest_new(LF_MD5), *sha256 = lf_digest_new(LF_SHA256);
    sim_blob_path(sim, id, path);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = out >= 0 && md5 && sha256;
    for (size_t i = 0; good && i < count; i++) {
        sim_blob_part_path(sim, id, parts[i].number, path);
        good = append_part(out, path, block, md5, sha256);
    }
    if (out >= 0 && close(out) != 0)
        good = false;
    if (md5)
        lf_digest_finish(md5, md5_hex);
    if (sha256)
        lf_digest_finish(sha256, sha256_hex);
    free(block);
    return good;
}

struct sim_reply sim_blob_complete(struct sim_request *request)
{
    struct sim *sim = request->sim;
    struct sim_reply reply = {.fd = -1};
    size_t count;
    struct sim_blob *blob = open_blob(request, &reply);
    struct sim_part *parts = blob ? named_parts(sim, blob, request->body, &count, &reply) : NULL;
    if (!parts)
        return reply;
    blob->state = SIM_BLOB_ASSEMBLING;
    sim_unlock(sim);
    bool good = assemble(sim, blob->id, parts, count, blob->md5, blob->sha256);
    sim_lock(sim);
    blob->state = good ? SIM_BLOB_COMPLETE : SIM_BLOB_IN_PROGRESS;
    if (good) {
        for (size_t i = 0; i < count; i++)
            blob->size += parts[i].size;
        sim_blob_drop_parts(sim, blob);
        blob->part_count = count; /* kept for the state dump; the files are gone */
    }
    free(parts);
    return good ? sim_reply_json(200, sim_blob_json(blob))
                : disk_trouble("The parts could not be put together");
}

struct sim_reply sim_blob_abort(struct sim_request *request)
{
    struct sim_reply reply = {.fd = -1};
    struct sim_blob *blob = open_blob(request, &reply);
    if (!blob)
        return reply;
    sim_blob_drop_parts(request->sim, blob);
    blob->state = SIM_BLOB_ABORTED;
    return sim_reply_json(200, cJSON_CreateObject());
}

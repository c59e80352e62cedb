#include "blob_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const state_names[] = {
    [SIM_BLOB_IN_PROGRESS] = "IN_PROGRESS",
    [SIM_BLOB_COMPLETE] = "COMPLETE",
    [SIM_BLOB_ABORTED] = "ABORTED",
    [SIM_BLOB_ASSEMBLING] = "IN_PROGRESS",
};

struct sim_blobs *sim_blobs_new(const char *dir)
{
    struct sim_blobs *blobs = sim_alloc(sizeof *blobs);
    if ((size_t)snprintf(blobs->dir, sizeof blobs->dir, "%s", dir) >= sizeof blobs->dir)
        sim_die("--data %.100s...: the path is too long", dir);
    if (mkdir(blobs->dir, 0700) != 0 && errno != EEXIST)
        sim_die("cannot make --data %s: %s", blobs->dir, strerror(errno));
    sim_new_uuid(blobs->secret);
    return blobs;
}

void sim_blob_path(const struct sim *sim, const char *id, char path[SIM_BLOB_PATH])
{
    snprintf(path, SIM_BLOB_PATH, "%s/%s", sim->blobs->dir, id);
}

void sim_blob_part_path(const struct sim *sim, const char *id, int number, char path[SIM_BLOB_PATH])
{
    snprintf(path, SIM_BLOB_PATH, "%s/%s.part%d", sim->blobs->dir, id, number);
}

void sim_blob_drop_parts(const struct sim *sim, struct sim_blob *blob)
{
    char path[SIM_BLOB_PATH];
    for (size_t i = 0; i < blob->part_count; i++) {
        sim_blob_part_path(sim, blob->id, blob->parts[i].number, path);
        unlink(path);
    }
    blob->part_count = 0;
}

void sim_blobs_free(struct sim_blobs *blobs)
{
    struct sim sim = {.blobs = blobs};
    char path[SIM_BLOB_PATH];
    for (size_t i = 0; i < blobs->count; i++) {
        struct sim_blob *blob = blobs->items[i];
        sim_blob_path(&sim, blob->id, path);
        unlink(path);
        sim_blob_drop_parts(&sim, blob);
        free(blob->name);
        free(blob->mime);
        free(blob->type);
        free(blob->parts);
        free(blob);
    }
    free(blobs->items);
    free(blobs);
}

struct sim_blob *sim_blob_find(const struct sim *sim, const char *id)
{
    for (size_t i = sim->blobs->count; id && i-- > 0;)
        if (!strcmp(sim->blobs->items[i]->id, id))
            return sim->blobs->items[i];
    return NULL;
}

struct sim_blob *sim_blob_add(struct sim *sim, const char *name, const char *mime, const char *type)
{
    struct sim_blob *blob = sim_alloc(sizeof *blob);
    sim_new_uuid(blob->id);
    blob->name = sim_text(name);
    blob->mime = sim_text(mime);
    blob->type = sim_text(type);
    sim->blobs->items = sim_grow(sim->blobs->items, sim->blobs->count, &sim->blobs->room,
                                 sizeof(struct sim_blob *));
    sim->blobs->items[sim->blobs->count++] = blob;
    return blob;
}

bool sim_blob_write(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *at = bytes;
    bool good = fd >= 0;
    while (good && len > 0) {
        ssize_t n = write(fd, at, len);
        good = n > 0;
        at += good ? n : 0;
        len -= good ? (size_t)n : 0;
    }
    return (fd < 0 || close(fd) == 0) && good;
}

struct sim_blob *sim_blob_make(struct sim *sim, const char *name, const char *mime, const void *bytes,
                               size_t len)
{
    char path[SIM_BLOB_PATH];
    struct sim_blob *blob = sim_blob_add(sim, name, mime, "RAW_FILE");
    sim_blob_path(sim, blob->id, path);
    if (!sim_blob_write(path, bytes, len) || lf_digest_bytes(LF_MD5, bytes, len, blob->md5) != LF_OK
        || lf_digest_bytes(LF_SHA256, bytes, len, blob->sha256) != LF_OK)
        sim_die("cannot write %s: %s", path, strerror(errno));
    blob->size = (int64_t)len;
    blob->state = SIM_BLOB_COMPLETE;
    return blob;
}

cJSON *sim_blob_json(const struct sim_blob *blob)
{
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "id", blob->id);
    sim_set_text(json, "name", blob->name);
    sim_set_text(json, "mimeType", blob->mime);
    sim_set_text(json, "type", blob->type);
    sim_set_text(json, "uploadStatus", state_names[blob->state]);
    return json;
}

cJSON *sim_blobs_state(const struct sim *sim)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < sim->blobs->count; i++) {
        const struct sim_blob *blob = sim->blobs->items[i];
        cJSON *json = sim_blob_json(blob);
        sim_set_int(json, "size", blob->size);
        sim_set_text(json, "sha256", blob->sha256);
        sim_set_text(json, "md5", blob->md5);
        sim_set_int(json, "parts", (int64_t)blob->part_count);
        sim_set_bool(json, "fromClient", blob->from_client);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

/* Inside the blob store: what blob.c, upload.c and download.c share. */
#ifndef LF_SIM_BLOB_STORE_H
#define LF_SIM_BLOB_STORE_H

#include "blob.h"

struct sim_blobs {
    char dir[SIM_BLOB_PATH - 100];
    char secret[SIM_ID]; /* signs download URLs */
    struct sim_blob **items;
    size_t count, room;
};

struct sim_blob *sim_blob_add(struct sim *sim, const char *name, const char *mime, const char *type);
void sim_blob_part_path(const struct sim *sim, const char *id, int number, char path[SIM_BLOB_PATH]);
/* Writes a whole file; false with errno. */
bool sim_blob_write(const char *path, const void *bytes, size_t len);
void sim_blob_drop_parts(const struct sim *sim, struct sim_blob *blob);

#endif

/* Blobs: their bytes lie in files under --data, their particulars in memory. */
#ifndef LF_SIM_BLOB_H
#define LF_SIM_BLOB_H

#include "http.h"

#include "base/digest.h"

enum { SIM_BLOB_PATH = 400 };

enum sim_blob_state { SIM_BLOB_IN_PROGRESS, SIM_BLOB_COMPLETE, SIM_BLOB_ABORTED, SIM_BLOB_ASSEMBLING };

struct sim_part {
    int number;
    int64_t size;
    char md5[LF_MD5_HEX];
};

struct sim_blob {
    char id[SIM_ID];
    char *name, *mime, *type;
    enum sim_blob_state state;
    int64_t size;
    char md5[LF_MD5_HEX], sha256[LF_SHA256_HEX];
    struct sim_part *parts;
    size_t part_count, part_room;
    bool from_client;
};

/* dir: where blobs lie; made when missing. Ends the program when it cannot be. */
struct sim_blobs *sim_blobs_new(const char *dir);
/* Removes the files. */
void sim_blobs_free(struct sim_blobs *blobs);

struct sim_blob *sim_blob_find(const struct sim *sim, const char *id);
/* A complete blob made by the cloud itself. Ends the program when the disk is full. */
struct sim_blob *sim_blob_make(struct sim *sim, const char *name, const char *mime, const void *bytes,
                               size_t len);
void sim_blob_path(const struct sim *sim, const char *id, char path[SIM_BLOB_PATH]);
/* As the API shows it; owned. */
cJSON *sim_blob_json(const struct sim_blob *blob);
/* With sizes, digests and parts, for the state dump; all blobs, owned. */
cJSON *sim_blobs_state(const struct sim *sim);

/* API handlers */
struct sim_reply sim_blob_create(struct sim_request *request);
struct sim_reply sim_blob_start(struct sim_request *request);
struct sim_reply sim_blob_part(struct sim_request *request);
struct sim_reply sim_blob_complete(struct sim_request *request);
struct sim_reply sim_blob_abort(struct sim_request *request);
struct sim_reply sim_blob_get(struct sim_request *request);
struct sim_reply sim_blob_bulk_get(struct sim_request *request);
struct sim_reply sim_blob_download_url(struct sim_request *request);
struct sim_reply sim_blob_download(struct sim_request *request);
struct sim_reply sim_blob_presigned(struct sim_request *request);

#endif

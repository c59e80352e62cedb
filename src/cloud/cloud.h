/* Cloud: the Benchling API v2 as typed calls. Sources: Benchling's OpenAPI document (API v2) and its
 * documentation of authentication, rate limits and lab automation.
 *
 * Every call blocks its thread, may be made from any thread, honours the deadline and cancel in struct
 * lf_call, and fills in an error whose class decides what follows. A call itself retries only an expired
 * token (once), and waits only for the rate limit; other retries are up to the job.
 *
 * Objects are returned as the API's own JSON (owned cJSON), checked for the fields that Labferry needs. Read
 * them with lf_json_text(object, "file.id") and the like.
 */
#ifndef LF_CLOUD_CLOUD_H
#define LF_CLOUD_CLOUD_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "config/config.h"
#include "os/file.h"
#include "os/wait.h"

struct lf_cloud;
struct lf_transfer;

struct lf_call {
    int64_t deadline;
    const struct lf_cancel *cancel;                               /* may be NULL */
    void (*progress)(void *context, int64_t done, int64_t total); /* may be NULL */
    void *progress_context;
};

/* Borrows config and transfer until lf_cloud_close. */
enum lf_status lf_cloud_open(const struct lf_config_cloud *config, struct lf_transfer *transfer,
                             struct lf_cloud **cloud, struct lf_error *err);
void lf_cloud_close(struct lf_cloud *cloud);

/* State for the operator: "ok since ...", last error, rate limit left. Returns owned JSON object. */
cJSON *lf_cloud_health(struct lf_cloud *cloud);

enum lf_cloud_resource {
    LF_CLOUD_GENERATOR,
    LF_CLOUD_PROCESSOR,
    LF_CLOUD_TRANSFORM,
    LF_CLOUD_RUN,
    LF_CLOUD_BLOB,
    LF_CLOUD_TASK, /* a long-running one; LF_NOT_FOUND: gone (30 minutes after its end), read its object */
    LF_CLOUD_WORKFLOW_TASK,
    LF_CLOUD_WORKFLOW_GROUP,
    LF_CLOUD_WORKFLOW_OUTPUT,
    LF_CLOUD_TASK_SCHEMA,
};
enum lf_status lf_cloud_get(struct lf_cloud *cloud, enum lf_cloud_resource what, const char *id,
                            const struct lf_call *call, cJSON **out, struct lf_error *err);
/* The same by the payload key of an event ("workflowTask", "assayRun" ...): for thin events and
 * excludedProperties. LF_UNSUPPORTED for keys without a GET. */
enum lf_status lf_cloud_get_resource(struct lf_cloud *cloud, const char *key, const char *id,
                                     const struct lf_call *call, cJSON **out, struct lf_error *err);

/* Blobs */
/* Downloads into `to` (from its start); follows the redirect without credentials. Sets the digest and size of
 * what was downloaded. */
enum lf_status lf_cloud_download(struct lf_cloud *cloud, const char *blob_id, const struct lf_file *to,
                                 int64_t max, const struct lf_call *call, char sha256[65], int64_t *size,
                                 struct lf_error *err);

struct lf_upload_file {
    const struct lf_file *file;
    int64_t size;
    const char *name;  /* at most 1000 bytes */
    const char *mime;  /* NULL: application/octet-stream */
    const char *type;  /* "RAW_FILE" or "VISUALIZATION" */
    int64_t part_size; /* of an upload in parts: see lf_cloud_part_size */
};
/* A file of at most single_max bytes in one request; the server checks its MD5. Repeating makes another blob.
 */
enum lf_status lf_cloud_upload_blob(struct lf_cloud *cloud, const struct lf_upload_file *file,
                                    const struct lf_call *call, char **blob_id, struct lf_error *err);
/* Multipart, step by step, so that the caller can keep its progress in the journal. The part size belongs to
 * that progress: an upload keeps the size that it began with, even if later versions choose another.
 */
bool lf_cloud_wants_parts(const struct lf_cloud *cloud, int64_t size);
/* Bytes of each part except the last, for a new upload. */
int64_t lf_cloud_part_size(const struct lf_cloud *cloud, int64_t size);
/* For a file whose part_size is set. */
int lf_cloud_part_count(const struct lf_upload_file *file);
enum lf_status lf_cloud_start_parts(struct lf_cloud *cloud, const struct lf_upload_file *file,
                                    const struct lf_call *call, char **blob_id, struct lf_error *err);
/* number counts from 1. *etag is returned owned, exactly as received (with its own quotes). */
enum lf_status lf_cloud_upload_part(struct lf_cloud *cloud, const char *blob_id,
                                    const struct lf_upload_file *file, int number, const struct lf_call *call,
                                    char **etag, struct lf_error *err);
enum lf_status lf_cloud_complete_parts(struct lf_cloud *cloud, const char *blob_id, const char *const *etags,
                                       int count, const struct lf_call *call, struct lf_error *err);
enum lf_status lf_cloud_abort_parts(struct lf_cloud *cloud, const char *blob_id, const struct lf_call *call,
                                    struct lf_error *err);

/* Output processors. `find` lists those of a run and config that hold a file (all pages). */
enum lf_status lf_cloud_find_processors(struct lf_cloud *cloud, const char *run_id, const char *config_name,
                                        const struct lf_call *call, cJSON **array, struct lf_error *err);
struct lf_new_processor {
    const char *run_id, *config_name, *file_id;
    bool complete_with_errors;
    const char *folder_id, *location_id, *timezone; /* NULL: left out (older tenants refuse them) */
};
/* Not idempotent: a lost answer gives LF_UNKNOWN_OUTCOME; use find before creating another. */
enum lf_status lf_cloud_create_processor(struct lf_cloud *cloud, const struct lf_new_processor *processor,
                                         const struct lf_call *call, cJSON **out, struct lf_error *err);
enum lf_status lf_cloud_set_processor_file(struct lf_cloud *cloud, const char *id, const char *file_id,
                                           const struct lf_call *call, cJSON **out, struct lf_error *err);
/* Starts processing; returns the id of the long-running task, owned. */
enum lf_status lf_cloud_process(struct lf_cloud *cloud, const char *processor_id, const struct lf_call *call,
                                char **task_id, struct lf_error *err);

/* Workflow tasks and outputs */
/* Finds the wanted status in the schema's life cycle and checks that a transition leads to it. `wanted` is a
 * displayName (ignoring case) or a statusType (IN_PROGRESS, COMPLETED, FAILED ...). Reads and caches the
 * schema. *status_id owned. LF_EXISTS when the task already has it; LF_REFUSED (needs a person) when no
 * transition leads there, with the possible ones. */
enum lf_status lf_cloud_resolve_status(struct lf_cloud *cloud, const cJSON *task, const char *wanted,
                                       const struct lf_call *call, char **status_id, struct lf_error *err);
enum lf_status lf_cloud_set_task_status(struct lf_cloud *cloud, const char *task_id, const char *status_id,
                                        const struct lf_call *call, cJSON **out, struct lf_error *err);
/* fields: {"Mass": {"value": "12.3"}}; borrowed. Not idempotent: use list before creating another. */
enum lf_status lf_cloud_create_output(struct lf_cloud *cloud, const char *task_id, const cJSON *fields,
                                      const struct lf_call *call, cJSON **out, struct lf_error *err);
enum lf_status lf_cloud_list_outputs(struct lf_cloud *cloud, const char *task_id, const struct lf_call *call,
                                     cJSON **array, struct lf_error *err);

/* One page of GET /events after `starting_after` (an event id) or `since` (RFC 3339), either may be NULL.
 * types: comma list or NULL. *page is the API's object {"events":[...],"nextToken":...}; pass next_token to
 * go on. */
enum lf_status lf_cloud_get_events(struct lf_cloud *cloud, const char *starting_after, const char *since,
                                   const char *types, const char *next_token, const struct lf_call *call,
                                   cJSON **page, struct lf_error *err);

#endif

/* A JSON body with a piece of a file in base64, encoded while it is sent: memory does not grow with the file.
 */
#ifndef LF_CLOUD_UPLOAD_H
#define LF_CLOUD_UPLOAD_H

#include "base/json.h"
#include "transfer/transfer.h"

struct lf_upload;

/* The body is `fields` plus "md5" (hex, of the piece) and "data64". Reads the piece once for the digest.
 * Borrows the file until freed. call->progress counts bytes of the piece. *upload is returned owned. */
struct lf_call;
enum lf_status cloud__upload_open(const struct lf_file *file, int64_t offset, int64_t len,
                                  const cJSON *fields, const struct lf_call *call, struct lf_upload **upload,
                                  struct lf_error *err);
void cloud__upload_free(struct lf_upload *upload);

/* For lf_api_request; borrowed. */
const struct lf_body *cloud__upload_body(const struct lf_upload *upload);

/* Why reading the piece failed while sending; status LF_OK if it did not. Borrowed. */
const struct lf_error *cloud__upload_error(const struct lf_upload *upload);

#endif

/* Three sections, one after the other: head (JSON up to the opening quote of data64), the piece in base64,
 * tail. The piece is read in chunks of a multiple of three bytes, so that chunks of base64 join without
 * padding between them.
 */
#include "cloud/upload.h"

#include "base/digest.h"
#include "cloud/cloud.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 3 * 8192 };

struct lf_upload {
    const struct lf_file *file;
    int64_t offset, len; /* the piece */
    int64_t taken;       /* bytes of the piece encoded so far */
    struct lf_buffer head;
    struct lf_buffer ready; /* encoded bytes */
    size_t ready_at;        /* how many of them were sent */
    bool tail_made;
    unsigned char chunk[CHUNK];
    struct lf_body body;
    struct lf_call call;
    struct lf_error error;
};

static const char TAIL[] = "\"}";

static bool rewind_body(void *context)
{
    struct lf_upload *upload = context;
    lf_buffer_clear(&upload->ready);
    upload->ready_at = 0;
    upload->taken = 0;
    upload->tail_made = false;
    return lf_buffer_append(&upload->ready, upload->head.data, upload->head.len) == LF_OK;
}

/* Reads exactly len bytes of the piece, from `at` on. */
static enum lf_status read_piece(struct lf_upload *upload, int64_t at, size_t len, struct lf_error *err)
{
    size_t got;
    if (lf_file_read_at(upload->file, upload->offset + at, upload->chunk, len, &got, err) != LF_OK)
        return lf_error_prefix(err, "cannot read the file to upload");
    return got == len ? LF_OK : lf_fail(err, LF_MISMATCH, LF_TRANSIENT, "the file to upload became shorter");
}

static size_t step_of(const struct lf_upload *upload, int64_t at)
{
    return upload->len - at < CHUNK ? (size_t)(upload->len - at) : CHUNK;
}

/* Puts the next bytes into `ready`; none at the end. */
static bool refill(struct lf_upload *upload)
{
    lf_buffer_clear(&upload->ready);
    upload->ready_at = 0;
    enum lf_status status = LF_OK;
    size_t step = step_of(upload, upload->taken);
    if (step) {
        if (read_piece(upload, upload->taken, step, &upload->error) != LF_OK)
            return false;
        upload->taken += (int64_t)step;
        status = lf_base64_append(&upload->ready, upload->chunk, step);
        if (upload->call.progress)
            upload->call.progress(upload->call.progress_context, upload->taken, upload->len);
    } else if (!upload->tail_made) {
        upload->tail_made = true;
        status = lf_buffer_text(&upload->ready, TAIL);
    }
    if (status != LF_OK)
        lf_fail_memory(&upload->error, "encoding the file to upload");
    return status == LF_OK;
}

static size_t read_body(void *context, char *into, size_t room)
{
    struct lf_upload *upload = context;
    if (upload->ready_at == upload->ready.len && !refill(upload))
        return (size_t)-1;
    size_t left = upload->ready.len - upload->ready_at, give = left < room ? left : room;
    if (give)
        memcpy(into, upload->ready.data + upload->ready_at, give);
    upload->ready_at += give;
    return give;
}

/* {"name":"...","md5":"..." and the start of data64. */
static enum lf_status make_head(struct lf_upload *upload, const cJSON *fields, struct lf_error *err)
{
    char md5[LF_MD5_HEX];
    struct lf_digest *digest = lf_digest_new(LF_MD5);
    enum lf_status status = digest ? LF_OK : lf_fail_memory(err, "preparing an upload");
    for (int64_t at = 0; status == LF_OK && at < upload->len; at += (int64_t)step_of(upload, at))
        if ((status = read_piece(upload, at, step_of(upload, at), err)) == LF_OK)
            lf_digest_add(digest, upload->chunk, step_of(upload, at));
    if (status != LF_OK) {
        lf_digest_free(digest);
        return status;
    }
    lf_digest_finish(digest, md5);
    cJSON *whole = cJSON_Duplicate(fields, true);
    char *text = whole && lf_json_set_text(whole, "md5", md5) ? lf_json_print(whole) : NULL;
    bool made = text && lf_buffer_append(&upload->head, text, strlen(text) - 1) == LF_OK
                && lf_buffer_text(&upload->head, ",\"data64\":\"") == LF_OK && rewind_body(upload);
    free(text);
    cJSON_Delete(whole);
    return made ? LF_OK : lf_fail_memory(err, "preparing an upload");
}

enum lf_status cloud__upload_open(const struct lf_file *file, int64_t offset, int64_t len,
                                  const cJSON *fields, const struct lf_call *call, struct lf_upload **out,
                                  struct lf_error *err)
{
    *out = NULL;
    struct lf_upload *upload = calloc(1, sizeof *upload);
    if (!upload)
        return lf_fail_memory(err, "preparing an upload");
    upload->file = file;
    upload->offset = offset;
    upload->len = len;
    upload->call = *call;
    enum lf_status status = make_head(upload, fields, err);
    if (status != LF_OK) {
        cloud__upload_free(upload);
        return status;
    }
    upload->body = (struct lf_body){
        .read = read_body,
        .rewind = rewind_body,
        .context = upload,
        .size = (int64_t)upload->head.len + (len + 2) / 3 * 4 + (int64_t)strlen(TAIL),
    };
    *out = upload;
    return LF_OK;
}

void cloud__upload_free(struct lf_upload *upload)
{
    if (!upload)
        return;
    lf_buffer_free(&upload->head);
    lf_buffer_free(&upload->ready);
    free(upload);
}

const struct lf_body *cloud__upload_body(const struct lf_upload *upload)
{
    return &upload->body;
}

const struct lf_error *cloud__upload_error(const struct lf_upload *upload)
{
    return &upload->error;
}

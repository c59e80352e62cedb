/* Blobs: uploads (in one request, or in parts) and downloads. Source: tag "Blobs" of the OpenAPI document. */
#include "cloud/api.h"
#include "cloud/http_error.h"
#include "cloud/upload.h"

#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 1000, MIME_MAX_BYTES = 100, PARTS_MAX = 10000 };

static const int64_t PART_SIZE_MAX = 70000000; /* a request may have 100 MB, and base64 makes 4 bytes of 3 */

/* A link that the file store rejects has expired: the next attempt gets a new one. */
static enum lf_status judge_download(const struct lf_answer *answer, struct lf_error *err)
{
    bool success = answer->status >= 200 && answer->status < 300;
    if (success && answer->status != 200)
        return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "the answer to a download has status %d",
                       answer->status);
    if (success && *answer->coding)
        return lf_fail(err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
                       "the file store has the file only with Content-Encoding \"%s\", which an instrument "
                       "cannot read. Have it stored without a Content-Encoding, then retry",
                       answer->coding);
    if (success)
        return LF_OK;
    if (answer->status >= 300 && answer->status < 400 && !answer->location)
        return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "the answer is a redirect (%d) without a location",
                       answer->status);
    if (answer->redirected && (answer->status == 400 || answer->status == 401 || answer->status == 403))
        return lf_fail(err, LF_REFUSED, LF_TRANSIENT, "the file store rejected the link (%d)",
                       answer->status);
    enum lf_status status = cloud__http_error_judge(answer, err);
    if (answer->redirected && status == LF_NOT_FOUND)
        err->class = LF_TRANSIENT; /* written a moment ago, not yet readable everywhere */
    return status;
}

/* Refuses a sign-in or maintenance page that came with status 200 instead of the file. Only a blob that is
 * itself a web page may come as one. */
static enum lf_status judge_page(struct lf_cloud *cloud, const char *blob_id, const struct lf_answer *answer,
                                 const struct lf_call *call, struct lf_error *err)
{
    if (strncasecmp(answer->content_type, "text/html", 9) != 0)
        return LF_OK;
    cJSON *blob = NULL;
    enum lf_status status = lf_cloud_get(cloud, LF_CLOUD_BLOB, blob_id, call, &blob, err);
    if (status == LF_OK && strncasecmp(lf_json_text_or(blob, "mimeType", ""), "text/html", 9) != 0)
        status = lf_fail(err, LF_PROTOCOL, LF_TRANSIENT,
                         "got a web page instead of the file: check for a proxy or a maintenance page in "
                         "between");
    cJSON_Delete(blob);
    return status;
}

static enum lf_status download(struct lf_cloud *cloud, const char *url, const struct lf_file *to, int64_t max,
                               const struct lf_call *call, struct lf_answer *answer, struct lf_error *err)
{
    bool sent;
    struct lf_request request = {
        .method = "GET",
        .url = url,
        .to = to,
        .max_answer = max,
        .follow = true,
        .deadline = call->deadline,
        .cancel = call->cancel,
        .progress = call->progress,
        .progress_context = call->progress_context,
    };
    enum lf_status status = lf_file_truncate(to, 0, err);
    if (status != LF_OK)
        return lf_error_prefix(err, "cannot truncate the file for the download");
    /* The vendor does not count downloads in the rate limit. */
    status = cloud__api_perform(cloud, &request, false, call, answer, &sent, err);
    return status == LF_OK ? judge_download(answer, err) : status;
}

/* File stores use the MD5 of most files as their ETag; the ETag of an encrypted file only looks like one. */
static bool states_other_bytes(const struct lf_answer *answer)
{
    size_t digits = 0;
    while (*answer->etag && isxdigit((unsigned char)answer->etag[1 + digits]))
        digits++;
    return answer->redirected && digits == strlen(answer->md5) && !strcmp(answer->etag + 1 + digits, "\"")
           && strncasecmp(answer->etag + 1, answer->md5, digits) != 0;
}

/* The API gives no digest of a file. If that of the store differs, a second download with the same bytes
 * settles it. */
static enum lf_status download_sure(struct lf_cloud *cloud, const char *url, const struct lf_file *to,
                                    int64_t max, const struct lf_call *call, struct lf_answer *answer,
                                    struct lf_error *err)
{
    char before[sizeof answer->sha256] = "";
    for (;;) {
        enum lf_status status = download(cloud, url, to, max, call, answer, err);
        if (status != LF_OK || !states_other_bytes(answer) || !strcmp(before, answer->sha256))
            return status;
        if (*before)
            return lf_fail(err, LF_MISMATCH, LF_TRANSIENT,
                           "two downloads differ, and neither has the digest that the file store states");
        lf_log_warning(
            "cloud",
            "a download does not have the digest that the file store states (%s); downloading it again",
            answer->md5);
        memcpy(before, answer->sha256, sizeof before);
        lf_answer_free(answer);
    }
}

enum lf_status lf_cloud_download(struct lf_cloud *cloud, const char *blob_id, const struct lf_file *to,
                                 int64_t max, const struct lf_call *call, char sha256[65], int64_t *size,
                                 struct lf_error *err)
{
    struct lf_answer answer = {0};
    struct lf_api_request request = {.path = "/blobs/", .id = blob_id, .after = "/download"};
    char *url;
    enum lf_status status = cloud__api_url(cloud, &request, &url, err);
    if (status == LF_OK)
        status = download_sure(cloud, url, to, max, call, &answer, err);
    if (status == LF_OK)
        status = judge_page(cloud, blob_id, &answer, call, err);
    cloud__api_note(cloud, status == LF_OK ? NULL : err);
    if (status == LF_OK) {
        memcpy(sha256, answer.sha256, sizeof answer.sha256);
        *size = answer.size;
    } else {
        lf_error_prefix(err, "downloading a blob");
    }
    lf_answer_free(&answer);
    free(url);
    return status;
}

static enum lf_status check_file(const struct lf_upload_file *file, struct lf_error *err)
{
    if (!file->name || !*file->name || strlen(file->name) > NAME_MAX_BYTES
        || !lf_utf8_valid(lf_slice_text(file->name)))
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the name of a file to upload must be UTF-8 of 1 to %d bytes", NAME_MAX_BYTES);
    if (strcmp(file->type, "RAW_FILE") != 0 && strcmp(file->type, "VISUALIZATION") != 0)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the type of a blob is RAW_FILE or VISUALIZATION, not '%s'", file->type);
    if (file->mime && strlen(file->mime) > MIME_MAX_BYTES)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the media type of a blob may have at most %d bytes",
                       MIME_MAX_BYTES);
    return LF_OK;
}

/* {"name","type","mimeType"}: for both ways of uploading. Returns owned; NULL when out of memory. */
static cJSON *blob_fields(const struct lf_upload_file *file)
{
    cJSON *fields = cJSON_CreateObject();
    const char *mime = file->mime ? file->mime : "application/octet-stream";
    return lf_json_made(fields, lf_json_set_text(fields, "name", file->name)
                                    && lf_json_set_text(fields, "type", file->type)
                                    && lf_json_set_text(fields, "mimeType", mime));
}

/* Copies one text of the answer, and frees the answer. */
static enum lf_status take_text(cJSON *answer, const char *field, char **text, struct lf_error *err)
{
    *text = strdup(lf_json_text_or(answer, field, ""));
    cJSON_Delete(answer);
    return *text ? LF_OK : lf_fail_memory(err, "keeping an answer");
}

/* POSTs `fields` with a piece of the file. */
static enum lf_status send_piece(struct lf_cloud *cloud, struct lf_api_request *request,
                                 const struct lf_file *file, int64_t offset, int64_t len, const cJSON *fields,
                                 const struct lf_call *call, cJSON **answer, struct lf_error *err)
{
    struct lf_upload *upload = NULL;
    enum lf_status status = cloud__upload_open(file, offset, len, fields, call, &upload, err);
    if (status != LF_OK)
        return status;
    request->method = "POST";
    request->body = cloud__upload_body(upload);
    status = cloud__api_call(cloud, request, call, answer, err);
    if (status != LF_OK && cloud__upload_error(upload)->status != LF_OK) {
        *err = *cloud__upload_error(upload); /* the cause, not the broken request that it led to */
        status = lf_error_prefix(err, "%s", request->doing);
    }
    cloud__upload_free(upload);
    return status;
}

enum lf_status lf_cloud_upload_blob(struct lf_cloud *cloud, const struct lf_upload_file *file,
                                    const struct lf_call *call, char **blob_id, struct lf_error *err)
{
    cJSON *answer = NULL;
    *blob_id = NULL;
    enum lf_status status = check_file(file, err);
    if (status != LF_OK)
        return status;
    cJSON *fields = blob_fields(file);
    if (!fields)
        return lf_fail_memory(err, "preparing an upload");
    struct lf_api_request request = {.doing = "uploading a file",
                                     .path = "/blobs",
                                     .shape = cloud__schema_blob};
    status = send_piece(cloud, &request, file->file, 0, file->size, fields, call, &answer, err);
    cJSON_Delete(fields);
    return status == LF_OK ? take_text(answer, "id", blob_id, err) : status;
}

bool lf_cloud_wants_parts(const struct lf_cloud *cloud, int64_t size)
{
    return size > cloud->single_max;
}

/* Files too large for 10,000 parts of the usual size get larger parts. */
int64_t lf_cloud_part_size(const struct lf_cloud *cloud, int64_t size)
{
    int64_t least = size / PARTS_MAX + (size % PARTS_MAX != 0);
    return least > cloud->part_size ? least : cloud->part_size;
}

int lf_cloud_part_count(const struct lf_upload_file *file)
{
    int64_t size = file->size, part = file->part_size;
    return size <= 0 ? 1 : (int)(size / part + (size % part != 0));
}

enum lf_status lf_cloud_start_parts(struct lf_cloud *cloud, const struct lf_upload_file *file,
                                    const struct lf_call *call, char **blob_id, struct lf_error *err)
{
    cJSON *answer = NULL;
    *blob_id = NULL;
    enum lf_status status = check_file(file, err);
    if (status != LF_OK)
        return status;
    if (file->part_size > PART_SIZE_MAX)
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT,
                       "the file is too large for the cloud: more than %d parts of %lld MB", PARTS_MAX,
                       (long long)(PART_SIZE_MAX / 1000000));
    cJSON *fields = blob_fields(file);
    struct lf_api_request request = {.doing = "starting a multipart upload",
                                     .method = "POST",
                                     .path = "/blobs:start-multipart-upload",
                                     .shape = cloud__schema_blob};
    status = cloud__api_send(cloud, &request, fields, fields != NULL, call, &answer, err);
    return status == LF_OK ? take_text(answer, "id", blob_id, err) : status;
}

enum lf_status lf_cloud_upload_part(struct lf_cloud *cloud, const char *blob_id,
                                    const struct lf_upload_file *file, int number, const struct lf_call *call,
                                    char **etag, struct lf_error *err)
{
    cJSON *answer = NULL, *fields = cJSON_CreateObject();
    int64_t part = file->part_size, offset = (number - 1) * part;
    struct lf_api_request request = {.doing = "uploading a part",
                                     .path = "/blobs/",
                                     .id = blob_id,
                                     .after = "/parts",
                                     .shape = cloud__schema_part};
    enum lf_status status = LF_OK;
    *etag = NULL;
    if (number < 1 || number > lf_cloud_part_count(file))
        status = lf_fail(err, LF_INVALID, LF_PERMANENT, "there is no part %d in a file of %lld bytes", number,
                         (long long)file->size);
    else if (!lf_json_set_int(fields, "partNumber", number))
        status = lf_fail_memory(err, "preparing an upload");
    else
        status = send_piece(cloud, &request, file->file, offset,
                            file->size - offset < part ? file->size - offset : part, fields, call, &answer,
                            err);
    cJSON_Delete(fields);
    if (status == LF_OK && lf_json_int(answer, "partNumber", -1) != number) {
        cJSON_Delete(answer);
        return lf_fail(err, LF_PROTOCOL, LF_TRANSIENT, "uploading a part: the answer is for another part");
    }
    return status == LF_OK ? take_text(answer, "eTag", etag, err) : status;
}

/* {"parts":[{"partNumber":1,"eTag":"\"...\""}]}. Returns owned; NULL when out of memory. */
static cJSON *parts_object(const char *const *etags, int count)
{
    cJSON *object = cJSON_CreateObject(), *parts = cJSON_CreateArray();
    for (int i = 0; i < count; i++) {
        cJSON *part = cJSON_CreateObject();
        bool made = lf_json_set_int(part, "partNumber", i + 1) && lf_json_set_text(part, "eTag", etags[i]);
        lf_json_add(&parts, lf_json_made(part, made));
    }
    return lf_json_made(object, lf_json_set(object, "parts", parts));
}

/* After a refused completion: did an earlier one, whose answer was lost, succeed? */
static bool is_complete(struct lf_cloud *cloud, const char *blob_id, const struct lf_call *call)
{
    cJSON *blob = NULL;
    struct lf_error err;
    bool complete = lf_cloud_get(cloud, LF_CLOUD_BLOB, blob_id, call, &blob, &err) == LF_OK
                    && !strcmp(lf_json_text_or(blob, "uploadStatus", ""), "COMPLETE");
    cJSON_Delete(blob);
    return complete;
}

enum lf_status lf_cloud_complete_parts(struct lf_cloud *cloud, const char *blob_id, const char *const *etags,
                                       int count, const struct lf_call *call, struct lf_error *err)
{
    cJSON *answer = NULL, *parts = parts_object(etags, count);
    struct lf_api_request request = {.doing = "completing a multipart upload",
                                     .method = "POST",
                                     .path = "/blobs/",
                                     .id = blob_id,
                                     .after = ":complete-upload",
                                     .shape = cloud__schema_blob};
    enum lf_status status = cloud__api_send(cloud, &request, parts, parts != NULL, call, &answer, err);
    if (status != LF_OK && err->class == LF_PERMANENT && is_complete(cloud, blob_id, call))
        status = LF_OK;
    cJSON_Delete(answer);
    return status;
}

enum lf_status lf_cloud_abort_parts(struct lf_cloud *cloud, const char *blob_id, const struct lf_call *call,
                                    struct lf_error *err)
{
    cJSON *answer = NULL;
    struct lf_api_request request = {.doing = "aborting a multipart upload",
                                     .method = "POST",
                                     .path = "/blobs/",
                                     .id = blob_id,
                                     .after = ":abort-upload"};
    enum lf_status status = cloud__api_call(cloud, &request, call, &answer, err);
    cJSON_Delete(answer);
    return status;
}

#include "base/digest.h"
#include "fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char BLOB[] = "{\"id\":\"b1\",\"name\":\"n\",\"mimeType\":\"text/"
                           "csv\",\"type\":\"RAW_FILE\",\"uploadStatus\":\"COMPLETE\"}";

static int file_of(const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

static void single(void)
{
    struct fake fake;
    char *id = NULL;
    int fd = file_of("up", "hello");
    struct lf_upload_file file = {.file = UNIT_FILE(fd),
                                  .size = 5,
                                  .name = "n.csv",
                                  .mime = "text/csv",
                                  .type = "RAW_FILE"};
    fake_open(&fake);
    fake_will(&fake, 401, NULL, "{}"); /* the streamed body goes a second time */
    fake_will(&fake, 200, NULL, BLOB);
    CHECK_INT(lf_cloud_upload_blob(fake.cloud, &file, &fake.call, &id, &fake.err), LF_OK);
    CHECK_STR(id, "b1");
    CHECK_STR(fake.body, "{\"name\":\"n.csv\",\"type\":\"RAW_FILE\",\"mimeType\":\"text/csv\","
                         "\"md5\":\"5d41402abc4b2a76b9719d911017c592\",\"data64\":\"aGVsbG8=\"}");
    free(id);
    file.name = "";
    CHECK_INT(lf_cloud_upload_blob(fake.cloud, &file, &fake.call, &id, &fake.err), LF_INVALID);
    file.name = "bad\xff";
    CHECK_INT(lf_cloud_upload_blob(fake.cloud, &file, &fake.call, &id, &fake.err), LF_INVALID);
    file.name = "n", file.type = "OTHER";
    CHECK_INT(lf_cloud_upload_blob(fake.cloud, &file, &fake.call, &id, &fake.err), LF_INVALID);
    CHECK_INT(fake.calls, 2);
    close(fd);
    fake_close(&fake);
}

static int parts_of(const struct fake *fake, int64_t size)
{
    struct lf_upload_file file = {.size = size, .part_size = lf_cloud_part_size(fake->cloud, size)};
    return lf_cloud_part_count(&file);
}

static void boundaries(void)
{
    struct fake fake;
    fake_open(&fake); /* parts of 1000, single to 2500 */
    CHECK(!lf_cloud_wants_parts(fake.cloud, 2500));
    CHECK(lf_cloud_wants_parts(fake.cloud, 2501));
    CHECK_INT(parts_of(&fake, 0), 1);
    CHECK_INT(parts_of(&fake, 999), 1);
    CHECK_INT(parts_of(&fake, 1000), 1);
    CHECK_INT(parts_of(&fake, 1001), 2);
    CHECK_INT(parts_of(&fake, 3000), 3);
    CHECK_INT(parts_of(&fake, 10000000), 10000);
    CHECK(parts_of(&fake, 10000001) <= 10000);
    CHECK(parts_of(&fake, 5000000000) <= 10000);
    fake_close(&fake);
}

static void parts(void)
{
    struct fake fake;
    char text[2502], *id = NULL, *etag = NULL;
    struct lf_buffer whole = {0};
    for (int i = 0; i < 2501; i++)
        text[i] = (char)('a' + i % 23);
    text[2501] = '\0';
    int fd = file_of("up", text);
    struct lf_upload_file file = {.file = UNIT_FILE(fd), .size = 2501, .name = "n.bin", .type = "RAW_FILE"};
    fake_open(&fake);
    file.part_size = lf_cloud_part_size(fake.cloud, file.size);
    fake_will(&fake, 200, NULL, "{\"id\":\"b1\",\"uploadStatus\":\"IN_PROGRESS\"}");
    CHECK_INT(lf_cloud_start_parts(fake.cloud, &file, &fake.call, &id, &fake.err), LF_OK);
    CHECK_STR(fake.body,
              "{\"name\":\"n.bin\",\"type\":\"RAW_FILE\",\"mimeType\":\"application/octet-stream\"}");
    for (int number = 1; number <= 3; number++) {
        char answer[64], md5[33];
        snprintf(answer, sizeof answer, "{\"partNumber\":%d,\"eTag\":\"\\\"e%d\\\"\"}", number, number);
        fake_will(&fake, 200, NULL, answer);
        CHECK_INT(lf_cloud_upload_part(fake.cloud, id, &file, number, &fake.call, &etag, &fake.err), LF_OK);
        NEED(etag != NULL);
        CHECK_INT(etag[0], '"');
        cJSON *sent = cJSON_Parse(fake.body);
        CHECK_INT(lf_json_int(sent, "partNumber", -1), number);
        size_t before = whole.len;
        CHECK_INT(lf_base64_decode(lf_slice_text(lf_json_text(sent, "data64")), &whole), LF_OK);
        CHECK_INT(whole.len - before, number < 3 ? 1000 : 501);
        lf_digest_bytes(LF_MD5, whole.data + before, whole.len - before, md5);
        CHECK_STR(lf_json_text(sent, "md5"), md5);
        cJSON_Delete(sent);
        free(etag);
    }
    CHECK_BYTES(whole.data, whole.len, text, 2501);
    CHECK_INT(lf_cloud_upload_part(fake.cloud, id, &file, 4, &fake.call, &etag, &fake.err), LF_INVALID);
    CHECK_INT(lf_cloud_upload_part(fake.cloud, id, &file, 0, &fake.call, &etag, &fake.err), LF_INVALID);
    fake_will(&fake, 200, NULL, BLOB);
    const char *etags[] = {"\"e1\"", "\"e2\"", "\"e3\""};
    CHECK_INT(lf_cloud_complete_parts(fake.cloud, id, etags, 3, &fake.call, &fake.err), LF_OK);
    CHECK_STR(
        fake.body,
        "{\"parts\":[{\"partNumber\":1,\"eTag\":\"\\\"e1\\\"\"},{\"partNumber\":2,\"eTag\":\"\\\"e2\\\"\"},"
        "{\"partNumber\":3,\"eTag\":\"\\\"e3\\\"\"}]}");
    fake_will(&fake, 200, NULL, "{}");
    CHECK_INT(lf_cloud_abort_parts(fake.cloud, id, &fake.call, &fake.err), LF_OK);
    CHECK_HAS(fake.asked, "POST /api/v2/blobs:start-multipart-upload [");
    CHECK_HAS(fake.asked, "POST /api/v2/blobs/b1/parts [");
    CHECK_HAS(fake.asked, "POST /api/v2/blobs/b1:complete-upload [");
    CHECK_HAS(fake.asked, "POST /api/v2/blobs/b1:abort-upload [");
    lf_buffer_free(&whole);
    free(id);
    close(fd);
    fake_close(&fake);
}

static void beyond_4_gib(void)
{
    struct fake fake;
    char *etag = NULL;
    struct lf_buffer bytes = {0};
    const int64_t size = INT64_C(5000000003);
    int fd = file_of("big", "");
    NEED(pwrite(fd, "end", 3, (off_t)(size - 3)) == 3); /* the rest is a hole */
    struct lf_upload_file file = {.file = UNIT_FILE(fd), .size = size, .name = "big.raw", .type = "RAW_FILE"};
    fake_open(&fake);
    file.part_size = lf_cloud_part_size(fake.cloud, size);
    int last = lf_cloud_part_count(&file);
    CHECK_INT(last, 10000); /* of 500001 bytes, the last one shorter */
    char answer[64];
    snprintf(answer, sizeof answer, "{\"partNumber\":%d,\"eTag\":\"e\"}", last);
    fake_will(&fake, 200, NULL, answer);
    CHECK_INT(lf_cloud_upload_part(fake.cloud, "b1", &file, last, &fake.call, &etag, &fake.err), LF_OK);
    cJSON *sent = cJSON_Parse(fake.body);
    CHECK_INT(lf_base64_decode(lf_slice_text(lf_json_text(sent, "data64")), &bytes), LF_OK);
    CHECK_INT(bytes.len, size - INT64_C(9999) * 500001);
    NEED(bytes.len > 3);
    CHECK_BYTES(bytes.data + bytes.len - 3, 3, "end", 3);
    cJSON_Delete(sent);
    lf_buffer_free(&bytes);
    free(etag);
    close(fd);
    fake_close(&fake);
}

static void completed_before(void)
{
    struct fake fake;
    const char *etags[] = {"e"};
    fake_open(&fake);
    fake_will(&fake, 400, NULL, "{\"error\":{\"message\":\"not in progress\"}}");
    fake_will(&fake, 200, NULL, BLOB);
    CHECK_INT(lf_cloud_complete_parts(fake.cloud, "b1", etags, 1, &fake.call, &fake.err), LF_OK);
    fake_will(&fake, 400, NULL, "{\"error\":{\"message\":\"bad parts\"}}");
    fake_will(&fake, 200, NULL, "{\"id\":\"b1\",\"uploadStatus\":\"IN_PROGRESS\"}");
    CHECK_INT(lf_cloud_complete_parts(fake.cloud, "b1", etags, 1, &fake.call, &fake.err), LF_REFUSED);
    CHECK_HAS(fake.err.text, "bad parts");
    fake_close(&fake);
}

static void download(void)
{
    struct fake fake, store;
    char sha256[65], extra[128];
    int64_t size = -1;
    int fd = file_of("down", "what was there before, and longer");
    fake_open(&fake);
    fake_open(&store);
    snprintf(extra, sizeof extra, "Location: http://127.0.0.1:%d/key?sig=hush\r\n",
             server_port(store.server));
    fake_will(&fake, 302, extra, "");
    fake_will(&store, 200, NULL, "abc");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 1000, &fake.call, sha256, &size, &fake.err),
              LF_OK);
    CHECK_INT(size, 3);
    CHECK_INT(lseek(fd, 0, SEEK_END), 3);
    /* FIPS 180-2, appendix B.1 */
    CHECK_STR(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_STR(fake.asked, "GET /api/v2/blobs/b1/download [Bearer token-1]\n");
    CHECK_STR(store.asked, "GET /key?sig=hush []\n");

    fake_will(&fake, 302, extra, "");
    fake_will(&store, 403, "Content-Type: application/xml\r\n", "<Error>expired</Error>");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 1000, &fake.call, sha256, &size, &fake.err),
              LF_REFUSED);
    CHECK_INT(fake.err.class, LF_TRANSIENT);
    fake_will(&fake, 302, extra, "");
    fake_will(&store, -1, NULL, "cut");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 100000, &fake.call, sha256, &size,
                                &fake.err),
              LF_MISMATCH);
    CHECK_INT(fake.err.class, LF_TRANSIENT);
    CHECK(!strstr(fake.err.text, "hush"));
    fake_will(&fake, 302, extra, "");
    fake_will(&store, 200, "Content-Encoding: gzip\r\n", "abc");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 1000, &fake.call, sha256, &size, &fake.err),
              LF_UNSUPPORTED);
    CHECK_INT(fake.err.class, LF_NEEDS_PERSON);
    CHECK_HAS(fake.err.text, "\"gzip\"");
    fake_will(&fake, 302, extra, "");
    fake_will(&store, 200, "Content-Encoding: identity\r\n", "abc");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 1000, &fake.call, sha256, &size, &fake.err),
              LF_OK);
    fake_will(&fake, 302, extra, "");
    fake_will(&store, 200, NULL, "abcd");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 3, &fake.call, sha256, &size, &fake.err),
              LF_TOO_LARGE);
    fake_will(&fake, 404, NULL, "{\"error\":{\"message\":\"no blob\",\"invalidId\":\"b1\"}}");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 3, &fake.call, sha256, &size, &fake.err),
              LF_NOT_FOUND);
    CHECK_INT(fake.err.class, LF_PERMANENT);
    CHECK_HAS(fake.err.text, "no blob");
    fake_will(&fake, 403, NULL, "{}");
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 3, &fake.call, sha256, &size, &fake.err),
              LF_DENIED);
    CHECK_INT(fake.err.class, LF_NEEDS_PERSON);
    close(fd);
    fake_close(&fake);
    fake_close(&store);
}

/* Each pair of bodies comes with the ETag; MD5 of "abc": RFC 1321, A.5. */
static void download_digest(void)
{
    static const struct {
        const char *etag, *first, *second; /* NULL: is not asked for */
        enum lf_status status;
    } rows[] = {
        {"\"900150983cd24fb0d6963f7d28e17f72\"", "abc", NULL, LF_OK},
        {"\"900150983CD24FB0D6963F7D28E17F72\"", "abc", NULL, LF_OK},
        {"\"900150983cd24fb0d6963f7d28e17f72\"", "abd", "abc", LF_OK},
        {"\"900150983cd24fb0d6963f7d28e17f72\"", "ab", "abc", LF_OK},
        {"\"900150983cd24fb0d6963f7d28e17f72\"", "abd", "abe", LF_MISMATCH},
        {"\"00000000000000000000000000000000\"", "abc", "abc", LF_OK},  /* no MD5 at all */
        {"\"00000000000000000000000000000000-2\"", "abc", NULL, LF_OK}, /* of parts */
        {"W/\"1\"", "abc", NULL, LF_OK},
        {"\"", "abc", NULL, LF_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake fake, store;
        char sha256[65], location[128], etag[64];
        int64_t size = -1;
        int fd = file_of("down", "");
        fake_open(&fake);
        fake_open(&store);
        snprintf(location, sizeof location, "Location: http://127.0.0.1:%d/key\r\n",
                 server_port(store.server));
        snprintf(etag, sizeof etag, "ETag: %s\r\n", rows[i].etag);
        fake_will(&fake, 302, location, "");
        fake_will(&store, 200, etag, rows[i].first);
        if (rows[i].second) {
            fake_will(&fake, 302, location, "");
            fake_will(&store, 200, etag, rows[i].second);
        }
        CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 1000, &fake.call, sha256, &size,
                                    &fake.err),
                  rows[i].status);
        CHECK_INT(store.calls, rows[i].second ? 2 : 1);
        if (rows[i].status == LF_OK)
            CHECK_STR(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        else
            CHECK_INT(fake.err.class, LF_TRANSIENT);
        close(fd);
        fake_close(&fake);
        fake_close(&store);
    }
}

static void download_is_free(void)
{
    struct fake fake;
    char sha256[65];
    int64_t size;
    cJSON *blob = NULL;
    int fd = file_of("down", "");
    fake_open(&fake);
    fake_will(&fake, 200, "x-rate-limit-limit: 60\r\nx-rate-limit-remaining: 0\r\nx-rate-limit-reset: 25\r\n",
              BLOB);
    fake_will(&fake, 200, NULL, "abc");
    CHECK_INT(lf_cloud_get(fake.cloud, LF_CLOUD_BLOB, "b1", &fake.call, &blob, &fake.err), LF_OK);
    fake.call.deadline = lf_deadline_in(10000);
    CHECK_INT(lf_cloud_download(fake.cloud, "b1", UNIT_FILE(fd), 1000, &fake.call, sha256, &size, &fake.err),
              LF_OK);
    cJSON_Delete(blob);
    close(fd);
    fake_close(&fake);
}

UNIT_TESTS(
    "cloud files",
    {"a small file is sent in one request, as in the vendor's example, also after a renewed token", single},
    {"one byte more makes one more part; there are never more than 10,000", boundaries},
    {"the parts make up the file, and their eTags are sent back unchanged", parts},
    {"the last part of a file beyond 4 GiB is its end", beyond_4_gib},
    {"completing an upload twice is not a failure", completed_before},
    {"a download follows the redirect without credentials, and failures have the right class", download},
    {"a download whose digest differs from the store's is accepted when a second one has the same bytes",
     download_digest},
    {"a download does not wait for the rate limit", download_is_free}, )

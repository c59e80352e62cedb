/* The parts that need no server: the table of answers, shapes, the rate limit's window, the streamed upload
 * body. */
#include "base/digest.h"
#include "cloud/cloud.h"
#include "cloud/http_error.h"
#include "cloud/rate.h"
#include "cloud/schema.h"
#include "cloud/upload.h"
#include "os/thread.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- words ---- */

static struct lf_error judged(int status, const char *type, const char *body)
{
    struct lf_answer answer = {.status = status, .retry_after_ms = -1, .rate_reset_s = -1};
    struct lf_error err = {0};
    strcpy(answer.content_type, type);
    lf_buffer_text(&answer.text, body);
    cloud__http_error_judge(&answer, &err);
    lf_answer_free(&answer);
    return err;
}

static void classes(void)
{
    static const struct {
        int status;
        enum lf_class class;
    } rows[] = {
        {200, LF_CLASS_NONE}, {201, LF_CLASS_NONE},   {202, LF_CLASS_NONE}, {408, LF_TRANSIENT},
        {429, LF_TRANSIENT},  {500, LF_TRANSIENT},    {502, LF_TRANSIENT},  {503, LF_TRANSIENT},
        {504, LF_TRANSIENT},  {520, LF_TRANSIENT},    {400, LF_PERMANENT},  {404, LF_PERMANENT},
        {405, LF_PERMANENT},  {409, LF_PERMANENT},    {413, LF_PERMANENT},  {422, LF_PERMANENT},
        {501, LF_PERMANENT},  {403, LF_NEEDS_PERSON}, {401, LF_TRANSIENT},  {302, LF_TRANSIENT},
        {407, LF_TRANSIENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lf_error err = judged(rows[i].status, "application/json", "{}");
        if (!CHECK_INT(err.class, rows[i].class))
            CHECK_INT(rows[i].status, 0);
    }
    CHECK_INT(judged(404, "application/json", "{}").status, LF_NOT_FOUND);
}

static void vendor(void)
{
    struct lf_error err =
        judged(400, "application/json",
               "{\"error\":{\"message\":\"Bad "
               "field\",\"type\":\"invalid_request_error\",\"userMessage\":\"Please fix\","
               "\"invalidId\":\"aop_1\",\"errors\":[{\"index\":0,\"message\":\"row is odd\"}]}}");
    CHECK_HAS(err.text, "Bad field");
    CHECK_HAS(err.text, "Please fix");
    CHECK_HAS(err.text, "invalid id aop_1");
    CHECK_HAS(err.text, "row is odd");
    CHECK_HAS(err.text, "400");
    err = judged(400, "application/json",
                 "{\"assayRuns\":null,\"errors\":[{\"fields\":{\"Mass\":\"is missing\"},"
                 "\"global\":[\"all wrong\"]}]}");
    CHECK_HAS(err.text, "all wrong");
    CHECK_HAS(err.text, "Mass: is missing");
    err = judged(400, "application/problem+json", "{\"title\":null,\"detail\":{\"a\":1},\"status\":400}");
    CHECK_HAS(err.text, "(400)");
    err = judged(400, "application/json", "{\"error\":{\"message\":\"line\\nforged \\u001b[31m red\"}}");
    CHECK(!strpbrk(err.text, "\n\x1b"));
    err = judged(400, "application/json",
                 "{\"error\":{\"errors\":{\"index\":0,\"message\":\"as an object\"}}}");
    CHECK_HAS(err.text, "as an object");
}

static void hostile(void)
{
    static const char *const bodies[] = {"",
                                         "[]",
                                         "null",
                                         "{\"error\":[]}",
                                         "{\"error\":{\"errors\":[null,1,[],{}]}}",
                                         "{\"errors\":\"text\"}",
                                         "{\"invalidIds\":{}}",
                                         "\xff\xfe",
                                         "{\"error\":\"x\"}",
                                         "{\"errors\":[{\"fields\":[1],\"global\":[{}]}]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        CHECK_INT(judged(400, "", bodies[i]).class, LF_PERMANENT);
    char *huge = malloc(100001), *json = NULL;
    NEED(huge != NULL);
    memset(huge, 'm', 100000);
    huge[100000] = '\0';
    json = lf_format("{\"error\":{\"message\":\"%s\",\"userMessage\":\"%s\"}}", huge, huge);
    NEED(json != NULL);
    CHECK(strlen(judged(400, "", json).text) < LF_ERROR_TEXT);
    free(huge);
    free(json);
}

static void pages(void)
{
    CHECK_INT(judged(200, "text/html; charset=utf-8", "<p>hi").class, LF_TRANSIENT);
    CHECK_HAS(judged(200, "", "\n <!DOCTYPE html><html>").text, "tenant URL");
    CHECK_INT(judged(404, "text/html", "<html>").class, LF_TRANSIENT);
    CHECK_INT(judged(403, "text/html", "<html>").class, LF_TRANSIENT);
    CHECK_INT(judged(502, "text/html", "<html>").class, LF_TRANSIENT);
    CHECK_INT(judged(413, "text/html", "<html>").class, LF_PERMANENT);
}

static void waits(void)
{
    struct lf_answer answer = {.status = 429, .retry_after_ms = -1, .rate_reset_s = 21};
    struct lf_error err = {0};
    cloud__http_error_judge(&answer, &err);
    CHECK_INT(err.retry_after_ms, 21000);
    answer.retry_after_ms = 3000;
    cloud__http_error_judge(&answer, &err);
    CHECK_INT(err.retry_after_ms, 3000);
    answer = (struct lf_answer){.status = 429, .retry_after_ms = -1, .rate_reset_s = INT64_MAX};
    cloud__http_error_judge(&answer, &err);
    CHECK_INT(err.retry_after_ms, 0);
    CHECK_HAS(err.text, "its x-rate-limit-reset of 9223372036854775807 s makes no sense and is ignored");
    answer.retry_after_ms = answer.rate_reset_s = -1;
    cloud__http_error_judge(&answer, &err);
    CHECK_INT(err.retry_after_ms, 0);
}

/* ---- shapes ---- */

static const char GENERATOR[] =
    "{\"id\":\"aif_1\",\"assayRunId\":\"r\",\"automationFileConfig\":{\"name\":\"H\"},"
    "\"file\":{\"id\":\"b\",\"name\":\"n\",\"uploadStatus\":\"COMPLETE\"},\"status\":\"SUCCEEDED\"}";

static enum lf_status shape_of(const char *json, const struct cloud_field *shape, struct lf_error *err)
{
    cJSON *value = cJSON_Parse(json);
    NEED(value != NULL);
    enum lf_status status = cloud__schema_check(value, shape, err);
    cJSON_Delete(value);
    return status;
}

static void shapes(void)
{
    struct lf_error err = {0};
    CHECK_INT(shape_of(GENERATOR, cloud__schema_automation_file, &err), LF_OK);
    CHECK_INT(shape_of("{\"id\":\"aif_1\",\"assayRunId\":\"r\",\"automationFileConfig\":{\"name\":\"H\"},"
                       "\"file\":null,\"status\":\"RUNNING\"}",
                       cloud__schema_automation_file, &err),
              LF_OK);
    CHECK_INT(shape_of("{\"id\":\"aif_1\",\"assayRunId\":\"r\",\"automationFileConfig\":{\"name\":\"H\"},"
                       "\"status\":\"ODD\"}",
                       cloud__schema_automation_file, &err),
              LF_PROTOCOL);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK_HAS(err.text, "'status' is \"ODD\", not one of NOT_STARTED, RUNNING, SUCCEEDED, FAILED");
    CHECK_INT(shape_of("{\"id\":7}", cloud__schema_workflow_output, &err), LF_PROTOCOL);
    CHECK_HAS(err.text, "'id' is a number, not a text");
    CHECK_INT(shape_of("{\"id\":\"\"}", cloud__schema_workflow_output, &err),
              LF_PROTOCOL); /* found by fuzzing */
    CHECK_HAS(err.text, "'id' is empty");
    CHECK_INT(shape_of("{}", cloud__schema_task_link, &err), LF_PROTOCOL);
    CHECK_HAS(err.text, "'taskId' is missing, not a text");
    CHECK_INT(
        shape_of("{\"id\":\"a\",\"assayRunId\":\"r\",\"automationFileConfig\":\"H\",\"status\":\"FAILED\"}",
                 cloud__schema_automation_file, &err),
        LF_PROTOCOL);
    CHECK_HAS(err.text, "automationFileConfig");
    CHECK_INT(shape_of("[]", NULL, &err), LF_PROTOCOL);
    CHECK_INT(shape_of("{\"partNumber\":1.5,\"eTag\":\"e\"}", cloud__schema_part, &err), LF_PROTOCOL);
    CHECK_INT(shape_of("{\"partNumber\":1e300,\"eTag\":\"e\"}", cloud__schema_part, &err), LF_PROTOCOL);
    CHECK_INT(shape_of("{\"partNumber\":1,\"eTag\":\"e\"}", cloud__schema_part, &err), LF_OK);
}

/* ---- rate ---- */

static void rate_unknown(void)
{
    struct lf_rate rate;
    cloud__rate_open(&rate);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(cloud__rate_take(&rate, lf_clock_mono_ms() - 1, NULL, UNIT_ERROR), LF_OK);
    cloud__rate_close(&rate);
}

static void rate_counts(void)
{
    struct lf_rate rate;
    struct lf_error err = {0};
    int taken = 0;
    cloud__rate_open(&rate);
    cloud__rate_learn(&rate, 60, 10, 20);
    while (taken < 100 && cloud__rate_take(&rate, lf_deadline_in(1000), NULL, &err) == LF_OK)
        taken++;
    CHECK_INT(taken, 8); /* 10 left, 2 of them kept in reserve */
    CHECK_INT(err.status, LF_BUSY);
    CHECK_INT(err.class, LF_TRANSIENT);
    CHECK(err.retry_after_ms > 18000 && err.retry_after_ms <= 20000);
    cloud__rate_close(&rate);
}

static void rate_overtaking(void)
{
    struct lf_rate rate;
    int64_t limit, remaining, reset_ms;
    cloud__rate_open(&rate);
    cloud__rate_learn(&rate, 60, 10, 20);
    cloud__rate_learn(&rate, 60, 50, 20); /* an older answer of the same window */
    cloud__rate_read(&rate, &limit, &remaining, &reset_ms);
    CHECK_INT(remaining, 10);
    cloud__rate_learn(&rate, 60, 59, 30); /* the next window */
    cloud__rate_read(&rate, &limit, &remaining, &reset_ms);
    CHECK_INT(remaining, 59);
    CHECK(reset_ms > 28000);
    cloud__rate_learn(&rate, 60, 58, 29); /* the same, in whole seconds */
    cloud__rate_read(&rate, &limit, &remaining, &reset_ms);
    CHECK(reset_ms > 29000);
    cloud__rate_learn(&rate, 60, 0, 3); /* a 429 that lets us go on sooner */
    cloud__rate_read(&rate, &limit, &remaining, &reset_ms);
    CHECK_INT(remaining, 0);
    CHECK(reset_ms > 2000 && reset_ms <= 3000);
    cloud__rate_learn(&rate, -1, -1, -1);
    cloud__rate_learn(&rate, 0, 0, 0);
    cloud__rate_learn(&rate, 70, 0, 99999999); /* years: a broken header stops nothing */
    cloud__rate_read(&rate, &limit, &remaining, &reset_ms);
    CHECK_INT(limit, 60);
    CHECK(reset_ms <= 3000);
    cloud__rate_close(&rate);
}

static void rate_waits(void)
{
    struct lf_rate rate;
    cloud__rate_open(&rate);
    cloud__rate_learn(&rate, 60, 0, 1);
    int64_t start = lf_clock_mono_ms();
    CHECK_INT(cloud__rate_take(&rate, lf_deadline_in(20000), NULL, UNIT_ERROR), LF_OK);
    CHECK(lf_clock_mono_ms() - start >= 900);
    for (int i = 0; i < 200; i++) /* nothing is known of the new window yet: no deadlock */
        CHECK_INT(cloud__rate_take(&rate, lf_deadline_in(100), NULL, UNIT_ERROR), LF_OK);
    cloud__rate_close(&rate);
}

static void *cancel_soon(void *arg)
{
    lf_sleep_until(lf_deadline_in(100), NULL);
    lf_cancel_set(arg);
    return NULL;
}

static void rate_cancel(void)
{
    struct lf_rate rate;
    struct lf_cancel cancel;
    struct lf_thread thread;
    cloud__rate_open(&rate);
    NEED(lf_cancel_open(&cancel, UNIT_ERROR) == LF_OK);
    cloud__rate_learn(&rate, 60, 0, 30);
    NEED(lf_thread_start(&thread, "cancel", cancel_soon, &cancel, UNIT_ERROR) == LF_OK);
    CHECK_INT(cloud__rate_take(&rate, LF_NEVER, &cancel, UNIT_ERROR), LF_CANCELLED);
    lf_thread_join(&thread);
    lf_cancel_close(&cancel);
    cloud__rate_close(&rate);
}

/* ---- upload ---- */

static char *body_text(const struct lf_body *body, size_t step)
{
    struct lf_buffer text = {0};
    char block[4096];
    size_t got;
    while ((got = body->read(body->context, block, step)) && got != (size_t)-1)
        lf_buffer_append(&text, block, got);
    CHECK_INT(text.len, body->size);
    return lf_buffer_take(&text);
}

static int file_of(const void *data, size_t len)
{
    char path[600];
    static int count;
    snprintf(path, sizeof path, "%s/%d", unit_folder(), count++);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    NEED(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    return fd;
}

static void upload_hello(void)
{
    int fd = file_of("hello", 5);
    struct lf_call call = {.deadline = LF_NEVER};
    struct lf_upload *upload = NULL;
    struct lf_error err = {0};
    cJSON *fields = cJSON_CreateObject();
    lf_json_set_text(fields, "name", "a \"b\"\\\n\xC3\xA9.txt");
    NEED(cloud__upload_open(UNIT_FILE(fd), 0, 5, fields, &call, &upload, &err) == LF_OK);
    for (size_t step = 1; step < 100; step += 49) {
        char *text = body_text(cloud__upload_body(upload), step);
        CHECK_STR(text,
                  "{\"name\":\"a \\\"b\\\"\\\\\\n\xC3\xA9.txt\",\"md5\":\"5d41402abc4b2a76b9719d911017c592\","
                  "\"data64\":\"aGVsbG8=\"}");
        free(text);
        CHECK(cloud__upload_body(upload)->rewind(cloud__upload_body(upload)->context));
    }
    cloud__upload_free(upload);
    cJSON_Delete(fields);
    close(fd);
}

static void upload_pieces(void)
{
    static unsigned char data[100000];
    struct lf_call call = {.deadline = LF_NEVER};
    struct lf_error err = {0};
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    int fd = file_of(data, sizeof data);
    cJSON *fields = cJSON_CreateObject();
    static const size_t pieces[][2] = {{0, 100000},    {0, 0},         {1, 1},    {99999, 1},
                                       {12345, 24576}, {12345, 24577}, {7, 49153}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct lf_upload *upload = NULL;
        struct lf_buffer decoded = {0};
        NEED(cloud__upload_open(UNIT_FILE(fd), (int64_t)pieces[i][0], (int64_t)pieces[i][1], fields, &call,
                                &upload, &err)
             == LF_OK);
        char *text = body_text(cloud__upload_body(upload), 1000);
        cJSON *json = cJSON_Parse(text);
        CHECK_INT(lf_base64_decode(lf_slice_text(lf_json_text(json, "data64")), &decoded), LF_OK);
        CHECK_BYTES(decoded.data ? decoded.data : "", decoded.len, data + pieces[i][0], pieces[i][1]);
        lf_buffer_free(&decoded);
        cJSON_Delete(json);
        free(text);
        cloud__upload_free(upload);
    }
    cJSON_Delete(fields);
    close(fd);
}

static void upload_shrinks(void)
{
    struct lf_call call = {.deadline = LF_NEVER};
    struct lf_upload *upload = NULL;
    struct lf_error err = {0};
    char block[1000];
    int fd = file_of("hello", 5);
    cJSON *fields = cJSON_CreateObject();
    CHECK_INT(cloud__upload_open(UNIT_FILE(fd), 0, 6, fields, &call, &upload, &err), LF_MISMATCH);
    NEED(cloud__upload_open(UNIT_FILE(fd), 0, 5, fields, &call, &upload, &err) == LF_OK);
    CHECK_INT(ftruncate(fd, 2), 0);
    size_t got = 1;
    while (got && got != (size_t)-1)
        got = cloud__upload_body(upload)->read(cloud__upload_body(upload)->context, block, sizeof block);
    CHECK(got == (size_t)-1);
    CHECK_INT(cloud__upload_error(upload)->status, LF_MISMATCH);
    cloud__upload_free(upload);
    cJSON_Delete(fields);
    close(fd);
}

UNIT_TESTS("cloud parts", {"every HTTP status has the class that the table gives it", classes},
           {"the message quotes the vendor, without control characters", vendor},
           {"odd and huge error bodies do no harm", hostile},
           {"a web page instead of an answer is recognised", pages},
           {"Retry-After, else the reset of the rate limit, decides how long to wait", waits},
           {"a wrong field is reported with what it is and what it should be", shapes},
           {"without a known limit nothing waits", rate_unknown},
           {"the window's budget is used up to a reserve", rate_counts},
           {"answers that overtake each other do not raise the budget", rate_overtaking},
           {"the next window is awaited, and its full budget used", rate_waits, UNIT_SLOW},
           {"waiting for the window can be cancelled", rate_cancel},
           {"an upload of hello has the Base64 and MD5 of the vendor's example", upload_hello},
           {"any piece of a file is sent unchanged", upload_pieces},
           {"a file that became shorter is noticed", upload_shrinks}, )

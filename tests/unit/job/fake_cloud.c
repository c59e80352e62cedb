#include "fake_cloud.h"

#include "base/digest.h"
#include "base/file.h"
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_cloud fake_cloud = {.mutex = PTHREAD_MUTEX_INITIALIZER};
#define THE fake_cloud

void fake_cloud_reset(void)
{
    pthread_mutex_lock(&THE.mutex);
    cJSON_Delete(THE.processors);
    cJSON_Delete(THE.outputs);
    pthread_mutex_unlock(&THE.mutex);
    THE = (struct fake_cloud){.mutex = PTHREAD_MUTEX_INITIALIZER,
                              .file = "file_1",
                              .file_name = "plate.csv",
                              .upload_status = "COMPLETE",
                              .bytes = "A1,5\n",
                              .task_status = "st_TODO",
                              .display = "T-1",
                              .processed = "SUCCEEDED",
                              .processors = cJSON_CreateArray(),
                              .outputs = cJSON_CreateArray()};
}

void fake_cloud_fail(const char *call, int times, bool after, enum lf_status status, enum lf_class class)
{
    pthread_mutex_lock(&THE.mutex);
    THE.fail_call = call;
    THE.fail_times = times;
    THE.fail_after = after;
    THE.fail_status = status;
    THE.fail_class = class;
    pthread_mutex_unlock(&THE.mutex);
}

int fake_cloud_get(const int *counter)
{
    pthread_mutex_lock(&THE.mutex);
    int value = *counter;
    pthread_mutex_unlock(&THE.mutex);
    return value;
}

int fake_cloud_size(cJSON *const *array)
{
    pthread_mutex_lock(&THE.mutex);
    int size = cJSON_GetArraySize(*array);
    pthread_mutex_unlock(&THE.mutex);
    return size;
}

/* Begins a call: the lock is held from here to leave(). */
static bool enter(const char *call, bool *lost)
{
    pthread_mutex_lock(&THE.mutex);
    bool fails = THE.fail_times > 0 && THE.fail_call && !strcmp(THE.fail_call, call);
    if (fails)
        THE.fail_times--;
    *lost = fails;
    return !fails || THE.fail_after;
}

static enum lf_status leave(bool lost, cJSON **out, struct lf_error *err)
{
    enum lf_status status = lost ? lf_fail(err, THE.fail_status, THE.fail_class, "the cloud says no") : LF_OK;
    if (lost && THE.fail_times == 0 && THE.fail_then) {
        THE.fail_call = THE.fail_then;
        THE.fail_then = NULL;
        THE.fail_times = 1;
        THE.fail_after = false;
        THE.fail_status = LF_DENIED;
        THE.fail_class = LF_NEEDS_PERSON;
    }
    pthread_mutex_unlock(&THE.mutex);
    if (lost && out) {
        cJSON_Delete(*out);
        *out = NULL;
    }
    return status;
}

static cJSON *json(const char *format, ...) __attribute__((format(printf, 1, 2)));
static cJSON *json(const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cJSON *value = cJSON_Parse(text);
    if (!value)
        abort();
    return value;
}

static enum lf_status get_generator(const char *id, cJSON **out, struct lf_error *err)
{
    bool lost;
    if (enter("get_generator", &lost)) {
        THE.generators++;
        if (THE.slow_ms)
            UNIT_TIME_PASSES(THE.slow_ms);
        THE.slow_ms = 0;
        *out = THE.file ? json("{\"id\":\"%s\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"%s\",\"name\":\"%"
                               "s\",\"mimeType\":"
                               "\"text/csv\",\"uploadStatus\":\"%s\"}}",
                               id, THE.file, THE.file_name, THE.upload_status)
                        : json("{\"id\":\"%s\",\"file\":null}", id);
    }
    return leave(lost, out, err);
}

enum lf_status lf_cloud_download(struct lf_cloud *cloud, const char *blob_id, const struct lf_file *to,
                                 int64_t max, const struct lf_call *call, char sha256[65], int64_t *size,
                                 struct lf_error *err)
{
    (void)cloud;
    (void)call;
    (void)blob_id;
    (void)max;
    bool lost;
    if (enter("download", &lost)) {
        THE.downloads++;
        *size = (int64_t)strlen(THE.bytes);
        lf_file_write_at(to, 0, THE.bytes, strlen(THE.bytes), err);
        lf_digest_bytes(LF_SHA256, THE.bytes, strlen(THE.bytes), sha256);
    }
    return leave(lost, NULL, err);
}

static enum lf_status get_run(const char *run_id, cJSON **out, struct lf_error *err)
{
    if (strncmp(run_id, "run_", 4) != 0)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "there is no run %s", run_id);
    *out = json("{\"id\":\"%s\"}", run_id);
    return LF_OK;
}

enum lf_status lf_cloud_get_resource(struct lf_cloud *cloud, const char *resource, const char *id,
                                     const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    (void)cloud;
    (void)resource;
    (void)id;
    (void)call;
    bool lost;
    if (THE.on_resource)
        THE.on_resource();
    *out = enter("get_resource", &lost) ? cJSON_Parse(THE.resource) : NULL;
    return leave(lost, out, err);
}

enum lf_status lf_cloud_get_events(struct lf_cloud *cloud, const char *after, const char *since,
                                   const char *types, const char *next, const struct lf_call *call,
                                   cJSON **page, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    *page = THE.list(after, since, types, next, err);
    return *page ? LF_OK : err->status;
}

/* ---- blobs ---- */

static enum lf_status get_blob(const char *blob_id, cJSON **out, struct lf_error *err)
{
    (void)err;
    *out = json("{\"id\":\"%s\",\"uploadStatus\":\"COMPLETE\"}", blob_id);
    return LF_OK;
}

enum lf_status lf_cloud_upload_blob(struct lf_cloud *cloud, const struct lf_upload_file *file,
                                    const struct lf_call *call, char **blob_id, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    bool lost;
    if (enter("upload_blob", &lost)) {
        THE.uploads++;
        size_t got = 0;
        lf_file_read_at(file->file, 0, THE.last_upload, sizeof THE.last_upload - 1, &got, err);
        THE.last_upload[got] = '\0';
        *blob_id = lost ? NULL : lf_format("blob_%d", THE.uploads);
    }
    return leave(lost, NULL, err);
}

bool lf_cloud_wants_parts(const struct lf_cloud *cloud, int64_t size)
{
    (void)cloud;
    (void)size;
    return THE.parts;
}

int64_t lf_cloud_part_size(const struct lf_cloud *cloud, int64_t size)
{
    (void)cloud;
    return size;
}

int lf_cloud_part_count(const struct lf_upload_file *file)
{
    (void)file;
    return 1;
}

enum lf_status lf_cloud_start_parts(struct lf_cloud *cloud, const struct lf_upload_file *file,
                                    const struct lf_call *call, char **blob_id, struct lf_error *err)
{
    return lf_cloud_upload_blob(cloud, file, call, blob_id, err);
}

enum lf_status lf_cloud_upload_part(struct lf_cloud *cloud, const char *blob_id,
                                    const struct lf_upload_file *file, int number, const struct lf_call *call,
                                    char **etag, struct lf_error *err)
{
    (void)cloud;
    (void)blob_id;
    (void)file;
    (void)number;
    (void)call;
    bool lost;
    if (enter("upload_part", &lost))
        *etag = lost ? NULL : strdup("e");
    return leave(lost, NULL, err);
}

enum lf_status lf_cloud_complete_parts(struct lf_cloud *cloud, const char *blob_id, const char *const *etags,
                                       int count, const struct lf_call *call, struct lf_error *err)
{
    (void)cloud;
    (void)blob_id;
    (void)etags;
    (void)count;
    (void)call;
    (void)err;
    return LF_OK;
}

enum lf_status lf_cloud_abort_parts(struct lf_cloud *cloud, const char *blob_id, const struct lf_call *call,
                                    struct lf_error *err)
{
    THE.aborted++; /* one courier asks for it */
    return lf_cloud_complete_parts(cloud, blob_id, NULL, 0, call, err);
}

/* ---- processors ---- */

enum lf_status lf_cloud_find_processors(struct lf_cloud *cloud, const char *run_id, const char *config_name,
                                        const struct lf_call *call, cJSON **array, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    bool lost;
    if (enter("find_processors", &lost)) {
        *array = cJSON_CreateArray();
        const cJSON *processor;
        cJSON_ArrayForEach (processor, THE.processors)
            if (!strcmp(lf_json_text_or(processor, "run", ""), run_id)
                && !strcmp(lf_json_text_or(processor, "config", ""), config_name))
                cJSON_AddItemToArray(*array, cJSON_Duplicate(processor, true));
    }
    return leave(lost, array, err);
}

static cJSON *find(cJSON *array, const char *id)
{
    cJSON *item;
    cJSON_ArrayForEach (item, array)
        if (!strcmp(lf_json_text_or(item, "id", ""), id))
            return item;
    return NULL;
}

static enum lf_status get_processor(const char *id, cJSON **out, struct lf_error *err)
{
    bool lost;
    if (enter("get_processor", &lost)) {
        cJSON *processor = find(THE.processors, id);
        *out = processor ? cJSON_Duplicate(processor, true)
                         : json("{\"id\":\"%s\",\"status\":\"NOT_STARTED\"}", id);
    }
    return leave(lost, out, err);
}

enum lf_status lf_cloud_create_processor(struct lf_cloud *cloud, const struct lf_new_processor *processor,
                                         const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    bool lost;
    if (THE.on_create)
        THE.on_create();
    if (enter("create_processor", &lost)) {
        THE.created++;
        cJSON *made = json("{\"id\":\"aop_%d\",\"run\":\"%s\",\"config\":\"%s\",\"status\":\"NOT_STARTED\","
                           "\"file\":{\"id\":\"%s\","
                           "\"name\":\"r.csv\"},\"progressStats\":{\"rowsSucceeded\":3,\"rowsFailed\":0}}",
                           THE.created, processor->run_id, processor->config_name, processor->file_id);
        *out = cJSON_Duplicate(made, true);
        cJSON_AddItemToArray(THE.processors, made);
    }
    return leave(lost, out, err);
}

enum lf_status lf_cloud_set_processor_file(struct lf_cloud *cloud, const char *id, const char *file_id,
                                           const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    bool lost;
    if (enter("set_processor_file", &lost)) {
        THE.replaced++;
        cJSON *processor = find(THE.processors, id);
        lf_json_set_text(cJSON_GetObjectItem(processor, "file"), "id", file_id);
        *out = cJSON_Duplicate(processor, true);
    }
    return leave(lost, out, err);
}

enum lf_status lf_cloud_process(struct lf_cloud *cloud, const char *processor_id, const struct lf_call *call,
                                char **task_id, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    bool lost;
    *task_id = NULL;
    if (enter("process", &lost)) {
        THE.started++;
        cJSON *processor = find(THE.processors, processor_id);
        if (processor)
            lf_json_set_text(processor, "status", THE.processed ? THE.processed : "RUNNING");
        *task_id = lost ? NULL : lf_format("task_%d", THE.started);
    }
    return leave(lost, NULL, err);
}

/* Every long-running task is gone already, as 30 minutes after its end. */
static enum lf_status get_task(const char *task_id, cJSON **out, struct lf_error *err)
{
    (void)out;
    return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "there is no task %s", task_id);
}

/* ---- workflow tasks ---- */

static enum lf_status get_workflow_task(const char *id, cJSON **out, struct lf_error *err)
{
    bool lost;
    if (enter("get_workflow_task", &lost))
        *out = json("{\"id\":\"%s\",\"displayId\":\"%s\",%s\"status\":{\"id\":\"%s\",\"displayName\":\"%s\","
                    "\"statusType\":\"%s\"},"
                    "\"fields\":{\"Sample\":{\"value\":\"S-1\"}%s}}",
                    id, THE.display, THE.archived ? "\"archiveRecord\":{\"reason\":\"Made in error\"}," : "",
                    THE.task_status, THE.task_status + 3, THE.task_status + 3,
                    THE.no_run ? "" : ",\"Run\":{\"value\":\"run_1\"}");
    return leave(lost, out, err);
}

enum lf_status lf_cloud_resolve_status(struct lf_cloud *cloud, const cJSON *task, const char *wanted,
                                       const struct lf_call *call, char **status_id, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    if (!strcmp(lf_json_text_or(task, "status.statusType", ""), wanted))
        return lf_fail(err, LF_EXISTS, LF_PERMANENT, "it is %s already", wanted);
    if (THE.refused_transition && !strcmp(THE.refused_transition, wanted))
        return lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON, "the workflow does not lead to %s", wanted);
    *status_id = lf_format("st_%s", wanted);
    return LF_OK;
}

enum lf_status lf_cloud_set_task_status(struct lf_cloud *cloud, const char *task_id, const char *status_id,
                                        const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    (void)task_id;
    static const char *const known[] = {"st_TODO", "st_IN_PROGRESS", "st_COMPLETED", "st_FAILED"};
    bool lost;
    if (enter("set_task_status", &lost)) {
        THE.patched++;
        for (size_t i = 0; i < 4; i++)
            if (!strcmp(known[i], status_id))
                THE.task_status = known[i];
        *out = json("{}");
    }
    return leave(lost, out, err);
}

enum lf_status lf_cloud_create_output(struct lf_cloud *cloud, const char *task_id, const cJSON *fields,
                                      const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    (void)task_id;
    bool lost;
    if (enter("create_output", &lost)) {
        THE.written++;
        char *text = lf_json_print(fields);
        cJSON *made = json("{\"id\":\"out_%d\",\"fields\":%s}", THE.written, text);
        free(text);
        *out = cJSON_Duplicate(made, true);
        cJSON_AddItemToArray(THE.outputs, made);
    }
    return leave(lost, out, err);
}

enum lf_status lf_cloud_list_outputs(struct lf_cloud *cloud, const char *task_id, const struct lf_call *call,
                                     cJSON **array, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    (void)task_id;
    bool lost;
    if (enter("list_outputs", &lost))
        *array = cJSON_Duplicate(THE.outputs, true);
    return leave(lost, array, err);
}

enum lf_status lf_cloud_get(struct lf_cloud *cloud, enum lf_cloud_resource what, const char *id,
                            const struct lf_call *call, cJSON **out, struct lf_error *err)
{
    (void)cloud;
    (void)call;
    switch (what) {
    case LF_CLOUD_GENERATOR: return get_generator(id, out, err);
    case LF_CLOUD_RUN: return get_run(id, out, err);
    case LF_CLOUD_BLOB: return get_blob(id, out, err);
    case LF_CLOUD_PROCESSOR: return get_processor(id, out, err);
    case LF_CLOUD_TASK: return get_task(id, out, err);
    case LF_CLOUD_WORKFLOW_TASK: return get_workflow_task(id, out, err);
    default: return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "the fake has no such resource");
    }
}

#include "cloud/schema.h"

#include "base/units.h"
#include "cloud/http_error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const job_states[] = {"NOT_STARTED", "RUNNING", "SUCCEEDED", "FAILED", NULL};
static const char *const upload_states[] = {"IN_PROGRESS", "COMPLETE", "ABORTED", NULL};

#define AUTOMATION_FILE                                                                                      \
    {"id", LF_FIELD_TEXT, LF_NEEDED, NULL}, {"assayRunId", LF_FIELD_TEXT, LF_NEEDED, NULL},                  \
        {"automationFileConfig", LF_FIELD_OBJECT, LF_NEEDED, NULL},                                          \
        {"automationFileConfig.name", LF_FIELD_TEXT, LF_NEEDED, NULL},                                       \
        {"file", LF_FIELD_OBJECT, LF_MAYBE, NULL}, {"file.id", LF_FIELD_TEXT, LF_NEEDED, NULL},              \
        {"file.name", LF_FIELD_TEXT, LF_MAYBE, NULL},                                                        \
        {"file.uploadStatus", LF_FIELD_TEXT, LF_MAYBE, upload_states},                                       \
    {                                                                                                        \
        "status", LF_FIELD_TEXT, LF_NEEDED, job_states                                                       \
    }

const struct cloud_field cloud__schema_automation_file[] = {AUTOMATION_FILE, {NULL, 0, 0, NULL}};

const struct cloud_field cloud__schema_processor[] = {
    AUTOMATION_FILE,
    {"completeWithErrors", LF_FIELD_BOOL, LF_MAYBE, NULL},
    {"errorFile", LF_FIELD_OBJECT, LF_MAYBE, NULL},
    {"errorFile.id", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"progressStats", LF_FIELD_OBJECT, LF_MAYBE, NULL},
    {"progressStats.rowsSucceeded", LF_FIELD_WHOLE, LF_MAYBE, NULL},
    {"progressStats.rowsFailed", LF_FIELD_WHOLE, LF_MAYBE, NULL},
    {"progressStats.rowsUnprocessed", LF_FIELD_WHOLE, LF_MAYBE, NULL},
    {NULL, 0, 0, NULL},
};

const struct cloud_field cloud__schema_blob[] = {
    {"id", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"name", LF_FIELD_TEXT, LF_MAYBE, NULL},
    {"uploadStatus", LF_FIELD_TEXT, LF_NEEDED, upload_states},
    {NULL, 0, 0, NULL},
};

const struct cloud_field cloud__schema_part[] = {
    {"partNumber", LF_FIELD_WHOLE, LF_NEEDED, NULL},
    {"eTag", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {NULL, 0, 0, NULL},
};

const struct cloud_field cloud__schema_task_link[] = {{"taskId", LF_FIELD_TEXT, LF_NEEDED, NULL},
                                                      {NULL, 0, 0, NULL}};

const struct cloud_field cloud__schema_workflow_task[] = {
    {"id", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"displayId", LF_FIELD_TEXT, LF_MAYBE, NULL},
    {"status", LF_FIELD_OBJECT, LF_NEEDED, NULL},
    {"status.id", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"status.displayName", LF_FIELD_TEXT, LF_MAYBE, NULL},
    {"status.statusType", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"schema", LF_FIELD_OBJECT, LF_NEEDED, NULL},
    {"schema.id", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"fields", LF_FIELD_OBJECT, LF_MAYBE, NULL},
    {NULL, 0, 0, NULL},
};

const struct cloud_field cloud__schema_workflow_output[] = {
    {"id", LF_FIELD_TEXT, LF_NEEDED, NULL},
    {"fields", LF_FIELD_OBJECT, LF_MAYBE, NULL},
    {NULL, 0, 0, NULL},
};

const struct cloud_field cloud__schema_events[] = {
    {"events", LF_FIELD_ARRAY, LF_NEEDED, NULL},
    {"nextToken", LF_FIELD_TEXT, LF_MAYBE, NULL},
    {NULL, 0, 0, NULL},
};

static const char *kind_of(const cJSON *value)
{
    return !value                  ? "missing"
           : cJSON_IsNull(value)   ? "null"
           : cJSON_IsString(value) ? "a text"
           : cJSON_IsNumber(value) ? "a number"
           : cJSON_IsBool(value)   ? "true or false"
           : cJSON_IsArray(value)  ? "a list"
                                   : "an object";
}

static bool is_kind(const cJSON *value, enum cloud_field_kind kind)
{
    switch (kind) {
    case LF_FIELD_TEXT: return cJSON_IsString(value);
    case LF_FIELD_OBJECT: return cJSON_IsObject(value);
    case LF_FIELD_ARRAY: return cJSON_IsArray(value);
    case LF_FIELD_WHOLE:
        return cJSON_IsNumber(value) && fabs(value->valuedouble) <= 9007199254740992.0
               && floor(value->valuedouble) == value->valuedouble;
    case LF_FIELD_BOOL: return cJSON_IsBool(value);
    }
    return false;
}

static const char *const kind_names[] = {
    [LF_FIELD_TEXT] = "a text",          [LF_FIELD_OBJECT] = "an object",   [LF_FIELD_ARRAY] = "a list",
    [LF_FIELD_WHOLE] = "a whole number", [LF_FIELD_BOOL] = "true or false",
};

static enum lf_status check_choice(const cJSON *value, const struct cloud_field *field, struct lf_error *err)
{
    char shown[80], allowed[160] = "";
    for (const char *const *choice = field->oneof; *choice; choice++) {
        if (!strcmp(*choice, value->valuestring))
            return LF_OK;
        lf_list_add(allowed, sizeof allowed, *choice);
    }
    lf_text_show(value->valuestring, shown, sizeof shown);
    return lf_fail(err, LF_PROTOCOL, LF_PERMANENT, "the answer's field '%s' is \"%s\", not one of %s",
                   field->path, shown, allowed);
}

/* The object a field sits in, e.g. "file" for "file.id"; the object itself for a field at the top. */
static const cJSON *parent_of(const cJSON *object, const char *path)
{
    char parent[80];
    const char *dot = strrchr(path, '.');
    if (!dot)
        return object;
    snprintf(parent, sizeof parent, "%.*s", (int)(dot - path), path);
    return lf_json_at(object, parent);
}

static enum lf_status check_field(const cJSON *object, const struct cloud_field *field, struct lf_error *err)
{
    const cJSON *parent = parent_of(object, field->path), *value = lf_json_at(object, field->path);
    if (!cJSON_IsObject(parent))
        return LF_OK; /* checked by the parent's own row */
    if (field->need == LF_MAYBE && (!value || cJSON_IsNull(value)))
        return LF_OK;
    if (!is_kind(value, field->kind))
        return lf_fail(err, LF_PROTOCOL, LF_PERMANENT, "the answer's field '%s' is %s, not %s", field->path,
                       kind_of(value), kind_names[field->kind]);
    if (field->kind == LF_FIELD_TEXT && field->need == LF_NEEDED && !*value->valuestring)
        return lf_fail(err, LF_PROTOCOL, LF_PERMANENT, "the answer's field '%s' is empty", field->path);
    return field->oneof ? check_choice(value, field, err) : LF_OK;
}

enum lf_status cloud__schema_check(const cJSON *object, const struct cloud_field *shape, struct lf_error *err)
{
    if (!cJSON_IsObject(object))
        return lf_fail(err, LF_PROTOCOL, LF_PERMANENT, "the answer is %s, not an object", kind_of(object));
    enum lf_status status = LF_OK;
    for (const struct cloud_field *field = shape; field && field->path && status == LF_OK; field++)
        status = check_field(object, field, err);
    return status;
}

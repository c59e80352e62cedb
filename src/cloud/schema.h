/* The fields of the API's objects that Labferry needs. From the OpenAPI document. */
#ifndef LF_CLOUD_SCHEMA_H
#define LF_CLOUD_SCHEMA_H

#include "base/json.h"

enum cloud_field_kind { LF_FIELD_TEXT, LF_FIELD_OBJECT, LF_FIELD_ARRAY, LF_FIELD_WHOLE, LF_FIELD_BOOL };
enum cloud_field_need {
    LF_NEEDED, /* a text must not be empty */
    LF_MAYBE,  /* may be missing or null; the fields below it are not checked then */
};

struct cloud_field {
    const char *path; /* "file.id" */
    enum cloud_field_kind kind;
    enum cloud_field_need need;
    const char *const *oneof; /* allowed texts, NULL-terminated; NULL: any */
};

/* Tables end with a row whose path is NULL. */
extern const struct cloud_field cloud__schema_automation_file[]; /* generators and processors */
extern const struct cloud_field cloud__schema_processor[];
extern const struct cloud_field cloud__schema_blob[];
extern const struct cloud_field cloud__schema_part[];
extern const struct cloud_field cloud__schema_task_link[];
extern const struct cloud_field cloud__schema_workflow_task[];
extern const struct cloud_field cloud__schema_workflow_output[];
extern const struct cloud_field cloud__schema_events[];

/* LF_PROTOCOL (permanent) names the field, what it is and what it should be. shape NULL: any object. */
enum lf_status cloud__schema_check(const cJSON *object, const struct cloud_field *shape,
                                   struct lf_error *err);

#endif

/* The fields Labferry needs of the API's objects, and their check. From the OpenAPI document. */
#ifndef LF_CLOUD_SHAPE_H
#define LF_CLOUD_SHAPE_H

#include "base/json.h"

enum lf_field_kind { LF_FIELD_TEXT, LF_FIELD_OBJECT, LF_FIELD_ARRAY, LF_FIELD_WHOLE, LF_FIELD_BOOL };
enum lf_field_need {
    LF_NEEDED, /* a text is not empty either */
    LF_MAYBE,  /* may be missing or null; a field below one that is missing or null is not looked for */
};

struct lf_field {
    const char *path; /* "file.id" */
    enum lf_field_kind kind;
    enum lf_field_need need;
    const char *const *oneof; /* allowed texts, NULL-terminated; NULL: any */
};

/* Tables end with a row whose path is NULL. */
extern const struct lf_field lf_shape_automation_file[]; /* generators and processors */
extern const struct lf_field lf_shape_processor[];
extern const struct lf_field lf_shape_run[];
extern const struct lf_field lf_shape_blob[];
extern const struct lf_field lf_shape_part[];
extern const struct lf_field lf_shape_task_link[];
extern const struct lf_field lf_shape_task[];
extern const struct lf_field lf_shape_workflow_task[];
extern const struct lf_field lf_shape_workflow_output[];
extern const struct lf_field lf_shape_task_schema[];
extern const struct lf_field lf_shape_events[];
extern const struct lf_field lf_shape_resource[]; /* anything with an id */

/* LF_PROTOCOL (permanent) with the field, what it is and what it should be. shape NULL: any object. */
enum lf_status lf_shape_check(const cJSON *object, const struct lf_field *shape, struct lf_error *err);

#endif

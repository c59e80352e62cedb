/* The list of kinds, alone in its file: a test links another list in its place. */
#include "job/kinds.h"

/* The rows that kinds.h does not declare, since no file but their own names them. */
extern const struct lf_job_kind job__kind_task;

const struct lf_job_kind *const lf_job_kinds[] = {
    &job__kind_deliver, &job__kind_collect, &job__kind_task, &job__kind_procedure, NULL,
};

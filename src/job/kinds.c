#include "job/kinds.h"

#include "job/steps.h"

#include <string.h>

const struct lf_job_kind *lf_job_kind_find(const char *name)
{
    for (size_t i = 0; lf_job_kinds[i]; i++)
        if (!strcmp(lf_job_kinds[i]->config.name, name))
            return lf_job_kinds[i];
    return NULL;
}

const struct lf_config_kind *lf_job_kind_at(size_t index)
{
    return lf_job_kinds[index] ? &lf_job_kinds[index]->config : NULL;
}

const struct job_step *job__step_find(const struct lf_job_kind *kind, const char *name)
{
    for (const struct job_step *step = kind ? kind->steps : NULL; step && step->name; step++)
        if (!strcmp(step->name, name))
            return step;
    return NULL;
}

/* A kind of job is one row: this file adds one to the list, and it is known everywhere. */
#include "job_case.h"

#include "job/steps.h"

#include <stdio.h>

static enum lf_status heat(struct job_work *work, struct lf_error *err)
{
    const char *what;
    enum lf_status status = job__need(work, LF_JOB_DISPLAY, &what, err);
    if (status == LF_OK)
        job__note(work, "%s is hot", what);
    return status;
}

static enum lf_status pour(struct job_work *work, struct lf_error *err)
{
    (void)err;
    return job__end(work, LF_JOB_DONE, "poured on %s", lf_instrument_name(work->instrument));
}

static const struct job_step steps[] = {
    {.name = "heat", .run = heat},
    {.name = "pour", .bench = true, .run = pour},
    {0},
};

static const struct lf_job_kind brew = {
    .config = {.name = "brew", .resource = "entity", .ability = LF_CAN_RUN},
    .takes = {{LF_JOB_DISPLAY, "name"}},
    .steps = steps,
};

/* In place of the list in kind_list.c. */
const struct lf_job_kind *const lf_job_kinds[] = {
    &job__kind_deliver, &job__kind_collect, &job__kind_task, &job__kind_procedure, &brew, NULL,
};

static void one_row(void)
{
    case_config = "instruments = ( { name = \"robot\"; driver = \"fake\"; } );\n"
                  "routes = ( { name = \"tea\"; on = \"entity.registered\"; job = \"brew\"; instrument = "
                  "\"robot\"; } );\n";
    struct job_case c;
    struct lf_error err = {0};
    int64_t id = 0;
    case_open(&c); /* the configuration accepts its route */
    const struct lf_config_route *route = lf_config_route(c.config, "tea");
    CHECK_STR(route->kind->name, "brew");
    const char *names[LF_JOB_KINDS_MAX];
    lf_job_kind_names(names);
    CHECK_STR(names[4], "brew");
    cJSON *resource = cJSON_Parse("{\"id\":\"bfi_1\",\"name\":\"Tea 1\"}");
    struct lf_birth birth = {.kind = lf_job_kind_find(route->kind->name),
                             .key = "tea",
                             .instrument = route->instrument,
                             .history = "made for a test",
                             .route = route,
                             .resource = resource};
    CHECK_INT(lf_jobs_birth(c.jobs, &birth, &id, &err), LF_OK);
    cJSON_Delete(resource);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_note(&c, id), "poured on robot");
    CHECK(core_told(c.journal, id, "heat: Tea 1 is hot"));
    case_close(&c);
}

UNIT_TESTS("job, kinds",
           {"a kind of job is added by one row: configuration, birth and runner know it", one_row})

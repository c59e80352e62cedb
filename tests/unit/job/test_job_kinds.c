/* A kind of job is one row: this file adds one to the list, and all rooms know it. */
#include "job_case.h"

#include "control/control.h"
#include "intake/parts.h"
#include "job/steps.h"

#include <stdio.h>

static enum lf_status heat(struct job_work *work, struct lf_error *err)
{
    enum lf_status status = job__need(work, LF_JOB_DISPLAY, err);
    if (status == LF_OK)
        job__note(work, "%s is hot", lf_job_text(work->job, LF_JOB_DISPLAY));
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
extern const struct lf_job_kind job__kind_task;
const struct lf_job_kind *const lf_job_kinds[] = {
    &job__kind_deliver, &job__kind_collect, &job__kind_task, &job__kind_procedure, &brew, NULL,
};

/* What `labferry jobs kind=KIND` answers: a list, owned. */
static cJSON *listed(struct job_case *c, const char *kind)
{
    struct lf_context context = {.config = c->config, .journal = c->journal, .jobs = c->jobs};
    cJSON *args = cJSON_CreateObject(), *result = NULL;
    NEED(lf_json_set_text(args, "kind", kind));
    struct lf_verb_request request = {.verb = "jobs", .args = args, .who = "test"};
    struct lf_error err = {0};
    bool settled = false;
    CHECK_INT(lf_verb_perform(&context, &request, &settled, &result, &err), LF_OK);
    CHECK_STR(err.text, "");
    cJSON_Delete(args);
    return result;
}

static void one_row(void)
{
    case_config = "instruments = ( { name = \"robot\"; driver = \"fake\"; } );\n"
                  "routes = ( { name = \"tea\"; on = \"entity.registered\"; job = \"brew\"; instrument = "
                  "\"robot\"; } );\n";
    struct job_case c;
    struct lf_error err = {0};
    case_open(&c); /* the configuration accepts its route */
    const struct lf_config_route *route = lf_config_route(c.config, "tea");
    CHECK_STR(route->kind->name, "brew");
    struct lf_intake_options options = {.config = c.config, .journal = c.journal, .jobs = c.jobs};
    struct lf_intake *intake = NULL;
    char now[LF_TIME_TEXT], event[300];
    lf_time_format(lf_clock_wall_ms(), now);
    snprintf(event, sizeof event,
             "{\"eventType\":\"v2.entity.registered\",\"id\":\"evt_1\",\"createdAt\":\"%s\","
             "\"entity\":{\"id\":\"bfi_1\",\"name\":\"Tea 1\"}}",
             now);
    NEED(lf_intake_open(&options, &intake, &err) == LF_OK);
    CHECK_INT(intake__add(intake, INTAKE_MQTT, NULL, lf_slice_text(event), NULL, &err),
              LF_OK); /* an event makes its job */
    lf_intake_close(intake);
    cJSON *list = listed(&c, "brew"); /* control lists it */
    int64_t id = lf_json_int(cJSON_GetArrayItem(list, 0), "id", 0);
    NEED(cJSON_GetArraySize(list) == 1);
    cJSON_Delete(list);
    list = listed(&c, "deliver");
    CHECK_INT(cJSON_GetArraySize(list), 0);
    cJSON_Delete(list);
    case_start(&c);
    CHECK(case_becomes(&c, id, LF_JOB_DONE));
    CHECK_STR(case_note(&c, id), "poured on robot");
    CHECK(core_history_has(c.journal, id, "heat: Tea 1 is hot"));
    case_close(&c);
}

UNIT_TESTS("job, kinds",
           {"a kind of job is added by one row: configuration, intake, runner and control know it", one_row})

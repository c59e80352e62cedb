// A mistyped name or value is refused before an instrument moves, or a task is told a value.
#include "ground.h"

#include "control/terms.h"
#include "core.h"

#include <stdio.h>
#include <string.h>

static struct ground ground;

static const struct {
    struct unit_row row;
    const char *procedure, *inputs, *refusal; // refusal NULL: accepted
} runs[] = {
    {{"inputs that the procedure takes are accepted"},
     "dispense",
     "{\"volume\":\"5\",\"rate\":\"1.5\"}",
     NULL},
    {{"a misspelt input is refused, not replaced by the default"},
     "dispense",
     "{\"volume\":\"5\",\"rate\":\"1.5\",\"rat\":\"1\"}",
     "unknown input 'rat'; did you mean \"rate\"?"},
    {{"a missing input is refused"}, "dispense", "{\"volume\":\"5\"}", "missing input 'rate'"},
    {{"a number out of bounds is refused"},
     "dispense",
     "{\"volume\":\"10000\",\"rate\":\"1\"}",
     "out of bounds"},
    {{"a text in place of a number is refused"},
     "dispense",
     "{\"volume\":\"5ml\",\"rate\":\"1\"}",
     "is not a number"},
    {{"a procedure that does not exist is refused"}, "dispence", "{}", "dispence"},
    {{"without any input the first that is missing is named"}, "dispense", NULL, "missing input"},
};

static void run_row(void)
{
    const typeof(*runs) *row = unit_row();
    struct lf_error err = {0};
    cJSON *inputs = row->inputs ? cJSON_Parse(row->inputs) : NULL;
    ground_profile = "new-era.profile";
    ground_open(&ground);
    enum lf_status status = control__accept_run(&ground.context, "balance-1", row->procedure, inputs, &err);
    CHECK_INT(status == LF_OK, row->refusal == NULL);
    CHECK_HAS(err.text, row->refusal ? row->refusal : "");
    CHECK_INT(ground_jobs(&ground), 0);
    cJSON_Delete(inputs);
    ground_close(&ground);
}

static const struct {
    struct unit_row row;
    const char *route, *values, *refusal;
} confirms[] = {
    {{"values that the procedure reports are accepted"},
     "weigh",
     "{\"weight\":\"12.5\",\"unit\":\"g\"}",
     NULL},
    {{"a misspelt value is refused, with those there are"},
     "weigh",
     "{\"wieght\":\"12.5\",\"unit\":\"g\"}",
     "reports no value \"wieght\", but weight, unit; did you mean \"weight\"?"},
    {{"a value that the task needs must be given"},
     "weigh",
     "{\"unit\":\"g\"}",
     "needs the value \"weight\""},
    {{"a value that the task does not need may be left out"}, "weigh", "{\"weight\":\"12.5\"}", NULL},
    {{"a text in place of a value that is a number is refused"},
     "weigh",
     "{\"weight\":\"12,5\"}",
     "must be a number such as -12.5, not"},
    {{"without a route no value is needed"}, NULL, "{}", NULL},
};

static void confirm_row(void)
{
    static struct lf_config_map outputs[] = {{.name = "weight", .field = "Mass"}};
    static const struct lf_config_kind kind = {.name = "task", .claims = true};
    struct lf_config_route route = {.name = "weigh", .kind = &kind, .outputs = outputs, .output_count = 1};
    const typeof(*confirms) *row = unit_row();
    struct lf_error err = {0};
    cJSON *values = cJSON_Parse(row->values);
    ground_profile = "mt-sics.profile";
    ground_open(&ground);
    ground.config.routes = &route;
    ground.config.route_count = 1;
    struct lf_job job = {.kind = (char *)"task",
                         .route = (char *)row->route,
                         .instrument = (char *)"balance-1",
                         .key = (char *)"k",
                         .state = LF_JOB_HELD,
                         .step = "run",
                         .class = LF_UNKNOWN_OUTCOME,
                         .fields = cJSON_Parse("{\"procedure\":\"weigh\"}")};
    NEED(lf_journal_job_add(ground.context.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_job_save(ground.context.journal, &job, UNIT_ERROR) == LF_OK);
    enum lf_status status = control__accept_values(&ground.context, job.id, values, &err);
    CHECK_INT(status == LF_OK, row->refusal == NULL);
    CHECK_HAS(err.text, row->refusal ? row->refusal : "");
    cJSON_Delete(job.fields);
    cJSON_Delete(values);
    ground_close(&ground);
}

UNIT_TESTS("terms", UNIT_ROWS(runs, run_row), UNIT_ROWS(confirms, confirm_row), )

// A mistyped name or value is refused before an instrument moves, or a value reaches a task.
#include "ground.h"

#include "control/terms.h"
#include "core.h"
#include "drivers/driver.h"

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

// A job that cannot be confirmed is asked for no values first.
static const struct {
    struct unit_row row;
    enum lf_job_state state;
    const char *step, *values;
} elsewhere[] = {
    {{"a job that is held before its action is not asked for values"}, LF_JOB_HELD, "check", "{}"},
    {{"nor one that is held after it"}, LF_JOB_HELD, "report", "{}"},
    {{"nor one that has failed"}, LF_JOB_FAILED, "run", "{}"},
    {{"nor one that waits, whose values may be wrong"}, LF_JOB_WAITING, "run", "{\"wieght\":\"1\"}"},
};

static void confirm_elsewhere(void)
{
    static struct lf_config_map outputs[] = {{.name = "weight", .field = "Mass"}};
    static const struct lf_config_kind kind = {.name = "task", .claims = true};
    struct lf_config_route route = {.name = "weigh", .kind = &kind, .outputs = outputs, .output_count = 1};
    const typeof(*elsewhere) *row = unit_row();
    struct lf_error err = {0};
    bool settled;
    cJSON *result = NULL, *args = cJSON_CreateObject();
    ground_open(&ground);
    ground.config.routes = &route;
    ground.config.route_count = 1;
    struct lf_job job = {.kind = (char *)"task",
                         .route = (char *)"weigh",
                         .instrument = (char *)"balance-1",
                         .key = (char *)"k",
                         .state = row->state,
                         .fields = cJSON_Parse("{\"procedure\":\"weigh\"}")};
    snprintf(job.step, sizeof job.step, "%s", row->step);
    NEED(lf_journal_job_add(ground.context.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    NEED(lf_json_set_int(args, "job", job.id) && lf_json_set(args, "values", cJSON_Parse(row->values)));
    struct lf_verb_request request = {.verb = "confirm", .args = args, .who = "test"};
    CHECK_INT(lf_verb_perform(&ground.context, &request, &settled, &result, &err), LF_REFUSED);
    CHECK_HAS(err.text, "it cannot be confirmed: only a held action of an instrument can be");
    cJSON_Delete(job.fields);
    cJSON_Delete(args);
    ground_close(&ground);
}

// ---- a driver that knows nothing beforehand ----

static bool edited; // a mistake is in its profile since the agent started

static enum lf_status plain_open(const struct lf_values *values, const struct lf_host *host, void **device,
                                 struct lf_error *err)
{
    (void)values;
    CHECK(host->instrument && host->agent);
    *device = &edited;
    return edited ? lf_fail(err, LF_INVALID, LF_PERMANENT, "x.profile:3:1: unknown word") : LF_OK;
}

static void plain_close(void *device)
{
    (void)device;
}

static enum lf_status plain_connect(void *device, struct lf_error *err)
{
    (void)device;
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "nobody is there");
}

static enum lf_status plain_repeat(void *device, const struct lf_action *action, enum lf_repeat *repeat,
                                   struct lf_error *err)
{
    (void)device, (void)action, (void)err;
    *repeat = LF_ONCE;
    return LF_OK;
}

static enum lf_status plain_act(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                struct lf_error *err)
{
    (void)device, (void)action, (void)outcome, (void)err;
    return LF_OK;
}

static const struct lf_setting no_settings[] = {{0}};
static const struct lf_driver plain = {.abi = LF_DRIVER_ABI,
                                       .name = "plain",
                                       .help = "For this test.",
                                       .can = LF_CAN_RUN,
                                       .settings = no_settings,
                                       .open = plain_open,
                                       .close = plain_close,
                                       .connect = plain_connect,
                                       .disconnect = plain_close,
                                       .repeat = plain_repeat,
                                       .act = plain_act};

static const struct {
    struct unit_row row;
    bool edited;
} unknowns[] = {
    {{"a driver that describes nothing refuses no name"}, false},
    {{"a profile that was edited into a mistake stops neither run nor confirm"}, true},
};

static void nothing_known(void)
{
    const typeof(*unknowns) *row = unit_row();
    struct lf_error err = {0};
    cJSON *values = cJSON_Parse("{\"weight\":\"1\"}");
    ground_driver = &plain;
    ground_open(&ground);
    edited = row->edited;
    CHECK_INT(control__accept_run(&ground.context, "balance-1", "anything", values, &err), LF_OK);
    struct lf_job job = {.kind = (char *)"procedure",
                         .instrument = (char *)"balance-1",
                         .key = (char *)"k",
                         .state = LF_JOB_HELD,
                         .step = "run",
                         .fields = cJSON_Parse("{\"procedure\":\"anything\"}")};
    NEED(lf_journal_job_add(ground.context.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    CHECK_INT(control__accept_values(&ground.context, job.id, values, &err), LF_OK);
    edited = false;
    cJSON_Delete(job.fields);
    cJSON_Delete(values);
    ground_close(&ground);
    ground_driver = NULL;
}

UNIT_TESTS("terms", UNIT_ROWS(runs, run_row), UNIT_ROWS(confirms, confirm_row),
           UNIT_ROWS(elsewhere, confirm_elsewhere), UNIT_ROWS(unknowns, nothing_known), )

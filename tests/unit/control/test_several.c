// A verb for all jobs that fit finds each of them, and changes all or none.
#include "ground.h"

#include "control/verbs.h"
#include "core.h"

#include <stdio.h>
#include <string.h>

static struct ground ground;
static struct lf_error err;

static int64_t add(enum lf_job_state state, const char *instrument)
{
    static int count;
    char key[20];
    snprintf(key, sizeof key, "k%d", count++);
    struct lf_job job = {.kind = (char *)"deliver",
                         .instrument = (char *)instrument,
                         .key = key,
                         .state = state,
                         .step = "fetch"};
    NEED(lf_journal_job_add(ground.context.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    return job.id;
}

static enum lf_job_state state_of(int64_t id)
{
    struct lf_job job = core_job(ground.context.journal, id);
    enum lf_job_state state = job.state;
    lf_job_free(&job);
    return state;
}

// How many jobs it changed; -1: refused, with the reason in err.
static int perform(const char *verb, const char *args)
{
    struct lf_verb_request request = {.verb = verb, .args = cJSON_Parse(args), .who = "test"};
    cJSON *result = NULL;
    bool settled;
    memset(&err, 0, sizeof err);
    enum lf_status status = lf_verb_perform(&ground.context, &request, &settled, &result, &err);
    int count = status == LF_OK ? cJSON_GetArraySize(result) : -1;
    cJSON_Delete((cJSON *)request.args);
    cJSON_Delete(result);
    return count;
}

// Makes so many at once, or the test would take minutes.
static void add_many(enum lf_job_state state, const char *instrument, int count)
{
    NEED(lf_journal_begin(ground.context.journal, UNIT_ERROR) == LF_OK);
    for (int i = 0; i < count; i++)
        add(state, instrument);
    NEED(lf_journal_end(ground.context.journal, LF_OK, UNIT_ERROR) == LF_OK);
}

static void behind_those_that_ended(void)
{
    ground_open(&ground);
    int64_t held = add(LF_JOB_HELD, "balance-1"), waiting = add(LF_JOB_WAITING, "balance-1");
    int64_t other = add(LF_JOB_HELD, "balance-2");
    add_many(LF_JOB_DONE, "balance-1", 1001);
    CHECK_INT(perform("retry", "{\"all\":true,\"instrument\":\"balance-1\",\"state\":\"held\"}"), 1);
    CHECK_INT(state_of(held), LF_JOB_READY);
    CHECK_INT(perform("cancel", "{\"all\":true,\"instrument\":\"balance-1\"}"), 2);
    CHECK_INT(state_of(held), LF_JOB_CANCELLED);
    CHECK_INT(state_of(waiting), LF_JOB_CANCELLED);
    CHECK_INT(state_of(other), LF_JOB_HELD);
    ground_close(&ground);
}

static void more_than_a_page(void)
{
    ground_open(&ground);
    add_many(LF_JOB_HELD, "balance-1", 1100);
    CHECK_INT(perform("cancel", "{\"all\":true,\"state\":\"held\"}"), 1100);
    CHECK_INT(perform("cancel", "{\"all\":true,\"state\":\"held\"}"), 0);
    ground_close(&ground);
}

static void failed_ones(void)
{
    ground_open(&ground);
    int64_t failed = add(LF_JOB_FAILED, "balance-1"), done = add(LF_JOB_DONE, "balance-1");
    CHECK_INT(perform("retry", "{\"all\":true,\"state\":\"failed\"}"), 1);
    CHECK_INT(state_of(failed), LF_JOB_READY);
    CHECK_INT(perform("retry", "{\"all\":true,\"state\":\"done\"}"), -1);
    CHECK_HAS(err.text, "it cannot be retried");
    CHECK_INT(state_of(done), LF_JOB_DONE);
    ground_close(&ground);
}

static void all_or_none(void)
{
    char args[60];
    ground_open(&ground);
    int64_t held = add(LF_JOB_HELD, "balance-1"), done = add(LF_JOB_DONE, "balance-1");
    snprintf(args, sizeof args, "{\"job\":[%lld,%lld]}", (long long)held, (long long)done);
    CHECK_INT(perform("cancel", args), -1);
    CHECK_HAS(err.text, "nothing was changed: job ");
    CHECK_INT(state_of(held), LF_JOB_HELD);
    CHECK_INT(perform("cancel", "{\"all\":true}"), -1);
    CHECK_HAS(err.text, "say of which jobs");
    CHECK_INT(state_of(held), LF_JOB_HELD);
    ground_close(&ground);
}

// As a program may send a flag that it does not want.
static void a_flag_that_is_false(void)
{
    char args[80];
    ground_open(&ground);
    int64_t held = add(LF_JOB_HELD, "balance-1"), other = add(LF_JOB_HELD, "balance-1");
    CHECK_INT(perform("cancel", "{\"all\":false}"), -1);
    CHECK_HAS(err.text, "needs the argument \"job\"");
    CHECK_INT(perform("cancel", "{\"all\":false,\"instrument\":\"balance-1\"}"), -1);
    CHECK_INT(perform("acknowledge", "{\"all\":false}"), -1);
    CHECK_HAS(err.text, "needs the argument \"need\"");
    snprintf(args, sizeof args, "{\"job\":[%lld],\"all\":false}", (long long)held);
    CHECK_INT(perform("cancel", args), 1);
    CHECK_INT(state_of(held), LF_JOB_CANCELLED);
    CHECK_INT(state_of(other), LF_JOB_HELD);
    ground_close(&ground);
}

// Every flag of every verb, given as false, changes nothing of what is checked.
static void every_flag_may_be_false(void)
{
    const struct lf_verb *verb;
    int flags = 0;
    for (size_t i = 0; (verb = lf_verb_remote_at(i)); i++)
        for (const struct lf_arg *arg = verb->args; arg && arg->name; arg++) {
            const struct lf_verb *checked;
            cJSON *args = NULL;
            if (arg->type != LF_ARG_BOOL || arg->flags & LF_ARG_LOCAL)
                continue;
            NEED(lf_verb_example(verb, &args, &err) == LF_OK);
            cJSON_DeleteItemFromObjectCaseSensitive(args, arg->name);
            NEED(lf_json_set_bool(args, arg->name, false));
            CHECK_INT(lf_verb_check(lf_verb_at, verb->name, args, &checked, &err), LF_OK);
            cJSON_Delete(args);
            flags++;
        }
    CHECK(flags >= 4);
}

UNIT_TESTS("several",
           {"all jobs that fit are found behind a thousand that have ended", behind_those_that_ended},
           {"all jobs that fit are found, also more than a thousand", more_than_a_page},
           {"failed jobs are retried when their state is named; those that cannot be are refused",
            failed_ones},
           {"if one of several jobs is refused, none is changed", all_or_none},
           {"a flag that is false is as good as left out", a_flag_that_is_false},
           {"every verb takes each of its flags as false", every_flag_may_be_false}, )

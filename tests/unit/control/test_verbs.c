#include "ground.h"

#include <stdlib.h>

// Checks a verb with arguments given as JSON (NULL: none); the error's text stays until the next call.
static enum lf_status check(const char *verb, const char *json, const char **text)
{
    static struct lf_error err;
    const struct lf_verb *found;
    cJSON *args = json ? cJSON_Parse(json) : NULL;
    err = (struct lf_error){0};
    enum lf_status status = lf_verb_check(verb, args, &found, &err);
    cJSON_Delete(args);
    *text = err.text;
    return status;
}

static void good_requests(void)
{
    const char *text;
    CHECK_INT(check("status", NULL, &text), LF_OK);
    CHECK_INT(check("status", "null", &text), LF_OK);
    CHECK_INT(check("jobs", "{\"state\": \"held\", \"limit\": 5}", &text), LF_OK);
    CHECK_INT(check("run",
                    "{\"instrument\": \"b\", \"procedure\": \"weigh\", \"inputs\": {\"volume\": \"50\"}}",
                    &text),
              LF_OK);
    CHECK_INT(check("ask", "{\"instrument\": \"b\", \"command\": \"tare\", \"once\": true}", &text), LF_OK);
}

static void wrong_verbs(void)
{
    const char *text;
    CHECK_INT(check("stauts", NULL, &text), LF_INVALID);
    CHECK_HAS(text, "did you mean \"status\"");
    CHECK_HAS(text, "pause");
    CHECK_INT(check(NULL, NULL, &text), LF_INVALID);
    CHECK_INT(check("", NULL, &text), LF_INVALID);
    CHECK_INT(check("abracadabra", NULL, &text), LF_INVALID);
    CHECK_HAS(text, "abracadabra");
}

static void wrong_arguments(void)
{
    const char *text;
    CHECK_INT(check("jobs", "{\"sate\": \"held\"}", &text), LF_INVALID);
    CHECK_HAS(text, "did you mean \"state\"");
    CHECK_INT(check("status", "{\"x\": 1}", &text), LF_INVALID);
    CHECK_HAS(text, "no arguments");
    CHECK_INT(check("retry", "{}", &text), LF_INVALID);
    CHECK_HAS(text, "needs the argument \"id\"");
    CHECK_INT(check("retry", NULL, &text), LF_INVALID);
    CHECK_INT(check("retry", "[]", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"id\": \"12\"}", &text), LF_INVALID);
    CHECK_HAS(text, "a whole number above 0");
    CHECK_INT(check("retry", "{\"id\": 1.5}", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"id\": -1}", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"id\": 0}", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"id\": null}", &text), LF_INVALID);
    CHECK_INT(check("pause", "{\"instrument\": \"\"}", &text), LF_INVALID);
    CHECK_INT(check("pause", "{\"instrument\": 5}", &text), LF_INVALID);
    CHECK_INT(check("ask", "{\"instrument\": \"b\", \"command\": \"tare\", \"once\": \"yes\"}", &text),
              LF_INVALID);
    CHECK_HAS(text, "true or false");
    CHECK_INT(check("run", "{\"instrument\": \"b\", \"procedure\": \"p\", \"inputs\": {\"volume\": 50}}",
                    &text),
              LF_INVALID);
    CHECK_HAS(text, "volume");
    CHECK_INT(check("run", "{\"instrument\": \"b\", \"procedure\": \"p\", \"inputs\": [1]}", &text),
              LF_INVALID);
}

static void second_of_a_name(void)
{
    const char *text;
    CHECK_INT(check("retry", "{\"id\": 1, \"id\": \"x\"}", &text), LF_INVALID);
}

static cJSON *perform(struct ground *ground, const char *verb, const char *json, enum lf_status expected,
                      const char *part)
{
    struct lf_error err = {0};
    cJSON *args = json ? cJSON_Parse(json) : NULL, *result = NULL;
    struct lf_request_to_verb request = {.verb = verb, .args = args, .who = "cli:test"};
    CHECK_INT(lf_verb_perform(&ground->context, &request, &result, &err), expected);
    if (part)
        CHECK_HAS(err.text, part);
    cJSON_Delete(args);
    return result;
}

static void refused_with_what_is_right(void)
{
    struct ground ground;
    ground_open(&ground);
    cJSON_Delete(
        perform(&ground, "instruments", "{\"name\": \"balance-2\"}", LF_NOT_FOUND, "there are balance-1"));
    cJSON_Delete(perform(&ground, "pause", "{\"instrument\": \"balance-2\"}", LF_NOT_FOUND, "balance-1"));
    cJSON_Delete(perform(&ground, "jobs", "{\"state\": \"hold\"}", LF_INVALID, "held"));
    cJSON_Delete(perform(&ground, "events", "{\"fate\": \"gone\"}", LF_INVALID, "unrouted"));
    cJSON_Delete(perform(&ground, "job", "{\"id\": 77}", LF_NOT_FOUND, "77"));
    cJSON_Delete(perform(&ground, "event", "{\"id\": \"evt_x\"}", LF_NOT_FOUND, "evt_x"));
    cJSON_Delete(perform(&ground, "run", "{\"instrument\": \"balance-1\", \"procedure\": \"wiegh\"}",
                         LF_NOT_FOUND, "weigh"));
    cJSON_Delete(perform(&ground, "send", "{\"instrument\": \"balance-1\", \"name\": \"x.csv\"}", LF_INVALID,
                         "labferry send"));
    cJSON_Delete(perform(&ground, "ask",
                         "{\"instrument\": \"balance-1\", \"command\": \"weigh\", \"timeout_s\": 100000}",
                         LF_INVALID, "600"));
    CHECK_INT(ground_jobs(&ground), 0);
    ground_close(&ground);
}

static void pause_outlives_a_restart(void)
{
    struct ground ground;
    ground_open(&ground);
    cJSON *list = perform(&ground, "pause", "{\"instrument\": \"all\", \"why\": \"cleaning\"}", LF_OK, NULL);
    CHECK(lf_json_bool(cJSON_GetArrayItem(list, 0), "paused", false));
    cJSON_Delete(list);
    ground_close(&ground);
    ground_open(&ground);
    char *why;
    NEED(lf_journal_get(ground.context.journal, "paused.balance-1", &why, NULL) == LF_OK);
    CHECK_HAS(why, "cleaning");
    CHECK_HAS(why, "cli:test");
    free(why);
    cJSON_Delete(perform(&ground, "resume", "{\"instrument\": \"balance-1\"}", LF_OK, NULL));
    CHECK_INT(lf_journal_get(ground.context.journal, "paused.balance-1", &why, NULL), LF_OK);
    CHECK(why == NULL);
    ground_close(&ground);
}

static void a_job_from_run_to_cancel(void)
{
    struct ground ground;
    ground_open(&ground);
    cJSON *job = perform(&ground, "run", "{\"instrument\": \"balance-1\", \"procedure\": \"weigh\"}", LF_OK,
                         NULL);
    CHECK_STR(lf_json_text(job, "state"), "ready");
    CHECK_INT(lf_json_int(job, "id", 0), 1);
    cJSON_Delete(job);
    cJSON *list = perform(&ground, "jobs", "{\"state\": \"open\", \"instrument\": \"balance-1\"}", LF_OK,
                          NULL);
    CHECK_INT(cJSON_GetArraySize(list), 1);
    cJSON_Delete(list);
    job = perform(&ground, "cancel", "{\"id\": 1, \"why\": \"wrong balance\"}", LF_OK, NULL);
    CHECK_STR(lf_json_text(job, "state"), "cancelled");
    cJSON_Delete(job);
    job = perform(&ground, "job", "{\"id\": 1}", LF_OK, NULL);
    const cJSON *history = lf_json_at(job, "history"),
                *last = cJSON_GetArrayItem(history, cJSON_GetArraySize(history) - 1);
    CHECK_STR(lf_json_text(last, "who"), "cli:test");
    CHECK_HAS(lf_json_text(last, "text"), "wrong balance");
    cJSON_Delete(job);
    cJSON_Delete(perform(&ground, "cancel", "{\"id\": 1}", LF_REFUSED, "cancelled"));
    ground_close(&ground);
}

UNIT_TESTS("verbs", {"requests as they should be are taken", good_requests},
           {"an unknown verb is refused with the nearest and all there are", wrong_verbs},
           {"a wrong argument is refused with what would be right", wrong_arguments},
           {"an argument given twice is checked twice", second_of_a_name},
           {"what is not there is refused with what is, and makes no job", refused_with_what_is_right},
           {"a pause outlives a restart, with who and why; resume ends it", pause_outlives_a_restart},
           {"a run becomes a job that is listed, told of and cancelled, with who did it",
            a_job_from_run_to_cancel}, )

#include "ground.h"

#include "base/clock.h"
#include "control/verbs.h"
#include "journal/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Checks a verb with arguments given as JSON (NULL: none); the error's text stays until the next call.
static enum lf_status check(const char *verb, const char *json, const char **text)
{
    static struct lf_error err;
    const struct lf_verb *found;
    cJSON *args = json ? cJSON_Parse(json) : NULL;
    err = (struct lf_error){0};
    enum lf_status status = lf_verb_check(lf_verb_at, verb, args, &found, &err);
    cJSON_Delete(args);
    *text = err.text;
    return status;
}

static void texts_are_whole(void)
{
    struct lf_error err = {0};
    cJSON *json;
    const char cut[] = "{\"why\":\"a\\\\b\\u0000c\"}", whole[] = "{\"why\":\"a\\\\u0000\"}";
    CHECK_INT(control__parse(lf_slice_text(cut), &json, &err), LF_INVALID);
    CHECK_HAS(err.text, "\\u0000 at byte 12");
    CHECK_INT(control__parse(lf_slice_text(whole), &json, &err), LF_OK);
    CHECK_STR(lf_json_text(json, "why"), "a\\u0000");
    cJSON_Delete(json);
    CHECK_INT(control__parse(lf_slice_text(""), &json, &err), LF_INVALID);
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
    CHECK_INT(check("audit", "{\"job\": 1, \"about\": \"x\"}", &text), LF_INVALID);
    CHECK_HAS(text, "give \"job\" or \"about\", not both");
    CHECK_INT(check("audit", "{\"from\": 1, \"about\": \"x\"}", &text), LF_INVALID);
    CHECK_INT(check("jobs", "{\"sate\": \"held\"}", &text), LF_INVALID);
    CHECK_HAS(text, "did you mean \"state\"");
    CHECK_INT(check("status", "{\"x\": 1}", &text), LF_INVALID);
    CHECK_HAS(text, "no arguments");
    CHECK_INT(check("retry", "{}", &text), LF_INVALID);
    CHECK_HAS(text, "needs the argument \"job\"");
    CHECK_INT(check("retry", NULL, &text), LF_INVALID);
    CHECK_INT(check("retry", "[]", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"job\": \"12\"}", &text), LF_INVALID);
    CHECK_HAS(text, "a whole number above 0");
    CHECK_INT(check("retry", "{\"job\": 1.5}", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"job\": -1}", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"job\": 0}", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"job\": null}", &text), LF_INVALID);
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
    CHECK_INT(check("retry", "{\"job\": 1, \"job\": \"x\"}", &text), LF_INVALID);
    CHECK_INT(check("retry", "{\"job\": 1, \"job\": 2}", &text), LF_INVALID);
    CHECK_HAS(text, "\"job\" is given twice");
    CHECK_INT(check("run",
                    "{\"instrument\": \"b\", \"procedure\": \"p\", \"inputs\": {\"v\": \"1\", \"v\": \"2\"}}",
                    &text),
              LF_INVALID);
    CHECK_HAS(text, "\"v\" is given twice");
    CHECK_INT(check("confirm", "{\"job\": 1, \"values\": {\"v\": \"1\", \"v\": \"1\"}}", &text), LF_INVALID);
}

static void above_the_bound(void)
{
    const char *text;
    CHECK_INT(check("jobs", "{\"limit\": 1000}", &text), LF_OK);
    static const char *const lists[] = {"jobs", "events", "audit"};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(check(lists[i], "{\"limit\": 1001}", &text), LF_INVALID);
        CHECK_HAS(text, "at most 1000");
    }
    CHECK_INT(check("ask", "{\"instrument\": \"b\", \"command\": \"c\", \"timeout\": \"10m\"}", &text),
              LF_OK);
    CHECK_INT(check("retry", "{\"job\": []}", &text), LF_INVALID);
    CHECK_HAS(text, "1 to 1000 values, not 0");
    CHECK_INT(check("retry", "{\"job\": [1, \"x\"]}", &text), LF_INVALID);
    CHECK_INT(check("cancel", "{\"job\": 1, \"all\": true}", &text), LF_INVALID);
    CHECK_HAS(text, "give \"all\" or \"job\", not both");
    CHECK_INT(check("cancel", "{\"job\": 1, \"instrument\": \"b\"}", &text), LF_INVALID);
    CHECK_HAS(text, "\"instrument\" goes with \"all\"");
    CHECK_INT(check("ask", "{\"instrument\": \"b\", \"command\": \"c\", \"timeout\": \"601s\"}", &text),
              LF_INVALID);
    CHECK_HAS(text, "at most 10 min");
}

static void one_spelling(void)
{
    CHECK(lf_verb_find("audit-verify") != NULL);
    CHECK(lf_verb_find("audit_verify") == lf_verb_find("audit-verify"));
    CHECK(lf_verb_find("audit verify") == lf_verb_find("audit-verify"));
    CHECK(lf_verb_find("audit-") == NULL);
    CHECK(lf_verb_find("audit verify now") == NULL);
}

/* ---- rows ---- */

static void check_arg(const struct lf_verb *verb, const struct lf_arg *arg)
{
    char shown[LF_ARG_SHOWN];
    CHECK(arg->help && *arg->help);
    CHECK(strcspn(arg->name, "_. =") == strlen(arg->name));
    CHECK(*lf_arg_value(arg, shown));
    for (const struct lf_arg *after = arg + 1; arg->flags & LF_ARG_REST && after->name; after++)
        CHECK(!(after->flags & LF_ARG_POSITIONAL));
    for (const struct lf_arg *other = verb->args; other != arg; other++)
        CHECK(strcmp(other->name, arg->name) != 0);
}

static void complete_rows(void)
{
    const struct lf_verb *verb;
    size_t count = 0;
    for (; (verb = lf_verb_at(count)); count++) {
        cJSON *args = NULL, *json;
        const struct lf_verb *found;
        struct lf_error err = {0};
        char *synopsis = lf_verb_synopsis(verb);
        CHECK(verb->perform && verb->summary && verb->examples && synopsis);
        CHECK(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", *verb->summary) != NULL);
        CHECK_STR(verb->summary + strlen(verb->summary) - 1, ".");
        CHECK(!(verb->flags & LF_VERB_ATOMIC) || verb->flags & LF_VERB_CHANGES);
        for (const struct lf_arg *arg = verb->args; arg && arg->name; arg++)
            check_arg(verb, arg);
        CHECK_INT(lf_verb_example(verb, &args, &err), LF_OK);
        CHECK_INT(lf_verb_check(lf_verb_at, verb->name, args, &found, &err), LF_OK);
        CHECK((json = lf_verb_json(verb)) != NULL);
        CHECK_INT(cJSON_GetArraySize(lf_json_at(json, "args")) > 0, verb->args != NULL);
        cJSON_Delete(json);
        cJSON_Delete(args);
        free(synopsis);
    }
    CHECK(count > 10);
}

/* ---- words ---- */

// The arguments that these words make, as JSON text; or the error.
static void expect_words(const char *verb, int count, const char *const *words, const char *expected)
{
    struct lf_error err = {0};
    cJSON *args = NULL;
    enum lf_status status = lf_verb_read_words(lf_verb_find(verb), NULL, count, words, &args, &err);
    char *text = status == LF_OK ? lf_json_print(args) : strdup(err.text);
    NEED(text);
    CHECK_HAS(text, expected);
    CHECK_INT(status == LF_OK, *expected == '{');
    free(text);
    cJSON_Delete(args);
}

#define WORDS(verb, expected, ...)                                                                           \
    expect_words(verb, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                               \
                 (const char *[]){__VA_ARGS__}, expected)

static void words_to_arguments(void)
{
    WORDS("cancel", "{\"why\":\"plate was dropped\",\"job\":12}", "--why", "plate was dropped", "12");
    WORDS("cancel", "{\"job\":[1400,1401,1402]}", "1400", "1401", "1402");
    WORDS("cancel", "a whole number above 0, not \"plate\"", "12", "plate", "was", "dropped");
    WORDS("pause", "{\"instrument\":[\"a\",\"b\"]}", "a", "b");
    WORDS("run", "{\"instrument\":\"p\",\"procedure\":\"d\",\"inputs\":{\"a\":\"1\",\"b\":\"x=y\"}}", "p",
          "d", "a=1", "b=x=y");
    WORDS("jobs", "{\"limit\":5,\"state\":\"held\"}", "--limit=5", "--state", "held");
    WORDS("ask", "{\"instrument\":\"b\",\"once\":true,\"command\":\"-x\"}", "b", "--once", "--", "-x");
    WORDS("job", "\"3\"", "2", "3");
    WORDS("job", "--waitt\": did you mean \"--wait\"", "2", "--waitt");
    WORDS("job", "whole number above 0, not \"x\"", "x");
    WORDS("jobs", "--limit N", "--limit");
    WORDS("ask", "--once takes no value", "b", "c", "--once=1");
    WORDS("ask", "30s", "b", "c", "--timeout", "soon");
    WORDS("run", "name=value", "b", "c", "=1");
    WORDS("run", "\"a\" is given twice", "b", "c", "a=1", "a=2");
    WORDS("ask", "\"a\" is given twice", "b", "c", "a=1", "a=1");
    WORDS("confirm", "\"a\" is given twice", "1", "a=1", "a=2");
    WORDS("jobs", "\"limit\" is given twice", "--limit", "5", "--limit=6");
    WORDS("jobs", "at most 1000", "--limit", "5000");
    WORDS("audit", "did you mean \"held\"", "--what", "helt");
    WORDS("event", "UTF-8", "\xff");
    WORDS("audit", "2h", "--since", "yesterday");
    WORDS("audit", "{\"since\":\"2h\"}", "--since", "2h");
}

static void local_arguments_stay_local(void)
{
    const char *text;
    CHECK_INT(check("job", "{\"job\": 1, \"wait\": true}", &text), LF_INVALID);
    CHECK_HAS(text, "no argument \"wait\"");
    CHECK_INT(check("audit-verify", "{\"file\": \"x\"}", &text), LF_INVALID);
}

/* ---- performing ---- */

static cJSON *perform(struct ground *ground, const char *verb, const char *json, enum lf_status expected,
                      const char *part)
{
    struct lf_error err = {0};
    cJSON *args = json ? cJSON_Parse(json) : NULL, *result = NULL;
    struct lf_verb_request request = {.verb = verb, .args = args, .who = "cli:test"};
    bool settled;
    CHECK_INT(lf_verb_perform(&ground->context, &request, &settled, &result, &err), expected);
    CHECK(settled);
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
        perform(&ground, "instruments", "{\"instrument\": \"balance-2\"}", LF_NOT_FOUND, "balance-1"));
    cJSON_Delete(perform(&ground, "pause", "{\"instrument\": \"balance-2\"}", LF_NOT_FOUND, "balance-1"));
    cJSON_Delete(perform(&ground, "jobs", "{\"state\": \"hold\"}", LF_INVALID, "held"));
    cJSON_Delete(perform(&ground, "jobs", "{\"instrument\": \"balanse-1\"}", LF_NOT_FOUND,
                         "the instruments are balance-1; did you mean \"balance-1\"?"));
    cJSON_Delete(perform(&ground, "jobs", "{\"instrument\": \"balance-1\"}", LF_OK, NULL));
    cJSON_Delete(perform(&ground, "audit", "{\"what\": \"bogus\"}", LF_INVALID, "acting"));
    cJSON_Delete(perform(&ground, "events", "{\"fate\": \"gone\"}", LF_INVALID, "unrouted"));
    cJSON_Delete(perform(&ground, "job", "{\"job\": 77}", LF_NOT_FOUND, "77"));
    cJSON_Delete(perform(&ground, "event", "{\"event\": \"evt_x\"}", LF_NOT_FOUND, "evt_x"));
    cJSON_Delete(perform(&ground, "run", "{\"instrument\": \"balance-1\", \"procedure\": \"wiegh\"}",
                         LF_NOT_FOUND, "weigh"));
    cJSON_Delete(perform(&ground, "send", "{\"instrument\": \"balance-1\", \"file\": \"x.csv\"}", LF_INVALID,
                         "labferry send"));
    cJSON_Delete(perform(&ground, "ask",
                         "{\"instrument\": \"balance-1\", \"command\": \"weigh\", \"timeout\": \"11m\"}",
                         LF_INVALID, "10 min"));
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
    cJSON_Delete(perform(&ground, "pause", "{\"instrument\": \"balance-1\"}", LF_OK, NULL));
    ground_close(&ground);
    ground_open(&ground);
    char *why;
    NEED(lf_journal_get(ground.context.journal, "paused.balance-1", &why, UNIT_ERROR) == LF_OK);
    CHECK_HAS(why, "cleaning"); /* a pause without a reason does not take it away */
    CHECK_HAS(why, "cli:test");
    free(why);
    cJSON_Delete(perform(&ground, "resume", "{\"instrument\": \"balance-1\"}", LF_OK, NULL));
    CHECK_INT(lf_journal_get(ground.context.journal, "paused.balance-1", &why, UNIT_ERROR), LF_OK);
    CHECK(why == NULL);
    ground_close(&ground);
}

static void pause_answers_with_what_follows(void)
{
    struct ground ground;
    ground_open(&ground);
    cJSON *before = lf_instrument_info(ground.instrument, NULL);
    for (int i = 0; i < 2; i++) {
        lf_sleep_until(lf_deadline_in(5), NULL);
        cJSON *list = perform(&ground, i ? "resume" : "pause", "{\"instrument\": \"balance-1\"}", LF_OK,
                              NULL);
        const cJSON *answer = cJSON_GetArrayItem(list, 0);
        cJSON *after = lf_instrument_info(ground.instrument, NULL);
        CHECK(strcmp(lf_json_text(answer, "since"), lf_json_text(before, "since")) > 0);
        CHECK(lf_json_bool(answer, "paused", i) == !i && lf_json_bool(after, "paused", i) == !i);
        cJSON_Delete(before);
        cJSON_Delete(list);
        before = after;
    }
    cJSON_Delete(before);
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
    job = perform(&ground, "cancel", "{\"job\": 1, \"why\": \"wrong balance\"}", LF_OK, NULL);
    CHECK_STR(lf_json_text(job, "state"), "cancelled");
    cJSON_Delete(job);
    job = perform(&ground, "job", "{\"job\": 1}", LF_OK, NULL);
    const cJSON *history = lf_json_at(job, "history"),
                *last = cJSON_GetArrayItem(history, cJSON_GetArraySize(history) - 1);
    CHECK_STR(lf_json_text(last, "who"), "cli:test");
    CHECK_HAS(lf_json_text(last, "text"), "wrong balance");
    cJSON_Delete(job);
    cJSON_Delete(perform(&ground, "cancel", "{\"job\": 1}", LF_REFUSED, "cancelled"));
    ground_close(&ground);
}

/* ---- auditing ---- */

static int recorded; /* bits of the states that were recorded */

static enum lf_status record(void *context, enum lf_verb_state state, const cJSON *result,
                             const struct lf_error *why, struct lf_error *err)
{
    (void)result;
    CHECK_INT(why != NULL, state == LF_VERB_FAILED);
    recorded |= 1 << state;
    return context && state == LF_VERB_SUCCEEDED ? lf_fail(err, LF_FULL, LF_TRANSIENT, "no room") : LF_OK;
}

static void keep_text(void *text, const struct lf_audit_entry *entry)
{
    snprintf(text, 500, "%.200s %.250s", entry->who, entry->text);
}

// The newest entry about commands; "" when there is none.
static const char *last_audited(struct ground *ground)
{
    static char text[500];
    struct lf_error err;
    struct lf_audit_filter filter = {.what = "command", .limit = 1};
    *text = '\0';
    NEED(lf_journal_audit_list(ground->context.journal, &filter, keep_text, text, &err) == LF_OK);
    return text;
}

static void perform_as(struct ground *ground, struct lf_verb_request *request, enum lf_status expected,
                       bool settles)
{
    struct lf_error err = {0};
    cJSON *result;
    bool settled;
    recorded = 0;
    CHECK_INT(lf_verb_perform(&ground->context, request, &settled, &result, &err), expected);
    CHECK_INT(settled, settles);
    CHECK_INT(result != NULL, expected == LF_OK);
    cJSON_Delete(result);
}

static void recorded_once(void)
{
    struct ground ground;
    ground_open(&ground);
    cJSON *args = cJSON_Parse("{\"instrument\": \"balance-1\", \"procedure\": \"weigh\"}");
    struct lf_verb_request request = {.verb = "jobs",
                                      .who = "cli:eve",
                                      .denied = "only operators may",
                                      .record = record};
    perform_as(&ground, &request, LF_OK, true); /* looking is for everybody, and not audited */
    CHECK_STR(last_audited(&ground), "");
    request.verb = "run";
    request.args = args;
    perform_as(&ground, &request, LF_DENIED, true);
    CHECK_INT(recorded, 1 << LF_VERB_FAILED);
    CHECK_HAS(last_audited(&ground), "only operators may");
    CHECK_HAS(last_audited(&ground), "failed");
    request.denied = NULL;
    request.context = &ground; /* the caller cannot store its answer: nothing has happened */
    perform_as(&ground, &request, LF_FULL, false);
    CHECK_INT(ground_jobs(&ground), 0);
    CHECK_HAS(last_audited(&ground), "only operators may");
    request.context = NULL;
    perform_as(&ground, &request, LF_OK, true);
    CHECK_INT(recorded, 1 << LF_VERB_RUNNING | 1 << LF_VERB_SUCCEEDED);
    CHECK_INT(ground_jobs(&ground), 1);
    CHECK_HAS(last_audited(&ground), "cli:eve run");
    CHECK_HAS(last_audited(&ground), "succeeded");
    cJSON_Delete(args);
    ground_close(&ground);
}

UNIT_TESTS("verbs", {"valid requests are accepted", good_requests},
           {"an unknown verb is refused, with the nearest name and all names", wrong_verbs},
           {"a wrong argument is refused, and the error says how to correct it", wrong_arguments},
           {"an argument or a member of one that is given twice is refused", second_of_a_name},
           {"a number or a duration above the bound of its row is refused, with the bound", above_the_bound},
           {"a request with a text that would end early, at a NUL, is refused", texts_are_whole},
           {"a verb has one name, which may also be written with '_' or as two words", one_spelling},
           {"each row has help, and its example is a valid request", complete_rows},
           {"words of a command line become arguments, or the error says how to correct them",
            words_to_arguments},
           {"arguments for the command line alone are refused everywhere else", local_arguments_stay_local},
           {"an action, its answer and its audit entry are stored together or not at all", recorded_once},
           {"an unknown name is refused with the known ones, and makes no job", refused_with_what_is_right},
           {"a pause survives a restart, with who and why; resume ends it", pause_outlives_a_restart},
           {"pause and resume answer with the state that follows, and since when",
            pause_answers_with_what_follows},
           {"a run becomes a job that is listed, reported and cancelled, with who did it",
            a_job_from_run_to_cancel}, )

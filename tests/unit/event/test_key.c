#include "event/event.h"
#include "event/key.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The key of a bare event. Returns owned. */
static char *key_of(const char *type, const char *id, const char *created, const char *resource,
                    const char *payload)
{
    char *text = lf_format("{\"eventType\":\"%s\",\"id\":\"%s\",\"createdAt\":\"%s\",\"%s\":%s}", type, id,
                           created, resource, payload);
    struct lf_event *event = NULL;
    struct lf_error err = {0};
    if (lf_event_decode(lf_slice_text(text), &event, &err))
        fprintf(stderr, "%s: %s\n", text, err.text);
    char *key = event ? lf_key_event(event) : NULL;
    lf_event_free(event);
    free(text);
    return key;
}

static void check_keys(bool same, char *a, char *b)
{
    CHECK(a && b && (!strcmp(a, b)) == same);
    if (a && b && (!strcmp(a, b)) != same)
        fprintf(stderr, "%s\n%s\n", a, b);
    free(a);
    free(b);
}

#define GENERATOR "automationInputGenerator"
#define PROCESSOR "automationOutputProcessor"

static void twins_share_a_key(void)
{
    static const char file[] = "{\"id\":\"aif_1\",\"file\":{\"id\":\"f-1\"},\"status\":\"SUCCEEDED\"}";
    check_keys(true, key_of("v2." GENERATOR ".completed", "evt_1", "2026-01-01T00:00:00Z", GENERATOR, file),
               key_of("v2-beta." GENERATOR ".completed", "evt_2", "2026-01-01T00:00:00.9Z", GENERATOR, file));
    static const char task[] =
        "{\"id\":\"wftask_1\",\"status\":{\"id\":\"prsts_1\",\"displayName\":\"In progress\"}}";
    check_keys(true,
               key_of("v2.workflowTask.updated.status", "evt_1", "2026-01-01T00:00:01.200Z", "workflowTask",
                      task),
               key_of("v2-alpha.workflowTask.updated.status", "evt_2", "2026-01-01T00:00:01.207Z",
                      "workflowTask", task));
    check_keys(true,
               key_of("v2.assayRun.created", "evt_1", "2026-01-01T00:00:01Z", "assayRun", "{\"id\":\"r\"}"),
               key_of("v2-beta.assayRun.created", "evt_2", "2026-01-02T00:00:01Z", "assayRun",
                      "{\"id\":\"r\"}"));
}

static void new_files_get_new_keys(void)
{
    check_keys(false,
               key_of("v2." GENERATOR ".completed", "evt_1", "2026-01-01T00:00:00Z", GENERATOR,
                      "{\"id\":\"aif_1\",\"file\":{\"id\":\"f-1\"}}"),
               key_of("v2." GENERATOR ".completed", "evt_2", "2026-01-01T00:00:00Z", GENERATOR,
                      "{\"id\":\"aif_1\",\"file\":{\"id\":\"f-2\"}}"));
    check_keys(false,
               key_of("v2." PROCESSOR ".completed", "evt_1", "2026-01-01T00:00:00Z", PROCESSOR,
                      "{\"id\":\"aop_1\",\"file\":{\"id\":\"f-1\"},\"status\":\"FAILED\"}"),
               key_of("v2." PROCESSOR ".completed", "evt_2", "2026-01-01T00:00:00Z", PROCESSOR,
                      "{\"id\":\"aop_1\",\"file\":{\"id\":\"f-1\"},\"status\":\"SUCCEEDED\"}"));
    check_keys(false,
               key_of("v2." PROCESSOR ".completed", "evt_1", "2026-01-01T00:00:00Z", PROCESSOR,
                      "{\"id\":\"aop_1\",\"file\":{\"id\":\"f-1\"}}"),
               key_of("v2." PROCESSOR ".uploaded", "evt_2", "2026-01-01T00:00:00Z", PROCESSOR,
                      "{\"id\":\"aop_1\",\"file\":{\"id\":\"f-1\"}}"));
}

static void dates_are_not_part_of_a_key(void)
{
    check_keys(true,
               key_of("v2.workflowTask.updated.status", "evt_1", "2026-01-01T00:00:00Z", "workflowTask",
                      "{\"id\":\"w\",\"status\":{\"id\":\"p\"}}"),
               key_of("v2.workflowTask.updated.status", "evt_2", "2026-01-01T00:05:00Z", "workflowTask",
                      "{\"id\":\"w\",\"status\":{\"id\":\"p\"},\"modifiedAt\":\"2026-01-01T00:00:00.1Z\"}"));
    char *first = lf_key_occurrence("workflowTask.updated.status|w|p", "evt_1"),
         *second = lf_key_occurrence("workflowTask.updated.status|w|p", "evt_2");
    check_keys(false, first, second);
}

static void what_recurs(void)
{
    static const struct {
        const char *event;
        bool recurs;
    } cases[] = {
        {"{\"eventType\":\"v2.workflowTask.updated.status\",\"id\":\"e\",\"workflowTask\":{\"id\":\"w\",\"status\":{"
         "\"id\":\"p\"}}}",
         true},
        {"{\"eventType\":\"v2.entry.updated.fields\",\"id\":\"e\",\"entry\":{\"id\":\"n\"}}", true},
        {"{\"eventType\":\"v2.workflowTask.created\",\"id\":\"e\",\"workflowTask\":{\"id\":\"w\"}}", false},
        {"{\"eventType\":\"v2.automationInputGenerator.completed\",\"id\":\"e\",\"automationInputGenerator\":{"
         "\"id\":\"g\",\"file\":{\"id\":\"f\"}}}",
         false},
        {"{\"eventType\":\"v2.workflowTask.updated.status\",\"id\":\"e\",\"workflowTask\":{\"id\":\"w\"}}",
         false}, /* it says too little */
        {"{\"eventType\":\"v2.robot.danced\",\"id\":\"e\",\"robot\":{\"id\":\"r\"}}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_event *event;
        NEED(lf_event_decode(lf_slice_text(cases[i].event), &event, UNIT_ERROR) == LF_OK);
        CHECK_INT(lf_key_recurs(event), cases[i].recurs);
        lf_event_free(event);
    }
}

/* The digests of two messages, which may be in different envelopes. */
static void check_same(bool same, const char *a, const char *b)
{
    char digest[2][LF_SHA256_HEX];
    const char *texts[] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct lf_event *event;
        NEED(lf_event_decode(lf_slice_text(texts[i]), &event, UNIT_ERROR) == LF_OK);
        CHECK_INT(lf_event_digest(event, digest[i], UNIT_ERROR), LF_OK);
        lf_event_free(event);
    }
    CHECK_INT(!strcmp(digest[0], digest[1]), same);
}

static void one_event_however_it_comes(void)
{
    static const char bare[] =
        "{\"id\":\"e\",\"eventType\":\"v2.entry.created\",\"entry\":{\"id\":\"n\",\"name\":\"x\"}}";
    check_same(
        true, bare,
        "{\"detail-type\":\"v2.entry.created\",\"id\":\"aws-1\",\"time\":\"2026-01-01T00:00:00Z\",\"detail\":{ "
        "\"entry\":{\"name\":\"x\",\"id\":\"n\"},\"eventType\":\"v2.entry.created\",\"id\":\"e\"}}");
    check_same(false, bare,
               "{\"id\":\"e\",\"eventType\":\"v2.entry.created\",\"entry\":{\"id\":\"n\",\"name\":\"y\"}}");
    check_same(
        false, bare,
        "{\"id\":\"e\",\"eventType\":\"v2-beta.entry.created\",\"entry\":{\"id\":\"n\",\"name\":\"x\"}}");
    check_same(false, "{\"id\":\"e\",\"eventType\":\"v2.entry.created\",\"entry\":{\"a\":\"1\",\"b\":\"\"}}",
               "{\"id\":\"e\",\"eventType\":\"v2.entry.created\",\"entry\":{\"a\":\"\",\"b\":\"1\"}}");
}

static void resends_share_a_key_in_any_case(void)
{
    static const char *const dropped[][2] = {
        {GENERATOR, "{\"id\":\"aif_1\",\"file\":null}"},
        {GENERATOR, "null"},
        {GENERATOR, "{\"file\":{\"id\":\"f\"}}"},
    };
    for (size_t i = 0; i < 3; i++) {
        check_keys(true,
                   key_of("v2." GENERATOR ".completed", "evt_1", "2026-01-01T00:00:00Z", dropped[i][0],
                          dropped[i][1]),
                   key_of("v2." GENERATOR ".completed", "evt_1", "2026-01-01T00:00:00Z", dropped[i][0],
                          dropped[i][1]));
        check_keys(false,
                   key_of("v2." GENERATOR ".completed", "evt_1", "2026-01-01T00:00:00Z", dropped[i][0],
                          dropped[i][1]),
                   key_of("v2." GENERATOR ".completed", "evt_2", "2026-01-01T00:00:00Z", dropped[i][0],
                          dropped[i][1]));
    }
    check_keys(false, key_of("v2.robot.danced", "evt_1", "2026-01-01T00:00:00Z", "robot", "{\"id\":\"r\"}"),
               key_of("v2.robot.danced", "evt_2", "2026-01-01T00:00:00Z", "robot", "{\"id\":\"r\"}"));
}

static void on_names_events(void)
{
    static const struct {
        const char *on, *type;
        bool is;
    } cases[] = {
        {"workflowTask.created", "v2.workflowTask.created", true},
        {"workflowTask.created", "v2-beta.workflowTask.created", true},
        {"workflowTask.created", "v2-alpha.workflowTask.created", true},
        {"workflowTask.created", "v3.workflowTask.created", false},
        {"workflowTask.created", "v2.workflowTask.createdX", false},
        {"v2.workflowTask.created", "v2.workflowTask.created", true},
        {"v2.workflowTask.created", "v2-beta.workflowTask.created", false},
        {"v2-beta.workflowTask.created", "v2.workflowTask.created", false},
        {"workflowTask.updated.*", "v2.workflowTask.updated.status", true},
        {"workflowTask.updated.*", "v2.workflowTask.created", false},
        {"v2.workflowTask.*", "v2.workflowTask.updated.status", true},
        {"v2.workflowTask.*", "v2-alpha.workflowTask.updated.status", false},
        {"*", "v2.entry.created", true},
        {"v3.run.created", "v3.run.created", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = lf_format("{\"eventType\":\"%s\",\"id\":\"e\"}", cases[i].type);
        struct lf_event *event = NULL;
        NEED(lf_event_decode(lf_slice_text(text), &event, UNIT_ERROR) == LF_OK);
        CHECK(lf_event_is_on(event, cases[i].on) == cases[i].is);
        lf_event_free(event);
        free(text);
    }
}

static void typos_are_found(void)
{
    struct lf_error err = {0};
    CHECK_INT(lf_event_on_check("automationInputGenerator.completed", &err), LF_OK);
    CHECK_INT(lf_event_on_check("v2-beta.automationInputGenerator.completed", &err), LF_OK);
    CHECK_INT(lf_event_on_check("workflowTask.updated.*", &err), LF_OK);
    CHECK_INT(lf_event_on_check("*", &err), LF_OK);
    CHECK_INT(lf_event_on_check("automationInputGenerator.complete", &err), LF_INVALID);
    CHECK_HAS(err.text, "did you mean \"automationInputGenerator.completed\"");
    CHECK_INT(lf_event_on_check("v2.workflowtask.created", &err), LF_INVALID);
    CHECK_HAS(err.text, "did you mean \"v2.workflowTask.created\"");
    CHECK_INT(lf_event_on_check("robots.*", &err), LF_INVALID);
    CHECK_INT(lf_event_on_check("", &err), LF_INVALID);
    CHECK_INT(lf_event_on_check("v2.", &err), LF_INVALID);
}

static void count(void *context, const char *type)
{
    lf_buffer_format(context, "%s ", type);
}

static void on_stands_for_types(void)
{
    struct lf_buffer types = {0};
    lf_event_on_types("entry.created", count, &types);
    CHECK_STR(types.data, "v2.entry.created v2-beta.entry.created v2-alpha.entry.created ");
    lf_buffer_clear(&types);
    lf_event_on_types("v2.entry.*", count, &types);
    CHECK_STR(types.data, "v2.entry.created v2.entry.updated.fields v2.entry.updated.reviewRecord ");
    lf_buffer_free(&types);
}

/* Another key would make a second job of the same happening. */
static void no_other_key(void)
{
    static const char *const texts[] = {
        "{\"eventType\":\"v2.automationInputGenerator.completed\",\"id\":\"evt_1\",\"createdAt\":\"2026-01-"
        "01T00:00:00Z\","
        "\"automationInputGenerator\":{\"id\":\"aif_1\",\"file\":{\"id\":\"f-1\"}}}",
        "{\"eventType\":\"v2.workflowTask.updated.status\",\"id\":\"evt_1\",\"createdAt\":\"2026-01-01T00:00:"
        "00Z\","
        "\"workflowTask\":{\"id\":\"wftask_1\",\"status\":{\"id\":\"prsts_1\"}}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct lf_event *event;
        NEED(lf_event_decode(lf_slice_text(texts[i]), &event, UNIT_ERROR) == LF_OK);
        char *whole = lf_key_event(event);
        for (unsigned n = 1; unit_failing(n); n++) {
            char *key = lf_key_event(event);
            unit_failing_over();
            CHECK(!key || (whole && !strcmp(key, whole)));
            free(key);
        }
        free(whole);
        lf_event_free(event);
    }
}

/* Stored journals hold these spellings: another one needs a migration, or the same work is done twice. */
static void spellings(void)
{
    static const struct {
        const char *event, *key;
    } cases[] = {
        {"{\"version\":\"0\",\"detail-type\":\"v2.workflowTask.updated.status\",\"time\":\"2022-11-25T11:37:19Z\","
         "\"detail\":{\"updates\":[\"status\"],\"deprecated\":false,\"workflowTask\":{\"id\":\"wftask_AAAAAAAA\","
         "\"status\":{\"id\":\"wfts_AAAAAAAA\",\"statusType\":\"IN_PROGRESS\"},\"assignee\":null},"
         "\"excludedProperties\":[],\"id\":\"evt_AAAAAAAAAAAA\",\"createdAt\":\"2022-11-25T11:37:19.157644+00:00\","
         "\"eventType\":\"v2.workflowTask.updated.status\"}}", /* as a tenant sent it, shortened */
         "workflowTask.updated.status|wftask_AAAAAAAA|wfts_AAAAAAAA"},
        {"{\"version\":\"0\",\"detail-type\":\"v2.entity.registered\",\"time\":\"2023-01-20T18:38:14Z\",\"detail\":{"
         "\"entity\":{\"id\":\"bfi_AAAAAAAA\",\"name\":\"qPCR - 004\","
         "\"modifiedAt\":\"2023-01-20T18:38:14.356574+00:00\"},\"id\":\"evt_BBBBBBBBBBBB\","
         "\"createdAt\":\"2023-01-20T18:38:14.356574+00:00\",\"eventType\":\"v2.entity.registered\"}}", /* this,
                                                                                                           too
                                                                                                         */
         "entity.registered|bfi_AAAAAAAA|"},
        {"{\"eventType\":\"v2.automationInputGenerator.completed\",\"id\":\"evt_1\","
         "\"automationInputGenerator\":{\"id\":\"aif_1\",\"file\":{\"id\":\"f-1\"},\"status\":\"SUCCEEDED\"}}",
         "automationInputGenerator.completed|aif_1|f-1"},
        {"{\"eventType\":\"v2.automationOutputProcessor.completed\",\"id\":\"evt_1\","
         "\"automationOutputProcessor\":{\"id\":\"aop_1\",\"file\":{\"id\":\"f-1\"},\"status\":\"FAILED\"}}",
         "automationOutputProcessor.completed|aop_1|f-1,FAILED"},
        {"{\"eventType\":\"v2.automationOutputProcessor.uploaded\",\"id\":\"evt_1\","
         "\"automationOutputProcessor\":{\"id\":\"aop_1\",\"file\":{\"id\":\"f-1\"},\"status\":\"FAILED\"}}",
         "automationOutputProcessor.uploaded|aop_1|f-1"},
        {"{\"eventType\":\"v3.run.created\",\"id\":\"evt_1\",\"run\":{\"id\":\"run_1\"}}",
         "run.created|run_1|once"},
        {"{\"eventType\":\"v2.robot.danced\",\"id\":\"evt_1\",\"robot\":{\"id\":\"r\"}}",
         "robot.danced||evt_1"},
        {"{\"eventType\":\"v2.entry.updated.fields\",\"id\":\"evt_1\",\"createdAt\":\"2026-01-01T00:00:05Z\","
         "\"entry\":{\"id\":\"a|b%c,d@e\",\"modifiedAt\":\"t1\"}}",
         "entry.updated.fields|a%7Cb%25c%2Cd%40e|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_event *event;
        NEED(lf_event_decode(lf_slice_text(cases[i].event), &event, UNIT_ERROR) == LF_OK);
        char *key = lf_key_event(event);
        CHECK_STR(key, cases[i].key);
        free(key);
        lf_event_free(event);
    }
}

static void check_spelled(char *key, const char *expected)
{
    CHECK_STR(key, expected);
    free(key);
}

static void spellings_of_jobs(void)
{
    check_spelled(lf_key_generator_file("aif_1", "f-1"), "automationInputGenerator.completed|aif_1|f-1");
    check_spelled(lf_key_job("entry.created|etr_1|once", "robot", "deliver", "f-1"),
                  "entry.created|etr_1|once|robot|deliver|f-1");
    check_spelled(lf_key_job("entry.created|etr_1|once", "robot", "procedure", "print|50% label"),
                  "entry.created|etr_1|once|robot|procedure|print%7C50%25 label");
    check_spelled(lf_key_job("entry.created|etr_1|once", "", "collect", NULL),
                  "entry.created|etr_1|once||collect|");
    check_spelled(lf_key_result("robot", "out/a,b.csv", "12@7"), "result|robot|out/a%2Cb.csv|12%407");
    check_spelled(lf_key_values(7), "values|7");
    check_spelled(lf_key_operator(1767225605000, 18446744073709551615U),
                  "operator|1767225605000|18446744073709551615");
    check_spelled(lf_key_wake_processor("aop_1"), "processor:aop_1");
}

static void borders_hold(void)
{
    check_keys(false, lf_key_generator_file("a|b", "c"), lf_key_generator_file("a", "b|c"));
    check_keys(false, lf_key_generator_file("a", "b%7Cc"), lf_key_generator_file("a", "b|c"));
    check_keys(false, lf_key_result("r", "a|b", "c"), lf_key_result("r", "a", "b|c"));
    check_keys(false, lf_key_job("h", "i|k", "", ""), lf_key_job("h", "i", "k", ""));
    check_keys(false,
               key_of("v2." PROCESSOR ".completed", "evt_1", "2026-01-01T00:00:00Z", PROCESSOR,
                      "{\"id\":\"aop_1\",\"file\":{\"id\":\"f,FAILED\"}}"),
               key_of("v2." PROCESSOR ".completed", "evt_1", "2026-01-01T00:00:00Z", PROCESSOR,
                      "{\"id\":\"aop_1\",\"file\":{\"id\":\"f\"},\"status\":\"FAILED\"}"));
    check_keys(false,
               key_of("v2." GENERATOR ".completed", "f-1", "2026-01-01T00:00:00Z", GENERATOR,
                      "{\"id\":\"aif_1\"}"),
               key_of("v2." GENERATOR ".completed", "evt_1", "2026-01-01T00:00:00Z", GENERATOR,
                      "{\"id\":\"event\",\"file\":{\"id\":\"f-1\"}}"));
}

UNIT_TESTS("key", {"every kind of happening is spelled as in the journals that exist", spellings},
           {"every kind of job is spelled as in the journals that exist", spellings_of_jobs},
           {"two different inputs never have the same key, whatever characters they contain", borders_hold},
           {"when memory runs out there is no key, and never a different one", no_other_key},
           {"the twins v2, v2-beta and v2-alpha of one happening share a key", twins_share_a_key},
           {"a new file, a new outcome or another kind of event gets a new key", new_files_get_new_keys},
           {"a date is no part of a key: real events of tasks have none of their own",
            dates_are_not_part_of_a_key},
           {"a status or a change can happen again, a file or a birth cannot", what_recurs},
           {"an event is the same in any envelope and order, and another if a single value differs",
            one_event_however_it_comes},
           {"a resend has the same key even when the event says nothing else",
            resends_share_a_key_in_any_case},
           {"`on` names events by type, by version, and by family", on_names_events},
           {"a typo in `on` is found, with the nearest name", typos_are_found},
           {"`on` stands for the types to subscribe to", on_stands_for_types}, )

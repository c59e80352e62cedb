#include "event/pattern_names.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static char found[2000];

static void note(void *context, const char *path, const char *text, bool certain)
{
    size_t len = strlen(found);
    CHECK(context == found);
    snprintf(found + len, sizeof found - len, "%s %s: %s\n", certain ? "never" : "perhaps", path, text);
}

static struct lf_pattern *compile(const char *text)
{
    cJSON *json = cJSON_Parse(text);
    struct lf_pattern *pattern = NULL;
    struct lf_error err;
    NEED(json != NULL);
    enum lf_status status = lf_pattern_compile(json, &pattern, &err);
    cJSON_Delete(json);
    NEED(status == LF_OK);
    return pattern;
}

/* What is found in the pattern of a detail for events of `on` ("a|b"). */
static const char *judge(const char *on, const char *text)
{
    char copy[200];
    const char *items[4];
    struct lf_texts texts = {.items = items};
    struct lf_pattern *pattern = compile(text);
    snprintf(copy, sizeof copy, "%s", on);
    for (char *word = strtok(copy, "|"); word; word = strtok(NULL, "|"))
        items[texts.count++] = word;
    *found = '\0';
    lf_pattern_check_names(pattern, &texts, &(struct lf_pattern_names){found, note});
    lf_pattern_free(pattern);
    return found;
}

/* All of these, which '|' separates, are in the text. */
static void has_all(const char *text, const char *parts, unsigned line)
{
    char copy[300];
    snprintf(copy, sizeof copy, "%s", parts);
    for (char *part = strtok(copy, "|"); part; part = strtok(NULL, "|"))
        unit_check_has(text, part, "findings", __FILE__, line);
}

#define HAS_ALL(text, parts) has_all(text, parts, __LINE__)
#define TASK(inside) judge("workflowTask.created", "{\"detail\": {\"workflowTask\": " inside "}}")

static void right_names(void)
{
    CHECK_STR(TASK("{\"schema\": {\"name\": [\"Weigh\"]}, \"status\": {\"statusType\": [\"PENDING\"]}}"), "");
    CHECK_STR(TASK("{\"fields\": {\"Bench No. 3\": {\"textValue\": [\"x\"]}}}"), "");
    CHECK_STR(TASK("{\"fields\": {\"Vol. (ul)\": {\"isMulti\": [true], \"value\": [{\"exists\": true}]}}}"),
              "");
    CHECK_STR(TASK("{\"fields\": {\"Bench\": [{\"exists\": true}]}}"), "");
    CHECK_STR(TASK("{\"assignee\": [null], \"workflowOutputs\": {\"anything\": [1]}}"), "");
    CHECK_STR(judge("entry.created",
                    "{\"source\": [{\"prefix\": \"aws\"}], \"detail\": {\"schema\": {\"id\": "
                    "[\"ts_1\"]}, \"updates\": [\"x\"]}}"),
              "");
    CHECK_STR(judge("app.installed", "{\"detail\": {\"app\": {\"what\": {\"ever\": [1]}}}}"), "");
    CHECK_STR(
        judge(
            "automationInputGenerator.completed",
            "{\"detail\": {\"automationInputGenerator\": {\"automationFileConfig\": {\"name\": [{\"prefix\": "
            "\"H\"}]}}}}"),
        "");
}

static void misspelt(void)
{
    CHECK_STR(
        TASK("{\"shema\": {\"name\": [\"Weigh\"]}}"),
        "never detail.workflowTask.shema.name: events have no \"shema\" here; did you mean \"schema\"?\n");
    HAS_ALL(TASK("{\"status\": {\"statusTyp\": [\"PENDING\"]}}"), "never|did you mean \"statusType\"?");
    HAS_ALL(TASK("{\"fields\": {\"Bench\": {\"textvalue\": [\"x\"]}}}"), "never|did you mean \"textValue\"?");
    HAS_ALL(judge("workflowTask.created", "{\"detail\": {\"workflowTsk\": {\"id\": [\"a\"]}}}"),
            "never|did you mean \"workflowTask\"?");
    HAS_ALL(judge("workflowTask.created", "{\"detial\": {\"workflowTask\": {\"id\": [\"a\"]}}}"),
            "never|did you mean \"detail\"?");
}

static void unknown(void)
{
    HAS_ALL(TASK("{\"thermometer\": [1]}"),
            "perhaps detail.workflowTask.thermometer|as far as Labferry knows");
    HAS_ALL(TASK("{\"fields\": {\"Vol. (ul)\": {\"depth\": [1]}}}"), "perhaps|events have no \"depth\" here");
    HAS_ALL(judge("workflowTask.created", "{\"detail\": {\"name\": [\"Weigh\"]}}"),
            "never|what they are about is in \"workflowTask\"");
}

static void wrong_shape(void)
{
    HAS_ALL(TASK("{\"schema\": [\"Weigh\"]}"), "never detail.workflowTask.schema: it has members");
    HAS_ALL(TASK("{\"fields\": {\"Bench\": [\"x\"]}}"), "never detail.workflowTask.fields.Bench|textValue");
    HAS_ALL(TASK("[\"Weigh\"]"), "never detail.workflowTask: it has members");
    HAS_ALL(TASK("{\"schema\": {\"name\": {\"prefix\": [\"Weigh\"]}}}"), "never|it is a plain value");
    HAS_ALL(TASK("{\"status\": {\"statusType\": [\"Pending\"]}}"),
            "never|\"Pending\" is never its value; it is one of CANCELLED");
    CHECK_STR(TASK("{\"status\": {\"statusType\": [\"Pending\", \"FAILED\"]}}"), "");
}

static void other_events(void)
{
    HAS_ALL(judge("workflowTask.created", "{\"detail\": {\"entry\": {\"id\": [\"a\"]}}}"),
            "never|the events of \"on\" are about workflowTask, not entry");
    HAS_ALL(judge("workflowTask.created", "{\"detail-type\": [\"v2.workflowTask.updated.status\"]}"),
            "never detail-type: no event of \"on\" has this type");
    HAS_ALL(judge("v2.workflowTask.created",
                  "{\"detail\": {\"eventType\": [\"v2-beta.workflowTask.created\"]}}"),
            "never detail.eventType");
    CHECK_STR(judge("workflowTask.created", "{\"detail-type\": [\"v2-beta.workflowTask.created\"]}"), "");
    CHECK_STR(judge("workflowTask.*", "{\"detail-type\": [{\"suffix\": \"status\"}]}"), "");
}

static void several_resources(void)
{
    const char *both = "workflowTask.created|entry.created";
    CHECK_STR(judge(both, "{\"detail\": {\"entry\": {\"folderId\": [\"lib_1\"]}}}"), "");
    HAS_ALL(judge(both, "{\"detail\": {\"entry\": {\"foldrId\": [\"lib_1\"]}}}"), "never|folderId");
    HAS_ALL(judge(both, "{\"detail\": {\"entry\": {\"id\": [\"a\"]}, \"workflowTask\": {\"id\": [\"b\"]}}}"),
            "never");
}

static bool asks(const char *inside)
{
    static const char *const paths[] = {"detail.workflowTask.fields", "detail.workflowTask.status.id", NULL};
    char text[1000];
    snprintf(text, sizeof text, "{\"detail\": {\"workflowTask\": %s}}", inside);
    struct lf_pattern *pattern = compile(text);
    bool answer = lf_pattern_asks(pattern, paths);
    lf_pattern_free(pattern);
    return answer;
}

static void selects(void)
{
    CHECK(asks("{\"fields\": {\"Bench\": {\"value\": [\"3\"]}}}"));
    CHECK(asks("{\"status\": {\"id\": [\"st_1\"]}, \"id\": [\"x\"]}"));
    CHECK(asks("{\"fields\": {\"Bench\": {\"value\": [{\"anything-but\": \"3\"}]}}}"));
    CHECK(!asks("{\"schema\": {\"name\": [\"Weigh\"]}}"));
    CHECK(!asks("{\"fieldsOther\": [\"a\"]}"));
    CHECK(!asks("{\"fields\": {\"Bench\": {\"value\": [{\"exists\": true}]}}}"));
    CHECK(!asks("{\"fields\": {\"Bench\": {\"value\": [\"3\", null]}}}"));
    CHECK(asks("{\"$or\": [{\"fields\": {\"A\": {\"value\": [\"3\"]}}}, {\"status\": {\"id\": [\"x\"]}}]}"));
    CHECK(!asks("{\"$or\": [{\"fields\": {\"A\": {\"value\": [\"3\"]}}}, {\"schema\": {\"id\": [\"x\"]}}]}"));
}

UNIT_TESTS("names in patterns", {"names that events have are accepted", right_names},
           {"a misspelt name is found, with the right one", misspelt},
           {"an unknown member of the resource is only doubted", unknown},
           {"a comparison that no value can satisfy is found", wrong_shape},
           {"a pattern for other events than those of on is found", other_events},
           {"with events of several resources, one that fits is enough", several_resources},
           {"a condition counts when every event that matches fulfils it", selects}, )

#include "config_case.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// libconfig 1.5 loses a text that was begun when it finds a syntax error.
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

struct lf_config_report case_report;
struct lf_error case_error;

// ---- made-up drivers ----

static const struct lf_setting folder_rows[] = {
    {"inbox", LF_INTO(LF_PATH, struct case_options, inbox), LF_REQUIRED, "Where files are put."},
    {"keep", LF_INTO(LF_DURATION, struct case_options, keep), "1d", "How long."},
    {"table", LF_INTO(LF_FILE, struct case_options, table), NULL, "A file to read."},
    {"token_file", LF_INTO(LF_SECRET_FILE, struct case_options, token_file), NULL, "A secret."},
    {0},
};
static const struct lf_setting line_rows[] = {
    {"port", LF_INTO(LF_TEXT, struct case_options, port), LF_REQUIRED, "Which port."},
    {"baud", LF_INTO(LF_INT, struct case_options, baud), "9600", "Speed.", 300, 921600},
    {0},
};
static const struct lf_setting *driver_settings(const char *driver, struct lf_error *err)
{
    if (!strcmp(driver, "folder"))
        return folder_rows;
    if (!strcmp(driver, "line"))
        return line_rows;
    lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "no driver \"%s\"", driver);
    return NULL;
}

enum { CAN_FILES = 1, CAN_RUN = 2 };

static bool driver_can(const char *driver, uint32_t ability)
{
    return ability == (!strcmp(driver, "folder") ? CAN_FILES : CAN_RUN);
}

static const char *const task_settings[] = {"procedure",    "inputs",      "outputs",       "only_agent",
                                            "claim_status", "done_status", "failed_status", "report",
                                            "run_field",    NULL};
static const char *const task_selectors[] = {"detail.workflowTask.fields", NULL};
static const char *const procedure_settings[] = {"procedure", "inputs", NULL};
static const struct lf_config_kind kinds[] = {
    {.name = "deliver", .resource = "automationInputGenerator", .ability = CAN_FILES},
    {.name = "collect",
     .resource = "automationOutputProcessor",
     .ability = CAN_FILES,
     .no_instrument = true,
     .collects = true},
    {.name = "task",
     .resource = "workflowTask",
     .ability = CAN_RUN,
     .claims = true,
     .selectors = task_selectors,
     .settings = task_settings},
    {.name = "procedure", .ability = CAN_RUN, .settings = procedure_settings},
};

static const struct lf_config_kind *kind_at(size_t index)
{
    return index < sizeof kinds / sizeof *kinds ? &kinds[index] : NULL;
}

static enum lf_status driver_check(const char *driver, const struct lf_values *values,
                                   void (*resource)(void *context, const char *resource), void *context,
                                   struct lf_error *err)
{
    struct case_options options;
    lf_values_fill(values, &options);
    const char *text = !strcmp(driver, "folder") ? options.inbox : options.port;
    if (!strcmp(text, "/dev/wrong")) {
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: port: /dev/wrong is wrong",
                       lf_values_at(values, "port"));
    }
    resource(context, text);
    resource(context, text);
    return LF_OK;
}

// Each takes "target" and gives weight and unit; "dose" cannot do without an amount.
static void tell_terms(const struct lf_config_terms *terms, bool dose)
{
    terms->takes(terms->context, "target", false);
    if (dose)
        terms->takes(terms->context, "amount", true);
    terms->gives(terms->context, "weight", true);
    terms->gives(terms->context, "unit", false);
}

static enum lf_status procedure_check(const char *driver, const struct lf_values *values,
                                      const char *procedure, const struct lf_config_terms *terms,
                                      struct lf_error *err)
{
    struct case_options options;
    lf_values_fill(values, &options);
    bool known = !strcmp(driver, "line") && options.baud
                 && (!strcmp(procedure, "weigh") || !strcmp(procedure, "tare") || !strcmp(procedure, "dose")
                     || !strcmp(procedure, "silent"));
    if (known && terms && !strcmp(procedure, "silent"))
        terms->unknown(terms->context);
    else if (known && terms)
        tell_terms(terms, !strcmp(procedure, "dose"));
    if (known)
        return LF_OK;
    return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "no procedure \"%s\"; there is \"weigh\"", procedure);
}

static enum lf_status on_check(const char *on, struct lf_error *err)
{
    if (strstr(on, "automation") || strstr(on, "workflowTask."))
        return LF_OK;
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "no event \"%s\"", on);
}

static void on_types(const char *on, void (*each)(void *context, const char *type), void *context)
{
    char type[200];
    snprintf(type, sizeof type, "v2.%s", on);
    each(context, type);
    snprintf(type, sizeof type, "v2-beta.%s", on);
    each(context, type);
}

static enum lf_status pattern_check(const cJSON *pattern, const struct lf_texts *on,
                                    void (*problem)(void *context, const char *path, const char *text,
                                                    bool certain),
                                    void *context, struct lf_error *err)
{
    const cJSON *detail = cJSON_GetObjectItemCaseSensitive(pattern, "detail");
    CHECK(on->count > 0);
    if (cJSON_GetObjectItemCaseSensitive(detail, "bad"))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "detail.bad: makes no sense");
    if (lf_json_at(detail, "workflowTask.shema"))
        problem(context, "detail.workflowTask.shema", "not a member", true);
    if (lf_json_at(detail, "workflowTask.novel"))
        problem(context, "detail.workflowTask.novel", "perhaps a member", false);
    return LF_OK;
}

static bool pattern_asks(const cJSON *pattern, const char *const *paths)
{
    for (; *paths; paths++)
        if (lf_json_at(pattern, *paths))
            return true;
    return false;
}

static enum lf_status match_check(const char *rule, bool *names_config, struct lf_error *err)
{
    *names_config = !strcmp(rule, "sidecar") || strstr(rule, "(?<config>");
    if (!strchr(rule, ':') && strcmp(rule, "last-job") != 0 && strcmp(rule, "sidecar") != 0)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "\"%s\" is not a way to find the run", rule);
    if (strstr(rule, "(("))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "a bracket is not closed");
    return LF_OK;
}

const struct lf_config_hooks case_hooks = {
    .driver_settings = driver_settings,
    .driver_can = driver_can,
    .kind_at = kind_at,
    .driver_check = driver_check,
    .procedure_check = procedure_check,
    .on_check = on_check,
    .on_types = on_types,
    .pattern_check = pattern_check,
    .pattern_asks = pattern_asks,
    .match_check = match_check,
};

// ---- files and loading ----

const char *case_file(const char *name, const char *text, unsigned mode)
{
    static char path[4300];
    snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    fputs(text, file);
    NEED(fclose(file) == 0);
    NEED(chmod(path, (mode_t)mode) == 0);
    return path;
}

static void tell_problems(void)
{
    for (size_t i = 0; i < case_report.count; i++)
        printf("\n      line %d: %s", case_report.problems[i].line, case_report.problems[i].text);
}

struct lf_config *case_load(const char *text)
{
    lf_config_report_free(&case_report);
    case_file("secret", "hush\n", 0600);
    struct lf_config *config = NULL;
    if (lf_config_load(case_file("labferry.conf", text, 0644), &case_hooks, &config, &case_report,
                       &case_error)
        != LF_OK)
        tell_problems();
    NEED(config != NULL);
    return config;
}

bool case_refused(const char *text)
{
    lf_config_report_free(&case_report);
    lf_error_clear(&case_error);
    case_file("secret", "hush\n", 0600);
    struct lf_config *config = NULL;
    enum lf_status status = lf_config_load(case_file("labferry.conf", text, 0644), &case_hooks, &config,
                                           &case_report, &case_error);
    CHECK((status == LF_OK) == (config != NULL));
    CHECK((status == LF_OK) == (case_report.errors == 0));
    lf_config_free(config);
    return status != LF_OK;
}

// "words" are separated by '|'.
void case_mistake(const char *text, int line, const char *words, const char *file, unsigned at)
{
    bool refused = case_refused(text);
    bool one = refused && case_report.errors == 1 && case_report.count >= 1;
    if (!one)
        tell_problems();
    CU_assertImplementation(one, at, "one error is reported", file, "", CU_FALSE);
    if (!one)
        return;
    const struct lf_config_problem *problem = &case_report.problems[0];
    for (size_t i = 0; i < case_report.count && problem->severity != LF_CONFIG_ERROR; i++)
        problem = &case_report.problems[i];
    unit_check_int(problem->line, line, "line of the problem", file, at);
    char copy[500];
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok(copy, "|"); word; word = strtok(NULL, "|"))
        unit_check_has(problem->text, word, "text of the problem", file, at);
}

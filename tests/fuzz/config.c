/* The configuration file, with everything `labferry check` knows. */
#include "fuzz.h"

#include "control/config_hooks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libconfig 1.5 leaks the text or number that it was reading when it finds a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

/* Files that a configuration can name: a secret, a pattern, and an include. */
static void put(const char *name, const char *text)
{
    char *path = lf_format("%s/%s", fuzz_folder(), name);
    fuzz_write(path, text);
    free(path);
}

static const char *prepare(const uint8_t *data, size_t size)
{
    static char *path;
    if (!path) {
        put("secret", "s3cret\n");
        put("pattern.json", "{\"detail\":{\"status\":[\"SUCCEEDED\"]}}");
        put("more.conf", "agent = { name = \"bench-3\"; site = \"boston\"; };\n");
        path = lf_format("%s/labferry.conf", fuzz_folder());
        fuzz_need(path && setenv("LABFERRY_PROFILE_PATH", FUZZ_SOURCE "/etc/profiles", 1) == 0,
                  "out of memory");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_need(fd >= 0 && write(fd, data, size) == (ssize_t)size, "cannot write the configuration");
    close(fd);
    return path;
}

static void check_config(const struct lf_config *config)
{
    MUST(strlen(config->digest) == 64, "the digest is \"%s\"", config->digest);
    MUST(config->agent.name && *config->agent.name && config->agent.site && config->agent.socket,
         "an agent without a name");
    for (size_t i = 0; i < config->instrument_count; i++) {
        const struct lf_config_instrument *instrument = &config->instruments[i];
        MUST(instrument->name && instrument->driver && instrument->settings, "instrument %zu is incomplete",
             i);
        MUST(lf_config_instrument(config, instrument->name) == instrument, "two instruments are called %s",
             instrument->name);
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const struct lf_config_route *route = &config->routes[i];
        MUST(route->name && lf_config_route(config, route->name) == route, "route %zu", i);
    }
    for (size_t i = 0; i < config->event_types.count; i++)
        MUST(config->event_types.items[i] && *config->event_types.items[i], "event type %zu is empty", i);
}

static void check_report(const struct lf_config_report *report, bool refused)
{
    size_t errors = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct lf_config_problem *problem = &report->problems[i];
        MUST(problem->text && *problem->text && problem->file && problem->line >= 0,
             "problem %zu is incomplete", i);
        errors += problem->severity == LF_CONFIG_ERROR;
    }
    MUST(errors == report->errors, "%zu errors, but %zu counted", errors, report->errors);
    MUST(report->count <= LF_CONFIG_PROBLEMS_MAX, "%zu problems", report->count);
    MUST(refused == (errors > 0), "refused: %d, with %zu errors", refused, errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = prepare(data, size);
    struct lf_config *config = NULL;
    struct lf_config_report report = {0};
    struct lf_error err = {0}, without = {0};
    char *socket = NULL;
    enum lf_status status = lf_config_load(path, lf_control_config_hooks(), &config, &report, &err);
    fuzz_check_error(status, &err);
    MUST((status == LF_OK) == (config != NULL), "status %s", lf_status_name(status));
    check_report(&report, status != LF_OK);
    if (config)
        check_config(config);
    MUST(status == LF_OK || err.class == LF_NEEDS_PERSON, "of class %s: %s", lf_class_name(err.class),
         err.text);
    fuzz_check_error(lf_config_place(path, "socket", &socket, &without), &without);
    free(socket);
    lf_config_free(config);
    lf_config_report_free(&report);
    return 0;
}

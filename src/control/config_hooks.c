/* The configuration's questions to the floors above it. */
#include "control/config_hooks.h"

#include "drivers/driver.h"
#include "event/event.h"
#include "event/pattern.h"
#include "event/pattern_names.h"
#include "job/job.h"
#include "job/kinds.h"

static const struct lf_setting *driver_settings(const char *name, struct lf_error *err)
{
    const struct lf_driver *driver = lf_driver_find(name, err);
    return driver ? driver->settings : NULL;
}

static bool driver_can(const char *name, uint32_t ability)
{
    struct lf_error ignored;
    const struct lf_driver *driver = lf_driver_find(name, &ignored);
    return driver && (driver->can & ability) != 0;
}

static enum lf_status driver_check(const char *name, const struct lf_values *values,
                                   void (*resource)(void *context, const char *resource), void *context,
                                   struct lf_error *err)
{
    const struct lf_driver *driver = lf_driver_find(name, err);
    if (!driver)
        return err->status;
    enum lf_status status = lf_driver_check(driver, err);
    return status == LF_OK && driver->check ? driver->check(values, resource, context, err) : status;
}

static void tell_input(void *context, const char *input, bool needed)
{
    const struct lf_config_terms *terms = context;
    terms->takes(terms->context, input, needed);
}

static void tell_value(void *context, const char *value, enum lf_capture_type type, bool always)
{
    const struct lf_config_terms *terms = context;
    (void)type;
    terms->gives(terms->context, value, always);
}

static enum lf_status describe(const struct lf_driver *driver, void *device, const struct lf_action *action,
                               const struct lf_config_terms *to, struct lf_error *err)
{
    struct lf_terms terms = {.context = (void *)to, .takes = tell_input, .gives = tell_value};
    if (driver->describe)
        return driver->describe(device, action, &terms, err);
    to->unknown(to->context);
    return LF_OK;
}

/* Asks the driver, which knows its procedures without a connection. */
static enum lf_status procedure_check(const char *name, const struct lf_values *values, const char *procedure,
                                      const struct lf_config_terms *terms, struct lf_error *err)
{
    const struct lf_driver *driver = lf_driver_find(name, err);
    struct lf_host host = {.instrument = name, .agent = ""};
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = procedure};
    enum lf_repeat repeat;
    void *device = NULL;
    if (!driver)
        return err->status;
    enum lf_status status = driver->open(values, &host, &device, err);
    if (status != LF_OK)
        return status;
    status = driver->repeat ? driver->repeat(device, &action, &repeat, err)
                            : lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "its driver runs no procedures");
    if (status == LF_OK && terms)
        status = describe(driver, device, &action, terms, err);
    driver->close(device);
    return status;
}

static bool procedure_signs(const char *name, const struct lf_values *values, const char *procedure)
{
    struct lf_error err;
    const struct lf_driver *driver = lf_driver_find(name, &err);
    struct lf_host host = {.instrument = name, .agent = ""};
    struct lf_action action = {.kind = LF_ACTION_RUN, .name = procedure};
    void *device = NULL;
    if (!driver || driver->open(values, &host, &device, &err) != LF_OK)
        return false;
    bool signs = driver->sign && driver->sign(device, &action);
    driver->close(device);
    return signs;
}

static enum lf_status pattern_check(const cJSON *json, const struct lf_texts *on,
                                    void (*problem)(void *context, const char *path, const char *text,
                                                    bool certain),
                                    void *context, struct lf_error *err)
{
    struct lf_pattern *pattern = NULL;
    enum lf_status status = lf_pattern_compile(json, &pattern, err);
    if (status == LF_OK)
        lf_pattern_check_names(pattern, on, &(struct lf_pattern_names){context, problem});
    lf_pattern_free(pattern);
    return status;
}

static bool pattern_asks(const cJSON *json, const char *const *paths)
{
    struct lf_pattern *pattern = NULL;
    struct lf_error ignored;
    bool asks = lf_pattern_compile(json, &pattern, &ignored) == LF_OK && lf_pattern_asks(pattern, paths);
    lf_pattern_free(pattern);
    return asks;
}

static const struct lf_config_hooks hooks = {
    .driver_settings = driver_settings,
    .driver_can = driver_can,
    .kind_at = lf_job_kind_at,
    .driver_check = driver_check,
    .procedure_check = procedure_check,
    .procedure_signs = procedure_signs,
    .on_check = lf_event_on_check,
    .on_types = lf_event_on_types,
    .pattern_check = pattern_check,
    .pattern_asks = pattern_asks,
    .match_check = lf_match_check,
    .check_start = true,
};

const struct lf_config_hooks *lf_control_config_hooks(void)
{
    return &hooks;
}

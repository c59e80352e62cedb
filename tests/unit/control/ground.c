#include "ground.h"

#include "base/log.h"
#include "drivers/driver.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *ground_profile = "mt-sics.profile";
const struct lf_driver *ground_driver;

static void set_line(struct ground *ground)
{
    struct lf_error err;
    char profile[80];
    snprintf(profile, sizeof profile, "etc/profiles/%s", ground_profile);
    NEED(lf_values_set(ground->values, "stream", "unix:/nobody/listens/here", NULL, &err) == LF_OK);
    NEED(lf_values_set(ground->values, "profile", unit_source(profile), NULL, &err) == LF_OK);
}

static void open_instrument(struct ground *ground)
{
    struct lf_error err;
    const struct lf_driver *driver = ground_driver ? ground_driver : lf_driver_find("line", &err);
    ground->values = lf_values_new(driver->settings, "the test's balance");
    NEED(ground->values);
    if (!ground_driver)
        set_line(ground);
    NEED(lf_values_finish(ground->values, &err) == LF_OK);
    ground->instrument_config = (struct lf_config_instrument){.name = "balance-1",
                                                              .driver = "line",
                                                              .settings = ground->values};
    ground->config.instruments = &ground->instrument_config;
    ground->config.instrument_count = 1;
    struct lf_instrument_options options = {.name = "balance-1",
                                            .driver = driver,
                                            .values = ground->values,
                                            .journal = ground->context.journal};
    struct lf_instrument_hooks hooks = {.context = ground->context.jobs,
                                        .work = lf_jobs_work,
                                        .found = lf_jobs_found,
                                        .changed = lf_jobs_instrument_changed};
    NEED(lf_instrument_open(&options, &hooks, &ground->instrument, &err) == LF_OK);
    NEED(lf_jobs_add_instrument(ground->context.jobs, ground->instrument, &err) == LF_OK);
}

void ground_open(struct ground *ground)
{
    struct lf_error err;
    char journal[256];
    *ground = (struct ground){0};
    lf_log_setup(LF_LOG_ERROR, LF_LOG_TEXT); /* refusals are logged, and these tests are full of them */
    snprintf(ground->state, sizeof ground->state, "%s", unit_folder());
    snprintf(ground->spool, sizeof ground->spool, "%s/spool", unit_folder());
    snprintf(ground->socket, sizeof ground->socket, "%s/run/control.sock", unit_folder());
    snprintf(journal, sizeof journal, "%s/journal.db", unit_folder());
    mkdir(ground->spool, 0700);
    ground->config.agent = (struct lf_config_agent){
        .name = "bench-1",
        .site = "lab",
        .state_dir = ground->state,
        .spool_dir = ground->spool,
        .socket = ground->socket,
        .couriers = 1,
        .not_after_ms = 3600 * 1000,
        .keep_ms = 3600 * 1000,
        .file_max = 1000 * 1000,
    };
    ground->config.link = (struct lf_config_link){.used = true, .base = "labferry/lab/agents/bench-1"};
    NEED(lf_journal_open(journal, &ground->context.journal, &err) == LF_OK);
    struct lf_jobs_options options = {.config = &ground->config, .journal = ground->context.journal};
    NEED(lf_jobs_open(&options, &ground->context.jobs, &err) == LF_OK);
    ground->context.config = &ground->config;
    open_instrument(ground);
}

void ground_close(struct ground *ground)
{
    lf_instrument_close(ground->instrument);
    lf_jobs_close(ground->context.jobs);
    lf_journal_close(ground->context.journal);
    lf_values_free(ground->values);
}

static void count_job(void *count, const struct lf_job *job)
{
    (void)job;
    ++*(int *)count;
}

int ground_jobs(struct ground *ground)
{
    struct lf_job_filter all = {.limit = 1000};
    int count = 0;
    lf_journal_job_list(ground->context.journal, &all, count_job, &count, UNIT_ERROR);
    return count;
}

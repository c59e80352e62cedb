#include "intake_case.h"

#include "base/clock.h"
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>

struct lf_config *config;
struct lf_journal *journal;
struct lf_intake *intake;
struct lf_jobs *jobs;
enum lf_config_source events_from = LF_SOURCE_POLL;
enum lf_config_first first_start = LF_FIRST_TAKE;

void open_with(const char *text)
{
    struct lf_error err;
    config = core_config(text);
    config->cloud.events = events_from;
    config->agent.first_start = first_start;
    struct lf_jobs_options options = {.config = config, .journal = journal};
    NEED(lf_jobs_open(&options, &jobs, &err) == LF_OK);
    NEED(lf_intake_open(&(struct lf_intake_options){.config = config, .journal = journal, .jobs = jobs},
                        &intake, &err)
         == LF_OK);
}

void open_all(void)
{
    fake_cloud_reset();
    journal = core_journal();
    open_with(INSTRUMENTS ROUTES);
}

void close_all(void)
{
    lf_intake_close(intake);
    lf_jobs_close(jobs);
    lf_journal_close(journal);
    lf_config_free(config);
    events_from = LF_SOURCE_POLL;
    first_start = LF_FIRST_TAKE;
}

enum lf_status take(const char *text)
{
    struct lf_error err = {0};
    struct lf_message message = {.topic = "labferry/lab/events/x", .payload = lf_slice_text(text)};
    enum lf_status status = lf_intake_batch(intake, &message, 1, &err);
    CHECK_STR(status == LF_OK ? "" : err.text, "");
    return status;
}

const char *ago(int64_t ms)
{
    static char text[LF_TIME_TEXT];
    lf_time_format(lf_clock_wall_ms() - ms, text);
    return text;
}

enum lf_status take_event(const char *id, const char *type, const char *created, const char *excluded,
                          const char *resource)
{
    char *text = lf_format(
        "{\"version\":\"0\",\"id\":\"aws-%s\",\"detail-type\":\"%s\",\"source\":\"aws.partner/benchling.com/"
        "acme\",\"account\":\"1\",\"time\":\"%s\",\"region\":\"us-west-1\",\"resources\":[],\"detail\":{"
        "\"id\":\"%s\",\"eventType\":\"%s\",\"createdAt\":\"%s\",\"deprecated\":false,"
        "\"excludedProperties\":[%s],%s}}",
        id, type, created, id, type, created, excluded, resource);
    NEED(text != NULL);
    enum lf_status status = take(text);
    free(text);
    return status;
}

void generated(const char *version, const char *id, int64_t ms, const char *run, const char *file)
{
    char type[80], resource[400];
    snprintf(type, sizeof type, "%s.automationInputGenerator.completed", version);
    snprintf(resource, sizeof resource,
             "\"automationInputGenerator\":{\"id\":\"aig_1\",\"assayRunId\":\"%s\",\"automationFileConfig\":{"
             "\"name\":\"Worklist\"},\"file\":{\"id\":\"%s\",\"name\":\"w.csv\"}}",
             run, file);
    CHECK_INT(take_event(id, type, ago(ms), "", resource), LF_OK);
}

void generated_incomplete(const char *id)
{
    CHECK_INT(take_event(id, "v2.automationInputGenerator.completed", ago(0), "\"file\"",
                         "\"automationInputGenerator\":{\"id\":\"aig_1\"}"),
              LF_OK);
    fake_cloud.resource = "{\"id\":\"aig_1\",\"assayRunId\":\"run_1\",\"file\":{\"id\":\"file_1\"}}";
}

void check_fate(const char *id, enum lf_fate fate, const char *jobs_text)
{
    struct lf_event_row row = core_event(journal, id);
    CHECK_STR(lf_fate_name(row.fate), lf_fate_name(fate));
    CHECK_STR(row.jobs, jobs_text);
    lf_event_row_free(&row);
}

void check_note(const char *id, const char *note)
{
    struct lf_event_row row = core_event(journal, id);
    CHECK_STR(row.note, note);
    lf_event_row_free(&row);
}

int64_t job_count(void)
{
    cJSON *counts = lf_journal_job_counts(journal, NULL);
    int64_t total = 0;
    NEED(counts != NULL);
    for (const cJSON *count = counts->child; count; count = count->next)
        total += (int64_t)count->valuedouble;
    cJSON_Delete(counts);
    return total;
}

/* Reports about jobs and instruments: as JSON for callers, and over MQTT through the outbox. */
#include "job/steps.h"

#include "base/clock.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONCERN_SOURCE "job"

bool job__cloud_knows_failure(const struct lf_job *job)
{
    return lf_job_state_final(job->state) && lf_job_text(job, LF_JOB_FAILURE);
}

bool job__can_assign(const struct lf_job *job)
{
    const struct lf_job_kind *kind = lf_job_kind_find(job->kind);
    /* Found on the instrument, or captured by a task whose route named the run. */
    bool ours = lf_job_text(job, LF_JOB_FINDING) || lf_job_text(job, LF_JOB_ASSIGNED);
    return kind && kind->assign_step && job->state == LF_JOB_HELD && ours
           && !lf_job_text(job, LF_JOB_PROCESSOR) && !lf_job_bool(job, LF_JOB_ATTACHING)
           && !lf_job_int(job, LF_JOB_SAME_AS, 0);
}

bool lf_job_can_confirm(const struct lf_job *job)
{
    const struct lf_job_kind *kind = lf_job_kind_find(job->kind);
    const struct job_step *step = kind ? job__step_find(kind, job->step) : NULL;
    return job->state == LF_JOB_HELD && step && step->acted && step[1].name;
}

/* What a person can do with a job, in words and as verbs. */
struct ways {
    const char *help, *verbs[4];
};

static const struct ways *ways_on(const struct lf_job *job)
{
    static const struct ways
        none = {"", {0}},
        sample = {"start: its sample is on the instrument; cancel", {"start", "cancel"}},
        wait = {"continues on its own; retry: run the step now; cancel", {"retry", "cancel"}},
        over = {"retry: run the step again", {"retry"}},
        doubt = {"confirm: it happened; retry: it did not; cancel", {"confirm", "retry", "cancel"}},
        whose = {"assign: say which run it belongs to; retry: look again; cancel",
                 {"assign", "retry", "cancel"}},
        wrong = {"retry: once the cause is fixed; assign: name another run or output file "
                 "configuration; cancel",
                 {"retry", "assign", "cancel"}},
        fix = {"retry: once the cause is fixed; cancel", {"retry", "cancel"}},
        act = {"retry: once the cause is fixed; confirm: it was done by hand; cancel",
               {"retry", "confirm", "cancel"}},
        reported = {"to run it again, set the workflow task back in Benchling", {0}};
    if (job->state == LF_JOB_WAITING)
        return job__awaits_sign(job) ? &sample : &wait;
    if (job->state == LF_JOB_FAILED || job->state == LF_JOB_EXPIRED)
        return job__cloud_knows_failure(job) ? &reported : &over;
    if (job->state != LF_JOB_HELD)
        return &none;
    if (job->acting || job->class == LF_UNKNOWN_OUTCOME)
        return &doubt;
    if (!job__can_assign(job))
        return lf_job_can_confirm(job) ? &act : &fix;
    return strcmp(job->step, lf_job_kind_find(job->kind)->assign_step) != 0 ? &wrong : &whose;
}

const char *lf_job_help(const struct lf_job *job)
{
    return ways_on(job)->help;
}

static bool add_ways(cJSON *report, const struct lf_job *job)
{
    cJSON *verbs = cJSON_CreateArray();
    bool good = lf_json_set(report, "can", verbs) && lf_json_set_text(report, "help", lf_job_help(job));
    for (const char *const *verb = ways_on(job)->verbs; good && *verb; verb++)
        good = cJSON_AddItemToArray(verbs, cJSON_CreateString(*verb));
    return good;
}

static void add_history(void *lines, int64_t at_ms, const char *who, const char *text)
{
    cJSON *line = cJSON_CreateObject();
    lf_json_add(lines,
                lf_json_made(line, lf_json_set_time(line, "at", at_ms) && lf_json_set_text(line, "who", who)
                                       && lf_json_set_text(line, "text", text)));
}

static bool add_verbose(struct lf_jobs *jobs, const struct lf_job *job, cJSON *report)
{
    cJSON *history = cJSON_CreateArray();
    struct lf_parcel_row parcel;
    enum lf_status status = lf_journal_history_list(jobs->journal, job->id, add_history, &history,
                                                    &(struct lf_error){0});
    if (!lf_json_set(report, "history", history)
        || !lf_json_set(report, "fields", cJSON_Duplicate(job->fields, true)) || status != LF_OK)
        return false;
    status = lf_journal_parcel_get(jobs->journal, job->id, &parcel, &(struct lf_error){0});
    if (status != LF_OK)
        return status == LF_NOT_FOUND;
    cJSON *file = cJSON_CreateObject();
    bool good = lf_json_set(report, "file", file) && lf_json_set_text(file, "name", parcel.name)
                && lf_json_set_int(file, "size", parcel.size)
                && lf_json_set_text(file, "sha256", parcel.sha256);
    lf_parcel_row_free(&parcel);
    return good;
}

cJSON *lf_job_to_json(struct lf_jobs *jobs, const struct lf_job *job, bool verbose)
{
    cJSON *report = cJSON_CreateObject();
    bool good = lf_json_set_int(report, "id", job->id) && lf_json_set_text(report, "kind", job->kind)
                && lf_json_set_text(report, "state", lf_job_state_name(job->state))
                && lf_json_set_text(report, "step", job->step)
                && lf_json_set_text(report, "instrument", *job->instrument ? job->instrument : NULL)
                && lf_json_set_text(report, "route", job->route)
                && lf_json_set_text(report, "event", job->event_id)
                && lf_json_set_text(report, "what", *lf_job_about(job) ? lf_job_about(job) : NULL)
                && lf_json_set_text(report, "note", job->note)
                && lf_json_set_int(report, "attempt", job->attempt)
                && lf_json_set_time(report, "created", job->created_ms)
                && lf_json_set_time(report, "updated", job->updated_ms)
                && lf_json_set_time(report, "not_after", job->expires_ms);
    if (good && job->class != LF_CLASS_NONE)
        good = lf_json_set_text(report, "class", lf_class_name(job->class));
    if (good
        && (job->state == LF_JOB_HELD || job->state == LF_JOB_FAILED || job->state == LF_JOB_EXPIRED
            || job__awaits_sign(job)))
        good = add_ways(report, job);
    if (good && job->state == LF_JOB_DONE && lf_job_json(job, LF_JOB_CAPTURES))
        good = lf_json_set(report, "values", cJSON_Duplicate(lf_job_json(job, LF_JOB_CAPTURES), true));
    if (good && !lf_job_state_final(job->state) && lf_job_text(job, LF_JOB_END))
        good = lf_json_set_text(report, "ending", lf_job_text(job, LF_JOB_END));
    char waits[LF_ERROR_TEXT];
    job__waits_for(jobs, job, waits, sizeof waits);
    if (good && *waits)
        good = lf_json_set_text(report, "waits_for", waits);
    if (good && job->state == LF_JOB_WAITING && job->due_mono < LF_NEVER)
        good = lf_json_set_time(report, "next_try", lf_clock_wall_ms() + lf_deadline_left(job->due_mono));
    if (good && job->state == LF_JOB_WAITING)
        good = lf_json_set_int(report, "again_in_ms", lf_deadline_left(job->due_mono));
    if (good && verbose)
        good = add_verbose(jobs, job, report);
    return lf_json_made(report, good);
}

/* Queues `report` (taken) under the agent's own topics. */
static enum lf_status queue_report(struct lf_jobs *jobs, cJSON *report, bool retain, struct lf_error *err,
                                   const char *kind, const char *name)
{
    char *topic = lf_format("%s/%s/%s", jobs->config->link.base, kind, name);
    char *payload = report ? lf_json_print(report) : NULL;
    enum lf_status status = topic && payload
                                ? lf_journal_outbox_add(jobs->journal, topic, payload, retain, err)
                                : lf_fail_memory(err, "queueing a report");
    free(payload);
    free(topic);
    cJSON_Delete(report);
    return status;
}

enum lf_status job__report(struct lf_jobs *jobs, const struct lf_job *job, struct lf_error *err)
{
    if (!jobs->config->link.used)
        return LF_OK;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)job->id);
    return queue_report(jobs, lf_job_to_json(jobs, job, false), false, err, "jobs", id);
}

enum lf_status job__report_end(struct lf_jobs *jobs, const struct lf_job *job, struct lf_error *err)
{
    char about[32], text[LF_ERROR_TEXT + 300], todo[200];
    const char *what = lf_job_about(job), *help = lf_job_help(job);
    snprintf(about, sizeof about, "job %lld", (long long)job->id);
    if (job->state != LF_JOB_FAILED && job->state != LF_JOB_EXPIRED)
        return lf_journal_concern_over(jobs->journal, CONCERN_SOURCE, about, err);
    snprintf(text, sizeof text, "%s (%s%s%.150s%s%.80s) has %s at %s: %s", about, job->kind,
             *what ? " of " : "", what, *job->instrument ? ", " : "", job->instrument,
             lf_job_state_name(job->state), job->step, job->note ? job->note : "no reason noted");
    snprintf(todo, sizeof todo, "labferry %s%s%s", about, *help ? ", then " : "", help);
    return lf_journal_concern(
        jobs->journal,
        &(struct lf_concern){.source = CONCERN_SOURCE, .about = about, .text = text, .todo = todo}, err);
}

enum lf_status job__report_instrument(struct lf_jobs *jobs, struct lf_instrument *instrument,
                                      struct lf_error *err)
{
    if (!jobs->config->link.used)
        return LF_OK;
    return queue_report(jobs, lf_instrument_info(instrument, NULL), true, err, "instruments",
                        lf_instrument_name(instrument));
}

/* Jobs as structs: names of states, how long they may wait, reading a row, freeing. */
#include "journal/job_rows.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [LF_JOB_READY] = "ready",         [LF_JOB_RUNNING] = "running", [LF_JOB_WAITING] = "waiting",
    [LF_JOB_HELD] = "held",           [LF_JOB_DONE] = "done",       [LF_JOB_FAILED] = "failed",
    [LF_JOB_CANCELLED] = "cancelled", [LF_JOB_EXPIRED] = "expired",
};

const char *lf_job_state_name(enum lf_job_state state)
{
    return state_names[state];
}

bool lf_job_state_parse(const char *name, enum lf_job_state *state)
{
    for (size_t i = 0; name && i < sizeof state_names / sizeof *state_names; i++)
        if (!strcmp(name, state_names[i])) {
            *state = (enum lf_job_state)i;
            return true;
        }
    return false;
}

bool lf_job_state_final(enum lf_job_state state)
{
    return state >= LF_JOB_DONE;
}

void lf_job_expire_after(struct lf_job *job, int64_t happened_ms, int64_t not_after_ms)
{
    int64_t now = lf_clock_best_ms(), age = happened_ms > 0 && happened_ms < now ? now - happened_ms : 0;
    job->expires_ms = now - age + not_after_ms;
    job->expires_mono = lf_clock_mono_ms() - age + not_after_ms;
    if (job->expires_mono < 1) /* before the machine was up; 0 means something else */
        job->expires_mono = 1;
}

void lf_job_free(struct lf_job *job)
{
    free(job->kind);
    free(job->route);
    free(job->instrument);
    free(job->key);
    free(job->event_id);
    free(job->note);
    free(job->wake);
    free(job->stop);
    cJSON_Delete(job->fields);
    memset(job, 0, sizeof *job);
}

/* One damaged row must not block all others: its job is held, where a person sees it. */
static enum lf_status hold_damaged(struct lf_job *job, struct lf_error *err)
{
    free(job->note);
    job->note = strdup(
        "the data of this job is damaged in the journal. Cancel it, and run `labferry journal-check`");
    job->fields = cJSON_CreateObject();
    job->state = LF_JOB_HELD;
    job->class = LF_NEEDS_PERSON;
    return job->note && job->fields ? LF_OK : lf_fail_memory(err, "reading a job");
}

enum lf_status journal__job_read(struct query *query, struct lf_job *job, struct lf_error *err)
{
    memset(job, 0, sizeof *job);
    job->id = journal__column_int(query, 0);
    job->kind = journal__column_text(query, 1);
    job->route = journal__column_text(query, 2);
    job->instrument = journal__column_text(query, 3);
    job->key = journal__column_text(query, 4);
    job->event_id = journal__column_text(query, 5);
    job->state = LF_JOB_HELD;
    lf_job_state_parse(journal__column_peek(query, 6), &job->state);
    const char *step = journal__column_peek(query, 7);
    snprintf(job->step, sizeof job->step, "%s", step ? step : "");
    job->bench = journal__column_int(query, 8) != 0;
    job->acting = journal__column_int(query, 9) != 0;
    job->attempt = (int)journal__column_int(query, 10);
    job->created_ms = journal__column_int(query, 11);
    job->updated_ms = journal__column_int(query, 12);
    job->due_mono = journal__column_int(query, 13);
    job->expires_ms = journal__column_int(query, 14);
    job->expires_mono = journal__column_int(query, 15);
    job->class = lf_class_from_name(journal__column_peek(query, 16));
    job->note = journal__column_text(query, 17);
    job->wake = journal__column_text(query, 18);
    job->stop = journal__column_text(query, 20);
    job->turn = (enum lf_turn)journal__column_int(query, 21);
    job->in_order = journal__column_int(query, 22) != 0;
    job->looked_mono = journal__column_int(query, 23);
    const char *facts = journal__column_peek(query, 19);
    enum lf_status status = facts ? lf_json_parse(lf_slice_text(facts), &job->fields, err) : LF_CORRUPT;
    if (query->no_memory) /* what could not be read must not count as damage */
        status = lf_fail_memory(err, "reading a job");
    if (status == LF_INVALID || status == LF_CORRUPT)
        status = hold_damaged(job, err);
    if (status == LF_OK && (!job->kind || !job->instrument || !job->key))
        status = lf_fail_memory(err, "reading a job");
    if (status != LF_OK)
        lf_job_free(job);
    return status;
}

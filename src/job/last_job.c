/* The rule last-job: a result without any mark belongs to the run whose file the instrument received, as long
 * as only one such run is without a result, and the result is younger than that delivery. Otherwise a person
 * chooses: the job's field candidates lists the runs, newest first.
 *
 * Results are decided in the order in which they were found, so that two never take the same run.
 */
#include "base/clock.h"
#include "job/steps.h"

#include <stdio.h>
#include <string.h>

/* A file's time is coarse: some file systems keep even seconds only, others the last tick of the clock. */
enum { OPEN_MAX = 1000, LISTED = 2, GRAIN_MS = 2000, TICK_MS = 20, WHY_ROOM = 360 };

static int64_t time_field(const struct lf_job *job, enum lf_job_field field, int64_t fallback)
{
    const char *text = lf_job_text(job, field);
    int64_t when;
    return text && lf_time_parse(text, &when) == LF_OK ? when : fallback;
}

static int64_t written_at(const struct lf_job *result)
{
    return time_field(result, LF_JOB_WRITTEN, result->created_ms);
}

static int64_t delivered_at(const struct lf_job *delivery)
{
    return time_field(delivery, LF_JOB_DELIVERED, delivery->updated_ms);
}

/* By both witnesses: the file's own time, and when the agent found it. A time in the future is none. */
static bool is_younger(const struct lf_job *result, int64_t delivered)
{
    int64_t written = written_at(result), grain = written % 1000 ? TICK_MS : GRAIN_MS;
    return written + grain >= delivered && result->created_ms >= delivered
           && written <= result->created_ms + LF_CLOCK_TOLERANCE_MS;
}

/* ---- what is in doubt ---- */

struct doubt {
    const struct lf_job *result;
    int64_t delivered; /* of the only candidate; 0: not known yet */
    int64_t id;        /* of the job that is in doubt */
    bool held;
};

static void note_delivery_in_doubt(void *context, const struct lf_job *job)
{
    struct doubt *doubt = context;
    if (job->acting || (job->state == LF_JOB_HELD && job->class == LF_UNKNOWN_OUTCOME))
        doubt->id = job->id;
}

static void note_undecided(void *context, const struct lf_job *job)
{
    struct doubt *doubt = context;
    bool held = job->state == LF_JOB_HELD;
    if (!lf_job_text(job, LF_JOB_RUN) && (!held || is_younger(job, doubt->delivered))) {
        doubt->id = job->id;
        doubt->held = held;
    }
}

static enum lf_status look(struct job_work *work, const char *kind, int64_t before,
                           void (*each)(void *, const struct lf_job *), struct doubt *doubt,
                           struct lf_error *err)
{
    struct lf_job_filter open = {.state = "open",
                                 .kind = kind,
                                 .instrument = work->job->instrument,
                                 .before = before,
                                 .limit = OPEN_MAX};
    return lf_journal_job_list(work->jobs->journal, &open, each, doubt, err);
}

/* A delivery with an unknown outcome may be the one; the run of another would be a guess. */
static enum lf_status no_delivery_in_doubt(struct job_work *work, struct lf_error *err)
{
    struct doubt doubt = {0};
    enum lf_status status = look(work, job__kind_deliver.config.name, 0, note_delivery_in_doubt, &doubt, err);
    if (status == LF_OK && doubt.id)
        status = lf_fail(err, LF_BUSY, LF_TRANSIENT,
                         "it may belong to the delivery of job %lld, whose outcome is not known yet. See "
                         "`labferry job %lld`",
                         (long long)doubt.id, (long long)doubt.id);
    return status;
}

/* An earlier result may belong to the same delivery. */
static enum lf_status no_earlier_result(struct job_work *work, int64_t delivered, struct lf_error *err)
{
    struct doubt doubt = {.result = work->job, .delivered = delivered};
    enum lf_status status = look(work, work->job->kind, work->job->id, note_undecided, &doubt, err);
    if (status != LF_OK || !doubt.id)
        return status;
    if (!doubt.held)
        return lf_fail(err, LF_BUSY, LF_TRANSIENT, "job %lld, an earlier result of %s, is matched first",
                       (long long)doubt.id, work->job->instrument);
    return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                   "the earlier result of job %lld has no run yet and may belong there too; decide on that "
                   "one first",
                   (long long)doubt.id);
}

/* ---- the candidates ---- */

struct candidates {
    cJSON *list;       /* {"run", "file", "delivered", "job"}, newest first */
    bool several;      /* runs */
    bool failed;       /* memory ran out */
    int64_t delivered; /* the first delivery of the first run */
    bool any;          /* anything was delivered at all */
};

static const char *run_of(const cJSON *candidate)
{
    return lf_json_text_or(candidate, "run", "");
}

static void add_candidate(void *context, const struct lf_job *job, bool answered)
{
    struct candidates *found = context;
    found->any = true;
    if (answered)
        return;
    char when[LF_TIME_TEXT];
    cJSON *one = cJSON_CreateObject();
    const cJSON *first = cJSON_GetArrayItem(found->list, 0);
    const char *run = lf_job_text_or(job, LF_JOB_RUN, "");
    lf_time_format_local(delivered_at(job), when);
    found->several = found->several || (first && strcmp(run_of(first), run) != 0);
    found->delivered = delivered_at(job);
    found->failed = !cJSON_AddItemToArray(found->list, one) || !lf_json_set_text(one, "run", run)
                    || !lf_json_set_text(one, "file", lf_job_text_or(job, LF_JOB_FILE_NAME, ""))
                    || !lf_json_set_text(one, "delivered", when) || !lf_json_set_int(one, "job", job->id)
                    || found->failed;
}

static void describe(const cJSON *list, char text[WHY_ROOM])
{
    int count = cJSON_GetArraySize(list), shown = 0;
    size_t used = 0;
    const cJSON *one;
    text[0] = '\0';
    cJSON_ArrayForEach (one, list) {
        if (shown == LISTED)
            break;
        used += (size_t)snprintf(text + used, WHY_ROOM - used, "%s%.40s (%.50s%s, delivered %s)",
                                 shown++ ? "; " : "", *run_of(one) ? run_of(one) : "a file without a run",
                                 lf_json_text_or(one, "file", ""),
                                 strlen(lf_json_text_or(one, "file", "")) > 50 ? "..." : "",
                                 lf_json_text_or(one, "delivered", ""));
    }
    if (count > shown)
        snprintf(text + used, WHY_ROOM - used, "; and %d more", count - shown);
}

static enum lf_status not_sure(struct job_work *work, struct candidates *found, struct lf_error *err)
{
    char text[WHY_ROOM], written[LF_TIME_TEXT];
    lf_time_format_local(written_at(work->job), written);
    describe(found->list, text);
    if (!found->any)
        return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON, "nothing was delivered to %s yet",
                       work->job->instrument);
    if (!*text)
        return lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON, "every run delivered to %s has a result already",
                       work->job->instrument);
    lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON, "%s%s%s%s", found->several ? "" : "written ",
            found->several ? "" : written,
            found->several ? "it may belong to: " : ", which is not after the delivery to: ", text);
    enum lf_status status = lf_job_set_json(work->job, LF_JOB_CANDIDATES, found->list, &(struct lf_error){0});
    found->list = NULL;
    return status == LF_OK ? LF_NOT_FOUND : lf_fail_memory(err, "listing the runs of a result");
}

static enum lf_status decide(struct job_work *work, struct candidates *found, struct lf_error *err)
{
    const cJSON *first = cJSON_GetArrayItem(found->list, 0);
    if (!first || found->several || !is_younger(work->job, found->delivered))
        return not_sure(work, found, err);
    enum lf_status status = no_earlier_result(work, found->delivered, err);
    if (status != LF_OK)
        return status;
    return *run_of(first) ? lf_job_set_text(work->job, LF_JOB_RUN, run_of(first), err)
                          : not_sure(work, found, err);
}

enum lf_status job__match_last_job(struct job_work *work, struct lf_error *err)
{
    struct candidates found = {.list = cJSON_CreateArray()};
    lf_job_clear(work->job, LF_JOB_CANDIDATES);
    enum lf_status status = found.list ? no_delivery_in_doubt(work, err)
                                       : lf_fail_memory(err, "listing the runs of a result");
    if (status == LF_OK)
        status = lf_journal_job_answers(work->jobs->journal, work->job->instrument,
                                        job__kind_deliver.config.name, "confirm", work->job->kind,
                                        work->job->id, OPEN_MAX, add_candidate, &found, err);
    if (status == LF_OK && found.failed)
        status = lf_fail_memory(err, "listing the runs of a result");
    if (status == LF_OK)
        status = decide(work, &found, err);
    cJSON_Delete(found.list);
    return status;
}

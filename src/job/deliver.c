/* deliver: an input file was generated; bring it to the instrument.
 *
 * resolve -> fetch -> turn -> look -> deliver -> confirm. An operator's own file (`labferry send`) starts at
 * deliver, with its parcel in the spool.
 */
#include "job/spool.h"

#include "base/clock.h"
#include "base/file.h"
#include "event/key.h"

#include <stdlib.h>
#include <string.h>

enum { NOT_COMPLETE_WAIT_MS = 5000 };

/* ---- resolve: events come late and out of order; is the file still the generator's, and complete? ---- */

/* The generator has a newer file. Its event may be lost, so the job for it is made here unless it exists. */
static enum lf_status hand_over(struct job_work *work, const cJSON *generator, const char *file,
                                struct lf_error *err)
{
    char *happening = lf_key_generator_file(lf_job_text(work->job, LF_JOB_GENERATOR), file);
    struct lf_birth birth = {
        .kind = &job__kind_deliver,
        .older = work->job,
        .happening = happening,
        .history = "the generator has a newer file than its event reported: this one",
        .texts = {{LF_JOB_FILE, file}, {LF_JOB_FILE_NAME, lf_json_text(generator, "file.name")}},
    };
    int64_t id;
    enum lf_status status = lf_jobs_birth(work->jobs, &birth, &id, err);
    free(happening);
    if (status != LF_OK && status != LF_EXISTS)
        return status;
    return job__end(work, LF_JOB_CANCELLED, "the generator has a newer file (%s), which is delivered instead",
                    file);
}

/* *generator is owned. If the generator no longer has the file, the job ends. */
static enum lf_status ask_generator(struct job_work *work, cJSON **generator, struct lf_error *err)
{
    enum lf_status status = lf_cloud_get(work->jobs->cloud, LF_CLOUD_GENERATOR,
                                         lf_job_text(work->job, LF_JOB_GENERATOR), &work->call, generator,
                                         err);
    if (status != LF_OK)
        return status;
    const char *file = lf_json_text(*generator, "file.id"), *known = lf_job_text(work->job, LF_JOB_FILE);
    if (!file)
        return job__end(work, LF_JOB_CANCELLED, "the generator no longer has a file");
    status = job__rematch(work, *generator, err);
    if (status != LF_OK || work->follow != FOLLOW_NEXT)
        return status;
    return known && strcmp(known, file) != 0 ? hand_over(work, *generator, file, err) : LF_OK;
}

static enum lf_status resolve_file(struct job_work *work, struct lf_error *err)
{
    cJSON *generator = NULL;
    enum lf_status status = ask_generator(work, &generator, err);
    if (status != LF_OK || work->follow != FOLLOW_NEXT) {
        cJSON_Delete(generator);
        return status;
    }
    if (strcmp(lf_json_text_or(generator, "file.uploadStatus", "COMPLETE"), "COMPLETE") != 0)
        status = job__wait(work, NOT_COMPLETE_WAIT_MS, "Benchling is still storing the file");
    else if ((status = job__take(work->job, &job__kind_deliver, generator, err)) == LF_OK)
        status = lf_name_check(lf_job_text_or(work->job, LF_JOB_FILE_NAME, ""), err);
    if (status == LF_OK && work->follow == FOLLOW_NEXT)
        status = job__withdraw_older(work, err);
    cJSON_Delete(generator);
    return status;
}

/* ---- fetch ---- */

static enum lf_status download_file(struct job_work *work, struct lf_file *file, char *sha256, int64_t *size,
                                    struct lf_error *err)
{
    return lf_cloud_download(work->jobs->cloud, lf_job_text(work->job, LF_JOB_FILE), file,
                             work->jobs->config->agent.file_max, &work->call, sha256, size, err);
}

static enum lf_status fetch_file(struct job_work *work, struct lf_error *err)
{
    return job__spool_fill(work, lf_job_text(work->job, LF_JOB_MIME), download_file, err);
}

/* ---- look ---- */

static enum lf_status look_again(struct job_work *work, struct lf_error *err)
{
    cJSON *generator = NULL;
    enum lf_status status = job__cannot_look(ask_generator(work, &generator, err), err);
    cJSON_Delete(generator);
    return status;
}

/* ---- deliver and confirm ---- */

/* Saved with "about to act": results that are older are not of this delivery. */
static enum lf_status note_beginning(struct job_work *work, struct lf_error *err)
{
    char now[LF_TIME_TEXT];
    lf_time_format(lf_clock_best_ms(), now);
    return lf_job_set_text(work->job, LF_JOB_DELIVERED, now, err);
}

/* Acting needs the file itself; verifying an earlier action needs only its name and digest. */
static enum lf_status parcel_action(struct job_work *work, struct lf_action *action, struct lf_error *err)
{
    struct lf_file file = {0};
    bool acting = work->job->acting;
    enum lf_status status = acting ? job__spool_name(work, err) : job__spool_open(work, &file, err);
    bool lost = status == LF_CORRUPT || status == LF_NOT_FOUND;
    action->kind = LF_ACTION_DELIVER;
    action->parcel = &work->parcel;
    lf_file_close(&file);
    if (status == LF_OK && !acting)
        return note_beginning(work, err);
    if (lost && !acting && lf_job_text(work->job, LF_JOB_FILE))
        return job__go(work, "fetch", "fetched again: %.300s", err->text);
    if (lost && acting)
        return lf_fail(
            err, status, LF_NEEDS_PERSON,
            "%.300s, so the agent cannot look for it on %s, where it may have put it. Check there, "
            "then `labferry confirm %lld` (it happened), `retry` (it did not) or `cancel`",
            err->text, work->job->instrument, (long long)work->job->id);
    return lost ? lf_fail(err, status, LF_NEEDS_PERSON, "%.300s. Cancel the job and send the file again",
                          err->text)
                : status;
}

static enum lf_status note_delivery(struct job_work *work, const struct lf_outcome *outcome,
                                    struct lf_error *err)
{
    enum lf_status status = LF_OK;
    if (outcome->place)
        status = lf_job_set_text(work->job, LF_JOB_PLACE, outcome->place, err);
    if (status == LF_OK && outcome->sha256[0])
        status = lf_job_set_text(work->job, LF_JOB_SHA256_THERE, outcome->sha256, err);
    if (!*work->note)
        job__note(work, "at %s", outcome->place ? outcome->place : work->job->instrument);
    return status;
}

/* Only reads. Nothing here leads back to deliver: the instrument may have used the file already. */
static enum lf_status read_back(struct job_work *work, struct lf_error *err)
{
    struct lf_action action = {.job = work->job->id, .kind = LF_ACTION_DELIVER, .parcel = &work->parcel};
    struct lf_outcome outcome = {0};
    struct lf_error why = {0};
    const char *instrument = work->job->instrument;
    enum lf_status status = job__spool_name(work, err);
    if (status == LF_NOT_FOUND) {
        job__note(work, "the file was put on %s, but the spool no longer has it to compare", instrument);
        return LF_OK;
    }
    if (status != LF_OK)
        return status;
    const char *name = work->parcel.name;
    switch (lf_instrument_verify(work->instrument, &action, &outcome, &why)) {
    case LF_VERDICT_DONE:
        if (!outcome.sha256[0]) {
            job__note(work, "%s was put on %s, which has already taken it", name, instrument);
            break;
        }
        status = lf_job_set_text(work->job, LF_JOB_SHA256_THERE, outcome.sha256, err);
        job__note(work, "%s is on %s; read back, %s: sha256 %s", name, instrument,
                  !strcmp(outcome.sha256, work->parcel.sha256) ? "equal on both sides"
                                                               : "converted as configured",
                  outcome.sha256);
        break;
    case LF_VERDICT_NOT_DONE:
        status = lf_fail(err, LF_MISMATCH, LF_NEEDS_PERSON,
                         "%s was put on %s but is not there as expected%s%s. Check the instrument, then "
                         "`labferry retry %lld` (check again) or `cancel`",
                         name, instrument, why.text[0] ? ": " : "", why.text, (long long)work->job->id);
        break;
    case LF_VERDICT_UNKNOWN:
        if (why.status == LF_DISCONNECTED || why.class == LF_TRANSIENT)
            status = lf_fail(err, why.status, LF_TRANSIENT, "%s", why.text);
        else
            job__note(work, "%s is on %s, which cannot read it back", name, instrument);
        break;
    }
    lf_outcome_free(&outcome);
    return status;
}

static enum lf_status confirm_delivery(struct job_work *work, struct lf_error *err)
{
    enum lf_status status = read_back(work, err);
    return status == LF_OK ? job__name_superseded(work, err) : status;
}

static const struct job_step steps[] = {
    {.name = "resolve", .run = resolve_file, .turn = LF_TURN_COMES, .needs = {LF_JOB_GENERATOR}},
    {.name = "fetch",
     .bulk = true,
     .run = fetch_file,
     .turn = LF_TURN_COMES,
     .needs = {LF_JOB_FILE, LF_JOB_FILE_NAME}},
    {.name = "turn", .run = job__take_turn, .turn = LF_TURN_WANTED, .bench = true},
    {.name = "look", .run = look_again, .turn = LF_TURN_TAKEN, .looks = true, .needs = {LF_JOB_GENERATOR}},
    {.name = "deliver",
     .bench = true,
     .turn = LF_TURN_TAKEN,
     .action = parcel_action,
     .acted = note_delivery},
    {.name = "confirm", .bench = true, .run = confirm_delivery},
    {0},
};

const struct lf_job_kind job__kind_deliver = {
    .config = {.name = "deliver", .resource = "automationInputGenerator", .ability = LF_CAN_DELIVER},
    .takes = {{LF_JOB_GENERATOR, "id"},
              {LF_JOB_FILE, "file.id"},
              {LF_JOB_FILE_NAME, "file.name"},
              {LF_JOB_MIME, "file.mimeType"},
              {LF_JOB_RUN, "assayRunId"},
              {LF_JOB_CONFIG, "automationFileConfig.name"}},
    .detail = LF_JOB_FILE,
    .steps = steps,
};

/* deliver: an input file was generated; bring it to the instrument.
 *
 * resolve -> fetch -> deliver -> confirm. Facts: generator, file, file_name, run, config (from the event),
 * sha256, place. An operator's own file (`labferry send`) starts at deliver with its parcel in the spool.
 */
#include "job/spool.h"

#include "base/digest.h"
#include "base/file.h"
#include "event/key.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOT_COMPLETE_WAIT_MS = 5000 };

/* ---- resolve: events come late and out of order. Is this still the generator's file, and complete? ---- */

/* The generator has a newer file. Its own event may be lost, so the job for it is made here; if it is there
 * already, fine. */
static enum lf_status hand_over(struct work *work, const cJSON *generator, const char *file,
                                struct lf_error *err)
{
    const struct lf_job *old = work->job;
    struct lf_job job = {.kind = old->kind,
                         .route = old->route,
                         .instrument = old->instrument,
                         .event_id = old->event_id,
                         .state = LF_JOB_READY,
                         .step = "resolve",
                         .expires_ms = old->expires_ms,
                         .expires_mono = old->expires_mono};
    const char *generator_id = job__fact(work, "generator");
    char *happening = lf_key_generator_file(generator_id, file);
    job.key = happening ? lf_key_job(happening, old->instrument, old->kind, file) : NULL;
    free(happening);
    job.facts = cJSON_Duplicate(old->facts, true);
    bool good = job.key && job.facts && lf_json_set_text(job.facts, "file", file)
                && lf_json_set_text(job.facts, "file_name", lf_json_text(generator, "file.name"));
    enum lf_status status = good ? job__add(work->jobs, &job, "agent",
                                            "found when an older event was looked into", NULL, err)
                                 : lf_fail_memory(err, "handing over to a newer file");
    free(job.key);
    cJSON_Delete(job.facts);
    if (status != LF_OK && status != LF_EXISTS)
        return status;
    return job__end(work, LF_JOB_CANCELLED,
                    "the generator has a newer file (%s) by now; that one is delivered instead", file);
}

static enum lf_status resolve(struct work *work, struct lf_error *err)
{
    const char *id;
    enum lf_status status = job__fact_need(work, "generator", &id, err);
    if (status != LF_OK)
        return status;
    cJSON *generator = NULL;
    status = lf_cloud_get_generator(work->jobs->cloud, id, &work->call, &generator, err);
    if (status != LF_OK)
        return status;
    const char *file = lf_json_text(generator, "file.id"), *known = job__fact(work, "file");
    if (!file)
        status = job__end(work, LF_JOB_CANCELLED, "the generator has no file any more");
    else if (known && strcmp(known, file) != 0)
        status = hand_over(work, generator, file, err);
    else if (strcmp(lf_json_text_or(generator, "file.uploadStatus", "COMPLETE"), "COMPLETE") != 0)
        status = job__wait(work, NOT_COMPLETE_WAIT_MS, "Benchling is still storing the file");
    else if ((status = job__fact_set(work, "file", file, err)) == LF_OK
             && (status = job__fact_set(work, "file_name", lf_json_text(generator, "file.name"), err))
                    == LF_OK
             && (status = job__fact_set(work, "mime", lf_json_text(generator, "file.mimeType"), err)) == LF_OK
             && (status = job__fact_set(work, "run", lf_json_text(generator, "assayRunId"), err)) == LF_OK)
        status = lf_name_check(job__fact(work, "file_name") ? job__fact(work, "file_name") : "", err);
    cJSON_Delete(generator);
    return status;
}

/* ---- fetch ---- */

static enum lf_status fetch(struct work *work, struct lf_error *err)
{
    const char *blob;
    enum lf_status status = job__fact_need(work, "file", &blob, err);
    struct spool_file file = {.fd = -1};
    char sha256[LF_SHA256_HEX];
    int64_t size = 0;
    if (status == LF_OK)
        status = lf_journal_room(work->jobs->journal, LF_ROOM_FILE, err);
    if (status == LF_OK)
        status = job__spool_create(work->jobs, work->job->id, &file, err);
    if (status == LF_OK)
        status = lf_cloud_download(work->jobs->cloud, blob, file.fd, work->jobs->config->agent.file_max,
                                   &work->call, sha256, &size, err);
    if (status == LF_OK)
        status = job__spool_parcel(work->jobs, work->job->id, &file, job__fact(work, "file_name"),
                                   job__fact(work, "mime"), sha256, size, err);
    job__spool_discard(&file);
    if (status == LF_OK)
        status = job__fact_set(work, "sha256", sha256, err);
    if (status == LF_OK)
        job__note(work, "%s, %lld bytes, sha256 %s", job__fact(work, "file_name"), (long long)size, sha256);
    return status;
}

/* ---- deliver and confirm ---- */

/* The parcel as the journal knows it. Only an action that is to be done needs its file whole; looking what
 * became of one needs no more than name and digest. */
static void name_parcel(struct work *work, struct lf_action *action)
{
    const struct lf_parcel_row *row = &work->parcel_row;
    work->parcel = (struct lf_parcel){row->name, work->parcel_path, row->size, row->sha256, row->mime};
    action->kind = LF_ACTION_DELIVER;
    action->parcel = &work->parcel;
}

static enum lf_status parcel_action(struct work *work, struct lf_action *action, struct lf_error *err)
{
    int fd = -1;
    struct lf_job *job = work->job;
    enum lf_status status = job->acting ? job__spool_name(work->jobs, job->id, &work->parcel_row,
                                                          &work->parcel_path, err)
                                        : job__spool_open(work->jobs, job->id, &work->parcel_row,
                                                          &work->parcel_path, &fd, err);
    if ((status == LF_CORRUPT || status == LF_NOT_FOUND) && job__fact(work, "file") && !job->acting) {
        work->follow = FOLLOW_GO;
        work->go = "fetch";
        job__note(work, "fetched anew: %.300s", err->text);
        return LF_OK;
    }
    if (status == LF_CORRUPT || status == LF_NOT_FOUND)
        return lf_fail(err, status, LF_NEEDS_PERSON, "%.300s. Cancel the job and send the file again",
                       err->text);
    if (status != LF_OK)
        return status;
    if (fd >= 0)
        close(fd);
    name_parcel(work, action);
    return LF_OK;
}

static enum lf_status delivered(struct work *work, const struct lf_outcome *outcome, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    if (outcome->place)
        status = job__fact_set(work, "place", outcome->place, err);
    if (status == LF_OK && outcome->sha256[0])
        status = job__fact_set(work, "sha256_there", outcome->sha256, err);
    if (!*work->note)
        job__note(work, "at %s", outcome->place ? outcome->place : work->job->instrument);
    return status;
}

/* Looks only. From here nothing leads back to delivering: the instrument may have used the file already. */
static enum lf_status confirm(struct work *work, struct lf_error *err)
{
    struct lf_action action = {.job = work->job->id};
    struct lf_outcome outcome = {0};
    struct lf_error why = {0};
    const char *name, *instrument = work->job->instrument;
    enum lf_status status = job__spool_name(work->jobs, work->job->id, &work->parcel_row, &work->parcel_path,
                                            err);
    if (status == LF_NOT_FOUND) {
        job__note(work, "it was put on %s; what was there is not known any more", instrument);
        return LF_OK;
    }
    if (status != LF_OK)
        return status;
    name_parcel(work, &action);
    name = work->parcel.name;
    switch (lf_instrument_verify(work->instrument, &action, &outcome, &why)) {
    case LF_VERDICT_DONE:
        if (outcome.sha256[0])
            status = job__fact_set(work, "sha256_there", outcome.sha256, err);
        if (outcome.sha256[0])
            job__note(work, "%s is on %s; read back, %s: sha256 %s", name, instrument,
                      !strcmp(outcome.sha256, work->parcel.sha256) ? "equal on both sides"
                                                                   : "converted as configured",
                      outcome.sha256);
        else
            job__note(work, "%s is on %s, which has taken it already", name, instrument);
        break;
    case LF_VERDICT_NOT_DONE:
        status = lf_fail(
            err, LF_MISMATCH, LF_NEEDS_PERSON,
            "%s was put on %s but is not there as it should be%s%s. Look at the instrument, then `labferry "
            "retry %lld` (look again) or `cancel`",
            name, instrument, why.text[0] ? ": " : "", why.text, (long long)work->job->id);
        break;
    case LF_VERDICT_UNKNOWN:
        if (why.status == LF_DISCONNECTED || why.class == LF_TRANSIENT)
            status = lf_fail(err, why.status, LF_TRANSIENT, "%s", why.text);
        else
            job__note(work, "%s is on %s; it cannot be read back there", name, instrument);
        break;
    }
    lf_outcome_free(&outcome);
    return status;
}

static const struct step steps[] = {
    {.name = "resolve", .run = resolve},
    {.name = "fetch", .run = fetch},
    {.name = "deliver", .bench = true, .action = parcel_action, .acted = delivered},
    {.name = "confirm", .bench = true, .run = confirm},
    {0},
};

const struct kind job__kind_deliver = {.name = "deliver", .steps = steps};

/* Needs: everything that wants a person's attention, in one list. Each entry says what, since when, and what
 * to do; one that a person can acknowledge has an id.
 *
 * Three sources: what the journal has (jobs that are held, keep failing or want a sample; concerns), what the
 * parts of the agent say of themselves (instruments, broker, Benchling), and what is about to run out (disk,
 * journal, spool, outbox).
 */
#include "control/needs.h"
#include "control/verbs.h"

#include "base/clock.h"
#include "config/config.h"
#include "job/job.h"
#include "journal/concern.h"
#include "link/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOBS_SHOWN = 20,
    MB = 1000000,
    NEAR_PERCENT = 90,
    GRACE_MS = 10 * 1000,        /* an instrument or broker that is away longer needs a person */
    PATIENCE_MS = 2 * 60 * 1000, /* a job that fails again and again for longer does, too */
};

/* Takes what. Returns the entry; NULL: no memory. */
static cJSON *need(cJSON *list, char *what, const char *todo)
{
    cJSON *entry = what ? cJSON_CreateObject() : NULL;
    if (entry && lf_json_set_text(entry, "what", what) && lf_json_set_text(entry, "do", todo)) {
        cJSON_AddItemToArray(list, entry);
    } else {
        cJSON_Delete(entry);
        entry = NULL;
    }
    free(what);
    return entry;
}

/* ---- jobs ---- */

static void need_job(cJSON *list, const struct lf_job *job, const char *state, const char *why,
                     const char *todo, int64_t since_ms)
{
    const char *what = lf_job_about(job);
    cJSON *entry = need(list,
                        lf_format("job %lld (%s%s%s%s%s) %s: %s", (long long)job->id, job->kind,
                                  *what ? " of " : "", what, *job->instrument ? ", " : "", job->instrument,
                                  state, why),
                        todo);
    lf_json_set_int(entry, "job", job->id);
    lf_json_set_time(entry, "since", since_ms);
    if (job->state == LF_JOB_WAITING)
        lf_json_set_time(entry, "next", lf_clock_best_ms() + lf_deadline_left(job->due_mono));
}

static const char *reason(const struct lf_job *job)
{
    return job->note ? job->note : "no reason noted";
}

static void need_held(void *list, const struct lf_job *job)
{
    char todo[400], state[80];
    snprintf(state, sizeof state, "is held at %s", job->step);
    snprintf(todo, sizeof todo, "labferry job %lld, then %s", (long long)job->id, lf_job_help(job));
    need_job(list, job, state, reason(job), todo, job->updated_ms);
}

static void need_failing(void *list, const struct lf_job *job)
{
    char todo[200], state[80];
    snprintf(state, sizeof state, "keeps failing at %s", job->step);
    snprintf(
        todo, sizeof todo,
        "fix the cause; the agent keeps trying (labferry retry %lld: now; labferry cancel %lld: no more)",
        (long long)job->id, (long long)job->id);
    need_job(list, job, state, reason(job), todo, lf_job_int(job, LF_JOB_FAILING_SINCE, 0));
}

/* Also while the instrument looks for its sample, which can take minutes. */
static void need_sample(void *list, const struct lf_job *job)
{
    char todo[200], why[120];
    snprintf(why, sizeof why, "a person must put it on %.80s", job->instrument);
    snprintf(
        todo, sizeof todo,
        "labferry job %lld names the task and its inputs. If it does not begin once the sample is there, labferry "
        "start %lld; or labferry cancel %lld",
        (long long)job->id, (long long)job->id, (long long)job->id);
    need_job(list, job, "waits for its sample", why, todo, lf_job_int(job, LF_JOB_SAMPLE_SINCE, 0));
}

static void need_jobs(struct lf_context *context, cJSON *list, const cJSON *counts)
{
    struct lf_error ignored;
    struct lf_job_filter held = {.state = "held", .limit = JOBS_SHOWN},
                         failing = {.state = "waiting",
                                    .failing_before_ms = lf_clock_best_ms() - PATIENCE_MS,
                                    .limit = JOBS_SHOWN},
                         sample = {.state = "open", .wants_sample = true, .limit = JOBS_SHOWN};
    lf_journal_job_list(context->journal, &held, need_held, list, &ignored);
    int64_t count = lf_json_int(counts, "held", 0);
    if (count > JOBS_SHOWN)
        need(list, lf_format("%lld more jobs are held", (long long)count - JOBS_SHOWN),
             "labferry jobs --state held");
    int before = cJSON_GetArraySize(list);
    lf_journal_job_list(context->journal, &failing, need_failing, list, &ignored);
    if (cJSON_GetArraySize(list) - before == JOBS_SHOWN)
        need(list, strdup("more jobs may keep failing: only the first are listed"),
             "labferry jobs --state waiting");
    lf_journal_job_list(context->journal, &sample, need_sample, list, &ignored);
}

/* ---- concerns ---- */

static void need_concern(void *list, const struct lf_concern *concern)
{
    char todo[700];
    const char *instrument = strncmp(concern->source, "instrument/", 11) ? NULL : concern->source + 11;
    snprintf(todo, sizeof todo, "%s%s", concern->todo, concern->stands ? "" : "; once you have seen it: ");
    if (!concern->stands)
        snprintf(todo + strlen(todo), sizeof todo - strlen(todo), "labferry acknowledge %lld",
                 (long long)concern->id);
    char *times = concern->times > 1 ? lf_format(" (%lld times)", (long long)concern->times) : strdup("");
    cJSON *entry = need(list,
                        lf_format("%s%s%s%s", instrument ? instrument : "", instrument ? ": " : "",
                                  concern->text, times ? times : ""),
                        todo);
    free(times);
    if (!concern->stands)
        lf_json_set_int(entry, "id", concern->id);
    if (instrument)
        lf_json_set_text(entry, "instrument", instrument);
    lf_json_set_int(entry, "times", concern->times);
    lf_json_set_time(entry, "since", concern->since_ms);
    lf_json_set_time(entry, "last", concern->last_ms);
}

/* ---- the parts of the agent ---- */

static void since(cJSON *entry, const char *time)
{
    if (time)
        lf_json_set_text(entry, "since", time);
}

/* Short outages usually recover on their own. */
static bool just_now(const cJSON *since)
{
    int64_t at, age;
    if (!cJSON_IsString(since) || lf_time_parse(since->valuestring, &at) != LF_OK)
        return false;
    age = lf_clock_wall_ms() - at;
    return age >= 0 && age < GRACE_MS;
}

static cJSON *need_resume(struct lf_context *context, cJSON *list, const char *name)
{
    struct lf_error ignored;
    char key[LF_PAUSED_NAME], *why, todo[120];
    lf_journal_get(context->journal, lf_journal_paused(name, key), &why, &ignored);
    snprintf(todo, sizeof todo, "labferry resume %.80s", name);
    cJSON *entry = need(list, lf_format("%s is %s", name, why ? why : "paused by the configuration"), todo);
    free(why);
    return entry;
}

/* Does its driver report the same, with better advice? */
struct same {
    const char *source, *text;
    bool found;
};

static void compare(void *context, const struct lf_concern *concern)
{
    struct same *same = context;
    same->found = same->found
                  || (concern->stands && !strcmp(concern->source, same->source)
                      && !strcmp(concern->text, same->text));
}

static bool is_concern(struct lf_context *context, const char *name, const char *text)
{
    char source[LF_CONCERN_SOURCE];
    struct lf_error ignored;
    struct same same = {lf_concern_instrument(name, source), text, false};
    lf_journal_concern_list(context->journal, compare, &same, &ignored);
    return same.found;
}

static void need_instruments(struct lf_context *context, cJSON *list, const cJSON *instruments)
{
    const cJSON *info;
    cJSON_ArrayForEach (info, instruments) {
        const char *name = lf_json_text_or(info, "name", "");
        const char *state = lf_json_text_or(info, "state", ""),
                   *note = lf_json_text_or(info, "note", "no reason known");
        if (!strcmp(state, "offline") && !just_now(lf_json_at(info, "since"))
            && !is_concern(context, name, note))
            since(need(list, lf_format("%s is offline: %s", name, note),
                       "check power, cable and settings; the agent keeps trying to connect"),
                  lf_json_text(info, "since"));
        if (lf_json_bool(info, "paused", false))
            since(need_resume(context, list, name),
                  strcmp(state, "paused") != 0 ? NULL : lf_json_text(info, "since"));
    }
}

static void need_clock(cJSON *list)
{
    char clock[LF_CLOCK_TEXT];
    lf_clock_words(clock);
    if (lf_clock_ahead_ms())
        need(list, strdup(clock),
             "set the clock, or start time synchronisation. If it is right, the tenant or a proxy sends a "
             "wrong date. Until both agree, nothing old is removed from the journal");
}

static void need_disk(struct lf_context *context, cJSON *list)
{
    struct lf_error err = {0};
    if (lf_journal_works(context->journal, &err) != LF_OK)
        need(list, strdup(err.text),
             err.status == LF_CORRUPT ? "stop the agent, then labferry journal-check"
                                      : "fix the disk; the agent continues as soon as it can write");
    else if (lf_journal_room(context->journal, LF_ROOM_WORK, &err) != LF_OK)
        need(list, strdup(err.text), "make room; until then nothing new is accepted");
}

/* A spool on the journal's disk is covered by need_disk. Unknown is -1. */
static void need_spool_disk(cJSON *list, const cJSON *storage)
{
    int64_t reserve = lf_json_int(storage, "reserve", 0), left = lf_json_int(storage, "spool_disk_free", -1),
            journal = lf_json_int(storage, "journal_disk_free", -1);
    if (left >= 0 && left < reserve && (journal < 0 || journal >= reserve))
        need(list,
             lf_format("the disk of the spool has %lld MB free and %lld MB are kept in reserve "
                       "(agent.disk_reserve): no file is fetched or collected",
                       (long long)(left / MB), (long long)(reserve / MB)),
             "make room on it");
}

/* Warns before the limit is reached and work stops. */
static void need_room(cJSON *list, const cJSON *storage, const char *used, const char *max, const char *what,
                      const char *todo)
{
    int64_t use = lf_json_int(storage, used, 0), limit = lf_json_int(storage, max, 0);
    if (limit && use < limit && use >= limit / 100 * NEAR_PERCENT)
        need(list, lf_format("%s: %lld %% of %s is used", what, (long long)(use * 100 / limit), max), todo);
}

static void need_rooms(cJSON *list, const cJSON *storage)
{
    static const char end_held[] =
        "retry or cancel held jobs (labferry jobs --state held), or raise agent.spool_max";
    need_room(list, storage, "journal_bytes", "journal_max", "the journal is almost full",
              "shorten agent.keep or raise agent.journal_max; when it is full, nothing new is accepted");
    need_room(list, storage, "spool_bytes", "spool_max", "the spool is almost full", end_held);
    int64_t spool = lf_json_int(storage, "spool_bytes", 0);
    if (spool >= lf_json_int(storage, "spool_max", INT64_MAX))
        need(list, strdup("the spool is full: no file is fetched or collected"), end_held);
    need_spool_disk(list, storage);
    int64_t reports = lf_json_int(storage, "outbox", 0);
    if (reports >= lf_json_int(storage, "outbox_max", INT64_MAX))
        need(list,
             lf_format("%lld reports are waiting for the broker, which is the limit: the oldest job reports "
                       "are dropped (%lld so far; the audit trail has all of them)",
                       (long long)reports, (long long)lf_json_int(storage, "outbox_dropped", 0)),
             "connect the broker");
}

static void need_ways_out(struct lf_context *context, cJSON *list, const cJSON *status)
{
    const char *error = lf_json_text(status, "link.error"),
               *duplicate = lf_json_text(status, "link.duplicate");
    bool offline = context->link && lf_link_state(context->link) != LF_LINK_ONLINE;
    if (duplicate)
        need(list, strdup(duplicate),
             "find the other agent; stop it, or give one of them another agent.name (and link.client_id)");
    else if (offline && !just_now(lf_json_at(status, "link.since")))
        since(need(list, lf_format("no connection to the broker%s%s", error ? ": " : "", error ? error : ""),
                   "check link.broker and its credentials; the agent keeps trying to connect"),
              lf_json_text(status, "link.since"));
    else if (context->link && !offline && error)
        need(list, strdup(error), "check the broker's access rules for this agent");
    if (!strcmp(lf_json_text_or(status, "cloud.state", ""), "failing"))
        since(need(list,
                   lf_format("Benchling cannot be used: %s", lf_json_text_or(status, "cloud.last_error", "")),
                   "check the network, cloud.tenant and its credentials; the agent keeps trying, and jobs "
                   "waiting for it continue on their own"),
              lf_json_text(status, "cloud.since"));
}

void control__add_needs(struct lf_context *context, cJSON *status)
{
    struct lf_error ignored;
    cJSON *needs = cJSON_GetObjectItemCaseSensitive(status, "needs");
    need_disk(context, needs);
    need_rooms(needs, lf_json_at(status, "storage"));
    need_jobs(context, needs, lf_json_at(status, "jobs"));
    need_instruments(context, needs, lf_json_at(status, "instruments"));
    need_ways_out(context, needs, status);
    need_clock(needs);
    lf_journal_concern_list(context->journal, need_concern, needs, &ignored);
}

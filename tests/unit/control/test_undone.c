// A verb whose commit fails has changed nothing: not the journal, not the spool, not the instrument.
#include "ground.h"

#include "base/clock.h"
#include "core.h"
#include "journal/concern.h"
#include "os/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ground ground;
static struct lf_server *server;

// The last thing in the transaction of each verb is its verdict in the audit trail.
static const char fail[] = "CREATE TRIGGER fail BEFORE INSERT ON audit WHEN NEW.what = 'command' "
                           "BEGIN SELECT RAISE(ABORT, 'the test fails it'); END";

static void spool_path(int64_t job, char *path, size_t size)
{
    snprintf(path, size, "%s/job-%lld", ground.spool, (long long)job);
}

static bool has_file(int64_t job)
{
    char path[300];
    spool_path(job, path, sizeof path);
    return access(path, F_OK) == 0;
}

static int64_t hold(const char *kind, const char *step, const char *facts, bool acting)
{
    struct lf_job job = {.kind = (char *)kind,
                         .instrument = (char *)"balance-1",
                         .key = (char *)kind,
                         .state = LF_JOB_HELD,
                         .bench = true,
                         .fields = cJSON_Parse(facts)};
    snprintf(job.step, sizeof job.step, "%s", step);
    NEED(lf_journal_job_add(ground.context.journal, &job, NULL, UNIT_ERROR) == LF_OK);
    job.acting = acting;
    NEED(lf_journal_job_save(ground.context.journal, &job, UNIT_ERROR) == LF_OK);
    char path[300], name[30];
    spool_path(job.id, path, sizeof path);
    snprintf(name, sizeof name, "job-%lld", (long long)job.id);
    FILE *file = fopen(path, "w");
    NEED(file && fclose(file) == 0);
    struct lf_parcel_row row = {.job = job.id, .name = (char *)"only-copy.csv", .file = name, .sha256 = "0"};
    NEED(lf_journal_parcel_add(ground.context.journal, &row, UNIT_ERROR) == LF_OK);
    cJSON_Delete(job.fields);
    return job.id;
}

static void add_job(void *list, const struct lf_job *job)
{
    cJSON *item = lf_job_to_json(ground.context.jobs, job, true);
    lf_json_set_bool(item, "has file", has_file(job->id));
    cJSON_AddItemToArray(list, item);
}

static void add_concern(void *list, const struct lf_concern *concern)
{
    cJSON_AddItemToArray(list, cJSON_CreateString(concern->text));
}

// All that a verb could change, as text. Returns owned.
static char *picture(void)
{
    struct lf_job_filter all = {.limit = 1000};
    char *paused = NULL;
    cJSON *all_of_it = cJSON_CreateObject(), *jobs = cJSON_AddArrayToObject(all_of_it, "jobs");
    NEED(lf_journal_job_list(ground.context.journal, &all, add_job, jobs, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_get(ground.context.journal, "paused.balance-1", &paused, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_concern_list(ground.context.journal, add_concern,
                                 cJSON_AddArrayToObject(all_of_it, "needs"), UNIT_ERROR)
         == LF_OK);
    lf_json_set_text(all_of_it, "paused in the journal", paused);
    lf_json_set(all_of_it, "instrument", lf_instrument_info(ground.instrument, NULL));
    char *text = cJSON_PrintUnformatted(all_of_it);
    cJSON_Delete(all_of_it);
    free(paused);
    return text;
}

// Returns the answer, owned.
static cJSON *ask(const char *request)
{
    char line[4096];
    size_t len = 0, got;
    struct lf_socket agent;
    struct lf_file passed = {0};
    struct lf_error err;
    NEED(lf_local_connect(ground.socket, lf_deadline_in(UNIT_SOON_MS), &agent, &err) == LF_OK);
    NEED(lf_local_send(&agent, request, strlen(request), NULL, lf_deadline_in(UNIT_SOON_MS), NULL, &err)
         == LF_OK);
    while (len < sizeof line && (len == 0 || line[len - 1] != '\n')) {
        NEED(lf_local_receive(&agent, line + len, 1, lf_deadline_in(UNIT_SOON_MS), NULL, &got, &passed, &err)
             == LF_OK);
        NEED(got == 1);
        len += got;
    }
    lf_socket_close(&agent);
    cJSON *answer = cJSON_ParseWithLength(line, len);
    NEED(answer != NULL);
    return answer;
}

static const char *const requests[] = {
    "{\"verb\":\"retry\",\"args\":{\"job\":1}}\n",
    "{\"verb\":\"confirm\",\"args\":{\"job\":2}}\n",
    "{\"verb\":\"assign\",\"args\":{\"job\":3,\"run\":\"run_1\"}}\n",
    "{\"verb\":\"cancel\",\"args\":{\"job\":4,\"why\":\"the test\"}}\n",
    "{\"verb\":\"run\",\"args\":{\"instrument\":\"balance-1\",\"procedure\":\"weigh\"}}\n",
    "{\"verb\":\"pause\",\"args\":{\"instrument\":\"balance-1\",\"why\":\"the test\"}}\n",
    "{\"verb\":\"resume\",\"args\":{\"instrument\":\"all\"}}\n",
    "{\"verb\":\"acknowledge\",\"args\":{\"need\":1}}\n",
    "{\"verb\":\"start\",\"args\":{\"job\":5}}\n",
};
enum { REQUESTS = sizeof requests / sizeof *requests };

// `send` and `ask` change more than the journal, and commit on their own.
static void every_verb_is_there(void)
{
    const struct lf_verb *verb;
    for (size_t i = 0; (verb = lf_verb_at(i)); i++) {
        char start[60];
        bool there = false;
        snprintf(start, sizeof start, "{\"verb\":\"%s\",", verb->name);
        for (int k = 0; k < REQUESTS; k++)
            there = there || !strncmp(requests[k], start, strlen(start));
        CHECK_INT(there, (verb->flags & LF_VERB_ATOMIC) != 0);
    }
}

static void all_or_nothing(void)
{
    struct lf_error err;
    ground_open(&ground);
    NEED(lf_server_open(&ground.context, &server, &err) == LF_OK);
    CHECK_INT(hold("task", "run", "{\"procedure\":\"weigh\"}", false), 1);
    CHECK_INT(hold("deliver", "deliver", "{\"file_name\":\"a.csv\"}", true), 2);
    CHECK_INT(hold("collect", "match", "{\"finding\":\"f\"}", false), 3);
    core_sql("UPDATE job SET key = id");
    CHECK_INT(hold("collect", "spool", "{\"finding\":\"g\"}", false), 4);
    core_sql("UPDATE job SET key = -id");
    CHECK_INT(hold("task", "turn", "{\"procedure\":\"weigh\"}", false), 5);
    core_sql("UPDATE job SET state = 'waiting', turn = 2, wake = 'sign', "
             "due_mono = 9223372036854775807 WHERE id = 5");
    struct lf_concern concern = {.source = "test", .about = "x", .text = "seen", .todo = "look"};
    NEED(lf_journal_concern(ground.context.journal, &concern, &err) == LF_OK);
    for (int i = 0; i < REQUESTS; i++) {
        char *before = picture();
        core_sql(fail);
        cJSON *answer = ask(requests[i]);
        CHECK(!lf_json_bool(answer, "ok", true));
        cJSON_Delete(answer);
        core_sql("DROP TRIGGER fail");
        char *after = picture();
        CHECK_STR(after, before);
        free(after);
        answer = ask(requests[i]); /* the same, when nothing fails it */
        CHECK_STR(lf_json_text_or(answer, "error.text", ""), "");
        if (i == 5 || i == 6) /* the answer says what is true once it is committed */
            CHECK(lf_json_bool(cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "result"), 0), "paused", i == 6)
                  == (i == 5));
        cJSON_Delete(answer);
        after = picture();
        CHECK(strcmp(before, after) != 0);
        free(before);
        free(after);
    }
    CHECK(has_file(3) && !has_file(4));
    lf_server_close(server);
    ground_close(&ground);
}

UNIT_TESTS("verbs undone", {"every verb that changes the journal alone is tested here", every_verb_is_there},
           {"a verb whose commit fails is refused, and changes no job, file or instrument", all_or_nothing}, )

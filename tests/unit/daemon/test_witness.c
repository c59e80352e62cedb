/* Whether the state folder is as new as what was done: who is asked, and what is held until it is known. */
#include "agent/daemon/witness.h"

#include "core.h"
#include "fake_device.h"
#include "instrument/host.h"
#include "job/job.h"
#include "journal/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITED_MS = 61 * 1000 }; /* longer than the agent waits for the broker */

static struct lf_context context;
static struct lf_instrument *robot;
static struct witness *witness;

static void start(void)
{
    context.journal = core_journal();
    struct lf_jobs_options options = {.config = context.config, .journal = context.journal};
    NEED(lf_jobs_open(&options, &context.jobs, UNIT_ERROR) == LF_OK);
    struct lf_instrument_options instrument = {.name = "robot",
                                               .driver = &fake_driver,
                                               .journal = context.journal};
    NEED(lf_instrument_open(&instrument, &(struct lf_instrument_hooks){0}, &robot, UNIT_ERROR) == LF_OK);
    NEED(lf_jobs_add_instrument(context.jobs, robot, UNIT_ERROR) == LF_OK);
    robot->connected = true;
    NEED(witness_open(&context, &witness, UNIT_ERROR) == LF_OK);
}

static void end(void)
{
    witness_close(witness);
    lf_instrument_close(robot);
    lf_jobs_close(context.jobs);
    lf_journal_close(context.journal);
}

/* The agent ends, and the machine is restarted. */
static void reboot(void)
{
    NEED(lf_journal_set(context.journal, "boot", "another", UNIT_ERROR) == LF_OK);
    end();
    start();
}

static void begin(void)
{
    UNIT_TIME_PASSES(0);
    fake_device("robot");
    context = (struct lf_context){
        .config = core_config("link = { broker = \"mqtt://127.0.0.1\"; };\n"
                              "instruments = ( { name = \"robot\"; driver = \"fake\"; } );\n")};
    start();
    NEED(lf_journal_audit_add(context.journal, "agent", "agent", NULL, "starts", UNIT_ERROR) == LF_OK);
}

static void finish(void)
{
    end();
    lf_config_free((struct lf_config *)context.config);
    fake_devices_free();
}

/* As the bench asks before it works. */
static bool allowed(void)
{
    int64_t next;
    return witness_allows(witness, robot, &next);
}

/* Has this begun with why the instrument is paused, now and for the next start? */
static bool paused(const char *why)
{
    char name[LF_PAUSED_NAME], *stored = NULL;
    NEED(lf_journal_get(context.journal, lf_journal_paused("robot", name), &stored, UNIT_ERROR) == LF_OK);
    bool kept = stored && !strncmp(stored, why, strlen(why));
    free(stored);
    return kept;
}

#define UNSURE "paused: the state folder may be older"
#define OLDER "paused: the state folder is older"

static void hear(const struct lf_audit_head *head)
{
    char text[LF_AUDIT_HEAD], message[LF_AUDIT_HEAD + 40];
    lf_audit_head_text(head, text);
    snprintf(message, sizeof message, "{\"head\":\"%s\"}", text);
    witness_hear(witness, LF_LINK_HEARD, lf_slice_text(message));
}

static struct lf_audit_head our_head(void)
{
    struct lf_audit_head head;
    NEED(lf_journal_audit_head(context.journal, &head, UNIT_ERROR) == LF_OK);
    return head;
}

static struct lf_audit_head later_head(void)
{
    struct lf_audit_head head = our_head();
    head.seq += 100;
    return head;
}

static void held_until_the_broker_says_so(void)
{
    begin();
    reboot();
    CHECK(!allowed());
    UNIT_TIME_PASSES(WAITED_MS);
    CHECK(allowed());
    CHECK(paused(UNSURE));
    end(); /* the agent is started again, on the same machine */
    start();
    UNIT_TIME_PASSES(WAITED_MS);
    CHECK(allowed());
    CHECK(paused(UNSURE));
    reboot(); /* and the broker answers, but keeps nothing */
    witness_hear(witness, LF_LINK_NOTHING, (struct lf_slice){0});
    CHECK(paused(UNSURE));
    struct lf_audit_head head = our_head();
    hear(&head);
    CHECK(!paused(""));
    CHECK(allowed());
    finish();
}

static void an_objection_is_not_lost(void)
{
    begin();
    reboot();
    core_sql("CREATE TRIGGER no BEFORE INSERT ON small WHEN NEW.name LIKE 'paused.%' BEGIN SELECT "
             "RAISE(ABORT, 'no'); END");
    struct lf_audit_head head = later_head();
    hear(&head);
    CHECK(!allowed());
    CHECK(!witness_lets_publish(witness)); /* our own head must not replace it yet */
    UNIT_TIME_PASSES(WAITED_MS);
    CHECK(!allowed());
    core_sql("DROP TRIGGER no");
    UNIT_TIME_PASSES(WAITED_MS);
    CHECK(allowed());
    CHECK(paused(OLDER));
    CHECK(!witness_lets_publish(witness)); /* nor before a person has compared */
    char name[LF_PAUSED_NAME];
    NEED(lf_journal_set(context.journal, lf_journal_paused("robot", name), NULL, UNIT_ERROR) == LF_OK);
    CHECK(witness_lets_publish(witness));
    finish();
}

UNIT_TESTS("daemon, witnesses outside",
           {"what was paused without an answer stays so until a person or the broker has answered, whatever "
            "restarts",
            held_until_the_broker_says_so},
           {"if the pause cannot be written, nothing acts until it is", an_objection_is_not_lost}, )

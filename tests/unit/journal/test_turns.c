/* Whose turn it is at an instrument: every job ahead against every job behind, as a table. The rules:
 *
 * 1. A job that acts, or may have acted (in doubt), stops all others but those that are in doubt themselves.
 * 2. One that has its turn comes before all, while it is ready or running; of two the older.
 * 3. Tasks and procedures act in the order in which they arrived: one that comes, wants its turn, or waits
 * for its instrument or its sample holds up the later ones.
 * 4. Deliveries pass those. One that has not come that far, or waits for its instrument, holds up none; one
 * that waits for its look holds up later deliveries.
 * 5. A job that the cloud has not answered five times holds up none.
 * 6. A task that waits for its sample holds up no person's own run.
 * 7. One that has its turn already waits for no older one that does not.
 * 8. What has acted, ended, or is held for another reason holds up none.
 */
#include "journal/journal.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

enum kind { DELIVERY, TASK, PROCEDURE, OWN };

/* Where a job can be: what job/turn.c and the steps of its kind make of it. */
struct place {
    const char *name;
    enum kind kind;
    enum lf_job_state state;
    enum lf_turn turn;
    bool bench, acting;
    int attempt;
    bool sign;
};

#define NOTHING LF_JOB_HELD, LF_TURN_NONE
#define DOUBT LF_TURN_DOUBT, true
#define CLOUD(state, attempt) state, LF_TURN_TAKEN, false, false, attempt
#define BENCH(state, turn) state, turn, true

/* What can be behind another: it is at the bench and does not act yet. The letters are the columns below:
 * capital: it wants its turn; small: it has it, or waits. */
static const struct place behind[] = {
    {"D", DELIVERY, BENCH(LF_JOB_READY, LF_TURN_WANTED)},
    {"d", DELIVERY, BENCH(LF_JOB_READY, LF_TURN_TAKEN)},
    {"e", DELIVERY, BENCH(LF_JOB_WAITING, LF_TURN_TAKEN)},
    {"T", TASK, BENCH(LF_JOB_READY, LF_TURN_WANTED)},
    {"S", TASK, BENCH(LF_JOB_WAITING, LF_TURN_WANTED), .sign = true},
    {"t", TASK, BENCH(LF_JOB_READY, LF_TURN_TAKEN)},
    {"u", TASK, BENCH(LF_JOB_WAITING, LF_TURN_TAKEN)},
    {"P", PROCEDURE, BENCH(LF_JOB_READY, LF_TURN_WANTED)},
    {"O", OWN, BENCH(LF_JOB_READY, LF_TURN_WANTED)},
    {"o", OWN, BENCH(LF_JOB_WAITING, LF_TURN_WANTED)},
    /* Never behind: in doubt, not at the bench, without a turn. */
    {"A", TASK, LF_JOB_RUNNING, DOUBT, true},
    {"H", OWN, LF_JOB_HELD, DOUBT, true},
    {"c", TASK, LF_JOB_READY, LF_TURN_COMES, false},
    {"l", TASK, CLOUD(LF_JOB_READY, 0)},
    {"n", TASK, BENCH(LF_JOB_READY, LF_TURN_NONE)},
};
enum { BEHIND = sizeof behind / sizeof *behind };

/* clang-format off */
/* The letter: it has to wait. '.': it passes. If the job ahead is the older one, and if it is the younger. */
static const struct {
    struct place ahead;
    const char *older, *younger;
} table[] = {
    {{"a delivery that comes", DELIVERY, LF_JOB_READY, LF_TURN_COMES, false}, "...............", "..............."},
    {{"a delivery that waits for the cloud on its way", DELIVERY, LF_JOB_WAITING, LF_TURN_COMES, false}, "...............", "..............."},
    {{"a delivery that wants its turn", DELIVERY, BENCH(LF_JOB_READY, LF_TURN_WANTED)}, "...............", "..............."},
    {{"a delivery that is looked at", DELIVERY, CLOUD(LF_JOB_RUNNING, 0)}, "DdeTStuPOo.....", "D..TS..POo....."},
    {{"a delivery that waits for its look", DELIVERY, CLOUD(LF_JOB_WAITING, 4)}, "D..............", "..............."},
    {{"a delivery that has waited for its look", DELIVERY, CLOUD(LF_JOB_WAITING, 5)}, "...............", "..............."},
    {{"a delivery that is next", DELIVERY, BENCH(LF_JOB_READY, LF_TURN_TAKEN)}, "DdeTStuPOo.....", "D..TS..POo....."},
    {{"a delivery that waits for its instrument", DELIVERY, BENCH(LF_JOB_WAITING, LF_TURN_TAKEN)}, "...............", "..............."},
    {{"a delivery that acts", DELIVERY, LF_JOB_RUNNING, DOUBT, true}, "DdeTStuPOo.....", "DdeTStuPOo....."},
    {{"a delivery in doubt", DELIVERY, LF_JOB_HELD, DOUBT, true}, "DdeTStuPOo.....", "DdeTStuPOo....."},
    {{"a held delivery", DELIVERY, NOTHING}, "...............", "..............."},
    {{"a delivery that was done", DELIVERY, LF_JOB_DONE, LF_TURN_NONE}, "...............", "..............."},
    {{"a task that comes", TASK, LF_JOB_READY, LF_TURN_COMES, false}, "...TS..POo.....", "..............."},
    {{"a task that waits for the cloud on its way", TASK, LF_JOB_WAITING, LF_TURN_COMES, false, false, 4}, "...TS..POo.....", "..............."},
    {{"a task that has waited for the cloud on its way", TASK, LF_JOB_WAITING, LF_TURN_COMES, false, false, 5}, "...............", "..............."},
    {{"a task that wants its turn", TASK, BENCH(LF_JOB_READY, LF_TURN_WANTED)}, "...TS..POo.....", "..............."},
    {{"a task that waits for its sample", TASK, BENCH(LF_JOB_WAITING, LF_TURN_WANTED), .sign = true}, "...TS..P.......", "..............."},
    {{"a task that is claimed", TASK, CLOUD(LF_JOB_RUNNING, 0)}, "DdeTStuPOo.....", "D..TS..POo....."},
    {{"a task that waits for its claim", TASK, CLOUD(LF_JOB_WAITING, 4)}, "...TS..POo.....", "..............."},
    {{"a task that has waited for its claim", TASK, CLOUD(LF_JOB_WAITING, 5)}, "...............", "..............."},
    {{"a task that is next", TASK, BENCH(LF_JOB_READY, LF_TURN_TAKEN)}, "DdeTStuPOo.....", "D..TS..POo....."},
    {{"a task that waits for its instrument", TASK, BENCH(LF_JOB_WAITING, LF_TURN_TAKEN)}, "...TS..POo.....", "..............."},
    {{"a task that has failed on its instrument often", TASK, LF_JOB_WAITING, LF_TURN_TAKEN, true, false, 9}, "...TS..POo.....", "..............."},
    {{"a task that acts", TASK, LF_JOB_RUNNING, DOUBT, true}, "DdeTStuPOo.....", "DdeTStuPOo....."},
    {{"a task in doubt", TASK, LF_JOB_HELD, DOUBT, true}, "DdeTStuPOo.....", "DdeTStuPOo....."},
    {{"a held task", TASK, NOTHING}, "...............", "..............."},
    {{"a task that has acted and waits for the cloud", TASK, LF_JOB_WAITING, LF_TURN_NONE, false}, "...............", "..............."},
    {{"a task that was done", TASK, LF_JOB_DONE, LF_TURN_NONE}, "...............", "..............."},
    {{"a procedure that wants its turn", PROCEDURE, BENCH(LF_JOB_READY, LF_TURN_WANTED)}, "...TS..POo.....", "..............."},
    {{"a procedure that waits for its instrument", PROCEDURE, BENCH(LF_JOB_WAITING, LF_TURN_WANTED)}, "...TS..POo.....", "..............."},
    {{"a person's run that wants its turn", OWN, BENCH(LF_JOB_READY, LF_TURN_WANTED)}, "...TS..POo.....", "..............."},
    {{"a person's run that waits for its instrument", OWN, BENCH(LF_JOB_WAITING, LF_TURN_WANTED)}, "...TS..POo.....", "..............."},
    {{"a person's run in doubt", OWN, LF_JOB_HELD, DOUBT, true}, "DdeTStuPOo.....", "DdeTStuPOo....."},
};
/* clang-format on */
enum { AHEAD = sizeof table / sizeof *table };

static struct lf_journal *journal;

static int64_t add(const struct place *place, const char *instrument)
{
    static int number;
    char key[32];
    snprintf(key, sizeof key, "key|%d", number++);
    struct lf_job job = {.kind = (char *)"k",
                         .route = place->kind == OWN ? NULL : (char *)"r",
                         .instrument = (char *)instrument,
                         .key = key,
                         .step = "s",
                         .state = place->state,
                         .bench = place->bench,
                         .turn = place->turn,
                         .in_order = place->kind != DELIVERY,
                         .fields = cJSON_CreateObject()};
    NEED(lf_journal_job_add(journal, &job, NULL, UNIT_ERROR) == LF_OK);
    job.acting = place->acting;
    job.attempt = place->attempt;
    job.wake = place->sign ? (char *)"start:1" : NULL;
    CHECK_INT(lf_journal_job_save(journal, &job, UNIT_ERROR), LF_OK);
    cJSON_Delete(job.fields);
    return job.id;
}

/* Each pair has an instrument of its own. */
static bool waits(const struct place *ahead, const struct place *after, bool older)
{
    static int number;
    char instrument[32];
    int64_t other = 0;
    enum lf_turn turn;
    snprintf(instrument, sizeof instrument, "i%d", number++);
    int64_t first = add(older ? ahead : after, instrument), second = add(older ? after : ahead, instrument);
    CHECK_INT(lf_journal_job_behind(journal, older ? second : first, &other, &turn, UNIT_ERROR), LF_OK);
    CHECK(!other || other == (older ? first : second));
    CHECK(!other || turn == ahead->turn);
    return other != 0;
}

static void check_row(const struct place *ahead, bool older, const char *expected)
{
    char row[BEHIND + 1] = "";
    for (size_t i = 0; i < BEHIND; i++)
        row[i] = waits(ahead, &behind[i], older) ? behind[i].name[0] : '.';
    if (strcmp(row, expected) != 0)
        printf("\n      %s, the %s:", ahead->name, older ? "older" : "younger");
    CHECK_STR(row, expected);
}

static void pairs(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(lf_journal_open(path, &journal, UNIT_ERROR) == LF_OK);
    NEED(lf_journal_begin(journal, UNIT_ERROR) == LF_OK); /* one commit for all */
    for (size_t i = 0; i < AHEAD; i++) {
        check_row(&table[i].ahead, true, table[i].older);
        check_row(&table[i].ahead, false, table[i].younger);
    }
    lf_journal_rollback(journal);
    lf_journal_close(journal);
}

UNIT_TESTS("turns", {"of every two jobs of an instrument the right one comes first", pairs}, )

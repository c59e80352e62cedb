/* Rows of procedures: waiting for a line, asking again, and what is done in any case at the end. */
#include "base/log.h"

#include "talk.h"
#include "unit.h"

#define SCALE                                                                                                \
    "[line]\nsend_end = ''\nreply = line '<CR><LF>'\nquiet = 2s\n"                                           \
    "[command weigh]\nclass = safe\nsend = nothing\nfirst_byte = 20s\n"                                      \
    "expect = '{value:real:>8} {unit:word}'\nerror = 'High' person 'overload'\n"

/* ---- waiting for a line ---- */

static void next_line(void)
{
    TALK(SCALE, {R("   1.000 g\r\n   1."), .cue = true},
         {R("500 g\r\nnoise\r\n   2.000 g\r\nHigh\r\n"), .awaited = true});
    lf_log_setup(LF_LOG_ERROR, LF_LOG_TEXT); /* writing that 1.000 is ignored would count as a wait */
    peer_cue(&talk.peer);
    say(&talk, "weigh"); /* 1.000 had arrived before: it is older than the question */
    CHECK_STR(value_of(&talk.values, "value"), "1.500");
    talk.dialogue.expecting = true; /* as after a command without reply: what has arrived counts */
    say(&talk, "weigh");
    CHECK_STR(value_of(&talk.values, "value"), "2.000");
    talk.dialogue.expecting = true;
    say(&talk, "weigh");
    CHECK_HAS(talk.err.text, "overload");
    CHECK_INT(talk.err.class, LF_NEEDS_PERSON);
    end(&talk);
    lf_log_setup(LF_LOG_INFO, LF_LOG_TEXT);
}

static void nothing_comes(void)
{
    TALK(SCALE, {R("noise\r\n")});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_TIMEOUT);
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    CHECK_HAS(talk.err.text, "no line that fits '{value:real:>8} {unit:word}' came within 20 s");
    CHECK(!talk.dialogue.doubt); /* nothing was sent: no reply can be on its way */
    end(&talk);
    CHECK_INT(talk.peer.received_len, 0);
}

#define READER                                                                                               \
    "[line]\nsend_end = '<CR>'\nreply = line '<CR>'\n[command beam-on]\nclass = idempotent\nsend = 'LON'\n"  \
    "reply = none\n[command beam-off]\nclass = idempotent\nsend = 'LOFF'\nreply = none\n"                    \
    "[command code]\nclass = safe\nsend = nothing\nexpect = '{code:word}'\nfirst_byte = 9s\n"                \
    "[procedure scan]\ndo = beam-on\ndo = code\nfinally = beam-off\n"

/* The code may be there before the row begins that waits for it. */
static void answer_to_a_command_without_reply(void)
{
    TALK(READER, {E("LON\r"), R("ABC123\r")}, {E("LOFF\r")});
    CHECK_INT(run(&talk, "scan"), LF_OK);
    CHECK_STR(value_of(&talk.values, "code"), "ABC123");
    end(&talk);
    CHECK_BYTES(talk.peer.received, talk.peer.received_len, "LON\rLOFF\r", 9);
}

static void refused_waits(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[command w]\nclass = once\nsend = nothing\nexpect = '{v}'\n", "its class is safe"},
        {"[command w]\nclass = safe\nexpect = '{v}'\n", "send = nothing to wait"},
        {"[command w]\nclass = safe\nsend = nothing\nexpect = '{v}'\nmore = 'M'\n", "it waits for one line"},
        {"[identify]\nsend = nothing\nexpect = '{identity}'\n", "it needs something to send"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_line_profile *profile;
        struct lf_error err;
        char text[400];
        snprintf(text, sizeof text, "[line]\nsend_end = '<LF>'\nreply = line '<LF>'\n%s", cases[i].text);
        CHECK_INT(line__profile_parse(lf_slice_text(text), "p", NULL, &profile, &err), LF_INVALID);
        CHECK_HAS(err.text, cases[i].says);
    }
}

/* ---- asking again ---- */

#define PUMP                                                                                                  \
    "[line]\nsend_end = '<CR>'\nreply = line '<CR>'\nfirst_byte = 9s\nquiet = 1s\n"                           \
    "[resync]\nsend = '?'\nexpect = '{:one(idle|busy)}'\n"                                                    \
    "[command go]\nclass = once\nsend = 'GO'\nexpect = 'ok'\n"                                                \
    "[command state]\nclass = safe\nsend = 'ST'\nexpect = 'is {state:word}'\n"                                \
    "[command stop]\nclass = idempotent\nsend = 'STOP'\nexpect = 'ok'\nerror = 'NA' done 'stopped already'\n" \
    "[procedure pump]\ndo = go\ndo = state at most 9 times until state is stopped\nfinally = stop\n"

static void garbled_within_a_procedure(void)
{
    TALK(PUMP, {E("GO\r"), R("ok\r")}, {E("ST\r"), R("is mov\x15\x01\r")}, {E("?\r"), R("busy\r")},
         {E("ST\r"), R("is stopped\r")}, {E("STOP\r"), R("NA\r")});
    CHECK_INT(run(&talk, "pump"), LF_OK);
    CHECK_STR(value_of(&talk.values, "state"), "stopped");
    end(&talk);
    CHECK_INT(talk.peer.done, 5);
}

static void misreads_count_over_connections(void)
{
    TALK(PUMP, {E("ST\r"), R("what\r")}, {E("?\r")}, {E("?\r")}, {E("?\r")}, {E("ST\r"), R("what\r")},
         {E("?\r"), R("idle\r")}, {E("ST\r"), R("what\r")});
    say(&talk, "state");
    CHECK_INT(talk.err.status, LF_DISCONNECTED); /* it did not get back in step to ask again */
    talk.dialogue.doubt = false;                 /* the host has connected again */
    say(&talk, "state");
    CHECK_INT(talk.err.class, LF_NEEDS_PERSON);
    CHECK_HAS(talk.err.text, "'what'");
    end(&talk);
}

/* ---- in any case at the end ---- */

static bool was_stopped(const struct talk *talk)
{
    return memmem(talk->peer.received, talk->peer.received_len, "STOP\r", 5) != NULL;
}

static void stopped_after_failure(void)
{
    TALK(PUMP, {E("GO\r"), R("ok\r")}, {E("ST\r"), R("is \x01\r")}, {E("?\r"), R("busy\r")},
         {E("ST\r"), R("is \x01\r")}, {E("?\r"), R("busy\r")}, {E("ST\r"), R("is \x01\r")},
         {E("STOP\r"), R("ok\r")}, {E("?\r"), R("idle\r")}, {E("STOP\r"), R("ok\r")});
    CHECK_INT(run(&talk, "pump"), LF_PROTOCOL);
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    CHECK_HAS(talk.err.text, "ended with 'stop'");
    end(&talk);
    CHECK(was_stopped(&talk));
}

static void stopped_after_cancel(void)
{
    static struct lf_cancel cancel;
    NEED(lf_cancel_open(&cancel, UNIT_ERROR) == LF_OK);
    static const struct peer_step steps[] = {{E("GO\r"), R("ok\r")},
                                             {E("ST\r"), .cancel = true},
                                             {E("STOP\r")},
                                             {E("?\r"), R("idle\r")},
                                             {E("STOP\r"), R("ok\r")}};
    struct talk talk = {.profile = need_profile(PUMP)};
    peer_start(&talk.peer, steps, 5);
    talk.dialogue.cancel = talk.peer.cancel = &cancel;
    need_dialogue(&talk.dialogue, talk.profile, &talk.peer);
    CHECK_INT(run(&talk, "pump"), LF_CANCELLED);
    CHECK_HAS(talk.err.text, "ended with 'stop'");
    CHECK(talk.dialogue.cancel == &cancel);
    end(&talk);
    CHECK(was_stopped(&talk));
    lf_cancel_close(&cancel);
}

/* The instrument answers nothing any more: the command to stop leaves all the same. */
static void stopped_in_doubt(void)
{
    bool unfinished;
    TALK(PUMP, {E("GO\r"), R("ok\r")}, {E("ST\r")}, {E("STOP\r")});
    struct lf_line_input_set none = {0};
    CHECK_INT(line__procedure_run(&talk.dialogue, line__profile_procedure(talk.profile, "pump"), &none, NULL,
                                  NULL, &talk.values, &unfinished, &talk.err),
              LF_TIMEOUT);
    CHECK(unfinished);
    CHECK_HAS(talk.err.text, "NOT ended with 'stop'");
    end(&talk);
    CHECK(was_stopped(&talk));
}

/* All went well, but the beam may be on: not a success. */
static void not_stopped_after_success(void)
{
    TALK(PUMP "[procedure p]\ndo = state\nfinally = stop\n", {E("ST\r"), R("is idle\r")}, {E("STOP\r")});
    CHECK_INT(run(&talk, "p"), LF_TIMEOUT);
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    CHECK_HAS(talk.err.text, "NOT ended with 'stop'");
    CHECK_HAS(talk.err.text, "may still run");
    CHECK_HAS(talk.err.text, "All else was done");
    end(&talk);
}

/* The first row ends well and the second does not: a transient failure of a procedure that can be repeated
 * would let the next job begin while it runs. */
static void not_stopped_after_failure(void)
{
    TALK(PUMP "[command off]\nclass = idempotent\nsend = 'OFF'\nexpect = 'ok'\nerror = 'NO' permanent\n"
              "error = 'LATER' busy\n[procedure p]\ndo = off\nfinally = stop\nfinally = off\n",
         {E("OFF\r"), R("LATER\r")}, {E("STOP\r"), R("ok\r")}, {E("OFF\r"), R("NO\r")});
    CHECK_INT(run(&talk, "p"), LF_BUSY);
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    CHECK_HAS(talk.err.text, "NOT ended with 'off'");
    CHECK_HAS(talk.err.text, "Stop it at the instrument");
    CHECK_HAS(talk.err.text, "LATER"); /* why it failed */
    end(&talk);
    CHECK_INT(talk.peer.done, 3);
}

/* Nothing else begins meanwhile, and the next connection begins with what ends it. */
static void not_stopped_before_reconnection(void)
{
    TALK(PUMP "[procedure p]\ndo = state\nfinally = stop\n", {E("ST\r"), .hang_up = true});
    CHECK_INT(run(&talk, "p"), LF_DISCONNECTED);
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    CHECK_HAS(talk.err.text, "'stop' comes as soon as it is connected again");
    end(&talk);
}

/* Nothing was sent, so there is nothing to end. */
static void bad_inputs_stop_nothing(void)
{
    TALK(PUMP "[command set]\nclass = idempotent\nsend = 'V{v}'\ninput = v int 1 to 5\nexpect = 'ok'\n"
              "[procedure q]\ninput = v int 1 to 5\ndo = set v={v}\nfinally = stop\n",
         {E("never")});
    CHECK_INT(run(&talk, "q"), LF_INVALID);
    end(&talk);
    CHECK(!was_stopped(&talk));
}

UNIT_TESTS("rows of procedures",
           {"a row that sends nothing takes the next line that fits, and no older one", next_line},
           {"a wait for a line ends, and leaves the dialogue in step", nothing_comes},
           {"a line that answers a command without reply is not missed", answer_to_a_command_without_reply},
           {"a command that waits is safe and answered by one line", refused_waits},
           {"a safe question is asked again within a procedure when its reply was garbled",
            garbled_within_a_procedure},
           {"replies that are not understood are counted over reconnections",
            misreads_count_over_connections},
           {"what must be stopped is stopped after a failure", stopped_after_failure},
           {"what must be stopped is stopped after a cancel", stopped_after_cancel},
           {"the command to stop leaves even when the instrument does not answer", stopped_in_doubt},
           {"a procedure that could not be ended is no success", not_stopped_after_success},
           {"a row that fails at the end holds the instrument, whatever failed before",
            not_stopped_after_failure},
           {"a procedure that can be repeated is repeated after a lost connection, not held",
            not_stopped_before_reconnection},
           {"a procedure that sent nothing ends nothing", bad_inputs_stop_nothing})

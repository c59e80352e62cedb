/* Commands over a stream, with instruments that answer late, wrongly, in pieces or not at all. */
#include "talk.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void simple_weight(void)
{
    TALK(HEAD WEIGH, {E("S\r\n"), R("S S     100.00 g\r\n"), .pieces = true});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_OK);
    CHECK_STR(value_of(&talk.values, "value"), "100.00");
    CHECK_STR(value_of(&talk.values, "unit"), "g");
    end(&talk);
    CHECK_BYTES(talk.peer.received, talk.peer.received_len, "S\r\n", 3);
}

static void errors_first(void)
{
    TALK(HEAD WEIGH, {E("S\r\n"), R("S I\r\n")}, {E("S\r\n"), R("S +\r\n")}, {E("S\r\n"), R("ES\r\n")},
         {E("S\r\n"), R("ET\r\n")});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_BUSY);
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    CHECK_HAS(talk.err.text, "not stable");
    say(&talk, "weigh");
    CHECK_INT(talk.err.class, LF_NEEDS_PERSON);
    CHECK_HAS(talk.err.text, "overload");
    say(&talk, "weigh");
    CHECK_INT(talk.err.class, LF_PERMANENT);
    say(&talk, "weigh");
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    end(&talk);
}

/* The reply to the first S arrives after its time-out. It must not answer the second S. */
static void late_reply(void)
{
    TALK(HEAD IDENTIFY WEIGH, {E("S\r\n")}, {R("S S     111.11 g\r\n"), .cue = true},
         {E("@\r\n"), R("I4 A \"B1\"\r\n")}, {E("S\r\n"), R("S S     222.22 g\r\n")});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_TIMEOUT);
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    peer_cue(&talk.peer);
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_OK);
    CHECK_STR(value_of(&talk.values, "value"), "222.22");
    end(&talk);
}

/* The late reply arrives after the handshake was sent and before its answer. */
static void late_reply_in_handshake(void)
{
    TALK(HEAD IDENTIFY WEIGH, {E("S\r\n")}, {E("@\r\n"), R("S S     111.11 g\r\nI4 A \"B1\"\r\n")},
         {E("S\r\n"), R("S S     222.22 g\r\n")});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_TIMEOUT);
    say(&talk, "weigh");
    CHECK_STR(value_of(&talk.values, "value"), "222.22");
    end(&talk);
}

/* Without a handshake, silence for the time the command had proves that no reply is on its way. */
static void late_reply_without_handshake(void)
{
    TALK(HEAD WEIGH, {E("S\r\n")}, {R("S S     111.11 g\r\n"), .cue = true},
         {E("S\r\n"), R("S S     222.22 g\r\n")});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_TIMEOUT);
    peer_cue(&talk.peer);
    say(&talk, "weigh");
    CHECK_STR(value_of(&talk.values, "value"), "222.22");
    end(&talk);
}

/* It is asked again; the second half of the first reply does not answer that. */
static void half_reply(void)
{
    TALK(HEAD IDENTIFY WEIGH, {E("S\r\n"), R("S S     11")}, {E("@\r\n"), R("1.11 g\r\nI4 A \"B1\"\r\n")},
         {E("S\r\n"), R("S S     222.22 g\r\n")});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_OK);
    CHECK_STR(value_of(&talk.values, "value"), "222.22");
    end(&talk);
}

static void dead_instrument(void)
{
    TALK(HEAD IDENTIFY WEIGH TARE, {E("S\r\n")}, {E("@\r\n@\r\n@\r\n")});
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_TIMEOUT);
    say(&talk, "tare");
    CHECK_INT(talk.err.status, LF_DISCONNECTED);
    CHECK_INT(talk.err.class, LF_TRANSIENT); /* nothing of the tare was sent */
    CHECK_HAS(talk.err.text, "nothing was sent");
    end(&talk);
    CHECK(!memmem(talk.peer.received, talk.peer.received_len, "T", 1));
}

#define GARBAGE                                                                                              \
    {E("S\r\n"), R("\x80\xff\x01S S garbage\r\n")},                                                          \
    {                                                                                                        \
        E("@\r\n"), R("I4 A \"B1\"\r\n")                                                                     \
    }

static void garbage(void)
{
    TALK(HEAD IDENTIFY WEIGH, GARBAGE, GARBAGE, {E("S\r\n"), R("\r\nS S     222.22 g\r\n")}, GARBAGE, GARBAGE,
         {E("S\r\n"), R("\x80\xff\x01S S garbage\r\n")});
    say(&talk, "weigh");
    CHECK_STR(value_of(&talk.values, "value"), "222.22");
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_PROTOCOL);
    CHECK_INT(talk.err.class, LF_NEEDS_PERSON);
    CHECK_HAS(talk.err.text, "\\x80\\xff<SOH>S S garbage");
    CHECK_HAS(talk.err.text, "expected 'S S {value:real} {unit:word}'");
    CHECK_HAS(talk.err.text, "3 times");
    CHECK_HAS(talk.err.text, "parity");
    end(&talk);
}

static void endless_chatter(void)
{
    static char flood[200000];
    memset(flood, 'x', sizeof flood);
    static struct peer_step steps[3];
    for (size_t i = 0; i < 3; i++)
        steps[i] = (struct peer_step){E("S\r\n"), .reply = flood, .reply_len = sizeof flood};
    struct talk talk;
    begin(&talk, "[line]\nsend_end='<CR><LF>'\nreply = line '<LF>'\nmax_reply = 10KB\n" WEIGH, steps, 3);
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_TOO_LARGE);
    CHECK_INT(talk.err.class, LF_NEEDS_PERSON);
    CHECK(talk.dialogue.doubt);
    end(&talk);
}

static void once_silence(void)
{
    TALK(HEAD TARE, {E("T\r\n")});
    say(&talk, "tare");
    CHECK_INT(talk.err.status, LF_TIMEOUT);
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    end(&talk);
}

static void once_garbage(void)
{
    TALK(HEAD TARE, {E("T\r\n"), R("T S what\r\n")});
    say(&talk, "tare");
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    end(&talk);
}

static void once_hang_up(void)
{
    TALK(HEAD TARE, {E("T\r\n"), .hang_up = true});
    say(&talk, "tare");
    CHECK_INT(talk.err.status, LF_DISCONNECTED);
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    end(&talk);
}

static void once_not_sent(void)
{
    TALK(HEAD TARE, {.hang_up = true});
    pthread_join(talk.peer.thread, NULL);
    say(&talk, "tare");
    CHECK_INT(talk.err.status, LF_DISCONNECTED);
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    pthread_create(&talk.peer.thread, NULL, (void *(*)(void *))(void (*)(void))pthread_exit, NULL);
    end(&talk);
}

static void once_refused(void)
{
    TALK(HEAD TARE, {E("T\r\n"), R("T I\r\n")}, {E("T\r\n"), R("T +\r\n")}, {E("T\r\n"), R("ES\r\n")},
         {E("T\r\n"), R("T ?\r\n")});
    say(&talk, "tare");
    CHECK_INT(talk.err.status, LF_BUSY);
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    say(&talk, "tare");
    CHECK_INT(talk.err.class, LF_NEEDS_PERSON);
    say(&talk, "tare");
    CHECK_INT(talk.err.class, LF_PERMANENT);
    say(&talk, "tare");
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    end(&talk);
}

static void many_lines(void)
{
    TALK(HEAD LIST, {E("I0\r\n"), R("I0 B 0 \"I0\"\r\nI0 B 0 \"I1\"\r\nI0 A 1 \"SIR\"\r\n"), .pieces = true});
    say(&talk, "list");
    CHECK_INT(talk.err.status, LF_OK);
    NEED(talk.values.count == 6);
    CHECK_STR(talk.values.captures[5].value, "SIR");
    end(&talk);
}

static void endless_lines(void)
{
    TALK("[line]\nsend_end='<CR><LF>'\nreply=line '<CR><LF>'\nmax_lines = 3\n" LIST,
         {E("I0\r\n"), R("I0 B 0 \"1\"\r\nI0 B 0 \"2\"\r\nI0 B 0 \"3\"\r\nI0 B 0 \"4\"\r\n")});
    say(&talk, "list");
    CHECK_INT(talk.err.status, LF_TOO_LARGE);
    end(&talk);
}

static void until_blank(void)
{
    TALK("[line]\nsend_end='<CR><LF>'\nreply=line '<CR><LF>'\n[command q]\nclass=safe\nsend='$Q'\n"
         "reply = line '<CR><LF>' until blank\nexpect = '{name:word} {v:int}'\n",
         {E("$Q\r\n"), R("a 1\r\nb 2\r\nc 3\r\n\r\n")});
    say(&talk, "q");
    CHECK_INT(talk.err.status, LF_OK);
    CHECK_INT(talk.values.count, 6);
    CHECK(!talk.dialogue.doubt);
    end(&talk);
}

/* A&D with acknowledgement: one ACK at once, another when it is done. */
static void two_acks(void)
{
#define ACKED                                                                                                \
    "[line]\nsend_end='<CR><LF>'\nreply=line '<CR><LF>'\nfirst_byte=20s\n"                                   \
    "[command tare]\nclass=once\nsend='T'\nreply = line '<CR><LF>' or one of '<ACK>' times 2\n"              \
    "expect = '<ACK>'\nerror = 'EC,E{n:int}' permanent\n"
    TALK(ACKED, {E("T\r\n"), R("\x06\x06"), .pieces = true}, {E("T\r\n"), R("EC,E2\r\n")},
         {E("T\r\n"), R("\x06"
                        "EC,E2\r\n")});
    say(&talk, "tare");
    CHECK_INT(talk.err.status, LF_OK);
    say(&talk, "tare");
    CHECK_INT(talk.err.class, LF_PERMANENT);
    say(&talk, "tare"); /* it had accepted the command before it failed */
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    end(&talk);
}

static void silence_ends(void)
{
    TALK("[line]\nsend_end='<CR>'\nreply=idle 2s\n[command v]\nclass=safe\nsend='V'\nexpect='{v:real}'\n",
         {E("V\r"), R("12.5"), .pieces = true});
    say(&talk, "v");
    CHECK_STR(value_of(&talk.values, "v"), "12.5");
    end(&talk);
}

static void no_reply(void)
{
    TALK("[line]\nsend_end=''\nreply=line '<LF>'\n[command t]\nclass=once\nsend='<ESC>T'\nreply=none\n",
         {E("\x1bT")});
    say(&talk, "t");
    CHECK_INT(talk.err.status, LF_OK);
    end(&talk);
    CHECK_BYTES(talk.peer.received, talk.peer.received_len, "\x1bT", 2);
}

static void framed_both_ways(void)
{
    TALK("[line]\nsend_end = ''\nsend_framed = yes\nreply = frame '<STX>' length to '<ETX>' checksum "
         "crc16-xmodem\n"
         "[command reset]\nclass = once\nsend = 'SAF0'\nexpect = '{s}'\n",
         {E("\x02\x08SAF0\x55\x43\x03"), R("\x02\x08SAF0\x55\x43\x03"), .pieces = true});
    say(&talk, "reset");
    CHECK_INT(talk.err.status, LF_OK);
    CHECK_STR(value_of(&talk.values, "s"), "SAF0");
    end(&talk);
}

/* ---- beginning ---- */

/* The instrument holds half a command and is sending continuously. */
static void untidy_begin(void)
{
    TALK(HEAD IDENTIFY WEIGH, {R("0.01 g\r\nS D       0.02 g\r\n")},
         {E("@\r\n"), R("S D       0.03 g\r\nES\r\n")}, {E("@\r\n"), R("I4 A \"B021002593\"\r\n")});
    struct lf_buffer identity = {0};
    struct lf_error err = {0};
    CHECK_INT(line__dialogue_begin(&talk.dialogue, &identity, &err), LF_OK);
    CHECK_STR(identity.data, "B021002593");
    CHECK(!talk.dialogue.doubt);
    lf_buffer_free(&identity);
    end(&talk);
}

static void composed_identity(void)
{
    TALK("[line]\nsend_end='<LF>'\nreply=line '<LF>'\nquiet=50ms\n[identify]\nsend='*IDN?'\n"
         "expect='{maker},{model},{serial},{version}'\nidentity='{maker} {model} {serial}'\n" WEIGH,
         {E("*IDN?\n"), R("ACME,X-1,42,1.0\n")});
    struct lf_buffer identity = {0};
    struct lf_error err = {0};
    CHECK_INT(line__dialogue_begin(&talk.dialogue, &identity, &err), LF_OK);
    CHECK_STR(identity.data, "ACME X-1 42");
    lf_buffer_free(&identity);
    end(&talk);
}

/* ---- unsolicited lines ---- */

#define LISTEN "[listen printed]\nmatch = 'P {value:real}'\n[listen noise]\nmatch = 'N'\nas = ignore\n"

static void unasked_between(void)
{
    TALK(HEAD WEIGH LISTEN, {R("P 1.5\r\nN\r\nP 2.5\r\n")}, {E("S\r\n"), R("P 3.5\r\nS S 4 g\r\n")});
    struct heard heard = {0};
    talk.dialogue.self = &heard;
    talk.dialogue.unsolicited = hear;
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_OK);
    CHECK_STR(value_of(&talk.values, "value"), "4");
    CHECK_INT(heard.count, 3);
    CHECK_STR(heard.last, "P 3.5|3.5");
    end(&talk);
}

static void unasked_listening(void)
{
    TALK(HEAD WEIGH LISTEN, {R("P 1.5\r\nwhat\r\nP 2"), .pieces = true},
         {R("P 3\r\n"), .cue = true, .hang_up = true});
    struct heard heard = {0};
    struct lf_error err = {0};
    talk.dialogue.self = &heard;
    talk.dialogue.unsolicited = hear;
    CHECK_INT(line__dialogue_listen(&talk.dialogue, NULL, lf_deadline_in(10000), &err), LF_OK);
    peer_cue(&talk.peer);
    CHECK_INT(line__dialogue_listen(&talk.dialogue, NULL, LF_NEVER, &err), LF_DISCONNECTED);
    CHECK_INT(heard.count, 2);
    CHECK_STR(heard.last, "P 3|3");
    CHECK_INT(talk.dialogue.dropped, 2);
    end(&talk);
}

static void listening_ends(void)
{
    TALK(HEAD WEIGH LISTEN, {E("never")});
    struct lf_wake wake;
    struct lf_error err = {0};
    NEED(lf_wake_open(&wake, &err) == LF_OK);
    int64_t before = lf_clock_mono_ms();
    CHECK_INT(line__dialogue_listen(&talk.dialogue, &wake, lf_deadline_in(5000), &err), LF_OK);
    CHECK(lf_clock_mono_ms() - before >= 5000);
    lf_wake_up(&wake);
    CHECK_INT(line__dialogue_listen(&talk.dialogue, &wake, LF_NEVER, &err), LF_OK);
    lf_wake_close(&wake);
    end(&talk);
}

/* A late reply must not become a result of the Print key. */
static void late_reply_is_no_result(void)
{
    TALK(HEAD IDENTIFY WEIGH "[listen printed]\nmatch = 'S S {value:real} {unit:word}'\n", {E("S\r\n")},
         {R("S S     111.11 g\r\n"), .cue = true}, {E("@\r\n"), R("I4 A \"B1\"\r\n")},
         {R("S S 5 g\r\n"), .cue = true, .hang_up = true});
    struct heard heard = {0};
    talk.dialogue.self = &heard;
    talk.dialogue.unsolicited = hear;
    say(&talk, "weigh");
    CHECK_INT(talk.err.status, LF_TIMEOUT);
    peer_cue(&talk.peer);
    CHECK_INT(line__dialogue_listen(&talk.dialogue, NULL, lf_deadline_in(60000), &talk.err), LF_OK);
    CHECK_INT(heard.count, 0);
    peer_cue(&talk.peer);
    CHECK_INT(line__dialogue_listen(&talk.dialogue, NULL, LF_NEVER, &talk.err), LF_DISCONNECTED);
    CHECK_INT(heard.count, 1);
    CHECK_STR(heard.last, "S S 5 g|5");
    end(&talk);
}

/* ---- procedures ---- */

static void procedure_result(void)
{
    TALK(HEAD WEIGH TARE
         "[procedure p]\ndo = tare\ndo = weigh 2 times every 10ms\nresult = tare.value as tare\n"
         "result = weigh.value as net\n",
         {E("T\r\n"), R("T S 5.00 g\r\n")}, {E("S\r\n"), R("S S 1.00 g\r\n")},
         {E("S\r\n"), R("S S 2.00 g\r\n")});
    CHECK_INT(run(&talk, "p"), LF_OK);
    NEED(talk.values.count == 3);
    CHECK_STR(talk.values.captures[0].name, "tare");
    CHECK_STR(talk.values.captures[0].value, "5.00");
    CHECK_STR(talk.values.captures[2].name, "net");
    CHECK_STR(talk.values.captures[2].value, "2.00");
    end(&talk);
}

static void procedure_half_done(void)
{
    TALK(HEAD WEIGH TARE "[procedure p]\ndo = tare\ndo = weigh\n", {E("T\r\n"), R("T S 5.00 g\r\n")},
         {E("S\r\n"), R("S I\r\n")}, {E("T\r\n"), R("T I\r\n")});
    CHECK_INT(run(&talk, "p"), LF_BUSY);
    CHECK_INT(talk.err.class, LF_UNKNOWN_OUTCOME);
    CHECK_HAS(talk.err.text, "'tare' was done");
    CHECK_INT(talk.values.count, 0);
    CHECK_INT(run(&talk, "p"), LF_BUSY); /* refused at once: nothing was done */
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    end(&talk);
}

#define NOW                                                                                                  \
    "[command now]\nclass = safe\nprovisional = yes\nsend = 'SI'\n"                                          \
    "expect = 'S {st:one(S=stable|D=dynamic)} {value:real} g'\nerror = 'S I' busy\n"

static void procedure_waits(void)
{
    TALK(HEAD NOW "[procedure p]\ndo = now at most 5 times until st is stable every 10ms\nresult = value\n",
         {E("SI\r\n"), R("S D 1.00 g\r\n")}, {E("SI\r\n"), R("S I\r\n")}, {E("SI\r\n"), R("S S 3.00 g\r\n")});
    CHECK_INT(run(&talk, "p"), LF_OK);
    NEED(talk.values.count == 1);
    CHECK_STR(talk.values.captures[0].value, "3.00");
    end(&talk);
}

static void procedure_gives_up(void)
{
    TALK(HEAD NOW "[procedure p]\ndo = now at most 2 times until st is stable\nresult = value\n",
         {E("SI\r\n"), R("S D 1.00 g\r\n")}, {E("SI\r\n"), R("S D 1.00 g\r\n")});
    CHECK_INT(run(&talk, "p"), LF_TIMEOUT);
    CHECK_INT(talk.err.class, LF_TRANSIENT);
    CHECK_INT(talk.values.count, 0);
    end(&talk);
}

static void procedure_steady(void)
{
    TALK(HEAD NOW
         "[procedure p]\ndo = now at most 9 times until value steady within 0.02 over 3\nresult = value\n",
         {E("SI\r\n"), R("S D 1.00 g\r\n")}, {E("SI\r\n"), R("S D 1.01 g\r\n")},
         {E("SI\r\n"), R("S D 1.04 g\r\n")}, {E("SI\r\n"), R("S D 1.05 g\r\n")},
         {E("SI\r\n"), R("S D 1.05 g\r\n")});
    CHECK_INT(run(&talk, "p"), LF_OK);
    NEED(talk.values.count > 0);
    CHECK_STR(talk.values.captures[0].value, "1.05");
    CHECK_INT(talk.values.count, 1);
    end(&talk);
}

static void procedure_inputs_first(void)
{
    TALK(HEAD TARE "[command set]\nclass = idempotent\nsend = 'V{v}'\ninput = v int 0 to 9\nexpect = 'V A'\n"
                   "[procedure p]\ninput = v text 0 to 9\ndo = tare\ndo = set v={v}\n",
         {E("never")});
    struct lf_input input = {"v", "12"};
    struct lf_line_input_set set = {.given = &input, .given_count = 1};
    CHECK_INT(line__procedure_run(&talk.dialogue, line__profile_procedure(talk.profile, "p"), &set, NULL,
                                  NULL, &talk.values, &(bool){false}, &talk.err),
              LF_INVALID);
    CHECK_INT(talk.err.class, LF_PERMANENT);
    end(&talk);
    CHECK_INT(talk.peer.received_len, 0);
}

UNIT_TESTS("dialogue", {"a weight that arrives byte by byte is read", simple_weight},
           {"error lines are matched first and give the error its class", errors_first},
           {"a late reply does not answer the next command", late_reply},
           {"a late reply that arrives before the answer to the handshake does not answer the next command",
            late_reply_in_handshake},
           {"a late reply does not answer the next command where there is no handshake",
            late_reply_without_handshake},
           {"the second half of a reply does not answer the next command", half_reply},
           {"an instrument that stays silent is reported as disconnected and gets no command",
            dead_instrument},
           {"garbage is asked again, and quoted to a person when it comes three times", garbage},
           {"a reply without end is refused at max_reply", endless_chatter},
           {"silence after a once command leaves its outcome unknown", once_silence},
           {"garbage after a once command leaves its outcome unknown", once_garbage},
           {"a hang-up after a once command leaves its outcome unknown", once_hang_up},
           {"a once command may be repeated if none of it was sent", once_not_sent},
           {"a once command that the instrument refused was not done", once_refused},
           {"a reply goes on while its lines match more", many_lines},
           {"a reply whose lines always match more is refused at max_lines", endless_lines},
           {"a reply can end with a blank line", until_blank},
           {"a second acknowledgement is awaited, and an error after the first leaves the outcome unknown",
            two_acks},
           {"a reply can end with silence", silence_ends}, {"a command can have no reply", no_reply},
           {"commands and replies can be frames with length and checksum", framed_both_ways},
           {"the dialogue gets in step among leftovers and errors", untidy_begin},
           {"an identity can be composed of several values", composed_identity},
           {"unsolicited lines between and during commands are reported in order", unasked_between},
           {"listening reports lines as they arrive and notices a hang-up", unasked_listening},
           {"a late reply is not taken for an unsolicited line", late_reply_is_no_result},
           {"listening ends at its deadline and when woken", listening_ends},
           {"a procedure reports the captured values under its own names", procedure_result},
           {"a procedure that fails after its once command has an unknown outcome", procedure_half_done},
           {"a procedure waits for a stable reading and reports only that one", procedure_waits},
           {"a procedure gives up after its repetitions", procedure_gives_up},
           {"a procedure waits until readings are steady", procedure_steady},
           {"bad inputs of a procedure are found before its first step", procedure_inputs_first}, )

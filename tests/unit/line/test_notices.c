/* Concerns of the line driver: an instrument that answers something else, reports, lines that nothing
 * matches. */
#include "drivers/line/show.h"

#include "talk.h"
#include "unit.h"

/* ---- not understood is not "does not answer" ---- */

static void hello_answered_by(const char *answer, size_t len, const char *says)
{
    struct peer_step steps[3];
    struct talk talk;
    struct lf_buffer identity = {0};
    for (size_t i = 0; i < 3; i++)
        steps[i] = (struct peer_step){E("@\r\n"), .reply = answer, .reply_len = len};
    begin(&talk, HEAD IDENTIFY WEIGH, steps, 3);
    CHECK_INT(line__dialogue_begin(&talk.dialogue, &identity, &talk.err), len ? LF_PROTOCOL : LF_TIMEOUT);
    CHECK_HAS(talk.err.text, says);
    CHECK_INT(strstr(talk.err.text, "does not answer") != NULL, !len);
    lf_buffer_free(&identity);
    end(&talk);
}

/* "I4 A "B1"<CR><LF>" with even parity, read as eight bits. */
static void other_parity(void)
{
    hello_answered_by(B("\xc9\xb4\xa0\x41\xa0\x22\x42\xb1\x22\x8d\x0a"), "look at bits and parity");
}

static void other_baud_rate(void)
{
    hello_answered_by(B("\xf8\x80\x00\xff\x0e"), "look at baud rate");
}

static void other_protocol(void)
{
    hello_answered_by(B("ES\r\n"),
                      "'ES<CR><LF>' came, 'I4 A \"{identity}\"' was expected. Look at the protocol");
}

static void no_answer(void)
{
    hello_answered_by(B(""), "does not answer");
}

static void bounded(void)
{
    static char flood[5000];
    memset(flood, 0x07, sizeof flood);
    flood[sizeof flood - 1] = '\n';
    hello_answered_by(flood, sizeof flood, "<BEL>...' came");
}

/* ---- reports ---- */

#define REPORTS                                                                                              \
    "[line]\nsend_end = '<CR><LF>'\nreply = line '<CR><LF>'\nmax_reply = 200\n[listen report]\n"             \
    "match = '$S {title}'\nuntil = '$E'\nas = text\n[listen slip]\nmatch = 'NO {number:int}'\n"              \
    "until_quiet = 3s\nas = json\n[command weigh]\nclass = safe\nsend = 'S'\nexpect = 'S {value:real}'\n"

struct told {
    int results, unmatched;
    char name[100], text[400], why[200];
};

static enum lf_status on_result(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                                const struct lf_outcome *values, struct lf_error *err)
{
    struct told *told = self;
    (void)values, (void)err;
    told->results++;
    snprintf(told->name, sizeof told->name, "%s", listen->name);
    snprintf(told->text, sizeof told->text, "%.*s", (int)line.len, line.data);
    return LF_OK;
}

static void on_unmatched(void *self, struct lf_slice line, const char *why)
{
    struct told *told = self;
    (void)line;
    told->unmatched++;
    snprintf(told->why, sizeof told->why, "%s", why);
}

static struct told listen_to(const char *bytes, size_t len)
{
    struct told told = {0};
    struct peer_step step = {.reply = bytes, .reply_len = len};
    struct talk talk;
    begin(&talk, REPORTS, &step, 1);
    talk.dialogue.self = &told;
    talk.dialogue.unsolicited = on_result;
    talk.dialogue.unmatched = on_unmatched;
    CHECK_INT(line__dialogue_listen(&talk.dialogue, NULL, lf_deadline_in(60000), &talk.err), LF_OK);
    end(&talk);
    return told;
}

static const struct {
    struct unit_row row;
    const char *bytes, *name, *why;
} reports[] = {
    {{"a report with parts is one result"},
     "$S A\r\n1.0\tg\r\n$S B\r\n\r\n2.0\r\n$E\r\n$E\r\n",
     "report",
     ""},
    {{"a report can end with silence"}, "NO 7\r\nsample X\r\n", "slip", ""},
    {{"a report that stops is kept as incomplete, with a notice"},
     "$S A\r\n1.0\r\n",
     "report-incomplete",
     "stopped before its last line"},
};

static void report_of_lines(void)
{
    const typeof(*reports) *row = unit_row();
    struct told told = listen_to(row->bytes, strlen(row->bytes));
    CHECK_INT(told.results, 1);
    CHECK_STR(told.name, row->name);
    CHECK_STR(told.text, row->bytes);
    CHECK_INT(told.unmatched, *row->why ? 1 : 0);
    CHECK_HAS(told.why, row->why);
}

static void report_too_long(void)
{
    static char text[300] = "$S A\r\n";
    for (size_t i = strlen(text); i + 10 < sizeof text; i += 10)
        memcpy(text + i, "12345678\r\n", 10);
    struct told told = listen_to(text, strlen(text));
    CHECK_STR(told.name, "report-incomplete");
    CHECK_HAS(told.why, "nothing in the profile matches it");
    CHECK(told.unmatched > 1);
}

/* A command would cut the report, and its reply would look like a line of it. */
static void command_waits_for_report(void)
{
    TALK(REPORTS, {R("$S A\r\nS 1\r\n"), .cue = true}, {R("$E\r\n"), .cue = false},
         {E("S\r\n"), R("S 2\r\n")});
    struct told told = {0};
    talk.dialogue.self = &told;
    talk.dialogue.unsolicited = on_result;
    peer_cue(&talk.peer);
    say(&talk, "weigh");
    CHECK_STR(value_of(&talk.values, "value"), "2");
    CHECK_STR(told.text, "$S A\r\nS 1\r\n$E\r\n");
    end(&talk);
}

static void connection_lost_within_a_report(void)
{
    struct told told = {0};
    TALK(REPORTS, {R("$S A\r\n1.0\r\n"), .hang_up = true});
    talk.dialogue.self = &told;
    talk.dialogue.unsolicited = on_result;
    CHECK_INT(line__dialogue_listen(&talk.dialogue, NULL, LF_NEVER, &talk.err), LF_DISCONNECTED);
    end(&talk);
    CHECK_STR(told.name, "report-incomplete");
    CHECK_STR(told.text, "$S A\r\n1.0\r\n");
}

UNIT_TESTS("notices", {"text with an eighth bit is not silence: parity", other_parity},
           {"damaged bytes are not silence: baud rate", other_baud_rate},
           {"another protocol is not silence: the error has what came and what was expected", other_protocol},
           {"an instrument that says nothing does not answer", no_answer},
           {"what came is shown escaped and bounded", bounded}, UNIT_ROWS(reports, report_of_lines),
           {"a report longer than max_reply is kept as incomplete, with a notice", report_too_long},
           {"a command waits for the end of a report", command_waits_for_report},
           {"a report cut by a lost connection is kept as incomplete", connection_lost_within_a_report})

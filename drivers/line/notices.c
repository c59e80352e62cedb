#include "drivers/line/notices.h"

#include <stdio.h>

/* FAILURES_MIN: one failure to connect is ordinary (a cable is replugged, a converter restarts). */
enum { AT_ONCE_MAX = 8, PACE_MS = 10000, FAILURES_MIN = 2, ABOUT_ROOM = 120 };

static void concern(const struct lf_line_notices *notices, const char *about, bool stands, const char *text,
                    const char *todo)
{
    notices->host->concern(notices->host->self, about, stands, text, todo);
}

static void tell_unmatched(struct lf_line_notices *notices)
{
    char text[sizeof notices->last + 80];
    snprintf(text, sizeof text, "%llu line%s came that are no results and no replies; the last: %s",
             (unsigned long long)notices->unmatched, notices->unmatched == 1 ? "" : "s", notices->last);
    concern(notices, "unmatched lines", false, text,
            "if they are results, add a [listen] that matches them to the profile; if not, one with as = "
            "ignore. Then acknowledge this");
    notices->told = notices->unmatched;
    notices->told_at = lf_clock_mono_ms();
}

void line__notice_unmatched(struct lf_line_notices *notices, struct lf_slice line, const char *why)
{
    char room[LF_SHOW_ROOM];
    notices->unmatched++;
    snprintf(notices->last, sizeof notices->last, "'%s' (%.110s)", line__show(line, room), why);
    if (notices->unmatched <= AT_ONCE_MAX)
        tell_unmatched(notices);
    else
        line__notice_pending(notices);
}

void line__notice_pending(struct lf_line_notices *notices)
{
    if (notices->told != notices->unmatched && lf_clock_mono_ms() - notices->told_at >= PACE_MS)
        tell_unmatched(notices);
}

void line__notice_connect(struct lf_line_notices *notices, enum lf_status status, const struct lf_error *err)
{
    if (status == LF_CANCELLED)
        return;
    if (status == LF_OK) {
        if (notices->failures >= FAILURES_MIN)
            concern(notices, "connection", true, NULL, NULL);
        notices->failures = 0;
    } else if (++notices->failures >= FAILURES_MIN) {
        notices->failures = FAILURES_MIN;
        concern(
            notices, "connection", true, err->text,
            "look at power, cable and port, and at what the instrument is set to. The agent keeps trying; "
            "`labferry profile-try` shows the bytes while the agent is stopped");
    }
}

void line__notice_answer(struct lf_line_notices *notices, bool mute, const struct lf_error *err)
{
    if (!mute && notices->unanswered >= FAILURES_MIN)
        concern(notices, "answers", true, NULL, NULL);
    notices->unanswered = mute ? notices->unanswered + 1 : 0;
    if (notices->unanswered >= FAILURES_MIN)
        concern(notices, "answers", true, err->text,
                "it is connected and does not answer: look at its power, and at what is set in it");
}

void line__notice_finished(struct lf_line_notices *notices, const char *procedure)
{
    char about[ABOUT_ROOM];
    snprintf(about, sizeof about, "procedure %.90s", procedure);
    concern(notices, about, true, NULL, NULL);
}

void line__notice_unfinished(struct lf_line_notices *notices, const char *procedure, const char *why)
{
    char about[ABOUT_ROOM], text[LF_ERROR_TEXT + 160];
    snprintf(about, sizeof about, "procedure %.90s", procedure);
    snprintf(
        text, sizeof text,
        "the procedure '%.60s' was not ended as its profile wants (finally): something may still run. %s",
        procedure, why);
    concern(notices, about, true, text,
            "look at the instrument and stop it there. The agent tries again at the next connection and when "
            "the procedure runs");
}

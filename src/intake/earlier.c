/* Events from before the agent's first start: agent.first_start says what becomes of them.
 *
 * "first_start" in the journal is the time of the first start; far in the past if the journal is older than
 * this setting. During the first run it is reckoned by the clock as it is now, since the clock may be set
 * meanwhile.
 */
#include "base/clock.h"
#include "base/log.h"
#include "intake/parts.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>

/* First start: now, by the clock as it is. */
static int64_t first_ms(const struct lf_intake *intake)
{
    int64_t now = lf_clock_best_ms();
    if (intake->first_mono)
        return now - (lf_clock_mono_ms() - intake->first_mono);
    return intake->first_ms < now ? intake->first_ms : now;
}

enum lf_status intake__earlier_open(struct lf_intake *intake, bool is_first, struct lf_error *err)
{
    char *known = NULL, text[LF_TIME_TEXT];
    enum lf_status status = lf_journal_get(intake->journal, LF_SMALL_FIRST_START, &known, err);
    intake->first_mono = is_first ? lf_clock_mono_ms() : 0;
    lf_time_format(is_first ? lf_clock_best_ms() : 0, text);
    if (status == LF_OK && !known)
        status = lf_journal_set(intake->journal, LF_SMALL_FIRST_START, text, err);
    if (status == LF_OK && known && lf_time_parse(known, &intake->first_ms) != LF_OK)
        intake->first_ms = 0;
    free(known);
    return status;
}

void intake__earlier_correct(struct lf_intake *intake)
{
    char text[LF_TIME_TEXT];
    struct lf_error err;
    if (!intake->first_mono)
        return;
    lf_time_format(first_ms(intake), text);
    lf_journal_set(intake->journal, LF_SMALL_FIRST_START, text, &err); /* if not: it is a little less exact */
}

bool intake__earlier(const struct lf_intake *intake, const struct lf_event *event)
{
    return intake->options.config->agent.first_start != LF_FIRST_TAKE && event->created_ms > 0
           && event->created_ms < first_ms(intake) - LF_CLOCK_TOLERANCE_MS;
}

enum lf_status intake__earlier_ignore(struct lf_intake *intake, const struct lf_event *event,
                                      struct lf_error *err)
{
    char text[300];
    snprintf(text, sizeof text,
             "events from before the first start of this agent were ignored (agent.first_start), the last of "
             "them %.80s of %.40s",
             event->id, event->created_at);
    struct lf_concern concern =
        {.source = INTAKE_CONCERN,
         .about = "before the first start",
         .text = text,
         .todo =
             "if one of them is still wanted, trigger it again in Benchling: generate the file again, or set "
             "the task to another status and back"};
    return lf_journal_concern(intake->journal, &concern, err);
}

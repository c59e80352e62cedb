/* What devices report for people: it goes to the journal's concerns, with the instrument as its source. */
#include "instrument/host.h"

#include "base/log.h"

#include <stdio.h>

enum { MINUTE_MS = 60 * 1000, A_MINUTE_MAX = 60 };

/* What has happened is written to the disk each time, and a line can flood its host, under one name or many.
 */
static bool is_flood(struct lf_instrument *instrument)
{
    int64_t now = lf_clock_mono_ms();
    if (!instrument->concerns || now - instrument->concerns_mono >= MINUTE_MS) {
        instrument->concerns_mono = now;
        instrument->concerns = 0;
    }
    return ++instrument->concerns > A_MINUTE_MAX;
}

static void note_flood(const struct lf_instrument *instrument, const char *text)
{
    char more[LF_ERROR_TEXT];
    if (instrument->concerns != A_MINUTE_MAX + 1) /* once in that minute */
        return;
    snprintf(more, sizeof more,
             "it reported more than %d things within a minute, and the rest of that minute is "
             "not noted; the first of the rest: %.300s",
             A_MINUTE_MAX, text);
    instrument__note(instrument, "too many reports", false, more, "look at the instrument and at its line");
}

void instrument__note(const struct lf_instrument *instrument, const char *about, bool stands,
                      const char *text, const char *todo)
{
    struct lf_error err = {0};
    char source[LF_CONCERN_SOURCE];
    if (!instrument->journal)
        return;
    struct lf_concern concern = {.source = lf_concern_instrument(instrument->name, source),
                                 .about = about,
                                 .stands = stands,
                                 .text = text,
                                 .todo = todo};
    enum lf_status status = text ? lf_journal_concern(instrument->journal, &concern, &err)
                                 : lf_journal_concern_over(instrument->journal, source, about, &err);
    if (status != LF_OK)
        lf_log_warning(instrument->name, "cannot note \"%s\": %s", text ? text : about, err.text);
}

void instrument__concern(void *self, const char *about, bool stands, const char *text, const char *todo)
{
    struct lf_instrument *instrument = self;
    bool flood = text && !stands && is_flood(instrument);
    instrument__leave(instrument);
    if (flood)
        note_flood(instrument, text);
    else
        instrument__note(instrument, about, stands, text, todo);
    instrument__enter(instrument);
}

/* Concerns that devices report: they go to the journal, with the instrument as their source. */
#include "instrument/host.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { FLOOD_MS = 1000 };

/* A device that reports the same thing over and over would write to the disk each time. */
static bool is_flood(struct lf_instrument *instrument, const char *about)
{
    int64_t now = lf_clock_mono_ms();
    if (!strncmp(instrument->concern, about, sizeof instrument->concern - 1)
        && now - instrument->concern_mono < FLOOD_MS)
        return true;
    snprintf(instrument->concern, sizeof instrument->concern, "%s", about);
    instrument->concern_mono = now;
    return false;
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
        lf_log_warning(instrument->name, "cannot store %s: %s", text ? text : "the end of a concern",
                       err.text);
}

void instrument__concern(void *self, const char *about, bool stands, const char *text, const char *todo)
{
    struct lf_instrument *instrument = self;
    if (text && !stands && is_flood(instrument, about))
        return;
    instrument__leave(instrument);
    instrument__note(instrument, about, stands, text, todo);
    instrument__enter(instrument);
}

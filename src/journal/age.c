/* What is old enough to be removed.
 *
 * Removing cannot be undone, so no clock decides it alone. The known time is stored in the journal and goes
 * on by the time that really passes. What passed while the machine was off only two clocks that agree can
 * tell: once in each run of the machine they may bring the known time forward, and back at any time. So a
 * clock that jumps, or one wrong date from outside, makes nothing old.
 */
#include "journal/db.h"

#include "base/clock.h"
#include "os/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-01-01: no journal is older. A time before that is from a clock that was not set. */
#define BEFORE_LABFERRY INT64_C(1767225600000)

enum { STORE_PACE_MS = 60 * 60 * 1000 };

/* "KNOWN MONO SETTLED BOOT" */
enum lf_status journal__age_load(struct lf_journal *journal, struct lf_error *err)
{
    char boot[LF_BOOT_TEXT] = "", then[LF_BOOT_TEXT + 1] = "", *text = NULL;
    int64_t known = 0, mono = 0;
    int settled = 0;
    enum lf_status status = lf_journal_get(journal, "time.known", &text, err);
    if (status != LF_OK || !text)
        return status;
    int read = sscanf(text, "%" SCNd64 " %" SCNd64 " %d %40s", &known, &mono, &settled, then);
    free(text);
    if (read != 4 || known <= 0)
        return LF_OK;
    bool same = lf_boot_name(boot) && !strcmp(boot, then) && mono <= lf_clock_mono_ms();
    lf_clock_know(known + lf_clock_mono_ms() - (same ? mono : 0));
    journal->age = (struct age){.opened_ms = lf_clock_known_ms(), .settled = same && settled};
    return LF_OK;
}

static enum lf_status store(struct lf_journal *journal, struct lf_error *err)
{
    char text[120], boot[LF_BOOT_TEXT];
    int64_t mono = lf_clock_mono_ms();
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %d %s", lf_clock_known_ms(), mono,
             (int)journal->age.settled, lf_boot_name(boot) ? boot : "unknown");
    journal->age.stored_mono = mono;
    return lf_journal_set(journal, "time.known", text, err);
}

/* What was written in this run before the time was known may be dated by a clock that was behind, and would
 * look old now. */
static enum lf_status date_again(struct lf_journal *journal, int64_t from, int64_t before, int64_t now,
                                 struct lf_error *err)
{
    static const char *const again[] = {
        "UPDATE event SET received_ms = ?3 WHERE received_ms >= ?1 AND received_ms < ?2",
        "UPDATE job SET updated_ms = ?3 WHERE updated_ms >= ?1 AND updated_ms < ?2",
        "UPDATE finding SET seen_ms = ?3 WHERE seen_ms >= ?1 AND seen_ms < ?2",
        "UPDATE command SET finished_ms = ?3 WHERE finished_ms >= ?1 AND finished_ms < ?2",
    };
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < sizeof again / sizeof *again; i++)
        status = journal__query_do(journal, err, again[i], "iii", from, before, now);
    return status;
}

static enum lf_status settle(struct lf_journal *journal, int64_t now, struct lf_error *err)
{
    int64_t opened = journal->age.opened_ms, before = opened ? now - LF_CLOCK_TOLERANCE_MS : BEFORE_LABFERRY;
    int64_t known = lf_clock_known_ms();
    bool forward = now - known > LF_CLOCK_TOLERANCE_MS, settled = journal->age.settled;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    if (forward)
        status = date_again(journal, opened, before, now, err);
    if (status == LF_OK) {
        lf_clock_know(now);
        journal->age.settled = true;
        status = store(journal, err);
    }
    status = lf_journal_end(journal, status, err);
    if (status != LF_OK) { /* the next look tries it again, with the dates */
        lf_clock_know(known);
        journal->age.settled = settled;
    }
    return status;
}

enum lf_status lf_journal_clock_look(struct lf_journal *journal, struct lf_error *err)
{
    int64_t now = lf_clock_wall_ms(), known = lf_clock_known_ms();
    enum lf_status status = LF_OK;
    lf_mutex_lock(&journal->mutex);
    bool back = known - now > LF_CLOCK_TOLERANCE_MS;
    if (lf_clock_agree() && (!known || !journal->age.settled || back))
        status = settle(journal, now, err);
    else if (known && lf_clock_mono_ms() - journal->age.stored_mono >= STORE_PACE_MS)
        status = store(journal, err);
    lf_mutex_unlock(&journal->mutex);
    return status;
}

int64_t journal__age_now(const struct lf_journal *journal)
{
    int64_t wall = lf_clock_wall_ms(), outside = wall - lf_clock_ahead_ms(), known = lf_clock_known_ms();
    if (!lf_clock_agree() || !journal->age.settled)
        return 0;
    int64_t least = wall < outside ? wall : outside;
    return known < least ? known : least;
}

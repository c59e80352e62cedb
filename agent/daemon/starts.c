/* The value "running" is in the journal while the agent runs: found at a start, the previous run crashed. */
#include "agent/daemon/starts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/setting.h"
#include "base/units.h"
#include "config/config.h"
#include "journal/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum lf_status record_config(struct lf_journal *journal, const char *before, const char *now,
                                    struct lf_error *err)
{
    char text[300];
    if (before && !strcmp(before, now))
        return LF_OK;
    snprintf(text, sizeof text, "%s %.64s%s%.64s",
             before ? "changed from" : "first seen:", before ? before : now, before ? " to " : "",
             before ? now : "");
    enum lf_status status = lf_journal_audit_add(journal, "agent", "config", NULL, text, err);
    return status == LF_OK ? lf_journal_set(journal, "config.digest", now, err) : status;
}

enum lf_status starts_note_start(struct lf_journal *journal, const struct lf_config *config,
                                 struct lf_error *err)
{
    char text[400];
    char *before = NULL, *running = NULL;
    enum lf_status status = lf_journal_get(journal, "config.digest", &before, err);
    if (status == LF_OK)
        status = lf_journal_get(journal, "running", &running, err);
    if (status == LF_OK)
        status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        goto done;
    snprintf(text, sizeof text, "labferryd " LF_VERSION " starts as %.80s at %.80s, configuration %.64s%s",
             config->agent.name, config->agent.site, config->digest,
             running ? "; the previous run did not shut down cleanly" : "");
    status = lf_journal_audit_add(journal, "agent", "agent", NULL, text, err);
    if (status == LF_OK)
        status = record_config(journal, before, config->digest, err);
    if (status == LF_OK)
        status = lf_journal_set(journal, "running", "yes", err);
    status = lf_journal_end(journal, status, err);
done:
    free(before);
    free(running);
    return status;
}

enum lf_status starts_note_clock(struct lf_journal *journal, int64_t step_ms, struct lf_error *err)
{
    char clock[LF_CLOCK_TEXT], by[32], text[300];
    lf_clock_words(clock);
    lf_duration_format(step_ms < 0 ? -step_ms : step_ms, by, sizeof by);
    if (step_ms)
        snprintf(text, sizeof text, "the clock was set %s by %s; %s", step_ms < 0 ? "back" : "forward", by,
                 clock);
    else
        snprintf(text, sizeof text, "%s%s", clock, lf_clock_ahead_ms() ? "" : "; the tenant's clock agrees");
    lf_log_warning("agent", "%s", text);
    return lf_journal_audit_add(journal, "agent", "clock", NULL, text, err);
}

void starts_note_stop(struct lf_journal *journal)
{
    struct lf_error err = {0};
    char *running;
    if (lf_journal_get(journal, "running", &running, &err) == LF_OK
        && !running) /* the start was never recorded */
        return;
    free(running);
    enum lf_status status = lf_journal_begin(journal, &err);
    if (status == LF_OK) {
        status = lf_journal_audit_add(journal, "agent", "agent", NULL, "labferryd stops cleanly", &err);
        if (status == LF_OK)
            status = lf_journal_set(journal, "running", NULL, &err);
        status = lf_journal_end(journal, status, &err);
    }
    if (status != LF_OK)
        lf_log_warning("agent", "the stop could not be recorded in the audit trail: %s", err.text);
}

/* Small named values. */
#include "journal/db.h"

#include <stdio.h>
#include <stdlib.h>

enum lf_status lf_journal_set(struct lf_journal *journal, const char *name, const char *value,
                              struct lf_error *err)
{
    return journal__query_do(journal, err,
                             "INSERT INTO small (name, value) VALUES (?1, ?2) "
                             "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                             "tt", name, value);
}

enum lf_status lf_journal_get(struct lf_journal *journal, const char *name, char **value,
                              struct lf_error *err)
{
    struct query query = journal__query(journal, "SELECT value FROM small WHERE name = ?1", "t", name);
    *value = journal__query_row(&query) ? journal__column_text(&query, 0) : NULL;
    enum lf_status status = journal__query_end(&query, err);
    if (status != LF_OK) {
        free(*value);
        *value = NULL;
    }
    return status;
}

const char *lf_journal_paused(const char *instrument, char room[LF_PAUSED_NAME])
{
    snprintf(room, LF_PAUSED_NAME, "paused.%s", instrument);
    return room;
}

const char *lf_journal_met(const char *instrument, char room[LF_PAUSED_NAME])
{
    snprintf(room, LF_PAUSED_NAME, "met.%s", instrument);
    return room;
}

const char *lf_journal_sampled(const char *instrument, char room[LF_PAUSED_NAME])
{
    snprintf(room, LF_PAUSED_NAME, "sampled.%s", instrument);
    return room;
}

/* Small named values. */
#include "journal/db.h"

#include <stdlib.h>

#define PAUSED "paused.%s" /* the instrument */

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

enum lf_status lf_journal_set_paused(struct lf_journal *journal, const char *instrument, const char *why,
                                     struct lf_error *err)
{
    char *name = lf_format(PAUSED, instrument);
    enum lf_status status = name ? lf_journal_set(journal, name, why, err) : lf_fail_memory(err, "pausing");
    free(name);
    return status;
}

enum lf_status lf_journal_paused(struct lf_journal *journal, const char *instrument, char **why,
                                 struct lf_error *err)
{
    char *name = lf_format(PAUSED, instrument);
    *why = NULL;
    enum lf_status status = name ? lf_journal_get(journal, name, why, err)
                                 : lf_fail_memory(err, "reading whether an instrument is paused");
    free(name);
    return status;
}

/* The table of concerns. */
#include "journal/concern.h"
#include "journal/audit.h"
#include "journal/db.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MORE "more"

const char *lf_concern_instrument(const char *instrument, char room[LF_CONCERN_SOURCE])
{
    snprintf(room, LF_CONCERN_SOURCE, "instrument/%s", instrument);
    return room;
}

enum lf_status journal__concern_recover(struct lf_journal *journal, struct lf_error *err)
{
    return journal__query_do(journal, err, "DELETE FROM concern WHERE stands", "");
}

enum known { UNKNOWN, THERE, UNCHANGED };

/* Is it in the table? Of those of its source *count says how many are. */
static enum lf_status look(struct lf_journal *journal, const struct lf_concern *concern, enum known *known,
                           int64_t *count, struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "SELECT stands AND text = ?3 AND todo = ?4 FROM concern "
                                        "WHERE source = ?1 AND about = ?2",
                                        "tttt", concern->source, concern->about, concern->text,
                                        concern->todo);
    *known = !journal__query_row(&query)                              ? UNKNOWN
             : concern->stands && journal__column_int(&query, 0) != 0 ? UNCHANGED
                                                                      : THERE;
    enum lf_status status = journal__query_end(&query, err);
    if (status == LF_OK && *known == UNKNOWN)
        status = journal__query_int(journal, count, err, "SELECT count(*) FROM concern WHERE source = ?1",
                                    "t", concern->source);
    return status;
}

static enum lf_status write_concern(struct lf_journal *journal, const struct lf_concern *concern,
                                    struct lf_error *err)
{
    return journal__query_do(
        journal, err,
        "INSERT INTO concern (source, about, stands, text, todo, since_ms, last_ms) VALUES (?1, ?2, ?3, ?4, "
        "?5, ?6, ?6) ON CONFLICT (source, about) DO UPDATE SET text = excluded.text, todo = excluded.todo, "
        "last_ms = excluded.last_ms, times = times + NOT excluded.stands, stands = excluded.stands",
        "ttitti", concern->source, concern->about, (int64_t)concern->stands, concern->text, concern->todo,
        lf_clock_best_ms());
}

/* As it is stored: the name of a file may be long, and not be UTF-8. Returns room. */
static const char *stored_about(const char *about, char room[LF_CONCERN_ABOUT_MAX])
{
    snprintf(room, LF_CONCERN_ABOUT_MAX, "%s", about);
    lf_utf8_repair(room);
    return room;
}

enum lf_status lf_journal_concern(struct lf_journal *journal, const struct lf_concern *concern,
                                  struct lf_error *err)
{
    char about[LF_CONCERN_ABOUT_MAX], text[2 * LF_ERROR_TEXT];
    struct lf_concern row = *concern;
    enum known known;
    int64_t count = 0;
    row.about = stored_about(concern->about, about);
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = look(journal, &row, &known, &count, err);
    if (status == LF_OK && known == UNKNOWN && count >= LF_CONCERNS_MAX) {
        snprintf(text, sizeof text, "there is more of this, not listed; the last: %s", row.text);
        row.about = MORE;
        row.stands = false;
        row.text = text;
    }
    if (status == LF_OK && known != UNCHANGED)
        status = write_concern(journal, &row, err);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_concern_over(struct lf_journal *journal, const char *source, const char *about,
                                       struct lf_error *err)
{
    char room[LF_CONCERN_ABOUT_MAX];
    int64_t count = 0;
    about = about ? stored_about(about, room) : NULL;
    enum lf_status status = journal__query_int(
        journal, &count, err,
        "SELECT count(*) FROM concern WHERE source = ?1 AND iif(?2 IS NULL, stands, about = ?2)", "tt",
        source, about);
    if (status != LF_OK || !count)
        return status;
    return journal__query_do(journal, err,
                             "DELETE FROM concern WHERE source = ?1 AND iif(?2 IS NULL, stands, about = ?2)",
                             "tt", source, about);
}

/* *text is owned: "SOURCE: TEXT"; NULL: there is no such concern. */
static enum lf_status find(struct lf_journal *journal, int64_t id, bool *stands, char **text,
                           struct lf_error *err)
{
    struct query query = journal__query(journal,
                                        "SELECT stands, source || ': ' || text FROM concern WHERE id = ?1",
                                        "i", id);
    *text = NULL;
    if (journal__query_row(&query)) {
        *stands = journal__column_int(&query, 0) != 0;
        *text = journal__column_text(&query, 1);
    }
    enum lf_status status = journal__query_end(&query, err);
    if (status == LF_OK && !*text)
        status =
            lf_fail(err, LF_NOT_FOUND, LF_PERMANENT,
                    "nothing with the number %lld needs to be acknowledged. `labferry status` lists what "
                    "does",
                    (long long)id);
    return status;
}

enum lf_status lf_journal_concern_acknowledge(struct lf_journal *journal, int64_t id, const char *who,
                                              const char *why, struct lf_error *err)
{
    char *text = NULL, entry[LF_AUDIT_TEXT_MAX];
    bool stands = false;
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = find(journal, id, &stands, &text, err);
    if (status == LF_OK && stands)
        status = lf_fail(
            err, LF_INVALID, LF_PERMANENT,
            "this cannot be acknowledged, because it has not ended: %.200s. It leaves the list when its cause is gone",
            text);
    if (status == LF_OK)
        status = journal__query_do(journal, err, "DELETE FROM concern WHERE id = ?1", "i", id);
    snprintf(entry, sizeof entry, "%s%s%s", text ? text : "", why ? "; " : "", why ? why : "");
    if (status == LF_OK)
        status = lf_journal_audit_add(journal, who, "acknowledged", NULL, entry, err);
    free(text);
    return lf_journal_end(journal, status, err);
}

enum lf_status lf_journal_concern_list(struct lf_journal *journal,
                                       void (*each)(void *context, const struct lf_concern *concern),
                                       void *context, struct lf_error *err)
{
    struct query query = journal__query(
        journal,
        "SELECT id, source, about, stands, text, todo, since_ms, last_ms, times FROM concern ORDER BY id",
        "");
    while (journal__query_row(&query))
        each(context, &(struct lf_concern){
                          .id = journal__column_int(&query, 0),
                          .source = journal__column_peek(&query, 1),
                          .about = journal__column_peek(&query, 2),
                          .stands = journal__column_int(&query, 3) != 0,
                          .text = journal__column_peek(&query, 4),
                          .todo = journal__column_peek(&query, 5),
                          .since_ms = journal__column_int(&query, 6),
                          .last_ms = journal__column_int(&query, 7),
                          .times = journal__column_int(&query, 8),
                      });
    return journal__query_end(&query, err);
}

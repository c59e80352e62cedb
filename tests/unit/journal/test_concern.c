/* What a person must know stays until it is over or has been seen. */
#include "journal/audit.h"
#include "journal/concern.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct lf_journal *open_journal(void)
{
    struct lf_journal *journal = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/journal.db", unit_folder());
    NEED(lf_journal_open(path, &journal, UNIT_ERROR) == LF_OK);
    return journal;
}

static void note(struct lf_journal *journal, const char *source, const char *about, bool stands,
                 const char *text)
{
    struct lf_concern concern = {.source = source,
                                 .about = about,
                                 .stands = stands,
                                 .text = text,
                                 .todo = "look"};
    NEED(lf_journal_concern(journal, &concern, UNIT_ERROR) == LF_OK);
}

static void over(struct lf_journal *journal, const char *source, const char *about)
{
    NEED(lf_journal_concern_over(journal, source, about, UNIT_ERROR) == LF_OK);
}

static char listed[20000];
static int64_t first_id;

static void list_one(void *context, const struct lf_concern *concern)
{
    int *count = context;
    if (!(*count)++)
        first_id = concern->id;
    snprintf(listed + strlen(listed), sizeof listed - strlen(listed), "%s/%s %s x%lld; ", concern->source,
             concern->about, concern->text, (long long)concern->times);
    CHECK(concern->since_ms > 0 && concern->since_ms <= concern->last_ms);
}

static const char *list(struct lf_journal *journal)
{
    int count = 0;
    listed[0] = '\0';
    NEED(lf_journal_concern_list(journal, list_one, &count, UNIT_ERROR) == LF_OK);
    return listed;
}

static void standing_ends_with_its_cause(void)
{
    struct lf_journal *journal = open_journal();
    note(journal, "link", "topic a", true, "forbidden");
    note(journal, "link", "topic b", true, "forbidden");
    note(journal, "link", "topic a", true, "too deep");
    CHECK_STR(list(journal), "link/topic a too deep x1; link/topic b forbidden x1; ");
    over(journal, "link", "topic b");
    over(journal, "link", "topic c");
    CHECK_STR(list(journal), "link/topic a too deep x1; ");
    note(journal, "link", "report 1", false, "dropped");
    over(journal, "link", NULL);
    CHECK_STR(list(journal), "link/report 1 dropped x1; ");
    lf_journal_close(journal);
}

static void long_and_odd_names_end_too(void)
{
    struct lf_journal *journal = open_journal();
    char about[2 * LF_CONCERN_ABOUT_MAX];
    memset(about, 'x', sizeof about);
    memcpy(about, "result \xFF", 8);
    about[sizeof about - 1] = '\0';
    note(journal, "instrument/b", about, true, "cannot be read");
    over(journal, "instrument/b", about);
    CHECK_STR(list(journal), "");
    lf_journal_close(journal);
}

static void what_happened_outlives_a_restart(void)
{
    struct lf_journal *journal = open_journal();
    note(journal, "instrument/b", "line", false, "unexpected XY");
    note(journal, "instrument/b", "line", false, "unexpected ZZ");
    note(journal, "instrument/b", "folder", true, "cannot be read");
    lf_journal_close(journal);
    journal = open_journal();
    CHECK_STR(list(journal), "instrument/b/line unexpected ZZ x2; ");
    lf_journal_close(journal);
}

static void acknowledged_by_a_person(void)
{
    struct lf_journal *journal = open_journal();
    struct lf_error err = {0};
    struct lf_audit_head before, after;
    note(journal, "job", "job 7", false, "failed");
    list(journal);
    NEED(lf_journal_audit_head(journal, &before, UNIT_ERROR) == LF_OK);
    CHECK_INT(lf_journal_concern_acknowledge(journal, first_id, "cli:ada", "seen", &err), LF_OK);
    CHECK_STR(list(journal), "");
    NEED(lf_journal_audit_head(journal, &after, UNIT_ERROR) == LF_OK);
    CHECK_INT(after.seq, before.seq + 1);
    CHECK_INT(lf_journal_concern_acknowledge(journal, first_id, "cli:ada", NULL, &err), LF_NOT_FOUND);
    note(journal, "link", "topic", true, "forbidden");
    list(journal);
    CHECK_INT(lf_journal_concern_acknowledge(journal, first_id, "cli:ada", NULL, &err), LF_INVALID);
    CHECK_STR(list(journal), "link/topic forbidden x1; ");
    lf_journal_close(journal);
}

static void a_flood_is_bounded_and_counted(void)
{
    struct lf_journal *journal = open_journal();
    char about[40];
    int count = 0;
    note(journal, "link", "other", false, "is not pushed out");
    for (int i = 1; i <= LF_CONCERNS_MAX + 50; i++) {
        snprintf(about, sizeof about, "file %d", i);
        note(journal, "instrument/f", about, true, about);
    }
    NEED(lf_journal_concern_list(journal, list_one, &count, UNIT_ERROR) == LF_OK);
    CHECK_INT(count, 1 + LF_CONCERNS_MAX + 1);
    CHECK_HAS(listed, "instrument/f/more there is more of this, not listed; the last: file 150 x50; ");
    lf_journal_close(journal);
}

UNIT_TESTS("concerns", {"a standing concern ends with its cause", standing_ends_with_its_cause},
           {"a concern about a very long name that is not UTF-8 ends as well", long_and_odd_names_end_too},
           {"what has happened outlives a restart, and is counted", what_happened_outlives_a_restart},
           {"a person acknowledges what has happened, once, on the record; not what goes on",
            acknowledged_by_a_person},
           {"a flood of concerns is bounded for its source alone, and counted",
            a_flood_is_bounded_and_counted}, )

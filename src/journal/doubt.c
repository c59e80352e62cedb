/* May the journal be older than what was done?
 *
 * A state folder that was restored (a snapshot, a copy, another disk) is complete and consistent, lock file
 * included: nothing in it shows its age. But restoring it takes a new file or a restart of the machine. The
 * journal remembers the identity of its file and the boot of the machine. If either has changed, the journal
 * counts as doubtful until a witness outside has been asked.
 */
#include "journal/audit.h"
#include "journal/db.h"

#include "os/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOUBT "journal.doubt"
#define FILE_NAME "journal.file"

enum { FILE_TEXT = 64 };

static const char *const doubt_names[] =
    {[LF_DOUBT_NONE] = "", [LF_DOUBT_BOOT] = "boot", [LF_DOUBT_COPY] = "copy"};

/* "" if the file system does not report when a file was created: its inode numbers may change at each mount.
 */
static void name_file(const struct lf_journal *journal, char text[FILE_TEXT])
{
    struct lf_file_info info;
    struct lf_error ignored;
    int64_t born = lf_file_born_ns(&journal->file);
    text[0] = '\0';
    if (born && lf_file_look(&journal->file, &info, &ignored) == LF_OK)
        snprintf(text, FILE_TEXT, "%" PRIu64 " %" PRId64, info.id, born);
}

static enum lf_doubt doubt_of(const char *name)
{
    return !name ? LF_DOUBT_NONE : !strcmp(name, doubt_names[LF_DOUBT_COPY]) ? LF_DOUBT_COPY : LF_DOUBT_BOOT;
}

enum lf_status journal__doubt_load(struct lf_journal *journal, struct lf_error *err)
{
    char now[FILE_TEXT], *before = NULL, *doubt = NULL;
    enum lf_status status = lf_journal_get(journal, FILE_NAME, &before, err);
    if (status == LF_OK)
        status = lf_journal_get(journal, DOUBT, &doubt, err);
    name_file(journal, now);
    journal->doubt = doubt_of(doubt);
    if (journal->rebooted && !journal->doubt)
        journal->doubt = LF_DOUBT_BOOT;
    if (before && *before && *now && strcmp(before, now) != 0)
        journal->doubt = LF_DOUBT_COPY;
    if (status == LF_OK && journal->doubt)
        status = lf_journal_set(journal, DOUBT, doubt_names[journal->doubt], err);
    else if (status == LF_OK && !before)
        status = lf_journal_set(journal, FILE_NAME, now, err);
    free(before);
    free(doubt);
    return status;
}

enum lf_doubt lf_journal_doubt(const struct lf_journal *journal)
{
    return journal->doubt;
}

enum lf_status lf_journal_doubt_over(struct lf_journal *journal, struct lf_error *err)
{
    char now[FILE_TEXT];
    name_file(journal, now);
    enum lf_status status = lf_journal_begin(journal, err);
    if (status != LF_OK)
        return status;
    status = lf_journal_set(journal, DOUBT, NULL, err);
    if (status == LF_OK)
        status = lf_journal_set(journal, FILE_NAME, now, err);
    return lf_journal_end(journal, status, err);
}

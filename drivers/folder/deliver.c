/* Delivering: a parcel becomes a file in the inbox, completely or not at all, and at most once.
 *
 * An instrument takes a worklist as soon as it sees it, and may remove it at once; a person may empty the
 * inbox at any moment. So a file that is gone proves nothing: it may have been *used*, and delivering it
 * again would run it twice. After a kill or a power cut at any moment, what we left on the disk must show
 * whether the file was ever visible. A delivery goes through these states, each durable before the next
 * begins:
 *
 * 1. part: the bytes, complete and checked, under a hidden name (".plate.csv.part-12"). This is `prepare`;
 *    only then does the host commit that it is about to act.
 * 2. about: the mark (delivery_record.c) says that the part is about to be published.
 * 3. visible: the part was renamed to its final name, without replacing anything.
 * 4. done: the mark says so, after the rename became durable.
 *
 * `verify` concludes from the mark, the part and the final name:
 *
 *   mark       part    final name        verdict
 *   none       there   any               not done: state 2 comes before 3 (a mark without "about" counts as
 *                                        none)
 *   none       gone    any               unknown: somebody removed what we left
 *   done       any     any               done
 *   equal      any     any               done: a person confirmed it, see below
 *   about      any     has our digest    done
 *   about      there   else, same boot   not done: the rename would have removed the part
 *   about      there   else, other boot  unknown: the instrument may have seen the file before a power cut
 *                                        undid the rename
 *   about      gone    else              unknown: the rename removed the part and the instrument took the
 *                                        file, or somebody emptied the inbox
 *   linking    there   else              done if the part still has its second name, else unknown: the
 *                                        instrument may have taken the file before we removed the part
 *
 * "Same boot": the machine has not restarted since, so the kernel's view is complete. On a network mount, we
 * trust what the server calls durable.
 *
 * Publishing tries, in this order: rename without replacing; a link under the final name and removal of the
 * part ("linking"); a plain rename after checking that the name is free ("renaming"). File systems that lack
 * one of them (FUSE, NFS, rclone) say so with many errors, so after any error that leaves both names as they
 * were, the next way is tried. The last way can replace a file that a third party creates in between.
 * Creating the name first to reserve it would be worse: the instrument would see an empty worklist.
 *
 * If an equal file already has the name, the instrument would not notice a delivery. `prepare` refuses it,
 * names the job that the file belongs to, and leaves a mark "equal" for `verify`: a person removes the file,
 * or confirms that the instrument is to use it. */
#include "beneath.h"
#include "convert.h"
#include "delivery_record.h"

#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- state 1: the part ---- */

static bool converts(const struct lf_folder *folder)
{
    return folder->options.eol != LF_EOL_KEEP || folder->options.encoding != LF_ENCODING_KEEP;
}

/* Copies from the spool; what was read must be the parcel that was promised. */
static enum lf_status fill_part(struct lf_folder *folder, struct lf_delivery *delivery,
                                const struct lf_file *from, const struct lf_file *to, struct lf_error *err)
{
    const struct lf_folder_options *o = &folder->options;
    const struct lf_parcel *parcel = delivery->parcel;
    char sha256[LF_SHA256_HEX];
    int64_t size = 0;
    enum lf_status status = lf_file_copy(from, converts(folder) ? NULL : to, INT64_MAX, folder->host->cancel,
                                         sha256, &size, err);
    if (status != LF_OK)
        return status;
    if (size != parcel->size || strcmp(sha256, parcel->sha256) != 0)
        return lf_fail(err, LF_CORRUPT, LF_PERMANENT,
                       "the spooled file %s is damaged: it has %lld bytes and digest %.12s..., expected %lld "
                       "and %.12s...",
                       parcel->path, (long long)size, sha256, (long long)parcel->size, parcel->sha256);
    memcpy(delivery->sha256, sha256, sizeof sha256);
    delivery->size = size;
    if (!converts(folder))
        return LF_OK;
    return folder__convert_copy(from, to, o->eol, o->encoding, folder->host->cancel, delivery->sha256,
                                &delivery->size, err);
}

static enum lf_status write_part(struct lf_folder *folder, struct lf_delivery *delivery, struct lf_error *err)
{
    struct lf_file from, to = {0};
    unsigned mode = folder->options.mode;
    if (lf_file_open(delivery->parcel->path, LF_FILE_REGULAR, 0, &from, err) != LF_OK)
        return lf_error_prefix(err, "cannot open the spooled file %s", delivery->parcel->path);
    bool made = lf_dir_open_file(&folder->inbox, delivery->part, LF_FILE_CREATE, mode, &to, err) == LF_OK;
    if (made)
        lf_file_set_access(&to, mode); /* the umask may have taken too much */
    bool filled = made && fill_part(folder, delivery, &from, &to, err) == LF_OK;
    bool durable = filled && lf_file_sync(&to, err) == LF_OK && lf_file_finish(&to, err) == LF_OK
                   && lf_dir_sync(&folder->inbox, err) == LF_OK;
    lf_file_close(&from);
    lf_file_close(&to);
    if (durable)
        return LF_OK;
    if (made && !filled)
        return err->status; /* the error of fill_part needs no prefix */
    return lf_error_prefix(err, "cannot write a file in %s", folder->options.inbox);
}

/* ---- is the name free? ---- */

enum taken { NAME_FREE, NAME_SAME, NAME_OTHER };

static enum lf_status look_at_name(struct lf_folder *folder, const struct lf_delivery *delivery,
                                   enum taken *taken, struct lf_error *err)
{
    struct lf_file_info info;
    const char *name = delivery->parcel->name;
    *taken = NAME_FREE;
    enum lf_status status = lf_dir_look(&folder->inbox, name, &info, err);
    if (status == LF_NOT_FOUND)
        return LF_OK;
    if (status != LF_OK)
        return lf_error_prefix(err, "cannot look at %s/%s", folder->options.inbox, name);
    if (info.kind != LF_KIND_FILE)
        return lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON, "%s/%s exists and is not a regular file: remove it",
                       folder->options.inbox, name);
    *taken = NAME_OTHER;
    if (info.size != delivery->size)
        return LF_OK;
    char sha256[LF_SHA256_HEX];
    status = folder__digest(&folder->inbox, name, folder->host->cancel, sha256, err);
    if (status == LF_NOT_FOUND) {
        *taken = NAME_FREE;
        return LF_OK;
    }
    if (status == LF_OK && !strcmp(sha256, delivery->sha256))
        *taken = NAME_SAME;
    return status;
}

static enum lf_status refuse_taken(struct lf_folder *folder, const char *name, struct lf_error *err)
{
    return lf_fail(
        err, LF_EXISTS, LF_NEEDS_PERSON,
        "%s already has a file \"%s\" with other content, and it is not overwritten: remove or rename it and "
        "retry, or set overwrite = true",
        folder->options.inbox, name);
}

static enum lf_status refuse_equal(struct lf_folder *folder, const struct lf_delivery *delivery,
                                   struct lf_error *err)
{
    char whose[LF_ERROR_TEXT / 2];
    folder__record_whose(folder, delivery, whose, sizeof whose);
    enum lf_status status = folder__record_clear(folder, delivery, err);
    if (status == LF_OK)
        status = folder__record_write(folder, delivery, "equal\n", err);
    if (status != LF_OK)
        return status;
    return lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON,
                   "%s already has an equal file \"%s\" (%s), so the instrument would not notice another: "
                   "remove it and `labferry retry %lld`, or `labferry confirm %lld` if the instrument is to "
                   "use that file",
                   folder->options.inbox, delivery->parcel->name, whose, (long long)delivery->job,
                   (long long)delivery->job);
}

/* ---- state 3: visible ---- */

/* Does the part have the final name, too? */
static bool is_linked(const struct lf_folder *folder, const struct lf_delivery *delivery)
{
    struct lf_file_info part, there;
    struct lf_error ignored;
    return lf_dir_look(&folder->inbox, delivery->part, &part, &ignored) == LF_OK
           && lf_dir_look(&folder->inbox, delivery->parcel->name, &there, &ignored) == LF_OK
           && lf_file_is_same(&part, &there);
}

/* A server whose answer was lost is asked again by the system, and then finds the name taken: by this file.
 */
static enum lf_status publish_by_link(struct lf_folder *folder, const struct lf_delivery *delivery,
                                      struct lf_error *err)
{
    struct lf_error ignored;
    enum lf_status status = lf_dir_link(&folder->inbox, delivery->part, &folder->inbox,
                                        delivery->parcel->name, err);
    if (status == LF_EXISTS && is_linked(folder, delivery))
        status = LF_OK;
    if (status == LF_OK && lf_dir_remove(&folder->inbox, delivery->part, &ignored) != LF_OK)
        lf_log_warning(folder->host->instrument, "cannot remove %s after publishing it: %s", delivery->part,
                       ignored.text);
    return status;
}

static enum lf_status publish_by(struct lf_folder *folder, const struct lf_delivery *delivery,
                                 enum lf_way way, struct lf_error *err)
{
    struct lf_file_info info;
    const char *name = delivery->parcel->name;
    if (way == LF_WAY_RENAME_NEW)
        return lf_dir_rename_new(&folder->inbox, delivery->part, &folder->inbox, name, err);
    if (way == LF_WAY_LINK)
        return publish_by_link(folder, delivery, err);
    if (!folder->options.overwrite && lf_dir_look(&folder->inbox, name, &info, err) == LF_OK)
        return lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON, "the name is taken");
    return lf_dir_rename_replace(&folder->inbox, delivery->part, &folder->inbox, name, err);
}

/* Would another way help, and does the disk show that this one did nothing? */
static bool try_next(struct lf_folder *folder, const struct lf_delivery *delivery, enum lf_status status)
{
    struct lf_file_info part, there;
    struct lf_error ignored;
    switch (status) {
    case LF_OK:
    case LF_EXISTS:
    case LF_DENIED:
    case LF_FULL:
    case LF_DISCONNECTED: return false;
    default: break;
    }
    if (lf_dir_look(&folder->inbox, delivery->part, &part, &ignored) != LF_OK || part.names > 1)
        return false;
    status = lf_dir_look(&folder->inbox, delivery->parcel->name, &there, &ignored);
    return status == LF_NOT_FOUND || (status == LF_OK && !lf_file_is_same(&part, &there));
}

/* LF_EXISTS: the name is taken. After another failure the state on disk says what happened, unless publishing
 * was not even *tried. */
static enum lf_status publish(struct lf_folder *folder, const struct lf_delivery *delivery, bool *tried,
                              struct lf_error *err)
{
    static const char *const lines[] = {"", "linking\n", "renaming\n"};
    enum lf_way way = folder->options.overwrite ? LF_WAY_RENAME : folder->way;
    enum lf_status status;
    for (;; way++) {
        *tried = way == LF_WAY_RENAME_NEW || folder__record_add(folder, delivery, lines[way], err) == LF_OK;
        if (!*tried)
            return err->status;
        status = publish_by(folder, delivery, way, err);
        if (way == LF_WAY_RENAME || !try_next(folder, delivery, status))
            return status;
        folder->way = way + 1;
    }
}

/* ---- the answer to the host ---- */

/* `unread` says why the file was not read back; NULL when it was. */
static enum lf_status report(struct lf_folder *folder, const struct lf_delivery *delivery, const char *unread,
                             struct lf_outcome *outcome, struct lf_error *err)
{
    char conversion[64];
    free(outcome->place);
    outcome->place = lf_format("%s/%s%s%s%s", folder->options.inbox, delivery->parcel->name,
                               unread ? " (confirmed by the rename; " : "", unread ? unread : "",
                               unread ? ")" : "");
    if (!outcome->place)
        return lf_fail_memory(err, "reporting a delivery");
    snprintf(outcome->sha256, sizeof outcome->sha256, "%s", unread ? "" : delivery->sha256);
    if (!converts(folder) && !strcmp(delivery->sha256, delivery->parcel->sha256))
        return LF_OK;
    snprintf(conversion, sizeof conversion, "eol %s, encoding %s",
             lf_choice_name(folder__eols, (int)folder->options.eol),
             lf_choice_name(folder__encodings, (int)folder->options.encoding));
    const char *const facts[][2] = {{"conversion", conversion},
                                    {"parcel_sha256", delivery->parcel->sha256},
                                    {"delivered_sha256", delivery->sha256}};
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < 3 && status == LF_OK; i++)
        status = lf_outcome_add(outcome, facts[i][0], LF_CAPTURE_TEXT, facts[i][1], err);
    return status;
}

static const char *why_unread(enum lf_status status)
{
    switch (status) {
    case LF_OK: return NULL;
    case LF_NOT_FOUND: return "the instrument has already taken the file";
    default: return "the file could not be read back";
    }
}

/* The file was visible: from here on, nothing may be reported as not done. */
static enum lf_status read_back(struct lf_folder *folder, const struct lf_delivery *delivery,
                                struct lf_outcome *outcome, struct lf_error *err)
{
    char sha256[LF_SHA256_HEX];
    enum lf_status status = folder__digest(&folder->inbox, delivery->parcel->name, folder->host->cancel,
                                           sha256, err);
    if (status == LF_OK && strcmp(sha256, delivery->sha256) != 0)
        return lf_fail(err, LF_MISMATCH, LF_UNKNOWN_OUTCOME,
                       "\"%s\" was delivered, but reads back with digest %.12s... instead of %.12s...: look "
                       "at the file and at what the instrument did with it",
                       delivery->parcel->name, sha256, delivery->sha256);
    /* Taken or locked by the instrument: the rename itself confirms the delivery. */
    return report(folder, delivery, why_unread(status), outcome, err);
}

static enum lf_status unknown(struct lf_error *err, const char *name)
{
    err->class = LF_UNKNOWN_OUTCOME;
    return lf_error_prefix(err, "\"%s\" may or may not have reached the instrument (look into its inbox)",
                           name);
}

/* Publishing failed, and the error does not say whether it happened: ask the disk, as after a crash. */
static enum lf_status after_failed_publish(struct lf_folder *folder, const struct lf_action *action,
                                           const struct lf_delivery *delivery, struct lf_outcome *outcome,
                                           struct lf_error *err)
{
    struct lf_error ignored = {0};
    if (err->status == LF_DENIED || err->status == LF_FULL) { /* certainly not done */
        folder__record_clear(folder, delivery, &ignored);
        return err->status;
    }
    switch (folder__verify(folder, action, outcome, &ignored)) {
    case LF_VERDICT_DONE: return LF_OK;
    case LF_VERDICT_NOT_DONE: folder__record_clear(folder, delivery, &ignored); return err->status;
    default: return unknown(err, delivery->parcel->name);
    }
}

static enum lf_status bring_out(struct lf_folder *folder, const struct lf_action *action,
                                struct lf_delivery *delivery, struct lf_outcome *outcome,
                                struct lf_error *err)
{
    struct lf_error ignored;
    bool tried = false;
    const char *name = delivery->parcel->name;
    enum lf_status status = folder__record_write(folder, delivery, "about\n", err);
    if (status == LF_OK)
        status = publish(folder, delivery, &tried, err);
    if (!tried || status == LF_EXISTS) {
        folder__record_clear(folder, delivery, &ignored);
        return tried ? refuse_taken(folder, name, err) : status;
    }
    if (status != LF_OK) {
        lf_error_prefix(err, "cannot rename \"%s\" in %s", delivery->part, folder->options.inbox);
        return after_failed_publish(folder, action, delivery, outcome, err);
    }
    status = lf_dir_sync(&folder->inbox, err);
    if (status == LF_OK)
        status = folder__record_add(folder, delivery, "done\n", err);
    if (status != LF_OK)
        return unknown(err, name);
    status = read_back(folder, delivery, outcome, err);
    if (status == LF_NO_MEMORY) /* delivered and durable: verify will say so once there is memory */
        return unknown(err, name);
    return status;
}

enum lf_status folder__prepare(struct lf_folder *folder, const struct lf_action *action, struct lf_error *err)
{
    struct lf_delivery delivery = {0};
    struct lf_error ignored;
    enum taken taken = NAME_FREE;
    folder->prepared = 0;
    if (folder__alive(folder, err) != LF_OK || folder__delivery_name(folder, &delivery, action, err) != LF_OK)
        return err->status;
    /* Traces of an earlier attempt, which a person overruled, must not count for this one. */
    bool ready = folder__record_clear(folder, &delivery, err) == LF_OK
                 && folder__check_delivery(folder, action, err) == LF_OK
                 && write_part(folder, &delivery, err) == LF_OK
                 && look_at_name(folder, &delivery, &taken, err) == LF_OK;
    if (ready && taken == NAME_SAME && !folder->options.overwrite)
        return refuse_equal(folder, &delivery, err);
    if (ready && taken == NAME_OTHER && !folder->options.overwrite)
        ready = refuse_taken(folder, delivery.parcel->name, err) == LF_OK;
    if (!ready) {
        folder__record_clear(folder, &delivery, &ignored);
        return err->status;
    }
    folder->prepared = action->job;
    memcpy(folder->sha256, delivery.sha256, sizeof folder->sha256);
    return LF_OK;
}

enum lf_status folder__deliver(struct lf_folder *folder, const struct lf_action *action,
                               struct lf_outcome *outcome, struct lf_error *err)
{
    struct lf_delivery delivery = {0};
    if (!folder->prepared || folder->prepared != action->job) {
        enum lf_status status = folder__prepare(folder, action, err);
        if (status != LF_OK)
            return status;
    }
    folder->prepared = 0;
    if (folder__alive(folder, err) != LF_OK || folder__delivery_name(folder, &delivery, action, err) != LF_OK)
        return err->status;
    memcpy(delivery.sha256, folder->sha256, sizeof delivery.sha256);
    return bring_out(folder, action, &delivery, outcome, err);
}

/* ---- after a crash ---- */

/* The table at the top. *why is the reason of "unknown". */
static enum lf_verdict conclude(const struct lf_mark *mark, const struct lf_file_info *part, bool same,
                                const char **why)
{
    if (!mark->about) {
        *why = "the agent's mark and its unfinished file are gone";
        return part && part->names <= 1 ? LF_VERDICT_NOT_DONE : LF_VERDICT_UNKNOWN;
    }
    if (mark->done || mark->equal || same)
        return LF_VERDICT_DONE;
    *why = "the file is not in the inbox: the instrument took it, or somebody removed it";
    if (!part)
        return LF_VERDICT_UNKNOWN;
    if (mark->linking)
        return part->names > 1 ? LF_VERDICT_DONE : LF_VERDICT_UNKNOWN;
    *why = "the machine restarted just when the file was about to become visible";
    return mark->same_boot ? LF_VERDICT_NOT_DONE : LF_VERDICT_UNKNOWN;
}

static enum lf_verdict cannot_tell(struct lf_folder *folder, const struct lf_error *err)
{
    lf_log_warning(folder->host->instrument, "cannot tell whether a delivery was done: %s", err->text);
    return LF_VERDICT_UNKNOWN;
}

enum lf_verdict folder__verify(struct lf_folder *folder, const struct lf_action *action,
                               struct lf_outcome *outcome, struct lf_error *err)
{
    struct lf_delivery delivery = {0};
    struct lf_mark mark = {0};
    struct lf_file_info info, *part = &info;
    struct lf_error ignored;
    if (folder__alive(folder, err) != LF_OK || folder__delivery_name(folder, &delivery, action, err) != LF_OK)
        return cannot_tell(folder, err);
    enum lf_status status = folder__record_read(folder, &delivery, &mark, err);
    if (status != LF_OK && status != LF_NOT_FOUND)
        return cannot_tell(folder, err);
    status = lf_dir_look(&folder->inbox, delivery.part, &info, err);
    if (status == LF_NOT_FOUND) {
        part = NULL;
    } else if (status != LF_OK) {
        lf_error_prefix(err, "cannot look at %s", delivery.part);
        return cannot_tell(folder, err);
    }
    char sha256[LF_SHA256_HEX] = "";
    const char *why = "";
    memcpy(delivery.sha256, mark.sha256, sizeof mark.sha256);
    status = folder__digest(&folder->inbox, action->parcel->name, folder->host->cancel, sha256, err);
    bool same = mark.about && status == LF_OK && !strcmp(sha256, mark.sha256);
    if (status != LF_OK && status != LF_NOT_FOUND && mark.about && !mark.done)
        return cannot_tell(folder, err);
    const char *unread = status == LF_OK && !same ? "another file has that name now" : why_unread(status);
    enum lf_verdict verdict = conclude(&mark, part, same, &why);
    if (verdict == LF_VERDICT_UNKNOWN) {
        lf_fail(err, LF_NOT_FOUND, LF_UNKNOWN_OUTCOME, "%s", why);
        return cannot_tell(folder, err);
    }
    if (verdict == LF_VERDICT_DONE) {
        if (part)
            lf_dir_remove(&folder->inbox, delivery.part, &ignored);
        report(folder, &delivery, unread, outcome, err);
    }
    return verdict;
}

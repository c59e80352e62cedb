/* What is checked of a delivery before anything is written: its name, and the room for it. */
#include "folder.h"

#include "base/file.h"
#include "base/units.h"

#include <string.h>
#include <strings.h>

enum { SPACE_RESERVE = 1024 * 1024 };

static enum lf_status check_ascii(const char *name, struct lf_error *err)
{
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at >= 0x80)
            return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                           "the file name \"%s\" has a character outside ASCII, which some instruments "
                           "cannot read: rename it at its source, or set names = \"utf-8\"",
                           name);
    return LF_OK;
}

/* Windows treats plate.csv and Plate.CSV as the same file. */
static enum lf_status check_twin(struct lf_folder *folder, const char *name, struct lf_error *err)
{
    const char *inbox = folder->options.inbox, *other;
    struct lf_dir_list *list;
    struct lf_error end;
    enum lf_status status = lf_dir_list(&folder->inbox, &list, err);
    if (status != LF_OK)
        return lf_error_prefix(err, "cannot read the inbox %s", inbox);
    while (status == LF_OK && (other = lf_dir_next(list, NULL, &end)))
        if (!strcasecmp(other, name) && strcmp(other, name) != 0)
            status = lf_fail(err, LF_EXISTS, LF_NEEDS_PERSON,
                             "%s already has \"%s\", which Windows treats as the same name as \"%s\": "
                             "remove it or rename one of them",
                             inbox, other, name);
    lf_dir_list_close(list);
    return status;
}

static enum lf_status check_space(struct lf_folder *folder, const struct lf_parcel *parcel,
                                  struct lf_error *err)
{
    int64_t have = lf_dir_free_room(&folder->inbox);
    int64_t need = parcel->size * (folder->options.eol == LF_EOL_CRLF ? 2 : 1) + SPACE_RESERVE;
    if (have < 0 || have >= need) /* below 0: some network file systems do not say */
        return LF_OK;
    char have_text[32], need_text[32];
    lf_size_format(have, have_text, sizeof have_text);
    lf_size_format(need, need_text, sizeof need_text);
    return lf_fail(err, LF_FULL, LF_TRANSIENT, "%s has %s free, but %s are needed for \"%s\": make room",
                   folder->options.inbox, have_text, need_text, parcel->name);
}

enum lf_status folder__check_delivery(struct lf_folder *folder, const struct lf_action *action,
                                      struct lf_error *err)
{
    const char *name = action->parcel->name;
    bool any_character = folder->options.names != LF_NAMES_ASCII;
    bool ok = lf_name_check(name, err) == LF_OK && (any_character || check_ascii(name, err) == LF_OK)
              && check_twin(folder, name, err) == LF_OK && check_space(folder, action->parcel, err) == LF_OK;
    return ok ? LF_OK : err->status;
}

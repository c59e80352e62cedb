/* Delivery marks on disk. A mark is a small text file in the inbox:
 *
 *     labferry delivery mark
 *     name plate-7.csv
 *     sha256 <of the bytes as delivered>
 *     boot <which run of the machine>
 *     about
 *     linking        (only where the file system cannot rename without replacing)
 *     done
 *
 * It counts only with its line "about", and each line only with its line end: a mark cut off by a power cut
 * says no more than was durable. The mark of an answered delivery is removed an hour after the answer. What
 * crashes left behind is removed after 30 days, or when there are more than 256 (oldest first), and never
 * before this device was connected for an hour: by then the host has asked `verify` about everything it
 * began. */
#include "delivery_record.h"

#include "base/file.h"
#include "base/log.h"
#include "beneath.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARKS_MAX = LF_SETTLED_MAX, MARK_BYTES_MAX = 2048 };
static const int64_t HOUR_MS = INT64_C(3600) * 1000;
static const int64_t LEFTOVER_MS = INT64_C(30) * 24 * 3600 * 1000;
static const char HEAD[] = "labferry delivery mark\n";

enum lf_status folder__delivery_name(struct lf_delivery *delivery, const struct lf_action *action,
                                     struct lf_error *err)
{
    delivery->parcel = action->parcel;
    int used = snprintf(delivery->part, sizeof delivery->part, ".%s.part-%" PRId64, action->parcel->name,
                        action->job);
    if (used < 0 || (size_t)used >= sizeof delivery->part)
        return lf_fail(err, LF_TOO_LARGE, LF_NEEDS_PERSON, "the file name \"%s\" is too long",
                       action->parcel->name);
    snprintf(delivery->mark, sizeof delivery->mark, ".labferry-%" PRId64 "-%.16s.mark", action->job,
             action->parcel->sha256);
    return LF_OK;
}

static enum lf_status write_durably(struct lf_folder *folder, const char *name, enum lf_file_mode mode,
                                    const char *text, struct lf_error *err)
{
    struct lf_file file;
    bool written = lf_dir_open_file(&folder->inbox, name, mode, LF_PUBLIC, &file, err) == LF_OK
                   && lf_file_append(&file, text, strlen(text), err) == LF_OK
                   && lf_file_sync(&file, err) == LF_OK && lf_file_finish(&file, err) == LF_OK;
    lf_file_close(&file);
    return written ? LF_OK : lf_error_prefix(err, "cannot write the delivery mark %s", name);
}

enum lf_status folder__record_write(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    struct lf_error *err)
{
    char boot[LF_BOOT_TEXT] = "unknown", text[MARK_BYTES_MAX];
    lf_boot_name(boot);
    snprintf(text, sizeof text, "%sname %s\nsha256 %s\nboot %s\nabout\n", HEAD, delivery->parcel->name,
             delivery->sha256, boot);
    enum lf_status status = write_durably(folder, delivery->mark, LF_FILE_CREATE, text, err);
    return status == LF_OK ? lf_dir_sync(&folder->inbox, err) : status;
}

enum lf_status folder__record_add(struct lf_folder *folder, const struct lf_delivery *delivery,
                                  const char *line, struct lf_error *err)
{
    return write_durably(folder, delivery->mark, LF_FILE_CHANGE, line, err);
}

/* Finds the value of a complete line "key value\n" or "key\n". */
static const char *line_of(const char *text, const char *key, size_t *len)
{
    size_t key_len = strlen(key);
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        if (!strncmp(text, key, key_len) && strchr(" \n", text[key_len])) {
            text += key_len + (text[key_len] == ' ');
            *len = (size_t)(end - text);
            return text;
        }
    return NULL;
}

static void parse(const char *text, struct lf_mark *mark)
{
    char boot[LF_BOOT_TEXT];
    size_t len;
    memset(mark, 0, sizeof *mark);
    if (strncmp(text, HEAD, sizeof HEAD - 1) != 0 || !line_of(text, "about", &len))
        return;
    const char *value = line_of(text, "sha256", &len);
    if (!value || len != LF_SHA256_HEX - 1)
        return;
    memcpy(mark->sha256, value, len);
    mark->about = true;
    value = line_of(text, "boot", &len);
    mark->same_boot = value && lf_boot_name(boot) && lf_slice_is(lf_slice(value, len), boot);
    mark->linking = line_of(text, "linking", &len);
    mark->done = line_of(text, "done", &len);
}

enum lf_status folder__record_read(struct lf_folder *folder, const struct lf_delivery *delivery,
                                   struct lf_mark *mark, struct lf_error *err)
{
    char text[MARK_BYTES_MAX + 1];
    struct lf_file file;
    size_t used = 0;
    enum lf_status status = lf_dir_open_file(&folder->inbox, delivery->mark, LF_FILE_REGULAR, 0, &file, err);
    if (status == LF_OK)
        status = lf_file_read_at(&file, 0, text, MARK_BYTES_MAX, &used, err);
    lf_file_close(&file);
    if (status != LF_OK)
        return lf_error_prefix(err, "cannot read the delivery mark %s", delivery->mark);
    text[used] = '\0';
    parse(text, mark);
    return LF_OK;
}

static enum lf_status drop(struct lf_folder *folder, const char *name, struct lf_error *err)
{
    enum lf_status status = lf_dir_remove(&folder->inbox, name, err);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot remove %s", name);
}

enum lf_status folder__record_clear(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    struct lf_error *err)
{
    enum lf_status status = drop(folder, delivery->mark, err);
    if (status == LF_OK)
        status = lf_dir_sync(&folder->inbox, err);
    return status == LF_OK ? drop(folder, delivery->part, err) : status;
}

/* ---- cleaning up ---- */

static void remove_oldest_settled(struct lf_folder *folder)
{
    struct lf_error err;
    if (drop(folder, folder->settled[0].mark, &err) != LF_OK)
        lf_log_warning(folder->host->instrument, "%s", err.text);
    folder->settled_count--;
    memmove(&folder->settled[0], &folder->settled[1], folder->settled_count * sizeof folder->settled[0]);
}

void folder__record_settle(struct lf_folder *folder, const struct lf_delivery *delivery)
{
    if (folder->settled_count == LF_SETTLED_MAX)
        remove_oldest_settled(folder);
    struct lf_settled *settled = &folder->settled[folder->settled_count++];
    settled->since = lf_clock_mono_ms();
    memcpy(settled->mark, delivery->mark, sizeof settled->mark);
}

static bool is_mark(const char *name)
{
    return lf_glob_match(".labferry-*.mark", name, false);
}

/* ".<name>.part-<number>", as folder__delivery_name makes it. */
static bool is_part(const char *name)
{
    const char *tail = strrchr(name, '-');
    return name[0] == '.' && tail && tail - name > 6 && !strncmp(tail - 5, ".part-", 6) && tail[1]
           && strspn(tail + 1, "0123456789") == strlen(tail + 1);
}

struct leftover {
    char name[256];
    int64_t age;
};

static int oldest_first(const void *a, const void *b)
{
    const struct leftover *left = a, *right = b;
    return (left->age < right->age) - (left->age > right->age);
}

/* Marks first, parts last: see folder__record_clear. */
static void sweep_kind(struct lf_folder *folder, bool (*wanted)(const char *), size_t keep)
{
    enum { LEFTOVERS_MAX = 4096 };
    struct lf_error err;
    struct lf_file_info info;
    struct lf_dir_list *list = NULL;
    const char *name;
    size_t count = 0;
    struct leftover *found = malloc(LEFTOVERS_MAX * sizeof *found);
    if (!found || lf_dir_list(&folder->inbox, &list, &err) != LF_OK)
        goto done;
    while (count < LEFTOVERS_MAX && (name = lf_dir_next(list, &info, &err))) {
        if (!wanted(name) || info.kind != LF_KIND_FILE)
            continue;
        snprintf(found[count].name, sizeof found[count].name, "%s", name);
        found[count++].age = lf_clock_wall_ms() - info.written_ns / 1000000;
    }
    qsort(found, count, sizeof *found, oldest_first);
    for (size_t i = 0; i < count && (count - i > keep || found[i].age > LEFTOVER_MS); i++)
        if (drop(folder, found[i].name, &err) != LF_OK)
            lf_log_warning(folder->host->instrument, "%s", err.text);
done:
    free(found);
    lf_dir_list_close(list);
}

void folder__record_sweep(struct lf_folder *folder)
{
    int64_t now = lf_clock_mono_ms();
    if (!lf_dir_is_open(&folder->inbox) || now < folder->next_sweep)
        return;
    while (folder->settled_count && now - folder->settled[0].since >= HOUR_MS)
        remove_oldest_settled(folder);
    if (now - folder->connected >= HOUR_MS) {
        struct lf_error err;
        sweep_kind(folder, is_mark, MARKS_MAX);
        if (lf_dir_sync(&folder->inbox, &err) == LF_OK)
            sweep_kind(folder, is_part, SIZE_MAX);
    }
    folder->next_sweep = now + HOUR_MS;
}

/* Delivery marks on disk. A mark is a small text file, named after agent, job and parcel, in our own folder
 * beside the inbox (own.h):
 *
 *     labferry delivery mark
 *     name plate-7.csv
 *     sha256 <of the bytes as delivered>
 *     parcel <sha256 of the parcel>
 *     boot <which run of the machine>
 *     about
 *     linking        (only where the file system cannot rename without replacing)
 *     renaming       (only where it has no links either)
 *     done
 *
 * It counts only with its line "about" (or "equal": nothing was published), and each line only with its line
 * end: a mark cut off by a power cut says no more than was durable. The newest 4096 marks stay, whatever the
 * clock says, since they show an older copy of the journal what was delivered. Unfinished files that crashes
 * left are removed after 30 days. Nothing is removed before this device was connected for an hour: by then
 * the host has asked `verify` about everything it began. */
#include "delivery_record.h"

#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "beneath.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARKS_MAX = 4096, MARK_BYTES_MAX = 2048 };
static const int64_t HOUR_MS = INT64_C(3600) * 1000;
static const int64_t PART_KEEP_MS = INT64_C(30) * 24 * 3600 * 1000;
static const char HEAD[] = "labferry delivery mark\n";

enum lf_status folder__delivery_name(const struct lf_folder *folder, struct lf_delivery *delivery,
                                     const struct lf_action *action, struct lf_error *err)
{
    delivery->job = action->job;
    delivery->parcel = action->parcel;
    int used = snprintf(delivery->part, sizeof delivery->part, ".%s.part-%" PRId64, action->parcel->name,
                        action->job);
    if (used < 0 || (size_t)used >= sizeof delivery->part)
        return lf_fail(err, LF_TOO_LARGE, LF_NEEDS_PERSON, "the file name \"%s\" is too long",
                       action->parcel->name);
    snprintf(delivery->mark, sizeof delivery->mark, "%.150s-%" PRId64 "-%.16s.mark", folder->host->agent,
             action->job, action->parcel->sha256);
    return LF_OK;
}

static enum lf_status write_durably(struct lf_folder *folder, const char *name, enum lf_file_mode mode,
                                    const char *text, struct lf_error *err)
{
    struct lf_file file;
    bool written = lf_dir_open_file(&folder->marks, name, mode, LF_PUBLIC, &file, err) == LF_OK
                   && lf_file_append(&file, text, strlen(text), err) == LF_OK
                   && lf_file_sync(&file, err) == LF_OK && lf_file_finish(&file, err) == LF_OK;
    lf_file_close(&file);
    if (written)
        return LF_OK;
    if (err->status == LF_NOT_FOUND) /* connecting again makes it */
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT,
                       "the folder for delivery marks (.labferry) of %s was removed", folder->options.inbox);
    return lf_error_prefix(err, "cannot write the delivery mark %s", name);
}

enum lf_status folder__record_write(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    const char *line, struct lf_error *err)
{
    char boot[LF_BOOT_TEXT] = "unknown", text[MARK_BYTES_MAX];
    lf_boot_name(boot);
    snprintf(text, sizeof text, "%sname %s\nsha256 %s\nparcel %s\nboot %s\n%s", HEAD, delivery->parcel->name,
             delivery->sha256, delivery->parcel->sha256, boot, line);
    enum lf_status status = write_durably(folder, delivery->mark, LF_FILE_CREATE, text, err);
    return status == LF_OK ? lf_dir_sync(&folder->marks, err) : status;
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

/* Copies a value that must fit; "" when the line is missing. */
static void copy_line(const char *text, const char *key, char *to, size_t size)
{
    size_t len = 0;
    const char *value = line_of(text, key, &len);
    snprintf(to, size, "%.*s", value && len < size ? (int)len : 0, value ? value : "");
}

static void parse(const char *text, struct lf_mark *mark)
{
    char boot[LF_BOOT_TEXT];
    size_t len;
    memset(mark, 0, sizeof *mark);
    mark->equal = line_of(text, "equal", &len);
    if (strncmp(text, HEAD, sizeof HEAD - 1) != 0 || (!mark->equal && !line_of(text, "about", &len)))
        return;
    const char *value = line_of(text, "sha256", &len);
    if (!value || len != LF_SHA256_HEX - 1)
        return;
    memcpy(mark->sha256, value, len);
    mark->about = true;
    value = line_of(text, "boot", &len);
    mark->same_boot = value && lf_boot_name(boot) && lf_slice_is(lf_slice(value, len), boot);
    mark->linking = line_of(text, "linking", &len) && !line_of(text, "renaming", &len);
    mark->done = line_of(text, "done", &len);
}

static enum lf_status read_mark(struct lf_folder *folder, const char *name, char text[MARK_BYTES_MAX + 1],
                                struct lf_file_info *info, struct lf_error *err)
{
    struct lf_file file;
    size_t used = 0;
    enum lf_status status = lf_dir_open_file(&folder->marks, name, LF_FILE_REGULAR, 0, &file, err);
    if (status == LF_OK)
        status = lf_file_read_at(&file, 0, text, MARK_BYTES_MAX, &used, err);
    if (status == LF_OK && info)
        status = lf_file_look(&file, info, err);
    lf_file_close(&file);
    text[used] = '\0';
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot read the delivery mark %s", name);
}

enum lf_status folder__record_read(struct lf_folder *folder, const struct lf_delivery *delivery,
                                   struct lf_mark *mark, struct lf_error *err)
{
    char text[MARK_BYTES_MAX + 1];
    enum lf_status status = read_mark(folder, delivery->mark, text, NULL, err);
    if (status == LF_OK)
        parse(text, mark);
    return status;
}

static enum lf_status drop(const struct lf_dir *dir, const char *name, struct lf_error *err)
{
    enum lf_status status = lf_dir_remove(dir, name, err);
    return status == LF_OK ? LF_OK : lf_error_prefix(err, "cannot remove %s", name);
}

enum lf_status folder__record_clear(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    struct lf_error *err)
{
    enum lf_status status = drop(&folder->marks, delivery->mark, err);
    if (status == LF_OK)
        status = lf_dir_sync(&folder->marks, err);
    return status == LF_OK ? drop(&folder->inbox, delivery->part, err) : status;
}

/* ---- all marks ---- */

/* "<agent>-<job>-<16 hex>.mark": where the agent's name ends, and the job. Below 0: not such a name. */
static int read_name(const char *name, int64_t *job)
{
    const char *dot = strrchr(name, '.'), *at = dot;
    int dashes = 0;
    if (!dot || strcmp(dot, ".mark") != 0)
        return -1;
    while (at > name && dashes < 2)
        dashes += *--at == '-';
    char *end;
    *job = strtoll(at + 1, &end, 10);
    return dashes == 2 && end > at + 1 && *end == '-' && dot - end == 17 ? (int)(at - name) : -1;
}

static bool is_mark(const char *name)
{
    int64_t job;
    return read_name(name, &job) >= 0;
}

/* Calls `each` with every mark whose file counts, and its text. */
static enum lf_status each_mark(struct lf_folder *folder,
                                void (*each)(void *context, const struct lf_witness *delivery,
                                             const struct lf_mark *mark),
                                void *context, struct lf_error *err)
{
    struct lf_dir_list *list;
    struct lf_file_info info;
    struct lf_mark mark;
    const char *name;
    char text[MARK_BYTES_MAX + 1], agent[LF_MARK_NAME], file[256], parcel[LF_SHA256_HEX];
    enum lf_status status = lf_dir_list(&folder->marks, &list, err);
    while (status == LF_OK && (name = lf_dir_next(list, NULL, err))) {
        struct lf_witness delivery = {.agent = agent, .name = file, .sha256 = parcel};
        int len = read_name(name, &delivery.job);
        if (len < 0)
            continue;
        status = read_mark(folder, name, text, &info, err);
        if (status == LF_NOT_FOUND || status == LF_INVALID) { /* just removed, or not one of ours */
            status = LF_OK;
            continue;
        }
        parse(text, &mark);
        if (status != LF_OK || !mark.about)
            continue;
        snprintf(agent, sizeof agent, "%.*s", len, name);
        copy_line(text, "name", file, sizeof file);
        copy_line(text, "parcel", parcel, sizeof parcel);
        delivery.at_ms = info.written_ns / 1000000;
        delivery.done = mark.done;
        each(context, &delivery, &mark);
    }
    status = status == LF_OK ? err->status : status;
    lf_dir_list_close(list);
    return status;
}

struct owner {
    const struct lf_delivery *delivery;
    const char *agent;
    int64_t newest_ms;
    char *text;
    size_t size;
};

static void ask_whose(void *context, const struct lf_witness *found, const struct lf_mark *mark)
{
    struct owner *owner = context;
    char when[LF_TIME_TEXT];
    if (mark->equal || found->at_ms < owner->newest_ms || strcmp(found->name, owner->delivery->parcel->name)
        || strcmp(mark->sha256, owner->delivery->sha256) != 0)
        return;
    owner->newest_ms = found->at_ms;
    lf_time_format(found->at_ms, when);
    bool ours = !strcmp(found->agent, owner->agent);
    snprintf(owner->text, owner->size, "put there by job %lld%s%s at %s", (long long)found->job,
             ours ? "" : " of the agent ", ours ? "" : found->agent, when);
}

void folder__record_whose(struct lf_folder *folder, const struct lf_delivery *delivery, char *text,
                          size_t size)
{
    struct lf_error ignored = {0};
    struct owner owner = {delivery, folder->host->agent, 0, text, size};
    snprintf(text, size, "not put there by an agent, as far as is known");
    each_mark(folder, ask_whose, &owner, &ignored);
}

struct listener {
    void (*each)(void *context, const struct lf_witness *delivery);
    void *context;
};

static void pass_on(void *context, const struct lf_witness *found, const struct lf_mark *mark)
{
    const struct listener *listener = context;
    if (!mark->equal)
        listener->each(listener->context, found);
}

enum lf_status folder__witnessed(void *device, void (*each)(void *context, const struct lf_witness *delivery),
                                 void *context, struct lf_error *err)
{
    struct lf_folder *folder = device;
    struct listener listener = {each, context};
    if (!lf_dir_is_open(&folder->marks))
        return LF_OK; /* it only collects */
    return each_mark(folder, pass_on, &listener, err);
}

/* ---- cleaning up ---- */

void folder__record_adopt(struct lf_folder *folder)
{
    struct lf_dir_list *list;
    struct lf_error err = {0};
    const char *name;
    struct lf_file_info info;
    char new_name[LF_MARK_NAME];
    enum lf_status status = lf_dir_list(&folder->inbox, &list, &err);
    while (status == LF_OK && (name = lf_dir_next(list, NULL, &err))) {
        if (!lf_glob_match(".labferry-*.mark", name, false))
            continue;
        snprintf(new_name, sizeof new_name, "%.150s-%.80s", folder->host->agent, name + strlen(".labferry-"));
        status = lf_dir_rename_new(&folder->inbox, name, &folder->marks, new_name, &err);
        if (status == LF_UNSUPPORTED && lf_dir_look(&folder->marks, new_name, &info, &err) == LF_NOT_FOUND)
            status = lf_dir_rename_replace(&folder->inbox, name, &folder->marks, new_name, &err);
        if (status != LF_OK)
            lf_log_warning(folder->host->instrument, "cannot move the delivery mark %s out of the inbox: %s",
                           name, err.text);
        status = LF_OK; /* one that stays makes its delivery "unknown" */
    }
    lf_dir_list_close(list);
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

static void sweep_kind(struct lf_folder *folder, const struct lf_dir *dir, bool (*wanted)(const char *),
                       size_t keep, int64_t keep_ms)
{
    enum { LEFTOVERS_MAX = 2 * MARKS_MAX };
    struct lf_error err;
    struct lf_file_info info;
    struct lf_dir_list *list = NULL;
    const char *name;
    size_t count = 0;
    struct leftover *found = malloc(LEFTOVERS_MAX * sizeof *found);
    if (!found || lf_dir_list(dir, &list, &err) != LF_OK)
        goto done;
    while (count < LEFTOVERS_MAX && (name = lf_dir_next(list, &info, &err))) {
        if (!wanted(name) || info.kind != LF_KIND_FILE)
            continue;
        snprintf(found[count].name, sizeof found[count].name, "%s", name);
        found[count++].age = lf_clock_wall_ms() - info.written_ns / 1000000;
    }
    qsort(found, count, sizeof *found, oldest_first);
    for (size_t i = 0; i < count && (count - i > keep || found[i].age > keep_ms); i++)
        if (drop(dir, found[i].name, &err) != LF_OK)
            lf_log_warning(folder->host->instrument, "%s", err.text);
done:
    free(found);
    lf_dir_list_close(list);
}

/* Marks first, parts last: see folder__record_clear. */
void folder__record_sweep(struct lf_folder *folder)
{
    int64_t now = lf_clock_mono_ms();
    struct lf_error err;
    if (!lf_dir_is_open(&folder->marks) || now < folder->next_sweep)
        return;
    sweep_kind(folder, &folder->marks, is_mark, MARKS_MAX, INT64_MAX);
    if (lf_dir_sync(&folder->marks, &err) == LF_OK)
        sweep_kind(folder, &folder->inbox, is_part, SIZE_MAX, PART_KEEP_MS);
    folder->next_sweep = now + HOUR_MS;
}

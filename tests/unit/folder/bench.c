#include "bench.h"

#include "base/digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum lf_status on_found(void *self, const struct lf_finding *finding, struct lf_error *err)
{
    struct bench *bench = self;
    if (bench->refuse_findings)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "the journal is full");
    if (bench->found_count == BENCH_FOUND_MAX)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "reported too often");
    struct bench_finding *f = &bench->found[bench->found_count++];
    snprintf(f->id, sizeof f->id, "%s", finding->id);
    snprintf(f->version, sizeof f->version, "%s", finding->version);
    snprintf(f->name, sizeof f->name, "%s", finding->name);
    snprintf(f->original, sizeof f->original, "%s", finding->original ? finding->original : "");
    f->written_ms = finding->written_ms;
    f->has_sidecar = finding->sidecar != NULL;
    snprintf(f->sidecar, sizeof f->sidecar, "%s", finding->sidecar ? finding->sidecar : "");
    return LF_OK;
}

static enum lf_status on_identity(void *self, const char *identity, struct lf_error *err)
{
    struct bench *bench = self;
    snprintf(bench->identity, sizeof bench->identity, "%s", identity);
    if (!strcmp(identity, "wrong"))
        return lf_fail(err, LF_MISMATCH, LF_NEEDS_PERSON, "another instrument is connected");
    return LF_OK;
}

static void on_progress(void *self, const char *text)
{
    (void)self;
    (void)text;
}

static void on_concern(void *self, const char *about, bool stands, const char *text, const char *todo)
{
    struct bench *bench = self;
    size_t i = 0;
    while (i < BENCH_CONCERNS_MAX - 1 && *bench->concerns[i].about
           && strcmp(bench->concerns[i].about, about) != 0)
        i++;
    CHECK(text ? *text && todo && *todo : stands);
    snprintf(bench->concerns[i].about, sizeof bench->concerns[i].about, "%s", about);
    snprintf(bench->concerns[i].text, sizeof bench->concerns[i].text, "%s", text ? text : "");
    snprintf(bench->concerns[i].todo, sizeof bench->concerns[i].todo, "%s", text ? todo : "");
    bench->concerns[i].stands = stands;
    bench->concerns[i].times = text ? bench->concerns[i].times + 1 : 0;
}

static void on_way(void *self, const char *text)
{
    struct bench *bench = self;
    snprintf(bench->way, sizeof bench->way, "%s", text);
}

const char *bench_concern(const struct bench *bench, const char *about)
{
    for (size_t i = 0; i < BENCH_CONCERNS_MAX; i++)
        if (!strcmp(bench->concerns[i].about, about))
            return bench->concerns[i].text;
    return "";
}

static void make_folder(char *path, const char *name)
{
    snprintf(path, BENCH_PATH, "%s/%s", unit_folder(), name);
    mkdir(path, 0755);
}

static void set_all(struct bench *bench, const char *const *settings)
{
    struct lf_error err = {0};
    bool inbox = true, outbox = true;
    bench->values = lf_values_new(lf_driver_folder.settings, "instrument \"reader\"");
    NEED(bench->values != NULL);
    for (; settings && *settings; settings += 2) {
        inbox = inbox && strcmp(settings[0], "inbox") != 0;
        outbox = outbox && strcmp(settings[0], "outbox") != 0;
        if (*settings[1] && lf_values_set(bench->values, settings[0], settings[1], NULL, &err) != LF_OK)
            CU_FAIL(settings[0]);
    }
    if (inbox)
        CHECK_INT(lf_values_set(bench->values, "inbox", bench->inbox, NULL, &err), LF_OK);
    if (outbox)
        CHECK_INT(lf_values_set(bench->values, "outbox", bench->outbox, NULL, &err), LF_OK);
    NEED(lf_values_finish(bench->values, &err) == LF_OK);
}

void bench_open(struct bench *bench, const char *const *settings)
{
    struct lf_error err = {0};
    memset(bench, 0, sizeof *bench);
    make_folder(bench->inbox, "inbox");
    make_folder(bench->outbox, "outbox");
    make_folder(bench->spool, "spool");
    snprintf(bench->marks, sizeof bench->marks, "%s/.labferry/inbox", unit_folder());
    set_all(bench, settings);
    NEED(lf_cancel_open(&bench->cancel, &err) == LF_OK);
    NEED(lf_wake_open(&bench->wake, &err) == LF_OK);
    bench->host = (struct lf_host){.self = bench,
                                   .instrument = "reader",
                                   .agent = "bench-3",
                                   .cancel = &bench->cancel,
                                   .wake = &bench->wake,
                                   .found = on_found,
                                   .identity = on_identity,
                                   .progress = on_progress,
                                   .way = on_way,
                                   .concern = on_concern};
    NEED(lf_driver_folder.open(bench->values, &bench->host, &bench->device, &err) == LF_OK);
}

void bench_connect(struct bench *bench, const char *const *settings)
{
    struct lf_error err = {0};
    bench_open(bench, settings);
    if (lf_driver_folder.connect(bench->device, &err) != LF_OK)
        fprintf(stderr, "connect: %s\n", err.text);
    NEED(err.status == LF_OK);
}

void bench_close(struct bench *bench)
{
    lf_driver_folder.disconnect(bench->device);
    lf_driver_folder.close(bench->device);
    lf_values_free(bench->values);
    lf_cancel_close(&bench->cancel);
    lf_wake_close(&bench->wake);
}

const struct lf_action *bench_parcel(struct bench *bench, int64_t job, const char *name, const char *text)
{
    static struct lf_action action;
    static struct lf_parcel parcel;
    static char path[BENCH_PATH + 32], sha256[LF_SHA256_HEX], name_copy[256];
    snprintf(path, sizeof path, "%s/parcel", bench->spool);
    unlink(path); // truncating a file makes some file systems write to the disk at once
    bench_write(bench->spool, "parcel", text);
    snprintf(name_copy, sizeof name_copy, "%s", name);
    lf_digest_bytes(LF_SHA256, text, strlen(text), sha256);
    parcel = (struct lf_parcel){.name = name_copy,
                                .path = path,
                                .size = (int64_t)strlen(text),
                                .sha256 = sha256};
    action = (struct lf_action){.kind = LF_ACTION_DELIVER, .job = job, .parcel = &parcel};
    return &action;
}

enum lf_status bench_listen(struct bench *bench, int64_t ms, struct lf_error *err)
{
    return lf_driver_folder.listen(bench->device, lf_deadline_in(ms), err);
}

void bench_listen_for(struct bench *bench, size_t count)
{
    struct lf_error err = {0};
    int64_t end = lf_deadline_in(UNIT_SOON_MS);
    while (bench->found_count < count && !lf_deadline_passed(end))
        if (bench_listen(bench, 50, &err) != LF_OK)
            break;
    CHECK_STR(err.text, "");
    CHECK_INT(bench->found_count, count);
}

void bench_after(struct bench *bench, int64_t ms, size_t count)
{
    struct lf_error err = {0};
    UNIT_TIME_PASSES(ms);
    CHECK_INT(bench_listen(bench, 0, &err), LF_OK);
    CHECK_INT(bench->found_count, count);
}

const struct bench_finding *bench_found(const struct bench *bench, const char *id)
{
    for (size_t i = bench->found_count; i-- > 0;)
        if (!strcmp(bench->found[i].id, id))
            return &bench->found[i];
    return NULL;
}

const char *bench_in_outbox(const struct bench *bench, const char *name)
{
    static char path[BENCH_PATH + 300];
    snprintf(path, sizeof path, "%s/%s", bench->outbox, name);
    return path;
}

int bench_spool_file(const struct bench *bench)
{
    char path[BENCH_PATH + 32];
    snprintf(path, sizeof path, "%s/taken", bench->spool);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(fd >= 0);
    return fd;
}

void bench_write(const char *folder, const char *name, const char *text)
{
    char path[2 * BENCH_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

bool bench_exists(const char *folder, const char *name)
{
    char path[2 * BENCH_PATH];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return lstat(path, &st) == 0;
}

const char *bench_text(const char *folder, const char *name)
{
    static char text[64 * 1024];
    char path[2 * BENCH_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    return text;
}

int bench_count(const char *folder, const char *part)
{
    int count = 0;
    DIR *dir = opendir(folder);
    NEED(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && strstr(entry->d_name, part);
    closedir(dir);
    return count;
}

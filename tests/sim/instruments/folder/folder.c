/* labferry-sim-folder: see options.c for what it does and sim.h for how it behaves.
 *
 * States: idle -> running (the plate is pipetted and read) -> writing (the result, in pieces unless atomic)
 * -> idle. */
#include "sim.h"

#include "base/digest.h"
#include "base/file.h"
#include "os/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WORKLIST_MAX = 16 * 1024 * 1024, BROKEN_KEPT = 64 };

struct sim {
    struct options options;
    struct state state;
    struct worklist worklist; /* of the current run; name NULL when idle */
    cJSON *entry;             /* its entry in the state; borrowed */
    char run[80];
    struct lf_buffer result;
    char *result_path; /* NULL until writing */
    size_t written;
    int64_t piece;                      /* next one to write */
    int64_t due;                        /* mono ms of the next step */
    int64_t runs;                       /* in this life */
    char broken[BROKEN_KEPT][65 + 256]; /* kept broken worklists: not complained about again */
    size_t broken_count;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

__attribute__((format(printf, 2, 3))) static void say(const struct sim *sim, const char *format, ...)
{
    char now[LF_TIME_TEXT];
    va_list args;
    if (sim->options.quiet)
        return;
    lf_time_format_local(lf_clock_wall_ms(), now);
    printf("%s ", now + strlen("2026-11-22 "));
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static char *path_of(const char *folder, const char *name)
{
    char *path = lf_format("%s/%s", folder, name);
    if (!path)
        die("out of memory");
    return path;
}

static void write_file(const char *path, const void *data, size_t len, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        die("cannot write %s: %s", path, strerror(errno));
    close(fd);
}

/* ---- taking a worklist ---- */

static void dispose(const struct sim *sim, const char *name, const char *sub)
{
    char *path = path_of(sim->options.inbox, name);
    if (sim->options.take == TAKE_DELETE) {
        unlink(path);
    } else if (sim->options.take == TAKE_MOVE) {
        char *folder = path_of(sim->options.inbox, sub);
        char *target = lf_format("%s/%lld-%s", folder, (long long)sim->state.seen, name);
        mkdir(folder, 0755);
        if (!target || rename(path, target) != 0)
            die("cannot move %s: %s", path, strerror(errno));
        free(target);
        free(folder);
    }
    free(path);
}

/* A broken one that is kept must be refused once only. */
static bool known_broken(struct sim *sim, const char *name, const char *sha256)
{
    char key[65 + 256];
    snprintf(key, sizeof key, "%s %s", sha256, name);
    for (size_t i = 0; i < sim->broken_count; i++)
        if (!strcmp(sim->broken[i], key))
            return true;
    if (sim->broken_count < BROKEN_KEPT)
        snprintf(sim->broken[sim->broken_count++], sizeof key, "%s", key);
    return false;
}

static void start_run(struct sim *sim)
{
    snprintf(sim->run, sizeof sim->run, "%.40s%04lld", sim->options.prefix,
             (long long)sim->state.started + 1);
    sim->entry = state_add_run(&sim->state, sim->run, &sim->worklist);
    sim->due = lf_deadline_in(sim->options.run_ms);
    dispose(sim, sim->worklist.name, "processed");
    state_save(&sim->state, &sim->options);
    say(sim, "%s starts: %s, %lld rows, sha256 %.12s...", sim->run, sim->worklist.name,
        (long long)sim->worklist.rows, sim->worklist.sha256);
}

static void consider(struct sim *sim, const char *name)
{
    struct lf_error err;
    struct worklist *worklist = &sim->worklist;
    char *path = path_of(sim->options.inbox, name);
    bool got = lf_file_read(path, WORKLIST_MAX, &worklist->text, &err) == LF_OK;
    free(path);
    if (!got)
        goto drop;
    if (lf_digest_bytes(LF_SHA256, worklist->text.data, worklist->text.len, worklist->sha256) != LF_OK
        || !(worklist->name = strdup(name)))
        die("out of memory");
    if (sim->options.take == TAKE_KEEP && state_knows(&sim->state, name, worklist->sha256))
        goto drop;
    const char *wrong = worklist_check(worklist);
    if (wrong && sim->options.take == TAKE_KEEP && known_broken(sim, name, worklist->sha256))
        goto drop;
    sim->state.seen++;
    if (!wrong) {
        start_run(sim);
        return;
    }
    sim->state.broken++;
    dispose(sim, name, "refused");
    state_save(&sim->state, &sim->options);
    say(sim, "%s is refused: %s", name, wrong);
drop:
    worklist_free(worklist);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void look(struct sim *sim)
{
    enum { NAMES_MAX = 4096 };
    static char *names[NAMES_MAX];
    size_t count = 0;
    DIR *dir = opendir(sim->options.inbox);
    for (const struct dirent *entry; dir && count < NAMES_MAX && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && entry->d_type != DT_DIR
            && lf_glob_match(sim->options.match, entry->d_name, true)
            && !(names[count++] = strdup(entry->d_name)))
            die("out of memory");
    if (dir)
        closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        if (!sim->worklist.name)
            consider(sim, names[i]);
        free(names[i]);
    }
}

/* ---- writing a result ---- */

/* What a sidecar says. Returns owned. */
static char *about_run(const struct sim *sim)
{
    cJSON *json = cJSON_CreateObject();
    bool good = json && lf_json_set_text(json, "run", sim->run)
                && lf_json_set_text(json, "worklist", sim->worklist.name)
                && lf_json_set_text(json, "worklistSha256", sim->worklist.sha256);
    char *text = good ? lf_json_print(json) : NULL;
    cJSON_Delete(json);
    if (!text)
        die("out of memory");
    return text;
}

static void write_companion(const struct sim *sim, const char *template, bool with_text)
{
    if (!template)
        return;
    char *name = result_name(template, strrchr(sim->result_path, '/') + 1, sim->run);
    char *path = path_of(sim->options.outbox, name), *text = with_text ? about_run(sim) : NULL;
    write_file(path, text ? text : "", text ? strlen(text) : 0, O_TRUNC);
    cJSON_free(text);
    free(name);
    free(path);
}

static void end_run(struct sim *sim, const char *how)
{
    char now[LF_TIME_TEXT];
    lf_time_format(lf_clock_wall_ms(), now);
    sim->state.finished++;
    lf_json_set_text(sim->entry, "state", how);
    lf_json_set_text(sim->entry, "finished", now);
    state_save(&sim->state, &sim->options);
    worklist_free(&sim->worklist);
    lf_buffer_free(&sim->result);
    free(sim->result_path);
    sim->result_path = NULL;
    sim->runs++;
}

static void begin_writing(struct sim *sim)
{
    int64_t n = sim->state.started;
    const struct options *o = &sim->options;
    if (o->lose_every && n % o->lose_every == 0) {
        say(sim, "%s ends without a result", sim->run);
        end_run(sim, "no result");
        return;
    }
    result_make(o, &sim->worklist, sim->run, o->bad_every && n % o->bad_every == 0, &sim->result);
    char *name = result_name(o->result_name, sim->worklist.name, sim->run);
    sim->result_path = path_of(o->outbox, name);
    sim->piece = 0;
    sim->written = 0;
    write_companion(sim, o->sidecar, true);
    if (o->atomic) {
        char *hidden = lf_format("%s/.%s.writing", o->outbox, name);
        if (!hidden)
            die("out of memory");
        write_file(hidden, sim->result.data, sim->result.len, O_TRUNC);
        if (rename(hidden, sim->result_path) != 0)
            die("cannot rename %s: %s", hidden, strerror(errno));
        sim->written = sim->result.len;
        free(hidden);
    }
    free(name);
}

static void write_piece(struct sim *sim)
{
    const struct options *o = &sim->options;
    if (sim->written < sim->result.len) {
        sim->piece++;
        size_t end = sim->piece >= o->parts
                         ? sim->result.len
                         : (size_t)((uint64_t)sim->result.len * (uint64_t)sim->piece / (uint64_t)o->parts);
        write_file(sim->result_path, sim->result.data + sim->written, end - sim->written,
                   sim->piece == 1 ? O_TRUNC : O_APPEND);
        sim->written = end;
        sim->due = lf_deadline_in(o->parts > 1 ? o->write_ms / (o->parts - 1) : 0);
    }
    if (sim->written < sim->result.len)
        return;
    char sha256[65];
    if (lf_digest_bytes(LF_SHA256, sim->result.data, sim->result.len, sha256) != LF_OK)
        die("out of memory");
    write_companion(sim, o->done_marker, false);
    sim->state.results++;
    lf_json_set_text(sim->entry, "result", strrchr(sim->result_path, '/') + 1);
    lf_json_set_text(sim->entry, "result_sha256", sha256);
    say(sim, "%s is finished: %s, %lld rows, sha256 %.12s...", sim->run, strrchr(sim->result_path, '/') + 1,
        (long long)sim->worklist.rows, sha256);
    end_run(sim, "finished");
}

static void step(struct sim *sim)
{
    if (!sim->worklist.name) {
        look(sim);
    } else if (lf_deadline_passed(sim->due)) {
        if (!sim->result_path)
            begin_writing(sim);
        if (sim->result_path)
            write_piece(sim);
    }
}

int main(int argc, char **argv)
{
    static struct sim sim;
    struct sigaction action = {.sa_handler = on_signal};
    struct lf_error err;
    options_read(&sim.options, argc, argv);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (lf_dir_make(sim.options.inbox, 0755, &err) != LF_OK
        || lf_dir_make(sim.options.outbox, 0755, &err) != LF_OK)
        die("%s", err.text);
    state_load(&sim.state, sim.options.state);
    state_save(&sim.state, &sim.options);
    printf("ready %s\n", sim.options.inbox);
    fflush(stdout);
    while (!stopping && !(sim.options.runs && sim.runs >= sim.options.runs)) {
        step(&sim);
        struct timespec pause = {(time_t)(sim.options.look_ms / 1000),
                                 (long)(sim.options.look_ms % 1000) * 1000000};
        nanosleep(&pause, NULL);
    }
    state_save(&sim.state, &sim.options);
    worklist_free(&sim.worklist);
    lf_buffer_free(&sim.result);
    free(sim.result_path);
    cJSON_Delete(sim.state.runs);
    return 0;
}

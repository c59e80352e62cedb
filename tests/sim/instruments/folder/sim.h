/* A simulated liquid handler with plate reader that lives behind two folders. One thread.
 *
 * It takes a worklist as soon as it sees one (as real ones do: no waiting until it is whole), runs it for a
 * while, and writes a result. Out of memory ends the program with a message: nothing in a simulator is worth
 * saving. */
#ifndef SIM_FOLDER_SIM_H
#define SIM_FOLDER_SIM_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"

enum take { TAKE_MOVE, TAKE_DELETE, TAKE_KEEP };

struct options {
    const char *inbox, *outbox, *match, *state;
    const char *result_name, *sidecar, *done_marker, *end_marker, *prefix;
    enum take take;
    bool atomic, crlf, quiet;
    int64_t run_ms, write_ms, look_ms, parts, bad_every, lose_every, runs;
};

/* Reads the arguments; prints help or a mistake and ends the program where that is all there is to do. */
void options_read(struct options *options, int argc, char **argv);

/* One worklist, as it was when it was taken. */
struct worklist {
    char *name;
    char sha256[65];
    struct lf_buffer text;
    int64_t rows; /* without header */
};

/* NULL when it is good, else what is wrong with it. Counts the rows. */
const char *worklist_check(struct worklist *worklist);
void worklist_free(struct worklist *worklist);

/* The result of a run: header "Well,Sample,Absorbance,Run,Worklist", a row for each row of the worklist. The
 * absorbance depends on sample and well only, so that it can be foretold. `bad`: the middle row has no
 * number. */
void result_make(const struct options *options, const struct worklist *worklist, const char *run, bool bad,
                 struct lf_buffer *out);
/* Fills {stem}, {name}, {run} and {date} in. Returns owned. */
char *result_name(const char *template, const char *worklist, const char *run);

/* What the instrument has done since its state file was made; counts go on over restarts. */
struct state {
    const char *path; /* NULL: kept in memory only */
    int64_t seen, started, finished, broken, results, repeated, aborted;
    cJSON *runs; /* the last 1000, oldest first */
};

void state_load(struct state *state, const char *path);
void state_save(const struct state *state, const struct options *options);
cJSON *state_add_run(struct state *state, const char *run, const struct worklist *worklist); /* borrowed */
/* Has a worklist of this name and content been run? */
bool state_knows(const struct state *state, const char *name, const char *sha256);

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif

// What the folder driver's tests share: an inbox, an outbox and a spool in the test's private folder, and a
// host that remembers what was reported to it.
#ifndef BENCH_H
#define BENCH_H

#include "drivers/driver.h"
#include "unit.h"

#include <sys/stat.h>

extern const struct lf_driver lf_driver_folder;

enum { BENCH_FOUND_MAX = 64, BENCH_CONCERNS_MAX = 32, BENCH_PATH = 4600 };

struct bench_finding {
    char id[1024], version[128], name[256], original[512], sidecar[256];
    int64_t written_ms;
    bool has_sidecar;
};

struct bench {
    char inbox[BENCH_PATH], outbox[BENCH_PATH], spool[BENCH_PATH];
    char marks[BENCH_PATH]; // the agent's own folder for the inbox
    struct lf_values *values;
    struct lf_host host;
    struct lf_cancel cancel;
    struct lf_wake wake;
    void *device;
    struct bench_finding found[BENCH_FOUND_MAX];
    size_t found_count;
    struct {
        char about[300], text[300], todo[300];
        bool stands;
        int times; // 0: it is over
    } concerns[BENCH_CONCERNS_MAX];
    char identity[256], way[200];
    bool refuse_findings; // the host's journal is in trouble
};

// Makes the folders once, and an open device with `settings`: pairs of name and value, ended by NULL. Inbox
// and outbox are set unless "inbox" or "outbox" is given with an empty value.
void bench_open(struct bench *bench, const char *const *settings);
// Also connects; the test ends when that fails.
void bench_connect(struct bench *bench, const char *const *settings);
void bench_close(struct bench *bench);

// A spooled file of this text, and the action that delivers it. Both stay valid until the next call.
const struct lf_action *bench_parcel(struct bench *bench, int64_t job, const char *name, const char *text);

// Listens for ms.
enum lf_status bench_listen(struct bench *bench, int64_t ms, struct lf_error *err);
// Listens until so many findings were reported.
void bench_listen_for(struct bench *bench, size_t count);
// Lets time pass and looks at the outbox when it is due; `count` findings must have been reported by then.
void bench_after(struct bench *bench, int64_t ms, size_t count);
const struct bench_finding *bench_found(const struct bench *bench,
                                        const char *id); // the last one; NULL if none

// The text of the concern about it now; "" if there is none.
const char *bench_concern(const struct bench *bench, const char *about);

// Path of a name in the outbox. Valid until the next call.
const char *bench_in_outbox(const struct bench *bench, const char *name);
// The file "taken" in the spool, empty, for `take`; the caller closes it.
int bench_spool_file(const struct bench *bench);
void bench_write(const char *folder, const char *name, const char *text);
bool bench_exists(const char *folder, const char *name);
// Whole text of a file; "" when it is not there. Valid until the next call.
const char *bench_text(const char *folder, const char *name);
// How many entries of the folder have this in their name ("" counts all).
int bench_count(const char *folder, const char *part);

#endif

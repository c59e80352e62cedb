/* What happened on a simulated instrument's line: the last entries, for people and for tests. One thread. */
#ifndef SIM_INSTRUMENTS_RECORD_H
#define SIM_INSTRUMENTS_RECORD_H

#include "base/json.h"

#include <stdint.h>

enum { RECORD_ENTRIES = 400, RECORD_TEXT = 240 };

struct record_entry {
    int64_t wall_ms;
    const char *from; /* "host", "device", "event"; static */
    char text[RECORD_TEXT];
};

struct record {
    struct record_entry entries[RECORD_ENTRIES];
    size_t count, next;
    bool loud; /* also to standard error */
};

/* Notes bytes with control characters escaped; long ones are cut. `from` must be static. */
void record_add(struct record *record, const char *from, const void *data, size_t len);
/* Oldest first. Returns owned; NULL when out of memory. */
cJSON *record_json(const struct record *record);

#endif

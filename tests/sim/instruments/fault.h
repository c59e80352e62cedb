/* Faults on demand: what goes wrong, for which command, and how often.
 *
 *   cut=7 times=1 on=S        the next reply to S ends after 7 bytes
 *   delay=3000                every reply comes 3 s late, until cleared
 *   unplug=5 after=2          two replies go well, then the cable is pulled after 5 bytes of each
 *
 * One thread. */
#ifndef SIM_INSTRUMENTS_FAULT_H
#define SIM_INSTRUMENTS_FAULT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { FAULTS_MAX = 32, FAULT_ALWAYS = -1 };

struct fault_kind {
    const char *name, *help;
    long fallback; /* the value when none is given */
};

struct fault {
    const struct fault_kind *kind;
    long value;
    int times, after; /* how often still (FAULT_ALWAYS: until cleared), and how many are let pass before */
    char on[32];      /* only for this command; empty for all */
};

struct faults {
    const struct fault_kind
        *own; /* what this instrument adds to the common ones; ends with a row without name */
    struct fault list[FAULTS_MAX];
    size_t count;
};

extern const struct fault_kind fault_common[];

enum lf_status fault_add(struct faults *faults, const char *text, struct lf_error *err);
void fault_clear(struct faults *faults);
/* Is this fault due for this command (NULL: fits only faults for all)? Uses one of its times up. *value may
 * be NULL. */
bool fault_strikes(struct faults *faults, const char *name, const char *command, long *value);
/* Looks without using it up. */
const struct fault *fault_find(const struct faults *faults, const char *name);

#endif

// Every test again while memory runs out: curl's torture mode. A test is run once to count the allocations of
// the product in it, then again for the chosen ones of them: the Nth fails, and the Nth and all that follow
// fail. Each run has a process of its own. A run is good if that process neither crashes nor hangs nor leaks;
// failed checks are expected.
#ifndef TORTURE_H
#define TORTURE_H

#include "unit.h"

struct torture {
    void (*run)(
        const struct unit_test *test); // runs it in this process, with the limit of time; ignores its checks
    const struct unit_test *tests;
    size_t count;
    const char *words; // only tests that promise them; NULL: all
    const char *program;
};

// Which allocations fail: the 1st, 16th, 256th ... of each test that is not slow, and of a large test only
// one of these; some fifty of each thousand of every test; or each one.
enum torture_points { TORTURE_SOME, TORTURE_MANY, TORTURE_ALL };

// Prints as ordinary runs do. Returns an exit status.
int torture(const struct torture *torture, enum torture_points points);

// One such run in this process: `N` or `N+`.
int torture_once(const struct torture *torture, const char *which);

// A NEED that does not hold: ends a run while what the test holds is still on its stack, and so is not a
// leak. Returns if no allocation is failing.
void torture_need(void);

// A check that does not hold.
void torture_failed(void);

#endif

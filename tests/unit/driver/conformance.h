/* What every driver promises by driver.h, tested with an instrument that its fixture plays.
 *
 * A driver takes part with one file, fixture_NAME.c, that defines `fixture`; CMakeLists.txt makes the program
 * test_driver_NAME of it and of conformance.c. */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "drivers/driver.h"
#include "unit.h"

/* One instrument at a time. Members may be NULL where the driver cannot do what they are for. */
struct fixture {
    const struct lf_driver *driver;

    /* Makes an instrument in the test's private folder, switched on. Returns its settings: pairs of name and
     * value, ended by NULL, valid until end. `patient`: a wait for the instrument lasts a minute at least;
     * otherwise some 100 ms at most. */
    const char *const *(*begin)(bool patient);
    void (*end)(void);
    const char *const *refused; /* settings that fit the rows but that `check` refuses */

    void (*power)(bool on);     /* off: connect fails */
    void (*silent)(bool quiet); /* quiet: it is there but does not answer, or is not ready */

    /* The strictest action that the driver has, for this job. Valid until the next call. */
    const struct lf_action *(*action)(int64_t job);
    int (*done)(int64_t job); /* how often the instrument has done it */
    bool silent_act;          /* the action waits while the instrument is silent */
    bool silent_connect;      /* so does connect */
    void (*blind)(bool on);   /* on: what verify looks at cannot be read */

    void (*produce)(const char *text); /* the instrument makes a result that has this text in it */
};

extern const struct fixture fixture;

#endif

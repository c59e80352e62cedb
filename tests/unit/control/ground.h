// What the tests of control stand on: an agent with a journal, a spool and one instrument (a balance that is
// not connected), without cloud and broker, in the test's private folder.
#ifndef GROUND_H
#define GROUND_H

#include "config/config.h"
#include "control/control.h"
#include "job/job.h"
#include "unit.h"

struct ground {
    struct lf_config config;
    struct lf_config_instrument instrument_config;
    struct lf_values *values;
    struct lf_context context;
    struct lf_instrument *instrument;
    char socket[200], state[200], spool[200];
};

// The profile of the instrument, below etc/profiles.
extern const char *ground_profile;
// The instrument's driver, with the defaults of its settings; NULL: "line", with that profile.
extern const struct lf_driver *ground_driver;

// Opens everything; the test ends if it cannot. Opening again on the same folder is a restart.
void ground_open(struct ground *ground);
void ground_close(struct ground *ground);

// How many jobs there are.
int ground_jobs(struct ground *ground);

#endif

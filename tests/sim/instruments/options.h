/* The command line of a simulator: every row of stage.h is an option. */
#ifndef SIM_INSTRUMENTS_OPTIONS_H
#define SIM_INSTRUMENTS_OPTIONS_H

#include "stage.h"

/* The rows that every instrument has, as options and as commands of the control socket. */
extern const struct stage_row stage_common[];

/* Calls `take` for each option given, with "" as value for those that take none. Stops at the first that
 * fails. */
enum lf_status options_take(int argc, char **argv, const struct stage_instrument *instrument,
                            enum lf_status (*take)(void *context, const char *name, const char *value,
                                                   struct lf_error *err),
                            void *context, struct lf_error *err);
void options_help(const struct stage_instrument *instrument);

#endif

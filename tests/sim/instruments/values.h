/* Values of a simulator's settings, from text. A wrong one is refused with what would be right. */
#ifndef SIM_INSTRUMENTS_VALUES_H
#define SIM_INSTRUMENTS_VALUES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum lf_status value_number(const char *name, const char *text, double least, double most, double *number,
                            struct lf_error *err);
enum lf_status value_whole(const char *name, const char *text, int64_t least, int64_t most, int64_t *number,
                           struct lf_error *err);
enum lf_status value_ms(const char *name, const char *text, int64_t *ms, struct lf_error *err);
/* One of two words; *choice is true for the second. */
enum lf_status value_choice(const char *name, const char *text, const char *no, const char *yes, bool *choice,
                            struct lf_error *err);

#endif

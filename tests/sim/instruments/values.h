/* Values of a simulator's settings, from text. A wrong one is refused with what would be right. */
#ifndef SIM_INSTRUMENTS_VALUES_H
#define SIM_INSTRUMENTS_VALUES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_OWN,     /* kept by the instrument itself: stage_instrument.set is called */
    VALUE_NUMBER,  /* double, from least to most */
    VALUE_WHOLE,   /* int64_t, from least to most */
    VALUE_WHOLE32, /* the same in int or uint32_t */
    VALUE_MS,      /* int64_t */
    VALUE_CHOICE,  /* bool; the setting's words are "no|yes" */
    VALUE_TEXT,    /* char [most]; what is too long is cut */
};

/* What a setting may be, and where in the instrument it is kept (offsetof). */
struct value {
    enum value_kind kind;
    size_t at;
    double least, most;
};

/* `words` is what stands after the setting's name in the help. */
enum lf_status value_set(const struct value *value, const char *name, const char *words, void *self,
                         const char *text, struct lf_error *err);

enum lf_status value_number(const char *name, const char *text, double least, double most, double *number,
                            struct lf_error *err);
enum lf_status value_ms(const char *name, const char *text, int64_t *ms, struct lf_error *err);

#endif

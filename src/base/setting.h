/* Settings: every option of the agent and of every driver is a row of a table. Parsing, checks, defaults,
 * help and the commented example come from the rows, and each row says which member of a struct its value
 * goes to:
 *
 *     struct balance_options {
 *         const char *port;
 *         int64_t timeout_ms;
 *     };
 *     static const struct lf_setting settings[] = {
 *         {.name = "port", LF_INTO(LF_TEXT, struct balance_options, port), .fallback = LF_REQUIRED,
 *          .help = "Port that the balance is plugged into."},
 *         {.name = "timeout", LF_INTO(LF_DURATION, struct balance_options, timeout_ms), .fallback = "2s",
 *          .help = "How long to wait for an answer."},
 *         {0},
 *     };
 *     ...
 *     struct balance_options options;
 *     lf_values_fill(values, &options);
 *
 * So an option is written in two places, its row and its member. A member of the wrong type does not compile.
 */
#ifndef LF_BASE_SETTING_H
#define LF_BASE_SETTING_H

#include "base/buffer.h"

#include <stddef.h>
#include <stdint.h>

/* With each type: the type of the struct member that its value goes to. */
enum lf_setting_type {
    LF_TEXT,        /* const char *; NULL when unset */
    LF_PATH,        /* const char *: a file or folder. In a configuration file a relative path starts at the
                       folder of that file; a name that is looked up elsewhere is LF_TEXT */
    LF_FILE,        /* const char *: like LF_PATH; the file must exist and be readable */
    LF_SECRET_FILE, /* const char *: like LF_FILE; the file must not be readable by others */
    LF_INT,         /* int or unsigned: a whole number within [min, max] */
    LF_BOOL,        /* bool: true | false */
    LF_DURATION,    /* int64_t, ms: "250ms", "30s", "5m", "2h", "7d", or plain "0" */
    LF_SIZE,        /* int64_t, bytes: "512", "64KB", "2GB" (powers of 1000), "64KiB" (powers of 1024) */
    LF_CHOICE,      /* an enum or int: the value of one of `choices` */
    LF_LIST,        /* struct lf_texts */
    LF_NESTED,      /* none: a group or list with settings of its own, which its owner reads */
    LF_REMOVED,     /* none: a former setting. Giving it is an error; help says why it is no longer needed */
};

struct lf_texts {
    const char *const *items;
    size_t count;
};

bool lf_texts_have(const struct lf_texts *texts, const char *text);

struct lf_choice {
    const char *name; /* NULL ends a list of choices */
    int value;
};

struct lf_setting {
    const char *name; /* NULL ends a table */
    enum lf_setting_type type;
    size_t place;         /* offset of the member + 1; 0: the value goes to no struct. See LF_INTO */
    const char *fallback; /* default as text (a list's entries between commas); NULL: unset when left out;
                             LF_REQUIRED: must be given */
    const char *help;     /* one sentence */
    int64_t min, max;     /* for LF_INT, LF_DURATION (ms), LF_SIZE (bytes); both 0: no bounds */
    const struct lf_choice *choices; /* for LF_CHOICE; a LF_TEXT may have them too, and is one of the names */
};

extern const char LF_REQUIRED[]; /* compared by address */

/* Type and place of a row: the setting goes to `member` of `struct_type`, whose type must fit `type_`. */
#define LF_INTO(type_, struct_type, member)                                                                  \
    .type = (type_), .place = 1 + offsetof(struct_type, member)                                              \
                              + 0 * sizeof(struct {                                                          \
                                    int unused;                                                              \
                                    _Static_assert(LF_FITS(type_, ((struct_type *)0)->member),               \
                                                   "this setting does not fit the type of its member");      \
                                })
#define LF_FITS(type_, member)                                                                               \
    _Generic((member),                                                                                       \
        const char *: (type_) == LF_TEXT || (type_) == LF_PATH || (type_) == LF_FILE                         \
            || (type_) == LF_SECRET_FILE,                                                                    \
        bool: (type_) == LF_BOOL,                                                                            \
        int: (type_) == LF_INT || (type_) == LF_CHOICE,                                                      \
        unsigned: (type_) == LF_INT || (type_) == LF_CHOICE,                                                 \
        int64_t: (type_) == LF_DURATION || (type_) == LF_SIZE,                                               \
        struct lf_texts: (type_) == LF_LIST)

/* The values of one table's settings. Filled once by one thread, then read-only: any thread. */
struct lf_values;

/* Creates the values of a table with nothing set. Borrows `table` (static). `where` ("instrument
 * \"balance-1\"") is used in messages and copied. Returns owned; NULL when out of memory. */
struct lf_values *lf_values_new(const struct lf_setting *table, const char *where);
void lf_values_free(struct lf_values *values);

/* Sets one setting from its text and checks it. `at` is its place ("labferry.conf:12"); may be NULL. Refuses
 * a second value, and an unknown name with the nearest known one. Each call appends to a LF_LIST setting.
 * Doesn't look at files. Class: permanent. */
enum lf_status lf_values_set(struct lf_values *values, const char *name, const char *text, const char *at,
                             struct lf_error *err);
/* When all are set: fills in defaults; refuses missing required settings, naming them all. */
enum lf_status lf_values_finish(struct lf_values *values, struct lf_error *err);
/* Writes every value to its row's member of the struct `into`; unset ones as NULL, 0 or false. Texts and
 * lists are borrowed from `values`. */
void lf_values_fill(const struct lf_values *values, void *into);

/* Of one setting; the name must be in the table (a programming error otherwise: aborts). */
bool lf_values_given(const struct lf_values *values, const char *name);     /* set, not defaulted */
const char *lf_values_at(const struct lf_values *values, const char *name); /* "file:line" or NULL */

/* The name of a value; "?" if it has none. */
const char *lf_choice_name(const struct lf_choice *choices, int value);
/* A number of a LF_INT, LF_DURATION or LF_SIZE setting, for people: "5", "30 s", "2 GB". */
void lf_setting_format(enum lf_setting_type type, int64_t number, char *text, size_t room);
const struct lf_setting *lf_setting_find(const struct lf_setting *table, const char *name);

struct lf_nearest; /* base/units.h */
void lf_nearest_setting(struct lf_nearest *nearest, const struct lf_setting *table);

#endif

/* Settings: every option of the agent and of every driver is a row in a table. Parsing, checking, defaults,
 * help texts and the commented example all come from these rows.
 */
#ifndef LF_BASE_SETTING_H
#define LF_BASE_SETTING_H

#include "base/buffer.h"

#include <stdint.h>

enum lf_setting_type {
    LF_TEXT,
    LF_PATH, /* a file or folder; the configuration makes a relative one start at the folder of its file, so
                names that are looked for elsewhere are LF_TEXT */
    LF_SECRET_FILE, /* path of a file that holds a secret and must not be readable by others; resolved
                       likewise */
    LF_INT,         /* whole number within [min, max] */
    LF_BOOL,        /* true | false */
    LF_DURATION,    /* "250ms", "30s", "5m", "2h", "7d", or plain "0"; stored in ms */
    LF_SIZE,   /* "512", "64KB", "10MB", "2GB" (powers of 1000), "64KiB" (powers of 1024); stored in bytes */
    LF_CHOICE, /* one of `choices` */
    LF_LIST,   /* list of texts */
    LF_NESTED, /* a group or list with settings of its own, which its owner reads; not kept in lf_values */
};

struct lf_setting {
    const char *name;
    enum lf_setting_type type;
    const char *fallback; /* default as text (a list's entries between commas); NULL: unset when left out;
                             LF_REQUIRED: must be given */
    const char *help;     /* one sentence */
    int64_t min, max;     /* for LF_INT, LF_DURATION (ms), LF_SIZE (bytes); both 0: no bounds */
    const char *const *choices; /* for LF_CHOICE; NULL-terminated */
};

extern const char LF_REQUIRED[]; /* compared by address */

/* A table of rows ends with a row whose name is NULL. */

/* The values of one table's settings. Filled once by one thread, then read-only: any thread. */
struct lf_values;

/* Creates the values of a table with nothing set. Borrows `table` (static). `where` ("instrument
 * \"balance-1\"") is used in messages and copied. Returns owned; NULL when out of memory. */
struct lf_values *lf_values_new(const struct lf_setting *table, const char *where);
void lf_values_free(struct lf_values *values);

/* Sets one setting from its text and checks it. `at` says where it stands ("labferry.conf:12"), may be NULL.
 * An unknown name is refused with the nearest known one, and so is a second value. A LF_LIST setting is
 * appended to by each call. Does not look at files. Class: permanent. */
enum lf_status lf_values_set(struct lf_values *values, const char *name, const char *text, const char *at,
                             struct lf_error *err);
/* After all were set: fills defaults, refuses missing required ones (naming them all). */
enum lf_status lf_values_finish(struct lf_values *values, struct lf_error *err);

/* Readers; the name must be in the table (a programming error otherwise: aborts). */
const char *lf_values_text(const struct lf_values *values, const char *name); /* NULL if unset; borrowed */
int64_t lf_values_int(const struct lf_values *values, const char *name);      /* int, ms, bytes; 0 if unset */
bool lf_values_bool(const struct lf_values *values, const char *name);
bool lf_values_given(const struct lf_values *values, const char *name);   /* was it set, not defaulted? */
size_t lf_values_count(const struct lf_values *values, const char *name); /* entries of a list */
const char *lf_values_item(const struct lf_values *values, const char *name, size_t index);
const char *lf_values_at(const struct lf_values *values, const char *name); /* "file:line" or NULL */

const struct lf_setting *lf_setting_find(const struct lf_setting *table, const char *name);
/* The nearest name in the table by edit distance, or NULL when none is near. */
const char *lf_setting_nearest(const struct lf_setting *table, const char *name);

/* Text to ms and bytes. LF_INVALID if it is none. */
enum lf_status lf_duration_parse(const char *text, int64_t *ms);
enum lf_status lf_size_parse(const char *text, int64_t *bytes);
/* "1.5 s", "3 min", "2 h"; "12.3 MB": for people. */
void lf_duration_format(int64_t ms, char *text, size_t room);
void lf_size_format(int64_t bytes, char *text, size_t room);
/* Edit distance (a swap of neighbours counts one, case does not count), bounded; used for "did you mean". */
size_t lf_edit_distance(const char *a, const char *b);

#endif

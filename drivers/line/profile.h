/* Profiles: text files that describe one type of instrument to the line driver. etc/profiles/README.md
 * explains the language; this header holds what the parser makes of it.
 *
 * A profile is made by line__profile_parse or lf_profile_load, is read-only from then on (any thread) and
 * ends with lf_profile_free. It owns everything it points to.
 */
#ifndef LABFERRY_LINE_PROFILE_H
#define LABFERRY_LINE_PROFILE_H

#include "base/units.h"
#include "drivers/driver.h"
#include "drivers/kit/findings.h"
#include "drivers/line/checksum.h"

#include <stdio.h>

/* Bounds of the language. */
enum {
    LF_PROFILE_BYTES_MAX = 256 * 1024, /* a profile file */
    LF_PROFILE_ITEMS_MAX = 256,        /* commands, patterns of a command, steps ... each */
    LF_PROFILE_PARTS_MAX = 64,         /* parts of one pattern or one text to send */
    LF_PROFILE_PROBLEMS_MAX = 50,      /* problems reported for one file */
    LF_REPLY_BYTES_MAX = 16 * 1024 * 1024,
    LF_REPLY_BYTES_DEFAULT = 64 * 1024,
    LF_REPLY_LINES_MAX = 100000,
    LF_REPLY_LINES_DEFAULT = 1000,
    LF_REPEAT_MAX = 10000,
};

enum lf_line_encoding { LF_ENCODING_ASCII, LF_ENCODING_LATIN1, LF_ENCODING_UTF8 };

/* A place in the profile's text, both from 1. */
struct lf_line_place {
    int line, column;
};

/* ---- patterns: what a line must look like, and what is sent ---- */

enum lf_line_value_type {
    LF_VALUE_TEXT, /* anything printable, as little as possible */
    LF_VALUE_WORD, /* the same without blanks, at least one character */
    LF_VALUE_INT,
    LF_VALUE_REAL,
    LF_VALUE_HEX,  /* hexadecimal digits, reported as a whole number */
    LF_VALUE_DATA, /* any bytes at all, as little as possible; reported in base64 */
    LF_VALUE_BOOL, /* one of two words */
    LF_VALUE_ONE,  /* one of a few words */
};

struct lf_line_choice {
    struct lf_slice said; /* what the instrument sends */
    char *means;          /* what is reported */
};

struct lf_line_part {
    enum { LF_PART_BYTES, LF_PART_BLANKS, LF_PART_VALUE } kind;
    struct lf_slice bytes; /* LF_PART_BYTES */
    char *name;            /* LF_PART_VALUE: what it is kept as; NULL if it is only checked */
    enum lf_line_value_type type;
    size_t width; /* exactly this many characters, with blanks around the value; 0: any number */
    bool right;   /* the value ends the column: a character lost on the line leaves it short */
    struct lf_line_choice *choices;
    size_t choice_count;
};

/* What a line must look like, or a text to send. The latter has only bytes and values: inputs, by name. */
struct lf_line_pattern {
    struct lf_line_part *parts;
    size_t count;
    char *source; /* as written, for messages */
};

struct lf_line_patterns {
    struct lf_line_pattern *items;
    size_t count;
};

/* What an instrument sends in the place of a number when it has none: 9.9E37, OVLD, NAN. */
struct lf_line_no_value {
    char *said;
    bool is_number; /* compared as a number, whatever its sign and spelling */
    double number;
    char *message; /* may be NULL */
};

struct lf_line_no_values {
    struct lf_line_no_value *items;
    size_t count;
};

/* ---- inputs of what is sent ---- */

enum lf_line_input_type { LF_INPUT_TEXT, LF_INPUT_INT, LF_INPUT_REAL, LF_INPUT_ONE };

struct lf_line_input_rule {
    char *name;
    enum lf_line_input_type type;
    double min, max;       /* of the number; of the length for text */
    int64_t digits;        /* whole numbers: at least this many, padded with zeros */
    int64_t decimals;      /* reals: exactly this many; -1: as given */
    struct lf_slice never; /* characters that it must not contain */
    char **choices;
    size_t choice_count;
    char *fallback; /* NULL: it must be given */
};

struct lf_line_input_rules {
    struct lf_line_input_rule *items;
    size_t count;
};

/* ---- where a reply ends ---- */

enum lf_line_unit {
    LF_UNIT_NONE,   /* no reply at all */
    LF_UNIT_LINE,   /* ends with the bytes `end` */
    LF_UNIT_PROMPT, /* ends with one of the characters in `end`, which belongs to the reply */
    LF_UNIT_CHAR,   /* is one of the characters in `end` */
    LF_UNIT_FIXED,  /* is `size` bytes long */
    LF_UNIT_FRAME,  /* `start`, perhaps a length byte, body, checksum and `end`, `tail` */
    LF_UNIT_IDLE,   /* ends when nothing has arrived for idle_ms */
    LF_UNIT_BLOCK, /* IEEE 488.2 definite block, then perhaps `end`; anything without '#' is a line with `end`
                    */
};

struct lf_line_check {
    enum line__checksum kind; /* LF_CHECKSUM_NONE: none */
    bool hex;                 /* two or four hexadecimal digits instead of bytes */
    bool low_first;           /* 16-bit: low byte first */
    bool after_end;           /* after `end` and covering it; else just before it */
    bool with_start;          /* covers `start` too */
};

struct lf_line_ending {
    enum lf_line_unit unit;
    struct lf_slice start, end, tail;
    struct lf_slice alone; /* a first byte of this set is a complete reply */
    bool length_byte;      /* frame: the byte after `start` counts itself and all that follows */
    size_t size;
    int64_t idle_ms;
    struct lf_line_check check;
    size_t times;     /* the reply is this many units; 0: not set in the profile */
    bool until_blank; /* the reply is all units up to an empty one */
};

/* ---- commands ---- */

enum lf_line_says {
    LF_SAYS_TRANSIENT,
    LF_SAYS_BUSY,
    LF_SAYS_PERMANENT,
    LF_SAYS_PERSON,
    LF_SAYS_UNKNOWN,
    LF_SAYS_DONE, /* no error: what was asked for is so already */
};

/* An answer that refuses a command. All but LF_SAYS_UNKNOWN promise that the instrument did nothing. */
struct lf_line_error_rule {
    struct lf_line_pattern pattern;
    enum lf_line_says says;
    char *message; /* may be NULL */
};

struct lf_line_error_rules {
    struct lf_line_error_rule *items;
    size_t count;
};

struct lf_line_times {
    int64_t first_byte, gap, total; /* ms */
};

struct lf_line_command {
    char *name, *help;
    struct lf_line_place place;
    enum lf_repeat repeat;
    bool has_class, provisional;
    bool awaits; /* sends nothing: the next line that fits is its reply */
    struct lf_line_pattern send;
    struct lf_line_ending ending; /* filled from [line] too */
    struct lf_line_times times;   /* filled from [line] where the command sets none */
    struct lf_line_patterns expects, mores;
    struct lf_line_error_rules errors;
    struct lf_line_input_rules inputs;
    struct lf_line_pattern identity; /* [identify] only */
};

struct lf_line_listen {
    char *name, *help;
    struct lf_line_place place;
    struct lf_line_patterns matches;
    struct lf_line_patterns untils; /* the last line of a report of many lines; count 0: none */
    int64_t quiet_ms;               /* or the silence that ends it; 0: none */
    enum lf_form form;
};

/* ---- procedures ---- */

struct lf_line_argument {
    char *input;
    struct lf_line_pattern value;
};

struct lf_line_condition {
    enum {
        LF_UNTIL_NOTHING, /* no condition: N times */
        LF_UNTIL_DONE,    /* answered, not "busy" */
        LF_UNTIL_IS,
        LF_UNTIL_ABOVE,
        LF_UNTIL_BELOW,
        LF_UNTIL_STEADY,
        LF_UNTIL_IS_NOT,
    } kind;
    char *capture;
    char *text;    /* is, is not */
    double number; /* above, below, steady within */
    size_t over;   /* steady over this many readings */
};

struct lf_line_step {
    int64_t wait_ms; /* a pause when command_name is NULL; else the time between repetitions */
    struct lf_line_place place;
    char *command_name, *label;
    const struct lf_line_command *command; /* set once all of the profile has been read */
    size_t times;                          /* repetitions; with a condition, the most of them */
    struct lf_line_condition until;
    struct lf_line_argument *arguments;
    size_t argument_count;
};

struct lf_line_result {
    struct lf_line_place place;
    char *label, *capture; /* label NULL: from the latest step that captured it */
    char *as;
    bool optional;
};

struct lf_line_procedure {
    char *name, *help;
    struct lf_line_place place;
    enum lf_repeat repeat; /* the strictest of its commands' */
    int64_t limit_ms;
    struct lf_line_input_rules inputs;
    struct lf_line_step *steps;
    size_t step_count;
    struct lf_line_step *finals; /* done at the end in any case */
    size_t final_count;
    struct lf_line_result *results;
    size_t result_count;
    char *sign; /* the safe procedure that shows that the sample was changed; NULL: none */
};

struct lf_line_profile {
    char *name; /* as given to the parser, for messages */
    char *title;
    char *serial; /* "baud=9600&flow=xonxoff": port settings that the stream may override; may be NULL */
    enum lf_line_encoding encoding;
    unsigned decimal_comma; /* 0 or 1 */
    bool send_framed;
    bool only_listens; /* nothing is ever sent */
    struct lf_slice send_end, never;
    struct lf_line_ending ending;
    struct lf_line_times times;
    int64_t quiet_ms, pause_ms;
    size_t max_reply, max_lines;
    struct lf_line_input_rules inputs; /* of the instrument, for all commands: an address */
    struct lf_line_error_rules errors;
    struct lf_line_no_values no_values;
    struct lf_line_command *identify, *resync; /* NULL: the instrument has none */
    struct lf_line_command *commands;
    size_t command_count;
    struct lf_line_listen *listens;
    size_t listen_count;
    struct lf_line_procedure *procedures;
    size_t procedure_count;
    void *memory; /* holds all of the above */
};

/* Called for each problem; line and column count from 1. */
struct lf_line_profile_report {
    void *self;
    void (*problem)(void *self, int line, int column, const char *text);
};

/* Parses a profile. `name` is for messages and is copied. `report` may be NULL. On failure err
 * holds the first problem as "name:line:column: text" (LF_INVALID, permanent) and *profile stays NULL.
 * Returns owned in *profile. */
enum lf_status line__profile_parse(struct lf_slice text, const char *name,
                                   const struct lf_line_profile_report *report,
                                   struct lf_line_profile **profile, struct lf_error *err);

/* Puts another [identify] in place of the profile's: `lines` are its settings. On failure the profile must
 * not be used any more, and err names the line as "identify:1:8: ...". */
enum lf_status line__profile_identify(struct lf_line_profile *profile, const struct lf_texts *lines,
                                      struct lf_error *err);

/* The same from a file. `which` is a path (it has a '/'), or a name that is looked up as NAME.profile in the
 * folders of the environment variable LABFERRY_PROFILE_PATH or, without it, in the installed ones.
 * LF_NOT_FOUND lists those available. */
enum lf_status lf_profile_load(const char *which, struct lf_line_profile **profile, struct lf_error *err);
void lf_profile_free(struct lf_line_profile *profile); /* NULL is fine */

/* For `labferry profile-check FILE`: prints every problem as "file:line:column: text", or a summary in one
 * line. */
enum lf_status lf_profile_check(const char *which, FILE *out, struct lf_error *err);
/* Prints the commands, procedures and listens, each with class and inputs. */
void lf_profile_describe(const struct lf_line_profile *profile, FILE *out);
/* For `labferry profile-try`: opens the stream, identifies, then takes lines from `in` (a command or
 * procedure with name=value inputs, "> bytes", "listen 10s", "help", "quit") and shows the bytes, captures
 * and times on `out`. `inputs` are those of the profile itself, each as "name=value". LF_OK at the end of
 * `in`, if nothing failed; LF_REFUSED says how much did. */
enum lf_status lf_profile_try(const struct lf_line_profile *profile, const char *stream,
                              const struct lf_texts *inputs, FILE *in, FILE *out,
                              const struct lf_cancel *cancel, struct lf_error *err);

/* The item of that name in a list whose items begin with their name; NULL: none. */
#define LINE_FIND(list, count, name) line__find(list, count, sizeof *(list), name)
void *line__find(const void *items, size_t count, size_t size, const char *name);
/* Offers the name of each item of such a list to the search. */
#define LINE_NEAREST(nearest, list, count) line__nearest(nearest, list, count, sizeof *(list))
void line__nearest(struct lf_nearest *nearest, const void *items, size_t count, size_t size);

const struct lf_line_command *line__profile_command(const struct lf_line_profile *profile, const char *name);
const struct lf_line_procedure *line__profile_procedure(const struct lf_line_profile *profile,
                                                        const char *name);

#endif

/* Reading one line of a profile: words, texts, numbers, times; and the memory that holds
 * what was parsed.
 *
 * Every reader returns true, or reports one problem with its place and returns false. After a problem the
 * parser skips to the next line, so that one check names all of them. Only for the files of the profile
 * parser.
 */
#ifndef LABFERRY_LINE_SCAN_H
#define LABFERRY_LINE_SCAN_H

#include "drivers/line/profile.h"

struct lf_line_scan {
    struct lf_line_profile *profile; /* what is being made; owns the memory */
    const struct lf_line_profile_report *report;
    struct lf_error *err; /* gets the first problem */
    int problems;
    bool no_memory;
    int line;
    const char *line_start, *at, *end;
};

/* Of `at` in the current line. */
struct lf_line_place line__scan_place(const struct lf_line_scan *scan, const char *at);
/* Reports a problem at `at` in the current line, or at a place. Always returns false. */
#define line__scan_problem(scan, at, ...) line__scan_problem_at(scan, line__scan_place(scan, at), __VA_ARGS__)
bool line__scan_problem_at(struct lf_line_scan *scan, struct lf_line_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Memory that lives as long as the profile, zeroed; NULL (and no_memory set) if there is none left. */
void *line__scan_memory(struct lf_line_scan *scan, size_t size);
/* Adds a zeroed item to the end of a list: a pointer to its items, followed by a size_t, their count. Reports
 * when the list is full (LF_PROFILE_ITEMS_MAX). */
void *line__scan_add(struct lf_line_scan *scan, void *list, size_t item_size);
char *line__scan_copy(struct lf_line_scan *scan, struct lf_slice text);

/* Skips blanks; returns where it stops. */
const char *line__scan_skip(struct lf_line_scan *scan);
/* Is the rest of the line empty or a comment? */
bool line__scan_at_end(struct lf_line_scan *scan);
/* The same, and reports anything that is left. */
bool line__scan_finish(struct lf_line_scan *scan);
/* Takes the given word if it comes next; never reports. */
bool line__scan_accept(struct lf_line_scan *scan, const char *word);
/* The same, but reports when it does not come, with an example. */
bool line__scan_expect(struct lf_line_scan *scan, const char *word, const char *example);
/* Takes the given character if it comes next (after blanks); never reports. */
bool line__scan_accept_char(struct lf_line_scan *scan, char c);
/* A name: letters, digits, '_', '-'; begins with a letter. `what` is for the message. */
bool line__scan_name(struct lf_line_scan *scan, const char *what, char **name);
/* One of the words (NULL-terminated); reports them, and the nearest. */
bool line__scan_choice(struct lf_line_scan *scan, const char *what, const char *const *words, size_t *index);
/* The same for a word already found in the line. */
bool line__scan_pick(struct lf_line_scan *scan, struct lf_slice word, const char *what,
                     const char *const *words, size_t *index);
/* A text in '...' or "..." as it stands between the quotes: the escapes are still in it. */
bool line__scan_quoted(struct lf_line_scan *scan, const char *what, struct lf_slice *raw);
/* The same with the escapes read: any bytes. */
bool line__scan_bytes(struct lf_line_scan *scan, const char *what, struct lf_slice *bytes);
/* The same for people: valid UTF-8 without control characters. */
bool line__scan_text(struct lf_line_scan *scan, const char *what, char **text);
/* A quoted text or a bare word up to the next blank or comma. */
bool line__scan_value(struct lf_line_scan *scan, const char *what, char **text);
bool line__scan_int(struct lf_line_scan *scan, const char *what, int64_t min, int64_t max, int64_t *value);
bool line__scan_count(struct lf_line_scan *scan, const char *what, int64_t min, int64_t max, size_t *count);
bool line__scan_real(struct lf_line_scan *scan, const char *what, double *value);
bool line__scan_duration(struct lf_line_scan *scan, int64_t min, int64_t max, int64_t *ms);
bool line__scan_size(struct lf_line_scan *scan, int64_t min, int64_t max, size_t *bytes);

/* Reads one character between quotes at *at and moves on. Accepts \r \n \t \e \0 \\ \' \" \{ \} \< \xHH,
 * \ before a blank, and the names of control characters as manuals print them: <CR> <LF> <STX> <ESC> ... */
bool line__scan_char(struct lf_line_scan *scan, const char **at, const char *end, char *byte);

#endif

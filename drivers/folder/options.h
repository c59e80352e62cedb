/* The settings of a folder instrument: one row per setting makes its member and its row in the table. */
#ifndef LF_FOLDER_OPTIONS_H
#define LF_FOLDER_OPTIONS_H

#include "drivers/driver.h"

enum lf_finish { LF_FINISH_STABLE, LF_FINISH_MARKER, LF_FINISH_RENAME };
enum lf_eol { LF_EOL_KEEP, LF_EOL_CRLF, LF_EOL_LF };
enum folder_encoding { LF_ENCODING_KEEP, LF_ENCODING_UTF8_BOM, LF_ENCODING_WINDOWS_1252 };
enum folder_names { LF_NAMES_ASCII, LF_NAMES_UTF8 };

extern const struct lf_choice folder__finishes[], folder__names[], folder__eols[], folder__encodings[];

enum { FOLDER_DAY_MS = 24 * 60 * 60 * 1000 };

/* type and name of the member, type of the setting, default, help; then bounds or choices */
#define FOLDER_OPTIONS(X)                                                                                    \
    X(const char *, inbox, LF_PATH, NULL,                                                                    \
      "Folder that the instrument takes its worklists from; leave out to only collect.")                     \
    X(const char *, outbox, LF_PATH, NULL,                                                                   \
      "Folder that the instrument writes its results to; leave out to only deliver.")                        \
    X(const char *, mount_marker, LF_TEXT, NULL,                                                             \
      "File that must exist (a name is looked up in inbox and outbox) to show that the "                     \
      "share is really mounted. Its first line, if any, is the identity of the "                             \
      "instrument.")                                                                                         \
    X(const char *, marks_dir, LF_PATH, NULL,                                                                \
      "Folder for the agent's delivery marks and locks, best on the same share; default: "                   \
      ".labferry beside inbox and outbox, or in them where the agent may not write there.")                  \
    X(bool, lock, LF_BOOL, "true",                                                                           \
      "Keep a second agent out with a lock file; turn off for folders that are read-only.")                  \
    X(bool, overwrite, LF_BOOL, "false",                                                                     \
      "Replace a worklist of the same name but other content instead of asking a person.")                   \
    X(enum folder_names, names, LF_CHOICE, "ascii", "Characters that a worklist's name may have.",           \
      .choices = folder__names)                                                                              \
    X(const char *, file_mode, LF_TEXT, "0664", "Permissions of delivered files, in octal.")                 \
    X(enum lf_eol, eol, LF_CHOICE, "keep", "Line ends of delivered text files.", .choices = folder__eols)    \
    X(enum folder_encoding, encoding, LF_CHOICE, "keep",                                                     \
      "Encoding of delivered text files; converts from UTF-8, and refuses a character "                      \
      "that the encoding lacks.",                                                                            \
      .choices = folder__encodings)                                                                          \
    X(struct lf_texts, results, LF_LIST, "*", "Names of results, with * ? [set]; case is ignored.")          \
    X(struct lf_texts, ignore, LF_LIST, NULL,                                                                \
      "Names of files and folders that are not results, besides hidden and "                                 \
      "temporary files; case is ignored.")                                                                   \
    X(int, depth, LF_INT, "0", "How many levels of folders below the outbox to read.", 0, 8)                 \
    X(enum lf_finish, finish, LF_CHOICE, "stable",                                                           \
      "When a result is finished: stable (unchanged for a while), marker (done_marker "                      \
      "or end_marker), or rename (the instrument writes under another name first, so a "                     \
      "name that matches is finished).",                                                                     \
      .choices = folder__finishes)                                                                           \
    X(int64_t, stable_for, LF_DURATION, "10s",                                                               \
      "With finish = stable: how long size and time must stay unchanged. What a "                            \
      "program has open for writing is not finished; where that is unknown, "                                \
      "large results and those that grow in steps wait longer.",                                             \
      0, FOLDER_DAY_MS)                                                                                      \
    X(const char *, done_marker, LF_TEXT, NULL,                                                              \
      "With finish = marker: file that shows that a result is finished, like "                               \
      "{name}.done or {stem}.ok; a plain name finishes all in its folder and "                               \
      "below.")                                                                                              \
    X(const char *, end_marker, LF_TEXT, NULL,                                                               \
      "With finish = marker: text at the end of a finished result (white space may "                         \
      "follow).")                                                                                            \
    X(const char *, sidecar, LF_TEXT, "{name}.labferry.json",                                                \
      "File beside a result that says what it belongs to, with {name} or {stem}.")                           \
    X(bool, sidecar_required, LF_BOOL, "false", "Don't take a result before its sidecar exists.")            \
    X(int64_t, scan_interval, LF_DURATION, "5s",                                                             \
      "How often to read the outbox where the file system reports no changes (network "                      \
      "mounts).",                                                                                            \
      100, FOLDER_DAY_MS)                                                                                    \
    X(const char *, archive, LF_TEXT, "archive",                                                             \
      "Folder for results that the cloud has, by day; below the outbox unless it begins "                    \
      "with /. \"none\" leaves them in place.")

/* Texts are borrowed from the values; an empty one is NULL, as is archive "none". */
struct lf_folder_options {
#define X(member_type, member, ...) member_type member;
    FOLDER_OPTIONS(X)
#undef X
    unsigned mode; /* of file_mode */
};

extern const struct lf_setting folder__settings[];
void folder__read_options(const struct lf_values *values, struct lf_folder_options *options);
enum lf_status folder__check(const struct lf_values *values,
                             void (*resource)(void *context, const char *resource), void *context,
                             struct lf_error *err);

#endif

/* Reading and printing JSON with cJSON, with bounds and errors that say where. */
#ifndef LF_BASE_JSON_H
#define LF_BASE_JSON_H

#include "base/buffer.h"

#include <cjson/cJSON.h>

enum { LF_JSON_MAX_DEPTH = 100 };

/* Parses exactly one JSON value (white space may follow) nested at most LF_JSON_MAX_DEPTH deep and of valid
 * UTF-8. Returns owned in *out (cJSON_Delete). On failure the text says at which byte. Class: permanent;
 * LF_NO_MEMORY: transient, and says nothing about the text. */
enum lf_status lf_json_parse(struct lf_slice text, cJSON **out, struct lf_error *err);

/* Compact text; returns owned, NULL when out of memory. */
char *lf_json_print(const cJSON *value);

/* Looks along a path of object keys separated by '.', e.g. "file.id". Borrowed; NULL if missing. Not for keys
 * from outside: a key that contains '.' cannot be reached. */
const cJSON *lf_json_at(const cJSON *value, const char *path);
/* Text at the path; NULL if it is missing or not a string. Borrowed. */
const char *lf_json_text(const cJSON *value, const char *path);
/* Same, with a fallback. */
const char *lf_json_text_or(const cJSON *value, const char *path, const char *fallback);
/* Whole number at the path (exact up to 2^53), else fallback. */
int64_t lf_json_int(const cJSON *value, const char *path, int64_t fallback);
bool lf_json_bool(const cJSON *value, const char *path, bool fallback);
/* An earlier member of the object has the name of this one. */
bool lf_json_repeats(const cJSON *object, const cJSON *member);

/* Sets a member, replacing one of that name. False when out of memory: the object is as before. text NULL
 * sets null. */
bool lf_json_set_text(cJSON *object, const char *key, const char *text);
bool lf_json_set_int(cJSON *object, const char *key, int64_t number);
bool lf_json_set_bool(cJSON *object, const char *key, bool truth);
/* As RFC 3339; 0: the time is not known, and the member is left out. */
bool lf_json_set_time(cJSON *object, const char *key, int64_t wall_ms);
/* Takes item. */
bool lf_json_set(cJSON *object, const char *key, cJSON *item);

/* Appends item, which it takes. When memory runs out, frees the list and sets it to NULL: an incomplete list
 * is never returned as if it were complete. */
void lf_json_add(cJSON **list, cJSON *item);
/* The end of making a value: returns it if all of it was made, else frees it and returns NULL. */
cJSON *lf_json_made(cJSON *value, bool made);

#endif

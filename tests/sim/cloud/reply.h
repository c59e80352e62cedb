/* Answers: what a handler hands back, and the vendor's error shapes. */
#ifndef LF_SIM_REPLY_H
#define LF_SIM_REPLY_H

#include "sim.h"

/* Either text in memory (owned), or `size` bytes of an open file from `offset` on (fd owned). */
struct sim_reply {
    unsigned status;
    char *text;
    int fd; /* -1 without a file */
    int64_t offset, size;
    const char *mime;   /* borrowed, static */
    char mime_own[128]; /* used instead of mime when not empty */
    char location[600]; /* Location header when not empty */
    char range[80];     /* Content-Range header when not empty */
    char etag[80];
    bool ranges; /* say that ranges are served */
};

/* All take json. */
struct sim_reply sim_reply_json(unsigned status, cJSON *json);
/* Duplicates json. */
struct sim_reply sim_reply_item(unsigned status, const cJSON *json);
/* Takes text. */
struct sim_reply sim_reply_text(unsigned status, const char *mime, char *text);
/* {"error": {message, type, userMessage}} with type invalid_request_error. */
struct sim_reply sim_reply_error(unsigned status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct sim_reply sim_reply_error_typed(unsigned status, const char *type, const char *message);
/* 404 with error.invalidId. */
struct sim_reply sim_reply_missing(const char *what, const char *id);
/* The same where the vendor declares no 404: 400. */
struct sim_reply sim_reply_missing_400(const char *what, const char *id);
void sim_reply_free(struct sim_reply *reply);

#endif

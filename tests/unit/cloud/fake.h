/* A cloud that answers from a script: the next line for every call, and tokens at /api/v2/token. Records what
 * was asked. */
#ifndef TEST_FAKE_H
#define TEST_FAKE_H

#include "cloud/api.h"
#include "server.h"
#include "unit.h"

#include <pthread.h>

enum { FAKE_LINES = 300, FAKE_TEXT = 4096 };

struct fake_line {
    int status;        /* 0: break the connection off; -1: 200 with the body cut off; -2: no answer */
    const char *extra; /* header lines, may be NULL */
    const char *body;
};

struct fake {
    struct server *server;
    struct lf_transfer *transfer;
    struct lf_cloud *cloud;
    struct lf_call call;
    struct lf_error err;
    char secret_file[512], tenant[64];
    struct lf_config_cloud config;

    pthread_mutex_t lock; /* guards what follows */
    struct fake_line lines[FAKE_LINES];
    int line_count, line_at;
    atomic_int calls, tokens; /* answered */
    char asked[FAKE_TEXT];    /* "GET /api/v2/... [authorization]\n" for each call */
    char *body;               /* of the last call */
    size_t body_len;
    int token_status;       /* 0: 200 with a fresh token */
    const char *token_body; /* NULL: {"access_token":"token-N",...} */
    int token_life_s;
    atomic_bool token_held; /* the answer waits until it is false */
    char token_seen[1024];  /* authorization, content type and body of the last token request */
};

void fake_open(struct fake *fake);
void fake_close(struct fake *fake);
/* Adds to the script. */
void fake_will(struct fake *fake, int status, const char *extra, const char *body);
void fake_write_secret(const struct fake *fake, const char *secret);
/* Forgets script and records. */
void fake_clear(struct fake *fake);

#endif

/* Transfer: the HTTP engine under the cloud client. One libcurl multi handle on one thread shares
 * connections, TLS sessions and HTTP/2 streams between all requests; callers (couriers) block on their own
 * request.
 */
#ifndef LF_TRANSFER_TRANSFER_H
#define LF_TRANSFER_TRANSFER_H

#include "base/buffer.h"
#include "base/clock.h"
#include "os/file.h"
#include "os/wait.h"

struct lf_transfer;

struct lf_transfer_options {
    const char *ca_file; /* NULL: the system's CAs. Texts are borrowed until lf_transfer_close */
    const char *proxy;   /* NULL: from the environment as curl does; "": none */
    int64_t connect_timeout_ms;
    int64_t stall_timeout_ms; /* fewer than 512 bytes a second, both ways, for this long: LF_TIMEOUT */
};

enum lf_status lf_transfer_open(const struct lf_transfer_options *options, struct lf_transfer **transfer,
                                struct lf_error *err);
/* Cancels what runs (LF_CANCELLED) and waits for the thread. */
void lf_transfer_close(struct lf_transfer *transfer);

/* Where a request body comes from: `read` gives the next bytes (0 at the end) and is called on the transfer
 * thread; `rewind` starts again (retries on a dead connection). size in bytes, exact. */
struct lf_body {
    size_t (*read)(void *context, char *into, size_t room); /* (size_t)-1: error, the request is aborted */
    bool (*rewind)(void *context);
    void *context;
    int64_t size;
};

struct lf_request {
    const char *method; /* "GET", "POST", "PATCH" ... */
    const char *url;
    /* Value of the header; sent to the URL's own host only, never on a redirect. NULL: none. */
    const char *authorization;
    const char *content_type;   /* NULL when there is no body */
    const char *const *headers; /* more header lines, "Name: value", ended by NULL; NULL: none */
    struct lf_slice text;       /* a body in memory; used when body is NULL */
    const struct lf_body *body;
    /* Never sent twice: libcurl repeats a request when a reused connection turns out to be dead, so this one
     * gets a new connection. */
    bool once;
    /* The answer's body is written there, from its start on, when the status is 2xx. NULL: kept in memory. */
    const struct lf_file *to;
    /* Bound of a 2xx body in bytes; more is LF_TOO_LARGE. 0: 8 MiB in memory, none in a file. The body of any
     * other status is cut off at 64 KiB. */
    int64_t max_answer;
    bool want_headers; /* fill answer->headers */
    bool follow;       /* the redirects of a GET: https to https; http only from and to loopback */
    int64_t deadline;  /* monotonic; for the whole request */
    const struct lf_cancel *cancel; /* may be NULL */
    /* May be NULL; called on the transfer thread; total -1: unknown. */
    void (*progress)(void *context, int64_t done, int64_t total);
    void *progress_context;
};

struct lf_answer {
    int status;               /* HTTP status */
    struct lf_buffer text;    /* body in memory */
    struct lf_buffer headers; /* if wanted: "name: value\n" lines, names in lower case */
    int64_t size;             /* bytes of the body, in memory or in the file */
    char sha256[65], md5[33]; /* of the body when it went to a file */
    char content_type[128];
    char etag[64];          /* header, as received; empty if there is none */
    char coding[32];        /* Content-Encoding, although none was asked for; empty if there is none */
    char *location;         /* header, may be NULL */
    bool redirected;        /* the answer comes from a redirect, not from the URL of the request */
    int64_t retry_after_ms; /* Retry-After (seconds or date), -1 if none */
    int64_t rate_limit, rate_remaining, rate_reset_s; /* x-rate-limit-*; -1 if none */
    int64_t date_ms; /* the server's clock (Date), when the answer came soon after it; else -1 */
};

/* Performs one request and waits. Any thread. LF_OK: an answer came, whatever its status; the caller judges
 * it. Otherwise: LF_DISCONNECTED, LF_TIMEOUT, LF_IO (transient), LF_DENIED (refused by TLS or a proxy:
 * transient, with what to fix; a certificate whose dates do not match our clock is explained as a clock
 * problem), LF_TOO_LARGE (permanent if the server announced the length, else transient), LF_MISMATCH (cut
 * off: length differs; transient), LF_CANCELLED, LF_INVALID (bad URL), LF_REFUSED (a redirect that must not
 * be followed). Texts never contain a query string. *sent (may be NULL) is true when the request may have
 * reached the server: then a failure of a request that creates something has an unknown outcome. */
enum lf_status lf_transfer_perform(struct lf_transfer *transfer, const struct lf_request *request,
                                   struct lf_answer *answer, bool *sent, struct lf_error *err);
void lf_answer_free(struct lf_answer *answer);

/* Percent-encodes one path segment or query value. Returns owned, NULL when out of memory. */
char *lf_url_encode(const char *text);

/* Accepts https, and http to loopback (for rehearsals), without a user name or password. Otherwise LF_INVALID
 * (permanent) with the reason. */
enum lf_status lf_url_check(const char *url, struct lf_error *err);

#endif

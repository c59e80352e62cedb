/* See exchange.h. Rules kept here: certificates are always verified; bodies are asked for as they are, and
 * never decoded (a small body cannot become a large one, and its digest is that of what came); libcurl
 * follows no redirect (transfer.c does, without credentials); bodies stream through bounded buffers.
 */
#include "transfer/exchange.h"

#include "base/clock.h"
#include "os/net.h"
#include "transfer/failure.h"
#include "transfer/url.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MEMORY_ANSWER_MAX = 8 * 1024 * 1024,
    ERROR_PAGE_MAX = 64 * 1024,
    RETRY_AFTER_MAX_S = 3600, /* a date far ahead may be our clock's fault */
    DATE_FRESH_MS = 30000,    /* the date of a slower answer is not current */
    FLOOR_BYTES = 512, /* a second; slower is as good as dead: eight at once on 64 kbit/s have twice that */
    IDLE_CONNECTION_S = 60, /* older idle connections are not reused: servers close them about then */
};

static long status_of(const struct lf_exchange *exchange)
{
    long status = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Child processes of drivers must not inherit our connections. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context, (void)purpose;
    return (curl_socket_t)lf_socket_make(address->family, address->socktype, address->protocol);
}

/* A connection is ready and the request is about to be written: from here on it may reach the server. */
static int on_ready(void *context, char *remote,
                    char *local, // NOLINT(readability-non-const-parameter): libcurl's type
                    int remote_port, int local_port)
{
    struct lf_exchange *exchange = context;
    (void)remote, (void)local, (void)remote_port, (void)local_port;
    exchange->sent = true;
    return CURL_PREREQFUNC_OK;
}

static size_t on_body_wanted(char *into, size_t size, size_t count, void *context)
{
    struct lf_exchange *exchange = context;
    size_t got = exchange->request->body->read(exchange->request->body->context, into, size * count);
    if (got != (size_t)-1)
        return got;
    lf_fail(&exchange->error, LF_IO, LF_TRANSIENT, "the file to send could not be read");
    return CURL_READFUNC_ABORT;
}

/* libcurl only ever asks for the start again. */
static int on_rewind(void *context, curl_off_t offset, int origin)
{
    struct lf_exchange *exchange = context;
    const struct lf_body *body = exchange->request->body;
    if (offset != 0 || origin != SEEK_SET || !body->rewind)
        return CURL_SEEKFUNC_CANTSEEK;
    return body->rewind(body->context) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* Keeps the start of an error page; nobody reads what lies beyond the limit. */
static size_t keep_error_page(struct lf_exchange *exchange, const char *data, size_t len)
{
    struct lf_buffer *text = &exchange->answer->text;
    size_t room = ERROR_PAGE_MAX - text->len, take = len < room ? len : room;
    if (lf_buffer_append(text, data, take) != LF_OK) {
        lf_fail_memory(&exchange->error, "receiving an answer");
        return 0;
    }
    exchange->enough = take < len;
    return take;
}

static bool write_to_file(struct lf_exchange *exchange, const char *data, size_t len)
{
    struct lf_answer *answer = exchange->answer;
    lf_digest_add(exchange->sha256, data, len);
    lf_digest_add(exchange->md5, data, len);
    if (lf_file_write_at(exchange->request->to, answer->size, data, len, &exchange->error) != LF_OK) {
        lf_error_prefix(&exchange->error, "cannot store what is being downloaded");
        return false;
    }
    answer->size += (int64_t)len;
    return true;
}

static int64_t bound(const struct lf_request *request)
{
    if (request->max_answer)
        return request->max_answer;
    return request->to ? INT64_MAX : MEMORY_ANSWER_MAX;
}

/* An answer that announces too great a length will do so again; one that merely does not end may be a fault
 * on the way. */
static bool within_bound(struct lf_exchange *exchange, size_t len)
{
    int64_t max = bound(exchange->request);
    curl_off_t announced = -1;
    curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    if (announced <= max && exchange->answer->size <= max - (int64_t)len)
        return true;
    lf_fail(&exchange->error, LF_TOO_LARGE, announced > max ? LF_PERMANENT : LF_TRANSIENT,
            "the answer is larger than the limit of %lld bytes", (long long)max);
    return false;
}

static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
    struct lf_exchange *exchange = context;
    size_t len = size * count;
    long status = status_of(exchange);
    if (status < 200 || status > 299)
        return keep_error_page(exchange, data, len);
    if (!within_bound(exchange, len))
        return 0;
    if (exchange->request->to)
        return write_to_file(exchange, data, len) ? len : 0;
    if (lf_buffer_append(&exchange->answer->text, data, len) != LF_OK) {
        lf_fail_memory(&exchange->error, "receiving an answer");
        return 0;
    }
    exchange->answer->size += (int64_t)len;
    return len;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct lf_request *request = ((struct lf_exchange *)context)->request;
    bool sending = request->body || request->text.len;
    int64_t total = sending ? up_total : down_total;
    request->progress(request->progress_context, sending ? up : down, total > 0 ? total : -1);
    return 0;
}

static bool add_line(struct lf_exchange *exchange, const char *line)
{
    struct curl_slist *longer = line ? curl_slist_append(exchange->headers, line) : NULL;
    if (longer)
        exchange->headers = longer;
    return longer != NULL;
}

static bool add_header(struct lf_exchange *exchange, const char *name, const char *value)
{
    /* "Name:" removes the header that libcurl would add. */
    char *line = *value ? lf_format("%s: %s", name, value) : lf_format("%s:", name);
    bool ok = add_line(exchange, line);
    if (line)
        lf_wipe(line, strlen(line));
    free(line);
    return ok;
}

static bool add_headers(struct lf_exchange *exchange)
{
    const struct lf_request *request = exchange->request;
    for (const char *const *line = request->headers; line && *line; line++)
        if (!add_line(exchange, *line))
            return false;
    return add_header(exchange, "Expect", "") && add_header(exchange, "Accept-Encoding", "identity")
           && add_header(exchange, "Content-Type", request->content_type ? request->content_type : "")
           && (!exchange->authorize || !request->authorization
               || add_header(exchange, "Authorization", request->authorization));
}

/* The first option that fails is remembered in `code`. */
#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (code == CURLE_OK)                                                                                \
            code = curl_easy_setopt(exchange->easy, (option), (value));                                      \
    } while (0)

static CURLcode set_method(struct lf_exchange *exchange)
{
    const struct lf_request *request = exchange->request;
    CURLcode code = CURLE_OK;
    if (!strcmp(request->method, "GET"))
        return curl_easy_setopt(exchange->easy, CURLOPT_HTTPGET, 1L);
    if (!strcmp(request->method, "HEAD"))
        return curl_easy_setopt(exchange->easy, CURLOPT_NOBODY, 1L);
    SET(CURLOPT_POST, 1L);
    if (strcmp(request->method, "POST") != 0)
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    if (request->body) {
        SET(CURLOPT_READFUNCTION, on_body_wanted);
        SET(CURLOPT_READDATA, exchange);
        SET(CURLOPT_SEEKFUNCTION, on_rewind);
        SET(CURLOPT_SEEKDATA, exchange);
        SET(CURLOPT_UPLOAD_BUFFERSIZE, 64L * 1024);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body->size);
    } else {
        SET(CURLOPT_POSTFIELDS, request->text.len ? request->text.data : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->text.len);
    }
    return code;
}

static CURLcode set_security(struct lf_exchange *exchange, const struct lf_exchange_common *common)
{
    bool loopback;
    CURLcode code = transfer__url_is_loopback(exchange->url, &loopback, &(struct lf_error){0}) == LF_OK
                        ? CURLE_OK
                        : CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_PROTOCOLS_STR, loopback ? "https,http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* a proxy we tunnel through sees no Authorization */
    if (common->options.ca_file) {
        SET(CURLOPT_CAINFO, common->options.ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (common->options.proxy)
        SET(CURLOPT_PROXY, common->options.proxy);
    return code;
}

static CURLcode set_options(struct lf_exchange *exchange, const struct lf_exchange_common *common)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_ERRORBUFFER, exchange->curl_text);
    SET(CURLOPT_PRIVATE, exchange);
    SET(CURLOPT_URL, exchange->url);
    SET(CURLOPT_USERAGENT, "labferry/" LF_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* giving up must not wait for a name server that does not answer */
    SET(CURLOPT_SHARE, common->share);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)common->options.connect_timeout_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)FLOOR_BYTES);
    SET(CURLOPT_LOW_SPEED_TIME, (long)((common->options.stall_timeout_ms + 999) / 1000));
    SET(CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_PREREQFUNCTION, on_ready);
    SET(CURLOPT_PREREQDATA, exchange);
    if (exchange->request->once)
        SET(CURLOPT_FRESH_CONNECT, 1L);
    if (exchange->request->progress) {
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, exchange);
        SET(CURLOPT_NOPROGRESS, 0L);
    }
    SET(CURLOPT_HTTPHEADER, exchange->headers);
    if (code == CURLE_OK)
        code = set_security(exchange, common);
    return code == CURLE_OK ? set_method(exchange) : code;
}

bool transfer__exchange_begin(struct lf_exchange *exchange, const struct lf_exchange_common *common)
{
    exchange->easy = curl_easy_init();
    exchange->begun = lf_clock_mono_ms();
    int64_t max = bound(exchange->request), most = (int64_t)(SIZE_MAX / 2);
    exchange->answer->text.max = (size_t)(max < ERROR_PAGE_MAX ? ERROR_PAGE_MAX : max > most ? most : max);
    bool digests = !exchange->request->to
                   || ((exchange->sha256 = lf_digest_new(LF_SHA256))
                       && (exchange->md5 = lf_digest_new(LF_MD5)));
    if (exchange->easy && digests && add_headers(exchange) && set_options(exchange, common) == CURLE_OK)
        return true;
    lf_fail_memory(&exchange->error, "preparing a request");
    return false;
}

/* The last header of that name in the final answer. Borrowed from the handle. */
static const char *header_of(const struct lf_exchange *exchange, const char *name)
{
    struct curl_header *header;
    if (curl_easy_header(exchange->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

static int64_t number_header(const struct lf_exchange *exchange, const char *name)
{
    const char *text = header_of(exchange, name);
    char *end;
    errno = 0;
    long long number = text ? strtoll(text, &end, 10) : -1;
    return text && end != text && !*end && !errno && number >= 0 ? number : -1;
}

static int64_t retry_after(const struct lf_exchange *exchange)
{
    curl_off_t seconds = 0;
    if (!header_of(exchange, "Retry-After")
        || curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds < 0)
        return -1;
    return (seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds) * 1000;
}

/* The server read its clock at some time between the request and the end of its answer. */
static int64_t date(const struct lf_exchange *exchange)
{
    const char *text = header_of(exchange, "Date");
    time_t seconds = text && lf_clock_mono_ms() - exchange->begun < DATE_FRESH_MS ? curl_getdate(text, NULL)
                                                                                  : -1;
    return seconds > 0 ? (int64_t)seconds * 1000 : -1;
}

static bool keep_headers(const struct lf_exchange *exchange, struct lf_buffer *headers)
{
    struct curl_header *header = NULL;
    while ((header = curl_easy_nextheader(exchange->easy, CURLH_HEADER, -1, header))) {
        size_t begin = headers->len;
        if (lf_buffer_format(headers, "%s: %s\n", header->name, header->value) != LF_OK)
            return false;
        for (char *at = headers->data + begin; *at != ':'; at++)
            *at = (char)tolower((unsigned char)*at);
    }
    return true;
}

static bool fill_answer(struct lf_exchange *exchange)
{
    struct lf_answer *answer = exchange->answer;
    const char *type = header_of(exchange, "Content-Type"), *location = header_of(exchange, "Location");
    const char *etag = header_of(exchange, "ETag"), *coding = header_of(exchange, "Content-Encoding");
    answer->status = (int)status_of(exchange);
    snprintf(answer->content_type, sizeof answer->content_type, "%s", type ? type : "");
    snprintf(answer->coding, sizeof answer->coding, "%s",
             coding && strcasecmp(coding, "identity") != 0 ? coding : "");
    snprintf(answer->etag, sizeof answer->etag, "%s", etag ? etag : "");
    answer->retry_after_ms = retry_after(exchange);
    answer->rate_limit = number_header(exchange, "x-rate-limit-limit");
    answer->rate_remaining = number_header(exchange, "x-rate-limit-remaining");
    answer->rate_reset_s = number_header(exchange, "x-rate-limit-reset");
    answer->date_ms = date(exchange);
    if (exchange->sha256 && exchange->md5) {
        lf_digest_finish(exchange->sha256, answer->sha256);
        lf_digest_finish(exchange->md5, answer->md5);
        exchange->sha256 = exchange->md5 = NULL;
    }
    free(answer->location);
    answer->location = location ? strdup(location) : NULL;
    return (!location || answer->location)
           && (!exchange->request->want_headers || keep_headers(exchange, &answer->headers));
}

void transfer__exchange_end(struct lf_exchange *exchange, CURLcode code)
{
    if (exchange->error.status != LF_OK)
        return;
    /* An error status stands on its own, even when its page was cut off. */
    bool answered = code == CURLE_OK || exchange->enough
                    || (status_of(exchange) >= 300 && code == CURLE_PARTIAL_FILE);
    if (!answered)
        transfer__failure(exchange, code);
    else if (!fill_answer(exchange))
        lf_fail_memory(&exchange->error, "receiving an answer");
}

void transfer__exchange_free(struct lf_exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    lf_digest_free(exchange->sha256);
    lf_digest_free(exchange->md5);
}

#include "transfer/failure.h"

#include "base/clock.h"

#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

/* Refusals by TLS or a proxy are transient, like all network errors: once the clock is set, the certificate
 * renewed or the proxy configured, the jobs continue by themselves. */

/* The certificate's dates do not match this machine's clock: a board without a battery starts in the past,
 * until time synchronisation sets its clock. */
static void date_failure(struct lf_exchange *exchange, bool early)
{
    char clock[LF_CLOCK_TEXT];
    lf_clock_words(clock);
    if (early)
        lf_fail(&exchange->error, LF_DENIED, LF_TRANSIENT,
                "the server's certificate is not yet valid: %s, which is probably wrong; set it, or start "
                "time synchronisation",
                clock);
    else
        lf_fail(&exchange->error, LF_DENIED, LF_TRANSIENT,
                "the server's certificate has expired: %s. If the clock is right, the server needs a new "
                "certificate; if not, set the clock",
                clock);
}

static void tls_failure(struct lf_exchange *exchange, const char *text)
{
    long verdict = X509_V_OK;
    curl_easy_getinfo(exchange->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (verdict == X509_V_ERR_CERT_NOT_YET_VALID || verdict == X509_V_ERR_CRL_NOT_YET_VALID)
        date_failure(exchange, true);
    else if (verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CRL_HAS_EXPIRED)
        date_failure(exchange, false);
    else
        lf_fail(&exchange->error, LF_DENIED, LF_TRANSIENT,
                "the connection is not trusted: %s; check the host name, and the CA file if the server is "
                "signed by a private authority or a proxy inspects TLS",
                text);
}

/* A connection that breaks during the handshake is a network error; a handshake on which the two sides do not
 * agree is not. */
static bool broke_in_handshake(const char *text)
{
    return strstr(text, "SYSCALL") || strstr(text, "reset by peer") || strstr(text, "unexpected eof");
}

static void receive_failure(struct lf_exchange *exchange, const char *text)
{
    long proxy_answer = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_answer);
    if (!exchange->sent && (proxy_answer == 407 || proxy_answer == 403))
        lf_fail(&exchange->error, LF_DENIED, LF_TRANSIENT,
                "the proxy refused to connect (%ld): check its settings and its list of allowed hosts",
                proxy_answer);
    else
        lf_fail(&exchange->error, LF_DISCONNECTED, LF_TRANSIENT, "the connection broke: %s", text);
}

/* For a header line above its limit, libcurl 7.88 says that memory ran out. */
static void no_room(struct lf_exchange *exchange)
{
    void *room = malloc(2 * (size_t)CURL_MAX_HTTP_HEADER);
    bool header = exchange->sent && room;
    free(room);
    if (header)
        lf_fail(
            &exchange->error, LF_TOO_LARGE, LF_TRANSIENT,
            "the server's answer has a header of more than %d kB, such as an endless Location; it is refused",
            CURL_MAX_HTTP_HEADER / 1024);
    else
        lf_fail_memory(&exchange->error, "performing a request");
}

void transfer__failure(struct lf_exchange *exchange, CURLcode code)
{
    const char *text = *exchange->curl_text ? exchange->curl_text : curl_easy_strerror(code);
    struct lf_error *err = &exchange->error;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s: check the name and this machine's DNS", text);
        break;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY: lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "cannot connect: %s", text); break;
    case CURLE_OPERATION_TIMEDOUT:
        lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "no answer in time: %s", text);
        break;
    case CURLE_PARTIAL_FILE:
        lf_fail(err, LF_MISMATCH, LF_TRANSIENT, "the answer was cut off: %s", text);
        break;
    case CURLE_SSL_CONNECT_ERROR:
        if (broke_in_handshake(text))
            receive_failure(exchange, text);
        else
            tls_failure(exchange, text);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT: tls_failure(exchange, text); break;
    case CURLE_URL_MALFORMAT: lf_fail(err, LF_INVALID, LF_PERMANENT, "bad URL: %s", text); break;
    case CURLE_OUT_OF_MEMORY: no_room(exchange); break;
    default: /* reset, empty answer, something that is not HTTP, HTTP/2 stream errors */
        receive_failure(exchange, text);
        break;
    }
}

#include "transfer/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *lf_url_encode(const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = strlen(text);
    char *encoded = malloc(3 * len + 1), *to = encoded;
    if (!encoded)
        return NULL;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')
            || strchr("-._~", *c)) {
            *to++ = (char)*c;
        } else {
            *to++ = '%';
            *to++ = digits[*c >> 4];
            *to++ = digits[*c & 15];
        }
    }
    *to = '\0';
    return encoded;
}

void lf_url_name(const char *url, char name[LF_URL_NAME])
{
    size_t end = strcspn(url, "?#"), used = 0;
    const char *slashes = strstr(url, "://");
    size_t host = slashes && (size_t)(slashes - url) < end ? (size_t)(slashes - url) + 3 : 0;
    size_t host_end = host + strcspn(url + host, "/?#");
    /* Whatever stands before the last '@' is a user name or password. */
    for (size_t i = host; i < host_end; i++)
        if (url[i] == '@')
            host = i + 1;
    for (size_t i = 0; i < end && used < LF_URL_NAME - 1; i++) {
        if (slashes && i >= (size_t)(slashes - url) + 3 && i < host)
            continue;
        unsigned char c = (unsigned char)url[i];
        name[used++] = c < 0x20 || c >= 0x7F ? '?' : (char)c;
    }
    name[used] = '\0';
}

/* One part of a URL as curl reads it; returns owned (curl_free), NULL if it has none. */
static char *part_of(const char *url, CURLUPart part)
{
    char *text = NULL;
    CURLU *parsed = curl_url();
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK
        && curl_url_get(parsed, part, &text, 0) != CURLUE_OK)
        text = NULL;
    curl_url_cleanup(parsed);
    return text;
}

static bool part_is(const char *url, CURLUPart part, const char *wanted)
{
    char *text = part_of(url, part);
    bool is = text && !strcasecmp(text, wanted);
    curl_free(text);
    return is;
}

bool lf_url_is_loopback(const char *url)
{
    char *host = part_of(url, CURLUPART_HOST);
    struct in_addr v4;
    bool loopback = host && (!strcasecmp(host, "localhost") || !strcmp(host, "[::1]")
                             || (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127));
    curl_free(host);
    return loopback;
}

enum lf_status lf_url_check(const char *url, struct lf_error *err)
{
    char name[LF_URL_NAME];
    lf_url_name(url, name);
    char *host = part_of(url, CURLUPART_HOST);
    bool usable = host && *host;
    curl_free(host);
    if (!usable)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "'%s' is not a URL with a host", name);
    char *user = part_of(url, CURLUPART_USER), *password = part_of(url, CURLUPART_PASSWORD);
    bool credentials = user || password;
    curl_free(user);
    curl_free(password);
    if (credentials)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the URL '%s' has a user name or password in it: credentials belong in files", name);
    if (part_is(url, CURLUPART_SCHEME, "https")
        || (part_is(url, CURLUPART_SCHEME, "http") && lf_url_is_loopback(url)))
        return LF_OK;
    return lf_fail(err, LF_INVALID, LF_PERMANENT,
                   "the URL '%s' is not https (plain http is accepted for this machine's own addresses only)",
                   name);
}

enum lf_status lf_url_redirect(const char *url, const char *location, char **target, struct lf_error *err)
{
    char name[LF_URL_NAME];
    enum lf_status status = LF_OK;
    char *absolute = NULL;
    *target = NULL;
    CURLU *parsed = curl_url();
    if (!parsed)
        return lf_fail_memory(err, "following a redirect");
    CURLUcode set = curl_url_set(parsed, CURLUPART_URL, url, 0);
    if (set == CURLUE_OK)
        set = curl_url_set(parsed, CURLUPART_URL, location, 0); /* resolves a relative location */
    if (set == CURLUE_OK)
        set = curl_url_get(parsed, CURLUPART_URL, &absolute, 0);
    lf_url_name(location, name);
    if (set == CURLUE_OUT_OF_MEMORY) {
        status = lf_fail_memory(err, "following a redirect");
        goto done;
    }
    if (set != CURLUE_OK) {
        status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON, "redirected to '%s', which is not a URL", name);
        goto done;
    }
    if (lf_url_check(absolute, err) != LF_OK
        || (part_is(absolute, CURLUPART_SCHEME, "http") && !lf_url_is_loopback(url))) {
        status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                         "redirected to '%s', which is not a plain https URL: not followed", name);
        goto done;
    }
    *target = strdup(absolute);
    if (!*target)
        status = lf_fail_memory(err, "following a redirect");
done:
    curl_free(absolute);
    curl_url_cleanup(parsed);
    return status;
}

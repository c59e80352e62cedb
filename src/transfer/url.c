#include "transfer/url.h"

#include "os/net.h"

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

void transfer__url_name(const char *url, char name[LF_URL_NAME])
{
    size_t end = strcspn(url, "?#"), used = 0;
    const char *slashes = strstr(url, "://");
    size_t host = slashes && (size_t)(slashes - url) < end ? (size_t)(slashes - url) + 3 : 0;
    size_t host_end = host + strcspn(url + host, "/?#");
    /* Everything before the last '@' is a user name or password. */
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

/* A URL as curl parses it. Missing parts are NULL; all of them are if it is not a URL. */
struct parts {
    char *scheme, *host, *user, *password;
};

static void free_parts(struct parts *parts)
{
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->user);
    curl_free(parts->password);
}

/* When memory runs out, no part may pass for missing, a password least of all. */
static enum lf_status split(const char *url, struct parts *parts, struct lf_error *err)
{
    *parts = (struct parts){0};
    CURLU *parsed = curl_url();
    CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    struct {
        CURLUPart part;
        char **text;
    } wanted[] = {
        {CURLUPART_SCHEME, &parts->scheme},
        {CURLUPART_HOST, &parts->host},
        {CURLUPART_USER, &parts->user},
        {CURLUPART_PASSWORD, &parts->password},
    };
    for (size_t i = 0; code == CURLUE_OK && i < sizeof wanted / sizeof *wanted; i++)
        if (curl_url_get(parsed, wanted[i].part, wanted[i].text, 0) == CURLUE_OUT_OF_MEMORY)
            code = CURLUE_OUT_OF_MEMORY;
    curl_url_cleanup(parsed);
    if (code != CURLUE_OUT_OF_MEMORY)
        return LF_OK;
    free_parts(parts);
    *parts = (struct parts){0};
    return lf_fail_memory(err, "reading a URL");
}

static bool scheme_is(const struct parts *parts, const char *wanted)
{
    return parts->scheme && !strcasecmp(parts->scheme, wanted);
}

static bool on_loopback(const struct parts *parts)
{
    const char *host = parts->host;
    unsigned char address[16];
    return host
           && (!strcasecmp(host, "localhost") || !strcmp(host, "[::1]")
               || (lf_net_parse(host, address) == 4 && address[0] == 127));
}

enum lf_status transfer__url_is_loopback(const char *url, bool *loopback, struct lf_error *err)
{
    struct parts parts;
    enum lf_status status = split(url, &parts, err);
    *loopback = on_loopback(&parts);
    free_parts(&parts);
    return status;
}

enum lf_status lf_url_check(const char *url, struct lf_error *err)
{
    char name[LF_URL_NAME];
    struct parts parts;
    enum lf_status status = split(url, &parts, err);
    if (status != LF_OK)
        return status;
    transfer__url_name(url, name);
    if (!parts.host || !*parts.host)
        status = lf_fail(err, LF_INVALID, LF_PERMANENT, "'%s' is not a URL with a host", name);
    else if (parts.user || parts.password)
        status = lf_fail(err, LF_INVALID, LF_PERMANENT,
                         "the URL '%s' contains a user name or password; put credentials into files", name);
    else if (!scheme_is(&parts, "https") && !(scheme_is(&parts, "http") && on_loopback(&parts)))
        status =
            lf_fail(err, LF_INVALID, LF_PERMANENT,
                    "the URL '%s' does not use https; plain http is accepted only for this machine's own "
                    "addresses",
                    name);
    free_parts(&parts);
    return status;
}

/* May a server at `url` send us to `target`? */
static enum lf_status may_lead(const char *url, const char *target, const char *name, struct lf_error *err)
{
    struct parts from, to = {0};
    enum lf_status status = lf_url_check(target, err);
    if (status == LF_NO_MEMORY)
        return status;
    bool good = status == LF_OK;
    status = split(url, &from, err);
    if (status == LF_OK)
        status = split(target, &to, err);
    if (status == LF_OK && (!good || (scheme_is(&to, "http") && !on_loopback(&from))))
        status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                         "the redirect to '%s' is not followed: not a plain https URL", name);
    free_parts(&from);
    free_parts(&to);
    return status;
}

enum lf_status transfer__url_redirect(const char *url, const char *location, char **target,
                                      struct lf_error *err)
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
    transfer__url_name(location, name);
    if (set == CURLUE_OUT_OF_MEMORY) {
        status = lf_fail_memory(err, "following a redirect");
        goto done;
    }
    if (set != CURLUE_OK) {
        status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON, "the redirect to '%s' is not followed: not a URL",
                         name);
        goto done;
    }
    status = may_lead(url, absolute, name, err);
    if (status != LF_OK)
        goto done;
    *target = strdup(absolute);
    if (!*target)
        status = lf_fail_memory(err, "following a redirect");
done:
    curl_free(absolute);
    curl_url_cleanup(parsed);
    return status;
}

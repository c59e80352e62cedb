#include "transfer/url.h"

#include "os/net.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *lf_url_encode(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0), *owned = escaped ? strdup(escaped) : NULL;
    curl_free(escaped);
    return owned;
}

void transfer__url_name(const char *url, char name[LF_URL_NAME])
{
    size_t end = strcspn(url, "?#");
    const char *slashes = strstr(url, "://");
    size_t host = slashes && (size_t)(slashes - url) < end ? (size_t)(slashes - url) + 3 : 0;
    size_t host_end = host + strcspn(url + host, "/?#"), rest = host;
    /* Everything before the last '@' is a user name or password. */
    for (size_t i = host; host && i < host_end; i++)
        if (url[i] == '@')
            rest = i + 1;
    snprintf(name, LF_URL_NAME, "%.*s%.*s", (int)host, url, (int)(end - rest), url + rest);
    for (char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7F)
            *c = '?';
}

/* What matters about a URL, as curl parses it: all false when it is not one. */
struct traits {
    bool host, credentials, https, http, loopback;
};

static bool on_loopback(const char *host)
{
    unsigned char address[16];
    return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]")
           || (lf_net_parse(host, address) == 4 && address[0] == 127);
}

/* When memory runs out, no part may pass for missing, a password least of all. */
static enum lf_status read_traits(const char *url, struct traits *traits, struct lf_error *err)
{
    enum { SCHEME, HOST, USER, PASSWORD, PARTS };
    static const CURLUPart wanted[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_USER, CURLUPART_PASSWORD};
    char *parts[PARTS] = {0};
    CURLU *parsed = curl_url();
    CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    bool valid = code == CURLUE_OK;
    for (int i = 0; valid && i < PARTS && code != CURLUE_OUT_OF_MEMORY; i++)
        code = curl_url_get(parsed, wanted[i], &parts[i], 0);
    *traits = (struct traits){.host = parts[HOST] && *parts[HOST],
                              .credentials = parts[USER] || parts[PASSWORD],
                              .https = parts[SCHEME] && !strcasecmp(parts[SCHEME], "https"),
                              .http = parts[SCHEME] && !strcasecmp(parts[SCHEME], "http"),
                              .loopback = parts[HOST] && on_loopback(parts[HOST])};
    for (int i = 0; i < PARTS; i++)
        curl_free(parts[i]);
    curl_url_cleanup(parsed);
    return code == CURLUE_OUT_OF_MEMORY ? lf_fail_memory(err, "reading a URL") : LF_OK;
}

enum lf_status transfer__url_is_loopback(const char *url, bool *loopback, struct lf_error *err)
{
    struct traits traits;
    enum lf_status status = read_traits(url, &traits, err);
    *loopback = traits.loopback;
    return status;
}

/* Why a URL is refused; NULL: it is not. */
static const char *objection(const struct traits *traits)
{
    if (!traits->host)
        return "is not a URL with a host";
    if (traits->credentials)
        return "contains a user name or password; put credentials into files";
    if (traits->https || (traits->http && traits->loopback))
        return NULL;
    return "does not use https; plain http is accepted only for this machine's own addresses";
}

enum lf_status lf_url_check(const char *url, struct lf_error *err)
{
    char name[LF_URL_NAME];
    struct traits traits;
    if (read_traits(url, &traits, err) != LF_OK)
        return LF_NO_MEMORY;
    transfer__url_name(url, name);
    const char *why = objection(&traits);
    return why ? lf_fail(err, LF_INVALID, LF_PERMANENT, "the address '%s' %s", name, why) : LF_OK;
}

enum lf_status transfer__url_redirect(const char *url, const char *location, char **target,
                                      struct lf_error *err)
{
    char name[LF_URL_NAME], *absolute = NULL;
    struct traits from, to = {0};
    CURLU *parsed = curl_url();
    CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_URL, location, 0); /* resolves a relative location */
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_URL, &absolute, 0);
    curl_url_cleanup(parsed);
    *target = absolute ? strdup(absolute) : NULL;
    curl_free(absolute);
    if (code == CURLUE_OUT_OF_MEMORY || (code == CURLUE_OK && !*target))
        return lf_fail_memory(err, "following a redirect");
    enum lf_status status = read_traits(url, &from, err);
    if (status == LF_OK && *target)
        status = read_traits(*target, &to, err);
    transfer__url_name(location, name);
    if (status == LF_OK && (objection(&to) || (to.http && !from.loopback)))
        status = lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                         "the redirect to '%s' is refused: it must lead to an https URL without a user name",
                         name);
    if (status != LF_OK) {
        free(*target);
        *target = NULL;
    }
    return status;
}

/* URLs: which may be requested, where a redirect leads, how messages name them. Two lines: a URL, and where
 * it redirects to. */
#include "fuzz.h"

#include "config/load.h"
#include "transfer/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool on_loopback(const char *url)
{
    bool loopback;
    return transfer__url_is_loopback(url, &loopback, &(struct lf_error){0}) == LF_OK && loopback;
}

/* Neither secrets nor control characters. */
static void check_name(const char *url)
{
    char name[LF_URL_NAME];
    memset(name, 'x', sizeof name);
    transfer__url_name(url, name);
    MUST(memchr(name, 0, sizeof name), "the name has no end");
    MUST(!strchr(name, '#'), "a fragment in %s", name);
    for (const char *at = name; *at; at++)
        MUST((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7F, "byte 0x%02x in a name",
             (unsigned)(unsigned char)*at);
    MUST(strlen(name) <= strlen(url), "longer than the URL");
}

static void check_asked(const char *url)
{
    struct lf_error err = {0};
    enum lf_status status = lf_url_check(url, &err);
    fuzz_check_error(status, &err);
    for (const char *at = err.text; *at; at++)
        MUST(!iscntrl((unsigned char)*at), "a control character in: %s", err.text);
    MUST(status != LF_OK || !strncasecmp(url, "https:", 6) || on_loopback(url), "%s would be requested", url);
}

static void check_redirect(const char *url, const char *location)
{
    struct lf_error err = {0};
    char *target = NULL;
    enum lf_status status = transfer__url_redirect(url, location, &target, &err);
    fuzz_check_error(status, &err);
    MUST((status == LF_OK) == (target != NULL), "status %s", lf_status_name(status));
    if (target) {
        MUST(lf_url_check(target, &(struct lf_error){0}) == LF_OK, "%s redirects to %s", url, target);
        MUST(!strncasecmp(target, "https://", 8) || (on_loopback(url) && on_loopback(target)),
             "%s leads out of TLS to %s", url, target);
    }
    for (const char *at = err.text; *at; at++)
        MUST(!iscntrl((unsigned char)*at), "a control character in: %s", err.text);
    free(target);
}

static void check_encoded(const char *text)
{
    char *encoded = lf_url_encode(text);
    fuzz_need(encoded, "out of memory");
    for (const char *at = encoded; *at; at++)
        MUST(isalnum((unsigned char)*at) || strchr("-._~%", *at), "%s", encoded);
    free(encoded);
}

/* Addresses in the configuration. */
static void check_split(const char *text)
{
    struct lf_url url;
    const char *why = config__url_split(text, &url);
    if (why) {
        MUST(*why, "refused without a reason: %s", text);
        return;
    }
    MUST(*url.scheme && *url.host && url.port >= 0 && url.port <= 65535, "%s", text);
    MUST(!strpbrk(url.host, "/@?# \t\r\n"), "the host is \"%s\"", url.host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    char *url = fuzz_text(fuzz_until(&input, '\n')), *location = fuzz_text(fuzz_rest(&input));
    check_name(url);
    check_name(location);
    check_asked(url);
    check_redirect(url, location);
    check_encoded(url);
    check_split(url);
    free(url);
    free(location);
    return 0;
}

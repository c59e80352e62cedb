#include "transfer/url.h"

#include "unit.h"

#include <stdlib.h>

static void encoding(void)
{
    char *encoded = lf_url_encode("a b/c?d=e&f%#\"\xC3\xA9~-._Z9");
    CHECK_STR(encoded, "a%20b%2Fc%3Fd%3De%26f%25%23%22%C3%A9~-._Z9");
    free(encoded);
    encoded = lf_url_encode("");
    CHECK_STR(encoded, "");
    free(encoded);
}

static void name_is(const char *url, const char *expected)
{
    char name[LF_URL_NAME];
    transfer__url_name(url, name);
    CHECK_STR(name, expected);
}

static void names(void)
{
    name_is("https://store.example/bucket/key?X-Amz-Signature=secret&x=1#frag",
            "https://store.example/bucket/key");
    name_is("https://user:password@store.example/key", "https://store.example/key");
    name_is("https://a@b:c@store.example:8443/key?q", "https://store.example:8443/key");
    name_is("https://store.example?sig=@secret", "https://store.example");
    name_is("https://h/a\nb\x1b[0m", "https://h/a?b?[0m");
    name_is("/relative?secret", "/relative");
}

static void check_is(const char *url, enum lf_status expected)
{
    struct lf_error err = {0};
    enum lf_status status = lf_url_check(url, &err);
    if (!CHECK_INT(status, expected))
        CHECK_STR(url, "");
}

static void allowed(void)
{
    check_is("https://acme.benchling.com", LF_OK);
    check_is("https://acme.benchling.com:8443/api/v2", LF_OK);
    check_is("http://127.0.0.1:4010/x", LF_OK);
    check_is("http://127.8.9.1/", LF_OK);
    check_is("http://localhost:1/", LF_OK);
    check_is("http://[::1]:1/", LF_OK);
    check_is("http://acme.benchling.com", LF_INVALID);
    check_is("http://localhost.evil.example/", LF_INVALID);
    check_is("http://127.0.0.1.evil.example/", LF_INVALID);
    check_is("http://10.0.0.1/", LF_INVALID);
    check_is("ftp://127.0.0.1/", LF_INVALID);
    check_is("file:///etc/passwd", LF_INVALID);
    check_is("https://u:p@acme.benchling.com/", LF_INVALID);
    check_is("https://u@acme.benchling.com/", LF_INVALID);
    check_is("acme.benchling.com", LF_INVALID);
    check_is("https://", LF_INVALID);
    check_is("", LF_INVALID);
}

static void leads(const char *from, const char *location, const char *expected)
{
    struct lf_error err = {0};
    char *target = NULL;
    enum lf_status status = transfer__url_redirect(from, location, &target, &err);
    CHECK_INT(status, expected ? LF_OK : LF_REFUSED);
    CHECK_STR(target, expected);
    free(target);
}

static void redirects(void)
{
    leads("https://a.example/x/y", "/z?q=1", "https://a.example/z?q=1");
    leads("https://a.example/x/y", "z", "https://a.example/x/z");
    leads("https://a.example/x", "https://b.example/k?sig=1", "https://b.example/k?sig=1");
    leads("https://a.example/x", "//b.example/k", "https://b.example/k");
    leads("http://127.0.0.1:1/x", "http://127.0.0.1:2/y", "http://127.0.0.1:2/y");
    leads("https://a.example/x", "http://b.example/k", NULL);
    leads("https://a.example/x", "http://127.0.0.1/k", NULL);
    leads("https://a.example/x", "file:///etc/passwd", NULL);
    leads("https://a.example/x", "https://u:p@b.example/", NULL);
}

static void memory_is_no_verdict(void)
{
    for (unsigned n = 1; unit_failing(n); n++) {
        struct lf_error err = {0};
        enum lf_status good = lf_url_check("https://store.example/key", &err);
        enum lf_status bad = lf_url_check("https://u:p@store.example/key", UNIT_ERROR);
        unit_failing_over();
        CHECK(good == LF_OK || (good == LF_NO_MEMORY && err.class == LF_TRANSIENT));
        CHECK(bad == LF_INVALID || bad == LF_NO_MEMORY);
    }
    for (unsigned n = 1; unit_failing(n); n++) {
        struct lf_error err = {0};
        char *target;
        enum lf_status status = transfer__url_redirect("http://127.0.0.1:1/x", "http://127.0.0.1:2/y",
                                                       &target, &err);
        unit_failing_over();
        CHECK(status == LF_OK ? target != NULL : status == LF_NO_MEMORY && !target);
        free(target);
    }
}

UNIT_TESTS("url",
           {"out of memory, no good URL is refused as invalid, and none with a password accepted",
            memory_is_no_verdict},
           {"all but unreserved characters are percent-encoded (RFC 3986)", encoding},
           {"a URL in a message has no query, user or control characters", names},
           {"https anywhere, http to this machine only, no credentials in URLs", allowed},
           {"a redirect may not leave https", redirects}, )

#include "base/digest.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// FIPS 180-4 example values; RFC 1321 A.5.
static void known_answers(void)
{
    char hex[LF_SHA256_HEX];
    lf_digest_bytes(LF_SHA256, "", 0, hex);
    CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    lf_digest_bytes(LF_SHA256, "abc", 3, hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lf_digest_bytes(LF_MD5, "", 0, hex);
    CHECK_STR(hex, "d41d8cd98f00b204e9800998ecf8427e");
    lf_digest_bytes(LF_MD5, "message digest", 14, hex);
    CHECK_STR(hex, "f96b697d7cb7938d525a2f31aaf161d0");
}

// FIPS 180-4: one million times "a".
static void in_pieces(void)
{
    char hex[LF_SHA256_HEX], piece[997];
    memset(piece, 'a', sizeof piece);
    struct lf_digest *digest = lf_digest_new(LF_SHA256);
    NEED(digest != NULL);
    for (size_t left = 1000000; left > 0;) {
        size_t step = left < sizeof piece ? left : sizeof piece;
        lf_digest_add(digest, piece, step);
        left -= step;
    }
    lf_digest_finish(digest, hex);
    CHECK_STR(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    lf_digest_free(lf_digest_new(LF_MD5));
    lf_digest_free(NULL);
}

// RFC 4648 section 10.
static void base64_vectors(void)
{
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t i = 0; i < 7; i++) {
        struct lf_buffer out = {0}, back = {0};
        CHECK_INT(lf_base64_append(&out, plain[i], strlen(plain[i])), LF_OK);
        CHECK(lf_slice_is(lf_buffer_slice(&out), coded[i]));
        CHECK_INT(lf_base64_decode(lf_slice_text(coded[i]), &back), LF_OK);
        CHECK(lf_slice_is(lf_buffer_slice(&back), plain[i]));
        lf_buffer_free(&out);
        lf_buffer_free(&back);
    }
}

static void base64_refuses(void)
{
    static const char *const bad[] = {"Z",        "Zg=",    "Zg",    "Z===", "====",
                                      "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm9_", "Zm=v"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lf_buffer out = {0};
        lf_buffer_text(&out, "kept");
        CHECK_INT(lf_base64_decode(lf_slice_text(bad[i]), &out), LF_INVALID);
        CHECK_STR(out.data, "kept");
        lf_buffer_free(&out);
    }
}

static void base64_of_much(void)
{
    enum { MUCH = 200001 };
    unsigned char *data = malloc(MUCH);
    NEED(data != NULL);
    for (size_t i = 0; i < MUCH; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    struct lf_buffer out = {0}, back = {0};
    CHECK_INT(lf_base64_append(&out, data, MUCH), LF_OK);
    CHECK_INT(out.len, (MUCH + 2) / 3 * 4);
    CHECK_INT(lf_base64_decode(lf_buffer_slice(&out), &back), LF_OK);
    CHECK(lf_slice_equal(lf_buffer_slice(&back), lf_slice((const char *)data, MUCH)));
    struct lf_buffer small = {.max = 150000};
    CHECK(lf_base64_append(&small, data, MUCH) != LF_OK);
    CHECK_INT(small.len, 0);
    lf_buffer_free(&small);
    lf_buffer_free(&out);
    lf_buffer_free(&back);
    free(data);
}

UNIT_TESTS("digest", {"SHA-256 and MD5 give the values in their standards", known_answers},
           {"a digest computed in pieces equals that of all bytes at once", in_pieces},
           {"base64 matches RFC 4648 in both directions", base64_vectors},
           {"malformed base64 is refused and changes nothing", base64_refuses},
           {"large data passes through base64 unchanged, or not at all", base64_of_much}, )

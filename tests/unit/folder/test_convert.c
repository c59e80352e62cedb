// Line ends and encodings, byte for byte, also across the borders of reading.
#include "bench.h"
#include "drivers/folder/convert.h"

#include "base/digest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lf_error err;

static int file_of(const char *name, const void *data, size_t len)
{
    char path[BENCH_PATH];
    snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(fd >= 0);
    CHECK_INT(write(fd, data, len), (ssize_t)len);
    return fd;
}

// Converts len bytes; returns what came out (up to 1 MB), owned, with its length.
static char *convert(const char *in, size_t len, enum lf_eol eol, enum folder_encoding encoding,
                     enum lf_status expected, size_t *out_len)
{
    char sha256[LF_SHA256_HEX] = "", again[LF_SHA256_HEX];
    int64_t size = 0;
    int from = file_of("in", in, len), to = file_of("out", "", 0);
    memset(&err, 0, sizeof err);
    CHECK_INT(folder__convert_copy(UNIT_FILE(from), UNIT_FILE(to), eol, encoding, NULL, sha256, &size, &err),
              expected);
    char *out = calloc(1, 1 << 20);
    NEED(out != NULL);
    ssize_t got = pread(to, out, 1 << 20, 0);
    *out_len = got > 0 ? (size_t)got : 0;
    if (expected == LF_OK) {
        CHECK_INT(size, got);
        lf_digest_bytes(LF_SHA256, out, *out_len, again);
        CHECK_STR(sha256, again);
    }
    close(from);
    close(to);
    return out;
}

static void expect(const char *in, enum lf_eol eol, enum folder_encoding encoding, const char *wanted)
{
    size_t len;
    char *out = convert(in, strlen(in), eol, encoding, LF_OK, &len);
    CHECK_BYTES(out, len, wanted, strlen(wanted));
    free(out);
}

static void refuse(const char *in, enum folder_encoding encoding, const char *reason)
{
    size_t len;
    free(convert(in, strlen(in), LF_EOL_KEEP, encoding, LF_INVALID, &len));
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, reason);
}

static void to_crlf(void)
{
    expect("a\nb\r\nc\rd\n\n", LF_EOL_CRLF, LF_ENCODING_KEEP, "a\r\nb\r\nc\rd\r\n\r\n");
    expect("end\r", LF_EOL_CRLF, LF_ENCODING_KEEP, "end\r");
    expect("", LF_EOL_CRLF, LF_ENCODING_KEEP, "");
    expect("\xff\xfe\n", LF_EOL_CRLF, LF_ENCODING_KEEP, "\xff\xfe\r\n"); // bytes are not looked at
}

static void to_lf(void)
{
    expect("a\r\nb\nc\rd\r\r\n\r\n", LF_EOL_LF, LF_ENCODING_KEEP, "a\nb\nc\rd\r\n\n");
    expect("end\r", LF_EOL_LF, LF_ENCODING_KEEP, "end\r");
}

static void byte_order_mark(void)
{
    expect("µl\n", LF_EOL_KEEP, LF_ENCODING_UTF8_BOM, "\xEF\xBB\xBFµl\n");
    expect("\xEF\xBB\xBFµl\n", LF_EOL_CRLF, LF_ENCODING_UTF8_BOM, "\xEF\xBB\xBFµl\r\n");
    refuse("a\n\xff\n", LF_ENCODING_UTF8_BOM, "line 2 is not valid UTF-8");
    refuse("a\nb\n\xC3", LF_ENCODING_UTF8_BOM, "line 3 is not valid UTF-8");
    refuse("a\n\xF7\x82\xAC\xAE\n", LF_ENCODING_UTF8_BOM,
           "line 2 is not valid UTF-8"); // RFC 3629: up to U+10FFFF
}

static void windows_1252(void)
{
    // from the code page's table: micro B5, euro 80, o-umlaut F6, em dash 97
    expect("\xEF\xBB\xBF"
           "5 µl, 3 €, ö — x\n",
           LF_EOL_CRLF, LF_ENCODING_WINDOWS_1252, "5 \xB5l, 3 \x80, \xF6 \x97 x\r\n");
    refuse("a\nb\nΩ\n", LF_ENCODING_WINDOWS_1252, "line 3 has a character that WINDOWS-1252 cannot hold");
    refuse("a\n\xC3(\n", LF_ENCODING_WINDOWS_1252, "line 2 is not valid UTF-8");
}

static void across_borders(void)
{
    // characters of 2 bytes and CR LFs on every side of the 64 KiB border
    for (size_t pad = 65530; pad < 65542; pad++) {
        char *in = malloc(pad + 16), *wanted = malloc(pad + 16);
        NEED(in && wanted);
        size_t len;
        memset(in, 'a', pad);
        memset(wanted, 'a', pad);
        memcpy(in + pad, "\r\n\xC3\xB6\n\xC2\xB5\r\n", 10);
        memcpy(wanted + pad, "\n\xF6\n\xB5\n", 5);
        char *out = convert(in, pad + 9, LF_EOL_LF, LF_ENCODING_WINDOWS_1252, LF_OK, &len);
        CHECK_BYTES(out, len, wanted, pad + 5);
        free(out);
        free(in);
        free(wanted);
    }
}

static void worst_growth(void)
{
    // nothing but line ends doubles in size
    size_t len;
    char *in = malloc(300000);
    NEED(in != NULL);
    memset(in, '\n', 300000);
    char *out = convert(in, 300000, LF_EOL_CRLF, LF_ENCODING_UTF8_BOM, LF_OK, &len);
    CHECK_INT(len, 600003);
    CHECK(!memcmp(out + 3, "\r\n\r\n", 4) && !memcmp(out + len - 4, "\r\n\r\n", 4));
    free(out);
    free(in);
}

UNIT_TESTS("folder: convert", {"crlf turns every lone LF into CR LF and leaves the rest", to_crlf},
           {"lf turns every CR LF into LF and leaves lone CRs", to_lf},
           {"utf-8-bom begins with exactly one byte order mark and refuses what is not UTF-8",
            byte_order_mark},
           {"windows-1252 follows its table and refuses what it cannot hold, with the line", windows_1252},
           {"a character or line end cut by a block boundary is converted correctly", across_borders},
           {"a file of line ends alone doubles in size, and nothing breaks", worst_growth}, )

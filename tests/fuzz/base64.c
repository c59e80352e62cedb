/* Base64: encoding and decoding is lossless; only strict base64 is decoded. */
#include "fuzz.h"

#include "base/digest.h"

#include <string.h>

static void check_bytes(struct lf_slice bytes)
{
    struct lf_buffer encoded = {0}, decoded = {0};
    MUST(lf_base64_append(&encoded, bytes.data, bytes.len) == LF_OK, "%zu bytes", bytes.len);
    MUST(encoded.len == (bytes.len + 2) / 3 * 4, "%zu bytes became %zu", bytes.len, encoded.len);
    MUST(lf_base64_decode(lf_buffer_slice(&encoded), &decoded) == LF_OK, "our own text is refused: %s",
         encoded.data);
    MUST(lf_slice_equal(lf_buffer_slice(&decoded), bytes), "%zu bytes came back as %zu different ones",
         bytes.len, decoded.len);
    lf_buffer_free(&encoded);
    lf_buffer_free(&decoded);
}

/* Decoding appends; a refusal changes nothing. */
static void check_text(struct lf_slice text)
{
    struct lf_buffer out = {0}, again = {0};
    fuzz_need(lf_buffer_text(&out, "before") == LF_OK, "out of memory");
    enum lf_status status = lf_base64_decode(text, &out);
    MUST(status == LF_OK || status == LF_INVALID, "status %s", lf_status_name(status));
    MUST(out.len >= 6 && !memcmp(out.data, "before", 6), "what was there has changed");
    MUST(status == LF_OK || out.len == 6, "refused, but %zu bytes were added", out.len - 6);
    if (status == LF_OK) {
        MUST(text.len % 4 == 0 && out.len - 6 <= text.len / 4 * 3, "%zu characters gave %zu", text.len,
             out.len - 6);
        MUST(lf_base64_append(&again, out.data + 6, out.len - 6) == LF_OK && again.len == text.len,
             "%zu characters stand for what takes %zu", text.len, again.len);
    }
    lf_buffer_free(&again);
    lf_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_bytes(lf_slice((const char *)data, size));
    check_text(lf_slice((const char *)data, size));
    return 0;
}

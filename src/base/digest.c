#include "base/digest.h"

#include <openssl/evp.h>

/* struct lf_digest is an EVP_MD_CTX. */
static EVP_MD_CTX *context_of(struct lf_digest *digest)
{
    return (EVP_MD_CTX *)digest;
}

static void to_hex(const unsigned char *bytes, size_t len, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * len] = '\0';
}

struct lf_digest *lf_digest_new(enum lf_digest_kind kind)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && !EVP_DigestInit_ex(context, kind == LF_SHA256 ? EVP_sha256() : EVP_md5(), NULL)) {
        EVP_MD_CTX_free(context);
        context = NULL;
    }
    return (struct lf_digest *)context;
}

void lf_digest_add(struct lf_digest *digest, const void *data, size_t len)
{
    EVP_DigestUpdate(context_of(digest), data, len);
}

void lf_digest_finish(struct lf_digest *digest, char *hex)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    EVP_DigestFinal_ex(context_of(digest), bytes, &len);
    to_hex(bytes, len, hex);
    lf_digest_free(digest);
}

void lf_digest_free(struct lf_digest *digest)
{
    EVP_MD_CTX_free(context_of(digest));
}

enum lf_status lf_digest_bytes(enum lf_digest_kind kind, const void *data, size_t len, char *hex)
{
    struct lf_digest *digest = lf_digest_new(kind);
    if (!digest)
        return LF_NO_MEMORY;
    lf_digest_add(digest, data, len);
    lf_digest_finish(digest, hex);
    return LF_OK;
}

enum lf_status lf_base64_append(struct lf_buffer *out, const void *data, size_t len)
{
    enum { STEP = 3 * 16384 };
    const unsigned char *bytes = data;
    if (len > SIZE_MAX / 2)
        return LF_TOO_LARGE;
    if (!lf_buffer_reserve(out, (len + 2) / 3 * 4)) /* all at once: a failed append changes nothing */
        return LF_NO_MEMORY;
    while (len) {
        size_t step = len > STEP ? STEP : len;
        out->len += (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->len, bytes, (int)step);
        bytes += step;
        len -= step;
    }
    return LF_OK;
}

static bool base64_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

enum lf_status lf_base64_decode(struct lf_slice text, struct lf_buffer *out)
{
    if (text.len % 4)
        return LF_INVALID;
    for (size_t i = 0; i < text.len; i++)
        if (!base64_letter(text.data[i])
            && !(text.data[i] == '=' && i + 2 >= text.len && (i + 1 == text.len || text.data[i + 1] == '=')))
            return LF_INVALID;
    enum { STEP = 4 * 16384 };
    size_t start = out->len;
    for (size_t at = 0; at < text.len; at += STEP) {
        size_t step = text.len - at < STEP ? text.len - at : STEP;
        char *room = lf_buffer_reserve(out, step / 4 * 3);
        int got = room ? EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)text.data + at,
                                         (int)step)
                       : -2;
        if (got < 0) {
            out->len = start;
            return got == -2 ? LF_NO_MEMORY : LF_INVALID;
        }
        out->len += (size_t)got;
    }
    if (text.len && text.data[text.len - 1] == '=')
        out->len -= text.len > 1 && text.data[text.len - 2] == '=' ? 2 : 1;
    if (out->data)
        out->data[out->len] = '\0';
    return LF_OK;
}

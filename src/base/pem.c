#include "base/pem.h"

#include "base/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

enum { PEM_MAX = 4 * 1024 * 1024 }; /* all certificate authorities of a system are a quarter of a megabyte */

#define REFUSE(...) lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, __VA_ARGS__)

static BIO *open_text(const struct lf_buffer *text)
{
    return BIO_new_mem_buf(text->data, (int)text->len);
}

/* The first certificate. Returns owned; NULL: there is none. */
static X509 *first_certificate(const struct lf_buffer *text)
{
    BIO *in = open_text(text);
    X509 *certificate = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    return certificate;
}

/* Without a passphrase, a key that is protected by one is not read. */
static int no_passphrase(char *room, int size, int writing, void *context)
{
    (void)room, (void)size, (void)writing;
    *(bool *)context = true;
    return -1;
}

static enum lf_status read_certificate(const char *path, X509 **certificate, struct lf_error *err)
{
    struct lf_buffer text = {0};
    enum lf_status status = lf_file_read(path, PEM_MAX, &text, err);
    *certificate = status == LF_OK ? first_certificate(&text) : NULL;
    if (status == LF_OK && !*certificate)
        status = REFUSE("%s has no certificate (PEM)%s", path,
                        strstr(text.data, "PRIVATE KEY-----")
                            ? ", but a private key, which must stay secret; "
                              "name the file with the certificate"
                            : "; name the file with the certificate");
    lf_buffer_free(&text);
    ERR_clear_error();
    return status;
}

static enum lf_status read_key(const char *path, EVP_PKEY **key, struct lf_error *err)
{
    struct lf_buffer text = {0};
    bool has_passphrase = false;
    enum lf_status status = lf_file_read_secret(path, &text, err);
    BIO *in = status == LF_OK ? open_text(&text) : NULL;
    *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &has_passphrase) : NULL;
    if (status == LF_OK && has_passphrase)
        status =
            REFUSE("%s has a passphrase, which nobody can enter when the agent starts; write the key without "
                   "one, readable by the agent's user only",
                   path);
    else if (status == LF_OK && !*key)
        status = REFUSE("%s has no private key (PEM)%s", path,
                        strstr(text.data, "CERTIFICATE-----") ? ", but a certificate" : "");
    BIO_free(in);
    lf_buffer_wipe(&text);
    ERR_clear_error();
    return status;
}

enum lf_status lf_pem_check_certificates(const char *path, struct lf_error *err)
{
    X509 *certificate;
    enum lf_status status = read_certificate(path, &certificate, err);
    X509_free(certificate);
    return status;
}

enum lf_status lf_pem_check_pair(const char *certificate, const char *key, struct lf_error *err)
{
    X509 *shown = NULL;
    EVP_PKEY *secret = NULL;
    enum lf_status status = read_certificate(certificate, &shown, err);
    if (status == LF_OK)
        status = read_key(key, &secret, err);
    if (status == LF_OK && X509_check_private_key(shown, secret) != 1)
        status = REFUSE("the key in %s does not fit the certificate in %s; name two that belong together",
                        key, certificate);
    X509_free(shown);
    EVP_PKEY_free(secret);
    ERR_clear_error();
    return status;
}

#include "base/pem.h"

#include "unit.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

static struct lf_error err;
static char certificate[4300], key[4300], other_key[4300], locked_key[4300], text[4300];

static void name(char path[4300], const char *file)
{
    snprintf(path, 4300, "%s/%s", unit_folder(), file);
}

static void write_key(const char *path, EVP_PKEY *pair, const char *passphrase)
{
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    NEED(PEM_write_PrivateKey(file, pair, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                              (void *)passphrase)
         == 1);
    fclose(file);
    NEED(chmod(path, 0600) == 0);
}

static void write_certificate(const char *path, EVP_PKEY *pair)
{
    X509 *made = X509_new();
    FILE *file = fopen(path, "w");
    NEED(made && file);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), 0);
    X509_gmtime_adj(X509_getm_notAfter(made), 60);
    X509_set_pubkey(made, pair);
    NEED(X509_sign(made, pair, EVP_sha256()) > 0 && PEM_write_X509(file, made) == 1);
    fclose(file);
    X509_free(made);
}

static void make(void)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    NEED(pair && other);
    name(certificate, "a.pem");
    name(key, "a.key");
    name(other_key, "b.key");
    name(locked_key, "c.key");
    name(text, "d.pem");
    write_certificate(certificate, pair);
    write_key(key, pair, NULL);
    write_key(other_key, other, NULL);
    write_key(locked_key, pair, "secret");
    unit_write(text, "no certificate\n");
    EVP_PKEY_free(pair);
    EVP_PKEY_free(other);
}

static void pairs(void)
{
    make();
    CHECK_INT(lf_pem_check_certificates(certificate, &err), LF_OK);
    CHECK_INT(lf_pem_check_pair(certificate, key, &err), LF_OK);
    CHECK_INT(lf_pem_check_pair(certificate, other_key, &err), LF_INVALID);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "b.key does not fit the certificate in ");
}

static void no_certificates(void)
{
    make();
    CHECK_INT(lf_pem_check_certificates(key, &err), LF_INVALID);
    CHECK_HAS(err.text, "has no certificate (PEM), but a private key");
    CHECK_INT(lf_pem_check_certificates(text, &err), LF_INVALID);
    CHECK_HAS(err.text, "has no certificate (PEM); name the file");
    CHECK_INT(lf_pem_check_pair(certificate, certificate, &err), LF_DENIED); /* others may read it */
    NEED(chmod(certificate, 0600) == 0);
    CHECK_INT(lf_pem_check_pair(certificate, certificate, &err), LF_INVALID);
    CHECK_HAS(err.text, "has no private key (PEM), but a certificate");
}

static void passphrase(void)
{
    make();
    CHECK_INT(lf_pem_check_pair(certificate, locked_key, &err), LF_INVALID);
    CHECK_HAS(err.text, "has a passphrase, which nobody can enter");
}

UNIT_TESTS("pem files", {"a key that does not fit its certificate is refused", pairs},
           {"a file without a certificate, or without a key, is refused with what it has instead",
            no_certificates},
           {"a key with a passphrase is refused", passphrase}, )

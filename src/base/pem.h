/* Files with certificates and keys (PEM), checked before a TLS library meets them: it would say no more than
 * that a handshake failed.
 */
#ifndef LF_BASE_PEM_H
#define LF_BASE_PEM_H

#include "base/error.h"

/* LF_OK: the file has at least one certificate. Otherwise the text says what it has instead. Class: needs a
 * person; also below. */
enum lf_status lf_pem_check_certificates(const char *path, struct lf_error *err);
/* The private key fits the first certificate. A key with a passphrase is refused: nobody could enter it. */
enum lf_status lf_pem_check_pair(const char *certificate, const char *key, struct lf_error *err);

#endif

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

/// A BIO that reads `length` bytes of `text`, which must outlive it.
BIO *copenssl_reader(const void *text, int length);

/// A BIO that collects the written bytes.
BIO *copenssl_writer(void);

/// The bytes collected by a writer; valid until the BIO is freed.
long copenssl_written(BIO *writer, const char **bytes);

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/// A server's context with everything that does not depend on configuration: no renegotiation or compression, partial writes.
SSL_CTX *copenssl_server_context(void);
/// Sets the protocol versions; 0 for OpenSSL's own limit. False for an unknown version.
bool copenssl_set_versions(SSL_CTX *context, int minimum, int maximum);
/// Curves (groups) in order of preference, with colons between. False if one is unknown.
bool copenssl_set_groups(SSL_CTX *context, const char *groups);
/// The protocols offered by ALPN in the server's order, in wire format.
void copenssl_set_protocols(SSL_CTX *context, const unsigned char *protocols, size_t count);
/// Whether the server's order of cipher suites is used instead of the client's.
void copenssl_prefer_server_ciphers(SSL_CTX *context, bool prefer);
/// Accepts certificates that no configured authority has signed: the client must only have the key.
void copenssl_accept_any_certificate(SSL_CTX *context, int mode);
/// Adds the certificates of a PEM text to the authorities for clients. The number added, or -1.
int copenssl_add_client_authorities(SSL_CTX *context, BIO *pem);
/// Uses the first certificate of a PEM text, and the rest as its chain. 1 for success.
int copenssl_use_certificate_chain(SSL_CTX *context, BIO *pem);

/// A server's connection on a socket, which is written without SIGPIPE and stays open when the connection is freed.
SSL *copenssl_accept(SSL_CTX *context, int descriptor);
/// Whether the client's first bytes were a plain HTTP request, after a failed handshake. Removes the reason from the
/// error queue.
bool copenssl_failed_by_plain_http(void);
/// The next alternative name of a certificate in Go's notation at `index`, or false behind the last. Empty for kinds that Go
/// does not know.
bool copenssl_alternative_name(X509 *certificate, int index, char *text, size_t capacity);
/// The subject in RFC 2253's notation.
void copenssl_subject(X509 *certificate, char *text, size_t capacity);

/// A public RSA key of modulus and exponent, big-endian; NULL where OpenSSL refuses it.
EVP_PKEY *copenssl_rsa_key(
    const unsigned char *modulus, size_t modulus_count, const unsigned char *exponent, size_t exponent_count);
/// A public key on a curve from an uncompressed point; NULL where the point is not on it.
EVP_PKEY *copenssl_ec_key(const char *group, const unsigned char *point, size_t count);
/// 1 where the signature is right. `digest` is NULL for EdDSA; a signature of ECDSA is two numbers of `coordinate` bytes.
int copenssl_verify(
    EVP_PKEY *key, const char *digest, bool is_pss, int coordinate, const unsigned char *signature, size_t signature_count,
    const unsigned char *message, size_t count);

/// Lengths in bytes: an uncompressed point of P-256, one of its numbers, and the tag of AES-GCM.
#define COPENSSL_P256_POINT 65
#define COPENSSL_P256_NUMBER 32
#define COPENSSL_GCM_TAG 16

/// A new private key on P-256, or NULL.
EVP_PKEY *copenssl_p256_generate(void);
/// The private key of a secret number of 32 bytes, big-endian; NULL where it is 0 or too large.
EVP_PKEY *copenssl_p256_private(const unsigned char *number);
/// Writes the public point of a key, uncompressed; false for a key of another kind or curve.
bool copenssl_p256_point(EVP_PKEY *key, unsigned char *point);
/// Whether the key has its secret number.
bool copenssl_p256_is_private(EVP_PKEY *key);
/// Writes the 32 bytes that the owners of both keys share (ECDH); false where the peer's point is not on the curve.
bool copenssl_p256_shared(EVP_PKEY *key, const unsigned char *point, unsigned char *secret);
/// Writes the two numbers of an ECDSA signature with SHA-256, 64 bytes.
bool copenssl_p256_sign(EVP_PKEY *key, const unsigned char *message, size_t count, unsigned char *signature);
/// Encrypts with AES-128-GCM (key of 16 bytes, nonce of 12) and appends the tag: `count` + 16 bytes.
bool copenssl_aes128gcm_seal(
    const unsigned char *key, const unsigned char *nonce, const unsigned char *text, size_t count, unsigned char *sealed);

#pragma once
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

/// A BIO that reads `length` bytes of `text`, which must outlive it.
BIO *copenssl_reader(const void *text, int length);

/// A BIO that collects what is written to it.
BIO *copenssl_writer(void);

/// The bytes collected by a writer; valid until the BIO is freed.
long copenssl_written(BIO *writer, const char **bytes);

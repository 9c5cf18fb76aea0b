#include "COpenSSL.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

static EVP_PKEY *key_from(const char *type, OSSL_PARAM *parameters) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1
        || EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

EVP_PKEY *copenssl_rsa_key(
    const unsigned char *modulus, size_t modulus_count, const unsigned char *exponent, size_t exponent_count) {
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_count, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_count, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    // An exponent of 1, or an even one, would make any signature right.
    if (n != NULL && e != NULL && builder != NULL && BN_is_odd(e) && !BN_is_one(e)
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        parameters = OSSL_PARAM_BLD_to_param(builder);
    if (parameters != NULL) key = key_from("RSA", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

EVP_PKEY *copenssl_ec_key(const char *group, const unsigned char *point, size_t count) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, count),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *key = key_from("EC", parameters);
    if (key == NULL) return NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    int is_valid = context != NULL && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (is_valid) return key;
    EVP_PKEY_free(key);
    return NULL;
}

/// The two numbers of a signature of JSON Web Signatures in DER. The length, or 0.
static int der_signature(int coordinate, const unsigned char *signature, size_t count, unsigned char **der) {
    if (count != 2 * (size_t)coordinate) return 0;
    BIGNUM *r = BN_bin2bn(signature, coordinate, NULL);
    BIGNUM *s = BN_bin2bn(signature + coordinate, coordinate, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    // Zero is no number of a signature (CVE-2022-21449).
    if (r == NULL || s == NULL || pair == NULL || BN_is_zero(r) || BN_is_zero(s) || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return 0;
    }
    int length = i2d_ECDSA_SIG(pair, der);
    ECDSA_SIG_free(pair);
    return length;
}

int copenssl_verify(
    EVP_PKEY *key, const char *digest, bool is_pss, int coordinate, const unsigned char *signature, size_t signature_count,
    const unsigned char *message, size_t count) {
    unsigned char *der = NULL;
    if (coordinate > 0) {
        int length = der_signature(coordinate, signature, signature_count, &der);
        if (length <= 0) return 0;
        signature = der;
        signature_count = (size_t)length;
    }
    int result = 0;
    EVP_PKEY_CTX *details = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestVerifyInit_ex(context, &details, digest, NULL, NULL, key, NULL) == 1
        && (!is_pss
            || (EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST) == 1)))
        result = EVP_DigestVerify(context, signature, signature_count, message, count);
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return result;
}

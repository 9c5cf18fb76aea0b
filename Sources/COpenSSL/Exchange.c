#include "COpenSSL.h"
#include <limits.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>

static const char *const curve = "P-256";

EVP_PKEY *copenssl_p256_generate(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve); }

EVP_PKEY *copenssl_p256_private(const unsigned char *number) {
    EVP_PKEY *key = NULL;
    unsigned char point[COPENSSL_P256_POINT];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *public = group == NULL ? NULL : EC_POINT_new(group);
    BIGNUM *secret = BN_bin2bn(number, COPENSSL_P256_NUMBER, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (public != NULL && secret != NULL && builder != NULL && context != NULL && !BN_is_zero(secret)
        && BN_cmp(secret, EC_GROUP_get0_order(group)) < 0 && EC_POINT_mul(group, public, secret, NULL, NULL, NULL) == 1
        && EC_POINT_point2oct(group, public, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, NULL) == sizeof point
        && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1
        && OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret) == 1
        && (parameters = OSSL_PARAM_BLD_to_param(builder)) != NULL
        && (EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1))
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(secret);
    EC_POINT_free(public);
    EC_GROUP_free(group);
    return key;
}

bool copenssl_p256_point(EVP_PKEY *key, unsigned char *point) {
    char group[32];
    size_t length = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &length) != 1
        || OBJ_txt2nid(group) != NID_X9_62_prime256v1)
        return false;
    return EVP_PKEY_get_octet_string_param(
               key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, COPENSSL_P256_POINT, &length) == 1
        && length == COPENSSL_P256_POINT && point[0] == 4;
}

bool copenssl_p256_is_private(EVP_PKEY *key) {
    BIGNUM *secret = NULL;
    bool result = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &secret) == 1;
    BN_clear_free(secret);
    return result;
}

bool copenssl_p256_shared(EVP_PKEY *key, const unsigned char *point, unsigned char *secret) {
    EVP_PKEY *peer = copenssl_ec_key(curve, point, COPENSSL_P256_POINT);
    EVP_PKEY_CTX *context = peer == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    size_t length = COPENSSL_P256_NUMBER;
    bool result = context != NULL && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer) == 1
        && EVP_PKEY_derive(context, secret, &length) == 1 && length == COPENSSL_P256_NUMBER;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    return result;
}

bool copenssl_p256_sign(EVP_PKEY *key, const unsigned char *message, size_t count, unsigned char *signature) {
    unsigned char der[80];
    size_t length = sizeof der;
    ECDSA_SIG *pair = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key, NULL) == 1
        && EVP_DigestSign(context, der, &length, message, count) == 1) {
        const unsigned char *start = der;
        pair = d2i_ECDSA_SIG(NULL, &start, (long)length);
    }
    bool result = pair != NULL
        && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, COPENSSL_P256_NUMBER) == COPENSSL_P256_NUMBER
        && BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + COPENSSL_P256_NUMBER, COPENSSL_P256_NUMBER)
            == COPENSSL_P256_NUMBER;
    ECDSA_SIG_free(pair);
    EVP_MD_CTX_free(context);
    return result;
}

bool copenssl_aes128gcm_seal(
    const unsigned char *key, const unsigned char *nonce, const unsigned char *text, size_t count, unsigned char *sealed) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int length = 0, rest = 0;
    // The default length of the nonce is that of this function.
    bool result = context != NULL && count <= INT_MAX && EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, key, nonce) == 1
        && EVP_EncryptUpdate(context, sealed, &length, text, (int)count) == 1
        && EVP_EncryptFinal_ex(context, sealed + length, &rest) == 1 && (size_t)(length + rest) == count
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, COPENSSL_GCM_TAG, sealed + count) == 1;
    EVP_CIPHER_CTX_free(context);
    return result;
}

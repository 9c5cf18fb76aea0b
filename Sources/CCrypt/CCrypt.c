#include "CCrypt.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

bool ccrypt_hash(const char *password, char *hash, size_t capacity) {
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (crypt_gensalt_rn("$2b$", 10, NULL, 0, setting, sizeof setting) == NULL) return false;
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL) return false;
    const char *result = crypt_r(password, setting, data);
    bool isMade = result != NULL && result[0] != '*' && strlen(result) < capacity;
    if (isMade) memcpy(hash, result, strlen(result) + 1);
    explicit_bzero(data, sizeof *data);
    free(data);
    return isMade;
}

bool ccrypt_verify(const char *password, const char *hash) {
    // Too large for the stack of a thread.
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL) return false;
    const char *result = crypt_r(password, hash, data);
    unsigned char difference = 1;
    // libcrypt begins its result with an asterisk where it fails.
    if (result != NULL && result[0] != '*' && strlen(result) == strlen(hash)) {
        difference = 0;
        for (size_t index = 0; hash[index] != 0; index++)
            difference |= (unsigned char)(result[index] ^ hash[index]);
    }
    explicit_bzero(data, sizeof *data);
    free(data);
    return difference == 0;
}

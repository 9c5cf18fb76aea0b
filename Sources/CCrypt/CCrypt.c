#include "CCrypt.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

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

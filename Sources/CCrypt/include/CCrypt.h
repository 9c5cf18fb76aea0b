#pragma once
#include <stdbool.h>

/// Whether `password` has the bcrypt hash `hash`. Takes as long as the hash's cost says; compares in constant time.
bool ccrypt_verify(const char *password, const char *hash);

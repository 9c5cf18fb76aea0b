#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Writes a bcrypt hash of `password` with cost 10 and random salt, with a zero byte, to `hash`. False where that fails.
bool ccrypt_hash(const char *password, char *hash, size_t capacity);

/// Whether `password` has the bcrypt hash `hash`. Takes as long as the hash's cost says; compares in constant time.
bool ccrypt_verify(const char *password, const char *hash);

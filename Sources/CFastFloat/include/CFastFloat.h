#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Reads a decimal floating point number at `text`, correctly rounded. Returns how many bytes it took, 0 for none.
size_t cfastfloat_parse(const char *text, size_t length, double *value);

#ifdef __cplusplus
}
#endif

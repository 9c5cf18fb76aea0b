#include "CFastFloat.h"

#include <fast_float/fast_float.h>

size_t cfastfloat_parse(const char *text, size_t length, double *value) {
    auto result = fast_float::from_chars(text, text + length, *value);
    if (result.ec == std::errc::invalid_argument) return 0;
    return static_cast<size_t>(result.ptr - text);
}

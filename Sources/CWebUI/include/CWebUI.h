#ifndef CWEBUI_H
#define CWEBUI_H

#include <stddef.h>

/// A file of the web application, embedded in the binary by the compiler.
struct cwebui_file {
    const char *_Nonnull name;
    const unsigned char *_Nonnull bytes;
    size_t length;
};

/// Every file.
extern const struct cwebui_file cwebui_files[];
extern const size_t cwebui_count;

/// The file at `index`, which must be less than `cwebui_count`.
static inline struct cwebui_file cwebui_file_at(size_t index) { return cwebui_files[index]; }

#endif

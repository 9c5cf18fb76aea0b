#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled RE2 pattern. Immutable after compilation; may be shared between threads.
typedef struct cre2_pattern cre2_pattern;

/// A piece of the matched text; `start` is NULL if a group did not participate.
typedef struct {
    const char *start;
    size_t length;
} cre2_piece;

/// Compiles `pattern` (UTF-8). On failure returns NULL and writes a NUL-terminated reason into `error`.
cre2_pattern *cre2_compile(const char *pattern, size_t length, char *error, size_t error_capacity);
void cre2_free(cre2_pattern *pattern);

/// Number of capturing groups.
int cre2_group_count(const cre2_pattern *pattern);
/// The name of group `index`, or NULL. Valid as long as the pattern.
const char *cre2_group_name(const cre2_pattern *pattern, int index);

/// Matches `text`, anchored at both ends or anywhere, filling `pieces` (whole match first).
bool cre2_match(const cre2_pattern *pattern, const char *text, size_t length, size_t from, bool anchored,
                cre2_piece *pieces, int piece_count);

#ifdef __cplusplus
}
#endif

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// One HTTP/1 answer after another, read piece by piece with http_parser, without a copy where the caller reads into the body's
/// own memory. Belongs to one thread at a time.
typedef struct chttp_reader chttp_reader;

typedef enum {
    /// All bytes are read and the answer goes on.
    CHTTP_MORE,
    /// The head of the final answer is whole; what was not consumed is to be read next.
    CHTTP_HEAD,
    /// The answer is whole; what was not consumed does not belong to it.
    CHTTP_DONE,
    /// It is no HTTP; see `chttp_reader_problem`.
    CHTTP_FAILED,
} chttp_progress;

/// NULL where there is no memory.
chttp_reader *chttp_reader_make(size_t maximum_head);
void chttp_reader_free(chttp_reader *reader);
/// Begins with the next answer.
void chttp_reader_reset(chttp_reader *reader);

/// Reads up to `count` bytes and says how many in `consumed`. What of them is body is moved to the front of `body`, which has
/// room for `count` bytes and may be where `bytes` is; `body_count` says how many that are.
chttp_progress chttp_read(
    chttp_reader *reader, const void *bytes, size_t count, void *body, size_t *consumed, size_t *body_count);
/// The peer has closed the connection: `CHTTP_DONE` where that ends the answer.
chttp_progress chttp_read_end(chttp_reader *reader);

int chttp_reader_status(const chttp_reader *reader);
/// Whether the head has a `Transfer-Encoding`, of whatever kind. From `CHTTP_HEAD` on.
bool chttp_reader_is_coded(const chttp_reader *reader);
/// How many bytes of the body are still to come, or -1 where the head does not say. From `CHTTP_HEAD` on.
int64_t chttp_reader_remaining(const chttp_reader *reader);
/// Whether the connection may be used again, after `CHTTP_DONE`.
bool chttp_reader_keeps_alive(const chttp_reader *reader);
/// The fields of the head, a line each; valid until the next reset.
const char *chttp_reader_head(const chttp_reader *reader, size_t *count);
/// What is wrong, in words.
const char *chttp_reader_problem(const chttp_reader *reader);

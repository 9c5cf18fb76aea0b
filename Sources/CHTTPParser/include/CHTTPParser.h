#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Reads HTTP/1 responses piece by piece with http_parser, without a copy if the caller reads into the body's own
/// memory. Belongs to one thread at a time.
typedef struct chttp_reader chttp_reader;

typedef enum {
    /// All bytes were read and the response continues.
    CHTTP_MORE,
    /// The head of the final response is complete. Bytes that were not consumed must be read next.
    CHTTP_HEAD,
    /// The response is complete. Bytes that were not consumed do not belong to it.
    CHTTP_DONE,
    /// It is not HTTP; see `chttp_reader_problem`.
    CHTTP_FAILED,
} chttp_progress;

/// NULL without memory.
chttp_reader *chttp_reader_make(size_t maximum_head);
void chttp_reader_free(chttp_reader *reader);
/// Starts the next response.
void chttp_reader_reset(chttp_reader *reader);

/// Reads up to `count` bytes and sets `consumed` to the number of bytes read. Those that are body are moved to the
/// front of `body`, which has room for `count` bytes and may be equal to `bytes`; `body_count` is their number.
chttp_progress chttp_read(
    chttp_reader *reader, const void *bytes, size_t count, void *body, size_t *consumed, size_t *body_count);
/// The peer has closed the connection: `CHTTP_DONE` if that ends the response.
chttp_progress chttp_read_end(chttp_reader *reader);

int chttp_reader_status(const chttp_reader *reader);
/// Whether the head has a `Transfer-Encoding` of any kind. From `CHTTP_HEAD` on.
bool chttp_reader_is_coded(const chttp_reader *reader);
/// The number of remaining bytes of the body, or -1 if the head does not specify it. From `CHTTP_HEAD` on.
int64_t chttp_reader_remaining(const chttp_reader *reader);
/// Whether the connection may be reused, after `CHTTP_DONE`.
bool chttp_reader_keeps_alive(const chttp_reader *reader);
/// The fields of the head, a line each; valid until the next reset.
const char *chttp_reader_head(const chttp_reader *reader, size_t *count);
/// The error message.
const char *chttp_reader_problem(const chttp_reader *reader);

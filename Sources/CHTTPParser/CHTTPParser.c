#include "CHTTPParser.h"

#include <http_parser.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct chttp_reader {
    http_parser parser;
    size_t maximum_head;
    char *head;
    size_t head_count;
    size_t head_capacity;
    char *body;
    size_t body_count;
    /// The last part of the head that was read.
    enum { NOTHING, NAME, VALUE } last;
    /// After it come trailers, which are ignored.
    bool is_head_whole;
    bool is_done;
    bool keeps_alive;
};

static chttp_reader *reader_of(http_parser *parser) { return parser->data; }

static int append(chttp_reader *reader, const char *bytes, size_t count) {
    size_t needed = reader->head_count + count;
    if (needed > reader->maximum_head) return -1;
    if (needed > reader->head_capacity) {
        size_t capacity = needed < 512 ? 1024 : 2 * needed;
        char *head = realloc(reader->head, capacity);
        if (head == NULL) return -1;
        reader->head = head;
        reader->head_capacity = capacity;
    }
    memcpy(reader->head + reader->head_count, bytes, count);
    reader->head_count = needed;
    return 0;
}

static int message_began(http_parser *parser) {
    chttp_reader *reader = reader_of(parser);
    reader->head_count = 0;
    reader->last = NOTHING;
    reader->is_head_whole = false;
    return 0;
}

static int name_came(http_parser *parser, const char *bytes, size_t count) {
    chttp_reader *reader = reader_of(parser);
    if (reader->is_head_whole) return 0;
    if (reader->last == VALUE && append(reader, "\r\n", 2) != 0) return -1;
    reader->last = NAME;
    return append(reader, bytes, count);
}

static int value_came(http_parser *parser, const char *bytes, size_t count) {
    chttp_reader *reader = reader_of(parser);
    if (reader->is_head_whole) return 0;
    if (reader->last == NAME && append(reader, ": ", 2) != 0) return -1;
    reader->last = VALUE;
    return append(reader, bytes, count);
}

static bool is_interim(const http_parser *parser) { return parser->status_code >= 100 && parser->status_code < 200; }

static int head_ended(http_parser *parser) {
    chttp_reader *reader = reader_of(parser);
    // Only HTTP was requested.
    if (parser->status_code == 101) return -1;
    if (is_interim(parser)) return 0;
    if (reader->last != NOTHING && append(reader, "\r\n", 2) != 0) return -1;
    reader->is_head_whole = true;
    http_parser_pause(parser, 1);
    // Whatever the head says, these have no body, which 1 means.
    return parser->status_code == 204 || parser->status_code == 304;
}

static int body_came(http_parser *parser, const char *bytes, size_t count) {
    chttp_reader *reader = reader_of(parser);
    char *end = reader->body + reader->body_count;
    if (end != bytes) memmove(end, bytes, count);
    reader->body_count += count;
    return 0;
}

static int message_ended(http_parser *parser) {
    chttp_reader *reader = reader_of(parser);
    if (is_interim(parser)) return 0;
    reader->is_done = true;
    reader->keeps_alive = http_should_keep_alive(parser) != 0;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = message_began,
    .on_header_field = name_came,
    .on_header_value = value_came,
    .on_headers_complete = head_ended,
    .on_body = body_came,
    .on_message_complete = message_ended,
};

// The reader counts the bytes that it keeps. http_parser's own limit, which applies to the process, must only be
// larger.
static void lift_limit(void) { http_parser_set_max_header_size(16 << 20); }

chttp_reader *chttp_reader_make(size_t maximum_head) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, lift_limit);
    chttp_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return NULL;
    reader->maximum_head = maximum_head;
    chttp_reader_reset(reader);
    return reader;
}

void chttp_reader_free(chttp_reader *reader) {
    free(reader->head);
    free(reader);
}

void chttp_reader_reset(chttp_reader *reader) {
    http_parser_init(&reader->parser, HTTP_RESPONSE);
    reader->parser.data = reader;
    // As lenient as other scrapers: chunks take precedence over a length, and values may contain any bytes.
    reader->parser.allow_chunked_length = 1;
    reader->parser.lenient_http_headers = 1;
    reader->is_done = reader->keeps_alive = false;
    message_began(&reader->parser);
}

static chttp_progress read_on(chttp_reader *reader, const void *bytes, size_t count, size_t *consumed) {
    bool was_head_whole = reader->is_head_whole;
    if (HTTP_PARSER_ERRNO(&reader->parser) == HPE_PAUSED) http_parser_pause(&reader->parser, 0);
    *consumed = http_parser_execute(&reader->parser, &settings, bytes, count);
    if (reader->is_done) return CHTTP_DONE;
    if (HTTP_PARSER_ERRNO(&reader->parser) == HPE_PAUSED && !was_head_whole) return CHTTP_HEAD;
    return HTTP_PARSER_ERRNO(&reader->parser) == HPE_OK ? CHTTP_MORE : CHTTP_FAILED;
}

chttp_progress chttp_read(
    chttp_reader *reader, const void *bytes, size_t count, void *body, size_t *consumed, size_t *body_count) {
    reader->body = body;
    reader->body_count = 0;
    chttp_progress progress = read_on(reader, bytes, count, consumed);
    *body_count = reader->body_count;
    return progress;
}

chttp_progress chttp_read_end(chttp_reader *reader) {
    size_t consumed;
    chttp_progress progress = read_on(reader, NULL, 0, &consumed);
    return progress == CHTTP_DONE ? CHTTP_DONE : CHTTP_FAILED;
}

int chttp_reader_status(const chttp_reader *reader) { return reader->parser.status_code; }

bool chttp_reader_is_coded(const chttp_reader *reader) { return reader->parser.uses_transfer_encoding; }

int64_t chttp_reader_remaining(const chttp_reader *reader) {
    if (reader->parser.flags & F_CHUNKED || reader->parser.content_length > INT64_MAX) return -1;
    return (int64_t)reader->parser.content_length;
}

bool chttp_reader_keeps_alive(const chttp_reader *reader) { return reader->keeps_alive; }

const char *chttp_reader_head(const chttp_reader *reader, size_t *count) {
    *count = reader->head_count;
    return reader->head;
}

const char *chttp_reader_problem(const chttp_reader *reader) {
    if (reader->head_count >= reader->maximum_head / 2 && !reader->is_head_whole) return "the header is too long";
    return http_errno_description(HTTP_PARSER_ERRNO(&reader->parser));
}

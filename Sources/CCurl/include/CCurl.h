#pragma once
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CCurlLoop.h"

// Typed forms of libcurl's variadic functions, which Swift does not import.

/// libcurl's callback for body or header bytes. Returns the number of bytes taken; fewer than `size * count` aborts.
typedef size_t (*ccurl_sink)(char *bytes, size_t size, size_t count, void *context);

/// libcurl's callback for bytes to send. Returns the number of bytes put into `bytes`; 0 at the end.
typedef size_t (*ccurl_source)(char *bytes, size_t size, size_t count, void *context);

/// Initialises libcurl for the whole process. Further calls do nothing.
CURLcode ccurl_global_init(void);

CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value);
CURLcode ccurl_set_size(CURL *handle, CURLoption option, int64_t value);
/// libcurl copies `text`; NULL unsets the option.
CURLcode ccurl_set_text(CURL *handle, CURLoption option, const char *text);
/// libcurl copies the bytes. The size goes first, because the copy is made when the bytes are set.
CURLcode ccurl_set_body(CURL *handle, const void *bytes, size_t count);
/// libcurl copies the bytes.
CURLcode ccurl_set_blob(CURL *handle, CURLoption option, const void *bytes, size_t count);
/// The list, the buffer and the context must outlive the transfer.
CURLcode ccurl_set_list(CURL *handle, CURLoption option, struct curl_slist *list);
CURLcode ccurl_set_error_buffer(CURL *handle, char *buffer);
CURLcode ccurl_set_private(CURL *handle, void *context);
CURLcode ccurl_set_body_sink(CURL *handle, ccurl_sink sink, void *context);
CURLcode ccurl_set_header_sink(CURL *handle, ccurl_sink sink, void *context);
/// `count` is the total number of bytes.
CURLcode ccurl_set_upload(CURL *handle, ccurl_source source, void *context, int64_t count);

/// libcurl's callback about once a second and whenever bytes are transferred. A result other than 0 ends the transfer.
typedef int (*ccurl_watcher)(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up);
/// NULL ends the calls. The context must outlive the transfer.
CURLcode ccurl_set_watcher(CURL *handle, ccurl_watcher watcher, void *context);

/// The status code of the response; 0 if there is none.
long ccurl_status(CURL *handle);
/// The errno of the failed connection; 0 if there is none.
int ccurl_os_error(CURL *handle);
void *ccurl_private(CURL *handle);

/// Calls `open` for each address that libcurl connects to, and `send` before a request is sent over a new or kept
/// connection. The context must outlive the transfer.
CURLcode ccurl_set_connection_check(
    CURL *handle, curl_opensocket_callback open, curl_prereq_callback send, void *context);
/// Writes the numeric address into `text` of at least 64 bytes; nothing for a Unix socket.
void ccurl_address_text(const struct curl_sockaddr *address, char *text);
/// A socket for `address`, as libcurl opens it itself; -1 with errno.
curl_socket_t ccurl_open_socket(const struct curl_sockaddr *address);
/// The number of redirects that libcurl has followed for this request.
long ccurl_redirects(CURL *handle);
/// Whether the URL of the current request, after redirects, has the scheme https.
bool ccurl_is_https(CURL *handle);
/// The socket of a handle that has only connected (`CURLOPT_CONNECT_ONLY`); -1 if there is none.
int ccurl_active_socket(CURL *handle);
/// The bytes that a socket has sent and its peer has not acknowledged; 0 if the system does not tell.
int ccurl_unacknowledged(int socket);

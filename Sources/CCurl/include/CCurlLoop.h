#pragma once
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/// Transfers run by one thread: a multi handle, an epoll of the sockets that libcurl waits for, and a way to end the
/// wait.
///
/// The cost of an event does not depend on the number of waiting transfers, unlike `curl_multi_perform`. Belongs to one
/// thread; only `ccurl_loop_wake` may be called from others, until `ccurl_loop_free`.
typedef struct ccurl_loop ccurl_loop;

/// NULL without memory or descriptors.
ccurl_loop *ccurl_loop_make(long maximum_connections);
/// Every transfer must have been removed.
void ccurl_loop_free(ccurl_loop *loop);

CURLMcode ccurl_loop_add(ccurl_loop *loop, CURL *handle);
CURLMcode ccurl_loop_remove(ccurl_loop *loop, CURL *handle);

/// Waits until a socket is ready, a timeout of libcurl or `nanoseconds` have passed, or the loop is woken. Then handles
/// the sockets. 0 does not wait.
void ccurl_loop_step(ccurl_loop *loop, int64_t nanoseconds);
/// Ends the current wait, or the next one. May be called from any thread.
void ccurl_loop_wake(ccurl_loop *loop);
/// Removes the next finished transfer from the queue. Returns false if there is none.
bool ccurl_loop_next_done(ccurl_loop *loop, CURL **handle, CURLcode *result);

/// Removes the socket from a handle that was only to connect (`CURLOPT_CONNECT_ONLY`) and has connected, before it is
/// removed. The caller closes it. -1 if there is none, with errno set.
int ccurl_loop_take_socket(ccurl_loop *loop, CURL *handle);
/// Also waits for a socket of the caller, under `token`, until it is closed: for data to read, and for space to write
/// if `is_writing`. `is_known` means that it is already being waited for.
bool ccurl_loop_watch(ccurl_loop *loop, int socket, uint32_t token, bool is_writing, bool is_known);
/// Removes the next of the caller's ready sockets from the last step. Returns false if there is none.
bool ccurl_loop_next_ready(ccurl_loop *loop, uint32_t *token);

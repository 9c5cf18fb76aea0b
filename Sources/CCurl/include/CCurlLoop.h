#pragma once
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/// Transfers that one thread drives: a multi handle, an epoll of the sockets that libcurl waits for, and a way to end the wait.
///
/// An event costs the same however many transfers hang, which `curl_multi_perform` does not offer. Belongs to one thread; only
/// `ccurl_loop_wake` may be called from others, until `ccurl_loop_free`.
typedef struct ccurl_loop ccurl_loop;

/// NULL where there is no memory or descriptor left.
ccurl_loop *ccurl_loop_make(long maximum_connections);
/// Every transfer must have been removed.
void ccurl_loop_free(ccurl_loop *loop);

CURLMcode ccurl_loop_add(ccurl_loop *loop, CURL *handle);
CURLMcode ccurl_loop_remove(ccurl_loop *loop, CURL *handle);

/// Waits until a socket is ready, a timeout of libcurl or `nanoseconds` are over or the loop is woken, and does what is to be done
/// on the sockets. 0 does not wait.
void ccurl_loop_step(ccurl_loop *loop, int64_t nanoseconds);
/// Ends the wait that is under way, or the next one. Any thread may call it.
void ccurl_loop_wake(ccurl_loop *loop);
/// Takes the next finished transfer off the queue; false when there is none.
bool ccurl_loop_next_done(ccurl_loop *loop, CURL **handle, CURLcode *result);

/// Takes the socket out of a handle that was only to connect (`CURLOPT_CONNECT_ONLY`) and has done so, before it is removed. The
/// caller closes it. -1 where there is none, with errno set.
int ccurl_loop_take_socket(ccurl_loop *loop, CURL *handle);
/// Waits for a socket of the caller's too, under `token`, until it is closed: for bytes to read, and for room to write where
/// `is_writing`. `is_known` says that it is waited for already.
bool ccurl_loop_watch(ccurl_loop *loop, int socket, uint32_t token, bool is_writing, bool is_known);
/// Takes the next of the caller's sockets that the last step found ready; false when there is none.
bool ccurl_loop_next_ready(ccurl_loop *loop, uint32_t *token);

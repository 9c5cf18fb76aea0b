#define _GNU_SOURCE
#include "CCurlLoop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64 };

struct ccurl_loop {
    CURLM *multi;
    int sockets;
    int waker;
    /// Whether the system supports waits in nanoseconds.
    bool is_precise;
    /// When libcurl must be called in any case; INT64_MAX for never.
    int64_t due;
    /// Tokens of the caller's sockets that were ready in the last step.
    uint32_t ready[EVENTS];
    int ready_count;
};

/// Marks the caller's sockets in epoll events; the lower half is the token. libcurl's sockets use their descriptor.
static const uint64_t own_socket = 1ull << 32;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// The socket's pointer shows whether it is already in the epoll.
static int socket_changed(CURL *handle, curl_socket_t socket, int wanted, void *context, void *known) {
    (void)handle;
    ccurl_loop *loop = context;
    if (wanted == CURL_POLL_REMOVE) {
        // libcurl may have closed it, which also removes it.
        epoll_ctl(loop->sockets, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    struct epoll_event event = {.data.u64 = (uint32_t)socket};
    if (wanted & CURL_POLL_IN) event.events |= EPOLLIN;
    if (wanted & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (epoll_ctl(loop->sockets, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) != 0) return -1;
    if (!known) curl_multi_assign(loop->multi, socket, loop);
    return 0;
}

static int timer_changed(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    ccurl_loop *loop = context;
    loop->due = milliseconds < 0 ? INT64_MAX : now() + (int64_t)milliseconds * 1000000;
    return 0;
}

ccurl_loop *ccurl_loop_make(long maximum_connections) {
    ccurl_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) return NULL;
    loop->multi = curl_multi_init();
    loop->sockets = epoll_create1(EPOLL_CLOEXEC);
    loop->waker = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->is_precise = true;
    loop->due = INT64_MAX;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint32_t)loop->waker};
    if (loop->multi == NULL || loop->sockets < 0 || loop->waker < 0
        || epoll_ctl(loop->sockets, EPOLL_CTL_ADD, loop->waker, &event) != 0) {
        ccurl_loop_free(loop);
        return NULL;
    }
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, maximum_connections);
    curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    return loop;
}

void ccurl_loop_free(ccurl_loop *loop) {
    if (loop->multi != NULL) curl_multi_cleanup(loop->multi);
    if (loop->sockets >= 0) close(loop->sockets);
    if (loop->waker >= 0) close(loop->waker);
    free(loop);
}

CURLMcode ccurl_loop_add(ccurl_loop *loop, CURL *handle) { return curl_multi_add_handle(loop->multi, handle); }

CURLMcode ccurl_loop_remove(ccurl_loop *loop, CURL *handle) { return curl_multi_remove_handle(loop->multi, handle); }

static int wait_for(ccurl_loop *loop, struct epoll_event *events, int64_t nanoseconds) {
    if (loop->is_precise) {
        struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
        int count = epoll_pwait2(loop->sockets, events, EVENTS, &time, NULL);
        if (count >= 0 || errno != ENOSYS) return count;
        loop->is_precise = false;
    }
    return epoll_wait(loop->sockets, events, EVENTS, (int)((nanoseconds + 999999) / 1000000));
}

void ccurl_loop_step(ccurl_loop *loop, int64_t nanoseconds) {
    const int64_t longest = 60000000000;
    int running;
    loop->ready_count = 0;
    if (nanoseconds > longest) nanoseconds = longest;
    if (loop->due != INT64_MAX) {
        int64_t left = loop->due - now();
        if (left <= 0) {
            // A transfer also starts here: libcurl requests a timeout of 0 for it. Its result is checked before any
            // wait.
            loop->due = INT64_MAX;
            curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            return;
        }
        if (left < nanoseconds) nanoseconds = left;
    }
    struct epoll_event events[EVENTS];
    int count = wait_for(loop, events, nanoseconds < 0 ? 0 : nanoseconds);
    for (int index = 0; index < count; index += 1) {
        if (events[index].data.u64 & own_socket) {
            loop->ready[loop->ready_count++] = (uint32_t)events[index].data.u64;
            continue;
        }
        if (events[index].data.fd == loop->waker) {
            eventfd_t times;
            eventfd_read(loop->waker, &times);
            continue;
        }
        int ready = 0;
        if (events[index].events & (EPOLLIN | EPOLLHUP)) ready |= CURL_CSELECT_IN;
        if (events[index].events & EPOLLOUT) ready |= CURL_CSELECT_OUT;
        if (events[index].events & EPOLLERR) ready |= CURL_CSELECT_ERR;
        curl_multi_socket_action(loop->multi, events[index].data.fd, ready, &running);
    }
}

void ccurl_loop_wake(ccurl_loop *loop) { eventfd_write(loop->waker, 1); }

bool ccurl_loop_next_done(ccurl_loop *loop, CURL **handle, CURLcode *result) {
    int remaining;
    CURLMsg *message;
    while ((message = curl_multi_info_read(loop->multi, &remaining)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        *handle = message->easy_handle;
        *result = message->data.result;
        return true;
    }
    return false;
}

int ccurl_loop_take_socket(ccurl_loop *loop, CURL *handle) {
    curl_socket_t socket = CURL_SOCKET_BAD;
    errno = ENOTCONN;
    if (curl_easy_getinfo(handle, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD) return -1;
    // The copy of the descriptor would keep the original, which libcurl closes, in the epoll.
    epoll_ctl(loop->sockets, EPOLL_CTL_DEL, socket, NULL);
    return fcntl(socket, F_DUPFD_CLOEXEC, 0);
}

bool ccurl_loop_watch(ccurl_loop *loop, int socket, uint32_t token, bool is_writing, bool is_known) {
    struct epoll_event event = {.events = EPOLLIN | (is_writing ? EPOLLOUT : 0), .data.u64 = own_socket | token};
    return epoll_ctl(loop->sockets, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) == 0;
}

bool ccurl_loop_next_ready(ccurl_loop *loop, uint32_t *token) {
    if (loop->ready_count == 0) return false;
    loop->ready_count -= 1;
    *token = loop->ready[loop->ready_count];
    return true;
}

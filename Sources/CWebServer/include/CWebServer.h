#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Event bits, as <sys/epoll.h> defines them.
static const uint32_t cweb_readable = 0x001;
static const uint32_t cweb_writable = 0x004;
static const uint32_t cweb_failed = 0x008;
static const uint32_t cweb_hung_up = 0x010;
static const uint32_t cweb_peer_closed = 0x2000;
static const uint32_t cweb_one_shot = 1u << 30;
static const uint32_t cweb_edge_triggered = 1u << 31;

/// POLLRDHUP: the peer has closed its sending side.
static const short cweb_poll_peer_closed = 0x2000;

/// An epoll instance, or -1.
int cweb_poller(void);
/// Adds `descriptor` with `events`; `token` is returned with each event. 0, or -1 with errno.
int cweb_poller_add(int poller, int descriptor, uint32_t events, uint64_t token);
/// Changes the events of `descriptor`.
int cweb_poller_modify(int poller, int descriptor, uint32_t events, uint64_t token);
void cweb_poller_remove(int poller, int descriptor);
/// Waits for one event. 1, or -1 with errno.
int cweb_poller_wait(int poller, uint32_t *events, uint64_t *token);

/// A non-blocking eventfd, or -1.
int cweb_event(void);
/// Makes an eventfd readable.
void cweb_event_signal(int event);
/// A non-blocking timer that becomes readable every `milliseconds`, or -1.
int cweb_timer(int milliseconds);
/// Resets a timer that has become readable.
void cweb_timer_read(int timer);

/// Accepts a connection: non-blocking, closed on exec, without Nagle's delay. The descriptor, or -1 with errno.
int cweb_accept(int listener);
/// The numeric address of the peer without port; an IPv4 address in IPv6 notation is converted. Empty for a Unix socket.
void cweb_peer_address(int descriptor, char *text, size_t capacity);
/// Process, user and group of the peer of a Unix socket. False for other kinds of sockets.
bool cweb_peer_credentials(int descriptor, int32_t *process, uint32_t *user, uint32_t *group);

/// Sends both pieces with one call and without SIGPIPE. Bytes sent, or -1 with errno.
ssize_t cweb_send(int descriptor, const void *first, size_t first_count, const void *second, size_t second_count);
ssize_t cweb_receive(int descriptor, void *bytes, size_t count);

/// Memory of its own pages, which grow without being copied and are given back to the system at once: `memory` of `old` bytes
/// becomes one of `count`. NULL, with `memory` unchanged, where the system has none. Begins with NULL and 0.
void *cweb_grow(void *memory, size_t old, size_t count);
void cweb_release(void *memory, size_t count);

/// A bound, listening Unix socket, or -1 with errno. A socket file without a listener is replaced.
int cweb_listen_unix(const char *path, mode_t mode);
/// The path of a Unix socket that this process listens on; empty if `descriptor` is another kind of socket.
void cweb_socket_path(int descriptor, char *path, size_t capacity);
/// Whether `descriptor` is a listening stream socket.
bool cweb_is_listening(int descriptor);
/// Makes a descriptor non-blocking and closed on exec. 0, or -1 with errno.
int cweb_prepare_inherited(int descriptor);

#define _GNU_SOURCE
#include "CWebServer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

int cweb_poller(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int poller, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(poller, operation, descriptor, &event);
}

int cweb_poller_add(int poller, int descriptor, uint32_t events, uint64_t token) {
    return control(poller, EPOLL_CTL_ADD, descriptor, events, token);
}

int cweb_poller_modify(int poller, int descriptor, uint32_t events, uint64_t token) {
    return control(poller, EPOLL_CTL_MOD, descriptor, events, token);
}

void cweb_poller_remove(int poller, int descriptor) { control(poller, EPOLL_CTL_DEL, descriptor, 0, 0); }

int cweb_poller_wait(int poller, uint32_t *events, uint64_t *token) {
    struct epoll_event event;
    int count;
    do count = epoll_wait(poller, &event, 1, -1);
    while (count == 0 || (count < 0 && errno == EINTR));
    if (count < 0) return -1;
    *events = event.events;
    *token = event.data.u64;
    return 1;
}

int cweb_event(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void cweb_event_signal(int event) {
    uint64_t one = 1;
    // Fails only when the counter is at its maximum, and then the event is readable.
    (void)!write(event, &one, sizeof one);
}

int cweb_timer(int milliseconds) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) return -1;
    struct timespec period = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    struct itimerspec setting = {.it_interval = period, .it_value = period};
    if (timerfd_settime(timer, 0, &setting, NULL) == 0) return timer;
    close(timer);
    return -1;
}

void cweb_timer_read(int timer) {
    uint64_t expirations;
    (void)!read(timer, &expirations, sizeof expirations);
}

int cweb_accept(int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return -1;
    int one = 1;
    // Fails for Unix sockets, which do not need it.
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return descriptor;
}

void cweb_peer_address(int descriptor, char *text, size_t capacity) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    text[0] = 0;
    if (getpeername(descriptor, (struct sockaddr *)&storage, &length) != 0) return;
    if (storage.ss_family == AF_INET) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)&storage)->sin_addr, text, capacity);
    } else if (storage.ss_family == AF_INET6) {
        const struct in6_addr *address = &((struct sockaddr_in6 *)&storage)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(address)) inet_ntop(AF_INET, address->s6_addr + 12, text, capacity);
        else inet_ntop(AF_INET6, address, text, capacity);
    }
}

bool cweb_peer_credentials(int descriptor, int32_t *process, uint32_t *user, uint32_t *group) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0 || storage.ss_family != AF_UNIX) return false;
    struct ucred credentials;
    length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return false;
    *process = credentials.pid;
    *user = credentials.uid;
    *group = credentials.gid;
    return true;
}

ssize_t cweb_send(int descriptor, const void *first, size_t first_count, const void *second, size_t second_count) {
    struct iovec pieces[2] = {{(void *)first, first_count}, {(void *)second, second_count}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    ssize_t count;
    do count = second_count == 0 ? send(descriptor, first, first_count, MSG_NOSIGNAL)
                                 : sendmsg(descriptor, &message, MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    return count;
}

ssize_t cweb_receive(int descriptor, void *bytes, size_t count) {
    ssize_t received;
    do received = recv(descriptor, bytes, count, 0);
    while (received < 0 && errno == EINTR);
    return received;
}

void *cweb_grow(void *memory, size_t old, size_t count) {
    void *grown = memory == NULL ? mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                 : mremap(memory, old, count, MREMAP_MAYMOVE);
    return grown == MAP_FAILED ? NULL : grown;
}

void cweb_release(void *memory, size_t count) {
    if (memory != NULL) munmap(memory, count);
}

static bool set_address(struct sockaddr_un *address, const char *path) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(address->sun_path, path);
    return true;
}

/// Removes a socket file that refuses connections because its server has ended. False, with errno, if the path must
/// stay.
static bool remove_stale(const struct sockaddr_un *address) {
    struct stat state;
    if (lstat(address->sun_path, &state) != 0) return errno == ENOENT;
    if (!S_ISSOCK(state.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    int result = connect(probe, (const struct sockaddr *)address, sizeof *address);
    int reason = errno;
    close(probe);
    if (result != 0 && reason == ECONNREFUSED) return unlink(address->sun_path) == 0 || errno == ENOENT;
    errno = EADDRINUSE;
    return false;
}

int cweb_listen_unix(const char *path, mode_t mode) {
    struct sockaddr_un address;
    if (!set_address(&address, path) || !remove_stale(&address)) return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    // On Linux the mode of the descriptor becomes the mode of the file, so it never has a wider one.
    if (fchmod(descriptor, mode) == 0 && bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0) {
        if (chmod(path, mode) == 0 && listen(descriptor, SOMAXCONN) == 0) return descriptor;
        int reason = errno;
        unlink(path);
        errno = reason;
    }
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

void cweb_socket_path(int descriptor, char *path, size_t capacity) {
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    path[0] = 0;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0 || address.sun_family != AF_UNIX) return;
    if (length <= offsetof(struct sockaddr_un, sun_path) || address.sun_path[0] == 0) return;
    size_t count = strnlen(address.sun_path, sizeof address.sun_path);
    if (count >= capacity) return;
    memcpy(path, address.sun_path, count);
    path[count] = 0;
}

bool cweb_is_listening(int descriptor) {
    int type = 0, listening = 0;
    socklen_t length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM) return false;
    length = sizeof listening;
    return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

int cweb_prepare_inherited(int descriptor) {
    int status = fcntl(descriptor, F_GETFL);
    if (status < 0 || fcntl(descriptor, F_SETFL, status | O_NONBLOCK) != 0) return -1;
    return fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

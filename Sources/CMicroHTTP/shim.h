#pragma once
#include <stdint.h>
#include <microhttpd.h>

/// POLLRDHUP, which only _GNU_SOURCE shows: the peer has closed its sending side.
static const int cmicrohttp_hangup = 0x2000;

/// MHD_start_daemon with the options Tribune uses; Swift does not import variadic functions.
static inline struct MHD_Daemon *cmicrohttp_start(
    int listening, unsigned int connections, unsigned int idle_seconds, size_t header_bytes, void *context,
    void *(*began)(void *, const char *, struct MHD_Connection *), MHD_AccessHandlerCallback received,
    MHD_RequestCompletedCallback completed, MHD_NotifyConnectionCallback connected)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, received, context,
        MHD_OPTION_LISTEN_SOCKET, listening,
        MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, header_bytes,
        MHD_OPTION_URI_LOG_CALLBACK, began, context,
        MHD_OPTION_NOTIFY_COMPLETED, completed, context,
        MHD_OPTION_NOTIFY_CONNECTION, connected, context,
        MHD_OPTION_END);
}

/// The peer's address, or NULL; valid as long as the connection.
static inline const struct sockaddr *cmicrohttp_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

/// The connection's socket, or -1.
static inline int cmicrohttp_socket(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/// Lets the connection be closed after so many seconds of silence, whatever the server's own limit.
static inline void cmicrohttp_limit_silence(struct MHD_Connection *connection, unsigned int seconds)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

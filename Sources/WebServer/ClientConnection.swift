internal import CMicroHTTP
internal import Glibc
internal import Synchronization

/// The socket of a request that is being worked on, so that a handler can see whether anybody still waits.
///
/// Any thread may ask. The server calls `release` before it lets the connection go on, after which the socket is never touched.
final class ClientConnection: Sendable {
    private let descriptor: Mutex<Int32>
    private let isStopping: @Sendable () -> Bool

    init(descriptor: Int32, isStopping: @escaping @Sendable () -> Bool) {
        self.descriptor = Mutex(descriptor)
        self.isStopping = isStopping
    }

    /// Whether the peer has closed its side or the server is stopping. False after `release`.
    var isGone: Bool {
        if isStopping() { return true }
        // Polled under the lock, so that the descriptor cannot be closed and given to somebody else meanwhile.
        return descriptor.withLock { descriptor in
            guard descriptor >= 0 else { return false }
            var query = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: cmicrohttp_hangup), revents: 0)
            return unsafe poll(&query, 1, 0) > 0
        }
    }

    func release() {
        descriptor.withLock { $0 = -1 }
    }
}

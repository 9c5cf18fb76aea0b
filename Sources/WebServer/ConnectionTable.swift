internal import CMicroHTTP
internal import Glibc

/// The connections of a server. When there may be no more of them, the one that has been silent longest without a request
/// under way is closed, so that nobody can lock others out by opening connections and saying nothing.
///
/// `@unchecked`: only the polling thread touches it, from libmicrohttpd's callbacks.
@safe final class ConnectionTable: @unchecked Sendable {
    private struct Entry {
        var socket: Int32
        /// When it was last heard of, as a number that grows.
        var heard: UInt64
        /// Whether its request is complete and not answered yet, or it is being closed already.
        var isHeld = false
    }

    private let capacity: Int
    private let onEviction: @Sendable () -> Void
    private var entries: [OpaquePointer: Entry] = unsafe [:]
    private var events: UInt64 = 0

    init(capacity: Int, onEviction: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.onEviction = onEviction
    }

    /// A connection was accepted. Where it is the last one that may be open, room is made for the next: the longest silent one
    /// is closed or, where all others wait for answers, this one has to speak within a second.
    func opened(_ connection: OpaquePointer) {
        events += 1
        unsafe entries[connection] = Entry(socket: cmicrohttp_socket(connection), heard: events)
        guard unsafe entries.count >= capacity, let (silent, entry) = unsafe longestSilent() else { return }
        guard unsafe silent != connection else {
            return unsafe cmicrohttp_limit_silence(connection, 1)
        }
        // libmicrohttpd sees the end of the stream and closes; the descriptor stays its own.
        shutdown(entry.socket, Int32(SHUT_RDWR))
        unsafe entries[silent]?.isHeld = true
        onEviction()
    }

    private func longestSilent() -> (key: OpaquePointer, value: Entry)? {
        unsafe entries.lazy.filter { unsafe !$0.value.isHeld }.min { unsafe $0.value.heard < $1.value.heard }
    }

    /// Part of a request has arrived, or its answer was sent; with `isHeld`, the request is complete and is to be answered.
    func heard(_ connection: OpaquePointer, isHeld: Bool = false) {
        events += 1
        unsafe entries[connection]?.heard = events
        unsafe entries[connection]?.isHeld = isHeld
    }

    func closed(_ connection: OpaquePointer) {
        unsafe entries[connection] = nil
    }
}

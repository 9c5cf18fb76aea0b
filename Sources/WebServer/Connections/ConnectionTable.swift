internal import CWebServer
internal import Glibc
internal import Synchronization

/// The open connections of a server. At the limit, the connection that has been silent longest is closed for a new one,
/// so that clients cannot lock others out by opening connections.
final class ConnectionTable: Sendable {
    private struct State {
        /// By descriptor.
        var slots: [Connection?] = []
        var count = 0
        /// The number of connections that were shut down but not closed yet.
        var condemned = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    var count: Int { state.withLock { $0.count } }

    /// Adds a connection. Returns true if another one was shut down to make room.
    func insert(_ connection: Connection) -> Bool {
        state.withLock { state in
            let index = Int(connection.descriptor)
            if index >= state.slots.count {
                state.slots += repeatElement(nil, count: index + 1 - state.slots.count)
            }
            assert(state.slots[index] == nil)
            state.slots[index] = connection
            state.count += 1
            guard state.count - state.condemned >= capacity else { return false }
            return Self.breakOffSilent(&state, except: connection)
        }
    }

    subscript(descriptor: Int32) -> Connection? {
        state.withLock { state in
            let index = Int(descriptor)
            return state.slots.indices.contains(index) ? state.slots[index] : nil
        }
    }

    /// Removes a connection, whose descriptor may then be closed.
    func remove(_ connection: Connection) {
        state.withLock { state in
            state.slots[Int(connection.descriptor)] = nil
            state.count -= 1
            if connection.isDoomed { state.condemned -= 1 }
        }
    }

    /// Whether the client of a connection has closed its side, or the connection is closed.
    func isPeerGone(_ connection: Connection) -> Bool {
        // Checked under the lock, so that the descriptor cannot be closed and reused meanwhile.
        state.withLock { state in
            guard state.slots[Int(connection.descriptor)] === connection else { return true }
            var query = pollfd(fd: connection.descriptor, events: cweb_poll_peer_closed, revents: 0)
            return unsafe poll(&query, 1, 0) > 0
        }
    }

    /// Shuts down the longest silent connection. Returns false if all have running handlers.
    func breakOffSilent() -> Bool {
        state.withLock { Self.breakOffSilent(&$0, except: nil) }
    }

    /// Shuts down every connection for which `condition` returns true. Returns their number.
    @discardableResult
    func breakOff(where condition: (Connection) -> Bool) -> Int {
        state.withLock { state in
            var count = 0
            for case let connection? in state.slots where condition(connection) && connection.breakOff() { count += 1 }
            state.condemned += count
            return count
        }
    }

    /// The connections for which `condition` returns true.
    func all(where condition: (Connection) -> Bool = { _ in true }) -> [Connection] {
        state.withLock { $0.slots.compactMap(\.self).filter(condition) }
    }

    private static func breakOffSilent(_ state: inout State, except newcomer: Connection?) -> Bool {
        let candidates = state.slots.lazy.compactMap(\.self).filter {
            $0 !== newcomer && !$0.isDoomed && $0.phase != .working
        }
        // Event streams may be silent for good reasons, so they come last.
        let silent = candidates.min { ($0.evictionClass, $0.lastProgress) < ($1.evictionClass, $1.lastProgress) }
        guard let silent, silent.breakOff() else { return false }
        state.condemned += 1
        return true
    }
}

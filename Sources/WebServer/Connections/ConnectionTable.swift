internal import CWebServer
internal import Glibc
internal import Synchronization

/// The open connections of a server. At the limit, one that has been silent for long is closed for a new one, so that
/// clients cannot lock others out by opening connections: the longest silent of 32, in turn.
///
/// Divided by descriptors into parts with locks of their own: a thread that is suspended in one of them must not stop
/// the thread that accepts connections.
final class ConnectionTable: Sendable {
    private final class Part: Sendable {
        let connections = Mutex<[Int32: Connection]>([:])
    }

    private static let partCount = 64
    /// The connections of which a search compares the silence. Comparing all would take longer than accepting one, so
    /// that new connections would wait while an attacker opens many.
    private static let compared = 32

    private let capacity: Int
    private let parts = (0..<partCount).map { _ in Part() }
    private let open = Atomic<Int>(0)
    /// The number of connections that were shut down but not closed yet.
    private let condemned = Atomic<Int>(0)
    /// Where the next search for a silent connection begins.
    private let hand = Atomic<Int>(0)

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    var count: Int { open.load(ordering: .relaxed) }

    private func part(_ descriptor: Int32) -> Part { parts[Int(descriptor) % Self.partCount] }

    /// Adds a connection. Returns true if another one was shut down to make room.
    func insert(_ connection: Connection) -> Bool {
        part(connection.descriptor).connections.withLock { connections in
            assert(connections[connection.descriptor] == nil)
            connections[connection.descriptor] = connection
        }
        let count = open.add(1, ordering: .relaxed).newValue
        guard count - condemned.load(ordering: .relaxed) >= capacity else { return false }
        return breakOffSilent(except: connection)
    }

    subscript(descriptor: Int32) -> Connection? {
        part(descriptor).connections.withLock { $0[descriptor] }
    }

    /// Removes a connection, whose descriptor may then be closed.
    func remove(_ connection: Connection) {
        part(connection.descriptor).connections.withLock { connections in
            connections[connection.descriptor] = nil
            open.subtract(1, ordering: .relaxed)
            if connection.isDoomed { condemned.subtract(1, ordering: .relaxed) }
        }
    }

    /// Whether the client of a connection has closed its side, or the connection is closed.
    func isPeerGone(_ connection: Connection) -> Bool {
        // Checked under the lock, so that the descriptor cannot be closed and reused meanwhile.
        part(connection.descriptor).connections.withLock { connections in
            guard connections[connection.descriptor] === connection else { return true }
            var query = pollfd(fd: connection.descriptor, events: cweb_poll_peer_closed, revents: 0)
            return unsafe poll(&query, 1, 0) > 0
        }
    }

    /// Shuts down a connection that has been silent for long. Returns false if all have running handlers.
    func breakOffSilent() -> Bool { breakOffSilent(except: nil) }

    /// Shuts down every connection for which `condition` returns true. Returns their number.
    @discardableResult
    func breakOff(where condition: (Connection) -> Bool) -> Int {
        parts.reduce(0) { sum, part in
            sum + part.connections.withLock { breakOff($0.values.filter(condition)) }
        }
    }

    /// The connections for which `condition` returns true.
    func all(where condition: (Connection) -> Bool = { _ in true }) -> [Connection] {
        parts.flatMap { part in part.connections.withLock { $0.values.filter(condition) } }
    }

    /// Shuts down connections of one part, under its lock. Returns how many were not shut down before.
    private func breakOff(_ connections: [Connection]) -> Int {
        let count = connections.count { $0.breakOff() }
        condemned.add(count, ordering: .relaxed)
        return count
    }

    private func breakOffSilent(except newcomer: Connection?) -> Bool {
        var silent: (connection: Connection, rank: (Int, Int64))?
        var found = 0
        for _ in 0..<Self.partCount where found < Self.compared {
            let index = hand.add(1, ordering: .relaxed).newValue & (Self.partCount - 1)
            parts[index].connections.withLock { connections in
                for connection in connections.values
                where connection !== newcomer && !connection.isDoomed && connection.phase != .working {
                    found += 1
                    // Event streams may be silent for good reasons, so they come last.
                    let rank = (connection.evictionClass, connection.lastProgress)
                    if silent.map({ rank < $0.rank }) ?? true { silent = (connection, rank) }
                }
            }
        }
        guard let connection = silent?.connection else { return false }
        return part(connection.descriptor).connections.withLock { connections in
            // It may have been closed meanwhile, which makes room too.
            guard connections[connection.descriptor] === connection else { return false }
            return breakOff([connection]) == 1
        }
    }
}

internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Synchronization

/// Allows a limited number of concurrent queries; a few others wait for a turn.
final class QueryGate: Sendable {
    /// Threads that a server needs in addition to those of running queries: for waiting queries and for short requests.
    static let spareWorkers = 12
    private static let maximumWaiting = 8

    private struct Turn {}
    private let free: Mailbox<Turn>
    private let waiting = Atomic<Int>(0)
    private let running: Gauge

    init(limit: Int, registry: Registry) {
        let limit = max(limit, 1)
        free = Mailbox(capacity: limit)
        for _ in 0..<limit { free.send(Turn()) }
        registry.gauge("tribune_query_concurrency_limit", "Limit of concurrent queries.").set(Double(limit))
        running = registry.gauge("tribune_queries_running", "Queries that are being evaluated.")
    }

    /// Waits for a turn.
    ///
    /// - Returns: false if there was no turn within `timeout`, or too many queries wait.
    func enter(timeout: Milliseconds) -> Bool {
        let ahead = waiting.wrappingAdd(1, ordering: .relaxed).oldValue
        defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
        let patience = ahead < Self.maximumWaiting ? min(max(timeout.rawValue, 0), 3_600_000) * 1_000_000 : 0
        guard !free.isClosed, case .message = free.receive(deadline: SystemClock.monotonicNanoseconds() + patience)
        else {
            return false
        }
        running.add(1)
        return true
    }

    /// Gives no more turns. Waiting queries stop waiting.
    func close() { free.close() }

    /// Returns the turn.
    func leave() {
        running.add(-1)
        free.send(Turn())
    }
}

public import RuleModel

/// The alerts that wait for one Alertmanager. A machine: alerts in, batches out.
///
/// A batch is taken once. When it does not arrive it is gone: the rules send whatever is still true again within a
/// minute.
public struct AlertmanagerQueue: Equatable, Sendable {
    private let capacity: Int
    private let batchLimit: Int
    private var waiting: [Alert] = []

    /// An empty queue; Prometheus's sizes.
    public init(capacity: Int = 10_000, batchLimit: Int = 256) {
        self.capacity = max(capacity, 1)
        self.batchLimit = max(batchLimit, 1)
    }

    /// How many wait.
    public var count: Int { waiting.count }

    /// Puts `alerts` at the end. Returns how many of the oldest had to go to make room.
    public mutating func received(_ alerts: [Alert]) -> Int {
        waiting += alerts
        let excess = max(0, waiting.count - capacity)
        waiting.removeFirst(excess)
        return excess
    }

    /// Takes the oldest alerts, as many as go into one request; empty when there are none.
    public mutating func nextBatch() -> [Alert] {
        let batch = Array(waiting.prefix(batchLimit))
        waiting.removeFirst(batch.count)
        return batch
    }

    /// Forgets everything. Returns how many alerts that were.
    public mutating func abandoned() -> Int {
        defer { waiting = [] }
        return waiting.count
    }
}

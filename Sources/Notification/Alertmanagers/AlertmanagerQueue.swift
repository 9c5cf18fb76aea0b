public import RuleModel

/// The alerts that wait for one Alertmanager. A machine: alerts in, batches out.
///
/// A batch is sent once. If it fails it is dropped: the rules send active alerts again within a minute.
public struct AlertmanagerQueue: Equatable, Sendable {
    private let capacity: Int
    private let batchLimit: Int
    private var waiting: [Alert] = []

    /// An empty queue with Prometheus's sizes.
    public init(capacity: Int = 10_000, batchLimit: Int = 256) {
        self.capacity = max(capacity, 1)
        self.batchLimit = max(batchLimit, 1)
    }

    /// The number of waiting alerts.
    public var count: Int { waiting.count }

    /// Appends `alerts`. Returns the number of oldest alerts that were dropped to make room.
    public mutating func received(_ alerts: [Alert]) -> Int {
        waiting += alerts
        let excess = max(0, waiting.count - capacity)
        waiting.removeFirst(excess)
        return excess
    }

    /// Removes and returns the oldest alerts, up to the limit of one request; empty if there are none.
    public mutating func nextBatch() -> [Alert] {
        let batch = Array(waiting.prefix(batchLimit))
        waiting.removeFirst(batch.count)
        return batch
    }

    /// Removes all alerts. Returns their number.
    public mutating func abandoned() -> Int {
        defer { waiting = [] }
        return waiting.count
    }
}

internal import Instrumentation

/// Discovery's own metrics. Any thread may use them.
struct DiscoveryMetrics: Sendable {
    private let registry: Registry

    init(_ registry: Registry) {
        self.registry = registry
    }

    /// Adds the counters of `mechanism`, beginning at zero.
    func watch(_ mechanism: String) {
        _ = updates(mechanism)
        _ = failures(mechanism)
    }

    func refreshed(_ mechanism: String) { updates(mechanism).add() }

    func failed(_ mechanism: String) { failures(mechanism).add() }

    private func updates(_ mechanism: String) -> Counter {
        registry.counter(
            "tribune_discovery_updates_total", "Responses of discovery mechanisms, with or without changes of targets.",
            labels: ["mechanism": mechanism])
    }

    private func failures(_ mechanism: String) -> Counter {
        registry.counter(
            "tribune_discovery_failures_total", "Failed requests and unreadable files of discovery mechanisms.",
            labels: ["mechanism": mechanism])
    }
}

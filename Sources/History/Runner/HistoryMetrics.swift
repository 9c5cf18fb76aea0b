internal import Instrumentation

/// The history's own metrics.
struct HistoryMetrics: Sendable {
    private let events: [LedgerEvent.Kind: Counter]
    let measurements: Counter
    let refused: Counter
    let applied: Counter
    let failures: Counter
    let duration: Histogram
    private let spooled: Gauge
    private let spooledBytes: Gauge
    private let behind: Gauge
    private let size: Gauge
    private let signed: Gauge

    init(_ registry: Registry) {
        let kinds = LedgerEvent.Kind.allCases.map { kind in
            let counter = registry.counter(
                "tribune_history_events_total", "Events taken for the ledger, by kind.",
                labels: ["kind": kind.rawValue])
            return (kind, counter)
        }
        events = Dictionary(uniqueKeysWithValues: kinds)
        measurements = registry.counter("tribune_history_measurements_total", "Measurements taken for the history.")
        refused = registry.counter(
            "tribune_history_measurements_refused_total", "Measurements refused because the disk is full.")
        applied = registry.counter("tribune_history_applied_total", "Spooled records brought to the database.")
        failures = registry.counter("tribune_history_failures_total", "Attempts to write to the database that failed.")
        duration = registry.histogram(
            "tribune_history_append_seconds", "Time of one append of a batch of records to the database.")
        spooled = registry.gauge("tribune_history_spooled_records", "Records that are not in the database yet.")
        spooledBytes = registry.gauge("tribune_history_spool_bytes", "Size of the spool on disk.")
        behind = registry.gauge(
            "tribune_history_behind", "Whether the history has fallen behind, so that nothing is promoted.")
        size = registry.gauge("tribune_history_ledger_entries", "Entries in the ledger.")
        signed = registry.gauge(
            "tribune_history_signed_entries", "Entries covered by the last signed checkpoint.")
    }

    func count(_ kind: LedgerEvent.Kind) { events[kind]?.add() }

    func set(_ status: HistoryStatus) {
        spooled.set(Double(status.spooled))
        spooledBytes.set(Double(status.spooledBytes))
        behind.set(status.isBehind ? 1 : 0)
        size.set(Double(status.size))
        signed.set(Double(status.signedSize))
    }
}

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
    private let halted: Gauge
    let damaged: Counter
    let verified: Counter
    private let lastVerification: Gauge
    private let firstBad: Gauge
    private let problems: Gauge

    init(_ registry: Registry) {
        let kinds = LedgerEvent.Kind.allCases.map { kind in
            let counter = registry.counter(
                "tribune_history_events_total", "Events accepted for the ledger, by kind.",
                labels: ["kind": kind.rawValue])
            return (kind, counter)
        }
        events = Dictionary(uniqueKeysWithValues: kinds)
        measurements = registry.counter("tribune_history_measurements_total", "Measurements accepted for the history.")
        refused = registry.counter(
            "tribune_history_measurements_refused_total", "Measurements refused because the disk is full.")
        applied = registry.counter("tribune_history_applied_total", "Spooled records delivered to the database.")
        failures = registry.counter("tribune_history_failures_total", "Failed attempts to write to the database.")
        duration = registry.histogram(
            "tribune_history_append_seconds",
            "Duration of one append of a batch of records to the database, in seconds.")
        spooled = registry.gauge("tribune_history_spooled_records", "Records that are not in the database yet.")
        spooledBytes = registry.gauge("tribune_history_spool_bytes", "Size of the spool on disk.")
        behind = registry.gauge(
            "tribune_history_behind", "1 while the history is behind, which stops promotion.")
        halted = registry.gauge(
            "tribune_history_halted",
            "1 while delivery waits for a person because signed entries or the key are missing.")
        damaged = registry.counter(
            "tribune_history_damaged_records_total", "Damaged records of the spool, stored separately.")
        verified = registry.counter(
            "tribune_history_verified_entries_total", "Ledger entries verified by the running service.")
        lastVerification = registry.gauge(
            "tribune_history_last_verification_timestamp_seconds",
            "When the running service last verified the whole ledger; 0 before the first time.")
        firstBad = registry.gauge(
            "tribune_history_first_bad_entry", "The first ledger entry with a problem; 0 while there is none.")
        problems = registry.gauge(
            "tribune_history_verification_problems", "Problems found by the last verification of the ledger.")
        size = registry.gauge("tribune_history_ledger_entries", "Entries in the ledger.")
        signed = registry.gauge(
            "tribune_history_signed_entries", "Entries covered by the last signed checkpoint.")
    }

    func count(_ kind: LedgerEvent.Kind) { events[kind]?.add() }

    func set(_ status: HistoryStatus, _ check: SelfCheckStatus) {
        halted.set(status.halt == nil ? 0 : 1)
        lastVerification.set(Double(check.finishedAt) / 1000)
        firstBad.set(Double(check.firstBadEntry ?? 0))
        problems.set(Double(check.problems))
        spooled.set(Double(status.spooled))
        spooledBytes.set(Double(status.spooledBytes))
        behind.set(status.isBehind ? 1 : 0)
        size.set(Double(status.size))
        signed.set(Double(status.signedSize))
    }
}

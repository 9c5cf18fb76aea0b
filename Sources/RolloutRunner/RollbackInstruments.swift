internal import Instrumentation
internal import Rollback

/// Tribune's own metrics of this module.
struct RollbackInstruments: Sendable {
    let trips: Counter
    let valid: Counter
    let invalid: Counter
    let dropped: Counter
    let unreadable: Counter
    let unknownPlan: Counter
    let shift: Histogram
    let journal: Histogram

    init(_ registry: Registry) {
        let name = "tribune_rollbacks_total"
        let help = "Rollbacks that ended."
        trips = registry.counter("tribune_rollback_trips_total", "Trips of rollback rules, shadow ones included.")
        valid = registry.counter(name, help, labels: ["outcome": "validated"])
        invalid = registry.counter(name, help, labels: ["outcome": "not_validated"])
        dropped = registry.counter(
            "tribune_rollback_messages_dropped_total", "Measurements and outputs dropped because a queue was full.")
        unreadable = registry.counter(
            "tribune_routes_unreadable_total", "How often a route that could be read became unreadable.")
        unknownPlan = registry.counter(
            "tribune_rollback_unknown_plan_total", "Measurements of rules whose plan is not loaded.")
        shift = registry.histogram(
            "tribune_rollback_shift_seconds",
            "Time from the scrape that shows a violation to the last read-back of a shift.")
        journal = registry.histogram("tribune_rollback_journal_seconds", "Time to sync one record to disk.")
    }

    /// Counts a finished rollback.
    func finished(_ report: RollbackReport) {
        (report.rollback.verdict?.isValid == true ? valid : invalid).add()
        if let milliseconds = report.milliseconds(to: "verified") { shift.observe(milliseconds / 1000) }
    }
}

import Rollback
import RuleModel

/// Bounds for one element of a rule: the minimum and the maximum of consecutive violations that may have been counted.
///
/// They differ after a crash during a measurement, which may or may not have been stored.
struct RuleModel: Sendable {
    /// The result of one measurement of the element.
    enum Outcome { case healthy, violated, missing, sparse }

    /// Whether the element was ever present. An element that was never seen is not missing.
    private var isKnown = false
    private(set) var least = 0
    private(set) var most = 0
    /// Whether the streak continued across missing data, and across a restart or a reload.
    private(set) var spansGap = false
    private(set) var spansRestart = false

    /// - Parameter isDue: whether absent data are certainly missing.
    mutating func measured(
        _ outcome: Outcome, _ missing: RollbackDefinition.MissingPolicy, isDue: Bool, isCertain: Bool
    ) {
        if outcome != .missing, isCertain { isKnown = true }
        switch outcome {
        case .violated: count(isCertain)
        case .healthy: reset(isCertain)
        case .sparse: if least > 0 { spansGap = true }
        case .missing:
            if least > 0 { spansGap = true }
            if missing.policy == .trip || missing.after != nil && missing.then == .trip { most += 1 }
            if missing.policy == .trip, isCertain, isKnown, isDue { least += 1 }
            if missing.policy == .pass { reset(isCertain) }
        }
    }

    private mutating func count(_ isCertain: Bool) {
        most += 1
        if isCertain { least += 1 }
    }

    private mutating func reset(_ isCertain: Bool) {
        least = 0
        if isCertain { most = 0 }
        spansGap = false
        spansRestart = false
    }

    mutating func rearmed(isCertain: Bool) { reset(isCertain) }

    /// A tripped rule may count again at the next violation.
    mutating func reconsidered(_ consecutive: Int) { most = max(most, consecutive) }

    /// The process ended before the last counts were stored; the stored streak is `streak`, `nil` for none.
    mutating func rewound(to streak: Int?) {
        if streak == nil { isKnown = false }
        least = min(least, streak ?? 0)
        most = max(most, streak ?? 0)
    }

    mutating func restarted() { if least > 0 { spansRestart = true } }

    mutating func reloaded() { if least > 0 { spansRestart = true } }

    /// The invariant that is violated if a streak is shorter than it must be.
    var shortened: Invariant { spansRestart ? .reload : spansGap ? .missingNeverResets : .oneRollback }
}

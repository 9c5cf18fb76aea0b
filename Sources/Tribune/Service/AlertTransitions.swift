internal import MetricModel
internal import RuleEngine
internal import RuleModel

/// Determines which alerts changed. The rule engine repeats firing alerts every minute; the record needs each change
/// once.
///
/// A machine.
struct AlertTransitions: Equatable {
    private var firing: [Labels: Timestamp] = [:]

    /// The alerts that started to fire or ended.
    mutating func received(_ alerts: [Alert]) -> [Alert] {
        alerts.filter { alert in
            if alert.isResolved { return firing.removeValue(forKey: alert.labels) != nil }
            return firing.updateValue(alert.startsAt, forKey: alert.labels) != alert.startsAt
        }
    }
}

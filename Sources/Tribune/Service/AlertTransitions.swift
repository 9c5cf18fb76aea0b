internal import MetricModel
internal import RuleEngine
internal import RuleModel

/// Tells which alerts are news. The rule engine repeats firing alerts every minute; the record wants each change once.
///
/// A value machine.
struct AlertTransitions: Equatable {
    private var firing: [Labels: Timestamp] = [:]

    /// The alerts that began to fire or ended.
    mutating func received(_ alerts: [Alert]) -> [Alert] {
        alerts.filter { alert in
            if alert.isResolved { return firing.removeValue(forKey: alert.labels) != nil }
            return firing.updateValue(alert.startsAt, forKey: alert.labels) != alert.startsAt
        }
    }
}

public import MetricModel

/// Inhibits alerts: while a source alert fires, target alerts with equal labels are not notified.
public struct InhibitRule: Equatable, Sendable {
    /// Matchers for the source alert.
    public var source: [LabelMatcher]
    /// Matchers for the target alerts.
    public var target: [LabelMatcher]
    /// Labels that must be equal in source and target.
    public var equal: [String]

    /// Whether an alert with `labels` is inhibited by one of the alerts in `firing`.
    public func inhibits(_ labels: Labels, firing: [Labels]) -> Bool { inhibitor(of: labels, firing: firing) != nil }

    /// The first alert in `firing` that inhibits one with `labels`.
    ///
    /// An alert that matches both source and target is not inhibited by alerts that do too, so that it cannot inhibit
    /// itself.
    func inhibitor(of labels: Labels, firing: [Labels]) -> Labels? {
        guard target.allSatisfy({ $0.matches(labels) }) else { return nil }
        let isSourceToo = source.allSatisfy { $0.matches(labels) }
        return firing.first { other in
            source.allSatisfy { $0.matches(other) }
                && equal.allSatisfy { ByteOrder.equal(other[$0] ?? "", labels[$0] ?? "") }
                && !(isSourceToo && target.allSatisfy { $0.matches(other) })
        }
    }
}

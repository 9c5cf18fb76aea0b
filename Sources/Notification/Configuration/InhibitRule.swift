public import MetricModel

/// Alerts that keep others quiet: while a source fires, targets with equal labels are not told.
public struct InhibitRule: Equatable, Sendable {
    /// Conditions on the alert that keeps others quiet.
    public var source: [LabelMatcher]
    /// Conditions on the alerts that are kept quiet.
    public var target: [LabelMatcher]
    /// Labels that must be equal in both.
    public var equal: [String]

    /// Whether an alert with `labels` is kept quiet by one of the alerts in `firing`.
    public func inhibits(_ labels: Labels, firing: [Labels]) -> Bool { inhibitor(of: labels, firing: firing) != nil }

    /// The first alert in `firing` that keeps one with `labels` quiet.
    ///
    /// An alert that meets both sides does not inhibit others that do, so that none can silence itself.
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

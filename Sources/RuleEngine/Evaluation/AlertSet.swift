public import MetricModel
internal import RuleModel

/// The alerts of one alerting rule. A pure machine.
public struct AlertSet: Equatable, Sendable {
    /// One element of the rule's result, with templates expanded.
    public struct Element: Equatable, Sendable {
        /// The alert's identity.
        public var labels: Labels
        /// Expanded annotations.
        public var annotations: Labels
        /// The value.
        public var value: Double

        /// An element.
        public init(labels: Labels, annotations: Labels, value: Double) {
            self.labels = labels
            self.annotations = annotations
            self.value = value
        }
    }

    /// What of a rule bears on the state of its alerts.
    public struct Timing: Equatable, Sendable {
        /// `for`.
        public var hold: Milliseconds
        /// `keep_firing_for`.
        public var keepFiring: Milliseconds
        /// Most active alerts; 0 for no limit.
        public var limit: Int

        /// Timing of a rule.
        public init(hold: Milliseconds = .zero, keepFiring: Milliseconds = .zero, limit: Int = 0) {
            self.hold = hold
            self.keepFiring = keepFiring
            self.limit = limit
        }
    }

    /// The alerts by identity, resolved ones included.
    public private(set) var instances: [Labels: AlertInstance] = [:]

    /// No alerts.
    public init() {}

    /// The pending and firing alerts, sorted by labels.
    public var active: [AlertInstance] {
        instances.values.filter(\.isActive).sorted { $0.labels < $1.labels }
    }

    /// Takes the result of the evaluation at `now`.
    ///
    /// Fails without a change where two elements have the same identity, and forgets all alerts where there are more
    /// than the limit.
    public mutating func evaluated(_ elements: [Element], at now: Timestamp, timing: Timing) throws(RuleFailure) {
        var observed = Set<Labels>(minimumCapacity: elements.count)
        for element in elements {
            guard observed.insert(element.labels).inserted else {
                throw RuleFailure("vector contains metrics with the same labelset after applying alert labels")
            }
        }
        for labels in instances.keys where !observed.contains(labels) {
            if instances[labels]?.missed(at: now, hold: timing.hold, keepFiring: timing.keepFiring) != true {
                instances[labels] = nil
            }
        }
        for element in elements {
            instances[
                element.labels,
                default: AlertInstance(
                    labels: element.labels, annotations: element.annotations, value: element.value, at: now)
            ].observed(element.value, annotations: element.annotations, at: now, hold: timing.hold)
        }
        guard timing.limit > 0 else { return }
        let count = instances.values.count(where: \.isActive)
        if count > timing.limit {
            instances.removeAll()
            throw RuleFailure("exceeded limit of \(timing.limit) with \(count) alerts")
        }
    }

    /// The series that tell of the active alerts: `ALERTS` and `ALERTS_FOR_STATE`.
    public var samples: [RuleSample] {
        active.flatMap { instance in
            let state = ActiveAlertSnapshot.State(instance)
            var alerts = instance.labels
            alerts.set("alertstate", to: state.rawValue)
            alerts.set(Labels.metricName, to: Self.alertsMetric)
            let seconds = (instance.activeAt.seconds).rounded(.down)
            return [
                RuleSample(labels: alerts, value: 1),
                RuleSample(labels: instance.labels.setting(Labels.metricName, to: Self.stateMetric), value: seconds),
            ]
        }
    }

    static let alertsMetric = "ALERTS"
    static let stateMetric = "ALERTS_FOR_STATE"

    /// The alerts that receivers must hear of after the evaluation at `now`; they count as sent.
    public mutating func due(at now: Timestamp, resendDelay: Milliseconds) -> [AlertInstance] {
        var due: [AlertInstance] = []
        for labels in instances.keys {
            if instances[labels]?.sendingDue(at: now, resendDelay: resendDelay) == true, let alert = instances[labels] {
                due.append(alert)
            }
        }
        return due.sorted { $0.labels < $1.labels }
    }

    // MARK: Restoring

    /// The last `ALERTS_FOR_STATE` sample of an alert before a restart.
    public struct StoredState: Equatable, Sendable {
        /// When the sample was written.
        public var writtenAt: Timestamp
        /// What it says: since when the condition held, in seconds.
        public var activeAtSeconds: Double

        /// A sample.
        public init(writtenAt: Timestamp, activeAtSeconds: Double) {
            self.writtenAt = writtenAt
            self.activeAtSeconds = activeAtSeconds
        }
    }

    /// Gives alerts that are active at `now` the time they had been active before a restart; the downtime does not
    /// count.
    ///
    /// A rule that holds for `grace` or longer waits at least `grace` after the restart. One that holds for less waits
    /// for what it had left.
    public mutating func restore(
        _ stored: [Labels: StoredState], at now: Timestamp, hold: Milliseconds, grace: Milliseconds
    ) {
        for (labels, state) in stored {
            guard instances[labels]?.isActive == true, state.activeAtSeconds.magnitude < 1e12 else { continue }
            let activeAt = Timestamp(seconds: state.activeAtSeconds)
            let left = hold - (state.writtenAt - activeAt)
            let restored: Timestamp =
                if left <= .zero {
                    activeAt
                } else if left < grace, hold >= grace {
                    now + grace - hold
                } else {
                    activeAt + (now - state.writtenAt)
                }
            instances[labels]?.restored(activeAt: restored)
        }
    }
}

/// A sample that a rule wants stored.
public struct RuleSample: Equatable, Sendable {
    /// The series, the metric's name included.
    public var labels: Labels
    /// The value; has no meaning where there is a histogram.
    public var value: Double
    /// The value where it is a native histogram.
    public var histogram: FloatHistogram?

    /// A sample of the series `labels`.
    public init(labels: Labels, value: Double, histogram: FloatHistogram? = nil) {
        self.labels = labels
        self.value = value
        self.histogram = histogram
    }
}

/// Why a rule could not be evaluated.
public struct RuleFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// Prometheus's text.
    public var description: String

    /// A failure with the given text.
    public init(_ description: String) {
        self.description = description
    }
}

extension ActiveAlertSnapshot.State {
    /// The word for the state of an active alert.
    init(_ instance: AlertInstance) {
        self = instance.isFiring ? .firing : .pending
    }
}

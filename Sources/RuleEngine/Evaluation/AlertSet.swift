public import MetricModel
internal import RuleModel

/// The alerts of one alerting rule. A pure machine.
public struct AlertSet: Equatable, Sendable {
    /// One element of the rule's result, with templates expanded.
    public struct Element: Equatable, Sendable {
        /// The labels that identify the alert.
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

    /// The fields of a rule that affect the state of its alerts.
    public struct Timing: Equatable, Sendable {
        /// `for`.
        public var hold: Milliseconds
        /// `keep_firing_for`.
        public var keepFiring: Milliseconds
        /// Limit of active alerts; 0 for no limit.
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
    /// If two elements have the same labels, throws and changes nothing. If there are more active alerts than the
    /// limit, throws and removes all alerts.
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

    /// Takes the result of an evaluation between two evaluations by the clock: alerts appear and fire, and none ends.
    ///
    /// If two elements have the same labels, or there would be more active alerts than the limit, throws and changes
    /// nothing.
    ///
    /// - Returns: whether an alert began to fire.
    public mutating func advanced(
        _ elements: [Element], at now: Timestamp, hold: Milliseconds, limit: Int
    ) throws(RuleFailure) -> Bool {
        var next = instances
        var observed = Set<Labels>(minimumCapacity: elements.count)
        var firing = false
        for element in elements {
            guard observed.insert(element.labels).inserted else {
                throw RuleFailure("vector contains metrics with the same labelset after applying alert labels")
            }
            var alert =
                next[element.labels]
                ?? AlertInstance(
                    labels: element.labels, annotations: element.annotations, value: element.value, at: now)
            // Alerts that fire wait for the clock.
            if alert.isFiring { continue }
            alert.observed(element.value, annotations: element.annotations, at: now, hold: hold)
            firing = firing || alert.isFiring
            next[element.labels] = alert
        }
        guard limit <= 0 || next.values.count(where: \.isActive) <= limit else {
            throw RuleFailure("exceeded limit of \(limit)")
        }
        instances = next
        return firing
    }

    /// The series of the active alerts: `ALERTS` and `ALERTS_FOR_STATE`.
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

    /// The alerts that must be sent after the evaluation at `now`. They are marked as sent.
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
        /// The value of the sample: the start of the condition, in seconds since the epoch.
        public var activeAtSeconds: Double

        /// A sample.
        public init(writtenAt: Timestamp, activeAtSeconds: Double) {
            self.writtenAt = writtenAt
            self.activeAtSeconds = activeAtSeconds
        }
    }

    /// Restores the start of the alerts that are active at `now` from the samples written before a restart. The outage
    /// does not count towards `for`.
    ///
    /// If `for` is at least `grace`, the alert waits at least `grace` after the restart. Otherwise it waits for the
    /// rest of its `for`.
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

/// A sample to be stored for a rule.
public struct RuleSample: Equatable, Sendable {
    /// The labels, including the metric name.
    public var labels: Labels
    /// The value; ignored if `histogram` is set.
    public var value: Double
    /// The value, if it is a native histogram.
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
    /// The message, with Prometheus's text.
    public var description: String
    /// Whether nothing is known about the data: a server did not answer, or not with everything.
    public var isUnknown = false

    /// A failure with the given text.
    public init(_ description: String) {
        self.description = description
    }

    /// A failure of a server that was asked.
    public static func unknown(_ description: String) -> RuleFailure {
        var failure = RuleFailure(description)
        failure.isUnknown = true
        return failure
    }
}

extension ActiveAlertSnapshot.State {
    /// The word for the state of an active alert.
    init(_ instance: AlertInstance) {
        self = instance.isFiring ? .firing : .pending
    }
}

public import MetricModel

/// One alert of an alerting rule, from the first evaluation that returns it until it is removed.
///
/// A pure machine. All times are evaluation times.
public struct AlertInstance: Equatable, Sendable {
    /// The state of the alert.
    public enum State: Equatable, Sendable {
        /// The condition holds, but for less than `for`. Next: `firing`, or removed.
        case pending
        /// Next: `keepingFiring`, `resolved`, and back to `pending` when `for` was raised.
        case firing(since: Timestamp)
        /// The condition ended less than `keep_firing_for` ago. Next: `firing`, `resolved`.
        case keepingFiring(since: Timestamp, missingSince: Timestamp)
        /// Kept so that receivers are notified. Next: `pending` as a new alert, or removed.
        case resolved(since: Timestamp, at: Timestamp)
    }

    /// How long a resolved alert is kept for sending.
    public static let retention = Milliseconds.minutes(15)

    /// The labels that identify the alert.
    public let labels: Labels
    /// The annotations, expanded when the condition last held.
    public private(set) var annotations: Labels
    /// The value when the condition last held.
    public private(set) var value: Double
    /// The start of the condition. In the future while a restored alert waits for the time of the outage to pass.
    public private(set) var activeAt: Timestamp
    /// The state of the alert.
    public private(set) var state: State
    /// The time at which the alert was last sent.
    public private(set) var lastSentAt: Timestamp?

    /// An alert whose condition holds for the first time at `now`.
    public init(labels: Labels, annotations: Labels, value: Double, at now: Timestamp) {
        self.labels = labels
        self.annotations = annotations
        self.value = value
        self.activeAt = now
        self.state = .pending
    }

    /// Whether it is pending or firing.
    public var isActive: Bool {
        switch state {
        case .pending, .firing, .keepingFiring: true
        case .resolved: false
        }
    }

    /// Whether it is firing.
    public var isFiring: Bool {
        switch state {
        case .firing, .keepingFiring: true
        case .pending, .resolved: false
        }
    }

    // MARK: Events

    /// The condition holds at `now`. A resolved alert starts again as a new one.
    public mutating func observed(_ value: Double, annotations: Labels, at now: Timestamp, hold: Milliseconds) {
        switch state {
        case .resolved:
            self = AlertInstance(labels: labels, annotations: annotations, value: value, at: now)
        case .keepingFiring(let since, _):
            state = .firing(since: since)
        case .pending, .firing: break
        }
        self.value = value
        self.annotations = annotations
        matured(at: now, hold: hold)
    }

    /// The condition does not hold at `now`. Returns whether the alert must be kept.
    public mutating func missed(at now: Timestamp, hold: Milliseconds, keepFiring: Milliseconds) -> Bool {
        switch state {
        case .pending: return false
        case .firing(let since):
            state =
                keepFiring > .zero
                ? .keepingFiring(since: since, missingSince: now) : .resolved(since: since, at: now)
        case .keepingFiring(let since, let missingSince):
            if now - missingSince >= keepFiring { state = .resolved(since: since, at: now) }
        case .resolved(_, let at): return now - at <= Self.retention
        }
        return true
    }

    /// Sets the start of the condition to the one stored before a restart.
    public mutating func restored(activeAt: Timestamp) {
        self.activeAt = activeAt
    }

    private mutating func matured(at now: Timestamp, hold: Milliseconds) {
        switch state {
        case .pending: if now - activeAt >= hold { state = .firing(since: now) }
        case .firing: if now - activeAt < hold { state = .pending }
        case .keepingFiring, .resolved: break
        }
    }

    // MARK: Sending

    /// Whether the alert must be sent to receivers at `now`. If so, it is marked as sent.
    ///
    /// Pending alerts are never sent. A resolved alert is sent at once. Resolved and firing alerts are sent again after
    /// each `resendDelay`.
    public mutating func sendingDue(at now: Timestamp, resendDelay: Milliseconds) -> Bool {
        if case .pending = state { return false }
        if let lastSentAt, lastSentAt + resendDelay >= now {
            guard case .resolved(_, let at) = state, at > lastSentAt else { return false }
        }
        lastSentAt = now
        return true
    }
}

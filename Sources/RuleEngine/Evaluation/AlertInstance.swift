public import MetricModel

/// One alert of an alerting rule, from the first evaluation that yields it until it is forgotten.
///
/// A pure machine; times are those of the evaluations.
public struct AlertInstance: Equatable, Sendable {
    /// Where the alert stands.
    public enum State: Equatable, Sendable {
        /// The condition holds, but for less than `for`. To: `firing`, or forgotten.
        case pending
        /// To: `keepingFiring`, `resolved`, and back to `pending` when `for` was raised.
        case firing(since: Timestamp)
        /// The condition has ended, but less than `keep_firing_for` ago. To: `firing`, `resolved`.
        case keepingFiring(since: Timestamp, missingSince: Timestamp)
        /// Kept so that receivers hear of it. To: `pending` as a new alert, or forgotten.
        case resolved(since: Timestamp, at: Timestamp)
    }

    /// How long a resolved alert is kept for sending.
    public static let retention = Milliseconds.minutes(15)

    /// The identity.
    public let labels: Labels
    /// Expanded when the condition last held.
    public private(set) var annotations: Labels
    /// The value when the condition last held.
    public private(set) var value: Double
    /// Since when the condition holds; in the future while a restored alert waits out its downtime.
    public private(set) var activeAt: Timestamp
    /// Where the alert stands.
    public private(set) var state: State
    /// When it was last handed to be sent.
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

    /// The condition holds at `now`; an alert that was resolved begins anew.
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

    /// The condition does not hold at `now`. Returns whether the alert is still to be remembered.
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

    /// The condition was found to hold since `activeAt` before a restart.
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

    /// Whether receivers must hear of the alert at `now`; if so it counts as sent.
    ///
    /// Pending alerts are never sent; a resolved one at once and then, like a firing one, again after each
    /// `resendDelay`.
    public mutating func sendingDue(at now: Timestamp, resendDelay: Milliseconds) -> Bool {
        if case .pending = state { return false }
        if let lastSentAt, lastSentAt + resendDelay >= now {
            guard case .resolved(_, let at) = state, at > lastSentAt else { return false }
        }
        lastSentAt = now
        return true
    }
}

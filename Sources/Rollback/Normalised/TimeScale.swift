package import MetricModel

/// Measures instants from now, in steps: for comparing machines that reached the same state at different times.
///
/// Meant for explorations in which events happen only at whole steps of the clock. Then a machine that compares
/// `now >= since + span` behaves the same for every `since` that is at least `span` ago, and for every instant within
/// one step, so that such instants become one.
package struct TimeScale: Sendable {
    /// Now.
    package let now: Instant
    /// The time between two instants at which events may happen.
    package let step: Milliseconds

    /// Times relative to `now`.
    package init(now: Instant, step: Milliseconds) {
        self.now = now
        self.step = step
    }

    /// Steps from now until `instant`, rounded up; negative in the past.
    private func steps(until instant: Instant) -> Int64 {
        let length = step.rawValue * 1_000_000
        let span = instant.nanoseconds - now.nanoseconds
        return span > 0 ? (span + length - 1) / length : span / length
    }

    /// When something is due; `nil` if it is already.
    func due(_ instant: Instant?) -> Instant? {
        guard let instant, instant > now else { return nil }
        return Instant(nanoseconds: steps(until: instant))
    }

    /// Since when something lasts of which only the first `span` matters.
    func since(_ instant: Instant, within span: Milliseconds) -> Instant {
        let limit = (span.rawValue + step.rawValue - 1) / step.rawValue
        return Instant(nanoseconds: max(steps(until: instant), -limit))
    }

    /// Since when something lasts of which only the first `span` matters; `nil` if nothing does.
    func since(_ instant: Instant?, within span: Milliseconds) -> Instant? {
        instant.map { since($0, within: span) }
    }

    /// Since when something lasts, with its whole length.
    func since(_ instant: Instant?) -> Instant? {
        instant.map { Instant(nanoseconds: steps(until: $0)) }
    }

    /// `now` in milliseconds.
    var timestamp: Timestamp { now.timestamp }
}

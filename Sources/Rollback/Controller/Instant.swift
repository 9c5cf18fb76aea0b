public import MetricModel

/// A point in time in nanoseconds since the Unix epoch.
///
/// The runner derives it from the monotonic clock, which it anchors to the wall clock once at its start. Spans within
/// one process are therefore exact, and a step of the wall clock neither ends a cooldown nor makes a rollback look
/// slow.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    public var nanoseconds: Int64

    /// The instant `nanoseconds` after the epoch.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The start of its millisecond.
    public var timestamp: Timestamp { Timestamp(milliseconds: nanoseconds / 1_000_000) }

    /// Whether `left` is earlier.
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// `span` later; the last instant of the scale if it would exceed it.
    public static func + (left: Instant, span: Milliseconds) -> Instant {
        let (length, tooLong) = span.rawValue.multipliedReportingOverflow(by: 1_000_000)
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(length)
        if tooLong || overflow { return Instant(nanoseconds: span < .zero ? .min : .max) }
        return Instant(nanoseconds: sum)
    }

    /// Milliseconds since `start`, with a fraction.
    public func milliseconds(since start: Instant) -> Double {
        Double(nanoseconds &- start.nanoseconds) / 1_000_000
    }
}

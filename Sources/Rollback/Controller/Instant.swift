public import MetricModel

/// A point in time in nanoseconds since the Unix epoch.
///
/// The shell derives it from the monotonic clock, anchored to the wall clock once when it starts, so that spans within
/// one process are exact and a step of the wall clock neither ends a cooldown nor makes a rollback look slow.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    public var nanoseconds: Int64

    /// The instant `nanoseconds` after the epoch.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The start of the millisecond it lies in.
    public var timestamp: Timestamp { Timestamp(milliseconds: nanoseconds / 1_000_000) }

    /// Whether `left` is earlier.
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// `span` later; stays at the end of the scale where it would pass it.
    public static func + (left: Instant, span: Milliseconds) -> Instant {
        let (length, tooLong) = span.rawValue.multipliedReportingOverflow(by: 1_000_000)
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(length)
        if tooLong || overflow { return Instant(nanoseconds: span < .zero ? .min : .max) }
        return Instant(nanoseconds: sum)
    }

    /// Milliseconds from `start` to here, with their fraction.
    public func milliseconds(since start: Instant) -> Double {
        Double(nanoseconds &- start.nanoseconds) / 1_000_000
    }
}

/// A point in time, in whole milliseconds since the Unix epoch, as in Prometheus.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z; negative before it.
    public var milliseconds: Int64

    /// The time `milliseconds` after the epoch.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// The time nearest to `seconds` after the epoch. Values outside `Int64` are clamped; NaN is the epoch.
    public init(seconds: Double) {
        self.milliseconds = Int64(clamping: seconds * 1000)
    }

    /// Earlier than every sample.
    public static let distantPast = Timestamp(milliseconds: .min / 2)
    /// Later than every sample.
    public static let distantFuture = Timestamp(milliseconds: .max / 2)

    /// Seconds since the epoch.
    public var seconds: Double { Double(milliseconds) / 1000 }

    /// Whether `left` is earlier.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }
    /// `span` later.
    public static func + (left: Timestamp, span: Milliseconds) -> Timestamp {
        Timestamp(milliseconds: left.milliseconds &+ span.rawValue)
    }
    /// `span` earlier.
    public static func - (left: Timestamp, span: Milliseconds) -> Timestamp {
        Timestamp(milliseconds: left.milliseconds &- span.rawValue)
    }
    /// The span from `right` to `left`.
    public static func - (left: Timestamp, right: Timestamp) -> Milliseconds {
        Milliseconds(rawValue: left.milliseconds &- right.milliseconds)
    }
}

extension Int64 {
    /// `value` rounded to the nearest integer, ties away from zero. Clamped at the ends; 0 for NaN.
    public init(clamping value: Double) {
        if value.isNaN {
            self = 0
        } else if value >= 0x1p63 {
            self = .max
        } else if value < -0x1p63 {
            self = .min
        } else {
            self = Int64(value.rounded())
        }
    }
}

internal import MetricModel

/// The notation of durations in expressions.
enum DurationNotation {
    /// The longest duration, 2^63 nanoseconds, in whole milliseconds.
    static let longest = Milliseconds(rawValue: .max / 1_000_000)

    /// `seconds` as a whole number of nanoseconds, truncated to milliseconds.
    static func milliseconds(_ seconds: Double) -> Milliseconds {
        Milliseconds(rawValue: Int64(clamping: seconds * 1e9) / 1_000_000)
    }
}

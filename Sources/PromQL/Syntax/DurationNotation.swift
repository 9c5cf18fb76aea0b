internal import MetricModel

/// The notation of durations in expressions.
enum DurationNotation {
    /// The longest duration, 2^63 nanoseconds, in whole milliseconds.
    static let longest = Milliseconds(rawValue: .max / 1_000_000)

    /// Whether `text` consists of pairs of digits and units, the units from large to small and each at most once.
    static func hasOrderedUnits(_ text: String) -> Bool {
        // Numbers are shortened, so that only the order of units can make it invalid.
        var shortened: [UInt8] = []
        for byte in text.utf8 {
            let isDigit = (0x30...0x39).contains(byte)
            if isDigit, let last = shortened.last, (0x30...0x39).contains(last) { continue }
            shortened.append(byte)
        }
        return Milliseconds(parsing: String(decoding: shortened, as: UTF8.self)) != nil
    }

    /// `seconds` as a whole number of nanoseconds, truncated to milliseconds.
    static func milliseconds(_ seconds: Double) -> Milliseconds {
        Milliseconds(rawValue: Int64(clamping: seconds * 1e9) / 1_000_000)
    }
}

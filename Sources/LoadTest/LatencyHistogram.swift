/// Counts of durations with a relative error of at most one in a thousand, from 64 ns to an hour, in constant memory.
///
/// The layout is that of HdrHistogram: levels of 1024 buckets of equal width (2048 in the first), and each level's
/// buckets are twice as wide as those of the level before. A value; adding is O(1), a quantile O(buckets).
public struct LatencyHistogram: Equatable, Sendable {
    private static let unitBits = 6
    private static let levelBits = 10
    /// The longest duration that is counted as itself; longer ones count as this.
    public static let longest: Int64 = 3_600_000_000_000
    private static let bucketCount = index(of: longest) + 1

    private var counts = [UInt64](repeating: 0, count: Self.bucketCount)
    /// The number of durations.
    public private(set) var count: UInt64 = 0
    /// The longest duration, exactly, in nanoseconds; 0 without any.
    public private(set) var maximum: Int64 = 0
    /// The shortest duration, exactly, in nanoseconds; 0 without any.
    public private(set) var minimum: Int64 = 0
    private var sum = 0.0

    /// No durations.
    public init() {}

    /// Adds a duration in nanoseconds. A negative one counts as 0.
    public mutating func add(_ nanoseconds: Int64) {
        let value = min(max(0, nanoseconds), Self.longest)
        counts[Self.index(of: value)] += 1
        minimum = count == 0 ? value : min(minimum, value)
        maximum = max(maximum, value)
        count += 1
        sum += Double(value)
    }

    /// Adds all durations of `other`.
    public mutating func add(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        for index in counts.indices { counts[index] += other.counts[index] }
        minimum = count == 0 ? other.minimum : min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
        count += other.count
        sum += other.sum
    }

    /// Forgets everything, and keeps the memory.
    public mutating func removeAll() {
        for index in counts.indices { counts[index] = 0 }
        (count, minimum, maximum, sum) = (0, 0, 0, 0)
    }

    /// The mean in nanoseconds; 0 without durations.
    public var mean: Double { count > 0 ? sum / Double(count) : 0 }

    /// The smallest duration that a share `quantile` (0...1) of all do not exceed, in nanoseconds; 0 without durations.
    public func quantile(_ quantile: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let rank = max(1, UInt64((min(1, max(0, quantile)) * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, number) in counts.enumerated() where number > 0 {
            seen += number
            if seen >= rank { return min(maximum, max(minimum, Self.upperEnd(of: index))) }
        }
        return maximum
    }

    /// The share of durations up to `nanoseconds`, with the error of the bucket that contains it; 1 without durations.
    public func share(upTo nanoseconds: Int64) -> Double {
        guard count > 0 else { return 1 }
        guard nanoseconds >= 0 else { return 0 }
        let last = Self.index(of: min(nanoseconds, Self.longest))
        return Double(counts[...last].reduce(0, +)) / Double(count)
    }

    private static func index(of nanoseconds: Int64) -> Int {
        let value = UInt64(nanoseconds) >> UInt64(unitBits)
        let first: UInt64 = (1 << UInt64(levelBits + 1)) - 1
        let level = max(0, 64 - (value | first).leadingZeroBitCount - levelBits - 1)
        return (level << levelBits) + Int(value >> UInt64(level))
    }

    /// The longest duration that a bucket counts.
    private static func upperEnd(of index: Int) -> Int64 {
        let level = max(0, index >> levelBits - 1)
        let place = Int64(index - level << levelBits)
        return (place + 1) << Int64(level + unitBits) - 1
    }
}

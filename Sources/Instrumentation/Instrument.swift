internal import Synchronization

/// A number that only increases, such as a number of scrapes. May be used from any thread.
public final class Counter: Sendable {
    private let bits = Atomic<UInt64>(0)

    /// A counter at zero.
    public init() {}

    /// Adds `amount`, which must not be negative.
    public func add(_ amount: Double = 1) {
        assert(amount >= 0)
        bits.addDouble(amount)
    }

    /// Sets the total to a value that is kept elsewhere. A smaller one is ignored.
    public func raise(to total: Double) {
        var known = bits.load(ordering: .relaxed)
        while Double(bitPattern: known) < total {
            let (isDone, found) = bits.weakCompareExchange(
                expected: known, desired: total.bitPattern, ordering: .relaxed)
            if isDone { return }
            known = found
        }
    }

    /// The current total.
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// A number that increases and decreases, such as a queue's length. May be used from any thread.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    /// A gauge at zero.
    public init() {}

    /// Replaces the value.
    public func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds `amount`, which may be negative.
    public func add(_ amount: Double) {
        bits.addDouble(amount)
    }

    /// The current value.
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// Counts of observations by size, such as latencies in seconds. May be used from any thread.
///
/// Reading is not atomic: a snapshot may miss observations made while it is taken, but its buckets never decrease.
public final class Histogram: Sendable {
    /// Upper bounds of the buckets, ascending, without +Inf.
    public let bounds: [Double]
    private let counts: AtomicCounts
    private let total = Atomic<UInt64>(0)

    /// Bounds for latencies from 100 µs to 10 s.
    public static let latencyBounds: [Double] = [
        0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    /// An empty histogram.
    public init(bounds: [Double] = Histogram.latencyBounds) {
        self.bounds = bounds.sorted()
        self.counts = AtomicCounts(count: bounds.count + 1)
    }

    /// Adds `value` to its bucket.
    public func observe(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        counts.increment(bucket)
        total.addDouble(value)
    }

    /// The observations so far.
    public var snapshot: HistogramSnapshot {
        HistogramSnapshot(
            bounds: bounds, counts: counts.values, sum: Double(bitPattern: total.load(ordering: .relaxed)))
    }
}

/// The content of a ``Histogram`` at a time.
public struct HistogramSnapshot: Equatable, Sendable {
    /// Upper bounds, ascending, without +Inf.
    public var bounds: [Double]
    /// Observations per bucket (not cumulative). The last bucket is above every bound.
    public var counts: [UInt64]
    /// Sum of the observations.
    public var sum: Double
}

/// A fixed number of counters.
final class AtomicCounts: Sendable {
    private let cells: [Cell]

    private final class Cell: Sendable {
        let count = Atomic<UInt64>(0)
    }

    init(count: Int) {
        cells = (0..<count).map { _ in Cell() }
    }

    func increment(_ index: Int) {
        cells[index].count.wrappingAdd(1, ordering: .relaxed)
    }

    var values: [UInt64] { cells.map { $0.count.load(ordering: .relaxed) } }
}

extension Atomic where Value == UInt64 {
    /// Adds to the `Double` whose bits are stored here.
    fileprivate borrowing func addDouble(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, current) = weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = current
        }
    }
}

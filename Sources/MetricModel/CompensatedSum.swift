/// A running sum that also keeps the rounding error (Kahan's method with Neumaier's improvement).
///
/// - Note: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974.
public struct CompensatedSum: Equatable, Sendable {
    /// The rounded sum.
    public var sum: Double
    /// The rounding error.
    public var compensation = 0.0

    /// A sum that starts with `sum`.
    @inlinable
    public init(_ sum: Double = 0) {
        self.sum = sum
    }

    /// Sum and compensation together. An infinite sum does not change.
    @inlinable public var total: Double { sum.isInfinite ? sum : sum + compensation }

    /// Adds `value`.
    @inlinable
    public mutating func add(_ value: Double) {
        let next = sum + value
        if next.isInfinite {
            compensation = 0
        } else {
            // Both forms of the error are exact where the sum is finite; this one needs no comparison.
            let part = next - sum
            compensation += (sum - (next - part)) + (value - part)
        }
        sum = next
    }
}

/// A mean: the quotient of a compensated sum while that does not overflow; after that, each value updates the mean.
public struct CompensatedMean: Sendable {
    private var accumulated: CompensatedSum
    private var count = 1.0
    private var isIncremental = false

    /// The mean of one value.
    public init(first value: Double) {
        accumulated = CompensatedSum(value)
    }

    /// Adds one value.
    public mutating func add(_ value: Double) {
        count += 1
        if !isIncremental {
            var next = accumulated
            next.add(value)
            if !next.sum.isInfinite {
                accumulated = next
                return
            }
            isIncremental = true
            accumulated.sum /= count - 1
            accumulated.compensation /= count - 1
        }
        let weight = (count - 1) / count
        accumulated.sum *= weight
        accumulated.compensation *= weight
        accumulated.add(value / count)
    }

    /// The current mean.
    public var mean: Double {
        isIncremental
            ? accumulated.sum + accumulated.compensation
            : accumulated.sum / count + accumulated.compensation / count
    }
}

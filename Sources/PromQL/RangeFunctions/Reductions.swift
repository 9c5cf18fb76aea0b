internal import MetricModel

/// Functions of the values in a window. Each has the same result for the same values, bit by bit, however it is called.
enum Reductions {
    /// The number of values that are compared at once.
    private typealias Lanes = SIMD8<Double>

    static func sum(_ values: Span<Double>) -> Double { compensatedSum(values).total }

    static func mean(_ values: Span<Double>) -> Double {
        let total = compensatedSum(values)
        let count = Double(values.count)
        // An infinite sum, even in between, never becomes finite again.
        if total.sum.isFinite { return total.sum / count + total.compensation / count }
        var mean = CompensatedMean(first: values[0])
        for index in 1..<values.count { mean.add(values[index]) }
        return mean.mean
    }

    private static func compensatedSum(_ values: Span<Double>) -> CompensatedSum {
        var total = CompensatedSum()
        for index in values.indices { total.add(values[index]) }
        return total
    }

    static func variance(_ values: Span<Double>) -> Double {
        var count = 0.0
        var mean = CompensatedSum()
        var squares = CompensatedSum()
        for index in values.indices {
            let value = values[index]
            count += 1
            let delta = value - (mean.sum + mean.compensation)
            mean.add(delta / count)
            squares.add(delta * (value - (mean.sum + mean.compensation)))
        }
        return (squares.sum + squares.compensation) / count
    }

    /// The least of values without NaN; of equal ones the first.
    static func minimum(_ values: Span<Double>) -> Double {
        let found = extreme(values, { $0.replacing(with: $1, where: $1 .< $0) }) { $0 < $1 }
        return found == 0 ? first(zeroIn: values) : found
    }

    /// The greatest of values without NaN; of equal ones the first.
    static func maximum(_ values: Span<Double>) -> Double {
        let found = extreme(values, { $0.replacing(with: $1, where: $1 .> $0) }) { $0 > $1 }
        return found == 0 ? first(zeroIn: values) : found
    }

    @inline(__always)
    private static func extreme(
        _ values: Span<Double>, _ better: (Lanes, Lanes) -> Lanes, _ isBetter: (Double, Double) -> Bool
    ) -> Double {
        var best = values[0]
        var index = 0
        if values.count >= 2 * Lanes.scalarCount {
            var lanes = Lanes(repeating: best)
            unsafe values.withUnsafeBytes { bytes in
                while index + Lanes.scalarCount <= values.count {
                    let offset = index * MemoryLayout<Double>.stride
                    lanes = better(lanes, unsafe bytes.loadUnaligned(fromByteOffset: offset, as: Lanes.self))
                    index += Lanes.scalarCount
                }
            }
            for lane in 0..<Lanes.scalarCount where isBetter(lanes[lane], best) { best = lanes[lane] }
        }
        while index < values.count {
            if isBetter(values[index], best) { best = values[index] }
            index += 1
        }
        return best
    }

    /// The first zero, with its sign: lanes do not say which of 0 and -0 was first.
    private static func first(zeroIn values: Span<Double>) -> Double {
        for index in values.indices where values[index] == 0 { return values[index] }
        return 0
    }
}

import TestSupport
import Testing

@testable import LoadTest

@Suite struct LatencyHistogramTests {
    @Test("every quantile of random durations is within one in a thousand of the exact one")
    func quantiles() {
        var random = SeededGenerator(seed: 11)
        var histogram = LatencyHistogram()
        var exact: [Int64] = []
        for _ in 0..<50_000 {
            // From 0.1 µs to 100 s, evenly in the logarithm.
            let nanoseconds = Int64(100 * Double.pow2(Double(random.next() >> 11) * 0x1p-53 * 30))
            histogram.add(nanoseconds)
            exact.append(nanoseconds)
        }
        exact.sort()
        for share in [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1] {
            let rank = max(1, Int((share * Double(exact.count)).rounded(.up)))
            let (wanted, found) = (Double(exact[rank - 1]), Double(histogram.quantile(share)))
            // A bucket of the first level is 64 ns wide.
            #expect(found >= wanted && found - wanted <= max(64, wanted / 1000), "\(share): \(found) for \(wanted)")
        }
        #expect(histogram.maximum == exact.last && histogram.minimum == exact.first)
        let mean = exact.reduce(0.0) { $0 + Double($1) } / Double(exact.count)
        #expect((histogram.mean / mean - 1).magnitude < 1e-9)
    }

    @Test("every bucket ends where the next one begins")
    func buckets() {
        for exponent in 0..<42 {
            for offset: Int64 in [-65, -64, -1, 0, 1, 63, 64] {
                let value = max(0, (Int64(1) << Int64(exponent)) + offset)
                var histogram = LatencyHistogram()
                histogram.add(value)
                histogram.add(LatencyHistogram.longest)
                let found = histogram.quantile(0.5)
                let wanted = min(value, LatencyHistogram.longest)
                #expect(
                    found >= wanted && Double(found - wanted) <= max(64, Double(wanted) / 1000), "\(value): \(found)")
            }
        }
    }

    @Test("sums of histograms are histograms of all durations; too long ones count as an hour")
    func sums() {
        var (left, right, both) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for value: Int64 in [1_000_000, 5_000_000, .max, -3] {
            left.add(value)
            both.add(value)
        }
        right.add(7_000_000)
        both.add(7_000_000)
        left.add(right)
        left.add(LatencyHistogram())
        #expect(left == both)
        #expect(left.maximum == LatencyHistogram.longest && left.minimum == 0 && left.count == 5)
        #expect(left.share(upTo: 5_000_000) == 0.6)
        left.removeAll()
        #expect(left == LatencyHistogram() && left.quantile(0.5) == 0)
    }
}

extension Double {
    fileprivate static func pow2(_ exponent: Double) -> Double {
        let whole = exponent.rounded(.down)
        // Linear within an octave is close enough to spread values over all of them.
        return (1 + exponent - whole) * Double(sign: .plus, exponent: Int(whole), significand: 1)
    }
}

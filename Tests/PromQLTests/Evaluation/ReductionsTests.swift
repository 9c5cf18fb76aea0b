import MetricModel
import TestSupport
import Testing

@testable import PromQL

/// The reductions of windows against their definitions, one value after the other, bit by bit.
@Suite struct ReductionsTests {
    /// Kahan's sum with Neumaier's comparison, and a mean that goes on incrementally where the sum overflows.
    private struct Definition {
        var sum = 0.0
        var compensation = 0.0

        mutating func add(_ value: Double) {
            let next = sum + value
            if next.isInfinite {
                compensation = 0
            } else if sum.magnitude >= value.magnitude {
                compensation += (sum - next) + value
            } else {
                compensation += (value - next) + sum
            }
            sum = next
        }

        static func sum(_ values: [Double]) -> Double {
            var total = Definition()
            for value in values { total.add(value) }
            return total.sum.isInfinite ? total.sum : total.sum + total.compensation
        }

        static func mean(_ values: [Double]) -> Double {
            var total = Definition()
            total.sum = values[0]
            var count = 1.0
            var isIncremental = false
            for value in values.dropFirst() {
                count += 1
                if !isIncremental {
                    var next = total
                    next.add(value)
                    if !next.sum.isInfinite {
                        total = next
                        continue
                    }
                    isIncremental = true
                    total.sum /= count - 1
                    total.compensation /= count - 1
                }
                let weight = (count - 1) / count
                total.sum *= weight
                total.compensation *= weight
                total.add(value / count)
            }
            return isIncremental ? total.sum + total.compensation : total.sum / count + total.compensation / count
        }

        static func extreme(_ values: [Double], _ isBetter: (Double, Double) -> Bool) -> Double {
            values.dropFirst().reduce(values[0]) { isBetter($1, $0) ? $1 : $0 }
        }
    }

    private func check(_ values: [Double], _ what: String) {
        let span = values.span
        let found = [
            Reductions.sum(span), Reductions.mean(span), Reductions.minimum(span), Reductions.maximum(span),
        ]
        let expected = [
            Definition.sum(values), Definition.mean(values), Definition.extreme(values, <),
            Definition.extreme(values, >),
        ]
        for (name, (found, expected)) in zip(["sum", "mean", "minimum", "maximum"], zip(found, expected)) {
            #expect(
                found.bitPattern == expected.bitPattern || (found.isNaN && expected.isNaN),
                "\(name) of \(what): \(found), not \(expected)")
        }
    }

    @Test func equalTheirDefinitions() {
        var generator = SeededGenerator(seed: 5)
        for count in [1, 2, 7, 8, 15, 16, 17, 24, 100, 1000] {
            for round in 0..<20 {
                let values = (0..<count).map { _ -> Double in
                    switch round % 5 {
                    case 0: Double(Int.random(in: -50...50, using: &generator)) / 10
                    case 1: Double.random(in: -1...1, using: &generator) * 1e16
                    case 2: [0.0, -0.0][Int.random(in: 0...1, using: &generator)]
                    case 3:
                        Double.random(in: -1...1, using: &generator)
                            * [1e-300, 1, 1e300][Int.random(in: 0...2, using: &generator)]
                    default: Double(Int.random(in: 0...3, using: &generator))
                    }
                }
                check(values, "\(values.prefix(20))")
            }
        }
    }

    @Test func whatIsTooLargeForADoubleIsStillAMean() {
        let most = Double.greatestFiniteMagnitude
        check([most, most, most], "three of the greatest")
        check([most, most, -most, 1, 2], "an overflow in between")
        check([-most, -most, 5], "a negative overflow")
        check([.infinity, 1, 2], "an infinity")
        check([1, -.infinity, 3], "a negative infinity")
        check([.infinity, -.infinity, 3], "both")
        check([most, -most, most * 0.7, -1e300, 3], "great ones that cancel out")
    }

    @Test func theFirstOfEqualZeroesCounts() {
        for position in 0..<40 {
            var values = [Double](repeating: 0, count: 40)
            values[position] = -0.0
            check(values, "-0 at \(position)")
            check(values.map { -$0 }, "0 at \(position)")
        }
    }

    @Test func spreadIsThatOfWelford() {
        #expect(Reductions.variance([1, 2, 3, 4].span) == 1.25)
        #expect(Reductions.variance([7].span) == 0)
    }
}

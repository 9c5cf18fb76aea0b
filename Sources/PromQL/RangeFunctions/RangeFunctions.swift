internal import Glibc
internal import MetricModel

extension RangeFunctionNode.Definition {
    /// The range function named `name`.
    static func named(_ name: String) -> RangeFunctionNode.Definition? { table[name] }

    private static let table: [String: RangeFunctionNode.Definition] = [
        "rate": .init(
            kernel: RangeKernels.rate(.init(isCounter: true, isPerSecond: true)),
            tileKernel: RangeKernels.tileRate(.init(isCounter: true, isPerSecond: true)), wantsCounter: true),
        "increase": .init(
            kernel: RangeKernels.rate(.init(isCounter: true, isPerSecond: false)),
            tileKernel: RangeKernels.tileRate(.init(isCounter: true, isPerSecond: false)), wantsCounter: true),
        "delta": .init(
            kernel: RangeKernels.rate(.init(isCounter: false, isPerSecond: false)),
            tileKernel: RangeKernels.tileRate(.init(isCounter: false, isPerSecond: false))),
        "irate": .init(kernel: RangeKernels.instantChange(isRate: true)),
        "idelta": .init(kernel: RangeKernels.instantChange(isRate: false)),
        "deriv": .init(kernel: RangeKernels.derivative),
        "predict_linear": .init(kernel: RangeKernels.predictLinear),
        "double_exponential_smoothing": .init(kernel: RangeKernels.smoothing),
        "resets": .init(kernel: RangeKernels.resets),
        "changes": .init(kernel: RangeKernels.changes),
        "sum_over_time": .init(
            kernel: RangeKernels.sumOverTime, tileKernel: RangeKernels.tileReduction(Reductions.sum)),
        "avg_over_time": .init(
            kernel: RangeKernels.averageOverTime, tileKernel: RangeKernels.tileReduction(Reductions.mean)),
        "count_over_time": .init(
            kernel: RangeKernels.ofAny { Double($0.floats.count + $0.histograms.count) },
            tileKernel: RangeKernels.tileReduction { Double($0.count) }),
        "present_over_time": .init(
            kernel: RangeKernels.ofAny { _ in 1 }, tileKernel: RangeKernels.tileReduction { _ in 1 }),
        "min_over_time": .init(
            kernel: RangeKernels.ofFloats { RangeKernels.extreme($0, <).value },
            tileKernel: RangeKernels.tileReduction(Reductions.minimum)),
        "max_over_time": .init(
            kernel: RangeKernels.ofFloats { RangeKernels.extreme($0, >).value },
            tileKernel: RangeKernels.tileReduction(Reductions.maximum)),
        "ts_of_min_over_time": .init(
            kernel: RangeKernels.ofFloats { Double(RangeKernels.extreme($0, <=).time) / 1000 }),
        "ts_of_max_over_time": .init(
            kernel: RangeKernels.ofFloats { Double(RangeKernels.extreme($0, >=).time) / 1000 }),
        "ts_of_first_over_time": .init(kernel: RangeKernels.ofAny(RangeKernels.firstTime)),
        "ts_of_last_over_time": .init(kernel: RangeKernels.ofAny(RangeKernels.lastTime)),
        "stdvar_over_time": .init(
            kernel: RangeKernels.ofFloats(RangeKernels.variance),
            tileKernel: RangeKernels.tileReduction(Reductions.variance)),
        "stddev_over_time": .init(
            kernel: RangeKernels.ofFloats { RangeKernels.variance($0).squareRoot() },
            tileKernel: RangeKernels.tileReduction { Reductions.variance($0).squareRoot() }),
        "mad_over_time": .init(kernel: RangeKernels.ofFloats(RangeKernels.medianAbsoluteDeviation)),
        "quantile_over_time": .init(kernel: RangeKernels.quantileOverTime),
        "first_over_time": .init(
            kernel: RangeKernels.firstOverTime, tileKernel: RangeKernels.tileReduction { $0[0] }, keepsName: true),
        "last_over_time": .init(
            kernel: RangeKernels.lastOverTime, tileKernel: RangeKernels.tileReduction { $0[$0.count - 1] },
            keepsName: true),
    ]
}

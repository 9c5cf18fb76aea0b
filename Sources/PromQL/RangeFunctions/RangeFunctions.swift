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
        "sum_over_time": .init(kernel: RangeKernels.sumOverTime),
        "avg_over_time": .init(kernel: RangeKernels.averageOverTime),
        "count_over_time": .init(kernel: RangeKernels.ofAny { Double($0.floats.count + $0.histograms.count) }),
        "present_over_time": .init(kernel: RangeKernels.ofAny { _ in 1 }),
        "min_over_time": .init(kernel: RangeKernels.ofFloats { RangeKernels.extreme($0, <).value }),
        "max_over_time": .init(kernel: RangeKernels.ofFloats { RangeKernels.extreme($0, >).value }),
        "ts_of_min_over_time": .init(
            kernel: RangeKernels.ofFloats { Double(RangeKernels.extreme($0, <=).time) / 1000 }),
        "ts_of_max_over_time": .init(
            kernel: RangeKernels.ofFloats { Double(RangeKernels.extreme($0, >=).time) / 1000 }),
        "ts_of_first_over_time": .init(kernel: RangeKernels.ofAny(RangeKernels.firstTime)),
        "ts_of_last_over_time": .init(kernel: RangeKernels.ofAny(RangeKernels.lastTime)),
        "stdvar_over_time": .init(kernel: RangeKernels.ofFloats(RangeKernels.variance)),
        "stddev_over_time": .init(kernel: RangeKernels.ofFloats { RangeKernels.variance($0).squareRoot() }),
        "mad_over_time": .init(kernel: RangeKernels.ofFloats(RangeKernels.medianAbsoluteDeviation)),
        "quantile_over_time": .init(kernel: RangeKernels.quantileOverTime),
        "first_over_time": .init(kernel: RangeKernels.firstOverTime, keepsName: true),
        "last_over_time": .init(kernel: RangeKernels.lastOverTime, keepsName: true),
    ]
}

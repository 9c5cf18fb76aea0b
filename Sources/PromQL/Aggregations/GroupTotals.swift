internal import MetricModel

/// The state of an aggregation while rows are added, for each group and step, in flat arrays.
///
/// For all aggregations of floats except `quantile`, which needs the values themselves.
struct GroupTotals {
    private let `operator`: Aggregate.Operator
    private let width: Int
    /// Whether a cell has a value.
    private var kinds: [UInt8]
    private var values: [Double]
    /// The rounding error of `values`, for compensated sums.
    private var compensations: [Double] = []
    private var means: [CompensatedMean] = []
    private var moments: [Moments] = []

    init(_ operator: Aggregate.Operator, groups: Int, width: Int) {
        self.operator = `operator`
        self.width = width
        kinds = [UInt8](repeating: Block.Kind.none, count: groups * width)
        values = [Double](repeating: 0, count: groups * width)
        switch `operator` {
        case .sum: compensations = values
        case .avg: means = [CompensatedMean](repeating: CompensatedMean(first: 0), count: groups * width)
        case .stddev, .stdvar: moments = [Moments](repeating: Moments(), count: groups * width)
        default: break
        }
    }

    /// Adds the first `rows` rows of `block` to the groups in `group`. Histograms count if only presence matters;
    /// otherwise they are skipped with an annotation.
    mutating func add(_ block: Block, rows: Int, to group: ArraySlice<UInt32>, _ remarks: AggregationRemarks) {
        switch self.operator {
        case .sum: Self.sum(block, rows, group, &values, &compensations, &kinds)
        case .avg: average(block, rows, group)
        case .count: fold(block, rows, group, nil, first: { _ in 1 }) { count, _ in count += 1 }
        case .group: fold(block, rows, group, nil, first: { _ in 1 }) { _, _ in }
        case .min: fold(block, rows, group, remarks, first: { $0 }) { if $0 > $1 || $0.isNaN { $0 = $1 } }
        case .max: fold(block, rows, group, remarks, first: { $0 }) { if $0 < $1 || $0.isNaN { $0 = $1 } }
        default: vary(block, rows, group, remarks)
        }
    }

    /// The result, a row per group.
    func block(_ groups: SeriesSet) -> Block {
        var result = Block(groups, width: width)
        for cell in kinds.indices where kinds[cell] != Block.Kind.none {
            switch self.operator {
            case .sum:
                let sum = values[cell]
                result.set(cell, to: sum.isInfinite ? sum : sum + compensations[cell])
            case .avg: result.set(cell, to: means[cell].mean)
            case .stddev: result.set(cell, to: moments[cell].variance.squareRoot())
            case .stdvar: result.set(cell, to: moments[cell].variance)
            default: result.set(cell, to: values[cell])
            }
        }
        return result
    }

    /// - Parameters:
    ///   - sums: one cell per group and step, like the other two.
    private static func sum(
        _ block: Block, _ rows: Int, _ group: ArraySlice<UInt32>, _ sums: inout [Double], _ losses: inout [Double],
        _ kinds: inout [UInt8]
    ) {
        let width = block.width
        let source = block.values.span
        let sourceKinds = block.kinds.span
        var sums = sums.mutableSpan
        var losses = losses.mutableSpan
        var kinds = kinds.mutableSpan
        for row in 0..<rows {
            let target = Int(group[group.startIndex + row]) * width
            let start = row * width
            for column in 0..<width where sourceKinds[start + column] != Block.Kind.none {
                let cell = target + column
                // The first value is stored as it is: 0 + -0 would lose the sign.
                if kinds[cell] == Block.Kind.none {
                    kinds[cell] = Block.Kind.float
                    sums[cell] = source[start + column]
                } else {
                    var sum = CompensatedSum(sums[cell])
                    sum.compensation = losses[cell]
                    sum.add(source[start + column])
                    sums[cell] = sum.sum
                    losses[cell] = sum.compensation
                }
            }
        }
    }

    private mutating func average(_ block: Block, _ rows: Int, _ group: ArraySlice<UInt32>) {
        for row in 0..<rows {
            let target = Int(group[group.startIndex + row]) * width
            for column in 0..<width where block.kinds[row * width + column] != Block.Kind.none {
                let value = block.values[row * width + column]
                if kinds[target + column] == Block.Kind.none {
                    kinds[target + column] = Block.Kind.float
                    means[target + column] = CompensatedMean(first: value)
                } else {
                    means[target + column].add(value)
                }
            }
        }
    }

    /// A running value. With `remarks`, histograms are skipped; without, they count like floats.
    private mutating func fold(
        _ block: Block, _ rows: Int, _ group: ArraySlice<UInt32>, _ remarks: AggregationRemarks?,
        first: (Double) -> Double, _ next: (inout Double, Double) -> Void
    ) {
        for row in 0..<rows {
            let target = Int(group[group.startIndex + row]) * width
            for column in 0..<width {
                let kind = block.kinds[row * width + column]
                if kind == Block.Kind.none { continue }
                if kind == Block.Kind.histogram, let remarks {
                    remarks.ignoredHistogram()
                    continue
                }
                let value = block.values[row * width + column]
                let cell = target + column
                if kinds[cell] == Block.Kind.none {
                    kinds[cell] = Block.Kind.float
                    values[cell] = first(value)
                } else {
                    next(&values[cell], value)
                }
            }
        }
    }

    private mutating func vary(
        _ block: Block, _ rows: Int, _ group: ArraySlice<UInt32>, _ remarks: AggregationRemarks
    ) {
        for row in 0..<rows {
            let target = Int(group[group.startIndex + row]) * width
            for column in 0..<width {
                switch block.kinds[row * width + column] {
                case Block.Kind.none: break
                case Block.Kind.float:
                    kinds[target + column] = Block.Kind.float
                    moments[target + column].add(block.values[row * width + column])
                default: remarks.ignoredHistogram()
                }
            }
        }
    }

    /// Mean and variance, updated with each value.
    private struct Moments {
        private var count = 0.0
        private var mean = 0.0
        private var squares = 0.0

        var variance: Double { squares / count }

        mutating func add(_ value: Double) {
            count += 1
            if count == 1 {
                mean = value
                squares = value.isFinite ? 0 : .nan
                return
            }
            let delta = value - mean
            mean += delta / count
            squares += delta * (value - mean)
        }
    }
}

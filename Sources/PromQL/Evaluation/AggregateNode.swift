internal import MetricModel

/// `sum`, `avg`, `count`, `min`, `max`, `group`, `stddev`, `stdvar` and `quantile`: one value per group and step.
final class AggregateNode: PlanNode {
    private let `operator`: Aggregate.Operator
    private let grouping: Grouping
    private let input: any PlanNode
    private let parameter: (any PlanNode)?
    private let position: SourceRange
    private let parameterPosition: SourceRange
    private var map: GroupMap?

    init(_ aggregate: Aggregate, input: any PlanNode, parameter: (any PlanNode)?) {
        self.operator = aggregate.operator
        grouping = Grouping(names: aggregate.grouping, without: aggregate.without)
        self.input = input
        self.parameter = parameter
        position = aggregate.expression.unwrapped.sourceRange
        parameterPosition = aggregate.parameter?.unwrapped.sourceRange ?? position
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let parameters = try parameter.map { parameter throws(QueryError) in
            try run.evaluate(parameter, over: grid)
        }
        let block = try run.evaluate(input, over: grid)
        let map = self.map?.source === block.series ? self.map! : GroupMap(block.series, grouping)
        self.map = map
        if let parameters { remarkQuantiles(parameters.values, run) }
        let remarks = AggregationRemarks(run: run, operator: self.operator, position: position)
        switch self.operator {
        case .quantile: return quantile(block, map, parameters!.values, remarks)
        case .sum, .avg:
            return block.hasHistograms
                ? MixedAggregation(isAverage: self.operator == .avg, remarks: remarks).evaluate(block, map)
                : self.operator == .sum ? sum(block, map) : average(block, map)
        case .count: return fold(block, map, nil, first: { _ in 1 }) { count, _ in count += 1 }
        case .group: return fold(block, map, nil, first: { _ in 1 }) { _, _ in }
        case .min:
            return fold(block, map, remarks, first: { $0 }) { if $0 > $1 || $0.isNaN { $0 = $1 } }
        case .max:
            return fold(block, map, remarks, first: { $0 }) { if $0 < $1 || $0.isNaN { $0 = $1 } }
        default: return variance(block, map, remarks, takesRoot: self.operator == .stddev)
        }
    }

    private func remarkQuantiles(_ values: [Double], _ run: Run) {
        // As Prometheus does: NaN, the greatest and the least value, each once.
        if values.contains(where: \.isNaN) { run.remarkInvalidQuantile(.nan, at: parameterPosition) }
        let numbers = values.filter { !$0.isNaN }
        if let greatest = numbers.max(), greatest > 1 { run.remarkInvalidQuantile(greatest, at: parameterPosition) }
        if let least = numbers.min(), least < 0 { run.remarkInvalidQuantile(least, at: parameterPosition) }
    }

    /// A running value per group and step. With `remarks`, histograms are passed over; without, they count like floats.
    private func fold(
        _ block: Block, _ map: GroupMap, _ remarks: AggregationRemarks?, first: (Double) -> Double,
        _ next: (inout Double, Double) -> Void
    ) -> Block {
        var result = Block(map.groups, width: block.width)
        for row in 0..<block.rows {
            let target = map.group[row] * block.width
            for column in 0..<block.width {
                let kind = block.kinds[row * block.width + column]
                if kind == Block.Kind.none { continue }
                if kind == Block.Kind.histogram, let remarks {
                    remarks.ignoredHistogram()
                    continue
                }
                let value = block.values[row * block.width + column]
                let cell = target + column
                if result.kinds[cell] == Block.Kind.none {
                    result.kinds[cell] = Block.Kind.float
                    result.values[cell] = first(value)
                } else {
                    next(&result.values[cell], value)
                }
            }
        }
        return result
    }

    private func sum(_ block: Block, _ map: GroupMap) -> Block {
        var result = Block(map.groups, width: block.width)
        var sums = [CompensatedSum](repeating: CompensatedSum(), count: result.values.count)
        for row in 0..<block.rows {
            let target = map.group[row] * block.width
            for column in 0..<block.width where block.kinds[row * block.width + column] != Block.Kind.none {
                let value = block.values[row * block.width + column]
                // The first value is taken as it is: 0 + -0 would lose the sign.
                if result.kinds[target + column] == Block.Kind.none {
                    sums[target + column] = CompensatedSum(value)
                    result.kinds[target + column] = Block.Kind.float
                } else {
                    sums[target + column].add(value)
                }
            }
        }
        for cell in sums.indices { result.values[cell] = sums[cell].total }
        return result
    }

    private func average(_ block: Block, _ map: GroupMap) -> Block {
        var result = Block(map.groups, width: block.width)
        var means = [CompensatedMean?](repeating: nil, count: result.values.count)
        for row in 0..<block.rows {
            let target = map.group[row] * block.width
            for column in 0..<block.width where block.kinds[row * block.width + column] != Block.Kind.none {
                let value = block.values[row * block.width + column]
                if means[target + column]?.add(value) == nil { means[target + column] = CompensatedMean(first: value) }
            }
        }
        for cell in means.indices {
            if let mean = means[cell] { result.set(cell, to: mean.mean) }
        }
        return result
    }

    private func variance(
        _ block: Block, _ map: GroupMap, _ remarks: AggregationRemarks, takesRoot: Bool
    ) -> Block {
        struct Moments {
            var count = 0.0
            var mean = 0.0
            var squares = 0.0

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
        var result = Block(map.groups, width: block.width)
        var moments = [Moments](repeating: Moments(), count: result.values.count)
        for row in 0..<block.rows {
            let target = map.group[row] * block.width
            for column in 0..<block.width {
                switch block.kinds[row * block.width + column] {
                case Block.Kind.none: break
                case Block.Kind.float: moments[target + column].add(block.values[row * block.width + column])
                default: remarks.ignoredHistogram()
                }
            }
        }
        for cell in moments.indices where moments[cell].count > 0 {
            let variance = moments[cell].squares / moments[cell].count
            result.set(cell, to: takesRoot ? variance.squareRoot() : variance)
        }
        return result
    }

    private func quantile(
        _ block: Block, _ map: GroupMap, _ fractions: [Double], _ remarks: AggregationRemarks
    ) -> Block {
        var result = Block(map.groups, width: block.width)
        for column in 0..<block.width {
            var values = [[Double]](repeating: [], count: map.groups.count)
            for row in 0..<block.rows {
                switch block.kinds[row * block.width + column] {
                case Block.Kind.none: break
                case Block.Kind.float: values[map.group[row]].append(block.values[row * block.width + column])
                default: remarks.ignoredHistogram()
                }
            }
            for group in values.indices where !values[group].isEmpty {
                result.set(result.cell(group, column), to: Quantile.of(values[group], fractions[column]))
            }
        }
        return result
    }
}

/// Where an aggregation puts its remarks.
struct AggregationRemarks {
    let run: Run
    let `operator`: Aggregate.Operator
    /// Where the aggregated expression stands.
    let position: SourceRange

    func ignoredHistogram() { run.remarkIgnoredHistogram(self.operator, at: position) }
}

/// `sum` and `avg` of vectors in which histograms occur.
struct MixedAggregation {
    let isAverage: Bool
    let remarks: AggregationRemarks

    private struct Group {
        var sum: CompensatedSum?
        var mean: CompensatedMean?
        var histogramSum: HistogramAccumulator?
        var histogramMean: HistogramMean?
        var isIncompatible = false
        var hints: Set<FloatHistogram.CounterResetHint> = []

        var hasFloat: Bool { sum != nil || mean != nil }
        var hasHistogram: Bool { !hints.isEmpty }
    }

    func evaluate(_ block: Block, _ map: GroupMap) -> Block {
        var result = Block(map.groups, width: block.width)
        for column in 0..<block.width {
            var groups = [Group](repeating: Group(), count: map.groups.count)
            for row in 0..<block.rows {
                switch block.sample(at: block.cell(row, column)) {
                case nil: break
                case .float(let value): add(value, to: &groups[map.group[row]])
                case .histogram(let histogram):
                    add(histogram, to: &groups[map.group[row]], name: block.series.labels[row].metricName ?? "")
                }
            }
            for (index, group) in groups.enumerated() {
                if let sample = sample(of: group) { result.set(result.cell(index, column), to: sample) }
            }
        }
        return result
    }

    private func add(_ value: Double, to group: inout Group) {
        if group.isIncompatible { return }
        if isAverage {
            if group.mean?.add(value) == nil { group.mean = CompensatedMean(first: value) }
        } else if group.sum?.add(value) == nil {
            group.sum = CompensatedSum(value)
        }
    }

    private func add(_ histogram: FloatHistogram, to group: inout Group, name: String) {
        if group.isIncompatible { return }
        group.hints.insert(histogram.counterResetHint)
        // A group with floats has no result; there is no point in adding histograms up.
        if group.hasFloat { return }
        var fits = true
        var reconciled = false
        if isAverage {
            if var mean = group.histogramMean {
                fits = mean.add(histogram)
                reconciled = mean.boundsReconciled
                group.histogramMean = mean
            } else {
                group.histogramMean = HistogramMean(first: histogram)
            }
        } else if var sum = group.histogramSum {
            let outcome = sum.add(histogram)
            fits = outcome != nil
            reconciled = outcome?.boundsReconciled ?? false
            group.histogramSum = sum
        } else {
            group.histogramSum = HistogramAccumulator(histogram)
        }
        if !fits {
            group.isIncompatible = true
            remarks.run.warn(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                    + MetricText.quoted(name), at: remarks.position)
        }
        if reconciled {
            remarks.run.inform(
                "mismatched custom buckets were reconciled during aggregation", at: remarks.position)
        }
    }

    private func sample(of group: Group) -> Sample? {
        if group.hasFloat && group.hasHistogram {
            remarks.run.warn("encountered a mix of histograms and floats for aggregation", at: remarks.position)
            return nil
        }
        if group.isIncompatible { return nil }
        if group.hints.contains(.reset) && group.hints.contains(.notReset) {
            remarks.run.warn("conflicting counter resets during histogram aggregation", at: remarks.position)
        }
        if let sum = group.sum { return .float(sum.total) }
        if let mean = group.mean { return .float(mean.mean) }
        return (group.histogramSum?.total ?? group.histogramMean?.mean).map { .histogram($0.compacted) }
    }
}

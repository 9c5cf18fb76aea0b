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
    private var selected = SelectedSeries()
    /// Whether rows contain histograms, so that they cannot be aggregated in pieces.
    private var hasMetHistograms = false

    init(_ aggregate: Aggregate, input: any PlanNode, parameter: (any PlanNode)?) {
        self.operator = aggregate.operator
        grouping = Grouping(names: aggregate.grouping, without: aggregate.without)
        self.input = input
        self.parameter = parameter
        position = aggregate.expression.unwrapped.sourceRange
        parameterPosition = aggregate.parameter?.unwrapped.sourceRange ?? position
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        if let result = try summedUp(run, over: grid) { return result }
        let parameters = try parameter.map { parameter throws(QueryError) in
            try run.evaluate(parameter, over: grid)
        }
        let block = try run.evaluate(input, over: grid)
        let map = self.map?.source === block.series ? self.map! : GroupMap(block.series, grouping)
        self.map = map
        if let parameters { remarkQuantiles(parameters.values, run) }
        let remarks = AggregationRemarks(run: run, operator: self.operator, position: position)
        if self.operator == .quantile { return try quantile(block, map, parameters!.values, remarks) }
        if block.hasHistograms, self.operator == .sum || self.operator == .avg {
            return try MixedAggregation(isAverage: self.operator == .avg, remarks: remarks).evaluate(block, map)
        }
        var totals = GroupTotals(self.operator, groups: map.groups.count, width: block.width)
        totals.add(block, rows: block.rows, to: map.group[...], remarks)
        return totals.block(map.groups)
    }

    /// The result for series of a store, read and aggregated in pieces; `nil` if that is not possible.
    private func summedUp(_ run: Run, over grid: Grid) throws(QueryError) -> Block? {
        guard !hasMetHistograms, self.operator != .quantile, let input = input as? any SeriesRowsNode,
            let rows = try input.rows(run, over: grid, groupedBy: grouping),
            let (groups, group) = selected.groups(of: rows.scan.selection)
        else { return nil }
        try run.allow(rows: groups.count + SeriesRows.longest, width: grid.count)
        let (annotations, statistics) = (run.annotations, run.statistics)
        let remarks = AggregationRemarks(run: run, operator: self.operator, position: position)
        var totals = GroupTotals(self.operator, groups: groups.count, width: grid.count)
        var block = Block(unnamedRows: SeriesRows.longest, width: grid.count)
        for piece in rows.pieces {
            try run.check()
            block.clear(rows: piece.rows.count)
            try rows.fill(piece, into: &block, at: 0)
            if block.hasHistograms {
                // Which histograms can be added depends on all of them: start again with the whole vector.
                hasMetHistograms = true
                (run.annotations, run.statistics) = (annotations, statistics)
                return nil
            }
            totals.add(block, rows: piece.rows.count, to: group[piece.rows], remarks)
        }
        return totals.block(groups)
    }

    private func remarkQuantiles(_ values: [Double], _ run: Run) {
        // As in Prometheus: warn about NaN, the greatest and the least value, once each.
        let range = ParameterRange(values)
        if range.hasNaN { run.remarkInvalidQuantile(.nan, at: parameterPosition) }
        if range.greatest > 1 { run.remarkInvalidQuantile(range.greatest, at: parameterPosition) }
        if range.least < 0 { run.remarkInvalidQuantile(range.least, at: parameterPosition) }
    }

    private func quantile(
        _ block: Block, _ map: GroupMap, _ fractions: [Double], _ remarks: AggregationRemarks
    ) throws(QueryError) -> Block {
        var result = try Block(map.groups, width: block.width, remarks.run)
        for column in 0..<block.width {
            if column & 15 == 15 { try remarks.run.check() }
            var values = [[Double]](repeating: [], count: map.groups.count)
            for row in 0..<block.rows {
                switch block.kinds[row * block.width + column] {
                case Block.Kind.none: break
                case Block.Kind.float: values[Int(map.group[row])].append(block.values[row * block.width + column])
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

/// Adds the annotations of an aggregation.
struct AggregationRemarks {
    let run: Run
    let `operator`: Aggregate.Operator
    /// The position of the aggregated expression in the query.
    let position: SourceRange

    func ignoredHistogram() { run.remarkIgnoredHistogram(self.operator, at: position) }
}

/// `sum` and `avg` of vectors that contain histograms.
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

    func evaluate(_ block: Block, _ map: GroupMap) throws(QueryError) -> Block {
        var result = try Block(map.groups, width: block.width, remarks.run)
        for column in 0..<block.width {
            if column & 15 == 15 { try remarks.run.check() }
            var groups = [Group](repeating: Group(), count: map.groups.count)
            for row in 0..<block.rows {
                switch block.sample(at: block.cell(row, column)) {
                case nil: break
                case .float(let value): add(value, to: &groups[Int(map.group[row])])
                case .histogram(let histogram):
                    add(histogram, to: &groups[Int(map.group[row])], name: block.series.labels[row].metricName ?? "")
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
        // A group that starts with a float has no result, so its histograms need not be added.
        if group.hasFloat, group.histogramSum == nil, group.histogramMean == nil { return }
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

internal import MetricModel

/// `topk`, `bottomk`, `limitk` and `limit_ratio`: some of the elements of each group, unchanged.
final class RankingNode: PlanNode {
    private let `operator`: Aggregate.Operator
    private let grouping: Grouping
    private let input: any PlanNode
    private let parameter: any PlanNode
    private let position: SourceRange
    private let parameterPosition: SourceRange
    private var map: GroupMap?

    init(_ aggregate: Aggregate, input: any PlanNode, parameter: any PlanNode) {
        self.operator = aggregate.operator
        grouping = Grouping(names: aggregate.grouping, without: aggregate.without)
        self.input = input
        self.parameter = parameter
        position = aggregate.range
        parameterPosition = aggregate.parameter?.unwrapped.sourceRange ?? aggregate.range
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let limits = try run.evaluate(parameter, over: grid).values
        let block = try run.evaluate(input, over: grid)
        let map = self.map?.source === block.series ? self.map! : GroupMap(block.series, grouping)
        self.map = map
        guard try check(limits, run) else { return Block(SeriesSet([]), width: grid.count) }
        var chosen: [[Int]] = []
        for column in 0..<grid.count {
            if column & 15 == 15 { try run.check() }
            chosen.append(rows(block, map, column: column, limit: limits[column], run))
        }
        if grid.count == 1 {
            let rows = chosen[0]
            let series = SeriesSet(
                rows.map { block.series.labels[$0] }, dropsName: rows.map { block.series.dropsName($0) },
                isOneMetric: block.series.isOneMetric)
            return block.selecting(rows, series: series)
        }
        var result = try Block(block.series, width: grid.count, run)
        result.histograms = block.histograms
        for (column, rows) in chosen.enumerated() {
            for row in rows {
                let cell = block.cell(row, column)
                result.values[cell] = block.values[cell]
                result.kinds[cell] = block.kinds[cell]
            }
        }
        return result
    }

    /// - Returns: `false` if nothing can be selected at any step.
    private func check(_ limits: [Double], _ run: Run) throws(QueryError) -> Bool {
        let range = ParameterRange(limits)
        let (greatest, least, hasNaN) = (range.greatest, range.least, range.hasNaN)
        if self.operator == .limitRatio {
            if greatest == 0 && least == 0 { return false }
            if hasNaN { throw .execution("Ratio value is NaN") }
            if greatest > 1 { remarkRatio(greatest, cappedTo: 1, run) }
            if least < -1 { remarkRatio(least, cappedTo: -1, run) }
            return true
        }
        if greatest < 1 { return false }
        if hasNaN { throw .execution("Parameter value is NaN") }
        if least <= -0x1p63 { throw .execution("Scalar value \(NumberText.shortest(least)) underflows int64") }
        if greatest >= 0x1p63 - 1024 {
            throw .execution("Scalar value \(NumberText.shortest(greatest)) overflows int64")
        }
        return true
    }

    private func remarkRatio(_ value: Double, cappedTo limit: Double, _ run: Run) {
        run.warn(
            "ratio value should be between -1 and 1, got \(NumberText.shortest(value)), capping to "
                + NumberText.shortest(limit), at: parameterPosition)
    }

    /// The rows selected at one step: group by group, best first.
    private func rows(_ block: Block, _ map: GroupMap, column: Int, limit: Double, _ run: Run) -> [Int] {
        var members = [[Int]](repeating: [], count: map.groups.count)
        let ranks = self.operator == .topk || self.operator == .bottomk
        // Equal elements are ordered by their labels, not by the order of the series.
        for row in block.series.byLabels {
            let kind = block.kinds[block.cell(row, column)]
            if kind == Block.Kind.none { continue }
            if ranks && kind == Block.Kind.histogram {
                run.remarkIgnoredHistogram(self.operator, at: position)
                continue
            }
            members[Int(map.group[row])].append(row)
        }
        if self.operator == .limitRatio {
            let ratio = max(-1, min(1, limit))
            return members.flatMap { $0.filter { Self.falls(block.series.labels[$0], into: ratio) } }
        }
        let count = Int(min(max(limit, 0), Double(block.rows)))
        if !ranks { return members.flatMap { $0.prefix(count) } }
        return members.flatMap { rows in
            var best = BestElements(count, isTop: self.operator == .topk)
            for row in rows { best.offer(row, block.values[block.cell(row, column)]) }
            return best.ranked
        }
    }

    /// Whether a series is in the share `ratio` of all series. A negative ratio selects the complement.
    private static func falls(_ labels: Labels, into ratio: Double) -> Bool {
        let place = Double(labels.xxHash) / Double(UInt64.max)
        return ratio >= 0 ? place < ratio : place >= 1 + ratio
    }
}

/// The extremes of an aggregation's parameter over all steps. A NaN anywhere makes both NaN.
struct ParameterRange {
    let greatest: Double
    let least: Double
    let hasNaN: Bool

    init(_ values: [Double]) {
        greatest = values.reduce(-.greatestFiniteMagnitude, BinaryOperator.greater)
        least = values.reduce(.greatestFiniteMagnitude, BinaryOperator.lesser)
        hasNaN = values.contains(where: \.isNaN)
    }
}

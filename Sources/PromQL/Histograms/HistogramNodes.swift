internal import MetricModel

/// A number for each native histogram. Floats are dropped.
final class HistogramPartNode: PlanNode {
    private let input: any PlanNode
    private let part: @Sendable (FloatHistogram) -> Double

    init(_ part: @escaping @Sendable (FloatHistogram) -> Double, input: any PlanNode) {
        self.part = part
        self.input = input
    }

    static func named(_ name: String) -> (@Sendable (FloatHistogram) -> Double)? {
        switch name {
        case "histogram_count": { $0.count }
        case "histogram_sum": { $0.sum }
        case "histogram_avg": { $0.sum / $0.count }
        case "histogram_stdvar": { $0.variance }
        case "histogram_stddev": { $0.variance.squareRoot() }
        default: nil
        }
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let block = try run.evaluate(input, over: grid)
        // Only the name is removed immediately, not the type and unit.
        let set =
            run.options.delayedNameRemoval
            ? block.series.withoutNames(delayed: true) : block.series.withoutMetricNames
        var result = Block(set, width: grid.count)
        for cell in block.kinds.indices {
            if let histogram = block.histogram(at: cell) { result.set(cell, to: part(histogram)) }
        }
        return try run.settled(result)
    }
}

/// The rows of a vector that are buckets of the same classic histogram.
final class ClassicGroups {
    /// The buckets of one histogram.
    struct Group {
        /// The rows, sorted by bound.
        var buckets: [(row: Int, upper: Double)]
        /// The labels without `le`.
        var labels: Labels
        var dropsName: Bool
    }

    let source: SeriesSet
    private(set) var groups: [Group] = []
    /// Rows whose `le` is not a number.
    private(set) var malformed: Set<Int> = []
    private var known: [Labels: Int] = [:]
    /// The group with exactly the labels of a row, which conflicts with a native histogram in the row; -1 for none.
    private(set) lazy var conflicts = source.labels.map { known[$0] ?? -1 }
    /// The rows of a result that no label distinguishes, with or without native histograms; created on first use.
    fileprivate var results: (hasNative: Bool, series: SeriesSet)?

    init(_ source: SeriesSet) {
        self.source = source
        var former: Int?
        for row in 0..<source.count {
            let labels = source.labels[row]
            guard let upper = labels["le"].flatMap(NumberText.parse) else {
                malformed.insert(row)
                continue
            }
            // The buckets of a histogram are usually adjacent.
            if let former, labels.equal(groups[former].labels, without: "le") {
                groups[former].buckets.append((row, upper))
                continue
            }
            let key = labels.dropping(Self.bound)
            let index = known[key] ?? groups.count
            if index == groups.count {
                known[key] = index
                groups.append(Group(buckets: [], labels: key, dropsName: source.dropsName(row)))
            }
            groups[index].buckets.append((row, upper))
            former = index
        }
        for index in groups.indices { groups[index].buckets.sort { $0.upper < $1.upper } }
    }

    private static let bound = ["le"]
}

/// `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, for classic and native histograms.
final class HistogramFunctionNode: PlanNode {
    enum Function {
        /// Quantiles, each with the value of its label.
        case quantiles([(quantile: any PlanNode, position: SourceRange)], label: String?)
        case fraction(lower: any PlanNode, upper: any PlanNode)
    }

    private let function: Function
    private let input: any PlanNode
    /// The position of the vector in the query.
    private let position: SourceRange
    private var groups: ClassicGroups?

    init(_ function: Function, input: any PlanNode, position: SourceRange) {
        self.function = function
        self.input = input
        self.position = position
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        switch function {
        case .fraction(let lower, let upper):
            let lower = try run.evaluate(lower, over: grid).values
            let upper = try run.evaluate(upper, over: grid).values
            let block = try run.evaluate(input, over: grid)
            return try run.settled(fractions(block, lower, upper, run))
        case .quantiles(let quantiles, let label):
            var fractions: [[Double]] = []
            for (node, position) in quantiles {
                let values = try run.evaluate(node, over: grid).values
                for value in values { run.remarkInvalidQuantile(value, at: position) }
                fractions.append(values)
            }
            let block = try run.evaluate(input, over: grid)
            try run.allow(rows: 2 * block.rows * max(1, quantiles.count), width: grid.count)
            return try run.settled(self.quantiles(block, fractions, label: label, run, grid))
        }
    }

    // MARK: Finding the histograms

    private func groups(of block: Block) -> ClassicGroups {
        if let groups, groups.source === block.series { return groups }
        let groups = ClassicGroups(block.series)
        self.groups = groups
        return groups
    }

    /// The histograms of one step.
    private struct Found {
        var native: [(row: Int, histogram: FloatHistogram)] = []
        var classic: [(group: Int, histogram: ClassicHistogram)] = []
    }

    private func histograms(_ block: Block, _ groups: ClassicGroups, column: Int, _ run: Run) -> Found {
        var found = Found()
        for row in groups.malformed where block.kinds[block.cell(row, column)] == Block.Kind.float {
            let labels = block.series.labels[row]
            run.warn(
                "bucket label \"le\" is missing or has a malformed value of \(MetricText.quoted(labels["le"] ?? ""))"
                    + namePart(labels, run), at: position)
        }
        var classic = [ClassicHistogram?](repeating: nil, count: groups.groups.count)
        var buckets: [ClassicHistogram.Bucket] = []
        for (index, group) in groups.groups.enumerated() {
            buckets.removeAll(keepingCapacity: true)
            for (row, upper) in group.buckets where block.kinds[block.cell(row, column)] == Block.Kind.float {
                buckets.append(.init(upper: upper, count: block.values[block.cell(row, column)]))
            }
            if !buckets.isEmpty { classic[index] = ClassicHistogram(ascending: buckets) }
        }
        if block.hasHistograms {
            for row in 0..<block.rows {
                guard let histogram = block.histogram(at: block.cell(row, column)) else { continue }
                let conflict = groups.conflicts[row]
                if conflict >= 0, classic[conflict] != nil {
                    classic[conflict] = nil
                    run.warn(
                        "vector contains a mix of classic and native histograms"
                            + namePart(block.series.labels[row], run), at: position)
                } else {
                    found.native.append((row, histogram))
                }
            }
        }
        found.classic.reserveCapacity(classic.count)
        for (index, histogram) in classic.enumerated() {
            if let histogram { found.classic.append((index, histogram)) }
        }
        return found
    }

    /// ` for metric name "…"`, if the name still exists.
    private func namePart(_ labels: Labels, _ run: Run) -> String {
        guard run.options.delayedNameRemoval, let name = labels.metricName else { return "" }
        return " for metric name \(MetricText.quoted(name))"
    }

    // MARK: Results

    /// The rows of the result: first native histograms, if any, then classic ones.
    private func resultSeries(_ block: Block, _ groups: ClassicGroups, label: (String, String)?, _ run: Run)
        -> SeriesSet
    {
        if label == nil, let (hasNative, series) = groups.results, hasNative == block.hasHistograms { return series }
        var labels = groups.groups.map(\.labels)
        if block.hasHistograms { labels = block.series.labels + labels }
        if let (name, value) = label { labels = labels.map { $0.setting(name, to: value) } }
        let isOneMetric = label == nil && !block.hasHistograms && block.series.isOneMetric
        let results = SeriesSet(labels, isOneMetric: isOneMetric)
            .withoutNames(delayed: run.options.delayedNameRemoval)
        if label == nil { groups.results = (block.hasHistograms, results) }
        return results
    }

    /// The number of rows for native histograms in a result.
    private func nativeRows(_ block: Block) -> Int { block.hasHistograms ? block.rows : 0 }

    private func fractions(_ block: Block, _ lower: [Double], _ upper: [Double], _ run: Run) -> Block {
        let groups = groups(of: block)
        var result = Block(resultSeries(block, groups, label: nil, run), width: block.width)
        for column in 0..<block.width {
            let found = histograms(block, groups, column: column, run)
            for (row, histogram) in found.native {
                if histogram.hasNaNObservations {
                    run.inform(
                        "input to histogram_fraction has NaN observations, which are excluded from all fractions"
                            + namePart(block.series.labels[row], run), at: position)
                }
                result.set(result.cell(row, column), to: histogram.fraction(lower[column], upper[column]))
            }
            for (group, histogram) in found.classic {
                result.set(
                    result.cell(nativeRows(block) + group, column), to: histogram.fraction(lower[column], upper[column])
                )
            }
        }
        return result
    }

    private func quantiles(
        _ block: Block, _ fractions: [[Double]], label: String?, _ run: Run, _ grid: Grid
    ) -> Block {
        let groups = groups(of: block)
        // The distinct quantiles in argument order. Each has its own rows if a label distinguishes them.
        var texts: [String] = []
        for values in fractions {
            for value in values where label != nil && !texts.contains(NumberText.openMetrics(value)) {
                texts.append(NumberText.openMetrics(value))
            }
        }
        var result: Block
        if let label {
            let sets = texts.map { resultSeries(block, groups, label: (label, $0), run) }
            let all = SeriesSet(
                sets.flatMap(\.labels), dropsName: sets.flatMap { set in (0..<set.count).map(set.dropsName) })
            result = Block(all, width: block.width)
        } else {
            result = Block(resultSeries(block, groups, label: nil, run), width: block.width)
        }
        let natives = nativeRows(block)
        let rows = natives + groups.groups.count
        for column in 0..<block.width {
            let found = histograms(block, groups, column: column, run)
            for values in fractions {
                let quantile = values[column]
                let offset = label == nil ? 0 : (texts.firstIndex(of: NumberText.openMetrics(quantile)) ?? 0) * rows
                for (row, histogram) in found.native {
                    let value = histogram.quantile(quantile)
                    remarkNaN(histogram, quantile, value, block.series.labels[row], run)
                    result.set(result.cell(offset + row, column), to: value)
                }
                for (group, histogram) in found.classic {
                    let (value, correction) = histogram.quantile(quantile)
                    if let correction {
                        remark(correction, groups.groups[group].labels, at: grid.time(column), run)
                    }
                    result.set(result.cell(offset + natives + group, column), to: value)
                }
            }
        }
        return result
    }

    private func remarkNaN(
        _ histogram: FloatHistogram, _ quantile: Double, _ value: Double, _ labels: Labels, _ run: Run
    ) {
        guard quantile >= 0, quantile <= 1, histogram.hasNaNObservations else { return }
        let effect = value.isNaN ? "result is NaN" : "result is skewed higher"
        run.inform(
            "input to histogram_quantile has NaN observations, \(effect)\(namePart(labels, run))", at: position)
    }

    private func remark(_ correction: ClassicHistogram.Correction, _ labels: Labels, at time: Int64, _ run: Run) {
        run.annotations.insert(
            .info,
            "input to histogram_quantile needed to be fixed for monotonicity (see "
                + "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
                + namePart(labels, run),
            detail: .monotonicity(
                Annotations.Monotonicity(
                    lowest: correction.lowest, highest: correction.highest, greatest: correction.greatest,
                    first: time, last: time, count: 1)),
            at: position)
    }
}

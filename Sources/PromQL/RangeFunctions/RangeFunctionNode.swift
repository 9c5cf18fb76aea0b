internal import MetricModel

/// The arguments of a range function besides the window, and the run that collects its annotations.
struct RangeContext {
    let run: Run
    /// The position of the first argument in the query.
    let position: SourceRange
    let rangeExtension: RangeExtension?
}

/// A range function, called for each series and step.
final class RangeFunctionNode: PlanNode {
    /// Returns the result for a window that is not empty, or `nil`.
    typealias Kernel = @Sendable (Window, RangeContext) throws(QueryError) -> Sample?

    /// How a function is evaluated, and whether the metric name is kept.
    struct Definition: Sendable {
        var kernel: Kernel
        /// Evaluates many series at once, if possible.
        var tileKernel: RangeKernels.TileKernel?
        var keepsName = false
        /// Whether to add an annotation if the series does not look like a counter.
        var wantsCounter = false
    }

    private let name: String
    let definition: Definition
    let source: RangeSource
    let parameters: [any PlanNode]
    let position: SourceRange

    /// - Parameter position: The position of the first argument in the query.
    init(
        name: String, definition: Definition, source: RangeSource, parameters: [any PlanNode], position: SourceRange
    ) {
        self.name = name
        self.definition = definition
        self.source = source
        self.parameters = parameters
        self.position = position
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var scalars: [Block] = []
        for parameter in parameters { scalars.append(try run.evaluate(parameter, over: grid)) }
        try checkExtension()
        if let scan = try source.scan(run, over: grid, labels: .each), let set = source.set(of: scan) {
            try run.allow(rows: set.count, width: grid.count)
            let block = try rows(scan, scalars, run, grid).whole(resultSet(set, run), width: grid.count, run)
            return try finished(block, set, run)
        }
        let contents = try source.load(run, over: grid)
        let context = RangeContext(
            run: run, position: position, rangeExtension: source.rangeExtension)
        try run.allow(rows: contents.set.count, width: grid.count)
        var block = try Block(resultSet(contents.set, run), width: grid.count, run)
        for row in 0..<contents.set.count {
            if row & 63 == 63 { try run.check() }
            try fill(
                &block, row: row, series: contents.series(row), times: contents.times, width: contents.width,
                before: contents.before, after: contents.after, scalars: scalars, context, grid)
        }
        return try finished(block, contents.set, run)
    }

    private func resultSet(_ set: SeriesSet, _ run: Run) -> SeriesSet {
        definition.keepsName ? set : set.withoutNames(delayed: run.options.delayedNameRemoval)
    }

    private func finished(_ block: Block, _ set: SeriesSet, _ run: Run) throws(QueryError) -> Block {
        if definition.wantsCounter { remarkNonCounters(block, set, run) }
        return run.options.delayedNameRemoval ? block : try block.merged(exclusive: true)
    }

    /// Evaluates one row. `before` and `after` are the additional times around the window for which samples are needed.
    func fill(
        _ block: inout Block, row: Int, series: RangeSeries, times: SampleTimes, width: Int64, before: Int64 = 0,
        after: Int64 = 0, scalars: [Block], _ context: RangeContext, _ grid: Grid
    ) throws(QueryError) {
        var window = Window(series: series)
        for column in 0..<grid.count {
            if column & 63 == 63 { try context.run.check() }
            window.time = grid.time(column)
            window.end = times.reference(window.time)
            window.start = window.end &- width
            if column == 0 || times.fixed == nil {
                window.advance(from: window.start &- before, through: window.end &+ after)
            }
            if window.isEmpty { continue }
            context.run.used(window.floats.count + window.histograms.count)
            if !scalars.isEmpty { window.parameters = scalars.map { $0.values[column] } }
            if let sample = try definition.kernel(window, context) {
                block.set(row * grid.count + column, to: sample)
            }
        }
    }

    private func checkExtension() throws(QueryError) {
        let allowed: [String]
        switch source.rangeExtension {
        case nil: return
        case .anchored: allowed = ["changes", "delta", "increase", "rate", "resets"]
        case .smoothed: allowed = ["delta", "increase", "rate"]
        }
        if let used = source.rangeExtension, !allowed.contains(name) {
            throw .execution(
                "\(used.rawValue) modifier can only be used with: \(allowed.joined(separator: ", ")) - not with \(name)"
            )
        }
    }

    /// Adds annotations for series that do not look like counters.
    private func remarkNonCounters(_ block: Block, _ set: SeriesSet, _ run: Run) {
        let typed = run.options.typeAndUnitLabels
        for row in typed ? set.nonCounterTypes : set.nonCounterNames {
            guard block.kinds[block.cells(of: row)].contains(Block.Kind.float) else { continue }
            let labels = set.labels[row]
            let metric = MetricText.quoted(labels.metricName ?? "")
            if typed {
                let type = MetricText.quoted(labels["__type__"] ?? "")
                run.inform(
                    "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got "
                        + "\(type): \(metric)", at: position)
            } else {
                remarkNonCounter(labels.metricName ?? "", run)
            }
        }
    }

    func remarkNonCounter(_ name: String, _ run: Run) {
        run.inform(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                + MetricText.quoted(name), at: position)
    }
}

/// `absent_over_time`: 1 if no series has a sample in the window.
final class AbsentOverTimeNode: PlanNode {
    private let source: RangeSource
    private let series: SeriesSet

    init(_ source: RangeSource) {
        self.source = source
        series = SeriesSet([AbsentNode.labels(matchers: source.matchers ?? [])])
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        if let used = source.rangeExtension {
            let allowed =
                used == .anchored ? "changes, delta, increase, rate, resets" : "delta, increase, rate"
            throw .execution("\(used.rawValue) modifier can only be used with: \(allowed) - not with absent_over_time")
        }
        let contents = try source.load(run, over: grid)
        var found = [Bool](repeating: false, count: grid.count)
        for row in 0..<contents.set.count {
            var window = Window(series: contents.series(row))
            for column in 0..<grid.count {
                let end = contents.times.reference(grid.time(column))
                window.advance(from: end &- contents.width, through: end)
                if !window.isEmpty { found[column] = true }
            }
        }
        var block = Block(series, width: grid.count)
        for column in found.indices where !found[column] { block.set(column, to: 1) }
        return block
    }
}

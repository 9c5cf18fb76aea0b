internal import MetricModel

/// What a range function is told besides the window, and where it puts its remarks.
struct RangeContext {
    let run: Run
    /// Where the first argument stands.
    let position: SourceRange
    let rangeExtension: RangeExtension?
}

/// A function of a range vector, called for each series and step.
final class RangeFunctionNode: PlanNode {
    /// Gives the result for one window that is not empty, or nothing.
    typealias Kernel = @Sendable (Window, RangeContext) throws(QueryError) -> Sample?

    /// How a function is run and what becomes of the metric name.
    struct Definition: Sendable {
        var kernel: Kernel
        var keepsName = false
        /// Whether users are told when the series does not look like a counter.
        var wantsCounter = false
    }

    private let name: String
    private let definition: Definition
    private let source: RangeSource
    private let parameters: [any PlanNode]
    private let position: SourceRange

    /// - Parameter position: Where the first argument stands.
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
        let contents = try source.load(run, over: grid)
        let context = RangeContext(
            run: run, position: position, rangeExtension: source.rangeExtension)
        let set =
            definition.keepsName
            ? contents.set : contents.set.withoutNames(delayed: run.options.delayedNameRemoval)
        try run.allow(rows: set.count, width: grid.count)
        var block = Block(set, width: grid.count)
        for row in 0..<set.count {
            if row & 63 == 63 { try run.check() }
            try fill(
                &block, row: row, series: contents.series(row), contents: contents, scalars: scalars, context, grid)
        }
        if definition.wantsCounter { remarkNonCounters(block, contents.set, run) }
        return run.options.delayedNameRemoval ? block : try block.merged(exclusive: true)
    }

    private func fill(
        _ block: inout Block, row: Int, series: RangeSeries, contents: RangeSource.Contents, scalars: [Block],
        _ context: RangeContext, _ grid: Grid
    ) throws(QueryError) {
        var window = Window(series: series)
        for column in 0..<grid.count {
            if column & 63 == 63 { try context.run.check() }
            window.time = grid.time(column)
            window.end = contents.times.reference(window.time)
            window.start = window.end &- contents.width
            if column == 0 || contents.times.fixed == nil {
                window.advance(from: window.start &- contents.before, through: window.end &+ contents.after)
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

    /// Tells users where the series that gave rates do not look like counters.
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
                run.inform(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \(metric)",
                    at: position)
            }
        }
    }
}

/// `absent_over_time`: 1 where no series has a sample in the window.
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

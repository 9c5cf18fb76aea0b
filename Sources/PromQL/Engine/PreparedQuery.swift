public import MetricModel

/// An expression that is prepared once and evaluated many times.
///
/// It keeps everything that depends only on the set of series (group keys, matched rows, result labels), so that an
/// evaluation over the same series does no label work. Owned by one thread at a time.
public final class PreparedQuery {
    private enum Root {
        case node(any PlanNode, isScalar: Bool)
        case range(RangeSource)
        case string(String)
    }

    /// The expression.
    public let expression: Expression
    private let options: EngineOptions
    private let root: Root
    /// The approximate memory kept between evaluations.
    private(set) var retainedBytes = 0

    init(_ expression: Expression, options: EngineOptions) {
        self.expression = expression
        self.options = options
        if let text = expression.literalText {
            root = .string(text)
        } else if let source = PlanBuilder.rangeSource(expression) {
            root = .range(source)
        } else {
            root = .node(PlanBuilder.plan(expression), isScalar: expression.valueType == .scalar)
        }
    }

    /// The value at a time.
    public func instant(
        at moment: Timestamp, from source: any Queryable,
        cancellation: QueryCancellation? = nil
    ) throws(QueryError) -> QueryResult {
        let time = moment.milliseconds
        let run = Run(
            source: source, options: options, start: time, end: time, step: 0,
            cancellation: cancellation)
        switch root {
        case .string(let text): return result(.string(text, moment), run)
        case .range(let source): return try result(.matrix(RangeResult(source, time).value(run)), run)
        case .node(let node, let isScalar):
            let block = try cleaned(run.evaluate(node, over: Grid(at: time)))
            if isScalar { return result(.scalar(block.values.first ?? .nan, moment), run) }
            return result(.vector(elements(block, at: moment)), run)
        }
    }

    /// The values from `start` to `end`, both included, every `step`.
    public func range(
        start: Timestamp, end: Timestamp, step: Milliseconds, from source: any Queryable,
        cancellation: QueryCancellation? = nil
    ) throws(QueryError) -> QueryResult {
        guard case .node(let node, _) = root else {
            throw .execution(
                "invalid expression type \"\(expression.valueType.documentedName)\" for range query, must be Scalar or "
                    + "instant Vector")
        }
        guard step.rawValue > 0 else { throw .execution("zero or negative query resolution step") }
        let grid = Grid(start: start.milliseconds, end: end.milliseconds, step: step.rawValue)
        guard grid.count <= options.maximumSamples else { throw .tooManySamples }
        let run = Run(
            source: source, options: options, start: start.milliseconds, end: end.milliseconds, step: step.rawValue,
            cancellation: cancellation)
        let block = try cleaned(run.evaluate(node, over: grid))
        return result(.matrix(try series(block, over: grid, run)), run)
    }

    private func result(_ value: QueryValue, _ run: Run) -> QueryResult {
        retainedBytes = run.retainedBytes
        return QueryResult(value: value, annotations: run.annotations, statistics: run.statistics)
    }

    /// The block after delayed removal of metric names.
    private func cleaned(_ block: Block) throws(QueryError) -> Block {
        guard options.delayedNameRemoval else { return block }
        var result = block
        result.series = block.series.cleaned
        return try result.merged()
    }

    private func elements(_ block: Block, at moment: Timestamp) -> [VectorElement] {
        (0..<block.rows).compactMap { row in
            switch block.sample(at: row) {
            case nil: nil
            case .float(let value):
                VectorElement(labels: block.series.labels[row], timestamp: moment, value: value)
            case .histogram(let histogram):
                VectorElement(labels: block.series.labels[row], timestamp: moment, value: 0, histogram: histogram)
            }
        }
    }

    private func series(_ block: Block, over grid: Grid, _ run: Run) throws(QueryError) -> [SeriesSamples] {
        // Rows without missing values share their timestamps.
        let times = (0..<grid.count).map(grid.time)
        var result: [SeriesSamples] = []
        for row in 0..<block.rows {
            if row & 63 == 0 { try run.check() }
            let cells = block.cells(of: row)
            let kinds = block.kinds[cells]
            if kinds.allSatisfy({ $0 == Block.Kind.float }) {
                result.append(
                    SeriesSamples(
                        labels: block.series.labels[row], timestamps: times, values: Array(block.values[cells])))
                continue
            }
            let filled = cells.filter { block.kinds[$0] != Block.Kind.none }
            if filled.isEmpty { continue }
            var samples = SeriesSamples(labels: block.series.labels[row])
            samples.timestamps = filled.map { times[$0 - cells.lowerBound] }
            samples.values = filled.map { block.kinds[$0] == Block.Kind.float ? block.values[$0] : 0 }
            if kinds.contains(Block.Kind.histogram) { samples.histograms = filled.map(block.histogram) }
            result.append(samples)
        }
        return result.sorted { $0.labels < $1.labels }
    }
}

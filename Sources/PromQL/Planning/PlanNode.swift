internal import MetricModel

/// One operation of a plan.
///
/// A node belongs to one plan, which is owned by one thread at a time. Between evaluations it keeps what depends only
/// on sets of series.
protocol PlanNode: AnyObject {
    /// The value at each instant of `grid`, which is not empty. Called through `Run.evaluate`.
    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block
}

/// A number determined by the step or the query alone.
final class NumberNode: PlanNode {
    enum Source {
        case constant(Double)
        /// `time()`.
        case time
        /// `start()`, `end()`, `step()` and `range()` of the query, in seconds.
        case queryStart, queryEnd, queryStep, queryRange
    }

    private let source: Source
    private let series = SeriesSet.nameless()

    init(_ source: Source) {
        self.source = source
    }

    func evaluate(_ run: Run, over grid: Grid) -> Block {
        let value: Double
        switch source {
        case .constant(let constant): value = constant
        case .time:
            return Block(scalar: (0..<grid.count).map { Double(grid.time($0)) / 1000 }, series: series)
        case .queryStart: value = Double(run.start) / 1000
        case .queryEnd: value = Double(run.end) / 1000
        case .queryStep: value = Double(run.step) / 1000
        case .queryRange: value = Double(run.end - run.start) / 1000
        }
        return Block(scalar: [Double](repeating: value, count: grid.count), series: series)
    }
}

/// A part of the expression whose value is the same at every step. It is evaluated once, at the first.
final class InvariantNode: PlanNode {
    private let inner: any PlanNode

    init(_ inner: any PlanNode) {
        self.inner = inner
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let block = try run.evaluate(inner, over: Grid(at: grid.start))
        try run.allow(rows: block.rows, width: grid.count)
        return block.repeated(grid.count)
    }
}

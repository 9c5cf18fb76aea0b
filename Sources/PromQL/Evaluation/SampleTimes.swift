internal import MetricModel

/// When a selector looks: its modifiers, resolved for the query that runs.
struct SampleTimes {
    /// How far before the evaluation time, in milliseconds; negative looks ahead.
    let offset: Int64
    /// The evaluation time that stands in for every other, if there is one.
    let fixed: Int64?

    init(offset: DurationValue?, at: AtModifier?, run: Run) throws(QueryError) {
        self.offset = try offset?.resolved(run, mayBeNegative: true) ?? 0
        switch at {
        case nil: fixed = nil
        case .timestamp(let moment): fixed = moment.milliseconds
        case .start: fixed = run.start
        case .end: fixed = run.end
        }
    }

    /// The moment that an evaluation at `time` looks at.
    func reference(_ time: Int64) -> Int64 { (fixed ?? time) &- offset }

    /// The first and last moment that an evaluation over `grid` looks at.
    func references(_ grid: Grid) -> (first: Int64, last: Int64) { (reference(grid.start), reference(grid.end)) }
}

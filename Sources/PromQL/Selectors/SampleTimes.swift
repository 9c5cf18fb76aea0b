internal import MetricModel

/// `offset` and `@` of a selector or subquery.
struct TimeModifiers {
    var offset: DurationValue?
    var at: AtModifier?
}

/// When a selector looks: its modifiers, resolved for the query that runs.
struct SampleTimes {
    /// How far before the evaluation time, in milliseconds; negative looks ahead.
    let offset: Int64
    /// The evaluation time used for every step, if it is fixed.
    let fixed: Int64?

    init(offset: DurationValue?, at: AtModifier?, run: Run) throws(QueryError) {
        try self.init([TimeModifiers(offset: offset, at: at)], run: run)
    }

    /// - Parameter modifiers: From the outermost subquery to the selector.
    init(_ modifiers: [TimeModifiers], run: Run) throws(QueryError) {
        var offset: Int64 = 0
        var fixed: Int64?
        for modifier in modifiers {
            if let at = modifier.at {
                offset = 0
                fixed = at.moment(run)
            }
            offset &+= try modifier.offset?.resolved(run, mayBeNegative: true) ?? 0
        }
        self.offset = offset
        self.fixed = fixed
    }

    /// The moment that an evaluation at `time` looks at.
    func reference(_ time: Int64) -> Int64 { (fixed ?? time) &- offset }

    /// The first and last moment that an evaluation over `grid` looks at.
    func references(_ grid: Grid) -> (first: Int64, last: Int64) { (reference(grid.start), reference(grid.end)) }
}

extension AtModifier {
    fileprivate func moment(_ run: Run) -> Int64 {
        switch self {
        case .timestamp(let moment): moment.milliseconds
        case .start: run.start
        case .end: run.end
        }
    }
}

internal import MetricModel

/// `offset` and `@` of a selector or subquery.
struct TimeModifiers {
    var offset: DurationValue?
    var at: AtModifier?
}

/// The times that a selector reads: its modifiers, resolved for the running query.
struct SampleTimes {
    /// The distance before the evaluation time, in milliseconds; negative for a later time.
    let offset: Int64
    /// The evaluation time used for every step, if it is fixed.
    let fixed: Int64?

    init(offset: DurationValue?, at: AtModifier?, run: Run) throws(QueryError) {
        try self.init([TimeModifiers(offset: offset, at: at)], run: run)
    }

    /// - Parameter modifiers: from the outermost subquery to the selector.
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

    /// The time that an evaluation at `time` reads.
    func reference(_ time: Int64) -> Int64 { (fixed ?? time) &- offset }

    /// The first and last time that an evaluation over `grid` reads.
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

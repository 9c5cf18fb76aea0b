/// Evaluation times: `count` instants from `start` on, `step` apart, in milliseconds.
struct Grid: Equatable {
    var start: Int64
    var step: Int64
    var count: Int
    /// Whether this is an instant query, not a range query with one step.
    let isInstant: Bool

    /// The single time `moment`.
    init(at moment: Int64) {
        start = moment
        step = 1
        count = 1
        isInstant = true
    }

    /// The times from `start` to `end`, both included if `step` divides the distance; none if `end` is earlier.
    init(start: Int64, end: Int64, step: Int64) {
        self.start = start
        self.step = step
        isInstant = start == end
        let (distance, overflow) = end.subtractingReportingOverflow(start)
        count = end < start ? 0 : overflow ? .max : Int(distance / step) &+ 1
    }

    /// The time of column `index`.
    func time(_ index: Int) -> Int64 { start + Int64(index) * step }

    /// The last time.
    var end: Int64 { time(max(count - 1, 0)) }
}

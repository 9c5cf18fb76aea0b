public import MetricModel

/// Decides when a group is evaluated. A pure machine: `now` is passed in, and it returns one evaluation at a time.
///
/// By the clock, a group is evaluated at times t ≡ phase (mod interval). The phase is a hash of the group's name:
/// groups are spread over the interval, and times are exact multiples apart. With the trigger `scrape`, it is evaluated
/// at the time of the newest scrape, and by the clock only after an interval without an evaluation. A group that
/// advances is evaluated by the clock, and at scrapes in between, which must not be later than the next clock time.
public struct GroupSchedule: Equatable, Sendable {
    /// One evaluation.
    public struct Evaluation: Equatable, Sendable {
        /// The evaluation time.
        public var time: Timestamp
        /// Evaluations skipped before this one, because an earlier one took too long.
        public var missed: Int
        /// The commit time of the scrape that caused it, in nanoseconds of the monotonic clock; 0 if the clock caused
        /// it.
        public var causeNanoseconds: Int64
        /// Whether alerts only advance.
        public var isAdvance = false
    }

    private struct Scrape: Equatable, Sendable {
        var time: Timestamp
        var nanoseconds: Int64
    }

    /// Time between evaluations by the clock.
    public let interval: Milliseconds
    /// The trigger of evaluations.
    public let trigger: RuleGroup.Trigger
    /// Whether scrapes between two clock times let alerts advance.
    public let advances: Bool
    private let phase: Int64
    /// The last clock time that was handled.
    private var lastTick: Timestamp
    /// The time of the last evaluation. Evaluation times increase strictly.
    private var lastEvaluation: Timestamp?
    /// The newest scrape committed since the last evaluation began.
    private var pending: Scrape?
    /// Whether an evaluation was returned by `next` and has not finished.
    public private(set) var isEvaluating = false

    /// A schedule that starts after `now`.
    ///
    /// - Parameters:
    ///   - key: `file;name` of the group.
    ///   - interval: greater than zero.
    ///   - advances: whether alerts advance at scrapes; only with the trigger `interval`.
    public init(
        key: String, interval: Milliseconds, trigger: RuleGroup.Trigger, advances: Bool = false, now: Timestamp
    ) {
        self.interval = interval
        self.trigger = trigger
        self.advances = advances && trigger == .interval
        phase = Int64(Self.hash(key) % interval.rawValue.magnitude)
        lastTick = Self.lastTick(at: now, interval: interval, phase: phase)
    }

    /// FNV-1a, 64 bits: the phase must not change between restarts.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private static func lastTick(at now: Timestamp, interval: Milliseconds, phase: Int64) -> Timestamp {
        let offset = (now.milliseconds - phase) % interval.rawValue
        return now - Milliseconds(rawValue: offset < 0 ? offset + interval.rawValue : offset)
    }

    /// The time of the next check by the clock.
    public var due: Timestamp { lastTick + interval }

    /// Whether `next` may return an evaluation at `now`: a clock time has passed, or the clock was set back.
    func isDue(at now: Timestamp) -> Bool { now >= due || now + interval < lastTick }

    /// Whether `next` returns an evaluation in which alerts advance.
    var isAdvanceDue: Bool { advances && !isEvaluating && pending != nil }

    /// The evaluation to run at `now`, if any. The caller must call `finished` before the next one is returned.
    ///
    /// - Parameter mayAdvance: whether it may be one in which alerts only advance.
    public mutating func next(at now: Timestamp, mayAdvance: Bool = true) -> Evaluation? {
        if isEvaluating { return nil }
        if advances, !isDue(at: now) { return mayAdvance ? nextAdvance() : nil }
        if !advances, let scrape = pending {
            pending = nil
            return begin(at: scrape.time, missed: 0, cause: scrape.nanoseconds)
        }
        // If the clock was set back, evaluations must not pause until it catches up.
        if now + interval < lastTick { lastTick = Self.lastTick(at: now, interval: interval, phase: phase) }
        guard now >= due else { return nil }
        let ticks = (now - lastTick).rawValue / interval.rawValue
        lastTick = lastTick + interval * ticks
        if trigger == .scrape, let lastEvaluation, lastTick - lastEvaluation < interval { return nil }
        // The evaluation reads what was committed before it.
        if advances, let scrape = pending, scrape.time <= lastTick { pending = nil }
        return begin(at: lastTick, missed: Int(ticks - 1), cause: 0)
    }

    /// The evaluation returned by `next` has finished.
    public mutating func finished() {
        isEvaluating = false
    }

    /// A scrape that the group reads was committed. Several scrapes cause one evaluation.
    public mutating func scrapeCommitted(at time: Timestamp, nanoseconds: Int64) {
        guard trigger == .scrape || advances else { return }
        guard let earlier = pending else {
            pending = Scrape(time: time, nanoseconds: nanoseconds)
            return
        }
        pending = Scrape(time: max(earlier.time, time), nanoseconds: min(earlier.nanoseconds, nanoseconds))
    }

    /// Continues the schedule of an earlier version of the group, so that evaluation times keep increasing.
    mutating func continued(from earlier: GroupSchedule) {
        lastEvaluation = earlier.lastEvaluation
        pending = trigger == .scrape || advances ? earlier.pending : nil
        if interval == earlier.interval { lastTick = earlier.lastTick }
    }

    private mutating func nextAdvance() -> Evaluation? {
        guard let scrape = pending else { return nil }
        pending = nil
        // The time of a scrape before the last evaluation: that one began before the scrape was committed.
        let time = max(scrape.time, (lastEvaluation ?? lastTick) + .milliseconds(1))
        // An evaluation by the clock must not be moved: it reads this scrape.
        guard time < due else { return nil }
        var evaluation = begin(at: time, missed: 0, cause: scrape.nanoseconds)
        evaluation.isAdvance = true
        return evaluation
    }

    private mutating func begin(at time: Timestamp, missed: Int, cause: Int64) -> Evaluation {
        // Two samples of a series must not have the same timestamp.
        let time = lastEvaluation.map { max(time, $0 + .milliseconds(1)) } ?? time
        lastEvaluation = time
        isEvaluating = true
        return Evaluation(time: time, missed: missed, causeNanoseconds: cause)
    }
}

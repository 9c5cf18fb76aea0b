public import MetricModel

/// Decides when a group is evaluated. A pure machine: `now` is handed in, evaluations are handed out one at a time.
///
/// On the clock, a group is evaluated at times t ≡ phase (mod interval), the phase being a hash of its name, so that
/// groups are spread and times are exact multiples apart. With scrapes, it is evaluated at the time of the newest
/// scrape, and on the clock only where no evaluation was made for a whole interval.
public struct GroupSchedule: Equatable, Sendable {
    /// One evaluation.
    public struct Evaluation: Equatable, Sendable {
        /// The evaluation time.
        public var time: Timestamp
        /// Evaluations that were left out before it, because another one took too long.
        public var missed: Int
        /// The commit time of the scrape that caused it, in nanoseconds on the monotonic clock; 0 for the clock.
        public var causeNanoseconds: Int64
    }

    private struct Scrape: Equatable, Sendable {
        var time: Timestamp
        var nanoseconds: Int64
    }

    /// Time between evaluations on the clock.
    public let interval: Milliseconds
    /// What starts evaluations.
    public let trigger: RuleGroup.Trigger
    private let phase: Int64
    /// The last time on the clock that is done with.
    private var lastTick: Timestamp
    /// The time of the last evaluation; evaluation times rise strictly.
    private var lastEvaluation: Timestamp?
    /// Scrapes that were committed since the last evaluation began.
    private var pending: Scrape?
    /// Whether an evaluation was handed out and is not done.
    public private(set) var isEvaluating = false

    /// A schedule that begins after `now`.
    ///
    /// - Parameters:
    ///   - key: `file;name` of the group.
    ///   - interval: more than zero.
    public init(key: String, interval: Milliseconds, trigger: RuleGroup.Trigger, now: Timestamp) {
        self.interval = interval
        self.trigger = trigger
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

    /// When the clock has to be looked at next.
    public var due: Timestamp { lastTick + interval }

    /// Whether `next` has something to do at `now`: a tick has come, or the clock was set back.
    func isDue(at now: Timestamp) -> Bool { now >= due || now + interval < lastTick }

    /// The evaluation to be made at `now`, if any. `finished` must follow before the next one is handed out.
    public mutating func next(at now: Timestamp) -> Evaluation? {
        if isEvaluating { return nil }
        if let scrape = pending {
            pending = nil
            return begin(at: scrape.time, missed: 0, cause: scrape.nanoseconds)
        }
        // A clock that was set back must not stop evaluations until it has caught up.
        if now + interval < lastTick { lastTick = Self.lastTick(at: now, interval: interval, phase: phase) }
        guard now >= due else { return nil }
        let ticks = (now - lastTick).rawValue / interval.rawValue
        lastTick = lastTick + interval * ticks
        if trigger == .scrape, let lastEvaluation, lastTick - lastEvaluation < interval { return nil }
        return begin(at: lastTick, missed: Int(ticks - 1), cause: 0)
    }

    /// The evaluation that was handed out is done.
    public mutating func finished() {
        isEvaluating = false
    }

    /// A scrape that the group reads from was committed; several are taken together.
    public mutating func scrapeCommitted(at time: Timestamp, nanoseconds: Int64) {
        guard trigger == .scrape else { return }
        guard let earlier = pending else {
            pending = Scrape(time: time, nanoseconds: nanoseconds)
            return
        }
        pending = Scrape(time: max(earlier.time, time), nanoseconds: min(earlier.nanoseconds, nanoseconds))
    }

    /// Takes over from the schedule of an earlier version of the group, so that evaluation times go on rising.
    mutating func continued(from earlier: GroupSchedule) {
        lastEvaluation = earlier.lastEvaluation
        pending = trigger == .scrape ? earlier.pending : nil
        if interval == earlier.interval { lastTick = earlier.lastTick }
    }

    private mutating func begin(at time: Timestamp, missed: Int, cause: Int64) -> Evaluation {
        // Samples of one series must not share a time.
        let time = lastEvaluation.map { max(time, $0 + .milliseconds(1)) } ?? time
        lastEvaluation = time
        isEvaluating = true
        return Evaluation(time: time, missed: missed, causeNanoseconds: cause)
    }
}

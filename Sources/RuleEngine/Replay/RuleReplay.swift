public import MetricModel
public import PromQL
public import RuleModel

/// Evaluates the rollback rules of groups over past samples, with the machines of the live service.
///
/// Groups are evaluated at the times of the live service: every interval, at the phase of their name. Rules that the
/// live service evaluates at scrapes are evaluated at each time at which a series that they read has a sample, and by
/// the clock after an interval without one. Recorded series are read as they were stored; recording rules are not
/// evaluated again.
public struct RuleReplay {
    private let units: [RuleUnit.Plan]
    private let engine: QueryEngine

    /// Prepares the rollback rules of `groups`; if `name` is given, only those with that name.
    public init(_ groups: [RuleGroup], named name: String? = nil, engine: QueryEngine, settings: RuleSettings) {
        self.engine = engine
        // The samples that are replayed are the own ones.
        var settings = settings
        settings.servers = []
        settings.defaultServer = nil
        let groups = groups.map { group in
            var group = group
            group.query = nil
            return group
        }
        units = groups.flatMap { group in
            RuleUnit.Plan.units(of: group, settings: settings).compactMap { unit in
                var unit = unit
                unit.group.rules.removeAll { rule in
                    guard case .rollback(let query) = rule else { return true }
                    return name.map { $0 != query.definition.name } ?? false
                }
                return unit.group.rules.isEmpty ? nil : unit
            }
        }
    }

    /// The number of rules that are evaluated.
    public var ruleCount: Int { units.reduce(0) { $0 + $1.group.rules.count } }

    /// Evaluates all rules at their times in `from...through`, group after group. The measurements of a rule are in
    /// order.
    ///
    /// - Throws: if the times of samples cannot be read. An evaluation that fails is a measurement with a `failure`.
    public func run(
        from: Timestamp, through: Timestamp, source: any Queryable,
        measured: @escaping (RollbackMeasurement) -> Void
    ) throws(SelectError) {
        let sink = MeasurementSink(measured)
        for unit in units { try run(unit, from, through, source, sink) }
    }

    private func run(
        _ unit: RuleUnit.Plan, _ from: Timestamp, _ through: Timestamp, _ source: any Queryable, _ sink: MeasurementSink
    ) throws(SelectError) {
        let group = unit.group
        let evaluation = GroupEvaluation(group, engine: engine, settings: unit.settings, restoring: false)
        var schedule = GroupSchedule(
            key: group.key, interval: unit.interval, trigger: group.trigger ?? .interval, now: from - .milliseconds(1))
        var scrapes = ScrapeTimes(of: group, from: from, through: through)
        while true {
            let scrape = try scrapes.next(source)
            let now = scrape.map { min($0, schedule.due) } ?? schedule.due
            guard now <= through else { return }
            if now == scrape {
                schedule.scrapeCommitted(at: now, nanoseconds: 0)
                scrapes.removeFirst()
            }
            guard let next = schedule.next(at: now) else { continue }
            evaluation.evaluate(at: next.time, from: source, into: sink)
            schedule.finished()
        }
    }
}

/// The times of the samples that a group reads, in order. They are read from the source an hour at a time.
private struct ScrapeTimes {
    private let selectors: Set<[Matcher]>
    private var start: Timestamp
    private let through: Timestamp
    private var times: ArraySlice<Int64> = []

    /// The times for `group`; none if the clock triggers it.
    init(of group: RuleGroup, from: Timestamp, through: Timestamp) {
        selectors = group.trigger == .scrape ? Set(group.rules.flatMap(\.expressions).flatMap(\.selectors)) : []
        start = selectors.isEmpty ? through + .milliseconds(1) : from
        self.through = through
    }

    /// The next time.
    mutating func next(_ source: any Queryable) throws(SelectError) -> Timestamp? {
        while times.isEmpty, start <= through {
            let end = min(start + .hours(1), through)
            var found: Set<Int64> = []
            for matchers in selectors {
                for series in try source.select(matchers, from: start, through: end, sampleLimit: 50_000_000) {
                    found.formUnion(series.timestamps)
                }
            }
            times = found.sorted()[...]
            start = end + .milliseconds(1)
        }
        return times.first.map(Timestamp.init(milliseconds:))
    }

    mutating func removeFirst() {
        times.removeFirst()
    }
}

/// Collects measurements and discards the samples of rules.
private final class MeasurementSink: RuleSink {
    private let take: (RollbackMeasurement) -> Void

    init(_ take: @escaping (RollbackMeasurement) -> Void) {
        self.take = take
    }

    func store(_ samples: [RuleSample], at time: Timestamp) throws(RuleFailure) {}

    func send(_ alerts: [Alert]) {}

    func measured(_ measurement: RollbackMeasurement) { take(measurement) }

    func tripped(_ rule: String) -> [ActiveAlertSnapshot] { [] }
}

internal import MetricModel
internal import MetricStore
internal import PromQL
internal import RuleModel
internal import Runtime
internal import Synchronization

/// The thread that schedules all rule groups, and the state that it shares with the threads that evaluate.
///
/// `@unchecked`: only the thread in `run` uses `units`, `earliest`, `budget`, `waiting` and `pools`.
final class RuleClock: @unchecked Sendable {
    enum Message: Sendable {
        case load([RuleGroup], RuleSettings, restoring: Bool)
        /// Scrapes were committed. They are in the inbox.
        case scrapes
        /// A worker has evaluated the unit.
        case evaluated(RuleUnit)
        case probe(Pulse)
    }

    enum Work: Sendable {
        case evaluate(Job)
        case probe(Pulse)
    }

    struct Job: Sendable {
        var unit: RuleUnit
        var evaluation: GroupSchedule.Evaluation
    }

    /// Committed scrapes that the clock has not read. At most one message announces them at a time.
    private struct Inbox {
        struct Scrape {
            var time: Timestamp
            var nanoseconds: Int64
        }
        var scrapes: [LaneID: Scrape] = [:]
        /// The lanes that any unit reads.
        var wanted: Set<LaneID> = []
        /// The store generation for which `wanted` is valid. `unknown` while `wanted` is being computed, so that no
        /// scrape is missed in that time; `nil` if no unit waits for scrapes.
        var generation: UInt64? = unknown

        static let unknown = UInt64.max
    }

    let mailbox = Mailbox<Message>(capacity: 1 << 20)
    /// The loaded groups, with their units.
    let listing = Mutex<[RuleListing]>([])
    private let jobs = Mailbox<Work>(capacity: 1 << 20)
    private let pulse = (clock: Pulse("rule clock"), work: Pulse("rule evaluation"))
    private let inbox = Mutex(Inbox())
    let store: MetricStore
    private let engine: QueryEngine
    private let sinks: RuleRunner.Sinks
    private let metrics: RuleMetrics
    let logger: Logger
    /// The servers that groups may ask; `nil` where there are none.
    let servers: (any RuleServers)?
    /// Whether the runner stops, so that no answer is waited for.
    let isStopping = Atomic(false)

    private var units: [String: RuleUnit] = [:]
    private var earliest = Timestamp.distantFuture
    private var budget = ScrapeBudget(share: RuleSettings().scrapeShare)
    /// The units whose alerts can advance when the budget allows it, in their order.
    private var waiting: [RuleUnit] = []
    /// The threads that evaluate the groups of query servers, by the name of the server.
    var pools: [String: ServerPool] = [:]
    /// Pools whose servers are no longer configured, until their threads have ended.
    var retiredPools: [ServerPool] = []

    init(
        store: MetricStore, engine: QueryEngine, servers: (any RuleServers)?, sinks: RuleRunner.Sinks,
        metrics: RuleMetrics, logger: Logger
    ) {
        self.servers = servers
        self.store = store
        self.engine = engine
        self.sinks = sinks
        self.metrics = metrics
        self.logger = logger.with("component", "rules")
    }

    // MARK: Any thread

    func scrapeCommitted(lane: LaneID, at time: Timestamp, nanoseconds: Int64) {
        let generation = store.seriesGeneration
        let isFirst = inbox.withLock { inbox in
            guard let known = inbox.generation, known != generation || inbox.wanted.contains(lane) else { return false }
            let earlier = inbox.scrapes[lane]
            inbox.scrapes[lane] = Inbox.Scrape(
                time: earlier.map { max($0.time, time) } ?? time,
                nanoseconds: earlier.map { min($0.nanoseconds, nanoseconds) } ?? nanoseconds)
            return earlier == nil && inbox.scrapes.count == 1
        }
        if isFirst { mailbox.send(.scrapes) }
    }

    /// Asks the threads whether they turn over.
    func probe() -> [Pulse] {
        if pulse.clock.ask() { mailbox.send(.probe(pulse.clock)) }
        if pulse.work.ask() { jobs.send(.probe(pulse.work)) }
        return [pulse.clock, pulse.work]
    }

    // MARK: Workers

    /// Runs the evaluations of groups that read the own store, until the clock stops.
    ///
    /// Groups of a server come here only if it could not get a thread of its own.
    func work() { work(jobs) { [self] in source(of: $0) } }

    /// Runs the evaluations in `jobs`, until it is closed.
    ///
    /// - Parameter source: what the unit asks.
    func work(_ jobs: Mailbox<Work>, _ source: (RuleUnit) -> RuleSource) {
        while case .message(let work) = jobs.receive() {
            let job: Job
            switch work {
            case .evaluate(let wanted): job = wanted
            case .probe(let pulse):
                pulse.answer()
                continue
            }
            for change in job.unit.run(job.evaluation, from: source(job.unit), store: store) {
                let (group, rule) = (job.unit.plan.key, change.rule)
                if change.error.isEmpty {
                    logger.info("rule succeeds again", ["group": group, "rule": rule])
                } else {
                    logger.warn("rule failed", ["group": group, "rule": rule, "error": change.error])
                }
            }
            mailbox.send(.evaluated(job.unit))
        }
    }

    // MARK: The clock's thread

    /// Schedules evaluations at their times, until the mailbox is closed.
    func run() {
        defer {
            jobs.close()
            closePools()
        }
        while true {
            let wait = min(max(0, (earliest - now).rawValue), 60_000) * 1_000_000
            let monotonic = SystemClock.monotonicNanoseconds()
            let pause = waiting.isEmpty ? .infinity : budget.wait(at: monotonic)
            let deadline = monotonic + (pause < 60 ? min(wait, Int64(pause * 1e9)) : wait)
            switch mailbox.receive(deadline: deadline) {
            case .closed: return
            case .timedOut: tick()
            case .message(.load(let groups, let settings, let restoring)): load(groups, settings, restoring)
            case .message(.scrapes): deliverScrapes()
            case .message(.evaluated(let unit)): evaluated(unit)
            case .message(.probe(let pulse)): pulse.answer()
            }
            if now >= earliest { tick() }
            if !waiting.isEmpty { handOutWaiting() }
        }
    }

    private var now: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    private func tick() {
        let now = now
        for unit in units.values where unit.schedule.isDue(at: now) { handOut(unit, now) }
        findEarliest()
    }

    /// Computes when the next unit is due. A unit under evaluation is checked when it has finished.
    private func findEarliest() {
        earliest = units.values.lazy.filter { !$0.schedule.isEvaluating }.map(\.schedule.due).min() ?? .distantFuture
    }

    private func handOut(_ unit: RuleUnit, _ now: Timestamp) {
        guard let evaluation = unit.schedule.next(at: now, mayAdvance: false) else {
            if unit.schedule.isAdvanceDue, !unit.isLeaving, !unit.isWaiting {
                unit.isWaiting = true
                waiting.append(unit)
            }
            return
        }
        if unit.isLeaving {
            unit.end(at: evaluation.time)
            units[unit.plan.key] = nil
            metrics.forget(unit.plan.key)
            forgetQuestions(of: unit, unless: nil)
        } else if !queue(of: unit).send(.evaluate(Job(unit: unit, evaluation: evaluation))) {
            unit.schedule.finished()
        }
    }

    /// Where the evaluations of `unit` wait for a thread. Those that ask a server wait only for each other.
    private func queue(of unit: RuleUnit) -> Mailbox<Work> { unit.server.flatMap { pools[$0.name]?.jobs } ?? jobs }

    /// Lets the alerts of units that wait advance, while the budget allows it.
    private func handOutWaiting() {
        var handed = 0
        defer { waiting.removeFirst(handed) }
        while handed < waiting.count, budget.wait(at: SystemClock.monotonicNanoseconds()) == 0 {
            let unit = waiting[handed]
            handed += 1
            unit.isWaiting = false
            guard units[unit.plan.key] === unit, !unit.isLeaving, let evaluation = unit.schedule.next(at: now) else {
                continue
            }
            if evaluation.isAdvance {
                // It takes about as long as the last one; the difference is corrected when it has ended.
                budget.spent(unit.advanceSeconds)
                unit.reservedSeconds = unit.advanceSeconds
            }
            if !jobs.send(.evaluate(Job(unit: unit, evaluation: evaluation))) { unit.schedule.finished() }
        }
    }

    private func evaluated(_ unit: RuleUnit) {
        unit.schedule.finished()
        if let reserved = unit.reservedSeconds {
            budget.spent(unit.advanceSeconds - reserved)
            unit.reservedSeconds = nil
        }
        switch unit.successor {
        case nil:
            handOut(unit, now)
            earliest = min(earliest, unit.schedule.due)
        case .replaced(let plan):
            replace(unit, by: plan)
            list()
        case .gone:
            unit.successor = nil
            unit.isLeaving = true
            earliest = min(earliest, unit.schedule.due)
        }
    }

    // MARK: Scrapes

    private func deliverScrapes() {
        if inbox.withLock({ $0.generation }) != store.seriesGeneration { subscribe() }
        let scrapes = inbox.withLock { inbox in
            defer { inbox.scrapes.removeAll(keepingCapacity: true) }
            return inbox.scrapes
        }
        let now = now
        for unit in units.values where !unit.lanes.isEmpty && !unit.isLeaving {
            for (lane, scrape) in scrapes where unit.lanes.contains(lane) {
                unit.schedule.scrapeCommitted(at: scrape.time, nanoseconds: scrape.nanoseconds)
            }
            handOut(unit, now)
        }
    }

    /// Determines again which lanes the units read.
    private func subscribe() {
        let generation = store.seriesGeneration
        var wanted: Set<LaneID> = []
        var waits = false
        for unit in units.values where !unit.selectors.isEmpty && !unit.isLeaving {
            waits = true
            var lanes: Set<LaneID> = []
            for matchers in unit.selectors {
                do throws(SelectError) {
                    lanes.formUnion(try store.lanes(matching: matchers))
                } catch {
                    logger.warn("cannot evaluate the group at scrapes", ["group": unit.plan.key, "error": error])
                }
            }
            unit.lanes = lanes
            wanted.formUnion(lanes)
        }
        inbox.withLock { [wanted] inbox in
            inbox.wanted = wanted
            inbox.generation = waits ? generation : nil
        }
    }

    // MARK: Loading

    private func load(_ groups: [RuleGroup], _ settings: RuleSettings, _ restoring: Bool) {
        budget.share = max(0.0001, settings.scrapeShare)
        loadPools(groups, settings)
        inbox.withLock { $0.generation = Inbox.unknown }
        var plans: [String: RuleUnit.Plan] = [:]
        var listed: [(RuleGroup, [String])] = []
        for group in groups {
            let parts = RuleUnit.Plan.units(of: group, settings: settings)
            guard parts.allSatisfy({ plans[$0.key] == nil }) else { continue }
            for part in parts { plans[part.key] = part }
            listed.append((group, parts.map(\.key)))
        }
        for (key, unit) in units where plans[key] == nil { remove(unit) }
        for (key, plan) in plans {
            if let unit = units[key] { change(unit, to: plan) } else { add(plan, restoring) }
        }
        subscribe()
        findEarliest()
        listing.withLock { [units] listing in
            listing = listed.map { group, keys in
                RuleListing(group: group, settings: settings, units: keys.compactMap { units[$0] })
            }
        }
    }

    private func add(_ plan: RuleUnit.Plan, _ restoring: Bool) {
        units[plan.key] = RuleUnit(
            plan, engine: engine, sink: LaneSink(plan.key, store: store, sinks: sinks),
            instruments: metrics.unit(plan.key), restoring: restoring, now: now)
    }

    /// Nothing is unanswered by the server of `unit` any more, unless it stays the same.
    private func forgetQuestions(of unit: RuleUnit, unless name: String?) {
        guard let server = unit.server, server.name != name else { return }
        servers?.finished(asker: unit.plan.key, of: server.name, failure: nil)
    }

    private func remove(_ unit: RuleUnit) {
        if unit.schedule.isEvaluating { unit.successor = .gone } else { unit.isLeaving = true }
    }

    private func change(_ unit: RuleUnit, to plan: RuleUnit.Plan) {
        unit.successor = nil
        unit.isLeaving = false
        if unit.plan == plan { return }
        if unit.schedule.isEvaluating { unit.successor = .replaced(by: plan) } else { replace(unit, by: plan) }
    }

    private func replace(_ unit: RuleUnit, by plan: RuleUnit.Plan) {
        forgetQuestions(of: unit, unless: plan.settings.server(of: plan.group)?.name)
        units[plan.key] = RuleUnit(
            plan, engine: engine, sink: unit.sink, instruments: unit.instruments, restoring: false, now: now,
            continuing: unit)
    }

    /// Lists the units that replace others after a reload, once the evaluation of the old ones has ended.
    private func list() {
        listing.withLock { [units] listing in
            for index in listing.indices {
                listing[index].units = listing[index].units.compactMap { units[$0.plan.key] }
            }
        }
        subscribe()
        findEarliest()
    }
}

internal import MetricModel
internal import MetricStore
internal import PromQL
internal import RuleModel
internal import Runtime
internal import Synchronization

/// Rules that are scheduled together: a group, or the part of it that is evaluated at each scrape.
///
/// `@unchecked`: `schedule`, `lanes`, `successor`, `isWaiting`, `reservedSeconds` and `isLeaving` belong to the
/// clock's thread. `evaluation` and `sink`
/// belong to the worker that evaluates the unit, and to the clock while no worker does: the schedule returns one
/// evaluation at a time, and mailboxes pass the unit from thread to thread.
final class RuleUnit: @unchecked Sendable {
    /// The effect of a reload on the unit when it is not being evaluated.
    enum Successor {
        case replaced(by: Plan)
        case gone
    }

    /// A unit to create. Equal to the plan of an existing unit if a reload changed nothing.
    struct Plan: Equatable {
        /// The rules of the unit, under the name of their group.
        var group: RuleGroup
        /// The position of each of the unit's rules in the group.
        var positions: [Int]
        var settings: RuleSettings

        /// Unique among all units; also the name of the lane.
        var key: String
    }

    /// The results of the last evaluation, for readers on other threads.
    struct Published {
        var states: [RuleState]
        var evaluationSeconds = 0.0
        var lastEvaluation: Timestamp?
        /// Whether a server has left a question of the last evaluation unanswered.
        var isUnanswered = false
    }

    let plan: Plan
    let evaluation: GroupEvaluation
    let sink: LaneSink
    let instruments: RuleMetrics.Unit
    /// The server that the rules ask; `nil` for the own store.
    let server: RuleServerSettings?
    let selectors: [[Matcher]]
    let published: Mutex<Published>

    var schedule: GroupSchedule
    /// Seconds that the last evaluation at a scrape took; belongs to the worker like `evaluation`.
    private(set) var advanceSeconds = 0.0
    /// The lanes whose scrapes cause evaluations.
    var lanes: Set<LaneID> = []
    var successor: Successor?
    /// Whether its alerts can advance when the budget allows it.
    var isWaiting = false
    /// The seconds of the budget that are reserved for the evaluation under way; `nil` if it is none of alerts that
    /// only advance.
    var reservedSeconds: Double?
    /// Whether the group was removed and the unit only waits to mark its series stale.
    var isLeaving = false

    init(
        _ plan: Plan, engine: QueryEngine, sink: LaneSink, instruments: RuleMetrics.Unit, restoring: Bool,
        now: Timestamp, continuing earlier: RuleUnit? = nil
    ) {
        self.plan = plan
        self.sink = sink
        self.instruments = instruments
        server = plan.settings.server(of: plan.group)
        let evaluation = GroupEvaluation(
            plan.group, engine: engine, settings: plan.settings, restoring: restoring,
            continuing: earlier?.evaluation)
        self.evaluation = evaluation
        published = Mutex(
            Published(
                states: evaluation.states, lastEvaluation: earlier?.published.withLock { $0.lastEvaluation }))
        let read =
            if plan.group.trigger == .scrape { plan.group.rules } else if plan.advances {
                zip(plan.group.rules, evaluation.advances).filter(\.1).map(\.0)
            } else { [Rule]() }
        selectors = Array(Set(read.flatMap(\.expressions).flatMap(\.selectors)))
        schedule = GroupSchedule(
            key: plan.group.key, interval: plan.interval, trigger: plan.group.trigger ?? .interval,
            advances: plan.advances, now: now)
        if let earlier { schedule.continued(from: earlier.schedule) }
    }

    /// A rule that starts to fail, fails with a different error, or works again.
    struct Change: Equatable {
        var rule: String
        /// Empty if it works again.
        var error: String
    }

    /// Evaluates the rules. Called on a worker.
    ///
    /// - Returns: the changes since the last evaluation, for the log. A rule that keeps failing is logged once.
    func run(_ evaluation: GroupSchedule.Evaluation, from source: RuleSource, store: MetricStore) -> [Change] {
        if evaluation.isAdvance {
            advance(evaluation, from: store)
            return []
        }
        let start = SystemClock.monotonicNanoseconds()
        let failures = self.evaluation.evaluate(
            at: evaluation.time, cause: evaluation.causeNanoseconds, from: source, into: sink)
        if case .server(let session) = source {
            session.servers.finished(asker: plan.key, of: session.name, failure: self.evaluation.unknown)
        }
        let seconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        let states = self.evaluation.states
        let before = published.withLock { published in
            defer {
                published = Published(
                    states: states, evaluationSeconds: seconds, lastEvaluation: evaluation.time,
                    isUnanswered: self.evaluation.unknown != nil)
            }
            return published.states
        }
        instruments.evaluated(evaluation, rules: plan.group.rules.count, failures: failures, seconds: seconds)
        return zip(states, before).enumerated().compactMap { index, pair in
            pair.0.lastError == pair.1.lastError
                ? nil : Change(rule: plan.group.rules[index].name, error: pair.0.lastError)
        }
    }

    private func advance(_ evaluation: GroupSchedule.Evaluation, from store: MetricStore) {
        let start = SystemClock.monotonicNanoseconds()
        let failures = self.evaluation.advance(at: evaluation.time, from: store, into: sink)
        advanceSeconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        published.withLock { $0.states = self.evaluation.states }
        instruments.advanced(evaluation, failures: failures, seconds: advanceSeconds)
    }

    /// Marks every series stale and ends the lane. Called on the clock's thread while no evaluation runs.
    func end(at time: Timestamp) {
        // If the markers cannot be stored, the series end after the lookback. No caller can handle the error.
        try? sink.store(evaluation.endings, at: time)
        sink.close()
    }
}

extension RuleUnit.Plan {
    var interval: Milliseconds {
        let interval = group.interval ?? settings.evaluationInterval
        return interval > .zero ? interval : .minutes(1)
    }

    /// Whether alerts advance at scrapes between two evaluations by the clock.
    var advances: Bool {
        guard settings.advancesAtScrapes, group.trigger == nil, settings.server(of: group) == nil else { return false }
        return group.rules.contains { if case .alerting = $0 { true } else { false } }
    }

    /// The units of `group`. In a group that is triggered by the clock, rollback rules with `immediate` form a unit of
    /// their own.
    static func units(of group: RuleGroup, settings: RuleSettings) -> [RuleUnit.Plan] {
        // A server's scrapes are not seen here.
        let isAsked = settings.server(of: group) != nil
        let isImmediate = group.rules.map { rule in
            if isAsked { false } else if case .rollback(let query) = rule { query.definition.immediate } else { false }
        }
        guard group.trigger != .scrape, isImmediate.contains(true) else {
            return [.init(group: group, positions: Array(group.rules.indices), settings: settings, key: group.key)]
        }
        return [false, true].compactMap { immediate in
            let positions = group.rules.indices.filter { isImmediate[$0] == immediate }
            if positions.isEmpty { return nil }
            var part = group
            part.rules = positions.map { group.rules[$0] }
            if immediate { part.trigger = .scrape }
            return .init(
                group: part, positions: positions, settings: settings,
                key: group.key + (immediate ? ";immediate" : ""))
        }
    }
}

/// Writes the samples of one unit into its lane, and passes on alerts and measurements.
///
/// Owned by one thread at a time.
final class LaneSink: RuleSink {
    private let name: String
    private let store: MetricStore
    private let sinks: RuleRunner.Sinks
    private var lane: Lane?
    private var slots: [Labels: RingSlot] = [:]
    /// The series of the last row, in its order. The next row usually has the same.
    private var former: [(labels: Labels, slot: RingSlot)] = []

    init(_ name: String, store: MetricStore, sinks: RuleRunner.Sinks) {
        self.name = name
        self.store = store
        self.sinks = sinks
    }

    func send(_ alerts: [Alert]) { sinks.alerts(alerts) }

    func measured(_ measurement: RollbackMeasurement) { sinks.measurement(measurement) }

    func tripped(_ rule: String) -> [ActiveAlertSnapshot] { sinks.tripped(rule) }

    func store(_ samples: [RuleSample], at time: Timestamp) throws(RuleFailure) {
        if samples.isEmpty { return }
        do throws(StoreError) {
            let lane = try openLane()
            var refusal: StoreError?
            var row = lane.beginAppend(at: time)
            var ended: [Labels] = []
            for (position, sample) in samples.enumerated() {
                do throws(StoreError) {
                    try append(sample, at: position, to: &row, of: lane)
                    if sample.histogram == nil, sample.value.isStaleMarker { ended.append(sample.labels) }
                } catch {
                    // A series over the limit must not prevent the others from being stored.
                    refusal = error
                }
            }
            try row.commit()
            if !ended.isEmpty { former = [] }
            for labels in ended { slots.removeValue(forKey: labels).map(lane.retire) }
            if let refusal { throw refusal }
        } catch {
            throw RuleFailure(error.description)
        }
    }

    private func append(
        _ sample: RuleSample, at position: Int, to row: inout Appender, of lane: Lane
    ) throws(StoreError) {
        let slot = try slot(of: sample.labels, at: position, in: lane)
        if let histogram = sample.histogram {
            row.append(slot, histogram: histogram)
        } else {
            row.append(slot, sample.value)
        }
    }

    private func slot(of labels: Labels, at position: Int, in lane: Lane) throws(StoreError) -> RingSlot {
        if position < former.count, former[position].labels == labels { return former[position].slot }
        let slot: RingSlot
        if let known = slots[labels] {
            slot = known
        } else {
            slot = try lane.slot(for: labels)
            slots[labels] = slot
        }
        if position < former.count {
            former[position] = (labels, slot)
        } else if position == former.count {
            former.append((labels, slot))
        }
        return slot
    }

    private func openLane() throws(StoreError) -> Lane {
        if let lane { return lane }
        let opened = try store.openLane("rules/\(name)")
        lane = opened
        return opened
    }

    func close() {
        lane?.close()
        lane = nil
        slots = [:]
        former = []
    }
}

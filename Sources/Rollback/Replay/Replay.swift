public import MetricModel
public import RuleModel

/// Tells what rollback rules would have done, from the measurements of a ``RuleReplay``. A value; the machines are
/// those of the live service.
///
/// What the past cannot tell is assumed: rules begin without a streak, and every service has a candidate that takes
/// traffic, except one that this replay has rolled back less than a cooldown ago.
public struct Replay: Equatable, Sendable {
    /// A trip with what would have come of it.
    public struct Decision: Equatable, Sendable {
        /// What would have been done.
        public enum Outcome: Equatable, Sendable {
            /// These services go back, in this order.
            case rollBack([String])
            /// The rule only watches; enforced, it would have meant these services.
            case shadow([String])
            /// All services it means went back before; the cooldown is extended, no traffic moves.
            case coolingDown(since: Timestamp)
            /// The measurement names no service of the plan; promotion stops and people are told.
            case noService
        }

        /// The trip, with rule, element, values and condition.
        public var trip: Trip
        /// The plan that is acted on.
        public var plan: String
        /// What would have been done.
        public var outcome: Outcome
        /// Until when nothing would have been promoted; `nil` where the trip does not act.
        public var cooldownUntil: Timestamp?
        /// When the element was healthy again; `nil` if not within the replayed time.
        public var clearedAt: Timestamp?
    }

    /// What a rule saw, for those who wonder why it did not trip.
    public struct Tally: Equatable, Sendable {
        /// Evaluations.
        public var measurements = 0
        /// Evaluations that yielded nothing.
        public var empty = 0
        /// Evaluations that failed.
        public var failed = 0
        /// Violations until the trip.
        public var violations = 0
        /// Why the last one that failed did.
        public var failure: String?
    }

    private struct Entry: Equatable {
        var trip: Trip
        var plan: String
        var clearedAt: Timestamp?
    }

    private let plans: [String: RolloutPlan]
    private var rules: [String: RollbackRule] = [:]
    private var trips: [Entry] = []
    /// What each rule saw, by `file;group;name`.
    public private(set) var tallies: [String: Tally] = [:]

    /// A replay that has measured nothing yet.
    public init(plans: [RolloutPlan]) {
        self.plans = Dictionary(plans.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Takes a measurement. Those of one rule must come in order.
    public mutating func measured(_ measurement: RollbackMeasurement) {
        var tally = tallies[measurement.rule] ?? Tally()
        tally.measurements += 1
        if let failure = measurement.failure {
            tally.failed += 1
            tally.failure = failure
        } else if measurement.elements.allSatisfy(\.value.isNaN) {
            tally.empty += 1
        }
        for action in rules[measurement.rule, default: RollbackRule(measurement.definition)].measured(measurement) {
            switch action {
            case .violated: tally.violations += 1
            case .tripped(let trip): trips.append(Entry(trip: trip, plan: measurement.definition.action.plan))
            case .cleared(let labels, let at):
                let last = trips.lastIndex { $0.trip.rule == measurement.rule && $0.trip.labels == labels }
                if let last { trips[last].clearedAt = at }
            case .missing, .frozen, .returned, .overflowed: break
            }
        }
        tallies[measurement.rule] = tally
    }

    /// Every trip in the order of time, with what would have come of it.
    public var decisions: [Decision] {
        var cooldowns: [String: Timestamp] = [:]
        var back: [String: [String: Timestamp]] = [:]
        let ordered = trips.enumerated().sorted {
            ($0.element.trip.time, $0.offset) < ($1.element.trip.time, $1.offset)
        }
        return ordered.map { _, entry in
            let (trip, plan) = (entry.trip, entry.plan)
            var decision = Decision(trip: trip, plan: plan, outcome: .noService, clearedAt: entry.clearedAt)
            let targets = plans[plan]?.targets(of: trip)
            guard trip.mode == .enforce else {
                decision.outcome = .shadow(targets ?? [])
                return decision
            }
            // What the cooldown has let pass may have been promoted again.
            if let end = cooldowns[plan], trip.time >= end { back[plan] = nil }
            let end = trip.time + trip.cooldown
            cooldowns[plan] = max(cooldowns[plan] ?? end, end)
            decision.cooldownUntil = cooldowns[plan]
            guard let targets else { return decision }
            let affected = targets.filter { back[plan]?[$0] == nil }
            for service in affected { back[plan, default: [:]][service] = trip.time }
            let since = targets.compactMap { back[plan]?[$0] }.max() ?? trip.time
            decision.outcome = affected.isEmpty ? .coolingDown(since: since) : .rollBack(affected)
            return decision
        }
    }
}

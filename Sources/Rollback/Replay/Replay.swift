public import MetricModel
public import RuleModel

/// Determines what rollback rules would have done, from the measurements of a ``RuleReplay``. A value; the machines are
/// those of the live service.
///
/// Assumptions: rules begin without a streak, and every service has a candidate with traffic, except one that this
/// replay has rolled back less than a cooldown ago.
public struct Replay: Equatable, Sendable {
    /// A trip with its consequence.
    public struct Decision: Equatable, Sendable {
        /// The consequence of a trip.
        public enum Outcome: Equatable, Sendable {
            /// These services are rolled back, in this order.
            case rollBack([String])
            /// The candidates of these services are lowered to a share in percent.
            case reduce([String], to: Int)
            /// The rule is in shadow mode; in enforce mode it would have affected these services.
            case shadow([String])
            /// All affected services were rolled back before; the cooldown is extended, no traffic moves.
            case coolingDown(since: Timestamp)
            /// The verdict would have become `violated`.
            case verdict
            /// The measurement names no service of the plan; promotion stops with a notification.
            case noService
        }

        /// The trip, with rule, element, values and condition.
        public var trip: Trip
        /// The affected plan; empty for a verdict.
        public var plan: String
        /// The affected verdict; `nil` for a plan.
        public var verdict: String?
        /// The consequence.
        public var outcome: Outcome
        /// The end of the cooldown; `nil` if the trip does not act.
        public var cooldownUntil: Timestamp?
        /// When the element was healthy again; `nil` if not within the replayed time.
        public var clearedAt: Timestamp?
    }

    /// Statistics of a rule, which explain why it did not trip.
    public struct Tally: Equatable, Sendable {
        /// Evaluations.
        public var measurements = 0
        /// Evaluations without a result.
        public var empty = 0
        /// Evaluations that failed.
        public var failed = 0
        /// Violations until the trip.
        public var violations = 0
        /// The last error.
        public var failure: String?
    }

    private struct Entry: Equatable {
        var trip: Trip
        var plan: String
        var verdict: String?
        var clearedAt: Timestamp?
    }

    private let plans: [String: RolloutPlan]
    private var rules: [String: RollbackRule] = [:]
    private var trips: [Entry] = []
    /// The statistics of each rule, by `file;group;name`.
    public private(set) var tallies: [String: Tally] = [:]

    /// A replay without measurements.
    public init(plans: [RolloutPlan]) {
        self.plans = Dictionary(plans.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Adds a measurement. Those of one rule must be in order.
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
            case .tripped(let trip):
                let action = measurement.definition.action
                trips.append(Entry(trip: trip, plan: action.plan, verdict: action.verdict))
            case .cleared(let labels, let at):
                let last = trips.lastIndex { $0.trip.rule == measurement.rule && $0.trip.labels == labels }
                if let last { trips[last].clearedAt = at }
            case .missing, .frozen, .returned, .overflowed: break
            }
        }
        tallies[measurement.rule] = tally
    }

    /// Every trip in the order of time, with its consequence.
    public var decisions: [Decision] {
        var cooldowns: [String: Timestamp] = [:]
        var back: [String: [String: Timestamp]] = [:]
        let ordered = trips.enumerated().sorted {
            ($0.element.trip.time, $0.offset) < ($1.element.trip.time, $1.offset)
        }
        return ordered.map { _, entry in
            let (trip, plan) = (entry.trip, entry.plan)
            var decision = Decision(trip: trip, plan: plan, outcome: .noService, clearedAt: entry.clearedAt)
            if let verdict = entry.verdict {
                decision.verdict = verdict
                decision.outcome = trip.mode == .enforce ? .verdict : .shadow([])
                return decision
            }
            let targets = plans[plan]?.targets(of: trip)
            guard trip.mode == .enforce else {
                decision.outcome = .shadow(targets ?? [])
                return decision
            }
            // After the cooldown it may have been promoted again.
            if let end = cooldowns[plan], trip.time >= end { back[plan] = nil }
            let end = trip.time + trip.cooldown
            cooldowns[plan] = max(cooldowns[plan] ?? end, end)
            decision.cooldownUntil = cooldowns[plan]
            guard let targets else { return decision }
            let affected = targets.filter { back[plan]?[$0] == nil }
            if let share = trip.reduceTo, !affected.isEmpty {
                decision.outcome = .reduce(affected, to: share)
                return decision
            }
            for service in affected { back[plan, default: [:]][service] = trip.time }
            let since = targets.compactMap { back[plan]?[$0] }.max() ?? trip.time
            decision.outcome = affected.isEmpty ? .coolingDown(since: since) : .rollBack(affected)
            return decision
        }
    }
}

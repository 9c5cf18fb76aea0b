public import MetricModel
public import RuleModel

/// How a set of services moves from a stable to a candidate version, and back. Read from a file; a value.
public struct RolloutPlan: Equatable, Sendable {
    /// One service with its place in the rollout.
    public struct Service: Equatable, Sendable {
        /// The name rules and other services call it by.
        public var name: String
        /// Services that must have been promoted before.
        public var depends: [String]
        /// Where nothing else decides, the higher goes first.
        public var priority: Int
        /// What the candidate gets, stage by stage, in percent; rises and ends with 100.
        public var stages: [TrafficSplit]
        /// How long each stage is watched.
        public var bake: Milliseconds
        /// What must hold at the end of each stage.
        public var gates: [Gate]
        /// Where the stable version tells that it is healthy (any 2xx); `nil` where the router's own checks decide.
        public var stableHealth: String?
        /// What people check before they start.
        public var preflight: [String]
        /// Where its traffic is divided; all of them are shifted together.
        public var routes: [TrafficRoute]
    }

    /// A condition for the next stage.
    public struct Gate: Equatable, Sendable {
        /// What is asked.
        public enum Kind: Equatable, Sendable {
            /// PromQL whose every element must meet `healthy`. An empty result does not pass.
            case expression(String, healthy: RollbackDefinition.Condition)
            /// The URL must answer 2xx.
            case http(String)
            /// The rollback rule of this name must have been measured, and not be violated.
            case rule(String)
            /// A person must say `promote`.
            case approval
        }

        /// Its name in reports.
        public var name: String
        /// What is asked.
        public var kind: Kind
    }

    /// How a finished shift is judged.
    public struct Validation: Equatable, Sendable {
        /// Good rounds in a row that make a rollback valid.
        public var rounds: Int
        /// Time between rounds.
        public var interval: Milliseconds
        /// After how long without enough good rounds it has failed.
        public var timeout: Milliseconds
        /// Rollback rules that must be measured healthy as often.
        public var rules: [String]
    }

    /// The plan's name.
    public var name: String
    /// In the order of promotion.
    public var services: [Service]
    /// Services of equal standing, in the order of promotion: no service depends on one of its own level.
    public var levels: [[String]]
    /// How rollouts begin by themselves; `nil` where they begin by command alone.
    public var start: RolloutStart?
    /// How long a level is watched before the next begins.
    public var settle: Milliseconds
    /// Share of a level's services that must have been promoted for the next to begin.
    public var successRatio: Double
    /// Services that move at the same time.
    public var maximumConcurrent: Int
    /// How long after promotion the stable version is kept, so that a rollback is possible.
    public var retainStable: Milliseconds
    /// After how long a closed gate fails the service.
    public var gateTimeout: Milliseconds
    /// Time between two readings of the live weights.
    public var reconcile: Milliseconds
    /// How a finished shift is judged.
    public var validation: Validation
    /// Names of receivers that hear of every rollback.
    public var notify: [String]
    /// Rollback rules that stop promotion while they are violated or without data.
    public var freezeIf: [String]

    /// The service called `name`.
    public func service(_ name: String) -> Service? {
        services.first { $0.name == name }
    }

    /// The order of rollback: dependents before what they depend on.
    public var rollbackOrder: [String] { services.reversed().map(\.name) }

    /// `name` and everything that depends on it, directly or not, in the order of rollback.
    public func dependents(including name: String) -> [String] {
        var found: Set = [name]
        for service in services where service.depends.contains(where: { found.contains($0) }) {
            found.insert(service.name)
        }
        return rollbackOrder.filter { found.contains($0) }
    }

    /// The services that `trip` means, dependents first; `nil` where it names none of the plan. A trip that names no
    /// service means the only one.
    func targets(of trip: Trip) -> [String]? {
        switch trip.scope {
        case .all: return rollbackOrder
        case .service, .serviceAndDependents:
            let only = services.count == 1 ? services.first?.name : nil
            guard let name = trip.service ?? only, service(name) != nil else { return nil }
            return trip.scope == .service ? [name] : dependents(including: name)
        }
    }
}

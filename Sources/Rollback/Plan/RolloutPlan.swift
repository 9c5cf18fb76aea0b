public import MetricModel
public import RuleModel

/// A plan: how services move from a stable to a candidate version and back. Read from a file; a value.
public struct RolloutPlan: Hashable, Sendable {
    /// One service of the plan.
    public struct Service: Hashable, Sendable {
        /// The name used by rules and other services.
        public var name: String
        /// Services that must be promoted before.
        public var depends: [String]
        /// Among services that are otherwise equal, the highest is promoted first.
        public var priority: Int
        /// The candidate's percentage in each stage; ascending, the last one 100.
        public var stages: [TrafficSplit]
        /// The greatest percentage from which its candidate may go back; `nil` for any.
        public var reversibleUntil: Int?
        /// How long each stage is observed.
        public var bake: Milliseconds
        /// The gates at the end of each stage.
        public var gates: [Gate]
        /// A URL that returns 2xx while the stable version is healthy; `nil` if only the router's checks are used.
        public var stableHealth: String?
        /// Manual checks before the rollout.
        public var preflight: [String]
        /// Its routes, which are shifted together.
        public var routes: [TrafficRoute]
    }

    /// A condition for the next stage.
    public struct Gate: Hashable, Sendable {
        /// The kind of a gate.
        public enum Kind: Hashable, Sendable {
            /// PromQL whose every element must meet `healthy`. An empty result does not pass.
            case expression(String, healthy: RollbackDefinition.Condition)
            /// The URL must return 2xx.
            case http(String)
            /// The rollback rule with this name must have a measurement and must not be violated.
            case rule(String)
            /// Opens with the command `promote`, given by as many different identities as it demands.
            case approval(Approval = Approval())
        }

        /// Who has to approve a stage.
        public struct Approval: Hashable, Sendable {
            /// The number of different identities.
            public var count = 1
            /// The identities that may; empty for all that may give orders to the plan.
            public var from: [String] = []

            /// One approval of anybody.
            public init() {}

            /// Whether it matters who approves: then an order counts only with a proved identity.
            var isPersonal: Bool { count > 1 || !from.isEmpty }

            /// Those of `names` that count.
            func counted(_ names: Set<String>) -> [String] {
                names.filter { from.isEmpty || from.contains($0) }.sorted()
            }
        }

        /// Its name in reports.
        public var name: String
        /// The kind of the gate.
        public var kind: Kind
        /// The query server that evaluates an expression, or `own` for the own store; `nil` for the server of rules.
        public var query: String?
    }

    /// The validation of a rollback.
    public struct Validation: Hashable, Sendable {
        /// Successful rounds in a row that validate a rollback.
        public var rounds: Int
        /// Time between rounds.
        public var interval: Milliseconds
        /// The time after which validation fails without enough successful rounds.
        public var timeout: Milliseconds
        /// Rollback rules that must be measured healthy as many times.
        public var rules: [String]
    }

    /// The effect of a trip of a candidate that has traffic which no rollout gave it.
    public enum Unmanaged: String, Sendable, CaseIterable {
        /// It is rolled back while the stable version is healthy and has traffic; otherwise people are paged.
        case rollback
        /// People are paged.
        case page
    }

    /// The plan's name.
    public var name: String
    /// In the order of promotion.
    public var services: [Service]
    /// Services of one level, in the order of promotion: none depends on another one of its level.
    public var levels: [[String]]
    /// When rollouts begin automatically; `nil` for by command only.
    public var start: RolloutStart?
    /// How long a level is observed before the next one begins.
    public var settle: Milliseconds
    /// Ratio of a level's services that must be promoted before the next level begins.
    public var successRatio: Double
    /// Maximum of services that are promoted at the same time.
    public var maximumConcurrent: Int
    /// How long after promotion the stable version is kept for a rollback.
    public var retainStable: Milliseconds
    /// The time after which a closed gate fails the service.
    public var gateTimeout: Milliseconds
    /// The interval at which live weights are read.
    public var reconcile: Milliseconds
    /// How long a route may be unreadable before people are paged.
    public var pageUnreadAfter: Milliseconds
    /// The effect of a trip of a candidate that has traffic which no rollout gave it.
    public var unmanaged = Unmanaged.rollback
    /// Checks outside of Tribune.
    public var hooks: [RolloutHook] = []
    /// The validation of a rollback.
    public var validation: Validation
    /// Receivers that are notified of every rollback.
    public var notify: [String]
    /// Rollback rules that stop promotion while they are violated or without data.
    public var freezeIf: [String]

    /// The service named `name`.
    public func service(_ name: String) -> Service? {
        services.first { $0.name == name }
    }

    /// The order of rollback: dependents before their dependencies.
    public var rollbackOrder: [String] { services.reversed().map(\.name) }

    /// `name` and its direct and indirect dependents, in the order of rollback.
    public func dependents(including name: String) -> [String] {
        var found: Set = [name]
        for service in services where service.depends.contains(where: { found.contains($0) }) {
            found.insert(service.name)
        }
        return rollbackOrder.filter { found.contains($0) }
    }

    /// The services affected by `trip`, dependents first; `nil` if it names none of the plan. A trip without a service
    /// affects the only one.
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

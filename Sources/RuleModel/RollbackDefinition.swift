public import MetricModel

/// A rollback rule as it stands in a rule file. The machine that runs it lives in `Rollback`.
public struct RollbackDefinition: Equatable, Sendable {
    /// A comparison that makes a measurement a violation (or a recovery), such as `< 0.95`.
    public struct Condition: Equatable, Sendable, CustomStringConvertible {
        /// The comparison.
        public enum Comparison: String, Sendable, CaseIterable {
            case less = "<"
            case lessOrEqual = "<="
            case greater = ">"
            case greaterOrEqual = ">="
            case equal = "=="
            case notEqual = "!="
        }

        /// The comparison.
        public var comparison: Comparison
        /// What a measurement is compared with.
        public var threshold: Double

        /// A comparison with `threshold`.
        public init(_ comparison: Comparison, _ threshold: Double) {
            self.comparison = comparison
            self.threshold = threshold
        }

        /// Whether `value` meets the condition. NaN meets none, not even `!=`.
        public func holds(for value: Double) -> Bool {
            if value.isNaN { return false }
            return switch comparison {
            case .less: value < threshold
            case .lessOrEqual: value <= threshold
            case .greater: value > threshold
            case .greaterOrEqual: value >= threshold
            case .equal: value == threshold
            case .notEqual: value != threshold
            }
        }

        /// `< 0.95`.
        public var description: String { "\(comparison.rawValue) \(FloatText.general(threshold))" }
    }

    /// What happens when the expression yields nothing.
    public struct MissingPolicy: Equatable, Sendable {
        /// What absence counts as.
        public enum Policy: String, Sendable, CaseIterable {
            /// Neither counts nor resets.
            case hold
            /// Counts as healthy.
            case pass
            /// Counts as a violation.
            case trip
            /// Stops promotion until data returns.
            case freeze
            /// Tells people, and holds.
            case alert
        }

        /// What absence counts as at once.
        public var policy: Policy
        /// After how long absence counts as `then`; `nil` for never.
        public var after: Milliseconds?
        /// What long absence counts as.
        public var then: Policy

        /// A policy.
        public init(policy: Policy = .hold, after: Milliseconds? = nil, then: Policy = .alert) {
            self.policy = policy
            self.after = after
            self.then = then
        }
    }

    /// When a tripped rule counts as healthy again.
    public struct Clearance: Equatable, Sendable {
        /// The condition of health.
        public var condition: Condition
        /// How long it must hold.
        public var hold: Milliseconds

        /// A clearance.
        public init(condition: Condition, hold: Milliseconds) {
            self.condition = condition
            self.hold = hold
        }
    }

    /// A quantity that must be reached before a measurement counts, such as the number of requests.
    public struct MinimumSamples: Equatable, Sendable {
        /// PromQL that yields the quantity.
        public var expression: String
        /// The least quantity.
        public var value: Double

        /// A minimum.
        public init(expression: String, value: Double) {
            self.expression = expression
            self.value = value
        }
    }

    /// What a trip does.
    public struct Action: Equatable, Sendable {
        /// Which services roll back.
        public enum Scope: String, Sendable, CaseIterable {
            case service
            case serviceAndDependents = "service+dependents"
            case all
        }

        /// What happens when the stable version is not healthy.
        public enum UnhealthyTarget: String, Sendable, CaseIterable {
            /// Leave traffic where it is and page.
            case freeze
        }

        /// The rollout plan that is acted on.
        public var plan: String
        /// The service; `nil` takes it from the label `service` of the measurement.
        public var service: String?
        /// Which services roll back.
        public var scope: Scope
        /// What happens when the stable version is not healthy.
        public var onTargetUnhealthy: UnhealthyTarget

        /// An action.
        public init(
            plan: String, service: String? = nil, scope: Scope = .service, onTargetUnhealthy: UnhealthyTarget = .freeze
        ) {
            self.plan = plan
            self.service = service
            self.scope = scope
            self.onTargetUnhealthy = onTargetUnhealthy
        }
    }

    /// Whether a trip acts.
    public enum Mode: String, Sendable, CaseIterable {
        case enforce
        /// Decide and record, do not act.
        case shadow
    }

    /// The rule's name.
    public var name: String
    /// PromQL of the measured value.
    public var expression: String
    /// What makes a measurement a violation.
    public var trip: Condition
    /// Violations in a row that trip; 1 for the first.
    public var consecutive: Int
    /// Whether the rule is evaluated at each scrape that it reads from, not at the group's interval.
    public var immediate: Bool
    /// `critical`, `high`, `warning` …
    public var severity: String
    /// What absence means.
    public var missing: MissingPolicy
    /// Traffic below which measurements do not count.
    public var minimumSamples: MinimumSamples?
    /// PromQL that must yield something non-zero for measurements to count.
    public var guardExpression: String?
    /// How long after a trip nothing is promoted again.
    public var cooldown: Milliseconds
    /// When a tripped rule is healthy again; `nil`: as soon as the trip condition does not hold.
    public var clear: Clearance?
    /// Whether a trip acts.
    public var mode: Mode
    /// What a trip does.
    public var action: Action
    /// Labels added to alerts and history.
    public var labels: Labels
    /// Text for people, as templates.
    public var annotations: Labels

    /// A rule with the defaults of the file format.
    public init(
        name: String, expression: String, trip: Condition, consecutive: Int = 1, immediate: Bool = false,
        severity: String = "critical", missing: MissingPolicy = MissingPolicy(), minimumSamples: MinimumSamples? = nil,
        guardExpression: String? = nil, cooldown: Milliseconds = .minutes(15), clear: Clearance? = nil,
        mode: Mode = .enforce, action: Action, labels: Labels = .empty, annotations: Labels = .empty
    ) {
        self.name = name
        self.expression = expression
        self.trip = trip
        self.consecutive = consecutive
        self.immediate = immediate
        self.severity = severity
        self.missing = missing
        self.minimumSamples = minimumSamples
        self.guardExpression = guardExpression
        self.cooldown = cooldown
        self.clear = clear
        self.mode = mode
        self.action = action
        self.labels = labels
        self.annotations = annotations
    }
}

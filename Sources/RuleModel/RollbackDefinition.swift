public import MetricModel

/// A rollback rule as written in a rule file. The machine that runs it is in `Rollback`.
public struct RollbackDefinition: Hashable, Sendable {
    /// A comparison that makes a measurement a violation (or a recovery), such as `< 0.95`.
    public struct Condition: Hashable, Sendable, CustomStringConvertible {
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
        /// The value to compare with.
        public var threshold: Double

        /// A comparison with `threshold`.
        public init(_ comparison: Comparison, _ threshold: Double) {
            self.comparison = comparison
            self.threshold = threshold
        }

        /// Whether `value` satisfies the condition. NaN satisfies none, not even `!=`.
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

    /// The policy for an expression without data.
    public struct MissingPolicy: Hashable, Sendable {
        /// How missing data is treated.
        public enum Policy: String, Sendable, CaseIterable {
            /// Neither counts nor resets the streak.
            case hold
            /// Counts as healthy.
            case pass
            /// Counts as a violation.
            case trip
            /// Stops promotion until data returns.
            case freeze
            /// Notifies, and otherwise acts like `hold`.
            case alert
        }

        /// How missing data is treated at first.
        public var policy: Policy
        /// The time after which `then` applies; `nil` for never.
        public var after: Milliseconds?
        /// How missing data is treated after that time.
        public var then: Policy

        /// A policy.
        public init(policy: Policy = .hold, after: Milliseconds? = nil, then: Policy = .alert) {
            self.policy = policy
            self.after = after
            self.then = then
        }
    }

    /// When a tripped rule becomes healthy again.
    public struct Clearance: Hashable, Sendable {
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

    /// A quantity that a measurement needs in order to count, such as the number of requests.
    public struct MinimumSamples: Hashable, Sendable {
        /// A PromQL expression for the quantity.
        public var expression: String
        /// The minimum.
        public var value: Double

        /// A minimum.
        public init(expression: String, value: Double) {
            self.expression = expression
            self.value = value
        }
    }

    /// The action of a trip.
    public struct Action: Hashable, Sendable {
        /// The services that roll back.
        public enum Scope: String, Sendable, CaseIterable {
            case service
            case serviceAndDependents = "service+dependents"
            case all
        }

        /// The policy for an unhealthy stable version.
        public enum UnhealthyTarget: String, Sendable, CaseIterable {
            /// Leave traffic unchanged and page.
            case freeze
        }

        /// The rollout plan to act on; empty where a verdict is named.
        public var plan: String
        /// The verdict that a trip makes `violated`, for a release that another controller moves; `nil` for a plan.
        public var verdict: String?
        /// The service; `nil` to use the label `service` of the measurement.
        public var service: String?
        /// The services that roll back.
        public var scope: Scope
        /// The policy for an unhealthy stable version.
        public var onTargetUnhealthy: UnhealthyTarget
        /// The share of the candidate in percent, from 1 to 99, to which a trip lowers it instead of rolling back;
        /// `nil` to roll back.
        public var reduceTo: Int?

        /// An action.
        public init(
            plan: String, service: String? = nil, scope: Scope = .service, onTargetUnhealthy: UnhealthyTarget = .freeze,
            reduceTo: Int? = nil
        ) {
            self.plan = plan
            self.service = service
            self.scope = scope
            self.onTargetUnhealthy = onTargetUnhealthy
            self.reduceTo = reduceTo
        }

        /// The action of a rule that judges for another controller.
        public init(verdict: String) {
            self.init(plan: "")
            self.verdict = verdict
        }
    }

    /// Whether a trip acts.
    public enum Mode: String, Sendable, CaseIterable {
        case enforce
        /// Decide and record, but do not act.
        case shadow
    }

    /// The rule's name.
    public var name: String
    /// The PromQL expression of the measured value.
    public var expression: String
    /// The condition for a violation.
    public var trip: Condition
    /// The number of consecutive violations that trip the rule.
    public var consecutive: Int
    /// Whether the rule is evaluated at each scrape that it reads, instead of at the group's interval.
    public var immediate: Bool
    /// `critical`, `high`, `warning` …
    public var severity: String
    /// The policy for missing data.
    public var missing: MissingPolicy
    /// The traffic that a measurement needs in order to count.
    public var minimumSamples: MinimumSamples?
    /// A PromQL expression that must not be zero for measurements to count.
    public var guardExpression: String?
    /// How long after a trip nothing is promoted.
    public var cooldown: Milliseconds
    /// When a tripped rule is healthy again; `nil` as soon as the trip condition does not hold.
    public var clear: Clearance?
    /// Whether a trip acts.
    public var mode: Mode
    /// The action of a trip.
    public var action: Action
    /// Labels added to alerts and history.
    public var labels: Labels
    /// Texts that describe the rule, as templates.
    public var annotations: Labels
    /// How far back a measurement looks, as its expressions say: the longest range of `expr` and `min_samples`.
    public var longestRange = Milliseconds.zero

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

internal import Instrumentation
internal import MetricModel
internal import Runtime

/// Metrics about rule evaluations. May be used from any thread.
final class RuleMetrics: Sendable {
    /// The metrics of one unit.
    struct Unit: Sendable {
        let evaluations: Counter
        let failures: Counter
        let iterations: Counter
        let missed: Counter
        let lastDuration: Gauge
        let lastEvaluation: Gauge
        /// Over all units.
        let reaction: Histogram
        let duration: Histogram
        let advances: Counter
        let advanceFailures: Counter
        let advanceSeconds: Counter

        /// Counts one evaluation in which alerts advanced.
        func advanced(_ evaluation: GroupSchedule.Evaluation, failures: Int, seconds: Double) {
            advances.add()
            advanceFailures.add(Double(failures))
            advanceSeconds.add(seconds)
            reaction.observe(Double(SystemClock.monotonicNanoseconds() - evaluation.causeNanoseconds) / 1e9)
        }

        /// Counts one evaluation of the unit's rules.
        func evaluated(_ evaluation: GroupSchedule.Evaluation, rules: Int, failures: Int, seconds: Double) {
            iterations.add()
            evaluations.add(Double(rules))
            self.failures.add(Double(failures))
            missed.add(Double(evaluation.missed))
            lastDuration.set(seconds)
            lastEvaluation.set(evaluation.time.seconds)
            duration.observe(seconds)
            guard evaluation.causeNanoseconds > 0 else { return }
            reaction.observe(Double(SystemClock.monotonicNanoseconds() - evaluation.causeNanoseconds) / 1e9)
        }
    }

    private let reaction: Histogram
    private let duration: Histogram
    private let advances: Counter
    private let advanceFailures: Counter
    private let advanceSeconds: Counter
    private let registry: Registry

    init(_ registry: Registry) {
        self.registry = registry
        reaction = registry.histogram(
            "tribune_rule_scrape_reaction_seconds",
            "Time from the commit of a scrape to the end of the rule evaluation that it caused.")
        duration = registry.histogram(
            "tribune_rule_group_duration_seconds", "Time that evaluations of rule groups took.")
        advances = registry.counter(
            "tribune_rule_advances_total", "Evaluations of groups at scrapes, in which alerts only advance.")
        advanceFailures = registry.counter(
            "tribune_rule_advance_failures_total", "Rules that could not be evaluated at a scrape.")
        advanceSeconds = registry.counter(
            "tribune_rule_advance_seconds_total", "Time that evaluations at scrapes took.")
    }

    private static let evaluations = "tribune_rule_evaluations_total"
    private static let failures = "tribune_rule_evaluation_failures_total"
    private static let iterations = "tribune_rule_group_iterations_total"
    private static let missed = "tribune_rule_group_iterations_missed_total"
    private static let lastDuration = "tribune_rule_group_last_duration_seconds"
    private static let lastEvaluation = "tribune_rule_group_last_evaluation_timestamp_seconds"

    func unit(_ key: String) -> Unit {
        Unit(
            evaluations: registry.counter(
                Self.evaluations, "Rules evaluated.", labels: ["rule_group": key]),
            failures: registry.counter(
                Self.failures, "Rule evaluations that failed.", labels: ["rule_group": key]),
            iterations: registry.counter(
                Self.iterations, "Evaluations of the group.", labels: ["rule_group": key]),
            missed: registry.counter(
                Self.missed, "Evaluations left out because an earlier one took too long.",
                labels: ["rule_group": key]),
            lastDuration: registry.gauge(
                Self.lastDuration, "Time that the last evaluation took.", labels: ["rule_group": key]),
            lastEvaluation: registry.gauge(
                Self.lastEvaluation, "Time of the last evaluation, since the epoch.", labels: ["rule_group": key]),
            reaction: reaction, duration: duration, advances: advances, advanceFailures: advanceFailures,
            advanceSeconds: advanceSeconds)
    }

    func forget(_ key: String) {
        for name in [
            Self.evaluations, Self.failures, Self.iterations, Self.missed, Self.lastDuration, Self.lastEvaluation,
        ] {
            registry.remove(name, labels: ["rule_group": key])
        }
    }
}

internal import JSON
internal import MetricModel
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Runtime

/// The result of a replay, as text and as JSON.
struct ReplayReport {
    private let decisions: [Replay.Decision]
    private let tallies: [(rule: String, tally: Replay.Tally)]
    private let range: ClosedRange<Timestamp>

    /// The report on `replay`, which processed the measurements of `range`.
    init(_ replay: Replay, range: ClosedRange<Timestamp>) {
        decisions = replay.decisions
        tallies = replay.tallies.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        self.range = range
    }

    /// A line for each trip, and a summary line for each rule.
    var lines: [String] {
        let time = "\(text(range.lowerBound)) to \(text(range.upperBound))"
        let trips = decisions.isEmpty ? ["no rule would have tripped"] : decisions.map(line)
        return ["replayed \(time)"] + trips + tallies.map(line)
    }

    private func line(of decision: Replay.Decision) -> String {
        let trip = decision.trip
        let values = trip.samples.map { FloatText.general($0.value) }.joined(separator: ", ")
        var line =
            "\(text(trip.time)) \(trip.name)\(trip.labels) [\(values)] \(trip.condition): "
        line += decision.verdict.map { "verdict \($0): " } ?? "plan \(decision.plan): "
        switch decision.outcome {
        case .rollBack(let services): line += "would have rolled back \(services.joined(separator: ", "))"
        case .reduce(let services, let share):
            line += "would have reduced \(services.joined(separator: ", ")) to \(share) %"
        case .shadow(let services):
            line +=
                "shadow: would not have acted; affects \(services.isEmpty ? "no service" : services.joined(separator: ", "))"
        case .coolingDown(let since):
            line += "nothing to roll back since \(text(since)), the cooldown would have been extended"
        case .verdict: line += "would have answered \"violated\""
        case .noService: line += "no service of the plan; would have stopped promotion"
        }
        if let end = decision.cooldownUntil { line += "; cooldown until \(text(end))" }
        return line + "; " + (decision.clearedAt.map { "healthy again \(text($0))" } ?? "not healthy again")
    }

    private func line(of rule: String, _ tally: Replay.Tally) -> String {
        var line =
            "\(rule): \(tally.measurements) evaluations, \(tally.empty) without data, \(tally.violations) violations"
        if let failure = tally.failure { line += ", \(tally.failed) failed: \(failure)" }
        return line
    }

    /// The report as JSON.
    var json: JSON {
        .object([
            .init("from", .string(text(range.lowerBound))), .init("to", .string(text(range.upperBound))),
            .init("trips", .array(decisions.map(json))), .init("rules", .array(tallies.map(json))),
        ])
    }

    private func json(of decision: Replay.Decision) -> JSON {
        let trip = decision.trip
        let outcome: (name: String, services: [String])
        switch decision.outcome {
        case .rollBack(let services): outcome = ("roll_back", services)
        case .reduce(let services, _): outcome = ("reduce", services)
        case .shadow(let services): outcome = ("shadow", services)
        case .coolingDown: outcome = ("cooling_down", [])
        case .verdict: outcome = ("verdict", [])
        case .noService: outcome = ("no_service", [])
        }
        let samples = trip.samples.map { sample in
            JSON.object([
                .init("time", .string(text(sample.time))), .init("value", .string(FloatText.general(sample.value))),
            ])
        }
        return .object([
            .init("time", .string(text(trip.time))), .init("rule", .string(trip.rule)),
            .init("rule_hash", .string(trip.ruleHash)),
            .init("labels", .object(trip.labels.pairs.map { .init($0.name, .string($0.value)) })),
            .init("samples", .array(samples)), .init("condition", .string(trip.condition.description)),
            .init("expression", .string(trip.expression)), .init("plan", .string(decision.plan)),
            .init("verdict", decision.verdict.map { .string($0) } ?? .null),
            .init("outcome", .string(outcome.name)),
            .init("services", .array(outcome.services.map { .string($0) })),
            .init("cooldown_until", decision.cooldownUntil.map { .string(text($0)) } ?? .null),
            .init("cleared_at", decision.clearedAt.map { .string(text($0)) } ?? .null),
        ])
    }

    private func json(of rule: String, _ tally: Replay.Tally) -> JSON {
        .object([
            .init("rule", .string(rule)), .init("evaluations", .integer(Int64(tally.measurements))),
            .init("without_data", .integer(Int64(tally.empty))), .init("failed", .integer(Int64(tally.failed))),
            .init("violations", .integer(Int64(tally.violations))),
            .init("failure", tally.failure.map { .string($0) } ?? .null),
        ])
    }

    private func text(_ time: Timestamp) -> String { RFC3339.text(milliseconds: time.milliseconds) }
}

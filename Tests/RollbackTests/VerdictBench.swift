import JSON
import MetricModel
import RuleModel

@testable import Rollback

/// One verdict in virtual time. Values are rates of errors: 0 is healthy, 1 violates.
struct VerdictBench {
    var machine: VerdictMachine
    /// Seconds.
    var now: Int64 = 1000
    private(set) var records: [RollbackEvent] = []
    private(set) var alerts: [VerdictAlert] = []
    let rules: [VerdictRule]

    static func rule(
        _ name: String = "Errors", mode: RollbackDefinition.Mode = .enforce, consecutive: Int = 2,
        missing: RollbackDefinition.MissingPolicy = .init(), cooldown: Milliseconds = .seconds(60)
    ) -> VerdictRule {
        var definition = RollbackDefinition(
            name: name, expression: "errors", trip: .init(.greater, 0.5), consecutive: consecutive, missing: missing,
            cooldown: cooldown, mode: mode, action: .init(verdict: "web"))
        definition.longestRange = .seconds(3)
        return VerdictRule(
            key: "f;g;\(name)", definition: definition, firstData: .seconds(5), maximumAge: .seconds(4))
    }

    init(_ rules: [VerdictRule] = [rule()]) {
        self.rules = rules
        machine = VerdictMachine("web", watches: rules)
    }

    private var instant: Instant { Instant(nanoseconds: now * 1_000_000_000) }

    /// One second later every rule (or the one named) is evaluated to `value`; `nil` for no data.
    mutating func measure(
        _ value: Double?, of name: String? = nil, labels: Labels = ["service": "web"], failure: String? = nil,
        counts: Bool = true
    ) {
        now += 1
        for rule in rules where name == nil || rule.definition.name == name {
            var measurement = RollbackMeasurement(
                rule: rule.key, ruleHash: "h", definition: rule.definition, time: Timestamp(milliseconds: now * 1000),
                elements: value.map { [.init(labels: labels, value: $0, counts: counts)] } ?? [], failure: failure)
            measurement.isUnknown = failure != nil
            perform(machine.measured(measurement, at: instant))
        }
    }

    mutating func measure(_ value: Double?, times: Int) {
        for _ in 0..<times { measure(value) }
    }

    @discardableResult
    mutating func ask(
        _ sense: VerdictQuestion.Sense, _ release: String? = "v1", outcome: String? = nil
    ) -> VerdictReply {
        let (reply, actions) = machine.asked(
            VerdictQuestion(sense, release: release, outcome: outcome, by: "flagger"), at: instant)
        perform(actions)
        return reply
    }

    mutating func end() -> Bool {
        let (hadRelease, actions) = machine.ended(by: "alice", at: instant)
        perform(actions)
        return hadRelease
    }

    /// The process ends, and another one reads what was stored.
    mutating func restart() throws {
        machine = VerdictMachine("web", watches: rules, stored: try JSON(parsing: machine.json.encoded))
        perform(machine.recovered())
    }

    private mutating func perform(_ actions: [VerdictMachine.Action]) {
        for action in actions {
            switch action {
            case .record(let event): records.append(event)
            case .notify(let alert): alerts.append(alert)
            case .tripped, .keep: break
            }
        }
    }

    var verdict: VerdictStanding.Verdict { machine.standing(at: instant).verdict }
    var reasons: [String] { machine.standing(at: instant).reasons }

    /// `began`, `tripped`, … in order.
    var states: [String] { records.compactMap { $0.body["state"]?.text } }
}

import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// Timelines, one character per measurement 10 s apart.
///
/// In: `-` healthy (1.0), `1` violating (0.5), `~` between trip and clear (0.955), `m` missing, `n` NaN, `e` failed
/// evaluation, `u` no answer of the server that was asked, `x` violating but below the minimum of samples. Out: the
/// first thing that happened: `T` tripped, `C` cleared, `A` told to be missing, `F` frozen, `R` returned,
/// a digit for the streak of a violation, `.` nothing.
struct RollbackRuleTests {
    private func definition(
        consecutive: Int = 3, missing: RollbackDefinition.MissingPolicy = .init(),
        clear: RollbackDefinition.Clearance? = nil
    ) -> RollbackDefinition {
        RollbackDefinition(
            name: "ComplianceLow", expression: "compliance", trip: .init(.less, 0.95), consecutive: consecutive,
            missing: missing, clear: clear, action: .init(plan: "acgs", service: "auth"))
    }

    private func measurement(
        _ definition: RollbackDefinition, at index: Int, _ elements: [RollbackMeasurement.Element],
        failure: String? = nil
    ) -> RollbackMeasurement {
        RollbackMeasurement(
            rule: "f;g;ComplianceLow", ruleHash: "h", definition: definition,
            time: Timestamp(milliseconds: Int64(index) * 10_000), causeNanoseconds: Int64(index), elements: elements,
            failure: failure)
    }

    private func run(_ timeline: String, _ definition: RollbackDefinition) -> String {
        var rule = RollbackRule(definition)
        var output = ""
        for (index, character) in timeline.enumerated() {
            let values: [Character: Double] = ["-": 1, "1": 0.5, "~": 0.955, "n": .nan, "x": 0.5]
            let elements = values[character].map {
                [RollbackMeasurement.Element(labels: ["service": "auth"], value: $0, counts: character != "x")]
            }
            var measurement = measurement(
                definition, at: index, elements ?? [], failure: "eu".contains(character) ? "timeout" : nil)
            measurement.isUnknown = character == "u"
            let actions = rule.measured(measurement)
            output += symbol(actions)
        }
        return output
    }

    private func symbol(_ actions: [RollbackRule.Action]) -> String {
        var streak = "."
        for action in actions {
            switch action {
            case .tripped: return "T"
            case .cleared: return "C"
            case .missing: return "A"
            case .frozen: return "F"
            case .returned: return "R"
            case .overflowed: return "O"
            case .violated(_, _, let count): streak = "\(count)"
            }
        }
        return streak
    }

    @Test(
        "violations in a row trip once, and missing measurements neither count nor reset",
        arguments: [
            ("-11-111-", ".12.12TC"),
            ("-1111-", ".12T.C"),
            ("-11m1-", ".12.TC"),
            ("-1m1n1", ".1.2.T"),
            ("-11e1", ".12.T"),
            ("-11x1", ".12.T"),
            ("-11x-1", ".12..1"),
            ("mmmmmm", "......"),
            ("nnnnnn", "......"),
            ("eeeeee", "......"),
            ("xxxxxx", "......"),
        ])
    func consecutive(input: String, output: String) {
        #expect(run(input, definition()) == output)
    }

    @Test(
        "without an answer nothing trips, nothing counts as healthy, and no gap of data begins",
        arguments: [
            (RollbackDefinition.MissingPolicy(), "-11u1", ".12.T"),
            (.init(policy: .trip), "uuuuuu", "......"),
            (.init(policy: .trip), "11uu-", "12..."),
            (.init(policy: .alert), "-uuuu", "....."),
            (.init(policy: .hold, after: .seconds(20), then: .trip), "-uuuummmmm", ".......12T"),
            (.init(policy: .pass), "11uu1", "12F.R"),
            (.init(policy: .pass), "11um1", "12FR1"),
            (.init(policy: .freeze), "-uu-", ".F.R"),
        ])
    func unanswered(missing: RollbackDefinition.MissingPolicy, input: String, output: String) {
        #expect(run(input, definition(missing: missing)) == output)
    }

    @Test(
        "a value at the threshold is where the comparison says",
        arguments: [
            (RollbackDefinition.Condition.Comparison.less, "T.."), (.lessOrEqual, "TT."), (.equal, ".T."),
            (.notEqual, "T.T"),
            (.greaterOrEqual, ".TT"), (.greater, "..T"),
        ])
    func threshold(comparison: RollbackDefinition.Condition.Comparison, output: String) {
        var definition = definition(consecutive: 1)
        definition.trip = .init(comparison, 0.95)
        let trips = [0.9499999999999999, 0.95, 0.9500000000000001].map { value in
            var rule = RollbackRule(definition)
            let element = RollbackMeasurement.Element(labels: ["service": "auth"], value: value)
            return symbol(rule.measured(measurement(definition, at: 0, [element])))
        }
        #expect(trips.joined() == output)
    }

    /// The same with the time of the sample that each measurement rests on, in seconds.
    private func run(_ samples: [(second: Int64, value: Double)], _ definition: RollbackDefinition) -> String {
        var rule = RollbackRule(definition)
        return samples.enumerated().map { index, sample in
            let element = RollbackMeasurement.Element(
                labels: ["service": "auth"], value: sample.value,
                sampledAt: Timestamp(milliseconds: sample.second * 1000))
            return symbol(rule.measured(measurement(definition, at: index, [element])))
        }.joined()
    }

    @Test("an evaluation without a newer sample neither counts nor resets nor clears")
    func newerSamples() {
        // Two low samples, then silence.
        #expect(run([(1, 0.5), (2, 0.5), (2, 0.5), (2, 0.5), (2, 0.5)], definition()) == "12...")
        #expect(run([(1, 0.5), (2, 0.5), (2, 1), (3, 0.5)], definition()) == "12.T")
        #expect(run([(1, 0.5), (1, 0.5), (2, 0.5), (2, 0.5), (3, 0.5), (3, 1), (4, 1)], definition()) == "1.2.T.C")
        // One that trips at the first violation takes what it sees.
        #expect(run([(1, 0.5)], definition(consecutive: 1)) == "T")
    }

    @Test("a clock that was set back does not disable a rule")
    func clockSetBack() {
        let definition = definition()
        var rule = RollbackRule(definition)
        let symbols = [90, 91, 5].map { index in
            let element = RollbackMeasurement.Element(labels: ["service": "auth"], value: 0.5)
            return symbol(rule.measured(measurement(definition, at: index, [element])))
        }
        #expect(symbols == ["1", "2", "T"])
    }

    @Test("a clock that was set back to the time of the last evaluation does not disable a rule")
    func clockSetBackExactly() {
        let definition = definition(consecutive: 2)
        var rule = RollbackRule(definition)
        let symbols = [(90, 90), (90, 90), (90, 90), (91, 90)].map { at, second in
            let element = RollbackMeasurement.Element(
                labels: ["service": "auth"], value: 0.5, sampledAt: measurement(definition, at: second, []).time)
            return symbol(rule.measured(measurement(definition, at: at, [element])))
        }
        #expect(symbols == ["1", "T", ".", "."], "\(symbols)")
    }

    @Test("a trip that another process may not have acted on counts again with the same sample")
    func reconsideredSample() {
        let definition = definition(consecutive: 2)
        var rule = RollbackRule(definition)
        func measure(_ index: Int) -> String {
            let element = RollbackMeasurement.Element(
                labels: ["service": "auth"], value: 0.5, sampledAt: Timestamp(milliseconds: Int64(min(index, 1)) * 1000)
            )
            return symbol(rule.measured(measurement(definition, at: index, [element])))
        }
        #expect((0...2).map(measure) == ["1", "T", "."])
        rule.reconsidered()
        #expect(measure(3) == "T")
    }

    @Test("a rule without streak trips on the first violation")
    func first() {
        #expect(run("-m1-1", definition(consecutive: 1)) == "..TCT")
        #expect(run("1", definition(consecutive: 0)) == "T")
    }

    @Test(
        "absence means what the policy says",
        arguments: [
            (RollbackDefinition.MissingPolicy(policy: .hold), "1m1m1", "1.2.T"),
            (.init(policy: .pass), "11m11m", "12.12."),
            (.init(policy: .trip), "-mmm", ".12T"),
            (.init(policy: .trip), "mmm", "12T"),
            (.init(policy: .trip), "11m", "12T"),
            (.init(policy: .freeze), "-mmm-mm", ".F..RF."),
            (.init(policy: .alert), "-mmm-mm", ".A..RA."),
            (.init(policy: .hold, after: .seconds(20), then: .alert), "-mmmm-", "...A.R"),
            (.init(policy: .hold, after: .seconds(20), then: .freeze), "mmmm", "..F."),
            (.init(policy: .hold, after: .seconds(20), then: .trip), "-mmmmm", "...12T"),
            (.init(policy: .alert, after: .seconds(20), then: .trip), "-mmmmm", ".A.12T"),
            (.init(policy: .hold, after: .seconds(20), then: .hold), "-mmmmmmmm", "........."),
        ])
    func missing(policy: RollbackDefinition.MissingPolicy, input: String, output: String) {
        #expect(run(input, definition(missing: policy)) == output)
    }

    @Test(
        "a trip clears when its clear condition has been seen for long enough without a gap",
        arguments: [
            ("1~~~~~", "T....."),
            ("1---", "T..C"),
            ("1-~---", "T....C"),
            ("1--m---", "T.....C"),
            ("1--x---", "T.....C"),
            ("1mmmmmmm", "T......."),
            ("1--1---", "T.....C"),
            ("1---1", "T..CT"),
        ])
    func clearing(input: String, output: String) {
        let clear = RollbackDefinition.Clearance(condition: .init(.greaterOrEqual, 0.96), hold: .seconds(20))
        #expect(run(input, definition(consecutive: 1, clear: clear)) == output)
    }

    @Test(
        "a trip of a rule that had never been measured clears by what it measures then",
        arguments: [
            ("mmm-", "12TC", nil),
            ("mmm1-", "12T1C", nil),
            ("mmmx-", "12T.C", nil),
            ("mmmn-", "12T.C", nil),
            ("mmm-111", "12TC12T", nil),
            ("mmm--~---", "12T.....C", 0.96),
            ("mmm--m---", "12T..1..C", 0.96),
        ] as [(String, String, Double?)])
    func neverMeasured(input: String, output: String, clear: Double?) {
        let clear = clear.map {
            RollbackDefinition.Clearance(condition: .init(.greaterOrEqual, $0), hold: .seconds(20))
        }
        #expect(run(input, definition(missing: .init(policy: .trip), clear: clear)) == output)
    }

    @Test("a notification about a rule without measurement is resolved with its first data")
    func firstData() {
        #expect(run("mm-mm-", definition(missing: .init(policy: .alert))) == "A.RA.R")
        #expect(run("mm-", definition(missing: .init(policy: .freeze))) == "F.R")
    }

    @Test("a temporary absence does not clear a trip")
    func passDoesNotClear() {
        #expect(run("1mmmm-", definition(consecutive: 1, missing: .init(policy: .pass))) == "T....C")
    }

    @Test("each element has its own streak, and its label names the service that trips")
    func perService() {
        var definition = definition(consecutive: 2)
        definition.action.service = nil
        var rule = RollbackRule(definition)
        func element(_ service: String, _ value: Double) -> RollbackMeasurement.Element {
            .init(labels: ["service": service], value: value)
        }
        _ = rule.measured(measurement(definition, at: 0, [element("ac", 0.5), element("auth", 1)]))
        let actions = rule.measured(measurement(definition, at: 1, [element("ac", 0.4), element("auth", 0.5)]))
        let trips = actions.compactMap { if case .tripped(let trip) = $0 { trip } else { nil } }
        #expect(trips.map(\.service) == ["ac"])
        #expect(trips.first?.samples.map(\.value) == [0.5, 0.4])
        #expect(trips.first?.causeNanoseconds == 1)
        #expect(rule.tracks[["service": "auth"]]?.streak == 1)
    }

    @Test("a service that disappears from a rule with other services is missing")
    func vanished() {
        let definition = definition(missing: .init(policy: .alert))
        var rule = RollbackRule(definition)
        let both = ["ac", "auth"].map { RollbackMeasurement.Element(labels: ["service": $0], value: 1) }
        #expect(rule.measured(measurement(definition, at: 0, both)) == [])
        let since = Timestamp(milliseconds: 10_000)
        #expect(
            rule.measured(measurement(definition, at: 1, [both[1]]))
                == [.missing(labels: ["service": "ac"], since: since)])
    }

    @Test("an absence from the start stands for the rule itself until the first element comes")
    func absentFromTheStart() {
        let definition = definition(missing: .init(policy: .alert))
        var rule = RollbackRule(definition)
        _ = rule.measured(measurement(definition, at: 0, []))
        #expect(Array(rule.tracks.keys) == [.empty])
        _ = rule.measured(measurement(definition, at: 1, [.init(labels: ["service": "ac"], value: 1)]))
        #expect(Array(rule.tracks.keys) == [["service": "ac"]])
    }

    @Test("a reload keeps streak and trip; another condition resets the streak")
    func reload() {
        var old = definition()
        var rule = RollbackRule(old)
        let bad = [RollbackMeasurement.Element(labels: ["service": "auth"], value: 0.5)]
        for index in 0..<2 { _ = rule.measured(measurement(old, at: index, bad)) }
        old.severity = "high"
        let kept = rule
        #expect(rule.measured(measurement(old, at: 2, bad)).count == 2)
        #expect(rule.isTripped)
        rule = kept
        old.trip = .init(.less, 0.9)
        _ = rule.measured(measurement(old, at: 2, bad))
        #expect(rule.streak == 1)
    }

    @Test("rearming resets the trip, so that a new rollout can trip again")
    func rearm() {
        let definition = definition(consecutive: 1)
        var rule = RollbackRule(definition)
        let bad = [RollbackMeasurement.Element(labels: ["service": "auth"], value: 0.5)]
        _ = rule.measured(measurement(definition, at: 0, bad))
        rule.rearmed()
        #expect(!rule.isTripped)
        #expect(rule.measured(measurement(definition, at: 1, bad)).count == 2)
    }

    @Test("elements beyond the limit are not tracked, which is reported once")
    func limit() {
        let definition = definition()
        var rule = RollbackRule(definition)
        let many = (0...RollbackRule.trackLimit).map {
            RollbackMeasurement.Element(labels: ["service": "\($0)"], value: 1)
        }
        #expect(
            rule.measured(measurement(definition, at: 0, many)) == [.overflowed(limit: RollbackRule.trackLimit)])
        #expect(rule.measured(measurement(definition, at: 1, many)) == [])
        #expect(rule.tracks.count == RollbackRule.trackLimit)
    }
}

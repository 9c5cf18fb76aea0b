import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// Timelines, one character per measurement 10 s apart: `-` healthy, `1` violating, `m` missing, `e` failed evaluation.
@Suite struct ReplayTests {
    private let plan: RolloutPlan

    init() throws {
        plan = try RolloutPlan(
            parsing: RolloutPlanTests.plan(
                RolloutPlanTests.service("db", "priority: 1") + RolloutPlanTests.service("web", "depends: [db]")),
            file: "p.yml")
    }

    private func definition(
        consecutive: Int = 1, missing: RollbackDefinition.MissingPolicy = .init(),
        clear: RollbackDefinition.Clearance? = nil, cooldown: Milliseconds = .minutes(1),
        mode: RollbackDefinition.Mode = .enforce, service: String? = "db",
        scope: RollbackDefinition.Action.Scope = .service
    ) -> RollbackDefinition {
        RollbackDefinition(
            name: "R", expression: "a", trip: .init(.less, 0.95), consecutive: consecutive, missing: missing,
            cooldown: cooldown, clear: clear, mode: mode,
            action: .init(plan: "p", service: service, scope: scope))
    }

    private func run(_ timelines: (rule: String, timeline: String, definition: RollbackDefinition)...) -> Replay {
        var replay = Replay(plans: [plan])
        for (rule, timeline, definition) in timelines {
            for (index, character) in timeline.enumerated() {
                let values: [Character: Double] = ["-": 1, "1": 0.5]
                replay.measured(
                    RollbackMeasurement(
                        rule: rule, ruleHash: "h", definition: definition, time: time(index),
                        elements: values[character].map { [.init(labels: .empty, value: $0)] } ?? [],
                        failure: character == "e" ? "timeout" : nil))
            }
        }
        return replay
    }

    private func time(_ index: Int) -> Timestamp { Timestamp(milliseconds: Int64(index) * 10_000) }

    @Test func aTripTellsWhenWhyAndWhatWouldHaveGoneBackInWhichOrder() throws {
        let decisions = run(("r", "--11m1--", definition(consecutive: 3, scope: .serviceAndDependents))).decisions
        let decision = try #require(decisions.first)
        #expect(decisions.count == 1)
        #expect(decision.trip.time == time(5))
        #expect(decision.trip.samples.map(\.time) == [time(2), time(3), time(5)])
        #expect(decision.outcome == .rollBack(["web", "db"]))
        #expect(decision.cooldownUntil == time(11))
        #expect(decision.clearedAt == time(6))
    }

    @Test(arguments: ["-mmmmmmmm", "mmmmmmmmm", "-eeeeeeee", "-1m-1e-mm"])
    func missingDataNeverTripUnlessThePolicySaysSo(timeline: String) {
        #expect(run(("r", timeline, definition(consecutive: 2))).decisions.isEmpty)
        let policy = RollbackDefinition.MissingPolicy(policy: .trip)
        #expect(run(("r", timeline, definition(consecutive: 2, missing: policy))).decisions.count >= 1)
    }

    @Test func withHysteresisARuleTripsAgainOnlyAfterItCleared() {
        let clear = RollbackDefinition.Clearance(condition: .init(.greaterOrEqual, 0.96), hold: .seconds(20))
        let decisions = run(("r", "1-1---1", definition(clear: clear))).decisions
        #expect(decisions.map(\.trip.time) == [time(0), time(6)])
        #expect(decisions.map(\.clearedAt) == [time(5), nil])
    }

    @Test func duringTheCooldownOnlyWhatStillTakesTrafficGoesBack() {
        let decisions = run(
            ("db", "1-1--------1", definition()), ("all", "---1", definition(scope: .all))
        ).decisions
        #expect(decisions.map(\.trip.time) == [time(0), time(2), time(3), time(11)])
        #expect(
            decisions.map(\.outcome) == [
                .rollBack(["db"]), .coolingDown(since: time(0)), .rollBack(["web"]), .rollBack(["db"]),
            ])
        #expect(decisions.map(\.cooldownUntil) == [time(6), time(8), time(9), time(17)])
    }

    @Test func aRuleThatReducesLeavesTheServiceToOthers() {
        var rule = definition()
        rule.action.reduceTo = 10
        let decisions = run(("db", "1---", rule), ("all", "--1-", definition(scope: .all))).decisions
        #expect(decisions.map(\.outcome) == [.reduce(["db"], to: 10), .rollBack(["web", "db"])])
    }

    @Test func aShadowRuleDoesNotActAndStartsNoCooldown() {
        let decisions = run(("r", "1-", definition(mode: .shadow))).decisions
        #expect(decisions.map(\.outcome) == [.shadow(["db"])])
        #expect(decisions.map(\.cooldownUntil) == [nil])
    }

    @Test func aTripThatNamesNoServiceIsToldAsSuch() {
        #expect(run(("r", "1", definition(service: nil))).decisions.map(\.outcome) == [.noService])
    }

    @Test func theTallyTellsWhatTheRuleSaw() {
        let tally = Replay.Tally(measurements: 6, empty: 1, failed: 1, violations: 2, failure: "timeout")
        #expect(run(("r", "-1m1-e", definition(consecutive: 5))).tallies == ["r": tally])
    }
}

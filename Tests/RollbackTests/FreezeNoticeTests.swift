import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// The notifications that rules hold a promotion back, and that they no longer do.
@Suite struct FreezeNoticeTests {
    private let plan: RolloutPlan

    init() throws {
        let text = """
            plan: p
            stages: [10, 50, 100]
            bake: 2s
            settle: 0s
            freeze_if: [R]
            notify: [oncall]
            services:
            - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
            """
        plan = try RolloutPlan(parsing: text, file: "plan.yml")
    }

    /// A rollout at 10 %.
    private func started() -> ControllerBench {
        var bench = ControllerBench(plan)
        bench.command(.start)
        bench.measured("R", isViolated: false)
        return bench
    }

    private func kinds(_ bench: ControllerBench) -> [RollbackNotice.Kind] { bench.notices.map(\.kind) }

    @Test("a freeze is notified once, for any reason, and resolved under its key when it ends")
    func once() {
        var bench = started()
        #expect(bench.live == [10] && bench.notices == [], "before the first measurement nobody has to act")
        for isViolated in [true, true, nil, true] as [Bool?] {
            bench.measured("R", isViolated: isViolated)
            bench.run(for: .minutes(1))
        }
        let page = RollbackNotice(
            plan: "p", key: "p/1/promotion/frozen", kind: .page,
            text: "plan p: promotion stands still: frozen by R: violated", receivers: ["oncall"])
        let over = RollbackNotice(
            plan: "p", key: page.key, kind: .over, text: "plan p: promotion is no longer frozen", receivers: ["oncall"])
        #expect(bench.notices == [page])
        bench.measured("R", isViolated: false)
        #expect(bench.notices == [page, over])
        bench.measured("R", isViolated: nil)
        #expect(bench.notices.last?.text == "plan p: promotion stands still: frozen by R: no data")
        #expect(kinds(bench) == [.page, .over, .page], "the next freeze is told again")
    }

    @Test(
        "what people have taken into their hands is frozen no longer", arguments: [RolloutCommand.Verb.pause, .abort])
    func byHand(verb: RolloutCommand.Verb) {
        var bench = started()
        bench.measured("R", isViolated: true)
        bench.command(verb)
        #expect(kinds(bench).prefix(2) == [.page, .over] || kinds(bench) == [.page, .rollback, .over])
        bench.measured("R", isViolated: nil)
        bench.measured("R", isViolated: true)
        #expect(kinds(bench).filter { $0 == .page }.count == 1)
    }

    @Test("each term of the lease notifies once, under the same key, and without the lease there is no notification")
    func terms() {
        var bench = started()
        bench.measured("R", isViolated: true)
        bench.step { $0.leaseChanged(epoch: nil, at: $1) }
        bench.measured("R", isViolated: false)
        bench.measured("R", isViolated: true)
        #expect(kinds(bench) == [.page])
        bench.step { $0.leaseChanged(epoch: 7, at: $1) }
        bench.measured("R", isViolated: true)
        #expect(kinds(bench) == [.page, .page])
        #expect(Set(bench.notices.map(\.key)) == ["p/1/promotion/frozen"])
    }

    @Test(
        "a rule that nothing measures is told of after gate_timeout, and the page taken back with its first good value")
    func neverMeasured() {
        var bench = ControllerBench(plan)
        bench.command(.start)
        bench.run(for: .minutes(29))
        #expect(bench.notices == [])
        bench.run(for: .minutes(2))
        #expect(bench.notices.map(\.text) == ["plan p: promotion stands still: frozen by R: not measured for 30m"])
        bench.run(for: .minutes(90))
        #expect(kinds(bench) == [.page], "it is told once")
        #expect(bench.live == [0], "and forbids traffic all the time")
        bench.measured("R", isViolated: false)
        #expect(kinds(bench) == [.page, .over])
        #expect(bench.live == [10])
    }

    @Test("the wait for a first measurement begins with the rollout, and pausing ends it")
    func waitBegins() {
        var bench = ControllerBench(plan)
        bench.run(for: .hours(3))
        bench.command(.start)
        bench.run(for: .minutes(20))
        bench.command(.pause)
        bench.run(for: .minutes(60))
        #expect(bench.notices == [])
        bench.command(.resume)
        bench.run(for: .minutes(29))
        #expect(bench.notices == [])
        bench.run(for: .minutes(2))
        #expect(kinds(bench) == [.page])
    }

    private func measurement(
        _ value: Double?, _ mode: RollbackDefinition.Mode, missing: RollbackDefinition.MissingPolicy = .init(),
        at now: Instant
    ) -> RollbackMeasurement {
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 1), missing: missing, mode: mode,
            action: .init(plan: "p", service: "a"))
        return RollbackMeasurement(
            rule: "f;g;R", ruleHash: "h", definition: definition, time: now.timestamp,
            elements: value.map { [.init(labels: .empty, value: $0, counts: true)] } ?? [])
    }

    private func notices(_ actions: [PlanMachine.Action]) -> [RollbackNotice.Kind] {
        actions.compactMap { if case .control(.notify(let notice)) = $0 { notice.kind } else { nil } }
    }

    @Test("a shadow rule causes no rollback, but a notification that it freezes the plan")
    func shadow() {
        var machine = PlanMachine(RolloutController(plan: plan))
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        _ = machine.measured(measurement(1, .shadow, at: now), at: now)
        _ = machine.step(at: now) { $0.commanded(RolloutCommand(.start, by: "ops"), at: now).actions }
        #expect(notices(machine.measured(measurement(0, .shadow, at: now), at: now)) == [.page])
        #expect(notices(machine.measured(measurement(0, .shadow, at: now), at: now)) == [])
        #expect(notices(machine.measured(measurement(1, .shadow, at: now), at: now)) == [.over])
    }

    @Test("a trip of the last rollout is reset by a new start without a notification; missing data are notified")
    func beforeTheStart() {
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        for (value, expected) in [(0, []), (nil, [.page])] as [(Double?, [RollbackNotice.Kind])] {
            var machine = PlanMachine(RolloutController(plan: plan))
            _ = machine.measured(measurement(value, .enforce, missing: .init(policy: .freeze), at: now), at: now)
            #expect(!machine.controller.freezes.isEmpty)
            let actions = machine.step(at: now) { $0.commanded(RolloutCommand(.start, by: "ops"), at: now).actions }
            #expect(notices(actions) == expected)
        }
    }
}

import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// A record that was lost, and one that was made for another structure of the plan.
struct LossTests {
    private static func plan(_ stages: String = "[10, 50, 100]", services: [String] = ["a", "b"]) -> RolloutPlan {
        let list = services.map { "- {name: \($0), routes: [{exec: {shift: [s], read: [r]}}]}" }.joined(separator: "\n")
        let text = "plan: p\nstages: \(stages)\nbake: 1h\nsettle: 0s\nmax_concurrent: 2\nservices:\n\(list)\n"
        do { return try RolloutPlan(parsing: text, file: "p.yml") } catch { fatalError("\(error)") }
    }

    private let now = Instant(nanoseconds: 1_800_000_000_000_000_000)

    private func record(
        _ phase: RolloutState.Phase, _ progress: ServiceRollout.Progress, candidate: Int, of plan: RolloutPlan
    ) -> JournalRecord {
        var state = RolloutState()
        state.generation = 7
        state.phase = phase
        state.structure = RecordedStructure(plan)
        for service in plan.services {
            var current = ServiceRollout()
            current.progress = progress
            current.split = TrafficSplit(candidate: candidate)!
            state.services[service.name] = current
        }
        return JournalRecord(epoch: 3, number: 9, at: now, step: "s", state: state)
    }

    /// A bench whose process has lost its record, with routers that give candidates these weights.
    private func lost(_ live: [String: Int], salvaged: JournalRecord? = nil) -> ControllerBench {
        var bench = ControllerBench(Self.plan())
        for (name, candidate) in live { bench.routers[name]?.split = TrafficSplit(candidate: candidate)! }
        bench.step { $0.recovered(loss: RecordLoss(reason: "damaged", salvaged: salvaged), at: $1) }
        return bench
    }

    private func trip(_ service: String) -> Trip {
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95),
            action: .init(plan: "p", service: service, scope: .service))
        return Trip(
            of: RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: now.timestamp, elements: []),
            labels: .empty, samples: [EvidenceSample(time: now.timestamp, value: 0.5)])
    }

    @Test("without any record the routes show what is protected: a trip rolls it back, and nothing rises")
    func rebuilt() {
        var bench = lost(["a": 50])
        #expect(bench.state.phase.name == "paused")
        #expect(bench.progress == ["baking", "waiting"])
        #expect(bench.live == [50, 0], "what a candidate has, it keeps until a rule or a person says otherwise")
        #expect(bench.command(.resume) == .refused(bench.controller.lossText ?? ""))
        bench.run(for: .hours(3))
        #expect(bench.live == [50, 0])
        let trip = trip("a")
        bench.step { $0.tripped(trip, at: $1) }
        bench.run(for: .minutes(5))
        #expect(bench.live == [0, 0])
        #expect(bench.state.phase == .rolledBack)
        #expect(bench.state.rollback?.services == ["a"])
    }

    @Test("a plan without traffic on candidates says so too, and begins when a person has acknowledged it")
    func idle() throws {
        var bench = lost([:])
        #expect(bench.state.phase == .idle)
        let text = try #require(bench.controller.lossText)
        #expect(text.contains("damaged"))
        #expect(bench.command(.start) == .refused(text))
        #expect(bench.notices.map(\.key) == ["p/record-lost"])
        try bench.restart()
        try bench.restart()
        #expect(bench.notices.map(\.kind) == [.page, .page, .page], "at every start")
        #expect(bench.controller.todo(at: bench.now).first?.contains("rollout acknowledge p") == true)
        #expect(bench.command(.acknowledge) == .accepted)
        #expect(bench.notices.last?.kind == .over)
        #expect(bench.command(.acknowledge) == .ignored("no record was lost"))
        try bench.restart()
        #expect(bench.notices.count == 4)
        #expect(bench.command(.start) == .accepted)
        #expect(bench.state.generation > 1_000_000, "its number is higher than any that was lost")
    }

    @Test("an old record that was salvaged is taken up like that of a lost leader")
    func salvaged() {
        let old = record(.promoting, .baking(stage: 0, since: now), candidate: 10, of: Self.plan())
        var bench = lost(["a": 10, "b": 50], salvaged: old)
        #expect(bench.state.phase.name == "paused")
        bench.run(for: .minutes(1))
        #expect(bench.live == [10, 10], "a stage that is not recorded is taken back")
        #expect(bench.state.generation == 7)
        let back = lost(["a": 10, "b": 0], salvaged: old)
        #expect(back.live == [0, 0], "b was being rolled back")
        #expect(back.state.rollback?.causes.first?.summary.contains("b was rolled back") == true)
    }

    @Test("trips that the rules remember count again, since nobody knows whether they were acted on")
    func rules() {
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), consecutive: 3,
            action: .init(plan: "p", service: "a", scope: .service))
        func measurement(_ second: Int64) -> RollbackMeasurement {
            RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: (now + .seconds(second)).timestamp,
                elements: [.init(labels: .empty, value: 0.5)])
        }
        var rule = RollbackRule(definition)
        for second in 1...3 { _ = rule.measured(measurement(Int64(second))) }
        #expect(rule.isTripped)
        var tripped = [Bool]()
        for loss in [nil, RecordLoss(reason: "damaged")] {
            var machine = PlanMachine(RolloutController(plan: Self.plan()), rules: ["f;g;R": rule])
            _ = machine.recovered(loss: loss, at: now)
            tripped.append(machine.measured(measurement(4), at: now + .seconds(4)).contains(.tripped))
        }
        #expect(tripped == [false, true])
    }

    @Test("two routes of a service with different weights: the lower one holds")
    func routes() throws {
        let text = """
            plan: p
            stages: [10, 50, 100]
            services:
            - {name: a, routes: [{exec: {shift: [s], read: [r]}}, {exec: {shift: [t], read: [r]}}]}
            """
        for (first, second) in [(50, 10), (10, 50), (50, 0), (0, 50)] {
            var controller = RolloutController(plan: try RolloutPlan(parsing: text, file: "p.yml"))
            var live = [first, second]
            var open = controller.recovered(loss: RecordLoss(reason: "damaged"), at: now)
            var time = now
            for _ in 0..<40 {
                var next: [RolloutController.Action] = []
                for action in open {
                    switch action {
                    case .operate(let operation):
                        var result = OperationResult.done
                        if case .shift(let split) = operation.kind { live[operation.route] = split.candidate }
                        if case .inspect = operation.kind {
                            let split = TrafficSplit(candidate: live[operation.route])
                            result = .inspected(Inspection(split: split, stable: .healthy))
                        }
                        next += controller.replied(operation.id, result, at: time)
                    case .journal(let record):
                        next += controller.journalled(through: record.number, in: .file, at: time)
                    case .ask, .call, .record, .raise, .notify, .report, .rearm, .rearmElement, .reconsider,
                        .yieldLease, .competeForLease:
                        break
                    }
                }
                time = time + .seconds(10)
                open = next + controller.timePassed(at: time)
            }
            #expect(live == [min(first, second), min(first, second)])
            #expect(controller.state.phase.name == "paused")
        }
    }

    @Test("a record of a plan with more stages pauses, and does not trap; what the candidates have, they keep")
    func fewerStages() {
        let long = Self.plan("[10, 20, 50, 100]")
        for (stage, candidate) in [(1, 20), (2, 50), (3, 100)] {
            let old = record(.promoting, .baking(stage: stage, since: now), candidate: candidate, of: long)
            var bench = ControllerBench(Self.plan("[50, 100]"), state: old.state)
            for name in ["a", "b"] { bench.routers[name]?.split = TrafficSplit(candidate: candidate)! }
            bench.step { $0.recovered(at: $1) }
            guard case .paused(let reason) = bench.state.phase else {
                Issue.record("\(bench.state.phase)")
                continue
            }
            #expect(reason.contains("a has the stages 50 %, 100 % instead of 10 %, 20 %, 50 %, 100 %"))
            #expect(bench.notices.map(\.key) == ["p/7/structure"])
            #expect(bench.live == [candidate, candidate])
            #expect(bench.command(.resume) == .accepted)
            #expect(bench.command(.promote) == .accepted)
            bench.run(for: .minutes(1))
            #expect(bench.live.allSatisfy { ($0 ?? 0) >= candidate })
            let isAborted = bench.command(.abort) == .accepted
            if !isAborted { bench.command(.rollback(services: nil)) }
            bench.run(for: .minutes(1))
            #expect(bench.live == [0, 0])
        }
    }

    @Test("a shift of a stage that the plan no longer has counts as not sent, also when it was taken back")
    func fewerStagesWhileShifting() {
        let long = Self.plan("[10, 20, 50, 100]")
        let old = record(.promoting, .shifting(stage: 3), candidate: 100, of: long)
        var bench = ControllerBench(Self.plan("[50, 100]"), state: old.state)
        for name in ["a", "b"] { bench.routers[name]?.split = TrafficSplit(candidate: 50)! }
        bench.step { $0.recovered(at: $1) }
        #expect(bench.progress == ["baking", "baking"])
        #expect(bench.live == [50, 50])
        // A record of an earlier version has no structure. Its stage is beyond the end of the plan's.
        var bare = old.state
        bare.structure = nil
        var taken = RolloutController(plan: Self.plan("[50, 100]"), state: bare)
        taken.state.doubts = ["a"]
        let seen = Inspection(split: TrafficSplit(candidate: 50)!, stable: .healthy)
        let isBack = taken.wasTakenBack("a", seen, at: now)
        #expect(isBack, "stage 3 of 2 follows the last one, at 100 %")
    }

    @Test("services that are gone are named, and a rollback of them ends")
    func goneServices() {
        let two = Self.plan()
        let old = record(.promoting, .baking(stage: 1, since: now), candidate: 50, of: two)
        var bench = ControllerBench(Self.plan(services: ["a"]), state: old.state)
        bench.routers["a"]?.split = TrafficSplit(candidate: 50)!
        bench.step { $0.recovered(at: $1) }
        #expect(bench.notices.first?.text.contains("Nobody watches the candidates of b 50/50") == true)
        #expect(bench.state.services.keys.sorted() == ["a"])
        var source = RolloutController(
            plan: two, state: record(.promoted(at: now), .promoted, candidate: 100, of: two).state)
        let begun = source.commanded(RolloutCommand(.rollback(services: ["b"]), by: "ops"), at: now).actions
        var last: JournalRecord?
        for case .journal(let record) in begun { last = record }
        var rest = ControllerBench(Self.plan(services: ["a"]), state: last?.state ?? RolloutState())
        rest.routers["a"]?.split = .allCandidate
        rest.step { $0.recovered(at: $1) }
        #expect(rest.state.phase == .rolledBack)
        #expect(rest.command(.rollback(services: ["a"])) == .accepted)
        rest.run(for: .minutes(1))
        #expect(rest.live == [0])
    }
}

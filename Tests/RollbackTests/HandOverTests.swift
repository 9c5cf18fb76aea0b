import MetricModel
import RuleModel
import TestSupport
import Testing

@testable import Rollback

/// Taking over from another node, with what reached the database of its journal.
struct HandOverTests {
    private static let plan: RolloutPlan = {
        do { return try RolloutPlan(parsing: text, file: "p.yml") } catch { fatalError("\(error)") }
    }()

    private static let text = """
        plan: p
        stages: [10, 50, 100]
        bake: 1h
        settle: 0s
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], routes: [{exec: {shift: [s], read: [r]}}]}
        """

    private let now = Instant(nanoseconds: 1_800_000_000_000_000_000)

    private func record(
        _ phase: RolloutState.Phase, _ progress: ServiceRollout.Progress, candidate: Int, epoch: UInt64 = 3
    ) -> JournalRecord {
        var state = RolloutState()
        state.generation = 7
        state.phase = phase
        for name in ["a", "b"] {
            var service = ServiceRollout()
            service.progress = progress
            service.split = TrafficSplit(candidate: candidate)!
            service.revision = 9
            state.services[name] = service
        }
        return JournalRecord(epoch: epoch, at: now, step: "s", state: state)
    }

    /// A node that has taken over, and its actions.
    private func taken(
        _ record: JournalRecord, isComplete: Bool = false
    ) -> (controller: RolloutController, actions: [RolloutController.Action]) {
        var controller = RolloutController(plan: Self.plan, epoch: nil)
        let actions = controller.tookOver(record, isComplete: isComplete, epoch: 4, at: now)
        return (controller, actions)
    }

    /// Answers every reading that `actions` ask for with `live`, and returns what follows.
    private func answer(
        _ controller: inout RolloutController, _ actions: [RolloutController.Action], live: [String: Int?]
    ) -> [RolloutController.Action] {
        var following: [RolloutController.Action] = []
        for case .operate(let operation) in actions where operation.kind == .inspect {
            let split = live[operation.service].flatMap { $0 }.flatMap { TrafficSplit(candidate: $0) }
            following += controller.replied(
                operation.id, .inspected(Inspection(split: split, stable: .healthy, candidate: .healthy)), at: now)
        }
        return following
    }

    private func shifts(_ actions: [RolloutController.Action]) -> [String] {
        actions.compactMap { action in
            if case .operate(let operation) = action, case .shift(let split) = operation.kind {
                "\(operation.service) \(split)"
            } else {
                nil
            }
        }
    }

    @Test("after a release the rollout continues; after an expiry it is paused and a person is paged")
    func promotion() {
        let record = record(.promoting, .baking(stage: 1, since: now), candidate: 50)
        let complete = taken(record, isComplete: true)
        #expect(complete.controller.state.phase == .promoting)
        #expect(complete.controller.state.doubts == [])
        let uncertain = taken(record)
        guard case .paused = uncertain.controller.state.phase else {
            Issue.record("\(uncertain.controller.state.phase)")
            return
        }
        #expect(uncertain.actions.contains { if case .notify(let notice) = $0 { notice.kind == .page } else { false } })
        #expect(uncertain.controller.state.doubts == ["a", "b"])
        for case .journal(let record) in uncertain.actions { #expect(record.epoch == 4) }
    }

    @Test("keys of operations differ from those of lost steps")
    func keys() {
        let (controller, actions) = taken(record(.promoting, .baking(stage: 1, since: now), candidate: 50))
        for case .operate(let operation) in actions {
            #expect(operation.key == "p/7/\(operation.service)/\(4 << 32 as UInt64)")
        }
        #expect(controller.state.services.values.allSatisfy { $0.revision == 4 << 32 })
    }

    @Test(
        "a candidate with less traffic than recorded was being taken back: everything goes back",
        arguments: [0, 10, nil])
    func takenBack(live: Int?) {
        var (controller, actions) = taken(record(.promoting, .baking(stage: 1, since: now), candidate: 50))
        let following = answer(&controller, actions, live: ["a": 50, "b": live])
        #expect(controller.state.phase == .rollingBack)
        #expect(controller.state.rollback?.services == ["b", "a"])
        let cause = controller.state.rollback?.causes.first?.summary
        #expect(cause?.contains("b was rolled back by the previous leader") == true)
        #expect(shifts(following).allSatisfy { $0.hasSuffix("100/0") })
    }

    @Test("a candidate with more traffic than recorded loses it, and one with the recorded traffic is confirmed")
    func more() {
        var (controller, actions) = taken(record(.promoting, .baking(stage: 0, since: now), candidate: 10))
        let following = answer(&controller, actions, live: ["a": 50, "b": 10])
        #expect(shifts(following) == ["a 90/10"])
        #expect(controller.state.doubts == ["a"])
        guard case .paused = controller.state.phase else {
            Issue.record("\(controller.state.phase)")
            return
        }
    }

    @Test("a stage that was being set counts as not reached")
    func shifting() {
        let (first, _) = taken(record(.promoting, .shifting(stage: 0), candidate: 10))
        #expect(first.state.services["a"]?.progress == .waiting)
        #expect(first.state.services["a"]?.split == .allStable)
        let (second, _) = taken(record(.promoting, .shifting(stage: 1), candidate: 50))
        #expect(second.state.services["a"]?.progress == .baking(stage: 0, since: now))
        #expect(second.state.services["a"]?.split.candidate == 10)
    }

    @Test("a rollout that may have begun after the last record is undone, under a new generation")
    func unknownStart() {
        for phase in [RolloutState.Phase.idle, .rolledBack] {
            var (controller, actions) = taken(record(phase, .waiting, candidate: 0))
            #expect(controller.state.generation == 8)
            #expect(controller.state.phase == .rolledBack)
            #expect(shifts(answer(&controller, actions, live: ["a": 10, "b": 0])) == ["a 100/0"])
        }
    }

    @Test("promotion does not go on by itself after a rollback whose last steps may be lost", arguments: [true, false])
    func rollbackOfOne(isComplete: Bool) throws {
        var state = record(.rollingBack, .shifting(stage: 1), candidate: 50).state
        state.services["b"]?.progress = .rollingBack(.intended)
        state.services["b"]?.split = .allStable
        state.rollback = RollbackRecord(
            id: "p-7-1", generation: 7, number: 1, causes: [.promotion(service: "b", reason: "a hook failed")],
            services: ["b"])
        let left = JournalRecord(epoch: 3, at: now, step: "s", state: state)
        var bench = ControllerBench(Self.plan)
        bench.routers["a"]?.split = TrafficSplit(candidate: 10)
        bench.step { $0.tookOver(left, isComplete: isComplete, epoch: 4, at: $1) }
        // The record must keep it, for the process after this one.
        try bench.restart()
        bench.run(for: .minutes(10))
        #expect(bench.progress == ["baking", "rolled_back"])
        #expect(bench.live == [isComplete ? 50 : 10, 0], "what another node may have taken back must not rise")
        guard !isComplete else { return #expect(bench.state.phase == .promoting) }
        let reason = "taken over during a rollback, and steps of the previous node may be lost: resume or abort"
        #expect(bench.state.phase == .paused(reason: reason))
        #expect(bench.notices.contains { $0.kind == .page && $0.text.hasSuffix(reason) })
    }

    @Test("a recorded rollback continues as the same rollback")
    func rollback() {
        var source = RolloutController(
            plan: Self.plan, state: record(.promoted(at: now), .promoted, candidate: 100).state)
        let begun = source.commanded(RolloutCommand(.rollback(services: nil), by: "ops"), at: now).actions
        var last: JournalRecord?
        for case .journal(let record) in begun { last = record }
        guard let last else {
            Issue.record("no record")
            return
        }
        var (controller, actions) = taken(last)
        #expect(controller.state.phase == .rollingBack)
        #expect(controller.state.rollback?.id == "p-7-1")
        let following = answer(&controller, actions, live: ["a": 100, "b": 100])
        #expect(shifts(following) == ["b 100/0"], "dependents first")
    }

    @Test("a node that is alone rolls back and raises nothing")
    func alone() {
        var (controller, actions) = taken(
            record(.promoting, .baking(stage: 1, since: now), candidate: 50), isComplete: true)
        _ = answer(&controller, actions, live: ["a": 50, "b": 50])
        actions = controller.leaseChanged(epoch: 4, isAlone: true, at: now + .minutes(1))
        #expect(controller.obstacle(at: now) == "the lease cannot be renewed")
        #expect(shifts(answer(&controller, actions, live: ["a": 10, "b": 50])) == [], "no drift upwards")
        let back = controller.commanded(RolloutCommand(.abort, by: "ops"), at: now + .minutes(2)).actions
        #expect(shifts(answer(&controller, back, live: ["a": 10, "b": 50])) == ["b 100/0"])
    }

    @Test("unconfirmed services survive a restart")
    func durable() {
        let (controller, _) = taken(record(.promoting, .baking(stage: 1, since: now), candidate: 50))
        let record = JournalRecord(epoch: 4, at: now, step: "s", state: controller.state)
        #expect(JournalRecord(payload: record.payload)?.state == controller.state)
    }
}

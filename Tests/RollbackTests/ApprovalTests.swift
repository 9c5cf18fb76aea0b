import MetricModel
import Testing
import YAML

@testable import Rollback

/// Stages that several identities must approve.
@Suite struct ApprovalTests {
    private static func plan(_ gate: String) throws -> RolloutPlan {
        try RolloutPlan(
            parsing: """
                plan: p
                bake: 1h
                settle: 0s
                stages: [10, 100]
                reconcile: 2h
                services: [{name: a, gates: [{approval: two of us, \(gate)}], routes: [{exec: {shift: [s], read: [r]}}]}]
                """, file: "p.yml")
    }

    private func started(_ gate: String) throws -> ControllerBench {
        var bench = ControllerBench(try Self.plan(gate))
        bench.step { $0.recovered(at: $1) }
        #expect(bench.command(.start) == .accepted)
        #expect(bench.live == [10])
        return bench
    }

    @Test func aStageWaitsForAsManyDifferentIdentitiesAsThePlanDemands() throws {
        var bench = try started("approvals: 2")
        #expect(bench.command(.promote, as: "alice") == .accepted)
        #expect(bench.live == [10])
        #expect(bench.controller.gates(of: "a").map(\.detail) == ["waits for 2 approvals; given: alice"])
        #expect(bench.command(.promote, as: "alice") == .ignored("alice has already approved a"))
        #expect(bench.live == [10])
        #expect(bench.command(.promote, as: "bob") == .accepted)
        #expect(bench.live == [100], "and the bake time is over")
    }

    @Test func eachStageNeedsApprovalsOfItsOwn() throws {
        var bench = try started("approvals: 2")
        _ = bench.command(.promote, as: "alice")
        _ = bench.command(.promote, as: "bob")
        #expect(bench.state.services["a"]?.approvers == [])
        #expect(bench.command(.promote, as: "alice") == .accepted)
        #expect(bench.progress == ["baking"], "the last stage waits too")
        #expect(bench.command(.promote, as: "bob") == .accepted)
        #expect(bench.progress == ["promoted"])
    }

    @Test func whoHasProvedNothingDoesNotCount() throws {
        var bench = try started("approvals: 2")
        for _ in 0..<3 {
            guard case .refused(let reason) = bench.command(.promote) else {
                Issue.record("accepted")
                return
            }
            #expect(reason.contains("proved identities"))
        }
        #expect(bench.live == [10])
    }

    @Test func onlyThoseWhoAreNamedMayApprove() throws {
        var bench = try started("from: [alice, bob, carol], approvals: 2")
        #expect(
            bench.command(.promote, as: "mallory")
                == .refused("mallory may not approve a; those who may: alice, bob, carol"))
        #expect(bench.command(.promote, as: "carol") == .accepted)
        #expect(bench.command(.promote, as: "alice") == .accepted)
        #expect(bench.live == [100])
    }

    @Test func missingDataNeedTheSameNumberOfIdentities() throws {
        var bench = try started("approvals: 2")
        #expect(bench.command(.promoteWithoutData, as: "alice") == .accepted)
        #expect(bench.command(.promote, as: "bob") == .accepted)
        // Both are needed for each, and only one of them has let it pass without data.
        #expect(bench.live == [100])
        var other = try started("approvals: 2")
        _ = other.command(.promote, as: "bob")
        #expect(other.state.services["a"]?.isWithoutData == false)
        _ = other.command(.promoteWithoutData, as: "bob")
        #expect(other.state.services["a"]?.isWithoutData == false && other.live == [10])
    }

    @Test func approvalsSurviveARestart() throws {
        var bench = try started("approvals: 2")
        _ = bench.command(.promote, as: "alice")
        try bench.restart()
        #expect(bench.command(.promote, as: "alice") == .ignored("alice has already approved a"))
        #expect(bench.command(.promote, as: "bob") == .accepted)
        #expect(bench.live == [100])
    }

    @Test func goingBackWaitsForNobody() throws {
        var bench = try started("from: [alice, bob], approvals: 2")
        #expect(bench.command(.pause) == .accepted)
        #expect(bench.command(.abort) == .accepted)
        #expect(bench.live == [0])
        var other = try started("from: [alice, bob], approvals: 2")
        #expect(other.command(.rollback(services: nil)) == .accepted)
        #expect(other.live == [0])
        #expect(other.state.services["a"]?.approvers == [])
    }

    @Test(arguments: [
        ("approvals: 0", "approvals"), ("approvals: 21", "approvals"),
        ("from: [a], approvals: 2", "2 approvals are demanded, but only 1 identities may approve"),
        ("from: [a, a]", "an identity is named twice"), ("expr: up, healthy: '> 0', approvals: 2", "exactly one"),
    ]) func impossibleDemandsAreErrors(gate: String, message: String) {
        let error = #expect(throws: YAMLError.self) { try Self.plan(gate) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
}

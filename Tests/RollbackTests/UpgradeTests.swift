import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// Nodes of two versions share a lease during an upgrade.
@Suite struct UpgradeTests {
    private static func plan(_ stages: String) throws -> RolloutPlan {
        try RolloutPlan(
            parsing: """
                plan: p
                stages: \(stages)
                bake: 5s
                services:
                - {name: a, routes: [{exec: {shift: [s], read: [r], testers: true}}]}
                """, file: "plan.yml")
    }

    /// A record as the version before wrote it: with format 1, or without one.
    private func former(_ state: RolloutState, format: JSON? = 1) throws -> JournalRecord {
        let payload = JournalRecord(epoch: 3, at: Instant(nanoseconds: 1), step: "s", state: state).payload
        let members = try #require(try JSON(parsing: payload).members).filter { $0.name != "format" }
        let json = JSON.object(members + (format.map { [.init("format", $0)] } ?? []))
        return try #require(JournalRecord(payload: Array(json.encoded.utf8)))
    }

    private func format(_ record: JournalRecord) throws -> Int64? {
        try JSON(parsing: record.payload)["format"]?.integer
    }

    @Test(
        "a state of the version before is recorded as it reads it, until the upgrade is finished", arguments: [1, nil])
    func goesOn(_ number: Int64?) throws {
        let record = try former(RolloutState(), format: number.map(JSON.integer))
        #expect(try format(record) == 1)
        var controller = RolloutController(plan: try Self.plan("[50, 100]"), state: record.state)
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        _ = controller.recovered(at: now)
        #expect(
            controller.todo(at: now) == [
                "records keep the format of the version before, so that it can take over: when nobody will run it again: tribune rollout finish-upgrade p"
            ])
        let (outcome, actions) = controller.commanded(RolloutCommand(.start, by: "ops"), at: now)
        #expect(outcome == .accepted)
        let written = actions.compactMap { action in if case .journal(let record) = action { record } else { nil } }
        #expect(try !written.isEmpty && written.allSatisfy { try format($0) == 1 })

        let (finished, later) = controller.commanded(RolloutCommand(.finishUpgrade, by: "ops"), at: now)
        #expect(finished == .accepted && controller.todo(at: now) == [])
        let after = later.compactMap { action in if case .journal(let record) = action { record } else { nil } }
        #expect(try after.map(format) == [2])
        #expect(
            controller.commanded(RolloutCommand(.finishUpgrade, by: "ops"), at: now).outcome
                == .ignored("records have format 2, the newest"))
    }

    @Test("until then no rollout begins whose records it cannot read")
    func refusal() throws {
        var controller = RolloutController(
            plan: try Self.plan("[testers, 100]"), state: try former(RolloutState()).state)
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        _ = controller.recovered(at: now)
        let refusal =
            "the version before cannot read a record of the stage testers: when no node runs it any more, finish the upgrade"
        #expect(controller.commanded(RolloutCommand(.start, by: "ops"), at: now).outcome == .refused(refusal))
        _ = controller.commanded(RolloutCommand(.finishUpgrade, by: "ops"), at: now)
        #expect(controller.commanded(RolloutCommand(.start, by: "ops"), at: now).outcome == .accepted)
    }

    @Test("nor does one go on whose plan has got the stage while no process ran")
    func goingOn() throws {
        var state = try former(RolloutState()).state
        (state.generation, state.phase) = (1, .paused(reason: "ops"))
        state.services["a"] = ServiceRollout()
        var controller = RolloutController(plan: try Self.plan("[testers, 100]"), state: state)
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        _ = controller.recovered(at: now)
        #expect(controller.commanded(RolloutCommand(.resume, by: "ops"), at: now).outcome == .accepted)
        #expect(controller.obstacle(at: now)?.hasPrefix("the version before cannot read") == true)
        _ = controller.commanded(RolloutCommand(.finishUpgrade, by: "ops"), at: now)
        #expect(controller.obstacle(at: now)?.hasPrefix("the version before cannot read") != true)
    }

    @Test("a first rollout, and a record of a later version")
    func others() throws {
        let record = JournalRecord(epoch: 1, at: Instant(nanoseconds: 1), step: "s", state: RolloutState())
        #expect(try format(record) == 2)
        let text = String(decoding: record.payload, as: UTF8.self).replacing("\"format\":2", with: "\"format\":3")
        #expect(text.contains("\"format\":3") && JournalRecord(payload: Array(text.utf8)) == nil)
    }
}

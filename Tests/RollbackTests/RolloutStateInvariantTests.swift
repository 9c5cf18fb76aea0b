import Testing

@testable import Rollback

/// Every kind of corruption of a state is named.
struct RolloutStateInvariantTests {
    private let plan: RolloutPlan

    init() throws {
        plan = try RolloutPlan(
            parsing: """
                plan: p
                stages: [10, 100]
                services:
                - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
                - {name: b, depends: [a], routes: [{exec: {shift: [s], read: [r]}}]}
                """, file: "p.yml")
    }

    /// A rollout that is rolled back from a.
    private var state: RolloutState {
        var state = RolloutState()
        state.generation = 2
        state.phase = .rollingBack
        for name in ["a", "b"] { state.services[name] = ServiceRollout() }
        state.services["a"]?.progress = .rollingBack(.shifted)
        state.rollback = RollbackRecord(
            id: "p-2-1", generation: 2, number: 1, causes: [.command(by: "ops", reason: "")], services: ["a"])
        return state
    }

    @Test("a state as the controller leaves it has no fault")
    func sound() {
        #expect(state.checkInvariants(of: plan) == nil)
        #expect(RolloutState().checkInvariants(of: plan) == nil)
    }

    /// A name with a change of the state.
    struct Corruption: Sendable, CustomTestStringConvertible {
        var message: String
        var change: @Sendable (inout RolloutState) -> Void
        var testDescription: String { message }

        init(_ message: String, _ change: @escaping @Sendable (inout RolloutState) -> Void) {
            self.message = message
            self.change = change
        }
    }

    private static let corruptions: [Corruption] = [
        Corruption("it rolls back without a rollback") { $0.rollback = nil },
        Corruption("the rollback p-2-1 is of a later generation") { $0.generation = 1 },
        Corruption("the rollback p-2-1 has no number, service or cause") { $0.rollback?.number = 0 },
        Corruption("the rollback p-2-1 has no number, service or cause") { $0.rollback?.causes = [] },
        Corruption("the rollback p-2-1 names a service twice") { $0.rollback?.services = ["a", "a"] },
        Corruption("the rollback p-2-1 is over") { $0.rollback?.step = .finished },
        Corruption("the rollback p-2-1 is active in paused") { $0.phase = .paused(reason: "") },
        Corruption("a: is rolled back in the phase promoting") {
            $0.phase = .promoting
            $0.rollback?.step = .finished
        },
        Corruption("b: no rollback takes it back") { $0.services["b"]?.progress = .rollingBack(.intended) },
        Corruption("a: rolling_back at 90/10") { $0.services["a"]?.split = TrafficSplit(candidate: 10)! },
        Corruption("b: waiting at 0/100") { $0.services["b"]?.split = .allCandidate },
        Corruption("b: promoted at 100/0") { $0.services["b"]?.progress = .promoted },
        Corruption("b: there is no stage 2") { $0.services["b"]?.progress = .shifting(stage: 2) },
        Corruption("b: there is no stage -2") {
            $0.services["b"]?.progress = .baking(stage: -2, since: Instant(nanoseconds: 0))
        },
        Corruption("b: shifting to 100/0, stage 0 is 90/10") { $0.services["b"]?.progress = .shifting(stage: 0) },
        Corruption("b: restored while waiting") { $0.services["b"]?.isRestoring = true },
        Corruption("a: there is no route 2") { $0.services["a"]?.abandoned = [1] },
        Corruption("b: given up while waiting") { $0.services["b"]?.abandoned = [0] },
        Corruption("x: doubted, and not there") { $0.doubts = ["x"] },
    ]

    @Test("a planted corruption is named", arguments: corruptions)
    func corruption(_ corruption: Corruption) {
        var state = state
        corruption.change(&state)
        #expect(state.checkInvariants(of: plan) == corruption.message)
    }

    @Test("abandoned routes and a broken order survive the journal")
    func journalled() throws {
        var state = state
        state.services["a"]?.abandoned = [0]
        state.services["a"]?.isOrderBroken = true
        let record = JournalRecord(epoch: 1, at: Instant(nanoseconds: 5), step: "s", state: state)
        #expect(JournalRecord(payload: record.payload) == record)
    }
}

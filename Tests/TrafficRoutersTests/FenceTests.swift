import CurlHTTP
import MetricModel
import RouterFixtures
import Runtime
import TestSupport
import Testing

@testable import Rollback
@testable import TrafficRouters

/// Processes that have lost their lease, with routers that any process can write to.
struct FenceTests {
    private let closed = Fence(isShared: true) { _ in false }
    private let open = Fence(isShared: true) { _ in true }

    private func operation(_ epoch: UInt64) -> RouterOperation {
        var operation = HAProxyFixture.operation
        operation.epoch = epoch
        return operation
    }

    @Test(
        "HAProxy is asked nothing once the lease is lost, though the worker had begun",
        .enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"))
    func haproxy() throws {
        let proxy = try HAProxyFixture()
        var router = proxy.router()
        router.fence = closed
        let lost = RouterError("the lease no longer permits it")
        #expect(throws: lost) { try router.shift(to: .allStable, for: operation(1)) }
        #expect(throws: lost) { try router.isolate(for: operation(1)) }
        #expect(try router.read().split == TrafficSplit(candidate: 50))
        #expect(try !router.read().isCandidateIsolated)
        router.fence = open
        try router.shift(to: .allStable, for: operation(1))
        #expect(try router.read().split == .allStable)
    }

    @Test(
        "the file of nginx is not written over by an older epoch, nor without the lease, and says which epoch wrote it")
    func nginx() throws {
        let directory = TemporaryDirectory()
        let file = directory.file("upstream.conf")
        let route = NginxRoute(
            file: file, upstream: "auth", stable: ["127.0.0.1:1"], candidate: ["127.0.0.1:2"], test: ["/bin/true"],
            reload: ["/bin/true"], probe: "http://127.0.0.1:1/")
        var router = NginxRouter(route: route, timeout: .milliseconds(500), client: HTTPClient(), fence: open)
        // The probe gets no response, so that every shift fails after the file was written.
        func attempt(_ split: TrafficSplit, _ epoch: UInt64) -> String {
            do throws(RouterError) {
                try router.shift(to: split, for: operation(epoch))
                return ""
            } catch {
                return error.description
            }
        }
        _ = attempt(.allStable, 8)
        let written = try #require(FileText.read(file))
        #expect(written.hasPrefix("# Written by Tribune under epoch 8. Changes are lost.\n"))
        #expect(attempt(.allCandidate, 7).contains("written under epoch 8"))
        #expect(FileText.read(file) == written)
        router.fence = closed
        #expect(attempt(.allCandidate, 9) == "the lease no longer permits it")
        #expect(FileText.read(file) == written)
        router.fence = .none
        _ = attempt(.allCandidate, 1)
        #expect(FileText.read(file)?.hasPrefix("# Written by Tribune. Changes are lost.\n") == true)
    }

    @Test("a file that another process wrote meanwhile is not restored")
    func restore() throws {
        let directory = TemporaryDirectory()
        let file = directory.write("theirs", to: "f")
        try DiscoveryFile.restore(file, to: "old", from: "ours")
        #expect(FileText.read(file) == "theirs")
        directory.write("ours", to: "f")
        try DiscoveryFile.restore(file, to: "old", from: "ours")
        #expect(FileText.read(file) == "old")
    }
}

/// The state with which a node continues that wins the lease.
struct TakeUpTests {
    private func record(_ epoch: UInt64, _ phase: RolloutState.Phase = .promoting) -> JournalRecord {
        var state = RolloutState()
        state.phase = phase
        return JournalRecord(epoch: epoch, at: Instant(nanoseconds: 0), step: "s", state: state)
    }

    @Test("the later record is used, and it is complete only if the lease was released")
    func later() {
        #expect(TakeUp(own: nil, left: record(3), leader: 3) == .record(record(3), isComplete: false))
        #expect(TakeUp(own: record(2), left: record(3), leader: nil) == .record(record(3), isComplete: true))
        #expect(TakeUp(own: record(3), left: record(3), leader: 3) == .own)
        #expect(TakeUp(own: nil, left: nil, leader: nil) == .own)
    }

    @Test("a leader without records makes this node's own record doubtful, unless there was no rollout")
    func lost() {
        #expect(TakeUp(own: record(3), left: record(3), leader: 5) == .record(record(3), isComplete: false))
        #expect(TakeUp(own: record(3, .idle), left: nil, leader: 5) == .own)
        #expect(TakeUp(own: record(3), left: record(3), leader: nil) == .own)
    }

    @Test("a term begins with a record, which distinguishes it from one whose records are lost")
    func leads() throws {
        let text = "plan: p\nstages: [100]\nservices:\n- {name: a, routes: [{exec: {shift: [s], read: [r]}}]}\n"
        let plan = try RolloutPlan(parsing: text, file: "p.yml")
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        func steps(_ phase: RolloutState.Phase) -> [String] {
            var state = RolloutState()
            state.phase = phase
            var controller = RolloutController(plan: plan, state: state, epoch: nil)
            let actions =
                controller.leaseChanged(epoch: 4, at: now)
                + controller.leaseChanged(epoch: 4, isAlone: true, at: now)
            return actions.compactMap { if case .journal(let record) = $0 { record.step } else { nil } }
        }
        #expect(steps(.promoted(at: now)) == ["leads"])
        #expect(steps(.idle) == [])
    }

    @Test("a successor notifies of a rollback once, also while a rule stops promotion")
    func toldOnce() throws {
        let text = "plan: p\nstages: [100]\nservices:\n- {name: a, routes: [{exec: {shift: [s], read: [r]}}]}\n"
        let plan = try RolloutPlan(parsing: text, file: "p.yml")
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        var rollback = RollbackRecord(
            id: "p-1-1", generation: 1, number: 1, causes: [.command(by: "x", reason: "y")], services: ["a"])
        rollback.step = .raiseIncident
        var state = RolloutState()
        (state.phase, state.generation, state.rollback) = (.rollingBack, 1, rollback)
        var service = ServiceRollout()
        service.progress = .rolledBack
        state.services["a"] = service
        func told(_ actions: [RolloutController.Action]) -> [String] {
            actions.compactMap {
                switch $0 {
                case .raise: "incident"
                case .notify: "notice"
                default: nil
                }
            }
        }
        var alone = RolloutController(plan: plan, state: state)
        #expect(told(alone.recovered(freezes: ["R: no data"], at: now)) == ["incident", "notice"])
        #expect(alone.freezes == ["R: no data"])
        var shared = RolloutController(plan: plan, state: state, epoch: nil)
        #expect(told(shared.recovered(at: now)) == [])
        #expect(told(shared.leaseChanged(epoch: 4, at: now)) == ["incident", "notice"])
        #expect(told(shared.leaseChanged(epoch: 4, isAlone: true, at: now)) == [])
    }
}

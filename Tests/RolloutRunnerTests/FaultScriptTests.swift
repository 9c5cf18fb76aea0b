import MetricModel
import RouterFixtures
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Durable
@testable import Rollback
@testable import RolloutRunner
@testable import TrafficRouters

/// What a sceptical operator would try with two real HAProxies, and the right end of it. The other parts of this script
/// are named in docs/development/fault-script.md. Skipped, saying so, where no HAProxy is installed.
@Suite(.enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"), .serialized)
struct FaultScriptTests {
    private let near: HAProxyFixture
    private let disk = TestDisk()

    init() throws { near = try Self.proxy() }

    /// A proxy whose candidates have no traffic, as before a rollout; those of its file have 50 %.
    private static func proxy() throws -> HAProxyFixture {
        let proxy = try HAProxyFixture()
        for backend in ["auth", "ac"] {
            try proxy.router(backend: backend).shift(to: .allStable, for: HAProxyFixture.operation)
        }
        return proxy
    }

    /// A plan of `auth` with a route in each of two proxies, or of one.
    private func plan(_ proxies: [HAProxyFixture], _ top: String = "bake: 1h") throws -> RolloutPlan {
        let routes = proxies.map {
            "{haproxy: {address: \($0.socket), stable: [auth/blue], candidate: [auth/green]}, timeout: 500ms}"
        }
        return try RolloutPlan(
            parsing: """
                plan: acgs
                stages: [50, 100]
                settle: 0s
                reconcile: 200ms
                gate_timeout: 1s
                validation: {rounds: 2, interval: 10ms, timeout: 10s}
                \(top)
                services:
                - name: auth
                  routes: [\(routes.joined(separator: ", "))]
                """, file: "plan.yml")
    }

    private func start(_ plan: RolloutPlan, rules: [RuleWatch] = []) throws -> RollbackRunner {
        var settings = RollbackRunner.Settings(directory: near.directory.path)
        settings.device = disk.device
        let runner = try RollbackRunner(plans: [plan], settings: settings)
        try runner.start()
        if !rules.isEmpty { #expect(runner.reload([plan], rules: rules) == []) }
        return runner
    }

    private func begin(_ runner: RollbackRunner) throws {
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs") == .accepted)
        try #require(Loopback.eventually { runner.snapshots[0].services.allSatisfy { $0.progress == "baking" } })
    }

    private func order(_ verb: RolloutCommand.Verb, _ runner: RollbackRunner) -> CommandOutcome {
        runner.command(RolloutCommand(verb, by: "ops", reason: "they know why"), plan: "acgs")
    }

    private func isBack(_ proxy: HAProxyFixture, _ backend: String = "auth") -> Bool {
        // While HAProxy starts there is no answer.
        Loopback.eventually { (try? proxy.router(backend: backend).read().split) == .allStable }
    }

    private func share(_ proxy: HAProxyFixture, _ backend: String = "auth") throws -> Int? {
        try proxy.router(backend: backend).read().split?.candidate
    }

    private func phase(_ runner: RollbackRunner, _ wanted: String) -> Bool {
        Loopback.eventually { runner.snapshots[0].phase == wanted }
    }

    private func definition(_ missing: RollbackDefinition.MissingPolicy = .init()) -> RollbackDefinition {
        RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), missing: missing,
            action: .init(plan: "acgs", scope: .all))
    }

    /// Measurements of one millisecond rest on one sample, and count once.
    private static let measurements = Atomic<Int64>(0)

    private func measurement(
        _ values: [String: Double], _ definition: RollbackDefinition? = nil
    ) -> RollbackMeasurement {
        RollbackMeasurement(
            rule: "f;g;R", ruleHash: "h", definition: definition ?? self.definition(),
            time: Timestamp(
                milliseconds: SystemClock.wallMilliseconds()
                    + Self.measurements.wrappingAdd(1, ordering: .relaxed).newValue),
            causeNanoseconds: SystemClock.monotonicNanoseconds(),
            elements: values.sorted { $0.key < $1.key }.map { .init(labels: ["service": $0.key], value: $0.value) })
    }

    // MARK: routes

    @Test(
        "a trip takes traffic back along one route while the other's router is dead, and along that when it lives again"
    )
    func deadRouter() throws {
        let far = try Self.proxy()
        let runner = try start(try plan([near, far]))
        defer { runner.stop() }
        try begin(runner)
        far.end()
        runner.measured(measurement(["auth": 0]))
        #expect(isBack(near))
        #expect(
            Loopback.eventually { runner.snapshots[0].services[0].frozen?.contains("cannot be read") == true })
        #expect(runner.snapshots[0].phase == "rolling_back")
        #expect(Loopback.eventually { runner.snapshots[0].services[0].routes[1].view.unreadableSince != nil })
        #expect(runner.snapshots[0].services[0].routes[0].view.unreadableSince == nil)
        // Its file has 50 %.
        try far.restart()
        #expect(isBack(far))
        #expect(phase(runner, "rolled_back"))
        #expect(runner.snapshots[0].report?.rollback.verdict?.isValid == true)
    }

    @Test("a person ends the attempts at a router that stays dead; the rollback is over, and not validated")
    func abandonedRoute() throws {
        let far = try Self.proxy()
        let runner = try start(try plan([near, far]))
        defer { runner.stop() }
        try begin(runner)
        far.end()
        #expect(order(.abort, runner) == .accepted)
        #expect(isBack(near))
        #expect(phase(runner, "rolling_back"))
        #expect(order(.abandonRoute(RouteID("auth", 1)), runner) == .accepted)
        #expect(phase(runner, "rolled_back"))
        #expect(runner.snapshots[0].report?.rollback.verdict?.isValid == false)
    }

    @Test("a router that never was leaves the candidate without traffic, and the status without a division")
    func absentRouter() throws {
        near.end()
        let runner = try start(try plan([near]))
        defer { runner.stop() }
        #expect(order(.start, runner) == .accepted)
        #expect(Loopback.eventually { runner.snapshots[0].services[0].routes[0].view.unreadableSince != nil })
        #expect(runner.snapshots[0].services[0].routes[0].view.observed == nil)
        #expect(runner.snapshots[0].obstacle?.contains("has not been read") == true)
        #expect(runner.snapshots[0].services[0].progress == "waiting")
    }

    // MARK: orders

    @Test(
        "after the rollback of one service the other one keeps its traffic, which the status says; abort ends that")
    func partialRollback() throws {
        let plan = try RolloutPlan(parsing: near.plan(), file: "plan.yml")
        let runner = try start(plan)
        defer { runner.stop() }
        try begin(runner)
        #expect(order(.rollback(services: ["ac"]), runner) == .accepted)
        #expect(phase(runner, "rolled_back"))
        #expect(isBack(near, "ac"))
        #expect(try share(near) == 50)
        #expect(runner.snapshots[0].obstacle?.contains("auth keeps its traffic") == true)
        #expect(order(.abort, runner) == .accepted)
        #expect(isBack(near))
        #expect(phase(runner, "rolled_back"))
    }

    @Test(
        "an abort with a full disk and a dead router is done when the router lives again, and known when there is room")
    func brokenTwice() throws {
        let plan = try plan([near])
        var runner = try start(plan)
        try begin(runner)
        disk.isFull.store(true, ordering: .releasing)
        near.end()
        #expect(order(.abort, runner) == .accepted)
        #expect(Loopback.eventually { runner.snapshots[0].services[0].frozen != nil })
        #expect(Loopback.eventually { runner.snapshots[0].journal != nil })
        #expect(order(.start, runner) != .accepted)
        // Its file has 50 %.
        try near.restart()
        #expect(isBack(near))
        #expect(phase(runner, "rolled_back"))
        #expect(runner.snapshots[0].journal != nil, "and the disk is still full")
        disk.isFull.store(false, ordering: .releasing)
        #expect(Loopback.eventually { runner.snapshots[0].journal == nil })
        runner.stop()
        runner = try start(plan)
        defer { runner.stop() }
        #expect(runner.snapshots[0].phase == "rolled_back")
        #expect(try share(near) == 0)
    }

    // MARK: no data

    /// Two services of one rule that expects data of both at once.
    private func twoServices(
        _ missing: RollbackDefinition.MissingPolicy = .init(), mode: RollbackDefinition.Mode = .enforce,
        _ top: String = ""
    ) throws -> (RollbackRunner, RollbackDefinition) {
        let plan = try RolloutPlan(
            parsing: near.plan(top).replacing("bake: 1h", with: "bake: 50ms\ngate_timeout: 1s"), file: "plan.yml")
        var definition = definition(missing)
        definition.mode = mode
        let watch = RuleWatch(
            rule: "f;g;R", definition: definition, services: ["auth", "ac"], firstData: .milliseconds(100))
        return (try start(plan, rules: [watch]), definition)
    }

    private func isLacking(_ runner: RollbackRunner, _ service: String) -> Bool {
        runner.snapshots[0].services.first { $0.name == service }?.lack != nil
    }

    private func isHeld(_ runner: RollbackRunner, _ service: String) -> Bool {
        Loopback.eventually { isLacking(runner, service) }
    }

    @Test("a rule whose metric does not exist lets nothing past its first stage, and takes nothing back")
    func misspelled() throws {
        let (runner, definition) = try twoServices()
        defer { runner.stop() }
        #expect(order(.start, runner) == .accepted)
        #expect(isHeld(runner, "auth") && isHeld(runner, "ac"))
        for _ in 0..<20 { runner.measured(measurement([:], definition)) }
        #expect(isHeld(runner, "auth"))
        #expect(try share(near) == 50)
        #expect(try share(near, "ac") == 50)
        #expect(runner.snapshots[0].phase == "promoting")
    }

    @Test("a service that never had the metric stays where it is, though the other one has it")
    func oneWithout() throws {
        let (runner, definition) = try twoServices(.init(policy: .freeze))
        defer { runner.stop() }
        #expect(order(.start, runner) == .accepted)
        #expect(
            Loopback.eventually {
                runner.measured(measurement(["auth": 1], definition))
                return runner.snapshots[0].services.contains { $0.name == "ac" && $0.lack != nil }
                    || runner.snapshots[0].obstacle?.contains("no data") == true
            })
        #expect(try share(near, "ac") == 50)
        #expect(runner.snapshots[0].phase == "promoting")
    }

    @Test("a candidate whose metrics end in the middle of a rollout stays where it is; with data it goes on")
    func ended() throws {
        let (runner, definition) = try twoServices()
        defer { runner.stop() }
        #expect(order(.start, runner) == .accepted)
        runner.measured(measurement(["auth": 1, "ac": 1], definition))
        #expect(isHeld(runner, "auth"))
        for _ in 0..<20 { runner.measured(measurement([:], definition)) }
        #expect(try share(near) == 50)
        #expect(
            Loopback.eventually {
                runner.measured(measurement(["auth": 1, "ac": 1], definition))
                return runner.snapshots[0].phase == "promoted"
            })
        #expect(try share(near) == 100)
    }

    @Test("a rule of freeze_if that has data of one service only holds the other one, though it rolls nothing back")
    func freezeIf() throws {
        let (runner, definition) = try twoServices(mode: .shadow, "freeze_if: [R]")
        defer { runner.stop() }
        #expect(order(.start, runner) == .accepted)
        #expect(
            try Loopback.eventually {
                runner.measured(measurement(["auth": 1], definition))
                return try share(near) == 100 && isLacking(runner, "ac")
            })
        #expect(try share(near, "ac") == 50)
    }

    @Test("a rule about traffic, which has no data before there is any, lets a candidate leave 0 %")
    func beforeTraffic() throws {
        let (runner, definition) = try twoServices(.init(policy: .freeze))
        defer { runner.stop() }
        for _ in 0..<3 { runner.measured(measurement([:], definition)) }
        #expect(order(.start, runner) == .accepted)
        #expect(
            Loopback.eventually {
                runner.measured(measurement([:], definition))
                return runner.snapshots[0].services.allSatisfy { $0.split.candidate == 50 }
            })
        #expect(
            Loopback.eventually {
                runner.measured(measurement(["auth": 1, "ac": 1], definition))
                return runner.snapshots[0].phase == "promoted"
            })
    }
}

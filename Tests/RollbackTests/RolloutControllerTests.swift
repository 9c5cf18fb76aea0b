import JSON
import MetricModel
import RollbackSimulation
import RuleModel
import Testing

@testable import Rollback

/// Timelines of one controller in a world where nothing fails by itself.
struct RolloutControllerTests {
    private let plan: RolloutPlan

    init() throws {
        plan = try RolloutPlan(parsing: Shape.diamond, file: "sim.yml")
    }

    private func world(_ plan: RolloutPlan? = nil) -> World {
        World(calm: plan ?? self.plan)
    }

    private func promoted() -> World {
        var world = world()
        world.command(.start)
        world.run(for: .minutes(2))
        return world
    }

    private func progress(_ world: World) -> [String] {
        plan.services.map { world.lastState.services[$0.name]?.progress.name ?? "" }
    }

    private func live(_ world: World) -> [Int?] {
        plan.services.map { world.routers[RouteID($0.name, 0)]?.live?.candidate }
    }

    @Test("a rollout promotes level by level, with settle times, and ends with every candidate at 100")
    func promotion() {
        var world = world()
        #expect(world.command(.start) == .accepted)
        world.run(for: .seconds(1))
        #expect(live(world) == [10, 0, 0, 0])
        world.run(for: .seconds(8))
        #expect(progress(world) == ["promoted", "waiting", "waiting", "waiting"])
        world.run(for: .seconds(6))
        #expect(progress(world) == ["promoted", "baking", "waiting", "waiting"], "settled")
        world.run(for: .seconds(15))
        #expect(progress(world) == ["promoted", "promoted", "baking", "baking"], "two of a level at a time")
        world.run(for: .minutes(2))
        #expect(live(world) == [100, 100, 100, 100])
        if case .promoted = world.lastState.phase {} else { Issue.record("phase \(world.lastState.phase)") }
        world.run(for: .hours(3))
        #expect(world.lastState.phase == .retired)
        #expect(world.command(.rollback(services: nil)) == .refused("the stable version is no longer retained"))
        #expect(world.violations == [])
    }

    @Test(
        "a trip takes back what its scope says, dependents first, and nothing else",
        arguments: [
            (RollbackDefinition.Action.Scope.service, "b", [100, 0, 100, 100]),
            (.serviceAndDependents, "b", [100, 0, 0, 100]), (.serviceAndDependents, "a", [0, 0, 0, 0]),
            (.all, "d", [0, 0, 0, 0]),
        ])
    func scopes(scope: RollbackDefinition.Action.Scope, service: String, weights: [Int?]) {
        var world = promoted()
        let trip = world.trip(service, scope: scope)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .minutes(1))
        #expect(live(world) == weights)
        #expect(world.lastState.phase == .rolledBack)
        #expect(world.reports.first?.rollback.verdict?.isValid == true)
        #expect(world.incidents.map(\.id) == ["sim-1-1"])
        #expect(world.violations == [])
    }

    @Test("the order of a trip is fixed")
    func order() {
        var world = promoted()
        let trip = world.trip("c", scope: .service)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .minutes(1))
        #expect(
            world.reports.first?.rollback.timeline.map(\.step) == [
                "decided", "intended", "shifted", "verified", "isolated", "incident", "announced", "validated",
                "reported",
            ])
    }

    @Test("a repeated trip, and a second rule, do not roll back a service twice")
    func once() {
        var world = promoted()
        for _ in 0..<3 {
            let trip = world.trip("c", scope: .service)
            world.step { $0.tripped(trip, at: $1) }
            world.run(for: .minutes(1))
        }
        #expect(world.rollbacks == ["c/1": 1])
        #expect(world.reports.count == 1)
    }

    @Test("a trip that joins a running rollback extends it")
    func joined() {
        var world = promoted()
        let first = world.trip("d", scope: .service)
        let second = world.trip("c", scope: .service)
        world.step { $0.tripped(first, at: $1) }
        world.step { $0.tripped(second, at: $1) }
        world.run(for: .minutes(1))
        #expect(world.reports.map(\.rollback.services) == [["d", "c"]])
        #expect(world.reports.first?.rollback.causes.count == 2)
        #expect(live(world) == [100, 100, 0, 0])
    }

    @Test("a shadow trip is recorded and does nothing")
    func shadow() {
        var world = promoted()
        let before = world.lastState
        let trip = world.trip("c", scope: .all, mode: .shadow)
        var recorded: [RollbackEvent] = []
        world.step { controller, now in
            let actions = controller.tripped(trip, at: now)
            for case .record(let event) in actions { recorded.append(event) }
            return actions
        }
        #expect(world.lastState == before)
        #expect(recorded.map(\.body["decision"]) == ["shadow: would roll back d, c, b, a"])
    }

    @Test("a later trip with a shorter cooldown does not shorten the present one")
    func longestCooldown() {
        var world = promoted()
        for (service, cooldown) in [("d", Milliseconds.minutes(10)), ("c", .seconds(1))] {
            var trip = world.trip(service, scope: .service)
            trip.cooldown = cooldown
            world.step { $0.tripped(trip, at: $1) }
        }
        world.run(for: .minutes(1))
        #expect(world.command(.start) == .refused("cooldown for another 540 s"))
    }

    @Test("after a trip nothing is promoted until the cooldown is over")
    func cooldown() {
        var world = promoted()
        let trip = world.trip("a", scope: .all)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .seconds(10))
        #expect(world.lastState.phase == .rolledBack)
        #expect(world.command(.start) == .refused("cooldown for another 20 s"))
        world.run(for: .seconds(20))
        #expect(world.command(.start) == .accepted)
        #expect(world.lastState.generation == 2)
    }

    @Test("a trip of a service that has no traffic stops promotion")
    func tripBeforeItsTurn() {
        var world = world()
        world.command(.start)
        world.run(for: .seconds(1))
        let trip = world.trip("c", scope: .service)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .minutes(5))
        #expect(live(world) == [10, 0, 0, 0])
        if case .paused = world.lastState.phase {} else { Issue.record("phase \(world.lastState.phase)") }
        #expect(world.command(.resume) == .accepted)
    }

    @Test("a trip that names no service of the plan stops promotion and pages")
    func unknownService() {
        var world = world()
        world.command(.start)
        world.run(for: .seconds(1))
        let trip = world.trip("elsewhere", scope: .service)
        world.step { $0.tripped(trip, at: $1) }
        #expect(world.notices.map(\.kind) == [.page])
        #expect(live(world) == [10, 0, 0, 0])
    }

    @Test("abort rolls everything back from promotion, pause and a partial rollback; otherwise it has no effect")
    func abort() {
        var idle = world()
        #expect(idle.command(.abort) == .ignored("there is no rollout to abort"))
        for pause in [false, true] {
            var world = world()
            world.command(.start)
            world.run(for: .seconds(20))
            if pause { world.command(.pause) }
            #expect(world.command(.abort) == .accepted)
            world.run(for: .minutes(1))
            #expect(live(world) == [0, 0, 0, 0])
            #expect(world.lastState.phase == .rolledBack)
        }
        var world = promoted()
        let trip = world.trip("d", scope: .service)
        world.step { $0.tripped(trip, at: $1) }
        #expect(world.command(.abort) == .accepted)
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 0, 0, 0])
    }

    @Test("abort and rollback end the rest of a partial rollback", arguments: [true, false])
    func partial(isAbort: Bool) {
        var world = world()
        world.command(.start)
        world.run(for: .seconds(16))
        #expect(live(world) == [100, 10, 0, 0])
        #expect(world.command(.rollback(services: ["b"])) == .accepted)
        world.run(for: .minutes(1))
        #expect(live(world) == [100, 0, 0, 0])
        #expect(world.lastState.phase == .rolledBack)
        #expect(
            world.controller?.standstill(at: world.now)
                == "the candidate of a keeps its traffic: abort or rollback ends that")
        let end = isAbort ? RolloutCommand.Verb.abort : .rollback(services: nil)
        #expect(world.command(end) == .accepted)
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 0, 0, 0])
        #expect(world.command(.abort) == .ignored("all services are already rolled back"))
        #expect(world.command(.rollback(services: nil)) == .ignored("no candidate takes traffic"))
        #expect(world.violations == [])
    }

    @Test("a complete rollback ends a rollout whose candidates have no traffic yet")
    func rollbackBeforeTraffic() {
        var world = world()
        world.step { $0.freezesChanged(to: ["held"], at: $1) }
        world.command(.start)
        world.step { $0.freezesChanged(to: ["held"], at: $1) }
        #expect(world.command(.rollback(services: ["a"])) != nil)
        world.command(.rollback(services: nil))
        world.run(for: .minutes(2))
        #expect(world.lastState.phase == .rolledBack)
        #expect(live(world) == [0, 0, 0, 0])
    }

    @Test("pause keeps the weights, resume continues")
    func pause() {
        var world = world()
        world.command(.start)
        world.run(for: .seconds(1))
        #expect(world.command(.pause) == .accepted)
        world.run(for: .minutes(5))
        #expect(live(world) == [10, 0, 0, 0])
        #expect(world.command(.resume) == .accepted)
        world.run(for: .minutes(2))
        #expect(live(world) == [100, 100, 100, 100])
    }

    @Test("without history, or while data of a rule are missing, promotion stops and rollback works")
    func obstacles() {
        var world = world()
        world.command(.start)
        world.run(for: .seconds(1))
        world.step { $0.historyChanged(isAvailable: false, at: $1) }
        world.withhold("a", .init(policy: .freeze), for: .minutes(12))
        world.run(for: .minutes(5))
        #expect(live(world) == [10, 0, 0, 0])
        world.step { $0.historyChanged(isAvailable: true, at: $1) }
        world.run(for: .minutes(5))
        #expect(live(world) == [10, 0, 0, 0])
        let trip = world.trip("a", scope: .all)
        world.step { $0.historyChanged(isAvailable: false, at: $1) }
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 0, 0, 0])
        #expect(world.lastState.phase == .rolledBack)
    }

    @Test("no traffic is shifted to a stable version that is not verified healthy; one page is sent")
    func unhealthy() {
        var world = promoted()
        world.routers[RouteID("c", 0)]?.stableIsHealthy = false
        let trip = world.trip("a", scope: .all)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .minutes(3))
        #expect(live(world) == [100, 100, 100, 0], "what c depends on waits for it")
        #expect(world.notices.filter { $0.kind == .page }.count == 1)
        #expect(world.lastState.services["c"]?.frozen != nil)
        world.routers[RouteID("c", 0)]?.stableIsHealthy = true
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 0, 0, 0])
        #expect(world.violations == [])
    }

    @Test("a service whose gate stays closed is rolled back, and the others continue while enough of the level succeed")
    func closedGate() throws {
        var closed = try RolloutPlan(parsing: Shape.diamond, file: "sim.yml")
        let index = try #require(closed.services.firstIndex { $0.name == "d" })
        closed.services[index].gates = [.init(name: "approval", kind: .approval())]
        var world = world(closed)
        world.command(.start)
        world.run(for: .minutes(10))
        #expect(progress(world) == ["promoted", "promoted", "promoted", "rolled_back"])
        if case .promoted = world.lastState.phase {} else { Issue.record("phase \(world.lastState.phase)") }
        #expect(world.notices.contains { $0.text.contains("d could not be promoted: gate approval: not approved") })
        closed.successRatio = 0.8
        world = self.world(closed)
        world.command(.start)
        world.run(for: .minutes(10))
        #expect(progress(world) == ["promoted", "promoted", "promoted", "rolled_back"])
        if case .paused = world.lastState.phase {} else { Issue.record("phase \(world.lastState.phase)") }
    }

    @Test("promote ends the bake time and approves")
    func promote() throws {
        var slow = plan
        for index in slow.services.indices {
            slow.services[index].bake = .hours(1)
            slow.services[index].gates = [.init(name: "approval", kind: .approval())]
        }
        var world = world(slow)
        world.command(.start)
        world.run(for: .seconds(1))
        #expect(world.command(.promote) == .accepted)
        world.run(for: .seconds(1))
        #expect(live(world) == [100, 0, 0, 0])
        #expect(world.command(.pause) == .accepted)
        #expect(world.command(.promote) == .refused("nothing is being promoted"))
    }

    @Test("drift of an idle service is corrected within the interval, also after the rollback")
    func drift() {
        var world = promoted()
        world.routers[RouteID("b", 0)]?.live = TrafficSplit(candidate: 50)
        world.run(for: .seconds(11))
        #expect(live(world) == [100, 100, 100, 100])
        let trip = world.trip("a", scope: .all)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .seconds(20))
        world.routers[RouteID("b", 0)]?.live = TrafficSplit(candidate: 50)
        world.run(for: .seconds(11))
        #expect(live(world) == [0, 0, 0, 0])
    }

    @Test("the lower weight of a candidate is not corrected while a trip forbids more")
    func driftDownAfterTrip() {
        var world = promoted()
        let trip = world.trip("c", scope: .service)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .seconds(20))
        world.routers[RouteID("a", 0)]?.live = .allStable
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 100, 0, 100])
        #expect(world.violations == [])
    }

    @Test("a rollback is not validated while the candidate gets requests")
    func leak() {
        var world = promoted()
        let trip = world.trip("c", scope: .service)
        world.step { $0.tripped(trip, at: $1) }
        for _ in 0..<600 {
            world.run(for: .milliseconds(100))
            world.routers[RouteID("c", 0)]?.candidateRequests += 1
        }
        let verdict = world.reports.first?.rollback.verdict
        #expect(verdict?.isValid == false)
        #expect(verdict?.detail.contains("c: the candidate still got") == true)
        #expect(world.notices.contains { $0.kind == .page })
    }

    @Test("without the lease nothing is done, and earlier replies do not count")
    func lease() throws {
        var controller = RolloutController(plan: plan)
        let now = Instant(nanoseconds: 1)
        let actions = controller.commanded(RolloutCommand(.start, by: "x"), at: now).actions
        let operation = try #require(
            actions.lazy.compactMap { action -> RouterOperation? in
                if case .operate(let operation) = action { operation } else { nil }
            }.first)
        #expect(controller.leaseChanged(epoch: nil, at: now) == [])
        let seen = Inspection(split: .allStable, stable: .healthy)
        #expect(controller.replied(operation.id, .inspected(seen), at: now) == [])
        #expect(
            controller.commanded(RolloutCommand(.abort, by: "x"), at: now).outcome
                == .refused("another process holds the lease"))
        let resumed = controller.leaseChanged(epoch: 7, at: now)
        for case .operate(let operation) in resumed { #expect(operation.epoch == 7) }
        #expect(!resumed.isEmpty)
    }

    @Test("a plan may change its times during a rollout, but not its structure")
    func planChange() throws {
        var world = world()
        world.command(.start)
        world.run(for: .seconds(1))
        var controller = try #require(world.controller)
        var other = plan
        other.settle = .seconds(1)
        #expect(controller.planChanged(to: other, at: world.now).waits == nil)
        #expect(controller.plan.settle == .seconds(1))
        other.services.removeLast()
        other.settle = .seconds(2)
        let services = controller.plan.services
        let waits = controller.planChanged(to: other, at: world.now).waits
        #expect(waits == "services, routes and stages change later: generation 1 is under way")
        #expect(controller.plan.settle == .seconds(2), "what is no structure is in force")
        #expect(controller.plan.services == services)
        #expect(controller.unfinished == "generation 1 is under way")
        let revision = controller.structureRevision
        _ = controller.commanded(RolloutCommand(.abort, by: "ops"), at: world.now)
        var now = world.now
        for _ in 0..<1000 where controller.plan != other {
            now = now + .seconds(1)
            for entry in controller.work.values.flatMap(\.routes).compactMap(\.pending) {
                let result: OperationResult =
                    entry.purpose.isReading ? .inspected(Inspection(split: .allStable, stable: .healthy)) : .done
                _ = controller.replied(entry.id, result, at: now)
            }
            _ = controller.timePassed(at: now)
        }
        #expect(controller.plan == other, "it waits for the end of the rollout alone")
        #expect(controller.structureRevision == revision + 1)
        #expect(controller.state.phase == .idle && controller.state.generation == 1)
    }

    @Test("after a kill before or after any action, the world ends in the same state")
    func crashAnywhere() {
        var step = 0
        while true {
            var world = world()
            world.crashCountdown = step
            // Attempts may be lost to the crash; a world that never begins fails below.
            for _ in 0..<60 where world.lastState.phase == .idle {
                world.command(.start)
                world.run(for: .seconds(1))
            }
            world.run(for: .minutes(3))
            for _ in 0..<60 where world.lastState.rollback == nil {
                let trip = world.trip("a", scope: .all)
                world.step { $0.tripped(trip, at: $1) }
                world.run(for: .seconds(10))
            }
            world.run(for: .minutes(3))
            #expect(world.violations == [], "crash at action \(step)")
            #expect(live(world) == [0, 0, 0, 0], "crash at action \(step)")
            #expect(progress(world) == [String](repeating: "rolled_back", count: 4))
            #expect(world.lastState.phase == .rolledBack)
            if world.process == 0 { break }
            step += 1
            guard step < 1000 else {
                Issue.record("the process takes ever more actions")
                return
            }
        }
        #expect(step > 50)
    }
}

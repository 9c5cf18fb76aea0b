import MetricModel
import RollbackSimulation
import RuleModel
import Testing

@testable import Rollback

/// Operations of one route do not wait for those of another one.
struct RouteOperationTests {
    private let plan: RolloutPlan

    init() throws {
        plan = try RolloutPlan(
            parsing: """
                plan: p
                stages: [50, 100]
                bake: 1h
                settle: 0s
                reconcile: 5s
                validation: {rounds: 1, interval: 1s, timeout: 20s}
                services:
                - {name: a, routes: [{exec: {shift: [one], read: [r]}}, {exec: {shift: [two], read: [r]}}]}
                - {name: b, depends: [a], routes: [{exec: {shift: [three], read: [r]}}]}
                """, file: "p.yml")
    }

    private let first = RouteID("a", 0)
    private let second = RouteID("a", 1)
    private let third = RouteID("b", 0)

    private func live(_ world: World) -> [Int?] {
        [first, second, third].map { world.routers[$0]?.live?.candidate }
    }

    /// Both services at 50 %.
    private func promoting() -> World {
        var world = World(calm: plan)
        world.command(.start)
        world.run(for: .seconds(1))
        world.command(.promote)
        world.run(for: .seconds(1))
        world.command(.promote)
        world.run(for: .seconds(1))
        return world
    }

    private func trip(_ world: inout World, _ service: String = "a") {
        let trip = world.trip(service, scope: .serviceAndDependents)
        world.step { $0.tripped(trip, at: $1) }
    }

    private func steps(_ world: World) -> [String] {
        world.lastState.rollback?.timeline.map { "\($0.step) \($0.service ?? ""): \($0.detail)" } ?? []
    }

    @Test("a dead route does not stop the shift of another one; it is named, retried and rolled back when it responds")
    func deadRoute() {
        var world = promoting()
        #expect(live(world) == [100, 100, 50])
        world.routers[second]?.isDead = true
        trip(&world)
        world.run(for: .seconds(1))
        #expect(live(world) == [0, 100, 0])
        #expect(world.lastState.services["a"]?.progress == .rollingBack(.intended))
        #expect(world.lastState.services["a"]?.frozen == "the router cannot be read: refused")
        #expect(world.controller?.views[second]?.fault == "refused")
        #expect(world.controller?.views[first]?.fault == nil)
        #expect(steps(world).contains("verified a: exec one: read back 100/0"))
        #expect(world.notices.filter { $0.kind == .page }.count == 1)
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 100, 0], "nothing is known of it")
        world.routers[second]?.isDead = false
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 0, 0])
        #expect(world.lastState.phase == .rolledBack)
        #expect(world.reports.first?.rollback.verdict?.isValid == true)
        #expect(steps(world).contains("verified a: exec two: read back 100/0"))
        #expect(world.violations == [])
    }

    @Test("promotion waits for every route, and rises on none before all of them may rise")
    func promotion() {
        var world = World(calm: plan)
        world.run(for: .seconds(1))
        world.routers[second]?.isDead = true
        world.command(.start)
        world.run(for: .seconds(3))
        #expect(live(world) == [0, 0, 0])
        world.routers[second]?.isDead = false
        world.run(for: .seconds(10))
        #expect(live(world) == [50, 50, 0])
        #expect(world.violations == [])
    }

    @Test("nothing rises before every route was read")
    func unread() {
        var world = World(calm: plan)
        world.routers[third]?.isDead = true
        world.command(.start)
        world.run(for: .minutes(1))
        #expect(live(world) == [0, 0, 0])
        #expect(world.controller?.obstacle(at: world.now) == "b has not been read: exec three")
        world.routers[third]?.isDead = false
        world.run(for: .seconds(20))
        #expect(live(world) == [50, 50, 0])
    }

    @Test("a person ends the attempts at a dead route; the rollback is over, and not validated")
    func abandon() {
        var world = promoting()
        #expect(world.command(.abandonRoute(second)) == .refused("a is not being rolled back"))
        world.routers[second]?.isDead = true
        trip(&world)
        world.run(for: .seconds(20))
        #expect(world.lastState.phase == .rollingBack)
        #expect(world.command(.abandonRoute(RouteID("x", 0))) == .refused("there is no service \"x\""))
        #expect(world.command(.abandonRoute(RouteID("a", 2))) == .refused("a has 2 routes, counted from 1"))
        #expect(
            world.command(.abandonRoute(first)) == .refused("exec one responds: it cannot be given up"))
        #expect(world.command(.abandonRoute(second)) == .accepted)
        world.run(for: .seconds(20))
        #expect(world.lastState.phase == .rolledBack)
        let report = world.reports.first
        #expect(report?.rollback.verdict?.isValid == false)
        #expect(report?.rollback.verdict?.detail == "given up: a: exec two")
        #expect(report?.markdown.contains("exec two, last read 100/0") == false)
        #expect(report?.markdown.contains("from the route given up: exec two, last read 0/100") == true)
        world.routers[second]?.isDead = false
        world.run(for: .seconds(20))
        #expect(live(world) == [0, 0, 0], "it is read forever, and corrected when it responds")
        #expect(world.violations == [])
    }

    @Test("unreachable dependents delay their dependencies for ten seconds, which is recorded")
    func unreachableDependent() {
        var world = promoting()
        world.routers[third]?.isDead = true
        trip(&world)
        world.run(for: .seconds(9))
        #expect(live(world) == [100, 100, 50])
        world.run(for: .seconds(3))
        #expect(live(world) == [0, 0, 50])
        #expect(steps(world).contains("order broken a: not waiting for b: unreachable"))
        world.routers[third]?.isDead = false
        world.run(for: .minutes(1))
        #expect(world.lastState.phase == .rolledBack)
        #expect(world.violations == [])
    }

    @Test("dependents whose stable version is not healthy are waited for")
    func unhealthyDependent() {
        var world = promoting()
        world.routers[third]?.stableIsHealthy = false
        trip(&world)
        world.run(for: .minutes(1))
        #expect(live(world) == [100, 100, 50])
        #expect(!steps(world).contains { $0.hasPrefix("order broken") })
    }

    @Test("a route that cannot be read is paged once after its time, without any rollout, and resolved when it is read")
    func unreadPage() {
        var world = World(calm: plan)
        world.run(for: .seconds(1))
        world.routers[second]?.isDead = true
        world.run(for: .seconds(50))
        #expect(world.notices.isEmpty)
        world.run(for: .minutes(5))
        #expect(world.notices.map(\.kind) == [.page])
        #expect(
            world.notices.first?.text
                == "plan p, service a: exec two cannot be read, its split is unknown (last reading 100/0): refused")
        #expect(world.controller?.views[second]?.observed == .allStable, "the last reading")
        #expect(world.controller?.views[second]?.unreadableSince != nil)
        world.routers[second]?.isDead = false
        world.run(for: .seconds(20))
        #expect(world.notices.map(\.kind) == [.page, .over])
        #expect(world.controller?.views[second]?.unreadableSince == nil)
    }

    @Test("after a start, a candidate with less traffic than recorded was taken back; one with as much goes on")
    func incompleteRecord() {
        for isLower in [false, true] {
            var world = promoting()
            world.crashCountdown = 0
            if isLower { world.routers[first]?.live = .allStable }
            world.run(for: .minutes(1))
            #expect(world.process == 1)
            #expect(world.lastState.phase == (isLower ? .rolledBack : .promoting))
            #expect(live(world) == (isLower ? [0, 0, 0] : [100, 100, 50]))
            #expect(world.violations == [])
        }
    }
}

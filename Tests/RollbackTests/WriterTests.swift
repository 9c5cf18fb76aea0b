import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// Weights that change without Tribune: by a restart of the router, or by another writer.
struct WriterTests {
    private static let text = """
        plan: p
        stages: [50, 100]
        bake: 1h
        reconcile: 10s
        services: [{name: a, routes: [{exec: {shift: [s], read: [r]}}]}]
        """

    private let first = RouterProcess(pid: 1, uptime: 10, at: 100)

    /// The candidate at 50 %, by a router that tells its process.
    private func bench() throws -> ControllerBench {
        var bench = ControllerBench(try RolloutPlan(parsing: Self.text, file: "p.yml"))
        bench.routers["a"]?.process = first
        bench.command(.start)
        bench.run(for: .minutes(1))
        try #require(bench.live == [50])
        return bench
    }

    private func set(_ bench: inout ControllerBench, _ candidate: Int, _ process: RouterProcess) {
        bench.routers["a"]?.split = TrafficSplit(candidate: candidate)!
        bench.routers["a"]?.process = process
        bench.run(for: .seconds(11))
    }

    @Test("weights that a restart or reload of the router changed are restored")
    func restart() throws {
        for candidate in [0, 5, 90] {
            var bench = try bench()
            set(&bench, candidate, RouterProcess(pid: 2, uptime: 1, at: 200))
            #expect(bench.live == [50])
            #expect(bench.state.phase == .promoting)
            // The same number, started later.
            set(&bench, candidate, RouterProcess(pid: 2, uptime: 1, at: 300))
            #expect(bench.live == [50])
            #expect(bench.notices.isEmpty)
        }
    }

    @Test("a router that does not tell its process is corrected")
    func unknown() throws {
        var bench = try bench()
        for _ in 0..<9 {
            bench.routers["a"]?.split = TrafficSplit(candidate: 5)!
            bench.routers["a"]?.process = nil
            bench.run(for: .seconds(11))
            #expect(bench.live == [50])
        }
    }

    @Test("a candidate that somebody lowered stays there; promotion waits for a person, who is told")
    func lowered() throws {
        var bench = try bench()
        set(&bench, 5, RouterProcess(pid: 1, uptime: 71, at: 160))
        #expect(bench.live == [5])
        bench.run(for: .hours(3))
        #expect(bench.live == [5])
        #expect(bench.state.phase == .paused(reason: "somebody else lowered a from 50/50 to 95/5: resume or abort"))
        #expect(bench.notices.map(\.kind) == [.page])
        #expect(bench.controller.todo(at: bench.now).first?.contains("somebody else lowered a") == true)
        #expect(bench.command(.resume) == .accepted)
        bench.run(for: .minutes(1))
        #expect(bench.live == [50], "the first stage follows a weight below it")
    }

    @Test("a candidate that somebody raised is lowered; the fourth time in a row the writer is named and left alone")
    func contested() throws {
        var bench = try bench()
        for count in 1...3 {
            set(&bench, 80, first)
            #expect(bench.live == [50], "correction \(count)")
        }
        #expect(bench.notices.isEmpty)
        set(&bench, 80, first)
        bench.run(for: .minutes(2))
        #expect(bench.live == [80])
        #expect(bench.notices.map(\.kind) == [.page])
        #expect(bench.notices.first?.text.contains("another writer sets the weights") == true)
        #expect(bench.controller.obstacle(at: bench.now)?.contains("another writer") == true)
        // An order, like a trip, goes on.
        var back = bench
        #expect(back.command(.abort) == .accepted)
        #expect(back.live == [0])
        // The other writer gives up.
        set(&bench, 50, first)
        #expect(bench.state.services["a"]?.frozen == nil)
        bench.run(for: .minutes(5))
        #expect(bench.controller.obstacle(at: bench.now) == nil)
        set(&bench, 80, first)
        #expect(bench.live == [50], "a new row begins")
    }

    @Test("a raised candidate is not lowered onto a stable version that is not healthy")
    func unhealthy() throws {
        var bench = try bench()
        bench.routers["a"]?.stable = .unhealthy("down")
        set(&bench, 80, first)
        #expect(bench.live == [80])
        #expect(bench.state.services["a"]?.frozen?.contains("not verified healthy") == true)
    }

    @Test("while a trip stands, a candidate that is raised again and again is lowered each time")
    func tripped() throws {
        var bench = try bench()
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), cooldown: .hours(1),
            action: .init(plan: "p", service: "a", scope: .service))
        let trip = Trip(
            of: RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: bench.now.timestamp, elements: []),
            labels: .empty, samples: [EvidenceSample(time: bench.now.timestamp, value: 0.5)])
        bench.step { $0.tripped(trip, at: $1) }
        bench.run(for: .minutes(5))
        #expect(bench.state.phase == .rolledBack)
        for _ in 0..<9 {
            set(&bench, 80, first)
            #expect(bench.live == [0])
        }
    }
}

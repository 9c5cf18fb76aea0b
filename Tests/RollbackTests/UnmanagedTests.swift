import JSON
import MetricModel
import RuleModel
import Synchronization
import Testing

@testable import Rollback

/// Traffic of candidates that no rollout gave: before the first rollout, a pipeline or a person has switched it.
struct UnmanagedTests {
    private static func text(_ more: String = "") -> String {
        """
        plan: p
        stages: [10, 50, 100]
        bake: 10s
        settle: 0s
        reconcile: 2s
        validation: {rounds: 1, interval: 1s}
        \(more)
        services:
        - {name: db, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: api, depends: [db], routes: [{exec: {shift: [s], read: [r]}}]}
        """
    }

    /// A rule of three violations in a row, which a candidate with traffic meets.
    private static let rule = RollbackDefinition(
        name: "R", expression: "x", trip: .init(.less, 0.95), consecutive: 3, cooldown: .seconds(30),
        action: .init(plan: "p", scope: .service))

    /// Candidates in `bad` violate the rule whether or not they have traffic.
    private func bench(_ more: String = "", bad: Set<String> = []) throws -> MachineBench {
        MachineBench(
            try RolloutPlan(parsing: Self.text(more), file: "p.yml"), [(Self.rule, ["db", "api"])]
        ) { _, service, _, _ in
            RollbackMeasurement.Element(labels: ["service": service], value: bad.contains(service) ? 0.5 : 1)
        }
    }

    private func steps(_ bench: MachineBench) -> [String] {
        bench.events.filter { $0.body["step"]?.text == "unmanaged" }.map {
            "\($0.body["service"]?.text ?? "") \($0.body["split"]?.text ?? "") \($0.body["detail"]?.text ?? "")"
        }
    }

    private func decisions(_ bench: MachineBench) -> [String] {
        bench.events.filter { $0.kind == .decision }.compactMap { $0.body["decision"]?.text }
    }

    @Test("it is read at the start and ever after, shown, recorded, and people know until it is over")
    func seen() throws {
        var bench = try bench()
        bench.run(seconds: 5)
        #expect(bench.notices.isEmpty)
        #expect(bench.controller.unmanagedSince("api") == nil)
        bench.live["api"] = 50
        bench.run(seconds: 3)
        #expect(bench.controller.unmanagedSince("api") != nil)
        #expect(bench.controller.todo(at: bench.now).contains { $0.contains("tribune rollout adopt p") })
        #expect(bench.notices.map(\.kind) == [.page])
        #expect(bench.notices[0].severity == "warning")
        bench.live["api"] = 60
        bench.run(seconds: 3)
        bench.live["api"] = 0
        bench.run(seconds: 3)
        #expect(steps(bench) == ["api 50/50 seen", "api 40/60 changed", "api 100/0 over"])
        #expect(bench.notices.map(\.kind) == [.page, .over])
        #expect(bench.notices[0].key == bench.notices[1].key)
        #expect(bench.weights == [0, 0], "nothing was written")
        #expect(bench.controller.state.phase == .idle)
    }

    @Test("violations since it was read take it back; the traffic of a service that is well stays")
    func protected() throws {
        var bench = try bench(bad: ["api"])
        bench.live = ["api": 50, "db": 50]
        bench.run(seconds: 60)
        #expect(bench.weights == [50, 0])
        #expect(bench.controller.state.phase == .rolledBack)
        #expect(bench.controller.state.generation == 1)
        #expect(bench.reports.count == 1)
        #expect(bench.reports.first?.rollback.services == ["api"])
        // The other one belongs to the rollout now.
        #expect(bench.controller.state.services["db"]?.split.candidate == 50)
        #expect(bench.controller.unmanagedSince("db") == nil)
        #expect(bench.command(.abort) == .accepted)
        bench.run(seconds: 5)
        #expect(bench.weights == [0, 0])
    }

    @Test("violations from before the traffic was read do not count")
    func before() throws {
        var bench = try bench(bad: ["api"])
        bench.run(seconds: 20)
        #expect(bench.controller.state.phase == .idle)
        bench.live["api"] = 50
        // It is read within two seconds; three violations have to follow.
        while bench.controller.unmanagedSince("api") == nil { bench.run(seconds: 1) }
        let since = try #require(bench.controller.unmanagedSince("api"))
        bench.run(seconds: 1)
        #expect(bench.controller.state.phase == .idle)
        bench.run(seconds: 5)
        #expect(bench.weights == [0, 0])
        guard case .trip(let trip)? = bench.controller.state.rollback?.causes.first else {
            Issue.record("no trip caused a rollback")
            return
        }
        #expect(trip.samples.count == 3)
        #expect(trip.samples.allSatisfy { $0.time >= since.timestamp })
        #expect(decisions(bench).contains("violations from before the traffic was read do not count"))
    }

    @Test("a stable version without traffic, or not healthy, gets none: people are paged with the live division, once")
    func noWayBack() throws {
        for isHealthy in [true, false] {
            var bench = try bench(bad: ["api"])
            bench.live["api"] = isHealthy ? 100 : 50
            if !isHealthy { bench.stable = .unhealthy("down") }
            bench.run(seconds: 60)
            #expect(bench.weights == [0, isHealthy ? 100 : 50])
            #expect(bench.controller.state.phase == .idle)
            let pages = bench.notices.filter { $0.key.hasSuffix("/no-shift") }
            #expect(pages.count == 1)
            #expect(pages.first?.text.contains(isHealthy ? "api 0/100" : "api 50/50") == true)
            #expect(pages.first?.text.contains(isHealthy ? "has no traffic" : "down") == true)
            // When there is a way back, the violation that stands is acted on.
            bench.live["api"] = 50
            bench.stable = .healthy
            bench.run(seconds: 10)
            #expect(bench.weights == [0, 0])
            #expect(bench.notices.filter { $0.kind == .over && $0.key.hasSuffix("/no-shift") }.count == 1)
        }
    }

    @Test("a page about a trip of several services ends with the traffic of the last one", arguments: ["api", "db"])
    func lastOfSeveral(gone: String) throws {
        var rule = Self.rule
        rule.action.scope = .serviceAndDependents
        var bench = MachineBench(
            try RolloutPlan(parsing: Self.text("unmanaged: page"), file: "p.yml"), [(rule, ["db", "api"])]
        ) { _, service, _, _ in
            RollbackMeasurement.Element(labels: ["service": service], value: service == "db" ? 0.5 : 1)
        }
        func ends() -> Int { bench.notices.count { $0.kind == .over && $0.key.hasSuffix("/no-shift") } }
        bench.live = ["api": 50, "db": 50]
        bench.run(seconds: 20)
        let page = try #require(bench.notices.first { $0.key.hasSuffix("/no-shift") })
        #expect(page.text.contains("api 50/50") && page.text.contains("db 50/50"), "\(page.text)")
        for (service, ended) in [(gone, 0), (gone == "api" ? "db" : "api", 1)] {
            bench.live[service] = 0
            bench.run(seconds: 5)
            #expect(ends() == ended)
        }
    }

    @Test("`unmanaged: page` leaves it to people")
    func page() throws {
        var bench = try bench("unmanaged: page", bad: ["api"])
        bench.live["api"] = 50
        bench.run(seconds: 60)
        #expect(bench.weights == [0, 50])
        #expect(bench.notices.filter { $0.key.hasSuffix("/no-shift") }.count == 1)
        #expect(throws: (any Error).self) { try RolloutPlan(parsing: Self.text("unmanaged: ignore"), file: "p.yml") }
    }

    @Test("rollback and abort take it back, whatever the stable version has")
    func ordered() throws {
        for (verb, wanted) in [
            (RolloutCommand.Verb.abort, [0, 0]), (.rollback(services: nil), [0, 0]),
            (.rollback(services: ["api"]), [30, 0]),
        ] {
            var bench = try bench()
            #expect(bench.command(verb) != .accepted, "there is nothing to take back")
            bench.live = ["db": 30, "api": 100]
            bench.run(seconds: 3)
            #expect(bench.command(verb) == .accepted)
            bench.run(seconds: 10)
            #expect(bench.weights == wanted)
            #expect(bench.controller.state.phase == .rolledBack)
        }
    }

    @Test("adopt makes it that of a rollout, which goes on when a person resumes it")
    func adopt() throws {
        var bench = try bench()
        #expect(bench.command(.adopt) == .ignored("no candidate has traffic"))
        bench.live = ["db": 50]
        bench.run(seconds: 3)
        let refusal =
            "the candidate of db has traffic that no rollout gave it (live 50/50): adopt it or roll it back first"
        #expect(bench.command(.start) == .refused(refusal))
        #expect(bench.command(.adopt) == .accepted)
        #expect(bench.notices.map(\.kind) == [.page, .over])
        bench.run(seconds: 60)
        #expect(bench.weights == [50, 0])
        #expect(bench.controller.state.services["db"]?.progress.stage == 1)
        #expect(bench.command(.resume) == .accepted)
        bench.run(seconds: 120)
        #expect(bench.weights == [100, 100])
        #expect(bench.command(.adopt) == .refused("generation 1 is the plan's rollout"))
    }

    @Test("a trip of a plan whose stable versions are retired pages with the live division")
    func retired() throws {
        let bad = Mutex<Set<String>>([])
        var bench = MachineBench(
            try RolloutPlan(parsing: Self.text("retain_stable: 30s"), file: "p.yml"), [(Self.rule, ["db", "api"])]
        ) { _, service, _, _ in
            let isBad = bad.withLock { $0.contains(service) }
            return RollbackMeasurement.Element(labels: ["service": service], value: isBad ? 0.5 : 1)
        }
        bench.command(.start)
        bench.run(seconds: 150)
        try #require(bench.controller.state.phase == .retired)
        bad.withLock { $0 = ["api"] }
        bench.run(seconds: 60)
        #expect(bench.weights == [100, 100])
        let pages = bench.notices.filter { $0.key.hasSuffix("/no-shift") }
        #expect(pages.count == 1)
        #expect(pages.first?.text.contains("api 0/100") == true)
        #expect(pages.first?.text.contains("no longer retained") == true)
    }

    // MARK: observation

    @Test("observe reads, records and pages, and writes nothing; a violation that stands counts when it is over")
    func observe() throws {
        var bench = try bench(bad: ["api"])
        bench.live["api"] = 50
        #expect(bench.command(.observe(for: .minutes(1))) == .accepted)
        bench.run(seconds: 58)
        #expect(bench.weights == [0, 50])
        #expect(decisions(bench).last?.hasPrefix("only observing until ") == true)
        #expect(bench.notices.contains { $0.kind == .page && $0.key.hasSuffix("/no-shift") })
        #expect(bench.command(.start) != .accepted)
        bench.restart()
        bench.run(seconds: 10)
        #expect(bench.weights == [0, 0], "its time is over")
        #expect(bench.controller.state.observingUntil == nil)
    }

    @Test("an order to take traffic back ends the observation")
    func endsByOrder() throws {
        var bench = try bench()
        bench.live["api"] = 50
        bench.run(seconds: 3)
        #expect(bench.command(.observe(for: .hours(1))) == .accepted)
        #expect(bench.command(.abort) == .accepted)
        bench.run(seconds: 5)
        #expect(bench.weights == [0, 0])
        #expect(bench.controller.state.observingUntil == nil)
        #expect(bench.command(.observe(for: .zero)) == .ignored("nothing is being observed"))
    }

    @Test("while observing, drift is recorded and left; afterwards it is corrected")
    func drift() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 5)
        #expect(bench.command(.observe(for: .minutes(1))) == .refused("generation 1 is being promoted: pause it first"))
        #expect(bench.command(.pause) == .accepted)
        #expect(bench.command(.observe(for: .seconds(30))) == .accepted)
        let weight = try #require(bench.weights.first)
        bench.live["db"] = 90
        bench.run(seconds: 25)
        #expect(bench.weights.first == 90)
        #expect(bench.events.filter { $0.body["step"]?.text == "drift" }.count == 1)
        bench.run(seconds: 15)
        #expect(bench.weights.first == weight)
    }

    @Test("an order to take traffic back that one service forbids changes nothing")
    func irreversible() throws {
        let text = Self.text("reversible_until: 40").replacing(
            "api, depends: [db], routes: [{exec", with: "api, routes: [{exec: {shift: [t], read: [u]}}, {exec")
        var bench = MachineBench(try RolloutPlan(parsing: text, file: "p.yml"), []) { _, _, _, _ in nil }
        bench.live = ["db": 50, "api": 10]
        bench.run(seconds: 3)
        let refusal = CommandOutcome.refused(
            "past the stage of reversible_until, db cannot go back: repair the candidate, "
                + "or take reversible_until out of the plan and reload")
        #expect(bench.command(.abort) == refusal)
        #expect(bench.command(.rollback(services: nil)) == refusal)
        #expect(bench.controller.state.phase == .idle)
        #expect(bench.controller.unmanagedSince("db") != nil)
        bench.run(seconds: 30)
        #expect(bench.weights.sorted() == [10, 50])
        #expect(bench.command(.rollback(services: ["api"])) == .accepted)
        bench.run(seconds: 30)
        #expect(bench.live == ["db": 50, "api": 0])
    }

    @Test("what cannot go back keeps the services that it depends on; a trip of these pages")
    func dependentThatCannotGoBack() throws {
        var bench = try bench("reversible_until: 40", bad: ["db"])
        bench.live = ["db": 30, "api": 50]
        bench.run(seconds: 30)
        #expect(bench.weights == [30, 50])
        #expect(bench.controller.state.phase == .idle)
        #expect(
            decisions(bench).last == "db keeps its traffic: its plan lets api go back from 40 % at most",
            "\(decisions(bench))")
    }
}

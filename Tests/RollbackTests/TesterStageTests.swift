import JSON
import MetricModel
import RuleModel
import Testing
import YAML

@testable import Rollback

/// The stage `testers`: requests with a mark reach the candidate before it has a share.
@Suite struct TesterStageTests {
    private static func text(_ stages: String, route: String = "{exec: {shift: [s], read: [r], testers: true}}")
        -> String
    {
        """
        plan: p
        stages: \(stages)
        bake: 5s
        settle: 0s
        reconcile: 2s
        services:
        - {name: a, routes: [\(route)]}
        """
    }

    private func bench(_ stages: String = "[testers, 50, 100]", isBad: Bool = false) throws -> MachineBench {
        let rule = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), action: .init(plan: "p", service: "a"))
        return MachineBench(
            try RolloutPlan(parsing: Self.text(stages), file: "plan.yml"), [(rule, ["a"])]
        ) { _, _, _, since in since.map { _ in .init(labels: ["service": "a"], value: isBad ? 0 : 1) } }
    }

    @Test("testers come first, then shares; the way stays open to the end")
    func whole() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 3)
        #expect(bench.live["a"] == 0 && bench.testers == ["a"])
        let state = try #require(bench.controller.state.services["a"])
        #expect(state.split == .testersOnly && state.progress.stage == 0 && state.trafficSince != nil)
        bench.run(seconds: 20)
        #expect(bench.live["a"] == 100 && bench.testers == ["a"])
        let splits = bench.events.filter { $0.body["step"] == "verified" }.compactMap { $0.body["split"]?.text }
        #expect(splits == ["100/0 with testers", "50/50", "0/100"])
    }

    @Test("without data of testers the candidate gets no share")
    func noData() throws {
        var bench = try bench()
        bench.measure = { _, _, _, _ in nil }
        bench.command(.start)
        bench.run(seconds: 30)
        #expect(bench.live["a"] == 0 && bench.testers == ["a"])
        #expect(bench.controller.lack(of: "a", at: bench.now) != nil)
    }

    @Test("a trip closes the way of testers")
    func trip() throws {
        var bench = try bench(isBad: true)
        bench.command(.start)
        bench.run(seconds: 5)
        #expect(bench.testers == [], "at the first measurement")
        bench.run(seconds: 40)
        #expect(bench.testers == [] && bench.controller.state.phase == .rolledBack)
        #expect(bench.reports.last?.rollback.verdict?.isValid == true)
        #expect(bench.events.contains { $0.body["detail"]?.text == "read back 100/0" })
    }

    @Test("an abort closes it too, and another process that takes up the stage knows it")
    func abort() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 3)
        bench.restart()
        bench.run(seconds: 1)
        #expect(bench.controller.state.services["a"]?.split == .testersOnly && bench.testers == ["a"])
        #expect(bench.command(.abort) == .accepted)
        bench.run(seconds: 2)
        #expect(bench.testers == [])
    }

    @Test("a way that somebody opens without a rollout is traffic that no rollout gave")
    func unmanaged() throws {
        var bench = try bench()
        bench.testers = ["a"]
        bench.run(seconds: 3)
        #expect(bench.controller.unmanagedSince("a") != nil)
        #expect(bench.command(.start) != .accepted)
        #expect(bench.command(.rollback(services: nil)) == .accepted)
        bench.run(seconds: 3)
        #expect(bench.testers == [])
    }

    @Test("a way that somebody closes stays closed, and one that is opened behind a rollback is closed")
    func drift() throws {
        var bench = try bench("[testers, 100]")
        bench.command(.start)
        bench.run(seconds: 2)
        bench.testers = []
        bench.run(seconds: 3)
        // Like a restart: a program does not tell its process, so the way is opened again.
        #expect(bench.testers == ["a"])
        #expect(bench.command(.abort) == .accepted)
        bench.run(seconds: 2)
        bench.testers = ["a"]
        bench.run(seconds: 5)
        #expect(bench.testers == [])
        bench.stable = .unhealthy("down")
        bench.testers = ["a"]
        bench.run(seconds: 5)
        #expect(bench.testers == ["a"], "testers go to no stable version that is down")
    }

    @Test("splits are ordered by the requests that reach the candidate, and are written in one value")
    func order() throws {
        let one = try #require(TrafficSplit(candidate: 1))
        #expect(
            [one, .allCandidate, .testersOnly, .allStable].sorted() == [.allStable, .testersOnly, one, .allCandidate])
        for split in [.allStable, .testersOnly, one, .allCandidate] {
            #expect(TrafficSplit(weight: split.weight) == split)
        }
        #expect(TrafficSplit(weight: .string("x")) == nil && TrafficSplit(weight: 101) == nil)
        #expect(TrafficSplit.testersOnly.json == ["stable": 100, "candidate": 0, "testers": true])
        #expect(one.json == ["stable": 99, "candidate": 1])
        #expect([TrafficSplit.allStable, .testersOnly, one].map(\.withTesters) == [.testersOnly, .testersOnly, one])
    }

    @Test("a record of the stage is read as it was written")
    func record() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 8)
        let state = bench.controller.state
        #expect(state.services["a"]?.raisedFrom == .testersOnly)
        let record = JournalRecord(epoch: 1, at: bench.now, step: "s", state: state)
        #expect(JournalRecord(payload: record.payload)?.state == state)
        #expect(state.structure?.services["a"]?.stages.map(\.stageName) == ["testers", "50 %", "100 %"])
    }

    @Test(
        "plans whose stages and routes do not fit are refused",
        arguments: [
            ("[50, testers, 100]", "{exec: {shift: [s], read: [r], testers: true}}", "stages[1]: stages are whole"),
            ("[testers]", "{exec: {shift: [s], read: [r], testers: true}}", "stages: the last stage must be 100"),
            (
                "[testers, 100]", "{exec: {shift: [s], read: [r]}}",
                "routes[0]: the stage testers cannot be set: the route has no testers"
            ),
            (
                "[100]",
                "{haproxy: {address: /s, stable: [a/b], candidate: [c/d], map: {file: m, key: k}, "
                    + "testers: {file: m, key: k}}}", "testers: the entry already has the candidate's percentage"
            ),
            (
                "[100]",
                "{envoy: {admin: 'http://h', stable: a, candidate: b, runtime: {prefix: a}, "
                    + "testers: {prefix: a}}}", "testers: routes of testers need a prefix of their own"
            ),
        ])
    func refused(_ stages: String, _ route: String, _ message: String) throws {
        let error = #expect(throws: YAMLError.self) {
            try RolloutPlan(parsing: Self.text(stages, route: route), file: "plan.yml")
        }
        #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
    }
}

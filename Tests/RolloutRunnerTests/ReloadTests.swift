import Glibc
import MetricModel
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Rollback
@testable import RolloutRunner

/// A configuration that is read again while rollouts are under way.
@Suite struct ReloadTests {
    private let directory = TemporaryDirectory()

    /// A plan of one service whose router is a file, and hangs while the file `hang` is there.
    private func plan(
        _ settings: String = "stages: [50, 100]", route: String = "route", bake: String = "1h"
    ) throws -> RolloutPlan {
        let path = directory.path
        let read = """
            while test -e \(path)/hang; do touch \(path)/reading; sleep 0.05; done
            echo '{"stable": '$((100 - $(cat \(path)/\(route) 2>/dev/null || echo 0)))', "candidate": '$(cat \
            \(path)/\(route) 2>/dev/null || echo 0)', "stable_healthy": true}'
            """
        let shift = "sed 's/.*\"candidate\": *\\([0-9]*\\).*/\\1/' > \(path)/\(route)"
        directory.write(read, to: "read-\(route)")
        directory.write(shift, to: "shift-\(route)")
        return try RolloutPlan(
            parsing: """
                plan: p
                \(settings)
                bake: \(bake)
                reconcile: 100ms
                validation: {rounds: 1, interval: 10ms, timeout: 20s}
                services:
                - name: a
                  routes: [{timeout: 60s, exec: {shift: [sh, \(path)/shift-\(route)], read: [sh, \(path)/read-\(route)]}}]
                """, file: "plan.yml")
    }

    private func phase(_ runner: RollbackRunner, _ wanted: String) -> Bool {
        Loopback.eventually { runner.snapshots.first?.phase == wanted }
    }

    @Test("a reload beside a router that hangs keeps no order waiting")
    func hangingRouter() throws {
        let runner = try RollbackRunner(plans: [try plan()], settings: .init(directory: directory.path))
        try runner.start()
        defer { runner.stop() }
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "p") == .accepted)
        try #require(Loopback.eventually { runner.snapshots[0].services[0].progress == "baking" })
        #expect(runner.command(RolloutCommand(.abort, by: "ops"), plan: "p") == .accepted)
        try #require(phase(runner, "rolled_back"))
        // The next reading of the weights hangs.
        directory.write("", to: "hang")
        defer { unlink(directory.file("hang")) }
        try #require(Loopback.eventually { FileText.read(directory.file("reading")) != nil })
        #expect(runner.reload([try plan(route: "other")]) == [])
        #expect(
            runner.command(RolloutCommand(.pause, by: "ops"), plan: "p") == .refused("nothing is being promoted"))
        #expect(runner.currentPlans[0].services[0].routes != (try plan()).services[0].routes)
    }

    @Test("a rollout under way keeps its stages, while its times change at once; the answer says what waits")
    func underWay() throws {
        let runner = try RollbackRunner(plans: [try plan()], settings: .init(directory: directory.path))
        try runner.start()
        defer { runner.stop() }
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "p") == .accepted)
        try #require(Loopback.eventually { runner.snapshots[0].services[0].progress == "baking" })
        let other = try plan("stages: [10, 100]\nsettle: 7s")
        #expect(
            runner.reload([other]) == [
                "plan p: services, routes and stages change later: generation 1 is under way"
            ])
        #expect(runner.currentPlans[0].settle == .seconds(7))
        #expect(runner.currentPlans[0].services[0].stages.first?.candidate == 50)
        #expect(
            runner.refusal(of: [])
                == "the plan \"p\" cannot be taken away: generation 1 is under way; abort it, or wait for its end")
        #expect(runner.command(RolloutCommand(.abort, by: "ops"), plan: "p") == .accepted)
        #expect(Loopback.eventually { runner.currentPlans[0].services[0].stages.first?.candidate == 10 })
        #expect(runner.refusal(of: []) == nil)
        #expect(runner.reload([]) == [])
        #expect(runner.snapshots.isEmpty)
    }

    @Test("an unfinished rollout whose plan is gone at the start is a page")
    func orphan() throws {
        var runner = try RollbackRunner(plans: [try plan()], settings: .init(directory: directory.path))
        try runner.start()
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "p") == .accepted)
        try #require(Loopback.eventually { runner.snapshots[0].services[0].progress == "baking" })
        runner.stop()
        let notices = Mutex<[RollbackNotice]>([])
        runner = try RollbackRunner(
            plans: [], settings: .init(directory: directory.path),
            sinks: RollbackSinks(notice: { notice in notices.withLock { $0.append(notice) } }))
        try runner.start()
        #expect(Loopback.eventually { notices.withLock { $0.count == 1 } })
        runner.stop()
        let notice = try #require(notices.withLock { $0.first })
        #expect(notice.kind == .page && notice.key == "p/orphaned")
        #expect(
            notice.text
                == "plan p: its journal has an unfinished rollout (generation 1, promoting), but no plan is called so: "
                + "nobody watches its candidates (wanted: a 50 %)")
    }

    @Test("rules that a reload brings are in force, so that promotion waits for their data")
    func rules() throws {
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), action: .init(plan: "p"))
        let plan = try plan(bake: "10ms")
        let runner = try RollbackRunner(plans: [plan], settings: .init(directory: directory.path))
        try runner.start()
        defer { runner.stop() }
        let watch = RuleWatch(rule: "f;g;R", definition: definition, services: ["a"], firstData: .seconds(10))
        #expect(runner.reload([plan], rules: [watch]) == [])
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "p") == .accepted)
        #expect(
            Loopback.eventually {
                runner.snapshots[0].services[0].lack?.hasPrefix("no measurement of R for a since ") == true
            })
        #expect(runner.snapshots[0].services[0].split.candidate == 50)
        #expect(
            Loopback.eventually {
                runner.measured(
                    RollbackMeasurement(
                        rule: "f;g;R", ruleHash: "h", definition: definition,
                        time: Timestamp(milliseconds: SystemClock.wallMilliseconds()),
                        elements: [.init(labels: ["service": "a"], value: 1)]))
                return runner.snapshots[0].phase == "promoted"
            })
    }
}

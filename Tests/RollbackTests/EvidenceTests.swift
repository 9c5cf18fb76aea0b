import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// No data is not health: what a service must have been measured by before its candidate gets more traffic.
@Suite struct EvidenceTests {
    private static func plan(_ settings: String = "") throws -> RolloutPlan {
        try RolloutPlan(
            parsing: """
                plan: p
                stages: [10, 50, 100]
                bake: 5s
                settle: 0s
                gate_timeout: 60s
                reconcile: 1h
                max_concurrent: 2
                \(settings)
                services:
                - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
                - {name: b, routes: [{exec: {shift: [s], read: [r]}}]}
                - {name: c, depends: [a, b], routes: [{exec: {shift: [s], read: [r]}}]}
                """, file: "plan.yml")
    }

    private static func rule(
        _ name: String = "R", missing: RollbackDefinition.MissingPolicy = .init(), range: Milliseconds = .seconds(3),
        mode: RollbackDefinition.Mode = .enforce, service: String? = nil
    ) -> RollbackDefinition {
        var rule = RollbackDefinition(
            name: name, expression: "x", trip: .init(.less, 0.95), missing: missing, mode: mode,
            action: .init(plan: "p", service: service))
        rule.longestRange = range
        return rule
    }

    private static let all = ["a", "b", "c"]

    private static func healthy(_ service: String) -> RollbackMeasurement.Element {
        .init(labels: ["service": service], value: 1)
    }

    /// A rule about traffic: it yields something for candidates that get some.
    private func bench(
        _ settings: String = "", missing: RollbackDefinition.MissingPolicy = .init(),
        mode: RollbackDefinition.Mode = .enforce, except lost: @escaping (String, Int) -> Bool = { _, _ in false }
    ) throws -> MachineBench {
        MachineBench(try Self.plan(settings), [(Self.rule(missing: missing, mode: mode), Self.all)]) {
            _, service, percent, _ in
            percent > 0 && !lost(service, percent) ? Self.healthy(service) : nil
        }
    }

    private func pages(_ bench: MachineBench) -> [String] {
        bench.notices.filter { $0.kind == .page }.map(\.text)
    }

    @Test("with data in every stage all services are promoted without notifications")
    func withData() throws {
        var bench = try bench()
        bench.run(seconds: 60)
        bench.command(.start)
        bench.run(seconds: 200)
        #expect(bench.weights == [100, 100, 100])
        #expect(bench.notices == [])
    }

    @Test("a name without data, such as a misspelled one, holds at the first stage, and is notified after gate_timeout")
    func misspelledMetric() throws {
        var bench = try bench(except: { _, _ in true })
        bench.command(.start)
        bench.run(seconds: 30)
        #expect(bench.weights == [10, 10, 0])
        #expect(
            bench.controller.lack(of: "a", at: bench.now)?.description.hasPrefix("no measurement of R for a since ")
                == true)
        #expect(pages(bench) == [])
        bench.run(seconds: 3600)
        #expect(bench.weights == [10, 10, 0], "lack of data takes nothing back")
        #expect(pages(bench).count == 2)
        #expect(
            pages(bench)[0].contains("a stays at 10 %: no measurement of R for a since"),
            "\(pages(bench))")
        #expect(pages(bench)[0].contains("promote p --without-data --reason="))
    }

    @Test("if data stop during a rollout it holds, with its dependents; with new data it continues")
    func dataThatStop() throws {
        var (bench, isDown) = (try bench(), true)
        bench.measure = { _, service, percent, _ in percent > 0 && percent < 50 ? Self.healthy(service) : nil }
        bench.command(.start)
        bench.run(seconds: 300)
        #expect(bench.weights == [50, 50, 0])
        let told = pages(bench).count
        #expect(told == 2)
        isDown = false
        bench.measure = { _, service, percent, _ in percent > 0 && !isDown ? Self.healthy(service) : nil }
        bench.run(seconds: 100)
        #expect(bench.weights == [100, 100, 100])
        #expect(bench.notices.filter { $0.kind == .over }.count == told, "the pages are taken back")
    }

    @Test(
        "one service that never had the metric is held back, whatever no data means",
        arguments: ["hold", "freeze", "alert"])
    func oneServiceWithout(policy: String) throws {
        let policy = try #require(RollbackDefinition.MissingPolicy.Policy(rawValue: policy))
        var bench = try bench(missing: .init(policy: policy), except: { service, _ in service == "b" })
        bench.command(.start)
        bench.run(seconds: 600)
        #expect(bench.weights[1] == 10 && bench.weights[2] == 0, "\(bench.weights)")
        if policy != .freeze { #expect(bench.weights[0] == 100) }
        #expect(!pages(bench).isEmpty)
        if policy == .freeze { #expect(bench.controller.freezes == [#"R{service="b"}: no data"#]) }
    }

    @Test("a rule of freeze_if applies to each service, also in shadow mode")
    func freezeIf() throws {
        var bench = try bench("freeze_if: [R]", mode: .shadow, except: { service, _ in service == "b" })
        bench.command(.start)
        bench.run(seconds: 600)
        #expect(bench.weights == [100, 10, 0])
        var other = try self.bench(mode: .shadow, except: { _, _ in true })
        other.command(.start)
        other.run(seconds: 600)
        #expect(other.weights == [100, 100, 100], "a rule that only watches asks for nothing")
    }

    @Test("a rule about traffic lets a candidate leave 0 % with any policy", arguments: ["", "freeze_if: [R]"])
    func firstTraffic(settings: String) throws {
        for policy in [RollbackDefinition.MissingPolicy.Policy.freeze, .trip, .alert] {
            var bench = try bench(settings, missing: .init(policy: policy))
            bench.run(seconds: 3600)
            #expect(bench.controller.freezes.isEmpty)
            bench.command(.start)
            bench.run(seconds: 300)
            #expect(bench.weights == [100, 100, 100], "\(policy)")
            #expect(bench.notices == [], "\(policy)")
        }
    }

    @Test(
        "an element that was never seen is missing when its candidate has had traffic for long enough, and not before")
    func firstData() throws {
        var bench = try bench(missing: .init(policy: .trip), except: { service, _ in service == "b" })
        bench.command(.start)
        bench.run(seconds: 9)
        #expect(bench.weights[1] == 10)
        bench.run(seconds: 2)
        #expect(bench.controller.state.rollback?.services == ["b"])
        #expect(bench.weights[1] == 0)
    }

    @Test("after a rollback data of the candidate are no longer missing, and notifications are resolved")
    func afterRollback() throws {
        var bench = try bench(missing: .init(policy: .freeze))
        bench.command(.start)
        bench.run(seconds: 8)
        bench.command(.abort)
        bench.run(seconds: 3600)
        #expect(bench.weights == [0, 0, 0])
        #expect(pages(bench) == [])
        #expect(bench.controller.freezes.isEmpty)
    }

    @Test("a measurement counts only if its range begins after the stage was verified", arguments: [0, 30, 120])
    func range(seconds: Int64) throws {
        var bench = MachineBench(try Self.plan(), [(Self.rule(range: .seconds(seconds)), Self.all)]) {
            _, service, _, _ in Self.healthy(service)
        }
        bench.command(.start)
        let needed = Int(max(5, seconds))
        bench.run(seconds: needed - 1)
        #expect(bench.weights[0] == 10)
        bench.run(seconds: 2)
        #expect(bench.weights[0] == 50)
    }

    @Test("samples from before the stage do not count, even if they are evaluated again")
    func staleSamples() throws {
        var bench = MachineBench(try Self.plan(), [(Self.rule(range: .zero), Self.all)]) { _, service, _, _ in
            RollbackMeasurement.Element(
                labels: ["service": service], value: 1, sampledAt: Timestamp(milliseconds: 1_799_999_999_000))
        }
        bench.command(.start)
        bench.run(seconds: 600)
        #expect(bench.weights == [10, 10, 0])
    }

    @Test("measurements that do not count, or are not a number, are ignored")
    func uncounted() throws {
        for element in [
            RollbackMeasurement.Element(labels: ["service": "a"], value: 1, counts: false),
            .init(labels: ["service": "a"], value: .nan),
        ] {
            var bench = MachineBench(try Self.plan(), [(Self.rule(), Self.all)]) { _, service, _, _ in
                service == "a" ? element : Self.healthy(service)
            }
            bench.command(.start)
            bench.run(seconds: 300)
            #expect(bench.weights == [10, 100, 0])
        }
    }

    @Test("a person may promote without data, with a reason, stage by stage; it is recorded")
    func withoutData() throws {
        var bench = try bench(except: { _, _ in true })
        bench.command(.start)
        bench.run(seconds: 10)
        #expect(bench.command(.promoteWithoutData) == .refused("a promotion without data needs a reason"))
        #expect(bench.command(.promote) == .accepted)
        bench.run(seconds: 60)
        #expect(bench.weights == [10, 10, 0])
        #expect(bench.command(.promoteWithoutData, reason: "the exporter is broken") == .accepted)
        bench.run(seconds: 60)
        #expect(bench.weights == [50, 50, 0], "one stage")
        let event = try #require(bench.events.last { $0.body["command"]?.text == "promote without data" })
        #expect(event.body["by"]?.text == "ops" && event.body["reason"]?.text == "the exporter is broken")
        #expect(event.body["outcome"]?.text == "accepted")
    }

    @Test("a rule with the policy pass needs no data")
    func exempt() throws {
        var bench = try bench(missing: .init(policy: .pass), except: { _, _ in true })
        bench.command(.start)
        bench.run(seconds: 300)
        #expect(bench.weights == [100, 100, 100])
    }

    @Test("a rule with a service needs data of that service only")
    func ofOneService() throws {
        var bench = MachineBench(try Self.plan(), [(Self.rule(service: "b"), ["b"])]) { _, _, _, _ in nil }
        bench.command(.start)
        bench.run(seconds: 300)
        #expect(bench.weights == [100, 10, 0])
    }

    @Test("a gate without data holds with a notification; a closed one fails its service")
    func gates() throws {
        let plan = try RolloutPlan(
            parsing: """
                plan: p
                stages: [10, 100]
                bake: 5s
                gate_timeout: 60s
                services:
                - {name: a, gates: [{name: g, expr: x, healthy: "< 1"}], routes: [{exec: {shift: [s], read: [r]}}]}
                """, file: "plan.yml")
        for isMissing in [true, false] {
            var bench = MachineBench(plan, []) { _, _, _, _ in nil }
            bench.command(.start)
            for _ in 0..<150 {
                bench.run(seconds: 1)
                guard let question = bench.questions.last else { continue }
                let now = bench.now
                bench.step { machine in
                    machine.step(at: now) {
                        $0.gatesAnswered(
                            question.id, [.init(name: "g", isOpen: false, detail: "", isMissing: isMissing)], at: now)
                    }
                }
            }
            #expect(bench.weights == [isMissing ? 10 : 0])
            #expect(pages(bench).count == 1)
            #expect(
                pages(bench)[0].contains(isMissing ? "no measurement of gate g for a since" : "could not be promoted"))
        }
    }

    @Test("rules removed by a reload stop no promotion, and are no longer measured")
    func removedRules() throws {
        var bench = try bench(missing: .init(policy: .freeze), except: { _, _ in true })
        bench.command(.start)
        bench.run(seconds: 30)
        #expect(!bench.controller.freezes.isEmpty)
        let now = bench.now
        bench.step { $0.rulesChanged(to: [], at: now) }
        bench.run(seconds: 200)
        #expect(bench.weights == [100, 100, 100])
        #expect(bench.machine.rules.isEmpty)
    }

    @Test("measurements of an earlier process do not count in the next one, whose clock may differ")
    func restart() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 4)
        bench.restart()
        bench.run(seconds: 2)
        #expect(bench.weights[0] == 10)
        bench.run(seconds: 3)
        #expect(bench.weights[0] == 50)
    }
}

import Glibc
import JSON
import MetricModel
import RouterFixtures
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import DeploymentGates
@testable import Rollback
@testable import RolloutRunner

final class RecordedEvents: Sendable {
    let events = Mutex<[RollbackEvent]>([])
}

/// A gate runner on a plan of two services whose routers are programs that keep the weights in files.
final class GateFixture {
    let directory = TemporaryDirectory()
    let rollback: RollbackRunner
    private(set) var gates: GateRunner
    private let recorded = RecordedEvents()
    var events: [RollbackEvent] { recorded.events.withLock { $0 } }
    private var configuration = GateConfiguration()
    private let samples: @Sendable ([Matcher], Timestamp, Timestamp) -> [SeriesSamples]
    private let values: @Sendable (String) -> Result<[GateData.Element], GateData.Fault>

    init(
        executor: String? = nil, orchestration: OrchestrationConfiguration = OrchestrationConfiguration(),
        values: @escaping @Sendable (String) -> Result<[GateData.Element], GateData.Fault> = {
            _ in .success([])
        }, samples: @escaping @Sendable ([Matcher], Timestamp, Timestamp) -> [SeriesSamples] = { _, _, _ in [] }
    ) throws {
        var services = ""
        for (name, depends) in [("a", ""), ("b", "depends: [a], ")] {
            let file = directory.file(name)
            directory.write(#"{"stable": 100, "candidate": 0, "stable_healthy": true}"#, to: name)
            let shift =
                "sed -e 's/.*\\(\"stable\":[0-9]*,\"candidate\":[0-9]*\\).*/{\\1,\"stable_healthy\":true}/' > \(file)"
            let script = directory.write(shift, to: "shift-\(name)")
            services +=
                "- {name: \(name), \(depends)routes: [{exec: {shift: [sh, \(script)], read: [cat, \(file)]}}]}\n"
        }
        let plan = try RolloutPlan(
            parsing: """
                plan: p
                stages: [10, 100]
                bake: 1h
                settle: 0s
                validation: {rounds: 1, interval: 10ms}
                services:
                \(services)
                """, file: "p.yml")
        rollback = try RollbackRunner(plans: [plan], settings: .init(directory: directory.path))
        try rollback.start()
        if let executor {
            configuration.executor = .init(url: executor, token: "hush-hush", timeout: .seconds(5))
        }
        configuration.orchestration = orchestration
        self.samples = samples
        self.values = values
        gates = try GateFixture.runner(configuration, directory, rollback, events: { _ in }, samples, values)
        try restart()
    }

    deinit {
        gates.stop()
        rollback.stop()
    }

    /// Starts a new process on the same records.
    func restart() throws {
        gates.stop()
        gates = try GateFixture.runner(
            configuration, directory, rollback,
            events: { [recorded] event in recorded.events.withLock { $0.append(event) } },
            samples, values)
        try gates.start()
    }

    private static func runner(
        _ configuration: GateConfiguration, _ directory: TemporaryDirectory, _ rollback: RollbackRunner,
        events: @escaping @Sendable (RollbackEvent) -> Void,
        _ samples: @escaping @Sendable ([Matcher], Timestamp, Timestamp) -> [SeriesSamples],
        _ values: @escaping @Sendable (String) -> Result<[GateData.Element], GateData.Fault>
    ) throws -> GateRunner {
        try GateRunner(
            configuration,
            .init(
                directory: directory.file("gates"),
                data: GateData(
                    matchers: {
                        $0.contains("(") ? .failure(.init("no selector")) : .success([Matcher("__name__", .equal, $0)])
                    },
                    select: { .success(samples($0, $1, $2)) }, evaluate: values), rollouts: rollouts(rollback),
                event: events))
    }

    private static func rollouts(_ runner: RollbackRunner) -> GateRollouts {
        GateRollouts(
            plans: { runner.currentPlans }, live: { runner.live(plan: $0) },
            splits: { plan in
                let services = runner.snapshots.first { $0.plan == plan }?.services ?? []
                return Dictionary(uniqueKeysWithValues: services.map { ($0.name, $0.split) })
            }, command: { runner.command($0, plan: $1) })
    }

    func ask(_ verb: GateRequest.Verb, _ kind: GateRequest.Kind, _ body: String = "{}") throws -> JSON {
        try gates.respond(to: GateRequest(verb, kind, body: Array(body.utf8), actor: "ci")).get()
    }

    func refusal(_ verb: GateRequest.Verb, _ kind: GateRequest.Kind, _ body: String = "{}") -> GateRefusal? {
        if case .failure(let refusal) = gates.respond(to: GateRequest(verb, kind, body: Array(body.utf8), actor: "ci"))
        {
            return refusal
        }
        return nil
    }

    func live(_ service: String) -> Int64? {
        FileText.read(directory.file(service)).flatMap { try? JSON(parsing: $0) }?["candidate"]?.integer
    }
}

@Suite struct GateRunnerTests {
    /// Counters of both versions with a scrape every 10 s: 100 requests each, of which the candidate loses `errors`.
    private static func counters(errors: Double) -> @Sendable ([Matcher], Timestamp, Timestamp) -> [SeriesSamples] {
        { matchers, from, through in
            let name = matchers.first { $0.name == "__name__" }?.value ?? ""
            let env = matchers.first { $0.name == "env" }?.value ?? ""
            guard ["requests", "errors"].contains(name), !env.isEmpty else { return [] }
            let times = Array(stride(from: from.milliseconds, through: through.milliseconds, by: 10_000))
            let rate = name == "requests" ? 100 : env == "green" ? errors : 0
            return [
                SeriesSamples(
                    labels: ["__name__": "x", "instance": "i"], timestamps: times,
                    values: times.indices.map { Double($0) * rate })
            ]
        }
    }

    private static let analysis = #"{"service": "a", "metrics": [{"name": "e", "events": "errors", "of": "requests"}]}"#

    @Test("an analysis is returned, stored, found by its id, and written to the ledger")
    func analyses() throws {
        let fixture = try GateFixture(samples: Self.counters(errors: 3))
        let answer = try fixture.ask(.create, .deployment, Self.analysis)
        #expect(answer["verdict"]?.text == "fail", "\(answer.encoded)")
        let metric = answer["metrics"]?.elements?.first
        // Sixty scrapes in ten minutes, 100 requests each.
        #expect(metric?["stable"]?["observations"]?.number == 6000)
        #expect(metric?["candidate"]?["events"]?.number == 180)
        #expect(metric?["notes"]?.elements?.count == 1, "the stable version has no errors")
        let id = try #require(answer["id"]?.text)
        try fixture.restart()
        #expect(try fixture.ask(.read(id: id), .deployment).encoded == answer.encoded)
        #expect(fixture.refusal(.read(id: id), .performanceChange)?.kind == .notFound)
        #expect(try fixture.ask(.list(limit: 5), .deployment).elements?.count == 1)
        #expect(try fixture.ask(.list(limit: 5), .performanceChange).elements?.count == 0)
        let recorded = fixture.events
        #expect(recorded.map(\.kind) == [.decision] && recorded[0].body["gate"]?["id"]?.text == id)
    }

    @Test("missing data are inconclusive with the reason, and a change that cannot be read is refused by field")
    func missing() throws {
        let fixture = try GateFixture()
        let answer = try fixture.ask(.create, .deployment, Self.analysis)
        #expect(answer["verdict"]?.text == "inconclusive")
        #expect(answer["reason"]?.text == "e: no data of requests for the stable version")
        #expect(
            fixture.refusal(.create, .deployment, #"{"metrics": [{"name": "e", "samples": "rate(x[5m])"}]}"#)
                == GateRefusal(.invalid, "metrics[0].samples: no selector"))
        #expect(fixture.refusal(.create, .deployment, "{")?.message.hasPrefix("body: invalid JSON") == true)
        #expect(fixture.refusal(.create, .deployment, "[]")?.message == "body: expected an object")
        let long = #"{"service": ""# + String(repeating: "x", count: GateRequest.bodyLimit) + #""}"#
        #expect(
            fixture.refusal(.create, .deployment, long)?.message == "body: larger than \(GateRequest.bodyLimit) bytes")
    }

    @Test("a checkpoint has the weights of the routers, and a restore uses the controller's journal")
    func checkpoints() throws {
        let fixture = try GateFixture()
        let before = try fixture.ask(.create, .checkpoint, #"{"reason": "before 1.2"}"#)
        #expect(before["complete"] == true)
        let service = before["plans"]?.elements?.first?["services"]?.elements?.first
        #expect(service?["service"] == "a" && service?["live"] == ["stable": 100, "candidate": 0])
        #expect(service?["stable_health"] == "healthy" && service?["routes"]?.elements?.first?["kind"] == "exec")
        #expect(fixture.rollback.command(RolloutCommand(.start, by: "ci"), plan: "p") == .accepted)
        #expect(Loopback.eventually { fixture.live("a") == 10 })
        #expect(Loopback.eventually { fixture.rollback.snapshots[0].services[0].progress == "baking" })
        let during = try #require(try fixture.ask(.create, .checkpoint)["checkpoint_id"]?.text)
        let id = try #require(before["checkpoint_id"]?.text)
        try fixture.restart()
        let restored = try fixture.ask(.restore(id: id), .checkpoint, #"{"reason": "the gate failed"}"#)
        #expect(restored["restore"]?["plans"]?.elements?.first?["outcome"] == "accepted", "\(restored.encoded)")
        #expect(Loopback.eventually { fixture.live("a") == 0 })
        #expect(Loopback.eventually { fixture.rollback.snapshots[0].phase == "rolled_back" })
        let rollback = fixture.rollback.snapshots[0].report?.rollback
        #expect(rollback?.causes == [.command(by: "ci", reason: "back to \(id): the gate failed")])
        #expect(rollback?.verdict?.isValid == true)
        // A restore to a checkpoint at which the candidate had traffic would raise it.
        let raised = try fixture.ask(.restore(id: during), .checkpoint)["restore"]?["plans"]?.elements?.first
        #expect(raised?["outcome"] == "ignored" && raised?["not_raised"] == ["a"])
        #expect(fixture.live("a") == 0)
        #expect(try fixture.ask(.read(id: id), .checkpoint)["restores"]?.elements?.count == 1)
        #expect(fixture.refusal(.restore(id: "x"), .checkpoint)?.kind == .notFound)
        #expect(fixture.refusal(.create, .checkpoint, #"{"plan": "x"}"#)?.message == #"plan: no plan named "x""#)
        let kinds = fixture.events.map(\.kind)
        #expect(kinds.contains(.deployment), "\(kinds)")
    }

    @Test("an exact restore lowers a candidate to its weight, and names services that it does not raise")
    func exactRestore() throws {
        let fixture = try GateFixture()
        #expect(fixture.rollback.command(RolloutCommand(.start, by: "ci"), plan: "p") == .accepted)
        #expect(Loopback.eventually { fixture.rollback.snapshots[0].services[0].progress == "baking" })
        let part = try #require(try fixture.ask(.create, .checkpoint)["checkpoint_id"]?.text)
        #expect(fixture.rollback.command(RolloutCommand(.promote, by: "ci"), plan: "p") == .accepted)
        #expect(Loopback.eventually { fixture.live("a") == 100 })
        let whole = try #require(try fixture.ask(.create, .checkpoint)["checkpoint_id"]?.text)
        #expect(
            fixture.refusal(.restore(id: part), .checkpoint, #"{"exact": "yes"}"#)?.message
                == "exact: expected true or false")
        let restored = try fixture.ask(.restore(id: part), .checkpoint, #"{"exact": true}"#)["restore"]
        #expect(restored?["exact"] == true)
        #expect(restored?["plans"]?.elements?.first?["outcome"] == "accepted", "\(restored?.encoded ?? "")")
        #expect(Loopback.eventually { fixture.live("a") == 10 })
        let raised = try fixture.ask(.restore(id: whole), .checkpoint, #"{"exact": true}"#)["restore"]
        #expect(raised?["plans"]?.elements?.first?["not_raised"] == ["a"])
        #expect(fixture.live("a") == 10)
    }

    @Test("a router that cannot be read leaves a checkpoint incomplete, and a restore does not change its service")
    func unreadable() throws {
        let fixture = try GateFixture()
        fixture.directory.write("nonsense", to: "b")
        let checkpoint = try fixture.ask(.create, .checkpoint)
        #expect(checkpoint["complete"] == false)
        let service = checkpoint["plans"]?.elements?.first?["services"]?.elements?.last
        #expect(service?["live"] == .some(.null) && service?["error"]?.text?.contains("the reading is") == true)
        let id = try #require(checkpoint["id"]?.text)
        let restored = try fixture.ask(.restore(id: id), .checkpoint)["restore"]?["plans"]?.elements?.first
        #expect(restored?["unread"] == ["b"])
    }

    @Test(
        "an improvement reaches the executor with one key for all attempts, also after a restart, and reports come back"
    )
    func improvements() throws {
        let seen = Mutex<[LoopbackServer.Request]>([])
        let answers = Mutex(["503 Service Unavailable", "200 OK"])
        let server = LoopbackServer { request in
            seen.withLock { $0.append(request) }
            return .ok("{}", status: answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] })
        }
        defer { server.stop() }
        let fixture = try GateFixture(executor: server.url)
        let made = try fixture.ask(.create, .improvement, #"{"title": "faster", "parameters": {"cache": 2}}"#)
        let id = try #require(made["improvement_id"]?.text)
        #expect(made["status"] == "queued")
        #expect(Loopback.eventually { seen.withLock { $0.count } == 1 })
        #expect(Loopback.eventually { (try? fixture.ask(.read(id: id), .improvement))?["attempts"] == 1 })
        try fixture.restart()
        #expect(Loopback.eventually { (try? fixture.ask(.read(id: id), .improvement))?["status"] == "delegated" })
        let requests = seen.withLock { $0 }
        #expect(requests.map { $0.headers["idempotency-key"] } == [id, id])
        #expect(requests[1].headers["authorization"] == "Bearer hush-hush")
        #expect(try JSON(parsing: requests[1].body)["request"]?["parameters"] == ["cache": 2])
        let report = #"{"status": "succeeded", "detail": "merged"}"#
        #expect(try fixture.ask(.report(id: id), .improvement, report)["status"] == "succeeded")
        #expect(fixture.refusal(.report(id: id), .improvement, report)?.message == "the status is already succeeded")
        #expect(fixture.refusal(.report(id: id), .improvement, #"{"status": "x"}"#)?.kind == .invalid)
    }

    @Test("a final refusal of the executor is not retried; without an executor requests are refused")
    func refusedImprovements() throws {
        let server = LoopbackServer { _ in .ok("no such thing", status: "422 Unprocessable Content") }
        defer { server.stop() }
        let fixture = try GateFixture(executor: server.url)
        let id = try #require(try fixture.ask(.create, .improvement, #"{"title": "x"}"#)["id"]?.text)
        #expect(Loopback.eventually { (try? fixture.ask(.read(id: id), .improvement))?["status"] == "undeliverable" })
        #expect(
            try fixture.ask(.read(id: id), .improvement)["detail"] == "the executor answered 422: no such thing")
        #expect(fixture.refusal(.create, .improvement, #"{"title": 1}"#)?.message == "title: expected text")
        let alone = try GateFixture()
        #expect(alone.refusal(.create, .improvement, #"{"title": "x"}"#)?.kind == .conflict)
    }

    @Test("records are limited, the oldest are deleted first; a damaged file is renamed")
    func archive() throws {
        let directory = TemporaryDirectory()
        let archive = try GateArchive(directory: directory.file("a"), limit: 3)
        for number in 0..<5 { try archive.put("r\(number)", ["id": .string("r\(number)")]) }
        #expect(archive.newest(10).compactMap { $0["id"]?.text } == ["r4", "r3", "r2"])
        _ = directory.write("{torn", to: "a/r9.json")
        let again = try GateArchive(directory: directory.file("a"), limit: 3)
        #expect(again.newest(10).compactMap { $0["id"]?.text } == ["r4", "r3", "r2"])
        #expect(again.damaged == [directory.file("a/r9.json")])
        #expect(FileText.read(directory.file("a/r9.json.damaged")) == "{torn")
    }

    @Test("bottlenecks are ranked by pressure and number of dependents; missing data is unknown, not 0")
    func bottlenecks() throws {
        let fixture = try GateFixture(values: { expression in
            switch expression {
            case let text where text.contains("histogram_quantile"):
                .success([.init(labels: ["service": "a"], value: 0.75)])
            case let text where text.contains("duration_seconds_sum"):
                .success([.init(labels: ["service": "a"], value: 0.08), .init(labels: ["service": "b"], value: 0.1)])
            case let text where text.contains("compliance_score"):
                .success([.init(labels: ["service": "a"], value: 0.99), .init(labels: ["service": "b"], value: 0.9)])
            case let text where text.contains("fds"): .failure(.init("the query took too long"))
            default: .success([])
            }
        })
        let entries = fixture.gates.bottlenecks()["bottlenecks"]?.elements ?? []
        func entry(_ name: String, _ subject: String) -> JSON? {
            entries.first { $0["name"]?.text == name && $0["subject"]?.text == subject }
        }
        // a: 0.75 of 0.5 s, and the only other service depends on it.
        #expect(entry("p95_latency_seconds", "a")?["score"]?.number == 3)
        #expect(entry("latency_share", "b → a")?["status"] == "unknown", "nobody knows whether b is too slow")
        #expect(entry("compliance_score", "b")?["status"] == "bottleneck")
        #expect(((entry("compliance_score", "b")?["pressure"]?.number ?? 0) - 2).magnitude < 1e-9)
        #expect(entry("compliance_score", "a")?["status"] == "ok")
        #expect(entry("p95_latency_seconds", "b")?["status"] == "unknown")
        #expect(entry("p95_latency_seconds", "b")?["score"] == .some(.null))
        #expect(entry("file_descriptors", "")?["evidence"]?["reason"] == "the query took too long")
        let scores = entries.map { $0["score"]?.number ?? -1 }
        #expect(scores == scores.sorted(by: >))
        #expect(entries.first?["name"] == "compliance_score", "twice its share, and it counts twice")
    }
}

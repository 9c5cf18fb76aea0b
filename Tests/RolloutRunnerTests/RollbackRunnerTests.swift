import Glibc
import JSON
import MetricModel
import RouterFixtures
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Lease
@testable import Rollback
@testable import RolloutRunner
@testable import TrafficRouters

/// The whole chain with a real HAProxy. Skipped, saying so, where none is installed.
@Suite(.enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"), .serialized)
struct RollbackRunnerTests {
    /// Keeps what the sinks got.
    final class Sinks: Sendable {
        let events = Mutex<[RollbackEvent]>([])
        let notices = Mutex<[RollbackNotice]>([])
        let incidents = Mutex<[RollbackIncident]>([])
        let reports = Mutex<[RollbackReport]>([])

        var sinks: RollbackSinks {
            RollbackSinks(
                event: { [self] event in events.withLock { $0.append(event) } },
                incident: { [self] incident in incidents.withLock { $0.append(incident) } },
                notice: { [self] notice in notices.withLock { $0.append(notice) } },
                report: { [self] report in reports.withLock { $0.append(report) } })
        }
    }

    /// Measurements of one millisecond rest on one sample, and count once.
    private static let measurements = Atomic<Int64>(0)

    private func measurement(
        _ value: Double?, consecutive: Int = 1, service: String? = nil,
        scope: RollbackDefinition.Action.Scope = .all
    ) -> RollbackMeasurement {
        RollbackMeasurement(
            rule: "f;g;ComplianceLow", ruleHash: "c0ffee",
            definition: RollbackDefinition(
                name: "ComplianceLow", expression: "compliance", trip: .init(.less, 0.95), consecutive: consecutive,
                action: .init(plan: "acgs", service: service, scope: scope)),
            time: Timestamp(
                milliseconds: SystemClock.wallMilliseconds()
                    + Self.measurements.wrappingAdd(1, ordering: .relaxed).newValue),
            causeNanoseconds: SystemClock.monotonicNanoseconds(),
            elements: value.map { [.init(labels: .empty, value: $0)] } ?? [])
    }

    /// Starts a rollout and waits until both services are watched at the first stage.
    private func runner(_ proxy: HAProxyFixture, _ sinks: Sinks, top: String = "") throws -> RollbackRunner {
        let plan = try RolloutPlan(parsing: proxy.plan(top), file: "plan.yml")
        let runner = try RollbackRunner(
            plans: [plan], settings: .init(directory: proxy.directory.path), sinks: sinks.sinks)
        try runner.start()
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs") == .accepted)
        try #require(progress(runner, ["baking", "baking"]))
        return runner
    }

    private func progress(_ runner: RollbackRunner, _ wanted: [String]) -> Bool {
        Loopback.eventually { runner.snapshots[0].services.map(\.progress) == wanted }
    }

    private func phase(_ runner: RollbackRunner, _ wanted: String) -> Bool {
        Loopback.eventually { runner.snapshots[0].phase == wanted }
    }

    @Test("a trip rolls every service back, validates it and reports with evidence")
    func trip() throws {
        let proxy = try HAProxyFixture()
        let sinks = Sinks()
        let runner = try runner(proxy, sinks)
        runner.measured(measurement(1, consecutive: 3))
        for _ in 0..<2 { runner.measured(measurement(0.5, consecutive: 3)) }
        runner.measured(measurement(nil, consecutive: 3))
        runner.measured(measurement(0.4, consecutive: 3))
        try #require(phase(runner, "rolled_back"))
        runner.stop()
        #expect(try proxy.router(backend: "auth").read().split == .allStable)
        #expect(try proxy.router(backend: "ac").read().isCandidateIsolated)
        let report = try #require(sinks.reports.withLock { $0.first })
        #expect(report.rollback.verdict?.isValid == true)
        #expect(report.rollback.services == ["ac", "auth"])
        let verified = try #require(report.milliseconds(to: "verified"))
        #expect(verified > 0)
        #expect(report.markdown.contains("SHA-256 `c0ffee`"))
        #expect(report.markdown.contains(": 0.4"))
        #expect(report.markdown.contains("- [ ] Check what the candidate wrote while it had traffic."))
        #expect(report.json["incident"]?["tasks"]?.elements?.count == 4)
        let steps = report.rollback.timeline.map(\.step)
        let wanted = [
            "violated", "decided", "intended", "shifted", "verified", "incident", "announced", "validated", "reported",
        ]
        #expect(
            wanted.map { steps.firstIndex(of: $0) ?? -1 } == wanted.compactMap { steps.firstIndex(of: $0) }.sorted())
        #expect(sinks.incidents.withLock { $0.map(\.id) } == ["acgs-1-1"])
        // Routes are read first: weights that were not those of the stable version are drift.
        let recorded = sinks.events.withLock { $0 }.filter { $0.kind == .step && $0.body["step"] != "drift" }
        #expect(!recorded.isEmpty)
        for event in recorded {
            #expect(event.body["causes"]?.elements?.first?["trip"]?["rule_hash"] == "c0ffee", "\(event.body.encoded)")
        }
        #expect(sinks.events.withLock { $0 }.filter { $0.kind == .violation }.count == 3)
    }

    @Test("traffic that somebody else gave before a rollout is shown, rolled back by a trip, adopted by order")
    func unmanaged() throws {
        for verb in [nil, RolloutCommand.Verb.adopt, .abort] {
            let proxy = try HAProxyFixture()
            let sinks = Sinks()
            let plan = try RolloutPlan(parsing: proxy.plan(), file: "plan.yml")
            let operation = RouterOperation(
                id: 1, epoch: 1, generation: 0, service: "ac", kind: .inspect, key: "by hand")
            try proxy.router(backend: "ac").shift(to: TrafficSplit(candidate: 50)!, for: operation)
            let runner = try RollbackRunner(
                plans: [plan], settings: .init(directory: proxy.directory.path), sinks: sinks.sinks)
            try runner.start()
            try #require(Loopback.eventually { runner.snapshots[0].services[1].unmanagedSince != nil })
            // HAProxy has checked nothing yet when it starts, and a trip acts only beside a healthy stable version.
            try #require(
                Loopback.eventually {
                    runner.snapshots[0].services.allSatisfy { $0.routes[0].view.reading?.stable == .healthy }
                })
            #expect(runner.snapshots[0].services[1].observed == TrafficSplit(candidate: 50))
            #expect(Loopback.eventually { sinks.notices.withLock { $0.contains { $0.key == "acgs/0/ac/unmanaged" } } })
            if let verb {
                #expect(runner.command(RolloutCommand(verb, by: "ops"), plan: "acgs") == .accepted)
            } else {
                runner.measured(measurement(0.5))
            }
            let end = verb == .adopt ? "paused" : "rolled_back"
            try #require(phase(runner, end))
            runner.stop()
            let live = try proxy.router(backend: "ac").read()
            #expect(live.split == (verb == .adopt ? TrafficSplit(candidate: 50) : .allStable))
            #expect(sinks.reports.withLock { $0.count } == (verb == .adopt ? 0 : 1))
        }
    }

    @Test("an exact restore sets the weights of the checkpoint, and they survive a restart")
    func exactRestore() throws {
        let proxy = try HAProxyFixture()
        let sinks = Sinks()
        var runner = try runner(proxy, sinks)
        func weights() throws -> [Int?] {
            try ["auth", "ac"].map { try proxy.router(backend: $0).read().split?.candidate }
        }
        let then = runner.live(plan: "acgs")[0]
        let splits = Dictionary(uniqueKeysWithValues: then.services.map { ($0.name, $0.live ?? .allStable) })
        #expect(try weights() == [50, 50])
        #expect(runner.command(RolloutCommand(.promote, by: "ops"), plan: "acgs") == .accepted)
        try #require(Loopback.eventually { (try? weights()) == [100, 100] })
        let restore = RolloutCommand(.restore(splits, exactlyIn: then.generation), by: "ci", reason: "too slow")
        #expect(runner.command(restore, plan: "acgs") == .accepted)
        try #require(progress(runner, ["baking", "baking"]))
        #expect(try weights() == [50, 50])
        #expect(runner.snapshots[0].phase == "paused" && runner.snapshots[0].obstacle == "ci: too slow")
        runner.stop()
        runner = try RollbackRunner(
            plans: [try RolloutPlan(parsing: proxy.plan(), file: "plan.yml")],
            settings: .init(directory: proxy.directory.path), sinks: sinks.sinks)
        try runner.start()
        try #require(phase(runner, "paused"))
        #expect(
            runner.command(restore, plan: "acgs") == .ignored("no candidate has more traffic than at the checkpoint"))
        #expect(try weights() == [50, 50])
        runner.stop()
    }

    @Test("a sink that hangs does not delay the shift")
    func hangingSink() throws {
        let proxy = try HAProxyFixture()
        let gate = Mailbox<Int>(capacity: 1)
        let hang: @Sendable () -> Void = { _ = gate.receive() }
        let plan = try RolloutPlan(parsing: proxy.plan(), file: "plan.yml")
        let runner = try RollbackRunner(
            plans: [plan], settings: .init(directory: proxy.directory.path),
            sinks: RollbackSinks(event: { _ in hang() }, notice: { _ in hang() }))
        try runner.start()
        _ = runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs")
        try #require(progress(runner, ["baking", "baking"]))
        runner.measured(measurement(0.5))
        #expect(phase(runner, "rolled_back"))
        gate.close()
        runner.stop()
    }

    @Test("a proxy that restores the weights of its file is corrected")
    func drift() throws {
        let proxy = try HAProxyFixture()
        let sinks = Sinks()
        let runner = try runner(proxy, sinks)
        runner.measured(measurement(0.5))
        try #require(phase(runner, "rolled_back"))
        try proxy.restart()
        #expect(try Loopback.eventually { try proxy.router(backend: "auth").read().split == .allStable })
        #expect(try Loopback.eventually { try proxy.router(backend: "ac").read().split == .allStable })
        runner.stop()
        #expect(sinks.events.withLock { $0 }.contains { $0.body["step"]?.text == "drift" })
    }

    @Test("weights that somebody sets by hand are another thing than those of a reload")
    func writers() throws {
        let proxy = try HAProxyFixture()
        let sinks = Sinks()
        let runner = try runner(proxy, sinks)
        func set(_ backend: String, _ candidate: Int) throws {
            try proxy.router(backend: backend).shift(
                to: try #require(TrafficSplit(candidate: candidate)), for: HAProxyFixture.operation)
        }
        func split(_ backend: String) throws -> Int? { try proxy.router(backend: backend).read().split?.candidate }
        try set("auth", 90)
        #expect(try Loopback.eventually { try split("auth") == 50 })
        try set("ac", 5)
        #expect(phase(runner, "paused"))
        #expect(runner.snapshots[0].obstacle == "somebody else lowered ac from 50/50 to 95/5: resume or abort")
        #expect(try split("ac") == 5)
        let before = try proxy.router(backend: "ac").read().process
        try proxy.restart()
        #expect(try Loopback.eventually { try split("ac") == 5 }, "the file of HAProxy has 50")
        #expect(try proxy.router(backend: "ac").read().process != before)
        runner.stop()
    }

    @Test("no traffic is shifted to a stable version that is down; a page is sent")
    func unhealthyTarget() throws {
        let proxy = try HAProxyFixture()
        let sinks = Sinks()
        let runner = try runner(proxy, sinks)
        try disable("auth/blue", proxy)
        runner.measured(measurement(0.5))
        #expect(Loopback.eventually { runner.snapshots[0].services.contains { $0.name == "auth" && $0.frozen != nil } })
        #expect(try proxy.router(backend: "auth").read().split == .allCandidate, "blue is out, green keeps its weight")
        #expect(Loopback.eventually { sinks.notices.withLock { $0.contains { $0.kind == .page } } })
        try disable("auth/blue", proxy, state: "ready")
        #expect(phase(runner, "rolled_back"))
        #expect(try proxy.router(backend: "auth").read().split == .allStable)
        runner.stop()
    }

    private func disable(_ server: String, _ proxy: HAProxyFixture, state: String = "maint") throws {
        let deadline = SystemClock.monotonicNanoseconds() + 2_000_000_000
        _ = try StreamSocket(connectingTo: proxy.socket, deadline: deadline)
            .exchange("set server \(server) state \(state)\n")
    }

    @Test("after promotion the stable version is retained, and a complete rollback is possible")
    func afterPromotion() throws {
        let proxy = try HAProxyFixture()
        let runner = try runner(proxy, Sinks())
        func both(_ split: TrafficSplit) throws -> Bool {
            try Loopback.eventually {
                try ["auth", "ac"].allSatisfy { try proxy.router(backend: $0).read().split == split }
            }
        }
        for _ in 0..<2 {
            try #require(progress(runner, ["baking", "baking"]))
            #expect(runner.command(RolloutCommand(.promote, by: "ops"), plan: "acgs") == .accepted)
        }
        try #require(phase(runner, "promoted"))
        #expect(try both(.allCandidate))
        #expect(
            runner.command(RolloutCommand(.abort, by: "ops"), plan: "acgs")
                == .ignored("generation 1 is promoted: use a rollback instead"))
        #expect(runner.command(RolloutCommand(.rollback(services: nil), by: "ops"), plan: "acgs") == .accepted)
        try #require(phase(runner, "rolled_back"))
        #expect(try both(.allStable))
        runner.stop()
    }

    @Test("a journal that another process has open is refused")
    func locked() throws {
        let directory = TemporaryDirectory()
        let journal = try Journal(path: directory.file("p.journal"))
        let error = #expect(throws: JournalError.self) { try Journal(path: directory.file("p.journal")) }
        #expect(error?.code == .locked)
        withExtendedLifetime(journal) {}
    }

    @Test("after a kill at any step, the next process ends in the same state")
    func killedAnywhere() throws {
        let proxy = try HAProxyFixture()
        let path = try #require(CrashProgram.path)
        let plan = proxy.directory.write(proxy.plan(), to: "plan.yml")
        let wanted = "generation 1: auth rolled_back 100/0, ac rolled_back 100/0; acgs-1-1 valid;"
        var step = 0
        while true {
            let directory = proxy.directory.file("run-\(step)")
            _ = Paths.makeDirectory(directory)
            for backend in ["auth", "ac"] {
                try proxy.router(backend: backend).shift(
                    to: TrafficSplit(candidate: 50)!, for: HAProxyFixture.operation)
            }
            let output = proxy.directory.file("out-\(step)")
            let first = try ChildProcess([path, plan, directory, "\(step)"], output: .file(output)).wait()
            if first == .signal(SIGKILL) {
                let second = try ChildProcess([path, plan, directory, "-1"], output: .file(output)).wait()
                #expect(second == .code(0), "after a kill at step \(step)")
            } else {
                #expect(first == .code(0))
            }
            let text = FileText.read(output) ?? ""
            #expect(text.hasPrefix(wanted), "after a kill at step \(step): \(text)")
            #expect(try proxy.router(backend: "auth").read().split == .allStable)
            #expect(try proxy.router(backend: "ac").read().isCandidateIsolated)
            if first != .signal(SIGKILL) { break }
            step += 1
        }
        print("killed at each of \(step) steps")
        #expect(step > 30)
    }
}

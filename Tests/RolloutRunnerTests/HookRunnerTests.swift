import Glibc
import JSON
import RouterFixtures
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Rollback
@testable import RolloutRunner
@testable import TrafficRouters

/// Hooks as programs and web services, with a real HAProxy. Skipped, saying so, where none is installed.
@Suite(.enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"), .serialized)
struct HookRunnerTests {
    private func phase(_ runner: RollbackRunner, _ wanted: String) -> Bool {
        Loopback.eventually { runner.snapshots[0].phase == wanted }
    }

    private func runner(
        _ proxy: HAProxyFixture, _ hooks: String, _ sinks: RollbackSinks = RollbackSinks()
    ) throws -> RollbackRunner {
        // Bakes are an hour in the fixture.
        let text = proxy.plan("hooks:\n\(hooks)").replacing("bake: 1h", with: "bake: 100ms")
        let plan = try RolloutPlan(parsing: text, file: "plan.yml")
        let runner = try RollbackRunner(
            plans: [plan], settings: .init(directory: proxy.directory.path), sinks: sinks)
        try runner.start()
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs") == .accepted)
        return runner
    }

    @Test("a program gets the call, and its exit code is the answer")
    func programs() throws {
        let proxy = try HAProxyFixture()
        let directory = TemporaryDirectory()
        let log = directory.file("log")
        // Holds until there is a file, then passes.
        let script = """
            cat >> \(log); echo " $TRIBUNE_SERVICE $TRIBUNE_STAGE $TRIBUNE_CANDIDATE $TRIBUNE_WHEN" >> \(log)
            test -e \(directory.file("ready")) || { echo wait for it; exit 75; }
            """
        #expect(FileText.write(script, to: directory.file("hook.sh")))
        let runner = try runner(
            proxy, "- {name: h, when: before_stage, services: [auth], exec: [sh, \(directory.file("hook.sh"))]}")
        defer { runner.stop() }
        try #require(
            Loopback.eventually {
                runner.snapshots[0].hooks.first?.answer == HookAnswer(.hold, "wait for it")
            })
        #expect(try proxy.router(backend: "auth").read().split == .allStable)
        let lines = try #require(FileText.read(log)).split(separator: "\n")
        let call = try JSON(parsing: Array(lines[0].split(separator: " auth")[0].utf8))
        #expect(call["key"] == "acgs/1/before_stage/auth/1/h")
        #expect(call["candidate"] == 50)
        #expect(lines[0].hasSuffix(" auth 1 50 before_stage"))
    }

    @Test("a web service that fails after a stage takes its service back; one that answers 2xx lets it pass")
    func webServices() throws {
        let proxy = try HAProxyFixture()
        let seen = Mutex<[LoopbackServer.Request]>([])
        let server = LoopbackServer { request in
            seen.withLock { $0.append(request) }
            guard request.target == "/load", String(decoding: request.body, as: UTF8.self).contains("\"ac\"") else {
                return .ok("")
            }
            return .ok("{\"result\": \"fail\", \"detail\": \"p99 of 2 s\"}")
        }
        defer { server.stop() }
        let reports = Mutex<[RollbackReport]>([])
        let events = Mutex<[RollbackEvent]>([])
        let runner = try runner(
            proxy,
            """
            - {name: load, when: after_stage, http: "\(server.url)/load", headers: {X-Token: abc}}
            - {name: tell, when: after_rollback, http: "\(server.url)/tell"}
            """,
            RollbackSinks(
                event: { event in events.withLock { $0.append(event) } },
                report: { report in reports.withLock { $0.append(report) } }))
        defer { runner.stop() }
        try #require(Loopback.eventually { reports.withLock { !$0.isEmpty } })
        #expect(
            reports.withLock { $0[0].rollback.causes } == [
                .promotion(service: "ac", reason: "hook load after stage 1 of ac: p99 of 2 s")
            ])
        #expect(try proxy.router(backend: "ac").read().split == .allStable)
        #expect(Loopback.eventually { seen.withLock { $0.contains { $0.target == "/tell" } } })
        let call = try #require(seen.withLock { $0.first { $0.target == "/load" } })
        #expect(call.line == "POST /load HTTP/1.1")
        #expect(call.headers["x-token"] == "abc")
        #expect(call.headers["idempotency-key"]?.hasPrefix("acgs/1/after_stage/") == true)
        let recorded = Loopback.eventually {
            events.withLock { $0.contains { $0.body["step"] == "hook" && $0.body["verdict"] == "fail" } }
        }
        #expect(recorded)
    }

    @Test("a hook that hangs delays no rollback, and the end of the service ends it")
    func hangs() throws {
        let proxy = try HAProxyFixture()
        let directory = TemporaryDirectory()
        let file = directory.file("pid")
        #expect(FileText.write("echo $$ > \(file); sleep 600", to: directory.file("hook.sh")))
        let server = LoopbackServer { _ in .hang }
        defer { server.stop() }
        let runner = try runner(
            proxy,
            """
            - {name: h, when: after_stage, timeout: 1h, exec: [sh, \(directory.file("hook.sh"))]}
            - {name: g, when: after_stage, timeout: 1h, http: "\(server.url)"}
            """)
        try #require(Loopback.eventually { FileText.read(file)?.hasSuffix("\n") == true })
        #expect(runner.command(RolloutCommand(.abort, by: "ops"), plan: "acgs") == .accepted)
        #expect(phase(runner, "rolled_back"))
        #expect(try proxy.router(backend: "auth").read().split == .allStable)
        let number = try #require(FileText.read(file).flatMap { Int32($0.dropLast()) })
        #expect(kill(number, 0) == 0)
        runner.stop()
        #expect(kill(number, 0) != 0)
    }

    @Test(
        "answers without a verdict",
        arguments: [
            ("exec: [sh, -c, \"kill -9 $$\"]", "ended with signal 9"),
            ("exec: [sh, -c, \"sleep 60\"], timeout: 200ms", "sh took longer than 200ms"),
            ("exec: [/nonexistent/program]", "cannot start /nonexistent/program: No such file or directory"),
            ("exec: [sh, -c, \"yes | head -c 3000000; sleep 60\"]", "sh wrote more than 1 MiB"),
        ])
    func noVerdict(_ kind: String, _ detail: String) throws {
        let proxy = try HAProxyFixture()
        let runner = try runner(proxy, "- {name: h, when: before_rollout, \(kind)}")
        defer { runner.stop() }
        try #require(Loopback.eventually { runner.snapshots[0].hooks.first?.answer != nil })
        #expect(runner.snapshots[0].hooks[0].answer == HookAnswer(.none, detail))
        #expect(runner.snapshots[0].phase == "promoting")
    }
}

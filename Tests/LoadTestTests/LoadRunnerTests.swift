import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer

@testable import LoadTest

@Suite struct LoadRunnerTests {
    /// Times of requests as a server sees them.
    private final class Seen: Sendable {
        let times = Mutex<[Int64]>([])
        var count: Int { times.withLock { $0.count } }
        func now() { times.withLock { $0.append(SystemClock.monotonicNanoseconds()) } }
    }

    private func server(
        _ seen: Seen, _ answer: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse
    ) throws -> HTTPServer {
        var configuration = HTTPServerConfiguration(address: "127.0.0.1", port: 0)
        configuration.workers = 16
        return try HTTPServer(configuration) { request in
            seen.now()
            return answer(request)
        }
    }

    private func plan(_ port: Int, rate: Double, seconds: Double, path: String = "/") -> LoadPlan {
        var plan = LoadPlan()
        plan.targets = [.init(name: "a", url: "http://127.0.0.1:\(port)\(path)")]
        plan.stages = [LoadStage(seconds: seconds, from: rate, to: rate)]
        return plan
    }

    @Test("every planned request is sent at its time, and counted once")
    func rate() throws {
        let seen = Seen()
        let server = try server(seen) { _ in .text("ok") }
        defer { server.stop() }
        let result = try LoadRunner(plan(server.port, rate: 200, seconds: 1.5)).run()
        #expect(result.total.requests == 300 && result.total.failed == 0 && seen.count == 300)
        let times = seen.times.withLock { $0.sorted() }
        let span = Double((times.last ?? 0) - (times.first ?? 0)) / 1e9
        // The last one is due after 1.495 s; a loaded machine may send it later, never earlier.
        #expect(span > 1.4, "\(span)")
        #expect(result.timeline.reduce(0) { $0 + $1.ended } == 300 && result.timeline.reduce(0) { $0 + $1.due } == 300)
        #expect(result.parts[0].latency == result.total.latency)
    }

    @Test("a server that stands still is seen by all requests of that time, not by one for each connection")
    func coordinatedOmission() throws {
        let seen = Seen()
        let stall = Mutex(Int64(0))
        let server = try server(seen) { _ in
            // From the hundredth request on, nobody gets an answer for 400 ms.
            let until = stall.withLock { until in
                if until == 0, seen.count >= 100 { until = SystemClock.monotonicNanoseconds() + 400_000_000 }
                return until
            }
            let rest = until - SystemClock.monotonicNanoseconds()
            if rest > 0 { usleep(UInt32(rest / 1000)) }
            return .text("ok")
        }
        defer { server.stop() }
        var plan = plan(server.port, rate: 500, seconds: 1)
        plan.connections = 4
        let result = try LoadRunner(plan).run()
        #expect(result.total.requests == 500 && result.total.failed == 0)
        // 200 requests were due in the 400 ms; three quarters of them waited longer than 100 ms.
        let late = 1 - result.total.latency.share(upTo: 100_000_000)
        #expect(late > 0.25, "\(late)")
        // What a closed loop reports: the four requests that were in progress.
        let sentLate = 1 - result.total.serviceTime.share(upTo: 100_000_000)
        #expect(sentLate < 0.1, "\(sentLate)")
    }

    @Test("statuses, wrong hashes, refused connections and timeouts are told apart, by target")
    func failures() throws {
        let seen = Seen()
        let server = try server(seen) { request in
            switch request.path {
            case "/bad": return .text("no", status: 503)
            case "/slow":
                usleep(900_000)
                return .text("late")
            default:
                return HTTPServerResponse(
                    status: 200, headers: [("X-Constitutional-Hash", request.path == "/other" ? "0000" : "abcd")],
                    body: [])
            }
        }
        defer { server.stop() }
        var plan = LoadPlan()
        plan.hash = .init(value: "abcd")
        plan.timeout = 0.3
        for path in ["good", "other", "bad", "slow"] {
            plan.targets.append(.init(name: path, url: "http://127.0.0.1:\(server.port)/\(path)"))
        }
        plan.targets.append(.init(name: "refused", url: "http://127.0.0.1:\(Loopback.freePort())/"))
        plan.stages = [LoadStage(seconds: 0.5, from: 40, to: 40)]
        plan.thresholds = ["good: errors <= 0%", "hash >= 100%", "slow: errors < 50%"].compactMap(LoadThreshold.init)
        let result = try LoadRunner(plan).run()
        func part(_ name: String) throws -> LoadResult.Part { try #require(result.parts.first { $0.name == name }) }
        #expect(result.total.requests == 20)
        #expect(try part("good").failed == 0 && part("good").hashMismatches == 0)
        #expect(try part("other").failed == 0 && part("other").hashMismatches == 4)
        #expect(try part("bad").failures == ["status 503": 4])
        #expect(try part("slow").failures == ["timeout": 4])
        #expect(try part("refused").failures == ["connect": 4])
        let report = LoadReport(plan, result, began: 0)
        #expect(report.violations.map(\.description) == ["hash >= 100%", "slow: errors < 50%"])
        #expect(report.text.contains("FAILS: slow: errors < 50% (100 %)"), "\(report.text)")
        #expect(report.json["total"]?["failures"]?["timeout"] == 4)
    }

    @Test("what could not be sent before the end is a failure")
    func unsent() throws {
        let server = LoopbackServer { _ in .hang }
        defer { server.stop() }
        var plan = plan(server.port, rate: 20, seconds: 0.5)
        plan.connections = 1
        plan.timeout = 0.2
        let result = try LoadRunner(plan).run()
        #expect(result.total.requests == 10 && result.total.succeeded == 0)
        #expect((result.total.failures["not sent in time"] ?? 0) >= 5, "\(result.total.failures)")
    }

    @Test("a body is sent with its method and fields")
    func bodies() throws {
        let received = Mutex<[String]>([])
        let server = LoopbackServer { request in
            received.withLock {
                $0.append(
                    "\(request.line) \(request.headers["x-a"] ?? "") \(String(decoding: request.body, as: UTF8.self))")
            }
            return .ok("")
        }
        defer { server.stop() }
        var plan = plan(server.port, rate: 10, seconds: 0.2, path: "/api/v1/coordinate")
        plan.targets[0].method = "POST"
        plan.targets[0].headers = ["X-A": "b"]
        plan.targets[0].body = "{}"
        #expect(try LoadRunner(plan).run().total.failed == 0)
        #expect(received.withLock { $0 } == Array(repeating: "POST /api/v1/coordinate HTTP/1.1 b {}", count: 2))
    }

    @Test("a stop ends the test with what was measured; a plan without requests is refused")
    func stop() throws {
        let server = LoopbackServer { _ in .ok("") }
        defer { server.stop() }
        let runner = try LoadRunner(plan(server.port, rate: 100, seconds: 3600))
        let thread = try WorkerThread("stopper") {
            while server.connectionCount == 0 { usleep(1000) }
            runner.stop()
        }
        let result = try runner.run()
        thread.join()
        #expect(result.seconds < 60 && result.total.requests < 10_000)
        #expect(throws: LoadError.self) { try LoadRunner(LoadPlan()) }
    }

    @Test("the page has its plots and no markup of others")
    func page() throws {
        let server = LoopbackServer { _ in .ok("") }
        defer { server.stop() }
        var plan = plan(server.port, rate: 50, seconds: 1.2)
        plan.targets[0].name = "<script>"
        plan.thresholds = [try #require(LoadThreshold("p99 < 10s"))]
        let html = LoadReport(plan, try LoadRunner(plan).run(), began: 0).html
        #expect(html.ranges(of: "<svg").count == 3 && html.contains("<polyline"))
        #expect(!html.contains("<script>") && html.contains("p99 &lt; 10s"))
        #expect(!html.contains("nan") && !html.contains("inf"))
    }

    @Test(
        "rate and latency agree with wrk on the same server",
        .enabled(if: access("/usr/bin/wrk", X_OK) == 0))
    func wrk() throws {
        let seen = Seen()
        let server = try server(seen) { _ in
            usleep(2000)
            return .text("ok")
        }
        defer { server.stop() }
        let directory = TemporaryDirectory()
        let child = try ChildProcess(
            ["wrk", "-t1", "-c4", "-d2s", "--latency", "http://127.0.0.1:\(server.port)/"],
            output: .file(directory.file("out")))
        #expect(child.wait(milliseconds: 60_000) == .code(0))
        let output = FileText.read(directory.file("out")) ?? ""
        let median = output.firstMatch(of: /50%\s+([0-9.]+)ms/).flatMap { Double($0.output.1) }
        let closed = try #require(median, "\(output)")
        // A load that four connections carry easily: waiting adds nothing.
        var plan = plan(server.port, rate: 300, seconds: 2)
        plan.connections = 4
        let own = Double(try LoadRunner(plan).run().total.serviceTime.quantile(0.5)) / 1e6
        #expect(own > 2 && (own / closed) < 2 && (closed / own) < 2, "\(own) ms, wrk \(closed) ms")
    }
}

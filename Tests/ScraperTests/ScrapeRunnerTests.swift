import ConfigurationFields
import CurlHTTP
import Discovery
import Exposition
import Instrumentation
import MetricModel
import MetricStore
import Runtime
import Scraper
import Synchronization
import TestSupport
import Testing
import Zlib

@Suite struct ScrapeRunnerTests {
    /// A runner with a store in memory.
    private final class Bench: Sendable {
        let store: MetricStore
        let registry = Registry()
        let runner: ScrapeRunner
        let commits = Atomic(0)

        init(_ change: (inout ScrapeRunner.Settings) -> Void = { _ in }) throws {
            var settings = ScrapeRunner.Settings(constitutionalHash: "good")
            change(&settings)
            store = try MetricStore(StoreConfiguration(), registry: nil)
            let box = CommitCounter()
            counter = box
            runner = try ScrapeRunner(store: store, settings: settings, registry: registry) { _, _, _ in
                box.count.add(1, ordering: .relaxed)
            }
        }

        private let counter: CommitCounter
        var commitCount: Int { counter.count.load(ordering: .relaxed) }

        func values(_ name: String, _ labels: (String, String)...) throws -> [Double] {
            try store.select(
                [Matcher("__name__", .equal, name)] + labels.map { Matcher($0.0, .equal, $0.1) }, from: .distantPast,
                through: .distantFuture, sampleLimit: 100_000
            ).flatMap(\.values)
        }

        func error(_ job: String) -> String {
            runner.snapshots().first { $0.scrapePool == job }?.lastError ?? ""
        }

        func health(_ job: String) -> TargetSnapshot.Health? {
            runner.snapshots().first { $0.scrapePool == job }?.health
        }

        func waitUntilScraped(_ job: String) throws {
            try #require(Loopback.eventually { health(job) != .unknown && health(job) != nil })
        }
    }

    private final class CommitCounter: Sendable {
        let count = Atomic(0)
    }

    private func pool(_ name: String, _ ports: Int..., change: (inout ScrapePool) -> Void = { _ in }) -> ScrapePool {
        var pool = ScrapePool(name: name, interval: .milliseconds(100), timeout: .milliseconds(100))
        pool.staticTargets = [.init(addresses: ports.map { "127.0.0.1:\($0)" })]
        change(&pool)
        return pool
    }

    @Test func failuresGoToTheFileOfTheJob() throws {
        let directory = TemporaryDirectory()
        let server = LoopbackServer { _ in .ok("no \"metrics\" here {", status: "500 Oh no") }
        defer { server.stop() }
        let bench = try Bench()
        defer { bench.runner.stop() }
        let file = directory.file("failures.log")
        try bench.runner.reload([pool("logged", server.port) { $0.failureLog = file }, pool("silent", server.port)])
        let isThere = Loopback.eventually(within: 60) {
            (FileText.read(file) ?? "").split(separator: "\n").count > 1
        }
        #expect(isThere)
        for line in (FileText.read(file) ?? "").split(separator: "\n") {
            #expect(line.hasPrefix("{\"time\":\""))
            #expect(
                line.hasSuffix(
                    "\"level\":\"error\",\"msg\":\"server returned HTTP status 500\",\"job_name\":\"logged\",\"target\":\"http://127.0.0.1:\(server.port)/metrics\"}"
                ))
        }
    }

    @Test func targetsAreScrapedAgainAndAgain() throws {
        let server = LoopbackServer { request in
            #expect(request.target == "/metrics")
            #expect(request.headers["accept"]?.contains("application/openmetrics-text") == true)
            #expect(request.headers["accept-encoding"] == "gzip")
            #expect(request.headers["x-prometheus-scrape-timeout-seconds"] == "0.1")
            return .ok("# TYPE a gauge\n# HELP a About.\na 7\n", headers: "X-Constitutional-Hash: good\r\n")
        }
        defer { server.stop() }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([pool("job", server.port)])
        #expect(try Loopback.eventually { try bench.values("a").count >= 3 })
        #expect(try bench.values("a").allSatisfy { $0 == 7 })
        #expect(try bench.values("up", ("job", "job"), ("instance", "127.0.0.1:\(server.port)")).allSatisfy { $0 == 1 })
        #expect(try bench.values("constitutional_hash_match").first == 1)
        #expect(bench.commitCount >= 3)
        #expect(server.connectionCount == 1)
        let snapshot = try #require(bench.runner.snapshots().first)
        #expect(snapshot.health == .up && snapshot.lastError.isEmpty && snapshot.lastScrape != nil)
        #expect(snapshot.scrapeURL == server.url + "/metrics")
        #expect(
            bench.runner.metadata().map(\.metadata)
                == [[MetricMetadata(family: "a", type: "gauge", help: "About.", unit: "")]])
        let families = Set(bench.registry.snapshot().map(\.name))
        #expect(
            families.isSuperset(of: ["tribune_scrapes_total", "tribune_scrape_targets", "tribune_scrape_samples_total"])
        )
    }

    /// The only ordinary worker is not kept by a target that takes for ever.
    @Test func targetsDoNotWaitForLargeBodies() throws {
        let small = LoopbackServer { _ in .ok("small 1\n") }
        let body = Array((String(repeating: "# filling\n", count: 1 << 20) + "large 1\n").utf8)
        let large = LoopbackServer { _ in .ok(body) }
        defer { for server in [small, large] { server.stop() } }
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let (others, isUnharmed) = (CommitCounter(), CommitCounter())
        var settings = ScrapeRunner.Settings()
        settings.workers = 1
        let runner = try ScrapeRunner(store: store, settings: settings, registry: Registry()) { lane, _, _ in
            let isLarge = (try? store.lanes(matching: [Matcher("__name__", .equal, "large")]).contains(lane)) ?? false
            guard isLarge else {
                others.count.add(1, ordering: .relaxed)
                return
            }
            let before = others.count.load(ordering: .relaxed)
            let went = Loopback.eventually { others.count.load(ordering: .relaxed) > before + 1 }
            if went { isUnharmed.count.add(1, ordering: .relaxed) }
        }
        defer { runner.stop() }
        try runner.reload(
            [("small", small), ("large", large)].map { name, server in
                pool(name, server.port) { pool in
                    // Room for reading the large body on a busy machine, and under a sanitizer.
                    pool.interval = name == "large" ? .seconds(4) : .seconds(1)
                    pool.timeout = pool.interval
                }
            })
        #expect(Loopback.eventually { isUnharmed.count.load(ordering: .relaxed) > 0 })
    }

    /// A bad target is reported separately, and a good one next to it is scraped as usual.
    @Test func badTargetsHarmNoOther() throws {
        let good = LoopbackServer { _ in .ok("a 1\n") }
        let hanging = LoopbackServer { _ in .hang }
        let garbage = LoopbackServer { _ in .ok((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 131) }) }
        let endless = LoopbackServer { _ in
            .endless(
                head: Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".utf8),
                chunk: [UInt8](repeating: 0x61, count: 1 << 16))
        }
        let bomb = try #require(compress([UInt8](repeating: 0x0a, count: 30 << 20), as: .gzip))
        let bombing = LoopbackServer { _ in .ok(bomb, headers: "Content-Encoding: gzip\r\n") }
        let many = (0..<3000).map { "m{n=\"\($0)\"} 1\n" }.joined()
        let exploding = LoopbackServer { _ in .ok(many) }
        let untyped = LoopbackServer { _ in .ok("a 1\n", type: "text/html") }
        let broken = LoopbackServer { _ in .ok("", status: "503 Service Unavailable") }
        let cut = LoopbackServer { _ in
            .bytesThenClose(
                Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\na 1\n".utf8))
        }
        let servers = [good, hanging, garbage, endless, bombing, exploding, untyped, broken, cut]
        defer { for server in servers { server.stop() } }
        let bench = try Bench {
            $0.maximumBodyBytes = 1 << 20
            $0.maximumSeriesPerTarget = 2000
        }
        defer { bench.runner.stop() }
        let names = ["good", "hanging", "garbage", "endless", "bombing", "exploding", "untyped", "broken", "cut"]
        try bench.runner.reload(
            zip(names, servers).map { name, server in
                pool(name, server.port) { pool in
                    // Room for a busy machine; what hangs still ends.
                    pool.interval = .milliseconds(500)
                    pool.timeout = .milliseconds(400)
                }
            })
        for name in names { try bench.waitUntilScraped(name) }
        #expect(bench.health("good") == .up)
        #expect(bench.error("hanging").contains("timed out"))
        #expect(bench.error("garbage").hasPrefix("line 1: "))
        #expect(bench.error("endless").contains("limit of 1048576 bytes"))
        #expect(bench.error("bombing").contains("limit of 1048576 bytes"))
        #expect(bench.error("exploding") == "more than 2000 samples")
        #expect(bench.error("untyped").contains("unsupported Content-Type"))
        #expect(bench.error("broken") == "server returned HTTP status 503")
        #expect(bench.health("cut") == .down)
        #expect(try bench.values("m").isEmpty)
        let before = try bench.values("a", ("job", "good")).count
        #expect(try Loopback.eventually { try bench.values("a", ("job", "good")).count >= before + 2 })
    }

    @Test func gzipIsUndone() throws {
        let body = try #require(compress(Array("a 5\n".utf8), as: .gzip))
        let server = LoopbackServer { _ in .ok(body, headers: "Content-Encoding: gzip\r\n") }
        defer { server.stop() }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([pool("job", server.port)])
        try bench.waitUntilScraped("job")
        #expect(try bench.values("a").first == 5)
    }

    @Test func credentialsAreSent() throws {
        let directory = TemporaryDirectory()
        let token = directory.write("first\n", to: "token")
        let server = LoopbackServer { request in
            .ok("token{value=\"\(request.headers["authorization"] ?? "")\"} 1\n")
        }
        defer { server.stop() }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([
            pool("job", server.port) { $0.http.authentication = .credentials(scheme: "Bearer", .file(token)) }
        ])
        #expect(try Loopback.eventually { try !bench.values("token", ("value", "Bearer first")).isEmpty })
        directory.write("second", to: "token")
        #expect(try Loopback.eventually { try !bench.values("token", ("value", "Bearer second")).isEmpty })
    }

    @Test func reloadKeepsWhatStaysAndEndsWhatGoes() throws {
        let one = LoopbackServer { _ in .ok("a 1\n") }
        let two = LoopbackServer { _ in .ok("b 1\n") }
        defer {
            one.stop()
            two.stop()
        }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([pool("one", one.port), pool("two", two.port)])
        try bench.waitUntilScraped("one")
        try bench.waitUntilScraped("two")
        try bench.runner.reload([pool("one", one.port)])
        #expect(bench.runner.snapshots().map(\.scrapePool) == ["one"])
        #expect(bench.health("one") == .up, "it was not started anew")
        #expect(try Loopback.eventually { try bench.values("b").last?.isStaleMarker == true })
        #expect(try bench.values("up", ("job", "two")).last?.isStaleMarker == true)
        #expect(try bench.values("a").contains { $0.isStaleMarker } == false)
        try bench.runner.reload([pool("one", one.port), pool("two", two.port)])
        #expect(try Loopback.eventually { try bench.values("b").last == 1 })
        #expect(one.connectionCount == 1)
    }

    @Test func refusedReloadChangesNothing() throws {
        let server = LoopbackServer { _ in .ok("a 1\n") }
        defer { server.stop() }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([pool("job", server.port)])
        var rule = RelabelRule()
        rule.regex = "("
        #expect(throws: RelabelError.self) {
            try bench.runner.reload([pool("other", server.port) { $0.relabelRules = [rule] }])
        }
        #expect(bench.runner.snapshots().map(\.scrapePool) == ["job"])
    }

    @Test func discoveryFilesAreFollowed() throws {
        let server = LoopbackServer { _ in .ok("a 1\n") }
        defer { server.stop() }
        let directory = TemporaryDirectory()
        let bench = try Bench()
        defer { bench.runner.stop() }
        func targets() -> [String] { bench.runner.snapshots().compactMap { $0.labels["n"] }.sorted() }
        let address = "127.0.0.1:\(server.port)"
        directory.write("[{\"targets\": [\"\(address)\"],\t\"labels\": {\"n\": \"json\"}}]", to: "a.json")
        let discovered = pool("job") { pool in
            pool.discovery = [.file(.init(patterns: [directory.file("*.json"), directory.file("*.yml")]))]
        }
        try bench.runner.reload([discovered])
        #expect(targets() == ["json"])
        #expect(bench.runner.snapshots().first?.discoveredLabels["__meta_filepath"] == directory.file("a.json"))
        directory.write("- targets: ['\(address)']\n  labels: {n: yaml}\n", to: "b.yml")
        #expect(Loopback.eventually { targets() == ["json", "yaml"] })
        directory.write("[{broken", to: "a.json")
        directory.write("- targets: ['\(address)']\n  labels: {n: other}\n", to: "b.yml")
        #expect(Loopback.eventually { targets() == ["json", "other"] }, "a broken file keeps its last good content")
        directory.write("", to: "a.json")
        directory.write("", to: "b.yml")
        #expect(Loopback.eventually { targets() == ["json"] }, "an empty file is no JSON, but is YAML without targets")
    }

    @Test func aTargetThatIsNoAddressIsDroppedAlone() throws {
        let server = LoopbackServer { _ in .ok("a 1\n") }
        defer { server.stop() }
        let directory = TemporaryDirectory()
        let good = "127.0.0.1:\(server.port)"
        directory.write(
            #"[{"targets": ["\#(good)", "10.1.0.2:9100/metrics"], "labels": {"name": "Caf\u00e9 \ud83d\ude00"}}]"#,
            to: "mixed.json")
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([
            pool("job") { $0.discovery = [.file(.init(patterns: [directory.file("mixed.json")]))] }
        ])
        #expect(bench.runner.snapshots().map { $0.labels["name"] } == ["Café 😀"])
        let dropped = bench.runner.droppedTargets()
        #expect(dropped.map { $0.discoveredLabels["__address__"] } == ["10.1.0.2:9100/metrics"])
        #expect(dropped.map(\.reason) == ["\"10.1.0.2:9100/metrics\" is not a valid hostname"])
    }

    @Test func targetLimitStopsThePool() throws {
        let server = LoopbackServer { _ in .ok("a 1\n") }
        defer { server.stop() }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([
            pool("job") { pool in
                pool.staticTargets = [.init(addresses: ["127.0.0.1:\(server.port)", "localhost:\(server.port)"])]
                pool.limits.targets = 1
            }
        ])
        try bench.waitUntilScraped("job")
        #expect(bench.error("job") == "target_limit exceeded (number of targets: 2, limit: 1)")
        #expect(server.connectionCount == 0)
    }

    @Test func nodeExporterIsScraped() throws {
        let port = Loopback.freePort()
        let exporter = try ChildProcess(["prometheus-node-exporter", "--web.listen-address=127.0.0.1:\(port)"])
        defer { exporter.stop() }
        try #require(Loopback.eventually { Loopback.accepts(port: port) })
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.runner.reload([
            pool("node", port) { pool in
                pool.interval = .milliseconds(500)
                pool.timeout = .milliseconds(500)
            }
        ])
        #expect(try Loopback.eventually { try bench.values("up", ("job", "node")).filter { $0 == 1 }.count >= 2 })
        #expect(bench.error("node") == "")
        #expect(try bench.values("node_exporter_build_info").first == 1)
        #expect(try bench.values("scrape_samples_scraped").last ?? 0 > 200)
        let families = bench.runner.metadata().first?.metadata ?? []
        #expect(families.contains { $0.family == "node_cpu_seconds_total" && $0.type == "counter" && !$0.help.isEmpty })
    }
}

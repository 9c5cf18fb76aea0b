import CurlHTTP
import Discovery
import Instrumentation
import MetricModel
import MetricStore
import Runtime
import Scraper
import Synchronization
import TestSupport
import Testing
import Zlib

/// The scrapes that are stored by the scraping thread, and the limits of the memory of bodies.
@Suite struct ScrapeEffortTests {
    private final class Bench: Sendable {
        let store: MetricStore
        let registry = Registry()
        let runner: ScrapeRunner

        init(_ change: (inout ScrapeRunner.Settings) -> Void = { _ in }) throws {
            var settings = ScrapeRunner.Settings()
            change(&settings)
            store = try MetricStore(StoreConfiguration(), registry: nil)
            runner = try ScrapeRunner(store: store, settings: settings, registry: registry)
        }

        func scrape(_ servers: [String: LoopbackServer]) throws {
            try runner.reload(
                servers.map { name, server in
                    var pool = ScrapePool(name: name, interval: .milliseconds(100), timeout: .milliseconds(100))
                    pool.staticTargets = [.init(addresses: ["127.0.0.1:\(server.port)"])]
                    return pool
                })
        }

        func count(_ name: String) -> Double { registry.counter(name, "").value }

        var succeeded: Double {
            registry.counter("tribune_scrapes_total", "", labels: ["outcome": "success"]).value
        }

        func error(_ job: String) -> String {
            runner.snapshots().first { $0.scrapePool == job }?.lastError ?? ""
        }

        func gauge(_ name: String) -> Double {
            _ = registry.snapshot()
            return registry.gauge(name, "").value
        }

        func counter(_ name: String) -> Double {
            _ = registry.snapshot()
            return registry.counter(name, "").value
        }
    }

    @Test func onlyTheFirstOfManyAlikeBodiesGoesToAWorker() throws {
        let text = (0..<500).map { "a{n=\"\($0)\"} 1\n" }.joined()
        let zipped = try #require(compress(Array(text.utf8), as: .gzip))
        let plain = LoopbackServer { _ in .ok(text) }
        let gzip = LoopbackServer { _ in .ok(zipped, headers: "Content-Encoding: gzip\r\n") }
        let broken = LoopbackServer { _ in .ok("", status: "503 Service Unavailable") }
        defer { for server in [plain, gzip, broken] { server.stop() } }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.scrape(["plain": plain, "gzip": gzip, "broken": broken])
        #expect(Loopback.eventually { bench.succeeded >= 10 && bench.error("broken").contains("503") })
        // On a busy machine a scrape may take longer than quick ones do, but hardly each of them.
        #expect(bench.count("tribune_scrape_handed_over_total") <= bench.succeeded - 4)
    }

    @Test func bodiesWithManyNewSeriesGoToAWorkerEachTime() throws {
        let round = Rounds()
        let server = LoopbackServer { _ in
            let number = round.value.add(1, ordering: .relaxed).newValue
            return .ok((0..<200).map { "a{n=\"\($0)\",round=\"\(number)\"} 1\n" }.joined())
        }
        defer { server.stop() }
        let bench = try Bench()
        defer { bench.runner.stop() }
        try bench.scrape(["job": server])
        #expect(Loopback.eventually { bench.succeeded >= 4 })
        #expect(bench.count("tribune_scrape_handed_over_total") >= bench.succeeded)
        let samples = try bench.store.select(
            [Matcher("__name__", .equal, "a"), Matcher("n", .equal, "0")], from: .distantPast,
            through: .distantFuture, sampleLimit: 1000)
        #expect(samples.allSatisfy { series in series.values.count { !$0.isStaleMarker } == 1 }, "none is stored twice")
    }

    private final class Rounds: Sendable {
        let value = Atomic(0)
    }

    @Test func bodiesThatTakeUpAllMemoryAreRefusedAndOthersGoOn() throws {
        let bomb = try #require(compress([UInt8](repeating: 0x0a, count: 8 << 20), as: .gzip))
        let large = LoopbackServer { _ in .ok(String(repeating: "# filling\n", count: 400_000) + "a 1\n") }
        let bombing = LoopbackServer { _ in .ok(bomb, headers: "Content-Encoding: gzip\r\n") }
        let small = LoopbackServer { _ in .ok("b 1\n") }
        defer { for server in [large, bombing, small] { server.stop() } }
        let bench = try Bench { $0.maximumBodyMemory = 1 << 20 }
        defer { bench.runner.stop() }
        try bench.scrape(["large": large, "bombing": bombing, "small": small])
        #expect(
            Loopback.eventually {
                bench.error("large") == "the bodies in progress exceed the limit of 1048576 bytes in total"
            })
        #expect(
            Loopback.eventually {
                bench.error("bombing") == "the bodies in progress exceed the limit of 1048576 bytes in total"
            })
        #expect(Loopback.eventually { bench.succeeded >= 3 })
        #expect(bench.counter("tribune_scrape_body_memory_refusals_total") >= 2)
        for server in [large, bombing, small] { server.stop() }
        #expect(Loopback.eventually { bench.gauge("tribune_scrape_body_memory_bytes") == 0 }, "all of it is given back")
    }
}

import Discovery
import Instrumentation
import MetricModel
import MetricStore
import Runtime
import Synchronization
import TestSupport
import Testing
import Zlib

@testable import Scraper

/// The error of a target is in `up`, on the page of targets, and once in the log.
@Suite struct ScrapeNotesTests {
    /// `.` a good scrape, `r` one with samples that are not stored, `x` one that failed; what is said of each.
    @Test(arguments: [
        ("..", ["succeeds none", "succeeds none"]),
        ("xx.x", ["failsFirst none", "failsAgain none", "succeedsAgain none", "failsFirst none"]),
        ("rr.r", ["succeeds first", "succeeds again", "succeeds none", "succeeds first"]),
        ("rxr", ["succeeds first", "failsFirst none", "succeedsAgain first"]),
    ])
    func changesAreSaid(scrapes: String, expected: [String]) {
        var health = TargetSnapshot.Health.unknown
        var before = 0
        for (scrape, expected) in zip(scrapes, expected) {
            let refused = scrape == "r" ? 2 : 0
            let notes = ScrapeNotes(
                after: health, refusedBefore: before, error: scrape == "x" ? "why" : "", refused: refused)
            (health, before) = (scrape == "x" ? .down : .up, refused)
            #expect("\(notes.scrape) \(notes.refusal)" == expected)
            #expect(notes.isSilent == (expected == "succeeds none"))
        }
    }

    private final class Log: Sendable {
        let lines = Mutex<[String]>([])
        func line(_ url: String) -> String? { lines.withLock { $0.first { $0.contains(url) } } }
    }

    /// Each hostile target has its reason in all three places; the log has it once however often it is scraped.
    @Test func reasonsOfHostileTargetsAreToldEverywhere() throws {
        let bomb = try #require(compress([UInt8](repeating: 0x0a, count: 30 << 20), as: .gzip))
        let long = "a{l=\"\(String(repeating: "x", count: 10 << 20))\"} 1\n"
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"
        let hostile: [(reply: LoopbackServer.Reply, reason: String)] = [
            (
                .ok(bomb, headers: "Content-Encoding: gzip\r\n"),
                "the decompressed body exceeds the limit of 1048576 bytes"
            ),
            (.ok(long), "limit of 1048576 bytes"),
            (.ok("good 1\na{l=\"x"), "line 2: expected label value"),
            (.bytesThenClose(Array("\(head)good 1\n".utf8)), "the server closed the connection with 993 bytes missing"),
            (.ok(Array("good 1\na{l=\"".utf8) + [0xff] + Array("\"} 1\n".utf8)), "line 2: invalid UTF-8 text"),
            (.ok("good 1\na{b=\"1\",b=\"2\"} 1\n"), "label name \"b\" is not unique"),
            (.ok((0..<3000).map { "m{n=\"\($0)\"} 1\n" }.joined()), "more than 2000 samples"),
        ]
        let strange: [(reply: LoopbackServer.Reply, samples: Int)] = [
            (.ok("a 1\na 2\na 3\n"), 2), (.ok("a 1 4102444800000\nb 1\n"), 1),
        ]
        let servers = (hostile.map(\.reply) + strange.map(\.reply)).map { reply in LoopbackServer { _ in reply } }
        defer { for server in servers { server.stop() } }
        let log = Log()
        let logger = Logger(level: .info) { line in log.lines.withLock { $0.append(line) } }
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        var settings = ScrapeRunner.Settings()
        settings.maximumBodyBytes = 1 << 20
        settings.maximumSeriesPerTarget = 2000
        let runner = try ScrapeRunner(store: store, settings: settings, registry: Registry(), logger: logger)
        defer { runner.stop() }
        var pool = ScrapePool(name: "hostile", interval: .seconds(2), timeout: .seconds(2))
        pool.staticTargets = [.init(addresses: servers.map { "127.0.0.1:\($0.port)" })]
        try runner.reload([pool])
        func values(_ name: String, _ port: Int) throws -> [Double] {
            try store.select(
                [Matcher("__name__", .equal, name), Matcher("instance", .equal, "127.0.0.1:\(port)")],
                from: .distantPast, through: .distantFuture, sampleLimit: 1 << 20
            ).flatMap(\.values)
        }
        for server in servers {
            #expect(try Loopback.eventually { try values("up", server.port).count >= 2 })
        }
        for (server, (_, reason)) in zip(servers, hostile) {
            let snapshot = try #require(runner.snapshots().first { $0.scrapeURL == server.url + "/metrics" })
            #expect(snapshot.health == .down)
            #expect(snapshot.lastError.contains(reason), "\(snapshot.lastError)")
            #expect(try values("up", server.port).allSatisfy { $0 == 0 }, "\(reason)")
            #expect(try values("good", server.port).isEmpty, "\(reason)")
            let line = try #require(log.line(server.url))
            #expect(line.contains("level=warn") && line.contains("scrape failed") && line.contains("job=hostile"))
            #expect(line.replacing("\\\"", with: "\"").contains(reason), "\(line)")
        }
        for (server, (_, samples)) in zip(servers.dropFirst(hostile.count), strange) {
            #expect(try values("up", server.port).allSatisfy { $0 == 1 })
            let line = try #require(log.line(server.url))
            #expect(line.contains("level=warn") && line.contains("not stored") && line.contains("samples=\(samples)"))
        }
        for server in servers {
            #expect(log.lines.withLock { lines in lines.filter { $0.contains(server.url) }.count } == 1)
        }
    }
}

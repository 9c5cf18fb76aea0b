import CurlHTTP
import Exposition
import Glibc
import MetricModel
import MetricStore
import Runtime
import TestSupport
import Testing

@testable import Scraper

/// Debian's Go programs, which answer in both formats, on a free port.
private final class GoProgram {
    let port = Loopback.freePort()
    private let process: ChildProcess
    private let directory = TemporaryDirectory()

    init?(_ path: String, _ arguments: (TemporaryDirectory, _ port: Int) -> [String]) throws {
        guard access(path, X_OK) == 0 else {
            print("skipped: \(path) is not installed")
            return nil
        }
        process = try ChildProcess([path] + arguments(directory, port))
        let port = port
        #expect(Loopback.eventually { Loopback.accepts(port: port) })
    }

    deinit {
        process.stop()
    }

    func body(_ format: ExpositionFormat) throws -> ExpositionBody {
        var request = HTTPRequest(url: "http://127.0.0.1:\(port)/metrics")
        request.headers = [("Accept", format.contentType)]
        let response = try HTTPClient().send(request)
        #expect(ContentType.choose(response["Content-Type"], fallback: nil).format == format)
        return ExpositionBody(response.body)
    }
}

@Suite struct ProtobufScrapeTests {
    /// The series that a body leads to.
    private func series(_ body: ExpositionBody, _ format: ExpositionFormat) throws -> Set<Labels> {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let writer = TargetWriter(lane: try store.openLane("test"), constitutionalHash: nil, seriesCap: 100_000)
        let rules = SampleRules(
            targetLabels: ["job": "j"], honorsLabels: false, honorsTimestamps: true, tracksTimestampStaleness: false,
            relabelling: .none, limits: .init(), histograms: .init(), zeroesStarts: false, generation: 0)
        let outcome = try writer.write(
            .success(.init(body: body, format: format, constitutionalHash: nil)), at: Timestamp(milliseconds: 1000),
            rules: rules
        ) { 0 }
        #expect(outcome.failure == nil)
        #expect(outcome.refused == 0)
        return Set(try store.labelSets(matching: [], from: .distantPast, through: .distantFuture))
    }

    private func check(_ program: GoProgram) throws {
        // A program that has just started exposes more series at each scrape.
        var (text, protobuf) = (Set<Labels>(), Set<Labels>())
        _ = try Loopback.eventually {
            let before = try series(program.body(.text), .text)
            protobuf = try series(program.body(.protobuf), .protobuf)
            text = try series(program.body(.text), .text)
            return before == text
        }
        #expect(text.count > 50)
        #expect(protobuf.subtracting(text).sorted() == [])
        #expect(text.subtracting(protobuf).sorted() == [])
    }

    @Test func prometheusExposesTheSameSeriesInBothFormats() throws {
        guard
            let program = try GoProgram(
                "/usr/bin/prometheus",
                { directory, port in
                    [
                        "--config.file=\(directory.write("scrape_configs: []\n", to: "p.yml"))",
                        "--storage.tsdb.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(port)",
                    ]
                })
        else { return }
        try check(program)
    }

    @Test func nodeExporterExposesTheSameSeriesInBothFormats() throws {
        guard
            let program = try GoProgram(
                "/usr/bin/prometheus-node-exporter",
                { _, port in
                    [
                        "--web.listen-address=127.0.0.1:\(port)", "--collector.disable-defaults", "--collector.loadavg",
                        "--collector.meminfo", "--collector.cpu", "--collector.filesystem",
                    ]
                })
        else { return }
        try check(program)
    }
}

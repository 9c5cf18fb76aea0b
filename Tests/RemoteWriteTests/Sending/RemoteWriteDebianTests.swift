import CurlHTTP
import Glibc
import Instrumentation
import JSON
import MetricModel
import MetricStore
import Runtime
import Scraper
import Synchronization
import TestSupport
import Testing

@testable import RemoteWrite

/// Debian's servers on loopback.
enum DebianServer {
    /// Prometheus with a receiver, ready; `nil` if it is not installed.
    static func prometheus(_ port: Int, _ data: String) throws -> ChildProcess? {
        guard access("/usr/bin/prometheus", X_OK) == 0 else {
            print("skipped: Debian's prometheus is not installed")
            return nil
        }
        // An empty file is a configuration.
        let process = try ChildProcess([
            "/usr/bin/prometheus", "--config.file=/dev/null", "--storage.tsdb.path=\(data)",
            "--web.listen-address=127.0.0.1:\(port)", "--web.enable-remote-write-receiver",
            "--enable-feature=native-histograms,exemplar-storage",
        ])
        #expect(Loopback.eventually { status(port, "/-/ready") == 200 })
        return process
    }

    /// VictoriaMetrics, ready; `nil` if it is not installed.
    static func victoriaMetrics(_ port: Int, _ data: String) throws -> ChildProcess? {
        guard access("/usr/bin/victoria-metrics", X_OK) == 0 else {
            print("skipped: Debian's victoria-metrics is not installed")
            return nil
        }
        let process = try ChildProcess([
            "/usr/bin/victoria-metrics", "-storageDataPath=\(data)", "-httpListenAddr=127.0.0.1:\(port)",
            "-retentionPeriod=100y", "-loggerLevel=ERROR", "-memory.allowedBytes=200MB",
        ])
        #expect(Loopback.eventually { status(port, "/health") == 200 })
        return process
    }

    private static func status(_ port: Int, _ path: String) -> Int? {
        // It does not listen yet.
        try? HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)\(path)")).status
    }

    /// The answer of its API.
    static func ask(_ port: Int, _ path: String) throws -> JSON {
        let answer = try HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)/api/v1/\(path)"))
        return answer.status == 200 ? try JSON(parsing: answer.body) : .null
    }

    /// The value of the first series that the query gives.
    static func value(_ port: Int, _ query: String, _ time: Int64) throws -> String? {
        let answer = try ask(port, "query?query=\(query)&time=\(time)")
        return answer["data"]?["result"]?.elements?.first?["value"]?.elements?.last?.text
    }

    /// Sends a request on. Returns the status; 503 if there is no answer.
    static func forward(_ request: LoopbackServer.Request, to url: String) -> Int {
        var forwarded = HTTPRequest(
            method: "POST", url: url,
            headers: [
                ("Content-Type", request.headers["content-type"] ?? "application/x-protobuf"),
                ("Content-Encoding", "snappy"),
            ], body: request.body)
        forwarded.timeoutMilliseconds = 30_000
        return (try? HTTPClient().send(forwarded).status) ?? 503
    }
}

/// Sending to Debian's Prometheus and VictoriaMetrics.
@Suite struct RemoteWriteDebianTests {
    private let fixture = SendingFixture()
    private let directory = TemporaryDirectory()
    private let port = Loopback.freePort()

    private func start(_ source: MetricStore, _ change: (inout RemoteWriteSettings) -> Void = { _ in })
        -> (RemoteWriteSenders, Registry)
    {
        let registry = Registry()
        let entry = fixture.settings("http://127.0.0.1:\(port)/api/v1/write", change)
        let senders = fixture.sender(source, nil, entry, registry)
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        return (senders, registry)
    }

    @Test func prometheusStoresWhatIsSent() throws {
        guard let process = try DebianServer.prometheus(port, directory.file("data")) else { return }
        defer { process.stop() }
        let source = try fixture.store()
        let (senders, registry) = start(source)
        defer { senders.stop() }
        for lane in 0..<3 { try fixture.fill(source, "lane \(lane)", series: 10, rows: 0..<40) }
        try fixture.fillHistograms(source)
        try fixture.addExemplar(source)
        let seconds = fixture.now / 1000
        #expect(
            try Loopback.eventually {
                try DebianServer.value(port, "sum(count_over_time(sent_total[60s]))", seconds + 39) == "1200"
            })
        #expect(
            try Loopback.eventually {
                try DebianServer.value(port, "histogram_count(latency)", seconds + 2) == "10.5"
            })
        #expect(
            try Loopback.eventually {
                try DebianServer.ask(
                    port, "query_exemplars?query=latency&start=\(seconds - 5)&end=\(seconds + 39)"
                ).encoded.contains("abc")
            })
        #expect(registry.value("prometheus_remote_storage_samples_failed_total") == 0)
    }

    /// It knows only version 1, and says 204 to requests of version 2 nevertheless.
    @Test func prometheusThatKnowsOnlyVersion1IsNotTakenForAReceiverOfVersion2() throws {
        guard let process = try DebianServer.prometheus(port, directory.file("data")) else { return }
        defer { process.stop() }
        let source = try fixture.store()
        let (senders, registry) = start(source) { $0.message = .version2 }
        defer { senders.stop() }
        try fixture.fill(source, "lane", series: 10, rows: 0..<4)
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_failed_total") == 40 })
        #expect(registry.value("prometheus_remote_storage_samples_total") == 0)
    }

    /// A late sample of one series costs the others nothing, and neither does one that was sent by somebody else.
    @Test func aRefusedSampleCostsOnlyItself() throws {
        guard let process = try DebianServer.prometheus(port, directory.file("data")) else { return }
        defer { process.stop() }
        let source = try fixture.store()
        source.setOutOfOrderWindow(.hours(1))
        let other = try fixture.store()
        let (senders, registry) = start(source)
        defer { senders.stop() }
        try fixture.fill(source, "lane", series: 10, rows: 0..<10)
        let time = fixture.now / 1000 + 50
        func counts(_ expected: Int) throws {
            #expect(
                try Loopback.eventually {
                    try DebianServer.value(port, "sum(count_over_time(sent_total[80s]))", time) == "\(expected)"
                })
        }
        try counts(100)
        // Late samples beside new ones of other series.
        try fixture.fill(source, "lane", series: 2, rows: -3..<0)
        try fixture.fill(source, "other", series: 10, rows: 0..<10)
        try counts(200)
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_failed_total") == 6 })
        // Newer samples of two series from another sender.
        let (others, _) = start(other)
        try fixture.fill(other, "lane", series: 2, rows: 40..<41)
        try counts(202)
        others.stop()
        try fixture.fill(source, "lane", series: 10, rows: 20..<21)
        try counts(210)
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_failed_total") == 8 })
    }

    /// Series that moved to other lanes while the receiver was away arrive in order.
    @Test func seriesThatMovedToAnotherLaneArriveInOrder() throws {
        let isUp = Atomic(false)
        guard let process = try DebianServer.prometheus(port, directory.file("data")) else { return }
        defer { process.stop() }
        let port = port
        let gate = LoopbackServer { request in
            guard isUp.load(ordering: .acquiring) else { return .ok("down", status: "503 Service Unavailable") }
            let status = DebianServer.forward(request, to: "http://127.0.0.1:\(port)/api/v1/write")
            return .ok("out of order sample", status: "\(status) x")
        }
        let source = try fixture.store()
        let registry = Registry()
        let entry = fixture.settings(gate.url) { $0.metadata.isSent = false }
        let senders = fixture.sender(source, nil, entry, registry)
        defer { senders.stop() }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        // Long lanes first: by rows alone, the last lane would be sent before the ends of the others.
        for (part, count) in [200, 150, 100].enumerated() {
            let start = [0, 200, 350][part]
            try fixture.fill(
                source, "lane \(part)", labelled: "same", series: 5, rows: start..<start + count, spacing: 100)
        }
        isUp.store(true, ordering: .releasing)
        #expect(
            try Loopback.eventually {
                try DebianServer.value(
                    port, "sum(count_over_time(sent_total[100s]))", fixture.now / 1000 + 60) == "2250"
            })
        #expect(registry.value("prometheus_remote_storage_samples_failed_total") == 0)
    }

    @Test func victoriaMetricsStoresWhatIsSent() throws {
        guard let process = try DebianServer.victoriaMetrics(port, directory.file("data")) else { return }
        defer { process.stop() }
        let source = try fixture.store()
        let (senders, registry) = start(source)
        defer { senders.stop() }
        for lane in 0..<3 { try fixture.fill(source, "lane \(lane)", series: 10, rows: 0..<40) }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") == 1200 })
        // Its search finds samples after some seconds.
        let time = fixture.now / 1000 + 39
        #expect(
            try Loopback.eventually {
                try DebianServer.value(port, "sum(count_over_time(sent_total[60s]))", time) == "1200"
                    && DebianServer.value(port, "sum(sum_over_time(sent_total[60s]))", time)
                        == "23405400"
            })
        #expect(registry.value("prometheus_remote_storage_samples_failed_total") == 0)
    }
}

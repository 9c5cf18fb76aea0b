import CurlHTTP
import Glibc
import Instrumentation
import JSON
import MetricModel
import MetricStore
import PrometheusAPI
import Runtime
import Scraper
import Snappy
import Synchronization
import TestSupport
import Testing
import WebFixture

@testable import RemoteWrite

/// Sending from one store to another Tribune, to Debian's Prometheus, and to servers that fail.
@Suite struct RemoteWriteSenderTests {
    private let now = SystemClock.wallMilliseconds() / 1000 * 1000 - 60_000

    private func settings(_ url: String, _ change: (inout RemoteWriteSettings) -> Void = { _ in })
        -> RemoteWriteSettings
    {
        var settings = RemoteWriteSettings(url: url)
        settings.name = "test"
        settings.queue.sendDeadline = Milliseconds(rawValue: 50)
        settings.sendsExemplars = true
        settings.sendsNativeHistograms = true
        change(&settings)
        return settings
    }

    private func store(_ directory: String? = nil) throws -> MetricStore {
        var configuration = StoreConfiguration()
        configuration.directory = directory
        return try MetricStore(configuration, registry: nil)
    }

    /// Appends `count` rows of `series` series to a lane, one second apart.
    private func fill(_ store: MetricStore, _ name: String, series: Int, rows: Range<Int>) throws {
        let lane = try store.openLane(name)
        let slots = try (0..<series).map {
            try lane.slot(for: Labels(metric: "sent_total", [Label("lane", name), Label("n", "\($0)")]))
        }
        for row in rows {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: now + Int64(row) * 1000))
            for (index, slot) in slots.enumerated() { appender.append(slot, Double(row * 1000 + index)) }
            try appender.commit()
        }
        lane.close()
    }

    private func all(_ store: MetricStore) throws -> [String: [String]] {
        let series = try store.select(
            [Matcher("__name__", .regex, ".+")], from: .distantPast, through: .distantFuture, sampleLimit: 10_000_000)
        return Dictionary(
            series.map { series in
                (
                    "\(series.labels)",
                    series.timestamps.indices.map { index in
                        let histogram = series.histograms.isEmpty ? nil : series.histograms[index]
                        return "\(series.timestamps[index]) \(histogram.map { "\($0)" } ?? "\(series.values[index])")"
                    }
                )
            }, uniquingKeysWith: { $0 + $1 })
    }

    @Test(arguments: RemoteWriteSettings.Message.allCases)
    func everythingArrivesAtAnotherTribune(message: RemoteWriteSettings.Message) throws {
        let receiver = try WebFixture({ $0.enablesRemoteWrite = true })
        let source = try store()
        let registry = Registry()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: registry) {
            [MetricMetadata(family: "sent_total", type: "counter", help: "Sent.", unit: "")]
        }
        let entry = settings("http://127.0.0.1:\(receiver.port)/api/v1/write") {
            $0.message = message
            $0.queue.minimumShards = 3
            $0.queue.samplesPerSend = 70
        }
        senders.reload([entry], externalLabels: [:])
        defer { senders.stop() }
        // The first rows are those after the start.
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 3 })
        for lane in 0..<5 { try fill(source, "lane \(lane)", series: 20, rows: 0..<40) }
        try fillHistograms(source)
        let wanted = try all(source)
        #expect(try Loopback.eventually { try all(receiver.store) == wanted })
        #expect(wanted.count == 101)
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") == 4000 })
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_histograms_total") == 3 })
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_pending") == 0 })
        let metadata = try receiver.data("/api/v1/metadata?metric=sent_total")
        #expect(metadata["sent_total"]?.elements?.first?["help"] == "Sent.")
    }

    /// Histograms with whole and other counts, and exemplars.
    private func fillHistograms(_ store: MetricStore) throws {
        let lane = try store.openLane("histograms")
        let slot = try lane.slot(for: ["__name__": "latency"])
        for row in 0..<3 {
            var histogram = FloatHistogram()
            histogram.schema = 3
            histogram.zeroThreshold = 0.001
            histogram.zeroCount = 1
            histogram.positiveSpans = [.init(offset: -2, length: 2), .init(offset: 3, length: 1)]
            histogram.positiveBuckets = row == 2 ? [1.5, 2, 3] : [1, 4, 2]
            histogram.negativeSpans = [.init(offset: 1, length: 1)]
            histogram.negativeBuckets = [3]
            histogram.count = histogram.positiveBuckets.reduce(4, +)
            histogram.sum = 12.5
            var appender = lane.beginAppend(at: Timestamp(milliseconds: now + Int64(row) * 1000))
            appender.append(slot, histogram: histogram)
            try appender.commit()
        }
        lane.close()
        _ = store.append(
            exemplars: [
                (
                    ["__name__": "latency"],
                    Exemplar(labels: ["trace_id": "abc"], value: 2, timestamp: Timestamp(milliseconds: now))
                )
            ], at: Timestamp(milliseconds: now))
    }

    @Test func rulesAndExternalLabelsApply() throws {
        let receiver = try WebFixture({ $0.enablesRemoteWrite = true })
        let source = try store()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: Registry())
        var drop = RelabelRule()
        drop.action = .drop
        drop.sourceLabels = ["n"]
        drop.regex = "1"
        let registry = Registry()
        let other = RemoteWriteSenders(store: source, directory: nil, registry: registry)
        senders.stop()
        other.reload(
            [settings("http://127.0.0.1:\(receiver.port)/api/v1/write") { $0.relabelRules = [drop] }],
            externalLabels: ["cluster": "c", "lane": "external"])
        defer { other.stop() }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        try fill(source, "a", series: 3, rows: 0..<2)
        #expect(try Loopback.eventually { try all(receiver.store).count == 2 })
        #expect(
            try all(receiver.store).keys.sorted() == [
                #"sent_total{cluster="c", lane="a", n="0"}"#, #"sent_total{cluster="c", lane="a", n="2"}"#,
            ])
        #expect(registry.value("prometheus_remote_storage_samples_dropped_total") == 2)
    }

    @Test func aReceiverThatFailsGetsTheSameRequestAgain() throws {
        let bodies = Mutex<[[UInt8]]>([])
        let server = LoopbackServer { request in
            let count = bodies.withLock { bodies in
                bodies.append(request.body)
                return bodies.count
            }
            switch count {
            case 1: return .ok("later", status: "503 Service Unavailable")
            case 2: return .ok("slow down", status: "429 Too Many Requests", headers: "Retry-After: 0\r\n")
            case 3: return .bytesThenClose(Array("HTTP/1.1 200".utf8))
            default: return .ok("out of order sample", status: "400 Bad Request")
            }
        }
        let source = try store()
        let registry = Registry()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: registry)
        senders.reload(
            [
                settings("http://127.0.0.1:\(server.port)/") {
                    $0.queue.retriesWhenLimited = true
                    $0.metadata.isSent = false
                }
            ], externalLabels: [:])
        defer { senders.stop() }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        try fill(source, "a", series: 5, rows: 0..<1)
        // The 400 after requests of unknown outcome means that the samples are there.
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") == 5 })
        let sent = bodies.withLock { $0 }
        #expect(sent.count == 4 && Set(sent).count == 1)
        // The client itself repeats a request whose connection was closed.
        #expect(registry.value("prometheus_remote_storage_samples_retried_total") ?? 0 >= 10)
        #expect(registry.value("prometheus_remote_storage_samples_failed_total") == 0)
    }

    @Test func aRestartGoesOnWhereItStopped() throws {
        let directory = TemporaryDirectory()
        let accepts = Atomic(false)
        let receiver = try WebFixture({ $0.enablesRemoteWrite = true })
        let port = receiver.port
        let gate = LoopbackServer { request in
            guard accepts.load(ordering: .acquiring) else { return .ok("no", status: "503 Service Unavailable") }
            var forwarded = HTTPRequest(
                method: "POST", url: "http://127.0.0.1:\(port)/api/v1/write",
                headers: [("Content-Type", "application/x-protobuf")], body: request.body)
            forwarded.timeoutMilliseconds = 30_000
            let status = (try? HTTPClient().send(forwarded).status) ?? 503
            return .ok("", status: "\(status) x")
        }
        let entry = settings("http://127.0.0.1:\(gate.port)/")
        let positions = directory.file("positions")
        // Nothing is sent of what was there before the first start.
        try reopened(directory) { source in try fill(source, "old", series: 2, rows: 0..<3) }
        for start in 0..<3 {
            try reopened(directory) { source in
                let registry = Registry()
                let senders = RemoteWriteSenders(store: source, directory: positions, registry: registry)
                senders.reload([entry], externalLabels: [:])
                #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
                try fill(source, "lane", series: 10, rows: start * 50..<start * 50 + 50)
                if start == 1 {
                    accepts.store(true, ordering: .releasing)
                    #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") ?? 0 > 0 })
                    accepts.store(false, ordering: .releasing)
                }
                senders.stop()
            }
        }
        accepts.store(true, ordering: .releasing)
        try reopened(directory) { source in
            let senders = RemoteWriteSenders(store: source, directory: positions, registry: Registry())
            senders.reload([entry], externalLabels: [:])
            let wanted = try all(source).filter { !$0.key.contains("old") }
            #expect(try Loopback.eventually { try all(receiver.store) == wanted })
            #expect(wanted.count == 10 && wanted.values.allSatisfy { $0.count == 150 })
            senders.stop()
        }
    }

    /// Opens the store in `directory`, and closes it afterwards.
    private func reopened(_ directory: TemporaryDirectory, _ body: (MetricStore) throws -> Void) throws {
        let source = try store(directory.file("store"))
        defer { source.close() }
        try body(source)
    }

    @Test func debiansPrometheusStoresWhatIsSent() throws {
        guard access("/usr/bin/prometheus", X_OK) == 0 else {
            print("skipped: Debian's prometheus is not installed")
            return
        }
        let directory = TemporaryDirectory()
        let port = Loopback.freePort()
        let process = try ChildProcess([
            "/usr/bin/prometheus", "--config.file=\(directory.write("", to: "prometheus.yml"))",
            "--storage.tsdb.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(port)",
            "--web.enable-remote-write-receiver", "--enable-feature=native-histograms,exemplar-storage",
        ])
        defer { process.stop() }
        #expect(Loopback.eventually { Loopback.accepts(port: port) })
        let source = try store()
        let registry = Registry()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: registry)
        senders.reload([settings("http://127.0.0.1:\(port)/api/v1/write")], externalLabels: [:])
        defer { senders.stop() }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        for lane in 0..<3 { try fill(source, "lane \(lane)", series: 10, rows: 0..<40) }
        try fillHistograms(source)
        func ask(_ path: String) throws -> JSON {
            let answer = try HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)/api/v1/\(path)"))
            // It is not ready at once.
            return answer.status == 200 ? try JSON(parsing: answer.body) : .null
        }
        let time = now / 1000 + 39
        #expect(
            try Loopback.eventually {
                let answer = try ask("query?query=sum(count_over_time(sent_total[60s]))&time=\(time)")
                return answer["data"]?["result"]?.elements?.first?["value"]?.elements?.last?.text == "1200"
            })
        #expect(
            try Loopback.eventually {
                let answer = try ask("query?query=histogram_count(latency)&time=\(now / 1000 + 2)")
                return answer["data"]?["result"]?.elements?.first?["value"]?.elements?.last?.text == "10.5"
            })
        #expect(
            try Loopback.eventually {
                let answer = try ask("query_exemplars?query=latency&start=\(now / 1000 - 5)&end=\(time)")
                return answer.encoded.contains("abc")
            })
        #expect(registry.value("prometheus_remote_storage_samples_failed_total") == 0)
    }
}

extension Registry {
    /// The value of the first member of a family.
    fileprivate func value(_ name: String) -> Double? {
        for family in snapshot() where family.name == name {
            if case .number(let value)? = family.members.first?.value { return value }
        }
        return nil
    }
}

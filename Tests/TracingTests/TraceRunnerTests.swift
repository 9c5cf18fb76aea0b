import CurlHTTP
import Instrumentation
import JSON
import MetricModel
import Runtime
import Scraper
import Synchronization
import TestSupport
import Testing

@testable import Rollback
@testable import Tracing

/// Traces sent to a collector that reads them with OpenTelemetry's own definitions, over HTTP and Google's gRPC.
@Suite struct TraceRunnerTests {
    private final class Log: Sendable {
        let lines = Mutex<[String]>([])
        var logger: Logger { Logger { line in self.lines.withLock { $0.append(line) } } }
        var text: String { lines.withLock { $0.joined() } }
    }

    private func settings(_ mode: String, port: Int) -> TracingSettings {
        var settings = TracingSettings(endpoint: "127.0.0.1:\(port)")
        settings.client = mode == "grpc" ? .grpc : .http
        settings.isInsecure = true
        settings.samplingFraction = 1
        settings.timeout = .seconds(5)
        return settings
    }

    private func runner(
        _ settings: TracingSettings, _ registry: Registry = Registry(), _ log: Log = Log()
    ) -> TraceRunner {
        let runner = TraceRunner(version: "1.2.3", node: "node-1", logger: log.logger, registry: registry)
        runner.reload(settings, labels: ["cluster": "west", "service.name": "other"])
        return runner
    }

    private func value(_ name: String, _ registry: Registry) -> Double {
        registry.snapshot().first { $0.name == name }?.members.reduce(0) { sum, member in
            if case .number(let number) = member.value { return sum + number }
            return sum
        } ?? -1
    }

    /// Sends a whole incident and returns the collector's lines.
    private func incident(_ runner: TraceRunner) -> IncidentScript {
        var script = IncidentScript()
        runner.happened(script.decision())
        runner.happened(script.step("intended", nil, "cart", at: 2.06))
        runner.happened(script.step("shifted", "cart", route: "blue", "acknowledged", at: 2.10))
        runner.notified(
            script.trip.incident, receiver: "pager", integration: "webhook/0", attempt: 2, failure: "status 500",
            from: IncidentScript.time(3).nanoseconds, to: IncidentScript.time(3.5).nanoseconds)
        script.record.verdict = .init(isValid: true, detail: "healthy")
        runner.happened(script.step("reported", nil, "healthy", at: 8.1))
        return script
    }

    @Test(arguments: ["http", "grpc"], [false, true])
    func `a collector takes every span as it was`(mode: String, compresses: Bool) throws {
        guard TraceCollector.packages != nil else { return }
        let collector = try TraceCollector(mode)
        try #require(collector.port > 0, "\(collector.log)")
        var settings = settings(mode, port: collector.port)
        settings.isCompressed = compresses
        settings.headers = ["x-tenant": "shop"]
        let registry = Registry()
        let runner = runner(settings, registry)
        let script = incident(runner)
        #expect(Loopback.eventually { collector.lines.count == 5 }, "\(collector.lines) \(collector.log)")
        runner.stop()
        let lines = collector.lines
        try #require(lines.count == 5 && !lines.contains { $0.hasPrefix("FAULT") }, "\(lines)")
        let spans = try lines.map { try JSON(parsing: Array($0.utf8)) }
        #expect(
            spans.map { $0["name"]?.text } == ["scrape", "decision", "shift", "notification", "incident"])
        let trace = runner.trace(of: script.trip.incident)
        #expect(trace?.utf8.count == 32 && spans.allSatisfy { $0["trace"]?.text == trace })
        let (scrape, decision, told, root) = (spans[0], spans[1], spans[3], spans[4])
        #expect(scrape["start"]?.text == "\(IncidentScript.time(2).nanoseconds)")
        #expect(scrape["end"]?.text == "\(IncidentScript.time(2.03).nanoseconds)")
        #expect(decision["attributes"]?["tribune.condition"]?.text == "> 5")
        #expect(decision["events"]?.elements?.map { $0["attributes"]?["tribune.value"]?.text } == ["7", "9"])
        #expect(told["kind"]?.integer == 3 && told["status"]?.integer == 2)
        #expect(told["message"]?.text == "status 500")
        #expect(told["attributes"]?["tribune.attempt"]?.integer == 2)
        #expect(root["parent"]?.text == "" && root["status"]?.integer == 1)
        #expect(root["attributes"]?["tribune.services"]?.elements?.map(\.text) == ["cart"])
        #expect(spans.dropLast().allSatisfy { $0["parent"]?.text == root["id"]?.text })
        let resource = root["resource"]
        #expect(resource?["service.name"]?.text == "tribune" && resource?["service.version"]?.text == "1.2.3")
        #expect(resource?["service.instance.id"]?.text == "node-1" && resource?["cluster"]?.text == "west")
        #expect(root["scope"]?.elements?.map(\.text) == ["tribune", "1.2.3"])
        #expect(root["headers"]?["x-tenant"]?.text == "shop")
        #expect(value("tribune_tracing_spans_exported_total", registry) == 5)
        #expect(value("tribune_tracing_spans_dropped_total", registry) == 0)
    }

    @Test(arguments: ["http", "grpc"])
    func `over TLS the collector's certificate is verified`(mode: String) throws {
        guard TraceCollector.packages != nil else { return }
        let certificates = Certificates()
        let collector = try TraceCollector(mode, [certificates.path("server.pem"), certificates.path("server.key")])
        var settings = settings(mode, port: collector.port)
        settings.endpoint = "localhost:\(collector.port)"
        settings.isInsecure = false
        let log = Log()
        let registry = Registry()
        let runner = runner(settings, registry, log)
        defer { runner.stop() }
        _ = incident(runner)
        #expect(Loopback.eventually { log.text.contains("traces not sent") }, "\(collector.log)")
        settings.tls.authorities = .file(certificates.path("ca.pem"))
        runner.reload(settings, labels: [:])
        #expect(Loopback.eventually { collector.lines.count == 5 }, "\(log.text) \(collector.log)")
        #expect(Loopback.eventually { log.text.contains("traces are sent again") })
    }

    @Test(arguments: ["http", "grpc"])
    func `a message that the collector cannot take now is sent again`(mode: String) throws {
        guard TraceCollector.packages != nil else { return }
        let collector = try TraceCollector(mode, ["fail=1"])
        let registry = Registry()
        let log = Log()
        let runner = runner(settings(mode, port: collector.port), registry, log)
        defer { runner.stop() }
        _ = incident(runner)
        #expect(Loopback.eventually { collector.lines.count == 6 }, "\(collector.lines) \(log.text)")
        #expect(collector.lines.first == "FAILED")
        #expect(value("tribune_tracing_failed_exports_total", registry) >= 1, "\(log.text)")
        #expect(Loopback.eventually { self.value("tribune_tracing_spans_exported_total", registry) == 5 })
    }

    @Test func `spans that the collector rejects are counted`() throws {
        guard TraceCollector.packages != nil else { return }
        let collector = try TraceCollector("http", ["reject"])
        let (registry, log) = (Registry(), Log())
        let runner = runner(settings("http", port: collector.port), registry, log)
        defer { runner.stop() }
        _ = incident(runner)
        #expect(
            Loopback.eventually { self.value("tribune_tracing_spans_dropped_total", registry) >= 1 }, "\(log.text)")
        #expect(log.text.contains("one too many"))
    }

    @Test(arguments: ["http", "grpc"])
    func `without a collector nothing waits, and spans beyond the queue are counted`(mode: String) {
        let (registry, log) = (Registry(), Log())
        let runner = runner(settings(mode, port: Loopback.freePort()), registry, log)
        let script = IncidentScript()
        let start = SystemClock.monotonicNanoseconds()
        for number in 0..<20_000 {
            runner.notified(
                "\(script.trip.incident)-\(number)", receiver: "r", integration: "webhook/0", attempt: 1, failure: nil,
                from: 1, to: 2)
        }
        let stopped = SystemClock.monotonicNanoseconds()
        // Spans beyond the queue and those of one message that is being sent.
        #expect(value("tribune_tracing_spans_dropped_total", registry) >= Double(20_000 - 8192 - 128))
        #expect(stopped - start < 5_000_000_000)
        runner.stop()
        #expect(SystemClock.monotonicNanoseconds() - stopped < 5_000_000_000)
        #expect(value("tribune_tracing_spans_dropped_total", registry) == 20_000)
        #expect(value("tribune_tracing_spans_exported_total", registry) == 0)
        #expect(log.text.split(separator: "\n").count == 1, "\(log.text)")
    }

    @Test func `a collector that hangs delays the stop by two seconds at most`() throws {
        let requests = Mutex(0)
        let server = LoopbackServer { _ in
            requests.withLock { $0 += 1 }
            return .hang
        }
        var settings = settings("http", port: server.port)
        settings.timeout = .seconds(60)
        let runner = runner(settings)
        _ = incident(runner)
        #expect(Loopback.eventually { requests.withLock { $0 } > 0 })
        let start = SystemClock.monotonicNanoseconds()
        runner.stop()
        #expect(SystemClock.monotonicNanoseconds() - start < 6_000_000_000)
    }

    @Test func `without settings, and with a fraction of 0, there is no trace`() {
        var settings = settings("http", port: 1)
        settings.samplingFraction = 0
        let registry = Registry()
        let runner = TraceRunner(version: "1", node: "n", logger: .silent, registry: registry)
        for given in [nil, settings] {
            runner.reload(given, labels: [:])
            #expect(runner.trace(of: "x") == nil)
            _ = incident(runner)
        }
        #expect(value("tribune_tracing_spans_waiting", registry) == 0)
        runner.stop()
    }

    @Test(arguments: [
        ("collector:4318", TracingSettings.Client.http, true, "http://collector:4318/v1/traces"),
        ("collector:4318", .http, false, "https://collector:4318/v1/traces"),
        ("http://collector:4318/", .http, false, "http://collector:4318/v1/traces"),
        ("https://collector/otlp/v1/traces", .http, true, "https://collector/otlp/v1/traces"),
        (
            "collector:4317", .grpc, false,
            "https://collector:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        ),
        (
            "http://collector:4317", .grpc, false,
            "http://collector:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        ),
    ]) func `the URL of an endpoint`(endpoint: String, client: TracingSettings.Client, insecure: Bool, url: String) {
        var settings = TracingSettings(endpoint: endpoint)
        settings.client = client
        settings.isInsecure = insecure
        #expect(settings.url == url)
    }

    @Test func `answers of gRPC that may pass are distinguished from those that do not`() {
        let message = TraceMessage([], settings("grpc", port: 1), version: "1")
        func outcome(_ status: Int, _ headers: [(String, String)]) -> TraceMessage.Outcome {
            message.outcome(HTTPResponse(status: status, headers: headers.map { ($0.0, $0.1) }))
        }
        #expect(outcome(200, [("grpc-status", "0")]) == .taken(rejected: 0, message: ""))
        #expect(outcome(200, [("grpc-status", "14")]) == .failed("status 14 of gRPC"))
        #expect(
            outcome(200, [("grpc-status", "3"), ("grpc-message", "bad")]) == .refused("status 3 of gRPC: bad"))
        #expect(outcome(404, []) == .refused("the collector returned 404"))
        #expect(outcome(503, []) == .failed("the collector returned 503"))
        #expect(
            outcome(200, []) == .failed("the collector does not speak gRPC: its answer has no grpc-status"))
    }
}

import Exposition
import Instrumentation
import MetricModel
import Runtime
import TestSupport
import Testing

@Suite struct ExpositionWriterTests {
    private func registry() -> Registry {
        let registry = Registry()
        registry.counter("app_requests_total", "Requests \"so far\".\nBackslash \\.", labels: ["path": "/a\"b\\c\nd"])
            .add(3)
        registry.gauge("app_temperature_celsius", "How warm it is.").set(-1.5)
        let histogram = registry.histogram("app_latency_seconds", "Latencies.", bounds: [0.5, 1])
        for value in [0.25, 0.75, 7] { histogram.observe(value) }
        return registry
    }

    private func body(_ format: ExpositionFormat) -> [UInt8] {
        var writer = ExpositionWriter(format)
        writer.write(registry().snapshot())
        return writer.finish()
    }

    @Test func textHoldsEveryFamily() {
        #expect(
            String(decoding: body(.text), as: UTF8.self) == #"""
                # HELP app_latency_seconds Latencies.
                # TYPE app_latency_seconds histogram
                app_latency_seconds_bucket{le="0.5"} 1
                app_latency_seconds_bucket{le="1.0"} 2
                app_latency_seconds_bucket{le="+Inf"} 3
                app_latency_seconds_sum 8
                app_latency_seconds_count 3
                # HELP app_requests_total Requests "so far".\nBackslash \\.
                # TYPE app_requests_total counter
                app_requests_total{path="/a\"b\\c\nd"} 3
                # HELP app_temperature_celsius How warm it is.
                # TYPE app_temperature_celsius gauge
                app_temperature_celsius -1.5

                """#)
    }

    @Test func openMetricsNamesCounterFamiliesWithoutTotal() {
        let text = String(decoding: body(.openMetrics), as: UTF8.self)
        #expect(text.contains("# TYPE app_requests counter\n"))
        #expect(text.contains(#"# HELP app_requests Requests \"so far\".\nBackslash \\."#))
        #expect(text.contains(#"app_requests_total{path="/a\"b\\c\nd"} 3.0"#))
        #expect(text.hasSuffix("app_temperature_celsius -1.5\n# EOF\n"))
    }

    @Test(arguments: [ExpositionFormat.text, .openMetrics]) func parserReadsWhatWasWritten(format: ExpositionFormat)
        throws
    {
        var writer = ExpositionWriter(format)
        let samples: [(Labels, Double, Timestamp?)] = [
            (["__name__": "a", "b": "c\\d\n\"e\""], 1e21, nil), (["__name__": "sp ace", "ö": "é"], .infinity, nil),
            (["__name__": "t"], -0.001, Timestamp(milliseconds: 1_700_000_000_123)),
        ]
        for (labels, value, timestamp) in samples { writer.sample(labels, value, at: timestamp) }
        let entries = try ExpositionBody(writer.finish()).entries(format)
        #expect(
            entries == samples.map { .sample(ExpositionSample(labels: $0.0, value: $0.1, timestamp: $0.2)) })
    }

    /// The oracle is Debian's promtool.
    @Test func promtoolFindsNothingToComplainOf() throws {
        let directory = TemporaryDirectory()
        let metrics = directory.write(String(decoding: body(.text), as: UTF8.self), to: "metrics")
        let report = directory.file("report")
        let tool = try ChildProcess(["promtool", "check", "metrics"], input: metrics, output: .file(report))
        #expect(tool.wait() == .code(0))
        #expect(FileText.read(report) == "")
    }
}

import CurlHTTP
import Foundation
import JSON
import MetricModel
import MetricStore
import Runtime
import Scraper
import TestSupport
import Testing
import WebFixture

@testable import RemoteWrite

/// The SDK of OpenTelemetry for Python, which pushes every kind of instrument twice.
///
/// The expected names, labels and values are those of Prometheus 3's translation
/// (prometheus/storage/remote/otlptranslator/prometheusremotewrite, prometheus/otlptranslator).
@Suite struct TelemetrySDKTests {
    private static let directory: String? = {
        let root = URL(filePath: #filePath).appending(path: "../../../..").standardized.path
        let path = "\(root)/.build/tools/opentelemetry-sdk"
        let isThere = Paths.exists("\(path)/opentelemetry")
        if !isThere { print("skipped: the OpenTelemetry SDK is not in \(path)") }
        return isThere ? path : nil
    }()

    private static let base = "instance=\"cart-1\", job=\"shop/cart\""

    /// Runs the SDK. Returns its lines, or `nil` if it was not fetched.
    private func push(
        to fixture: WebFixture, _ temporality: String = "cumulative", _ encoding: String = "protobuf"
    ) throws -> [String]? {
        guard let directory = Self.directory else { return nil }
        let program = URL(filePath: #filePath).appending(path: "../../../Fixtures/telemetry_sdk.py").standardized.path
        let work = TemporaryDirectory()
        let output = work.file("output")
        let process = try ChildProcess(
            [
                "/usr/bin/env", "python3", program, directory,
                "http://127.0.0.1:\(fixture.port)/api/v1/otlp/v1/metrics", temporality, encoding,
            ], output: .file(output))
        let exit = process.wait(milliseconds: 180_000)
        let text = String(decoding: try FileText.bytes(output), as: UTF8.self)
        if exit == nil { process.stop() }
        try #require(exit == .code(0), "\(text)")
        return text.split(separator: "\n").map(String.init)
    }

    private func fixture(
        _ options: TelemetryReceiver.Options = .init(), _ settings: OTLPSettings = .init(), zeroesStarts: Bool = false
    ) throws -> WebFixture {
        let fixture = try WebFixture({
            $0.telemetry = options
            $0.zeroesStarts = zeroesStarts
        })
        fixture.apis.telemetry?.reload(settings)
        return fixture
    }

    /// The newest value of each series, by its labels.
    private func newest(_ fixture: WebFixture) throws -> [String: Double] {
        let series = try fixture.store.select(
            [Matcher("__name__", .regex, ".+")], from: .distantPast, through: .distantFuture,
            sampleLimit: 100_000)
        return Dictionary(
            series.compactMap { series in series.values.last.map { ("\(series.labels)", $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    private static let expected: [String: Double] = [
        "orders_placed_total{http_method=\"GET\", \(base), plan=\"free\"}": 4,
        "queue_length{\(base)}": 4,
        "request_duration_seconds_bucket{\(base), le=\"0.1\", route=\"/a\"}": 2,
        "request_duration_seconds_bucket{\(base), le=\"1\", route=\"/a\"}": 4,
        "request_duration_seconds_bucket{\(base), le=\"10\", route=\"/a\"}": 4,
        "request_duration_seconds_bucket{\(base), le=\"+Inf\", route=\"/a\"}": 6,
        "request_duration_seconds_count{\(base), route=\"/a\"}": 6,
        "request_duration_seconds_sum{\(base), route=\"/a\"}": 101.1,
        "room_temperature_celsius{\(base), room=\"kitchen\"}": 21.5,
        "cpu_time_seconds_total{cpu_mode=\"user\", \(base)}": 2.5,
        "cpu_time_seconds_total{cpu_mode=\"idle\", \(base)}": 1,
        "threads{\(base)}": 7,
        "cache_hits_ratio{\(base)}": 0.25,
    ]

    private func check(_ found: [String: Double], _ expected: [String: Double] = expected) {
        for (series, value) in expected {
            let stored = found[series]
            #expect(
                stored.map { abs($0 - value) < 1e-9 } == true, "\(series): \(stored.debugDescription), not \(value)")
        }
        let others = found.keys.filter { expected[$0] == nil && !$0.hasPrefix("target_info") }
        #expect(others.sorted().filter { !$0.hasPrefix("request_size_bytes{") } == [])
    }

    @Test(arguments: ["protobuf", "json"]) func everyInstrumentArrives(encoding: String) throws {
        let fixture = try fixture()
        guard let lines = try push(to: fixture, "cumulative", encoding) else { return }
        #expect(lines.filter { $0.hasPrefix("SUCCESS") }.count == 2)
        let found = try newest(fixture)
        check(found)
        let info = found.keys.filter { $0.hasPrefix("target_info") }
        #expect(
            info == [
                "target_info{deployment_environment=\"test\", host_cores=\"4\", \(Self.base), "
                    + "zones=\"[\\\"a\\\",\\\"b\\\"]\"}"
            ])
        let metadata = try fixture.data("/api/v1/metadata?metric=request_duration_seconds")
        #expect(
            metadata["request_duration_seconds"]?.elements?.first?.encoded
                == #"{"type":"histogram","help":"How long requests take.","unit":"seconds"}"#)
    }

    @Test func exponentialHistogramsBecomeNative() throws {
        let fixture = try fixture()
        guard try push(to: fixture) != nil else { return }
        let series = try fixture.store.select(
            [Matcher("__name__", .equal, "request_size_bytes")], from: .distantPast, through: .distantFuture,
            sampleLimit: 100)
        let histogram = try #require(series.first?.histograms.last ?? nil)
        #expect((histogram.count, histogram.sum, histogram.zeroCount) == (6, 2200, 2))
        #expect(histogram.zeroThreshold == 1e-128)
        func holds(_ value: Double, _ buckets: [FloatHistogram.Bucket], _ count: Double) -> Bool {
            buckets.contains { $0.lower <= value && value <= $0.upper && $0.count == count }
        }
        #expect(holds(100, histogram.positiveBucketList, 2) && holds(1000, histogram.positiveBucketList, 2))
    }

    @Test func exemplarsPointToTheirTrace() throws {
        let fixture = try fixture()
        guard let lines = try push(to: fixture) else { return }
        let trace = try #require(lines.last { $0.hasPrefix("trace ") }?.dropFirst(6))
        for (selector, value) in [
            ("orders_placed_total", "2"), ("request_duration_seconds_bucket{le=\"1\"}", "0.5"),
            ("request_duration_seconds_bucket{le=\"%2BInf\"}", "50"),
        ] {
            let answer = try fixture.data("/api/v1/query_exemplars?query=\(selector)&start=0&end=9000000000")
            let exemplars = answer.elements?.first?["exemplars"]?.elements ?? []
            #expect(
                exemplars.contains { $0["labels"]?["trace_id"]?.text == String(trace) && $0["value"]?.text == value },
                "\(selector): \(answer.encoded)")
        }
    }

    @Test func deltasAreRejectedWithoutAFeature() throws {
        let fixture = try fixture()
        guard try push(to: fixture, "delta") != nil else { return }
        let found = try newest(fixture)
        #expect(found["orders_placed_total{http_method=\"GET\", \(Self.base), plan=\"free\"}"] == nil)
        #expect(found["cache_hits_ratio{\(Self.base)}"] == 0.25)
        #expect(try fixture.text("/metrics").contains("tribune_otlp_rejected_points_total 1"))
    }

    @Test func deltasAreAddedUp() throws {
        var options = TelemetryReceiver.Options()
        options.accumulatesDeltas = true
        let fixture = try fixture(options)
        guard try push(to: fixture, "delta") != nil else { return }
        check(try newest(fixture))
        let series = try fixture.store.select(
            [Matcher("__name__", .equal, "request_size_bytes")], from: .distantPast, through: .distantFuture,
            sampleLimit: 100)
        #expect(series.first?.histograms.last??.count == 6)
    }

    @Test func deltasAreStoredAsTheyAre() throws {
        var options = TelemetryReceiver.Options()
        options.storesDeltas = true
        let fixture = try fixture(options)
        guard try push(to: fixture, "delta") != nil else { return }
        let found = try newest(fixture)
        #expect(found["orders_placed_total{http_method=\"GET\", \(Self.base), plan=\"free\"}"] == 2)
        let metadata = try fixture.data("/api/v1/metadata?metric=orders_placed_total")
        #expect(metadata["orders_placed_total"]?.elements?.first?["type"] == "unknown")
    }

    @Test func countersStartWithAZero() throws {
        let fixture = try fixture(zeroesStarts: true)
        guard try push(to: fixture) != nil else { return }
        let series = try fixture.store.select(
            [Matcher("__name__", .equal, "orders_placed_total")], from: .distantPast, through: .distantFuture,
            sampleLimit: 100)
        #expect(series.first?.values == [0, 2, 4])
    }

    @Test(arguments: [
        (OTLPSettings.Strategy.underscoreEscapingWithoutSuffixes, "orders_placed", "http_method=\"GET\""),
        (.noUTF8EscapingWithSuffixes, "orders.placed_total", "\"http.method\"=\"GET\""),
        (.noTranslation, "orders.placed", "\"http.method\"=\"GET\""),
    ]) func namesFollowTheStrategy(strategy: OTLPSettings.Strategy, name: String, label: String) throws {
        var settings = OTLPSettings()
        settings.strategy = strategy
        settings.promoted = ["deployment.environment"]
        settings.promotesScope = true
        let fixture = try fixture(.init(), settings)
        guard try push(to: fixture) != nil else { return }
        let series = try fixture.store.select(
            [Matcher("__name__", .equal, name)], from: .distantPast, through: .distantFuture, sampleLimit: 100)
        let labels = try #require(series.first?.labels)
        #expect("\(labels)".contains(label), "\(labels)")
        let environment = strategy.escapes ? "deployment_environment" : "deployment.environment"
        #expect(labels[environment] == "test")
        #expect(labels["otel_scope_name"] == "checkout" && labels["otel_scope_version"] == "1.2")
        #expect(labels["otel_scope_team"] == "blue")
    }

    @Test func histogramsGetCustomBucketsOnRequest() throws {
        var settings = OTLPSettings()
        settings.convertsToCustomBuckets = true
        let fixture = try fixture(.init(), settings)
        guard try push(to: fixture) != nil else { return }
        let series = try fixture.store.select(
            [Matcher("__name__", .equal, "request_duration_seconds")], from: .distantPast, through: .distantFuture,
            sampleLimit: 100)
        let histogram = try #require(series.first?.histograms.last ?? nil)
        #expect(histogram.customValues == [0.1, 1, 10])
        #expect(histogram.positiveBucketList.map(\.count).filter { $0 > 0 } == [2, 2, 2])
    }
}

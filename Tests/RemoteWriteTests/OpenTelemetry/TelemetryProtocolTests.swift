import CurlHTTP
import Instrumentation
import JSON
import MetricModel
import MetricStore
import Protobuf
import Runtime
import Scraper
import TestSupport
import Testing
import WebFixture

@testable import RemoteWrite

/// Requests and responses of OTLP, as its specification describes them, by messages of the test's own encoder.
@Suite struct TelemetryProtocolTests {
    private let now = UInt64(SystemClock.wallMilliseconds()) * 1_000_000

    private func fixture() throws -> WebFixture { try WebFixture({ $0.telemetry = .init() }) }

    private func send(
        _ body: [UInt8], to fixture: WebFixture, type: String = "application/x-protobuf", encoding: String? = nil
    ) throws -> HTTPResponse {
        var request = HTTPRequest(
            method: "POST", url: "http://127.0.0.1:\(fixture.port)/api/v1/otlp/v1/metrics",
            headers: [("Content-Type", type)], body: body)
        if let encoding { request.headers.append(("Content-Encoding", encoding)) }
        return try HTTPClient().send(request)
    }

    private func gauge(_ name: String, _ value: Double, at time: UInt64) -> [UInt8] {
        message(name) { metric in
            metric.bytes(5, ProtobufMessage.make { $0.bytes(1, point(value, at: time)) })
        }
    }

    private func point(_ value: Double, at time: UInt64) -> [UInt8] {
        ProtobufMessage.make {
            $0.fixed64(3, time)
            $0.double(4, value)
        }
    }

    private func message(_ name: String, _ fill: (inout ProtobufMessage) -> Void) -> [UInt8] {
        let metric = ProtobufMessage.make {
            $0.text(1, name)
            fill(&$0)
        }
        let scope = ProtobufMessage.make { $0.bytes(2, metric) }
        return ProtobufMessage.make { $0.bytes(1, ProtobufMessage.make { $0.bytes(2, scope) }) }
    }

    @Test func aCompleteRequestGetsAnEmptyMessage() throws {
        let fixture = try fixture()
        let answer = try send(gauge("a", 1, at: now), to: fixture)
        #expect(answer.status == 200 && answer.body == [])
        #expect(answer.head["content-type"] == "application/x-protobuf")
        let json = try send(
            Array(#"{"resourceMetrics":[]}"#.utf8), to: fixture, type: "application/json; charset=utf-8")
        #expect(json.status == 200 && json.body == Array("{}".utf8))
    }

    @Test func aPartOfARequestIsStored() throws {
        let fixture = try fixture()
        #expect(try send(gauge("a", 1, at: now), to: fixture).status == 200)
        // `a` is not newer, `b` is.
        let answer = try send(
            gauge("a", 2, at: now - 1_000_000_000) + gauge("b", 3, at: now), to: fixture)
        #expect(answer.status == 200)
        let (rejected, text) = try partialSuccess(answer.body)
        #expect(rejected == 1 && text == "out of order sample: series a")
        #expect(
            try fixture.store.select(
                [Matcher("__name__", .equal, "b")], from: .distantPast, through: .distantFuture, sampleLimit: 10
            ).first?.values == [3])
    }

    private func partialSuccess(_ body: [UInt8]) throws -> (UInt64, String) {
        var result: (UInt64, String) = (0, "")
        try ProtobufReader.reading(body) { message in
            var outer = message
            while case (1, .bytes(let range))? = try outer.next() {
                var inner = outer.message(range)
                while let field = try inner.next() {
                    if case (1, .varint(let count)) = field { result.0 = count }
                    if case (2, .bytes(let range)) = field { result.1 = try inner.text(range) }
                }
            }
        }
        return result
    }

    @Test func aRequestOfWhichNothingIsStoredIsAnError() throws {
        let fixture = try fixture()
        let body = """
            {"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"aggregationTemporality":1,
            "dataPoints":[{"timeUnixNano":"\(now)","asInt":"4"}]}}]}]}]}
            """
        let answer = try send(Array(body.utf8), to: fixture, type: "application/json")
        #expect(answer.status == 400)
        let json = try JSON(parsing: answer.body)
        #expect(json["code"] == 3)
        #expect(json["message"]?.text == "invalid temporality and type combination for metric \"a\"")
    }

    @Test func brokenRequestsAreRefused() throws {
        let fixture = try fixture()
        #expect(try send([0xff], to: fixture).status == 400)
        #expect(try send(Array("{".utf8), to: fixture, type: "application/json").status == 400)
        let wrong = try send(
            Array(#"{"resourceMetrics":[{"scopeMetrics":3}]}"#.utf8), to: fixture, type: "application/json")
        #expect(
            String(decoding: wrong.body, as: UTF8.self).contains("resourceMetrics[0].scopeMetrics: expected a list"))
        #expect(try send([], to: fixture, type: "text/plain").status == 415)
        #expect(try send([], to: fixture, encoding: "br").status == 415)
        #expect(try send([1, 2, 3], to: fixture, encoding: "gzip").status == 400)
        #expect(try send([], to: WebFixture()).status == 404)
    }

    @Test func negativeAndFineExponentialBucketsAreKept() throws {
        let fixture = try fixture()
        let point = ProtobufMessage.make {
            $0.fixed64(3, now)
            $0.fixed64(4, 10)
            $0.double(5, 12)
            // Twice as fine as the finest schema: pairs of buckets are joined.
            $0.signed(6, 9)
            $0.bytes(
                8,
                ProtobufMessage.make {
                    $0.signed(1, -1)
                    $0.bytes(2, [1, 2, 3])
                })
            $0.bytes(9, ProtobufMessage.make { $0.bytes(2, [0, 4]) })
        }
        let body = message("h") { metric in
            metric.bytes(
                10,
                ProtobufMessage.make {
                    $0.bytes(1, point)
                    $0.number(2, 2)
                })
        }
        #expect(try send(body, to: fixture).status == 200)
        let found = try fixture.store.select(
            [Matcher("__name__", .equal, "h")], from: .distantPast, through: .distantFuture, sampleLimit: 10)
        let histogram = try #require(found.first?.histograms.last ?? nil)
        #expect(histogram.schema == 8 && histogram.count == 10)
        // Indices -1, 0, 1 of scale 9 are 0, 1, 1 of schema 8.
        #expect(histogram.positiveSpans == [.init(offset: 0, length: 2)] && histogram.positiveBuckets == [1, 5])
        #expect(histogram.negativeSpans == [.init(offset: 1, length: 1)] && histogram.negativeBuckets == [4])
    }

    @Test func resourcesWithTooManyLabelsAreRefused() throws {
        var metrics = TelemetryMetrics()
        var resource = TelemetryResource()
        resource.attributes = (0..<3000).map { TelemetryAttribute(key: "a\($0)", value: "b") }
        var point = TelemetryNumber()
        point.point.time = now
        resource.scopes = [TelemetryScope()]
        resource.scopes[0].metrics = [TelemetryMetric(name: "a", points: .gauge(Array(repeating: point, count: 2000)))]
        metrics.resources = [resource]
        var options = TelemetryTranslation.Options()
        options.otlp.promotesAll = true
        var translation = TelemetryTranslation(options)
        var accumulator = DeltaAccumulator()
        translation.take(metrics, &accumulator)
        #expect(translation.isTooLarge)
    }

    @Test func anAttributeWithoutUsableNameCostsTargetInfoAndIsCounted() throws {
        var resource = TelemetryResource()
        resource.attributes = [.init(key: "service.name", value: "s"), .init(key: "___", value: "h")]
        var number = TelemetryNumber()
        number.point.time = now
        resource.scopes = [TelemetryScope()]
        resource.scopes[0].metrics = [TelemetryMetric(name: "a", points: .gauge([number]))]
        var metrics = TelemetryMetrics()
        metrics.resources = [resource]
        var translation = TelemetryTranslation(.init())
        var accumulator = DeltaAccumulator()
        translation.take(metrics, &accumulator)
        #expect(translation.request.series.count == 1)
        #expect(translation.rejected == 0)
        #expect(translation.droppedTargetInfos == 1)
    }

    @Test func targetInfoCoversTheTimesOfTheData() throws {
        var resource = TelemetryResource()
        resource.attributes = [.init(key: "service.name", value: "s"), .init(key: "host", value: "h")]
        var (first, last) = (TelemetryNumber(), TelemetryNumber())
        first.point.time = now - 600_000_000_000
        last.point.time = now
        resource.scopes = [TelemetryScope()]
        resource.scopes[0].metrics = [TelemetryMetric(name: "a", points: .gauge([first, last]))]
        var metrics = TelemetryMetrics()
        // The same resource twice gives one series.
        metrics.resources = [resource, resource]
        var translation = TelemetryTranslation(.init())
        var accumulator = DeltaAccumulator()
        translation.take(metrics, &accumulator)
        let infos = translation.request.series.filter { $0.isDerived }
        // Every two and a half minutes, and at the end.
        #expect(infos.flatMap(\.samples).count == 5)
        // A start in 1970 is not a sample for each minute since then.
        metrics.resources[0].scopes[0].metrics[0].points = .gauge([TelemetryNumber(), last])
        translation = TelemetryTranslation(.init())
        translation.take(metrics, &accumulator)
        #expect(translation.request.series.count < 1100)
    }

    @Test func mutatedMessagesNeverTrap() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let registry = Registry()
        let receiver = TelemetryReceiver(
            intake: SampleIntake(store: store, registry: registry), options: .init(), registry: registry)
        var generator = SeededGenerator()
        let messages = [gauge("a", 1, at: now), gauge("b.c", .nan, at: 0) + gauge("", 2, at: .max)]
        for _ in 0..<3000 {
            var body = messages.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                body[Int.random(in: 0..<body.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let outcome = receiver.receive(
                body, .protobuf, isCompressed: false, now: Timestamp(milliseconds: Int64(now / 1_000_000)))
            #expect([200, 400, 503].contains(outcome.status), "seed \(generator.seed)")
        }
    }
}

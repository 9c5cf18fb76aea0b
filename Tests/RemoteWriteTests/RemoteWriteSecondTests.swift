import CurlHTTP
import Instrumentation
import JSON
import MetricModel
import MetricStore
import PrometheusAPI
import Runtime
import Snappy
import TestSupport
import Testing
import WebFixture

@testable import RemoteWrite

/// A strict writer of `io.prometheus.write.v2.Request`: symbols once each, the empty one first.
private struct Request {
    struct Series {
        var labels: [(String, String)]
        var samples: [(time: Int64, value: Double)] = []
        var start: Int64 = 0
        var histograms: [[UInt8]] = []
        var exemplars: [(labels: [(String, String)], value: Double, time: Int64)] = []
        /// Of the family, as `Metadata.type`; 1 is a counter.
        var type: UInt64 = 1
        var help = ""
        var unit = ""
    }

    private var symbols = [""]
    private var series: [[UInt8]] = []

    private mutating func symbol(_ text: String) -> UInt64 {
        if let known = symbols.firstIndex(of: text) { return UInt64(known) }
        symbols.append(text)
        return UInt64(symbols.count - 1)
    }

    private mutating func references(_ labels: [(String, String)]) -> [UInt64] {
        labels.flatMap { [symbol($0.0), symbol($0.1)] }
    }

    mutating func add(_ series: Series) {
        let labels = references(series.labels)
        let exemplars = series.exemplars.map { (references($0.labels), $0.value, $0.time) }
        let (help, unit) = (symbol(series.help), symbol(series.unit))
        self.series.append(
            ProtobufMessage.make { message in
                message.packed(1, labels)
                for sample in series.samples {
                    message.message(2) {
                        $0.double(1, sample.value)
                        $0.number(2, UInt64(bitPattern: sample.time))
                        if series.start != 0 { $0.number(3, UInt64(series.start)) }
                    }
                }
                for histogram in series.histograms { message.bytes(3, histogram) }
                for (labels, value, time) in exemplars {
                    message.message(4) {
                        $0.packed(1, labels)
                        $0.double(2, value)
                        $0.number(3, UInt64(bitPattern: time))
                    }
                }
                message.message(5) {
                    $0.number(1, series.type)
                    $0.number(3, help)
                    if unit != 0 { $0.number(4, unit) }
                }
            })
    }

    var bytes: [UInt8] {
        ProtobufMessage.make { message in
            for symbol in symbols { message.text(4, symbol) }
            for one in series { message.bytes(5, one) }
        }
    }

    static func of(_ series: Series...) -> [UInt8] {
        var request = Request()
        for one in series { request.add(one) }
        return request.bytes
    }
}

@Suite struct RemoteWriteSecondTests {
    private typealias Series = Request.Series
    private let now = SystemClock.wallMilliseconds()

    private func fixture() throws -> WebFixture { try WebFixture({ $0.enablesRemoteWrite = true }) }

    /// Status, text and the three headers.
    private func send(_ message: [UInt8], to fixture: WebFixture) throws -> (Int, String, String) {
        var request = HTTPRequest(url: "http://127.0.0.1:\(fixture.port)/api/v1/write")
        request.method = "POST"
        request.headers = [
            ("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
            ("Content-Encoding", "snappy"), ("X-Prometheus-Remote-Write-Version", "2.0.0"),
        ]
        request.body = Snappy.compress(message)
        let response = try HTTPClient().send(request)
        let written = ["Samples", "Histograms", "Exemplars"].map {
            response["X-Prometheus-Remote-Write-\($0)-Written"] ?? "none"
        }
        return (response.status, String(decoding: response.body, as: UTF8.self), written.joined(separator: " "))
    }

    private func select(_ name: String, in fixture: WebFixture) throws -> [SeriesSamples] {
        try fixture.store.select(
            [Matcher("__name__", .equal, name)], from: .distantPast, through: .distantFuture, sampleLimit: 1000)
    }

    private func histogram(at time: Int64, count: UInt64 = 6, deltas: [Int64] = [2, 1]) -> [UInt8] {
        ProtobufMessage.make {
            $0.number(1, count)
            $0.double(3, 4.5)
            $0.signed(4, 1)
            $0.double(5, 0.25)
            $0.number(6, 1)
            $0.message(11) {
                $0.signed(1, 3)
                $0.number(2, 2)
            }
            $0.packedSigned(12, deltas)
            $0.number(15, UInt64(time))
        }
    }

    @Test func metadataIsOfWholeFamilies() throws {
        let fixture = try fixture()
        func series(_ name: String, type: UInt64, help: String = "Help.", unit: String = "") -> Series {
            Series(labels: [("__name__", name)], samples: [(now, 1)], type: type, help: help, unit: unit)
        }
        let message = Request.of(
            series("a_total", type: 1, unit: "things"), series("h_bucket", type: 3), series("h_sum", type: 3),
            series("h_count", type: 3), series("q", type: 5), series("q_sum", type: 5), series("g_sum", type: 2),
            series("g_gcount", type: 4), series("future", type: 99), series("said_nothing", type: 0, help: ""),
            series("_sum", type: 3))
        #expect(try send(message, to: fixture).0 == 204)
        let families = try #require(try fixture.data("/api/v1/metadata").members)
        let shown = families.map { family in
            "\(family.name) \((family.value.elements ?? []).map { $0["type"]?.text ?? "" })"
        }
        #expect(
            shown == [
                #"_sum ["histogram"]"#, #"a_total ["counter"]"#, #"future ["unknown"]"#, #"g ["gaugehistogram"]"#,
                #"g_sum ["gauge"]"#, #"h ["histogram"]"#, #"q ["summary"]"#,
            ])
        #expect(
            try fixture.data("/api/v1/metadata?metric=a_total").encoded
                == #"{"a_total":[{"type":"counter","help":"Help.","unit":"things"}]}"#)
        // The last metadata is used.
        let again = Series(labels: [("__name__", "a_total")], samples: [(now + 1, 1)], help: "Better.")
        #expect(try send(Request.of(again), to: fixture).0 == 204)
        #expect(
            try fixture.data("/api/v1/metadata?metric=a_total").encoded
                == #"{"a_total":[{"type":"counter","help":"Better.","unit":""}]}"#)
    }

    @Test func samplesHistogramsAndExemplarsAreStored() throws {
        let fixture = try fixture()
        let labels = [("job", "j"), ("instance", "i")]
        let message = Request.of(
            Series(
                labels: [("__name__", "a_total")] + labels, samples: [(now - 1000, 1), (now, 2)],
                exemplars: [([("trace", "t1")], 0.5, now - 500)], help: "Help."),
            Series(labels: [("__name__", "h")] + labels, histograms: [histogram(at: now)]))
        let (status, text, written) = try send(message, to: fixture)
        #expect((status, text, written) == (204, "", "2 1 1"))
        #expect(try select("a_total", in: fixture).first?.values == [1, 2])
        #expect(
            try select("a_total", in: fixture).first?.labels == ["__name__": "a_total", "job": "j", "instance": "i"])
        #expect(try select("h", in: fixture).first?.histograms.first??.positiveBuckets == [2, 3])
        let exemplars = try fixture.store.exemplars(
            matching: [[Matcher("__name__", .equal, "a_total")]], from: .distantPast, through: .distantFuture)
        #expect(exemplars.map(\.exemplars.count) == [1])
        // The same again is neither stored nor an error.
        #expect(
            try send(Request.of(Series(labels: [("__name__", "a_total")] + labels, samples: [(now, 2)])), to: fixture).0
                == 204)
    }

    @Test func whatIsRightOfARequestIsWritten() throws {
        let fixture = try fixture()
        #expect(try send(Request.of(Series(labels: [("__name__", "a")], samples: [(now, 1)])), to: fixture).0 == 204)
        let (status, text, written) = try send(
            Request.of(
                Series(labels: [("__name__", "a")], samples: [(now - 1, 1), (now, 2), (now + 1, 3)]),
                Series(labels: [("job", "x")], samples: [(now, 1)]),
                Series(labels: [("__name__", "a"), ("l", "1"), ("l", "2")], samples: [(now, 1)]),
                Series(labels: [("__name__", "c")]),
                Series(labels: [("__name__", "d")], samples: [(now + 700_000, 1)]),
                Series(labels: [("__name__", "h")], histograms: [histogram(at: now, count: 99)]),
                Series(labels: [("__name__", "h")], histograms: [histogram(at: now, deltas: [2, -5])]),
                Series(
                    labels: [("__name__", "b")], samples: [(now, 5), (now + 2, 6)],
                    exemplars: [([("t", "1")], 1, now), ([("t", "0")], 1, now - 5)])),
            to: fixture)
        #expect(status == 400)
        #expect(written == "3 0 1")
        #expect(
            text == """
                out of order sample: series a
                duplicate sample for timestamp: series a
                invalid metric name or labels, got {job="x"}
                invalid labels for series, labels a{l="2"}, duplicated label l
                no sample and no histogram for series c
                out of bounds: timestamp is too far in the future: series d
                6 observations in the buckets, but a count of 99: series h
                a positive bucket with a negative count: series h
                out of order exemplar: series b

                """)
        #expect(try select("a", in: fixture).first?.values == [1, 3])
        #expect(try select("b", in: fixture).first?.values == [5, 6])
        for name in ["c", "d", "h"] { #expect(try select(name, in: fixture).isEmpty, "\(name)") }
        #expect(fixture.store.statistics.seriesCount == 2)
    }

    @Test func aTargetsSamplesStandInRowsOfOneLane() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let receiver = RemoteWriteReceiver(store: store, registry: Registry())
        for step in 0..<100 as Range<Int64> {
            // Senders split scrapes into requests and mix targets.
            for part in 0..<2 {
                var request = Request()
                for index in 0..<40 {
                    request.add(
                        Series(
                            labels: [
                                ("__name__", "m\(part)_\(index / 2)"), ("job", "j"), ("instance", "\(index % 2)"),
                            ], samples: [(step * 1000 + Int64(index % 2), Double(step))]))
                }
                let (written, refusal) = receiver.receive(
                    Snappy.compress(request.bytes), .two, now: Timestamp(milliseconds: step * 1000))
                #expect(refusal == nil)
                #expect(written.samples == 40)
            }
        }
        #expect(receiver.laneCount == 2)
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: 100_000)
        #expect(found.count == 80)
        for series in found {
            #expect(series.values == (0..<100).map(Double.init))
            let offset = series.labels["instance"] == "1" ? 1 : 0
            #expect(series.timestamps == (0..<100).map { $0 * 1000 + Int64(offset) })
        }
    }

    @Test func sendersDoNotDecideHowManyLanesThereAre() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let receiver = RemoteWriteReceiver(store: store, registry: Registry())
        var request = Request()
        for index in 0..<1200 {
            request.add(
                Series(labels: [("__name__", "m"), ("job", "j"), ("instance", "\(index)")], samples: [(1000, 1)]))
        }
        let (written, refusal) = receiver.receive(Snappy.compress(request.bytes), .two, now: Timestamp(seconds: 1))
        #expect(refusal == nil)
        #expect(written.samples == 1200)
        #expect(receiver.laneCount == RemoteWriteLanes.mostLanes + 1)
        // Two hours later, only the series that continues is left.
        let late = Request.of(
            Series(labels: [("__name__", "m"), ("job", "j"), ("instance", "5")], samples: [(7_300_000, 2)]))
        _ = receiver.receive(Snappy.compress(late), .two, now: Timestamp(seconds: 7300))
        #expect(receiver.laneCount == 1)
        #expect(receiver.placeCount == 1)
    }

    @Test func startsBecomeZeroesWhereThatIsSwitchedOn() throws {
        for zeroes in [false, true] {
            let store = try MetricStore(StoreConfiguration(), registry: nil)
            let receiver = RemoteWriteReceiver(store: store, registry: Registry(), zeroesStarts: zeroes)
            for time in [5000, 6000] as [Int64] {
                let message = Request.of(
                    Series(labels: [("__name__", "a")], samples: [(time, Double(time))], start: 2000))
                #expect(receiver.receive(Snappy.compress(message), .two, now: Timestamp(seconds: 9)).refusal == nil)
            }
            let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: 100)
            #expect(found.map(\.timestamps) == [zeroes ? [2000, 5000, 6000] : [5000, 6000]])
            #expect(found.map(\.values) == [zeroes ? [0, 5000, 6000] : [5000, 6000]])
        }
    }

    /// The series gets no place, and a zero alone is not stored.
    @Test func aStartOfARefusedSampleIsNotStored() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let receiver = RemoteWriteReceiver(store: store, registry: Registry(), zeroesStarts: true)
        let message = Request.of(Series(labels: [("__name__", "a")], samples: [(2_000_000, 1)], start: 2000))
        let (_, refusal) = receiver.receive(Snappy.compress(message), .two, now: Timestamp(seconds: 9))
        #expect(refusal?.status == 400)
        #expect(refusal?.message == "out of bounds: timestamp is too far in the future: series a")
        #expect(store.statistics.seriesCount == 0)
    }

    @Test func brokenMessagesAreRefused() throws {
        let fixture = try fixture()
        func refusal(_ fill: (inout ProtobufMessage) -> Void) throws -> String {
            let (status, text, written) = try send(ProtobufMessage.make(fill), to: fixture)
            #expect(status == 400)
            #expect(written == "0 0 0")
            return text
        }
        #expect(
            try refusal {
                $0.text(4, "")
                $0.message(5) { $0.packed(1, [1, 2]) }
            }.contains("unknown symbol 1"))
        #expect(
            try refusal {
                $0.text(4, "")
                $0.message(5) { $0.packed(1, [0]) }
            }.contains("unknown value of a label"))
        #expect(
            try refusal {
                $0.bytes(4, [0xff, 0xfe])
                $0.message(5) { $0.packed(1, [0, 0]) }
            }.contains("invalid UTF-8 in labels"))
        #expect(try refusal { $0.raw([0x2a, 0x7f]) }.contains("127 bytes announced where 0 are left"))
        let whole = Request.of(
            Series(
                labels: [("__name__", "a")], samples: [(now, 1)], histograms: [histogram(at: now)],
                exemplars: [([("t", "1")], 1, now)]))
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? WriteRequest(
                Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator))), version: .two)
        }
    }
}

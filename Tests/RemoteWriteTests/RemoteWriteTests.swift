import CurlHTTP
import Instrumentation
import JSON
import MetricModel
import MetricStore
import PrometheusAPI
import Runtime
import Snappy
import Synchronization
import TestSupport
import Testing
import WebFixture

@testable import RemoteWrite

private typealias Message = ProtobufMessage

extension ProtobufMessage {
    /// A series of version 1.
    fileprivate static func series(
        _ labels: [(String, String)], _ samples: [(Int64, Double)], histograms: [[UInt8]] = []
    )
        -> [UInt8]
    {
        make { series in
            for (name, value) in labels {
                series.message(1) {
                    $0.text(1, name)
                    $0.text(2, value)
                }
            }
            for (time, value) in samples {
                series.message(2) {
                    $0.double(1, value)
                    $0.number(2, UInt64(bitPattern: time))
                }
            }
            for histogram in histograms { series.bytes(4, histogram) }
        }
    }
}

@Suite struct RemoteWriteTests {
    private let now = SystemClock.wallMilliseconds()

    private func fixture() throws -> WebFixture {
        try WebFixture({ $0.enablesRemoteWrite = true })
    }

    private func write(
        _ series: [[UInt8]], to fixture: WebFixture, headers: [(name: String, value: String)] = []
    ) throws -> HTTPResponse {
        let body = Snappy.compress(Message.make { for one in series { $0.bytes(1, one) } })
        return try send(body, to: fixture, headers: headers)
    }

    private func send(
        _ body: [UInt8], to fixture: WebFixture, headers: [(name: String, value: String)] = []
    ) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(fixture.port)/api/v1/write")
        request.method = "POST"
        request.headers = headers
        if !headers.contains(where: { $0.name == "Content-Type" }) {
            request.headers.append(("Content-Type", "application/x-protobuf"))
        }
        request.body = body
        return try HTTPClient().send(request)
    }

    private func values(_ name: String, in fixture: WebFixture) throws -> [Double] {
        try fixture.store.select(
            [Matcher("__name__", .equal, name)], from: .distantPast, through: .distantFuture, sampleLimit: 100
        ).flatMap(\.values)
    }

    @Test func samplesAreStored() throws {
        let fixture = try fixture()
        let series = [
            Message.series([("__name__", "a"), ("job", "x")], [(now - 2000, 1), (now - 1000, .staleMarker)]),
            Message.series([("__name__", "b")], [(now - 1500, 0.5)]),
        ]
        #expect(try write(series, to: fixture, headers: [("Content-Encoding", "snappy")]).status == 204)
        #expect(try values("a", in: fixture).map(\.bitPattern) == [(1.0).bitPattern, Double.staleMarker.bitPattern])
        #expect(try values("b", in: fixture) == [0.5])
        // Repeating the newest is allowed, and later samples are stored.
        #expect(try write([series[1]], to: fixture).status == 204)
        #expect(try write([Message.series([("__name__", "b")], [(now, 2)])], to: fixture).status == 204)
        #expect(try values("b", in: fixture) == [0.5, 2])
        #expect(try fixture.text("/metrics").contains("tribune_remote_write_samples_total"))
    }

    @Test func theGoodSamplesOfARequestAreStored() throws {
        let fixture = try fixture()
        _ = try write([Message.series([("__name__", "a")], [(now, 1)])], to: fixture)
        let early = try write(
            [Message.series([("__name__", "b")], [(now, 1)]), Message.series([("__name__", "a")], [(now - 1, 1)])],
            to: fixture)
        #expect(early.status == 400)
        #expect(String(decoding: early.body, as: UTF8.self) == "out of order sample: series a\n")
        #expect(try values("b", in: fixture) == [1])
        let mixed = try write(
            [
                Message.series([("__name__", "a")], [(now, 2), (now + 1, 3)]),
                Message.series([("__name__", "b")], [(now + 700_000, 2)]),
            ], to: fixture)
        #expect(mixed.status == 400)
        #expect(
            String(decoding: mixed.body, as: UTF8.self)
                == "duplicate sample for timestamp: series a\n"
                + "out of bounds: timestamp is too far in the future: series b\n")
        #expect(try values("a", in: fixture) == [1, 3])
        #expect(try values("b", in: fixture) == [1])
    }

    @Test func timesInSecondsAreAnError() throws {
        let fixture = try fixture()
        let seconds = now / 1000
        let response = try write(
            [Message.series([("__name__", "a")], [(seconds, 1)]), Message.series([("__name__", "b")], [(now, 1)])],
            to: fixture)
        #expect(response.status == 400)
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == "out of bounds: timestamp \(seconds) is in seconds, expected milliseconds: series a\n")
        #expect(try values("a", in: fixture) == [])
        #expect(try values("b", in: fixture) == [1])
    }

    @Test func labelsThatAreNotUTF8CostOnlyTheirSeries() throws {
        let fixture = try fixture()
        let bad = Message.make { series in
            series.message(1) {
                $0.text(1, "__name__")
                $0.bytes(2, [0x61, 0xff])
            }
            series.message(2) {
                $0.double(1, 1)
                $0.number(2, UInt64(now))
            }
        }
        let good = (0..<500).map { Message.series([("__name__", "good"), ("i", "\($0)")], [(now, 1)]) }
        #expect(try write([bad] + good, to: fixture).status == 204)
        #expect(fixture.store.statistics.seriesCount == 500)
    }

    @Test func unsortedLabelsAreSorted() throws {
        let fixture = try fixture()
        let series = Message.series([("job", "x"), ("__name__", "a"), ("instance", "i")], [(now, 1)])
        #expect(try write([series], to: fixture).status == 204)
        #expect(try fixture.data("/api/v1/series?match[]=a").encoded == #"[{"__name__":"a","instance":"i","job":"x"}]"#)
    }

    @Test func labelsInAnyOrderAndBetweenSamplesAreTheSameSeries() throws {
        let fixture = try fixture()
        let names = ["__name__", "job", "instance", "z"]
        let values = ["a", "x", "i", "1"]
        let orders = [[0, 2, 1, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1], [0, 1, 2, 3], [0, 3, 2, 1]]
        for (step, order) in orders.enumerated() {
            let series = Message.make { message in
                for position in order {
                    message.message(1) {
                        $0.text(1, names[position])
                        $0.text(2, values[position])
                    }
                    // In half of the requests a sample stands between the labels.
                    if position == order[1], step.isMultiple(of: 2) {
                        message.message(2) {
                            $0.double(1, Double(step))
                            $0.number(2, UInt64(now + Int64(step)))
                        }
                    }
                }
                if !step.isMultiple(of: 2) {
                    message.message(2) {
                        $0.double(1, Double(step))
                        $0.number(2, UInt64(now + Int64(step)))
                    }
                }
            }
            #expect(try write([series], to: fixture).status == 204)
        }
        #expect(try self.values("a", in: fixture) == [0, 1, 2, 3, 4, 5])
        #expect(fixture.store.statistics.seriesCount == 1)
    }

    @Test func labelsThatAreNoMessagesRefuseTheRequest() throws {
        let fixture = try fixture()
        let good = Message.series([("__name__", "good")], [(now, 1)])
        // A label whose name claims to be longer than the label.
        let bad = Message.make { series in
            series.bytes(1, [0x0a, 0x7f, 0x61])
            series.message(2) { $0.number(2, UInt64(now)) }
        }
        let refusal = try write([good, bad], to: fixture)
        #expect(refusal.status == 400)
        #expect(
            String(decoding: refusal.body, as: UTF8.self).contains("malformed protobuf message: 127 bytes announced"))
        #expect(fixture.store.statistics.seriesCount == 0)
        #expect(try write([good], to: fixture).status == 204)
    }

    @Test func refusalsAreLoggedOnceInAWhile() throws {
        let lines = Mutex<[String]>([])
        let receiver = RemoteWriteReceiver(
            store: try MetricStore(StoreConfiguration(), registry: nil), registry: Registry(),
            logger: Logger { line in lines.withLock { $0.append(line) } })
        for _ in 0..<20 { _ = receiver.receive(Array("not snappy".utf8), now: Timestamp(milliseconds: now)) }
        let logged = lines.withLock { $0 }
        #expect(logged.count == 1)
        #expect(logged.first?.contains("remote write samples refused") == true)
    }

    @Test func seriesWithoutAStoredSampleLeaveNothingBehind() throws {
        let fixture = try fixture()
        _ = try write([Message.series([("__name__", "a")], [(now, 1)])], to: fixture)
        let before = fixture.store.statistics.seriesCount
        for number in 0..<3 {
            let refused = try write(
                [Message.series([("__name__", "new\(number)")], [(now + 700_000, 1)])], to: fixture)
            #expect(refused.status == 400)
        }
        #expect(fixture.store.statistics.seriesCount == before)
        // The same series are stored with a valid sample.
        #expect(try write([Message.series([("__name__", "new0")], [(now, 7)])], to: fixture).status == 204)
        #expect(try values("new0", in: fixture) == [7])
    }

    @Test func idleSeriesGiveUpTheirSlotAndComeBack() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let receiver = RemoteWriteReceiver(store: store, registry: Registry())
        func send(_ name: String, _ value: Double, at time: Int64) throws {
            let message = Message.make { $0.bytes(1, Message.series([("__name__", name)], [(time, value)])) }
            let (_, refusal) = receiver.receive(Snappy.compress(message), now: Timestamp(milliseconds: time))
            #expect(refusal == nil)
        }
        let hour: Int64 = 3_600_000
        try send("a", 1, at: 0)
        // Idle series are released, and more than a chunk of rows later their slot belongs to other series.
        for minute in 1...70 { try send("b\(minute)", 2, at: hour + Int64(minute) * 60_000) }
        try send("a", 3, at: 3 * hour)
        try send("a", 4, at: 3 * hour + 1)
        let series = try store.select(
            [Matcher("__name__", .equal, "a")], from: .distantPast, through: .distantFuture, sampleLimit: 10)
        #expect(series.map(\.values) == [[1, 3, 4]])
        #expect(receiver.placeCount < 70)
    }

    @Test func seriesWithInvalidLabelsAreLeftOut() throws {
        let fixture = try fixture()
        let response = try write(
            [
                Message.series([("job", "x")], [(now, 1)]),
                Message.series([("__name__", "a"), ("l", "1"), ("l", "2")], [(now, 1)]),
                Message.series([("__name__", "a"), ("", "1")], [(now, 1)]),
                Message.series([("__name__", "b")], [(now, 3)]),
            ], to: fixture)
        #expect(response.status == 204)
        #expect(try values("a", in: fixture) == [])
        #expect(try values("b", in: fixture) == [3])
    }

    @Test func nativeHistogramsAreRead() throws {
        let histogram = Message.make {
            $0.number(1, 6)
            $0.double(3, 4.5)
            $0.number(4, 1)
            $0.double(5, 0.25)
            $0.number(6, 1)
            $0.bytes(
                11,
                Message.make {
                    $0.number(1, 3)
                    $0.number(2, 2)
                })
            $0.bytes(12, Message.make { for delta in [4, 2] as [UInt64] { $0.varint(delta) } })
            $0.number(15, UInt64(now))
        }
        let fixture = try fixture()
        #expect(
            try write([Message.series([("__name__", "h")], [], histograms: [histogram])], to: fixture).status == 204)
        let series = try fixture.store.select(
            [Matcher("__name__", .equal, "h")], from: .distantPast, through: .distantFuture, sampleLimit: 10)
        let stored = try #require(series.first?.histograms.first ?? nil)
        #expect(stored.schema == -1)
        #expect(stored.count == 6)
        #expect(stored.zeroCount == 1)
        #expect(stored.positiveSpans == [.init(offset: -2, length: 2)])
        #expect(stored.positiveBuckets == [2, 3])
    }

    @Test func otherEncodingsAndTypesAreRefused() throws {
        let fixture = try fixture()
        #expect(try write([], to: fixture, headers: [("Content-Encoding", "gzip")]).status == 415)
        #expect(try write([], to: fixture, headers: [("Content-Type", "application/json")]).status == 415)
        let third = "application/x-protobuf;proto=io.prometheus.write.v3.Request"
        #expect(try write([], to: fixture, headers: [("Content-Type", third)]).status == 415)
        #expect(try write([], to: fixture, headers: [("Content-Type", "application/x-protobuf;proto")]).status == 415)
        let first = "application/x-protobuf;proto=prometheus.WriteRequest"
        #expect(try write([], to: fixture, headers: [("Content-Type", first)]).status == 204)
        let off = try WebFixture()
        #expect(try write([], to: off).status == 404)
    }

    @Test func brokenBytesNeverTrap() throws {
        let fixture = try fixture()
        #expect(try send(Array("not snappy".utf8), to: fixture).status == 400)
        // A block that claims to be 4 GB long.
        #expect(try send([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00], to: fixture).status == 400)
        let whole = Message.make {
            $0.bytes(
                1, Message.series([("__name__", "a"), ("job", "x")], [(now, 1)], histograms: [[8, 1, 90, 2, 16, 9]]))
        }
        var seed: UInt64 = 42
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<3 {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(seed >> 33) % bytes.count] = UInt8(truncatingIfNeeded: seed >> 13)
            }
            _ = try? WriteRequest(Array(bytes.prefix(Int(seed >> 40) % (bytes.count + 1))))
        }
    }
}

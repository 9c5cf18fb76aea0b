import Instrumentation
import MetricModel
import MetricStore
import Snappy
import TestSupport
import Testing

@testable import RemoteWrite

/// Native histograms of every kind, by both versions of remote write.
@Suite(.serialized) struct RemoteWriteHistogramTests {
    private let store: MetricStore
    private let receiver: RemoteWriteReceiver

    init() throws {
        store = try MetricStore(StoreConfiguration(), registry: nil)
        receiver = RemoteWriteReceiver(store: store, registry: Registry())
    }

    /// Sends one histogram of the series `h` at `time`. Returns why it was rejected.
    private func send(
        _ version: WriteRequest.Version, at time: Int64, _ fill: @escaping (inout ProtobufMessage) -> Void
    ) -> String? {
        let histogram = ProtobufMessage.make {
            fill(&$0)
            $0.number(15, UInt64(time))
        }
        let request = ProtobufMessage.make { message in
            if version == .one {
                message.message(1) {
                    $0.message(1) {
                        $0.text(1, "__name__")
                        $0.text(2, "h")
                    }
                    $0.bytes(4, histogram)
                }
            } else {
                for symbol in ["", "__name__", "h"] { message.text(4, symbol) }
                message.message(5) {
                    $0.packed(1, [1, 2])
                    $0.bytes(3, histogram)
                }
            }
        }
        let (written, refusal) = receiver.receive(
            Snappy.compress(request), version, now: Timestamp(milliseconds: 10_000))
        #expect(written.histograms == (refusal == nil ? 1 : 0))
        return refusal?.message
    }

    private func stored() throws -> (times: [Int64], histograms: [FloatHistogram?], values: [Double]) {
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: 100)
        return (found.first?.timestamps ?? [], found.first?.histograms ?? [], found.first?.values ?? [])
    }

    private func integers(_ message: inout ProtobufMessage) {
        message.number(1, 5)
        message.double(3, 7.5)
        message.signed(4, 2)
        message.double(5, 0.001)
        message.number(6, 1)
        message.message(8) {
            $0.signed(1, 0)
            $0.number(2, 1)
        }
        message.packedSigned(9, [1])
        message.message(11) {
            $0.signed(1, 3)
            $0.number(2, 2)
        }
        message.packedSigned(12, [2, -1])
    }

    @Test(arguments: [WriteRequest.Version.one, .two]) func integersFloatsAndCustomBucketsAreStored(
        version: WriteRequest.Version
    ) throws {
        #expect(send(version, at: 1000, integers) == nil)
        let floats = send(version, at: 2000) {
            $0.double(2, 4.5)
            $0.double(3, 1)
            $0.signed(4, -4)
            $0.double(7, 0.5)
            $0.message(11) { $0.number(2, 1) }
            $0.packedDoubles(13, [4])
            $0.number(14, 3)
        }
        #expect(floats == nil)
        let custom = send(version, at: 3000) {
            $0.number(1, 6)
            $0.double(3, 12)
            $0.signed(4, -53)
            $0.message(11) { $0.number(2, 3) }
            $0.packedSigned(12, [1, 1, 1])
            $0.packedDoubles(16, [0.1, 2.5])
        }
        #expect(custom == nil)
        let (times, histograms, _) = try stored()
        try #require(times == [1000, 2000, 3000] && histograms.count == 3)
        var first = FloatHistogram()
        (first.schema, first.count, first.sum, first.zeroThreshold, first.zeroCount) = (2, 5, 7.5, 0.001, 1)
        (first.negativeSpans, first.negativeBuckets) = ([.init(offset: 0, length: 1)], [1])
        (first.positiveSpans, first.positiveBuckets) = ([.init(offset: 3, length: 2)], [2, 1])
        #expect(histograms[0] == first)
        let second = try #require(histograms[1])
        #expect((second.schema, second.count, second.zeroCount, second.positiveBuckets) == (-4, 4.5, 0.5, [4]))
        #expect(second.counterResetHint == .gauge)
        let third = try #require(histograms[2])
        #expect((third.schema, third.customValues, third.positiveBuckets) == (-53, [0.1, 2.5], [1, 2, 3]))
    }

    @Test(arguments: [WriteRequest.Version.one, .two]) func aStaleMarkerEndsTheSeries(version: WriteRequest.Version)
        throws
    {
        #expect(send(version, at: 1000, integers) == nil)
        #expect(send(version, at: 2000) { $0.double(3, .staleMarker) } == nil)
        let (times, histograms, values) = try stored()
        #expect(times == [1000, 2000])
        #expect(histograms.last??.isStaleMarker == true || values.last?.bitPattern == Double.staleMarker.bitPattern)
        #expect(histograms.last??.positiveBuckets.isEmpty != false)
    }

    @Test(arguments: [WriteRequest.Version.one, .two]) func timesAreCheckedAsThoseOfSamplesAre(
        version: WriteRequest.Version
    ) throws {
        #expect(send(version, at: 2000, integers) == nil)
        #expect(send(version, at: 2000, integers) == nil, "the same again is no fault")
        #expect(send(version, at: 1000, integers)?.contains("out of order sample: series h") == true)
        let other = send(version, at: 2000) {
            $0.number(1, 0)
            $0.double(3, 1)
        }
        #expect(other?.contains("duplicate sample for timestamp: series h") == true)
        #expect(send(version, at: 900_000, integers)?.contains("too far in the future: series h") == true)
        #expect(try stored().times == [2000])
    }

    @Test(arguments: [WriteRequest.Version.one, .two]) func whatMakesNoSenseIsRefusedWithItsReason(
        version: WriteRequest.Version
    ) throws {
        let cases: [(reason: String, fill: (inout ProtobufMessage) -> Void)] = [
            (
                "custom",
                {
                    $0.number(1, 1)
                    $0.signed(4, -53)
                    $0.message(11) { $0.number(2, 1) }
                    $0.packedSigned(12, [1])
                    $0.packedDoubles(16, [2, 1])
                }
            ),
            ("schema", { $0.signed(4, -10) }),
            ("schema", { $0.signed(4, 60) }),
            (
                "spans need",
                {
                    $0.number(1, 1)
                    $0.message(11) { $0.number(2, 3) }
                    $0.packedSigned(12, [1])
                }
            ),
            ("count of 9", { $0.number(1, 9) }),
        ]
        for (reason, fill) in cases {
            let refusal = send(version, at: 1000, fill)
            #expect(refusal?.contains(reason) == true, "\(refusal ?? "accepted")")
        }
        #expect(try stored().times.isEmpty)
        #expect(store.statistics.seriesCount == 0)
    }
}

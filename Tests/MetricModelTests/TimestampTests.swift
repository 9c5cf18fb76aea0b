import MetricModel
import Testing

@Suite struct TimestampTests {
    @Test func secondsAreRoundedAndClamped() {
        #expect(Timestamp(seconds: 1.0005).milliseconds == 1001)
        #expect(Timestamp(seconds: -1.5).milliseconds == -1500)
        #expect(Timestamp(seconds: .infinity).milliseconds == .max)
        #expect(Timestamp(seconds: -1e300).milliseconds == .min)
        #expect(Timestamp(seconds: .nan).milliseconds == 0)
    }

    @Test func onlyTheMarkersBitsAreStale() {
        #expect(Double.staleMarker.isStaleMarker)
        #expect(!Double.nan.isStaleMarker)
        #expect(!Double.canonicalNaN.isStaleMarker)
        #expect(Double.staleMarker.isNaN)
    }
}

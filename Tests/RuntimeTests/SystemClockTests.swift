import Runtime
import Testing

@Suite struct SystemClockTests {
    @Test func momentsThatNoClockReachesAreTheLastOne() {
        #expect(SystemClock.monotonicNanoseconds(in: .max) == .max)
        #expect(SystemClock.monotonicNanoseconds(in: .max / 1_000_000) == .max)
        #expect(SystemClock.monotonicNanoseconds(in: .min) == .min)
    }

    @Test func momentsLieAheadByTheirSpan() {
        let before = SystemClock.monotonicNanoseconds()
        let ahead = SystemClock.monotonicNanoseconds(in: 60_000)
        #expect((before + 60_000_000_000...SystemClock.monotonicNanoseconds() + 60_000_000_000).contains(ahead))
    }
}

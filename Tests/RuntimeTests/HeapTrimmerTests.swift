import Runtime
import Testing

@Suite struct HeapTrimmerTests {
    /// `-` for no, `T` for a trim, at each figure of idle bytes in turn.
    private func timeline(_ idle: [Int]) -> String {
        var trimmer = HeapTrimmer(threshold: 100)
        return String(idle.map { trimmer.isWorthwhile(idle: $0) ? "T" : "-" })
    }

    @Test func whatStaysIdleIsGivenBackOnce() {
        #expect(timeline([0, 99, 100, 100, 100, 100]) == "---T--")
    }

    @Test func whatIsUsedAgainSoonIsKept() {
        #expect(timeline([0, 150, 20, 150, 20, 150]) == "------")
    }

    @Test func idlePagesThatCannotBeReturnedCountOnlyOnce() {
        // 120 remain after the first trim; only what comes on top of them counts.
        #expect(timeline([300, 300, 120, 200, 200, 220, 220, 220]) == "-T----T-")
    }
}

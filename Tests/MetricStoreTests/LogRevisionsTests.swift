import Testing

@testable import MetricStore

@Suite struct LogRevisionsTests {
    @Test func whatIsLostStaysUnknownWhenLaterOnesAreGivenOut() {
        var revisions = LogRevisions()
        #expect(revisions.contains(0) && !revisions.contains(1), "0 was written before there were revisions")
        for _ in 0..<5 { revisions.advance() }
        revisions.lose(through: 5)
        revisions.lose(through: 3)
        #expect(revisions == LogRevisions(current: 5, lost: []), "nothing is newer than the log")
        revisions.lose(through: 8)
        #expect(revisions == LogRevisions(current: 9, lost: [6...8]))
        revisions.lose(through: 10)
        #expect((0...12).filter { revisions.contains($0) } == [0, 1, 2, 3, 4, 5, 9, 11])
        #expect((0...12).filter { LogRevisions.all(but: [2...3]).contains($0) } == [0, 1] + Array(4...12))
    }

    @Test func theLargestNumberIsTheLast() {
        var revisions = LogRevisions(current: .max - 1, lost: [])
        revisions.advance()
        revisions.advance()
        #expect(revisions.current == .max && revisions.contains(.max))
    }
}

import MetricModel
import Testing

@testable import Scraper

@Suite struct ScrapeMomentsTests {
    private let minute = Milliseconds.seconds(60)

    private func hashes(_ count: Int) -> [UInt64] {
        (0..<count).map {
            ScrapeTarget.Identity(
                pool: "job", labels: ["instance": "host-\($0):9100"], url: "http://host-\($0):9100/metrics"
            )
            .hash
        }
    }

    private func moments(_ targets: Int) -> ScrapeMoments {
        var moments = ScrapeMoments()
        moments.spread(targets)
        return moments
    }

    @Test(arguments: [(0, 1), (1, 1), (8, 1), (9, 2), (16, 2), (17, 4), (50, 8), (250, 32), (10_000, 2048)])
    func severalTargetsShareAMoment(targets: Int, count: Int) {
        #expect(1 << moments(targets).exponent == count)
    }

    @Test func momentsAreEvenlySpread() {
        let offsets = Set(hashes(2000).map { moments(50).offset(ofHash: $0, in: minute).rawValue })
        #expect(offsets.sorted() == (0..<8).map { 3750 + $0 * 7500 })
    }

    @Test func targetsSpreadOverTheMoments() {
        let moments = moments(400)
        let counts = Dictionary(hashes(400).map { (moments.offset(ofHash: $0, in: minute), 1) }, uniquingKeysWith: +)
        #expect(counts.count == 64)
        #expect(counts.values.allSatisfy { $0 <= 18 }, "\(counts)")
    }

    @Test func anIntervalWithMoreMomentsThanMillisecondsIsStillFilled() {
        let moments = moments(100_000)
        let offsets = hashes(2000).map { moments.offset(ofHash: $0, in: .milliseconds(100)).rawValue }
        #expect(offsets.allSatisfy { (0..<100).contains($0) })
        #expect(Set(offsets).count == 100)
    }

    @Test func fewerTargetsMoveNone() {
        var moments = moments(50)
        let before = moments
        moments.spread(3)
        #expect(moments == before)
    }

    @Test func twiceAsManyTargetsMoveEachOnceByAQuarterOfTheDistance() {
        for hash in hashes(100) {
            let before = moments(64).offset(ofHash: hash, in: minute)
            let after = moments(65).offset(ofHash: hash, in: minute)
            #expect(abs(after.rawValue - before.rawValue) == 60_000 / 8 / 4)
        }
    }
}

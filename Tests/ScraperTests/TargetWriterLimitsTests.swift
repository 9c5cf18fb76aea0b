import Exposition
import Instrumentation
import MetricModel
import MetricStore
import Synchronization
import Testing

@testable import Scraper

/// A scrape over the limits is postponed, as if it had not arrived yet.
@Suite struct TargetWriterLimitsTests {
    private final class Bench {
        let store: MetricStore
        let writer: TargetWriter

        init() throws {
            store = try MetricStore(StoreConfiguration(), registry: nil)
            writer = TargetWriter(lane: try store.openLane("test"), constitutionalHash: nil, seriesCap: 100_000)
        }

        func write(_ body: String, at second: Int64, _ limits: ReadingLimits = ReadingLimits()) throws
            -> TargetWriter.Outcome
        {
            let rules = SampleRules(
                targetLabels: ["job": "job"], honorsLabels: false, honorsTimestamps: true,
                tracksTimestampStaleness: false, relabelling: .none, limits: ScrapePool.Limits(),
                histograms: ScrapePool.HistogramSettings(), zeroesStarts: false, generation: 0)
            let fetched = TargetWriter.Fetched(
                body: ExpositionBody(Array(body.utf8)), format: .text, constitutionalHash: nil)
            return try writer.write(
                .success(fetched), at: Timestamp(milliseconds: second * 1000), rules: rules, limits: limits
            ) { 0 }
        }

        /// Times in seconds of all samples of `name`, by the label `n`.
        func times(_ name: String) throws -> [String: [Int64]] {
            let found = try store.select(
                [Matcher("__name__", .equal, name)], from: .distantPast, through: .distantFuture,
                sampleLimit: 1_000_000)
            return Dictionary(
                uniqueKeysWithValues: found.map { ($0.labels["n"] ?? "", $0.timestamps.map { Int64($0) / 1000 }) })
        }
    }

    private func body(_ numbers: Range<Int>) -> String { numbers.map { "a{n=\"\($0)\"} 1\n" }.joined() }

    @Test func tooManyNewSeriesLeaveNothingBehind() throws {
        let bench = try Bench()
        #expect(try !bench.write(body(0..<10), at: 1).isPostponed)
        let limits = ReadingLimits(newSeries: 4)
        #expect(try bench.write(body(0..<15), at: 2, limits).isPostponed)
        #expect(try bench.times("a").count == 10)
        #expect(try bench.times("up") == ["": [1]])
        #expect(try bench.write(body(0..<15), at: 2).added == 5)
        #expect(
            try bench.times("a")
                == Dictionary(uniqueKeysWithValues: (0..<15).map { ("\($0)", $0 < 10 ? [1, 2] : [2]) }))
        #expect(try !bench.write(body(3..<17), at: 3, limits).isPostponed, "two are new")
        #expect(try bench.times("a")["16"] == [3])
    }

    @Test func bodiesBeyondTheCapEndWhereItIsReached() throws {
        let bench = try Bench()
        let outcome = try bench.write(body(0..<50), at: 1, ReadingLimits(samples: 20))
        #expect(outcome.failure?.description == "more than 20 samples" && outcome.scraped == 21)
        #expect(try bench.times("a").isEmpty)
        #expect(try bench.times("up") == ["": [1]])
    }

    /// Both while lines are read and while series get slots.
    @Test(arguments: 1...4) func cancellingLeavesNothingBehind(at question: Int) throws {
        let bench = try Bench()
        let asked = AskedCount()
        let limits = ReadingLimits(isCancelled: { asked.value.add(1, ordering: .relaxed).newValue == question })
        #expect(try bench.write(body(0..<3000), at: 1, limits).isPostponed)
        #expect(try bench.times("a").allSatisfy { $0.value.isEmpty } && bench.times("up").isEmpty)
        #expect(try bench.write(body(0..<3000), at: 2).added == 3000)
        #expect(try bench.times("a").count == 3000)
    }

    private final class AskedCount: Sendable {
        let value = Atomic(0)
    }
}

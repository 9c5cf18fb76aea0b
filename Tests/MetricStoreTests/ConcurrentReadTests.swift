import MetricModel
import Synchronization
import Testing

@testable import MetricStore

/// One writer per lane at full speed, with concurrent readers: a reader must see a complete prefix of what was
/// written.
@Suite struct ConcurrentReadTests {
    private static let seriesCount = 40
    private static let rowCount = 3000

    /// Row *n* holds n at n seconds for every even series, and for every odd series unless 3 divides n; a histogram
    /// series has n observations.
    private static func write(_ lane: Lane) throws {
        let slots = try (0..<seriesCount).map {
            try lane.slot(for: ["__name__": "s", "i": "\($0)", "lane": lane.name])
        }
        let histogramSlot = try lane.slot(for: ["__name__": "h", "lane": lane.name])
        for row in 1...rowCount {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            for (index, slot) in slots.enumerated() where index % 2 == 0 || row % 3 != 0 {
                appender.append(slot, Double(row))
            }
            var histogram = FloatHistogram()
            histogram.count = Double(row)
            histogram.positiveSpans = [.init(offset: 0, length: UInt32(row % 7))]
            histogram.positiveBuckets = Array(repeating: Double(row), count: row % 7)
            appender.append(histogramSlot, histogram: histogram)
            // A row that was rolled back must never be seen.
            if row % 10 == 5 {
                appender.rollback()
                appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
                for (index, slot) in slots.enumerated() where index % 2 == 0 || row % 3 != 0 {
                    appender.append(slot, Double(row))
                }
                appender.append(histogramSlot, histogram: histogram)
            }
            try appender.commit()
        }
    }

    /// Reads windows until the writer has finished. Every window must be complete.
    private static func read(_ store: MetricStore, lane: String, seed: UInt64, until isDone: borrowing Atomic<Bool>)
        throws -> Int
    {
        var generator = Seeded(seed: seed)
        var windows = 0
        var seen: Int64 = 0
        repeat {
            let from = max(0, seen - Int64.random(in: 0..<200_000, using: &generator))
            let found = try store.select(
                [Matcher("lane", .equal, lane)], from: Timestamp(milliseconds: from), through: .distantFuture,
                sampleLimit: .max)
            guard let last = found.compactMap({ $0.timestamps.last }).max() else { continue }
            #expect(last >= seen, "a committed row vanished")
            seen = last
            let firstRow = max(1, (from + 999) / 1000)
            let all = Array(firstRow...max(firstRow, last / 1000))
            for series in found {
                let isOdd = series.labels["i"].flatMap { Int($0) }.map { $0 % 2 == 1 } ?? false
                let rows = isOdd ? all.filter { $0 % 3 != 0 } : all
                guard series.timestamps == rows.map({ $0 * 1000 }) else {
                    Issue.record("\(series.labels) from \(from) to \(last): \(series.timestamps)")
                    return windows
                }
                if series.labels.metricName == "h" {
                    #expect(series.histograms.map { $0?.count } == rows.map { Double($0) })
                    #expect(series.histograms.allSatisfy { $0?.positiveBuckets.count == Int($0?.count ?? 0) % 7 })
                } else {
                    #expect(series.values == rows.map { Double($0) })
                }
            }
            windows += 1
        } while !isDone.load(ordering: .relaxed)
        return windows
    }

    @Test func everyWindowIsAWholeBeginningOfWhatWasWritten() async throws {
        var configuration = StoreConfiguration()
        configuration.retentionBytes = 1 << 30
        let store = try MetricStore(configuration, registry: nil)
        let seed = testSeed
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<2 {
                let name = "lane \(number)"
                let lane = try store.openLane(name)
                let isDone = Done()
                group.addTask {
                    defer { isDone.flag.store(true, ordering: .relaxed) }
                    try Self.write(lane)
                    return 1
                }
                for reader in 0..<2 {
                    group.addTask {
                        try Self.read(store, lane: name, seed: seed &+ UInt64(reader), until: isDone.flag)
                    }
                }
            }
            for try await windows in group { #expect(windows > 0) }
        }
    }

    @Test func retentionUnderReadersTakesOnlyTheOldest() async throws {
        var configuration = StoreConfiguration()
        configuration.retentionBytes = 1 << 19
        let store = try MetricStore(configuration, registry: nil)
        let lane = try store.openLane("lane")
        let isDone = Done()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { isDone.flag.store(true, ordering: .relaxed) }
                let slots = try (0..<64).map { try lane.slot(for: ["__name__": "s", "i": "\($0)"]) }
                for row in 1...6000 {
                    var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row)))
                    for slot in slots { appender.append(slot, Double(row) + 1 / 3) }
                    try appender.commit()
                    if row % 100 == 0 { store.maintain(now: Timestamp(milliseconds: Int64(row))) }
                }
            }
            for _ in 0..<2 {
                group.addTask {
                    repeat {
                        for series in try store.select(
                            [], from: .distantPast, through: .distantFuture, sampleLimit: .max)
                        {
                            let first = series.timestamps[0]
                            let whole = Array(first..<first + Int64(series.count))
                            #expect(series.timestamps == whole)
                            #expect(series.values == whole.map { Double($0) + 1 / 3 })
                        }
                    } while !isDone.flag.load(ordering: .relaxed)
                }
            }
            try await group.waitForAll()
        }
        #expect(store.statistics.timeRange?.lowerBound ?? .distantPast > Timestamp(milliseconds: 1))
        #expect(store.statistics.sampleBytes < 1 << 20)
    }

    private final class Done: Sendable {
        let flag = Atomic(false)
    }
}

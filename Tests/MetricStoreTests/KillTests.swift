import Foundation
import Glibc
import MetricModel
import Synchronization
import Testing

@testable import MetricStore

/// A process that ingests and compacts at full speed is killed at random times, repeatedly, on the same files. All that
/// it committed must exist afterwards, and nothing partially.
@Suite struct KillTests {
    private static let laneCount = 2
    /// `scripts/soak.sh storekills` takes more.
    private static let kills =
        ProcessInfo.processInfo.environment["TRIBUNE_STORE_KILLS"].flatMap { Int($0) } ?? 20
    private static let seriesCount = 60

    /// The sample of series *i* in row *n*, if any.
    private static func value(_ series: Int, _ row: Int) -> Double? {
        switch series % 4 {
        case 0: Double(row * series)
        case 1: Double(row) + Double(series) / 8
        case 2 where row % 5 == 0: nil
        case 2: Double(row % 7 == 3 ? -row : row * row)
        // Series that come and go.
        default: row / 50 % 2 == series / 4 % 2 ? 1 : nil
        }
    }

    private static func labels(_ series: Int, _ lane: Int, _ row: Int) -> Labels {
        let generation = series % 4 == 3 ? row / 50 : 0
        return ["__name__": "m", "i": "\(series)", "generation": "\(generation)", "lane": "\(lane)"]
    }

    /// Continues where the last process stopped, and records every committed row in `progress`. Never returns.
    private static func ingest(_ path: String, _ lane: Lane, _ number: Int, from first: Int) throws {
        let progress = Glibc.open(path + ".progress", O_RDWR)
        var slots: [Labels: RingSlot] = [:]
        var row = first
        while true {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            for series in 0..<seriesCount {
                guard let value = value(series, row) else { continue }
                let labels = labels(series, number, row)
                let slot = try slots[labels] ?? lane.slot(for: labels)
                slots[labels] = slot
                appender.append(slot, value)
            }
            var histogram = FloatHistogram()
            histogram.count = Double(row)
            histogram.customValues = (0..<row % 9).map { Double($0 * row) }
            appender.append(try lane.slot(for: ["__name__": "h", "lane": "\(number)"]), histogram: histogram)
            try appender.commit()
            var done = Int64(row)
            pwrite(progress, &done, 8, 8 * number)
            if row % 50 == 49 {
                for (labels, slot) in slots where labels["generation"] != "0" {
                    lane.retire(slot)
                    slots[labels] = nil
                }
            }
            row += 1
        }
    }

    /// The child: opens the store, writes from several threads, and is dead after `microseconds`.
    private static func ingestUntilKilled(_ path: String, _ microseconds: UInt32) throws {
        Thread.detachNewThread {
            usleep(microseconds)
            kill(getpid(), SIGKILL)
        }
        let store = try open(path)
        let lanes = try (0..<laneCount).map { try store.openLane("lane \($0)") }
        for (number, lane) in lanes.enumerated() {
            let first = try lastRow(store, number) + 1
            Thread.detachNewThread {
                // Only a store that rejects its own rows ends this before the kill.
                do { try ingest(path, lane, number, from: first) } catch { fatalError("\(error)") }
            }
        }
        Thread.detachNewThread {
            while true {
                // A compaction fails only if a chunk cannot be read or written.
                do { if try store.compact(now: .distantFuture) { continue } } catch { fatalError("\(error)") }
                usleep(1000)
            }
        }
        while true {
            store.maintain(now: Timestamp(milliseconds: 0))
            usleep(3000)
        }
    }

    private static func open(_ path: String) throws -> MetricStore {
        var configuration = StoreConfiguration(directory: path)
        configuration.rowLogBudget = 1 << 20
        (configuration.segmentSpan, configuration.blockSpan) = (50_000, 400_000)
        return try MetricStore(configuration, registry: nil)
    }

    private static func lastRow(_ store: MetricStore, _ lane: Int) throws -> Int {
        let found = try store.select(
            [Matcher("lane", .equal, "\(lane)"), Matcher("__name__", .equal, "h")], from: .distantPast,
            through: .distantFuture, sampleLimit: .max)
        return Int((found.first?.timestamps.last ?? 0) / 1000)
    }

    /// Everything from row `first` to `last`, and nothing else.
    private static func check(_ store: MetricStore, _ lane: Int, _ first: Int, _ last: Int) throws {
        let found = try store.select(
            [Matcher("lane", .equal, "\(lane)")], from: Timestamp(milliseconds: Int64(first) * 1000),
            through: .distantFuture, sampleLimit: .max)
        var rows: [Labels: [(row: Int, value: Double)]] = [:]
        for row in first...max(first, last) where row <= last {
            for series in 0..<seriesCount {
                guard let value = value(series, row) else { continue }
                rows[labels(series, lane, row), default: []].append((row, value))
            }
        }
        for series in found where series.labels.metricName == "h" {
            #expect(series.timestamps == (first...max(first, last)).map { Int64($0) * 1000 })
            #expect(series.histograms.map { $0?.count } == (first...max(first, last)).map { Double($0) })
            for (row, histogram) in zip(first..., series.histograms) {
                #expect(histogram?.customValues == (0..<row % 9).map { Double($0 * row) })
            }
        }
        for series in found where series.labels.metricName == "m" {
            let expected = rows.removeValue(forKey: series.labels) ?? []
            #expect(series.timestamps == expected.map { Int64($0.row) * 1000 }, "\(series.labels)")
            #expect(series.values == expected.map(\.value), "\(series.labels)")
        }
        #expect(rows.isEmpty, "\(rows.keys)")
    }

    @Test func everyCommittedSampleSurvivesKillsAtRandomMoments() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/store"
        var generator = Seeded(seed: testSeed)
        try Data(count: 8 * Self.laneCount).write(to: URL(fileURLWithPath: path + ".progress"))
        var checked = [Int](repeating: 0, count: Self.laneCount)
        for _ in 0..<Self.kills {
            let delay = UInt32.random(in: 0..<150_000, using: &generator)
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, delay = delay as UInt32] in
                try Self.ingestUntilKilled(path, delay)
            }
            let progress = try Data(contentsOf: URL(fileURLWithPath: path + ".progress"))
            let store = try Self.open(path)
            // A kill during a write leaves a torn end, nothing else.
            #expect(store.recoveryNotes.allSatisfy { $0.contains("torn") }, "\(store.recoveryNotes)")
            for lane in 0..<Self.laneCount {
                let noted = progress.withUnsafeBytes { Int($0.load(fromByteOffset: 8 * lane, as: Int64.self)) }
                let last = try Self.lastRow(store, lane)
                // The note of the last commit may be missing.
                #expect(last == noted || last == noted + 1)
                try Self.check(store, lane, max(1, checked[lane] - 100), last)
                checked[lane] = last
            }
        }
        let blocks = try Self.open(path).core.blocks.pin().blocks.count
        print("blocks: \(blocks)")
        #expect(blocks > 0)
        print("rows that survived \(Self.kills) kills: \(checked)")
        #expect(checked.allSatisfy { $0 > 0 })
    }
}

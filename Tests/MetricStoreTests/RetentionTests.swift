import Foundation
import Instrumentation
import MetricModel
import Testing

@testable import MetricStore

@Suite struct RetentionTests {
    @Test func samplesOlderThanTheRetentionGoAndTheirSeriesToo() throws {
        var configuration = StoreConfiguration()
        configuration.retentionMilliseconds = 60_000
        let store = try MetricStore(configuration, registry: nil)
        let lane = try store.openLane("lane")
        let old = try lane.slot(for: ["__name__": "old"])
        let kept = try lane.slot(for: ["__name__": "kept"])
        let generation = store.seriesGeneration
        for row in 0..<200 {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            if row < 10 { appender.append(old, 1) }
            appender.append(kept, 1)
            try appender.commit()
            if row == 10 { lane.retire(old) }
        }
        store.maintain(now: Timestamp(milliseconds: 0))
        #expect(store.statistics.seriesCount == 2)
        store.maintain(now: Timestamp(milliseconds: 300_000))
        #expect(store.statistics.seriesCount == 1)
        #expect(store.seriesGeneration != generation)
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(found.map { $0.labels.metricName } == ["kept"])
        // Rows that are not sealed stay.
        #expect(found.first?.timestamps == (192..<200).map { $0 * 1000 })
    }

    @Test func churnKeepsMemoryFlat() throws {
        var configuration = StoreConfiguration()
        configuration.retentionMilliseconds = 100_000
        configuration.retentionBytes = 1 << 22
        let store = try MetricStore(configuration, registry: nil)
        let lane = try store.openLane("lane")
        var slots: [RingSlot] = []
        var next = 0
        var sizes: [Int] = []
        for row in 0..<2000 {
            // A tenth of the series is replaced every ten rows.
            if row % 10 == 0 {
                for slot in slots.prefix(50) { lane.retire(slot) }
                slots.removeFirst(min(50, slots.count))
                while slots.count < 500 {
                    slots.append(try lane.slot(for: ["__name__": "m", "pod": "\(next)"]))
                    next += 1
                }
            }
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            for slot in slots { appender.append(slot, Double(row)) }
            try appender.commit()
            store.maintain(now: Timestamp(milliseconds: Int64(row) * 1000))
            if row % 500 == 499 {
                #expect(store.statistics.seriesCount < 3000)
                sizes.append(lane.active?.byteCount ?? 0)
            }
        }
        #expect(sizes[1] == sizes[3])
    }

    /// Pages of files that queries have read are resident until then.
    @Test func maintenanceTakesFilesOutOfMemory() throws {
        let directory = try TemporaryDirectory()
        let store = try MetricStore(StoreConfiguration(directory: directory.path), registry: nil)
        let lane = try store.openLane("lane")
        let slots = try (0..<200).map { try lane.slot(for: ["__name__": "m", "i": "\($0)"]) }
        for row in 0..<160 {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            for (index, slot) in slots.enumerated() { appender.append(slot, Double(row * index) / 7) }
            try appender.commit()
        }
        func read() throws -> [Double] {
            try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max).flatMap(\.values)
        }
        let values = try read()
        #expect(values.count == 160 * 200)
        #expect(try residentKilobytes(of: directory.path + "/segments/1") > 20)
        store.maintain(now: Timestamp(milliseconds: 160_000))
        #expect(try residentKilobytes(of: directory.path + "/segments/1") == 0)
        #expect(try read() == values)
        #expect(try residentKilobytes(of: directory.path + "/segments/1") > 20)
    }

    private func residentKilobytes(of path: String) throws -> Int {
        // Files of /proc do not say how long they are.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
        let maps = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n")
        let start = try #require(maps.firstIndex { $0.hasSuffix(path) })
        let line = try #require(maps[start...].first { $0.hasPrefix("Rss:") })
        return try #require(Int(line.split(separator: " ")[1]))
    }

    @Test func closedLanesGoWithTheirLastSample() throws {
        var configuration = StoreConfiguration()
        configuration.retentionMilliseconds = 1000
        let store = try MetricStore(configuration, registry: nil)
        let lane = try store.openLane("lane")
        let slot = try lane.slot(for: ["__name__": "m"])
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 5000))
        appender.append(slot, 1)
        try appender.commit()
        lane.close()
        #expect(throws: StoreError.self) { try lane.slot(for: ["__name__": "m"]) }
        #expect(try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: 9).count == 1)
        store.maintain(now: Timestamp(milliseconds: 7000))
        #expect(try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: 9).isEmpty)
        #expect(store.statistics.laneCount == 0)
        #expect(store.statistics.seriesCount == 0)
    }

    @Test func limitsAreErrorsAndGaugesShowTheFigures() throws {
        var configuration = StoreConfiguration()
        configuration.maximumSeries = 2
        let registry = Registry()
        let store = try MetricStore(configuration, registry: registry)
        let lane = try store.openLane("lane")
        #expect(throws: StoreError.self) { try store.openLane("lane") }
        let first = try lane.slot(for: ["__name__": "a"])
        _ = try lane.slot(for: ["__name__": "b"])
        #expect(throws: StoreError.self) { try lane.slot(for: ["__name__": "c"]) }
        #expect(try lane.slot(for: ["__name__": "a"]) == first)
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 1000))
        appender.append(first, 1)
        #expect(appender.append(first, 2) == .duplicateTimestamp)
        #expect(appender.append(first, 1) == .alreadyPresent)
        #expect(appender.append(first, 1, at: Timestamp(milliseconds: 999)) == .outOfOrder)
        #expect(appender.append(first, 1, at: Timestamp(milliseconds: .max)) == .outOfBounds)
        try appender.commit()
        #expect(throws: SelectError.self) {
            try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: 0)
        }
        let series = registry.snapshot().first { $0.name == "tribune_store_series" }
        guard case .number(2)? = series?.members.first?.value else {
            Issue.record("\(String(describing: series))")
            return
        }
    }

    @Test func listsAreSortedAndCut() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("lane")
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 1000))
        for (name, job) in [("up", "b"), ("up", "a"), ("down", "a")] {
            appender.append(try lane.slot(for: ["__name__": name, "job": job]), 1)
        }
        try appender.commit()
        let (from, through) = (Timestamp(milliseconds: 0), Timestamp(milliseconds: 5000))
        #expect(try store.labelValues("job", matching: [], from: from, through: through) == ["a", "b"])
        #expect(try store.labelNames(matching: [], from: from, through: through, limit: 1) == ["__name__"])
        let sets = try store.labelSets(
            matching: [[Matcher("job", .equal, "b")], [Matcher("__name__", .equal, "down")]], from: from,
            through: through)
        #expect(sets == [["__name__": "down", "job": "a"], ["__name__": "up", "job": "b"]])
        #expect(try store.lanes(matching: [Matcher("job", .equal, "b")]) == [lane.id])
        #expect(store.statistics.seriesCountByMetricName.first == .init(name: "up", value: 2))
    }
}

import Foundation
import MetricModel
import Testing

@testable import MetricStore

@Suite struct RowLogTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open() throws -> MetricStore {
        var configuration = StoreConfiguration(directory: directory.path)
        configuration.rowLogBudget = 1 << 16
        return try MetricStore(configuration, registry: nil)
    }

    private func write(_ lane: Lane, _ row: Int, series count: Int) throws {
        var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
        for series in 0..<count {
            let slot = try lane.slot(for: ["__name__": "m", "i": "\(series)", "lane": lane.name])
            appender.append(slot, Double(row) + 1 / Double(series + 3))
        }
        try appender.commit()
    }

    private var fileBytes: Int {
        get throws {
            try directory.files(in: "rows").reduce(0) { sum, name in
                let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/rows/" + name)
                return sum + (attributes[.size] as? Int ?? 0)
            }
        }
    }

    @Test func sealedRowsLeaveTheLog() throws {
        let store = try open()
        let lane = try store.openLane("lane")
        for row in 1...2000 { try write(lane, row, series: 30) }
        // A chunk is some 8 KiB of rows; a file holds no more than a chunk begun in it and one that ended there.
        #expect(try fileBytes < 1 << 15)
    }

    @Test func aSlowLaneDoesNotHoldBackTheLogAndLosesNothing() throws {
        do {
            let store = try open()
            let slow = try store.openLane("slow")
            let idle = try store.openLane("idle")
            let fast = try store.openLane("fast")
            try write(idle, 1, series: 40)
            for row in 1...3000 {
                try write(fast, row, series: 30)
                if row % 500 == 0 { try write(slow, row, series: 5) }
                if row % 20 == 0 { store.maintain(now: Timestamp(milliseconds: 0)) }
            }
            #expect(try fileBytes < 3 << 15)
        }
        let next = try open()
        #expect(next.recoveryNotes == [])
        func rows(_ lane: String) throws -> Set<[Int64]> {
            let found = try next.select(
                [Matcher("lane", .equal, lane)], from: .distantPast, through: .distantFuture, sampleLimit: .max)
            for series in found {
                let divisor = try Double(#require(series.labels["i"].flatMap { Int($0) }) + 3)
                #expect(series.values == series.timestamps.map { Double($0) / 1000 + 1 / divisor })
            }
            return Set(found.map { $0.timestamps.map { $0 / 1000 } })
        }
        #expect(try rows("idle") == [[1]])
        #expect(try rows("slow") == [stride(from: 500, through: 3000, by: 500).map { Int64($0) }])
        #expect(try rows("fast") == [(1...3000).map { Int64($0) }])
    }

    /// The files after a kill, with records smaller and larger than a page.
    @Test(arguments: [1, 900, 20_000]) func theFileInUseHasAllRowsAndNothingElse(series: Int) throws {
        let base = try TemporaryDirectory()
        let store = try MetricStore(StoreConfiguration(directory: directory.path), registry: nil)
        let lane = try store.openLane("lane")
        for row in 1...12 {
            try write(lane, row, series: series)
            if row % 4 != 0 { continue }
            try FileManager.default.copyItem(atPath: directory.path, toPath: base.path + "/\(row)")
            let copy = try MetricStore(StoreConfiguration(directory: base.path + "/\(row)"), registry: nil)
            #expect(copy.recoveryNotes == [])
            let found = try copy.select(
                [Matcher("i", .equal, "\(series - 1)")], from: .distantPast, through: .distantFuture, sampleLimit: .max)
            #expect(found.map(\.values) == [(1...row).map { Double($0) + 1 / Double(series + 2) }])
        }
        withExtendedLifetime(store) {}
    }

    /// 10 % of the series are replaced every minute, for an hour: files, memory and index stay as large as after half
    /// of it.
    @Test func churnKeepsFilesAndMemoryFlat() throws {
        var configuration = StoreConfiguration(directory: directory.path)
        configuration.retentionMilliseconds = 10 * 60_000
        configuration.retentionBytes = 1 << 22
        let store = try MetricStore(configuration, registry: nil)
        let lane = try store.openLane("lane")
        var slots: [RingSlot] = []
        var next = 0
        var sizes: [(files: Int, active: Int, series: Int)] = []
        for minute in 0..<60 {
            for slot in slots.prefix(100) { lane.retire(slot) }
            slots.removeFirst(min(100, slots.count))
            while slots.count < 1000 {
                let pod = String(repeating: "x", count: 150) + "\(next)"
                slots.append(try lane.slot(for: ["__name__": "m", "pod": pod]))
                next += 1
            }
            for second in stride(from: 0, to: 60, by: 5) {
                let now = Timestamp(milliseconds: Int64(minute * 60 + second) * 1000)
                var appender = lane.beginAppend(at: now)
                for (index, slot) in slots.enumerated() { appender.append(slot, Double(minute * index)) }
                try appender.commit()
                store.maintain(now: now)
            }
            sizes.append((try directorySize(), lane.active?.byteCount ?? 0, store.statistics.seriesCount))
        }
        #expect(sizes[59].active == sizes[30].active)
        #expect(sizes[59].series < 3000)
        // The series log may grow by a MiB and to twice its size before it is compacted.
        #expect(sizes[30...].allSatisfy { $0.files < 4 << 20 }, "\(sizes.map(\.files))")
    }

    private func directorySize() throws -> Int {
        var size = 0
        for name in ["series.log"] + (try directory.files(in: "segments").map { "segments/" + $0 })
            + (try directory.files(in: "rows").map { "rows/" + $0 })
        {
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/" + name)
            size += attributes[.size] as? Int ?? 0
        }
        return size
    }
}

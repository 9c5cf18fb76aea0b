import Foundation
import MetricModel
import Synchronization
import Testing

@testable import MetricStore

/// Sealed chunks become blocks, and blocks larger ones; nothing that was committed changes.
@Suite struct CompactionTests {
    private static let lanes = 2
    private static let series = 20
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open(_ change: (inout StoreConfiguration) -> Void = { _ in }) throws -> MetricStore {
        var configuration = StoreConfiguration(directory: directory.path)
        configuration.segmentSpan = 100_000
        configuration.blockSpan = 1_000_000
        change(&configuration)
        return try MetricStore(configuration, registry: nil)
    }

    private static func value(_ series: Int, _ row: Int) -> Double {
        switch series % 4 {
        case 0: Double(row * series)
        case 1: Double(row * row % 97) / 10
        case 2: row % 50 == 0 ? .staleMarker : Double(series)
        default: (Double(row) + 0.5).squareRoot()
        }
    }

    private static func labels(_ series: Int, _ lane: Lane) -> Labels {
        ["__name__": "m", "i": "\(series)", "lane": lane.name]
    }

    /// One row per second in each lane, with a histogram, of the series that have a sample then.
    private func write(_ store: MetricStore, _ rows: Range<Int>) throws {
        let lanes = try (0..<Self.lanes).map { try store.openLane("lane \($0)") }
        let slots = try lanes.map { lane in try (0..<Self.series).map { try lane.slot(for: Self.labels($0, lane)) } }
        let histograms = try lanes.map { try $0.slot(for: ["__name__": "h", "lane": $0.name]) }
        for row in rows {
            for (number, lane) in lanes.enumerated() {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
                for series in 0..<Self.series where row % (series + 1) != 1 {
                    appender.append(slots[number][series], Self.value(series, row))
                }
                var histogram = FloatHistogram()
                histogram.count = Double(row)
                histogram.positiveSpans = [.init(offset: 1, length: 2)]
                histogram.positiveBuckets = [1, Double(row)]
                appender.append(histograms[number], histogram: histogram)
                try appender.commit()
            }
        }
        // Another call continues.
        store.core.catalog.write { catalog in
            for lane in lanes {
                catalog.openNames.remove(lane.name)
                catalog.orphans[lane.name] = lane.id.rawValue
            }
        }
    }

    private struct Found: Equatable {
        var timestamps: [Int64]
        var values: [UInt64]
        var histograms: [FloatHistogram?]
    }

    private func everything(_ store: MetricStore, from: Int64 = .min / 2, through: Int64 = .max / 2) throws
        -> [Labels: Found]
    {
        var found: [Labels: Found] = [:]
        let all = try store.select(
            [], from: Timestamp(milliseconds: from), through: Timestamp(milliseconds: through), sampleLimit: .max)
        for series in all {
            found[series.labels] = Found(
                timestamps: series.timestamps, values: series.values.map(\.bitPattern), histograms: series.histograms)
        }
        return found
    }

    private static func count(_ found: [Labels: Found]) -> Int { found.values.reduce(0) { $0 + $1.timestamps.count } }

    @discardableResult
    private func compactAll(_ store: MetricStore) throws -> Int {
        var files = 0
        while try store.compact(now: .distantFuture) { files += 1 }
        return files
    }

    @Test func chunksMoveIntoBlocksAndBlocksAreMerged() throws {
        let store = try open { $0.blockSpan = 400_000 }
        var files = 0
        var most = 0
        for part in 0..<10 {
            try write(store, part * 120..<(part + 1) * 120)
            if part == 4 { most = store.statistics.sampleBytes }
            if part >= 5 { files += try compactAll(store) }
        }
        let before = try everything(store)
        files += try compactAll(store)
        let blocks = store.core.blocks.pin().blocks
        #expect(files > blocks.count)
        #expect((2...5).contains(blocks.count))
        #expect(blocks.allSatisfy { $0.newest - $0.oldest <= 400_000 })
        #expect(store.statistics.sampleBytes < 2 * most)
        #expect(try directory.files(in: "blocks").count == blocks.count + 1)
        #expect(try everything(store) == before)
        #expect(store.brokenInvariants == [])
        for from in [0, 399_000, 500_500, 1_100_000] as [Int64] {
            let part = try everything(store, from: from, through: from + 70_000)
            for (labels, found) in part {
                let all = try #require(before[labels])
                let inside = all.timestamps.indices.filter {
                    all.timestamps[$0] >= from && all.timestamps[$0] <= from + 70_000
                }
                #expect(found.timestamps == inside.map { all.timestamps[$0] })
                #expect(found.values == inside.map { all.values[$0] })
            }
        }
        #expect(store.takeNotes() == [])
    }

    @Test func youngSamplesStayInChunks() throws {
        let store = try open()
        try write(store, 0..<1000)
        #expect(try !store.compact(now: Timestamp(milliseconds: 3_600_000)))
        #expect(try store.compact(now: Timestamp(milliseconds: 3_600_000 + 200_000)))
        #expect(store.core.blocks.pin().timeRange.map { $0.upperBound < 200_000 } == true)
    }

    @Test func aRestartFindsBlocksAndGoesOnAfterThem() throws {
        var before: [Labels: Found] = [:]
        do {
            let store = try open()
            try write(store, 0..<700)
            try compactAll(store)
            before = try everything(store)
        }
        let store = try open()
        #expect(store.recoveryNotes == [])
        #expect(try everything(store) == before)
        // A sample that a block has is a duplicate, and older ones are out of order.
        let lane = try store.openLane("lane 0")
        let slot = try lane.slot(for: Self.labels(4, lane))
        #expect(lane.outcome(slot, Self.value(4, 500), at: Timestamp(milliseconds: 500_000)) == .outOfOrder)
        store.core.catalog.write { catalog in
            catalog.openNames.remove(lane.name)
            catalog.orphans[lane.name] = lane.id.rawValue
        }
        try write(store, 700..<900)
        let after = try everything(store)
        #expect(Self.count(after) > Self.count(before))
        try compactAll(store)
        #expect(try everything(store) == after)
    }

    /// The newest samples of a lane that nobody writes to any more are only in a block.
    @Test func theLastSampleOfASeriesIsFoundInABlock() throws {
        let store = try open()
        let lane = try store.openLane("lane")
        let idle = try lane.slot(for: ["__name__": "idle"])
        let other = try lane.slot(for: ["__name__": "other"])
        for row in 0..<1000 {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            if row == 5 { appender.append(idle, 7, at: Timestamp(milliseconds: 4_711)) }
            appender.append(other, Double(row))
            try appender.commit()
        }
        try compactAll(store)
        #expect(lane.outcome(idle, 7, at: Timestamp(milliseconds: 4_711)) == .alreadyPresent)
        #expect(lane.outcome(idle, 8, at: Timestamp(milliseconds: 4_711)) == .duplicateTimestamp)
        #expect(lane.outcome(idle, 8, at: Timestamp(milliseconds: 4_710)) == .outOfOrder)
        #expect(lane.outcome(idle, 8, at: Timestamp(milliseconds: 1_000_000)) == .appended)
    }

    @Test func retentionDropsBlocksAndSeriesThatWereOnlyInThem() throws {
        let store = try open { $0.retentionMilliseconds = 1_200_000 }
        let old = try store.openLane("old")
        var appender = old.beginAppend(at: Timestamp(milliseconds: 1000))
        appender.append(try old.slot(for: ["__name__": "old"]), 1)
        try appender.commit()
        old.close()
        try write(store, 0..<500)
        try compactAll(store)
        let before = try everything(store)
        #expect(before[["__name__": "old"]] != nil)
        let files = try directory.files(in: "blocks")
        store.maintain(now: Timestamp(milliseconds: 1_400_000))
        #expect(try directory.files(in: "blocks").count < files.count)
        let found = try everything(store)
        #expect(found[["__name__": "old"]] == nil)
        #expect(store.statistics.seriesCount == before.count - 1)
        #expect(found.values.allSatisfy { $0.timestamps[0] > 0 && $0.timestamps.last.map { $0 > 450_000 } == true })
        #expect(store.brokenInvariants == [])
    }

    @Test func aStoreThatIsTooLargeLosesItsOldestBlocks() throws {
        var size = 0
        var count = 0
        do {
            let store = try open { $0.blockSpan = 200_000 }
            try write(store, 0..<1000)
            try compactAll(store)
            size = store.core.blocks.byteCount + store.core.segments.byteCount
            count = store.core.blocks.pin().blocks.count
            #expect(count > 3)
        }
        let store = try open { $0.retentionBytes = size - 1 }
        store.maintain(now: Timestamp(milliseconds: 1_000_000))
        #expect(store.core.blocks.pin().blocks.count == count - 1)
        let found = try everything(store)
        #expect(found.values.allSatisfy { $0.timestamps[0] > 0 && $0.timestamps.last.map { $0 > 950_000 } == true })
    }

    @Test func aSnapshotHasTheBlocks() throws {
        let store = try open()
        try write(store, 0..<700)
        try compactAll(store)
        let copy = try TemporaryDirectory()
        try store.snapshot(to: copy.path + "/copy")
        let opened = try MetricStore(StoreConfiguration(directory: copy.path + "/copy"), registry: nil)
        #expect(opened.recoveryNotes == [])
        #expect(try everything(opened) == everything(store))
    }

    @Test func deletedSamplesStayDeletedInBlocks() throws {
        let store = try open()
        try write(store, 0..<1000)
        try store.delete(
            matching: [[Matcher("i", .equal, "5")]], from: Timestamp(milliseconds: 100_000),
            through: Timestamp(milliseconds: 300_000), now: Timestamp(milliseconds: 1_000_000))
        let before = try everything(store)
        try compactAll(store)
        #expect(try everything(store) == before)
    }

    // MARK: Failures

    @Test func aCompactionThatIsEndedOrCannotWriteChangesNothing() throws {
        let store = try open()
        try write(store, 0..<1000)
        let before = try everything(store)
        var steps = 0
        let isDone = try store.compact(now: .distantFuture) {
            steps += 1
            return steps < 2
        }
        #expect(!isDone)
        #expect(store.core.blocks.pin().blocks.isEmpty)
        try FileManager.default.moveItem(atPath: directory.path + "/blocks", toPath: directory.path + "/gone")
        #expect(throws: StoreError.self) { try store.compact(now: .distantFuture) }
        #expect(store.core.blocks.failures.load(ordering: .relaxed) == 1)
        try FileManager.default.moveItem(atPath: directory.path + "/gone", toPath: directory.path + "/blocks")
        #expect(try directory.files(in: "blocks") == [])
        #expect(try everything(store) == before)
        try compactAll(store)
        #expect(try everything(store) == before)
    }

    /// As after a kill between the manifest and the removal of the segments, or before the manifest.
    @Test(arguments: [true, false]) func chunksThatAreInBothAreReadOnce(isPublished: Bool) throws {
        var before: [Labels: Found] = [:]
        let copy = try TemporaryDirectory()
        do {
            let store = try open()
            try write(store, 0..<700)
            before = try everything(store)
            try FileManager.default.copyItem(
                atPath: directory.path + "/segments", toPath: copy.path + "/segments")
            try compactAll(store)
        }
        try FileManager.default.removeItem(atPath: directory.path + "/segments")
        try FileManager.default.moveItem(atPath: copy.path + "/segments", toPath: directory.path + "/segments")
        if !isPublished { try FileManager.default.removeItem(atPath: directory.path + "/blocks/manifest") }
        let store = try open()
        #expect(store.recoveryNotes == [])
        #expect(try everything(store) == before)
        try compactAll(store)
        #expect(try everything(store) == before)
        #expect(try directory.files(in: "segments").count < 5)
    }

    private enum Page: CaseIterable {
        case identity, header, rows, lengths, column, words, table, end, manifest
    }

    /// One wrong bit loses the samples of its page, at most, and a note says so.
    @Test(arguments: Page.allCases) private func aWrongBitLosesItsPageOnly(page: Page) throws {
        var before: [Labels: Found] = [:]
        var stretch = (offset: 0, rows: 0, header: 0, words: 0, lengths: 0)
        var file = ""
        do {
            let store = try open()
            try write(store, 0..<700)
            try compactAll(store)
            before = try everything(store)
            let block = store.core.blocks.pin().blocks[0]
            file = "blocks/\(block.number)"
            let (offset, header) = block.stretches[0]
            let reader = try #require(StretchReader(StretchPlace(block: block, offset: offset, header: header)))
            stretch = (
                offset, offset + StretchHeader.size, offset + 20, offset + reader.rows.end - 1,
                offset + reader.rows.sections[0]
            )
        }
        let size = try FileManager.default.attributesOfItem(atPath: directory.path + "/" + file)[.size] as? Int
        let end = try #require(size)
        let place =
            switch page {
            case .identity: 9
            case .header: stretch.header
            case .rows: stretch.rows + 10
            case .lengths: stretch.lengths + 6
            case .column: stretch.lengths + 4 + 2 * 32 + 40
            case .words: stretch.words
            case .table: end - BlockFile.endSize - 20
            case .end: end - 20
            case .manifest: 20
            }
        try directory.edit(page == .manifest ? "blocks/manifest" : file) { $0[place] ^= 4 }
        let store = try open()
        let found = try everything(store)
        let notes = store.recoveryNotes + store.takeNotes()
        let lost = Self.count(before) - Self.count(found)
        for (labels, samples) in found {
            let all = try #require(before[labels])
            let times = Set(all.timestamps)
            #expect(samples.timestamps.allSatisfy { times.contains($0) })
        }
        let block = 800 * (Self.series + 1) * Self.lanes
        switch page {
        // The table has a copy of the header; the headers replace the table; the names replace the manifest.
        case .header: #expect(lost == 0 && notes.isEmpty)
        case .table, .end, .manifest: #expect(lost == 0 && notes.count == 1)
        case .identity: #expect(lost > 0 && lost <= block && notes.count == 1)
        case .rows: #expect(lost > 0 && lost <= block / Self.lanes && notes.count == 1)
        case .lengths: #expect(lost > 0 && lost <= 32 * 800 && notes.count == 1)
        case .column, .words: #expect(lost > 0 && lost <= 800 && notes.count == 1)
        }
        #expect(notes.allSatisfy { $0.contains("/blocks/") }, "\(notes)")
        // Compaction leaves a damaged block as it is.
        try compactAll(store)
        #expect(Self.count(try everything(store)) == Self.count(found))
    }
}

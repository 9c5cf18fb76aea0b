import Foundation
import MetricModel
import Testing

@testable import MetricStore

/// What a restart does with files that are torn, damaged or another store's.
@Suite struct RecoveryTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open() throws -> MetricStore {
        var configuration = StoreConfiguration(directory: directory.path)
        configuration.retentionBytes = 1 << 22
        return try MetricStore(configuration, registry: nil)
    }

    /// Row *n* at *n* seconds, for `range`.
    private func write(_ range: ClosedRange<Int>) throws {
        let store = try open()
        let lane = try store.openLane("target")
        let slot = try lane.slot(for: ["__name__": "up", "job": "api"])
        for row in range {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            #expect(appender.append(slot, Double(row)) == .appended)
            try appender.commit()
        }
    }

    private func values(_ store: MetricStore) throws -> [Double] {
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(found.count <= 1)
        return found.first?.values ?? []
    }

    @Test func aRestartGoesOnInTheSameSlotAndRow() throws {
        try write(1...40)
        try write(41...45)
        try write(46...100)
        let store = try open()
        #expect(store.recoveryNotes == [])
        #expect(try values(store) == (1...100).map(Double.init))
        #expect(store.statistics.seriesCount == 1)
    }

    @Test func aDamagedSealedChunkIsSkippedAndTheRestIsThere() throws {
        try write(1...100)
        try directory.edit("segments/1") { $0[Segment.headerSize + ChunkHeader.size + 30] ^= 1 }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try values(store) == (17...100).map(Double.init))
    }

    @Test func aForeignSegmentIsSetAside() throws {
        try write(1...100)
        try directory.edit("segments/1") { $0[17] ^= 1 }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try directory.files(in: "segments") == ["1.aside.1"])
        #expect(try values(store) == (97...100).map(Double.init))
    }

    @Test func aTornSeriesLogLosesOnlyItsEnd() throws {
        try write(1...10)
        do {
            let store = try open()
            let lane = try store.openLane("second")
            let slot = try lane.slot(for: ["__name__": "other"])
            var appender = lane.beginAppend(at: Timestamp(milliseconds: 1))
            appender.append(slot, 1)
            try appender.commit()
        }
        try directory.edit("series.log") { $0.removeLast(3) }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try values(store) == (1...10).map(Double.init))
    }

    @Test func aForeignSeriesLogSetsEverythingAside() throws {
        try write(1...100)
        try directory.edit("series.log") { $0[8] = 9 }
        let store = try open()
        #expect(store.recoveryNotes.count == 3)
        #expect(try values(store) == [])
        #expect(try directory.files().filter { $0.contains(".aside.") }.count == 3)
    }

    /// Numbers of chunks mean other rows in another version.
    @Test func aStoreOfAnOlderVersionIsSetAsideWhole() throws {
        try write(1...100)
        try directory.edit("series.log") { data in
            var header: [UInt8] = []
            for word in [SeriesLog.mark, UInt64(SeriesLog.version - 1)] { header.append(fixed: word) }
            header += data[16..<24]
            header.append(fixed: header.checksum)
            data.replaceSubrange(..<SeriesLog.headerSize, with: header)
        }
        let store = try open()
        #expect(store.statistics.seriesCount == 0)
        #expect(try values(store) == [])
        #expect(store.recoveryNotes.count == 3)
        #expect(store.recoveryNotes.allSatisfy { $0.contains("is not a series log of this version") })
        #expect(try directory.files().filter { $0.contains(".aside.1") }.count == 3)
    }

    @Test(arguments: [0, 16]) func aForeignRowLogIsSetAsideAndSealedChunksStay(byte: Int) throws {
        try write(1...100)
        try directory.edit("rows/1") { $0[byte + 7] ^= 0x55 }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try directory.files(in: "rows") == ["1.aside.1"])
        #expect(try values(store) == (1...96).map(Double.init))
        // The lane goes on behind what is left.
        let lane = try store.openLane("target")
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 200_000))
        appender.append(try lane.slot(for: ["__name__": "up", "job": "api"]), 200)
        try appender.commit()
        #expect(try values(store) == (1...96).map(Double.init) + [200])
    }

    /// A byte anywhere: what is before the damage stays, what follows goes.
    @Test func aDamagedRowEndsTheChunkThere() throws {
        let base = try TemporaryDirectory()
        try write(1...40)
        let whole = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/rows/1"))
        for byte in stride(from: RowLog.headerSize, to: whole.count, by: 11) {
            try directory.edit("rows/1") {
                $0 = whole
                $0[byte] ^= 0x10
            }
            try FileManager.default.copyItem(atPath: directory.path, toPath: base.path + "/\(byte)")
            let store = try MetricStore(StoreConfiguration(directory: base.path + "/\(byte)"), registry: nil)
            let found = try values(store)
            #expect(found == (1...max(1, found.count)).map(Double.init), "byte \(byte)")
            #expect((32...39).contains(found.count) || found.count == 40, "byte \(byte)")
            #expect(found.count == 40 || !store.recoveryNotes.isEmpty, "byte \(byte)")
        }
    }

    /// The file as a crash may leave it, cut at every length: never more than what was committed, never a gap.
    @Test func aTornRowLogLosesOnlyItsEnd() throws {
        let base = try TemporaryDirectory()
        try write(1...20)
        let whole = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/rows/1"))
        var last = 0
        for length in stride(from: RowLog.headerSize, through: whole.count, by: 8) {
            try directory.edit("rows/1") { $0 = whole.prefix(length) }
            try FileManager.default.copyItem(atPath: directory.path, toPath: base.path + "/\(length)")
            let store = try MetricStore(StoreConfiguration(directory: base.path + "/\(length)"), registry: nil)
            let found = try values(store)
            #expect(found == (0..<found.count).map { Double($0 + 1) }, "\(length) bytes")
            #expect(found.count >= last, "\(length) bytes")
            last = found.count
        }
        #expect(last == 20)
    }

    @Test func truncatedFilesAreNeverTrusted() throws {
        for (file, length) in [
            ("rows/1", 200), ("rows/1", 0), ("segments/1", 0), ("segments/1", 100), ("series.log", 10),
        ] {
            try write(1...100)
            try directory.edit(file) { $0 = $0.prefix(length) }
            let store = try open()
            #expect(!store.recoveryNotes.isEmpty, "\(file)")
            let values = try values(store)
            #expect(values == values.sorted() && values.count < 100)
            for name in try directory.files() {
                try FileManager.default.removeItem(atPath: "\(directory.path)/\(name)")
            }
        }
    }

    @Test func anyDamagedByteGivesAPrefixOfTruthOrNothing() throws {
        var generator = Seeded(seed: testSeed)
        for _ in 0..<60 {
            for name in try directory.files() {
                try FileManager.default.removeItem(atPath: "\(directory.path)/\(name)")
            }
            try write(1...70)
            let file = ["rows/1", "segments/1", "series.log"].randomElement(using: &generator)!
            try directory.edit(file) { data in
                data[Int.random(in: 0..<min(data.count, 1200), using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            let store = try open()
            for series in try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max) {
                #expect(series.values.allSatisfy { $0 >= 1 && $0 <= 70 })
            }
        }
    }

    @Test func twoStoresCannotShareADirectory() throws {
        let first = try open()
        #expect(throws: StoreError.self) { try open() }
        first.close()
    }

    @Test func orphanedLanesAreClosedAfterAnHour() throws {
        try write(1...10)
        let store = try open()
        store.maintain(now: Timestamp(milliseconds: 0))
        #expect(store.statistics.sampleCount == 0)
        store.maintain(now: Timestamp(milliseconds: 3_600_001))
        #expect(store.statistics.sampleCount == 10)
        #expect(try values(store) == (1...10).map(Double.init))
    }
}

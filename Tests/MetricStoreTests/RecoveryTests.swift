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
        #expect(try values(store) == (33...100).map(Double.init))
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

    @Test(arguments: [0, 16, 8 * 8, 8 * 16]) func aDamagedLaneFileIsSetAsideAndSealedChunksStay(byte: Int) throws {
        try write(1...100)
        try directory.edit("lanes/0") { $0[byte + 7] ^= 0x55 }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try values(store) == (1...96).map(Double.init))
        // The name can be opened again, by a new lane.
        _ = try store.openLane("target")
    }

    @Test func truncatedFilesAreNeverTrusted() throws {
        for (file, length) in [
            ("lanes/0", 5000), ("lanes/0", 0), ("segments/1", 0), ("segments/1", 100), ("series.log", 10),
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
            let file = ["lanes/0", "segments/1", "series.log"].randomElement(using: &generator)!
            try directory.edit(file) { data in
                let range = file == "lanes/0" ? 0..<512 : 0..<min(data.count, 1200)
                data[Int.random(in: range, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
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
        #expect(try directory.files(in: "lanes") == ["0"])
        store.maintain(now: Timestamp(milliseconds: 3_600_001))
        #expect(try directory.files(in: "lanes") == [])
        #expect(try values(store) == (1...10).map(Double.init))
    }
}

import Foundation
import MetricModel
import Runtime
import Synchronization
import Testing

@testable import MetricStore

/// Restarts with files that are torn, damaged or of another store.
@Suite struct RecoveryTests: RestartTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
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

    /// A start reads headers; a body is checked by the first query that reads it, or by maintenance.
    /// The rows of a lane may have different series: senders of remote write deliver a target in several requests.
    @Test(arguments: [4, 40]) func aSeriesThatIsBehindItsLaneGoesOnAfterARestart(rows: Int) throws {
        func append(_ store: MetricStore, _ name: String, _ seconds: ClosedRange<Int>) throws -> [AppendOutcome] {
            let lane = try store.openLane("target")
            let slot = try lane.slot(for: ["__name__": "up", "job": name])
            var outcomes: [AppendOutcome] = []
            for second in seconds {
                #expect(lane.outcome(slot, 1, at: Timestamp(milliseconds: Int64(second) * 1000)) != .unknownSlot)
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(second) * 1000))
                outcomes.append(appender.append(slot, 1))
                try appender.commit()
            }
            store.core.catalog.write { catalog in
                catalog.openNames.remove(lane.name)
                catalog.orphans[lane.name] = lane.id.rawValue
            }
            return outcomes
        }
        do {
            let store = try open()
            _ = try append(store, "behind", 1...2)
            _ = try append(store, "ahead", 1...rows)
        }
        let store = try open()
        #expect(
            try append(store, "behind", 1...rows)
                == [.outOfOrder, .alreadyPresent] + Array(repeating: .appended, count: rows - 2))
        #expect(try append(store, "ahead", rows...rows + 1) == [.alreadyPresent, .appended])
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(found.map(\.timestamps.count).sorted() == [rows, rows + 1])
        #expect(store.brokenInvariants == [])
    }

    @Test(arguments: [false, true]) func aDamagedSealedChunkIsSkippedAndTheRestIsThere(maintained: Bool) throws {
        try write(1...100)
        try directory.edit("segments/1") { $0[Segment.headerSize + ChunkHeader.size + 30] ^= 1 }
        let store = try open()
        #expect(store.recoveryNotes == [])
        if maintained {
            store.maintain(now: Timestamp(milliseconds: 100_000))
            #expect(store.takeNotes().count == 1)
        }
        #expect(try values(store) == (17...100).map(Double.init))
        #expect(try values(store) == (17...100).map(Double.init))
        if !maintained {
            #expect(store.takeNotes().first?.contains("the record at byte 64 is torn or damaged") == true)
        }
        // Reported once.
        store.maintain(now: Timestamp(milliseconds: 100_000))
        #expect(store.takeNotes() == [])
        // New samples are written after it.
        let lane = try store.openLane("target")
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 101_000))
        appender.append(try lane.slot(for: ["__name__": "up", "job": "api"]), 101)
        try appender.commit()
        #expect(try values(store) == (17...101).map(Double.init))
    }

    @Test func aDamagedHeaderOfASealedChunkIsFoundAtOnce() throws {
        try write(1...100)
        try directory.edit("segments/1") { $0[Segment.headerSize + 40] ^= 1 }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try values(store) == (17...100).map(Double.init))
        store.maintain(now: Timestamp(milliseconds: 100_000))
        #expect(store.takeNotes() == [])
    }

    /// A kill between the header and the body of the chunk that is being sealed: its rows are still in the row log.
    @Test func aChunkWhoseBodyWasNotWrittenComesBackFromItsRows() throws {
        var rows = Data()
        try write(1...33) { row in
            if row == 32 { rows = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/rows/1")) }
        }
        try directory.edit("rows/1") { $0 = rows }
        var second = 0
        try directory.edit("segments/1") { data in
            let length = data[(Segment.headerSize + 8)...].withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
            second = Segment.headerSize + Int(length)
            for byte in second + ChunkHeader.size..<second + ChunkHeader.size + 32 { data[byte] = 0 }
        }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(store.recoveryNotes.first?.contains("byte \(second)") == true)
        #expect(try values(store) == (1...32).map(Double.init))
    }

    /// A day's data is checked piece by piece; chunks that a query has read count as checked.
    @Test func readersAndMaintenanceCheckTheSameChunksAtTheSameTime() throws {
        try write(1...1000)
        for chunk in [3, 20, 41] {
            try directory.edit("segments/1") { data in
                var offset = Segment.headerSize
                for _ in 0..<chunk {
                    offset += Int(data[(offset + 8)...].withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
                }
                data[offset + ChunkHeader.size + 30] ^= 4
            }
        }
        let expected = (1...1000).filter { ![3, 20, 41].contains(($0 - 1) / 16) }.map(Double.init)
        let store = try open()
        #expect(store.recoveryNotes == [])
        let wrong = Atomic(0)
        let readers = try (0..<3).map { _ in
            try WorkerThread("reader") {
                for _ in 0..<20 {
                    let found = try? store.select(
                        [], from: .distantPast, through: .distantFuture, sampleLimit: .max)
                    if found?.first?.values != expected { wrong.wrappingAdd(1, ordering: .relaxed) }
                }
            }
        }
        for _ in 0..<20 { store.maintain(now: Timestamp(milliseconds: 1_000_000)) }
        for reader in readers { reader.join() }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(store.takeNotes().count == 3)
    }

    @Test func aForeignSegmentIsSetAside() throws {
        try write(1...100)
        try directory.edit("segments/1") { $0[17] ^= 1 }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try directory.files(in: "segments") == ["1.aside.1"])
        #expect(try values(store) == (97...100).map(Double.init))
    }

    @Test(arguments: 1...4) func aForeignSegmentTakesOnlyOlderOnesWithIt(damaged: Int) throws {
        do {
            let store = try open()
            let lane = try store.openLane("target")
            let slots = try (0..<100).map { try lane.slot(for: ["__name__": "m", "i": "\($0)"]) }
            var generator = Seeded(seed: testSeed)
            for row in 1...16 * 90 {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
                for slot in slots { appender.append(slot, Double.random(in: 0...1, using: &generator)) }
                try appender.commit()
            }
        }
        #expect(try directory.files(in: "segments").count >= 4)
        let before = try open().statistics
        try directory.edit("segments/\(damaged)") { $0[17] ^= 1 }
        let store = try open()
        #expect(store.recoveryNotes.count == damaged)
        let aside = (1...damaged).map { "\($0).aside.1" }
        #expect(try directory.files(in: "segments").filter { $0.contains("aside") } == aside)
        #expect(store.statistics.seriesCount == 100)
        let found = try store.select(
            [Matcher("i", .equal, "7")], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        let times = try #require(found.first?.timestamps)
        #expect(times.first.map { $0 > 1000 } == true)
        #expect(times == Array(stride(from: times[0], through: 16 * 90_000, by: 1000)))
        #expect(store.statistics.sampleCount < before.sampleCount)
        #expect(store.statistics.timeRange?.lowerBound.milliseconds == times[0])
    }

    @Test(arguments: [0, 16]) func aForeignRowLogIsSetAsideAndSealedChunksStay(byte: Int) throws {
        try write(1...100)
        try directory.edit("rows/1") { $0[byte + 7] ^= 0x55 }
        let store = try open()
        #expect(store.recoveryNotes.count == 1)
        #expect(try directory.files(in: "rows") == ["1.aside.1"])
        #expect(try values(store) == (1...96).map(Double.init))
        // The lane continues after the remaining rows.
        let lane = try store.openLane("target")
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 200_000))
        appender.append(try lane.slot(for: ["__name__": "up", "job": "api"]), 200)
        try appender.commit()
        #expect(try values(store) == (1...96).map(Double.init) + [200])
    }

    /// One changed byte anywhere: data before the damage stay, later data are dropped.
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

    /// The file as a crash may leave it, cut at every length: never more than was committed, never a gap.
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
            do {
                let store = try open()
                #expect(!store.recoveryNotes.isEmpty, "\(file)")
                let values = try values(store)
                #expect(values == values.sorted() && values.count < 100)
            }
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
            do {
                let store = try open()
                for series in try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max) {
                    #expect(series.values.allSatisfy { $0 >= 1 && $0 <= 70 })
                }
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

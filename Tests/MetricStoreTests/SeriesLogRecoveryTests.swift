import Foundation
import MetricModel
import Runtime
import Testing

@testable import MetricStore

/// Restarts with a series log that is torn, foreign, of another version, or that repeats series.
@Suite struct SeriesLogRecoveryTests: RestartTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
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
        // The end of the log, and the row whose series was in it.
        #expect(store.recoveryNotes.count == 2)
        #expect(store.recoveryNotes.last?.contains("is lost: 1 chunks and commits") == true)
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

    /// Chunk numbers have another meaning in another version.
    @Test func aStoreOfAnOlderVersionIsSetAsideWhole() throws {
        try write(1...100)
        try directory.edit("series.log") { data in
            var header: [UInt8] = []
            for word in [SeriesLog.mark, UInt64(SeriesLog.versions.lowerBound - 1)] { header.append(fixed: word) }
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

    /// Version 3 does not say that its series are all different.
    @Test func aSeriesLogOfTheVersionBeforeIsRead() throws {
        try write(1...100)
        try directory.edit("series.log") { data in
            let store = UInt64(littleEndian: data[16..<24].withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
            data.replaceSubrange(..<SeriesLog.headerSize, with: SeriesLog.header(store: store, version: 3))
        }
        let store = try open()
        #expect(store.recoveryNotes == [])
        #expect(try values(store) == (1...100).map(Double.init))
    }

    /// A rewritten log lists series without looking them up; later ones are looked up.
    @Test func seriesThatAreListedAndComeAgainAreOne() throws {
        try write(1...10)
        var expected: [Labels: Int] = [:]
        for round in 1...4 {
            let store = try open()
            let lanes = try ["target", "second"].map { try store.openLane($0) }
            for (number, lane) in lanes.enumerated() {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(round) * 100_000))
                // Some in both lanes, some new, and some again in another slot.
                for index in 0..<round * 20 {
                    let labels: Labels = ["__name__": "m", "i": "\(index / (number + 1))"]
                    let slot = try lane.slot(for: labels)
                    if appender.append(slot, 1) == .appended { expected[labels, default: 0] += 1 }
                }
                try appender.commit()
                for index in stride(from: round, to: 20, by: 3) {
                    lane.retire(try lane.slot(for: ["__name__": "m", "i": "\(index)"]))
                }
            }
            store.close()
        }
        let store = try open()
        #expect(store.recoveryNotes == [])
        let found = try store.select(
            [Matcher("__name__", .equal, "m")], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(found.count == expected.count)
        #expect(Set(found.map(\.labels)) == Set(expected.keys))
        #expect(store.statistics.seriesCount == expected.count + 1)
    }

    /// A series without samples is removed immediately and new when it is created again. A replay of the log still
    /// knows it.
    @Test func seriesThatAreNewTwiceAreOne() throws {
        do {
            let store = try open()
            let lane = try store.openLane("target")
            for index in 0..<10 { lane.retire(try lane.slot(for: ["__name__": "m", "i": "\(index)"])) }
            var appender = lane.beginAppend(at: Timestamp(milliseconds: 1000))
            for index in 0..<20 { appender.append(try lane.slot(for: ["__name__": "m", "i": "\(index)"]), 1) }
            try appender.commit()
        }
        let store = try open()
        #expect(store.recoveryNotes == [])
        #expect(store.statistics.seriesCount == 20)
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(Set(found.map(\.labels)).count == 20)
    }

    /// The series log is rewritten while the first queries run. If that fails, samples are read and taken, new
    /// series are not, and maintenance tries again.
    @Test func aSeriesLogThatCannotBeWrittenKeepsOnlyNewSeriesOut() throws {
        try write(1...10)
        let obstacle = directory.path + "/series.log.new"
        try FileManager.default.createDirectory(atPath: obstacle + "/full", withIntermediateDirectories: true)
        let known: Labels = ["__name__": "up", "job": "api"]
        do {
            let store = try open()
            #expect(try values(store) == (1...10).map(Double.init))
            let lane = try store.openLane("target")
            func append(_ labels: Labels, at second: Int64) throws {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: second * 1000))
                #expect(appender.append(try lane.slot(for: labels), Double(second)) == .appended)
                try appender.commit()
            }
            try append(known, at: 11)
            #expect(throws: StoreError.self) { try append(["__name__": "new"], at: 12) }
            store.maintain(now: Timestamp(milliseconds: 0))
            #expect(throws: StoreError.self) { try append(["__name__": "new"], at: 13) }
            try FileManager.default.removeItem(atPath: obstacle)
            store.maintain(now: Timestamp(milliseconds: 0))
            try append(["__name__": "new"], at: 14)
            try append(known, at: 15)
        }
        let store = try open()
        #expect(store.recoveryNotes == [])
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(found.first { $0.labels == known }?.values == (1...11).map(Double.init) + [15])
        #expect(found.first { $0.labels == ["__name__": "new"] }?.values == [14])
    }

    /// Segments are checked by two threads. Whichever is damaged, later ones stay and the notes are in order.
}

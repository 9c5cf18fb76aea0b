import Foundation
import MetricModel
import Synchronization
import Testing

@testable import MetricStore

/// A chunk that cannot be sealed, since its segment cannot be made, stays where it is.
@Suite struct FailedSealTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func breakSegments() throws {
        try FileManager.default.moveItem(atPath: directory.path + "/segments", toPath: directory.path + "/gone")
    }

    private func repairSegments() throws {
        try FileManager.default.moveItem(atPath: directory.path + "/gone", toPath: directory.path + "/segments")
    }

    private func write(_ lane: Lane, _ row: Int) throws {
        var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
        appender.append(try lane.slot(for: ["__name__": "m"]), Double(row))
        try appender.commit()
    }

    private func values(_ store: MetricStore) throws -> [Double] {
        try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max).flatMap(\.values)
    }

    private func open() throws -> MetricStore {
        try MetricStore(StoreConfiguration(directory: directory.path), registry: nil)
    }

    @Test func nothingCommittedIsLostAndTheLaneGoesOnOnceThereIsRoom() throws {
        let store = try open()
        let lane = try store.openLane("lane")
        for row in 1...16 { try write(lane, row) }
        try breakSegments()
        for row in 17...20 {
            #expect(throws: StoreError.self) { try write(lane, row) }
            #expect(try values(store) == (1...16).map(Double.init))
        }
        #expect(store.core.failedSeals.load(ordering: .relaxed) == 4)
        try repairSegments()
        for row in 21...40 { try write(lane, row) }
        #expect(try values(store) == (Array(1...16) + Array(21...40)).map(Double.init))
        #expect(store.brokenInvariants == [])
    }

    @Test func afterACrashTheRowsComeFromTheRowLog() throws {
        do {
            let store = try open()
            let lane = try store.openLane("lane")
            for row in 1...16 { try write(lane, row) }
            try breakSegments()
            #expect(throws: StoreError.self) { try write(lane, 17) }
            try repairSegments()
            #expect(try values(store) == (1...16).map(Double.init))
        }
        let store = try open()
        #expect(store.recoveryNotes == [])
        #expect(try values(store) == (1...16).map(Double.init))
    }

    @Test func aLaneThatCannotBeClosedKeepsItsRowsForWhoOpensItAgain() throws {
        let store = try open()
        let lane = try store.openLane("lane")
        for row in 1...5 { try write(lane, row) }
        try breakSegments()
        lane.close()
        #expect(try values(store) == [1, 2, 3, 4, 5])
        let again = try store.openLane("lane")
        #expect(again.id == lane.id)
        #expect(throws: StoreError.self) { try store.openLane("lane") }
        try write(again, 6)
        try repairSegments()
        again.close()
        #expect(try values(store) == [1, 2, 3, 4, 5, 6])
        #expect(try store.openLane("lane").id != lane.id)
    }

    @Test func whatCouldNotBeClosedIsClosedLater() throws {
        let store = try open()
        let lane = try store.openLane("lane")
        for row in 1...5 { try write(lane, row) }
        try breakSegments()
        lane.close()
        store.maintain(now: Timestamp(milliseconds: 10_000))
        try repairSegments()
        store.maintain(now: Timestamp(milliseconds: 10_000 + 3_700_000))
        #expect(lane.active == nil)
        #expect(try values(store) == [1, 2, 3, 4, 5])
    }
}

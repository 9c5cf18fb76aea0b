import Foundation
import MetricModel
import Runtime
import Synchronization
import Testing

@testable import MetricStore

/// Deleted samples, and copies of a store in use.
@Suite struct DeletingTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open(_ path: String? = nil) throws -> MetricStore {
        try MetricStore(StoreConfiguration(directory: path ?? directory.path), registry: nil)
    }

    private static func time(_ seconds: Int) -> Timestamp { Timestamp(milliseconds: Int64(seconds) * 1000) }

    /// Two series with a sample a second, in a lane of their own.
    private static func write(
        _ store: MetricStore, _ range: ClosedRange<Int>, lane name: String = "target"
    ) throws {
        let lane = try store.openLane(name)
        let slots = try ["a", "b"].map { try lane.slot(for: ["__name__": "up", "job": $0]) }
        for row in range {
            var appender = lane.beginAppend(at: Self.time(row))
            for slot in slots { _ = appender.append(slot, Double(row)) }
            try appender.commit()
        }
        lane.close()
    }

    private func samples(_ store: MetricStore, _ range: ClosedRange<Int> = 0...10_000) throws -> [String: [Double]] {
        let found = try store.select(
            [], from: Self.time(range.lowerBound), through: Self.time(range.upperBound), sampleLimit: .max)
        return Dictionary(uniqueKeysWithValues: found.map { ($0.labels["job"] ?? "", $0.values) })
    }

    @Test func deletedSamplesAreLeftOutOfWhateverIsRead() throws {
        let store = try open()
        try Self.write(store, 1...50)
        try store.delete(
            matching: [[Matcher("job", .equal, "a")]], from: Self.time(10), through: Self.time(20), now: Self.time(60))
        let whole = (1...50).map(Double.init)
        #expect(try samples(store) == ["a": whole.filter { !(10...20).contains($0) }, "b": whole])
        #expect(try samples(store, 10...20) == ["b": (10...20).map(Double.init)])
        #expect(
            try store.labelSets(matching: [], from: Self.time(12), through: Self.time(18)).map { $0["job"] } == ["b"])
        #expect(try store.labelValues("job", matching: [], from: Self.time(12), through: Self.time(22)) == ["a", "b"])
        var selection: (any SeriesSelection)?
        // Where nothing is deleted, samples are read in blocks as before.
        #expect(
            try store.scan([], from: Self.time(30), through: Self.time(40), labels: .each, remembering: &selection)
                != nil)
        #expect(
            try store.scan([], from: Self.time(15), through: Self.time(40), labels: .each, remembering: &selection)
                == nil)
    }

    @Test func whatIsWrittenLaterIsNotDeleted() throws {
        let store = try open()
        try Self.write(store, 1...10)
        try store.delete(
            matching: [[Matcher("job", .regex, "a|c")]], from: .distantPast, through: .distantFuture, now: Self.time(10)
        )
        #expect(try samples(store)["a"] == nil)
        try Self.write(store, 11...12)
        #expect(try samples(store)["a"] == [11, 12])
    }

    @Test func deletionsSurviveARestartUntilTheRetentionHasPassed() throws {
        do {
            let store = try open()
            try Self.write(store, 1...40)
            try store.delete(
                matching: [[Matcher("job", .notEqual, "b")], [Matcher("job", .equal, "x\"y")]], from: Self.time(5),
                through: Self.time(9), now: Self.time(40))
        }
        let store = try open()
        #expect(store.takeNotes() == [])
        #expect(try samples(store)["a"]?.contains(7) == false)
        #expect(try samples(store)["b"]?.contains(7) == true)
        #expect(store.core.tombstones.mask(0...100_000).isEmpty == false)
        store.maintain(now: Self.time(86_400 + 30))
        #expect(store.core.tombstones.mask(0...100_000).isEmpty)
    }

    @Test func aDamagedFileIsSetAside() throws {
        do {
            let store = try open()
            try Self.write(store, 1...3)
            try store.delete(matching: [[]], from: Self.time(1), through: Self.time(2), now: Self.time(3))
        }
        let file = "\(directory.path)/tombstones"
        var bytes = try FileText.bytes(file)
        for length in [0, 7, 20] {
            try Data(bytes.prefix(length)).write(to: URL(filePath: file))
            #expect(try open().takeNotes().count == 1)
            #expect(!FileManager.default.fileExists(atPath: file))
        }
        bytes[20] ^= 1
        try Data(bytes).write(to: URL(filePath: file))
        let store = try open()
        #expect(store.takeNotes().first?.contains("is damaged") == true)
        #expect(try samples(store)["a"] == [1, 2, 3])
    }

    @Test func theFileIsBounded() throws {
        let store = try open()
        let many = (0...TombstoneSet.capacity).map { [Matcher("job", .equal, String($0))] }
        #expect(throws: StoreError.self) {
            try store.delete(matching: many, from: Self.time(0), through: Self.time(1), now: Self.time(2))
        }
        #expect(store.core.tombstones.mask(0...100_000).isEmpty)
        #expect(throws: StoreError.self) {
            try store.delete(
                matching: [[Matcher("job", .regex, "(")]], from: Self.time(0), through: Self.time(1), now: Self.time(2))
        }
    }

    @Test func aCopyOfAStoreInUseCanBeOpened() throws {
        let store = try open()
        try Self.write(store, 1...200)
        try store.delete(
            matching: [[Matcher("job", .equal, "b")]], from: Self.time(1), through: Self.time(200), now: Self.time(200))
        let isDone = Atomic(false)
        let writer = try WorkerThread("writer") { [store] in
            var lane = 0
            while !isDone.load(ordering: .acquiring) {
                lane += 1
                try? Self.write(store, 1...40, lane: "other-\(lane)")
            }
        }
        for number in 0..<5 {
            let path = "\(directory.path)/copies/\(number)/samples"
            try store.snapshot(to: path)
            #expect(throws: StoreError.self) { try store.snapshot(to: path) }
            let copy = try open(path)
            #expect(copy.recoveryNotes.allSatisfy { !$0.contains("lost") }, "\(copy.recoveryNotes)")
            let found = try samples(copy)
            #expect(found["a"] == (1...200).map(Double.init), "\(copy.recoveryNotes)")
        }
        isDone.store(true, ordering: .releasing)
        writer.join()
        #expect(throws: StoreError.self) {
            try MetricStore(StoreConfiguration(), registry: nil).snapshot(to: "\(directory.path)/none")
        }
    }
}

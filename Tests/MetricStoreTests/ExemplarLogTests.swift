import Foundation
import MetricModel
import Testing

@testable import MetricStore

/// Exemplars across restarts.
@Suite struct ExemplarLogTests {
    private let directory: TemporaryDirectory
    private static let now = Timestamp(milliseconds: 1_000_000)

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open(_ path: String? = nil, capacity: Int = 100) throws -> MetricStore {
        var configuration = StoreConfiguration(directory: path ?? directory.path)
        configuration.maximumExemplars = capacity
        return try MetricStore(configuration, registry: nil)
    }

    private func exemplar(_ number: Int, hasTime: Bool = true) -> (labels: Labels, exemplar: Exemplar) {
        (
            ["__name__": "m", "path": "/\(number % 7)"],
            Exemplar(
                labels: ["trace_id": "t\(number)", "ü": "\(number)"], value: Double(number) / 8,
                timestamp: hasTime ? Timestamp(milliseconds: Int64(number) * 1000) : nil)
        )
    }

    private func append(_ numbers: Range<Int>, to store: MetricStore) {
        for number in numbers { store.append(exemplars: [exemplar(number)], at: Self.now) }
    }

    private func all(_ store: MetricStore) throws -> [SeriesExemplars] {
        try store.exemplars(matching: [[]], from: .distantPast, through: .distantFuture)
    }

    /// The numbers of the stored exemplars, ascending.
    private func numbers(_ store: MetricStore) throws -> [Int] {
        try all(store).flatMap(\.exemplars).map { Int($0.value * 8) }.sorted()
    }

    /// A copy of the files as a kill would leave them now.
    private func killed(_ name: String) throws -> String {
        let path = directory.path + "-\(name)"
        try FileManager.default.copyItem(atPath: directory.path, toPath: path)
        return path
    }

    @Test func exemplarsComeBackAfterAKillAndAfterAnEnd() throws {
        let copy: String
        do {
            let store = try open()
            append(0..<30, to: store)
            store.maintain(now: Self.now)
            append(30..<40, to: store)
            store.maintain(now: Self.now)
            append(40..<45, to: store)
            copy = try killed("kill")
        }
        defer { try? FileManager.default.removeItem(atPath: copy) }
        #expect(try numbers(open(copy)) == Array(0..<40))
        let store = try open()
        #expect(try numbers(store) == Array(0..<45))
        #expect(
            try all(store).first
                == SeriesExemplars(
                    labels: ["__name__": "m", "path": "/0"],
                    exemplars: stride(from: 0, to: 45, by: 7).map { exemplar($0).exemplar }))
        #expect(store.takeNotes() == [])
        // Targets show their last ones again; those to come are written behind what is there.
        #expect(store.append(exemplars: [exemplar(44)], at: Self.now) == [.duplicate])
        append(45..<50, to: store)
        store.maintain(now: Self.now)
        let second = try killed("second")
        defer { try? FileManager.default.removeItem(atPath: second) }
        #expect(try numbers(open(second)) == Array(0..<50))
    }

    /// An exemplar without a time is recognised when it is seen again, also by the next process.
    @Test func anExemplarWithoutATimeIsKnownAgain() throws {
        do { try open().append(exemplars: [exemplar(3, hasTime: false)], at: Self.now) }
        let store = try open()
        let later = Self.now + .seconds(60)
        #expect(store.append(exemplars: [exemplar(3, hasTime: false)], at: later) == [.duplicate])
        #expect(try all(store).first?.exemplars.map(\.timestamp) == [Self.now])
    }

    @Test func theRingsCapacityBoundsTheFileAndWhatComesBack() throws {
        do {
            let store = try open(capacity: 1000)
            for round in 0..<100 {
                append(round * 500..<(round + 1) * 500, to: store)
                store.maintain(now: Self.now)
            }
            #expect(try numbers(store) == Array(49_000..<50_000))
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/exemplars.log")
        // Twice some 60 bytes each, a MiB, and what one call of maintain added to that; all of them are 3 MB.
        #expect(try #require(attributes[.size] as? Int) < 2 * 1000 * 80 + 1 << 20 + 500 * 80)
        #expect(try numbers(open(capacity: 1000)) == Array(49_000..<50_000))
        #expect(try numbers(open(capacity: 10)) == Array(49_990..<50_000))
        #expect(try numbers(open(capacity: 0)) == [])
    }

    /// The file as a crash may leave it, cut at every length, or with one byte changed: the result is a prefix.
    @Test func aTornOrDamagedLogGivesABeginningAndSaysSo() throws {
        do {
            let store = try open()
            for number in 0..<12 {
                append(number..<number + 1, to: store)
                store.maintain(now: Self.now)
            }
        }
        let file = URL(fileURLWithPath: directory.path + "/exemplars.log")
        let whole = try Data(contentsOf: file)
        for length in Array(0..<40) + Array(stride(from: 40, to: whole.count, by: 7)) {
            for flips in [false, true] {
                var data = flips ? whole : whole.prefix(length)
                if flips { data[length] ^= 0x11 }
                try data.write(to: file)
                do {
                    let store = try open()
                    let found = try numbers(store)
                    #expect(found == Array(0..<found.count) && found.count < 12, "\(length)")
                    // A file that ends behind a frame is whole.
                    let notes = store.takeNotes()
                    #expect(notes.count <= 1)
                    if flips || length < SeriesLog.headerSize { #expect(notes.count == 1, "\(length)") }
                }
                let isForeign = length < SeriesLog.headerSize
                #expect(try directory.files().contains { $0.hasPrefix("exemplars.log.aside") } == isForeign)
                for file in try directory.files() where file.contains("aside") {
                    try FileManager.default.removeItem(atPath: "\(directory.path)/\(file)")
                }
            }
        }
        // New exemplars replace the damaged ones.
        try whole.dropLast(3).write(to: file)
        do {
            let store = try open()
            append(20..<22, to: store)
        }
        #expect(try numbers(open()) == Array(0..<11) + [20, 21])
        #expect(try open().takeNotes() == [])
    }

    @Test func anotherStoresLogIsSetAside() throws {
        let other = try TemporaryDirectory()
        do { append(0..<5, to: try open(other.path)) }
        do { append(0..<3, to: try open()) }
        try FileManager.default.removeItem(atPath: directory.path + "/exemplars.log")
        try FileManager.default.copyItem(
            atPath: other.path + "/exemplars.log", toPath: directory.path + "/exemplars.log")
        let store = try open()
        #expect(try numbers(store) == [])
        #expect(store.takeNotes().first?.contains("is not an exemplar log of this store") == true)
        #expect(try directory.files().contains("exemplars.log.aside.1"))
    }

    /// Without its series log a store starts empty.
    @Test func aNewStoreHasNoExemplarsOfAnEarlierOne() throws {
        do { append(0..<5, to: try open()) }
        try FileManager.default.removeItem(atPath: directory.path + "/series.log")
        let store = try open()
        #expect(try numbers(store) == [])
        #expect(store.recoveryNotes.contains { $0.contains("exemplars.log.aside.1") })
    }

    @Test func aRecordIsReadAsItWasWritten() {
        let records = [
            ExemplarRecord(series: ["a": "b"], exemplar: exemplar(1).exemplar, hasTime: true),
            ExemplarRecord(series: ["a": "b"], exemplar: exemplar(2).exemplar, hasTime: false),
            ExemplarRecord(
                series: .empty,
                exemplar: Exemplar(labels: .empty, value: -.infinity, timestamp: Timestamp(milliseconds: -5)),
                hasTime: true),
        ]
        var bytes: [UInt8] = []
        for (index, record) in records.enumerated() {
            record.write(to: &bytes, after: index == 0 ? nil : records[index - 1].series)
        }
        for length in 0...bytes.count {
            let read = bytes[..<length].withUnsafeBytes { ExemplarRecord.read($0) }
            #expect(read.records == Array(records.prefix(read.records.count)))
            if length == bytes.count { #expect(read.isWhole && read.records.count == 3) }
        }
    }
}

import MetricModel
import Testing

@testable import MetricStore

/// Rows that must still be sent escape compaction and retention, up to a limit.
@Suite struct UnsentRowsTests {
    private static let rows = 800
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

    /// One row per second in two lanes.
    private func fill(_ store: MetricStore) throws {
        for name in ["a", "b"] {
            let lane = try store.openLane(name)
            let slots = try (0..<20).map { try lane.slot(for: ["__name__": "m", "lane": name, "n": "\($0)"]) }
            for row in 0..<Self.rows {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
                for (index, slot) in slots.enumerated() { appender.append(slot, Double(row * 31 + index * row % 7)) }
                try appender.commit()
            }
        }
    }

    private func compactAll(_ store: MetricStore) throws {
        while try store.compact(now: .distantFuture) {}
    }

    /// The samples of all rows, and the number of rows that are gone.
    private func read(_ store: MetricStore) -> (samples: Int, lost: Int) {
        let rows = CommittedRows(store)
        var (samples, lost) = (0, 0)
        for lane in rows.refresh() { lost += rows.read(0..<lane.rows, of: lane.lane) { _, _, _ in samples += 1 } }
        return (samples, lost)
    }

    private func sent(_ store: MetricStore, _ rows: [String: Int]) -> [UInt32: Int] {
        var sent: [UInt32: Int] = [:]
        for lane in CommittedRows(store).refresh() { sent[lane.lane.rawValue] = rows[lane.name] }
        return sent
    }

    @Test func seriesAreFoundBeforeAPortionAndNotAtEachLookForRows() throws {
        let store = try open()
        let rows = CommittedRows(store)
        #expect(rows.refresh() == [])
        try fill(store)
        // A target that comes and goes before anything is read.
        let lane = try store.openLane("c")
        let slots = try (0..<30).map { try lane.slot(for: ["__name__": "m", "lane": "c", "n": "\($0)"]) }
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 5000))
        for slot in slots { appender.append(slot, 1) }
        try appender.commit()
        lane.close()
        for _ in 0..<2 {
            let lanes = rows.refresh()
            #expect(lanes.map(\.columns) == [0, 0, 0])
            #expect(lanes.map(\.isClosed) == [false, false, true])
        }
        // The size of a portion depends on these, and so does what is read.
        let lanes = rows.refreshSeries()
        #expect(lanes == rows.lanes)
        #expect(lanes.map(\.columns) == [20, 20, 30])
        var labels: Set<Labels> = []
        let lost = rows.read(0..<1, of: lanes[2].lane) { series, _, _ in labels.insert(rows.labels(of: series)) }
        #expect(lost == 0)
        #expect(labels.count == 30)
        #expect(rows.refresh().map(\.columns) == [20, 20, 30])
    }

    @Test func rowsThatWereNotSentAreNotCompacted() throws {
        let store = try open()
        try fill(store)
        store.keepUnsent(after: [:], bytes: 1 << 30)
        try compactAll(store)
        #expect(store.core.blocks.pin().blocks.isEmpty)
        #expect(read(store) == (2 * 20 * Self.rows, 0))
        // Every segment in which both lanes were sent moves; none after it.
        store.keepUnsent(after: sent(store, ["a": Self.rows, "b": 250]), bytes: 1 << 30)
        try compactAll(store)
        let lost = read(store).lost
        #expect(lost > 0)
        let rows = CommittedRows(store)
        for lane in rows.refresh() where lane.name == "b" {
            #expect(rows.read(250..<lane.rows, of: lane.lane) { _, _, _ in } == 0)
        }
        store.keepUnsent(after: nil, bytes: 0)
        try compactAll(store)
        #expect(!store.core.blocks.pin().blocks.isEmpty)
        #expect(read(store).lost > lost)
    }

    @Test func aRestartKnowsWhichSegmentsHaveUnsentRows() throws {
        do {
            let store = try open()
            try fill(store)
        }
        let store = try open()
        store.keepUnsent(after: sent(store, ["a": Self.rows, "b": Self.rows - 1]), bytes: 1 << 30)
        try compactAll(store)
        let rows = CommittedRows(store)
        for lane in rows.refresh() where lane.name == "b" {
            #expect(rows.read(Self.rows - 1..<lane.rows, of: lane.lane) { _, _, _ in } == 0)
        }
        #expect(!store.core.blocks.pin().blocks.isEmpty)
    }

    @Test func beyondTheLimitUnsentRowsAreCompacted() throws {
        let store = try open()
        try fill(store)
        let limit = 64 << 10
        store.keepUnsent(after: [:], bytes: limit)
        try compactAll(store)
        let (samples, lost) = read(store)
        #expect(lost > 0 && samples > 0)
        #expect(store.core.segments.byteCount <= limit + (1 << 20))
        // Queries find them.
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(found.reduce(0) { $0 + $1.timestamps.count } == 2 * 20 * Self.rows)
    }

    @Test func rowsThatWereNotSentOutliveTheRetentionUpToTheLimit() throws {
        var configuration = StoreConfiguration()
        configuration.retentionMilliseconds = 60_000
        let store = try MetricStore(configuration, registry: nil)
        try fill(store)
        let now = Timestamp(milliseconds: 10_000_000)
        store.keepUnsent(after: [:], bytes: 1 << 30)
        store.maintain(now: now)
        #expect(read(store) == (2 * 20 * Self.rows, 0))
        store.keepUnsent(after: sent(store, ["a": Self.rows, "b": Self.rows]), bytes: 1 << 30)
        store.maintain(now: now)
        #expect(read(store).lost > 0)
    }

    @Test func beyondTheLimitTheRetentionDropsUnsentRows() throws {
        var configuration = StoreConfiguration()
        configuration.retentionMilliseconds = 60_000
        let store = try MetricStore(configuration, registry: nil)
        try fill(store)
        let size = store.core.segments.byteCount
        store.keepUnsent(after: [:], bytes: 64 << 10)
        store.maintain(now: Timestamp(milliseconds: 10_000_000))
        let (samples, lost) = read(store)
        #expect(lost > 0 && samples > 0, "\(size)")
    }
}

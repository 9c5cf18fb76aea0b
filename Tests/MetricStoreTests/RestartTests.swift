import MetricModel
import Testing

@testable import MetricStore

/// Tests of a store that is opened again in the same directory.
protocol RestartTests {
    var directory: TemporaryDirectory { get }
}

extension RestartTests {
    func open() throws -> MetricStore {
        var configuration = StoreConfiguration(directory: directory.path)
        configuration.retentionBytes = 1 << 22
        return try MetricStore(configuration, registry: nil)
    }

    /// Row *n* at *n* seconds, for `range`.
    func write(_ range: ClosedRange<Int>, _ committed: (Int) throws -> Void = { _ in }) throws {
        let store = try open()
        let lane = try store.openLane("target")
        let slot = try lane.slot(for: ["__name__": "up", "job": "api"])
        for row in range {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            #expect(appender.append(slot, Double(row)) == .appended)
            try appender.commit()
            try committed(row)
        }
    }

    func values(_ store: MetricStore) throws -> [Double] {
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        #expect(found.count <= 1)
        return found.first?.values ?? []
    }
}

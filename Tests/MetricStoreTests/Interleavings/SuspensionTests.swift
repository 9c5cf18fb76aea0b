import MetricModel
import Testing

@testable import MetricStore

/// Lock-freedom of the store itself: with the writer suspended between any two of its calls a reader comes to its end,
/// and with a reader suspended between any two of its calls the writer goes on as if it were not there.
///
/// Everything runs on one thread: waiting for the other side would never end.
@Suite(.timeLimit(.minutes(10))) struct SuspensionTests {
    private static let seriesCount = 40

    private func values(_ store: MetricStore) throws -> [[Double]] {
        try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max).map(\.values)
    }

    @Test func readersFinishWhereverTheWriterIsSuspended() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("lane")
        let slots = try (0..<Self.seriesCount).map { try lane.slot(for: ["__name__": "m", "i": "\($0)"]) }
        var committed: [Double] = []
        func check() throws {
            let found = try values(store)
            #expect(found.count == (committed.isEmpty ? 0 : Self.seriesCount))
            #expect(found.allSatisfy { $0 == committed })
        }
        for row in 1...50 {
            // Every 16th call seals a chunk and clears its memory.
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
            try check()
            for (index, slot) in slots.enumerated() {
                appender.append(slot, Double(row))
                if index % 13 == 0 { try check() }
            }
            if row % 7 == 0 {
                appender.rollback()
                try check()
                continue
            }
            try appender.commit()
            committed.append(Double(row))
            try check()
        }
    }

    /// A reader that continues after `rows` more rows were written, at each of its steps.
    @Test(arguments: [1, 15, 16, 17, 33, 200]) func theWriterGoesOnWhereverAReaderIsSuspended(rows: Int) throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("lane")
        let slots = try (0..<Self.seriesCount).map { try lane.slot(for: ["__name__": "m", "i": "\($0)"]) }
        var row = 0
        func write(_ count: Int) throws {
            for _ in 0..<count {
                row += 1
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
                var taken = 0
                for slot in slots where appender.append(slot, Double(row)) == .appended { taken += 1 }
                #expect(taken == slots.count)
                try appender.commit()
            }
        }
        try write(10)
        for _ in 0..<4 {
            var selection: StoreSelection?
            let seen = row
            let scan = try store.scan(
                matching: [], from: .distantPast, through: .distantFuture, remembering: &selection)
            try write(rows)
            var tile = SampleTile()
            for block in scan.blocks {
                let times = scan.times(of: block)
                #expect(times.count == seen)
                for first in stride(from: 0, to: times.count, by: max(1, times.count / 4)) {
                    let wanted = first..<min(first + 7, times.count)
                    scan.read(wanted, of: block, into: &tile)
                    try write(rows / 10)
                    let (_, values) = tile.samples(of: 0)
                    #expect(values == wanted.map { Double($0 + 1) })
                }
            }
            try write(rows)
            #expect(scan.samples(of: 5).values == (1...seen).map(Double.init))
        }
    }
}

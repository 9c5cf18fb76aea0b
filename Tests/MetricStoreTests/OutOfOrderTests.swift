import Instrumentation
import MetricModel
import Testing

@testable import MetricStore

/// Samples older than the newest of their series, with a window that allows them.
@Suite struct OutOfOrderTests {
    private static let everything = (from: Timestamp.distantPast, through: Timestamp.distantFuture)

    private func store(window: Milliseconds, directory: String? = nil, registry: Registry? = nil) throws -> MetricStore
    {
        var configuration = StoreConfiguration(directory: directory)
        configuration.segmentSpan = 30_000
        configuration.blockSpan = 300_000
        let store = try MetricStore(configuration, registry: registry)
        store.setOutOfOrderWindow(window)
        return store
    }

    private func samples(_ name: String, in store: MetricStore) throws -> [Int64: Double] {
        let found = try store.select(
            [Matcher("__name__", .equal, name)], from: Self.everything.from, through: Self.everything.through,
            sampleLimit: 100_000)
        #expect(found.count <= 1)
        guard let series = found.first else { return [:] }
        #expect(zip(series.timestamps, series.timestamps.dropFirst()).allSatisfy { $0 < $1 }, "ascending times")
        return Dictionary(uniqueKeysWithValues: zip(series.timestamps, series.values))
    }

    private func append(
        _ lane: Lane, _ name: String, _ samples: [(Int64, Double)], rowTime: Int64? = nil
    ) throws -> [AppendOutcome] {
        let slot = try lane.slot(for: Labels(metric: name))
        var appender = lane.beginAppend(at: Timestamp(milliseconds: rowTime ?? samples[0].0))
        let outcomes = samples.map { appender.append(slot, $0.1, at: Timestamp(milliseconds: $0.0)) }
        try appender.commit()
        return outcomes
    }

    @Test func theWindowIsCountedFromTheNewestSampleOfTheStore() throws {
        let store = try store(window: .seconds(10))
        let (a, b) = (try store.openLane("a"), try store.openLane("b"))
        #expect(try append(a, "x", [(50_000, 1)]) == [.appended])
        #expect(try append(b, "y", [(60_000, 1)]) == [.appended])
        #expect(try append(a, "x", [(49_999, 2)]) == [.tooOld])
        #expect(
            try append(b, "y", [(50_000, 2), (49_999, 3), (60_000, 4)], rowTime: 61_000) == [
                .appendedOutOfOrder, .tooOld, .duplicateTimestamp,
            ])
        #expect(try samples("x", in: store) == [50_000: 1])
        #expect(try samples("y", in: store) == [50_000: 2, 60_000: 1])
        #expect(store.takesOutOfOrder(at: Timestamp(milliseconds: 50_000)))
        store.setOutOfOrderWindow(.zero)
        #expect(!store.takesOutOfOrder(at: Timestamp(milliseconds: 60_000)))
        #expect(try append(b, "y", [(59_000, 2)]) == [.outOfOrder])
        #expect(store.brokenInvariants == [])
    }

    @Test func aRolledBackAppendLeavesNothing() throws {
        let store = try store(window: .minutes(10))
        let lane = try store.openLane("a")
        #expect(try append(lane, "x", [(50_000, 1)]) == [.appended])
        let slot = try lane.slot(for: Labels(metric: "x"))
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 51_000))
        #expect(appender.append(slot, 7, at: Timestamp(milliseconds: 40_000)) == .appendedOutOfOrder)
        #expect(try samples("x", in: store) == [50_000: 1], "nothing is visible before the commit")
        appender.rollback()
        #expect(try append(lane, "x", [(52_000, 2)]) == [.appended])
        #expect(try samples("x", in: store) == [50_000: 1, 52_000: 2])
    }

    @Test func zerosAtTheStartOfCountersAreNotStoredLate() throws {
        let store = try store(window: .minutes(10))
        let lane = try store.openLane("a")
        #expect(try append(lane, "x", [(50_000, 1)]) == [.appended])
        let slot = try lane.slot(for: Labels(metric: "x"))
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 51_000))
        appender.takesOutOfOrder = false
        #expect(appender.append(slot, 0, at: Timestamp(milliseconds: 40_000)) == .outOfOrder)
        appender.takesOutOfOrder = true
        #expect(appender.append(slot, 2) == .appended)
        try appender.commit()
        #expect(try samples("x", in: store) == [50_000: 1, 51_000: 2])
    }

    @Test func aSampleThatExistsIsKept() throws {
        let registry = Registry()
        let store = try store(window: .minutes(10), registry: registry)
        let lane = try store.openLane("a")
        for time in stride(from: Int64(10_000), through: 50_000, by: 10_000) {
            #expect(try append(lane, "x", [(time, Double(time))]) == [.appended])
        }
        #expect(try append(lane, "x", [(20_000, -1)]) == [.appendedOutOfOrder])
        #expect(try append(lane, "x", [(25_000, 25)]) == [.appendedOutOfOrder])
        #expect(try append(lane, "x", [(25_000, -2)]) == [.appendedOutOfOrder])
        #expect(
            try samples("x", in: store) == [
                10_000: 10_000, 20_000: 20_000, 25_000: 25, 30_000: 30_000, 40_000: 40_000, 50_000: 50_000,
            ])
        let counted = registry.snapshot().first { $0.name == "tribune_store_out_of_order_samples_total" }
        #expect(counted != nil)
    }

    @Test func aRetiredSeriesAndAClosedLaneKeepTheirLateSamples() throws {
        let store = try store(window: .minutes(10))
        let lane = try store.openLane("a")
        #expect(try append(lane, "x", [(50_000, 1)]) == [.appended])
        #expect(try append(lane, "x", [(40_000, 2)]) == [.appendedOutOfOrder])
        lane.retire(try lane.slot(for: Labels(metric: "x")))
        #expect(store.brokenInvariants == [])
        #expect(try samples("x", in: store) == [40_000: 2, 50_000: 1])
        // A series that returns knows its newest sample.
        #expect(try append(lane, "x", [(45_000, 3)]) == [.appendedOutOfOrder])
        lane.close()
        #expect(store.brokenInvariants == [])
        #expect(try samples("x", in: store) == [40_000: 2, 45_000: 3, 50_000: 1])
        #expect(store.statistics.laneCount == 2)
        let again = try store.openLane("a")
        #expect(try append(again, "x", [(60_000, 4)]) == [.appended])
        #expect(try append(again, "x", [(41_000, 5)]) == [.appendedOutOfOrder])
        #expect(try samples("x", in: store) == [40_000: 2, 41_000: 5, 45_000: 3, 50_000: 1, 60_000: 4])
    }

    /// Random samples in any order, with restarts without warning: what was committed is read, sorted, once.
    @Test(arguments: 0..<6) func everyCommittedSampleIsReadInOrder(run: Int) throws {
        var generator = Seeded(seed: testSeed &+ UInt64(run))
        let directory = try TemporaryDirectory()
        var store: MetricStore? = try store(window: .seconds(200), directory: directory.path)
        var lane: Lane? = try store?.openLane("a")
        var model: [String: [Int64: Double]] = [:]
        var newest: [String: Int64] = [:]
        var latest = Int64.zero
        var late = 0
        var blocks = 0
        for step in 0..<400 {
            if step % 120 == 119 {
                lane = nil
                store = nil
                let next = try self.store(window: .seconds(200), directory: directory.path)
                #expect(next.recoveryNotes == [])
                store = next
                lane = try next.openLane("a")
                for (name, expected) in model { #expect(try samples(name, in: next) == expected, "after a restart") }
            }
            if step % 50 == 49, run % 2 == 1, let compacted = store {
                while try compacted.compact(now: .distantFuture) { blocks += 1 }
                for (name, expected) in model { #expect(try samples(name, in: compacted) == expected, "in blocks") }
            }
            let base = Int64(step) * 1000 + 1_000_000
            let open = try #require(lane)
            var appender = open.beginAppend(at: Timestamp(milliseconds: base))
            var wasAppended = false
            var pending: [(String, Int64, Double)] = []
            for _ in 0..<Int.random(in: 1..<12, using: &generator) {
                let name = "m\(Int.random(in: 0..<4, using: &generator))"
                let age =
                    Int.random(in: 0..<3, using: &generator) == 0 ? 0 : Int64.random(in: 0..<300, using: &generator)
                let time = base - age * 1000
                let value = Double(Int.random(in: 0..<1000, using: &generator))
                let slot = try open.slot(for: Labels(metric: name))
                let outcome = appender.append(slot, value, at: Timestamp(milliseconds: time))
                let known = newest[name] ?? .min
                if time > known {
                    #expect(outcome == .appended)
                    newest[name] = time
                } else if time == known {
                    #expect(outcome == .alreadyPresent || outcome == .duplicateTimestamp)
                } else {
                    #expect(outcome == (time >= latest - 200_000 ? .appendedOutOfOrder : .tooOld))
                }
                if outcome == .appended { wasAppended = true }
                if outcome == .appendedOutOfOrder { late += 1 }
                if outcome == .appended || outcome == .appendedOutOfOrder { pending.append((name, time, value)) }
            }
            try appender.commit()
            // A row's own time counts, too.
            if wasAppended { latest = max(latest, base) }
            for (name, time, value) in pending {
                if model[name]?[time] == nil { model[name, default: [:]][time] = value }
            }
            if step % 50 == 49 {
                for (name, expected) in model { #expect(try samples(name, in: #require(store)) == expected) }
                #expect(store?.brokenInvariants == [])
            }
        }
        #expect(late > 300)
        #expect(blocks > 0 || run % 2 == 0)
    }
}

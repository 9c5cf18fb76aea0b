import MetricModel
import Testing

@testable import MetricStore

/// Random operations on a store and on ``ModelStore`` must have the same results.
@Suite struct StoreModelTests {
    private struct World {
        var store: MetricStore?
        let directory: String?
        var model = ModelStore()
        var lanes: [Lane] = []
        var generator: Seeded
        var clock: Int64 = 1_700_000_000_000
        var laneNumber = 0
        var steps = 0
        /// Files of compaction.
        var compacted = 0
        /// The selections of earlier calls, by choice of matchers; must never be used after the index has changed.
        var selections = [StoreSelection?](repeating: nil, count: 5)

        init(seed: UInt64, directory: String? = nil) throws {
            self.directory = directory
            store = try Self.open(directory)
            generator = Seeded(seed: seed)
            for _ in 0..<3 { try openLane() }
        }

        /// Segments and blocks are short, so that there are many.
        private static func open(_ directory: String?) throws -> MetricStore {
            var configuration = StoreConfiguration(directory: directory)
            configuration.segmentSpan = 60_000
            configuration.blockSpan = 600_000
            return try MetricStore(configuration, registry: nil)
        }

        mutating func openLane() throws {
            laneNumber += 1
            lanes.append(try #require(store).openLane("lane \(laneNumber)"))
        }

        /// Ends the store like a crash, sometimes in the middle of a row, and starts it again.
        mutating func restart() throws {
            if number(0..<2) == 0 {
                clock += 1000
                var appender = lanes[0].beginAppend(at: Timestamp(milliseconds: clock))
                appender.append(try lanes[0].slot(for: labels()), 99)
                appender.rollback()
            }
            let names = lanes.map(\.name)
            let ids = lanes.map(\.id)
            lanes = []
            store = nil
            selections = selections.map { _ in nil }
            let next = try Self.open(directory)
            #expect(next.recoveryNotes == [])
            store = next
            lanes = try names.map { try next.openLane($0) }
            #expect(lanes.map(\.id) == ids)
        }

        mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

        mutating func labels() -> Labels {
            Labels(
                metric: "m\(number(0..<3))",
                [Label("i", "\(number(0..<30))"), Label("x", number(0..<2) == 0 ? "" : "y")])
        }

        mutating func value() -> StoredValue {
            switch number(0..<12) {
            case 0: return .float(.staleMarker)
            case 1: return .float(Double.random(in: -1...1, using: &generator))
            case 2:
                var histogram = FloatHistogram()
                histogram.count = Double(number(0..<100))
                histogram.positiveSpans = [.init(offset: Int32(number(0..<9)) - 4, length: 2)]
                histogram.positiveBuckets = [1, histogram.count]
                histogram.customValues = (0..<number(0..<200)).map(Double.init)
                return .histogram(histogram)
            default: return .float(Double(number(0..<1000)))
            }
        }

        /// One commit or rollback on a random lane; samples at the row's time, some at their own.
        mutating func write() throws {
            let lane = lanes[number(0..<lanes.count)]
            clock += Int64(number(0..<20) == 0 ? 0 : number(1..<15_000))
            let ownTimes = number(0..<4) == 0
            var appender = lane.beginAppend(at: Timestamp(milliseconds: clock))
            for _ in 0..<number(0..<40) {
                let labels = labels()
                let slot = try lane.slot(for: labels)
                let time = ownTimes && number(0..<2) == 0 ? clock - Int64(number(0..<30_000)) + 10_000 : clock
                let value = value()
                let outcome =
                    switch value {
                    case .float(let float): appender.append(slot, float, at: Timestamp(milliseconds: time))
                    case .histogram(let histogram):
                        appender.append(slot, histogram: histogram, at: Timestamp(milliseconds: time))
                    }
                let expected = model.append(.init(lane: lane.id, labels: labels), value, at: time)
                #expect(outcome == expected, "\(labels) at \(time)")
            }
            if number(0..<5) == 0, !model.hasSeveralPending {
                appender.rollback()
                model.rollBack()
            } else {
                try appender.commit()
                model.commit()
            }
        }

        mutating func check() throws {
            let matchers: [[Matcher]] = [
                [], [Matcher("__name__", .equal, "m1")], [Matcher("i", .regex, "1.*"), Matcher("x", .notEqual, "")],
                [Matcher("__name__", .regex, "m0|m2"), Matcher("x", .equal, "")], [Matcher("i", .notRegex, "[0-9]")],
            ]
            let choice = number(0..<matchers.count)
            let chosen = matchers[choice]
            var from = clock - Int64(number(0..<2_000_000))
            var through = from + Int64(number(0..<1_000_000))
            if number(0..<4) == 0 { (from, through) = (.min / 2, .max / 2) }
            let scan = try #require(store).scan(
                matching: chosen, from: Timestamp(milliseconds: from), through: Timestamp(milliseconds: through),
                remembering: &selections[choice])
            let found = try series(of: scan)
            try checkBlocks(of: scan)
            try checkGroups(chosen, Timestamp(milliseconds: from), Timestamp(milliseconds: through), scan)
            let expected = model.select(chosen, from: from, through: through)
            #expect(Set(found.map(\.labels)) == Set(expected.keys))
            #expect(found.count == expected.count)
            for series in found {
                guard let samples = expected[series.labels] else { continue }
                #expect(series.timestamps == samples.map(\.time), "\(series.labels)")
                #expect(series.values.count == series.timestamps.count)
                #expect(series.histograms.isEmpty || series.histograms.count == series.timestamps.count)
                for (index, sample) in samples.enumerated() where index < series.count {
                    let histogram = series.histograms.isEmpty ? nil : series.histograms[index]
                    let value = histogram.map { StoredValue.histogram($0) } ?? .float(series.values[index])
                    #expect(value.isSame(as: sample.value), "\(series.labels) at \(sample.time)")
                }
            }
        }

        private func series(of scan: StoreScan) throws -> [SeriesSamples] {
            guard case .each(let labels) = scan.selection.labelling else { return [] }
            #expect(labels.count == scan.selection.count)
            return labels.indices.compactMap { row in
                var samples = scan.samples(of: row)
                samples.labels = labels[row]
                return samples.count > 0 ? samples : nil
            }
        }

        /// Reading by blocks and reading series by series must give the same samples.
        private mutating func checkBlocks(of scan: StoreScan) throws {
            var tile = SampleTile()
            var seen = scan.others
            for block in scan.blocks {
                seen += block.series
                let times = scan.times(of: block)
                if times.isEmpty { continue }
                let first = number(0..<times.count)
                let rows = first..<number(first..<times.count) + 1
                scan.read(rows, of: block, into: &tile)
                for (index, series) in block.series.enumerated() {
                    let (readTimes, values) = tile.samples(of: index)
                    let all = scan.samples(of: series)
                    let inside = all.timestamps.indices.filter {
                        all.timestamps[$0] >= times[rows.lowerBound] && all.timestamps[$0] <= times[rows.upperBound - 1]
                    }
                    // Rows outside the window may be read too.
                    let kept = readTimes.indices.filter { scan.contains(readTimes[$0]) }
                    #expect(kept.map { readTimes[$0] } == inside.map { all.timestamps[$0] })
                    #expect(kept.map { values[$0].bitPattern } == inside.map { all.values[$0].bitPattern })
                    #expect(tile.isComplete[index] == (readTimes.count == rows.count))
                    guard tile.isComplete[index] else { continue }
                    let column = rows.map { tile.values[index * tile.stride + $0 - tile.firstRow].bitPattern }
                    #expect(column == values.map(\.bitPattern))
                }
            }
            #expect(seen.sorted() == Array(0..<scan.selection.count))
        }

        /// Groups must be those of the labels, in every order of requests.
        private mutating func checkGroups(
            _ matchers: [Matcher], _ from: Timestamp, _ through: Timestamp, _ scan: StoreScan
        ) throws {
            let without = number(0..<2) == 0
            let names = [["i"], ["x", "__name__"], [], ["absent", "x"]][number(0..<4)]
            var selection: StoreSelection?
            let grouped = try #require(store).scan(
                matching: matchers, from: from, through: through, labels: .groups(names: names, without: without),
                remembering: &selection)
            guard case .each(let labels) = scan.selection.labelling,
                case .groups(let group, let groups) = grouped.selection.labelling
            else {
                Issue.record("labels are not as asked for")
                return
            }
            let keys = labels.map { without ? $0.dropping(names) : $0.keeping(names) }
            #expect(group.map { groups[Int($0)] } == keys)
            #expect(Set(groups).count == groups.count)
            #expect(Set(groups) == Set(keys))
        }

        mutating func step() throws {
            switch number(0..<40) {
            case 0..<4: try check()
            case 4..<7:
                let lane = lanes[number(0..<lanes.count)]
                lane.retire(try lane.slot(for: labels()))
            case 8 where number(0..<4) == 0:
                let isOld = Timestamp(milliseconds: clock + 3_600_000)
                for _ in 0..<number(0..<3) { compacted += try store?.compact(now: isOld) == true ? 1 : 0 }
            case 7 where number(0..<5) == 0:
                lanes.remove(at: number(0..<lanes.count)).close()
                try openLane()
            default: try write()
            }
            steps += 1
            if steps % 16 == 0 { #expect(store?.brokenInvariants == []) }
        }
    }

    @Test(arguments: 0..<8) func randomOperationsGiveWhatTheModelGives(run: Int) throws {
        var world = try World(seed: testSeed &+ UInt64(run))
        for _ in 0..<600 { try world.step() }
        try world.check()
    }

    /// The same through all levels: active and sealed chunks, blocks, and merged blocks.
    @Test(arguments: 0..<8) func compactionChangesNothing(run: Int) throws {
        let directory = try TemporaryDirectory()
        var world = try World(seed: testSeed &+ 200 &+ UInt64(run), directory: directory.path)
        for _ in 0..<1500 { try world.step() }
        while try world.store?.compact(now: .distantFuture) == true { world.compacted += 1 }
        #expect(world.compacted > 5)
        for _ in 0..<8 { try world.check() }
        try world.restart()
        for _ in 0..<8 { try world.check() }
        #expect(world.store?.takeNotes() == [])
    }

    @Test(arguments: 0..<4) func afterEveryRestartEverythingCommittedIsThere(run: Int) throws {
        let directory = try TemporaryDirectory()
        var world = try World(seed: testSeed &+ 100 &+ UInt64(run), directory: directory.path)
        for _ in 0..<12 {
            for _ in 0..<world.number(0..<60) { try world.step() }
            try world.restart()
            try world.check()
        }
    }
}

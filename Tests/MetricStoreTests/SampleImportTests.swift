import MetricModel
import Testing

@testable import MetricStore

/// Samples of the past in a store that may have samples of its own.
@Suite struct SampleImportTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open() throws -> MetricStore {
        var configuration = StoreConfiguration(directory: directory.path)
        configuration.retentionMilliseconds = .max
        configuration.retentionBytes = .max
        configuration.segmentSpan = 25 * 3_600_000
        return try MetricStore(configuration, registry: nil)
    }

    private func everything(_ store: MetricStore) throws -> [Labels: [String]] {
        let all = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        return Dictionary(
            uniqueKeysWithValues: all.map { series in
                (series.labels, zip(series.timestamps, series.values).map { "\($0) \($1)" })
            })
    }

    private struct Input {
        var labels: Labels
        var samples: [(Int64, Double)]
    }

    /// Targets with two series each at the same times, one with a gap; recorded series; series at times of their own.
    private static var inputs: [Input] {
        var inputs: [Input] = []
        for target in 0..<3 {
            for metric in ["a", "b"] {
                let labels: Labels = ["__name__": "\(metric)", "job": "j", "instance": "i\(target)"]
                let rows = (0..<300).filter { metric == "a" || $0 % 50 != 7 }
                inputs.append(
                    Input(
                        labels: labels,
                        samples: rows.map { (Int64($0) * 600_000 + Int64(target) * 777, Double($0 * target)) }))
            }
        }
        for number in 0..<4 {
            inputs.append(
                Input(
                    labels: ["__name__": "r", "n": "\(number)"],
                    samples: (0..<100).map { (-5_000_000 + Int64($0) * 60_000 + Int64(number / 2), Double($0)) }))
        }
        return inputs
    }

    private func write(_ inputs: [Input], _ store: MetricStore, _ name: String, shuffled: Bool) throws
        -> SampleImport.Figures
    {
        var importing = SampleImport(into: store, name: name)
        importing.add(series: inputs.map(\.labels))
        var samples = ImportedSamples()
        var all = inputs.enumerated().flatMap { number, input in input.samples.map { (number, $0.0, $0.1) } }
        if shuffled { all.sort { ($0.1, $0.0) > ($1.1, $1.0) } }
        for (number, time, value) in all { samples.append(Int32(number), time, value) }
        try importing.write(samples)
        return importing.figures
    }

    @Test(arguments: [false, true])
    func everySampleIsFound(shuffled: Bool) throws {
        var expected: [Labels: [String]] = [:]
        for input in Self.inputs { expected[input.labels] = input.samples.map { "\($0) \($1)" } }
        do {
            let store = try open()
            let figures = try write(Self.inputs, store, "import", shuffled: shuffled)
            #expect(figures.samples == expected.values.reduce(0) { $0 + $1.count } && figures.duplicates == 0)
            // One of each target, and one of each pair of series with equal times.
            #expect(figures.lanes == 5)
            #expect(figures.oldest == -5_000_000 && figures.newest == 299 * 600_000 + 2 * 777)
            #expect(try everything(store) == expected)
            while try store.compact(now: .distantFuture) {}
            #expect(try everything(store) == expected)
            #expect(store.brokenInvariants == [])
            // A day per block.
            #expect(store.core.blocks.pin().blocks.allSatisfy { $0.newest - $0.oldest <= 26 * 3_600_000 })
            store.close()
        }
        let store = try open()
        #expect(store.recoveryNotes == [])
        #expect(try everything(store) == expected)
    }

    @Test func samplesThatAreThereAreUsedOnce() throws {
        let store = try open()
        let first = Array(Self.inputs.prefix(2))
        let lane = try store.openLane("live")
        let slot = try lane.slot(for: first[0].labels)
        for (time, value) in first[0].samples.suffix(10) {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: time))
            appender.append(slot, value)
            try appender.commit()
        }
        _ = try write(first, store, "import 1", shuffled: false)
        let once = try everything(store)
        _ = try write(first, store, "import 2", shuffled: true)
        #expect(try everything(store) == once)
        #expect(once[first[0].labels]?.count == 300)
        // The live lane goes on.
        var appender = lane.beginAppend(at: Timestamp(milliseconds: 400 * 600_000))
        #expect(appender.append(slot, 1) == .appended)
        try appender.commit()
        #expect(try everything(store)[first[0].labels]?.count == 301)
    }

    @Test func theLastOfSamplesWithEqualTimesIsStored() throws {
        let store = try open()
        let input = Input(labels: ["__name__": "m"], samples: [(3000, 1), (1000, 2), (3000, 3), (2000, 4), (1000, 5)])
        let figures = try write([input], store, "import", shuffled: false)
        #expect(figures.samples == 3 && figures.duplicates == 2)
        #expect(try everything(store) == [["__name__": "m"]: ["1000 5.0", "2000 4.0", "3000 3.0"]])
    }

    @Test func aLaterCallContinuesWithMoreSeries() throws {
        let store = try open()
        var importing = SampleImport(into: store, name: "import")
        for part in 0..<3 {
            importing.add(series: [["__name__": "m", "part": "\(part)"]])
            var samples = ImportedSamples()
            for number in 0...part { samples.append(Int32(number), Int64(part) * 1000, Double(number)) }
            try importing.write(samples)
        }
        #expect(importing.figures.samples == 6)
        #expect(
            try everything(store)[["__name__": "m", "part": "0"]] == ["0 0.0", "1000 0.0", "2000 0.0"])
    }
}

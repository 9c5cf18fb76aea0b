import Foundation
import MetricModel
import Testing

@testable import MetricStore

/// Whatever bytes of any file are changed: samples found after a restart were committed, for that series, at that time.
@Suite struct DamagedFilesTests {
    /// The files of a store in which series come and go, so that several series use a slot one after the other. Some
    /// data of each kind of file existed before the last restart.
    private static func files() throws -> [String: Data] {
        let directory = try TemporaryDirectory()
        for process in 0..<2 {
            var configuration = StoreConfiguration(directory: directory.path)
            (configuration.segmentSpan, configuration.blockSpan) = (20_000, 40_000)
            let store = try MetricStore(configuration, registry: nil)
            let lanes = try ["first", "second"].map { try store.openLane($0) }
            var oldest = process * 40
            for row in process * 60..<(process + 1) * 60 {
                for lane in lanes {
                    var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 1000))
                    for series in oldest..<oldest + 8 {
                        let labels: Labels = ["__name__": "m", "i": "\(series)", "lane": lane.name]
                        let slot = try lane.slot(for: labels)
                        // Some at a time of their own.
                        let time = Int64(row) * 1000 - (series % 4 == 3 ? 7 : 0)
                        appender.append(slot, value(series, time), at: Timestamp(milliseconds: time))
                    }
                    var histogram = FloatHistogram()
                    histogram.count = Double(row)
                    histogram.positiveSpans = [.init(offset: 1, length: 1)]
                    histogram.positiveBuckets = [Double(row)]
                    appender.append(
                        try lane.slot(for: ["__name__": "h", "lane": lane.name]), histogram: histogram)
                    try appender.commit()
                    if row % 3 == 0 {
                        lane.retire(try lane.slot(for: ["__name__": "m", "i": "\(oldest)", "lane": lane.name]))
                    }
                }
                if row % 3 == 0 { oldest += 1 }
            }
            // The chunks of the first process are in blocks, those of the second one in segments.
            while try process == 0 && store.compact(now: .distantFuture) {}
        }
        var files: [String: Data] = [:]
        for name in ["series.log"] + (try directory.files(in: "segments").map { "segments/" + $0 })
            + (try directory.files(in: "rows").map { "rows/" + $0 })
            + (try directory.files(in: "blocks").map { "blocks/" + $0 })
        {
            files[name] = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/" + name))
        }
        return files
    }

    private static let sampleCount = 2 * 120 * 9

    private static func value(_ series: Int, _ time: Int64) -> Double { Double(series) * 1_000_000 + Double(time) }

    /// Opens a store with these files, continues in it and opens it again. Returns the number of samples and the
    /// notes.
    private func check(_ files: [String: Data], _ note: String) throws -> (samples: Int, notes: [String]) {
        let directory = try TemporaryDirectory()
        for name in ["segments", "rows", "blocks"] {
            try FileManager.default.createDirectory(
                atPath: directory.path + "/" + name, withIntermediateDirectories: true)
        }
        for (name, data) in files { try data.write(to: URL(fileURLWithPath: directory.path + "/" + name)) }
        var found: (samples: Int, notes: [String]) = (0, [])
        for round in 0..<3 {
            let store = try MetricStore(StoreConfiguration(directory: directory.path), registry: nil)
            let samples = try count(store, "\(note), round \(round)")
            if round == 0 { found = (samples, store.recoveryNotes + store.takeNotes()) }
            // Samples written after the damage are not damaged.
            if round > 0 { #expect(samples == found.samples + round * 2 * 12, "\(note), round \(round)") }
            for lane in try ["first", "second"].map({ try store.openLane($0) }) {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(200 + round) * 1000))
                // Series of before, and new ones that take whatever slots are free.
                for series in Array(95..<100) + Array(200 + 10 * round..<207 + 10 * round) {
                    let slot = try lane.slot(for: ["__name__": "m", "i": "\(series)", "lane": lane.name])
                    appender.append(slot, Self.value(series, Int64(200 + round) * 1000))
                }
                try appender.commit()
            }
        }
        return found
    }

    private func count(_ store: MetricStore, _ note: String) throws -> Int {
        var samples = 0
        let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
        for series in found {
            samples += series.count
            #expect(zip(series.timestamps, series.timestamps.dropFirst()).allSatisfy(<), "\(note) \(series.labels)")
            if series.labels.metricName == "h" {
                #expect(
                    series.histograms.map { $0?.count } == series.timestamps.map { Double($0 / 1000) },
                    "\(note) \(series.labels)")
            } else {
                let number = series.labels["i"].flatMap { Int($0) } ?? -1
                #expect(series.values == series.timestamps.map { Self.value(number, $0) }, "\(note) \(series.labels)")
            }
        }
        return samples
    }

    /// How many places of each file are damaged; `scripts/soak.sh damage` takes more, and others.
    private static let places =
        ProcessInfo.processInfo.environment["TRIBUNE_DAMAGED_PLACES"].flatMap { Int($0) } ?? 20

    @Test func whatIsWholeIsAllThere() throws {
        let (samples, notes) = try check(Self.files(), "whole")
        #expect(notes == [])
        #expect(samples == Self.sampleCount)
    }

    @Test(arguments: ["series.log", "segments/", "rows/", "blocks/"])
    func filesCutAnywhereShowNothingWrong(kind: String) throws {
        let files = try Self.files()
        for (name, data) in files where name.hasPrefix(kind) {
            let written = 1 + (data.lastIndex { $0 != 0 } ?? 0)
            var most = 0
            for length in stride(from: 0, to: written, by: max(1, written / Self.places)) {
                var cut = files
                cut[name] = data.prefix(length)
                let (samples, notes) = try check(cut, "\(name) cut to \(length)")
                // A file with records of rows that was cut at a record looks as if no more had been written.
                #expect(kind == "rows/" || !notes.isEmpty || samples == Self.sampleCount, "\(name) cut to \(length)")
                most = max(most, samples)
            }
            #expect(most > 0)
        }
    }

    @Test(arguments: ["series.log", "segments/", "rows/", "blocks/"])
    func damagedBytesShowNothingWrong(kind: String) throws {
        let files = try Self.files()
        var generator = Seeded(seed: testSeed)
        for (name, data) in files where name.hasPrefix(kind) {
            let written = 1 + (data.lastIndex { $0 != 0 } ?? 0)
            for _ in 0..<Self.places {
                var damaged = files
                let byte = Int.random(in: 0..<written, using: &generator)
                damaged[name]![data.startIndex + byte] ^= UInt8.random(in: 1...255, using: &generator)
                let (samples, notes) = try check(damaged, "\(name) damaged at \(byte)")
                #expect(!notes.isEmpty || samples == Self.sampleCount, "\(name) damaged at \(byte)")
            }
        }
    }
}

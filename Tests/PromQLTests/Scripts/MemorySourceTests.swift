import MetricModel
import Testing

@testable import PromQL

@Suite struct MemorySourceTests {
    private func source(_ lines: String...) throws -> MemorySource {
        let source = MemorySource()
        for line in lines { source.append(try SeriesNotation(parsing: line), interval: .minutes(1)) }
        return source
    }

    private func select(
        _ source: MemorySource, _ matchers: Matcher..., from: Int64 = 0, through: Int64 = 3_600_000,
        sampleLimit: Int = 100
    ) throws -> [SeriesSamples] {
        try source.select(
            matchers, from: Timestamp(milliseconds: from), through: Timestamp(milliseconds: through),
            sampleLimit: sampleLimit)
    }

    @Test func windowsAreClosedOnBothSides() throws {
        let source = try source("a 1 2 3 4")
        let found = try select(source, Matcher("__name__", .equal, "a"), from: 60_000, through: 120_000)
        #expect(found.map(\.values) == [[2, 3]])
        #expect(try select(source, Matcher("__name__", .equal, "a"), from: 60_001, through: 119_999).isEmpty)
    }

    @Test func matchersTakeAbsentLabelsForEmpty() throws {
        let source = try source("a{x=\"1\"} 1", "a{x=\"2\"} 1", "b 1")
        func labels(_ matchers: Matcher...) throws -> [String] {
            try source.select(matchers, from: .epoch, through: .epoch, sampleLimit: 9).map(\.labels.description)
        }
        #expect(try labels(Matcher("x", .notEqual, "1")) == ["a{x=\"2\"}", "b"])
        #expect(try labels(Matcher("x", .regex, "1|")) == ["a{x=\"1\"}", "b"])
        #expect(try labels(Matcher("x", .notRegex, ".+")) == ["b"])
        #expect(throws: (any Error).self) { try labels(Matcher("x", .regex, "(")) }
    }

    @Test func laterLoadsAddInOrderOfTime() throws {
        let source = try source("a _ 2 3")
        source.append(.init(time: .epoch, value: 1), to: Labels(metric: "a"))
        source.append(.init(time: Timestamp(milliseconds: 60_000), value: 7), to: Labels(metric: "a"))
        #expect(try select(source)[0].values == [1, 7, 3])
        source.clear()
        #expect(try select(source).isEmpty)
    }

    @Test func histogramsAndNumbersMayMix() throws {
        let found = try select(try source("a 1 {{count:2}} stale"))[0]
        #expect(found.histograms.map { $0?.count } == [nil, 2, nil])
        #expect(found.values[2].isStaleMarker)
    }

    @Test func moreSamplesThanAllowedAreAnError() throws {
        let source = try source("a 1x5", "b 1x5")
        #expect(throws: (any Error).self) { try select(source, sampleLimit: 11) }
        #expect(try select(source, sampleLimit: 12).count == 2)
    }

    @Test(arguments: [
        ("a {{count:1}} {{count:2}} {{count:3}}", [FloatHistogram.CounterResetHint.unknown, .notReset, .notReset]),
        ("a {{count:3}} {{count:2}} {{count:2}}", [.unknown, .unknown, .notReset]),
        ("a {{count:1}} {{count:2 counter_reset_hint:reset}}", [.unknown, .unknown]),
        ("a {{count:1 counter_reset_hint:gauge}} {{count:2}}", [.gauge, .unknown]),
        ("a {{count:1}} 3 {{count:2}}", [.unknown, .unknown]),
        ("a {{count:1}} stale {{count:2}}", [.unknown, .unknown]),
        ("a {{count:1}} {{count:2 schema:1}}", [.unknown, .unknown]),
        ("a {{buckets:[1 2]}} {{buckets:[1 2 3]}} {{buckets:[2 2]}}", [.unknown, .notReset, .unknown]),
        ("a {{buckets:[1 2]}} {{buckets:[2 1]}}", [.unknown, .unknown]),
    ])
    func resetHintsComeFromChunks(line: String, hints: [FloatHistogram.CounterResetHint]) throws {
        let found = try select(try source(line))[0]
        #expect(found.histograms.compactMap { $0?.counterResetHint } == hints)
    }
}

import MetricModel
import Testing

@testable import PromQL

@Suite struct ScriptReadingTests {
    private func failures(_ script: String) -> [String] {
        PromQLScript(script, name: "script").run().failures.map(\.description)
    }

    @Test func commandsThatCannotBeReadAreFailuresWithTheirLines() throws {
        let found = failures(
            """
            bogus 1

            load 5x
              a 1

            # a comment ends a block
            eval instant at 5m sum(

            eval range from 5m to 1m step 1m a

            eval_fail instant at 1m a
              expect fail nonsense: x
            """)
        try #require(found.count == 5)
        #expect(found[0].hasPrefix("line 1: bogus 1: unknown command"))
        #expect(found[1].hasPrefix("line 3: load 5x: invalid step definition"))
        #expect(found[2].hasPrefix("line 7: eval instant at 5m sum(: 1:5: parse error: unclosed left parenthesis"))
        #expect(found[2].hasSuffix("unclosed left parenthesis"))
        #expect(found[3].hasPrefix("line 9") && found[3].contains("before start"))
        #expect(found[4].hasPrefix("line 11") && found[4].contains("invalid expect statement"))
    }

    @Test func startTimestampsAreRelativeToTheirSamples() throws {
        #expect(
            try StartNotation.parse("_ _x2 -30s -1m-1mx2 0") == [
                nil, nil, nil, .seconds(-30), .minutes(-1), .minutes(-2), .minutes(-3), .zero,
            ])
        for text in ["1", "-1mx", "-1m-2m", "_x99999999999999999999", "x"] {
            #expect(throws: ScriptFault.self) { try StartNotation.parse(text[...]) }
        }
        var load = ScriptLoad(interval: .minutes(1), withClassicHistograms: false)
        try load.add("a{b=\"x @st y\"}@st _ -30s")
        try load.add("a{b=\"x @st y\"} 1 2")
        let source = MemorySource()
        try load.apply(to: source)
        let found = try source.select([], from: .epoch, through: .distantFuture, sampleLimit: 9)
        #expect(found[0].startTimestamps == [.min, 30_000])
        #expect(throws: ScriptFault.self) {
            try load.add("a@st _")
            try load.add("b 1")
        }
    }

    @Test func classicHistogramsBecomeNativeOnes() throws {
        let series = try [
            "h_bucket{le=\"1\"} 1 2", "h_bucket{le=\"0.5\"} 0 1", "h_bucket{le=\"+Inf\"} 3 4", "h_sum 5 6",
            "h_count 3 4", "other 7",
        ].map { try SeriesNotation(parsing: $0) }
        let converted = try ClassicHistograms.converted(series)
        #expect(converted.map(\.labels.description) == ["h"])
        guard case .histogram(let histogram, _) = converted[0].values[0] else { throw ScriptFault("no histogram") }
        #expect(
            histogram.seriesNotation == """
                {{schema:-53 count:3 sum:5 custom_values:[0.5 1] offset:1 buckets:[1 2]}}
                """)
        for faulty in [["h_bucket{le=\"1\"} 2", "h_bucket{le=\"2\"} 1"], ["h_bucket{le=\"+Inf\"} 2", "h_count 3"]] {
            #expect(throws: ScriptFault.self) {
                try ClassicHistograms.converted(faulty.map { try SeriesNotation(parsing: $0) })
            }
        }
    }

    @Test func numbersAreEqualWithinAMillionth() {
        #expect(ScriptComparison.equal(1, 1.000_001))
        #expect(!ScriptComparison.equal(1, 1.000_01))
        #expect(ScriptComparison.equal(.nan, .canonicalNaN))
        #expect(!ScriptComparison.equal(.nan, .staleMarker))
        #expect(ScriptComparison.equal(.staleMarker, .staleMarker))
        #expect(!ScriptComparison.equal(0, 1e-300))
        #expect(ScriptComparison.equal(.infinity, .infinity))
        #expect(!ScriptComparison.equal(.infinity, -.infinity))
    }

    @Test func fixedTimesStopAtSubqueriesAndDependentFunctions() throws {
        func fixed(_ text: String) throws -> String? {
            try PromQL.Expression.parse(text, features: .all).fixed(at: Timestamp(milliseconds: 1500))?.description
        }
        #expect(try fixed("a + b @ 3 offset 1m") == "a @ 1.500 + b @ 3.000 offset 1m")
        #expect(try fixed("rate(a[5m:])") == "rate(a[5m:] @ 1.500)")
        #expect(try fixed("a + time()") == nil)
        #expect(try fixed("quantile(scalar(q), a)") == "quantile(scalar(q @ 1.500), a @ 1.500)")
    }
}

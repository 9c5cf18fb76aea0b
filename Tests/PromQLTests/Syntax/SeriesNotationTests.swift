import JSON
import MetricModel
import TestSupport
import Testing

@testable import PromQL

@Suite struct SeriesNotationTests {
    @Test(.enabled(if: Conformance.isAvailable))
    func readsAndRefusesWhatPrometheusDoes() throws {
        for testCase in try PromQLCases.cases("series_cases.json") {
            let input = testCase["input"]?.text ?? ""
            if testCase["kind"]?.text == "histogram to text" {
                let histogram = try #require(testCase["histogram"])
                #expect(Self.histogram(histogram).seriesNotation == input)
                continue
            }
            do {
                let series = try SeriesNotation(parsing: input)
                #expect(testCase["ok"]?.bool == true, "\(input): accepted")
                compare(series, with: testCase, input)
            } catch {
                #expect(testCase["ok"]?.bool == false, "\(input): \(error)")
                if let message = testCase["message"]?.text { #expect(error.description == message) }
                if let part = testCase["message_contains"]?.text { #expect(error.description.contains(part)) }
            }
        }
    }

    private func compare(_ series: SeriesNotation, with testCase: JSON, _ input: String) {
        if let labels = testCase["labels"]?.members {
            #expect(series.labels == Labels(labels.map { Label($0.name, $0.value.text ?? "") }), "\(input)")
        }
        if let values = testCase["values"]?.elements {
            #expect(series.values == values.map { $0.number.map { .float($0) } ?? .missing }, "\(input)")
        }
        if let histograms = testCase["histograms"]?.elements {
            let expected = histograms.map(Self.histogram)
            #expect(series.values.count == expected.count, "\(input)")
            for (value, wanted) in zip(series.values, expected) {
                guard case .histogram(let got, let hasHint) = value else {
                    Issue.record("\(input): no histogram")
                    continue
                }
                #expect(got == wanted, "\(input)")
                #expect(hasHint == input.contains("counter_reset_hint"))
            }
        }
    }

    private static func histogram(_ value: JSON) -> FloatHistogram {
        func number(_ name: String) -> Double { value[name]?.number ?? 0 }
        func numbers(_ name: String) -> [Double] { value[name]?.elements?.compactMap(\.number) ?? [] }
        func spans(_ name: String) -> [FloatHistogram.Span] {
            (value[name]?.elements ?? []).map {
                FloatHistogram.Span(
                    offset: Int32($0["Offset"]?.integer ?? 0), length: UInt32($0["Length"]?.integer ?? 0))
            }
        }
        var histogram = FloatHistogram()
        histogram.schema = Int32(value["Schema"]?.integer ?? 0)
        histogram.sum = number("Sum")
        histogram.count = number("Count")
        histogram.zeroCount = number("ZeroCount")
        histogram.zeroThreshold = number("ZeroThreshold")
        histogram.positiveSpans = spans("PositiveSpans")
        histogram.positiveBuckets = numbers("PositiveBuckets")
        histogram.negativeSpans = spans("NegativeSpans")
        histogram.negativeBuckets = numbers("NegativeBuckets")
        histogram.counterResetHint =
            switch value["CounterResetHint"]?.text {
            case "reset": .reset
            case "not_reset": .notReset
            case "gauge": .gauge
            default: .unknown
            }
        return histogram
    }

    @Test func metricsMayBeQuoted() throws {
        #expect(
            try SeriesNotation.metric("{\"a.b\", \"c.d\"=\"x\"}") == ["__name__": "a.b", "c.d": "x"])
        #expect(throws: ParseError.self) { try SeriesNotation.metric("a 1") }
    }

    @Test func expansionIsBounded() {
        for line in ["a 1x99999999999", "a 1+1x18446744073709551615", "a _x1000001", "a {{}}x18446744073709551615"] {
            #expect(throws: ParseError.self) { try SeriesNotation(parsing: line) }
        }
    }

    @Test func mutatedLinesNeverTrap() throws {
        var generator = SeededGenerator()
        let seeds = [
            "a{b=\"c\"} 1+2x3 _ _x2 stale -Inf 0.5-1e3x2",
            "{\"x.y\"} {{schema:1 sum:-0.3 count:3 buckets:[5 -10 Inf] offset:-3 counter_reset_hint:gauge}}x2",
            "x {{offset:2147483647 buckets:[1 2]}}+{{offset:-2147483648 buckets:[1 1]}}x2",
            "y {{schema:-53 custom_values:[1 2] buckets:[1 2 3]}}+{{schema:-53 custom_values:[2 3] buckets:[1]}}x2",
            "z {{schema:4 offset:-2147483648 n_buckets:[1 2]}}-{{schema:99 n_offset:2147483647 n_buckets:[1 1]}}x2",
            "m {{n_buckets:[1] n_offset:4 z_bucket:2 z_bucket_w:0.1 custom_values:[1 2]}}-{{schema:2}}x3",
        ].map { Array($0.utf8) }
        for _ in 0..<10_000 {
            var bytes = seeds.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0...bytes.count, using: &generator)
                let other = seeds.randomElement(using: &generator) ?? []
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                case 1: bytes.removeSubrange(place..<min(place + 4, bytes.count))
                default: bytes.insert(contentsOf: other.suffix(Int.random(in: 0...9, using: &generator)), at: place)
                }
            }
            let line = String(decoding: bytes, as: UTF8.self)
            // Large repetitions are legal and slow.
            if line.contains(/x\d{4,}/) { continue }
            do {
                let series = try SeriesNotation(parsing: line)
                for case .histogram(let histogram, _) in series.values { _ = histogram.seriesNotation }
            } catch {
                #expect(!error.description.isEmpty, "seed \(generator.seed)")
            }
        }
    }
}

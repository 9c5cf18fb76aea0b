import MetricModel
import Testing

@testable import PromQL

/// Queries that need too much: each returns a value or an error within the limits.
@Suite struct HostileQueryTests {
    private static func repeated(_ start: String, _ core: String, _ end: String = "", times: Int) -> String {
        String(repeating: start, count: times) + core + String(repeating: end, count: times)
    }

    private static let deep: [String] = [
        repeated("(", "1", ")", times: 100_000), repeated("-", "1", times: 100_000),
        repeated("1 + ", "1", times: 100_000), repeated("1 ^ ", "1", times: 100_000),
        repeated("abs(", "m", ")", times: 100_000), repeated("sum(", "m", ")", times: 100_000),
        repeated("{", "", times: 100_000), repeated("m[5m", "", times: 100_000),
    ]

    @Test(arguments: deep.indices) func deepExpressionsAreRefused(index: Int) {
        #expect(throws: ParseError.self) { try Expression.parse(Self.deep[index]) }
    }

    @Test(arguments: [
        "m[292y]", "m offset 292y", "m offset -292y", "rate(m[290y] offset 290y)", "m @ 9e15", "m @ -9e15 offset -290y",
        "max_over_time(m[290y:1ms])", "max_over_time(m[290y:290y] offset 290y)", "topk(9e18, m)", "limitk(1e18, m)",
        "predict_linear(m[1h], 1e308)", "round(m, 0)", "count_values(\"v\", m) * 1e308 * 1e308", "minute(m * 1e300)",
        "m[1y * 200]", "m[2 ^ 62]", "m offset (0 - 2 ^ 62)", "label_replace(m, \"x\", \"$1\", \"x\", \"(.*)*(.*)*y\")",
        "m{x=~\"((a{1,30}){1,30})*b\"}", "quantile(1e300, m)", "histogram_quantile(1e300, m)",
        "clamp(m, 1e308, -1e308)",
    ])
    func extremesEndInAValueOrAnError(text: String) throws {
        var options = EngineOptions()
        options.maximumSamples = 10_000
        let engine = QueryEngine(options: options)
        let source = MemorySource()
        source.append(try SeriesNotation(parsing: #"m{x="a"} 1+1x10"#), interval: .minutes(1))
        let expression = try Expression.parse(text, features: .all)
        for moment: Int64 in [-1, 0, 600_000, 1 << 52] {
            let time = Timestamp(milliseconds: moment)
            do {
                _ = try engine.instant(expression, at: time, from: source)
                _ = try engine.range(expression, start: time, end: time + .minutes(5), step: .minutes(1), from: source)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test func subqueriesOfSubqueriesEndAtTheTimeout() throws {
        var options = EngineOptions()
        options.timeout = Milliseconds(rawValue: 50)
        let source = MemorySource()
        source.append(try SeriesNotation(parsing: "m 1x600"), interval: .seconds(10))
        let text = Self.repeated("max_over_time(", "m", "[1h:1s])", times: 30)
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: options).instant(
                try Expression.parse(text), at: Timestamp(milliseconds: 6_000_000), from: source)
        }
        #expect(error == .timeout)
    }
}

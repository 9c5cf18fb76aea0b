import MetricModel
import PromQL
import Testing

@Suite struct QueryLimitTests {
    private let start = Timestamp(milliseconds: 0)
    private var table: SampleTable {
        var table = SampleTable()
        for index in 0..<20 { table.add(["__name__": "x", "n": "\(index)"], (0..<20).map(Double.init)) }
        return table
    }

    private func range(_ text: String, step: Milliseconds = .minutes(1), _ options: EngineOptions) throws {
        _ = try QueryEngine(options: options).range(
            Expression.parse(text), start: start, end: start + .minutes(19), step: step, from: table)
    }

    @Test func stopsWhereMoreSamplesThanAllowedWouldBeHeld() throws {
        var options = EngineOptions()
        options.maximumSamples = 400
        try range("sum(x)", options)
        #expect(throws: QueryError.tooManySamples) { try range("x + x", options) }
        options.maximumSamples = 399
        #expect(throws: QueryError.tooManySamples) { try range("sum(x)", options) }
    }

    @Test func refusesMoreStepsThanSamplesWithoutMakingThem() throws {
        var options = EngineOptions()
        options.maximumSamples = 1000
        #expect(throws: QueryError.tooManySamples) { try range("1", step: .milliseconds(1), options) }
        #expect(throws: QueryError.tooManySamples) { try range("sum_over_time(vector(1)[100d:1ms])", options) }
    }

    @Test func stopsAfterTheTimeout() throws {
        var options = EngineOptions()
        options.timeout = .milliseconds(-1)
        #expect(throws: QueryError.timeout) { try range("sum(x)", options) }
    }

    @Test func stopsWhenCancelled() throws {
        let cancellation = QueryCancellation()
        let expression = try Expression.parse("sum(x)")
        _ = try QueryEngine().instant(expression, at: start, from: table, cancellation: cancellation)
        cancellation.cancel()
        #expect(throws: QueryError.cancelled) {
            try QueryEngine().instant(expression, at: start, from: table, cancellation: cancellation)
        }
    }

    @Test func saysWhatAQueryCost() throws {
        let result = try QueryEngine().range(
            Expression.parse("sum(x)"), start: start, end: start + .minutes(19), step: .minutes(1), from: table)
        #expect(result.statistics.totalSamples == 400)
        #expect(result.statistics.peakSamples >= 400)
    }

    @Test func refusesRangeVectorsInRangeQueries() throws {
        #expect(
            throws: QueryError.execution(
                "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector")
        ) {
            try range("x[5m]", EngineOptions())
        }
    }
}

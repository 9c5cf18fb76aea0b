import MetricModel
import PromQL
import TestSupport
import Testing

/// Series that come, go, reset and have missing samples, and expressions over them.
private struct RandomSubject {
    var generator: SeededGenerator

    mutating func table() -> SampleTable {
        var table = SampleTable()
        for job in 0..<Int.random(in: 1...3, using: &generator) {
            for instance in 0..<Int.random(in: 1...4, using: &generator) {
                for name in ["a_total", "b_total"] where Int.random(in: 0..<5, using: &generator) > 0 {
                    var value = 0.0
                    let values = (0..<30).map { _ -> Double? in
                        if Int.random(in: 0..<9, using: &generator) == 0 { return nil }
                        if Int.random(in: 0..<15, using: &generator) == 0 { return .staleMarker }
                        value =
                            Int.random(in: 0..<8, using: &generator) == 0
                            ? 0 : value + Double.random(in: 0...10, using: &generator)
                        return value
                    }
                    table.add(["__name__": name, "job": "j\(job)", "instance": "i\(instance)"], values)
                }
            }
        }
        return table
    }

    mutating func expression(depth: Int = 3) -> String {
        let name = ["a_total", "b_total"].randomElement(using: &generator)!
        let leaves = [
            name, "rate(\(name)[5m])", "increase(\(name)[3m] offset 1m)", "max_over_time(\(name)[4m])",
            "sum_over_time(\(name)[10m:2m])", "\(name) @ 600",
            "delta(\(name)[4m:1m] offset 2m)", "last_over_time(\(name)[3m])",
        ]
        if depth == 0 { return leaves.randomElement(using: &generator)! }
        let inner = expression(depth: depth - 1)
        let other = expression(depth: depth - 1)
        let operation = ["+", "-", "*", "/", "> bool", "<="].randomElement(using: &generator)!
        return [
            "sum by (job) (\(inner))", "avg without (instance) (\(inner))", "count(\(inner))",
            "min by (instance) (\(inner))",
            "(\(inner)) \(operation) 3", "2 \(operation) (\(inner))",
            "sum by (job) (\(inner)) \(operation) sum by (job) (\(other))",
            "sum by (job, instance) (\(inner)) \(operation) on (job) group_left () max by (job) (\(other))",
            "(\(inner)) and (\(other))", "(\(inner)) unless on (job) (\(other))",
            "sum by (job) (\(inner)) or sum by (instance) (\(other))", "abs(\(inner))", "-(\(inner))",
            "absent(\(inner))", "quantile by (job) (0.3, \(inner))", "stddev(\(inner))", "clamp_max(\(inner), 7)",
            "vector(scalar(count(\(inner))))",
        ].randomElement(using: &generator)!
    }
}

@Suite struct PreparedQueryTests {
    /// The result as text that is equal for equal results.
    private func text(_ result: Result<QueryResult, QueryError>) -> String {
        switch result {
        case .failure(let error): return "\(error)"
        case .success(let result):
            guard case .vector(let elements) = result.value else { return "\(result.value)" }
            return elements.map { "\($0.labels) \($0.value)" }.sorted().joined(separator: "\n")
        }
    }

    private func outcome(_ body: () throws(QueryError) -> QueryResult) -> Result<QueryResult, QueryError> {
        do {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }

    @Test func evaluatesLikeAFreshQueryWhileSeriesComeAndGo() throws {
        var subject = RandomSubject(generator: SeededGenerator())
        let seed = subject.generator.seed
        for _ in 0..<150 {
            let text = subject.expression()
            let expression = try Expression.parse(text)
            let prepared = QueryEngine().prepare(expression)
            for _ in 0..<4 {
                let table = subject.table()
                let moment = Timestamp(milliseconds: Int64.random(in: 0...1_800_000, using: &subject.generator))
                let kept = outcome { () throws(QueryError) in try prepared.instant(at: moment, from: table) }
                let fresh = outcome { () throws(QueryError) in
                    try QueryEngine().instant(expression, at: moment, from: table)
                }
                #expect(self.text(kept) == self.text(fresh), "\(text) at \(moment), seed \(seed)")
            }
        }
    }

    @Test func aRangeQueryIsAnInstantQueryAtEachStep() throws {
        var subject = RandomSubject(generator: SeededGenerator())
        let seed = subject.generator.seed
        for _ in 0..<150 {
            let text = subject.expression()
            let expression = try Expression.parse(text)
            let table = subject.table()
            let range = outcome { () throws(QueryError) in
                try QueryEngine().range(
                    expression, start: Timestamp(milliseconds: 300_000), end: Timestamp(milliseconds: 1_500_000),
                    step: .seconds(150), from: table)
            }
            // Matching errors of one step fail a range query as a whole.
            guard case .success(let result) = range, case .matrix(let series) = result.value else { continue }
            for time in stride(from: Int64(300_000), through: 1_500_000, by: 150_000) {
                let moment = Timestamp(milliseconds: time)
                let instant = outcome { () throws(QueryError) in
                    try QueryEngine().instant(expression, at: moment, from: table)
                }
                let column = series.compactMap { samples in
                    samples.timestamps.firstIndex(of: time).map { "\(samples.labels) \(samples.values[$0])" }
                }
                #expect(
                    column.sorted().joined(separator: "\n") == self.text(instant),
                    "\(text) at \(time), seed \(seed)")
            }
        }
    }
}

import MetricModel
import PromQL
import Testing

@Suite struct QueryEngineTests {
    private var requests: SampleTable {
        var table = SampleTable()
        table.add(["__name__": "requests_total", "job": "api", "instance": "0"], (0...10).map { Double($0 * 10) })
        table.add(["__name__": "requests_total", "job": "api", "instance": "1"], (0...10).map { Double($0 * 20) })
        table.add(["__name__": "requests_total", "job": "web", "instance": "0"], (0...10).map { Double($0 * 30) })
        return table
    }

    private func vector(_ text: String, at moment: Int64 = 600_000) throws -> [String] {
        let result = try QueryEngine().instant(
            Expression.parse(text), at: Timestamp(milliseconds: moment), from: requests)
        guard case .vector(let elements) = result.value else { return ["not a vector"] }
        return elements.map { "\($0.labels) \($0.value)" }.sorted()
    }

    @Test(arguments: [
        ("sum(requests_total)", ["{} 600.0"]),
        ("sum by (job) (rate(requests_total[5m]))", ["{job=\"api\"} 0.5", "{job=\"web\"} 0.5"]),
        (
            "requests_total / on (instance, job) requests_total == 1",
            [
                "{instance=\"0\", job=\"api\"} 1.0", "{instance=\"0\", job=\"web\"} 1.0",
                "{instance=\"1\", job=\"api\"} 1.0",
            ]
        ),
        ("topk(1, requests_total)", ["requests_total{instance=\"0\", job=\"web\"} 300.0"]),
        ("max_over_time(sum(requests_total)[3m:1m] offset 2m)", ["{} 480.0"]),
        ("absent(nothing{job=\"x\"})", ["{job=\"x\"} 1.0"]),
        ("requests_total{job=\"web\"} @ 60", ["requests_total{instance=\"0\", job=\"web\"} 30.0"]),
        ("count_values(\"v\", requests_total > 150)", ["{v=\"200\"} 1.0", "{v=\"300\"} 1.0"]),
    ])
    func instantQueriesGiveThePublishedSemantics(text: String, expected: [String]) throws {
        #expect(try vector(text) == expected)
    }
}

import Testing

@testable import PromQL

/// Edge cases of the language, as test scripts.
@Suite struct EdgeCaseTests {
    @Test(arguments: [
        (
            "equals: those first by their labels stay",
            """
            load 1m
              m{x="c"} 1
              m{x="a"} 1
              m{x="b"} 1
              m{x="d"} 0

            eval instant at 0 topk(2, m)
              expect ordered
              m{x="a"} 1
              m{x="b"} 1

            eval instant at 0 bottomk(2, m)
              expect ordered
              m{x="d"} 0
              m{x="b"} 1

            eval range from 0 to 0 step 1m topk(2, m)
              m{x="a"} 1
              m{x="b"} 1
            """
        ),
        (
            "NaN is taken where nothing else is left",
            """
            load 1m
              m{x="a"} NaN
              m{x="b"} 3
              m{x="c"} NaN
              m{x="d"} 2

            eval instant at 0 topk(3, m)
              expect ordered
              m{x="b"} 3
              m{x="d"} 2
              m{x="a"} NaN

            eval instant at 0 bottomk(2, m)
              expect ordered
              m{x="d"} 2
              m{x="b"} 3
            """
        ),
        (
            "a parameter that is NaN at one step",
            """
            load 1m
              k 0 stale 0
              m 1 1 1

            eval range from 0 to 2m step 1m topk(scalar(k), m)
              expect fail msg: Parameter value is NaN

            eval range from 0 to 2m step 1m limit_ratio(scalar(k), m)
              expect fail msg: Ratio value is NaN

            eval range from 0 to 1m step 1m quantile(2 + scalar(k), m)
              expect warn msg: PromQL warning: quantile value should be between 0 and 1, got NaN (1:10)
              {} Inf NaN
            """
        ),
        (
            "timestamp with @ forgets the offset",
            """
            load 10s
              m 0+1x10

            eval instant at 100s timestamp(m @ 50 offset 20s)
              {} 50

            eval instant at 100s timestamp(m offset 20s)
              {} 80
            """
        ),
        (
            "a float between histograms that do not go together",
            """
            load 1m
              m{x="a"} {{schema:0 count:1 buckets:[1]}}
              m{x="b"} 1
              m{x="c"} {{schema:-53 custom_values:[1] count:1 buckets:[1]}}

            eval instant at 0 sum(m)
              expect warn msg: PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "m" (1:5)
              expect warn msg: PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)
            """
        ),
        (
            "labels that are put together do not grow without end",
            """
            load 1m
              m{x="0123456789"} 1

            eval instant at 0 \(Self.nested("label_join(", 17, "m", #", "x", "-", "x", "x")"#))
              expect fail msg: label value is longer than 1048576 bytes

            eval instant at 0 \(Self.nested("label_replace(", 17, "m", #", "x", "$1$1", "x", "(.*)")"#))
              expect fail msg: label value is longer than 1048576 bytes
            """
        ),
    ])
    func scriptPasses(subject: String, script: String) {
        let report = PromQLScript(script, name: subject).run()
        #expect(report.isSuccess, "\(report.failures.map(\.description).joined(separator: "\n"))")
    }

    private static func nested(_ start: String, _ count: Int, _ core: String, _ end: String) -> String {
        String(repeating: start, count: count) + core + String(repeating: end, count: count)
    }
}

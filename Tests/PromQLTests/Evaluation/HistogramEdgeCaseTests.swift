import Testing

@testable import PromQL

/// Edge cases of native histograms, as test scripts.
@Suite struct HistogramEdgeCaseTests {
    @Test(arguments: [
        (
            "a division by zero leaves no buckets",
            """
            load 1m
              h {{schema:1 sum:-4 count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2] n_buckets:[2 3]}}
              nothing {{}}
              zero 0

            eval instant at 0 h / 0
              {} {{schema:1 sum:-Inf count:Inf z_bucket:Inf z_bucket_w:0.01}}

            eval instant at 0 h / zero
              {} {{schema:1 sum:-Inf count:Inf z_bucket:Inf z_bucket_w:0.01}}

            eval instant at 0 nothing / 0
              {} {{sum:NaN count:NaN z_bucket:NaN}}
            """
        ),
        (
            "a negative factor leaves a gauge",
            """
            load 1m
              h {{sum:4 count:9 buckets:[4 5] counter_reset_hint:reset}}

            eval instant at 0 h * -2
              {} {{sum:-8 count:-18 buckets:[-8 -10] counter_reset_hint:gauge}}

            eval instant at 0 h / -2
              {} {{sum:-2 count:-4.5 buckets:[-2 -2.5] counter_reset_hint:gauge}}

            eval instant at 0 -h
              {} {{sum:-4 count:-9 buckets:[-4 -5] counter_reset_hint:gauge}}

            eval instant at 0 h * 2
              {} {{sum:8 count:18 buckets:[8 10] counter_reset_hint:unknown}}
            """
        ),
        (
            "without a bucket the quantile is zero, however wide the zero bucket",
            """
            load 1m
              h {{sum:4 count:9 z_bucket_w:0.5}}

            eval instant at 0 histogram_quantile(0.9, h)
              {} 0
            """
        ),
    ])
    func script(name: String, text: String) {
        let report = PromQLScript(text, name: name).run()
        #expect(report.isSuccess, "\(report.failures.map(\.description).joined(separator: "\n"))")
        #expect(report.total > 0)
    }
}

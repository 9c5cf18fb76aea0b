import Exposition
import Instrumentation
import MetricModel
import MetricStore
import Testing

@testable import Scraper

@Suite struct TargetWriterTests {
    private typealias Bench = TargetWriterBench

    @Test func samplesGetTheTargetsLabels() throws {
        let bench = try Bench()
        try bench.scrape("a{job=\"own\",exported_job=\"x\",instance=\"\"} 1\n")
        #expect(
            try bench.labels("a")
                == [
                    [
                        "__name__": "a", "job": "job", "exported_job": "x", "exported_exported_job": "own",
                        "instance": "i",
                    ]
                ])
        #expect(try bench.samples("a") == "1@1.0")
    }

    @Test func honouredLabelsStay() throws {
        let bench = try Bench()
        bench.pool.honorsLabels = true
        try bench.scrape("a{job=\"own\"} 1\n")
        #expect(try bench.labels("a") == [["__name__": "a", "job": "own", "instance": "i"]])
    }

    @Test func everyScrapeReportsOnItself() throws {
        let bench = try Bench()
        bench.pool.metricRelabelRules = [RelabelRule.dropping("dropped")]
        let first = try bench.scrape("a 1\nb 2\ndropped 3\n")
        #expect((first.scraped, first.kept, first.added) == (3, 2, 2))
        try bench.scrape("a 1\nb 2\nc 2\ndropped 3\n")
        try bench.fail()
        #expect(try bench.samples("up") == "1@1.0 1@2.0 0@3.0")
        #expect(try bench.samples("scrape_samples_scraped") == "3@1.0 4@2.0 0@3.0")
        #expect(try bench.samples("scrape_samples_post_metric_relabeling") == "2@1.0 3@2.0 0@3.0")
        #expect(try bench.samples("scrape_series_added") == "2@1.0 1@2.0 0@3.0")
        #expect(try bench.samples("scrape_duration_seconds") == "0.25@1.0 0.25@2.0 0.25@3.0")
        #expect(try bench.samples("dropped") == "")
        #expect(try bench.labels("up") == [["__name__": "up", "job": "job", "instance": "i"]])
    }

    @Test func extraReportsAreTheLimitsAndTheSize() throws {
        let bench = try Bench()
        bench.pool.limits.samples = 5
        bench.extraTimeout = .seconds(10)
        try bench.scrape("a 1\n")
        try bench.scrape("a 1\nb 2\n")
        try bench.fail()
        try bench.fail(isTooLong: true)
        #expect(try bench.samples("scrape_timeout_seconds") == "10@1.0 10@2.0 10@3.0 10@4.0")
        #expect(try bench.samples("scrape_sample_limit") == "5@1.0 5@2.0 5@3.0 5@4.0")
        #expect(try bench.samples("scrape_body_size_bytes") == "4@1.0 8@2.0 0@3.0 -1@4.0")
        bench.extraTimeout = nil
        try bench.scrape("a 1\n")
        try bench.scrape("a 1\n")
        for name in ["scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"] {
            #expect(try bench.samples(name).hasSuffix(" stale@5.0"))
        }
    }

    @Test func vanishedSeriesGoStaleOnce() throws {
        let bench = try Bench()
        try bench.scrape("a 1\nb 1\n")
        try bench.scrape("a 2\n")
        try bench.scrape("a 3\n")
        try bench.scrape("b 4\na 4\n")
        #expect(try bench.samples("a") == "1@1.0 2@2.0 3@3.0 4@4.0")
        #expect(try bench.samples("b") == "1@1.0 stale@2.0 4@4.0")
    }

    @Test func failedScrapesMakeEverythingStaleOnce() throws {
        let bench = try Bench()
        try bench.scrape("a 1\n")
        try bench.fail()
        try bench.fail()
        try bench.scrape("a 2\n")
        #expect(try bench.samples("a") == "1@1.0 stale@2.0 2@4.0")
    }

    @Test func whatIsGoneAfterAFailureNeedsNoSecondMarker() throws {
        let bench = try Bench()
        try bench.scrape("a 1\nb 1\n")
        try bench.fail()
        try bench.scrape("a 2\n")
        try bench.scrape("a 3\nb 3\n")
        #expect(try bench.samples("b") == "1@1.0 stale@2.0 3@4.0")
    }

    @Test func brokenBodiesStoreNothing() throws {
        let bench = try Bench()
        try bench.scrape("a 1\n")
        let outcome = try bench.scrape("a 2\nc 3\nb{\n")
        #expect(outcome.failure?.description.hasPrefix("line 3: ") == true)
        #expect(try bench.samples("a") == "1@1.0 stale@2.0")
        #expect(try bench.samples("c") == "")
        #expect(try bench.samples("up") == "1@1.0 0@2.0")
    }

    @Test func ownTimestampsCountAndAreNotTracked() throws {
        let bench = try Bench()
        try bench.scrape("a 1 500\nb 1\n")
        try bench.scrape("b 2\n")
        #expect(try bench.samples("a") == "1@0.5")
        try bench.scrape("a 3 2500\nb 3\n")
        try bench.fail()
        #expect(try bench.samples("a") == "1@0.5 3@2.5")
        #expect(try bench.samples("b") == "1@1.0 2@2.0 3@3.0 stale@4.0")
    }

    @Test func ownTimestampsCanBeTrackedOrIgnored() throws {
        let tracked = try Bench()
        tracked.pool.tracksTimestampStaleness = true
        try tracked.scrape("a 1 500\n")
        try tracked.scrape("b 2\n")
        #expect(try tracked.samples("a") == "1@0.5 stale@2.0")
        let ignored = try Bench()
        ignored.pool.honorsTimestamps = false
        try ignored.scrape("a 1 500\n")
        try ignored.scrape("b 2\n")
        #expect(try ignored.samples("a") == "1@1.0 stale@2.0")
    }

    @Test func timestampsFarInTheFutureAreRefused() throws {
        let bench = try Bench()
        let outcome = try bench.scrape("a 1 9999999999999\nb 1 300000\n")
        #expect(outcome.refused == 1)
        #expect(try bench.samples("a") == "")
        #expect(try bench.samples("b") == "1@300.0")
    }

    @Test func doubleSeriesKeepTheirFirstSample() throws {
        let bench = try Bench()
        let outcome = try bench.scrape("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n")
        #expect(outcome.failure == nil)
        #expect(outcome.refused == 1)
        #expect(try bench.samples("a") == "1@1.0")
        try bench.scrape("a{y=\"2\",x=\"1\"} 3\n")
        #expect(try bench.samples("a") == "1@1.0 3@2.0")
    }

    @Test func sampleLimitFailsTheScrapeAndLeavesNoSeries() throws {
        let bench = try Bench()
        try bench.scrape("a 1\n")
        bench.pool.limits.samples = 2
        let before = bench.store.seriesGeneration
        let outcome = try bench.scrape("a 1\nb 1\nc 1\n")
        #expect(outcome.failure?.description == "sample_limit exceeded")
        #expect(bench.store.seriesGeneration == before)
        #expect(try bench.samples("a") == "1@1.0 stale@2.0")
        #expect(try bench.scrape("a 1\nb 1\n").failure == nil)
        #expect(try bench.samples("scrape_samples_post_metric_relabeling") == "1@1.0 3@2.0 2@3.0")
    }

    @Test func noTargetHasMoreSeriesThanTheCap() throws {
        let bench = try Bench(seriesCap: 10)
        let outcome = try bench.scrape((0..<11).map { "m\($0) 1\n" }.joined())
        #expect(outcome.failure?.description == "more than 10 samples")
        #expect(try bench.samples("m0") == "")
    }

    @Test func legacyNamesAreRequiredIfTheSchemeSaysSo() throws {
        func failure(_ body: String, _ validation: NameScheme.Validation = .legacy) throws -> String? {
            let bench = try Bench()
            bench.pool.names.validation = validation
            return try bench.scrape(body).failure?.description
        }
        #expect(try failure("a:b_1{c=\"ü.\"} 1\n") == nil)
        #expect(try failure("{\"a.b\"} 1\n", .utf8) == nil)
        #expect(
            try failure("{\"a.b\",c=\"d\"} 1\n")
                == "invalid metric name or label names: {__name__=\"a.b\", c=\"d\", instance=\"i\", job=\"job\"}")
        #expect(try failure("a{\"c.d\"=\"e\"} 1\n")?.hasPrefix("invalid metric name or label names: ") == true)
    }

    @Test func labelLimitsFailTheScrape() throws {
        func failure(_ change: (inout ScrapePool.Limits) -> Void) throws -> String {
            let bench = try Bench()
            change(&bench.pool.limits)
            return try bench.scrape("name{label=\"long value\"} 1\n").failure?.description ?? ""
        }
        #expect(
            try failure { $0.labels = 3 }.hasPrefix(
                "label_limit exceeded (metric: name, number of labels: 4, limit: 3)"))
        #expect(try failure { $0.labels = 4 } == "")
        #expect(try failure { $0.labelNameLength = 7 }.hasPrefix("label_name_length_limit exceeded"))
        #expect(try failure { $0.labelNameLength = 8 } == "")
        #expect(try failure { $0.labelValueLength = 9 }.hasPrefix("label_value_length_limit exceeded"))
        #expect(try failure { $0.labelValueLength = 10 } == "")
    }

    @Test func newRulesApplyAtOnce() throws {
        let bench = try Bench()
        try bench.scrape("a 1\nb 1\n")
        bench.pool.metricRelabelRules = [RelabelRule.dropping("b")]
        bench.generation += 1
        try bench.scrape("a 2\nb 2\n")
        try bench.scrape("a 3\nb 3\n")
        #expect(try bench.samples("a") == "1@1.0 2@2.0 3@3.0")
        #expect(try bench.samples("b") == "1@1.0 stale@2.0")
    }

    @Test func endedTargetsAreStaleWithTheirReports() throws {
        let bench = try Bench()
        try bench.scrape("a 1\n")
        try bench.end()
        #expect(try bench.samples("a") == "1@1.0 stale@2.0")
        #expect(try bench.samples("up") == "1@1.0 stale@2.0")
    }

    @Test func constitutionIsCheckedWhereItIsShown() throws {
        let silent = try Bench(hash: "good")
        try silent.scrape("a 1\n")
        #expect(try silent.samples("constitutional_hash_match") == "")
        let header = try Bench(hash: "good")
        try header.scrape("a 1\n", header: "good")
        try header.scrape("a 1\n", header: "bad")
        try header.scrape("a 1\n")
        try header.fail()
        try header.scrape("a 1\n", header: "good")
        #expect(try header.samples("constitutional_hash_match") == "1@1.0 0@2.0 0@3.0 stale@4.0 1@5.0")
        let label = try Bench(hash: "good")
        try label.scrape("a{constitutional_hash=\"good\"} 1\n")
        try label.scrape("a{constitutional_hash=\"good\"} 1\nb{constitutional_hash=\"bad\"} 1\n")
        try label.scrape("a{constitutional_hash=\"good\"} 1\n")
        #expect(try label.samples("constitutional_hash_match") == "1@1.0 0@2.0 1@3.0")
        let metric = try Bench(hash: "good")
        try metric.scrape("constitutional_hash{hash=\"bad\"} 1\n")
        #expect(try metric.samples("constitutional_hash_match") == "0@1.0")
        let off = try Bench()
        try off.scrape("a 1\n", header: "bad")
        #expect(try off.samples("constitutional_hash_match") == "")
    }
}

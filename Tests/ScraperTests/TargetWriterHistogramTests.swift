import Exposition
import MetricModel
import MetricStore
import TestSupport
import Testing

@testable import Scraper

/// Exemplars and native histograms on their way into the store.
@Suite struct TargetWriterHistogramTests {
    private typealias Bench = TargetWriterBench

    @Test func exemplarsAreKeptWhenTheyChange() throws {
        let bench = try Bench()
        func scrape(_ exemplar: String) throws -> TargetWriter.Outcome {
            try bench.scrape(Array("# TYPE a counter\na_total 5\(exemplar)\nb_total 1\n# EOF\n".utf8), .openMetrics)
        }
        _ = try scrape("")
        _ = try scrape(" # {id=\"a\"} 1")
        _ = try scrape(" # {id=\"a\"} 1")
        _ = try scrape(" # {id=\"b\"} 2")
        _ = try scrape(" # {id=\"c\"} 3 5.25")
        // One of another decade would keep the ones to come out.
        _ = try scrape(" # {id=\"d\"} 4 4000000000")
        #expect(try bench.exemplars("a_total") == ["{id=\"a\"} 1.0@2.0", "{id=\"b\"} 2.0@4.0", "{id=\"c\"} 3.0@5.25"])
        let broken = try bench.scrape(Array("a_total 5 # {id=\"e\"} 1\n".utf8), .openMetrics)
        #expect(broken.failure != nil)
        #expect(try bench.exemplars("a_total").count == 3)
        _ = try scrape(" # {id=\"e\"} 1")
        #expect(try bench.exemplars("a_total").last == "{id=\"e\"} 1.0@8.0")
    }

    @Test func exemplarsOfDroppedSeriesAreDropped() throws {
        let bench = try Bench()
        bench.pool.metricRelabelRules = [RelabelRule.dropping("a_total")]
        _ = try bench.scrape(Array("a_total 5 # {id=\"e\"} 1\n# EOF\n".utf8), .openMetrics)
        #expect(try bench.exemplars("a_total") == [])
    }

    /// A counter and a histogram that is native and classic.
    private func families(_ count: UInt64, exemplars: [UInt64] = []) -> [UInt8] {
        ProtobufMessage.delimited([
            ProtobufMessage.make { family in
                family.text(1, "h")
                family.number(3, 4)
                family.message(4) { metric in
                    metric.message(7) { histogram in
                        histogram.number(1, count)
                        histogram.double(2, 7.5)
                        histogram.signed(5, 3)
                        histogram.message(12) {
                            $0.signed(1, 8)
                            $0.number(2, 2)
                        }
                        histogram.packedSigned(13, [Int64(count) - 1, 2 - Int64(count)])
                        histogram.message(3) {
                            $0.number(1, count)
                            $0.double(2, 4)
                        }
                        for seconds in exemplars {
                            histogram.message(16) { exemplar in
                                exemplar.message(1) {
                                    $0.text(1, "id")
                                    $0.text(2, "e\(seconds)")
                                }
                                exemplar.double(2, 3)
                                exemplar.message(3) { $0.number(1, seconds) }
                            }
                        }
                    }
                }
            }
        ])
    }

    private func histograms(_ bench: Bench, _ name: String) throws -> [FloatHistogram?] {
        try bench.store.select(
            [Matcher("__name__", .equal, name)], from: .distantPast, through: .distantFuture, sampleLimit: 100
        ).flatMap(\.histograms)
    }

    @Test func nativeHistogramsAreStored() throws {
        let bench = try Bench()
        bench.pool.histograms.scrapesNative = true
        let outcome = try bench.scrape(families(5, exemplars: [2, 1]), .protobuf)
        #expect((outcome.scraped, outcome.kept, outcome.refused) == (1, 1, 0))
        try bench.scrape(families(6, exemplars: [2, 3, 1]), .protobuf)
        let stored = try histograms(bench, "h")
        #expect(stored.map(\.?.count) == [5, 6])
        #expect(stored[1]?.positiveBuckets == [5, 1])
        #expect(stored[1]?.positiveSpans == [.init(offset: 8, length: 2)])
        #expect(try bench.samples("h_count") == "")
        #expect(
            try bench.exemplars("h")
                == ["{id=\"e1\"} 3.0@1.0", "{id=\"e2\"} 3.0@2.0", "{id=\"e3\"} 3.0@3.0"])
        try bench.fail()
        #expect(try histograms(bench, "h").count == 3)
        #expect(try bench.samples("h").hasSuffix("stale@3.0"))
    }

    @Test func classicHistogramsStayWhereTheyAreAskedFor() throws {
        let bench = try Bench()
        try bench.scrape(families(5), .protobuf)
        #expect(try histograms(bench, "h") == [])
        #expect(try bench.samples("h_bucket", Matcher("le", .equal, "4.0")) == "5@1.0")
        #expect(try bench.samples("h_bucket", Matcher("le", .equal, "+Inf")) == "5@1.0")
        #expect(try bench.samples("h_sum") == "7.5@1.0")
        bench.pool.histograms.scrapesNative = true
        bench.pool.histograms.alwaysScrapesClassic = true
        bench.generation += 1
        try bench.scrape(families(6), .protobuf)
        #expect(try histograms(bench, "h").map(\.?.count) == [6])
        #expect(try bench.samples("h_count") == "5@1.0 6@2.0")
    }

    /// Relabelling may change the settings of one target, while those of its job stay.
    @Test func settingsOfATargetAloneTakeEffect() throws {
        let bench = try Bench()
        try bench.scrape(families(5), .protobuf)
        bench.pool.histograms.scrapesNative = true
        try bench.scrape(families(6), .protobuf)
        #expect(try histograms(bench, "h").map(\.?.count) == [6])
        #expect(try bench.samples("h_count") == "5@1.0 stale@2.0")
    }

    @Test func tooManyBucketsFailTheScrapeWhereTheyCannotBeJoined() throws {
        let bench = try Bench()
        bench.pool.histograms.scrapesNative = true
        bench.pool.histograms.minimumBucketFactor = 1.5
        try bench.scrape(families(5), .protobuf)
        #expect(try histograms(bench, "h").map(\.?.schema) == [0])
        bench.pool.histograms.bucketLimit = 1
        bench.generation += 1
        try bench.scrape(families(5), .protobuf)
        #expect(try histograms(bench, "h").last??.positiveBuckets == [5])
    }

    @Test func aTargetMayChangeBetweenTextAndProtobuf() throws {
        let bench = try Bench()
        let text = Array(
            "# TYPE h histogram\nh_bucket{le=\"4\"} 5\nh_bucket{le=\"+Inf\"} 5\nh_sum 7.5\nh_count 5\n".utf8)
        try bench.scrape(text, .text)
        try bench.scrape(families(6), .protobuf)
        try bench.scrape(text, .text)
        #expect(try bench.samples("h_bucket", Matcher("le", .equal, "4.0")) == "5@1.0 6@2.0 5@3.0")
    }
}

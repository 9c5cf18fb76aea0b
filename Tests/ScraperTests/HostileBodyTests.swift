import Exposition
import MetricModel
import MetricStore
import TestSupport
import Testing

@testable import Scraper

/// Responses that no honest target sends: the reason is reported, and other targets are not affected.
@Suite struct HostileBodyTests {
    private typealias Bench = TargetWriterBench

    private static func gauge(_ name: String, _ value: Double, label: [UInt8] = [], time: Int64 = 0) -> [UInt8] {
        ProtobufMessage.make { family in
            family.text(1, name)
            family.number(3, 1)
            family.message(4) { metric in
                if !label.isEmpty {
                    metric.message(1) {
                        $0.text(1, "l")
                        $0.bytes(2, label)
                    }
                }
                metric.message(2) { $0.double(1, value) }
                if time != 0 { metric.number(6, UInt64(bitPattern: time)) }
            }
        }
    }

    private static let good = gauge("good", 1)

    @Test(
        arguments: [
            ("good 1\na{l=\"\u{0}\"} 1\nb", .text, "line 3: expected value after metric, got the end of the body"),
            ("good 1\na{l=\"x", .text, "line 2: expected label value, got \"\\\"x\""),
            ("good 1\na 1 2 3\n", .text, "line 2: expected next entry after timestamp, got \"3\\n\""),
            ("good 1\na 99999999999999999999 99999999999999999999\n", .text, "line 2: timestamp out of range"),
            ("good 1\na 0x10\n", .text, "line 2: expected a number, got \"0x10\\n\""),
            ("good 1\n# EOF\ngood 2\n", .openMetrics, "line 2: unexpected data after # EOF"),
            ("good 1\n", .openMetrics, "data does not end with # EOF"),
            ("good 1 1e300\n# EOF\n", .openMetrics, "line 1: invalid timestamp"),
            ("good_total 1 # {a=\"b\"} 1 NaN\n# EOF\n", .openMetrics, "line 1: invalid exemplar timestamp"),
            ("good_total 1 # {a=\"b\",a=\"c\"} 1\n# EOF\n", .openMetrics, "label name \"a\" is not unique"),
            ("good{a=\"b\",a=\"c\"} 1\n", .text, "label name \"a\" is not unique"),
        ] as [(String, ExpositionFormat, String)])
    func textThatCannotBeFailsTheScrape(body: String, format: ExpositionFormat, reason: String) throws {
        try expect(Array(body.utf8), format, reason)
    }

    @Test func bytesThatAreNoTextFailTheScrape() throws {
        try expect(Array("good 1\na{l=\"".utf8) + [0xff] + Array("\"} 1\n".utf8), .text, "line 2: invalid UTF-8 text")
        try expect(
            ProtobufMessage.delimited([Self.good, Self.gauge("a", 1, label: [0xc3])]), .protobuf,
            "message 2 (a): a label value is not UTF-8")
    }

    @Test func protobufThatCannotBeFailsTheScrape() throws {
        func histogram(_ fill: @escaping (inout ProtobufMessage) -> Void) -> [UInt8] {
            ProtobufMessage.make { family in
                family.text(1, "h")
                family.number(3, 4)
                family.message(4) { $0.message(7, fill) }
            }
        }
        let cases: [([UInt8], String)] = [
            (Array(ProtobufMessage.delimited([Self.good]).dropLast()), "21 bytes announced where 20 are left"),
            ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "18446744073709551615 bytes announced"),
            (ProtobufMessage.delimited([[0x0a, 0x7f, 0x61]]), "127 bytes announced where 1 are left"),
            (Array("good 1\n".utf8), "103 bytes announced where 6 are left"),
            (
                ProtobufMessage.delimited([
                    Self.good,
                    histogram {
                        $0.message(12) { $0.number(2, 1_000_000_000) }
                        $0.packedSigned(13, [1])
                    },
                ]), "message 2 (h): positive spans need 1000000000 buckets, have 1"
            ),
            (
                ProtobufMessage.delimited([
                    histogram {
                        $0.number(1, 1)
                        $0.message(12) { $0.number(2, 1) }
                        $0.packedDoubles(14, [-1])
                        $0.double(4, 1)
                    }
                ]), "message 1 (h): a positive bucket with a negative count"
            ),
            (
                ProtobufMessage.delimited([
                    histogram {
                        $0.double(6, .nan)
                        $0.message(12) { $0.number(2, 0) }
                    }
                ]), "message 1 (h): a zero threshold that is not a width"
            ),
        ]
        for (body, reason) in cases { try expect(body, .protobuf, reason) }
    }

    /// Such a body stores nothing, ends what was there, and says why.
    private func expect(_ body: [UInt8], _ format: ExpositionFormat, _ reason: String) throws {
        let bench = try Bench()
        bench.pool.histograms.scrapesNative = true
        let opening = format == .protobuf ? ProtobufMessage.delimited([Self.good]) : Array("good 1\n# EOF\n".utf8)
        try bench.scrape(opening, format)
        let outcome = try bench.scrape(body, format)
        #expect(outcome.failure?.description.contains(reason) == true, "\(outcome.failure?.description ?? "accepted")")
        #expect(try bench.samples("good") == "1@1.0 stale@2.0")
        #expect(try bench.samples("up") == "1@1.0 0@2.0")
        #expect(try bench.labels("a") == [])
        let again = try bench.scrape(opening, format)
        #expect(again.failure == nil)
        #expect(try bench.samples("good") == "1@1.0 stale@2.0 1@3.0")
    }

    @Test func valuesOfEveryKindAreStored() throws {
        let bench = try Bench()
        // The bits of the staleness marker are a NaN like others when a target sends them.
        try bench.scrape(
            ProtobufMessage.delimited([
                Self.gauge("a", .infinity), Self.gauge("b", -.infinity), Self.gauge("c", .staleMarker),
                Self.gauge("d", Double(bitPattern: 0xfff8_0000_0000_0123)), Self.gauge("e", -0.0),
            ]), .protobuf)
        try bench.scrape("a +Inf\nb -inf\nc NaN\nd nan\ne -0\n")
        #expect(try bench.samples("a") == "+Inf@1.0 +Inf@2.0")
        #expect(try bench.samples("b") == "-Inf@1.0 -Inf@2.0")
        #expect(try bench.samples("c") == "NaN@1.0 NaN@2.0")
        #expect(try bench.samples("d") == "NaN@1.0 NaN@2.0")
        #expect(try bench.samples("e") == "-0@1.0 -0@2.0")
    }

    @Test func timesOfOtherAgesAreNotStored() throws {
        let bench = try Bench()
        try bench.scrape("a 1\n")
        let future = try bench.scrape("a 2 4102444800000\n")
        #expect(future.failure == nil)
        #expect(future.refused == 1)
        let past = try bench.scrape("a 3 1\n")
        #expect(past.refused == 1)
        try bench.scrape("a 4\n")
        // A series that starts to have its own timestamps is not tracked any more.
        #expect(try bench.samples("a") == "1@1.0 stale@2.0 4@4.0")
        for time in [Int64.max, .min, 4_102_444_800_000] {
            let outcome = try bench.scrape(ProtobufMessage.delimited([Self.gauge("p", 1, time: time)]), .protobuf)
            #expect(outcome.failure == nil)
        }
        #expect(try bench.samples("p") == "")
    }

    @Test func aSeriesThatStandsTwiceKeepsItsFirstSample() throws {
        let bench = try Bench()
        let outcome = try bench.scrape(
            ProtobufMessage.delimited([Self.gauge("a", 1), Self.gauge("a", 2), Self.gauge("a", 1)]), .protobuf)
        #expect(outcome.failure == nil)
        #expect(outcome.refused == 1)
        #expect(try bench.samples("a") == "1@1.0")
    }

    @Test func longLabelValuesAreStoredUnlessThereIsALimit() throws {
        let bench = try Bench()
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 10 << 20)
        let text = Array("a{l=\"".utf8) + long + Array("\"} 1\n".utf8)
        #expect(try bench.scrape(text, .text).failure == nil)
        let second = try bench.scrape(ProtobufMessage.delimited([Self.gauge("a", 2, label: long)]), .protobuf)
        #expect(second.failure == nil)
        #expect(try bench.labels("a").map { $0["l"]?.utf8.count } == [10 << 20])
        bench.pool.limits.labelValueLength = 1000
        bench.generation += 1
        for (body, format) in [
            (text, ExpositionFormat.text), (ProtobufMessage.delimited([Self.gauge("a", 2, label: long)]), .protobuf),
        ] {
            #expect(
                try bench.scrape(body, format).failure?.description
                    == "label_value_length_limit exceeded (metric: a, label name: l, length: 10485760, limit: 1000)")
        }
    }
}

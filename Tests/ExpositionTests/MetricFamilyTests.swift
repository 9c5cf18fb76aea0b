import Exposition
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

/// Prometheus's own protobuf cases; see the README beside them.
@Suite(.enabled(if: Conformance.isAvailable)) struct MetricFamilyConformanceTests {
    private static func json(_ path: String) throws -> JSON {
        try JSON(parsing: FileText.bytes("\(Conformance.directory ?? "")/exposition/\(path)"))
    }

    @Test func casesGiveTheirEntriesOrAreRefused() throws {
        let data = try Self.json("protobuf_data.json")
        var count = 0
        for entry in try Self.json("protobuf_cases.json")["cases"]?.elements ?? [] {
            let id = entry["id"]?.text ?? ""
            // Labels for type and unit are not supported; the scraper does the conversion.
            if id.contains("TypeAndUnitLabels=true") || id.contains("NHCB") { continue }
            count += 1
            let body = ExpositionBody(
                try #require(Base64.bytes(data[entry["data"]?.text ?? ""]?["base64"]?.text ?? "")))
            let options = entry["options"]
            let wanted = ExpositionOptions(
                nativeHistograms: options?["ignoreNativeHistograms"]?.text != "true",
                classicHistograms: options?["parseClassicHistograms"]?.text == "true", startTimestamps: true)
            guard entry["ok"]?.bool == true else {
                #expect(throws: ExpositionError.self, "\(id)") { try body.entries(.protobuf, options: wanted) }
                continue
            }
            let found = try body.entries(.protobuf, options: wanted).map(EntryText.text)
            #expect(found == (entry["entries"]?.elements ?? []).map(EntryText.text), "\(id)")
        }
        #expect(count == 4)
    }

    @Test func theLargerFileIsRead() throws {
        let bytes = try FileText.bytes("\(Conformance.directory ?? "")/exposition/files/protobuf")
        let samples = try ExpositionBody(bytes).entries(.protobuf).filter {
            if case .sample = $0 { true } else { false }
        }
        let text = try FileText.bytes("\(Conformance.directory ?? "")/exposition/files/text")
        let lines = try ExpositionBody(text).entries(.text).filter { if case .sample = $0 { true } else { false } }
        #expect(samples.count > 20)
        #expect(!lines.isEmpty)
    }
}

@Suite struct MetricFamilyTests {
    /// The reason why `body` is refused.
    private func refusal(_ body: [UInt8]) -> String? {
        do throws(ExpositionError) {
            var reader = BodyReader(.protobuf, .init(nativeHistograms: true))
            var result = ScrapedBody()
            try reader.parse(ExpositionBody(body), format: .protobuf, into: &result)
            return nil
        } catch {
            return error.description
        }
    }

    private func family(_ name: String, type: UInt64 = 1, _ fill: (inout ProtobufMessage) -> Void) -> [UInt8] {
        ProtobufMessage.make {
            $0.text(1, name)
            $0.number(3, type)
            fill(&$0)
        }
    }

    private func gauge(_ labels: [(String, String)], _ value: Double) -> [UInt8] {
        ProtobufMessage.make { metric in
            for (name, value) in labels {
                metric.message(1) {
                    $0.text(1, name)
                    $0.text(2, value)
                }
            }
            metric.message(2) { $0.double(1, value) }
        }
    }

    /// A native histogram of one metric.
    private func histogram(_ fill: (inout ProtobufMessage) -> Void) -> [UInt8] {
        ProtobufMessage.delimited([family("h", type: 4) { $0.message(4) { $0.message(7, fill) } }])
    }

    @Test func whatIsWrongIsNamed() {
        let good = family("g") { $0.bytes(4, gauge([], 1)) }
        #expect(refusal(ProtobufMessage.delimited([good])) == nil)
        #expect(refusal([]) == nil)
        #expect(
            refusal(Array(ProtobufMessage.delimited([good, good]).dropLast()))
                == "message 2: 18 bytes announced where 17 are left at byte 20")
        #expect(
            refusal(ProtobufMessage.delimited([family("") { $0.bytes(4, gauge([], 1)) }]))
                == "message 1: the metric name is empty")
        #expect(
            refusal(ProtobufMessage.delimited([family("g", type: 9) { $0.bytes(4, gauge([], 1)) }]))
                == "message 1 (g): unknown metric type 9 at byte 6")
        let twice = family("g") { $0.bytes(4, gauge([("a", "1"), ("a", "2")], 1)) }
        #expect(refusal(ProtobufMessage.delimited([twice])) == "message 1 (g): label name \"a\" is not unique")
        let unit = family("g") {
            $0.bytes(4, gauge([], 1))
            $0.text(5, "seconds")
        }
        #expect(
            refusal(ProtobufMessage.delimited([unit])) == "message 1 (g): unit \"seconds\" not a suffix of metric \"g\""
        )
        let binary = family("g") {
            $0.message(4) {
                $0.message(1) { label in
                    label.text(1, "a")
                    label.bytes(2, [0xff])
                }
            }
        }
        #expect(refusal(ProtobufMessage.delimited([binary])) == "message 1 (g): a label value is not UTF-8")
    }

    @Test func histogramsThatCannotBeAreRefused() {
        func span(_ offset: Int64, _ length: UInt64) -> (inout ProtobufMessage) -> Void {
            {
                $0.signed(1, offset)
                $0.number(2, length)
            }
        }
        #expect(
            refusal(
                histogram {
                    $0.number(1, 3)
                    $0.message(12, span(0, 2))
                    $0.packedSigned(13, [1, 1])
                }) == nil)
        #expect(
            refusal(
                histogram {
                    $0.message(12, span(0, 1_000_000_000))
                    $0.packedSigned(13, [1])
                }) == "message 1 (h): positive spans need 1000000000 buckets, have 1")
        #expect(
            refusal(
                histogram {
                    for _ in 0..<8 { $0.message(9, span(1 << 30, 1 << 31)) }
                })?.contains("negative spans need 2147483648 buckets, have 0") == true)
        #expect(
            refusal(
                histogram {
                    $0.message(12, span(0, 2))
                    $0.packedSigned(13, [1, -2])
                }) == "message 1 (h): a positive bucket with a negative count")
        #expect(
            refusal(
                histogram {
                    $0.number(1, 4)
                    $0.message(12, span(0, 2))
                    $0.packedSigned(13, [1, 1])
                }) == "message 1 (h): 3 observations in the buckets, but a count of 4")
        #expect(
            refusal(
                histogram {
                    $0.signed(5, 99)
                    $0.message(12, span(0, 0))
                }) == "message 1 (h): unknown histogram schema 99")
        #expect(
            refusal(
                histogram {
                    $0.message(12, span(0, 1))
                    $0.message(12, span(-1, 1))
                    $0.packedSigned(13, [0, 0])
                }) == "message 1 (h): positive span 2 has a negative offset")
    }

    @Test func theReaderGivesWhatTheEntriesSay() throws {
        var reader = BodyReader(.protobuf)
        var result = ScrapedBody()
        var known: [Int32: Labels] = [:]
        var row: [Int32] = []
        var generator = SeededGenerator(seed: 7)
        for round in 0..<200 {
            var families: [[UInt8]] = []
            for index in 0..<5 where Int.random(in: 0..<20, using: &generator) > 0 {
                let metrics = (0..<3).filter { _ in Int.random(in: 0..<20, using: &generator) > 0 }
                families.append(
                    family("m\(index)") { family in
                        for metric in metrics { family.bytes(4, gauge([("n", "\(metric)")], Double(round))) }
                    })
            }
            var bytes = ProtobufMessage.delimited(families)
            if round % 10 == 9, !bytes.isEmpty { bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= 0x55 }
            let body = ExpositionBody(bytes)
            let wanted = try? body.entries(.protobuf).compactMap { entry -> ExpositionSample? in
                if case .sample(let sample) = entry { sample } else { nil }
            }
            let parsed = (try? reader.parse(body, format: .protobuf, into: &result)) != nil
            #expect(parsed == (wanted != nil))
            guard let wanted, parsed else {
                reader.discard()
                continue
            }
            for series in result.newSeries { known[series.number] = series.labels }
            if !result.isUnchanged { row = result.series }
            #expect(result.values == wanted.map(\.value))
            #expect(row.map { known[$0] } == wanted.map(\.labels))
            for number in reader.commit() { known[number] = nil }
        }
    }

    @Test func theSameSeriesAreExpectedWithoutLooking() throws {
        var reader = BodyReader(.protobuf)
        var result = ScrapedBody()
        for value in [1.0, 2, 3] {
            let body = ProtobufMessage.delimited([
                family("a") { for index in 0..<3 { $0.bytes(4, gauge([("i", "\(index)")], value)) } },
                family("b") { $0.bytes(4, gauge([], value)) },
            ])
            try reader.parse(ExpositionBody(body), format: .protobuf, into: &result)
            reader.commit()
            #expect(result.isUnchanged == (value > 1))
            #expect(result.values == [value, value, value, value])
        }
        #expect(
            reader.metadata() == [
                .type(metric: "a", .gauge), .help(metric: "a", ""), .type(metric: "b", .gauge), .help(metric: "b", ""),
            ])
    }

    @Test func brokenBytesNeverTrap() throws {
        let whole =
            histogram {
                $0.number(1, 3)
                $0.double(6, 0.5)
                $0.message(12) {
                    $0.signed(1, 3)
                    $0.number(2, 2)
                }
                $0.packedSigned(13, [1, 1])
                $0.message(16) { exemplar in
                    exemplar.message(1) {
                        $0.text(1, "id")
                        $0.text(2, "x")
                    }
                    exemplar.double(2, 5)
                    exemplar.message(3) { $0.number(1, 1_600_000_000) }
                }
            } + ProtobufMessage.delimited([family("g") { $0.bytes(4, gauge([("a", "b")], 1)) }])
        var generator = SeededGenerator(seed: 11)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            let body = ExpositionBody(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator))))
            if (try? body.entries(.protobuf, options: .init(nativeHistograms: true, classicHistograms: true))) != nil {
                accepted += 1
            }
        }
        #expect(accepted > 0)
    }
}

/// RFC 4648 text.
enum Base64 {
    static func bytes(_ text: String) -> [UInt8]? {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var bits = 0
        var count = 0
        var bytes: [UInt8] = []
        for character in text.utf8 where character != UInt8(ascii: "=") {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            bits = (bits << 6 | value) & 0xffff
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return bytes
    }
}

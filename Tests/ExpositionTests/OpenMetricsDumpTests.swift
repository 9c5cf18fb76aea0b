import Exposition
import MetricModel
import Testing

@Suite struct OpenMetricsDumpTests {
    private struct Read: Equatable {
        var series: [Labels] = []
        var samples: [String] = []
    }

    /// Reads `text` in pieces of `size` bytes.
    private func read(_ text: String, size: Int = .max, maximumSeries: Int = 100) throws -> Read {
        var dump = OpenMetricsDump(maximumSeries: maximumSeries)
        var result = Read()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = rest.prefix(size)
            rest = rest.dropFirst(piece.count)
            try dump.read(Array(piece)) { result.samples.append("\($0) \($1) \($2.isNaN ? "NaN" : "\($2)")") }
        }
        try dump.finish()
        result.series = dump.series
        return result
    }

    private func failure(_ text: String, maximumSeries: Int = 100) -> String? {
        do {
            _ = try read(text, maximumSeries: maximumSeries)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private static let text = """
        # HELP http_requests_total Requests.
        # TYPE http_requests_total counter
        http_requests_total{code="200", method="get"} 1027 1395066363.000
        http_requests_total{code="200", method="get"} 1028 1395066378
        http_requests_total{code="400",method="get"} 3 1395066363.5 # {trace_id="x"} 1 1395066363
        up{} 1 1395066363.123
        up 0 1395066364.1239
        {"näme","läbel"="a \\"b\\" \\\\ \\n"} -1.5e-3 -0.25
        http_requests_total{method="get",code="200"} NaN 1.5e3
        e +Inf 0
        # EOF

        """

    @Test(arguments: [1, 2, 3, 7, 64, 1000])
    func piecesOfAnySizeGiveTheSame(size: Int) throws {
        let found = try read(Self.text, size: size)
        #expect(
            found.series == [
                ["__name__": "http_requests_total", "code": "200", "method": "get"],
                ["__name__": "http_requests_total", "code": "400", "method": "get"],
                ["__name__": "up"], ["__name__": "näme", "läbel": "a \"b\" \\ \n"], ["__name__": "e"],
            ])
        #expect(
            found.samples == [
                "0 1395066363000 1027.0", "0 1395066378000 1028.0", "1 1395066363500 3.0", "2 1395066363123 1.0",
                "2 1395066364123 0.0", "3 -250 -0.0015", "0 1500000 NaN", "4 0 inf",
            ])
    }

    @Test func seriesThatAlternateAreTold() throws {
        var text = ""
        var expected: [String] = []
        for round in 0..<4 {
            for series in [0, 1, 2, 1, 3] where round % 2 == 0 || series != 2 {
                text += "m{i=\"\(series)\"} \(round) \(round)\n"
                expected.append("\([0, 1, 2, 3][series]) \(round * 1000) \(round).0")
            }
        }
        #expect(try read(text + "# EOF").samples == expected)
    }

    /// A name that begins with another one, and zeros in a label value.
    @Test func similarSeriesAreTold() throws {
        let text = "a 1 1\na 2 2\nab 3 3\na{x=\"\u{0}b\"} 4 4\na{x=\"\u{0}c\"} 5 5\na 6 6\n# EOF\n"
        #expect(
            try read(text).samples == [
                "0 1000 1.0", "0 2000 2.0", "1 3000 3.0", "2 4000 4.0", "3 5000 5.0", "0 6000 6.0",
            ])
    }

    @Test(arguments: [
        ("a 1 1\nb{x=1} 1 1\n# EOF\n", "line 2: expected label value, got \"1} 1 \""),
        ("a 1 1\n\n# EOF\n", "line 2: expected a valid start token, got \"\\n# EO\""),
        ("a 1 1\na 2\n# EOF\n", "line 2: a sample without a timestamp"),
        ("a 1 1\na x 2\n# EOF\n", "line 2: expected a number, got \"x 2\\n#\""),
        ("a 1 now\n# EOF\n", "line 1: expected a number, got \"now\\n#\""),
        ("a 1 1e300\n# EOF\n", "line 1: invalid timestamp"),
        ("a 1 1 2\n# EOF\n", "line 1: expected next entry after timestamp, got \" 2\\n# \""),
        ("a 1 1\n", "line 2: the data does not end with # EOF: it may be cut short"),
        ("a 1 1\n# EO", "line 2: the data does not end with # EOF: it may be cut short"),
        ("# EOF\na 1 1\n", "line 2: unexpected data after # EOF"),
        ("{a=\"b\"} 1 1\n# EOF\n", "line 1: metric name not set"),
        ("a{b=\"c\",b=\"d\"} 1 1\n# EOF\n", "line 1: label name \"b\" is not unique"),
    ])
    func faultsHaveTheirLine(text: String, message: String) {
        #expect(failure(text) == message)
    }

    @Test func limitsApply() {
        #expect(failure("a 1 1\nb 1 1\nc 1 1\n# EOF\n", maximumSeries: 2) == "line 3: there are more than 2 series")
        let long = "a{b=\"" + String(repeating: "x", count: OpenMetricsDump.longestLine)
        #expect(failure("a 1 1\n" + long) == "line 2: the line is longer than 1048576 bytes")
    }
}

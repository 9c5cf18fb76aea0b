import CurlHTTP
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// `tribune import openmetrics` and `tribune export openmetrics`, beside Debian's promtool and Prometheus.
@Suite struct DumpTests {
    private let directory = TemporaryDirectory()

    private static let start: Int64 = 1_700_000_000

    /// Two hours of counters, gauges and histograms of three targets, of which one ends early. No sample is exactly at
    /// the start of a range: Prometheus 2 counts it, Prometheus 3 does not.
    private static func dump() -> String {
        var text = "# TYPE requests counter\n"
        for target in 0..<3 {
            let last = target == 1 ? 300 : 480
            for code in ["200", "500"] {
                for row in 0..<last {
                    let time = start + Int64(row * 15)
                    let value = row * (code == "200" ? 7 : 1) % 4000
                    text += "requests_total{code=\"\(code)\", instance=\"i\(target)\", job=\"api\"} "
                    text += "\(value) \(time).\(target + 1)00\n"
                }
            }
        }
        for target in 0..<3 {
            for (index, bound) in ["0.1", "0.5", "+Inf"].enumerated() {
                for row in 0..<480 {
                    text += "latency_bucket{instance=\"i\(target)\",job=\"api\",le=\"\(bound)\"} "
                    text += "\(row * (index + 1 + target)) \(start + Int64(row * 15)).\(target + 1)\n"
                }
            }
        }
        for row in 0..<480 { text += "temperature \(Double(row % 37) / 4) \(start + Int64(row * 15)).25\n" }
        return text + "# EOF\n"
    }

    private static let queries = [
        "sum by (code) (rate(requests_total[5m]))", "requests_total", "sum(increase(requests_total[1h]))",
        "histogram_quantile(0.9, sum by (le) (rate(latency_bucket[10m])))", "avg_over_time(temperature[30m])",
        "max by (instance) (latency_bucket)", "count(requests_total)", "temperature offset 10m",
        "resets(requests_total[2h])", "stddev_over_time(temperature[1h])", "topk(2, rate(latency_bucket[5m]))",
        "sum(requests_total{code=\"500\"}) / sum(requests_total)", "deriv(temperature[20m])",
    ]

    private func run(_ arguments: [String], input: String? = nil) throws -> TribuneProgram.Result {
        try TribuneProgram.run(arguments + ["--storage.path=\(directory.file("data"))"], input: input)
    }

    /// The answers of a server, from a range of times.
    private func answers(_ port: Int) throws -> [String] {
        try Self.queries.map { query in
            let escaped = query.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            let answer = try HTTPClient().send(
                HTTPRequest(
                    url: "http://127.0.0.1:\(port)/api/v1/query_range?query=\(escaped)&start=\(Self.start)"
                        + "&end=\(Self.start + 8000)&step=97"))
            #expect(answer.status == 200)
            let result = try JSON(parsing: answer.body)["data"]?["result"]?.elements ?? []
            return result.map { series in
                let values = series["values"]?.elements ?? []
                // The order of sums is not fixed.
                let rounded = values.map { pair in
                    let parts = pair.elements ?? []
                    let value = parts.last?.text.flatMap(Double.init) ?? .nan
                    return "\(parts.first?.encoded ?? "") \((value * 1e9).rounded() / 1e9)"
                }
                return "\(query): \(series["metric"]?.encoded ?? "") \(rounded)"
            }.sorted().joined(separator: "\n")
        }
    }

    @Test func historyIsTheSameAsInPrometheusAfterItsImport() throws {
        guard access("/usr/bin/promtool", X_OK) == 0 else {
            print("skipped: Debian's prometheus is not installed")
            return
        }
        let text = Self.dump()
        let file = directory.write(text, to: "dump.txt")
        let imported = try run(["import", "openmetrics", file])
        #expect(imported.exit == .code(0), "\(imported.errors)")
        #expect(imported.output.hasPrefix("7320 samples of 16 series from 2023-11-14T22:13:20"), "\(imported.output)")
        let blocks = directory.file("blocks")
        let made = try TribuneProgram.run(program: [
            "/usr/bin/promtool", "tsdb", "create-blocks-from", "openmetrics",
            // Its reader takes no blanks between labels.
            directory.write(text.replacing(", ", with: ","), to: "strict.txt"), blocks,
        ])
        #expect(made.exit == .code(0), "\(made.errors)")
        let port = Loopback.freePort()
        let prometheus = try ChildProcess([
            "/usr/bin/prometheus", "--config.file=/dev/null", "--storage.tsdb.path=\(blocks)",
            "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:\(port)",
        ])
        defer { prometheus.stop() }
        #expect(
            Loopback.eventually {
                // It does not listen yet.
                (try? HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)/-/ready")).status) == 200
            })
        let source = directory.file("data")
        let tribune = try RunningTribune(
            ["prometheus.yml": "scrape_configs: []\n"], config: "prometheus.yml",
            flags: ["--storage.retention.time=100y"],
            prepare: { prepared in
                let copied = try TribuneProgram.run(program: ["/bin/cp", "-r", source, prepared.file("data")])
                #expect(copied.exit == .code(0))
            })
        let expected = try answers(port)
        #expect(expected.allSatisfy { $0.count > 100 })
        #expect(try answers(tribune.port) == expected)
        // Its directory is in use.
        let refused = try TribuneProgram.run([
            "import", "openmetrics", file, "--storage.path=\(tribune.directory.file("data"))",
        ])
        #expect(refused.exit == .code(1) && refused.errors.contains("a server uses"), "\(refused.errors)")
        let exported = try TribuneProgram.run([
            "export", "openmetrics", "--storage.path=\(tribune.directory.file("data"))",
        ])
        #expect(exported.exit == .code(1) && exported.errors.contains("a server uses"))
    }

    @Test func anExportIsImportedAgain() throws {
        _ = try run(["import", "openmetrics", "-"], input: Self.dump())
        let exported = try run(["export", "openmetrics"])
        #expect(exported.exit == .code(0))
        let lines = exported.output.split(separator: "\n")
        #expect(lines.count == 7321 && lines.last == "# EOF")
        #expect(lines.contains(#"requests_total{code="500",instance="i2",job="api"} 479 1700007185.300"#))
        let other = directory.file("other")
        let again = try TribuneProgram.run(
            ["import", "openmetrics", "-", "--storage.path=\(other)"], input: exported.output)
        #expect(again.exit == .code(0), "\(again.errors)")
        let second = try TribuneProgram.run(["export", "openmetrics", "--storage.path=\(other)"])
        #expect(second.output == exported.output)
        // A part of it.
        let part = try run([
            "export", "openmetrics", #"--match={__name__="temperature"}"#, "--match=requests_total{code=\"500\"}",
            "--from=\(Self.start + 15)", "--to=\(Self.start + 30)",
        ])
        #expect(
            part.output.split(separator: "\n").sorted() == [
                "# EOF",
                #"requests_total{code="500",instance="i0",job="api"} 1 1700000015.100"#,
                #"requests_total{code="500",instance="i1",job="api"} 1 1700000015.200"#,
                #"requests_total{code="500",instance="i2",job="api"} 1 1700000015.300"#,
                "temperature 0.25 1700000015.250",
            ])
    }

    @Test func aFaultyFileChangesNothing() throws {
        let file = directory.write("a 1 1\na 2 2\nb{ 3 3\n# EOF\n", to: "faulty.txt")
        let refused = try run(["import", "openmetrics", file])
        #expect(
            refused.exit == .code(1) && refused.errors.contains("faulty.txt: line 3: expected"), "\(refused.errors)")
        #expect(access(directory.file("data"), F_OK) != 0)
        // Of standard input, the samples before are stored, as the message says.
        let part = try run(["import", "openmetrics", "-"], input: "a 1 1\na 2 2\nb{ 3 3\n# EOF\n")
        #expect(part.exit == .code(1))
        #expect(
            part.errors.contains("standard input: line 3: expected") && part.errors.contains("2 samples before it"),
            "\(part.errors)")
        #expect(try run(["export", "openmetrics"]).output == "a 1 1.000\na 2 2.000\n# EOF\n")
    }

    @Test func nothingThatIsNoSampleIsAnEnd() throws {
        let text = "a 1 1\na NaN 2\n# EOF\n"
        _ = try run(["import", "openmetrics", "-"], input: text)
        #expect(try run(["export", "openmetrics"]).output == "a 1 1.000\na NaN 2.000\n# EOF\n")
        let missing = try TribuneProgram.run(["export", "openmetrics", "--storage.path=\(directory.file("none"))"])
        #expect(missing.exit == .code(1) && missing.errors.contains("there are no samples in"))
        #expect(try run(["export", "openmetrics", "--match={"]).exit == .code(2))
    }
}

import JSON
import Runtime
import TestSupport
import Testing

/// Series that a running Tribune records besides what rollback rules measure.
@Suite struct HistoryRecordTests {
    @Test func `chosen series and those of marked rules are in the record with their labels`() throws {
        let tribune = try RunningTribune([
            "prometheus.yml": """
            global: {scrape_interval: 1s, evaluation_interval: 1s}
            rule_files: [rules.yml]
            scrape_configs:
            - job_name: tribune
              static_configs:
              - {targets: ['127.0.0.1:PORT'], labels: {env: blue}}
            """,
            "rules.yml": """
            groups:
            - name: g
              rules:
              - {record: kept, expr: 'count(up)', labels: {service: auth}, record_history: true}
              - {record: dropped, expr: 'count(up)'}
            """,
            "tribune.yml": """
            prometheus_config: prometheus.yml
            history:
              record: [{match: 'up{env="blue"}', interval: 1s}]
            """,
        ])
        func recorded() throws -> Double {
            try tribune.query("tribune_history_measurements_total").values.compactMap(Double.init).first ?? 0
        }
        #expect(try Loopback.eventually { try recorded() >= 6 }, "\(tribune.log)")
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        let export = tribune.directory.file("export")
        let exported = try TribuneProgram.run([
            "audit", "export", export, "--config.file=\(tribune.directory.file("tribune.yml"))",
            "--storage.path=\(tribune.directory.file("data"))",
        ])
        #expect(exported.exit == .code(0), "\(exported.errors)")
        let lines = try (FileText.read("\(export)/measurements.jsonl") ?? "").split(separator: "\n")
            .map { try JSON(parsing: String($0)) }
        let names = Set(lines.compactMap { $0["labels"]?["__name__"]?.text })
        #expect(names == ["up", "kept"])
        let kept = try #require(lines.first { $0["labels"]?["__name__"]?.text == "kept" })
        #expect(kept["value"]?.text == "1" && kept["labels"]?["service"]?.text == "auth")
        #expect(lines.allSatisfy { ($0["timestamp"]?.integer ?? 1) % 1000 == 0 })
    }

    @Test(arguments: [
        ("[{match: 'a b'}]", "match"), ("[{match: up, interval: 10ms}]", "interval"), ("[{interval: 1s}]", "match"),
        ("[{match: up, every: 1s}]", "every"),
    ]) func `a wrong entry is refused with its place`(record: String, field: String) throws {
        let directory = TemporaryDirectory()
        directory.write("{}\n", to: "prometheus.yml")
        let path = directory.write(
            "prometheus_config: prometheus.yml\nhistory:\n  record: \(record)\n", to: "tribune.yml")
        let result = try TribuneProgram.run(["check", "config", path])
        #expect(result.exit != .code(0))
        let text = result.output + result.errors
        #expect(text.contains("tribune.yml:3:") && text.contains("history.record[0]"), "\(text)")
        #expect(text.contains(field), "\(text)")
    }

    @Test(arguments: [
        ("connection: 'host=db password=hunter2 dbname'", "connection"), ("connection: db.example:5432", "connection"),
        ("connection_file: secret", "connection_file"),
    ])
    func aMalformedConnectionIsRefusedWithItsFieldAndWithoutItsText(given: String, field: String) throws {
        let directory = TemporaryDirectory()
        directory.write("host=db password=hunter2 dbname\n", to: "secret")
        directory.write("global: {}\n", to: "prometheus.yml")
        let file = directory.write(
            "prometheus_config: prometheus.yml\nhistory:\n  postgres: {\(given)}\n", to: "tribune.yml")
        let result = try TribuneProgram.run(["check", "config", file])
        let text = result.output + result.errors
        #expect(result.exit == .code(1))
        #expect(
            text.contains("tribune.yml:3:") && text.contains("history.postgres.\(field): the connection string is"),
            "\(text)")
        #expect(!text.contains("hunter2"), "\(text)")
    }
}

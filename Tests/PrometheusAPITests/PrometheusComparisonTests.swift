import CurlHTTP
import Glibc
import Instrumentation
import JSON
import MetricModel
import MetricStore
import RuleEngine
import RuleModel
import Runtime
import TestSupport
import Testing
import WebFixture
import WebServer

@testable import PrometheusAPI
@testable import Scraper

/// The structure of a value without its content: `{labels:{…},value:text}`.
private func shape(_ value: JSON) -> String {
    switch value {
    case .null: "null"
    case .bool: "bool"
    case .integer, .number: "number"
    case .string: "text"
    case .array(let elements): elements.first.map { "[\(shape($0))]" } ?? "[]"
    case .object(let members):
        "{" + members.sorted { $0.name < $1.name }.map { "\($0.name):\(shape($0.value))" }.joined(separator: ",") + "}"
    }
}

/// The names in a value with their paths: `data.groups.[].name`. Labels are content, not structure.
private func names(_ value: JSON, _ place: String = "") -> Set<String> {
    switch value {
    case .null, .bool, .integer, .number, .string: return [place]
    case .array(let elements): return elements.reduce(into: [place]) { $0.formUnion(names($1, place + ".[]")) }
    case .object(let members):
        if place.hasSuffix("abels") || place.hasSuffix("annotations") { return [place] }
        return members.reduce(into: [place]) { $0.formUnion(names($1.value, "\(place).\($1.name)")) }
    }
}

/// The same requests to Debian's Prometheus (2.42) and to Tribune: status, kind of error and names in the response must
/// agree.
@Suite struct PrometheusComparisonTests {
    /// Prometheus scraping itself, on a free port.
    private final class RealPrometheus {
        let port: Int
        private let process: ChildProcess
        private let directory: TemporaryDirectory

        init?() throws {
            guard access("/usr/bin/prometheus", X_OK) == 0 else {
                print("skipped: Debian's prometheus is not installed")
                return nil
            }
            directory = TemporaryDirectory()
            port = Loopback.freePort()
            let configuration = directory.write(
                """
                global: {scrape_interval: 1s}
                rule_files: [rules.yml]
                scrape_configs:
                - job_name: self
                  static_configs: [{targets: ['127.0.0.1:\(port)']}]
                """, to: "prometheus.yml")
            directory.write(
                """
                groups:
                - name: g
                  interval: 1s
                  rules:
                  - {alert: Up, expr: up == 1, labels: {severity: page}, annotations: {summary: s}}
                  - {record: job:up, expr: up}
                """, to: "rules.yml")
            process = try ChildProcess([
                "/usr/bin/prometheus", "--config.file=\(configuration)",
                "--storage.tsdb.path=\(directory.file("data"))",
                "--web.listen-address=127.0.0.1:\(port)",
            ])
            let port = port
            let hasSamples = Loopback.eventually {
                guard let response = try? HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)/api/v1/alerts"))
                else { return false }
                return String(decoding: response.body, as: UTF8.self).contains("severity")
            }
            #expect(hasSamples)
        }

        deinit {
            process.stop()
        }
    }

    private static let errors = [
        "query", "query?query=up%2B", "query?query=up&time=x", "query?query=up&timeout=x", "query_range?query=up",
        "query_range?query=up&start=2&end=1&step=1", "query_range?query=up&start=1&end=2&step=0",
        "query_range?query=up&start=0&end=20000&step=1", "query_range?query=up[5m]&start=1&end=2&step=1",
        "query_exemplars?query=up&start=2&end=1", "series", "series?match[]={}", "series?match[]=a{", "labels?start=x",
        "rules?type=x", "format_query?query=(", "query_exemplars?query=(", "targets/metadata?limit=x",
        "metadata?limit=x",
    ]

    private static let successes = [
        "query?query=1", "query?query=%22a%22", "query?query=nothing", "query?query=vector(1)",
        "query?query=vector(1)[5m:1m]",
        "query_range?query=1&start=0&end=60&step=15",
        "query_range?query=nothing&start=0&end=60&step=15", "query_exemplars?query=test&start=1&end=2",
        "format_query?query=sum(up)by(job)", "labels?match[]=nothing", "label/nothing/values",
        "series?match[]=nothing", "metadata?metric=nothing", "alertmanagers", "status/walreplay",
    ]

    /// Responses with content: every name in Prometheus's response is in Tribune's.
    private static let filled = [
        "targets?state=active", "rules", "alerts", "scrape_pools", "targets/metadata?metric=up", "status/buildinfo",
        "status/runtimeinfo", "status/tsdb", "status/config",
        "query?query=1&stats=true",
    ]

    private func ask(_ port: Int, _ path: String) throws -> (status: Int, json: JSON) {
        let response = try HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)/api/v1/\(path)"))
        return (response.status, try JSON(parsing: response.body))
    }

    @Test func answersAgreeWithThoseOfPrometheus() throws {
        guard let real = try RealPrometheus() else { return }
        let fixture = try WebFixture()
        let full = try WebFixture(sources: Self.fill)
        try full.append(["__name__": "up"], [1])
        for path in Self.errors {
            let theirs = try ask(real.port, path)
            let ours = try ask(fixture.port, path)
            #expect(ours.status == theirs.status, "\(path)")
            #expect(ours.json["errorType"] == theirs.json["errorType"], "\(path)")
            #expect(shape(ours.json) == shape(theirs.json), "\(path)")
        }
        for path in Self.filled {
            let missing = names(try ask(real.port, path).json).subtracting(names(try ask(full.port, path).json))
            #expect(missing == [], "\(path)")
        }
        for path in Self.successes {
            let theirs = try ask(real.port, path)
            let ours = try ask(fixture.port, path)
            #expect(ours.status == theirs.status, "\(path)")
            #expect(shape(ours.json) == shape(theirs.json), "\(path)")
        }
    }

    private static func fill(_ sources: inout WebFixture.Sources) {
        sources.targets = {
            [
                TargetSnapshot(
                    discoveredLabels: ["job": "a"], labels: ["job": "a"], scrapePool: "a", scrapeURL: "http://a",
                    lastError: "", lastScrape: nil, lastScrapeDuration: 0, health: .up, scrapeInterval: .seconds(1),
                    scrapeTimeout: .seconds(1))
            ]
        }
        sources.scrapePools = { ["a"] }
        sources.ruleGroups = {
            let alert = ActiveAlertSnapshot(
                labels: ["a": "b"], annotations: ["a": "b"], state: .firing, activeAt: Timestamp(milliseconds: 1),
                keepFiringSince: nil, value: 1)
            return [
                RuleGroupSnapshot(
                    name: "g", file: "f", interval: .seconds(1), limit: 0,
                    rules: [
                        RuleSnapshot(
                            name: "r", query: "up", labels: ["a": "b"],
                            kind: .alerting(hold: .zero, keepFiring: .zero, annotations: ["a": "b"], alerts: [alert]),
                            health: .ok, lastError: "", evaluationSeconds: 0, lastEvaluation: nil)
                    ], evaluationSeconds: 0, lastEvaluation: nil)
            ]
        }
    }

    @Test func promtoolFindsNothingInOurMetrics() throws {
        guard access("/usr/bin/promtool", X_OK) == 0 else {
            print("skipped: promtool is not installed")
            return
        }
        let fixture = try WebFixture({ $0.enablesRemoteWrite = true })
        _ = try fixture.send("/api/v1/query?query=1")
        let directory = TemporaryDirectory()
        let metrics = directory.write(try fixture.text("/metrics"), to: "metrics")
        let said = directory.file("said")
        let exit = try ChildProcess(
            ["/usr/bin/promtool", "check", "metrics"], input: metrics, output: .file(said)
        ).wait()
        #expect(exit == .code(0), "\(FileText.read(said) ?? "")")
    }
}

import Foundation
import JSON
import PromQL
import Testing

/// The Grafana dashboards in `dashboards/`: they can be imported, and every query in them can have a result.
@Suite struct DashboardTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let dashboards: [(name: String, json: JSON)] = {
        let directory = root.appending(path: "dashboards")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        return names.filter { $0.hasSuffix(".json") }.sorted().compactMap { name in
            guard let data = try? Data(contentsOf: directory.appending(path: name)),
                let json = try? JSON(parsing: Array(data))
            else {
                Issue.record("\(name) is no JSON")
                return nil
            }
            return (name, json)
        }
    }()

    /// Every value under the name `key`, at any depth.
    private func values(of key: String, in json: JSON) -> [JSON] {
        switch json {
        case .object(let members):
            members.flatMap { ($0.name == key ? [$0.value] : []) + values(of: key, in: $0.value) }
        case .array(let elements): elements.flatMap { values(of: key, in: $0) }
        case .null, .bool, .integer, .number, .string: []
        }
    }

    @Test func allAreThere() {
        #expect(
            Self.dashboards.map { $0.name.dropLast(".json".count).dropFirst("tribune-".count) } == [
                "acgs", "constitutional-audit", "constitutional-overview", "constitutional-violations", "coordination",
                "infrastructure", "performance", "rollout",
            ])
    }

    /// The panels and intervals that the platform's monitoring specification names.
    @Test(arguments: [
        ("constitutional-overview", "30s", ["Compliance score", "Violation count", "Principle breakdown"]),
        ("constitutional-violations", "1m", ["Violation trends", "Violation types", "Resolution status"]),
        ("constitutional-audit", "5m", ["Decision trail", "Reasoning analysis", "Compliance history"]),
        (
            "performance", "10s",
            [
                "Response time p50", "Response time p95", "Response time p99", "Response time max",
                "Requests per second", "Concurrent requests", "CPU", "Memory", "GPU", "Network", "Availability",
                "Error rate", "Latency",
            ]
        ),
    ])
    func panelsAreThoseOfThePlatform(name: String, refresh: String, panels: [String]) throws {
        let dashboard = try #require(Self.dashboards.first { $0.name == "tribune-\(name).json" }).json
        #expect(dashboard["refresh"]?.text == refresh)
        let titles = Set((dashboard["panels"]?.elements ?? []).compactMap { $0["title"]?.text })
        #expect(Set(panels).subtracting(titles) == [])
    }

    @Test func theyCanBeImported() {
        for (name, json) in Self.dashboards {
            #expect(json["schemaVersion"] == 39, "\(name)")
            #expect(json["uid"]?.text?.hasPrefix("tribune-") == true)
            #expect(json["title"]?.text?.isEmpty == false)
            // An id belongs to one Grafana. A file with an id would replace another dashboard.
            #expect(json["id"] == nil)
            let variables = json["templating"]?["list"]?.elements ?? []
            #expect(variables.first?["name"] == "datasource")
            #expect(variables.first?["type"] == "datasource")
            let panels = json["panels"]?.elements ?? []
            let identifiers = panels.compactMap { $0["id"]?.integer }
            #expect(Set(identifiers).count == panels.count)
            #expect(panels.allSatisfy { $0["title"]?.text?.isEmpty == false && $0["gridPos"] != nil })
            #expect(panels.allSatisfy { $0["type"] == "row" || $0["description"]?.text?.isEmpty == false })
            for source in values(of: "datasource", in: json) {
                #expect(source == ["type": "prometheus", "uid": "${datasource}"], "\(name)")
            }
        }
        #expect(Set(Self.dashboards.compactMap { $0.json["uid"]?.text }).count == Self.dashboards.count)
    }

    @Test func panelsDoNotOverlap() {
        for (name, json) in Self.dashboards {
            var taken: Set<Int64> = []
            for panel in json["panels"]?.elements ?? [] {
                func number(_ key: String) -> Int64 { panel["gridPos"]?[key]?.integer ?? -1 }
                #expect(number("x") >= 0 && number("x") + number("w") <= 24, "\(name)")
                for y in number("y")..<number("y") + number("h") {
                    for x in number("x")..<number("x") + number("w") {
                        #expect(taken.insert(y * 24 + x).inserted, "\(name): \(panel["title"]?.text ?? "")")
                    }
                }
            }
        }
    }

    /// The values that Grafana inserts for its variables.
    private func filled(_ text: String) -> String {
        var text = text.replacing("$__rate_interval", with: "1m").replacing("$__interval", with: "15s")
        for name in ["plan", "service", "env"] { text = text.replacing("$\(name)", with: ".*") }
        return text
    }

    /// Metrics that are not in any source file: they come with every scrape, or with rules.
    private static let given: Set = [
        "ALERTS", "up", "scrape_duration_seconds", "scrape_samples_scraped", "constitutional_hash_match",
    ]

    /// The text of every source and rule file: a metric that exists is in it in quotes or as a rule.
    private static let sources: String = {
        let files = FileManager.default
        return ["Sources", "rules"].flatMap { folder in
            (files.enumerator(atPath: root.appending(path: folder).path)?.compactMap { $0 as? String } ?? [])
                .filter { $0.hasSuffix(".swift") || $0.hasSuffix(".yml") }
                .compactMap {
                    try? String(contentsOf: root.appending(path: folder).appending(path: $0), encoding: .utf8)
                }
        }.joined(separator: "\n")
    }()

    private func exists(_ metric: String) -> Bool {
        if Self.given.contains(metric) { return true }
        // Of exporters of other projects.
        if ["pg_", "redis_", "node_", "haproxy_"].contains(where: metric.hasPrefix) { return true }
        let families = ["", "_bucket", "_sum", "_count"].filter(metric.hasSuffix).map { metric.dropLast($0.count) }
        return families.contains { Self.sources.contains("\"\($0)\"") || Self.sources.contains("record: \($0)\n") }
    }

    @Test func everyExpressionParsesAndAsksForMetricsThatExist() throws {
        for (name, json) in Self.dashboards {
            let expressions = values(of: "expr", in: json).compactMap(\.text)
            #expect(expressions.count >= 5, "\(name)")
            for text in expressions {
                let expression = try #require(try? PromQL.Expression.parse(filled(text)), "\(name): \(text)")
                #expect(!filled(text).contains("$"), "\(name): \(text)")
                for metric in metrics(in: expression) { #expect(exists(metric), "\(name): no metric \(metric)") }
            }
            for query in values(of: "definition", in: json).compactMap(\.text) {
                let metric = query.dropFirst("label_values(".count).prefix { $0 != "," }
                #expect(exists(String(metric)), "\(name): \(query)")
            }
        }
    }

    private func metrics(in expression: PromQL.Expression) -> [String] {
        switch expression {
        case .number, .string: []
        case .vectorSelector(let selector): [selector.name]
        case .matrixSelector(let matrix): [matrix.selector.name]
        case .subquery(let subquery): metrics(in: subquery.expression)
        case .call(let call): call.arguments.flatMap(metrics)
        case .aggregate(let aggregate): metrics(in: aggregate.expression)
        case .binary(let binary): metrics(in: binary.left) + metrics(in: binary.right)
        case .unary(let unary): metrics(in: unary.expression)
        case .paren(let paren): metrics(in: paren.expression)
        }
    }
}

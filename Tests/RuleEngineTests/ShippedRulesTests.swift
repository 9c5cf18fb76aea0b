import Foundation
import MetricModel
import PromQL
import RuleModel
import Runtime
import Testing

@testable import RuleEngine

/// The rule files in `rules/`.
@Suite struct ShippedRulesTests {
    private static let directory: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/") + "/rules/"
    }()

    private func load(_ name: String) throws -> RuleFile {
        try RuleFile(parsing: try FileText.bytes(Self.directory + name), path: name)
    }

    @Test(arguments: [
        (
            "ACGS_HighLatency", "histogram_quantile(0.99, rate(acgs_request_duration_seconds_bucket[5m])) > 0.005",
            Milliseconds.seconds(30), "critical"
        ),
        ("ACGS_LowCacheHitRate", "acgs_cache_hit_rate < 0.85", .minutes(2), "warning"),
        ("ACGS_ConstitutionalComplianceViolation", "acgs_constitutional_compliance_rate < 1", .zero, "critical"),
    ])
    func alertsAreThoseOfThePlatform(name: String, expression: String, hold: Milliseconds, severity: String) throws {
        let rules = try load("acgs.yml").groups.flatMap(\.rules)
        #expect(rules.count == 3)
        guard case .alerting(let rule)? = rules.first(where: { $0.name == name }) else {
            Issue.record("\(name) is missing")
            return
        }
        #expect(rule.expression.description == expression)
        #expect(rule.hold == hold)
        #expect(rule.labelSources == ["severity": severity, "constitutional_hash": "cdd01ef066bc6cf2"])
        #expect(rule.annotationSources.pairs.map(\.name) == ["description", "summary"])
    }

    @Test(
        arguments: [
            ("ComplianceLow", "< 0.95", 3, false, "critical", .serviceAndDependents),
            ("LatencyHigh", "> 2000", 2, false, "high", .service),
            ("ErrorRateHigh", "> 0.01", 3, false, "high", .service),
            ("AvailabilityLow", "< 0.999", 1, false, "critical", .serviceAndDependents),
            ("ConstitutionalHashMismatch", "== 0", 1, true, "critical", .all),
        ] as [(String, String, Int, Bool, String, RollbackDefinition.Action.Scope)])
    func triggersAreThoseOfThePlatform(
        name: String, trip: String, consecutive: Int, immediate: Bool, severity: String,
        scope: RollbackDefinition.Action.Scope
    ) throws {
        let group = try load("rollback.yml").groups[0]
        #expect(group.interval == .seconds(30))
        #expect(group.rules.count == 5)
        guard case .rollback(let rule)? = group.rules.first(where: { $0.name == name }) else {
            Issue.record("\(name) is missing")
            return
        }
        let definition = rule.definition
        #expect(definition.trip.description == trip)
        #expect(definition.consecutive == consecutive)
        #expect(definition.immediate == immediate)
        #expect(definition.severity == severity)
        #expect(definition.action == .init(plan: "acgs", service: nil, scope: scope))
        #expect(definition.missing.policy == .hold)
        #expect(definition.mode == .enforce)
    }

    @Test(.enabled(if: access("/usr/bin/promtool", X_OK) == 0, "promtool is not installed"))
    func promtoolAcceptsTheAlerts() throws {
        try expectPromtoolAccepts(Self.directory + "acgs.yml")
    }

    @Test(.enabled(if: access("/usr/bin/promtool", X_OK) == 0, "promtool is not installed"))
    func promtoolAcceptsTheExportedTriggers() throws {
        let path = NSTemporaryDirectory() + "exported-\(getpid()).yml"
        defer { unlink(path) }
        let text = RuleExport.prometheusRules(for: try load("rollback.yml").groups)
        try #require(FileText.write(text, to: path))
        try expectPromtoolAccepts(path)
    }

    @Test func triggersAreExportedAsAlerts() throws {
        let groups = try load("rollback.yml").groups
        let text = RuleExport.prometheusRules(for: groups)
        let file = try RuleFile(parsing: Array(text.utf8), path: "exported.yml")
        #expect(file.groups.map(\.interval) == [.seconds(30)])
        let exported = file.groups[0].rules.compactMap { rule -> (String, String, Milliseconds)? in
            guard case .alerting(let rule) = rule else { return nil }
            return (rule.name, rule.expression.description, rule.hold)
        }
        #expect(exported.map(\.0) == groups[0].rules.map(\.name))
        #expect(exported.map(\.2) == [.minutes(1), .seconds(30), .minutes(1), .zero, .zero])
        let services = "service=~\"auth|ac|integrity|fv|gs|pgc|ec\""
        let wanted =
            "(avg by (service) (avg_over_time(up{env=\"green\",\(services)}[5m]))) < 0.999 and on (service) "
            + "(abs(min by (service) (min_over_time(up{env=\"blue\",\(services)}[5m]))) > 0)"
        #expect(exported[3].1 == wanted)
    }

    private func expectPromtoolAccepts(_ path: String) throws {
        let log = NSTemporaryDirectory() + "promtool-\(getpid()).log"
        defer { unlink(log) }
        let process = try ChildProcess(["/usr/bin/promtool", "check", "rules", path], output: .file(log))
        let exit = process.wait()
        #expect(exit == .code(0), "\(FileText.read(log) ?? "")")
    }

    /// The alerts about Tribune itself and the page of its metrics name existing metrics only.
    @Test func alertsOnTribuneAskForItsOwnMetrics() throws {
        let documented = try String(decoding: FileText.bytes(Self.directory + "../docs/api/metrics.md"), as: UTF8.self)
        let rules = try load("tribune.yml").groups.flatMap(\.rules)
        #expect(rules.count == 22)
        for rule in rules {
            guard case .alerting(let alert) = rule else {
                Issue.record("\(rule.name) is no alert")
                continue
            }
            let names = alert.expression.description.matches(of: /tribune_[a-z_]+/).map {
                $0.output.replacing(/_bucket$/, with: "")
            }
            #expect(!names.isEmpty)
            for name in names { #expect(documented.contains("`\(name)`"), "\(rule.name): \(name)") }
            #expect(alert.labelSources.pairs.contains { $0.name == "severity" })
        }
    }
}

import CurlHTTP
import Foundation
import JSON
import PromQL
import Runtime
import TestSupport
import Testing

/// The running platform: every expression finds data, and every alert fires by a switch.
@Suite(.enabled(if: RunningKit.isAvailable, "HAProxy, PostgreSQL, Redis or an exporter is not installed"))
struct KitTests {
    /// Alerts of the platform by the switch that makes them fire. Of blue, which has the traffic, those about requests.
    private static let switches: [(alert: String, service: String, version: String, mode: String)] = [
        ("JWTValidationFailures", "auth", "blue", "jwt"),
        ("ModelInferenceFailures", "ac", "blue", "inference"),
        ("ResponseTimeHigh", "integrity", "blue", "latency"),
        ("ResponseTimeExtreme", "fv", "blue", "stall"),
        ("ErrorRateAboveTarget", "gs", "blue", "errors"),
        ("ACGS_HighLatency", "pgc", "blue", "slow"),
        ("SpecialValidationFails", "ec", "blue", "quality"),
        ("CoordinationEfficiencyLow", "coordinator", "blue", "coordination"),
        ("ConstitutionalHashMismatchDetected", "auth", "green", "hash"),
        ("ACGS_LowCacheHitRate", "ac", "green", "cache"),
        ("ACGS_ConstitutionalComplianceViolation", "integrity", "green", "compliance"),
        ("ConstitutionalComplianceCritical", "integrity", "green", "compliance"),
        ("PrincipleAdherenceLow", "fv", "green", "principle"),
        ("AvailabilityBelowTarget", "gs", "green", "down"),
        ("CPUHigh", "pgc", "green", "cpu"),
        ("MemoryHigh", "ec", "green", "memory"),
        ("GPUHigh", "coordinator", "green", "gpu"),
        ("NetworkHigh", "blackboard", "green", "network"),
    ]

    /// Rules about a part that the kit does not use: its schedules follow no calendars. `CalendarReaderTests` has the
    /// metric.
    private static let unused: Set = ["tribune_oncall_calendar_failing_seconds > 3600"]

    /// Alerts that a busy machine raises without a switch.
    private static let timed: Set = ["ACGS_HighLatency", "ResponseTimeHigh", "ResponseTimeExtreme"]

    @Test func everyExpressionFindsDataAndEveryAlertFires() throws {
        let kit = try RunningKit()
        try everyRuleHasData(kit)
        try everyPanelHasData(kit)
        try everyAlertFires(kit)
        let load = try kit.get("\(kit.control)/load")
        #expect(load["ended"]?.integer ?? 0 > 0)
        // Only the switched service fails requests.
        let reasons = (load["reasons"]?.members ?? []).map(\.name)
        #expect(Set(reasons).subtracting(["status 500"]) == [])
    }

    /// An alert's expression yields nothing where all is well: with `bool` its comparison yields 0.
    private func everyRuleHasData(_ kit: RunningKit) throws {
        let groups = try kit.get("\(kit.server)/api/v1/rules")["data"]?["groups"]?.elements ?? []
        let expressions = groups.flatMap { $0["rules"]?.elements ?? [] }.compactMap { $0["query"]?.text }
            .filter { !Self.unused.contains($0) }
        #expect(expressions.count > 50)
        var empty = expressions
        _ = try Loopback.eventually(within: 90) {
            empty = try empty.filter { text in
                guard try kit.query(text).isEmpty else { return false }
                let expression = try PromQL.Expression.parse(text)
                return try kit.query(withoutFilters(expression).description).isEmpty
            }
            return empty.isEmpty
        }
        #expect(empty == [], "rules without data")
    }

    private func withoutFilters(_ expression: PromQL.Expression) -> PromQL.Expression {
        switch expression {
        case .binary(var binary):
            binary.left = withoutFilters(binary.left)
            binary.right = withoutFilters(binary.right)
            if binary.operator.isComparison { binary.returnsBool = true }
            return .binary(binary)
        case .paren(var paren):
            paren.expression = withoutFilters(paren.expression)
            return .paren(paren)
        case .number, .string, .vectorSelector, .matrixSelector, .subquery, .call, .aggregate, .unary:
            return expression
        }
    }

    private func everyPanelHasData(_ kit: RunningKit) throws {
        var empty: [String] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(ReferenceTests.root)/dashboards").sorted()
        where name.hasSuffix(".json") {
            let dashboard = try JSON(
                parsing: try FileText.bytes("\(ReferenceTests.root)/dashboards/\(name)", limit: 1 << 20))
            for panel in dashboard["panels"]?.elements ?? [] {
                for target in panel["targets"]?.elements ?? [] {
                    empty.append("\(name)\t\(panel["title"]?.text ?? "")\t\(filled(target["expr"]?.text ?? ""))")
                }
            }
        }
        #expect(empty.count > 90)
        _ = try Loopback.eventually(within: 90) {
            empty = try empty.filter {
                try kit.query(String($0.split(separator: "\t", maxSplits: 2)[2])).isEmpty
            }
            return empty.isEmpty
        }
        #expect(empty == [], "panels without data")
    }

    /// The values that Grafana inserts for its variables.
    private func filled(_ text: String) -> String {
        var text = text.replacing("$__rate_interval", with: "1m").replacing("$__interval", with: "15s")
        for name in ["plan", "service", "env"] { text = text.replacing("$\(name)", with: ".*") }
        return text
    }

    private func everyAlertFires(_ kit: RunningKit) throws {
        let groups = try kit.get("\(kit.server)/api/v1/rules?type=alert")["data"]?["groups"]?.elements ?? []
        let platform = groups.filter { $0["name"]?.text?.hasPrefix("acgs") == true && $0["name"] != "acgs-rollback" }
            .flatMap { $0["rules"]?.elements ?? [] }.compactMap { $0["name"]?.text }
        // The load of the test is below the platform's: that is the switch of its alert.
        #expect(Set(platform) == Set(Self.switches.map(\.alert) + ["ThroughputLow"]))
        var silent = Set(Self.switches.map { "\($0.alert) \($0.service) \($0.version)" })
        let before = try kit.firing().filter { !Self.timed.contains(String($0.prefix { $0 != " " })) }
        #expect(before.intersection(silent) == [], "firing before any switch")
        for entry in Self.switches { try kit.flip(entry.service, entry.version, entry.mode) }
        silent.insert("ThroughputLow  ")
        let isDone = try Loopback.eventually(within: 120) {
            silent.subtract(try kit.firing())
            return silent.isEmpty
        }
        #expect(isDone, "\(silent.sorted()) never fired")
        // The switches end them again: no measurement of the kit hangs.
        for entry in Self.switches { try kit.flip(entry.service, entry.version, "none") }
        let gone = Set(["AvailabilityBelowTarget gs green", "CPUHigh pgc green", "ErrorRateAboveTarget gs blue"])
        #expect(try Loopback.eventually(within: 120) { try kit.firing().isDisjoint(with: gone) })
    }
}

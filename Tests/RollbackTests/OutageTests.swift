import Foundation
import MetricModel
import PromQL
import RuleEngine
import RuleModel
import Testing

@testable import Rollback

/// The shipped rollback rules over an hour in which no target can be scraped, evaluated by the machines of the service.
struct OutageTests {
    private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    private static let step = 15_000
    /// Ten minutes of health, the outage, ten minutes of health.
    private static let outage: Range<Int64> = 600_000..<4_200_000
    private static let end: Int64 = 4_800_000

    /// Replays the shipped rules with this policy for missing data.
    private func replay(_ missing: String) throws -> Replay {
        let shipped = try String(contentsOfFile: Self.root + "/rules/rollback.yml", encoding: .utf8)
        let lines = shipped.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("    missing:") ? "    missing: \(missing)" : String(line)
        }
        let rules = try RuleFile(parsing: Array(lines.joined(separator: "\n").utf8), path: "rollback.yml")
        let plan = try RolloutPlan(
            parsing: String(contentsOfFile: Self.root + "/rules/plans/acgs.yml", encoding: .utf8), file: "acgs.yml")
        var replay = Replay(plans: [plan])
        let runner = RuleReplay(rules.groups, engine: QueryEngine(), settings: RuleSettings())
        var measurements: [RollbackMeasurement] = []
        try runner.run(
            from: Timestamp(milliseconds: 0), through: Timestamp(milliseconds: Self.end), source: fleet()
        ) { measurements.append($0) }
        for measurement in measurements { replay.measured(measurement) }
        return replay
    }

    /// Seven healthy services in two versions. While they cannot be scraped, their series end and `up` is 0.
    private func fleet() -> MemorySource {
        let source = MemorySource()
        for service in ["auth", "ac", "integrity", "fv", "gs", "pgc", "ec"] {
            for env in ["blue", "green"] {
                func series(_ name: String, _ more: Labels = .empty, _ value: (Double) -> Double) {
                    var labels: Labels = ["__name__": name, "service": service, "env": env]
                    for label in more.pairs { labels.set(label.name, to: label.value) }
                    var isOut = false
                    for time in stride(from: Int64(0), through: Self.end, by: Self.step) {
                        let stamp = Timestamp(milliseconds: time)
                        if Self.outage.contains(time), name != "up" {
                            if !isOut { source.append(.init(time: stamp, value: .staleMarker), to: labels) }
                            isOut = true
                            continue
                        }
                        isOut = false
                        source.append(.init(time: stamp, value: value(Double(time) / 1000)), to: labels)
                    }
                }
                series("up") { Self.outage.contains(Int64($0 * 1000)) ? 0 : 1 }
                series("acgs_constitutional_compliance_score") { _ in 0.99 }
                series("constitutional_hash_match") { _ in 1 }
                series("http_requests_total", ["status": "200"]) { $0 * 10 }
                series("http_requests_total", ["status": "500"]) { $0 * 0.001 }
                for bound in ["0.05", "0.1", "+Inf"] {
                    series("acgs_request_duration_seconds_bucket", ["le": bound]) { $0 * 10 }
                }
            }
        }
        return source
    }

    @Test(
        "an outage of every scrape target for an hour trips nothing",
        arguments: [
            "{policy: hold, after: 2m, then: alert}", "{policy: hold, after: 2m, then: freeze}", "{policy: hold}",
            "{policy: pass}", "{policy: freeze}", "{policy: alert}", "{policy: alert, after: 5m, then: freeze}",
        ])
    func outage(missing: String) throws {
        let replay = try replay(missing)
        #expect(replay.decisions.map(\.trip.name) == [])
        #expect(replay.tallies.count == 5)
        for (rule, tally) in replay.tallies {
            #expect(tally.failed == 0)
            #expect(tally.measurements >= 150, "\(rule)")
            // Measurements of `up` exist at all times; its guard says that it does not count.
            #expect(tally.empty >= 100 || rule.hasSuffix("AvailabilityLow"), "\(rule): \(tally)")
        }
    }

    @Test("it trips if the policy says so")
    func policyToTrip() throws {
        #expect(try !replay("{policy: trip}").decisions.isEmpty)
    }
}

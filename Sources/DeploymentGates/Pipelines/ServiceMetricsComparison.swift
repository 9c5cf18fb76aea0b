public import JSON
internal import Rollback

/// The comparison of what services served before and after a deployment. A value.
public struct ServiceMetricsComparison: Equatable, Sendable {
    /// The verdict.
    public let verdict: GateVerdict
    /// The findings by service and metric.
    public let findings: [MetricFinding]

    /// Compares two readings of `/api/v1/service-metrics` by the criteria of the default profile. Fails if one of them
    /// has the right format but not its content.
    public init(before: JSON, after: JSON) throws(JSONFieldError) {
        findings = try SnapshotComparison.findings(before: before, after: after, Self.profile(of: [before, after]))
        verdict = RegressionTest.verdict(of: findings)
    }

    /// Whether some metric has no data to compare.
    public var isMissingData: Bool { findings.contains { $0.probability == nil } }

    /// A line for each finding.
    public var text: String {
        ([verdict.rawValue]
            + findings.map { "  \($0.verdict.rawValue) \($0.metric) (\($0.test.rawValue)): \($0.reason)" })
            .joined(separator: "\n")
    }

    /// Criteria for every metric that the readings have: those of the ACGS services by name, else the defaults.
    private static func profile(of readings: [JSON]) -> GateProfile {
        var profile = GateProfile.acgs
        for reading in readings {
            for service in reading["services"]?.members ?? [] {
                for metric in service.value["metrics"]?.members ?? []
                where !profile.metrics.contains(where: { $0.criteria.name == metric.name }) {
                    profile.metrics.append(
                        GateMetric(source: .samples(metric.name), criteria: MetricCriteria(name: metric.name)))
                }
            }
        }
        let names = Set(
            readings.flatMap { $0["services"]?.members ?? [] }.flatMap { $0.value["metrics"]?.members ?? [] }
                .map(\.name))
        // A metric of the default profile that neither reading has was not asked for.
        if !names.isEmpty { profile.metrics.removeAll { !names.contains($0.criteria.name) } }
        return profile
    }
}

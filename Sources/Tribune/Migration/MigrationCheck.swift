internal import JSON
internal import MetricModel

/// The result of one check of a validator. A value.
struct MigrationCheck: Equatable, Sendable {
    /// Whether it passed. Missing data is `unknown`, which is not passed.
    enum Outcome: String, Equatable, Sendable {
        case passed, failed, unknown
    }

    var name: String
    var outcome: Outcome
    /// The measured value as text; empty if there is none.
    var value: String
    var target: String

    /// `passed   p95 latency: 0.004 s, target <= 2`
    var line: String {
        let padding = String(repeating: " ", count: max(0, 8 - outcome.rawValue.count))
        return "\(outcome.rawValue)\(padding) \(name): \(value.isEmpty ? "no data" : value), target \(target)"
    }

    /// 0 if all passed, 1 if one failed, 3 if one is unknown and none failed.
    static func exitCode(_ checks: [MigrationCheck]) -> Int32 {
        if checks.contains(where: { $0.outcome == .failed }) { return CommandFailure.Code.failed.rawValue }
        return checks.contains { $0.outcome == .unknown } ? GateCommands.inconclusive : 0
    }
}

/// The validators of a migration: what they measure, and the limits of the platform. Reads from a running Tribune.
struct MigrationValidator {
    let session: MigrationSession

    /// The limits of p95 in seconds: of every service, and of auth by its own criteria.
    private static func responseTime(of service: String) -> Double { service == "auth" ? 0.5 : 2 }

    /// A check of a value against a limit.
    private func check(
        _ name: String, _ expression: String, _ target: String, _ holds: (Double) -> Bool
    ) throws(CommandFailure) -> MigrationCheck {
        let value = try session.value(of: expression)
        let outcome =
            value.map { $0.isNaN ? MigrationCheck.Outcome.unknown : holds($0) ? .passed : .failed } ?? .unknown
        return MigrationCheck(
            name: name, outcome: outcome, value: value.map { FloatText.general($0) } ?? "", target: target)
    }

    /// Whether both versions report the configured constitution.
    func hash(_ service: String) throws(CommandFailure) -> [MigrationCheck] {
        var checks: [MigrationCheck] = []
        for version in ["blue", "green"] {
            checks.append(
                try check(
                    "constitutional hash of \(version)",
                    "min(constitutional_hash_match{service=\"\(service)\",env=\"\(version)\"})", "== 1"
                ) { $0 == 1 })
        }
        return checks
    }

    /// Green's response time, errors and compliance over `window`, and the throughput of all services.
    func performance(_ service: String) throws(CommandFailure) -> [MigrationCheck] {
        let window = session.window
        let series = "service=\"\(service)\",env=\"green\""
        let buckets = "sum by (le) (rate(acgs_request_duration_seconds_bucket{\(series)}[\(window)]))"
        let requests = "sum(rate(http_requests_total{\(series)}[\(window)]))"
        let errors = "sum(rate(http_requests_total{\(series),status=~\"5..\"}[\(window)]))"
        let limit = Self.responseTime(of: service)
        var checks = [
            try check("p95 response time in seconds", "histogram_quantile(0.95, \(buckets))", "<= \(limit)") {
                $0 <= limit
            },
            try check("p99 response time in seconds", "histogram_quantile(0.99, \(buckets))", "<= 5") { $0 <= 5 },
            try check("error ratio", "(\(errors) or 0 * \(requests)) / \(requests)", "<= 0.01") { $0 <= 0.01 },
            try check(
                "constitutional compliance",
                "avg(avg_over_time(acgs_constitutional_compliance_score{\(series)}[\(window)]))", ">= 0.95"
            ) { $0 >= 0.95 },
            try check("special validation", "min(acgs_special_validation_ratio{\(series)})", ">= 0.99") { $0 >= 0.99 },
        ]
        if let target = session.throughput {
            checks.append(
                try check(
                    "requests per second of the platform", "sum(rate(http_requests_total[\(window)]))", ">= \(target)"
                ) { $0 >= target })
        }
        return checks
    }

    /// Whether the service can be migrated: both versions up, the services that it depends on migrated, routes read.
    func readiness(_ service: String) throws(CommandFailure) -> [MigrationCheck] {
        let plan = try session.plan()
        guard let state = plan.service(service) else { throw CommandFailure("the plan has no service \(service)") }
        var checks: [MigrationCheck] = []
        for version in ["blue", "green"] {
            checks.append(
                try check(
                    "scrapes of \(version)", "min(up{service=\"\(service)\",env=\"\(version)\"})", "== 1"
                ) { $0 == 1 })
        }
        checks += try hash(service)
        let behind = plan.before(service).filter { $0.candidate < 100 }.map(\.name)
        checks.append(
            MigrationCheck(
                name: "earlier services", outcome: behind.isEmpty ? .passed : .failed,
                value: behind.isEmpty ? "migrated" : behind.joined(separator: ", "), target: "migrated"))
        let isRead = state.observed == state.candidate
        checks.append(
            MigrationCheck(
                name: "traffic of green in percent",
                outcome: state.observed == nil ? .unknown : isRead ? .passed : .failed,
                value: state.observed.map { "\($0)" } ?? "", target: "\(state.candidate), read back"))
        checks.append(
            try check(
                "rollback rules that measure the service",
                "count(tribune_rollback_rule_tripped) or vector(0)", ">= 1"
            ) { $0 >= 1 })
        return checks
    }

    /// Whether the router and the counted requests have the wanted division.
    func traffic(_ service: String) throws(CommandFailure) -> [MigrationCheck] {
        guard let state = try session.plan().service(service) else {
            throw CommandFailure("the plan has no service \(service)")
        }
        let read = MigrationCheck(
            name: "percent read back from the router",
            outcome: state.observed == nil ? .unknown : state.observed == state.candidate ? .passed : .failed,
            value: state.observed.map { "\($0)" } ?? "", target: "\(state.candidate)")
        func counted(_ matchers: String) throws(CommandFailure) -> Double? {
            try session.value(
                of: "sum(increase(http_requests_total{service=\"\(service)\"\(matchers)}[\(session.window)]))")
        }
        guard let all = try counted(""), all >= 1, let green = try counted(",env=\"green\"") else {
            return [
                read,
                MigrationCheck(name: "counted percent", outcome: .unknown, value: "", target: "\(state.candidate)"),
            ]
        }
        // Five standard deviations of a share, and the part of the window before the last change.
        let share = green / all
        let wanted = Double(state.candidate) / 100
        let allowed = 5 * (max(0.01, wanted * (1 - wanted)) / all).squareRoot() + 0.01
        return [
            read,
            MigrationCheck(
                name: "counted percent", outcome: (share - wanted).magnitude <= allowed ? .passed : .failed,
                value: FloatText.general((share * 10_000).rounded() / 100),
                target:
                    "\(state.candidate) ± \(FloatText.general((allowed * 1000).rounded() / 10)) of \(Int(all)) requests"
            ),
        ]
    }
}

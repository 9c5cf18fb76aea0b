internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// An analysis with the data that led to its verdict.
struct Analysis: Equatable {
    var id: String
    var at: Timestamp
    var actor: String
    var request: AnalysisRequest
    var findings: [MetricFinding]

    /// The worst verdict of the findings.
    var verdict: GateVerdict { RegressionTest.verdict(of: findings) }

    /// Reads the observations and computes the findings. Blocks while the store reads.
    static func run(_ request: AnalysisRequest, id: String, at: Timestamp, actor: String, data: GateData) -> Analysis {
        let arms = request.arms
        let required = request.look?.confidence(request.profile.confidence) ?? request.profile.confidence
        if let look = request.look, look.number == 0 {
            let findings = request.profile.metrics.map { metric in
                MetricFinding.missing(metric.criteria, .none, "the watch has just begun")
            }
            return Analysis(id: id, at: at, actor: actor, request: request, findings: findings)
        }
        let reader = ObservationReader(data: data, stable: arms.stable, candidate: arms.candidate)
        let observed = request.profile.metrics.map { ($0.criteria, reader.observations(of: $0)) }
        return Analysis(
            id: id, at: at, actor: actor, request: request,
            findings: RegressionTest.findings(of: observed, required))
    }

    /// The record as JSON.
    var json: JSON {
        let arms = request.arms
        let kind =
            switch request.comparison {
            case .deployment: "deployment"
            case .change: "performance_change"
            }
        let members: JSON = [
            "id": .string(id), "kind": .string(kind), "time": .string(RFC3339.text(milliseconds: at.milliseconds)),
            "actor": .string(actor), "verdict": .string(verdict.rawValue), "reason": .string(reason),
            "service": request.service.map(JSON.string) ?? .null, "profile": .string(request.profile.name),
            "significance": .number(request.profile.confidence.significance),
            "confidence": .number(request.profile.confidence.confidence), "stable": arms.stable.json,
            "candidate": arms.candidate.json, "annotations": .object(request.annotations.jsonMembers),
            "metrics": .array(findings.map(\.json)),
        ]
        let watch = request.look.map { [JSON.Member("watch", $0.json)] } ?? []
        return .object((members.members ?? []) + watch + request.context.kept)
    }

    /// The findings that determine the verdict, as text.
    private var reason: String { RegressionTest.reason(of: findings) }
}

extension RegressionTest {
    /// The findings that determine the verdict, as text.
    static func reason(of findings: [MetricFinding]) -> String {
        let verdict = verdict(of: findings)
        if verdict == .pass { return "no metric is worse by a relevant amount" }
        return findings.filter { $0.verdict == verdict }.map { "\($0.metric): \($0.reason)" }.joined(separator: "; ")
    }
}

extension GateArm {
    fileprivate var json: JSON {
        [
            "labels": .object(labels.jsonMembers),
            "from": .string(RFC3339.text(milliseconds: window.from.milliseconds)),
            "through": .string(RFC3339.text(milliseconds: window.through.milliseconds)),
        ]
    }
}

extension Labels {
    /// The labels as members of an object.
    var jsonMembers: [JSON.Member] { pairs.map { JSON.Member($0.name, .string($0.value)) } }
}

extension MetricFinding {
    var json: JSON {
        [
            "metric": .string(metric), "test": .string(test.rawValue), "better": .string(better.rawValue),
            "verdict": .string(verdict.rawValue), "reason": .string(reason),
            "p_value": Self.json(probability), "p_adjusted": Self.json(adjusted),
            "effects": .array(
                effects.map { effect in
                    [
                        "name": .string(effect.name), "estimate": Self.json(effect.estimate),
                        "lower": Self.json(effect.interval.lower), "upper": Self.json(effect.interval.upper),
                        "minimum": Self.json(effect.minimum),
                    ]
                }),
            "power": Self.json(power), "needed": Self.json(needed), "stable": stable.json,
            "candidate": candidate.json, "notes": .array(notes.map(JSON.string)),
        ]
    }

    /// JSON has no infinities. An infinite ratio must not look like a missing one.
    fileprivate static func json(_ value: Double?) -> JSON {
        guard let value else { return .null }
        return value.isFinite ? .number(value) : .string(FloatText.plain(value))
    }
}

extension ObservationSize {
    fileprivate var json: JSON {
        [
            "observations": .number(observations), "events": MetricFinding.json(events),
            "design_effect": .number(designEffect), "median": MetricFinding.json(median),
            "p95": MetricFinding.json(p95),
        ]
    }
}

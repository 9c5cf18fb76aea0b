internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// The division of traffic at a time: every route, version and weight. It can be restored.
struct TrafficCheckpoint: Equatable {
    var id: String
    var at: Timestamp
    var actor: String
    var reason: String
    var plans: [LivePlan]
    /// The pipeline's description of its deployment.
    var context = PipelineContext()

    /// Services that the pipeline named, but that no plan has. A pipeline that does not look at the status of a
    /// response would deploy without a checkpoint, so they do not refuse the request.
    var uncovered: [String] {
        let known = Set(plans.flatMap { $0.services.map(\.name) })
        return context.services.filter { !known.contains($0) }
    }

    /// Whether every named service is in a plan and every router could be read.
    var isComplete: Bool {
        uncovered.isEmpty && plans.allSatisfy { plan in plan.services.allSatisfy { $0.live != nil } }
    }

    /// The record as JSON.
    var json: JSON {
        let members: JSON = [
            "id": .string(id), "checkpoint_id": .string(id),
            "time": .string(RFC3339.text(milliseconds: at.milliseconds)), "actor": .string(actor),
            "reason": .string(reason), "complete": .bool(isComplete), "plans": .array(plans.map(\.json)),
            "uncovered": .array(uncovered.map(JSON.string)), "restores": .array([]),
        ]
        return .object((members.members ?? []) + context.kept)
    }

    /// The traffic splits in a record, by plan and service, with the plan's generation.
    static func splits(
        _ json: JSON
    ) -> [(plan: String, generation: UInt64, services: [(name: String, live: TrafficSplit?)])] {
        (json["plans"]?.elements ?? []).compactMap { plan in
            guard let name = plan["plan"]?.text,
                let generation = plan["generation"]?.integer.flatMap({ UInt64(exactly: $0) })
            else { return nil }
            let services = (plan["services"]?.elements ?? []).compactMap { service -> (String, TrafficSplit?)? in
                guard let name = service["service"]?.text else { return nil }
                let weight = service["live"]?["candidate"]?.integer.flatMap { Int(exactly: $0) }
                return (name, weight.flatMap { TrafficSplit(candidate: $0) })
            }
            return (name, generation, services)
        }
    }
}

extension LivePlan {
    fileprivate var json: JSON {
        [
            "plan": .string(name), "generation": .integer(Int64(clamping: generation)), "phase": .string(phase),
            "services": .array(services.map(\.json)),
        ]
    }
}

extension LiveService {
    fileprivate var json: JSON {
        var members: [JSON.Member] = [
            .init("service", .string(name)), .init("progress", .string(progress)), .init("wanted", wanted.json),
            .init("live", live?.json ?? .null),
        ]
        switch inspection {
        case .inspected(let seen):
            members += [
                .init("stable_health", .string(seen.stable.text)),
                .init("candidate_health", .string(seen.candidate.text)),
                .init("candidate_isolated", .bool(seen.isCandidateIsolated)),
            ]
        case .failed(let reason): members.append(.init("error", .string(reason)))
        case .done: break
        }
        return .object(members + [.init("routes", .array(routes))])
    }
}

extension TargetHealth {
    fileprivate var text: String {
        switch self {
        case .healthy: "healthy"
        case .unhealthy(let reason): "unhealthy: \(reason)"
        case .unknown(let reason): "unknown: \(reason)"
        }
    }
}

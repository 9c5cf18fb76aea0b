internal import MetricModel

/// The state of a rollout for display.
extension RolloutController {
    /// A gate of a service, with what was last seen.
    public struct GateView: Hashable, Sendable {
        /// The gate's name.
        public var name: String
        /// Whether it lets the service pass; `nil` while it was not asked in this stage.
        public var isOpen: Bool?
        /// The value and the limit, or why there is none.
        public var detail: String
    }

    /// When the stage of `service` that is watched has baked; `nil` where none is.
    public func bakeEnd(of service: String) -> Instant? {
        guard case .baking(_, let since)? = state.services[service]?.progress, let plan = plan.service(service) else {
            return nil
        }
        return since + plan.bake
    }

    /// The gates of `service`.
    public func gates(of service: String) -> [GateView] {
        (plan.service(service)?.gates ?? []).map { gate in
            switch gate.kind {
            case .approval(let approval):
                let isApproved = state.services[service]?.isApproved == true
                return GateView(
                    name: gate.name, isOpen: isApproved,
                    detail: isApproved ? "approved" : openApproval(approval, of: service))
            case .rule(let name):
                switch standings[name] {
                case .healthy: return GateView(name: gate.name, isOpen: true, detail: "healthy")
                case .violated: return GateView(name: gate.name, isOpen: false, detail: "violated")
                case .missing, nil: return GateView(name: gate.name, isOpen: nil, detail: "no data")
                }
            case .expression, .http:
                let answer = gateAnswers[service]?.first { $0.name == gate.name }
                return GateView(
                    name: gate.name, isOpen: answer.map(\.isOpen), detail: answer?.detail ?? "not asked in this stage")
            }
        }
    }

    /// Since when the candidate of `service` has been read with traffic that no rollout gave it; `nil` if it has none.
    public func unmanagedSince(_ service: String) -> Instant? { unmanaged[service]?.since }

    /// Required actions, one line each.
    public func todo(at now: Instant) -> [String] {
        var lines: [String] = []
        if state.loss != nil {
            lines.append(
                "the record was lost: check the traffic, then: tribune rollout acknowledge \(plan.name) --reason=…")
        }
        if isUpgrading {
            lines.append(
                "records keep the format of the version before, so that it can take over: when nobody will run it again: "
                    + "tribune rollout finish-upgrade \(plan.name)")
        }
        for (service, traffic) in unmanaged.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "the candidate of \(service) has traffic that no rollout gave it (live \(traffic.split)): "
                    + "tribune rollout adopt \(plan.name), or: tribune rollout rollback \(plan.name)")
        }
        switch state.phase {
        case .paused(let reason):
            lines.append("paused (\(reason)): tribune rollout resume \(plan.name), or abort")
        case .promoting, .promoted, .rollingBack:
            for service in plan.services.map(\.name) {
                if let reason = state.services[service]?.frozen { lines.append("\(service): mend this: \(reason)") }
                if let lack = lack(of: service, at: now) {
                    lines.append(
                        "\(service): mend the measurement (\(lack.description)), or: "
                            + "tribune rollout promote \(plan.name) --without-data --reason=…")
                } else if let end = bakeEnd(of: service), now >= end,
                    gates(of: service).contains(where: { $0.isOpen == false && $0.detail.hasPrefix("waits for ") })
                {
                    lines.append("\(service): approve the stage: tribune rollout promote \(plan.name)")
                }
            }
        case .rolledBack:
            if state.rollback?.verdict?.isValid == false {
                lines.append("look at the services: the rollback was not confirmed")
            }
        case .idle, .retired: break
        }
        return lines
    }
}

extension ServiceRollout.Progress {
    /// The stage that is set or watched, from 0; `nil` where there is none.
    public var stage: Int? {
        switch self {
        case .shifting(let stage), .baking(let stage, _): stage
        case .waiting, .promoted, .rollingBack, .rolledBack: nil
        }
    }
}

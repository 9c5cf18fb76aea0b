internal import JSON
internal import MetricModel
internal import RuleModel

/// Rollouts that begin automatically, at a time or with a new candidate.
extension RolloutController {
    /// The key of the request for the version; no service has this name.
    private static var noService: String { "" }

    /// Begins a rollout if the plan demands it and there is no obstacle, and watches for new candidates.
    mutating func advanceStart(at now: Instant) {
        guard let start = plan.start else { return }
        if start.version != nil { askVersion(start, at: now) }
        switch state.phase {
        case .idle: break
        case .rolledBack: if start.version == nil { return }
        case .promoting, .paused, .promoted, .retired, .rollingBack: return
        }
        let wait = start.wait(at: now)
        guard wait == .zero else { return wake(at: now + wait) }
        guard obstacle(at: now) == nil else { return }
        if start.version != nil {
            guard let version = seenVersion, version.readings >= 2, version.value != state.version else { return }
            begin("version \(version.value)", version.value, at: now)
        } else {
            begin("schedule", nil, at: now)
        }
    }

    private mutating func begin(_ reason: String, _ version: Double?, at now: Instant) {
        let before = state.version
        state.version = version
        guard self.start(at: now) == .accepted else {
            state.version = before
            return
        }
        record(.deployment, ["step": "started", "by": .string(reason)], at: now)
    }

    private mutating func askVersion(_ start: RolloutStart, at now: Instant) {
        if let entry = versionQuestion {
            guard entry.deadline <= now else { return wake(at: entry.deadline) }
            versionQuestion = nil
        }
        if let due = versionDue, due > now { return wake(at: due) }
        versionDue = now + plan.reconcile
        lastOperation &+= 1
        versionQuestion = ServiceWork.Question(id: lastOperation, deadline: now + .seconds(60))
        wake(at: now + .seconds(60))
        let gate = RolloutPlan.Gate(
            name: "version", kind: .expression(start.version ?? "", healthy: .init(.notEqual, .infinity)))
        outbox.append(.ask(GateQuestion(id: lastOperation, service: Self.noService, gates: [gate])))
    }

    /// The version of the candidate has been read; `nil` if there is none.
    mutating func versionSeen(_ value: Double?, at now: Instant) {
        hasChanged = true
        guard let value, !value.isNaN else {
            seenVersion = nil
            return
        }
        let readings = seenVersion?.value == value ? (seenVersion?.readings ?? 0) + 1 : 1
        seenVersion = Version(value: value, readings: min(readings, 1000))
        guard readings == 2, state.phase == .promoting, let begun = state.version, begun != value else { return }
        stop("the candidate changed from version \(begun) to \(value) during the rollout", at: now)
    }
}

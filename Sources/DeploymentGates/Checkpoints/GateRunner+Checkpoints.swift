internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

extension GateRunner {
    /// Reads every router and stores the result.
    func checkpoint(_ request: GateRequest) throws(GateRefusal) -> JSON {
        let (plan, reason, context) = try parsed(request) { json throws(JSONFieldError) in
            var fields = try JSONFields(json)
            let context = try PipelineContext(&fields)
            let read = (try fields.optionalText("plan", limit: 200), try fields.optionalText("reason") ?? "", context)
            try fields.finish()
            return read
        }
        var plans = settings.rollouts.live(plan)
        if let plan, plans.isEmpty {
            throw GateRefusal(.invalid, "plan: no plan named \(MetricText.quoted(plan))")
        }
        let wanted = Set(context.services)
        if plan == nil, !wanted.isEmpty {
            plans.removeAll { plan in !plan.services.contains { wanted.contains($0.name) } }
        }
        let now = settings.now()
        let checkpoint = TrafficCheckpoint(
            id: newID("checkpoint", at: now), at: now, actor: request.actor, reason: reason, plans: plans,
            context: context)
        let json = checkpoint.json
        try keep(checkpoint.id, json, in: checkpoints)
        record(.checkpoint, plan ?? "all plans", json, at: now)
        return json
    }

    /// Orders the controllers of the checkpoint's plans to restore it. They write the order to the journal and decide
    /// how much of it they can do.
    func restore(_ id: String, _ request: GateRequest) throws(GateRefusal) -> JSON {
        let kept = try record(id, .checkpoint)
        let (reason, isExact) = try parsed(request) { json throws(JSONFieldError) in
            var fields = try JSONFields(json)
            let read = (try fields.optionalText("reason") ?? "", try fields.optionalFlag("exact") ?? false)
            try fields.finish()
            return read
        }
        let now = settings.now()
        var outcomes: [JSON] = []
        for (plan, generation, services) in TrafficCheckpoint.splits(kept) {
            let known = services.compactMap { service in service.live.map { (service.name, $0) } }
            let unread = services.filter { $0.live == nil }.map(\.name)
            let command = RolloutCommand(
                .restore(
                    Dictionary(known, uniquingKeysWith: { first, _ in first }), exactlyIn: isExact ? generation : nil),
                by: request.actor,
                reason: reason.isEmpty ? "back to \(id)" : "back to \(id): \(reason)")
            let before = settings.rollouts.splits(plan)
            let (word, detail) = Self.words(settings.rollouts.command(command, plan))
            outcomes.append([
                "plan": .string(plan), "outcome": .string(word), "detail": .string(detail),
                "unread": .array(unread.map(JSON.string)),
                "not_raised": .array(
                    known.filter { name, split in
                        split > before[name] ?? .allStable
                    }.map { .string($0.0) }),
            ])
        }
        let restore: JSON = [
            "time": .string(RFC3339.text(milliseconds: now.milliseconds)), "actor": .string(request.actor),
            "reason": .string(reason), "exact": .bool(isExact), "plans": .array(outcomes),
        ]
        let changed = JSON.object(
            (kept.members ?? []).map { member in
                guard member.name == "restores" else { return member }
                return .init("restores", .array((member.value.elements ?? []).suffix(49) + [restore]))
            })
        try keep(id, changed, in: checkpoints)
        record(.deployment, id, ["step": "restore", "checkpoint": .string(id), "restore": restore], at: now)
        return ["checkpoint_id": .string(id), "restore": restore]
    }

    private static func words(_ outcome: CommandOutcome) -> (String, String) {
        switch outcome {
        case .accepted: ("accepted", "")
        case .ignored(let reason): ("ignored", reason)
        case .refused(let reason): ("refused", reason)
        }
    }
}

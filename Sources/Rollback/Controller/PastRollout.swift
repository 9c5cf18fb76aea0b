public import JSON
internal import MetricModel

/// A rollout of the past, by the events that were recorded about it. A value.
public struct PastRollout: Hashable, Sendable {
    /// An order of a person.
    public struct Order: Hashable, Sendable {
        /// When it was given.
        public var at: Instant
        /// `pause`, `rollback` …
        public var command: String
        /// Who gave it.
        public var by: String
        /// The reason given.
        public var reason: String
    }

    /// The number of the rollout.
    public var generation: UInt64
    /// When it began; `nil` if that was not recorded, or before the events that were read.
    public var began: Instant?
    /// The person who started it, or its schedule or version.
    public var by = ""
    /// The orders that were accepted, with the one that started it.
    public var orders: [Order] = []
    /// When its candidates were promoted; `nil` if they were not.
    public var promoted: Instant?
    /// Its rollbacks, the first one first.
    public var rollbacks: [RollbackReport] = []

    /// The rollouts of the plan `plan`, the newest first, from its events of the kinds `deployment` and `rollback_step`
    /// in any order.
    ///
    /// Rollbacks that were recorded by earlier versions have no record in their event, and are left out.
    public static func all(of plan: String, in events: [(at: Instant, body: JSON)]) -> [PastRollout] {
        var rollouts: [UInt64: PastRollout] = [:]
        for (at, body) in events.sorted(by: { $0.at < $1.at }) {
            guard body["plan"]?.text == plan, let step = body["step"]?.text,
                let generation = body["generation"]?.integer.flatMap(UInt64.init(exactly:)), generation > 0
            else { continue }
            var rollout = rollouts[generation] ?? PastRollout(generation: generation)
            rollout.add(step, body, of: plan, at)
            rollouts[generation] = rollout
        }
        return rollouts.values.sorted { $0.generation > $1.generation }
    }

    private mutating func add(_ step: String, _ body: JSON, of plan: String, _ at: Instant) {
        switch step {
        case "command":
            guard body["outcome"] == "accepted", let command = body["command"]?.text else { return }
            let by = body["by"]?.text ?? ""
            orders.append(Order(at: at, command: command, by: by, reason: body["reason"]?.text ?? ""))
            if command == "start" || command == "adopt" { (began, self.by) = (at, by) }
        case "started": (began, by) = (at, body["by"]?.text ?? "")
        case "promoted": if body["service"] == nil { promoted = at }
        case "reported":
            guard let record = body["record"].flatMap(RollbackRecord.init),
                !rollbacks.contains(where: { $0.rollback.id == record.id })
            else { return }
            let epoch = body["epoch"]?.integer.flatMap(UInt64.init(exactly:)) ?? 0
            rollbacks.append(RollbackReport(plan: plan, epoch: epoch, rollback: record))
        case "task":
            guard let change = RollbackTask.Change(body) else { return }
            for index in rollbacks.indices { rollbacks[index].apply(change, by: body["by"]?.text ?? "", at: at) }
        case _: break
        }
    }

    /// The rollout as JSON. Rollbacks are summaries: their reports have the evidence.
    public var json: JSON {
        func time(_ instant: Instant?) -> JSON {
            instant.map { .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds)) } ?? .null
        }
        return [
            "generation": .integer(Int64(clamping: generation)), "began": time(began), "by": .string(by),
            "promoted": time(promoted),
            "orders": .array(
                orders.map { order in
                    [
                        "time": time(order.at), "command": .string(order.command), "by": .string(order.by),
                        "reason": .string(order.reason),
                    ]
                }),
            "rollbacks": .array(
                rollbacks.map { report in
                    [
                        "id": .string(report.rollback.id),
                        "time": time(report.start ?? report.rollback.timeline.first?.at),
                        "services": .array(report.rollback.services.map(JSON.string)),
                        "causes": .array(report.rollback.causes.map { .string($0.summary) }),
                        "valid": report.rollback.verdict.map { .bool($0.isValid) } ?? .null,
                        "validation": report.rollback.verdict.map { .string($0.detail) } ?? .null,
                        "open_tasks": .integer(Int64(report.tasks.count { $0.state.isOpen })),
                    ]
                }),
        ]
    }
}

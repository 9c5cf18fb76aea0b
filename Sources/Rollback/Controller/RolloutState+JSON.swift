internal import JSON
internal import MetricModel

/// The state as written to the journal. `init?(_:)` reads `json` back to an equal value.
extension RolloutState {
    var json: JSON {
        [
            "generation": .integer(Int64(clamping: generation)), "phase": phase.json,
            "services": .object(
                services.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value.json) }),
            "version": version.map { .string(FloatText.general($0)) } ?? .null,
            "last_promoted_at": lastPromotedAt.json, "cooldown_until": cooldownUntil.json,
            "rollback": rollback?.json ?? .null, "doubts": .array(doubts.sorted().map(JSON.string)),
            "observing_until": observingUntil.json, "unordered": .bool(isUnordered),
            "full": .bool(isFull),
            "hooks": .object(hooks.sorted { $0.key < $1.key }.map { .init($0.key, .bool($0.value)) }),
            "loss": loss.map(JSON.string) ?? .null, "structure": structure?.json ?? .null,
        ]
    }

    init?(_ json: JSON) {
        guard let generation = json["generation"]?.integer.flatMap(UInt64.init(exactly:)),
            let phase = json["phase"].flatMap(Phase.init), let members = json["services"]?.members
        else { return nil }
        self.init()
        self.generation = generation
        self.phase = phase
        for member in members {
            guard let service = ServiceRollout(member.value) else { return nil }
            services[member.name] = service
        }
        version = json["version"]?.text.flatMap { Double($0) }
        lastPromotedAt = Instant?(json["last_promoted_at"])
        cooldownUntil = Instant?(json["cooldown_until"])
        // Journals of earlier versions do not have these.
        loss = json["loss"]?.text
        isFull = json["full"]?.bool ?? false
        for member in json["hooks"]?.members ?? [] { hooks[member.name] = member.value.bool }
        isUnordered = json["unordered"]?.bool ?? false
        observingUntil = Instant?(json["observing_until"])
        structure = json["structure"].flatMap(RecordedStructure.init)
        doubts = Set((json["doubts"]?.elements ?? []).compactMap(\.text))
        guard let rollback = json["rollback"], rollback != .null else { return }
        guard let record = RollbackRecord(rollback) else { return nil }
        self.rollback = record
    }
}

extension Instant? {
    fileprivate var json: JSON { map { .integer($0.nanoseconds) } ?? .null }

    fileprivate init(_ json: JSON?) {
        self = json?.integer.map { Instant(nanoseconds: $0) }
    }
}

extension RolloutState.Phase {
    /// The name of this phase in snapshots and in the journal.
    public var name: String {
        switch self {
        case .idle: "idle"
        case .promoting: "promoting"
        case .paused: "paused"
        case .promoted: "promoted"
        case .retired: "retired"
        case .rollingBack: "rolling_back"
        case .rolledBack: "rolled_back"
        }
    }

    fileprivate var json: JSON {
        switch self {
        case .paused(let reason): [.string(name), .string(reason)]
        case .promoted(let at): [.string(name), .integer(at.nanoseconds)]
        case .idle, .promoting, .retired, .rollingBack, .rolledBack: [.string(name)]
        }
    }

    fileprivate init?(_ json: JSON) {
        let parts = json.elements ?? []
        switch (parts.first?.text, parts.dropFirst().first) {
        case ("idle", nil): self = .idle
        case ("promoting", nil): self = .promoting
        case ("paused", let reason?): self = .paused(reason: reason.text ?? "")
        case ("promoted", .integer(let at)?): self = .promoted(at: Instant(nanoseconds: at))
        case ("retired", nil): self = .retired
        case ("rolling_back", nil): self = .rollingBack
        case ("rolled_back", nil): self = .rolledBack
        default: return nil
        }
    }
}

extension ServiceRollout {
    fileprivate var json: JSON {
        [
            "candidate": split.weight, "progress": progress.json,
            "revision": .integer(Int64(clamping: revision)), "frozen": frozen.map(JSON.string) ?? .null,
            "approved": .bool(isApproved), "restoring": .bool(isRestoring),
            "without_data": .bool(isWithoutData), "approvers": .array(approvers.sorted().map(JSON.string)),
            "approvers_without_data": .array(approversWithoutData.sorted().map(JSON.string)),
            "traffic_since": trafficSince.map { .integer($0.nanoseconds) } ?? .null,
            "abandoned": .array(abandoned.sorted().map { .integer(Int64($0)) }), "order_broken": .bool(isOrderBroken),
            "irreversible": .bool(isIrreversible), "left_out": .bool(isLeftOut),
            "raised_from": raisedFrom?.weight ?? .null,
        ]
    }

    fileprivate init?(_ json: JSON) {
        guard let split = json["candidate"].flatMap(TrafficSplit.init(weight:)),
            let progress = json["progress"].flatMap(Progress.init),
            let revision = json["revision"]?.integer.flatMap(UInt64.init(exactly:)),
            let isApproved = json["approved"]?.bool
        else { return nil }
        self.init()
        self.split = split
        self.progress = progress
        self.revision = revision
        self.isApproved = isApproved
        // Journals of earlier versions do not have it.
        isRestoring = json["restoring"]?.bool ?? false
        isWithoutData = json["without_data"]?.bool ?? false
        approvers = Set((json["approvers"]?.elements ?? []).compactMap(\.text))
        approversWithoutData = Set((json["approvers_without_data"]?.elements ?? []).compactMap(\.text))
        trafficSince = json["traffic_since"]?.integer.map { Instant(nanoseconds: $0) }
        abandoned = Set((json["abandoned"]?.elements ?? []).compactMap { $0.integer.map { Int($0) } })
        isOrderBroken = json["order_broken"]?.bool ?? false
        isIrreversible = json["irreversible"]?.bool ?? false
        isLeftOut = json["left_out"]?.bool ?? false
        raisedFrom = json["raised_from"].flatMap(TrafficSplit.init(weight:))
        frozen = json["frozen"]?.text
    }
}

extension ServiceRollout.Progress {
    /// The name of this progress in snapshots and in the journal.
    public var name: String {
        switch self {
        case .waiting: "waiting"
        case .shifting: "shifting"
        case .baking: "baking"
        case .promoted: "promoted"
        case .rollingBack: "rolling_back"
        case .rolledBack: "rolled_back"
        }
    }

    fileprivate var json: JSON {
        switch self {
        case .waiting, .promoted, .rolledBack: [.string(name)]
        case .shifting(let stage): [.string(name), .integer(Int64(stage))]
        case .baking(let stage, let since):
            [.string(name), .integer(Int64(stage)), .integer(since.nanoseconds)]
        case .rollingBack(let step): [.string(name), .integer(Int64(step.rawValue))]
        }
    }

    fileprivate init?(_ json: JSON) {
        let parts = json.elements ?? []
        let numbers = parts.dropFirst().compactMap(\.integer)
        switch (parts.first?.text, numbers.count) {
        case ("waiting", 0): self = .waiting
        case ("shifting", 1): self = .shifting(stage: Int(numbers[0]))
        case ("baking", 2): self = .baking(stage: Int(numbers[0]), since: Instant(nanoseconds: numbers[1]))
        case ("promoted", 0): self = .promoted
        case ("rolling_back", 1):
            guard let step = ServiceRollout.RollbackStep(rawValue: Int(numbers[0])) else { return nil }
            self = .rollingBack(step)
        case ("rolled_back", 0): self = .rolledBack
        default: return nil
        }
    }
}

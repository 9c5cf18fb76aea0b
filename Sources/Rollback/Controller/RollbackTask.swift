public import JSON
internal import MetricModel

/// Work that a rollback leaves to people, for one of its services. A value.
///
/// Changes are entries of the ledger; ``PastRollout`` reads them back.
public struct RollbackTask: Hashable, Sendable {
    /// The work, in its order.
    public enum Kind: String, Sendable, CaseIterable {
        case rootCause = "root_cause"
        case debugging
        case fix
        case retryPlan = "retry_plan"
        case lessons

        /// The text of the task for `service`.
        public func text(_ service: String) -> String {
            switch self {
            case .rootCause:
                "Find out why the candidate of \(service) was rolled back, from the evidence in the report."
            case .debugging: "Debug the isolated candidate of \(service), and check what it wrote while it had traffic."
            case .fix: "Fix \(service) and test the fix."
            case .retryPlan: "Plan the next rollout of \(service)."
            case .lessons: "Write down what was learned from the rollback of \(service)."
            }
        }
    }

    /// How far the work is.
    public enum State: String, Sendable, CaseIterable {
        case open
        case inProgress = "in_progress"
        case done
        /// Nobody is going to do it.
        case dropped

        /// Whether somebody still has to act.
        public var isOpen: Bool { self == .open || self == .inProgress }
    }

    /// A change of a task.
    public struct Change: Hashable, Sendable {
        /// The id of the rollback.
        public var rollback: String
        /// The service.
        public var service: String
        /// The work.
        public var kind: Kind
        /// The new state; `nil` to keep it.
        public var state: State?
        /// The new owner, "" for none; `nil` to keep it.
        public var owner: String?
        /// The new note; `nil` to keep it.
        public var note: String?

        /// A change of the task `kind` of `service`.
        public init(
            rollback: String, service: String, kind: Kind, state: State? = nil, owner: String? = nil,
            note: String? = nil
        ) {
            self.rollback = rollback
            self.service = service
            self.kind = kind
            self.state = state
            self.owner = owner
            self.note = note
        }

        /// The body of the ledger entry by which `plan` keeps it.
        public func body(plan: String, generation: UInt64, by: String) -> JSON {
            func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
            return [
                "plan": .string(plan), "generation": .integer(Int64(clamping: generation)), "step": "task",
                "rollback": .string(rollback), "service": .string(service), "task": .string(kind.rawValue),
                "state": text(state?.rawValue), "owner": text(owner), "note": text(note), "by": .string(by),
            ]
        }

        init?(_ body: JSON) {
            guard let rollback = body["rollback"]?.text, let service = body["service"]?.text,
                let kind = body["task"]?.text.flatMap(Kind.init)
            else { return nil }
            self.init(
                rollback: rollback, service: service, kind: kind, state: body["state"]?.text.flatMap(State.init),
                owner: body["owner"]?.text, note: body["note"]?.text)
        }
    }

    /// The service.
    public var service: String
    /// The work.
    public var kind: Kind
    /// How far it is.
    public var state = State.open
    /// Who does it; empty for nobody yet.
    public var owner = ""
    /// A remark, such as an address of the result.
    public var note = ""
    /// When it was last changed; `nil` if never.
    public var changedAt: Instant?
    /// Who changed it.
    public var changedBy = ""

    /// The tasks of `rollback`, all of them open: every work for each service that violated a rule or could not be
    /// promoted; for all its services where a person ordered it.
    static func all(of rollback: RollbackRecord) -> [RollbackTask] {
        var names: Set<String> = []
        for cause in rollback.causes {
            switch cause {
            case .trip(let trip): names.formUnion(trip.service.map { [$0] } ?? rollback.services)
            case .promotion(let service, _): names.insert(service)
            case .command: break
            }
        }
        names.formIntersection(rollback.services)
        let services = names.isEmpty ? rollback.services : rollback.services.filter(names.contains)
        return services.flatMap { service in Kind.allCases.map { RollbackTask(service: service, kind: $0) } }
    }

    mutating func apply(_ change: Change, by: String, at: Instant) {
        state = change.state ?? state
        owner = change.owner ?? owner
        note = change.note ?? note
        (changedAt, changedBy) = (at, by)
    }

    /// The task as JSON.
    public var json: JSON {
        [
            "service": .string(service), "task": .string(kind.rawValue), "text": .string(kind.text(service)),
            "state": .string(state.rawValue), "owner": .string(owner), "note": .string(note),
            "changed_at": changedAt.map { .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds)) } ?? .null,
            "changed_by": .string(changedBy),
        ]
    }

    /// The task as an item of a list in Markdown, without line breaks.
    var markdown: String {
        let box = state.isOpen ? "[ ]" : "[x]"
        let who = owner.isEmpty ? "nobody" : owner
        let remark = note.isEmpty ? "" : ": \(note)"
        return "- \(box) \(kind.text(service)) (`\(kind.rawValue)`, \(state.rawValue), owner: \(who))\(remark)"
    }
}

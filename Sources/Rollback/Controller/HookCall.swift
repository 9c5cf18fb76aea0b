public import JSON

/// A call of a hook. The answer is passed to ``RolloutController/hookAnswered(_:_:at:)``.
public struct HookCall: Hashable, Sendable {
    /// Distinguishes calls of one controller.
    public var id: UInt64
    /// The hook.
    public var hook: RolloutHook
    /// The plan's name.
    public var plan: String
    /// The number of the rollout.
    public var generation: UInt64
    /// The service; `nil` if the moment is about the whole rollout.
    public var service: String?
    /// The stage that begins or ends, from 1.
    public var stage: Int?
    /// The candidate's percentage in that stage.
    public var candidate: Int?
    /// The rollback that was reported.
    public var rollback: String?
    /// The same for each call about the same moment, also by another process.
    public var key: String

    /// The call as JSON, for the hook.
    public var json: JSON {
        [
            "hook": .string(hook.name), "when": .string(hook.moment.rawValue), "plan": .string(plan),
            "generation": .integer(Int64(clamping: generation)), "service": service.map(JSON.string) ?? .null,
            "stage": stage.map { .integer(Int64($0)) } ?? .null,
            "candidate": candidate.map { .integer(Int64($0)) } ?? .null,
            "rollback": rollback.map(JSON.string) ?? .null, "key": .string(key),
        ]
    }
}

/// The answer of a hook.
public struct HookAnswer: Hashable, Sendable {
    /// The verdict of a hook.
    public enum Verdict: String, Sendable {
        /// The rollout goes on.
        case pass
        /// The check has failed.
        case fail
        /// The hook cannot tell yet, and is called again.
        case hold
        /// There is no verdict: the hook could not be reached, or took too long. It is called again.
        case none
    }

    /// The verdict.
    public var verdict: Verdict
    /// The reason, for people.
    public var detail: String

    /// An answer.
    public init(_ verdict: Verdict, _ detail: String) {
        self.verdict = verdict
        self.detail = detail
    }
}

/// The volatile state of a hook at one moment.
struct HookWork: Hashable {
    /// The active call.
    var call: ServiceWork.Question?
    /// When it is called again.
    var due: Instant?
    /// Since when the rollout has waited for it.
    var since: Instant
    /// The last answer.
    var answer: HookAnswer?
    /// The key of the page about it; `nil` if there is none.
    var page: String?
}

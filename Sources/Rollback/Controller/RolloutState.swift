/// The durable state of a rollout. All of it is in the journal; everything else may be lost in a crash.
public struct RolloutState: Hashable, Sendable {
    /// The phase of the rollout.
    public enum Phase: Hashable, Sendable {
        /// Nothing has been started yet. To: `promoting`.
        case idle
        /// To: `paused`, `promoted`, `rollingBack`.
        case promoting
        /// To: `promoting`, `rollingBack`.
        case paused(reason: String)
        /// Every service runs the candidate; the stable version is kept for a while. To: `retired`, `rollingBack`.
        case promoted(at: Instant)
        /// The stable version may be gone, so no rollback is possible. To: `idle`, with another plan.
        case retired
        /// To: `rolledBack`, or `promoting` if a service merely failed to be promoted.
        case rollingBack
        /// The rollback is complete. To: `promoting` as a new generation, `rollingBack`.
        case rolledBack
    }

    /// The number of this rollout, from 1.
    public var generation: UInt64 = 0
    /// The phase of the rollout.
    public var phase = Phase.idle
    /// The state of each service, by name.
    public var services: [String: ServiceRollout] = [:]
    /// The version of the candidate for which the last rollout began automatically.
    public var version: Double?
    /// When the last service was promoted; the settle time of the next level begins here.
    public var lastPromotedAt: Instant?
    /// No candidate's weight rises before this.
    public var cooldownUntil: Instant?
    /// The active rollback, or the last one.
    public var rollback: RollbackRecord?
    /// Services taken over from another node whose live weights have not been compared with the record yet.
    public var doubts: Set<String> = []

    /// Whether candidates get all traffic at once: without further stages, bakes, gates and hooks.
    public var isFull = false
    /// The hooks of this rollout by moment and name: whether they have passed, or, after a promotion or a rollback,
    /// whether they need not be called any more.
    public var hooks: [String: Bool] = [:]
    /// The loss of an earlier record; `nil` after a person has acknowledged it.
    public var loss: String?
    /// Whether a trip made traffic that no rollout gave that of this rollout, and nobody has given an order since.
    public var isUnordered = false
    /// Until when nothing is written to routers, by a person's order; `nil` for no such order.
    public var observingUntil: Instant?
    /// The structure of the plan that the state belongs to; `nil` in records of earlier versions.
    public var structure: RecordedStructure?
    /// The format in which it is recorded: that in which it was found, or the newest.
    public internal(set) var format = JournalRecord.newestFormat

    /// A plan that was never started.
    public init() {}
}

/// The state of one service.
public struct ServiceRollout: Hashable, Sendable {
    /// Its progress.
    public enum Progress: Hashable, Sendable {
        /// Not begun; the stable version has all traffic. To: `shifting`.
        case waiting
        /// The weight of a stage is being set. To: `baking`, `rollingBack`.
        case shifting(stage: Int)
        /// The weight of a stage is live and observed; stage -1 is a weight below the first one. To: `shifting`,
        /// `promoted`, `rollingBack`.
        case baking(stage: Int, since: Instant)
        /// The candidate has all traffic. To: `rollingBack`.
        case promoted
        /// Being rolled back. To: `rolledBack`.
        case rollingBack(RollbackStep)
        /// The stable version has all traffic again, verified.
        case rolledBack

        var isShifting: Bool { if case .shifting = self { true } else { false } }
    }

    /// The progress of the rollback of one service.
    public enum RollbackStep: Int, Comparable, Sendable {
        /// Decided and journalled; no action is known yet.
        case intended
        /// The router has acknowledged.
        case shifted
        /// The live weights have been read back.
        case verified

        /// Whether `left` comes before `right`.
        public static func < (left: RollbackStep, right: RollbackStep) -> Bool { left.rawValue < right.rawValue }
    }

    /// The wanted weights.
    public var split = TrafficSplit.allStable
    /// Its progress.
    public var progress = Progress.waiting
    /// The number of changes of the wanted weights; part of the idempotency key.
    public var revision: UInt64 = 0
    /// Why no action is possible; it has been paged.
    public var frozen: String?
    /// Whether a person has approved the next stage.
    public var isApproved = false
    /// Whether a person has let it pass the present stage without data. Only with `isApproved`.
    public var isWithoutData = false
    /// The proved identities that have approved the next stage, if a gate demands certain ones.
    public var approvers: Set<String> = []
    /// Those of them that let it pass without data.
    public var approversWithoutData: Set<String> = []
    /// When its candidate was first given traffic in this rollout; `nil` before.
    public var trafficSince: Instant?
    /// Whether it is no part of this rollout.
    public var isLeftOut = false
    /// The weights before those that are being set; `nil` in records of earlier versions.
    public var raisedFrom: TrafficSplit?
    /// Whether the weight being set is below the previous one: that of a checkpoint, or of a reduction. Only while
    /// `shifting`.
    public var isRestoring = false
    /// Whether it has gone, or was about to go, past the weight from which its plan lets it go back.
    public var isIrreversible = false
    /// Routes of the rollback that a person has given up, by their index.
    public var abandoned: Set<Int> = []
    /// Whether it is rolled back before an unreachable dependent.
    public var isOrderBroken = false

    /// A service that has not begun.
    public init() {}

    /// The next stage needs an approval of its own.
    mutating func withdrawApproval() {
        isApproved = false
        isWithoutData = false
        approvers = []
        approversWithoutData = []
    }
}

/// One rollback: causes, steps, progress, and times.
public struct RollbackRecord: Hashable, Sendable {
    /// The cause of a rollback.
    public enum Cause: Hashable, Sendable {
        case trip(Trip)
        /// A person ordered it.
        case command(by: String, reason: String)
        /// A service could not be promoted.
        case promotion(service: String, reason: String)
    }

    /// The next step.
    public enum Step: Int, Sendable {
        case shift
        case raiseIncident
        case notify
        case validate
        case report
        /// Everything is done.
        case finished
    }

    /// An entry of the timeline.
    public struct Entry: Hashable, Sendable {
        /// When.
        public var at: Instant
        /// The step: `violated`, `decided`, `journalled`, `shifted`, `verified`, `isolated`, `validated` …
        public var step: String
        /// The service; `nil` for the rollback as a whole.
        public var service: String?
        /// Details.
        public var detail: String
    }

    /// The result of the validation.
    public struct Verdict: Hashable, Sendable {
        /// Whether everything was confirmed.
        public var isValid: Bool
        /// The confirmed or the missing conditions.
        public var detail: String
        /// Whether some routes were only stored, so that it is not known whether traffic follows.
        public var isOnlyStored = false
    }

    /// `plan-generation-number`; also the key of the incident.
    public var id: String
    /// The rollout that it belongs to.
    public var generation: UInt64
    /// The number of the rollback in this generation.
    public var number: Int
    /// The causes; later trips that join a running rollback are added.
    public var causes: [Cause]
    /// The services to roll back, dependents first.
    public var services: [String]
    /// The next step.
    public var step = Step.shift
    /// When validation began.
    public var validatingSince: Instant?
    /// The result of the validation.
    public var verdict: Verdict?
    /// Whether it takes traffic back only where the stable version still has some: nobody ordered it, and the traffic
    /// was not given by a rollout.
    public var isBesideStable = false
    /// Whether a node continued it that may not know all steps before: promotion does not go on afterwards by itself.
    public var isDoubted = false
    /// The timeline, in order.
    public var timeline: [Entry] = []

    static let causeLimit = 16
    static let timelineLimit = 500

    /// Adds a cause; if there are too many, it replaces the last one.
    mutating func add(_ cause: Cause) {
        if causes.count >= Self.causeLimit { causes.removeLast() }
        causes.append(cause)
    }

    /// Adds an entry; a rollback that makes no progress for hours keeps its first entries.
    mutating func add(_ step: String, _ service: String?, _ detail: String, at: Instant) {
        guard timeline.count < Self.timelineLimit else { return }
        timeline.append(Entry(at: at, step: step, service: service, detail: detail))
    }
}

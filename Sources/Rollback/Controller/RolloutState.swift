/// What a rollout has come to. All of it stands in the journal; what is not here may be forgotten in a crash.
public struct RolloutState: Equatable, Sendable {
    /// Where the rollout as a whole stands.
    public enum Phase: Equatable, Sendable {
        /// Nothing has been started yet. To: `promoting`.
        case idle
        /// To: `paused`, `promoted`, `rollingBack`.
        case promoting
        /// To: `promoting`, `rollingBack`.
        case paused(reason: String)
        /// Every service runs the candidate; the stable version is kept for a while. To: `retired`, `rollingBack`.
        case promoted(at: Instant)
        /// The stable version may be gone, there is no way back. To: `idle`, with another plan.
        case retired
        /// To: `rolledBack`, or `promoting` where a service merely failed to be promoted.
        case rollingBack
        /// What had to go back has gone back. To: `promoting` as a new generation, `rollingBack`.
        case rolledBack
    }

    /// Counts the rollouts of this plan.
    public var generation: UInt64 = 0
    /// Where the rollout as a whole stands.
    public var phase = Phase.idle
    /// Where each service stands, by name.
    public var services: [String: ServiceRollout] = [:]
    /// The version of the candidate that the last rollout was begun for by itself.
    public var version: Double?
    /// When a service was last promoted to the end; the settle time of the next level counts from here.
    public var lastPromotedAt: Instant?
    /// No candidate's weight rises before this.
    public var cooldownUntil: Instant?
    /// The rollback under way, or the last one.
    public var rollback: RollbackRecord?
    /// Services taken over from another node whose live weights have not been compared with the record yet.
    public var doubts: Set<String> = []

    /// A plan that was never started.
    public init() {}
}

/// Where one service stands.
public struct ServiceRollout: Equatable, Sendable {
    /// What is being done with it.
    public enum Progress: Equatable, Sendable {
        /// Its turn has not come; the stable version has all traffic. To: `shifting`.
        case waiting
        /// The weight of a stage is to be set. To: `baking`, `rollingBack`.
        case shifting(stage: Int)
        /// The weight of a stage is live and watched. To: `shifting`, `promoted`, `rollingBack`.
        case baking(stage: Int, since: Instant)
        /// The candidate has all traffic. To: `rollingBack`.
        case promoted
        /// On its way back. To: `rolledBack`.
        case rollingBack(RollbackStep)
        /// The stable version has all traffic again, verified.
        case rolledBack
    }

    /// How far the way back of one service has come.
    public enum RollbackStep: Int, Comparable, Sendable {
        /// It is decided and journalled; nothing has been done yet, as far as is known.
        case intended
        /// The router has acknowledged.
        case shifted
        /// The live weights have been read back.
        case verified

        /// Whether `left` comes before `right`.
        public static func < (left: RollbackStep, right: RollbackStep) -> Bool { left.rawValue < right.rawValue }
    }

    /// How traffic is meant to be divided.
    public var split = TrafficSplit.allStable
    /// What is being done.
    public var progress = Progress.waiting
    /// Counts the intentions to set the weights; part of the idempotency key.
    public var revision: UInt64 = 0
    /// Why nothing can be done at present; people have been paged.
    public var frozen: String?
    /// Whether a person has approved the next stage.
    public var isApproved = false
    /// Whether a person has let it pass the present stage although data are missing. Only with `isApproved`.
    public var isWithoutData = false
    /// When its candidate was first given traffic in this rollout; `nil` before.
    public var trafficSince: Instant?
    /// Whether the weight that is being set is that of a checkpoint, below the one before. Only while `shifting`.
    public var isRestoring = false
    /// Routes that a person has given up on the way back, by their index.
    public var abandoned: Set<Int> = []
    /// Whether it goes back although a dependent that cannot be reached has not.
    public var isOrderBroken = false

    /// A service whose turn has not come.
    public init() {}
}

/// One rollback: why, what, how far, and when each thing happened.
public struct RollbackRecord: Equatable, Sendable {
    /// Why services go back.
    public enum Cause: Equatable, Sendable {
        case trip(Trip)
        /// A person asked for it.
        case command(by: String, reason: String)
        /// A service could not be promoted.
        case promotion(service: String, reason: String)
    }

    /// What is to be done next.
    public enum Step: Int, Sendable {
        case shift
        case raiseIncident
        case notify
        case validate
        case report
        /// Everything is done.
        case finished
    }

    /// One thing that happened.
    public struct Entry: Equatable, Sendable {
        /// When.
        public var at: Instant
        /// What: `violated`, `decided`, `journalled`, `shifted`, `verified`, `isolated`, `validated` …
        public var step: String
        /// The service; `nil` for the rollback as a whole.
        public var service: String?
        /// Particulars.
        public var detail: String
    }

    /// How validation came out.
    public struct Verdict: Equatable, Sendable {
        /// Whether everything was confirmed.
        public var isValid: Bool
        /// What was confirmed, or what was not.
        public var detail: String
    }

    /// `plan-generation-number`; also the key of the incident.
    public var id: String
    /// The rollout it belongs to.
    public var generation: UInt64
    /// Counts the rollbacks of this generation.
    public var number: Int
    /// Why; later trips that join a running rollback are added.
    public var causes: [Cause]
    /// The services that go back, dependents first.
    public var services: [String]
    /// What is to be done next.
    public var step = Step.shift
    /// Since when validation runs.
    public var validatingSince: Instant?
    /// How validation came out.
    public var verdict: Verdict?
    /// What happened, in order.
    public var timeline: [Entry] = []

    static let causeLimit = 16
    static let timelineLimit = 500

    /// Adds a cause; where there are too many, it takes the place of the last one.
    mutating func add(_ cause: Cause) {
        if causes.count >= Self.causeLimit { causes.removeLast() }
        causes.append(cause)
    }

    /// Adds an entry; a rollback that cannot get on for hours keeps its first entries.
    mutating func add(_ step: String, _ service: String?, _ detail: String, at: Instant) {
        guard timeline.count < Self.timelineLimit else { return }
        timeline.append(Entry(at: at, step: step, service: service, detail: detail))
    }
}

public import History
public import JSON
public import MetricModel
public import MetricStore
public import Notification
public import PromQL
public import Rollback
public import RuleEngine
public import Scraper

/// Where the exporter gets what it shows. Handed in by the composition root, so that neither side knows the other.
///
/// Every closure may be called by several threads at once and should answer from a snapshot without waiting.
public struct ExporterSources: Sendable {
    /// The samples.
    public var store: MetricStore
    /// How queries are evaluated; a request may shorten the timeout and change the lookback.
    public var engine = EngineOptions()
    /// Which expressions are accepted.
    public var features = ParserFeatures.standard
    /// Labels that name this server to others; `/federate` adds them.
    public var externalLabels: @Sendable () -> Labels = { .empty }
    /// The active targets, in any order.
    public var targets: @Sendable () -> [TargetSnapshot] = { [] }
    /// The targets that relabelling dropped, in any order.
    public var droppedTargets: @Sendable () -> [DroppedTarget] = { [] }
    /// The jobs that are configured.
    public var scrapePools: @Sendable () -> [String] = { [] }
    /// What the active targets say about their metrics.
    public var metadata: @Sendable () -> [TargetMetadata] = { [] }
    /// The rule groups, in any order.
    public var ruleGroups: @Sendable () -> [RuleGroupSnapshot] = { [] }
    /// The URLs alerts are sent to.
    public var alertmanagers: @Sendable () -> [String] = { [] }
    /// The running configuration as YAML, secrets as `<secret>`.
    public var configuration: @Sendable () -> String = { "" }
    /// Whether samples can be asked for.
    public var isReady: @Sendable () -> Bool = { true }
    /// What a ready service cannot do and a person must repair, a line each; part of the answer of `/-/ready`.
    public var limitations: @Sendable () -> [String] = { [] }
    /// Loads the configuration again. Returns why that failed, or `nil`.
    public var reload: @Sendable () -> String? = { nil }
    /// Ends the program.
    public var quit: @Sendable () -> Void = {}
    /// How the last load of the configuration went.
    public var lastReload: @Sendable () -> ReloadOutcome = { ReloadOutcome() }
    /// Where rollouts stand.
    public var rollouts: @Sendable () -> [RolloutStatus] = { [] }
    /// The report of a plan's last rollback, in Markdown; `nil` where there was none.
    public var report: @Sendable (_ plan: String) -> String? = { _ in nil }
    /// Carries out what an operator wants of a rollout.
    public var command: @Sendable (RolloutOrder) -> RolloutOrderOutcome = { _ in .unknownPlan }
    /// The groups of alerts.
    public var notifications: @Sendable () -> NotificationQueue = { NotificationQueue(.silent) }
    /// Hands in alerts from outside; false where there is no room for them.
    public var takeAlerts: @Sendable ([Alert]) -> Bool = { _ in false }
    /// The silences.
    public var silences: @Sendable () -> SilenceSet = { SilenceSet() }
    /// Makes or changes a silence on behalf of `actor`; the id when it is on the disk.
    public var setSilence: @Sendable (_ wanted: Silence, _ actor: String) -> Result<String, SilenceError> = { _, _ in
        .failure(SilenceError(.storage, "silences are not kept here"))
    }
    /// Ends a silence on behalf of `actor`.
    public var expireSilence: @Sendable (_ id: String, _ actor: String) -> Result<String, SilenceError> = { id, _ in
        .failure(SilenceError(.notFound, "no silence has the id \(id)"))
    }
    /// Who may ask the deployment gates; `nil` refuses everybody.
    public var gateToken: @Sendable () -> String? = { nil }
    /// Carries out what a delivery pipeline asks.
    public var gate: @Sendable (GateRequest) -> Result<JSON, GateRefusal> = { _ in .success(.null) }
    /// What holds the services up, ranked; an object.
    public var bottlenecks: @Sendable () -> JSON = { [:] }
    /// The ledger, newest first. `nil` when it cannot be read now.
    public var events: @Sendable (EventQuery) -> [RecordedEvent]? = { _ in [] }

    /// Sources with samples and nothing else.
    public init(store: MetricStore) {
        self.store = store
    }
}

/// What one target says about its metrics.
public struct TargetMetadata: Sendable {
    /// The target's labels after relabelling.
    public var target: Labels
    /// The metric families.
    public var families: [MetricMetadata]

    /// Metadata of `target`.
    public init(target: Labels, families: [MetricMetadata]) {
        self.target = target
        self.families = families
    }
}

/// How the last load of the configuration went.
public struct ReloadOutcome: Sendable {
    /// Whether it succeeded.
    public var succeeded: Bool
    /// When the configuration that runs was loaded.
    public var at: Timestamp?
    /// Why it failed, or empty.
    public var error: String

    /// An outcome.
    public init(succeeded: Bool = true, at: Timestamp? = nil, error: String = "") {
        self.succeeded = succeeded
        self.at = at
        self.error = error
    }
}

/// A rollout at one moment.
public struct RolloutStatus: Sendable {
    /// Traffic of one service.
    public struct Route: Sendable {
        /// The service.
        public var service: String
        /// The step it is at, in words: `promoting`, `rolled back`.
        public var state: String
        /// Percent of traffic the candidate gets.
        public var candidateWeight: Int
        /// The version that is known to be good.
        public var stable: String
        /// The version that is being tried.
        public var candidate: String
        /// Why nothing can be done with it at present; `nil` where nothing stands in the way.
        public var frozen: String?

        /// Traffic of `service`.
        public init(
            service: String, state: String, candidateWeight: Int, stable: String, candidate: String, frozen: String?
        ) {
            self.service = service
            self.state = state
            self.candidateWeight = candidateWeight
            self.stable = stable
            self.candidate = candidate
            self.frozen = frozen
        }
    }

    /// Something that happened to a rollout.
    public struct Moment: Sendable {
        /// When.
        public var at: Timestamp
        /// What, in words.
        public var text: String

        /// A moment.
        public init(at: Timestamp, text: String) {
            self.at = at
            self.text = text
        }
    }

    /// The plan's name.
    public var plan: String
    /// Where it stands, in one word: `running`, `paused`, `rolling_back`.
    public var state: String
    /// The services in their order.
    public var routes: [Route]
    /// What happened, oldest first.
    public var timeline: [Moment]
    /// Everything else there is to say; an object.
    public var details: JSON

    /// Where `plan` stands.
    public init(plan: String, state: String, routes: [Route], timeline: [Moment], details: JSON = [:]) {
        self.plan = plan
        self.state = state
        self.routes = routes
        self.timeline = timeline
        self.details = details
    }
}

/// What an operator wants of a rollout.
public struct RolloutOrder: Equatable, Sendable {
    /// What is to be done.
    public enum Verb: String, Sendable, CaseIterable {
        case start, pause, resume, promote, abort, rollback
    }

    /// What is to be done.
    public var verb: Verb
    /// To which plan.
    public var plan: String
    /// Who wants it: the client's address, or the name it gave.
    public var actor: String
    /// Why, in the operator's words; may be empty.
    public var reason: String
    /// The services to roll back; all where there are none. Other orders concern the whole plan.
    public var services: [String] = []
}

/// What became of a ``RolloutOrder``.
public enum RolloutOrderOutcome: Sendable {
    /// It is recorded and being carried out.
    case accepted
    /// It is recorded, and there was nothing to do, for this reason.
    case ignored(String)
    case unknownPlan
    /// It makes no sense now.
    case refused(String)
}

/// Which events of the ledger are wanted.
public struct EventQuery: Equatable, Sendable {
    /// Only events of these kinds; of all where there are none.
    public var kinds: [LedgerEvent.Kind]
    /// Only events from then on.
    public var from: Timestamp?
    /// Only events up to then.
    public var through: Timestamp?
    /// At most so many.
    public var limit: Int
}

/// An event of the ledger with its place in it.
public struct RecordedEvent: Sendable {
    /// Its number in the log; `nil` while it waits to be written.
    public var index: Int64?
    /// The event.
    public var event: LedgerEvent

    /// An event at `index`.
    public init(index: Int64?, event: LedgerEvent) {
        self.index = index
        self.event = event
    }
}

import MetricModel
import Rollback
import RuleModel

/// A world around the machine of one plan: virtual clock, disk, routers, users, a rival for the lease. It injects
/// faults, restarts the process, and checks the invariants of a rollback at every step.
public struct World: Sendable {
    /// The router of one route.
    public struct Router: Sendable {
        /// The weights; `nil` if neither version gets traffic.
        public var live: TrafficSplit? = .allStable
        var isIsolated = false
        /// Whether the stable version can take traffic.
        public var stableIsHealthy = true
        /// Requests of the candidate.
        public var candidateRequests: UInt64 = 0
        var busyUntil = Instant(nanoseconds: 0)
        var silentUntil = Instant(nanoseconds: 0)
        /// Whether it is unreachable.
        public var isDead = false
        /// When the present process last sent it new weights.
        var shiftedAt = Instant(nanoseconds: 0)
        /// When something last went wrong with it.
        var troubledAt = Instant(nanoseconds: 0)
        /// The operation that waits for its reply.
        var asked: UInt64?
        /// The content and time of the last true reading of the current process.
        var seen: Inspection?
        var seenAt = Instant(nanoseconds: 0)
        /// Since when it differs from the wanted weights.
        var driftedAt: Instant?
    }

    /// The measurements of one service.
    struct Element: Sendable {
        enum Condition: Sendable { case healthy, bad, missing, sparse }
        let service: String
        let labels: Labels
        var condition = Condition.healthy
        var until = Instant(nanoseconds: 0)
        var model = RuleModel()
        /// The last measurement.
        var outcome = RuleModel.Outcome.healthy
        /// When its last measurement that counted was made, in true time.
        var countedAt: Instant?
        /// When its service's stage was last verified, in true time.
        var verifiedAt: Instant?
        /// Whether a person has let its service pass the present stage without data.
        var isExcused = false
        /// The state of the process's rule before it.
        var before = RollbackRule.Track.State.armed

        init(_ service: String) {
            self.service = service
            labels = ["service": service]
        }
    }

    /// The true plan.
    public let plan: RolloutPlan
    let shape: Shape
    let sabotage: Sabotage?
    let order: Topology
    var injector: Injector
    var random: SplitMix

    /// True time.
    public var now = World.beginning
    /// The process's clock minus true time.
    var skew = Milliseconds.zero
    var queue = EventQueue()
    /// Events that happened.
    public var steps = 0
    /// The first check that failed.
    public var violations: [Violation] = []
    /// How often each invariant was checked.
    public var checks = [Int](repeating: 0, count: Invariant.slots)
    /// The events as text; kept only on request.
    public var trace: [String]?

    // The process.
    var machine: PlanMachine?
    /// Counts crashes.
    public var process = 0
    var scheduledWake: Instant?
    var rule: RollbackDefinition
    /// Crashes when the countdown of actions reaches zero; for exhaustive tests.
    public var crashCountdown: Int?

    // The environment.
    var disk = Disk()
    /// Live weights and health.
    public var routers: [RouteID: Router] = [:]
    var elements: [Element] = []
    /// The fencing number of the lease.
    var epoch: UInt64 = 0
    var leaseLost = false
    /// Whether the lease's database does not respond, so that the holder may only roll back candidates.
    var isAlone = false
    /// The last records that reached the database of the journal, or were on their way.
    var database: [Entry] = []
    /// The last record that the process knows of: its own, or the one that it found.
    var own: JournalRecord?
    /// The last record made, by any process.
    var lastMade: Entry?
    /// The state left by another node, which this one must continue before it does anything.
    var handOver: (record: JournalRecord, leader: UInt64?)?
    /// The disk of the node that does not run.
    var otherDisk = Disk()
    var historyIsAvailable = true
    /// Whether the current process was informed of it.
    var isHistoryTold = true
    /// The results of gate expressions.
    public var candidateVersion: Double? { didSet { if let candidateVersion { versions.insert(candidateVersion) } } }
    /// Versions that there have been.
    var versions: Set<Double> = []

    /// Rollbacks of each service and generation.
    public var rollbacks: [String: Int] { memory.rollbacks }

    // The memory of the checks.
    /// What follows from the last record that the process made.
    var memory = Memory()
    /// The last state that the process wanted in the journal.
    public var lastState: RolloutState {
        get { memory.state }
        set { memory.state = newValue }
    }
    /// The command that a user wants at this time.
    var commanded: RolloutCommand.Verb?
    /// Whether a rollout began automatically in this event.
    var hasBegun = false
    /// The operation of each idempotency key.
    var keys: [String: TrafficSplit] = [:]
    var ledger: Set<LedgerKey> = []
    /// Notifications under this term.
    var told: Set<String> = []
    var batch = Batch()
    /// Whether a record was lost and none was made since.
    var isLossNew = false
    /// A route whose last reading failed, for the status after the present event.
    var failedReading: RouteID?
    /// When the process first read traffic that no rollout gave, by service, on its clock.
    var firstRead: [String: Instant] = [:]
    /// The services that the last record made those of a rollout although no rollout gave them traffic.
    var adopted: [String: Instant]?
    /// Whether traffic that no rollout gave became that of one in this event.
    var hasAdopted = false
    /// Elements that the rule counts from zero again.
    var rearmedElements: Set<Labels> = []
    /// The keys of calls of hooks that were answered with a pass.
    var passedHooks: Set<String> = []
    /// Reports of finished rollbacks.
    public var reports: [RollbackReport] = []
    /// Incidents raised.
    public var incidents: [RollbackIncident] = []
    /// Notifications.
    public var notices: [RollbackNotice] = []

    static let beginning = Instant(nanoseconds: 1_800_000_000_000_000_000)

    /// The machine's controller while the process runs.
    public var controller: RolloutController? { machine?.controller }
    /// The strikes, in order.
    public var strikes: [Strike] { injector.struck }
    var clock: Instant { now + skew }

    /// The world of `seed`.
    ///
    /// - Parameters:
    ///   - kept: the only strikes that take effect; `nil` for all.
    ///   - sabotage: a defect that the checks must detect.
    public init(seed: UInt64, kept: Set<Strike>? = nil, sabotage: Sabotage? = nil) {
        self.init(Shape(seed: seed), seed: seed, kept: kept, sabotage: sabotage)
    }

    /// A world of `plan` without faults.
    public init(calm plan: RolloutPlan) {
        self.init(Shape(calm: plan), seed: 1, kept: nil, sabotage: nil)
    }

    private init(_ shape: Shape, seed: UInt64, kept: Set<Strike>?, sabotage: Sabotage?) {
        self.shape = shape
        self.sabotage = sabotage
        plan = shape.plan
        rule = shape.rule
        order = Topology(shape.plan)
        injector = Injector(seed: seed)
        injector.kept = kept
        for (fault, rate) in shape.rates { injector.rates[fault.rawValue] = rate }
        random = SplitMix(state: seed ^ 0x5DEE_CE66)
        for service in plan.services {
            for index in service.routes.indices { routers[RouteID(service.name, index)] = Router() }
            elements.append(Element(service.name))
        }
        if shape.disturbances.contains(.newVersion) { versionChanged(to: 1) }
        restart()
        schedule(.measure, after: shape.interval)
        if !shape.disturbances.isEmpty { schedule(.disturb, after: random.pick(shape.pause)) }
    }

    /// Runs the whole life of a seeded world: a time of faults, then calm.
    public mutating func live() {
        if shape.startsAtOnce { command(.start) }
        run(for: shape.length)
        if violations.isEmpty { calm() }
    }

    // MARK: time

    mutating func schedule(_ event: Event, after milliseconds: Int64) {
        queue.schedule(event, at: now + .milliseconds(milliseconds))
    }

    /// Runs until `end`, or until a check fails.
    mutating func run(until end: Instant) {
        while violations.isEmpty, let at = queue.next, at <= end, let next = queue.take() {
            now = max(now, next.at)
            steps += 1
            if steps > 400_000 { fail(.recovery, "no rest after 400 000 steps") }
            run(next.event)
        }
        now = max(now, end)
    }

    /// Runs for `span`, or until a check fails.
    public mutating func run(for span: Milliseconds) { run(until: now + span) }

    private mutating func run(_ event: Event) {
        switch event {
        case .effect(let operation, let process, let reply): carryOut(operation, process, reply)
        case .reply(let result, let operation, let process): replied(result, operation, process)
        case .gates(let question, let process): gatesAsked(question, process)
        case .hook(let answer, let call, let process): hookAnswers(answer, call, process)
        case .restart(let process):
            if process == self.process, machine == nil { restart() }
        case .written(let process): if process == self.process, machine != nil { writeEnded() }
        case .writeAgain(let process): if process == self.process, machine != nil { writeAgain() }
        case .storedInLease(let entry, let process): storedInLease(entry, process)
        case .reportedStored(let number, let process):
            if process == self.process { step { $0.journalled(through: number, in: .file, at: $1) } }
        case .wake(let process, let instant):
            if process == self.process, scheduledWake == instant {
                scheduledWake = nil
                step { $0.timePassed(at: $1) }
            }
        case .measure:
            measure()
            checkDrift()
            schedule(.measure, after: shape.interval)
        case .disturb:
            if !injector.isCalm {
                disturb()
                schedule(.disturb, after: random.pick(shape.pause))
            }
        case .leaseReturns: leaseReturned()
        case .historyReturns: historyChanged(isAvailable: true)
        case .leaseDatabaseReturns: leaseDatabaseReturned()
        }
        if hasBegun { rearmed() }
    }

    // MARK: checks

    mutating func check(_ invariant: Invariant, _ condition: Bool, _ detail: @autoclosure () -> String) {
        checks[invariant.rawValue] += 1
        if !condition { fail(invariant, detail()) }
    }

    mutating func fail(_ invariant: Invariant, _ detail: String) {
        violations.append(
            Violation(
                invariant: invariant, detail: detail,
                milliseconds: (now.nanoseconds - Self.beginning.nanoseconds) / 1_000_000))
    }

    mutating func note(_ text: @autoclosure () -> String) {
        guard trace != nil else { return }
        trace?.append("\((now.nanoseconds - Self.beginning.nanoseconds) / 1_000_000) ms: \(text())")
    }
}

internal import Durable
public import Instrumentation
public import Lease
internal import MetricModel
public import Rollback
public import RuleModel
public import Runtime
internal import Synchronization

/// Runs the rollouts and rollbacks of every plan. Any thread may call it; no call waits for a router.
public final class RollbackRunner: Sendable {
    /// Evaluates PromQL now and returns the values of all elements. `server` is the name of a query server, or `own`;
    /// `nil` for the one of rules.
    public typealias Evaluation =
        @Sendable (_ expression: String, _ server: String?) -> Result<[Double], EvaluationFault>

    /// Why an expression has no value.
    public struct EvaluationFault: Error, Equatable, Sendable, CustomStringConvertible {
        /// The text of the query engine.
        public var description: String

        /// An error with this text.
        public init(_ description: String) {
            self.description = description
        }
    }

    /// The settings of the runner.
    public struct Settings: Sendable {
        /// The directory of the journals; must exist.
        public var directory: String
        /// Evaluates the expressions of gates.
        public var evaluate: Evaluation
        /// The rollback rules in force; `nil` where they are not known, so that promotion waits for no data.
        public var rules: [RuleWatch]?
        /// The rules of each verdict, by the name of the verdict.
        public var verdicts: [String: [VerdictRule]] = [:]
        /// The lease that this process shares with others; `nil` for one that runs alone and may always act.
        public var lease: LeaseSettings?
        /// The trace of an incident, for log lines; `nil` for none.
        public var trace: @Sendable (_ incident: String) -> String? = { _ in nil }
        /// The log.
        public var logger: Logger
        /// The registry of metrics.
        public var registry: Registry
        let client = RouterClient()
        /// How journals are written; tests replace it.
        var device = RecordLog.Device.system

        /// Settings of a process that runs alone.
        public init(
            directory: String, logger: Logger = .silent, registry: Registry = Registry(),
            evaluate: @escaping Evaluation = { _, _ in .failure(EvaluationFault("no query engine")) }
        ) {
            self.directory = directory
            self.logger = logger
            self.registry = registry
            self.evaluate = evaluate
        }
    }

    /// An output for the sinks.
    enum Output: Sendable {
        case event(RollbackEvent)
        case incident(RollbackIncident)
        case notice(RollbackNotice)
        case report(RollbackReport)
        case verdict(VerdictAlert)
    }

    private static let answerSeconds: Int64 = 10
    let plans: Mutex<[String: PlanRunner]>
    private let output: Mailbox<Output>
    private let sinks: RollbackSinks
    private let sinkThread = Mutex<WorkerThread?>(nil)
    let settings: Settings
    private let instruments: RollbackInstruments
    private let keeper: LeaseRunner?
    let verdicts: VerdictRunner

    /// Opens the journals of `plans` and continues their state; nothing runs before ``start()``.
    ///
    /// A damaged journal is renamed. Its plan goes on with what the routes show, and promotes nothing until a person
    /// has acknowledged that.
    public convenience init(
        plans: [RolloutPlan], settings: Settings, sinks: RollbackSinks = RollbackSinks()
    ) throws(JournalError) {
        try self.init(plans: plans, settings: settings, sinks: sinks, afterStep: nil)
    }

    /// - Parameter afterStep: called around every action, for tests that end the process there.
    package init(
        plans: [RolloutPlan], settings: Settings, sinks: RollbackSinks, afterStep: (@Sendable (String) -> Void)?
    ) throws(JournalError) {
        self.settings = settings
        self.sinks = sinks
        let output = Mailbox<Output>(capacity: 65_536)
        self.output = output
        instruments = RollbackInstruments(settings.registry)
        keeper = settings.lease.map { LeaseRunner($0, logger: settings.logger, registry: settings.registry) }
        verdicts = VerdictRunner(
            settings.verdicts, directory: settings.directory, logger: settings.logger, registry: settings.registry,
            output: output, instruments: instruments)
        var runners: [String: PlanRunner] = [:]
        for plan in plans {
            runners[plan.name] = try PlanRunner(
                plan, settings: settings, lease: keeper, output: output, instruments: instruments, afterStep: afterStep)
        }
        self.plans = Mutex(runners)
    }

    /// Starts the threads, which continue where the journals end. Throws if a thread cannot be started; then `stop`
    /// ends the others.
    public func start() throws(WorkerThread.StartError) {
        let sinkWorker = try WorkerThread("rollback sinks") { [output, sinks] in
            while case .message(let message) = output.receive() {
                switch message {
                case .event(let event): sinks.event(event)
                case .incident(let incident): sinks.incident(incident)
                case .notice(let notice): sinks.notice(notice)
                case .report(let report): sinks.report(report)
                case .verdict(let alert): sinks.verdict(alert)
                }
            }
        }
        sinkThread.withLock { $0 = sinkWorker }
        for plan in plans.withLock({ Array($0.values) }) { try plan.run() }
        try verdicts.run()
        try keeper?.start()
        for notice in OrphanedJournal.notices(in: settings.directory, except: Set(plans.withLock { $0.keys })) {
            output.send(.notice(notice))
        }
    }

    /// Ends every thread; what is under way is taken up by the next process.
    ///
    /// - Parameter beforeRelease: what else has to end before another process may act.
    public func stop(beforeRelease: () -> Void = {}) {
        for plan in plans.withLock({ Array($0.values) }) { plan.stop() }
        verdicts.stop()
        output.close()
        sinkThread.withLock { $0.take() }?.join()
        beforeRelease()
        // Released after the last action.
        keeper?.stop()
    }

    /// Asks the threads of every plan and route whether they turn over, through the queues of their work. The pulses
    /// have the answers.
    public func probe() -> [Pulse] {
        plans.withLock { Array($0.values) }.flatMap { $0.probe() } + [verdicts.probe()]
    }

    /// A rollback rule was evaluated. Never blocks. A measurement that finds no room counts as if it had not been made.
    public func measured(_ measurement: RollbackMeasurement) {
        if measurement.definition.action.verdict != nil { return verdicts.measured(measurement) }
        guard let plan = runner(measurement.definition.action.plan) else { return instruments.unknownPlan.add() }
        // The other half of the mailbox is reserved for replies of routers.
        guard plan.mailbox.count < 4096, plan.mailbox.send(.measured(measurement)) else {
            return instruments.dropped.add()
        }
    }

    /// Sends `command` to the plan `plan` and waits until it is journalled.
    public func command(_ command: RolloutCommand, plan: String) -> CommandOutcome {
        guard let runner = runner(plan) else { return .refused("there is no plan \"\(plan)\"") }
        let answer = Reply<CommandOutcome>()
        runner.mailbox.send(.command(command, answer))
        return answer.wait(seconds: Self.answerSeconds) ?? .refused("the plan's thread does not respond")
    }

    /// A receiver has accepted the incident of the rollback `rollback` of `plan`.
    public func notified(of rollback: String, plan: String, by receiver: String) {
        _ = runner(plan)?.mailbox.send(.notified(rollback: rollback, receiver: receiver))
    }

    /// Whether this process acts, notifies and records.
    public var isResponsible: Bool { keeper.map { $0.standing != .none } ?? true }

    /// The epoch under which this process holds the lease; `nil` if it does not.
    public var leaseEpoch: UInt64? {
        switch keeper?.standing {
        case .leading(let epoch), .alone(let epoch): epoch
        case .some(.none), nil: nil
        }
    }

    /// Why this process does not act, or only rolls back; a line for each reason.
    public var limitations: [String] {
        var reasons: [String] = []
        if let lease {
            switch lease.standing {
            case "leading": break
            case "alone": reasons.append("the lease cannot be renewed: only rollbacks go on")
            case _:
                reasons.append(
                    lease.holder.isEmpty ? "standby: no holder of the lease is known" : "standby: \(lease.holder) leads"
                )
            }
        }
        for snapshot in snapshots {
            for reason in [snapshot.journal, snapshot.loss].compactMap(\.self) {
                reasons.append("plan \(snapshot.plan): \(reason): only rollbacks go on")
            }
        }
        return reasons
    }

    /// How the lease stands; `nil` for a process that runs alone.
    public var lease: LeaseStatus? { keeper?.status }

    /// Reports whether the history can be written.
    public func historyChanged(isAvailable: Bool) {
        for plan in plans.withLock({ Array($0.values) }) { plan.mailbox.send(.history(isAvailable: isAvailable)) }
    }

    /// Why the configuration must not go on with `plans` alone: the rollout of a plan that is not among them is not
    /// over. `nil` where it may.
    public func refusal(of plans: [RolloutPlan]) -> String? {
        let names = Set(plans.map(\.name))
        for runner in self.plans.withLock({ Array($0.values) }).sorted(by: { $0.name < $1.name }) {
            guard !names.contains(runner.name), let reason = runner.published.withLock(\.unfinished) else { continue }
            return "the plan \"\(runner.name)\" cannot be taken away: \(reason); abort it, or wait for its end"
        }
        return nil
    }

    /// Takes over plans and rules that were read again. Plans that are no longer there end; their rollouts have to be
    /// over, see ``refusal(of:)``. Blocks until the plans' threads have taken it over, and for routers of plans that
    /// end.
    ///
    /// - Parameters:
    ///   - rules: the rollback rules in force; `nil` where they are not known.
    ///   - verdicts: the rules of each verdict.
    /// - Returns: what is not in force yet, each with its reason; the rest is.
    public func reload(
        _ plans: [RolloutPlan], rules: [RuleWatch]? = nil, verdicts: [String: [VerdictRule]] = [:]
    ) -> [String] {
        self.verdicts.reload(verdicts)
        let names = Set(plans.map(\.name))
        let gone = self.plans.withLock { running in
            let gone = running.values.filter { !names.contains($0.name) }
            for runner in gone { running[runner.name] = nil }
            return gone
        }
        for runner in gone { runner.stop() }
        var waits: [String] = []
        for plan in plans {
            let own = rules?.filter { $0.definition.action.plan == plan.name }
            guard let runner = runner(plan.name) else {
                if let reason = add(plan, rules: own) { waits.append("plan \(plan.name): \(reason)") }
                continue
            }
            let answer = Reply<String?>()
            runner.mailbox.send(.plan(plan, answer))
            if let own { runner.mailbox.send(.rules(own)) }
            let late = "its thread has not answered yet: the change is in force when it does"
            if let wait = answer.wait(seconds: Self.answerSeconds) ?? late {
                waits.append("plan \(plan.name): \(wait)")
            }
        }
        return waits
    }

    /// Runs a plan that is new. Returns why it cannot.
    private func add(_ plan: RolloutPlan, rules: [RuleWatch]?) -> String? {
        var settings = settings
        settings.rules = rules
        do throws(JournalError) {
            let runner = try PlanRunner(
                plan, settings: settings, lease: keeper, output: output, instruments: instruments, afterStep: nil)
            do throws(WorkerThread.StartError) {
                try runner.run()
            } catch {
                runner.stop()
                return error.description
            }
            plans.withLock { $0[plan.name] = runner }
            return nil
        } catch {
            return error.description
        }
    }

    /// Every plan as it stands now, sorted by name.
    public var snapshots: [RolloutSnapshot] {
        let lease = lease
        return plans.withLock { Array($0.values) }.map { plan in
            var snapshot = plan.snapshot
            snapshot.lease = lease
            return snapshot
        }.sorted { $0.plan < $1.plan }
    }

    /// The plans in force, sorted by name.
    public var currentPlans: [RolloutPlan] {
        plans.withLock { Array($0.values) }.map { $0.published.withLock(\.plan) }.sorted { $0.name < $1.name }
    }

    /// The state of the rollback rule `file;group;name`; `nil` before its first measurement.
    public func standing(of rule: String) -> RollbackRuleStanding? {
        for plan in plans.withLock({ Array($0.values) }) {
            if let standing = plan.published.withLock({ $0.rules[rule] }) { return standing }
        }
        return verdicts.standing(of: rule)
    }

    private func runner(_ name: String) -> PlanRunner? {
        plans.withLock { $0[name] }
    }
}

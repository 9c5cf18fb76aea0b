internal import Instrumentation
internal import Lease
internal import Rollback
internal import RuleModel
internal import Runtime
internal import Synchronization
internal import TrafficRouters

/// The thread of one plan: takes messages one by one, steps the machines, runs their actions. Routers are asked by a
/// worker per route, the journal has a thread, and sinks are called elsewhere, so that this thread waits for nothing.
final class PlanRunner: Sendable {
    /// The part that other threads may read.
    struct Published: Sendable {
        var plan: RolloutPlan
        var snapshot: RolloutSnapshot
        var rules: [String: RollbackRuleStanding] = [:]
        /// Why the plan must not be taken away.
        var unfinished: String?
    }

    /// The state owned by the plan's thread.
    struct Core: Sendable {
        var machine: PlanMachine
        /// The fencing number and the number of the last record.
        var journalEpoch: UInt64
        var journalNumber: UInt64
        /// Orders whose records are not stored yet.
        var orders: [Order] = []
        /// Why the last record cannot be used, until the controller knows it.
        var loss: RecordLoss?
        /// The last known permissions under the lease.
        var standing = Lease.Standing.none
        /// The structure of the plan that there are workers for.
        var structureRevision: UInt64 = 0
        /// The last term of the lease in which this node took up the rollout.
        var term: UInt64?
    }

    /// An order that is answered when its record is stored.
    struct Order: Sendable {
        var command: RolloutCommand
        var outcome: CommandOutcome
        /// The number of its record.
        var record: UInt64
        var answer: Reply<CommandOutcome>
    }

    let mailbox = Mailbox<PlanMessage>(capacity: 8192)
    let published: Mutex<Published>
    let name: String
    private let workers: Mutex<[RouteID: RouteWorker]>
    /// Workers of a former structure that may still wait for their routers.
    private let retired = Mutex<[RouteWorker]>([])
    private let gates: GateWorker
    private let hooks: HookWorkers
    private let writer: JournalWriter
    private let client: RouterClient
    private let output: Mailbox<RollbackRunner.Output>
    private let instruments: RollbackInstruments
    let logger: Logger
    private let trace: @Sendable (String) -> String?
    private let ruleFile: RuleTrackFile
    let lease: LeaseRunner?
    /// The directory of the journals.
    let directory: String
    private let afterStep: (@Sendable (String) -> Void)?
    /// Wall clock minus monotonic clock when the process started.
    private let anchor: Int64
    private let thread = Mutex<WorkerThread?>(nil)
    private let pulse: Pulse
    /// The state with which the thread starts.
    private let start: Mutex<Core?>

    init(
        _ plan: RolloutPlan, settings: RollbackRunner.Settings, lease: LeaseRunner?,
        output: Mailbox<RollbackRunner.Output>, instruments: RollbackInstruments,
        afterStep: (@Sendable (String) -> Void)?
    ) throws(JournalError) {
        name = plan.name
        pulse = Pulse("plan \(plan.name)")
        directory = settings.directory
        self.lease = lease
        self.output = output
        self.instruments = instruments
        self.afterStep = afterStep
        logger = settings.logger.with("plan", plan.name)
        trace = settings.trace
        anchor = SystemClock.wallNanoseconds() - SystemClock.monotonicNanoseconds()
        let opened = try OpenedJournal(
            of: plan.name, in: settings.directory, device: settings.device, logger: logger)
        let record = opened.record
        let journalEpoch = (record ?? opened.loss?.salvaged)?.epoch ?? 0
        let epoch = lease == nil ? journalEpoch &+ 1 : nil
        lease?.knows(epoch: journalEpoch)
        let controller = RolloutController(
            plan: plan, state: record?.state ?? RolloutState(), epoch: epoch,
            nonce: String(UInt32.random(in: 0...(.max)), radix: 36))
        writer = JournalWriter(opened.journal, logger: logger, duration: instruments.journal, afterStep: afterStep) {
            [mailbox] outcome in mailbox.send(.journal(outcome))
        }
        ruleFile = RuleTrackFile(path: "\(settings.directory)/\(plan.name).rules")
        published = Mutex(
            Published(
                plan: plan,
                snapshot: RolloutSnapshot(
                    controller, at: Instant(nanoseconds: SystemClock.monotonicNanoseconds() + anchor))))
        workers = Mutex([:])
        gates = GateWorker(evaluate: settings.evaluate, client: settings.client.http, mailbox: mailbox)
        hooks = HookWorkers(client: settings.client.http, mailbox: mailbox)
        start = Mutex(
            Core(
                machine: PlanMachine(
                    controller, rules: ruleFile.read(),
                    watches: settings.rules?.filter { $0.definition.action.plan == plan.name }),
                journalEpoch: journalEpoch, journalNumber: record?.number ?? 0, loss: opened.loss))
        client = settings.client
        lease?.listen { [mailbox] in mailbox.send(.lease) }
    }

    /// Starts the threads. Must be called once. Throws if one cannot be started; then `stop` ends the others.
    func run() throws(WorkerThread.StartError) {
        guard let core = start.withLock({ $0.take() }) else { return }
        try gates.start()
        try writer.run()
        install(try makeWorkers(published.withLock(\.plan)))
        let thread = try WorkerThread("plan \(name)") { [self] in
            var core = core
            loop(&core)
        }
        self.thread.withLock { $0 = thread }
    }

    /// Accepts no more messages, handles those that wait, and ends every thread.
    func stop() {
        mailbox.close()
        thread.withLock { $0.take() }?.join()
        for worker in workers.withLock({ Array($0.values) }) + retired.withLock({ $0 }) { worker.stop() }
        gates.stop()
        hooks.stop()
        writer.stop()
    }

    // MARK: the thread

    private func loop(_ core: inout Core) {
        perform(core.machine.recovered(loss: core.loss.take(), at: now), &core)
        publish(&core)
        while true {
            let wake = core.machine.controller.wakeAt.map { $0.nanoseconds - anchor }
            let reception = mailbox.receive(deadline: wake)
            // Before any decision, because the process may have been stopped for any time.
            followLease(&core)
            switch reception {
            case .message(let message): handle(message, &core)
            case .timedOut: step(&core) { $0.timePassed(at: $1) }
            case .closed:
                // Waiting records are written before the process ends.
                for order in core.orders { order.answer.give(order.outcome) }
                return
            }
            publish(&core)
        }
    }

    /// Asks the thread of the plan and those of its routes whether they turn over.
    func probe() -> [Pulse] {
        if pulse.ask() { mailbox.send(.probe(pulse)) }
        return [pulse] + workers.withLock { Array($0.values) }.map { $0.probe() }
    }

    var now: Instant { Instant(nanoseconds: SystemClock.monotonicNanoseconds() + anchor) }

    private func handle(_ message: PlanMessage, _ core: inout Core) {
        switch message {
        case .measured(let measurement):
            let cause = measurement.causeNanoseconds
            perform(
                core.machine.measured(
                    measurement, cause: cause > 0 ? Instant(nanoseconds: cause + anchor) : nil, at: now), &core)
        case .replied(let operation, let result): step(&core) { $0.replied(operation, result, at: $1) }
        case .gatesAnswered(let question, let answers): step(&core) { $0.gatesAnswered(question, answers, at: $1) }
        case .hookAnswered(let call, let answer): step(&core) { $0.hookAnswered(call, answer, at: $1) }
        case .command(let command, let answer):
            var outcome = CommandOutcome.accepted
            step(&core) { controller, now in
                let (result, actions) = controller.commanded(command, at: now)
                outcome = result
                return actions
            }
            core.orders.append(
                Order(
                    command: command, outcome: outcome, record: core.machine.controller.lastRecord, answer: answer))
        case .plan(let plan, let answer):
            let waits = replacePlan(by: plan, &core)
            // Whoever has the answer sees the plan that it speaks of.
            publish(&core)
            answer.give(waits)
        case .rules(let watches): perform(core.machine.rulesChanged(to: watches, at: now), &core)
        case .notified(let rollback, let receiver): step(&core) { $0.notified(of: rollback, by: receiver, at: $1) }
        case .history(let isAvailable): step(&core) { $0.historyChanged(isAvailable: isAvailable, at: $1) }
        case .journal(.stored(let number)): step(&core) { $0.journalled(through: number, in: .file, at: $1) }
        case .journal(.failed(let reason)): step(&core) { $0.journalFailed(reason, at: $1) }
        case .storedInLease(let number): step(&core) { $0.journalled(through: number, in: .lease, at: $1) }
        case .lease: break  // Followed before every message.
        case .probe(let pulse): pulse.answer()
        }
    }

    /// Returns what of the plan waits, or `nil`.
    private func replacePlan(by plan: RolloutPlan, _ core: inout Core) -> String? {
        var waits: String?
        step(&core) { controller, now in
            let (result, actions) = controller.planChanged(to: plan, at: now)
            waits = result
            return actions
        }
        return waits
    }

    private func step(
        _ core: inout Core, _ body: (inout RolloutController, Instant) -> [RolloutController.Action]
    ) {
        let now = now
        perform(core.machine.step(at: now) { body(&$0, now) }, &core)
    }

    /// Runs the actions of one event in their order. None of them blocks.
    func perform(_ actions: [PlanMachine.Action], _ core: inout Core) {
        followStructure(&core)
        for action in actions {
            switch action {
            case .tripped: instruments.trips.add()
            case .keepRules: ruleFile.write(core.machine.rules)
            case .control(let action):
                perform(action, &core)
            }
        }
    }

    private func perform(_ action: RolloutController.Action, _ core: inout Core) {
        switch action {
        case .journal(let record): keep(record, &core)
        case .operate(let operation):
            workers.withLock { $0[operation.target] }?.mailbox.send(.operate(operation))
            afterStep?("operate \(operation.service) \(operation.kind)")
        case .ask(let question): gates.mailbox.send(question)
        case .call(let call): hooks.send(call)
        case .record(let event): send(.event(event))
        case .raise(let incident): send(.incident(incident))
        case .notify(let notice): send(.notice(notice))
        case .report(let report):
            instruments.finished(report)
            send(.report(report))
        // The machine has already done it.
        case .rearm, .rearmElement, .reconsider: break
        case .yieldLease: lease?.yield()
        case .competeForLease: lease?.compete()
        }
    }

    private func keep(_ record: JournalRecord, _ core: inout Core) {
        (core.journalEpoch, core.journalNumber) = (record.epoch, record.number)
        writer.write(record)
        lease?.keep(
            LeaseRunner.Record(
                epoch: record.epoch, number: record.number, payload: { record.payload },
                onStored: { [mailbox] in mailbox.send(.storedInLease(record.number)) }), of: name)
        var logger = logger
        if let rollback = record.state.rollback, rollback.step != .finished || record.step == "reported" {
            logger = logger.with("incident", rollback.incident)
            if let trace = trace(rollback.incident) { logger = logger.with("trace_id", trace) }
        }
        logger.info("step", ["step": record.step, "generation": record.state.generation])
    }

    /// Answers orders whose records are stored, and those that cannot be stored for now.
    private func answerOrders(_ core: inout Core) {
        guard !core.orders.isEmpty else { return }
        let controller = core.machine.controller
        let trouble = controller.journalTrouble(at: now)
        core.orders.removeAll { order in
            if controller.isJournalled(order.record) {
                order.answer.give(order.outcome)
            } else if let trouble {
                let isLimited = order.command.verb.isForward && order.outcome == .accepted
                order.answer.give(
                    isLimited ? .refused("taken, but lost if this process ends now: \(trouble)") : order.outcome)
            } else {
                return false
            }
            return true
        }
    }

    private func send(_ message: RollbackRunner.Output) {
        if !output.send(message) { instruments.dropped.add() }
    }

    private func publish(_ core: inout Core) {
        let snapshot = RolloutSnapshot(core.machine.controller, rules: core.machine.rules, at: now)
        let rules = core.machine.rules.mapValues { RollbackRuleStanding(streak: $0.streak, alerts: $0.alerts) }
        let plan = core.machine.controller.plan
        let before = published.withLock { published in
            defer {
                published = Published(
                    plan: plan, snapshot: snapshot, rules: rules, unfinished: core.machine.controller.unfinished)
            }
            return published.snapshot
        }
        logRoutes(snapshot, before)
        answerOrders(&core)
    }

    /// Logs once that a route cannot be read, and once that it can be read again.
    private func logRoutes(_ snapshot: RolloutSnapshot, _ before: RolloutSnapshot) {
        for (service, old) in zip(snapshot.services, before.services) where service.routes != old.routes {
            for (route, last) in zip(service.routes, old.routes) where route.isUp != last.isUp {
                switch route.isUp {
                case false?:
                    instruments.unreadable.add()
                    logger.warn(
                        "a route cannot be read",
                        ["service": service.name, "route": route.name, "reason": route.view.fault ?? ""])
                case true?:
                    if last.isUp == false {
                        logger.info("a route can be read again", ["service": service.name, "route": route.name])
                    }
                case nil: break
                }
            }
        }
    }

    /// Starts a worker for each route of `plan`, or none.
    private func makeWorkers(_ plan: RolloutPlan) throws(WorkerThread.StartError) -> [RouteID: RouteWorker] {
        var fresh: [RouteID: RouteWorker] = [:]
        do throws(WorkerThread.StartError) {
            for service in plan.services {
                for index in service.routes.indices {
                    let router = ServiceRouter(service, route: index, client: client.http, fence: Fence(lease))
                    let route = RouteID(service.name, index)
                    fresh[route] = try RouteWorker(router, route.description, lease: lease, mailbox: mailbox)
                }
            }
            return fresh
        } catch {
            for worker in fresh.values { worker.stop() }
            throw error
        }
    }

    /// Gives a plan with other services or routes other workers.
    private func followStructure(_ core: inout Core) {
        let controller = core.machine.controller
        guard controller.structureRevision != core.structureRevision else { return }
        do throws(WorkerThread.StartError) {
            install(try makeWorkers(controller.plan))
            core.structureRevision = controller.structureRevision
        } catch {
            // Operations go to the workers of before, and fail; the next event tries again.
            logger.error("routers of the changed plan cannot be asked", ["error": error.description])
        }
    }

    /// Puts `fresh` in the place of the workers there are. Those end when their routers answer, which may take long:
    /// nobody waits for them before the end of the plan.
    private func install(_ fresh: [RouteID: RouteWorker]) {
        let old = workers.withLock { workers in
            defer { workers = fresh }
            return Array(workers.values)
        }
        for worker in old { worker.retire() }
        retired.withLock { retired in
            retired = (retired + old).filter { worker in
                guard worker.hasEnded else { return true }
                worker.stop()
                return false
            }
        }
    }
}

internal import Instrumentation
internal import JSON
internal import MetricModel
internal import RuleEngine
internal import Runtime
internal import Synchronization

/// The thread of one plan: takes messages one by one, steps the machines, runs their actions. Routers are asked by a
/// worker per service and sinks are called elsewhere, so that this thread only ever waits for the journal.
final class PlanRunner: Sendable {
    /// What other threads may see.
    struct Published: Sendable {
        var snapshot: RolloutSnapshot
        var rules: [String: RollbackRuleStanding] = [:]
    }

    /// What the plan's thread works on.
    struct Core: Sendable {
        var controller: RolloutController
        var rules: [String: RollbackRule]
        let journal: Journal
    }

    let mailbox = Mailbox<PlanMessage>(capacity: 8192)
    let published: Mutex<Published>
    private let name: String
    private let workers: Mutex<[String: ServiceWorker]>
    private let gates: GateWorker
    private let output: Mailbox<RollbackRunner.Output>
    private let instruments: RollbackInstruments
    private let logger: Logger
    private let ruleFile: RuleFile
    private let afterStep: (@Sendable (String) -> Void)?
    /// Wall clock minus monotonic clock when the process started.
    private let anchor: Int64
    private let thread = Mutex<WorkerThread?>(nil)
    /// What the thread takes over when it starts.
    private let start: Mutex<Core?>

    init(
        _ plan: RolloutPlan, settings: RollbackRunner.Settings, output: Mailbox<RollbackRunner.Output>,
        instruments: RollbackInstruments, afterStep: (@Sendable (String) -> Void)?
    ) throws(JournalError) {
        name = plan.name
        self.output = output
        self.instruments = instruments
        self.afterStep = afterStep
        logger = settings.logger.with("plan", plan.name)
        anchor = SystemClock.wallNanoseconds() - SystemClock.monotonicNanoseconds()
        let journal = try Journal(path: "\(settings.directory)/\(plan.name).journal")
        var record: JournalRecord?
        if let payload = journal.recovered.last {
            record = JournalRecord(payload: payload)
            guard record != nil else {
                throw JournalError(
                    code: .damaged, path: "\(settings.directory)/\(plan.name).journal",
                    message: "the last record is of a version this program does not know")
            }
        }
        if journal.truncatedBytes > 0 {
            logger.warn("an interrupted record was cut off the journal", ["bytes": journal.truncatedBytes])
        }
        let epoch = settings.holdsLease ? (record?.epoch ?? 0) &+ 1 : nil
        let controller = RolloutController(plan: plan, state: record?.state ?? RolloutState(), epoch: epoch)
        ruleFile = RuleFile(path: "\(settings.directory)/\(plan.name).rules")
        published = Mutex(
            Published(
                snapshot: RolloutSnapshot(
                    controller, at: Instant(nanoseconds: SystemClock.monotonicNanoseconds() + anchor))))
        workers = Mutex([:])
        gates = GateWorker(evaluate: settings.evaluate, client: settings.client, mailbox: mailbox)
        start = Mutex(Core(controller: controller, rules: ruleFile.read(), journal: journal))
        updateWorkers(plan, client: settings.client)
    }

    /// Starts the thread. To be called once.
    func run() {
        guard let core = start.withLock({ $0.take() }) else { return }
        let thread = WorkerThread("plan \(name)") { [self] in
            var core = core
            loop(&core)
        }
        self.thread.withLock { $0 = thread }
    }

    /// Takes no further messages, handles those that wait, and ends every thread.
    func stop() {
        mailbox.close()
        thread.withLock { $0.take() }?.join()
        for worker in workers.withLock({ Array($0.values) }) { worker.stop() }
        gates.stop()
    }

    // MARK: the thread

    private func loop(_ core: inout Core) {
        perform(core.controller.recovered(at: now), &core)
        publish(core)
        while true {
            let wake = core.controller.wakeAt.map { $0.nanoseconds - anchor }
            switch mailbox.receive(deadline: wake) {
            case .message(let message): handle(message, &core)
            case .timedOut: perform(core.controller.timePassed(at: now), &core)
            case .closed: return
            }
            publish(core)
        }
    }

    private var now: Instant { Instant(nanoseconds: SystemClock.monotonicNanoseconds() + anchor) }

    private func handle(_ message: PlanMessage, _ core: inout Core) {
        switch message {
        case .measured(let measurement): measured(measurement, &core)
        case .replied(let operation, let result): perform(core.controller.replied(operation, result, at: now), &core)
        case .gatesAnswered(let question, let answers):
            perform(core.controller.gatesAnswered(question, answers, at: now), &core)
        case .command(let command, let answer):
            let (outcome, actions) = core.controller.commanded(command, at: now)
            perform(actions, &core)
            publish(core)
            answer.give(core.controller.isHalted ? .refused("the journal cannot be written") : outcome)
        case .plan(let plan, let answer):
            let (refusal, actions) = core.controller.planChanged(to: plan, at: now)
            if refusal == nil { updateWorkers(plan, client: gates.client) }
            perform(actions, &core)
            answer.give(refusal)
        case .history(let isAvailable):
            perform(core.controller.historyChanged(isAvailable: isAvailable, at: now), &core)
        case .lease(let epoch): perform(core.controller.leaseChanged(epoch: epoch, at: now), &core)
        }
    }

    private func measured(_ measurement: RollbackMeasurement, _ core: inout Core) {
        var rule = core.rules[measurement.rule] ?? RollbackRule(measurement.definition)
        let before = rule
        let actions = rule.measured(measurement)
        core.rules[measurement.rule] = rule
        // What trips comes first: everything else can wait until the shift is on its way.
        for case .tripped(let trip) in actions {
            instruments.trips.add()
            let cause = trip.causeNanoseconds > 0 ? Instant(nanoseconds: trip.causeNanoseconds + anchor) : nil
            perform(core.controller.tripped(trip, cause: cause, at: now), &core)
        }
        for action in actions { told(action, measurement, &core) }
        let counted = measurement.failure == nil ? measurement.elements.filter { $0.counts && !$0.value.isNaN } : []
        let isViolated = counted.contains { measurement.definition.trip.holds(for: $0.value) }
        perform(
            core.controller.ruleMeasured(
                measurement.definition.name, isViolated: counted.isEmpty ? nil : isViolated, at: now), &core)
        if rule != before { ruleFile.write(core.rules) }
    }

    private func told(_ action: RollbackRule.Action, _ measurement: RollbackMeasurement, _ core: inout Core) {
        func notice(_ labels: Labels, _ text: String) {
            let key = "\(name)/\(measurement.rule)/\(labels)/missing"
            send(
                .notice(
                    RollbackNotice(
                        plan: name, key: key, kind: .page,
                        text: "plan \(name), rule \(measurement.definition.name): \(text)",
                        receivers: core.controller.plan.notify)))
        }
        switch action {
        case .violated(let labels, let sample, let streak):
            event(
                .violation, measurement, labels,
                ["value": .string(FloatText.general(sample.value)), "streak": .integer(Int64(streak))])
        case .cleared(let labels, _): event(.decision, measurement, labels, ["decision": "cleared"])
        case .missing(let labels, let since):
            notice(labels, "no data of \(labels) since \(RFC3339.text(milliseconds: since.milliseconds))")
        case .frozen(let labels, _):
            perform(
                core.controller.freezeChanged(
                    by: "\(measurement.definition.name) without data \(labels)", isFrozen: true, at: now), &core)
        case .returned(let labels, _):
            perform(
                core.controller.freezeChanged(
                    by: "\(measurement.definition.name) without data \(labels)", isFrozen: false, at: now), &core)
        case .overflowed(let limit): notice(.empty, "more than \(limit) elements: the rest is not watched")
        case .tripped: break
        }
    }

    private func event(
        _ kind: RollbackEvent.Kind, _ measurement: RollbackMeasurement, _ labels: Labels, _ more: JSON
    ) {
        let common: [JSON.Member] = [
            .init("plan", .string(name)), .init("rule", .string(measurement.rule)),
            .init("rule_hash", .string(measurement.ruleHash)), .init("labels", .string(labels.description)),
            .init("condition", .string(measurement.definition.trip.description)),
        ]
        send(
            .event(
                RollbackEvent(
                    at: now, kind: kind, subject: measurement.rule, body: .object(common + (more.members ?? [])))))
    }

    /// Runs the actions of one event in their order. An intent that cannot be journalled is not acted on.
    private func perform(_ actions: [RolloutController.Action], _ core: inout Core) {
        for action in actions {
            switch action {
            case .journal(let record):
                afterStep?("before journal \(record.step)")
                do throws(JournalError) {
                    let start = SystemClock.monotonicNanoseconds()
                    try core.journal.append(record.payload)
                    instruments.journal.observe(Double(SystemClock.monotonicNanoseconds() - start) / 1e9)
                } catch {
                    logger.error("the journal cannot be written; nothing is shifted any more", ["error": error])
                    return perform(core.controller.journalFailed(at: now), &core)
                }
                logger.info("step", ["step": record.step, "generation": record.state.generation])
                afterStep?("after journal \(record.step)")
            case .operate(let operation):
                workers.withLock { $0[operation.service] }?.mailbox.send(operation)
                afterStep?("operate \(operation.service) \(operation.kind)")
            case .ask(let question): gates.mailbox.send(question)
            case .record(let event): send(.event(event))
            case .raise(let incident): send(.incident(incident))
            case .notify(let notice): send(.notice(notice))
            case .report(let report):
                instruments.finished(report)
                send(.report(report))
            case .rearm:
                for key in core.rules.keys { core.rules[key]?.rearmed() }
                ruleFile.write(core.rules)
            }
        }
    }

    private func send(_ message: RollbackRunner.Output) {
        if !output.send(message) { instruments.dropped.add() }
    }

    private func publish(_ core: Core) {
        let snapshot = RolloutSnapshot(core.controller, at: now)
        let rules = core.rules.mapValues { RollbackRuleStanding(streak: $0.streak, isTripped: $0.isTripped) }
        published.withLock { $0 = Published(snapshot: snapshot, rules: rules) }
    }

    /// Gives each service a worker with the routers of `plan`.
    private func updateWorkers(_ plan: RolloutPlan, client: RouterClient) {
        let fresh = plan.services.map { service in
            (service.name, ServiceWorker(ServiceRouter(service, client: client.http), service.name, mailbox: mailbox))
        }
        let old = workers.withLock { workers in
            let old = Array(workers.values)
            workers = Dictionary(uniqueKeysWithValues: fresh)
            return old
        }
        for worker in old { worker.stop() }
    }
}

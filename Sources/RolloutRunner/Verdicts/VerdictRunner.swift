internal import Instrumentation
internal import JSON
internal import Rollback
internal import RuleModel
internal import Runtime
internal import Synchronization

/// The thread of all verdicts: takes measurements and questions one by one, steps the machines, runs their actions. A
/// file per verdict is written by another thread, so that this one waits for nothing.
final class VerdictRunner: Sendable {
    /// A message for the thread.
    private enum Message: Sendable {
        case measured(RollbackMeasurement)
        case asked(String, VerdictQuestion, Reply<Answer>)
        case ended(String, by: String, Reply<Ending>)
        case rules([String: [VerdictRule]], Reply<Void>)
        case probe(Pulse)
    }

    /// The answer to a question, and what has to be on disk before it is given.
    private struct Answer: Sendable {
        var reply: VerdictReply
        var stored: Reply<Void>?
    }

    private struct Ending: Sendable {
        var hadRelease: Bool
        var stored: Reply<Void>?
    }

    /// The part that other threads may read.
    private struct Published: Sendable {
        var standing: VerdictStanding
        /// By `file;group;name`.
        var rules: [String: RollbackRuleStanding]

        init(_ machine: VerdictMachine, at now: Instant) {
            standing = machine.standing(at: now)
            rules = machine.rules.mapValues { RollbackRuleStanding(streak: $0.streak, alerts: $0.alerts) }
        }
    }

    private static let answerSeconds: Int64 = 5
    /// How long an answer waits for the disk. It is given then all the same: going back waits for no disk.
    private static let diskSeconds: Int64 = 2
    private let mailbox = Mailbox<Message>(capacity: 8192)
    private let start: Mutex<[String: VerdictMachine]?>
    private let published = Mutex<[String: Published]>([:])
    private let files: VerdictFiles
    private let output: Mailbox<RollbackRunner.Output>
    private let instruments: RollbackInstruments
    private let verdictInstruments: VerdictInstruments
    private let logger: Logger
    private let thread = Mutex<WorkerThread?>(nil)
    private let pulse = Pulse("verdicts")
    /// Wall clock minus monotonic clock when the process started.
    private let anchor: Int64

    /// Reads what the last process stored in `directory`.
    init(
        _ verdicts: [String: [VerdictRule]], directory: String, logger: Logger, registry: Registry,
        output: Mailbox<RollbackRunner.Output>, instruments: RollbackInstruments
    ) {
        self.output = output
        self.instruments = instruments
        self.logger = logger
        verdictInstruments = VerdictInstruments(registry)
        anchor = SystemClock.wallNanoseconds() - SystemClock.monotonicNanoseconds()
        let files = VerdictFiles(directory: directory, logger: logger)
        self.files = files
        start = Mutex(
            Dictionary(
                uniqueKeysWithValues: verdicts.map { name, rules in
                    (name, VerdictMachine(name, watches: rules, stored: files.read(name)))
                }))
    }

    private var now: Instant { Instant(nanoseconds: SystemClock.monotonicNanoseconds() + anchor) }

    func run() throws(WorkerThread.StartError) {
        guard let machines = start.withLock({ $0.take() }) else { return }
        try files.run()
        let thread = try WorkerThread("verdicts") { [self] in
            var machines = machines
            loop(&machines)
        }
        self.thread.withLock { $0 = thread }
    }

    /// Handles what waits, and ends the threads.
    func stop() {
        mailbox.close()
        thread.withLock { $0.take() }?.join()
        files.stop()
    }

    func probe() -> Pulse {
        if pulse.ask() { mailbox.send(.probe(pulse)) }
        return pulse
    }

    /// A rule of a verdict was evaluated. Never blocks.
    func measured(_ measurement: RollbackMeasurement) {
        // The other half is reserved for questions.
        guard mailbox.count < 4096, mailbox.send(.measured(measurement)) else { return instruments.dropped.add() }
    }

    /// The answer to a question about the verdict `name`; `nil` if there is none in time.
    func ask(_ name: String, _ question: VerdictQuestion) -> VerdictReply? {
        let box = Reply<Answer>()
        mailbox.send(.asked(name, question, box))
        guard let answer = box.wait(seconds: Self.answerSeconds) else { return nil }
        _ = answer.stored?.wait(seconds: Self.diskSeconds)
        return answer.reply
    }

    /// Ends the release of the verdict `name`. Returns whether there was one; `nil` without an answer in time.
    func end(_ name: String, by person: String) -> Bool? {
        let box = Reply<Ending>()
        mailbox.send(.ended(name, by: person, box))
        guard let ending = box.wait(seconds: Self.answerSeconds) else { return nil }
        _ = ending.stored?.wait(seconds: Self.diskSeconds)
        return ending.hadRelease
    }

    /// Takes over verdicts and rules that were read again. Blocks until the thread has.
    func reload(_ verdicts: [String: [VerdictRule]]) {
        let done = Reply<Void>()
        mailbox.send(.rules(verdicts, done))
        if done.wait(seconds: Self.answerSeconds) == nil {
            logger.warn("verdicts not reloaded yet, their thread does not answer", [:])
        }
    }

    /// Every verdict as it was judged last, by name. Times pass since: ask for a verdict that counts.
    var standings: [VerdictStanding] {
        published.withLock { Array($0.values) }.map(\.standing).sorted { $0.name < $1.name }
    }

    /// Whether there is a verdict `name`.
    func has(_ name: String) -> Bool { published.withLock { $0[name] != nil } }

    /// The state of the rule `file;group;name`; `nil` before its first measurement.
    func standing(of rule: String) -> RollbackRuleStanding? {
        published.withLock { $0.values.lazy.compactMap { $0.rules[rule] }.first }
    }

    // MARK: the thread

    private func loop(_ machines: inout [String: VerdictMachine]) {
        for machine in machines.values { perform(machine.recovered(), machine) }
        publish(machines)
        // Judged again each second, since data age.
        var next = SystemClock.monotonicNanoseconds() + 1_000_000_000
        while true {
            switch mailbox.receive(deadline: machines.isEmpty ? nil : next) {
            case .message(let message): handle(message, &machines)
            case .timedOut: break
            case .closed: return
            }
            let time = SystemClock.monotonicNanoseconds()
            guard time >= next else { continue }
            next = time + 1_000_000_000
            publish(machines)
        }
    }

    private func handle(_ message: Message, _ machines: inout [String: VerdictMachine]) {
        switch message {
        case .measured(let measurement):
            guard let name = measurement.definition.action.verdict, var machine = machines[name] else { return }
            let actions = machine.measured(measurement, at: now)
            machines[name] = machine
            publish(machine)
            perform(actions, machine)
        case .asked(let name, let question, let box):
            guard var machine = machines[name] else { return }
            let (reply, actions) = machine.asked(question, at: now)
            machines[name] = machine
            publish(machine)
            verdictInstruments.answered(reply)
            box.give(Answer(reply: reply, stored: perform(actions, machine)))
        case .ended(let name, let person, let box):
            guard var machine = machines[name] else { return }
            let (hadRelease, actions) = machine.ended(by: person, at: now)
            machines[name] = machine
            publish(machine)
            box.give(Ending(hadRelease: hadRelease, stored: perform(actions, machine)))
        case .rules(let verdicts, let done):
            machines = machines.filter { verdicts[$0.key] != nil }
            for (name, rules) in verdicts {
                var machine = machines[name] ?? VerdictMachine(name, watches: rules, stored: files.read(name))
                let actions = machine.rulesChanged(to: rules)
                machines[name] = machine
                perform(actions, machine)
            }
            publish(machines)
            done.give(())
        case .probe(let pulse): pulse.answer()
        }
    }

    /// Runs the actions of one event in their order. None of them blocks.
    ///
    /// - Returns: the place for the news that the state is on disk; `nil` if nothing has to be stored.
    @discardableResult
    private func perform(_ actions: [VerdictMachine.Action], _ machine: VerdictMachine) -> Reply<Void>? {
        var stored: Reply<Void>?
        if actions.contains(.keep) { stored = files.write(machine) }
        for action in actions {
            switch action {
            case .keep: break
            case .tripped: instruments.trips.add()
            case .record(let event): send(.event(event))
            case .notify(let alert): send(.verdict(alert))
            }
        }
        return stored
    }

    private func send(_ message: RollbackRunner.Output) {
        if !output.send(message) { instruments.dropped.add() }
    }

    private func publish(_ machines: [String: VerdictMachine]) {
        let now = now
        let next = machines.mapValues { Published($0, at: now) }
        published.withLock { $0 = next }
        verdictInstruments.judged(next.values.map(\.standing))
    }

    private func publish(_ machine: VerdictMachine) {
        let next = Published(machine, at: now)
        let before = published.withLock { $0.updateValue(next, forKey: machine.name) }
        // Usually the same: the list of all is for the metrics only.
        if before?.standing.verdict != next.standing.verdict { verdictInstruments.judged(standings) }
    }
}

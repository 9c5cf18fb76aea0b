import JSON
import MetricModel
import RuleEngine

@testable import Rollback

/// A small fast generator with a seed, so that every run can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
}

/// A world around one controller: virtual clock, disk, routers, people, a rival for the lease. It breaks things, restarts
/// the process, and checks the invariants of a rollback at every step.
struct Simulation {
    struct Router {
        var live: TrafficSplit? = .allStable
        var isIsolated = false
        var stableIsHealthy = true
        var candidateRequests: UInt64 = 0
        var busyUntil = Instant(nanoseconds: 0)
    }

    enum Event {
        /// The router carries an operation out; `reply` is when the answer arrives, `nil` for never.
        case effect(RouterOperation, process: Int, reply: Instant?)
        case reply(UInt64, OperationResult, RouterOperation, process: Int)
        case gates(GateQuestion, process: Int)
        case restart
        case wake(process: Int, at: Instant)
        case measured
        case disturb
    }

    /// What may go wrong.
    struct Faults {
        var crash = 0.0
        var lostReply = 0.0
        var failedReply = 0.0
        var duplicate = 0.0
        var disturbances = 0.0

        static let none = Faults()
    }

    var random: SplitMix
    var faults: Faults
    var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    var disk: [UInt8] = []
    var sequence: UInt64 = 0
    var lastState = RolloutState()
    var controller: RolloutController?
    var process = 0
    var epoch: UInt64 = 0
    var leaseLost = false
    var routers: [String: Router] = [:]
    var seen: [String: Inspection] = [:]
    var queue: [(at: Instant, order: Int, event: Event)] = []
    var order = 0
    var scheduledWake: Instant?
    var violations: [String] = []
    var steps = 0
    let plan: RolloutPlan

    /// Crashes when the countdown of actions reaches zero; for exhaustive tests.
    var crashCountdown: Int?

    // What the checks remember.
    var rollbacks: [String: Int] = [:]
    var abortedGenerations: Set<UInt64> = []
    var recordedIntents: Set<String> = []
    var reports: [RollbackReport] = []
    var incidents: [RollbackIncident] = []
    var notices: [RollbackNotice] = []

    static let planText = """
        plan: sim
        stages: [10, 100]
        bake: 4s
        settle: 6s
        reconcile: 10s
        retain_stable: 2h
        gate_timeout: 2m
        success_ratio: 0.5
        max_concurrent: 2
        validation: {rounds: 2, interval: 2s, timeout: 40s, rules: [R]}
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], gates: [{http: "http://gate/"}], routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: c, depends: [a, b], routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: d, depends: [a], gates: [{rule: R}], routes: [{exec: {shift: [s], read: [r]}}]}
        """

    init(seed: UInt64, plan: RolloutPlan, faults: Faults) {
        random = SplitMix(state: seed)
        self.plan = plan
        self.faults = faults
        for service in plan.services { routers[service.name] = Router() }
        restart()
        schedule(.measured, after: 1000)
        if faults.disturbances > 0 { schedule(.disturb, after: 1000) }
    }

    // MARK: time

    mutating func schedule(_ event: Event, after milliseconds: Int64) {
        schedule(event, at: now + .milliseconds(milliseconds))
    }

    mutating func schedule(_ event: Event, at instant: Instant) {
        order += 1
        let entry = (at: instant, order: order, event: event)
        let place = queue.firstIndex { ($0.at, $0.order) > (instant, order) } ?? queue.count
        queue.insert(entry, at: place)
    }

    /// Runs until `end`, or until a check fails.
    mutating func run(until end: Instant) {
        while violations.isEmpty, let first = queue.first, first.at <= end {
            queue.removeFirst()
            now = max(now, first.at)
            steps += 1
            if steps > 100_000 {
                violations.append("no rest after 100 000 steps: \(first.event), wakes at \(controller?.wakeAt as Any)")
            }
            run(first.event)
        }
        now = max(now, end)
    }

    mutating func run(for span: Milliseconds) { run(until: now + span) }

    private mutating func run(_ event: Event) {
        switch event {
        case .effect(let operation, let process, let reply): carryOut(operation, process, reply)
        case .reply(let id, let result, let operation, let process):
            guard process == self.process, controller != nil else { return }
            if case .inspected(let inspection) = result, controller?.pending[operation.service]?.id == id {
                seen[operation.service] = inspection
            }
            step { $0.replied(id, result, at: $1) }
        case .gates(let question, let process):
            guard process == self.process else { return }
            let isOpen = random.chance(faults.failedReply * 3) == false
            step {
                $0.gatesAnswered(
                    question.id, question.gates.map { GateAnswer(name: $0.name, isOpen: isOpen, detail: "") }, at: $1)
            }
        case .restart: restart()
        case .wake(let process, let instant):
            guard process == self.process, scheduledWake == instant else { return }
            scheduledWake = nil
            step { $0.timePassed(at: $1) }
        case .measured:
            let isMissing = random.chance(faults.failedReply)
            step { $0.ruleMeasured("R", isViolated: isMissing ? nil : false, at: $1) }
            schedule(.measured, after: 1000)
        case .disturb:
            disturb()
            if faults.disturbances > 0 { schedule(.disturb, after: Int64.random(in: 100...8000, using: &random)) }
        }
    }

    // MARK: the process

    mutating func step(_ body: (inout RolloutController, Instant) -> [RolloutController.Action]) {
        guard var next = controller else { return }
        let actions = body(&next, now)
        controller = next
        perform(actions)
        if let wake = controller?.wakeAt, scheduledWake.map({ wake < $0 }) ?? true {
            scheduledWake = wake
            schedule(.wake(process: process, at: wake), at: max(wake, now))
        }
    }

    @discardableResult
    mutating func command(_ verb: RolloutCommand.Verb) -> CommandOutcome? {
        var outcome: CommandOutcome?
        let before = controller?.state
        step { controller, now in
            let (result, actions) = controller.commanded(RolloutCommand(verb, by: "ops"), at: now)
            outcome = result
            return actions
        }
        if verb == .abort, outcome == .ignored("there is no rollout to abort"), controller != nil {
            check(controller?.state == before, "an abort without a rollout changed something")
        }
        return outcome
    }

    private mutating func perform(_ actions: [RolloutController.Action]) {
        for action in actions {
            if shouldCrash() {
                if case .journal(let record) = action { tear(record) }
                return crash()
            }
            switch action {
            case .journal(let record): write(record)
            case .operate(let operation): send(operation)
            case .ask(let question): schedule(.gates(question, process: process), after: 50)
            case .record(let event):
                if event.body["step"]?.text == "intended", let id = event.body["rollback"]?.text,
                    event.body["causes"]?.elements?.isEmpty == false
                {
                    recordedIntents.insert(id)
                }
            case .raise(let incident):
                incidents.append(incident)
                for name in incident.services {
                    check(lastState.services[name]?.progress == .rolledBack, "incident before \(name) was back")
                }
            case .notify(let notice): notices.append(notice)
            case .report(let report): reports.append(report)
            case .rearm: break
            }
        }
    }

    private mutating func shouldCrash() -> Bool {
        if let countdown = crashCountdown {
            crashCountdown = countdown == 0 ? nil : countdown - 1
            return countdown == 0
        }
        return faults.crash > 0 && random.chance(faults.crash)
    }

    mutating func crash() {
        controller = nil
        process += 1
        scheduledWake = nil
        schedule(.restart, after: Int64.random(in: 10...8000, using: &random))
    }

    /// A write that was interrupted: any part of it may be on disk, or all of it.
    private mutating func tear(_ record: JournalRecord) {
        let frame = JournalFrame.encode(record.payload, sequence: sequence + 1)
        let length = Int.random(in: 0...frame.count, using: &random)
        disk += frame[..<length]
        if length == frame.count { durable(record) }
    }

    private mutating func write(_ record: JournalRecord) {
        sequence += 1
        disk += JournalFrame.encode(record.payload, sequence: sequence)
        durable(record)
    }

    private mutating func restart() {
        let scan = JournalFrame.scan(disk)
        if case .damage(let what) = scan.rest { violations.append("journal: \(what)") }
        disk = Array(disk[..<scan.goodLength])
        sequence = scan.frames.last?.sequence ?? 0
        var state = RolloutState()
        if let payload = scan.frames.last?.payload {
            guard let record = JournalRecord(payload: payload) else { return violations.append("unreadable record") }
            check(record.state == lastState, "the journal gives another state than was written")
            state = record.state
        }
        // Earlier records have been checked; a short file keeps the simulation fast.
        if let last = scan.frames.last { disk = JournalFrame.encode(last.payload, sequence: last.sequence) }
        epoch += 1
        seen = [:]
        controller = RolloutController(plan: plan, state: state, epoch: leaseLost ? nil : epoch)
        step { $0.recovered(at: $1) }
    }

    // MARK: routers

    private mutating func send(_ operation: RouterOperation) {
        check(!leaseLost, "acted without the lease")
        check(operation.epoch == epoch, "acted under an old epoch")
        if case .shift(let split) = operation.kind { checkShift(operation, split) }
        if case .isolate = operation.kind {
            let progress = lastState.services[operation.service]?.progress
            check(progress == .rollingBack(.verified), "isolated before read-back")
        }
        let router = routers[operation.service] ?? Router()
        // Operations of one route are carried out one after the other.
        let start = max(now, router.busyUntil)
        let slow: Int64 = random.chance(faults.lostReply) ? 15_000 : 5
        let effect = start + .milliseconds(Int64.random(in: 0...slow, using: &random))
        routers[operation.service]?.busyUntil = effect
        let isLost = random.chance(faults.lostReply)
        schedule(
            .effect(
                operation, process: process,
                reply: isLost ? nil : effect + .milliseconds(Int64.random(in: 0...3, using: &random))),
            at: effect)
    }

    private mutating func carryOut(_ operation: RouterOperation, _ process: Int, _ reply: Instant?) {
        guard var router = routers[operation.service] else { return }
        var result = OperationResult.done
        let isRefused = random.chance(faults.failedReply)
        // A failure may come before or after the effect.
        if !isRefused || random.chance(0.5) {
            switch operation.kind {
            case .inspect: break
            case .shift(let split):
                router.live = split
                if split.candidate > 0 { router.isIsolated = false }
            case .isolate: router.isIsolated = true
            }
        }
        router.candidateRequests += UInt64(router.live?.candidate ?? 0)
        routers[operation.service] = router
        if case .inspect = operation.kind {
            result = .inspected(
                Inspection(
                    split: router.live, stable: router.stableIsHealthy ? .healthy : .unhealthy("down"),
                    isCandidateIsolated: router.isIsolated, candidateRequests: router.candidateRequests))
        }
        if isRefused { result = .failed("refused") }
        guard let reply else { return }
        schedule(.reply(operation.id, result, operation, process: process), at: reply)
        if random.chance(faults.duplicate) {
            schedule(
                .reply(operation.id, result, operation, process: process),
                at: reply + .milliseconds(Int64.random(in: 0...5000, using: &random)))
        }
    }
}

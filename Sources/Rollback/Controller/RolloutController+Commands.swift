internal import JSON
public import MetricModel

/// An order to a rollout.
public struct RolloutCommand: Hashable, Sendable {
    /// The kind of the order.
    public enum Verb: Hashable, Sendable {
        /// Begin a new generation.
        case start
        /// Stop promotion at the present stage.
        case pause
        /// Continue after a pause.
        case resume
        /// End the bake time of the services that are baking, and approve them.
        case promote
        /// The same, even if data are missing. Needs a reason.
        case promoteWithoutData
        /// Roll back everything that has been promoted, including the rest of a partial rollback. Takes precedence over
        /// everything; without a rollout it has no effect.
        case abort
        /// Roll back these services, or all, also after promotion. Without names it also ends a rollout whose
        /// candidates have no traffic yet.
        case rollback(services: [String]?)
        /// Roll back services whose candidate has more traffic now than in these splits. Never raises a candidate.
        ///
        /// Rolls back completely, unless `exactlyIn` is the present generation: then candidates that had traffic are
        /// lowered to that weight.
        case restore([String: TrafficSplit], exactlyIn: UInt64? = nil)
        /// Begin a rollout of some services; the others keep their stable versions.
        case startOnly(services: [String])
        /// Give every candidate of the rollout all traffic, without further stages, bakes, gates and hooks. Needs a
        /// reason.
        case promoteFully
        /// End the attempts to take traffic back along a route that cannot be reached. Its service counts as rolled
        /// back without it, and the rollback as not validated.
        case abandonRoute(RouteID)
        /// Take the traffic of candidates that no rollout gave them as that of a new rollout, which is paused.
        case adopt
        /// Read, record and page for this time, and write nothing to routers. Zero ends it.
        case observe(for: Milliseconds)
        /// A person has looked at the traffic after a record was lost; promotion may go on.
        case acknowledge
        /// No node of the version before runs any more: write records that it cannot read.
        case finishUpgrade
    }

    /// The kind of the order.
    public var verb: Verb
    /// The person or program that gave it.
    public var by: String
    /// The reason.
    public var reason: String
    /// The proved identity that gave it, if it is that of one person or program; `nil` otherwise.
    public var identity: String?

    /// A command of `by`.
    public init(_ verb: Verb, by: String, reason: String = "", identity: String? = nil) {
        self.verb = verb
        self.by = by
        self.reason = reason
        self.identity = identity
    }
}

extension RolloutCommand.Verb {
    /// The name for records.
    public var name: String {
        switch self {
        case .start, .startOnly: "start"
        case .pause: "pause"
        case .resume: "resume"
        case .promote: "promote"
        case .promoteWithoutData: "promote without data"
        case .promoteFully: "promote fully"
        case .abort: "abort"
        case .rollback: "rollback"
        case .restore: "restore"
        case .abandonRoute: "abandon route"
        case .adopt: "adopt"
        case .observe: "observe"
        case .acknowledge: "acknowledge"
        case .finishUpgrade: "finish upgrade"
        }
    }

    /// Whether it may give a candidate more traffic, so that it needs the journal.
    public var isForward: Bool {
        switch self {
        case .start, .startOnly, .resume, .promote, .promoteWithoutData, .promoteFully: true
        case .pause, .abort, .rollback, .restore, .abandonRoute, .adopt, .observe, .acknowledge, .finishUpgrade: false
        }
    }

    /// The services that it is limited to; empty for all.
    var services: [String] {
        switch self {
        case .rollback(let services): services ?? []
        case .restore(let splits, _): splits.keys.sorted()
        case .startOnly(let services): services
        case .abandonRoute(let route): [route.service]
        case .start, .pause, .resume, .promote, .promoteWithoutData, .promoteFully, .abort, .adopt, .observe,
            .acknowledge, .finishUpgrade:
            []
        }
    }
}

/// The result of an order.
public enum CommandOutcome: Hashable, Sendable {
    case accepted
    /// There was nothing to do.
    case ignored(String)
    case refused(String)

    /// The name for records.
    var name: String {
        switch self {
        case .accepted: "accepted"
        case .ignored: "ignored"
        case .refused: "refused"
        }
    }

    /// The reason why it had no effect.
    var reason: String? {
        switch self {
        case .accepted: nil
        case .ignored(let reason), .refused(let reason): reason
        }
    }
}

extension RolloutController {
    /// An order was given.
    public mutating func commanded(
        _ command: RolloutCommand, at now: Instant
    ) -> (outcome: CommandOutcome, actions: [Action]) {
        guard mayAct else {
            return (.refused("another process holds the lease"), [])
        }
        var outcome = CommandOutcome.accepted
        let actions = handle(at: now) { controller in
            let trouble =
                command.verb.isForward
                ? controller.journalTrouble(at: now) ?? controller.lossText ?? controller.observationText : nil
            if case .restore = command.verb, let text = controller.observationText {
                outcome = .refused(text)
            } else {
                outcome = trouble.map(CommandOutcome.refused) ?? controller.run(command, at: now)
            }
            controller.record(
                .deployment,
                [
                    "step": "command", "command": .string(command.verb.name),
                    "services": .array(command.verb.services.map(JSON.string)), "by": .string(command.by),
                    "reason": .string(command.reason), "outcome": .string(outcome.name),
                    "detail": .string(outcome.reason ?? ""),
                ], at: now)
        }
        return (outcome, actions)
    }

    private mutating func run(_ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        switch command.verb {
        case .start: start(at: now)
        case .startOnly(let services): start(services, at: now)
        case .pause: pause(command, at: now)
        case .resume: resume(at: now)
        case .promote: promote(command, at: now)
        case .promoteWithoutData:
            command.reason.isEmpty
                ? .refused("a promotion without data needs a reason") : promote(command, isWithoutData: true, at: now)
        case .promoteFully: promoteFully(command, at: now)
        case .abort: abort(command, at: now)
        case .rollback(let services): rollback(services, command, at: now)
        case .restore(let splits, let generation): restore(splits, exactlyIn: generation, command, at: now)
        case .abandonRoute(let route): abandon(route, command, at: now)
        case .adopt: adopt(command, at: now)
        case .observe(let span): observe(for: span, command, at: now)
        case .acknowledge: acknowledge(at: now)
        case .finishUpgrade: finishUpgrade(at: now)
        }
    }

    /// Begins a rollout of `services`, or of all.
    mutating func start(_ services: [String]? = nil, at now: Instant) -> CommandOutcome {
        if let unknown = services?.first(where: { plan.service($0) == nil }) {
            return .refused("there is no service \"\(unknown)\"")
        }
        switch state.phase {
        case .promoting, .paused, .rollingBack: return .refused("generation \(state.generation) is in progress")
        case .promoted, .retired:
            return .refused("the candidates are promoted: make them the stable versions in the plan first")
        case .idle, .rolledBack: break
        }
        if let until = state.cooldownUntil, now < until {
            return .refused("cooldown for another \(Int((until.milliseconds(since: now) / 1000).rounded(.up))) s")
        }
        if let refusal = unmanagedText ?? formatText { return .refused(refusal) }
        if let service = plan.services.first(where: { takesTraffic($0.name) }) {
            return .refused("the candidate of \(service.name) still takes traffic: roll it back first")
        }
        state.generation &+= 1
        state.phase = .promoting
        state.lastPromotedAt = nil
        state.cooldownUntil = nil
        state.doubts = []
        state.isUnordered = false
        state.isFull = false
        (state.hooks, hooks) = ([:], [:])
        for service in plan.services {
            var fresh = ServiceRollout()
            fresh.revision = state.services[service.name]?.revision ?? 0
            fresh.isLeftOut = services.map { !$0.contains(service.name) } ?? false
            state.services[service.name] = fresh
        }
        for name in work.keys { work[name]?.begin() }
        standings = [:]
        outbox.append(.rearm)
        journal("start", at: now)
        return .accepted
    }

    private mutating func pause(_ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        switch state.phase {
        case .promoting:
            standStill("\(command.by): \(command.reason)")
            journal("pause", at: now)
            return .accepted
        case .paused: return .ignored("already paused")
        case .idle, .promoted, .retired, .rollingBack, .rolledBack: return .refused("nothing is being promoted")
        }
    }

    private mutating func resume(at now: Instant) -> CommandOutcome {
        guard case .paused = state.phase else { return .refused("nothing is paused") }
        if isCoolingDown(at: now) { return .refused("a trip forbids promotion until its cooldown is over") }
        state.phase = .promoting
        state.isUnordered = false
        journal("resume", at: now)
        return .accepted
    }

    private mutating func abort(_ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        if let text = manage(nil, command, at: now) { return .refused(text) }
        let affected = plan.rollbackOrder.filter { takesTraffic($0) }
        switch state.phase {
        case .promoted, .retired:
            return .ignored("generation \(state.generation) is promoted: use a rollback instead")
        case .idle: return .ignored("there is no rollout to abort")
        // A part of the services may have been rolled back; the rest is ended here.
        case .rolledBack where affected.isEmpty: return .ignored("all services are already rolled back")
        case .promoting, .paused, .rollingBack, .rolledBack: break
        }
        if let text = irreversibleText(affected) { return .refused(text) }
        return end(affected, command, at: now)
    }

    /// Rolls back `affected`, all services with traffic, and ends the rollout.
    private mutating func end(_ affected: [String], _ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        // A candidate that has replaced the aborted one must not begin automatically at once.
        if let seen = seenVersion?.value { state.version = seen }
        guard !affected.isEmpty else {
            if state.phase == .rollingBack { return joinRollback(command, at: now) }
            state.phase = .rolledBack
            journal("abort", at: now)
            return .accepted
        }
        beginRollback(of: affected, because: .command(by: command.by, reason: command.reason), at: now)
        return .accepted
    }

    /// Everything is rolled back already; no new promotion may follow.
    private mutating func joinRollback(_ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        state.rollback?.add(.command(by: command.by, reason: command.reason))
        state.rollback?.isBesideStable = false
        state.isUnordered = false
        journal("abort", at: now)
        return .accepted
    }

    private mutating func rollback(
        _ services: [String]?, _ command: RolloutCommand, at now: Instant
    ) -> CommandOutcome {
        if let unknown = services?.first(where: { plan.service($0) == nil }) {
            return .refused("there is no service \"\(unknown)\"")
        }
        if let text = manage(services, command, at: now) { return .refused(text) }
        switch state.phase {
        case .idle: return .ignored("there is no rollout")
        case .retired: return .refused("the stable version is no longer retained")
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        let affected = plan.rollbackOrder.filter { (services?.contains($0) ?? true) && takesTraffic($0) }
        if let text = irreversibleText(affected) { return .refused(text) }
        guard !affected.isEmpty else {
            switch state.phase {
            // Otherwise the first candidate would get its traffic right after the order.
            case .promoting, .paused: if services == nil { return end(affected, command, at: now) }
            // An order takes traffic back also where the stable version has none.
            case .rollingBack where state.rollback?.isBesideStable == true: return joinRollback(command, at: now)
            case .idle, .promoted, .retired, .rollingBack, .rolledBack: break
            }
            return .ignored("no candidate takes traffic")
        }
        beginRollback(of: affected, because: .command(by: command.by, reason: command.reason), at: now)
        return .accepted
    }
}

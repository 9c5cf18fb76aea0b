internal import JSON
public import MetricModel

/// Decides every step of a rollout and its rollback. A machine: events in, actions out.
///
/// The runner executes the actions of an event in order and waits for none of them. Records of the journal are written
/// beside them; ``journalled(through:in:at:)`` reports what is stored. The machine itself waits for that before it
/// gives a candidate more traffic, and does not wait before it takes traffic away.
///
/// ``state`` must survive a crash and is journalled as a whole with each step, so a restart consists of reading the
/// last record and calling ``recovered(at:)``. The last steps may be missing in it, if they only took traffic from
/// candidates. Everything else (active operations, retries) is level-triggered: each
/// event ends with a check of every service and requests for the next operations. A repeated request is harmless,
/// because every operation is idempotent and is preceded by a reading of the live weights.
public struct RolloutController: Hashable, Sendable {
    /// An action for the runner.
    public enum Action: Hashable, Sendable {
        /// Write this record and sync it to disk; then call ``RolloutController/journalled(through:in:at:)``. A later
        /// record may take its place.
        case journal(JournalRecord)
        /// Execute an operation on a router; the result is passed to ``replied(_:_:at:)``.
        case operate(RouterOperation)
        /// Evaluate the gates of a service; the result is passed to ``gatesAnswered(_:_:at:)``.
        case ask(GateQuestion)
        /// Call a hook; the answer is passed to ``hookAnswered(_:_:at:)``.
        case call(HookCall)
        /// Write to the history.
        case record(RollbackEvent)
        /// Raise or update an incident.
        case raise(RollbackIncident)
        /// Send a notification.
        case notify(RollbackNotice)
        /// Publish the report of a finished rollback.
        case report(RollbackReport)
        /// Reset trips of an earlier rollout in the rollback rules.
        case rearm
        /// Count the violations of this element of a rule (`file;group;name`) from zero.
        case rearmElement(rule: String, labels: Labels)
        /// Let trips count again with the next violation: there is traffic now that they were not acted on for.
        case reconsider
        /// Leave the lease to other nodes: this one cannot write its journal.
        case yieldLease
        /// End `yieldLease`.
        case competeForLease
    }

    /// The observed version of the candidate.
    struct Version: Hashable {
        var value: Double
        var readings: Int
    }

    /// The last measurement of a rule.
    enum RuleStanding: Hashable {
        case healthy
        case violated
        case missing
    }

    /// The state of a validation.
    struct Validating: Hashable {
        var goodRounds = 0
        /// Routes whose reply in this round is pending.
        var awaited: Set<RouteID> = []
        /// The error in this round.
        var fault: String?
        /// The last error in any round.
        var lastFault = "no round of checks was finished"
        var nextRound: Instant?
        /// The requests of each candidate at the last round.
        var candidateRequests: [RouteID: UInt64] = [:]
        var sawCounters = false
        /// Healthy measurements in a row by rule.
        var ruleRounds: [String: Int] = [:]
    }

    /// The plan.
    public internal(set) var plan: RolloutPlan
    /// A plan whose structure waits for the end of the rollout under way.
    var waitingPlan: RolloutPlan?
    /// Counts the changes of services, routes and stages.
    package internal(set) var structureRevision: UInt64 = 0
    /// The state that must survive a crash.
    public internal(set) var state: RolloutState
    /// The fencing number of the lease; `nil` while another process holds it.
    public internal(set) var epoch: UInt64?
    /// When ``timePassed(at:)`` must be called; `nil` while nothing waits for time.
    public internal(set) var wakeAt: Instant?
    /// Why promotion is frozen without a pause.
    public internal(set) var freezes: Set<String> = []
    /// Whether the lease could not be renewed in time: rollbacks go on, since nobody else can have taken it without its
    /// database, but no candidate gets more traffic.
    public internal(set) var isAlone = false
    /// The journal.
    var journal = JournalStanding()
    /// A difference between the plan and its record that people have not been notified of.
    var structureChange: String?
    /// Distinguishes keys of operations that are not journalled from those of other processes.
    let processNonce: String

    var isHistoryAvailable = true
    var standings: [String: RuleStanding] = [:]
    /// The active operations, by service.
    var work: [String: ServiceWork]
    var lastOperation: UInt64 = 0
    /// The active request for the candidate's version.
    var versionQuestion: ServiceWork.Question?
    /// The last observed version of the candidate, and the count of equal readings in a row.
    var seenVersion: Version?
    /// The key of the notification about frozen promotion; `nil` if there is none.
    var freezePage: String?
    /// Since when a rule of `freeze_if` has had no measurement.
    var unmeasuredSince: Instant?
    /// When the version is read again.
    var versionDue: Instant?
    /// The measurements expected of rules.
    var demands: [EvidenceDemand] = []
    /// By rule (`file;group;name`) and service: the time of the newest sample whose measurement counted.
    var evidence: [String: [String: Instant]] = [:]
    /// Since when this process decides: its clock may differ from that of the previous process.
    var began: Instant?
    /// The answers of the gates in the present stage, by service.
    var gateAnswers: [String: [GateAnswer]] = [:]
    var validating = Validating()
    /// The hooks that are waited for, by their keys.
    var hooks: [String: HookWork] = [:]
    /// The keys of the pages that the rollout was paused without an order.
    var pausePages: [String] = []
    /// Traffic of candidates that no rollout gave them, by service. Seen anew by each process.
    package internal(set) var unmanaged: [String: UnmanagedTraffic] = [:]
    /// The keys of the pages about trips that led to no shift, by incident.
    var tripPages: [String: String] = [:]
    var outbox: [Action] = []
    /// Whether the last pass changed something that another pass depends on.
    var hasChanged = false

    /// A controller of `plan` that continues from `state`.
    ///
    /// - Parameters:
    ///   - epoch: the fencing number of the lease; `nil` while another process has it.
    ///   - nonce: different in each process.
    public init(
        plan: RolloutPlan, state: RolloutState = RolloutState(), epoch: UInt64? = 1, nonce: String = "0"
    ) {
        self.plan = plan
        processNonce = nonce
        self.state = state
        self.epoch = epoch
        work = [:]
        for service in plan.services {
            if self.state.services[service.name] == nil { self.state.services[service.name] = ServiceRollout() }
            work[service.name] = ServiceWork(routes: service.routes.count)
        }
        self.state.structure = self.state.structure ?? RecordedStructure(plan)
        takeUpLegs()
    }

    /// Whether actions are allowed.
    var mayAct: Bool { epoch != nil }

    /// Continues after a restart, when the journal has been read. Must be called once, before any other event.
    ///
    /// Notifications from before a crash may be repeated with the same key.
    ///
    /// - Parameters:
    ///   - freezes: the reasons of rules to stop promotion, as in ``freezesChanged(to:at:)``.
    ///   - loss: why the last record cannot be used, if it cannot.
    public mutating func recovered(
        freezes: Set<String> = [], loss: RecordLoss? = nil, at now: Instant
    ) -> [Action] {
        self.freezes = freezes
        began = now
        if let loss { begin(after: loss, at: now) } else { fitRecord(at: now) }
        return handle(at: now) { controller in
            if loss != nil { controller.journal("record lost", at: now) }
            controller.notifyOfLoss()
            controller.doubtRecord()
            controller.resumeRollback(at: now)
        }
    }

    /// Continues a rollback that another process began.
    mutating func resumeRollback(at now: Instant) {
        guard let rollback = state.rollback, state.phase == .rollingBack else { return }
        note("resumed", nil, "epoch \(epoch ?? 0)", at: now)
        if rollback.step == .validate { state.rollback?.validatingSince = now }
        journal("resumed", at: now)
        if rollback.step.rawValue > RollbackRecord.Step.raiseIncident.rawValue { raiseIncident(at: now) }
        if rollback.step.rawValue > RollbackRecord.Step.notify.rawValue { notifyRollback(at: now) }
    }

    /// The time ``wakeAt`` has come.
    public mutating func timePassed(at now: Instant) -> [Action] {
        handle(at: now) { _ in }
    }

    /// The lease was won (`epoch` is its fencing number) or lost (`nil`). Active operations no longer count; a rollback
    /// of this node's journal continues.
    ///
    /// - Parameter isAlone: whether the lease has expired although no other process can have taken it.
    public mutating func leaseChanged(epoch new: UInt64?, isAlone: Bool = false, at now: Instant) -> [Action] {
        let isTerm = new != nil && new != epoch
        if new != epoch { forgetOperations() }
        if isTerm { began = now }
        epoch = new
        self.isAlone = isAlone
        return handle(at: now) { controller in
            guard isTerm else { return }
            controller.notifyOfLoss()
            // Distinguishes a term without other records from one whose records are lost.
            switch controller.state.phase {
            case .idle: if controller.state.loss != nil { controller.journal("leads", at: now) }
            case .rollingBack: controller.resumeRollback(at: now)
            case .promoting, .paused, .promoted, .retired, .rolledBack: controller.journal("leads", at: now)
            }
        }
    }

    /// Drops active operations and retries.
    mutating func forgetOperations() {
        for name in work.keys { work[name]?.forget() }
        versionQuestion = nil
        validating = Validating()
        (hooks, pausePages) = ([:], [])
        unmanaged = [:]
        tripPages = [:]
        freezePage = nil
        unmeasuredSince = nil
        journal.drop()
        journal.page = nil
        takeUpLegs()
    }

    /// Sets the progress of every route to that of its service in the state.
    private mutating func takeUpLegs() {
        for service in plan.services {
            let leg: RouteWork.Leg =
                switch state.services[service.name]?.progress {
                case .rollingBack(.shifted): .shifted
                case .rollingBack(.verified): .verified
                case .rolledBack: .isolated
                case .rollingBack(.intended), .waiting, .shifting, .baking, .promoted, nil: .unread
                }
            for index in service.routes.indices { work[service.name]?.routes[index].leg = leg }
        }
    }

    /// Whether the history can be written. If not, nothing is promoted; rollbacks continue.
    public mutating func historyChanged(isAvailable: Bool, at now: Instant) -> [Action] {
        isHistoryAvailable = isAvailable
        return handle(at: now) { _ in }
    }

    /// Sets the reasons of rules to stop promotion: active trips, missing data.
    public mutating func freezesChanged(to new: Set<String>, at now: Instant) -> [Action] {
        freezes = new
        return handle(at: now) { _ in }
    }

    /// A router replied, or its worker gave up. Replies to operations that are no longer active are ignored.
    public mutating func replied(_ operation: UInt64, _ result: OperationResult, at now: Instant) -> [Action] {
        guard let (route, purpose) = underWay(operation) else { return [] }
        return handle(at: now) { $0.settle(route, purpose, result, at: now) }
    }

    /// Whether the reply to `operation` is still of use.
    package func awaits(_ operation: UInt64) -> Bool { underWay(operation) != nil }

    private func underWay(_ operation: UInt64) -> (RouteID, RouteWork.Purpose)? {
        for (name, work) in work {
            for (index, route) in work.routes.enumerated() {
                if let pending = route.pending, pending.id == operation {
                    return (RouteID(name, index), pending.purpose)
                }
            }
        }
        return nil
    }

    /// Runs `body`, then asks for whatever is needed next.
    mutating func handle(at now: Instant, _ body: (inout RolloutController) -> Void) -> [Action] {
        guard mayAct else {
            wakeAt = nil
            return []
        }
        endObservation(at: now)
        body(&self)
        notifyOfStructure(at: now)
        adoptWaitingPlan(at: now)
        repeat {
            hasChanged = false
            wakeAt = nil
            advance(at: now)
        } while hasChanged
        tendHooks(at: now)
        resolvePausePages()
        notifyOfFreeze(at: now)
        notifyOfLack(at: now)
        notifyOfUnread(at: now)
        followJournal(at: now)
        assert(state.checkInvariants(of: plan) == nil, state.checkInvariants(of: plan) ?? "")
        defer { outbox = [] }
        return outbox
    }

    /// Checks the whole state and requests the next operations.
    private mutating func advance(at now: Instant) {
        for service in plan.services {
            if let question = work[service.name]?.gates {
                if question.deadline > now { wake(at: question.deadline) } else { work[service.name]?.gates = nil }
            }
            for index in service.routes.indices {
                guard let entry = work[service.name]?.routes[index].pending else { continue }
                guard entry.deadline <= now else {
                    wake(at: entry.deadline)
                    continue
                }
                settle(
                    RouteID(service.name, index), entry.purpose,
                    .failed("\(service.routes[index].name): no reply"), at: now)
                hasChanged = true
            }
        }
        if let until = state.observingUntil { wake(at: until) }
        advanceRestores(at: now)
        switch state.phase {
        case .idle: break
        case .promoting: advancePromotion(at: now)
        case .promoted(let since): retire(since: since, at: now)
        case .rollingBack: advanceRollback(at: now)
        case .paused, .retired, .rolledBack: break
        }
        advanceOwedHooks(at: now)
        if !hasChanged { advanceStart(at: now) }
        if !hasChanged { reconcile(at: now) }
    }

    /// Passes the result of an operation to its recipients.
    private mutating func settle(
        _ route: RouteID, _ purpose: RouteWork.Purpose, _ result: OperationResult, at now: Instant
    ) {
        self[route].pending = nil
        switch result {
        case .inspected(let seen):
            self[route].view.read(seen, at: now)
            self[route].isRead = true
        case .failed(let reason) where purpose.isReading: self[route].view.unread(reason, at: now)
        case .failed(let reason): self[route].view.fault = reason
        case .done: self[route].view.fault = nil
        }
        switch purpose {
        case .validate: validationAnswered(route, result, at: now)
        case .reconcile: reconciled(route, result, at: now)
        case .target, .shift, .verify, .isolate:
            switch state.services[route.service]?.progress {
            case .rollingBack: rollbackAnswered(route, purpose, result, at: now)
            case .shifting: promotionAnswered(route, purpose, result, at: now)
            case .waiting, .baking, .promoted, .rolledBack, nil: correctionAnswered(route, result, at: now)
            }
        }
    }

    private mutating func retire(since: Instant, at now: Instant) {
        let end = since + plan.retainStable
        guard now >= end else { return wake(at: end) }
        state.phase = .retired
        journal("retired", at: now)
        record(.deployment, ["step": "retired"], at: now)
        hasChanged = true
    }
}
